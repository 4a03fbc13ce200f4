/*
 * knowledge/rank_features - the figures of candidates that need their texts and each other.
 *
 * Place in the room: part of retrieve's step 2; nobody else calls it. Pure but for the arena.
 */
#ifndef KNOWLEDGE_RANK_FEATURES_H
#define KNOWLEDGE_RANK_FEATURES_H

#include "knowledge/index.h"
#include "knowledge/rank.h"

struct arena;

#define RANK_QUESTION_TERMS                                                                        \
    512 /* a question's distinct terms; the rest of a longer one is not read */

struct rank_question {
    struct str text;
    size_t n, n_chars;
    uint64_t *terms;  /* n, ascending, distinct */
    uint32_t *times;  /* n: in the question; 0: only another word for what it says, see lay.def */
    float *weights;   /* n: idf in the base, filled by the caller */
    uint32_t article; /* tokens_article() of the first article it names, 0 when none */
};

/* Terms of the question without the words that only make a question of it, and other words for it.
 */
ERR_MUST_USE enum err rank_question_init(struct rank_question *question, struct str text,
                                         struct arena *arena, struct why *why);

struct rank_item {
    const struct index *index;
    uint32_t passage;
    struct index_facts facts;
    uint64_t source;  /* title of its source */
    uint64_t section; /* of its heading path and source */
    unsigned
        named; /* out: pairs of the source's title, when the question names it and the article */
    float x[RANK_N_FEATURES]; /* in: first .. level, beside_*; the rest is filled here */
};

/*
 * Fills what is missing. `items` stand best first; `weight_of` gives the idf of a term in the base.
 * Cost: the texts of the items are read once (at most 3000 bytes each).
 */
typedef float rank_weight_fn(void *ctx, uint64_t term);
ERR_MUST_USE enum err rank_features(const struct rank_question *question, struct rank_item *items,
                                    size_t n, rank_weight_fn *weight_of, void *ctx,
                                    struct arena *arena, struct why *why);

#endif
