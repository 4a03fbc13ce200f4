/*
 * bench/bench_meter - the hot path of metering, and what its writer takes, on SQLite.
 *
 *     bench_meter [lines]        default 200000
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "meter/meter.h"

#define BURST     2000 /* calls between two waits for the writer, too few to wake it */
#define N_BURSTS  50
#define N_THREADS 2
#define N_KEYS    20

static void must(enum err err, const struct why *why)
{
    if (!err)
        return;
    (void)fprintf(stderr, "bench_meter: %s\n", why_text(why, err));
    exit(1);
}

struct place {
    struct store *store;
    struct meter *meter;
    struct arena *arena;
};

static void open_place(struct place *p, const char *dir, const char *commit)
{
    struct why why = {0};
    char url[128], set[64];
    const struct conf *conf;
    (void)snprintf(url, sizeof url, "%s/meter.db", dir);
    (void)snprintf(set, sizeof set, "meter.commit=%s", commit);
    const char *sets[] = {set, "meter.slots=65536"};
    p->arena = arena_new(1 << 20);
    must(conf_load(&meter_conf, 1, NULL, sets, 2, p->arena, &conf, &why), &why);
    must(store_open(&(struct store_opts){url, 60000, 4}, &p->store, &why), &why);
    struct store_migration steps[16];
    size_t n = 0;
    for (size_t i = 0; i < ledger_n_migrations; i++)
        steps[n++] = ledger_migrations[i];
    for (size_t i = 0; i < meter_n_migrations; i++)
        steps[n++] = meter_migrations[i];
    must(store_migrate(p->store, steps, n, false, NULL, &why), &why);
    struct meter_opts opts = {.store = p->store, .conf = conf, .data_dir = dir};
    must(meter_open(&opts, &p->meter, &why), &why);
    must(meter_start(p->meter, &why), &why);
}

static void close_place(struct place *p)
{
    meter_close(p->meter);
    store_close(p->store);
    arena_free(p->arena);
}

/* Limits on all levels, so that all of them are looked at. Without ops nobody may set them, so they
 * are written as the room would. */
static void set_limits(struct place *p)
{
    struct why why = {0};
    static const char sql[] =
        "INSERT INTO meter_limits (tenant, level, name, models, network, application,"
        " requests_per_minute, tokens_per_minute, concurrent, tokens_per_day, tokens_per_month,"
        " money_per_day, money_per_month, expires_ms, version, updated_ms) VALUES ('city', ?, ?,"
        " 'city-* qwen-*', '10.0.0.0/8 192.168.0.0/16', '', 1000000000, 1000000000000, 1000000,"
        " 1000000000000, 1000000000000, 1000000000000, 1000000000000, 0, 1, 0)";
    char name[16];
    must(store_run(p->store, sql, STORE_ARGS(SV_INT(0), SV_C("")), NULL, &why), &why);
    must(store_run(p->store, sql, STORE_ARGS(SV_INT(1), SV_C("hotline")), NULL, &why), &why);
    for (int i = 0; i < N_KEYS; i++) {
        (void)snprintf(name, sizeof name, "key-%d", i);
        must(store_run(p->store, sql, STORE_ARGS(SV_INT(2), SV_C(name)), NULL, &why), &why);
    }
    must(store_run(p->store,
                   "INSERT INTO meter_plans (id, tenant, price_key, from_ms, prompt, cached,"
                   " completion, request, image, cached_answer, note, created_by, created_ms)"
                   " VALUES ('plan', '', 'city-chat', 0, 800000, 200000, 2000000, 0, 0, 0, '', '',"
                   " 0)",
                   STORE_NO_ARGS, NULL, &why),
         &why);
    must(store_run(p->store, "INSERT INTO meter_meta (name, value) VALUES ('rules', 1)",
                   STORE_NO_ARGS, NULL, &why),
         &why);
}

struct worker {
    struct meter *meter;
    int64_t n, ns;
    int which;
};

static void *call_many(void *arg)
{
    struct worker *w = arg;
    struct ops_identity who = {
        .kind = STR("key"), .tenant = STR("city"), .address = STR("10.20.30.40")};
    struct meter_ask ask = {.who = &who,
                            .kind = METER_CHAT,
                            .application = STR("hotline"),
                            .model = STR("city-chat"),
                            .model_id = STR("0198c0de-0000-7000-8000-000000000001"),
                            .prompt_tokens = 800,
                            .max_completion_tokens = 400,
                            .trace = STR("4bf92f3577b34da6a3ce929d0e0e4736")};
    struct meter_usage usage = {.prompt = 812,
                                .cached = 100,
                                .completion = 300,
                                .outcome = METER_OK,
                                .queue_ms = 1,
                                .first_ms = 50};
    char name[16];
    int64_t start = time_mono_ns();
    for (int64_t i = 0; i < w->n; i++) {
        struct meter_call *call;
        struct why why = {0};
        enum err err;
        (void)snprintf(name, sizeof name, "key-%d", (int)((i + w->which) % N_KEYS));
        who.id = str_c(name);
        while ((err = meter_begin(w->meter, &ask, &call, NULL, &why)) == ERR_UNAVAILABLE) {
            why = (struct why){0};
            time_sleep_ms(1);
        }
        must(err, &why);
        meter_deliver(call, 1);
        meter_deliver(call, 300);
        meter_end(call, &usage, NULL);
    }
    w->ns = time_mono_ns() - start;
    return NULL;
}

