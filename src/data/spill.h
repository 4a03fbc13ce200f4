/*
 * data/spill - pairs of numbers by the million, sorted by the first, through files.
 *
 * For decide(): entries are put in any order, parted by ranges of their keys into files of a
 * folder, and each part is read back sorted. So what has the same key is found side by side, in the
 * memory that one part takes, and parts may be worked on by several threads.
 *
 * Entries in all are bounded by the disk alone: 16 bytes each, written and read once.
 */
#ifndef DATA_SPILL_H
#define DATA_SPILL_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spill_entry {
    uint64_t key, value;
};

struct spill;

/*
 * For about n_entries with keys 0 .. key_most, evenly spread (a hash, the number of a record), so
 * that a part with the copy that sorting takes stays near part_bytes. `name` tells several spills
 * of a folder apart. Free what it gives, also after an error.
 */
ERR_MUST_USE enum err spill_new(const char *dir, const char *name, uint64_t n_entries,
                                uint64_t key_most, size_t part_bytes, struct spill **out,
                                struct why *why);
void spill_free(struct spill *spill);

/* From one thread at a time. ERR_NO_SPACE, ERR_IO. */
ERR_MUST_USE enum err spill_put(struct spill *spill, uint64_t key, uint64_t value, struct why *why);
/* Behind the last spill_put(): nothing stays in memory. */
ERR_MUST_USE enum err spill_end(struct spill *spill, struct why *why);

size_t spill_n_parts(const struct spill *spill);
uint64_t spill_n(const struct spill *spill);
/* Part i, sorted by key and then by value; parts are in the order of their keys. The caller frees
 * *out. Its file is gone afterwards. */
ERR_MUST_USE enum err spill_part(struct spill *spill, size_t i, struct spill_entry **out, size_t *n,
                                 struct why *why);

/* The end of the run of equal keys that begins at i. */
static inline size_t spill_run(const struct spill_entry *all, size_t n, size_t i)
{
    uint64_t key = all[i].key;
    while (i < n && all[i].key == key)
        i++;
    return i;
}

#endif
