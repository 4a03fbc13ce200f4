/*
 * bench/bench_store - rows a second through the store, on both engines, beside the bare SQLite API
 * with the same settings in the same run.
 *
 *     bench_store [rows]        default 50000; needs PostgreSQL's server for its column
 */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "store/store.h"
#include "support/pg_cluster.h"

#define BATCH     1000 /* rows a transaction */
#define N_SINGLE  300  /* transactions of one row */
#define N_THREADS 4

#define TABLE                                                                                      \
    "CREATE TABLE bench_rows (id INTEGER NOT NULL PRIMARY KEY, s TEXT NOT NULL, n INTEGER)"
#define INSERT "INSERT INTO bench_rows (id, s, n) VALUES (?, ?, ?)"
#define ONE    "SELECT s, n FROM bench_rows WHERE id = ?"
#define ALL    "SELECT id, s, n FROM bench_rows"

static const char text[] = "第三十七条 劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。";

struct figures {
    double batched, single, by_key, by_key_in_one, scanned, by_threads; /* a second */
    double beside_p50_ms, beside_p95_ms; /* a transaction of one row beside an import */
};

static _Noreturn void stop(const char *words)
{
    (void)fprintf(stderr, "bench_store: %s\n", words);
    exit(1);
}

static void must(enum err err, const struct why *why)
{
    if (err)
        stop(why_text(why, err));
}

static double since(int64_t start_ns, int64_t n)
{
    return (double)n * 1e9 / (double)(time_mono_ns() - start_ns);
}

/* ---- through the store ---- */

static void insert(struct store_tx *tx, int64_t id)
{
    struct why why = {0};
    must(store_exec(tx, INSERT, STORE_ARGS(SV_INT(id), SV_C(text), SV_INT(id % 7)), NULL, &why),
         &why);
}

static void insert_rows(struct store *store, int64_t first, int64_t n, int64_t batch)
{
    struct why why = {0};
    for (int64_t i = 0; i < n; i += batch) {
        struct store_tx *tx;
        must(store_begin(store, STORE_WRITE, &tx, &why), &why);
        for (int64_t j = i; j < i + batch && j < n; j++)
            insert(tx, first + j);
        must(store_commit(tx, &why), &why);
    }
}

static void read_one(struct store *store, struct store_tx *tx, struct arena *arena, int64_t id)
{
    struct why why = {0};
    struct store_rows rows = {0};
    struct store_args args = STORE_ARGS(SV_INT(id));
    arena_reset(arena);
    must(tx ? store_query(tx, ONE, args, arena, &rows, &why)
            : store_ask(store, ONE, args, arena, &rows, &why),
         &why);
    if (rows.n_rows != 1 || store_str(&rows, 0, 0).len != sizeof text - 1)
        stop("a row is not what was written");
}

static enum err count_row(void *ctx, const struct store_rows *row, struct why *why)
{
    (void)why;
    *(int64_t *)ctx += store_str(row, 0, 1).len == sizeof text - 1;
    return ERR_OK;
}

struct reading {
    struct store *store;
    int64_t n;
};

static void *read_many(void *arg)
{
    struct reading *reading = arg;
    struct arena *arena = arena_new(1 << 16);
    for (int64_t i = 0; i < reading->n; i++)
        read_one(reading->store, NULL, arena, (i * 7919) % reading->n);
    arena_free(arena);
    return NULL;
}

static struct figures measure_store(const char *url, int64_t n)
{
    struct figures out;
    struct store *store;
    struct store_tx *tx;
    struct why why = {0};
    struct arena *arena = arena_new(1 << 16);
    must(store_open(&(struct store_opts){url, 5000, N_THREADS}, &store, &why), &why);
    static const struct store_migration steps[] = {{"bench", 1, TABLE, NULL}};
    must(store_migrate(store, steps, 1, false, NULL, &why), &why);

    int64_t start = time_mono_ns();
    insert_rows(store, 0, n, BATCH);
    out.batched = since(start, n);
    start = time_mono_ns();
    insert_rows(store, n, N_SINGLE, 1);
    out.single = since(start, N_SINGLE);

