/*
 * knowledge/parse_in - what the files of the parser share. Not for other files.
 *
 * parse.c makes lines and decides what the file is; parse_prose.c walks laws, policies, guides in
 * prose and texts; parse_faq.c pairs; parse_records.c records and tables.
 */
#ifndef KNOWLEDGE_PARSE_IN_H
#define KNOWLEDGE_PARSE_IN_H

#include "knowledge/fields.h"
#include "knowledge/numeral.h"
#include "knowledge/parse.h"

enum line_kind { LINE_TEXT, LINE_HEADING, LINE_TABLE, LINE_RECORD };

struct line {
    enum line_kind kind;
    int level;         /* of a heading */
    size_t start, end; /* bytes in the text, without marks ("## ", "- ") and spaces around */
    size_t block;
};

struct parser {
    const struct format_document *doc;
    struct str text;
    struct arena *arena;
    struct why *why;
    struct line *lines;
    size_t n_lines;
    size_t first; /* line where the body begins, behind title and head */
    struct str title, part;
    size_t head_first, head_end; /* lines of the head, [first, end) */
    size_t n_articles, n_headings, n_pairs, n_telling;
    struct passage *passages; /* of the document being parsed */
    size_t n_passages, cap;
    enum err err; /* sticky: ERR_NO_MEMORY */
};

struct str parser_line(const struct parser *p, size_t i);

/* Adds a passage; a failure is kept in p->err. Empty ranges add nothing. */
void parser_add(struct parser *p, struct passage passage);
/* Adds a range as one passage, or as several when it is longer than `most`. */
void parser_add_cut(struct parser *p, struct passage passage, size_t most);
void parser_no_memory(struct parser *p);

/* A line that begins 第三十七条 and is no reference to it. */
bool parser_article(struct str line, struct numeral_article *out);

/* A heading by its words: 第一章 总则 (编 1, 分编 2, 章 3, 节 4), 一、 (60), （一） (61); 0: none.
 */
int parser_rank(struct str line, bool is_heading);
/* The line without 一、（一） 1. 第一章 before its words. */
struct str parser_unnumbered(struct str line);

/* The headings above a place. */
#define PATH_MOST 12
struct path {
    struct {
        int rank;
        struct str text;
    } steps[PATH_MOST];
    size_t n;
    struct str joined; /* "a > b"; made when first asked for */
    bool fresh;
};
void path_push(struct path *path, int rank, struct str text);
struct str path_join(struct path *path, struct parser *p);

void parse_prose(struct parser *p, bool guide);
void parse_faq(struct parser *p);
/* A table block: into passages of its own. */
void parse_table(struct parser *p, const struct line *line, struct str caption, struct str path,
                 bool guide);

/* Records: how the file as a whole is to be read. */
enum record_kind { RECORDS_NONE, RECORDS_GUIDES, RECORDS_FAQ, RECORDS_TEXTS, RECORDS_ROWS };
enum record_kind parse_records_kind(const struct parser *p);
/* Guides and texts: every record becomes an item of *out. */
enum err parse_records_each(struct parser *p, enum record_kind kind, struct parsed_file *out);
/* FAQ and rows: passages of one document. */
void parse_records_rows(struct parser *p, enum record_kind kind);

/* A question by its label (问：, Q1:) or, for a heading, by its mark; *question gets its words. */
bool faq_question(struct str line, bool is_heading, struct str *question);
bool faq_answer(struct str line, size_t *skip);

#endif
