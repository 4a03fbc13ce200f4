/* Who has a place in a project; what lies with one goes to another. */
#include <string.h>

#include "annotate/room.h"

#define MOST_PEOPLE 1000

static bool role_gives(const struct ops_user *user, uint64_t bit)
{
    for (size_t i = 0; i < user->n_roles; i++) {
        const struct ops_role *role = ops_role_find(user->roles[i]);
        if (role && (role->permissions & bit))
            return true;
    }
    return false;
}

static uint64_t bit_of(const char *permission)
{
    return ops_permission_bit(str_c(permission));
}

enum err annotate_people(struct annotate *annotate, const struct annotate_ask *ask, struct why *why)
{
    struct ops_identity system = tenant_identity(ask->who->tenant);
    char *tenant = str_z(ask->arena, ask->who->tenant);
    struct ops_user *users = NULL;
    size_t n = 0;
    enum err err = ops_need(ask->who, "annotate.manage", why);
    if (!err)
        err = ops_user_list(annotate->opts.ops, &system, tenant ? tenant : "", "", MOST_PEOPLE,
                            ask->arena, &users, &n, why);
    if (err)
        return err;
    json_begin_object(ask->out);
    json_key(ask->out, "items");
    json_begin_array(ask->out);
    for (size_t i = 0; i < n; i++) {
        bool work = role_gives(&users[i], bit_of("annotate.work")),
             review = role_gives(&users[i], bit_of("annotate.review"));
        if (users[i].disabled || (!work && !review))
            continue;
        json_begin_object(ask->out);
        json_kv_str(ask->out, "id", users[i].id);
        json_kv_str(ask->out, "name", users[i].name);
        json_kv_str(ask->out, "display_name", users[i].display_name);
        json_kv_str(ask->out, "department", users[i].department_name);
        json_kv_bool(ask->out, "work", work);
        json_kv_bool(ask->out, "review", review);
        json_end_object(ask->out);
    }
    json_end_array(ask->out);
    json_end_object(ask->out);
    return ERR_OK;
}

/* By id or by name, of the caller's tenant. */
static enum err find_user(struct annotate *annotate, const struct annotate_ask *ask,
                          struct str user, struct ops_user *out, struct why *why)
{
    struct ops_identity system = tenant_identity(ask->who->tenant);
    char *id = str_z(ask->arena, user);
    if (!id)
        return err_set(why, ERR_NO_MEMORY, "could not look the user up");
    enum err err = uuid_valid(user)
                       ? ops_user_find(annotate->opts.ops, &system, id, ask->arena, out, why)
                       : ops_user_named(annotate->opts.ops, &system, user, ask->arena, out, why);
    if (!err && !str_eq(out->tenant, ask->who->tenant))
        err = err_set(why, ERR_NOT_FOUND, "there is no such user");
    return err;
}

static enum err check_place(const struct act *act, const struct ops_user *user, int64_t roles,
                            struct why *why)
{
    if ((roles & MEMBER_WORK) && !role_gives(user, bit_of("annotate.work")))
        return err_set(why, ERR_INVALID, "\"%.*s\" has no role that may annotate",
                       STR_FMT(user->name));
    if ((roles & MEMBER_REVIEW) && !role_gives(user, bit_of("annotate.review")))
        return err_set(why, ERR_INVALID, "\"%.*s\" has no role that may review",
                       STR_FMT(user->name));
    if (act->project.separate && roles == (MEMBER_WORK | MEMBER_REVIEW))
        return err_set(why, ERR_INVALID,
                       "annotators and reviewers of this project are different people");
    return ERR_OK;
}

/* Whoever worked here does not become a reviewer later, and the other way round. */
static enum err check_past(struct act *act, const struct member *was, int64_t roles,
                           struct why *why)
{
    struct store_rows rows = {0};
    if (!act->project.separate || !was->there || roles == 0)
        return ERR_OK;
    enum err err =
        store_query(act->tx,
                    "SELECT n_submitted, n_reviewed + n_decided FROM annotate_members"
                    " WHERE project = ? AND user_id = ?",
                    STORE_ARGS(SV_STR(act->project.id), SV_STR(was->user)), act->arena, &rows, why);
    if (!err && (((roles & MEMBER_REVIEW) && store_int(&rows, 0, 0) > 0) ||
                 ((roles & MEMBER_WORK) && store_int(&rows, 0, 1) > 0)))
        err = err_set(why, ERR_CONFLICT,
                      "this account has been on the other side of this project already");
    return err;
}

