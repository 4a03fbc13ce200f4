/*
 * main/backup - a whole copy of a data directory while it serves, and back again.
 *
 * A backup is a folder: manifest.json (format, version, times, the ledger's head), store.backup
 * (the database in one state), objects/ (every object that existed then), yicheng.conf when there
 * was one. The key files are not in it (main/keys.h). Indexes are not in it: they are built anew
 * from the texts. A backup into a folder that already holds an older backup copies only the objects
 * that are new.
 */
#ifndef MAIN_BACKUP_H
#define MAIN_BACKUP_H

#include "main/center.h"

struct key_kind;

struct backup_report {
    int64_t n_objects, n_copied;
    char head_sha256[65]; /* of the ledger in the copy */
    /* Keys (main/keys.h) of the centre that the copy leaves out; after a restore those that are not
     * in the new directory. */
    const struct key_kind *without[4];
    size_t n_without;
};

/* The order makes it consistent: first the database, then the objects, which are written once and
 * before any row names them. */
ERR_MUST_USE enum err backup_make(struct center *center, const char *folder,
                                  struct backup_report *out, struct why *why);

/* Into an empty data directory (ERR_CONFLICT otherwise). Every object is verified on the way; the
 * indexes are built anew at the end. ERR_CONFLICT for a backup of a newer program. */
ERR_MUST_USE enum err backup_restore(const struct center_opts *opts, const char *folder,
                                     struct backup_report *out, struct why *why);

#endif
