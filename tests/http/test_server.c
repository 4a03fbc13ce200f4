/* What http.h promises of requests and responses, over real sockets. */
#include "http/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <utime.h>

#include "core/file.h"

/* ---- routes to try things on ---- */

static enum err echo(struct http_request *req, struct http_response *res, struct why *why)
{
    struct json_out *out = http_json(res);
    (void)why;
    json_begin_object(out);
    json_kv_str(out, "method", http_method(req));
    json_kv_str(out, "path", http_path(req));
    json_kv_str(out, "id", http_param(req, "id"));
    json_kv_str(out, "q", http_param(req, "q"));
    json_kv_int(out, "n", http_param_int(req, "n", -1));
    json_kv_bool(out, "yes", http_param_bool(req, "yes", false));
    json_kv_int(out, "limit", (int64_t)http_param_limit(req, 20, 100));
    json_kv_str(out, "cookie", http_cookie(req, "c"));
    json_kv_c(out, "address", http_address(req));
    json_kv_c(out, "trace", http_trace_id(req));
    json_kv_c(out, "language", http_language(req));
    json_kv_bool(out, "secure", http_secure(req));
    json_kv_str(out, "ctx", str_c(http_ctx(req)));
    json_kv_int(out, "size", (int64_t)http_body_size(req));
    json_end_object(out);
    return ERR_OK;
}

static enum err send_body_back(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)why;
    http_send(res, "application/octet-stream", http_body(req));
    return ERR_OK;
}

static enum err take_json(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    enum err err = http_body_json(req, &body, why);
    if (err)
        return err;
    http_status(res, 201);
    http_set_cookie(res, "yicheng_session", "abc", 3600, false);
    json_put_str(http_json(res), json_get_str(body, "name", STR("?")));
    return ERR_OK;
}

static char kept_path[256];

static enum err take_file(struct http_request *req, struct http_response *res, struct why *why)
{
    struct stat st;
    (void)why;
    if (stat(http_body_path(req), &st) < 0)
        return err_errno(why, "could not look at the body");
    (void)snprintf(kept_path, sizeof kept_path, "%s", http_body_path(req));
    json_put_int(http_json(res), st.st_size);
    return ERR_OK;
}

static enum err fail(struct http_request *req, struct http_response *res, struct why *why)
{
    http_send(res, "text/plain", STR("never seen"));
    http_set_header(res, "Retry-After", "7");
    err_hint(why, "wait a little");
    (void)req;
    return err_set(why, ERR_RATE_LIMITED, "the quota of \"%s\" is used up", "x");
}

static enum err slow(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)why;
    time_sleep_ms(http_param_int(req, "ms", 300));
    http_send(res, "text/plain", STR("slept"));
    return ERR_OK;
}

static enum err bad_header(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_set_header(res, "X-Bad", "a\r\nX-Evil: b");
    http_set_header(res, "X-Frame-Options", "SAMEORIGIN");
    http_set_cookie(res, "c", "a; Domain=evil", 1, true);
    http_send(res, "text/plain", STR("ok"));
    return ERR_OK;
}

static char file_path[256];

static enum err file(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req;
    return http_send_file(res, file_path, "text/html", "报告 1.html", why);
}

static const struct http_param echo_params[] = {
    {"id", "string", "the thing", true, true},
    {"n", "integer", "a number", false, false},
    {"yes", "boolean", "a switch", false, false},
    {"day", "date", "a day", false, false},
};
static const struct http_param need_params[] = {{"q", "string", "the question", false, true}};

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/echo/{id}",
     .params = echo_params,
     .n_params = 4,
     .handle = echo},
    {.method = "POST", .path = "/api/echo/{id}", .handle = echo, .body_limit = 1000},
    {.method = "GET", .path = "/api/need", .params = need_params, .n_params = 1, .handle = echo},
    {.method = "POST", .path = "/api/body", .body_limit = 100000, .handle = send_body_back},
    {.method = "POST", .path = "/api/json", .body_limit = 1000, .handle = take_json},
    {.method = "POST",
     .path = "/api/file",
     .body_limit = 8 << 20,
     .handle = take_file,
     .body_to_file = true},
    {.method = "GET", .path = "/api/file", .handle = file},
    {.method = "GET", .path = "/api/fail", .handle = fail},
    {.method = "GET", .path = "/api/slow", .handle = slow},
    {.method = "GET", .path = "/api/bad_header", .handle = bad_header},
    {.method = "GET", .path = "/api/private", .access = HTTP_SESSION, .handle = echo},
    {.method = "GET", .path = "/quick", .quick = true, .handle = echo},
};
static char ctx_text[] = "the ctx";
static const struct http_table table = {
    .room = "test", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = ctx_text};

