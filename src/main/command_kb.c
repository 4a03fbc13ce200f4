/* yicheng kb: knowledge bases directly on a data directory. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/time.h"
#include "main/command.h"

#define REPORT_MEMORY (64u << 20)

static bool progress(void *ctx, int64_t done, int64_t total, const char *phase)
{
    (void)ctx;
    (void)fprintf(stderr, "\r%s %lld / %lld   ", phase, (long long)done, (long long)total);
    return true;
}

static void print_report(const struct knowledge_report *r, double seconds, bool json)
{
    if (json) {
        printf("{\"n_files\":%lld,\"n_documents\":%lld,\"n_versions\":%lld,\"n_passages\":%lld,\"n_"
               "unchanged\":%lld,"
               "\"n_failed\":%lld,\"seconds\":%.3f,\"failures\":%.*s}\n",
               (long long)r->n_files, (long long)r->n_documents, (long long)r->n_versions,
               (long long)r->n_passages, (long long)r->n_unchanged, (long long)r->n_failed, seconds,
               STR_FMT(r->failures.len ? r->failures : STR("[]")));
        return;
    }
    printf("%lld files: %lld new documents, %lld versions, %lld passages; %lld unchanged, %lld "
           "failed; %.1f s\n",
           (long long)r->n_files, (long long)r->n_documents, (long long)r->n_versions,
           (long long)r->n_passages, (long long)r->n_unchanged, (long long)r->n_failed, seconds);
}

/* A folder of failures is worth reading one by one. */
static void print_failures(const struct knowledge_report *r, struct arena *arena)
{
    const struct json *list = NULL;
    if (r->failures.len == 0 || json_parse(r->failures, arena, &list, NULL))
        return;
    for (size_t i = 0; i < json_len(list); i++)
        (void)fprintf(stderr, "  %.*s: %.*s\n",
                      STR_FMT(json_get_str(json_at(list, i), "path", STR("?"))),
                      STR_FMT(json_get_str(json_at(list, i), "why", STR(""))));
}

static enum err import(struct center *c, char **argv, int n_paths, bool update, struct why *why)
{
    char id[UUID_TEXT];
    struct knowledge_report report = {0};
    struct arena *arena = arena_new(REPORT_MEMORY);
    struct knowledge_import import = {.kb = argv[0],
                                      .paths = (const char *const *)&argv[1],
                                      .n_paths = (size_t)n_paths,
                                      .update = update};
    bool show = !c->opts->json && isatty(STDERR_FILENO);
    int64_t start = time_mono_ns();
    enum err err = arena ? ERR_OK : ERR_NO_MEMORY;
    if (!err)
        err =
            knowledge_create(c->knowledge, &c->system, argv[0], argv[0], OPS_CLASS_PUBLIC, id, why);
    if (!err)
        err = knowledge_import(c->knowledge, &c->system, &import, show ? progress : NULL, NULL,
                               arena, &report, why);
    if (show)
        (void)fprintf(stderr, "\n");
    if (!err)
        print_report(&report, (double)(time_mono_ns() - start) / 1e9, c->opts->json);
    if (!err && !c->opts->json)
        print_failures(&report, arena);
    arena_free(arena);
    return err;
}

static enum err list(struct center *c, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, c->arena);
    json_out_init(&out, &buf);
    enum err err = knowledge_bases_json(c->knowledge, &c->system, c->arena, &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (err)
        return err;
    if (c->opts->json) {
        printf("%.*s\n", STR_FMT(buf_str(&buf)));
        return ERR_OK;
    }
    const struct json *doc;
    err = json_parse(buf_str(&buf), c->arena, &doc, why);
    const struct json *items = err ? NULL : json_get(doc, "items");
    for (size_t i = 0; i < json_len(items); i++)
        printf("%-20.*s %8lld documents %10lld passages  %.*s\n",
               STR_FMT(json_get_str(json_at(items, i), "name", STR(""))),
               (long long)json_get_int(json_at(items, i), "n_documents", 0),
               (long long)json_get_int(json_at(items, i), "n_passages", 0),
               STR_FMT(json_get_str(json_at(items, i), "title", STR(""))));
    return err;
}

static enum err embed(struct center *c, const char *name, struct why *why)
{
    int64_t n_new = 0;
    bool show = !c->opts->json && isatty(STDERR_FILENO);
    enum err err =
        knowledge_embed(c->knowledge, &c->system, name, show ? progress : NULL, NULL, &n_new, why);
    if (show)
        (void)fprintf(stderr, "\n");
    if (!err)
        printf(c->opts->json ? "{\"vectors\":%lld}\n" : "%lld new vectors\n", (long long)n_new);
    return err;
}

static enum err create(struct center *c, const char *name, const char *title, const char *access,
                       struct why *why)
{
    static const char *const names[] = {"public", "staff", "department", "restricted"};
    char id[UUID_TEXT];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(access, names[i]) == 0)
            return knowledge_create(c->knowledge, &c->system, name, title, (enum ops_class)i, id,
                                    why);
    return err_set(why, ERR_INVALID,
                   "access is public, staff, department or restricted, not \"%s\"", access);
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    bool update = command_flag(&argc, argv, "--update");
    const char *title = command_option(&argc, argv, "--title"),
               *access = command_option(&argc, argv, "--access");
    bool is_list = argc == 2 && strcmp(argv[1], "list") == 0;
    bool is_create = argc == 3 && strcmp(argv[1], "create") == 0;
    bool is_import = argc >= 4 && strcmp(argv[1], "import") == 0;
    bool is_embed = argc == 3 && strcmp(argv[1], "embed") == 0;
    if ((!is_list && !is_create && !is_import && !is_embed) ||
        command_rest(argc, argv, 1, 1 << 20, &why))
        return command_usage(&command_kb);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("kb", err, &why);
    if (is_import)
        err = import(&center, &argv[2], argc - 3, update, &why);
    else if (is_embed)
        err = embed(&center, argv[2], &why);
    else
        err = is_list ? list(&center, &why)
                      : create(&center, argv[2], title ? title : argv[2],
                               access ? access : "public", &why);
    center_close(&center);
    return err ? command_fail("kb", err, &why) : 0;
}

const struct command command_kb = {
    .name = "kb",
    .usage = "list\ncreate NAME [--title TITLE] [--access public|staff|department|restricted]\n"
             "import NAME PATH... [--update]\nembed NAME",
    .summary = "List, make and fill knowledge bases; PATH is a file, a folder or an archive",
    .run = run,
};
