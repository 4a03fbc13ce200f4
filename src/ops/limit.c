#include "ops/limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/hash.h"

#define SETS 4096
#define WAYS 8
#define UNIT 60000 /* a token in parts: one part is a millisecond at one token a minute */

struct bucket {
    uint64_t key;  /* 0: never used */
    int64_t parts; /* tokens * UNIT */
    int64_t at_ms;
    int64_t missed;
};

struct limiter {
    pthread_mutex_t lock;
    uint64_t seed; /* so that nobody can prepare keys that meet in one set */
    struct bucket buckets[SETS][WAYS];
};

struct limiter *limiter_new(void)
{
    struct limiter *limiter = calloc(1, sizeof *limiter);
    if (!limiter)
        return NULL;
    if (pthread_mutex_init(&limiter->lock, NULL) != 0) {
        free(limiter);
        return NULL;
    }
    random_bytes(&limiter->seed, sizeof limiter->seed);
    return limiter;
}

void limiter_free(struct limiter *limiter)
{
    if (!limiter)
        return;
    (void)pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

static uint64_t key_of(const struct limiter *limiter, const char *kind, struct str key)
{
    struct str k = str_c(kind);
    uint64_t h = hash64(key.ptr, key.len, hash64(k.ptr, k.len, limiter->seed));
    return h ? h : 1;
}

/* The bucket, or the one that was touched longest ago in its set. */
static struct bucket *place(struct limiter *limiter, uint64_t key)
{
    struct bucket *set = limiter->buckets[key % SETS];
    struct bucket *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].at_ms < oldest->at_ms)
            oldest = &set[i];
    }
    return oldest;
}

int64_t limiter_take(struct limiter *limiter, const char *kind, struct str key, int64_t per_minute,
                     int64_t burst, int64_t n, int64_t now_ms)
{
    uint64_t k = key_of(limiter, kind, key);
    int64_t full = burst * UNIT;
    int64_t need = (n > 0 ? n : 1) * UNIT;
    int64_t wait = 0;
    (void)pthread_mutex_lock(&limiter->lock);
    struct bucket *b = place(limiter, k);
    if (b->key != k)
        *b = (struct bucket){k, full, now_ms, 0};
    int64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    if (passed > full / per_minute) /* before the product, which could overflow */
        b->parts = full;
    else
        b->parts += passed * per_minute;
    if (b->parts > full)
        b->parts = full;
    b->at_ms = now_ms;
    if (b->parts >= need) {
        b->parts -= n * UNIT;
    } else {
        wait = (need - b->parts + per_minute - 1) / per_minute;
        b->missed += n > 0;
    }
    (void)pthread_mutex_unlock(&limiter->lock);
    return wait;
}

int64_t limiter_missed(struct limiter *limiter, const char *kind, struct str key)
{
    uint64_t k = key_of(limiter, kind, key);
    (void)pthread_mutex_lock(&limiter->lock);
    struct bucket *b = place(limiter, k);
    int64_t missed = b->key == k ? b->missed : 0;
    if (b->key == k)
        b->missed = 0;
    (void)pthread_mutex_unlock(&limiter->lock);
    return missed;
}
