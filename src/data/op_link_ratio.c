/* link_ratio: how much of a text are addresses. */
#include <math.h>

#include "data/op.h"
#include "data/text.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 1, 0, 0.2, ""),
};

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* Of 32 bytes; without a branch, so that the compiler looks at many at once. */
static bool any_ascii_word(const char *p)
{
    unsigned char any = 0;
    for (int k = 0; k < 32; k++) {
        unsigned char c = (unsigned char)p[k], low = c | 32;
        any |= (unsigned char)(((unsigned char)(c - '0') < 10) | ((unsigned char)(low - 'a') < 26));
    }
    return any;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    (void)call, (void)why;
    size_t links = 0, looked = 0;
    for (size_t i = 0; i < in.len;) {
        if (i >= looked && i + 32 <= in.len) {
            if (!any_ascii_word(in.ptr + i)) {
                i += 32;
                continue;
            }
            looked = i + 32;
        }
        if (!is_word(in.ptr[i]) || (i > 0 && is_word(in.ptr[i - 1]))) {
            i++; /* no address begins here */
            continue;
        }
        size_t end = text_url(in, i);
        if (end == i)
            end = text_email(in, i);
        links += end - i;
        i = end > i ? end : i + 1;
    }
    *out = in.len ? (double)links / (double)in.len : NAN;
    return ERR_OK;
}

const struct data_op data_op_link_ratio = {
    .name = "link_ratio",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Drop records that are mostly web and e-mail addresses, by bytes",
    .summary_zh = "丢弃网址和邮箱占比过高的记录",
    .source = "URL ratio rule of RefinedWeb, Penedo et al. 2023, arXiv:2306.01116, as a share of "
              "the text",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .measure = measure,
};