static enum err save_member(struct act *act, const struct member *m, struct why *why)
{
    return store_exec(
        act->tx,
        "INSERT INTO annotate_members (project, user_id, roles, suspended, exam, exam_round,"
        " exam_n, exam_score, cursor_seq, since_gold, n_submitted, n_skipped, n_returned,"
        " n_accepted, n_fixed, n_reviewed, n_decided, n_gold, gold_score, n_scored, score,"
        " spent_ms, n_pre_accepted, n_pre_changed, last_ms)"
        " VALUES (?, ?, ?, ?, ?, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0, 0.0, 0, 0, 0, 0)"
        " ON CONFLICT (project, user_id) DO UPDATE SET roles = excluded.roles,"
        " suspended = excluded.suspended, exam = excluded.exam",
        STORE_ARGS(SV_STR(act->project.id), SV_STR(m->user), SV_INT(m->roles), SV_INT(m->suspended),
                   SV_STR(m->exam)),
        NULL, why);
}

/* Another try: what was answered in the exam is forgotten. */
static enum err exam_again(struct act *act, struct member *m, struct why *why)
{
    m->exam = STR("");
    enum err err = store_exec(act->tx,
                              "DELETE FROM annotate_labels WHERE project = ? AND user_id = ?"
                              " AND purpose = 2",
                              STORE_ARGS(SV_STR(act->project.id), SV_STR(m->user)), NULL, why);
    if (!err)
        err = store_exec(act->tx,
                         "UPDATE annotate_members SET exam_n = 0, exam_score = 0.0,"
                         " exam_round = exam_round + 1 WHERE project = ? AND user_id = ?",
                         STORE_ARGS(SV_STR(act->project.id), SV_STR(m->user)), NULL, why);
    return err;
}

/* Leases of a person end: the items are free again. */
static enum err release_all(struct act *act, struct str user, struct why *why)
{
    struct store_rows rows = {0};
    enum err err =
        store_query(act->tx,
                    "SELECT seq FROM annotate_labels WHERE project = ? AND user_id = ?"
                    " AND state = 0",
                    STORE_ARGS(SV_STR(act->project.id), SV_STR(user)), act->arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct item item;
        err = item_load(act, store_int(&rows, i, 0), &item, why);
        if (err)
            break;
        item.n_out -= item.purpose == PURPOSE_WORK && item.n_out > 0;
        item.front = true;
        err = item_save(act, &item, why);
    }
    if (!err)
        err = store_exec(act->tx,
                         "UPDATE annotate_labels SET state = 4 WHERE project = ? AND user_id = ?"
                         " AND state = 0",
                         STORE_ARGS(SV_STR(act->project.id), SV_STR(user)), NULL, why);
    return err;
}

