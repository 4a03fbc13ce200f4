/* The call to a target: what goes there, and what comes back taken apart. The callbacks run on an
 * event thread of the client. */
#include "gateway/gateway_in.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/log.h"
#include "core/time.h"
#include "gateway/scan.h"

#define MOST_EVENT ((size_t)768 << 10)
#define MOST_PENDING                                                                               \
    ((size_t)256 << 10) /* for a client that reads slowly, before the upstream is held up */
#define MOST_WORDS  ((size_t)4 << 20)
#define MOST_KEPT   ((size_t)1 << 20)
#define LACKING_MS  600000 /* before a server is asked for /v1/responses again */
#define CALL_MEMORY ((size_t)160 << 20)

/* ---- servers without /v1/responses ---- */

static struct lacking *lacking_of(const struct exchange *x)
{
    return &x->gateway->lacking[x->asked_hash % N_LACKING];
}

static bool lacks_responses(const struct exchange *x)
{
    struct lacking *place = lacking_of(x);
    if (x->ask.door->id != ASK_RESPONSES)
        return false;
    return x->turned_hash == x->asked_hash ||
           (atomic_load(&place->target) == x->asked_hash &&
            atomic_load(&place->until_ms) > time_mono_ns() / 1000000);
}

/* The same target is asked again, in the way that it knows. */
static void ask_by_chat(struct exchange *x)
{
    struct lacking *place = lacking_of(x);
    atomic_store(&place->until_ms, time_mono_ns() / 1000000 + LACKING_MS);
    atomic_store(&place->target, x->asked_hash);
    x->turned_hash = x->asked_hash;
    if (x->n_tried > 0)
        x->n_tried--;
    exchange_failed(x, true);
}

/* Whose shapes the target speaks. */
static const struct ask_door *spoken(const struct exchange *x)
{
    return x->by_chat ? ask_door(ASK_CHAT) : x->ask.door;
}

/* ---- what comes ---- */

static void on_head(void *ctx, const struct http_answer *answer)
{
    struct exchange *x = ctx;
    int64_t retry_s;
    pthread_mutex_lock(&x->lock);
    x->status = answer->status;
    x->is_events = x->ask.stream && answer->status == 200 && answer->content_type.len >= 17 &&
                   strncasecmp(answer->content_type.ptr, "text/event-stream", 17) == 0;
    x->upstream_retry_s =
        str_to_i64(http_answer_header(answer, "Retry-After"), &retry_s) && retry_s > 0 ? retry_s
                                                                                       : 0;
    pthread_mutex_unlock(&x->lock);
}

static void count_words(struct exchange *x, size_t before)
{
    int64_t now = time_mono_ns();
    if (x->words.len == before)
        return;
    x->tokens += reply_event_tokens(str_from(buf_str(&x->words), before));
    if (!x->first_ns) {
        x->first_ns = now;
    } else {
        x->between_us += (now - x->last_ns) / 1000;
        x->n_between++;
    }
    x->last_ns = now;
    if (x->words.len > MOST_WORDS) {
        x->words_lost = true;
        buf_clear(&x->words);
        x->words_delivered = 0;
    }
}

/* For the cache, as long as it is small: who gets it again has all of it in memory at once. */
static void keep_event(struct exchange *x, struct str name, struct str data)
{
    char z[64];
    if (!x->keep)
        return;
    (void)snprintf(z, sizeof z, "%.*s", STR_FMT(name));
    http_event(&x->kept, name.len ? z : NULL, data);
    if (x->kept.failed || x->kept.len > MOST_KEPT)
        x->keep = false;
}

/* What the guards leave of an event is put in line for the client. */
static enum err put_event(struct exchange *x, struct str name, struct str data, struct why *why)
{
    char z[64];
    if (!x->stream_id.ptr)
        x->stream_id = scan_str(scan_get(data, "id"), x->arena);
    enum err err = guards_after(x, &data, false);
    if (err)
        return err_set(why, ERR_FORBIDDEN, "%s", x->fault.why.text);
    if (data.len == 0)
        return ERR_OK;
    (void)snprintf(z, sizeof z, "%.*s", STR_FMT(name));
    http_event(&x->pending, name.len ? z : NULL, data);
    err = buf_err(&x->pending, why);
    if (err)
        return err;
    if (!x->streaming)
        answer_stream(x);
    else
        answer_more(x);
    return ERR_OK;
}

