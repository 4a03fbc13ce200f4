/* The routes /api/evaluations. */
#include <stdlib.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "eval/room.h"
#include "http/http.h"

#define MOST_QUESTIONS (16u << 20)

static const struct ops_identity *caller(struct http_request *req)
{
    return http_identity(req);
}

/* The questions stand in the body, or are a set that the steward uploaded before (an earlier run).
 */
static enum err questions_of(struct eval *eval, const struct ops_identity *who,
                             const struct json *body, struct arena *arena, struct str *out,
                             struct why *why)
{
    struct str set = json_get_str(body, "set", STR(""));
    *out = json_get_str(body, "questions", STR(""));
    if (set.len == 0)
        return ERR_OK;
    struct store_rows rows;
    enum err err =
        store_ask(eval->opts.store, "SELECT questions FROM eval_runs WHERE id = ? AND tenant = ?",
                  STORE_ARGS(SV_STR(set), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no evaluation \"%.*s\"", STR_FMT(set));
    if (!err)
        *out = store_str(&rows, 0, 0);
    return err;
}

static enum err start(struct http_request *req, struct http_response *res, struct why *why)
{
    struct eval *eval = http_ctx(req);
    const struct ops_identity *who = caller(req);
    const struct json *body;
    struct str questions;
    char id[UUID_TEXT], job[UUID_TEXT];
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = questions_of(eval, who, body, http_arena(req), &questions, why);
    if (!err)
        err = eval_start(eval, who, json_get_str(body, "kb", STR("")),
                         json_get_str(body, "name", STR("")), questions, http_arena(req), id, job,
                         why);
    if (err)
        return err;
    job_accepted(res, id, job, "eval.retrieval");
    return ERR_OK;
}

/* Columns: id kb name n_questions job state metrics created_ms ended_ms. */
static void put_run(struct json_out *out, const struct store_rows *rows, size_t i)
{
    json_kv_str(out, "id", store_str(rows, i, 0));
    json_kv_str(out, "kb", store_str(rows, i, 1));
    json_kv_str(out, "name", store_str(rows, i, 2));
    json_kv_int(out, "n_questions", store_int(rows, i, 3));
    json_kv_str(out, "job", store_str(rows, i, 4));
    json_kv_str(out, "state", store_str(rows, i, 5));
    json_key(out, "metrics");
    json_put_raw(out, store_str(rows, i, 6));
    json_kv_time(out, "created_at", store_int(rows, i, 7));
    json_kv_time(out, "ended_at", store_int(rows, i, 8));
    json_kv_str(out, "why", store_str(rows, i, 9));
}

#define COLUMNS "id, kb, name, n_questions, job, state, metrics, created_ms, ended_ms, why"

static enum err list(struct http_request *req, struct http_response *res, struct why *why)
{
    struct eval *eval = http_ctx(req);
    struct str after = http_param(req, "after");
    int64_t limit = http_param_int(req, "limit", 50);
    struct store_rows rows;
    if (limit < 1 || limit > 200)
        return err_set(why, ERR_INVALID, "\"limit\" must be from 1 to 200");
    enum err err =
        store_ask(eval->opts.store,
                  "SELECT " COLUMNS " FROM eval_runs WHERE tenant = ? AND (? = '' OR id < ?)"
                  " ORDER BY id DESC LIMIT ?",
                  STORE_ARGS(SV_STR(caller(req)->tenant), SV_STR(after.ptr ? after : STR("")),
                             SV_STR(after.ptr ? after : STR("")), SV_INT(limit)),
                  http_arena(req), &rows, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        json_begin_object(out);
        put_run(out, &rows, i);
        json_end_object(out);
    }
    json_end_items(out,
                   (int64_t)rows.n_rows == limit ? store_str(&rows, rows.n_rows - 1, 0) : STR(""));
    return ERR_OK;
}

static enum err show(struct http_request *req, struct http_response *res, struct why *why)
{
    struct eval *eval = http_ctx(req);
    struct store_rows rows;
    struct str id = http_param(req, "id");
    enum err err = store_ask(
        eval->opts.store, "SELECT " COLUMNS ", misses FROM eval_runs WHERE id = ? AND tenant = ?",
        STORE_ARGS(SV_STR(id), SV_STR(caller(req)->tenant)), http_arena(req), &rows, why);
    if (!err && rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no evaluation \"%.*s\"", STR_FMT(id));
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    put_run(out, &rows, 0);
    json_key(out, "misses");
    json_put_raw(out, store_str(&rows, 0, 10));
    json_end_object(out);
    return ERR_OK;
}

static const struct http_param id_param[] = {{"id", "uuid", "The evaluation", true, true}};
static const struct http_param page_params[] = {
    {"limit", "integer", "At most so many, 1 to 200", false, false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/evaluations",
     .access = HTTP_SESSION,
     .permission = "eval.run",
     .summary = "The evaluations, newest first",
     .params = page_params,
     .n_params = 2,
     .handle = list},
    {.method = "POST",
     .path = "/api/evaluations",
     .access = HTTP_SESSION,
     .permission = "eval.run",
     .body_limit = MOST_QUESTIONS,
     .summary = "Ask a knowledge base the questions and measure",
     .request_schema = "{\"type\":\"object\",\"properties\":{\"kb\":{\"type\":\"string\"},\"name\":"
                       "{\"type\":\"string\"},"
                       "\"questions\":{\"type\":\"string\",\"description\":\"JSON "
                       "lines\"},\"set\":{\"type\":\"string\"}}}",
     .handle = start},
    {.method = "GET",
     .path = "/api/evaluations/{id}",
     .access = HTTP_SESSION,
     .permission = "eval.run",
     .summary = "One evaluation with its misses",
     .params = id_param,
     .n_params = 1,
     .handle = show},
};

const struct http_table *eval_routes(struct eval *eval)
{
    if (!eval->table)
        eval->table = calloc(1, sizeof *eval->table);
    if (eval->table)
        *eval->table = (struct http_table){
            .room = "eval", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = eval};
    return eval->table;
}
