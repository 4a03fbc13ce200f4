/* The routes /api/prices, /api/limits, /api/usage, /api/bills and /api/metered_calls. */
#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"
#include "http/http.h"
#include "meter/meter_in.h"

#define BODY      ((size_t)64 << 10)
#define MOST_ROWS 10000

static const struct ops_identity *caller(struct http_request *req)
{
    return http_identity(req);
}

static char *z_param(struct http_request *req, const char *name)
{
    struct str value = http_param(req, name);
    return value.len ? str_z(http_arena(req), value) : NULL;
}

/* The tenant that is asked for: the named one when the caller may see it, else the own. With
 * `all` NULL stands for every tenant, when nobody is named and the caller acts in each. */
static enum err tenant_of(struct http_request *req, bool all, const char **out, struct why *why)
{
    const struct ops_identity *who = caller(req);
    struct str named = http_param(req, "tenant");
    if (!named.len && all && ops_may(who, "ops.every_tenant")) {
        *out = NULL;
        return ERR_OK;
    }
    struct str tenant = named.len ? named : who->tenant;
    enum err err = meter_see(who, tenant, why);
    *out = str_z(http_arena(req), tenant);
    return err || *out ? err : err_set(why, ERR_NO_MEMORY, "could not read the address");
}

static enum err time_member(const struct json *body, const char *key, int64_t *ms, struct why *why)
{
    struct str text = json_get_str(body, key, STR(""));
    *ms = 0;
    if (!text.len || time_parse(text, ms))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"%s\" must be a time such as 2027-01-31T00:00:00+08:00",
                   key);
}

/* A number that may be missing or null: then `none`. */
static enum err number_member(const struct json *body, const char *key, int64_t none, int64_t *out,
                              struct why *why)
{
    const struct json *value = json_get(body, key);
    *out = none;
    if (json_kind(value) == JSON_KIND_NULL)
        return ERR_OK;
    int64_t n = json_int(value, -1);
    if (n < 0)
        return err_set(why, ERR_INVALID, "\"%s\" must be a whole number from 0 on", key);
    *out = n;
    return ERR_OK;
}

static const char price_members[] =
    "tenant price_key from_at note prompt_micro_per_million"
    " cached_micro_per_million completion_micro_per_million request_micro"
    " image_micro cached_answer_micro";
static const char limit_members[] =
    "tenant level name application models networks expires_at"
    " requests_per_minute tokens_per_minute concurrent tokens_per_day"
    " tokens_per_month money_micro_per_day money_micro_per_month";

/* Money depends on what is set here: a name that was mistyped must not count as not given. */
static enum err only(const struct json *body, const char *members, struct why *why)
{
    struct str key;
    if (!json_unknown(body, members, &key))
        return ERR_OK;
    err_hint(why, "known are %s", members);
    return err_set(why, ERR_INVALID, "there is no member \"%.*s\" here",
                   STR_FMT(utf8_prefix(key, 40)));
}

/* ---- prices ---- */

static void put_plan(struct json_out *out, const struct meter_plan *p)
{
    json_begin_object(out);
    json_kv_str(out, "id", p->id);
    json_kv_str(out, "tenant", p->tenant);
    json_kv_str(out, "price_key", p->price_key);
    json_kv_time(out, "from_at", p->from_ms);
    json_kv_c(out, "currency", METER_CURRENCY);
    json_kv_int(out, "prompt_micro_per_million", p->rates.prompt);
    json_kv_int(out, "cached_micro_per_million", p->rates.cached);
    json_kv_int(out, "completion_micro_per_million", p->rates.completion);
    json_kv_int(out, "request_micro", p->rates.request);
    json_kv_int(out, "image_micro", p->rates.image);
    json_kv_int(out, "cached_answer_micro", p->rates.cached_answer);
    json_kv_str(out, "note", p->note);
    json_kv_str(out, "created_by", p->created_by);
    json_kv_time(out, "created_at", p->created_ms);
    json_end_object(out);
}

