/* The engine: the model, the child for templates, the server, opened and closed in turn. */
#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/time.h"
#include "engine/serve.h"

#define ROOM          ((size_t)16 << 20)
#define MOST_TEMPLATE ((size_t)1 << 20)
#define MOST_SETS     16
#define LAST_BYTES_MS 2000 /* for what was answered to reach the callers */

/* ---- the chat template ---- */

static enum err token_text(const struct run *run, int32_t id, struct arena *arena, struct str *out,
                           struct why *why)
{
    *out = STR("");
    return id < 0 ? ERR_OK : run_piece(run, id, true, arena, out, why);
}

/* A model without a template of its own speaks ChatML, as llama.cpp has it. */
static enum err open_chat(struct engine *engine, const char *path, struct why *why)
{
    const struct run_info *info = run_info(engine->run);
    struct chat_source source = {.template_text = info->chat_template,
                                 .tool_template = info->tool_template};
    enum err err = token_text(engine->run, info->bos, engine->arena, &source.bos, why);
    if (!err)
        err = token_text(engine->run, info->eos, engine->arena, &source.eos, why);
    if (!err && path) {
        source.tool_template = STR("");
        err = file_read(path, MOST_TEMPLATE, engine->arena, &source.template_text, why);
    }
    engine->bos = source.bos;
    return err ? err : guard_open(engine->guard, &source, why);
}

static enum err start_chat(struct engine *engine, const char *path, struct why *why)
{
    struct why words = {0};
    if (run_info(engine->run)->kind != RUN_GENERATE) {
        engine->chat_words = "this model does not write text";
        return ERR_OK;
    }
    enum err err = open_chat(engine, path, path ? why : &words);
    if (!err || path)
        return err;
    struct str kept = str_printf(engine->arena, "this model cannot chat: %s", words.text);
    engine->chat_words = kept.ptr ? kept.ptr : "this model cannot chat";
    LOG_WARN("no chat", LOG_WHY(&words));
    return ERR_OK;
}

/* ---- the server ---- */

struct sets {
    const char *items[MOST_SETS];
    size_t n;
    struct arena *arena;
};

static void set(struct sets *sets, const char *key, const char *value)
{
    struct str s = str_printf(sets->arena, "%s=%s", key, value);
    if (s.ptr && sets->n < MOST_SETS)
        sets->items[sets->n++] = s.ptr;
}

static void set_number(struct sets *sets, const char *key, long long value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", value);
    set(sets, key, text);
}

/*
 * The engine's callers are few and its own: no limit an address, and as many streams and requests
 * as its queue takes. Keys that the environment sets for the centre (its port, its certificate) are
 * not the engine's.
 */
static enum err make_conf(const struct engine *engine, const struct engine_opts *opts,
                          const struct conf **out, struct why *why)
{
    const struct run_info *info = run_info(engine->run);
    struct sets sets = {.arena = engine->arena};
    long long most = (long long)info->slots + (opts->run.queue ? opts->run.queue : 256) + 64;
    set(&sets, "http.listen", opts->listen ? opts->listen : "127.0.0.1");
    set_number(&sets, "http.port", opts->port);
    set(&sets, "http.tls_certificate", "");
    set(&sets, "http.tls_key", "");
    set(&sets, "http.trusted_proxies", "");
    set_number(&sets, "http.event_threads", 1);
    set_number(&sets, "http.workers", 4);
    set_number(&sets, "http.stream_workers", 2);
    set_number(&sets, "http.waiting", most);
    set_number(&sets, "http.streams", most);
    set_number(&sets, "http.connections", most * 2 + 256);
    set_number(&sets, "http.connections_per_address", most * 2 + 256);
    set(&sets, "http.access_log", "false");
    return conf_load(&http_conf, 1, NULL, sets.items, sets.n, engine->arena, out, why);
}

static enum err start_server(struct engine *engine, const struct engine_opts *opts, struct why *why)
{
    const struct conf *conf = NULL;
    enum err err = make_conf(engine, opts, &conf, why);
    if (err)
        return err;
    struct http_opts http = {.conf = conf,
                             .tables = &engine->table,
                             .n_tables = 1,
                             .authorize = engine_authorize,
                             .authorize_ctx = engine};
    return http_start(&http, &engine->server, why);
}

