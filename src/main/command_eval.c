/* yicheng eval retrieval, yicheng eval evidence */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "main/command.h"

#define MOST_QUESTIONS (256u << 20)
#define EVAL_MEMORY    (1024u << 20)

static bool progress(void *ctx, size_t done, size_t total)
{
    (void)ctx;
    if (done % 50 == 0 || done == total)
        (void)fprintf(stderr, "\r%zu / %zu   ", done, total);
    return true;
}

static enum err retrieval(struct center *c, const char *file, struct eval_opts *opts,
                          struct why *why)
{
    struct arena *arena = arena_new(EVAL_MEMORY);
    struct eval_report report;
    struct buf buf;
    struct json_out out;
    bool show = isatty(STDERR_FILENO);
    enum err err =
        arena ? file_read(file, MOST_QUESTIONS, arena, &opts->questions, why) : ERR_NO_MEMORY;
    if (!err)
        err = eval_retrieval(c->knowledge, &c->system, opts, show ? progress : NULL, NULL, arena,
                             &report, why);
    if (show)
        (void)fprintf(stderr, "\n");
    if (!err) {
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        eval_json(&report, opts->most_misses > 0, &out);
        err = buf_err(&buf, why);
    }
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&buf)));
    arena_free(arena);
    return err;
}

/* Needs no knowledge base: the passages stand in the file. */
static int evidence(const char *file)
{
    struct why why = {0};
    struct arena *arena = arena_new(EVAL_MEMORY);
    struct eval_evidence report;
    struct str questions;
    struct buf buf;
    struct json_out out;
    enum err err = arena ? file_read(file, MOST_QUESTIONS, arena, &questions, &why) : ERR_NO_MEMORY;
    if (!err)
        err = eval_evidence(questions, &report, &why);
    if (!err) {
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        eval_evidence_json(&report, &out);
        err = buf_err(&buf, &why);
    }
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&buf)));
    arena_free(arena);
    return err ? command_fail("eval", err, &why) : 0;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    const char *file = command_option(&argc, argv, "--questions");
    struct eval_opts eval = {.kb = command_option(&argc, argv, "--kb"),
                             .split = command_option(&argc, argv, "--split"),
                             .ask = !command_flag(&argc, argv, "--search-only"),
                             .most_misses = command_flag(&argc, argv, "--misses") ? 1000 : 0};
    if (file && argc == 2 && strcmp(argv[1], "evidence") == 0)
        return evidence(file);
    if (!file || argc != 2 || strcmp(argv[1], "retrieval") != 0)
        return command_usage(&command_eval);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("eval", err, &why);
    err = retrieval(&center, file, &eval, &why);
    center_close(&center);
    return err ? command_fail("eval", err, &why) : 0;
}

const struct command command_eval = {
    .name = "eval",
    .usage =
        "retrieval [--kb NAME] --questions FILE.jsonl [--split NAME] [--search-only] [--misses]\n"
        "evidence --questions FILE.jsonl",
    .summary = "Measure answers against a file of questions with gold; prints one JSON object",
    .run = run,
};
