/* Handing out, drafts, submissions, skips, undo. */
#include <string.h>

#include "annotate/room.h"
#include "core/hash.h"
#include "core/utf8.h"

#define MOST_AHEAD  5
#define MOST_SWEEP  200
#define MOST_REASON 1000
#define MOST_SPENT  (24 * 3600000LL)

/* ---- leases ---- */

/* Leases whose time is over: the items come back, drafts are kept for when the person does. */
static enum err sweep(struct act *act, struct why *why)
{
    struct store_rows rows = {0};
    enum err err =
        store_query(act->tx,
                    "SELECT id, seq FROM annotate_labels WHERE project = ? AND state = 0"
                    " AND lease_ms < ? ORDER BY lease_ms LIMIT ?",
                    STORE_ARGS(SV_STR(act->project.id), SV_INT(act->now_ms), SV_INT(MOST_SWEEP)),
                    act->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct item item;
        err = item_load(act, store_int(&rows, i, 1), &item, why);
        if (!err)
            err = store_exec(act->tx, "UPDATE annotate_labels SET state = 4 WHERE id = ?",
                             STORE_ARGS(SV_STR(store_str(&rows, i, 0))), NULL, why);
        if (err)
            break;
        item.n_out -= item.purpose == PURPOSE_WORK && item.n_out > 0;
        item.front = true;
        err = item_save(act, &item, why);
    }
    return err;
}

/* The item becomes the caller's. What he began before and let lapse is his draft again. */
static enum err lease(struct act *act, struct item *item, struct why *why)
{
    char id[UUID_TEXT];
    enum err err = store_exec(
        act->tx,
        "INSERT INTO annotate_labels (id, project, seq, user_id, purpose, state, answer, pre,"
        " comment, verdict, reviewer, review_comment, fixed, lease_ms, begun_ms, done_ms,"
        " spent_ms, review_ms, score) VALUES (?, ?, ?, ?, ?, 0, '', '', '', '', '', '', '', ?, ?,"
        " 0, 0, 0, -1.0) ON CONFLICT (project, seq, user_id) DO UPDATE SET state = 0,"
        " lease_ms = excluded.lease_ms",
        STORE_ARGS(SV_C(uuid7(id)), SV_STR(act->project.id), SV_INT(item->seq),
                   SV_STR(act->ask->who->user), SV_INT(item->purpose),
                   SV_INT(act->now_ms + act->project.lease_ms), SV_INT(act->now_ms)),
        NULL, why);
    item->n_out += item->purpose == PURPOSE_WORK;
    return err ? err : item_save(act, item, why);
}

/* One item by a condition; `found` false when there is none. */
static enum err pick(struct act *act, const char *sql, struct store_args args, struct item *out,
                     bool *found, struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_query(act->tx, sql, args, act->arena, &rows, why);
    *found = !err && rows.n_rows > 0;
    if (*found)
        *out = item_from(&rows, 0);
    return err;
}

#define NOT_MINE                                                                                   \
    " AND NOT EXISTS (SELECT 1 FROM annotate_labels l WHERE l.project = annotate_items.project"    \
    " AND l.seq = annotate_items.seq AND l.user_id = ? AND l.state <> 4)"

static enum err pick_special(struct act *act, enum purpose purpose, struct item *out, bool *found,
                             struct why *why)
{
    return pick(act,
                "SELECT " ITEM_COLUMNS
                " FROM annotate_items WHERE project = ? AND purpose = ?" NOT_MINE
                " ORDER BY seq LIMIT 1",
                STORE_ARGS(SV_STR(act->project.id), SV_INT(purpose), SV_STR(act->ask->who->user)),
                out, found, why);
}

/* First what became free again, then from where this person is on: so the cost of handing out does
 * not grow with what has been done. */
static enum err pick_work(struct act *act, struct member *m, struct item *out, bool *found,
                          struct why *why)
{
    enum err err = pick(act,
                        "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
                        " AND front = 1 AND open = 1" NOT_MINE " ORDER BY seq LIMIT 1",
                        STORE_ARGS(SV_STR(act->project.id), SV_STR(m->user)), out, found, why);
    if (err || *found)
        return err;
    err = pick(act,
               "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ? AND open = 1"
               " AND seq > ?" NOT_MINE " ORDER BY seq LIMIT 1",
               STORE_ARGS(SV_STR(act->project.id), SV_INT(m->cursor), SV_STR(m->user)), out, found,
               why);
    if (!err)
        m->cursor = *found ? out->seq : INT64_MAX / 2;
    return err;
}

