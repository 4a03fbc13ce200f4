/* yicheng annotate: annotation projects directly on a data directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "main/verb.h"

#define FILE_MOST ((size_t)2 << 20)

struct annotate_options {
    struct annotate_ask ask; /* see asking() */
    const char *title, *labels, *config, *guidelines, *overlap, *review, *dataset, *images, *limit,
        *licence;
    bool work, reviewer, xml;
};

/* As the centre itself, with the answer into c->out. */
static struct annotate_ask *asking(struct command_work *c)
{
    struct annotate_options *o = c->own;
    o->ask = (struct annotate_ask){
        .who = &c->center->system, .arena = c->arena, .out = &c->out, .if_match = -1};
    return &o->ask;
}

/* Runs the job of the last answer here; when a server has taken it already, waits for it. Prints
 * what came of it. */
static enum err finish_job(struct command_work *c, struct why *why)
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
static enum err file_member(struct command_work *c, const char *name, const char *path, bool json,
                            struct json_out *out, struct why *why)
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

static enum err body_of(struct command_work *c, const char *config, const char *dataset,
                        const char *path, const struct json **body, struct why *why)
{
    const struct annotate_options *o = c->own;
    struct buf buf;
    struct json_out out;
    char *real = path ? realpath(path, NULL) : NULL;
    if (path && !real)
        return err_errno(why, "could not find \"%s\"", path);
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "dataset", dataset);
    json_kv_c(&out, "title", o->title ? o->title : dataset);
    if (real)
        json_kv_c(&out, "path", real);
    free(real);
    if (o->images)
        json_kv_c(&out, "images", o->images);
    if (o->licence) {
        json_key(&out, "collection");
        json_begin_object(&out);
        json_kv_c(&out, "licence", o->licence);
        json_end_object(&out);
    }
    enum err err = number_of("overlap", o->overlap, &out, why);
    if (!err)
        err = number_of("review", o->review, &out, why);
    if (!err)
        err = number_of("limit", o->limit, &out, why);
    if (!err)
        err = file_member(c, "labels", o->labels, true, &out, why);
    if (!err)
        err = file_member(c, config, o->config, false, &out, why);
    if (!err)
        err = file_member(c, "guidelines", o->guidelines, false, &out, why);
    json_end_object(&out);
    if (!err)
        err = buf_err(&buf, why);
    return err ? err : json_parse(buf_str(&buf), c->arena, body, why);
}

/* ---- verbs ---- */

static enum err do_list(struct command_work *c, struct why *why)
{
    const struct json *doc;
    enum err err = annotate_list(c->center->annotate, asking(c), STR(""), 200, why);
    if (err || c->center->opts->json)
        return err ? err : command_print(c, why);
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

static enum err do_create(struct command_work *c, struct why *why)
{
    const struct annotate_options *o = c->own;
    const struct json *body;
    enum err err = body_of(c, "studio_config", c->argv[0], NULL, &body, why);
    if (!err && !o->labels && !o->config)
        err =
            err_set(why, ERR_INVALID, "give --labels FILE (JSON) or --config FILE (Label Studio)");
    if (!err)
        err = annotate_create(c->center->annotate, asking(c), body, why);
    return err ? err : finish_job(c, why);
}

static enum err do_show(struct command_work *c, struct why *why)
{
    enum err err = annotate_show(c->center->annotate, asking(c), str_c(c->argv[0]), why);
    return err ? err : command_print(c, why);
}

static enum err do_member(struct command_work *c, struct why *why)
{
    const struct annotate_options *o = c->own;
    const struct json *body = NULL;
    struct str text = str_printf(c->arena, "{\"work\":%s,\"review\":%s}",
                                 o->work ? "true" : "false", o->reviewer ? "true" : "false");
    enum err err = json_parse(text, c->arena, &body, why);
    if (!err)
        err = annotate_member(c->center->annotate, asking(c), str_c(c->argv[0]), str_c(c->argv[1]),
                              body, why);
    return err ? err : command_print(c, why);
}

/* "0.743", or "-" for what is not defined; as a share in percent. */
static const char *figure(struct command_work *c, const struct json *value, const char *name,
                          double times, const char *unit)
{
    const struct json *number = json_get(value, name);
    if (json_kind(number) == JSON_KIND_NULL)
        return "-";
    char *text = str_z(c->arena, str_printf(c->arena, times == 1 ? "%.3f%s" : "%.1f%s",
                                            times * json_f64(number, 0), unit));
    return text ? text : "";
}

static enum err do_stats(struct command_work *c, struct why *why)
{
    const struct json *doc;
    enum err err = annotate_statistics(c->center->annotate, asking(c), str_c(c->argv[0]), why);
    if (err || c->center->opts->json)
        return err ? err : command_print(c, why);
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

static enum err do_import(struct command_work *c, struct why *why)
{
    const struct annotate_options *o = c->own;
    const struct json *body;
    if (!o->dataset)
        return err_set(why, ERR_INVALID, "--dataset names the data set that is made");
    enum err err = body_of(c, "config", o->dataset, c->argv[0], &body, why);
    if (!err)
        err = annotate_import(c->center->annotate, asking(c), body, why);
    return err ? err : finish_job(c, why);
}

static enum err do_export(struct command_work *c, struct why *why)
{
    const struct annotate_options *o = c->own;
    return annotate_export(c->center->annotate, asking(c), str_c(c->argv[0]), o->xml, STDOUT_FILENO,
                           why);
}

static enum err do_result(struct command_work *c, struct why *why)
{
    const struct annotate_options *o = c->own;
    const struct json *body;
    if (!o->dataset)
        return err_set(why, ERR_INVALID, "--dataset names the data set that is made");
    enum err err = body_of(c, "config", o->dataset, NULL, &body, why);
    if (!err)
        err = annotate_result(c->center->annotate, asking(c), str_c(c->argv[0]), body, why);
    return err ? err : finish_job(c, why);
}

static const struct command_verb verbs[] = {
    {"list", 0, do_list, 0},     {"create", 1, do_create, 0}, {"show", 1, do_show, 0},
    {"member", 2, do_member, 0}, {"stats", 1, do_stats, 0},   {"import", 1, do_import, 0},
    {"export", 1, do_export, 0}, {"result", 1, do_result, 0},
};

static void take_options(struct annotate_options *o, int *argc, char **argv)
{
    const struct {
        const char *name, **to;
    } options[] = {{"--title", &o->title},     {"--labels", &o->labels},
                   {"--config", &o->config},   {"--guidelines", &o->guidelines},
                   {"--overlap", &o->overlap}, {"--review-percent", &o->review},
                   {"--dataset", &o->dataset}, {"--images", &o->images},
                   {"--limit", &o->limit},     {"--licence", &o->licence}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        *options[i].to = command_option(argc, argv, options[i].name);
    o->work = command_flag(argc, argv, "--work");
    o->reviewer = command_flag(argc, argv, "--review");
    o->xml = command_flag(argc, argv, "--xml");
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct annotate_options own = {.title = NULL};
    take_options(&own, &argc, argv);
    return command_verbs(&command_annotate, verbs, sizeof verbs / sizeof verbs[0], &own, opts, argc,
                         argv);
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
