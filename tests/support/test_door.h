/*
 * tests/support/test_door - the routes of one room over a real server. The header X-Who names the
 * caller, and the test says who that is; the permission that a route names is checked as in a
 * centre. Bodies are written with ' for ".
 */
#ifndef TESTS_SUPPORT_TEST_DOOR_H
#define TESTS_SUPPORT_TEST_DOOR_H

#include <stdarg.h>
#include <string.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/json.h"
#include "http/http.h"
#include "ops/ops.h"
#include "tap.h"

struct test_door {
    struct arena *arena;
    struct http_table table;
    struct http_server *server;
    /* Fills in who `name` is; false: nobody of that name may sign in. */
    bool (*who)(void *ctx, struct str name, struct ops_identity *out);
    void *ctx;
    struct http_answer answer; /* the last one */
    const struct json *json;   /* its body, when that is JSON */
};

__attribute__((unused)) static enum err
door_authorize(void *ctx, struct http_request *req, const struct http_route *route, struct why *why)
{
    struct test_door *d = ctx;
    struct str name = http_header(req, "X-Who");
    struct ops_identity *identity = arena_one(http_arena(req), struct ops_identity);
    if (route->access == HTTP_PUBLIC)
        return err_set(why, ERR_INTERNAL, "a route of the room is open to everybody");
    if (!name.len || !identity || !d->who(d->ctx, name, identity))
        return err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    http_set_identity(req, identity);
    return route->permission ? ops_need(identity, route->permission, why) : ERR_OK;
}

__attribute__((unused)) static bool
door_open(struct test_door *d, struct arena *arena, const struct http_table *table,
          const char *temp_dir, bool (*who)(void *, struct str, struct ops_identity *), void *ctx)
{
    const struct conf *conf = NULL;
    const char *sets[] = {"http.port=0", "http.access_log=false"};
    struct why why = {0};
    *d = (struct test_door){.arena = arena, .table = *table, .who = who, .ctx = ctx};
    CHECK_OK(conf_load(&http_conf, 1, NULL, sets, 2, arena, &conf, &why), &why);
    struct http_opts opts = {.conf = conf,
                             .tables = &d->table,
                             .n_tables = 1,
                             .authorize = door_authorize,
                             .authorize_ctx = d,
                             .temp_dir = temp_dir};
    CHECK_OK(http_start(&opts, &d->server, &why), &why);
    return d->server != NULL;
}

__attribute__((unused)) static void door_close(struct test_door *d)
{
    http_stop(d->server, 2000);
}

/* The status; `path` and `header` (NULL: none) as they are. */
__attribute__((unused)) static int door_send(struct test_door *d, const char *who,
                                             const char *method, const char *path, struct str body,
                                             const char *header)
{
    struct why why = {0};
    const char *headers[] = {"Content-Type: application/json",
                             str_z(d->arena, str_printf(d->arena, "X-Who: %s", who)), header};
    char *url =
        str_z(d->arena, str_printf(d->arena, "http://127.0.0.1:%d%s", http_port(d->server), path));
    struct http_call call = {.method = method,
                             .url = url,
                             .headers = headers,
                             .n_headers = header ? 3 : 2,
                             .body = body,
                             .connect_ms = 5000,
                             .total_ms = 60000,
                             .most = (size_t)32 << 20};
    d->json = NULL;
    d->answer = (struct http_answer){0};
    CHECK_OK(http_fetch(&call, d->arena, &d->answer, &why), &why);
    if (d->answer.body.len)
        (void)!json_parse(d->answer.body, d->arena, &d->json, NULL);
    return d->answer.status;
}

/* "METHOD /path", printed with what follows `body`; body may be NULL. */
__attribute__((unused, format(printf, 4, 5))) static int
door_ask(struct test_door *d, const char *who, const char *body, const char *line, ...)
{
    char text[1024], *path;
    struct buf buf;
    va_list args;
    va_start(args, line);
    (void)vsnprintf(text, sizeof text, line, args);
    va_end(args);
    path = strchr(text, ' ');
    if (!path) {
        CHECK(!"a method and a path");
        return 0;
    }
    *path++ = '\0';
    buf_init(&buf, d->arena);
    for (const char *at = body ? body : ""; *at; at++)
        buf_char(&buf, *at == '\'' ? '"' : *at);
    int status = door_send(d, who, text, path, buf.ptr ? buf_str(&buf) : STR(""), NULL);
    if (status >= 500)
        printf("# %s %s: %.*s\n", text, path, STR_FMT(d->answer.body));
    return status;
}

/* The words of a problem; empty when the last answer was none. */
__attribute__((unused)) static struct str door_words(const struct test_door *d)
{
    struct str detail = json_get_str(d->json, "detail", STR(""));
    return detail.len ? detail : json_get_str(d->json, "title", STR(""));
}

/* The path of a route with `value` for what stands in braces. */
__attribute__((unused)) static char *door_path(struct test_door *d, const struct http_route *route,
                                               const char *value)
{
    const char *open = strchr(route->path, '{'), *close = open ? strchr(open, '}') : NULL;
    struct str path = close ? str_printf(d->arena, "%.*s%s%s", (int)(open - route->path),
                                         route->path, value, close + 1)
                            : str_c(route->path);
    return str_z(d->arena, path);
}

#define DOOR_NO_ID "01900000-0000-7000-8000-000000000000"

/*
 * Asks every route of the table what every door must stand:
 *   who does not sign in gets 401;
 *   who may nothing gets 403 (or 404 for an object, which is not there for him), but for the paths
 *     in open_to_all (NULL-terminated), which are for whoever signed in;
 *   who may everything gets 404 for an object that is not there;
 *   a body that is no JSON gets 400 from each that reads one.
 * Each refusal has words. `all` names who may everything, `nothing` who may nothing.
 */
__attribute__((unused)) static void door_stands(struct test_door *d, const char *all,
                                                const char *nothing, const char *const *open_to_all)
{
    for (size_t i = 0; i < d->table.n; i++) {
        const struct http_route *r = &d->table.routes[i];
        char *path = door_path(d, r, DOOR_NO_ID);
        bool open = false, write = r->request_schema != NULL, asks = write;
        struct str body = write ? STR("{}") : STR("");
        for (const char *const *at = open_to_all; *at; at++)
            open |= strcmp(*at, r->path) == 0 && strcmp(r->method, "GET") == 0;
        for (size_t k = 0; k < r->n_params; k++)
            asks |= !r->params[k].in_path && r->params[k].required;
        int anonymous = door_send(d, "", r->method, path, body, NULL);
        bool told = door_words(d).len > 0;
        int refused = open ? 403 : door_send(d, nothing, r->method, path, body, NULL);
        told = told && (open || door_words(d).len > 0);
        int missing =
            strchr(r->path, '{') && !write ? door_send(d, all, r->method, path, body, NULL) : 404;
        told = told && (missing != 404 || !strchr(r->path, '{') || write || door_words(d).len > 0);
        int bad = write ? door_send(d, all, r->method, path, STR("[1,"), NULL) : 400;
        told = told && (!write || door_words(d).len > 0);
        /* A body is looked at before what the address names, or after: both are answers. */
        bool shut =
            refused == 403 || (asks && refused == 400) || (strchr(r->path, '{') && refused == 404);
        bool right = anonymous == 401 && shut && missing == 404 && bad == 400 && told;
        if (!right)
            printf("# %s %s: %d %d %d %d%s\n", r->method, r->path, anonymous, refused, missing, bad,
                   told ? "" : ", without words");
        CHECK(right);
    }
}

#endif
