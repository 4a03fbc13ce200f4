/* The contract: the pool of connections, the rules of transactions, rows in arenas. */
#include "store/store.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "store/store_engine.h"

#define MOST_CONNECTIONS 256

/* ---- places: who may use a connection, in the order of asking ---- */

struct waiter {
    pthread_cond_t given;
    struct store_tx *tx;
    struct waiter *next;
};

struct places {
    struct store_tx *idle;
    struct waiter *first, **last;
};

struct store {
    const struct store_engine *engine;
    struct store_opts opts;
    char *url;
    pthread_mutex_t lock;    /* of both places */
    struct places places[2]; /* by mode: readers, the writer */
    struct store_tx *txs;    /* n_txs of them; the first one writes */
    size_t n_txs;
};

static struct timespec deadline(int64_t wait_ms)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += wait_ms / 1000;
    ts.tv_nsec += (wait_ms % 1000) * 1000000;
    if (ts.tv_nsec >= 1000000000) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000;
    }
    return ts;
}

static void leave(struct places *places, struct waiter *waiter)
{
    struct waiter **at = &places->first;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    if (!*at)
        places->last = at;
}

/* Waits in line until somebody gives a place or the time is over; the lock is held. */
static struct store_tx *wait_in_line(struct store *store, struct places *places)
{
    struct waiter self = {.tx = NULL};
    struct timespec until = deadline(store->opts.busy_timeout_ms);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&self.given, &attr);
    pthread_condattr_destroy(&attr);
    /* It leaves the line before this returns: by leave(), here or by who gives the place. */
    *places->last = &self;
    /* cppcheck-suppress autoVariables */
    places->last = &self.next;
    while (!self.tx && pthread_cond_timedwait(&self.given, &store->lock, &until) == 0)
        ;
    if (!self.tx)
        leave(places, &self);
    pthread_cond_destroy(&self.given);
    return self.tx;
}

static struct store_tx *take_place(struct store *store, enum store_mode mode)
{
    struct places *places = &store->places[mode];
    pthread_mutex_lock(&store->lock);
    struct store_tx *tx = places->idle;
    if (tx)
        places->idle = tx->next;
    else
        tx = wait_in_line(store, places);
    pthread_mutex_unlock(&store->lock);
    return tx;
}

static void give_place(struct store_tx *tx)
{
    struct store *store = tx->store;
    struct places *places = &store->places[tx->mode];
    pthread_mutex_lock(&store->lock);
    struct waiter *waiter = places->first;
    if (waiter) {
        leave(places, waiter);
        waiter->tx = tx;
        pthread_cond_signal(&waiter->given);
    } else {
        tx->next = places->idle;
        places->idle = tx;
    }
    pthread_mutex_unlock(&store->lock);
}

/* ---- connections ---- */

static void drop_connection(struct store_tx *tx)
{
    tx->store->engine->disconnect(tx->conn);
    tx->conn = NULL;
}

enum err store_take(struct store *store, enum store_mode mode, struct store_tx **out,
                    struct why *why)
{
    struct store_tx *tx = take_place(store, mode);
    if (!tx) {
        err_set(why, ERR_BUSY, "waited %lld ms for %s", (long long)store->opts.busy_timeout_ms,
                mode == STORE_WRITE ? "another writer to end" : "a free connection");
        return ERR_BUSY;
    }
    tx->spent = ERR_OK;
    if (!tx->conn) {
        enum err err = store->engine->connect(&store->opts, mode, &tx->conn, why);
        if (err) {
            give_place(tx);
            return err;
        }
    }
    *out = tx;
    return ERR_OK;
}

void store_give(struct store_tx *tx)
{
    if (tx->conn && !tx->store->engine->alive(tx->conn))
        drop_connection(tx);
    give_place(tx);
}

const struct store_engine *store_engine_of(const struct store *store)
{
    return store->engine;
}

/* ---- opening and closing ---- */

