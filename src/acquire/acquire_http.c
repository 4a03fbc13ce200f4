/* acquire/acquire_http - the routes of collectors and their runs. */
#include <stdio.h>
#include <string.h>

#include "acquire/acquire_in.h"
#include "core/arena.h"

#define BODY ((size_t)1 << 20)

static struct acquire *room(struct http_request *req)
{
    return http_ctx(req);
}

static enum err list_kinds(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    acquire_kinds_json(http_json(res));
    return ERR_OK;
}

static enum err list(struct http_request *req, struct http_response *res, struct why *why)
{
    return acquire_list_json(room(req), http_identity(req), http_arena(req), http_json(res), why);
}

static enum err create(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct buf buf;
    struct json_out out;
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = acquire_create(room(req), http_identity(req), body, http_arena(req), &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (err)
        return err;
    http_status(res, 201);
    json_put_raw(http_json(res), buf_str(&buf));
    return ERR_OK;
}

static enum err show(struct http_request *req, struct http_response *res, struct why *why)
{
    struct buf buf;
    struct json_out out;
    int64_t revision = 0;
    char tag[40];
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    enum err err = acquire_show_json(room(req), http_identity(req), http_param(req, "id"),
                                     &revision, http_arena(req), &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (err)
        return err;
    (void)snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);
    http_set_header(res, "ETag", tag);
    json_put_raw(http_json(res), buf_str(&buf));
    return ERR_OK;
}

static enum err change(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    int64_t revision = -1;
    struct buf buf;
    struct json_out out;
    struct str tag = str_trim(http_header(req, "If-Match"));
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    if (tag.len && !str_eq_c(tag, "*") &&
        (tag.len < 3 || !str_to_i64(str_slice(tag, 1, tag.len - 1), &revision)))
        return err_set(why, ERR_PRECONDITION, "If-Match does not hold an ETag of this collector");
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = acquire_change(room(req), http_identity(req), http_param(req, "id"), body, revision,
                             http_arena(req), &out, why);
    return err ? err : show(req, res, why);
}

static enum err remove_it(struct http_request *req, struct http_response *res, struct why *why)
{
    enum err err = acquire_remove(room(req), http_identity(req), http_param(req, "id"), why);
    if (!err)
        http_status(res, 204);
    return err;
}

static enum err reset(struct http_request *req, struct http_response *res, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    enum err err = acquire_reset(room(req), http_identity(req), http_param(req, "id"),
                                 http_arena(req), &out, why);
    return err ? err : show(req, res, why);
}

static enum err run(struct http_request *req, struct http_response *res, struct why *why)
{
    char id[UUID_TEXT];
    enum err err = acquire_run(room(req), http_identity(req), http_param(req, "id"), id, why);
    if (!err)
        job_accepted(res, NULL, id, "acquire.run");
    return err;
}

static enum err try_it(struct http_request *req, struct http_response *res, struct why *why)
{
    char id[UUID_TEXT];
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = acquire_try(room(req), http_identity(req), body, id, why);
    if (!err)
        job_accepted(res, NULL, id, "acquire.try");
    return err;
}

static enum err list_runs(struct http_request *req, struct http_response *res, struct why *why)
{
    return acquire_runs_json(room(req), http_identity(req), http_param(req, "id"),
                             http_param_limit(req, 50, 500), http_arena(req), http_json(res), why);
}

#define COLLECTOR_SCHEMA                                                                           \
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"title\":{\"type\":"     \
    "\"string\"},\"kind\":{\"type\":\"string\"},\"dataset\":{\"type\":\"string\"},"                \
    "\"dataset_title\":{\"type\":\"string\"},\"record_kind\":{\"type\":\"string\"},\"access\":{"   \
    "\"enum\":[\"public\",\"staff\",\"department\",\"restricted\"]},\"settings\":{\"type\":"       \
    "\"object\"},\"map\":{\"type\":\"object\"},\"collection\":{\"type\":\"object\"},"              \
    "\"schedule\":{\"type\":\"string\"},\"enabled\":{\"type\":\"boolean\"}}}"

static const struct http_param by_id[] = {
    {"id", "string", "the collector: its id or its name", true, true},
};
static const struct http_param run_params[] = {
    {"id", "string", "the collector: its id or its name", true, true},
    {"limit", "integer", "at most so many, 1 to 500", false, false},
};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/collector_kinds",
     .access = HTTP_SESSION,
     .permission = "data.read",
     .summary = "The kinds of collectors with their settings",
     .handle = list_kinds},
    {.method = "GET",
     .path = "/api/collectors",
     .access = HTTP_SESSION,
     .permission = "data.read",
     .summary = "The collectors",
     .handle = list},
    {.method = "POST",
     .path = "/api/collectors",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .body_limit = BODY,
     .summary = "Make a collector",
     .request_schema = COLLECTOR_SCHEMA,
     .handle = create},
    {.method = "POST",
     .path = "/api/collectors/try",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .body_limit = BODY,
     .summary = "Show the first records that a collector would give",
     .request_schema = COLLECTOR_SCHEMA,
     .handle = try_it},
    {.method = "GET",
     .path = "/api/collectors/{id}",
     .access = HTTP_SESSION,
     .permission = "data.read",
     .summary = "A collector",
     HTTP_PARAMS(by_id),
     .handle = show},
    {.method = "PATCH",
     .path = "/api/collectors/{id}",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .body_limit = BODY,
     .summary = "Change a collector",
     .request_schema = COLLECTOR_SCHEMA,
     HTTP_PARAMS(by_id),
     .handle = change},
    {.method = "DELETE",
     .path = "/api/collectors/{id}",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .summary = "Remove a collector; what it collected stays",
     HTTP_PARAMS(by_id),
     .handle = remove_it},
    {.method = "POST",
     .path = "/api/collectors/{id}/run",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .body_limit = BODY,
     .summary = "Run a collector now",
     HTTP_PARAMS(by_id),
     .handle = run},
    {.method = "POST",
     .path = "/api/collectors/{id}/reset",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .body_limit = BODY,
     .summary = "Forget how far a collector has read",
     HTTP_PARAMS(by_id),
     .handle = reset},
    {.method = "GET",
     .path = "/api/collectors/{id}/runs",
     .access = HTTP_SESSION,
     .permission = "data.read",
     .summary = "The runs of a collector, the newest first",
     HTTP_PARAMS(run_params),
     .handle = list_runs},
};

const struct http_table *acquire_routes(struct acquire *acquire)
{
    acquire->table = (struct http_table){
        .room = "acquire", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = acquire};
    return &acquire->table;
}
