/*
 * tests/ops/door - a real server in front of a centre, and a client that keeps cookie and token as
 * a browser does.
 */
#ifndef TESTS_OPS_DOOR_H
#define TESTS_OPS_DOOR_H

#include "http/fixture.h"
#include "ops/centre.h"

struct door {
    struct http_server *server;
    int port;
};

UNUSED static struct door door_open(struct centre *c, const struct http_table *tables, size_t n)
{
    struct door d = {0};
    struct why why = {0};
    if (log_open(NULL, LOG_LEVEL_ERROR, true, NULL) != ERR_OK)
        abort();
    struct http_opts opts = {.conf = c->conf,
                             .tables = tables,
                             .n_tables = n,
                             .authorize = ops_authorize,
                             .authorize_ctx = c->ops};
    CHECK_OK(http_start(&opts, &d.server, &why), &why);
    d.port = http_port(d.server);
    return d;
}

UNUSED static void door_close(struct door *d)
{
    http_stop(d->server, 2000);
}

struct visitor {
    struct door *door;
    struct arena *arena;
    char cookie[128]; /* "yicheng_session=..." */
    char csrf[80];
    char key[96];         /* bearer */
    bool no_csrf;         /* does not send the token */
    const char *language; /* Accept-Language; NULL: none */
};

struct answer {
    int status;
    struct str head, body;
    const struct json *json; /* NULL when the body is none */
};

/* type NULL: application/json when there is a body. */
UNUSED static struct answer visit_as(struct visitor *v, const char *method, const char *path,
                                     struct str body, const char *type)
{
    struct buf buf;
    struct answer a = {0};
    static char out[4 << 20];
    buf_init(&buf, v->arena);
    buf_printf(&buf, "%s %s HTTP/1.1\r\nHost: t\r\nConnection: close\r\n", method, path);
    if (v->cookie[0])
        buf_printf(&buf, "Cookie: other=1; %s\r\n", v->cookie);
    if (v->csrf[0] && !v->no_csrf)
        buf_printf(&buf, "X-CSRF-Token: %s\r\n", v->csrf);
    if (v->language)
        buf_printf(&buf, "Accept-Language: %s\r\n", v->language);
    if (v->key[0])
        buf_printf(&buf, "Authorization: Bearer %s\r\n", v->key);
    if (body.len || strcmp(method, "GET") != 0)
        buf_printf(&buf, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                   type ? type : "application/json", body.len);
    buf_add_c(&buf, "\r\n");
    buf_add(&buf, body);
    int fd = raw_open(v->door->port);
    if (fd < 0 || buf.failed)
        return a;
    (void)raw_send(fd, buf.ptr, buf.len); /* may be refused before the end of a large body */
    size_t len = raw_read_all(fd, out, sizeof out, 20000);
    (void)close(fd);
    struct str text = str_copy(v->arena, (struct str){out, len});
    size_t end = str_find(text, STR("\r\n\r\n"));
    a.status = text.len ? raw_status(text.ptr) : 0;
    a.head = str_slice(text, 0, end == STR_NPOS ? text.len : end);
    a.body = end == STR_NPOS ? STR("") : str_from(text, end + 4);
    if (a.body.len && (a.body.ptr[0] == '{' || a.body.ptr[0] == '['))
        CHECK_OK(json_parse(a.body, v->arena, &a.json, NULL), NULL);
    return a;
}

UNUSED static struct answer visit(struct visitor *v, const char *method, const char *path,
                                  const char *body)
{
    return visit_as(v, method, path, str_c(body), NULL);
}

/* The value of a header; ptr NULL when there is none. */
UNUSED static struct str answer_header(const struct answer *a, const char *name)
{
    struct str rest = a->head, line;
    size_t n = strlen(name);
    while (str_next_line(&rest, &line))
        if (line.len > n && strncasecmp(line.ptr, name, n) == 0 && line.ptr[n] == ':')
            return str_trim(str_from(line, n + 1));
    return STR_NONE;
}

UNUSED static void take_cookie(struct visitor *v, const struct answer *a)
{
    struct str set = answer_header(a, "Set-Cookie");
    size_t end = str_find_char(set, ';');
    if (set.len)
        (void)snprintf(v->cookie, sizeof v->cookie, "%.*s",
                       STR_FMT(str_slice(set, 0, end == STR_NPOS ? set.len : end)));
    (void)snprintf(v->csrf, sizeof v->csrf, "%.*s",
                   STR_FMT(json_get_str(a->json, "csrf_token", STR(""))));
}

