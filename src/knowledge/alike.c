/* knowledge/answer, the comparison of short texts. */
#include "core/utf8.h"
#include "knowledge/answer.h"

#define MOST 512 /* pairs of a text that are compared; titles and questions have fewer */

static uint64_t fold(uint32_t c)
{
    c = utf8_halfwidth(c);
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_word(uint64_t c)
{
    return utf8_is_han((uint32_t)c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
}

/* The different pairs of neighbouring characters; a text of one character gives that one. */
static size_t pairs(struct str s, uint64_t out[MOST])
{
    size_t n = 0;
    uint64_t before = 0;
    for (size_t at = 0; at < s.len && n < MOST;) {
        uint64_t c = fold(utf8_next(s, &at));
        if (!is_word(c))
            continue; /* marks inside a title do not part it */
        uint64_t pair = before << 32 | c;
        bool seen = !before;
        for (size_t i = 0; i < n && !seen; i++)
            seen = out[i] == pair;
        if (!seen)
            out[n++] = pair;
        before = c;
    }
    if (n == 0 && before)
        out[n++] = before;
    return n;
}

static size_t shared(const uint64_t *a, size_t n_a, const uint64_t *b, size_t n_b)
{
    size_t n = 0;
    for (size_t i = 0; i < n_a; i++) {
        bool hit = false;
        for (size_t j = 0; j < n_b && !hit; j++)
            hit = a[i] == b[j];
        n += hit;
    }
    return n;
}

double answer_alike(struct str a, struct str b)
{
    uint64_t x[MOST], y[MOST];
    size_t n_x = pairs(a, x), n_y = pairs(b, y);
    return n_x + n_y ? 2.0 * (double)shared(x, n_x, y, n_y) / (double)(n_x + n_y) : 0;
}

double answer_covered(struct str part, struct str whole)
{
    uint64_t x[MOST], y[MOST];
    size_t n_x = pairs(part, x), n_y = pairs(whole, y);
    return n_x ? (double)shared(x, n_x, y, n_y) / (double)n_x : 0;
}
