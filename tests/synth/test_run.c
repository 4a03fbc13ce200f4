/* Synthesis over whole data sets, by rules and by a model behind a door of the test's own. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "data/data.h"
#include "ledger/ledger.h"
#include "models/models.h"
#include "support/test_store.h"
#include "synth/synth.h"
#include "tap.h"

struct room {
    char dir[64];
    struct arena *arena;
    const struct conf *conf;
    struct store *store;
    bool own_store;
    struct objects *objects;
    struct ops *ops;
    struct compute *compute;
    struct models *models;
    struct data *data;
    struct synth *synth;
    struct ops_identity who;
    struct why why;
    int n_calls;
};

/* A model: of three answers one is right, one invents, one is no list. */
static enum err say(void *ctx, const struct ops_identity *who, const char *path, struct str body,
                    struct arena *arena, struct str *reply, struct why *why)
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

static enum err room_open(struct room *r, struct store *store)
{
    static const struct conf_key log_keys[] = {
        {"log.level", CONF_STR, "info", 0, 0, NULL, "Not used here"}};
    const struct conf_table tables[] = {
        {log_keys, 1}, ops_conf, compute_conf, data_conf, models_conf};
    const struct {
        const struct store_migration *steps;
        size_t n;
    } rooms[] = {{ledger_migrations, ledger_n_migrations},
                 {ops_migrations, ops_n_migrations},
                 {compute_migrations, compute_n_migrations},
                 {models_migrations, models_n_migrations},
                 {data_migrations, data_n_migrations}};
    struct store_migration steps[100];
    size_t n = 0, pending = 0;
    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++)
        for (size_t k = 0; k < rooms[i].n; k++)
            steps[n++] = rooms[i].steps[k];
    r->arena = arena_new((size_t)1 << 30);
    r->who = ops_system();
    r->store = store;
    enum err err = conf_load(tables, 5, NULL, NULL, 0, r->arena, &r->conf, &r->why);
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
    struct models_opts models = {.store = store,
                                 .objects = r->objects,
                                 .ops = r->ops,
                                 .compute = r->compute,
                                 .conf = r->conf,
                                 .data_dir = r->dir,
                                 .program = "/bin/false"};
    if (!err)
        err = models_open(&models, &r->models, &r->why);
    struct data_opts data = {.store = store,
                             .objects = r->objects,
                             .compute = r->compute,
                             .ops = r->ops,
                             .conf = r->conf,
                             .data_dir = r->dir};
    if (!err)
        err = data_open(&data, &r->data, &r->why);
    struct synth_opts synth = {store, r->compute, r->data, r->models};
    if (!err)
        err = synth_open(&synth, &r->synth, &r->why);
    if (!err) {
        struct models_door door = {r, say};
        models_set_door(r->models, &door);
        compute_bind(r->compute, &data_import_job, r->data);
        compute_bind(r->compute, &synth_run_job, r->synth);
    }
    return err;
}

static void room_close(struct room *r)
{
    synth_close(r->synth);
    data_close(r->data);
    models_close(r->models);
    compute_close(r->compute);
    ops_close(r->ops);
    objects_close(r->objects);
    if (r->own_store)
        store_close(r->store);
    arena_free(r->arena);
}

static void room_done(struct room *r)
{
    char dir[64];
    memcpy(dir, r->dir, sizeof dir);
    room_close(r);
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
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

static const struct json *job(struct room *r, const char *id, enum err want)
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
static struct str quoted(struct room *r, const char *form)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    for (; *form; form++)
        buf_char(&buf, *form == '\'' ? '"' : *form);
    return buf_str(&buf);
}

static void import(struct room *r, const char *set, const char *lines)
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

static const struct json *start(struct room *r, const char *spec)
{
    char id[UUID_TEXT];
    struct why why = {0};
    CHECK_OK(synth_start(r->synth, &r->who, quoted(r, spec), id, &why), &why);
    return job(r, id, ERR_OK);
}

static const struct json *record_of(struct room *r, const char *set, int64_t i)
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

