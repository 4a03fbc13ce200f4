/* Review, the disagreement queue, gold: what others make of the answers. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"

#define MOST_COMMENT 2000
#define HOLD_MS      (15 * 60000LL)

/* ---- the next one ---- */

/* Held for the caller, or free, and nothing that he labelled himself. */
static enum err pick(struct act *act, enum item_state state, struct item *out, bool *found,
                     struct why *why)
{
    struct store_rows rows = {0};
    struct str me = act->ask->who->user;
    enum err err = store_query(
        act->tx,
        "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ? AND state = ?"
        " AND held_by = ? ORDER BY seq LIMIT 1",
        STORE_ARGS(SV_STR(act->project.id), SV_INT(state), SV_STR(me)), act->arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = store_query(
            act->tx,
            "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ? AND state = ?"
            " AND (held_by = '' OR held_until < ?) AND NOT EXISTS (SELECT 1 FROM annotate_labels l"
            " WHERE l.project = annotate_items.project AND l.seq = annotate_items.seq"
            " AND l.user_id = ?) ORDER BY seq LIMIT 1",
            STORE_ARGS(SV_STR(act->project.id), SV_INT(state), SV_INT(act->now_ms), SV_STR(me)),
            act->arena, &rows, why);
    *found = !err && rows.n_rows > 0;
    if (*found)
        *out = item_from(&rows, 0);
    return err;
}

static void put_label(struct act *act, const struct work_label *l, bool names, size_t number,
                      struct json_out *out)
{
    char anonymous[32];
    (void)snprintf(anonymous, sizeof anonymous, "#%zu", number + 1);
    json_begin_object(out);
    json_kv_str(out, "id", l->id);
    /* Who decides between people should not see who they are. */
    json_kv_str(out, "who",
                names ? person_name(act->annotate, l->user, act->arena) : str_c(anonymous));
    if (names)
        json_kv_str(out, "user", l->user);
    json_kv_c(out, "state", label_state_names[l->state]);
    json_key(out, "answer");
    if (l->answer.len)
        json_put_raw(out, l->answer);
    else
        json_put_null(out);
    json_kv_str(out, "pre", l->pre);
    json_kv_str(out, "comment", l->comment);
    json_kv_str(out, "verdict", l->verdict);
    json_kv_str(out, "review_comment", l->review_comment);
    if (l->reviewer.len && names)
        json_kv_str(out, "reviewer", person_name(act->annotate, l->reviewer, act->arena));
    if (l->fixed.len) {
        json_key(out, "fixed");
        json_put_raw(out, l->fixed);
    }
    json_kv_int(out, "spent_ms", l->spent_ms);
    json_kv_time(out, "done_at", l->done_ms);
    if (l->score >= 0)
        json_kv_real(out, "score", l->score);
    json_end_object(out);
}

/* An item with its record and what people said about it. */
static enum err put_item(struct act *act, const struct item *item, bool names, struct json_out *out,
                         struct why *why)
{
    const struct json *record = NULL;
    struct work_label *labels = NULL;
    size_t n = 0;
    enum err err =
        record_of(act->annotate, &act->project, item->rec, act->arena, &record, NULL, why);
    if (!err)
        err = labels_of(act, item->seq, &labels, &n, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "id", item_id(&act->project, item->seq, act->arena));
    json_kv_int(out, "seq", item->seq);
    json_kv_str(out, "record", item->record);
    json_kv_c(out, "state", item_state_names[item->state]);
    json_kv_c(out, "purpose",
              item->purpose == PURPOSE_GOLD   ? "gold"
              : item->purpose == PURPOSE_EXAM ? "exam"
                                              : "work");
    json_key(out, "show");
    put_shown(&act->project, record, out);
    const struct {
        const char *name;
        struct str json;
    } answers[] = {{"pre", item->pre}, {"gold", item->gold}, {"final", item->final}};
    for (size_t i = 0; i < 3; i++)
        if (answers[i].json.len) {
            json_key(out, answers[i].name);
            json_put_raw(out, answers[i].json);
        }
    json_kv_str(out, "pre_by", item->pre_by);
    json_kv_str(out, "final_how", item->final_how);
    if (item->final_by.len)
        json_kv_str(out, "final_by", person_name(act->annotate, item->final_by, act->arena));
    json_key(out, "labels");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++)
        if (labels[i].state != LABEL_EXPIRED && labels[i].state != LABEL_LEASED)
            put_label(act, &labels[i], names, i, out);
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

enum err annotate_next_review(struct annotate *annotate, const struct annotate_ask *ask,
                              struct str project, bool disputed, struct why *why)
{
    struct act act;
    struct member m;
    struct item item;
    bool found = false;
    enum item_state state = disputed ? ITEM_DISPUTED : ITEM_REVIEW;
    enum err err = change_begin(&act, annotate, ask, NULL, "annotate.review", project, why);
    if (!err)
        err = member_need(&act, MEMBER_REVIEW, &m, why);
    if (!err)
        err = pick(&act, state, &item, &found, why);
    if (!err && found) {
        item.held_by = ask->who->user;
        item.held_until = act.now_ms + HOLD_MS;
        err = item_save(&act, &item, why);
    }
    if (!err) {
        json_begin_object(ask->out);
        json_key(ask->out, "item");
        if (found)
            err = put_item(&act, &item, !disputed, ask->out, why);
        else
            json_put_null(ask->out);
        json_kv_int(ask->out, "left", disputed ? act.project.n_disputed : act.project.n_review);
        json_end_object(ask->out);
    }
    return change_end(&act, err, project, STR_NONE, why);
}

enum err annotate_item(struct annotate *annotate, const struct annotate_ask *ask, struct str id,
                       struct why *why)
{
    struct act act;
    struct str project;
    struct item item;
    int64_t seq;
    enum err err = item_split(id, &project, &seq, why);
    if (err)
        return err;
    /* Annotators see their own work through annotate_work(); this shows what others said. */
    err = ops_need(ask->who, is_manager(ask->who) ? "annotate.manage" : "annotate.review", why);
    if (err)
        return err;
    err = look_begin(&act, annotate, ask, project, why);
    if (!err)
        err = project_see(&act, why);
    if (!err)
        err = item_load(&act, seq, &item, why);
    if (!err)
        err = put_item(&act, &item, is_manager(ask->who), ask->out, why);
    look_end(&act);
    return err;
}

/* ---- verdicts ---- */

struct turn {
    struct act act;
    struct item item;
    struct work_label *labels;
    size_t n_labels;
};

static enum err turn_begin(struct turn *t, struct annotate *annotate,
                           const struct annotate_ask *ask, struct str id, const char *action,
                           struct why *why)
{
    struct str project;
    struct member m;
    int64_t seq;
    *t = (struct turn){0};
    enum err err = item_split(id, &project, &seq, why);
    if (err)
        return err;
    err = change_begin(&t->act, annotate, ask, action, "annotate.review", project, why);
    if (!err)
        err = member_need(&t->act, MEMBER_REVIEW, &m, why);
    if (!err)
        err = item_load(&t->act, seq, &t->item, why);
    if (!err)
        err = labels_of(&t->act, seq, &t->labels, &t->n_labels, why);
    for (size_t i = 0; !err && i < t->n_labels; i++)
        if (str_eq(t->labels[i].user, ask->who->user))
            err = err_set(why, ERR_FORBIDDEN, "nobody reviews an item that he labelled himself");
    if (!err && t->item.held_by.len && !str_eq(t->item.held_by, ask->who->user) &&
        t->item.held_until > t->act.now_ms)
        err = err_set(why, ERR_CONFLICT, "somebody else is looking at this item");
    return err;
}

static enum err turn_end(struct turn *t, enum err err, struct str id, struct str detail,
                         struct json_out *out, struct why *why)
{
    const char *state = item_state_names[t->item.state];
    if (!t->act.annotate)
        return err;
    err = change_end(&t->act, err, id, detail, why);
    if (!err && out) {
        json_begin_object(out);
        json_kv_c(out, "state", state);
        json_end_object(out);
    }
    return err;
}

static enum err read_answer(struct turn *t, const struct json *json, struct str *text,
                            struct why *why)
{
    const struct json *record = NULL;
    struct answer answer;
    struct act *act = &t->act;
    enum err err =
        record_of(act->annotate, &act->project, t->item.rec, act->arena, &record, NULL, why);
    if (err)
        return err;
    struct answer_about about = about_record(&act->project, record, act->arena);
    err = answer_read(json, &act->project.labels, &about, false, act->arena, &answer, why);
    return err ? err : answer_text(&answer, &act->project.labels, act->arena, text, why);
}

static enum err mark_label(struct turn *t, const struct work_label *l, const char *verdict,
                           enum label_state state, struct str fixed, struct str comment,
                           struct why *why)
{
    return store_exec(t->act.tx,
                      "UPDATE annotate_labels SET verdict = ?, state = ?, fixed = ?, reviewer = ?,"
                      " review_ms = ?, review_comment = ? WHERE id = ?",
                      STORE_ARGS(SV_C(verdict), SV_INT(state), SV_STR(fixed),
                                 SV_STR(t->act.ask->who->user), SV_INT(t->act.now_ms),
                                 SV_STR(comment), SV_STR(l->id)),
                      NULL, why);
}

static const struct work_label *named(const struct turn *t, struct str id)
{
    for (size_t i = 0; i < t->n_labels; i++)
        if (str_eq(t->labels[i].id, id))
            return &t->labels[i];
    return NULL;
}

/* Back to who made it (all, when none is named): it is to be done again, with the comment. */
static enum err give_back(struct turn *t, struct str only, struct str comment, struct why *why)
{
    enum err err = ERR_OK;
    int64_t n = 0;
    if (!comment.len)
        return err_set(why, ERR_INVALID, "what is returned needs a comment that says why");
    if (only.len && !named(t, only))
        return err_set(why, ERR_NOT_FOUND, "there is no such label on this item");
    for (size_t i = 0; !err && i < t->n_labels; i++) {
        const struct work_label *l = &t->labels[i];
        if (l->state != LABEL_SUBMITTED || (only.len && !str_eq(only, l->id)))
            continue;
        err = mark_label(t, l, "returned", LABEL_RETURNED, STR(""), comment, why);
        if (!err)
            err = member_count(&t->act, l->user, "n_returned", 1, why);
        /* It is not submitted any more: submitting it again counts anew. */
        if (!err)
            err = member_count(&t->act, l->user, "n_submitted", -1, why);
        n++;
    }
    t->item.n_done -= n;
    t->item.n_out += n; /* its place is kept */
    if (!err)
        err = project_add(&t->act, &(struct project_delta){.labels = -n}, why);
    return err ? err : item_settle(&t->act, &t->item, why);
}

static enum err settle_labels(struct turn *t, struct str answer, bool fixed, struct str comment,
                              struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < t->n_labels; i++) {
        const struct work_label *l = &t->labels[i];
        if (l->state != LABEL_SUBMITTED)
            continue;
        err = mark_label(t, l, fixed ? "fixed" : "accepted", LABEL_SUBMITTED,
                         fixed ? answer : STR(""), comment, why);
        if (!err)
            err = member_count(&t->act, l->user, fixed ? "n_fixed" : "n_accepted", 1, why);
    }
    return err;
}

