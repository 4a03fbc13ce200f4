/* From a backup of SQLite into an empty PostgreSQL, in one transaction. */
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "store/store_postgres.h"

#define LIST_MOST ((size_t)64 << 20)
#define ROW_MOST  ((size_t)2 << 30) /* a row in COPY's text form: twice a blob of 1 GB */

struct adopting {
    struct store_conn *to;
    const struct store_migration *steps;
    size_t n;
    int64_t position;    /* migrations done */
    struct arena *arena; /* lists */
};

/* ---- the tables: by the program's steps, since the backup holds SQLite's text of them ---- */

static const struct store_migration *find_step(const struct adopting *adopting, struct str room,
                                               int64_t number)
{
    for (size_t i = 0; i < adopting->n; i++)
        if (str_eq_c(room, adopting->steps[i].room) && adopting->steps[i].number == number)
            return &adopting->steps[i];
    return NULL;
}

static enum err run_step(void *ctx, const struct store_rows *row, struct why *why)
{
    struct adopting *adopting = ctx;
    struct str room = store_str(row, 0, 0);
    long long number = store_int(row, 0, 1);
    const struct store_migration *step = find_step(adopting, room, number);
    char sum[HASH_TEXT];
    if (!step)
        return err_set(why, ERR_CONFLICT,
                       "the backup was made by a newer program: migration %.*s %lld is not known "
                       "here",
                       STR_FMT(room), number);
    store_checksum(step->sql, sum);
    if (!str_eq_c(store_str(row, 0, 2), sum))
        return err_set(why, ERR_CONFLICT, "migration %.*s %lld is not the one that made the backup",
                       STR_FMT(room), number);
    const char *sql = store_postgres.migration_sql(step);
    store_checksum(sql, sum);
    enum err err = store_postgres.script(adopting->to, sql, why);
    adopting->position++;
    if (!err)
        err = store_postgres.run(
            adopting->to,
            "INSERT INTO store_migrations"
            " (position, room, number, checksum, ran_ms, sql) VALUES (?, ?, ?, ?, ?, ?)",
            STORE_ARGS(SV_INT(adopting->position), SV_C(step->room), SV_INT(step->number),
                       SV_C(sum), SV_INT(store_int(row, 0, 3)), SV_C(sql)),
            NULL, NULL, false, NULL, why);
    if (err)
        err_prefix(why, "migration %s %d", step->room, step->number);
    return err;
}

static enum err make_tables(struct adopting *adopting, struct store_conn *from, struct why *why)
{
    bool migrated = false;
    enum err err = store_sqlite.has_table(from, "store_migrations", &migrated, why);
    if (err || !migrated)
        return err;
    err = store_postgres.script(adopting->to, store_own_table, why);
    if (!err)
        err = store_sqlite.run(from,
                               "SELECT room, number, checksum, ran_ms FROM store_migrations"
                               " ORDER BY position",
                               STORE_NO_ARGS, run_step, adopting, true, NULL, why);
    return err;
}

/* ---- the rows, in COPY's text form ---- */

static void put_text(struct buf *out, struct str s)
{
    size_t from = 0;
    for (size_t i = 0; i < s.len; i++) {
        const char *escape = s.ptr[i] == '\\'   ? "\\\\"
                             : s.ptr[i] == '\n' ? "\\n"
                             : s.ptr[i] == '\r' ? "\\r"
                             : s.ptr[i] == '\t' ? "\\t"
                                                : NULL;
        if (!escape)
            continue;
        buf_add(out, str_slice(s, from, i));
        buf_add_c(out, escape);
        from = i + 1;
    }
    buf_add(out, str_from(s, from));
}

static void put_bytes(struct buf *out, struct str s)
{
    buf_add_c(out, "\\\\x");
    char *hex = buf_room(out, 2 * s.len + 1); /* hex_put() writes a '\0' */
    if (!hex)
        return;
    (void)hex_put(s.ptr ? s.ptr : "", s.len, hex);
    out->len += 2 * s.len;
}

static void put_cell(struct buf *out, const struct store_value *value)
{
    switch (value->kind) {
    case STORE_NULL:
        buf_add_c(out, "\\N");
        break;
    case STORE_INT:
        buf_printf(out, "%lld", (long long)value->i);
        break;
    case STORE_REAL:
        buf_printf(out, "%.17g", value->r);
        break;
    case STORE_TEXT:
        put_text(out, value->s);
        break;
    case STORE_BLOB:
        put_bytes(out, value->s);
        break;
    }
}

struct filling {
    struct store_conn *to;
    struct arena *arena; /* of one row */
    int64_t n_rows;
};

