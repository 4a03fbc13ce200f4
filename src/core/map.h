/*
 * core/map - a hash table from bytes to a 64-bit value or a pointer, in an arena.
 *
 * Open addressing; keys are borrowed (copy them into the arena first when they do not live as
 * long). No removal: tables here are built, used and dropped with their arena. Seeded per process,
 * so that hostile keys cannot be prepared to collide.
 */
#ifndef CORE_MAP_H
#define CORE_MAP_H

#include "core/str.h"

struct arena;

struct map_entry {
    struct str key; /* key.ptr NULL: an empty place */
    union {
        uint64_t u;
        int64_t i;
        void *p;
    } value;
};

struct map {
    struct arena *arena;
    struct map_entry *entries; /* cap of them */
    size_t cap;                /* 0 or a power of two */
    size_t n;
};

void map_init(struct map *map, struct arena *arena);
/* The entry, or NULL. Valid until the next map_put. */
struct map_entry *map_find(const struct map *map, struct str key);
/* The entry, made with value 0 when missing; NULL when memory ran out. *made may be NULL. */
struct map_entry *map_put(struct map *map, struct str key, bool *made);
/* Entries in table order: *at starts at 0; NULL at the end. */
struct map_entry *map_each(const struct map *map, size_t *at);

#endif
