#include "data/lineage_graph.h"

#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/time.h"
#include "data/lineage_models.h"
#include "data/room.h"

#define MOST_NODES   2000
#define MOST_EDGES   8000
#define MOST_PARENTS 64 /* of a model, looked at for a withdrawn source */
#define ANSWERS      "answers:"

struct node {
    struct str kind, id;
    const struct data_answered *answered; /* of answers; NULL: not counted */
};

struct edge {
    size_t from, to;
    int64_t n_records; /* -1: not counted */
};

struct graph {
    struct data *data;
    struct store_tx *tx;
    const struct ops_identity *who;
    struct arena *arena;
    struct node nodes[MOST_NODES];
    size_t n;
    struct edge *edges; /* grows */
    size_t n_edges, cap;
    struct map seen;         /* "kind\tid" -> number */
    bool cut;                /* there was more */
    struct origins *origins; /* of models */
};

enum err graph_new(struct data *data, struct store_tx *tx, const struct ops_identity *who,
                   struct arena *arena, struct graph **out, struct why *why)
{
    struct graph *g = arena_one(arena, struct graph);
    if (!g)
        return err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    *g = (struct graph){.data = data, .tx = tx, .who = who, .arena = arena};
    map_init(&g->seen, arena);
    *out = g;
    return origins_new(data->opts.models, tx, arena, &g->origins, why);
}

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
    g->nodes[g->n] = (struct node){str_copy(g->arena, kind), str_copy(g->arena, id), NULL};
    return g->n++;
}

void graph_add(struct graph *g, const char *kind, struct str id)
{
    (void)node_of(g, str_c(kind), id);
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

enum err graph_add_answer(struct graph *g, struct str id, const struct data_answered *models,
                          size_t n, struct why *why)
{
    enum err err = ERR_OK;
    size_t answer = node_of(g, STR("answer"), id);
    for (size_t i = 0; !err && i < n; i++)
        err = add_edge(g, node_of(g, STR("model"), models[i].model), answer, -1, why);
    return err;
}

/* ---- neighbours ---- */

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
        STORE_ARGS(SV_STR(node->kind), SV_STR(node->id), SV_STR(g->who->tenant)), g->arena, &rows,
        why);
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
        STORE_ARGS(SV_STR(release), SV_STR(g->who->tenant)), g->arena, &rows, why);
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

/* All that a model answered is one node, which says how many those are. */
static enum err near_answers(struct graph *g, size_t i, bool forwards, struct why *why)
{
    struct data_answers *answers = &g->data->answers;
    struct str id = g->nodes[i].id;
    if (!forwards && str_eq_c(g->nodes[i].kind, "answers") && str_starts(id, STR(ANSWERS)))
        return add_edge(g, node_of(g, STR("model"), str_from(id, strlen(ANSWERS))), i, -1, why);
    if (!forwards || !answers->of_model || !str_eq_c(g->nodes[i].kind, "model"))
        return ERR_OK;
    struct data_answered *all = arena_one(g->arena, struct data_answered);
    struct str name = str_printf(g->arena, ANSWERS "%.*s", STR_FMT(id));
    if (!all || !name.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
    enum err err = answers->of_model(answers->ctx, g->tx, g->who, id, g->arena, all, why);
    if (err || all->n == 0)
        return err;
    size_t node = node_of(g, STR("answers"), name);
    if (node != STR_NPOS)
        g->nodes[node].answered = all;
    return add_edge(g, i, node, -1, why);
}

/* What rooms hung there, what the registry says of its models, and what they answered. */
static enum err near_all(struct graph *g, size_t i, bool forwards, struct why *why)
{
    struct near near = {g, i, forwards};
    enum err err = near_edges(g, i, forwards, why);
    if (!err)
        err = origins_near(g->origins, g->nodes[i].kind, g->nodes[i].id, forwards, add_near, &near,
                           why);
    return err ? err : near_answers(g, i, forwards, why);
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
        STORE_ARGS(SV_STR(g->who->tenant), SV_STR(node->id)), g->arena, &rows, why);
    for (size_t r = 0; !err && r < rows.n_rows; r++) {
        int64_t n = store_int(&rows, r, 1);
        size_t other =
            node_of(g, forwards ? STR("version") : STR("source"), store_str(&rows, r, 0));
        err = forwards ? add_edge(g, i, other, n, why) : add_edge(g, other, i, n, why);
    }
    return err;
}

/* Breadth first from node 0 in one direction. */
static enum err spread(struct graph *g, bool forwards, struct why *why)
{
    size_t *line = arena_array(g->arena, size_t, MOST_NODES), head = 0, tail = 0;
    bool *reached = arena_array(g->arena, bool, MOST_NODES);
    enum err err =
        line && reached ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not follow the lineage");
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

enum err graph_spread(struct graph *g, enum data_way way, struct why *why)
{
    enum err err = way & DATA_BACKWARDS ? spread(g, false, why) : ERR_OK;
    return !err && way & DATA_FORWARDS ? spread(g, true, why) : err;
}

enum err graph_behind(struct graph *g, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < g->n; i++)
        if (!str_eq_c(g->nodes[i].kind, "run"))
            err = near_all(g, i, true, why);
    return err;
}

