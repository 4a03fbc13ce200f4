/*
 * bench/bench_ledger - entries appended and checked a second, objects stored and read, on SQLite.
 *
 *     bench_ledger [entries]        default 50000
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "objects/objects.h"

#define BATCH     100
#define N_SINGLE  200
#define N_OBJECTS 300
#define BIG       ((size_t)64 << 20)

static void must(enum err err, const struct why *why)
{
    if (!err)
        return;
    (void)fprintf(stderr, "bench_ledger: %s\n", why_text(why, err));
    exit(1);
}

static double since(int64_t start_ns, double n)
{
    return n * 1e9 / (double)(time_mono_ns() - start_ns);
}

static void measure_ledger(const char *url, int64_t n)
{
    static const struct ledger_act act = {.tenant = "0198c0de-0000-7000-8000-000000000001",
                                          .actor = "user:0198c0de-0000-7000-8000-000000000002",
                                          .address = "10.20.30.40",
                                          .action = "knowledge.document.import",
                                          .object = "0198c0de-0000-7000-8000-000000000003",
                                          .result = "ok",
                                          .trace = "4bf92f3577b34da6a3ce929d0e0e4736",
                                          .detail = STR_INIT("{\"title\":\"城市管理条例\"}")};
    struct store *store;
    struct why why = {0};
    struct ledger_report report;
    must(store_open(&(struct store_opts){url, 5000, 2}, &store, &why), &why);
    must(store_migrate(store, ledger_migrations, ledger_n_migrations, false, NULL, &why), &why);
    int64_t start = time_mono_ns();
    for (int64_t i = 0; i < n; i += BATCH) {
        struct store_tx *tx;
        must(store_begin(store, STORE_WRITE, &tx, &why), &why);
        for (int j = 0; j < BATCH; j++)
            must(ledger_append(tx, &act, NULL, &why), &why);
        must(store_commit(tx, &why), &why);
    }
    printf("%-48s %10.0f\n", "entries appended a second, 100 a transaction",
           since(start, (double)n));
    start = time_mono_ns();
    for (int i = 0; i < N_SINGLE; i++)
        must(ledger_record(store, &act, &why), &why);
    printf("%-48s %10.0f\n", "entries appended a second, each durable by itself",
           since(start, N_SINGLE));
    start = time_mono_ns();
    must(ledger_check(store, NULL, &report, &why), &why);
    printf("%-48s %10.0f%s\n", "entries checked a second", since(start, (double)report.n_entries),
           report.first_bad ? "  THE CHAIN IS BROKEN" : "");
    store_close(store);
}

static void no_bad(void *ctx, const char *name, const char *words)
{
    (void)ctx;
    (void)fprintf(stderr, "bench_ledger: object %s %s\n", name, words);
    exit(1);
}

static void measure_objects(const char *dir)
{
    struct objects *objects;
    struct why why = {0};
    char name[HASH_TEXT], small[10000];
    struct arena *arena = arena_new(BIG + (1 << 20));
    char *big = calloc(1, BIG);
    struct str data;
    size_t n;
    if (!arena || !big)
        must(ERR_NO_MEMORY, &why);
    must(objects_open(dir, &objects, &why), &why);
    int64_t start = time_mono_ns();
    for (int i = 0; i < N_OBJECTS; i++) {
        random_bytes(small, sizeof small);
        must(objects_put(objects, (struct str){small, sizeof small}, name, &why), &why);
    }
    printf("%-48s %10.0f\n", "objects of 10 kB stored a second, each durable",
           since(start, N_OBJECTS));
    struct objects_batch *batch = objects_batch_new(objects);
    start = time_mono_ns();
    for (int i = 0; i < N_OBJECTS * 10; i++) {
        random_bytes(small, sizeof small);
        must(objects_batch_put(batch, (struct str){small, sizeof small}, name, &why), &why);
    }
    must(objects_batch_commit(batch, &why), &why);
    printf("%-48s %10.0f\n", "the same in a batch of 3000", since(start, N_OBJECTS * 10));
    objects_batch_free(batch);
    random_bytes(big, 4096);
    start = time_mono_ns();
    must(objects_put(objects, (struct str){big, BIG}, name, &why), &why);
    printf("%-48s %10.0f\n", "MiB a second stored, one object of 64 MiB", since(start, 64));
    start = time_mono_ns();
    must(objects_get(objects, name, BIG, arena, &data, &why), &why);
    printf("%-48s %10.0f\n", "MiB a second read and verified", since(start, 64));
    must(objects_check(objects, no_bad, NULL, &n, &why), &why);
    objects_close(objects);
    free(big);
    arena_free(arena);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? strtoll(argv[1], NULL, 10) : 50000;
    char dir[] = "/tmp/yicheng-bench-XXXXXX", path[64];
    if (n < BATCH || !mkdtemp(dir))
        return 2;
    (void)snprintf(path, sizeof path, "%s/ledger.db", dir);
    measure_ledger(path, n);
    (void)snprintf(path, sizeof path, "%s/objects", dir);
    measure_objects(path);
    return file_remove(dir, NULL) ? 1 : 0;
}
