/* The server: libmicrohttpd, the life of a request on it, and the workers. Starts at http_start. */
#include "http/inside.h"

#include <microhttpd.h>

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

#define DRAIN_QUIET   ((uint64_t)1 << 20)  /* of a refused body before it is told so */
#define DRAIN_MOST    ((uint64_t)64 << 20) /* of a refused body before the connection is cut */
#define LEFT_BEHIND_S 3600
#define OTHER_FILES   512 /* databases, indexes, logs, bodies */
#define MOST_WORKERS  256
#define PIECE         ((size_t)32 << 10)

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
    struct MHD_Daemon *daemon;
    struct conns *conns;
    struct streams *streams;
    struct queue *work;
    struct tls *tls;
    pthread_t workers[MOST_WORKERS];
    size_t n_workers;
    atomic_size_t n_waiting, n_requests;
    pthread_mutex_t gate; /* held while a stream is suspended, so that cutting misses none */
    int listen_fd, port;
};

/* ---- sending ---- */

static struct http_server *server_of(struct http_request *req)
{
    return (struct http_server *)(void *)req->core; /* core is its first member */
}

static ssize_t pull(void *cls, uint64_t pos, char *out, size_t most)
{
    struct http_request *req = cls;
    struct http_server *server = server_of(req);
    (void)pos;
    pthread_mutex_lock(&server->gate);
    ssize_t n = stream_take(req->stream, out, most);
    if (n == 0) {
        MHD_suspend_connection(req->link);
        streams_ask(server->streams, req->stream);
    }
    pthread_mutex_unlock(&server->gate);
    if (n > 0)
        req->sent_bytes += (uint64_t)n;
    return n < 0 ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static struct MHD_Response *make_response(struct http_request *req)
{
    struct http_response *res = &req->res;
    struct MHD_Response *out;
    if (res->kind == SEND_STREAM && !req->head_only)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, pull, req, NULL);
    if (res->kind == SEND_FILE && res->status != 304 && res->status != 416) {
        out = MHD_create_response_from_fd_at_offset64(res->file_len, res->fd, res->file_start);
        if (out)
            res->fd = -1; /* closed with the response */
        req->sent_bytes = res->file_len;
        return out;
    }
    req->sent_bytes = res->body.len;
    return MHD_create_response_from_buffer(res->body.len, (void *)(uintptr_t)res->body.ptr,
                                           MHD_RESPMEM_PERSISTENT);
}

static void count_answer(struct http_request *req)
{
    struct room_metrics *m = req->match.route ? req->match.route->metrics : room_metrics("http");
    int class = req->res.status / 100;
    req->answered_ns = time_mono_ns();
    metric_add(&m->by_class[class < 1 || class > 5 ? 5 : class], 1);
    metric_observe_us(&m->seconds, (req->answered_ns - req->start_ns) / 1000);
}

/* A stream that there is no room for becomes a problem; done() is called all the same. */
static void begin_stream(struct http_request *req)
{
    struct why why = {0};
    enum err err = streams_begin(server_of(req)->streams, req->stream, &why);
    if (err) {
        response_problem(&req->res, err, &why);
        response_finish(&req->res);
    }
}

static enum MHD_Result reply(struct http_request *req)
{
    struct http_response *res = &req->res;
    if (res->kind == SEND_STREAM && !req->head_only)
        begin_stream(req);
    struct MHD_Response *out = make_response(req);
    if (!out)
        return MHD_NO;
    for (const struct http_header *h = res->headers; h; h = h->next)
        (void)MHD_add_response_header(out, h->name, h->value);
    count_answer(req);
    atomic_store(&req->conn->to_send, (int64_t)req->sent_bytes);
    bool alive = conn_enter(req->conn, res->kind == SEND_STREAM ? CONN_WORK : CONN_SEND);
    enum MHD_Result ok = alive ? MHD_queue_response(req->link, (unsigned)res->status, out) : MHD_NO;
    MHD_destroy_response(out);
    req->phase = PHASE_SENT;
    return ok;
}

