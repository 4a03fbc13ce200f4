/* What http.h promises of the client that does not wait, against servers that behave badly. */
#include "http/fixture.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- a hostile server: one thread a connection, the path says what it does ---- */

static int hostile_fd, hostile_port;
static atomic_int n_connections, n_asked, n_inside;
static _Atomic int64_t n_sent;

static bool say(int fd, const char *text)
{
    return raw_send(fd, text, strlen(text));
}

static bool keep_ok(int fd)
{
    return say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok");
}

static bool trickle(int fd)
{
    bool ok = say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; ok && i < 400; i++) {
        ok = say(fd, "1\r\nx\r\n");
        time_sleep_ms(10);
    }
    return ok && say(fd, "0\r\n\r\n");
}

static void wait_for_the_end(int fd)
{
    char c;
    while (recv(fd, &c, 1, 0) > 0)
        ;
}

/* Returns false when the connection is to be closed. */
static bool behave(int fd, const char *path)
{
    static char block[65536];
    if (strcmp(path, "/ok") == 0)
        return keep_ok(fd);
    if (strcmp(path, "/hangs") == 0)
        wait_for_the_end(fd);
    else if (strcmp(path, "/head_hangs") == 0 &&
             say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"))
        wait_for_the_end(fd);
    else if (strcmp(path, "/half_hangs") == 0 &&
             say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345"))
        wait_for_the_end(fd);
    else if (strcmp(path, "/trickle") == 0)
        return trickle(fd);
    else if (strcmp(path, "/short") == 0)
        (void)say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567890");
    else if (strcmp(path, "/long") == 0)
        (void)say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345HTTP/1.1 500 no\r\n\r\n");
    else if (strcmp(path, "/half_chunk") == 0)
        (void)say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12345");
    else if (strcmp(path, "/bad_chunk") == 0)
        (void)say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n12345\r\n");
    else if (strcmp(path, "/two_lengths") == 0)
        return say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!");
    else if (strcmp(path, "/length_and_chunks") == 0)
        return say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
                       "2\r\nok\r\n0\r\n\r\n");
    else if (strcmp(path, "/bad_length") == 0)
        return say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok");
    else if (strcmp(path, "/folded") == 0)
        return say(fd, "HTTP/1.1 200 OK\r\nContent-Length:\r\n 2\r\n\r\nok");
    else if (strcmp(path, "/huge_chunk") == 0)
        return say(fd,
                   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff2\r\nok");
    else if (strcmp(path, "/trailers") == 0)
        return say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n"
                       "1\r\nk\r\n0\r\nX-Late: 1\r\n\r\n");
    else if (strcmp(path, "/nothing") == 0)
        return say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    else if (strcmp(path, "/old") == 0)
        (void)say(fd, "HTTP/1.0 200 OK\r\n\r\nuntil the end");
    else if (strcmp(path, "/byte_by_byte") == 0) {
        static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                   "2\r\nok\r\n0\r\n\r\n";
        for (size_t i = 0; i + 1 < sizeof text; i++) {
            if (!raw_send(fd, text + i, 1))
                return false;
            time_sleep_ms(1);
        }
        return true;
    } else if (strcmp(path, "/once") == 0) { /* an answer that keeps the connection, then the end */
        (void)keep_ok(fd);
        time_sleep_ms(20);
    } else if (strcmp(path, "/garbage") == 0)
        (void)say(fd, "220 mail.example.com ESMTP ready\r\n");
    else if (strcmp(path, "/interim") == 0)
        (void)(say(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n") && keep_ok(fd));
    else if (strcmp(path, "/endless_interim") == 0)
        while (say(fd, "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"))
            ;
    else if (strcmp(path, "/endless_head") == 0 && say(fd, "HTTP/1.1 200 OK\r\n"))
        while (say(fd, "X-More: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"))
            ;
    else if (strcmp(path, "/flood") == 0 && say(fd, "HTTP/1.1 200 OK\r\n\r\n"))
        while (raw_send(fd, block, sizeof block))
            atomic_fetch_add(&n_sent, (int64_t)sizeof block);
    return false; /* "/dies" among them */
}

/* Reads one request; false at the end. */
static bool read_request(int fd, char path[64], char *head, size_t most)
{
    size_t len = 0;
    while (len + 1 < most) {
        ssize_t n = recv(fd, head + len, 1, 0);
        if (n <= 0)
            return false;
        head[++len] = '\0';
        if (len > 4 && strcmp(head + len - 4, "\r\n\r\n") == 0)
            break;
    }
    const char *length = strcasestr(head, "\r\ncontent-length:");
    for (int left = length ? atoi(length + 17) : 0; left > 0; left--)
        if (recv(fd, path, 1, 0) <= 0)
            return false;
    return sscanf(head, "%*s %63s", path) == 1;
}

static char last_head[4096];
static pthread_mutex_t last_lock = PTHREAD_MUTEX_INITIALIZER;

static void *hostile_connection(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char path[64], head[4096];
    while (read_request(fd, path, head, sizeof head)) {
        pthread_mutex_lock(&last_lock);
        memcpy(last_head, head, sizeof head);
        pthread_mutex_unlock(&last_lock);
        atomic_fetch_add(&n_asked, 1);
        if (!behave(fd, path))
            break;
    }
    (void)close(fd);
    atomic_fetch_sub(&n_inside, 1);
    return NULL;
}

static void *hostile_accept(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = accept(hostile_fd, NULL, NULL);
        pthread_t thread;
        if (fd < 0)
            return NULL;
        atomic_fetch_add(&n_connections, 1);
        atomic_fetch_add(&n_inside, 1);
        if (pthread_create(&thread, NULL, hostile_connection, (void *)(intptr_t)fd) != 0)
            abort();
        pthread_detach(thread);
    }
}

static pthread_t acceptor;

static void hostile_start(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    hostile_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(hostile_fd, (struct sockaddr *)&at, len) != 0 || listen(hostile_fd, 4096) != 0 ||
        getsockname(hostile_fd, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&acceptor, NULL, hostile_accept, NULL) != 0)
        abort();
    hostile_port = ntohs(at.sin_port);
    atomic_store(&n_connections, 0);
    atomic_store(&n_asked, 0);
}

static void hostile_stop(void)
{
    (void)shutdown(hostile_fd, SHUT_RDWR);
    pthread_join(acceptor, NULL);
    (void)close(hostile_fd);
    for (int i = 0; i < 1000 && atomic_load(&n_inside); i++)
        time_sleep_ms(10);
    CHECK_EQ(atomic_load(&n_inside), 0);
}

/* ---- a call and what came of it ---- */

#ifndef CALLS_HOST
#define CALLS_HOST "127.0.0.1" /* a name goes over libcurl */
#endif

struct result {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int n_ends, n_heads;
    enum err err;
    char why[sizeof((struct why *)0)->text];
    struct http_answer answer;
    size_t taken;
    bool pause, refuse;
    struct http_asked *asked;
    struct arena *arena;
    char url[128];
};

static struct http_client *client;

static void on_head(void *ctx, const struct http_answer *answer)
{
    struct result *r = ctx;
    pthread_mutex_lock(&r->lock);
    r->n_heads++;
    CHECK(answer->status >= 200 && answer->body.len == 0);
    pthread_mutex_unlock(&r->lock);
}

static enum err on_part(void *ctx, struct str part, struct why *why)
{
    struct result *r = ctx;
    pthread_mutex_lock(&r->lock);
    r->taken += part.len;
    bool pause = r->pause, refuse = r->refuse;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (pause)
        http_asked_pause(r->asked);
    return refuse ? err_set(why, ERR_CONFLICT, "not this") : ERR_OK;
}

static void on_end(void *ctx, enum err err, const struct http_answer *answer, const struct why *why)
{
    struct result *r = ctx;
    pthread_mutex_lock(&r->lock);
    r->n_ends++;
    r->err = err;
    r->answer = *answer;
    memcpy(r->why, why->text, sizeof r->why);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static struct http_ask ask_for(struct result *r, const char *path)
{
    *r = (struct result){.arena = arena_new((size_t)64 << 20)};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    (void)snprintf(r->url, sizeof r->url, "http://" CALLS_HOST ":%d%s", hostile_port, path);
    return (struct http_ask){.method = "GET",
                             .url = r->url,
                             .connect_ms = 5000,
                             .total_ms = 30000,
                             .most = (size_t)8 << 20,
                             .arena = r->arena,
                             .head = on_head,
                             .end = on_end,
                             .ctx = r};
}

static void await(struct result *r)
{
    pthread_mutex_lock(&r->lock);
    while (!r->n_ends)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
    http_asked_free(r->asked);
}

static void drop(struct result *r)
{
    CHECK_EQ(r->n_ends, 1);
    arena_free(r->arena);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
}

static void fetch(struct result *r, const struct http_ask *ask)
{
    struct why why = {0};
    CHECK_OK(http_ask(client, ask, &r->asked, &why), &why);
    if (r->asked)
        await(r);
}

static void open_client(void)
{
    struct why why = {0};
    struct http_client_opts opts = {.n_threads = 2};
    hostile_start();
    CHECK_OK(http_client_open(&opts, &client, &why), &why);
}

static void close_client(void)
{
    http_client_close(client);
    hostile_stop();
}

/* ---- promises ---- */

TEST(a_whole_answer_arrives_with_status_headers_and_body)
{
    struct result r;
    open_client();
    for (int i = 0; i < 20; i++) {
        struct http_ask ask = ask_for(&r, i % 2 ? "/interim" : "/ok");
        fetch(&r, &ask);
        CHECK_EQ(r.err, ERR_OK);
        CHECK_EQ(r.answer.status, 200);
        CHECK_EQ(r.n_heads, 1);
        CHECK_STR(r.answer.body, "ok");
        CHECK_STR(r.answer.content_type, "text/plain");
        CHECK(http_answer_header(&r.answer, "X-Early").ptr == NULL);
        drop(&r);
    }
    close_client();
}

TEST(connections_are_used_again)
{
    struct result r;
    open_client();
    for (int i = 0; i < 40; i++) {
        struct http_ask ask = ask_for(&r, "/ok");
        fetch(&r, &ask);
        drop(&r);
    }
    CHECK_EQ(atomic_load(&n_asked), 40);
    CHECK(atomic_load(&n_connections) <= 2); /* one a thread */
    close_client();
}

TEST(method_headers_body_and_trace_reach_the_server)
{
    struct result r;
    static const char *const headers[] = {"Content-Type: application/json", "X-Mine: 7"};
    open_client();
    struct http_ask ask = ask_for(&r, "/ok");
    ask.method = "POST";
    ask.body = STR("{}");
    ask.headers = headers;
    ask.n_headers = 2;
    ask.trace_id = "0123456789abcdef0123456789abcdef";
    fetch(&r, &ask);
    CHECK_EQ(r.err, ERR_OK);
    CHECK(has(last_head, "POST /ok HTTP/1.1\r\n"));
    CHECK(has(last_head, "\r\nContent-Type: application/json\r\n"));
    CHECK(has(last_head, "\r\nX-Mine: 7\r\n"));
    CHECK(has(last_head, "\r\nContent-Length: 2\r\n"));
    CHECK(has(last_head, "\r\ntraceparent: 00-0123456789abcdef0123456789abcdef-"));
    CHECK(!has(last_head, "\r\nExpect:"));
    drop(&r);
    ask = ask_for(&r, "/ok");
    static const char *const split[] = {"X-Mine: 7\r\nX-Other: 8"};
    ask.headers = split;
    ask.n_headers = 1;
    CHECK_EQ(http_ask(client, &ask, &r.asked, NULL), ERR_INVALID);
    CHECK_EQ(r.n_ends, 0);
    r.n_ends = 1;
    drop(&r);
    close_client();
}

TEST(bad_answers_have_their_errors)
{
    static const struct {
        const char *path;
        enum err err;
        const char *words;
    } cases[] = {
        {"/dies", ERR_UNAVAILABLE, "broke off"},        {"/short", ERR_UNAVAILABLE, "broke off"},
        {"/half_chunk", ERR_UNAVAILABLE, "broke off"},  {"/bad_chunk", ERR_UNAVAILABLE, ""},
        {"/garbage", ERR_UNAVAILABLE, "not HTTP"},      {"/endless_head", ERR_TOO_LARGE, "headers"},
        {"/endless_interim", ERR_TOO_LARGE, "headers"}, {"/flood", ERR_TOO_LARGE, "8388608"},
    };
    open_client();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        struct http_ask ask = ask_for(&r, cases[i].path);
        fetch(&r, &ask);
        if (r.err != cases[i].err || !has(r.why, cases[i].words))
            printf("# %s: %s: %s\n", cases[i].path, err_code(r.err), r.why);
        CHECK_EQ(r.err, cases[i].err);
        CHECK(has(r.why, cases[i].words));
        drop(&r);
    }
    struct result r;
    struct http_ask ask = ask_for(&r, "/long"); /* what exceeds the declared length is not ours */
    fetch(&r, &ask);
    CHECK_EQ(r.err, ERR_OK);
    CHECK_STR(r.answer.body, "12345");
    drop(&r);
    ask = ask_for(&r, "/ok");
    ask.url = "http://127.0.0.1:1/";
    fetch(&r, &ask);
    CHECK_EQ(r.err, ERR_UNAVAILABLE);
    CHECK_EQ(r.answer.status, 0);
    drop(&r);
    ask = ask_for(&r, "/ok");
    ask.url = "http://[::1/";
    fetch(&r, &ask);
    CHECK_EQ(r.err, ERR_INVALID);
    drop(&r);
    ask = ask_for(&r, "/ok");
    ask.url = "file:///etc/passwd";
    CHECK_EQ(http_ask(client, &ask, &r.asked, NULL), ERR_INVALID);
    r.n_ends = 1; /* no end() comes */
    drop(&r);
    close_client();
}

TEST(proper_answers_of_every_kind_are_taken)
{
    static const struct {
        const char *path, *body;
        int status;
    } cases[] = {{"/trailers", "ok", 200},
                 {"/nothing", "", 204},
                 {"/old", "until the end", 200},
                 {"/byte_by_byte", "ok", 200}};
    open_client();
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        struct http_ask ask = ask_for(&r, cases[i / 2].path);
        fetch(&r, &ask);
        CHECK_EQ(r.err, ERR_OK);
        CHECK_EQ(r.answer.status, cases[i / 2].status);
        CHECK_STR(r.answer.body, cases[i / 2].body);
        CHECK_EQ(r.n_heads, 1);
        drop(&r);
    }
    close_client();
}

