/*
 * http/inside - what the files of this room share. Nobody else includes it but the room's tests,
 * fuzz targets and benchmarks.
 *
 *     server.c   configuration, start and stop, workers
 *     links.c    connections: link.h says which file does what with one
 *     loop.c     event threads, for links and lean.c      message.c  HTTP/1.1 as bytes
 *     conns.c    who is connected, counts and deadlines (the keeper thread)
 *     target.c   the request target: path, query, percent signs
 *     router.c   tables of routes, which one takes a path
 *     request.c  framing, headers, parameters, address, trace: what a handler asks
 *     response.c status, headers, bodies, files and ranges, assets
 *     dispatch.c authorize, check, call the handler, answer errors
 *     held.c     answers that come later
 *     sse.c      streams: the events, who is due, the stream threads
 *     problem.c  errors as problem details
 *     words.c    their words in Chinese
 */
#ifndef HTTP_INSIDE_H
#define HTTP_INSIDE_H

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/metric.h"
#include "http/http.h"
#include "http/message.h"

struct conns;
struct conn;
struct http_stream;
struct queue;
struct router;

#define TARGET_MOST_SEGMENTS 24
#define TARGET_MOST_QUERY    64

/* A request target taken apart. Everything is decoded UTF-8 without '\0'. */
struct target {
    struct str path; /* "/a/b"; may hold more '/' than there were, see `slashes` */
    struct str segments[TARGET_MOST_SEGMENTS];
    size_t n_segments;
    bool slashes; /* a segment holds a '/' or '\\' that was written as %2F or %5C */
    struct http_pair *query;
    size_t n_query;
};

/* Origin form ("/a?b") or absolute form ("http://h/a?b"). ERR_INVALID: a broken percent sign, no
 * UTF-8, a '\0', a control character, a segment "." or "..". ERR_NOT_FOUND: too many segments. */
ERR_MUST_USE enum err target_parse(struct str raw, struct arena *arena, struct target *out,
                                   struct why *why);

/* ---- router ---- */

/* Counters of a room, for the whole process. */
struct room_metrics {
    char labels[6][96];
    char time_labels[64];
    struct metric by_class[6]; /* 1xx .. 5xx, at [status / 100] */
    struct metric seconds;
};
struct room_metrics *room_metrics(const char *room); /* the same again for the same name */

struct router_route {
    const struct http_route *route;
    const struct http_table *table;
    struct room_metrics *metrics;
    struct str segments[TARGET_MOST_SEGMENTS]; /* "{id}" for a parameter */
    size_t n_segments;
};

struct router_match {
    const struct router_route *route; /* NULL: see allow */
    char allow[64];                   /* "GET, HEAD, POST": methods of the path; "" unknown path */
    const struct http_table *table;   /* whose shape errors take; NULL: problem details */
};

/* ERR_INVALID for a table that is wrong: bad method or path, a path twice, quick but not public. */
ERR_MUST_USE enum err router_new(const struct http_table *tables, size_t n, struct arena *arena,
                                 struct router **out, struct why *why);
/* A literal segment wins over a parameter. HEAD is taken by GET. */
void router_find(const struct router *router, struct str method, const struct target *target,
                 struct router_match *out);
size_t router_count(const struct router *router);
const struct router_route *router_at(const struct router *router, size_t i);

/* ---- limits and options, read once from the configuration ---- */

struct limits {
    size_t header_bytes, target_bytes;
    int64_t header_ms, body_ms, idle_ms, waiting_ms, heartbeat_ms;
    int64_t body_rate;    /* bytes a second that a slow sender must reach */
    int64_t body_memory;  /* bytes of bodies held in memory by all requests together */
    size_t request_bytes; /* of a request's arena */
    size_t n_workers, n_stream_workers, n_event_threads;
    size_t most_waiting, most_connections, most_per_address, most_streams;
    bool access_log;
    char hsts[64]; /* the header's value, or "" */
};