enum err annotate_member(struct annotate *annotate, const struct annotate_ask *ask,
                         struct str project, struct str user, const struct json *body,
                         struct why *why)
{
    struct act act;
    struct ops_user who;
    struct member was = {0}, m = {0};
    enum err err = ops_need(ask->who, "annotate.manage", why);
    if (!err)
        err = find_user(annotate, ask, user, &who, why);
    if (err)
        return err;
    err = change_begin(&act, annotate, ask, "annotate.member.put", "annotate.manage", project, why);
    if (!err)
        err = member_load(&act, who.id, &was, why);
    if (!err) {
        m = was;
        bool work = json_get_bool(body, "work", (was.roles & MEMBER_WORK) != 0);
        bool review = json_get_bool(body, "review", (was.roles & MEMBER_REVIEW) != 0);
        m.roles = (work ? MEMBER_WORK : 0) | (review ? MEMBER_REVIEW : 0);
        m.suspended = json_get_bool(body, "suspended", was.suspended);
        err = check_place(&act, &who, m.roles, why);
    }
    if (!err)
        err = check_past(&act, &was, m.roles, why);
    struct str exam = json_get_str(body, "exam", STR(""));
    if (!err && str_eq_c(exam, "again"))
        err = exam_again(&act, &m, why);
    else if (!err && str_eq_c(exam, "pass"))
        m.exam = STR("passed");
    if (!err)
        err = save_member(&act, &m, why);
    if (!err && (m.suspended || !(m.roles & MEMBER_WORK)))
        err = release_all(&act, m.user, why);
    struct str detail = str_printf(
        ask->arena, "{\"user\":\"%.*s\",\"roles\":%lld,\"suspended\":%s,\"exam\":\"%s\"}",
        STR_FMT(err ? STR("") : who.id), (long long)m.roles, m.suspended ? "true" : "false",
        str_eq_c(exam, "again")  ? "again"
        : str_eq_c(exam, "pass") ? "pass"
                                 : "");
    err = change_end(&act, err, project, detail, why);
    return err || !ask->out ? err : annotate_show(annotate, ask, project, why);
}

/* Those that the other one has answered, too, cannot go to him. */
static enum err hand_one(struct act *act, const struct work_label *l, struct str to, int64_t *n,
                         struct why *why)
{
    struct store_rows rows = {0};
    enum err err = store_query(act->tx,
                               "SELECT id, state FROM annotate_labels WHERE project = ? AND seq = ?"
                               " AND user_id = ?",
                               STORE_ARGS(SV_STR(act->project.id), SV_INT(l->seq), SV_STR(to)),
                               act->arena, &rows, why);
    if (!err && rows.n_rows > 0) {
        if (store_int(&rows, 0, 1) != LABEL_EXPIRED)
            return ERR_OK;
        err = store_exec(act->tx, "DELETE FROM annotate_labels WHERE id = ?",
                         STORE_ARGS(SV_STR(store_str(&rows, 0, 0))), NULL, why);
    }
    if (!err)
        err = store_exec(
            act->tx, "UPDATE annotate_labels SET user_id = ?, lease_ms = ? WHERE id = ?",
            STORE_ARGS(SV_STR(to), SV_INT(act->now_ms + act->project.lease_ms), SV_STR(l->id)),
            NULL, why);
    *n += !err;
    return err;
}

enum err annotate_handover(struct annotate *annotate, const struct annotate_ask *ask,
                           struct str project, struct str from, struct str to, struct why *why)
{
    struct act act;
    struct store_rows rows = {0};
    struct member giver = {0}, taker = {0};
    int64_t n = 0;
    enum err err = change_begin(&act, annotate, ask, "annotate.work.handover", "annotate.manage",
                                project, why);
    if (!err)
        err = member_load(&act, from, &giver, why);
    if (!err)
        err = member_load(&act, to, &taker, why);
    if (!err && (!giver.there || !taker.there || !(taker.roles & MEMBER_WORK) || taker.suspended ||
                 str_eq(from, to)))
        err = err_set(why, ERR_INVALID, "work goes from one annotator of the project to another");
    if (!err)
        err = store_query(act.tx,
                          "SELECT " LABEL_COLUMNS " FROM annotate_labels WHERE project = ?"
                          " AND user_id = ? AND state IN (0, 3) AND purpose = 0",
                          STORE_ARGS(SV_STR(project), SV_STR(from)), act.arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct work_label l = label_from(&rows, i);
        err = hand_one(&act, &l, to, &n, why);
    }
    struct str detail = str_printf(ask->arena, "{\"from\":\"%.*s\",\"to\":\"%.*s\",\"n\":%lld}",
                                   STR_FMT(from), STR_FMT(to), (long long)n);
    err = change_end(&act, err, project, detail, why);
    if (!err && ask->out) {
        json_begin_object(ask->out);
        json_kv_int(ask->out, "n", n);
        json_end_object(ask->out);
    }
    return err;
}
