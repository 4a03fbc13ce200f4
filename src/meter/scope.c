/* What one tenant, application or key has used, and whether its limits have room. */
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "meter/meter_in.h"

#define FIRST_BUCKETS 16

/* ---- days and months ---- */

int month_of(int32_t day)
{
    int y, m, d;
    day_to_ymd(day, &y, &m, &d);
    return y * 100 + m;
}

int32_t month_begin(int month)
{
    return day_from_ymd(month / 100, month % 100, 1);
}

int month_next(int month)
{
    return month % 100 == 12 ? month + 89 : month + 1;
}

int date_of(int32_t day)
{
    int y, m, d;
    day_to_ymd(day, &y, &m, &d);
    return (y * 100 + m) * 100 + d;
}

/* ---- the table ---- */

struct meter_stripe *stripe_of(struct meter *meter, struct str tenant)
{
    return &meter->stripes[hash64(tenant.ptr, tenant.len, 0) % METER_STRIPES];
}

void stripes_lock(struct meter *meter)
{
    for (size_t i = 0; i < METER_STRIPES; i++)
        (void)pthread_mutex_lock(&meter->stripes[i].lock);
}

void stripes_unlock(struct meter *meter)
{
    for (size_t i = METER_STRIPES; i > 0; i--)
        (void)pthread_mutex_unlock(&meter->stripes[i - 1].lock);
}

static struct str tenant_of(const struct meter_scope *s)
{
    return (struct str){s->text, s->n_tenant};
}

static struct str name_of(const struct meter_scope *s)
{
    return (struct str){s->text + s->n_tenant, s->n_name};
}

static uint64_t hash_of_scope(struct str tenant, enum meter_level level, struct str name)
{
    return hash64(name.ptr, name.len, hash64(tenant.ptr, tenant.len, (uint64_t)level));
}

static struct meter_scope *look(struct meter_stripe *stripe, uint64_t hash, struct str tenant,
                                enum meter_level level, struct str name)
{
    struct meter_scope *s =
        stripe->n_buckets ? stripe->buckets[hash & (stripe->n_buckets - 1)] : NULL;
    for (; s; s = s->next)
        if (s->hash == hash && s->level == level && str_eq(tenant_of(s), tenant) &&
            str_eq(name_of(s), name))
            return s;
    return NULL;
}

struct meter_scope *scope_find(struct meter_stripe *stripe, struct str tenant,
                               enum meter_level level, struct str name)
{
    return look(stripe, hash_of_scope(tenant, level, name), tenant, level, name);
}

static bool grow(struct meter_stripe *stripe)
{
    size_t n = stripe->n_buckets ? stripe->n_buckets * 2 : FIRST_BUCKETS;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what stands in it */
    struct meter_scope **buckets = calloc(n, sizeof *buckets);
    if (!buckets)
        return stripe->n_buckets > 0;
    for (size_t i = 0; i < stripe->n_buckets; i++)
        for (struct meter_scope *s = stripe->buckets[i], *next; s; s = next) {
            next = s->next;
            s->next = buckets[s->hash & (n - 1)];
            buckets[s->hash & (n - 1)] = s;
        }
    free(stripe->buckets);
    stripe->buckets = buckets;
    stripe->n_buckets = n;
    return true;
}

/* A tenant's own scope comes before those of its applications, and goes after them. */
static void count_application(struct meter_stripe *stripe, const struct meter_scope *s, int64_t by)
{
    struct meter_scope *tenant = s->level == METER_APPLICATION
                                     ? scope_find(stripe, tenant_of(s), METER_TENANT, STR(""))
                                     : NULL;
    if (tenant)
        tenant->n_applications += by;
}

/* Windows come with the limit that needs them. */
static void bind(struct meter *meter, struct meter_scope *s)
{
    s->rule = rules_find(meter->rules, tenant_of(s), (enum meter_level)s->level, name_of(s));
    if (s->rule && !s->window &&
        (s->rule->limit.requests_per_minute >= 0 || s->rule->limit.tokens_per_minute >= 0))
        s->window = calloc(1, sizeof *s->window);
}

