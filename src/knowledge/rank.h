/*
 * knowledge/rank - a learned ranking model: what it computes, and how it is read and written.
 *
 * Place in the room: tokens -> index -> [rank] -> retrieve -> answer. Pure after reading. A model
 * is four things in one file, a few megabytes, some of it learned from questions with known
 * answers:
 *
 *   - words: a vector for each frequent term (latent semantic analysis of a collection: truncated
 *     SVD of its BM25-weighted term matrix), so that passage and question are compared beyond words
 *   - asking: what laymen's words are worth in questions: a correction of those vectors and a
 *     matrix, learned so that known answers come first
 *   - told: known questions as terms and vectors, and the articles that answer them (rank_told.h)
 *   - trees: gradient-boosted regression trees over RANK_N_FEATURES figures of a candidate, which
 *     put the first few hundred candidates in order (LambdaMART)
 *
 * No question, passage or name of a law is in it in words: terms and titles are hashes. The shipped
 * model is in the binary; rank_train.h makes another one from any collection and questions.
 *
 *   Source  Deerwester et al. 1990 (LSA); Burges 2010, MSR-TR-2010-82 (LambdaMART); the rest ours
 */
#ifndef KNOWLEDGE_RANK_H
#define KNOWLEDGE_RANK_H

#include "core/str.h"

#define RANK_DIM_MOST   128
#define RANK_TREES_MOST 2000
#define RANK_RARE       8.0f /* weight of a term that was too rare to get a vector */

/* The figures of a candidate, in the order of the file. Adding one makes a new file version. */
#define RANK_FEATURES(X)                                                                           \
    X(first, "first-stage score, less the best one's")                                             \
    X(words, "BM25 with the source's standing, as a share of the best one's")                      \
    X(plain, "BM25 alone, as a share of the best one's")                                           \
    X(place, "place after the first stage, from 0")                                                \
    X(meaning, "likeness of meaning with the learned words of questions")                          \
    X(meaning_share, "the same less the best one's")                                               \
    X(latent, "likeness of meaning, nothing learned from questions")                               \
    X(cited, "logarithm of how often the source is cited by others")                               \
    X(level, "level of the source, 0 to 9")                                                        \
    X(source_votes, "other good candidates of the same source")                                    \
    X(source_best, "best share of BM25 of the same source")                                        \
    X(source_count, "candidates of the same source")                                               \
    X(section_votes, "other good candidates of the same section")                                  \
    X(section_best, "best share of BM25 of the same section")                                      \
    X(beside_best, "the better of the neighbours' BM25 shares")                                    \
    X(beside_sum, "sum of BM25 shares of four neighbours")                                         \
    X(covered, "share of the question's weight that the passage covers")                           \
    X(covered_text, "the same, its text without title and headings")                               \
    X(matched, "share of the question's terms in it")                                              \
    X(rarest, "weight of the rarest term in it")                                                   \
    X(run, "characters of the longest run that stands in both")                                    \
    X(in_title, "share of the question's weight in the title")                                     \
    X(in_path, "share of the question's weight in the headings")                                   \
    X(feedback, "likeness to the best ten candidates")                                             \
    X(bytes, "bytes of the text")                                                                  \
    X(order, "place in its source")                                                                \
    X(order_share, "the same as a share")                                                          \
    X(of, "passages of its source")                                                                \
    X(looks, "what it looks like: purpose, definition, general, liability, closing, penalty")      \
    X(question_chars, "characters of the question")                                                \
    X(question_weight, "weight of the question's terms")                                           \
    X(best_words, "the best BM25 of this question")                                                \
    X(chars, "share of the question's characters in it, each as rare as its commoner pair")        \
    X(chars_text, "the same, its text without title and headings")                                 \
    X(chars_sentence, "the same, the best of its sentences")                                       \
    X(told, "likeness of the likest known question that the article answers, see rank_told.h")     \
    X(told_sum, "sum of the cubes of these")                                                       \
    X(told_near, "the best likeness of a neighbouring article, less the farther it is")            \
    X(told_source, "the best likeness of any article of the same source")                          \
    X(told_share, "share of all known questions' votes that go to the source")                     \
    X(told_times, "known questions that the article answers")

