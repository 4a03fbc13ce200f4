/* What http.h promises of answers that come later, of waking and of clients that go away. */
#include "http/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- handlers: requests wait in a list until the test releases them ---- */

#define MOST_HELD 600

static struct {
    struct http_request *req;
    struct http_response *res;
} held[MOST_HELD];
static size_t n_held;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int n_gone, n_done, n_nexts;

static void gone(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_gone, 1);
}

static enum err hold(struct http_request *req, struct http_response *res, struct why *why)
{
    http_hold(req);
    if (http_param_bool(req, "fail", false))
        return err_set(why, ERR_CONFLICT, "not held after all");
    if (http_param_bool(req, "watch", true))
        http_on_gone(req, gone, NULL);
    if (http_param_bool(req, "now", false)) {
        http_send(res, "text/plain", STR("at once"));
        http_release(req, ERR_OK, NULL);
        return ERR_OK;
    }
    pthread_mutex_lock(&lock);
    held[n_held].req = req;
    held[n_held++].res = res;
    pthread_mutex_unlock(&lock);
    return ERR_OK;
}

static size_t count_held(void)
{
    pthread_mutex_lock(&lock);
    size_t n = n_held;
    pthread_mutex_unlock(&lock);
    return n;
}

static bool wait_held(size_t n)
{
    for (int i = 0; i < 1000 && count_held() != n; i++)
        time_sleep_ms(10);
    return count_held() == n;
}

static bool wait_for(atomic_int *value, int want)
{
    for (int i = 0; i < 1000 && atomic_load(value) != want; i++)
        time_sleep_ms(10);
    return atomic_load(value) == want;
}

/* ---- a stream that is fed by the test ---- */

struct feed {
    struct http_request *req;
    atomic_int n; /* events to send */
    atomic_bool end;
};

static struct feed feed;

static enum err next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    struct feed *f = ctx;
    (void)why;
    atomic_fetch_add(&n_nexts, 1);
    /* Whoever ends it wakes it under the lock, so not after its end; and the end is the last thing.
     */
    pthread_mutex_lock(&lock);
    *end = atomic_load(&f->end);
    pthread_mutex_unlock(&lock);
    for (int n = atomic_exchange(&f->n, 0); n > 0; n--)
        http_event(out, NULL, STR("fed"));
    return ERR_OK;
}

static void done(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&n_done, 1);
}

static enum err stream(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)why;
    feed = (struct feed){.req = req};
    http_on_gone(req, gone, NULL);
    http_stream(res, next, done, &feed);
    if (http_param_bool(req, "here", false))
        http_stream_here(res);
    http_wake(req);
    pthread_mutex_lock(&lock);
    n_held++;
    pthread_mutex_unlock(&lock);
    return ERR_OK;
}

static enum err hello(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_send(res, "text/plain", STR("hello"));
    return ERR_OK;
}

/* ---- a route that is handled on the event thread when it says so ---- */

static _Thread_local bool on_worker; /* set by authorize(), which only workers call */
static atomic_int n_here, n_there;

static bool may_stay(struct http_request *req)
{
    return http_param_bool(req, "stay", true);
}

static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    (void)ctx, (void)req, (void)route, (void)why;
    on_worker = true;
    return ERR_OK;
}

static bool authorize_here(void *ctx, struct http_request *req, const struct http_route *route,
                           enum err *err, struct why *why)
{
    (void)ctx, (void)route;
    if (!http_param_bool(req, "known", true))
        return false;
    *err = http_param_bool(req, "limited", false) ? err_set(why, ERR_RATE_LIMITED, "too often")
                                                  : ERR_OK;
    return true;
}

static enum err here(struct http_request *req, struct http_response *res, struct why *why)
{
    atomic_fetch_add(on_worker ? &n_there : &n_here, 1);
    return hold(req, res, why);
}

