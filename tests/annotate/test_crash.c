/* Killed at any moment: nothing acknowledged is lost, nobody has an item twice, the counts fit. */
#include <signal.h>
#include <sys/wait.h>

#include "core/map.h"
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

TESTS_MAIN()
