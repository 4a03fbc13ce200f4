/* Tenants and their departments. */
#include "core/time.h"
#include "core/utf8.h"
#include "ops/ops_in.h"

/* ---- tenants ---- */

enum err ops_tenant_create(struct ops *ops, const struct ops_identity *who, struct str name,
                           struct str title, struct arena *arena, struct str *id, struct why *why)
{
    struct ops_act act;
    struct store_rows rows;
    struct str made = ops_new_id(arena);
    enum err err = ops_act_begin(&act, ops, who, "ops.tenant.create", why);
    if (!err)
        err = ops_need(who, "ops.tenant.manage", why);
    if (!err && !ops_name_valid(name)) {
        err_hint(why, "2 to 64 lower-case letters, digits, Han characters, '.', '_' or '-'");
        err = err_set(why, ERR_INVALID, "the name is not of the allowed form");
    }
    if (!err)
        err = ops_check_text("title", title, 1, OPS_MOST_NAME, why);
    if (!err)
        err = store_query(act.tx, "SELECT 1 FROM ops_tenants WHERE name = ?",
                          STORE_ARGS(SV_STR(name)), act.arena, &rows, why);
    if (!err && rows.n_rows)
        err = err_set(why, ERR_CONFLICT, "there is a tenant \"%.*s\" already", STR_FMT(name));
    if (!err && !made.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the new tenant");
    if (!err)
        err =
            store_exec(act.tx,
                       "INSERT INTO ops_tenants (id, name, title, disabled, created_ms)"
                       " VALUES (?, ?, ?, 0, ?)",
                       STORE_ARGS(SV_STR(made), SV_STR(name), SV_STR(title), SV_INT(time_now_ms())),
                       NULL, why);
    struct str detail = err ? STR_NONE : ops_detail(act.arena, "name", name, "title", title);
    err = ops_act_end(&act, err, made.ptr ? made.ptr : "", detail, why);
    if (!err)
        *id = made;
    return err;
}

static enum err change_tenant(struct ops_act *act, const char *id, const struct str *title,
                              const bool *disabled, struct why *why)
{
    int64_t n = 0;
    enum err err = ops_need(act->who, "ops.tenant.manage", why);
    if (!err && disabled && *disabled && str_eq_c(str_c(id), OPS_HOME))
        err = err_set(why, ERR_CONFLICT, "the home tenant cannot be disabled");
    if (!err && title)
        err = ops_check_text("title", *title, 1, OPS_MOST_NAME, why);
    if (!err)
        err = store_exec(act->tx,
                         "UPDATE ops_tenants SET title = COALESCE(?, title),"
                         " disabled = COALESCE(?, disabled) WHERE id = ?",
                         STORE_ARGS(title ? SV_STR(*title) : SV_NULL,
                                    disabled ? SV_INT(*disabled) : SV_NULL, SV_C(id)),
                         &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such tenant");
    if (!err && disabled && *disabled)
        err = store_exec(act->tx,
                         "DELETE FROM ops_sessions WHERE user_id IN"
                         " (SELECT id FROM ops_users WHERE tenant_id = ?)",
                         STORE_ARGS(SV_C(id)), NULL, why);
    return err;
}

enum err ops_tenant_change(struct ops *ops, const struct ops_identity *who, const char *id,
                           const struct str *title, const bool *disabled, struct why *why)
{
    struct ops_act act;
    enum err err = ops_act_begin(&act, ops, who, "ops.tenant.change", why);
    if (!err)
        err = change_tenant(&act, id, title, disabled, why);
    struct str detail = STR_NONE;
    if (!err)
        detail = ops_detail(act.arena, "title", title ? *title : STR(""), "disabled",
                            !disabled   ? STR("")
                            : *disabled ? STR("true")
                                        : STR("false"));
    return ops_act_end(&act, err, id, detail, why);
}

enum err ops_tenant_list(struct ops *ops, const struct ops_identity *who, struct arena *arena,
                         struct ops_tenant **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    bool all = ops_every_tenant(who);
    enum err err = store_ask(ops->store,
                             "SELECT id, name, title, disabled, created_ms FROM ops_tenants"
                             " WHERE id = ? OR ? = 1 ORDER BY created_ms, id",
                             STORE_ARGS(SV_STR(who->tenant), SV_INT(all)), arena, &rows, why);
    if (err)
        return err;
    struct ops_tenant *items = arena_array(arena, struct ops_tenant, rows.n_rows);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu tenants", rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++)
        items[i] = (struct ops_tenant){store_str(&rows, i, 0), store_str(&rows, i, 1),
                                       store_str(&rows, i, 2), store_int(&rows, i, 3) != 0,
                                       store_int(&rows, i, 4)};
    *out = items;
    *n = rows.n_rows;
    return ERR_OK;
}

/* ---- departments ---- */

static enum err check_department_parts(const struct ops_department *d, bool fresh,
                                       struct arena *arena, struct why *why)
{
    const struct json *info;
    enum err err = ERR_OK;
    if ((fresh || d->code.len) && !ops_name_valid(d->code))
        err = err_set(why, ERR_INVALID, "the code is not of the allowed form");
    if (!err)
        err = ops_check_text("name", d->name, fresh, OPS_MOST_NAME, why);
    if (!err)
        err = ops_check_text("short name", d->short_name, 0, OPS_MOST_NAME, why);
    if (!err && d->kind.len && !str_eq_c(d->kind, "department") && !str_eq_c(d->kind, "district"))
        err = err_set(why, ERR_INVALID, "the kind must be \"department\" or \"district\"");
    if (!err && d->info.len > 16384)
        err = err_set(why, ERR_INVALID, "the particulars have more than 16384 bytes");
    if (!err && d->info.len) {
        err = json_parse(d->info, arena, &info, why);
        if (!err && json_kind(info) != JSON_KIND_OBJECT)
            err = err_set(why, ERR_INVALID, "the particulars must be a JSON object");
    }
    return err;
}

static enum err insert_department(struct ops_act *act, const struct ops_department *d,
                                  struct str id, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(act->tx, "SELECT 1 FROM ops_departments WHERE tenant_id = ? AND code = ?",
                    STORE_ARGS(SV_STR(act->who->tenant), SV_STR(d->code)), act->arena, &rows, why);
    if (!err && rows.n_rows)
        err = err_set(why, ERR_CONFLICT, "there is a department with the code \"%.*s\" already",
                      STR_FMT(d->code));
    return err ? err
               : store_exec(act->tx,
                            "INSERT INTO ops_departments (id, tenant_id, code, name, short_name,"
                            " kind, info, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                            STORE_ARGS(SV_STR(id), SV_STR(act->who->tenant), SV_STR(d->code),
                                       SV_STR(d->name),
                                       SV_STR(d->short_name.len ? d->short_name : d->name),
                                       d->kind.len ? SV_STR(d->kind) : SV_C("department"),
                                       d->info.len ? SV_STR(d->info) : SV_C("{}"),
                                       SV_INT(time_now_ms())),
                            NULL, why);
}

static enum err update_department(struct ops_act *act, const struct ops_department *d,
                                  struct why *why)
{
    int64_t n = 0;
    struct store_value parts[5] = {
        d->code.len ? SV_STR(d->code) : SV_NULL, d->name.len ? SV_STR(d->name) : SV_NULL,
        d->short_name.len ? SV_STR(d->short_name) : SV_NULL,
        d->kind.len ? SV_STR(d->kind) : SV_NULL, d->info.len ? SV_STR(d->info) : SV_NULL};
    enum err err =
        store_exec(act->tx,
                   "UPDATE ops_departments SET code = COALESCE(?, code), name = COALESCE(?, name),"
                   " short_name = COALESCE(?, short_name), kind = COALESCE(?, kind),"
                   " info = COALESCE(?, info) WHERE id = ? AND tenant_id = ?",
                   STORE_ARGS(parts[0], parts[1], parts[2], parts[3], parts[4], SV_STR(d->id),
                              SV_STR(act->who->tenant)),
                   &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such department");
    return err;
}

enum err ops_department_put(struct ops *ops, const struct ops_identity *who,
                            const struct ops_department *d, struct arena *arena, struct str *out_id,
                            struct why *why)
{
    struct ops_act act;
    bool fresh = d->id.len == 0;
    struct str id = fresh ? ops_new_id(arena) : str_copy(arena, d->id);
    enum err err = ops_act_begin(&act, ops, who,
                                 fresh ? "ops.department.create" : "ops.department.change", why);
    if (!err && !id.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the department");
    if (!err)
        err = ops_need(who, "ops.user.manage", why);
    if (!err)
        err = check_department_parts(d, fresh, act.arena, why);
    if (!err)
        err = fresh ? insert_department(&act, d, id, why) : update_department(&act, d, why);
    struct str detail = err ? STR_NONE : ops_detail(act.arena, "code", d->code, "name", d->name);
    err = ops_act_end(&act, err, id.ptr ? id.ptr : "", detail, why);
    if (!err)
        *out_id = id;
    return err;
}

enum err ops_department_list(struct ops *ops, const struct ops_identity *who, struct arena *arena,
                             struct ops_department **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(ops->store,
                             "SELECT d.id, d.code, d.name, d.short_name, d.kind, d.info,"
                             " (SELECT COUNT(*) FROM ops_users u WHERE u.department_id = d.id)"
                             " FROM ops_departments d WHERE d.tenant_id = ? ORDER BY d.kind, d.id",
                             STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    if (err)
        return err;
    struct ops_department *items = arena_array(arena, struct ops_department, rows.n_rows);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu departments", rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++)
        items[i] = (struct ops_department){store_str(&rows, i, 0), store_str(&rows, i, 1),
                                           store_str(&rows, i, 2), store_str(&rows, i, 3),
                                           store_str(&rows, i, 4), store_str(&rows, i, 5),
                                           store_int(&rows, i, 6)};
    *out = items;
    *n = rows.n_rows;
    return ERR_OK;
}

enum err ops_department_find(struct ops *ops, const char *tenant, struct str name,
                             struct arena *arena, struct str *id, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(ops->store,
                             "SELECT id FROM ops_departments WHERE tenant_id = ?"
                             " AND (code = ? OR name = ? OR short_name = ?) ORDER BY id LIMIT 1",
                             STORE_ARGS(SV_C(tenant), SV_STR(name), SV_STR(name), SV_STR(name)),
                             arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no department \"%.*s\"",
                      STR_FMT(utf8_prefix(name, 60)));
    if (!err)
        *id = store_str(&rows, 0, 0);
    return err;
}
