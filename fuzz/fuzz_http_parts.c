/* What a request is read with, without a socket: the input's lines are a target and headers. A
 * target that is taken has clean segments; every other gives a reason. */
#include "http/inside.h"

#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static enum err handle(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)res, (void)why;
    return ERR_OK;
}

static const struct http_param params[] = {{"id", "uuid", "a thing", true, true},
                                           {"n", "integer", "a number", false, false}};
static const struct http_route routes[] = {
    {.method = "GET", .path = "/a/{id}/b", .params = params, .n_params = 2, .handle = handle},
    {.method = "POST", .path = "/a/{id}", .body_limit = 100, .handle = handle},
};
static const struct http_table table = {.room = "fuzz", .routes = routes, .n = 2};

static void check_target(const struct target *t)
{
    must(utf8_invalid(t->path) == STR_NPOS && memchr(t->path.ptr, 0, t->path.len) == NULL);
    for (size_t i = 0; i < t->n_segments; i++)
        must(!str_eq_c(t->segments[i], "..") && !str_eq_c(t->segments[i], "."));
    for (size_t i = 0; i < t->n_query; i++)
        must(memchr(t->query[i].value.ptr, 0, t->query[i].value.len) == NULL);
}

static void look_around(struct http_request *req)
{
    uint64_t start = 0, len = 0;
    (void)http_cookie(req, "c");
    (void)http_language(req);
    must(http_param_limit(req, 20, 100) <= 100);
    (void)http_param_day(req, "day");
    if (range_parse(http_header(req, "Range"), 1000, &start, &len) == 1)
        must(len > 0 && start + len <= 1000);
    (void)etag_matches(http_header(req, "If-None-Match"), "\"x\"");
    if (req->match.route)
        (void)!request_check_params(req, NULL);
    (void)request_dispatch_quick(req);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct core core = {
        .limits = {.header_bytes = 8192, .target_bytes = 2048, .request_bytes = 8 << 20}};
    struct arena *arena = arena_new(1 << 20);
    struct router *router = NULL;
    struct str rest = {(const char *)data, size}, line;
    struct in6_addr peer = {0};
    struct why why = {0};
    bool close_it;
    must(router_new(&table, 1, arena, &router, NULL) == ERR_OK);
    must(nets_parse(STR("::/0"), arena, &core.proxies, &core.n_proxies, NULL) == ERR_OK);
    core.router = router;
    struct http_request *req = request_new(&core, str_next_line(&rest, &line) ? line : STR(""));
    must(req != NULL);
    req->method = STR("GET");
    req->version = STR("HTTP/1.1");
    req->headers = arena_array(arena, struct http_pair, 64);
    while (req->n_headers < 64 && str_next_line(&rest, &line)) {
        size_t colon = str_find_char(line, ':');
        req->headers[req->n_headers++] =
            (struct http_pair){str_slice(line, 0, colon),
                               colon == STR_NPOS ? STR("") : str_trim(str_from(line, colon + 1))};
    }
    enum err err = request_begin(req, &peer, &close_it, &why);
    must(err == ERR_OK || why.text[0] != '\0');
    if (!err) {
        check_target(&req->target);
        look_around(req);
    }
    request_free(req);
    arena_free(arena);
    return 0;
}