static enum err list_prices(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_plan *plans;
    size_t n;
    enum err err =
        meter_plan_list(http_ctx(req), caller(req), z_param(req, "price_key"),
                        (int)http_param_limit(req, 200, 1000), http_arena(req), &plans, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++)
        put_plan(out, &plans[i]);
    json_end_items(out, STR(""));
    return ERR_OK;
}

static enum err read_rates(const struct json *body, struct meter_rates *r, struct why *why)
{
    const struct {
        const char *key;
        int64_t *to;
    } rates[] = {{"prompt_micro_per_million", &r->prompt},
                 {"cached_micro_per_million", &r->cached},
                 {"completion_micro_per_million", &r->completion},
                 {"request_micro", &r->request},
                 {"image_micro", &r->image},
                 {"cached_answer_micro", &r->cached_answer}};
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < sizeof rates / sizeof rates[0]; i++)
        err = number_member(body, rates[i].key, 0, rates[i].to, why);
    return err;
}

static enum err create_price(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct meter_plan plan = {0};
    struct str id;
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = only(body, price_members, why);
    if (!err)
        err = read_rates(body, &plan.rates, why);
    if (!err)
        err = time_member(body, "from_at", &plan.from_ms, why);
    if (err)
        return err;
    plan.tenant = json_get_str(body, "tenant", STR(""));
    plan.price_key = json_get_str(body, "price_key", STR(""));
    plan.note = json_get_str(body, "note", STR(""));
    err = meter_plan_create(http_ctx(req), caller(req), &plan, http_arena(req), &id, why);
    if (err)
        return err;
    http_created(res, id);
    return ERR_OK;
}

static enum err withdraw_price(struct http_request *req, struct http_response *res, struct why *why)
{
    char *id = str_z(http_arena(req), http_param(req, "id"));
    enum err err = meter_plan_withdraw(http_ctx(req), caller(req), id ? id : "", why);
    if (!err)
        http_status(res, 204);
    return err;
}

/* ---- limits ---- */

static void put_words(struct json_out *out, const char *key, struct str words)
{
    struct str part;
    json_key(out, key);
    json_begin_array(out);
    while (str_next(&words, ' ', &part))
        if (part.len)
            json_put_str(out, part);
    json_end_array(out);
}

static void put_limit(struct json_out *out, const char *key, int64_t value)
{
    json_key(out, key);
    if (value >= 0)
        json_put_int(out, value);
    else
        json_put_null(out);
}

static void put_used(struct json_out *out, const struct meter_used *u)
{
    json_key(out, "used");
    json_begin_object(out);
    json_kv_int(out, "requests_per_minute", u->requests_minute);
    json_kv_int(out, "tokens_per_minute", u->tokens_minute);
    json_kv_int(out, "concurrent", u->concurrent);
    json_kv_int(out, "tokens_per_day", u->tokens_day);
    json_kv_int(out, "tokens_per_month", u->tokens_month);
    json_kv_int(out, "money_micro_per_day", u->money_day);
    json_kv_int(out, "money_micro_per_month", u->money_month);
    json_end_object(out);
}

