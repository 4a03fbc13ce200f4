/*
 * knowledge/retrieve - the passages for a question, best first, of those that the asker may read.
 *
 * Place in the room: tokens -> index -> rank -> [retrieve] -> answer. Three steps:
 *
 *   1. every passage that shares a term with the question gets BM25 over title, headings and text,
 *      times the standing of its source (level, how often others cite it), plus the likeness of
 *      meaning (rank.h); what the asker may not read, or is not in force on the day, is not there
 *   2. the best 200 get RANK_N_FEATURES figures, among them what known questions like this one say
 *      of them (rank_told.h), and the trees order laws, where a base holds national ones; other
 *      passages keep the places of step 1, for which the trees were not trained
 *   3. copies are folded into the best of them
 *
 * A `struct retrieve` is an immutable view of the segments of some bases at one revision each.
 */
#ifndef KNOWLEDGE_RETRIEVE_H
#define KNOWLEDGE_RETRIEVE_H

#include "knowledge/catalog.h"
#include "knowledge/index.h"
#include "knowledge/knowledge.h"
#include "knowledge/rank.h"

struct arena;
struct retrieve;

#define RETRIEVE_CANDIDATES 200

/* Maps the segments of the catalogs, which are borrowed as the model is (NULL: the shipped one).
 * Vectors that a segment was given by another model are made anew in memory. Cost: one pass over
 * the records, some 10 ms and 16 bytes a passage. Searched from any number of threads. */
ERR_MUST_USE enum err retrieve_new(const struct catalog *const *catalogs, size_t n,
                                   const struct rank_model *model, struct retrieve **out,
                                   struct why *why);
void retrieve_free(struct retrieve *retrieve); /* NULL is fine */
/* Gives the pages of its files back to the system; searches, also those under way, fetch them
 * again. From any thread. retrieve_kb.c does so when nobody has searched for half a minute. */
void retrieve_rest(const struct retrieve *retrieve);

/*
 * The best query->limit passages. Filters are those of knowledge_query (kb is the caller's matter);
 * what `who` may not read is not looked at.
 *
 *   Owner   *out and all its strings live in `arena`; hit->text is what was indexed, which for a
 *           table row is not its byte range (retrieve_bases sets that right)
 *   Errors  ERR_INVALID    limit or a kind that does not exist
 *           ERR_NO_MEMORY  the arena needs about 9 bytes a passage and 2 MiB
 *   Dense   the question's vector for each catalog (retrieve_n_catalogs of them), of length 1, by
 * the catalog's embedder; NULL for a catalog without, `dense` NULL: words only. What only the
 *           vectors find joins the candidates, and the two orders are fused by rank
 *   Shape   score falls along *out; confidence is 0 .. 1 and the same whatever the limit
 *   Cost    p50 and p95 in the room's README, by bench/bench_search
 */
ERR_MUST_USE enum err retrieve_search(const struct retrieve *retrieve,
                                      const struct knowledge_query *query,
                                      const struct ops_identity *who, const float *const *dense,
                                      struct arena *arena, struct knowledge_hit **out, size_t *n,
                                      struct why *why);

/* The embedder of a catalog whose vectors are here, and their dimension; empty: none. */
struct str retrieve_embedder(const struct retrieve *retrieve, size_t catalog, size_t *dim);
size_t retrieve_n_catalogs(const struct retrieve *retrieve);

/* ---- the views in use: one for each set of bases, made anew when a base's revision grows ---- */

struct retrieve_cache;
struct retrieve_cache *retrieve_cache_new(void); /* NULL without memory */
void retrieve_cache_free(struct retrieve_cache *cache);

/* The room's one (knowledge.c owns it). */
struct knowledge;
struct retrieve_cache *knowledge_retrieve_cache(struct knowledge *knowledge);

/* Searches the base that query->kb names, or all that `who` may see as one: laws and the texts of a
 * city are then measured by one scale, which knowledge_search (answer_rank.c) does better. As that
 * otherwise; a table row's text is its byte range. */
ERR_MUST_USE enum err retrieve_bases(struct knowledge *knowledge, const struct ops_identity *who,
                                     const struct knowledge_query *query, struct arena *arena,
                                     struct knowledge_hit **out, size_t *n, struct why *why);

/* Puts the first hits in the order of the reranker that all these bases share, if they do and it
 * can be had; scores stay with their places. */
void retrieve_weigh(struct knowledge *knowledge, const struct ops_identity *who,
                    const struct catalog *const *catalogs, size_t n_catalogs, struct str question,
                    struct knowledge_hit *hits, size_t n, struct arena *arena);

/* How rare the terms (tokens.h) are in the passages of a base (name; NULL or "": all that `who` may
 * see): n_holding[i] passages of *n_passages hold terms[i], whoever may read them. Cost: a search
 * in a sorted list for each term and segment. */
ERR_MUST_USE enum err knowledge_rarity(struct knowledge *knowledge, const struct ops_identity *who,
                                       const char *kb, const uint64_t *terms, size_t n,
                                       struct arena *arena, uint32_t *n_holding,
                                       uint32_t *n_passages, struct why *why);

/* ---- for training and tests: what step 1 and 2 found ---- */

struct retrieve_candidate {
    uint32_t segment, passage; /* segments counted over all catalogs, in their order */
    const struct catalog_version *version;
    float first; /* score of step 1 */
    bool law;
    float features[RANK_N_FEATURES];
};
/* What takes the place of the model's: so a question is shown as one never seen. */
struct rank_told;
struct retrieve_learned {
    const float *asked; /* (dim): the question's vector */
    const struct rank_told *told;
};
/* The candidates of step 1 with their figures, best first; `learned` NULL: the model's. */
ERR_MUST_USE enum err retrieve_candidates(const struct retrieve *retrieve,
                                          const struct knowledge_query *query,
                                          const struct ops_identity *who,
                                          const struct retrieve_learned *learned,
                                          struct arena *arena, struct retrieve_candidate **out,
                                          size_t *n, struct why *why);

/* For every passage of every segment, in order: its BM25 with standing as a share of the best, and
 * the logarithm of the standing. `out` and `standing` hold retrieve_n_passages floats. */
ERR_MUST_USE enum err retrieve_shares(const struct retrieve *retrieve, struct str question,
                                      struct arena *arena, float *out, float *standing,
                                      struct why *why);
size_t retrieve_n_passages(const struct retrieve *retrieve);
size_t retrieve_n_segments(const struct retrieve *retrieve);
const struct index *retrieve_segment(const struct retrieve *retrieve, size_t i);
/* The vectors in use, rows and scales of all passages of a segment; NULL without. */
const int8_t *retrieve_vectors(const struct retrieve *retrieve, size_t segment,
                               const float **scales);

/* The question's vectors (dim floats each) as rank_question_vectors gives them. */
void retrieve_question_vectors(const struct retrieve *retrieve, struct str question, float *asked,
                               float *latent);

#endif
