/*
 * tests/synth/room - synthesis with all that it stands on, over an empty data directory, and a
 * model behind a door of the test's own.
 */
#ifndef TESTS_SYNTH_ROOM_H
#define TESTS_SYNTH_ROOM_H

#include "synth/synth.h"

#define ROOM_MEMBERS                                                                               \
    struct synth *synth;                                                                           \
    int n_calls; /* of the model */                                                                \
    bool unpriced;
#include "../data/base.h"

/* A price of the test's own: 2 a token, 1,000 a call. */
__attribute__((unused)) static enum err cost(void *ctx, const struct ops_identity *who,
                                             const struct synth_calls *calls,
                                             struct synth_cost *out, struct why *why)
{
    struct room *r = ctx;
    (void)who, (void)why;
    CHECK_STR(calls->model, "m");
    *out = (struct synth_cost){.priced = !r->unpriced,
                               .micro = 2 * (calls->prompt_tokens + calls->completion_tokens) +
                                        1000 * calls->n,
                               .currency = "CNY"};
    return ERR_OK;
}

/* A model: of three answers one is right, one invents, one is no list. */
__attribute__((unused)) static enum err say(void *ctx, const struct ops_identity *who,
                                            const char *path, struct str body, struct arena *arena,
                                            struct str *reply, struct why *why)
{
    static const char *const said[] = {
        "好的：```json\\n[{\\\"question\\\":\\\"公园收费吗\\\",\\\"answer\\\":\\\"公园免费开放\\\"}"
        ","
        "{\\\"question\\\":\\\"公园收费吗？\\\",\\\"answer\\\":\\\"公园免费开放\\\"},"
        "{\\\"question\\\":\\\"门票多少钱\\\",\\\"answer\\\":\\\"成人票五十元儿童半价\\\"}]\\n```",
        "抱歉，我不能。"};
    struct room *r = ctx;
    const struct json *json = NULL;
    (void)who;
    CHECK(!strcmp(path, "chat/completions"));
    CHECK_EQ(json_parse(body, arena, &json, NULL), ERR_OK);
    CHECK_STR(json_get_str(json, "model", STR("")), "m");
    if (r->n_calls++ == 2)
        return err_set(why, ERR_UNAVAILABLE, "the model is away");
    *reply = str_printf(arena,
                        "{\"choices\":[{\"message\":{\"content\":\"%s\"}}],\"usage\":{"
                        "\"prompt_tokens\":100,\"completion_tokens\":50}}",
                        said[(r->n_calls - 1) % 2]);
    return ERR_OK;
}

static inline enum err synthesis_open(struct room *r)
{
    struct synth_opts synth = {.store = r->store,
                               .compute = r->compute,
                               .data = r->data,
                               .models = r->models,
                               .price = {r, cost}};
    struct models_door door = {r, say};
    enum err err = synth_open(&synth, &r->synth, &r->why);
    if (!err) {
        models_set_door(r->models, &door);
        compute_bind(r->compute, &synth_run_job, r->synth);
    }
    return err;
}

static inline void synthesis_close(struct room *r)
{
    synth_close(r->synth);
}

static struct room_above room_above(struct room *r)
{
    (void)r;
    return (struct room_above){.open = synthesis_open, .close = synthesis_close};
}

#define FRESH(r)                                                                                   \
    struct room r = {.dir = "/tmp/yicheng-synth-XXXXXX"};                                          \
    FRESH_STORE(store, 4);                                                                         \
    if (!mkdtemp((r).dir))                                                                         \
        SKIP("no folder");                                                                         \
    CHECK_OK(room_open(&(r), store), &(r).why)

#define DONE(r)                                                                                    \
    do {                                                                                           \
        room_done(&(r));                                                                           \
        test_store_done(store);                                                                    \
    } while (0)

__attribute__((unused)) static const struct json *job(struct room *r, const char *id, enum err want)
{
    struct job_info info;
    struct why why = {0};
    const struct json *result = NULL;
    enum err err = job_run(r->compute, id, &why);
    if (err != want)
        printf("# the job said: %s\n", why_text(&why, err));
    CHECK_EQ(err, want);
    CHECK_EQ(job_find(r->compute, id, r->arena, &info, NULL), ERR_OK);
    if (!err)
        CHECK_EQ(json_parse(info.result, r->arena, &result, NULL), ERR_OK);
    return result;
}

/* ' for " */
__attribute__((unused)) static struct str quoted(struct room *r, const char *form)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (; *form; form++)
        buf_char(&buf, *form == '\'' ? '"' : *form);
    return buf_str(&buf);
}

__attribute__((unused)) static void import(struct room *r, const char *set, const char *lines)
{
    char id[UUID_TEXT], name[40];
    struct why why = {0};
    (void)snprintf(name, sizeof name, "%s.jsonl", set);
    const char *path = file_join(r->arena, r->dir, name);
    CHECK_EQ(file_write(path, quoted(r, lines), 0640, NULL), ERR_OK);
    struct str spec = str_printf(r->arena, "{\"dataset\":\"%s\",\"paths\":[\"%s\"]}", set, path);
    CHECK_OK(data_import(r->data, &r->who, spec, id, &why), &why);
    (void)job(r, id, ERR_OK);
}

__attribute__((unused)) static const struct json *start(struct room *r, const char *spec)
{
    char id[UUID_TEXT];
    struct why why = {0};
    CHECK_OK(synth_start(r->synth, &r->who, quoted(r, spec), id, &why), &why);
    return job(r, id, ERR_OK);
}

__attribute__((unused)) static const struct json *record_of(struct room *r, const char *set,
                                                            int64_t i)
{
    struct data_reader *reader = NULL;
    struct data_record record = {.line = STR("{}")};
    const struct json *json = NULL;
    struct why why = {0};
    CHECK_OK(data_reader_open(r->data, &r->who, str_c(set), 0, &reader, &why), &why);
    if (reader)
        CHECK_OK(data_reader_at(reader, i, r->arena, &record, &why), &why);
    data_reader_close(reader);
    CHECK_EQ(json_parse(record.line, r->arena, &json, NULL), ERR_OK);
    return json;
}

#define LAWS                                                                                                                       \
    "{'title':'公园条例','text':'第一条 公园免费开放。\\n第二条 游客不得损坏公园的设施和植物。\\n" \
    "第三条 本条例自2026年1月1日起施行。'}\n"                                                                        \
    "{'title':'停车办法','text':'第一条 停车场经营者应当明码标价收取停车费。\\n第二条 "                \
    "违反本办法规定，占用消防通道停车的，由公安机关处二百元罚款。'}\n"

#endif
