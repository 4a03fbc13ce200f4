/* Items and the labels on them: rows, and how an item moves from state to state. */
#include <stdio.h>
#include <string.h>

#include "annotate/room.h"
#include "core/hash.h"
#include "core/utf8.h"

const char *const item_state_names[ITEM_STATES] = {"open", "review", "disputed", "final",
                                                   "unusable"};
const char *const label_state_names[] = {"leased", "submitted", "skipped", "returned", "expired"};

enum err item_split(struct str id, struct str *project, int64_t *seq, struct why *why)
{
    size_t dot = str_find_char(id, '.');
    if (dot == STR_NPOS || !uuid_valid(str_slice(id, 0, dot)) ||
        !str_to_i64(str_from(id, dot + 1), seq) || *seq < 1)
        return err_set(why, ERR_NOT_FOUND, "there is no such item");
    *project = str_slice(id, 0, dot);
    return ERR_OK;
}

struct str item_id(const struct project *project, int64_t seq, struct arena *arena)
{
    return str_printf(arena, "%.*s.%lld", STR_FMT(project->id), (long long)seq);
}

struct item item_from(const struct store_rows *rows, size_t i)
{
    return (struct item){.seq = store_int(rows, i, 0),
                         .rec = store_int(rows, i, 1),
                         .record = store_str(rows, i, 2),
                         .purpose = (enum purpose)store_int(rows, i, 3),
                         .state = (enum item_state)store_int(rows, i, 4),
                         .wanted = store_int(rows, i, 5),
                         .n_out = store_int(rows, i, 6),
                         .n_done = store_int(rows, i, 7),
                         .n_skip = store_int(rows, i, 8),
                         .front = store_int(rows, i, 9) != 0,
                         .gold = store_str(rows, i, 10),
                         .pre = store_str(rows, i, 11),
                         .pre_by = store_str(rows, i, 12),
                         .final = store_str(rows, i, 13),
                         .final_how = store_str(rows, i, 14),
                         .final_by = store_str(rows, i, 15),
                         .held_by = store_str(rows, i, 16),
                         .held_until = store_int(rows, i, 17),
                         .changed_ms = store_int(rows, i, 18)};
}