struct meter_scope *scope_get(struct meter *meter, struct meter_stripe *stripe, struct str tenant,
                              enum meter_level level, struct str name)
{
    uint64_t hash = hash_of_scope(tenant, level, name);
    struct meter_scope *s = look(stripe, hash, tenant, level, name);
    if (s)
        return s;
    if (level == METER_APPLICATION && !scope_get(meter, stripe, tenant, METER_TENANT, STR("")))
        return NULL;
    if (stripe->n >= stripe->n_buckets && !grow(stripe))
        return NULL;
    s = calloc(1, sizeof *s + tenant.len + name.len);
    if (!s)
        return NULL;
    s->hash = hash;
    s->level = (uint8_t)level;
    s->n_tenant = (uint8_t)tenant.len;
    s->n_name = (uint8_t)name.len;
    memcpy(s->text, tenant.ptr ? tenant.ptr : "", tenant.len);
    memcpy(s->text + tenant.len, name.ptr ? name.ptr : "", name.len);
    s->day = INT32_MIN;
    s->next = stripe->buckets[hash & (stripe->n_buckets - 1)];
    stripe->buckets[hash & (stripe->n_buckets - 1)] = s;
    stripe->n++;
    bind(meter, s);
    count_application(stripe, s, 1);
    return s;
}

void scopes_rebind(struct meter *meter)
{
    for (size_t i = 0; i < METER_STRIPES; i++)
        for (size_t b = 0; b < meter->stripes[i].n_buckets; b++)
            for (struct meter_scope *s = meter->stripes[i].buckets[b]; s; s = s->next)
                bind(meter, s);
}

static void free_scope(struct meter_scope *s)
{
    free(s->window);
    free(s);
}

static bool idle(struct meter_scope *s, int64_t now_ms)
{
    scope_roll(s, now_ms);
    return s->held == 0 && !s->rule && s->month_tokens == 0 && s->month_money == 0 &&
           s->n_applications == 0;
}

void scopes_sweep(struct meter *meter)
{
    int64_t now = meter_now(meter);
    for (size_t i = 0; i < METER_STRIPES; i++) {
        struct meter_stripe *stripe = &meter->stripes[i];
        (void)pthread_mutex_lock(&stripe->lock);
        for (size_t b = 0; b < stripe->n_buckets; b++)
            for (struct meter_scope **at = &stripe->buckets[b]; *at;) {
                struct meter_scope *s = *at;
                if (!idle(s, now)) {
                    at = &s->next;
                    continue;
                }
                *at = s->next;
                stripe->n--;
                count_application(stripe, s, -1);
                free_scope(s);
            }
        (void)pthread_mutex_unlock(&stripe->lock);
    }
}

void scopes_free(struct meter *meter)
{
    for (size_t i = 0; i < METER_STRIPES; i++) {
        struct meter_stripe *stripe = &meter->stripes[i];
        for (size_t b = 0; b < stripe->n_buckets; b++)
            for (struct meter_scope *s = stripe->buckets[b], *next; s; s = next) {
                next = s->next;
                free_scope(s);
            }
        free(stripe->buckets);
        stripe->buckets = NULL;
        stripe->n_buckets = stripe->n = 0;
    }
}

/* ---- the window of a minute ---- */

/* A second counts until METER_WINDOW seconds later: whatever the fraction it came at, no 60 s see
 * more than the limit, and a place is free again at most a second late. */
static void window_move(struct meter_window *w, int64_t now_s)
{
    if (now_s <= w->now_s && w->now_s - now_s < METER_WINDOW)
        return; /* the clock went back a little: the same second */
    if (now_s - w->now_s >= METER_WINDOW || now_s < w->now_s) {
        *w = (struct meter_window){.now_s = now_s};
        return;
    }
    while (w->now_s < now_s) {
        size_t i = (size_t)(++w->now_s % METER_WINDOW);
        w->sum_requests -= w->requests[i];
        w->sum_tokens -= w->tokens[i];
        w->requests[i] = w->tokens[i] = 0;
    }
}

