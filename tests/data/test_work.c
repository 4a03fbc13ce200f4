/* Runs over many shards: the same bytes with any number of threads, processes and deaths. */
#include "room.h"

#include <signal.h>
#include <sys/wait.h>

#include "core/time.h"
#include "data/work.h"

#define SHARDS 24

struct many {
    struct arena *arena;
    char dir[64];
    struct work_input shards[SHARDS];
    struct pipeline pipeline;
};

static void make_shard(struct many *m, size_t i)
{
    struct buf buf;
    buf_init(&buf, m->arena);
    for (int k = 0; k < 400; k++)
        buf_printf(&buf, "{\"id\":\"s%zu-%d\",\"text\":\"%s第%d条 内容%d\"}\n", i, k,
                   k % 3 ? "" : "  ", k, k % 7 == 0 ? 7 : k);
    m->shards[i].path = str_z(m->arena, str_printf(m->arena, "%s/in%zu", m->dir, i));
    m->shards[i].input = i % 2;
    CHECK_EQ(file_write(m->shards[i].path, buf_str(&buf), 0640, NULL), ERR_OK);
}

static void many_open(struct many *m)
{
    static const char spec[] =
        "{\"inputs\":[{\"dataset\":\"a\"},{\"dataset\":\"b\"}],\"output\":{\"dataset\":\"c\"},"
        "\"seed\":3,\"steps\":[{\"op\":\"trim\"},{\"op\":\"length\",\"least\":9},"
        "{\"op\":\"exact_dedup\"},{\"op\":\"split\",\"by\":\"\"},{\"op\":\"sample\","
        "\"share\":0.5}]}";
    const struct json *json;
    struct why why = {0};
    *m = (struct many){.arena = arena_new((size_t)256 << 20), .dir = "/tmp/yicheng-work-XXXXXX"};
    CHECK(mkdtemp(m->dir) != NULL);
    for (size_t i = 0; i < SHARDS; i++)
        make_shard(m, i);
    CHECK_OK(json_parse(str_c(spec), m->arena, &json, &why), &why);
    CHECK_OK(pipeline_read(json, RECORD_TEXT, "", m->arena, &m->pipeline, &why), &why);
}

static struct work work_of(struct many *m, const char *name, size_t threads)
{
    return (struct work){.pipeline = &m->pipeline,
                         .dir = file_join(m->arena, m->dir, name),
                         .shards = m->shards,
                         .n_shards = SHARDS,
                         .threads = threads,
                         .memory = (size_t)64 << 20};
}

/* The lines of all shards of the last stage. */
static struct str outcome(struct many *m, const struct work *w)
{
    struct buf buf;
    size_t last = work_n_stages(&m->pipeline) - 1;
    buf_init(&buf, m->arena);
    for (size_t i = 0; i < SHARDS; i++) {
        char name[256];
        struct str text = STR("missing");
        (void)snprintf(name, sizeof name, "%s/s%zu-%zu.out", w->dir, last, i);
        CHECK_EQ(file_read(name, (size_t)16 << 20, m->arena, &text, NULL), ERR_OK);
        buf_add(&buf, text);
    }
    return buf_str(&buf);
}

static void many_close(struct many *m)
{
    CHECK_EQ(file_remove(m->dir, NULL), ERR_OK);
    arena_free(m->arena);
}

TEST(threads_do_not_change_the_bytes)
{
    struct many m;
    struct work_result one, four;
    struct why why = {0};
    many_open(&m);
    struct work a = work_of(&m, "one", 1), b = work_of(&m, "four", 4);
    CHECK_OK(work_run(&a, m.arena, &one, &why), &why);
    CHECK_OK(work_run(&b, m.arena, &four, &why), &why);
    CHECK(str_eq(outcome(&m, &a), outcome(&m, &b)));
    CHECK_EQ(one.stats.n_records, four.stats.n_records);
    CHECK_EQ(one.counts[0].in, SHARDS * 400);
    CHECK(one.counts[1].dropped > 0);
    CHECK_EQ(one.counts[2].in, one.counts[1].out);
    CHECK(one.counts[2].dropped > 0);
    CHECK_EQ(one.counts[3].changed, one.counts[2].out);
    CHECK_EQ(one.stats.n_records, (one.counts[3].out + 1) / 2);
    CHECK_EQ(one.stats.splits.n, 3);
    many_close(&m);
}

TEST(ranges_of_tasks_may_run_in_processes_of_their_own)
{
    struct many m;
    struct work_result whole, parts;
    struct why why = {0};
    many_open(&m);
    struct work a = work_of(&m, "whole", 2), b = work_of(&m, "parts", 1);
    CHECK_OK(work_run(&a, m.arena, &whole, &why), &why);
    CHECK_OK(work_folder(b.dir, &why), &why);
    size_t stages = work_n_stages(&m.pipeline);
    for (size_t s = 0; s < stages; s++) {
        for (size_t from = 0; from < SHARDS; from += 7) {
            (void)fflush(stdout);
            pid_t pid = fork();
            if (pid == 0)
                _exit(work_stage(&b, s, from, from + 7 < SHARDS ? 7 : SHARDS - from, NULL) !=
                      ERR_OK);
            int status = -1;
            CHECK_EQ(waitpid(pid, &status, 0), pid);
            CHECK_EQ(status, 0);
        }
        if (s + 1 < stages)
            CHECK_OK(work_decide(&b, s, &why), &why);
    }
    CHECK_OK(work_end(&b, m.arena, &parts, &why), &why);
    CHECK(str_eq(outcome(&m, &a), outcome(&m, &b)));
    many_close(&m);
}

