/*
 * The snapshot: all routes of one generation, in one arena, counted by who holds a route of it.
 *
 * A thread (models_start) asks four times a second whether the generation has moved and builds the
 * next snapshot beside the one in use. Without the thread the caller of models_resolve() asks when
 * the last look is older than a second. One builds at a time, the others go on with what there is.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/map.h"
#include "core/time.h"
#include "models/models_in.h"

#define SNAPSHOT_MEMORY ((size_t)256 << 20)
#define LOOK_MS         250
#define TAKE_OVER       8 /* looks between tries to supervise, when another process does */
#define LOOK_NS         1000000000LL /* without the thread */
#define MOST_ROUTES     100000

struct version {
    struct str id, card, label, full, tokenizer;
    int64_t context;
    const struct models_target *targets;
    size_t n;
    bool retired;
};

struct card {
    struct str id, name, title, grants, price_key;
    enum models_modality modality;
    struct version *newest; /* the newest that is not retired */
    int64_t created_ms;
    bool retired;
};

/* A route knows its snapshot; the part behind is what others see. */
struct owned {
    struct snapshot *snapshot;
    struct models_route route;
};

struct snapshot {
    struct models *models;
    struct arena *arena;
    int refs; /* under models->lock */
    int64_t generation;
    struct map routes;     /* name -> struct owned * */
    struct owned **listed; /* aliases, then models; each sorted by name */
    size_t n_listed;
    struct models_state **states;
    size_t n_states, cap_states;
    /* while it is built */
    struct map cards, versions, by_name; /* id -> card, id -> version, "model:label" -> version */
};

/* ---- counting ---- */

static void let_go(struct snapshot *s) /* under the lock */
{
    if (--s->refs > 0)
        return;
    for (size_t i = 0; i < s->n_states; i++)
        state_drop(s->models, s->states[i]);
    arena_free(s->arena);
    free(s);
}

void models_route_free(const struct models_route *route)
{
    if (!route)
        return;
    const struct owned *o =
        (const struct owned *)(const void *)((const char *)route - offsetof(struct owned, route));
    struct models *m = o->snapshot->models;
    (void)pthread_mutex_lock(&m->lock);
    let_go(o->snapshot);
    (void)pthread_mutex_unlock(&m->lock);
}

void snapshot_drop_all(struct models *m)
{
    (void)pthread_mutex_lock(&m->lock);
    if (m->snapshot)
        let_go(m->snapshot);
    m->snapshot = NULL;
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- building: what the tables hold ---- */

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "the registry is larger than %zu MB of routes",
                   SNAPSHOT_MEMORY >> 20);
}

static enum models_modality modality_of(struct str name)
{
    for (int i = 0; i < MODELS_N_MODALITIES; i++)
        if (str_eq_c(name, models_modality_name((enum models_modality)i)))
            return (enum models_modality)i;
    return MODELS_CHAT;
}

/* ["a","b"] as "a b". */
static struct str words_of(struct str json, struct arena *arena)
{
    const struct json *list;
    struct buf buf;
    buf_init(&buf, arena);
    if (json_parse(json, arena, &list, NULL) != ERR_OK)
        return STR("");
    for (size_t i = 0; i < json_len(list); i++)
        buf_printf(&buf, "%s%.*s", i ? " " : "", STR_FMT(json_str(json_at(list, i), STR(""))));
    return buf_str(&buf);
}

static enum err read_cards(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx,
                               "SELECT id, name, title, modality, grants, price_key, retired_ms,"
                               " created_ms FROM models_cards",
                               STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct card *c = arena_one(s->arena, struct card);
        struct map_entry *e = c ? map_put(&s->cards, store_str(&r, i, 0), NULL) : NULL;
        if (!e)
            return no_memory(why);
        *c = (struct card){.id = store_str(&r, i, 0),
                           .name = store_str(&r, i, 1),
                           .title = store_str(&r, i, 2),
                           .modality = modality_of(store_str(&r, i, 3)),
                           .grants = words_of(store_str(&r, i, 4), s->arena),
                           .price_key = store_str(&r, i, 5),
                           .retired = store_int(&r, i, 6) != 0,
                           .created_ms = store_int(&r, i, 7)};
        if (!c->price_key.len)
            c->price_key = c->name;
        e->value.p = c;
    }
    return err;
}

