/* sentence_ends: how many lines end as sentences do. */
#include <math.h>

#include "data/op.h"
#include "data/text.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0.1, 1, ""),
};

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)call, (void)why;
    struct str line;
    size_t n = 0, ends = 0;
    while (str_next(&in, '\n', &line)) {
        struct str s = str_trim_space(line);
        if (!s.len)
            continue;
        n++;
        ends += text_ends_sentence(s);
    }
    *out = n ? (double)ends / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_sentence_ends = {
    .name = "sentence_ends",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records of which too few lines end in a full stop",
    .summary_zh = "丢弃以句末标点结尾的行过少的记录",
    .source = "terminal punctuation rule of C4, Raffel et al. 2020, arXiv:1910.10683 sec. 2.2, as "
              "a share of lines as in FineWeb, arXiv:2406.17557",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
