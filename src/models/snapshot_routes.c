/* The routes of a snapshot: one of each version, each model, each alias. */
#include <assert.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/log.h"
#include "models/snapshot_in.h"

static enum err put_route(struct snapshot *s, struct str name, struct owned **out, struct why *why)
{
    struct owned *o = arena_one(s->arena, struct owned);
    struct map_entry *e = o ? map_put(&s->routes, name, NULL) : NULL;
    if (!e)
        return snapshot_no_memory(why);
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
    assert(route);
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
            route_of_version(&o->route, snapshot_card(s, v->card), v);
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
    *card = v ? snapshot_card(s, v->card) : NULL;
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
        return snapshot_no_memory(why);
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
    assert(route);
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
        return snapshot_no_memory(why);
    if (err) { /* written by nobody but us; the others must not suffer from one that is damaged */
        LOG_ERROR("an alias is left out of the routes", LOG_STR("alias", name), LOG_WHY(&said));
        return ERR_OK;
    }
    err = put_route(s, name, &o, why);
    if (err)
        return err;
    assert(o);
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
        return snapshot_no_memory(why);
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
        return snapshot_no_memory(why);
    for (struct map_entry *e = map_each(&s->routes, &at); e; e = map_each(&s->routes, &at))
        if (str_find_char(e->key, ':') == STR_NPOS)
            s->listed[s->n_listed++] = e->value.p;
    qsort(s->listed, s->n_listed, sizeof(struct owned *), by_name);
    return ERR_OK;
}

enum err snapshot_make_routes(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r = {0};
    enum err err = plain_routes(s, why);
    if (!err)
        err = store_query(tx, "SELECT id, name, policy, created_ms FROM models_aliases",
                          STORE_NO_ARGS, s->arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++)
        err = read_alias(s, &r, i, why);
    for (size_t i = 0; !err && i < r.n_rows; i++)
        err = read_fallbacks(s, &r, i, why);
    return err ? err : list_routes(s, why);
}
