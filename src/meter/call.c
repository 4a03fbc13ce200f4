/* The hot path: begin, deliver, end. Memory only. */
#include <assert.h>
#include <string.h>

#include "core/metric.h"
#include "core/time.h"
#include "core/utf8.h"
#include "meter/meter_in.h"

#define MOST_ID 47 /* bytes of a tenant's, user's or key's id */

static struct metric begun =
    METRIC_INIT(METRIC_COUNTER, "yicheng_meter_calls_total", "Calls that were begun", NULL);
static struct metric refused =
    METRIC_INIT(METRIC_COUNTER, "yicheng_meter_refused_total", "Calls that a limit refused", NULL);

static const char *const kinds[] = {"chat", "embeddings", "rerank", "image", "audio", "cached"};
static const char *const sources[] = {"upstream", "counted", "estimated"};
static const char *const outcomes[] = {"ok", "cancelled", "failed", "timed_out", "interrupted"};
_Static_assert(sizeof kinds / sizeof kinds[0] == METER_N_KINDS, "a name for each kind");
_Static_assert(sizeof sources / sizeof sources[0] == METER_N_SOURCES, "a name for each source");
_Static_assert(sizeof outcomes / sizeof outcomes[0] == METER_N_OUTCOMES, "and for each outcome");

const char *meter_kind_name(enum meter_kind kind)
{
    return kind < METER_N_KINDS ? kinds[kind] : "";
}

const char *meter_source_name(enum meter_source source)
{
    return source < METER_N_SOURCES ? sources[source] : "";
}

const char *meter_outcome_name(enum meter_outcome outcome)
{
    return outcome < METER_N_OUTCOMES ? outcomes[outcome] : "";
}

/* ---- money ---- */

int64_t meter_price(const struct meter_rates *r, enum meter_kind kind, int64_t prompt,
                    int64_t cached, int64_t completion, int64_t images)
{
    if (kind == METER_CACHED)
        return r->cached_answer;
    /* Each product is at most 1e9 * 1e9: three of them fit into 63 bits. */
    int64_t tokens =
        (prompt - cached) * r->prompt + cached * r->cached + completion * r->completion;
    int64_t money = (tokens + METER_MICRO / 2) / METER_MICRO;
    return money + r->request + images * r->image;
}

static int64_t within(int64_t n, int64_t most)
{
    return n < 0 ? 0 : n > most ? most : n;
}

void call_settle(const struct flight_slot *slot, const struct meter_usage *usage,
                 struct flight_end *out)
{
    int64_t delivered = atomic_load_explicit(&slot->delivered, memory_order_relaxed);
    bool whole = usage->outcome == METER_OK;
    bool charged = whole || delivered >= 0;
    int64_t prompt = usage->prompt >= 0 ? usage->prompt : atomic_load(&slot->prompt);
    int64_t cached = usage->cached >= 0 ? usage->cached : atomic_load(&slot->cached);
    int64_t completion = whole && usage->completion >= 0 ? usage->completion : delivered;
    enum meter_kind kind = (enum meter_kind)slot->open.kind;
    *out = (struct flight_end){.queue_ms = usage->queue_ms < 0 ? -1 : usage->queue_ms,
                               .first_ms = usage->first_ms < 0 ? -1 : usage->first_ms,
                               .source = usage->source,
                               .outcome = usage->outcome};
    if (!charged)
        return;
    out->prompt = within(prompt, METER_MOST_TOKENS);
    out->cached = within(cached, out->prompt);
    out->completion = within(completion, METER_MOST_TOKENS);
    out->images = slot->open.images;
    out->money = meter_price(&slot->open.rates, kind, out->prompt, out->cached, out->completion,
                             out->images);
}

/* ---- slots ---- */

