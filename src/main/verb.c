#include "main/verb.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"

#define ROOM ((size_t)1 << 30)

void command_begin(struct command_work *c)
{
    buf_init(&c->buf, c->arena);
    json_out_init(&c->out, &c->buf);
}

enum err command_print(struct command_work *c, struct why *why)
{
    enum err err = buf_err(&c->buf, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&c->buf)));
    return err;
}

enum err command_follow(struct center *center, const char *job, struct arena *arena,
                        struct job_info *info, struct why *why)
{
    struct why own = {0};
    enum err err = job_run(center->compute, job, &own);
    if (err && err != ERR_BUSY && err != ERR_CONFLICT) {
        err_note(why, "%s", why_text(&own, err));
        if (own.hint[0])
            err_hint(why, "%s", own.hint);
        return err;
    }
    for (;;) {
        err = job_find(center->compute, job, arena, info, why);
        if (err || info->state == JOB_DONE)
            return err;
        if (info->state == JOB_FAILED || info->state == JOB_CANCELLED)
            return err_set(why, ERR_INTERNAL, "the job %s: %.*s", job_state_name(info->state),
                           STR_FMT(info->why));
        time_sleep_ms(COMMAND_WAIT_MS);
    }
}

static const struct command_verb *verb_of(const struct command_verb *verbs, size_t n, int argc,
                                          char **argv)
{
    for (size_t i = 0; argc >= 2 && i < n; i++)
        if (strcmp(argv[1], verbs[i].name) == 0 && argc - 2 >= verbs[i].n &&
            argc - 2 <= (verbs[i].most ? verbs[i].most : verbs[i].n))
            return &verbs[i];
    return NULL;
}

int command_verbs(const struct command *command, const struct command_verb *verbs, size_t n,
                  void *own, const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct command_work c = {
        .center = &center, .argc = argc - 2, .argv = argv + 2, .json = opts->json, .own = own};
    const struct command_verb *verb = verb_of(verbs, n, argc, argv);
    if (!verb || command_rest(argc, argv, 1, argc, &why))
        return command_usage(command);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail(command->name, err, &why);
    c.arena = arena_new(ROOM);
    if (c.arena) {
        command_begin(&c);
        err = verb->run(&c, &why);
    } else {
        err = err_set(&why, ERR_NO_MEMORY, "could not begin");
    }
    arena_free(c.arena);
    center_close(&center);
    return err ? command_fail(command->name, err, &why) : 0;
}
