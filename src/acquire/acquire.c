/* acquire - opening and closing, the tables, and the thread that starts what is due. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "acquire/acquire_in.h"
#include "acquire/schedule.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "core/time.h"

#define LOOK_EVERY_S 5
#define MOST_DUE     100

const struct store_migration acquire_migrations[] = {
    {"acquire", 1,
     "CREATE TABLE acquire_collectors (id TEXT PRIMARY KEY, tenant TEXT NOT NULL,\n"
     "  name TEXT NOT NULL, title TEXT NOT NULL, kind TEXT NOT NULL, dataset TEXT NOT NULL,\n"
     "  dataset_title TEXT NOT NULL, record_kind TEXT NOT NULL, access INTEGER NOT NULL,\n"
     "  settings TEXT NOT NULL, map TEXT NOT NULL, collection TEXT NOT NULL,\n"
     "  schedule TEXT NOT NULL, enabled INTEGER NOT NULL, owner TEXT NOT NULL, why TEXT NOT NULL,\n"
     "  state TEXT NOT NULL, sealed BLOB, secret_names TEXT NOT NULL, revision INTEGER NOT NULL,\n"
     "  created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL,\n"
     "  UNIQUE (tenant, name));\n"
     "CREATE INDEX acquire_collectors_due ON acquire_collectors (enabled, next_ms);\n"
     "CREATE TABLE acquire_runs (job TEXT PRIMARY KEY, collector TEXT NOT NULL,\n"
     "  tenant TEXT NOT NULL, number INTEGER NOT NULL, by_whom TEXT NOT NULL,\n"
     "  result TEXT NOT NULL, created_ms INTEGER NOT NULL);\n"
     "CREATE INDEX acquire_runs_collector ON acquire_runs (collector, number);\n"
     "CREATE TABLE acquire_pages (collector TEXT NOT NULL, url TEXT NOT NULL,\n"
     "  etag TEXT NOT NULL, modified TEXT NOT NULL, sha256 TEXT NOT NULL, links TEXT NOT NULL,\n"
     "  run TEXT NOT NULL, depth INTEGER NOT NULL, seq INTEGER NOT NULL, state TEXT NOT NULL,\n"
     "  PRIMARY KEY (collector, url));\n"
     "CREATE INDEX acquire_pages_next ON acquire_pages (collector, run, state, seq)",
     NULL},
};
const size_t acquire_n_migrations = sizeof acquire_migrations / sizeof acquire_migrations[0];

static const struct conf_key keys[] = {
    {"acquire.networks", CONF_STR, "", 0, 0, NULL,
     "Networks inside the city that collectors may use (10.0.0.0/8, 192.168.1.5 ...); empty: only "
     "public addresses"},
    {"acquire.local_sockets", CONF_BOOL, "false", 0, 0, NULL,
     "Collectors may use PostgreSQL servers on sockets of this machine"},
};
const struct conf_table acquire_conf = {keys, sizeof keys / sizeof keys[0]};

static enum err open_in(struct acquire *a, struct why *why)
{
    const struct conf *conf = a->opts.conf;
    enum err err =
        net_rules_parse(str_c(conf_str(conf, "acquire.networks")), a->arena, &a->networks, why);
    a->sockets = conf_bool(conf, "acquire.local_sockets");
    char *key = file_join(a->arena, a->opts.data_dir, "acquire.key");
    if (!err && !key)
        err = err_set(why, ERR_NO_MEMORY, "could not open the collectors");
    return err ? err : secret_key_file(key, &a->key, why);
}

enum err acquire_open(const struct acquire_opts *opts, struct acquire **out, struct why *why)
{
    struct acquire *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(why, ERR_NO_MEMORY, "could not open the collectors");
    a->opts = *opts;
    a->arena = arena_new((size_t)4 << 20);
    enum err err =
        a->arena ? open_in(a, why) : err_set(why, ERR_NO_MEMORY, "could not open the collectors");
    if (!err && pthread_mutex_init(&a->lock, NULL))
        err = err_set(why, ERR_NO_MEMORY, "could not open the collectors");
    if (err) {
        arena_free(a->arena);
        free(a);
        return err;
    }
    pthread_condattr_t clock;
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&a->changed, &clock);
    (void)pthread_condattr_destroy(&clock);
    *out = a;
    return ERR_OK;
}

void acquire_close(struct acquire *a)
{
    if (!a)
        return;
    acquire_stop(a);
    secret_wipe(&a->key, sizeof a->key);
    (void)pthread_cond_destroy(&a->changed);
    (void)pthread_mutex_destroy(&a->lock);
    arena_free(a->arena);
    free(a);
}

/* ---- what is due ---- */

static void complain(const char *event, const char *words)
{
    LOG_WARN(event, LOG_S("why", words));
}

