/*
 * data/scan - JSON text looked at without a tree. Pure.
 *
 * scan_value() checks a value and finds its end; the others walk over text that was checked.
 */
#ifndef DATA_SCAN_H
#define DATA_SCAN_H

#include "core/str.h"

/* The end of the value that begins at text.ptr[at], checked (RFC 8259, UTF-8, at most `depth`
 * levels), or STR_NPOS with *bad at the byte that is wrong. */
size_t scan_value(struct str text, size_t at, int depth, size_t *bad);
size_t scan_space(struct str text, size_t at); /* behind white space */
/* The same of text that was checked before. */
size_t scan_skip(struct str text, size_t at);

/* The items of an array or the members of an object that begins at `at`, in checked text. *next
 * starts at 0. `key` is a token with its quotes (empty in an array). False at the end. */
bool scan_each(struct str text, size_t at, size_t *next, struct str *key, size_t *start,
               size_t *end);

/* A string token decoded into the arena, or borrowed when nothing is escaped; ptr NULL: no memory,
 * or no string. A lone surrogate becomes U+FFFD. */
struct str scan_decode(struct str token, struct arena *arena);
/* In checked text: each escape of half a surrogate pair becomes "\ufffd", in place. What reads
 * lines raw, a page or a trainer, need not know of halves. */
void scan_mend(char *text, size_t len);
/* The quoted form of valid UTF-8. */
void scan_quote(struct buf *out, struct str s);

#endif