static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    (void)ctx;
    if (route->access == HTTP_PUBLIC || str_eq_c(http_header(req, "Authorization"), "Bearer good"))
        return ERR_OK;
    return err_set(why, ERR_UNAUTHENTICATED, "sign in first");
}

static const char page[] = "<!doctype html><title>page</title>";

static bool asset(const char *path, struct http_asset *out)
{
    if (strcmp(path, "/") != 0 && strcmp(path, "/app.js") != 0)
        return false;
    *out = (struct http_asset){.bytes = {page, sizeof page - 1},
                               .content_type = "text/html; charset=utf-8",
                               .immutable = strcmp(path, "/app.js") == 0};
    if (out->immutable)
        out->gzip = STR("pretend gzip");
    return true;
}

static struct serve start(const char *const *sets)
{
    struct http_opts opts = {
        .tables = &table, .n_tables = 1, .authorize = authorize, .asset = asset};
    return serve_start(&opts, sets);
}

static const char *post(int port, const char *path, const char *headers, const char *body)
{
    static char text[65536];
    int n = snprintf(text, sizeof text,
                     "POST %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n%sContent-Length: %zu"
                     "\r\n\r\n%s",
                     path, headers, strlen(body), body);
    return raw_talk(port, text, (size_t)n);
}

/* ---- promises ---- */

TEST(a_handler_sees_the_request)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/api/echo/%E5%9F%8E?q=%E6%B3%95+1&n=7&yes=true&limit=1000",
                            "Cookie: a=b; c=d\r\nAccept-Language: en-GB, zh;q=0.4\r\n");
    CHECK_EQ(raw_status(a), 200);
    CHECK(has(a, "\"id\":\"城\""));
    CHECK(has(a, "\"q\":\"法 1\""));
    CHECK(has(a, "\"n\":7,\"yes\":true,\"limit\":100"));
    CHECK(has(a, "\"cookie\":\"d\""));
    CHECK(has(a, "\"address\":\"127.0.0.1\""));
    CHECK(has(a, "\"language\":\"en\",\"secure\":false,\"ctx\":\"the ctx\""));
    CHECK(has(a, "Content-Type: application/json; charset=utf-8"));
    a = raw_get(s.port, "/quick?n=x", NULL);
    CHECK(has(a, "\"n\":-1") && has(a, "\"language\":\"zh\""));
    serve_stop(&s, 1000);
}

TEST(every_answer_carries_the_security_headers)
{
    static const char *const targets[] = {"/api/echo/1", "/", "/nothing", "/api/fail", "/a/../b"};
    struct serve s = start(NULL);
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        const char *a = raw_get(s.port, targets[i], NULL);
        CHECK(has(a, "Content-Security-Policy: default-src 'self'; script-src 'self';"));
        CHECK(has(a, "X-Content-Type-Options: nosniff"));
        CHECK(has(a, "X-Frame-Options: DENY"));
        CHECK(has(a, "Referrer-Policy: "));
        CHECK(has(a, "X-Request-Id: "));
        CHECK(!has(a, "Strict-Transport-Security")); /* not without TLS */
    }
    serve_stop(&s, 1000);
}

