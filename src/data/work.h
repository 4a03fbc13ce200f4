/*
 * data/work - a pipeline over many shards: stages of tasks in a work folder, resumable.
 *
 * spec -> pipeline -> [work] -> task
 *
 * A stage is the steps up to a DATA_WHOLE step, whose decide() stands between two stages. A task is
 * one shard in one stage. It leaves files in the folder, under other names until they are whole:
 *
 *     s<stage>-<shard>.out    lines         s<stage>-<shard>.note   notes for the step behind
 *     s<stage>-<shard>.trail  the trail     s<stage>-<shard>.done   its counts; comes last
 *     v<stage>-<shard>        the verdicts of the step before; v<stage>.done when all are there
 *
 * So who was killed goes on with the tasks that have no .done. Files of an earlier boot of the
 * machine are not trusted (nobody waited for the disk) and are made anew. Nothing in them depends
 * on time, place, order or the number of threads. The tasks of a stage may be spread over
 * processes (work_stage with ranges: a job array of a cluster), with work_decide between stages.
 */
#ifndef DATA_WORK_H
#define DATA_WORK_H

#include "data/dataset.h"
#include "data/pipeline.h"
#include "data/task.h"

struct work_input {
    const char *path; /* of the file with the lines */
    size_t input;     /* number of the pipeline's input */
    int64_t n_records;
};

struct work {
    const struct pipeline *pipeline;
    const char *dir;
    const struct work_input *shards; /* n_shards, in order */
    size_t n_shards;
    struct objects *objects; /* where the last stage puts its files; NULL: they stay in dir */
    size_t threads;          /* 0: all cores */
    size_t memory;           /* for decide() */
    bool (*cancelled)(void *ctx);
    void (*progress)(void *ctx, int64_t done, int64_t total, const char *phase);
    task_saw_fn *saw;
    void *ctx;
};

struct work_result {
    struct shard_info *shards; /* n_shards of them, empty ones too */
    size_t n_shards;
    struct shard_stats stats;
    struct step_count *counts; /* of the steps */
    int64_t n_bad;             /* lines that were no records */
};

size_t work_n_stages(const struct pipeline *pipeline);
/* Makes the folder, or clears it of what an earlier boot of the machine left. */
ERR_MUST_USE enum err work_folder(const char *dir, struct why *why);
/* Tasks first .. first + n - 1 of a stage; those that are done are passed over. */
ERR_MUST_USE enum err work_stage(const struct work *work, size_t stage, size_t first, size_t n,
                                 struct why *why);
/* The DATA_WHOLE step between `stage` and the next; when all tasks of `stage` are done. */
ERR_MUST_USE enum err work_decide(const struct work *work, size_t stage, struct why *why);
/* Sums, when the last stage is done. */
ERR_MUST_USE enum err work_end(const struct work *work, struct arena *arena,
                               struct work_result *out, struct why *why);
/* All of it. */
ERR_MUST_USE enum err work_run(const struct work *work, struct arena *arena,
                               struct work_result *out, struct why *why);
void work_counts_json(const struct pipeline *pipeline, const struct work_result *result,
                      struct json_out *out);

#endif
