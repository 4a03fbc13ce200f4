/* /api/requests: the request log for people, and for room acquire. */
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "gateway/gateway_in.h"
#include "ops/ops.h"

#define MOST_ITEMS  200
#define AGREED_ROWS 200
#define AGREED_PAGE ((size_t)64 << 20)

#define COLUMNS                                                                                    \
    "id, at_ms, tenant_id, actor, name, application, address, trace, door, model, version,"        \
    " target, code, source, status, stream, cached, attempts, prompt_tokens, cached_tokens,"       \
    " completion_tokens, money, ms, first_ms, queue_ms, served"

static void put_row(const struct store_rows *rows, size_t row, struct json_out *out)
{
    static const char *const texts[] = {"tenant",  "actor",  "actor_name", "application",
                                        "address", "trace",  "door",       "model",
                                        "version", "target", "code",       "source"};
    static const char *const numbers[] = {"attempts",          "prompt_tokens", "cached_tokens",
                                          "completion_tokens", "money_micro",   "ms",
                                          "first_ms",          "queue_ms"};
    char time[TIME_TEXT];
    json_begin_object(out);
    json_kv_str(out, "id", store_str(rows, row, 0));
    json_kv_c(out, "at", time_format(store_int(rows, row, 1), time));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        json_kv_str(out, texts[i], store_str(rows, row, 2 + i));
    json_kv_str(out, "served", store_str(rows, row, 25));
    json_kv_int(out, "status", store_int(rows, row, 14));
    json_kv_bool(out, "stream", store_int(rows, row, 15) != 0);
    json_kv_bool(out, "cached", store_int(rows, row, 16) != 0);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        int64_t value = store_int(rows, row, 17 + i);
        json_key(out, numbers[i]);
        if (value < 0) /* no first token */
            json_put_null(out);
        else
            json_put_int(out, value);
    }
}

/* Whose calls may be seen: the own tenant's, or all. */
static struct store_value whose(const struct ops_identity *who, bool *all)
{
    *all = ops_may(who, "ops.every_tenant");
    return SV_STR(who->tenant);
}

static enum err list(struct http_request *req, struct http_response *res, struct why *why)
{
    struct gateway *gateway = http_ctx(req);
    struct str model = http_param(req, "model"), before = http_param(req, "before");
    struct str served = http_param(req, "served"), trace = http_param(req, "trace");
    size_t limit = http_param_limit(req, 50, MOST_ITEMS);
    bool failed = http_param_bool(req, "failed", false), all;
    struct store_value tenant = whose(http_identity(req), &all);
    struct store_rows rows;
    if (!gateway->opts.store)
        return err_set(why, ERR_UNSUPPORTED, "no log of calls is kept");
    enum err err = store_ask(
        gateway->opts.store,
        "SELECT " COLUMNS " FROM gateway_requests WHERE (? = 1 OR tenant_id = ?)"
        " AND (? = 0 OR model = ?) AND (? = 0 OR status >= 400) AND (? = 0 OR id < ?)"
        " AND (? = 0 OR served = ?) AND (? = 0 OR trace = ? OR id = ?) ORDER BY id DESC LIMIT ?",
        STORE_ARGS(SV_INT(all), tenant, SV_INT(model.len > 0), SV_STR(model), SV_INT(failed),
                   SV_INT(before.len > 0), SV_STR(before), SV_INT(served.len > 0), SV_STR(served),
                   SV_INT(trace.len > 0), SV_STR(trace), SV_STR(trace), SV_INT((int64_t)limit)),
        http_arena(req), &rows, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        put_row(&rows, i, out);
        json_end_object(out);
    }
    json_end_items(out, rows.n_rows == limit ? store_str(&rows, rows.n_rows - 1, 0) : STR(""));
    return ERR_OK;
}

