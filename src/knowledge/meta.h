/*
 * knowledge/meta - title, issuer, number, dates, level, region and grade, read where they stand.
 *
 * Place in the room: a part of parse. Everything is a reading of words that the text has (or of the
 * names of its folders); what the text does not say stays empty. Pure.
 */
#ifndef KNOWLEDGE_META_H
#define KNOWLEDGE_META_H

#include "core/str.h"
#include "knowledge/knowledge.h"

struct arena;

/* What the parser has found of a document before its metadata are read. */
struct meta_source {
    struct str path;        /* of the file, folders included */
    struct str title;       /* as printed */
    struct str part;        /* second title: "婚姻家庭编" */
    const struct str *head; /* n_head lines under the title */
    size_t n_head;
    const struct str *tail; /* n_tail last lines of the text */
    size_t n_tail;
    const struct format_field *props; /* the file's own properties */
    size_t n_props;
    size_t n_articles; /* how many 第X条 the text has */
};

/* What a text ends: 《X》（云汀政规〔2019〕3号）同时废止. */
struct meta_repeal {
    struct str title;  /* as written, without 《》 */
    struct str number; /* may be empty */
    int32_t from;      /* the day it ends; DAY_NONE: with this text's own first day */
};

struct meta_found {
    struct knowledge_meta meta;
    bool access_said; /* the text itself says who may read it */
    bool secret;      /* it is marked 秘密, 机密 or 绝密 */
    bool amended;     /* the head tells of amendments */
    bool from_text;   /* the day of effect was read in the text, not in its head */
    struct str label; /* "2012年修正", "2025-07-01 施行": names the version among others */
    struct meta_repeal *repeals; /* n_repeals of them */
    size_t n_repeals;
};

/* Strings live in `arena` or borrow from `source`. ERR_NO_MEMORY only. */
ERR_MUST_USE enum err meta_read(const struct meta_source *source, struct arena *arena,
                                struct meta_found *out, struct why *why);

/* The title that joins versions: without 中华人民共和国, brackets, spaces, quotation marks and what
 * tells versions apart (（2018年修正）, (2013-11-18), （试行）); half width, lower case. */
ERR_MUST_USE enum err meta_key(struct str title, struct arena *arena, struct str *out,
                               struct why *why);

/* Whether a line stands in the head of a document: a label and a value, a date with what happened,
 * a document number. */
bool meta_is_head_line(struct str line);

/* Whether a cell or name is a label of the head: 发文机关, 发布日期, PubDate. */
bool meta_is_label(struct str name);

/* The document number in s (云汀政办发〔2025〕12号, 国务院令第656号), or the empty str. */
struct str meta_number(struct str s);

#endif