static enum err put_row(void *ctx, const struct store_rows *row, struct why *why)
{
    struct filling *filling = ctx;
    struct buf line;
    arena_reset(filling->arena);
    buf_init(&line, filling->arena);
    for (size_t i = 0; i < row->n_cols; i++) {
        if (i)
            buf_char(&line, '\t');
        put_cell(&line, &row->values[i]);
    }
    buf_char(&line, '\n');
    filling->n_rows++;
    enum err err = buf_err(&line, why);
    return err ? err : pg_copy_in_put(filling->to, buf_str(&line), why);
}

static enum err select_sql(const struct dump_table *table, struct buf *out, struct why *why)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        buf_add_c(out, i ? ", " : "SELECT ");
        pg_quote(table->columns[i], out);
    }
    buf_add_c(out, " FROM ");
    pg_quote(table->name, out);
    return buf_err(out, why);
}

static enum err fill(struct adopting *adopting, struct store_conn *from, struct str name,
                     struct filling *filling, struct why *why)
{
    struct dump_table table;
    struct buf get, put;
    int64_t n = -1;
    buf_init(&get, adopting->arena);
    buf_init(&put, adopting->arena);
    enum err err = pg_columns(adopting->to, name, adopting->arena, &table, why);
    if (!err)
        err = select_sql(&table, &get, why);
    if (!err)
        err = pg_copy_sql(&table, "FROM STDIN", &put, why);
    if (!err)
        err = pg_copy_in(adopting->to, put.ptr, why);
    filling->n_rows = 0;
    if (!err)
        err = store_sqlite.run(from, get.ptr, STORE_NO_ARGS, put_row, filling, true, NULL, why);
    if (!err)
        err = pg_copy_in_end(adopting->to, &n, why);
    if (!err && n != filling->n_rows)
        err = err_set(why, ERR_INTERNAL, "%lld rows of %lld came over", (long long)n,
                      (long long)filling->n_rows);
    if (err)
        err_prefix(why, "table \"%.*s\"", STR_FMT(name));
    return err;
}

struct comparing {
    const struct store_rows *names;
};

/* A table that only the backup has would be lost without a word. */
static enum err has_place(void *ctx, const struct store_rows *row, struct why *why)
{
    const struct store_rows *names = ((struct comparing *)ctx)->names;
    for (size_t i = 0; i < names->n_rows; i++)
        if (str_eq(store_str(names, i, 0), store_str(row, 0, 0)))
            return ERR_OK;
    return err_set(why, ERR_UNSUPPORTED, "table \"%.*s\" of the backup has no place here",
                   STR_FMT(store_str(row, 0, 0)));
}

static enum err fill_all(struct adopting *adopting, struct store_conn *from, struct why *why)
{
    struct pg_tables *tables = arena_one(adopting->arena, struct pg_tables);
    struct filling filling = {.to = adopting->to, .arena = arena_new(ROW_MOST)};
    enum err err = tables && filling.arena
                       ? pg_empty_tables(adopting->to, adopting->arena, why)
                       : err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    if (!err)
        err = pg_list_tables(adopting->to, adopting->arena, tables, why);
    if (!err)
        err = store_sqlite.run(from,
                               "SELECT name FROM sqlite_schema WHERE type = 'table'"
                               " AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
                               " AND name <> 'store_migrations'",
                               STORE_NO_ARGS, has_place, &(struct comparing){&tables->names}, true,
                               NULL, why);
    for (size_t i = 0; !err && i < tables->names.n_rows; i++)
        err = fill(adopting, from, store_str(&tables->names, tables->order[i], 0), &filling, why);
    arena_free(filling.arena);
    return err;
}

static enum err adopt(struct adopting *adopting, struct store_conn *from, struct why *why)
{
    enum err err = store_sqlite.check(from, why);
    if (!err)
        err = store_sqlite.begin(from, STORE_READ, why);
    if (err)
        return err;
    err = store_postgres.begin(adopting->to, STORE_WRITE, why);
    if (!err) {
        err = make_tables(adopting, from, why);
        if (!err)
            err = fill_all(adopting, from, why);
        if (!err)
            err = store_postgres.commit(adopting->to, why);
        else
            store_postgres.rollback(adopting->to);
    }
    store_sqlite.rollback(from);
    return err;
}

enum err pg_adopt(struct store_conn *conn, const char *path, const struct store_migration *steps,
                  size_t n, struct why *why)
{
    struct adopting adopting = {.to = conn, .steps = steps, .n = n, .arena = arena_new(LIST_MOST)};
    struct store_conn *from = NULL;
    enum err err = adopting.arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin");
    if (!err)
        err = store_sqlite.connect(&(struct store_opts){.url = path}, STORE_READ, &from, why);
    if (!err)
        err = adopt(&adopting, from, why);
    store_sqlite.disconnect(from);
    arena_free(adopting.arena);
    return err;
}
