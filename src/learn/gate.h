/*
 * learn/gate - where in a text a tagger is worth asking: a cheap look at every character.
 *
 * Place in the room: samples -> gate_train -> bytes -> gate_read -> gate_next.
 * Two linear models one behind the other, both logistic regressions of "something begins here". The
 * first has one number for each of the characters -2 .. 2, five of them in one 64-bit word, so that
 * a character costs a table look-up and an addition; it lets through some ten in a hundred. The
 * second, over hashed n-grams of the characters -2 .. 4, looks at those alone. Both limits are
 * set by the samples kept back: so much of what begins must pass.
 * Watched characters always pass, and say so: for rules that the caller has of its own.
 *
 * Training is one thread and gives the same bytes for the same samples and options. A gate is
 * read-only after reading: from any thread.
 *
 *   Source  logistic regression by AdaGrad, Duchi, Hazan, Singer 2011 (JMLR 12); a cascade after
 *           Viola and Jones 2001, doi:10.1109/CVPR.2001.990517; the packing is ours
 */
#ifndef LEARN_GATE_H
#define LEARN_GATE_H

#include "core/str.h"

struct arena;
struct gate;

#define GATE_CHARS 20000 /* that are known by themselves, at most */
#define GATE_WATCH 64    /* watched characters at most */

struct gate_sample {
    struct str text;
    const size_t *starts; /* bytes where something begins, n of them, rising */
    size_t n;
    float weight; /* of what begins in it, more than 0 */
    bool held;    /* kept back: the limits are set by it */
};

struct gate_options {
    unsigned epochs;    /* 1 .. 100 */
    double first, both; /* of what begins, so much passes the first model, and both: 0 .. 1 */
    struct str watch;   /* watched characters, as UTF-8 */
};
extern const struct gate_options gate_options_default;

/*
 * Trains and writes the model's bytes into `arena`.
 *   Errors  ERR_INVALID  options out of range, or nothing begins in what is kept back, or in the
 * rest ERR_NO_MEMORY Cost    epochs * characters; memory some 20 bytes a character
 */
ERR_MUST_USE enum err gate_train(const struct gate_sample *samples, size_t n,
                                 const struct gate_options *options, struct arena *arena,
                                 struct str *bytes, struct why *why);

/* Copies what it needs. ERR_CORRUPT for anything that is not a whole gate; ERR_NO_MEMORY. */
ERR_MUST_USE enum err gate_read(struct str bytes, struct gate **out, struct why *why);
void gate_free(struct gate *gate); /* NULL is fine */

struct gate_hit {
    size_t at;    /* a byte of the text, at the border of a character */
    bool begins;  /* something may begin here */
    bool watched; /* a watched character stands here */
};

/* A pass over a text; lives where the caller wants it, some 8 KiB. */
#define GATE_BLOCK 512
#define GATE_CARRY 6 /* characters of the block before that are still needed */
struct gate_pass {
    const struct gate *gate;
    struct str text;
    size_t at;          /* read so far */
    uint64_t sums[3];   /* of the characters read last, the newest first */
    size_t n;           /* characters in the block, behind those before it */
    size_t n_ends;      /* characters that stand behind the text */
    size_t n_hits, hit; /* in the block; the next one to be given */
    uint16_t chars[GATE_BLOCK + GATE_CARRY];
    uint16_t hits[GATE_BLOCK]; /* places in chars */
    uint16_t scores[GATE_BLOCK];
    size_t starts[GATE_BLOCK + GATE_CARRY];
};
void gate_begin(struct gate_pass *pass, const struct gate *gate, struct str text);
/* The next place, rising. Any bytes: what is no UTF-8 is a character that is not known. */
bool gate_next(struct gate_pass *pass, struct gate_hit *out);

#endif
