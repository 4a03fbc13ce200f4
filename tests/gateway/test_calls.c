/* What gateway.h promises of calls, over a real server, meter and store, and an upstream that
 * behaves as its model is called. */
#include "gateway/door.h"

#define STREAM ",\"stream\":true"

TEST(an_answer_passes_with_the_model_renamed_and_is_metered)
{
    DOOR(d);
    struct said said = chat(&d, "ok", ",\"odd\":[1.50,{\"x\":null}]");
    CHECK_EQ(said.status, 200);
    CHECK(says(said, "\"content\":\"one two three\"") && says(said, "\"odd\":1.50"));
    CHECK(str_find(str_c(d.up.last_body), STR("\"odd\":[1.50,{\"x\":null}]")) != STR_NPOS);
    CHECK(has(d.up.last_head, "Authorization: Bearer sk-secret"));
    CHECK(has(d.up.last_head, "traceparent: 00-"));
    struct line_sums sums = lines(&d, "outcome = 0");
    CHECK_EQ(sums.n, 1);
    CHECK_EQ(sums.prompt, 11);
    CHECK_EQ(sums.cached, 4);
    CHECK_EQ(sums.completion, 3);
    door_close(&d);
}

TEST(the_upstreams_name_for_a_model_stays_there)
{
    DOOR(d);
    (void)add_route("city-chat", d.up.port, (const char *const[]){"ok", NULL});
    struct said said = chat(&d, "city-chat", NULL);
    CHECK(says(said, "\"model\":\"city-chat\"") && !says(said, "\"model\":\"ok\""));
    CHECK(strstr(d.up.last_body, "\"model\":\"ok\""));
    said = chat(&d, "city-chat", STREAM);
    CHECK(says(said, "\"model\":\"city-chat\"") && !says(said, "\"model\":\"ok\""));
    door_close(&d);
}

TEST(a_stream_comes_whole_and_its_usage_only_when_asked_for)
{
    DOOR(d);
    struct said said = chat(&d, "ok", STREAM);
    CHECK_EQ(said.status, 200);
    CHECK_STR(header_of(said, "Content-Type"), "text/event-stream; charset=utf-8");
    CHECK(says(said, "\"content\":\"one\"") && says(said, "\"content\":\" three\""));
    CHECK(says(said, "data: [DONE]\n\n") && !says(said, "usage") && !says(said, ": hello"));
    CHECK(strstr(d.up.last_body, "\"stream_options\":{\"include_usage\":true}"));
    said = chat(&d, "ok", STREAM ",\"stream_options\":{\"include_usage\":true}");
    CHECK(says(said, "\"total_tokens\":14"));
    said = chat(&d, "ok", STREAM ",\"stream_options\":{\"include_usage\":false,\"y\":2}");
    CHECK(!says(said, "usage"));
    CHECK(strstr(d.up.last_body, "{\"include_usage\":true,\"y\":2}"));
    struct line_sums sums = lines(&d, "outcome = 0");
    CHECK_EQ(sums.n, 3);
    CHECK_EQ(sums.prompt, 33);
    CHECK_EQ(sums.completion, 9);
    CHECK_EQ(atomic_load(&n_counted), 0);
    door_close(&d);
}

TEST(what_no_upstream_reports_is_counted)
{
    DOOR(d);
    struct said said = chat(&d, "quiet", STREAM ",\"stream_options\":{\"include_usage\":true}");
    CHECK(says(said, "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":3,\"total_tokens\":6"));
    CHECK(says(said, "data: [DONE]"));
    said = chat(&d, "quiet", NULL);
    CHECK(says(said, "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":3,\"total_tokens\":6}"));
    said = chat(&d, "quiet", STREAM);
    CHECK(!says(said, "usage"));
    struct line_sums sums = lines(&d, "outcome = 0 AND source = 1");
    CHECK_EQ(sums.n, 3);
    CHECK_EQ(sums.prompt, 9);
    CHECK_EQ(sums.completion, 9);
    door_close(&d);
}