static enum err on_turned(void *ctx, struct str name, struct str data, struct why *why)
{
    keep_event(ctx, name, data);
    return put_event(ctx, name, data, why);
}

enum err upstream_last(struct exchange *x, struct why *why)
{
    return responses_end(x->responses, &x->usage, on_turned, x, why);
}

/* One event of a stream: read, renamed, guarded, put in line for the client. */
static enum err on_event(void *ctx, struct str name, struct str data, struct why *why)
{
    struct exchange *x = ctx;
    struct reply reply;
    size_t before = x->words.len;
    if (str_eq_c(data, "[DONE]")) {
        x->done_seen = true;
        return ERR_OK;
    }
    if (x->done_seen)
        return ERR_OK;
    reply_read(spoken(x), data, true, &x->words, &reply);
    if (!reply.valid)
        return err_set(why, ERR_CORRUPT, "the upstream sent an event that is not JSON");
    if (reply.error && !x->streaming)
        return err_set(why, ERR_UNAVAILABLE, "the upstream began with an error");
    count_words(x, before);
    if (reply.usage.known) {
        x->usage = reply.usage;
        x->source = METER_UPSTREAM;
        if (x->call)
            meter_prompt(x->call, x->usage.prompt, x->usage.cached);
        if (reply.only_usage && (x->by_chat || !x->ask.include_usage))
            return ERR_OK; /* we asked for it, the client did not */
        x->usage_sent = true;
    }
    if (x->by_chat)
        return responses_event(x->responses, data, on_turned, x, why);
    buf_clear(&x->scratch);
    reply_put(data, &reply, x->turn.model, &x->scratch);
    keep_event(x, name, buf_str(&x->scratch));
    return put_event(x, name, buf_str(&x->scratch), why);
}

static enum err on_kept(void *ctx, struct str name, struct str data, struct why *why)
{
    return put_event(ctx, name, data, why);
}

enum err upstream_replay(struct exchange *x, struct why *why)
{
    buf_init(&x->pending, x->arena);
    buf_init(&x->words, x->arena);
    events_init(&x->events, x->arena, MOST_EVENT);
    x->done_seen = x->cached->done;
    x->usage_sent = x->cached->usage;
    return events_feed(&x->events, x->cached->body, on_kept, x, why);
}

static enum err on_part(void *ctx, struct str part, struct why *why)
{
    struct exchange *x = ctx;
    enum err err = ERR_OK;
    pthread_mutex_lock(&x->lock);
    if (x->gone) {
        err = err_set(why, ERR_CANCELLED, "the client went away");
    } else if (x->is_events) {
        err = events_feed(&x->events, part, on_event, x, why);
        if (!err && x->pending.len - x->pending_at > MOST_PENDING && !x->paused) {
            x->paused = true;
            http_asked_pause(x->asked);
        }
    } else if (part.len > x->gateway->limits.most_answer - x->body.len) {
        err = err_set(why, ERR_TOO_LARGE, "the answer is larger than %zu bytes",
                      x->gateway->limits.most_answer);
    } else {
        buf_add(&x->body, part);
        err = buf_err(&x->body, why);
    }
    pthread_mutex_unlock(&x->lock);
    return err;
}

/* ---- how it ended ---- */

static void fault_of_upstream(struct exchange *x, enum err err, const struct why *why)
{
    switch (err) {
    case ERR_TIMEOUT:
        fault_set(&x->fault, 504, "upstream_timeout",
                  "the model's server did not answer in time: %s", why->text);
        break;
    case ERR_BUSY:
        fault_set(&x->fault, 503, "busy", "%s", why->text);
        x->fault.retry_after_s = 1;
        break;
    case ERR_NO_MEMORY:
        fault_set(&x->fault, 503, "no_memory", "%s", why->text);
        break;
    case ERR_FORBIDDEN: /* a guard stopped it: x->fault says so already */
        break;
    default:
        fault_set(&x->fault, 502, "upstream_failed", "the model's server failed: %s",
                  err == ERR_CORRUPT || err == ERR_TOO_LARGE ? why->text : err_words(err));
    }
}