/* Requests under way are bounded by the run's queue and the server's own; the finisher's queue
 * holds them all, so that the decode loop never waits for it. */
static enum err start_finisher(struct engine *engine, const struct engine_opts *opts,
                               struct why *why)
{
    const struct run_info *info = run_info(engine->run);
    engine->finished = queue_new(info->slots + (opts->run.queue ? opts->run.queue : 256) + 1024u);
    if (!engine->finished || pthread_create(&engine->finisher, NULL, live_finisher, engine) != 0)
        return err_set(why, ERR_NO_MEMORY, "could not start the engine's threads");
    engine->finishing = true;
    return ERR_OK;
}

/* ---- open and close ---- */

static enum err copy_names(struct engine *engine, const struct engine_opts *opts, struct why *why)
{
    const struct run_info *info = run_info(engine->run);
    engine->alias = opts->alias ? str_copy(engine->arena, str_c(opts->alias))
                                : str_copy(engine->arena, info->name);
    engine->token = opts->token ? str_copy(engine->arena, str_c(opts->token)).ptr : NULL;
    engine->started = time_now_ms() / 1000;
    if (!engine->alias.ptr || (opts->token && !engine->token))
        return err_set(why, ERR_NO_MEMORY, "could not hold the engine");
    return ERR_OK;
}

enum err engine_open(const struct engine_opts *opts, struct engine **out, struct why *why)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (!engine || !(engine->arena = arena_new(ROOM))) {
        free(engine);
        return err_set(why, ERR_NO_MEMORY, "could not hold the engine");
    }
    enum err err = guard_start(NULL, &engine->guard, why); /* it forks: before any thread */
    if (!err)
        err = run_open(&opts->run, &engine->run, why);
    if (!err)
        err = copy_names(engine, opts, why);
    if (!err)
        err = start_chat(engine, opts->template_path, why);
    if (!err)
        err = engine_routes(engine, why);
    if (!err)
        err = start_finisher(engine, opts, why);
    if (!err)
        err = start_server(engine, opts, why);
    if (err) {
        engine_close(engine, 0);
        return err;
    }
    *out = engine;
    return ERR_OK;
}

void engine_drain(struct engine *engine)
{
    atomic_store(&engine->draining, true);
}

/* The server would end streams at once when it stops; here they are what is waited for. */
static void wait_for_answers(struct engine *engine, int64_t wait_ms)
{
    int64_t until = time_mono_ns() + wait_ms * 1000000;
    while (atomic_load(&engine->n_live) && time_mono_ns() < until)
        time_sleep_ms(20);
}

void engine_close(struct engine *engine, int64_t wait_ms)
{
    if (!engine)
        return;
    engine_drain(engine);
    wait_for_answers(engine, wait_ms);
    http_stop(engine->server, LAST_BYTES_MS);
    if (engine->finished)
        queue_close(engine->finished);
    if (engine->finishing)
        (void)pthread_join(engine->finisher, NULL);
    run_close(engine->run);
    guard_stop(engine->guard);
    queue_free(engine->finished);
    arena_free(engine->arena);
    free(engine);
}

/* ---- what it is ---- */

int engine_port(const struct engine *engine)
{
    return http_port(engine->server);
}

void engine_describe(const struct engine *engine, struct json_out *out)
{
    const struct run_info *info = run_info(engine->run);
    json_kv_int(out, "port", engine_port(engine));
    json_kv_int(out, "pid", getpid());
    json_kv_str(out, "model", engine->alias);
    json_kv_int(out, "context", info->context);
    json_kv_int(out, "slots", info->slots);
    json_kv_int(out, "threads", info->threads);
    json_kv_bool(out, "embedding", info->kind == RUN_EMBED);
    json_kv_bool(out, "rerank", info->kind == RUN_RERANK);
    json_kv_c(out, "version", YICHENG_VERSION);
}

void engine_load(const struct engine *engine, struct json_out *out)
{
    struct run_state state;
    run_state(engine->run, &state);
    json_kv_int(out, "busy", state.active);
    json_kv_int(out, "queued", state.waiting);
    json_kv_int(out, "requests", (int64_t)atomic_load(&engine->requests));
}
