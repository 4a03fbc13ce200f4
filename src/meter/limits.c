/* Limits of tenants, applications and keys: set as a whole, each change in the ledger. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"
#include "meter/meter_in.h"

#define MOST_TENANT 47
#define MOST_LIMIT  (1LL << 53) /* so that JavaScript reads it exactly */
#define COLUMNS                                                                                    \
    "tenant, level, name, models, network, application, requests_per_minute, tokens_per_minute,"   \
    " concurrent, tokens_per_day, tokens_per_month, money_per_day, money_per_month, expires_ms,"   \
    " version, updated_ms"

/* ---- setting ---- */

static enum err check_numbers(const struct meter_limit *l, struct why *why)
{
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"requests_per_minute", l->requests_per_minute},
                   {"tokens_per_minute", l->tokens_per_minute},
                   {"concurrent", l->concurrent},
                   {"tokens_per_day", l->tokens_per_day},
                   {"tokens_per_month", l->tokens_per_month},
                   {"money_per_day", l->money_per_day},
                   {"money_per_month", l->money_per_month}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (numbers[i].value < METER_NO_LIMIT || numbers[i].value > MOST_LIMIT)
            return err_set(why, ERR_INVALID, "%s must be from 0 to %lld, or nothing",
                           numbers[i].name, MOST_LIMIT);
    if (l->expires_ms < 0)
        return err_set(why, ERR_INVALID, "expires is before 1970");
    return ERR_OK;
}

static enum err check_limit(const struct ops_identity *who, const struct meter_limit *l,
                            struct arena *arena, struct why *why)
{
    struct meter_rule rule;
    enum err err = meter_check_text("tenant", l->tenant, MOST_TENANT, why);
    if (!err && (l->tenant.len == 0 || l->level >= METER_N_LEVELS))
        err = err_set(why, ERR_INVALID, "a limit needs a tenant and a level");
    if (!err)
        err = meter_see(who, l->tenant, why);
    if (!err)
        err = meter_check_text("name", l->name,
                               l->level == METER_KEY ? MOST_TENANT : METER_MOST_APPLICATION, why);
    if (!err && (l->level == METER_TENANT) != (l->name.len == 0))
        err = err_set(why, ERR_INVALID, "a limit of a %s needs %s name", meter_level_name(l->level),
                      l->level == METER_TENANT ? "no" : "a");
    if (!err)
        err = meter_check_text("list of models", l->models, METER_MOST_PATTERN, why);
    if (!err)
        err = meter_check_text("list of networks", l->network, METER_MOST_PATTERN, why);
    if (!err)
        err = meter_check_text("name of the application", l->application, METER_MOST_APPLICATION,
                               why);
    if (!err && l->application.len && l->level != METER_KEY)
        err = err_set(why, ERR_INVALID, "only a key belongs to an application");
    if (!err)
        err = check_numbers(l, why);
    if (!err)
        err = rule_compile(l, arena, &rule, why);
    if (!err && l->level == METER_TENANT && !ops_may(who, "ops.every_tenant"))
        err = err_set(why, ERR_FORBIDDEN,
                      "the limits of a tenant are set by who acts in every tenant");
    return err;
}

static enum err check_version(struct meter_act *act, const struct meter_limit *l, int64_t *next,
                              struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        act->tx, "SELECT version FROM meter_limits WHERE tenant = ? AND level = ? AND name = ?",
        STORE_ARGS(SV_STR(l->tenant), SV_INT((int64_t)l->level), SV_STR(l->name)), act->arena,
        &rows, why);
    if (err)
        return err;
    int64_t version = store_int(&rows, 0, 0);
    if (l->version >= 0 && l->version != version)
        return err_set(why, ERR_PRECONDITION, "the limits were changed in the meantime");
    *next = version + 1;
    return ERR_OK;
}

static void put_number(struct json_out *out, const char *name, int64_t value)
{
    if (value >= 0)
        json_kv_int(out, name, value);
}

