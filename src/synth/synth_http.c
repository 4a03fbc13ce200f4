/* synth/synth_http - the routes of synthesis. */
#include <stdlib.h>

#include "core/arena.h"
#include "http/http.h"
#include "synth/synth_in.h"

#define BODY ((size_t)64 << 10)

static enum err methods(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    synth_methods_json(http_json(res));
    return ERR_OK;
}

static enum err estimate(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct buf buf;
    struct json_out out;
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = synth_estimate_json(http_ctx(req), http_identity(req), http_body(req),
                                  http_arena(req), &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (!err)
        json_put_raw(http_json(res), buf_str(&buf));
    return err;
}

static enum err start(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char id[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = synth_start(http_ctx(req), http_identity(req), http_body(req), id, why);
    if (err)
        return err;
    job_accepted(res, NULL, id, "synth.run");
    return ERR_OK;
}

#define SPEC_SCHEMA                                                                                \
    "{\"type\":\"object\",\"required\":[\"input\",\"output\",\"method\"],\"properties\":{"         \
    "\"input\":{\"type\":\"object\"},\"output\":{\"type\":\"object\"},\"method\":{\"type\":"       \
    "\"string\"},\"model\":{\"type\":\"string\"},\"per_passage\":{\"type\":\"integer\"},"          \
    "\"most_records\":{\"type\":\"integer\"},\"seed\":{\"type\":\"integer\"},\"budget\":{"         \
    "\"type\":\"object\"},\"append\":{\"type\":\"boolean\"}}}"

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/synthesis_methods",
     .access = HTTP_SESSION,
     .permission = "data.read",
     .summary = "What can be made, and of which records",
     .handle = methods},
    {.method = "POST",
     .path = "/api/syntheses/estimate",
     .access = HTTP_SESSION,
     .permission = "data.read",
     .body_limit = BODY,
     .summary = "How many passages, calls and tokens a synthesis takes, with examples by the rules",
     .request_schema = SPEC_SCHEMA,
     .handle = estimate},
    {.method = "POST",
     .path = "/api/syntheses",
     .access = HTTP_SESSION,
     .permission = "data.write",
     .body_limit = BODY,
     .summary = "Start a synthesis",
     .request_schema = SPEC_SCHEMA,
     .handle = start},
};

const struct http_table *synth_routes(struct synth *synth)
{
    static const struct http_table none = {.room = "synth"};
    if (!synth->table)
        synth->table = malloc(sizeof *synth->table);
    if (!synth->table)
        return &none;
    *synth->table = (struct http_table){
        .room = "synth", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = synth};
    return synth->table;
}