TEST(every_door_speaks_to_its_kind_of_model)
{
    DOOR(d);
    struct fake_route *e = add_route("e", d.up.port, (const char *const[]){"ok", NULL});
    struct fake_route *r = add_route("r", d.up.port, (const char *const[]){"ok", NULL});
    e->route.modality = MODELS_EMBEDDING;
    r->route.modality = MODELS_RERANK;
    struct said said = call_as(&d, "city", "embeddings", "{\"model\":\"e\",\"input\":[\"a\"]}");
    CHECK_EQ(said.status, 200);
    CHECK(says(said, "0.25,-1") && says(said, "\"model\":\"e\""));
    said = call_as(&d, "city", "rerank",
                   "{\"model\":\"r\",\"query\":\"q\",\"documents\":[\"a\",\"b\"]}");
    CHECK_EQ(said.status, 200);
    CHECK(says(said, "relevance_score"));
    said = call_as(&d, "city", "completions", "{\"model\":\"ok\",\"prompt\":\"a\"}");
    CHECK_EQ(said.status, 200);
    said = call_as(&d, "city", "responses", "{\"model\":\"ok\",\"input\":\"a\"}");
    CHECK_EQ(said.status, 200);
    said = call_as(&d, "city", "tokenize", "{\"model\":\"ok\",\"prompt\":\"a\"}");
    CHECK_EQ(said.status, 200);
    said = call_as(&d, "city", "embeddings", "{\"model\":\"ok\",\"input\":\"a\"}");
    CHECK_EQ(said.status, 400);
    CHECK(says(said, "is for chat, not for /v1/embeddings"));
    said = call_as(&d, "city", "models", NULL);
    CHECK(says(said, "{\"id\":\"ok\",\"object\":\"model\""));
    said = call_as(&d, "city", "models/quiet", NULL);
    CHECK(says(said, "{\"id\":\"quiet\",\"object\":\"model\""));
    CHECK_EQ(call_as(&d, "city", "models/none", NULL).status, 404);
    struct line_sums sums = lines(&d, "outcome = 0");
    CHECK_EQ(sums.n, 4); /* tokenize makes no tokens */
    door_close(&d);
}