static struct card *card_of(struct snapshot *s, struct str id)
{
    struct map_entry *e = map_find(&s->cards, id);
    return e ? e->value.p : NULL;
}

static struct version *version_of(struct snapshot *s, struct str id)
{
    struct map_entry *e = map_find(&s->versions, id);
    return e ? e->value.p : NULL;
}

static enum err read_versions(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx,
                               "SELECT id, card, label, tokenizer, context, state, vocabulary"
                               " FROM models_versions ORDER BY number",
                               STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct version *v = arena_one(s->arena, struct version);
        struct card *c = card_of(s, store_str(&r, i, 1));
        if (!v)
            return no_memory(why);
        if (!c)
            continue;
        struct str id = store_str(&r, i, 0), own = store_int(&r, i, 6) ? id : STR("");
        *v = (struct version){.id = id,
                              .card = c->id,
                              .label = store_str(&r, i, 2),
                              .tokenizer = store_str(&r, i, 3).len ? store_str(&r, i, 3) : own,
                              .context = store_int(&r, i, 4),
                              .retired = c->retired || str_eq_c(store_str(&r, i, 5), "retired")};
        v->full = str_printf(s->arena, "%.*s:%.*s", STR_FMT(c->name), STR_FMT(v->label));
        struct map_entry *by_id = map_put(&s->versions, v->id, NULL);
        if (!by_id || !v->full.ptr)
            return no_memory(why);
        by_id->value.p = v;
        struct map_entry *by_name = map_put(&s->by_name, v->full, NULL);
        if (!by_name)
            return no_memory(why);
        by_name->value.p = v;
        if (!v->retired)
            c->newest = v;
    }
    return err;
}

/* ---- building: targets ---- */

static enum err add_target(struct snapshot *s, struct str version, struct models_target *t,
                           struct why *why)
{
    struct version *v = version_of(s, version);
    struct card *c = v ? card_of(s, v->card) : NULL;
    if (!c || v->retired)
        return ERR_OK;
    if (s->n_states == s->cap_states) {
        size_t cap = s->cap_states ? 2 * s->cap_states : 32;
        void *more =
            arena_grow(s->arena, s->states, s->cap_states * sizeof(void *), cap * sizeof(void *));
        if (!more)
            return no_memory(why);
        s->states = more;
        s->cap_states = cap;
    }
    struct models_target *targets =
        arena_grow(s->arena, (void *)v->targets, v->n * sizeof *t, (v->n + 1) * sizeof *t);
    if (!targets)
        return no_memory(why);
    (void)pthread_mutex_lock(&s->models->lock);
    t->state = state_take(s->models, t->id);
    (void)pthread_mutex_unlock(&s->models->lock);
    if (!t->state)
        return no_memory(why);
    s->states[s->n_states++] = t->state;
    t->model = c->name;
    t->version = v->label;
    if (!t->max_context)
        t->max_context = v->context;
    targets[v->n++] = *t;
    v->targets = targets;
    return ERR_OK;
}

/* Lines of "Name: value\n" as an array. */
static enum err split_headers(struct snapshot *s, struct str lines, struct models_target *t,
                              struct why *why)
{
    struct str rest = lines, line;
    size_t n = 0;
    while (str_next_line(&rest, &line))
        n += line.len > 0;
    const char **out = arena_array(s->arena, const char *, n + 1);
    if (!out)
        return no_memory(why);
    rest = lines;
    n = 0;
    while (str_next_line(&rest, &line))
        if (line.len && !(out[n++] = str_z(s->arena, line)))
            return no_memory(why);
    t->headers = out;
    t->n_headers = n;
    return ERR_OK;
}

