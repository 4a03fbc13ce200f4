/* Bytes that go: an answer, a file, the parts of a stream. */
#include "http/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "core/time.h"

#define FILE_PIECE ((size_t)16 << 10) /* over TLS */
#define DATE_NS    100000000
#define JOIN_MOST  ((size_t)8 << 10) /* a body that is sent in one piece with its head */

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

void link_reply(struct link *link)
{
    struct http_request *req = link->req;
    struct http_response *res = &req->res;
    if (res->kind == SEND_STREAM && !req->head_only)
        begin_stream(req);
    count_answer(req);
    if (!put_answer(link) || !link_enter(link, res->kind == SEND_STREAM ? CONN_WORK : CONN_SEND)) {
        link_close(link);
        return;
    }
    conn_sends(link->conn, req->sent_bytes);
    req->phase = PHASE_SENT;
    link->state = LINK_SEND;
}

void link_decide(struct http_request *req, enum err err, int status, const struct why *why)
{
    response_problem_status(&req->res, err, status ? status : err_http(err), why);
    response_finish(&req->res);
}

void link_refuse(struct link *link)
{
    http_set_header(&link->req->res, "Connection", "close");
    link->close_after = link->linger = true;
    link_reply(link);
}

/* ---- sending ---- */

/* Bytes that went; 0: the client takes none now; -1: it is gone. */
static ssize_t send_pieces(struct link *link)
{
    struct iovec parts[LINK_PIECES];
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
            (void)link_enter(link, CONN_SEND);
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

void link_stream_more(struct link *link)
{
    struct http_stream *stream = link->req->stream;
    struct core *core = link->req->core;
    assert(stream);
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
    link_end_request(link, true);
    if (link->close_after && link->linger && !link->ended) {
        tls_session_bye(link->tls);
        (void)shutdown(link->fd, SHUT_WR);
        (void)link_enter(link, CONN_BODY);
        link->state = LINK_LINGER;
        carry_set(&link->carry, STR_NONE);
    } else if (link->close_after) {
        tls_session_bye(link->tls);
        link_close(link);
    } else {
        link->state = LINK_HEAD;
        link->hungry = false;
        link->seen = 0;
        if (link->carry.len == 0)
            carry_free(&link->carry);
    }
}

void link_send(struct link *link)
{
    int rc = send_all(link);
    if (rc < 0) {
        link_close(link);
    } else if (rc == 0) {
        if (!link->stuck && link->req->stream) { /* from here on the keeper looks after it */
            (void)link_enter(link, CONN_SEND);
            conn_sends(link->conn, HTTP_STREAM_MOST);
        }
        link->stuck = true;
    } else {
        if (link->stuck && link->req->stream)
            (void)link_enter(link, CONN_WORK);
        link->stuck = false;
        if (link->in_stream)
            link_stream_more(link);
        else
            answered(link);
    }
}