/* A kept connection that the other side closes: found before it is used, or the call is made anew.
 */
TEST(a_connection_that_was_closed_meanwhile_costs_no_call)
{
    open_client();
    for (int i = 0; i < 60; i++) {
        struct result r;
        struct http_ask ask = ask_for(&r, "/once");
        ask.method = i % 2 ? "POST" : "GET";
        ask.repeatable = true;
        fetch(&r, &ask);
        CHECK_EQ(r.err, ERR_OK);
        CHECK_STR(r.answer.body, "ok");
        drop(&r);
        time_sleep_ms(i % 3 == 0 ? 20 : i % 3 == 1 ? 25 : 0);
    }
    close_client();
}

#ifndef CALLS_CURL /* libcurl takes the last length, or the chunks, and may keep the connection */
TEST(answers_that_two_readers_could_understand_differently_are_refused)
{
    static const char *const paths[] = {"/two_lengths", "/length_and_chunks", "/bad_length",
                                        "/folded", "/huge_chunk"};
    open_client();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct result r;
        int before = atomic_load(&n_connections);
        struct http_ask ask = ask_for(&r, paths[i]);
        fetch(&r, &ask);
        if (r.err != ERR_UNAVAILABLE)
            printf("# %s: %s\n", paths[i], err_code(r.err));
        CHECK_EQ(r.err, ERR_UNAVAILABLE);
        drop(&r);
        ask = ask_for(&r, "/ok"); /* never over the same connection */
        fetch(&r, &ask);
        CHECK_STR(r.answer.body, "ok");
        CHECK(atomic_load(&n_connections) > before);
        drop(&r);
    }
    close_client();
}
#endif