TEST(an_error_is_a_problem_with_words)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/api/fail", "Accept-Language: en\r\n");
    CHECK_EQ(raw_status(a), 429);
    CHECK(has(a, "application/problem+json"));
    CHECK(has(a, "\"status\":429,\"code\":\"rate_limited\""));
    CHECK(has(a, "\"detail\":\"the quota of \\\"x\\\" is used up\",\"hint\":\"wait a little\""));
    CHECK(has(a, "Retry-After: 7"));
    CHECK(!has(a, "never seen"));
    CHECK(has(raw_get(s.port, "/api/fail", NULL), "请求太频繁"));
    serve_stop(&s, 1000);
}

TEST(unknown_paths_and_methods_are_told_apart)
{
    struct serve s = start(NULL);
    static const char put[] = "PUT /api/echo/1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    static const char options[] =
        "OPTIONS /api/echo/1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    static const char head[] = "HEAD /api/echo/1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    CHECK_EQ(raw_status(raw_get(s.port, "/api/nothing", NULL)), 404);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/echo/", NULL)), 404);
    const char *a = raw_talk(s.port, put, sizeof put - 1);
    CHECK_EQ(raw_status(a), 405);
    CHECK(has(a, "Allow: GET, HEAD, POST"));
    a = raw_talk(s.port, options, sizeof options - 1);
    CHECK_EQ(raw_status(a), 204);
    CHECK(has(a, "Allow: GET, HEAD, POST, OPTIONS"));
    a = raw_talk(s.port, head, sizeof head - 1);
    CHECK_EQ(raw_status(a), 200);
    CHECK(has(a, "Content-Length: ") && !has(a, "Content-Length: 0"));
    CHECK(strlen(strstr(a, "\r\n\r\n")) == 4);
    serve_stop(&s, 1000);
}

TEST(declared_parameters_are_checked)
{
    struct serve s = start(NULL);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/echo/1?n=seven", NULL)), 400);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/echo/1?yes=maybe", NULL)), 400);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/echo/1?day=2023-02-29", NULL)), 400);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/echo/1?day=2024-02-29&n=&yes=0", NULL)), 200);
    const char *a = raw_get(s.port, "/api/need?q=", NULL);
    CHECK_EQ(raw_status(a), 400);
    CHECK(has(a, "parameter \\\"q\\\" is missing"));
    CHECK_EQ(raw_status(raw_get(s.port, "/api/need?q=x", NULL)), 200);
    serve_stop(&s, 1000);
}

