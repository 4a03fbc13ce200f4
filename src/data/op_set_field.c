/* set_field: a fixed or composed value in a field, or only where it is missing. */
#include "core/arena.h"
#include "data/field.h"
#include "data/op.h"
#include "data/put.h"

enum { PATH, VALUE, WHEN };
static const struct data_param params[] = {
    [PATH] = {"path", DATA_STRING, 1, 200, 0, NULL, "",
              "Path of the value: meta.industry, row.备注",
              "写入的字段，如 meta.industry、row.备注"},
    [VALUE] = {"value", DATA_STRING, 0, 10000, 0, NULL, "",
               "The text; {path} is what stands at another path",
               "写入的文字，{字段路径} 为其他字段的值"},
    [WHEN] = {"when", DATA_CHOICE, 0, 0, 0, "always|missing", "",
              "missing: only where there is none, or it is null or empty",
              "missing 表示仅在缺失、为空时填充"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    *made = NULL;
    return put_check(p->args[PATH].text, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str t = call->args[VALUE].text, path = call->args[PATH].text,
               raw = field_raw(record, path);
    struct buf buf;
    bool missing = !raw.len || str_eq_c(raw, "null") || str_eq_c(raw, "\"\"");
    (void)out;
    if (call->args[WHEN].number > 0 && !missing)
        return ERR_OK;
    buf_init(&buf, call->arena);
    for (size_t i = 0; i < t.len; i++) {
        size_t end = t.ptr[i] == '{' ? str_find_from(t, STR("}"), i) : STR_NPOS;
        if (end == STR_NPOS || end == i + 1) {
            buf_char(&buf, t.ptr[i]);
            continue;
        }
        buf_add(&buf, field_text(record, str_slice(t, i + 1, end)));
        i = end;
    }
    enum err err = buf_err(&buf, why);
    return err ? err : put_str(record, path, buf.len ? buf_str(&buf) : STR(""), why);
}

const struct data_op data_op_set_field = {
    .name = "set_field",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write a text into a field of every record, or fill it where it is missing",
    .summary_zh = "为字段写入固定或拼接的文字，可仅填充缺失值",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
