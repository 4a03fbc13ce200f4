/* yicheng synth: records made from passages, directly on a data directory. */
#include <stdio.h>

#include "core/file.h"
#include "core/time.h"
#include "main/verb.h"

#define SPEC_MOST ((size_t)64 << 10)

static enum err do_methods(struct command_work *c, struct why *why)
{
    const struct json *list;
    synth_methods_json(&c->out);
    if (c->json)
        return command_print(c, why);
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

static enum err do_estimate(struct command_work *c, struct why *why)
{
    struct str spec;
    enum err err = file_read(c->argv[0], SPEC_MOST, c->arena, &spec, why);
    if (!err)
        err =
            synth_estimate_json(c->center->synth, &c->center->system, spec, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_run(struct command_work *c, struct why *why)
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
        err = command_follow(c->center, id, c->arena, &info, why);
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

static const struct command_verb verbs[] = {
    {"methods", 0, do_methods}, {"estimate", 1, do_estimate}, {"run", 1, do_run}};

static int run(const struct center_opts *opts, int argc, char **argv)
{
    return command_verbs(&command_synth, verbs, sizeof verbs / sizeof verbs[0], NULL, opts, argc,
                         argv);
}

const struct command command_synth = {
    .name = "synth",
    .usage = "methods\n"
             "estimate SPEC.json\n"
             "run SPEC.json",
    .summary = "Make questions, dialogues, errors ... from passages, by rules or a model",
    .run = run,
};
