/* acquire/kind_gateway_log - calls of models whose client agreed that they are used, as chats. */
#include <string.h>

#include "acquire/agreed.h"
#include "core/arena.h"
#include "gateway/gateway.h"
#include "privacy/privacy.h"

static const struct acquire_param params[] = {
    {"model", PARAM_TEXT, false, 0, 200, "", NULL, "", "Only calls of this model; empty: all",
     "只取调用此模型的记录，空表示全部"},
    {"application", PARAM_TEXT, false, 0, 200, "", NULL, "",
     "Only calls of this application; empty: all", "只取此应用的调用记录，空表示全部"},
    AGREED_PARAMS,
};

static enum err put_turn(struct agreed *r, struct str role, struct str content, struct arena *arena,
                         struct json_out *out, struct why *why)
{
    struct str masked;
    enum err err = agreed_mask(r->c, r->scanner, content, arena, &masked, why);
    json_begin_object(out);
    json_kv_str(out, "role", role);
    if (!err)
        json_kv_str(out, "content", masked);
    json_end_object(out);
    return err;
}

/* What the model said: of a stream the words, else choices[0].message.content. */
static enum err reply_of(const struct gateway_agreed *call, struct arena *arena, struct str *out,
                         struct why *why)
{
    const struct json *json;
    *out = call->reply;
    if (call->stream || !str_starts(str_trim(call->reply), STR("{")))
        return ERR_OK;
    enum err err = json_parse(call->reply, arena, &json, why);
    if (!err)
        *out = json_str(shape_at(json, STR("choices.0.message.content")), STR(""));
    return err;
}

static enum err record_of(struct agreed *r, const struct gateway_agreed *call, struct arena *arena,
                          struct buf *buf, struct why *why)
{
    const struct json *request, *turns;
    struct json_out out;
    struct str reply;
    enum err err = json_parse(call->request, arena, &request, why);
    if (!err)
        err = reply_of(call, arena, &reply, why);
    if (err)
        return err;
    turns = json_get(request, "messages");
    if (!json_len(turns) || !str_trim_space(reply).len)
        return err_set(why, ERR_INVALID, "the call has no words that can be kept");
    buf_init(buf, arena);
    json_out_init(&out, buf);
    json_begin_object(&out);
    json_key(&out, "messages");
    json_begin_array(&out);
    for (size_t i = 0; !err && i < json_len(turns); i++) {
        const struct json *turn = json_at(turns, i);
        if (json_kind(json_get(turn, "content")) != JSON_KIND_STRING)
            err = err_set(why, ERR_UNSUPPORTED, "the call holds pictures or tools");
        else
            err = put_turn(r, json_get_str(turn, "role", STR("user")),
                           json_get_str(turn, "content", STR("")), arena, &out, why);
    }
    if (!err)
        err = put_turn(r, STR("assistant"), reply, arena, &out, why);
    json_end_array(&out);
    json_key(&out, "meta");
    json_begin_object(&out);
    json_kv_str(&out, "model", call->model);
    json_kv_str(&out, "application", call->application);
    json_end_object(&out);
    json_end_object(&out);
    return err ? err : buf_err(buf, why);
}

static bool wanted(const struct agreed *r, const struct gateway_agreed *call)
{
    struct str model = collect_text(r->c, "model"), app = collect_text(r->c, "application");
    return str_eq_c(call->door, "chat/completions") && (!model.len || str_eq(model, call->model)) &&
           (!app.len || str_eq(app, call->application));
}

static enum err take(void *ctx, const struct gateway_agreed *call, struct why *why)
{
    struct agreed *r = ctx;
    struct buf buf;
    struct why own = {0};
    if (collect_enough(r->c))
        return err_set(why, ERR_CANCELLED, "enough");
    memcpy(r->last, call->id.ptr, call->id.len < UUID_TEXT ? call->id.len : 0);
    collect_progress(r->c, 0, "reading calls");
    if (!wanted(r, call))
        return ERR_OK;
    struct arena *arena = arena_new((size_t)32 << 20);
    enum err err = arena ? record_of(r, call, arena, &buf, &own)
                         : err_set(&own, ERR_UNAVAILABLE, "could not hold a call");
    if (!err)
        err = collect_record(r->c, r->key, call->id, buf_str(&buf), why);
    else if (err == ERR_UNAVAILABLE)
        err_note(why, "%s", own.text);
    else
        err = collect_bad(r->c, r->key, call->id, why_text(&own, err), why);
    arena_free(arena);
    return err;
}

static enum err each(struct agreed *r, struct str after, struct why *why)
{
    return gateway_agreed_each(r->c->acquire->opts.gateway, &r->c->who, after, take, r, why);
}

static enum err collect(struct collect *c, struct why *why)
{
    if (!c->acquire->opts.gateway)
        return err_set(why, ERR_UNSUPPORTED, "there is no log of calls here");
    return agreed_collect(c, STR("gateway:requests"), each, why);
}

const struct acquire_kind acquire_kind_gateway_log = {
    .name = "gateway_log",
    .title = "Calls of models",
    .title_zh = "模型调用记录",
    .summary = "Chats of clients who agreed that they are used (X-Yicheng-Consent), masked",
    .summary_zh = "调用方同意使用（X-Yicheng-Consent）的对话记录，脱敏后成为对话数据",
    .records = "chat",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .collect = collect,
};
