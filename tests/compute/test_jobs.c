#include <sys/wait.h>

#include "compute/compute_in.h"
#include "compute/kinds.h"
#include "ops/centre.h"
#include "support/pg_cluster.h"

#define CHILD YICHENG_BUILD_ROOT "/tests/compute/job_child"

struct room {
    struct centre c;
    struct compute *compute;
    const char *args[16];
    struct ops_identity steward;
    char id[UUID_TEXT];
};

static const char *const quick[] = {"jobs.backoff=50ms", "jobs.grace=400ms"};

static bool room_open(struct room *r, const char *const *sets, size_t n_sets)
{
    const struct conf_table tables[] = {ops_conf, compute_conf};
    struct why why = {0};
    const char *all[14];
    size_t n = 0;
    for (size_t i = 0; i < sizeof quick / sizeof quick[0]; i++)
        all[n++] = quick[i];
    for (size_t i = 0; i < n_sets; i++)
        all[n++] = sets[i];
    *r = (struct room){0};
    centre_more = compute_migrations;
    centre_n_more = compute_n_migrations;
    if (!centre_open_with(&r->c, tables, 2, all, n))
        return false;
    r->args[0] = test_store_url();
    r->args[1] = test_store_dir();
    for (size_t i = 0; i < n; i++)
        r->args[2 + i] = all[i];
    struct compute_opts opts = {.store = r->c.store,
                                .ops = r->c.ops,
                                .conf = r->c.conf,
                                .data_dir = test_store_dir(),
                                .program = CHILD,
                                .program_args = r->args};
    CHECK_OK(compute_open(&opts, &r->compute, &why), &why);
    bind_test_kinds(r->compute);
    (void)centre_make(&r->c, NULL, "zhou", "steward");
    r->steward = centre_user(&r->c, "zhou");
    return r->compute != NULL;
}

static void room_close(struct room *r)
{
    compute_stop(r->compute, true);
    compute_close(r->compute);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    centre_close(&r->c);
}