struct net { /* a block of addresses, IPv4 mapped into IPv6 */
    struct in6_addr base;
    unsigned bits;
};
ERR_MUST_USE enum err nets_parse(struct str list, struct arena *arena, struct net **out, size_t *n,
                                 struct why *why);
bool nets_hold(const struct net *nets, size_t n, const struct in6_addr *address);

/* ---- one request ---- */

struct http_header {
    struct http_header *next;
    struct str name, value; /* with '\0' */
};

enum send_kind { SEND_BYTES, SEND_FILE, SEND_STREAM };

struct http_response {
    struct http_request *req;
    int status;
    enum send_kind kind;
    const char *content_type;
    struct str body;
    bool json; /* `body_buf` becomes the body */
    struct buf body_buf;
    struct json_out out;
    struct http_header *headers;
    int fd; /* SEND_FILE */
    uint64_t file_start, file_len;
    struct http_stream *stream; /* SEND_STREAM */
};

/* What the server lends to its parts. */
struct core {
    struct limits limits;
    const struct router *router;
    struct net *proxies;
    size_t n_proxies;
    enum err (*authorize)(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why);
    void *authorize_ctx;
    bool (*authorize_here)(void *ctx, struct http_request *req, const struct http_route *route,
                           enum err *err, struct why *why);
    bool (*asset)(const char *path, struct http_asset *out);
    void (*resume)(struct http_request *req); /* the event thread takes it from here */
    struct streams *streams;
    struct conns *conns;
    struct queue *work;                  /* of struct http_request, for the workers */
    atomic_size_t n_waiting, n_requests; /* in that queue; in all */
    atomic_size_t n_held;
    const char *temp_dir;
    struct tls *tls;      /* NULL: none */
    atomic_bool draining; /* no new work; streams that have nothing to say end */
    atomic_bool cutting;  /* nothing waits any longer */
    struct str openapi, openapi_zh;
    _Atomic int64_t body_bytes; /* held by all requests, against limits.body_memory */
};

enum phase {
    PHASE_NEW,
    PHASE_BODY,  /* the body comes */
    PHASE_DRAIN, /* the answer is decided before the body has come */
    PHASE_WAIT,  /* a worker has it */
    PHASE_READY, /* the answer can be sent */
    PHASE_SENT   /* it is being sent */
};

/* A request that its handler holds: who finishes it, the worker or the releaser. */
enum hold {
    HOLD_NONE,
    HOLD_ASKED,   /* the handler still runs */
    HOLD_LEFT,    /* it has returned: the releaser finishes */
    HOLD_RELEASED /* the answer is there */
};

struct http_request {
    struct arena *arena;
    struct core *core;
    struct conn *conn;
    struct link *link;
    enum phase phase;
    bool flush; /* the worker writes body bytes to the file, no more */

    struct str method, raw_target, version;
    struct http_pair *headers;
    size_t n_headers, header_bytes;
    struct target target;
    struct router_match match;

    /* body */
    bool has_body, chunked, expects_continue;
    int64_t declared; /* Content-Length, -1 unknown */
    char *body;       /* malloc: the body, or what is not yet in the file */
    size_t body_len, body_cap;
    uint64_t body_total;
    int body_fd;
    char *body_path;

    void *identity;
    char trace_id[33];
    char request_id[65];
    char address[INET6_ADDRSTRLEN];
    bool secure, head_only;
    int64_t start_ns, queued_ns, answered_ns;
    uint64_t sent_bytes;

    struct http_response res;
    struct http_stream *stream;
    atomic_int hold;
};

struct http_request *request_new(struct core *core, struct str raw_target);
void request_free(struct http_request *req);

/* After the headers: framing (what smugglers bend), sizes, target, trace, address. Fills `match`.
 * Not ERR_OK: answer it and close when `*close` is set. */
ERR_MUST_USE enum err request_begin(struct http_request *req, const struct in6_addr *peer,
                                    bool *close, struct why *why);
