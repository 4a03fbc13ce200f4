/* The server as a whole: its keys, start and stop, the workers. Starts at http_start. */
#include "http/inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/time.h"

#define LEFT_BEHIND_S 3600
#define OTHER_FILES   512 /* databases, indexes, logs, bodies */
#define MOST_WORKERS  256

static const struct conf_key keys[] = {
    {"http.listen", CONF_STR, "127.0.0.1", 0, 0, NULL,
     "Address to listen on; 0.0.0.0 or :: for all"},
    {"http.port", CONF_INT, "8080", 0, 65535, NULL, "Port; 0 takes any free one"},
    {"http.tls_certificate", CONF_STR, "", 0, 0, NULL,
     "Certificate chain (PEM); with a key the server speaks TLS 1.2 and 1.3 only"},
    {"http.tls_key", CONF_STR, "", 0, 0, NULL, "Private key of the certificate (PEM)"},
    {"http.hsts", CONF_DURATION, "180d", 0, 0, NULL,
     "How long browsers keep to TLS once they used it; 0s says nothing"},
    {"http.trusted_proxies", CONF_STR, "", 0, 0, NULL,
     "Addresses or blocks (10.0.0.0/8) whose X-Forwarded-For and -Proto are believed, by commas"},
    {"http.event_threads", CONF_INT, "2", 1, 64, NULL, "Threads that move bytes"},
    {"http.workers", CONF_INT, "8", 1, MOST_WORKERS, NULL, "Threads that run handlers"},
    {"http.stream_workers", CONF_INT, "4", 1, 64, NULL, "Threads that fill event streams"},
    {"http.waiting", CONF_INT, "512", 1, 65536, NULL,
     "Requests that may wait for a worker; further ones get 503"},
    {"http.waiting_time", CONF_DURATION, "10s", 1, INT64_MAX, NULL,
     "A request that waited longer for a worker gets 503"},
    {"http.connections", CONF_INT, "4096", 1, 1000000, NULL, "Connections in all"},
    {"http.connections_per_address", CONF_INT, "256", 1, 1000000, NULL,
     "Connections of one address; trusted proxies are not counted"},
    {"http.streams", CONF_INT, "4096", 1, 100000, NULL, "Event streams open at a time"},
    {"http.heartbeat", CONF_DURATION, "15s", 100, 3600000, NULL,
     "A comment is sent on a stream that was silent for so long"},
    {"http.header_size", CONF_BYTES, "16k", 1024, 1048576, NULL,
     "Most bytes of a request's headers"},
    {"http.address_size", CONF_BYTES, "8k", 256, 65536, NULL,
     "Most bytes of a request's path and query"},
    {"http.header_time", CONF_DURATION, "15s", 100, INT64_MAX, NULL,
     "Time to send the request line and headers"},
    {"http.body_time", CONF_DURATION, "30s", 100, INT64_MAX, NULL,
     "Time to send a body, beside what http.least_rate grants"},
    {"http.least_rate", CONF_BYTES, "16k", 1, INT64_MAX, NULL,
     "Bytes a second that a client must send or take on the whole"},
    {"http.idle_time", CONF_DURATION, "75s", 1000, INT64_MAX, NULL,
     "A connection without a request or without progress is closed after so long"},
    {"http.request_memory", CONF_BYTES, "64M", 65536, INT64_MAX, NULL,
     "Most memory of one request"},
    {"http.body_memory", CONF_BYTES, "512M", 65536, INT64_MAX, NULL,
     "Most memory of all request bodies together"},
    {"http.access_log", CONF_BOOL, "true", 0, 0, NULL, "One log line a request"},
};
const struct conf_table http_conf = {keys, sizeof keys / sizeof keys[0]};

struct http_server {
    struct core core;
    struct arena *arena;
    struct http_loops *own_loops; /* NULL: they were handed in */
    struct links *links;
    struct tls *tls;
    pthread_t workers[MOST_WORKERS];
    size_t n_workers;
    int listen_fd, port;
};

