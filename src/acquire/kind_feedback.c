/* acquire/kind_feedback - corrections that people gave to answers, and agreed to be used. */
#include <string.h>

#include "acquire/agreed.h"
#include "core/arena.h"
#include "knowledge/knowledge.h"
#include "privacy/privacy.h"

static const struct acquire_param params[] = {
    {"base", PARAM_TEXT, false, 0, 200, "", NULL, "", "Name of the knowledge base; empty: all",
     "知识库名称，空表示全部"},
    AGREED_PARAMS,
};

struct reading {
    struct collect *c;
    struct privacy_scanner *scanner;
    char key[DATA_SOURCE_KEY];
    char last[UUID_TEXT];
};

static enum err put_masked(struct reading *r, struct json_out *out, const char *key,
                           struct str text, struct arena *arena, struct why *why)
{
    struct str masked;
    enum err err = agreed_mask(r->c, r->scanner, text, arena, &masked, why);
    if (!err)
        json_kv_str(out, key, masked);
    return err;
}

/* qa: the correction is the answer. preference: it is chosen, the centre's answer rejected. */
static enum err record_of(struct reading *r, const struct knowledge_said *said, struct arena *arena,
                          struct buf *buf, struct why *why)
{
    struct json_out out;
    bool pair = str_eq_c(r->c->def.record_kind, "preference");
    buf_init(buf, arena);
    json_out_init(&out, buf);
    json_begin_object(&out);
    enum err err = put_masked(r, &out, pair ? "prompt" : "question", said->question, arena, why);
    if (!err)
        err = put_masked(r, &out, pair ? "chosen" : "answer", said->correction, arena, why);
    if (!err && pair)
        err = put_masked(r, &out, "rejected", said->answer, arena, why);
    json_key(&out, "meta");
    json_begin_object(&out);
    json_kv_str(&out, "base", said->kb);
    json_kv_str(&out, "verdict", said->verdict);
    json_end_object(&out);
    json_end_object(&out);
    return err ? err : buf_err(buf, why);
}

static enum err take(void *ctx, const struct knowledge_said *said, struct why *why)
{
    struct reading *r = ctx;
    struct buf buf;
    if (collect_enough(r->c))
        return err_set(why, ERR_CANCELLED, "enough");
    memcpy(r->last, said->id.ptr, said->id.len < UUID_TEXT ? said->id.len : 0);
    collect_progress(r->c, 0, "feedback");
    if (!str_trim_space(said->correction).len || !str_trim_space(said->question).len)
        return ERR_OK; /* an opinion without words */
    struct arena *arena = arena_new((size_t)16 << 20);
    enum err err = arena ? record_of(r, said, arena, &buf, why)
                         : err_set(why, ERR_UNAVAILABLE, "could not hold a feedback");
    if (!err)
        err = collect_record(r->c, r->key, said->id, buf_str(&buf), why);
    arena_free(arena);
    return err;
}

static enum err collect(struct collect *c, struct why *why)
{
    struct reading r = {.c = c};
    struct why own = {0};
    if (!c->acquire->opts.knowledge)
        return err_set(why, ERR_UNSUPPORTED, "there are no knowledge bases here");
    enum err err = agreed_begin(c, &r.scanner, why);
    struct str base = collect_text(c, "base");
    struct str uri = str_printf(c->arena, "feedback:%.*s", STR_FMT(base));
    if (!err && !uri.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not name a source");
    if (!err)
        err = collect_source(c, uri, STR(""), 0, r.key, why);
    if (!err) {
        err = knowledge_said_each(c->acquire->opts.knowledge, &c->who, base,
                                  json_get_str(c->state, "after", STR("")), take, &r, &own);
        if (err == ERR_CANCELLED && collect_enough(c))
            err = ERR_OK;
        else if (err)
            err_note(why, "%s", why_text(&own, err));
    }
    if (!err && r.last[0] && !collect_enough(c)) {
        struct str state = str_printf(c->arena, "{\"after\":\"%s\"}", r.last);
        err = state.ptr ? collect_keep(c, state, why)
                        : err_set(why, ERR_NO_MEMORY, "could not keep a state");
    }
    privacy_scanner_free(r.scanner);
    return err;
}

const struct acquire_kind acquire_kind_feedback = {
    .name = "feedback",
    .title = "Feedback on answers",
    .title_zh = "问答反馈",
    .summary = "Corrections of answers by people who agreed that they are used, masked",
    .summary_zh = "用户同意使用的答复更正意见，脱敏后成为问答或偏好数据",
    .records = "qa|preference",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .collect = collect,
};