static enum err save_cursor(struct act *act, const struct member *m, struct why *why)
{
    return store_exec(act->tx,
                      "UPDATE annotate_members SET cursor_seq = ?, since_gold = ?"
                      " WHERE project = ? AND user_id = ?",
                      STORE_ARGS(SV_INT(m->cursor), SV_INT(m->since_gold), SV_STR(act->project.id),
                                 SV_STR(m->user)),
                      NULL, why);
}

static bool must_pass(const struct act *act, const struct member *m)
{
    return act->project.pass_mark > 0 && act->project.n_exam > 0 && !str_eq_c(m->exam, "passed");
}

static enum err hand_out(struct act *act, struct member *m, bool *found, struct why *why)
{
    struct item item;
    enum err err = ERR_OK;
    *found = false;
    if (must_pass(act, m)) {
        if (str_eq_c(m->exam, "failed"))
            return err_set(why, ERR_FORBIDDEN, "the exam of this project was not passed");
        err = pick_special(act, PURPOSE_EXAM, &item, found, why);
    } else {
        if (act->project.gold_every > 0 && m->since_gold >= act->project.gold_every)
            err = pick_special(act, PURPOSE_GOLD, &item, found, why);
        if (!err && *found)
            m->since_gold = 0;
        else if (!err)
            err = pick_work(act, m, &item, found, why);
        m->since_gold += *found;
    }
    if (!err && *found)
        err = lease(act, &item, why);
    return err ? err : save_cursor(act, m, why);
}

/* ---- what is shown ---- */

static enum err put_work(struct act *act, const struct work_label *l, struct json_out *out,
                         struct why *why)
{
    struct item item;
    const struct json *record = NULL;
    struct str id = item_id(&act->project, l->seq, act->arena);
    enum err err = item_load(act, l->seq, &item, why);
    if (!err)
        err = record_of(act->annotate, &act->project, item.rec, act->arena, &record, NULL, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "id", id);
    json_kv_int(out, "seq", l->seq);
    json_kv_str(out, "record", item.record);
    json_key(out, "show");
    put_shown(&act->project, record, out);
    if (item.pre.len && l->purpose == PURPOSE_WORK) {
        json_key(out, "pre");
        json_put_raw(out, item.pre);
        json_kv_str(out, "pre_by", item.pre_by);
    }
    if (l->answer.len) {
        json_key(out, "answer");
        json_put_raw(out, l->answer);
    }
    if (l->state == LABEL_RETURNED)
        json_kv_str(out, "returned", l->review_comment.len ? l->review_comment : STR(" "));
    json_kv_bool(out, "exam", l->purpose == PURPOSE_EXAM);
    json_kv_time(out, "lease_until", l->lease_ms);
    json_end_object(out);
    return ERR_OK;
}

static enum err mine(struct act *act, size_t n, struct store_rows *rows, struct why *why)
{
    return store_query(
        act->tx,
        "SELECT " LABEL_COLUMNS " FROM annotate_labels WHERE project = ?"
        " AND user_id = ? AND state IN (0, 3) ORDER BY state DESC, begun_ms, seq"
        " LIMIT ?",
        STORE_ARGS(SV_STR(act->project.id), SV_STR(act->ask->who->user), SV_INT((int64_t)n)),
        act->arena, rows, why);
}

static enum err renew(struct act *act, struct why *why)
{
    return store_exec(act->tx,
                      "UPDATE annotate_labels SET lease_ms = ? WHERE project = ? AND user_id = ?"
                      " AND state = 0",
                      STORE_ARGS(SV_INT(act->now_ms + act->project.lease_ms),
                                 SV_STR(act->project.id), SV_STR(act->ask->who->user)),
                      NULL, why);
}

static enum err put_exam(struct act *act, struct json_out *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_query(act->tx,
                               "SELECT exam, exam_n, exam_score, n_submitted FROM annotate_members"
                               " WHERE project = ? AND user_id = ?",
                               STORE_ARGS(SV_STR(act->project.id), SV_STR(act->ask->who->user)),
                               act->arena, &rows, why);
    if (err)
        return err;
    json_key(out, "exam");
    json_begin_object(out);
    json_kv_int(out, "n", act->project.pass_mark > 0 ? act->project.n_exam : 0);
    json_kv_int(out, "done", store_int(&rows, 0, 1));
    json_kv_str(out, "state", store_str(&rows, 0, 0));
    json_end_object(out);
    json_kv_int(out, "done", store_int(&rows, 0, 3));
    return ERR_OK;
}

