/* row_text: a row as a sentence that names its columns. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/scan.h"

enum { BETWEEN, PARTS, END, LONGEST };
static const struct data_param params[] = {
    [BETWEEN] = {"between", DATA_STRING, 0, 20, 0, "：", "", "Between column and value",
                 "列名与值之间的文字"},
    [PARTS] = {"parts", DATA_STRING, 0, 20, 0, "；", "", "Between two columns", "两列之间的文字"},
    [END] = {"end", DATA_STRING, 0, 20, 0, "。", "", "At the end", "末尾的文字"},
    [LONGEST] = {"longest", DATA_INTEGER, 1, 1e6, 2000, NULL, "characters",
                 "Longer values are left out", "超过此字数的值不写"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str row = record_raw(record, "row"), key;
    size_t next = 0, start, end;
    struct buf buf;
    bool any = false;
    if (!row.len || row.ptr[0] != '{')
        return err_set(why, ERR_INVALID, "the record has no row");
    buf_init(&buf, call->arena);
    while (scan_each(row, 0, &next, &key, &start, &end)) {
        struct str raw = str_slice(row, start, end), name = scan_decode(key, call->arena);
        struct str value = raw.ptr[0] == '"' ? str_trim_space(scan_decode(raw, call->arena)) : raw;
        if (!value.len || raw.ptr[0] == '{' || raw.ptr[0] == '[' || str_eq_c(raw, "null") ||
            (double)utf8_count(value) > call->args[LONGEST].number)
            continue;
        if (any)
            buf_add(&buf, call->args[PARTS].text);
        any = true;
        buf_add(&buf, name);
        buf_add(&buf, call->args[BETWEEN].text);
        buf_add(&buf, value);
    }
    buf_add(&buf, any ? call->args[END].text : STR(""));
    enum err err = buf_err(&buf, why);
    if (err)
        return err;
    if (!any)
        data_drop(out, "the row has no values");
    record_remove(record, "row");
    return record_set_str(record, "text", any ? buf_str(&buf) : STR(""), why);
}

const struct data_op data_op_row_text = {
    .name = "row_text",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write rows as sentences that name every column and its value",
    .summary_zh = "将表格行写成“列名：值”的句子",
    .source = "row serialization as surveyed by Fang et al. 2024, arXiv:2402.17944 sec. 3.1",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_ROW),
    .gives = RECORD_TEXT,
    .record = record,
};
