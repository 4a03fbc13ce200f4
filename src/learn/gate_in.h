/* gate_in - what training and looking share: characters, sums, hashed n-grams. Private. */
#ifndef LEARN_GATE_IN_H
#define LEARN_GATE_IN_H

#include "learn/gate.h"

#define GATE_ROLES   5   /* places of a character: it stands at -2 .. 2 of what begins */
#define GATE_LANE    12  /* bits of a place's sum */
#define GATE_MOST    409 /* the largest weight: five stay below GATE_WATCHED */
#define GATE_WATCHED 2048
#define GATE_BITS    17   /* of the hashed n-grams' table */
#define GATE_GRAMS   22   /* of a place */
#define GATE_AHEAD   4    /* characters behind a place that they read; two before it */
#define GATE_END     '\n' /* stands before and behind a text */

struct gate {
    uint32_t first;  /* the least sum that passes the first model */
    int32_t second;  /* and the second */
    uint64_t *words; /* of 65536 characters: lane k: the weight at place 2 - k */
    int8_t *grams;   /* 1 << GATE_BITS */
};

/* The character at *at, folded: half width, lower case, digits one sign, 0xFFFD beyond the plane.
 */
uint16_t gate_char(struct str text, size_t *at);
/* Places in the table of n-grams for what begins at chars[0]; chars -2 .. GATE_AHEAD are
 * read. */
void gate_grams(const uint16_t *chars, uint32_t grams[GATE_GRAMS]);
/* Makes the words for n characters; weights (n, GATE_ROLES), those of what is not known first, with
 * chars[0] unused. False: no memory. */
bool gate_words(struct gate *gate, const uint16_t *chars, const uint16_t *weights, size_t n);
void gate_watch(struct gate *gate, uint16_t c);

static inline uint64_t gate_word(const struct gate *gate, uint16_t c)
{
    return gate->words[c];
}
/* The sums when a character is read; the lowest lane is then that of the place two before it. */
static inline uint64_t gate_add(uint64_t sums, uint64_t word)
{
    return (sums >> GATE_LANE) + word;
}
static inline uint32_t gate_sum(uint64_t sums)
{
    return (uint32_t)sums & ((1u << GATE_LANE) - 1);
}

#endif
