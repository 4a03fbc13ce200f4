/* Clients that mean harm, as raw bytes: smugglers, the slow, the huge, the many. */
#include "http/fixture.h"

#include <stdatomic.h>
#include <sys/resource.h>

static atomic_int n_handled;

static enum err handle(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)why;
    atomic_fetch_add(&n_handled, 1);
    http_send(res, "text/plain", http_body(req));
    return ERR_OK;
}

static enum err big(struct http_request *req, struct http_response *res, struct why *why)
{
    size_t size = (size_t)20 << 20;
    char *bytes = arena_bytes(http_arena(req), size);
    if (!bytes)
        return err_set(why, ERR_NO_MEMORY, "could not hold the answer");
    memset(bytes, 'b', size);
    http_send(res, "text/plain", (struct str){bytes, size});
    return ERR_OK;
}

/* Not what a quick handler may do: so that requests pile up behind it. */
static enum err nap(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    time_sleep_ms(150);
    http_send(res, "text/plain", STR("rested"));
    return ERR_OK;
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/nap", .quick = true, .handle = nap},
    {.method = "POST", .path = "/in", .body_limit = 1000, .handle = handle},
    {.method = "GET", .path = "/quick", .quick = true, .handle = handle},
    {.method = "GET", .path = "/work", .handle = handle},
    {.method = "GET", .path = "/big", .handle = big},
    {.method = "POST",
     .path = "/file",
     .body_limit = 1 << 24,
     .body_to_file = true,
     .handle = handle},
};
static const struct http_table table = {.room = "test", .routes = routes, .n = 6};

static struct serve start(const char *const *sets)
{
    struct http_opts opts = {.tables = &table, .n_tables = 1};
    atomic_store(&n_handled, 0);
    return serve_start(&opts, sets);
}

#define REQ(headers, body) "POST /in HTTP/1.1\r\nHost: t\r\n" headers "\r\n" body