/* The owner's account is gone: the collector waits for somebody who may run it. */
static enum err pause_it(struct acquire *a, const struct collector *c, const char *words,
                         struct why *why)
{
    struct ops_identity centre = ops_system();
    struct store_tx *tx = NULL;
    centre.tenant = c->tenant;
    enum err err = store_begin(a->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = store_exec(tx, "UPDATE acquire_collectors SET enabled = 0, why = ? WHERE id = ?",
                     STORE_ARGS(SV_C(words), SV_STR(c->id)), NULL, why);
    struct arena *arena = arena_new(4096);
    char *id = arena ? str_z(arena, c->id) : NULL;
    if (!err)
        err = ops_audit(tx, &centre, "acquire.pause", id, "ok", STR_NONE, why);
    arena_free(arena);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

static enum err claim(struct acquire *a, struct store_tx *tx, const struct ops_identity *who,
                      const struct collector *c, int64_t next_ms, bool *started, struct why *why)
{
    char job[UUID_TEXT];
    int64_t changed = 0;
    enum err err =
        store_exec(tx,
                   "UPDATE acquire_collectors SET next_ms = ? WHERE id = ? AND next_ms "
                   "= ? AND enabled = 1",
                   STORE_ARGS(SV_INT(next_ms), SV_STR(c->id), SV_INT(c->next_ms)), &changed, why);
    if (!err && changed)
        err = collector_submit(a, tx, who, c, "schedule", job, why);
    *started = !err && changed;
    return err;
}

static enum err start_one(struct acquire *a, const struct collector *c, int64_t now_ms,
                          struct arena *arena, bool *started, struct why *why)
{
    struct schedule schedule;
    struct ops_identity who;
    struct store_tx *tx = NULL;
    struct why own = {0};
    char *owner = str_z(arena, c->owner);
    *started = false;
    if (!owner)
        return err_set(why, ERR_NO_MEMORY, "could not start a collector");
    enum err err = ops_identity_of(a->opts.ops, owner, arena, &who, &own);
    if (!err)
        err = ops_need(&who, "data.write", &own);
    if (err == ERR_FORBIDDEN || err == ERR_NOT_FOUND)
        return pause_it(a, c, why_text(&own, err), why);
    if (!err)
        err = schedule_parse(c->schedule, &schedule, &own);
    if (!err)
        err = store_begin(a->opts.store, STORE_WRITE, &tx, &own);
    if (!err) {
        int64_t next = schedule_next(&schedule, now_ms);
        err = claim(a, tx, &who, c, next < 0 ? 0 : next, started, &own);
        if (err)
            store_rollback(tx);
        else
            err = store_commit(tx, &own);
    }
    if (err == ERR_INVALID || err == ERR_FORBIDDEN) /* will not become better by waiting */
        return pause_it(a, c, why_text(&own, err), why);
    return err ? err_set(why, err, "%s", why_text(&own, err)) : ERR_OK;
}

enum err acquire_tick(struct acquire *a, int64_t now_ms, size_t *n, struct why *why)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct store_rows rows;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not look what is due");
    *n = 0;
    if (!err)
        err = store_ask(a->opts.store,
                        "SELECT id, tenant FROM acquire_collectors WHERE enabled = 1 AND next_ms > "
                        "0 AND next_ms <= ? ORDER BY next_ms LIMIT ?",
                        STORE_ARGS(SV_INT(now_ms), SV_INT(MOST_DUE)), arena, &rows, why);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct ops_identity centre = ops_system();
        struct collector c;
        struct why own = {0};
        bool started = false;
        centre.tenant = store_str(&rows, i, 1);
        enum err one = collector_find(a, &centre, store_str(&rows, i, 0), arena, &c, &own);
        if (!one)
            one = start_one(a, &c, now_ms, arena, &started, &own);
        if (one)
            complain("acquire.start", why_text(&own, one));
        *n += started;
    }
    arena_free(arena);
    return err;
}

static void *keep(void *ctx)
{
    struct acquire *a = ctx;
    (void)pthread_mutex_lock(&a->lock);
    while (!a->stopping) {
        struct timespec until;
        struct why why = {0};
        size_t n;
        (void)pthread_mutex_unlock(&a->lock);
        enum err err = acquire_tick(a, time_now_ms(), &n, &why);
        if (err)
            complain("acquire.look", why_text(&why, err));
        (void)pthread_mutex_lock(&a->lock);
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_EVERY_S;
        if (!a->stopping)
            (void)pthread_cond_timedwait(&a->changed, &a->lock, &until);
    }
    (void)pthread_mutex_unlock(&a->lock);
    return NULL;
}

enum err acquire_start(struct acquire *a, struct why *why)
{
    if (a->running)
        return ERR_OK;
    a->stopping = false;
    if (pthread_create(&a->thread, NULL, keep, a))
        return err_set(why, ERR_NO_MEMORY, "could not begin to watch the collectors");
    a->running = true;
    return ERR_OK;
}

void acquire_stop(struct acquire *a)
{
    if (!a || !a->running)
        return;
    (void)pthread_mutex_lock(&a->lock);
    a->stopping = true;
    (void)pthread_cond_signal(&a->changed);
    (void)pthread_mutex_unlock(&a->lock);
    (void)pthread_join(a->thread, NULL);
    a->running = false;
}
