/*
 * learn/tagger - what stands in a text: a linear tagger of characters for names, addresses and
 * such.
 *
 * Place in the room: samples -> tagger_train -> bytes -> tagger_read -> tagger_find.
 * Every character gets a tag: outside, or first, inner, last of one of up to five kinds (a single
 * character is a last one). Weights over the characters around (n-grams, sorts, marked characters
 * such as surnames) are trained as an averaged structured perceptron; the best line of tags is
 * found by Viterbi. Only the weightiest features are kept, in eight bits.
 *
 * Training is one thread and gives the same bytes for the same samples and options. A tagger is
 * read-only after reading: from any thread.
 *
 *   Source  Collins 2002, doi:10.3115/1118693.1118694 (averaged perceptron over lines of tags);
 *           Viterbi 1967, doi:10.1109/TIT.1967.1054010; the features are ours
 */
#ifndef LEARN_TAGGER_H
#define LEARN_TAGGER_H

#include "core/str.h"

struct arena;
struct tagger;

#define TAGGER_KINDS     5    /* at most */
#define TAGGER_NAME      24   /* bytes of a kind's name with '\0' */
#define TAGGER_MARKS     4096 /* marked characters at most */
#define TAGGER_FEATURES  65536
#define TAGGER_MOST_LINE 255 /* characters that are tagged together: longer texts are cut */

struct tagger_span {
    size_t start, end; /* bytes of the text, at borders of characters */
    unsigned kind;
    float sure; /* 0 .. 1: how often such a span is right; not used in training */
};

struct tagger_sample {
    struct str text;
    const struct tagger_span *spans; /* n of them, in order, none over another */
    size_t n;
    bool held; /* kept back from the weights: for `sure` */
    /* Bits of kinds that do not occur; when there are any, `spans` is empty and of other kinds
     * nothing is told. */
    unsigned never;
};

struct tagger_options {
    unsigned epochs;   /* 1 .. 100 */
    unsigned least;    /* a feature is seen so often in the samples, 1 .. 100 */
    unsigned features; /* kept, 1 .. TAGGER_FEATURES */
    uint64_t seed;
    struct str marks;                                          /* marked characters, as UTF-8 */
    void (*progress)(void *ctx, unsigned epoch, size_t wrong); /* lines; may be NULL */
    void *ctx;
};
extern const struct tagger_options tagger_options_default;

/*
 * Trains and writes the model's bytes into `arena`.
 *   Errors  ERR_INVALID  options, kinds or spans out of range, no sample; ERR_NO_MEMORY
 *   Cost    epochs * characters; memory some 200 bytes a character of the samples
 */
ERR_MUST_USE enum err tagger_train(const struct tagger_sample *samples, size_t n,
                                   const char *const *kinds, size_t n_kinds,
                                   const struct tagger_options *options, struct arena *arena,
                                   struct str *bytes, struct why *why);

/* Copies what it needs. ERR_CORRUPT for anything that is not a whole model; ERR_NO_MEMORY. */
ERR_MUST_USE enum err tagger_read(struct str bytes, struct tagger **out, struct why *why);
void tagger_free(struct tagger *tagger); /* NULL is fine */

/* Whether a sentence ends with this character; taggers look no further. */
bool tagger_ends_line(uint32_t c);

size_t tagger_n_kinds(const struct tagger *tagger);
const char *tagger_kind(const struct tagger *tagger, size_t i);

/* The spans of a text, in order, in `arena`. Any bytes: what is no UTF-8 parts the text.
 * ERR_NO_MEMORY. */
ERR_MUST_USE enum err tagger_find(const struct tagger *tagger, struct str text, struct arena *arena,
                                  struct tagger_span **out, size_t *n, struct why *why);
/* Those of the characters from .. to of one sentence alone, read with what stands around them. What
 * stands before is taken for nothing, and what begins here ends here. */
ERR_MUST_USE enum err tagger_find_part(const struct tagger *tagger, struct str text, size_t from,
                                       size_t to, struct arena *arena, struct tagger_span **out,
                                       size_t *n, struct why *why);

#endif
