/*
 * learn/classify - a linear classifier of texts: which label, and with which probability.
 *
 * Place in the room: examples -> learn_train -> learn_write -> bytes -> learn_read -> learn_say.
 * A text is the runs of its characters (n-grams of grams_least .. grams_most characters), folded to
 * half width and lower case, digits to one sign, white space to one space, hashed into 2^bits
 * places. Logistic regression over them (softmax over more than two labels), trained by AdaGrad
 * over shuffled examples and averaged; then a scale (temperature) is fitted on examples that were
 * held back, so that of what is said with 0.8 about eight in ten are right. No word list, no
 * segmenter.
 *
 * Training is one thread and gives the same file for the same examples, options and C library.
 * A model is read-only after reading: from any thread.
 *
 *   Source  Joulin et al. 2016, arXiv:1607.01759 (linear models over hashed n-grams);
 *           Duchi et al. 2011, JMLR 12 (AdaGrad); Guo et al. 2017, arXiv:1706.04599 (temperature)
 */
#ifndef LEARN_CLASSIFY_H
#define LEARN_CLASSIFY_H

#include "core/str.h"

struct arena;

#define LEARN_LABELS_MOST 256
#define LEARN_GRAMS_MOST  6
#define LEARN_BITS_MOST   22
#define LEARN_LABEL_BYTES 64  /* of a label's name at most */
#define LEARN_NOTE_BYTES  400 /* of a note at most */

struct learn_example {
    struct str text;
    uint32_t label; /* < n_labels */
    bool held;      /* kept back from the weights: for the temperature */
};

struct learn_options {
    unsigned bits;                    /* 10 .. LEARN_BITS_MOST; 2^bits places a label */
    unsigned grams_least, grams_most; /* characters, 1 .. LEARN_GRAMS_MOST */
    unsigned epochs;                  /* 1 .. 100 passes over the examples */
    double rate;                      /* of AdaGrad; 0.3 is usual */
    double l2;                        /* 0 .. 1: how strongly weights are drawn to nothing */
    bool balance;                     /* rare labels count as much as frequent ones */
    size_t most_characters;           /* of a text are looked at; 0: all */
    uint64_t seed;
    struct str note; /* one line kept in the file: data, size, figures. Borrowed */
    /* Called after every pass, may be NULL; true ends the training with ERR_CANCELLED. */
    bool (*progress)(void *ctx, unsigned epoch, double loss);
    void *ctx;
};
extern const struct learn_options learn_options_default;

struct learn_model;

/*
 * Trains. At least two labels that have examples. When no example is held, each tenth is, by a
 * hash of its number.
 *
 *   Owner   *out is the caller's, learn_free()
 *   Errors  ERR_INVALID   options or labels out of range, too few examples (why says which)
 *           ERR_NO_MEMORY ERR_CANCELLED
 *   Cost    epochs * all n-grams; memory 4 bytes an n-gram, 12 bytes * labels * 2^bits
 */
ERR_MUST_USE enum err learn_train(const struct learn_example *examples, size_t n,
                                  const struct str *labels, size_t n_labels,
                                  const struct learn_options *options, struct learn_model **out,
                                  struct why *why);

/* Copies what it needs of `bytes`. ERR_CORRUPT for anything that is not a whole model;
 * ERR_NO_MEMORY. */
ERR_MUST_USE enum err learn_read(struct str bytes, struct learn_model **out, struct why *why);
ERR_MUST_USE enum err learn_write(const struct learn_model *model, struct arena *arena,
                                  struct str *out, struct why *why);
void learn_free(struct learn_model *model); /* NULL is fine */

size_t learn_n_labels(const struct learn_model *model);
struct str learn_label(const struct learn_model *model, size_t i);
bool learn_label_find(const struct learn_model *model, struct str name, size_t *out);
struct str learn_note(const struct learn_model *model);
size_t learn_most_characters(const struct learn_model *model); /* 0: all */

/* The label of `text` with the highest probability; p[i] (n_labels of them, may be NULL) are all of
 * them, sum 1. Of any bytes. A text without n-grams gives what is said of an unknown one.
 *   Cost    about 10 ns an n-gram with two labels; no allocation */
size_t learn_say(const struct learn_model *model, struct str text, float *p);

/* From which probability on the label counts as said; 0.5 unless set. Kept in the file. */
float learn_threshold(const struct learn_model *model, size_t label);
void learn_set_threshold(struct learn_model *model, size_t label, float threshold);
/* The threshold with the best F1 of this label over the examples, set in the model. ERR_INVALID
 * when none or all of them have the label. */
ERR_MUST_USE enum err learn_fit_threshold(struct learn_model *model,
                                          const struct learn_example *examples, size_t n,
                                          size_t label, struct why *why);

/* ---- how good it is ---- */

struct learn_label_score {
    size_t gold, said, right; /* said: the likeliest label; with two labels the second's threshold
                                 decides */
    double precision, recall, f1;
};
struct learn_score {
    size_t n, right;
    double accuracy, macro_f1;
    double log_loss;          /* mean, natural logarithm */
    double calibration_error; /* ECE: mean distance of probability and share right, in ten bins */
    struct learn_label_score labels[LEARN_LABELS_MOST];
};
void learn_measure(const struct learn_model *model, const struct learn_example *examples, size_t n,
                   struct learn_score *out);

#endif
