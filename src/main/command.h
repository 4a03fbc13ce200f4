/*
 * main/command - the subcommands: one file and one line in commands.def each.
 */
#ifndef MAIN_COMMAND_H
#define MAIN_COMMAND_H

#include "main/center.h"

/* Exit codes: 0 done, 1 it failed, 2 the command line is wrong. */
struct command {
    const char *name;
    const char *usage;   /* what follows the name; one line each form */
    const char *summary; /* one line, no full stop */
    int (*run)(const struct center_opts *opts, int argc, char **argv); /* argv[0] is the name */
};

#define COMMAND(name) extern const struct command command_##name;
#include "main/commands.def"
#undef COMMAND

/* Says what went wrong on stderr and gives the exit code. */
int command_fail(const char *name, enum err err, const struct why *why);
int command_usage(const struct command *command);

/* Takes "--name value" or "--name=value" out of argv; NULL when it is not there. */
const char *command_option(int *argc, char **argv, const char *name);
bool command_flag(int *argc, char **argv, const char *name);
/* ERR_INVALID when an option is left that nobody took. */
ERR_MUST_USE enum err command_rest(int argc, char **argv, int least, int most, struct why *why);

#endif
