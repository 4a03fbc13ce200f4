/*
 * The snapshot: all routes of one generation, in one arena, counted by who holds a route of it.
 *
 * A thread (models_start) asks four times a second whether the generation has moved and builds the
 * next snapshot beside the one in use. Without the thread the caller of models_resolve() asks when
 * the last look is older than a second. One builds at a time, the others go on with what there is.
 */
#include <stdlib.h>
#include <time.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/time.h"
#include "models/snapshot_in.h"

#define LOOK_MS   250
#define TAKE_OVER 8            /* looks between tries to supervise, when another process does */
#define LOOK_NS   1000000000LL /* without the thread */

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

/* ---- building ---- */

static enum err read_all(struct snapshot *s, struct store_tx *tx, struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx, "SELECT number FROM models_generation WHERE id = 1",
                               STORE_NO_ARGS, s->arena, &r, why);
    if (!err)
        s->generation = store_int(&r, 0, 0);
    if (!err)
        err = snapshot_read_models(s, tx, why);
    if (!err)
        err = snapshot_read_targets(s, tx, why);
    return err ? err : snapshot_make_routes(s, tx, why);
}

static enum err build(struct models *m, struct snapshot **out, struct why *why)
{
    struct store_tx *tx = NULL;
    struct snapshot *s = calloc(1, sizeof *s);
    if (s)
        s->arena = arena_new(SNAPSHOT_MEMORY);
    if (!s || !s->arena) {
        free(s);
        return snapshot_no_memory(why);
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

/* ---- asking ---- */

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

/* ---- the thread ---- */

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
