/* What fair.h, breaker.h, cache.h and the mask of the request log promise. */
#include "gateway/gateway_in.h"

#include "core/arena.h"
#include "tap.h"

/* ---- fair ---- */

struct waiter {
    struct fair_item item;
    char tenant;
};

static char serve(struct fair *fair)
{
    struct fair_item *item = fair_first(fair);
    if (!item)
        return '-';
    fair_serve(fair, item);
    return ((struct waiter *)(void *)item)->tenant;
}

TEST(tenants_get_equal_shares_by_cost)
{
    static struct waiter w[300];
    struct fair *fair = fair_new();
    int64_t served[2] = {0, 0};
    for (int i = 0; i < 300;
         i++) { /* a asks for 10 tokens each time, b for 100, a much more often */
        bool b = i % 6 == 5;
        w[i].tenant = b ? 'b' : 'a';
        CHECK(fair_put(fair, b ? STR("b") : STR("a"), 1, b ? 100 : 10, &w[i].item));
    }
    for (int i = 0; i < 150; i++) {
        char c = serve(fair);
        served[c == 'b'] += c == 'b' ? 100 : 10;
    }
    CHECK(served[0] - served[1] <= 100 && served[1] - served[0] <= 100);
    while (fair_len(fair))
        (void)serve(fair);
    fair_free(fair);
}

TEST(priorities_go_first_and_silence_earns_nothing)
{
    static struct waiter w[40];
    struct fair *fair = fair_new();
    for (int i = 0; i < 10; i++) {
        w[i].tenant = 'a';
        CHECK(fair_put(fair, STR("a"), 1, 50, &w[i].item));
    }
    for (int i = 0; i < 8; i++)
        CHECK_EQ(serve(fair), 'a');
    for (int i = 10; i < 20; i++) { /* silent so far: in turn from now on, not eight ahead */
        w[i].tenant = 'b';
        CHECK(fair_put(fair, STR("b"), 1, 50, &w[i].item));
    }
    int b = 0;
    for (int i = 0; i < 4; i++)
        b += serve(fair) == 'b';
    CHECK(b == 2 || b == 3);
    w[30].tenant = 'h';
    w[31].tenant = 'z';
    CHECK(fair_put(fair, STR("a"), 2, 1, &w[31].item));
    CHECK(fair_put(fair, STR("b"), 0, 1, &w[30].item));
    CHECK_EQ(serve(fair), 'h');
    char last = '-';
    while (fair_len(fair))
        last = serve(fair);
    CHECK_EQ(last, 'z');
    fair_free(fair);
}

TEST(items_leave_from_anywhere_and_many_tenants_come_and_go)
{
    static struct waiter w[6000];
    struct fair *fair = fair_new();
    for (int i = 0; i < 6000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "t%d", i % 5000);
        w[i].tenant = 't';
        CHECK(fair_put(fair, str_c(name), 1, 1, &w[i].item));
    }
    for (int i = 0; i < 6000; i += 3)
        fair_drop(fair, &w[i].item);
    fair_drop(fair, &w[0].item); /* twice is fine */
    CHECK_EQ(fair_len(fair), 4000);
    int n = 0;
    while (fair_len(fair)) {
        (void)serve(fair);
        n++;
    }
    CHECK_EQ(n, 4000);
    CHECK(fair_first(fair) == NULL);
    fair_free(fair);
}

/* ---- breaker ---- */

TEST(a_breaker_opens_probes_and_closes)
{
    struct breakers *b = breakers_new();
    struct str id = STR("target"), other = STR("other");
    int64_t now = 1000;
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        CHECK(breaker_allows(b, id, now));
        breaker_tell(b, id, false, now);
    }
    CHECK(!breaker_allows(b, id, now));
    CHECK(breaker_allows(b, other, now));
    CHECK_EQ(breaker_wait_ms(b, id, now), BREAKER_FIRST_MS);
    now += BREAKER_FIRST_MS;
    CHECK_EQ(breaker_state(b, id, now), BREAKER_HALF_OPEN);
    CHECK(breaker_allows(b, id, now));
    CHECK(!breaker_allows(b, id, now)); /* one probe at a time */
    breaker_forget(b, id);
    CHECK(breaker_allows(b, id, now));
    breaker_tell(b, id, false, now);
    CHECK_EQ(breaker_wait_ms(b, id, now), 2 * BREAKER_FIRST_MS);
    now += 2 * BREAKER_FIRST_MS;
    CHECK(breaker_allows(b, id, now));
    breaker_tell(b, id, true, now);
    CHECK_EQ(breaker_state(b, id, now), BREAKER_CLOSED);
    for (int i = 0; i < BREAKER_WINDOW * 2; i++) /* half of them fail, never five in a row */
        breaker_tell(b, id, i % 2 == 0, now);
    CHECK_EQ(breaker_state(b, id, now), BREAKER_OPEN);
    breakers_free(b);
}

/* ---- cache ---- */

