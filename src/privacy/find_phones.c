/* Mobile and landline numbers; an office's telephone is known by the words before it. */
#include <string.h>

#include "privacy/scan_in.h"

#define NEAR 72 /* bytes in which a word before a number still tells of it */

static bool one_of(const struct shape *s, const char *const *list)
{
    for (; *list; list++) {
        size_t i = 0;
        while (i < s->groups && (*list)[i] && (*list)[i] - '0' == s->sizes[i])
            i++;
        if (i == s->groups && !(*list)[i])
            return true;
    }
    return false;
}

/* "、" and the like between two telephones of one office. */
static bool follows(const struct scan *scan, size_t start)
{
    return scan->last_end && start >= scan->last_end && start - scan->last_end <= 24 &&
           !memchr(scan->text.ptr + scan->last_end, '\n', start - scan->last_end);
}

/* Whether the words before tell of an office. A person's nearer word wins. */
static bool is_public(const struct scan *scan, const struct cues *cues, size_t start, bool landline)
{
    int office = cues->at[CUE_OFFICE], person = cues->at[CUE_PERSON];
    if (landline && cues->at[CUE_AGENCY] < office)
        office = cues->at[CUE_AGENCY];
    if (office < CUE_FAR && office <= person)
        return true;
    return scan->last_public && person > 24 && follows(scan, start);
}

static void add_phone(struct scan *scan, struct run *run, size_t first, size_t n,
                      enum privacy_kind kind, float sure)
{
    struct cues cues;
    size_t start = run->cells[first].start, end = run->cells[first + n - 1].end;
    cues_before(scan->text, start, scan->context, &cues);
    bool open = is_public(scan, &cues, start, kind == PRIVACY_LANDLINE);
    int phone = cues.at[CUE_PHONE] < cues.at[CUE_PERSON] ? cues.at[CUE_PHONE] : cues.at[CUE_PERSON];
    if (!open && cues.at[CUE_ORDER] < 24 && cues.at[CUE_ORDER] < phone)
        sure *= 0.5F;
    else if (phone < NEAR)
        sure = sure < 0.78F ? sure + 0.2F : 0.98F;
    if (cues_unit(scan->text, end))
        sure *= 0.4F;
    if (open && !scan->scanner->public_too)
        for (size_t i = 0; i < n; i++)
            run->taken[first + i] = 1;
    else
        scan_add_cells(scan, run, first, n, true, kind, sure);
    scan->last_public = open;
    scan->last_end = end;
}

static bool mobile(struct scan *scan, struct run *run, size_t first)
{
    static const char *const groups[] = {"344",  "443",   "335",      "38",   "74",
                                         "47",   "56",    "65",       "434",  "353",
                                         "3422", "32222", "12222222", "5222", NULL};
    struct shape shape;
    if (run->cells[first].digit != '1' || run->cells[first].c > '9' ||
        !run_shape(run, first, 11, true, &shape) || !check_mobile(shape.text))
        return false;
    for (size_t i = 0; i < 11; i++)
        if (run->cells[first + i].c > '9')
            return false;
    bool line = shape.groups == 2 && shape.tidy && run->n >= first + 11;
    bool known = shape.groups == 1 || (shape.tidy && (shape.ones || one_of(&shape, groups)));
    if (!known && line)
        for (size_t i = 1; i < 11; i++)
            known = known || run->cells[first + i].gap & GAP_LINE;
    if (!known)
        return false;
    /* "0.13800138000" is a fraction. */
    const struct cell *cell = &run->cells[first];
    if (first && cell->gap == GAP_DOT && scan->text.ptr[cell->start - 1] == '.' &&
        cell[-1].c == '0' && cell[-1].end + 1 == cell->start)
        return false;
    add_phone(scan, run, first, 11, PRIVACY_MOBILE, shape.groups == 1 ? 0.95F : 0.85F);
    return true;
}

/* 86138..., 0138...: the prefix hides the border. */
static bool prefixed(struct scan *scan, struct run *run, size_t first)
{
    static const char *const prefixes[] = {"86", "086", "0086", "0"};
    for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++) {
        size_t n = strlen(prefixes[p]), i = 0;
        struct shape shape;
        while (i < n && first + i < run->n && run->cells[first + i].c == prefixes[p][i])
            i++;
        if (i < n || first + n + 11 > run->n || run->cells[first + n].gap & GAP_REAL)
            continue;
        if (!run_shape(run, first, n + 11, true, &shape) || !check_mobile(shape.text + n) ||
            shape.groups > 3)
            continue;
        add_phone(scan, run, first + n, 11, PRIVACY_MOBILE, 0.85F);
        return true;
    }
    return false;
}

/* An area code and seven or eight digits; "(0755)8812 7587". */
static bool landline(struct scan *scan, struct run *run, size_t first)
{
    char digits[4];
    struct shape shape;
    if (run->cells[first].c != '0' || first + 10 > run->n)
        return false;
    for (size_t i = 0; i < 4; i++)
        digits[i] = run->cells[first + i].digit ? run->cells[first + i].digit : '/';
    if (memchr(digits, '/', 4))
        return false;
    size_t area = check_area(digits, 4);
    for (size_t local = 8; area && local >= 7; local--) {
        if (area == 3 && local == 7)
            break;
        if (!run_shape(run, first, area + local, true, &shape))
            continue;
        char one = shape.text[area];
        bool parted = shape.groups > 1 && shape.sizes[0] == area;
        if (one < '2' || (one == '9' && !parted) || !shape.tidy ||
            shape.groups > 4 + 20u * shape.ones)
            continue;
        add_phone(scan, run, first, area + local, PRIVACY_LANDLINE, parted ? 0.72F : 0.66F);
        return true;
    }
    return false;
}

/* Without an area code only where a word says whose it is. */
static bool local_number(struct scan *scan, struct run *run, size_t first)
{
    struct shape shape;
    struct cues cues;
    for (size_t n = 8; n >= 7; n--) {
        if (!run_shape(run, first, n, true, &shape) || shape.text[0] < '2' || shape.groups > 2 ||
            run->cells[first].c > '9')
            continue;
        cues_before(scan->text, run->cells[first].start, scan->context, &cues);
        if (cues.at[CUE_PHONE] > 12 || cues.at[CUE_PERSON] > NEAR ||
            cues.at[CUE_OFFICE] < cues.at[CUE_PERSON] || cues.at[CUE_AGENCY] < cues.at[CUE_PERSON])
            return false;
        add_phone(scan, run, first, n, PRIVACY_LANDLINE, 0.5F);
        return true;
    }
    return false;
}

void find_phones(struct scan *scan, struct run *run)
{
    for (size_t i = 0; i + 7 <= run->n; i++)
        if (!run->taken[i] && run->cells[i].c <= '9' && !mobile(scan, run, i) &&
            !prefixed(scan, run, i) && !landline(scan, run, i))
            (void)local_number(scan, run, i);
}
