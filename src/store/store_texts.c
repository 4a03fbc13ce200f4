/* store_texts: every long text in every table, in one state of the database. */
#include "store/store.h"

#include "core/arena.h"

#include <string.h>

/* Names of tables and columns are those of migrations: letters, digits and '_'. */
static const char sqlite_columns[] =
    "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p "
    "WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND upper(p.type) = 'TEXT' "
    "ORDER BY m.name, p.cid";
static const char postgres_columns[] =
    "SELECT table_name::text, column_name::text FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND data_type = 'text' "
    "ORDER BY table_name, ordinal_position";

struct texts {
    store_text_fn *each;
    void *ctx;
    struct str table;
};

static enum err tell(void *ctx, const struct store_rows *row, struct why *why)
{
    const struct texts *texts = ctx;
    return texts->each(texts->ctx, texts->table, store_str(row, 0, 0), why);
}

static enum err look(struct store_tx *tx, const struct store_rows *columns, size_t i, size_t least,
                     struct texts *texts, struct arena *arena, struct why *why)
{
    struct str table = store_str(columns, i, 0), column = store_str(columns, i, 1);
    struct str sql =
        str_printf(arena, "SELECT \"%.*s\" FROM \"%.*s\" WHERE length(\"%.*s\") >= %zu",
                   STR_FMT(column), STR_FMT(table), STR_FMT(column), least);
    if (!sql.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    texts->table = table;
    return store_each(tx, sql.ptr, STORE_NO_ARGS, tell, texts, why);
}

enum err store_texts(struct store *store, size_t least, store_text_fn *each, void *ctx,
                     struct why *why)
{
    struct texts texts = {.each = each, .ctx = ctx};
    struct arena *arena = arena_new((size_t)16 << 20);
    struct store_tx *tx = NULL;
    struct store_rows columns = {0};
    bool postgres = strcmp(store_engine(store), "postgresql") == 0;
    enum err err = arena ? store_begin(store, STORE_READ, &tx, why)
                         : err_set(why, ERR_NO_MEMORY, "could not hold the list of tables");
    if (!err)
        err = store_query(tx, postgres ? postgres_columns : sqlite_columns, STORE_NO_ARGS, arena,
                          &columns, why);
    for (size_t i = 0; !err && i < columns.n_rows; i++)
        err = look(tx, &columns, i, least, &texts, arena, why);
    store_rollback(tx);
    arena_free(arena);
    return err;
}
