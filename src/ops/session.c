/* Sign-in, lock-out and sessions. */
#include <string.h>

#include "core/time.h"
#include "core/utf8.h"
#include "ops/ops_in.h"

#define MOST_LOCKOUTS 100000 /* names in the table; the oldest go first */

/* ---- names ---- */

bool ops_name_valid(struct str name)
{
    size_t n = 0, at = 0;
    if (utf8_invalid(name) != STR_NPOS)
        return false;
    while (at < name.len && n <= 64) {
        uint32_t c = utf8_next(name, &at);
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        bool inside = n > 0 && (c == '.' || c == '-');
        if (!plain && !inside && !utf8_is_han(c))
            return false;
        n++;
    }
    return n >= 2 && n <= 64;
}

bool ops_login_parse(struct arena *arena, struct str login, struct str *name, struct str *tenant)
{
    if (login.len > 512)
        return false;
    struct str low = str_lower_ascii(arena, str_trim_space(login));
    size_t at = low.ptr ? str_find_char(low, '@') : STR_NPOS;
    *name = str_slice(low, 0, at == STR_NPOS ? low.len : at);
    *tenant = at == STR_NPOS ? STR(OPS_HOME) : str_from(low, at + 1);
    return low.ptr && ops_name_valid(*name) && ops_name_valid(*tenant);
}

void ops_login_key(struct str name, struct str tenant, char out[HASH_TEXT])
{
    uint8_t digest[HASH_BYTES];
    struct hash *hash = hash_new(HASH_SHA256);
    if (!hash) { /* start-up has checked that the library gives it */
        memset(out, '0', HASH_TEXT - 1);
        out[HASH_TEXT - 1] = '\0';
        return;
    }
    hash_add(hash, name.ptr, name.len);
    hash_add(hash, "@", 1);
    hash_add(hash, tenant.ptr, tenant.len);
    hash_end(hash, digest);
    hash_free(hash);
    hex_put(digest, sizeof digest, out);
}

/* ---- lock-out ---- */

/* first * 2^locks, at most the longest. */
static int64_t lock_for(const struct ops *ops, int64_t locks)
{
    int64_t ms = ops->lockout_ms;
    while (locks-- > 0 && ms < ops->lockout_most_ms)
        ms *= 2;
    return ms < ops->lockout_most_ms ? ms : ops->lockout_most_ms;
}

static enum err prune_lockouts(struct store_tx *tx, int64_t now, struct why *why)
{
    return store_exec(tx,
                      "DELETE FROM ops_lockouts WHERE until_ms < ? AND (seen_ms < ? OR login_key IN"
                      " (SELECT login_key FROM ops_lockouts ORDER BY seen_ms DESC LIMIT "
                      "9223372036854775807 OFFSET"
                      " ?))",
                      STORE_ARGS(SV_INT(now), SV_INT(now - 86400000), SV_INT(MOST_LOCKOUTS)), NULL,
                      why);
}

struct attempt {
    struct ops *ops;
    struct arena *arena;
    char key[HASH_TEXT];
    struct str address, trace;
    struct str user; /* empty: no such name */
    struct str hash;
    int64_t now, retry_ms;
};

/*
 * Counts the attempt before the password is looked at, so that a hundred attempts at one moment do
 * not all see the same count. The one that reaches the limit sets the lock and is still looked at:
 * when it is right, the lock goes again. Real and invented names take the same way.
 */
static enum err count_attempt(struct attempt *a, struct store_tx *tx, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(tx,
                    "INSERT INTO ops_lockouts (login_key, failures, locks, until_ms, seen_ms)"
                    " VALUES (?, 1, 0, 0, ?) ON CONFLICT (login_key) DO UPDATE SET"
                    " failures = ops_lockouts.failures + 1, seen_ms = excluded.seen_ms"
                    " RETURNING failures, locks, until_ms",
                    STORE_ARGS(SV_C(a->key), SV_INT(a->now)), a->arena, &rows, why);
    if (err)
        return err;
    int64_t failures = store_int(&rows, 0, 0), locks = store_int(&rows, 0, 1);
    int64_t until = store_int(&rows, 0, 2);
    if (until > a->now) {
        a->retry_ms = until - a->now;
        err_hint(why, "wait %lld s, or ask the system administrator to unlock the account",
                 (long long)(until - a->now + 999) / 1000);
        return err_set(why, ERR_RATE_LIMITED,
                       "sign-in with this name is locked after too many failures");
    }
    if (failures < a->ops->lockout_failures)
        return ERR_OK;
    return store_exec(tx,
                      "UPDATE ops_lockouts SET failures = 0, locks = locks + 1, until_ms = ?"
                      " WHERE login_key = ?",
                      STORE_ARGS(SV_INT(a->now + lock_for(a->ops, locks)), SV_C(a->key)), NULL,
                      why);
}