static const struct http_param here_params[] = {{"n", "integer", "a number", false, false}};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/here",
     .params = here_params,
     .n_params = 1,
     .handle = here,
     .here = may_stay},
    {.method = "GET", .path = "/hold", .handle = hold},
    {.method = "GET", .path = "/stream", .handle = stream},
    {.method = "GET", .path = "/hello", .handle = hello},
};
static const struct http_table table = {.room = "test", .routes = routes, .n = 4};

static struct serve start(const char *const *sets)
{
    struct http_opts opts = {
        .tables = &table, .n_tables = 1, .authorize = authorize, .authorize_here = authorize_here};
    n_held = 0;
    atomic_store(&n_here, 0);
    atomic_store(&n_there, 0);
    atomic_store(&n_gone, 0);
    atomic_store(&n_done, 0);
    atomic_store(&n_nexts, 0);
    return serve_start(&opts, sets);
}

static int ask(int port, const char *target)
{
    char text[400];
    int fd = raw_open(port);
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", target);
    CHECK(raw_send(fd, text, (size_t)n));
    return fd;
}

static void release_all(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_held; i++) {
        http_send(held[i].res, "text/plain", STR("later"));
        http_release(held[i].req, ERR_OK, NULL);
    }
    n_held = 0;
    pthread_mutex_unlock(&lock);
}

/* Reads until the text has `want`. */
static bool comes(int fd, char *out, size_t most, const char *want)
{
    size_t len = 0;
    out[0] = '\0';
    while (!strstr(out, want) && len + 1 < most) {
        ssize_t n = raw_read(fd, out + len, most - 1 - len, 10000);
        if (n <= 0)
            return false;
        len += (size_t)n;
        out[len] = '\0';
    }
    return strstr(out, want) != NULL;
}

/* ---- promises ---- */

TEST(five_hundred_held_requests_need_one_worker)
{
    struct serve s = start((const char *[]){"http.workers=1", "http.waiting=600",
                                            "http.connections_per_address=2000", NULL});
    enum { N = 500 };
    static int fd[N];
    char out[2048];
    for (int i = 0; i < N; i++)
        fd[i] = ask(s.port, "/hold");
    CHECK(wait_held(N));
    CHECK(has(raw_get(s.port, "/hello", NULL), "hello"));
    release_all();
    int n = 0;
    for (int i = 0; i < N; i++) {
        n += comes(fd[i], out, sizeof out, "later") && raw_status(out) == 200;
        (void)close(fd[i]);
    }
    CHECK_EQ(n, N);
    CHECK_EQ(atomic_load(&n_gone), 0);
    serve_stop(&s, 1000);
}