static enum err put_all(struct act *act, const struct store_rows *rows, struct json_out *out,
                        struct why *why)
{
    enum err err = ERR_OK;
    const struct project *p = &act->project;
    json_begin_object(out);
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = 0; !err && i < rows->n_rows; i++) {
        struct work_label l = label_from(rows, i);
        err = put_work(act, &l, out, why);
    }
    json_end_array(out);
    if (!err)
        err = put_exam(act, out, why);
    json_kv_int(out, "left", p->n_items - p->n_final - p->n_review - p->n_disputed - p->n_unusable);
    json_end_object(out);
    return err;
}

enum err annotate_work(struct annotate *annotate, const struct annotate_ask *ask,
                       struct str project, size_t n, struct why *why)
{
    struct act act;
    struct member m;
    struct store_rows rows = {0};
    bool found = true;
    n = n < 1 ? 1 : n > MOST_AHEAD ? MOST_AHEAD : n;
    enum err err = change_begin(&act, annotate, ask, NULL, "annotate.work", project, why);
    if (!err)
        err = member_need(&act, MEMBER_WORK, &m, why);
    if (!err && !str_eq_c(act.project.state, "open"))
        err = err_set(why, ERR_CONFLICT, "the project is not open for work");
    if (!err)
        err = renew(&act, why);
    if (!err)
        err = sweep(&act, why);
    if (!err)
        err = mine(&act, n, &rows, why);
    for (size_t have = rows.n_rows; !err && found && have < n; have++)
        err = hand_out(&act, &m, &found, why);
    if (!err)
        err = mine(&act, n, &rows, why);
    if (!err)
        err = put_all(&act, &rows, ask->out, why);
    return change_end(&act, err, project, STR_NONE, why);
}

/* ---- answers ---- */

struct turn { /* one call of one person about one item */
    struct act act;
    struct item item;
    struct work_label label;
    struct member member;
};

static enum err turn_begin(struct turn *t, struct annotate *annotate,
                           const struct annotate_ask *ask, struct str id, struct why *why)
{
    struct str project;
    int64_t seq;
    *t = (struct turn){0};
    enum err err = item_split(id, &project, &seq, why);
    if (err)
        return err;
    err = change_begin(&t->act, annotate, ask, NULL, "annotate.work", project, why);
    if (!err)
        err = member_need(&t->act, MEMBER_WORK, &t->member, why);
    if (!err && !str_eq_c(t->act.project.state, "open"))
        err = err_set(why, ERR_CONFLICT, "the project is not open for work");
    if (!err)
        err = item_load(&t->act, seq, &t->item, why);
    if (!err)
        err = label_mine(&t->act, seq, &t->label, why);
    return err;
}

/* turn_begin() failed before there was anything to end? */
static enum err turn_end(struct turn *t, enum err err, struct str id, struct why *why)
{
    return t->act.annotate ? change_end(&t->act, err, id, STR_NONE, why) : err;
}

static enum err read_answer(struct turn *t, const struct json *json, bool draft,
                            struct answer *answer, struct str *text, struct why *why)
{
    const struct json *record = NULL;
    struct act *act = &t->act;
    enum err err =
        record_of(act->annotate, &act->project, t->item.rec, act->arena, &record, NULL, why);
    if (err)
        return err;
    struct answer_about about = about_record(&act->project, record, act->arena);
    err = answer_read(json, &act->project.labels, &about, draft, act->arena, answer, why);
    if (!err)
        err = answer_text(answer, &act->project.labels, act->arena, text, why);
    if (!err && text->len > ANSWER_MOST_BYTES)
        err = err_set(why, ERR_TOO_LARGE, "an answer has at most %zu bytes", ANSWER_MOST_BYTES);
    return err;
}

/* Whether the label is still the caller's to answer; a lapsed lease is when nobody took the item.
 */
static enum err still_mine(struct turn *t, struct why *why)
{
    const struct item *item = &t->item;
    if (t->label.state == LABEL_LEASED || t->label.state == LABEL_RETURNED)
        return ERR_OK;
    if (t->label.state != LABEL_EXPIRED)
        return err_set(why, ERR_CONFLICT, "this item has been answered already; undo first");
    if (item->purpose == PURPOSE_WORK &&
        (item->state != ITEM_OPEN || item->n_out + item->n_done + item->n_skip >= item->wanted))
        return err_set(why, ERR_CONFLICT,
                       "the time for this item was over, and somebody else has taken it");
    t->item.n_out += item->purpose == PURPOSE_WORK;
    return ERR_OK;
}

