/*
 * data/task - the lines of one shard through a run of record-wise steps.
 *
 * spec -> pipeline -> work -> [task]. One thread; many tasks side by side.
 */
#ifndef DATA_TASK_H
#define DATA_TASK_H

#include "data/pipeline.h"

#define TASK_ARENA ((size_t)192 << 20) /* for one record with all its parts */

struct shard_stats;

struct step_count {
    int64_t in, out, changed, made, dropped, failed;
};

/* What became of a record at a step: for a dry run. */
enum task_event { TASK_CHANGED, TASK_DROPPED, TASK_FAILED, TASK_MADE };
typedef void task_saw_fn(void *ctx, size_t step, enum task_event event, struct str id,
                         struct str before, struct str after, const char *words);

struct task {
    const struct pipeline *pipeline;
    size_t first, last;  /* the steps first .. last - 1, all record-wise */
    size_t apply, note;  /* the DATA_WHOLE step before, and that behind; STR_NPOS: none */
    struct str verdicts; /* of `apply` for these lines: each its length (4 bytes) and its bytes */
    size_t input;        /* number of the input that the lines are of */
    struct str lines;
    int out_fd, trail_fd, note_fd; /* open for writing; -1: nowhere */
    struct step_count *counts;     /* pipeline->n_steps of them, added to */
    int64_t n_bad;                 /* lines that are no records */
    int64_t n_notes;
    struct shard_stats *stats; /* of what went to out_fd; or NULL */
    bool (*cancelled)(void *ctx);
    task_saw_fn *saw; /* or NULL */
    void *ctx;
};

/* Every line. Errors are those that end a run (op.h) and ERR_CANCELLED; what is wrong with one
 * record goes into the trail and the counts. Memory: TASK_ARENA and three buffers of 1 MiB. */
ERR_MUST_USE enum err task_run(struct task *task, struct why *why);

/* Whether an error ends a run, or concerns the record in hand alone. */
bool task_fatal(enum err err);

#endif