TEST(smuggled_requests_are_refused_and_the_connection_closed)
{
    /* Behind each stands a second request, which must never be answered. */
    static const char *const cases[] = {
        REQ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        REQ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
        REQ("Content-Length: 4\r\nContent-Length: 5\r\n", "aaaa"),
        REQ("Content-Length: 4\r\nContent-Length: 4\r\n", "aaaa"),
        REQ("Content-Length: 0\r\nContent-Length: 44\r\n", ""),
        REQ("Content-Length: 4, 4\r\n", "aaaa"),
        REQ("Content-Length: +4\r\n", "aaaa"),
        REQ("Content-Length: -1\r\n", "aaaa"),
        REQ("Content-Length: 0x4\r\n", "aaaa"),
        REQ("Content-Length: 99999999999999999999\r\n", "aaaa"),
        REQ("Content-Length: 4 \r\n 5\r\n", "aaaa"),
        REQ("Content-Length: 4\r\n\t4\r\n", "aaaa"),
        REQ("Content-Length:\r\n 4\r\nX-Last: 1\r\n", "aaaa"),
        REQ("X-A: 1\r\n Content-Length: 4\r\nX-Last: 1\r\n", "aaaa"),
        REQ("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"),
        REQ("Transfer-Encoding: identity\r\n", ""),
        REQ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        REQ("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
        REQ("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        REQ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"),
        REQ("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
        REQ("Content-Length : 4\r\n", "aaaa"),
        REQ("X Content-Length: 4\r\n", "aaaa"),
        REQ("Host: other\r\n", ""),
        "POST /in HTTP/1.1\r\n\r\n",
        "POST /in HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /in HTTP/3.7\r\nHost: t\r\n\r\n",
        "POST /in\r\nHost: t\r\n\r\n",
        "GET http://a b/ HTTP/1.1\r\nHost: t\r\n\r\n",
    };
    struct serve s = start(NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1000];
        int n = snprintf(text, sizeof text, "%sGET /quick HTTP/1.1\r\nHost: t\r\n\r\n", cases[i]);
        const char *a = raw_talk(s.port, text, (size_t)n);
        int status = raw_status(a);
        if ((status < 400 && a[0]) || has(a, "HTTP/1.1 200") || has(a, "HTTP/1.1 405")) {
            CHECK_STR(str_c(cases[i]), "refused");
            printf("# answer: %.60s\n", a);
        }
    }
    CHECK_EQ(n_handled, 0);
    serve_stop(&s, 1000);
}

TEST(unusual_but_proper_headers_are_taken)
{
    static char headers[14000] = "X-Empty:\r\nX-Spaces:   a b\t \r\nCookie: a=b; c=\"d e\"; f\r\n"
                                 "X-Colons: a:b:c\r\nX-Utf8: 城\r\nx-long: ";
    struct serve s = start(NULL);
    size_t n = strlen(headers);
    memset(headers + n, 'l', 12000);
    memcpy(headers + n + 12000, "\r\n", 3);
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", headers)), 200);
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", "X-Last-Empty:\r\n")), 200);
    static const char lf[] = "GET /quick HTTP/1.1\nHost: t\n\n";
    CHECK_EQ(raw_status(raw_talk(s.port, lf, sizeof lf - 1)), 200);
    static const char crlf[] = "\r\n\r\nGET /quick HTTP/1.1\r\nHost: t\r\n\r\n";
    CHECK_EQ(raw_status(raw_talk(s.port, crlf, sizeof crlf - 1)), 200);
    serve_stop(&s, 1000);
}

TEST(broken_chunks_reach_no_handler)
{
    static const char *const bodies[] = {"zz\r\nabc\r\n0\r\n\r\n",
                                         "-5\r\nhello\r\n0\r\n\r\n",
                                         "5\r\nhelloworld\r\n0\r\n\r\n",
                                         "FFFFFFFFFFFFFFFFF\r\nx",
                                         "5;\r\nhel",
                                         "\r\n\r\n",
                                         "5\nhello\n0\n\nX",
                                         "0x5\r\nhello\r\n0\r\n\r\n"};
    struct serve s = start(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char text[500];
        int n = snprintf(text, sizeof text, REQ("Transfer-Encoding: chunked\r\n", "%s"), bodies[i]);
        const char *a = raw_talk(s.port, text, (size_t)n);
        if (raw_status(a) == 200 && !strstr(bodies[i], "5\nhello"))
            CHECK_STR(str_c(bodies[i]), "refused");
    }
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", NULL)), 200);
    serve_stop(&s, 1000);
}

TEST(pipelined_requests_are_answered_in_order)
{
    struct serve s = start(NULL);
    static const char text[] =
        "POST /in HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\none"
        "POST /in HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        "GET /work HTTP/1.1\r\nHost: t\r\n\r\n"
        "POST /in HTTP/1.1\r\nHost: t\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfour";
    const char *a = raw_talk(s.port, text, sizeof text - 1);
    CHECK_EQ(raw_count(a), 4);
    const char *one = strstr(a, "\r\n\r\none"), *two = strstr(a, "\r\n\r\ntwo");
    const char *four = strstr(a, "\r\n\r\nfour");
    CHECK(one && two && four && one < two && two < four);
    serve_stop(&s, 1000);
}

TEST(huge_headers_and_addresses_are_refused)
{
    struct serve s = start(NULL);
    static char text[400000];
    static const size_t sizes[] = {17000, 40000, 90000, 300000};
    for (size_t i = 0; i < 4; i++) {
        int n = snprintf(text, sizeof text, "GET /quick HTTP/1.1\r\nHost: t\r\nX-Big: ");
        memset(text + n, 'x', sizes[i]);
        memcpy(text + (size_t)n + sizes[i], "\r\n\r\n", 5);
        const char *a = raw_talk(s.port, text, (size_t)n + sizes[i] + 4);
        CHECK(raw_status(a) == 431 || (sizes[i] > 100000 && a[0] == '\0'));
    }
    CHECK(has(raw_talk(s.port, "GET / HTTP/1.1\r\nHost: t\r\n\r\n", 27), "problem+json"));
    for (size_t i = 0; i < 4; i++) {
        int n = snprintf(text, sizeof text, "GET /");
        memset(text + n, 'x', sizes[i]);
        int m = snprintf(text + (size_t)n + sizes[i], 60, " HTTP/1.1\r\nHost: t\r\n\r\n");
        const char *a = raw_talk(s.port, text, (size_t)n + sizes[i] + (size_t)m);
        CHECK(raw_status(a) == 414 || raw_status(a) == 431 || (sizes[i] > 50000 && a[0] == '\0'));
    }
    /* many small ones */
    size_t n = (size_t)snprintf(text, sizeof text, "GET /quick HTTP/1.1\r\nHost: t\r\n");
    for (int i = 0; i < 2000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "X-%d: 1\r\n", i);
    n += (size_t)snprintf(text + n, sizeof text - n, "\r\n");
    CHECK_EQ(raw_status(raw_talk(s.port, text, n)), 431);
    CHECK_EQ(n_handled, 0);
    serve_stop(&s, 1000);
}

/* A byte every 20 ms until the server has had enough; how long it took. */
static int64_t trickle(int fd, const char *text, size_t len, char *answer, size_t most)
{
    int64_t begin = time_mono_ns();
    for (size_t i = 0; i < 2000; i++) {
        char c = i < len ? text[i] : 'a';
        if (!raw_send(fd, &c, 1))
            break;
        if (raw_read_all(fd, answer, most, 20) > 0)
            break;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 0) > 0)
            break; /* closed */
    }
    return (time_mono_ns() - begin) / 1000000;
}

