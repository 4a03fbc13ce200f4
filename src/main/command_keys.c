/* yicheng keys: the key files of a centre, away under a passphrase and back. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "main/command.h"
#include "main/keys.h"

#define MEMORY ((size_t)4 << 20)

/* The first line of the file; "-": of standard input. */
static enum err read_passphrase(const char *file, struct arena *arena, struct str *out,
                                struct why *why)
{
    struct str text;
    if (!file)
        return err_set(
            why, ERR_INVALID,
            "--passphrase-file names a file whose first line is the passphrase, or \"-\" "
            "for standard input");
    enum err err = file_read(strcmp(file, "-") == 0 ? "/dev/stdin" : file, 4096, arena, &text, why);
    if (!err && !str_next_line(&text, out))
        *out = STR("");
    return err;
}

static void report(const struct center_opts *opts, bool load, const char *file,
                   const struct keys_report *r)
{
    if (opts->json) {
        printf("{\"keys\":%zu,\"replaced\":%zu}\n", r->n, r->n_replaced);
        return;
    }
    printf(load ? "%zu keys brought back into \"%s\"\n" : "%zu keys sealed into \"%s\"\n", r->n,
           load ? opts->data : file);
    for (size_t i = 0; i < r->n_replaced; i++)
        printf("another %s was there: it was kept as %s.replaced-<time>\n", r->replaced[i],
               r->replaced[i]);
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct keys_report r;
    struct str passphrase;
    const char *from = command_option(&argc, argv, "--passphrase-file");
    if (command_rest(argc, argv, 2, 2, &why) ||
        (strcmp(argv[1], "save") != 0 && strcmp(argv[1], "load") != 0))
        return command_usage(&command_keys);
    bool load = strcmp(argv[1], "load") == 0;
    struct arena *arena = arena_new(MEMORY);
    enum err err = arena ? read_passphrase(from, arena, &passphrase, &why)
                         : err_set(&why, ERR_NO_MEMORY, "could not begin");
    if (!err)
        err = load ? keys_load(opts->data, argv[2], passphrase, arena, &r, &why)
                   : keys_save(opts->data, argv[2], passphrase, arena, &r, &why);
    if (!err)
        report(opts, load, argv[2], &r);
    arena_free(arena);
    return err ? command_fail("keys", err, &why) : 0;
}

const struct command command_keys = {
    .name = "keys",
    .usage = "save FILE --passphrase-file FILE\n"
             "load FILE --passphrase-file FILE",
    .summary = "Keep the key files, which a backup leaves out, under a passphrase; bring them back",
    .run = run,
};
