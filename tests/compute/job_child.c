/* Plays `yicheng job ID` for the tests: job_child URL DIR [key=value ...] job ID. With "executor"
 * in place of "job ID" it plays `yicheng serve`: an executor until SIGTERM. */
#include "compute/kinds.h"

#include "core/conf.h"

static int fail(enum err err, const struct why *why)
{
    (void)fprintf(stderr, "job_child: %s\n", why_text(why, err));
    return 1;
}

int main(int argc, char **argv)
{
    struct why why = {0};
    struct arena *arena = arena_new(16 << 20);
    const struct conf_table tables[] = {ops_conf, compute_conf};
    const struct conf *conf;
    struct store *store;
    struct ops *ops;
    struct compute *compute;
    bool serve = argc >= 4 && strcmp(argv[argc - 1], "executor") == 0;
    int n_sets = argc - 3 - (serve ? 1 : 2);
    if (n_sets < 0)
        return 2;
    sigset_t term;
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    if (serve)
        (void)sigprocmask(SIG_BLOCK, &term, NULL);
    enum err err = conf_load(tables, 2, NULL, (const char *const *)argv + 3, (size_t)n_sets, arena,
                             &conf, &why);
    if (!err)
        err = store_open(&(struct store_opts){argv[1], 20000, 3}, &store, &why);
    if (!err)
        err = ops_open(store, conf, &ops, &why);
    const char **args = calloc((size_t)argc, sizeof *args);
    for (int i = 1; i < argc - (serve ? 1 : 2); i++)
        args[i - 1] = argv[i];
    struct compute_opts opts = {.store = store,
                                .ops = ops,
                                .conf = conf,
                                .data_dir = argv[2],
                                .program = argv[0],
                                .program_args = args};
    if (!err)
        err = compute_open(&opts, &compute, &why);
    if (err)
        return fail(err, &why);
    bind_test_kinds(compute);
    if (serve) {
        int got;
        err = compute_start(compute, &why);
        (void)sigwait(&term, &got);
        compute_stop(compute, false);
    } else {
        err = job_run(compute, argv[argc - 1], &why);
    }
    compute_close(compute);
    ops_close(ops);
    store_close(store);
    arena_free(arena);
    free(args);
    return err ? fail(err, &why) : 0;
}
