/*
 * http/calls - what the two ways of calling another server share: lean.c, over sockets of our own
 * on the event threads, and curl.c, over libcurl on threads of its own.
 *
 *     calls.c   the public functions, which way a call goes, what is alike in both
 *     lean.c    http:// to an address in numbers
 *     curl.c    everything else: https, names, what an address may hold besides
 */
#ifndef HTTP_CALLS_H
#define HTTP_CALLS_H

#include <stdatomic.h>

#include "http/http.h"

#define CALL_HEADERS ((size_t)64 << 10) /* of an answer, those before it included */
#define CALL_PART    ((size_t)16 << 10) /* bytes that part() gets at most */

enum todo { TODO_START = 1, TODO_CANCEL = 2, TODO_RESUME = 4 };

/* The first member of a call of either way. */
struct http_asked {
    atomic_int refs; /* the handle, the call, its place in a queue */
    struct http_client *client;
    bool lean;
    struct http_ask ask;
    atomic_bool paused;

    /* its event thread's */
    int status;
    struct buf lines, body;
    size_t header_bytes, received;
    bool head_told, held; /* held: a part waits that was not taken */
    int64_t begun_ns, moved_ns;
    enum err err; /* of ours */
    struct why why;
};

struct lean;
struct curls;

/* ---- calls.c, for the two ---- */

void call_ref(struct http_asked *asked);
void call_unref(struct http_asked *asked);
/* Status and headers are known; those of 1xx are forgotten. */
void call_head(struct http_asked *asked);
ERR_MUST_USE enum err call_part(struct http_asked *asked, struct str part, int64_t now_ns);
/* Which limit has passed, or NULL. */
const char *call_passed(const struct http_asked *asked, int64_t now_ns, int64_t *limit_ms);
/* end() and the call's own reference. */
void call_end(struct http_asked *asked, enum err err);
/* "traceparent: ..." with a new span, or "" when there is no trace. */
void call_trace(const struct http_asked *asked, char out[80]);

/* ---- lean.c ---- */

ERR_MUST_USE enum err lean_open(struct http_loops *loops, size_t most_idle, struct lean **out,
                                struct why *why);
void lean_close(struct lean *lean); /* ends every call, waits */
void lean_free(struct lean *lean);  /* after the last handle is gone */
/* NULL when it is none of lean's. The call is not begun. */
struct http_asked *lean_call_new(struct lean *lean, const struct http_ask *ask, bool *no_memory);
bool lean_do(struct http_asked *asked, unsigned todo); /* false: closed */

/* ---- curl.c ---- */

ERR_MUST_USE enum err curls_open(const struct http_client_opts *opts, struct curls **out,
                                 struct why *why);
void curls_close(struct curls *curls);
void curls_free(struct curls *curls);
struct http_asked *curls_call_new(struct curls *curls); /* NULL: no memory */
bool curls_do(struct http_asked *asked, unsigned todo);

#endif
