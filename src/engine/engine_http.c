/* The engine's routes: OpenAI's, and a few of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/metric.h"
#include "core/secret.h"
#include "core/time.h"
#include "core/utf8.h"
#include "dialect/dialect.h"
#include "engine/kernels.h"
#include "engine/prompt.h"
#include "engine/serve.h"

#define MOST_BODY ((size_t)16 << 20)

static void problem(struct json_out *out, const struct http_problem *p)
{
    dialect_error(out, p->err, p->why, NULL, NULL);
}

/* An error that belongs to a field, or has a code of its own. */
static enum err refuse(struct http_request *req, struct http_response *res, enum err err,
                       const struct why *why, const struct api_fault *fault)
{
    int status = err_http(err);
    if (err_again(err))
        http_retry_after(req, 1);
    if (err == ERR_UNSUPPORTED)
        status = 400;
    dialect_error(http_json(res), err, why, fault->param[0] ? fault->param : NULL, fault->code);
    http_status(res, status);
    return ERR_OK;
}

enum err engine_authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    struct engine *engine = ctx;
    struct str header = http_header(req, "Authorization");
    if (route->access == HTTP_PUBLIC || !engine->token)
        return ERR_OK;
    if (str_starts(header, STR("Bearer ")) &&
        secret_equal(str_from(header, 7), str_c(engine->token)))
        return ERR_OK;
    return err_set(why, ERR_UNAUTHENTICATED, "the engine wants its token as a bearer");
}

/* ---- which model ---- */

static const char *adapter_of(const struct engine *engine, struct str name)
{
    const struct run_info *info = run_info(engine->run);
    struct str alias = engine->alias;
    if (str_starts(name, alias) && name.len > alias.len && name.ptr[alias.len] == ':')
        name = str_from(name, alias.len + 1);
    for (size_t i = 0; i < info->n_adapters; i++)
        if (str_eq_c(name, info->adapters[i].name))
            return info->adapters[i].name;
    return NULL;
}

/* The alias, nothing, or an adapter, which is then applied. */
static enum err choose_model(struct engine *engine, struct str name, struct arena *arena,
                             struct run_request *run, struct api_fault *fault, struct why *why)
{
    const char *adapter;
    if (!name.len || str_eq(name, engine->alias))
        return ERR_OK;
    adapter = adapter_of(engine, name);
    if (adapter && run) {
        struct run_lora *lora = arena_one(arena, struct run_lora);
        if (!lora)
            return err_set(why, ERR_NO_MEMORY, "could not hold the adapter");
        *lora = (struct run_lora){adapter, 1};
        run->loras = lora;
        run->n_loras = 1;
        return ERR_OK;
    }
    (void)snprintf(fault->param, sizeof fault->param, "model");
    fault->code = "model_not_found";
    return err_set(why, ERR_NOT_FOUND, "the model \"%.*s\" does not exist; this is \"%.*s\"",
                   STR_FMT(utf8_prefix(name, 60)), STR_FMT(utf8_prefix(engine->alias, 60)));
}

/* ---- taking a request ---- */

static enum err begin(struct http_request *req, const struct json **body, struct why *why)
{
    struct engine *engine = http_ctx(req);
    if (atomic_load(&engine->draining)) {
        http_retry_after(req, 1);
        return err_set(why, ERR_UNAVAILABLE, "the engine is about to end");
    }
    atomic_fetch_add(&engine->requests, 1);
    return http_body_json(req, body, why);
}

/* What the centre says about who asks; a caller without the token never comes here. */
static void set_caller(struct http_request *req, struct run_request *run)
{
    struct str key = http_header(req, "X-Yicheng-Fair");
    struct str priority = http_header(req, "X-Yicheng-Priority");
    int64_t n = 0;
    if (key.len)
        run->key = key;
    if (priority.len && str_to_i64(priority, &n) && n >= -100 && n <= 100)
        run->priority = (int32_t)n;
}

/* What does not fit is the caller's to shorten. */
static enum err submit_fault(enum err err, struct api_fault *fault)
{
    if (err == ERR_TOO_LARGE) {
        fault->code = "context_length_exceeded";
        return ERR_INVALID;
    }
    return err;
}

static struct str new_id(struct arena *arena, const char *prefix)
{
    char token[SECRET_TOKEN_TEXT];
    (void)secret_token(token);
    for (char *c = token; *c; c++)
        if (*c == '-' || *c == '_')
            *c = 'x';
    return str_printf(arena, "%s%.24s", prefix, token);
}

