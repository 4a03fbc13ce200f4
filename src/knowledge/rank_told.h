/*
 * knowledge/rank_told - questions whose answers are known, and what they say of a new one.
 *
 * Place in the room: part of rank and of retrieve's step 2. What laymen ask comes back in other
 * words: an article that answered a question like this one, an article near it, its law. A table
 * holds for each known question the hashes of its terms (of its keywords and of the answer that
 * lawyers gave as well), its learned vector, and which articles answer it, as hashes of titles and
 * numbers. No words are kept, and what is not in the base asked gets no vote.
 *
 *   Source  nearest neighbours, Fix and Hodges 1951; the rest ours. Measured in the room's README
 */
#ifndef KNOWLEDGE_RANK_TOLD_H
#define KNOWLEDGE_RANK_TOLD_H

#include "knowledge/rank.h"

struct arena;

#define RANK_TOLD_MOST   65535u   /* questions */
#define RANK_TOLD_WEIGHT 16384.0f /* a posting's weight of 1 */

struct rank_told_article {
    uint64_t title;  /* tokens_title_hash() */
    uint32_t number; /* tokens_article() */
    uint32_t reserved;
};

/* Borrowed tables. rank_told_check() holds for all that a model gives. */
struct rank_told {
    uint32_t n, n_terms, n_postings, n_articles, n_answers;
    const uint64_t *terms;    /* n_terms, ascending */
    const uint32_t *first;    /* n_terms + 1: postings of term t are first[t] .. first[t + 1); none
                                 for a term so common that it says nothing */
    const uint32_t *postings; /* question << 16 | its weight there times RANK_TOLD_WEIGHT */
    const int8_t *vectors;    /* (n, dim): of length 127, or all 0 */
    const struct rank_told_article *articles; /* n_articles, ascending by title, then number */
    const uint32_t *answers_first;            /* n + 1 */
    const uint32_t *answers;                  /* places in articles, ascending within a question */
};

/* Whether known questions are compared by this term: by pairs and words. */
bool rank_told_takes(uint64_t term);

/* Whether all numbers of the tables lie inside them. */
bool rank_told_check(const struct rank_told *told);

/* Whether an article of this title answers a known question: else there are no votes for it. */
bool rank_told_knows(const struct rank_told *told, uint64_t title);

/* What the known questions say of one question. */
struct rank_votes {
    const struct rank_told *told;
    struct rank_vote {
        float best, sum;               /* likeness of the likest it answers; sum of cubes */
        float source_best, source_sum; /* of all articles of its title */
        uint32_t times;                /* questions that it answers */
    } * of;                            /* n_articles */
    float all;                         /* sum of source_sum over titles */
};

/*
 * `terms` (n, distinct pairs and words) are the question's, each with what it weighs
 * (rank_term_weight); `asked` (dim) is its learned vector. No questions give no votes.
 *
 *   Owner   *out lives in `arena` and borrows `told`
 *   Errors  ERR_NO_MEMORY
 *   Cost    1,235 questions: 0.1 ms, 32 KiB
 */
ERR_MUST_USE enum err rank_told_ask(const struct rank_told *told, const uint64_t *terms,
                                    const float *weights, size_t n, const float *asked, size_t dim,
                                    struct arena *arena, struct rank_votes *out, struct why *why);

/* Sets RANK_told .. RANK_told_times of a candidate. `number` 0: no article. */
void rank_told_figures(const struct rank_votes *votes, uint64_t title, uint32_t number,
                       float x[RANK_N_FEATURES]);

#endif
