/* yicheng acquire: collectors directly on a data directory. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "main/command.h"

#define ROOM      ((size_t)256 << 20)
#define SPEC_MOST ((size_t)1 << 20)
#define WAIT_MS   200

struct acquire_command {
    struct center *center;
    struct arena *arena;
    struct buf buf;
    struct json_out out;
    char **argv; /* what follows the verb */
    bool json;
};

static enum err print_json(struct acquire_command *c, struct why *why)
{
    enum err err = buf_err(&c->buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&c->buf)));
    return err;
}

static enum err read_spec(struct acquire_command *c, const struct json **out, struct why *why)
{
    struct str text;
    enum err err = file_read(c->argv[0], SPEC_MOST, c->arena, &text, why);
    return err ? err : json_parse(text, c->arena, out, why);
}

/* Runs the job here; when a server has taken it already, waits for it. */
static enum err follow(struct acquire_command *c, const char *id, struct job_info *info,
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
            return err_set(why, ERR_INTERNAL, "the run %s: %.*s", job_state_name(info->state),
                           STR_FMT(info->why));
        time_sleep_ms(WAIT_MS);
    }
}

static enum err do_kinds(struct acquire_command *c, struct why *why)
{
    acquire_kinds_json(&c->out);
    return print_json(c, why);
}

static enum err do_list(struct acquire_command *c, struct why *why)
{
    const struct json *list;
    enum err err =
        acquire_list_json(c->center->acquire, &c->center->system, c->arena, &c->out, why);
    if (err || c->json)
        return err ? err : print_json(c, why);
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

static enum err do_show(struct acquire_command *c, struct why *why)
{
    enum err err = acquire_show_json(c->center->acquire, &c->center->system, str_c(c->argv[0]),
                                     NULL, c->arena, &c->out, why);
    return err ? err : print_json(c, why);
}

static enum err do_create(struct acquire_command *c, struct why *why)
{
    const struct json *spec;
    enum err err = read_spec(c, &spec, why);
    if (!err)
        err = acquire_create(c->center->acquire, &c->center->system, spec, c->arena, &c->out, why);
    return err ? err : print_json(c, why);
}

static enum err do_change(struct acquire_command *c, struct why *why)
{
    const struct json *spec;
    const char *name = *c->argv++;
    enum err err = read_spec(c, &spec, why);
    if (!err)
        err = acquire_change(c->center->acquire, &c->center->system, str_c(name), spec, -1,
                             c->arena, &c->out, why);
    return err ? err : print_json(c, why);
}

static enum err do_remove(struct acquire_command *c, struct why *why)
{
    return acquire_remove(c->center->acquire, &c->center->system, str_c(c->argv[0]), why);
}

static enum err do_reset(struct acquire_command *c, struct why *why)
{
    enum err err = acquire_reset(c->center->acquire, &c->center->system, str_c(c->argv[0]),
                                 c->arena, &c->out, why);
    return err ? err : print_json(c, why);
}

static enum err do_runs(struct acquire_command *c, struct why *why)
{
    enum err err = acquire_runs_json(c->center->acquire, &c->center->system, str_c(c->argv[0]), 100,
                                     c->arena, &c->out, why);
    return err ? err : print_json(c, why);
}

static enum err do_try(struct acquire_command *c, struct why *why)
{
    const struct json *spec;
    char id[UUID_TEXT];
    struct job_info info;
    enum err err = read_spec(c, &spec, why);
    if (!err)
        err = acquire_try(c->center->acquire, &c->center->system, spec, id, why);
    if (!err)
        err = follow(c, id, &info, why);
    if (!err)
        printf("%.*s\n", STR_FMT(info.result));
    return err;
}

static enum err do_run(struct acquire_command *c, struct why *why)
{
    char id[UUID_TEXT];
    struct job_info info;
    const struct json *result = NULL;
    enum err err = acquire_run(c->center->acquire, &c->center->system, str_c(c->argv[0]), id, why);
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

static const struct verb {
    const char *name;
    int n; /* arguments behind it */
    enum err (*run)(struct acquire_command *c, struct why *why);
} verbs[] = {
    {"kinds", 0, do_kinds},   {"list", 0, do_list},     {"show", 1, do_show},
    {"create", 1, do_create}, {"change", 2, do_change}, {"remove", 1, do_remove},
    {"reset", 1, do_reset},   {"runs", 1, do_runs},     {"try", 1, do_try},
    {"run", 1, do_run},
};

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
    struct acquire_command c = {.center = &center, .argv = argv + 2, .json = opts->json};
    const struct verb *verb = verb_of(argc, argv);
    if (!verb || command_rest(argc, argv, 1, 4, &why))
        return command_usage(&command_acquire);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("acquire", err, &why);
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
    return err ? command_fail("acquire", err, &why) : 0;
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
