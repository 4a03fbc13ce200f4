/*
 * data/try - a pipeline over some lines in memory: dry runs, and the tests of operators.
 *
 * The same engine as a real run (work.h), on one thread, in a temporary folder that ends with it.
 */
#ifndef DATA_TRY_H
#define DATA_TRY_H

#include "data/work.h"

struct try_input {
    struct str lines; /* JSON lines */
    size_t input;
};

struct try_form {
    const struct pipeline *pipeline;
    const struct try_input *inputs; /* n_inputs shards */
    size_t n_inputs;
    const char *temp; /* where the folder is made */
    task_saw_fn *saw; /* or NULL */
    void *ctx;
};

/* *lines and *trail (may be NULL): what came out of all shards, in order. */
ERR_MUST_USE enum err try_run(const struct try_form *form, struct arena *arena,
                              struct work_result *result, struct str *lines, struct str *trail,
                              struct why *why);

#endif
