/* What the client gets: an answer, a stream, an error. Everything here is called with the
 * exchange's lock, but the functions that the server calls for a stream. */
#include "gateway/gateway_in.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"

/* ---- errors ---- */

static const char *type_of(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 429:
        return "rate_limit_error";
    default:
        return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

void fault_set(struct fault *fault, int status, const char *code, const char *fmt, ...)
{
    va_list args;
    *fault = (struct fault){.status = status, .type = type_of(status), .code = code};
    va_start(args, fmt);
    (void)vsnprintf(fault->why.text, sizeof fault->why.text, fmt, args);
    va_end(args);
}

void fault_of(struct fault *fault, enum err err, const struct why *why, const char *param)
{
    *fault = (struct fault){.status = err_http(err),
                            .type = type_of(err_http(err)),
                            .code = err_code(err),
                            .why = *why};
    if (!why->text[0])
        (void)snprintf(fault->why.text, sizeof fault->why.text, "%s", err_words(err));
    if (param)
        (void)snprintf(fault->param, sizeof fault->param, "%s", param);
}

void fault_put(struct json_out *out, const struct fault *fault)
{
    json_begin_object(out);
    json_key(out, "error");
    json_begin_object(out);
    json_kv_c(out, "message", fault->why.text);
    json_kv_c(out, "type", fault->type);
    json_kv_c(out, "param", fault->param[0] ? fault->param : NULL);
    json_kv_c(out, "code", fault->code);
    if (fault->why.hint[0])
        json_kv_c(out, "hint", fault->why.hint);
    json_end_object(out);
    json_end_object(out);
}

/* ---- headers ---- */

void gateway_label(const struct gateway_turn *turn, const char *name, const char *value)
{
    struct gateway_labels *labels = turn->labels;
    size_t most = sizeof labels->names / sizeof labels->names[0];
    char *n = arena_copy(labels->arena, name, strlen(name));
    char *v = arena_copy(labels->arena, value, strlen(value));
    if (!n || !v || labels->n == most)
        return;
    labels->names[labels->n] = n;
    labels->values[labels->n++] = v;
}

static void set_number(struct http_response *res, const char *name, int64_t value)
{
    if (value >= 0)
        http_set_number(res, name, value);
}

static void set_headers(struct exchange *x)
{
    struct http_response *res = x->res;
    if (x->metered) {
        set_number(res, "x-ratelimit-limit-requests", x->left.limit_requests);
        set_number(res, "x-ratelimit-remaining-requests", x->left.left_requests);
        set_number(res, "x-ratelimit-limit-tokens", x->left.limit_tokens);
        set_number(res, "x-ratelimit-remaining-tokens", x->left.left_tokens);
    }
    if (x->cached)
        http_set_header(res, "x-yicheng-cache", "hit");
    for (size_t i = 0; i < x->labels.n; i++)
        http_set_header(res, x->labels.names[i], x->labels.values[i]);
}

/* ---- answers ---- */

static void release(struct exchange *x)
{
    x->answered = true;
    if (x->req)
        http_release(x->req, ERR_OK, NULL);
    else
        (void)pthread_cond_signal(x->waiting);
}

void answer_reply(struct exchange *x, int status)
{
    if (x->answered)
        return;
    if (x->req) {
        set_headers(x);
        http_status(x->res, status);
        http_send(x->res, "application/json; charset=utf-8", x->reply);
    }
    x->status = status;
    release(x);
}

static void put_fault(struct exchange *x, struct buf *out)
{
    struct json_out json;
    json_out_init(&json, out);
    fault_put(&json, &x->fault);
}

/* A stream that has begun ends with the error as its last event. */
static void fault_event(struct exchange *x)
{
    struct buf text;
    buf_init(&text, x->arena);
    put_fault(x, &text);
    http_event(&x->pending, NULL, buf_str(&text));
    x->stream_over = true;
    answer_more(x);
}

void answer_fault(struct exchange *x)
{
    struct buf text;
    if (x->streaming) {
        fault_event(x);
        return;
    }
    if (x->answered)
        return;
    buf_init(&text, x->arena);
    put_fault(x, &text);
    x->reply = buf_str(&text);
    if (x->req && x->fault.retry_after_s > 0)
        http_retry_after(x->req, x->fault.retry_after_s);
    answer_reply(x, x->fault.status);
}

/* ---- streams ---- */

static void take_pending(struct exchange *x, struct buf *out)
{
    struct str left = str_from(buf_str(&x->pending), x->pending_at);
    size_t n = left.len < HTTP_STREAM_MOST ? left.len : HTTP_STREAM_MOST;
    buf_add(out, str_slice(left, 0, n));
    x->pending_at += n;
    if (n < left.len)
        return;
    buf_clear(&x->pending);
    x->pending_at = 0;
    x->words_delivered = x->words.len;
    x->tokens_delivered = x->tokens;
}

/* Counted before it goes: what a crash in between charges is at most what was on its way. */
static enum err next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct exchange *x = ctx;
    (void)why;
    pthread_mutex_lock(&x->lock);
    if (x->pending.len > x->pending_at) {
        if (x->call)
            meter_deliver(x->call, x->tokens);
        take_pending(x, out);
    }
    bool empty = x->pending.len == 0;
    if (empty && x->paused && x->asked) {
        x->paused = false;
        http_asked_resume(x->asked);
    }
    *end = x->stream_over && empty;
    if (*end) {
        x->stream_ended = true;
        settle_end(x, x->fault.status ? x->fault.status : 200);
    }
    pthread_mutex_unlock(&x->lock);
    return ERR_OK;
}

static void done(void *ctx)
{
    struct exchange *x = ctx;
    pthread_mutex_lock(&x->lock);
    bool whole = x->stream_ended;
    pthread_mutex_unlock(&x->lock);
    if (!whole)
        exchange_gone(x);
}

/* From here on nothing is tried again: the client has begun to read. */
void answer_stream(struct exchange *x)
{
    x->streaming = true;
    if (!x->req)
        return; /* no stream goes through the door */
    set_headers(x);
    http_stream(x->res, next, done, x);
    http_stream_here(x->res); /* what next() does is done in memory */
    release(x);
}

void answer_more(struct exchange *x)
{
    if (x->req && !x->gone)
        http_wake(x->req);
}
