/* Users and what they may: every change checks who asks, the separation of the administrators, and
 * is written into the ledger with it. */
#include "ops/ops_in.h"

#include "core/time.h"
#include "core/utf8.h"

/* ---- who is asked about ---- */

struct subject {
    struct str id, tenant, tenant_name, name, display_name;
    struct str login_key;
    bool disabled;
    struct str roles[OPS_MOST_ROLES];
    size_t n_roles;
    bool administrator; /* holds a role that excludes others */
    bool by_tenant;     /* only roles that a tenant administrator may grant */
};

static enum err read_roles(struct store_tx *tx, struct arena *arena, struct subject *out,
                           struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT role FROM ops_grants WHERE user_id = ? ORDER BY role",
                               STORE_ARGS(SV_STR(out->id)), arena, &rows, why);
    if (err)
        return err;
    out->by_tenant = true;
    for (size_t i = 0; i < rows.n_rows && out->n_roles < OPS_MOST_ROLES; i++) {
        const struct ops_role *role = ops_role_find(store_str(&rows, i, 0));
        out->roles[out->n_roles++] = store_str(&rows, i, 0);
        out->administrator |= role && role->group[0];
        out->by_tenant &= role && role->by_tenant;
    }
    return ERR_OK;
}

/* ERR_NOT_FOUND too when the user belongs to a tenant that `who` does not see. */
static enum err read_subject(struct store_tx *tx, const struct ops_identity *who, const char *id,
                             struct arena *arena, struct subject *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx,
        "SELECT u.id, u.tenant_id, t.name, u.name, u.display_name, u.login_key, u.disabled"
        " FROM ops_users u JOIN ops_tenants t ON t.id = u.tenant_id"
        " WHERE u.id = ? AND (u.tenant_id = ? OR ? = 1)",
        STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_INT(ops_every_tenant(who))), arena, &rows,
        why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no such user");
    *out = (struct subject){
        .id = store_str(&rows, 0, 0),
        .tenant = store_str(&rows, 0, 1),
        .tenant_name = store_str(&rows, 0, 2),
        .name = store_str(&rows, 0, 3),
        .display_name = store_str(&rows, 0, 4),
        .login_key = store_str(&rows, 0, 5),
        .disabled = store_int(&rows, 0, 6) != 0,
    };
    return read_roles(tx, arena, out, why);
}

/* Whoever changes grants or disables waits here for the other: so "the last one" is counted
 * truly. On both engines the row stays locked until the transaction ends. */
static enum err lock_grants(struct store_tx *tx, struct why *why)
{
    return store_exec(tx, "UPDATE ops_meta SET value = value WHERE name = 'grants'", STORE_NO_ARGS,
                      NULL, why);
}

/* A tenant's administrator does not touch those above him. */
static enum err check_reach(const struct ops_identity *who, const struct subject *subject,
                            struct why *why)
{
    if (ops_every_tenant(who) || subject->by_tenant || str_eq(who->user, subject->id))
        return ERR_OK;
    return err_set(why, ERR_FORBIDDEN,
                   "an administrator's account is changed by the centre's administrators only");
}

/* Of each of the three at least one other must stay able to sign in. */
static enum err check_last(struct store_tx *tx, const struct subject *subject, struct str role,
                           struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT COUNT(*) FROM ops_grants g JOIN ops_users u"
                               " ON u.id = g.user_id WHERE g.role = ? AND u.disabled = 0"
                               " AND u.demo = 0 AND u.id <> ?",
                               STORE_ARGS(SV_STR(role), SV_STR(subject->id)), arena, &rows, why);
    if (err)
        return err;
    if (store_int(&rows, 0, 0) > 0)
        return ERR_OK;
    err_hint(why, "make and grant another one first");
    return err_set(why, ERR_CONFLICT, "this is the last active %s", ops_role_find(role)->title_en);
}

/* ---- roles ---- */

static bool listed(const struct str *roles, size_t n, struct str role)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(roles[i], role))
            return true;
    return false;
}