static void put_limits(struct meter *m, struct json_out *out, const struct meter_limit *l,
                       const struct meter_used *used, struct arena *arena)
{
    struct str title =
        l->level == METER_KEY
            ? ops_actor_name(m->ops, str_printf(arena, "key:%.*s", STR_FMT(l->name)), arena)
            : STR("");
    json_begin_object(out);
    json_kv_str(out, "tenant", l->tenant);
    json_kv_c(out, "level", meter_level_name(l->level));
    json_kv_str(out, "name", l->name);
    json_kv_str(out, "title", title);
    put_words(out, "models", l->models);
    put_words(out, "networks", l->network);
    json_kv_str(out, "application", l->application);
    put_limit(out, "requests_per_minute", l->requests_per_minute);
    put_limit(out, "tokens_per_minute", l->tokens_per_minute);
    put_limit(out, "concurrent", l->concurrent);
    put_limit(out, "tokens_per_day", l->tokens_per_day);
    put_limit(out, "tokens_per_month", l->tokens_per_month);
    put_limit(out, "money_micro_per_day", l->money_per_day);
    put_limit(out, "money_micro_per_month", l->money_per_month);
    json_kv_time(out, "expires_at", l->expires_ms);
    json_kv_int(out, "version", l->version);
    json_kv_time(out, "updated_at", l->updated_ms);
    put_used(out, used);
    json_end_object(out);
}

static enum err list_limits(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_limit *limits;
    struct meter_used *used;
    size_t n;
    const char *tenant;
    enum err err = tenant_of(req, true, &tenant, why);
    if (!err)
        err = meter_limit_list(http_ctx(req), caller(req), tenant, http_arena(req), &limits, &used,
                               &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++)
        put_limits(http_ctx(req), out, &limits[i], &used[i], http_arena(req));
    json_end_items(out, STR(""));
    return ERR_OK;
}

static enum err level_of(struct str name, enum meter_level *out, struct why *why)
{
    for (int i = 0; i < METER_N_LEVELS; i++)
        if (str_eq_c(name, meter_level_name((enum meter_level)i))) {
            *out = (enum meter_level)i;
            return ERR_OK;
        }
    return err_set(why, ERR_INVALID, "level is tenant, application or key");
}