/* ---- workers ---- */

/* The body goes to its file; an error of it is the answer. */
static void flush(struct http_request *req)
{
    struct why why = {0};
    enum err err = request_body_flush(req, &why);
    req->flush = false;
    if (!err)
        return;
    response_problem(&req->res, err, &why);
    response_finish(&req->res);
    req->phase = PHASE_DRAIN;
}

static void *work(void *arg)
{
    struct core *core = &((struct http_server *)arg)->core;
    void *item;
    while (queue_pop(core->work, &item, -1) == ERR_OK) {
        struct http_request *req = item;
        if (req->flush) {
            flush(req);
        } else {
            atomic_fetch_sub(&core->n_waiting, 1);
            if (!request_dispatch(req))
                continue; /* held */
            req->phase = PHASE_READY;
        }
        core->resume(req);
    }
    return NULL;
}

/* ---- start ---- */

static void read_limits(const struct conf *conf, struct limits *limits)
{
    *limits = (struct limits){
        .header_bytes = (size_t)conf_int(conf, "http.header_size"),
        .target_bytes = (size_t)conf_int(conf, "http.address_size"),
        .header_ms = conf_int(conf, "http.header_time"),
        .body_ms = conf_int(conf, "http.body_time"),
        .idle_ms = conf_int(conf, "http.idle_time"),
        .waiting_ms = conf_int(conf, "http.waiting_time"),
        .heartbeat_ms = conf_int(conf, "http.heartbeat"),
        .body_rate = conf_int(conf, "http.least_rate"),
        .body_memory = conf_int(conf, "http.body_memory"),
        .request_bytes = (size_t)conf_int(conf, "http.request_memory"),
        .n_workers = (size_t)conf_int(conf, "http.workers"),
        .n_stream_workers = (size_t)conf_int(conf, "http.stream_workers"),
        .n_event_threads = (size_t)conf_int(conf, "http.event_threads"),
        .most_waiting = (size_t)conf_int(conf, "http.waiting"),
        .most_connections = (size_t)conf_int(conf, "http.connections"),
        .most_per_address = (size_t)conf_int(conf, "http.connections_per_address"),
        .most_streams = (size_t)conf_int(conf, "http.streams"),
        .access_log = conf_bool(conf, "http.access_log"),
    };
    if (conf_int(conf, "http.hsts") > 0)
        (void)snprintf(limits->hsts, sizeof limits->hsts, "max-age=%lld",
                       (long long)(conf_int(conf, "http.hsts") / 1000));
}

static enum err listen_on(struct http_server *server, const char *address, int port,
                          struct why *why)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    int one = 1, zero = 0;
    bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
        return err_set(why, ERR_INVALID, "http.listen is no address: \"%s\"", address);
    server->listen_fd =
        socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server->listen_fd < 0)
        return err_errno(why, "could not make a socket");
    (void)setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (!is_v4)
        (void)setsockopt(server->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(server->listen_fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             is_v4 ? sizeof v4 : sizeof v6) < 0 ||
        listen(server->listen_fd, 1024) < 0 ||
        getsockname(server->listen_fd, (struct sockaddr *)&bound, &len) < 0) {
        enum err err = err_errno(why, "could not listen on %s port %d", address, port);
        err_hint(why, "another program may use the port: set http.port");
        return err;
    }
    server->port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
                                                    : ((struct sockaddr_in6 *)&bound)->sin6_port);
    return ERR_OK;
}

/* The server's own table, behind those of the rooms. */
static enum err send_openapi(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)why;
    http_send(res, "application/json; charset=utf-8",
              strcmp(http_words_language(req), "zh") == 0 ? req->core->openapi_zh
                                                          : req->core->openapi);
    return ERR_OK;
}

