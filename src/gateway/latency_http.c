/* /api/latency: percentiles of the times of calls, for people. */
#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "gateway/gateway_in.h"
#include "ops/ops.h"

#define MEMORY    ((size_t)64 << 20)
#define MOST_DAYS 400

static const struct {
    const char *name;
    unsigned bit;
} bys[] = {{"tenant", LATENCY_BY_TENANT},
           {"model", LATENCY_BY_MODEL},
           {"application", LATENCY_BY_APPLICATION}};
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
            return err_set(why, ERR_INVALID, "by is a list of tenant, model, application");
        *out |= bit;
    }
    return ERR_OK;
}

static enum err step_of(struct str name, enum latency_step *out, struct why *why)
{
    static const char *const names[] = {"none", "hour", "day"};
    *out = LATENCY_STEP_NONE;
    for (size_t i = 0; name.len && i < sizeof names / sizeof names[0]; i++)
        if (str_eq_c(name, names[i])) {
            *out = (enum latency_step)i;
            return ERR_OK;
        }
    return name.len ? err_set(why, ERR_INVALID, "step is none, hour or day") : ERR_OK;
}

static enum err read_filter(struct http_request *req, struct latency_filter *f, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    int32_t from = http_param_day(req, "from"), to = http_param_day(req, "to");
    struct str tenant = http_param(req, "tenant");
    if (!ops_may(who, "ops.every_tenant")) {
        if (tenant.len && !str_eq(tenant, who->tenant))
            return err_set(why, ERR_FORBIDDEN, "only the own tenant's calls may be seen");
        tenant = who->tenant;
    }
    *f = (struct latency_filter){.tenant = tenant,
                                 .model = http_param(req, "model"),
                                 .application = http_param(req, "application")};
    enum err err = by_of(http_param(req, "by"), &f->by, why);
    if (!err)
        err = step_of(http_param(req, "step"), &f->step, why);
    to = to == DAY_NONE ? day_today() : to;
    from = from == DAY_NONE ? to : from;
    if (!err && to - from > MOST_DAYS)
        err = err_set(why, ERR_INVALID, "times are kept for %d days", MOST_DAYS);
    f->from_ms = day_start_ms(from);
    f->to_ms = day_start_ms(to + 1);
    return err;
}

static void put_ms(struct json_out *out, const char *key, const int64_t *counts, double q)
{
    int64_t us = latency_percentile(counts, q);
    json_key(out, key);
    if (us < 0)
        json_put_null(out);
    else
        json_put_real(out, (double)us / 1000);
}

static void put_kind(struct json_out *out, const char *name, const int64_t *counts)
{
    int64_t n = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        n += counts[i];
    json_key(out, name);
    json_begin_object(out);
    json_kv_int(out, "n", n);
    put_ms(out, "p50_ms", counts, 0.50);
    put_ms(out, "p95_ms", counts, 0.95);
    put_ms(out, "p99_ms", counts, 0.99);
    json_end_object(out);
}

static void put_row(struct json_out *out, const struct latency_filter *f,
                    const struct latency_row *row)
{
    const struct str names[N_BYS] = {row->tenant, row->model, row->application};
    json_begin_object(out);
    json_kv_time(out, "at", row->at_ms);
    for (size_t i = 0; i < N_BYS; i++)
        if (f->by & bys[i].bit)
            json_kv_str(out, bys[i].name, names[i]);
    put_kind(out, "first", row->counts[LATENCY_FIRST]);
    put_kind(out, "between", row->counts[LATENCY_BETWEEN]);
    put_kind(out, "whole", row->counts[LATENCY_WHOLE]);
    json_end_object(out);
}

static enum err show(struct http_request *req, struct http_response *res, struct why *why)
{
    struct gateway *gateway = http_ctx(req);
    struct latency_filter f;
    struct latency_row **rows;
    size_t n = 0;
    if (!gateway->latency)
        return err_set(why, ERR_UNSUPPORTED, "no times of calls are kept");
    enum err err = read_filter(req, &f, why);
    if (err)
        return err;
    struct arena *arena = arena_new(MEMORY);
    err = arena ? latency_ask(gateway->latency, &f, arena, &rows, &n, why)
                : err_set(why, ERR_NO_MEMORY, "could not hold the times of calls");
    if (!err) {
        struct json_out *out = http_json(res);
        json_begin_object(out);
        json_kv_time(out, "from_at", f.from_ms);
        json_kv_time(out, "to_at", f.to_ms);
        json_key(out, "items");
        json_begin_array(out);
        for (size_t i = 0; i < n; i++)
            put_row(out, &f, rows[i]);
        json_end_array(out);
        json_end_object(out);
    }
    arena_free(arena);
    return err;
}

static const struct http_param params[] = {
    {"from", "date", "first day; the last one when missing", false, false},
    {"to", "date", "last day; today when missing", false, false},
    {"step", "string", "none (when missing), hour or day", false, false},
    {"by", "string", "list of tenant, model, application", false, false},
    {"tenant", "string", "only this tenant", false, false},
    {"model", "string", "only this model", false, false},
    {"application", "string", "only this application", false, false},
};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/latency",
     .access = HTTP_SESSION,
     .permission = "meter.read",
     .summary = "Percentiles of the times of calls: to the first token, between tokens, whole",
     HTTP_PARAMS(params),
     .response_schema = "{\"type\":\"object\",\"required\":[\"from_at\",\"to_at\",\"items\"]}",
     .handle = show},
};

const struct http_table *gateway_latency_routes(struct gateway *gateway)
{
    gateway->latency_table = (struct http_table){.room = "gateway_latency",
                                                 .routes = routes,
                                                 .n = sizeof routes / sizeof routes[0],
                                                 .ctx = gateway};
    return &gateway->latency_table;
}