TEST(errors_have_openais_shape)
{
    DOOR(d);
    static const struct {
        const char *tenant, *path, *body;
        int status;
        const char *part;
    } cases[] = {
        {"city", "chat/completions", "{\"model\":\"none\",\"messages\":[]}", 404,
         "\"param\":\"model\",\"code\":\"model_not_found\""},
        {"stranger", "chat/completions", "{\"model\":\"ok\",\"messages\":[]}", 404,
         "\"code\":\"model_not_found\""},
        {"nobody", "chat/completions", "{\"model\":\"ok\",\"messages\":[]}", 403,
         "\"type\":\"permission_error\""},
        {"city", "chat/completions", "{\"model\":\"ok\"}", 400, "\"param\":\"messages\""},
        {"city", "chat/completions", "{\"messages\":[]}", 400, "\"param\":\"model\""},
        {"city", "chat/completions", "{\"model\":\"ok\",\"model\":\"slow\",\"messages\":[]}", 400,
         "stands twice"},
        {"city", "chat/completions", "{\"model\":", 400, "\"type\":\"invalid_request_error\""},
        {"city", "chat/completions", "{\"model\":\"ok\",\"messages\":[],\"stream\":1}", 400,
         "\"param\":\"stream\""},
        {"city", "chat/completions", "{\"model\":\"ok\",\"messages\":[],\"n\":0}", 400,
         "\"param\":\"n\""},
        {"city", "embeddings", "{\"model\":\"ok\",\"input\":1,\"stream\":true}", 400,
         "gives no stream"},
        {"city", "nothing", "{}", 404, "\"error\":{"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct said said = call_as(&d, cases[i].tenant, cases[i].path, cases[i].body);
        if (said.status != cases[i].status || !says(said, cases[i].part))
            printf("# %s: %d %.*s\n", cases[i].body, said.status, STR_FMT(said.body));
        CHECK_EQ(said.status, cases[i].status);
        CHECK(says(said, cases[i].part));
        CHECK(says(said, "{\"error\":{\"message\":\""));
    }
    CHECK_EQ(lines(&d, "1 = 1").n, 0);
    door_close(&d);
}

TEST(bad_upstreams_are_bad_gateways_and_cost_nothing)
{
    DOOR(d, "gateway.first_time=300ms", "gateway.whole_time=300ms");
    static const struct {
        const char *model, *more;
        int status;
        const char *part;
    } cases[] = {
        {"s500", "", 502, "\"code\":\"upstream_failed\""},
        {"s500", STREAM, 502, "\"code\":\"upstream_failed\""},
        {"s429", "", 429, "\"code\":\"upstream_rate_limited\""},
        {"s400", "", 400, "upstream words"},
        {"s400", STREAM, 400, "upstream words"},
        {"s401", "", 502, "\"code\":\"upstream_refused\""},
        {"dies", "", 502, "\"type\":\"server_error\""},
        {"dies", STREAM, 502, "\"type\":\"server_error\""},
        {"hangs", "", 504, "\"code\":\"upstream_timeout\""},
        {"hangs", STREAM, 504, "\"code\":\"upstream_timeout\""},
        {"short", "", 502, "\"code\":\"upstream_failed\""},
        {"garbage", "", 502, "did not answer with JSON"},
        {"half_event", STREAM, 502, "\"code\":\"upstream_failed\""},
        {"error", STREAM, 502, "\"code\":\"upstream_failed\""},
    };
    size_t n = sizeof cases / sizeof cases[0];
    for (size_t i = 0; i < n; i++) {
        struct said said = chat(&d, cases[i].model, cases[i].more);
        if (said.status != cases[i].status || !says(said, cases[i].part))
            printf("# %s: %d %.*s\n", cases[i].model, said.status, STR_FMT(said.body));
        CHECK_EQ(said.status, cases[i].status);
        CHECK(says(said, cases[i].part));
        CHECK(!says(said, "127.0.0.1") && !says(said, "sk-secret"));
        if (said.status == 429)
            CHECK_STR(header_of(said, "Retry-After"), "7");
    }
    struct line_sums sums = lines(&d, "outcome <> 0");
    CHECK_EQ(sums.n, (long long)n);
    CHECK_EQ(sums.prompt + sums.completion, 0);
    door_close(&d);
}

TEST(a_stream_that_breaks_is_charged_for_what_was_delivered)
{
    DOOR(d, "gateway.between_time=300ms");
    struct said said = chat(&d, "breaks", STREAM);
    CHECK_EQ(said.status, 200);
    CHECK(says(said, "\"content\":\" two\"") && says(said, "data: {\"error\":{\"message\":"));
    CHECK(!says(said, "[DONE]"));
    said = chat(&d, "stalls", STREAM);
    CHECK(says(said, "\"content\":\" two\"") && says(said, "upstream_timeout"));
    struct line_sums sums = lines(&d, "outcome <> 0");
    CHECK_EQ(sums.n, 2);
    CHECK_EQ(sums.prompt, 6); /* "say it now", twice */
    CHECK_EQ(sums.completion, 4);
    door_close(&d);
}

TEST(another_target_is_tried_before_the_first_byte)
{
    DOOR(d);
    (void)add_route("pair", d.up.port, (const char *const[]){"dies", "ok", NULL});
    (void)add_route("half", d.up.port, (const char *const[]){"half_event", "ok", "s500", NULL});
    for (int i = 0; i < 10; i++) {
        CHECK_EQ(chat(&d, "pair", i % 2 ? STREAM : NULL).status, 200);
        CHECK_EQ(chat(&d, "half", STREAM).status, 200);
    }
    struct line_sums sums = lines(&d, "outcome = 0");
    CHECK_EQ(sums.n, 20);
    CHECK_EQ(sums.completion, 60);
    CHECK_EQ(lines(&d, "outcome <> 0").n, 0);
    door_close(&d);
}

TEST(fallbacks_answer_at_their_own_price)
{
    DOOR(d);
    struct fake_route *first = add_route("first", d.up.port, (const char *const[]){"s500", NULL});
    struct fake_route *rest = add_route("rest", d.up.port, (const char *const[]){NULL});
    struct fake_route *last = add_route("last", d.up.port, (const char *const[]){"ok", NULL});
    struct fake_route *bad =
        add_route("bad", d.up.port, (const char *const[]){"s500", "dies", "short", NULL});
    first->fallbacks[0] = &rest->route;
    first->fallbacks[1] = &bad->route;
    first->fallbacks[2] = &last->route;
    first->route.n_fallbacks = 3;
    struct said said = chat(&d, "first", NULL);
    CHECK_EQ(said.status, 200);
    CHECK(says(said, "\"model\":\"first\""));
    CHECK_EQ(lines(&d, "outcome = 0").n, 1);
    CHECK_EQ(lines(&d, "outcome <> 0 AND prompt + completion > 0").n, 0);
    door_close(&d);
}

TEST(a_target_that_fails_is_left_alone_and_probed)
{
    DOOR(d, "gateway.attempts=1");
    (void)add_route("flaky", d.up.port, (const char *const[]){"flaky5", NULL});
    for (int i = 0; i < 5; i++)
        CHECK_EQ(chat(&d, "flaky", NULL).status, 502);
    int calls = atomic_load(&d.up.n_calls);
    struct said said = chat(&d, "flaky", NULL);
    CHECK_EQ(said.status, 503);
    CHECK(says(said, "no_upstream"));
    CHECK_EQ(atomic_load(&d.up.n_calls), calls);
    time_sleep_ms(BREAKER_FIRST_MS + 100);
    CHECK_EQ(chat(&d, "flaky", NULL).status, 200);
    CHECK_EQ(chat(&d, "flaky", NULL).status, 200);
    door_close(&d);
}

TEST(maintenance_is_said)
{
    DOOR(d);
    struct fake_route *r = add_route("closed", d.up.port, (const char *const[]){"ok", NULL});
    r->route.maintenance = true;
    r->route.maintenance_words = STR("until ten");
    struct said said = chat(&d, "closed", NULL);
    CHECK_EQ(said.status, 503);
    CHECK(says(said, "until ten") && says(said, "\"code\":\"maintenance\""));
    CHECK(header_of(said, "Retry-After").len > 0);
    door_close(&d);
}

TEST(answers_that_are_kept_have_a_line_of_their_own)
{
    DOOR(d);
    struct fake_route *r = add_route("kept", d.up.port, (const char *const[]){"ok", NULL});
    r->route.cache = true;
    r->route.cache_ttl_ms = 60000;
    struct said first = chat(&d, "kept", NULL), second = chat(&d, "kept", ",\"user\":\"x\"");
    CHECK(header_of(first, "x-yicheng-cache").ptr == NULL);
    CHECK_STR(header_of(second, "x-yicheng-cache"), "hit");
    CHECK(str_eq(first.body, second.body));
    CHECK_EQ(atomic_load(&d.up.n_calls), 1);
    CHECK(header_of(chat(&d, "kept", ",\"seed\":1"), "x-yicheng-cache").ptr == NULL);
    struct str body = STR("{\"model\":\"kept\",\"messages\":[{\"role\":\"user\",\"content\":"
                          "\"say it now\"}]}");
    struct said other = call_as(&d, "other", "chat/completions", body.ptr);
    CHECK(header_of(other, "x-yicheng-cache").ptr == NULL); /* another tenant's */
    CHECK_EQ(atomic_load(&d.up.n_calls), 3);
    CHECK_EQ(lines(&d, "outcome = 0").n, 4);
    door_close(&d);
}

/* The same events again, with or without usage as they were asked for; cut ones never. */
TEST(streams_that_came_whole_are_kept_as_streams)
{
    DOOR(d);
    static const char *const asks[] = {STREAM,
                                       STREAM ",\"stream_options\":{\"include_usage\":true}"};
    struct fake_route *r = add_route("kept", d.up.port, (const char *const[]){"ok", NULL});
    r->route.cache = true;
    r->route.cache_ttl_ms = 60000;
    int n = 0;
    for (size_t i = 0; i < 2; i++) {
        struct said first = chat(&d, "kept", asks[i]), second = chat(&d, "kept", asks[i]);
        CHECK_EQ(first.status, 200);
        CHECK(header_of(first, "x-yicheng-cache").ptr == NULL);
        CHECK_STR(header_of(second, "x-yicheng-cache"), "hit");
        CHECK(str_starts(header_of(second, "Content-Type"), STR("text/event-stream")));
        CHECK(says(second, "data: [DONE]"));
        CHECK_EQ(says(second, "\"usage\":{"), i == 1);
        CHECK(str_eq(first.body, second.body));
        CHECK_EQ(atomic_load(&d.up.n_calls), ++n);
    }
    /* The whole answer to the same question is another one. */
    CHECK(header_of(chat(&d, "kept", NULL), "x-yicheng-cache").ptr == NULL);
    CHECK_STR(header_of(chat(&d, "kept", NULL), "x-yicheng-cache"), "hit");
    CHECK_STR(header_of(chat(&d, "kept", STREAM), "x-yicheng-cache"), "hit");
    CHECK_EQ(atomic_load(&d.up.n_calls), ++n);
    CHECK_EQ(lines(&d, "outcome = 0").n, 7);
    struct str kept = str_printf(d.arena, "dim IN (SELECT id FROM meter_dims WHERE kind = %d)",
                                 (int)METER_CACHED);
    CHECK_EQ(lines(&d, kept.ptr).n, 4);
    /* One that broke off is asked for again. */
    r = add_route("broken", d.up.port, (const char *const[]){"breaks", NULL});
    r->route.cache = true;
    r->route.cache_ttl_ms = 60000;
    for (int i = 0; i < 2; i++) {
        struct said said = chat(&d, "broken", STREAM);
        CHECK(header_of(said, "x-yicheng-cache").ptr == NULL && !says(said, "[DONE]"));
    }
    CHECK_EQ(atomic_load(&d.up.n_calls), n + 2);
    door_close(&d);
}

TEST(a_limit_is_told_by_name_with_a_time_to_come_back)
{
    DOOR(d);
    struct why why = {0};
    struct ops_identity system = ops_system();
    struct meter_limit limit = {.tenant = STR("city"),
                                .level = METER_TENANT,
                                .requests_per_minute = 2,
                                .tokens_per_minute = -1,
                                .concurrent = -1,
                                .tokens_per_day = -1,
                                .tokens_per_month = -1,
                                .money_per_day = -1,
                                .money_per_month = -1,
                                .version = -1};
    CHECK_OK(meter_limit_put(d.meter, &system, &limit, &why), &why);
    CHECK_STR(header_of(chat(&d, "ok", NULL), "x-ratelimit-limit-requests"), "2");
    CHECK_EQ(chat(&d, "ok", NULL).status, 200);
    struct said said = chat(&d, "ok", NULL);
    CHECK_EQ(said.status, 429);
    CHECK(says(said, "\"type\":\"rate_limit_error\"") &&
          says(said, "\"code\":\"requests_per_minute\""));
    CHECK(header_of(said, "Retry-After").len > 0);
    CHECK_EQ(atomic_load(&d.up.n_calls), 2);
    door_close(&d);
}

/* ---- clients that leave, or do not read ---- */

TEST(a_client_that_leaves_ends_the_call_and_pays_what_it_got)
{
    DOOR(d);
    char out[4096];
    int waiting = ask_raw(&d, "city", "hangs", "");
    int reading = ask_raw(&d, "city", "stalls", STREAM);
    size_t len = 0;
    out[0] = '\0';
    while (!strstr(out, " two")) {
        ssize_t n = raw_read(reading, out + len, sizeof out - 1 - len, 10000);
        if (n <= 0)
            break;
        len += (size_t)n;
        out[len] = '\0';
    }
    CHECK(strstr(out, " two") != NULL);
    for (int i = 0; i < 500 && atomic_load(&d.up.n_calls) < 2; i++)
        time_sleep_ms(10);
    (void)close(waiting);
    (void)close(reading);
    CHECK(wait_lines(&d, "outcome = 1", 2));
    struct line_sums sums = lines(&d, "outcome = 1");
    CHECK_EQ(sums.prompt, 3);
    CHECK_EQ(sums.completion, 2);
    door_close(&d);
}

TEST(a_client_that_does_not_read_holds_up_the_upstream)
{
    DOOR(d);
    int fd = ask_raw(&d, "city", "floods", STREAM);
    int64_t before = -1;
    while (atomic_load(&d.up.sent) != before || before == 0) {
        before = atomic_load(&d.up.sent);
        time_sleep_ms(500);
    }
    CHECK(before < 200000); /* what buffers hold of 200 bytes each */
    (void)close(fd);
    CHECK(wait_lines(&d, "outcome = 1", 1));
    CHECK(lines(&d, "outcome = 1").completion > 0);
    door_close(&d);
}

/* ---- queues ---- */

static int read_status(int fd)
{
    char out[4096];
    size_t len = 0;
    out[0] = '\0';
    while (len + 1 < sizeof out && !strstr(out, "\r\n\r\n")) {
        ssize_t n = raw_read(fd, out + len, sizeof out - 1 - len, 20000);
        if (n <= 0)
            break;
        len += (size_t)n;
        out[len] = '\0';
    }
    (void)close(fd);
    return raw_status(out);
}

/* The "user" of the request that the upstream got last. */
static char last_user(struct door *d)
{
    pthread_mutex_lock(&d->up.lock);
    const char *at = strstr(d->up.last_body, "\"user\":\"");
    char c = at ? at[8] : '?';
    pthread_mutex_unlock(&d->up.lock);
    return c;
}

TEST(tenants_share_a_bound_target_fairly_and_the_hotline_goes_first)
{
    DOOR(d);
    struct fake_route *r = add_route("bound", d.up.port, (const char *const[]){"slow", NULL});
    enum { N = 21 };
    int fd[N + 1];
    char order[N + 1] = "";
    r->targets[0].max_busy = 1;
    fd[N] = ask_raw(&d, "a", "bound", "");
    for (int i = 0; i < 1000 && atomic_load(&d.up.n_waiting) < 1; i++)
        time_sleep_ms(10);
    for (int i = 0; i < N; i++) { /* ten of a, five of a's batches, five of b, one of the hotline */
        bool batch = i >= 10 && i < 15, hotline = i == N - 1;
        fd[i] = ask_raw(&d, i < 15 ? "a" : "b", "bound",
                        batch     ? ",\"service_tier\":\"flex\",\"user\":\"z\""
                        : hotline ? ",\"service_tier\":\"priority\",\"user\":\"h\""
                        : i < 15  ? ",\"user\":\"a\""
                                  : ",\"user\":\"b\"");
        for (int k = 0; k < 10000 && atomic_load(&d.gateway->n_waiting) < (size_t)i + 1; k++)
            time_sleep_ms(1);
    }
    for (int i = 0; i < N; i++) { /* one after the other */
        upstream_go(&d.up, 1);
        for (int k = 0; k < 10000 && atomic_load(&d.up.n_calls) < i + 2; k++)
            time_sleep_ms(1);
        order[i] = last_user(&d);
    }
    upstream_go(&d.up, 1);
    for (int i = 0; i <= N; i++)
        CHECK_EQ(read_status(fd[i]), 200);
    /* b asked after a's ten, and is served in turn with them all the same. */
    CHECK_EQ(order[0], 'h');
    int b = 0, z = 0;
    for (int i = 0; i < 12; i++)
        b += order[i] == 'b';
    for (int i = N - 5; i < N; i++)
        z += order[i] == 'z';
    CHECK_EQ(b, 5);
    CHECK_EQ(z, 5);
    door_close(&d);
}

TEST(who_waits_too_long_or_too_many_are_told)
{
    DOOR(d, "gateway.queue=2", "gateway.queue_time=300ms");
    struct fake_route *r = add_route("bound", d.up.port, (const char *const[]){"slow", NULL});
    r->targets[0].max_busy = 1;
    int first = ask_raw(&d, "a", "bound", "");
    while (atomic_load(&d.up.n_waiting) < 1)
        time_sleep_ms(5);
    int late[2] = {ask_raw(&d, "a", "bound", ""), ask_raw(&d, "b", "bound", "")};
    while (atomic_load(&d.gateway->n_waiting) < 2)
        time_sleep_ms(1);
    struct said said = chat(&d, "bound", NULL);
    CHECK_EQ(said.status, 503);
    CHECK(says(said, "queue_full"));
    CHECK_EQ(read_status(late[0]), 503);
    CHECK_EQ(read_status(late[1]), 503);
    int gone = ask_raw(&d, "a", "bound", "");
    while (atomic_load(&d.gateway->n_waiting) < 1)
        time_sleep_ms(1);
    (void)close(gone);
    while (atomic_load(&d.gateway->n_waiting) > 0)
        time_sleep_ms(1);
    upstream_go(&d.up, 1);
    CHECK_EQ(read_status(first), 200);
    CHECK_EQ(lines(&d, "outcome = 0").n, 1);
    door_close(&d);
}

/* ---- the door for other rooms ---- */

TEST(rooms_call_models_like_any_client)
{
    DOOR(d);
    struct models_door door;
    struct ops_identity who = ops_system();
    struct why why = {0};
    struct str reply = STR_NONE;
    gateway_door(d.gateway, &door);
    CHECK_OK(
        door.call(door.ctx, &who, "chat/completions",
                  STR("{\"model\":\"ok\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"),
                  d.arena, &reply, &why),
        &why);
    CHECK(str_find(reply, STR("one two three")) != STR_NPOS);
    CHECK_EQ(door.call(door.ctx, &who, "chat/completions",
                       STR("{\"model\":\"none\",\"messages\":[]}"), d.arena, &reply, &why),
             ERR_NOT_FOUND);
    CHECK(strstr(why.text, "none"));
    CHECK_EQ(door.call(door.ctx, &who, "chat/completions",
                       STR("{\"model\":\"s500\",\"messages\":[]}"), d.arena, &reply, NULL),
             ERR_UNAVAILABLE);
    CHECK_EQ(lines(&d, "outcome = 0").n, 1);
    door_close(&d);
}

/* ---- what models answered ---- */

/* Counts are written behind the calls. */
static struct gateway_answered answered_of(struct door *d, const struct ops_identity *who,
                                           const char *model, int64_t wanted)
{
    struct gateway_answered found = {.n = -1};
    for (int i = 0; i < 800 && found.n != wanted; i++) {
        struct store_tx *tx = NULL;
        struct why why = {0};
        if (i)
            time_sleep_ms(20);
        CHECK_OK(store_begin(d->store, STORE_READ, &tx, &why), &why);
        CHECK_OK(gateway_answered(tx, who, str_c(model), d->arena, &found, &why), &why);
        store_rollback(tx);
    }
    return found;
}

/* The version that answered is counted and logged: not the one that was asked first, nor one that
 * failed; an answer that was kept counts for who made it. */
TEST(answers_are_counted_for_the_version_that_gave_them)
{
    DOOR(d);
    struct fake_route *first = add_route("first", d.up.port, (const char *const[]){"s500", NULL});
    struct fake_route *last = add_route("last", d.up.port, (const char *const[]){"ok", NULL});
    struct ops_identity who = {.tenant = STR("city"), .permissions = UINT64_MAX};
    struct gateway_answered *models = NULL;
    struct store_rows rows;
    struct why why = {0};
    size_t n = 0;
    who.permissions &= ~ops_permission_bit(STR("ops.every_tenant"));
    first->targets[0].model = STR("qwen");
    first->targets[0].version = STR("1");
    last->targets[0].model = STR("qwen");
    last->targets[0].version = STR("2");
    first->fallbacks[0] = &last->route;
    first->route.n_fallbacks = 1;
    last->route.cache = true;
    last->route.cache_ttl_ms = 60000;
    CHECK_EQ(chat(&d, "first", NULL).status, 200);
    CHECK_EQ(chat(&d, "last", NULL).status, 200);
    CHECK_STR(header_of(chat(&d, "last", NULL), "x-yicheng-cache"), "hit");
    CHECK_EQ(chat(&d, "last", STREAM).status, 200);
    struct said other = call_as(&d, "other", "chat/completions",
                                "{\"model\":\"last\",\"messages\":[{\"role\":\"user\","
                                "\"content\":\"say it now\"}]}");
    CHECK_EQ(other.status, 200);
    struct gateway_answered found = answered_of(&d, &who, "qwen:2", 4);
    CHECK_EQ(found.n, 4);
    CHECK(found.first_ms > 0 && found.first_ms <= found.last_ms);
    CHECK_EQ(answered_of(&d, &who, "qwen:1", 0).n, 0);
    struct ops_identity all = ops_system();
    CHECK_EQ(answered_of(&d, &all, "qwen:2", 5).n, 5);

    /* Back from one answer: by its call or its trace, for its own tenant alone. */
    CHECK_OK(store_ask(d.store,
                       "SELECT id, trace, served FROM gateway_requests WHERE tenant_id = 'city'"
                       " ORDER BY id LIMIT 1",
                       STORE_NO_ARGS, d.arena, &rows, &why),
             &why);
    CHECK_EQ(rows.n_rows, 1);
    CHECK_STR(store_str(&rows, 0, 2), "qwen:2");
    for (size_t i = 0; i < 2; i++) {
        struct str id = store_str(&rows, 0, i);
        CHECK_OK(gateway_answer_models(d.store, &who, id, d.arena, &models, &n, &why), &why);
        CHECK_EQ(n, 1);
        CHECK_STR(models[0].model, "qwen:2");
        who.tenant = STR("other");
        CHECK_EQ(gateway_answer_models(d.store, &who, id, d.arena, &models, &n, NULL),
                 ERR_NOT_FOUND);
        who.tenant = STR("city");
    }
    CHECK_EQ(gateway_answer_models(d.store, &who, STR(""), d.arena, &models, &n, NULL),
             ERR_NOT_FOUND);
    who.permissions &= ~ops_permission_bit(STR("gateway.requests"));
    CHECK_EQ(
        gateway_answer_models(d.store, &who, store_str(&rows, 0, 0), d.arena, &models, &n, NULL),
        ERR_FORBIDDEN);
    door_close(&d);
}

/* ---- guards ---- */

static atomic_int n_guard_ends;

static enum err guard_before(void *ctx, const struct gateway_turn *turn, struct arena *arena,
                             struct str *body, void **state, struct why *why)
{
    (void)ctx, (void)state, (void)arena;
    if (str_find(*body, STR("forbidden words")) != STR_NPOS)
        return err_set(why, ERR_FORBIDDEN, "this may not be asked");
    if (str_find(*body, STR("change me")) != STR_NPOS)
        *body =
            STR("{\"model\":\"ok\",\"messages\":[{\"role\":\"user\",\"content\":\"changed\"}]}");
    gateway_label(turn, "x-label", "seen");
    return ERR_OK;
}

static enum err guard_after(void *ctx, const struct gateway_turn *turn, struct arena *arena,
                            struct str *data, bool last, void *state, struct why *why)
{
    (void)ctx, (void)turn, (void)arena, (void)state;
    if (last)
        *data = STR("{\"label\":\"generated\"}");
    if (turn->stream && str_find(*data, STR(" three")) != STR_NPOS &&
        str_eq_c(turn->application, "strict"))
        return err_set(why, ERR_FORBIDDEN, "this may not be said");
    return ERR_OK;
}

static void guard_end(void *ctx, void *state)
{
    (void)ctx, (void)state;
    atomic_fetch_add(&n_guard_ends, 1);
}

TEST(guards_refuse_change_and_label)
{
    DOOR(d);
    struct why why = {0};
    struct gateway_guard guard = {
        .name = "words", .before = guard_before, .after = guard_after, .end = guard_end};
    atomic_store(&n_guard_ends, 0);
    CHECK_OK(gateway_guard_add(d.gateway, &guard, &why), &why);
    struct said said = chat(&d, "ok", ",\"x\":\"forbidden words\"");
    CHECK_EQ(said.status, 403);
    CHECK(says(said, "\"code\":\"guard_words\"") && says(said, "this may not be asked"));
    CHECK_EQ(atomic_load(&d.up.n_calls), 0);
    said = chat(&d, "ok", ",\"x\":\"change me\"");
    CHECK_EQ(said.status, 200);
    CHECK_STR(header_of(said, "x-label"), "seen");
    CHECK(strstr(d.up.last_body, "\"changed\""));
    said = chat(&d, "ok", STREAM);
    CHECK(says(said, "data: {\"label\":\"generated\"}\n\ndata: [DONE]"));
    CHECK_EQ(lines(&d, "outcome = 0").n, 2);
    door_close(&d);
    CHECK_EQ(atomic_load(&n_guard_ends), 3);
}

/* ---- many streams ---- */

TEST(two_hundred_streams_run_at_once)
{
    DOOR(d);
    int fd[200];
    for (int i = 0; i < 200; i++)
        fd[i] = ask_raw(&d, "city", "slow", STREAM);
    for (int i = 0; i < 2000 && atomic_load(&d.up.n_waiting) < 200; i++)
        time_sleep_ms(10);
    CHECK_EQ(atomic_load(&d.up.n_waiting), 200);
    CHECK_EQ(chat(&d, "ok", NULL).status, 200);
    upstream_go(&d.up, 200);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(read_status(fd[i]), 200);
    door_close(&d);
}

TESTS_MAIN()
