/* Passports, officer cards, travel permits: short numbers that need a word nearby. */
#include <string.h>

#include "privacy/scan_in.h"

#define NEAR 48 /* bytes */

static bool digits_from(const struct run *run, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (first + i >= run->n || run->cells[first + i].c > '9' ||
            run->cells[first + i].flags & CELL_HAN)
            return false;
    return true;
}

/* One letter (or E and a letter) and digits. */
static bool lettered(struct scan *scan, struct run *run, size_t first)
{
    static const struct {
        const char *letters;
        size_t digits;
        enum privacy_kind kind;
        enum cue cue;
    } forms[] = {
        {"HM", 10, PRIVACY_HK_MACAU_PERMIT, CUE_HK}, {"HM", 8, PRIVACY_HK_MACAU_PERMIT, CUE_HK},
        {"CW", 8, PRIVACY_HK_MACAU_PERMIT, CUE_HK},  {"EGDSPK", 8, PRIVACY_PASSPORT, CUE_PAPER},
        {"TL", 8, PRIVACY_TAIWAN_PERMIT, CUE_HK},
    };
    struct shape shape;
    struct cues cues;
    char letter = run->cells[first].c;
    bool pair = letter == 'E' && first + 9 <= run->n && run->cells[first + 1].c > '9' &&
                digits_from(run, first + 2, 7);
    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        size_t n = forms[f].digits + 1;
        if (!strchr(forms[f].letters, letter) || first + n > run->n)
            continue;
        if (!(pair && n == 9) && !digits_from(run, first + 1, n - 1))
            continue;
        if (!run_shape(run, first, n, false, &shape) || !shape.tidy)
            continue;
        cues_before(scan->text, run->cells[first].start, scan->context, &cues);
        int near = cues.at[forms[f].cue];
        if (near > NEAR || near > cues.at[CUE_ORDER]) {
            if (near > NEAR && cues.at[CUE_PAPER] > NEAR)
                return false;
        }
        scan_add_cells(scan, run, first, n, false, forms[f].kind, 0.93F);
        return true;
    }
    return false;
}

static bool taiwan(struct scan *scan, struct run *run, size_t first)
{
    struct shape shape;
    struct cues cues;
    for (size_t n = 10; n >= 8; n -= 2) {
        if (!digits_from(run, first, n) || !run_shape(run, first, n, true, &shape) || !shape.tidy)
            continue;
        cues_before(scan->text, run->cells[first].start, scan->context, &cues);
        if (cues.at[CUE_TAIWAN] > NEAR)
            return false;
        scan_add_cells(scan, run, first, n, true, PRIVACY_TAIWAN_PERMIT, 0.9F);
        return true;
    }
    return false;
}

/* "南字第1234567号": the words around the digits make it one. */
static bool officer(struct scan *scan, struct run *run, size_t first)
{
    static const char heads[] = "军南北东西中空海政后装参沈兰济广成火武士文";
    size_t n = 6, at, word, next;
    struct cues cues;
    while (n < 9 && digits_from(run, first, n))
        n++;
    n -= !digits_from(run, first, n);
    if (n < 6 || n > 8 || (first + n < run->n && !(run->cells[first + n].gap & GAP_REAL)))
        return false;
    size_t start = run->cells[first].start, end = run->cells[first + n - 1].end;
    uint32_t c = letters_before(scan->text, start, 0, &at);
    if (c == 0x7B2C) /* 第 */
        c = letters_before(scan->text, at, 0, &at);
    if (c != 0x5B57) /* 字 */
        return false;
    c = letters_before(scan->text, at, 0, &word);
    if (!c || at - word != 3)
        return false;
    bool known = false;
    for (size_t i = 0; heads[i] && !known; i += 3)
        known = memcmp(heads + i, scan->text.ptr + word, 3) == 0;
    if (!known)
        return false;
    cues_before(scan->text, word, scan->context, &cues);
    if (cues.at[CUE_SOLDIER] > NEAR && c != 0x519B) /* 军 says it by itself */
        return false;
    if (letters_at(scan->text, end, &next) == 0x53F7) /* 号 */
        end = next;
    for (size_t i = 0; i < n; i++)
        run->taken[first + i] = 1;
    scan_add(scan, PRIVACY_OFFICER_CARD, word, end, str_slice(scan->text, word, end), 0.9F);
    return true;
}

void find_passes(struct scan *scan, struct run *run)
{
    for (size_t i = 0; i + 6 <= run->n; i++) {
        if (run->taken[i])
            continue;
        if (run->cells[i].c > '9')
            (void)lettered(scan, run, i);
        else if (!officer(scan, run, i))
            (void)taiwan(scan, run, i);
    }
}
