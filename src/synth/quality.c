/* synth/quality - whether a made record is worth keeping. Pure. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/utf8.h"
#include "synth/synth_in.h"

#define MOST_PAIRS   4000
#define LEAST_SHARE  0.7
#define LEAST_ASKED  4 /* characters of a question */
#define MOST_ASKED   160
#define LEAST_ANSWER 2

static const char *const names[REJECTS] = {"none",      "unsupported", "duplicate",
                                           "malformed", "too_short",   "same_as_source"};

const char *reject_name(enum reject reject)
{
    return names[reject];
}

static bool is_word(uint32_t c)
{
    return utf8_is_han(c) || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z') || (c >= 0x80 && c < 0x2000);
}

/* The next character that is no mark, in half width and lower case; 0 at the end. */
static uint32_t next_word(struct str s, size_t *at)
{
    while (*at < s.len) {
        uint32_t c = utf8_halfwidth(utf8_next(s, at));
        if (c >= 'A' && c <= 'Z')
            c += 32;
        if (is_word(c))
            return c;
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Pairs of neighbouring characters, sorted, each once. */
static size_t pairs_of(struct str s, uint64_t *out, size_t most)
{
    size_t at = 0, n = 0, m = 0;
    uint32_t before = next_word(s, &at), c;
    while (before && n < most && (c = next_word(s, &at)) != 0) {
        out[n++] = (uint64_t)before << 32 | c;
        before = c;
    }
    if (!n && before)
        out[n++] = before;
    qsort(out, n, sizeof *out, by_value);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || out[i] != out[i - 1])
            out[m++] = out[i];
    return m;
}

static size_t common(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
    size_t i = 0, j = 0, both = 0;
    while (i < n && j < m) {
        both += a[i] == b[j];
        if (a[i] == b[j])
            i++, j++;
        else if (a[i] < b[j])
            i++;
        else
            j++;
    }
    return both;
}

/* Whether each run of digits in `a` is one in `b`, too. */
static bool numbers_stand(struct str a, struct str b)
{
    for (size_t i = 0; i < a.len;) {
        size_t from = i;
        while (i < a.len && a.ptr[i] >= '0' && a.ptr[i] <= '9')
            i++;
        if (i == from) {
            i++;
            continue;
        }
        struct str number = str_slice(a, from, i);
        size_t at = 0;
        bool found = false;
        while (!found && (at = str_find_from(b, number, at)) != STR_NPOS) {
            size_t end = at + number.len;
            found = (at == 0 || b.ptr[at - 1] < '0' || b.ptr[at - 1] > '9') &&
                    (end == b.len || b.ptr[end] < '0' || b.ptr[end] > '9');
            at++;
        }
        if (!found)
            return false;
    }
    return true;
}

double quality_support(struct str answer, struct str passage)
{
    static _Thread_local uint64_t a[MOST_PAIRS], b[4 * MOST_PAIRS];
    size_t n = pairs_of(answer, a, MOST_PAIRS), m = pairs_of(passage, b, 4 * (size_t)MOST_PAIRS);
    if (!n || !numbers_stand(answer, passage))
        return 0;
    return (double)common(a, n, b, m) / (double)n;
}

double quality_alike(struct str x, struct str y)
{
    static _Thread_local uint64_t a[MOST_PAIRS], b[MOST_PAIRS];
    size_t n = pairs_of(x, a, MOST_PAIRS), m = pairs_of(y, b, MOST_PAIRS);
    size_t both = common(a, n, b, m);
    return n + m == both ? 1 : (double)both / (double)(n + m - both);
}

enum reject quality_pair(struct str question, struct str answer, struct str passage)
{
    size_t asked = utf8_count(question), said = utf8_count(answer);
    if (utf8_invalid(question) != STR_NPOS || utf8_invalid(answer) != STR_NPOS ||
        asked > MOST_ASKED || str_find(question, STR("{")) != STR_NPOS)
        return REJECT_MALFORMED;
    if (asked < LEAST_ASKED || said < LEAST_ANSWER)
        return REJECT_SHORT;
    if (quality_key(question) == quality_key(answer))
        return REJECT_MALFORMED;
    return quality_support(answer, passage) >= LEAST_SHARE ? REJECT_NONE : REJECT_UNSUPPORTED;
}

uint64_t quality_key(struct str text)
{
    uint64_t h = 0x9e3779b97f4a7c15;
    size_t at = 0;
    for (uint32_t c; (c = next_word(text, &at)) != 0;)
        h = hash64(&c, sizeof c, h);
    return h;
}
