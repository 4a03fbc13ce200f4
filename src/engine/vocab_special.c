/* Special tokens inside a text: they are cut out before anything is merged. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "engine/vocab_in.h"

#define SPECIAL (ATTR_CONTROL | ATTR_USER | ATTR_UNKNOWN)

static int longer_first(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b; /* byte << 16 | length */
    return *x >> 16 != *y >> 16 ? (*x >> 16 > *y >> 16) - (*x >> 16 < *y >> 16)
                                : (*x < *y) - (*x > *y);
}

/* For every first byte the lengths of the special tokens that begin with it. */
enum err vocab_special_index(struct vocab *v, struct why *why)
{
    size_t n = 0;
    for (size_t i = 0; i < v->n; i++)
        n += (v->attrs[i] & SPECIAL) != 0;
    uint32_t *keys = arena_array(v->arena, uint32_t, n + 1);
    v->lens = arena_array(v->arena, uint16_t, n + 1);
    if (!keys || !v->lens)
        return err_set(why, ERR_NO_MEMORY, "no memory for a vocabulary");
    n = 0;
    for (size_t i = 0; i < v->n; i++) {
        struct str text = v->texts.items[i];
        if (!(v->attrs[i] & SPECIAL))
            continue;
        v->any_user |= (v->attrs[i] & ATTR_USER) != 0;
        uint8_t first = (uint8_t)text.ptr[0];
        v->begins[first / 64] |= (uint64_t)1 << first % 64;
        keys[n++] = (uint32_t)first << 16 | (uint32_t)text.len;
    }
    qsort(keys, n, sizeof *keys, longer_first);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && keys[i] == keys[i - 1])
            continue;
        uint8_t first = (uint8_t)(keys[i] >> 16);
        if (!v->len_n[first])
            v->len_first[first] = (uint32_t)kept;
        v->len_n[first]++;
        v->lens[kept++] = (uint16_t)keys[i];
    }
    return ERR_OK;
}

struct hit {
    size_t at;
    uint32_t len;
    int32_t id;
};

struct hits {
    struct arena *arena;
    struct hit *items;
    size_t n, cap;
    bool failed;
};

static void add_hit(struct hits *h, struct hit hit)
{
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 16;
        struct hit *items =
            arena_grow(h->arena, h->items, h->cap * sizeof *items, cap * sizeof *items);
        if (!items) {
            h->failed = true;
            return;
        }
        h->items = items;
        h->cap = cap;
    }
    h->items[h->n++] = hit;
}

static void find_hits(const struct vocab *v, struct str text, bool control, struct hits *out)
{
    for (size_t at = 0; at < text.len && !out->failed; at++) {
        uint8_t first = (uint8_t)text.ptr[at];
        if (!(v->begins[first / 64] >> first % 64 & 1))
            continue;
        for (uint16_t i = 0; i < v->len_n[first]; i++) {
            size_t len = v->lens[v->len_first[first] + i];
            if (len > text.len - at)
                continue;
            int32_t id = vocab_strtab_find(&v->texts, (struct str){text.ptr + at, len});
            uint8_t attr = id == NO_TOKEN ? 0 : v->attrs[id];
            if (!(attr & SPECIAL) || (!control && (attr & (ATTR_CONTROL | ATTR_UNKNOWN))))
                continue;
            add_hit(out, (struct hit){at, (uint32_t)len, id});
        }
    }
}

/* Longer tokens are looked for first, each from the left. */
static int in_order(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    if (x->len != y->len)
        return x->len > y->len ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static int by_place(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Keeps the hits that overlap none before them; with the blanks that they eat. */
static bool choose(const struct vocab *v, struct str text, struct hits *h)
{
    uint8_t *taken = arena_array(h->arena, uint8_t, text.len);
    size_t n = 0;
    if (!taken)
        return false;
    qsort(h->items, h->n, sizeof *h->items, in_order);
    for (size_t i = 0; i < h->n; i++) {
        struct hit hit = h->items[i];
        if (memchr(taken + hit.at, 1, hit.len))
            continue;
        size_t end = hit.at + hit.len;
        if (v->attrs[hit.id] & ATTR_RSTRIP)
            while (end < text.len && !taken[end] && is_blank(text.ptr[end]))
                end++;
        if (v->attrs[hit.id] & ATTR_LSTRIP)
            while (hit.at > 0 && !taken[hit.at - 1] && is_blank(text.ptr[hit.at - 1]))
                hit.at--;
        hit.len = (uint32_t)(end - hit.at);
        memset(taken + hit.at, 1, hit.len);
        h->items[n++] = hit;
    }
    h->n = n;
    qsort(h->items, n, sizeof *h->items, by_place);
    return true;
}

bool vocab_special_split(const struct vocab *v, struct str text, bool control, struct arena *arena,
                         struct part **out, size_t *n)
{
    struct hits hits = {.arena = arena};
    *n = 0;
    if (control || v->any_user)
        find_hits(v, text, control, &hits);
    if (hits.failed || (hits.n && !choose(v, text, &hits)))
        return false;
    struct part *parts = arena_array(arena, struct part, 2 * hits.n + 1);
    if (!parts)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < hits.n; i++) {
        if (hits.items[i].at > at)
            parts[(*n)++] = (struct part){NO_TOKEN, str_slice(text, at, hits.items[i].at)};
        parts[(*n)++] = (struct part){hits.items[i].id, STR_NONE};
        at = hits.items[i].at + hits.items[i].len;
    }
    if (at < text.len)
        parts[(*n)++] = (struct part){NO_TOKEN, str_from(text, at)};
    *out = parts;
    return true;
}
