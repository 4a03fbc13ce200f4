#include "core/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

int str_cmp(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

size_t str_find(struct str s, struct str needle)
{
    return str_find_from(s, needle, 0);
}

size_t str_find_from(struct str s, struct str needle, size_t from)
{
    if (from > s.len)
        return STR_NPOS;
    if (needle.len == 0)
        return from;
    if (needle.len > s.len - from)
        return STR_NPOS;
    const char *hit = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

size_t str_find_char(struct str s, char c)
{
    const char *hit = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

size_t str_edits(struct str a, struct str b)
{
    enum { MOST = 64 };
    size_t row[MOST + 1];
    if (a.len > MOST || b.len > MOST)
        return STR_NPOS;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = corner + (a.ptr[i - 1] != b.ptr[j - 1]);
            corner = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
            row[j] = change < least ? change : least;
        }
    }
    return row[b.len];
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
    while (s.len && is_space(s.ptr[0]))
        s = str_from(s, 1);
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The white space of Chinese texts: ideographic space, no-break space, byte order mark. */
static const struct str wide_spaces[] = {STR_INIT("\xE3\x80\x80"), STR_INIT("\xC2\xA0"),
                                         STR_INIT("\xEF\xBB\xBF")};

/* The first or last byte of a wide space; most lines end here. */
static bool may_be_wide(struct str s)
{
    unsigned char first = s.len ? (unsigned char)s.ptr[0] : 0;
    unsigned char last = s.len ? (unsigned char)s.ptr[s.len - 1] : 0;
    return first == 0xE3 || first == 0xC2 || first == 0xEF || last == 0x80 || last == 0xA0 ||
           last == 0xBF;
}

struct str str_trim_space(struct str s)
{
    for (bool again = true; again;) {
        again = false;
        s = str_trim(s);
        if (!may_be_wide(s))
            return s;
        for (size_t i = 0; i < sizeof wide_spaces / sizeof wide_spaces[0]; i++) {
            if (str_starts(s, wide_spaces[i])) {
                s = str_from(s, wide_spaces[i].len);
                again = true;
            }
            if (str_ends(s, wide_spaces[i])) {
                s.len -= wide_spaces[i].len;
                again = true;
            }
        }
    }
    return s;
}

bool str_next(struct str *rest, char sep, struct str *part)
{
    if (!rest->ptr)
        return false;
    size_t at = str_find_char(*rest, sep);
    if (at == STR_NPOS) {
        *part = *rest;
        *rest = STR_NONE;
        return part->len > 0 || part->ptr != NULL;
    }
    *part = str_slice(*rest, 0, at);
    *rest = str_from(*rest, at + 1);
    return true;
}

bool str_next_line(struct str *rest, struct str *line)
{
    if (rest->len == 0)
        return false;
    size_t at = str_find_char(*rest, '\n');
    size_t end = at == STR_NPOS ? rest->len : at;
    *line = str_slice(*rest, 0, end);
    *rest = str_from(*rest, at == STR_NPOS ? end : end + 1);
    if (line->len && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}

struct str str_of_i64(int64_t n, char room[STR_I64])
{
    uint64_t left = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    char *at = &room[STR_I64 - 1];
    *at = '\0';
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (n < 0)
        *--at = '-';
    return (struct str){at, (size_t)(room + STR_I64 - 1 - at)};
}

bool str_to_i64(struct str s, int64_t *out)
{
    char text[24];
    if (s.len == 0 || s.len >= sizeof text || is_space(s.ptr[0]))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || *end || end == text)
        return false;
    *out = value;
    return true;
}

bool str_to_f64(struct str s, double *out)
{
    char text[64];
    if (s.len == 0 || s.len >= sizeof text || is_space(s.ptr[0]))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (errno || *end || end == text)
        return false;
    *out = value;
    return true;
}

struct str str_copy(struct arena *arena, struct str s)
{
    char *copy = arena_copy(arena, s.ptr, s.len);
    return copy ? (struct str){copy, s.len} : STR_NONE;
}

char *str_z(struct arena *arena, struct str s)
{
    return arena_copy(arena, s.ptr, s.len);
}

struct str str_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_bytes(arena, (size_t)len + 1);
    if (text)
        (void)vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text ? (struct str){text, (size_t)len} : STR_NONE;
}

struct str str_lower_ascii(struct arena *arena, struct str s)
{
    char *copy = arena_copy(arena, s.ptr, s.len);
    if (!copy)
        return STR_NONE;
    for (size_t i = 0; i < s.len; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + ('a' - 'A'));
    return (struct str){copy, s.len};
}

void buf_init(struct buf *buf, struct arena *arena)
{
    *buf = (struct buf){.arena = arena};
}

char *buf_room(struct buf *buf, size_t n)
{
    if (buf->failed)
        return NULL;
    if (n < buf->cap - buf->len) /* strictly less: the '\0' */
        return buf->ptr + buf->len;
    size_t need;
    if (__builtin_add_overflow(buf->len, n + 1, &need))
        goto failed;
    size_t cap = buf->cap * 2 > need ? buf->cap * 2 : need < 64 ? 64 : need;
    char *ptr = arena_grow(buf->arena, buf->ptr, buf->cap, cap);
    if (!ptr && cap > need) { /* doubling passed the limit; the exact need may fit */
        cap = need;
        ptr = arena_grow(buf->arena, buf->ptr, buf->cap, cap);
    }
    if (!ptr)
        goto failed;
    buf->ptr = ptr;
    buf->cap = cap;
    return ptr + buf->len;
failed:
    buf->failed = true;
    return NULL;
}

void buf_add(struct buf *buf, struct str s)
{
    char *room = buf_room(buf, s.len);
    if (!room)
        return;
    if (s.len)
        memcpy(room, s.ptr, s.len);
    buf->len += s.len;
    buf->ptr[buf->len] = '\0';
}

void buf_add_c(struct buf *buf, const char *text)
{
    buf_add(buf, str_c(text));
}

void buf_char(struct buf *buf, char c)
{
    char *room = buf_room(buf, 1);
    if (!room)
        return;
    room[0] = c;
    room[1] = '\0';
    buf->len++;
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *room = len < 0 ? NULL : buf_room(buf, (size_t)len);
    if (room) {
        (void)vsnprintf(room, (size_t)len + 1, fmt, again);
        buf->len += (size_t)len;
    } else {
        buf->failed = true;
    }
    va_end(again);
}

void buf_clear(struct buf *buf)
{
    buf_cut(buf, 0);
}

void buf_cut(struct buf *buf, size_t len)
{
    if (len > buf->len)
        return;
    buf->len = len;
    if (buf->ptr)
        buf->ptr[len] = '\0';
}

struct str buf_str(const struct buf *buf)
{
    return buf->ptr ? (struct str){buf->ptr, buf->len} : STR("");
}

enum err buf_err(const struct buf *buf, struct why *why)
{
    if (!buf->failed)
        return ERR_OK;
    return err_set(why, ERR_NO_MEMORY, "the text is larger than its memory limit of %zu bytes",
                   arena_limit(buf->arena));
}