static enum err show(struct http_request *req, struct http_response *res, struct why *why)
{
    struct gateway *gateway = http_ctx(req);
    bool all;
    struct store_value tenant = whose(http_identity(req), &all);
    struct store_rows rows;
    if (!gateway->opts.store)
        return err_set(why, ERR_UNSUPPORTED, "no log of calls is kept");
    enum err err = store_ask(gateway->opts.store,
                             "SELECT " COLUMNS ", request, reply FROM gateway_requests"
                             " WHERE id = ? AND (? = 1 OR tenant_id = ?)",
                             STORE_ARGS(SV_STR(http_param(req, "id")), SV_INT(all), tenant),
                             http_arena(req), &rows, why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no such call in the log");
    struct json_out *out = http_json(res);
    put_row(&rows, 0, out);
    json_kv_str(out, "request", store_str(&rows, 0, 26));
    json_kv_str(out, "reply", store_str(&rows, 0, 27));
    json_end_object(out);
    return ERR_OK;
}

/* ---- for room acquire ---- */

static enum err agreed_page(struct gateway *gateway, const struct ops_identity *who,
                            struct str *after, size_t *n, gateway_agreed_fn *each, void *ctx,
                            struct why *why)
{
    struct arena *arena = arena_new(AGREED_PAGE);
    struct store_rows rows;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the log of calls");
    *n = 0;
    if (!err)
        err =
            store_ask(gateway->opts.store,
                      "SELECT id, model, application, door, request, reply, stream, at_ms FROM "
                      "gateway_requests WHERE tenant_id = ? AND consent = 1 AND id > ? AND status "
                      "< 400 ORDER BY id LIMIT ?",
                      STORE_ARGS(SV_STR(who->tenant), SV_STR(*after), SV_INT(AGREED_ROWS)), arena,
                      &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct gateway_agreed call = {.id = store_str(&rows, i, 0),
                                      .model = store_str(&rows, i, 1),
                                      .application = store_str(&rows, i, 2),
                                      .door = store_str(&rows, i, 3),
                                      .request = store_str(&rows, i, 4),
                                      .reply = store_str(&rows, i, 5),
                                      .stream = store_int(&rows, i, 6) != 0,
                                      .at_ms = store_int(&rows, i, 7)};
        err = each(ctx, &call, why);
        ++*n;
        if (!err && call.id.len < UUID_TEXT) {
            memcpy((char *)after->ptr, call.id.ptr, call.id.len);
            after->len = call.id.len;
        }
    }
    arena_free(arena);
    return err;
}

enum err gateway_agreed_each(struct gateway *gateway, const struct ops_identity *who,
                             struct str after, gateway_agreed_fn *each, void *ctx, struct why *why)
{
    char last[UUID_TEXT] = "";
    struct str at = {last, after.len < UUID_TEXT ? after.len : 0};
    size_t n = AGREED_ROWS;
    enum err err = ops_need(who, "gateway.requests", why);
    if (!err && !gateway->opts.store)
        err = err_set(why, ERR_UNSUPPORTED, "no log of calls is kept");
    memcpy(last, after.ptr ? after.ptr : "", at.len);
    while (!err && n == AGREED_ROWS)
        err = agreed_page(gateway, who, &at, &n, each, ctx, why);
    return err;
}

static const struct http_param list_params[] = {
    {"model", "string", "calls of this model", false, false},
    {"served", "string", "answers of this version, as \"model:version\"", false, false},
    {"trace", "string", "calls of one trace, or the call with this id", false, false},
    {"failed", "boolean", "only calls that did not go well", false, false},
    {"before", "string", "the cursor \"next\" of the page before", false, false},
    {"limit", "integer", "at most so many, 1 to 200", false, false},
};
static const struct http_param show_params[] = {{"id", "uuid", "the call", true, true}};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/requests",
     .access = HTTP_SESSION,
     .permission = "gateway.requests",
     .summary = "Calls of models, newest first",
     HTTP_PARAMS(list_params),
     .response_schema = "{\"type\":\"object\",\"required\":[\"items\",\"next\"]}",
     .handle = list},
    {.method = "GET",
     .path = "/api/requests/{id}",
     .access = HTTP_SESSION,
     .permission = "gateway.requests",
     .summary = "One call, with what was asked and answered as far as it is kept",
     .params = show_params,
     .n_params = 1,
     .response_schema = "{\"type\":\"object\",\"required\":[\"id\",\"status\"]}",
     .handle = show},
};

const struct http_table *gateway_api_routes(struct gateway *gateway)
{
    gateway->api_table = (struct http_table){.room = "gateway_api",
                                             .routes = routes,
                                             .n = sizeof routes / sizeof routes[0],
                                             .ctx = gateway};
    return &gateway->api_table;
}
