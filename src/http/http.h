/*
 * http - the server, the router, server-sent events, and the clients.
 *
 * A room hands main a table of routes; main hands all tables to http_start(). A handler gets a
 * parsed request and fills a response; it never sees a socket. Handlers run on worker threads, one
 * request a thread, and may block; one that would wait for long holds its request instead, which
 * then costs no thread. Streams are pulled, so a client that stops reading costs memory only up to
 * a bound.
 *
 * Limits hold before a handler runs: header size, body size (per route), time to send the request,
 * idle time, connections in all and per address, requests that wait for a worker. What a table
 * declares is checked too: path parameters are UTF-8 without '\0', declared parameters have their
 * kind, required ones are there. Errors have one shape: RFC 9457 problem details
 * {"type","title","status","code","detail","hint","trace_id"}; "detail" is why.text.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "core/arena.h"
#include "core/json.h"
#include "core/str.h"

struct sockaddr; /* <sys/socket.h> */

struct conf;
struct conf_table;
struct http_request;
struct http_response;
struct http_loops;
struct http_server;

extern const struct conf_table http_conf; /* http.listen, http.port, http.tls_certificate ... */

/* ---- routes ---- */

/* Who may call; the check itself is handed in by ops (http_opts.authorize). */
enum http_access {
    HTTP_PUBLIC,  /* anybody, rate-limited by address */
    HTTP_SESSION, /* a signed-in user or an API key that has `permission` */
};

/* Checked before the handler runs: ERR_INVALID names the parameter. An empty value of a query
 * parameter counts as missing. */
struct http_param {
    const char *name; /* as in the path "{name}" or the query */
    const char *kind; /* "string", "integer", "boolean", "date", "uuid" */
    const char *summary;
    bool in_path, required;
};

struct http_route {
    const char *method; /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    const char *path;   /* "/api/knowledge_bases/{id}/documents" */
    enum http_access access;
    const char *permission;      /* "knowledge.read"; NULL for public or "any signed-in user" */
    size_t body_limit;           /* bytes; 0: no body allowed */
    const char *summary;         /* one line for the OpenAPI description */
    const char *request_schema;  /* JSON schema text of the body, or NULL */
    const char *response_schema; /* JSON schema text of the 200 body, or NULL */
    const struct http_param *params;
    size_t n_params;
    enum err (*handle)(struct http_request *req, struct http_response *res, struct why *why);
    bool body_to_file; /* the body is streamed to a temporary file: http_body_path() */
    bool quick; /* public, never blocks: runs on the event thread, without http_opts.authorize */
    /* Asked on the event thread when the request is whole: true when the handler will not block for
     * it. Then it runs there if http_opts.authorize_here can tell who calls, which saves a change
     * of thread; it may hold the request. NULL: a worker always. */
    bool (*here)(struct http_request *req);
};

/* In a route, its parameters: an array of struct http_param. */
#define HTTP_PARAMS(array) .params = (array), .n_params = sizeof(array) / sizeof((array)[0])

/* An error as it will be told to the caller. */
struct http_problem {
    enum err err;
    int status;
    const struct why *why;
    const char *trace_id;
};

struct http_table {
    const char *room; /* the tag in the OpenAPI description */
    const struct http_route *routes;
    size_t n;
    void *ctx; /* http_ctx(req) gives it to the handlers */
    /* Another shape for errors on these routes (a door that speaks somebody else's dialect);
     * NULL: problem details. Also for addresses below `prefix` that no route takes. */
    void (*problem)(struct json_out *out, const struct http_problem *problem);
    const char *prefix; /* "/v1/", or NULL */
};

/* ---- the request, valid during the call of the handler ---- */

struct arena *http_arena(struct http_request *req); /* ends after the response was sent */
void *http_ctx(struct http_request *req);
struct str http_method(struct http_request *req);
struct str http_path(struct http_request *req);
struct str http_param(struct http_request *req,
                      const char *name); /* path, else query; ptr NULL when missing */
int64_t http_param_int(struct http_request *req, const char *name, int64_t fallback);
bool http_param_bool(struct http_request *req, const char *name, bool fallback);
int32_t http_param_day(struct http_request *req, const char *name); /* DAY_NONE when missing */
/* Everything a cursor list needs: "limit" between 1 and `most`, `fallback` when missing. */
size_t http_param_limit(struct http_request *req, size_t fallback, size_t most);
struct str http_header(struct http_request *req, const char *name); /* ptr NULL when missing */
struct str http_cookie(struct http_request *req, const char *name);
struct str http_body(struct http_request *req);
/* For routes with body_to_file. The file ends with the request unless the handler renames it. */
const char *http_body_path(struct http_request *req);
uint64_t http_body_size(struct http_request *req); /* bytes, of either kind of body */
/* The body as JSON; ERR_INVALID with the reason, ERR_UNSUPPORTED when it is not declared JSON. */
ERR_MUST_USE enum err http_body_json(struct http_request *req, const struct json **out,
                                     struct why *why);
