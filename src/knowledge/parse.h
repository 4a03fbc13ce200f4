/*
 * knowledge/parse - from a read file to documents with metadata and passages.
 *
 * Place in the room: formats -> [parse] -> chunk -> index -> retrieve -> answer.
 *
 * Laws and rules come apart by 编, 章, 节, 条 (款 and 项 by passage_clauses()), policies by
 * headings 一、（一）, service guides by fields, FAQ by pairs, tables by rows with their header,
 * all else by headings and sentences (chunk.h). A file of records that are service guides, or texts
 * with titles, gives one document a record; every other file gives one document.
 *
 * Pure: no I/O, no clock; the same file gives the same passages.
 */
#ifndef KNOWLEDGE_PARSE_H
#define KNOWLEDGE_PARSE_H

#include "formats/formats.h"
#include "knowledge/meta.h"
#include "knowledge/passage.h"

struct arena;

/* Changes whenever the same bytes may give other passages or metadata: files that were imported by
 * another version are read again. */
#define PARSE_VERSION       2

#define PARSE_PASSAGE_BYTES 1200  /* prose is cut to at most this */
#define PARSE_TABLE_BYTES   2400  /* a table up to this stays in its article or section */
#define PARSE_ARTICLE_BYTES 16384 /* a longer "article" is cut like prose */

struct parsed {
    struct meta_found found;
    struct str item;   /* names the document within its file (item code, row), "" when alone */
    size_t start, len; /* byte range of the file's text that is this document */
    struct passage *passages;
    size_t n_passages;
};

struct parsed_file {
    struct parsed *items; /* in text order */
    size_t n;
};

/*
 *   Shape   `text` and `offsets` (doc->n_blocks of them) are what format_text() gave for `doc`.
 *           Every passage is a range of `text` at characters; passages of a document are in text
 *           order and, but for overlap in cut prose, apart from each other.
 *   Owner   results live in `arena` or borrow from `doc` and `text`
 *   Errors  ERR_INVALID    the file holds no text
 *           ERR_NO_MEMORY  arena limit reached
 *   Cost    O(text.len); a few hundred bytes a passage
 */
ERR_MUST_USE enum err parse_document(const struct format_document *doc, struct str text,
                                     const size_t *offsets, struct arena *arena,
                                     struct parsed_file *out, struct why *why);

#endif
