/* What the nouns with one row each have in common: find, load, save by the table of fields. */
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"
#include "models/models_in.h"

static enum err none(const char *word, struct str name, struct why *why)
{
    return err_set(why, ERR_NOT_FOUND, "there is no %s \"%.*s\"", word,
                   STR_FMT(utf8_prefix(name, MODELS_MOST_NAME)));
}

enum err models_row_find(struct store_tx *tx, const struct row_kind *kind, struct str name,
                         struct arena *arena, struct str *id, int64_t *revision, struct why *why)
{
    struct store_rows rows;
    struct str sql =
        str_printf(arena, "SELECT id, revision FROM %s WHERE name = ? OR id = ?", kind->table);
    if (!sql.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not look for the %s", kind->word);
    if (utf8_invalid(name) != STR_NPOS || memchr(name.ptr ? name.ptr : "", 0, name.len))
        return none(kind->word, STR("?"), why);
    enum err err =
        store_query(tx, sql.ptr, STORE_ARGS(SV_STR(name), SV_STR(name)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return none(kind->word, name, why);
    *id = store_str(&rows, 0, 0);
    if (revision)
        *revision = store_int(&rows, 0, 1);
    return ERR_OK;
}

static bool is_column(const struct field *f)
{
    return f->kind != FIELD_SECRET;
}

static bool is_number(const struct field *f)
{
    return f->kind == FIELD_INT || f->kind == FIELD_BOOL;
}

enum err models_row_load(struct store_tx *tx, const struct row_kind *kind, struct str id,
                         struct arena *arena, struct field_value *values, struct why *why)
{
    struct buf sql;
    struct store_rows rows;
    buf_init(&sql, arena);
    buf_add_c(&sql, "SELECT id");
    for (size_t i = 0; i < kind->n_fields; i++)
        if (is_column(&kind->fields[i]))
            buf_printf(&sql, ", %s", kind->fields[i].name);
    buf_printf(&sql, " FROM %s WHERE id = ?", kind->table);
    enum err err = buf_err(&sql, why);
    if (!err)
        err = store_query(tx, sql.ptr, STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows == 0)
        return none(kind->word, id, why);
    for (size_t i = 0, col = 1; i < kind->n_fields; i++) {
        values[i] = (struct field_value){0};
        if (!is_column(&kind->fields[i]))
            continue;
        if (is_number(&kind->fields[i]))
            values[i].i = store_int(&rows, 0, col);
        else
            values[i].s = store_str(&rows, 0, col);
        col++;
    }
    return ERR_OK;
}

enum err models_row_save(struct store_tx *tx, const struct row_kind *kind, struct str id,
                         struct arena *arena, const struct field_value *values, struct why *why)
{
    struct buf sql;
    struct store_value *args = arena_array(arena, struct store_value, kind->n_fields + 2);
    size_t n = 0;
    buf_init(&sql, arena);
    buf_printf(&sql, "UPDATE %s SET revision = revision + 1, changed_ms = ?", kind->table);
    if (!args)
        return err_set(why, ERR_NO_MEMORY, "could not change the %s", kind->word);
    args[n++] = SV_INT(time_now_ms());
    for (size_t i = 0; i < kind->n_fields; i++) {
        if (!is_column(&kind->fields[i]))
            continue;
        buf_printf(&sql, ", %s = ?", kind->fields[i].name);
        args[n++] = is_number(&kind->fields[i]) ? SV_INT(values[i].i) : SV_STR(values[i].s);
    }
    buf_add_c(&sql, " WHERE id = ?");
    args[n++] = SV_STR(id);
    enum err err = buf_err(&sql, why);
    return err ? err : store_exec(tx, sql.ptr, (struct store_args){args, n}, NULL, why);
}

enum err models_revision_check(const struct models_ask *ask, int64_t revision, const char *word,
                               struct why *why)
{
    if (ask->if_match < 0 || ask->if_match == revision)
        return ERR_OK;
    err_hint(why, "read it again and repeat the change");
    return err_set(why, ERR_PRECONDITION, "somebody else changed the %s in the meantime", word);
}

enum err models_name_free(struct store_tx *tx, const struct row_kind *kind, struct str name,
                          struct arena *arena, struct why *why)
{
    struct store_rows rows;
    struct str sql = str_printf(arena, "SELECT id FROM %s WHERE name = ?", kind->table);
    if (!sql.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not check the name");
    enum err err = store_query(tx, sql.ptr, STORE_ARGS(SV_STR(name)), arena, &rows, why);
    if (!err && rows.n_rows)
        err =
            err_set(why, ERR_CONFLICT, "there is a %s \"%.*s\" already", kind->word, STR_FMT(name));
    return err;
}
