#include "core/utf8.h"

#include <string.h>

/* Length and value of the character at p (n bytes left); 0 when there is none. */
static size_t decode(const unsigned char *p, size_t n, uint32_t *out)
{
    unsigned char a = p[0];
    if (a < 0x80) {
        *out = a;
        return 1;
    }
    if (a < 0xC2 || a > 0xF4)
        return 0;
    size_t len = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    if (n < len)
        return 0;
    uint32_t c = a & (0xFFu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    bool overlong = (len == 3 && c < 0x800) || (len == 4 && c < 0x10000);
    if (overlong || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *out = c;
    return len;
}

uint32_t utf8_next(struct str s, size_t *at)
{
    uint32_t c;
    size_t len = decode((const unsigned char *)s.ptr + *at, s.len - *at, &c);
    *at += len ? len : 1;
    return len ? c : UTF8_BAD;
}

size_t utf8_floor(struct str s, size_t at)
{
    if (at >= s.len)
        return s.len;
    size_t start = at;
    while (start > 0 && at - start < UTF8_MAX_BYTES - 1 &&
           ((unsigned char)s.ptr[start] & 0xC0) == 0x80)
        start--;
    uint32_t c;
    size_t len = decode((const unsigned char *)s.ptr + start, s.len - start, &c);
    return len > at - start ? start : at; /* a stray byte is its own character */
}

size_t utf8_prev(struct str s, size_t at)
{
    return utf8_floor(s, at - 1);
}

/* Most texts are runs of ASCII: eight bytes at a time. */
static size_t skip_ascii(const unsigned char *p, size_t n, size_t at)
{
    for (uint64_t word; n - at >= sizeof word; at += sizeof word) {
        memcpy(&word, p + at, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (at < n && p[at] < 0x80)
        at++;
    return at;
}

size_t utf8_invalid(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    for (size_t at = 0; at < s.len;) {
        uint32_t c;
        if (p[at] < 0x80) {
            at = skip_ascii(p, s.len, at);
            continue;
        }
        size_t len = decode(p + at, s.len - at, &c);
        if (!len)
            return at;
        at += len;
    }
    return STR_NPOS;
}

size_t utf8_put(char out[UTF8_MAX_BYTES], uint32_t c)
{
    if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        c = UTF8_BAD;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(leads[len] | c);
    return len;
}

size_t utf8_count(struct str s)
{
    size_t n = 0;
    for (size_t at = 0; at < s.len; n++)
        (void)utf8_next(s, &at);
    return n;
}

void utf8_kinds(struct str s, int64_t *ascii, int64_t *others)
{
    const uint64_t tops = 0x8080808080808080u;
    size_t at = 0, high = 0, first = 0;
    for (uint64_t w; s.len - at >= sizeof w; at += sizeof w) {
        memcpy(&w, s.ptr + at, sizeof w);
        high += (size_t)__builtin_popcountll(w & tops);
        first += (size_t)__builtin_popcountll(w & w << 1 & tops);
    }
    for (; at < s.len; at++) {
        unsigned char c = (unsigned char)s.ptr[at];
        high += c >= 0x80;
        first += c >= 0xC0;
    }
    *ascii = (int64_t)(s.len - high);
    *others = (int64_t)first;
}

size_t utf8_offset(struct str s, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n && at < s.len; i++)
        (void)utf8_next(s, &at);
    return at;
}

struct str utf8_prefix(struct str s, size_t n)
{
    return str_slice(s, 0, utf8_offset(s, n));
}

bool utf8_is_han(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || c == 0x3007 ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

bool utf8_is_space(uint32_t c)
{
    return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

uint32_t utf8_halfwidth(uint32_t c)
{
    if (c >= 0xFF01 && c <= 0xFF5E)
        return c - 0xFEE0;
    return c == 0x3000 ? ' ' : c;
}