const char *
http_trace_id(struct http_request *req); /* 32 hex digits, from traceparent or made here */
const char *
http_address(struct http_request *req); /* client address (behind a trusted proxy: the real one) */
const char *http_language(struct http_request *req); /* "zh" or "en" */
/* The same for words that programs keep (errors, logs): "en" to who does not name a language. */
const char *http_words_language(struct http_request *req);
bool http_secure(struct http_request *req); /* over TLS, here or at the trusted proxy */

/* What the authorizer found out; NULL when nobody is signed in. Owned by the request's arena. */
void *http_identity(struct http_request *req);
void http_set_identity(struct http_request *req, void *identity);
/* For an authorizer that refuses for a while: the header Retry-After, at least one second. */
void http_retry_after(struct http_request *req, int64_t seconds);

/* ---- the response ---- */

void http_status(struct http_response *res, int status); /* 200 unless set */
/* Copied; a second value for a name replaces the first, also the server's own security headers. A
 * name or value that is no HTTP header (line breaks!) is dropped and logged. Stays on errors. */
void http_set_header(struct http_response *res, const char *name, const char *value);
/* The same with a number, which needs no look at its characters. `name` is a literal. */
void http_set_number(struct http_response *res, const char *name, int64_t value);
/* HttpOnly, SameSite=Strict, Path=/; max_age_s 0 deletes it, below 0 makes a session cookie. */
void http_set_cookie(struct http_response *res, const char *name, const char *value,
                     int64_t max_age_s, bool secure);
/* A body that lives in the request's arena or is static. */
void http_send(struct http_response *res, const char *content_type, struct str body);
/* Begins a JSON body; what is written to the returned writer is sent when the handler returns.
 * What it says (json_kv_said) is in the caller's language. */
struct json_out *http_json(struct http_response *res);
/* What a POST that made something answers: 201 {"id":"..."}. */
void http_created(struct http_response *res, struct str id);
/* The file at `path`, with Content-Length, ETag, ranges and (attachment) a file name; copied names.
 * The page that shows it may run no script. ERR_NOT_FOUND, ERR_IO. */
ERR_MUST_USE enum err http_send_file(struct http_response *res, const char *path,
                                     const char *content_type, const char *download_name,
                                     struct why *why);

/*
 * Server-sent events. After the handler returned, `next` is called on a stream thread whenever the
 * client has taken everything, until it sets *end or returns an error (sent as an event "error"
 * with the problem details). It appends complete events to `out` (at most HTTP_STREAM_MOST bytes a
 * call) with http_event(). When it appends nothing it is asked again 200 ms later; it may block for
 * some seconds while it works. `done` is called once, always, on a stream thread, also when the
 * client went away or no stream could be begun; the request lives until then. One thread at a time
 * calls them. The server adds a comment line every 15 s when there is nothing else.
 */
#define HTTP_STREAM_MOST ((size_t)1 << 20)
typedef enum err http_next_fn(void *ctx, struct buf *out, bool *end, struct why *why);
void http_stream(struct http_response *res, http_next_fn *next, void (*done)(void *ctx), void *ctx);
/* `next` never blocks: it may be asked on an event thread too. After http_stream(). */
void http_stream_here(struct http_response *res);
/*
 * Has `next` asked at once when the client has taken everything: for streams whose source knows
 * when it has something. From any thread, between http_stream() and the end of done(); cheap, any
 * number of calls before `next` runs count as one. A stream that was woken once is asked without
 * being woken only every http.heartbeat from then on.
 */
void http_wake(struct http_request *req);
void http_event(struct buf *out, const char *event, struct str data); /* event NULL: "data:" only */

/*
 * Words of this program that were kept (the `why` of a job, a line of its log, what it does now) in
 * `language`, by the lines of words_zh*.def; as they are where none fits. http_say() has a writer
 * of one's own say them so, for events.
 */
void http_words(const char *language, struct str words, struct buf *out);
void http_say(struct json_out *out, const char *language);

/* ---- answers that come later ---- */

/*
 * After http_hold() the request stays open when the handler returns ERR_OK; it costs no thread.
 * Request and response then belong to whoever is to call http_release(), from any thread, exactly
 * once, also before the handler has returned: the handler must not touch them any more once
 * somebody else may have them. When the handler returns an error the hold is void. Routes that are
 * `quick` cannot hold.
 */
