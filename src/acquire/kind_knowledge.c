/* acquire/kind_knowledge - the documents of a knowledge base, as they stand on the day of the run.
 */
#include <string.h>

#include "acquire/acquire_in.h"
#include "core/arena.h"
#include "core/time.h"
#include "knowledge/knowledge.h"

static const struct acquire_param params[] = {
    {"base", PARAM_TEXT, true, 1, 200, NULL, NULL, "", "Name of the knowledge base", "知识库名称"},
    {"in_force", PARAM_FLAG, false, 0, 0, "false", NULL, "", "Only texts in force today",
     "只取现行有效的文本"},
};

static const char *const kinds[] = {"law", "policy", "guide", "faq", "notice", "text", "table"};
static const char *const statuses[] = {"in_force", "not_yet", "expired", "superseded"};

struct reading {
    struct collect *c;
    bool in_force;
};

static void put_day(struct json_out *out, const char *key, int32_t day)
{
    char text[TIME_TEXT];
    if (day != DAY_NONE)
        json_kv_c(out, key, day_format(day, text));
}

static enum err put_text(struct collect *c, const struct knowledge_given *g, const char *key,
                         struct why *why)
{
    struct arena *arena = arena_new(ACQUIRE_ITEM_MEM);
    struct buf buf;
    struct json_out out;
    if (!arena)
        return err_set(why, ERR_UNAVAILABLE, "could not hold a document");
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "text", g->text);
    json_kv_str(&out, "title", g->meta.title);
    json_key(&out, "meta");
    json_begin_object(&out);
    json_kv_c(&out, "kind", kinds[g->meta.kind]);
    json_kv_str(&out, "issuer", g->meta.issuer);
    json_kv_str(&out, "number", g->meta.number);
    json_kv_str(&out, "region", g->meta.region);
    json_kv_int(&out, "level", g->meta.level);
    put_day(&out, "published", g->meta.published);
    put_day(&out, "effective", g->meta.effective);
    put_day(&out, "expires", g->meta.expires);
    json_kv_c(&out, "status", statuses[g->status]);
    json_kv_str(&out, "file", g->name);
    json_end_object(&out);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = collect_record(c, key, STR("0"), buf_str(&buf), why);
    arena_free(arena);
    return err;
}

static enum err take(void *ctx, const struct knowledge_given *g, struct why *why)
{
    struct reading *r = ctx;
    struct collect *c = r->c;
    char key[DATA_SOURCE_KEY];
    struct why own = {0};
    if (collect_enough(c))
        return err_set(why, ERR_CANCELLED, "enough");
    if (r->in_force && g->status != KNOWLEDGE_IN_FORCE)
        return ERR_OK;
    struct str uri = str_printf(c->item, "knowledge:%.*s/%.*s", STR_FMT(collect_text(c, "base")),
                                STR_FMT(g->document_id));
    enum err err = uri.ptr ? collect_source(c, uri, g->text_sha256, (int64_t)g->text.len, key, &own)
                           : err_set(&own, ERR_NO_MEMORY, "could not name a source");
    arena_reset(c->item);
    collect_progress(c, 0, "reading documents");
    if (err == ERR_CONFLICT) { /* withdrawn: the others go on */
        job_log(c->job, "%s", own.text);
        return ERR_OK;
    }
    if (err)
        return err_set(why, err, "%s", why_text(&own, err));
    /* A document with classes that the set's readers may not read stays where it is. */
    if (g->meta.access > c->def.access)
        return collect_bad(c, key, STR("0"), "the document is open to fewer people than the set",
                           why);
    return put_text(c, g, key, why);
}

static enum err collect(struct collect *c, struct why *why)
{
    struct reading r = {.c = c, .in_force = collect_flag(c, "in_force")};
    struct why own = {0};
    if (!c->acquire->opts.knowledge)
        return err_set(why, ERR_UNSUPPORTED, "there are no knowledge bases here");
    enum err err = knowledge_texts_each(c->acquire->opts.knowledge, &c->who,
                                        collect_text(c, "base"), take, &r, &own);
    if (err == ERR_CANCELLED && collect_enough(c))
        return ERR_OK;
    return err ? err_set(why, err, "%s", why_text(&own, err)) : ERR_OK;
}

const struct acquire_kind acquire_kind_knowledge = {
    .name = "knowledge",
    .title = "Documents of a knowledge base",
    .title_zh = "知识库文档",
    .summary = "The texts of a knowledge base with their kind, issuer, number and validity",
    .summary_zh = "知识库中的文档全文，附类型、发文机关、文号和效力",
    .records = "text",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .collect = collect,
};
