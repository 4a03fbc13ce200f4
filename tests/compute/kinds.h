/*
 * tests/compute/kinds - the kinds of job that the tests run: some behave, most do not. Included by
 * the test, which submits them, and by job_child, which plays `yicheng job` and runs them.
 */
#ifndef TESTS_COMPUTE_KINDS_H
#define TESTS_COMPUTE_KINDS_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/time.h"

#define SAVE_EVERY 7 /* steps: so that a crash leaves some that were done and not saved */

/* {"n": steps, "us": microseconds each, "crash": one step in so many aborts; 0: none}
 * Appends the lines 0, 1, ... n - 1 to the file "out", and saves how long it was. */
static enum err run_count(void *ctx, struct job *job, struct why *why)
{
    (void)ctx;
    char path[4096], text[64];
    int64_t n = json_get_int(job_spec(job), "n", 100), us = json_get_int(job_spec(job), "us", 1000);
    int64_t crash = json_get_int(job_spec(job), "crash", 0);
    const struct json *saved;
    (void)snprintf(path, sizeof path, "%s/out", job_dir(job));
    enum err err = job_saved(job, job_arena(job), &saved, why);
    if (err)
        return err;
    int64_t at = json_get_int(saved, "next", 0);
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0 || ftruncate(fd, json_get_int(saved, "bytes", 0)) != 0)
        return err_errno(why, "could not open \"%s\"", path);
    job_log(job, "begins at %lld", (long long)at);
    srand((unsigned)(time_mono_ns() ^ getpid()));
    for (; at < n && !err; at++) {
        if (job_cancelled(job)) {
            err = ERR_CANCELLED;
            break;
        }
        int len = snprintf(text, sizeof text, "%lld\n", (long long)at);
        err = file_write_fd(fd, (struct str){text, (size_t)len}, why);
        if (crash && rand() % crash == 0)
            abort();
        if (us)
            (void)usleep((useconds_t)us);
        if (!err && ((at + 1) % SAVE_EVERY == 0 || at + 1 == n)) {
            (void)snprintf(text, sizeof text, "{\"next\":%lld,\"bytes\":%lld}", (long long)at + 1,
                           (long long)lseek(fd, 0, SEEK_END));
            err = job_save(job, str_c(text), why);
        }
        job_progress(job, at + 1, n, "数数");
    }
    (void)close(fd);
    if (!err)
        job_result(job, str_printf(job_arena(job), "{\"n\":%lld}", (long long)n));
    return err;
}

/* The same with fewer attempts. */
static enum err run_fragile(void *ctx, struct job *job, struct why *why)
{
    return run_count(ctx, job, why);
}

/* Takes a megabyte every millisecond. */
static enum err run_eat(void *ctx, struct job *job, struct why *why)
{
    (void)ctx, (void)job;
    for (int i = 0; i < 4096; i++) {
        char *p = malloc(1 << 20);
        if (!p)
            return err_set(why, ERR_NO_MEMORY, "malloc said no");
        memset(p, i | 1, 1 << 20);
        (void)usleep(1000);
    }
    return ERR_OK;
}

/* {"deaf": whether SIGTERM is ignored}. Starts a process of its own too. */
static enum err run_forever(void *ctx, struct job *job, struct why *why)
{
    (void)ctx, (void)why;
    bool deaf = json_get_bool(job_spec(job), "deaf", false);
    if (json_get_bool(job_spec(job), "helper", false) && fork() == 0)
        for (;;)
            (void)pause();
    job_progress(job, 1, 0, "for ever");
    while (deaf || !job_cancelled(job))
        (void)usleep(5000);
    return ERR_CANCELLED;
}

static enum err run_fail(void *ctx, struct job *job, struct why *why)
{
    (void)ctx;
    if (json_get_bool(job_spec(job), "exit", false))
        _exit(7);
    if (json_get_bool(job_spec(job), "passing", false))
        return err_set(why, ERR_UNAVAILABLE, "the other side is away");
    if (json_get_bool(job_spec(job), "missing", false))
        return err_set(why, ERR_NOT_FOUND, "there is no user \"x\"");
    return err_set(why, ERR_INVALID, "row 7 is not a number: \"x\"");
}

/* Writes far more than the limit into its log, and to standard error. */
static enum err run_talk(void *ctx, struct job *job, struct why *why)
{
    (void)ctx, (void)why;
    for (int i = 0; i < 2000; i++)
        job_log(job, "line %d of a job that has much to say and says it again and again", i);
    job_log(job, "last words");
    return ERR_OK;
}

/* What a room would do with its row: here, a row for each move. */
static enum err note_move(void *ctx, struct store_tx *tx, const struct job_move *move,
                          struct why *why)
{
    (void)ctx;
    enum err err = store_exec(tx,
                              "CREATE TABLE IF NOT EXISTS test_moves (job TEXT NOT NULL, state TEXT"
                              " NOT NULL, words TEXT NOT NULL, tenant TEXT NOT NULL)",
                              STORE_NO_ARGS, NULL, why);
    return err ? err
               : store_exec(tx,
                            "INSERT INTO test_moves (job, state, words, tenant) VALUES (?, ?, ?,"
                            " ?)",
                            STORE_ARGS(SV_STR(move->id), SV_C(job_state_name(move->to)),
                                       SV_STR(move->words), SV_STR(move->tenant)),
                            NULL, why);
}

#define KIND(word, attempts, memory)                                                               \
    {                                                                                              \
        .name = "test." #word, .summary = "For tests", .permission = "knowledge.write",            \
        .max_attempts = (attempts), .memory_bytes = (memory), .run = run_##word,                   \
        .moved = note_move                                                                         \
    }
static const struct job_kind test_kinds[] = {
    KIND(count, 12, 0),  KIND(fragile, 4, 0), KIND(eat, 2, 64 << 20),
    KIND(forever, 3, 0), KIND(fail, 3, 0),    KIND(talk, 1, 0),
};
#define N_TEST_KINDS (sizeof test_kinds / sizeof test_kinds[0])

static void bind_test_kinds(struct compute *compute)
{
    for (size_t i = 0; i < N_TEST_KINDS; i++)
        compute_bind(compute, &test_kinds[i], NULL);
}

#endif
