/*
 * data/record - one line of a data set: a JSON object with an id, read and changed in place.
 *
 * A line is scanned once: it is valid JSON (RFC 8259) and valid UTF-8 or it is refused. Only its
 * top-level members are looked at; what no operator touches is written back byte for byte. Texts
 * are decoded when asked for, without a copy when they hold no escape.
 *
 *     kind            members besides "id"
 *     text            text, title?
 *     chat            messages: [{role, content}, ...]
 *     preference      prompt (a text, or messages), chosen, rejected (texts, or one message each)
 *     classification  text, label
 *     spans           text, spans: [{start, end, label}, ...] in characters of the text
 *     qa              question, answer, context?
 *     caption         image (name of an object), caption
 *     row             row: {column: value, ...}
 *
 * Any kind may have "meta" (an object), "split" ("train", ...) and members of its own.
 * The id is "<source>-<number>" for an acquired record; what is made from it adds ".<n>" (a part)
 * or "~<n>" (a repetition), so that the source of every record is the part before the first '-'.
 *
 * A record and all it holds live in the arena it was read with: one thread.
 */
#ifndef DATA_RECORD_H
#define DATA_RECORD_H

#include "core/str.h"

struct arena;

enum record_kind {
    RECORD_TEXT,
    RECORD_CHAT,
    RECORD_PREFERENCE,
    RECORD_CLASSIFICATION,
    RECORD_SPANS,
    RECORD_QA,
    RECORD_CAPTION,
    RECORD_ROW,
    RECORD_KINDS
};
const char *record_kind_name(enum record_kind kind);
ERR_MUST_USE bool record_kind_parse(struct str name, enum record_kind *out);
/* What a JSON object with these members most likely is: by messages, chosen, spans, label,
 * question, caption, row, text; RECORD_KINDS when nothing fits. */
struct record;
enum record_kind record_kind_guess(const struct record *record);

/* Whether the record has what its kind asks for: ERR_INVALID names the member. */
ERR_MUST_USE enum err record_check(const struct record *record, enum record_kind kind,
                                   struct why *why);

#define RECORD_MOST_BYTES   ((size_t)16 << 20) /* of a line */
#define RECORD_MOST_ID      128                /* bytes of an id */
#define RECORD_DEPTH        64                 /* levels of nesting */
#define RECORD_MOST_MEMBERS 256

struct record_member {
    struct str key; /* decoded */
    struct str raw; /* the value as JSON text; ptr NULL: removed */
};

/* One text in a record: a JSON string somewhere in a member's value. */
struct record_text {
    size_t member;     /* index */
    size_t start, end; /* of the string token, quotes included, in that member's raw value */
    struct str value;  /* decoded, or what it was changed to */
    bool changed;
};

struct record {
    struct arena *arena;
    struct str id;
    struct str line; /* as it was read; ptr NULL for one made here */
    struct record_member *members;
    size_t n, cap;
    bool changed; /* `line` does not hold any more */
};

/* The line as a record. `line` is borrowed and must live as long. The id is empty when there is
 * none, or when it is no text of 1 to RECORD_MOST_ID bytes: acquiring gives one.
 *   Errors  ERR_INVALID   not one JSON object in UTF-8, or a member twice; why says at which byte
 *           ERR_TOO_LARGE longer than RECORD_MOST_BYTES, deeper than RECORD_DEPTH, more than
 *                         RECORD_MOST_MEMBERS
 *           ERR_NO_MEMORY */
ERR_MUST_USE enum err record_read(struct str line, struct arena *arena, struct record *out,
                                  struct why *why);
/* An empty record, and one made from another: "<parent>.<n>", n from 1. */
ERR_MUST_USE enum err record_new(struct str id, struct arena *arena, struct record *out,
                                 struct why *why);
ERR_MUST_USE enum err record_part(const struct record *parent, size_t n, struct record *out,
                                  struct why *why);
/* The id of a line that was checked before, mostly without reading all of it; empty: none. */
struct str record_line_id(struct str line, struct arena *arena);
/* The key of the source in an id: what stands before the first '-'. */
struct str record_source(struct str id);

/* The JSON text of a member's value; ptr NULL when there is none. */
struct str record_raw(const struct record *record, const char *key);
/* The text of a member that is a JSON string, decoded; ptr NULL when it is missing, no string, or
 * memory ran out. */
struct str record_str(const struct record *record, const char *key);
/* A JSON string token (with its quotes) decoded into the arena; borrowed when nothing is escaped.
 * ptr NULL when memory ran out or it is no string. */
struct str record_decode(struct str raw, struct arena *arena);

/* Set or replace. "id" is set by record_set_id only. ERR_NO_MEMORY; record_set_raw() trusts its
 * caller that `raw` is JSON. Values are borrowed. */
ERR_MUST_USE enum err record_set_str(struct record *record, const char *key, struct str value,
                                     struct why *why);
ERR_MUST_USE enum err record_set_raw(struct record *record, const char *key, struct str raw,
                                     struct why *why);
ERR_MUST_USE enum err record_set_id(struct record *record, struct str id, struct why *why);
void record_remove(struct record *record, const char *key);

/*
 * The texts that `paths` name, each once, in the order of the record. A path is names parted
 * by '.', where "[]" behind a name means every item and "*" every member: "text",
 * "messages[].content", "row.*". What a path does not find, or what is no string, is left out.
 * ERR_NO_MEMORY.
 */
ERR_MUST_USE enum err record_texts(const struct record *record, const struct str *paths,
                                   size_t n_paths, struct record_text **out, size_t *n,
                                   struct why *why);
/* Puts the changed ones back; they must be in the order they came in. Their places are void
 * afterwards: ask record_texts() again. */
ERR_MUST_USE enum err record_put_texts(struct record *record, const struct record_text *texts,
                                       size_t n, struct why *why);
/* The usual paths of a kind. Static. */
const struct str *record_paths(enum record_kind kind, size_t *n);
ERR_MUST_USE enum err record_path_check(struct str path, struct why *why);

/* The record as one line with "\n", appended. */
void record_write(const struct record *record, struct buf *out);

#endif
