/*
 * core/utf8 - characters of UTF-8 text. Pure.
 *
 * "Valid" is RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
 */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include "core/str.h"

#define UTF8_MAX_BYTES 4
#define UTF8_BAD       0xFFFD /* U+FFFD REPLACEMENT CHARACTER */

/* The character at *at, which moves behind it. A byte that begins no valid character gives UTF8_BAD
 * and moves one byte. Needs *at < s.len. */
uint32_t utf8_next(struct str s, size_t *at);

/* The start of the character before `at` (at > 0). */
size_t utf8_prev(struct str s, size_t at);

/* The largest character start <= at (at may be s.len, which is returned as it is). */
size_t utf8_floor(struct str s, size_t at);

/* Offset of the first invalid byte, or STR_NPOS when all is valid. */
size_t utf8_invalid(struct str s);

/* Writes 1 to 4 bytes, returns how many. A value that is no character is written as U+FFFD. */
size_t utf8_put(char out[UTF8_MAX_BYTES], uint32_t c);

size_t utf8_count(struct str s); /* characters */
/* Characters of ASCII and others, told by their first bytes; the text need not be valid. */
void utf8_kinds(struct str s, int64_t *ascii, int64_t *others);
struct str utf8_prefix(struct str s, size_t n); /* at most n characters */
size_t utf8_offset(struct str s, size_t n);     /* byte offset of character n, clamped */

/* Han ideographs (all CJK Unified blocks and compatibility forms). */
bool utf8_is_han(uint32_t c);
/* White space in the sense of Unicode White_Space. */
bool utf8_is_space(uint32_t c);
/* ASCII letters and digits of a full-width character (U+FF01..FF5E) and U+3000 folded to ASCII. */
uint32_t utf8_halfwidth(uint32_t c);

#endif