static enum err begin_attempt(struct attempt *a, struct str name, struct str tenant,
                              struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows;
    enum err err = store_begin(a->ops->store, STORE_WRITE, &tx, why);
    if (!err)
        err = count_attempt(a, tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT u.id, u.password FROM ops_users u JOIN ops_tenants t"
                          " ON t.id = u.tenant_id WHERE u.name = ? AND t.name = ?",
                          STORE_ARGS(SV_STR(name), SV_STR(tenant)), a->arena, &rows, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    a->user = store_str(&rows, 0, 0);
    a->hash = store_str(&rows, 0, 1);
    return store_commit(tx, why);
}

/* ---- sessions ---- */

static void token_id(struct str token, char out[HASH_TEXT])
{
    uint8_t digest[HASH_BYTES];
    hash_of(HASH_SHA256, token, digest);
    hex_put(digest, sizeof digest, out);
}

static void token_csrf(struct str token, char out[HASH_TEXT])
{
    uint8_t digest[HASH_BYTES];
    hash_hmac_sha256(token, STR("yicheng csrf"), digest);
    hex_put(digest, sizeof digest, out);
}

enum err ops_session_make(struct ops *ops, struct store_tx *tx, const struct ops_account *account,
                          struct str address, struct ops_session *out, struct why *why)
{
    char id[HASH_TEXT];
    int64_t now = time_now_ms();
    secret_token(out->token);
    token_id(str_c(out->token), id);
    token_csrf(str_c(out->token), out->csrf);
    out->who = account->who;
    out->must_change = account->must_change;
    out->expires_ms = now + ops->session_life_ms;
    enum err err =
        store_exec(tx, "DELETE FROM ops_sessions WHERE expires_ms < ? OR seen_ms < ?",
                   STORE_ARGS(SV_INT(now), SV_INT(now - ops->session_idle_ms)), NULL, why);
    if (!err)
        err = store_exec(tx,
                         "INSERT INTO ops_sessions (id, user_id, created_ms, seen_ms, expires_ms,"
                         " address) VALUES (?, ?, ?, ?, ?, ?)",
                         STORE_ARGS(SV_C(id), SV_STR(account->who.id), SV_INT(now), SV_INT(now),
                                    SV_INT(out->expires_ms), SV_STR(address)),
                         NULL, why);
    if (!err)
        err = store_exec(tx, "UPDATE ops_users SET seen_ms = ? WHERE id = ?",
                         STORE_ARGS(SV_INT(now), SV_STR(account->who.id)), NULL, why);
    return err;
}

static enum err end_token(struct store_tx *tx, struct str token, struct why *why)
{
    char id[HASH_TEXT];
    if (token.len == 0)
        return ERR_OK;
    token_id(token, id);
    return store_exec(tx, "DELETE FROM ops_sessions WHERE id = ?", STORE_ARGS(SV_C(id)), NULL, why);
}

static enum err signed_in(struct attempt *a, struct store_tx *tx, struct ops_account *account,
                          struct str old_token, struct ops_session *out, struct why *why)
{
    account->who.address = a->address;
    account->who.trace = a->trace;
    enum err err = store_exec(tx, "DELETE FROM ops_lockouts WHERE login_key = ?",
                              STORE_ARGS(SV_C(a->key)), NULL, why);
    if (!err)
        err = prune_lockouts(tx, a->now, why);
    if (!err)
        err = end_token(tx, old_token, why);
    if (!err)
        err = ops_session_make(a->ops, tx, account, a->address, out, why);
    return err ? err : ops_audit(tx, &account->who, "ops.session.create", "", "ok", STR_NONE, why);
}

/* One transaction for either end: it writes the outcome into the ledger. */
static enum err end_attempt(struct attempt *a, bool right, struct str old_token,
                            struct ops_session *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct ops_account account;
    bool good = right;
    enum err err = store_begin(a->ops->store, STORE_WRITE, &tx, why);
    if (!err && right) {
        err = ops_account_of(a->ops, tx, a->user, a->arena, &account, why);
        good = !err && !account.disabled;
    }
    if (!err && good) {
        err = signed_in(a, tx, &account, old_token, out, why);
    } else if (!err) {
        struct ops_identity who = ops_public(OPS_HOME);
        who.address = a->address;
        who.trace = a->trace;
        /* A name that does not exist is not written down: it may be a password in the wrong box. */
        err = ops_audit(tx, &who, "ops.session.create", str_z(a->arena, a->user),
                        err_code(ERR_UNAUTHENTICATED),
                        right ? STR("{\"reason\":\"disabled\"}") : STR_NONE, why);
        /* A flood of invented names brings no success that would prune. */
        if (!err && limiter_take(a->ops->limiter, "prune", STR("all"), 1, 1, 1, a->now) == 0)
            err = prune_lockouts(tx, a->now, why);
    }
    if (err) {
        store_rollback(tx);
        return err;
    }
    err = store_commit(tx, why);
    if (!err && !good)
        err = err_set(why, ERR_UNAUTHENTICATED, "the name or the password is not right");
    return err;
}

enum err ops_sign_in(struct ops *ops, struct str name, struct str password, struct str address,
                     struct str trace, struct str old_token, struct arena *arena,
                     struct ops_session *out, struct why *why)
{
    struct attempt a = {
        .ops = ops, .arena = arena, .address = address, .trace = trace, .now = time_now_ms()};
    struct str user, tenant;
    bool right;
    int64_t most = ops->signin_per_minute;
    int64_t wait = limiter_take(ops->limiter, "sign-in", address, most, most, 0, a.now);
    *out = (struct ops_session){.retry_ms = wait};
    if (wait > 0) {
        err_hint(why, "try again in %lld s", (long long)(wait + 999) / 1000);
        return err_set(why, ERR_RATE_LIMITED, "too many failed sign-ins from this address");
    }
    if (!ops_login_parse(arena, name, &user, &tenant)) {
        user = STR("?"); /* not a name that can exist: one place for all of them */
        tenant = STR("?");
    }
    ops_login_key(user, tenant, a.key);
    enum err err = begin_attempt(&a, user, tenant, why);
    if (!err)
        err = ops_verify(ops, password, a.hash, &right, why);
    if (!err)
        err = end_attempt(&a, right, old_token, out, why);
    if (err == ERR_RATE_LIMITED)
        out->retry_ms = a.retry_ms;
    if (err == ERR_UNAUTHENTICATED || err == ERR_RATE_LIMITED)
        (void)limiter_take(ops->limiter, "sign-in", address, most, most, 1, a.now);
    return err;
}

static void touch(struct ops *ops, const char *id, int64_t seen, int64_t now)
{
    int64_t step = ops->session_idle_ms / 4 < 60000 ? ops->session_idle_ms / 4 : 60000;
    if (now - seen < step)
        return;
    /* Not worth failing a request for: the next one tries again. */
    enum err err = store_run(ops->store, "UPDATE ops_sessions SET seen_ms = ? WHERE id = ?",
                             STORE_ARGS(SV_INT(now), SV_C(id)), NULL, NULL);
    (void)err;
}

enum err ops_session_of(struct ops *ops, struct str token, struct arena *arena,
                        struct ops_session *out, struct why *why)
{
    char id[HASH_TEXT];
    struct store_tx *tx = NULL;
    struct store_rows rows;
    struct ops_account account;
    int64_t now = time_now_ms();
    if (token.len != SECRET_TOKEN_TEXT - 1)
        return err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    token_id(token, id);
    enum err err = store_begin(ops->store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT user_id, seen_ms, expires_ms FROM ops_sessions WHERE id = ?"
                          " AND expires_ms > ? AND seen_ms > ?",
                          STORE_ARGS(SV_C(id), SV_INT(now), SV_INT(now - ops->session_idle_ms)),
                          arena, &rows, why);
    if (!err && rows.n_rows == 0)
        err = err_set(why, ERR_UNAUTHENTICATED, "the session has ended: sign in again");
    if (!err)
        err = ops_account_of(ops, tx, store_str(&rows, 0, 0), arena, &account, why);
    store_rollback(tx);
    if (!err && account.disabled)
        err = err_set(why, ERR_UNAUTHENTICATED, "the session has ended: sign in again");
    if (err)
        return err;
    touch(ops, id, store_int(&rows, 0, 1), now);
    memcpy(out->token, token.ptr, token.len);
    out->token[token.len] = '\0';
    token_csrf(token, out->csrf);
    out->who = account.who;
    out->must_change = account.must_change;
    out->expires_ms = store_int(&rows, 0, 2);
    return ERR_OK;
}

enum err ops_sign_out(struct ops *ops, const struct ops_session *session, struct why *why)
{
    struct ops_act act;
    enum err err = ops_act_begin(&act, ops, &session->who, "ops.session.delete", why);
    if (!err)
        err = end_token(act.tx, str_c(session->token), why);
    return ops_act_end(&act, err, "", STR_NONE, why);
}
