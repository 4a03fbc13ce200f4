/*
 * engine/spell - from the bytes of tokens to text that may be given out.
 *
 * Holds back what is not sure yet: an unfinished character, and an end that may become a stop
 * string. Nothing of a stop string, and nothing behind it, is ever given out. Pure.
 */
#ifndef ENGINE_SPELL_H
#define ENGINE_SPELL_H

#include "core/str.h"

struct arena;

struct spell_token {
    int32_t id;
    size_t start; /* offset of its first byte in `held` */
    struct str bytes;
    void *more; /* the caller's: the probabilities */
};

struct spell {
    struct arena *arena;
    const struct str *stops; /* none empty; as long-lived as this */
    size_t n_stops, longest;
    struct buf held;            /* bytes not given out yet */
    struct buf clean;           /* the last text given out, when it had to be mended */
    struct spell_token *tokens; /* not given out yet */
    size_t n_tokens, cap;
    size_t given; /* of them, given by the last call: dropped by the next */
    size_t spent; /* bytes of `held` given by the last call */
};

/* What a call gives out; valid until the next call. */
struct spell_part {
    struct str text; /* UTF-8, whole characters; bytes that are no character became U+FFFD */
    const struct spell_token *tokens; /* those that begin in the text */
    size_t n_tokens;
    const struct str *stop; /* the stop string that was met; then nothing follows */
};

void spell_init(struct spell *spell, const struct str *stops, size_t n_stops, struct arena *arena);

/* One more token with its bytes (borrowed for good; may be empty). ERR_NO_MEMORY. */
ERR_MUST_USE enum err spell_add(struct spell *spell, int32_t id, struct str bytes, void *more,
                                struct spell_part *out, struct why *why);

/* The end, without a stop string: what was held back, but for an unfinished character. */
ERR_MUST_USE enum err spell_end(struct spell *spell, struct spell_part *out, struct why *why);

#endif
