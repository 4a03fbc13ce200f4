/* What http.h promises of server-sent events: pull, backpressure, heartbeats, done() always. */
#include "http/fixture.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/metric.h"

struct counter {
    int64_t n, most;
    int64_t pause_ms;
    size_t size; /* of an event */
    int fail_at;
    bool silent;
};

static atomic_int n_begun, n_done, n_nexts;

static enum err next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct counter *c = ctx;
    char text[32];
    atomic_fetch_add(&n_nexts, 1);
    if (c->silent)
        return ERR_OK;
    if (c->pause_ms)
        time_sleep_ms(c->pause_ms);
    if (c->fail_at && c->n == c->fail_at) {
        http_event(out, "never", STR("sent"));
        return err_set(why, ERR_UNAVAILABLE, "the source dried up");
    }
    (void)snprintf(text, sizeof text, "%lld", (long long)c->n++);
    http_event(out, "count", str_c(text));
    if (c->size) {
        char *room = buf_room(out, c->size + 2);
        if (room) {
            memset(room, 'x', c->size);
            room[0] = ':';
            memcpy(room + c->size, "\n\n", 2);
            out->len += c->size + 2;
        }
    }
    *end = c->n == c->most;
    return ERR_OK;
}

static void done(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_done, 1);
}

static enum err stream(struct http_request *req, struct http_response *res, struct why *why)
{
    struct counter *c = arena_one(http_arena(req), struct counter);
    *c = (struct counter){.most = http_param_int(req, "most", 5),
                          .pause_ms = http_param_int(req, "pause", 0),
                          .size = (size_t)http_param_int(req, "size", 0),
                          .fail_at = (int)http_param_int(req, "fail_at", 0),
                          .silent = http_param_bool(req, "silent", false)};
    atomic_fetch_add(&n_begun, 1);
    http_stream(res, next, done, c);
    if (http_param_bool(req, "refuse", false))
        return err_set(why, ERR_CONFLICT, "changed my mind");
    return ERR_OK;
}

static enum err hello(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_send(res, "text/plain", STR("hello"));
    return ERR_OK;
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/events", .handle = stream},
    {.method = "GET", .path = "/hello", .handle = hello},
};
static const struct http_table table = {.room = "test", .routes = routes, .n = 2};

static struct serve start(const char *const *sets)
{
    struct http_opts opts = {.tables = &table, .n_tables = 1};
    atomic_store(&n_begun, 0);
    atomic_store(&n_done, 0);
    atomic_store(&n_nexts, 0);
    return serve_start(&opts, sets);
}

static bool wait_for(atomic_int *value, int want, int64_t ms)
{
    while (atomic_load(value) != want && ms > 0) {
        time_sleep_ms(10);
        ms -= 10;
    }
    return atomic_load(value) == want;
}

static int ask(int port, const char *target)
{
    char text[400];
    int fd = raw_open(port);
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", target);
    CHECK(raw_send(fd, text, (size_t)n));
    return fd;
}

TEST(events_come_in_order_and_end)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/events?most=3", NULL);
    CHECK_EQ(raw_status(a), 200);
    CHECK(has(a, "Content-Type: text/event-stream"));
    CHECK(has(a, "X-Accel-Buffering: no") && has(a, "Cache-Control: no-store"));
    const char *first = strstr(a, "event: count\ndata: 0\n\n");
    const char *last = strstr(a, "event: count\ndata: 2\n\n");
    CHECK(first && last && last > first);
    CHECK(wait_for(&n_done, 1, 2000));
    serve_stop(&s, 1000);
    CHECK_EQ(n_done, 1);
}

TEST(an_error_in_a_stream_is_its_last_event)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/events?fail_at=2", NULL);
    CHECK(has(a, "data: 1\n\n") && !has(a, "never"));
    const char *error = strstr(a, "event: error\ndata: {");
    CHECK(error && has(error, "\"detail\":\"the source dried up\"") &&
          has(error, "\"status\":503"));
    CHECK(wait_for(&n_done, 1, 2000));
    serve_stop(&s, 1000);
}

