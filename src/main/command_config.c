/* yicheng config: every key, its default, what it is for; with --current what is in force. */
#include <stdio.h>

#include "core/arena.h"
#include "main/command.h"

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct buf out;
    bool current = command_flag(&argc, argv, "--current");
    if (command_rest(argc, argv, 0, 0, &why))
        return command_usage(&command_config);
    enum err err = center_open(opts, CENTER_CONF, &center, &why);
    if (err)
        return command_fail("config", err, &why);
    buf_init(&out, center.arena);
    err = conf_write(center.conf, current, &out, &why);
    if (!err)
        printf("%.*s", STR_FMT(buf_str(&out)));
    center_close(&center);
    return err ? command_fail("config", err, &why) : 0;
}

const struct command command_config = {
    .name = "config",
    .usage = "[--current]",
    .summary = "Print every configuration key with its default (a file to begin from), or the "
               "values in force",
    .run = run,
};
