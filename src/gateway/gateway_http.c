/* The door's routes; knowledge bases are answered here, all other models by exchanges. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"
#include "dialect/dialect.h"
#include "gateway/chat.h"
#include "gateway/gateway_in.h"
#include "gateway/scan.h"
#include "knowledge/knowledge.h"
#include "ops/ops.h"

#define MOST_BODY     ((size_t)32 << 20) /* pictures come in it */
#define MOST_ASKED    ((size_t)1 << 20)  /* of a knowledge base */
#define MOST_HERE     ((size_t)32 << 10) /* read on the event thread; larger ones by a worker */
#define METER_WAIT_MS 3000               /* a call is held up when the disk is behind */
#define MOST_PER_ASK  5                  /* passages that an answer may rest on */

/* ---- errors ---- */

static void problem(struct json_out *out, const struct http_problem *p)
{
    dialect_error(out, p->err, p->why, NULL, NULL);
}

/* An error that belongs to a parameter. */
static enum err refuse(struct http_response *res, enum err err, const struct why *why,
                       const char *param)
{
    dialect_error(http_json(res), err, why, param[0] ? param : NULL, NULL);
    http_status(res, err_http(err));
    return ERR_OK;
}

/* ---- models ---- */

static void put_base(struct json_out *out, struct str name, struct str updated)
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

/* Who may only call models sees no bases, and the other way round. */
static enum err put_bases(struct http_request *req, struct json_out *out, struct str only,
                          size_t *n, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    const struct json *items = NULL;
    struct gateway *gateway = http_ctx(req);
    if (!gateway->opts.knowledge || !ops_may(who, "knowledge.ask"))
        return ERR_OK;
    enum err err = read_bases(req, &items, why);
    for (size_t i = 0; !err && i < json_len(items); i++) {
        struct str name = json_get_str(json_at(items, i), "name", STR(""));
        if (!ops_may_base(who, name) || (only.ptr && !str_eq(only, name)))
            continue;
        put_base(out, name, json_get_str(json_at(items, i), "updated_at", STR("")));
        (*n)++;
    }
    return err;
}

static void put_route(struct json_out *out, const struct models_route *route)
{
    json_begin_object(out);
    json_kv_str(out, "id", route->name);
    json_kv_c(out, "object", "model");
    json_kv_int(out, "created", 0);
    json_kv_c(out, "owned_by", "yicheng");
    json_kv_c(out, "modality", models_modality_name(route->modality));
    if (route->max_context > 0)
        json_kv_int(out, "context_length", route->max_context);
    json_end_object(out);
}

static enum err put_routes(struct http_request *req, struct json_out *out, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    const struct models_route **routes = NULL;
    struct gateway *gateway = http_ctx(req);
    size_t n = 0;
    if (!gateway->opts.models || !ops_may(who, "model.use"))
        return ERR_OK;
    enum err err =
        models_list(gateway->opts.models, who->tenant, http_arena(req), &routes, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        put_route(out, routes[i]);
        models_route_free(routes[i]);
    }
    return err;
}

static enum err list_models(struct http_request *req, struct http_response *res, struct why *why)
{
    struct json_out *out = http_json(res);
    size_t n = 0;
    json_begin_object(out);
    json_kv_c(out, "object", "list");
    json_key(out, "data");
    json_begin_array(out);
    enum err err = put_bases(req, out, STR_NONE, &n, why);
    if (!err)
        err = put_routes(req, out, why);
    json_end_array(out);
    json_end_object(out);
    return err;
}

