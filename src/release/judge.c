/* Judging the sample: records are lent out for ten minutes, judgements stand when the call returns.
 */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "release/room.h"
#include "release/rules.h"

#define LENT_MS    600000 /* ten minutes */
#define MOST_CLAIM 50
#define MOST_TEXT  20000 /* bytes of a record that the page shows */

static enum err may_judge(const struct ops_identity *who, struct why *why)
{
    static const char *const any[] = {"annotate.work", "annotate.review", "release.approve"};
    for (size_t i = 0; i < sizeof any / sizeof any[0]; i++)
        if (ops_may(who, any[i]))
            return ERR_OK;
    return ops_need(who, "release.make", why);
}

static enum err check_kind(struct str kind, struct why *why)
{
    return str_eq_c(kind, "manual") || str_eq_c(kind, "hit")
               ? ERR_OK
               : err_set(why, ERR_INVALID, "\"kind\" is manual or hit");
}

/* Who made the version, by whatever key or session, does not judge it. */
static enum err check_apart(struct release *r, const struct ops_identity *who,
                            const struct gate_row *g, struct arena *arena, struct why *why)
{
    struct str user = str_printf(arena, "user:%.*s", STR_FMT(who->user));
    bool same =
        str_eq(g->maker, ops_actor(who, arena)) || (who->user.len && str_eq(g->maker, user));
    if (!same && str_starts(g->maker, STR("key:"))) {
        struct ops_identity maker;
        char *actor = str_z(arena, g->maker);
        same = actor && !ops_identity_of(r->opts.ops, actor, arena, &maker, NULL) &&
               str_eq(maker.user, who->user);
    }
    if (!same || str_eq_c(who->kind, "system"))
        return ERR_OK;
    err_hint(why, "ask a colleague to judge");
    return err_set(why, ERR_FORBIDDEN, "who made the version does not judge it");
}

static enum err judging(struct store_tx *tx, struct release *r, const struct ops_identity *who,
                        struct str id, struct arena *arena, struct gate_row *g, struct why *why)
{
    enum err err = gate_find(tx, who, id, arena, g, why);
    if (!err && !str_eq_c(g->state, "judging"))
        err = err_set(why, ERR_CONFLICT, "the gate is %.*s: nothing is judged now",
                      STR_FMT(g->state));
    return err ? err : check_apart(r, who, g, arena, why);
}

/* ---- showing ---- */

/* The text as it is read, and the whole record. */
static enum err put_record(struct data_reader *reader, int64_t place, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct data_record record;
    struct data_view view;
    enum err err = data_reader_at(reader, place, arena, &record, why);
    if (!err)
        err = data_view(str_c(data_reader_version(reader)->kind), record.line, arena, &view, why);
    if (err)
        return err;
    struct str text = view.text;
    if (text.len > MOST_TEXT)
        text.len = MOST_TEXT;
    json_kv_str(out, "text", text);
    json_kv_bool(out, "cut", text.len < view.text.len);
    json_kv_str(out, "label", view.label);
    json_kv_raw(out, "line", record.line.len <= MOST_TEXT ? record.line : STR_NONE);
    return ERR_OK;
}

#define COLUMNS                                                                                    \
    "kind, number, record, place, source, found, verdict, comment, judge, judged_ms, lent_to, "    \
    "lent_ms"

static enum err put_samples(struct release *r, struct str gate, const struct store_rows *rows,
                            struct data_reader *reader, struct arena *arena, struct json_out *out,
                            struct why *why)
{
    enum err err = ERR_OK;
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = 0; !err && i < rows->n_rows; i++) {
        struct str kind = store_str(rows, i, 0), judge = store_str(rows, i, 8);
        json_begin_object(out);
        json_kv_str(out, "id",
                    str_printf(arena, "%.*s-%c%lld", STR_FMT(gate), kind.ptr[0],
                               (long long)store_int(rows, i, 1)));
        json_kv_str(out, "gate", gate);
        json_kv_str(out, "kind", kind);
        json_kv_int(out, "number", store_int(rows, i, 1));
        json_kv_str(out, "record", store_str(rows, i, 2));
        json_kv_str(out, "source", store_str(rows, i, 4));
        json_kv_str(out, "found", store_str(rows, i, 5));
        json_kv_str(out, "verdict", store_str(rows, i, 6));
        json_kv_str(out, "comment", store_str(rows, i, 7));
        json_kv_str(out, "judge", judge);
        json_kv_str(out, "judge_name", ops_actor_name(r->opts.ops, judge, arena));
        json_kv_time(out, "judged_at", store_int(rows, i, 9));
        err = put_record(reader, store_int(rows, i, 3), arena, out, why);
        json_end_object(out);
    }
    json_end_array(out);
    return err;
}

static enum err open_reader(struct release *r, const struct gate_row *g, struct data_reader **out,
                            struct why *why)
{
    struct ops_identity own = inside(g->tenant);
    return data_reader_open(r->opts.data, &own, g->dataset, g->number, out, why);
}

