/* yicheng data: data sets, operators and pipelines directly on a data directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "main/verb.h"

#define SPEC_MOST ((size_t)1 << 20)

struct data_options {
    const char *title, *kind, *licence, *authority, *owner, *sample, *find, *field, *from, *number,
        *reason, *map, *way, *id;
    bool append, dry, markdown;
};

static void print_steps(const struct json *result)
{
    const struct json *steps = json_get(result, "steps");
    for (size_t i = 0; i < json_len(steps); i++) {
        const struct json *s = json_at(steps, i);
        printf("  %-24.*s %10lld in %10lld out %10lld changed %8lld made %8lld dropped %6lld "
               "failed\n",
               STR_FMT(json_get_str(s, "op", STR(""))), (long long)json_get_int(s, "in", 0),
               (long long)json_get_int(s, "out", 0), (long long)json_get_int(s, "changed", 0),
               (long long)json_get_int(s, "made", 0), (long long)json_get_int(s, "dropped", 0),
               (long long)json_get_int(s, "failed", 0));
    }
    const struct json *failures = json_get(result, "failures");
    for (size_t i = 0; i < json_len(failures); i++)
        (void)fprintf(stderr, "  %.*s: %.*s\n",
                      STR_FMT(json_get_str(json_at(failures, i), "path", STR("?"))),
                      STR_FMT(json_get_str(json_at(failures, i), "why", STR(""))));
}

static enum err finish_job(struct command_work *c, const char *id, int64_t start, struct why *why)
{
    struct job_info info;
    const struct json *result = NULL;
    enum err err = command_follow(c->center, id, c->arena, &info, why);
    if (!err)
        err = json_parse(info.result, c->arena, &result, why);
    if (err)
        return err;
    double seconds = (double)(time_mono_ns() - start) / 1e9;
    if (c->center->opts->json) {
        printf("{\"job\":\"%s\",\"seconds\":%.3f,\"result\":%.*s}\n", id, seconds,
               STR_FMT(info.result));
        return ERR_OK;
    }
    printf("%.*s version %lld: %lld records, %lld bytes, %.1f s\n",
           STR_FMT(json_get_str(result, "dataset", STR(""))),
           (long long)json_get_int(result, "number", 0),
           (long long)json_get_int(result, "n_records", 0),
           (long long)json_get_int(result, "n_bytes", 0), seconds);
    int64_t bad = json_get_int(result, "n_quarantined", 0);
    if (bad)
        printf("  %lld records were quarantined\n", (long long)bad);
    print_steps(result);
    return ERR_OK;
}

static enum err do_import(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    char id[UUID_TEXT], real[4096];
    int64_t start = time_mono_ns();
    json_begin_object(&c->out);
    json_kv_c(&c->out, "dataset", c->argv[0]);
    if (o->title)
        json_kv_c(&c->out, "title", o->title);
    if (o->kind)
        json_kv_c(&c->out, "kind", o->kind);
    if (o->map) {
        json_key(&c->out, "map");
        json_put_raw(&c->out, str_c(o->map));
    }
    json_kv_bool(&c->out, "append", o->append);
    json_key(&c->out, "paths");
    json_begin_array(&c->out);
    for (int i = 1; i < c->argc; i++) {
        if (!realpath(c->argv[i], real))
            return err_errno(why, "could not find \"%s\"", c->argv[i]);
        json_put_c(&c->out, real);
    }
    json_end_array(&c->out);
    json_key(&c->out, "collection");
    json_begin_object(&c->out);
    json_kv_c(&c->out, "licence", o->licence ? o->licence : "");
    json_kv_c(&c->out, "authority", o->authority ? o->authority : "");
    json_kv_c(&c->out, "owner", o->owner ? o->owner : "");
    json_end_object(&c->out);
    json_end_object(&c->out);
    enum err err = buf_err(&c->buf, why);
    if (!err)
        err = data_import(c->center->data, &c->center->system, buf_str(&c->buf), id, why);
    return err ? err : finish_job(c, id, start, why);
}

static enum err do_run(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    char id[UUID_TEXT];
    struct str spec;
    int64_t start = time_mono_ns(), n = 200;
    enum err err = file_read(c->argv[0], SPEC_MOST, c->arena, &spec, why);
    if (!err && o->dry) {
        if (o->sample && !str_to_i64(str_c(o->sample), &n))
            return err_set(why, ERR_INVALID, "--sample is a number of records");
        err = data_dry_run_json(c->center->data, &c->center->system, spec, (size_t)(n > 0 ? n : 0),
                                c->arena, &c->out, why);
        return err ? err : command_print(c, why);
    }
    if (!err)
        err = data_run(c->center->data, &c->center->system, spec, id, why);
    return err ? err : finish_job(c, id, start, why);
}

/* ---- looking ---- */

