/* lookup: what a table knows about a record's key, written into meta. */
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "data/field.h"
#include "data/op.h"
#include "data/put.h"
#include "data/scan.h"

enum { TABLE, KEY, COLUMN, TAKE, MISSING };
static const struct data_param params[] = {
    [TABLE] = {"table", DATA_STRING, 1, 200, 0, NULL, "",
               "File of JSON lines in the folder of data.models",
               "data.models 目录中的 JSON Lines 文件名"},
    [KEY] = {"key", DATA_STRING, 1, 200, 0, NULL, "", "Path of the record's key: meta.dept",
             "记录中的关联字段"},
    [COLUMN] = {"column", DATA_STRING, 1, 60, 0, NULL, "", "Column of the table that holds the key",
                "表中的关联列"},
    [TAKE] = {"take", DATA_STRINGS, 0, 100, 0, NULL, "",
              "Columns that are written into meta, under their names", "写入 meta 的列"},
    [MISSING] = {"missing", DATA_CHOICE, 0, 0, 0, "keep|drop|fail", "",
                 "When the table does not have the key", "表中没有该值时"},
};

#define MOST_TABLE ((size_t)256 << 20)

struct made {
    struct map rows; /* key -> struct str *: the line */
};

static enum err add_row(struct made *m, struct str line, struct str column, size_t number,
                        struct arena *arena, struct why *why)
{
    struct record row;
    enum err err = record_read(line, arena, &row, why);
    if (err) {
        err_prefix(why, "line %zu of the table: ", number);
        return err;
    }
    struct str key = field_text(&row, column), *kept = arena_one(arena, struct str);
    bool made = false;
    if (!key.ptr)
        return err_set(why, ERR_INVALID, "line %zu of the table has no \"%.*s\"", number,
                       STR_FMT(column));
    struct map_entry *place = map_put(&m->rows, key, &made);
    if (!place || !kept)
        return err_set(why, ERR_NO_MEMORY, "could not hold the table");
    if (!made)
        return err_set(why, ERR_INVALID, "line %zu of the table repeats the key \"%.*s\"", number,
                       STR_FMT(str_slice(key, 0, 100)));
    *kept = line;
    place->value.p = kept;
    return ERR_OK;
}

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct made *m = arena_one(p->arena, struct made);
    struct str name = p->args[TABLE].text, text, line;
    char *file = str_z(p->arena, name), *path = file ? file_join(p->arena, p->models, file) : NULL;
    size_t number = 0;
    if (!m || !path)
        return err_set(why, ERR_NO_MEMORY, "could not hold the table");
    if (str_find_char(name, '/') != STR_NPOS || str_starts(name, STR(".")))
        return err_set(why, ERR_INVALID, "\"table\" is the name of a file, without folders");
    for (size_t i = 0; i < p->args[TAKE].n; i++)
        if (str_find_char(p->args[TAKE].list[i], '.') != STR_NPOS || !p->args[TAKE].list[i].len)
            return err_set(why, ERR_INVALID, "\"take\" %zu is no name of a column", i + 1);
    enum err err = file_read(path, MOST_TABLE, p->arena, &text, why);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_UNAVAILABLE : err;
    map_init(&m->rows, p->arena);
    while (!err && str_next_line(&text, &line))
        if (++number && str_trim(line).len)
            err = add_row(m, line, p->args[COLUMN].text, number, p->arena, why);
    *made = m;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct made *m = call->made;
    const struct data_arg *take = &call->args[TAKE];
    struct str key = field_text(record, call->args[KEY].text);
    const struct map_entry *found = key.ptr ? map_find(&m->rows, key) : NULL;
    struct record row;
    enum err err = ERR_OK;
    if (!found) {
        if (call->args[MISSING].number == 1)
            data_drop(out, "the table has no such key");
        return call->args[MISSING].number == 2
                   ? err_set(why, ERR_INVALID, "the table has no \"%.*s\"",
                             STR_FMT(str_slice(key, 0, 100)))
                   : ERR_OK;
    }
    err = record_read(*(const struct str *)found->value.p, call->arena, &row, why);
    for (size_t i = 0; !err && i < take->n; i++) {
        struct str raw = field_raw(&row, take->list[i]);
        struct str path = str_printf(call->arena, "meta.%.*s", STR_FMT(take->list[i]));
        if (!path.ptr)
            err = err_set(why, ERR_NO_MEMORY, "could not write into meta");
        else if (raw.ptr)
            err = put_raw(record, path, raw, why);
    }
    return err;
}

const struct data_op data_op_lookup = {
    .name = "lookup",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Join columns of a table to records by a key",
    .summary_zh = "按关联字段从对照表补充信息到 meta",
    .source = "natural join of relational algebra, Codd 1970, doi:10.1145/362384.362685",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
