/* What latency.h promises: percentiles within 1/16, hours, groups, several processes, a restart. */
#include "gateway/latency.h"

#include <pthread.h>

#include "core/arena.h"
#include "core/time.h"
#include "gateway/gateway.h"
#include "support/test_store.h"
#include "tap.h"

#define HOUR_MS 3600000LL

static bool migrated(struct store *store)
{
    struct why why = {0};
    enum err err =
        store_migrate(store, gateway_migrations, gateway_n_migrations, false, NULL, &why);
    CHECK_OK(err, &why);
    return !err;
}

static struct latency *opened(struct store *store)
{
    struct latency *latency = NULL;
    struct why why = {0};
    CHECK_OK(latency_open(store, &latency, &why), &why);
    return latency;
}

static void add(struct latency *latency, const char *tenant, const char *model, int64_t whole)
{
    latency_add(latency, str_c(tenant), str_c(model), STR("desk"),
                (const int64_t[]){-1, -1, whole});
}

static size_t ask(struct latency *latency, struct latency_filter filter, struct arena *arena,
                  struct latency_row ***rows)
{
    struct why why = {0};
    size_t n = 0;
    filter.to_ms = filter.to_ms ? filter.to_ms : time_now_ms() + HOUR_MS;
    filter.from_ms = filter.from_ms ? filter.from_ms : filter.to_ms - 4 * HOUR_MS;
    CHECK_OK(latency_ask(latency, &filter, arena, rows, &n, &why), &why);
    return n;
}

static int64_t sum(const int64_t counts[LATENCY_BUCKETS])
{
    int64_t n = 0;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        n += counts[i];
    return n;
}

TEST(buckets_rise_and_hold_every_time)
{
    size_t last = 0;
    for (int64_t us = 0; us < (int64_t)1 << 33; us += us / 40 + 1) {
        size_t bucket = latency_bucket(us);
        CHECK(bucket < LATENCY_BUCKETS && bucket >= last);
        last = bucket;
    }
    CHECK_EQ(last, LATENCY_BUCKETS - 1);
    CHECK_EQ(latency_bucket(-5), 0);
}

TEST(a_percentile_is_off_by_a_sixteenth_at_most)
{
    static const double shares[] = {0.5, 0.95, 0.99};
    for (int64_t scale = 1; scale < 100000; scale *= 7) {
        int64_t counts[LATENCY_BUCKETS] = {0};
        for (int64_t i = 1; i <= 1000; i++) /* times i * scale, each as often */
            counts[latency_bucket(i * scale)]++;
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
            double truth = shares[i] * 1000 * (double)scale;
            double found = (double)latency_percentile(counts, shares[i]);
            CHECK(found > truth * 15 / 16 - 1 && found < truth * 17 / 16 + 1);
        }
    }
    CHECK_EQ(latency_percentile((const int64_t[LATENCY_BUCKETS]){0}, 0.5), -1);
}

TEST(calls_are_told_apart_by_tenant_model_and_application_or_added_up)
{
    FRESH_STORE(store, 4);
    struct arena *arena = arena_new(64 << 20);
    struct latency_row **rows;
    struct latency *latency = migrated(store) ? opened(store) : NULL;
    for (int i = 0; i < 30; i++)
        add(latency, "city", "chat", 1000);
    for (int i = 0; i < 10; i++)
        add(latency, "water", "chat", 9000);
    latency_add(latency, STR("city"), STR("long"), STR(""), (const int64_t[]){500, 20, 70000});
    CHECK_EQ(ask(latency, (struct latency_filter){0}, arena, &rows), 1);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_WHOLE]), 41);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_FIRST]), 1);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_BETWEEN]), 1);
    CHECK_EQ(ask(latency, (struct latency_filter){.by = LATENCY_BY_MODEL}, arena, &rows), 2);
    CHECK(str_eq_c(rows[0]->model, "chat") && rows[0]->tenant.len == 0);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_WHOLE]), 40);
    CHECK_EQ(ask(latency, (struct latency_filter){.by = LATENCY_BY_TENANT | LATENCY_BY_APPLICATION},
                 arena, &rows),
             3);
    CHECK_EQ(ask(latency, (struct latency_filter){.tenant = STR("water")}, arena, &rows), 1);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_WHOLE]), 10);
    int64_t p50 = latency_percentile(rows[0]->counts[LATENCY_WHOLE], 0.5);
    CHECK(p50 > 8400 && p50 < 9600);
    CHECK_EQ(ask(latency, (struct latency_filter){.model = STR("none")}, arena, &rows), 0);
    latency_close(latency);
    test_store_done(store);
    arena_free(arena);
}

