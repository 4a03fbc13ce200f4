/*
 * knowledge/answer_rank - which of the passages found answers, and whether any does.
 *
 * Place in the room: question -> retrieve -> [answer_rank] -> quote -> answer. knowledge_search()
 * of knowledge.h is implemented here: over several bases it is this weighing. Search puts the
 * passages of one base in order; here those of several bases and kinds are weighed against each
 * other, and against the possibility that nothing answers: a softmax over linear sums, in which "no
 * answer" has the sum 0. Weights are in answer_weights.def, fitted by bench/train_answer.
 */
#ifndef KNOWLEDGE_ANSWER_RANK_H
#define KNOWLEDGE_ANSWER_RANK_H

#include "knowledge/knowledge.h"
#include "knowledge/question.h"

struct arena;

#define ANSWER_MOST_BASES 16 /* more are searched as one */

enum answer_feature {
#define ANSWER_WEIGHT(name, weight, words) ANSWER_F_##name,
#include "knowledge/answer_weights.def"
#undef ANSWER_WEIGHT
    ANSWER_N_FEATURES
};
extern const char *const answer_feature_names[ANSWER_N_FEATURES];
extern const char *const answer_feature_words[ANSWER_N_FEATURES];
extern const double answer_weights[ANSWER_N_FEATURES];

/*
 * The first passages of every base that query->kb means, one base after the other, each best first.
 *
 * The lines under a title (题注) are left out unless `want` (of the question) has QUESTION_DATE.
 *
 *   Shape   query->limit of one base; of several at most that many in all, shared out
 *   Owner   hits live in `arena`
 *   Errors  as knowledge_search
 */
ERR_MUST_USE enum err answer_gather(struct knowledge *k, const struct ops_identity *who,
                                    const struct knowledge_query *query, unsigned want,
                                    struct arena *arena, struct knowledge_hit **out, size_t *n,
                                    struct why *why);

/*
 * What is measured of each hit: (n, ANSWER_N_FEATURES), row-major, in `arena`. `hits` as gathered.
 * Cost: the texts are read once, about 20 microseconds a hit.
 */
ERR_MUST_USE enum err answer_measure(struct knowledge *k, const struct ops_identity *who,
                                     const char *kb, const struct question *question,
                                     const struct knowledge_hit *hits, size_t n,
                                     struct arena *arena, double **out, struct why *why);

/* Puts the hits in order, sets their confidence (against "no answer" alone), and *answerable: the
 * probability that any of them answers. */
ERR_MUST_USE enum err answer_order(struct knowledge *k, const struct ops_identity *who,
                                   const char *kb, const struct question *question,
                                   struct knowledge_hit *hits, size_t n, struct arena *arena,
                                   double *answerable, struct why *why);

#endif
