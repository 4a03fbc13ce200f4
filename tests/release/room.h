/*
 * tests/release/room - a release room with all that it stands on, over an empty data directory.
 */
#ifndef TESTS_RELEASE_ROOM_H
#define TESTS_RELEASE_ROOM_H

#include <stdarg.h>

#include "release/release.h"

#define ROOM_MEMBERS                                                                               \
    struct release *release;                                                                       \
    struct ops_identity water; /* another tenant; `who` is the city */
#include "../data/base.h"

static inline enum err releases_open(struct room *r)
{
    struct release_opts release = {r->store, r->objects, r->compute, r->ops,
                                   r->data,  r->conf,    r->dir};
    enum err err = release_open(&release, &r->release, &r->why);
    if (!err) {
        compute_bind(r->compute, &release_report_job, r->release);
        compute_bind(r->compute, &release_gate_job, r->release);
        compute_bind(r->compute, &release_make_job, r->release);
        compute_bind(r->compute, &release_export_job, r->release);
    }
    return err;
}

static inline void releases_close(struct room *r)
{
    release_close(r->release);
}

static struct room_above room_above(struct room *r)
{
    (void)r;
    return (struct room_above){.steps = {{release_migrations, release_n_migrations}},
                               .tables = {release_conf},
                               .n_tables = 1,
                               .open = releases_open,
                               .close = releases_close};
}

static inline bool releases_fresh(struct room *r, struct store *store)
{
    struct str text;
    if (!room_fresh(r, store))
        return false;
    CHECK_OK(ops_bootstrap(r->ops, r->arena, &text, &r->why), &r->why);
    r->water = ops_system();
    CHECK_OK(ops_tenant_create(r->ops, &r->who, STR("water"), STR("水务集团"), r->arena,
                               &r->water.tenant, &r->why),
             &r->why);
    return true;
}

#define FRESH(r)                                                                                   \
    struct room r;                                                                                 \
    FRESH_STORE(store, 6);                                                                         \
    if (!releases_fresh(&(r), store))                                                              \
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