void http_hold(struct http_request *req);
/* The answer is what the response holds (also a stream begun with http_stream), or the problem when
 * `err` is not ERR_OK. Does not block. http_stop() waits for it. */
void http_release(struct http_request *req, enum err err, const struct why *why);
/*
 * Calls gone(ctx), at most once, when the client closed its connection while the request is held or
 * streams, within half a second, or when http_stop() cuts. It must not block and need not release,
 * but should see to it that somebody does soon. It may come until the request's arena ends (also
 * just after http_release), never later, so `ctx` lives in the arena or longer. Called on the
 * keeper's thread. One a request.
 */
void http_on_gone(struct http_request *req, void (*gone)(void *ctx), void *ctx);

/* ---- event threads ---- */

/*
 * Threads that move bytes, for a server and for clients: a call that a handler begins on one of
 * them stays on it, so that asking another server costs no change of thread. n: 1 to 64. Freed
 * after the servers and clients that were given them.
 */
ERR_MUST_USE enum err http_loops_new(size_t n, struct http_loops **out, struct why *why);
void http_loops_free(struct http_loops *loops);

/* ---- the server ---- */

/* An embedded file. The bytes are static. */
struct http_asset {
    struct str bytes;         /* as they are */
    struct str gzip;          /* the same compressed, or len 0 */
    const char *content_type; /* "text/html; charset=utf-8" */
    const char *etag;         /* without quotes; NULL: made from the bytes at each request */
    bool immutable;           /* the name holds a hash of the content: cached for a year */
};

struct http_opts {
    const struct conf *conf;
    const struct http_table *tables;
    size_t n_tables;
    /* Finds out who calls and whether they may: sets the identity, returns ERR_OK,
     * ERR_UNAUTHENTICATED, ERR_FORBIDDEN or ERR_RATE_LIMITED. Called on a worker for every route
     * that is not quick. NULL: everything that is not HTTP_PUBLIC is refused. */
    enum err (*authorize)(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why);
    void *authorize_ctx;
    /* The same on the event thread, for routes that are handled there (http_route.here): false when
     * it would have to block; then nothing was done, and `authorize` is called on a worker. Else
     * *err is what `authorize` would return. May be NULL: never. */
    bool (*authorize_here)(void *ctx, struct http_request *req, const struct http_route *route,
                           enum err *err, struct why *why);
    /* Static files for GET of a path that no route takes; false when there is none. On the event
     * thread: must not block. May be NULL. `path` is decoded, begins with '/', has no "..". */
    bool (*asset)(const char *path, struct http_asset *out);
    /* For bodies to files; put it on the file system they end on. Made when missing; what a process
     * that died left in it an hour ago is removed. NULL: /tmp. */
    const char *temp_dir;
    struct http_loops *loops; /* NULL: http.event_threads of its own */
};

ERR_MUST_USE enum err http_start(const struct http_opts *opts, struct http_server **out,
                                 struct why *why);
int http_port(const struct http_server *server); /* the real one when http.port is 0 */
/* Reads the TLS certificate and key anew; connections that exist keep the old one. On an error the
 * old one stays. ERR_OK without TLS. */
ERR_MUST_USE enum err http_reload(struct http_server *server, struct why *why);
/* No new connections; waits up to wait_ms for the requests in flight, then cuts them. A handler
 * that runs is always waited for. Frees the server; NULL is fine. */
void http_stop(struct http_server *server, int64_t wait_ms);

/* The OpenAPI 3.1 description of the tables, its summaries in `language`. Also served at
 * /api/openapi.json. */
ERR_MUST_USE enum err http_openapi(const struct http_table *tables, size_t n, const char *language,
                                   struct buf *out, struct why *why);

/* ---- the client that waits ---- */

struct http_call {
    const char *method, *url;
    const char *const *headers; /* "Name: value", n_headers of them */
    size_t n_headers;
    struct str body;
    int64_t connect_ms, total_ms; /* limits */
    size_t most;                  /* bytes of the answer */
    /* When set, called with each part of the body as it comes; an error ends the call. */
    enum err (*part)(void *ctx, struct str part, struct why *why);
    void *ctx;
    /* When set, asked about the very address before a connection is made to it, whatever names led
     * there; false ends the call with ERR_FORBIDDEN. For addresses that came from outside. */
    bool (*may_connect)(const void *ctx, const struct sockaddr *address);
    const void *connect_ctx;
};

struct http_answer {
    int status;
    struct str content_type;
    struct str headers; /* lines "Name: value", for http_answer_header() */
    struct str body;    /* in the arena; empty when `part` was set */
};
struct str http_answer_header(const struct http_answer *answer, const char *name); /* ptr NULL */

