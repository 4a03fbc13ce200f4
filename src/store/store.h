/*
 * store - one contract, two engines: SQLite (WAL) and PostgreSQL.
 *
 * SQL is written once, in the dialect both engines share, with '?' for parameters: INTEGER (64
 * bits), REAL, TEXT, BLOB, ON CONFLICT ... DO UPDATE, RETURNING, no AUTOINCREMENT (ids are UUIDv7
 * TEXT). For PostgreSQL the store rewrites '?' to $1.., INTEGER to BIGINT, BLOB to BYTEA and REAL
 * to DOUBLE PRECISION (in migrations). Values never go into the SQL text.
 *
 *
 * What behaves alike on both, and what to keep away from:
 *   - text is UTF-8 without '\0' (ERR_INVALID otherwise); it sorts bytewise and LIKE minds the
 * case. Say ESCAPE '!' when a pattern has '_', '%' or a backslash to take literally.
 *   - a statement names its tables and columns in lower case and never ends in ';'.
 *   - INTEGER PRIMARY KEY counts by itself on one engine only: always give the value.
 *   - an argument has its own type: compare a TEXT column with SV_C/SV_STR, an INTEGER with SV_INT.
 *   - tests for "no filter" are made in C (leave the condition out) or with a flag (? = 0 OR x =
 * ?).
 *
 * Threads: a `struct store` serves any thread; a transaction belongs to the thread that began it.
 * One writer at a time, over all processes on the database: what a write transaction has read is
 * still so when it commits, on either engine. Others wait in line up to busy_timeout_ms; readers
 * never wait for writers. A thread that holds a write transaction and asks for a second one waits
 * for itself and gets ERR_BUSY. Keep write transactions short: no model, no network inside.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "core/str.h"

struct arena;
struct store;
struct store_tx;

struct store_opts {
    const char *url; /* "postgres://..." or "postgresql://...", else the path of a SQLite file */
    int64_t busy_timeout_ms; /* how long a writer waits for another */
    int n_connections;       /* most open at once; readers wait for a free one */
};

ERR_MUST_USE enum err store_open(const struct store_opts *opts, struct store **out,
                                 struct why *why);
void store_close(struct store *store); /* waits for nothing: no transaction may be open */
const char *store_engine(const struct store *store); /* "sqlite" or "postgresql" */

/* ---- migrations ---- */

/* A room's numbered steps, handed in by main; 1, 2, 3 ... without gaps. Never changed once
 * released. */
struct store_migration {
    const char *room;
    int number;
    const char *sql;          /* statements separated by ';' */
    const char *sql_postgres; /* NULL: the same, rewritten */
};

/* Runs what is missing, each step in one transaction together with its entry in store_migrations
 * (room, number, SHA-256 of the text, time, text). *n_pending (may be NULL) gets how many were
 * missing. ERR_INVALID when the steps of a room are not 1, 2, 3 ... in this order.
 * ERR_CONFLICT when the database has steps that this program does not know (it is older than the
 * data), or when a step's text differs from the one that ran. With `dry_run` only counts them. */
ERR_MUST_USE enum err store_migrate(struct store *store, const struct store_migration *steps,
                                    size_t n, bool dry_run, size_t *n_pending, struct why *why);

/* ---- values and rows ---- */

enum store_kind { STORE_NULL, STORE_INT, STORE_REAL, STORE_TEXT, STORE_BLOB };

struct store_value {
    enum store_kind kind;
    int64_t i;
    double r;
    struct str s; /* text or blob */
};

#define SV_NULL    ((struct store_value){.kind = STORE_NULL})
#define SV_INT(x)  ((struct store_value){.kind = STORE_INT, .i = (x)})
#define SV_REAL(x) ((struct store_value){.kind = STORE_REAL, .r = (x)})
#define SV_STR(x)  ((struct store_value){.kind = STORE_TEXT, .s = (x)})
#define SV_C(x)    ((struct store_value){.kind = STORE_TEXT, .s = str_c(x)})
#define SV_BLOB(x) ((struct store_value){.kind = STORE_BLOB, .s = (x)})

/* The arguments of a statement: STORE_ARGS(SV_C(id), SV_INT(now)), or STORE_NO_ARGS. */
struct store_args {
    const struct store_value *values;
    size_t n;
};
#define STORE_ARGS(...)                                                                            \
    ((struct store_args){(const struct store_value[]){__VA_ARGS__},                                \
                         sizeof((const struct store_value[]){__VA_ARGS__}) /                       \
                             sizeof(struct store_value)})
#define STORE_NO_ARGS ((struct store_args){NULL, 0})

