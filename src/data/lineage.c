#include "data/lineage.h"

#include "data/lineage_models.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/time.h"
#include "data/room.h"

#define MOST_NODES 2000
#define MOST_EDGES 8000

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

struct node {
    struct str kind, id;
};

struct edge {
    size_t from, to;
    int64_t n_records; /* -1: not counted */
};

struct graph {
    struct store_tx *tx;
    struct str tenant;
    struct arena *arena;
    struct node nodes[MOST_NODES];
    size_t n;
    struct edge *edges; /* grows */
    size_t n_edges, cap;
    struct map seen;         /* "kind\tid" -> number */
    bool cut;                /* there was more */
    struct origins *origins; /* of models */
};

/* The number of the node, made when it is new; STR_NPOS when the graph is full. */
static size_t node_of(struct graph *g, struct str kind, struct str id)
{
    struct str key = str_printf(g->arena, "%.*s\t%.*s", STR_FMT(kind), STR_FMT(id));
    struct map_entry *e = key.ptr ? map_find(&g->seen, key) : NULL;
    if (e)
        return (size_t)e->value.u;
    bool made;
    e = g->n < MOST_NODES && key.ptr ? map_put(&g->seen, key, &made) : NULL;
    if (!e) {
        g->cut = true;
        return STR_NPOS;
    }
    e->value.u = g->n;
    g->nodes[g->n] = (struct node){str_copy(g->arena, kind), str_copy(g->arena, id)};
    return g->n++;
}

static enum err add_edge(struct graph *g, size_t from, size_t to, int64_t n_records,
                         struct why *why)
{
    if (from == STR_NPOS || to == STR_NPOS)
        return ERR_OK;
    for (size_t i = 0; i < g->n_edges; i++)
        if (g->edges[i].from == from && g->edges[i].to == to)
            return ERR_OK;
    if (g->n_edges == MOST_EDGES) {
        g->cut = true;
        return ERR_OK;
    }
    if (g->n_edges == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64, size = sizeof *g->edges;
        g->edges = arena_grow(g->arena, g->edges, g->cap * size, cap * size);
        if (!g->edges)
            return err_set(why, ERR_NO_MEMORY, "could not hold the lineage");
        g->cap = cap;
    }
    g->edges[g->n_edges++] = (struct edge){from, to, n_records};
    return ERR_OK;
}

static enum err near_edges(struct graph *g, size_t i, bool forwards, struct why *why)
{
    struct store_rows rows;
    const struct node *node = &g->nodes[i];
    enum err err = store_query(
        g->tx,
        forwards ? "SELECT to_kind, to_id FROM data_edges WHERE from_kind = ? AND from_id = ? AND "
                   "tenant = ? ORDER BY created_ms, to_id LIMIT 1000"
                 : "SELECT from_kind, from_id FROM data_edges WHERE to_kind = ? AND to_id = ? AND "
                   "tenant = ? ORDER BY created_ms, from_id LIMIT 1000",
        STORE_ARGS(SV_STR(node->kind), SV_STR(node->id), SV_STR(g->tenant)), g->arena, &rows, why);
    for (size_t r = 0; !err && r < rows.n_rows; r++) {
        size_t other = node_of(g, store_str(&rows, r, 0), store_str(&rows, r, 1));
        err = forwards ? add_edge(g, i, other, -1, why) : add_edge(g, other, i, -1, why);
    }
    return err;
}

struct near {
    struct graph *g;
    size_t node;
    bool forwards;
};

/* A release that another tenant made is not there for this one. */
static enum err is_own(struct graph *g, struct str release, bool *own, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        g->tx, "SELECT 1 FROM data_edges WHERE to_kind = 'release' AND to_id = ? AND tenant = ?",
        STORE_ARGS(SV_STR(release), SV_STR(g->tenant)), g->arena, &rows, why);
    *own = !err && rows.n_rows > 0;
    return err;
}

static enum err add_near(void *ctx, const char *kind, struct str id, struct why *why)
{
    struct near *n = ctx;
    bool own = true;
    enum err err = strcmp(kind, "release") == 0 ? is_own(n->g, id, &own, why) : ERR_OK;
    if (err || !own)
        return err;
    size_t other = node_of(n->g, str_c(kind), id);
    return n->forwards ? add_edge(n->g, n->node, other, -1, why)
                       : add_edge(n->g, other, n->node, -1, why);
}

/* What rooms hung there, and what the registry says of its models. */
static enum err near_all(struct graph *g, size_t i, bool forwards, struct why *why)
{
    struct near near = {g, i, forwards};
    enum err err = near_edges(g, i, forwards, why);
    if (!err && g->origins)
        err = origins_near(g->origins, g->nodes[i].kind, g->nodes[i].id, forwards, add_near, &near,
                           why);
    return err;
}

