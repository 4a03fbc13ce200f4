/*
 * formats/reader - what a reader is, and the document that it writes into.
 *
 * Place in the room: bytes -> refuse -> detect -> [reader] -> document. A reader is one file
 * format_<name>.c that defines `format_reader_<name>`, and a line in formats.def.
 */
#ifndef FORMATS_READER_H
#define FORMATS_READER_H

#include "formats/formats.h"

/*
 * The document being written. Failure is sticky: after the first one every call does nothing, and
 * out->err says what it was. Text handed in is borrowed: it lives in out->arena or in the input.
 */
struct format_out {
    struct arena *arena;
    const struct format_limits *limits;
    struct format_document *doc;
    struct str suffix; /* of the name, lower case, without the dot */
    bool clean;        /* texts handed in are known to be valid UTF-8 without control characters */
    int page;          /* put into the blocks */
    int64_t deadline_ns;
    int64_t *watch; /* the deadline as the watching process sees it (shared memory), or NULL */
    unsigned ticks;
    size_t text_bytes;
    size_t cap_blocks, cap_meta;
    enum err err;
    struct why *why;
};

struct format_reader {
    const char *name;     /* [a-z0-9]+, stable: stored with documents */
    const char *suffixes; /* lower case, each with a space on both sides: " htm html " */
    bool text;            /* detect and read get decoded text instead of the raw bytes */
    bool risky;           /* the parser behind it is large: run it in a child process */
    /* 0: not this format; up to 100: sure. The highest wins, the first of equals. */
    int (*detect)(struct str bytes, struct str suffix);
    /* Called from many threads at once: keep no state. */
    enum err (*read)(struct str bytes, struct format_out *out);
};

/* NULL when no reader of that kind (text or not) knows the bytes. */
const struct format_reader *format_detect(struct str bytes, struct str suffix, bool text);

/* ERR_UNSUPPORTED with advice for what is recognised but not read: old Office files, rar, programs;
 * ERR_OK otherwise. */
ERR_MUST_USE enum err format_refuse(struct str bytes, struct why *why);

/* What format_read does, with the reader already known (or NULL) and a watched deadline (or NULL).
 */
ERR_MUST_USE enum err format_read_with(const struct format_reader *reader, struct str bytes,
                                       struct str name, const struct format_limits *limits,
                                       struct arena *arena, int64_t *watch,
                                       struct format_document *out, struct why *why);

/*
 * The same in a child process with limits on memory and time (child.c). What the child gives back
 * is checked; a child that crashes, hangs or runs out of memory is ERR_INVALID, ERR_TIMEOUT or
 * ERR_NO_MEMORY with words. `memory` is what it may take beyond this process.
 */
ERR_MUST_USE enum err format_read_child(const struct format_reader *reader, struct str bytes,
                                        struct str name, const struct format_limits *limits,
                                        size_t memory, struct arena *arena,
                                        struct format_document *out, struct why *why);

bool format_has_suffix(const char *suffixes, struct str suffix);

/* ---- writing the document (out.c) ---- */

/* Fails with words; returns the error. */
enum err format_fail(struct format_out *out, enum err err, const char *fmt, ...) ERR_PRINTF(3, 4);
/* Appends to the note; parts are separated by "; ". */
void format_note(struct format_out *out, const char *fmt, ...) ERR_PRINTF(2, 3);
/* False when it is time to stop: an error, or the time is up (looked at every 64 calls). */
bool format_go_on(struct format_out *out);
/* Gives the reader until `ms` from now, if that is later. */
void format_extend(struct format_out *out, int64_t ms);
/* Next line without its end; false at the end of the text, at an error, or at a line too long. */
bool format_line(struct format_out *out, struct str *rest, struct str *line);

/* A text that is empty after trimming adds nothing. */
void format_heading(struct format_out *out, int level, struct str text);
void format_paragraph(struct format_out *out, struct str text);
void format_item(struct format_out *out, int level, bool numbered, struct str text);
void format_page(struct format_out *out, int page);
/* cells (n_rows, n_cols) live in the arena and are trimmed here; empty rows at the end are cut. */
void format_table(struct format_out *out, struct str *cells, size_t n_rows, size_t n_cols,
                  bool has_header);
/* fields live in the arena; values are trimmed here. All empty adds nothing. */
void format_record(struct format_out *out, struct format_field *fields, size_t n_fields);
void format_meta(struct format_out *out, struct str name, struct str value);
void format_title(struct format_out *out, struct str title); /* the first one stays */

/* ---- text helpers (flow.c) ---- */

/* Width on a page: Han and full-width characters count 2. `s` is valid UTF-8. */
size_t format_width(struct str s);
/* The width at which the lines of `text` were wrapped by a program, or 0 when a line is a
 * paragraph.
 */
size_t format_wrap_width(struct str text);
/* Whether `next` continues `line` in a text wrapped at `wrap` (from format_wrap_width, not 0). */
bool format_continues(size_t wrap, struct str line, struct str next);
/* Whether a line begins a paragraph by its look: 第三条, （一）, 1., a list mark, an indent. */
bool format_begins_paragraph(struct str line);
/* Bytes of the ordinal that a line begins with ("第三条", "第二章"), or 0. */
size_t format_ordinal_len(struct str line);
/* Appends `next` to what buf holds: with a space between Latin words, with none in Chinese. */
void format_join(struct buf *buf, struct str next);
/* Between the paragraphs of a cell: format_squeeze makes a space of it, in Chinese too. */
#define FORMAT_SPACE '\x1F'
/* White space runs become one space, those beside a Han character or a full-width sign nothing when
 * they hold a line break. In the arena, or `s` itself when nothing changes. */
struct str format_squeeze(struct format_out *out, struct str s);
/* "A", "B", ... "Z", "AA": the name of a column without one. */
struct str format_column_name(struct arena *arena, size_t i);
/* Whether row 0 of these rows looks like a header over the others. */
bool format_looks_like_header(const struct str *cells, size_t n_rows, size_t n_cols);
/* A table as records under its header (n_rows > 1), else as a table. */
void format_rows(struct format_out *out, struct str *cells, size_t n_rows, size_t n_cols);

#endif
