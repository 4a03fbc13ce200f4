/* truncate: no text longer than so much. */
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { MOST, KEEP };
static const struct data_param params[] = {
    [MOST] = {"most", DATA_INTEGER, 1, 1e7, 2000, NULL, "characters", "Longest text", "最多字数"},
    [KEEP] = {"keep", DATA_CHOICE, 0, 0, 0, "beginning|end", "", "Which part stays",
              "保留开头或结尾"},
};

/* The end of the last sentence in the second half of what fits, else all that fits. */
static size_t front(struct str in, size_t most)
{
    size_t i = 0, n = 0, stop = 0;
    while (i < in.len && n < most) {
        uint32_t c = text_next(in, &i);
        n++;
        bool ends = c == '\n' || text_is_stop(c) || (text_is_closing(c) && stop);
        if (ends && n * 2 >= most)
            stop = i;
    }
    return i == in.len || !stop ? i : stop;
}

/* Where the first sentence begins in the first half of what fits from the end. */
static size_t back(struct str in, size_t most)
{
    size_t from = utf8_offset(in, text_length(in) - most), i = from;
    size_t before = utf8_prev(in, from);
    if (text_is_stop(text_next(in, &before)))
        return from;
    for (size_t n = 0; i < in.len && n * 2 < most; n++) {
        uint32_t c = text_next(in, &i);
        if (c == '\n' || text_is_stop(c))
            return i;
    }
    return from;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    size_t most = (size_t)call->args[MOST].number;
    (void)why;
    *out = in;
    if (in.len <= most || text_length(in) <= most)
        return ERR_OK;
    *out = str_trim_space(call->args[KEEP].number > 0 ? str_from(in, back(in, most))
                                                      : str_slice(in, 0, front(in, most)));
    return ERR_OK;
}

const struct data_op data_op_truncate = {
    .name = "truncate",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Cut texts down to a length, at a sentence's end where one falls in the half",
    .summary_zh = "将文本截到指定字数，尽量在句末截断",
    .source = "after truncation before training in T5, Raffel et al. 2020, arXiv:1910.10683; the "
              "sentence rule is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
