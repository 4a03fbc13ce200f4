#include "gateway/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define N_BUCKETS 4096

struct entry {
    struct cached value;
    atomic_int refs; /* the table's, and one of each that holds it */
    uint8_t key[HASH_BYTES];
    int64_t until_ms;
    struct entry *next;          /* in its bucket */
    struct entry *newer, *older; /* by the last use */
    char bytes[];
};

struct cache {
    pthread_mutex_t lock;
    size_t most, bytes;
    struct entry *buckets[N_BUCKETS];
    struct entry *newest, *oldest;
};

struct cache *cache_new(size_t most_bytes)
{
    struct cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    cache->most = most_bytes;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

static void unref(struct entry *entry)
{
    if (atomic_fetch_sub(&entry->refs, 1) == 1)
        free(entry);
}

void cache_give(const struct cached *cached)
{
    if (cached)
        unref((struct entry *)(uintptr_t)cached); /* its first member */
}

static size_t size_of(const struct entry *entry)
{
    return sizeof *entry + entry->value.body.len + entry->value.served.len;
}

/* ---- with the lock held ---- */

static struct entry **place(struct cache *cache, const uint8_t key[HASH_BYTES])
{
    uint32_t first;
    memcpy(&first, key, sizeof first);
    struct entry **at = &cache->buckets[first % N_BUCKETS];
    while (*at && memcmp((*at)->key, key, HASH_BYTES) != 0)
        at = &(*at)->next;
    return at;
}

static void unlink_use(struct cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_use(struct cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void throw_out(struct cache *cache, struct entry **at)
{
    struct entry *entry = *at;
    assert(entry);
    *at = entry->next;
    unlink_use(cache, entry);
    cache->bytes -= size_of(entry);
    unref(entry);
}

/* ---- */

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    while (cache->oldest)
        throw_out(cache, place(cache, cache->oldest->key));
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

const struct cached *cache_take(struct cache *cache, const uint8_t key[HASH_BYTES], int64_t now_ms)
{
    struct entry *found = NULL;
    pthread_mutex_lock(&cache->lock);
    struct entry **at = place(cache, key);
    if (*at && (*at)->until_ms <= now_ms) {
        throw_out(cache, at);
    } else if (*at) {
        found = *at;
        atomic_fetch_add(&found->refs, 1);
        unlink_use(cache, found);
        link_use(cache, found);
    }
    pthread_mutex_unlock(&cache->lock);
    return found ? &found->value : NULL;
}

void cache_put(struct cache *cache, const uint8_t key[HASH_BYTES], const struct cached *value,
               int64_t until_ms)
{
    size_t len = value->body.len, n_served = value->served.len;
    if (len > cache->most / 8)
        return;
    struct entry *entry = calloc(1, sizeof *entry + len + n_served);
    if (!entry)
        return;
    entry->value = *value;
    entry->value.body = (struct str){entry->bytes, len};
    if (len)
        memcpy(entry->bytes, value->body.ptr, len);
    entry->value.served = (struct str){entry->bytes + len, n_served};
    if (n_served)
        memcpy(entry->bytes + len, value->served.ptr, n_served);
    memcpy(entry->key, key, HASH_BYTES);
    entry->until_ms = until_ms;
    atomic_store(&entry->refs, 1);
    pthread_mutex_lock(&cache->lock);
    struct entry **at = place(cache, key);
    if (*at)
        throw_out(cache, at);
    at = place(cache, key);
    entry->next = *at;
    *at = entry;
    link_use(cache, entry);
    cache->bytes += size_of(entry);
    while (cache->bytes > cache->most && cache->oldest)
        throw_out(cache, place(cache, cache->oldest->key));
    pthread_mutex_unlock(&cache->lock);
}

size_t cache_bytes(struct cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    size_t bytes = cache->bytes;
    pthread_mutex_unlock(&cache->lock);
    return bytes;
}
