/*
 * engine/grammar - llama.cpp's grammar sampler for C: no exception leaves it.
 *
 * A grammar of a caller is hostile: its size and its nesting are limited before llama.cpp's
 * recursive parser sees it. One thread at a time.
 */
#ifndef ENGINE_GRAMMAR_H
#define ENGINE_GRAMMAR_H

#include "core/str.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GRAMMAR_MOST_BYTES ((size_t)512 << 10)
#define GRAMMAR_MOST_DEPTH 200

struct run_grammar;
struct llama_vocab;
struct grammar;

/* ERR_TOO_LARGE, ERR_INVALID: it does not parse, has no rule "root", is left-recursive, or does not
 * accept the tokens of its prefix. */
ERR_MUST_USE enum err grammar_open(const struct llama_vocab *vocab, const struct run_grammar *spec,
                                   struct grammar **out, struct why *why);
void grammar_free(struct grammar *grammar);

/* Whether the token may come next (always, while a lazy grammar waits for its trigger). */
ERR_MUST_USE enum err grammar_allows(struct grammar *grammar, int32_t token, bool *allowed,
                                     struct why *why);
/* Sets the logits (n_vocab) of all tokens that may not come next to minus infinity. */
ERR_MUST_USE enum err grammar_mask(struct grammar *grammar, float *logits, size_t n_vocab,
                                   struct why *why);
/* Goes on by one token. ERR_INVALID: what came from the trigger on does not fit the grammar. */
ERR_MUST_USE enum err grammar_accept(struct grammar *grammar, int32_t token, struct why *why);

#ifdef __cplusplus
}
#endif

#endif
