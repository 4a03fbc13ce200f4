/* The door: /v1/models and /v1/chat/completions over the knowledge bases. */
#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "gateway/chat.h"
#include "gateway/gateway.h"
#include "http/http.h"
#include "knowledge/knowledge.h"
#include "ops/ops.h"

#define MOST_BODY    ((size_t)1 << 20)
#define MOST_PER_ASK 5 /* passages that an answer may rest on */

struct gateway {
    struct gateway_opts opts;
    struct http_table table;
};

/* ---- errors ---- */

static void problem(struct json_out *out, const struct http_problem *p)
{
    chat_error(out, p->err, p->why, NULL);
}

/* An error that belongs to a parameter. */
static enum err refuse(struct http_response *res, enum err err, const struct why *why,
                       const char *param)
{
    chat_error(http_json(res), err, why, param[0] ? param : NULL);
    http_status(res, err_http(err));
    return ERR_OK;
}

/* ---- models ---- */

static void put_model(struct json_out *out, struct str name, struct str updated)
{
    int64_t ms = 0;
    char room[256];
    int n = snprintf(room, sizeof room, "kb:%.*s", STR_FMT(name));
    if (updated.len && !time_parse(updated, &ms))
        ms = 0;
    json_begin_object(out);
    json_kv_str(out, "id", (struct str){room, n > 0 ? (size_t)n : 0});
    json_kv_c(out, "object", "model");
    json_kv_int(out, "created", ms / 1000);
    json_kv_c(out, "owned_by", "yicheng");
    json_end_object(out);
}

/* The bases that this key may ask, as /api/knowledge_bases gives them. */
static enum err read_bases(struct http_request *req, const struct json **items, struct why *why)
{
    struct gateway *gateway = http_ctx(req);
    const struct json *root;
    struct json_out out;
    struct buf buf;
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    enum err err = knowledge_bases_json(gateway->opts.knowledge, http_identity(req),
                                        http_arena(req), &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), http_arena(req), &root, why);
    if (!err)
        *items = json_get(root, "items");
    return err;
}

static enum err list_models(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *items = NULL;
    enum err err = read_bases(req, &items, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_c(out, "object", "list");
    json_key(out, "data");
    json_begin_array(out);
    for (size_t i = 0; i < json_len(items); i++) {
        struct str name = json_get_str(json_at(items, i), "name", STR(""));
        if (ops_may_base(http_identity(req), name))
            put_model(out, name, json_get_str(json_at(items, i), "updated_at", STR("")));
    }
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

static enum err get_model(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *items = NULL;
    struct str id = http_param(req, "model");
    struct str want = str_starts(id, STR("kb:")) ? str_from(id, 3) : STR("");
    enum err err = read_bases(req, &items, why);
    if (err)
        return err;
    for (size_t i = 0; i < json_len(items); i++) {
        struct str name = json_get_str(json_at(items, i), "name", STR(""));
        if (want.len && str_eq(name, want) && ops_may_base(http_identity(req), name)) {
            put_model(http_json(res), name, json_get_str(json_at(items, i), "updated_at", STR("")));
            return ERR_OK;
        }
    }
    err = err_set(why, ERR_NOT_FOUND, "the model \"%.*s\" does not exist",
                  STR_FMT(utf8_prefix(id, 60)));
    return refuse(res, err, why, "model");
}

/* ---- chat ---- */

/* What stands before the links of citations; the host is the caller's own word. */
static struct str origin_of(struct http_request *req)
{
    struct str host = http_header(req, "Host");
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
        if (!ok)
            return STR("");
    }
    return str_printf(http_arena(req), "%s://%.*s", http_secure(req) ? "https" : "http",
                      STR_FMT(host));
}

static enum err answer(struct http_request *req, const struct chat_request *chat,
                       struct chat_reply *out, struct why *why)
{
    struct gateway *gateway = http_ctx(req);
    struct ops_identity *who = http_identity(req);
    struct knowledge_answer found;
    struct knowledge_ask ask = {.query = {.kb = chat->base,
                                          .text = chat->question,
                                          .as_of = chat->as_of,
                                          .limit = MOST_PER_ASK},
                                .turns = chat->turns,
                                .n_turns = chat->n_turns,
                                .record = true};
    if (!ops_may_base(who, str_c(chat->base)))
        return err_set(why, ERR_NOT_FOUND, "the model \"%.*s\" does not exist",
                       STR_FMT(utf8_prefix(chat->model, 60)));
    enum err err = knowledge_ask(gateway->opts.knowledge, who, &ask, http_arena(req), &found, why);
    if (!err)
        err = chat_reply_of(&found, chat, origin_of(req), http_arena(req), out, why);
    return err;
}

/* The whole answer is known when the stream begins: passages are quoted, not written word by word.
 */
struct pending {
    struct chat_reply reply;
    bool include_usage;
};

static enum err next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct pending *pending = ctx;
    *end = true;
    return chat_events(&pending->reply, pending->include_usage, out, why);
}

