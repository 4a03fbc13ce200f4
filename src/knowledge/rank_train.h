/*
 * knowledge/rank_train - make a ranking model from indexed bases and questions with known answers.
 *
 * Place in the room: beside rank and retrieve; only a command or a bench calls it. What is learned
 * is of words, of figures, and of which articles answered which terms; no question and no passage
 * is kept in words.
 *
 *   1. words   truncated SVD of the bases' weighted term matrix by subspace iteration
 *              (Halko, Martinsson, Tropp 2011, arXiv:0909.4061)
 *   2. asking  corrections of the vectors of terms in questions and one matrix, by the gradient of
 *              the softmax over all passages that the right ones come first, on top of BM25
 *   3. told    the table of known questions and the articles that answer them (rank_told.h)
 *   4. trees   LambdaMART on the candidates. The likeness of meaning and the votes of known
 * questions that a question's candidates show the trees come from steps 2 and 3 without that
 *              question's fold: the trees see them as good as they are on questions never seen.
 */
#ifndef KNOWLEDGE_RANK_TRAIN_H
#define KNOWLEDGE_RANK_TRAIN_H

#include "knowledge/retrieve.h"

struct rank_train_question {
    struct str text;
    const uint32_t *gold; /* passages that answer, counted over all segments of the catalogs */
    size_t n_gold;
    struct str keywords, reply; /* what lawyers wrote to it; may be empty */
};

struct rank_train_opts {
    size_t dim;              /* of the vectors, 1 .. RANK_DIM_MOST - 16 */
    uint32_t least_passages; /* terms in fewer get no vector */
    double most_share;       /* terms in a larger share of passages get none */
    size_t folds;            /* at least 2; a question's fold is a hash of its text */
    size_t epochs;           /* of step 2 */
    size_t trees, leaves;    /* leaves 2 .. 32 */
    double tree_step;        /* learning rate of step 4 */
    double asked_weight;     /* times of step 2's learning rate */
    uint64_t seed;
    void (*progress)(const char *words); /* may be NULL */
};
struct rank_train_opts rank_train_defaults(void);

/*
 * The bytes of a model file, in `arena`, with `note` in it. Questions without gold are left out.
 *
 *   Errors  ERR_INVALID (options, no questions), ERR_NO_MEMORY
 *   Cost    100,000 passages and 1,000 questions: some minutes on 2 cores, 1 GB
 *   The same input gives the same bytes on the same machine.
 */
ERR_MUST_USE enum err rank_train(const struct catalog *const *catalogs, size_t n_catalogs,
                                 const struct ops_identity *who,
                                 const struct rank_train_question *questions, size_t n,
                                 const struct rank_train_opts *opts, struct str note,
                                 struct arena *arena, struct str *out, struct why *why);

/* ---- step 4 alone: boosted trees over any rows (n, n_features), row-major ---- */

struct rank_grown {
    struct rank_tree_node *nodes;
    uint32_t *roots;
    uint32_t n_nodes, n_trees;
};
/* Rows of query q are first[q] .. first[q + 1); right[i] is 1 when row i answers. */
ERR_MUST_USE enum err rank_grow_trees(const float *rows, const uint8_t *right,
                                      const uint32_t *first, size_t n_queries,
                                      const struct rank_train_opts *opts, struct arena *arena,
                                      struct rank_grown *out, struct why *why);

#endif
