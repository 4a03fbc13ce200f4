/* control_chars: what nobody sees and much breaks on. */
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { JOINERS };
static const struct data_param params[] = {
    [JOINERS] = {"keep_joiners", DATA_FLAG, 0, 0, 0, NULL, "",
                 "Keep U+200C and U+200D, which some scripts and emoji need",
                 "保留零宽连接符（部分文字和表情需要）"},
};

static bool unwanted(uint32_t c, bool joiners)
{
    if (c < 0x20)
        return c != '\n' && c != '\t';
    if (c < 0x7F)
        return false;
    if (c == 0x200C || c == 0x200D)
        return !joiners;
    return c <= 0x9F || c == 0xAD || c == 0x200B || (c >= 0x200E && c <= 0x200F) ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
           (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE007F) ||
           (c & 0xFFFE) == 0xFFFE || (c >= 0xFDD0 && c <= 0xFDEF);
}

/* Whether a byte begins one, or may. */
static inline unsigned char leads(unsigned char c)
{
    return (unsigned char)(((c < 0x20) & (c != '\n') & (c != '\t')) | (c == 0x7F) | (c == 0xC2) |
                           (c >= 0xF0));
}

/* Whether a block may hold one, by the first byte or the first two or three of those there are;
 * quotes and dashes, E2 80 9x, are none. */
static bool may_hold(const unsigned char *p)
{
    unsigned char any = 0;
    for (int k = 0; k < TEXT_BLOCK; k++) {
        unsigned char a = p[k], b = p[k + 1], c = p[k + 2];
        any |= leads(a);
        any |= (unsigned char)((a == 0xEF) & ((b == 0xB7) | (b == 0xBB) | (b == 0xBF)));
        any |= (unsigned char)((a == 0xE2) &
                               ((b == 0x81) | ((b == 0x80) & ((c < 0x90) | (c >= 0xAA)))));
    }
    return any;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    size_t looked = 0;
    bool joiners = call->args[JOINERS].number > 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        size_t at = i;
        if (i >= looked && i + TEXT_BLOCK + TEXT_PEEK <= in.len) {
            if (!may_hold((const unsigned char *)in.ptr + i)) {
                i = text_behind_block(in, i);
                continue;
            }
            looked = i + TEXT_BLOCK;
        }
        if (unwanted(text_next(in, &i), joiners))
            text_edit_part(&edit, at, i);
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_control_chars = {
    .name = "control_chars",
    .version = 1,
    .group = DATA_CLEAN,
    .summary =
        "Remove control, zero-width, direction and non-characters; keep line breaks and tabs",
    .summary_zh = "去掉控制字符、零宽字符、方向字符和非字符，保留换行和制表符",
    .source = "Unicode 15.0, sec. 23.2, 23.7, 23.8; control removal as in CCNet, Wenzek et al. "
              "2020, arXiv:1911.00359",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
