#include "gateway/scan.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

static size_t skip_space(struct str t, size_t at)
{
    while (at < t.len &&
           (t.ptr[at] == ' ' || t.ptr[at] == '\t' || t.ptr[at] == '\n' || t.ptr[at] == '\r'))
        at++;
    return at;
}

static bool is_digit(struct str t, size_t at)
{
    return at < t.len && t.ptr[at] >= '0' && t.ptr[at] <= '9';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- each skip_ returns the place behind what it stepped over, STR_NPOS when that is not JSON
 * ----
 */

/* To the next quote, backslash or control character, eight bytes at a time (Mycroft's test for a
 * byte below a bound, exact as to whether there is one). */
static size_t skip_plain(struct str t, size_t at)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    for (uint64_t w; t.len - at >= sizeof w; at += sizeof w) {
        memcpy(&w, t.ptr + at, sizeof w);
        uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
        if (((w - ones * 0x20) & ~w & tops) | ((quote - ones) & ~quote & tops) |
            ((slash - ones) & ~slash & tops))
            break;
    }
    while (at < t.len && t.ptr[at] != '"' && t.ptr[at] != '\\' && (unsigned char)t.ptr[at] >= 0x20)
        at++;
    return at;
}

static size_t skip_string(struct str t, size_t at)
{
    for (at = skip_plain(t, at + 1); at < t.len; at = skip_plain(t, at + 1)) {
        unsigned char c = (unsigned char)t.ptr[at];
        if (c == '"')
            return at + 1;
        if (c < 0x20)
            return STR_NPOS;
        if (c != '\\')
            continue;
        if (++at >= t.len || !strchr("\"\\/bfnrtu", t.ptr[at]) || t.ptr[at] == '\0')
            return STR_NPOS;
        if (t.ptr[at] != 'u')
            continue;
        for (int i = 0; i < 4; i++)
            if (++at >= t.len || hex_value(t.ptr[at]) < 0)
                return STR_NPOS;
    }
    return STR_NPOS;
}

static size_t skip_digits(struct str t, size_t at)
{
    if (!is_digit(t, at))
        return STR_NPOS;
    while (is_digit(t, at))
        at++;
    return at;
}

static size_t skip_number(struct str t, size_t at)
{
    if (t.ptr[at] == '-')
        at++;
    at = at < t.len && t.ptr[at] == '0' ? at + 1 : skip_digits(t, at);
    if (at != STR_NPOS && at < t.len && t.ptr[at] == '.')
        at = skip_digits(t, at + 1);
    if (at == STR_NPOS || at >= t.len || (t.ptr[at] | 0x20) != 'e')
        return at;
    at++;
    if (at < t.len && (t.ptr[at] == '+' || t.ptr[at] == '-'))
        at++;
    return skip_digits(t, at);
}

static size_t skip_word(struct str t, size_t at, const char *word)
{
    size_t len = strlen(word);
    return t.len - at >= len && memcmp(t.ptr + at, word, len) == 0 ? at + len : STR_NPOS;
}

static size_t skip_value(struct str t, size_t at, unsigned depth);

/* A name with the colon behind it; *end is the place behind the name's quotes. */
static size_t skip_key(struct str t, size_t at, size_t *end)
{
    if (at >= t.len || t.ptr[at] != '"')
        return STR_NPOS;
    at = skip_string(t, at);
    if (at == STR_NPOS)
        return STR_NPOS;
    *end = at;
    at = skip_space(t, at);
    return at < t.len && t.ptr[at] == ':' ? skip_space(t, at + 1) : STR_NPOS;
}

static size_t skip_container(struct str t, size_t at, unsigned depth)
{
    char close = t.ptr[at] == '{' ? '}' : ']';
    size_t end;
    at = skip_space(t, at + 1);
    if (at < t.len && t.ptr[at] == close)
        return at + 1;
    for (;;) {
        if (close == '}')
            at = skip_key(t, at, &end);
        if (at != STR_NPOS)
            at = skip_value(t, at, depth + 1);
        if (at == STR_NPOS)
            return STR_NPOS;
        at = skip_space(t, at);
        if (at < t.len && t.ptr[at] == close)
            return at + 1;
        if (at >= t.len || t.ptr[at] != ',')
            return STR_NPOS;
        at = skip_space(t, at + 1);
    }
}

static size_t skip_value(struct str t, size_t at, unsigned depth)
{
    if (at >= t.len || depth > SCAN_DEPTH)
        return STR_NPOS;
    switch (t.ptr[at]) {
    case '"':
        return skip_string(t, at);
    case '{':
    case '[':
        return skip_container(t, at, depth);
    case 't':
        return skip_word(t, at, "true");
    case 'f':
        return skip_word(t, at, "false");
    case 'n':
        return skip_word(t, at, "null");
    default:
        return t.ptr[at] == '-' || is_digit(t, at) ? skip_number(t, at) : STR_NPOS;
    }
}

