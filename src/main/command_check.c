/* yicheng check: proves the database, the ledger's chain, the objects, the indexes and the meter.
 */
#include <stdio.h>

#include "core/arena.h"
#include "ledger/ledger.h"
#include "main/collect.h"
#include "main/command.h"

struct faults {
    int64_t n;
    bool quiet;
};

static void fault(void *ctx, const char *words)
{
    struct faults *faults = ctx;
    faults->n++;
    if (!faults->quiet)
        printf("FAULT %s\n", words);
}

static void bad_object(void *ctx, const char *name, const char *words)
{
    char text[256];
    (void)snprintf(text, sizeof text, "object %.64s: %s", name, words);
    fault(ctx, text);
}

static enum err check_ledger(struct center *c, const char *head, struct ledger_report *report,
                             struct faults *faults, struct why *why)
{
    char text[400];
    enum err err = ledger_check(c->store, head, report, why);
    if (err || !report->words[0])
        return err;
    (void)snprintf(text, sizeof text, "ledger entry %lld: %s", (long long)report->first_bad,
                   report->words);
    fault(faults, text);
    return ERR_OK;
}

static void bad_set(void *ctx, const char *what, const char *words)
{
    char text[400];
    (void)snprintf(text, sizeof text, "%s: %s", what, words);
    fault(ctx, text);
}

static enum err check(struct center *c, const char *head, bool repair, struct faults *faults,
                      struct why *why)
{
    struct ledger_report ledger = {0};
    struct why store_why = {0};
    size_t n_objects = 0;
    if (store_check(c->store, &store_why))
        fault(faults, why_text(&store_why, ERR_CORRUPT));
    enum err err = check_ledger(c, head, &ledger, faults, why);
    if (!err)
        err = objects_check(c->objects, bad_object, faults, &n_objects, why);
    if (!err)
        err = knowledge_check(c->knowledge, repair, fault, faults, why);
    if (!err)
        err = data_check(c->data, bad_set, faults, NULL, why);
    if (!err)
        err = release_check(c->release, bad_set, faults, why);
    struct meter_report meter = {0};
    struct collect_report orphans = {0};
    if (!err)
        err = collect(c, false, &orphans, why);
    if (!err)
        err = meter_check(c->meter, fault, faults, &meter, why);
    if (err)
        return err;
    if (c->opts->json)
        printf("{\"faults\":%lld,\"ledger_entries\":%lld,\"ledger_head_sha256\":\"%s\",\"ledger_"
               "head_sm3\":\"%s\","
               "\"objects\":%zu,\"orphans\":%lld,\"orphan_bytes\":%lld,\"metered_calls\":%lld,"
               "\"metered_batches\":%lld,\"closed_bills\":%"
               "lld}\n",
               (long long)faults->n, (long long)ledger.n_entries, ledger.head_sha256,
               ledger.head_sm3, n_objects, (long long)orphans.n_orphans,
               (long long)orphans.orphan_bytes, (long long)meter.n_lines,
               (long long)meter.n_batches, (long long)meter.n_bills);
    else
        printf(
            "%lld ledger entries, head %s\n%zu objects, %lld of them (%lld bytes) referred to by "
            "nothing: see yicheng gc\n%lld metered calls in %lld batches, %lld closed bills\n%s\n",
            (long long)ledger.n_entries, ledger.head_sha256, n_objects,
            (long long)orphans.n_orphans, (long long)orphans.orphan_bytes, (long long)meter.n_lines,
            (long long)meter.n_batches, (long long)meter.n_bills,
            faults->n ? "faults were found" : "everything fits");
    return ERR_OK;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    struct faults faults = {.quiet = opts->json};
    const char *head = command_option(&argc, argv, "--head");
    bool repair = command_flag(&argc, argv, "--repair");
    if (command_rest(argc, argv, 0, 0, &why))
        return command_usage(&command_check);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (err)
        return command_fail("check", err, &why);
    err = check(&center, head, repair, &faults, &why);
    center_close(&center);
    return err ? command_fail("check", err, &why) : faults.n > 0;
}

const struct command command_check = {
    .name = "check",
    .usage = "[--head SHA256] [--repair]",
    .summary = "Prove the ledger's chain, the objects, the indexes and the bills; --head: a chain "
               "head noted "
               "earlier; --repair "
               "rebuilds indexes",
    .run = run,
};