/* ---- text ---- */

static enum err make_choices(struct live *live, size_t n, struct why *why)
{
    struct arena *arena = live->arena;
    live->answer.choices = arena_array(arena, struct api_choice, n);
    live->offsets = arena_array(arena, size_t, n);
    live->begun = arena_array(arena, bool, n);
    if (!live->answer.choices || !live->offsets || !live->begun)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answers");
    live->answer.n_choices = n;
    live->answer.logprobs = live->ask.run.logprobs;
    live->answer.model = live->ask.model.len ? live->ask.model : live->engine->alias;
    for (size_t i = 0; i < n; i++) {
        live->answer.choices[i].index = (uint32_t)i;
        buf_init(&live->answer.choices[i].content, arena);
        buf_init(&live->answer.choices[i].reasoning, arena);
    }
    return ERR_OK;
}

static enum err make_readers(struct live *live, struct str rendered, struct why *why)
{
    size_t n = live->answer.n_choices;
    enum err err = ERR_OK;
    struct chat_reader **readers = arena_array(live->arena, struct chat_reader *, n);
    if (!readers)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answers");
    for (size_t i = 0; !err && i < n; i++)
        err = chat_reader_open(rendered, live->ask.tools, &readers[i], why);
    if (!err)
        live->readers = readers;
    for (size_t i = 0; err && i < n; i++)
        chat_reader_close(readers[i]);
    return err;
}

/* A prompt that is to be told back stands before its answers. */
static enum err echo_prompts(struct live *live, const struct run_request *requests, struct why *why)
{
    for (size_t i = 0; live->ask.echo && i < live->answer.n_choices; i++) {
        size_t p = i / live->ask.run.choices;
        struct str text = live->ask.prompts[p].text;
        enum err err = ERR_OK;
        if (live->ask.prompts[p].tokens)
            err = run_detokenize(live->engine->run, requests[p].inputs->tokens,
                                 requests[p].inputs->n, true, live->arena, &text, why);
        if (err)
            return err;
        buf_add(&live->answer.choices[i].content, text);
    }
    return ERR_OK;
}

static enum err start_text(struct live *live, struct api_fault *fault, struct why *why)
{
    struct engine *engine = live->engine;
    struct api_ask *ask = &live->ask;
    size_t n_parts = ask->kind == API_COMPLETION ? ask->n_prompts : 1;
    struct run_request *requests = arena_array(live->arena, struct run_request, n_parts);
    struct str rendered = STR("");
    if (!requests)
        return err_set(why, ERR_NO_MEMORY, "could not hold the request");
    enum err err = choose_model(engine, ask->model, live->arena, &ask->run, fault, why);
    if (err)
        return err;
    set_caller(live->req, &ask->run);
    if (ask->kind == API_COMPLETION)
        err = prompt_completion(engine, ask, live->arena, requests, fault, why);
    else
        err = prompt_chat(engine, ask, live->arena, requests, &rendered, fault, why);
    if (!err)
        err = make_choices(live, n_parts * ask->run.choices, why);
    if (!err && ask->kind == API_COMPLETION)
        err = echo_prompts(live, requests, why);
    if (!err && ask->kind != API_COMPLETION)
        err = make_readers(live, rendered, why);
    return err ? err : submit_fault(live_submit(live, requests, n_parts, why), fault);
}

typedef enum err read_fn(const struct json *, struct arena *, struct api_ask *, struct api_fault *,
                         struct why *);

static enum err answer_text(struct http_request *req, struct http_response *res, read_fn *read,
                            const char *prefix, struct why *why)
{
    const struct json *body = NULL;
    struct api_fault fault = {0};
    struct live *live = live_new(http_ctx(req), req, res);
    enum err err =
        live ? begin(req, &body, why) : err_set(why, ERR_NO_MEMORY, "could not hold the request");
    if (!err)
        err = read(body, http_arena(req), &live->ask, &fault, why);
    if (!err) {
        live->answer.id = new_id(live->arena, prefix);
        err = start_text(live, &fault, why);
    }
    return err ? refuse(req, res, err, why, &fault) : ERR_OK;
}

static enum err chat_completions(struct http_request *req, struct http_response *res,
                                 struct why *why)
{
    return answer_text(req, res, api_read_chat, "chatcmpl-", why);
}

static enum err completions(struct http_request *req, struct http_response *res, struct why *why)
{
    return answer_text(req, res, api_read_completion, "cmpl-", why);
}