/* Sources hang on the versions that were acquired from them; what was made from those is reached
 * through the runs. */
#define ACQUIRED                                                                                   \
    "FROM data_contents c JOIN data_versions v ON v.id = c.version JOIN data_runs r ON r.id = "    \
    "v.run WHERE r.kind IN ('import', 'acquire') AND r.tenant = ? AND "

static enum err near_sources(struct graph *g, size_t i, bool forwards, struct why *why)
{
    struct store_rows rows;
    const struct node *node = &g->nodes[i];
    enum err err = store_query(
        g->tx,
        forwards
            ? "SELECT c.version, c.n_records " ACQUIRED "c.source = ? ORDER BY c.version LIMIT "
              "1000"
            : "SELECT c.source, c.n_records " ACQUIRED "c.version = ? ORDER BY c.source LIMIT 1000",
        STORE_ARGS(SV_STR(g->tenant), SV_STR(node->id)), g->arena, &rows, why);
    for (size_t r = 0; !err && r < rows.n_rows; r++) {
        int64_t n = store_int(&rows, r, 1);
        size_t other =
            node_of(g, forwards ? STR("version") : STR("source"), store_str(&rows, r, 0));
        err = forwards ? add_edge(g, i, other, n, why) : add_edge(g, other, i, n, why);
    }
    return err;
}

/* Breadth first from node 0 in one direction. */
static enum err spread(struct graph *g, bool forwards, bool *reached, struct why *why)
{
    size_t *line = arena_array(g->arena, size_t, MOST_NODES), head = 0, tail = 0;
    enum err err = line ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    if (!err) {
        line[tail++] = 0;
        reached[0] = true;
    }
    while (!err && head < tail) {
        size_t i = line[head++];
        err = near_all(g, i, forwards, why);
        if (!err && str_eq_c(g->nodes[i].kind, forwards ? "source" : "version"))
            err = near_sources(g, i, forwards, why);
        for (size_t e = 0; !err && e < g->n_edges; e++) {
            size_t near = forwards ? g->edges[e].from : g->edges[e].to;
            size_t next = forwards ? g->edges[e].to : g->edges[e].from;
            if (near == i && !reached[next] && tail < MOST_NODES) {
                reached[next] = true;
                line[tail++] = next;
            }
        }
    }
    return err;
}

static enum err put_node(struct graph *g, const struct node *node, struct json_out *out,
                         struct why *why)
{
    struct store_rows rows = {0};
    struct str title = node->id, state = STR("");
    enum err err = ERR_OK;
    struct store_args args = STORE_ARGS(SV_STR(node->id));
    if (str_eq_c(node->kind, "version"))
        err = store_query(g->tx,
                          "SELECT s.name, v.number, v.state FROM data_versions v JOIN data_sets s "
                          "ON s.id = v.set_id WHERE v.id = ?",
                          args, g->arena, &rows, why);
    else if (str_eq_c(node->kind, "source"))
        err = store_query(g->tx, "SELECT uri, 0, state FROM data_sources WHERE id = ?", args,
                          g->arena, &rows, why);
    else if (str_eq_c(node->kind, "run"))
        err = store_query(g->tx, "SELECT kind, 0, '' FROM data_runs WHERE id = ?", args, g->arena,
                          &rows, why);
    if (!err && rows.n_rows) {
        title = store_str(&rows, 0, 0);
        state = store_str(&rows, 0, 2);
    }
    json_begin_object(out);
    json_kv_str(out, "kind", node->kind);
    json_kv_str(out, "id", node->id);
    json_kv_str(out, "title", title);
    if (str_eq_c(node->kind, "version"))
        json_kv_int(out, "number", store_int(&rows, 0, 1));
    json_kv_str(out, "state", state);
    json_end_object(out);
    return err;
}

static enum err put_graph(struct graph *g, struct json_out *out, struct why *why)
{
    enum err err = ERR_OK;
    json_begin_object(out);
    json_key(out, "nodes");
    json_begin_array(out);
    for (size_t i = 0; i < g->n && !err; i++)
        err = put_node(g, &g->nodes[i], out, why);
    json_end_array(out);
    json_key(out, "edges");
    json_begin_array(out);
    for (size_t i = 0; i < g->n_edges; i++) {
        json_begin_object(out);
        json_kv_str(out, "from", g->nodes[g->edges[i].from].id);
        json_kv_str(out, "to", g->nodes[g->edges[i].to].id);
        if (g->edges[i].n_records >= 0)
            json_kv_int(out, "n_records", g->edges[i].n_records);
        json_end_object(out);
    }
    json_end_array(out);
    json_kv_bool(out, "cut", g->cut);
    json_end_object(out);
    return err;
}

