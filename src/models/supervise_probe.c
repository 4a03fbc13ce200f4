/* How the engines are: the prober asks them, on a thread of its own. */
#include <stdio.h>
#include <string.h>

#include "core/time.h"
#include "http/http.h"
#include "models/supervise_in.h"

static bool probe(const struct supervisor *x, int port, int64_t *busy, int64_t *requests)
{
    char url[64];
    (void)x;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/health", port);
    struct arena *arena = arena_new(256u << 10);
    const struct json *json = NULL;
    struct http_answer a = {0};
    struct http_call call = {
        .method = "GET", .url = url, .connect_ms = 1000, .total_ms = 3000, .most = 64u << 10};
    bool ok = arena && http_fetch(&call, arena, &a, NULL) == ERR_OK && a.status > 0;
    if (ok && json_parse(a.body, arena, &json, NULL) == ERR_OK) {
        *busy = json_get_int(json, "busy", 0) + json_get_int(json, "queued", 0);
        *requests = json_get_int(json, "requests", 0);
    }
    arena_free(arena);
    return ok;
}

static struct engine *due(struct supervisor *x)
{
    int64_t now = time_now_ms();
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (!e->used || (e->phase != READY && e->phase != DRAINING) || !e->port)
            continue;
        int64_t every = e->phase == DRAINING || e->misses ? 100 : x->health_ms;
        if (now - e->asked_ms >= every || (e->phase == READY && state_look(x->models, e->id)))
            return e;
    }
    return NULL;
}

void *probe_run(void *arg)
{
    struct supervisor *x = arg;
    (void)pthread_mutex_lock(&x->lock);
    while (!x->probing_ends) {
        struct engine *e = due(x);
        if (!e) {
            (void)pthread_mutex_unlock(&x->lock);
            time_sleep_ms(50);
            (void)pthread_mutex_lock(&x->lock);
            continue;
        }
        char id[UUID_TEXT];
        int port = e->port;
        int64_t busy = 0, requests = 0;
        memcpy(id, e->id, sizeof id);
        (void)pthread_mutex_unlock(&x->lock);
        bool ok = probe(x, port, &busy, &requests);
        (void)pthread_mutex_lock(&x->lock);
        for (size_t i = 0; i < MOST_ENGINES; i++) {
            e = &x->engines[i];
            if (!e->used || strcmp(e->id, id) != 0)
                continue;
            e->asked_ms = time_now_ms();
            e->misses = ok ? 0 : e->misses + 1;
            if (!ok)
                continue;
            if (busy > 0 || requests != e->requests)
                e->active_ms = e->asked_ms;
            e->busy = busy;
            e->requests = requests;
        }
    }
    (void)pthread_mutex_unlock(&x->lock);
    return NULL;
}
