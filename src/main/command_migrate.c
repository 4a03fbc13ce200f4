/* yicheng migrate: upgrades the database, or says what an upgrade would do. */
#include <stdio.h>

#include "core/arena.h"
#include "main/command.h"

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    const struct store_migration *steps;
    size_t n, pending = 0;
    bool dry_run = command_flag(&argc, argv, "--dry-run");
    if (command_rest(argc, argv, 0, 0, &why))
        return command_usage(&command_migrate);
    enum err err = center_open(opts, CENTER_STORE, &center, &why);
    if (err)
        return command_fail("migrate", err, &why);
    center_migrations(&steps, &n, center.arena);
    err = store_migrate(center.store, steps, n, dry_run, &pending, &why);
    if (!err && opts->json)
        printf("{\"pending\":%zu,\"applied\":%zu}\n", dry_run ? pending : 0, dry_run ? 0 : pending);
    else if (!err)
        printf(dry_run ? "%zu steps would run\n" : "%zu steps ran\n", pending);
    center_close(&center);
    return err ? command_fail("migrate", err, &why) : 0;
}

const struct command command_migrate = {
    .name = "migrate",
    .usage = "[--dry-run]",
    .summary =
        "Bring the database to this version, or say what would run; a newer database is refused",
    .run = run,
};
