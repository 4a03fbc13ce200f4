/* ledger/ledger_chain - what an entry's digests are taken of. Internal to the room. */
#ifndef LEDGER_LEDGER_CHAIN_H
#define LEDGER_LEDGER_CHAIN_H

#include "core/hash.h"
#include "ledger/ledger.h"

#define LEDGER_COLUMNS                                                                             \
    "number, time_ms, tenant, actor, address, action, object, result, trace, detail, sha256, sm3"

struct ledger_digests {
    char sha256[HASH_TEXT], sm3[HASH_TEXT]; /* hex */
};

extern const struct ledger_digests ledger_before_first; /* 64 '0' each */

/* The digests of `entry` (its own are not looked at) behind `before`. */
ERR_MUST_USE enum err ledger_digest(const struct ledger_entry *entry,
                                    const struct ledger_digests *before, struct ledger_digests *out,
                                    struct why *why);

/* A row of LEDGER_COLUMNS; strings are borrowed from it. */
struct ledger_entry ledger_entry_of(const struct store_rows *rows, size_t row);

#endif
