/* Limits, exact on a clock that the test turns. */
#include "meter/room.h"

#define SECOND 1000

static struct meter_refusal refused(struct metering *m, const struct meter_ask *ask)
{
    struct meter_refusal r = {0};
    CHECK(!begin(m, ask, &r));
    return r;
}

#define CHECK_REFUSED(r, name, at, wait)                                                           \
    do {                                                                                           \
        CHECK_STR(str_c((r).limit), name);                                                         \
        CHECK_STR(str_c((r).level), at);                                                           \
        CHECK_EQ((r).retry_after_s, wait);                                                         \
    } while (0)

static void pass(struct metering *m, const struct meter_ask *ask, int64_t tokens)
{
    struct meter_call *call = begin(m, ask, NULL);
    if (!call)
        return;
    meter_deliver(call, 0);
    (void)end(call, tokens, 0, METER_OK);
}

TEST(requests_a_minute_in_a_window_of_sixty_seconds)
{
    METERING(m, NULL);
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    limit.requests_per_minute = 3;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m");
    struct meter_call *call = begin(&m, &ask, NULL);
    struct meter_left left;
    meter_left(call, &left);
    CHECK_EQ(left.limit_requests, 3);
    CHECK_EQ(left.left_requests, 2);
    CHECK_EQ(left.left_tokens, -1);
    (void)end(call, 1, 1, METER_OK);
    atomic_fetch_add(&m.now_ms, 10 * SECOND);
    pass(&m, &ask, 1);
    atomic_fetch_add(&m.now_ms, 10 * SECOND);
    pass(&m, &ask, 1);
    struct meter_refusal r = refused(&m, &ask);
    CHECK_REFUSED(r, "requests_per_minute", "key", 41); /* the first is 20 s old */
    CHECK_EQ(r.value, 3);
    CHECK_EQ(r.used, 3);
    atomic_fetch_add(&m.now_ms, 41 * SECOND - 1);
    CHECK_REFUSED(refused(&m, &ask), "requests_per_minute", "key", 1);
    atomic_fetch_add(&m.now_ms, 1);
    pass(&m, &ask, 1);
    CHECK_REFUSED(refused(&m, &ask), "requests_per_minute", "key", 10); /* the second */
    /* Another key is not limited; a refused call has used nothing. */
    m.key.id = STR("key-2");
    pass(&m, &ask, 1);
    m.key.id = STR("key-1");
    atomic_fetch_add(&m.now_ms, 61 * SECOND);
    for (int i = 0; i < 3; i++)
        pass(&m, &ask, 1);
    CHECK_REFUSED(refused(&m, &ask), "requests_per_minute", "key", 61);
    metering_close(&m);
}

/* Whatever the moments: in no 60 s more than the limit, and none waits longer than said. */
TEST(no_sixty_seconds_see_more_than_the_limit)
{
    int64_t passed[400];
    size_t n = 0;
    METERING(m, "meter.slots=1024");
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_TENANT, "");
    limit.requests_per_minute = 7;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m");
    uint64_t seed = 12345;
    for (int i = 0; i < 2000 && n < 400; i++) {
        struct meter_refusal r = {0};
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        atomic_fetch_add(&m.now_ms, (int64_t)(seed >> 33) % 9000);
        struct meter_call *call = begin(&m, &ask, &r);
        if (!call) {
            atomic_fetch_add(&m.now_ms, r.retry_after_s * SECOND);
            call = begin(&m, &ask, NULL);
        }
        if (!call)
            break;
        passed[n++] = atomic_load(&m.now_ms);
        (void)end(call, 1, 1, METER_OK);
    }
    CHECK_EQ(n, 400);
    for (size_t i = 7; i < n; i++)
        CHECK(passed[i] - passed[i - 7] > 60 * SECOND);
    metering_close(&m);
}