TEST(a_question_asked_twice_counts_once_and_a_restart_forgets_nothing)
{
    FRESH_STORE(store, 4);
    struct arena *arena = arena_new(64 << 20);
    struct latency_row **rows;
    struct latency *latency = migrated(store) ? opened(store) : NULL;
    for (int round = 1; round <= 3; round++) {
        add(latency, "city", "chat", 1000);
        (void)ask(latency, (struct latency_filter){0}, arena, &rows);
        CHECK_EQ(sum(rows[0]->counts[LATENCY_WHOLE]), round);
    }
    add(latency, "city", "chat", 1000);
    latency_close(latency);
    latency = opened(store);
    struct latency *other = opened(store); /* a second centre on the same database */
    add(latency, "city", "chat", 1000);
    add(other, "city", "chat", 1000);
    (void)ask(other, (struct latency_filter){0}, arena, &rows);
    latency_close(latency);
    CHECK_EQ(ask(other, (struct latency_filter){0}, arena, &rows), 1);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_WHOLE]), 6);
    latency_close(other);
    test_store_done(store);
    arena_free(arena);
}

TEST(hours_and_days_are_steps_and_what_lies_outside_is_left_out)
{
    FRESH_STORE(store, 4);
    struct arena *arena = arena_new(64 << 20);
    struct latency_row **rows;
    struct latency *latency = migrated(store) ? opened(store) : NULL;
    int64_t noon = day_start_ms(day_today()) + 12 * HOUR_MS, hour = noon / HOUR_MS;
    for (int64_t h = hour - 48; h < hour; h += 12) {
        struct why why = {0};
        CHECK_OK(store_run(store,
                           "INSERT INTO gateway_latency VALUES (?, 'city', 'chat', '', 'p', '',"
                           " '', '40:2 41:1')",
                           STORE_ARGS(SV_INT(h)), NULL, &why),
                 &why);
    }
    struct latency_filter f = {.from_ms = noon - 48 * HOUR_MS, .to_ms = noon};
    CHECK_EQ(ask(latency, f, arena, &rows), 1);
    CHECK_EQ(sum(rows[0]->counts[LATENCY_WHOLE]), 12);
    f.step = LATENCY_STEP_HOUR;
    CHECK_EQ(ask(latency, f, arena, &rows), 4);
    CHECK(rows[0]->at_ms == noon - 48 * HOUR_MS && rows[3]->at_ms == noon - 12 * HOUR_MS);
    f.step = LATENCY_STEP_DAY;
    CHECK_EQ(ask(latency, f, arena, &rows), 3);
    CHECK_EQ(sum(rows[1]->counts[LATENCY_WHOLE]), 6);
    f.from_ms = noon - 12 * HOUR_MS;
    CHECK_EQ(ask(latency, f, arena, &rows), 1);
    f.from_ms = f.to_ms;
    size_t n = 0;
    struct why why = {0};
    CHECK_EQ(latency_ask(latency, &f, arena, &rows, &n, &why), ERR_INVALID);
    latency_close(latency);
    test_store_done(store);
    arena_free(arena);
}

struct adder {
    struct latency *latency;
    pthread_t thread;
};
static void *add_many(void *arg)
{
    char model[32];
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(model, sizeof model, "m%d", i % 50);
        add(((struct adder *)arg)->latency, "city", model, i);
    }
    return NULL;
}

TEST(many_threads_and_more_names_than_it_holds_lose_no_call)
{
    FRESH_STORE(store, 4);
    struct arena *arena = arena_new(64 << 20);
    struct latency_row **rows;
    struct latency *latency = migrated(store) ? opened(store) : NULL;
    struct adder adders[4];
    for (int i = 0; i < 4; i++) {
        adders[i].latency = latency;
        CHECK_EQ(pthread_create(&adders[i].thread, NULL, add_many, &adders[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(adders[i].thread, NULL);
    CHECK_EQ(ask(latency, (struct latency_filter){.by = LATENCY_BY_MODEL}, arena, &rows), 50);
    for (int i = 0; i < 2000; i++) {
        char model[32];
        (void)snprintf(model, sizeof model, "odd%d", i);
        add(latency, "city", model, 10);
    }
    size_t n = ask(latency, (struct latency_filter){.by = LATENCY_BY_MODEL}, arena, &rows);
    CHECK(n > 900 && n <= 1002);
    int64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += sum(rows[i]->counts[LATENCY_WHOLE]);
    CHECK_EQ(total, 82000);
    latency_close(latency);
    test_store_done(store);
    arena_free(arena);
}

TESTS_MAIN()