/* http and https only, no redirects, no proxy from the environment, certificates are checked.
 * ERR_UNAVAILABLE (could not connect), ERR_TIMEOUT, ERR_TOO_LARGE; any status is ERR_OK. From any
 * thread. */
ERR_MUST_USE enum err http_fetch(const struct http_call *call, struct arena *arena,
                                 struct http_answer *out, struct why *why);

/* ---- the client that does not wait ---- */

/*
 * Any number of calls at once on a few event threads. Connections are kept and used again; limits
 * hold for each call by itself. http and https only, HTTP/1.1, no redirects, no proxy from the
 * environment, certificates are checked. Plain http to an address in numbers goes over sockets of
 * our own, everything else over libcurl; both keep the promises below. Content-Length, Connection
 * and their like are ours: such headers of the caller are dropped.
 */
struct http_client;
struct http_asked; /* a call under way */

struct http_client_opts {
    struct http_loops *loops; /* NULL: n_threads of its own */
    size_t n_threads;         /* also for what only libcurl can do, begun when needed; 0: 2 */
    size_t most_calls;        /* under way at once, others get ERR_BUSY; 0: 10,000 */
    size_t most_idle;         /* connections kept open by each thread; 0: 1,000 */
    const char *ca_file;      /* certificates to trust instead of the system's; NULL: those */
};

/* What to ask. url, headers and body are borrowed until end(). */
struct http_ask {
    const char *method, *url;
    const char *const *headers; /* "Name: value", n_headers of them */
    size_t n_headers;
    struct str body;
    const char *trace_id; /* 32 hex digits: sent as "traceparent" with a span of its own; or NULL */
    /* Limits in milliseconds, 0: none. `first` runs from the start to the first byte of the body
     * (or the end), `between` from one part to the next and is not counted while paused; both and
     * `total` are seen to within 50 ms. */
    int64_t connect_ms, first_ms, between_ms, total_ms;
    /* A kept connection may turn out to be closed when the call was written to it. Nothing of an
     * answer came, but the other side may have read it: is it sent again, once? GET, HEAD, PUT,
     * DELETE and OPTIONS are in any case. */
    bool repeatable;
    size_t most;         /* bytes of the body; headers: 64 KiB */
    struct arena *arena; /* for headers and body; the client's alone until end() */
    /* Status and headers are known (`body` is empty). May be NULL. */
    void (*head)(void *ctx, const struct http_answer *answer);
    /* Each part of the body as it comes; an error ends the call. NULL: collected in the answer. */
    enum err (*part)(void *ctx, struct str part, struct why *why);
    /* Exactly once, after everything else. ERR_OK for any status whose answer came whole. `answer`
     * lives in the arena; its status is 0 when no answer began.
     *   ERR_INVALID      the address or the method cannot be used
     *   ERR_UNAVAILABLE  no connection, or it broke, or what came is not HTTP or not whole
     *   ERR_TIMEOUT      why names the limit
     *   ERR_TOO_LARGE    more than `most`
     *   ERR_CANCELLED    by http_asked_cancel() or http_client_close()
     *   and what `part` returned */
    void (*end)(void *ctx, enum err err, const struct http_answer *answer, const struct why *why);
    void *ctx; /* for the three; they run on an event thread and must not block */
};

ERR_MUST_USE enum err http_client_open(const struct http_client_opts *opts,
                                       struct http_client **out, struct why *why);
/* Ends every call (ERR_CANCELLED) and waits for their end(). NULL is fine. Not from a callback. */
void http_client_close(struct http_client *client);

/* Begins a call; `ask` is copied. Callbacks may come before this returns, but not before *out was
 * written; it is valid until http_asked_free(). On an error no callback comes and *out is NULL.
 * ERR_BUSY, ERR_INVALID, ERR_NO_MEMORY, ERR_CANCELLED (closing). From any thread, also from
 * callbacks. */
ERR_MUST_USE enum err http_ask(struct http_client *client, const struct http_ask *ask,
                               struct http_asked **out, struct why *why);
/* The rest from any thread, in any order, also after end(). */
void http_asked_cancel(struct http_asked *asked);
/* Backpressure: from the next part on nothing comes (one of at most 16 KiB may be on its way), and
 * the upstream is held up by TCP; http_asked_resume() lets it go on. */
void http_asked_pause(struct http_asked *asked);
void http_asked_resume(struct http_asked *asked);
/* Gives up the handle, not the call. NULL is fine. */
void http_asked_free(struct http_asked *asked);

#endif
