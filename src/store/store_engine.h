/*
 * store/store_engine - what an engine must give to the store. Internal to the room.
 *
 * store.c owns the pool, the transactions' rules and the migrations; an engine owns one kind of
 * connection and is the only file that sees its library's header. A connection is used by one
 * thread at a time.
 */
#ifndef STORE_STORE_ENGINE_H
#define STORE_STORE_ENGINE_H

#include "store/store.h"

struct store_conn; /* each engine defines its own */

struct store_engine {
    const char *name;

    /* STORE_WRITE makes the one connection that writes, STORE_READ one that only reads. */
    enum err (*connect)(const struct store_opts *opts, enum store_mode mode,
                        struct store_conn **out, struct why *why);
    void (*disconnect)(struct store_conn *conn);
    /* Whether the connection is worth keeping; asked when a transaction has ended. */
    bool (*alive)(struct store_conn *conn);

    enum err (*begin)(struct store_conn *conn, enum store_mode mode, struct why *why);
    enum err (*commit)(struct store_conn *conn, struct why *why);
    void (*rollback)(struct store_conn *conn);

    /*
     * Runs one statement and calls `each` (NULL: rows are dropped) for every row until it gives an
     * error, which is returned. The row is valid during the call. `large`: the rows may be more
     * than memory holds. *n_changed may be NULL. Text values were checked to be UTF-8 without '\0'.
     */
    enum err (*run)(struct store_conn *conn, const char *sql, struct store_args args,
                    store_row_fn *each, void *ctx, bool large, int64_t *n_changed, struct why *why);
    /* Several statements separated by ';', as a migration has them, without parameters. */
    enum err (*script)(struct store_conn *conn, const char *sql, struct why *why);
    /* Whether there is a table of that name; `name` NULL: any table at all. */
    enum err (*has_table)(struct store_conn *conn, const char *name, bool *out, struct why *why);
    /* The text that a migration of this engine runs and that its checksum is taken of. */
    const char *(*migration_sql)(const struct store_migration *step);

    /* Outside of a transaction. */
    enum err (*backup)(struct store_conn *conn, const char *path, struct why *why);
    enum err (*restore)(struct store_conn *conn, const char *path,
                        const struct store_migration *steps, size_t n, struct why *why);
    enum err (*check)(struct store_conn *conn, struct why *why);
};

extern const struct store_engine store_sqlite;
extern const struct store_engine store_postgres;

/* SHA-256 of a migration's text, in hex; out holds HASH_TEXT bytes. */
void store_checksum(const char *sql, char *out);
extern const char store_own_table[]; /* makes the table store_migrations when it is missing */

/* ---- the pool ---- */

struct store_tx {
    struct store *store;
    enum store_mode mode;
    struct store_conn *conn; /* NULL until it is first needed, and after it broke */
    bool open;               /* a transaction is going on */
    bool running;            /* a statement is: its callback may not use the transaction */
    enum err spent;          /* the error that made the rest of the transaction void */
    struct store_tx *next;   /* in the list of idle ones */
};

/* A connection without a transaction, and its way back; for what runs outside of transactions. */
ERR_MUST_USE enum err store_take(struct store *store, enum store_mode mode, struct store_tx **out,
                                 struct why *why);
void store_give(struct store_tx *tx);
const struct store_engine *store_engine_of(const struct store *store);

/* ---- prepared statements, kept by their text ---- */

#define STORE_STMTS 96 /* a room has 10 to 30 statements; the oldest is dropped */

struct store_stmt {
    uint64_t hash;
    uint64_t used; /* tick of the last use; 0: an empty place */
    char *key;     /* key_len bytes, owned */
    size_t key_len;
    void *stmt; /* the engine's */
};

struct store_stmts {
    struct store_stmt items[STORE_STMTS];
    uint64_t tick;
    void (*drop)(void *conn, void *stmt);
    void *conn;
};

/* The statement kept under `key`, or NULL. */
void *store_stmts_find(struct store_stmts *stmts, struct str key);
/* Keeps `stmt`, dropping the one that was unused for longest. False without memory: then the caller
 * still owns it. */
bool store_stmts_keep(struct store_stmts *stmts, struct str key, void *stmt);
void store_stmts_clear(struct store_stmts *stmts); /* drops all */

#endif
