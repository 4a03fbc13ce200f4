/* An edge's words to its centre: where it is, that it lives, that it ends. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/log.h"
#include "engine/engine.h"
#include "http/http.h"

#define CALL_MS          5000
#define RETRY_S          5
#define REFUSED_S        60 /* the token was taken back: a person has to do something */
#define MOST_ANSWER      ((size_t)64 << 10)
#define MOST_HEARTBEAT_S 3600

struct edge {
    struct arena *arena;
    const struct engine *engine;
    struct str url, advertise, name, bearer;
    const char *header; /* the token */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping, registered;
    int64_t heartbeat_s;
};

/* ---- calls ---- */

static void put_registration(const struct edge *edge, struct json_out *out)
{
    json_kv_str(out, "base_url", edge->advertise);
    json_kv_str(out, "name", edge->name);
    if (edge->bearer.len)
        json_kv_str(out, "token", edge->bearer);
    engine_describe(edge->engine, out);
}

/* POST url/api/edges/what; the status, or 0 when there was no answer. */
static int call(struct edge *edge, const char *what, struct json_out *body, struct arena *arena,
                const struct json **answer, struct why *why)
{
    const char *headers[] = {"Content-Type: application/json", edge->header};
    struct str url = str_printf(arena, "%.*s/api/edges/%s", STR_FMT(edge->url), what);
    struct http_call call = {.method = "POST",
                             .url = url.ptr,
                             .headers = headers,
                             .n_headers = 2,
                             .body = buf_str(body->buf),
                             .connect_ms = CALL_MS,
                             .total_ms = CALL_MS,
                             .most = MOST_ANSWER};
    struct http_answer got = {0};
    *answer = NULL;
    if (!url.ptr || body->buf->failed || http_fetch(&call, arena, &got, why))
        return 0;
    if (got.body.len && json_parse(got.body, arena, answer, NULL))
        *answer = NULL;
    return got.status;
}

/* Registers, beats or leaves; how many seconds to wait before the next word. */
static int64_t say(struct edge *edge, const char *what)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    const struct json *answer = NULL;
    struct why why = {0};
    struct json_out body;
    struct buf text;
    if (!arena)
        return RETRY_S;
    buf_init(&text, arena);
    json_out_init(&body, &text);
    json_begin_object(&body);
    if (strcmp(what, "register") == 0)
        put_registration(edge, &body);
    else
        engine_load(edge->engine, &body);
    json_end_object(&body);
    int status = call(edge, what, &body, arena, &answer, &why);
    int64_t beat = json_get_int(answer, "heartbeat_s", edge->heartbeat_s);
    arena_free(arena);
    edge->registered = status == 200;
    if (status == 200) {
        edge->heartbeat_s = beat < 1 ? 1 : beat > MOST_HEARTBEAT_S ? MOST_HEARTBEAT_S : beat;
        return edge->heartbeat_s;
    }
    LOG_WARN("the centre did not take the edge's word", LOG_S("word", what),
             LOG_I("status", status), LOG_WHY(&why));
    return status == 401 || status == 403 ? REFUSED_S : RETRY_S;
}

/* ---- the thread ---- */

static bool wait_s(struct edge *edge, int64_t seconds)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&edge->lock);
    while (!edge->stopping && pthread_cond_timedwait(&edge->changed, &edge->lock, &until) == 0)
        ;
    bool go_on = !edge->stopping;
    pthread_mutex_unlock(&edge->lock);
    return go_on;
}

static void *run_edge(void *ctx)
{
    struct edge *edge = ctx;
    int64_t pause = 0;
    while (wait_s(edge, pause))
        pause = say(edge, edge->registered ? "heartbeat" : "register");
    if (edge->registered)
        (void)say(edge, "leave");
    return NULL;
}

/* ---- start and stop ---- */

static bool is_line(const char *text)
{
    return text && text[0] && !strpbrk(text, "\r\n");
}

enum err edge_start(const struct edge_opts *opts, const struct engine *engine, struct edge **out,
                    struct why *why)
{
    pthread_condattr_t clock;
    if (!is_line(opts->url) || !is_line(opts->token) || !is_line(opts->advertise) ||
        !is_line(opts->name))
        return err_set(why, ERR_INVALID,
                       "an edge needs the centre's address, its token, a name and "
                       "the address where it is reached");
    struct arena *arena = arena_new((size_t)64 << 10);
    struct edge *edge = arena ? arena_one(arena, struct edge) : NULL;
    if (!edge) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not hold the edge");
    }
    struct str url = str_copy(arena, str_c(opts->url));
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    *edge = (struct edge){.arena = arena, .engine = engine, .url = url, .heartbeat_s = 10};
    edge->advertise = str_copy(arena, str_c(opts->advertise));
    edge->name = str_copy(arena, str_c(opts->name));
    edge->bearer = opts->bearer ? str_copy(arena, str_c(opts->bearer)) : STR("");
    edge->header = str_printf(arena, "X-Yicheng-Edge: %s", opts->token).ptr;
    (void)pthread_mutex_init(&edge->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&edge->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
    if (!edge->header || !edge->name.ptr || !edge->advertise.ptr || !url.ptr ||
        pthread_create(&edge->thread, NULL, run_edge, edge) != 0) {
        arena_free(arena);
        return err_set(why, ERR_NO_MEMORY, "could not start the edge");
    }
    *out = edge;
    return ERR_OK;
}

void edge_stop(struct edge *edge)
{
    if (!edge)
        return;
    pthread_mutex_lock(&edge->lock);
    edge->stopping = true;
    pthread_cond_signal(&edge->changed);
    pthread_mutex_unlock(&edge->lock);
    (void)pthread_join(edge->thread, NULL);
    (void)pthread_cond_destroy(&edge->changed);
    (void)pthread_mutex_destroy(&edge->lock);
    arena_free(edge->arena);
}