static const struct store_engine *engine_for(const char *url)
{
    return strncmp(url, "postgres://", 11) == 0 || strncmp(url, "postgresql://", 13) == 0
               ? &store_postgres
               : &store_sqlite;
}

static enum err check_opts(const struct store_opts *opts, struct why *why)
{
    if (!opts->url || !opts->url[0])
        return err_set(why, ERR_INVALID, "no database is named");
    if (opts->n_connections < 1 || opts->n_connections > MOST_CONNECTIONS)
        return err_set(why, ERR_INVALID, "%d connections to the database: must be 1 to %d",
                       opts->n_connections, MOST_CONNECTIONS);
    if (opts->busy_timeout_ms < 0 || opts->busy_timeout_ms > 3600000)
        return err_set(why, ERR_INVALID, "a wait of %lld ms for a writer: must be 0 to 3600000",
                       (long long)opts->busy_timeout_ms);
    return ERR_OK;
}

static struct store *make(const struct store_opts *opts)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return NULL;
    store->n_txs = (size_t)opts->n_connections + 1;
    store->txs = calloc(store->n_txs, sizeof *store->txs);
    store->url = strdup(opts->url);
    if (!store->txs || !store->url || pthread_mutex_init(&store->lock, NULL) != 0) {
        free(store->txs);
        free(store->url);
        free(store);
        return NULL;
    }
    store->opts = *opts;
    store->opts.url = store->url;
    store->engine = engine_for(opts->url);
    for (int mode = STORE_READ; mode <= STORE_WRITE; mode++)
        store->places[mode].last = &store->places[mode].first;
    for (size_t i = store->n_txs; i-- > 0;) {
        store->txs[i].store = store;
        store->txs[i].mode = i == 0 ? STORE_WRITE : STORE_READ;
        give_place(&store->txs[i]);
    }
    return store;
}

enum err store_open(const struct store_opts *opts, struct store **out, struct why *why)
{
    enum err err = check_opts(opts, why);
    if (err)
        return err;
    struct store *store = make(opts);
    if (!store)
        return err_set(why, ERR_NO_MEMORY, "could not hold the database's connections");
    /* The first connection shows whether the database can be used at all. */
    struct store_tx *tx;
    err = store_take(store, STORE_WRITE, &tx, why);
    if (err) {
        store_close(store);
        return err;
    }
    store_give(tx);
    *out = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    for (size_t i = store->n_txs; i-- > 0;) {
        assert(!store->txs[i].open);
        drop_connection(&store->txs[i]);
    }
    pthread_mutex_destroy(&store->lock);
    free(store->txs);
    free(store->url);
    free(store);
}

const char *store_engine(const struct store *store)
{
    return store->engine->name;
}

/* ---- transactions ---- */

enum err store_begin(struct store *store, enum store_mode mode, struct store_tx **out,
                     struct why *why)
{
    struct store_tx *tx;
    enum err err = store_take(store, mode, &tx, why);
    if (err)
        return err;
    struct why first = {0};
    err = store->engine->begin(tx->conn, mode, &first);
    if (err == ERR_UNAVAILABLE) {
        /* The server was restarted since this connection was used: nothing began, so try anew. */
        drop_connection(tx);
        memset(&first, 0, sizeof first);
        err = store->engine->connect(&store->opts, mode, &tx->conn, &first);
        if (!err)
            err = store->engine->begin(tx->conn, mode, &first);
    }
    if (err) {
        store_give(tx);
        if (why && !why->text[0])
            *why = first;
        return err;
    }
    tx->open = true;
    *out = tx;
    return ERR_OK;
}

static void end(struct store_tx *tx)
{
    tx->open = false;
    store_give(tx);
}

enum err store_commit(struct store_tx *tx, struct why *why)
{
    assert(tx->open && !tx->running);
    enum err err = tx->spent;
    if (err) {
        tx->store->engine->rollback(tx->conn);
        err_set(why, err, "a statement of this transaction had failed");
    } else {
        err = tx->store->engine->commit(tx->conn, why);
    }
    end(tx);
    return err;
}