static enum err complete(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct chat_request chat;
    char param[CHAT_PARAM] = "";
    struct pending *pending = arena_one(http_arena(req), struct pending);
    if (!pending)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answer");
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = chat_read(body, http_arena(req), &chat, param, why);
    if (err)
        return refuse(res, err, why, param);
    err = answer(req, &chat, &pending->reply, why);
    if (err == ERR_NOT_FOUND)
        return refuse(res, err, why, "model");
    if (err == ERR_INVALID || err == ERR_TOO_LARGE)
        return refuse(res, err, why, "messages");
    if (err)
        return err;
    pending->include_usage = chat.include_usage;
    if (chat.stream)
        http_stream(res, next, NULL, pending);
    else
        chat_completion(&pending->reply, http_json(res));
    return ERR_OK;
}

/* ---- the table ---- */

static const struct http_param model_params[] = {
    {"model", "string", "kb:<knowledge base>", true, true},
};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/v1/models",
     .access = HTTP_SESSION,
     .permission = "knowledge.ask",
     .summary = "The knowledge bases as models, OpenAI shape",
     .response_schema = "{\"type\":\"object\",\"required\":[\"object\",\"data\"]}",
     .handle = list_models},
    {.method = "GET",
     .path = "/v1/models/{model}",
     .access = HTTP_SESSION,
     .permission = "knowledge.ask",
     .summary = "One of them",
     .response_schema = "{\"type\":\"object\",\"required\":[\"id\",\"object\"]}",
     .params = model_params,
     .n_params = 1,
     .handle = get_model},
    {.method = "POST",
     .path = "/v1/chat/completions",
     .access = HTTP_SESSION,
     .permission = "knowledge.ask",
     .body_limit = MOST_BODY,
     .summary = "An answer from a knowledge base with citations, OpenAI shape; may be streamed",
     .request_schema = "{\"type\":\"object\",\"required\":[\"model\",\"messages\"],"
                       "\"properties\":{\"model\":{\"type\":\"string\"},\"messages\":{\"type\":"
                       "\"array\"},\"stream\":{\"type\":\"boolean\"},\"as_of\":{\"type\":"
                       "\"string\",\"format\":\"date\"}}}",
     .response_schema = "{\"type\":\"object\",\"required\":[\"id\",\"choices\",\"usage\"]}",
     .handle = complete},
};

enum err gateway_open(const struct gateway_opts *opts, struct gateway **out, struct why *why)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return err_set(why, ERR_NO_MEMORY, "could not hold the gateway");
    gateway->opts = *opts;
    gateway->table = (struct http_table){.room = "gateway",
                                         .routes = routes,
                                         .n = sizeof routes / sizeof routes[0],
                                         .ctx = gateway,
                                         .problem = problem,
                                         .prefix = "/v1/"};
    *out = gateway;
    return ERR_OK;
}

void gateway_close(struct gateway *gateway)
{
    free(gateway);
}

const struct http_table *gateway_routes(struct gateway *gateway)
{
    return &gateway->table;
}