#define ROOM(r, ...)                                                                               \
    struct room r;                                                                                 \
    static const char *const r##_sets[] = {"ops.key_days=365", ##__VA_ARGS__};                     \
    if (!room_open(&r, r##_sets, sizeof r##_sets / sizeof r##_sets[0]))                            \
    SKIP(test_store_skip())

static enum err submit_as(struct room *r, const struct ops_identity *who, const char *kind,
                          const char *spec, const char *key, char id[UUID_TEXT], struct why *why)
{
    return job_submit_alone(r->compute, who, kind, "a job", str_c(spec), key, id, why);
}

static void submit(struct room *r, const char *kind, const char *spec)
{
    struct why why = {0};
    CHECK_OK(submit_as(r, &r->steward, kind, spec, "", r->id, &why), &why);
}

static struct job_info find(struct room *r)
{
    struct job_info info = {0};
    struct why why = {0};
    enum err err = job_find(r->compute, r->id, r->c.arena, &info, &why);
    if (err != ERR_UNAVAILABLE) /* a server that was just started: asked again */
        CHECK_OK(err, &why);
    return info;
}

/* Waits until the job is in `state` or has ended; false after `ms`. */
static bool wait_for(struct room *r, enum job_state state, int64_t ms)
{
    int64_t until = time_now_ms() + ms;
    while (time_now_ms() < until) {
        enum job_state now = find(r).state;
        if (now == state)
            return true;
        if (now >= JOB_DONE)
            break;
        time_sleep_ms(10);
    }
    struct job_info info = find(r);
    printf("# job is %s at %lld: %.*s\n", job_state_name(info.state), (long long)info.done,
           STR_FMT(info.why));
    return false;
}

static pid_t pid_of(struct room *r)
{
    struct store_rows rows;
    CHECK_OK(store_ask(r->c.store,
                       "SELECT pid FROM compute_jobs WHERE id = ? AND state = 'running'",
                       STORE_ARGS(SV_C(r->id)), r->c.arena, &rows, NULL),
             NULL);
    return (pid_t)store_int(&rows, 0, 0);
}

/* The file holds 0 .. n - 1, each once, in order: nothing was lost or doubled. */
static void check_counted(struct room *r, int64_t n)
{
    char path[4096];
    struct str text = STR_NONE, line;
    int64_t at = 0;
    (void)snprintf(path, sizeof path, "%s/jobs/%s/out", test_store_dir(), r->id);
    CHECK_OK(file_read(path, 1 << 24, r->c.arena, &text, NULL), NULL);
    while (str_next_line(&text, &line)) {
        int64_t value;
        if (!str_to_i64(line, &value) || value != at) {
            CHECK_EQ(value, at);
            return;
        }
        at++;
    }
    CHECK_EQ(at, n);
}

static void start(struct room *r)
{
    struct why why = {0};
    CHECK_OK(compute_start(r->compute, &why), &why);
}

static pid_t executor_process(struct room *r)
{
    const char *argv[20] = {CHILD};
    size_t n = 1;
    for (size_t i = 0; r->args[i]; i++)
        argv[n++] = r->args[i];
    argv[n] = "executor";
    pid_t pid = fork();
    if (pid == 0) {
        execv(CHILD, (char *const *)argv);
        _exit(127);
    }
    return pid;
}

/* ---- the life of a job ---- */

TEST(a_job_runs_reports_and_ends_in_the_ledger)
{
    ROOM(r);
    struct str log;
    int64_t next;
    start(&r);
    submit(&r, "test.count", "{\"n\":50,\"us\":0}");
    CHECK(wait_for(&r, JOB_DONE, 20000));
    struct job_info info = find(&r);
    CHECK_EQ(info.done, 50);
    CHECK_EQ(info.total, 50);
    CHECK_EQ(info.attempt, 1);
    CHECK_STR(info.phase, "数数");
    CHECK_STR(info.result, "{\"n\":50}");
    CHECK(info.ended_ms >= info.started_ms && info.started_ms >= info.created_ms);
    check_counted(&r, 50);
    CHECK_OK(job_log_read(r.compute, r.id, 0, 100000, r.c.arena, &log, &next, NULL), NULL);
    CHECK(str_find(log, STR("begins at 0")) != STR_NPOS);
    CHECK_EQ(next, (int64_t)log.len);
    CHECK_EQ(centre_acts(&r.c, "compute.job.submit", "ok"), 1);
    CHECK_EQ(centre_acts(&r.c, "compute.job.end", "ok"), 1);
    char path[4096];
    struct str spec = STR_NONE;
    (void)snprintf(path, sizeof path, "%s/jobs/%s/spec.json", test_store_dir(), r.id);
    CHECK_OK(file_read(path, 4096, r.c.arena, &spec, NULL), NULL);
    CHECK_STR(spec, "{\"n\":50,\"us\":0}");
    room_close(&r);
}

TEST(a_queued_job_starts_at_once)
{
    ROOM(r);
    start(&r);
    int64_t worst = 0;
    int quick_ones = 0;
    for (int i = 0; i < 5; i++) {
        time_sleep_ms(700); /* the executor has gone back to looking twice a second */
        submit(&r, "test.count", "{\"n\":1,\"us\":0}");
        CHECK(wait_for(&r, JOB_DONE, 20000));
        struct job_info info = find(&r);
        int64_t waited = info.started_ms - info.created_ms;
        worst = waited > worst ? waited : worst;
        quick_ones += waited < 250;
    }
    printf("# started %lld ms after the queueing at most\n", (long long)worst);
    CHECK(quick_ones >= 3); /* a busy machine may spoil one or two */
    room_close(&r);
}

TEST(killed_at_random_moments_it_neither_loses_nor_doubles)
{
    ROOM(r);
    enum { STEPS = 4000, KILLS = 25 }; /* more work than can be done between the kills */
    int kills = 0;
    int64_t last = -1;
    start(&r);
    submit(&r, "test.count", "{\"n\":4000,\"us\":1500}");
    srand((unsigned)time_mono_ns());
    int64_t until = time_now_ms() + 240000; /* a loaded machine starts slowly */
    while (kills < KILLS && time_now_ms() < until && find(&r).state < JOB_DONE) {
        (void)usleep((useconds_t)(rand() % 60000));
        pid_t pid = pid_of(&r);
        /* At most one kill for each start, else a slow executor makes it look like many. */
        if (pid > 0 && find(&r).starts != last) {
            last = find(&r).starts;
            if (kills % 3) /* some while it begins, most while it works */
                (void)usleep((useconds_t)(rand() % 300000));
            kills += kill(pid, SIGKILL) == 0;
        }
    }
    CHECK(wait_for(&r, JOB_DONE, 60000));
    printf("# %d kills, %lld starts\n", kills, (long long)find(&r).starts);
    CHECK(kills >= 20);
    check_counted(&r, STEPS);
    CHECK_EQ(find(&r).done, STEPS);
    struct ledger_report report;
    CHECK_OK(ledger_check(r.c.store, NULL, &report, NULL), NULL);
    CHECK_EQ(report.first_bad, 0);
    CHECK_EQ(centre_acts(&r.c, "compute.job.end", ""), 1);
    room_close(&r);
}

TEST(a_job_that_crashes_by_itself_gets_there)
{
    ROOM(r);
    start(&r);
    submit(&r, "test.count", "{\"n\":300,\"us\":0,\"crash\":60}");
    CHECK(wait_for(&r, JOB_DONE, 60000));
    check_counted(&r, 300);
    room_close(&r);
}

static int64_t n_moves(struct room *r, const char *state, const char *words)
{
    struct store_rows rows = {0};
    char like[200];
    (void)snprintf(like, sizeof like, "%%%s%%", words);
    CHECK_OK(store_ask(r->c.store,
                       "SELECT COUNT(*) FROM test_moves WHERE job = ? AND state = ? AND words LIKE"
                       " ? AND tenant = ?",
                       STORE_ARGS(SV_C(r->id), SV_C(state), SV_C(like), SV_STR(r->steward.tenant)),
                       r->c.arena, &rows, NULL),
             NULL);
    return store_int(&rows, 0, 0);
}

TEST(a_room_is_told_what_became_of_its_job)
{
    ROOM(r);
    start(&r);
    submit(&r, "test.count", "{\"n\":3,\"us\":0}"); /* done: run() itself has said so */
    CHECK(wait_for(&r, JOB_DONE, 20000));
    submit(&r, "test.fail", "{}");
    CHECK(wait_for(&r, JOB_FAILED, 20000));
    CHECK_EQ(n_moves(&r, "failed", "row 7 is not a number"), 1);
    CHECK_OK(job_retry(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK(wait_for(&r, JOB_FAILED, 20000));
    CHECK_EQ(n_moves(&r, "queued", ""), 1);
    CHECK_EQ(n_moves(&r, "failed", ""), 2);
    /* Killed in each of its attempts, it never says a word itself. */
    submit(&r, "test.fragile", "{\"n\":10,\"us\":0,\"crash\":1}");
    CHECK(wait_for(&r, JOB_FAILED, 20000));
    CHECK_EQ(n_moves(&r, "failed", "signal 6"), 1);
    submit(&r, "test.forever", "{}");
    CHECK(wait_for(&r, JOB_RUNNING, 10000));
    CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK(wait_for(&r, JOB_CANCELLED, 10000));
    CHECK_EQ(n_moves(&r, "cancelled", ""), 1);
    compute_stop(r.compute, true);
    submit(&r, "test.count", "{}");
    CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK_EQ(n_moves(&r, "cancelled", ""), 1);
    struct store_rows rows = {0};
    CHECK_OK(store_ask(r.c.store, "SELECT COUNT(*) FROM test_moves", STORE_NO_ARGS, r.c.arena,
                       &rows, NULL),
             NULL);
    CHECK_EQ(store_int(&rows, 0, 0), 6);
    room_close(&r);
}

TEST(attempts_without_progress_end)
{
    static const struct {
        const char *spec, *words;
        int starts;
    } cases[] = {
        {"{\"exit\":true}", "code 7", 3},
        {"{\"passing\":true}", "the other side is away", 3},
        {"{}", "row 7 is not a number", 1}, /* no use in trying again */
    };
    ROOM(r);
    struct ops_identity auditor = centre_user(&r.c, "auditor");
    start(&r);
    for (size_t i = 0; i < 3; i++) {
        submit(&r, "test.fail", cases[i].spec);
        CHECK(wait_for(&r, JOB_FAILED, 20000));
        struct job_info info = find(&r);
        CHECK_EQ(info.starts, cases[i].starts);
        CHECK(str_find(info.why, str_c(cases[i].words)) != STR_NPOS);
        CHECK(info.ended_ms > 0);
    }
    /* One that dies at the same place each time gets no further by dying. */
    submit(&r, "test.fragile", "{\"n\":10,\"us\":0,\"crash\":1}");
    CHECK(wait_for(&r, JOB_FAILED, 20000));
    CHECK(find(&r).starts <= 5);
    CHECK(str_find(find(&r).why, STR("signal 6")) != STR_NPOS);
    CHECK_EQ(centre_acts(&r.c, "compute.job.end", "failed"), 4);
    /* Again from the start of the count, once it was asked for. */
    CHECK_OK(job_retry(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK(wait_for(&r, JOB_FAILED, 20000));
    CHECK_EQ(job_retry(r.compute, &auditor, r.id, NULL), ERR_FORBIDDEN);
    room_close(&r);
}

TEST(cancel_ends_queued_and_running_jobs_also_deaf_ones)
{
    ROOM(r);
    submit(&r, "test.count", "{}");
    CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK_EQ(find(&r).state, JOB_CANCELLED);
    CHECK_EQ(job_cancel(r.compute, &r.steward, r.id, NULL), ERR_CONFLICT);
    start(&r);
    for (int deaf = 0; deaf < 2; deaf++) {
        submit(&r, "test.forever", deaf ? "{\"deaf\":true,\"helper\":true}" : "{}");
        CHECK(wait_for(&r, JOB_RUNNING, 10000));
        while (find(&r).done == 0)
            time_sleep_ms(10);
        pid_t pid = pid_of(&r);
        int64_t t0 = time_now_ms();
        CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
        CHECK(find(&r).cancelling || find(&r).state == JOB_CANCELLED);
        CHECK(wait_for(&r, JOB_CANCELLED, 10000));
        int64_t took = time_now_ms() - t0;
        CHECK(deaf ? took >= 300 : took < 6000);
        int64_t until = time_now_ms() + 2000;
        while (proc_group_rss(pid) > 0 && time_now_ms() < until)
            time_sleep_ms(20);
        CHECK_EQ(proc_group_rss(pid), 0); /* nothing of its group is left, the helper neither */
    }
    CHECK_EQ(centre_acts(&r.c, "compute.job.cancel", "ok"), 3);
    CHECK_EQ(centre_acts(&r.c, "compute.job.end", "cancelled"), 2);
    room_close(&r);
}

TEST(time_and_memory_have_limits)
{
    ROOM(r, "jobs.time=700ms");
    start(&r);
    submit(&r, "test.forever", "{\"deaf\":true}");
    CHECK(wait_for(&r, JOB_FAILED, 10000));
    CHECK(str_find(find(&r).why, STR("longer than the limit")) != STR_NPOS);
    CHECK_EQ(find(&r).starts, 1);
    room_close(&r);
    ROOM(m);
    start(&m);
    submit(&m, "test.eat", "{}");
    CHECK(wait_for(&m, JOB_FAILED, 30000));
    CHECK(str_find(find(&m).why, STR("64 MB of memory")) != STR_NPOS);
    CHECK_EQ(find(&m).starts, 2);
    room_close(&m);
}

/* ---- one at a time ---- */

TEST(a_job_runs_in_one_process_only)
{
    ROOM(r);
    struct why why = {0};
    start(&r);
    submit(&r, "test.forever", "{}");
    CHECK(wait_for(&r, JOB_RUNNING, 10000));
    while (find(&r).done == 0)
        time_sleep_ms(10);
    CHECK_EQ(job_run(r.compute, r.id, &why), ERR_BUSY);
    CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK(wait_for(&r, JOB_CANCELLED, 10000));
    CHECK_EQ(job_run(r.compute, r.id, NULL), ERR_CONFLICT);
    CHECK_EQ(job_run(r.compute, "../../etc", NULL), ERR_NOT_FOUND);
    room_close(&r);
}

TEST(two_executors_on_one_store_never_run_a_job_twice)
{
    ROOM(r, "jobs.slots=3");
    enum { JOBS = 24 };
    char ids[JOBS][UUID_TEXT];
    for (int i = 0; i < JOBS; i++) {
        submit(&r, "test.count", "{\"n\":20,\"us\":500}");
        memcpy(ids[i], r.id, UUID_TEXT);
    }
    pid_t other = executor_process(&r);
    start(&r);
    for (int i = 0; i < JOBS; i++) {
        memcpy(r.id, ids[i], UUID_TEXT);
        CHECK(wait_for(&r, JOB_DONE, 60000));
        CHECK_EQ(find(&r).starts, 1);
        check_counted(&r, 20);
    }
    CHECK_EQ(centre_acts(&r.c, "compute.job.end", "ok"), JOBS);
    (void)kill(other, SIGTERM);
    (void)waitpid(other, NULL, 0);
    room_close(&r);
}

TEST(a_command_runs_a_queued_job_in_the_foreground)
{
    ROOM(r);
    struct why why = {0};
    submit(&r, "test.count", "{\"n\":30,\"us\":0}");
    CHECK_OK(job_run(r.compute, r.id, &why), &why);
    CHECK_EQ(find(&r).state, JOB_DONE);
    check_counted(&r, 30);
    submit(&r, "test.fail", "{}");
    CHECK_EQ(job_run(r.compute, r.id, &why), ERR_INVALID);
    CHECK(strstr(why.text, "row 7") != NULL);
    CHECK_EQ(find(&r).state, JOB_FAILED);
    room_close(&r);
}

/* ---- the executor comes and goes ---- */

TEST(children_survive_the_executor_and_are_adopted)
{
    ROOM(r);
    pid_t first = executor_process(&r);
    submit(&r, "test.forever", "{}");
    CHECK(wait_for(&r, JOB_RUNNING, 10000));
    while (find(&r).done == 0)
        time_sleep_ms(10);
    pid_t pid = pid_of(&r);
    (void)kill(first, SIGKILL);
    (void)waitpid(first, NULL, 0);
    time_sleep_ms(300);
    CHECK_EQ(kill(pid, 0), 0);
    CHECK_EQ(find(&r).state, JOB_RUNNING);
    start(&r); /* another executor: it watches the job, so a cancel reaches it */
    time_sleep_ms(700);
    CHECK_EQ(find(&r).starts, 1);
    CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
    CHECK(wait_for(&r, JOB_CANCELLED, 10000));
    room_close(&r);
}

TEST(what_died_while_nobody_looked_is_found_and_goes_on)
{
    ROOM(r);
    pid_t first = executor_process(&r);
    submit(&r, "test.count", "{\"n\":400,\"us\":2000}");
    CHECK(wait_for(&r, JOB_RUNNING, 10000));
    while (find(&r).done < 50)
        time_sleep_ms(5);
    pid_t pid = pid_of(&r);
    (void)kill(first, SIGKILL);
    (void)kill(pid, SIGKILL);
    (void)waitpid(first, NULL, 0);
    time_sleep_ms(100);
    CHECK_EQ(find(&r).state, JOB_RUNNING); /* so it says, but nobody holds its lock */
    start(&r);
    CHECK(wait_for(&r, JOB_DONE, 30000));
    CHECK_EQ(find(&r).starts, 2);
    check_counted(&r, 400);
    room_close(&r);
}

TEST(executors_killed_again_and_again_lose_nothing)
{
    ROOM(r);
    submit(&r, "test.count", "{\"n\":1200,\"us\":1500}");
    srand((unsigned)time_mono_ns());
    int64_t until = time_now_ms() + 60000;
    for (int i = 0; i < 20 && find(&r).state < JOB_DONE && time_now_ms() < until; i++) {
        pid_t executor = executor_process(&r);
        (void)usleep((useconds_t)(50000 + rand() % 150000));
        (void)kill(executor, SIGKILL);
        if (i % 2) {
            pid_t pid = pid_of(&r);
            if (pid > 0)
                (void)kill(pid, SIGKILL);
        }
        (void)waitpid(executor, NULL, 0);
    }
    start(&r);
    CHECK(wait_for(&r, JOB_DONE, 60000));
    check_counted(&r, 1200);
    room_close(&r);
}

TEST(a_stop_that_kills_queues_again_without_counting)
{
    ROOM(r);
    start(&r);
    submit(&r, "test.forever", "{}");
    CHECK(wait_for(&r, JOB_RUNNING, 10000));
    while (find(&r).done == 0)
        time_sleep_ms(10);
    compute_stop(r.compute, true);
    CHECK_EQ(find(&r).state, JOB_QUEUED);
    CHECK_EQ(find(&r).attempt, 0);
    room_close(&r);
}

TEST(a_database_that_is_away_for_a_while_loses_no_job)
{
    ROOM(r);
    if (strcmp(store_engine(r.c.store), "postgresql") != 0) {
        room_close(&r);
        SKIP("SQLite is never away");
    }
    char ids[6][UUID_TEXT];
    start(&r);
    for (int i = 0; i < 6; i++) {
        submit(&r, "test.count", "{\"n\":300,\"us\":2000}");
        memcpy(ids[i], r.id, sizeof ids[i]);
    }
    for (int round = 0; round < 2; round++) { /* the second time longer than a child waits */
        time_sleep_ms(500);
        pg_cluster_stop(test_store_cluster(), true);
        time_sleep_ms(round ? 8000 : 1000);
        CHECK(pg_cluster_start(test_store_cluster()));
    }
    for (int i = 0; i < 6; i++) {
        memcpy(r.id, ids[i], sizeof ids[i]);
        CHECK(wait_for(&r, JOB_DONE, 60000));
        check_counted(&r, 300);
    }
    CHECK_EQ(centre_acts(&r.c, "compute.job.end", "ok"), 6);
    room_close(&r);
}

/* ---- the table ---- */

TEST(a_key_keeps_a_second_one_out_while_the_first_lasts)
{
    ROOM(r);
    char a[UUID_TEXT], b[UUID_TEXT], c[UUID_TEXT];
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":1}", "kb:policy", a, NULL), NULL);
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":1}", "kb:policy", b, NULL), NULL);
    CHECK_STR(str_c(a), b);
    CHECK_OK(job_run(r.compute, a, NULL), NULL);
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":1}", "kb:policy", c, NULL), NULL);
    CHECK(strcmp(a, c) != 0);
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":2}", NULL, a, NULL), NULL);
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":2}", NULL, b, NULL), NULL);
    CHECK_STR(str_c(a), b);
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":3}", NULL, c, NULL), NULL);
    CHECK(strcmp(a, c) != 0);
    room_close(&r);
}