TEST(each_limit_of_time_is_kept_and_named)
{
    static const struct {
        const char *path;
        int64_t first_ms, between_ms, total_ms;
        const char *words;
    } cases[] = {
        {"/hangs", 200, 0, 0, "nothing came within 200 ms"},
        {"/head_hangs", 200, 0, 0, "nothing came within 200 ms"},
        {"/half_hangs", 0, 200, 0, "nothing more came within 200 ms"},
        {"/trickle", 20000, 10000, 300, "the whole answer did not come within 300 ms"},
    };
    open_client();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        struct http_ask ask = ask_for(&r, cases[i].path);
        ask.first_ms = cases[i].first_ms;
        ask.between_ms = cases[i].between_ms;
        ask.total_ms = cases[i].total_ms;
        fetch(&r, &ask);
        CHECK_EQ(r.err, ERR_TIMEOUT);
        CHECK_STR(str_c(r.why), cases[i].words);
        drop(&r);
    }
    struct result r;
    struct http_ask ask = ask_for(&r, "/trickle"); /* slow, but each part in time */
    ask.between_ms = 3000;
    fetch(&r, &ask);
    CHECK_EQ(r.err, ERR_OK);
    CHECK_EQ(r.answer.body.len, 400);
    drop(&r);
    close_client();
}

