/* entropy: bits a character; little when the same few come again and again. */
#include <math.h>

#include "core/arena.h"
#include "data/op.h"
#include "data/text.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 21, 3, 21, "bits"),
};

#define BELOW 0x10000 /* counted one by one; the rest of Unicode together */

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    uint32_t *counts = arena_array(call->arena, uint32_t, BELOW + 1);
    size_t n = 0;
    double sum = 0;
    if (!counts)
        return err_set(why, ERR_NO_MEMORY, "could not count the characters of a text");
    for (size_t i = 0; i < in.len; n++) {
        uint32_t c = text_next(in, &i);
        counts[c < BELOW ? c : BELOW]++;
    }
    for (size_t c = 0; c <= BELOW; c++)
        if (counts[c])
            sum += (double)counts[c] * log2((double)counts[c]);
    *out = n ? log2((double)n) - sum / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_entropy = {
    .name = "entropy",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records whose characters tell too little or too much",
    .summary_zh = "按字符熵过滤，过低说明内容单调",
    .source = "Shannon 1948, of single characters",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
