/* full_width: letters and digits of double width. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { WHAT };
static const struct data_param params[] = {
    [WHAT] = {"what", DATA_CHOICE, 0, 0, 0, "letters_digits|all", "",
              "letters_digits leaves punctuation, which Chinese text has in full width",
              "letters_digits 不改动标点（中文标点本为全角）"},
};

static bool wanted(uint32_t half, bool all)
{
    if (half == ' ' || (half >= '0' && half <= '9') || ((half | 32) >= 'a' && (half | 32) <= 'z'))
        return true;
    return all;
}

/* Whether a block may hold the end of U+3000 or of what has half width: of letters and digits,
 * EF BC 90 .. 99, A1 .. BA, EF BD; of all, EF BC and EF BD. */
static bool may_hold(const unsigned char *p, bool all)
{
    unsigned char any = 0, marks = all;
    for (int k = 0; k < TEXT_BLOCK; k++) {
        unsigned char a = p[k], b = p[k + 1], c = p[k + 2];
        unsigned char digit = (unsigned char)(c - 0x90) < 10;
        unsigned char letter = (unsigned char)(c - 0xA1) < 26;
        any |=
            (unsigned char)((a == 0xEF) & ((b == 0xBD) | ((b == 0xBC) & (digit | letter | marks))));
        any |= (unsigned char)((a == 0xE3) & (b == 0x80) & (c == 0x80));
    }
    return any;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    size_t looked = 0;
    bool all = call->args[WHAT].number > 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        size_t at = i;
        if (i >= looked && i + TEXT_BLOCK + TEXT_PEEK <= in.len) {
            if (!may_hold((const unsigned char *)in.ptr + i, all)) {
                i = text_behind_block(in, i);
                continue;
            }
            looked = i + TEXT_BLOCK;
        }
        if ((unsigned char)in.ptr[i] != 0xEF && (unsigned char)in.ptr[i] != 0xE3) {
            i++; /* no lead byte of U+3000 or U+FF01..FF5E */
            continue;
        }
        uint32_t c = text_next(in, &i), half = utf8_halfwidth(c);
        if (half == c || !wanted(half, all))
            continue;
        text_edit_part(&edit, at, i);
        buf_char(&edit.buf, (char)half);
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_full_width = {
    .name = "full_width",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Turn full-width letters, digits and spaces into half-width ones",
    .summary_zh = "全角字母、数字、空格转为半角",
    .source = "Unicode 15.0, block Halfwidth and Fullwidth Forms",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .keeps_length = true,
    .text = text,
};
