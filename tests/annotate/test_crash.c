/* Killed at any moment: nothing acknowledged is lost, nobody has an item twice, the counts fit. */
#include <signal.h>
#include <sys/wait.h>

#include "core/map.h"
#include "ledger/ledger.h"
#include "desk.h"

#define CHILD YICHENG_BUILD_ROOT "/tests/annotate/annotate_child"
#define KILLS 12
#define ITEMS 400

static pid_t start(struct desk *d, int who, const char *log)
{
    char *user = str_z(d->r.arena, d->people[who].id);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(CHILD, CHILD, test_store_url(), d->r.dir, d->project, user, log, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void kill_both(const pid_t pids[2], unsigned *seed)
{
    (void)usleep(150000 + (useconds_t)(rand_r(seed) % 150000));
    for (int i = 0; i < 2; i++) {
        int status = 0;
        (void)kill(pids[i], SIGKILL);
        CHECK_EQ(waitpid(pids[i], &status, 0), pids[i]);
        CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
              (WIFEXITED(status) && WEXITSTATUS(status) == 0));
    }
}

static int64_t number(struct desk *d, const char *sql)
{
    struct store_rows rows = {0};
    CHECK_OK(store_ask(d->r.store, sql, STORE_NO_ARGS, d->r.arena, &rows, &d->why), &d->why);
    return store_int(&rows, 0, 0);
}

/* Every line that was written whole is a submitted label of that person. */
static size_t check_log(struct desk *d, int who, const char *log)
{
    struct str text = STR(""), line;
    size_t n = 0;
    if (file_read(log, 1 << 20, d->r.arena, &text, NULL))
        return 0;
    while (str_next_line(&text, &line)) {
        struct store_rows rows = {0};
        int64_t seq = 0;
        size_t dot = str_find_char(line, '.');
        if (dot == STR_NPOS || !str_to_i64(str_from(line, dot + 1), &seq))
            continue;
        CHECK_OK(store_ask(d->r.store,
                           "SELECT state FROM annotate_labels WHERE seq = ? AND user_id = ?",
                           STORE_ARGS(SV_INT(seq), SV_STR(d->people[who].id)), d->r.arena, &rows,
                           &d->why),
                 &d->why);
        CHECK_EQ(rows.n_rows, 1);
        CHECK_EQ(store_int(&rows, 0, 0), 1);
        n++;
    }
    return n;
}

TEST(kill_nine_loses_nothing_that_was_acknowledged)
{
    DESK(d);
    unsigned seed = 7;
    size_t n = 0;
    desk_dataset(&d, "letters", ITEMS);
    desk_project(&d, "letters", "");
    desk_places(&d);
    const char *logs[2] = {file_join(d.r.arena, d.r.dir, "log0"),
                           file_join(d.r.arena, d.r.dir, "log1")};
    for (int i = 0; i < KILLS; i++) {
        const pid_t pids[2] = {start(&d, 0, logs[0]), start(&d, 1, logs[1])};
        kill_both(pids, &seed);
    }
    for (int i = 0; i < 2; i++)
        n += check_log(&d, i, logs[i]);
    CHECK(n > 0);
    printf("# %zu submissions acknowledged over %d kills\n", n, KILLS);
    /* One person an item; what is counted is what is there. */
    CHECK_EQ(number(&d, "SELECT COUNT(*) FROM (SELECT seq FROM annotate_labels WHERE state = 1"
                        " GROUP BY seq HAVING COUNT(*) > 1) t"),
             0);
    int64_t done = number(&d, "SELECT COUNT(*) FROM annotate_labels WHERE state = 1");
    CHECK((int64_t)n <= done);
    CHECK_EQ(number(&d, "SELECT n_labels FROM annotate_projects"), done);
    CHECK_EQ(number(&d, "SELECT n_final FROM annotate_projects"), done);
    CHECK_EQ(number(&d, "SELECT COUNT(*) FROM annotate_items WHERE state = 3"), done);
    CHECK_EQ(number(&d, "SELECT CAST(SUM(n_submitted) AS INTEGER) FROM annotate_members"), done);
    CHECK_EQ(number(&d, "SELECT COUNT(*) FROM annotate_items i WHERE n_out <> (SELECT COUNT(*) FROM"
                        " annotate_labels l WHERE l.seq = i.seq AND l.state = 0)"),
             0);
    DESK_DONE(d);
}

/* ---- the jobs ---- */

/* False when it had ended before. */
static bool job_killed(struct desk *d, const char *job, useconds_t us)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl(CHILD, CHILD, test_store_url(), d->r.dir, "job", job, (char *)NULL);
        _exit(127);
    }
    (void)usleep(us);
    (void)kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static char *result_job(struct desk *d, const char *dataset)
{
    struct desk_call c;
    char *body = str_z(d->r.arena, str_printf(d->r.arena, "{\"dataset\":\"%s\"}", dataset));
    CHECK_OK(desk_took(d, &c,
                       annotate_result(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project),
                                       desk_json(d, body), &d->why)),
             &d->why);
    return str_z(d->r.arena, json_get_str(d->json, "job", STR("")));
}

