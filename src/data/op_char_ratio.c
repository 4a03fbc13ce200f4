/* char_ratio: how much of a text is of one class of characters. */
#include <math.h>

#include "data/op.h"
#include "data/text.h"

enum { CLASS = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 1, ""),
    [CLASS] = {"class", DATA_CHOICE, 0, 0, 0,
               "han|letters|digits|punctuation|spaces|symbols|other|words", "",
               "words: Han, letters and digits together; other: control, private use, unassigned",
               "words 为汉字、字母、数字之和；other 为控制、私用、未定义字符"},
};

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)why;
    struct text_counts c = text_count(in);
    int which = (int)call->args[CLASS].number;
    size_t n =
        which < TEXT_CLASSES ? c.of[which] : c.of[TEXT_HAN] + c.of[TEXT_LETTER] + c.of[TEXT_DIGIT];
    *out = c.n ? (double)n / (double)c.n : NAN;
    return ERR_OK;
}

const struct data_op data_op_char_ratio = {
    .name = "char_ratio",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records by the share of one class of characters",
    .summary_zh = "按某类字符的占比过滤",
    .source = "alphanumeric and special-character filters of Data-Juicer, arXiv:2309.02033; "
              "classes by Unicode 15.0 general category",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
