/*
 * tests/meter/room - a meter on a store of either engine, with a clock that the test turns.
 */
#ifndef TESTS_METER_ROOM_H
#define TESTS_METER_ROOM_H

#include <stdatomic.h>

#include "meter/meter.h"
#include "ops/centre.h"

#define DAY_MS 86400000LL

struct metering {
    struct centre c;
    struct meter *meter;
    _Atomic int64_t now_ms;
    struct ops_identity key; /* a key of the home tenant */
    int64_t n_faults;
    char fault[400]; /* the first one */
};

__attribute__((unused)) static int64_t test_clock(void *ctx)
{
    return atomic_load(&((struct metering *)ctx)->now_ms);
}

__attribute__((unused)) static void metering_meter(struct metering *m)
{
    struct why why = {0};
    struct meter_opts opts = {.store = m->c.store,
                              .ops = m->c.ops,
                              .conf = m->c.conf,
                              .data_dir = test_store_dir(),
                              .clock = test_clock,
                              .clock_ctx = m};
    CHECK_OK(meter_open(&opts, &m->meter, &why), &why);
}

/* It is noon of the 2nd of November 2026 in China. */
__attribute__((unused)) static bool metering_open(struct metering *m, const char *set)
{
    static const struct conf_table *tables[] = {&ops_conf, &meter_conf};
    const char *sets[] = {"meter.commit=20ms", "meter.refresh=50ms", set ? set : "meter.slots=256"};
    struct conf_table all[2] = {*tables[0], *tables[1]};
    *m = (struct metering){.now_ms = 1793592000000LL};
    centre_more = meter_migrations;
    centre_n_more = meter_n_migrations;
    if (!centre_open_with(&m->c, all, 2, sets, 3))
        return false;
    m->key = (struct ops_identity){.kind = STR("key"),
                                   .id = STR("key-1"),
                                   .user = STR("user-1"),
                                   .name = STR("a key"),
                                   .tenant = STR(OPS_HOME),
                                   .address = STR("10.1.2.3")};
    metering_meter(m);
    return true;
}

__attribute__((unused)) static void metering_close(struct metering *m)
{
    meter_close(m->meter);
    centre_close(&m->c);
}

#define METERING(var, set)                                                                         \
    struct metering var;                                                                           \
    if (!metering_open(&var, (set)))                                                               \
    SKIP(test_store_skip())

/* Prices that leave remainders: 0.8 micro-units a prompt token, 0.3 cached, 2.000007 completion. */
__attribute__((unused)) static const struct meter_rates test_rates = {
    .prompt = 800000,
    .cached = 300000,
    .completion = 2000007,
    .request = 11,
    .image = 50000,
    .cached_answer = 5,
};

__attribute__((unused)) static void put_price(struct metering *m, const char *key)
{
    struct ops_identity system = ops_system();
    struct meter_plan plan = {.price_key = str_c(key), .rates = test_rates};
    struct why why = {0};
    struct str id;
    CHECK_OK(meter_plan_create(m->meter, &system, &plan, m->c.arena, &id, &why), &why);
}

__attribute__((unused)) static struct meter_limit
no_limits(struct str tenant, enum meter_level level, const char *name)
{
    return (struct meter_limit){.tenant = tenant,
                                .level = level,
                                .name = str_c(name),
                                .requests_per_minute = -1,
                                .tokens_per_minute = -1,
                                .concurrent = -1,
                                .tokens_per_day = -1,
                                .tokens_per_month = -1,
                                .money_per_day = -1,
                                .money_per_month = -1,
                                .version = -1};
}

__attribute__((unused)) static void put_limit(struct metering *m, const struct meter_limit *limit)
{
    struct ops_identity system = ops_system();
    struct why why = {0};
    CHECK_OK(meter_limit_put(m->meter, &system, limit, &why), &why);
}

__attribute__((unused)) static struct meter_ask ask_of(const struct metering *m, const char *model)
{
    return (struct meter_ask){.who = &m->key,
                              .kind = METER_CHAT,
                              .model = str_c(model),
                              .prompt_tokens = 100,
                              .max_completion_tokens = 50};
}

/* Begins; NULL when refused. */
__attribute__((unused)) static struct meter_call *
begin(struct metering *m, const struct meter_ask *ask, struct meter_refusal *refusal)
{
    struct meter_call *call = NULL;
    struct why why = {0};
    enum err err = meter_begin(m->meter, ask, &call, refusal, &why);
    if (err && !refusal) {
        CHECK(!"refused");
        printf("# %s\n", why_text(&why, err));
    }
    CHECK(!err || why.text[0]);
    return err ? NULL : call;
}

__attribute__((unused)) static struct meter_charge
end(struct meter_call *call, int64_t prompt, int64_t completion, enum meter_outcome outcome)
{
    struct meter_charge charge = {-1, -1, -1, -1};
    meter_end(call,
              &(struct meter_usage){.prompt = prompt,
                                    .cached = -1,
                                    .completion = completion,
                                    .outcome = outcome,
                                    .queue_ms = -1,
                                    .first_ms = -1},
              &charge);
    return charge;
}

/* A call from begin to end. */
__attribute__((unused)) static struct meter_charge one_call(struct metering *m, const char *model,
                                                            int64_t prompt, int64_t completion)
{
    struct meter_ask ask = ask_of(m, model);
    struct meter_call *call = begin(m, &ask, NULL);
    if (!call)
        return (struct meter_charge){-1, -1, -1, -1};
    meter_deliver(call, completion);
    return end(call, prompt, completion, METER_OK);
}

__attribute__((unused)) static void flush(struct metering *m)
{
    struct why why = {0};
    CHECK_OK(meter_flush(m->meter, 60000, &why), &why);
}

__attribute__((unused)) static int64_t ask_int(struct metering *m, const char *sql)
{
    struct store_rows rows = {0};
    struct why why = {0};
    CHECK_OK(store_ask(m->c.store, sql, STORE_NO_ARGS, m->c.arena, &rows, &why), &why);
    return store_int(&rows, 0, 0);
}

__attribute__((unused)) static void keep_fault(void *ctx, const char *words)
{
    struct metering *m = ctx;
    if (m->n_faults++ == 0)
        (void)snprintf(m->fault, sizeof m->fault, "%s", words);
}

/* Number of faults; the words of the first are in m->fault. */
__attribute__((unused)) static int64_t check_all(struct metering *m, struct meter_report *report)
{
    struct meter_report own;
    struct why why = {0};
    m->n_faults = 0;
    m->fault[0] = '\0';
    CHECK_OK(meter_check(m->meter, keep_fault, m, report ? report : &own, &why), &why);
    return m->n_faults;
}

#define CHECK_FITS(m)                                                                              \
    do {                                                                                           \
        CHECK_EQ(check_all((m), NULL), 0);                                                         \
        if ((m)->fault[0])                                                                         \
            printf("# fault: %s\n", (m)->fault);                                                   \
    } while (0)

#endif
