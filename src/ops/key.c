/* API keys: shown once, stored as SHA-256, never more than their maker may at the moment of use. */
#include <string.h>

#include "core/time.h"
#include "core/utf8.h"
#include "ops/ops_in.h"

#define PREFIX_TEXT 9 /* 8 characters and '\0' */
#define MOST_KEYS   100
#define MOST_SCOPE  2000 /* bytes of a list of permissions or bases */
#define DAY_MS      86400000LL
#define KEY_TEXT    (3 + PREFIX_TEXT + SECRET_TOKEN_TEXT)

static void new_prefix(char out[PREFIX_TEXT])
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32 */
    uint8_t random[PREFIX_TEXT - 1];
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        out[i] = letters[random[i] % 32];
    out[sizeof random] = '\0';
}

static void digest_of(struct str key, char out[HASH_TEXT])
{
    uint8_t digest[HASH_BYTES];
    hash_of(HASH_SHA256, key, digest);
    hex_put(digest, sizeof digest, out);
}

/* ---- create ---- */

static enum err check_scope(const struct ops_identity *who, struct str names, struct why *why)
{
    struct str rest = names, part;
    size_t n = 0;
    while (str_next(&rest, ' ', &part)) {
        if (part.len == 0)
            continue;
        uint64_t bit = ops_permission_bit(part);
        if (!bit)
            return err_set(why, ERR_INVALID, "there is no permission \"%.*s\"",
                           STR_FMT(utf8_prefix(part, 40)));
        if (!ops_permission((size_t)__builtin_ctzll(bit))->for_keys)
            return err_set(why, ERR_FORBIDDEN, "an API key cannot carry \"%.*s\"", STR_FMT(part));
        if (!(who->permissions & bit))
            return err_set(why, ERR_FORBIDDEN,
                           "a key may not do more than its maker, who lacks \"%.*s\"",
                           STR_FMT(part));
        n++;
    }
    if (n == 0)
        return err_set(why, ERR_INVALID, "the key must have at least one permission");
    return ERR_OK;
}

static enum err check_key_form(struct ops *ops, const struct ops_identity *who,
                               const struct ops_key_form *form, int64_t now, struct why *why)
{
    enum err err = ops_need(who, "ops.key.manage", why);
    if (!err && !str_eq_c(who->kind, "user"))
        err = err_set(why, ERR_FORBIDDEN, "only a signed-in user makes API keys");
    if (!err)
        err = ops_check_text("name", form->name, 1, OPS_MOST_NAME, why);
    if (!err)
        err = ops_check_text("list of permissions", form->permissions, 0, MOST_SCOPE, why);
    if (!err)
        err = ops_check_text("list of knowledge bases", form->bases, 0, MOST_SCOPE, why);
    if (!err)
        err = check_scope(who, form->permissions, why);
    if (!err && form->expires_ms &&
        (form->expires_ms <= now || form->expires_ms > now + (ops->key_days + 1) * DAY_MS))
        err = err_set(why, ERR_INVALID, "the key must expire in the future and within %lld days",
                      (long long)ops->key_days);
    if (!err && (form->requests_per_minute < 0 || form->requests_per_minute > 100000000))
        err = err_set(why, ERR_INVALID, "requests_per_minute must be from 1 to 100000000");
    return err;
}

static enum err check_count(struct ops_act *act, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(act->tx,
                               "SELECT COUNT(*) FROM ops_keys WHERE user_id = ? AND revoked_ms = 0"
                               " AND expires_ms > ?",
                               STORE_ARGS(SV_STR(act->who->id), SV_INT(time_now_ms())), act->arena,
                               &rows, why);
    if (!err && store_int(&rows, 0, 0) >= MOST_KEYS)
        err = err_set(why, ERR_CONFLICT, "there are %d API keys already: revoke some", MOST_KEYS);
    return err;
}

static enum err insert_key(struct ops_act *act, const struct ops_key *key, struct str text,
                           struct why *why)
{
    char digest[HASH_TEXT];
    digest_of(text, digest);
    return store_exec(act->tx,
                      "INSERT INTO ops_keys (id, tenant_id, user_id, name, prefix, hash,"
                      " permissions, bases, per_minute, created_ms, expires_ms, revoked_ms)"
                      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
                      STORE_ARGS(SV_STR(key->id), SV_STR(key->tenant), SV_STR(key->user),
                                 SV_STR(key->name), SV_STR(key->prefix), SV_C(digest),
                                 SV_STR(key->permissions), SV_STR(key->bases),
                                 SV_INT(key->requests_per_minute), SV_INT(key->created_ms),
                                 SV_INT(key->expires_ms)),
                      NULL, why);
}

