/* yicheng annotate: annotation projects directly on a data directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "main/verb.h"

#define ROOM      ((size_t)1 << 30)
#define FILE_MOST ((size_t)2 << 20)

struct annotate_command {
    struct center *center;
    struct arena *arena;
    struct buf buf;
    struct json_out out;
    struct annotate_ask ask;
    char **argv; /* what follows the verb */
    const char *title, *labels, *config, *guidelines, *overlap, *review, *dataset, *images, *limit,
        *licence;
    bool work, reviewer, xml;
};

static enum err print_json(struct annotate_command *c, struct why *why)
{
    enum err err = buf_err(&c->buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&c->buf)));
    return err;
}

static void begin_again(struct annotate_command *c)
{
    buf_init(&c->buf, c->arena);
    json_out_init(&c->out, &c->buf);
}

/* Runs the job of the last answer here; when a server has taken it already, waits for it. Prints
 * what came of it. */
static enum err finish_job(struct annotate_command *c, struct why *why)
{
    const struct json *answer;
    struct job_info info;
    enum err err = json_parse(buf_str(&c->buf), c->arena, &answer, why);
    char *id = err ? NULL : str_z(c->arena, json_get_str(answer, "job", STR("")));
    if (err || !id)
        return err ? err : err_set(why, ERR_NO_MEMORY, "could not begin");
    err = command_follow(c->center, id, c->arena, &info, why);
    if (err)
        return err;
    printf("%.*s\n", STR_FMT(info.result));
    return ERR_OK;
}

/* ---- the body of a request, from options ---- */

static enum err number_of(const char *name, const char *text, struct json_out *out, struct why *why)
{
    int64_t n;
    if (!text)
        return ERR_OK;
    if (!str_to_i64(str_c(text), &n))
        return err_set(why, ERR_INVALID, "--%s is a number", name);
    json_kv_int(out, name, n);
    return ERR_OK;
}

/* A member that is a file's text; of JSON the value. */
static enum err file_member(struct annotate_command *c, const char *name, const char *path,
                            bool json, struct json_out *out, struct why *why)
{
    struct str text;
    const struct json *value;
    if (!path)
        return ERR_OK;
    enum err err = file_read(path, FILE_MOST, c->arena, &text, why);
    if (!err && json)
        err = json_parse(text, c->arena, &value, why);
    if (err)
        return err;
    json_key(out, name);
    if (json)
        json_put_value(out, value);
    else
        json_put_str(out, text);
    return ERR_OK;
}

static enum err body_of(struct annotate_command *c, const char *config, const char *dataset,
                        const char *path, const struct json **body, struct why *why)
{
    struct buf buf;
    struct json_out out;
    char *real = path ? realpath(path, NULL) : NULL;
    if (path && !real)
        return err_errno(why, "could not find \"%s\"", path);
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "dataset", dataset);
    json_kv_c(&out, "title", c->title ? c->title : dataset);
    if (real)
        json_kv_c(&out, "path", real);
    free(real);
    if (c->images)
        json_kv_c(&out, "images", c->images);
    if (c->licence) {
        json_key(&out, "collection");
        json_begin_object(&out);
        json_kv_c(&out, "licence", c->licence);
        json_end_object(&out);
    }
    enum err err = number_of("overlap", c->overlap, &out, why);
    if (!err)
        err = number_of("review", c->review, &out, why);
    if (!err)
        err = number_of("limit", c->limit, &out, why);
    if (!err)
        err = file_member(c, "labels", c->labels, true, &out, why);
    if (!err)
        err = file_member(c, config, c->config, false, &out, why);
    if (!err)
        err = file_member(c, "guidelines", c->guidelines, false, &out, why);
    json_end_object(&out);
    if (!err)
        err = buf_err(&buf, why);
    return err ? err : json_parse(buf_str(&buf), c->arena, body, why);
}

/* ---- verbs ---- */

