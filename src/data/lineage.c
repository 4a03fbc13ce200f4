#include "data/lineage.h"

#include "data/lineage_graph.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "data/room.h"

void source_key(struct str tenant, struct str uri, struct str sha256, char out[SOURCE_KEY])
{
    uint8_t digest[HASH_BYTES];
    struct hash *hash = hash_new(HASH_SHA256);
    const struct str parts[] = {tenant, uri, sha256};
    memset(digest, 0, sizeof digest);
    for (size_t i = 0; hash && i < 3; i++) {
        hash_add(hash, parts[i].ptr, parts[i].len);
        hash_add(hash, "\n", 1);
    }
    if (hash)
        hash_end(hash, digest);
    hash_free(hash);
    (void)hex_put(digest, (SOURCE_KEY - 1) / 2, out);
}

/* The members of the papers that say by which right a source is used. */
static bool same_right(const struct json *a, const struct json *b)
{
    static const char *const names[] = {"licence", "authority", "owner", "grade", "consent"};
    bool same = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        same &= str_eq(json_get_str(a, names[i], STR("")), json_get_str(b, names[i], STR("")));
    return same;
}

/* The papers of now, with the time of the first collecting of `before`. */
static enum err newer_papers(const struct json *now, const struct json *before, struct arena *arena,
                             struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    struct str key, first = json_get_str(before, "first_collected_at", STR(""));
    const struct json *value;
    void *iter = NULL;
    if (!first.len)
        first = json_get_str(before, "collected_at", STR(""));
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    while (json_each(now, &iter, &key, &value)) {
        char *name = str_z(arena, key);
        if (!name || !strcmp(name, "first_collected_at"))
            continue;
        json_key(&json, name);
        json_put_value(&json, value);
    }
    if (first.len)
        json_kv_str(&json, "first_collected_at", first);
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err refresh(struct store_tx *tx, const struct ops_identity *who,
                        const struct data_source *source, struct str before, struct arena *arena,
                        struct why *why)
{
    const struct json *now = NULL, *old = NULL;
    struct str papers = STR("");
    enum err err = json_parse(source->collection, arena, &now, why);
    if (!err && before.len)
        err = json_parse(before, arena, &old, why);
    if (!err)
        err = newer_papers(now, old, arena, &papers, why);
    if (!err)
        err = store_exec(
            tx, "UPDATE data_sources SET collection = ?, sha256 = ?, n_bytes = ? WHERE id = ?",
            STORE_ARGS(SV_STR(papers), SV_STR(source->sha256), SV_INT(source->n_bytes),
                       SV_C(source->key)),
            NULL, why);
    if (err || same_right(now, old))
        return err;
    return ops_audit(tx, who, "data.source.papers", source->key, "ok",
                     papers.len < 8000 ? papers : STR_NONE, why);
}

enum err source_put(struct store_tx *tx, const struct ops_identity *who,
                    const struct data_source *source, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT state, collection FROM data_sources WHERE id = ?",
                               STORE_ARGS(SV_C(source->key)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows && str_eq_c(store_str(&rows, 0, 0), "withdrawn"))
        return err_set(why, ERR_CONFLICT, "the source \"%.*s\" was withdrawn", SHOW(source->uri));
    if (rows.n_rows)
        return source->lasting ? refresh(tx, who, source, store_str(&rows, 0, 1), arena, why)
                               : ERR_OK;
    return store_exec(
        tx,
        "INSERT INTO data_sources (id, tenant, uri, sha256, n_bytes, collection, state, reason, "
        "actor, created_ms, withdrawn_ms) VALUES (?, ?, ?, ?, ?, ?, 'active', '', ?, ?, 0)",
        STORE_ARGS(SV_C(source->key), SV_STR(who->tenant), SV_STR(source->uri),
                   SV_STR(source->sha256), SV_INT(source->n_bytes), SV_STR(source->collection),
                   SV_STR(ops_actor(who, arena)), SV_INT(time_now_ms())),
        NULL, why);
}

enum err data_edge(struct store_tx *tx, struct str tenant, const char *from_kind, struct str from,
                   const char *to_kind, struct str to, struct why *why)
{
    return store_exec(tx,
                      "INSERT INTO data_edges (tenant, from_kind, from_id, to_kind, to_id, "
                      "created_ms) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                      STORE_ARGS(SV_STR(tenant), SV_C(from_kind), SV_STR(from), SV_C(to_kind),
                                 SV_STR(to), SV_INT(time_now_ms())),
                      NULL, why);
}

/* ---- the graph ---- */