static bool not_there(int status)
{
    return status == 404 || status == 405 || status == 501;
}

/* Its own words for the client when it is the client's fault, ours when it is not. Returns whether
 * another target may do better. */
static bool fault_of_status(struct exchange *x)
{
    int status = x->status;
    if (not_there(status) && spoken(x)->id != ASK_CHAT) {
        fault_set(&x->fault, 400, "unsupported",
                  "the server of the model \"%.*s\" does not know /v1/%s", STR_FMT(x->turn.model),
                  x->ask.door->path);
        return true;
    }
    if (status == 429) {
        fault_set(&x->fault, 429, "upstream_rate_limited", "the model's server has too much to do");
        x->fault.retry_after_s = x->upstream_retry_s ? x->upstream_retry_s : 1;
        return true;
    }
    if (status == 401 || status == 403 || not_there(status))
        fault_set(&x->fault, 502, "upstream_refused", "the model's server refused the call (%d)",
                  status);
    else
        fault_set(&x->fault, 502, "upstream_failed", "the model's server failed (%d)", status);
    return true;
}

static bool clients_fault(const struct exchange *x)
{
    int status = x->status;
    return status >= 400 && status < 500 && status != 401 && status != 403 && status != 404 &&
           status != 405 && status != 408 && status != 429;
}

/* A 4xx that the client brought about is passed on as the upstream put it. */
static void pass_on(struct exchange *x)
{
    struct reply reply;
    reply_read(x->ask.door, buf_str(&x->body), false, NULL, &reply);
    x->fault.code = "upstream_refused"; /* for the log */
    if (reply.valid && reply.error) {
        x->reply = buf_str(&x->body);
    } else {
        struct fault fault = {0};
        struct json_out out;
        struct buf buf;
        fault_set(&fault, x->status, "upstream_refused",
                  "the model's server refused the request (%d)", x->status);
        buf_init(&buf, x->arena);
        json_out_init(&out, &buf);
        fault_put(&out, &fault);
        x->reply = buf_str(&buf);
    }
    settle(x, METER_FAILED);
}

static void take_whole(struct exchange *x)
{
    struct reply reply;
    struct str text = buf_str(&x->body);
    reply_read(spoken(x), text, false, NULL, &reply);
    if (reply.valid && !reply.usage.known) /* its words have to be counted */
        reply_read(spoken(x), text, false, &x->words, &reply);
    if (!reply.valid && x->ask.door->kind != METER_N_KINDS) {
        fault_set(&x->fault, 502, "upstream_failed", "the model's server did not answer with JSON");
        exchange_failed(x, true);
        return;
    }
    if (reply.usage.known) {
        x->usage = reply.usage;
        x->source = METER_UPSTREAM;
    }
    buf_clear(&x->scratch);
    reply_put(text, &reply, x->turn.model, &x->scratch);
    x->reply = buf_str(&x->scratch);
    x->keep = x->keep && x->ask.door->kind != METER_N_KINDS;
    settle(x, METER_OK);
}

/* A stream ended: whole when it said so, or when its usage came. */
static void take_stream_end(struct exchange *x, enum err err, const struct why *why)
{
    struct str name, data;
    struct why mine = {0};
    if (!err && events_last(&x->events, &name, &data))
        err = on_event(x, name, data, &mine);
    if (!err && (x->done_seen || x->usage.known)) {
        settle(x, METER_OK);
        return;
    }
    if (err)
        fault_of_upstream(x, err, mine.text[0] ? &mine : why);
    else
        fault_set(&x->fault, 502, "upstream_failed", "the model's server broke off its answer");
    if (x->streaming)
        settle(x, err == ERR_TIMEOUT ? METER_TIMED_OUT : METER_FAILED);
    else
        exchange_failed(x, x->fault.status >= 500);
}

/* Whether it was the target's doing. */
static bool targets_failure(const struct exchange *x, enum err err)
{
    if (err == ERR_CANCELLED || err == ERR_FORBIDDEN || err == ERR_BUSY || err == ERR_NO_MEMORY)
        return false;
    return err != ERR_OK || x->status >= 500 || x->status == 401 || x->status == 403;
}