static enum err read_endpoints(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx,
                               "SELECT e.id, e.name, e.version, e.base_url, e.key_sealed,"
                               " e.headers_sealed, e.upstream_model, e.weight, e.max_busy,"
                               " e.connect_ms, e.first_ms, e.between_ms, e.total_ms, c.name"
                               " FROM models_endpoints e"
                               " JOIN models_versions v ON v.id = e.version"
                               " JOIN models_cards c ON c.id = v.card"
                               " WHERE e.disabled = 0 ORDER BY e.name",
                               STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct why said = {0};
        struct str lines;
        struct models_target t = {.id = store_str(&r, i, 0),
                                  .name = store_str(&r, i, 1),
                                  .kind = MODELS_OPENAI,
                                  .base_url = store_str(&r, i, 3),
                                  .upstream_model =
                                      store_str(&r, i, store_str(&r, i, 6).len ? 6 : 13),
                                  .weight = store_int(&r, i, 7),
                                  .max_busy = store_int(&r, i, 8),
                                  .connect_ms = store_int(&r, i, 9),
                                  .first_ms = store_int(&r, i, 10),
                                  .between_ms = store_int(&r, i, 11),
                                  .total_ms = store_int(&r, i, 12)};
        if (endpoint_secrets(s->models, t.id, store_str(&r, i, 4), store_str(&r, i, 5), s->arena,
                             &t.api_key, &lines, &said) != ERR_OK) {
            LOG_ERROR("an endpoint is left out of the routes", LOG_STR("endpoint", t.name),
                      LOG_WHY(&said));
            continue;
        }
        err = split_headers(s, lines, &t, why);
        if (!err)
            err = add_target(s, store_str(&r, i, 2), &t, why);
    }
    return err;
}

static enum err open_token(struct snapshot *s, const char *noun, struct str id, struct str sealed,
                           struct str *out, struct why *why)
{
    struct str about = str_printf(s->arena, "%s:%.*s", noun, STR_FMT(id));
    *out = STR("");
    if (!about.ptr)
        return no_memory(why);
    return sealed.len ? secret_open(&s->models->key, sealed, about, s->arena, out, why) : ERR_OK;
}

/* Replicas that are ready here, and the deployments that sleep as cold targets. */
static enum err read_deployments(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows d, r;
    enum err err = store_query(tx,
                               "SELECT id, name, version, weight, on_demand, replicas, queue,"
                               " slots, state FROM models_deployments WHERE wanted = 'running'"
                               " ORDER BY name",
                               STORE_NO_ARGS, s->arena, &d, why);
    if (!err)
        err = store_query(tx,
                          "SELECT r.id, r.deployment, r.number, r.version, r.port, r.token_sealed,"
                          " r.context, r.slots, r.queue, d.name, d.weight FROM models_replicas r"
                          " JOIN models_deployments d ON d.id = r.deployment"
                          " WHERE r.state = 'ready' AND r.place = ? ORDER BY d.name, r.number",
                          STORE_ARGS(SV_C(s->models->place)), s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct why said = {0};
        struct models_target t = {
            .id = store_str(&r, i, 0),
            .name = str_printf(s->arena, "%.*s/%lld", STR_FMT(store_str(&r, i, 9)),
                               (long long)store_int(&r, i, 2)),
            .kind = MODELS_ENGINE,
            .base_url =
                str_printf(s->arena, "http://127.0.0.1:%lld", (long long)store_int(&r, i, 4)),
            .upstream_model = store_str(&r, i, 9),
            .weight = store_int(&r, i, 10),
            .max_context = store_int(&r, i, 6),
            .max_busy = store_int(&r, i, 7) + store_int(&r, i, 8)};
        if (!t.name.ptr || !t.base_url.ptr)
            return no_memory(why);
        if (open_token(s, "replica", t.id, store_str(&r, i, 5), &t.api_key, &said) != ERR_OK) {
            LOG_ERROR("a replica is left out of the routes", LOG_STR("replica", t.name),
                      LOG_WHY(&said));
            continue;
        }
        err = add_target(s, store_str(&r, i, 3), &t, why);
    }
    for (size_t i = 0; !err && i < d.n_rows; i++) {
        bool up = false;
        for (size_t k = 0; k < r.n_rows && !up; k++)
            up = str_eq(store_str(&r, k, 1), store_str(&d, i, 0));
        /* One that cannot be started is no target: nobody waits for it, the fallbacks are asked. */
        if (up || str_eq_c(store_str(&d, i, 8), "failed"))
            continue;
        struct models_target t = {.id = store_str(&d, i, 0),
                                  .name = store_str(&d, i, 1),
                                  .kind = MODELS_ENGINE,
                                  .upstream_model = store_str(&d, i, 1),
                                  .base_url = STR(""),
                                  .api_key = STR(""),
                                  .weight = store_int(&d, i, 3),
                                  .cold = true};
        err = add_target(s, store_str(&d, i, 2), &t, why);
    }
    return err;
}

