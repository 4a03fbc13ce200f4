/*
 * data/table - room for numbers of every record: in memory, or in a file when it is much.
 */
#ifndef DATA_TABLE_H
#define DATA_TABLE_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

struct data_table {
    void *ptr; /* zeroed */
    size_t bytes;
    bool is_mapped;
};

/* Up to `most` bytes are memory of the process; beyond it is a file in `dir`, written out by the
 * system when memory is short. Its place on the disk is taken at once: ERR_NO_SPACE now and no
 * signal later. */
ERR_MUST_USE enum err data_table_open(struct data_table *table, const char *dir, size_t bytes,
                                      size_t most, struct why *why);
void data_table_close(struct data_table *table);

#endif
