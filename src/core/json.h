/*
 * core/json - reading JSON documents (RFC 8259) and writing JSON text.
 *
 * Reading: a document is parsed whole; its values are borrowed from the tree, which ends with the
 * arena. Numbers are int64 or double; a key that stands twice in one object is refused.
 * Writing: a small state machine over a `struct buf`, so that an answer is built without a tree.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include "core/str.h"

struct arena;
struct json; /* one value of a parsed document */

enum json_kind {
    JSON_KIND_NULL,
    JSON_KIND_BOOL,
    JSON_KIND_INT,
    JSON_KIND_REAL,
    JSON_KIND_STRING,
    JSON_KIND_ARRAY,
    JSON_KIND_OBJECT
};

/* At most 512 levels. ERR_INVALID says line and column. */
ERR_MUST_USE enum err json_parse(struct str text, struct arena *arena, const struct json **out,
                                 struct why *why);

enum json_kind json_kind(const struct json *value); /* NULL counts as JSON_KIND_NULL */
size_t json_len(const struct json *value);          /* items or members; 0 for other kinds */
const struct json *json_at(const struct json *array, size_t i);
const struct json *json_get(const struct json *object, const char *key); /* NULL when missing */

/* The value when it has the kind, else the fallback. NULL is fine. A real with no fraction counts
 * as an integer; an integer counts as a real. */
struct str json_str(const struct json *value, struct str fallback);
int64_t json_int(const struct json *value, int64_t fallback);
double json_f64(const struct json *value, double fallback);
bool json_bool(const struct json *value, bool fallback);

/* The same for a member. */
struct str json_get_str(const struct json *object, const char *key, struct str fallback);
int64_t json_get_int(const struct json *object, const char *key, int64_t fallback);
double json_get_f64(const struct json *object, const char *key, double fallback);
bool json_get_bool(const struct json *object, const char *key, bool fallback);

/* Members in the order of the text. *iter starts as NULL; false at the end. */
bool json_each(const struct json *object, void **iter, struct str *key, const struct json **value);

/* The first member that is none of `names` (parted by spaces), in *key; false when there is none.
 */
bool json_unknown(const struct json *object, const char *names, struct str *key);

/* The value as compact JSON text. */
ERR_MUST_USE enum err json_dump(const struct json *value, struct arena *arena, struct str *out,
                                struct why *why);

/* ---- writing ---- */

#define JSON_DEPTH 64

struct json_out {
    struct buf *buf;
    uint64_t filled; /* bit d: something stands in the container at depth d */
    uint8_t depth;
    bool after_key;
    /* Says the words of an error in the reader's language: appends them, or false and nothing.
     * NULL: as they are. Asked by json_put_said() alone. */
    bool (*say)(struct str words, struct buf *said);
};

void json_out_init(struct json_out *out, struct buf *buf);
void json_begin_object(struct json_out *out);
void json_end_object(struct json_out *out);
void json_begin_array(struct json_out *out);
void json_end_array(struct json_out *out);
void json_key(struct json_out *out, const char *key);
void json_put_str(struct json_out *out, struct str s); /* bytes that are not UTF-8 become U+FFFD */
void json_put_c(struct json_out *out, const char *s);  /* NULL writes null */
void json_put_said(struct json_out *out, struct str words);
void json_put_int(struct json_out *out, int64_t value);
void json_put_real(struct json_out *out, double value); /* not finite: null */
void json_put_bool(struct json_out *out, bool value);
void json_put_null(struct json_out *out);
void json_put_raw(struct json_out *out, struct str json); /* text that is already JSON */
void json_put_value(struct json_out *out, const struct json *value);

/* key and value together */
void json_kv_str(struct json_out *out, const char *key, struct str s);
void json_kv_c(struct json_out *out, const char *key, const char *s);
void json_kv_said(struct json_out *out, const char *key, struct str words);
void json_kv_int(struct json_out *out, const char *key, int64_t value);
void json_kv_real(struct json_out *out, const char *key, double value);
void json_kv_bool(struct json_out *out, const char *key, bool value);
void json_kv_raw(struct json_out *out, const char *key, struct str json); /* empty: null */
void json_kv_time(struct json_out *out, const char *key, int64_t ms);     /* 0 or less: null */
void json_kv_day(struct json_out *out, const char *key, int32_t day);     /* DAY_NONE: null */

/* A page of a list in the API's shape: {"items":[ ... ],"next":"the cursor of the page behind"}. */
void json_begin_items(struct json_out *out);
void json_end_items(struct json_out *out, struct str next); /* empty, the last page: null */

/* The quoted form of s, appended to buf. */
void json_quote(struct buf *buf, struct str s);

#endif