TEST(paths_that_climb_are_refused)
{
    static const char *const bad[] = {"/a/../b", "/%2e%2e/etc", "/a%00",      "/%ff",
                                      "/a%2f..", "/a\\..\\b",   "/a/%2E%2e/", "/%c0%ae%c0%ae/"};
    struct serve s = start(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(raw_status(raw_get(s.port, bad[i], NULL)), 400);
    CHECK_EQ(raw_status(raw_get(s.port, "/%2Fapp.js", NULL)), 404);
    serve_stop(&s, 1000);
}

TEST(bodies_come_whole_and_within_their_limit)
{
    struct serve s = start(NULL);
    static char big[120000];
    const char *a = post(s.port, "/api/body", "", "hello body");
    CHECK(has(a, "\r\n\r\nhello body"));
    static const char chunked[] =
        "POST /api/body HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        "\r\n5\r\nhello\r\n6;x=y\r\n chunk\r\n0\r\n\r\n";
    a = raw_talk(s.port, chunked, sizeof chunked - 1);
    CHECK(has(a, "\r\n\r\nhello chunk"));
    /* too large: declared, and without a length */
    memset(big, 'x', sizeof big - 1);
    char text[200];
    int fd = raw_open(s.port), n;
    n = snprintf(text, sizeof text,
                 "POST /api/body HTTP/1.1\r\nHost: t\r\nContent-Length: 119999\r\n\r\n");
    CHECK(raw_send(fd, text, (size_t)n) && raw_send(fd, big, 119999));
    static char out[8192];
    (void)raw_read_all(fd, out, sizeof out, 300);
    CHECK_EQ(raw_status(out), 413);
    CHECK(has(out, "the body is larger than 100000 bytes"));
    (void)close(fd);
    fd = raw_open(s.port);
    n = snprintf(
        text, sizeof text,
        "POST /api/body HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1D4BF\r\n");
    CHECK(raw_send(fd, text, (size_t)n) && raw_send(fd, big, 119999) &&
          raw_send(fd, "\r\n0\r\n\r\n", 7));
    (void)raw_read_all(fd, out, sizeof out, 300);
    CHECK_EQ(raw_status(out), 413);
    (void)close(fd);
    /* a body where none belongs, and one that waits to be asked for */
    static const char get[] = "GET /api/fail HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello";
    CHECK_EQ(raw_status(raw_talk(s.port, get, sizeof get - 1)), 413);
    big[2000] = '\0';
    CHECK_EQ(raw_status(post(s.port, "/api/echo/1", "", big)), 413);
    a = post(s.port, "/api/json", "Expect: 100-continue\r\nContent-Type: application/json\r\n",
             "{}");
    CHECK(has(a, "100 Continue") && has(a, " 201 "));
    serve_stop(&s, 1000);
}

TEST(an_endless_chunked_body_is_told_and_cut)
{
    struct serve s = start(NULL);
    static char chunk[0x10000 + 9], out[8192];
    static const char head[] =
        "POST /api/body HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n";
    int fd = raw_open(s.port);
    memcpy(chunk, "10000\r\n", 7);
    memset(chunk + 7, 'x', 0x10000);
    memcpy(chunk + 7 + 0x10000, "\r\n", 2);
    CHECK(raw_send(fd, head, sizeof head - 1));
    size_t sent = 0;
    while (sent < 200u << 20 && raw_send(fd, chunk, sizeof chunk))
        sent += sizeof chunk;
    CHECK(sent < 150u << 20);
    (void)raw_read_all(fd, out, sizeof out, 500);
    CHECK(out[0] == '\0' || raw_status(out) == 413);
    (void)close(fd);
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", NULL)), 200);
    serve_stop(&s, 1000);
}

TEST(json_bodies_are_read_or_refused)
{
    struct serve s = start(NULL);
    const char *a = post(s.port, "/api/json", "Content-Type: application/json; charset=utf-8\r\n",
                         "{\"name\":\"云汀\"}");
    CHECK_EQ(raw_status(a), 201);
    CHECK(has(a, "\r\n\r\n\"云汀\""));
    CHECK(
        has(a, "Set-Cookie: yicheng_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=3600"));
    CHECK_EQ(raw_status(post(s.port, "/api/json", "", "{}")), 415);
    CHECK_EQ(raw_status(post(s.port, "/api/json", "Content-Type: application/json\r\n", "")), 400);
    a = post(s.port, "/api/json", "Content-Type: application/json\r\n", "{\"name\":");
    CHECK_EQ(raw_status(a), 400);
    CHECK(has(a, "the body is not JSON"));
    serve_stop(&s, 1000);
}

TEST(a_body_to_a_file_is_there_and_then_gone)
{
    struct serve s = start(NULL);
    static char out[8192];
    size_t size = 5 << 20;
    char *body = malloc(size), text[200];
    int fd = raw_open(s.port);
    memset(body, 'f', size);
    int n = snprintf(text, sizeof text,
                     "POST /api/file HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     size);
    CHECK(raw_send(fd, text, (size_t)n) && raw_send(fd, body, size));
    (void)raw_read_all(fd, out, sizeof out, 1000);
    CHECK(has(out, "\r\n\r\n5242880"));
    (void)close(fd);
    time_sleep_ms(50);
    CHECK(access(kept_path, F_OK) != 0);
    free(body);
    CHECK(has(post(s.port, "/api/file", "", ""), "\r\n\r\n0")); /* nothing is a file of 0 bytes */
    CHECK_EQ(raw_status(post(s.port, "/api/file", "Content-Type: x/y\r\n", "abc")), 200);
    serve_stop(&s, 1000);
}

TEST(bodies_left_behind_are_swept)
{
    char dir[] = "/tmp/yicheng-temp-XXXXXX", old[64], fresh[64], other[64];
    struct utimbuf long_ago = {time_now_ms() / 1000 - 7200, time_now_ms() / 1000 - 7200};
    struct http_opts opts = {.tables = &table, .n_tables = 1, .temp_dir = dir};
    CHECK(mkdtemp(dir) != NULL);
    (void)snprintf(old, sizeof old, "%s/yicheng-body-old", dir);
    (void)snprintf(fresh, sizeof fresh, "%s/yicheng-body-new", dir);
    (void)snprintf(other, sizeof other, "%s/something", dir);
    CHECK_OK(file_write(old, STR("x"), 0600, NULL), NULL);
    CHECK_OK(file_write(fresh, STR("x"), 0600, NULL), NULL);
    CHECK_OK(file_write(other, STR("x"), 0600, NULL), NULL);
    CHECK(utime(old, &long_ago) == 0 && utime(other, &long_ago) == 0);
    struct serve s = serve_start(&opts, NULL);
    CHECK(!file_exists(old) && file_exists(fresh) && file_exists(other));
    CHECK_EQ(raw_status(post(s.port, "/api/file", "", "abc")), 200);
    CHECK(strncmp(kept_path, dir, strlen(dir)) == 0);
    serve_stop(&s, 1000);
    CHECK_OK(file_remove(dir, NULL), NULL);
}

TEST(files_have_ranges_and_tags)
{
    struct serve s = start(NULL);
    (void)snprintf(file_path, sizeof file_path, "/tmp/yicheng-test-%d", (int)getpid());
    FILE *f = fopen(file_path, "we");
    for (int i = 0; i < 1000; i++)
        (void)fprintf(f, "%09d\n", i);
    (void)fclose(f);
    const char *a = raw_get(s.port, "/api/file", NULL);
    CHECK_EQ(raw_status(a), 200);
    CHECK(has(a, "Content-Length: 10000") && has(a, "Accept-Ranges: bytes"));
    CHECK(has(a, "filename*=UTF-8''%E6%8A%A5%E5%91%8A%201.html"));
    CHECK(has(a, "sandbox") && has(a, "default-src 'none'"));
    char tag[300] = "If-None-Match: ";
    const char *at = strcasestr(a, "ETag: ");
    CHECK(at != NULL);
    if (at)
        strncat(tag, at + 6, strcspn(at + 6, "\r") + 2);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/file", tag)), 304);
    a = raw_get(s.port, "/api/file", "Range: bytes=20-29\r\n");
    CHECK_EQ(raw_status(a), 206);
    CHECK(has(a, "Content-Range: bytes 20-29/10000") && has(a, "\r\n\r\n000000002\n"));
    a = raw_get(s.port, "/api/file", "Range: bytes=-10\r\n");
    CHECK(has(a, "\r\n\r\n000000999\n"));
    a = raw_get(s.port, "/api/file", "Range: bytes=10000-\r\n");
    CHECK_EQ(raw_status(a), 416);
    CHECK(has(a, "Content-Range: bytes */10000"));
    a = raw_get(s.port, "/api/file", "Range: bytes=0-9\r\nIf-Range: \"other\"\r\n");
    CHECK_EQ(raw_status(a), 200);
    (void)unlink(file_path);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/file", NULL)), 404);
    serve_stop(&s, 1000);
}

TEST(assets_are_tagged_cached_and_compressed)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/", NULL);
    CHECK(has(a, "text/html") && has(a, page) && has(a, "Cache-Control: no-cache"));
    char tag[200] = "If-None-Match: ";
    const char *at = strcasestr(a, "ETag: ");
    CHECK(at != NULL);
    if (at)
        strncat(tag, at + 6, strcspn(at + 6, "\r") + 2);
    a = raw_get(s.port, "/", tag);
    CHECK_EQ(raw_status(a), 304);
    CHECK(!has(a, "<title>"));
    a = raw_get(s.port, "/app.js", "Accept-Encoding: br, gzip\r\n");
    CHECK(has(a, "Content-Encoding: gzip") && has(a, "pretend gzip") && has(a, "immutable"));
    a = raw_get(s.port, "/app.js", "Accept-Encoding: gzip;q=0\r\n");
    CHECK(!has(a, "Content-Encoding") && has(a, page) && has(a, "Vary: Accept-Encoding"));
    serve_stop(&s, 1000);
}

TEST(connections_are_kept_for_further_requests)
{
    struct serve s = start(NULL);
    static const char *const targets[] = {"/", "/api/nothing", "/api/echo/1", "/quick",
                                          "/api/fail"};
    int fd = raw_open(s.port);
    char text[200], out[8192];
    for (size_t i = 0; i < 15; i++) {
        int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: t\r\n\r\n", targets[i % 5]);
        CHECK(raw_send(fd, text, (size_t)n));
        ssize_t got = raw_read(fd, out, sizeof out - 1, 2000);
        CHECK(got > 0);
        out[got > 0 ? got : 0] = '\0';
        CHECK(raw_status(out) >= 200 && !has(out, "Connection: close"));
    }
    (void)close(fd);
    serve_stop(&s, 1000);
}

TEST(headers_cannot_be_split)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/api/bad_header", NULL);
    CHECK_EQ(raw_status(a), 200);
    CHECK(!has(a, "Evil") && !has(a, "Set-Cookie"));
    CHECK(has(a, "X-Frame-Options: SAMEORIGIN") && !has(a, "DENY"));
    serve_stop(&s, 1000);
}

