#include "data/scan.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

/* What a byte inside a string asks for: 0 goes on, else a closer look. */
enum { PLAIN, QUOTE, ESCAPE, BAD, TWO, THREE, FOUR };
#define X4(x)  x, x, x, x
#define X16(x) X4(x), X4(x), X4(x), X4(x)
/* clang-format off */
static const uint8_t looks[256] = {
    X16(BAD), X16(BAD),
    ['"'] = QUOTE, ['\\'] = ESCAPE,
    [0x80] = X16(BAD), X16(BAD), X16(BAD), X16(BAD),
    BAD, BAD, TWO, TWO, X4(TWO), X4(TWO), X4(TWO), X16(TWO),
    X16(THREE),
    X4(FOUR), FOUR, BAD, BAD, BAD, X4(BAD), X4(BAD),
};
/* clang-format on */

static bool tail(uint8_t c)
{
    return (c & 0xC0) == 0x80;
}

/* Bytes of the character at p, 0 when it is not valid. */
static size_t wide(const uint8_t *p, size_t left)
{
    switch (looks[p[0]]) {
    case TWO:
        return left > 1 && tail(p[1]) ? 2 : 0;
    case THREE:
        if (left < 3 || !tail(p[1]) || !tail(p[2]) || (p[0] == 0xE0 && p[1] < 0xA0) ||
            (p[0] == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    case FOUR:
        if (left < 4 || !tail(p[1]) || !tail(p[2]) || !tail(p[3]) ||
            (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
            return 0;
        return 4;
    default:
        return 0;
    }
}

static bool hex4(const uint8_t *p, size_t left)
{
    if (left < 4)
        return false;
    for (int i = 0; i < 4; i++)
        if (!((p[i] >= '0' && p[i] <= '9') || ((p[i] | 32) >= 'a' && (p[i] | 32) <= 'f')))
            return false;
    return true;
}

/* Behind the characters of three bytes from i on, less those that E0 and ED begin: nearly all of
 * Chinese. A word of four bytes tells of one. */
static inline size_t behind_threes(const uint8_t *p, size_t n, size_t i)
{
    for (; i + 4 <= n; i += 3) {
        uint32_t w = p[i] | (uint32_t)p[i + 1] << 8 | (uint32_t)p[i + 2] << 16 |
                     (uint32_t)p[i + 3] << 24; /* one load */
        if ((w & 0xC0C0F0) != 0x8080E0 || (w & 0xFF) == 0xE0 || (w & 0xFF) == 0xED)
            break;
    }
    return i;
}

/* `at` stands on the opening quote. */
static size_t scan_string(struct str text, size_t at, size_t *bad)
{
    const uint8_t *p = (const uint8_t *)text.ptr;
    size_t n = text.len, i = at + 1;
    while (i < n) {
        i = behind_threes(p, n, i);
        uint8_t look = looks[p[i]];
        if (look == PLAIN) {
            i++;
        } else if (look == THREE && i + 2 < n && p[i] != 0xE0 && p[i] != 0xED && tail(p[i + 1]) &&
                   tail(p[i + 2])) {
            i += 3; /* nearly all of Chinese */
        } else if (look == QUOTE) {
            return i + 1;
        } else if (look == ESCAPE) {
            if (i + 1 >= n)
                break;
            if (p[i + 1] == 'u' ? !hex4(p + i + 2, n - i - 2)
                                : !p[i + 1] || !strchr("\"\\/bfnrt", p[i + 1])) {
                *bad = i;
                return STR_NPOS;
            }
            i += p[i + 1] == 'u' ? 6 : 2;
        } else {
            size_t step = look == BAD ? 0 : wide(p + i, n - i);
            if (!step) {
                *bad = i;
                return STR_NPOS;
            }
            i += step;
        }
    }
    *bad = n;
    return STR_NPOS;
}

static size_t digits(struct str text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at;
}

static size_t scan_number(struct str text, size_t at, size_t *bad)
{
    size_t i = at + (text.ptr[at] == '-'), first = i;
    *bad = at;
    i = digits(text, i);
    if (i == first || (text.ptr[first] == '0' && i > first + 1))
        return STR_NPOS;
    if (i < text.len && text.ptr[i] == '.') {
        size_t from = i + 1;
        i = digits(text, from);
        if (i == from)
            return STR_NPOS;
    }
    if (i < text.len && (text.ptr[i] | 32) == 'e') {
        size_t from = i + 1;
        if (from < text.len && (text.ptr[from] == '+' || text.ptr[from] == '-'))
            from++;
        i = digits(text, from);
        if (i == from)
            return STR_NPOS;
    }
    return i;
}

static size_t scan_word(struct str text, size_t at, const char *word, size_t *bad)
{
    size_t n = strlen(word);
    *bad = at;
    return text.len - at >= n && memcmp(text.ptr + at, word, n) == 0 ? at + n : STR_NPOS;
}

size_t scan_space(struct str text, size_t at)
{
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' || text.ptr[at] == '\n' ||
                             text.ptr[at] == '\r'))
        at++;
    return at;
}

/* "key": up to the value; STR_NPOS when that is not there. */
static size_t scan_key(struct str text, size_t at, size_t *bad)
{
    *bad = at;
    if (at >= text.len || text.ptr[at] != '"')
        return STR_NPOS;
    at = scan_string(text, at, bad);
    if (at == STR_NPOS)
        return at;
    *bad = at = scan_space(text, at);
    return at < text.len && text.ptr[at] == ':' ? scan_space(text, at + 1) : STR_NPOS;
}

static size_t scan_inside(struct str text, size_t at, int depth, size_t *bad)
{
    char open = text.ptr[at], close = open == '{' ? '}' : ']';
    at = scan_space(text, at + 1);
    if (at < text.len && text.ptr[at] == close)
        return at + 1;
    for (;;) {
        if (open == '{')
            at = scan_key(text, at, bad);
        if (at != STR_NPOS)
            at = scan_value(text, at, depth, bad);
        if (at == STR_NPOS)
            return at;
        *bad = at = scan_space(text, at);
        if (at < text.len && text.ptr[at] == close)
            return at + 1;
        if (at >= text.len || text.ptr[at] != ',')
            return STR_NPOS;
        at = scan_space(text, at + 1);
    }
}

size_t scan_value(struct str text, size_t at, int depth, size_t *bad)
{
    *bad = at;
    if (at >= text.len)
        return STR_NPOS;
    switch (text.ptr[at]) {
    case '"':
        return scan_string(text, at, bad);
    case '{':
    case '[':
        return depth > 0 ? scan_inside(text, at, depth - 1, bad) : STR_NPOS;
    case 't':
        return scan_word(text, at, "true", bad);
    case 'f':
        return scan_word(text, at, "false", bad);
    case 'n':
        return scan_word(text, at, "null", bad);
    default:
        return scan_number(text, at, bad);
    }
}

static size_t skip_string(struct str text, size_t at)
{
    for (at++; at < text.len; at++) {
        const char *quote = memchr(text.ptr + at, '"', text.len - at);
        if (!quote)
            return text.len;
        size_t end = (size_t)(quote - text.ptr), back = end;
        while (back > at && text.ptr[back - 1] == '\\')
            back--;
        at = end;
        if ((end - back) % 2 == 0)
            return end + 1;
    }
    return text.len;
}

size_t scan_skip(struct str text, size_t at)
{
    int depth = 0;
    while (at < text.len) {
        char c = text.ptr[at];
        if (c == '"') {
            at = skip_string(text, at);
            if (depth == 0)
                return at;
            continue;
        }
        if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--;
        else if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'))
            return at;
        if (depth < 0)
            return at;
        at++;
        if (depth == 0 && (c == '}' || c == ']'))
            return at;
    }
    return at;
}

bool scan_each(struct str text, size_t at, size_t *next, struct str *key, size_t *start,
               size_t *end)
{
    bool object = text.ptr[at] == '{';
    size_t i = scan_space(text, *next ? *next : at + 1);
    if (*next && i < text.len && text.ptr[i] == ',')
        i = scan_space(text, i + 1);
    if (i >= text.len || text.ptr[i] == '}' || text.ptr[i] == ']')
        return false;
    *key = STR_NONE;
    if (object) {
        size_t behind = skip_string(text, i);
        *key = str_slice(text, i, behind);
        i = scan_space(text, behind);
        i = scan_space(text, i + 1);
    }
    *start = i;
    *end = *next = scan_skip(text, i);
    return *end > *start;
}

static uint32_t hex_value(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (unsigned char)p[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v;
}

/* The character of the \u escape at p (behind the 'u'); *used gets the bytes of a pair. */
static uint32_t escaped(const char *p, size_t left, size_t *used)
{
    uint32_t c = hex_value(p);
    *used = 4;
    if (c < 0xD800 || c > 0xDFFF)
        return c;
    if (c < 0xDC00 && left >= 10 && p[4] == '\\' && p[5] == 'u') {
        uint32_t low = hex_value(p + 6);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *used = 10;
            return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return UTF8_BAD;
}

struct str scan_decode(struct str token, struct arena *arena)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (token.len < 2 || token.ptr[0] != '"')
        return STR_NONE;
    struct str in = str_slice(token, 1, token.len - 1);
    if (!in.len || !memchr(in.ptr, '\\', in.len))
        return in.len ? in : STR("");
    char *out = arena_bytes(arena, in.len + 1);
    size_t n = 0;
    if (!out)
        return STR_NONE;
    for (size_t i = 0; i < in.len;) {
        const char *slash = memchr(in.ptr + i, '\\', in.len - i);
        size_t run = slash ? (size_t)(slash - in.ptr) - i : in.len - i;
        memcpy(out + n, in.ptr + i, run);
        n += run;
        i += run;
        if (i + 1 >= in.len)
            break;
        char c = in.ptr[i + 1];
        i += 2;
        if (c == 'u') {
            size_t used;
            n += utf8_put(out + n, escaped(in.ptr + i, in.len - i, &used));
            i += used;
        } else {
            const char *hit = strchr(from, c);
            out[n++] = hit ? to[hit - from] : c;
        }
    }
    out[n] = '\0';
    return (struct str){out, n};
}

void scan_mend(char *text, size_t len)
{
    for (size_t i = 0; i + 1 < len;) {
        char *slash = memchr(text + i, '\\', len - i - 1);
        if (!slash)
            return;
        i = (size_t)(slash - text) + 2;
        size_t used = 0;
        if (slash[1] != 'u')
            continue;
        if (escaped(slash + 2, len - i, &used) == UTF8_BAD)
            memcpy(slash + 2, (const char[4]){'f', 'f', 'f', 'd'}, 4);
        i += used;
    }
}

static void quote_odd(struct buf *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *hit = c ? strchr(from, (char)c) : NULL;
    if (hit) {
        buf_add(out, (struct str){(char[]){'\\', to[hit - from]}, 2});
    } else {
        buf_add(out, (struct str){(char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6});
    }
}

/* Whether any of 8 bytes is below 0x20, a quote or a backslash. */
static bool any_odd(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"'), slash = w ^ (ones * '\\');
    return (((w - ones * 0x20) & ~w) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
           tops;
}

void scan_quote(struct buf *out, struct str s)
{
    size_t from = 0, i = 0;
    buf_char(out, '"');
    while (i < s.len) {
        uint64_t w;
        if (s.len - i >= sizeof w) {
            memcpy(&w, s.ptr + i, sizeof w);
            if (!any_odd(w)) {
                i += sizeof w;
                continue;
            }
        }
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == '"' || c == '\\') {
            buf_add(out, str_slice(s, from, i));
            quote_odd(out, c);
            from = i + 1;
        }
        i++;
    }
    buf_add(out, str_slice(s, from, s.len));
    buf_char(out, '"');
}
