/* unclosed: brackets and quotes that have no partner: texts that were cut or garbled. */
#include <math.h>

#include "data/op.h"
#include "data/text.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 1000, 0, 20, "in 1,000 characters"),
};

static const struct {
    uint32_t open, close;
} pairs[] = {{'(', ')'},       {'[', ']'},       {'{', '}'},       {0xFF08, 0xFF09},
             {0x3010, 0x3011}, {0x300A, 0x300B}, {0x3008, 0x3009}, {0x300C, 0x300D},
             {0x300E, 0x300F}, {0x201C, 0x201D}, {0x3014, 0x3015}};

#define DEPTH 64

/* A closing mark takes what was opened last of its kind; marks opened behind it have no partner.
 * "1)" and "a)" at a line's beginning number an item. */
static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    uint32_t stack[DEPTH];
    size_t depth = 0, lost = 0, n = 0, line = 0;
    (void)call, (void)why;
    for (size_t i = 0; i < in.len; n++, line++) {
        uint32_t c = text_next(in, &i);
        if (c == '\n')
            line = (size_t)-1;
        if (c > '}' && c < 0x201C)
            continue;
        for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
            if (c == pairs[k].open) {
                lost += depth == DEPTH;
                if (depth < DEPTH)
                    stack[depth++] = (uint32_t)k;
            } else if (c == pairs[k].close) {
                size_t at = depth;
                while (at && stack[at - 1] != k)
                    at--;
                bool item = (c == ')' || c == 0xFF09) && line <= 3;
                lost += at ? depth - at : !item;
                depth = at ? at - 1 : depth;
            }
        }
    }
    *out = n ? 1000.0 * (double)(lost + depth) / (double)n : NAN;
    return ERR_OK;
}

const struct data_op data_op_unclosed = {
    .name = "unclosed",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop texts with many brackets or quotes that have no partner",
    .summary_zh = "丢弃括号、引号大量不配对的文本",
    .source = "ours, after the bracket rule of C4 for code, Raffel et al. 2020, arXiv:1910.10683",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