/* Who took part in an answer is asked for before the transaction: the log is another room's. */
static enum err begin_graph(struct data *data, const struct ops_identity *who, struct str kind,
                            struct str id, const struct data_answered *models, size_t n_models,
                            struct store_tx *tx, struct arena *arena, struct graph **out,
                            struct why *why)
{
    enum err err = graph_new(data, tx, who, arena, out, why);
    if (err)
        return err;
    if (models)
        return graph_add_answer(*out, id, models, n_models, why);
    char *name = str_z(arena, kind);
    if (!name)
        return err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    graph_add(*out, name, id);
    return ERR_OK;
}

static enum err check_kind(struct str kind, struct why *why)
{
    static const char *const kinds[] = {"source",   "version", "run",     "release",
                                        "training", "model",   "answers", "answer"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_eq_c(kind, kinds[i]))
            return ERR_OK;
    return err_set(why, ERR_INVALID,
                   "a node is a source, version, run, release, training, model, answers or answer, "
                   "not \"%.*s\"",
                   SHOW(kind));
}

enum err data_lineage_json(struct data *data, const struct ops_identity *who, struct str kind,
                           struct str id, enum data_way way, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct graph *g = NULL;
    struct store_tx *tx = NULL;
    struct data_answered *models = NULL;
    size_t n_models = 0;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = check_kind(kind, why);
    if (!err && str_eq_c(kind, "answer"))
        err = data->answers.of_answer ? data->answers.of_answer(data->answers.ctx, who, id, arena,
                                                                &models, &n_models, why)
                                      : err_set(why, ERR_UNSUPPORTED, "no log of answers is kept");
    if (!err)
        err = store_begin(data->opts.store, STORE_READ, &tx, why);
    if (!err)
        err = begin_graph(data, who, kind, id, models, n_models, tx, arena, &g, why);
    if (!err)
        err = graph_spread(g, way, why);
    if (!err && !graph_reached(g) && !str_eq_c(kind, "source"))
        err = err_set(why, ERR_NOT_FOUND, "nothing is known of the %.*s \"%.*s\"", SHOW(kind),
                      SHOW(id));
    if (!err)
        err = graph_json(g, out, why);
    store_rollback(tx);
    return err;
}

/* ---- sources ---- */

enum err data_sources_json(struct data *data, const struct ops_identity *who, struct str find,
                           struct str after, size_t limit, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct store_rows rows = {0};
    struct str like = str_printf(arena, "%%%.*s%%", STR_FMT(find));
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(data->opts.store,
                        "SELECT id, uri, sha256, n_bytes, collection, state, reason, created_ms, "
                        "withdrawn_ms FROM data_sources WHERE tenant = ? AND id > ? AND (? = 0 OR "
                        "uri LIKE ?) ORDER BY id LIMIT ?",
                        STORE_ARGS(SV_STR(who->tenant), SV_STR(after), SV_INT(find.len > 0),
                                   SV_STR(like), SV_INT((int64_t)limit)),
                        arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&rows, i, 0));
        json_kv_str(out, "uri", store_str(&rows, i, 1));
        json_kv_str(out, "sha256", store_str(&rows, i, 2));
        json_kv_int(out, "n_bytes", store_int(&rows, i, 3));
        json_kv_raw(out, "collection", store_str(&rows, i, 4));
        json_kv_str(out, "state", store_str(&rows, i, 5));
        json_kv_str(out, "reason", store_str(&rows, i, 6));
        json_kv_time(out, "created_at", store_int(&rows, i, 7));
        json_kv_time(out, "withdrawn_at", store_int(&rows, i, 8));
        json_end_object(out);
    }
    json_end_items(out,
                   rows.n_rows == limit && limit ? store_str(&rows, rows.n_rows - 1, 0) : STR(""));
    return ERR_OK;
}

/* ---- withdrawing ---- */

#define HOLDERS                                                                                    \
    "FROM data_contents c JOIN data_versions v ON v.id = c.version JOIN data_sets s ON s.id = "    \
    "v.set_id WHERE c.source = ? AND s.tenant = ?"

/* Releases, training runs, models, answers behind the versions that hold the source. */
static enum err find_others(struct data *data, struct store_tx *tx, const struct ops_identity *who,
                            const struct store_rows *holders, struct arena *arena,
                            struct graph **out, struct why *why)
{
    enum err err = graph_new(data, tx, who, arena, out, why);
    for (size_t i = 0; !err && i < holders->n_rows; i++)
        graph_add(*out, "version", store_str(holders, i, 0));
    return err ? err : graph_behind(*out, why);
}

