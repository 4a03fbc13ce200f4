/*
 * tests/release/room - a release room with all that it stands on, over an empty data directory.
 */
#ifndef TESTS_RELEASE_ROOM_H
#define TESTS_RELEASE_ROOM_H

#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "ledger/ledger.h"
#include "release/release.h"
#include "support/test_store.h"
#include "tap.h"

struct room {
    char dir[64];
    struct arena *arena;
    const struct conf *conf;
    struct store *store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    struct data *data;
    struct release *release;
    struct ops_identity who;   /* the city */
    struct ops_identity water; /* another tenant */
    struct why why;
};

static inline size_t room_steps(struct store_migration *to)
{
    const struct {
        const struct store_migration *steps;
        size_t n;
    } rooms[] = {{ledger_migrations, ledger_n_migrations},
                 {ops_migrations, ops_n_migrations},
                 {compute_migrations, compute_n_migrations},
                 {data_migrations, data_n_migrations},
                 {release_migrations, release_n_migrations}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        for (size_t k = 0; k < rooms[i].n; k++)
            to[n++] = rooms[i].steps[k];
    return n;
}

/* What stands on the store; also for a child that opens the same again. */
static inline enum err room_open(struct room *r)
{
    static const struct conf_key log_keys[] = {
        {"log.level", CONF_STR, "info", 0, 0, NULL, "Not used here"}};
    const struct conf_table tables[] = {
        {log_keys, 1}, ops_conf, compute_conf, data_conf, release_conf};
    struct store_migration steps[64];
    size_t n = room_steps(steps), pending = 0;
    enum err err = conf_load(tables, 5, NULL, NULL, 0, r->arena, &r->conf, &r->why);
    if (!err)
        err = store_migrate(r->store, steps, n, false, &pending, &r->why);
    if (!err)
        err = objects_open(file_join(r->arena, r->dir, "objects"), &r->objects, &r->why);
    if (!err)
        err = ops_open(r->store, r->conf, &r->ops, &r->why);
    struct compute_opts compute = {.store = r->store,
                                   .ops = r->ops,
                                   .conf = r->conf,
                                   .data_dir = r->dir,
                                   .program = "/bin/false",
                                   .program_args = (const char *const[]){NULL}};
    if (!err)
        err = compute_open(&compute, &r->compute, &r->why);
    struct data_opts data = {.store = r->store,
                             .objects = r->objects,
                             .compute = r->compute,
                             .ops = r->ops,
                             .conf = r->conf,
                             .data_dir = r->dir};
    if (!err)
        err = data_open(&data, &r->data, &r->why);
    struct release_opts release = {r->store, r->objects, r->compute, r->ops,
                                   r->data,  r->conf,    r->dir};
    if (!err)
        err = release_open(&release, &r->release, &r->why);
    if (!err) {
        compute_bind(r->compute, &data_import_job, r->data);
        compute_bind(r->compute, &data_run_job, r->data);
        compute_bind(r->compute, &release_report_job, r->release);
        compute_bind(r->compute, &release_gate_job, r->release);
        compute_bind(r->compute, &release_make_job, r->release);
        compute_bind(r->compute, &release_export_job, r->release);
    }
    return err;
}

static inline bool room_fresh(struct room *r, struct store *store)
{
    struct str text;
    *r = (struct room){.dir = "/tmp/yicheng-release-XXXXXX", .store = store, .who = ops_system()};
    r->arena = arena_new((size_t)1 << 30);
    if (!mkdtemp(r->dir) || !r->arena)
        return false;
    CHECK_OK(room_open(r), &r->why);
    if (!r->release)
        return false;
    CHECK_OK(ops_bootstrap(r->ops, r->arena, &text, &r->why), &r->why);
    r->water = ops_system();
    CHECK_OK(ops_tenant_create(r->ops, &r->who, STR("water"), STR("水务集团"), r->arena,
                               &r->water.tenant, &r->why),
             &r->why);
    return true;
}

static inline void room_done(struct room *r)
{
    char dir[64];
    memcpy(dir, r->dir, sizeof dir);
    release_close(r->release);
    data_close(r->data);
    compute_close(r->compute);
    ops_close(r->ops);
    objects_close(r->objects);
    arena_free(r->arena);
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
}

#define FRESH(r)                                                                                   \
    struct room r;                                                                                 \
    FRESH_STORE(store, 6);                                                                         \
    if (!room_fresh(&(r), store))                                                                  \
    SKIP("no room")

#define DONE(r)                                                                                    \
    do {                                                                                           \
        room_done(&(r));                                                                           \
        test_store_done(store);                                                                    \
    } while (0)

/* What a *_json function writes, parsed. */
#define ASK(r, out, call)                                                                          \
    do {                                                                                           \
        struct buf ask_buf;                                                                        \
        struct json_out json;                                                                      \
        struct why ask_why = {0};                                                                  \
        buf_init(&ask_buf, (r).arena);                                                             \
        json_out_init(&json, &ask_buf);                                                            \
        CHECK_OK(call, &ask_why);                                                                  \
        CHECK_OK(json_parse(buf_str(&ask_buf), (r).arena, &(out), &ask_why), &ask_why);            \
    } while (0)

/* A JSON text with ' for ". */
static inline const struct json *of(struct room *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static inline const struct json *of(struct room *r, const char *fmt, ...)
{
    char *text = arena_bytes(r->arena, 4096);
    const struct json *out = NULL;
    va_list args;
    struct why why = {0};
    va_start(args, fmt);
    int n = vsnprintf(text, 4096, fmt, args);
    va_end(args);
    for (int i = 0; i < n; i++)
        if (text[i] == '\'')
            text[i] = '"';
    CHECK_OK(json_parse(str_c(text), r->arena, &out, &why), &why);
    return out;
}

static inline enum err room_run(struct room *r, const char *job, struct why *why)
{
    return job_run(r->compute, job, why);
}

/* A data set out of these lines; the collection as JSON with ' for ". */
static inline void room_set(struct room *r, const char *name, struct str lines, const char *kind,
                            const char *collection)
{
    char path[128], id[UUID_TEXT], spec[2048];
    struct why why = {0};
    (void)snprintf(path, sizeof path, "%s/%s.jsonl", r->dir, name);
    CHECK_OK(file_write(path, lines, 0640, &why), &why);
    (void)snprintf(spec, sizeof spec,
                   "{'dataset':'%s','title':'%s','kind':'%s','paths':['%s'],'collection':%s}", name,
                   name, kind, path, collection);
    for (char *p = spec; *p; p++)
        if (*p == '\'')
            *p = '"';
    CHECK_OK(data_import(r->data, &r->who, str_c(spec), id, &why), &why);
    CHECK_OK(room_run(r, id, &why), &why);
}

#endif
