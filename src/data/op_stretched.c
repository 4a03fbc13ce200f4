/* stretched: a character or a short piece written many times in a row. */
#include <string.h>

#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { MOST, UNIT };
static const struct data_param params[] = {
    [MOST] = {"most", DATA_INTEGER, 1, 100, 3, NULL, "times", "So often may it stand in a row",
              "允许连续重复的次数"},
    [UNIT] = {"unit", DATA_INTEGER, 1, 8, 4, NULL, "characters", "Longest piece that is looked at",
              "重复片段的最大字数"},
};

/* Numbers and white space may repeat: 1000000, indented tables. */
static bool may_repeat(struct str unit)
{
    for (size_t i = 0; i < unit.len;) {
        uint32_t c = text_next(unit, &i);
        if (!(c >= '0' && c <= '9') && !utf8_is_space(c) && c != 0xFF10)
            return false;
    }
    return true;
}

/* How often the n bytes at `at` stand in a row. */
static size_t times(struct str in, size_t at, size_t n)
{
    size_t k = 1;
    while (at + (k + 1) * n <= in.len && memcmp(in.ptr + at, in.ptr + at + k * n, n) == 0)
        k++;
    return k;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    size_t most = (size_t)call->args[MOST].number;
    size_t longest = (size_t)call->args[UNIT].number;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        size_t end = i, cut = 0, behind = 0;
        for (size_t n = 1; n <= longest && end < in.len && !cut; n++) {
            (void)text_next(in, &end);
            size_t k = times(in, i, end - i);
            if (k <= most || may_repeat(str_slice(in, i, end)))
                continue;
            cut = i + most * (end - i);
            behind = i + k * (end - i);
        }
        if (!cut) {
            (void)text_next(in, &i);
            continue;
        }
        text_edit_part(&edit, cut, behind);
        i = behind;
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_stretched = {
    .name = "stretched",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Cut a character or short piece that is written over and over; numbers stay",
    .summary_zh = "压缩连续重复的字符或短语，数字不受影响",
    .source = "after remove_repeat_sentences_mapper of Data-Juicer, arXiv:2309.02033; for "
              "characters and pieces, ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