static enum err read_edges(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx,
                               "SELECT id, name, version, base_url, key_sealed, upstream_model,"
                               " weight, context, slots FROM models_edges"
                               " WHERE state = 'active' AND disabled = 0 ORDER BY name",
                               STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        struct why said = {0};
        struct models_target t = {.id = store_str(&r, i, 0),
                                  .name = store_str(&r, i, 1),
                                  .kind = MODELS_ENGINE,
                                  .base_url = store_str(&r, i, 3),
                                  .upstream_model = store_str(&r, i, 5),
                                  .weight = store_int(&r, i, 6),
                                  .max_context = store_int(&r, i, 7),
                                  .max_busy = 4 * store_int(&r, i, 8)};
        if (open_token(s, "edge", t.id, store_str(&r, i, 4), &t.api_key, &said) != ERR_OK) {
            LOG_ERROR("an edge is left out of the routes", LOG_STR("edge", t.name), LOG_WHY(&said));
            continue;
        }
        err = add_target(s, store_str(&r, i, 2), &t, why);
    }
    return err;
}

/* ---- building: routes ---- */

static enum err put_route(struct snapshot *s, struct str name, struct owned **out, struct why *why)
{
    struct owned *o = arena_one(s->arena, struct owned);
    struct map_entry *e = o ? map_put(&s->routes, name, NULL) : NULL;
    if (!e)
        return no_memory(why);
    o->snapshot = s;
    o->route.name = name;
    o->route.generation = s->generation;
    e->value.p = o;
    *out = o;
    return ERR_OK;
}

static const struct models_arm only_arm = {STR_INIT("a"), 100};

static void route_of_version(struct models_route *route, const struct card *c,
                             const struct version *v)
{
    route->model = c->name;
    route->version = v->label;
    route->title = c->title;
    route->modality = c->modality;
    route->arms = &only_arm;
    route->n_arms = 1;
    route->targets = v->targets;
    route->n_targets = v->n;
    route->price_key = c->price_key;
    route->max_context = v->context;
    route->tokenizer = v->tokenizer;
    route->grants = c->grants;
    route->created_s = c->created_ms / 1000;
    route->maintenance_words = STR("");
    route->alias = STR("");
}

/* A route for each version, and for each model that of its newest. */
static enum err plain_routes(struct snapshot *s, struct why *why)
{
    size_t at = 0;
    enum err err = ERR_OK;
    struct owned *o = NULL;
    for (struct map_entry *e = map_each(&s->versions, &at); e && !err;
         e = map_each(&s->versions, &at)) {
        struct version *v = e->value.p;
        if (v->retired)
            continue;
        err = put_route(s, v->full, &o, why);
        if (!err)
            route_of_version(&o->route, card_of(s, v->card), v);
    }
    at = 0;
    for (struct map_entry *e = map_each(&s->cards, &at); e && !err; e = map_each(&s->cards, &at)) {
        struct card *c = e->value.p;
        if (!c->newest)
            continue;
        err = put_route(s, c->name, &o, why);
        if (!err)
            route_of_version(&o->route, c, c->newest);
    }
    return err;
}