void store_rollback(struct store_tx *tx)
{
    if (!tx)
        return;
    assert(tx->open && !tx->running);
    tx->store->engine->rollback(tx->conn);
    end(tx);
}

/* ---- statements ---- */

static enum err check_args(struct store_args args, struct why *why)
{
    for (size_t i = 0; i < args.n; i++) {
        if (args.values[i].kind == STORE_REAL && !isfinite(args.values[i].r))
            return err_set(why, ERR_INVALID, "a number is not finite");
        if (args.values[i].kind != STORE_TEXT || args.values[i].s.len == 0)
            continue;
        struct str s = args.values[i].s;
        size_t bad = utf8_invalid(s);
        if (bad != STR_NPOS || memchr(s.ptr, '\0', s.len))
            return err_set(why, ERR_INVALID, "the text is not valid UTF-8 at byte %zu",
                           bad != STR_NPOS ? bad : str_find_char(s, '\0'));
    }
    return ERR_OK;
}

/* Tells an error of the receiver of rows from one of the engine: only the latter spends the
 * transaction. */
struct receiver {
    store_row_fn *each;
    void *ctx;
    enum err err;
};

static enum err receive(void *ctx, const struct store_rows *row, struct why *why)
{
    struct receiver *receiver = ctx;
    receiver->err = receiver->each(receiver->ctx, row, why);
    return receiver->err;
}

static enum err run(struct store_tx *tx, const char *sql, struct store_args args,
                    store_row_fn *each, void *ctx, bool large, int64_t *n_changed, struct why *why)
{
    assert(tx->open && !tx->running);
    if (tx->spent)
        return err_set(why, tx->spent, "a statement of this transaction had failed");
    enum err err = check_args(args, why);
    if (err)
        return err;
    struct receiver receiver = {each, ctx, ERR_OK};
    tx->running = true;
    err = tx->store->engine->run(tx->conn, sql, args, each ? receive : NULL, &receiver, large,
                                 n_changed, why);
    tx->running = false;
    if (err && !receiver.err)
        tx->spent = err;
    return err;
}

enum err store_exec(struct store_tx *tx, const char *sql, struct store_args args,
                    int64_t *n_changed, struct why *why)
{
    return run(tx, sql, args, NULL, NULL, false, n_changed, why);
}

enum err store_each(struct store_tx *tx, const char *sql, struct store_args args,
                    store_row_fn *each, void *ctx, struct why *why)
{
    return run(tx, sql, args, each, ctx, true, NULL, why);
}

struct collect {
    struct arena *arena;
    struct store_rows rows;
    size_t cap; /* rows that rows.values has room for */
};

static enum err collect_grow(struct collect *collect)
{
    size_t cap = collect->cap ? collect->cap * 2 : 1;
    size_t bytes = collect->rows.n_cols * sizeof(struct store_value);
    struct store_value *values =
        arena_grow(collect->arena, collect->rows.values, collect->cap * bytes, cap * bytes);
    if (!values)
        return ERR_NO_MEMORY;
    collect->rows.values = values;
    collect->cap = cap;
    return ERR_OK;
}

static enum err collect_row(void *ctx, const struct store_rows *row, struct why *why)
{
    struct collect *collect = ctx;
    struct store_rows *rows = &collect->rows;
    rows->n_cols = row->n_cols;
    if (rows->n_rows == collect->cap && collect_grow(collect))
        goto no_memory;
    for (size_t i = 0; i < row->n_cols; i++) {
        struct store_value *cell = &rows->values[rows->n_rows * rows->n_cols + i];
        *cell = row->values[i];
        if (cell->kind != STORE_TEXT && cell->kind != STORE_BLOB)
            continue;
        cell->s.ptr = arena_copy(collect->arena, cell->s.ptr ? cell->s.ptr : "", cell->s.len);
        if (!cell->s.ptr)
            goto no_memory;
    }
    rows->n_rows++;
    return ERR_OK;
no_memory:
    return err_set(why, ERR_NO_MEMORY, "could not hold more than %zu rows", rows->n_rows);
}

