/*
 * The supervisor: one thread that makes what runs like what the deployments say, and one that asks
 * the engines how they are. There is one supervisor for a data directory (a lock file); with
 * several centres on one database each takes deployments that no living one has.
 *
 * The life of an engine: WAITING (for its time) -> STARTING (loads) -> READY (in the routes) ->
 * DRAINING (out of the routes, finishes) -> ENDING (SIGTERM, then SIGKILL) -> gone. One that dies
 * by itself is WAITING again, longer each time. What the table models_replicas says follows this
 * and never leads it: who reads the table sees what was true a moment ago.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/pool.h"
#include "core/time.h"
#include "models/supervise_in.h"

#define SOON_MS     20 /* while something starts or ends */
#define LOOK_MS     250
#define WATCH_MS    50 /* while engines run: a dead one is seen so soon */
#define ALIVE_MS    5000
#define LOOK_MEMORY (8u << 20)

static struct metric engines_ready =
    METRIC_INIT(METRIC_GAUGE, "yicheng_engines_ready", "Engines that serve", NULL);

struct deployment *deployment_of(struct supervisor *x, const char *id)
{
    for (size_t i = 0; i < x->n_deployments; i++)
        if (strcmp(x->deployments[i].id, id) == 0)
            return &x->deployments[i];
    return NULL;
}

bool belongs(const struct engine *e, const struct deployment *d)
{
    return e->used && strcmp(e->deployment, d->id) == 0;
}

static void regular(struct supervisor *x, struct why *why)
{
    int64_t now = time_now_ms();
    enum err err = ERR_OK;
    if (now - x->alive_ms >= ALIVE_MS) {
        x->alive_ms = now;
        err = store_run(x->models->store,
                        "INSERT INTO models_places (place, threads, alive_ms) VALUES (?, ?, ?)"
                        " ON CONFLICT (place) DO UPDATE SET threads = excluded.threads,"
                        " alive_ms = excluded.alive_ms",
                        STORE_ARGS(SV_C(x->models->place), SV_INT(x->budget), SV_INT(now)), NULL,
                        why);
        if (!err)
            err = wanted_claim(x, why);
        if (!err)
            x->generation = 0; /* look at what was taken */
    }
    if (!err && now - x->swept_ms >= 1000) {
        x->swept_ms = now;
        err = edges_sweep(x->models, why);
    }
    if (err)
        LOG_WARN("the supervisor could not write", LOG_WHY(why));
}

static bool any(const struct supervisor *x)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used)
            return true;
    return false;
}

static bool moving(const struct supervisor *x)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used && x->engines[i].phase != READY)
            return true;
    return false;
}

static void look(struct supervisor *x, struct arena *arena)
{
    struct why why = {0};
    int64_t now = time_now_ms(), ready = 0;
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used)
            life_watch(x, &x->engines[i]);
    if (x->poked || now - x->looked_ms >= LOOK_MS) {
        x->poked = false;
        x->looked_ms = now;
        regular(x, &why);
        if (wanted_read(x, arena, &why) != ERR_OK)
            LOG_WARN("the deployments could not be read: they stay as they are", LOG_WHY(&why));
        arena_reset(arena);
    }
    for (size_t i = 0; i < x->n_deployments; i++)
        wish_reconcile(x, &x->deployments[i]);
    wanted_drop_gone(x);
    for (size_t i = 0; i < MOST_ENGINES; i++)
        ready += x->engines[i].used && x->engines[i].phase == READY;
    metric_set(&engines_ready, ready);
}

static void wait_some(struct supervisor *x)
{
    struct timespec until;
    int64_t ms = moving(x) ? SOON_MS : any(x) ? WATCH_MS : LOOK_MS;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!x->stop && !x->poked)
        (void)pthread_cond_timedwait(&x->wake, &x->lock, &until);
}

/* All engines out of the routes, then ended: what they answer may take until stop_until_ms. */
static void wind_up(struct supervisor *x)
{
    bool left = true;
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used)
            life_retire(x, &x->engines[i], false);
    while (left) {
        left = false;
        for (size_t i = 0; i < MOST_ENGINES; i++) {
            struct engine *e = &x->engines[i];
            if (!e->used)
                continue;
            if (e->phase == WAITING) { /* died in the meantime */
                life_forget(x, e);
                continue;
            }
            if (e->until_ms > x->stop_until_ms)
                e->until_ms = x->stop_until_ms;
            life_watch(x, e);
            if (e->used && time_now_ms() > x->stop_until_ms + GRACE_MS)
                child_kill(&e->child);
            left = left || e->used;
        }
        (void)pthread_mutex_unlock(&x->lock);
        time_sleep_ms(SOON_MS);
        (void)pthread_mutex_lock(&x->lock);
    }
}

