/*
 * main/verb - commands that are a table of verbs over one data directory: the verb is found, the
 * centre opened, room for the answer made and given back.
 */
#ifndef MAIN_VERB_H
#define MAIN_VERB_H

#include "core/json.h"
#include "main/command.h"

#define COMMAND_WAIT_MS 200

struct command_work {
    struct center *center;
    struct arena *arena;
    struct buf buf;
    struct json_out out; /* into buf */
    int argc;
    char **argv; /* argc arguments: what follows the verb */
    bool json;
    void *own; /* the command's options, already taken */
};

struct command_verb {
    const char *name;
    int n; /* arguments behind it, at least */
    enum err (*run)(struct command_work *c, struct why *why);
    int most; /* of them at most; 0: n and no more */
};
#define COMMAND_ANY_NUMBER (1 << 20)

/* The exit code. `own` may be NULL. */
int command_verbs(const struct command *command, const struct command_verb *verbs, size_t n,
                  void *own, const struct center_opts *opts, int argc, char **argv);

/* c->buf and c->out are empty again. */
void command_begin(struct command_work *c);
/* Prints what stands in c->buf. */
ERR_MUST_USE enum err command_print(struct command_work *c, struct why *why);

/* Runs the job here; when a server has taken it already, waits for it. ERR_INTERNAL when it failed
 * or was cancelled. */
ERR_MUST_USE enum err command_follow(struct center *center, const char *job, struct arena *arena,
                                     struct job_info *info, struct why *why);

#endif