static struct version *named(struct snapshot *s, struct str ref, struct card **card)
{
    struct map_entry *e = map_find(&s->by_name, ref);
    struct version *v = e ? e->value.p : NULL;
    size_t at = 0;
    if (!v)
        for (struct map_entry *c = map_each(&s->cards, &at); c && !v; c = map_each(&s->cards, &at))
            if (str_eq(((struct card *)c->value.p)->name, ref))
                v = ((struct card *)c->value.p)->newest;
    *card = v ? card_of(s, v->card) : NULL;
    return v;
}

/* The targets of all arms in a row; a weight of the policy spreads over the places of its version.
 */
static enum err alias_targets(struct snapshot *s, const struct policy *p,
                              struct models_route *route, struct why *why)
{
    size_t most = 0, n = 0;
    struct card *c;
    for (size_t a = 0; a < p->n_arms; a++)
        for (size_t t = 0; t < p->arms[a].n; t++) {
            struct version *v = named(s, p->arms[a].targets[t].model, &c);
            most += v ? v->n : 0;
        }
    struct models_target *targets = arena_array(s->arena, struct models_target, most);
    struct models_arm *arms = arena_array(s->arena, struct models_arm, p->n_arms);
    if (!targets || !arms)
        return no_memory(why);
    for (size_t a = 0; a < p->n_arms; a++) {
        arms[a] = (struct models_arm){p->arms[a].name, p->arms[a].share};
        for (size_t t = 0; t < p->arms[a].n; t++) {
            struct version *v = named(s, p->arms[a].targets[t].model, &c);
            int64_t sum = 0;
            for (size_t k = 0; v && k < v->n; k++)
                sum += v->targets[k].weight;
            for (size_t k = 0; v && k < v->n; k++) {
                targets[n] = v->targets[k];
                targets[n].arm = a;
                int64_t w = p->arms[a].targets[t].weight * v->targets[k].weight * 10 / sum;
                targets[n++].weight = w < 1 ? 1 : w;
            }
            if (v && a == 0 && t == 0)
                route_of_version(route, c, v);
        }
    }
    route->arms = arms;
    route->n_arms = p->n_arms;
    route->targets = targets;
    route->n_targets = n;
    return ERR_OK;
}

static enum err read_alias(struct snapshot *s, const struct store_rows *r, size_t i,
                           struct why *why)
{
    const struct json *json;
    struct policy p = {.n_arms = 0};
    struct owned *o = NULL;
    struct card *c;
    struct buf grants;
    struct why said = {0};
    struct str name = store_str(r, i, 1);
    enum err err = json_parse(store_str(r, i, 2), s->arena, &json, &said);
    if (!err)
        err = policy_read(json, s->arena, &p, &said);
    if (err == ERR_NO_MEMORY)
        return no_memory(why);
    if (err) { /* written by nobody but us; the others must not suffer from one that is damaged */
        LOG_ERROR("an alias is left out of the routes", LOG_STR("alias", name), LOG_WHY(&said));
        return ERR_OK;
    }
    err = put_route(s, name, &o, why);
    if (!err)
        err = alias_targets(s, &p, &o->route, why);
    if (err)
        return err;
    struct models_route *route = &o->route;
    route->alias = store_str(r, i, 0);
    if (p.title.len)
        route->title = p.title;
    route->cache = p.cache;
    route->cache_ttl_ms = p.cache_ttl_ms;
    route->sticky = p.sticky;
    route->maintenance = p.maintenance;
    route->maintenance_words = p.maintenance_words;
    route->created_s = store_int(r, i, 3) / 1000;
    if (p.price_key.len)
        route->price_key = p.price_key;
    if (p.context)
        route->max_context = p.context;
    struct version *counts = p.tokenizer.len ? named(s, p.tokenizer, &c) : NULL;
    if (counts)
        route->tokenizer = counts->tokenizer;
    buf_init(&grants, s->arena);
    for (size_t k = 0; k < p.n_grants; k++)
        buf_printf(&grants, "%s%.*s", k ? " " : "", STR_FMT(p.grants[k]));
    route->grants = buf_str(&grants);
    return buf_err(&grants, why);
}

