/*
 * knowledge/signs - what the form of a question says about whether an office's texts can answer it,
 * and what kind of value it asks for.
 *
 * Place in the room: question -> retrieve -> [signs] -> answer_rank. Rules over words: signs.def
 * (it asks for a service, an opinion, news ...), places.def (it names another city or country) and
 * a table of units (多少钱 is answered by a number before 元). Pure.
 */
#ifndef KNOWLEDGE_SIGNS_H
#define KNOWLEDGE_SIGNS_H

#include "core/str.h"

#define SIGNS_MOST        12 /* of one question, that are kept */
#define SIGNS_MOST_PLACES 4

#define SIGN_KINDS(X)     X(task) X(mine) X(event) X(now) X(opinion) X(person) X(trade) X(body)
enum sign_kind {
#define SIGN_ENUM(name) SIGN_##name,
    SIGN_KINDS(SIGN_ENUM)
#undef SIGN_ENUM
        SIGN_N_KINDS
};

struct signs {
    struct {
        enum sign_kind kind;
        struct str words; /* constant; with '*' where other words may stand */
    } items[SIGNS_MOST];
    size_t n;
    struct str places[SIGNS_MOST_PLACES]; /* as in places.def, without a closing 市 */
    size_t n_places;
    const char
        *units; /* what a number must stand before, separated by spaces; NULL: nothing known */
    struct str thing; /* of 什么颜色 the 颜色; two characters of the question, or empty */
};

/* Reads a cleaned question (question.h). Borrows `question` for out->thing. Cost: some 20
 * microseconds. */
void signs_read(struct str question, struct signs *out);

/* Bit k: a sign of kind k is there that the passage does not take back by having the words too. */
unsigned signs_against(const struct signs *signs, struct str title, struct str text);

/* Whether a place is named of which neither title, text nor region know. */
bool signs_elsewhere(const struct signs *signs, struct str title, struct str text,
                     struct str region);

/* Whether a number stands in `text` before one of the units. */
bool signs_has_unit(const char *units, struct str text);

/* Whether the parts of `words` (between '*') stand in `text` in order, at most eight characters
 * apart. */
bool signs_stand(struct str text, struct str words);

#endif