UNUSED static struct answer sign_in_as(struct visitor *v, const char *name, struct str password)
{
    struct answer a = visit(
        v, "POST", "/api/session",
        str_printf(v->arena, "{\"name\":\"%s\",\"password\":\"%.*s\"}", name, STR_FMT(password))
            .ptr);
    if (a.status == 200)
        take_cookie(v, &a);
    return a;
}

UNUSED static struct visitor visitor_of(struct door *d, struct centre *c, const char *name)
{
    struct visitor v = {.door = d, .arena = c->arena};
    if (name) {
        struct answer a = sign_in_as(&v, name, STR(PASSWORD));
        CHECK_EQ(a.status, 200);
        if (a.status != 200)
            printf("# %s: %.*s\n", name, STR_FMT(a.body));
    }
    return v;
}

UNUSED static struct str detail_of(const struct answer *a)
{
    return json_get_str(a->json, "detail", STR(""));
}

/* ---- the permission matrix ---- */

/* The roles by letter, and who has them in these tests: "m-<role>", password PASSWORD. */
static const struct {
    char letter;
    const char *role;
} matrix_roles[] = {{'S', "system_admin"}, {'s', "security_admin"}, {'A', "auditor"},
                    {'T', "tenant_admin"}, {'D', "developer"},      {'G', "agent"},
                    {'H', "handler"},      {'W', "steward"},        {'N', "annotator"},
                    {'R', "reader"}};
#define N_MATRIX  (sizeof matrix_roles / sizeof matrix_roles[0])
#define EVERYBODY "SsATDGHWNR"

struct matrix_line {
    const char *method, *path, *allowed; /* letters; "*": public */
};

UNUSED static const char *expected_for(const struct matrix_line *lines, size_t n,
                                       const struct http_route *route)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(lines[i].method, route->method) == 0 && strcmp(lines[i].path, route->path) == 0)
            return lines[i].allowed;
    return NULL;
}

/* The path with an id that nobody has. */
UNUSED static char *some_path(struct arena *arena, const char *path)
{
    struct str p = str_c(path);
    size_t at = str_find(p, STR("{id}"));
    if (at == STR_NPOS)
        return (char *)path;
    return (char *)str_printf(arena, "%.*s00000000-0000-7000-8000-000000000000%s", (int)at, path,
                              path + at + 4)
        .ptr;
}

/* Every route of the table by every role and by nobody: 401, 403, or past the door. Routes that are
 * not in the lines fail, so that a new route has to say who may. */
UNUSED static void check_matrix(struct door *d, struct centre *c, const struct http_table *table,
                                const struct matrix_line *lines, size_t n)
{
    struct visitor visitors[N_MATRIX], nobody = visitor_of(d, c, NULL);
    for (size_t r = 0; r < N_MATRIX; r++) {
        const char *name = str_printf(c->arena, "m-%s", matrix_roles[r].role).ptr;
        (void)centre_make(c, NULL, name, matrix_roles[r].role);
        CHECK_OK(
            store_run(c->store, "UPDATE ops_users SET must_change = 0", STORE_NO_ARGS, NULL, NULL),
            NULL);
        visitors[r] = visitor_of(d, c, name);
    }
    for (size_t i = 0; i < table->n; i++) {
        const struct http_route *route = &table->routes[i];
        const char *allowed = expected_for(lines, n, route);
        char *path = some_path(c->arena, route->path);
        if (!allowed) {
            printf("# %s %s has no line in the matrix\n", route->method, route->path);
            CHECK(allowed != NULL);
            continue;
        }
        bool open = allowed[0] == '*';
        int status = visit(&nobody, route->method, path, route->body_limit ? "{}" : "").status;
        CHECK_EQ(status == 401, !open || strcmp(path, "/api/session") == 0);
        for (size_t r = 0; r < N_MATRIX && !open; r++) {
            if (strstr(path, "/api/session")) /* would end the session that the test needs */
                continue;
            struct answer a =
                visit(&visitors[r], route->method, path, route->body_limit ? "{}" : "");
            bool may = strchr(allowed, matrix_roles[r].letter) != NULL;
            CHECK_EQ(a.status != 403, may);
            CHECK(a.status != 401 && a.status != 500 && a.status != 0);
            if ((a.status != 403) != may)
                printf("# %s %s as %s: %d %.*s\n", route->method, path, matrix_roles[r].role,
                       a.status, STR_FMT(a.body));
        }
    }
}

#endif