    start = time_mono_ns();
    for (int64_t i = 0; i < n; i++)
        read_one(store, NULL, arena, (i * 7919) % n);
    out.by_key = since(start, n);
    must(store_begin(store, STORE_READ, &tx, &why), &why);
    start = time_mono_ns();
    for (int64_t i = 0; i < n; i++)
        read_one(store, tx, arena, (i * 7919) % n);
    out.by_key_in_one = since(start, n);
    int64_t seen = 0;
    start = time_mono_ns();
    must(store_each(tx, ALL, STORE_NO_ARGS, count_row, &seen, &why), &why);
    out.scanned = since(start, seen);
    store_rollback(tx);
    if (seen != n + N_SINGLE)
        stop("rows are missing");

    struct reading reading = {store, n};
    pthread_t ids[N_THREADS];
    start = time_mono_ns();
    for (int i = 0; i < N_THREADS; i++)
        if (pthread_create(&ids[i], NULL, read_many, &reading) != 0)
            stop("could not start a thread");
    for (int i = 0; i < N_THREADS; i++)
        pthread_join(ids[i], NULL);
    out.by_threads = since(start, n * N_THREADS);
    arena_free(arena);
    store_close(store);
    return out;
}

/* ---- one row beside another process that imports, 1000 rows a transaction, without a pause ----
 */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void import_for_ever(const char *url)
{
    struct store *store;
    struct why why = {0};
    must(store_open(&(struct store_opts){url, 60000, 1}, &store, &why), &why);
    for (int64_t id = 1LL << 40;; id += BATCH)
        insert_rows(store, id, BATCH, BATCH);
}