TEST(rules_make_labelled_records_with_the_way_back)
{
    FRESH(r);
    import(&r, "laws", LAWS);
    const struct json *got =
        start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':'questions'}");
    CHECK_EQ(json_get_int(got, "number", 0), 1);
    CHECK_EQ(json_get_int(got, "n_passages", 0), 5);
    CHECK_EQ(json_get_int(got, "n_calls", -1), 0);
    int64_t n = json_get_int(got, "n_records", 0);
    CHECK_EQ(n,
             4); /* an article whose answer is asked for already is not asked for by its number */
    for (int64_t i = 0; i < n; i++) {
        const struct json *record = record_of(&r, "qa", i), *meta = json_get(record, "meta");
        CHECK(json_get_bool(meta, "synthetic", false));
        CHECK_STR(json_get_str(meta, "model", STR("")), "rules");
        struct str id = json_get_str(record, "id", STR("")),
                   parent = json_get_str(meta, "parent", STR("?"));
        CHECK(str_starts(id, parent) && id.len > parent.len);
        CHECK(str_find(json_get_str(record, "context", STR("")),
                       json_get_str(record, "answer", STR("?"))) != STR_NPOS);
    }
    /* The same again: nothing new when it is appended. */
    got = start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':'questions',"
                    "'append':true}");
    CHECK(!json_get_bool(got, "made", true));
    /* Other methods of the same input. */
    got = start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'neg'},'method':'negatives'}");
    CHECK(json_get_int(got, "n_records", 0) > 0);
    CHECK(!json_get_bool(json_get(record_of(&r, "neg", 0), "meta"), "answerable", true));
    got =
        start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'do'},'method':'instructions'}");
    CHECK_EQ(json_get_int(got, "n_records", 0), n);
    CHECK_EQ(json_len(json_get(record_of(&r, "do", 0), "messages")), 2);
    got =
        start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'talk'},'method':'dialogues'}");
    CHECK(json_get_int(got, "n_records", 0) > 0);
    CHECK(json_len(json_get(record_of(&r, "talk", 0), "messages")) >= 4);
    got = start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'slips'},'method':'errors'}");
    CHECK(json_get_int(got, "n_records", 0) >= 4);
    const struct json *slip = record_of(&r, "slips", 0);
    CHECK(json_len(json_get(slip, "spans")) > 0);
    CHECK(!str_eq(json_get_str(slip, "text", STR("")), json_get_str(slip, "corrected", STR(""))));
    /* And of what was made: other ways to ask, none that is there already. */
    got =
        start(&r, "{'input':{'dataset':'qa'},'output':{'dataset':'more'},'method':'paraphrases'}");
    CHECK(json_get_int(got, "n_records", 0) > n);
    CHECK(str_eq(json_get_str(record_of(&r, "more", 0), "answer", STR("1")),
                 json_get_str(record_of(&r, "qa", 0), "answer", STR("2"))));
    DONE(r);
}

TEST(a_model_is_checked_counted_and_held_to_its_budget)
{
    FRESH(r);
    import(&r, "laws", LAWS);
    const struct json *got = start(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},"
                                       "'method':'questions','model':'m','budget':{'calls':4}}");
    CHECK_EQ(r.n_calls, 4);
    CHECK_STR(json_get_str(got, "stopped", STR("")), "budget");
    CHECK_EQ(json_get_int(got, "n_calls", 0), 4);
    CHECK_EQ(json_get_int(got, "prompt_tokens", 0), 300); /* one call failed */
    CHECK_EQ(json_get_int(got, "n_records", 0), 1);
    const struct json *rejected = json_get(got, "rejected");
    CHECK_EQ(json_get_int(rejected, "duplicate", -1), 1);
    CHECK_EQ(json_get_int(rejected, "unsupported", -1), 1);
    CHECK_EQ(json_get_int(rejected, "malformed", -1), 2);
    const struct json *meta = json_get(record_of(&r, "qa", 0), "meta");
    CHECK_STR(json_get_str(meta, "model", STR("")), "m");
    CHECK_STR(json_get_str(meta, "template", STR("")), "model");
    DONE(r);
}

TEST(an_estimate_counts_and_calls_nothing)
{
    FRESH(r);
    struct buf buf;
    struct json_out out;
    const struct json *got;
    struct why why = {0};
    import(&r, "laws", LAWS);
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(synth_estimate_json(
                 r.synth, &r.who,
                 quoted(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':"
                            "'questions','model':'m','budget':{'tokens':100}}"),
                 r.arena, &out, &why),
             &why);
    CHECK_OK(json_parse(buf_str(&buf), r.arena, &got, &why), &why);
    CHECK_EQ(json_get_int(got, "n_passages", 0), 5);
    CHECK_EQ(json_get_int(got, "n_calls", 0), 5);
    CHECK(json_get_int(got, "tokens", 0) > 500);
    CHECK(!json_get_bool(got, "within_budget", true));
    CHECK(json_len(json_get(got, "examples")) > 0);
    CHECK_EQ(r.n_calls, 0);
    DONE(r);
}

