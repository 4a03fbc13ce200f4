/* yicheng version */
#include <stdio.h>

#include "main/command.h"

static int run(const struct center_opts *opts, int argc, char **argv)
{
    (void)argc, (void)argv;
    printf(opts->json ? "{\"version\":\"%s\"}\n" : "yicheng %s\n", YICHENG_VERSION);
    return 0;
}

const struct command command_version = {
    .name = "version", .usage = "", .summary = "Print the version", .run = run};
