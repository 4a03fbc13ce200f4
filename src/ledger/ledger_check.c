/* The chain: what digests are taken of, and the proof that it is whole. */
#include <stdio.h>
#include <string.h>

#include "core/time.h"
#include "ledger/ledger_chain.h"

#define ZEROS16 "0000000000000000"
#define ZEROS64 ZEROS16 ZEROS16 ZEROS16 ZEROS16

const struct ledger_digests ledger_before_first = {ZEROS64, ZEROS64};

/* Both digests take the same bytes. */
struct sink {
    struct hash *sha256, *sm3;
};

static void add(struct sink *sink, struct str s)
{
    hash_add(sink->sha256, s.ptr, s.len);
    hash_add(sink->sm3, s.ptr, s.len);
}

static void add_field(struct sink *sink, struct str s)
{
    char head[32];
    int len = snprintf(head, sizeof head, "%zu:", s.len);
    add(sink, (struct str){head, (size_t)len});
    add(sink, s);
    add(sink, STR("\n"));
}

static void add_int(struct sink *sink, int64_t value)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%lld", (long long)value);
    add_field(sink, (struct str){text, (size_t)len});
}

static void end(struct hash *hash, char out[HASH_TEXT])
{
    uint8_t digest[HASH_BYTES];
    hash_end(hash, digest);
    (void)hex_put(digest, sizeof digest, out);
}

enum err ledger_digest(const struct ledger_entry *entry, const struct ledger_digests *before,
                       struct ledger_digests *out, struct why *why)
{
    struct sink sink = {hash_new(HASH_SHA256), hash_new(HASH_SM3)};
    enum err err = ERR_OK;
    if (!sink.sha256 || !sink.sm3) {
        err = err_set(why, ERR_NO_MEMORY, "could not compute the digests of an entry");
        goto done;
    }
    const struct str fields[] = {
        entry->tenant, entry->actor, entry->address, entry->action,         entry->object,
        entry->result, entry->trace, entry->detail,  str_c(before->sha256), str_c(before->sm3)};
    add(&sink, STR("yicheng ledger 1\n"));
    add_int(&sink, entry->number);
    add_int(&sink, entry->time_ms);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        add_field(&sink, fields[i]);
    end(sink.sha256, out->sha256);
    end(sink.sm3, out->sm3);
done:
    hash_free(sink.sha256);
    hash_free(sink.sm3);
    return err;
}

struct ledger_entry ledger_entry_of(const struct store_rows *rows, size_t row)
{
    return (struct ledger_entry){.number = store_int(rows, row, 0),
                                 .time_ms = store_int(rows, row, 1),
                                 .tenant = store_str(rows, row, 2),
                                 .actor = store_str(rows, row, 3),
                                 .address = store_str(rows, row, 4),
                                 .action = store_str(rows, row, 5),
                                 .object = store_str(rows, row, 6),
                                 .result = store_str(rows, row, 7),
                                 .trace = store_str(rows, row, 8),
                                 .detail = store_str(rows, row, 9),
                                 .sha256 = store_str(rows, row, 10),
                                 .sm3 = store_str(rows, row, 11)};
}

struct checking {
    struct ledger_report *report;
    struct ledger_digests before;
    int64_t last; /* number of the entry before */
    struct str expect_head;
    bool seen_head;
};

static void bad(struct ledger_report *report, int64_t number, const char *words)
{
    if (report->first_bad)
        return;
    report->first_bad = number;
    (void)snprintf(report->words, sizeof report->words, "entry %lld %s", (long long)number, words);
}

static enum err check_entry(void *ctx, const struct store_rows *row, struct why *why)
{
    struct checking *checking = ctx;
    struct ledger_report *report = checking->report;
    struct ledger_entry entry = ledger_entry_of(row, 0);
    struct ledger_digests real;
    enum err err = ledger_digest(&entry, &checking->before, &real, why);
    if (err)
        return err;
    if (entry.number > checking->last + 1)
        bad(report, checking->last + 1, "is missing");
    else if (entry.number != checking->last + 1)
        bad(report, 1, "is not the first: there is one with a number below it");
    else if (!str_eq_c(entry.sha256, real.sha256))
        bad(report, entry.number, "does not have its SHA-256: it or the entry before was changed");
    else if (!str_eq_c(entry.sm3, real.sm3))
        bad(report, entry.number, "does not have its SM3: it or the entry before was changed");
    report->n_entries++;
    checking->last = entry.number;
    /* What stands there, not what should: the entries behind a change are whole in themselves. */
    (void)snprintf(checking->before.sha256, HASH_TEXT, "%.*s", STR_FMT(entry.sha256));
    (void)snprintf(checking->before.sm3, HASH_TEXT, "%.*s", STR_FMT(entry.sm3));
    if (str_eq(entry.sha256, checking->expect_head))
        checking->seen_head = true;
    return ERR_OK;
}

enum err ledger_check(struct store *store, const char *expect_head, struct ledger_report *out,
                      struct why *why)
{
    struct ledger_report report = {0};
    struct checking checking = {
        .report = &report, .before = ledger_before_first, .expect_head = str_c(expect_head)};
    checking.seen_head = str_eq_c(checking.expect_head, ledger_before_first.sha256);
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_READ, &tx, why);
    if (err)
        return err;
    err = store_each(tx, "SELECT " LEDGER_COLUMNS " FROM ledger_entries ORDER BY number",
                     STORE_NO_ARGS, check_entry, &checking, why);
    store_rollback(tx);
    if (err)
        return err;
    if (checking.expect_head.len > 0 && !checking.seen_head)
        bad(&report, checking.last + 1,
            "should follow: the head that was noted earlier does not stand in the ledger");
    (void)snprintf(report.head_sha256, sizeof report.head_sha256, "%s", checking.before.sha256);
    (void)snprintf(report.head_sm3, sizeof report.head_sm3, "%s", checking.before.sm3);
    *out = report;
    return ERR_OK;
}
