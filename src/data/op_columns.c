/* columns: the columns of rows chosen, renamed and put in order. */
#include "core/arena.h"
#include "data/op.h"
#include "data/scan.h"
#include "data/talk.h"

enum { KEEP, RENAME, MISSING };
static const struct data_param params[] = {
    [KEEP] = {"keep", DATA_STRINGS, 0, 1000, 0, "", "",
              "Columns to keep, in this order; empty: all", "保留的列及其顺序；为空则全部保留"},
    [RENAME] = {"rename", DATA_STRINGS, 0, 1000, 0, "", "", "Each \"old=>new\"",
                "每项为“旧列名=>新列名”"},
    [MISSING] = {"missing", DATA_CHOICE, 0, 0, 0, "null|leave_out|fail", "",
                 "When a column to keep is not there", "缺少要保留的列时"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct data_arg *rename = &p->args[RENAME];
    *made = NULL;
    for (size_t i = 0; i < rename->n; i++) {
        size_t at = str_find(rename->list[i], STR("=>"));
        if (at == STR_NPOS || !at || at + 2 == rename->list[i].len)
            return err_set(why, ERR_INVALID, "\"rename\" %zu is not \"old=>new\"", i + 1);
    }
    if (!rename->n && !p->args[KEEP].n)
        return err_set(why, ERR_INVALID, "\"keep\" or \"rename\" must name a column");
    return ERR_OK;
}

static struct str new_name(const struct data_arg *rename, struct str name)
{
    for (size_t i = 0; i < rename->n; i++) {
        size_t at = str_find(rename->list[i], STR("=>"));
        if (str_eq(str_slice(rename->list[i], 0, at), name))
            return str_from(rename->list[i], at + 2);
    }
    return name;
}

static bool has(const struct str *names, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

#define MOST 4096 /* columns */

struct out_row {
    struct buf buf;
    struct str *names; /* written so far: none may come twice */
    size_t n;
};

static enum err put(struct out_row *row, struct str name, struct str raw, struct why *why)
{
    if (row->n == MOST || has(row->names, row->n, name))
        return err_set(why, ERR_INVALID, "column \"%.*s\" would stand twice, or is one too many",
                       STR_FMT(name));
    row->names[row->n++] = name;
    buf_char(&row->buf, row->n > 1 ? ',' : '{');
    scan_quote(&row->buf, name);
    buf_char(&row->buf, ':');
    buf_add(&row->buf, raw);
    return ERR_OK;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct data_arg *keep = &call->args[KEEP], *rename = &call->args[RENAME];
    struct str row = record_raw(record, "row"), key;
    struct out_row made = {.names = arena_array(call->arena, struct str, MOST)};
    size_t next = 0, start, end;
    int missing = (int)call->args[MISSING].number;
    enum err err = ERR_OK;
    (void)out;
    if (!row.len || row.ptr[0] != '{' || !made.names)
        return err_set(why, made.names ? ERR_INVALID : ERR_NO_MEMORY, "the record has no row");
    buf_init(&made.buf, call->arena);
    for (size_t i = 0; !err && i < keep->n; i++) {
        char *name = str_z(call->arena, keep->list[i]);
        struct str raw = name ? talk_member_raw(row, name, call->arena) : STR_NONE;
        if (!raw.ptr && missing == 2)
            err =
                err_set(why, ERR_INVALID, "the row has no column \"%.*s\"", STR_FMT(keep->list[i]));
        else if (raw.ptr || missing == 0)
            err = put(&made, new_name(rename, keep->list[i]), raw.ptr ? raw : STR("null"), why);
    }
    while (!err && !keep->n && scan_each(row, 0, &next, &key, &start, &end)) {
        struct str name = scan_decode(key, call->arena);
        err = put(&made, new_name(rename, name), str_slice(row, start, end), why);
    }
    buf_add_c(&made.buf, made.n ? "}" : "{}");
    if (!err)
        err = buf_err(&made.buf, why);
    return err ? err : record_set_raw(record, "row", buf_str(&made.buf), why);
}

const struct data_op data_op_columns = {
    .name = "columns",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Choose, rename and order the columns of rows",
    .summary_zh = "选取、改名、排列表格行的列",
    .source = "projection and renaming of relational algebra, Codd 1970, doi:10.1145/362384.362685",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_ROW),
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
