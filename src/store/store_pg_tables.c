/* What tables and columns there are in PostgreSQL, for backup, restore and check. */
#include <string.h>

#include "core/arena.h"
#include "store/store_postgres.h"

/* ---- the tables, in an order in which they can be filled ---- */

struct keep {
    struct arena *arena;
    struct store_rows rows;
    size_t cap;
};

static enum err keep_row(void *ctx, const struct store_rows *row, struct why *why)
{
    struct keep *keep = ctx;
    size_t n = row->n_cols;
    if (keep->rows.n_rows == keep->cap) {
        size_t cap = keep->cap ? keep->cap * 2 : 16;
        struct store_value *values =
            arena_grow(keep->arena, keep->rows.values, keep->cap * n * sizeof *values,
                       cap * n * sizeof *values);
        if (!values)
            return err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
        keep->rows.values = values;
        keep->cap = cap;
    }
    for (size_t i = 0; i < n; i++) {
        struct store_value *cell = &keep->rows.values[keep->rows.n_rows * n + i];
        *cell = row->values[i];
        if (cell->kind == STORE_TEXT && !(cell->s = str_copy(keep->arena, cell->s)).ptr)
            return err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    }
    keep->rows.n_rows++;
    keep->rows.n_cols = n;
    return ERR_OK;
}

enum err pg_ask(struct store_conn *conn, const char *sql, struct store_args args,
                struct arena *arena, struct store_rows *out, struct why *why)
{
    struct keep keep = {.arena = arena};
    enum err err = store_postgres.run(conn, sql, args, keep_row, &keep, false, NULL, why);
    *out = keep.rows;
    return err;
}

/* Whether every table that table i refers to has its place already. */
static bool is_free(const struct pg_tables *tables, size_t i)
{
    for (size_t e = 0; e < tables->edges.n_rows; e++) {
        if (!str_eq(store_str(&tables->edges, e, 0), store_str(&tables->names, i, 0)))
            continue;
        for (size_t j = 0; j < tables->names.n_rows; j++)
            if (!tables->placed[j] &&
                str_eq(store_str(&tables->edges, e, 1), store_str(&tables->names, j, 0)))
                return false;
    }
    return true;
}

static enum err order_tables(struct pg_tables *tables, struct why *why)
{
    size_t n = 0;
    memset(tables->placed, 0, sizeof tables->placed);
    while (n < tables->names.n_rows) {
        size_t before = n;
        for (size_t i = 0; i < tables->names.n_rows; i++)
            if (!tables->placed[i] && is_free(tables, i)) {
                tables->placed[i] = true;
                tables->order[n++] = i;
            }
        if (n == before)
            return err_set(why, ERR_UNSUPPORTED, "tables refer to each other in a circle");
    }
    return ERR_OK;
}

enum err pg_list_tables(struct store_conn *conn, struct arena *arena, struct pg_tables *out,
                        struct why *why)
{
    enum err err = pg_ask(conn,
                          "SELECT c.relname::text FROM pg_class c"
                          " WHERE c.relnamespace = current_schema()::regnamespace"
                          " AND c.relkind = 'r'"
                          " AND c.relname NOT IN ('store_commits', 'store_migrations')"
                          " ORDER BY c.relname",
                          STORE_NO_ARGS, arena, &out->names, why);
    if (!err)
        err = pg_ask(conn,
                     "SELECT a.relname::text, b.relname::text FROM pg_constraint f"
                     " JOIN pg_class a ON a.oid = f.conrelid JOIN pg_class b ON b.oid = f.confrelid"
                     " WHERE f.contype = 'f' AND f.conrelid <> f.confrelid",
                     STORE_NO_ARGS, arena, &out->edges, why);
    if (!err && out->names.n_rows > PG_MOST_TABLES)
        err = err_set(why, ERR_UNSUPPORTED, "more than %d tables", PG_MOST_TABLES);
    return err ? err : order_tables(out, why);
}

void pg_quote(struct str name, struct buf *out)
{
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            buf_char(out, '"');
        buf_char(out, name.ptr[i]);
    }
    buf_char(out, '"');
}

enum err pg_copy_sql(const struct dump_table *table, const char *direction, struct buf *out,
                     struct why *why)
{
    buf_add_c(out, "COPY ");
    pg_quote(table->name, out);
    for (size_t i = 0; i < table->n_columns; i++) {
        buf_add_c(out, i ? ", " : " (");
        pg_quote(table->columns[i], out);
    }
    buf_printf(out, ") %s", direction);
    return buf_err(out, why);
}

enum err pg_columns(struct store_conn *conn, struct str name, struct arena *arena,
                    struct dump_table *out, struct why *why)
{
    struct store_rows rows;
    enum err err = pg_ask(conn,
                          "SELECT a.attname::text FROM pg_attribute a JOIN pg_class c"
                          " ON c.oid = a.attrelid WHERE c.relname = ?"
                          " AND c.relnamespace = current_schema()::regnamespace"
                          " AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''"
                          " ORDER BY a.attnum",
                          STORE_ARGS(SV_STR(name)), arena, &rows, why);
    if (err)
        return err;
    *out = (struct dump_table){name, arena_array(arena, struct str, rows.n_rows), rows.n_rows};
    if (!out->columns)
        return err_set(why, ERR_NO_MEMORY, "could not hold the columns of a table");
    for (size_t i = 0; i < rows.n_rows; i++)
        out->columns[i] = store_str(&rows, i, 0);
    return ERR_OK;
}

/* What the migrations themselves put into tables is in the backup, as it was by then. */
enum err pg_empty_tables(struct store_conn *conn, struct arena *arena, struct why *why)
{
    struct pg_tables *tables = arena_one(arena, struct pg_tables);
    struct buf sql;
    buf_init(&sql, arena);
    if (!tables)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    enum err err = pg_list_tables(conn, arena, tables, why);
    for (size_t i = 0; !err && i < tables->names.n_rows; i++) {
        buf_add_c(&sql, i ? ", " : "TRUNCATE ");
        pg_quote(store_str(&tables->names, i, 0), &sql);
    }
    if (!err)
        err = buf_err(&sql, why);
    if (!err && sql.len > 0)
        err = store_postgres.script(conn, sql.ptr, why);
    return err;
}