static struct str manifest_of(struct desk *d, const char *dataset)
{
    struct data_reader *reader = NULL;
    struct ops_identity who = ops_system();
    CHECK_OK(data_reader_open(d->r.data, &who, str_c(dataset), 0, &reader, &d->why), &d->why);
    struct str out = str_copy(d->r.arena, data_reader_version(reader)->manifest);
    data_reader_close(reader);
    return out;
}

static int64_t n_acts(struct desk *d, const char *action)
{
    struct ledger_entry *entries;
    struct ledger_filter f = {.action = action, .limit = 100};
    size_t n = 0;
    CHECK_OK(ledger_list(d->r.store, &f, d->r.arena, &entries, &n, &d->why), &d->why);
    return (int64_t)n;
}

#define MANY 6000

TEST(a_result_that_is_killed_goes_on_and_gives_the_same_bytes)
{
    DESK(d);
    struct job_info info = {.state = JOB_QUEUED};
    int kills = 0;
    desk_dataset(&d, "many", MANY);
    desk_project(&d, "many", "");
    CHECK_OK(store_run(d.r.store,
                       "UPDATE annotate_items SET state = 3, final_how = 'one', final = CASE WHEN"
                       " seq % 7 = 0 THEN '{\"kind\":[],\"ner\":[]}' ELSE"
                       " '{\"kind\":[\"投诉\"],\"ner\":[]}' END",
                       STORE_NO_ARGS, NULL, &d.why),
             &d.why);
    CHECK_OK(store_run(d.r.store, "UPDATE annotate_projects SET n_final = n_items", STORE_NO_ARGS,
                       NULL, &d.why),
             &d.why);
    const struct json *calm = room_job(&d.r, result_job(&d, "calm")), *rough = NULL;
    CHECK_EQ(json_get_int(calm, "n_records", 0), MANY - MANY / 7);
    char *job = result_job(&d, "rough");
    for (useconds_t us = 20000; us < 5000000 && info.state != JOB_DONE; us = us * 5 / 4) {
        kills += job_killed(&d, job, us);
        CHECK_OK(job_find(d.r.compute, job, d.r.arena, &info, &d.why), &d.why);
    }
    CHECK_EQ(info.state, JOB_DONE);
    CHECK_EQ(json_parse(info.result, d.r.arena, &rough, NULL), ERR_OK);
    CHECK(kills >= 2);
    printf("# killed %d times\n", kills);
    CHECK(str_eq(manifest_of(&d, "calm"), manifest_of(&d, "rough")));
    CHECK_STR(json_get_str(rough, "sha256", STR("")),
              str_z(d.r.arena, json_get_str(calm, "sha256", STR("?"))));
    CHECK_EQ(json_get_int(calm, "n_left_out", 0), MANY / 7);
    CHECK_EQ(json_get_int(rough, "n_left_out", -1), json_get_int(calm, "n_left_out", -2));
    CHECK_EQ(n_acts(&d, "annotate.project.result"), 2); /* each once, however often it was killed */
    DESK_DONE(d);
}

static struct str state_of(struct desk *d, struct str *words)
{
    struct store_rows rows = {0};
    CHECK_OK(store_ask(d->r.store, "SELECT state, why FROM annotate_projects WHERE id = ?",
                       STORE_ARGS(SV_C(d->project)), d->r.arena, &rows, &d->why),
             &d->why);
    *words = store_str(&rows, 0, 1);
    return store_str(&rows, 0, 0);
}

static char *project_job(struct desk *d, const char *more)
{
    struct desk_call c;
    char *body =
        str_z(d->r.arena,
              str_printf(d->r.arena, "{\"title\":\"t\",\"dataset\":\"letters\"," DESK_LABELS "%s}",
                         more));
    CHECK_OK(desk_took(d, &c,
                       annotate_create(d->annotate, desk_ask(d, &c, &d->manager),
                                       desk_json(d, body), &d->why)),
             &d->why);
    (void)snprintf(d->project, sizeof d->project, "%.*s",
                   STR_FMT(json_get_str(d->json, "id", STR(""))));
    return str_z(d->r.arena, json_get_str(d->json, "job", STR("")));
}

TEST(a_project_says_how_its_job_ended)
{
    DESK(d);
    struct str words = STR("");
    struct why why = {0};
    desk_dataset(&d, "letters", 10);
    char *job = project_job(&d, "");
    CHECK_STR(state_of(&d, &words), "preparing");
    CHECK_OK(job_cancel(d.r.compute, &d.r.who, job, &d.why), &d.why);
    CHECK_STR(state_of(&d, &words), "failed");
    CHECK(words.len > 0);
    CHECK_OK(job_retry(d.r.compute, &d.r.who, job, &d.why), &d.why);
    CHECK_STR(state_of(&d, &words), "preparing");
    (void)room_job(&d.r, job);
    CHECK_STR(state_of(&d, &words), "open");
    CHECK_STR(words, "");
    /* Nothing passes the filter: a fault that trying again does not mend. */
    job = project_job(&d, ",\"filter\":\"label == \\\"none\\\"\"");
    CHECK(job_run(d.r.compute, job, &why) != ERR_OK);
    CHECK_STR(state_of(&d, &words), "failed");
    CHECK_STR(words, why.text);
    DESK_DONE(d);
}

TESTS_MAIN()
