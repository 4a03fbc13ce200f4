/*
 * tests/acquire/room - collectors with all that they stand on, over an empty data directory.
 */
#ifndef TESTS_ACQUIRE_ROOM_H
#define TESTS_ACQUIRE_ROOM_H

#include "acquire/acquire.h"
#include "gateway/gateway.h"
#include "knowledge/knowledge.h"

#define ROOM_MEMBERS                                                                               \
    const char *networks; /* acquire.networks; NULL: none */                                       \
    char networks_set[200];                                                                        \
    struct knowledge *knowledge;                                                                   \
    struct gateway *gateway;                                                                       \
    struct acquire *acquire;
#include "../data/base.h"

static inline enum err collectors_open(struct room *r)
{
    struct knowledge_opts knowledge = {r->store, r->objects, r->compute, r->conf, r->dir, r->ops};
    enum err err = knowledge_open(&knowledge, &r->knowledge, &r->why);
    struct gateway_opts gateway = {.store = r->store, .ops = r->ops, .conf = r->conf};
    if (!err)
        err = gateway_open(&gateway, &r->gateway, &r->why);
    struct acquire_opts acquire = {r->store,     r->ops,     r->compute, r->data,
                                   r->knowledge, r->gateway, r->conf,    r->dir};
    if (!err)
        err = acquire_open(&acquire, &r->acquire, &r->why);
    if (!err) {
        compute_bind(r->compute, &acquire_run_job, r->acquire);
        compute_bind(r->compute, &acquire_try_job, r->acquire);
    }
    return err;
}

static inline void collectors_close(struct room *r)
{
    acquire_close(r->acquire);
    gateway_close(r->gateway);
    knowledge_close(r->knowledge);
}

static struct room_above room_above(struct room *r)
{
    (void)snprintf(r->networks_set, sizeof r->networks_set, "acquire.networks=%s",
                   r->networks ? r->networks : "");
    return (struct room_above){.steps = {{knowledge_migrations, knowledge_n_migrations},
                                         {gateway_migrations, gateway_n_migrations},
                                         {acquire_migrations, acquire_n_migrations}},
                               .tables = {knowledge_conf, gateway_conf, acquire_conf},
                               .n_tables = 3,
                               .sets = {r->networks_set, "acquire.local_sockets=true"},
                               .n_sets = 2,
                               .open = collectors_open,
                               .close = collectors_close};
}

/* Collectors that may reach this machine. */
static inline bool collectors_fresh(struct room *r, struct store *store)
{
    *r = (struct room){.dir = "/tmp/yicheng-room-XXXXXX", .networks = "127.0.0.1"};
    if (!mkdtemp(r->dir))
        return false;
    enum err err = room_open(r, store);
    CHECK_OK(err, &r->why);
    return err == ERR_OK;
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
