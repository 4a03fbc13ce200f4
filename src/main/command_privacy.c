/* yicheng privacy: personal data in files, found and masked; without a data directory where no key
 * is needed. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "main/command.h"

#define MEMORY    ((size_t)4 << 30)
#define MOST_FILE ((size_t)1 << 30)

struct wanted {
    const char *kinds, *least, *mode, *tenant;
    bool public_too;
};

static enum err scanner_of(const struct wanted *w, struct privacy_scanner **out, struct why *why)
{
    struct privacy_scan_opts opts = {.public_too = w->public_too};
    double least = 0;
    enum err err = w->kinds ? privacy_kinds_parse(str_c(w->kinds), &opts.kinds, why) : ERR_OK;
    if (err)
        return err;
    if (w->least && (!str_to_f64(str_c(w->least), &least) || !(least > 0 && least <= 1)))
        return err_set(why, ERR_INVALID, "--least is a number above 0, up to 1");
    opts.least = (float)least;
    return privacy_scanner_new(&opts, out, why);
}

/* "-" is the standard input. */
static enum err read_text(const char *path, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    if (strcmp(path, "-") != 0)
        return file_read(path, MOST_FILE, arena, out, why);
    buf_init(&buf, arena);
    for (;;) {
        char *room = buf_room(&buf, 65536);
        ssize_t n = room ? read(STDIN_FILENO, room, 65536) : -1;
        if (n < 0)
            return err_errno(why, "could not read the standard input");
        if (n == 0)
            break;
        buf.len += (size_t)n;
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static void print_json(const char *path, struct str text, const struct privacy_findings *found,
                       struct arena *arena)
{
    for (size_t i = 0; i < found->n; i++) {
        const struct privacy_finding *f = &found->items[i];
        struct buf buf;
        struct json_out out;
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_c(&out, "file", path);
        json_kv_c(&out, "kind", privacy_kind_name(f->kind));
        json_kv_int(&out, "start", (int64_t)f->start);
        json_kv_int(&out, "end", (int64_t)f->end);
        json_kv_str(&out, "text", str_slice(text, f->start, f->end));
        json_kv_str(&out, "value", f->value);
        json_kv_real(&out, "confidence", (double)(int)(f->confidence * 100 + 0.5F) / 100);
        json_end_object(&out);
        printf("%.*s\n", STR_FMT(buf_str(&buf)));
    }
}

static void print_lines(const char *path, struct str text, const struct privacy_findings *found)
{
    size_t line = 1, at = 0;
    for (size_t i = 0; i < found->n; i++) {
        const struct privacy_finding *f = &found->items[i];
        for (; at < f->start; at++)
            line += text.ptr[at] == '\n';
        printf("%s:%zu  %-16s %-20s %.2f\n", path, line, privacy_kind_name(f->kind),
               f->value.ptr ? f->value.ptr : "", (double)f->confidence);
    }
}

static enum err scan(const struct wanted *w, bool json, int n, char **paths, struct why *why)
{
    struct privacy_scanner *scanner = NULL;
    enum err err = scanner_of(w, &scanner, why);
    for (int i = 0; !err && i < n; i++) {
        struct arena *arena = arena_new(MEMORY);
        struct privacy_findings found;
        struct str text;
        err = arena ? read_text(paths[i], arena, &text, why) : ERR_NO_MEMORY;
        if (!err)
            err = privacy_scan(scanner, text, STR(""), arena, &found, why);
        if (!err && json)
            print_json(paths[i], text, &found, arena);
        else if (!err)
            print_lines(paths[i], text, &found);
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
    return err;
}

/* Opens the centre for the tenant's key, and only for that. */
static enum err keys_of(const struct center_opts *opts, const struct wanted *w,
                        struct privacy_keys **out, struct why *why)
{
    struct center center;
    enum err err = center_open(opts, CENTER_ALL, &center, why);
    if (err)
        return err;
    err = privacy_keys_of(center.privacy, str_c(w->tenant ? w->tenant : OPS_HOME), 0, out, why);
    center_close(&center);
    return err;
}

static enum err mask(const struct center_opts *opts, const struct wanted *w, const char *path,
                     struct why *why)
{
    struct arena *arena = arena_new(MEMORY);
    struct privacy_scanner *scanner = NULL;
    struct privacy_keys *keys = NULL;
    struct privacy_findings found;
    struct str text;
    struct buf out;
    enum privacy_mode mode = privacy_mode_find(str_c(w->mode ? w->mode : "partial"));
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not begin");
    buf_init(&out, arena);
    enum err err = scanner_of(w, &scanner, why);
    if (!err && mode == PRIVACY_MODES)
        err = err_set(why, ERR_INVALID, "--mode is remove, partial, pseudonym or vault");
    if (!err && (mode == PRIVACY_MODE_PSEUDONYM || mode == PRIVACY_MODE_VAULT))
        err = keys_of(opts, w, &keys, why);
    if (!err)
        err = read_text(path, arena, &text, why);
    if (!err)
        err = privacy_scan(scanner, text, STR(""), arena, &found, why);
    if (!err)
        err = privacy_mask(text, &found, mode, keys, &out, why);
    if (!err)
        err = file_write_fd(STDOUT_FILENO, buf_str(&out), why);
    privacy_keys_free(keys);
    privacy_scanner_free(scanner);
    arena_free(arena);
    return err;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct wanted w = {.kinds = command_option(&argc, argv, "--kinds"),
                       .least = command_option(&argc, argv, "--least"),
                       .mode = command_option(&argc, argv, "--mode"),
                       .tenant = command_option(&argc, argv, "--tenant"),
                       .public_too = command_flag(&argc, argv, "--public")};
    bool json = command_flag(&argc, argv, "--json") || opts->json;
    bool is_scan = argc >= 3 && strcmp(argv[1], "scan") == 0;
    bool is_mask = argc == 3 && strcmp(argv[1], "mask") == 0;
    if ((!is_scan && !is_mask) || command_rest(argc, argv, 2, argc, &why))
        return command_usage(&command_privacy);
    enum err err =
        is_scan ? scan(&w, json, argc - 2, argv + 2, &why) : mask(opts, &w, argv[2], &why);
    return err ? command_fail("privacy", err, &why) : 0;
}

const struct command command_privacy = {
    .name = "privacy",
    .usage = "scan FILE... [--kinds LIST] [--least N] [--public] [--json]\n"
             "mask FILE [--mode remove|partial|pseudonym|vault] [--kinds LIST] [--tenant ID]",
    .summary =
        "Find personal data in files (\"-\": standard input), or print a file with it masked",
    .run = run,
};
