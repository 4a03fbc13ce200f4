/* rank_train_in - what the parts of the training share. Private to rank_train*.c. */
#ifndef KNOWLEDGE_RANK_TRAIN_IN_H
#define KNOWLEDGE_RANK_TRAIN_IN_H

#include "knowledge/rank_told.h"
#include "knowledge/rank_train.h"

#ifdef __clang__
#define RANK_FAST /* clang makes vector code at every level */
#else
#define RANK_FAST __attribute__((optimize("O3,fast-math")))
#endif

struct rank_words {
    uint64_t *words; /* n, ascending */
    float *weights;  /* n: idf */
    float *vectors;  /* (n, dim) */
    size_t n;
    float mean_tokens;
};
/* Step 1. */
ERR_MUST_USE enum err rank_learn_words(const struct retrieve *view,
                                       const struct rank_train_opts *opts, struct arena *arena,
                                       struct rank_words *out, struct why *why);

struct rank_asked {
    uint32_t *asked;    /* n places in words, ascending */
    float *corrections; /* (n, dim) */
    float *matrix;      /* (dim, dim) */
    size_t n;
};

/* A question as the terms with vectors that it holds, of length 1. */
struct rank_sparse {
    uint32_t *at; /* places in words */
    float *weight;
    size_t n;
};
ERR_MUST_USE enum err rank_sparse_init(struct str text, const struct rank_words *words,
                                       struct arena *arena, struct rank_sparse *out,
                                       struct why *why);

/* Step 2 on the questions i with use[i]. `view` has the vectors of the words; `scale` makes a
 * question's sum of vectors about 1 long. */
ERR_MUST_USE enum err rank_learn_asked(const struct retrieve *view, const struct rank_words *words,
                                       const struct rank_sparse *sparse,
                                       const struct rank_train_question *questions, const bool *use,
                                       size_t n, float scale, const struct rank_train_opts *opts,
                                       struct arena *arena, struct rank_asked *out,
                                       struct why *why);

/* The table of the known questions i with use[i], in `arena`. */
struct rank_told_from {
    const struct retrieve *view;
    const struct catalog *const *catalogs;
    size_t n_catalogs, dim;
    const struct rank_model *words; /* what terms weigh */
    double most_share;              /* as in the options */
    const struct rank_train_question *questions;
    const float *vectors; /* (n, dim): learned, of every question */
};
ERR_MUST_USE enum err rank_learn_told(const struct rank_told_from *from, const bool *use, size_t n,
                                      struct arena *arena, struct rank_told *out, struct why *why);

/* A generator of our own: the same numbers everywhere (xorshift64*, Vigna 2016). */
static inline uint64_t rank_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}
static inline double rank_uniform(uint64_t *state)
{
    return (double)(rank_random(state) >> 11) * 0x1p-53;
}

#endif