static void measure_beside(const char *url, struct figures *out)
{
    static double ms[N_SINGLE];
    struct store *store;
    struct why why = {0};
    must(store_open(&(struct store_opts){url, 60000, 1}, &store, &why), &why);
    pid_t pid = fork();
    if (pid == 0)
        import_for_ever(url);
    time_sleep_ms(100);
    for (int i = 0; i < N_SINGLE; i++) {
        int64_t start = time_mono_ns();
        insert_rows(store, (1LL << 50) + i, 1, 1);
        ms[i] = (double)(time_mono_ns() - start) / 1e6;
        time_sleep_ms(5);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    store_close(store);
    qsort(ms, N_SINGLE, sizeof ms[0], by_size);
    out->beside_p50_ms = ms[N_SINGLE / 2];
    out->beside_p95_ms = ms[N_SINGLE * 95 / 100];
}

/* ---- the bare API of SQLite ---- */

static void raw(int rc, int expect, sqlite3 *db)
{
    if (rc != expect)
        stop(sqlite3_errmsg(db));
}

static void raw_exec(sqlite3 *db, const char *sql)
{
    raw(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, db);
}

static void raw_rows(sqlite3 *db, sqlite3_stmt *stmt, int64_t first, int64_t n, int64_t batch)
{
    for (int64_t i = 0; i < n; i += batch) {
        raw_exec(db, "BEGIN IMMEDIATE");
        for (int64_t j = first + i; j < first + i + batch && j < first + n; j++) {
            (void)sqlite3_bind_int64(stmt, 1, j);
            (void)sqlite3_bind_text(stmt, 2, text, sizeof text - 1, SQLITE_STATIC);
            (void)sqlite3_bind_int64(stmt, 3, j % 7);
            raw(sqlite3_step(stmt), SQLITE_DONE, db);
            (void)sqlite3_reset(stmt);
        }
        raw_exec(db, "COMMIT");
    }
}

static double raw_by_key(sqlite3 *db, sqlite3_stmt *stmt, int64_t n, bool in_one)
{
    int64_t start = time_mono_ns();
    if (in_one)
        raw_exec(db, "BEGIN");
    for (int64_t i = 0; i < n; i++) {
        char copy[sizeof text];
        (void)sqlite3_bind_int64(stmt, 1, (i * 7919) % n);
        raw(sqlite3_step(stmt), SQLITE_ROW, db);
        memcpy(copy, sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
        (void)sqlite3_reset(stmt);
    }
    if (in_one)
        raw_exec(db, "COMMIT");
    return since(start, n);
}

static struct figures measure_raw(const char *path, int64_t n)
{
    struct figures out = {0};
    sqlite3 *db;
    sqlite3_stmt *put, *one, *all;
    if (sqlite3_open(path, &db) != SQLITE_OK)
        stop("could not open a database");
    raw_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;" TABLE);
    raw(sqlite3_prepare_v2(db, INSERT, -1, &put, NULL), SQLITE_OK, db);
    raw(sqlite3_prepare_v2(db, ONE, -1, &one, NULL), SQLITE_OK, db);
    raw(sqlite3_prepare_v2(db, ALL, -1, &all, NULL), SQLITE_OK, db);
    int64_t start = time_mono_ns();
    raw_rows(db, put, 0, n, BATCH);
    out.batched = since(start, n);
    start = time_mono_ns();
    raw_rows(db, put, n, N_SINGLE, 1);
    out.single = since(start, N_SINGLE);
    out.by_key = raw_by_key(db, one, n, false);
    out.by_key_in_one = raw_by_key(db, one, n, true);
    int64_t seen = 0;
    start = time_mono_ns();
    while (sqlite3_step(all) == SQLITE_ROW)
        seen += sqlite3_column_text(all, 1) && sqlite3_column_bytes(all, 1) == sizeof text - 1;
    out.scanned = since(start, seen);
    (void)sqlite3_finalize(put);
    (void)sqlite3_finalize(one);
    (void)sqlite3_finalize(all);
    (void)sqlite3_close(db);
    return out;
}

/* ---- */

static void line(const char *what, double a, double b, double c)
{
    printf("%-44s %12.0f %12.0f %12.0f\n", what, a, b, c);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? strtoll(argv[1], NULL, 10) : 50000;
    char dir[] = "/tmp/yicheng-bench-XXXXXX", path[64], url[256], words[200] = "";
    if (n < BATCH || !mkdtemp(dir))
        stop("needs at least 1000 rows and a temporary folder");
    (void)snprintf(path, sizeof path, "%s/raw.db", dir);
    struct figures bare = measure_raw(path, n);
    (void)snprintf(path, sizeof path, "%s/store.db", dir);
    struct figures sqlite = measure_store(path, n), pg = {0};
    measure_beside(path, &sqlite);
    struct pg_cluster *cluster = pg_cluster_new_durable(words, sizeof words);
    if (cluster && pg_cluster_database(cluster, "bench", url, sizeof url))
        pg = measure_store(url, n), measure_beside(url, &pg);
    pg_cluster_free(cluster);
    printf("%-44s %12s %12s %12s\n", "a second", "bare SQLite", "sqlite", "postgresql");
    line("rows inserted, 1000 a transaction", bare.batched, sqlite.batched, pg.batched);
    line("transactions of one row, durable", bare.single, sqlite.single, pg.single);
    line("rows by key, each in its own transaction", bare.by_key, sqlite.by_key, pg.by_key);
    line("rows by key in one transaction", bare.by_key_in_one, sqlite.by_key_in_one,
         pg.by_key_in_one);
    line("rows one by one from a table", bare.scanned, sqlite.scanned, pg.scanned);
    line("rows by key, 4 threads", 0, sqlite.by_threads, pg.by_threads);
    printf("%-44s %12s %12.1f %12.1f\n", "ms for one row beside an import, p50", "",
           sqlite.beside_p50_ms, pg.beside_p50_ms);
    printf("%-44s %12s %12.1f %12.1f\n", "ms for one row beside an import, p95", "",
           sqlite.beside_p95_ms, pg.beside_p95_ms);
    if (words[0])
        printf("postgresql was not measured: %s\n", words);
    return file_remove(dir, NULL) ? 1 : 0;
}
