/* yicheng synth: records made from passages, directly on a data directory. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "main/command.h"

#define ROOM      ((size_t)256 << 20)
#define SPEC_MOST ((size_t)64 << 10)
#define WAIT_MS   200

struct synth_command {
    struct center *center;
    struct arena *arena;
    struct buf buf;
    struct json_out out;
    char **argv; /* what follows the verb */
    bool json;
};

static enum err print_json(struct synth_command *c, struct why *why)
{
    enum err err = buf_err(&c->buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&c->buf)));
    return err;
}

static enum err do_methods(struct synth_command *c, struct why *why)
{
    const struct json *list;
    synth_methods_json(&c->out);
    if (c->json)
        return print_json(c, why);
    enum err err = json_parse(buf_str(&c->buf), c->arena, &list, why);
    const struct json *items = json_get(list, "items");
    for (size_t i = 0; !err && i < json_len(items); i++) {
        const struct json *m = json_at(items, i);
        printf("%-14.*s -> %-6.*s %.*s\n", STR_FMT(json_get_str(m, "name", STR(""))),
               STR_FMT(json_get_str(m, "gives", STR(""))),
               STR_FMT(json_get_str(m, "summary", STR(""))));
    }
    return err;
}

static enum err do_estimate(struct synth_command *c, struct why *why)
{
    struct str spec;
    enum err err = file_read(c->argv[0], SPEC_MOST, c->arena, &spec, why);
    if (!err)
        err =
            synth_estimate_json(c->center->synth, &c->center->system, spec, c->arena, &c->out, why);
    return err ? err : print_json(c, why);
}

/* Runs the job here; when a server has taken it already, waits for it. */
static enum err follow(struct synth_command *c, const char *id, struct job_info *info,
                       struct why *why)
{
    struct why own = {0};
    enum err err = job_run(c->center->compute, id, &own);
    if (err && err != ERR_BUSY && err != ERR_CONFLICT)
        return err_set(why, err, "%s", why_text(&own, err));
    for (;;) {
        err = job_find(c->center->compute, id, c->arena, info, why);
        if (err || info->state == JOB_DONE)
            return err;
        if (info->state == JOB_FAILED || info->state == JOB_CANCELLED)
            return err_set(why, ERR_INTERNAL, "the job %s: %.*s", job_state_name(info->state),
                           STR_FMT(info->why));
        time_sleep_ms(WAIT_MS);
    }
}

static enum err do_run(struct synth_command *c, struct why *why)
{
    struct str spec;
    char id[UUID_TEXT];
    struct job_info info;
    const struct json *result = NULL;
    int64_t start = time_mono_ns();
    enum err err = file_read(c->argv[0], SPEC_MOST, c->arena, &spec, why);
    if (!err)
        err = synth_start(c->center->synth, &c->center->system, spec, id, why);
    if (!err)
        err = follow(c, id, &info, why);
    if (!err && c->json) {
        printf("{\"job\":\"%s\",\"result\":%.*s}\n", id, STR_FMT(info.result));
        return ERR_OK;
    }
    if (!err)
        err = json_parse(info.result, c->arena, &result, why);
    if (err)
        return err;
    printf(
        "%.*s version %lld: %lld records of %lld passages, %lld rejected, %lld calls, %.1f s%s\n",
        STR_FMT(json_get_str(result, "dataset", STR(""))),
        (long long)json_get_int(result, "number", 0),
        (long long)json_get_int(result, "n_records", 0),
        (long long)json_get_int(result, "n_passages", 0),
        (long long)json_get_int(result, "n_rejected", 0),
        (long long)json_get_int(result, "n_calls", 0), (double)(time_mono_ns() - start) / 1e9,
        json_get_str(result, "stopped", STR("")).len ? "; stopped at the budget" : "");
    return ERR_OK;
}

static const struct verb {
    const char *name;
    int n; /* arguments behind it */
    enum err (*run)(struct synth_command *c, struct why *why);
} verbs[] = {{"methods", 0, do_methods}, {"estimate", 1, do_estimate}, {"run", 1, do_run}};

static const struct verb *verb_of(int argc, char **argv)
{
    for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 == verbs[i].n)
            return &verbs[i];
    return NULL;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct synth_command c = {.center = &center, .argv = argv + 2, .json = opts->json};
    const struct verb *verb = verb_of(argc, argv);
    if (!verb || command_rest(argc, argv, 1, 2, &why))
        return command_usage(&command_synth);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("synth", err, &why);
    c.arena = arena_new(ROOM);
    if (c.arena) {
        buf_init(&c.buf, c.arena);
        json_out_init(&c.out, &c.buf);
        err = verb->run(&c, &why);
    } else {
        err = err_set(&why, ERR_NO_MEMORY, "could not begin");
    }
    arena_free(c.arena);
    center_close(&center);
    return err ? command_fail("synth", err, &why) : 0;
}

const struct command command_synth = {
    .name = "synth",
    .usage = "methods\n"
             "estimate SPEC.json\n"
             "run SPEC.json",
    .summary = "Make questions, dialogues, errors ... from passages, by rules or a model",
    .run = run,
};
