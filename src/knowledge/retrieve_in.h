/* retrieve_in - what the parts of the search share. Private to retrieve*.c. */
#ifndef KNOWLEDGE_RETRIEVE_IN_H
#define KNOWLEDGE_RETRIEVE_IN_H

#include "knowledge/rank_features.h"
#include "knowledge/retrieve.h"

struct dense;

/* BM25: how soon a term's repetitions say no more, and the share of a passage's length in it. Set
 * on training questions, see the room's README, as are the weights of retrieve_first.c. */
#define RETRIEVE_K1     1.0f
#define RETRIEVE_LENGTH 0.6f

/* ---- the view (retrieve_view.c) ---- */

struct version {
    const struct catalog *catalog;
    const struct catalog_version *row; /* NULL: dead, another segment serves it or none */
    uint64_t title;                    /* tokens_title_hash */
    float standing, standing_log, cited;
    bool law;
};

/* Neighbouring passages of one version. */
struct run {
    uint32_t begin, end, version;
};

struct segment {
    struct index *index;
    const int8_t *vectors; /* borrowed from the index, or own */
    const float *scales;
    int8_t *own_vectors;
    float *own_scales;
    uint32_t first_passage, first_version; /* counted over all segments */
    size_t catalog;
};

/* The vectors of a configured model for one base. */
struct dense_base {
    struct dense *dense; /* NULL: no model, or nothing embedded yet */
    struct str model;    /* borrowed from the catalog */
};

struct retrieve {
    const struct rank_model *model;
    size_t n_segments, n_passages, n_versions;
    struct segment *segments;
    struct version *versions;
    uint32_t *version_of; /* n_passages */
    struct run *runs;     /* n_runs: every passage is in one, in order */
    size_t n_runs;
    uint32_t *segment_of; /* n_versions */
    uint32_t *heads;      /* n_heads passages that are PASSAGE_HEAD */
    size_t n_heads;
    struct dense_base *dense; /* n_catalogs */
    size_t n_catalogs;
    int32_t *dense_row; /* n_passages: -1 for none; NULL: no base has any */
    float *slow;        /* n_passages: k1 of BM25 for the passage's length */
    float *once;        /* n_passages: 1 / (1 + slow) */
};

/* ---- step 1 (retrieve_first.c) ---- */

struct found {
    uint32_t g; /* passage, counted over all sources */
    float first;
};

struct scores {
    float *words, *meaning;            /* n_passages each */
    float best_words, best_plain;      /* with standing, and without */
    float best_meaning, best_standing; /* of laws with some word of the question */
};

struct retrieve_first {
    struct scores scores;
    struct found *found; /* n, best first; behind them what only a configured model found */
    uint32_t *alike;     /* n: places from 1 by a configured model's vectors, 0: none; or NULL */
    size_t n;
};

/*
 * The best passages for the question that `who` may see, and sets the question's weights. `asked`
 * is its vector (dim floats), `dense` as for retrieve_search(). All in `arena`.
 *
 *   Errors  as retrieve_search()
 */
ERR_MUST_USE enum err retrieve_first(const struct retrieve *r, const struct knowledge_query *query,
                                     const struct ops_identity *who, struct rank_question *question,
                                     const float *asked, const float *const *dense,
                                     struct arena *arena, struct retrieve_first *out,
                                     struct why *why);
float retrieve_weight_of(void *retrieve, uint64_t term); /* a rank_weight_fn: idf in the view */

/* ---- copies (retrieve_copies.c) ---- */

struct kept {
    uint64_t copy;
    size_t n;
    uint64_t *shingles;
};
/* The first of the n kept passages that this one is a copy of, or n; and what would keep it, in
 * `arena`. ERR_NO_MEMORY. */
ERR_MUST_USE enum err retrieve_copy_of(const struct rank_item *item, const struct kept *kept,
                                       size_t n, struct arena *arena, size_t *of, struct kept *own,
                                       struct why *why);

#endif
