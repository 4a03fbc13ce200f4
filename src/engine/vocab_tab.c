/* Strings to numbers, pairs inside tokens, and the list of ids that grows. */
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "engine/vocab_in.h"

#define UPPER 0xFFFFFFFF00000000u

bool vocab_strtab_init(struct strtab *tab, struct arena *arena, size_t cap)
{
    size_t slots = 16;
    while (slots < cap * 2)
        slots *= 2;
    *tab = (struct strtab){.cap = cap, .mask = slots - 1};
    tab->items = arena_array(arena, struct str, cap + 1);
    tab->slots = arena_array(arena, uint64_t, slots);
    random_bytes(&tab->seed, sizeof tab->seed);
    return tab->items && tab->slots;
}

/* The slot of s, or the empty one where it would be. */
static uint64_t *slot_of(const struct strtab *tab, struct str s, uint64_t hash)
{
    for (size_t at = hash & tab->mask;; at = (at + 1) & tab->mask) {
        uint64_t slot = tab->slots[at];
        if (!slot)
            return &tab->slots[at];
        if ((slot & UPPER) != (hash & UPPER))
            continue;
        struct str item = tab->items[(uint32_t)slot - 1];
        if (item.len == s.len && memcmp(item.ptr, s.ptr, s.len) == 0)
            return &tab->slots[at];
    }
}

int32_t vocab_strtab_find(const struct strtab *tab, struct str s)
{
    if (!s.len)
        return NO_TOKEN;
    uint64_t slot = *slot_of(tab, s, hash64(s.ptr, s.len, tab->seed));
    return slot ? (int32_t)((uint32_t)slot - 1) : NO_TOKEN;
}

bool vocab_strtab_put_at(struct strtab *tab, struct str s, size_t i)
{
    uint64_t hash = hash64(s.ptr, s.len, tab->seed), *slot = slot_of(tab, s, hash);
    if (*slot)
        return false;
    tab->items[i] = s;
    *slot = (hash & UPPER) | (i + 1);
    if (i >= tab->n)
        tab->n = i + 1;
    return true;
}

/* Twice the room; the numbers stay. */
static bool grow(struct strtab *tab, struct arena *arena)
{
    struct strtab bigger;
    if (!vocab_strtab_init(&bigger, arena, tab->cap * 2))
        return false;
    for (size_t i = 0; i < tab->n; i++)
        if (tab->items[i].ptr)
            (void)vocab_strtab_put_at(&bigger, tab->items[i], i);
    bigger.n = tab->n;
    *tab = bigger;
    return true;
}

int32_t vocab_strtab_put(struct strtab *tab, struct arena *arena, struct str s, bool *made)
{
    int32_t found = vocab_strtab_find(tab, s);
    *made = found == NO_TOKEN;
    if (!*made)
        return found;
    if (tab->n >= tab->cap && !grow(tab, arena)) {
        *made = false;
        return NO_TOKEN;
    }
    size_t i = tab->n;
    (void)vocab_strtab_put_at(tab, s, i);
    return (int32_t)i;
}

void vocab_out_add(struct out *out, int32_t id)
{
    if (out->n == out->cap) {
        size_t cap = out->cap ? out->cap * 2 : 64;
        int32_t *ids = arena_grow(out->arena, out->ids, out->cap * sizeof *ids, cap * sizeof *ids);
        if (!ids) {
            out->failed = true;
            return;
        }
        out->ids = ids;
        out->cap = cap;
    }
    out->ids[out->n++] = id;
}

size_t vocab_lead_bytes(uint8_t c)
{
    return c < 0xC0 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

struct str vocab_escape(struct str text, struct arena *arena)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ' ';
    if (!n)
        return text;
    char *to = arena_bytes(arena, text.len + 2 * n);
    if (!to)
        return STR_NONE;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ' ')
            at += vocab_put_blank(to + at);
        else
            to[at++] = text.ptr[i];
    }
    return (struct str){to, at};
}
