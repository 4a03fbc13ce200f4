/* Price plans: made, followed by others, never changed. */
#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "meter/meter_in.h"

#define MOST_TENANT 47
#define MOST_NOTE   1000 /* bytes */
#define COLUMNS                                                                                    \
    "id, tenant, price_key, from_ms, prompt, cached, completion, request, image, cached_answer,"   \
    " note, created_by, created_ms"

static enum err check_rates(const struct meter_rates *r, struct why *why)
{
    const struct {
        const char *name;
        int64_t value;
    } rates[] = {{"prompt", r->prompt},         {"cached", r->cached},
                 {"completion", r->completion}, {"request", r->request},
                 {"image", r->image},           {"cached_answer", r->cached_answer}};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        if (rates[i].value < 0 || rates[i].value > METER_MOST_RATE)
            return err_set(why, ERR_INVALID,
                           "the rate \"%s\" must be from 0 to %lld micro-units, not %lld",
                           rates[i].name, METER_MOST_RATE, (long long)rates[i].value);
    return ERR_OK;
}

static enum err check_plan(const struct ops_identity *who, const struct meter_plan *plan,
                           int64_t now_ms, struct why *why)
{
    enum err err = meter_check_text("price key", plan->price_key, METER_MOST_MODEL, why);
    if (!err && plan->price_key.len == 0)
        err = err_set(why, ERR_INVALID, "a plan needs a price key, or \"*\" for every model");
    if (!err)
        err = meter_check_text("tenant", plan->tenant, MOST_TENANT, why);
    if (!err)
        err = meter_check_text("note", plan->note, MOST_NOTE, why);
    if (!err)
        err = check_rates(&plan->rates, why);
    if (!err && plan->from_ms && plan->from_ms < now_ms)
        err = err_set(why, ERR_INVALID, "a price cannot begin in the past");
    if (!err && !ops_may(who, "ops.every_tenant"))
        err = err_set(why, ERR_FORBIDDEN, "prices are set by who acts in every tenant");
    return err;
}

static void put_rates(struct json_out *out, const struct meter_rates *r)
{
    json_kv_int(out, "prompt_micro_per_million", r->prompt);
    json_kv_int(out, "cached_micro_per_million", r->cached);
    json_kv_int(out, "completion_micro_per_million", r->completion);
    json_kv_int(out, "request_micro", r->request);
    json_kv_int(out, "image_micro", r->image);
    json_kv_int(out, "cached_answer_micro", r->cached_answer);
}

static struct str detail_of(struct arena *arena, const struct meter_plan *plan)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "tenant", plan->tenant);
    json_kv_str(&out, "price_key", plan->price_key);
    json_kv_int(&out, "from_ms", plan->from_ms);
    put_rates(&out, &plan->rates);
    json_end_object(&out);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static enum err insert(struct meter_act *act, const struct meter_plan *p, struct why *why)
{
    const struct meter_rates *r = &p->rates;
    struct str actor = ops_actor(act->who, act->arena);
    int64_t n = 0;
    enum err err = store_exec(
        act->tx,
        "INSERT INTO meter_plans (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (tenant, price_key, from_ms) DO NOTHING",
        STORE_ARGS(SV_STR(p->id), SV_STR(p->tenant), SV_STR(p->price_key), SV_INT(p->from_ms),
                   SV_INT(r->prompt), SV_INT(r->cached), SV_INT(r->completion), SV_INT(r->request),
                   SV_INT(r->image), SV_INT(r->cached_answer), SV_STR(p->note), SV_STR(actor),
                   SV_INT(p->created_ms)),
        &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_CONFLICT, "there is a price for \"%.*s\" from that moment on",
                      STR_FMT(p->price_key));
    return err;
}