enum err ops_key_create(struct ops *ops, const struct ops_identity *who,
                        const struct ops_key_form *form, struct arena *arena, struct ops_key *out,
                        struct str *key, struct why *why)
{
    char prefix[PREFIX_TEXT], secret[SECRET_TOKEN_TEXT];
    struct ops_act act;
    int64_t now = time_now_ms();
    new_prefix(prefix);
    struct str text = str_printf(arena, "yc_%s_%s", prefix, secret_token(secret));
    struct ops_key made = {
        .id = ops_new_id(arena),
        .tenant = who->tenant,
        .user = who->id,
        .name = str_copy(arena, form->name),
        .prefix = str_copy(arena, str_c(prefix)),
        .permissions = str_copy(arena, form->permissions),
        .bases = str_copy(arena, form->bases),
        .requests_per_minute =
            form->requests_per_minute ? form->requests_per_minute : ops->key_per_minute,
        .created_ms = now,
        .expires_ms = form->expires_ms ? form->expires_ms : now + ops->key_days * DAY_MS,
    };
    enum err err = ops_act_begin(&act, ops, who, "ops.key.create", why);
    if (!err && (!text.ptr || !made.id.ptr || !made.name.ptr || !made.prefix.ptr ||
                 !made.permissions.ptr || !made.bases.ptr))
        err = err_set(why, ERR_NO_MEMORY, "could not hold the new key");
    if (!err)
        err = check_key_form(ops, who, form, now, why);
    if (!err)
        err = check_count(&act, why);
    if (!err)
        err = insert_key(&act, &made, text, why);
    struct str detail =
        err ? STR_NONE
            : ops_detail(act.arena, "prefix", made.prefix, "permissions", made.permissions);
    err = ops_act_end(&act, err, made.id.ptr ? made.id.ptr : "", detail, why);
    if (err)
        return err;
    *out = made;
    *key = text;
    return ERR_OK;
}

/* ---- list, revoke ---- */

enum err ops_key_list(struct ops *ops, const struct ops_identity *who, struct arena *arena,
                      struct ops_key **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    bool all = ops_may(who, "ops.role.grant");
    enum err err = ops_need(who, "ops.key.manage", why);
    if (!err)
        err = store_ask(ops->store,
                        "SELECT id, tenant_id, user_id, name, prefix, permissions, bases,"
                        " per_minute, created_ms, expires_ms, revoked_ms FROM ops_keys"
                        " WHERE tenant_id = ? AND (user_id = ? OR ? = 1) ORDER BY id DESC"
                        " LIMIT 1000",
                        STORE_ARGS(SV_STR(who->tenant), SV_STR(who->user), SV_INT(all)), arena,
                        &rows, why);
    if (err)
        return err;
    struct ops_key *items = arena_array(arena, struct ops_key, rows.n_rows);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu keys", rows.n_rows);
    for (size_t i = 0; i < rows.n_rows; i++)
        items[i] = (struct ops_key){
            .id = store_str(&rows, i, 0),
            .tenant = store_str(&rows, i, 1),
            .user = store_str(&rows, i, 2),
            .name = store_str(&rows, i, 3),
            .prefix = store_str(&rows, i, 4),
            .permissions = store_str(&rows, i, 5),
            .bases = store_str(&rows, i, 6),
            .requests_per_minute = store_int(&rows, i, 7),
            .created_ms = store_int(&rows, i, 8),
            .expires_ms = store_int(&rows, i, 9),
            .revoked_ms = store_int(&rows, i, 10),
        };
    *out = items;
    *n = rows.n_rows;
    return ERR_OK;
}

