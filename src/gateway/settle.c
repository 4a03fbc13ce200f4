/* The end of a call: tokens that nobody reported are counted, the meter is told, the client gets
 * the last of it, the log and the metrics their line. */
#include "gateway/gateway_in.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/time.h"
#include "gateway/scan.h"

/* ---- guards ---- */

enum err guards_after(struct exchange *x, struct str *data, bool last)
{
    for (size_t i = 0; i < x->n_before; i++) {
        const struct gateway_guard *guard = &x->gateway->guards[i];
        struct why why = {0};
        if (!guard->after)
            continue;
        enum err err =
            guard->after(guard->ctx, &x->turn, x->arena, data, last, x->guard_state[i], &why);
        if (err) {
            fault_of(&x->fault, err, &why, NULL);
            struct str code = str_printf(x->arena, "guard_%s", guard->name);
            x->fault.code = code.ptr ? code.ptr : "guard";
            return err;
        }
    }
    return ERR_OK;
}

static void guards_end(struct exchange *x)
{
    for (size_t i = 0; i < x->n_before; i++)
        if (x->gateway->guards[i].end)
            x->gateway->guards[i].end(x->gateway->guards[i].ctx, x->guard_state[i]);
    x->n_before = 0;
}

/* ---- limits and reservation ---- */

static void refused(struct exchange *x, enum err err, const struct meter_refusal *refusal,
                    const struct why *why)
{
    fault_of(&x->fault, err, why, NULL);
    if (refusal->limit)
        x->fault.code = refusal->limit;
    x->fault.retry_after_s = refusal->retry_after_s;
    if (err == ERR_RATE_LIMITED && x->fault.retry_after_s < 1)
        x->fault.retry_after_s = 1;
}

enum err settle_begin(struct exchange *x, bool cached)
{
    const struct ask_door *door = x->ask.door;
    struct meter_refusal refusal = {0};
    struct why why = {0};
    if (!x->gateway->opts.meter || door->kind == METER_N_KINDS)
        return ERR_OK;
    bool completes = door->kind == METER_CHAT;
    struct meter_ask ask = {.who = &x->who,
                            .kind = cached ? METER_CACHED : door->kind,
                            .application = x->turn.application,
                            .model = x->turn.model,
                            .model_id = x->route->version.len ? x->route->version : x->route->model,
                            .price_key = x->route->price_key,
                            .prompt_tokens = x->ask.prompt_tokens,
                            .max_completion_tokens = completes ? x->ask.max_tokens : 0,
                            .trace = x->who.trace};
    enum err err = meter_begin(x->gateway->opts.meter, &ask, &x->call, &refusal, &why);
    if (err) {
        x->call = NULL;
        refused(x, err, &refusal, &why);
        return err;
    }
    memcpy(x->call_id, meter_call_id(x->call), sizeof x->call_id);
    meter_left(x->call, &x->left);
    x->metered = true;
    return ERR_OK;
}

static void end_call(struct exchange *x, enum meter_outcome outcome)
{
    struct meter_charge charge = {0};
    struct meter_usage usage = {
        .prompt = x->usage.known ? x->usage.prompt : -1,
        .cached = x->usage.known ? x->usage.cached : -1,
        .completion = x->usage.known ? x->usage.completion : -1,
        .source = x->source,
        .outcome = outcome,
        .queue_ms = x->queue_ms,
        .first_ms = x->first_ns ? (x->first_ns - x->begun_ns) / 1000000 : -1,
    };
    if (!x->call)
        return;
    meter_end(x->call, &usage, &charge);
    x->call = NULL;
    x->money = charge.money;
    x->usage = (struct reply_usage){true, charge.prompt, charge.cached, charge.completion};
}

/* The call goes to another model, with prices of its own: the first one was nothing. */
void settle_drop(struct exchange *x)
{
    end_call(x, METER_FAILED);
    x->usage = (struct reply_usage){0};
}

/* ---- the end ---- */

