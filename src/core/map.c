#include "core/map.h"

#include <assert.h>
#include <pthread.h>

#include "core/arena.h"
#include "core/hash.h"

static uint64_t seed;

static void make_seed(void)
{
    random_bytes(&seed, sizeof seed);
}

void map_init(struct map *map, struct arena *arena)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_seed);
    *map = (struct map){.arena = arena};
}

/* The place of the key, or the empty place where it would stand. Needs a table with a free place.
 */
static struct map_entry *place(struct map_entry *entries, size_t cap, struct str key)
{
    size_t at = (size_t)hash64(key.ptr, key.len, seed) & (cap - 1);
    while (entries[at].key.ptr && !str_eq(entries[at].key, key))
        at = (at + 1) & (cap - 1);
    return &entries[at];
}

struct map_entry *map_find(const struct map *map, struct str key)
{
    if (!map->cap)
        return NULL;
    struct map_entry *entry = place(map->entries, map->cap, key);
    return entry->key.ptr ? entry : NULL;
}

static bool grow(struct map *map)
{
    size_t cap = map->cap ? map->cap * 2 : 16;
    struct map_entry *entries = arena_array(map->arena, struct map_entry, cap);
    if (!entries)
        return false;
    for (size_t i = 0; i < map->cap; i++)
        if (map->entries[i].key.ptr)
            *place(entries, cap, map->entries[i].key) = map->entries[i];
    map->entries = entries;
    map->cap = cap;
    return true;
}

struct map_entry *map_put(struct map *map, struct str key, bool *made)
{
    if (made)
        *made = false;
    if (!key.ptr)
        key.ptr = "";
    struct map_entry *entry = map->cap ? place(map->entries, map->cap, key) : NULL;
    if (entry && entry->key.ptr)
        return entry;
    if ((map->n + 1) * 4 > map->cap * 3) {
        if (!grow(map))
            return NULL;
        entry = place(map->entries, map->cap, key);
    }
    assert(entry); /* an empty map has grown */
    entry->key = key;
    entry->value.u = 0;
    map->n++;
    if (made)
        *made = true;
    return entry;
}

struct map_entry *map_each(const struct map *map, size_t *at)
{
    while (*at < map->cap) {
        struct map_entry *entry = &map->entries[(*at)++];
        if (entry->key.ptr)
            return entry;
    }
    return NULL;
}