/* The set by itself: known roles, none twice, an administrator's role alone and at home. */
static enum err check_role_set(const struct str *roles, size_t n, struct str tenant,
                               struct why *why)
{
    if (n > OPS_MOST_ROLES)
        return err_set(why, ERR_INVALID, "a user has at most %d roles", OPS_MOST_ROLES);
    for (size_t i = 0; i < n; i++) {
        const struct ops_role *role = ops_role_find(roles[i]);
        if (!role)
            return err_set(why, ERR_INVALID, "there is no role \"%.*s\"",
                           STR_FMT(utf8_prefix(roles[i], 40)));
        if (listed(roles, i, roles[i]))
            return err_set(why, ERR_INVALID, "the role \"%s\" stands there twice", role->name);
        if (role->group[0] && n > 1)
            return err_set(why, ERR_CONFLICT,
                           "the role \"%s\" excludes every other role: the three administrators "
                           "are separate persons",
                           role->name);
        if (role->group[0] && !str_eq_c(tenant, OPS_HOME))
            return err_set(why, ERR_CONFLICT, "the role \"%s\" exists in the home tenant only",
                           role->name);
    }
    return ERR_OK;
}

static enum err check_grantor(const struct ops_identity *who, struct str role, struct why *why)
{
    if (ops_every_tenant(who) || ops_role_find(role) == NULL || ops_role_find(role)->by_tenant)
        return ERR_OK;
    return err_set(why, ERR_FORBIDDEN, "the role \"%.*s\" is granted by the security administrator",
                   STR_FMT(role));
}

static enum err insert_grant(struct ops_act *act, struct str user, struct str role, struct why *why)
{
    return store_exec(act->tx,
                      "INSERT INTO ops_grants (user_id, role, granted_by, granted_ms)"
                      " VALUES (?, ?, ?, ?)",
                      STORE_ARGS(SV_STR(user), SV_STR(role),
                                 SV_STR(ops_actor(act->who, act->arena)), SV_INT(time_now_ms())),
                      NULL, why);
}

static enum err take_grant(struct ops_act *act, const struct subject *subject, struct str role,
                           struct why *why)
{
    const struct ops_role *known = ops_role_find(role);
    enum err err = check_grantor(act->who, role, why);
    if (!err && known && known->group[0])
        err = check_last(act->tx, subject, role, act->arena, why);
    if (!err)
        err = store_exec(act->tx, "DELETE FROM ops_grants WHERE user_id = ? AND role = ?",
                         STORE_ARGS(SV_STR(subject->id), SV_STR(role)), NULL, why);
    return err;
}

static enum err set_roles(struct ops_act *act, const struct subject *subject,
                          const struct str *roles, size_t n, struct why *why)
{
    enum err err = ops_need(act->who, "ops.role.grant", why);
    if (!err && str_eq(act->who->user, subject->id))
        err = err_set(why, ERR_FORBIDDEN, "nobody grants roles to himself");
    if (!err)
        err = check_role_set(roles, n, subject->tenant, why);
    for (size_t i = 0; i < subject->n_roles && !err; i++)
        if (!listed(roles, n, subject->roles[i]))
            err = take_grant(act, subject, subject->roles[i], why);
    for (size_t i = 0; i < n && !err; i++) {
        if (listed(subject->roles, subject->n_roles, roles[i]))
            continue;
        err = check_grantor(act->who, roles[i], why);
        if (!err)
            err = insert_grant(act, subject->id, roles[i], why);
    }
    return err;
}

/* ---- create ---- */

