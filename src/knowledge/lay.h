/*
 * knowledge/lay - what people say, and what the text they look for says: the table lay.def.
 *
 * Place in the room: read by rank_features (other words to search for) and answer_rank (a passage
 * that has the other words has what was said). Constant.
 */
#ifndef KNOWLEDGE_LAY_H
#define KNOWLEDGE_LAY_H

#include "core/str.h"

struct lay {
    struct str said;
    struct str written; /* one or more, separated by single spaces */
};

extern const struct lay lay_words[];
extern const size_t lay_n_words;

#endif
