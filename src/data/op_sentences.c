/* sentences: how many sentences or paragraphs a text has, and how long they are. */
#include <math.h>

#include "data/op.h"
#include "data/text.h"

enum { OF = DATA_OWN, WHICH };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e9, 1, 1e9, ""),
    [OF] = {"of", DATA_CHOICE, 0, 0, 0, "sentences|paragraphs", "",
            "paragraphs are lines that are not empty", "按句或按段（非空行）"},
    [WHICH] = {"which", DATA_CHOICE, 0, 0, 0, "count|mean|longest", "",
               "Their number, or their mean or greatest length in characters",
               "个数、平均字数或最长字数"},
};

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    size_t n = 0, total = 0, longest = 0;
    bool paragraphs = call->args[OF].number > 0;
    int which = (int)call->args[WHICH].number;
    struct str part;
    (void)why;
    while (paragraphs ? str_next(&in, '\n', &part) : text_next_sentence(&in, &part)) {
        part = str_trim_space(part);
        if (text_is_blank(part))
            continue;
        size_t len = which ? text_length(part) : 0;
        n++;
        total += len;
        longest = len > longest ? len : longest;
    }
    *out = which == 0   ? (double)n
           : !n         ? NAN
           : which == 1 ? (double)total / (double)n
                        : (double)longest;
    return ERR_OK;
}

const struct data_op data_op_sentences = {
    .name = "sentences",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records by the number or the length of their sentences or paragraphs",
    .summary_zh = "按句数、段数或句段长度过滤",
    .source = "sentence rule of C4, Raffel et al. 2020, arXiv:1910.10683 sec. 2.2; "
              "text_length filters of Data-Juicer, arXiv:2309.02033",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