static void decide(struct http_request *req, enum err err, int status, const struct why *why)
{
    response_problem_status(&req->res, err, status ? status : err_http(err), why);
    response_finish(&req->res);
}

/* ---- receiving ---- */

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  size_t name_len, const char *value, size_t value_len)
{
    struct http_request *req = cls;
    (void)kind;
    req->headers[req->n_headers++] =
        (struct http_pair){{name, name_len}, {value ? value : "", value_len}};
    return MHD_YES;
}

static bool take_headers(struct http_request *req)
{
    int n = MHD_get_connection_values(req->link, MHD_HEADER_KIND, NULL, NULL);
    req->headers = arena_array(req->arena, struct http_pair, (size_t)(n > 0 ? n : 0) + 1);
    if (!req->headers)
        return false;
    (void)MHD_get_connection_values_n(req->link, MHD_HEADER_KIND, add_header, req);
    return true;
}

/* Whether nothing but white space lies between two places of the header block. */
static bool gap(const char *from, const char *to)
{
    if (from > to)
        return false;
    for (; from < to; from++)
        if (*from != '\0' && *from != '\r' && *from != '\n' && *from != ' ' && *from != '\t')
            return false;
    return true;
}

/* libmicrohttpd 0.9.75 loses a header whose value goes on in a second line, so that a length could
 * hide there. It cuts lines up in place: what it lost still lies between what it gave us. */
static bool nothing_lost(const struct http_request *req)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->link, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *at = req->version.ptr + req->version.len;
    if (!info)
        return false;
    for (size_t i = 0; i < req->n_headers; i++) {
        const struct http_pair *h = &req->headers[i];
        if (!gap(at, h->name.ptr) || !gap(h->name.ptr + h->name.len, h->value.ptr))
            return false;
        at = h->value.ptr + h->value.len;
    }
    return gap(at, req->method.ptr + info->header_size);
}

/* Answered before the body came. What comes is read and dropped, for closing on unread bytes
 * resets the connection and the client may never see why. */
static enum MHD_Result refuse(struct http_request *req, bool close_it)
{
    if (close_it)
        http_set_header(&req->res, "Connection", "close");
    if (close_it || (req->has_body && req->expects_continue))
        return reply(req); /* given before the request's end, this closes the connection */
    req->phase = req->has_body ? PHASE_DRAIN : PHASE_READY;
    return MHD_YES;
}

static enum MHD_Result begin(struct http_request *req, const char *method, const char *version)
{
    struct why why = {0};
    bool close_it = false;
    req->method = str_c(method);
    req->version = str_c(version);
    if (!take_headers(req) || !conn_enter(req->conn, CONN_BODY))
        return MHD_NO;
    enum err err = request_begin(req, &req->conn->peer, &close_it, &why);
    if (!close_it && !nothing_lost(req)) {
        err = err_set(&why, ERR_INVALID, "a header goes on in a second line");
        close_it = true;
    }
    if (err) {
        bool long_target =
            err == ERR_HEADER_TOO_LARGE && req->raw_target.len > req->core->limits.target_bytes;
        decide(req, err, long_target ? 414 : 0, &why);
        return refuse(req, close_it);
    }
    if (!req->match.route && request_dispatch_quick(req))
        return refuse(req, false);
    req->phase = PHASE_BODY;
    return MHD_YES;
}

static bool hand_over(struct http_request *req)
{
    MHD_suspend_connection(req->link);
    if (queue_push(server_of(req)->work, req, 0) == ERR_OK)
        return true;
    MHD_resume_connection(req->link); /* the server is stopping */
    return false;
}

