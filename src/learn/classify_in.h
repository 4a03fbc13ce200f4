/* classify_in - what reading, training and measuring share. Private to the room. */
#ifndef LEARN_CLASSIFY_IN_H
#define LEARN_CLASSIFY_IN_H

#include "core/utf8.h"
#include "learn/classify.h"

struct learn_shape { /* how a text becomes places */
    unsigned bits, grams_least, grams_most;
    size_t most_characters; /* 0: all */
};

struct learn_model {
    size_t n_labels, columns;
    struct learn_shape shape;
    char *names; /* owns the labels and the note */
    struct str labels[LEARN_LABELS_MOST], note;
    float thresholds[LEARN_LABELS_MOST];
    float biases[LEARN_LABELS_MOST], scales[LEARN_LABELS_MOST];
    float temperature;
    int8_t *weights; /* (2^bits, columns) */
};

/* The places of a text, those that end at one character at a time: 0 at the end,
 * LEARN_WALK_NONE for a character where none ends. */
#define LEARN_WALK_NONE ((size_t)-1)
struct learn_walk {
    struct learn_shape shape;
    struct str text;
    size_t at, n;
    uint32_t last[LEARN_GRAMS_MOST]; /* the newest first */
};
void learn_walk_init(struct learn_walk *walk, const struct learn_shape *shape, struct str text);
size_t learn_walk_next(struct learn_walk *walk, uint32_t places[LEARN_GRAMS_MOST]);
uint32_t learn_fold(uint32_t c);

size_t learn_columns(size_t n_labels);
/* Probabilities from sums: p may not be sums. The likeliest label. */
size_t learn_odds_to_p(float *sums, size_t n_labels, float *p);

ERR_MUST_USE enum err learn_model_new(size_t n_labels, const struct learn_shape *shape,
                                      struct learn_model **out, struct why *why);
/* Copies the names. Once. */
ERR_MUST_USE enum err learn_model_name(struct learn_model *model, const struct str *labels,
                                       struct str note, struct why *why);

#endif