TEST(who_may_not_is_refused)
{
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/api/private", NULL);
    CHECK_EQ(raw_status(a), 401);
    CHECK(has(a, "WWW-Authenticate: Bearer"));
    CHECK_EQ(raw_status(raw_get(s.port, "/api/private", "Authorization: Bearer good\r\n")), 200);
    serve_stop(&s, 1000);
    /* without an authorizer nothing but public routes is open */
    struct http_opts opts = {.tables = &table, .n_tables = 1};
    s = serve_start(&opts, NULL);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/private", NULL)), 401);
    CHECK_EQ(raw_status(raw_get(s.port, "/api/need?q=1", NULL)), 200);
    serve_stop(&s, 1000);
}

TEST(traces_are_kept_or_made)
{
    struct serve s = start(NULL);
    const char *a =
        raw_get(s.port, "/quick",
                "traceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\n");
    CHECK(has(a, "\"trace\":\"0123456789abcdef0123456789abcdef\""));
    CHECK(has(a, "X-Request-Id: 0123456789abcdef0123456789abcdef"));
    a = raw_get(s.port, "/quick",
                "traceparent: 00-00000000000000000000000000000000-0123456789abcdef-01\r\n");
    CHECK(!has(a, "\"trace\":\"00000000000000000000000000000000\""));
    CHECK(has(raw_get(s.port, "/quick", "X-Request-Id: my-id.7\r\n"), "X-Request-Id: my-id.7"));
    CHECK(!has(raw_get(s.port, "/quick", "X-Request-Id: my id<b>\r\n"), "my id"));
    serve_stop(&s, 1000);
}