static enum err accept(struct turn *t, const struct json *body, bool fix, struct str comment,
                       struct why *why)
{
    struct str answer = STR("");
    enum err err = ERR_OK;
    for (size_t i = 0; i < t->n_labels; i++)
        if (t->labels[i].state == LABEL_SUBMITTED && !answer.len)
            answer = t->labels[i].answer;
    if (fix)
        err = read_answer(t, json_get(body, "answer"), &answer, why);
    if (!err)
        err = settle_labels(t, answer, fix, comment, why);
    return err ? err
               : item_move(&t->act, &t->item, ITEM_FINAL, answer, fix ? "fixed" : "reviewed",
                           t->act.ask->who->user, why);
}

enum err annotate_verdict(struct annotate *annotate, const struct annotate_ask *ask,
                          struct str item, const struct json *body, struct why *why)
{
    struct turn t;
    struct str action = json_get_str(body, "action", STR(""));
    struct str comment = str_trim_space(json_get_str(body, "comment", STR("")));
    bool fix = str_eq_c(action, "fix"), back = str_eq_c(action, "return");
    if (!fix && !back && !str_eq_c(action, "accept"))
        return err_set(why, ERR_INVALID, "\"action\" is accept, fix or return");
    if (comment.len > MOST_COMMENT)
        return err_set(why, ERR_INVALID, "a comment has at most %d bytes", MOST_COMMENT);
    enum err err = turn_begin(&t, annotate, ask, item, "annotate.item.verdict", why);
    if (!err && t.item.state != ITEM_REVIEW)
        err = err_set(why, ERR_CONFLICT, "this item does not wait for a review");
    if (!err)
        err = back ? give_back(&t, json_get_str(body, "label", STR("")), comment, why)
                   : accept(&t, body, fix, comment, why);
    if (!err)
        err = member_count(&t.act, ask->who->user, "n_reviewed", 1, why);
    struct str detail = str_printf(ask->arena, "{\"action\":\"%.*s\"}", STR_FMT(action));
    return turn_end(&t, err, item, detail, ask->out, why);
}