TEST(an_error_of_part_ends_the_call)
{
    struct result r;
    open_client();
    struct http_ask ask = ask_for(&r, "/flood");
    ask.part = on_part;
    r.refuse = true;
    fetch(&r, &ask);
    CHECK_EQ(r.err, ERR_CONFLICT);
    CHECK_STR(str_c(r.why), "not this");
    CHECK(r.taken > 0 && r.taken <= 65536);
    CHECK_EQ(r.answer.body.len, 0);
    drop(&r);
    close_client();
}

/* The flood stops at what the system's buffers hold, and goes on when it is let. */
TEST(a_paused_call_takes_nothing_and_goes_on_when_resumed)
{
    struct result r;
    struct why why = {0};
    open_client();
    struct http_ask ask = ask_for(&r, "/flood");
    ask.part = on_part;
    ask.most = (size_t)1 << 40;
    ask.between_ms = 300; /* does not count while it is paused */
    r.pause = true;
    atomic_store(&n_sent, 0);
    CHECK_OK(http_ask(client, &ask, &r.asked, &why), &why);
    int64_t before = -1;
    while (atomic_load(&n_sent) != before || before == 0) { /* until the server is held up */
        before = atomic_load(&n_sent);
        time_sleep_ms(400);
    }
    pthread_mutex_lock(&r.lock);
    size_t taken = r.taken;
    CHECK_EQ(r.n_ends, 0);
    r.pause = false;
    pthread_mutex_unlock(&r.lock);
    CHECK(taken > 0 && taken <= 65536);
    http_asked_resume(r.asked);
    pthread_mutex_lock(&r.lock);
    while (r.taken < (size_t)before * 4)
        pthread_cond_wait(&r.changed, &r.lock);
    pthread_mutex_unlock(&r.lock);
    http_asked_cancel(r.asked);
    await(&r);
    CHECK_EQ(r.err, ERR_CANCELLED);
    drop(&r);
    close_client();
}

