/*
 * knowledge/dense - vectors of a configured model for the passages of a base.
 *
 * Place in the room: index -> [dense] -> retrieve. A base that names an embedder has the file
 * index/<base id>/<hash of the model's name>.vec: rows that are only ever added, each under the
 * hash of the words that it was made of. So a passage that did not change needs no new vector,
 * whatever segment it moves to, and one changed file costs one file. A crash leaves at most half a
 * row at the end, which does not count. The file can be made anew at any time; it is never the only
 * copy.
 *
 * Threads: a `struct dense` is immutable. One embedding a base at a time (its lock file).
 */
#ifndef KNOWLEDGE_DENSE_H
#define KNOWLEDGE_DENSE_H

#include "knowledge/index.h"
#include "knowledge/knowledge.h"

struct dense;

#define DENSE_MOST_DIM 4096

/* The file of a model's vectors for a base; NULL without memory. */
char *dense_path(const char *dir, struct str model, struct arena *arena);

/* Opens it; a file that is missing has no rows, one that is not ours or damaged is ERR_CORRUPT. */
ERR_MUST_USE enum err dense_open(const char *path, struct dense **out, struct why *why);
void dense_close(struct dense *dense);       /* NULL is fine */
size_t dense_dim(const struct dense *dense); /* 0 while there are no rows */
size_t dense_n(const struct dense *dense);

/* The words that are embedded for a passage, and the key of its row. */
struct str dense_words(const struct index_passage *passage, struct arena *arena);
uint64_t dense_key(const struct index_passage *passage);
/* Its row, or -1. */
int64_t dense_find(const struct dense *dense, uint64_t key);
/* The likeness (cosine, -1 .. 1) of a row with a vector of length 1 and dense_dim() floats. */
float dense_like(const struct dense *dense, int64_t row, const float *asked);

/* Adds rows, durably: n keys and (n, dim) floats, row-major, of any length. ERR_CONFLICT when the
 * file holds vectors of another dimension. */
ERR_MUST_USE enum err dense_add(const char *path, const uint64_t *keys, const float *vectors,
                                size_t n, size_t dim, struct why *why);

/* Asks a model for the vectors of n texts: (n, *dim) floats of length 1 in `arena`. ERR_CORRUPT
 * when its answer is not what was asked for. */
struct knowledge;
ERR_MUST_USE enum err dense_ask(struct knowledge *k, const struct ops_identity *who,
                                struct str model, const struct str *texts, size_t n,
                                struct arena *arena, float **out, size_t *dim, struct why *why);
/* The answer's body; for dense_ask and its fuzz target. */
ERR_MUST_USE enum err dense_read(struct str reply, size_t n, struct arena *arena, float **out,
                                 size_t *dim, struct why *why);

/* Asks a model to weigh texts against a question: n scores in `arena`, in the order of the texts.
 */
ERR_MUST_USE enum err dense_weigh(struct knowledge *k, const struct ops_identity *who,
                                  struct str model, struct str question, const struct str *texts,
                                  size_t n, struct arena *arena, float **out, struct why *why);
ERR_MUST_USE enum err dense_read_weights(struct str reply, size_t n, struct arena *arena,
                                         float **out, struct why *why);

#endif
