/*
 * ledger - append-only, hash-chained record of who did what to what, when, with which result.
 *
 * Every entry holds the SHA-256 and the SM3 of its own canonical bytes, in which stand both digests
 * of the entry before it, so a change, a removal or an insertion anywhere shows. Owns the table
 * ledger_entries. Entries are written in the caller's transaction: the act and its record are one.
 * The table refuses UPDATE and DELETE by a trigger; that stops accidents, the chain shows the rest.
 *
 * Canonical bytes of an entry: the 17 bytes "yicheng ledger 1\n", then each field as its length in
 * decimal, ':', its bytes, '\n', in this order: number, time_ms (both in decimal), tenant, actor,
 * address, action, object, result, trace, detail, and the lower-case hex SHA-256 and SM3 of the
 * entry before. The first entry has 64 '0' for each of the latter two.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "core/str.h"
#include "store/store.h"

struct arena;

extern const struct store_migration ledger_migrations[];
extern const size_t ledger_n_migrations;

#define LEDGER_FIELD_MOST  512   /* bytes of each field but detail */
#define LEDGER_DETAIL_MOST 16384 /* bytes */

/* What happened. Strings are borrowed for the call; NULL counts as "". */
struct ledger_act {
    const char *tenant;  /* tenant id, "" for the centre itself */
    const char *actor;   /* "user:<id>", "key:<id>", "job:<id>", "system" or "public" */
    const char *address; /* client address, "" when there is none */
    const char *action; /* "<room>.<noun>.<verb>": "ops.user.create", "knowledge.document.import" */
    const char *object; /* id of the object, "" when there is none */
    const char *result; /* "ok" or an error code */
    const char *trace;  /* trace id of the request, "" when there is none */
    struct str detail;  /* a JSON object without secrets and citizens' texts; empty is {} */
};

/*
 * Appends in the write transaction `tx`. There is one writer at a time (store.h), so two appenders
 * never fork the chain. *number (may be NULL) gets the entry's number, 1, 2, 3 ... without gaps.
 *
 *   Errors  ERR_INVALID    no actor, action or result, or detail is not a JSON object
 *           ERR_TOO_LARGE  a field is longer than its limit
 *           and those of store_exec(); the first two leave the transaction usable
 */
ERR_MUST_USE enum err ledger_append(struct store_tx *tx, const struct ledger_act *act,
                                    int64_t *number, struct why *why);
/* The same in a transaction of its own. */
ERR_MUST_USE enum err ledger_record(struct store *store, const struct ledger_act *act,
                                    struct why *why);

struct ledger_entry {
    int64_t number;
    int64_t time_ms;
    struct str tenant, actor, address, action, object, result, trace, detail;
    struct str sha256, sm3; /* hex */
};

struct ledger_filter {
    const char *tenant;                  /* NULL: all tenants (auditor of the centre) */
    const char *actor, *action, *object; /* NULL or "" : any; action may end in '*' */
    int64_t from_ms, to_ms;              /* 0: open */
    int64_t before;                      /* entries with a smaller number; 0: from the newest */
    int limit;                           /* 1 .. 1000 */
};

/* Newest first, all in `arena`. ERR_INVALID for a limit outside 1 .. 1000. */
ERR_MUST_USE enum err ledger_list(struct store *store, const struct ledger_filter *filter,
                                  struct arena *arena, struct ledger_entry **out, size_t *n,
                                  struct why *why);

struct ledger_report {
    int64_t n_entries;
    int64_t first_bad; /* number of the first entry that does not fit, 0 when all do */
    char words[256];   /* what is wrong with it */
    char head_sha256[65], head_sm3[65]; /* of the newest entry: to be noted outside the centre */
};

/* Recomputes the whole chain. ERR_OK also when it is broken: the report says so. `expect_head`
 * (NULL or hex SHA-256 in lower case) is a head noted earlier: it must stand in the chain, so that
 * a cut tail, or a chain computed anew from the change on, shows. Then first_bad is the number
 * after the last entry. Cost: one pass over the table in one read transaction. */
ERR_MUST_USE enum err ledger_check(struct store *store, const char *expect_head,
                                   struct ledger_report *out, struct why *why);

#endif