static enum err do_list(struct annotate_command *c, struct why *why)
{
    const struct json *doc;
    enum err err = annotate_list(c->center->annotate, &c->ask, STR(""), 200, why);
    if (err || c->center->opts->json)
        return err ? err : print_json(c, why);
    err = json_parse(buf_str(&c->buf), c->arena, &doc, why);
    const struct json *items = err ? NULL : json_get(doc, "items");
    for (size_t i = 0; i < json_len(items); i++) {
        const struct json *p = json_at(items, i);
        printf("%.*s  %-9.*s %8lld items %8lld final %6lld review %6lld disputed  %.*s\n",
               STR_FMT(json_get_str(p, "id", STR(""))), STR_FMT(json_get_str(p, "state", STR(""))),
               (long long)json_get_int(p, "n_items", 0), (long long)json_get_int(p, "n_final", 0),
               (long long)json_get_int(p, "n_review", 0),
               (long long)json_get_int(p, "n_disputed", 0),
               STR_FMT(json_get_str(p, "title", STR(""))));
    }
    return err;
}

static enum err do_create(struct annotate_command *c, struct why *why)
{
    const struct json *body;
    enum err err = body_of(c, "studio_config", c->argv[0], NULL, &body, why);
    if (!err && !c->labels && !c->config)
        err =
            err_set(why, ERR_INVALID, "give --labels FILE (JSON) or --config FILE (Label Studio)");
    if (!err)
        err = annotate_create(c->center->annotate, &c->ask, body, why);
    return err ? err : finish_job(c, why);
}

static enum err do_show(struct annotate_command *c, struct why *why)
{
    enum err err = annotate_show(c->center->annotate, &c->ask, str_c(c->argv[0]), why);
    return err ? err : print_json(c, why);
}

static enum err do_member(struct annotate_command *c, struct why *why)
{
    const struct json *body = NULL;
    struct str text = str_printf(c->arena, "{\"work\":%s,\"review\":%s}",
                                 c->work ? "true" : "false", c->reviewer ? "true" : "false");
    enum err err = json_parse(text, c->arena, &body, why);
    if (!err)
        err = annotate_member(c->center->annotate, &c->ask, str_c(c->argv[0]), str_c(c->argv[1]),
                              body, why);
    return err ? err : print_json(c, why);
}

/* "0.743", or "-" for what is not defined; as a share in percent. */
static const char *figure(struct annotate_command *c, const struct json *value, const char *name,
                          double times, const char *unit)
{
    const struct json *number = json_get(value, name);
    if (json_kind(number) == JSON_KIND_NULL)
        return "-";
    char *text = str_z(c->arena, str_printf(c->arena, times == 1 ? "%.3f%s" : "%.1f%s",
                                            times * json_f64(number, 0), unit));
    return text ? text : "";
}

static enum err do_stats(struct annotate_command *c, struct why *why)
{
    const struct json *doc;
    enum err err = annotate_statistics(c->center->annotate, &c->ask, str_c(c->argv[0]), why);
    if (err || c->center->opts->json)
        return err ? err : print_json(c, why);
    err = json_parse(buf_str(&c->buf), c->arena, &doc, why);
    const struct json *agreement = err ? NULL : json_get(doc, "agreement"),
                      *fields = json_get(agreement, "fields"), *people = json_get(doc, "people");
    printf("agreement over %lld items\n", (long long)json_get_int(agreement, "n_units", 0));
    for (size_t i = 0; i < json_len(fields); i++) {
        const struct json *f = json_at(fields, i);
        printf("  %-24.*s alpha %-8s exact %s\n", STR_FMT(json_get_str(f, "field", STR(""))),
               figure(c, f, "alpha", 1, ""), figure(c, f, "exact", 100, " %"));
    }
    for (size_t i = 0; i < json_len(people); i++) {
        const struct json *p = json_at(people, i);
        printf("  %-24.*s %7lld done  an hour %-8s as final %-8s gold %s\n",
               STR_FMT(json_get_str(p, "name", STR(""))),
               (long long)json_get_int(p, "n_submitted", 0), figure(c, p, "per_hour", 1, ""),
               figure(c, p, "accuracy", 100, " %"), figure(c, p, "gold", 100, " %"));
    }
    return err;
}