TEST(done_is_called_when_no_stream_began)
{
    struct serve s = start((const char *[]){"http.streams=1", NULL});
    static const char head[] = "HEAD /events HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    CHECK_EQ(raw_status(raw_get(s.port, "/events?refuse=1", NULL)), 409);
    CHECK(wait_for(&n_done, 1, 2000));
    CHECK_EQ(raw_status(raw_talk(s.port, head, sizeof head - 1)), 200);
    CHECK(wait_for(&n_done, 2, 2000));
    int first = ask(s.port, "/events?silent=1");
    CHECK(wait_for(&n_nexts, 1, 2000));
    CHECK_EQ(raw_status(raw_get(s.port, "/events", NULL)), 503);
    CHECK(wait_for(&n_done, 3, 2000));
    CHECK_EQ(n_begun, 4);
    (void)close(first);
    serve_stop(&s, 1000);
    CHECK_EQ(n_done, 4);
}

TEST(a_client_that_does_not_read_is_not_asked_for)
{
    struct serve s = start((const char *[]){"http.idle_time=2s", NULL});
    int64_t before = 0, after = 0;
    int fd = ask(s.port, "/events?most=1000000&size=500000");
    CHECK(wait_for(&n_begun, 1, 2000));
    time_sleep_ms(700);
    before = atomic_load(&n_nexts);
    time_sleep_ms(500);
    after = atomic_load(&n_nexts);
    CHECK(before > 0 && before < 60); /* what fits into the system's buffers and no more */
    CHECK_EQ(after, before);
    CHECK_EQ(raw_status(raw_get(s.port, "/hello", NULL)), 200);
    CHECK(wait_for(&n_done, 1, 8000)); /* no progress: cut after idle_time */
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(a_silent_stream_gets_heartbeats_and_its_end_is_noticed)
{
    struct serve s = start((const char *[]){"http.heartbeat=300ms", NULL});
    char out[4096];
    int fd = ask(s.port, "/events?silent=1");
    size_t len = 0;
    for (int i = 0; i < 3; i++) {
        ssize_t n = raw_read(fd, out + len, sizeof out - 1 - len, 2000);
        len += n > 0 ? (size_t)n : 0;
    }
    out[len] = '\0';
    (void)close(fd);
    CHECK(strstr(out, ":\n\n") != NULL);
    CHECK(wait_for(&n_done, 1, 3000));
    serve_stop(&s, 1000);
}

TEST(streams_do_not_hold_up_requests)
{
    struct serve s = start((const char *[]){"http.workers=1", "http.stream_workers=2", NULL});
    int fd[20];
    for (int i = 0; i < 20; i++)
        fd[i] = ask(s.port, "/events?most=1000&pause=50");
    CHECK(wait_for(&n_begun, 20, 3000));
    int64_t begin = time_mono_ns();
    CHECK_EQ(raw_status(raw_get(s.port, "/hello", NULL)), 200);
    CHECK((time_mono_ns() - begin) / 1000000 < 1000);
    for (int i = 0; i < 20; i++)
        (void)close(fd[i]);
    serve_stop(&s, 3000);
    CHECK_EQ(n_done, 20);
}

TEST(killed_clients_leave_nothing_behind)
{
    struct serve s = start(NULL);
    for (int round = 0; round < 10; round++) {
        int fd[20];
        struct linger now = {1, 0};
        for (int i = 0; i < 20; i++) {
            fd[i] = ask(s.port, i % 2 ? "/events?most=100000&size=1000" : "/events?silent=1");
            (void)setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        time_sleep_ms(20);
        for (int i = 0; i < 20; i++)
            (void)close(fd[i]); /* a reset */
    }
    CHECK_EQ(raw_status(raw_get(s.port, "/hello", NULL)), 200);
    serve_stop(&s, 0);
    CHECK_EQ(n_done, n_begun);
}

TEST(stopping_ends_streams_in_time)
{
    struct serve s = start(NULL);
    int silent = ask(s.port, "/events?silent=1"),
        busy = ask(s.port, "/events?most=100000&pause=20");
    char out[1 << 16];
    CHECK(wait_for(&n_begun, 2, 2000));
    time_sleep_ms(200);
    int64_t begin = time_mono_ns();
    serve_stop(&s, 600);
    int64_t took_ms = (time_mono_ns() - begin) / 1000000;
    CHECK(took_ms >= 500 && took_ms < 3000);
    CHECK_EQ(n_done, 2);
    (void)raw_read_all(silent, out, sizeof out, 500);
    CHECK(has(out, "\r\n0\r\n\r\n")); /* ended, not broken off */
    (void)raw_read_all(busy, out, sizeof out, 500);
    CHECK(has(out, "data: 3\n"));
    (void)close(silent);
    (void)close(busy);
}

TESTS_MAIN()