/* ["a","b"] as "a b". */
static enum err joined(const struct json *body, const char *key, struct arena *arena,
                       struct str *out, struct why *why)
{
    const struct json *list = json_get(body, key);
    struct buf buf;
    buf_init(&buf, arena);
    *out = STR("");
    if (json_kind(list) == JSON_KIND_NULL)
        return ERR_OK;
    if (json_kind(list) != JSON_KIND_ARRAY)
        return err_set(why, ERR_INVALID, "\"%s\" must be a list of texts", key);
    for (size_t i = 0; i < json_len(list); i++) {
        struct str item = json_str(json_at(list, i), STR(""));
        if (!item.len || str_find_char(item, ' ') != STR_NPOS)
            return err_set(why, ERR_INVALID, "an item of \"%s\" is no text, or has a space", key);
        if (i)
            buf_char(&buf, ' ');
        buf_add(&buf, item);
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err read_numbers(const struct json *body, struct meter_limit *l, struct why *why)
{
    const struct {
        const char *key;
        int64_t *to;
    } numbers[] = {{"requests_per_minute", &l->requests_per_minute},
                   {"tokens_per_minute", &l->tokens_per_minute},
                   {"concurrent", &l->concurrent},
                   {"tokens_per_day", &l->tokens_per_day},
                   {"tokens_per_month", &l->tokens_per_month},
                   {"money_micro_per_day", &l->money_per_day},
                   {"money_micro_per_month", &l->money_per_month}};
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < sizeof numbers / sizeof numbers[0]; i++)
        err = number_member(body, numbers[i].key, METER_NO_LIMIT, numbers[i].to, why);
    return err;
}

/* The version in If-Match, -1 when there is none or "*". */
static enum err if_match(struct http_request *req, int64_t *out, struct why *why)
{
    struct str tag = str_trim(http_header(req, "If-Match"));
    *out = -1;
    if (!tag.len || str_eq_c(tag, "*"))
        return ERR_OK;
    if (tag.len > 2 && tag.ptr[0] == '"' && str_to_i64(str_slice(tag, 1, tag.len - 1), out) &&
        *out >= 0)
        return ERR_OK;
    return err_set(why, ERR_PRECONDITION, "If-Match does not hold a version of limits, like \"3\"");
}

static enum err change_limits(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct meter_limit l = {0};
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = only(body, limit_members, why);
    if (!err)
        err = level_of(json_get_str(body, "level", STR("")), &l.level, why);
    if (!err)
        err = joined(body, "models", http_arena(req), &l.models, why);
    if (!err)
        err = joined(body, "networks", http_arena(req), &l.network, why);
    if (!err)
        err = read_numbers(body, &l, why);
    if (!err)
        err = time_member(body, "expires_at", &l.expires_ms, why);
    if (!err)
        err = if_match(req, &l.version, why);
    if (err)
        return err;
    l.tenant = json_get_str(body, "tenant", caller(req)->tenant);
    l.name = json_get_str(body, "name", STR(""));
    l.application = json_get_str(body, "application", STR(""));
    err = meter_limit_put(http_ctx(req), caller(req), &l, why);
    if (!err)
        http_status(res, 204);
    return err;
}

static enum err remove_limits(struct http_request *req, struct http_response *res, struct why *why)
{
    enum meter_level level;
    const char *tenant;
    char *name = z_param(req, "name");
    enum err err = tenant_of(req, false, &tenant, why);
    if (!err)
        err = level_of(http_param(req, "level"), &level, why);
    if (!err)
        err = meter_limit_remove(http_ctx(req), caller(req), tenant, level, name ? name : "", why);
    if (!err)
        http_status(res, 204);
    return err;
}

/* ---- usage ---- */

static enum err step_of(struct str name, enum meter_step *out, struct why *why)
{
    static const char *const names[] = {"none", "hour", "day", "month"};
    *out = METER_STEP_DAY;
    for (size_t i = 0; name.len && i < sizeof names / sizeof names[0]; i++)
        if (str_eq_c(name, names[i])) {
            *out = (enum meter_step)i;
            return ERR_OK;
        }
    return name.len ? err_set(why, ERR_INVALID, "step is none, hour, day or month") : ERR_OK;
}

static const struct {
    const char *name;
    unsigned bit;
} bys[] = {{"tenant", METER_BY_TENANT},
           {"model", METER_BY_MODEL},
           {"application", METER_BY_APPLICATION},
           {"key", METER_BY_KEY},
           {"kind", METER_BY_KIND}};
#define N_BYS (sizeof bys / sizeof bys[0])

static enum err by_of(struct str list, unsigned *out, struct why *why)
{
    struct str part;
    *out = 0;
    while (str_next(&list, ',', &part)) {
        unsigned bit = 0;
        for (size_t i = 0; i < N_BYS; i++)
            if (str_eq_c(part, bys[i].name))
                bit = bys[i].bit;
        if (!bit)
            return err_set(why, ERR_INVALID,
                           "by is a list of tenant, model, application, key, kind");
        *out |= bit;
    }
    return ERR_OK;
}

static void put_mean(struct json_out *out, const char *key, int64_t sum, int64_t n)
{
    if (n > 0) {
        json_kv_real(out, key, (double)sum / (double)n);
    } else {
        json_key(out, key);
        json_put_null(out);
    }
}

static void put_sums(struct json_out *out, const struct meter_sums *s)
{
    json_kv_int(out, "calls", s->calls);
    json_kv_int(out, "failed", s->failed);
    json_kv_int(out, "prompt_tokens", s->prompt);
    json_kv_int(out, "cached_tokens", s->cached);
    json_kv_int(out, "completion_tokens", s->completion);
    json_kv_int(out, "images", s->images);
    json_kv_int(out, "money_micro", s->money);
    put_mean(out, "mean_ms", s->ms, s->calls);
    put_mean(out, "mean_queue_ms", s->queue_ms, s->calls);
    put_mean(out, "mean_first_ms", s->first_ms, s->n_first);
}

static void put_row(struct meter *m, struct json_out *out, const struct meter_filter *f,
                    const struct meter_row *r, struct arena *arena)
{
    const struct str values[N_BYS] = {r->tenant, r->model, r->application, r->key, r->kind};
    json_begin_object(out);
    json_kv_time(out, "at", r->at_ms);
    for (size_t i = 0; i < N_BYS; i++)
        if (f->by & bys[i].bit)
            json_kv_str(out, bys[i].name, values[i]);
    if (f->by & METER_BY_KEY) {
        struct str actor = str_printf(arena, "%.*s:%.*s", STR_FMT(r->who_kind), STR_FMT(r->key));
        json_kv_str(out, "actor", actor);
        json_kv_str(out, "actor_name", ops_actor_name(m->ops, actor, arena));
    }
    put_sums(out, &r->sums);
    json_end_object(out);
}

static enum err read_filter(struct http_request *req, struct meter_filter *f, struct why *why)
{
    int32_t from = http_param_day(req, "from"), to = http_param_day(req, "to");
    struct meter *m = http_ctx(req);
    int32_t today = day_of(meter_now(m));
    *f = (struct meter_filter){.model = z_param(req, "model"),
                               .application = z_param(req, "application"),
                               .key = z_param(req, "key"),
                               .limit = (int)http_param_limit(req, MOST_ROWS, MOST_ROWS)};
    enum err err = tenant_of(req, true, &f->tenant, why);
    if (!err)
        err = step_of(http_param(req, "step"), &f->step, why);
    if (!err)
        err = by_of(http_param(req, "by"), &f->by, why);
    to = to == DAY_NONE ? today : to;
    from = from == DAY_NONE ? (f->step == METER_STEP_HOUR ? to : to - 29) : from;
    f->from_ms = day_start_ms(from);
    f->to_ms = day_start_ms(to + 1);
    return err;
}

static enum err show_usage(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_filter f;
    struct meter_row *rows;
    struct meter_sums total = {0};
    struct arena *arena = http_arena(req);
    size_t n;
    enum err err = read_filter(req, &f, why);
    if (!err)
        err = meter_usage_query(http_ctx(req), &f, arena, &rows, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_time(out, "from_at", f.from_ms);
    json_kv_time(out, "to_at", f.to_ms);
    json_kv_c(out, "currency", METER_CURRENCY);
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        put_row(http_ctx(req), out, &f, &rows[i], arena);
        meter_sums_add(&total, &rows[i].sums);
    }
    json_end_array(out);
    json_key(out, "total");
    json_begin_object(out);
    put_sums(out, &total);
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

/* ---- bills ---- */

static enum err month_of_path(struct http_request *req, int *month, struct why *why)
{
    struct str text = http_param(req, "month");
    int64_t y = 0, m = 0;
    if (text.len != 7 || text.ptr[4] != '-' || !str_to_i64(str_slice(text, 0, 4), &y) ||
        !str_to_i64(str_slice(text, 5, 7), &m) || y < 1970 || m < 1 || m > 12)
        return err_set(why, ERR_INVALID, "a month is a year and two digits, like 2026-11");
    *month = (int)(y * 100 + m);
    return ERR_OK;
}

static enum err bill_of_path(struct http_request *req, struct meter_bill *bill, struct why *why)
{
    const char *tenant;
    int month = 0;
    enum err err = month_of_path(req, &month, why);
    if (!err)
        err = tenant_of(req, false, &tenant, why);
    return err ? err : meter_bill_of(http_ctx(req), tenant, month, http_arena(req), bill, why);
}

static enum err list_bills(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_month *months;
    size_t n;
    const char *tenant;
    enum err err = tenant_of(req, true, &tenant, why);
    if (!err)
        err = meter_bill_list(http_ctx(req), tenant, (int)http_param_limit(req, 120, 1000),
                              http_arena(req), &months, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%04d-%02d", months[i].month / 100,
                       months[i].month % 100);
        json_begin_object(out);
        json_kv_str(out, "tenant", months[i].tenant);
        json_kv_c(out, "month", text);
        json_kv_c(out, "currency", METER_CURRENCY);
        json_kv_int(out, "money_micro", months[i].money);
        json_kv_int(out, "tokens", months[i].tokens);
        json_kv_bool(out, "closed", months[i].closed_ms > 0);
        json_kv_time(out, "closed_at", months[i].closed_ms);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

static enum err send_bill(struct http_request *req, struct http_response *res,
                          const struct meter_bill *bill, struct why *why)
{
    struct buf buf;
    buf_init(&buf, http_arena(req));
    enum err err = meter_bill_json(bill, &buf, why);
    if (!err && bill->sha256.len)
        http_set_header(res, "X-Bill-SHA256", str_z(http_arena(req), bill->sha256));
    if (!err)
        http_send(res, "application/json", buf_str(&buf));
    return err;
}

static enum err show_bill(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_bill bill;
    enum err err = bill_of_path(req, &bill, why);
    return err ? err : send_bill(req, res, &bill, why);
}

static enum err show_csv(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_bill bill;
    struct buf buf;
    char name[96];
    enum err err = bill_of_path(req, &bill, why);
    buf_init(&buf, http_arena(req));
    if (!err)
        err = meter_bill_csv(&bill, &buf, why);
    if (err)
        return err;
    (void)snprintf(name, sizeof name, "attachment; filename=\"bill-%d.csv\"", bill.month);
    http_set_header(res, "Content-Disposition", name);
    http_send(res, "text/csv; charset=utf-8", buf_str(&buf));
    return ERR_OK;
}

static enum err close_bill(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_bill bill;
    const char *tenant;
    int month = 0;
    enum err err = month_of_path(req, &month, why);
    if (!err)
        err = tenant_of(req, false, &tenant, why);
    if (!err)
        err = meter_bill_close(http_ctx(req), caller(req), tenant, month, why);
    if (!err)
        err = meter_bill_of(http_ctx(req), tenant, month, http_arena(req), &bill, why);
    return err ? err : send_bill(req, res, &bill, why);
}

/* ---- one call, as evidence ---- */

static enum err show_call(struct http_request *req, struct http_response *res, struct why *why)
{
    struct meter_paper p;
    enum err err = meter_paper_of(http_ctx(req), http_param(req, "id"), http_arena(req), &p, why);
    if (!err && meter_see(caller(req), p.tenant, NULL))
        err = err_set(why, ERR_NOT_FOUND, "there is no such call");
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "id", http_param(req, "id"));
    json_kv_int(out, "line", p.line);
    json_kv_str(out, "tenant", p.tenant);
    json_kv_str(out, "key", p.key);
    json_kv_str(out, "application", p.application);
    json_kv_str(out, "model", p.model);
    json_kv_str(out, "model_id", p.model_id);
    json_kv_str(out, "price", p.plan);
    json_kv_str(out, "trace_id", p.trace);
    json_kv_c(out, "kind", meter_kind_name(p.kind));
    json_kv_c(out, "counted_by", meter_source_name(p.source));
    json_kv_c(out, "outcome", meter_outcome_name(p.outcome));
    json_kv_time(out, "began_at", p.began_ms);
    json_kv_time(out, "ended_at", p.ended_ms);
    json_kv_int(out, "prompt_tokens", p.charge.prompt);
    json_kv_int(out, "cached_tokens", p.charge.cached);
    json_kv_int(out, "completion_tokens", p.charge.completion);
    json_kv_int(out, "money_micro", p.charge.money);
    json_kv_c(out, "currency", METER_CURRENCY);
    json_kv_int(out, "batch", p.batch);
    json_kv_str(out, "batch_sha256", p.batch_sha256);
    json_kv_int(out, "ledger_entry", p.ledger_entry);
    json_kv_str(out, "canonical", p.canonical);
    json_kv_c(out, "sha256", p.sha256);
    json_end_object(out);
    return ERR_OK;
}

/* ---- the table ---- */

#define TENANT                                                                                     \
    {                                                                                              \
        "tenant", "string", "Tenant; the own one when missing", false, false                       \
    }
static const struct http_param by_prices[] = {
    {"price_key", "string", "Only of this price key", false, false},
    {"limit", "integer", "Most items", false, false}};
static const struct http_param by_id[] = {{"id", "uuid", "Id", true, true}};
static const struct http_param by_tenant[] = {TENANT};
static const struct http_param by_limit[] = {
    TENANT,
    {"level", "string", "tenant, application or key", false, true},
    {"name", "string", "Application, or id of the key", false, false}};
static const struct http_param by_usage[] = {
    TENANT,
    {"from", "date", "First day; 30 days before the last when missing", false, false},
    {"to", "date", "Last day; today when missing", false, false},
    {"step", "string", "none, hour, day (when missing) or month", false, false},
    {"by", "string", "List of tenant, model, application, key, kind", false, false},
    {"model", "string", "Only this model", false, false},
    {"application", "string", "Only this application", false, false},
    {"key", "string", "Only this key or user", false, false},
    {"limit", "integer", "Most rows", false, false}};
static const struct http_param by_bills[] = {TENANT,
                                             {"limit", "integer", "Most items", false, false}};
static const struct http_param by_month[] = {
    {"month", "string", "Year and month, like 2026-11", true, true}, TENANT};

#define N(array) (array), sizeof(array) / sizeof((array)[0])
#define READ     HTTP_SESSION, "meter.read"
#define LIMIT    HTTP_SESSION, "meter.limit"
#define PRICE    HTTP_SESSION, "meter.price"
#define BILL     HTTP_SESSION, "meter.bill"

static const struct http_route routes[] = {
    {"GET", "/api/prices", READ, 0, "Prices, newest first", NULL, NULL, N(by_prices), list_prices},
    {"POST", "/api/prices", PRICE, BODY, "Set a price from a moment on", NULL, NULL, NULL, 0,
     create_price},
    {"DELETE", "/api/prices/{id}", PRICE, 0, "Take back a price that is not in force yet", NULL,
     NULL, N(by_id), withdraw_price},
    {"GET", "/api/limits", READ, 0, "Limits with what is used of them", NULL, NULL, N(by_tenant),
     list_limits},
    {"PUT", "/api/limits", LIMIT, BODY, "Set all limits of a tenant, an application or a key", NULL,
     NULL, NULL, 0, change_limits},
    {"DELETE", "/api/limits", LIMIT, 0, "Remove the limits of a tenant, an application or a key",
     NULL, NULL, N(by_limit), remove_limits},
    {"GET", "/api/usage", READ, 0, "Calls, tokens, money and times by hour, day or month", NULL,
     NULL, N(by_usage), show_usage},
    {"GET", "/api/bills", READ, 0, "Months with their sums, newest first", NULL, NULL, N(by_bills),
     list_bills},
    {"GET", "/api/bills/{month}", READ, 0, "The bill of a month", NULL, NULL, N(by_month),
     show_bill},
    {"GET", "/api/bills/{month}/csv", READ, 0, "The bill of a month as CSV", NULL, NULL,
     N(by_month), show_csv},
    {"POST", "/api/bills/{month}/close", BILL, 4096, "Close the bill of a month that is over", NULL,
     NULL, N(by_month), close_bill},
    {"GET", "/api/metered_calls/{id}", READ, 0,
     "One metered call with the digests that prove it, by its id in the request log", NULL, NULL,
     N(by_id), show_call},
};

const struct http_table *meter_routes(struct meter *meter)
{
    static const struct http_table none = {.room = "meter"};
    struct http_table *table = arena_one(meter->arena, struct http_table);
    if (!table)
        return &none;
    *table = (struct http_table){
        .room = "meter", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = meter};
    return table;
}