static enum err get_model(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    struct gateway *gateway = http_ctx(req);
    const struct models_route *route;
    struct str id = http_param(req, "model");
    struct json_out *out = http_json(res);
    enum err err = ERR_NOT_FOUND;
    size_t n = 0;
    if (str_starts(id, STR("kb:")) && id.len > 3) {
        err = put_bases(req, out, str_from(id, 3), &n, why);
        if (err || n)
            return err;
        err = ERR_NOT_FOUND;
    } else if (gateway->opts.models && ops_may(who, "model.use")) {
        err = models_resolve(gateway->opts.models, who->tenant, id, &route, NULL);
    }
    if (!err) {
        put_route(out, route);
        models_route_free(route);
        return ERR_OK;
    }
    if (err != ERR_NOT_FOUND)
        return err;
    err = err_set(why, err, "the model \"%.*s\" does not exist", STR_FMT(utf8_prefix(id, 60)));
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

static enum err ask_base(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct chat_request chat;
    char param[CHAT_PARAM] = "";
    struct pending *pending = arena_one(http_arena(req), struct pending);
    if (!pending)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answer");
    enum err err = ops_need(http_identity(req), "knowledge.ask", why);
    if (!err && http_body(req).len > MOST_ASKED)
        err = err_set(why, ERR_TOO_LARGE, "a question is larger than %zu bytes", MOST_ASKED);
    if (err)
        return err;
    err = http_body_json(req, &body, why);
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

/* ---- models ---- */

static bool no_store(struct http_request *req)
{
    struct str control = http_header(req, "Cache-Control");
    return str_find(control, STR("no-store")) != STR_NPOS ||
           str_find(control, STR("no-cache")) != STR_NPOS;
}

/* The request is held, and the exchange lives as long as it at least. */
static enum err exchange(struct http_request *req, struct http_response *res,
                         const struct ask_door *door, struct why *why)
{
    struct gateway *gateway = http_ctx(req);
    struct str application = http_header(req, "X-Yicheng-Application");
    struct exchange *x = exchange_new(gateway, http_identity(req));
    if (!x || arena_defer(http_arena(req), exchange_unref, x) != 0) {
        if (x)
            exchange_drop(x);
        return err_set(why, ERR_NO_MEMORY, "could not hold the call");
    }
    if (gateway->opts.meter) /* on a worker: see here() */
        meter_wait(gateway->opts.meter, METER_WAIT_MS);
    x->req = req;
    x->res = res;
    http_hold(req);
    struct str consent = http_header(req, "X-Yicheng-Consent");
    x->consent = str_eq_c(consent, "yes") || str_eq_c(consent, "true") || str_eq_c(consent, "1");
    exchange_run(x, door, http_body(req), application, no_store(req));
    return ERR_OK;
}

static enum err call(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct ask_door *door = ask_door_named(str_from(http_path(req), strlen("/v1/")));
    struct gateway *gateway = http_ctx(req);
    struct str model = scan_get(http_body(req), "model");
    if (door->id == ASK_CHAT && (str_starts(model, STR("\"kb:")) || !gateway->opts.models))
        return ask_base(req, res, why);
    return exchange(req, res, door, why);
}

/* Whether nothing of a call has to wait: the models are at hand, no guard wants its time, and the
 * body is read in some microseconds. What is asked of a knowledge base is work. */
static bool here(struct http_request *req)
{
    struct gateway *gateway = http_ctx(req);
    struct str body = http_body(req);
    if (body.len > MOST_HERE || !gateway->opts.models || !atomic_load(&gateway->ready))
        return false;
    for (size_t i = 0; i < gateway->n_guards; i++)
        if (gateway->guards[i].before)
            return false;
    return !str_starts(scan_get(body, "model"), STR("\"kb:")) &&
           models_at_hand(gateway->opts.models) &&
           (!gateway->opts.meter || meter_room(gateway->opts.meter));
}

/* ---- the table ---- */

static const struct http_param model_params[] = {
    {"model", "string", "a name of GET /v1/models", true, true},
};

#define DOOR(address, words, required)                                                             \
    {                                                                                              \
        .method = "POST", .path = "/v1/" address, .access = HTTP_SESSION, .body_limit = MOST_BODY, \
        .summary = (words),                                                                        \
        .request_schema =                                                                          \
            "{\"type\":\"object\",\"required\":[" required "],\"additionalProperties\":true}",     \
        .response_schema = "{\"type\":\"object\"}", .handle = call, .here = here                   \
    }

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/v1/models",
     .access = HTTP_SESSION,
     .summary = "Models and knowledge bases (kb:<name>), OpenAI shape",
     .response_schema = "{\"type\":\"object\",\"required\":[\"object\",\"data\"]}",
     .handle = list_models},
    {.method = "GET",
     .path = "/v1/models/{model}",
     .access = HTTP_SESSION,
     .summary = "One of them",
     .response_schema = "{\"type\":\"object\",\"required\":[\"id\",\"object\"]}",
     .params = model_params,
     .n_params = 1,
     .handle = get_model},
    DOOR("chat/completions", "An answer in a conversation, of a model or a knowledge base",
         "\"model\",\"messages\""),
    DOOR("completions", "A text continued", "\"model\",\"prompt\""),
    DOOR("responses", "An answer, in the shape of responses", "\"model\",\"input\""),
    DOOR("embeddings", "Texts as vectors", "\"model\",\"input\""),
    DOOR("rerank", "Documents in the order in which they answer a query",
         "\"model\",\"query\",\"documents\""),
    DOOR("tokenize", "The tokens of a text", "\"model\""),
    DOOR("detokenize", "The text of tokens", "\"model\""),
};

void gateway_table(struct gateway *gateway)
{
    gateway->table = (struct http_table){.room = "gateway",
                                         .routes = routes,
                                         .n = sizeof routes / sizeof routes[0],
                                         .ctx = gateway,
                                         .problem = problem,
                                         .prefix = "/v1/"};
}
