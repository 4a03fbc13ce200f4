/* yicheng acquire: collectors directly on a data directory. */
#include <stdio.h>

#include "core/file.h"
#include "main/verb.h"

#define SPEC_MOST ((size_t)1 << 20)

static enum err read_spec(struct command_work *c, const struct json **out, struct why *why)
{
    struct str text;
    enum err err = file_read(c->argv[0], SPEC_MOST, c->arena, &text, why);
    return err ? err : json_parse(text, c->arena, out, why);
}

static enum err do_kinds(struct command_work *c, struct why *why)
{
    acquire_kinds_json(&c->out);
    return command_print(c, why);
}

static enum err do_list(struct command_work *c, struct why *why)
{
    const struct json *list;
    enum err err =
        acquire_list_json(c->center->acquire, &c->center->system, c->arena, &c->out, why);
    if (err || c->json)
        return err ? err : command_print(c, why);
    err = json_parse(buf_str(&c->buf), c->arena, &list, why);
    const struct json *items = json_get(list, "items");
    for (size_t i = 0; !err && i < json_len(items); i++) {
        const struct json *item = json_at(items, i), *last = json_get(item, "last");
        printf("%-24.*s %-12.*s -> %-20.*s %-14.*s %.*s\n",
               STR_FMT(json_get_str(item, "name", STR(""))),
               STR_FMT(json_get_str(item, "kind", STR(""))),
               STR_FMT(json_get_str(item, "dataset", STR(""))),
               STR_FMT(json_get_str(item, "schedule", STR(""))),
               STR_FMT(json_get_str(last, "state", STR("never run"))));
    }
    return err;
}

static enum err do_show(struct command_work *c, struct why *why)
{
    enum err err = acquire_show_json(c->center->acquire, &c->center->system, str_c(c->argv[0]),
                                     NULL, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_create(struct command_work *c, struct why *why)
{
    const struct json *spec;
    enum err err = read_spec(c, &spec, why);
    if (!err)
        err = acquire_create(c->center->acquire, &c->center->system, spec, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_change(struct command_work *c, struct why *why)
{
    const struct json *spec;
    const char *name = *c->argv++;
    enum err err = read_spec(c, &spec, why);
    if (!err)
        err = acquire_change(c->center->acquire, &c->center->system, str_c(name), spec, -1,
                             c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_remove(struct command_work *c, struct why *why)
{
    return acquire_remove(c->center->acquire, &c->center->system, str_c(c->argv[0]), why);
}

static enum err do_reset(struct command_work *c, struct why *why)
{
    enum err err = acquire_reset(c->center->acquire, &c->center->system, str_c(c->argv[0]),
                                 c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_runs(struct command_work *c, struct why *why)
{
    enum err err = acquire_runs_json(c->center->acquire, &c->center->system, str_c(c->argv[0]), 100,
                                     c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_try(struct command_work *c, struct why *why)
{
    const struct json *spec;
    char id[UUID_TEXT];
    struct job_info info;
    enum err err = read_spec(c, &spec, why);
    if (!err)
        err = acquire_try(c->center->acquire, &c->center->system, spec, id, why);
    if (!err)
        err = command_follow(c->center, id, c->arena, &info, why);
    if (!err)
        printf("%.*s\n", STR_FMT(info.result));
    return err;
}

static enum err do_run(struct command_work *c, struct why *why)
{
    char id[UUID_TEXT];
    struct job_info info;
    const struct json *result = NULL;
    enum err err = acquire_run(c->center->acquire, &c->center->system, str_c(c->argv[0]), id, why);
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
    bool made = json_get_bool(result, "made", false);
    printf("%.*s: %lld new, %lld changed, %lld as before, %lld gone, %lld quarantined; %s %lld "
           "with %lld records\n",
           STR_FMT(json_get_str(result, "dataset", STR(""))),
           (long long)json_get_int(result, "n_new", 0),
           (long long)json_get_int(result, "n_changed", 0),
           (long long)json_get_int(result, "n_same", 0),
           (long long)json_get_int(result, "n_dropped", 0),
           (long long)json_get_int(result, "n_bad", json_get_int(result, "n_quarantined", 0)),
           made ? "version" : "nothing new, still version",
           (long long)json_get_int(result, "number", 0),
           (long long)json_get_int(result, "n_records", 0));
    return ERR_OK;
}

static const struct command_verb verbs[] = {
    {"kinds", 0, do_kinds},   {"list", 0, do_list},     {"show", 1, do_show},
    {"create", 1, do_create}, {"change", 2, do_change}, {"remove", 1, do_remove},
    {"reset", 1, do_reset},   {"runs", 1, do_runs},     {"try", 1, do_try},
    {"run", 1, do_run},
};

static int run(const struct center_opts *opts, int argc, char **argv)
{
    return command_verbs(&command_acquire, verbs, sizeof verbs / sizeof verbs[0], NULL, opts, argc,
                         argv);
}

const struct command command_acquire = {
    .name = "acquire",
    .usage = "kinds\n"
             "list\n"
             "show NAME\n"
             "create FILE.json\n"
             "change NAME FILE.json\n"
             "remove NAME\n"
             "try FILE.json\n"
             "run NAME\n"
             "runs NAME\n"
             "reset NAME",
    .summary = "Collectors: fetch data from databases, APIs and sites into data sets, again and "
               "again",
    .run = run,
};
