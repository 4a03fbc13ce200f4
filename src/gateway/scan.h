/*
 * gateway/scan - the members of a JSON text where they stand, without building a tree.
 *
 * Place in the room: [scan] -> ask, reply. What the gateway does not know must pass through it
 * untouched, byte for byte; so it finds the few members that it reads or replaces and copies the
 * rest. Pure: borrows from the text, allocates nothing. Everything that it steps over is checked
 * against RFC 8259, at most SCAN_DEPTH levels deep.
 */
#ifndef GATEWAY_SCAN_H
#define GATEWAY_SCAN_H

#include "core/str.h"

struct arena;

#define SCAN_DEPTH 200

struct scan {
    struct str text;
    size_t at;
    char close; /* '}' or ']' */
    bool first, bad;
};

/* Begins at the object or array that is the whole of `text` (white space around it). False when it
 * is neither. */
bool scan_object(struct scan *scan, struct str text);
bool scan_array(struct scan *scan, struct str text);

/* The next member or item: key (raw, without its quotes; empty in arrays) and value (raw). False at
 * the end, and when the text is not JSON: then scan->bad. */
bool scan_next(struct scan *scan, struct str *key, struct str *value);

/* The value of a member, the first of that name; ptr NULL when there is none or the text is no
 * object. Keys written with escapes are not found. */
struct str scan_get(struct str object, const char *key);

/* Whether the whole text is one JSON value. */
bool scan_valid(struct str text);

/* A raw value as a string: borrowed when it holds no escapes, else in `arena`. ptr NULL when it is
 * no string or memory ran out. */
struct str scan_str(struct str value, struct arena *arena);
/* Appends the characters of a raw string to `out`; nothing when it is none. */
void scan_put(struct str value, struct buf *out);
/* A raw value as an integer (a fraction of zero is fine), or the fallback. */
int64_t scan_int(struct str value, int64_t fallback);
bool scan_is_true(struct str value);
bool scan_is_null(struct str value); /* also when it is missing */

#endif
