/* Aliases: the names that applications use, each with a policy and all it ever was. */
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"
#include "models/models_in.h"

struct alias_row {
    struct str id, name, policy;
    int64_t number, created_ms, changed_ms;
};

#define COLUMNS "id, name, policy, number, created_ms, changed_ms"

static void fill(const struct store_rows *r, size_t i, struct alias_row *out)
{
    *out = (struct alias_row){store_str(r, i, 0), store_str(r, i, 1), store_str(r, i, 2),
                              store_int(r, i, 3), store_int(r, i, 4), store_int(r, i, 5)};
}

static enum err find(struct store_tx *tx, struct str name, struct arena *arena,
                     struct alias_row *out, struct why *why)
{
    struct store_rows r;
    if (name.len == 0 || name.len > MODELS_MOST_NAME || utf8_invalid(name) != STR_NPOS ||
        memchr(name.ptr, 0, name.len))
        return err_set(why, ERR_NOT_FOUND, "there is no such alias");
    enum err err =
        store_query(tx, "SELECT " COLUMNS " FROM models_aliases WHERE name = ? OR id = ?",
                    STORE_ARGS(SV_STR(name), SV_STR(name)), arena, &r, why);
    if (!err && r.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no alias \"%.*s\"", STR_FMT(name));
    if (!err)
        fill(&r, 0, out);
    return err;
}

static void put(struct json_out *out, const struct alias_row *row)
{
    json_begin_object(out);
    json_kv_str(out, "id", row->id);
    json_kv_str(out, "name", row->name);
    models_put_stored(out, "policy", row->policy, "{}");
    json_kv_int(out, "revision", row->number);
    json_kv_time(out, "created_at", row->created_ms);
    json_kv_time(out, "changed_at", row->changed_ms);
    json_end_object(out);
}

static enum err answer(struct store_tx *tx, const struct models_ask *ask, struct str id,
                       struct why *why)
{
    struct alias_row row;
    enum err err = find(tx, id, ask->arena, &row, why);
    if (!err && ask->revision)
        *ask->revision = row.number;
    if (!err && ask->out)
        put(ask->out, &row);
    return err;
}

static enum err items(struct models *models, const struct models_ask *ask,
                      const struct json *filter, struct why *why)
{
    (void)filter;
    struct store_rows r;
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_ask(models->store, "SELECT " COLUMNS " FROM models_aliases ORDER BY name",
                        STORE_NO_ARGS, ask->arena, &r, why);
    if (err)
        return err;
    json_begin_object(ask->out);
    json_key(ask->out, "items");
    json_begin_array(ask->out);
    for (size_t i = 0; i < r.n_rows; i++) {
        struct alias_row row;
        fill(&r, i, &row);
        put(ask->out, &row);
    }
    json_end_array(ask->out);
    json_end_object(ask->out);
    return ERR_OK;
}

static enum err show(struct models *models, const struct models_ask *ask, struct str name,
                     struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = answer(tx, ask, name, why);
    store_rollback(tx);
    return err;
}

/* ---- what a policy names must be there ---- */

static enum err check_version(struct act *act, struct str ref, const char *member, struct why *why)
{
    struct version_ref v;
    struct why none = {0};
    enum err err = model_version_find(act->tx, ref, act->arena, &v, &none);
    if (err == ERR_NOT_FOUND)
        return err_set(why, ERR_INVALID, "\"%s\": %s", member, none.text);
    if (!err && str_eq_c(v.state, "retired"))
        return err_set(why, ERR_INVALID, "\"%s\": \"%.*s\" has been retired", member, STR_FMT(ref));
    return err ? err_set(why, err, "%s", why_text(&none, err)) : ERR_OK;
}

static enum err check_fallback(struct act *act, struct str self, struct str ref, struct why *why)
{
    struct store_rows r;
    if (str_eq(ref, self))
        return err_set(why, ERR_INVALID, "an alias cannot fall back on itself");
    enum err err = store_query(act->tx, "SELECT id FROM models_aliases WHERE name = ?",
                               STORE_ARGS(SV_STR(ref)), act->arena, &r, why);
    return err || r.n_rows ? err : check_version(act, ref, "fallbacks", why);
}