enum err meter_plan_create(struct meter *meter, const struct ops_identity *who,
                           const struct meter_plan *plan, struct arena *arena, struct str *id,
                           struct why *why)
{
    struct meter_act act;
    struct meter_plan made = *plan;
    struct str detail = STR_NONE;
    made.id = meter_new_id(arena);
    made.created_ms = meter_now(meter);
    if (!made.from_ms)
        made.from_ms = made.created_ms;
    enum err err = act_begin(&act, meter, who, "meter.plan.create", "meter.price", why);
    if (!err && !made.id.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the new price");
    if (!err)
        err = check_plan(who, &made, made.created_ms, why);
    if (!err)
        err = insert(&act, &made, why);
    if (!err) {
        detail = detail_of(act.arena, &made);
        if (!detail.ptr)
            err = err_set(why, ERR_NO_MEMORY, "could not hold the new price");
    }
    err = act_end(&act, err, made.id.ptr ? made.id.ptr : "", detail, true, why);
    if (!err)
        *id = made.id;
    return err;
}

enum err meter_plan_withdraw(struct meter *meter, const struct ops_identity *who, const char *id,
                             struct why *why)
{
    struct meter_act act;
    struct store_rows rows = {0};
    enum err err = act_begin(&act, meter, who, "meter.plan.withdraw", "meter.price", why);
    if (!err && !ops_may(who, "ops.every_tenant"))
        err = err_set(why, ERR_FORBIDDEN, "prices are set by who acts in every tenant");
    if (!err)
        err = store_query(act.tx, "SELECT from_ms FROM meter_plans WHERE id = ?",
                          STORE_ARGS(SV_C(id)), act.arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such price");
    if (!err && store_int(&rows, 0, 0) <= meter_now(meter)) {
        err_hint(why, "set another price that follows it");
        err = err_set(why, ERR_CONFLICT, "a price that is or was in force cannot be taken back");
    }
    if (!err)
        err = store_exec(act.tx, "DELETE FROM meter_plans WHERE id = ?", STORE_ARGS(SV_C(id)), NULL,
                         why);
    return act_end(&act, err, id, STR(""), true, why);
}

static struct meter_plan plan_from(const struct store_rows *rows, size_t i)
{
    return (struct meter_plan){
        .id = store_str(rows, i, 0),
        .tenant = store_str(rows, i, 1),
        .price_key = store_str(rows, i, 2),
        .from_ms = store_int(rows, i, 3),
        .rates = {store_int(rows, i, 4), store_int(rows, i, 5), store_int(rows, i, 6),
                  store_int(rows, i, 7), store_int(rows, i, 8), store_int(rows, i, 9)},
        .note = store_str(rows, i, 10),
        .created_by = store_str(rows, i, 11),
        .created_ms = store_int(rows, i, 12),
    };
}

enum err meter_plan_list(struct meter *meter, const struct ops_identity *who, const char *price_key,
                         int limit, struct arena *arena, struct meter_plan **out, size_t *n,
                         struct why *why)
{
    struct store_rows rows;
    bool all = ops_may(who, "ops.every_tenant");
    if (limit < 1 || limit > 1000)
        return err_set(why, ERR_INVALID, "limit must be from 1 to 1000");
    enum err err = ops_need(who, "meter.read", why);
    if (!err)
        err = store_ask(meter->store,
                        "SELECT " COLUMNS " FROM meter_plans WHERE (? = 1 OR tenant = '' OR"
                        " tenant = ?) AND (? = 1 OR price_key = ?)"
                        " ORDER BY from_ms DESC, id DESC LIMIT ?",
                        STORE_ARGS(SV_INT(all), SV_STR(who->tenant), SV_INT(!price_key),
                                   SV_C(price_key ? price_key : ""), SV_INT(limit)),
                        arena, &rows, why);
    struct meter_plan *items = err ? NULL : arena_array(arena, struct meter_plan, rows.n_rows + 1);
    if (!err && !items)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the prices");
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        items[i] = plan_from(&rows, i);
    if (err)
        return err;
    *out = items;
    *n = rows.n_rows;
    return ERR_OK;
}

/* The order of rules_rates(): the tenant's own before the general one, the key's before "*". */
enum err meter_plan_now(struct meter *meter, struct str tenant, struct str price_key,
                        struct arena *arena, struct meter_plan *out, bool *found, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(
        meter->store,
        "SELECT " COLUMNS " FROM meter_plans WHERE tenant IN (?, '') AND price_key IN (?,"
        " '*') AND from_ms <= ? ORDER BY CASE WHEN tenant = '' THEN 1 ELSE 0 END,"
        " CASE WHEN price_key = '*' THEN 1 ELSE 0 END, from_ms DESC LIMIT 1",
        STORE_ARGS(SV_STR(tenant), SV_STR(price_key), SV_INT(meter_now(meter))), arena, &rows, why);
    *found = !err && rows.n_rows > 0;
    if (*found)
        *out = plan_from(&rows, 0);
    return err;
}
