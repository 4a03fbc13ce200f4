/* What was acknowledged is there once, whoever dies: the writer, the server, the disk. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "support/pg_cluster.h"
#include "support/test_store.h"
#include "tap.h"

static const struct store_migration steps[] = {
    {"crash", 1,
     "CREATE TABLE crash_rows (id INTEGER NOT NULL PRIMARY KEY, filler TEXT NOT NULL);"
     "CREATE TABLE crash_total (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL);"
     "INSERT INTO crash_total (id, n) VALUES (1, 0)",
     NULL}};

static void make_tables(struct store *store)
{
    struct why why = {0};
    CHECK_OK(store_migrate(store, steps, 1, false, NULL, &why), &why);
}

/* One row and the total in one transaction: a row lost or doubled shows against the total. */
static enum err add(struct store *store, int64_t id, size_t n_filler, struct why *why)
{
    char text[60000];
    memset(text, 'x', n_filler);
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = store_exec(tx, "UPDATE crash_total SET n = n + 1", STORE_NO_ARGS, NULL, why);
    if (!err)
        err = store_exec(tx, "INSERT INTO crash_rows (id, filler) VALUES (?, ?)",
                         STORE_ARGS(SV_INT(id), SV_STR(((struct str){text, n_filler}))), NULL, why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

static int64_t number(struct store *store, const char *sql)
{
    struct arena *arena = arena_new(1 << 14);
    struct store_rows rows = {0};
    struct why why = {0};
    CHECK_OK(store_ask(store, sql, STORE_NO_ARGS, arena, &rows, &why), &why);
    int64_t n = store_int(&rows, 0, 0);
    arena_free(arena);
    return n;
}

static bool has(struct store *store, int64_t id)
{
    struct arena *arena = arena_new(1 << 14);
    struct store_rows rows = {0};
    struct why why = {0};
    CHECK_OK(store_ask(store, "SELECT count(*) FROM crash_rows WHERE id = ?",
                       STORE_ARGS(SV_INT(id)), arena, &rows, &why),
             &why);
    int64_t n = store_int(&rows, 0, 0);
    arena_free(arena);
    return n == 1;
}

/* ---- the writer is killed ---- */

#define ROUNDS 24

static void write_until_killed(int64_t id, int to)
{
    struct store *store = NULL;
    if (store_open(&(struct store_opts){test_store_url(), 5000, 1}, &store, NULL))
        _exit(1);
    for (;; id++) {
        if (add(store, id, 100, NULL))
            _exit(1);
        if (write(to, &id, sizeof id) != sizeof id)
            _exit(1);
    }
}

TEST(a_killed_writer_loses_nothing_acknowledged)
{
    FRESH_STORE(store, 2);
    make_tables(store);
    struct why why = {0};
    int64_t n_acknowledged = 0;
    unsigned seed = (unsigned)time_now_ms();
    printf("# seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2];
        CHECK_EQ(pipe(fds), 0);
        pid_t pid = fork();
        if (pid == 0)
            write_until_killed(round * 1000000LL, fds[1]);
        (void)close(fds[1]);
        int64_t id, n = 0;
        /* At a random moment after the first row. */
        CHECK_EQ(read(fds[0], &id, sizeof id), (long)sizeof id);
        n++;
        (void)usleep((useconds_t)(rand_r(&seed) % 60000));
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
        while (read(fds[0], &id, sizeof id) == (long)sizeof id)
            n++;
        (void)close(fds[0]);
        for (int64_t i = 0; i < n; i++)
            CHECK(has(store, round * 1000000LL + i));
        n_acknowledged += n;
    }
    /* Each round may have committed one more row whose acknowledgement was killed. */
    int64_t n_rows = number(store, "SELECT count(*) FROM crash_rows");
    CHECK(n_rows >= n_acknowledged && n_rows <= n_acknowledged + ROUNDS);
    CHECK_EQ(number(store, "SELECT n FROM crash_total"), n_rows);
    CHECK_OK(store_check(store, &why), &why);
    CHECK_OK(add(store, -1, 100, &why), &why);
    printf("# %lld rows acknowledged, %lld there\n", (long long)n_acknowledged, (long long)n_rows);
    test_store_done(store);
}

/* ---- the server goes away under load ---- */

#define N_THREADS 4

struct load {
    struct store *store;
    int64_t first; /* ids of this thread: first, first + 1, ... */
    atomic_bool *stop;
    int64_t n;       /* acknowledged are first .. first + n - 1 */
    int64_t n_again; /* errors, each followed by the same row once more */
    int n_unknown;   /* of them those whose outcome the store could not tell */
    int n_odd;       /* errors of another kind */
    int64_t longest_ms;
};

static void *write_on(void *arg)
{
    struct load *load = arg;
    int64_t since = time_mono_ns();
    while (!*load->stop) {
        struct why why = {0};
        enum err err = add(load->store, load->first + load->n, 100, &why);
        if (err == ERR_OK) {
            int64_t ms = (time_mono_ns() - since) / 1000000;
            load->longest_ms = ms > load->longest_ms ? ms : load->longest_ms;
            since = time_mono_ns();
            load->n++;
            continue;
        }
        load->n_again++;
        load->n_unknown += strstr(why.text, "unknown") != NULL;
        if (err != ERR_UNAVAILABLE && err != ERR_BUSY) {
            load->n_odd++;
            printf("# %s: %s\n", err_code(err), why.text);
        }
        time_sleep_ms(5);
    }
    return NULL;
}

TEST(a_server_restarted_under_load_loses_and_doubles_nothing)
{
    if (strcmp(TEST_ENGINE, "postgresql") != 0)
        SKIP("SQLite has no server");
    FRESH_STORE(fresh, 1);
    make_tables(fresh);
    /* As two processes, and patient: a machine under load restarts a server in seconds, and an
     * outcome that is not known by then is told as unknown. */
    struct store *store = test_store_again(4, 20000), *other = test_store_again(4, 20000);
    struct why why = {0};
    atomic_bool stop = false;
    struct load loads[N_THREADS];
    pthread_t ids[N_THREADS];
    for (int i = 0; i < N_THREADS; i++) {
        loads[i] =
            (struct load){.store = i % 2 ? other : store, .first = i * 1000000LL, .stop = &stop};
        pthread_create(&ids[i], NULL, write_on, &loads[i]);
    }
    for (int round = 0; round < 6; round++) {
        time_sleep_ms(150);
        pg_cluster_stop(test_store_cluster(), round % 2 == 0);
        CHECK(pg_cluster_start(test_store_cluster()));
    }
    time_sleep_ms(150);
    stop = true;
    int64_t n_acknowledged = 0, n_unknown = 0;
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(ids[i], NULL);
        n_acknowledged += loads[i].n;
        n_unknown += loads[i].n_unknown;
        CHECK(loads[i].n > 0);
        CHECK_EQ(loads[i].n_odd, 0);
        for (int64_t j = 0; j < loads[i].n; j++)
            CHECK(has(store, loads[i].first + j));
        printf("# %lld rows, %lld errors, longest wait %lld ms\n", (long long)loads[i].n,
               (long long)loads[i].n_again, (long long)loads[i].longest_ms);
    }
    int64_t n_rows = number(store, "SELECT count(*) FROM crash_rows");
    CHECK_EQ(number(store, "SELECT n FROM crash_total"), n_rows);
    /* A commit whose answer was lost is asked for, so none is left in doubt. */
    CHECK_EQ(n_unknown, 0);
    CHECK_EQ(n_rows, n_acknowledged);
    CHECK_OK(store_check(store, &why), &why);
    store_close(other);
    store_close(store);
    test_store_done(fresh);
}

TEST(a_server_that_stays_away_is_told_and_healed_from)
{
    if (strcmp(TEST_ENGINE, "postgresql") != 0)
        SKIP("SQLite has no server");
    FRESH_STORE(store, 2);
    make_tables(store);
    struct why why = {0};
    struct store_tx *tx, *reader;
    struct store *other = NULL;
    CHECK_OK(store_begin(store, STORE_READ, &reader, &why), &why);
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(store_exec(tx, "UPDATE crash_total SET n = 5", STORE_NO_ARGS, NULL, &why), &why);
    pg_cluster_stop(test_store_cluster(), false);
    CHECK_EQ(store_exec(tx, "UPDATE crash_total SET n = 6", STORE_NO_ARGS, NULL, &why),
             ERR_UNAVAILABLE);
    CHECK_EQ(store_commit(tx, NULL), ERR_UNAVAILABLE);
    store_rollback(reader);
    CHECK_EQ(store_begin(store, STORE_WRITE, &tx, NULL), ERR_UNAVAILABLE);
    CHECK_EQ(store_begin(store, STORE_READ, &tx, NULL), ERR_UNAVAILABLE);
    memset(&why, 0, sizeof why);
    CHECK_EQ(store_open(&(struct store_opts){test_store_url(), 100, 1}, &other, &why),
             ERR_UNAVAILABLE);
    CHECK(why.text[0] != '\0');
    CHECK(pg_cluster_start(test_store_cluster()));
    CHECK_EQ(number(store, "SELECT n FROM crash_total"), 0);
    memset(&why, 0, sizeof why);
    CHECK_OK(add(store, 1, 10, &why), &why);
    test_store_done(store);
}

TEST(a_bad_address_is_refused_without_repeating_it)
{
    if (strcmp(TEST_ENGINE, "postgresql") != 0)
        SKIP("SQLite has no address");
    struct store *store = NULL;
    struct why why = {0};
    CHECK_EQ(store_open(&(struct store_opts){"postgresql://u:secret@[::1/x", 100, 1}, &store, &why),
             ERR_INVALID);
    CHECK(strstr(why.text, "secret") == NULL && strstr(why.hint, "secret") == NULL);
    memset(&why, 0, sizeof why);
    CHECK_EQ(store_open(&(struct store_opts){"postgres://u:secret@/x?host=/nowhere", 100, 1},
                        &store, &why),
             ERR_UNAVAILABLE);
    CHECK(why.text[0] && strstr(why.text, "secret") == NULL);
}

/* ---- the disk is full: here a limit on the size of files; test_full_disk.c has a real one ---- */

static void write_until_full(int to)
{
    struct store *store = NULL;
    struct rlimit limit = {1 << 20, 1 << 20};
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)setrlimit(RLIMIT_FSIZE, &limit);
    struct why why = {0};
    enum err err = store_open(&(struct store_opts){test_store_url(), 5000, 1}, &store, NULL);
    for (int64_t id = 0; !err && id < 100000; id++) {
        err = add(store, id, 20000, &why);
        if (!err && write(to, &id, sizeof id) != sizeof id)
            _exit(2);
    }
    /* Still good for reading, and it says the same again. */
    printf("# %s: %s\n", err_code(err), why.text);
    if (err != ERR_NO_SPACE || !why.text[0] || add(store, 1 << 30, 50000, NULL) != ERR_NO_SPACE ||
        number(store, "SELECT count(*) FROM crash_rows") < 1)
        _exit(3);
    store_close(store);
    _exit(0);
}

TEST(a_limit_on_files_loses_nothing_acknowledged)
{
    if (strcmp(TEST_ENGINE, "sqlite") != 0)
        SKIP("PostgreSQL's files are the server's");
    FRESH_STORE(store, 2);
    make_tables(store);
    struct why why = {0};
    int fds[2], status = -1;
    CHECK_EQ(pipe(fds), 0);
    pid_t pid = fork();
    if (pid == 0)
        write_until_full(fds[1]);
    (void)close(fds[1]);
    int64_t id, n = 0;
    while (read(fds[0], &id, sizeof id) == (long)sizeof id)
        n++;
    (void)close(fds[0]);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    CHECK(n > 5);
    for (int64_t i = 0; i < n; i++)
        CHECK(has(store, i));
    CHECK_EQ(number(store, "SELECT count(*) FROM crash_rows"), n);
    CHECK_EQ(number(store, "SELECT n FROM crash_total"), n);
    CHECK_OK(store_check(store, &why), &why);
    CHECK_OK(add(store, n, 20000, &why), &why);
    test_store_done(store);
}

TESTS_MAIN()
