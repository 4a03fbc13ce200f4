/*
 * tests/data/room - a data room with all that it stands on, over an empty data directory.
 */
#ifndef TESTS_DATA_ROOM_H
#define TESTS_DATA_ROOM_H

#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "data/data.h"
#include "ledger/ledger.h"
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
    struct privacy *privacy;
    struct data *data;
    struct ops_identity who;
    struct why why;
};

/* The migrations of a room above, for its tests: set before the room is opened. */
__attribute__((unused)) static const struct store_migration *room_more;
__attribute__((unused)) static size_t room_n_more;

__attribute__((unused)) static enum err room_open(struct room *r, struct store *store)
{
    static const struct conf_key log_keys[] = {
        {"log.level", CONF_STR, "info", 0, 0, NULL, "Not used here"}};
    const struct conf_table tables[] = {{log_keys, 1}, ops_conf, compute_conf, data_conf};
    r->arena = arena_new((size_t)1 << 30);
    r->who = ops_system();
    r->store = store;
    struct store_migration steps[64];
    size_t n = 0, pending = 0;
    for (size_t i = 0; i < ledger_n_migrations; i++)
        steps[n++] = ledger_migrations[i];
    for (size_t i = 0; i < ops_n_migrations; i++)
        steps[n++] = ops_migrations[i];
    for (size_t i = 0; i < compute_n_migrations; i++)
        steps[n++] = compute_migrations[i];
    for (size_t i = 0; i < data_n_migrations; i++)
        steps[n++] = data_migrations[i];
    for (size_t i = 0; i < privacy_n_migrations; i++)
        steps[n++] = privacy_migrations[i];
    for (size_t i = 0; i < room_n_more; i++)
        steps[n++] = room_more[i];
    enum err err = conf_load(tables, 4, NULL, NULL, 0, r->arena, &r->conf, &r->why);
    if (!err)
        err = store_migrate(store, steps, n, false, &pending, &r->why);
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
    struct privacy_opts privacy = {store, r->ops, r->dir};
    if (!err)
        err = privacy_open(&privacy, &r->privacy, &r->why);
    struct data_opts data = {store, r->objects, r->compute, r->ops, r->conf, r->dir, r->privacy};
    if (!err)
        err = data_open(&data, &r->data, &r->why);
    if (!err) {
        compute_bind(r->compute, &data_import_job, r->data);
        compute_bind(r->compute, &data_run_job, r->data);
    }
    return err;
}

__attribute__((unused)) static void room_close(struct room *r)
{
    data_close(r->data);
    privacy_close(r->privacy);
    compute_close(r->compute);
    ops_close(r->ops);
    objects_close(r->objects);
    if (r->own_store)
        store_close(r->store);
    arena_free(r->arena);
}

__attribute__((unused)) static bool room_fresh(struct room *r, struct store *store)
{
    *r = (struct room){.dir = "/tmp/yicheng-data-XXXXXX"};
    if (!mkdtemp(r->dir))
        return false;
    CHECK_OK(room_open(r, store), &r->why);
    return r->data != NULL;
}

__attribute__((unused)) static void room_done(struct room *r)
{
    char dir[64];
    memcpy(dir, r->dir, sizeof dir);
    room_close(r);
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
}

/* A file below the directory of the room; its path in the room's arena. */
__attribute__((unused)) static const char *room_file(struct room *r, const char *name,
                                                     const char *text)
{
    const char *dir = file_join(r->arena, r->dir, "in");
    char *path = file_join(r->arena, dir, name);
    CHECK_EQ(file_make_dirs(dir, NULL), ERR_OK);
    CHECK_EQ(file_write(path, str_c(text), 0640, NULL), ERR_OK);
    return path;
}

/* Runs a queued job here; its result. */
__attribute__((unused)) static const struct json *room_job(struct room *r, const char *id)
{
    struct job_info info = {.state = JOB_FAILED};
    const struct json *result = NULL;
    struct why why = {0};
    CHECK_OK(job_run(r->compute, id, &why), &why);
    CHECK_OK(job_find(r->compute, id, r->arena, &info, &why), &why);
    CHECK_EQ(info.state, JOB_DONE);
    CHECK_EQ(json_parse(info.result, r->arena, &result, NULL), ERR_OK);
    return result;
}

__attribute__((unused)) static const struct json *room_import(struct room *r, const char *spec)
{
    char id[UUID_TEXT] = "";
    struct why why = {0};
    CHECK_OK(data_import(r->data, &r->who, str_c(spec), id, &why), &why);
    return room_job(r, id);
}

__attribute__((unused)) static const struct json *room_run(struct room *r, const char *spec)
{
    char id[UUID_TEXT] = "";
    struct why why = {0};
    CHECK_OK(data_run(r->data, &r->who, str_c(spec), id, &why), &why);
    return room_job(r, id);
}

#endif