enum err annotate_draft(struct annotate *annotate, const struct annotate_ask *ask, struct str item,
                        const struct json *json, struct why *why)
{
    struct turn t;
    struct answer answer;
    struct str text = STR("");
    enum err err = turn_begin(&t, annotate, ask, item, why);
    if (!err)
        err = still_mine(&t, why);
    if (!err)
        err = read_answer(&t, json, true, &answer, &text, why);
    bool back = !err && t.label.state == LABEL_EXPIRED;
    if (!err)
        err = store_exec(
            t.act.tx, "UPDATE annotate_labels SET answer = ?, lease_ms = ?, state = ? WHERE id = ?",
            STORE_ARGS(SV_STR(text), SV_INT(t.act.now_ms + t.act.project.lease_ms),
                       SV_INT(t.label.state == LABEL_RETURNED ? LABEL_RETURNED : LABEL_LEASED),
                       SV_STR(t.label.id)),
            NULL, why);
    if (!err && back)
        err = item_save(&t.act, &t.item, why);
    err = turn_end(&t, err, item, why);
    if (!err && ask->out) {
        json_begin_object(ask->out);
        json_kv_c(ask->out, "state", "draft");
        json_end_object(ask->out);
    }
    return err;
}

/* What became of the pre-label: taken as it was, or changed. */
static const char *pre_fate(const struct turn *t, const struct answer *answer)
{
    struct answer pre;
    bool same = false;
    if (!t->item.pre.len || t->item.purpose != PURPOSE_WORK)
        return "";
    if (answer_parse(t->item.pre, &t->act.project.labels, &answer_about_anything, true,
                     t->act.arena, &pre, NULL))
        return "";
    (void)answer_score(&t->act.project.labels, &pre, answer, &same);
    return same ? "accepted" : "changed";
}

static enum err save_label(struct turn *t, enum label_state state, struct str text, const char *pre,
                           struct str comment, int64_t spent_ms, struct why *why)
{
    spent_ms = spent_ms < 0 ? 0 : spent_ms > MOST_SPENT ? MOST_SPENT : spent_ms;
    enum err err = store_exec(
        t->act.tx,
        "UPDATE annotate_labels SET state = ?, answer = ?, pre = ?, comment = ?, done_ms = ?,"
        " spent_ms = spent_ms + ?, verdict = '' WHERE id = ?",
        STORE_ARGS(SV_INT(state), SV_STR(text), SV_C(pre), SV_STR(comment), SV_INT(t->act.now_ms),
                   SV_INT(spent_ms), SV_STR(t->label.id)),
        NULL, why);
    if (!err)
        err = member_count(&t->act, t->label.user, "spent_ms", (double)spent_ms, why);
    return err;
}

/* A gold item: compared at once, and the item itself stays as it is. */
static enum err score_gold(struct turn *t, const struct answer *answer, double *score,
                           struct why *why)
{
    struct answer right;
    struct act *act = &t->act;
    enum err err = answer_parse(t->item.gold, &act->project.labels, &answer_about_anything, true,
                                act->arena, &right, why);
    if (err)
        return err;
    *score = answer_score(&act->project.labels, answer, &right, NULL);
    err = store_exec(act->tx, "UPDATE annotate_labels SET score = ? WHERE id = ?",
                     STORE_ARGS(SV_REAL(*score), SV_STR(t->label.id)), NULL, why);
    if (err)
        return err;
    return store_exec(act->tx,
                      t->item.purpose == PURPOSE_EXAM
                          ? "UPDATE annotate_members SET exam_n = exam_n + 1,"
                            " exam_score = exam_score + ? WHERE project = ? AND user_id = ?"
                          : "UPDATE annotate_members SET n_gold = n_gold + 1,"
                            " gold_score = gold_score + ? WHERE project = ? AND user_id = ?",
                      STORE_ARGS(SV_REAL(*score), SV_STR(act->project.id), SV_STR(t->label.user)),
                      NULL, why);
}