static void tell_target(struct exchange *x, enum err err)
{
    struct breakers *breakers = x->gateway->breakers;
    const struct models_target *target = x->target;
    bool failed = targets_failure(x, err);
    int64_t now_ns = time_mono_ns();
    int64_t first_ms = ((x->first_ns ? x->first_ns : now_ns) - x->asked_ns) / 1000000;
    if (err == ERR_CANCELLED || err == ERR_BUSY || err == ERR_NO_MEMORY || err == ERR_FORBIDDEN) {
        breaker_forget(breakers, target->id);
        return;
    }
    breaker_tell(breakers, target->id, !failed, now_ns / 1000000);
    models_report(target, !failed, failed ? -1 : first_ms);
    if (!failed)
        return;
    stats_failure(stats_of(x->turn.model));
}

static void log_failure(const struct exchange *x, enum err err, const struct why *why)
{
    LOG_WARN("an upstream failed", LOG_STR("target", x->target->name), LOG_I("status", x->status),
             LOG_S("code", err_code(err)), LOG_S("why", err ? why->text : ""),
             LOG_STR("trace", x->who.trace));
}

static void on_end(void *ctx, enum err err, const struct http_answer *answer, const struct why *why)
{
    struct exchange *x = ctx;
    struct gateway *gateway = x->gateway;
    (void)answer;
    pthread_mutex_lock(&x->lock);
    if (targets_failure(x, err))
        log_failure(x, err, why);
    tell_target(x, err);
    place_leave(x);
    http_asked_free(x->asked);
    x->asked = NULL;
    if (x->gone) {
        settle(x, METER_CANCELLED);
    } else if (x->is_events) {
        take_stream_end(x, err, why);
    } else if (err == ERR_CANCELLED) {
        fault_set(&x->fault, 503, "unavailable", "the centre is stopping");
        settle(x, METER_CANCELLED);
    } else if (err) {
        fault_of_upstream(x, err, why);
        exchange_failed(x, err != ERR_TOO_LARGE);
    } else if (x->status == 200) {
        take_whole(x);
    } else if (clients_fault(x)) {
        pass_on(x);
    } else if (not_there(x->status) && x->ask.door->id == ASK_RESPONSES && !x->by_chat) {
        ask_by_chat(x);
    } else {
        exchange_failed(x, fault_of_status(x));
    }
    pthread_mutex_unlock(&x->lock);
    place_kick(gateway);
    exchange_unref(x);
}

/* ---- what goes ---- */

/* "Authorization" and what the endpoint's entry adds; the client's own headers stay here. */
static enum err put_headers(struct exchange *x, struct http_ask *ask, struct why *why)
{
    const struct models_target *target = x->target;
    const char **headers = arena_array(x->arena, const char *, target->n_headers + 4);
    size_t n = 0;
    if (!headers)
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    headers[n++] = "Content-Type: application/json";
    if (target->api_key.len) {
        struct buf line;
        buf_init(&line, x->arena);
        buf_add_c(&line, "Authorization: Bearer ");
        buf_add(&line, target->api_key);
        if (line.failed)
            return err_set(why, ERR_NO_MEMORY, "could not hold the call");
        headers[n++] = line.ptr;
    }
    if (target->kind == MODELS_ENGINE) { /* whose queue is fair between the same tenants */
        static const char *const priorities[] = {"100", "0", "-100"};
        struct str fair = str_printf(x->arena, "X-Yicheng-Fair: %.*s", STR_FMT(x->who.tenant));
        struct str priority =
            str_printf(x->arena, "X-Yicheng-Priority: %s", priorities[x->ask.priority]);
        if (!fair.ptr || !priority.ptr)
            return err_set(why, ERR_NO_MEMORY, "could not hold the call");
        headers[n++] = fair.ptr;
        headers[n++] = priority.ptr;
    }
    for (size_t i = 0; i < target->n_headers; i++)
        headers[n++] = target->headers[i];
    ask->headers = headers;
    ask->n_headers = n;
    return ERR_OK;
}

