/* yicheng gc: removes the objects that nothing refers to. */
#include <stdio.h>

#include "core/json.h"
#include "core/time.h"
#include "main/collect.h"
#include "main/command.h"

static void tell(const struct center_opts *opts, const struct collect_report *r)
{
    char before[TIME_TEXT];
    (void)time_format(r->before_ms, before);
    if (opts->json) {
        printf("{\"objects\":%lld,\"orphans\":%lld,\"orphan_bytes\":%lld,\"young\":%lld,"
               "\"removed\":%lld,\"removed_bytes\":%lld,\"stored_before\":\"%s\","
               "\"waits_for\":\"%s\"}\n",
               (long long)r->n_objects, (long long)r->n_orphans, (long long)r->orphan_bytes,
               (long long)r->n_young, (long long)r->n_removed, (long long)r->removed_bytes, before,
               r->waits_for);
        return;
    }
    printf("%lld objects; %lld of them (%lld bytes) are referred to by nothing and were stored "
           "before %s\n",
           (long long)r->n_objects, (long long)r->n_orphans, (long long)r->orphan_bytes, before);
    if (r->n_young)
        printf("%lld more are named nowhere yet and too young to go\n", (long long)r->n_young);
    if (r->waits_for[0])
        printf("job %s has not ended: what was stored since it was asked for stays\n",
               r->waits_for);
    if (r->n_removed)
        printf("removed %lld objects, %lld bytes\n", (long long)r->n_removed,
               (long long)r->removed_bytes);
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct collect_report report;
    bool look = command_flag(&argc, argv, "--dry-run");
    if (command_rest(argc, argv, 0, 0, &why))
        return command_usage(&command_gc);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (!err) {
        err = collect(&center, !look, &report, &why);
        center_close(&center);
    }
    if (err)
        return command_fail("gc", err, &why);
    tell(opts, &report);
    return 0;
}

const struct command command_gc = {
    .name = "gc",
    .usage = "[--dry-run]",
    .summary = "Remove stored files that nothing refers to any more, older than a day; --dry-run: "
               "count them",
    .run = run,
};
