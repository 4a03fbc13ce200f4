/*
 * data/quality - signs of a text's form, for a classifier: none of them is about what it says.
 *
 * Sixteen figures (share of Han, of punctuation, length of sentences, share of neighbouring
 * characters that often stand together, ...), each as one of sixteen steps, written as sixteen
 * characters: so the text classifier of room learn is trained over them, and the model holds no
 * words.
 */
#ifndef DATA_QUALITY_H
#define DATA_QUALITY_H

#include "core/str.h"

#define QUALITY_SIGNS 16
#define QUALITY_BYTES (QUALITY_SIGNS * 3)

/* The signs of valid UTF-8, in `out`. */
struct str quality_signs(struct str text, char out[QUALITY_BYTES]);

/* The bit of two Han characters in the table of frequent pairs. */
uint32_t quality_pair_bit(uint32_t a, uint32_t b);

#endif