static enum err mark(struct store_tx *tx, const struct ops_identity *who, struct str source,
                     struct str reason, const struct store_rows *holders, struct graph_sums sums,
                     struct arena *arena, struct why *why)
{
    struct buf buf;
    struct json_out out;
    enum err err = store_exec(
        tx,
        "UPDATE data_sources SET state = 'withdrawn', reason = ?, withdrawn_ms = ? WHERE id = ?",
        STORE_ARGS(SV_STR(reason), SV_INT(time_now_ms()), SV_STR(source)), NULL, why);
    for (size_t i = 0; !err && i < holders->n_rows; i++)
        err = store_exec(tx, "UPDATE data_versions SET state = 'withdrawn' WHERE id = ?",
                         STORE_ARGS(SV_STR(store_str(holders, i, 0))), NULL, why);
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "reason", reason);
    json_kv_int(&out, "n_versions", (int64_t)holders->n_rows);
    json_kv_int(&out, "n_models", sums.n_models);
    json_kv_int(&out, "n_answers", sums.n_answers);
    json_end_object(&out);
    char *id = str_z(arena, source);
    if (!err)
        err = buf_err(&buf, why);
    return err ? err : ops_audit(tx, who, "data.source.withdraw", id, "ok", buf_str(&buf), why);
}

/* The rooms above mark what they made of these versions. */
static enum err tell(struct data *data, struct store_tx *tx, const struct ops_identity *who,
                     struct str source, struct str reason, const struct store_rows *holders,
                     struct arena *arena, struct why *why)
{
    struct str *versions = arena_array(arena, struct str, holders->n_rows + 1);
    enum err err = versions ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not list the versions");
    for (size_t i = 0; !err && i < holders->n_rows; i++)
        versions[i] = store_str(holders, i, 0);
    for (size_t i = 0; !err && i < data->n_listeners; i++)
        err = data->listeners[i].withdrawn(data->listeners[i].ctx, tx, who, source, reason,
                                           versions, holders->n_rows, arena, why);
    return err;
}

static enum err withdraw_in(struct data *data, struct store_tx *tx, const struct ops_identity *who,
                            struct str source, struct str reason, bool dry, struct arena *arena,
                            struct json_out *out, struct why *why)
{
    struct store_rows rows, holders;
    struct graph *others = NULL;
    enum err err =
        store_query(tx, "SELECT uri, state FROM data_sources WHERE id = ? AND tenant = ?",
                    STORE_ARGS(SV_STR(source), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no source \"%.*s\"", SHOW(source));
    if (!err)
        err = store_query(
            tx, "SELECT v.id, s.name, v.number, c.n_records " HOLDERS " ORDER BY s.name, v.number",
            STORE_ARGS(SV_STR(source), SV_STR(who->tenant)), arena, &holders, why);
    if (!err)
        err = find_others(data, tx, who, &holders, arena, &others, why);
    if (!err && !dry)
        err = mark(tx, who, source, reason, &holders, graph_sums(others), arena, why);
    if (!err && !dry)
        err = tell(data, tx, who, source, reason, &holders, arena, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "source", source);
    json_kv_str(out, "uri", store_str(&rows, 0, 0));
    json_kv_bool(out, "withdrawn", !dry || str_eq_c(store_str(&rows, 0, 1), "withdrawn"));
    json_key(out, "versions");
    json_begin_array(out);
    for (size_t i = 0; i < holders.n_rows; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", store_str(&holders, i, 0));
        json_kv_str(out, "dataset", store_str(&holders, i, 1));
        json_kv_int(out, "number", store_int(&holders, i, 2));
        json_kv_int(out, "n_records", store_int(&holders, i, 3));
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "others");
    graph_others_json(others, out);
    json_kv_int(out, "n_models", graph_sums(others).n_models);
    json_kv_int(out, "n_answers", graph_sums(others).n_answers);
    json_end_object(out);
    return ERR_OK;
}

enum err data_withdraw(struct data *data, const struct ops_identity *who, struct str source,
                       struct str reason, bool dry, struct arena *arena, struct json_out *out,
                       struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = ops_need(who, dry ? "data.read" : "data.manage", why);
    if (!err && !dry && (!reason.len || reason.len > 1000))
        err = err_set(why, ERR_INVALID, "a withdrawal has a reason of 1 to 1000 bytes");
    if (!err)
        err = store_begin(data->opts.store, dry ? STORE_READ : STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = withdraw_in(data, tx, who, source, reason, dry, arena, out, why);
    if (err || dry) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}