/* After the last item of the exam: passed or not. */
static enum err judge_exam(struct turn *t, struct str *state, struct why *why)
{
    struct store_rows rows = {0};
    struct act *act = &t->act;
    enum err err = store_query(act->tx,
                               "SELECT exam_n, exam_score FROM annotate_members WHERE project = ?"
                               " AND user_id = ?",
                               STORE_ARGS(SV_STR(act->project.id), SV_STR(t->label.user)),
                               act->arena, &rows, why);
    int64_t n = store_int(&rows, 0, 0);
    if (err || n < act->project.n_exam)
        return err;
    double percent = store_real(&rows, 0, 1) / (double)n * 100;
    *state = percent + 1e-9 >= (double)act->project.pass_mark ? STR("passed") : STR("failed");
    return store_exec(
        act->tx, "UPDATE annotate_members SET exam = ? WHERE project = ? AND user_id = ?",
        STORE_ARGS(SV_STR(*state), SV_STR(act->project.id), SV_STR(t->label.user)), NULL, why);
}

static void put_submitted(const struct turn *t, double score, struct str exam, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "state", "submitted");
    if (t->item.purpose == PURPOSE_EXAM) {
        json_key(out, "exam");
        json_begin_object(out);
        json_key(out, "right");
        json_put_raw(out, t->item.gold);
        json_kv_real(out, "score", score);
        json_kv_str(out, "state", exam);
        json_end_object(out);
    }
    json_end_object(out);
}

static enum err submit(struct turn *t, const struct json *body, const struct answer *answer,
                       struct str text, double *score, struct str *exam, struct why *why)
{
    struct str comment = json_get_str(body, "comment", STR(""));
    const char *pre = pre_fate(t, answer);
    struct act *act = &t->act;
    enum err err = comment.len > MOST_REASON
                       ? err_set(why, ERR_INVALID, "a comment has at most %d bytes", MOST_REASON)
                       : save_label(t, LABEL_SUBMITTED, text, pre, comment,
                                    json_get_int(body, "spent_ms", 0), why);
    if (!err && pre[0])
        err = member_count(act, t->label.user, pre[0] == 'a' ? "n_pre_accepted" : "n_pre_changed",
                           1, why);
    if (!err)
        err = member_count(act, t->label.user, "n_submitted", 1, why);
    if (!err && t->item.purpose != PURPOSE_WORK) {
        err = score_gold(t, answer, score, why);
        return err || t->item.purpose == PURPOSE_GOLD ? err : judge_exam(t, exam, why);
    }
    t->item.n_out -= t->item.n_out > 0;
    t->item.n_done++;
    if (!err)
        err = project_add(act, &(struct project_delta){.labels = 1}, why);
    return err ? err : item_settle(act, &t->item, why);
}

enum err annotate_submit(struct annotate *annotate, const struct annotate_ask *ask, struct str item,
                         const struct json *body, struct why *why)
{
    struct turn t;
    struct answer answer;
    struct str text = STR(""), exam = STR("");
    double score = 0;
    enum err err = turn_begin(&t, annotate, ask, item, why);
    if (!err)
        err = read_answer(&t, json_get(body, "answer"), false, &answer, &text, why);
    /* Sent again because the reply was lost. */
    bool again = !err && t.label.state == LABEL_SUBMITTED && str_eq(text, t.label.answer);
    if (!err && !again)
        err = still_mine(&t, why);
    if (!err && !again)
        err = submit(&t, body, &answer, text, &score, &exam, why);
    else if (again)
        score = t.label.score;
    if (!err && ask->out)
        put_submitted(&t, score, again ? t.member.exam : exam, ask->out);
    return turn_end(&t, err, item, why);
}

enum err annotate_skip(struct annotate *annotate, const struct annotate_ask *ask, struct str item,
                       struct str reason, struct why *why)
{
    struct turn t;
    reason = str_trim_space(reason);
    enum err err = turn_begin(&t, annotate, ask, item, why);
    if (!err && (!reason.len || reason.len > MOST_REASON))
        err = err_set(why, ERR_INVALID, "a skip needs a reason of at most %d bytes", MOST_REASON);
    if (!err && t.item.purpose == PURPOSE_EXAM)
        err = err_set(why, ERR_CONFLICT, "items of the exam cannot be skipped");
    if (!err)
        err = still_mine(&t, why);
    if (!err)
        err = save_label(&t, LABEL_SKIPPED, STR(""), "", reason, 0, why);
    if (!err)
        err = member_count(&t.act, t.label.user, "n_skipped", 1, why);
    if (!err && t.item.purpose == PURPOSE_WORK) {
        t.item.n_out -= t.item.n_out > 0;
        t.item.n_skip++;
        err = project_add(&t.act, &(struct project_delta){.skipped = 1}, why);
        if (!err)
            err = item_settle(&t.act, &t.item, why);
    }
    err = turn_end(&t, err, item, why);
    if (!err && ask->out) {
        json_begin_object(ask->out);
        json_kv_c(ask->out, "state", "skipped");
        json_end_object(ask->out);
    }
    return err;
}

