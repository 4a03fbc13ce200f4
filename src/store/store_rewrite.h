/* store/store_rewrite - from the dialect of store.h to PostgreSQL's. Pure. Internal to the room. */
#ifndef STORE_STORE_REWRITE_H
#define STORE_STORE_REWRITE_H

#include "core/str.h"

/* '?' outside of quotes and comments becomes $1, $2 ...; *n_params counts them. */
void store_rewrite_params(const char *sql, struct buf *out, size_t *n_params);

/*
 * In CREATE TABLE and ALTER TABLE, outside of quotes and comments: INTEGER becomes BIGINT, BLOB
 * BYTEA, REAL DOUBLE PRECISION, and TEXT gets COLLATE "C", so that it sorts bytewise. Only words in
 * capital letters: `text TEXT` is a column with that name. Other statements stay as they are.
 */
void store_rewrite_types(const char *sql, struct buf *out);

#endif