enum err item_load(struct act *act, int64_t seq, struct item *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err =
        store_query(act->tx,
                    "SELECT " ITEM_COLUMNS " FROM annotate_items WHERE project = ?"
                    " AND seq = ?",
                    STORE_ARGS(SV_STR(act->project.id), SV_INT(seq)), act->arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such item");
    if (!err)
        *out = item_from(&rows, 0);
    return err;
}

static bool wants_more(const struct item *item)
{
    return item->purpose == PURPOSE_WORK && item->state == ITEM_OPEN &&
           item->n_out + item->n_done + item->n_skip < item->wanted;
}

enum err item_save(struct act *act, const struct item *item, struct why *why)
{
    bool open = wants_more(item);
    return store_exec(
        act->tx,
        "UPDATE annotate_items SET purpose = ?, state = ?, wanted = ?, n_out = ?, n_done = ?,"
        " n_skip = ?, open = ?, front = ?, gold = ?, pre = ?, pre_by = ?, final = ?,"
        " final_how = ?, final_by = ?, held_by = ?, held_until = ?, changed_ms = ?"
        " WHERE project = ? AND seq = ?",
        STORE_ARGS(SV_INT(item->purpose), SV_INT(item->state), SV_INT(item->wanted),
                   SV_INT(item->n_out), SV_INT(item->n_done), SV_INT(item->n_skip), SV_INT(open),
                   SV_INT(open && item->front), SV_STR(item->gold), SV_STR(item->pre),
                   SV_STR(item->pre_by), SV_STR(item->final), SV_STR(item->final_how),
                   SV_STR(item->final_by), SV_STR(item->held_by), SV_INT(item->held_until),
                   SV_INT(act->now_ms), SV_STR(act->project.id), SV_INT(item->seq)),
        NULL, why);
}

/* ---- labels ---- */

struct work_label label_from(const struct store_rows *rows, size_t i)
{
    return (struct work_label){.id = store_str(rows, i, 0),
                               .seq = store_int(rows, i, 1),
                               .user = store_str(rows, i, 2),
                               .purpose = (enum purpose)store_int(rows, i, 3),
                               .state = (enum label_state)store_int(rows, i, 4),
                               .answer = store_str(rows, i, 5),
                               .pre = store_str(rows, i, 6),
                               .comment = store_str(rows, i, 7),
                               .verdict = store_str(rows, i, 8),
                               .reviewer = store_str(rows, i, 9),
                               .review_comment = store_str(rows, i, 10),
                               .fixed = store_str(rows, i, 11),
                               .lease_ms = store_int(rows, i, 12),
                               .begun_ms = store_int(rows, i, 13),
                               .done_ms = store_int(rows, i, 14),
                               .spent_ms = store_int(rows, i, 15),
                               .review_ms = store_int(rows, i, 16),
                               .score = store_real(rows, i, 17)};
}

enum err labels_of(struct act *act, int64_t seq, struct work_label **out, size_t *n,
                   struct why *why)
{
    struct store_rows rows = {0};
    enum err err =
        store_query(act->tx,
                    "SELECT " LABEL_COLUMNS " FROM annotate_labels WHERE project = ?"
                    " AND seq = ? ORDER BY id",
                    STORE_ARGS(SV_STR(act->project.id), SV_INT(seq)), act->arena, &rows, why);
    *out = err ? NULL : arena_array(act->arena, struct work_label, rows.n_rows + 1);
    if (!err && !*out)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the labels");
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        (*out)[i] = label_from(&rows, i);
    *n = err ? 0 : rows.n_rows;
    return err;
}

enum err label_mine(struct act *act, int64_t seq, struct work_label *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err =
        store_query(act->tx,
                    "SELECT " LABEL_COLUMNS " FROM annotate_labels WHERE project = ? AND seq = ?"
                    " AND user_id = ?",
                    STORE_ARGS(SV_STR(act->project.id), SV_INT(seq), SV_STR(act->ask->who->user)),
                    act->arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "this item was not handed to this account");
    if (!err)
        *out = label_from(&rows, 0);
    return err;
}

enum err member_count(struct act *act, struct str user, const char *column, double n,
                      struct why *why)
{
    static const char *const columns[] = {
        "n_submitted", "n_skipped", "n_returned",     "n_accepted",    "n_fixed",
        "n_reviewed",  "n_decided", "n_pre_accepted", "n_pre_changed", "spent_ms"};
    char sql[160];
    size_t i = 0;
    while (i < sizeof columns / sizeof columns[0] && strcmp(column, columns[i]) != 0)
        i++;
    if (i == sizeof columns / sizeof columns[0])
        return err_set(why, ERR_INTERNAL, "no such count");
    (void)snprintf(sql, sizeof sql,
                   "UPDATE annotate_members SET %s = %s + ?, last_ms = ?"
                   " WHERE project = ? AND user_id = ?",
                   columns[i], columns[i]);
    return store_exec(
        act->tx, sql,
        STORE_ARGS(SV_INT((int64_t)n), SV_INT(act->now_ms), SV_STR(act->project.id), SV_STR(user)),
        NULL, why);
}

/* ---- states ---- */

static void count_state(struct project_delta *d, enum item_state state, int64_t n)
{
    int64_t *const counts[ITEM_STATES] = {[ITEM_REVIEW] = &d->review,
                                          [ITEM_DISPUTED] = &d->disputed,
                                          [ITEM_FINAL] = &d->final,
                                          [ITEM_UNUSABLE] = &d->unusable};
    if (counts[state])
        *counts[state] += n;
}

/* How near a person's answer came to what is final; score below 0 takes it back. */
static enum err set_score(struct act *act, const struct work_label *l, double score,
                          struct why *why)
{
    int64_t n = (score >= 0) - (l->score >= 0);
    double sum = (score >= 0 ? score : 0) - (l->score >= 0 ? l->score : 0);
    enum err err = store_exec(act->tx, "UPDATE annotate_labels SET score = ? WHERE id = ?",
                              STORE_ARGS(SV_REAL(score), SV_STR(l->id)), NULL, why);
    if (!err)
        err = store_exec(
            act->tx,
            "UPDATE annotate_members SET n_scored = n_scored + ?, score = score + ?"
            " WHERE project = ? AND user_id = ?",
            STORE_ARGS(SV_INT(n), SV_REAL(sum), SV_STR(act->project.id), SV_STR(l->user)), NULL,
            why);
    return err;
}

static enum err score_labels(struct act *act, const struct item *item, struct why *why)
{
    struct work_label *labels;
    struct answer final, answer;
    size_t n = 0;
    bool is_final = item->state == ITEM_FINAL;
    enum err err = labels_of(act, item->seq, &labels, &n, why);
    if (!err && is_final)
        err = answer_parse(item->final, &act->project.labels, &answer_about_anything, true,
                           act->arena, &final, why);
    for (size_t i = 0; !err && i < n; i++) {
        if (labels[i].state != LABEL_SUBMITTED)
            continue;
        double score = -1;
        if (is_final) {
            err = answer_parse(labels[i].answer, &act->project.labels, &answer_about_anything, true,
                               act->arena, &answer, why);
            score = err ? -1 : answer_score(&act->project.labels, &answer, &final, NULL);
        }
        if (!err && score != labels[i].score)
            err = set_score(act, &labels[i], score, why);
    }
    return err;
}

enum err item_move(struct act *act, struct item *item, enum item_state state, struct str final,
                   const char *how, struct str by, struct why *why)
{
    struct project_delta d = {0};
    enum item_state was = item->state;
    if (item->purpose == PURPOSE_WORK) {
        count_state(&d, was, -1);
        count_state(&d, state, 1);
    }
    item->state = state;
    item->final = state == ITEM_FINAL ? final : STR("");
    item->final_how = str_c(how);
    item->final_by = by;
    item->held_by = STR("");
    item->held_until = 0;
    if (state == ITEM_OPEN && was != ITEM_OPEN)
        item->front = true;
    enum err err = item_save(act, item, why);
    if (!err && was != state)
        err = project_add(act, &d, why);
    /* One answer that nobody looked at says nothing about its author. */
    if (!err && (state == ITEM_FINAL || was == ITEM_FINAL) && strcmp(how, "single") != 0)
        err = score_labels(act, item, why);
    return err;
}

/* Whether this item is among the percent that is reviewed: the same ones at every look. */
static bool picked_for_review(const struct act *act, const struct item *item)
{
    uint64_t h = hash64(&item->seq, sizeof item->seq, 0) ^
                 hash64(act->project.id.ptr, act->project.id.len, 0);
    return (int64_t)(hash64(&h, sizeof h, 1) % 100) < act->project.review;
}

/* Whether all submitted answers say the same. */
static enum err all_same(struct act *act, const struct work_label *labels, size_t n, bool *same,
                         struct str *answer, struct why *why)
{
    struct answer first = {0}, other;
    enum err err = ERR_OK;
    *same = true;
    for (size_t i = 0; !err && i < n; i++) {
        if (labels[i].state != LABEL_SUBMITTED)
            continue;
        err = answer_parse(labels[i].answer, &act->project.labels, &answer_about_anything, true,
                           act->arena, first.values ? &other : &first, why);
        if (!err && answer->ptr) {
            bool one = false;
            (void)answer_score(&act->project.labels, &first, &other, &one);
            *same = *same && one;
        } else if (!err) {
            *answer = labels[i].answer;
        }
    }
    return err;
}

enum err item_settle(struct act *act, struct item *item, struct why *why)
{
    struct work_label *labels;
    struct str answer = STR_NONE;
    size_t n = 0, pending = 0;
    bool same = true;
    if (item->purpose != PURPOSE_WORK)
        return item_save(act, item, why);
    enum err err = labels_of(act, item->seq, &labels, &n, why);
    for (size_t i = 0; !err && i < n; i++)
        pending += labels[i].state == LABEL_RETURNED || labels[i].state == LABEL_LEASED;
    if (err)
        return err;
    if (pending > 0 || item->n_done + item->n_skip < item->wanted)
        return item->state == ITEM_OPEN
                   ? item_save(act, item, why)
                   : item_move(act, item, ITEM_OPEN, STR(""), "", STR(""), why);
    err = all_same(act, labels, n, &same, &answer, why);
    if (err)
        return err;
    /* Somebody could not, or they differ: people decide. */
    if (item->n_skip > 0 || !same || (item->n_done > 1 && !labels_compared(&act->project.labels)))
        return item_move(act, item, ITEM_DISPUTED, STR(""), "", STR(""), why);
    if (picked_for_review(act, item))
        return item_move(act, item, ITEM_REVIEW, STR(""), "", STR(""), why);
    return item_move(act, item, ITEM_FINAL, answer, item->n_done > 1 ? "agreed" : "single", STR(""),
                     why);
}

enum err item_add(struct act *act, const struct new_item *item, struct why *why)
{
    return store_exec(
        act->tx,
        "INSERT INTO annotate_items (project, seq, rec, record, purpose, state, wanted, n_out,"
        " n_done, n_skip, open, front, gold, pre, pre_by, final, final_how, final_by, held_by,"
        " held_until, changed_ms) VALUES (?, ?, ?, ?, ?, 0, ?, 0, 0, 0, ?, 0, ?, ?, ?, '', '', '',"
        " '', 0, ?)",
        STORE_ARGS(SV_STR(act->project.id), SV_INT(item->seq), SV_INT(item->rec),
                   SV_STR(item->record), SV_INT(item->purpose), SV_INT(act->project.overlap),
                   SV_INT(item->purpose == PURPOSE_WORK), SV_STR(item->gold), SV_STR(item->pre),
                   SV_STR(item->pre_by), SV_INT(act->now_ms)),
        NULL, why);
}