/* Whether words of a model went to the client, if not all of them. */
static bool answered(const struct exchange *x, int status)
{
    return x->served.len && (status < 400 || (x->streaming && x->tokens_delivered > 0));
}

static void write_record(struct exchange *x, int status)
{
    const struct models_route *route = x->route;
    if (!x->call_id[0]) /* it was never metered */
        (void)uuid7(x->call_id);
    if (!x->gateway->records || !records_want(x->gateway->records, x->call_id, status))
        return;
    int64_t now = time_mono_ns();
    struct record record = {
        .at_ms = time_now_ms() - (now - x->begun_ns) / 1000000,
        .ms = (now - x->begun_ns) / 1000000,
        .first_ms = x->first_ns ? (x->first_ns - x->begun_ns) / 1000000 : -1,
        .queue_ms = x->queue_ms,
        .id = str_c(x->call_id),
        .trace = x->who.trace,
        .tenant = x->who.tenant,
        .actor = ops_actor(&x->who, x->arena),
        .name = x->who.name,
        .application = x->turn.application,
        .address = x->who.address,
        .door = str_c(x->ask.door ? x->ask.door->path : ""),
        .model = x->turn.model,
        .version = route ? route->version : STR(""),
        .served = answered(x, status) ? x->served : STR(""),
        .target = x->n_tried ? x->tried[x->n_tried - 1] : STR(""),
        .code = str_c(status == 499                    ? "cancelled"
                      : status >= 400 && x->fault.code ? x->fault.code
                                                       : ""),
        .source = str_c(x->usage.known ? meter_source_name(x->source) : ""),
        .request = x->ask.body,
        .reply = x->streaming ? buf_str(&x->words) : x->reply,
        .status = status,
        .attempts = (int)x->attempts,
        .stream = x->ask.stream,
        .cached = x->cached != NULL,
        .consent = x->consent,
        .prompt = x->usage.prompt,
        .cached_tokens = x->usage.cached,
        .completion = x->usage.completion,
        .money = x->money,
    };
    records_put(x->gateway->records, &record);
}

static void count(struct exchange *x, int status)
{
    struct stats *stats = stats_of(x->root ? x->turn.model : STR(""));
    int64_t us = (time_mono_ns() - x->begun_ns) / 1000;
    stats_call(stats, status, us);
    if (status < 400)
        latency_add(x->gateway->latency, x->who.tenant, x->turn.model, x->turn.application,
                    (const int64_t[LATENCY_N_KINDS]){
                        x->first_ns && x->streaming ? (x->first_ns - x->begun_ns) / 1000 : -1,
                        x->n_between ? x->between_us / x->n_between : -1, us});
    if (x->usage.known)
        stats_tokens(stats, x->usage.prompt, x->usage.cached, x->usage.completion);
    if (x->first_ns && x->streaming)
        stats_first(stats, (x->first_ns - x->begun_ns) / 1000);
    if (x->n_between)
        stats_between(stats, x->between_us / x->n_between);
}

void settle_end(struct exchange *x, int status)
{
    if (x->stage == STAGE_OVER)
        return;
    x->stage = STAGE_OVER;
    end_call(x, x->outcome);
    write_record(x, status);
    if (answered(x, status))
        records_answered(x->gateway->records, x->who.tenant, x->served);
    count(x, status);
    guards_end(x);
    atomic_fetch_sub(&x->gateway->n_exchanges, 1);
}

/* ---- counting what nobody reported ---- */

/* Of a client that left, the words that went to it; else all, for what waits will go. */
static struct str words_of(const struct exchange *x)
{
    struct str words = buf_str(&x->words);
    return x->streaming && x->gone ? str_slice(words, 0, x->words_delivered) : words;
}

static int64_t rough_tokens(const struct exchange *x)
{
    return x->streaming && x->gone ? x->tokens_delivered : x->tokens;
}

static int64_t tokens_of(struct exchange *x, struct str text, bool *estimate)
{
    int64_t n = 0;
    bool rough = true;
    enum err err = models_count_tokens(x->gateway->opts.models, x->route, text, &n, &rough, NULL);
    if (err)
        n = reply_estimate(text);
    *estimate |= err || rough;
    return n;
}