/* libmicrohttpd takes no answer in the middle of a body, so a long one gets it past the library. */
static void tell(struct http_request *req)
{
    const struct http_response *res = &req->res;
    struct str text = str_printf(
        req->arena,
        "HTTP/1.1 %d Refused\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n"
        "X-Request-Id: %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%.*s",
        res->status, req->request_id, res->content_type, res->body.len, STR_FMT(res->body));
    req->told = true;
    if (!text.ptr || req->core->tls)
        return;
    (void)!send(req->conn->fd, text.ptr, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(req->conn->fd, SHUT_WR);
    count_answer(req);
}

/* What still comes of a refused body is read and dropped up to a bound. */
static enum MHD_Result drain(struct http_request *req, size_t *size)
{
    req->drained += *size;
    *size = 0;
    if (req->drained > DRAIN_QUIET && !req->told)
        tell(req);
    return req->drained > DRAIN_MOST ? MHD_NO : MHD_YES;
}

static enum MHD_Result take_body(struct http_request *req, const char *data, size_t *size)
{
    struct why why = {0};
    atomic_fetch_add(&req->conn->received, (int64_t)*size);
    if (req->phase == PHASE_DRAIN)
        return drain(req, size);
    if (request_to_file(req) && req->body_len >= BODY_PART) {
        req->flush = true; /* nothing is taken now; we are called again with the same bytes */
        if (!hand_over(req))
            return MHD_NO;
        return MHD_YES;
    }
    enum err err = request_body_add(req, (struct str){data, *size}, &why);
    if (err) {
        decide(req, err, 0, &why);
        http_set_header(&req->res, "Connection", "close");
        req->phase = PHASE_DRAIN;
        return drain(req, size);
    }
    *size = 0;
    return MHD_YES;
}

/* The request is whole: to a worker, or answered here when that cannot block. */
static enum MHD_Result submit(struct http_request *req)
{
    struct http_server *server = server_of(req);
    struct why why = {0};
    if (req->told)
        return MHD_NO;
    if (req->phase == PHASE_DRAIN || req->phase == PHASE_READY)
        return reply(req);
    if (!conn_enter(req->conn, CONN_WORK))
        return MHD_NO;
    if (request_dispatch_quick(req))
        return reply(req);
    if (atomic_fetch_add(&server->n_waiting, 1) >= server->core.limits.most_waiting) {
        atomic_fetch_sub(&server->n_waiting, 1);
        decide(req, err_set(&why, ERR_BUSY, "too many requests are waiting"), 0, &why);
        return reply(req);
    }
    req->phase = PHASE_WAIT;
    req->queued_ns = time_mono_ns();
    if (!hand_over(req)) {
        atomic_fetch_sub(&server->n_waiting, 1);
        req->phase = PHASE_READY;
        decide(req, err_set(&why, ERR_UNAVAILABLE, "the centre is stopping"), 0, &why);
    }
    return MHD_YES;
}

/* libmicrohttpd calls this when the headers are there, for each part of the body, when the body
 * has ended, and again after each MHD_resume_connection(). */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *link, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **context)
{
    struct http_request *req = *context;
    (void)cls, (void)url;
    if (!req || !req->conn)
        return MHD_NO;
    req->link = link;
    if (req->phase == PHASE_NEW)
        return begin(req, method, version);
    if (*size > 0)
        return take_body(req, data, size);
    return submit(req);
}

