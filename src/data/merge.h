/*
 * data/merge - small shards of a run's end, put together.
 *
 * A filter that drops much leaves a thousand shards of a few lines each, and as many objects, to
 * every run behind it. Neighbours that are small become one shard of up to DATASET_SHARD_BYTES, in
 * the order of the data; which ones depends on their sizes alone.
 */
#ifndef DATA_MERGE_H
#define DATA_MERGE_H

#include "data/dataset.h"
#include "objects/objects.h"

/* Whether a shard of so many bytes is left for merge_small(). */
bool merge_waits(int64_t n_bytes);

struct merge {
    const char
        *dir; /* lines of shard i are in s<stage>-<i>.out, its trail in s<stage>-<i>.trails */
    size_t stage;
    struct objects *objects;
    struct shard_info *shards; /* n of them, with their sums */
    const bool *waits;         /* n: it has no object yet */
    size_t n;
};

/* Gives what waits its objects: that of several stands in the first of them, the others become
 * empty. Work files stay, so that it can be done again. */
ERR_MUST_USE enum err merge_small(const struct merge *merge, struct arena *arena, struct why *why);

#endif
