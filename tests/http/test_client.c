/* The client, TLS with a certificate that is changed, and the OpenAPI description, end to end. */
#include "http/fixture.h"

#include <stdatomic.h>

#include "core/file.h"
#include "core/json.h"
#include "core/metric.h"
#include "core/pool.h"

static enum err handle(struct http_request *req, struct http_response *res, struct why *why)
{
    int64_t ms = http_param_int(req, "ms", 0);
    size_t size = (size_t)http_param_int(req, "size", 0);
    (void)why;
    if (ms)
        time_sleep_ms(ms);
    char *bytes = arena_bytes(http_arena(req), size + 1);
    memset(bytes, 'z', size);
    http_status(res, (int)http_param_int(req, "status", 200));
    http_set_header(res, "X-Answer", http_secure(req) ? "tls" : "plain");
    http_send(res, "text/plain", size ? (struct str){bytes, size} : http_body(req));
    return ERR_OK;
}

static void openai_shape(struct json_out *out, const struct http_problem *problem)
{
    json_begin_object(out);
    json_kv_c(out, "error", why_text(problem->why, problem->err));
    json_end_object(out);
}

static const struct http_param params[] = {
    {"id", "uuid", "the thing", true, true},
    {"as_of", "date", "the day", false, false},
};
static const struct http_route routes[] = {
    {.method = "GET", .path = "/api/x", .handle = handle, .summary = "Gets \"it\""},
    {.method = "POST",
     .path = "/api/x",
     .handle = handle,
     .body_limit = 1000,
     .request_schema = "{\"type\":\"object\",\"required\":[\"a\"]}"},
    {.method = "GET",
     .path = "/api/things/{id}/{part}",
     .access = HTTP_SESSION,
     .permission = "things.read",
     .params = params,
     .n_params = 2,
     .response_schema = "{\"type\":\"string\"}",
     .handle = handle},
    {.method = "POST",
     .path = "/api/files",
     .body_limit = 10,
     .body_to_file = true,
     .handle = handle},
};
static const struct http_route v1_routes[] = {
    {.method = "GET", .path = "/v1/x", .handle = handle},
};
static const struct http_table tables[] = {
    {.room = "test", .routes = routes, .n = 4},
    {.room = "v1", .routes = v1_routes, .n = 1, .problem = openai_shape, .prefix = "/v1/"},
};

static struct serve start(const char *const *sets)
{
    struct http_opts opts = {.tables = tables, .n_tables = 2};
    return serve_start(&opts, sets);
}

static struct http_call call_to(const struct serve *s, const char *method, const char *target,
                                struct arena *arena)
{
    return (struct http_call){.method = method,
                              .url =
                                  str_printf(arena, "http://127.0.0.1:%d%s", s->port, target).ptr,
                              .connect_ms = 2000,
                              .total_ms = 5000,
                              .most = 1 << 20};
}

/* ---- the client ---- */

TEST(the_client_gets_status_headers_and_body)
{
    struct serve s = start(NULL);
    struct arena *arena = arena_new(8 << 20);
    struct http_answer answer;
    struct why why = {0};
    struct http_call call = call_to(&s, "POST", "/api/x?status=418", arena);
    static const char *const headers[] = {"Content-Type: text/plain", "X-Mine: 1"};
    call.body = STR("sent");
    call.headers = headers;
    call.n_headers = 2;
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    CHECK_EQ(answer.status, 418);
    CHECK_STR(answer.body, "sent");
    CHECK_STR(answer.content_type, "text/plain");
    CHECK_STR(http_answer_header(&answer, "x-answer"), "plain");
    CHECK(http_answer_header(&answer, "X-None").ptr == NULL);
    call = call_to(&s, "HEAD", "/api/x?size=100", arena);
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    CHECK_EQ(answer.body.len, 0);
    CHECK_STR(http_answer_header(&answer, "Content-Length"), "100");
    arena_free(arena);
    serve_stop(&s, 1000);
}

static enum err take_part(void *ctx, struct str part, struct why *why)
{
    size_t *total = ctx;
    *total += part.len;
    return *total > 50000 ? err_set(why, ERR_CANCELLED, "enough") : ERR_OK;
}

static bool not_there(const void *ctx, const struct sockaddr *address)
{
    (void)address;
    return ctx != NULL;
}

TEST(the_client_asks_before_it_connects)
{
    struct serve s = start(NULL);
    struct arena *arena = arena_new(8 << 20);
    struct http_answer answer;
    struct why why = {0};
    struct http_call call = call_to(&s, "GET", "/api/x", arena);
    call.may_connect = not_there;
    CHECK_EQ(http_fetch(&call, arena, &answer, &why), ERR_FORBIDDEN);
    CHECK(strstr(why.text, "may not be used") != NULL);
    why = (struct why){0};
    call.connect_ctx = &s;
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    CHECK_EQ(answer.status, 200);
    arena_free(arena);
    serve_stop(&s, 1000);
}