/* The lock is let go while it counts: what is read then changes no more. */
static void count_tokens(struct exchange *x)
{
    struct arena *arena = arena_new((size_t)128 << 20);
    struct str words = words_of(x);
    struct reply_usage told = x->usage;
    struct reply_usage usage = {
        .known = true, .prompt = x->ask.prompt_tokens, .completion = rough_tokens(x)};
    bool lost = x->words_lost || !arena, estimate = false;
    struct buf prompt;
    pthread_mutex_unlock(&x->lock);
    if (arena && !told.known) {
        buf_init(&prompt, arena);
        ask_prompt_text(&x->ask, &prompt);
        usage.prompt = prompt.failed ? usage.prompt : tokens_of(x, buf_str(&prompt), &estimate);
    }
    if (x->ask.door->kind != METER_CHAT)
        usage.completion = 0;
    else if (!lost)
        usage.completion = tokens_of(x, words, &estimate);
    if (told.known) { /* before the stream was cut */
        usage.prompt = told.prompt;
        usage.cached = told.cached;
    }
    pthread_mutex_lock(&x->lock);
    x->source = estimate || lost ? METER_ESTIMATED : METER_COUNTED;
    x->usage = usage;
    arena_free(arena);
}

static bool to_be_counted(const struct exchange *x)
{
    if (!x->call || x->cached)
        return false;
    if (x->outcome == METER_OK)
        return !x->usage.known;
    return x->streaming && rough_tokens(x) > 0;
}

/* ---- the last of the answer ---- */

static void keep_answer(struct exchange *x)
{
    struct cached value = {.body = x->streaming ? buf_str(&x->kept) : x->reply,
                           .served = x->served,
                           .prompt = x->usage.prompt,
                           .completion = x->usage.completion,
                           .stream = x->streaming,
                           .done = x->done_seen && !x->by_chat,
                           .usage = x->usage_sent};
    if (!x->keep || x->root->cache_ttl_ms <= 0 || x->streaming != x->ask.stream)
        return;
    int64_t until = time_mono_ns() / 1000000 + x->root->cache_ttl_ms;
    cache_put(x->gateway->cache, x->digest, &value, until);
}

static void end_stream(struct exchange *x)
{
    if (x->gone) {
        if (x->outcome != METER_CANCELLED) { /* it left while all the words were counted */
            x->outcome = METER_CANCELLED;
            x->usage.completion = x->tokens_delivered;
            x->source = METER_ESTIMATED;
        }
        settle_end(x, 499);
        return;
    }
    if (x->outcome != METER_OK) {
        answer_fault(x); /* settled when the client has it, see next() */
        return;
    }
    struct why why = {0};
    enum err err = x->by_chat ? upstream_last(x, &why) : ERR_OK;
    if (err) {
        if (err != ERR_FORBIDDEN)
            fault_of(&x->fault, err, &why, NULL);
        answer_fault(x);
        return;
    }
    keep_answer(x);
    if (x->ask.include_usage && !x->usage_sent && x->ask.door->usage && x->usage.known) {
        struct buf text;
        buf_init(&text, x->arena);
        reply_put_usage(x->ask.door, x->stream_id, x->turn.model, time_now_ms() / 1000, &x->usage,
                        &text);
        http_event(&x->pending, NULL, buf_str(&text));
    }
    struct str nothing = STR("");
    if (guards_after(x, &nothing, true)) {
        answer_fault(x);
        return;
    }
    if (nothing.len) /* a guard's last words, a label for one */
        http_event(&x->pending, NULL, nothing);
    if (x->done_seen && !x->by_chat)
        http_event(&x->pending, NULL, STR("[DONE]"));
    x->stream_over = true;
    answer_more(x);
}

