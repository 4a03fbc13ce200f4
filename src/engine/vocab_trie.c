/* All tokens that begin at a place: a trie whose edges lie in one hash table. */
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "engine/vocab_in.h"

/* An edge is (node << 8 | byte) << 32 | child, with child > 0: an empty slot is 0. */
static uint64_t *slot_of(const struct trie *t, uint32_t node, uint8_t byte)
{
    uint64_t key = (uint64_t)node << 8 | byte;
    uint64_t hash = (key ^ t->seed) * 0x9E3779B97F4A7C15u;
    for (size_t at = (hash >> 32) & t->mask;; at = (at + 1) & t->mask)
        if (!t->edges[at] || t->edges[at] >> 32 == key)
            return &t->edges[at];
}

bool vocab_trie_init(struct trie *t, struct arena *arena, size_t most_nodes)
{
    size_t slots = 16;
    while (slots < most_nodes + most_nodes / 2)
        slots *= 2;
    *t = (struct trie){.mask = slots - 1, .n = 1};
    t->edges = arena_array(arena, uint64_t, slots);
    t->ids = arena_array(arena, int32_t, most_nodes + 1);
    random_bytes(&t->seed, sizeof t->seed);
    if (!t->edges || !t->ids)
        return false;
    t->ids[0] = NO_TOKEN;
    return true;
}

void vocab_trie_put(struct trie *t, struct str s, int32_t id)
{
    uint32_t node = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint64_t *slot = slot_of(t, node, (uint8_t)s.ptr[i]);
        if (!*slot) {
            t->ids[t->n] = NO_TOKEN;
            *slot = ((uint64_t)node << 8 | (uint8_t)s.ptr[i]) << 32 | t->n++;
        }
        node = (uint32_t)*slot;
    }
    t->ids[node] = id;
}

bool vocab_trie_fit(struct trie *t, struct arena *arena)
{
    struct trie small;
    if (!vocab_trie_init(&small, arena, t->n))
        return false;
    for (size_t i = 0; i <= t->mask; i++)
        if (t->edges[i])
            *slot_of(&small, (uint32_t)(t->edges[i] >> 40), (uint8_t)(t->edges[i] >> 32)) =
                t->edges[i];
    memcpy(small.ids, t->ids, t->n * sizeof *t->ids);
    small.n = t->n;
    *t = small;
    return true;
}

uint32_t vocab_trie_next(const struct trie *t, uint32_t node, uint8_t byte)
{
    return (uint32_t)*slot_of(t, node, byte);
}
