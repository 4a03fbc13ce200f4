/* The gateway as a whole: its keys, its threads, the door for other rooms. */
#include "gateway/gateway_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/json.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/time.h"
#include "gateway/scan.h"

#define MEMORY       ((size_t)8 << 20)
#define MOST_COUNTED 100000

static const struct conf_key keys[] = {
    {"gateway.threads", CONF_INT, "2", 1, 16, NULL,
     "Threads for upstreams that are called over https or by name; others are on "
     "http.event_threads"},
    {"gateway.calls", CONF_INT, "10000", 1, 1000000, NULL, "Calls of upstreams at once"},
    {"gateway.attempts", CONF_INT, "3", 1, MOST_TRIED, NULL,
     "Targets that are tried for a call before its first byte, of each fallback anew"},
    {"gateway.queue", CONF_INT, "1000", 0, 1000000, NULL, "Calls that may wait for one model"},
    {"gateway.queue_time", CONF_DURATION, "60s", 100, INT64_MAX, NULL,
     "A call that waited longer for a place gets 503"},
    {"gateway.connect_time", CONF_DURATION, "5s", 10, INT64_MAX, NULL,
     "Time to connect to an upstream"},
    {"gateway.first_time", CONF_DURATION, "2m", 10, INT64_MAX, NULL,
     "Time to the first token of a stream"},
    {"gateway.between_time", CONF_DURATION, "1m", 10, INT64_MAX, NULL,
     "Time from one token of a stream to the next"},
    {"gateway.whole_time", CONF_DURATION, "10m", 10, INT64_MAX, NULL,
     "Time to an answer that is not streamed"},
    {"gateway.total_time", CONF_DURATION, "1h", 10, INT64_MAX, NULL, "Time of a call at most"},
    {"gateway.answer_size", CONF_BYTES, "32M", 1024, 1 << 30, NULL,
     "Most bytes of an answer that is not streamed"},
    {"gateway.cache_memory", CONF_BYTES, "64M", 0, INT64_MAX, NULL,
     "Memory for answers that are kept, where a model's alias says so"},
    {"gateway.log_sample", CONF_INT, "1000", 0, 1000, NULL,
     "Of a thousand calls that went well, so many are logged; the others always"},
    {"gateway.log_rate", CONF_INT, "500", 0, 1000000, NULL,
     "At most so many calls a second that went well are logged"},
    {"gateway.log_keep", CONF_DURATION, "30d", 0, INT64_MAX, NULL,
     "How long the request log is kept; 0s for ever"},
    {"gateway.log_bodies", CONF_CHOICE, "masked", 0, 0, "off|masked|full",
     "Whether the log holds requests and answers (4 KiB of each), personal data masked"},
};
const struct conf_table gateway_conf = {keys, sizeof keys / sizeof keys[0]};

static void read_limits(const struct conf *conf, struct limits *limits)
{
    const char *bodies = conf_str(conf, "gateway.log_bodies");
    *limits = (struct limits){.connect_ms = conf_int(conf, "gateway.connect_time"),
                              .first_ms = conf_int(conf, "gateway.first_time"),
                              .between_ms = conf_int(conf, "gateway.between_time"),
                              .whole_ms = conf_int(conf, "gateway.whole_time"),
                              .total_ms = conf_int(conf, "gateway.total_time"),
                              .queue_ms = conf_int(conf, "gateway.queue_time"),
                              .most_waiting = (size_t)conf_int(conf, "gateway.queue"),
                              .most_answer = (size_t)conf_int(conf, "gateway.answer_size"),
                              .n_threads = (size_t)conf_int(conf, "gateway.threads"),
                              .most_calls = (size_t)conf_int(conf, "gateway.calls"),
                              .attempts = (unsigned)conf_int(conf, "gateway.attempts"),
                              .log_keep_ms = conf_int(conf, "gateway.log_keep"),
                              .log_rate = conf_int(conf, "gateway.log_rate"),
                              .log_sample = (int)conf_int(conf, "gateway.log_sample"),
                              .log_bodies = strcmp(bodies, "off") == 0    ? LOG_BODIES_OFF
                                            : strcmp(bodies, "full") == 0 ? LOG_BODIES_FULL
                                                                          : LOG_BODIES_MASKED};
}

/* ---- open ---- */

enum err gateway_open(const struct gateway_opts *opts, struct gateway **out, struct why *why)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);
    const struct conf *conf = opts->conf;
    enum err err = ERR_OK;
    if (!gateway || !(gateway->arena = arena_new(MEMORY))) {
        free(gateway);
        return err_set(why, ERR_NO_MEMORY, "could not hold the gateway");
    }
    gateway->opts = *opts;
    pthread_mutex_init(&gateway->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&gateway->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (!conf)
        err = conf_load(&gateway_conf, 1, NULL, NULL, 0, gateway->arena, &conf, why);
    if (!err) {
        read_limits(conf, &gateway->limits);
        gateway->breakers = breakers_new();
        gateway->cache = cache_new((size_t)conf_int(conf, "gateway.cache_memory"));
        gateway->counting = queue_new(MOST_COUNTED);
        if (!gateway->breakers || !gateway->cache || !gateway->counting)
            err = err_set(why, ERR_NO_MEMORY, "could not hold the gateway");
    }
    if (!err && opts->store)
        err = latency_open(opts->store, &gateway->latency, why);
    if (err) {
        gateway_close(gateway);
        return err;
    }
    gateway_table(gateway);
    *out = gateway;
    return ERR_OK;
}

const struct http_table *gateway_routes(struct gateway *gateway)
{
    return &gateway->table;
}

