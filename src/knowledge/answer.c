#include "knowledge/answer.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/answer_rank.h"
#include "knowledge/catalog.h"
#include "knowledge/fields.h"
#include "knowledge/papers.h"
#include "knowledge/passage.h"
#include "knowledge/quote.h"
#include "knowledge/room.h"
#include "knowledge/written.h"

#define SEARCH_HITS  60 /* looked through for what answers, over all bases */
#define SHOWN_HITS   5  /* passages told with an answer */
#define MOST_QUOTES  3
#define MOST_WHOLE   450  /* bytes of an article that is quoted whole */
#define FAQ_ALIKE    0.62 /* a question that is nearly one of the FAQ's is answered by it */
#define ROUTE_LEAST  0.05 /* less answerable than this, and a name alone does not make an answer */
#define MOST_SHORT   40   /* characters of a question that may be a short form of a title */
#define TITLE_SURE   0.75 /* this much of a record's title in the question means the record */
#define TITLE_WEIGHT 1.2  /* of a record's title that stands in the question, against its rank */
#define RECORD_LEAST 0.34 /* less of the title than this, and the record is not meant */
#define LEAST_ASKED                                                                                \
    5 /* characters of a question that a pair may be taken for by its words alone                  \
       */
#define SECOND_LEAST 0.5  /* a second passage this near the best is quoted too */
#define SECOND_SURE  0.45 /* and at least this sure */
#define RECORD_NEAR  0.3  /* a record whose passages are less likely than this share of the best */