static struct str detail_of(struct arena *arena, const struct meter_limit *l)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "tenant", l->tenant);
    json_kv_c(&out, "level", meter_level_name(l->level));
    json_kv_str(&out, "name", l->name);
    json_kv_str(&out, "models", str_slice(l->models, 0, 500));
    json_kv_str(&out, "network", str_slice(l->network, 0, 500));
    json_kv_str(&out, "application", l->application);
    put_number(&out, "requests_per_minute", l->requests_per_minute);
    put_number(&out, "tokens_per_minute", l->tokens_per_minute);
    put_number(&out, "concurrent", l->concurrent);
    put_number(&out, "tokens_per_day", l->tokens_per_day);
    put_number(&out, "tokens_per_month", l->tokens_per_month);
    put_number(&out, "money_per_day_micro", l->money_per_day);
    put_number(&out, "money_per_month_micro", l->money_per_month);
    put_number(&out, "expires_ms", l->expires_ms ? l->expires_ms : -1);
    json_end_object(&out);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static enum err upsert(struct meter_act *act, const struct meter_limit *l, int64_t version,
                       struct why *why)
{
    return store_exec(
        act->tx,
        "INSERT INTO meter_limits (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
        " ?, ?) ON CONFLICT (tenant, level, name) DO UPDATE SET models = excluded.models,"
        " network = excluded.network, application = excluded.application,"
        " requests_per_minute = excluded.requests_per_minute,"
        " tokens_per_minute = excluded.tokens_per_minute, concurrent = excluded.concurrent,"
        " tokens_per_day = excluded.tokens_per_day, tokens_per_month = excluded.tokens_per_month,"
        " money_per_day = excluded.money_per_day, money_per_month = excluded.money_per_month,"
        " expires_ms = excluded.expires_ms, version = excluded.version,"
        " updated_ms = excluded.updated_ms",
        STORE_ARGS(SV_STR(l->tenant), SV_INT((int64_t)l->level), SV_STR(l->name), SV_STR(l->models),
                   SV_STR(l->network), SV_STR(l->application), SV_INT(l->requests_per_minute),
                   SV_INT(l->tokens_per_minute), SV_INT(l->concurrent), SV_INT(l->tokens_per_day),
                   SV_INT(l->tokens_per_month), SV_INT(l->money_per_day),
                   SV_INT(l->money_per_month), SV_INT(l->expires_ms), SV_INT(version),
                   SV_INT(meter_now(act->meter))),
        NULL, why);
}

enum err meter_limit_put(struct meter *meter, const struct ops_identity *who,
                         const struct meter_limit *limit, struct why *why)
{
    struct meter_act act;
    struct str detail = STR_NONE;
    char object[160];
    int64_t version = 0;
    (void)snprintf(object, sizeof object, "%.*s/%s/%.*s", STR_FMT(str_slice(limit->tenant, 0, 47)),
                   meter_level_name(limit->level), STR_FMT(str_slice(limit->name, 0, 63)));
    enum err err = act_begin(&act, meter, who, "meter.limit.put", "meter.limit", why);
    if (!err)
        err = check_limit(who, limit, act.arena, why);
    if (!err)
        err = check_version(&act, limit, &version, why);
    if (!err)
        err = upsert(&act, limit, version, why);
    if (!err) {
        detail = detail_of(act.arena, limit);
        if (!detail.ptr)
            err = err_set(why, ERR_NO_MEMORY, "could not hold the limit");
    }
    return act_end(&act, err, object, detail, true, why);
}

enum err meter_limit_remove(struct meter *meter, const struct ops_identity *who, const char *tenant,
                            enum meter_level level, const char *name, struct why *why)
{
    struct meter_act act;
    char object[160];
    int64_t n = 0;
    (void)snprintf(object, sizeof object, "%.47s/%s/%.63s", tenant, meter_level_name(level), name);
    enum err err = act_begin(&act, meter, who, "meter.limit.remove", "meter.limit", why);
    if (!err)
        err = meter_see(who, str_c(tenant), why);
    if (!err && level == METER_TENANT && !ops_may(who, "ops.every_tenant"))
        err = err_set(why, ERR_FORBIDDEN,
                      "the limits of a tenant are set by who acts in every tenant");
    if (!err)
        err = store_exec(act.tx,
                         "DELETE FROM meter_limits WHERE tenant = ? AND level = ? AND name = ?",
                         STORE_ARGS(SV_C(tenant), SV_INT((int64_t)level), SV_C(name)), &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_NOT_FOUND, "there are no such limits");
    return act_end(&act, err, object, STR(""), true, why);
}