static void print_sets(const struct json *items)
{
    for (size_t i = 0; i < json_len(items); i++) {
        const struct json *s = json_at(items, i);
        printf("%-24.*s %-15.*s version %-4lld %10lld records %14lld bytes  %.*s\n",
               STR_FMT(json_get_str(s, "name", STR(""))), STR_FMT(json_get_str(s, "kind", STR(""))),
               (long long)json_get_int(s, "latest", 0), (long long)json_get_int(s, "n_records", 0),
               (long long)json_get_int(s, "n_bytes", 0),
               STR_FMT(json_get_str(s, "title", STR(""))));
    }
}

/* All of them for people, a page for programs. */
static enum err do_list(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    struct data_sets_ask ask = {.find = str_c(o->find), .after = str_c(o->from), .limit = 1000};
    enum err err = ERR_OK;
    do {
        const struct json *doc = NULL;
        command_begin(c);
        err = data_sets_json(c->center->data, &c->center->system, &ask, c->arena, &c->out, why);
        if (err || c->json)
            return err ? err : command_print(c, why);
        err = json_parse(buf_str(&c->buf), c->arena, &doc, why);
        print_sets(json_get(doc, "items"));
        ask.after = json_get_str(doc, "next", STR(""));
    } while (!err && ask.after.len);
    return err;
}

static enum err number_of(const char *text, int64_t *out, struct why *why)
{
    *out = 0;
    if (text && (!str_to_i64(str_c(text), out) || *out < 0))
        return err_set(why, ERR_INVALID, "\"%s\" is no number of a version", text);
    return ERR_OK;
}

