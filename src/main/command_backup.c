/* yicheng backup and yicheng restore. */
#include <stdio.h>

#include "main/backup.h"
#include "main/command.h"

static void report(const struct center_opts *opts, const struct backup_report *r)
{
    if (opts->json)
        printf("{\"objects\":%lld,\"copied\":%lld,\"ledger_head_sha256\":\"%s\"}\n",
               (long long)r->n_objects, (long long)r->n_copied, r->head_sha256);
    else
        printf("%lld objects, %lld of them copied now; ledger head %s\n", (long long)r->n_objects,
               (long long)r->n_copied, r->head_sha256);
}

static int run_backup(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct backup_report r;
    if (command_rest(argc, argv, 1, 1, &why))
        return command_usage(&command_backup);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (!err) {
        err = backup_make(&center, argv[1], &r, &why);
        center_close(&center);
    }
    if (err)
        return command_fail("backup", err, &why);
    report(opts, &r);
    return 0;
}

static int run_restore(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct backup_report r;
    if (command_rest(argc, argv, 1, 1, &why))
        return command_usage(&command_restore);
    enum err err = backup_restore(opts, argv[1], &r, &why);
    if (err)
        return command_fail("restore", err, &why);
    report(opts, &r);
    return 0;
}

const struct command command_backup = {
    .name = "backup",
    .usage = "FOLDER",
    .summary =
        "Copy everything into a folder while the centre serves; a second backup copies what is new",
    .run = run_backup,
};

const struct command command_restore = {
    .name = "restore",
    .usage = "FOLDER",
    .summary = "Bring a backup back into a new data directory (--data) and prove it",
    .run = run_restore,
};
