/* Reserve, deliver, settle, refund; what a line costs; what stands in the store. */
#include <pthread.h>

#include "meter/room.h"

TEST(a_line_is_rounded_once_half_up)
{
    static const struct meter_rates r = {.prompt = 1, .cached = 2, .completion = 500000};
    static const struct {
        int64_t prompt, cached, completion, money;
    } cases[] = {
        {0, 0, 0, 0},
        {0, 0, 1, 1},      /* 0.5 */
        {499999, 0, 0, 0}, /* 0.499999 */
        {500000, 0, 0, 1},
        {0, 0, 3, 2},      /* 1.5 */
        {1, 0, 2, 1},      /* 1.000001 */
        {10, 10, 1, 1},    /* 0.50002: cached tokens at their own rate, not at both */
        {499999, 1, 0, 1}, /* 499998 + 2 = 500000 */
        {METER_MOST_TOKENS, 0, METER_MOST_TOKENS, 500001000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(
            meter_price(&r, METER_CHAT, cases[i].prompt, cases[i].cached, cases[i].completion, 0),
            cases[i].money);
    static const struct meter_rates most = {METER_MOST_RATE, METER_MOST_RATE, METER_MOST_RATE,
                                            METER_MOST_RATE, METER_MOST_RATE, METER_MOST_RATE};
    CHECK_EQ(
        meter_price(&most, METER_CHAT, METER_MOST_TOKENS, 0, METER_MOST_TOKENS, METER_MOST_IMAGES),
        2000000000000 + 1000000000 + 1000000000000);
    CHECK_EQ(meter_price(&test_rates, METER_CACHED, 1000, 0, 1000, 0), 5);
}

TEST(an_answer_is_charged_by_its_usage_and_stands_in_one_line)
{
    METERING(m, NULL);
    put_price(&m, "city-chat");
    struct meter_ask ask = ask_of(&m, "city-chat");
    ask.model_id = STR("qwen@3");
    ask.application = STR("hotline");
    ask.trace = STR("4bf92f3577b34da6a3ce929d0e0e4736");
    struct meter_call *call = begin(&m, &ask, NULL);
    char id[UUID_TEXT];
    memcpy(id, meter_call_id(call), sizeof id);
    CHECK(uuid_valid(str_c(id)) && id[14] == '7');
    meter_prompt(call, 120, 20);
    meter_deliver(call, 1);
    atomic_fetch_add(&m.now_ms, 1500);
    meter_deliver(call, 30);
    struct meter_charge charge = {0};
    meter_end(call,
              &(struct meter_usage){.prompt = 120,
                                    .cached = 20,
                                    .completion = 31,
                                    .source = METER_UPSTREAM,
                                    .outcome = METER_OK,
                                    .queue_ms = 7,
                                    .first_ms = 250},
              &charge);
    CHECK_EQ(charge.prompt, 120);
    CHECK_EQ(charge.cached, 20);
    CHECK_EQ(charge.completion, 31);
    /* 100 * 0.8 + 20 * 0.3 + 31 * 2.000007 = 148.000217, and 11 for the request */
    CHECK_EQ(charge.money, 159);
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), 1);
    CHECK_EQ(ask_int(&m, "SELECT money FROM meter_lines"), 159);
    CHECK_EQ(ask_int(&m, "SELECT ended_ms - began_ms FROM meter_lines"), 1500);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_dims WHERE application = 'hotline' AND"
                         " model_id = 'qwen@3' AND key_id = 'key-1' AND who_kind = 'key'"),
             1);
    CHECK_EQ(ask_int(&m, "SELECT first_ms * 1000 + n_first * 100 + queue_ms FROM meter_hours"),
             250107);
    CHECK_EQ(ask_int(&m, "SELECT tokens FROM meter_spent WHERE level = 2 AND period = 20261102"),
             151);
    CHECK_EQ(ask_int(&m, "SELECT money FROM meter_spent WHERE level = 1 AND period = 202611"), 159);
    CHECK_EQ(centre_acts(&m.c, "meter.batch.settle", "ok"), 1);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(what_was_not_delivered_costs_nothing)
{
    static const struct {
        enum meter_outcome outcome;
        int64_t delivered, reported; /* completion tokens; -1: not one byte */
        int64_t prompt, completion;  /* charged */
    } cases[] = {
        {METER_CANCELLED, -1, 40, 0, 0},    {METER_CANCELLED, 0, 40, 100, 0},
        {METER_CANCELLED, 12, 40, 100, 12}, {METER_FAILED, -1, 0, 0, 0},
        {METER_FAILED, 7, -1, 100, 7},      {METER_TIMED_OUT, 3, 3, 100, 3},
        {METER_OK, 12, 40, 100, 40},        {METER_OK, 12, -1, 100, 12},
        {METER_OK, -1, 40, 100, 40}, /* a whole answer is delivered by its end */
    };
    METERING(m, NULL);
    put_price(&m, "*");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct meter_ask ask = ask_of(&m, "any");
        struct meter_call *call = begin(&m, &ask, NULL);
        if (cases[i].delivered >= 0)
            meter_deliver(call, cases[i].delivered);
        struct meter_charge got = end(call, -1, cases[i].reported, cases[i].outcome);
        CHECK_EQ(got.prompt, cases[i].prompt);
        CHECK_EQ(got.completion, cases[i].completion);
        CHECK_EQ(got.money > 0, cases[i].prompt > 0);
    }
    flush(&m);
    /* Also what cost nothing has its line, for the errors are to be counted. */
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), 9);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines WHERE money = 0"), 2);
    CHECK_EQ(ask_int(&m, "SELECT CAST(SUM(failed) AS BIGINT) FROM meter_days"), 6);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(an_answer_from_the_cache_has_its_own_kind_and_uses_no_tokens)
{
    METERING(m, NULL);
    put_price(&m, "m");
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    limit.tokens_per_day = 1;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m");
    struct meter_refusal refusal;
    CHECK(!begin(&m, &ask, &refusal));
    CHECK_STR(str_c(refusal.limit), "tokens_per_day");
    ask.kind = METER_CACHED;
    struct meter_call *call = begin(&m, &ask, NULL);
    meter_deliver(call, 40);
    CHECK_EQ(end(call, 100, 40, METER_OK).money, 5);
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT kind FROM meter_dims"), METER_CACHED);
    CHECK_EQ(ask_int(&m, "SELECT completion FROM meter_lines"), 40);
    CHECK_EQ(ask_int(&m, "SELECT tokens FROM meter_spent WHERE level = 0 AND period = 202611"), 0);
    CHECK_EQ(ask_int(&m, "SELECT money FROM meter_spent WHERE level = 0 AND period = 202611"), 5);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(a_call_takes_the_price_in_force_when_it_begins)
{
    struct ops_identity system = ops_system();
    struct why why = {0};
    struct str id, later;
    METERING(m, NULL);
    struct meter_plan plan = {.price_key = STR("m"), .rates = {.request = 100}};
    CHECK_OK(meter_plan_create(m.meter, &system, &plan, m.c.arena, &id, &why), &why);
    plan = (struct meter_plan){
        .price_key = STR("m"), .from_ms = m.now_ms + 10000, .rates = {.request = 200}};
    CHECK_OK(meter_plan_create(m.meter, &system, &plan, m.c.arena, &later, &why), &why);
    struct meter_ask ask = ask_of(&m, "m");
    struct meter_call *before = begin(&m, &ask, NULL);
    atomic_fetch_add(&m.now_ms, 9999);
    CHECK_EQ(one_call(&m, "m", 1, 1).money, 100);
    atomic_fetch_add(&m.now_ms, 1);
    CHECK_EQ(one_call(&m, "m", 1, 1).money, 200);
    CHECK_EQ(end(before, 1, 1, METER_OK).money, 100);
    /* A tenant's own price, even for every model, goes before the general one. */
    plan = (struct meter_plan){
        .tenant = STR(OPS_HOME), .price_key = STR("*"), .rates = {.request = 7}};
    CHECK_OK(meter_plan_create(m.meter, &system, &plan, m.c.arena, &id, &why), &why);
    CHECK_EQ(one_call(&m, "m", 1, 1).money, 7);
    m.key.tenant = STR("elsewhere");
    CHECK_EQ(one_call(&m, "m", 1, 1).money, 200);
    CHECK_EQ(one_call(&m, "unpriced", 1, 1).money, 0);
    /* What a call would take now is told beforehand. */
    static const struct {
        const char *tenant, *key;
        int64_t request; /* -1: no price */
    } now[] = {{OPS_HOME, "m", 7},
               {OPS_HOME, "unpriced", 7},
               {"elsewhere", "m", 200},
               {"elsewhere", "unpriced", -1}};
    for (size_t i = 0; i < sizeof now / sizeof now[0]; i++) {
        struct meter_plan quoted = {.rates = {.request = -1}};
        bool found = false;
        CHECK_OK(meter_plan_now(m.meter, str_c(now[i].tenant), str_c(now[i].key), m.c.arena,
                                &quoted, &found, &why),
                 &why);
        CHECK_EQ(found, now[i].request >= 0);
        CHECK_EQ(quoted.rates.request, now[i].request);
    }
    /* Nothing is changed afterwards. */
    plan.from_ms = m.now_ms - 1;
    CHECK_EQ(meter_plan_create(m.meter, &system, &plan, m.c.arena, &id, NULL), ERR_INVALID);
    CHECK_EQ(meter_plan_withdraw(m.meter, &system, later.ptr, NULL), ERR_CONFLICT);
    CHECK(store_run(m.c.store, "UPDATE meter_plans SET request = 0", STORE_NO_ARGS, NULL, NULL) !=
          ERR_OK);
    flush(&m);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(a_model_without_a_price_is_refused_when_so_configured)
{
    METERING(m, "meter.unpriced=refuse");
    put_price(&m, "priced");
    struct meter_call *call;
    struct meter_ask ask = ask_of(&m, "free");
    struct why why = {0};
    CHECK_EQ(meter_begin(m.meter, &ask, &call, NULL, &why), ERR_FORBIDDEN);
    CHECK(strstr(why.text, "\"free\"") != NULL);
    CHECK(one_call(&m, "priced", 1, 1).money > 0);
    metering_close(&m);
}

TEST(refuses_what_no_line_can_hold)
{
    char longer[METER_MOST_MODEL + 1];
    memset(longer, 'x', sizeof longer);
    METERING(m, NULL);
    struct meter_ask good = ask_of(&m, "m"), bad[8];
    for (size_t i = 0; i < 8; i++)
        bad[i] = good;
    bad[0].model = (struct str){longer, sizeof longer};
    bad[1].application = (struct str){longer, METER_MOST_APPLICATION + 1};
    bad[2].trace = (struct str){longer, METER_MOST_TRACE + 1};
    bad[3].model = STR("");
    bad[4].prompt_tokens = -1;
    bad[5].prompt_tokens = METER_MOST_TOKENS + 1;
    bad[6].images = METER_MOST_IMAGES + 1;
    bad[7].model = STR("\xE4\xB8");
    for (size_t i = 0; i < 8; i++) {
        struct meter_call *call = NULL;
        struct why why = {0};
        CHECK_EQ(meter_begin(m.meter, &bad[i], &call, NULL, &why), ERR_INVALID);
        CHECK(!call && why.text[0]);
    }
    bad[0].model.len = METER_MOST_MODEL;
    CHECK_EQ(end(begin(&m, &bad[0], NULL), 1, 1, METER_OK).prompt, 1);
    flush(&m);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(without_a_free_slot_calls_are_refused_in_clear_words)
{
    struct meter_call *calls[16], *more;
    struct why why = {0};
    METERING(m, "meter.slots=16");
    struct meter_ask ask = ask_of(&m, "m");
    for (int i = 0; i < 16; i++)
        calls[i] = begin(&m, &ask, NULL);
    CHECK_EQ(meter_begin(m.meter, &ask, &more, NULL, &why), ERR_UNAVAILABLE);
    CHECK(strstr(why.text, "16 calls") != NULL);
    for (int i = 0; i < 16; i++)
        (void)end(calls[i], 1, 1, METER_OK);
    flush(&m);
    (void)end(begin(&m, &ask, NULL), 1, 1, METER_OK);
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), 17);
    CHECK_FITS(&m);
    metering_close(&m);
}

/* The disk is behind: whoever may wait is held up, and not longer than it takes. */
TEST(room_is_waited_for_when_calls_wait_to_be_written)
{
    struct meter_call *calls[32];
    METERING(m, "meter.slots=32");
    struct meter_ask ask = ask_of(&m, "m");
    CHECK(meter_room(m.meter));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 32; i++)
            calls[i] = begin(&m, &ask, NULL);
        CHECK(!meter_room(m.meter));
        int64_t start = time_mono_ns();
        meter_wait(m.meter, 60000); /* nothing has ended: waiting would not help */
        CHECK((time_mono_ns() - start) / 1000000 < 30000 && !meter_room(m.meter));
        for (int i = 0; i < 32; i++)
            (void)end(calls[i], 1, 1, METER_OK);
        meter_wait(m.meter, 60000);
        CHECK(meter_room(m.meter)); /* for some calls: the next round needs all places */
        flush(&m);
    }
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), 96);
    CHECK_FITS(&m);
    metering_close(&m);
}