TEST(slow_senders_are_cut)
{
    struct serve s = start((const char *[]){"http.header_time=600ms", "http.body_time=600ms",
                                            "http.least_rate=1k", "http.idle_time=30s", NULL});
    static const char *const slow[] = {
        "GET /quick?",                                                 /* in the request line */
        "GET /quick HTTP/1.1\r\nHost: t\r\nX-Slow: ",                  /* in the headers */
        "POST /in HTTP/1.1\r\nHost: t\r\nContent-Length: 900\r\n\r\n", /* in the body */
    };
    char out[4096];
    for (size_t i = 0; i < 3; i++) {
        int fd = raw_open(s.port);
        size_t at_once = i == 2 ? strlen(slow[i]) : 5;
        CHECK(raw_send(fd, slow[i], at_once));
        int64_t ms = trickle(fd, slow[i] + at_once, strlen(slow[i]) - at_once, out, sizeof out);
        if (ms < 400 || ms > 5000)
            printf("# case %zu took %lld ms\n", i, (long long)ms);
        CHECK(ms >= 400 && ms < 5000);
        CHECK_EQ(raw_status(out), 408);
        (void)close(fd);
    }
    /* the same after a good request on the same connection */
    int fd = raw_open(s.port);
    static const char good[] = "GET /quick HTTP/1.1\r\nHost: t\r\n\r\n";
    CHECK(raw_send(fd, good, sizeof good - 1));
    (void)raw_read_all(fd, out, sizeof out, 300);
    CHECK_EQ(raw_status(out), 200);
    int64_t ms = trickle(fd, slow[1], strlen(slow[1]), out, sizeof out);
    CHECK(ms < 5000);
    CHECK_EQ(raw_status(out), 408);
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(idle_connections_are_closed)
{
    struct serve s = start((const char *[]){"http.idle_time=1s", NULL});
    char out[200];
    int fd = raw_open(s.port);
    int64_t begin = time_mono_ns();
    CHECK_EQ(raw_read(fd, out, sizeof out, 6000), 0);
    int64_t ms = (time_mono_ns() - begin) / 1000000;
    CHECK(ms >= 800 && ms < 4000);
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(half_closed_connections_end)
{
    static const char *const sent[] = {
        "", "GET /qu", "GET /quick HTTP/1.1\r\nHost: t\r\n\r\n",
        "POST /in HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nx"};
    struct serve s = start(NULL);
    char out[4096];
    for (size_t i = 0; i < 4; i++) {
        int fd = raw_open(s.port);
        CHECK(raw_send(fd, sent[i], strlen(sent[i])));
        (void)shutdown(fd, SHUT_WR);
        int64_t begin = time_mono_ns();
        ssize_t n;
        while ((n = raw_read(fd, out, sizeof out - 1, 5000)) > 0) {
            out[n] = '\0';
            CHECK(i == 2 && raw_status(out) == 200);
        }
        CHECK_EQ(n, 0);
        CHECK((time_mono_ns() - begin) / 1000000 < 2500);
        (void)close(fd);
    }
    serve_stop(&s, 1000);
}

TEST(a_client_that_does_not_take_its_answer_is_cut)
{
    struct serve s = start((const char *[]){"http.idle_time=1s", NULL});
    static const char ask[] = "GET /big HTTP/1.1\r\nHost: t\r\n\r\n";
    int fd = raw_open(s.port), small = 4096;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    CHECK(raw_send(fd, ask, sizeof ask - 1));
    time_sleep_ms(3500);
    static char out[1 << 16];
    size_t total = 0;
    ssize_t n;
    while ((n = raw_read(fd, out, sizeof out, 300)) > 0)
        total += (size_t)n;
    CHECK(total < (size_t)20 << 20);
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(one_address_cannot_take_all_connections)
{
    struct serve s = start((const char *[]){"http.connections_per_address=10", NULL});
    int fd[30], open = 0;
    char c;
    for (int i = 0; i < 30; i++)
        fd[i] = raw_open(s.port);
    time_sleep_ms(200);
    for (int i = 0; i < 30; i++)
        open += recv(fd[i], &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
    CHECK_EQ(open, 10);
    for (int i = 0; i < 30; i++)
        (void)close(fd[i]);
    time_sleep_ms(200);
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", NULL)), 200);
    serve_stop(&s, 1000);
    /* behind a proxy that we trust, all come from one address */
    s = start((const char *[]){"http.connections_per_address=10", "http.trusted_proxies=127.0.0.1",
                               NULL});
    for (int i = 0; i < 30; i++)
        fd[i] = raw_open(s.port);
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", NULL)), 200);
    for (int i = 0; i < 30; i++)
        (void)close(fd[i]);
    serve_stop(&s, 1000);
}

TEST(a_thousand_connections_are_served)
{
    enum { MANY = 1000 };
    struct rlimit files = {0};
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * MANY + 100)
        SKIP("fewer than 2,100 open files are allowed here");
    struct serve s = start((const char *[]){"http.connections_per_address=2000", NULL});
    static const char ask[] = "GET /work HTTP/1.1\r\nHost: t\r\n\r\n";
    static int fd[MANY];
    char out[2048];
    int ok = 0;
    for (int i = 0; i < MANY; i++)
        fd[i] = raw_open(s.port);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i += 250) { /* no more at once than may wait */
            for (int j = i; j < i + 250; j++)
                ok += raw_send(fd[j], ask, sizeof ask - 1) ? 0 : -1;
            for (int j = i; j < i + 250; j++) {
                ssize_t n = raw_read(fd[j], out, sizeof out - 1, 5000);
                out[n > 0 ? n : 0] = '\0';
                ok += raw_status(out) == 200;
            }
        }
    }
    CHECK_EQ(ok, 2 * MANY);
    CHECK_EQ(n_handled, 2 * MANY);
    for (int i = 0; i < MANY; i++)
        (void)close(fd[i]);
    serve_stop(&s, 2000);
}

/* libmicrohttpd 0.9.75 asked epoll for 128 events at a time; when there were exactly so many, it
 * waited for further ones before it looked at these, for ever on a quiet server. */
TEST(no_number_of_requests_at_once_is_left_lying)
{
    enum { LEAST = 122, MOST = 132 };
    struct serve s = start((const char *[]){"http.event_threads=1", NULL});
    static const char ask[] = "GET /quick HTTP/1.1\r\nHost: t\r\n\r\n";
    static const char rest[] = "GET /nap HTTP/1.1\r\nHost: t\r\n\r\n";
    char out[2048];
    for (int many = LEAST; many <= MOST; many++) {
        int fd[MOST], first = raw_open(s.port), ok = 0;
        for (int i = 0; i < many; i++)
            fd[i] = raw_open(s.port);
        time_sleep_ms(20);
        CHECK(raw_send(first, rest, sizeof rest - 1));
        time_sleep_ms(20);
        for (int i = 0; i < many; i++)
            CHECK(raw_send(fd[i], ask, sizeof ask - 1));
        for (int i = 0; i < many; i++) {
            ssize_t n = raw_read(fd[i], out, sizeof out - 1, ok == i ? 3000 : 0);
            out[n > 0 ? n : 0] = '\0';
            ok += raw_status(out) == 200;
            (void)close(fd[i]);
        }
        CHECK_EQ(ok, many);
        (void)close(first);
    }
    serve_stop(&s, 1000);
}

TEST(clients_killed_in_the_middle_do_no_harm)
{
    static const char *const halves[] = {
        "GE",
        "GET /work HTTP/1.1\r\nHo",
        "POST /in HTTP/1.1\r\nHost: t\r\nContent-Length: 500\r\n\r\nhalf",
        "POST /file HTTP/1.1\r\nHost: t\r\nContent-Length: 900000\r\n\r\nhalf",
        "POST /in HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "GET /work HTTP/1.1\r\nHost: t\r\n\r\n",
        "GET /big HTTP/1.1\r\nHost: t\r\n\r\n"};
    struct serve s = start(NULL);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
            int fd = raw_open(s.port);
            struct linger now = {1, 0};
            (void)raw_send(fd, halves[i], strlen(halves[i]));
            if (round % 2)
                (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            if (round % 3 == 0)
                time_sleep_ms(3);
            (void)close(fd);
        }
    /* It may still be at what they had asked: a slow machine, a sanitizer. */
    int status = 0;
    for (int tries = 0; tries < 200 && status != 200; tries++) {
        status = raw_status(raw_get(s.port, "/work", NULL));
        if (status != 200)
            time_sleep_ms(50);
    }
    CHECK_EQ(status, 200);
    serve_stop(&s, 2000);
}

TEST(a_flood_of_garbage_leaves_the_server_well)
{
    struct serve s = start(NULL);
    char text[600];
    unsigned seed = 7;
    for (int round = 0; round < 200; round++) {
        size_t n = (size_t)(rand_r(&seed) % (int)sizeof text);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)rand_r(&seed);
        int fd = raw_open(s.port);
        (void)raw_send(fd, text, n);
        (void)close(fd);
    }
    CHECK_EQ(raw_status(raw_get(s.port, "/work", NULL)), 200);
    CHECK_EQ(n_handled, 1);
    serve_stop(&s, 1000);
}

TESTS_MAIN()