bool graph_reached(const struct graph *g)
{
    return g->n > 1 || g->n_edges > 0;
}

/* ---- what descends from a withdrawn source ---- */

struct parents {
    struct graph *g;
    const char *kinds[MOST_PARENTS];
    struct str ids[MOST_PARENTS];
    size_t n;
};

static enum err add_parent(void *ctx, const char *kind, struct str id, struct why *why)
{
    struct parents *p = ctx;
    (void)why;
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->kinds[i], kind) == 0 && str_eq(p->ids[i], id))
            return ERR_OK;
    if (p->n < MOST_PARENTS) {
        p->kinds[p->n] = kind;
        p->ids[p->n++] = id;
    }
    return ERR_OK;
}

/* Every version that holds a withdrawn source is marked, and so a release is by its own version. */
static enum err is_marked(struct graph *g, struct str release, bool *marked, struct why *why)
{
    struct store_rows rows;
    enum err err = store_query(
        g->tx,
        "SELECT 1 FROM data_edges e JOIN data_versions v ON v.id = e.from_id WHERE e.to_kind = "
        "'release' AND e.to_id = ? AND e.from_kind = 'version' AND e.tenant = ? AND v.state = "
        "'withdrawn' LIMIT 1",
        STORE_ARGS(SV_STR(release), SV_STR(g->who->tenant)), g->arena, &rows, why);
    *marked = !err && rows.n_rows > 0;
    return err;
}

/* Back from a release, training or model to the releases it was made of. */
static enum err is_tainted(struct graph *g, const char *kind, struct str id, bool *tainted,
                           struct why *why)
{
    struct parents p = {.g = g};
    enum err err = add_parent(&p, kind, id, why);
    *tainted = false;
    for (size_t i = 0; !err && !*tainted && i < p.n; i++)
        err =
            strcmp(p.kinds[i], "release") == 0
                ? is_marked(g, p.ids[i], tainted, why)
                : origins_near(g->origins, str_c(p.kinds[i]), p.ids[i], false, add_parent, &p, why);
    return err;
}

/* One answer: whether any model behind it does. */
static enum err answer_tainted(struct graph *g, const struct node *node, bool *tainted,
                               struct why *why)
{
    enum err err = ERR_OK;
    *tainted = false;
    for (size_t e = 0; !err && !*tainted && e < g->n_edges; e++)
        if (&g->nodes[g->edges[e].to] == node)
            err = is_tainted(g, "model", g->nodes[g->edges[e].from].id, tainted, why);
    return err;
}

static enum err state_of(struct graph *g, const struct node *node, struct str *state,
                         struct why *why)
{
    static const char *const kinds[] = {"release", "training", "model"};
    bool tainted = false;
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_eq_c(node->kind, kinds[i]))
            err = is_tainted(g, kinds[i], node->id, &tainted, why);
    if (!err && str_eq_c(node->kind, "answers"))
        err = is_tainted(g, "model", str_from(node->id, strlen(ANSWERS)), &tainted, why);
    if (!err && str_eq_c(node->kind, "answer"))
        err = answer_tainted(g, node, &tainted, why);
    *state = tainted ? STR("withdrawn") : STR("");
    return err;
}

/* ---- JSON ---- */

static void put_answered(const struct node *node, struct json_out *out)
{
    if (!node->answered)
        return;
    json_kv_int(out, "n", node->answered->n);
    json_kv_time(out, "first_at", node->answered->first_ms);
    json_kv_time(out, "last_at", node->answered->last_ms);
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
    else
        err = state_of(g, node, &state, why);
    if (!err && rows.n_rows) {
        title = store_str(&rows, 0, 0);
        state = store_str(&rows, 0, 2);
    }
    if (str_eq_c(node->kind, "answers"))
        title = str_from(node->id, strlen(ANSWERS));
    json_begin_object(out);
    json_kv_str(out, "kind", node->kind);
    json_kv_str(out, "id", node->id);
    json_kv_str(out, "title", title);
    if (str_eq_c(node->kind, "version"))
        json_kv_int(out, "number", store_int(&rows, 0, 1));
    json_kv_str(out, "state", state);
    put_answered(node, out);
    json_end_object(out);
    return err;
}

enum err graph_json(struct graph *g, struct json_out *out, struct why *why)
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

void graph_others_json(struct graph *g, struct json_out *out)
{
    json_begin_array(out);
    for (size_t i = 0; i < g->n; i++) {
        const struct node *node = &g->nodes[i];
        if (str_eq_c(node->kind, "version") || str_eq_c(node->kind, "run"))
            continue;
        json_begin_object(out);
        json_kv_str(out, "kind", node->kind);
        json_kv_str(out, "id", node->id);
        put_answered(node, out);
        json_end_object(out);
    }
    json_end_array(out);
}

struct graph_sums graph_sums(const struct graph *g)
{
    struct graph_sums sums = {0, 0};
    for (size_t i = 0; i < g->n; i++) {
        sums.n_models += str_eq_c(g->nodes[i].kind, "model");
        sums.n_answers += g->nodes[i].answered ? g->nodes[i].answered->n : 0;
    }
    return sums;
}
