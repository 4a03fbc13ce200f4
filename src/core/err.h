/*
 * core/err - one enum of errors from one map, and words for people of a fixed size.
 *
 * A function that can fail returns `enum err` and puts words into the caller's `struct why`,
 * which may be NULL. The first cause is kept: a `why` that already has text is not overwritten.
 * Words: lower case, no full stop, "could not" when it might work next time, the offending value
 * quoted, no function names, no secrets; advice goes into the hint. Reporting needs no memory.
 */
#ifndef CORE_ERR_H
#define CORE_ERR_H

#include <stdbool.h>

#define ERR_MUST_USE          __attribute__((warn_unused_result))
#define ERR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define ERR_MAP(X)                                                                                 \
    /* code             HTTP  again?  stable name for programs  meaning                       */   \
    X(OK, 200, 0, "ok", "ok")                                                                      \
    X(INVALID, 400, 0, "invalid", "the request is not well formed")                                \
    X(UNAUTHENTICATED, 401, 0, "unauthenticated", "sign in first")                                 \
    X(FORBIDDEN, 403, 0, "forbidden", "this account may not do that")                              \
    X(NOT_FOUND, 404, 0, "not_found", "there is no such thing")                                    \
    X(METHOD, 405, 0, "method_not_allowed", "this address does not take that method")              \
    X(CONFLICT, 409, 0, "conflict", "it clashes with what is there")                               \
    X(PRECONDITION, 412, 0, "precondition_failed", "somebody else changed it in the meantime")     \
    X(TOO_LARGE, 413, 0, "too_large", "it is larger than the limit")                               \
    X(UNSUPPORTED, 415, 0, "unsupported", "this kind of content is not supported")                 \
    X(RATE_LIMITED, 429, 1, "rate_limited", "too many requests")                                   \
    X(HEADER_TOO_LARGE, 431, 0, "header_too_large", "the request's headers are too large")         \
    X(CANCELLED, 499, 0, "cancelled", "it was cancelled")                                          \
    X(INTERNAL, 500, 0, "internal", "an error inside the centre")                                  \
    X(IO, 500, 1, "io", "could not read or write")                                                 \
    X(CORRUPT, 500, 0, "corrupt", "stored data is damaged")                                        \
    X(NO_MEMORY, 503, 1, "no_memory", "the memory limit was reached")                              \
    X(UNAVAILABLE, 503, 1, "unavailable", "not available at the moment")                           \
    X(BUSY, 503, 1, "busy", "busy with other work")                                                \
    X(TIMEOUT, 504, 1, "timeout", "took longer than its deadline")                                 \
    X(NO_SPACE, 507, 1, "no_space", "the disk is full")

enum err {
#define ERR_ENUM(name, http, again, code, words) ERR_##name,
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
        ERR_COUNT
};

struct why {
    char text[320]; /* what went wrong; empty when nothing did */
    char hint[192]; /* what a person can do about it; may be empty */
};

/* Writes the words (unless `why` is NULL or already has some). */
void err_note(struct why *why, const char *fmt, ...) ERR_PRINTF(2, 3);
/* The same, and is `err`: a macro over a visible function, so that who reads the code (an analyzer
 * too) sees that the value returned is the one given. */
static inline enum err err_same(enum err err)
{
    return err;
}
#define err_set(why, err, ...) (err_note((why), __VA_ARGS__), err_same(err))

/* The same, with the words followed by ": " and the system's text for errno; the code is taken
 * from errno (ENOSPC gives ERR_NO_SPACE, ENOENT ERR_NOT_FOUND, ENOMEM ERR_NO_MEMORY, else ERR_IO).
 */
enum err err_errno(struct why *why, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Adds advice, if there is none yet. */
void err_hint(struct why *why, const char *fmt, ...) ERR_PRINTF(2, 3);

/* Puts `fmt` before the words that are there, for context: "row 7: not a number". */
void err_prefix(struct why *why, const char *fmt, ...) ERR_PRINTF(2, 3);

int err_http(enum err err);          /* HTTP status */
bool err_again(enum err err);        /* whether the same call may work later */
const char *err_code(enum err err);  /* stable name, snake_case */
const char *err_words(enum err err); /* the meaning, for when `why` is empty */

/* The words of `why`, or the meaning of `err` when there are none. Never NULL. */
const char *why_text(const struct why *why, enum err err);

#endif
