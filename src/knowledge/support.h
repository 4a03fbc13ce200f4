/*
 * knowledge/support - whether a sentence that a model wrote stands in the passages it was given.
 *
 * Place in the room: retrieve -> answer -> written -> [support]. No model judges here: what is
 * checked can be shown to a person. A sentence stands when
 *
 *   1. enough of its words stand in one passage (title and label counted),
 *   2. every number, date, amount and article in it stands in that passage, in whatever writing,
 *   3. every title in 《》 is the title of a passage or stands in one, and
 *   4. nothing that the passage forbids, denies, allows or orders is turned round.
 *
 * It errs on the side of striking out: a true sentence in quite other words does not stand. Pure.
 */
#ifndef KNOWLEDGE_SUPPORT_H
#define KNOWLEDGE_SUPPORT_H

#include "core/str.h"

struct arena;

struct support_source {
    struct str title; /* "中华人民共和国劳动合同法" */
    struct str label; /* "第三十七条" */
    struct str text;
};

enum support_verdict {
    SUPPORT_STANDS,
    SUPPORT_EMPTY,   /* says nothing that could be checked: a greeting, a heading */
    SUPPORT_THIN,    /* too few of its words stand in any passage */
    SUPPORT_NUMBER,  /* a number, date or article that is not there */
    SUPPORT_TITLE,   /* a title that is not there */
    SUPPORT_REVERSED /* allowed for forbidden, may for must, or the other way round */
};

struct support {
    enum support_verdict verdict;
    double share;      /* of its words that stand in the passage, 0 .. 1 */
    size_t source;     /* the passage that bears it best */
    size_t start, len; /* the sentences in that passage's text nearest to it, bytes */
    struct str what;   /* what does not stand, or what is denied there; borrowed */
};

#define SUPPORT_MOST_CHARS 600 /* of a sentence; a longer one is THIN */

/* A share below this is THIN. Fitted on laypeople's answers, see the room's README. */
#define SUPPORT_LEAST 0.60

/*
 *   Errors  ERR_NO_MEMORY
 *   Cost    O(characters of the sentence + of the sources)
 */
ERR_MUST_USE enum err support_of(struct str sentence, const struct support_source *sources,
                                 size_t n_sources, struct arena *arena, struct support *out,
                                 struct why *why);

const char *support_verdict_name(enum support_verdict verdict); /* "stands", "thin", ... */

#endif
