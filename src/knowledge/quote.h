/*
 * knowledge/quote - the sentences of a passage that answer a question, as byte ranges.
 *
 * Place in the room: question -> retrieve -> [quote] -> answer. Nothing is rewritten: a quote is a
 * range of the text, cut at sentence ends (。！？；and line ends; items （一） stay with what opens
 * them). Pure.
 */
#ifndef KNOWLEDGE_QUOTE_H
#define KNOWLEDGE_QUOTE_H

#include "knowledge/question.h"

struct arena;

#define QUOTE_MOST_SENTENCES 512 /* of a passage; what is behind is not looked at */

struct quote_span {
    size_t start, len; /* bytes within the passage, at characters; trimmed of white space */
    double score;      /* the sentence's share of the passage's belief, 0 .. 1: a linear model over
                          words, runs and kinds of answers (quote_weights.def), summing to 1 */
};

/*
 * Cuts `text` into sentences.
 *
 *   Shape   at most `most` spans in text order, none empty, none overlapping; score 0
 */
size_t quote_sentences(struct str text, struct quote_span *out, size_t most);

/*
 * The best `most` places to quote, best first. A sentence that ends in a colon takes the items
 * behind it along. Places do not overlap. *n is 0 only when the passage has no words.
 *
 *   Owner   *out lives in `arena`
 *   Errors  ERR_NO_MEMORY
 *   Cost    O(text.len * log) for a passage
 */
ERR_MUST_USE enum err quote_best(const struct question *question, struct str text, size_t most,
                                 struct arena *arena, struct quote_span **out, size_t *n,
                                 struct why *why);

/* Whether `text` holds the kind of answer that the question asks for (a number, a place ...). Pure.
 */
bool quote_is_wanted(const struct question *question, struct str text);

#endif
