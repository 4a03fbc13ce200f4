/* Keys of tenants: made when they are first needed, the secret half sealed under release.key. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "release/room.h"

/* What a sealed secret is bound to: it opens in its own row alone. */
static struct str about(struct arena *arena, struct str tenant, struct str id)
{
    return str_printf(arena, "release key %.*s %.*s", STR_FMT(tenant), STR_FMT(id));
}

static enum err make_one(struct store_tx *tx, struct release *r, struct str tenant,
                         enum crypt_kind kind, struct arena *arena, struct why *why)
{
    char id[CRYPT_KEY_ID];
    struct str pub, secret, sealed;
    enum err err = crypt_make(kind, arena, &pub, &secret, why);
    if (err)
        return err;
    crypt_key_id(pub, id);
    err = secret_seal(&r->key, secret, about(arena, tenant, str_c(id)), arena, &sealed, why);
    secret_wipe((void *)secret.ptr, secret.len);
    return err ? err
               : store_exec(tx,
                            "INSERT INTO release_keys (id, tenant, kind, public_der, secret, "
                            "state, created_ms) VALUES (?, ?, ?, ?, ?, 'active', ?)",
                            STORE_ARGS(SV_C(id), SV_STR(tenant), SV_C(crypt_kind_name(kind)),
                                       SV_BLOB(pub), SV_BLOB(sealed), SV_INT(time_now_ms())),
                            NULL, why);
}

static enum err make_all(struct store_tx *tx, struct release *r, struct str tenant,
                         struct arena *arena, struct why *why)
{
    enum err err = store_exec(tx,
                              "UPDATE release_keys SET state = 'retired' WHERE tenant = ? AND "
                              "state = 'active'",
                              STORE_ARGS(SV_STR(tenant)), NULL, why);
    for (int k = 0; !err && k < CRYPT_KINDS; k++)
        err = make_one(tx, r, tenant, (enum crypt_kind)k, arena, why);
    return err;
}

enum err key_find(struct store_tx *tx, struct release *r, struct str tenant, enum crypt_kind kind,
                  bool make, struct arena *arena, struct tenant_key *out, struct why *why)
{
    struct store_rows rows;
    for (int turn = 0; turn < 2; turn++) {
        enum err err =
            store_query(tx,
                        "SELECT id, public_der FROM release_keys WHERE tenant = ? AND "
                        "kind = ? AND state = 'active'",
                        STORE_ARGS(SV_STR(tenant), SV_C(crypt_kind_name(kind))), arena, &rows, why);
        if (err)
            return err;
        if (rows.n_rows) {
            *out = (struct tenant_key){store_str(&rows, 0, 0), store_str(&rows, 0, 1), kind};
            return ERR_OK;
        }
        if (turn || !make)
            break;
        err = make_all(tx, r, tenant, arena, why);
        if (err)
            return err;
    }
    return err_set(why, ERR_NOT_FOUND, "the tenant has no %s key", crypt_kind_name(kind));
}

enum err key_secret(struct store_tx *tx, struct release *r, struct str tenant, struct str id,
                    struct arena *arena, struct str *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT secret FROM release_keys WHERE tenant = ? AND id = ?",
                               STORE_ARGS(SV_STR(tenant), SV_STR(id)), arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_FORBIDDEN, "it is closed for another tenant");
    return err ? err
               : secret_open(&r->key, store_str(&rows, 0, 0), about(arena, tenant, id), arena, out,
                             why);
}

/* ---- for people ---- */

static enum err put_keys(struct store_tx *tx, const struct ops_identity *who, struct arena *arena,
                         struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx,
                               "SELECT id, kind, public_der, state, created_ms FROM release_keys "
                               "WHERE tenant = ? ORDER BY created_ms DESC, kind",
                               STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows && !err; i++) {
        struct str pem = STR("");
        err = crypt_pem(store_str(&rows, i, 2), arena, &pem, why);
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "kind", store_str(&rows, i, 1));
        json_kv_str(out, "pem", pem);
        json_kv_str(out, "state", store_str(&rows, i, 3));
        json_kv_time(out, "created_at", store_int(&rows, i, 4));
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return err;
}

enum err release_keys_json(struct release *r, const struct ops_identity *who, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct tenant_key key;
    struct act act;
    struct store_tx *tx = NULL;
    enum err err = ops_may(who, "release.approve") || ops_may(who, "release.use")
                       ? ERR_OK
                       : ops_need(who, "release.make", why);
    if (!err)
        err = store_begin(r->opts.store, STORE_READ, &tx, why);
    if (err)
        return err;
    struct why none = {0};
    err = key_find(tx, r, who->tenant, CRYPT_SM2, false, arena, &key, &none);
    if (!err)
        err = put_keys(tx, who, arena, out, why);
    store_rollback(tx);
    if (err != ERR_NOT_FOUND)
        return err;
    err = release_act_begin(&act, r, who, NULL, why);
    if (err)
        return err;
    err = key_find(act.tx, r, who->tenant, CRYPT_SM2, true, act.arena, &key, why);
    if (!err)
        err = put_keys(act.tx, who, arena, out, why);
    return release_act_end(&act, err, "release.keys.make", who->tenant, STR_NONE, why);
}

enum err release_keys_rotate(struct release *r, const struct ops_identity *who, struct why *why)
{
    struct act act;
    enum err err = release_act_begin(&act, r, who, "release.approve", why);
    if (err)
        return err;
    err = make_all(act.tx, r, who->tenant, act.arena, why);
    return release_act_end(&act, err, "release.keys.rotate", who->tenant, STR_NONE, why);
}