enum err release_samples_json(struct release *r, const struct ops_identity *who,
                              const struct release_samples_filter *f, struct arena *arena,
                              struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows;
    struct gate_row g;
    struct data_reader *reader = NULL;
    bool open = str_eq_c(f->verdict, "open"), bad = str_eq_c(f->verdict, "bad");
    size_t limit = f->limit >= 1 && f->limit <= 200 ? f->limit : 50;
    bool any = str_eq_c(f->kind, "any") || !f->kind.len;
    enum err err = ops_may(who, "data.read") ? ERR_OK : may_judge(who, why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = gate_find(tx, who, f->gate, arena, &g, why);
    if (!err)
        err = store_query(
            tx,
            "SELECT " COLUMNS " FROM release_samples WHERE gate = ? AND (? = 1 OR kind = ?) AND "
            "number > ? AND (? = 0 OR source = ?) AND (? = 0 OR verdict = ?) AND (? = 0 OR verdict "
            "= '') AND (? = 0 OR (verdict <> 'ok' AND (verdict <> '' OR kind = 'hit'))) ORDER BY "
            "kind DESC, number LIMIT ?",
            STORE_ARGS(SV_STR(f->gate), SV_INT(any), SV_STR(f->kind), SV_INT(f->after),
                       SV_INT(f->source.len > 0), SV_STR(f->source),
                       SV_INT(f->verdict.len > 0 && !open && !bad), SV_STR(f->verdict),
                       SV_INT(open), SV_INT(bad), SV_INT((int64_t)limit)),
            arena, &rows, why);
    store_rollback(tx);
    if (!err)
        err = open_reader(r, &g, &reader, why);
    if (err)
        return err;
    json_begin_object(out);
    err = put_samples(r, g.id, &rows, reader, arena, out, why);
    json_key(out, "next");
    if (rows.n_rows == limit && !any)
        json_put_int(out, store_int(&rows, rows.n_rows - 1, 1));
    else
        json_put_null(out);
    json_end_object(out);
    data_reader_close(reader);
    return err;
}

/* ---- lending ---- */

/* What is lent to the caller already comes first: a page that was loaded again goes on. */
static enum err lend(struct act *act, struct str gate, struct str kind, int64_t n,
                     struct store_rows *rows, struct why *why)
{
    int64_t now = time_now_ms();
    struct str actor = ops_actor(act->who, act->arena);
    enum err err = store_exec(
        act->tx,
        "UPDATE release_samples SET lent_to = ?, lent_ms = ? WHERE gate = ? AND kind = ? AND "
        "number IN (SELECT number FROM release_samples WHERE gate = ? AND kind = ? AND verdict = "
        "'' AND (lent_to = ? OR lent_ms < ?) ORDER BY CASE WHEN lent_to = ? AND lent_ms >= ? THEN "
        "0 ELSE 1 END, number LIMIT ?)",
        STORE_ARGS(SV_STR(actor), SV_INT(now), SV_STR(gate), SV_STR(kind), SV_STR(gate),
                   SV_STR(kind), SV_STR(actor), SV_INT(now - LENT_MS), SV_STR(actor),
                   SV_INT(now - LENT_MS), SV_INT(n)),
        NULL, why);
    return err ? err
               : store_query(act->tx,
                             "SELECT " COLUMNS " FROM release_samples WHERE gate = ? AND kind = ? "
                             "AND verdict = '' AND lent_to = ? AND lent_ms = ? ORDER BY number",
                             STORE_ARGS(SV_STR(gate), SV_STR(kind), SV_STR(actor), SV_INT(now)),
                             act->arena, rows, why);
}

static enum err put_left(struct act *act, struct str gate, struct str kind, struct json_out *out,
                         struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(act->tx,
                    "SELECT COUNT(*), SUM(CASE WHEN verdict = '' THEN 1 ELSE 0 END), "
                    "SUM(CASE WHEN judge = ? THEN 1 ELSE 0 END) FROM release_samples "
                    "WHERE gate = ? AND kind = ?",
                    STORE_ARGS(SV_STR(ops_actor(act->who, act->arena)), SV_STR(gate), SV_STR(kind)),
                    act->arena, &rows, why);
    json_kv_int(out, "n", store_int(&rows, 0, 0));
    json_kv_int(out, "left", store_int(&rows, 0, 1));
    json_kv_int(out, "mine", store_int(&rows, 0, 2));
    return err;
}

static enum err claim(struct act *act, const struct json *ask, struct gate_row *g,
                      struct arena *arena, struct json_out *out, struct why *why)
{
    struct store_rows rows;
    struct data_reader *reader = NULL;
    struct str kind = json_get_str(ask, "kind", STR("manual"));
    int64_t n = json_get_int(ask, "n", 10);
    enum err err = check_kind(kind, why);
    if (!err && (n < 1 || n > MOST_CLAIM))
        err = err_set(why, ERR_INVALID, "\"n\" is a number from 1 to %d", MOST_CLAIM);
    if (!err)
        err = judging(act->tx, act->release, act->who, json_get_str(ask, "gate", STR("")),
                      act->arena, g, why);
    if (!err)
        err = lend(act, g->id, kind, n, &rows, why);
    if (!err)
        err = open_reader(act->release, g, &reader, why);
    if (err)
        return err;
    json_begin_object(out);
    err = put_samples(act->release, g->id, &rows, reader, arena, out, why);
    if (!err)
        err = put_left(act, g->id, kind, out, why);
    json_end_object(out);
    data_reader_close(reader);
    return err;
}

enum err release_samples_claim(struct release *r, const struct ops_identity *who,
                               const struct json *ask, struct arena *arena, struct json_out *out,
                               struct why *why)
{
    struct act act;
    struct gate_row g;
    enum err err = may_judge(who, why);
    if (!err)
        err = release_act_begin(&act, r, who, NULL, why);
    if (err)
        return err;
    err = claim(&act, ask, &g, arena, out, why);
    /* Lending is no act of note: it is not in the ledger. */
    if (!err)
        err = store_commit(act.tx, why);
    else
        store_rollback(act.tx);
    arena_free(act.arena);
    return err;
}

/* ---- judging ---- */

/* "<gate>-m12" or "<gate>-h3". */
static enum err split_id(struct str id, struct str *gate, struct str *kind, int64_t *number,
                         struct why *why)
{
    *gate = str_slice(id, 0, UUID_TEXT - 1);
    char c = id.len > UUID_TEXT ? id.ptr[UUID_TEXT] : ' ';
    *kind = c == 'm' ? STR("manual") : STR("hit");
    if (id.len < UUID_TEXT + 2 || id.ptr[UUID_TEXT - 1] != '-' || (c != 'm' && c != 'h') ||
        !uuid_valid(*gate) || !str_to_i64(str_from(id, UUID_TEXT + 1), number))
        return err_set(why, ERR_NOT_FOUND, "there is no record \"%.*s\" in a sample", SHOW(id));
    return ERR_OK;
}

static enum err judge(struct act *act, struct str gate, struct str kind, int64_t number,
                      struct str verdict, struct str comment, struct str *record, struct why *why)
{
    struct store_rows rows;
    struct str actor = ops_actor(act->who, act->arena);
    int64_t now = time_now_ms();
    enum err err =
        store_query(act->tx,
                    "SELECT record, lent_to, lent_ms, verdict FROM release_samples "
                    "WHERE gate = ? AND kind = ? AND number = ?",
                    STORE_ARGS(SV_STR(gate), SV_STR(kind), SV_INT(number)), act->arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no such record in the sample");
    if (!err && !store_str(&rows, 0, 3).len && !str_eq(store_str(&rows, 0, 1), actor) &&
        store_int(&rows, 0, 2) >= now - LENT_MS)
        err = err_set(why, ERR_CONFLICT, "somebody else is judging this record just now");
    *record = err ? STR("") : store_str(&rows, 0, 0);
    return err ? err
               : store_exec(act->tx,
                            "UPDATE release_samples SET verdict = ?, comment = ?, judge = ?, "
                            "judged_ms = ?, lent_to = '', lent_ms = 0 WHERE gate = ? AND kind = ? "
                            "AND number = ?",
                            STORE_ARGS(SV_STR(verdict), SV_STR(comment), SV_STR(actor), SV_INT(now),
                                       SV_STR(gate), SV_STR(kind), SV_INT(number)),
                            NULL, why);
}

enum err release_sample_judge(struct release *r, const struct ops_identity *who, struct str id,
                              const struct json *judgement, struct why *why)
{
    struct act act;
    struct gate_row g;
    struct str gate, kind, verdict, comment, record = STR("");
    int64_t number = 0;
    enum err err = may_judge(who, why);
    if (!err)
        err = split_id(id, &gate, &kind, &number, why);
    if (!err)
        err = text_of(judgement, "verdict", 1, 8, &verdict, why);
    if (!err && !str_eq_c(verdict, "ok") && !rules_risk_find(verdict))
        err = err_set(why, ERR_INVALID, "\"verdict\" is ok or the code of a risk, not \"%.*s\"",
                      SHOW(verdict));
    if (!err)
        err = text_of(judgement, "comment", 0, 1000, &comment, why);
    if (!err)
        err = release_act_begin(&act, r, who, NULL, why);
    if (err)
        return err;
    err = judging(act.tx, r, who, gate, act.arena, &g, why);
    if (!err)
        err = judge(&act, gate, kind, number, verdict, comment, &record, why);
    return release_act_end(
        &act, err, "release.sample.judge", id,
        err ? STR_NONE : detail_of(act.arena, "record", record, "verdict", verdict, NULL), why);
}