/* The policy as text, checked against the registry, its tenants as ids. */
static enum err check_policy(struct act *act, struct str self, struct str *text, struct why *why)
{
    const struct json *json = NULL;
    struct policy p = {.n_arms = 0};
    struct str grants = STR("[]"), dumped;
    enum err err = json_parse(*text, act->arena, &json, why);
    if (!err)
        err = policy_read(json, act->arena, &p, why);
    for (size_t a = 0; !err && a < p.n_arms; a++)
        for (size_t t = 0; !err && t < p.arms[a].n; t++)
            err = check_version(act, p.arms[a].targets[t].model, "model", why);
    for (size_t i = 0; !err && i < p.n_fallbacks; i++)
        err = check_fallback(act, self, p.fallbacks[i], why);
    if (!err && p.tokenizer.len)
        err = check_version(act, p.tokenizer, "tokenizer", why);
    if (err || !json_get(json, "grants"))
        return err;
    err = json_dump(json_get(json, "grants"), act->arena, &dumped, why);
    if (!err)
        err = models_grants_resolve(act->models, dumped, act->arena, &grants, why);
    struct str change = str_printf(act->arena, "{\"grants\":%.*s}", STR_FMT(grants));
    const struct json *over = NULL;
    if (!err)
        err = json_parse(change, act->arena, &over, why);
    return err ? err : policy_merge(json, over, act->arena, text, why);
}

static enum err remember(struct act *act, struct str id, int64_t number, struct str policy,
                         const char *action, struct why *why)
{
    struct str actor = ops_actor(act->ask->who, act->arena);
    return store_exec(act->tx,
                      "INSERT INTO models_alias_history (alias, number, policy, action, actor,"
                      " at_ms) VALUES (?, ?, ?, ?, ?, ?)",
                      STORE_ARGS(SV_STR(id), SV_INT(number), SV_STR(policy), SV_C(action),
                                 SV_STR(actor), SV_INT(time_now_ms())),
                      NULL, why);
}

static enum err make(struct models *models, const struct models_ask *ask, const struct json *body,
                     struct why *why)
{
    struct act act;
    char text[UUID_TEXT];
    struct str name = STR(""), policy, id = str_copy(ask->arena, str_c(uuid7(text)));
    const struct json *rest = NULL, *none = NULL;
    int64_t now = time_now_ms();
    enum err err = models_act_begin(&act, models, ask, "models.alias.create", true, why);
    if (!err)
        err = models_body_name(body, "alias", ask->arena, &name, &rest, why);
    if (!err)
        err = model_name_free(act.tx, name, ask->arena, why);
    if (!err)
        err = policy_merge(none, rest, ask->arena, &policy, why);
    if (!err)
        err = check_policy(&act, name, &policy, why);
    if (!err)
        err = store_exec(
            act.tx, "INSERT INTO models_aliases (" COLUMNS ") VALUES (?, ?, ?, 1, ?, ?)",
            STORE_ARGS(SV_STR(id), SV_STR(name), SV_STR(policy), SV_INT(now), SV_INT(now)), NULL,
            why);
    if (!err)
        err = remember(&act, id, 1, policy, "create", why);
    if (!err)
        err = answer(act.tx, ask, id, why);
    return models_act_end(&act, err, id, models_act_detail(ask->arena, "name", name, ACT_END), why);
}

/* The next policy of the alias, with its place in the history. */
static enum err put_policy(struct act *act, const struct alias_row *row, struct str policy,
                           const char *action, struct why *why)
{
    enum err err = store_exec(
        act->tx,
        "UPDATE models_aliases SET policy = ?, number = ?, changed_ms = ?"
        " WHERE id = ?",
        STORE_ARGS(SV_STR(policy), SV_INT(row->number + 1), SV_INT(time_now_ms()), SV_STR(row->id)),
        NULL, why);
    return err ? err : remember(act, row->id, row->number + 1, policy, action, why);
}

static enum err change(struct models *models, const struct models_ask *ask, struct str name,
                       const struct json *body, struct why *why)
{
    struct act act;
    struct alias_row row = {.id = STR("")};
    struct str policy = STR("");
    const struct json *base = NULL;
    enum err err = models_act_begin(&act, models, ask, "models.alias.change", true, why);
    if (!err)
        err = find(act.tx, name, ask->arena, &row, why);
    if (!err)
        err = models_revision_check(ask, row.number, "alias", why);
    if (!err)
        err = json_parse(row.policy, ask->arena, &base, why);
    if (!err)
        err = policy_merge(base, body, ask->arena, &policy, why);
    if (!err)
        err = check_policy(&act, row.name, &policy, why);
    if (!err)
        err = put_policy(&act, &row, policy, "change", why);
    if (!err)
        err = answer(act.tx, ask, row.id, why);
    return models_act_end(
        &act, err, row.id,
        models_act_detail(
            ask->arena, "name", row.name, "policy",
            str_slice(policy, 0, utf8_floor(policy, 4000 < policy.len ? 4000 : policy.len)),
            ACT_END),
        why);
}

