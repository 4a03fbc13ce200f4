/*
 * knowledge/quote_in - what quote.c, quote_score.c and the program that trains the weights share;
 * not for others.
 */
#ifndef KNOWLEDGE_QUOTE_IN_H
#define KNOWLEDGE_QUOTE_IN_H

#include "knowledge/quote.h"

enum quote_feature {
#define QUOTE_WEIGHT(name, weight, words) QUOTE_F_##name,
#include "knowledge/quote_weights.def"
#undef QUOTE_WEIGHT
    QUOTE_N_FEATURES
};

extern const char *const quote_feature_names[QUOTE_N_FEATURES];
extern const char *const quote_feature_words[QUOTE_N_FEATURES];
extern const double quote_weights[QUOTE_N_FEATURES];

/*
 * What is measured of each sentence for a question; spans come from quote_sentences(text).
 *
 *   Shape   out is (n, QUOTE_N_FEATURES), row-major, lives in `arena`
 *   Errors  ERR_NO_MEMORY
 *   Cost    O(characters of the question * characters of the text)
 */
ERR_MUST_USE enum err quote_measure(const struct question *question, struct str text,
                                    const struct quote_span *spans, size_t n, struct arena *arena,
                                    double **out, struct why *why);

#endif