/* A stack of free slots in one word: a tag that changes with each step, and index + 1. */
static struct meter_call *take_slot(struct meter *m)
{
    uint64_t head = atomic_load_explicit(&m->free_head, memory_order_acquire);
    for (;;) {
        uint32_t top = (uint32_t)head;
        if (top == 0)
            return NULL;
        uint64_t next =
            ((head >> 32) + 1) << 32 | __atomic_load_n(&m->next_free[top - 1], __ATOMIC_RELAXED);
        if (atomic_compare_exchange_weak_explicit(&m->free_head, &head, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            struct meter_call *call = &m->calls[top - 1];
            atomic_fetch_sub_explicit(&m->n_free, 1, memory_order_relaxed);
            call->meter = m; /* here, so that memory of slots that are never used is not touched */
            call->slot = &m->flight.slots[top - 1];
            return call;
        }
    }
}

void call_free(struct meter *m, struct meter_call *call)
{
    uint32_t at = (uint32_t)(call - m->calls);
    uint64_t head = atomic_load_explicit(&m->free_head, memory_order_relaxed), next;
    do {
        __atomic_store_n(&m->next_free[at], (uint32_t)head, __ATOMIC_RELAXED);
        next = ((head >> 32) + 1) << 32 | (at + 1);
    } while (!atomic_compare_exchange_weak_explicit(&m->free_head, &head, next,
                                                    memory_order_acq_rel, memory_order_relaxed));
    atomic_fetch_add_explicit(&m->n_free, 1, memory_order_relaxed);
}

/* UUIDv7 without a system call: the time, 44 bits that count on from a random place, and 30 random
 * bits of the process. */
static void new_id(struct meter *m, int64_t now_ms, uint8_t out[16])
{
    uint64_t n = atomic_fetch_add_explicit(&m->id_count, 1, memory_order_relaxed);
    for (int i = 0; i < 6; i++)
        out[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    out[6] = (uint8_t)(0x70 | ((n >> 40) & 0x0F));
    out[7] = (uint8_t)(n >> 32);
    out[8] = (uint8_t)(0x80 | ((n >> 26) & 0x3F));
    out[9] = (uint8_t)(n >> 18);
    out[10] = (uint8_t)(n >> 10);
    out[11] = (uint8_t)(n >> 2);
    out[12] = (uint8_t)((n & 3) << 6 | (m->id_seed[0] & 0x3F));
    memcpy(out + 13, m->id_seed + 1, 3);
}

static void fill(struct meter_call *call, const struct meter_ask *ask,
                 const struct meter_rate_step *step, struct str application, int64_t now_ms)
{
    struct flight_slot *slot = call->slot;
    struct flight_open *o = &slot->open;
    memset(o, 0, sizeof *o);
    new_id(call->meter, now_ms, o->id);
    o->began_ms = now_ms;
    o->images = ask->images;
    o->kind = ask->kind;
    if (step) {
        o->rates = step->rates;
        FLIGHT_PUT(o->plan, step->plan);
    }
    FLIGHT_PUT(o->tenant, ask->who->tenant);
    FLIGHT_PUT(o->key, ask->who->id);
    FLIGHT_PUT(o->who_kind, ask->who->kind);
    FLIGHT_PUT(o->application, application);
    FLIGHT_PUT(o->model, ask->model);
    FLIGHT_PUT(o->model_id, ask->model_id);
    FLIGHT_PUT(o->trace, ask->trace);
    slot->sum = flight_sum(o);
    atomic_store_explicit(&slot->prompt, ask->prompt_tokens, memory_order_relaxed);
    atomic_store_explicit(&slot->cached, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->delivered, -1, memory_order_relaxed);
}

/* ---- begin ---- */

static enum err check_name(const char *what, struct str s, size_t most, struct why *why)
{
    if (s.len > most)
        return err_set(why, ERR_INVALID, "the %s has %zu bytes, more than %zu", what, s.len, most);
    if (utf8_invalid(s) != STR_NPOS || (s.len && memchr(s.ptr, 0, s.len)))
        return err_set(why, ERR_INVALID, "the %s is not valid UTF-8", what);
    return ERR_OK;
}

static enum err check_ask(const struct meter_ask *ask, struct why *why)
{
    const struct {
        const char *what;
        struct str s;
        size_t most;
    } names[] = {
        {"name of the model", ask->model, METER_MOST_MODEL},
        {"version of the model", ask->model_id, METER_MOST_MODEL},
        {"price key", ask->price_key, METER_MOST_MODEL},
        {"name of the application", ask->application, METER_MOST_APPLICATION},
        {"trace", ask->trace, METER_MOST_TRACE},
        {"tenant", ask->who->tenant, MOST_ID},
        {"id of the caller", ask->who->id, MOST_ID},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        enum err err = check_name(names[i].what, names[i].s, names[i].most, why);
        if (err)
            return err;
    }
    if (ask->kind >= METER_N_KINDS || ask->model.len == 0)
        return err_set(why, ERR_INVALID, "a call needs a model and a kind");
    if (ask->prompt_tokens < 0 || ask->prompt_tokens > METER_MOST_TOKENS ||
        ask->max_completion_tokens > METER_MOST_TOKENS || ask->images < 0 ||
        ask->images > METER_MOST_IMAGES)
        return err_set(why, ERR_INVALID, "more tokens or images than a call can have");
    return ERR_OK;
}

static enum err no_slot(struct meter *m, struct why *why)
{
    (void)pthread_mutex_lock(&m->writer_lock);
    enum err err = m->write_err;
    struct why cause = m->write_why;
    (void)pthread_mutex_unlock(&m->writer_lock);
    writer_kick(m);
    if (!err)
        return err_set(why, ERR_UNAVAILABLE,
                       "%zu calls are in flight or wait to be metered; no more fit", m->n_slots);
    err_hint(why, "calls are taken again as soon as they can be metered");
    if (err == ERR_NO_SPACE)
        return err_set(why, err, "calls cannot be metered, for the disk is full: %.200s",
                       why_text(&cause, err));
    return err_set(why, ERR_UNAVAILABLE, "calls cannot be metered: %.200s", why_text(&cause, err));
}

/* In words; the value and how much is used where the limit has a number. */
static enum err say(const struct meter_refusal *r, const struct meter_ask *ask, struct why *why)
{
    metric_add(&refused, 1);
    if (strcmp(r->limit, "models") == 0)
        return err_set(why, ERR_FORBIDDEN, "the %s's limit \"models\" does not allow \"%.*s\"",
                       r->level, STR_FMT(ask->model));
    if (strcmp(r->limit, "network") == 0)
        return err_set(why, ERR_FORBIDDEN, "the %s's limit \"network\" does not allow %.*s",
                       r->level, STR_FMT(ask->who->address));
    if (strcmp(r->limit, "expires") == 0)
        return err_set(why, ERR_FORBIDDEN, "the %s has expired", r->level);
    if (r->retry_after_s)
        err_hint(why, "try again in %lld s", (long long)r->retry_after_s);
    else
        err_hint(why, "this call alone is larger than the limit");
    if (strncmp(r->limit, "money", 5) == 0)
        return err_set(why, ERR_RATE_LIMITED,
                       "the %s's limit \"%s\" of %lld.%06lld %s was reached (%lld.%06lld used)",
                       r->level, r->limit, (long long)(r->value / METER_MICRO),
                       (long long)(r->value % METER_MICRO), METER_CURRENCY,
                       (long long)(r->used / METER_MICRO), (long long)(r->used % METER_MICRO));
    return err_set(why, ERR_RATE_LIMITED, "the %s's limit \"%s\" of %lld was reached (%lld used)",
                   r->level, r->limit, (long long)r->value, (long long)r->used);
}

/* What the call may cost at most. */
static void reservation(const struct meter *m, const struct meter_ask *ask,
                        const struct meter_rates *rates, struct meter_want *want)
{
    bool completes = ask->kind == METER_CHAT;
    int64_t most = ask->max_completion_tokens < 0 ? (completes ? m->default_completion : 0)
                                                  : ask->max_completion_tokens;
    if (ask->kind == METER_CACHED) {
        want->money = rates->cached_answer;
        return;
    }
    want->tokens = ask->prompt_tokens + most;
    want->money = meter_price(rates, ask->kind, ask->prompt_tokens, 0, most, ask->images);
}

/* The tenant's stripe is locked. */
static enum err admit(struct meter *m, struct meter_stripe *stripe, const struct meter_ask *ask,
                      struct meter_call *call, const struct meter_rate_step **step,
                      struct str *application, struct meter_want *want,
                      struct meter_refusal *refusal, struct why *why)
{
    static const struct meter_rates free_of_charge;
    struct str tenant = ask->who->tenant;
    struct meter_scope **scopes = call->scopes;
    scopes[METER_KEY] =
        ask->who->id.len ? scope_get(m, stripe, tenant, METER_KEY, ask->who->id) : NULL;
    const struct meter_rule *rule = scopes[METER_KEY] ? scopes[METER_KEY]->rule : NULL;
    *application = rule && rule->limit.application.len ? rule->limit.application : ask->application;
    scopes[METER_TENANT] = scope_get(m, stripe, tenant, METER_TENANT, STR(""));
    scopes[METER_APPLICATION] =
        application->len ? scope_find(stripe, tenant, METER_APPLICATION, *application) : NULL;
    if (application->len && !scopes[METER_APPLICATION] && scopes[METER_TENANT]) {
        if (scopes[METER_TENANT]->n_applications >= METER_MOST_APPLICATIONS &&
            !rules_find(m->rules, tenant, METER_APPLICATION, *application))
            *application = STR("");
        else
            scopes[METER_APPLICATION] =
                scope_get(m, stripe, tenant, METER_APPLICATION, *application);
    }
    if (!scopes[METER_TENANT] || (ask->who->id.len && !scopes[METER_KEY]) ||
        (application->len && !scopes[METER_APPLICATION]))
        return err_set(why, ERR_NO_MEMORY, "could not hold what a caller has used");

    *step = rules_rates(m->rules, tenant, ask->price_key.len ? ask->price_key : ask->model,
                        want->now_ms);
    if (!*step && m->refuse_unpriced)
        return err_set(why, ERR_FORBIDDEN, "the model \"%.*s\" has no price", STR_FMT(ask->model));
    reservation(m, ask, *step ? &(*step)->rates : &free_of_charge, want);
    for (int i = METER_N_LEVELS - 1; i >= 0; i--)
        if (scopes[i])
            scope_check(scopes[i], want, refusal);
    if (refusal->limit)
        return say(refusal, ask, why);
    call->left = (struct meter_left){-1, -1, -1, -1};
    for (int i = 0; i < METER_N_LEVELS; i++)
        if (scopes[i]) {
            scope_reserve(scopes[i], want);
            scope_left(scopes[i], &call->left);
        }
    return ERR_OK;
}

enum err meter_begin(struct meter *m, const struct meter_ask *ask, struct meter_call **out,
                     struct meter_refusal *refusal, struct why *why)
{
    struct meter_refusal own = {0};
    refusal = refusal ? refusal : &own;
    *refusal = (struct meter_refusal){0};
    enum err err = check_ask(ask, why);
    if (!err && !atomic_load_explicit(&m->started, memory_order_acquire))
        err = meter_start(m, why);
    if (err)
        return err;
    struct meter_call *call = take_slot(m);
    if (!call)
        return no_slot(m, why);

    struct meter_want want = {.now_ms = meter_now(m),
                              .model = ask->model,
                              .model_id = ask->model_id,
                              .address = ask->who->address};
    const struct meter_rate_step *step;
    struct str application;
    struct meter_stripe *stripe = stripe_of(m, ask->who->tenant);
    (void)pthread_mutex_lock(&stripe->lock);
    err = admit(m, stripe, ask, call, &step, &application, &want, refusal, why);
    if (!err) /* under the lock: the plan and the application live in the rules */
        fill(call, ask, step, application, want.now_ms);
    (void)pthread_mutex_unlock(&stripe->lock);
    if (err) {
        call_free(m, call);
        return err;
    }
    call->began_s = want.now_ms / 1000;
    call->reserved_tokens = want.tokens;
    call->reserved_money = want.money;
    call->id[0] = '\0';
    atomic_store_explicit(&call->slot->state, FLIGHT_OPEN, memory_order_release);
    metric_add(&begun, 1);
    *out = call;
    return ERR_OK;
}

/* ---- while it runs ---- */

const char *meter_call_id(struct meter_call *call)
{
    return call->id[0] ? call->id : call_text(call->slot->open.id, call->id);
}

void meter_left(const struct meter_call *call, struct meter_left *out)
{
    *out = call->left;
}

void meter_deliver(struct meter_call *call, int64_t completion_tokens)
{
    atomic_store_explicit(&call->slot->delivered, within(completion_tokens, METER_MOST_TOKENS),
                          memory_order_release);
}

void meter_prompt(struct meter_call *call, int64_t prompt_tokens, int64_t cached_tokens)
{
    struct flight_slot *slot = call->slot;
    if (cached_tokens >= 0)
        atomic_store(&slot->cached, 0); /* never more than the prompt, at any moment */
    if (prompt_tokens >= 0)
        atomic_store(&slot->prompt, within(prompt_tokens, METER_MOST_TOKENS));
    if (cached_tokens >= 0)
        atomic_store(&slot->cached, within(cached_tokens, atomic_load(&slot->prompt)));
}

/* ---- end ---- */

static void hand_over(struct meter *m, struct meter_call *call)
{
    struct meter_call *head = atomic_load_explicit(&m->ended, memory_order_relaxed);
    do
        call->next = head;
    while (!atomic_compare_exchange_weak_explicit(&m->ended, &head, call, memory_order_release,
                                                  memory_order_relaxed));
    int64_t n = atomic_fetch_add_explicit(&m->n_ended, 1, memory_order_relaxed) + 1;
    /* Half a batch, or slots that run short, do not wait for the time. */
    bool scarce = atomic_load_explicit(&m->n_free, memory_order_relaxed) < (int64_t)m->n_slots / 4;
    if (n % (METER_BATCH / 2) == 0 || (scarce && n % 256 == 0))
        writer_kick(m);
}

void meter_end(struct meter_call *call, const struct meter_usage *usage, struct meter_charge *out)
{
    struct meter *m = call->meter;
    struct flight_slot *slot = call->slot;
    struct flight_end end;
    assert(atomic_load_explicit(&slot->state, memory_order_relaxed) == FLIGHT_OPEN);
    int64_t now = meter_now(m);
    call_settle(slot, usage, &end);
    end.ended_ms = now > slot->open.began_ms ? now : slot->open.began_ms;
    slot->end = end;
    atomic_store_explicit(&slot->state, FLIGHT_ENDED, memory_order_release);

    bool cached = slot->open.kind == METER_CACHED; /* its tokens were saved, not used */
    call->tokens = cached ? 0 : end.prompt + end.completion;
    call->money = end.money;
    struct meter_stripe *stripe = stripe_of(m, FLIGHT_GET(slot->open.tenant));
    (void)pthread_mutex_lock(&stripe->lock);
    for (int i = 0; i < METER_N_LEVELS; i++)
        if (call->scopes[i])
            scope_settle(call->scopes[i], call->began_s, now, call->reserved_tokens,
                         call->reserved_money, call->tokens, call->money);
    (void)pthread_mutex_unlock(&stripe->lock);
    if (out)
        *out = (struct meter_charge){end.prompt, end.cached, end.completion, end.money};
    hand_over(m, call);
}
