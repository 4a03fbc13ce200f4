/* The room: keys of tenants under the master key, rotation, and revealing with papers. */
#include "privacy/privacy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"
#include "ledger/ledger.h"
#include "privacy/privacy_in.h"
#include "privacy/vault.h"

#define MEMORY       ((size_t)4 << 20)
#define MOST_NUMBER  999999999
#define LEAST_REASON 4   /* characters */
#define MOST_REASON  200 /* characters */
#define MOST_TEXT    ((size_t)1 << 20)

/*
 * A row a generation. `sealed` is the secret under the master key, bound to tenant and number;
 * empty once the generation is destroyed.
 */
const struct store_migration privacy_migrations[] = {
    {"privacy", 1,
     "CREATE TABLE privacy_keys (tenant TEXT NOT NULL, number INTEGER NOT NULL,\n"
     "  sealed BLOB NOT NULL, created_ms INTEGER NOT NULL, created_by TEXT NOT NULL,\n"
     "  destroyed_ms INTEGER NOT NULL, PRIMARY KEY (tenant, number))",
     NULL},
};
const size_t privacy_n_migrations = sizeof privacy_migrations / sizeof privacy_migrations[0];

enum err privacy_open(const struct privacy_opts *opts, struct privacy **out, struct why *why)
{
    struct privacy *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(why, ERR_NO_MEMORY, "could not hold the room of personal data");
    p->store = opts->store;
    p->ops = opts->ops;
    (void)pthread_mutex_init(&p->lock, NULL);
    int n = snprintf(p->path, sizeof p->path, "%s/privacy.key", opts->data_dir);
    if (n < 0 || (size_t)n >= sizeof p->path) {
        privacy_close(p);
        return err_set(why, ERR_INVALID, "the path of the data directory is too long");
    }
    *out = p;
    return ERR_OK;
}

void privacy_close(struct privacy *p)
{
    if (!p)
        return;
    privacy_scanner_free(p->scanner);
    free(p->table);
    (void)pthread_mutex_destroy(&p->lock);
    secret_wipe(&p->master, sizeof p->master);
    free(p);
}

/* A key file that is made anew opens nothing of what is there: for keys that exist the old one has
 * to come back first. */
static enum err may_make(struct privacy *p, struct why *why)
{
    struct store_rows rows;
    struct arena *arena = arena_new(1u << 16);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the keys");
    enum err err = store_ask(p->store, "SELECT COUNT(*) FROM privacy_keys WHERE destroyed_ms = 0",
                             STORE_NO_ARGS, arena, &rows, why);
    if (!err && store_int(&rows, 0, 0) > 0) {
        err_hint(why, "bring it back with `yicheng keys load`, or from where it is kept");
        err = err_set(why, ERR_UNAVAILABLE, "the key file \"%s\" is missing", p->path);
    }
    arena_free(arena);
    return err;
}

/* Made with the first key of a tenant: a centre that masks nothing has no such file. */
static enum err master_key(struct privacy *p, struct why *why)
{
    enum err err = ERR_OK;
    (void)pthread_mutex_lock(&p->lock);
    if (!p->has_master && !file_exists(p->path))
        err = may_make(p, why);
    if (!err && !p->has_master)
        err = secret_key_file(p->path, &p->master, why);
    p->has_master = p->has_master || !err;
    (void)pthread_mutex_unlock(&p->lock);
    return err;
}

/* ---- generations ---- */

static struct str about(struct arena *arena, struct str tenant, int64_t number)
{
    return str_printf(arena, "privacy:%.*s:%lld", STR_FMT(tenant), (long long)number);
}

static enum err newest(struct store_tx *tx, struct str tenant, struct arena *arena, int64_t *number,
                       struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT MAX(number) FROM privacy_keys WHERE tenant = ?",
                               STORE_ARGS(SV_STR(tenant)), arena, &rows, why);
    *number = err ? 0 : store_int(&rows, 0, 0);
    return err;
}

