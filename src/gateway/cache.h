/*
 * gateway/cache - answers kept for requests that are exactly alike.
 *
 * Place in the room: exchange -> [cache]. A key holds the tenant (ask_digest), so no tenant sees
 * another's. Bound by bytes; what was used longest ago goes first. From any thread.
 */
#ifndef GATEWAY_CACHE_H
#define GATEWAY_CACHE_H

#include "core/hash.h"

struct cache;
struct cached {                 /* immutable while it is held */
    struct str body;            /* an answer, or the events of a stream as they came */
    struct str served;          /* "model:version" that made it */
    int64_t prompt, completion; /* tokens it cost when it was made */
    bool stream, done, usage;   /* of a stream: it said [DONE]; its events tell usage */
};

struct cache *cache_new(size_t most_bytes); /* NULL without memory */
void cache_free(struct cache *cache);       /* nothing may be held */

/* NULL when there is none that is still fresh; else give it back with cache_give(). */
const struct cached *cache_take(struct cache *cache, const uint8_t key[HASH_BYTES], int64_t now_ms);
void cache_give(const struct cached *cached);
/* Copies; an answer larger than an eighth of the whole is not kept. */
void cache_put(struct cache *cache, const uint8_t key[HASH_BYTES], const struct cached *value,
               int64_t until_ms);
size_t cache_bytes(struct cache *cache);

#endif
