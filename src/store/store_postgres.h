/* store/store_postgres - between the two files of the engine PostgreSQL. Internal to the room. */
#ifndef STORE_STORE_POSTGRES_H
#define STORE_STORE_POSTGRES_H

#include "store/store_engine.h"

/* COPY ... TO STDOUT: `take` gets every row in the text format. */
typedef enum err pg_copy_fn(void *ctx, struct str row, struct why *why);
ERR_MUST_USE enum err pg_copy_out(struct store_conn *conn, const char *sql, pg_copy_fn *take,
                                  void *ctx, int64_t *n_rows, struct why *why);

/* COPY ... FROM STDIN: once pg_copy_in, pg_copy_in_put with rows cut anywhere, once pg_copy_in_end.
 * After an error in between the connection is not used again. */
ERR_MUST_USE enum err pg_copy_in(struct store_conn *conn, const char *sql, struct why *why);
ERR_MUST_USE enum err pg_copy_in_put(struct store_conn *conn, struct str bytes, struct why *why);
ERR_MUST_USE enum err pg_copy_in_end(struct store_conn *conn, int64_t *n_rows, struct why *why);

/* Those of struct store_engine. */
enum err pg_backup(struct store_conn *conn, const char *path, struct why *why);
enum err pg_restore(struct store_conn *conn, const char *path, struct why *why);
enum err pg_check(struct store_conn *conn, struct why *why);

#endif