#define N_THREADS 4
#define N_CALLS   2000

struct worker {
    struct metering *m;
    int n;
    int64_t money, tokens;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    char app[16];
    (void)snprintf(app, sizeof app, "app-%d", w->n);
    for (int i = 0; i < N_CALLS; i++) {
        struct meter_ask ask = ask_of(w->m, i % 3 ? "a" : "b");
        struct meter_call *call = NULL;
        struct meter_charge charge;
        ask.application = str_c(app);
        while (meter_begin(w->m->meter, &ask, &call, NULL, NULL) == ERR_UNAVAILABLE)
            time_sleep_ms(1);
        meter_deliver(call, i % 50);
        meter_end(call,
                  &(struct meter_usage){.prompt = i % 97,
                                        .cached = i % 13,
                                        .completion = i % 50,
                                        .outcome = i % 11 ? METER_OK : METER_CANCELLED,
                                        .queue_ms = 1,
                                        .first_ms = 2},
                  &charge);
        w->money += charge.money;
        w->tokens += charge.prompt + charge.completion;
    }
    return NULL;
}

TEST(many_threads_and_the_sums_are_exact)
{
    struct worker workers[N_THREADS];
    pthread_t ids[N_THREADS];
    int64_t money = 0, tokens = 0;
    METERING(m, NULL);
    put_price(&m, "*");
    for (int i = 0; i < N_THREADS; i++) {
        workers[i] = (struct worker){.m = &m, .n = i};
        (void)pthread_create(&ids[i], NULL, work, &workers[i]);
    }
    for (int i = 0; i < N_THREADS; i++) {
        (void)pthread_join(ids[i], NULL);
        money += workers[i].money;
        tokens += workers[i].tokens;
    }
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_lines"), N_THREADS * N_CALLS);
    CHECK_EQ(ask_int(&m, "SELECT CAST(SUM(money) AS BIGINT) FROM meter_lines"), money);
    CHECK_EQ(ask_int(&m, "SELECT CAST(SUM(money) AS BIGINT) FROM meter_days"), money);
    CHECK_EQ(ask_int(&m, "SELECT tokens FROM meter_spent WHERE level = 0 AND period = 202611"),
             tokens);
    CHECK_FITS(&m);
    metering_close(&m);
}

TESTS_MAIN()
