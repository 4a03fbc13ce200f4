/*
 * core/str - borrowed bytes with a length, and a builder that grows in an arena.
 *
 * `struct str` never owns. It may hold any bytes; functions that need UTF-8 say so. A str from
 * str_c(), a buf or arena_copy() has a '\0' behind it, a slice has not.
 */
#ifndef CORE_STR_H
#define CORE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/err.h"

struct arena;

struct str {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;      /* bytes */
};

#define STR_INIT(literal)                                                                          \
    {                                                                                              \
        "" literal, sizeof(literal) - 1                                                            \
    }
#define STR(literal) ((struct str)STR_INIT(literal))
#define STR_NONE     ((struct str){NULL, 0})
#define STR_FMT(s)   (int)(s).len, (s).ptr ? (s).ptr : "" /* for "%.*s" */

/* Those that stand in every inner loop are here, so that what is compared with a literal costs a
 * comparison of lengths. */

static inline struct str str_c(const char *text) /* NULL gives the empty str */
{
    struct str s = {text, text ? strlen(text) : 0};
    return s;
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_eq_c(struct str a, const char *b)
{
    return str_eq(a, str_c(b));
}

static inline struct str str_slice(struct str s, size_t start, size_t end) /* clamped to s */
{
    if (end > s.len)
        end = s.len;
    if (start > end)
        start = end;
    struct str part = {s.len ? s.ptr + start : s.ptr, end - start};
    return part;
}

static inline struct str str_from(struct str s, size_t start) /* clamped */
{
    return str_slice(s, start, s.len);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

int str_cmp(struct str a, struct str b); /* bytewise, shorter first */

#define STR_NPOS ((size_t)-1)
size_t str_find(struct str s, struct str needle);                   /* first offset or STR_NPOS */
size_t str_find_from(struct str s, struct str needle, size_t from); /* the same from an offset */
size_t str_find_char(struct str s, char c);
/* Bytes to add, take away or change to make one of the other (Levenshtein): for "did you mean".
 * STR_NPOS when one of them is longer than 64 bytes. */
size_t str_edits(struct str a, struct str b);

struct str str_trim(struct str s);       /* ASCII white space at both ends */
struct str str_trim_space(struct str s); /* the same and U+3000, U+00A0, U+FEFF */

/* Takes the part of *rest before `sep` and moves *rest behind it; false when *rest was used up.
 * A text with n separators gives n + 1 parts, an empty text (len 0 from the start) none. */
bool str_next(struct str *rest, char sep, struct str *part);
bool str_next_line(struct str *rest, struct str *line); /* without "\n" or "\r\n" */

ERR_MUST_USE bool str_to_i64(struct str s, int64_t *out); /* whole str, decimal, optional sign */
ERR_MUST_USE bool str_to_f64(struct str s, double *out);
#define STR_I64 21                                    /* bytes of the longest, '\0' included */
struct str str_of_i64(int64_t n, char room[STR_I64]); /* decimal, in the room, with '\0' */

/* Copies in the arena, with '\0'; ptr is NULL when memory ran out. */
struct str str_copy(struct arena *arena, struct str s);
struct str str_printf(struct arena *arena, const char *fmt, ...) ERR_PRINTF(2, 3);
struct str str_lower_ascii(struct arena *arena, struct str s);
/* `s` as a C string: borrowed when a '\0' cannot be proved, so always a copy. NULL without memory.
 */
char *str_z(struct arena *arena, struct str s);

/*
 * A builder. Failure is sticky: after memory ran out every call does nothing, and buf_err() says
 * so once at the end. The bytes live in the arena; '\0' always follows them.
 */
struct buf {
    struct arena *arena;
    char *ptr;
    size_t len;
    size_t cap;
    bool failed;
};

void buf_init(struct buf *buf, struct arena *arena);
void buf_add(struct buf *buf, struct str s);
void buf_add_c(struct buf *buf, const char *text);
void buf_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *fmt, ...) ERR_PRINTF(2, 3);
void buf_clear(struct buf *buf); /* keeps the memory */
void buf_cut(struct buf *buf, size_t len);
/* Room for `n` more bytes at buf->ptr + buf->len, or NULL; the caller then adds to buf->len. */
char *buf_room(struct buf *buf, size_t n);
struct str buf_str(const struct buf *buf);
ERR_MUST_USE enum err buf_err(const struct buf *buf, struct why *why);

#endif
