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

static enum err put_masked(struct agreed *r, struct json_out *out, const char *key, struct str text,
                           struct arena *arena, struct why *why)
{
    struct str masked;
    enum err err = agreed_mask(r->c, r->scanner, text, arena, &masked, why);
    if (!err)
        json_kv_str(out, key, masked);
    return err;
}

/* qa: the correction is the answer. preference: it is chosen, the centre's answer rejected. */
static enum err record_of(struct agreed *r, const struct knowledge_said *said, struct arena *arena,
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
    struct agreed *r = ctx;
    struct buf buf;
    if (collect_enough(r->c))
        return err_set(why, ERR_CANCELLED, "enough");
    memcpy(r->last, said->id.ptr, said->id.len < UUID_TEXT ? said->id.len : 0);
    collect_progress(r->c, 0, "reading answers");
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

static enum err each(struct agreed *r, struct str after, struct why *why)
{
    return knowledge_said_each(r->c->acquire->opts.knowledge, &r->c->who,
                               collect_text(r->c, "base"), after, take, r, why);
}

static enum err collect(struct collect *c, struct why *why)
{
    if (!c->acquire->opts.knowledge)
        return err_set(why, ERR_UNSUPPORTED, "there are no knowledge bases here");
    struct str uri = str_printf(c->arena, "feedback:%.*s", STR_FMT(collect_text(c, "base")));
    if (!uri.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not name a source");
    return agreed_collect(c, uri, each, why);
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
