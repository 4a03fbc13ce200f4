/*
 * knowledge/written - an answer in a model's words, of which only what stands in the passages is
 * left.
 *
 * Place in the room: answer -> [written] -> support, papers. The model sees the question and the
 * passages that were found for it, nothing else, both as material and never as an instruction. What
 * it writes is cut into sentences; each is checked (support.h), and one that does not stand is
 * struck out and counted. When nothing is left, when the model says that the material does not do,
 * or when it cannot be reached, the quoted answer stands as it was: a model never makes an answer
 * where there was none.
 *
 * Only sentences are written anew. An article, a field and an FAQ pair are given word for word.
 */
#ifndef KNOWLEDGE_WRITTEN_H
#define KNOWLEDGE_WRITTEN_H

#include "knowledge/knowledge.h"

#define WRITTEN_MOST 8 /* places that a written answer may cite */

/*
 * Puts the written answer into `io`, an extracted answer with its hits; leaves it as it is when
 * there is none to be had, io->written.failure then says why.
 *
 *   model   name of an alias or a model, as the base has it
 *   Errors  ERR_NO_MEMORY. What the model or the way to it does wrong is no error
 *   Cost    a call of the model; at most its limits of time
 */
ERR_MUST_USE enum err written_answer(struct knowledge *k, const struct ops_identity *who,
                                     struct str model, struct arena *arena,
                                     struct knowledge_answer *io, struct why *why);

/* The request (JSON, as POST /v1/chat/completions takes it). Pure. */
ERR_MUST_USE enum err written_request(struct str model, struct str question,
                                      const struct knowledge_hit *hits, size_t n_hits,
                                      struct arena *arena, struct str *out, struct why *why);

/* The words of a reply without what was thought aloud (<think> ... </think>); empty when there are
 * none. Any bytes will do. */
struct str written_words(struct str reply, struct arena *arena);

/* Puts `words` into `io` sentence by sentence. Pure but for the arena. */
ERR_MUST_USE enum err written_take(struct str words, struct arena *arena,
                                   struct knowledge_answer *io, struct why *why);

#endif
