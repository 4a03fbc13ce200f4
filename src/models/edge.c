/*
 * Edges: engines on other machines that register themselves with a token. The token is made here,
 * shown once and kept as its SHA-256; the engine's own key, which it hands over when it registers,
 * is sealed as the key of an endpoint is.
 */
#include <string.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/time.h"
#include "core/utf8.h"
#include "models/models_in.h"

static const struct field fields[] = {
    {"weight", FIELD_INT, 1, 1000, NULL, "100", "Weight among the places that serve the version",
     false},
    {"disabled", FIELD_BOOL, 0, 0, NULL, "false", "Takes no calls, and its token opens nothing",
     false},
    {"model", FIELD_SECRET, 1, 2 * MODELS_MOST_NAME + 1, NULL, NULL,
     "The model or model:version it serves; made when it is not there", true},
    {"card", FIELD_JSON, 0, 16384, NULL, "{}", "The card of a model that is new", true},
};
enum { WEIGHT, DISABLED, MODEL, CARD };
#define N_FIELDS  (sizeof fields / sizeof fields[0])
#define N_COLUMNS ((size_t)MODEL)
#define SELECT                                                                                     \
    "SELECT e.id, e.name, e.weight, e.disabled, e.token_hint, e.base_url, e.upstream_model, "      \
    "e.context,"                                                                                   \
    " e.slots, e.info, e.state, e.registered_ms, e.seen_ms, e.address, e.created_ms,"              \
    " e.changed_ms, e.revision, c.name, v.label"                                                   \
    " FROM models_edges e JOIN models_versions v ON v.id = e.version"                              \
    " JOIN models_cards c ON c.id = v.card"

static enum err put(struct models *models, struct store_tx *tx, const struct models_ask *ask,
                    const struct store_rows *r, size_t i, struct str token, struct why *why)
{
    struct json_out *out = ask->out;
    (void)models, (void)tx, (void)why;
    json_begin_object(out);
    json_kv_str(out, "id", store_str(r, i, 0));
    json_kv_str(out, "name", store_str(r, i, 1));
    json_kv_str(out, "model", store_str(r, i, 17));
    json_kv_str(out, "version", store_str(r, i, 18));
    json_kv_int(out, "weight", store_int(r, i, 2));
    json_kv_bool(out, "disabled", store_int(r, i, 3) != 0);
    json_kv_str(out, "token_hint", store_str(r, i, 4));
    if (token.len)
        json_kv_str(out, "token", token);
    json_kv_str(out, "base_url", store_str(r, i, 5));
    json_kv_str(out, "upstream_model", store_str(r, i, 6));
    json_kv_int(out, "context", store_int(r, i, 7));
    json_kv_int(out, "slots", store_int(r, i, 8));
    models_put_stored(out, "info", store_str(r, i, 9), "{}");
    json_kv_str(out, "state", store_str(r, i, 10));
    json_kv_time(out, "registered_at", store_int(r, i, 11));
    json_kv_time(out, "seen_at", store_int(r, i, 12));
    json_kv_str(out, "address", store_str(r, i, 13));
    json_kv_time(out, "created_at", store_int(r, i, 14));
    json_kv_time(out, "changed_at", store_int(r, i, 15));
    json_kv_int(out, "revision", store_int(r, i, 16));
    json_end_object(out);
    return ERR_OK;
}

static const struct row_kind kind = {
    "edge", "models_edges", fields, N_COLUMNS, N_FIELDS, SELECT, "e", 16, put};

static void digest_of(struct str token, char out[HASH_TEXT])
{
    uint8_t digest[HASH_BYTES];
    hash_of(HASH_SHA256, token, digest);
    hex_put(digest, sizeof digest, out);
}

static enum err make(struct models *models, const struct models_ask *ask, const struct json *body,
                     struct why *why)
{
    struct act act;
    struct field_value v[N_FIELDS] = {0};
    char secret[SECRET_TOKEN_TEXT], digest[HASH_TEXT];
    struct str id, name, version;
    struct str token = str_printf(ask->arena, "ye_%s", secret_token(secret));
    const struct json *card = NULL;
    int64_t now = time_now_ms();
    digest_of(token, digest);
    enum err err = models_row_new(&act, models, &kind, ask, body, v, &id, &name, why);
    if (!err && (!token.ptr || !id.ptr))
        err = err_set(why, ERR_NO_MEMORY, "could not make a token");
    if (!err)
        err = json_parse(v[CARD].s, ask->arena, &card, why);
    if (!err)
        err = version_take(&act, v[MODEL].s, card, &version, why);
    if (!err)
        err = store_exec(
            act.tx,
            "INSERT INTO models_edges (id, name, version, token_sha256, token_hint,"
            " weight, base_url, key_sealed, upstream_model, context, slots, info,"
            " state, disabled, registered_ms, seen_ms, address, created_ms,"
            " changed_ms, revision) VALUES (?, ?, ?, ?, ?, ?, '', NULL, '', 0, 0, '',"
            " 'new', ?, 0, 0, '', ?, ?, 1)",
            STORE_ARGS(
                SV_STR(id), SV_STR(name), SV_STR(version), SV_C(digest),
                SV_STR(str_printf(ask->arena, "****%.*s", STR_FMT(str_from(token, token.len - 4)))),
                SV_INT(v[WEIGHT].i), SV_INT(v[DISABLED].i), SV_INT(now), SV_INT(now)),
            NULL, why);
    if (!err)
        err = models_row_answer(&act, &kind, id, token, why);
    return models_act_end(&act, err, id, models_act_detail(ask->arena, "name", name, ACT_END), why);
}

