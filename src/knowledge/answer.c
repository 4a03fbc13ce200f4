#include "knowledge/answer.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "knowledge/catalog.h"
#include "knowledge/fields.h"
#include "knowledge/papers.h"
#include "knowledge/passage.h"
#include "knowledge/quote.h"

#define SEARCH_HITS  30 /* looked through for the record or the pair that is meant */
#define SHOWN_HITS   5  /* passages told with an answer */
#define MOST_QUOTES  3
#define FAQ_ALIKE    0.62 /* a question that is nearly one of the FAQ's is answered by it */
#define FAQ_BETTER   0.25 /* how much less alike it may be when it is the best passage anyway */
#define TITLE_WEIGHT 1.2  /* of a record's title that stands in the question, against its rank */
#define RECORD_LEAST 0.34 /* less of the title than this, and the record is not meant */
#define SECOND_LEAST 0.85 /* a second passage this near the best is quoted too */

/* One question on its way. */
struct asking {
    struct knowledge *k;
    const struct ops_identity *who;
    const struct knowledge_ask *ask;
    struct arena *arena;
    struct question question; /* as resolved */
    struct knowledge_hit *hits;
    size_t n_hits;
    struct knowledge_answer *out;
};

/* ---- passages of a hit's version ---- */

struct opened {
    const struct catalog *catalog;
    const struct catalog_version *version;
    struct passage *passages;
    size_t n;
};

static enum err open_version(struct asking *a, const struct knowledge_hit *hit, struct opened *out,
                             struct why *why)
{
    enum err err = catalog_of(a->k, a->who, hit->kb, &out->catalog, why);
    if (err)
        return err;
    out->version = catalog_version(out->catalog, hit->version_id);
    if (!out->version) { /* withdrawn between the search and now */
        catalog_release(out->catalog);
        return err_set(why, ERR_NOT_FOUND, "the document is not there any more");
    }
    err = catalog_passages(a->k, out->version, a->arena, &out->passages, &out->n, why);
    if (err)
        catalog_release(out->catalog);
    return err;
}

static const struct passage *passage_of(const struct opened *opened,
                                        const struct knowledge_hit *hit)
{
    char version[UUID_TEXT];
    uint32_t number;
    if (!passage_id_parse(hit->passage_id, version, &number) || number >= opened->n)
        return NULL;
    return &opened->passages[number];
}

/* ---- putting an answer together ---- */

static enum err add_quote(struct asking *a, size_t hit, size_t start, size_t len, struct str text,
                          const char *field, struct why *why)
{
    struct knowledge_answer *out = a->out;
    if (!out->quotes)
        out->quotes = arena_array(a->arena, struct knowledge_quote, MOST_QUOTES);
    if (!out->quotes)
        return err_set(why, ERR_NO_MEMORY, "could not hold the quotes");
    if (out->n_quotes < MOST_QUOTES)
        out->quotes[out->n_quotes++] =
            (struct knowledge_quote){hit, start, len, text, str_c(field)};
    return ERR_OK;
}

/* The hit goes to the front: the cited passages come first. */
static void to_front(struct asking *a, size_t hit)
{
    struct knowledge_hit chosen = a->hits[hit];
    memmove(&a->hits[1], &a->hits[0], hit * sizeof *a->hits);
    a->hits[0] = chosen;
}

static const char *const status_words[] = {"现行有效", "尚未施行", "已失效", "已被新规定替代"};

/* A quoted text that is not in force says so before its words. */
static enum err notice(struct asking *a, struct why *why)
{
    const struct knowledge_hit *hit = &a->hits[0];
    char day[TIME_TEXT];
    if (hit->status == KNOWLEDGE_IN_FORCE)
        return ERR_OK;
    bool later = hit->status == KNOWLEDGE_NOT_YET && hit->meta.effective != DAY_NONE;
    bool ended = hit->status == KNOWLEDGE_EXPIRED && hit->meta.expires != DAY_NONE;
    a->out->notice =
        str_printf(a->arena, "注意：《%.*s》%s%s%s，以下内容仅供参考，请以现行规定为准",
                   STR_FMT(hit->title), status_words[hit->status],
                   later   ? "，施行日期 "
                   : ended ? "，失效日期 "
                           : "",
                   later   ? day_format(hit->meta.effective, day)
                   : ended ? day_format(hit->meta.expires, day)
                           : "");
    return a->out->notice.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the notice");
}

