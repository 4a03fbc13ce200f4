/* What the nouns with one row each have in common: find, load, save by the table of fields; list,
 * show, begin and end a change. */
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

/* ---- reading ---- */

enum err models_row_items(struct models *models, const struct row_kind *kind,
                          const struct models_ask *ask, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows r;
    struct str sql = str_printf(ask->arena, "%s ORDER BY %s.name", kind->select, kind->letter);
    enum err err = models_need_read(ask, why);
    if (!err && !sql.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not list the %ss", kind->word);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx, sql.ptr, STORE_NO_ARGS, ask->arena, &r, why);
    if (!err) {
        json_begin_object(ask->out);
        json_key(ask->out, "items");
        json_begin_array(ask->out);
        for (size_t i = 0; !err && i < r.n_rows; i++)
            err = kind->put(models, tx, ask, &r, i, STR(""), why);
        json_end_array(ask->out);
        json_end_object(ask->out);
    }
    store_rollback(tx);
    return err;
}

static enum err answer(struct models *models, struct store_tx *tx, const struct row_kind *kind,
                       const struct models_ask *ask, struct str id, struct str once,
                       struct why *why)
{
    struct store_rows r;
    struct str sql = str_printf(ask->arena, "%s WHERE %s.id = ?", kind->select, kind->letter);
    if (!sql.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not show the %s", kind->word);
    enum err err = store_query(tx, sql.ptr, STORE_ARGS(SV_STR(id)), ask->arena, &r, why);
    if (!err && r.n_rows == 0)
        err = none(kind->word, id, why);
    if (!err && ask->revision)
        *ask->revision = store_int(&r, 0, kind->revision);
    if (!err && ask->out)
        err = kind->put(models, tx, ask, &r, 0, once, why);
    return err;
}

enum err models_row_show(struct models *models, const struct row_kind *kind,
                         const struct models_ask *ask, struct str name, struct why *why)
{
    struct store_tx *tx = NULL;
    struct str id = STR("");
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = models_row_find(tx, kind, name, ask->arena, &id, NULL, why);
    if (!err)
        err = answer(models, tx, kind, ask, id, STR(""), why);
    store_rollback(tx);
    return err;
}

enum err models_row_answer(struct act *act, const struct row_kind *kind, struct str id,
                           struct str once, struct why *why)
{
    return answer(act->models, act->tx, kind, act->ask, id, once, why);
}

/* ---- changing ---- */

static enum err begin(struct act *act, struct models *models, const struct row_kind *kind,
                      const struct models_ask *ask, const char *verb, struct why *why)
{
    struct str action = str_printf(ask->arena, "models.%s.%s", kind->word, verb);
    enum err err =
        models_act_begin(act, models, ask, action.ptr ? action.ptr : "models.change", true, why);
    if (!err && !action.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not begin a change");
    return err;
}

enum err models_row_new(struct act *act, struct models *models, const struct row_kind *kind,
                        const struct models_ask *ask, const struct json *body,
                        struct field_value *values, struct str *id, struct str *name,
                        struct why *why)
{
    char text[UUID_TEXT];
    const struct json *rest = NULL;
    *name = STR("");
    *id = str_copy(ask->arena, str_c(uuid7(text)));
    enum err err = begin(act, models, kind, ask, "create", why);
    if (!err)
        err = models_body_name(body, kind->word, ask->arena, name, &rest, why);
    if (!err)
        err = models_fields_read(rest, kind->fields, kind->n_body, true, ask->arena, values, why);
    if (!err)
        err = models_name_free(act->tx, kind, *name, ask->arena, why);
    return err;
}

enum err models_row_begin(struct act *act, struct models *models, const struct row_kind *kind,
                          const struct models_ask *ask, const char *verb, struct str name,
                          struct str *id, struct why *why)
{
    int64_t revision = 0;
    *id = STR("");
    enum err err = begin(act, models, kind, ask, verb, why);
    if (!err)
        err = models_row_find(act->tx, kind, name, ask->arena, id, &revision, why);
    return err ? err : models_revision_check(ask, revision, kind->word, why);
}

enum err models_row_end(struct act *act, const struct row_kind *kind, enum err err, struct str id,
                        struct str name, struct why *why)
{
    if (!err)
        err = models_row_answer(act, kind, id, STR(""), why);
    return models_act_end(act, err, id, models_act_detail(act->arena, "name", name, ACT_END), why);
}

enum err models_row_remove(struct models *models, const struct row_kind *kind,
                           const struct models_ask *ask, struct str name, struct why *why)
{
    struct act act;
    struct str id, sql = str_printf(ask->arena, "DELETE FROM %s WHERE id = ?", kind->table);
    enum err err = models_row_begin(&act, models, kind, ask, "remove", name, &id, why);
    if (!err && !sql.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not remove the %s", kind->word);
    if (!err)
        err = store_exec(act.tx, sql.ptr, STORE_ARGS(SV_STR(id)), NULL, why);
    return models_act_end(&act, err, id, models_act_detail(ask->arena, "name", name, ACT_END), why);
}