TEST(tokens_a_minute_are_reserved_and_given_back)
{
    METERING(m, NULL);
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_APPLICATION, "hotline");
    limit.tokens_per_minute = 400;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m"); /* 100 + 50 */
    ask.application = STR("hotline");
    struct meter_call *a = begin(&m, &ask, NULL), *b = begin(&m, &ask, NULL);
    struct meter_refusal r = refused(&m, &ask);
    CHECK_REFUSED(r, "tokens_per_minute", "application", 61);
    CHECK_EQ(r.used, 300);
    CHECK_EQ(end(a, 90, 10, METER_OK).prompt, 90); /* 50 of 150 come back */
    struct meter_call *c = begin(&m, &ask, NULL);
    CHECK(c != NULL);
    (void)end(b, -1, 0, METER_CANCELLED); /* not one byte: all 150 come back */
    struct meter_call *d = begin(&m, &ask, NULL);
    CHECK(d != NULL);
    /* More than was reserved counts, too. */
    meter_deliver(c, 300);
    CHECK_EQ(end(c, 100, 300, METER_OK).completion, 300);
    CHECK_REFUSED(refused(&m, &ask), "tokens_per_minute", "application", 61);
    (void)end(d, 1, 0, METER_CANCELLED);
    ask.prompt_tokens = 500;
    CHECK_REFUSED(refused(&m, &ask), "tokens_per_minute", "application", 0); /* never */
    metering_close(&m);
}

TEST(calls_at_once)
{
    METERING(m, NULL);
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    limit.concurrent = 2;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m");
    struct meter_call *a = begin(&m, &ask, NULL), *b = begin(&m, &ask, NULL);
    CHECK_REFUSED(refused(&m, &ask), "concurrent", "key", 1);
    (void)end(a, 1, 1, METER_FAILED);
    a = begin(&m, &ask, NULL);
    CHECK(a != NULL);
    (void)end(a, 1, 1, METER_OK);
    (void)end(b, 1, 1, METER_OK);
    limit.concurrent = 0;
    put_limit(&m, &limit);
    CHECK_REFUSED(refused(&m, &ask), "concurrent", "key", 0);
    metering_close(&m);
}

TEST(tokens_and_money_of_a_day_and_a_month)
{
    METERING(m, NULL); /* noon of the 2nd */
    put_price(&m, "*");
    struct meter_limit day = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    day.tokens_per_day = 1000;
    put_limit(&m, &day);
    struct meter_limit month = no_limits(STR(OPS_HOME), METER_TENANT, "");
    month.money_per_month = 1200;
    put_limit(&m, &month);
    struct meter_ask ask = ask_of(&m, "m");
    pass(&m, &ask, 900); /* 731 micro-units */
    struct meter_refusal r = refused(&m, &ask);
    CHECK_REFUSED(r, "tokens_per_day", "key", 12 * 3600);
    CHECK_EQ(r.used, 900);
    /* It does not matter whether the line is written yet. */
    flush(&m);
    CHECK_REFUSED(refused(&m, &ask), "tokens_per_day", "key", 12 * 3600);
    atomic_fetch_add(&m.now_ms, 12 * 3600 * SECOND - 1);
    CHECK_REFUSED(refused(&m, &ask), "tokens_per_day", "key", 1);
    atomic_fetch_add(&m.now_ms, 1); /* midnight: a day anew, and the same month */
    pass(&m, &ask, 300);            /* 251 more: 982; the next one reserves 191 */
    pass(&m, &ask, 10);             /* 19 more: 1001 */
    ask.prompt_tokens = 111;        /* 88.8 + 100.00035 rounded, and 11: one more than is left */
    ask.max_completion_tokens = 50;
    CHECK_REFUSED(refused(&m, &ask), "money_per_month", "tenant", 28 * 24 * 3600);
    ask.prompt_tokens = 110;
    pass(&m, &ask, 1);
    flush(&m);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(the_refusal_that_lasts_longest_is_named)
{
    METERING(m, NULL);
    put_price(&m, "*");
    struct meter_limit key = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    key.requests_per_minute = 1;
    put_limit(&m, &key);
    struct meter_limit tenant = no_limits(STR(OPS_HOME), METER_TENANT, "");
    tenant.money_per_month = 400;
    put_limit(&m, &tenant);
    struct meter_ask ask = ask_of(&m, "m"); /* reserves 80 + 100 + 11 */
    struct meter_call *call = begin(&m, &ask, NULL);
    CHECK_EQ(end(call, 300, 1, METER_OK).money, 253);
    struct meter_refusal r = refused(&m, &ask);
    CHECK_REFUSED(r, "money_per_month", "tenant", (28 * 24 + 12) * 3600);
    CHECK_EQ(r.value, 400);
    CHECK_EQ(r.used, 253);
    struct why why = {0};
    CHECK_EQ(meter_begin(m.meter, &ask, &call, NULL, &why), ERR_RATE_LIMITED);
    CHECK(strstr(why.text, "\"money_per_month\" of 0.000400 CNY") != NULL);
    CHECK(strstr(why.text, "0.000253 used") != NULL);
    flush(&m);
    atomic_fetch_add(&m.now_ms, (28 * 24 + 12) * 3600 * (int64_t)SECOND); /* December */
    pass(&m, &ask, 1);
    flush(&m);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(models_networks_and_expiry)
{
    static const struct {
        const char *models, *model, *id;
        bool may;
    } models[] = {
        {"", "anything", "", true},
        {"city-chat", "city-chat", "", true},
        {"city-chat", "city-chats", "", false},
        {"a b qwen-*", "qwen-7b", "", true},
        {"a b qwen-*", "xqwen-7b", "", false},
        {"*-7b", "qwen-7b", "", true},
        {"q*7*b", "qwen-7b", "", true},
        {"q*7*b", "qwen-7bx", "", false},
        {"qwen@3", "alias", "qwen@3", true}, /* what an alias stands for */
        {"*", "x", "", true},
    };
    static const struct {
        const char *network, *address;
        bool may;
    } networks[] = {
        {"10.0.0.0/8", "10.200.0.1", true},
        {"10.0.0.0/8", "11.0.0.1", false},
        {"10.0.0.0/8 192.168.1.7", "192.168.1.7", true},
        {"192.168.1.7", "192.168.1.8", false},
        {"10.1.2.0/23", "10.1.3.255", true},
        {"10.1.2.0/23", "10.1.4.0", false},
        {"2001:db8::/33", "2001:db8:7fff::1", true},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"0.0.0.0/0", "::1", false},
        {"0.0.0.0/0 ::/0", "::1", true},
        {"10.0.0.0/8", "", false},
        {"10.0.0.0/8", "not an address", false},
    };
    METERING(m, NULL);
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    struct meter_ask ask = ask_of(&m, "m");
    struct meter_refusal r;
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++) {
        limit.models = str_c(models[i].models);
        put_limit(&m, &limit);
        ask.model = str_c(models[i].model);
        ask.model_id = str_c(models[i].id);
        if (models[i].may)
            pass(&m, &ask, 1);
        else
            CHECK_REFUSED(refused(&m, &ask), "models", "key", 0);
    }
    limit.models = STR("");
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        limit.network = str_c(networks[i].network);
        put_limit(&m, &limit);
        m.key.address = str_c(networks[i].address);
        if (networks[i].may)
            pass(&m, &ask, 1);
        else
            CHECK_REFUSED(refused(&m, &ask), "network", "key", 0);
    }
    limit.network = STR("");
    limit.expires_ms = m.now_ms + 1;
    put_limit(&m, &limit);
    pass(&m, &ask, 1);
    atomic_fetch_add(&m.now_ms, 1);
    r = refused(&m, &ask);
    CHECK_REFUSED(r, "expires", "key", 0);
    struct meter_call *call;
    CHECK_EQ(meter_begin(m.meter, &ask, &call, &r, NULL), ERR_FORBIDDEN);
    metering_close(&m);
}

