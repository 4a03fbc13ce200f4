/*
 * tests/data/base - a data room with all that it stands on, over an empty data directory; what the
 * tests of the rooms above build on as well. They define before it is included
 *   ROOM_MEMBERS   members of struct room of their own
 * and behind it room_above(), which says what is theirs.
 */
#ifndef TESTS_DATA_BASE_H
#define TESTS_DATA_BASE_H

#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "data/data.h"
#include "ledger/ledger.h"
#include "models/models.h"
#include "privacy/privacy.h"
#include "support/test_store.h"
#include "tap.h"

struct room {
    char dir[64];
    struct arena *arena;
    const struct conf *conf;
    struct store *store;
    bool own_store; /* closed by room_close; else by test_store_done() */
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    struct models *models;
    struct privacy *privacy;
    struct data *data;
    struct ops_identity who;
    struct why why;
#ifdef ROOM_MEMBERS
    ROOM_MEMBERS
#endif
};

struct room_steps {
    const struct store_migration *steps;
    size_t n;
};

/* What a room above adds; all of it may be missing. */
struct room_above {
    struct room_steps steps[4]; /* its migrations and those of what it stands on */
    struct conf_table tables[4];
    const char *sets[4]; /* "name=value" of the configuration */
    size_t n_tables, n_sets;
    enum err (*open)(struct room *r);
    void (*close)(struct room *r);
};
#ifdef ROOM_MEMBERS
static struct room_above room_above(struct room *r);
#else
static inline struct room_above room_above(struct room *r)
{
    (void)r;
    return (struct room_above){.n_tables = 0};
}
#endif

__attribute__((unused)) static enum err room_migrate(struct room *r)
{
    const struct room_steps own[] = {
        {ledger_migrations, ledger_n_migrations},   {ops_migrations, ops_n_migrations},
        {compute_migrations, compute_n_migrations}, {models_migrations, models_n_migrations},
        {data_migrations, data_n_migrations},       {privacy_migrations, privacy_n_migrations}};
    const struct room_above above = room_above(r);
    struct store_migration steps[100];
    size_t n = 0, pending = 0;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        for (size_t k = 0; k < own[i].n; k++)
            steps[n++] = own[i].steps[k];
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < above.steps[i].n; k++)
            steps[n++] = above.steps[i].steps[k];
    return store_migrate(r->store, steps, n, false, &pending, &r->why);
}

__attribute__((unused)) static enum err room_conf(struct room *r)
{
    static const struct conf_key log_keys[] = {
        {"log.level", CONF_STR, "info", 0, 0, NULL, "Not used here"}};
    struct conf_table tables[9] = {{log_keys, 1}, ops_conf, compute_conf, models_conf, data_conf};
    const struct room_above above = room_above(r);
    for (size_t i = 0; i < above.n_tables; i++)
        tables[5 + i] = above.tables[i];
    return conf_load(tables, 5 + above.n_tables, NULL, above.sets, above.n_sets, r->arena, &r->conf,
                     &r->why);
}

__attribute__((unused)) static enum err room_open(struct room *r, struct store *store)
{
    r->arena = arena_new((size_t)1 << 30);
    r->who = ops_system();
    r->store = store;
    enum err err = room_conf(r);
    if (!err)
        err = room_migrate(r);
    if (!err)
        err = objects_open(file_join(r->arena, r->dir, "objects"), &r->objects, &r->why);
    if (!err)
        err = ops_open(store, r->conf, &r->ops, &r->why);
    struct compute_opts compute = {.store = store,
                                   .ops = r->ops,
                                   .conf = r->conf,
                                   .data_dir = r->dir,
                                   .program = "/bin/false",
                                   .program_args = (const char *const[]){NULL}};
    if (!err)
        err = compute_open(&compute, &r->compute, &r->why);
    struct models_opts models = {.store = store,
                                 .objects = r->objects,
                                 .ops = r->ops,
                                 .compute = r->compute,
                                 .conf = r->conf,
                                 .data_dir = r->dir,
                                 .program = "/bin/false"};
    if (!err)
        err = models_open(&models, &r->models, &r->why);
    struct privacy_opts privacy = {store, r->ops, r->dir};
    if (!err)
        err = privacy_open(&privacy, &r->privacy, &r->why);
    struct data_opts data = {.store = store,
                             .objects = r->objects,
                             .compute = r->compute,
                             .ops = r->ops,
                             .conf = r->conf,
                             .data_dir = r->dir,
                             .privacy = r->privacy,
                             .models = r->models};
    if (!err)
        err = data_open(&data, &r->data, &r->why);
    if (!err) {
        compute_bind(r->compute, &data_import_job, r->data);
        compute_bind(r->compute, &data_run_job, r->data);
    }
    const struct room_above above = room_above(r);
    return !err && above.open ? above.open(r) : err;
}

__attribute__((unused)) static void room_close(struct room *r)
{
    const struct room_above above = room_above(r);
    if (above.close)
        above.close(r);
    data_close(r->data);
    privacy_close(r->privacy);
    models_close(r->models);
    compute_close(r->compute);
    ops_close(r->ops);
    objects_close(r->objects);
    if (r->own_store)
        store_close(r->store);
    arena_free(r->arena);
}

__attribute__((unused)) static bool room_fresh(struct room *r, struct store *store)
{
    *r = (struct room){.dir = "/tmp/yicheng-room-XXXXXX"};
    if (!mkdtemp(r->dir))
        return false;
    enum err err = room_open(r, store);
    CHECK_OK(err, &r->why);
    return err == ERR_OK;
}

__attribute__((unused)) static void room_done(struct room *r)
{
    char dir[64];
    memcpy(dir, r->dir, sizeof dir);
    room_close(r);
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
}

#endif