TEST(the_cache_keeps_its_bound_and_forgets_what_is_old)
{
    struct cache *cache = cache_new(100000);
    char body[1000];
    memset(body, 'x', sizeof body);
    struct cached value = {.body = {body, sizeof body}, .prompt = 3, .completion = 4};
    uint8_t key[HASH_BYTES] = {0};
    for (uint32_t i = 0; i < 1000; i++) {
        memcpy(key, &i, sizeof i);
        cache_put(cache, key, &value, i == 999 ? 50 : 1000000);
        CHECK(cache_bytes(cache) <= 100000);
    }
    CHECK(cache_take(cache, key, 50) == NULL); /* its time has passed */
    uint32_t i = 998;
    memcpy(key, &i, sizeof i);
    const struct cached *held = cache_take(cache, key, 50);
    CHECK(held && held->body.len == 1000 && held->completion == 4);
    for (i = 2000; i < 3000; i++) { /* pushes it out while it is held */
        memcpy(key, &i, sizeof i);
        cache_put(cache, key, &value, 1000000);
    }
    CHECK(held->body.ptr[999] == 'x');
    cache_give(held);
    i = 0;
    memcpy(key, &i, sizeof i);
    CHECK(cache_take(cache, key, 50) == NULL);
    struct cached large = {.body = {body, 1000}};
    struct cache *small = cache_new(4000);
    cache_put(small, key, &large, 1000); /* more than an eighth */
    CHECK_EQ(cache_bytes(small), 0);
    cache_free(small);
    cache_free(cache);
}

/* ---- the log ---- */

TEST(numbers_of_people_are_masked)
{
    static const struct {
        const char *text, *masked;
    } cases[] = {
        {"call 13812345678 now", "call 138****5678 now"},
        {"id 11010519491231002X.", "id 110***********002X."},
        {"card 6222 0212 3456 7890 128", "card 6222***********0128"},
        {"home 010-62345678", "home 010****5678"},
        {"mail to zhang.san@city.gov.cn please", "mail to z***@city.gov.cn please"},
        {"room 12, year 2026, 123456", "room 12, year 2026, 123456"},
        {"电话13812345678。", "电话138****5678。"},
        {"{\"content\":\"我叫王小明，手机一三八一二三四五六七八\"}",
         "{\"content\":\"我叫王**，手机138****5678\"}"},
        {"依据国发〔2020〕3号，咨询电话020-83133586", "依据国发〔2020〕3号，咨询电话020-83133586"},
        {"", ""},
    };
    struct privacy_scanner *scanner = NULL;
    struct why why = {0};
    CHECK_OK(record_scanner(&scanner, &why), &why);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 16);
        struct buf out;
        buf_init(&out, arena);
        record_mask(scanner, str_c(cases[i].text), &out);
        CHECK_STR(buf_str(&out), cases[i].masked);
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
}

/* ---- requests and answers ---- */

TEST(a_body_changes_only_where_it_must)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"{\"model\":\"a\",\"messages\":[1]}", "{\"model\":\"far\",\"messages\":[1]}"},
        {"{ \"x\" : 1.0 , \"model\" : \"a\" ,\"messages\":[ ] }",
         "{ \"x\" : 1.0 , \"model\" : \"far\" ,\"messages\":[ ] }"},
        {"{\"model\":\"a\",\"messages\":[],\"stream\":true}",
         "{\"model\":\"far\",\"stream_options\":{\"include_usage\":true},\"messages\":[],"
         "\"stream\":true}"},
        {"{\"stream_options\":{},\"model\":\"a\",\"messages\":[],\"stream\":true}",
         "{\"stream_options\":{\"include_usage\":true},\"model\":\"far\",\"messages\":[],"
         "\"stream\":true}"},
        {"{\"model\":\"a\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":"
         "false,\"z\":[]}}",
         "{\"model\":\"far\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":"
         "true,\"z\":[]}}"},
        {"{\"model\":\"a\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":"
         "true}}",
         "{\"model\":\"far\",\"messages\":[],\"stream\":true,\"stream_options\":{\"include_usage\":"
         "true}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 16);
        struct ask ask;
        struct str body;
        char param[ASK_PARAM];
        struct why why = {0};
        CHECK_OK(ask_read(ask_door(ASK_CHAT), str_c(cases[i].from), arena, &ask, param, &why),
                 &why);
        CHECK_OK(ask_body(&ask, STR("far"), arena, &body, &why), &why);
        CHECK_STR(body, cases[i].to);
        arena_free(arena);
    }
}

TEST(the_turns_of_a_conversation_have_one_prefix)
{
    static const char *const bodies[] = {
        "{\"model\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"one\"}]}",
        "{\"model\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"one\"},{\"role\":\"assistant\",\"content\":\"x\"},"
        "{\"role\":\"user\",\"content\":\"two\"}]}",
        "{\"model\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"other\"}]}",
    };
    uint64_t prefix[3];
    for (size_t i = 0; i < 3; i++) {
        struct arena *arena = arena_new(1 << 16);
        struct ask ask = {0};
        char param[ASK_PARAM];
        CHECK_EQ(ask_read(ask_door(ASK_CHAT), str_c(bodies[i]), arena, &ask, param, NULL), ERR_OK);
        prefix[i] = ask_prefix(&ask);
        arena_free(arena);
    }
    CHECK(prefix[0] == prefix[1]);
    CHECK(prefix[0] != prefix[2]);
}

TESTS_MAIN()