static enum err change(struct models *models, const struct models_ask *ask, struct str name,
                       const struct json *body, struct why *why)
{
    struct act act;
    struct field_value v[N_FIELDS] = {0};
    struct str id;
    enum err err = models_row_begin(&act, models, &kind, ask, "change", name, &id, why);
    if (!err)
        err = models_row_load(act.tx, &kind, id, ask->arena, v, why);
    if (!err)
        err = models_fields_read(body, fields, N_FIELDS, false, ask->arena, v, why);
    if (!err)
        err = models_row_save(act.tx, &kind, id, ask->arena, v, why);
    return models_row_end(&act, &kind, err, id, name, why);
}

static enum err remove_edge(struct models *models, const struct models_ask *ask, struct str name,
                            struct why *why)
{
    return models_row_remove(models, &kind, ask, name, why);
}

const struct noun noun_edge = {
    .word = "edge",
    .row = &kind,
    .make = make,
    .change = change,
    .remove = remove_edge,
    .fields = fields,
    .n_fields = N_FIELDS,
};

/* ---- the engine's side ---- */

/* Who shows the token; ERR_UNAUTHENTICATED with the same words for every wrong one. */
static enum err by_token(struct store_tx *tx, struct str token, struct arena *arena, struct str *id,
                         struct str *name, struct why *why)
{
    struct store_rows r;
    char digest[HASH_TEXT];
    digest_of(token, digest);
    enum err err = store_query(tx,
                               "SELECT id, name FROM models_edges WHERE token_sha256 = ?"
                               " AND disabled = 0",
                               STORE_ARGS(SV_C(digest)), arena, &r, why);
    if (!err && (!token.len || r.n_rows == 0))
        err = err_set(why, ERR_UNAUTHENTICATED, "this token opens nothing here");
    if (!err) {
        *id = store_str(&r, 0, 0);
        *name = store_str(&r, 0, 1);
    }
    return err;
}

static const struct field said_fields[] = {
    {"base_url", FIELD_TEXT, 8, 500, NULL, NULL, "Address that the centre reaches the engine at",
     false},
    {"model", FIELD_TEXT, 0, 200, NULL, "", "What the model is called there", false},
    {"token", FIELD_SECRET, 0, 4096, NULL, "", "What the centre sends as bearer", false},
    {"context", FIELD_INT, 0, 100000000, NULL, "0", "Tokens of a slot", false},
    {"slots", FIELD_INT, 0, 10000, NULL, "1", "Calls answered at once", false},
    {"threads", FIELD_INT, 0, 10000, NULL, "0", "Threads", false},
    {"embedding", FIELD_BOOL, 0, 0, NULL, "false", "Whether it gives vectors", false},
    {"rerank", FIELD_BOOL, 0, 0, NULL, "false", "Whether it ranks", false},
    {"version", FIELD_TEXT, 0, 100, NULL, "", "Version of the program", false},
};
enum { S_URL, S_MODEL, S_TOKEN, S_CONTEXT, S_SLOTS, S_THREADS, S_EMBEDDING, S_RERANK, S_VERSION };
#define N_SAID (sizeof said_fields / sizeof said_fields[0])

/* An edge may be newer than the centre: what it says beyond the table is left out. */
static enum err read_said(const struct json *body, struct arena *arena, struct field_value *v,
                          struct why *why)
{
    struct buf buf;
    struct json_out out;
    const struct json *known = NULL;
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body must be a JSON object");
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    for (size_t i = 0; i < N_SAID; i++)
        if (json_get(body, said_fields[i].name)) {
            json_key(&out, said_fields[i].name);
            json_put_value(&out, json_get(body, said_fields[i].name));
        }
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), arena, &known, why);
    return err ? err : models_fields_read(known, said_fields, N_SAID, true, arena, v, why);
}

static struct str info_of(const struct field_value *v, struct arena *arena)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_int(&out, "threads", v[S_THREADS].i);
    json_kv_bool(&out, "embedding", v[S_EMBEDDING].i != 0);
    json_kv_bool(&out, "rerank", v[S_RERANK].i != 0);
    json_kv_str(&out, "program", v[S_VERSION].s);
    json_end_object(&out);
    return buf_str(&buf);
}

static enum err record(struct models *models, struct store_tx *tx, const struct models_ask *ask,
                       struct str id, struct str name, const char *action, struct why *why)
{
    char *object = str_z(ask->arena, id);
    (void)models;
    if (!object)
        return err_set(why, ERR_NO_MEMORY, "could not record the edge");
    return ops_audit(tx, ask->who, action, object, "ok",
                     models_act_detail(ask->arena, "name", name, ACT_END), why);
}

