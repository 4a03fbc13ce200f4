/* Where a snapshot's versions are served: endpoints, replicas, sleeping deployments, edges. */
#include "core/arena.h"
#include "core/log.h"
#include "models/snapshot_in.h"

static enum err add_target(struct snapshot *s, struct str version, struct models_target *t,
                           struct why *why)
{
    struct version *v = snapshot_version(s, version);
    struct card *c = v ? snapshot_card(s, v->card) : NULL;
    if (!c || v->retired)
        return ERR_OK;
    if (s->n_states == s->cap_states) {
        size_t cap = s->cap_states ? 2 * s->cap_states : 32;
        void *more =
            arena_grow(s->arena, s->states, s->cap_states * sizeof(void *), cap * sizeof(void *));
        if (!more)
            return snapshot_no_memory(why);
        s->states = more;
        s->cap_states = cap;
    }
    struct models_target *targets =
        arena_grow(s->arena, (void *)v->targets, v->n * sizeof *t, (v->n + 1) * sizeof *t);
    if (!targets)
        return snapshot_no_memory(why);
    (void)pthread_mutex_lock(&s->models->lock);
    t->state = state_take(s->models, t->id);
    (void)pthread_mutex_unlock(&s->models->lock);
    if (!t->state)
        return snapshot_no_memory(why);
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
        return snapshot_no_memory(why);
    rest = lines;
    n = 0;
    while (str_next_line(&rest, &line))
        if (line.len && !(out[n++] = str_z(s->arena, line)))
            return snapshot_no_memory(why);
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
        return snapshot_no_memory(why);
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
            return snapshot_no_memory(why);
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

enum err snapshot_read_targets(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    enum err err = read_endpoints(s, tx, why);
    if (!err)
        err = read_deployments(s, tx, why);
    return err ? err : read_edges(s, tx, why);
}
