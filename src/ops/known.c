/* Keys that were checked a moment ago: what a key may do is asked of the store once a second at
 * most, and again after every act of this process, so that a key that was revoked here opens
 * nothing more and one that was revoked by another process nothing after a second. A key that
 * expires does so at its time. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "ops/ops_in.h"

#define N_PLACES 4096
#define N_FIELDS 7
#define FRESH_NS 1000000000LL

struct known { /* one checked key; its strings follow */
    uint8_t digest[HASH_BYTES];
    uint64_t act; /* the last act it was checked after */
    int64_t until_ns, per_minute;
    struct ops_identity who;
    char bytes[];
};

struct known_keys {
    pthread_mutex_t lock;
    uint64_t act;
    struct known *places[N_PLACES]; /* by the digest; the last one stays */
};

struct known_keys *known_new(void)
{
    struct known_keys *keys = calloc(1, sizeof *keys);
    if (keys)
        (void)pthread_mutex_init(&keys->lock, NULL);
    return keys;
}

void known_free(struct known_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < N_PLACES; i++)
        free(keys->places[i]);
    (void)pthread_mutex_destroy(&keys->lock);
    free(keys);
}

static struct known **place(struct known_keys *keys, const uint8_t digest[HASH_BYTES])
{
    uint32_t first;
    memcpy(&first, digest, sizeof first);
    return &keys->places[first % N_PLACES];
}

static void fields_of(struct ops_identity *who, struct str *out[N_FIELDS])
{
    struct str *fields[N_FIELDS] = {&who->kind,   &who->id,         &who->user, &who->name,
                                    &who->tenant, &who->department, &who->bases};
    memcpy(out, fields, sizeof fields);
}

uint64_t known_now(struct known_keys *keys)
{
    (void)pthread_mutex_lock(&keys->lock);
    uint64_t act = keys->act;
    (void)pthread_mutex_unlock(&keys->lock);
    return act;
}

void known_forget(struct known_keys *keys)
{
    if (!keys)
        return;
    (void)pthread_mutex_lock(&keys->lock);
    keys->act++;
    (void)pthread_mutex_unlock(&keys->lock);
}

bool known_find(struct known_keys *keys, const uint8_t digest[HASH_BYTES], struct arena *arena,
                struct ops_identity *out, int64_t *per_minute)
{
    struct str *fields[N_FIELDS];
    int64_t now = time_mono_ns();
    (void)pthread_mutex_lock(&keys->lock);
    const struct known *known = *place(keys, digest);
    bool found = known && memcmp(known->digest, digest, HASH_BYTES) == 0 &&
                 known->act == keys->act && now < known->until_ns;
    if (found) {
        *out = known->who;
        *per_minute = known->per_minute;
        fields_of(out, fields);
        for (size_t i = 0; found && i < N_FIELDS; i++) {
            *fields[i] = str_copy(arena, *fields[i]);
            found = fields[i]->ptr != NULL;
        }
    }
    (void)pthread_mutex_unlock(&keys->lock);
    return found;
}

void known_put(struct known_keys *keys, const uint8_t digest[HASH_BYTES], uint64_t act,
               const struct ops_identity *who, int64_t per_minute, int64_t left_ms)
{
    struct ops_identity copy = *who;
    int64_t left_ns = left_ms < FRESH_NS / 1000000 ? left_ms * 1000000 : FRESH_NS;
    struct str *fields[N_FIELDS];
    size_t total = 0;
    fields_of(&copy, fields);
    for (size_t i = 0; i < N_FIELDS; i++)
        total += fields[i]->len;
    struct known *known = malloc(sizeof *known + total);
    if (!known)
        return;
    char *at = known->bytes;
    for (size_t i = 0; i < N_FIELDS; i++) {
        if (fields[i]->len)
            memcpy(at, fields[i]->ptr, fields[i]->len);
        fields[i]->ptr = at;
        at += fields[i]->len;
    }
    known->who = copy;
    known->act = act;
    known->until_ns = time_mono_ns() + left_ns;
    known->per_minute = per_minute;
    memcpy(known->digest, digest, HASH_BYTES);
    (void)pthread_mutex_lock(&keys->lock);
    struct known **old = place(keys, digest);
    struct known *gone = *old;
    *old = known;
    (void)pthread_mutex_unlock(&keys->lock);
    free(gone);
}
