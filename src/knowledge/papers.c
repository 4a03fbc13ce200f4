#include "knowledge/papers.h"

#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "knowledge/answer.h"
#include "knowledge/room.h"
#include "ledger/ledger.h"

#define MOST_TEXT     4000 /* bytes of a comment, a correction, an FAQ's part */
#define MASK_DIGITS   7
#define MASK_SHOW     2
#define MOST_REFUSED  2000 /* refused questions that are grouped */
#define MOST_SETTLED  500  /* ended reviews that a group is compared with */
#define GROUP_ALIKE   0.6
#define GROUP_SAMPLES 5

const char papers_tables[] =
    "CREATE TABLE kb_answers ("
    " id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kb TEXT NOT NULL, kind TEXT NOT NULL, question "
    "TEXT NOT NULL,"
    " answer TEXT NOT NULL, refused INTEGER NOT NULL, method TEXT NOT NULL, confidence REAL NOT "
    "NULL,"
    " citations TEXT NOT NULL, day INTEGER NOT NULL, created_ms INTEGER NOT NULL, took_us INTEGER "
    "NOT NULL,"
    " ups INTEGER NOT NULL);"
    "CREATE INDEX kb_answers_by_day ON kb_answers (tenant, day);"
    "CREATE TABLE kb_feedback ("
    " id TEXT PRIMARY KEY, tenant TEXT NOT NULL, answer TEXT NOT NULL, kb TEXT NOT NULL, question "
    "TEXT NOT NULL,"
    " answer_text TEXT NOT NULL, verdict TEXT NOT NULL, comment TEXT NOT NULL, correction TEXT NOT "
    "NULL,"
    " state TEXT NOT NULL, result TEXT NOT NULL, created_ms INTEGER NOT NULL, ended_ms INTEGER NOT "
    "NULL,"
    " ended_by TEXT NOT NULL);"
    "CREATE INDEX kb_feedback_by_state ON kb_feedback (tenant, state, id)";

/* ---- masking ---- */

/* A digit, also full-width; value through *value, -1 when it is none. Spaces and dashes may part
 * the groups of a number. */
static bool is_digit(uint32_t c)
{
    c = utf8_halfwidth(c);
    return (c >= '0' && c <= '9') || c == 'X' || c == 'x';
}

static size_t run_end(struct str text, size_t at, size_t *n_digits)
{
    size_t end = at;
    *n_digits = 0;
    while (at < text.len) {
        size_t start = at;
        uint32_t c = utf8_next(text, &at);
        if (is_digit(c)) {
            ++*n_digits;
            end = at;
        } else if ((c != ' ' && c != '-') || *n_digits == 0 || start != end) {
            break;
        }
    }
    return end;
}

