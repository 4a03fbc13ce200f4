/* Any bytes on a connection to the real server: it answers or closes, handlers see only requests
 * that keep their promises, and no answer says that something inside went wrong. */
#include "http/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct http_server *server;

#define must(cond) ((cond) ? (void)0 : broken(#cond))

static void broken(const char *promise)
{
    (void)fprintf(stderr, "broken: %s\n", promise);
    abort();
}

static enum err handle(struct http_request *req, struct http_response *res, struct why *why)
{
    struct json_out *out = http_json(res);
    const struct json *body;
    struct str id = http_param(req, "id");
    must(utf8_invalid(http_path(req)) == STR_NPOS);
    /* of a path; what a query says of a name that the route does not declare is not looked at */
    must(!str_starts(http_path(req), STR("/w/")) || (id.len > 0 && !memchr(id.ptr, 0, id.len)));
    must(http_body_size(req) <= 100);
    must(strlen(http_trace_id(req)) == 32 && http_address(req)[0] != '\0');
    json_begin_object(out);
    json_kv_str(out, "id", id);
    json_kv_str(out, "q", http_param(req, "q"));
    json_kv_str(out, "cookie", http_cookie(req, "c"));
    json_kv_c(out, "language", http_language(req));
    json_end_object(out);
    return http_body(req).len ? http_body_json(req, &body, why) : ERR_OK;
}

static enum err next(void *ctx, struct buf *out, bool *end, struct why *why)
{
    (void)ctx, (void)why;
    http_event(out, "e", STR("data"));
    *end = true;
    return ERR_OK;
}

static enum err stream(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_stream(res, next, NULL, NULL);
    return ERR_OK;
}

static const struct http_param params[] = {{"n", "integer", "a number", false, false},
                                           {"day", "date", "a day", false, false}};
static const struct http_route routes[] = {
    {.method = "GET", .path = "/q", .quick = true, .handle = handle},
    {.method = "GET", .path = "/w/{id}", .params = params, .n_params = 2, .handle = handle},
    {.method = "POST", .path = "/b", .body_limit = 100, .handle = handle},
    {.method = "PUT", .path = "/f", .body_limit = 100, .body_to_file = true, .handle = handle},
    {.method = "GET", .path = "/s", .handle = stream},
};
static const struct http_table table = {.room = "fuzz", .routes = routes, .n = 5};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const sets[] = {
        "http.port=0",           "http.event_threads=1",   "http.workers=1",
        "http.stream_workers=1", "http.access_log=false",  "http.trusted_proxies=127.0.0.1",
        "http.idle_time=1s",     "http.header_time=200ms", "http.body_time=200ms"};
    static struct arena *arena; /* the server reads its configuration from it */
    arena = arena_new(1 << 20);
    struct http_opts opts = {.tables = &table, .n_tables = 1};
    (void)argc, (void)argv;
    must(log_open("/dev/null", LOG_LEVEL_ERROR, true, NULL) == ERR_OK);
    must(conf_load(&http_conf, 1, NULL, sets, 9, arena, &opts.conf, NULL) == ERR_OK);
    must(http_start(&opts, &server, NULL) == ERR_OK);
    return 0;
}

/* What comes back until the server closes; it has to within some seconds. */
static size_t read_all(int fd, char *out, size_t most)
{
    size_t len = 0;
    ssize_t n = 1;
    while (len + 1 < most && n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, 10000);
        if (ready < 0 && errno == EINTR)
            continue; /* the fuzzer's own alarm */
        must(ready > 0);
        n = read(fd, out + len, most - 1 - len); /* below 0: reset, for it had more to say */
        len += n > 0 ? (size_t)n : 0;
    }
    out[len] = '\0';
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char out[1 << 20];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)http_port(server))};
    struct linger reset = {1, 0}; /* no port stays behind waiting */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (size > 60000 || fd < 0) {
        (void)close(fd);
        return 0;
    }
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        must(errno == EINTR); /* the fuzzer's own clock */
        (void)close(fd);
        return 0;
    }
    (void)!send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)shutdown(fd, SHUT_WR);
    size_t len = read_all(fd, out, sizeof out);
    must(len == 0 || memcmp(out, "HTTP/1.", 7) == 0);
    /* Counted, not read: an answer may quote the request. */
    must(metric_value(&room_metrics("fuzz")->by_class[5]) == 0);
    must(metric_value(&room_metrics("http")->by_class[5]) == 0);
    (void)close(fd);
    return 0;
}
