/* trim: white space at both ends. */
#include "data/op.h"

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    (void)call, (void)why;
    *out = str_trim_space(in);
    return ERR_OK;
}

const struct data_op data_op_trim = {
    .name = "trim",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove white space at both ends of a text",
    .summary_zh = "去掉文本首尾的空白",
    .source = "ours; white space as str_trim_space(), with U+3000, U+00A0 and U+FEFF",
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