static enum err responses(struct http_request *req, struct http_response *res, struct why *why)
{
    return answer_text(req, res, api_read_responses, "resp_", why);
}

/* What the template makes of a conversation, without asking the model. */
static enum err apply_template(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL, *parsed = NULL;
    struct api_ask ask;
    struct api_fault fault = {0};
    struct str rendered;
    enum err err = begin(req, &body, why);
    if (!err)
        err = api_read_chat(body, http_arena(req), &ask, &fault, why);
    if (!err)
        err = prompt_render(http_ctx(req), &ask, http_arena(req), &rendered, &parsed, &fault, why);
    if (err)
        return refuse(req, res, err, why, &fault);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "prompt", json_get_str(parsed, "prompt", STR("")));
    json_end_object(out);
    return ERR_OK;
}

/* ---- vectors ---- */

static enum err start_vectors(struct live *live, struct run_input *inputs, size_t n,
                              struct str model, struct str user, struct api_fault *fault,
                              struct why *why)
{
    struct run_request run = {.inputs = inputs, .n_inputs = n, .key = user};
    live->vectors = arena_array(live->arena, float *, n);
    live->n_vectors = arena_array(live->arena, size_t, n);
    if (!live->vectors || !live->n_vectors)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vectors");
    live->answer.model = model.len ? model : live->engine->alias;
    set_caller(live->req, &run);
    return submit_fault(live_submit(live, &run, 1, why), fault);
}

static enum err start_embed(struct live *live, const struct json *body, struct api_fault *fault,
                            struct why *why)
{
    struct engine *engine = live->engine;
    const struct run_info *info = run_info(engine->run);
    struct api_embed *ask = &live->embed;
    enum err err = api_read_embed(body, live->arena, ask, fault, why);
    if (!err)
        err = choose_model(engine, ask->model, live->arena, NULL, fault, why);
    if (err)
        return err;
    if (info->kind != RUN_EMBED)
        return err_set(why, ERR_UNSUPPORTED, "this model makes no embeddings");
    if (ask->dimensions && ask->dimensions != (int64_t)info->n_embd) {
        (void)snprintf(fault->param, sizeof fault->param, "dimensions");
        return err_set(why, ERR_INVALID, "this model's embeddings have %u dimensions",
                       info->n_embd);
    }
    struct run_input *inputs = arena_array(live->arena, struct run_input, ask->n_inputs);
    if (!inputs)
        return err_set(why, ERR_NO_MEMORY, "could not hold the inputs");
    for (size_t i = 0; !err && i < ask->n_inputs; i++) {
        err = prompt_tokens(engine, &ask->inputs[i], live->arena, &inputs[i], why);
        if (!err && inputs[i].n == 0)
            err = err_set(why, ERR_INVALID, "input %zu is empty", i);
    }
    if (err) {
        (void)snprintf(fault->param, sizeof fault->param, "input");
        return err;
    }
    return start_vectors(live, inputs, ask->n_inputs, ask->model, ask->user, fault, why);
}

static enum err start_rerank(struct live *live, const struct json *body, struct api_fault *fault,
                             struct why *why)
{
    struct engine *engine = live->engine;
    struct api_rerank *ask = &live->rerank;
    enum err err = api_read_rerank(body, live->arena, ask, fault, why);
    if (!err)
        err = choose_model(engine, ask->model, live->arena, NULL, fault, why);
    if (err)
        return err;
    if (run_info(engine->run)->kind != RUN_RERANK)
        return err_set(why, ERR_UNSUPPORTED, "this model does not rerank");
    struct run_input *inputs = arena_array(live->arena, struct run_input, ask->n_documents);
    if (!inputs)
        return err_set(why, ERR_NO_MEMORY, "could not hold the documents");
    for (size_t i = 0; !err && i < ask->n_documents; i++) {
        int32_t *tokens = NULL;
        err = run_pair(engine->run, ask->query, ask->documents[i], live->arena, &tokens,
                       &inputs[i].n, why);
        inputs[i].tokens = tokens;
    }
    if (err)
        return err;
    return start_vectors(live, inputs, ask->n_documents, ask->model, ask->user, fault, why);
}