bool scan_valid(struct str text)
{
    size_t end = skip_value(text, skip_space(text, 0), 0);
    return end != STR_NPOS && skip_space(text, end) == text.len;
}

/* ---- members and items ---- */

static bool begin(struct scan *scan, struct str text, char open, char close)
{
    size_t at = skip_space(text, 0);
    *scan = (struct scan){.text = text, .at = at + 1, .close = close, .first = true};
    scan->bad = at >= text.len || text.ptr[at] != open;
    return !scan->bad;
}

bool scan_object(struct scan *scan, struct str text)
{
    return begin(scan, text, '{', '}');
}

bool scan_array(struct scan *scan, struct str text)
{
    return begin(scan, text, '[', ']');
}

static bool fail(struct scan *scan)
{
    scan->bad = true;
    return false;
}

bool scan_next(struct scan *scan, struct str *key, struct str *value)
{
    struct str t = scan->text;
    size_t at = skip_space(t, scan->at), end;
    *key = STR("");
    if (scan->bad || at >= t.len)
        return fail(scan);
    if (t.ptr[at] == scan->close) {
        scan->at = at;
        return skip_space(t, at + 1) == t.len ? false : fail(scan);
    }
    if (!scan->first) {
        if (t.ptr[at] != ',')
            return fail(scan);
        at = skip_space(t, at + 1);
    }
    if (scan->close == '}') {
        size_t from = at;
        at = skip_key(t, at, &end);
        if (at == STR_NPOS)
            return fail(scan);
        *key = str_slice(t, from + 1, end - 1);
    }
    end = skip_value(t, at, 1);
    if (end == STR_NPOS)
        return fail(scan);
    *value = str_slice(t, at, end);
    scan->at = end;
    scan->first = false;
    return true;
}

struct str scan_get(struct str object, const char *name)
{
    struct scan scan;
    struct str key, value;
    if (scan_object(&scan, object))
        while (scan_next(&scan, &key, &value))
            if (str_eq_c(key, name))
                return value;
    return STR_NONE;
}

/* ---- values ---- */

static uint32_t unit(struct str t, size_t at)
{
    uint32_t u = 0;
    for (size_t i = 0; i < 4; i++)
        u = u << 4 | (uint32_t)hex_value(t.ptr[at + i]);
    return u;
}

/* The escape behind the backslash at `at`; returns the place behind it. A half of a pair that
 * stands alone becomes U+FFFD. */
static size_t put_escape(struct str t, size_t at, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char bytes[UTF8_MAX_BYTES];
    char c = t.ptr[at + 1];
    if (c != 'u') {
        buf_char(out, to[strchr(from, c) - from]);
        return at + 2;
    }
    uint32_t u = unit(t, at + 2);
    at += 6;
    if (u >= 0xD800 && u < 0xDC00 && t.len - at >= 6 && t.ptr[at] == '\\' && t.ptr[at + 1] == 'u') {
        uint32_t low = unit(t, at + 2);
        if (low >= 0xDC00 && low < 0xE000) {
            u = 0x10000 + ((u - 0xD800) << 10) + (low - 0xDC00);
            at += 6;
        }
    }
    if (u >= 0xD800 && u < 0xE000)
        u = 0xFFFD;
    buf_add(out, (struct str){bytes, utf8_put(bytes, u)});
    return at;
}

static bool is_string(struct str value)
{
    return value.len >= 2 && value.ptr[0] == '"' && skip_string(value, 0) == value.len;
}

void scan_put(struct str value, struct buf *out)
{
    if (!is_string(value))
        return;
    struct str t = str_slice(value, 1, value.len - 1);
    for (size_t at = 0; at < t.len;) {
        size_t plain = at;
        while (plain < t.len && t.ptr[plain] != '\\')
            plain++;
        buf_add(out, str_slice(t, at, plain));
        at = plain < t.len ? put_escape(t, plain, out) : plain;
    }
}

struct str scan_str(struct str value, struct arena *arena)
{
    struct buf out;
    if (!is_string(value))
        return STR_NONE;
    if (!memchr(value.ptr, '\\', value.len))
        return str_slice(value, 1, value.len - 1);
    buf_init(&out, arena);
    scan_put(value, &out);
    return out.failed ? STR_NONE : out.len ? buf_str(&out) : STR("");
}

int64_t scan_int(struct str value, int64_t fallback)
{
    int64_t n;
    double real;
    if (str_to_i64(value, &n))
        return n;
    if (value.len && (is_digit(value, 0) || value.ptr[0] == '-') && str_to_f64(value, &real) &&
        real >= -9e15 && real <= 9e15 && real == (double)(int64_t)real)
        return (int64_t)real;
    return fallback;
}

bool scan_is_true(struct str value)
{
    return str_eq_c(value, "true");
}

bool scan_is_null(struct str value)
{
    return value.len == 0 || str_eq_c(value, "null");
}