TEST(refuses_what_cannot_be_a_job)
{
    ROOM(r);
    char id[UUID_TEXT];
    struct why why = {0};
    char *big = malloc((1 << 20) + 16);
    memset(big, ' ', (1 << 20) + 15);
    big[(1 << 20) + 15] = '\0';
    memcpy(big, "{}", 2);
    CHECK_EQ(submit_as(&r, &r.steward, "test.nothing", "{}", "", id, &why), ERR_INVALID);
    CHECK(strstr(why.text, "test.nothing") != NULL);
    CHECK_EQ(submit_as(&r, &r.steward, "test.count", "{\"n\":", "", id, NULL), ERR_INVALID);
    CHECK_EQ(submit_as(&r, &r.steward, "test.count", "[1]", "", id, NULL), ERR_INVALID);
    CHECK_EQ(submit_as(&r, &r.steward, "test.count", "{\"a\":\"\xff\"}", "", id, NULL),
             ERR_INVALID);
    CHECK_EQ(submit_as(&r, &r.steward, "test.count", big, "", id, NULL), ERR_TOO_LARGE);
    CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"a\":\"'; DROP TABLE compute_jobs; --\"}",
                       "'; --", id, NULL),
             NULL);
    struct job_info *items;
    size_t n;
    CHECK_OK(job_list(r.compute, NULL, "queued", 10, NULL, r.c.arena, &items, &n, NULL), NULL);
    CHECK_EQ(n, 1);
    CHECK_EQ(job_list(r.compute, NULL, "sleeping", 10, NULL, r.c.arena, &items, &n, NULL),
             ERR_INVALID);
    free(big);
    room_close(&r);
}