static enum err insert_key(struct privacy *p, struct store_tx *tx, struct str tenant,
                           int64_t number, struct str actor, struct arena *arena, struct why *why)
{
    unsigned char secret[PRIVACY_SECRET_BYTES];
    struct str sealed;
    if (number > MOST_NUMBER)
        return err_set(why, ERR_TOO_LARGE, "there are too many keys");
    random_bytes(secret, sizeof secret);
    enum err err = secret_seal(&p->master, (struct str){(char *)secret, sizeof secret},
                               about(arena, tenant, number), arena, &sealed, why);
    secret_wipe(secret, sizeof secret);
    if (err)
        return err;
    return store_exec(tx,
                      "INSERT INTO privacy_keys (tenant, number, sealed, created_ms, created_by,"
                      " destroyed_ms) VALUES (?, ?, ?, ?, ?, 0)",
                      STORE_ARGS(SV_STR(tenant), SV_INT(number), SV_BLOB(sealed),
                                 SV_INT(time_now_ms()), SV_STR(actor)),
                      NULL, why);
}

static enum err read_key(struct privacy *p, struct store_tx *tx, struct str tenant, int64_t number,
                         struct arena *arena, struct privacy_keys **out, struct why *why)
{
    struct store_rows rows;
    struct str secret;
    enum err err = store_query(
        tx, "SELECT sealed, destroyed_ms FROM privacy_keys WHERE tenant = ? AND number = ?",
        STORE_ARGS(SV_STR(tenant), SV_INT(number)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return err_set(why, ERR_NOT_FOUND, "there is no key number %lld", (long long)number);
    if (store_int(&rows, 0, 1))
        return err_set(why, ERR_NOT_FOUND, "key number %lld was destroyed", (long long)number);
    err = secret_open(&p->master, store_str(&rows, 0, 0), about(arena, tenant, number), arena,
                      &secret, why);
    if (!err && secret.len != PRIVACY_SECRET_BYTES)
        err = err_set(why, ERR_CORRUPT, "key number %lld is damaged", (long long)number);
    if (err)
        return err;
    err = privacy_keys_make((const uint8_t *)secret.ptr, number, out, why);
    secret_wipe((char *)secret.ptr, secret.len);
    return err;
}

/* The first generation is made by whoever needs it first; its making is in the ledger too. */
static enum err first_key(struct privacy *p, struct str tenant, struct arena *arena,
                          int64_t *number, struct why *why)
{
    struct store_tx *tx = NULL;
    struct ops_identity system = ops_system();
    enum err err = store_begin(p->store, STORE_WRITE, &tx, why);
    if (!err)
        err = newest(tx, tenant, arena, number, why);
    if (!err && *number == 0) {
        system.tenant = tenant;
        err = insert_key(p, tx, tenant, 1, STR("system"), arena, why);
        if (!err)
            err = ops_audit(tx, &system, "privacy.key.create", "1", "ok", STR(""), why);
        *number = 1;
    }
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

enum err privacy_keys_of(struct privacy *p, struct str tenant, int64_t number,
                         struct privacy_keys **out, struct why *why)
{
    struct arena *arena = arena_new(MEMORY);
    struct store_tx *tx = NULL;
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the keys");
    enum err err =
        tenant.len ? master_key(p, why) : err_set(why, ERR_INVALID, "keys belong to a tenant");
    if (!err)
        err = store_begin(p->store, STORE_READ, &tx, why);
    if (!err && number == 0)
        err = newest(tx, tenant, arena, &number, why);
    if (!err && number == 0) {
        store_rollback(tx);
        tx = NULL;
        err = first_key(p, tenant, arena, &number, why);
        if (!err)
            err = store_begin(p->store, STORE_READ, &tx, why);
    }
    if (!err)
        err = read_key(p, tx, tenant, number, arena, out, why);
    store_rollback(tx);
    arena_free(arena);
    return err;
}

/* ---- acts ---- */

struct act {
    struct privacy *p;
    const struct ops_identity *who;
    const char *action;
    struct arena *arena;
    struct store_tx *tx;
};

static enum err act_begin(struct act *act, const char *permission, struct why *why)
{
    enum err err = ops_need(act->who, permission, why);
    if (!err)
        err = master_key(act->p, why);
    if (!err)
        err = store_begin(act->p->store, STORE_WRITE, &act->tx, why);
    return err;
}

static enum err act_end(struct act *act, enum err err, const char *object, struct str detail,
                        struct why *why)
{
    if (!err)
        err = ops_audit(act->tx, act->who, act->action, object, "ok", detail, why);
    if (!err)
        err = store_commit(act->tx, why);
    else
        store_rollback(act->tx);
    if (err == ERR_FORBIDDEN)
        ops_audit_refusal(act->p->ops, act->who, act->action, object, err);
    return err;
}

enum err privacy_rotate(struct privacy *p, const struct ops_identity *who, int64_t *number,
                        struct why *why)
{
    struct act act = {p, who, "privacy.key.rotate", arena_new(MEMORY), NULL};
    char object[24] = "";
    int64_t last = 0;
    if (!act.arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin");
    enum err err = act_begin(&act, "privacy.manage", why);
    if (!err)
        err = newest(act.tx, who->tenant, act.arena, &last, why);
    if (!err)
        err =
            insert_key(p, act.tx, who->tenant, last + 1, ops_actor(who, act.arena), act.arena, why);
    (void)snprintf(object, sizeof object, "%lld", (long long)last + 1);
    err = act_end(&act, err, object, STR(""), why);
    if (!err)
        *number = last + 1;
    arena_free(act.arena);
    return err;
}

static enum err check_reason(struct str reason, struct why *why)
{
    size_t n = utf8_invalid(reason) == STR_NPOS ? utf8_count(str_trim_space(reason)) : 0;
    if (n >= LEAST_REASON && n <= MOST_REASON)
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"reason\" says in %d to %d characters what it is for",
                   LEAST_REASON, MOST_REASON);
}

static struct str reason_json(struct str reason, struct arena *arena)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "reason", str_trim_space(reason));
    json_end_object(&out);
    return buf_str(&buf);
}

enum err privacy_destroy(struct privacy *p, const struct ops_identity *who, int64_t number,
                         struct str reason, struct why *why)
{
    struct act act = {p, who, "privacy.key.destroy", arena_new(MEMORY), NULL};
    char object[24];
    int64_t last = 0, changed = 0;
    if (!act.arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin");
    (void)snprintf(object, sizeof object, "%lld", (long long)number);
    enum err err = act_begin(&act, "privacy.manage", why);
    if (!err)
        err = check_reason(reason, why);
    if (!err)
        err = newest(act.tx, who->tenant, act.arena, &last, why);
    if (!err && number == last && number > 0) {
        err_hint(why, "rotate first: a new key takes its place");
        err = err_set(why, ERR_CONFLICT, "the newest key cannot be destroyed");
    }
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE privacy_keys SET sealed = ?, destroyed_ms = ? WHERE tenant = ?"
                         " AND number = ? AND destroyed_ms = 0",
                         STORE_ARGS(SV_BLOB(STR("")), SV_INT(time_now_ms()), SV_STR(who->tenant),
                                    SV_INT(number)),
                         &changed, why);
    if (!err && changed == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no key number %lld", (long long)number);
    err = act_end(&act, err, object, reason_json(reason, act.arena), why);
    arena_free(act.arena);
    return err;
}

enum err privacy_keys_json(struct privacy *p, const struct ops_identity *who, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows rows = {0};
    enum err err = ops_need(who, "privacy.manage", why);
    if (!err)
        err = store_begin(p->store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT number, created_ms, created_by, destroyed_ms FROM privacy_keys"
                          " WHERE tenant = ? ORDER BY number DESC",
                          STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    store_rollback(tx);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        struct str by = store_str(&rows, i, 2), name = ops_actor_name(p->ops, by, arena);
        json_begin_object(out);
        json_kv_int(out, "number", store_int(&rows, i, 0));
        json_kv_c(out, "state", store_int(&rows, i, 3) ? "destroyed" : i == 0 ? "newest" : "older");
        json_kv_time(out, "created_at", store_int(&rows, i, 1));
        json_kv_str(out, "created_by", name.len ? name : by);
        json_kv_time(out, "destroyed_at", store_int(&rows, i, 3));
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

/* ---- revealing ---- */

struct reveal {
    struct privacy *p;
    const struct ops_identity *who;
    struct str text;
    struct arena *arena;
    struct privacy_keys *keys[16]; /* generations seen so far */
    size_t n_keys;
    struct buf out, list; /* the text; the digests of its tokens, as items of a JSON array */
    size_t n;
};

static enum err keys_for(struct reveal *r, int64_t number, struct privacy_keys **out,
                         struct why *why)
{
    for (size_t i = 0; i < r->n_keys; i++)
        if (r->keys[i]->number == number) {
            *out = r->keys[i];
            return ERR_OK;
        }
    if (r->n_keys == sizeof r->keys / sizeof r->keys[0])
        return err_set(why, ERR_TOO_LARGE, "the tokens are of more than %zu keys", r->n_keys);
    enum err err = privacy_keys_of(r->p, r->who->tenant, number, &r->keys[r->n_keys], why);
    if (!err)
        *out = r->keys[r->n_keys++];
    return err;
}

static enum err reveal_one(struct reveal *r, struct str written, const struct vault_token *token,
                           struct why *why)
{
    struct privacy_keys *keys = NULL;
    struct str value;
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    if (++r->n > PRIVACY_MOST_REVEAL)
        return err_set(why, ERR_TOO_LARGE, "more than %d tokens at once", PRIVACY_MOST_REVEAL);
    hash_of(HASH_SHA256, written, digest);
    buf_printf(&r->list, "%s\"%s\"", r->n > 1 ? "," : "", hex_put(digest, HASH_BYTES, hex));
    enum err err = keys_for(r, token->number, &keys, why);
    if (!err)
        err = vault_open(keys, token, r->arena, &value, why);
    if (err == ERR_CORRUPT && why)
        *why = (struct why){0};
    if (err == ERR_CORRUPT)
        err = err_set(why, ERR_NOT_FOUND,
                      "token number %zu was changed, or belongs to somebody else", r->n);
    if (!err)
        buf_add(&r->out, value);
    return err;
}

static enum err reveal_all(struct reveal *r, struct why *why)
{
    size_t from = 0;
    enum err err = ERR_OK;
    for (size_t at = 0; !err && (at = vault_next(r->text, at)) != STR_NPOS;) {
        struct vault_token token;
        enum err read = vault_read(r->text, at, r->arena, &token);
        if (read == ERR_NOT_FOUND) {
            at++;
            continue;
        }
        if (read)
            return err_set(why, read, "could not hold the tokens");
        buf_add(&r->out, str_slice(r->text, from, at));
        err = reveal_one(r, str_slice(r->text, at, token.end), &token, why);
        from = at = token.end;
    }
    buf_add(&r->out, str_from(r->text, from));
    if (!err && r->n == 0)
        err = err_set(why, ERR_INVALID, "there is no token of the vault in the text");
    return err ? err : buf_err(&r->out, why);
}

/* What was asked for stands in the ledger whether it was given or not. */
static enum err write_papers(struct reveal *r, struct str reason, enum err result, struct why *why)
{
    struct buf buf;
    struct json_out out;
    struct store_tx *tx = NULL;
    char object[24];
    buf_init(&buf, r->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "reason", str_trim_space(reason));
    json_kv_int(&out, "n", (int64_t)r->n);
    json_key(&out, "tokens_sha256");
    buf_char(&buf, '[');
    buf_add(&buf, buf_str(&r->list));
    buf_char(&buf, ']');
    buf_char(&buf, '}');
    (void)snprintf(object, sizeof object, "%zu", r->n);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = store_begin(r->p->store, STORE_WRITE, &tx, why);
    if (!err)
        err = ops_audit(tx, r->who, "privacy.token.reveal", object,
                        result ? err_code(result) : "ok", buf_str(&buf), why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

enum err privacy_reveal(struct privacy *p, const struct ops_identity *who, struct str text,
                        struct str reason, struct arena *arena, struct str *out, size_t *n,
                        struct why *why)
{
    struct reveal r = {.p = p, .who = who, .text = text, .arena = arena};
    enum err err = ops_need(who, "privacy.reveal", why);
    if (err) {
        ops_audit_refusal(p->ops, who, "privacy.token.reveal", "", err);
        return err;
    }
    if (text.len > MOST_TEXT)
        return err_set(why, ERR_TOO_LARGE, "the text is longer than %zu bytes", MOST_TEXT);
    err = check_reason(reason, why);
    if (err)
        return err;
    buf_init(&r.out, arena);
    buf_init(&r.list, arena);
    err = reveal_all(&r, why);
    enum err told = err == ERR_INVALID || err == ERR_NO_MEMORY || err == ERR_TOO_LARGE
                        ? ERR_OK
                        : write_papers(&r, reason, err, why);
    for (size_t i = 0; i < r.n_keys; i++)
        privacy_keys_free(r.keys[i]);
    if (!err)
        err = told;
    if (err && r.out.ptr)
        secret_wipe(r.out.ptr, r.out.len);
    if (err)
        return err;
    *out = buf_str(&r.out);
    *n = r.n;
    return ERR_OK;
}
