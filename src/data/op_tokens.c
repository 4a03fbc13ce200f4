/* tokens: how many tokens a text is to a model. */
#include <math.h>

#include "core/arena.h"
#include "data/count.h"
#include "data/op.h"
#include "data/text.h"

enum { VOCABULARY = DATA_OWN, AS };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e9, 0, 1e9, "tokens"),
    [VOCABULARY] = COUNT_PARAM,
    [AS] = {"as", DATA_CHOICE, 0, 0, 0, "tokens|characters_per_token", "",
            "What is bounded: the number, or how many characters a token covers",
            "限制的是词元数还是每词元字数"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    return count_prepare(p, p->args[VOCABULARY].text, made, why);
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    int64_t n = 0;
    enum err err = models_counter_count(call->made, in, &n, why);
    if (err)
        return err;
    if (call->args[AS].number > 0)
        *out = n ? (double)text_length(in) / (double)n : NAN;
    else
        *out = (double)n;
    return ERR_OK;
}

const struct data_op data_op_tokens = {
    .name = "tokens",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Keep records by the number of their tokens, by any model's vocabulary",
    .summary_zh = "按词元数过滤，可用任意 GGUF 模型的词表计数",
    .source = "token_num_filter of Data-Juicer, arXiv:2309.02033; counting as llama.cpp does",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