TEST(a_key_belongs_to_the_application_it_was_given)
{
    METERING(m, NULL);
    struct meter_limit key = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    key.application = STR("hotline");
    put_limit(&m, &key);
    struct meter_limit app = no_limits(STR(OPS_HOME), METER_APPLICATION, "hotline");
    app.requests_per_minute = 1;
    put_limit(&m, &app);
    struct meter_ask ask = ask_of(&m, "m");
    ask.application = STR("another"); /* as the client says */
    pass(&m, &ask, 1);
    CHECK_REFUSED(refused(&m, &ask), "requests_per_minute", "application", 61);
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_dims WHERE application = 'hotline'"), 1);
    /* The same name in another tenant is another application. */
    m.key.tenant = STR("elsewhere");
    ask.application = STR("hotline");
    pass(&m, &ask, 1);
    pass(&m, &ask, 1);
    metering_close(&m);
}

TEST(invented_applications_do_not_grow_without_end)
{
    METERING(m, "meter.slots=4096");
    struct meter_ask ask = ask_of(&m, "m");
    char name[24];
    for (int i = 0; i < METER_MOST_APPLICATIONS + 50; i++) {
        (void)snprintf(name, sizeof name, "app-%d", i);
        ask.application = str_c(name);
        pass(&m, &ask, 1);
    }
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_dims"), METER_MOST_APPLICATIONS + 1);
    CHECK_EQ(ask_int(&m, "SELECT r.calls FROM meter_days r JOIN meter_dims d ON d.id = r.dim"
                         " WHERE d.application = ''"),
             50);
    /* A limit holds for its application however many others there are. */
    struct meter_limit known = no_limits(STR(OPS_HOME), METER_APPLICATION, "known");
    known.concurrent = 0;
    put_limit(&m, &known);
    ask.application = STR("known");
    CHECK_REFUSED(refused(&m, &ask), "concurrent", "application", 0);
    ask.application = str_c(name);
    m.key.tenant = STR("elsewhere"); /* is not concerned */
    pass(&m, &ask, 1);
    flush(&m);
    CHECK_EQ(ask_int(&m, "SELECT COUNT(*) FROM meter_dims WHERE application = 'app-1049'"), 1);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(refuses_limits_that_mean_nothing)
{
    struct ops_identity system = ops_system();
    METERING(m, NULL);
    struct meter_limit good = no_limits(STR(OPS_HOME), METER_KEY, "key-1"), bad[9];
    for (size_t i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].network = STR("10.0.0.0/33");
    bad[1].network = STR("10.0.0");
    bad[2].name = STR("");
    bad[3].level = METER_TENANT;
    bad[4].requests_per_minute = -2;
    bad[5].money_per_day = INT64_MAX;
    bad[6].tenant = STR("");
    bad[7].models = STR("a\nb");
    bad[8].network = STR("fe80::/129");
    for (size_t i = 0; i < 9; i++) {
        struct why why = {0};
        CHECK_EQ(meter_limit_put(m.meter, &system, &bad[i], &why), ERR_INVALID);
        CHECK(why.text[0]);
    }
    good.version = 0;
    put_limit(&m, &good);
    CHECK_EQ(meter_limit_put(m.meter, &system, &good, NULL), ERR_PRECONDITION);
    good.version = 1;
    put_limit(&m, &good);
    CHECK_EQ(centre_acts(&m.c, "meter.limit.put", "ok"), 2);
    CHECK_OK(meter_limit_remove(m.meter, &system, OPS_HOME, METER_KEY, "key-1", NULL), NULL);
    CHECK_EQ(meter_limit_remove(m.meter, &system, OPS_HOME, METER_KEY, "key-1", NULL),
             ERR_NOT_FOUND);
    metering_close(&m);
}

/* Two meters on one database, as two servers have. */
TEST(servers_share_the_sums_of_days_and_months)
{
    METERING(m, NULL);
    struct metering other = m;
    metering_meter(&other);
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_KEY, "key-1");
    limit.tokens_per_day = 1000;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m");
    struct meter_refusal r;
    pass(&m, &ask, 400);
    flush(&m);
    pass(&other, &ask, 500); /* it starts here, and knows of the 400 */
    r = refused(&other, &ask);
    CHECK_REFUSED(r, "tokens_per_day", "key", 12 * 3600);
    CHECK_EQ(r.used, 900);
    flush(&other);
    /* The first sees the 500 within meter.refresh; calls meanwhile are the overshoot that is said.
     */
    for (int i = 0; i < 500; i++) {
        struct meter_call *call = begin(&m, &ask, &r);
        if (!call)
            break;
        (void)end(call, 0, 0, METER_CANCELLED);
        time_sleep_ms(20);
    }
    CHECK_REFUSED(r, "tokens_per_day", "key", 12 * 3600);
    CHECK_EQ(r.used, 900);
    /* A change made here is in force there, within meter.refresh. */
    limit.tokens_per_day = 0;
    limit.tokens_per_month = 5;
    put_limit(&other, &limit);
    for (int i = 0; i < 500 && r.retry_after_s != 0; i++) {
        CHECK(!begin(&m, &ask, &r));
        time_sleep_ms(20);
    }
    CHECK_EQ(r.retry_after_s, 0);
    meter_close(other.meter);
    flush(&m);
    CHECK_FITS(&m);
    metering_close(&m);
}

TEST(what_was_spent_is_known_after_a_restart)
{
    METERING(m, NULL);
    struct meter_limit limit = no_limits(STR(OPS_HOME), METER_TENANT, "");
    limit.tokens_per_month = 500;
    put_limit(&m, &limit);
    struct meter_ask ask = ask_of(&m, "m");
    pass(&m, &ask, 450);
    meter_close(m.meter);
    metering_meter(&m);
    struct meter_refusal r = refused(&m, &ask);
    CHECK_REFUSED(r, "tokens_per_month", "tenant", (28 * 24 + 12) * 3600);
    CHECK_EQ(r.used, 450);
    metering_close(&m);
}

TESTS_MAIN()
