/* Numbered steps that bring a database to what this program expects. */
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/time.h"
#include "store/store_engine.h"

#define LIST_MOST ((size_t)16 << 20)

/* `sql` stays with the entry, so that a backup can make its tables again. */
const char store_own_table[] = "CREATE TABLE IF NOT EXISTS store_migrations ("
                               " position INTEGER NOT NULL PRIMARY KEY,"
                               " room TEXT NOT NULL,"
                               " number INTEGER NOT NULL,"
                               " checksum TEXT NOT NULL,"
                               " ran_ms INTEGER NOT NULL,"
                               " sql TEXT NOT NULL,"
                               " UNIQUE (room, number))";

struct plan {
    const struct store_engine *engine;
    const struct store_migration *steps;
    size_t n;
    struct store_rows ran; /* room, number, checksum */
};

void store_checksum(const char *sql, char *out)
{
    uint8_t digest[HASH_BYTES];
    hash_of(HASH_SHA256, str_c(sql), digest);
    (void)hex_put(digest, sizeof digest, out);
}

/* The rooms' steps must be 1, 2, 3 ... in the order of the list. */
static enum err check_steps(const struct store_migration *steps, size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        int expect = 1;
        for (size_t j = 0; j < i; j++)
            expect += strcmp(steps[j].room, steps[i].room) == 0;
        if (steps[i].number != expect)
            return err_set(why, ERR_INVALID, "migration %s %d stands where number %d belongs",
                           steps[i].room, steps[i].number, expect);
    }
    return ERR_OK;
}

static enum err read_ran(struct store_tx *tx, struct plan *plan, struct arena *arena,
                         struct why *why)
{
    bool there = false;
    plan->ran = (struct store_rows){0};
    enum err err = plan->engine->has_table(tx->conn, "store_migrations", &there, why);
    if (err || !there)
        return err;
    return store_query(tx, "SELECT room, number, checksum FROM store_migrations ORDER BY position",
                       STORE_NO_ARGS, arena, &plan->ran, why);
}

static const struct store_migration *find_step(const struct plan *plan, size_t row)
{
    for (size_t i = 0; i < plan->n; i++)
        if (str_eq_c(store_str(&plan->ran, row, 0), plan->steps[i].room) &&
            store_int(&plan->ran, row, 1) == plan->steps[i].number)
            return &plan->steps[i];
    return NULL;
}

static bool has_run(const struct plan *plan, const struct store_migration *step)
{
    for (size_t row = 0; row < plan->ran.n_rows; row++)
        if (find_step(plan, row) == step)
            return true;
    return false;
}

/* What ran must be known here and have had the same text. */
static enum err check_ran(const struct plan *plan, struct why *why)
{
    for (size_t row = 0; row < plan->ran.n_rows; row++) {
        struct str room = store_str(&plan->ran, row, 0);
        long long number = store_int(&plan->ran, row, 1);
        const struct store_migration *step = find_step(plan, row);
        char sum[HASH_TEXT];
        if (!step) {
            err_hint(why, "start the newer program, or restore a backup from before the upgrade");
            return err_set(why, ERR_CONFLICT,
                           "the database was made by a newer program: migration %.*s %lld is not "
                           "known here",
                           STR_FMT(room), number);
        }
        store_checksum(plan->engine->migration_sql(step), sum);
        if (!str_eq_c(store_str(&plan->ran, row, 2), sum))
            return err_set(why, ERR_CONFLICT,
                           "migration %.*s %lld is not the one that made this database",
                           STR_FMT(room), number);
    }
    return ERR_OK;
}

static enum err run_step(struct store_tx *tx, const struct plan *plan,
                         const struct store_migration *step, struct why *why)
{
    char sum[HASH_TEXT];
    const char *sql = plan->engine->migration_sql(step);
    store_checksum(sql, sum);
    enum err err = plan->engine->script(tx->conn, store_own_table, why);
    if (!err)
        err = plan->engine->script(tx->conn, sql, why);
    if (!err)
        err = store_exec(tx,
                         "INSERT INTO store_migrations"
                         " (position, room, number, checksum, ran_ms, sql) VALUES"
                         " ((SELECT coalesce(max(position), 0) + 1 FROM store_migrations),"
                         " ?, ?, ?, ?, ?)",
                         STORE_ARGS(SV_C(step->room), SV_INT(step->number), SV_C(sum),
                                    SV_INT(time_now_ms()), SV_C(sql)),
                         NULL, why);
    if (err)
        err_prefix(why, "migration %s %d", step->room, step->number);
    return err;
}

/* One step in one transaction; another process may have run it since the list was read. */
static enum err run_if_missing(struct store *store, struct plan *plan,
                               const struct store_migration *step, struct arena *arena,
                               struct why *why)
{
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    arena_reset(arena);
    err = read_ran(tx, plan, arena, why);
    if (!err)
        err = check_ran(plan, why);
    if (!err && !has_run(plan, step)) {
        err = run_step(tx, plan, step, why);
        if (!err)
            return store_commit(tx, why);
    }
    store_rollback(tx);
    return err;
}

static enum err look(struct store *store, struct plan *plan, struct arena *arena, struct why *why)
{
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_READ, &tx, why);
    if (err)
        return err;
    err = read_ran(tx, plan, arena, why);
    store_rollback(tx);
    return err ? err : check_ran(plan, why);
}

enum err store_migrate(struct store *store, const struct store_migration *steps, size_t n,
                       bool dry_run, size_t *n_pending, struct why *why)
{
    enum err err = check_steps(steps, n, why);
    if (err)
        return err;
    struct arena *arena = arena_new(LIST_MOST);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of migrations");
    struct plan plan = {store_engine_of(store), steps, n, {0}};
    err = look(store, &plan, arena, why);
    size_t pending = 0;
    for (size_t i = 0; !err && i < n; i++)
        pending += !has_run(&plan, &steps[i]);
    for (size_t i = 0; !err && !dry_run && pending > 0 && i < n; i++)
        err = run_if_missing(store, &plan, &steps[i], arena, why);
    if (!err && n_pending)
        *n_pending = pending;
    arena_free(arena);
    return err;
}
