/*
 * http/message - HTTP/1.1 as bytes: where a head ends, its lines, chunks. For requests and answers.
 *
 * Pure. What two readers could understand in two ways is refused: a header that goes on in a second
 * line, white space before a colon, control characters, two lengths, a length in two ways, chunk
 * sizes that are no plain hexadecimal number. RFC 9112.
 */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include <strings.h>

#include "core/arena.h"
#include "core/str.h"

struct http_pair {
    struct str name, value;
};

/*
 * Bytes of the head that begins at bytes.ptr, its blank line included; 0 when the end has not come.
 * Lines end with "\r\n" or "\n". `seen`: bytes that an earlier call looked at, 0 at first; kept for
 * the next call, so that a head that comes byte by byte costs no more than one that comes at once.
 */
size_t message_head_end(struct str bytes, size_t *seen);

struct message_head {
    struct str first;          /* the first line */
    struct http_pair *headers; /* n of them, values trimmed of spaces and tabs */
    size_t n;
};
/* `head` is whole, as message_head_end() found it. ERR_INVALID, ERR_NO_MEMORY. */
ERR_MUST_USE enum err message_head_parse(struct str head, struct arena *arena,
                                         struct message_head *out, struct why *why);

/* "GET /a HTTP/1.1" -> its three parts, exactly one space between them. */
ERR_MUST_USE enum err message_request_line(struct str line, struct str *method, struct str *target,
                                           struct str *version, struct why *why);

/* How an answer's body is delimited. */
struct message_body {
    enum { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END } kind;
    uint64_t length; /* BODY_LENGTH */
    bool keep;       /* the connection may be used again after it */
};
/* Of the answer to a request (`head_only`: to a HEAD) with this status line and headers.
 * ERR_INVALID: not HTTP/1.x, or lengths that contradict each other. *status: 100 .. 999. */
ERR_MUST_USE enum err message_answer(const struct message_head *head, bool head_only, int *status,
                                     struct message_body *out, struct why *why);

static inline bool message_same_name(struct str a, const char *b) /* without regard to case */
{
    return a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0;
}

/* A Content-Length: digits alone, below 10^18. */
bool message_length(struct str text, uint64_t *out);
bool message_token(struct str s);                        /* a method or a header's name */
bool message_lists(struct str list, const char *member); /* "close" in "keep-alive, Close" */

/* The chunked encoding, as the bytes come. Begins as {0}. */
#define CHUNK_LINE_MOST    256    /* bytes of a size with its extensions */
#define CHUNK_TRAILER_MOST 16384u /* bytes of trailers, which are dropped */
struct chunks {
    int state;
    unsigned digits, line;
    size_t trailer;
    uint64_t left;
};
enum chunk { CHUNK_MORE, CHUNK_DATA, CHUNK_END, CHUNK_BAD };
/* Takes from *in what it understands. CHUNK_DATA: *data is body, call again; CHUNK_MORE: *in was
 * used up; CHUNK_END: the body is whole, *in is what follows; CHUNK_BAD: it is not chunked. */
enum chunk chunks_take(struct chunks *chunks, struct str *in, struct str *data);

/* Bytes that were read and are not yet understood: of those that wait for more. Begins as {0}. */
struct carry {
    char *ptr;
    size_t len, cap;
};
/* The bytes may be a part of what it holds. False: no memory, nothing changed. */
bool carry_set(struct carry *carry, struct str bytes);
bool carry_add(struct carry *carry, struct str bytes); /* behind what it holds */
void carry_free(struct carry *carry);

#endif
