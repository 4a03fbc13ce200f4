/*
 * data/shipped - the classifiers in the binary, and those of a folder.
 *
 *     rude     civil | rude: insult and contempt of groups of people (models/rude.bin)
 *     quality  spoilt | whole: signs of well-formed text, of quality.h (models/quality.bin)
 */
#ifndef DATA_SHIPPED_H
#define DATA_SHIPPED_H

#include "data/op.h"
#include "learn/learn.h"

enum shipped { SHIPPED_RUDE, SHIPPED_QUALITY, SHIPPED_N };

/* Never NULL; read once, from any thread. */
const struct learn_model *shipped_model(enum shipped which);

/* The bits of frequent pairs of Han characters (models/pairs.bin): 2^SHIPPED_PAIR_BITS of them. */
#define SHIPPED_PAIR_BITS 21
const uint8_t *shipped_pairs(void);

/* A model of the folder data.models, for the time of the pipeline. ERR_UNAVAILABLE when it is
 * missing or none; ERR_INVALID for a name with folders. */
ERR_MUST_USE enum err shipped_open(const struct data_prepare *prepare, struct str name,
                                   const struct learn_model **out, struct why *why);

#endif
