/*
 * Calls over sockets of our own: http:// to an address in numbers, on the event threads. A call
 * that is begun on one of them stays there, so that a request is read, passed on, answered and
 * sent back without another thread.
 */
#include "http/calls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "core/time.h"
#include "http/loop.h"
#include "http/message.h"

#define MOST_LANES    64
#define MOST_HOST     64
#define IDLE_NS       60000000000LL /* a kept connection is closed after so long */
#define IDLE_CHECK_NS 1000000000LL
#define JOIN_MOST     ((size_t)8 << 10) /* a body that is sent in one piece with its head */
#define NS_A_MS       1000000

struct wire { /* a connection */
    struct loop_source source;
    struct lane *lane;
    struct sockaddr_in6 at; /* IPv4 too, its first bytes */
    int fd;
    struct lean_call *call;                /* NULL: idle */
    bool connected, readable, ended, kept; /* ended: the other side will send no more */
    bool in_body;
    struct message_body body;
    uint64_t left;
    struct chunks chunks;
    struct carry carry; /* bytes that were read and not yet understood or taken */
    size_t seen;
    int64_t idle_ns;
    struct wire *next; /* idle ones of the lane, the last used first */
};

struct lean_call {
    struct http_asked asked;
    struct loop_task task;
    struct lane *lane;
    atomic_uint todo;
    struct sockaddr_in6 at;
    const char *host, *path; /* in ask.url */
    size_t host_len;

    /* the event thread's */
    struct wire *wire;
    struct str head, body;        /* a small body is part of the head */
    size_t sent;                  /* of head and body */
    bool begun, over, got, again; /* got: bytes of an answer; again: it was begun anew */
    struct lean_call *prev, *next;
};

struct lane { /* one a loop */
    struct loop_tick tick;
    struct lean *lean;
    struct loop *loop;
    struct lean_call *first;
    struct wire *idle;
    size_t n_idle;
    int64_t checked_ns;
    bool ticking;

    pthread_mutex_t lock;
    bool closed;
};

struct lean {
    struct http_loops *loops;
    size_t most_idle, n;
    bool started;
    struct lane lanes[MOST_LANES];
};

static void go_on(struct wire *wire);
static void begin(struct lean_call *call);

/* ---- what another thread wants ---- */

bool lean_do(struct http_asked *asked, unsigned todo)
{
    struct lean_call *call = (struct lean_call *)(void *)asked;
    struct lane *lane = call->lane;
    pthread_mutex_lock(&lane->lock);
    bool closed = lane->closed;
    if (!closed && atomic_fetch_or(&call->todo, todo) == 0) {
        call_ref(asked);
        loop_post(lane->loop, &call->task);
    }
    pthread_mutex_unlock(&lane->lock);
    return !closed;
}

/* ---- connections ---- */

static void free_wire(void *arg)
{
    struct wire *wire = arg;
    carry_free(&wire->carry);
    free(wire);
}

static void close_wire(struct wire *wire)
{
    loop_forget(wire->lane->loop, wire->fd, &wire->source);
    (void)close(wire->fd);
    wire->fd = -1;
    loop_later(wire->lane->loop, free_wire, wire);
}

static void forget_idle(struct wire *wire)
{
    for (struct wire **at = &wire->lane->idle; *at; at = &(*at)->next)
        if (*at == wire) {
            *at = wire->next;
            wire->lane->n_idle--;
            return;
        }
}

static void keep_wire(struct wire *wire)
{
    struct lane *lane = wire->lane;
    if (lane->n_idle >= lane->lean->most_idle || lane->closed) {
        close_wire(wire);
        return;
    }
    carry_free(&wire->carry);
    wire->kept = true;
    wire->call = NULL;
    wire->idle_ns = loop_now_ns(lane->loop);
    wire->next = lane->idle;
    lane->idle = wire;
    lane->n_idle++;
}