TEST(the_client_keeps_its_limits)
{
    struct serve s = start(NULL);
    struct arena *arena = arena_new(8 << 20);
    struct http_answer answer;
    struct why why = {0};
    struct http_call call = call_to(&s, "GET", "/api/x?size=200000", arena);
    call.most = 100000;
    CHECK_EQ(http_fetch(&call, arena, &answer, &why), ERR_TOO_LARGE);
    size_t total = 0;
    call.most = 1 << 20;
    call.part = take_part;
    call.ctx = &total;
    CHECK_EQ(http_fetch(&call, arena, &answer, NULL), ERR_CANCELLED);
    CHECK(total > 50000 && total < 200000);
    call = call_to(&s, "GET", "/api/x?ms=2000", arena);
    call.total_ms = 200;
    CHECK_EQ(http_fetch(&call, arena, &answer, NULL), ERR_TIMEOUT);
    call.url = "http://127.0.0.1:1/";
    CHECK_EQ(http_fetch(&call, arena, &answer, NULL), ERR_UNAVAILABLE);
    call.url = "file:///etc/passwd";
    CHECK_EQ(http_fetch(&call, arena, &answer, NULL), ERR_INVALID);
    CHECK_EQ(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    call = call_to(&s, "GET", "/api/x", arena);
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    (void)unsetenv("http_proxy");
    arena_free(arena);
    serve_stop(&s, 3000);
}

static enum err hammer(void *ctx, size_t i, struct why *why)
{
    struct serve *s = ctx;
    struct arena *arena = arena_new(1 << 20);
    struct http_answer answer = {0};
    struct http_call call = call_to(s, "POST", "/api/x", arena);
    char body[32];
    (void)snprintf(body, sizeof body, "number %zu", i);
    call.body = str_c(body);
    enum err err = http_fetch(&call, arena, &answer, why);
    if (!err && (answer.status != 200 || !str_eq_c(answer.body, body)))
        err = err_set(why, ERR_INTERNAL, "answer %zu is \"%.*s\"", i, STR_FMT(answer.body));
    arena_free(arena);
    return err;
}

TEST(answers_belong_to_their_requests)
{
    struct serve s = start(NULL);
    struct why why = {0};
    CHECK_OK(pool_each(8, 400, hammer, &s, &why), &why);
    serve_stop(&s, 1000);
}

/* ---- errors in another dialect ---- */

TEST(a_table_may_bring_its_own_errors)
{
    struct serve s = start(NULL);
    CHECK(has(raw_get(s.port, "/v1/nothing", NULL),
              "{\"error\":\"there is nothing at this address\"}"));
    CHECK(has(raw_get(s.port, "/v1/x", "Content-Length: 3\r\nExpect: 100-continue\r\n"),
              "{\"error\":\"this address takes no body\"}"));
    CHECK(has(raw_get(s.port, "/api/nothing", NULL), "\"trace_id\""));
    serve_stop(&s, 1000);
}

/* ---- metrics ---- */

TEST(requests_are_counted_by_room_and_class)
{
    struct serve s = start(NULL);
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    CHECK_EQ(raw_status(raw_get(s.port, "/api/x?status=404", NULL)), 404);
    CHECK_EQ(raw_status(raw_get(s.port, "/v1/x", NULL)), 200);
    serve_stop(&s, 1000);
    buf_init(&buf, arena);
    metric_write(&buf);
    CHECK(has(buf.ptr, "yicheng_http_requests_total{room=\"test\",code=\"4xx\"}"));
    CHECK(has(buf.ptr, "yicheng_http_requests_total{room=\"v1\",code=\"2xx\"}"));
    CHECK(has(buf.ptr, "yicheng_http_request_seconds_bucket{room=\"test\",le=\"0.001\"}"));
    CHECK(has(buf.ptr, "\nyicheng_http_connections 0\n"));
    arena_free(arena);
}

/* ---- the description ---- */

static const struct json *walk(const struct json *at, const char *const *keys)
{
    for (; *keys; keys++)
        at = json_get(at, *keys);
    return at;
}

#define AT(root, ...) walk((root), (const char *[]){__VA_ARGS__, NULL})

TEST(the_description_holds_every_route)
{
    struct serve s = start(NULL);
    struct arena *arena = arena_new(8 << 20);
    const struct json *root;
    struct why why = {0};
    struct http_answer answer;
    struct http_call call = call_to(&s, "GET", "/api/openapi.json", arena);
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    CHECK_EQ(answer.status, 200);
    CHECK_OK(json_parse(answer.body, arena, &root, &why), &why);
    CHECK_STR(json_get_str(root, "openapi", STR("")), "3.1.0");
    for (size_t t = 0; t < 2; t++)
        for (size_t i = 0; i < tables[t].n; i++) {
            const struct http_route *r = &tables[t].routes[i];
            const struct json *op =
                AT(root, "paths", r->path, strcmp(r->method, "GET") == 0 ? "get" : "post");
            CHECK_EQ(json_kind(op), JSON_KIND_OBJECT);
            CHECK(json_get_str(op, "operationId", STR("")).len > 0);
            CHECK(json_len(json_get(op, "responses")) == 2);
        }
    const struct json *op = AT(root, "paths", "/api/things/{id}/{part}", "get");
    CHECK_STR(json_get_str(op, "operationId", STR("")), "get_api_things_by_id_by_part");
    CHECK_STR(json_get_str(op, "x-permission", STR("")), "things.read");
    const struct json *list = json_get(op, "parameters");
    CHECK_EQ(json_len(list), 3);
    CHECK_STR(json_get_str(json_at(list, 0), "in", STR("")), "path");
    CHECK_STR(json_get_str(AT(json_at(list, 0), "schema"), "format", STR("")), "uuid");
    CHECK_STR(json_get_str(json_at(list, 1), "name", STR("")), "part");
    CHECK_STR(json_get_str(json_at(list, 2), "in", STR("")), "query");
    CHECK(json_len(AT(root, "paths", "/api/x", "post", "requestBody", "content", "application/json",
                      "schema", "required")) == 1);
    CHECK(AT(root, "paths", "/api/files", "post", "requestBody", "content",
             "application/octet-stream") != NULL);
    CHECK(AT(root, "paths", "/api/x", "get", "requestBody") == NULL);
    CHECK(AT(root, "components", "schemas", "Problem", "properties", "trace_id") != NULL);
    arena_free(arena);
    serve_stop(&s, 1000);
}

TEST(a_schema_that_is_no_json_stops_the_start)
{
    static const struct http_route bad[] = {
        {.method = "GET", .path = "/bad", .handle = handle, .response_schema = "{\"type\":"}};
    static const struct http_table table = {.room = "bad", .routes = bad, .n = 1};
    struct http_opts opts = {.tables = &table, .n_tables = 1};
    struct why why = {0};
    struct serve s;
    CHECK_EQ(serve_try(&s, &opts, NULL, &why), ERR_INVALID);
    CHECK(strstr(why.text, "schema of GET /bad") != NULL);
    arena_free(s.arena);
}

/* ---- TLS ---- */

static char folder[200], certificate[256], key[256], text[2048];

static bool shell(const char *command)
{
    return system(command) == 0; /* NOLINT: a fixed command of ours */
}

static bool make_certificate(const char *name)
{
    (void)snprintf(text, sizeof text,
                   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                   "-subj /CN=%s -keyout %s -out %s >%s/log 2>&1",
                   name, key, certificate, folder);
    return shell(text);
}

static bool seen_certificate(int port, const char *options, const char *name)
{
    (void)snprintf(text, sizeof text,
                   "echo | timeout 5 openssl s_client -connect 127.0.0.1:%d %s 2>&1 | "
                   "grep -q 'CN = %s'",
                   port, options, name);
    return shell(text);
}

TEST(tls_serves_and_takes_a_new_certificate)
{
    struct why why = {0};
    char set1[300], set2[300];
    (void)snprintf(folder, sizeof folder, "/tmp/yicheng-tls-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(certificate, sizeof certificate, "%s/c.pem", folder);
    (void)snprintf(key, sizeof key, "%s/k.pem", folder);
    if (!make_certificate("first"))
        SKIP("openssl is not here to make a certificate");
    (void)snprintf(set1, sizeof set1, "http.tls_certificate=%s", certificate);
    (void)snprintf(set2, sizeof set2, "http.tls_key=%s", key);
    struct serve s = start((const char *[]){set1, set2, NULL});
    CHECK(seen_certificate(s.port, "-tls1_3", "first"));
    CHECK(seen_certificate(s.port, "-tls1_2", "first"));
    CHECK(!seen_certificate(s.port, "-tls1_1 -cipher ALL:@SECLEVEL=0", "first"));
    (void)snprintf(text, sizeof text,
                   "curl -sk --max-time 5 -i https://127.0.0.1:%d/api/x >%s/answer", s.port,
                   folder);
    CHECK(shell(text));
    (void)snprintf(text, sizeof text,
                   "grep -q 'X-Answer: tls' %s/answer && grep -q Strict-Transport %s/answer",
                   folder, folder);
    CHECK(shell(text));
    /* the client checks certificates, and this one nobody vouches for */
    struct arena *arena = arena_new(1 << 20);
    struct http_answer answer;
    struct http_call call = call_to(&s, "GET", "/api/x", arena);
    call.url = str_printf(arena, "https://127.0.0.1:%d/api/x", s.port).ptr;
    CHECK_EQ(http_fetch(&call, arena, &answer, NULL), ERR_UNAVAILABLE);
    arena_free(arena);
    CHECK(make_certificate("second"));
    CHECK(seen_certificate(s.port, "-tls1_3", "first"));
    CHECK_OK(http_reload(s.server, &why), &why);
    CHECK(seen_certificate(s.port, "-tls1_3", "second"));
    CHECK_OK(file_write(key, STR("rubbish"), 0600, &why), &why);
    CHECK_EQ(http_reload(s.server, &why), ERR_INVALID);
    CHECK(seen_certificate(s.port, "-tls1_3", "second"));
    serve_stop(&s, 1000);
    CHECK_OK(file_remove(folder, &why), &why);
}

TESTS_MAIN()
