/*
 * data/whole - what decide() of a DATA_WHOLE operator sees: all notes, and where verdicts go.
 */
#ifndef DATA_WHOLE_H
#define DATA_WHOLE_H

#include "data/pipeline.h"

struct whole_form {
    const struct pipeline_step *step;
    const struct pipeline *pipeline;
    const char
        *dir; /* the work folder: notes are s<stage>-<shard>.note, verdicts v<stage>-<shard> */
    size_t stage;
    const uint64_t *bounds; /* n_shards + 1 */
    size_t n_shards;
    size_t memory, threads;
    bool (*cancelled)(void *ctx);
    void (*went)(void *ctx, uint64_t done, uint64_t total); /* or NULL */
    void *ctx;
};

/* Calls decide(). ERR_INTERNAL when it gave more or fewer verdicts than there are records, or when
 * the notes do not have the size that their number asks for (ERR_CORRUPT). */
ERR_MUST_USE enum err whole_decide(const struct whole_form *form, struct why *why);

#endif
