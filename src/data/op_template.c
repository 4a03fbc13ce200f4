/* template: a text record out of the fields of any record. */
#include "core/arena.h"
#include "data/field.h"
#include "data/op.h"

enum { TEXT, MISSING };
static const struct data_param params[] = {
    [TEXT] = {"text", DATA_STRING, 0, 20000, 0, NULL, "",
              "The text, with paths in braces: 问：{row.问题}\\n答：{row.答复}; {{ is a brace",
              "模板，花括号内为字段路径，如“问：{row.问题}”；{{ 表示花括号"},
    [MISSING] = {"missing", DATA_CHOICE, 0, 0, 0, "drop|empty", "", "When a field is not there",
                 "字段缺失时"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct str t = p->args[TEXT].text;
    *made = NULL;
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] != '{')
            continue;
        if (i + 1 < t.len && t.ptr[i + 1] == '{') {
            i++;
            continue;
        }
        size_t end = str_find_from(t, STR("}"), i);
        if (end == STR_NPOS || end == i + 1)
            return err_set(why, ERR_INVALID, "the brace at byte %zu of \"text\" holds no path", i);
        i = end;
    }
    return ERR_OK;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    static const char *const gone[] = {"messages", "chosen", "rejected", "prompt",
                                       "label",    "spans",  "question", "answer",
                                       "context",  "image",  "caption",  "row"};
    struct str t = call->args[TEXT].text;
    struct buf buf;
    buf_init(&buf, call->arena);
    for (size_t i = 0; i < t.len; i++) {
        bool brace = t.ptr[i] == '{';
        if (!brace || (i + 1 < t.len && t.ptr[i + 1] == '{')) {
            buf_char(&buf, t.ptr[i]);
            i += brace;
            continue;
        }
        size_t end = str_find_from(t, STR("}"), i);
        struct str value = field_text(record, str_slice(t, i + 1, end));
        if (!value.ptr && call->args[MISSING].number == 0) {
            data_drop(out, "it has no %.*s", STR_FMT(str_slice(t, i + 1, end)));
            return ERR_OK;
        }
        buf_add(&buf, value);
        i = end;
    }
    enum err err = buf_err(&buf, why);
    if (!err)
        err = record_set_str(record, "text", buf.len ? buf_str(&buf) : STR(""), why);
    for (size_t i = 0; !err && i < sizeof gone / sizeof gone[0]; i++)
        record_remove(record, gone[i]);
    return err;
}

const struct data_op data_op_template = {
    .name = "template",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Make text records of the fields of records by a template",
    .summary_zh = "按模板由字段生成文本记录",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = RECORD_TEXT,
    .prepare = prepare,
    .record = record,
};