/* The graph around a node; in one read transaction. */
static enum err graph_open(struct data *data, const struct ops_identity *who, struct str kind,
                           struct str id, enum data_way way, struct arena *arena,
                           struct graph **out, struct why *why)
{
    struct graph *g = arena_one(arena, struct graph);
    bool *reached = arena_array(arena, bool, 2 * MOST_NODES);
    if (!g || !reached)
        return err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    *g = (struct graph){.tenant = who->tenant, .arena = arena};
    map_init(&g->seen, arena);
    (void)node_of(g, kind, id);
    *out = g;
    enum err err = store_begin(data->opts.store, STORE_READ, &g->tx, why);
    if (!err)
        err = origins_new(data->opts.models, g->tx, arena, &g->origins, why);
    if (!err && way & DATA_BACKWARDS)
        err = spread(g, false, reached, why);
    if (!err && way & DATA_FORWARDS)
        err = spread(g, true, reached + MOST_NODES, why);
    return err;
}

enum err data_lineage_json(struct data *data, const struct ops_identity *who, struct str kind,
                           struct str id, enum data_way way, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    static const char *const kinds[] = {"source", "version", "run", "release", "training", "model"};
    struct graph *g = NULL;
    bool known = false;
    enum err err = ops_need(who, "data.read", why);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        known |= str_eq_c(kind, kinds[i]);
    if (!err && !known)
        err = err_set(why, ERR_INVALID,
                      "a node is a source, version, run, release, training or model, not \"%.*s\"",
                      SHOW(kind));
    if (!err)
        err = graph_open(data, who, kind, id, way, arena, &g, why);
    if (!err && g->n == 1 && g->n_edges == 0 && !str_eq_c(kind, "source"))
        err = err_set(why, ERR_NOT_FOUND, "nothing is known of the %.*s \"%.*s\"", SHOW(kind),
                      SHOW(id));
    if (!err)
        err = put_graph(g, out, why);
    if (g)
        store_rollback(g->tx);
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
    json_begin_object(out);
    json_key(out, "items");
    json_begin_array(out);
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
    json_end_array(out);
    json_key(out, "next");
    if (rows.n_rows == limit && limit)
        json_put_str(out, store_str(&rows, rows.n_rows - 1, 0));
    else
        json_put_null(out);
    json_end_object(out);
    return ERR_OK;
}

/* ---- withdrawing ---- */

#define HOLDERS                                                                                    \
    "FROM data_contents c JOIN data_versions v ON v.id = c.version JOIN data_sets s ON s.id = "    \
    "v.set_id WHERE c.source = ? AND s.tenant = ?"

/* Releases, training runs, models ... behind the versions that hold the source. */
static enum err put_others(struct data *data, struct store_tx *tx, const struct ops_identity *who,
                           const struct store_rows *holders, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct graph *g = arena_one(arena, struct graph);
    enum err err = g ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    if (err)
        return err;
    *g = (struct graph){.tx = tx, .tenant = who->tenant, .arena = arena};
    map_init(&g->seen, arena);
    err = origins_new(data->opts.models, tx, arena, &g->origins, why);
    for (size_t i = 0; i < holders->n_rows; i++)
        (void)node_of(g, STR("version"), store_str(holders, i, 0));
    for (size_t i = 0; !err && i < g->n; i++)
        if (!str_eq_c(g->nodes[i].kind, "run"))
            err = near_all(g, i, true, why);
    json_key(out, "others");
    json_begin_array(out);
    for (size_t i = 0; i < g->n; i++) {
        if (str_eq_c(g->nodes[i].kind, "version") || str_eq_c(g->nodes[i].kind, "run"))
            continue;
        json_begin_object(out);
        json_kv_str(out, "kind", g->nodes[i].kind);
        json_kv_str(out, "id", g->nodes[i].id);
        json_end_object(out);
    }
    json_end_array(out);
    return err;
}

static enum err mark(struct store_tx *tx, const struct ops_identity *who, struct str source,
                     struct str reason, const struct store_rows *holders, struct arena *arena,
                     struct why *why)
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
    enum err err =
        store_query(tx, "SELECT uri, state FROM data_sources WHERE id = ? AND tenant = ?",
                    STORE_ARGS(SV_STR(source), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no source \"%.*s\"", SHOW(source));
    if (!err)
        err = store_query(
            tx, "SELECT v.id, s.name, v.number, c.n_records " HOLDERS " ORDER BY s.name, v.number",
            STORE_ARGS(SV_STR(source), SV_STR(who->tenant)), arena, &holders, why);
    if (!err && !dry)
        err = mark(tx, who, source, reason, &holders, arena, why);
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
    err = put_others(data, tx, who, &holders, arena, out, why);
    json_end_object(out);
    return err;
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