/* ---- disagreement ---- */

static enum err mark_sides(struct turn *t, struct str answer, struct str comment, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < t->n_labels; i++) {
        const struct work_label *l = &t->labels[i];
        if (l->state == LABEL_SUBMITTED)
            err = mark_label(t, l, str_eq(l->answer, answer) ? "chosen" : "overruled",
                             LABEL_SUBMITTED, STR(""), comment, why);
    }
    return err;
}

enum err annotate_adjudicate(struct annotate *annotate, const struct annotate_ask *ask,
                             struct str item, const struct json *body, struct why *why)
{
    struct turn t;
    struct str comment = str_trim_space(json_get_str(body, "comment", STR("")));
    struct str label = json_get_str(body, "label", STR("")), answer = STR("");
    bool unusable = json_get_bool(body, "unusable", false);
    if (comment.len > MOST_COMMENT)
        return err_set(why, ERR_INVALID, "a comment has at most %d bytes", MOST_COMMENT);
    enum err err = turn_begin(&t, annotate, ask, item, "annotate.item.adjudicate", why);
    if (!err && t.item.state != ITEM_DISPUTED)
        err = err_set(why, ERR_CONFLICT, "this item is not disputed");
    const struct work_label *chosen = err ? NULL : named(&t, label);
    if (!err && label.len && (!chosen || chosen->state != LABEL_SUBMITTED))
        err = err_set(why, ERR_NOT_FOUND, "there is no such answer on this item");
    else if (!err && chosen)
        answer = chosen->answer;
    else if (!err && !unusable)
        err = read_answer(&t, json_get(body, "answer"), &answer, why);
    if (!err)
        err = mark_sides(&t, answer, comment, why);
    if (!err)
        err = item_move(&t.act, &t.item, unusable ? ITEM_UNUSABLE : ITEM_FINAL, answer,
                        "adjudicated", ask->who->user, why);
    if (!err)
        err = member_count(&t.act, ask->who->user, "n_decided", 1, why);
    return turn_end(&t, err, item, unusable ? STR("{\"unusable\":true}") : STR("{}"), ask->out,
                    why);
}

