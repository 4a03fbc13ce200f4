/* Identity numbers, social credit codes, bank cards: long numbers with a check digit. */
#include <string.h>

#include "privacy/scan_in.h"

static int two(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

static bool only_digits(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    return true;
}

/* Cells that are digits without being read so. */
static size_t true_digits(const struct run *run, size_t first, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += run->cells[first + i].c <= '9';
    return count;
}

/* GB 11643: region, date of birth, serial, check digit. The 18th is a digit or X. */
static bool id18(struct scan *scan, struct run *run, size_t first)
{
    struct shape shape;
    struct cues cues;
    if (first + 18 > run->n || (run->cells[first + 17].c != 'X' && !run->cells[first + 17].digit))
        return false;
    char last = run->cells[first + 17].digit;
    if (!last) /* X is no digit: looked at for itself */
        run->cells[first + 17].digit = 'X';
    bool fits = run_shape(run, first, 18, true, &shape);
    run->cells[first + 17].digit = last;
    const char *s = shape.text;
    if (!fits || !only_digits(s, 17) || !check_id18(s) || true_digits(run, first, 18) < 4)
        return false;
    int year = two(s + 6) * 100 + two(s + 8);
    float region = region_known(s);
    if (!region || year < 1890 || !check_date(year, two(s + 10), two(s + 12)))
        return false;
    cues_before(scan->text, run->cells[first].start, scan->context, &cues);
    float sure = region * (shape.groups == 1 ? 0.98F : shape.tidy ? 0.93F : 0.7F);
    if (cues.at[CUE_ORDER] < 20 && cues.at[CUE_ID] > cues.at[CUE_ORDER])
        sure *= 0.85F;
    bool permit = two(s) >= 81 && two(s) <= 83;
    run->cells[first + 17].digit = last ? last : 'X';
    scan_add_cells(scan, run, first, 18, true,
                   permit ? PRIVACY_RESIDENCE_PERMIT : PRIVACY_ID_NUMBER, sure);
    run->cells[first + 17].digit = last;
    return true;
}

/* The old number: two digits for the year and no check digit, so that a word must be near. */
static bool id15(struct scan *scan, struct run *run, size_t first)
{
    struct shape shape;
    struct cues cues;
    if (!run_shape(run, first, 15, true, &shape) || !shape.tidy || !only_digits(shape.text, 15))
        return false;
    const char *s = shape.text;
    float region = region_known(s);
    if (!region || !check_date(1900 + two(s + 6), two(s + 8), two(s + 10)))
        return false;
    cues_before(scan->text, run->cells[first].start, scan->context, &cues);
    bool named = cues.at[CUE_ID] < 40 && cues.at[CUE_ID] <= cues.at[CUE_ORDER];
    if (!named && (region < 0.9F || cues.at[CUE_ORDER] < 40))
        return false;
    scan_add_cells(scan, run, first, 15, true, PRIVACY_ID_NUMBER, named ? 0.9F * region : 0.5F);
    return true;
}

static bool credit(struct scan *scan, struct run *run, size_t first)
{
    /* Who registers, and what: GB 32100-2015, tables 1 and 2. */
    static const char *const heads[] = {"11", "12", "13", "19", "21", "29", "31", "32", "33", "34",
                                        "35", "39", "41", "49", "51", "52", "53", "54", "55", "59",
                                        "61", "62", "69", "71", "72", "79", "81", "89", "91", "92",
                                        "93", "A1", "A9", "N1", "N2", "N3", "N9", "Y1"};
    struct shape shape;
    struct cues cues;
    bool known = false;
    if (!run_shape(run, first, 18, false, &shape) || !check_credit(shape.text))
        return false;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        known = known || memcmp(shape.text, heads[i], 2) == 0;
    if (!known || !only_digits(shape.text + 2, 6) ||
        (region_known(shape.text + 2) == 0 && memcmp(shape.text + 2, "100000", 6) != 0))
        return false;
    cues_before(scan->text, run->cells[first].start, scan->context, &cues);
    bool letters = !only_digits(shape.text, 18);
    float sure = letters ? 0.9F : 0.7F;
    if (cues.at[CUE_CREDIT] < 40)
        sure = 0.98F;
    else if (cues.at[CUE_ORDER] < 20)
        sure *= 0.8F;
    scan_add_cells(scan, run, first, 18, false, PRIVACY_CREDIT_CODE,
                   sure * (shape.tidy ? 1 : 0.8F));
    return true;
}

/* Groups as they stand on cards, or wherever the line ended. */
static bool card_shape(const struct shape *s)
{
    if (s->groups == 1 || s->ones || (s->groups == 2 && s->tidy))
        return true;
    for (size_t i = 0; i + 1 < s->groups; i++)
        if (s->sizes[i] != 4)
            return false;
    return s->tidy;
}

static bool card(struct scan *scan, struct run *run, size_t first, size_t n)
{
    struct shape shape;
    struct cues cues;
    if (!run_shape(run, first, n, true, &shape) || !only_digits(shape.text, n) ||
        !check_luhn(shape.text, n) || !card_shape(&shape) || true_digits(run, first, n) < 9)
        return false;
    float known = check_card(shape.text, n);
    if (!known)
        return false;
    cues_before(scan->text, run->cells[first].start, scan->context, &cues);
    float sure = 0.95F * known;
    if (true_digits(run, first, n) < n && known < 1)
        sure *= 0.8F;
    if (cues.at[CUE_CARD] < 40 && cues.at[CUE_CARD] <= cues.at[CUE_ORDER])
        sure = 0.97F;
    else if (cues.at[CUE_ORDER] < 24)
        sure *= 0.5F;
    scan_add_cells(scan, run, first, n, true, PRIVACY_BANK_CARD, sure);
    return true;
}

void find_papers(struct scan *scan, struct run *run)
{
    static const unsigned char cards[] = {19, 18, 17, 16, 15};
    for (size_t i = 0; i + 15 <= run->n; i++) {
        if (run->taken[i])
            continue;
        if (id18(scan, run, i)) {
            i += 17;
            continue;
        }
        if (scan_wants(scan, PRIVACY_CREDIT_CODE) && credit(scan, run, i)) {
            i += 17;
            continue;
        }
        size_t n = 0;
        while (n < sizeof cards && !card(scan, run, i, cards[n]))
            n++;
        if (n < sizeof cards)
            i += cards[n] - 1;
        else if (id15(scan, run, i))
            i += 14;
    }
}
