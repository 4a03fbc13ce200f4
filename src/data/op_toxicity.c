/* toxicity: how likely a text insults or looks down on people. */
#include <math.h>

#include "data/op.h"
#include "data/shipped.h"
#include "data/text.h"

enum { PART = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.7, ""),
    [PART] = {"part", DATA_INTEGER, 20, 10000, 120, NULL, "characters",
              "Longer texts are looked at in parts of this length; the worst counts",
              "较长文本分段判断，取最高一段"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    (void)p, (void)why;
    *made = shipped_model(SHIPPED_RUDE);
    return ERR_OK;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    size_t part = (size_t)call->args[PART].number;
    (void)why;
    *out = NAN;
    while (in.len) {
        float p[2];
        size_t end = 0, n = 0;
        while (end < in.len && n < part) {
            uint32_t c = text_next(in, &end);
            n++;
            if (n * 2 >= part && (c == '\n' || text_is_stop(c)))
                break;
        }
        (void)learn_say(call->made, str_slice(in, 0, end), p);
        *out = isnan(*out) || (double)p[1] > *out ? (double)p[1] : *out;
        in = str_from(in, end);
    }
    return ERR_OK;
}

const struct data_op data_op_toxicity = {
    .name = "toxicity",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop texts that most likely insult or look down on people",
    .summary_zh = "丢弃很可能侮辱、歧视他人的文本",
    .source =
        "linear classifier trained on COLDataset, Deng et al. 2022, arXiv:2201.06025; figures "
        "in the room's README",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
