/*
 * Unigrams: the text is normalised by the file's own map of characters, then cut so that the sum of
 * the tokens' log probabilities is the largest (Viterbi; Kudo 2018, arXiv:1804.10959).
 *
 * Where no token has two characters side by side every cutting has a boundary, so the search goes
 * from such place to place, carrying the sum on: the same additions in the same order as in one
 * piece.
 */
#include <float.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "engine/vocab_in.h"

#define SHORT 256 /* bytes of a piece that is searched on the stack */

/* ---- normalising ---- */

static uint32_t unit(const struct vocab *v, size_t i)
{
    uint32_t value = 0;
    if (i < v->charsmap_units)
        memcpy(&value, v->charsmap + 4 * i, sizeof value);
    return value;
}

static uint32_t base_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

/* The longest prefix that the map replaces; 0 when it has none. A double array as sentencepiece's
 * Darts writes it: base in bits 10 to 30 (bit 9 shifts it), label in 0 to 7, leaf in 8. */
static size_t find_replacement(const struct vocab *v, struct str s, size_t at, struct str *out)
{
    size_t longest = 0, node = base_of(unit(v, 0));
    for (size_t i = at; v->charsmap_units && i < s.len && s.ptr[i]; i++) {
        uint8_t c = (uint8_t)s.ptr[i];
        node ^= c;
        uint32_t u = unit(v, node);
        if (node >= v->charsmap_units || (u & (1u << 31 | 0xFF)) != c)
            break;
        node ^= base_of(u);
        size_t place = unit(v, node) & ~(1u << 31);
        if (!(u >> 8 & 1) || place >= v->replacements_len)
            continue;
        const char *from = v->replacements + place,
                   *end = memchr(from, 0, v->replacements_len - place);
        if (!end)
            continue;
        *out = (struct str){from, (size_t)(end - from)};
        longest = i - at + 1;
    }
    return longest;
}

struct normal {
    const struct vocab *v;
    struct buf *buf;
    bool prefixed, in_word;
};

static void put_char(struct normal *n, char c)
{
    if (c == ' ') {
        n->in_word = false;
        if (!n->v->merge_spaces)
            buf_add_c(n->buf, "\xE2\x96\x81");
        return;
    }
    if (!n->in_word) {
        n->in_word = true;
        if ((n->v->space_prefix && !n->prefixed) || n->v->merge_spaces) {
            buf_add_c(n->buf, "\xE2\x96\x81");
            n->prefixed = true;
        }
    }
    buf_char(n->buf, c);
}

static void normalise(const struct vocab *v, struct str text, struct buf *buf)
{
    struct normal n = {v, buf, false, false};
    for (size_t at = 0; at < text.len && !buf->failed;) {
        char bytes[UTF8_MAX_BYTES];
        struct str part = STR_NONE;
        size_t used = find_replacement(v, text, at, &part);
        if (!used) {
            size_t start = at;
            part.ptr = bytes;
            part.len = utf8_put(bytes, utf8_next(text, &at));
            used = at - start;
            at = start;
        }
        for (size_t i = 0; i < part.len; i++)
            put_char(&n, part.ptr[i]);
        at += used;
    }
}

/* ---- searching ---- */

struct best {
    double sum;
    uint32_t from;
    int32_t id;
};

static void offer(struct best *best, double sum, size_t from, int32_t id)
{
    if (sum > best->sum)
        *best = (struct best){sum, (uint32_t)from, id};
}

/* Fills best[0 .. n]; best[0].sum is set. */
static void search(const struct vocab *v, struct str s, struct best *best)
{
    for (size_t i = 1; i <= s.len; i++)
        best[i] = (struct best){-DBL_MAX, 0, v->unk};
    for (size_t at = 0; at < s.len;) {
        size_t char_len = vocab_lead_bytes((uint8_t)s.ptr[at]);
        char_len = char_len < s.len - at ? char_len : s.len - at;
        bool whole = false;
        uint32_t node = 0;
        for (size_t i = at;
             i < s.len && (node = vocab_trie_next(&v->trie, node, (uint8_t)s.ptr[i])) != 0; i++) {
            int32_t id = v->trie.ids[node];
            if (id == NO_TOKEN)
                continue;
            whole |= i + 1 - at == char_len;
            offer(&best[i + 1],
                  best[at].sum + (v->attrs[id] & ATTR_USER ? 0.0 : (double)v->scores[id]), at, id);
        }
        if (!whole)
            offer(&best[at + char_len], best[at].sum + (double)v->unknown_score, at, v->unk);
        at += char_len;
    }
}

/* The ids from the end of best[] back, then turned round; neighbours that are unknown are one. */
static void put_best(const struct vocab *v, const struct best *best, size_t end, size_t first,
                     struct out *out)
{
    size_t start = out->n;
    for (size_t at = end; at > 0; at = best[at].from)
        vocab_out_add(out, best[at].id);
    if (out->failed)
        return;
    for (size_t i = start, j = out->n; i + 1 < j; i++, j--) {
        int32_t swap = out->ids[i];
        out->ids[i] = out->ids[j - 1];
        out->ids[j - 1] = swap;
    }
    size_t n = start;
    for (size_t i = start; i < out->n; i++)
        if (out->ids[i] != v->unk || n == first || out->ids[n - 1] != v->unk)
            out->ids[n++] = out->ids[i];
    out->n = n;
}

static size_t next_char(struct str s, size_t at, uint32_t *c)
{
    size_t len = vocab_lead_bytes((uint8_t)s.ptr[at]), to = at;
    *c = utf8_next(s, &to);
    return at + (len < s.len - at ? len : s.len - at);
}

static void encode_normal(const struct vocab *v, struct str text, struct arena *scratch,
                          struct out *out)
{
    struct best few[SHORT + 1] = {0};
    size_t first = out->n;
    double sum = 0;
    for (size_t start = 0; start < text.len && !out->failed;) {
        uint32_t last, c = 0;
        size_t end = next_char(text, start, &last);
        while (end < text.len) {
            size_t behind = next_char(text, end, &c);
            if (!vocab_crosses(v, last, c, (uint8_t)text.ptr[end - 1], (uint8_t)text.ptr[end]))
                break;
            end = behind;
            last = c;
        }
        struct best *best =
            end - start <= SHORT ? few : arena_array(scratch, struct best, end - start + 1);
        if (!best) {
            out->failed = true;
            return;
        }
        best[0] = (struct best){sum, 0, v->unk};
        search(v, str_slice(text, start, end), best);
        put_best(v, best, end - start, first, out);
        sum = best[end - start].sum;
        start = end;
        arena_reset(scratch);
    }
}

void vocab_ugm_encode(const struct vocab *v, struct str text, struct out *out)
{
    struct arena *scratch = arena_new(arena_limit(out->arena)),
                 *held = arena_new(arena_limit(out->arena));
    struct buf buf;
    if (!scratch || !held) {
        out->failed = true;
    } else {
        buf_init(&buf, held);
        normalise(v, text, &buf);
        out->failed |= buf.failed;
        encode_normal(v, buf_str(&buf), scratch, out);
    }
    arena_free(scratch);
    arena_free(held);
}