/* The request line has come: from here on there is a request. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *link)
{
    struct http_server *server = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(link, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *req = request_new(&server->core, str_c(target));
    if (!req)
        return NULL;
    req->conn = info ? info->socket_context : NULL;
    atomic_fetch_add(&server->n_requests, 1);
    return req;
}

static void log_request(const struct http_request *req, enum MHD_RequestTerminationCode code)
{
    bool quick = req->match.route && req->match.route->route->quick;
    int64_t end = req->answered_ns ? req->answered_ns : time_mono_ns();
    if (!req->core->limits.access_log)
        return;
    LOG_AT(quick ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "request", LOG_STR("method", req->method),
           LOG_STR("path", req->target.path),
           LOG_I("status", req->answered_ns ? req->res.status : 0),
           LOG_I("us", (end - req->start_ns) / 1000), LOG_I("received", req->body_total),
           LOG_I("sent", req->sent_bytes), LOG_S("address", req->address),
           LOG_S("end", code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "whole" : "cut"),
           LOG_S("trace", req->trace_id));
}

static void on_completed(void *cls, struct MHD_Connection *link, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *server = cls;
    struct http_request *req = *context;
    (void)link;
    *context = NULL;
    if (!req)
        return;
    log_request(req, code);
    if (req->conn) {
        conn_unwatch(req->conn);
        (void)conn_enter(req->conn, CONN_IDLE);
    }
    if (req->stream)
        streams_end(server->streams, req);
    else
        request_free(req);
    atomic_fetch_sub(&server->n_requests, 1);
}

static void on_connection(void *cls, struct MHD_Connection *link, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *fd =
            MHD_get_connection_info(link, MHD_CONNECTION_INFO_CONNECTION_FD);
        int socket = fd ? fd->connect_fd : -1;
        const union MHD_ConnectionInfo *peer =
            MHD_get_connection_info(link, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        *context = conns_add(server->conns, socket, peer ? peer->client_addr : NULL);
    } else {
        conns_remove(server->conns, *context);
        *context = NULL;
    }
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *peer, socklen_t len)
{
    struct http_server *server = cls;
    (void)len;
    return conns_admit(server->conns, peer) ? MHD_YES : MHD_NO;
}

static void on_log(void *cls, const char *fmt, va_list args)
{
    char text[512];
    (void)cls;
    (void)vsnprintf(text, sizeof text, fmt, args);
    LOG_DEBUG("libmicrohttpd", LOG_STR("text", str_trim(str_c(text))));
}

/* ---- workers ---- */

static void *work(void *arg)
{
    struct http_server *server = arg;
    void *item;
    while (queue_pop(server->work, &item, -1) == ERR_OK) {
        struct http_request *req = item;
        struct why why = {0};
        if (req->flush) {
            enum err err = request_body_flush(req, &why);
            req->flush = false;
            if (err) {
                decide(req, err, 0, &why);
                http_set_header(&req->res, "Connection", "close");
                req->phase = PHASE_DRAIN;
            }
        } else {
            atomic_fetch_sub(&server->n_waiting, 1);
            if (!request_dispatch(req))
                continue; /* held */
            req->phase = PHASE_READY;
        }
        MHD_resume_connection(req->link);
    }
    return NULL;
}

static void resume(struct http_request *req)
{
    MHD_resume_connection(req->link);
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
    http_send(res, "application/json; charset=utf-8", req->core->openapi);
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
    struct buf text;
    if (!tables)
        return err_set(why, ERR_NO_MEMORY, "could not hold the routes");
    if (opts->n_tables)
        memcpy(tables, opts->tables, opts->n_tables * sizeof tables[0]);
    tables[opts->n_tables] = (struct http_table){
        .room = "http", .routes = own_routes, .n = sizeof own_routes / sizeof own_routes[0]};
    buf_init(&text, server->arena);
    enum err err = router_new(tables, opts->n_tables + 1, server->arena, &router, why);
    if (!err)
        err = http_openapi(tables, opts->n_tables + 1, &text, why);
    core->router = err ? NULL : router;
    core->openapi = buf_str(&text);
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
    core->asset = opts->asset;
    core->resume = resume;
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
    core->tls = server->tls != NULL;
    return err;
}

static enum err start_workers(struct http_server *server, struct why *why)
{
    const struct limits *limits = &server->core.limits;
    server->work = queue_new(limits->most_waiting + limits->most_connections + 64);
    if (!server->work)
        return err_set(why, ERR_NO_MEMORY, "could not hold the queue of requests");
    for (; server->n_workers < limits->n_workers; server->n_workers++)
        if ((errno = pthread_create(&server->workers[server->n_workers], NULL, work, server)) != 0)
            return err_errno(why, "could not start a worker");
    return ERR_OK;
}