TEST(only_trusted_proxies_are_believed)
{
    static const char forwarded[] = "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2\r\n"
                                    "X-Forwarded-Proto: https\r\n";
    struct serve s = start(NULL);
    const char *a = raw_get(s.port, "/quick", forwarded);
    CHECK(has(a, "\"address\":\"127.0.0.1\"") && has(a, "\"secure\":false"));
    serve_stop(&s, 1000);
    s = start((const char *[]){"http.trusted_proxies=127.0.0.1,10.0.0.0/8", NULL});
    a = raw_get(s.port, "/quick", forwarded);
    CHECK(has(a, "\"address\":\"203.0.113.9\"") && has(a, "\"secure\":true"));
    CHECK(has(a, "Strict-Transport-Security: max-age="));
    CHECK(has(raw_get(s.port, "/quick", "X-Forwarded-For: rubbish\r\n"),
              "\"address\":\"127.0.0.1\""));
    serve_stop(&s, 1000);
}

TEST(too_much_waiting_work_is_refused_at_once)
{
    struct serve s = start((const char *[]){"http.workers=1", "http.waiting=2", NULL});
    static const char ask[] =
        "GET /api/slow?ms=600 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    int fd[8], busy = 0, done = 0;
    char out[4096];
    for (int i = 0; i < 8; i++) {
        fd[i] = raw_open(s.port);
        CHECK(raw_send(fd[i], ask, sizeof ask - 1));
        time_sleep_ms(10);
    }
    for (int i = 0; i < 8; i++) {
        (void)raw_read_all(fd[i], out, sizeof out, 3000);
        busy += raw_status(out) == 503 && has(out, "Retry-After: 1");
        done += raw_status(out) == 200;
        (void)close(fd[i]);
    }
    CHECK_EQ(busy, 5);
    CHECK_EQ(done, 3);
    CHECK_EQ(raw_status(raw_get(s.port, "/quick", NULL)), 200);
    serve_stop(&s, 1000);
}

