/*
 * knowledge/passage - a piece of a version's text that is found, shown and cited on its own.
 *
 * Place in the room: parse -> chunk -> [passage] -> index -> retrieve -> answer. A passage is a
 * byte range of the text of its file (see format_text); its number in the version (its place in
 * the array) never changes, so "<version id>:<number>" is its id for good.
 */
#ifndef KNOWLEDGE_PASSAGE_H
#define KNOWLEDGE_PASSAGE_H

#include "core/hash.h"
#include "core/str.h"

struct arena;

/* Stored in indexes and in kb_versions.passages: never renumbered. */
enum passage_kind {
    PASSAGE_ARTICLE, /* 第三十七条 with its paragraphs (款) and items (项) */
    PASSAGE_SECTION, /* prose under a heading */
    PASSAGE_FIELD,   /* one field of a record: label, value */
    PASSAGE_FAQ,     /* a question and its answer */
    PASSAGE_TABLE,   /* a table, or some rows of a long one */
    PASSAGE_ROW,     /* a record that is no service guide: all its fields */
    PASSAGE_HEAD,    /* the lines under the title: adoption, amendment, number, dates */
};

#define PASSAGE_ID_TEXT (UUID_TEXT + 12) /* with '\0' */

struct passage {
    enum passage_kind kind;
    size_t start, len; /* byte range of the text, at characters */
    size_t
        body; /* bytes into the range: where the article's words, the value or the answer begin */
    uint32_t number, sub; /* 第三十七条之一: 37 and 1; 0 when it is no article */
    struct str
        label; /* "第三十七条", "咨询电话" (always Chinese), the question of an FAQ, a caption */
    struct str path;  /* headings above, "第二章 合同的订立 > 第一节 一般规定" */
    struct str field; /* canonical name from fields.h ("phone"), or "" */
    struct str words; /* what to index when it is not the range itself (rows with their header) */
};

/*
 * The array as bytes and back. Reading checks everything, so bytes of any origin are safe.
 *
 *   Shape   about 13 bytes a passage and every different path, label, field and words once
 *   Owner   results live in `arena`; passages_unpack's strings borrow `packed`
 *   Errors  ERR_CORRUPT, ERR_NO_MEMORY
 *   Cost    one pass
 */
ERR_MUST_USE enum err passages_pack(const struct passage *items, size_t n, struct arena *arena,
                                    struct str *out, struct why *why);
ERR_MUST_USE enum err passages_unpack(struct str packed, struct arena *arena,
                                      struct passage **items, size_t *n, struct why *why);

/* The words that the index takes for a passage of `text`. */
struct str passage_words(const struct passage *passage, struct str text);

/* A part of an article: a paragraph (款) or an item (项) in it. */
struct passage_clause {
    size_t start, len;     /* byte range within the passage */
    uint32_t clause, item; /* 第一款 is 1; （三） is item 3 of its clause, 0: the clause itself */
};

/* The clauses of an article's text, at most `most`; returns how many. Pure. */
size_t passage_clauses(struct str article, struct passage_clause *out, size_t most);

/* "<version>:<number>" and back. */
const char *passage_id(const char *version, uint32_t number, char out[PASSAGE_ID_TEXT]);
ERR_MUST_USE bool passage_id_parse(struct str id, char version[UUID_TEXT], uint32_t *number);

#endif