static enum err start_threads(struct gateway *gateway, struct why *why)
{
    struct http_client_opts opts = {.loops = gateway->opts.loops,
                                    .n_threads = gateway->limits.n_threads,
                                    .most_calls = gateway->limits.most_calls};
    enum err err = ERR_OK;
    if (gateway->opts.store)
        err = records_open(gateway, &gateway->records, why);
    if (!err)
        err = http_client_open(&opts, &gateway->client, why);
    if (err)
        return err;
    if ((errno = pthread_create(&gateway->counter, NULL, settle_counter, gateway)) != 0)
        return err_errno(why, "could not start a thread");
    if ((errno = pthread_create(&gateway->keeper, NULL, place_keeper, gateway)) != 0) {
        queue_close(gateway->counting);
        pthread_join(gateway->counter, NULL);
        return err_errno(why, "could not start a thread");
    }
    gateway->ready = true;
    return ERR_OK;
}

enum err gateway_ready(struct gateway *gateway, struct http_client **out, struct why *why)
{
    enum err err = ERR_OK;
    if (atomic_load(&gateway->ready) && !atomic_load(&gateway->closing)) {
        *out = gateway->client; /* for good, once it is ready */
        return ERR_OK;
    }
    pthread_mutex_lock(&gateway->lock);
    if (gateway->closing)
        err = err_set(why, ERR_CANCELLED, "the centre is stopping");
    else if (!gateway->ready)
        err = start_threads(gateway, why);
    *out = gateway->client;
    pthread_mutex_unlock(&gateway->lock);
    return err;
}

enum err gateway_guard_add(struct gateway *gateway, const struct gateway_guard *guard,
                           struct why *why)
{
    size_t len = strlen(guard->name);
    if (gateway->n_guards == MOST_GUARDS ||
        strspn(guard->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != len || len == 0)
        return err_set(why, ERR_INVALID, "the guard \"%s\" cannot be added", guard->name);
    gateway->guards[gateway->n_guards++] = *guard;
    return ERR_OK;
}

/* ---- close ---- */

static void stop_threads(struct gateway *gateway)
{
    pthread_mutex_lock(&gateway->lock);
    gateway->closing = true;
    (void)pthread_cond_broadcast(&gateway->changed);
    pthread_mutex_unlock(&gateway->lock);
    if (!gateway->ready) {
        http_client_close(gateway->client);
        return;
    }
    pthread_join(gateway->keeper, NULL);
    place_fail_all(gateway);
    http_client_close(gateway->client); /* every call ends, and is settled or to be counted */
    queue_close(gateway->counting);
    pthread_join(gateway->counter, NULL);
}

void gateway_close(struct gateway *gateway)
{
    if (!gateway)
        return;
    stop_threads(gateway);
    if (atomic_load(&gateway->n_exchanges) > 0)
        LOG_ERROR("calls were not settled", LOG_I("calls", atomic_load(&gateway->n_exchanges)));
    records_close(gateway->records);
    latency_close(gateway->latency);
    for (struct line *line = atomic_load(&gateway->lines); line; line = line->next) {
        fair_free(line->fair);
        pthread_mutex_destroy(&line->lock);
    }
    queue_free(gateway->counting);
    cache_free(gateway->cache);
    breakers_free(gateway->breakers);
    pthread_cond_destroy(&gateway->changed);
    pthread_mutex_destroy(&gateway->lock);
    arena_free(gateway->arena);
    free(gateway);
}

/* ---- the door for other rooms ---- */

static enum err err_of_status(int status)
{
    static const enum err tried[] = {ERR_INVALID,   ERR_UNAUTHENTICATED, ERR_FORBIDDEN,
                                     ERR_NOT_FOUND, ERR_TOO_LARGE,       ERR_RATE_LIMITED,
                                     ERR_CANCELLED, ERR_TIMEOUT};
    for (size_t i = 0; i < sizeof tried / sizeof tried[0]; i++)
        if (err_http(tried[i]) == status)
            return tried[i];
    return status >= 500 ? ERR_UNAVAILABLE : ERR_INVALID;
}

static enum err words_of_reply(struct exchange *x, struct arena *arena, struct why *why)
{
    struct str words = scan_str(scan_get(scan_get(x->reply, "error"), "message"), arena);
    enum err err = err_of_status(x->status);
    return err_set(why, err, "%.*s", STR_FMT(words.len ? words : str_c(err_words(err))));
}

static enum err take_answer(struct exchange *x, struct arena *arena, struct str *reply,
                            struct why *why)
{
    if (x->status < 200 || x->status >= 300)
        return words_of_reply(x, arena, why);
    struct str copy = str_copy(arena, x->reply);
    if (!copy.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answer");
    *reply = copy;
    return ERR_OK;
}

static enum err door_call(void *ctx, const struct ops_identity *who, const char *path,
                          struct str body, struct arena *arena, struct str *reply, struct why *why)
{
    struct gateway *gateway = ctx;
    const struct ask_door *door = ask_door_named(str_c(path));
    pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
    if (!door)
        return err_set(why, ERR_NOT_FOUND, "there is no door \"%s\"", path);
    if (scan_is_true(scan_get(body, "stream")))
        return err_set(why, ERR_UNSUPPORTED, "no stream goes through this door");
    struct exchange *x = exchange_new(gateway, who);
    if (!x)
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    x->waiting = &answered;
    exchange_run(x, door, body, STR(""), false);
    pthread_mutex_lock(&x->lock);
    while (!x->answered)
        pthread_cond_wait(&answered, &x->lock);
    enum err err = take_answer(x, arena, reply, why);
    pthread_mutex_unlock(&x->lock);
    exchange_unref(x);
    pthread_cond_destroy(&answered);
    return err;
}

void gateway_door(struct gateway *gateway, struct models_door *out)
{
    *out = (struct models_door){.ctx = gateway, .call = door_call};
}