enum err papers_mask(struct str text, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t at = 0; at < text.len;) {
        size_t n, end = run_end(text, at, &n), start = at;
        if (n == 0) {
            (void)utf8_next(text, &at);
            buf_add(&buf, str_slice(text, start, at));
            continue;
        }
        for (size_t i = 0; at < end;) {
            start = at;
            bool digit = is_digit(utf8_next(text, &at));
            i += digit;
            buf_add(&buf, n >= MASK_DIGITS && digit && i + MASK_SHOW <= n
                              ? STR("*")
                              : str_slice(text, start, at));
        }
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- recording ---- */

static enum err citations_json(const struct knowledge_answer *answer, struct arena *arena,
                               struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_array(&json);
    for (size_t i = 0; i < answer->n_quotes; i++) {
        const struct knowledge_hit *hit = &answer->hits[answer->quotes[i].hit];
        json_begin_object(&json);
        json_kv_str(&json, "document_id", hit->document_id);
        json_kv_str(&json, "passage_id", hit->passage_id);
        json_kv_str(&json, "title", hit->title);
        json_kv_str(&json, "article", hit->article);
        json_kv_int(&json, "start", (int64_t)answer->quotes[i].start);
        json_kv_int(&json, "len", (int64_t)answer->quotes[i].len);
        json_end_object(&json);
    }
    json_end_array(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* The ledger gets the papers, not the words: texts of citizens do not belong in it. */
static enum err papers_detail(const struct knowledge_answer *answer, struct str kb,
                              struct str citations, struct arena *arena, struct str *out,
                              struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "kb", kb);
    json_kv_c(&json, "method", answer->method);
    json_kv_real(&json, "confidence", answer->confidence);
    if (answer->written.model.len) {
        json_kv_str(&json, "model", answer->written.model);
        json_kv_int(&json, "sentences", answer->written.n_sentences);
        json_kv_int(&json, "struck", answer->written.n_struck);
    }
    json_key(&json, "citations");
    json_put_raw(&json, citations);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err record(struct store_tx *tx, const struct ops_identity *who, struct str kb,
                       struct str question, const struct knowledge_answer *answer,
                       struct str citations, struct str detail, struct why *why)
{
    int64_t now = time_now_ms();
    enum err err = store_exec(
        tx,
        "INSERT INTO kb_answers (id, tenant, kb, kind, question, answer, refused, method, "
        "confidence, citations,"
        " day, created_ms, took_us, ups) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        STORE_ARGS(SV_C(answer->id), SV_STR(who->tenant), SV_STR(kb), SV_STR(who->kind),
                   SV_STR(question), SV_STR(answer->text), SV_INT(answer->refused),
                   SV_C(answer->method), SV_REAL(answer->confidence), SV_STR(citations),
                   SV_INT(day_of(now)), SV_INT(now), SV_INT(answer->took_us)),
        NULL, why);
    return err ? err
               : ops_audit(tx, who, "knowledge.answer.give", answer->id,
                           answer->refused ? "refused" : "ok", detail, why);
}

enum err papers_record(struct knowledge *k, const struct ops_identity *who,
                       const struct knowledge_ask *ask, const struct knowledge_answer *answer,
                       struct why *why)
{
    struct arena *arena = arena_new(1u << 20);
    struct str kb = str_c(ask->query.kb), question = STR_NONE, citations = STR_NONE,
               detail = STR_NONE;
    struct store_tx *tx = NULL;
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not record the answer");
    enum err err = papers_mask(ask->query.text, arena, &question, why);
    if (!err)
        err = citations_json(answer, arena, &citations, why);
    if (!err)
        err = papers_detail(answer, kb, citations, arena, &detail, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = record(tx, who, kb.ptr ? kb : STR(""), question, answer, citations, detail, why);
    if (err)
        store_rollback(tx);
    else
        err = store_commit(tx, why);
    arena_free(arena);
    return err;
}

/* ---- feedback ---- */

static const char *const verdicts[] = {"up", "down", "wrong", "missing"};

enum err papers_verdict_parse(struct str word, enum papers_verdict *out, struct why *why)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        if (str_eq_c(word, verdicts[i])) {
            *out = (enum papers_verdict)i;
            return ERR_OK;
        }
    }
    return err_set(why, ERR_INVALID, "\"verdict\" is up, down, wrong or missing, not \"%.*s\"",
                   STR_FMT(word));
}

static enum err feedback(struct store_tx *tx, const struct ops_identity *who, const char *answer_id,
                         enum papers_verdict verdict, struct str comment, struct str correction,
                         bool consent, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    char id[UUID_TEXT];
    enum err err =
        store_query(tx, "SELECT kb, question, answer FROM kb_answers WHERE id = ? AND tenant = ?",
                    STORE_ARGS(SV_C(answer_id), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no answer \"%s\"", answer_id);
    if (!err && verdict == PAPERS_UP)
        return store_exec(tx, "UPDATE kb_answers SET ups = ups + 1 WHERE id = ?",
                          STORE_ARGS(SV_C(answer_id)), NULL, why);
    if (!err)
        err = store_exec(tx,
                         "INSERT INTO kb_feedback (id, tenant, answer, kb, question, answer_text, "
                         "verdict, comment,"
                         " correction, state, result, created_ms, ended_ms, ended_by, consent)"
                         " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', '', ?, 0, '', ?)",
                         STORE_ARGS(SV_C(uuid7(id)), SV_STR(who->tenant), SV_C(answer_id),
                                    SV_STR(store_str(&rows, 0, 0)), SV_STR(store_str(&rows, 0, 1)),
                                    SV_STR(store_str(&rows, 0, 2)), SV_C(verdicts[verdict]),
                                    SV_STR(comment), SV_STR(correction), SV_INT(time_now_ms()),
                                    SV_INT(consent)),
                         NULL, why);
    return err ? err
               : ops_audit(tx, who, "knowledge.feedback.give", answer_id, verdicts[verdict],
                           STR("{}"), why);
}

enum err papers_feedback(struct knowledge *k, const struct ops_identity *who, const char *answer_id,
                         enum papers_verdict verdict, struct str comment, struct str correction,
                         bool consent, struct why *why)
{
    struct store_tx *tx = NULL;
    struct str masked_comment, masked_correction;
    if (comment.len > MOST_TEXT || correction.len > MOST_TEXT)
        return err_set(why, ERR_TOO_LARGE, "a comment or correction has at most %d bytes",
                       MOST_TEXT);
    struct arena *arena = arena_new(1u << 20);
    enum err err = arena ? papers_mask(comment, arena, &masked_comment, why) : ERR_NO_MEMORY;
    if (!err)
        err = papers_mask(correction, arena, &masked_correction, why);
    if (!err)
        err = store_begin(k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = feedback(tx, who, answer_id, verdict, masked_comment, masked_correction, consent,
                       arena, why);
    if (err)
        store_rollback(tx);
    else
        err = store_commit(tx, why);
    arena_free(arena);
    return err;
}

/* ---- the queue ---- */

enum err papers_reviews_json(struct knowledge *k, const struct ops_identity *who, const char *state,
                             const char *after, size_t limit, struct arena *arena,
                             struct json_out *out, struct why *why)
{
    static const char *const columns[] = {"id",     "answer_id", "kb",      "question",
                                          "answer", "verdict",   "comment", "correction",
                                          "state",  "result"};
    struct store_rows rows;
    enum err err = ops_need(who, "knowledge.review", why);
    if (!err)
        err = store_ask(k->opts.store,
                        "SELECT id, answer, kb, question, answer_text, verdict, comment, "
                        "correction, state, result,"
                        " created_ms, ended_ms FROM kb_feedback"
                        " WHERE tenant = ? AND (? = '' OR state = ?) AND (? = '' OR id < ?) ORDER "
                        "BY id DESC LIMIT ?",
                        STORE_ARGS(SV_STR(who->tenant), SV_C(state), SV_C(state), SV_C(after),
                                   SV_C(after), SV_INT((int64_t)limit)),
                        arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        json_begin_object(out);
        for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++)
            json_kv_str(out, columns[c], store_str(&rows, i, c));
        json_kv_time(out, "created_at", store_int(&rows, i, 10));
        json_kv_time(out, "ended_at", store_int(&rows, i, 11));
        json_end_object(out);
    }
    json_end_items(out, rows.n_rows == limit ? store_str(&rows, rows.n_rows - 1, 0) : STR(""));
    return ERR_OK;
}

/* The pair becomes a file of its own under faq/<base>/, which is imported like any other: it is a
 * source with a history, and a rebuilt index holds it too. */
static enum err make_faq(struct knowledge *k, const struct ops_identity *who, const char *id,
                         struct str kb, struct str question, struct str answer, struct arena *arena,
                         struct why *why)
{
    if (question.len == 0 || answer.len == 0 || question.len > MOST_TEXT || answer.len > MOST_TEXT)
        return err_set(why, ERR_INVALID,
                       "an FAQ pair needs a question and an answer of at most %d bytes", MOST_TEXT);
    if (kb.len == 0 || str_find_char(kb, '/') != STR_NPOS)
        return err_set(why, ERR_INVALID,
                       "the answer came from several bases: say into which the pair goes");
    struct base base;
    enum err err = base_find(k, who, kb, arena, &base, why);
    if (err)
        return err;
    struct str text = str_printf(arena, "# %.*s\n\n问：%.*s\n\n答：%.*s\n", STR_FMT(question),
                                 STR_FMT(question), STR_FMT(answer));
    char *name = str_z(arena, kb);
    char *dir = (char *)str_printf(arena, "%s/faq/%.*s", k->opts.data_dir, STR_FMT(kb)).ptr;
    const char *path = dir ? str_printf(arena, "%s/%s.md", dir, id).ptr : NULL;
    struct knowledge_report report = {0};
    if (!text.ptr || !name || !path)
        return err_set(why, ERR_NO_MEMORY, "could not hold the FAQ pair");
    struct knowledge_import import = {.kb = name, .paths = &path, .n_paths = 1};
    err = file_make_dirs(dir, why);
    if (!err)
        err = file_write(path, text, 0640, why);
    if (!err)
        err = knowledge_import(k, who, &import, NULL, NULL, arena, &report, why);
    if (!err && report.n_failed)
        err = err_set(why, ERR_INVALID, "the FAQ pair could not be read: %.*s",
                      STR_FMT(report.failures));
    return err;
}

static enum err end_review(struct knowledge *k, const struct ops_identity *who, const char *id,
                           struct str action, struct arena *arena, struct why *why)
{
    struct store_tx *tx = NULL;
    int64_t changed = 0;
    struct str actor = ops_actor(who, arena);
    enum err err = store_begin(k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(
            tx,
            "UPDATE kb_feedback SET state = 'done', result = ?, ended_ms = ?, ended_by = ?"
            " WHERE id = ? AND tenant = ? AND state = 'open'",
            STORE_ARGS(SV_STR(action), SV_INT(time_now_ms()), SV_STR(actor), SV_C(id),
                       SV_STR(who->tenant)),
            &changed, why);
    if (!err && changed == 0)
        err = err_set(why, ERR_CONFLICT, "the review \"%s\" has ended already", id);
    if (!err)
        err = ops_audit(tx, who, "knowledge.review.end", id, "ok",
                        str_eq_c(action, "make_faq") ? STR("{\"action\":\"make_faq\"}")
                                                     : STR("{\"action\":\"dismiss\"}"),
                        why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

static enum err check_action(struct str action, struct why *why)
{
    if (str_eq_c(action, "make_faq") || str_eq_c(action, "dismiss"))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"action\" is make_faq or dismiss, not \"%.*s\"",
                   STR_FMT(action));
}

enum err papers_review(struct knowledge *k, const struct ops_identity *who, const char *id,
                       const struct papers_decision *decision, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    struct str action = decision->action;
    enum err err = ops_need(who, "knowledge.review", why);
    if (!err)
        err = check_action(action, why);
    if (!err)
        err = store_ask(
            k->opts.store,
            "SELECT kb, question, correction, state FROM kb_feedback WHERE id = ? AND tenant = ?",
            STORE_ARGS(SV_C(id), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no review \"%s\"", id);
    if (!err && !str_eq_c(store_str(&rows, 0, 3), "open"))
        err = err_set(why, ERR_CONFLICT, "the review \"%s\" has ended already", id);
    /* The pair first: ended without it, the correction would be lost; made twice, it is the same
     * file. */
    if (!err && str_eq_c(action, "make_faq"))
        err =
            make_faq(k, who, id, decision->kb.len ? decision->kb : store_str(&rows, 0, 0),
                     decision->question.len ? decision->question : store_str(&rows, 0, 1),
                     decision->answer.len ? decision->answer : store_str(&rows, 0, 2), arena, why);
    return err ? err : end_review(k, who, id, action, arena, why);
}

/* ---- what could not be answered ---- */

/* A review that began and ended at once. */
static enum err keep_settled(struct knowledge *k, const struct ops_identity *who, const char *id,
                             const char *answer_id, const struct store_rows *asked,
                             const struct papers_decision *decision, struct arena *arena,
                             struct why *why)
{
    struct store_tx *tx = NULL;
    int64_t now = time_now_ms();
    struct str actor = ops_actor(who, arena);
    enum err err = store_begin(k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx,
                         "INSERT INTO kb_feedback (id, tenant, answer, kb, question, answer_text,"
                         " verdict, comment, correction, state, result, created_ms, ended_ms,"
                         " ended_by, consent) VALUES (?, ?, ?, ?, ?, ?, 'missing', '', ?, 'done',"
                         " ?, ?, ?, ?, 0)",
                         STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_C(answer_id),
                                    SV_STR(store_str(asked, 0, 0)), SV_STR(store_str(asked, 0, 1)),
                                    SV_STR(store_str(asked, 0, 2)), SV_STR(decision->answer),
                                    SV_STR(decision->action), SV_INT(now), SV_INT(now),
                                    SV_STR(actor)),
                         NULL, why);
    if (!err)
        err = ops_audit(tx, who, "knowledge.review.end", id, "ok",
                        str_printf(arena, "{\"action\":\"%.*s\"}", STR_FMT(decision->action)), why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

enum err papers_settle(struct knowledge *k, const struct ops_identity *who, const char *answer_id,
                       const struct papers_decision *decision, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    char id[UUID_TEXT];
    enum err err = ops_need(who, "knowledge.review", why);
    if (!err)
        err = check_action(decision->action, why);
    if (!err)
        err = store_ask(k->opts.store,
                        "SELECT kb, question, answer FROM kb_answers WHERE id = ? AND tenant = ?"
                        " AND refused = 1",
                        STORE_ARGS(SV_C(answer_id), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no refused answer \"%s\"", answer_id);
    (void)uuid7(id);
    if (!err && str_eq_c(decision->action, "make_faq"))
        err = make_faq(k, who, id, decision->kb.len ? decision->kb : store_str(&rows, 0, 0),
                       decision->question.len ? decision->question : store_str(&rows, 0, 1),
                       decision->answer, arena, why);
    return err ? err : keep_settled(k, who, id, answer_id, &rows, decision, arena, why);
}

struct group {
    struct str question, answer; /* the newest, and the id of its answer */
    int64_t n, last_ms;
    struct str samples[GROUP_SAMPLES];
    size_t n_samples;
};

static void into_group(struct group *groups, size_t *n, struct str answer, struct str question,
                       int64_t ms)
{
    size_t i = 0;
    while (i < *n && answer_alike(groups[i].question, question) < GROUP_ALIKE)
        i++;
    struct group *g = &groups[i];
    if (i == *n) {
        *g = (struct group){.question = question, .answer = answer, .last_ms = ms};
        ++*n;
    }
    g->n++;
    if (g->n_samples < GROUP_SAMPLES)
        g->samples[g->n_samples++] = question;
}

static void sort_groups(struct group *groups, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct group g = groups[i];
        size_t j = i;
        for (; j > 0 && groups[j - 1].n < g.n; j--)
            groups[j] = groups[j - 1];
        groups[j] = g;
    }
}

/* A group is settled when a review of an alike question ended after it was last asked. */
static enum err leave_out_settled(struct knowledge *k, const struct ops_identity *who,
                                  struct group *groups, size_t *n, struct arena *arena,
                                  struct why *why)
{
    struct store_rows rows;
    size_t kept = 0;
    enum err err =
        store_ask(k->opts.store,
                  "SELECT question, ended_ms FROM kb_feedback WHERE tenant = ? AND state"
                  " = 'done' ORDER BY id DESC LIMIT ?",
                  STORE_ARGS(SV_STR(who->tenant), SV_INT(MOST_SETTLED)), arena, &rows, why);
    if (err)
        return err;
    for (size_t i = 0; i < *n; i++) {
        bool settled = false;
        for (size_t r = 0; r < rows.n_rows && !settled; r++)
            settled = store_int(&rows, r, 1) >= groups[i].last_ms &&
                      answer_alike(store_str(&rows, r, 0), groups[i].question) >= GROUP_ALIKE;
        if (!settled)
            groups[kept++] = groups[i];
    }
    *n = kept;
    return ERR_OK;
}

enum err papers_unanswered_json(struct knowledge *k, const struct ops_identity *who, int days,
                                struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    size_t n = 0;
    enum err err = ops_need(who, "knowledge.review", why);
    if (!err)
        err = store_ask(
            k->opts.store,
            "SELECT question, created_ms, id FROM kb_answers WHERE tenant = ? AND refused = 1 AND "
            "day > ?"
            " ORDER BY id DESC LIMIT ?",
            STORE_ARGS(SV_STR(who->tenant), SV_INT(day_today() - days), SV_INT(MOST_REFUSED)),
            arena, &rows, why);
    struct group *groups =
        err ? NULL : arena_array(arena, struct group, rows.n_rows ? rows.n_rows : 1);
    if (err || !groups)
        return err ? err : err_set(why, ERR_NO_MEMORY, "could not group the questions");
    for (size_t i = 0; i < rows.n_rows; i++)
        into_group(groups, &n, store_str(&rows, i, 2), store_str(&rows, i, 0),
                   store_int(&rows, i, 1));
    err = leave_out_settled(k, who, groups, &n, arena, why);
    if (err)
        return err;
    sort_groups(groups, n);
    json_begin_items(out);
    for (size_t i = 0; i < n && i < 100; i++) {
        json_begin_object(out);
        json_kv_str(out, "question", groups[i].question);
        json_kv_str(out, "answer", groups[i].answer);
        json_kv_int(out, "count", groups[i].n);
        json_kv_time(out, "last_at", groups[i].last_ms);
        json_key(out, "examples");
        json_begin_array(out);
        for (size_t s = 0; s < groups[i].n_samples; s++)
            json_put_str(out, groups[i].samples[s]);
        json_end_array(out);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

/* ---- figures ---- */

static enum err put_days(struct knowledge *k, const struct ops_identity *who, int days,
                         struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    char text[TIME_TEXT];
    enum err err =
        store_ask(k->opts.store,
                  "SELECT day, COUNT(*), SUM(refused), SUM(ups) FROM kb_answers"
                  " WHERE tenant = ? AND day > ? GROUP BY day ORDER BY day",
                  STORE_ARGS(SV_STR(who->tenant), SV_INT(day_today() - days)), arena, &rows, why);
    if (err)
        return err;
    json_key(out, "days");
    json_begin_array(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_c(out, "day", day_format((int32_t)store_int(&rows, i, 0), text));
        json_kv_int(out, "questions", store_int(&rows, i, 1));
        json_kv_int(out, "refused", store_int(&rows, i, 2));
        json_kv_int(out, "ups", store_int(&rows, i, 3));
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

static enum err put_methods(struct knowledge *k, const struct ops_identity *who, int days,
                            struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(
        k->opts.store,
        "SELECT method, COUNT(*), AVG(took_us) FROM kb_answers WHERE tenant = ? AND day > ?"
        " GROUP BY method ORDER BY method",
        STORE_ARGS(SV_STR(who->tenant), SV_INT(day_today() - days)), arena, &rows, why);
    if (err)
        return err;
    json_key(out, "methods");
    json_begin_array(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "method", store_str(&rows, i, 0));
        json_kv_int(out, "count", store_int(&rows, i, 1));
        json_kv_real(out, "mean_ms", store_real(&rows, i, 2) / 1000);
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

enum err papers_overview_json(struct knowledge *k, const struct ops_identity *who, int days,
                              struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(k->opts.store,
                             "SELECT COUNT(*) FROM kb_feedback WHERE tenant = ? AND state = 'open'",
                             STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    json_begin_object(out);
    if (!err)
        err = put_days(k, who, days, arena, out, why);
    if (!err)
        err = put_methods(k, who, days, arena, out, why);
    if (!err) {
        json_kv_int(out, "open_reviews", store_int(&rows, 0, 0));
        json_key(out, "documents");
        err = statuses_json(k, who, arena, out, why);
    }
    json_end_object(out);
    return err;
}