static enum err check_department(struct store_tx *tx, struct str department, struct str tenant,
                                 struct arena *arena, struct why *why)
{
    struct store_rows rows;
    if (department.len == 0)
        return ERR_OK;
    enum err err = store_query(tx, "SELECT 1 FROM ops_departments WHERE id = ? AND tenant_id = ?",
                               STORE_ARGS(SV_STR(department), SV_STR(tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_INVALID, "the tenant has no such department");
    return err;
}

static enum err tenant_name(struct store_tx *tx, struct str tenant, struct arena *arena,
                            struct str *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT name FROM ops_tenants WHERE id = ?",
                               STORE_ARGS(SV_STR(tenant)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such tenant");
    if (!err)
        *out = store_str(&rows, 0, 0);
    return err;
}

enum err ops_user_insert(struct ops_act *act, const struct ops_user_seed *seed, const char *hash,
                         struct str *id, struct why *why)
{
    const struct ops_user_form *form = &seed->form;
    struct str tenant = form->tenant ? str_c(form->tenant) : act->who->tenant, label;
    struct str display = form->display_name.len ? form->display_name : form->name;
    char key[HASH_TEXT];
    int64_t now = time_now_ms();
    *id = ops_new_id(act->arena);
    enum err err = tenant_name(act->tx, tenant, act->arena, &label, why);
    if (!err)
        err = check_department(act->tx, form->department, tenant, act->arena, why);
    if (!err)
        err = check_role_set(form->roles, form->n_roles, tenant, why);
    if (err)
        return err;
    ops_login_key(form->name, label, key);
    err = store_exec(act->tx,
                     "INSERT INTO ops_users (id, tenant_id, department_id, name, display_name,"
                     " login_key, password, password_ms, must_change, disabled, demo, created_ms,"
                     " seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0)",
                     STORE_ARGS(SV_STR(*id), SV_STR(tenant),
                                form->department.len ? SV_STR(form->department) : SV_NULL,
                                SV_STR(form->name), SV_STR(display), SV_C(key), SV_C(hash),
                                SV_INT(now), SV_INT(!seed->demo), SV_INT(seed->demo), SV_INT(now)),
                     NULL, why);
    for (size_t i = 0; i < form->n_roles && !err; i++)
        err = insert_grant(act, *id, form->roles[i], why);
    return err;
}

/* What can be said before the expensive hash. */
static enum err check_form(struct ops *ops, const struct ops_identity *who,
                           const struct ops_user_form *form, struct why *why)
{
    enum err err = ops_need(who, "ops.user.manage", why);
    if (!err && form->tenant && !str_eq_c(who->tenant, form->tenant) && !ops_every_tenant(who))
        err = err_set(why, ERR_NOT_FOUND, "there is no such tenant");
    if (!err && form->n_roles)
        err = ops_need(who, "ops.role.grant", why);
    if (!err && !ops_name_valid(form->name)) {
        err_hint(why, "2 to 64 lower-case letters, digits, Han characters, '.', '_' or '-'");
        err = err_set(why, ERR_INVALID, "the name is not of the allowed form");
    }
    if (!err)
        err = ops_check_text("display name", form->display_name, 0, OPS_MOST_NAME, why);
    for (size_t i = 0; i < form->n_roles && !err; i++)
        err = check_grantor(who, form->roles[i], why);
    if (!err && form->password.len)
        err = ops_password_check(ops, form->password, form->name, form->display_name, why);
    return err;
}

static enum err check_free(struct ops_act *act, const struct ops_user_form *form, struct why *why)
{
    struct store_rows rows;
    struct str tenant = form->tenant ? str_c(form->tenant) : act->who->tenant;
    enum err err =
        store_query(act->tx, "SELECT 1 FROM ops_users WHERE tenant_id = ? AND name = ?",
                    STORE_ARGS(SV_STR(tenant), SV_STR(form->name)), act->arena, &rows, why);
    if (!err && rows.n_rows)
        err = err_set(why, ERR_CONFLICT, "there is a user \"%.*s\" already", STR_FMT(form->name));
    return err;
}

enum err ops_user_create(struct ops *ops, const struct ops_identity *who,
                         const struct ops_user_form *form, struct arena *arena, struct str *id,
                         struct str *first, struct why *why)
{
    char hash[SECRET_PASSWORD_HASH], random[OPS_FIRST_PASSWORD];
    struct ops_user_seed seed = {*form, false};
    struct str password = form->password, made = STR_NONE;
    struct ops_act act = {.ops = ops};
    enum err err = check_form(ops, who, form, why);
    if (err) {
        if (err == ERR_FORBIDDEN)
            ops_audit_refusal(ops, who, "ops.user.create", "", err);
        return err;
    }
    if (password.len == 0)
        password = str_c(ops_first_password(random));
    err = ops_hash(ops, password, hash, why);
    if (err)
        return err;
    err = ops_act_begin(&act, ops, who, "ops.user.create", why);
    if (!err)
        err = check_free(&act, form, why);
    if (!err)
        err = ops_user_insert(&act, &seed, hash, &made, why);
    struct str kept = err ? STR_NONE : str_copy(arena, made);
    struct str shown = form->password.len ? STR("") : str_copy(arena, password);
    if (!err && (!kept.ptr || !shown.ptr))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the new user");
    struct str detail = err ? STR_NONE : ops_detail(act.arena, "name", form->name, NULL, STR_NONE);
    err = ops_act_end(&act, err, kept.ptr ? kept.ptr : "", detail, why);
    if (err)
        return err;
    *id = kept;
    if (first)
        *first = shown;
    return ERR_OK;
}

/* ---- change ---- */

static enum err set_text(struct ops_act *act, const char *sql, struct str id,
                         struct store_value value, struct why *why)
{
    return store_exec(act->tx, sql, STORE_ARGS(value, SV_STR(id)), NULL, why);
}

static enum err set_disabled(struct ops_act *act, const struct subject *subject, bool disabled,
                             struct why *why)
{
    enum err err = ERR_OK;
    if (str_eq(act->who->user, subject->id))
        return err_set(why, ERR_FORBIDDEN, "nobody disables himself");
    for (size_t i = 0; i < subject->n_roles && !err && disabled && subject->administrator; i++)
        err = check_last(act->tx, subject, subject->roles[i], act->arena, why);
    if (!err)
        err = set_text(act, "UPDATE ops_users SET disabled = ? WHERE id = ?", subject->id,
                       SV_INT(disabled), why);
    return err;
}

static enum err set_parts(struct ops_act *act, const struct subject *subject,
                          const struct ops_user_change *change, struct why *why)
{
    enum err err = ops_need(act->who, "ops.user.manage", why);
    if (!err)
        err = check_reach(act->who, subject, why);
    if (!err && change->display_name)
        err = ops_check_text("display name", *change->display_name, 1, OPS_MOST_NAME, why);
    if (!err && change->display_name)
        err = set_text(act, "UPDATE ops_users SET display_name = ? WHERE id = ?", subject->id,
                       SV_STR(*change->display_name), why);
    if (!err && change->department)
        err = check_department(act->tx, *change->department, subject->tenant, act->arena, why);
    if (!err && change->department)
        err = set_text(act, "UPDATE ops_users SET department_id = ? WHERE id = ?", subject->id,
                       change->department->len ? SV_STR(*change->department) : SV_NULL, why);
    if (!err && change->disabled && *change->disabled != subject->disabled)
        err = set_disabled(act, subject, *change->disabled, why);
    return err;
}

static struct str change_detail(struct arena *arena, const struct subject *was,
                                const struct ops_user_change *change)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "name", was->name);
    if (change->display_name)
        json_kv_str(&json, "display_name", *change->display_name);
    if (change->department)
        json_kv_str(&json, "department", *change->department);
    if (change->disabled)
        json_kv_bool(&json, "disabled", *change->disabled);
    if (change->set_roles) {
        json_key(&json, "roles_before");
        json_begin_array(&json);
        for (size_t i = 0; i < was->n_roles; i++)
            json_put_str(&json, was->roles[i]);
        json_end_array(&json);
        json_key(&json, "roles");
        json_begin_array(&json);
        for (size_t i = 0; i < change->n_roles; i++)
            json_put_str(&json, change->roles[i]);
        json_end_array(&json);
    }
    json_end_object(&json);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static bool same_roles(const struct subject *subject, const struct str *roles, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!listed(subject->roles, subject->n_roles, roles[i]))
            return false;
    for (size_t i = 0; i < subject->n_roles; i++)
        if (!listed(roles, n, subject->roles[i]))
            return false;
    return n == subject->n_roles;
}

static enum err change_user(struct ops_act *act, const struct subject *subject,
                            const struct ops_user_change *change, struct why *why)
{
    bool parts = change->display_name || change->department || change->disabled;
    bool grants = change->set_roles && !same_roles(subject, change->roles, change->n_roles);
    enum err err = parts ? set_parts(act, subject, change, why) : ERR_OK;
    if (!err && grants)
        err = set_roles(act, subject, change->roles, change->n_roles, why);
    if (!err && (grants || (change->disabled && *change->disabled)))
        /* What was true at the sign-in is not any more. */
        err = store_exec(act->tx, "DELETE FROM ops_sessions WHERE user_id = ?",
                         STORE_ARGS(SV_STR(subject->id)), NULL, why);
    return err;
}

enum err ops_user_change(struct ops *ops, const struct ops_identity *who, const char *id,
                         const struct ops_user_change *change, struct why *why)
{
    struct ops_act act;
    struct subject subject = {0};
    enum err err = ops_act_begin(&act, ops, who,
                                 change->set_roles ? "ops.user.grant" : "ops.user.change", why);
    if (!err && !ops_may(who, "ops.user.manage"))
        err = ops_need(who, "ops.role.grant", why);
    if (!err)
        err = lock_grants(act.tx, why);
    if (!err)
        err = read_subject(act.tx, who, id, act.arena, &subject, why);
    if (!err)
        err = change_user(&act, &subject, change, why);
    struct str detail = err ? STR_NONE : change_detail(act.arena, &subject, change);
    return ops_act_end(&act, err, id, detail, why);
}

/* ---- reset and unlock ---- */

static enum err unlock(struct ops_act *act, const struct subject *subject, struct why *why)
{
    return store_exec(act->tx, "DELETE FROM ops_lockouts WHERE login_key = ?",
                      STORE_ARGS(SV_STR(subject->login_key)), NULL, why);
}

static enum err check_managed(struct ops_act *act, const char *id, struct subject *subject,
                              struct why *why)
{
    enum err err = ops_need(act->who, "ops.user.manage", why);
    if (!err)
        err = read_subject(act->tx, act->who, id, act->arena, subject, why);
    return err ? err : check_reach(act->who, subject, why);
}

/* Whoever could reset an administrator's password could become him: that needs the machine. */
static enum err check_reset(const struct ops_identity *who, const struct subject *subject,
                            struct why *why)
{
    if (ops_is_system(who))
        return ERR_OK;
    if (str_eq(who->user, subject->id))
        return err_set(why, ERR_FORBIDDEN, "the own password is changed, not reset");
    if (!subject->administrator)
        return ERR_OK;
    err_hint(why, "on the machine itself: yicheng user reset %.*s", STR_FMT(subject->name));
    return err_set(why, ERR_FORBIDDEN,
                   "an administrator's password is reset from the command line only");
}

enum err ops_user_reset(struct ops *ops, const struct ops_identity *who, const char *id,
                        struct arena *arena, struct str *password, struct why *why)
{
    char hash[SECRET_PASSWORD_HASH], random[OPS_FIRST_PASSWORD];
    struct ops_act act;
    struct subject subject = {0};
    enum err err = ops_need(who, "ops.user.manage", why); /* before the expensive hash */
    if (err) {
        ops_audit_refusal(ops, who, "ops.user.reset", id, err);
        return err;
    }
    struct str made = str_copy(arena, str_c(ops_first_password(random)));
    if (!made.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not make a password");
    err = ops_hash(ops, made, hash, why);
    if (err)
        return err;
    err = ops_act_begin(&act, ops, who, "ops.user.reset", why);
    if (!err)
        err = check_managed(&act, id, &subject, why);
    if (!err)
        err = check_reset(who, &subject, why);
    if (!err)
        err = ops_password_set(act.tx, subject.id, hash, true, why);
    if (!err)
        err = unlock(&act, &subject, why);
    err = ops_act_end(&act, err, id, STR_NONE, why);
    if (!err)
        *password = made;
    return err;
}

enum err ops_user_unlock(struct ops *ops, const struct ops_identity *who, const char *id,
                         struct why *why)
{
    struct ops_act act;
    struct subject subject = {0};
    enum err err = ops_act_begin(&act, ops, who, "ops.user.unlock", why);
    if (!err)
        err = check_managed(&act, id, &subject, why);
    if (!err)
        err = unlock(&act, &subject, why);
    return ops_act_end(&act, err, id, STR_NONE, why);
}

/* ---- read ---- */

#define USER_COLUMNS                                                                               \
    "SELECT u.id, u.tenant_id, u.department_id, u.name, u.display_name, u.disabled,"               \
    " u.must_change, l.until_ms, u.created_ms, u.seen_ms, t.name, d.name FROM ops_users u"         \
    " JOIN ops_tenants t ON t.id = u.tenant_id"                                                    \
    " LEFT JOIN ops_departments d ON d.id = u.department_id"                                       \
    " LEFT JOIN ops_lockouts l ON l.login_key = u.login_key"

static struct str sign_in_name(struct arena *arena, struct str name, struct str tenant,
                               struct str label)
{
    if (str_eq_c(tenant, OPS_HOME))
        return name;
    return str_printf(arena, "%.*s@%.*s", STR_FMT(name), STR_FMT(label));
}

static void fill_user(const struct store_rows *rows, size_t i, struct arena *arena,
                      struct ops_user *out)
{
    int64_t until = store_int(rows, i, 7);
    *out = (struct ops_user){
        .id = store_str(rows, i, 0),
        .tenant = store_str(rows, i, 1),
        .department = store_str(rows, i, 2),
        .name = store_str(rows, i, 3),
        .display_name = store_str(rows, i, 4),
        .disabled = store_int(rows, i, 5) != 0,
        .must_change = store_int(rows, i, 6) != 0,
        .locked_until_ms = until > time_now_ms() ? until : 0,
        .created_ms = store_int(rows, i, 8),
        .seen_ms = store_int(rows, i, 9),
        .sign_in_name = sign_in_name(arena, store_str(rows, i, 3), store_str(rows, i, 1),
                                     store_str(rows, i, 10)),
        .department_name = store_str(rows, i, 11),
    };
}

static enum err fill_roles(struct store_tx *tx, struct arena *arena, struct ops_user *users,
                           size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        struct store_rows rows;
        enum err err =
            store_query(tx, "SELECT role FROM ops_grants WHERE user_id = ? ORDER BY role",
                        STORE_ARGS(SV_STR(users[i].id)), arena, &rows, why);
        if (err)
            return err;
        for (size_t r = 0; r < rows.n_rows && r < OPS_MOST_ROLES; r++)
            users[i].roles[users[i].n_roles++] = store_str(&rows, r, 0);
    }
    return ERR_OK;
}

static enum err ask_users(struct ops *ops, const char *sql, struct store_args args,
                          struct arena *arena, struct ops_user **out, size_t *n, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows = {0};
    struct ops_user *users = NULL;
    enum err err = store_begin(ops->store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx, sql, args, arena, &rows, why);
    if (!err) {
        users = arena_array(arena, struct ops_user, rows.n_rows);
        if (!users)
            err = err_set(why, ERR_NO_MEMORY, "could not hold %zu users", rows.n_rows);
    }
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        fill_user(&rows, i, arena, &users[i]);
    if (!err)
        err = fill_roles(tx, arena, users, rows.n_rows, why);
    store_rollback(tx);
    if (err)
        return err;
    *out = users;
    *n = rows.n_rows;
    return ERR_OK;
}

enum err ops_user_find(struct ops *ops, const struct ops_identity *who, const char *id,
                       struct arena *arena, struct ops_user *out, struct why *why)
{
    struct ops_user *users = NULL;
    size_t n = 0;
    enum err err = str_eq_c(who->user, id) ? ERR_OK : ops_need(who, "ops.user.read", why);
    if (!err)
        err = ask_users(ops, USER_COLUMNS " WHERE u.id = ? AND (u.tenant_id = ? OR ? = 1)",
                        STORE_ARGS(SV_C(id), SV_STR(who->tenant), SV_INT(ops_every_tenant(who))),
                        arena, &users, &n, why);
    if (err)
        return err;
    if (n == 0 || !users)
        return err_set(why, ERR_NOT_FOUND, "there is no such user");
    *out = users[0];
    return ERR_OK;
}

enum err ops_user_named(struct ops *ops, const struct ops_identity *who, struct str name,
                        struct arena *arena, struct ops_user *out, struct why *why)
{
    struct ops_user *users = NULL;
    struct str user, tenant;
    char key[HASH_TEXT];
    size_t n = 0;
    enum err err = ops_need(who, "ops.user.read", why);
    if (!err && ops_login_parse(arena, name, &user, &tenant)) {
        ops_login_key(user, tenant, key);
        err = ask_users(ops, USER_COLUMNS " WHERE u.login_key = ? AND (u.tenant_id = ? OR ? = 1)",
                        STORE_ARGS(SV_C(key), SV_STR(who->tenant), SV_INT(ops_every_tenant(who))),
                        arena, &users, &n, why);
    }
    if (err)
        return err;
    if (n == 0 || !users)
        return err_set(why, ERR_NOT_FOUND, "there is no user \"%.*s\"",
                       STR_FMT(utf8_prefix(name, 60)));
    *out = users[0];
    return ERR_OK;
}

enum err ops_user_list(struct ops *ops, const struct ops_identity *who, const char *tenant,
                       const char *after, int limit, struct arena *arena, struct ops_user **out,
                       size_t *n, struct why *why)
{
    enum err err = ops_need(who, "ops.user.read", why);
    if (err)
        return err;
    struct str of = tenant ? str_c(tenant) : who->tenant;
    if (!str_eq(of, who->tenant) && !ops_every_tenant(who))
        return err_set(why, ERR_NOT_FOUND, "there is no such tenant");
    if (limit < 1 || limit > 1000)
        return err_set(why, ERR_INVALID, "limit %d is out of range: from 1 to 1000", limit);
    return ask_users(ops, USER_COLUMNS " WHERE u.tenant_id = ? AND u.id > ? ORDER BY u.id LIMIT ?",
                     STORE_ARGS(SV_STR(of), SV_C(after), SV_INT(limit)), arena, out, n, why);
}