static enum err join_quotes(struct asking *a, struct why *why)
{
    struct buf buf;
    buf_init(&buf, a->arena);
    for (size_t i = 0; i < a->out->n_quotes; i++) {
        if (i)
            buf_add_c(&buf, "\n\n");
        buf_add(&buf, a->out->quotes[i].text);
    }
    a->out->text = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err finish(struct asking *a, const char *method, double confidence, struct why *why)
{
    a->out->method = method;
    a->out->confidence = confidence > 1 ? 1 : confidence;
    a->out->hits = a->hits;
    a->out->n_hits = a->n_hits < SHOWN_HITS ? a->n_hits : SHOWN_HITS;
    enum err err = join_quotes(a, why);
    return err ? err : notice(a, why);
}

/* Plain words, and whom to ask: the hotline, and the department of the nearest text when there is
 * one. */
static enum err refuse(struct asking *a, double confidence, struct why *why)
{
    struct str department = STR("");
    for (size_t i = 0; i < a->n_hits && i < 3 && department.len == 0; i++)
        department =
            a->hits[i].meta.department.len ? a->hits[i].meta.department : a->hits[i].meta.issuer;
    a->out->refused = true;
    a->out->method = "refuse";
    a->out->confidence = confidence;
    a->out->hits = a->hits;
    a->out->n_hits = a->n_hits < SHOWN_HITS ? a->n_hits : SHOWN_HITS;
    a->out->text = department.len && confidence > ANSWER_LEAST / 2
                       ? str_printf(a->arena,
                                    "知识库中没有找到能够回答这个问题的依据，为避免误导，这里不作答"
                                    "。建议拨打12345政务服务便民热线，"
                                    "或者向%.*s咨询。",
                                    STR_FMT(department))
                       : STR("知识库中没有找到能够回答这个问题的依据，为避免误导，这里不作答。建议"
                             "拨打12345政务服务便民热线咨询。");
    return a->out->text.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the answer");
}

/* ---- an article by name and number ---- */

static bool names_hit(const struct question *q, const struct knowledge_hit *hit)
{
    return q->law.len == 0 || answer_covered(q->law, hit->title) > 0.99 ||
           (hit->meta.key.len && answer_covered(hit->meta.key, q->law) > 0.99);
}

static enum err by_article(struct asking *a, bool *done, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < a->n_hits && !*done; i++) {
        struct opened opened;
        if (!names_hit(&a->question, &a->hits[i]))
            continue;
        err = open_version(a, &a->hits[i], &opened, why);
        if (err)
            return err;
        const struct passage *p = passage_of(&opened, &a->hits[i]);
        *done = p && p->kind == PASSAGE_ARTICLE && p->number == a->question.article &&
                p->sub == a->question.sub;
        catalog_release(opened.catalog);
        if (*done)
            to_front(a, i);
    }
    if (!*done)
        return ERR_OK;
    err = add_quote(a, 0, a->hits[0].start, a->hits[0].len, a->hits[0].text, "", why);
    return err ? err : finish(a, "article", 0.99, why);
}

/* ---- a pair of the FAQ ---- */

static enum err by_faq(struct asking *a, bool *done, struct why *why)
{
    size_t best = a->n_hits;
    double most = 0;
    for (size_t i = 0; i < a->n_hits; i++) {
        if (a->hits[i].meta.kind != KNOWLEDGE_FAQ)
            continue;
        double alike =
            answer_alike(a->question.text, a->hits[i].article) + (i == 0 ? FAQ_BETTER : 0);
        if (alike > most) {
            most = alike;
            best = i;
        }
    }
    if (best == a->n_hits || most < FAQ_ALIKE)
        return ERR_OK;
    struct opened opened;
    enum err err = open_version(a, &a->hits[best], &opened, why);
    if (err)
        return err;
    const struct passage *p = passage_of(&opened, &a->hits[best]);
    size_t body = p && p->kind == PASSAGE_FAQ && p->body < p->len ? p->body : 0;
    catalog_release(opened.catalog);
    to_front(a, best);
    struct str words = str_trim_space(str_from(a->hits[0].text, body));
    double confidence = a->hits[0].confidence > most ? a->hits[0].confidence : most;
    if (confidence < ANSWER_LEAST)
        return ERR_OK;
    *done = true;
    err = add_quote(a, 0, a->hits[0].start + (size_t)(words.ptr - a->hits[0].text.ptr), words.len,
                    words, "", why);
    return err ? err : finish(a, "faq", confidence, why);
}

