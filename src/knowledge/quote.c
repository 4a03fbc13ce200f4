#include <math.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/knowledge.h"
#include "knowledge/quote_in.h"

#define JOIN       0.75 /* a neighbour this good is quoted along */
#define MOST_QUOTE 900  /* bytes: an enumeration that is longer is quoted by its best items */

/* ---- sentences ---- */

static bool ends_sentence(uint32_t c)
{
    return c == 0x3002 || c == 0xFF01 || c == 0xFF1F || c == 0xFF1B || c == '\n' || c == '!' ||
           c == '?' || c == ';';
}

static bool closes(uint32_t c)
{
    return c == 0x201D || c == 0x2019 || c == 0x300D || c == 0x300F || c == 0x300B || c == 0xFF09 ||
           c == ')';
}

static bool add_span(struct str text, size_t start, size_t end, struct quote_span *out)
{
    struct str part = str_trim_space(str_slice(text, start, end));
    if (part.len == 0)
        return false;
    *out = (struct quote_span){(size_t)(part.ptr - text.ptr), part.len, 0};
    return true;
}

size_t quote_sentences(struct str text, struct quote_span *out, size_t most)
{
    size_t n = 0, start = 0, at = 0;
    while (at < text.len && n < most) {
        if (!ends_sentence(utf8_next(text, &at)))
            continue;
        for (size_t next = at; next < text.len; at = next) {
            uint32_t c = utf8_next(text, &next);
            if (!closes(c) && !ends_sentence(c))
                break;
        }
        n += add_span(text, start, at, &out[n]);
        start = at;
    }
    if (start < text.len && n < most)
        n += add_span(text, start, text.len, &out[n]);
    return n;
}

/* ---- choosing ---- */

static bool opens_list(struct str text)
{
    return str_ends(text, STR("：")) || str_ends(text, STR(":"));
}

/* （一）, (1), 1., 一、 at the front. */
static bool is_item(struct str text)
{
    if (str_starts(text, STR("（")) || str_starts(text, STR("(")) || str_starts(text, STR("- ")))
        return true;
    size_t at = 0;
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at > 0 && at < text.len &&
           (text.ptr[at] == '.' || str_starts(str_from(text, at), STR("、")));
}

/* The sentence, with the enumeration that it opens when that is not too long. */
static struct quote_span with_items(struct str text, const struct quote_span *s, size_t n, size_t i,
                                    size_t *last)
{
    struct quote_span span = s[i];
    *last = i;
    if (!opens_list(str_slice(text, s[i].start, s[i].start + s[i].len)))
        return span;
    for (size_t j = i + 1; j < n; j++) {
        struct str item = str_slice(text, s[j].start, s[j].start + s[j].len);
        if (!is_item(item) && j > i + 1)
            break;
        if (s[j].start + s[j].len - span.start > MOST_QUOTE)
            break;
        span.len = s[j].start + s[j].len - span.start;
        *last = j;
    }
    return span;
}

/* An item is a fragment without the line that opens its list. */
static size_t opening_of(struct str text, const struct quote_span *s, size_t i)
{
    size_t j = i;
    while (j > 0 && is_item(str_slice(text, s[j].start, s[j].start + s[j].len)) && i - j < 24)
        j--;
    return j != i && opens_list(str_slice(text, s[j].start, s[j].start + s[j].len)) ? j : i;
}

/* Scores become the sentences' shares of the passage's belief, by the weights of quote_weights.def.
 */
static enum err score_sentences(const struct question *question, struct str text,
                                struct quote_span *s, size_t n, struct arena *arena,
                                struct why *why)
{
    double *features, most = -INFINITY, sum = 0;
    enum err err = quote_measure(question, text, s, n, arena, &features, why);
    if (err)
        return err;
    for (size_t i = 0; i < n; i++) {
        s[i].score = 0;
        for (size_t f = 0; f < QUOTE_N_FEATURES; f++)
            s[i].score += quote_weights[f] * features[i * QUOTE_N_FEATURES + f];
        most = s[i].score > most ? s[i].score : most;
    }
    for (size_t i = 0; i < n; i++)
        sum += s[i].score = exp(s[i].score - most);
    for (size_t i = 0; i < n; i++)
        s[i].score /= sum;
    return ERR_OK;
}

static size_t best_free(const struct quote_span *s, const bool *used, size_t n)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!used[i] && (best == n || s[i].score > s[best].score))
            best = i;
    return best;
}

enum err quote_best(const struct question *question, struct str text, size_t most,
                    struct arena *arena, struct quote_span **out, size_t *n_out, struct why *why)
{
    struct quote_span *s = arena_array(arena, struct quote_span, QUOTE_MOST_SENTENCES);
    struct quote_span *picked = arena_array(arena, struct quote_span, most ? most : 1);
    bool *used = arena_array(arena, bool, QUOTE_MOST_SENTENCES);
    if (!s || !picked || !used)
        return err_set(why, ERR_NO_MEMORY, "could not hold the passage's sentences");
    size_t n = quote_sentences(text, s, QUOTE_MOST_SENTENCES), n_picked = 0;
    enum err err = score_sentences(question, text, s, n, arena, why);
    if (err)
        return err;
    while (n_picked < most) {
        size_t i = best_free(s, used, n), last;
        if (i == n || (n_picked > 0 && s[i].score < JOIN * picked[0].score))
            break;
        size_t first = opening_of(text, s, i);
        if (used[first])
            first = i;
        struct quote_span span = first == i ? with_items(text, s, n, i, &last) : s[first];
        if (first != i) { /* the opening line up to the item itself */
            last = i;
            span.len = s[i].start + s[i].len - span.start;
            if (span.len > MOST_QUOTE)
                span = s[first = i];
        }
        span.score = s[i].score;
        for (size_t j = first; j <= last; j++)
            used[j] = true;
        picked[n_picked++] = span;
    }
    *out = picked;
    *n_out = n_picked;
    return ERR_OK;
}

enum err knowledge_quote(struct str question, struct str text, struct arena *arena, size_t *start,
                         size_t *len, struct why *why)
{
    struct question q;
    struct quote_span *spans = NULL;
    size_t n = 0;
    enum err err = question_read(question, arena, &q, why);
    if (!err)
        err = quote_best(&q, text, 1, arena, &spans, &n, why);
    if (!err) {
        *start = n ? spans[0].start : 0;
        *len = n ? spans[0].len : 0;
    }
    return err;
}