/* Room for n more bytes of body within the route's limit and the memory of all bodies. */
ERR_MUST_USE enum err request_body_add(struct http_request *req, struct str data, struct why *why);
/* For bodies to files: writes what is held. */
ERR_MUST_USE enum err request_body_flush(struct http_request *req, struct why *why);
#define BODY_PREFIX "yicheng-body-"     /* of the file's name */
#define BODY_PART   ((size_t)256 << 10) /* held before it goes to the file */
bool request_to_file(const struct http_request *req);
ERR_MUST_USE enum err request_check_params(struct http_request *req, struct why *why);

/* ---- answers ---- */

void response_init(struct http_response *res, struct http_request *req);
const struct http_header *response_header(const struct http_response *res, const char *name);
/* The last touch: JSON body closed, security headers, caching, trace. */
void response_finish(struct http_response *res);
/* Drops what the handler made and answers the error instead. */
void response_problem(struct http_response *res, enum err err, const struct why *why);
/* The same with a status that the map of errors does not give (408, 414). */
void response_problem_status(struct http_response *res, enum err err, int status,
                             const struct why *why);
void response_asset(struct http_response *res, const struct http_asset *asset);
/* "bytes=0-499" of a file of `size` bytes. 1: one range; 0: send all; -1: cannot be satisfied. */
int range_parse(struct str text, uint64_t size, uint64_t *start, uint64_t *len);
bool etag_matches(struct str list, const char *etag);

/* `said`: the caller named the language himself; then detail and hint are in it too. */
void problem_write(struct json_out *out, const struct http_problem *problem, const char *language,
                   bool said);
/* Adds an error's words in the language ("zh": by words_zh.def), or as they are; false for Chinese
 * when no line of words_zh.def fits. */
bool words_in(const char *language, struct str text, struct buf *out);

/* Runs the request to its answer; nothing but the arena and the handler is needed. Quick routes,
 * assets, OPTIONS and errors need no worker: request_dispatch_quick() answers them and returns
 * true. */
bool request_dispatch_quick(struct http_request *req);
/* False: the handler holds the request, which may be somebody else's or gone by now. */
ERR_MUST_USE bool request_dispatch(struct http_request *req);
/* On the event thread: false when a worker has to do it. Else *ready is what request_dispatch()
 * returns. */
bool request_dispatch_here(struct http_request *req, bool *ready);
/* Logs and answers the error if there is one, and closes the answer. */
void request_answer(struct http_request *req, enum err err, const struct why *why);

/* The handler that held the request failed: there will be no release. */
void held_void(struct http_request *req);

/* ---- streams ---- */

enum stream_state {
    STREAM_SENDING, /* the event thread has it: it will ask when all is taken */
    STREAM_READY,
    STREAM_ASKED, /* a stream thread is in next() */
    STREAM_SLEEPING,
};

struct http_stream {
    struct http_request *req;
    http_next_fn *next;
    void (*done)(void *ctx);
    void *ctx;
    struct arena *arena; /* of `out`, emptied before each call */
    struct buf out;
    bool taken; /* the event thread has what is in out */
    bool end;
    bool here;               /* next() may be asked on the event thread */
    bool counted;            /* against limits.most_streams */
    int64_t due_ns, last_ns; /* next call; last bytes to the client */
    /* under the streams' lock: */
    enum stream_state state;
    bool gone;                          /* the connection is over */
    bool wakes;                         /* http_wake() is used: no need to ask often */
    bool woken;                         /* while it was asked: ask again */
    struct http_stream *before, *after; /* in the list of those that sleep or are ready */
};

struct streams;

/* core->resume is called with the request when it has bytes or has ended. */
ERR_MUST_USE enum err streams_new(struct core *core, struct streams **out, struct why *why);
/* Counts it; ERR_BUSY when there are too many. */
ERR_MUST_USE enum err streams_begin(struct streams *streams, struct http_stream *stream,
                                    struct why *why);
/* On the event thread: what next() gave last, once; valid until streams_ask(). */
struct str stream_take(struct http_stream *stream);
void streams_ask(struct streams *streams, struct http_stream *stream);
/* The same for one that may be asked here: true when stream_take() has more, or the end came; false
 * when it sleeps. */
