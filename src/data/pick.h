/*
 * data/pick - choosing exactly so many records by chance: the smallest of their random numbers.
 */
#ifndef DATA_PICK_H
#define DATA_PICK_H

#include "data/op.h"

/* A note of 8 bytes: a number that depends on the seed, the id and `salt` alone. */
uint64_t pick_number(const struct data_call *call, struct str id, uint64_t salt);

/* Of n numbers the k-th smallest (k from 1); all k smallest are then those <= it, if no two are
 * equal. UINT64_MAX for k >= n, 0 for k == 0. Reorders. */
uint64_t pick_bound(uint64_t *numbers, size_t n, size_t k);

#endif