/* ---- gold ---- */

static enum err set_gold(struct act *act, struct item *item, struct str answer, bool exam,
                         bool clear, struct why *why)
{
    struct project_delta d = {0};
    if (item->purpose == PURPOSE_WORK)
        d.items = -1;
    else
        *(item->purpose == PURPOSE_EXAM ? &d.exam : &d.gold) -= 1;
    item->purpose = clear ? PURPOSE_WORK : exam ? PURPOSE_EXAM : PURPOSE_GOLD;
    if (clear)
        d.items++;
    else
        *(exam ? &d.exam : &d.gold) += 1;
    item->gold = clear ? STR("") : answer;
    item->front = clear;
    enum err err = item_save(act, item, why);
    return err ? err : project_add(act, &d, why);
}

enum err annotate_gold(struct annotate *annotate, const struct annotate_ask *ask, struct str id,
                       const struct json *body, struct why *why)
{
    struct turn t = {0};
    struct str project, answer = STR("");
    int64_t seq;
    bool clear = json_get_bool(body, "clear", false), exam = json_get_bool(body, "exam", false);
    enum err err = item_split(id, &project, &seq, why);
    if (err)
        return err;
    err =
        change_begin(&t.act, annotate, ask, "annotate.item.gold", "annotate.manage", project, why);
    if (!err)
        err = item_load(&t.act, seq, &t.item, why);
    if (!err)
        err = labels_of(&t.act, seq, &t.labels, &t.n_labels, why);
    if (!err && t.n_labels > 0)
        err = err_set(why, ERR_CONFLICT, "somebody has worked on this item already");
    if (!err && !clear)
        err = read_answer(&t, json_get(body, "answer"), &answer, why);
    if (!err)
        err = set_gold(&t.act, &t.item, answer, exam, clear, why);
    return turn_end(&t, err, id, clear ? STR("{\"clear\":true}") : STR("{}"), ask->out, why);
}
