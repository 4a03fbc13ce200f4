/* The life of a connection and of the requests on it, on one event thread: bytes in, a request, the
 * handler (here or on a worker), the answer, bytes out. Starts at on_ready. */
#include "http/inside.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/log.h"
#include "core/pool.h"
#include "core/time.h"
#include "http/loop.h"

#define LINGER_MOST   ((uint64_t)64 << 20) /* read and dropped after a refusal */
#define TURNS         32 /* requests of one connection before the others have their turn */
#define MOST_PIECES   4
#define FILE_PIECE    ((size_t)16 << 10) /* over TLS */
#define MOST_HUBS     64
#define LINE_OVERHEAD 64 /* of a request line beside the target */
#define DATE_NS       100000000
#define JOIN_MOST     ((size_t)8 << 10) /* a body that is sent in one piece with its head */

enum link_state {
    LINK_NEW,   /* accepted, not yet with its loop */
    LINK_SHAKE, /* TLS */
    LINK_HEAD,
    LINK_BODY,
    LINK_WORK, /* somebody else has the request: a worker, its holder, a stream thread */
    LINK_SEND,
    LINK_LINGER, /* answered; what still comes is dropped, for closing on unread bytes would reset
                  */
    LINK_GONE    /* closed; freed when its task has run */
};

struct link {
    struct loop_source source;
    struct loop_task task;
    struct hub *hub;
    int fd;
    struct conn *conn;
    struct tls_session *tls;
    enum link_state state;
    bool readable, ended; /* ended: the client will send no more */
    bool close_after, linger;
    atomic_bool returned; /* the request came back */

    struct carry carry; /* read and not yet understood */
    size_t seen;        /* of it, by message_head_end() */
    bool hungry;        /* it is not enough: read on */
    uint64_t body_left, lingered;
    struct chunks chunks;
    struct http_request *req;

    struct str out[MOST_PIECES]; /* to be sent, in order; what went is cut off */
    size_t n_out;
    int file; /* then this, from file_at */
    off_t file_at;
    uint64_t file_left;
    bool in_stream, stuck; /* stuck: the client does not take what is sent */
    char chunk_head[20];

    struct link *prev, *next;
};

struct hub { /* the connections of one loop */
    struct links *links;
    struct loop *loop;
    struct link *first;
    bool closing;
};

struct links {
    struct loop_source source; /* of the socket that listens */
    struct loop_tick tick;
    struct core *core;
    struct http_loops *loops;
    int fd;
    bool again; /* there was no descriptor for one that came */
    size_t n, turn;
    atomic_size_t n_open;
    struct hub hubs[MOST_HUBS];
};

static void go(struct link *link);
static void reply(struct link *link);

/* False when the keeper has cut the connection. */
static bool enter_state(struct link *link, enum conn_state state)
{
    return conn_enter(link->conn, state, loop_now_ns(link->hub->loop));
}

/* ---- closing ---- */

static void log_request(const struct http_request *req, bool whole)
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
           LOG_S("end", whole ? "whole" : "cut"), LOG_S("trace", req->trace_id));
}

static void end_request(struct link *link, bool whole)
{
    struct http_request *req = link->req;
    struct core *core = link->hub->links->core;
    link->req = NULL;
    if (!req)
        return;
    log_request(req, whole);
    conn_unwatch(link->conn);
    (void)enter_state(link, CONN_IDLE);
    if (req->stream)
        streams_end(core->streams, req);
    else
        request_free(req);
    atomic_fetch_sub(&core->n_requests, 1);
}

static void free_link(void *arg)
{
    struct link *link = arg;
    carry_free(&link->carry);
    free(link);
}

static void close_link(struct link *link)
{
    struct hub *hub = link->hub;
    struct links *links = hub->links;
    end_request(link, false);
    loop_forget(hub->loop, link->fd, &link->source);
    tls_session_free(link->tls);
    conns_remove(links->core->conns, link->conn); /* before the descriptor is somebody else's */
    (void)close(link->fd);
    *(link->prev ? &link->prev->next : &hub->first) = link->next;
    if (link->next)
        link->next->prev = link->prev;
    link->state = LINK_GONE;
    if (!atomic_load(&link->task.posted))
        loop_later(hub->loop, free_link, link);
    atomic_fetch_sub(&links->n_open, 1);
}