/* Seconds until `want` more fit below `limit`; 0: now, -1: never. */
static int64_t window_wait(const struct meter_window *w, const int64_t *seconds, int64_t sum,
                           int64_t want, int64_t limit)
{
    if (sum + want <= limit)
        return 0;
    if (want > limit)
        return -1;
    for (int64_t age = METER_WINDOW - 1; age >= 0; age--) {
        sum -= seconds[(w->now_s - age) % METER_WINDOW];
        if (sum + want <= limit)
            return METER_WINDOW - age;
    }
    return METER_WINDOW;
}

/* ---- checking ---- */

#define FOR_EVER INT64_MAX

void scope_roll(struct meter_scope *s, int64_t now_ms)
{
    int32_t day = day_of(now_ms);
    if (day <= s->day)
        return;
    s->day = day;
    s->day_tokens = s->day_money = 0;
    int month = month_of(day);
    if (month != s->month)
        s->month_tokens = s->month_money = 0;
    s->month = month;
}

/* wait 0: it has room; FOR_EVER: it never will. The refusal that lasts longest stays. */
static void refuse(struct meter_refusal *r, const struct meter_scope *s, const char *limit,
                   int64_t value, int64_t used, int64_t wait_s)
{
    bool for_ever = r->limit && r->retry_after_s == 0;
    if (for_ever || (r->limit && wait_s != FOR_EVER && wait_s <= r->retry_after_s))
        return;
    *r = (struct meter_refusal){limit, meter_level_name((enum meter_level)s->level), value, used,
                                wait_s == FOR_EVER ? 0 : wait_s};
}

static int64_t seconds_until(int32_t day, int64_t now_ms)
{
    int64_t ms = day_start_ms(day) - now_ms;
    return ms > 0 ? (ms + 999) / 1000 : 1;
}

static void check_sums(struct meter_scope *s, const struct meter_want *want,
                       struct meter_refusal *r)
{
    const struct meter_limit *l = &s->rule->limit;
    int64_t tokens = s->held_tokens, money = s->held_money;
    int64_t day = seconds_until(s->day + 1, want->now_ms);
    int64_t month = seconds_until(month_begin(month_next(s->month)), want->now_ms);
    const struct {
        const char *name;
        int64_t limit, used, want, wait;
    } sums[] = {
        {"tokens_per_day", l->tokens_per_day, s->day_tokens + tokens, want->tokens, day},
        {"money_per_day", l->money_per_day, s->day_money + money, want->money, day},
        {"tokens_per_month", l->tokens_per_month, s->month_tokens + tokens, want->tokens, month},
        {"money_per_month", l->money_per_month, s->month_money + money, want->money, month},
    };
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        if (sums[i].limit >= 0 && sums[i].used + sums[i].want > sums[i].limit)
            refuse(r, s, sums[i].name, sums[i].limit, sums[i].used,
                   sums[i].want > sums[i].limit ? FOR_EVER : sums[i].wait);
}

static void check_minute(struct meter_scope *s, const struct meter_want *want,
                         struct meter_refusal *r)
{
    const struct meter_limit *l = &s->rule->limit;
    struct meter_window *w = s->window;
    if (!w)
        return;
    window_move(w, want->now_ms / 1000);
    int64_t wait = l->requests_per_minute < 0
                       ? 0
                       : window_wait(w, w->requests, w->sum_requests, 1, l->requests_per_minute);
    if (wait)
        refuse(r, s, "requests_per_minute", l->requests_per_minute, w->sum_requests,
               wait < 0 ? FOR_EVER : wait);
    wait = l->tokens_per_minute < 0
               ? 0
               : window_wait(w, w->tokens, w->sum_tokens, want->tokens, l->tokens_per_minute);
    if (wait)
        refuse(r, s, "tokens_per_minute", l->tokens_per_minute, w->sum_tokens,
               wait < 0 ? FOR_EVER : wait);
}