static const struct http_route own_routes[] = {
    {.method = "GET",
     .path = "/api/openapi.json",
     .access = HTTP_PUBLIC,
     .summary = "This description of the API (OpenAPI 3.1)",
     .response_schema = "{\"type\":\"object\"}",
     .handle = send_openapi,
     .quick = true},
};

static enum err set_routes(struct http_server *server, const struct http_opts *opts,
                           struct why *why)
{
    struct core *core = &server->core;
    struct http_table *tables = arena_array(server->arena, struct http_table, opts->n_tables + 1);
    struct router *router;
    struct buf text, zh;
    if (!tables)
        return err_set(why, ERR_NO_MEMORY, "could not hold the routes");
    if (opts->n_tables)
        memcpy(tables, opts->tables, opts->n_tables * sizeof tables[0]);
    tables[opts->n_tables] = (struct http_table){
        .room = "http", .routes = own_routes, .n = sizeof own_routes / sizeof own_routes[0]};
    buf_init(&text, server->arena);
    buf_init(&zh, server->arena);
    enum err err = router_new(tables, opts->n_tables + 1, server->arena, &router, why);
    if (!err)
        err = http_openapi(tables, opts->n_tables + 1, "en", &text, why);
    if (!err)
        err = http_openapi(tables, opts->n_tables + 1, "zh", &zh, why);
    core->router = err ? NULL : router;
    core->openapi = buf_str(&text);
    core->openapi_zh = buf_str(&zh);
    return err;
}

/* Bodies that a process which was killed left behind; those of a living one are younger. */
static enum err sweep(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct stat st;
    const time_t *now = ctx;
    (void)why;
    if (str_starts(relative, STR(BODY_PREFIX)) && stat(path, &st) == 0 &&
        *now - st.st_mtime > LEFT_BEHIND_S)
        (void)unlink(path);
    return ERR_OK;
}

static enum err set_temp_dir(struct http_server *server, const char *path, struct why *why)
{
    time_t now = time_now_ms() / 1000;
    server->core.temp_dir = str_z(server->arena, str_c(path ? path : "/tmp"));
    if (!server->core.temp_dir)
        return err_set(why, ERR_NO_MEMORY, "could not hold a path");
    if (!path)
        return ERR_OK;
    enum err err = file_make_dirs(path, why);
    return err ? err : file_walk(path, 1, sweep, &now, why);
}

static enum err set_core(struct http_server *server, const struct http_opts *opts, struct why *why)
{
    struct core *core = &server->core;
    const char *certificate = conf_str(opts->conf, "http.tls_certificate");
    const char *key = conf_str(opts->conf, "http.tls_key");
    read_limits(opts->conf, &core->limits);
    core->authorize = opts->authorize;
    core->authorize_ctx = opts->authorize_ctx;
    core->authorize_here = opts->authorize_here;
    core->asset = opts->asset;
    core->resume = link_resume;
    enum err err = set_temp_dir(server, opts->temp_dir, why);
    if (err)
        return err;
    err = nets_parse(str_c(conf_str(opts->conf, "http.trusted_proxies")), server->arena,
                     &core->proxies, &core->n_proxies, why);
    if (err)
        err_prefix(why, "http.trusted_proxies: ");
    if (!err)
        err = set_routes(server, opts, why);
    if (!err && (certificate[0] != '\0') != (key[0] != '\0'))
        err = err_set(why, ERR_INVALID, "http.tls_certificate and http.tls_key go together");
    if (!err && certificate[0])
        err = tls_open(certificate, key, &server->tls, why);
    core->tls = server->tls;
    return err;
}

static enum err start_workers(struct http_server *server, struct why *why)
{
    const struct limits *limits = &server->core.limits;
    server->core.work = queue_new(limits->most_waiting + limits->most_connections + 64);
    if (!server->core.work)
        return err_set(why, ERR_NO_MEMORY, "could not hold the queue of requests");
    for (; server->n_workers < limits->n_workers; server->n_workers++)
        if ((errno = pthread_create(&server->workers[server->n_workers], NULL, work, server)) != 0)
            return err_errno(why, "could not start a worker");
    return ERR_OK;
}

