/*
 * tests/acquire/room - collectors with all that they stand on, over an empty data directory.
 */
#ifndef TESTS_ACQUIRE_ROOM_H
#define TESTS_ACQUIRE_ROOM_H

#include <unistd.h>

#include "acquire/acquire.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "data/data.h"
#include "gateway/gateway.h"
#include "knowledge/knowledge.h"
#include "ledger/ledger.h"
#include "support/test_store.h"
#include "tap.h"

struct room {
    char dir[64];
    const char *networks; /* acquire.networks */
    struct arena *arena;
    const struct conf *conf;
    struct store *store;
    bool own_store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    struct data *data;
    struct knowledge *knowledge;
    struct gateway *gateway;
    struct acquire *acquire;
    struct ops_identity who;
    struct why why;
};

__attribute__((unused)) static enum err room_migrate(struct room *r)
{
    const struct {
        const struct store_migration *steps;
        size_t n;
    } rooms[] = {
        {ledger_migrations, ledger_n_migrations},   {ops_migrations, ops_n_migrations},
        {compute_migrations, compute_n_migrations}, {knowledge_migrations, knowledge_n_migrations},
        {data_migrations, data_n_migrations},       {gateway_migrations, gateway_n_migrations},
        {acquire_migrations, acquire_n_migrations}};
    struct store_migration steps[100];
    size_t n = 0, pending = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        for (size_t k = 0; k < rooms[i].n; k++)
            steps[n++] = rooms[i].steps[k];
    return store_migrate(r->store, steps, n, false, &pending, &r->why);
}

__attribute__((unused)) static enum err room_open(struct room *r, struct store *store)
{
    static const struct conf_key log_keys[] = {
        {"log.level", CONF_STR, "info", 0, 0, NULL, "Not used here"}};
    const struct conf_table tables[] = {{log_keys, 1},  ops_conf,     compute_conf, data_conf,
                                        knowledge_conf, gateway_conf, acquire_conf};
    char networks[200];
    const char *sets[] = {networks, "acquire.local_sockets=true"};
    (void)snprintf(networks, sizeof networks, "acquire.networks=%s",
                   r->networks ? r->networks : "");
    r->arena = arena_new((size_t)1 << 30);
    r->who = ops_system();
    r->store = store;
    enum err err = conf_load(tables, 7, NULL, sets, 2, r->arena, &r->conf, &r->why);
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
    struct data_opts data = {store, r->objects, r->compute, r->ops, r->conf, r->dir};
    if (!err)
        err = data_open(&data, &r->data, &r->why);
    struct knowledge_opts knowledge = {store, r->objects, r->compute, r->conf, r->dir, r->ops};
    if (!err)
        err = knowledge_open(&knowledge, &r->knowledge, &r->why);
    struct gateway_opts gateway = {.store = store, .ops = r->ops, .conf = r->conf};
    if (!err)
        err = gateway_open(&gateway, &r->gateway, &r->why);
    struct acquire_opts acquire = {store,        r->ops,     r->compute, r->data,
                                   r->knowledge, r->gateway, r->conf,    r->dir};
    if (!err)
        err = acquire_open(&acquire, &r->acquire, &r->why);
    if (!err) {
        compute_bind(r->compute, &data_import_job, r->data);
        compute_bind(r->compute, &acquire_run_job, r->acquire);
        compute_bind(r->compute, &acquire_try_job, r->acquire);
    }
    return err;
}

__attribute__((unused)) static void room_close(struct room *r)
{
    acquire_close(r->acquire);
    gateway_close(r->gateway);
    knowledge_close(r->knowledge);
    data_close(r->data);
    compute_close(r->compute);
    ops_close(r->ops);
    objects_close(r->objects);
    if (r->own_store)
        store_close(r->store);
    arena_free(r->arena);
}

__attribute__((unused)) static bool room_fresh(struct room *r, struct store *store)
{
    *r = (struct room){.dir = "/tmp/yicheng-acquire-XXXXXX", .networks = "127.0.0.1"};
    if (!mkdtemp(r->dir))
        return false;
    CHECK_OK(room_open(r, store), &r->why);
    return r->acquire != NULL;
}

__attribute__((unused)) static void room_done(struct room *r)
{
    char dir[64];
    memcpy(dir, r->dir, sizeof dir);
    room_close(r);
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
}

/* JSON with ' for " and @ for `what`. */
__attribute__((unused)) static const struct json *room_json(struct room *r, const char *form,
                                                            const char *what)
{
    struct buf buf;
    const struct json *json = NULL;
    struct why why = {0};
    buf_init(&buf, r->arena);
    for (; *form; form++)
        if (*form == '@')
            buf_add_c(&buf, what);
        else
            buf_char(&buf, *form == '\'' ? '"' : *form);
    CHECK_OK(json_parse(buf_str(&buf), r->arena, &json, &why), &why);
    return json;
}

/* What a function of the room writes, parsed. */
#define ASK(r, out_json, call)                                                                     \
    do {                                                                                           \
        struct buf ask_buf;                                                                        \
        struct json_out ask_out, *out = &ask_out;                                                  \
        struct why ask_why = {0};                                                                  \
        buf_init(&ask_buf, (r).arena);                                                             \
        json_out_init(out, &ask_buf);                                                              \
        CHECK_OK(call, &ask_why);                                                                  \
        if (ask_buf.len)                                                                           \
            CHECK_OK(json_parse(buf_str(&ask_buf), (r).arena, &(out_json), NULL), &ask_why);       \
    } while (0)

/* Runs a queued job here; its result, or NULL with why it failed. */
__attribute__((unused)) static const struct json *room_job(struct room *r, const char *id,
                                                           enum err *failed, struct why *why)
{
    struct job_info info = {.state = JOB_FAILED};
    const struct json *result = NULL;
    *failed = job_run(r->compute, id, why);
    CHECK_EQ(job_find(r->compute, id, r->arena, &info, NULL), ERR_OK);
    if (!*failed)
        CHECK_EQ(json_parse(info.result, r->arena, &result, NULL), ERR_OK);
    return result;
}

__attribute__((unused)) static const struct json *room_run(struct room *r, const char *name)
{
    char id[UUID_TEXT] = "";
    struct why why = {0};
    enum err failed = ERR_OK;
    CHECK_OK(acquire_run(r->acquire, &r->who, str_c(name), id, &why), &why);
    const struct json *result = room_job(r, id, &failed, &why);
    CHECK_OK(failed, &why);
    return result;
}

/* Values of a member ("text", or "row.name") of all records of a set, joined by '|'. */
__attribute__((unused)) static struct str room_values(struct room *r, const char *set,
                                                      const char *member, const char *inner)
{
    struct data_reader *reader = NULL;
    struct data_record record = {.line = STR("x")};
    struct buf buf;
    struct why why = {0};
    buf_init(&buf, r->arena);
    CHECK_OK(data_reader_open(r->data, &r->who, str_c(set), 0, &reader, &why), &why);
    for (int i = 0; reader; i++) {
        const struct json *json;
        struct str text;
        CHECK_OK(data_reader_next(reader, r->arena, &record, &why), &why);
        if (!record.line.ptr || json_parse(record.line, r->arena, &json, NULL))
            break;
        const struct json *value = json_get(json, member);
        if (inner)
            value = json_get(value, inner);
        text = json_str(value, STR("?"));
        if (json_kind(value) != JSON_KIND_STRING)
            (void)!json_dump(value, r->arena, &text, NULL);
        buf_printf(&buf, "%s%.*s", i ? "|" : "", STR_FMT(text));
    }
    data_reader_close(reader);
    return buf_str(&buf);
}

#endif
