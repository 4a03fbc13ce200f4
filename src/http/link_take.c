/* Bytes that come: a head, a body, and the request handed on. */
#include "http/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "core/pool.h"
#include "core/time.h"

#define LINE_OVERHEAD 64 /* of a request line beside the target */

/* ---- the request ---- */

/* Whole: answered here when that cannot block, else handed to a worker. */
static void submit(struct link *link)
{
    struct http_request *req = link->req;
    struct core *core = req->core;
    struct why why = {0};
    bool ready;
    enum err err;
    if (!link_enter(link, CONN_WORK)) {
        link_close(link);
        return;
    }
    link->state = LINK_WORK;
    if (request_dispatch_quick(req)) {
        link_reply(link);
        return;
    }
    if (request_dispatch_here(req, &ready)) {
        if (ready)
            link_reply(link);
        return; /* else it is held, and may have been let go already: see link.c's on_task */
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
    link_decide(req, err, 0, &why);
    link_reply(link);
}

static void say_continue(struct link *link)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    ssize_t n = link->tls ? tls_send(link->tls, text, sizeof text - 1)
                          : send(link->fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n != (ssize_t)sizeof text - 1)
        link_close(link); /* its buffer is full before the first answer */
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
    if (!req || !link_enter(link, CONN_BODY)) {
        link_close(link);
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
        link_decide(req, err, long_target ? 414 : 0, &why);
        if (close_it || req->has_body)
            link_refuse(link);
        else
            link_reply(link);
        return;
    }
    if (!req->match.route && request_dispatch_quick(req)) {
        if (req->has_body)
            link_refuse(link);
        else
            link_reply(link);
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
    if (!req || !link_enter(link, CONN_BODY)) {
        link_close(link);
        return;
    }
    (void)snprintf(req->request_id, sizeof req->request_id, "%s", "none");
    if (in_line)
        (void)err_set(&why, ERR_HEADER_TOO_LARGE, "the address is longer than %zu bytes",
                      limits->target_bytes);
    else
        (void)err_set(&why, ERR_HEADER_TOO_LARGE, "the headers are larger than %zu bytes",
                      limits->header_bytes);
    link_decide(req, ERR_HEADER_TOO_LARGE, in_line ? 414 : 0, &why);
    link_refuse(link);
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
            (void)link_enter(link, CONN_HEAD);
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
        link_close(link);
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
            link_decide(req, err, 0, &why);
            link_refuse(link);
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
        link_close(link);
}

ssize_t link_read(struct link *link, char *out, size_t most)
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

bool link_receive(struct link *link)
{
    char *scratch = loop_scratch(link->hub->loop);
    if (link->carry.len > 0 && !link->hungry) {
        take(link, (struct str){link->carry.ptr, link->carry.len});
        return true;
    }
    if (!link->readable)
        return false;
    ssize_t n = link_read(link, scratch, LOOP_SCRATCH);
    if (n == 0)
        return false;
    struct str got = {scratch, n < 0 ? 0 : (size_t)n};
    if (n < 0 || (link->carry.len > 0 && !carry_add(&link->carry, got)))
        link_close(link);
    else
        take(link, link->carry.len > 0 ? (struct str){link->carry.ptr, link->carry.len} : got);
    return true;
}