/* When all routes are there: who falls back on whom. */
static enum err read_fallbacks(struct snapshot *s, const struct store_rows *r, size_t i,
                               struct why *why)
{
    const struct json *json;
    struct policy p = {.n_arms = 0};
    struct map_entry *self = map_find(&s->routes, store_str(r, i, 1));
    if (!self || json_parse(store_str(r, i, 2), s->arena, &json, NULL) != ERR_OK ||
        policy_read(json, s->arena, &p, NULL) != ERR_OK || p.n_fallbacks == 0)
        return ERR_OK;
    const struct models_route **list =
        arena_array(s->arena, const struct models_route *, p.n_fallbacks);
    struct models_route *route = &((struct owned *)self->value.p)->route;
    if (!list)
        return no_memory(why);
    for (size_t k = 0; k < p.n_fallbacks; k++) {
        struct map_entry *e = map_find(&s->routes, p.fallbacks[k]);
        if (e && e != self)
            list[route->n_fallbacks++] = &((struct owned *)e->value.p)->route;
    }
    route->fallbacks = list;
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct models_route *x = &(*(struct owned *const *)a)->route,
                              *y = &(*(struct owned *const *)b)->route;
    if ((x->alias.len > 0) != (y->alias.len > 0))
        return x->alias.len ? -1 : 1;
    return str_cmp(x->name, y->name);
}

static enum err list_routes(struct snapshot *s, struct why *why)
{
    size_t at = 0;
    s->listed = arena_array(s->arena, struct owned *, s->routes.n);
    if (!s->listed)
        return no_memory(why);
    for (struct map_entry *e = map_each(&s->routes, &at); e; e = map_each(&s->routes, &at))
        if (str_find_char(e->key, ':') == STR_NPOS)
            s->listed[s->n_listed++] = e->value.p;
    qsort(s->listed, s->n_listed, sizeof(struct owned *), by_name);
    return ERR_OK;
}

static enum err read_all(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx, "SELECT number FROM models_generation WHERE id = 1",
                               STORE_NO_ARGS, s->arena, &r, why);
    if (!err)
        s->generation = store_int(&r, 0, 0);
    if (!err)
        err = read_cards(s, tx, why);
    if (!err)
        err = read_versions(s, tx, why);
    if (!err)
        err = read_endpoints(s, tx, why);
    if (!err)
        err = read_deployments(s, tx, why);
    if (!err)
        err = read_edges(s, tx, why);
    if (!err)
        err = plain_routes(s, why);
    if (!err)
        err = store_query(tx, "SELECT id, name, policy, created_ms FROM models_aliases",
                          STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++)
        err = read_alias(s, &r, i, why);
    for (size_t i = 0; !err && i < r.n_rows; i++)
        err = read_fallbacks(s, &r, i, why);
    return err ? err : list_routes(s, why);
}

static enum err build(struct models *m, struct snapshot **out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct snapshot *s = calloc(1, sizeof *s);
    if (s)
        s->arena = arena_new(SNAPSHOT_MEMORY);
    if (!s || !s->arena) {
        free(s);
        return no_memory(why);
    }
    s->models = m;
    s->refs = 1;
    map_init(&s->routes, s->arena);
    map_init(&s->cards, s->arena);
    map_init(&s->versions, s->arena);
    map_init(&s->by_name, s->arena);
    enum err err = store_begin(m->store, STORE_READ, &tx, why);
    if (!err)
        err = read_all(s, tx, why);
    store_rollback(tx);
    if (err) {
        (void)pthread_mutex_lock(&m->lock);
        let_go(s);
        (void)pthread_mutex_unlock(&m->lock);
        return err;
    }
    *out = s;
    return ERR_OK;
}

