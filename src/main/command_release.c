/* yicheng release: reports, gates, releases, capsules and their proof, on a data directory; the
 * proof of a folder (verify) needs no data directory. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "main/verb.h"

#define PROOF     ((size_t)1 << 30)
#define MOST_PEM  ((size_t)64 << 10)
#define MOST_KEYS 8
#define END       ((const char *)NULL) /* of what ask_of() takes */

struct release_options {
    const struct ops_identity *who;
    const char *number, *purpose, *name, *title, *to, *form, *uses, *ends, *suite, *file, *sample,
        *verdict, *comment;
};

/* A JSON object out of texts; what is NULL is left out. */
static enum err ask_of(struct command_work *c, const struct json **out, struct why *why, ...)
{
    struct buf buf;
    struct json_out json;
    va_list args;
    buf_init(&buf, c->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    va_start(args, why);
    for (const char *key; (key = va_arg(args, const char *));) {
        const char *value = va_arg(args, const char *);
        int64_t number;
        bool is_number = !strcmp(key, "version") || !strcmp(key, "uses") || !strcmp(key, "sample");
        if (!value)
            continue;
        if (is_number && str_to_i64(str_c(value), &number))
            json_kv_int(&json, key, number);
        else
            json_kv_c(&json, key, value);
    }
    va_end(args);
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err : json_parse(buf_str(&buf), c->arena, out, why);
}

/* Runs it here; when a server has taken it already, waits for it. Prints its result. */
static enum err finish_job(struct command_work *c, const char *id, struct why *why)
{
    struct job_info info;
    enum err err = command_follow(c->center, id, c->arena, &info, why);
    if (!err)
        printf("%.*s\n", STR_FMT(info.result));
    return err;
}

static enum err do_report(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    char id[UUID_TEXT], job[UUID_TEXT];
    const struct json *ask = NULL;
    enum err err =
        ask_of(c, &ask, why, "dataset", c->argv[0], "version", o->number, "sample", o->sample, END);
    if (!err)
        err = release_report_make(c->center->release, o->who, ask, id, job, why);
    if (!err)
        err = finish_job(c, job, why);
    if (!err)
        err = release_report_json(c->center->release, o->who, str_c(id), c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_gate(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    char id[UUID_TEXT], job[UUID_TEXT];
    const struct json *ask = NULL;
    enum err err = ask_of(c, &ask, why, "dataset", c->argv[0], "version", o->number, "purpose",
                          o->purpose ? o->purpose : "sharing", "sample", o->sample, END);
    if (!err)
        err = release_gate_make(c->center->release, o->who, ask, id, job, why);
    return err ? err : finish_job(c, job, why);
}

static enum err do_gates(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    enum err err = c->argc ? release_gate_json(c->center->release, o->who, str_c(c->argv[0]),
                                               c->arena, &c->out, why)
                           : release_gates_json(c->center->release, o->who, STR(""), STR(""),
                                                c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_judge(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    const struct json *ask = NULL;
    enum err err =
        ask_of(c, &ask, why, "verdict", o->verdict ? o->verdict : "", "comment", o->comment, END);
    return err ? err
               : release_sample_judge(c->center->release, o->who, str_c(c->argv[0]), ask, why);
}

static enum err do_decide(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    bool passed = false;
    enum err err = release_gate_decide(c->center->release, o->who, str_c(c->argv[0]), &passed, why);
    if (!err)
        err = release_gate_json(c->center->release, o->who, str_c(c->argv[0]), c->arena, &c->out,
                                why);
    if (!err)
        err = command_print(c, why);
    return err || passed ? err : err_set(why, ERR_CONFLICT, "the gate was failed");
}

static enum err do_make(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    char id[UUID_TEXT], job[UUID_TEXT];
    const struct json *ask = NULL;
    enum err err = ask_of(c, &ask, why, "gate", c->argv[0], "name", o->name ? o->name : "", "title",
                          o->title, END);
    if (!err)
        err = release_make(c->center->release, o->who, ask, id, job, why);
    return err ? err : finish_job(c, job, why);
}

static enum err do_list(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    const struct json *doc = NULL;
    enum err err =
        c->argc ? release_one_json(c->center->release, o->who, str_c(c->argv[0]), c->arena, &c->out,
                                   why)
                : release_list_json(c->center->release, o->who, STR(""), c->arena, &c->out, why);
    if (err || c->argc || c->center->opts->json)
        return err ? err : command_print(c, why);
    err = json_parse(buf_str(&c->buf), c->arena, &doc, why);
    const struct json *items = json_get(doc, "items");
    for (size_t i = 0; i < json_len(items); i++) {
        const struct json *s = json_at(items, i);
        printf(
            "%.*s %-24.*s %-10.*s %-9.*s %10lld records  %.*s\n",
            STR_FMT(json_get_str(s, "id", STR(""))), STR_FMT(json_get_str(s, "name", STR(""))),
            STR_FMT(json_get_str(s, "grade", STR(""))), STR_FMT(json_get_str(s, "state", STR(""))),
            (long long)json_get_int(s, "n_records", 0), STR_FMT(json_get_str(s, "title", STR(""))));
    }
    return err;
}

static enum err do_export(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    char job[UUID_TEXT];
    const struct json *ask = NULL;
    const char *form = o->form ? o->form : "directory";
    if (strcmp(form, "directory") == 0 && c->argc == 2)
        return release_export_to(c->center->release, o->who, str_c(c->argv[0]), c->argv[1], why);
    enum err err = ask_of(c, &ask, why, "release", c->argv[0], "form", form, "to", o->to, "uses",
                          o->uses, "ends_at", o->ends, "suite", o->suite, END);
    if (!err)
        err = release_export(c->center->release, o->who, ask, job, why);
    if (!err)
        err = finish_job(c, job, why);
    if (err || strcmp(form, "capsule") == 0)
        return err;
    const char *path = NULL;
    struct str name;
    err = release_export_path(c->center->release, o->who, str_c(job), c->arena, &path, &name, why);
    if (!err)
        printf("%s\n", path);
    return err;
}

static enum err do_capsules(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    enum err err = release_capsules_json(c->center->release, o->who, c->arena, &c->out, why);
    return err ? err : command_print(c, why);
}

static enum err do_open(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    return release_capsule_open(c->center->release, o->who, str_c(c->argv[0]), o->file,
                                str_c(o->purpose ? o->purpose : ""), c->argv[1], why);
}

static enum err do_keys(struct command_work *c, struct why *why)
{
    const struct release_options *o = c->own;
    const struct json *doc = NULL;
    enum err err = release_keys_json(c->center->release, o->who, c->arena, &c->out, why);
    if (err || c->center->opts->json)
        return err ? err : command_print(c, why);
    err = json_parse(buf_str(&c->buf), c->arena, &doc, why);
    const struct json *items = json_get(doc, "items");
    for (size_t i = 0; i < json_len(items); i++) {
        const struct json *k = json_at(items, i);
        printf("# %.*s %.*s %.*s\n%.*s", STR_FMT(json_get_str(k, "kind", STR(""))),
               STR_FMT(json_get_str(k, "id", STR(""))), STR_FMT(json_get_str(k, "state", STR(""))),
               STR_FMT(json_get_str(k, "pem", STR(""))));
    }
    return err;
}

static const struct command_verb verbs[] = {
    {"report", 1, do_report, 0}, {"gate", 1, do_gate, 0},     {"gates", 0, do_gates, 1},
    {"judge", 1, do_judge, 0},   {"decide", 1, do_decide, 0}, {"make", 1, do_make, 0},
    {"list", 0, do_list, 1},     {"export", 1, do_export, 2}, {"capsules", 0, do_capsules, 0},
    {"open", 2, do_open, 0},     {"keys", 0, do_keys, 0},
};

/* ---- verify: without a data directory ---- */

static int verify(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct release_proof p;
    struct str pems[MOST_KEYS];
    size_t n = 0;
    struct arena *arena = arena_new(PROOF);
    enum err err = arena ? ERR_OK : err_set(&why, ERR_NO_MEMORY, "could not begin");
    for (const char *key; !err && n < MOST_KEYS && (key = command_option(&argc, argv, "--key"));)
        err = file_read(key, MOST_PEM, arena, &pems[n++], &why);
    struct why usage = {0};
    if (!err && (command_rest(argc, argv, 2, 2, &usage) || argc != 3)) {
        arena_free(arena);
        return command_usage(&command_release);
    }
    if (!err)
        err = release_verify(argv[2], pems, n, arena, &p, &why);
    if (!err && opts->json)
        printf("{\"ok\":true,\"id\":\"%.*s\",\"name\":\"%.*s\",\"n_records\":%lld,\"n_files\":%zu,"
               "\"sm2_key\":\"%s\",\"ed25519_key\":\"%s\",\"pinned\":%s}\n",
               STR_FMT(p.id), STR_FMT(p.name), (long long)p.n_records, p.n_files, p.sm2_key,
               p.ed25519_key, p.pinned ? "true" : "false");
    else if (!err)
        printf("release %.*s (%.*s) of tenant %.*s: version %lld of %.*s, grade %.*s, %.*s\n"
               "%lld records in %zu files, every one as it was signed\n"
               "signed by sm2 %s and ed25519 %s\n%s",
               STR_FMT(p.name), STR_FMT(p.title), STR_FMT(p.tenant), (long long)p.version,
               STR_FMT(p.dataset), STR_FMT(p.grade), STR_FMT(p.created_at), (long long)p.n_records,
               p.n_files, p.sm2_key, p.ed25519_key,
               p.pinned ? "these are the keys you gave\n"
                        : "no --key was given: compare the keys with those that the tenant made "
                          "public\n");
    arena_free(arena);
    return err ? command_fail("release", err, &why) : 0;
}

/* ---- the command ---- */

static void take_options(struct release_options *o, int *argc, char **argv)
{
    const struct {
        const char *name, **to;
    } options[] = {
        {"--number", &o->number},  {"--purpose", &o->purpose}, {"--name", &o->name},
        {"--title", &o->title},    {"--to", &o->to},           {"--form", &o->form},
        {"--uses", &o->uses},      {"--ends", &o->ends},       {"--suite", &o->suite},
        {"--file", &o->file},      {"--sample", &o->sample},   {"--verdict", &o->verdict},
        {"--comment", &o->comment}};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        *options[i].to = command_option(argc, argv, options[i].name);
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct ops_identity who = ops_system();
    struct release_options own = {.who = &who};
    if (argc >= 2 && strcmp(argv[1], "verify") == 0)
        return verify(opts, argc, argv);
    const char *tenant = command_option(&argc, argv, "--tenant");
    if (tenant)
        who.tenant = str_c(tenant);
    take_options(&own, &argc, argv);
    return command_verbs(&command_release, verbs, sizeof verbs / sizeof verbs[0], &own, opts, argc,
                         argv);
}

const struct command command_release = {
    .name = "release",
    .usage = "report DATASET [--number N] [--sample N]\n"
             "gate DATASET [--number N] [--purpose training|evaluation|knowledge|sharing]\n"
             "gates [GATE]\n"
             "judge SAMPLE --verdict ok|CODE [--comment TEXT]\n"
             "decide GATE\n"
             "make GATE --name NAME [--title TITLE]\n"
             "list [RELEASE]\n"
             "export RELEASE DIR\n"
             "export RELEASE --form jsonl|text|openai|sharegpt|alpaca|dpo|directory\n"
             "export RELEASE --form capsule --to TENANT [--uses N] [--ends TIME] [--suite SUITE]\n"
             "capsules [--tenant TENANT]\n"
             "open CAPSULE DIR --purpose TEXT [--tenant TENANT] [--file FILE]\n"
             "keys [--tenant TENANT]\n"
             "verify DIR [--key PUBLIC.pem]...",
    .summary = "Report on, gate, sign, export and open releases of data sets; prove an export",
    .run = run,
};
