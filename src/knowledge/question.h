/*
 * knowledge/question - what a question asks for, read from its words.
 *
 * Place in the room: [question] -> retrieve -> quote -> answer. Rules over words, no model: which
 * field of a record is asked for (intents.def), whether an article is named, what kind of answer is
 * expected, and whether the question leans on the conversation before it. Pure.
 */
#ifndef KNOWLEDGE_QUESTION_H
#define KNOWLEDGE_QUESTION_H

#include "core/str.h"

struct arena;

#define QUESTION_MOST_FIELDS 4
#define QUESTION_MOST_BYTES  2000 /* longer questions are cut: nobody's question is longer */

/* What the answer should hold; several may apply. */
enum question_want {
    QUESTION_NUMBER = 1 << 0,   /* 多少, 几 */
    QUESTION_MONEY = 1 << 1,    /* 多少钱, 罚多少 */
    QUESTION_DURATION = 1 << 2, /* 多久, 几天 */
    QUESTION_DATE = 1 << 3,     /* 什么时候, 几号 */
    QUESTION_WHO = 1 << 4,      /* 谁, 哪个部门 */
    QUESTION_WHERE = 1 << 5,    /* 哪里 */
    QUESTION_WHY = 1 << 6,      /* 为什么 */
    QUESTION_LIST = 1 << 7,     /* 哪些, 什么材料 */
    QUESTION_YES_NO = 1 << 8    /* 吗, 能不能, 是否 */
};

struct question {
    struct str text; /* trimmed, full-width letters and digits folded, control characters dropped */
    struct str
        content;   /* the same without question words, politeness and particles; may be empty */
    unsigned want; /* set of enum question_want */
    const char *fields[QUESTION_MOST_FIELDS]; /* canonical names of fields.h, most likely first */
    double strength[QUESTION_MOST_FIELDS];    /* of each; 1 is one clear word */
    size_t n_fields;
    bool names_article;    /* 第三十七条 stands in the question */
    uint32_t article, sub; /* its number */
    struct str law;        /* the title named before the article, without 《》; may be empty */
    bool leans;            /* it cannot be understood without the conversation */
    bool may_lean;         /* it is short: it may be about what was talked about */
};

/* ERR_INVALID when nothing is asked (no letter or ideograph) or the text is not UTF-8,
 * ERR_NO_MEMORY. */
ERR_MUST_USE enum err question_read(struct str text, struct arena *arena, struct question *out,
                                    struct why *why);

/* `text` without the longest stretches that stand in `title` (four characters and more, or the
 * whole title), in `arena`. ERR_NO_MEMORY. */
ERR_MUST_USE enum err question_without(struct str text, struct str title, struct arena *arena,
                                       struct str *out, struct why *why);

/* What is talked about before a question: the last of the person's questions that stood on its own,
 * else the first of them; false: there is none. ERR_NO_MEMORY. */
struct knowledge_turn;
ERR_MUST_USE enum err question_before(const struct knowledge_turn *turns, size_t n_turns,
                                      struct arena *arena, struct question *out, bool *found,
                                      struct why *why);

/* `question` as it is understood behind `before`, in `arena`: what that is about, then its own
 * words. ERR_NO_MEMORY. */
ERR_MUST_USE enum err question_behind(const struct question *before,
                                      const struct question *question, struct arena *arena,
                                      struct str *out, struct why *why);

#endif