/* ---- listing ---- */

static struct meter_limit limit_from(const struct store_rows *rows, size_t i)
{
    return (struct meter_limit){
        .tenant = store_str(rows, i, 0),
        .level = (enum meter_level)store_int(rows, i, 1),
        .name = store_str(rows, i, 2),
        .models = store_str(rows, i, 3),
        .network = store_str(rows, i, 4),
        .application = store_str(rows, i, 5),
        .requests_per_minute = store_int(rows, i, 6),
        .tokens_per_minute = store_int(rows, i, 7),
        .concurrent = store_int(rows, i, 8),
        .tokens_per_day = store_int(rows, i, 9),
        .tokens_per_month = store_int(rows, i, 10),
        .money_per_day = store_int(rows, i, 11),
        .money_per_month = store_int(rows, i, 12),
        .expires_ms = store_int(rows, i, 13),
        .version = store_int(rows, i, 14),
        .updated_ms = store_int(rows, i, 15),
    };
}

static enum err spent_of(struct store_tx *tx, const struct meter_limit *l, int64_t now_ms,
                         struct arena *arena, struct meter_used *out, struct why *why)
{
    struct store_rows rows;
    int64_t date = date_of(day_of(now_ms));
    enum err err =
        store_query(tx,
                    "SELECT period, tokens, money FROM meter_spent WHERE tenant = ? AND level = ?"
                    " AND name = ? AND period IN (?, ?)",
                    STORE_ARGS(SV_STR(l->tenant), SV_INT((int64_t)l->level), SV_STR(l->name),
                               SV_INT(date), SV_INT(month_of(day_of(now_ms)))),
                    arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        bool day = store_int(&rows, i, 0) == date;
        *(day ? &out->tokens_day : &out->tokens_month) = store_int(&rows, i, 1);
        *(day ? &out->money_day : &out->money_month) = store_int(&rows, i, 2);
    }
    return err;
}

/* Of this process when it meters, else what the store says. */
static enum err used_of(struct meter *meter, struct store_tx *tx, const struct meter_limit *l,
                        struct arena *arena, struct meter_used *out, struct why *why)
{
    int64_t now = meter_now(meter);
    *out = (struct meter_used){0};
    if (!atomic_load(&meter->started))
        return spent_of(tx, l, now, arena, out, why);
    struct meter_stripe *stripe = stripe_of(meter, l->tenant);
    (void)pthread_mutex_lock(&stripe->lock);
    struct meter_scope *s = scope_find(stripe, l->tenant, l->level, l->name);
    if (s)
        *out = scope_used(s, now);
    (void)pthread_mutex_unlock(&stripe->lock);
    return ERR_OK;
}

enum err meter_limit_list(struct meter *meter, const struct ops_identity *who, const char *tenant,
                          struct arena *arena, struct meter_limit **out, struct meter_used **used,
                          size_t *n, struct why *why)
{
    struct store_rows rows = {0};
    struct store_tx *tx = NULL;
    bool all = !tenant && ops_may(who, "ops.every_tenant");
    struct str one = tenant ? str_c(tenant) : who->tenant;
    enum err err = ops_need(who, "meter.read", why);
    if (!err && !all)
        err = meter_see(who, one, why);
    if (!err)
        err = store_begin(meter->store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT " COLUMNS " FROM meter_limits WHERE ? = 1 OR tenant = ?"
                          " ORDER BY tenant, level, name",
                          STORE_ARGS(SV_INT(all), SV_STR(one)), arena, &rows, why);
    struct meter_limit *items =
        err ? NULL : arena_array(arena, struct meter_limit, rows.n_rows + 1);
    struct meter_used *uses = err ? NULL : arena_array(arena, struct meter_used, rows.n_rows + 1);
    if (!err && (!items || !uses))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the limits");
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        items[i] = limit_from(&rows, i);
        if (used)
            err = used_of(meter, tx, &items[i], arena, &uses[i], why);
    }
    store_rollback(tx);
    if (err)
        return err;
    *out = items;
    *n = rows.n_rows;
    if (used)
        *used = uses;
    return ERR_OK;
}