static enum err do_show(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    int64_t number;
    struct data *data = c->center->data;
    struct str name = str_c(c->argv[0]);
    enum err err = number_of(o->number, &number, why);
    if (!err && o->id)
        err = data_record_json(data, &c->center->system, name, number, str_c(o->id), c->arena,
                               &c->out, why);
    else if (!err && o->number)
        err = data_version_json(data, &c->center->system, name, number, c->arena, &c->out, why);
    else if (!err)
        err = data_set_json(data, &c->center->system, name, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_sample(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    struct data_look look = {.spread = !o->find && !o->from, .find = str_c(o->find ? o->find : "")};
    int64_t n = 10;
    enum err err = number_of(o->number, &look.version, why);
    if (!err && ((o->sample && !str_to_i64(str_c(o->sample), &n)) ||
                 (o->from && !str_to_i64(str_c(o->from), &look.from)) || n < 1))
        err = err_set(why, ERR_INVALID, "--sample and --from are numbers of records");
    look.n = (size_t)n;
    if (!err)
        err = data_records_json(c->center->data, &c->center->system, str_c(c->argv[0]), &look,
                                c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_diff(struct command_work *c, struct why *why)
{
    int64_t a, b;
    enum err err = number_of(c->argv[1], &a, why);
    if (!err)
        err = number_of(c->argv[2], &b, why);
    if (!err)
        err = data_diff_json(c->center->data, &c->center->system, str_c(c->argv[0]), a, b, c->arena,
                             &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_clusters(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    int64_t number;
    enum err err = number_of(o->number, &number, why);
    const struct data_clusters_ask ask = {.field = str_c(o->field ? o->field : "duplicates"),
                                          .limit = 20};
    if (!err)
        err = data_clusters_json(c->center->data, &c->center->system, str_c(c->argv[0]), number,
                                 &ask, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_export(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    int64_t number;
    enum err err = number_of(o->number, &number, why);
    return err ? err
               : data_export(c->center->data, &c->center->system, str_c(c->argv[0]), number,
                             STDOUT_FILENO, why);
}

/* ---- lineage ---- */

static enum err do_lineage(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    enum data_way way = DATA_BOTH_WAYS;
    if (o->way && !strcmp(o->way, "backwards"))
        way = DATA_BACKWARDS;
    else if (o->way && !strcmp(o->way, "forwards"))
        way = DATA_FORWARDS;
    else if (o->way && strcmp(o->way, "both") != 0)
        return err_set(why, ERR_INVALID, "--way is backwards, forwards or both");
    enum err err = data_lineage_json(c->center->data, &c->center->system, str_c(c->argv[0]),
                                     str_c(c->argv[1]), way, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_sources(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    enum err err =
        data_sources_json(c->center->data, &c->center->system, str_c(o->find ? o->find : ""),
                          str_c(o->from ? o->from : ""), 1000, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_withdraw(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    enum err err = data_withdraw(c->center->data, &c->center->system, str_c(c->argv[0]),
                                 str_c(o->reason ? o->reason : ""), o->dry, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_ops(struct command_work *c, struct why *why)
{
    const struct data_options *o = c->own;
    enum err err = ERR_OK;
    if (o->markdown)
        err = data_ops_reference(&c->buf, why);
    else
        data_ops_json(&c->out);
    return err ? err : command_print(c, why);
}

static const struct command_verb verbs[] = {
    {"import", 2, do_import, COMMAND_ANY_NUMBER},
    {"list", 0, do_list, 0},
    {"show", 1, do_show, 0},
    {"run", 1, do_run, 0},
    {"diff", 3, do_diff, 0},
    {"clusters", 1, do_clusters, 0},
    {"sample", 1, do_sample, 0},
    {"export", 1, do_export, 0},
    {"lineage", 2, do_lineage, 0},
    {"sources", 0, do_sources, 0},
    {"withdraw", 1, do_withdraw, 0},
    {"ops", 0, do_ops, 0},
};

static void take_options(struct data_options *o, int *argc, char **argv)
{
    const struct {
        const char *name, **to;
    } options[] = {{"--title", &o->title},
                   {"--kind", &o->kind},
                   {"--map", &o->map},
                   {"--licence", &o->licence},
                   {"--authority", &o->authority},
                   {"--owner", &o->owner},
                   {"--sample", &o->sample},
                   {"--find", &o->find},
                   {"--field", &o->field},
                   {"--from", &o->from},
                   {"--number", &o->number},
                   {"--record", &o->id},
                   {"--reason", &o->reason},
                   {"--way", &o->way}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        *options[i].to = command_option(argc, argv, options[i].name);
    o->append = command_flag(argc, argv, "--append");
    o->dry = command_flag(argc, argv, "--dry-run");
    o->markdown = command_flag(argc, argv, "--markdown");
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct data_options own = {0};
    take_options(&own, &argc, argv);
    return command_verbs(&command_data, verbs, sizeof verbs / sizeof verbs[0], &own, opts, argc,
                         argv);
}

const struct command command_data = {
    .name = "data",
    .usage = "import NAME PATH... [--title T] [--kind KIND] [--map JSON] [--append] [--licence L] "
             "[--authority A] [--owner O]\n"
             "list [--find TEXT] [--from ID]\n"
             "show NAME [--number N] [--record ID]\n"
             "run SPEC [--dry-run [--sample N]]\n"
             "sample NAME [--number N] [--sample N] [--from N] [--find TEXT]\n"
             "export NAME [--number N]\n"
             "diff NAME A B\n"
             "clusters NAME [--number N] [--field MEMBER]\n"
             "lineage KIND ID [--way backwards|forwards|both]\n"
             "sources [--find TEXT] [--from ID]\n"
             "withdraw SOURCE --reason TEXT [--dry-run]\n"
             "ops [--markdown]",
    .summary = "Data sets: import files, run pipelines, look, follow and withdraw sources",
    .run = run,
};