/* ---- keeping it fresh ---- */

static enum err ask_generation(struct models *m, int64_t *out, struct why *why)
{
    struct store_rows r;
    struct arena *arena = arena_new(64u << 10);
    enum err err = arena ? store_ask(m->store, "SELECT number FROM models_generation WHERE id = 1",
                                     STORE_NO_ARGS, arena, &r, why)
                         : err_set(why, ERR_NO_MEMORY, "could not look at the registry");
    if (!err)
        *out = store_int(&r, 0, 0);
    arena_free(arena);
    return err;
}

/* Builds and puts in place what is newer than what there is. One thread at a time. */
static enum err refresh(struct models *m, struct why *why)
{
    int64_t generation = 0;
    struct snapshot *fresh = NULL;
    unsigned outdated = atomic_load(&m->outdated);
    enum err err = ask_generation(m, &generation, why);
    (void)pthread_mutex_lock(&m->lock);
    bool same = !err && m->snapshot && m->snapshot->generation == generation;
    m->looked_ns = time_mono_ns();
    (void)pthread_mutex_unlock(&m->lock);
    if (!err && !same)
        err = build(m, &fresh, why);
    (void)pthread_mutex_lock(&m->lock);
    struct snapshot *old = fresh ? m->snapshot : NULL;
    if (fresh)
        m->snapshot = fresh;
    if (old)
        let_go(old);
    m->heeded = outdated; /* after a failure too: the thread tries again, not every call */
    (void)pthread_mutex_unlock(&m->lock);
    return err;
}

/* Whether this process has changed what the snapshot was made from. Under the lock. True until the
 * new one is in place, so that nobody is given the old one while it is built. */
static bool is_outdated(struct models *m)
{
    return atomic_load(&m->outdated) != m->heeded;
}

/* The snapshot to use now, not counted; under the lock. Builds it when it must: the first one, one
 * that this process outdated, or without the thread one that was not looked at for a second. */
static enum err current(struct models *m, struct snapshot **out, struct why *why)
{
    bool old = !m->watching && time_mono_ns() - m->looked_ns > LOOK_NS;
    bool must = !m->snapshot || is_outdated(m);
    if (m->building && must) { /* another does it: wait for that */
        while (m->building)
            (void)pthread_cond_wait(&m->built, &m->lock);
        must = !m->snapshot || is_outdated(m);
    }
    enum err err = ERR_OK;
    if ((must || old) && !m->building) {
        m->building = true;
        (void)pthread_mutex_unlock(&m->lock);
        err = refresh(m, why);
        (void)pthread_mutex_lock(&m->lock);
        m->building = false;
        (void)pthread_cond_broadcast(&m->built);
    }
    *out = m->snapshot;
    return m->snapshot ? ERR_OK
           : err       ? err
                       : err_set(why, ERR_UNAVAILABLE, "the registry could not be read");
}

void snapshot_wake(struct models *m)
{
    (void)atomic_fetch_add(&m->outdated, 1);
}

static bool may_use(const struct models_route *route, struct str tenant)
{
    struct str rest = route->grants, part;
    if (!rest.len)
        return true;
    while (str_next(&rest, ' ', &part))
        if (str_eq(part, tenant))
            return true;
    return false;
}