struct store_rows {
    struct store_value *values; /* (n_rows, n_cols), row-major */
    size_t n_rows;
    size_t n_cols;
};

/* Cells, forgiving: a NULL or a cell outside gives 0, 0.0 or the empty str. */
int64_t store_int(const struct store_rows *rows, size_t row, size_t col);
double store_real(const struct store_rows *rows, size_t row, size_t col);
struct str store_str(const struct store_rows *rows, size_t row, size_t col);
bool store_is_null(const struct store_rows *rows, size_t row, size_t col);

/* ---- transactions ---- */

enum store_mode { STORE_READ, STORE_WRITE };

/* A read sees one state of the database throughout, and may not write. ERR_BUSY when no connection
 * or the writer's place was to be had in time; ERR_UNAVAILABLE when the database server is away. */
ERR_MUST_USE enum err store_begin(struct store *store, enum store_mode mode, struct store_tx **out,
                                  struct why *why);
/* Durable when it returns ERR_OK (SQLite: synchronous=FULL in WAL). On an error nothing happened,
 * and the transaction has ended. (PostgreSQL lost in the very moment of a commit is asked
 * afterwards what became of it; if it does not come back within busy_timeout_ms, ERR_UNAVAILABLE
 * says that the outcome is unknown.) */
ERR_MUST_USE enum err store_commit(struct store_tx *tx, struct why *why);
/* NULL is fine: store_rollback(tx) may stand at every `done:`. */
void store_rollback(struct store_tx *tx);

/*
 * One statement without rows; *n_changed (may be NULL) gets the rows that it changed.
 *
 *   Errors  ERR_CONFLICT     uniqueness or a foreign key is violated
 *           ERR_INVALID      NOT NULL or CHECK is violated, or a text argument is not UTF-8
 *           ERR_NO_SPACE     the disk is full
 *           ERR_UNAVAILABLE  the database server went away
 *           ERR_INTERNAL     the statement is wrong, or writes in a read transaction
 *
 * After an error of the database the transaction is void: further statements and the commit give
 * the same error. To probe, write ON CONFLICT DO NOTHING and look at *n_changed.
 */
ERR_MUST_USE enum err store_exec(struct store_tx *tx, const char *sql, struct store_args args,
                                 int64_t *n_changed, struct why *why);
/* One statement with rows, all of them in `arena`. */
ERR_MUST_USE enum err store_query(struct store_tx *tx, const char *sql, struct store_args args,
                                  struct arena *arena, struct store_rows *out, struct why *why);
/* The same row by row (`row` has n_rows == 1 and is valid during the call); for results of any
 * size. An error from `each` ends it and is returned; the transaction stays usable. `each` must not
 * use the transaction that it is called from. */
typedef enum err store_row_fn(void *ctx, const struct store_rows *row, struct why *why);
ERR_MUST_USE enum err store_each(struct store_tx *tx, const char *sql, struct store_args args,
                                 store_row_fn *each, void *ctx, struct why *why);

/* One statement, or one query that only reads, in a transaction of its own. */
ERR_MUST_USE enum err store_run(struct store *store, const char *sql, struct store_args args,
                                int64_t *n_changed, struct why *why);
ERR_MUST_USE enum err store_ask(struct store *store, const char *sql, struct store_args args,
                                struct arena *arena, struct store_rows *out, struct why *why);

/* Calls `each` for every text of at least `least` characters in every table, in one state of the
 * database: for who looks for what is named anywhere. An error from it ends the walk. Cost: all
 * tables are read. */
typedef enum err store_text_fn(void *ctx, struct str table, struct str text, struct why *why);
ERR_MUST_USE enum err store_texts(struct store *store, size_t least, store_text_fn *each, void *ctx,
                                  struct why *why);

/* A consistent copy while running: SQLite's backup API into a file, for PostgreSQL a COPY of every
 * table in one repeatable-read snapshot into one file. */
ERR_MUST_USE enum err store_backup(struct store *store, const char *path, struct why *why);
/*
 * Fills an empty database (ERR_CONFLICT) from a backup, all of it or nothing. A backup of SQLite
 * can be restored into PostgreSQL, too: that is how a centre grows. Its tables are then made by
 * those of the program's `steps` that the backup had run; otherwise `steps` are not used. Run
 * store_migrate() afterwards. ERR_CORRUPT for a damaged file, ERR_UNSUPPORTED for one of PostgreSQL
 * into SQLite.
 */
ERR_MUST_USE enum err store_restore(struct store *store, const char *path,
                                    const struct store_migration *steps, size_t n, struct why *why);
/* The engine's own integrity check. */
ERR_MUST_USE enum err store_check(struct store *store, struct why *why);

#endif
