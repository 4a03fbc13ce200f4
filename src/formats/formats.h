/*
 * formats - untrusted bytes to text and tables.
 *
 * Reads txt, md, html, docx, xlsx, csv, json, json lines, pdf (text and scanned), images (OCR) and
 * zip archives of these into one shape: a document of blocks. Encodings (UTF-8, GB18030, UTF-16,
 * broken) are detected. Bytes are hostile: every reader has limits on size, depth, expansion, lines
 * and time, and gives a reason in words a person can act on. Pure but for temporary files; reading
 * runs in a job, never in the centre's process. Tables stay tables, with their header row.
 */
#ifndef FORMATS_FORMATS_H
#define FORMATS_FORMATS_H

#include "core/str.h"
#include "formats/picture.h"

struct arena;

enum format_block_kind {
    FORMAT_HEADING, /* level 1 .. 6 */
    FORMAT_PARAGRAPH,
    FORMAT_LIST_ITEM,
    FORMAT_TABLE,
    FORMAT_RECORD, /* one row of csv/xlsx/json lines: named fields, empty ones too */
    FORMAT_PAGE    /* a page begins: text is empty, page is its number */
};

struct format_field {
    struct str name;
    struct str value; /* lists are joined with "；"; nested objects become dotted names */
};

struct format_table {
    struct str *cells; /* (n_rows, n_cols) row-major; merged cells repeat their text */
    size_t n_rows, n_cols;
    bool has_header; /* row 0 is the header */
};

struct format_block {
    enum format_block_kind kind;
    int level;       /* of a heading 1 .. 6; of a list item's nesting 1 .. */
    int page;        /* 1-based where the format has pages, else 0 */
    bool numbered;   /* a list item whose text begins with its number: "1. ", "（一）" */
    struct str text; /* valid UTF-8, no '\r', no space at the ends; '\n' only where a
                      * line break is meant (verse, code, addresses) */
    struct format_table table;   /* FORMAT_TABLE */
    struct format_field *fields; /* FORMAT_RECORD: n_fields of them, in order */
    size_t n_fields;
};

struct format_document {
    struct str path;      /* as given; inside an archive "a.zip/dir/b.txt" */
    const char *format;   /* "txt", "md", "html", "docx", ... as detected from the bytes; static */
    const char *encoding; /* "utf-8", "gb18030", "utf-16le", ... ; "" for binary formats */
    struct str title;     /* from metadata or the first heading; may be empty */
    struct format_block *blocks;
    size_t n_blocks;
    struct format_field *meta; /* front matter, docx properties, html <meta>, PDF info */
    size_t n_meta;
    bool ocr;          /* text was recognised from images */
    size_t n_replaced; /* characters that could not be decoded */
    struct str note;   /* what a person should know: "named .pdf but is html", "3 lines are no JSON,
                        * first line 17", "2 scanned pages were not recognised"; may be empty */
};

struct format_limits {
    size_t file_bytes;     /* of one file, packed (default 100 MB) */
    size_t text_bytes;     /* of the text of one document (default 32 MB) */
    size_t expanded_bytes; /* of everything in one archive (default 1 GB) */
    size_t expand_ratio;   /* unpacked : packed (default 200) */
    size_t archive_files;  /* default 10,000 */
    int archive_depth;     /* archives in archives (default 2) */
    size_t line_bytes;     /* longest line of text formats (default 4 MB) */
    size_t blocks;         /* default 1,000,000 */
    int pages;             /* default 5,000 */
    int64_t time_ms;       /* for one document (default 120 s; OCR 20 s a page) */
    bool ocr;              /* whether scanned pages and images are recognised */
};
extern const struct format_limits format_limits_default;

/*
 * Reads the file (or archive) at `path` and calls `each` for every document in it, in the order of
 * the archive; `name` is what the user called it (its suffix is a hint, the bytes decide). Parsers
 * of complex formats (docx, xlsx, pdf, images) run in a child process with limits on memory and
 * time, so that a crash there is one failed document.
 *
 *   Shape   one call of `each` or of `failed` for every document; ignored without a word: folders
 *           and the litter of archives (__MACOSX, .DS_Store, Thumbs.db)
 *   Units   memory: bytes for the document and what reading it takes, each of them
 *   Owner   the document and raw live until `each` returns
 *   Errors  what is wrong with a document goes to `failed`: ERR_UNSUPPORTED, ERR_TOO_LARGE,
 *           ERR_INVALID (broken), ERR_TIMEOUT, ERR_NO_MEMORY, each with words, and ERR_OK is
 *           returned. Returned: that `path` could not be read (ERR_NOT_FOUND, ERR_IO), and
 *           what `each` returned, which ends the reading
 *   Threads any; `each` and `failed` are called from the calling thread
 */
typedef enum err format_each_fn(void *ctx, const struct format_document *doc, struct str raw,
                                struct why *why); /* raw: the document's own bytes */
typedef void format_failed_fn(void *ctx, struct str path, enum err err, const struct why *why);
ERR_MUST_USE enum err format_read_file(const char *path, struct str name,
                                       const struct format_limits *limits, size_t memory,
                                       format_each_fn *each, format_failed_fn *failed, void *ctx,
                                       struct why *why);

/* One document from bytes in memory (no archives: ERR_UNSUPPORTED), parsed in this process. The
 * result lives in `arena` and may borrow from `bytes` and `name`. `limits` may be NULL (default).
 */
ERR_MUST_USE enum err format_read(struct str bytes, struct str name,
                                  const struct format_limits *limits, struct arena *arena,
                                  struct format_document *out, struct why *why);

/*
 * Bytes of unknown encoding to valid UTF-8 without BOM, '\r' or control characters other than '\n'
 * and '\t'. By BOM, else UTF-8 when it is, else UTF-16, else GB18030 or Big5 by their statistics.
 * What cannot be decoded becomes U+FFFD and is counted.
 *
 *   Owner   text lives in `arena`, or is `bytes` itself when nothing had to change
 *   Errors  ERR_UNSUPPORTED  not text at all;  ERR_NO_MEMORY
 */
ERR_MUST_USE enum err format_decode(struct str bytes, struct arena *arena, struct str *text,
                                    const char **encoding, size_t *n_replaced, struct why *why);

/*
 * The document as plain text in reading order. What is indexed, hashed, shown and cited has this
 * form, so it must not change for a document that did not:
 *
 *   heading    "## " by its level, then the text     item     "- text" or "（一）text", two
 *   paragraph  the text                                       spaces further in per level
 *   record     "name：value" a line, empty values     table    "a | b" a row
 *              left out                              page     nothing
 *
 * Blocks are parted by an empty line, items of one list by a line break; "\n" ends the text.
 * Block i begins at byte offsets[i]; offsets (n_blocks of them) may be NULL.
 */
ERR_MUST_USE enum err format_text(const struct format_document *doc, struct arena *arena,
                                  struct str *out, size_t *offsets, struct why *why);

#endif