static bool same_place(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* One that was used last is the least likely to have been closed by the other side. */
static struct wire *take_idle(struct lane *lane, const struct sockaddr_in6 *at)
{
    for (struct wire **w = &lane->idle; *w; w = &(*w)->next) {
        struct wire *wire = *w;
        if (!same_place(&wire->at, at))
            continue;
        *w = wire->next;
        lane->n_idle--;
        return wire;
    }
    return NULL;
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct wire *wire = (struct wire *)(void *)source;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        wire->ended = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        wire->readable = true;
    if (!wire->call) { /* idle: whatever comes, it is no answer of ours */
        if (wire->readable) {
            forget_idle(wire);
            close_wire(wire);
        }
        return;
    }
    go_on(wire);
}

static struct wire *connect_wire(struct lean_call *call)
{
    struct wire *wire = calloc(1, sizeof *wire);
    int one = 1;
    if (!wire)
        return NULL;
    socklen_t len =
        call->at.sin6_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    *wire = (struct wire){.source.ready = on_ready, .lane = call->lane, .at = call->at};
    wire->fd = socket(call->at.sin6_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (wire->fd < 0) {
        free(wire);
        return NULL;
    }
    (void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(wire->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    int rc = connect(wire->fd, (const struct sockaddr *)(const void *)&call->at, len);
    if ((rc != 0 && errno != EINPROGRESS) ||
        loop_watch(call->lane->loop, wire->fd, &wire->source, NULL) != ERR_OK) {
        int error = errno;
        (void)close(wire->fd);
        free(wire);
        errno = error;
        return NULL;
    }
    return wire;
}

/* ---- the end of a call ---- */

/* Everything is let go before end(), which may begin the next call. */
static void finish(struct lean_call *call, enum err err, bool keep)
{
    struct lane *lane = call->lane;
    struct wire *wire = call->wire;
    call->over = true;
    call->wire = NULL;
    if (wire && keep)
        keep_wire(wire);
    else if (wire)
        close_wire(wire);
    if (call->begun) {
        *(call->prev ? &call->prev->next : &lane->first) = call->next;
        if (call->next)
            call->next->prev = call->prev;
    }
    call_end(&call->asked, err);
}

static bool repeatable(const struct lean_call *call)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strcmp(call->asked.ask.method, methods[i]) == 0)
            return true;
    return call->asked.ask.repeatable || call->sent == 0;
}

/* A connection that was kept may have been closed by the other side while we wrote: then the call
 * is begun anew, once, on a fresh one, unless the other side may have acted on it already. */
static void broke(struct lean_call *call, const char *words, int error)
{
    struct wire *wire = call->wire;
    struct why *why = &call->asked.why;
    const char *of_system = error ? strerror(error) : "the connection was closed";
    if (wire->kept && !call->got && !call->again && repeatable(call)) {
        call->again = true;
        call->wire = NULL;
        close_wire(wire);
        begin(call);
        return;
    }
    finish(call, err_set(why, ERR_UNAVAILABLE, "%s: %s", words, of_system), false);
}

static void no_http(struct lean_call *call, const char *words)
{
    finish(call, err_set(&call->asked.why, ERR_UNAVAILABLE, "what came is not HTTP: %s", words),
           false);
}

/* ---- sending ---- */

static bool skipped(struct str header)
{
    static const struct str ours[] = {STR_INIT("Content-Length:"), STR_INIT("Transfer-Encoding:"),
                                      STR_INIT("Connection:"),     STR_INIT("Expect:"),
                                      STR_INIT("Upgrade:"),        STR_INIT("TE:")};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (header.len >= ours[i].len && strncasecmp(header.ptr, ours[i].ptr, ours[i].len) == 0)
            return true;
    return false;
}

static char *put(char *at, struct str s)
{
    memcpy(at, s.ptr, s.len);
    return at + s.len;
}

static char *put_headers(const struct lean_call *call, char *at)
{
    const struct http_ask *ask = &call->asked.ask;
    bool host = false;
    for (size_t i = 0; i < ask->n_headers; i++) {
        struct str header = str_c(ask->headers[i]);
        if (skipped(header))
            continue;
        host |= header.len >= 5 && strncasecmp(header.ptr, "Host:", 5) == 0;
        at = put(put(at, header), STR("\r\n"));
    }
    if (host)
        return at;
    at = put(at, STR("Host: "));
    at = put(at, (struct str){call->host, call->host_len});
    return put(at, STR("\r\n"));
}

/* Of the lines that are not the caller's: "Host: " and "Content-Length: ", version, trace. */
#define HEAD_MOST 256

static bool write_head(struct lean_call *call)
{
    const struct http_ask *ask = &call->asked.ask;
    struct str method = str_c(ask->method), path = str_c(call->path[0] ? call->path : "/");
    bool join = ask->body.len <= JOIN_MOST;
    char text[80];
    size_t most = HEAD_MOST + method.len + path.len + call->host_len;
    for (size_t i = 0; i < ask->n_headers; i++)
        most += strlen(ask->headers[i]) + 2;
    char *start = arena_bytes(ask->arena, most + (join ? ask->body.len : 0)), *at = start;
    if (!start)
        return false;
    at = put(at, method);
    *at++ = ' ';
    at = put(put(at, path), STR(" HTTP/1.1\r\n"));
    at = put_headers(call, at);
    if (ask->body.len > 0 || str_eq_c(method, "POST")) {
        at = put(at, STR("Content-Length: "));
        at = put(at, str_of_i64((int64_t)ask->body.len, text));
        at = put(at, STR("\r\n"));
    }
    call_trace(&call->asked, text);
    if (text[0])
        at = put(put(at, str_c(text)), STR("\r\n"));
    at = put(at, STR("Accept: */*\r\n\r\n"));
    if (join && ask->body.len)
        at = put(at, ask->body);
    call->head = (struct str){start, (size_t)(at - start)};
    call->body = join ? STR("") : ask->body;
    return true;
}

static bool all_sent(const struct lean_call *call)
{
    return call->sent == call->head.len + call->body.len;
}

/* False when the call is over or begun anew. */
static bool send_some(struct lean_call *call)
{
    struct str body = call->body;
    while (!all_sent(call)) {
        struct str h = str_from(call->head, call->sent);
        struct str b =
            call->sent > call->head.len ? str_from(body, call->sent - call->head.len) : body;
        struct iovec parts[2] = {{(void *)(uintptr_t)h.ptr, h.len},
                                 {(void *)(uintptr_t)b.ptr, b.len}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = b.len ? 2 : 1};
        int fd = call->wire->fd, flags = MSG_NOSIGNAL | MSG_DONTWAIT;
        ssize_t n = b.len ? sendmsg(fd, &message, flags) : send(fd, h.ptr, h.len, flags);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n < 0) {
            if (call->wire->connected && call->wire->readable)
                return true; /* an answer may have come before it broke */
            broke(call,
                  call->wire->connected ? "the answer broke off" : "could not reach the server",
                  errno);
            return false;
        }
        call->wire->connected = true;
        call->sent += (size_t)n;
    }
    return true;
}

/* ---- receiving ---- */

/* A head that is whole: false when the call is over. */
static bool take_head(struct lean_call *call, struct str text)
{
    struct http_asked *asked = &call->asked;
    struct wire *wire = call->wire;
    struct message_head head;
    struct why why = {0};
    int status;
    bool head_only = strcmp(asked->ask.method, "HEAD") == 0;
    buf_clear(&asked->lines);
    buf_add(&asked->lines, text);
    enum err err = buf_err(&asked->lines, &asked->why);
    if (!err)
        err = message_head_parse(buf_str(&asked->lines), asked->ask.arena, &head, &why);
    if (!err)
        err = message_answer(&head, head_only, &status, &wire->body, &why);
    if (err == ERR_INVALID || (!err && status == 101)) {
        buf_clear(&asked->lines);
        no_http(call, err ? why.text : "another protocol");
        return false;
    }
    if (err) {
        finish(call, err_set(&asked->why, err, "could not hold the answer"), false);
        return false;
    }
    asked->status = status;
    call_head(asked);
    wire->in_body = status >= 200;
    wire->left = wire->body.length;
    wire->chunks = (struct chunks){0};
    return true;
}

/* Takes heads out of *in until the body begins; false when the call is over. */
static bool take_heads(struct lean_call *call, struct str *in)
{
    struct wire *wire = call->wire;
    static const char begin_of[] = "HTTP/1.";
    while (!wire->in_body && in->len > 0) {
        size_t n = in->len < 7 ? in->len : 7;
        if (memcmp(in->ptr, begin_of, n) != 0) {
            no_http(call, "no status line of HTTP/1.1");
            return false;
        }
        size_t end = message_head_end(*in, &wire->seen);
        call->asked.header_bytes += end;
        if (call->asked.header_bytes + (end ? 0 : in->len) > CALL_HEADERS) {
            finish(call,
                   err_set(&call->asked.why, ERR_TOO_LARGE, "the answer's headers are too large"),
                   false);
            return false;
        }
        if (!end)
            return true;
        wire->seen = 0;
        if (!take_head(call, str_slice(*in, 0, end)))
            return false;
        *in = str_from(*in, end);
    }
    return true;
}

/* The next piece of the body. 1: *part is one; 0: *in is used up; 2: the body is whole; -1: what
 * came is no body. */
static int next_part(struct wire *wire, struct str *in, struct str *part)
{
    enum chunk kind;
    *part = STR_NONE;
    switch (wire->body.kind) {
    case BODY_NONE:
        return 2;
    case BODY_LENGTH:
        if (wire->left == 0)
            return 2;
        *part = str_slice(*in, 0, wire->left < in->len ? (size_t)wire->left : in->len);
        *part = str_slice(*part, 0, CALL_PART);
        wire->left -= part->len;
        break;
    case BODY_CHUNKED:
        for (struct str piece = str_slice(*in, 0, CALL_PART), rest = piece;;) {
            kind = chunks_take(&wire->chunks, &rest, part);
            *in = str_from(*in, piece.len - rest.len);
            if (kind == CHUNK_MORE && in->len > 0) {
                piece = rest = str_slice(*in, 0, CALL_PART);
                continue;
            }
            return kind == CHUNK_DATA ? 1 : kind == CHUNK_END ? 2 : kind == CHUNK_BAD ? -1 : 0;
        }
    default:
        *part = str_slice(*in, 0, CALL_PART);
    }
    *in = str_from(*in, part->len);
    return part->len > 0;
}

/* False when the call is over. What is not taken stays in *in. */
static bool take_body(struct lean_call *call, struct str *in)
{
    struct http_asked *asked = &call->asked;
    struct wire *wire = call->wire;
    struct str part;
    for (;;) {
        if (in->len > 0 && atomic_load(&asked->paused)) {
            asked->held = true;
            return true;
        }
        int kind = next_part(wire, in, &part);
        if (kind == 0)
            return true;
        if (kind < 0) {
            finish(call,
                   err_set(&asked->why, ERR_UNAVAILABLE, "the answer is not chunked as it says"),
                   false);
            return false;
        }
        if (kind == 2) {
            finish(call, ERR_OK, wire->body.keep && in->len == 0 && all_sent(call) && !wire->ended);
            return false;
        }
        enum err err = call_part(asked, part, loop_now_ns(call->lane->loop));
        if (err) {
            finish(call, err, false);
            return false;
        }
    }
}

/* False when the call is over. `in` is in the scratch or in the carry. */
static bool take(struct lean_call *call, struct str in)
{
    struct wire *wire = call->wire;
    if (!take_heads(call, &in))
        return false;
    if (wire->in_body && !take_body(call, &in))
        return false;
    if (carry_set(&wire->carry, in))
        return true;
    finish(call, err_set(&call->asked.why, ERR_NO_MEMORY, "could not hold the answer"), false);
    return false;
}

/* New bytes behind those that were held. */
static bool take_new(struct lean_call *call, struct str bytes)
{
    struct wire *wire = call->wire;
    call->got = true;
    if (wire->carry.len == 0)
        return take(call, bytes);
    if (carry_add(&wire->carry, bytes))
        return take(call, (struct str){wire->carry.ptr, wire->carry.len});
    finish(call, err_set(&call->asked.why, ERR_NO_MEMORY, "could not hold the answer"), false);
    return false;
}

static void other_side_ended(struct lean_call *call)
{
    struct wire *wire = call->wire;
    if (wire->in_body && wire->body.kind == BODY_TO_END)
        finish(call, ERR_OK, false);
    else
        broke(call,
              call->got || wire->connected ? "the answer broke off" : "could not reach the server",
              0);
}

static void receive(struct wire *wire)
{
    struct lean_call *call = wire->call;
    char *scratch = loop_scratch(wire->lane->loop);
    while (wire->readable && !call->asked.held) {
        ssize_t n = recv(wire->fd, scratch, LOOP_SCRATCH, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            wire->readable = false;
        } else if (n < 0) {
            broke(call, wire->connected ? "the answer broke off" : "could not reach the server",
                  errno);
            return;
        } else if (n == 0) {
            other_side_ended(call);
            return;
        } else {
            wire->readable = (size_t)n == LOOP_SCRATCH || wire->ended;
            if (!take_new(call, (struct str){scratch, (size_t)n}))
                return;
        }
    }
}

static void go_on(struct wire *wire)
{
    struct lean_call *call = wire->call;
    call_ref(&call->asked); /* it may end in between */
    if ((all_sent(call) || send_some(call)) && call->wire == wire)
        receive(wire);
    call_unref(&call->asked);
}

/* ---- the beginning ---- */

static void begin(struct lean_call *call)
{
    struct lane *lane = call->lane;
    call->sent = 0;
    struct wire *wire = call->again ? NULL : take_idle(lane, &call->at);
    if (!wire)
        wire = connect_wire(call);
    if (!wire) {
        enum err err = err_set(&call->asked.why, ERR_UNAVAILABLE, "could not reach the server: %s",
                               strerror(errno));
        finish(call, err, false);
        return;
    }
    wire->call = call;
    wire->in_body = false;
    wire->seen = 0;
    call->wire = wire;
    if (wire->kept)
        go_on(wire);
}

static void start(struct lean_call *call)
{
    struct lane *lane = call->lane;
    struct http_asked *asked = &call->asked;
    asked->begun_ns = asked->moved_ns = loop_now_ns(lane->loop);
    call->begun = true;
    call->next = lane->first;
    if (lane->first)
        lane->first->prev = call;
    lane->first = call;
    if (!lane->ticking) {
        lane->ticking = true;
        loop_tick_add(lane->loop, &lane->tick);
    }
    if (!write_head(call))
        finish(call, err_set(&asked->why, ERR_NO_MEMORY, "could not hold the call"), false);
    else
        begin(call);
}

static void resume(struct lean_call *call)
{
    struct wire *wire = call->wire;
    if (!wire || !call->asked.held || atomic_load(&call->asked.paused))
        return;
    call->asked.held = false;
    call->asked.moved_ns = time_mono_ns();
    struct str bytes = {wire->carry.ptr, wire->carry.len};
    if (take(call, bytes))
        receive(wire);
}

static void run(struct loop_task *task)
{
    struct lean_call *call =
        (struct lean_call *)(void *)((char *)task - offsetof(struct lean_call, task));
    unsigned todo = atomic_exchange(&call->todo, 0);
    if (todo & TODO_CANCEL && !call->over)
        finish(call, err_set(&call->asked.why, ERR_CANCELLED, "the call was cancelled"), false);
    else if (todo & TODO_START && !call->over)
        start(call);
    else if (todo & TODO_RESUME && !call->over)
        resume(call);
    call_unref(&call->asked);
}

/* ---- limits ---- */

static void check_call(struct lean_call *call, int64_t now_ns)
{
    struct http_asked *asked = &call->asked;
    int64_t limit_ms, age_ms = (now_ns - asked->begun_ns) / NS_A_MS;
    const char *words = call_passed(asked, now_ns, &limit_ms);
    if (words)
        finish(call,
               err_set(&asked->why, ERR_TIMEOUT, "%s within %lld ms", words, (long long)limit_ms),
               false);
    else if (call->wire && !call->wire->connected && asked->ask.connect_ms > 0 &&
             age_ms >= asked->ask.connect_ms)
        finish(call,
               err_set(&asked->why, ERR_TIMEOUT, "no connection within %lld ms",
                       (long long)asked->ask.connect_ms),
               false);
}

static void check_idle(struct lane *lane, int64_t now_ns)
{
    if (now_ns - lane->checked_ns < IDLE_CHECK_NS)
        return;
    lane->checked_ns = now_ns;
    for (struct wire **at = &lane->idle; *at;) {
        struct wire *wire = *at;
        if (now_ns - wire->idle_ns < IDLE_NS) {
            at = &wire->next;
            continue;
        }
        *at = wire->next;
        lane->n_idle--;
        close_wire(wire);
    }
}

static void on_tick(struct loop_tick *tick, int64_t now_ns)
{
    struct lane *lane = (struct lane *)(void *)tick;
    for (struct lean_call *call = lane->first, *next; call; call = next) {
        next = call->next;
        check_call(call, now_ns);
    }
    check_idle(lane, now_ns);
    if (!lane->first && !lane->idle) { /* nobody to look after: the loop may sleep */
        lane->ticking = false;
        loop_tick_remove(lane->loop, &lane->tick);
    }
}

/* ---- which calls are ours ---- */

struct place {
    struct sockaddr_in6 at;
    const char *host, *path; /* in the address */
    size_t host_len;
};

/* "http://1.2.3.4:80/path", "http://[::1]/path" */
static bool parse_url(const char *url, struct place *out)
{
    const char *host = url + 7, *end = host + strcspn(host, "/?#");
    char text[MOST_HOST];
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    size_t len = (size_t)(end - host);
    int64_t port = 80;
    if (strncasecmp(url, "http://", 7) != 0 || len == 0 || *end == '?' || *end == '#' ||
        strchr(end, '#') || strchr(end, ' '))
        return false;
    out->host = host;
    out->host_len = len;
    out->path = end;
    bool v6 = host[0] == '[';
    const char *close = v6 ? memchr(host, ']', len) : NULL;
    if (v6 && !close)
        return false;
    const char *colon = memchr(v6 ? close : host, ':', (size_t)(end - (v6 ? close : host)));
    if ((v6 && close + 1 != end && close + 1 != colon))
        return false;
    if (colon) {
        struct str digits = {colon + 1, (size_t)(end - colon - 1)};
        uint64_t n;
        if (!message_length(digits, &n) || n < 1 || n > 65535)
            return false;
        port = (int64_t)n;
    }
    struct str name = v6 ? (struct str){host + 1, (size_t)(close - host - 1)}
                         : (struct str){host, (size_t)((colon ? colon : end) - host)};
    if (name.len == 0 || name.len >= sizeof text)
        return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    if (v6) {
        out->at.sin6_family = AF_INET6;
        out->at.sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, text, &out->at.sin6_addr) == 1;
    }
    v4.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, text, &v4.sin_addr) != 1)
        return false;
    memcpy(&out->at, &v4, sizeof v4);
    return true;
}