TEST(wrong_specs_are_told_in_words)
{
    static const struct {
        const char *spec, *words;
        enum err err;
    } cases[] = {
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'poems'}", "no method",
         ERR_INVALID},
        {"{'input':{'dataset':'none'},'output':{'dataset':'x'},'method':'questions'}",
         "no data set", ERR_NOT_FOUND},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'laws'},'method':'questions'}",
         "another data set", ERR_INVALID},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'paraphrases'}",
         "records of qa", ERR_INVALID},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'errors','model':'m'}",
         "by rules alone", ERR_INVALID},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'errors','seeds':1}",
         "no member \"seeds\"", ERR_INVALID},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'errors','per_passage':0}",
         "from 1 to 20", ERR_INVALID},
    };
    FRESH(r);
    import(&r, "laws", LAWS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char id[UUID_TEXT];
        struct why why = {0};
        CHECK_EQ(synth_start(r.synth, &r.who, quoted(&r, cases[i].spec), id, &why), cases[i].err);
        if (!strstr(why.text, cases[i].words))
            printf("# said: %s\n", why.text);
        CHECK(strstr(why.text, cases[i].words) != NULL);
    }
    struct ops_identity reader = r.who;
    char id[UUID_TEXT];
    reader.kind = STR("user");
    reader.permissions = ops_permission_bit(STR("data.read"));
    CHECK_EQ(synth_start(r.synth, &reader, quoted(&r, cases[0].spec), id, NULL), ERR_FORBIDDEN);
    reader.permissions |= ops_permission_bit(STR("data.write"));
    CHECK_EQ(synth_start(r.synth, &reader,
                         quoted(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'x'},"
                                    "'method':'questions','model':'m'}"),
                         id, NULL),
             ERR_FORBIDDEN); /* model.use */
    DONE(r);
}

/* ---- deaths ---- */

static struct store *open_store(const char *dir)
{
    static char path[128];
    struct store *store = NULL;
    (void)snprintf(path, sizeof path, "%s/yicheng.db", dir);
    struct store_opts opts = {.url = path, .busy_timeout_ms = 20000, .n_connections = 4};
    CHECK_EQ(store_open(&opts, &store, NULL), ERR_OK);
    return store;
}

static bool killed(const struct room *r, const char *id, useconds_t us)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct room own = {.own_store = true};
        memcpy(own.dir, r->dir, sizeof own.dir);
        if (room_open(&own, open_store(own.dir)) != ERR_OK)
            _exit(2);
        _exit(job_run(own.compute, id, NULL) != ERR_OK);
    }
    (void)usleep(us);
    (void)kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

TEST(killed_again_and_again_it_makes_the_same)
{
    struct room r = {.dir = "/tmp/yicheng-synth-XXXXXX", .own_store = true};
    struct buf lines;
    char id[UUID_TEXT];
    struct why why = {0};
    struct job_info info = {.state = JOB_QUEUED};
    int kills = 0;
    CHECK(mkdtemp(r.dir) != NULL);
    CHECK_OK(room_open(&r, open_store(r.dir)), &r.why);
    buf_init(&lines, r.arena);
    for (int i = 0; i < 3000; i++)
        buf_printf(&lines,
                   "{'title':'第%d号办法','text':'第一条 第%d类经营者应当在门店明码标价。\\n第二条 "
                   "第%d类经营者不得哄抬价格。\\n第三条 本办法自2026年%d月1日起施行。'}\n",
                   i, i, i % 900, i % 12 + 1);
    import(&r, "many", lines.ptr);
    const char *spec =
        "{'input':{'dataset':'many'},'output':{'dataset':'%s'},'method':'negatives'}";
    char rough[200], calm[200];
    (void)snprintf(rough, sizeof rough, spec, "rough");
    (void)snprintf(calm, sizeof calm, spec, "calm");
    CHECK_OK(synth_start(r.synth, &r.who, quoted(&r, rough), id, &why), &why);
    for (useconds_t us = 15000; us < 3000000 && info.state != JOB_DONE; us = us * 4 / 3) {
        kills += killed(&r, id, us);
        CHECK_EQ(job_find(r.compute, id, r.arena, &info, NULL), ERR_OK);
    }
    const struct json *a = NULL, *b = start(&r, calm);
    if (info.state != JOB_DONE)
        a = job(&r, id, ERR_OK);
    else
        CHECK_EQ(json_parse(info.result, r.arena, &a, NULL), ERR_OK);
    CHECK(kills >= 2);
    CHECK(json_get_int(b, "n_records", 0) > 3000);
    CHECK(str_eq(json_get_str(a, "manifest", STR("a")), json_get_str(b, "manifest", STR("b"))));
    CHECK_EQ(json_get_int(a, "n_rejected", -1), json_get_int(b, "n_rejected", -2));
    room_done(&r);
}

TESTS_MAIN()
