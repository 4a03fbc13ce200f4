/*
 * data/shingles - a text as the set of its overlapping runs of n characters, as hashes. Pure.
 *
 * "words": only Han, letters and digits count, letters without case, full width as half width; so
 * two texts that differ in punctuation, spaces and width have the same shingles.
 */
#ifndef DATA_SHINGLES_H
#define DATA_SHINGLES_H

#include "core/str.h"

struct arena;

/* The characters of `in` that count, folded, one code point each. At most in.len of them are
 * written; gives how many. With `starts` also the byte of `in` that each begins at. */
size_t shingle_chars(struct str in, bool words, uint32_t *out, uint32_t *starts);

struct shingles {
    uint64_t *items; /* in the order of the text, with repetitions; well mixed */
    size_t n;        /* characters - n + 1; 1 for a text shorter than n; 0 for an empty one */
    size_t n_chars;
};
/* In the arena: 12 bytes for every byte of text while it works. ERR_NO_MEMORY. */
ERR_MUST_USE enum err shingles_of(struct str in, size_t n, bool words, struct arena *arena,
                                  struct shingles *out, struct why *why);
/* The same from characters. `items` has room for n_chars. Gives how many. */
size_t shingles_roll(const uint32_t *chars, size_t n_chars, size_t n, uint64_t *items);

/* Sorted, each once: a set. */
void shingles_sort(struct shingles *s);
/* |a and b| / |a or b| of two sets; 0 when one is empty. Broder 1997,
 * doi:10.1109/SEQUEN.1997.666900 */
double shingles_jaccard(const struct shingles *a, const struct shingles *b);

#endif