TEST(tenants_take_turns_and_do_not_see_each_others_jobs)
{
    ROOM(r, "jobs.slots=1");
    struct str tenant;
    char first[UUID_TEXT], theirs[UUID_TEXT];
    struct why why = {0};
    r.c.sysadmin = centre_user(&r.c, "sysadmin");
    CHECK_OK(
        ops_tenant_create(r.c.ops, &r.c.sysadmin, STR("water"), STR("W"), r.c.arena, &tenant, &why),
        &why);
    (void)centre_make(&r.c, str_z(r.c.arena, tenant), "li", "steward");
    struct ops_identity li = centre_user(&r.c, "li@water");
    for (int i = 0; i < 5; i++)
        CHECK_OK(submit_as(&r, &r.steward, "test.count", "{\"n\":1,\"us\":0}", "", r.id, &why),
                 &why);
    memcpy(first, r.id, sizeof first); /* the last of five that came first */
    CHECK_OK(submit_as(&r, &li, "test.count", "{\"n\":1,\"us\":0}", "", theirs, &why), &why);
    CHECK_EQ(job_cancel(r.compute, &li, first, NULL), ERR_NOT_FOUND);
    CHECK_EQ(job_retry(r.compute, &li, first, NULL), ERR_NOT_FOUND);
    struct job_info *items;
    size_t n;
    CHECK_OK(
        job_list(r.compute, str_z(r.c.arena, tenant), NULL, 10, NULL, r.c.arena, &items, &n, NULL),
        NULL);
    CHECK_EQ(n, 1);
    start(&r);
    CHECK(wait_for(&r, JOB_DONE, 30000));
    struct job_info last = find(&r);
    memcpy(r.id, theirs, sizeof theirs);
    CHECK(wait_for(&r, JOB_DONE, 30000));
    CHECK(find(&r).started_ms < last.started_ms); /* it did not wait for all five */
    room_close(&r);
}

