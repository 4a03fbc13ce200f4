/* quality: how likely a text is well-formed prose and not scrambled, garbled, a menu or an ad. */
#include <math.h>

#include "data/op.h"
#include "data/quality.h"
#include "data/shipped.h"
#include "data/text.h"

enum { PART = DATA_OWN };
static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0.15, 1, ""),
    [PART] = {"part", DATA_INTEGER, 50, 10000, 500, NULL, "characters",
              "Longer texts are looked at in parts of this length; the mean counts",
              "较长文本分段判断，取平均值"},
};

#define SHORTEST 20 /* characters: of less nothing is said */

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    (void)p, (void)why;
    *made = shipped_model(SHIPPED_QUALITY);
    return ERR_OK;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    size_t part = (size_t)call->args[PART].number, total = 0;
    double sum = 0;
    (void)why;
    while (in.len) {
        char signs[QUALITY_BYTES];
        float p[2];
        size_t end = 0, n = 0;
        while (end < in.len && n < part) {
            (void)text_next(in, &end);
            n++;
        }
        if (n >= SHORTEST || total) {
            (void)learn_say(call->made, quality_signs(str_slice(in, 0, end), signs), p);
            sum += (double)n * (double)p[1];
            total += n;
        }
        in = str_from(in, end);
    }
    *out = total ? sum / (double)total : NAN;
    return ERR_OK;
}

const struct data_op data_op_quality = {
    .name = "quality",
    .version = 1,
    .group = DATA_FILTER,
    .summary =
        "Drop texts that are scrambled, garbled, menus, lists of words, ads or dumps of data",
    .summary_zh = "丢弃错乱、乱码、菜单、词语堆砌、广告和数据转储类文本",
    .source =
        "ours: a classifier over sixteen signs of form; what it was trained on and its figures "
        "are in the room's README",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