/* ---- the answer ---- */

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *words;
    } reasons[] = {{200, "OK"},
                   {201, "Created"},
                   {202, "Accepted"},
                   {204, "No Content"},
                   {206, "Partial Content"},
                   {301, "Moved Permanently"},
                   {302, "Found"},
                   {303, "See Other"},
                   {304, "Not Modified"},
                   {400, "Bad Request"},
                   {401, "Unauthorized"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {408, "Request Timeout"},
                   {409, "Conflict"},
                   {412, "Precondition Failed"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {415, "Unsupported Media Type"},
                   {416, "Range Not Satisfiable"},
                   {422, "Unprocessable Content"},
                   {429, "Too Many Requests"},
                   {431, "Request Header Fields Too Large"},
                   {500, "Internal Server Error"},
                   {501, "Not Implemented"},
                   {502, "Bad Gateway"},
                   {503, "Service Unavailable"},
                   {504, "Gateway Timeout"}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (reasons[i].status == status)
            return reasons[i].words;
    return "Answer";
}

/* "Date: Sun, 22 Nov 2026 05:00:00 GMT\r\n", made once a second by each thread and looked at ten
 * times. */
static struct str date_line(int64_t mono_ns)
{
    static _Thread_local char line[48];
    static _Thread_local size_t len;
    static _Thread_local time_t made;
    static _Thread_local int64_t looked_ns;
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t;
    if (len && mono_ns - looked_ns < DATE_NS)
        return (struct str){line, len};
    looked_ns = mono_ns;
    time_t now = time_now_ms() / 1000;
    if (now == made || !gmtime_r(&now, &t))
        return (struct str){line, len};
    made = now;
    int n = snprintf(line, sizeof line, "Date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
                     days + (size_t)t.tm_wday * 3, t.tm_mday % 100, months + (size_t)t.tm_mon * 3,
                     (t.tm_year + 1900) % 10000, t.tm_hour, t.tm_min, t.tm_sec);
    len = n > 0 && (size_t)n < sizeof line ? (size_t)n : 0;
    return (struct str){line, len};
}

static void count_answer(struct http_request *req)
{
    struct room_metrics *m = req->match.route ? req->match.route->metrics : room_metrics("http");
    int class = req->res.status / 100;
    req->answered_ns = time_mono_ns();
    metric_add(&m->by_class[class < 1 || class > 5 ? 5 : class], 1);
    metric_observe_us(&m->seconds, (req->answered_ns - req->start_ns) / 1000);
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/* A stream that there is no room for becomes a problem; done() is called all the same. */
static void begin_stream(struct http_request *req)
{
    struct why why = {0};
    enum err err = streams_begin(req->core->streams, req->stream, &why);
    if (err) {
        response_problem(&req->res, err, &why);
        response_finish(&req->res);
    }
}

static void put_piece(struct link *link, struct str piece)
{
    if (piece.len > 0)
        link->out[link->n_out++] = piece;
}

static char *put(char *at, struct str s)
{
    memcpy(at, s.ptr, s.len);
    return at + s.len;
}

/* Of the lines that are not the handler's: status, date, length, connection. */
#define HEAD_MOST 256

static size_t head_size(const struct http_response *res)
{
    size_t n = HEAD_MOST;
    for (const struct http_header *h = res->headers; h; h = h->next)
        n += h->name.len + h->value.len + 4;
    return n;
}

static char *put_headers(struct link *link, char *at)
{
    for (const struct http_header *h = link->req->res.headers; h; h = h->next) {
        at = put(at, h->name);
        *at++ = ':';
        *at++ = ' ';
        at = put(at, h->value);
        *at++ = '\r';
        *at++ = '\n';
        if (message_same_name(h->name, "Connection"))
            link->close_after |= message_lists(h->value, "close");
    }
    return at;
}

/* The head, and a small body right behind it. */
static bool put_head(struct link *link, uint64_t length, bool chunked, struct str body)
{
    struct http_request *req = link->req;
    const struct http_response *res = &req->res;
    char room[STR_I64];
    char *start = arena_bytes(req->arena, head_size(res) + body.len), *at = start;
    if (!start)
        return false;
    at = put(at, STR("HTTP/1.1 "));
    at = put(at, str_of_i64(res->status, room));
    *at++ = ' ';
    at = put(at, str_c(reason(res->status)));
    at = put(at, STR("\r\n"));
    at = put(at, date_line(req->answered_ns));
    at = put_headers(link, at);
    if (chunked) {
        at = put(at, STR("Transfer-Encoding: chunked\r\n"));
    } else if (length != UINT64_MAX && !has_no_body(res->status)) {
        at = put(at, STR("Content-Length: "));
        at = put(at, str_of_i64((int64_t)length, room));
        at = put(at, STR("\r\n"));
    }
    if (link->close_after && !response_header(res, "Connection"))
        at = put(at, STR("Connection: close\r\n"));
    at = put(at, STR("\r\n"));
    if (body.len)
        at = put(at, body);
    put_piece(link, (struct str){start, (size_t)(at - start)});
    return true;
}

static bool put_answer(struct link *link)
{
    struct http_request *req = link->req;
    struct http_response *res = &req->res;
    bool stream = res->kind == SEND_STREAM && !req->head_only;
    bool file = res->kind == SEND_FILE && res->status != 304 && res->status != 416;
    bool old = str_eq_c(req->version, "HTTP/1.0");
    link->n_out = 0;
    if (stream) {
        link->in_stream = true;
        link->close_after |= old;
        return put_head(link, UINT64_MAX, !old, STR(""));
    }
    req->sent_bytes = file ? res->file_len : res->body.len;
    bool none = req->head_only || has_no_body(res->status);
    bool join = !none && !file && res->body.len <= JOIN_MOST;
    if (!put_head(link, req->sent_bytes, false, join ? res->body : STR("")))
        return false;
    if (none || join)
        return true;
    if (file) {
        link->file = res->fd;
        link->file_at = (off_t)res->file_start;
        link->file_left = res->file_len;
    } else {
        put_piece(link, res->body);
    }
    return true;
}

/* Begins to send what the response holds. */
static void reply(struct link *link)
{
    struct http_request *req = link->req;
    struct http_response *res = &req->res;
    if (res->kind == SEND_STREAM && !req->head_only)
        begin_stream(req);
    count_answer(req);
    if (!put_answer(link) || !enter_state(link, res->kind == SEND_STREAM ? CONN_WORK : CONN_SEND)) {
        close_link(link);
        return;
    }
    conn_sends(link->conn, req->sent_bytes);
    req->phase = PHASE_SENT;
    link->state = LINK_SEND;
}

static void decide(struct http_request *req, enum err err, int status, const struct why *why)
{
    response_problem_status(&req->res, err, status ? status : err_http(err), why);
    response_finish(&req->res);
}

/* Answered before the whole request was read: the connection ends with it. */
static void refuse(struct link *link)
{
    http_set_header(&link->req->res, "Connection", "close");
    link->close_after = link->linger = true;
    reply(link);
}

/* ---- sending ---- */

/* Bytes that went; 0: the client takes none now; -1: it is gone. */
static ssize_t send_pieces(struct link *link)
{
    struct iovec parts[MOST_PIECES];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = link->n_out};
    ssize_t n;
    if (link->tls)
        return tls_send(link->tls, link->out[0].ptr, link->out[0].len);
    int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (link->file_left ? MSG_MORE : 0);
    for (size_t i = 0; i < link->n_out; i++)
        parts[i] = (struct iovec){(void *)(uintptr_t)link->out[i].ptr, link->out[i].len};
    do {
        n = link->n_out == 1 ? send(link->fd, parts[0].iov_base, parts[0].iov_len, flags)
                             : sendmsg(link->fd, &message, flags);
    } while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : n;
}

static void cut_off(struct link *link, size_t n)
{
    size_t done = 0;
    while (done < link->n_out && n >= link->out[done].len)
        n -= link->out[done++].len;
    link->n_out -= done;
    memmove(link->out, link->out + done, link->n_out * sizeof link->out[0]);
    if (link->n_out)
        link->out[0] = str_from(link->out[0], n);
}

static ssize_t send_file_plain(struct link *link)
{
    size_t most = link->file_left < (uint64_t)1 << 20 ? (size_t)link->file_left : (size_t)1 << 20;
    ssize_t n;
    do {
        n = sendfile(link->fd, link->file, &link->file_at, most);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        return -1; /* the file has become shorter */
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : n;
}

static ssize_t send_file_tls(struct link *link)
{
    char piece[FILE_PIECE];
    size_t most = link->file_left < sizeof piece ? (size_t)link->file_left : sizeof piece;
    ssize_t n = pread(link->file, piece, most, link->file_at);
    if (n <= 0)
        return -1;
    n = tls_send(link->tls, piece, (size_t)n); /* after "none now" it is given the same again */
    if (n > 0)
        link->file_at += n;
    return n;
}

/* 1: all went; 0: the client takes no more now; -1: it is gone. */
static int send_all(struct link *link)
{
    while (link->n_out > 0 || link->file_left > 0) {
        bool pieces = link->n_out > 0;
        ssize_t n = pieces      ? send_pieces(link)
                    : link->tls ? send_file_tls(link)
                                : send_file_plain(link);
        if (n <= 0)
            return (int)n;
        if (pieces)
            cut_off(link, (size_t)n);
        else
            link->file_left -= (uint64_t)n;
        if (link->stuck) /* it moves */
            (void)enter_state(link, CONN_SEND);
    }
    return 1;
}

static void put_part(struct link *link, struct str data, bool end)
{
    char *at = link->chunk_head + sizeof link->chunk_head;
    link->req->sent_bytes += data.len;
    link->in_stream = !end;
    if (str_eq_c(link->req->version, "HTTP/1.0")) {
        put_piece(link, data);
        return;
    }
    if (data.len > 0) {
        *--at = '\n';
        *--at = '\r';
        for (size_t n = data.len; n > 0; n >>= 4)
            *--at = "0123456789abcdef"[n & 15];
        put_piece(link,
                  (struct str){at, (size_t)(link->chunk_head + sizeof link->chunk_head - at)});
        put_piece(link, data);
        put_piece(link, end ? STR("\r\n0\r\n\r\n") : STR("\r\n"));
    } else if (end) {
        put_piece(link, STR("0\r\n\r\n"));
    }
}

/* The next bytes of a stream, its end, or the question for more. */
static void stream_more(struct link *link)
{
    struct http_stream *stream = link->req->stream;
    struct core *core = link->req->core;
    struct str data = stream_take(stream);
    if (data.len == 0 && !stream->end && !atomic_load(&core->cutting)) {
        link->state = LINK_WORK;
        if (!stream->here) {
            streams_ask(core->streams, stream);
            return;
        }
        if (!streams_ask_here(core->streams, stream))
            return;
        link->state = LINK_SEND;
        data = stream_take(stream);
    }
    put_part(link, data, stream->end || (data.len == 0 && atomic_load(&core->cutting)));
}

/* After the last byte of an answer: the next request, or the end. */
static void answered(struct link *link)
{
    end_request(link, true);
    if (link->close_after && link->linger && !link->ended) {
        tls_session_bye(link->tls);
        (void)shutdown(link->fd, SHUT_WR);
        (void)enter_state(link, CONN_BODY);
        link->state = LINK_LINGER;
        carry_set(&link->carry, STR_NONE);
    } else if (link->close_after) {
        tls_session_bye(link->tls);
        close_link(link);
    } else {
        link->state = LINK_HEAD;
        link->hungry = false;
        link->seen = 0;
        if (link->carry.len == 0)
            carry_free(&link->carry);
    }
}

static void send_step(struct link *link)
{
    int rc = send_all(link);
    if (rc < 0) {
        close_link(link);
    } else if (rc == 0) {
        if (!link->stuck && link->req->stream) { /* from here on the keeper looks after it */
            (void)enter_state(link, CONN_SEND);
            conn_sends(link->conn, HTTP_STREAM_MOST);
        }
        link->stuck = true;
    } else {
        if (link->stuck && link->req->stream)
            (void)enter_state(link, CONN_WORK);
        link->stuck = false;
        if (link->in_stream)
            stream_more(link);
        else
            answered(link);
    }
}

/* ---- the request ---- */

/* Whole: answered here when that cannot block, else handed to a worker. */
static void submit(struct link *link)
{
    struct http_request *req = link->req;
    struct core *core = req->core;
    struct why why = {0};
    bool ready;
    enum err err;
    if (!enter_state(link, CONN_WORK)) {
        close_link(link);
        return;
    }
    link->state = LINK_WORK;
    if (request_dispatch_quick(req)) {
        reply(link);
        return;
    }
    if (request_dispatch_here(req, &ready)) {
        if (ready)
            reply(link);
        return; /* else it is held, and may have been let go already: see on_task */
    }
    if (atomic_fetch_add(&core->n_waiting, 1) < core->limits.most_waiting) {
        req->phase = PHASE_WAIT;
        req->queued_ns = time_mono_ns();
        if (queue_push(core->work, req, 0) == ERR_OK)
            return;
        err = err_set(&why, ERR_UNAVAILABLE, "the centre is stopping");
    } else {
        err = err_set(&why, ERR_BUSY, "too many requests are waiting");
    }
    atomic_fetch_sub(&core->n_waiting, 1);
    decide(req, err, 0, &why);
    reply(link);
}

static void say_continue(struct link *link)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ssize_t n = link->tls ? tls_send(link->tls, text, sizeof text - 1)
                          : send(link->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n != (ssize_t)sizeof text - 1)
        close_link(link); /* its buffer is full before the first answer */
}

/* The head, copied into the request's memory, so that the bytes that follow have their room. */
static enum err parse(struct http_request *req, struct str bytes, struct why *why)
{
    struct message_head head;
    struct str text = str_copy(req->arena, bytes);
    if (!text.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the request");
    enum err err = message_head_parse(text, req->arena, &head, why);
    if (!err)
        err = message_request_line(head.first, &req->method, &req->raw_target, &req->version, why);
    if (err)
        return err;
    req->headers = head.headers;
    req->n_headers = head.n;
    return ERR_OK;
}

static bool wants_close(struct http_request *req)
{
    for (size_t i = 0; i < req->n_headers; i++)
        if (message_same_name(req->headers[i].name, "Connection") &&
            message_lists(req->headers[i].value, "close"))
            return true;
    return str_eq_c(req->version, "HTTP/1.0");
}

static struct http_request *new_request(struct link *link)
{
    struct core *core = link->hub->links->core;
    struct http_request *req = request_new(core, STR("/"));
    if (!req)
        return NULL;
    req->conn = link->conn;
    req->link = link;
    link->req = req;
    link->close_after = link->linger = link->in_stream = link->stuck = false;
    link->file_left = 0;
    atomic_fetch_add(&core->n_requests, 1);
    return req;
}

/* A head has come. */
static void begin(struct link *link, struct str bytes)
{
    struct http_request *req = new_request(link);
    struct why why = {0};
    bool close_it = true;
    if (!req || !enter_state(link, CONN_BODY)) {
        close_link(link);
        return;
    }
    enum err err = parse(req, bytes, &why);
    if (!err) {
        link->close_after = wants_close(req);
        err = request_begin(req, &link->conn->peer, &close_it, &why);
    }
    if (err) {
        bool long_target =
            err == ERR_HEADER_TOO_LARGE && req->raw_target.len > req->core->limits.target_bytes;
        decide(req, err, long_target ? 414 : 0, &why);
        if (close_it || req->has_body)
            refuse(link);
        else
            reply(link);
        return;
    }
    if (!req->match.route && request_dispatch_quick(req)) {
        if (req->has_body)
            refuse(link);
        else
            reply(link);
        return;
    }
    req->phase = PHASE_BODY;
    link->state = LINK_BODY;
    link->body_left = req->declared > 0 ? (uint64_t)req->declared : 0;
    link->chunks = (struct chunks){0};
    if (!req->has_body)
        submit(link);
    else if (req->expects_continue)
        say_continue(link);
}

/* There is no end of a head within the limits. */
static void refuse_head(struct link *link, bool in_line)
{
    const struct limits *limits = &link->hub->links->core->limits;
    struct http_request *req = new_request(link);
    struct why why = {0};
    if (!req || !enter_state(link, CONN_BODY)) {
        close_link(link);
        return;
    }
    (void)snprintf(req->request_id, sizeof req->request_id, "%s", "none");
    if (in_line)
        (void)err_set(&why, ERR_HEADER_TOO_LARGE, "the address is longer than %zu bytes",
                      limits->target_bytes);
    else
        (void)err_set(&why, ERR_HEADER_TOO_LARGE, "the headers are larger than %zu bytes",
                      limits->header_bytes);
    decide(req, ERR_HEADER_TOO_LARGE, in_line ? 414 : 0, &why);
    refuse(link);
}

static void take_head(struct link *link, struct str *in)
{
    const struct limits *limits = &link->hub->links->core->limits;
    if (link->seen == 0)
        while (in->len > 0 && (in->ptr[0] == '\r' || in->ptr[0] == '\n'))
            *in = str_from(*in, 1); /* empty lines before a request: RFC 9112 2.2 */
    if (in->len == 0) {
        link->hungry = true;
        return;
    }
    size_t end = message_head_end(*in, &link->seen);
    size_t most = limits->header_bytes + limits->target_bytes + LINE_OVERHEAD;
    if (end) {
        struct str head = str_slice(*in, 0, end);
        *in = str_from(*in, end);
        link->seen = 0;
        begin(link, head);
    } else if (in->len > most || (in->len > limits->target_bytes + LINE_OVERHEAD &&
                                  !memchr(in->ptr, '\n', in->len))) {
        refuse_head(link, !memchr(in->ptr, '\n', in->len));
    } else {
        if (atomic_load(&link->conn->state) == CONN_IDLE)
            (void)enter_state(link, CONN_HEAD);
        link->hungry = true;
    }
}

/* Body bytes that lie in *in. True: the body is whole. */
static bool next_data(struct link *link, struct str *in, struct str *data, bool *bad)
{
    *data = STR_NONE;
    if (link->req->chunked) {
        enum chunk kind = chunks_take(&link->chunks, in, data);
        *bad = kind == CHUNK_BAD;
        return kind == CHUNK_END;
    }
    *data = str_slice(*in, 0, link->body_left < in->len ? (size_t)link->body_left : in->len);
    *in = str_from(*in, data->len);
    link->body_left -= data->len;
    return link->body_left == 0;
}

/* A worker writes what has come to the file; the rest waits. */
static bool flush_first(struct link *link)
{
    struct http_request *req = link->req;
    if (!request_to_file(req) || req->body_len < BODY_PART)
        return false;
    req->flush = true;
    link->state = LINK_WORK;
    if (queue_push(req->core->work, req, 0) != ERR_OK) {
        req->flush = false;
        close_link(link);
    }
    return true;
}

static void take_body(struct link *link, struct str *in)
{
    struct http_request *req = link->req;
    struct why why = {0};
    struct str data;
    bool bad = false, whole = false;
    while (!whole) {
        if (flush_first(link))
            return;
        if (in->len == 0) {
            link->hungry = true;
            return;
        }
        whole = next_data(link, in, &data, &bad);
        atomic_fetch_add(&link->conn->received, (int64_t)data.len);
        enum err err = bad        ? err_set(&why, ERR_INVALID, "the body is not chunked as it says")
                       : data.len ? request_body_add(req, data, &why)
                                  : ERR_OK;
        if (err) {
            decide(req, err, 0, &why);
            refuse(link);
            return;
        }
    }
    submit(link);
}

/* ---- receiving ---- */

static void take(struct link *link, struct str in)
{
    link->hungry = false;
    while (!link->hungry && (link->state == LINK_HEAD || link->state == LINK_BODY)) {
        if (link->state == LINK_HEAD)
            take_head(link, &in);
        else
            take_body(link, &in);
    }
    if (link->state == LINK_GONE)
        return;
    if (link->state == LINK_SEND && link->linger)
        in = STR_NONE;
    if (!carry_set(&link->carry, in))
        close_link(link);
}

/* Bytes that were read; 0: none now; -1: the end. */
static ssize_t read_some(struct link *link, char *out, size_t most)
{
    ssize_t n;
    if (link->tls) {
        n = tls_recv(link->tls, out, most);
        link->readable = n > 0;
        return n;
    }
    do {
        n = recv(link->fd, out, most, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        link->readable = false;
        return 0;
    }
    link->readable = (size_t)n == most || link->ended;
    return n <= 0 ? -1 : n;
}

/* One read, or what was read before; false: there is nothing. */
static bool receive(struct link *link)
{
    char *scratch = loop_scratch(link->hub->loop);
    if (link->carry.len > 0 && !link->hungry) {
        take(link, (struct str){link->carry.ptr, link->carry.len});
        return true;
    }
    if (!link->readable)
        return false;
    ssize_t n = read_some(link, scratch, LOOP_SCRATCH);
    if (n == 0)
        return false;
    if (n < 0)
        close_link(link);
    else if (link->carry.len == 0)
        take(link, (struct str){scratch, (size_t)n});
    else if (carry_add(&link->carry, (struct str){scratch, (size_t)n}))
        take(link, (struct str){link->carry.ptr, link->carry.len});
    else
        close_link(link);
    return true;
}

static bool linger(struct link *link)
{
    if (!link->readable)
        return false;
    ssize_t n = read_some(link, loop_scratch(link->hub->loop), LOOP_SCRATCH);
    if (n > 0) {
        link->lingered += (uint64_t)n;
        atomic_fetch_add(&link->conn->received, n);
    }
    if (n < 0 || link->lingered > LINGER_MOST)
        close_link(link);
    return n != 0;
}

static bool shake(struct link *link)
{
    int rc = tls_shake(link->tls);
    if (rc < 0)
        close_link(link);
    else if (rc > 0)
        link->state = LINK_HEAD;
    if (rc > 0)
        (void)enter_state(link, CONN_IDLE);
    link->readable = true;
    return rc != 0;
}

/* ---- the loop of one connection ---- */

/* As far as it goes without waiting. */
static void go(struct link *link)
{
    for (int turns = 0; turns < TURNS * 4; turns++) {
        switch (link->state) {
        case LINK_SHAKE:
            if (!shake(link))
                return;
            break;
        case LINK_HEAD:
        case LINK_BODY:
            if (!receive(link))
                return;
            break;
        case LINK_SEND:
            send_step(link);
            if (link->state == LINK_SEND && link->stuck)
                return;
            break;
        case LINK_LINGER:
            if (!linger(link))
                return;
            break;
        default: /* LINK_NEW, LINK_WORK, LINK_GONE */
            return;
        }
    }
    (void)loop_post(link->hub->loop, &link->task); /* others have waited long enough */
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct link *link = (struct link *)(void *)source;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        link->ended = true;
        atomic_store(&link->conn->hung_up, true);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        link->readable = true;
    go(link);
}

/* The request came back: with an answer, with bytes of its stream, or its body is to go on. */
static void come_back(struct link *link)
{
    struct http_request *req = link->req;
    if (req->phase == PHASE_BODY) {
        link->state = LINK_BODY;
        link->hungry = false;
    } else if (req->phase == PHASE_DRAIN) {
        refuse(link);
    } else if (req->phase == PHASE_SENT) {
        link->state = LINK_SEND;
        stream_more(link);
    } else {
        reply(link);
    }
}

static void enter(struct link *link)
{
    struct hub *hub = link->hub;
    link->next = hub->first;
    if (hub->first)
        hub->first->prev = link;
    hub->first = link;
    link->state = link->tls ? LINK_SHAKE : LINK_HEAD;
    if (link->tls)
        (void)enter_state(link, CONN_HEAD);
    if (hub->closing || loop_watch(hub->loop, link->fd, &link->source, NULL) != ERR_OK)
        close_link(link);
}

static void on_task(struct loop_task *task)
{
    struct link *link = (struct link *)(void *)((char *)task - offsetof(struct link, task));
    if (link->state == LINK_GONE) {
        loop_later(link->hub->loop, free_link, link);
        return;
    }
    if (link->state == LINK_NEW) {
        enter(link);
        return;
    }
    if (link->state == LINK_WORK && atomic_exchange(&link->returned, false)) {
        if (link->hub->closing) {
            close_link(link);
            return;
        }
        come_back(link);
    }
    go(link);
}

void link_resume(struct http_request *req)
{
    struct link *link = req->link;
    struct loop *loop = link->hub->loop;
    atomic_store(&link->returned, true);
    loop_post(loop, &link->task);
}

/* ---- those that come ---- */

static void add(struct links *links, int fd, const struct sockaddr *peer)
{
    struct core *core = links->core;
    struct link *link = conns_admit(core->conns, peer) ? calloc(1, sizeof *link) : NULL;
    int one = 1;
    if (link)
        link->conn = conns_add(core->conns, fd, peer);
    if (!link || !link->conn || (core->tls && !(link->tls = tls_session_new(core->tls, fd)))) {
        if (link)
            conns_remove(core->conns, link->conn);
        free(link);
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    link->source.ready = on_ready;
    link->task.run = on_task;
    link->fd = fd;
    link->hub = &links->hubs[links->turn++ % links->n];
    atomic_fetch_add(&links->n_open, 1);
    loop_post(link->hub->loop, &link->task);
}

static void accept_all(struct links *links)
{
    links->again = false;
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t len = sizeof peer;
        int fd = accept4(links->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            add(links, fd, (struct sockaddr *)&peer);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            links->again = true; /* those that wait are looked at when somebody has left */
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (links->again)
            return;
    }
}

static void on_listener(struct loop_source *source, uint32_t events)
{
    (void)events;
    accept_all((struct links *)(void *)source);
}

static void on_tick(struct loop_tick *tick, int64_t now_ns)
{
    struct links *links = (struct links *)(void *)((char *)tick - offsetof(struct links, tick));
    (void)now_ns;
    if (links->again)
        accept_all(links);
}

/* ---- open, close ---- */

struct opening {
    struct links *links;
    enum err err;
    struct why *why;
};

static void open_hub(void *ctx, size_t i)
{
    struct opening *opening = ctx;
    struct links *links = opening->links;
    if (i != 0)
        return;
    opening->err = loop_watch(links->hubs[0].loop, links->fd, &links->source, opening->why);
    if (!opening->err)
        loop_tick_add(links->hubs[0].loop, &links->tick);
}

enum err links_open(struct core *core, struct http_loops *loops, int fd, struct links **out,
                    struct why *why)
{
    struct links *links = calloc(1, sizeof *links);
    struct opening opening = {.links = links, .why = why};
    if (!links)
        return err_set(why, ERR_NO_MEMORY, "could not hold the connections");
    *links = (struct links){.source.ready = on_listener,
                            .tick.tick = on_tick,
                            .core = core,
                            .loops = loops,
                            .fd = fd,
                            .n = loops_count(loops)};
    for (size_t i = 0; i < links->n; i++)
        links->hubs[i] = (struct hub){.links = links, .loop = loops_at(loops, i)};
    loops_each(loops, open_hub, &opening);
    if (opening.err) {
        free(links);
        return opening.err;
    }
    *out = links;
    return ERR_OK;
}

static void refuse_hub(void *ctx, size_t i)
{
    struct links *links = ctx;
    if (i != 0 || links->fd < 0)
        return;
    loop_forget(links->hubs[0].loop, links->fd, &links->source);
    loop_tick_remove(links->hubs[0].loop, &links->tick);
    links->fd = -1;
}

void links_refuse(struct links *links)
{
    loops_each(links->loops, refuse_hub, links);
}

static void close_hub(void *ctx, size_t i)
{
    struct hub *hub = &((struct links *)ctx)->hubs[i];
    hub->closing = true;
    for (struct link *link = hub->first, *next; link; link = next) {
        next = link->next;
        if (link->state != LINK_WORK)
            close_link(link);
    }
}

void links_close(struct links *links)
{
    if (!links)
        return;
    do {
        loops_each(links->loops, close_hub, links);
        if (atomic_load(&links->n_open) > 0)
            time_sleep_ms(1);
    } while (atomic_load(&links->n_open) > 0);
    loops_each(links->loops, close_hub, links); /* what was freed later is freed now */
    free(links);
}