TEST(a_held_connection_can_be_used_again)
{
    struct serve s = start(NULL);
    char out[2048];
    int fd = ask(s.port, "/hold");
    for (int i = 0; i < 50; i++) {
        static const char again[] = "GET /hold HTTP/1.1\r\nHost: t\r\n\r\n";
        CHECK(wait_held(1));
        release_all();
        CHECK(comes(fd, out, sizeof out, "later"));
        CHECK(raw_send(fd, again, sizeof again - 1));
    }
    CHECK(wait_held(1));
    release_all();
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(a_release_before_the_handler_returns_counts)
{
    struct serve s = start(NULL);
    for (int i = 0; i < 50; i++)
        CHECK(has(raw_get(s.port, "/hold?now=1", NULL), "at once"));
    serve_stop(&s, 1000);
}

TEST(a_route_may_be_handled_where_its_request_came_in)
{
    struct serve s = start(NULL);
    for (int i = 0; i < 20; i++)
        CHECK(has(raw_get(s.port, "/here?now=1", NULL), "at once"));
    CHECK_EQ(atomic_load(&n_here), 20);
    CHECK_EQ(atomic_load(&n_there), 0);
    /* what the route or the authorizer cannot do there goes to a worker */
    CHECK(has(raw_get(s.port, "/here?now=1&stay=0", NULL), "at once"));
    CHECK(has(raw_get(s.port, "/here?now=1&known=0", NULL), "at once"));
    CHECK_EQ(atomic_load(&n_there), 2);
    /* refusals and checks are the same there */
    CHECK_EQ(raw_status(raw_get(s.port, "/here?limited=1", NULL)), 429);
    CHECK_EQ(raw_status(raw_get(s.port, "/here?n=x", NULL)), 400);
    CHECK_EQ(raw_status(raw_get(s.port, "/here?fail=1", NULL)), 409);
    CHECK_EQ(atomic_load(&n_here), 21);
    serve_stop(&s, 1000);
}

/* Each is let go by another thread, in the middle of others that come. */
TEST(requests_that_are_handled_and_held_there_are_all_answered)
{
    enum { MANY = 300, ROUNDS = 3 };
    struct serve s = start((const char *[]){"http.connections_per_address=1000", NULL});
    int fd[MANY];
    char out[4000];
    for (int i = 0; i < MANY; i++)
        fd[i] = ask(s.port, "/here");
    for (int round = 0; round < ROUNDS; round++) {
        static const char again[] = "GET /here HTTP/1.1\r\nHost: t\r\n\r\n";
        int ok = 0;
        CHECK(wait_held(MANY));
        release_all();
        for (int i = 0; i < MANY; i++) {
            ok += comes(fd[i], out, sizeof out, "\r\n\r\nlater");
            if (round + 1 < ROUNDS)
                CHECK(raw_send(fd[i], again, sizeof again - 1));
        }
        CHECK_EQ(ok, MANY);
    }
    CHECK_EQ(atomic_load(&n_here), MANY * ROUNDS);
    for (int i = 0; i < MANY; i++)
        (void)close(fd[i]);
    serve_stop(&s, 1000);
}

TEST(a_handler_that_fails_holds_nothing)
{
    struct serve s = start(NULL);
    CHECK_EQ(raw_status(raw_get(s.port, "/hold?fail=1", NULL)), 409);
    serve_stop(&s, 1000);
}

TEST(an_error_released_is_a_problem)
{
    struct serve s = start(NULL);
    char out[2048];
    struct why why = {0};
    int fd = ask(s.port, "/hold");
    CHECK(wait_held(1));
    enum err err = err_set(&why, ERR_TIMEOUT, "nothing came in time");
    http_release(held[0].req, err, &why);
    CHECK(comes(fd, out, sizeof out, "nothing came in time"));
    CHECK_EQ(raw_status(out), 504);
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(it_is_said_when_the_client_went_away)
{
    struct serve s = start(NULL);
    int fd[20];
    struct linger now = {1, 0};
    for (int i = 0; i < 20; i++) {
        fd[i] = ask(s.port, "/hold");
        if (i % 2)
            (void)setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now); /* a reset */
    }
    CHECK(wait_held(20));
    CHECK_EQ(atomic_load(&n_gone), 0);
    for (int i = 0; i < 20; i++)
        (void)close(fd[i]);
    CHECK(wait_for(&n_gone, 20));
    release_all();
    CHECK(has(raw_get(s.port, "/hello", NULL), "hello"));
    serve_stop(&s, 1000);
    CHECK_EQ(atomic_load(&n_gone), 20);
}

TEST(an_answered_request_is_not_gone)
{
    struct serve s = start(NULL);
    for (int i = 0; i < 20; i++)
        CHECK(has(raw_get(s.port, "/hold?now=1", NULL), "at once"));
    time_sleep_ms(600); /* the keeper looks every 250 ms */
    serve_stop(&s, 1000);
    CHECK_EQ(atomic_load(&n_gone), 0);
}

static void *release_late(void *arg)
{
    (void)arg;
    (void)wait_for(&n_gone, 1);
    release_all();
    return NULL;
}

TEST(stopping_tells_holders_and_waits_for_them)
{
    struct serve s = start(NULL);
    pthread_t thread;
    int fd = ask(s.port, "/hold");
    CHECK(wait_held(1));
    CHECK_EQ(pthread_create(&thread, NULL, release_late, NULL), 0);
    serve_stop(&s, 100);
    CHECK_EQ(atomic_load(&n_gone), 1);
    CHECK_EQ(count_held(), 0);
    pthread_join(thread, NULL);
    (void)close(fd);
}

static void end_feed(void)
{
    pthread_mutex_lock(&lock);
    atomic_store(&feed.end, true);
    http_wake(feed.req);
    pthread_mutex_unlock(&lock);
}

static void speak_when_woken(const char *path)
{
    struct serve s = start((const char *[]){"http.heartbeat=60s", NULL});
    char out[4096];
    int fd = ask(s.port, path);
    CHECK(wait_held(1));
    for (int i = 0; i < 30; i++) {
        atomic_fetch_add(&feed.n, 1);
        http_wake(feed.req);
        CHECK(comes(fd, out, sizeof out, "data: fed\n\n"));
    }
    int before = atomic_load(&n_nexts);
    CHECK(before < 100);
    time_sleep_ms(700); /* a stream that was never woken would be asked three times */
    CHECK(atomic_load(&n_nexts) <= before + 1);
    end_feed();
    CHECK(comes(fd, out, sizeof out, "0\r\n\r\n"));
    CHECK(wait_for(&n_done, 1));
    (void)close(fd);
    serve_stop(&s, 1000);
    CHECK_EQ(atomic_load(&n_gone), 0);
}

static void *wake_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20000; i++) {
        atomic_fetch_add(&feed.n, 1);
        http_wake(feed.req);
    }
    end_feed();
    return NULL;
}

