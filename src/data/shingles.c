#include "data/shingles.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/text.h"

/* Whether a character counts among words, and as what; 0: it does not. */
static uint32_t folded(uint32_t c)
{
    if (c >= 0x4E00 && c <= 0x9FFF)
        return c;
    if (c == 0xFF0C || c == 0x3002 || c == 0x3001)
        return 0;
    c = utf8_halfwidth(c);
    if (text_class(c) > TEXT_DIGIT)
        return 0;
    return c >= 'A' && c <= 'Z' ? c | 32 : c;
}

size_t shingle_chars(struct str in, bool words, uint32_t *out, uint32_t *starts)
{
    size_t n = 0;
    for (size_t i = 0; i < in.len;) {
        size_t start = i;
        uint32_t c = text_next(in, &i);
        if (words)
            c = folded(c);
        if (words && !c)
            continue;
        if (starts)
            starts[n] = (uint32_t)start;
        out[n++] = c;
    }
    return n;
}

/* The finalizer of MurmurHash3 (Austin Appleby, public domain). */
static uint64_t mix(uint64_t h)
{
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

#define BASE 0x9E3779B97F4A7C15u

/* A polynomial over the characters, rolled on by one: Karp and Rabin 1987, modulo 2^64. */
size_t shingles_roll(const uint32_t *chars, size_t n_chars, size_t n, uint64_t *items)
{
    uint64_t h = 0, out = 1;
    size_t first = n_chars < n ? n_chars : n;
    if (!n_chars)
        return 0;
    for (size_t i = 0; i < first; i++) {
        h = h * BASE + chars[i] + 1;
        out *= BASE;
    }
    items[0] = mix(h);
    for (size_t i = first; i < n_chars; i++) {
        h = h * BASE + chars[i] + 1 - out * (chars[i - first] + 1);
        items[i - first + 1] = mix(h);
    }
    return n_chars - first + 1;
}

enum err shingles_of(struct str in, size_t n, bool words, struct arena *arena, struct shingles *out,
                     struct why *why)
{
    uint64_t *items = NULL;
    /* Grown, not taken: what is written over at once need not be zeroed first. */
    uint32_t *chars = arena_grow(arena, NULL, 0, (text_length(in) + 1) * sizeof *chars);
    if (chars) {
        *out = (struct shingles){.n_chars = shingle_chars(in, words, chars, NULL)};
        items = arena_grow(arena, NULL, 0, (out->n_chars + 1) * sizeof *items);
    }
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold the shingles of a text");
    out->items = items;
    out->n = shingles_roll(chars, out->n_chars, n, items);
    return ERR_OK;
}

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

void shingles_sort(struct shingles *s)
{
    size_t n = 0;
    if (s->n)
        qsort(s->items, s->n, sizeof *s->items, by_value);
    for (size_t i = 0; i < s->n; i++)
        if (!n || s->items[i] != s->items[n - 1])
            s->items[n++] = s->items[i];
    s->n = n;
}

double shingles_jaccard(const struct shingles *a, const struct shingles *b)
{
    size_t i = 0, k = 0, both = 0;
    while (i < a->n && k < b->n) {
        uint64_t x = a->items[i], y = b->items[k];
        both += x == y;
        i += x <= y;
        k += y <= x;
    }
    return a->n && b->n ? (double)both / (double)(a->n + b->n - both) : 0;
}