void scope_check(struct meter_scope *s, const struct meter_want *want, struct meter_refusal *r)
{
    scope_roll(s, want->now_ms);
    if (!s->rule)
        return;
    const struct meter_limit *l = &s->rule->limit;
    if (l->expires_ms && want->now_ms >= l->expires_ms)
        refuse(r, s, "expires", 0, 0, FOR_EVER);
    if (!rule_address(s->rule, want->address))
        refuse(r, s, "network", 0, 0, FOR_EVER);
    if (!rule_model(s->rule, want->model) &&
        !(want->model_id.len && rule_model(s->rule, want->model_id)))
        refuse(r, s, "models", 0, 0, FOR_EVER);
    if (l->concurrent >= 0 && s->open >= l->concurrent)
        refuse(r, s, "concurrent", l->concurrent, s->open, l->concurrent == 0 ? FOR_EVER : 1);
    check_minute(s, want, r);
    check_sums(s, want, r);
}

/* ---- charging ---- */

void scope_reserve(struct meter_scope *s, const struct meter_want *want)
{
    s->open++;
    s->held++;
    s->held_tokens += want->tokens;
    s->held_money += want->money;
    if (!s->window)
        return;
    window_move(s->window, want->now_ms / 1000);
    size_t i = (size_t)(s->window->now_s % METER_WINDOW);
    s->window->requests[i]++;
    s->window->sum_requests++;
    s->window->tokens[i] += want->tokens;
    s->window->sum_tokens += want->tokens;
}

void scope_settle(struct meter_scope *s, int64_t began_s, int64_t now_ms, int64_t reserved_tokens,
                  int64_t reserved_money, int64_t tokens, int64_t money)
{
    struct meter_window *w = s->window;
    s->open--;
    s->held_tokens += tokens - reserved_tokens;
    s->held_money += money - reserved_money;
    if (!w)
        return;
    window_move(w, now_ms / 1000);
    if (w->now_s - began_s >= METER_WINDOW || began_s > w->now_s)
        return; /* the second it was reserved in is forgotten */
    int64_t change = tokens - reserved_tokens;
    size_t i = (size_t)(began_s % METER_WINDOW);
    if (w->tokens[i] + change < 0) /* the window is younger than the call */
        change = -w->tokens[i];
    w->tokens[i] += change;
    w->sum_tokens += change;
}

void scope_left(const struct meter_scope *s, struct meter_left *out)
{
    if (!s->rule || !s->window)
        return;
    const struct meter_limit *l = &s->rule->limit;
    int64_t requests = l->requests_per_minute - s->window->sum_requests;
    int64_t tokens = l->tokens_per_minute - s->window->sum_tokens;
    if (l->requests_per_minute >= 0 && (out->left_requests < 0 || requests < out->left_requests)) {
        out->limit_requests = l->requests_per_minute;
        out->left_requests = requests > 0 ? requests : 0;
    }
    if (l->tokens_per_minute >= 0 && (out->left_tokens < 0 || tokens < out->left_tokens)) {
        out->limit_tokens = l->tokens_per_minute;
        out->left_tokens = tokens > 0 ? tokens : 0;
    }
}

struct meter_used scope_used(struct meter_scope *s, int64_t now_ms)
{
    struct meter_used used = {.concurrent = s->open};
    scope_roll(s, now_ms);
    if (s->window) {
        window_move(s->window, now_ms / 1000);
        used.requests_minute = s->window->sum_requests;
        used.tokens_minute = s->window->sum_tokens;
    }
    used.tokens_day = s->day_tokens + s->held_tokens;
    used.money_day = s->day_money + s->held_money;
    used.tokens_month = s->month_tokens + s->held_tokens;
    used.money_month = s->month_money + s->held_money;
    return used;
}
