/*
 * annotate/labels - what is asked of the people: what they see, and the fields that they fill in.
 *
 *     {"show":   [{"name": "text", "kind": "text", "path": "text"}],
 *      "fields": [{"name": "label", "kind": "choices", "title": "类别", "to": "text",
 *                  "required": true, "multiple": false,
 *                  "labels": [{"value": "投诉", "title": "", "color": "#1f6fb2", "key": "1",
 *                              "children": [...]}]}]}
 *
 * A label below another is named by its way: "投诉/噪声". An answer (answer.h) has one member for
 * each field. Colours and hot keys that are missing are given. What is read here is what is stored.
 */
#ifndef ANNOTATE_LABELS_H
#define ANNOTATE_LABELS_H

#include "core/json.h"
#include "core/str.h"

struct arena;

#define LABELS_MOST_FIELDS 16
#define LABELS_MOST_SHOWS  16
#define LABELS_MOST        2000 /* labels of a field */
#define LABELS_DEPTH       8
#define LABELS_MOST_NAME   128 /* bytes of a name, 256 of a label's way */

#define FIELD_KIND_MAP(X)                                                                          \
    /* id          name         answer */                                                          \
    X(CHOICES, "choices") /* ["a", "a/b"] */                                                       \
    X(SPANS, "spans")     /* [{"start", "end", "label"}] in characters of the text "to" */         \
    X(BOXES, "boxes")     /* [{"x", "y", "width", "height", "rotation"?, "label"}] percent */      \
    X(TEXT, "text")       /* "words" */                                                            \
    X(RATING, "rating")   /* 1 .. max */                                                           \
    X(NUMBER, "number")   /* a number */                                                           \
    X(PREFERENCE, "preference") /* "a", "b" or "tie" */                                            \
    X(RANKING, "ranking")       /* ["id of the best", "second", ...] */
enum field_kind {
#define FIELD_KIND(id, name) FIELD_##id,
    FIELD_KIND_MAP(FIELD_KIND)
#undef FIELD_KIND
        FIELD_KINDS
};
const char *field_kind_name(enum field_kind kind);

struct label {
    struct str value; /* its whole way, "a/b" */
    struct str name;  /* the last part */
    struct str title; /* for people; may be empty */
    struct str color, key;
    int parent; /* index, or -1 */
    int depth;
};

struct field {
    struct str name, title,
        to; /* to: name of what is shown; may be empty but for spans and boxes */
    enum field_kind kind;
    bool required, multiple;
    bool compare;         /* whether people must agree in it */
    int64_t max;          /* of a rating */
    struct label *labels; /* n_labels, parents before their children */
    size_t n_labels;
};

struct show {
    struct str name, path; /* path: member of the record, "text", "row.review" */
    struct str kind;       /* "text", "chat", "image" */
    struct str title;
};

struct labels {
    struct show *shows;
    size_t n_shows;
    struct field *fields;
    size_t n_fields;
};

/* ERR_INVALID names the place: unknown kind, two alike names or labels, labels missing where the
 * kind needs them, a "to" that is not shown. Everything lives in `arena`. */
ERR_MUST_USE enum err labels_read(const struct json *json, struct arena *arena, struct labels *out,
                                  struct why *why);
void labels_write(const struct labels *labels, struct json_out *out);
/* Gives colours and keys, looks for doubles: for who makes a label set otherwise than by reading.
 */
ERR_MUST_USE enum err labels_finish(struct labels *labels, struct arena *arena, struct why *why);

const struct field *labels_field(const struct labels *labels, struct str name);
const struct show *labels_show(const struct labels *labels, struct str name);
/* Index of the label with that way, or -1. */
int field_label(const struct field *field, struct str value);
/* The same, or the only one with that last part (what a model or a field of a record says). */
int field_label_loose(const struct field *field, struct str value);

#endif