TEST(cancelling_ends_calls_in_every_state)
{
    static const char *const paths[] = {"/hangs", "/head_hangs", "/half_hangs", "/flood", "/ok"};
    open_client();
    for (size_t i = 0; i < 40; i++) {
        struct result r;
        struct why why = {0};
        struct http_ask ask = ask_for(&r, paths[i % 5]);
        ask.most = (size_t)1 << 40;
        ask.part = on_part;
        r.pause = i % 3 == 0;
        CHECK_OK(http_ask(client, &ask, &r.asked, &why), &why);
        time_sleep_ms((int64_t)(i % 4) * 2);
        http_asked_cancel(r.asked);
        http_asked_resume(r.asked);
        http_asked_cancel(r.asked);
        await(&r);
        CHECK(r.err == ERR_CANCELLED || (i % 5 == 4 && r.err == ERR_OK));
        drop(&r);
    }
    close_client();
}

TEST(a_thousand_calls_wait_at_once_and_closing_ends_them)
{
    enum { N = 1000 };
    static struct result r[N];
    struct why why = {0};
    open_client();
    for (int i = 0; i < N; i++) {
        struct http_ask ask = ask_for(&r[i], "/head_hangs");
        CHECK_OK(http_ask(client, &ask, &r[i].asked, &why), &why);
    }
    for (int i = 0; i < 3000 && atomic_load(&n_asked) < N; i++)
        time_sleep_ms(10);
    CHECK_EQ(atomic_load(&n_asked), N);
    struct result one;
    struct http_ask ask = ask_for(&one, "/ok");
    fetch(&one, &ask);
    CHECK_EQ(one.err, ERR_OK);
    drop(&one);
    http_client_close(client);
    for (int i = 0; i < N; i++) {
        CHECK_EQ(r[i].n_ends, 1);
        CHECK_EQ(r[i].err, ERR_CANCELLED);
        http_asked_cancel(r[i].asked); /* allowed after the end */
        http_asked_free(r[i].asked);
        drop(&r[i]);
    }
    hostile_stop();
}

TEST(too_many_calls_are_refused)
{
    struct result r[4];
    struct why why = {0};
    struct http_client_opts opts = {.n_threads = 1, .most_calls = 3};
    hostile_start();
    CHECK_OK(http_client_open(&opts, &client, &why), &why);
    for (int i = 0; i < 4; i++) {
        struct http_ask ask = ask_for(&r[i], "/hangs");
        CHECK_EQ(http_ask(client, &ask, &r[i].asked, &why), i < 3 ? ERR_OK : ERR_BUSY);
        CHECK((r[i].asked != NULL) == (i < 3));
    }
    for (int i = 0; i < 3; i++) {
        http_asked_cancel(r[i].asked);
        await(&r[i]);
        drop(&r[i]);
    }
    r[3].n_ends = 1;
    drop(&r[3]);
    close_client();
}

TESTS_MAIN()
