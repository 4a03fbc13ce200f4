/*
 * ledger - append-only, hash-chained record of who did what to what, when, with which result.
 *
 * Every entry holds the SHA-256 and the SM3 of its own canonical bytes and of the entry before it,
 * so a change, a removal or an insertion anywhere shows. Owns the table ledger_entries. Entries are
 * written in the caller's transaction: the act and its record are one.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "core/str.h"
#include "store/store.h"

struct arena;

extern const struct store_migration ledger_migrations[];
extern const size_t ledger_n_migrations;

/* What happened. Strings are borrowed for the call. */
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

/* Appends in the write transaction `tx`. Serialised by the transaction: two appenders never fork
 * the chain. *number (may be NULL) gets the entry's number, 1, 2, 3 ... without gaps. */
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

/* Newest first. */
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
 * (NULL or hex SHA-256) is a head noted earlier: it must stand in the chain, so that a cut tail
 * shows. */
ERR_MUST_USE enum err ledger_check(struct store *store, const char *expect_head,
                                   struct ledger_report *out, struct why *why);

#endif
