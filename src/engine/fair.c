/* Who is next: tokens served for each key. */
#include "engine/fair.h"

#include <assert.h>
#include <stdlib.h>

enum err fair_init(struct fair *f, size_t cap, struct why *why)
{
    *f = (struct fair){.keys = calloc(cap, sizeof *f->keys), .cap = cap};
    return f->keys ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not keep %zu keys", cap);
}

void fair_release(struct fair *f)
{
    free(f->keys);
    *f = (struct fair){0};
}

/* FNV-1a: two keys that collide share a turn, nothing worse. */
static uint64_t hash_of(struct str key)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 0x100000001B3u;
    return hash;
}

/* The key's place, else a new one, else that of the absent key that was served least: it loses the
 * least, for on its return it would be lifted anyway. */
static size_t place_of(struct fair *f, uint64_t hash)
{
    size_t absent = f->cap;
    for (size_t i = 0; i < f->n; i++) {
        if (f->keys[i].hash == hash)
            return i;
        if (f->keys[i].inside == 0 &&
            (absent == f->cap || f->keys[i].served < f->keys[absent].served))
            absent = i;
    }
    size_t place = f->n < f->cap ? f->n++ : absent;
    assert(place < f->cap);
    f->keys[place] = (struct fair_key){.hash = hash};
    return place;
}

size_t fair_enter(struct fair *f, struct str key)
{
    size_t place = place_of(f, hash_of(key));
    struct fair_key *k = &f->keys[place];
    if (k->inside++ == 0) {
        uint64_t least = UINT64_MAX;
        for (size_t i = 0; i < f->n; i++)
            if (i != place && f->keys[i].inside && f->keys[i].served < least)
                least = f->keys[i].served;
        if (least != UINT64_MAX && least > k->served)
            k->served = least;
    }
    return place;
}

void fair_leave(struct fair *f, size_t place)
{
    assert(f->keys[place].inside > 0);
    f->keys[place].inside--;
}

void fair_charge(struct fair *f, size_t place, uint64_t tokens)
{
    f->keys[place].served += tokens;
}

uint64_t fair_served(const struct fair *f, size_t place)
{
    return f->keys[place].served;
}
