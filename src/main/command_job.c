/* yicheng job: what the executor starts; a person may start a queued job in the foreground with it.
 */
#include <signal.h>

#include "main/command.h"

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    if (command_rest(argc, argv, 1, 1, &why))
        return command_usage(&command_job);
    (void)signal(SIGPIPE, SIG_IGN);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (!err) {
        err = job_run(center.compute, argv[1], &why);
        center_close(&center);
    }
    return err ? command_fail("job", err, &why) : 0;
}

const struct command command_job = {
    .name = "job",
    .usage = "ID",
    .summary = "Run one queued job here and now (the executor's children are this command)",
    .run = run,
};