/* One question on its way. */
struct asking {
    struct knowledge *k;
    const struct ops_identity *who;
    const struct knowledge_ask *ask;
    struct arena *arena;
    struct question own;      /* as asked */
    struct question before;   /* what was talked about, if anything was */
    struct question question; /* as understood */
    struct knowledge_hit *hits;
    size_t n_hits;
    double answerable; /* probability that one of the hits answers */
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

static const char *const now_words[] = {"现行有效", "尚未施行", "已失效", "已被新规定替代"};

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
                   STR_FMT(hit->title), now_words[hit->status],
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

/* How surely the hit's title is the one that was named; 0 when it is another. */
static double named(const struct question *q, const struct knowledge_hit *hit)
{
    struct str key = hit->meta.key.len ? hit->meta.key : hit->title;
    if (q->law.len == 0)
        return 0.5;
    if (answer_covered(q->law, hit->title) < 0.99 && answer_covered(key, q->law) < 0.99)
        return 0;
    return 0.1 + answer_alike(q->law, key);
}

static enum err is_article(struct asking *a, const struct knowledge_hit *hit, bool *yes,
                           struct why *why)
{
    struct opened opened;
    enum err err = open_version(a, hit, &opened, why);
    if (err)
        return err;
    const struct passage *p = passage_of(&opened, hit);
    *yes = p && p->kind == PASSAGE_ARTICLE && p->number == a->question.article &&
           p->sub == a->question.sub;
    catalog_release(opened.catalog);
    return ERR_OK;
}

static enum err by_article(struct asking *a, bool *done, struct why *why)
{
    size_t best = a->n_hits;
    double most = 0;
    for (size_t i = 0; i < a->n_hits; i++) {
        double sure = named(&a->question, &a->hits[i]);
        bool yes = false;
        enum err err = sure > most ? is_article(a, &a->hits[i], &yes, why) : ERR_OK;
        if (err)
            return err;
        if (yes) {
            best = i;
            most = sure;
        }
    }
    if (best == a->n_hits)
        return ERR_OK;
    *done = true;
    to_front(a, best);
    enum err err = add_quote(a, 0, a->hits[0].start, a->hits[0].len, a->hits[0].text, "", why);
    return err ? err : finish(a, "article", 0.99, why);
}

/* ---- a pair of the FAQ ---- */

/* Whether the first hit leaves the others behind. */
static bool stands_out(const struct asking *a)
{
    return a->n_hits < 2 || a->hits[1].confidence < SECOND_LEAST * a->hits[0].confidence;
}

/* Whether a pair asks, word for word, all that is asked here, however strange the words are. */
static bool asks_all(const struct asking *a, struct str pair)
{
    return utf8_count(a->question.text) >= LEAST_ASKED &&
           str_find(pair, a->question.text) != STR_NPOS;
}

/* A pair that is meant, and how sure that is. */
struct pair {
    size_t hit; /* n_hits: none is */
    double confidence;
};

/* The pair that asks all that is asked, else the best passage when it answers, else the pair that
 * is nearly the question; of several the one most alike. */
static struct pair meant_pair(const struct asking *a)
{
    struct pair meant = {a->n_hits, 0};
    double most = 0;
    int most_rank = 0;
    for (size_t i = 0; i < a->n_hits; i++) {
        if (a->hits[i].meta.kind != KNOWLEDGE_FAQ)
            continue;
        double alike = answer_alike(a->question.text, a->hits[i].article);
        bool best = i == 0 && a->answerable >= ANSWER_LEAST && stands_out(a);
        int rank = 2 * asks_all(a, a->hits[i].article) + best;
        if (rank == 0 && (alike < FAQ_ALIKE || a->answerable < ROUTE_LEAST))
            continue;
        if (meant.hit < a->n_hits && (rank < most_rank || (rank == most_rank && alike <= most)))
            continue;
        most = alike;
        most_rank = rank;
        meant.hit = i;
        meant.confidence = best || alike >= 1 || a->answerable > alike ? a->answerable : alike;
    }
    return meant;
}

static enum err by_faq(struct asking *a, bool *done, struct why *why)
{
    struct pair meant = meant_pair(a);
    if (meant.hit == a->n_hits)
        return ERR_OK;
    struct opened opened;
    enum err err = open_version(a, &a->hits[meant.hit], &opened, why);
    if (err)
        return err;
    const struct passage *p = passage_of(&opened, &a->hits[meant.hit]);
    bool pair = p && p->kind == PASSAGE_FAQ && p->body < p->len;
    size_t body = pair ? p->body : 0;
    catalog_release(opened.catalog);
    if (!pair)
        return ERR_OK;
    to_front(a, meant.hit);
    *done = true;
    struct str words = str_trim_space(str_from(a->hits[0].text, body));
    err = add_quote(a, 0, a->hits[0].start + (size_t)(words.ptr - a->hits[0].text.ptr), words.len,
                    words, "", why);
    return err ? err : finish(a, "faq", meant.confidence, why);
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

/* Whether the question is mostly a short way to say the title, in its order: 公租房申请 is
 * 公共租赁住房申请. */
static bool is_short_for(struct str content, struct str title)
{
    uint8_t row[MOST_SHORT + 1] = {0};
    size_t n_title = utf8_count(title), n_content = utf8_count(content);
    if (n_title > MOST_SHORT || n_content > MOST_SHORT)
        return false;
    for (size_t at = 0; at < content.len;) {
        uint32_t c = utf8_next(content, &at);
        uint8_t diag = 0;
        for (size_t t = 0, j = 0; t < title.len; j++) {
            uint8_t old = row[j + 1];
            row[j + 1] = c == utf8_next(title, &t) ? (uint8_t)(diag + 1)
                         : row[j] > old            ? row[j]
                                                   : old;
            diag = old;
        }
    }
    size_t same = row[n_title];
    return same >= 3 && 2 * same >= n_title && 2 * same >= n_content;
}

/*
 * The record that the question means: how much of its title stands in the question, how much of the
 * question the title explains, then its rank. n_hits when none is meant surely enough.
 */
static size_t meant_record(const struct asking *a, double *title)
{
    size_t best = a->n_hits;
    double most = 0;
    for (size_t i = 0; i < a->n_hits; i++) {
        const struct knowledge_hit *hit = &a->hits[i];
        if (hit->meta.kind != KNOWLEDGE_GUIDE)
            continue;
        double covered = answer_covered(hit->title, a->question.text);
        if (covered < TITLE_SURE && is_short_for(a->question.content, hit->title))
            covered = TITLE_SURE;
        double score = hit->confidence + TITLE_WEIGHT * covered +
                       answer_covered(a->question.content, hit->title);
        if (best == a->n_hits || score > most) {
            most = score;
            best = i;
            *title = covered;
        }
    }
    if (best < a->n_hits && *title < TITLE_SURE &&
        a->hits[best].confidence < RECORD_NEAR * a->hits[0].confidence)
        return a->n_hits;
    bool sure = (*title >= TITLE_SURE && a->answerable >= ROUTE_LEAST) ||
                (*title >= RECORD_LEAST && a->answerable >= ANSWER_LEAST);
    return sure ? best : a->n_hits;
}

/* The fields that the words beside the record's name ask for: 投诉 in "农机质量投诉受理在哪里办" is
 * part of the name. */
static enum err fields_beside(struct asking *a, struct str title, struct question *out,
                              struct why *why)
{
    struct str own = a->ask->query.text, rest;
    *out = a->question;
    enum err err = question_without(own, title, a->arena, &rest, why);
    struct question beside;
    struct why ignored = {0};
    if (err || rest.len == 0 || question_read(rest, a->arena, &beside, &ignored) != ERR_OK)
        return err;
    if (beside.n_fields > 0) {
        memcpy(out->fields, beside.fields, sizeof beside.fields);
        memcpy(out->strength, beside.strength, sizeof beside.strength);
        out->n_fields = beside.n_fields;
    }
    return ERR_OK;
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
    struct question asked;
    if (hit == a->n_hits)
        return ERR_OK;
    enum err err = fields_beside(a, a->hits[hit].title, &asked, why);
    if (!err)
        err = open_version(a, &a->hits[hit], &opened, why);
    if (err)
        return err;
    const struct passage *p = wanted_field(&opened, &asked);
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
    double confidence = a->answerable > title ? a->answerable : title;
    const struct field_kind *kind = field_named(field);
    err = add_quote(a, 0, a->hits[0].start + (size_t)(value.ptr - a->hits[0].text.ptr), value.len,
                    value, kind ? kind->label : "", why);
    return err ? err : finish(a, "field", confidence, why);
}

/* ---- sentences ---- */

/* Bytes before the words that may be quoted: an FAQ's question does not answer. */
static enum err body_of(struct asking *a, const struct knowledge_hit *hit, size_t *body,
                        struct why *why)
{
    struct opened opened;
    *body = 0;
    if (hit->meta.kind != KNOWLEDGE_FAQ)
        return ERR_OK;
    enum err err = open_version(a, hit, &opened, why);
    if (err)
        return err;
    const struct passage *p = passage_of(&opened, hit);
    *body = p && p->body < p->len ? p->body : 0;
    catalog_release(opened.catalog);
    return ERR_OK;
}

static enum err quote_hit(struct asking *a, size_t hit, size_t most, struct why *why)
{
    struct quote_span *spans = NULL;
    size_t n = 0, body;
    const struct knowledge_hit *h = &a->hits[hit];
    enum err err = body_of(a, h, &body, why);
    if (err)
        return err;
    if (body) { /* of an FAQ pair the whole answer, verbatim */
        struct str words = str_trim_space(str_from(h->text, body));
        return add_quote(a, hit, h->start + (size_t)(words.ptr - h->text.ptr), words.len, words, "",
                         why);
    }
    bool rule = h->meta.kind == KNOWLEDGE_LAW || h->meta.kind == KNOWLEDGE_POLICY;
    if (rule && h->text.len <= MOST_WHOLE) /* its sentences limit each other */
        return add_quote(a, hit, h->start, h->len, h->text, "", why);
    err = quote_best(&a->question, h->text, most, a->arena, &spans, &n, why);
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
    if (!err && !stands_out(a) && a->hits[1].confidence >= SECOND_SURE)
        err = quote_hit(a, 1, 1, why);
    bool pair = a->hits[0].meta.kind == KNOWLEDGE_FAQ && a->out->n_quotes == 1;
    return err ? err : finish(a, pair ? "faq" : "extract", a->answerable, why);
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
    if (a->n_hits == 0 || a->answerable < ANSWER_LEAST)
        return refuse(a, a->n_hits ? a->answerable : 0, why);
    return by_sentences(a, why);
}

/* The words of the base's model in place of quoted sentences, where the base has one. */
static enum err write_out(struct asking *a, struct why *why)
{
    struct base base;
    struct why gone = {0};
    if (a->out->refused || strcmp(a->out->method, "extract") != 0 || !a->k->door.call)
        return ERR_OK;
    if (base_find(a->k, a->who, a->hits[0].kb, a->arena, &base, &gone) || base.writer.len == 0)
        return ERR_OK;
    return written_answer(a->k, a->who, base.writer, a->arena, a->out, why);
}

static enum err search(struct asking *a, bool all_versions, struct why *why)
{
    struct knowledge_query query = a->ask->query;
    query.text = a->question.text;
    query.limit = SEARCH_HITS;
    query.all_versions |= all_versions;
    enum err err =
        answer_gather(a->k, a->who, &query, a->question.want, a->arena, &a->hits, &a->n_hits, why);
    return err ? err
               : answer_order(a->k, a->who, query.kb, &a->question, a->hits, a->n_hits, a->arena,
                              &a->answerable, why);
}

/* Reads the question together with the conversation; the field asked for is the newest one. */
static enum err read_behind(struct asking *a, struct why *why)
{
    struct str text = STR_NONE;
    enum err err = question_behind(&a->before, &a->own, a->arena, &text, why);
    if (!err)
        err = question_read(text, a->arena, &a->question, why);
    if (err)
        return err;
    if (a->own.n_fields > 0) {
        memcpy(a->question.fields, a->own.fields, sizeof a->own.fields);
        memcpy(a->question.strength, a->own.strength, sizeof a->own.strength);
        a->question.n_fields = a->own.n_fields;
    }
    return ERR_OK;
}

/* Answers the question as it stands, or as it is meant behind what was talked about. */
static enum err attempt(struct asking *a, bool behind, struct why *why)
{
    struct knowledge_answer *out = a->out;
    a->question = a->own;
    enum err err = behind ? read_behind(a, why) : ERR_OK;
    *out = (struct knowledge_answer){.question = a->question.text};
    if (!err)
        err = search(a, false, why);
    if (!err)
        err = choose(a, why);
    if (err || !out->refused || a->ask->query.all_versions)
        return err;
    /* Nothing in force answers: a text that has ended may still tell what used to hold, and says
     * so. */
    struct knowledge_answer refusal = *out;
    struct asking again = *a;
    err = search(&again, true, why);
    if (!err && again.n_hits && again.hits[0].status != KNOWLEDGE_IN_FORCE) {
        *out = (struct knowledge_answer){.question = refusal.question};
        err = choose(&again, why);
    }
    if (!err && out->refused)
        *out = refusal;
    else if (!err)
        *a = again;
    return err;
}

static bool holds(const struct knowledge_hit *hit, struct str words)
{
    const struct str said[] = {hit->title, hit->path, hit->article, hit->text};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        if (str_find(said[i], words) != STR_NPOS)
            return true;
    return false;
}

/*
 * Whether the passages found of the first one's document hold two neighbouring characters of what
 * the question itself says, or it asks for a field, which says what is meant. Else what was talked
 * about has found the answer alone, and the question (will it rain tomorrow?) is about something
 * else.
 */
static bool is_about_it(const struct asking *a)
{
    struct str content = a->own.content;
    bool about = a->own.n_fields > 0;
    for (size_t at = 0, next; !about && at < content.len; at = next) {
        next = at;
        (void)utf8_next(content, &next);
        size_t end = next;
        if (end < content.len)
            (void)utf8_next(content, &end);
        for (size_t i = 0; end > next && !about && i < a->n_hits; i++)
            about = str_eq(a->hits[i].document_id, a->hits[0].document_id) &&
                    holds(&a->hits[i], str_slice(content, at, end));
    }
    return about;
}

enum err knowledge_ask(struct knowledge *k, const struct ops_identity *who,
                       const struct knowledge_ask *ask, struct arena *arena,
                       struct knowledge_answer *out, struct why *why)
{
    *out = (struct knowledge_answer){0};
    struct asking a = {.k = k, .who = who, .ask = ask, .arena = arena, .out = out};
    int64_t start = time_mono_ns();
    bool talked = false;
    enum err err = question_read(ask->query.text, arena, &a.own, why);
    if (!err)
        err = question_before(ask->turns, ask->n_turns, arena, &a.before, &talked, why);
    if (!err)
        err = attempt(&a, talked && a.own.leans, why);
    /* A short question that nothing answers may be about what was talked about. */
    if (!err && out->refused && talked && !a.own.leans && a.own.may_lean) {
        struct knowledge_answer refusal = *out;
        err = attempt(&a, true, why);
        if (!err && (out->refused || !is_about_it(&a)))
            *out = refusal;
    }
    if (!err)
        err = write_out(&a, why);
    if (err)
        return err;
    out->took_us = (time_mono_ns() - start) / 1000;
    uuid7(out->id);
    return ask->record ? papers_record(k, who, ask, out, why) : ERR_OK;
}