enum err models_alias_rollback(struct models *models, const struct models_ask *ask, struct str name,
                               struct why *why)
{
    struct act act;
    struct alias_row row = {.id = STR("")};
    struct store_rows r;
    struct str policy = STR("");
    enum err err = models_act_begin(&act, models, ask, "models.alias.rollback", true, why);
    if (!err)
        err = find(act.tx, name, ask->arena, &row, why);
    if (!err)
        err = models_revision_check(ask, row.number, "alias", why);
    if (!err)
        err = store_query(act.tx,
                          "SELECT policy FROM models_alias_history WHERE alias = ? AND number = ?",
                          STORE_ARGS(SV_STR(row.id), SV_INT(row.number - 1)), ask->arena, &r, why);
    if (!err && r.n_rows == 0)
        err = err_set(why, ERR_CONFLICT, "the alias \"%.*s\" was never anything else",
                      STR_FMT(row.name));
    if (!err) {
        policy = store_str(&r, 0, 0);
        err = check_policy(&act, row.name, &policy, why);
    }
    if (!err)
        err = put_policy(&act, &row, policy, "rollback", why);
    if (!err)
        err = answer(act.tx, ask, row.id, why);
    return models_act_end(&act, err, row.id,
                          models_act_detail(ask->arena, "name", row.name, ACT_END), why);
}

enum err models_alias_history(struct models *models, const struct models_ask *ask, struct str name,
                              struct why *why)
{
    struct store_tx *tx = NULL;
    struct alias_row row;
    struct store_rows r;
    struct json_out *out = ask->out;
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = find(tx, name, ask->arena, &row, why);
    if (!err)
        err = store_query(tx,
                          "SELECT number, policy, action, actor, at_ms FROM models_alias_history"
                          " WHERE alias = ? ORDER BY number DESC LIMIT 200",
                          STORE_ARGS(SV_STR(row.id)), ask->arena, &r, why);
    store_rollback(tx);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < r.n_rows; i++) {
        struct str actor = store_str(&r, i, 3);
        json_begin_object(out);
        json_kv_int(out, "number", store_int(&r, i, 0));
        models_put_stored(out, "policy", store_str(&r, i, 1), "{}");
        json_kv_str(out, "action", store_str(&r, i, 2));
        json_kv_str(out, "actor", actor);
        json_kv_str(out, "actor_name",
                    models->ops ? ops_actor_name(models->ops, actor, ask->arena) : STR(""));
        json_kv_time(out, "at", store_int(&r, i, 4));
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

/* Names the aliases that fall back on this one; empty when none does. */
static enum err used_by(struct act *act, struct str name, struct str *user, struct why *why)
{
    struct store_rows r;
    *user = STR("");
    enum err err = store_query(act->tx, "SELECT name, policy FROM models_aliases ORDER BY name",
                               STORE_NO_ARGS, act->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        const struct json *json;
        struct policy p = {.n_arms = 0};
        err = json_parse(store_str(&r, i, 1), act->arena, &json, why);
        if (!err)
            err = policy_read(json, act->arena, &p, why);
        for (size_t k = 0; !err && k < p.n_fallbacks; k++)
            if (str_eq(p.fallbacks[k], name))
                *user = store_str(&r, i, 0);
    }
    return err;
}

static enum err remove_alias(struct models *models, const struct models_ask *ask, struct str name,
                             struct why *why)
{
    struct act act;
    struct alias_row row = {.id = STR("")};
    struct str user = STR("");
    enum err err = models_act_begin(&act, models, ask, "models.alias.remove", true, why);
    if (!err)
        err = find(act.tx, name, ask->arena, &row, why);
    if (!err)
        err = models_revision_check(ask, row.number, "alias", why);
    if (!err)
        err = used_by(&act, row.name, &user, why);
    if (!err && user.len)
        err = err_set(why, ERR_CONFLICT, "the alias \"%.*s\" falls back on it", STR_FMT(user));
    if (!err)
        err = store_exec(act.tx, "DELETE FROM models_aliases WHERE id = ?",
                         STORE_ARGS(SV_STR(row.id)), NULL, why);
    return models_act_end(&act, err, row.id,
                          models_act_detail(ask->arena, "name", row.name, ACT_END), why);
}

const struct noun noun_alias = {"alias", NULL, items, show, make, change, remove_alias, NULL, 0};
