/* to_classification: a text and its label out of the columns of a row, or of any record's fields.
 */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/field.h"
#include "data/op.h"

enum { TEXT, LABEL };
static const struct data_param params[] = {
    [TEXT] = {"text", DATA_STRINGS, 0, 20, 0, "row.text", "",
              "Paths of the text's parts; several are joined by line breaks",
              "文本所在字段，多个以换行连接"},
    [LABEL] = {"label", DATA_STRING, 1, 200, 0, "row.label", "", "Path of the label",
               "标签所在字段"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    static const char *const gone[] = {"row",      "messages", "prompt", "chosen",
                                       "rejected", "question", "answer", "context",
                                       "spans",    "image",    "caption"};
    struct str label = str_trim_space(field_text(record, call->args[LABEL].text));
    struct buf buf;
    (void)out;
    buf_init(&buf, call->arena);
    for (size_t i = 0; i < call->args[TEXT].n; i++) {
        struct str part = str_trim_space(field_text(record, call->args[TEXT].list[i]));
        if (part.len && buf.len)
            buf_char(&buf, '\n');
        buf_add(&buf, part);
    }
    enum err err = buf_err(&buf, why);
    if (!err && (!buf.len || !label.len))
        err = err_set(why, ERR_INVALID, "the record has no %s", buf.len ? "label" : "text");
    if (!err)
        err = record_set_str(record, "text", buf_str(&buf), why);
    if (!err)
        err = record_set_str(record, "label", label, why);
    for (size_t i = 0; !err && i < sizeof gone / sizeof gone[0]; i++)
        record_remove(record, gone[i]);
    return err;
}

const struct data_op data_op_to_classification = {
    .name = "to_classification",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Make records of a text and its label out of fields",
    .summary_zh = "由指定字段生成文本分类记录",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = RECORD_CLASSIFICATION,
    .record = record,
};
