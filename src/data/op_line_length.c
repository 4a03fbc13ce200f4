/* line_length: the mean length of the lines that are not empty. */
#include <math.h>

#include "data/op.h"
#include "data/text.h"

enum { WHICH = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e9, 5, 1e9, "characters"),
    [WHICH] = {"which", DATA_CHOICE, 0, 0, 0, "mean|longest", "", "Of the lines of a text",
               "平均行长或最长行"},
};

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)why;
    struct str line;
    size_t n = 0, total = 0, longest = 0;
    while (str_next(&in, '\n', &line)) {
        size_t len = text_length(str_trim_space(line));
        n += len > 0;
        total += len;
        longest = len > longest ? len : longest;
    }
    *out = !n ? NAN : call->args[WHICH].number > 0 ? (double)longest : (double)total / (double)n;
    return ERR_OK;
}

const struct data_op data_op_line_length = {
    .name = "line_length",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records by the mean or greatest length of their lines",
    .summary_zh = "按平均行长或最长行过滤",
    .source = "average_line_length_filter and maximum_line_length_filter of Data-Juicer, "
              "arXiv:2309.02033",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