/* Bursts that the slots hold, with the writer away in the meantime. */
static double hot_path(struct place *p, int n_threads)
{
    struct why why = {0};
    int64_t ns = 0, n = 0;
    for (int burst = 0; burst < N_BURSTS; burst++) {
        struct worker workers[N_THREADS];
        pthread_t ids[N_THREADS];
        int64_t start = time_mono_ns();
        for (int i = 0; i < n_threads; i++) {
            workers[i] = (struct worker){p->meter, BURST / n_threads, 0, i};
            if (pthread_create(&ids[i], NULL, call_many, &workers[i]) != 0)
                exit(1);
        }
        for (int i = 0; i < n_threads; i++)
            (void)pthread_join(ids[i], NULL);
        ns += time_mono_ns() - start;
        n += BURST / n_threads * n_threads;
        must(meter_flush(p->meter, 60000, &why), &why);
    }
    return (double)n * 1e9 / (double)ns;
}

static int64_t resident_kib(void)
{
    long pages = 0, all = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
        pages = 0;
    if (f)
        (void)fclose(f);
    return pages * 4;
}

static void measure_writer(struct place *p, int64_t n)
{
    struct why why = {0};
    struct worker first = {p->meter, n / 10, 0, 0}, w = {p->meter, n, 0, 0};
    (void)call_many(&first);
    must(meter_flush(p->meter, 60000, &why), &why);
    int64_t before = resident_kib(), start = time_mono_ns();
    (void)call_many(&w);
    must(meter_flush(p->meter, 60000, &why), &why);
    printf("%-60s %10.0f\n", "calls begun, delivered, ended and written a second",
           (double)n * 1e9 / (double)(time_mono_ns() - start));
    printf("%-60s %10lld\n", "KiB of memory more after that", (long long)(resident_kib() - before));
}

static void no_fault(void *ctx, const char *words)
{
    (void)ctx;
    (void)fprintf(stderr, "bench_meter: %s\n", words);
}

static void measure_reading(struct place *p)
{
    struct why why = {0};
    struct meter_report report;
    struct meter_row *rows;
    size_t n;
    struct arena *arena = arena_new(64 << 20);
    struct meter_filter f = {.from_ms = time_now_ms() - 30 * 86400000LL,
                             .to_ms = time_now_ms() + 1,
                             .step = METER_STEP_DAY,
                             .by = METER_BY_MODEL | METER_BY_KEY,
                             .limit = 10000};
    int64_t start = time_mono_ns();
    must(meter_usage_query(p->meter, &f, arena, &rows, &n, &why), &why);
    printf("%-60s %10.2f\n", "ms for the usage of 30 days by model and key",
           (double)(time_mono_ns() - start) / 1e6);
    start = time_mono_ns();
    must(meter_check(p->meter, no_fault, NULL, &report, &why), &why);
    /* Limits and prices were not set through the room: one fault, the price's entry. */
    printf("%-60s %10.0f%s\n", "lines checked a second",
           (double)report.n_lines * 1e9 / (double)(time_mono_ns() - start),
           report.n_faults == 1 ? "" : "  FAULTS");
    arena_free(arena);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? strtoll(argv[1], NULL, 10) : 200000;
    char dir[] = "/tmp/yicheng-bench-XXXXXX";
    struct place p;
    if (n < 1000 || !mkdtemp(dir) || log_open("/dev/null", LOG_LEVEL_ERROR, true, NULL))
        return 2;
    open_place(&p, dir, "60s");
    printf("%-60s %10.0f\n", "calls begun, delivered, ended a second, no limits, 1 thread",
           hot_path(&p, 1));
    set_limits(&p);
    close_place(&p);
    open_place(&p, dir, "60s");
    printf("%-60s %10.0f\n", "the same with 26 limits on three levels and a price, 1 thread",
           hot_path(&p, 1));
    printf("%-60s %10.0f\n", "the same, 2 threads of one tenant", hot_path(&p, 2));
    close_place(&p);
    open_place(&p, dir, "1s");
    measure_writer(&p, n);
    measure_reading(&p);
    close_place(&p);
    return file_remove(dir, NULL) ? 1 : 0;
}