enum err ops_key_revoke(struct ops *ops, const struct ops_identity *who, const char *id,
                        struct why *why)
{
    struct ops_act act;
    int64_t n = 0;
    bool all = ops_may(who, "ops.role.grant");
    enum err err = ops_act_begin(&act, ops, who, "ops.key.revoke", why);
    if (!err)
        err = ops_need(who, "ops.key.manage", why);
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE ops_keys SET revoked_ms = ? WHERE id = ? AND tenant_id = ?"
                         " AND (user_id = ? OR ? = 1) AND revoked_ms = 0",
                         STORE_ARGS(SV_INT(time_now_ms()), SV_C(id), SV_STR(who->tenant),
                                    SV_STR(who->user), SV_INT(all)),
                         &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such key in force");
    return ops_act_end(&act, err, id, STR_NONE, why);
}

/* ---- use ---- */

static bool key_parts(struct str key, struct str *prefix)
{
    if (key.len != KEY_TEXT - 1 || !str_starts(key, STR("yc_")) || key.ptr[11] != '_' ||
        utf8_invalid(key) != STR_NPOS)
        return false;
    *prefix = str_slice(key, 3, 11);
    return true;
}

static enum err no_such_key(struct why *why)
{
    return err_set(why, ERR_UNAUTHENTICATED, "the API key is not valid");
}

static enum err read_key(struct ops *ops, struct str prefix, const char *digest,
                         struct arena *arena, struct str *id, int64_t *per_minute, int64_t *left_ms,
                         struct why *why)
{
    int64_t now = time_now_ms();
    struct store_rows rows;
    enum err err =
        store_ask(ops->store,
                  "SELECT id, hash, per_minute, expires_ms FROM ops_keys WHERE prefix = ?"
                  " AND revoked_ms = 0 AND expires_ms > ?",
                  STORE_ARGS(SV_STR(prefix), SV_INT(now)), arena, &rows, why);
    if (err)
        return err;
    if (!secret_equal(store_str(&rows, 0, 1), str_c(digest)))
        return no_such_key(why);
    *id = store_str(&rows, 0, 0);
    *per_minute = store_int(&rows, 0, 2);
    *left_ms = store_int(&rows, 0, 3) - now;
    return ERR_OK;
}

static enum err ask_store(struct ops *ops, struct str prefix, const char *digest,
                          struct arena *arena, struct ops_identity *out, int64_t *per_minute,
                          int64_t *left_ms, struct why *why)
{
    struct str id;
    struct why inner = {0};
    enum err err = read_key(ops, prefix, digest, arena, &id, per_minute, left_ms, why);
    if (err)
        return err;
    struct str actor = str_printf(arena, "key:%.*s", STR_FMT(id));
    if (!actor.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not check the API key");
    err = ops_identity_of(ops, actor.ptr, arena, out, &inner);
    if (err == ERR_FORBIDDEN || err == ERR_NOT_FOUND) /* its maker was disabled */
        return no_such_key(why);
    return err ? err_set(why, err, "%s", why_text(&inner, err)) : ERR_OK;
}

bool ops_key_known(struct ops *ops, struct str key, struct arena *arena, struct ops_identity *out,
                   int64_t *requests_per_minute)
{
    struct str prefix;
    uint8_t digest[HASH_BYTES];
    if (!ops->known || !key_parts(key, &prefix))
        return false;
    hash_of(HASH_SHA256, key, digest);
    return known_find(ops->known, digest, arena, out, requests_per_minute);
}

enum err ops_key_of(struct ops *ops, struct str key, struct arena *arena, struct ops_identity *out,
                    int64_t *requests_per_minute, struct why *why)
{
    struct str prefix;
    struct ops_identity who;
    int64_t per_minute = 0, left_ms = 0;
    uint8_t digest[HASH_BYTES];
    char text[HASH_TEXT];
    if (!key_parts(key, &prefix))
        return no_such_key(why);
    hash_of(HASH_SHA256, key, digest);
    if (ops->known && known_find(ops->known, digest, arena, out, requests_per_minute))
        return ERR_OK;
    uint64_t act = ops->known ? known_now(ops->known) : 0; /* before the store is asked */
    enum err err = ask_store(ops, prefix, hex_put(digest, sizeof digest, text), arena, &who,
                             &per_minute, &left_ms, why);
    if (err)
        return err;
    if (ops->known)
        known_put(ops->known, digest, act, &who, per_minute, left_ms);
    *out = who;
    *requests_per_minute = per_minute;
    return ERR_OK;
}