TEST(a_request_does_not_wait_for_ever)
{
    struct serve s = start((const char *[]){"http.workers=1", "http.waiting_time=100ms", NULL});
    static const char ask[] =
        "GET /api/slow?ms=400 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";
    int first = raw_open(s.port);
    CHECK(raw_send(first, ask, sizeof ask - 1));
    time_sleep_ms(50);
    const char *a = raw_talk(s.port, ask, sizeof ask - 1);
    CHECK_EQ(raw_status(a), 503);
    (void)close(first);
    serve_stop(&s, 1000);
}

TEST(stopping_lets_requests_finish)
{
    struct serve s = start(NULL);
    static const char ask[] = "GET /api/slow?ms=500 HTTP/1.1\r\nHost: t\r\n\r\n";
    int fd = raw_open(s.port), idle = raw_open(s.port);
    char out[4096];
    CHECK(raw_send(fd, ask, sizeof ask - 1));
    time_sleep_ms(100);
    int port = s.port;
    int64_t begin = time_mono_ns();
    serve_stop(&s, 5000);
    int64_t took_ms = (time_mono_ns() - begin) / 1000000;
    CHECK(took_ms >= 300 && took_ms < 2000);
    (void)raw_read_all(fd, out, sizeof out, 500);
    CHECK_EQ(raw_status(out), 200);
    CHECK(has(out, "Connection: close"));
    CHECK_EQ(raw_read(idle, out, sizeof out, 500), 0);
    CHECK_EQ(raw_open(port), -1);
    (void)close(fd);
    (void)close(idle);
}

TEST(a_server_that_cannot_start_says_why)
{
    static const struct {
        const char *set, *words;
    } cases[] = {
        {"http.listen=nowhere", "http.listen is no address"},
        {"http.listen=203.0.113.77", "could not listen on 203.0.113.77"},
        {"http.trusted_proxies=10.0.0.0/99", "http.trusted_proxies: "},
        {"http.tls_certificate=/nothing.pem", "go together"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct serve s;
        struct why why = {0};
        struct http_opts opts = {.tables = &table, .n_tables = 1};
        CHECK(serve_try(&s, &opts, (const char *[]){cases[i].set, NULL}, &why) != ERR_OK);
        if (!strstr(why.text, cases[i].words))
            CHECK_STR(str_c(why.text), cases[i].words);
        arena_free(s.arena);
    }
    struct serve first = start(NULL), second;
    struct http_opts opts = {.tables = &table, .n_tables = 1};
    char set[40];
    struct why why = {0};
    (void)snprintf(set, sizeof set, "http.port=%d", first.port);
    CHECK(serve_try(&second, &opts, (const char *[]){set, NULL}, &why) != ERR_OK);
    CHECK(strstr(why.text, "could not listen") != NULL && why.hint[0] != '\0');
    arena_free(second.arena);
    serve_stop(&first, 1000);
}

TESTS_MAIN()