TEST(an_actor_who_was_disabled_starts_nothing)
{
    ROOM(r);
    bool yes = true;
    submit(&r, "test.count", "{}");
    struct ops_identity system = ops_system();
    CHECK_OK(ops_user_change(r.c.ops, &system, str_z(r.c.arena, r.steward.id),
                             &(struct ops_user_change){.disabled = &yes}, NULL),
             NULL);
    CHECK_EQ(job_run(r.compute, r.id, NULL), ERR_FORBIDDEN);
    CHECK_EQ(find(&r).state, JOB_FAILED);
    CHECK(str_find(find(&r).why, STR("disabled")) != STR_NPOS);
    room_close(&r);
}

TEST(old_jobs_go_with_their_folders_and_logs_stay_bounded)
{
    ROOM(r, "jobs.keep=5s", "jobs.log=8k");
    struct str log;
    char path[4096];
    start(&r);
    submit(&r, "test.talk", "{}");
    CHECK(wait_for(&r, JOB_DONE, 20000));
    CHECK_OK(job_log_read(r.compute, r.id, 0, 1 << 20, r.c.arena, &log, NULL, NULL), NULL);
    CHECK(log.len <= 9000);
    CHECK(str_find(log, STR("line 0 of")) != STR_NPOS);
    CHECK(str_find(log, STR("left out")) != STR_NPOS);
    CHECK(str_find(log, STR("last words")) != STR_NPOS);
    (void)snprintf(path, sizeof path, "%s/jobs/%s", test_store_dir(), r.id);
    CHECK(file_is_dir(path));
    struct job_info info;
    int64_t until = time_now_ms() + 30000;
    while (time_now_ms() < until &&
           job_find(r.compute, r.id, r.c.arena, &info, NULL) != ERR_NOT_FOUND)
        time_sleep_ms(100);
    CHECK_EQ(job_find(r.compute, r.id, r.c.arena, &info, NULL), ERR_NOT_FOUND);
    CHECK(!file_is_dir(path));
    room_close(&r);
}

TESTS_MAIN()