static void lose_no_wake(const char *path)
{
    struct serve s = start((const char *[]){"http.heartbeat=60s", NULL});
    static char out[1 << 20];
    pthread_t thread;
    int fd = ask(s.port, path);
    CHECK(wait_held(1));
    CHECK_EQ(pthread_create(&thread, NULL, wake_often, NULL), 0);
    size_t len = 0;
    while (len + 1 < sizeof out) {
        ssize_t n = raw_read(fd, out + len, sizeof out - 1 - len, 10000);
        if (n <= 0)
            break;
        len += (size_t)n;
        out[len] = '\0';
        if (strstr(out + (len > 100 ? len - 100 : 0), "\r\n0\r\n\r\n"))
            break;
    }
    pthread_join(thread, NULL);
    int n = 0;
    for (const char *at = out; (at = strstr(at, "data: fed")); at++)
        n++;
    CHECK_EQ(n, 20000);
    CHECK(wait_for(&n_done, 1));
    (void)close(fd);
    serve_stop(&s, 1000);
}

static void hear_that_it_left(const char *path)
{
    struct serve s = start((const char *[]){"http.heartbeat=60s", NULL});
    int fd = ask(s.port, path);
    CHECK(wait_held(1));
    (void)close(fd);
    CHECK(wait_for(&n_gone, 1));
    end_feed();
    CHECK(wait_for(&n_done, 1));
    serve_stop(&s, 1000);
}

TEST(a_woken_stream_speaks_at_once_and_is_asked_no_more_than_needed)
{
    speak_when_woken("/stream");
    speak_when_woken("/stream?here=1");
}

TEST(no_wake_is_lost)
{
    lose_no_wake("/stream");
    lose_no_wake("/stream?here=1");
}

TEST(a_silent_stream_hears_that_its_client_left)
{
    hear_that_it_left("/stream");
    hear_that_it_left("/stream?here=1");
}

TEST(a_stream_that_is_asked_on_the_event_thread_has_heartbeats_too)
{
    struct serve s = start((const char *[]){"http.heartbeat=200ms", NULL});
    char out[4096];
    int fd = ask(s.port, "/stream?here=1");
    CHECK(wait_held(1));
    CHECK(comes(fd, out, sizeof out, ":\n\n"));
    end_feed();
    CHECK(comes(fd, out, sizeof out, "0\r\n\r\n"));
    CHECK(wait_for(&n_done, 1));
    (void)close(fd);
    serve_stop(&s, 1000);
}

TESTS_MAIN()
