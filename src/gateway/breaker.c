#include "gateway/breaker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "core/log.h"

#define N_BUCKETS 512

struct breaker {
    struct breaker *next;
    uint32_t past;   /* a bit for each of the last calls, 1: failed */
    unsigned n_past; /* of them known */
    unsigned in_row; /* failures */
    bool open, probing;
    int64_t until_ms, pause_ms;
    size_t id_len;
    char id[];
};

struct breakers {
    pthread_mutex_t lock;
    struct breaker *buckets[N_BUCKETS];
};

struct breakers *breakers_new(void)
{
    struct breakers *breakers = calloc(1, sizeof *breakers);
    if (breakers)
        pthread_mutex_init(&breakers->lock, NULL);
    return breakers;
}

void breakers_free(struct breakers *breakers)
{
    if (!breakers)
        return;
    for (size_t i = 0; i < N_BUCKETS; i++)
        for (struct breaker *b = breakers->buckets[i], *next; b; b = next) {
            next = b->next;
            free(b);
        }
    pthread_mutex_destroy(&breakers->lock);
    free(breakers);
}

/* With the lock held. NULL when it is not there, or without memory. */
static struct breaker *find(struct breakers *breakers, struct str id, bool make)
{
    struct breaker **at = &breakers->buckets[hash64(id.ptr, id.len, 0) % N_BUCKETS];
    for (; *at; at = &(*at)->next)
        if ((*at)->id_len == id.len && memcmp((*at)->id, id.ptr, id.len) == 0)
            return *at;
    if (!make || !(*at = calloc(1, sizeof **at + id.len)))
        return NULL;
    (*at)->id_len = id.len;
    if (id.len)
        memcpy((*at)->id, id.ptr, id.len);
    return *at;
}

bool breaker_allows(struct breakers *breakers, struct str id, int64_t now_ms)
{
    pthread_mutex_lock(&breakers->lock);
    struct breaker *b = find(breakers, id, false);
    bool ok = !b || !b->open;
    if (!ok && !b->probing && now_ms >= b->until_ms)
        ok = b->probing = true;
    pthread_mutex_unlock(&breakers->lock);
    return ok;
}

static void open_it(struct breaker *b, int64_t now_ms)
{
    b->pause_ms = b->open ? b->pause_ms * 2 : BREAKER_FIRST_MS;
    if (b->pause_ms > BREAKER_MOST_MS)
        b->pause_ms = BREAKER_MOST_MS;
    b->open = true;
    b->until_ms = now_ms + b->pause_ms;
    LOG_WARN("an upstream is left alone", LOG_STR("target", ((struct str){b->id, b->id_len})),
             LOG_I("failures", b->in_row), LOG_I("ms", b->pause_ms));
}

static unsigned count_ones(uint32_t x)
{
    unsigned n = 0;
    for (; x; x &= x - 1)
        n++;
    return n;
}

static void note(struct breaker *b, bool ok, int64_t now_ms)
{
    b->past = (b->past << 1 | !ok) & ((1u << BREAKER_WINDOW) - 1);
    b->n_past += b->n_past < BREAKER_WINDOW;
    b->in_row = ok ? 0 : b->in_row + 1;
    if (b->open) {
        if (!b->probing)
            return; /* a call from before it opened */
        b->probing = false;
        if (!ok) {
            open_it(b, now_ms);
        } else {
            b->open = false;
            b->past = 0;
            b->n_past = 0;
        }
    } else if (!ok &&
               (b->in_row >= BREAKER_FAILURES ||
                (b->n_past == BREAKER_WINDOW && count_ones(b->past) * 2 >= BREAKER_WINDOW))) {
        open_it(b, now_ms);
    }
}

void breaker_tell(struct breakers *breakers, struct str id, bool ok, int64_t now_ms)
{
    pthread_mutex_lock(&breakers->lock);
    struct breaker *b = find(breakers, id, !ok);
    if (b)
        note(b, ok, now_ms);
    pthread_mutex_unlock(&breakers->lock);
}

void breaker_forget(struct breakers *breakers, struct str id)
{
    pthread_mutex_lock(&breakers->lock);
    struct breaker *b = find(breakers, id, false);
    if (b)
        b->probing = false;
    pthread_mutex_unlock(&breakers->lock);
}

int64_t breaker_wait_ms(struct breakers *breakers, struct str id, int64_t now_ms)
{
    pthread_mutex_lock(&breakers->lock);
    struct breaker *b = find(breakers, id, false);
    int64_t ms = b && b->open && b->until_ms > now_ms ? b->until_ms - now_ms : 0;
    pthread_mutex_unlock(&breakers->lock);
    return ms;
}

enum breaker_state breaker_state(struct breakers *breakers, struct str id, int64_t now_ms)
{
    pthread_mutex_lock(&breakers->lock);
    struct breaker *b = find(breakers, id, false);
    enum breaker_state state = !b || !b->open         ? BREAKER_CLOSED
                               : now_ms < b->until_ms ? BREAKER_OPEN
                                                      : BREAKER_HALF_OPEN;
    pthread_mutex_unlock(&breakers->lock);
    return state;
}
