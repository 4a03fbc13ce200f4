/*
 * main/collect - the objects that nothing refers to, and their end.
 *
 * Rooms store an object before the row that names it and never remove one, so crashes, replaced
 * texts and removed documents leave objects behind. An object is meant by somebody when
 *
 *   - any table but the ledger's has its name in any text: a column of its own, JSON, anything
 *   - a file of a job (jobs/) has: what a job had saved when it is run again
 *   - an object that is meant and is JSON has: manifests, shards of records, trails
 *   - it was stored, or stored once more, less than a day ago or since the oldest job that has not
 *     ended was asked for: its row may come yet
 *
 * No room has to say what it holds, so none can forget to. Names in the ledger tell what happened
 * and keep nothing alive. See docs/decisions/0021-objects-that-nothing-refers-to.md.
 */
#ifndef MAIN_COLLECT_H
#define MAIN_COLLECT_H

#include "main/center.h"

struct collect_report {
    int64_t n_objects;
    int64_t n_orphans, orphan_bytes; /* meant by nobody, and old enough */
    int64_t n_young;                 /* named nowhere, and not old enough */
    int64_t n_removed, removed_bytes;
    int64_t before_ms;         /* what was stored since then stays */
    char waits_for[UUID_TEXT]; /* the job that has `before_ms` earlier than a day ago, or "" */
    int64_t oldest_ms;         /* when the oldest orphan was stored, 0: none */
};

/*
 * Counts them; with `remove` also removes them, after an entry of the ledger (objects.collect) that
 * says how many there are. Safe beside imports, jobs and servers on the same data; killed at any
 * moment it leaves some for the next time.
 *
 *   Errors  ERR_BUSY  a backup, or another collection, is running
 *   Cost    reads all tables and all JSON objects; 60 bytes of memory an object
 */
ERR_MUST_USE enum err collect(struct center *center, bool remove, struct collect_report *out,
                              struct why *why);

#endif