/* Clients expect usage in every answer; an upstream that told none gets ours. */
static void add_usage(struct exchange *x)
{
    struct str text = str_trim(x->reply);
    struct buf out;
    if (!x->call || x->cached || x->source == METER_UPSTREAM || !x->usage.known || text.len < 3 ||
        text.ptr[text.len - 1] != '}' || scan_get(text, "usage").ptr)
        return;
    buf_init(&out, x->arena);
    buf_add(&out, str_slice(text, 0, text.len - 1));
    buf_printf(&out,
               ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,"
               "\"total_tokens\":%lld}}",
               (long long)x->usage.prompt, (long long)x->usage.completion,
               (long long)x->usage.prompt + (long long)x->usage.completion);
    if (!out.failed)
        x->reply = buf_str(&out);
}

/* A chat completion becomes a response; false: it could not, and the client knows. */
static bool turn_reply(struct exchange *x)
{
    struct why why = {0};
    enum err err = responses_whole(x->responses, x->reply, &x->usage, &x->reply, &why);
    if (!err)
        return true;
    if (err == ERR_CORRUPT)
        fault_set(&x->fault, 502, "upstream_failed", "the model's server failed: %s", why.text);
    else
        fault_of(&x->fault, err, &why, NULL);
    x->reply = STR_NONE;
    x->outcome = METER_FAILED;
    x->usage.known = false; /* nothing was delivered */
    end_call(x, x->outcome);
    answer_fault(x);
    settle_end(x, x->fault.status);
    return false;
}

static void end_reply(struct exchange *x)
{
    if (x->outcome != METER_OK || x->fault.status) {
        if (x->gone && !x->fault.status)
            fault_set(&x->fault, 499, "cancelled", "the client went away");
        end_call(x, x->outcome); /* before the answer goes, here too */
        if (x->reply.len == 0)
            answer_fault(x);
        else
            answer_reply(x, x->status);
        settle_end(x, x->status);
        return;
    }
    if (x->by_chat && !turn_reply(x))
        return;
    add_usage(x);
    keep_answer(x);
    if (guards_after(x, &x->reply, false)) {
        x->reply = STR_NONE;
        answer_fault(x);
        settle_end(x, x->fault.status);
        return;
    }
    if (x->call)
        meter_deliver(x->call, x->usage.completion);
    end_call(x, METER_OK); /* before the answer goes: who reads it finds it counted */
    answer_reply(x, 200);
    settle_end(x, 200);
}

static void conclude(struct exchange *x)
{
    if (x->call && x->outcome != METER_OK && x->usage.known)
        meter_deliver(x->call, x->usage.completion);
    if (x->streaming)
        end_stream(x);
    else
        end_reply(x);
}

/* A stream that was cut owes what was delivered, and nothing when nothing was. */
void settle(struct exchange *x, enum meter_outcome outcome)
{
    if (x->stage == STAGE_OVER || x->stage == STAGE_COUNTING)
        return;
    x->outcome = outcome;
    if (outcome == METER_OK)
        x->fault.status = 0; /* of attempts before */
    if (to_be_counted(x)) {
        x->stage = STAGE_COUNTING;
        exchange_ref(x);
        if (queue_push(x->gateway->counting, x, 0) == ERR_OK)
            return;
        x->usage = (struct reply_usage){.known = true,
                                        .prompt = x->ask.prompt_tokens,
                                        .completion =
                                            outcome == METER_OK ? x->tokens : x->tokens_delivered};
        x->source = METER_ESTIMATED;
        conclude(x);
        exchange_unref(x);
        return;
    }
    if (outcome != METER_OK && !x->streaming)
        x->usage.known = false; /* nothing was delivered */
    conclude(x);
}

/* Takes the calls whose tokens nobody reported: a vocabulary may have to be loaded first. */
void *settle_counter(void *arg)
{
    struct gateway *gateway = arg;
    void *item;
    while (queue_pop(gateway->counting, &item, -1) == ERR_OK) {
        struct exchange *x = item;
        pthread_mutex_lock(&x->lock);
        count_tokens(x);
        x->stage = STAGE_CALLING;
        conclude(x);
        pthread_mutex_unlock(&x->lock);
        exchange_unref(x);
    }
    return NULL;
}