static enum err answer_vectors(struct http_request *req, struct http_response *res,
                               enum live_kind kind, struct why *why)
{
    const struct json *body = NULL;
    struct api_fault fault = {0};
    struct live *live = live_new(http_ctx(req), req, res);
    enum err err =
        live ? begin(req, &body, why) : err_set(why, ERR_NO_MEMORY, "could not hold the request");
    if (!err) {
        live->kind = kind;
        live->answer.id = new_id(live->arena, "rerank-");
        err = kind == LIVE_EMBED ? start_embed(live, body, &fault, why)
                                 : start_rerank(live, body, &fault, why);
    }
    return err ? refuse(req, res, err, why, &fault) : ERR_OK;
}

static enum err embeddings(struct http_request *req, struct http_response *res, struct why *why)
{
    return answer_vectors(req, res, LIVE_EMBED, why);
}

static enum err rerank(struct http_request *req, struct http_response *res, struct why *why)
{
    return answer_vectors(req, res, LIVE_RERANK, why);
}

/* ---- tokens ---- */

static enum err put_tokens(struct engine *engine, const struct api_tokens *ask,
                           const int32_t *tokens, size_t n, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    json_begin_object(out);
    json_key(out, "tokens");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        struct str piece = STR("");
        if (!ask->with_pieces) {
            json_put_int(out, tokens[i]);
            continue;
        }
        enum err err = run_piece(engine->run, tokens[i], true, arena, &piece, why);
        if (err)
            return err;
        json_begin_object(out);
        json_kv_int(out, "id", tokens[i]);
        json_kv_str(out, "piece", piece);
        json_end_object(out);
    }
    json_end_array(out);
    json_kv_int(out, "count", (int64_t)n);
    json_kv_int(out, "max_model_len", run_info(engine->run)->context);
    json_end_object(out);
    return ERR_OK;
}

static enum err tokenize(struct http_request *req, struct http_response *res, struct why *why)
{
    struct engine *engine = http_ctx(req);
    const struct json *body = NULL;
    struct api_tokens ask = {0};
    struct api_fault fault = {0};
    int32_t *tokens = NULL;
    size_t n = 0;
    enum err err = begin(req, &body, why);
    if (!err)
        err = api_read_tokenize(body, http_arena(req), &ask, &fault, why);
    if (!err)
        err = run_tokenize(engine->run, ask.text, ask.add_special, ask.parse_special,
                           http_arena(req), &tokens, &n, why);
    if (err)
        return refuse(req, res, err, why, &fault);
    return put_tokens(engine, &ask, tokens, n, http_arena(req), http_json(res), why);
}

static enum err detokenize(struct http_request *req, struct http_response *res, struct why *why)
{
    struct engine *engine = http_ctx(req);
    const struct json *body = NULL;
    struct api_tokens ask = {0};
    struct api_fault fault = {0};
    struct run_input input;
    struct str text = STR("");
    enum err err = begin(req, &body, why);
    if (!err)
        err = api_read_detokenize(body, http_arena(req), &ask, &fault, why);
    if (!err)
        err = prompt_tokens(engine,
                            &(struct api_text){.tokens = ask.tokens, .n_tokens = ask.n_tokens},
                            http_arena(req), &input, why);
    if (!err)
        err = run_detokenize(engine->run, input.tokens, input.n, true, http_arena(req), &text, why);
    if (err)
        return refuse(req, res, err, why, &fault);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "content", text);
    json_kv_str(out, "prompt", text); /* vLLM's name for it */
    json_end_object(out);
    return ERR_OK;
}

/* ---- what it is and does ---- */

static void put_model(const struct engine *engine, struct str id, const char *parent,
                      struct json_out *out)
{
    const struct run_info *info = run_info(engine->run);
    json_begin_object(out);
    json_kv_str(out, "id", id);
    json_kv_c(out, "object", "model");
    json_kv_int(out, "created", engine->started);
    json_kv_c(out, "owned_by", "yicheng");
    if (parent)
        json_kv_c(out, "parent", parent);
    json_kv_int(out, "max_model_len", info->context);
    json_key(out, "meta");
    json_begin_object(out);
    json_kv_str(out, "architecture", info->architecture);
    json_kv_str(out, "quantisation", info->quantisation);
    json_kv_int(out, "n_params", (int64_t)info->n_params);
    json_kv_int(out, "size", (int64_t)info->bytes);
    json_kv_int(out, "n_vocab", info->n_vocab);
    json_kv_int(out, "n_embd", info->n_embd);
    json_kv_int(out, "n_ctx_train", info->context_trained);
    json_end_object(out);
    json_end_object(out);
}

