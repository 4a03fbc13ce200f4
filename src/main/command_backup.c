/* yicheng backup and yicheng restore. */
#include <stdio.h>

#include "main/backup.h"
#include "main/command.h"
#include "main/keys.h"

static void report_json(const struct backup_report *r)
{
    printf("{\"objects\":%lld,\"copied\":%lld,\"ledger_head_sha256\":\"%s\",\"without_keys\":[",
           (long long)r->n_objects, (long long)r->n_copied, r->head_sha256);
    for (size_t i = 0; i < r->n_without; i++)
        printf("%s\"%s\"", i ? "," : "", r->without[i]->file);
    printf("]}\n");
}

/* On standard error, so that nobody who reads only that a job went well misses it. */
static void tell_keys(const struct backup_report *r, bool restored)
{
    if (!r->n_without)
        return;
    (void)fprintf(stderr,
                  restored
                      ? "WARNING: these keys of the old centre are missing; what they open stays "
                        "closed:\n"
                      : "these keys are not in the backup; keep them apart from it:\n");
    for (size_t i = 0; i < r->n_without; i++)
        (void)fprintf(stderr, "  %-12s %s（%s）\n", r->without[i]->file, r->without[i]->opens,
                      r->without[i]->opens_zh);
    (void)fprintf(
        stderr,
        restored ? "bring them back before anybody works with this centre: yicheng keys load "
                   "FILE\n警告：缺少原中心的密钥文件，相关内容无法打开；启用前请执行 yicheng keys "
                   "load 文件\n"
                 : "yicheng keys save FILE seals them under a passphrase\n"
                   "密钥文件不在备份内，请另行保存：yicheng keys save 文件\n");
}

static void report(const struct center_opts *opts, const struct backup_report *r, bool restored)
{
    if (opts->json)
        report_json(r);
    else
        printf("%lld objects, %lld of them copied now; ledger head %s\n", (long long)r->n_objects,
               (long long)r->n_copied, r->head_sha256);
    tell_keys(r, restored);
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
    report(opts, &r, false);
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
    report(opts, &r, true);
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