/* vLLM has its tokenizer beside /v1. */
static struct str address(const struct exchange *x)
{
    const struct models_target *target = x->target;
    bool beside = x->ask.door->kind == METER_N_KINDS && target->kind == MODELS_OPENAI;
    struct buf out;
    buf_init(&out, x->arena);
    buf_add(&out, target->base_url);
    buf_add_c(&out, beside ? "/" : "/v1/");
    buf_add_c(&out, spoken(x)->path);
    return out.failed ? STR_NONE : buf_str(&out);
}

static int64_t limit(int64_t own, int64_t common)
{
    return own > 0 ? own : common;
}

static enum err make_body(struct exchange *x, struct str *out, struct why *why)
{
    struct str name = x->target->upstream_model, id = x->who.trace;
    char param[ASK_PARAM] = "";
    if (!x->by_chat)
        return ask_body(&x->ask, name, x->arena, out, why);
    x->responses = responses_new(&x->ask, x->turn.model, id.len ? id : str_c(x->call_id),
                                 time_now_ms() / 1000, x->call_arena);
    if (!x->responses)
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    enum err err = responses_ask(&x->ask, name, x->arena, out, param, why);
    if (err == ERR_INVALID)
        fault_of(&x->fault, err, why, param);
    return err;
}

static enum err prepare(struct exchange *x, struct http_ask *ask, struct why *why)
{
    const struct models_target *target = x->target;
    const struct limits *limits = &x->gateway->limits;
    arena_free(x->call_arena);
    x->call_arena = arena_new(CALL_MEMORY);
    if (!x->call_arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    buf_init(&x->body, x->call_arena);
    buf_init(&x->words, x->call_arena);
    buf_init(&x->scratch, x->call_arena);
    buf_init(&x->pending, x->call_arena);
    buf_init(&x->kept, x->call_arena);
    events_init(&x->events, x->call_arena, MOST_EVENT);
    *ask = (struct http_ask){.method = "POST",
                             .url = address(x).ptr,
                             .trace_id = x->who.trace.len == 32 ? x->who.trace.ptr : NULL,
                             .connect_ms = limit(target->connect_ms, limits->connect_ms),
                             .first_ms = x->ask.stream ? limit(target->first_ms, limits->first_ms)
                                                       : limits->whole_ms,
                             .between_ms = limit(target->between_ms, limits->between_ms),
                             .total_ms = limit(target->total_ms, limits->total_ms),
                             .repeatable = true, /* a call changes nothing there */
                             .most = (size_t)1 << 40,
                             .arena = x->call_arena,
                             .head = on_head,
                             .part = on_part,
                             .end = on_end,
                             .ctx = x};
    enum err err = make_body(x, &ask->body, why);
    if (!err)
        err = put_headers(x, ask, why);
    if (!err && !ask->url)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the call");
    return err;
}

static void remember_target(struct exchange *x)
{
    if (x->n_tried < MOST_TRIED) /* gateway.attempts is no more */
        x->tried[x->n_tried++] = str_copy(x->arena, x->target->id);
    struct str served =
        str_printf(x->arena, "%.*s:%.*s", STR_FMT(x->target->model), STR_FMT(x->target->version));
    x->served = served.ptr && x->target->model.len ? served : STR("");
}

void upstream_call(struct exchange *x)
{
    struct http_client *client;
    struct http_ask ask;
    struct why why = {0};
    x->stage = STAGE_CALLING;
    x->attempts++;
    remember_target(x);
    x->status = 0;
    x->is_events = x->done_seen = false;
    x->asked_hash = hash64(x->target->id.ptr, x->target->id.len, 1);
    x->by_chat = lacks_responses(x);
    x->asked_ns = time_mono_ns();
    enum err err = gateway_ready(x->gateway, &client, &why);
    if (!err)
        err = prepare(x, &ask, &why);
    if (!err) {
        exchange_ref(x);
        err = http_ask(client, &ask, &x->asked, &why);
        if (err)
            exchange_unref(x);
    }
    if (!err)
        return;
    breaker_forget(x->gateway->breakers, x->target->id);
    place_leave(x);
    if (err != ERR_INVALID || !x->by_chat)
        fault_of_upstream(x, err, &why);
    exchange_failed(x, err == ERR_INVALID && x->by_chat); /* another server may take it */
}
