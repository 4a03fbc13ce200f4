/* Who acts: from an actor's name to the permissions of now. */
#include "ops/ops_in.h"

struct ops_identity ops_system(void)
{
    return (struct ops_identity){
        .kind = STR("system"),
        .name = STR("system"),
        .tenant = STR(OPS_HOME),
        .permissions = UINT64_MAX,
        .classes = UINT64_MAX,
    };
}

struct ops_identity ops_public(const char *tenant)
{
    return (struct ops_identity){
        .kind = STR("public"),
        .name = STR("public"),
        .tenant = str_c(tenant),
        .permissions = OPS_P(KNOWLEDGE_ASK),
        .classes = (uint64_t)1 << OPS_CLASS_PUBLIC,
    };
}

struct str ops_actor(const struct ops_identity *who, struct arena *arena)
{
    if (who->id.len == 0)
        return str_copy(arena, who->kind);
    return str_printf(arena, "%.*s:%.*s", STR_FMT(who->kind), STR_FMT(who->id));
}

struct str ops_actor_name(struct ops *ops, struct str actor, struct arena *arena)
{
    struct store_rows rows;
    bool user = str_starts(actor, STR("user:"));
    if (!user && !str_starts(actor, STR("key:")))
        return STR("");
    enum err err = store_ask(ops->store,
                             user ? "SELECT display_name FROM ops_users WHERE id = ?"
                                  : "SELECT name FROM ops_keys WHERE id = ?",
                             STORE_ARGS(SV_STR(str_from(actor, user ? 5 : 4))), arena, &rows, NULL);
    return err ? STR("") : store_str(&rows, 0, 0);
}

static enum err add_roles(struct store_tx *tx, struct str id, struct arena *arena,
                          struct ops_identity *who, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT role FROM ops_grants WHERE user_id = ?",
                               STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (err)
        return err;
    who->classes = (uint64_t)1 << OPS_CLASS_PUBLIC;
    for (size_t i = 0; i < rows.n_rows; i++) {
        const struct ops_role *role = ops_role_find(store_str(&rows, i, 0));
        if (!role) /* of a newer program: grants nothing here */
            continue;
        who->permissions |= role->permissions;
        who->classes |= role->classes;
    }
    return ERR_OK;
}

enum err ops_account_of(struct ops *ops, struct store_tx *tx, struct str id, struct arena *arena,
                        struct ops_account *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx,
        "SELECT u.id, u.tenant_id, u.department_id, u.display_name, u.must_change, u.disabled,"
        " u.demo, t.disabled FROM ops_users u JOIN ops_tenants t ON t.id = u.tenant_id"
        " WHERE u.id = ?",
        STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no such user");
    *out = (struct ops_account){
        .who = {.kind = STR("user"),
                .id = store_str(&rows, 0, 0),
                .user = store_str(&rows, 0, 0),
                .tenant = store_str(&rows, 0, 1),
                .department = store_str(&rows, 0, 2),
                .name = store_str(&rows, 0, 3)},
        .must_change = store_int(&rows, 0, 4) != 0,
        .disabled = store_int(&rows, 0, 5) || (store_int(&rows, 0, 6) && !ops->demo) ||
                    store_int(&rows, 0, 7),
    };
    return add_roles(tx, id, arena, &out->who, why);
}

static enum err user_identity(struct ops *ops, struct store_tx *tx, struct str id,
                              struct arena *arena, struct ops_identity *out, struct why *why)
{
    struct ops_account account;
    enum err err = ops_account_of(ops, tx, id, arena, &account, why);
    if (!err && account.disabled)
        err = err_set(why, ERR_FORBIDDEN, "the account has been disabled");
    if (!err)
        *out = account.who;
    return err;
}

static enum err key_identity(struct ops *ops, struct store_tx *tx, struct str id,
                             struct arena *arena, struct ops_identity *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        tx,
        "SELECT user_id, name, permissions, bases FROM ops_keys WHERE id = ? AND revoked_ms = 0",
        STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_FORBIDDEN, "the API key has been revoked");
    if (!err)
        err = user_identity(ops, tx, store_str(&rows, 0, 0), arena, out, why);
    if (err)
        return err;
    uint64_t scope = 0;
    struct str rest = store_str(&rows, 0, 2), part;
    while (str_next(&rest, ' ', &part))
        scope |= ops_permission_bit(part);
    out->kind = STR("key");
    out->id = str_copy(arena, id);
    out->name = store_str(&rows, 0, 1);
    out->bases = store_str(&rows, 0, 3);
    out->permissions &= scope;
    return ERR_OK;
}

enum err ops_identity_of(struct ops *ops, const char *actor, struct arena *arena,
                         struct ops_identity *out, struct why *why)
{
    struct str a = str_c(actor);
    if (str_eq_c(a, "system")) {
        *out = ops_system();
        return ERR_OK;
    }
    if (str_eq_c(a, "public")) {
        *out = ops_public(OPS_HOME);
        return ERR_OK;
    }
    bool user = str_starts(a, STR("user:"));
    if (!user && !str_starts(a, STR("key:")))
        return err_set(why, ERR_INVALID, "\"%.80s\" is not an actor", actor);
    struct store_tx *tx = NULL;
    enum err err = store_begin(ops->store, STORE_READ, &tx, why);
    if (err)
        return err;
    struct ops_identity who;
    err = user ? user_identity(ops, tx, str_from(a, 5), arena, &who, why)
               : key_identity(ops, tx, str_from(a, 4), arena, &who, why);
    store_rollback(tx);
    if (!err)
        *out = who;
    return err;
}