static void put_welcome(struct models *models, const struct models_ask *ask, struct str id,
                        struct str name)
{
    if (!ask->out)
        return;
    json_begin_object(ask->out);
    json_kv_str(ask->out, "id", id);
    json_kv_str(ask->out, "name", name);
    json_kv_real(ask->out, "heartbeat_s",
                 (double)conf_int(models->conf, "models.edge_heartbeat") / 1000.0);
    json_end_object(ask->out);
}

enum err edge_register(struct models *models, const struct models_ask *ask, struct str token,
                       const struct json *body, struct why *why)
{
    struct store_tx *tx = NULL;
    struct field_value v[N_SAID] = {0};
    struct str id = STR(""), name = STR(""), sealed = STR("");
    int64_t now = time_now_ms();
    enum err err = store_begin(models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = by_token(tx, token, ask->arena, &id, &name, why);
    if (!err)
        err = read_said(body, ask->arena, v, why);
    if (!err)
        err = models_base_url_check(&v[S_URL].s, why);
    struct str about = str_printf(ask->arena, "edge:%.*s", STR_FMT(id));
    if (!err && v[S_TOKEN].s.len)
        err = secret_seal(&models->key, v[S_TOKEN].s, about, ask->arena, &sealed, why);
    if (!err)
        err =
            store_exec(tx,
                       "UPDATE models_edges SET state = 'active', base_url = ?, key_sealed = ?,"
                       " upstream_model = ?, context = ?, slots = ?, info = ?, registered_ms = ?,"
                       " seen_ms = ?, address = ? WHERE id = ?",
                       STORE_ARGS(SV_STR(v[S_URL].s), sealed.len ? SV_BLOB(sealed) : SV_NULL,
                                  SV_STR(v[S_MODEL].s), SV_INT(v[S_CONTEXT].i),
                                  SV_INT(v[S_SLOTS].i), SV_STR(info_of(v, ask->arena)), SV_INT(now),
                                  SV_INT(now), SV_STR(ask->who->address), SV_STR(id)),
                       NULL, why);
    if (!err)
        err = record(models, tx, ask, id, name, "models.edge.register", why);
    err = models_commit(models, tx, err, true, why);
    if (!err)
        put_welcome(models, ask, id, name);
    return err;
}

/* Says that it is there; one that was given up is back with that. */
enum err edge_heartbeat(struct models *models, const struct models_ask *ask, struct str token,
                        struct why *why)
{
    struct store_tx *tx = NULL;
    struct str id = STR(""), name = STR("");
    int64_t back = 0;
    enum err err = store_begin(models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = by_token(tx, token, ask->arena, &id, &name, why);
    if (!err)
        err = store_exec(tx,
                         "UPDATE models_edges SET state = 'active' WHERE id = ? AND state = 'lost'",
                         STORE_ARGS(SV_STR(id)), &back, why);
    int64_t known = 0;
    if (!err)
        err =
            store_exec(tx, "UPDATE models_edges SET seen_ms = ? WHERE id = ? AND state = 'active'",
                       STORE_ARGS(SV_INT(time_now_ms()), SV_STR(id)), &known, why);
    if (!err && known == 0)
        err = err_set(why, ERR_CONFLICT, "register first");
    err = models_commit(models, tx, err, back > 0, why);
    if (!err)
        put_welcome(models, ask, id, name);
    return err;
}

enum err edge_leave(struct models *models, const struct models_ask *ask, struct str token,
                    struct why *why)
{
    struct store_tx *tx = NULL;
    struct str id = STR(""), name = STR("");
    enum err err = store_begin(models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = by_token(tx, token, ask->arena, &id, &name, why);
    if (!err)
        err = store_exec(tx, "UPDATE models_edges SET state = 'left' WHERE id = ?",
                         STORE_ARGS(SV_STR(id)), NULL, why);
    if (!err)
        err = record(models, tx, ask, id, name, "models.edge.leave", why);
    err = models_commit(models, tx, err, true, why);
    if (!err)
        put_welcome(models, ask, id, name);
    return err;
}

enum err edges_sweep(struct models *models, struct why *why)
{
    struct store_tx *tx = NULL;
    int64_t lost = 0, late = time_now_ms() - 3 * conf_int(models->conf, "models.edge_heartbeat");
    struct store_rows r;
    struct arena *arena = arena_new(64u << 10);
    enum err err = arena ? store_ask(models->store,
                                     "SELECT COUNT(*) FROM models_edges WHERE state = 'active'"
                                     " AND seen_ms < ?",
                                     STORE_ARGS(SV_INT(late)), arena, &r, why)
                         : ERR_NO_MEMORY;
    int64_t n = err ? 0 : store_int(&r, 0, 0);
    arena_free(arena);
    if (err || n == 0)
        return err;
    err = store_begin(models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx,
                         "UPDATE models_edges SET state = 'lost' WHERE state = 'active'"
                         " AND seen_ms < ?",
                         STORE_ARGS(SV_INT(late)), &lost, why);
    return models_commit(models, tx, err, lost > 0, why);
}