/* ---- a field of a record ---- */

/* What to look at when the record has not the field that is asked for. */
static const char *const stand_ins[][2] = {
    {"how_long", "how_long_statutory"},
    {"how_long_statutory", "how_long"},
    {"where", "online_address"},
    {"online", "online_address"},
    {"online_address", "online"},
    {"online_address", "platform"},
    {"procedure", "how"},
    {"fee", "fee_any"},
    {"conditions", "audience"},
    {"audience", "conditions"},
    {"online_book", "online_book_address"},
    {"who", "with_whom"},
    {"phone", "complaint"},
    {"courier", "delivery"},
    {"result", "delivery"},
};

static const struct passage *field_in(const struct opened *opened, const char *field)
{
    for (size_t i = 0; i < opened->n; i++)
        if (opened->passages[i].kind == PASSAGE_FIELD && str_eq_c(opened->passages[i].field, field))
            return &opened->passages[i];
    return NULL;
}

static const struct passage *wanted_field(const struct opened *opened, const struct question *q)
{
    for (size_t i = 0; i < q->n_fields; i++) {
        const struct passage *p = field_in(opened, q->fields[i]);
        for (size_t s = 0; !p && s < sizeof stand_ins / sizeof stand_ins[0]; s++)
            if (strcmp(stand_ins[s][0], q->fields[i]) == 0)
                p = field_in(opened, stand_ins[s][1]);
        if (p)
            return p;
    }
    return NULL;
}

/* The record that the question means: how much of its title stands in the question, then its rank.
 */
static size_t meant_record(const struct asking *a, double *title)
{
    size_t best = a->n_hits;
    double most = 0, top = a->n_hits ? a->hits[0].score : 0;
    for (size_t i = 0; i < a->n_hits; i++) {
        const struct knowledge_hit *hit = &a->hits[i];
        if (hit->meta.kind != KNOWLEDGE_GUIDE)
            continue;
        double covered = answer_covered(hit->title, a->question.text);
        double score = (top > 0 ? hit->score / top : 0) + TITLE_WEIGHT * covered;
        if (best == a->n_hits || score > most) {
            most = score;
            best = i;
            *title = covered;
        }
    }
    return best;
}

/* The hit becomes one for the field's passage. */
static enum err point_at(struct asking *a, size_t hit, const struct opened *opened,
                         const struct passage *p, struct why *why)
{
    struct knowledge_hit *h = &a->hits[hit];
    char id[PASSAGE_ID_TEXT];
    struct str text;
    enum err err = catalog_text(a->k, opened->version, p->start, p->len, a->arena, &text, why);
    if (err)
        return err;
    h->passage_id = str_copy(
        a->arena, str_c(passage_id(opened->version->id, (uint32_t)(p - opened->passages), id)));
    h->article = str_copy(a->arena, p->label);
    h->path = str_copy(a->arena, p->path);
    h->text = text;
    h->start = p->start;
    h->len = p->len;
    return h->passage_id.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the passage");
}

static enum err by_field(struct asking *a, bool *done, struct why *why)
{
    double title = 0;
    struct opened opened;
    size_t hit = meant_record(a, &title);
    if (hit == a->n_hits || title < RECORD_LEAST)
        return ERR_OK;
    enum err err = open_version(a, &a->hits[hit], &opened, why);
    if (err)
        return err;
    const struct passage *p = wanted_field(&opened, &a->question);
    if (p)
        err = point_at(a, hit, &opened, p, why);
    size_t body = p && p->body < p->len ? p->body : 0;
    char field[32] = "";
    if (p)
        (void)snprintf(field, sizeof field, "%.*s", STR_FMT(p->field));
    catalog_release(opened.catalog);
    if (err || !p)
        return err;
    to_front(a, hit);
    *done = true;
    struct str value = str_trim_space(str_from(a->hits[0].text, body));
    double confidence = a->hits[0].confidence > title ? a->hits[0].confidence : title;
    const struct field_kind *kind = field_named(field);
    err = add_quote(a, 0, a->hits[0].start + (size_t)(value.ptr - a->hits[0].text.ptr), value.len,
                    value, kind ? kind->label : "", why);
    return err ? err : finish(a, "field", confidence, why);
}

