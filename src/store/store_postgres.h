/* store/store_postgres - between the two files of the engine PostgreSQL. Internal to the room. */
#ifndef STORE_STORE_POSTGRES_H
#define STORE_STORE_POSTGRES_H

#include "store/store_dump.h"
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

/* ---- tables, in store_pg_tables.c ---- */

#define PG_MOST_TABLES 1024

struct pg_tables {
    struct store_rows names;      /* (n, 1) */
    struct store_rows edges;      /* (n, 2): a table, and another that it refers to */
    size_t order[PG_MOST_TABLES]; /* of names.n_rows: each table behind those that it refers to */
    bool placed[PG_MOST_TABLES];
};

/* The rows of a query, in `arena`. */
ERR_MUST_USE enum err pg_ask(struct store_conn *conn, const char *sql, struct store_args args,
                             struct arena *arena, struct store_rows *out, struct why *why);
/* The rooms' tables. ERR_UNSUPPORTED when they refer to each other in a circle. */
ERR_MUST_USE enum err pg_list_tables(struct store_conn *conn, struct arena *arena,
                                     struct pg_tables *out, struct why *why);
ERR_MUST_USE enum err pg_columns(struct store_conn *conn, struct str name, struct arena *arena,
                                 struct dump_table *out, struct why *why);
/* Empties all of them, in the transaction that is going on. */
ERR_MUST_USE enum err pg_empty_tables(struct store_conn *conn, struct arena *arena,
                                      struct why *why);
void pg_quote(struct str name, struct buf *out); /* as an identifier */
/* COPY table (columns) and then `direction`. */
ERR_MUST_USE enum err pg_copy_sql(const struct dump_table *table, const char *direction,
                                  struct buf *out, struct why *why);

/* Fills an empty database from a backup of SQLite, in store_pg_adopt.c. */
ERR_MUST_USE enum err pg_adopt(struct store_conn *conn, const char *path,
                               const struct store_migration *steps, size_t n, struct why *why);

/* Those of struct store_engine. */
enum err pg_backup(struct store_conn *conn, const char *path, struct why *why);
enum err pg_restore(struct store_conn *conn, const char *path, const struct store_migration *steps,
                    size_t n, struct why *why);
enum err pg_check(struct store_conn *conn, struct why *why);

#endif