TEST(killed_again_and_again_it_ends_with_the_same_bytes)
{
    struct many m;
    struct work_result calm, rough;
    struct why why = {0};
    int kills = 0;
    many_open(&m);
    struct work a = work_of(&m, "calm", 2), b = work_of(&m, "rough", 2);
    CHECK_OK(work_run(&a, m.arena, &calm, &why), &why);
    for (int i = 0; i < 30; i++) {
        (void)fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            struct work_result own;
            _exit(work_run(&b, m.arena, &own, NULL) != ERR_OK);
        }
        (void)usleep((useconds_t)(300 * (i + 1)));
        (void)kill(pid, SIGKILL);
        int status = 0;
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        kills += WIFSIGNALED(status);
    }
    CHECK(kills > 0);
    CHECK_OK(work_run(&b, m.arena, &rough, &why), &why);
    CHECK(str_eq(outcome(&m, &a), outcome(&m, &b)));
    CHECK_EQ(calm.counts[1].dropped, rough.counts[1].dropped);
    many_close(&m);
}

TEST(files_of_an_earlier_boot_are_made_anew)
{
    struct many m;
    struct work_result result;
    struct why why = {0};
    many_open(&m);
    struct work w = work_of(&m, "w", 2);
    CHECK_OK(work_run(&w, m.arena, &result, &why), &why);
    char *torn = file_join(m.arena, w.dir, "s0-0.out"), *boot = file_join(m.arena, w.dir, "boot");
    CHECK_EQ(file_write(torn, STR("torn"), 0640, NULL), ERR_OK);
    CHECK_EQ(file_write(boot, STR("another"), 0640, NULL), ERR_OK);
    CHECK_OK(work_run(&w, m.arena, &result, &why), &why);
    CHECK(!str_starts(outcome(&m, &w), STR("torn")));
    many_close(&m);
}

/* ---- whole jobs ---- */

static struct str manifest_after(struct room *r, const char *id)
{
    return json_get_str(room_job(r, id), "manifest", STR("none"));
}

static struct store *open_store(const char *dir)
{
    static char path[128];
    struct store *store = NULL;
    (void)snprintf(path, sizeof path, "%s/yicheng.db", dir);
    struct store_opts opts = {.url = path, .busy_timeout_ms = 20000, .n_connections = 4};
    CHECK_EQ(store_open(&opts, &store, NULL), ERR_OK);
    return store;
}

/* Another process that runs the job and is killed after `us`. */
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

/* Kills the job until it is done; each start gets a little further in time. */
static struct str through_deaths(struct room *r, const char *id, int *n_kills)
{
    struct job_info info = {.state = JOB_QUEUED};
    for (useconds_t us = 2000; us < 2000000; us = us * 3 / 2) {
        *n_kills += killed(r, id, us);
        CHECK_EQ(job_find(r->compute, id, r->arena, &info, NULL), ERR_OK);
        if (info.state == JOB_DONE)
            break;
    }
    if (info.state != JOB_DONE)
        return manifest_after(r, id);
    const struct json *result = NULL;
    CHECK_EQ(json_parse(info.result, r->arena, &result, NULL), ERR_OK);
    return json_get_str(result, "manifest", STR("none"));
}

TEST(jobs_that_are_killed_make_the_same_versions_once)
{
    struct room r = {.dir = "/tmp/yicheng-data-XXXXXX", .own_store = true};
    char id[UUID_TEXT];
    int kills = 0;
    struct buf buf;
    struct why why = {0};
    CHECK(mkdtemp(r.dir) != NULL);
    CHECK_OK(room_open(&r, open_store(r.dir)), &r.why);
    buf_init(&buf, r.arena);
    for (int i = 0; i < 60000; i++)
        buf_printf(&buf, "{\"text\":\"  第%d条 %s\"}\n", i,
                   i % 5 ? "有内容的条文，有内容的条文" : "");
    (void)room_file(&r, "a.jsonl", buf.ptr);
    (void)room_file(&r, "b.jsonl", buf.ptr);
    char *spec =
        str_z(r.arena, str_printf(r.arena, "{\"dataset\":\"a\",\"paths\":[\"%s/in\"]}", r.dir));
    CHECK_OK(data_import(r.data, &r.who, str_c(spec), id, &why), &why);
    struct str rough = through_deaths(&r, id, &kills);
    CHECK_OK(data_import(r.data, &r.who, str_c(spec), id, &why), &why);
    CHECK(str_eq(manifest_after(&r, id), rough));
    static const char run[] =
        "{\"input\":{\"dataset\":\"a\",\"version\":1},\"output\":{\"dataset\":\"b\"},\"steps\":["
        "{\"op\":\"trim\"},{\"op\":\"length\",\"least\":10},{\"op\":\"sample\",\"share\":0.5}]}";
    CHECK_OK(data_run(r.data, &r.who, str_c(run), id, &why), &why);
    rough = through_deaths(&r, id, &kills);
    CHECK_OK(data_run(r.data, &r.who, str_c(run), id, &why), &why);
    CHECK(str_eq(manifest_after(&r, id), rough));
    CHECK(kills >= 2);
    struct store_rows rows;
    CHECK_EQ(store_ask(r.store, "SELECT COUNT(*) FROM data_versions", STORE_NO_ARGS, r.arena, &rows,
                       NULL),
             ERR_OK);
    CHECK_EQ(store_int(&rows, 0, 0), 4);
    room_done(&r);
}

TESTS_MAIN()