static enum err start_daemon(struct http_server *server, struct why *why)
{
    const struct limits *limits = &server->core.limits;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (server->tls ? MHD_USE_TLS : 0);
    size_t pool = limits->header_bytes + limits->target_bytes + 2 * PIECE;
    struct MHD_OptionItem options[20];
    size_t n = 0;
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, server->listen_fd, NULL};
    options[n++] =
        (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)pool, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT,
                                           (intptr_t)limits->most_connections * 2 + 64, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT,
                                           (intptr_t)(limits->idle_ms + 999) / 1000, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    if (limits->n_event_threads > 1)
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE,
                                               (intptr_t)limits->n_event_threads, NULL};
    if (server->tls) {
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_CERT_CALLBACK, 0, tls_callback()};
        options[n++] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_PRIORITIES, 0,
            (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"};
    }
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    server->daemon = MHD_start_daemon(
        flags, 0, on_accept, server, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_ARRAY, options, MHD_OPTION_URI_LOG_CALLBACK, on_target, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_END);
    if (!server->daemon)
        return err_set(why, ERR_UNAVAILABLE, "could not start the HTTP server");
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

enum err http_start(const struct http_opts *opts, struct http_server **out, struct why *why)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server || !(server->arena = arena_new((size_t)64 << 20))) {
        free(server);
        return err_set(why, ERR_NO_MEMORY, "could not hold the HTTP server");
    }
    server->listen_fd = -1;
    pthread_mutex_init(&server->gate, NULL);
    enum err err = set_core(server, opts, why);
    raise_open_files(server->core.limits.most_connections);
    if (!err)
        err = listen_on(server, conf_str(opts->conf, "http.listen"),
                        (int)conf_int(opts->conf, "http.port"), why);
    if (!err)
        err = conns_new(&server->core, &server->conns, why);
    if (!err)
        err = streams_new(&server->core, &server->streams, why);
    server->core.streams = server->streams;
    if (!err)
        err = start_workers(server, why);
    if (!err)
        err = start_daemon(server, why);
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
    int64_t end = time_mono_ns() + wait_ms * 1000000;
    atomic_store(&server->core.draining, true);
    (void)MHD_quiesce_daemon(server->daemon);
    streams_wake_all(server->streams);
    do {
        conns_cut_idle(server->conns);
        if (atomic_load(&server->n_requests) == 0)
            return;
        time_sleep_ms(10);
    } while (time_mono_ns() < end);
}

/* libmicrohttpd aborts when it is stopped with suspended connections: all are resumed first. */
static void cut_requests(struct http_server *server)
{
    pthread_mutex_lock(&server->gate);
    atomic_store(&server->core.cutting, true);
    pthread_mutex_unlock(&server->gate);
    while (streams_suspended(server->streams) > 0 || atomic_load(&server->core.n_held) > 0) {
        conns_all_gone(server->conns);
        streams_wake_all(server->streams);
        time_sleep_ms(5);
    }
}

void http_stop(struct http_server *server, int64_t wait_ms)
{
    if (!server)
        return;
    if (server->daemon) {
        drain_requests(server, wait_ms);
        cut_requests(server);
    }
    if (server->work)
        queue_close(server->work);
    for (size_t i = 0; i < server->n_workers; i++)
        pthread_join(server->workers[i], NULL);
    if (server->daemon) {
        cut_requests(server); /* streams that a worker began in the meantime */
        MHD_stop_daemon(server->daemon);
    }
    streams_free(server->streams);
    conns_free(server->conns);
    queue_free(server->work);
    tls_close(server->tls);
    if (server->listen_fd >= 0)
        (void)close(server->listen_fd);
    pthread_mutex_destroy(&server->gate);
    arena_free(server->arena);
    free(server);
}
