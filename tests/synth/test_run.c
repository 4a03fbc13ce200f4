/* Synthesis over whole data sets, by rules and by a model behind a door of the test's own. */
#include <signal.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "room.h"
#include "support/small_disk.h"

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

static const struct json *estimated(struct room *r, const char *spec)
{
    struct buf buf;
    struct json_out out;
    const struct json *got = NULL;
    struct why why = {0};
    buf_init(&buf, r->arena);
    json_out_init(&out, &buf);
    CHECK_OK(synth_estimate_json(r->synth, &r->who, quoted(r, spec), r->arena, &out, &why), &why);
    CHECK_OK(json_parse(buf_str(&buf), r->arena, &got, &why), &why);
    return got;
}

TEST(an_estimate_counts_and_calls_nothing)
{
    static const char spec[] = "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':"
                               "'questions','model':'m','budget':{'tokens':100}}";
    FRESH(r);
    import(&r, "laws", LAWS);
    const struct json *got = estimated(&r, spec);
    CHECK_EQ(json_get_int(got, "n_passages", 0), 5);
    CHECK_EQ(json_get_int(got, "n_calls", 0), 5);
    CHECK(json_get_int(got, "tokens", 0) > 500);
    CHECK_EQ(json_get_int(got, "cost_micro", 0), 2 * json_get_int(got, "tokens", 0) + 5000);
    CHECK_STR(json_get_str(got, "currency", STR("")), "CNY");
    CHECK(!json_get_bool(got, "within_budget", true));
    CHECK(json_len(json_get(got, "examples")) > 0);
    CHECK_EQ(r.n_calls, 0);
    r.unpriced = true;
    CHECK(json_kind(json_get(estimated(&r, spec), "cost_micro")) == JSON_KIND_NULL);
    /* The rules cost nothing, priced or not. */
    got = estimated(&r, "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':"
                        "'questions'}");
    CHECK_EQ(json_get_int(got, "cost_micro", -1), 0);
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

struct small_run {
    const char *dir, *db, *job;
    struct str manifest;
};

/* The folder of the centre on a small disk that grows from try to try; the database, and what the
 * folder held, are elsewhere. What room data writes for synthesis, collectors and annotation alike.
 */
static int on_small_disk(void *ctx)
{
    const struct small_run *s = ctx;
    const char *dir = s->dir, *db = s->db, *job = s->job;
    char back[200];
    (void)snprintf(back, sizeof back, "cp -a %s/kept %s/objects", db, dir);
    if (!small_disk_mount(dir, (size_t)64 << 20) || system(back) != 0)
        return SMALL_DISK_NONE;
    struct job_info info = {.state = JOB_FAILED};
    struct room r = {.own_store = true};
    struct why why = {0};
    const struct json *result = NULL;
    bool was_full = false;
    (void)snprintf(r.dir, sizeof r.dir, "%s", dir);
    if (room_open(&r, open_store(db)) != ERR_OK)
        return 2;
    struct statvfs disk;
    if (statvfs(dir, &disk) != 0)
        return SMALL_DISK_NONE;
    unsigned used = (unsigned)((disk.f_blocks - disk.f_bfree) * disk.f_frsize >> 10);
    for (unsigned kib = used + 40; kib < (1u << 17); kib += 200) {
        if (!small_disk_resize(dir, (size_t)kib << 10))
            return SMALL_DISK_NONE;
        why = (struct why){0};
        enum err err = job_run(r.compute, job, &why);
        if (err == ERR_OK)
            break;
        if (err != ERR_NO_SPACE) {
            printf("# %s\n", why_text(&why, err));
            return 3;
        }
        was_full = true;
        if (job_find(r.compute, job, r.arena, &info, NULL) || info.state == JOB_RUNNING)
            return 4;
        if (info.state == JOB_FAILED && job_retry(r.compute, &r.who, job, &why) != ERR_OK)
            return 5;
    }
    if (job_find(r.compute, job, r.arena, &info, NULL) || info.state != JOB_DONE ||
        json_parse(info.result, r.arena, &result, NULL))
        return 6;
    return !was_full ? 7 : str_eq(json_get_str(result, "manifest", STR("")), s->manifest) ? 0 : 8;
}

TEST(a_full_disk_is_said_and_the_run_goes_on_when_there_is_room)
{
    struct room r = {.dir = "/tmp/yicheng-synth-XXXXXX", .own_store = true};
    char db[64] = "/tmp/yicheng-synthdb-XXXXXX", copy[160], id[UUID_TEXT];
    struct buf lines;
    struct why why = {0};
    CHECK(mkdtemp(r.dir) != NULL && mkdtemp(db) != NULL);
    CHECK_OK(room_open(&r, open_store(db)), &r.why);
    buf_init(&lines, r.arena);
    for (int i = 0; i < 1500; i++)
        buf_printf(&lines,
                   "{'title':'第%d号办法','text':'第一条 第%d类经营者应当在门店明码标价。\\n第二条 "
                   "第%d类经营者不得哄抬价格。'}\n",
                   i, i, i % 900);
    import(&r, "many", lines.ptr);
    static const char spec[] =
        "{'input':{'dataset':'many'},'output':{'dataset':'%s'},'method':'negatives'}";
    char one[200];
    (void)snprintf(one, sizeof one, spec, "calm");
    struct str manifest = str_copy(r.arena, json_get_str(start(&r, one), "manifest", STR("none")));
    (void)snprintf(one, sizeof one, spec, "rough");
    CHECK_OK(synth_start(r.synth, &r.who, quoted(&r, one), id, &why), &why);
    (void)snprintf(copy, sizeof copy, "cp -a %s/objects %s/kept", r.dir, db);
    CHECK_EQ(system(copy), 0);
    CHECK_SMALL_DISK(on_small_disk, (&(struct small_run){r.dir, db, id, manifest}));
    room_done(&r);
    CHECK_EQ(file_remove(db, NULL), ERR_OK);
}

TESTS_MAIN()