/* ---- sentences ---- */

static enum err quote_hit(struct asking *a, size_t hit, size_t most, struct why *why)
{
    struct quote_span *spans;
    size_t n;
    const struct knowledge_hit *h = &a->hits[hit];
    enum err err = quote_best(&a->question, h->text, most, a->arena, &spans, &n, why);
    /* In the order of the text, which is the order of the thought. */
    for (size_t i = 1; !err && i < n; i++)
        for (size_t j = i; j > 0 && spans[j].start < spans[j - 1].start; j--) {
            struct quote_span swap = spans[j];
            spans[j] = spans[j - 1];
            spans[j - 1] = swap;
        }
    for (size_t i = 0; !err && i < n; i++)
        err = add_quote(a, hit, h->start + spans[i].start, spans[i].len,
                        str_slice(h->text, spans[i].start, spans[i].start + spans[i].len), "", why);
    return err;
}

static enum err by_sentences(struct asking *a, struct why *why)
{
    enum err err = quote_hit(a, 0, 2, why);
    if (!err && a->n_hits > 1 && a->hits[1].score >= SECOND_LEAST * a->hits[0].score &&
        a->hits[1].confidence >= ANSWER_LEAST)
        err = quote_hit(a, 1, 1, why);
    return err ? err : finish(a, "extract", a->hits[0].confidence, why);
}

/* ---- the order of trying ---- */

static enum err choose(struct asking *a, struct why *why)
{
    bool done = false;
    enum err err = ERR_OK;
    if (a->question.names_article)
        err = by_article(a, &done, why);
    if (!err && !done)
        err = by_faq(a, &done, why);
    if (!err && !done && a->question.n_fields > 0)
        err = by_field(a, &done, why);
    if (err || done)
        return err;
    if (a->n_hits == 0 || a->hits[0].confidence < ANSWER_LEAST)
        return refuse(a, a->n_hits ? a->hits[0].confidence : 0, why);
    return by_sentences(a, why);
}

static enum err search(struct asking *a, bool all_versions, struct why *why)
{
    struct knowledge_query query = a->ask->query;
    query.text = a->question.text;
    query.limit = SEARCH_HITS;
    query.all_versions |= all_versions;
    return knowledge_search(a->k, a->who, &query, a->arena, &a->hits, &a->n_hits, why);
}

/* Reads the question together with the conversation; the field asked for is the newest one. */
static enum err understand(struct asking *a, struct why *why)
{
    struct question own;
    struct str text;
    enum err err = question_read(a->ask->query.text, a->arena, &own, why);
    if (!err)
        err = question_resolve(&own, a->ask->turns, a->ask->n_turns, a->arena, &text, why);
    if (!err)
        err = question_read(text, a->arena, &a->question, why);
    if (err)
        return err;
    if (own.n_fields > 0) {
        memcpy(a->question.fields, own.fields, sizeof own.fields);
        memcpy(a->question.strength, own.strength, sizeof own.strength);
        a->question.n_fields = own.n_fields;
    }
    a->out->question = a->question.text;
    return ERR_OK;
}

enum err knowledge_ask(struct knowledge *k, const struct ops_identity *who,
                       const struct knowledge_ask *ask, struct arena *arena,
                       struct knowledge_answer *out, struct why *why)
{
    *out = (struct knowledge_answer){0};
    struct asking a = {.k = k, .who = who, .ask = ask, .arena = arena, .out = out};
    int64_t start = time_mono_ns();
    enum err err = understand(&a, why);
    if (!err)
        err = search(&a, false, why);
    if (!err)
        err = choose(&a, why);
    /* Nothing in force answers: a text that has ended may still tell what used to hold, and says
     * so. */
    if (!err && out->refused && !ask->query.all_versions) {
        struct knowledge_answer refusal = *out;
        struct asking again = a;
        err = search(&again, true, why);
        if (!err && again.n_hits && again.hits[0].status != KNOWLEDGE_IN_FORCE) {
            *out = (struct knowledge_answer){.question = refusal.question};
            err = choose(&again, why);
        }
        if (!err && out->refused)
            *out = refusal;
    }
    if (err)
        return err;
    out->took_us = (time_mono_ns() - start) / 1000;
    uuid7(out->id);
    return ask->record ? papers_record(k, who, ask, out, why) : ERR_OK;
}
