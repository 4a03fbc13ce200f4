/* length: keep texts of a length. */
#include "data/op.h"
#include "data/text.h"

enum { UNIT = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e9, 20, 1e9, ""),
    [UNIT] = {"unit", DATA_CHOICE, 0, 0, 0, "characters|bytes|lines", "", "What is counted",
              "计量单位"},
};

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)why;
    int unit = (int)call->args[UNIT].number;
    if (unit == 0) {
        *out = (double)text_length(in);
    } else if (unit == 1) {
        *out = (double)in.len;
    } else {
        struct str line;
        size_t n = 0;
        while (str_next_line(&in, &line))
            n++;
        *out = (double)n;
    }
    return ERR_OK;
}

const struct data_op data_op_length = {
    .name = "length",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records whose text has a length between two bounds",
    .summary_zh = "只保留长度在上下限之间的记录",
    .source =
        "Gopher quality rules, Rae et al. 2021, arXiv:2112.11446 sec. A.1.1 (length of a document)",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