bool streams_ask_here(struct streams *streams, struct http_stream *stream);
/* The connection is over: a stream thread calls done() and frees the request. */
void streams_end(struct streams *streams, struct http_request *req);
void streams_wake_all(struct streams *streams); /* when draining or cutting began */
size_t streams_suspended(struct streams *streams);
void streams_free(struct streams *streams); /* after the last streams_end() */

/* ---- connections ---- */

enum conn_state {
    CONN_IDLE, /* between requests, or nothing came yet */
    CONN_HEAD, /* a request line or headers are under way */
    CONN_BODY,
    CONN_WORK, /* a worker or a stream has it */
    CONN_SEND,
    CONN_DEAD /* cut; what its thread does next fails */
};

enum watch {
    WATCH_OFF,
    WATCH_ARMED,
    WATCH_FIRING, /* the keeper is in gone() */
};

struct conn {
    int fd;
    struct in6_addr peer;
    bool counted; /* against the limit of its address */
    atomic_int state;
    _Atomic int64_t since_ns, received; /* since it is in the state, or moved in it */
    _Atomic int64_t sends_ns, to_send;  /* when the answer began, and its bytes */
    atomic_bool hung_up;                /* the client will send no more */
    atomic_int watch;                   /* enum watch, for http_on_gone() */
    void (*gone)(void *ctx);
    void *gone_ctx;
    struct conn *prev, *next;
};

ERR_MUST_USE enum err conns_new(struct core *core, struct conns **out, struct why *why);
void conns_free(struct conns *conns);
/* Whether one more from there may come. */
bool conns_admit(struct conns *conns, const struct sockaddr *peer);
struct conn *conns_add(struct conns *conns, int fd, const struct sockaddr *peer);
void conns_remove(struct conns *conns, struct conn *conn);
/* False when the keeper has cut the connection. `now_ns`: of the loop's round, for the keeper looks
 * four times a second. */
bool conn_enter(struct conn *conn, enum conn_state state, int64_t now_ns);
/* An answer, or a part of a stream, of so many bytes is sent from now on. */
void conn_sends(struct conn *conn, uint64_t bytes);
size_t conns_count(struct conns *conns);
void conns_cut_idle(struct conns *conns); /* when draining */
void conns_all_gone(struct conns *conns); /* when cutting: calls what http_on_gone() set */
void conn_watch(struct conn *conn, void (*gone)(void *ctx), void *ctx);
void conn_unwatch(struct conn *conn); /* gone() is not called once this returned */

struct in6_addr address_of(const struct sockaddr *peer);

/* ---- TLS ---- */

struct tls;
ERR_MUST_USE enum err tls_open(const char *certificate, const char *key, struct tls **out,
                               struct why *why);
ERR_MUST_USE enum err tls_reload(struct tls *tls, struct why *why);
void tls_close(struct tls *tls);
/* One connection. Nothing blocks; NULL is fine for bye and free. */
struct tls_session;
struct tls_session *tls_session_new(struct tls *tls, int fd); /* NULL: no memory */
int tls_shake(struct tls_session *session);                   /* 1: done, 0: not yet, -1: failed */
/* Bytes; 0: none now; -1: the end or an error. After 0 tls_send() is to be given the same again. */
ssize_t tls_recv(struct tls_session *session, char *out, size_t most);
ssize_t tls_send(struct tls_session *session, const char *bytes, size_t len);
void tls_session_bye(struct tls_session *session);
void tls_session_free(struct tls_session *session);

/* ---- the life of connections ---- */

struct links;
/* Accepts on the socket; everything else of the server is in core. */
ERR_MUST_USE enum err links_open(struct core *core, struct http_loops *loops, int fd,
                                 struct links **out, struct why *why);
void links_refuse(struct links *links); /* no new connections */
/* Closes all; waits for requests that somebody has. Not from a loop's thread. NULL is fine. */
void links_close(struct links *links);
void link_resume(struct http_request *req); /* core->resume */

#endif