enum err store_query(struct store_tx *tx, const char *sql, struct store_args args,
                     struct arena *arena, struct store_rows *out, struct why *why)
{
    struct collect collect = {.arena = arena};
    enum err err = run(tx, sql, args, collect_row, &collect, false, NULL, why);
    if (err)
        return err;
    *out = collect.rows;
    return ERR_OK;
}

enum err store_run(struct store *store, const char *sql, struct store_args args, int64_t *n_changed,
                   struct why *why)
{
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = store_exec(tx, sql, args, n_changed, why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

enum err store_ask(struct store *store, const char *sql, struct store_args args,
                   struct arena *arena, struct store_rows *out, struct why *why)
{
    /* A statement alone is a transaction in itself on either engine: beginning and ending one would
     * be two more ways to the server and back. */
    struct why words = {0};
    enum err err = ERR_UNAVAILABLE;
    for (int tries = 0; err == ERR_UNAVAILABLE && tries < 2; tries++) {
        struct store_tx *tx;
        memset(&words, 0, sizeof words);
        err = store_take(store, STORE_READ, &tx, &words);
        if (err)
            break;
        tx->open = true;
        err = store_query(tx, sql, args, arena, out, &words);
        end(tx);
    }
    if (err && why && !why->text[0])
        *why = words;
    return err;
}

/* ---- cells ---- */

static const struct store_value *cell(const struct store_rows *rows, size_t row, size_t col)
{
    static const struct store_value none = {.kind = STORE_NULL};
    return row < rows->n_rows && col < rows->n_cols ? &rows->values[row * rows->n_cols + col]
                                                    : &none;
}

int64_t store_int(const struct store_rows *rows, size_t row, size_t col)
{
    const struct store_value *value = cell(rows, row, col);
    if (value->kind == STORE_REAL)
        return value->r >= -9.2e18 && value->r <= 9.2e18 ? (int64_t)value->r : 0;
    return value->kind == STORE_INT ? value->i : 0;
}

double store_real(const struct store_rows *rows, size_t row, size_t col)
{
    const struct store_value *value = cell(rows, row, col);
    if (value->kind == STORE_INT)
        return (double)value->i;
    return value->kind == STORE_REAL ? value->r : 0.0;
}

struct str store_str(const struct store_rows *rows, size_t row, size_t col)
{
    const struct store_value *value = cell(rows, row, col);
    return value->kind == STORE_TEXT || value->kind == STORE_BLOB ? value->s : STR_NONE;
}

bool store_is_null(const struct store_rows *rows, size_t row, size_t col)
{
    return cell(rows, row, col)->kind == STORE_NULL;
}

/* ---- backup, restore, check: on a connection of their own, outside of transactions ---- */

enum err store_backup(struct store *store, const char *path, struct why *why)
{
    struct store_tx *tx;
    enum err err = store_take(store, STORE_READ, &tx, why);
    if (err)
        return err;
    err = store->engine->backup(tx->conn, path, why);
    store_give(tx);
    return err;
}

enum err store_restore(struct store *store, const char *path, const struct store_migration *steps,
                       size_t n, struct why *why)
{
    struct store_tx *tx;
    bool used = false;
    enum err err = store_take(store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = store->engine->has_table(tx->conn, NULL, &used, why);
    if (!err && used) {
        err = err_set(why, ERR_CONFLICT, "could not restore: the database is not empty");
        err_hint(why, "restore into a new, empty database");
    }
    if (!err)
        err = store->engine->restore(tx->conn, path, steps, n, why);
    store_give(tx);
    return err;
}

enum err store_check(struct store *store, struct why *why)
{
    struct store_tx *tx;
    enum err err = store_take(store, STORE_READ, &tx, why);
    if (err)
        return err;
    err = store->engine->check(tx->conn, why);
    store_give(tx);
    return err;
}
