/* Lines of characters, and the keys of their features. */
#include <string.h>

#include "core/utf8.h"
#include "learn/tagger_in.h"

static uint32_t folded(uint32_t c)
{
    if (c >= 0x4E00 && c < 0xA000)
        return c;
    c = utf8_halfwidth(c);
    if (c >= '0' && c <= '9')
        return '0';
    return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

enum { SORT_NONE, SORT_DIGIT, SORT_LETTER, SORT_MARK, SORT_DOT, SORT_HAN, SORT_OTHER };

static uint8_t sort_of(uint32_t c)
{
    if (c >= 0x4E00)
        return c < 0xA000 ? SORT_HAN : SORT_OTHER;
    if (c == '0')
        return SORT_DIGIT;
    if (c >= 'a' && c <= 'z')
        return SORT_LETTER;
    if (c < 0x80)
        return SORT_MARK;
    return c == 0xB7 || c == 0x2022 || c == 0x30FB ? SORT_DOT : SORT_OTHER;
}

void tagger_marks_set(struct tagger_marks *marks)
{
    memset(marks->bits, 0, sizeof marks->bits);
    for (size_t i = 0; i < marks->n; i++)
        if (marks->chars[i] < 0x10000)
            marks->bits[marks->chars[i] >> 6] |= 1ULL << (marks->chars[i] & 63);
}

bool tagger_ends_line(uint32_t c)
{
    return c == '\n' || c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == '!' || c == '?';
}

/* Folded, and read quickly where it is Han: most are. */
static inline uint32_t next_char(struct str text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.ptr + *at;
    if (p[0] >= 0xE5 && p[0] <= 0xE9 && *at + 2 < text.len && (p[1] & 0xC0) == 0x80 &&
        (p[2] & 0xC0) == 0x80) {
        *at += 3;
        return (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
    }
    return folded(utf8_next(text, at));
}

static void set_char(const struct tagger_marks *marks, struct tagger_line *line, size_t i,
                     uint32_t c)
{
    line->chars[i] = c;
    line->sorts[i] = sort_of(c);
    line->marked[i] = c < 0x10000 && marks->bits[c >> 6] >> (c & 63) & 1;
}

static void set_pad(struct tagger_line *line, size_t i, uint32_t sign)
{
    line->chars[i] = sign;
    line->sorts[i] = SORT_NONE;
    line->marked[i] = false;
}

bool tagger_line_next(const struct tagger_marks *marks, struct str text, size_t *at,
                      struct tagger_line *line)
{
    size_t n = 0, here = *at;
    if (here >= text.len)
        return false;
    for (uint32_t c = 0; here < text.len && n < TAGGER_MOST_LINE && !tagger_ends_line(c); n++) {
        line->at[n] = here;
        c = next_char(text, &here);
        set_char(marks, line, n + TAGGER_WINDOW, c);
    }
    line->at[n] = here;
    line->n = n;
    for (size_t k = 0; k < TAGGER_WINDOW; k++) {
        set_pad(line, k, 1);
        set_pad(line, n + TAGGER_WINDOW + k, 2);
    }
    *at = here;
    return true;
}

void tagger_line_part(const struct tagger_marks *marks, struct str text, size_t from, size_t to,
                      struct tagger_line *line)
{
    size_t n = 0, here = from;
    uint32_t c = 0;
    for (; here < to && n < TAGGER_MOST_LINE; n++) {
        line->at[n] = here;
        c = next_char(text, &here);
        set_char(marks, line, n + TAGGER_WINDOW, c);
    }
    line->at[n] = here;
    line->n = n;
    for (size_t k = 0; k < TAGGER_WINDOW; k++) {
        size_t i = n + TAGGER_WINDOW + k;
        if (here >= text.len || tagger_ends_line(c)) {
            set_pad(line, i, 2);
        } else {
            c = next_char(text, &here);
            set_char(marks, line, i, c);
        }
    }
    here = from;
    c = 0;
    for (size_t k = TAGGER_WINDOW; k-- > 0;) {
        size_t before = here ? utf8_prev(text, here) : 0, next = before;
        if (here && !tagger_ends_line(c))
            c = next_char(text, &next);
        if (!here || tagger_ends_line(c)) {
            set_pad(line, k, 1);
        } else {
            set_char(marks, line, k, c);
            here = before;
        }
    }
}

/* ---- features ---- */

const struct tagger_shape tagger_shapes[TAGGER_GROUPS] = {
    [GROUP_ONE] = {-3, 7},  [GROUP_TWO] = {-1, 4},  [GROUP_THREE] = {0, 3}, [GROUP_AROUND] = {0, 1},
    [GROUP_SORTS] = {0, 1}, [GROUP_MARKS] = {0, 1}, [GROUP_NEAR] = {0, 1},  [GROUP_MARKED] = {0, 1},
};