static enum err do_import(struct annotate_command *c, struct why *why)
{
    const struct json *body;
    if (!c->dataset)
        return err_set(why, ERR_INVALID, "--dataset names the data set that is made");
    enum err err = body_of(c, "config", c->dataset, c->argv[0], &body, why);
    if (!err)
        err = annotate_import(c->center->annotate, &c->ask, body, why);
    return err ? err : finish_job(c, why);
}

static enum err do_export(struct annotate_command *c, struct why *why)
{
    return annotate_export(c->center->annotate, &c->ask, str_c(c->argv[0]), c->xml, STDOUT_FILENO,
                           why);
}

static enum err do_result(struct annotate_command *c, struct why *why)
{
    const struct json *body;
    if (!c->dataset)
        return err_set(why, ERR_INVALID, "--dataset names the data set that is made");
    enum err err = body_of(c, "config", c->dataset, NULL, &body, why);
    if (!err)
        err = annotate_result(c->center->annotate, &c->ask, str_c(c->argv[0]), body, why);
    return err ? err : finish_job(c, why);
}

static const struct verb {
    const char *name;
    int n; /* arguments behind it */
    enum err (*run)(struct annotate_command *c, struct why *why);
} verbs[] = {
    {"list", 0, do_list},     {"create", 1, do_create}, {"show", 1, do_show},
    {"member", 2, do_member}, {"stats", 1, do_stats},   {"import", 1, do_import},
    {"export", 1, do_export}, {"result", 1, do_result},
};

static const struct verb *verb_of(int argc, char **argv)
{
    for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 == verbs[i].n)
            return &verbs[i];
    return NULL;
}

static void take_options(struct annotate_command *c, int *argc, char **argv)
{
    c->title = command_option(argc, argv, "--title");
    c->labels = command_option(argc, argv, "--labels");
    c->config = command_option(argc, argv, "--config");
    c->guidelines = command_option(argc, argv, "--guidelines");
    c->overlap = command_option(argc, argv, "--overlap");
    c->review = command_option(argc, argv, "--review-percent");
    c->dataset = command_option(argc, argv, "--dataset");
    c->images = command_option(argc, argv, "--images");
    c->limit = command_option(argc, argv, "--limit");
    c->licence = command_option(argc, argv, "--licence");
    c->work = command_flag(argc, argv, "--work");
    c->reviewer = command_flag(argc, argv, "--review");
    c->xml = command_flag(argc, argv, "--xml");
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct annotate_command c = {.center = &center};
    take_options(&c, &argc, argv);
    const struct verb *verb = verb_of(argc, argv);
    if (!verb || command_rest(argc, argv, 1, 1 << 20, &why))
        return command_usage(&command_annotate);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("annotate", err, &why);
    c.arena = arena_new(ROOM);
    c.argv = argv + 2;
    if (c.arena) {
        begin_again(&c);
        c.ask = (struct annotate_ask){
            .who = &center.system, .arena = c.arena, .out = &c.out, .if_match = -1};
        err = verb->run(&c, &why);
    } else {
        err = err_set(&why, ERR_NO_MEMORY, "could not begin");
    }
    arena_free(c.arena);
    center_close(&center);
    return err ? command_fail("annotate", err, &why) : 0;
}

const struct command command_annotate = {
    .name = "annotate",
    .usage = "list\n"
             "create DATASET --labels JSON | --config XML [--title T] [--guidelines FILE] "
             "[--overlap N] [--review-percent N] [--limit N]\n"
             "show PROJECT\n"
             "member PROJECT USER [--work] [--review]\n"
             "stats PROJECT\n"
             "import FILE --dataset NAME [--title T] [--config XML] [--images FOLDER] "
             "[--overlap N] [--licence L]\n"
             "export PROJECT [--xml]\n"
             "result PROJECT --dataset NAME [--title T]",
    .summary = "Annotation projects: make, import and export (Label Studio), agreement, results",
    .run = run,
};