enum err models_resolve(struct models *m, struct str tenant, struct str name,
                        const struct models_route **route, struct why *why)
{
    struct snapshot *s = NULL;
    struct owned *o = NULL;
    (void)pthread_mutex_lock(&m->lock);
    enum err err = current(m, &s, why);
    if (!err) {
        struct map_entry *e = map_find(&s->routes, name);
        o = e ? e->value.p : NULL;
        if (o && may_use(&o->route, tenant))
            s->refs++;
        else
            o = NULL;
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (!err && !o)
        err = err_set(why, ERR_NOT_FOUND, "there is no model \"%.*s\"",
                      (int)(name.len < 120 ? name.len : 120), name.ptr ? name.ptr : "");
    if (!err)
        *route = &o->route;
    return err;
}

enum err models_list(struct models *m, struct str tenant, struct arena *arena,
                     const struct models_route ***out, size_t *n, struct why *why)
{
    struct snapshot *s = NULL;
    (void)pthread_mutex_lock(&m->lock);
    enum err err = current(m, &s, why);
    const struct models_route **list =
        err ? NULL : arena_array(arena, const struct models_route *, s->n_listed);
    *n = 0;
    for (size_t i = 0; list && i < s->n_listed; i++)
        if (may_use(&s->listed[i]->route, tenant)) {
            s->refs++;
            list[(*n)++] = &s->listed[i]->route;
        }
    (void)pthread_mutex_unlock(&m->lock);
    if (!err && !list)
        err = err_set(why, ERR_NO_MEMORY, "could not list the models");
    *out = list;
    return err;
}

bool models_at_hand(struct models *m)
{
    (void)pthread_mutex_lock(&m->lock);
    bool at_hand = m->snapshot && m->watching && !is_outdated(m);
    (void)pthread_mutex_unlock(&m->lock);
    return at_hand;
}

int64_t models_generation(struct models *m)
{
    struct snapshot *s = NULL;
    (void)pthread_mutex_lock(&m->lock);
    int64_t n = current(m, &s, NULL) == ERR_OK ? s->generation : 0;
    (void)pthread_mutex_unlock(&m->lock);
    return n;
}

static void *watch(void *arg)
{
    struct models *m = arg;
    unsigned round = 0;
    (void)pthread_mutex_lock(&m->watch_lock);
    while (!m->watch_stop) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&m->watch_wake, &m->watch_lock, &until);
        if (m->watch_stop)
            break;
        (void)pthread_mutex_unlock(&m->watch_lock);
        struct why why = {0};
        (void)pthread_mutex_lock(&m->lock);
        bool mine = !m->building;
        m->building = true;
        (void)pthread_mutex_unlock(&m->lock);
        if (mine) {
            if (refresh(m, &why) != ERR_OK)
                LOG_WARN("the registry could not be read: the routes stay as they were",
                         LOG_WHY(&why));
            (void)pthread_mutex_lock(&m->lock);
            m->building = false;
            (void)pthread_cond_broadcast(&m->built);
            (void)pthread_mutex_unlock(&m->lock);
        }
        if (++round % TAKE_OVER == 0)
            supervisor_take_over(m);
        (void)pthread_mutex_lock(&m->watch_lock);
    }
    (void)pthread_mutex_unlock(&m->watch_lock);
    return NULL;
}

enum err models_watch_start(struct models *m, struct why *why)
{
    m->watch_stop = false;
    if (pthread_create(&m->watcher, NULL, watch, m) != 0)
        return err_set(why, ERR_UNAVAILABLE, "could not start the thread of the registry");
    (void)pthread_mutex_lock(&m->lock);
    m->watching = true;
    (void)pthread_mutex_unlock(&m->lock);
    return ERR_OK;
}

void models_watch_stop(struct models *m)
{
    (void)pthread_mutex_lock(&m->lock);
    bool was = m->watching;
    m->watching = false;
    (void)pthread_mutex_unlock(&m->lock);
    if (!was)
        return;
    (void)pthread_mutex_lock(&m->watch_lock);
    m->watch_stop = true;
    (void)pthread_cond_signal(&m->watch_wake);
    (void)pthread_mutex_unlock(&m->watch_lock);
    (void)pthread_join(m->watcher, NULL);
}