static struct str adapter_id(const struct engine *engine, size_t i, struct arena *arena)
{
    return str_printf(arena, "%.*s:%s", STR_FMT(engine->alias),
                      run_info(engine->run)->adapters[i].name);
}

static enum err list_models(struct http_request *req, struct http_response *res, struct why *why)
{
    struct engine *engine = http_ctx(req);
    struct json_out *out = http_json(res);
    (void)why;
    json_begin_object(out);
    json_kv_c(out, "object", "list");
    json_key(out, "data");
    json_begin_array(out);
    put_model(engine, engine->alias, NULL, out);
    for (size_t i = 0; i < run_info(engine->run)->n_adapters; i++)
        put_model(engine, adapter_id(engine, i, http_arena(req)),
                  str_z(http_arena(req), engine->alias), out);
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

static enum err get_model(struct http_request *req, struct http_response *res, struct why *why)
{
    struct engine *engine = http_ctx(req);
    struct str id = http_param(req, "model");
    struct api_fault fault = {0};
    struct run_request run = {0};
    enum err err = choose_model(engine, id, http_arena(req), &run, &fault, why);
    if (err)
        return refuse(req, res, err, why, &fault);
    put_model(engine, id, NULL, http_json(res));
    return ERR_OK;
}

static enum err health(struct http_request *req, struct http_response *res, struct why *why)
{
    struct engine *engine = http_ctx(req);
    bool draining = atomic_load(&engine->draining);
    struct run_state state;
    struct json_out *out = http_json(res);
    (void)why;
    run_state(engine->run, &state);
    json_begin_object(out);
    json_kv_c(out, "status", draining ? "draining" : "ok");
    json_kv_str(out, "model", engine->alias);
    json_kv_int(out, "slots", state.n_slots);
    json_kv_int(out, "busy", state.active);
    json_kv_int(out, "queued", state.waiting);
    json_kv_int(out, "requests", (int64_t)atomic_load(&engine->requests));
    json_end_object(out);
    if (draining)
        http_status(res, 503);
    return ERR_OK;
}

static enum err slots(struct http_request *req, struct http_response *res, struct why *why)
{
    static const char *const phases[] = {"idle", "reading", "writing"};
    struct engine *engine = http_ctx(req);
    struct run_state state;
    struct json_out *out = http_json(res);
    (void)why;
    run_state(engine->run, &state);
    json_begin_array(out);
    for (uint32_t i = 0; i < state.n_slots; i++) {
        json_begin_object(out);
        json_kv_int(out, "id", i);
        json_kv_c(out, "phase", phases[state.slots[i].phase]);
        json_kv_int(out, "cached", state.slots[i].cached);
        json_kv_int(out, "prompt", state.slots[i].prompt);
        json_kv_int(out, "written", state.slots[i].written);
        json_kv_int(out, "max_tokens", state.slots[i].max_tokens);
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

static enum err props(struct http_request *req, struct http_response *res, struct why *why)
{
    static const char *const kinds[] = {"", "generate", "embed", "rerank"};
    struct engine *engine = http_ctx(req);
    const struct run_info *info = run_info(engine->run);
    struct json_out *out = http_json(res);
    (void)why;
    json_begin_object(out);
    json_kv_str(out, "model", engine->alias);
    json_kv_str(out, "name", info->name);
    json_kv_c(out, "kind", kinds[info->kind]);
    json_kv_str(out, "architecture", info->architecture);
    json_kv_str(out, "quantisation", info->quantisation);
    json_kv_int(out, "context", info->context);
    json_kv_int(out, "context_total", info->context_total);
    json_kv_int(out, "slots", info->slots);
    json_kv_int(out, "threads", info->threads);
    json_kv_bool(out, "chat", engine->chat_words == NULL && info->kind == RUN_GENERATE);
    json_kv_c(out, "chat_error", engine->chat_words);
    json_kv_str(out, "chat_template", info->chat_template);
    json_kv_c(out, "kernels", kernels_name());
    json_kv_c(out, "version", YICHENG_VERSION);
    json_end_object(out);
    return ERR_OK;
}

/* ---- metrics ---- */

static struct metric numbers[] = {
    METRIC_INIT(METRIC_GAUGE, "yicheng_engine_active", "Requests in slots", NULL),
    METRIC_INIT(METRIC_GAUGE, "yicheng_engine_waiting", "Requests that wait for a slot", NULL),
    METRIC_INIT(METRIC_GAUGE, "yicheng_engine_slots", "Slots", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_requests_total", "Requests that ended", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_cancelled_total", "Requests that were cancelled",
                NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_failed_total", "Requests that failed", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_preempted_total",
                "Requests that stepped back into the queue", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_prompt_tokens_total", "Tokens of prompts", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_cached_tokens_total",
                "Of them, those that a slot held already", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_completion_tokens_total", "Tokens written", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_input_tokens_total",
                "Tokens of embeddings and reranks", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_steps_total", "Steps of the decode loop", NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_busy_milliseconds_total", "Time inside the model",
                NULL),
    METRIC_INIT(METRIC_COUNTER, "yicheng_engine_recalled_total",
                "Prefixes taken from outside the cache", NULL),
    METRIC_INIT(METRIC_GAUGE, "yicheng_engine_remembered_bytes",
                "Of prefixes kept outside the cache", NULL),
};

static enum err metrics(struct http_request *req, struct http_response *res, struct why *why)
{
    struct engine *engine = http_ctx(req);
    struct run_state s;
    struct buf out;
    run_state(engine->run, &s);
    const int64_t values[] = {s.active,
                              s.waiting,
                              s.n_slots,
                              (int64_t)s.requests,
                              (int64_t)s.cancelled,
                              (int64_t)s.failed,
                              (int64_t)s.preempted,
                              (int64_t)s.prompt_tokens,
                              (int64_t)s.cached_tokens,
                              (int64_t)s.completion_tokens,
                              (int64_t)s.input_tokens,
                              (int64_t)s.steps,
                              (int64_t)s.busy_ms,
                              (int64_t)s.recalled,
                              (int64_t)s.remembered_bytes};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        metric_set(&numbers[i], values[i]);
    buf_init(&out, http_arena(req));
    metric_write(&out);
    http_send(res, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out));
    return buf_err(&out, why);
}

/* ---- the table ---- */

static const struct http_param model_params[] = {
    {"model", "string", "The model, or model:adapter", true, true},
};

#define OBJECT "{\"type\":\"object\"}"
#define GET_ROUTE(address, words, fn)                                                              \
    {                                                                                              \
        .method = "GET", .path = (address), .access = HTTP_SESSION, .summary = (words),            \
        .response_schema = OBJECT, .handle = (fn)                                                  \
    }
#define POST_ROUTE(address, words, fn)                                                             \
    {                                                                                              \
        .method = "POST", .path = (address), .access = HTTP_SESSION, .body_limit = MOST_BODY,      \
        .summary = (words), .request_schema = OBJECT, .response_schema = OBJECT, .handle = (fn)    \
    }

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/health",
     .access = HTTP_PUBLIC,
     .summary = "Whether it takes requests, and how many it has",
     .response_schema = OBJECT,
     .handle = health},
    GET_ROUTE("/metrics", "Counters for Prometheus", metrics),
    GET_ROUTE("/props", "The model and its limits", props),
    GET_ROUTE("/slots", "What each slot does", slots),
    GET_ROUTE("/v1/models", "The model and its adapters, OpenAI shape", list_models),
    {.method = "GET",
     .path = "/v1/models/{model}",
     .access = HTTP_SESSION,
     .summary = "One of them",
     .response_schema = OBJECT,
     .params = model_params,
     .n_params = 1,
     .handle = get_model},
    POST_ROUTE("/v1/chat/completions", "An answer to a conversation", chat_completions),
    POST_ROUTE("/v1/completions", "A text continued", completions),
    POST_ROUTE("/v1/responses", "An answer in the Responses shape", responses),
    POST_ROUTE("/v1/embeddings", "Vectors of texts", embeddings),
    POST_ROUTE("/v1/rerank", "Documents by how well they answer a query", rerank),
    POST_ROUTE("/rerank", "The same", rerank),
    POST_ROUTE("/v1/tokenize", "The tokens of a text", tokenize),
    POST_ROUTE("/tokenize", "The same", tokenize),
    POST_ROUTE("/v1/detokenize", "The text of tokens", detokenize),
    POST_ROUTE("/detokenize", "The same", detokenize),
    POST_ROUTE("/apply-template", "A conversation as the model reads it", apply_template),
};

enum err engine_routes(struct engine *engine, struct why *why)
{
    engine->table = (struct http_table){.room = "engine",
                                        .routes = routes,
                                        .n = sizeof routes / sizeof routes[0],
                                        .ctx = engine,
                                        .problem = problem,
                                        .prefix = "/"};
    return prompt_controls(engine, why);
}