static void *run(void *arg)
{
    struct supervisor *x = arg;
    struct arena *arena = arena_new(LOOK_MEMORY);
    (void)pthread_mutex_lock(&x->lock);
    while (arena && !x->stop) {
        look(x, arena);
        wait_some(x);
    }
    wind_up(x);
    (void)pthread_mutex_unlock(&x->lock);
    arena_free(arena);
    return NULL;
}

/* What a supervisor before this one left in the tables; its engines died with it. */
static enum err clean(struct supervisor *x, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(x->models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx, "DELETE FROM models_replicas WHERE place = ?",
                         STORE_ARGS(SV_C(x->models->place)), NULL, why);
    if (!err)
        err = models_generation_raise(tx, why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

static enum err start_threads(struct supervisor *x, struct why *why)
{
    if (pthread_create(&x->thread, NULL, run, x) != 0)
        return err_set(why, ERR_UNAVAILABLE, "could not start the supervisor's thread");
    if (pthread_create(&x->prober, NULL, probe_run, x) == 0)
        return ERR_OK;
    (void)pthread_mutex_lock(&x->lock);
    x->stop = true;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->thread, NULL);
    return err_set(why, ERR_UNAVAILABLE, "could not start the supervisor's thread");
}

enum err supervisor_start(struct models *m, struct why *why)
{
    char path[MODELS_PATH];
    struct why said = {0};
    struct supervisor *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(why, ERR_NO_MEMORY, "could not hold the supervisor");
    x->models = m;
    x->began_ms = time_now_ms();
    x->budget = conf_int(m->conf, "models.threads");
    if (x->budget == 0)
        x->budget = (int64_t)pool_cores();
    x->memory = conf_int(m->conf, "models.memory");
    x->start_timeout_ms = conf_int(m->conf, "models.start_timeout");
    x->health_ms = conf_int(m->conf, "models.health_every");
    x->drain_ms = conf_int(m->conf, "models.drain");
    (void)snprintf(x->dir, sizeof x->dir, "%s/engines", m->data_dir);
    (void)snprintf(path, sizeof path, "%s/engines/.lock", m->data_dir);
    enum err err = file_make_dirs(x->dir, why);
    if (!err)
        err = file_lock(path, &x->lock_fd, &said);
    if (err == ERR_BUSY) { /* another process of this data directory does it, until it ends */
        free(x);
        return ERR_OK;
    }
    if (err) {
        free(x);
        return err_set(why, err, "%s", why_text(&said, err));
    }
    (void)pthread_mutex_init(&x->lock, NULL);
    (void)pthread_cond_init(&x->wake, NULL);
    (void)pthread_cond_init(&x->changed, NULL);
    err = clean(x, why);
    if (!err)
        err = start_threads(x, why);
    if (err) {
        file_unlock(x->lock_fd);
        free(x);
        return err;
    }
    m->supervisor = x;
    return ERR_OK;
}

void supervisor_take_over(struct models *m)
{
    struct why why = {0};
    if (m->supervisor)
        return;
    if (supervisor_start(m, &why) != ERR_OK)
        LOG_WARN("the engines could not be taken over", LOG_WHY(&why));
    else if (m->supervisor)
        LOG_INFO("this process supervises the engines now", LOG_S("data", m->data_dir));
}

void supervisor_stop(struct models *m, int64_t wait_ms)
{
    struct supervisor *x = m->supervisor;
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->stop = true;
    x->stop_until_ms = time_now_ms() + wait_ms;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->thread, NULL);
    (void)pthread_mutex_lock(&x->lock);
    x->probing_ends = true;
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->prober, NULL);
    struct why why = {0};
    if (store_run(m->store, "DELETE FROM models_places WHERE place = ?", STORE_ARGS(SV_C(m->place)),
                  NULL, &why) != ERR_OK)
        LOG_WARN("could not say that nobody supervises here any more", LOG_WHY(&why));
    m->supervisor = NULL;
    file_unlock(x->lock_fd);
    (void)pthread_cond_destroy(&x->changed);
    (void)pthread_cond_destroy(&x->wake);
    (void)pthread_mutex_destroy(&x->lock);
    free(x);
}

void supervisor_poke(struct models *m)
{
    struct supervisor *x = m->supervisor;
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->poked = true;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
}
