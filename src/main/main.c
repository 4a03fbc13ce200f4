/* The composition root: options, the table of commands, start and stop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "main/command.h"

static const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "main/commands.def"
#undef COMMAND
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

int command_fail(const char *name, enum err err, const struct why *why)
{
    (void)fprintf(stderr, "yicheng %s: %s\n", name, why_text(why, err));
    if (why->hint[0])
        (void)fprintf(stderr, "  %s\n", why->hint);
    return 1;
}

int command_usage(const struct command *command)
{
    struct str rest = str_c(command->usage), line;
    while (str_next_line(&rest, &line))
        (void)fprintf(stderr, "usage: yicheng [--data DIR] %s %.*s\n", command->name,
                      STR_FMT(line));
    return 2;
}

static void drop(int *argc, char **argv, int at, int n)
{
    memmove(&argv[at], &argv[at + n], (size_t)(*argc - at - n + 1) * sizeof *argv);
    *argc -= n;
}

const char *command_option(int *argc, char **argv, const char *name)
{
    size_t len = strlen(name);
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if (strncmp(argv[i], name, len) != 0)
            continue;
        const char *value = argv[i][len] == '=' ? argv[i] + len + 1 : NULL;
        if (!value && argv[i][len] == '\0' && i + 1 < *argc) {
            value = argv[i + 1];
            drop(argc, argv, i, 2);
            return value;
        }
        if (value) {
            drop(argc, argv, i, 1);
            return value;
        }
    }
    return NULL;
}

bool command_flag(int *argc, char **argv, const char *name)
{
    for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], name) == 0) {
            drop(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

enum err command_rest(int argc, char **argv, int least, int most, struct why *why)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strncmp(argv[i], "--", 2) == 0)
            return err_set(why, ERR_INVALID, "there is no option \"%s\"", argv[i]);
    if (argc - 1 < least || argc - 1 > most)
        return err_set(why, ERR_INVALID, "%s",
                       argc - 1 < least ? "something is missing" : "there is more than expected");
    return ERR_OK;
}

static int help(FILE *to)
{
    (void)fprintf(to,
                  "一城 Yicheng " YICHENG_VERSION ": the AI centre that a city runs for itself\n\n"
                  "usage: yicheng [--data DIR] [--config FILE] [--set key=value]... [--json] "
                  "COMMAND ...\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++)
        (void)fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    (void)fprintf(
        to,
        "\n`yicheng COMMAND --help` shows how a command is called. The data directory is ./data\n"
        "unless --data or YICHENG_DATA says otherwise.\n");
    return to == stdout ? 0 : 2;
}

/* Options before the command; returns the index of the command in argv, or -1. */
static int options(int argc, char **argv, struct center_opts *opts)
{
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "--data") == 0     ? &opts->data
                             : strcmp(argv[i], "--config") == 0 ? &opts->config
                             : strcmp(argv[i], "--set") == 0    ? &opts->sets[opts->n_sets]
                                                                : NULL;
        if (strcmp(argv[i], "--json") == 0) {
            opts->json = true;
        } else if (!value) {
            return i;
        } else if (i + 1 >= argc ||
                   (value == &opts->sets[opts->n_sets] && ++opts->n_sets >= CENTER_MOST_SETS)) {
            return -1;
        } else {
            *value = argv[++i];
        }
    }
    return -1;
}

/*
 * Text recognition computes with OpenMP: beside other work its threads spin for each other, and an
 * import of 66 files took 5.6 s of CPU where one thread took 2.1. OpenMP reads the variable when
 * its library is loaded, which is before main(), so the program begins once more with it. Children
 * inherit it.
 */
static void one_thread_each(const char *self, char **argv)
{
    if (getenv("OMP_THREAD_LIMIT") || setenv("OMP_THREAD_LIMIT", "1", 1) != 0)
        return;
    (void)execv(self, argv); /* if that fails, it goes on a little slower */
}

/* A model computes with the threads it was given, whatever its parent does with its own; they wait
 * for each other by turns with the kernel when others want the cores (two engines of two threads on
 * two cores fell to 0.4 tokens a second while they spun). */
static void many_threads(const char *self, char **argv)
{
    if (!getenv("OMP_THREAD_LIMIT") && getenv("GOMP_SPINCOUNT"))
        return;
    if (unsetenv("OMP_THREAD_LIMIT") != 0 || setenv("GOMP_SPINCOUNT", "1000", 0) != 0)
        return;
    (void)execv(self, argv);
}

int main(int argc, char **argv)
{
    static char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *data = getenv("YICHENG_DATA");
    struct center_opts opts = {.data = data && data[0] ? data : "data",
                               .program = len > 0 ? self : argv[0]};
    int at = options(argc, argv, &opts);
    if (len > 0 && at >= 0 && strcmp(argv[at], "engine") == 0)
        many_threads(self, argv);
    else if (len > 0)
        one_thread_each(self, argv);
    if (at < 0 || strcmp(argv[at], "help") == 0 || strcmp(argv[at], "--help") == 0 ||
        strcmp(argv[at], "-h") == 0)
        return help(at < 0 ? stderr : stdout);
    argc -= at;
    argv += at;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[0], commands[i]->name) != 0)
            continue;
        if (command_flag(&argc, argv, "--help")) {
            printf("%s\n", commands[i]->summary);
            (void)command_usage(commands[i]);
            return 0;
        }
        opts.json |= command_flag(&argc, argv, "--json");
        return commands[i]->run(&opts, argc, argv);
    }
    (void)fprintf(stderr, "yicheng: there is no command \"%s\"; `yicheng help` lists them\n",
                  argv[0]);
    return 2;
}