/* ---- undo ---- */

static enum err take_back_gold(struct turn *t, struct why *why)
{
    struct act *act = &t->act;
    if (t->label.state != LABEL_SUBMITTED)
        return ERR_OK;
    return store_exec(
        act->tx,
        "UPDATE annotate_members SET n_gold = n_gold - 1,"
        " gold_score = gold_score - ? WHERE project = ? AND user_id = ?",
        STORE_ARGS(SV_REAL(t->label.score), SV_STR(act->project.id), SV_STR(t->label.user)), NULL,
        why);
}

/* What was counted is counted back. */
static enum err take_back(struct turn *t, struct why *why)
{
    struct act *act = &t->act;
    bool skipped = t->label.state == LABEL_SKIPPED, work = t->item.purpose == PURPOSE_WORK;
    struct project_delta d = {.labels = skipped ? 0 : -1, .skipped = skipped ? -1 : 0};
    enum err err = member_count(act, t->label.user, skipped ? "n_skipped" : "n_submitted", -1, why);
    if (!err && t->label.pre.len)
        err =
            member_count(act, t->label.user,
                         t->label.pre.ptr[0] == 'a' ? "n_pre_accepted" : "n_pre_changed", -1, why);
    if (!err && !work)
        err = take_back_gold(t, why);
    /* The item first: what it took from the label is given back while the label still has it. */
    if (!err && work && t->item.state != ITEM_OPEN)
        err = item_move(act, &t->item, ITEM_OPEN, STR(""), "", STR(""), why);
    if (!err)
        err =
            store_exec(act->tx,
                       "UPDATE annotate_labels SET state = 0, pre = '', lease_ms = ?,"
                       " begun_ms = 0 WHERE id = ?",
                       STORE_ARGS(SV_INT(act->now_ms + act->project.lease_ms), SV_STR(t->label.id)),
                       NULL, why);
    if (err || !work)
        return err;
    t->item.n_done -= !skipped;
    t->item.n_skip -= skipped;
    t->item.n_out++;
    err = item_save(act, &t->item, why);
    return err ? err : project_add(act, &d, why);
}

static enum err check_undo(const struct turn *t, struct why *why)
{
    const struct item *item = &t->item;
    bool built = item->purpose == PURPOSE_EXAM ||
                 (item->held_by.len && item->held_until > t->act.now_ms) || t->label.verdict.len ||
                 str_eq_c(item->final_how, "reviewed") || str_eq_c(item->final_how, "fixed") ||
                 str_eq_c(item->final_how, "adjudicated") || item->state == ITEM_UNUSABLE;
    return built ? err_set(why, ERR_CONFLICT,
                           "that answer cannot be taken back: it has been looked at already")
                 : ERR_OK;
}

enum err annotate_undo(struct annotate *annotate, const struct annotate_ask *ask,
                       struct str project, struct why *why)
{
    struct turn t = {0};
    struct store_rows rows = {0};
    enum err err = change_begin(&t.act, annotate, ask, NULL, "annotate.work", project, why);
    if (!err)
        err = member_need(&t.act, MEMBER_WORK, &t.member, why);
    if (!err && !str_eq_c(t.act.project.state, "open"))
        err = err_set(why, ERR_CONFLICT, "the project is not open for work");
    if (!err)
        err = store_query(t.act.tx,
                          "SELECT " LABEL_COLUMNS " FROM annotate_labels WHERE project = ?"
                          " AND user_id = ? AND state IN (1, 2) ORDER BY done_ms DESC, id DESC"
                          " LIMIT 1",
                          STORE_ARGS(SV_STR(project), SV_STR(ask->who->user)), t.act.arena, &rows,
                          why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is nothing to take back");
    if (!err) {
        t.label = label_from(&rows, 0);
        err = item_load(&t.act, t.label.seq, &t.item, why);
    }
    if (!err)
        err = check_undo(&t, why);
    if (!err)
        err = take_back(&t, why);
    if (!err) {
        t.label.state = LABEL_LEASED;
        err = put_work(&t.act, &t.label, ask->out, why);
    }
    return change_end(&t.act, err, project, STR_NONE, why);
}