struct http_asked *lean_call_new(struct lean *lean, const struct http_ask *ask, bool *no_memory)
{
    struct place place = {0};
    if (!message_token(str_c(ask->method)) || !parse_url(ask->url, &place))
        return NULL;
    struct lean_call *call = calloc(1, sizeof *call);
    struct loop *loop = loops_here(lean->loops);
    *no_memory = !call;
    if (!call)
        return NULL;
    call->at = place.at;
    call->host = place.host;
    call->host_len = place.host_len;
    call->path = place.path;
    if (!loop)
        loop = loops_next(lean->loops);
    for (size_t i = 0; i < lean->n; i++)
        if (lean->lanes[i].loop == loop)
            call->lane = &lean->lanes[i];
    call->task.run = run;
    return &call->asked;
}

/* ---- open, close ---- */

enum err lean_open(struct http_loops *loops, size_t most_idle, struct lean **out, struct why *why)
{
    struct lean *lean = calloc(1, sizeof *lean);
    if (!lean)
        return err_set(why, ERR_NO_MEMORY, "could not hold the calls");
    lean->loops = loops;
    lean->most_idle = most_idle;
    lean->n = loops_count(loops);
    for (size_t i = 0; i < lean->n; i++) {
        struct lane *lane = &lean->lanes[i];
        lane->lean = lean;
        lane->loop = loops_at(loops, i);
        lane->tick.tick = on_tick;
        pthread_mutex_init(&lane->lock, NULL);
    }
    *out = lean;
    return ERR_OK;
}

static void close_lane(void *ctx, size_t i)
{
    struct lane *lane = &((struct lean *)ctx)->lanes[i];
    pthread_mutex_lock(&lane->lock);
    lane->closed = true;
    pthread_mutex_unlock(&lane->lock);
    while (lane->first) {
        struct lean_call *call = lane->first;
        finish(call, err_set(&call->asked.why, ERR_CANCELLED, "the centre is stopping"), false);
    }
    while (lane->idle) {
        struct wire *wire = lane->idle;
        forget_idle(wire);
        close_wire(wire);
    }
    if (lane->ticking)
        loop_tick_remove(lane->loop, &lane->tick);
    lane->ticking = false;
}

/* Twice: calls that were posted before the lanes closed and had not begun are begun in between. */
void lean_close(struct lean *lean)
{
    if (!lean)
        return;
    loops_each(lean->loops, close_lane, lean);
    loops_each(lean->loops, close_lane, lean);
}

void lean_free(struct lean *lean)
{
    if (!lean)
        return;
    for (size_t i = 0; i < lean->n; i++)
        pthread_mutex_destroy(&lean->lanes[i].lock);
    free(lean);
}