enum rank_feature {
#define RANK_ENUM(name, words) RANK_##name,
    RANK_FEATURES(RANK_ENUM)
#undef RANK_ENUM
        RANK_N_FEATURES
};
const char *rank_feature_name(enum rank_feature feature);
const char *rank_feature_words(enum rank_feature feature);

struct rank_model;

/* The model in the binary. Never NULL; read once, from any thread. */
const struct rank_model *rank_model_shipped(void);

/* Copies what it needs of `bytes`. ERR_CORRUPT for anything that is not a whole model. */
ERR_MUST_USE enum err rank_model_parse(struct str bytes, struct rank_model **out, struct why *why);
void rank_model_free(struct rank_model *model); /* NULL is fine */

size_t rank_model_dim(const struct rank_model *model);
uint64_t rank_model_id(const struct rank_model *model);     /* of its words: vectors must agree */
struct str rank_model_note(const struct rank_model *model); /* how it was trained, one line */

/* The share of passages that hold a term where the words were learned; 0 for one too rare to have
 * been learned. */
double rank_word_share(const struct rank_model *model, uint64_t term);
/* Its weight there (idf), RANK_RARE for one that has none. */
float rank_term_weight(const struct rank_model *model, uint64_t term);

/* The known questions; without any in a model that holds none. Lives as long as the model. */
struct rank_told;
const struct rank_told *rank_model_told(const struct rank_model *model);

/* The vector of a passage from its terms, ascending with repetitions: dim signed bytes and their
 * scale (0 when no term is known). */
void rank_passage_vector(const struct rank_model *model, const uint64_t *terms, size_t n,
                         int8_t *out, float *scale);

/* The vectors of a question, of length about 1: as learned and as latent. (dim) floats each.
 * `terms` are distinct, times[i] counts terms[i]. */
void rank_question_vectors(const struct rank_model *model, const uint64_t *terms,
                           const uint32_t *times, size_t n, float *asked, float *latent);

/* The trees' sum for one candidate; a model without trees gives features[RANK_first]. */
float rank_score(const struct rank_model *model, const float features[RANK_N_FEATURES]);
/* The same of n candidates, out[i] of rows[i]: half the time of one by one. */
void rank_scores(const struct rank_model *model, const float *const *rows, size_t n, float *out);
bool rank_has_trees(const struct rank_model *model);

/* ---- the parts of a model, for rank_train.c and the writer ---- */

struct rank_tree_node {
    int16_t feature;      /* -1: a leaf */
    uint16_t left, right; /* counted from the root; behind the own place */
    uint16_t reserved;
    float value; /* threshold (left when the feature is below it), or the leaf's sum */
};

struct rank_parts {
    struct str note;
    uint32_t dim, n_words, n_asked, n_nodes, n_trees;
    float mean_tokens;        /* of a passage where the words were learned */
    float question_scale;     /* makes latent question vectors about 1 long */
    const uint64_t *words;    /* n_words, ascending */
    const float *weights;     /* n_words: idf */
    const float *vectors;     /* (n_words, dim) */
    const uint32_t *asked;    /* n_asked places in words, ascending */
    const float *corrections; /* (n_asked, dim) */
    const float *matrix;      /* (dim, dim): out[j] += in[i] * matrix[i * dim + j] */
    const uint32_t *roots;    /* n_trees: first node of each tree */
    const struct rank_tree_node *nodes;
    const struct rank_told *told; /* NULL: none */
};
/* The file of a model, vectors rounded to bytes; in `arena`. */
struct arena;
ERR_MUST_USE enum err rank_model_write(const struct rank_parts *parts, struct arena *arena,
                                       struct str *out, struct why *why);

#endif