/* Each connection is an open file; beyond the limit accept() fails and clients wait in vain. */
static void raise_open_files(size_t n_connections)
{
    struct rlimit files;
    rlim_t want = (rlim_t)n_connections + OTHER_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= want)
        return;
    files.rlim_cur =
        files.rlim_max == RLIM_INFINITY || files.rlim_max > want ? want : files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < want)
        LOG_WARN("fewer open files are allowed than http.connections needs",
                 LOG_I("allowed", files.rlim_cur), LOG_I("needed", want));
}

static enum err start(struct http_server *server, const struct http_opts *opts, struct why *why)
{
    struct core *core = &server->core;
    struct http_loops *loops = opts->loops;
    enum err err = set_core(server, opts, why);
    raise_open_files(core->limits.most_connections);
    if (!err)
        err = listen_on(server, conf_str(opts->conf, "http.listen"),
                        (int)conf_int(opts->conf, "http.port"), why);
    if (!err)
        err = conns_new(core, &core->conns, why);
    if (!err)
        err = streams_new(core, &core->streams, why);
    if (!err)
        err = start_workers(server, why);
    if (!err && !loops) {
        err = http_loops_new(core->limits.n_event_threads, &server->own_loops, why);
        loops = server->own_loops;
    }
    return err ? err : links_open(core, loops, server->listen_fd, &server->links, why);
}

enum err http_start(const struct http_opts *opts, struct http_server **out, struct why *why)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server || !(server->arena = arena_new((size_t)64 << 20))) {
        free(server);
        return err_set(why, ERR_NO_MEMORY, "could not hold the HTTP server");
    }
    server->listen_fd = -1;
    enum err err = start(server, opts, why);
    if (err)
        http_stop(server, 0);
    else
        *out = server;
    return err;
}

int http_port(const struct http_server *server)
{
    return server->port;
}

enum err http_reload(struct http_server *server, struct why *why)
{
    return server->tls ? tls_reload(server->tls, why) : ERR_OK;
}

/* ---- stop ---- */

/* Idle connections go at once; requests and streams may finish. */
static void drain_requests(struct http_server *server, int64_t wait_ms)
{
    struct core *core = &server->core;
    int64_t end = time_mono_ns() + wait_ms * 1000000;
    atomic_store(&core->draining, true);
    links_refuse(server->links);
    streams_wake_all(core->streams);
    do {
        conns_cut_idle(core->conns);
        if (atomic_load(&core->n_requests) == 0)
            return;
        time_sleep_ms(10);
    } while (time_mono_ns() < end);
}

/* Whoever holds a request is told to let it go, and streams end. */
static void cut_requests(struct http_server *server)
{
    struct core *core = &server->core;
    atomic_store(&core->cutting, true);
    while (streams_suspended(core->streams) > 0 || atomic_load(&core->n_held) > 0) {
        conns_all_gone(core->conns);
        streams_wake_all(core->streams);
        time_sleep_ms(5);
    }
}

void http_stop(struct http_server *server, int64_t wait_ms)
{
    if (!server)
        return;
    struct core *core = &server->core;
    if (server->links) {
        drain_requests(server, wait_ms);
        cut_requests(server);
    }
    if (core->work)
        queue_close(core->work);
    for (size_t i = 0; i < server->n_workers; i++)
        pthread_join(server->workers[i], NULL);
    if (server->links)
        cut_requests(server); /* streams that a worker began in the meantime */
    links_close(server->links);
    streams_free(core->streams);
    conns_free(core->conns);
    queue_free(core->work);
    http_loops_free(server->own_loops);
    tls_close(server->tls);
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd);
    arena_free(server->arena);
    free(server);
}
