/* punctuation: the marks of Chinese text in Chinese text. */
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { REPEATS };
static const struct data_param params[] = {
    [REPEATS] = {"most_repeats", DATA_INTEGER, 1, 10, 1, NULL, "",
                 "So often may one mark stand in a row; …… and —— are left alone",
                 "同一标点最多连续出现的次数（省略号、破折号除外）"},
};

/* The mark of full width, 0 when there is none. */
static uint32_t wide_of(uint32_t c)
{
    if (c >= 0x40 && c < 0xFF0E)
        return 0;
    switch (c) {
    case ',':
        return 0xFF0C;
    case '?':
        return 0xFF1F;
    case '!':
        return 0xFF01;
    case ':':
        return 0xFF1A;
    case ';':
        return 0xFF1B;
    case '(':
        return 0xFF08;
    case ')':
        return 0xFF09;
    case '.':
    case 0xFF0E: /* ． */
    case 0xFF61: /* ｡ */
        return 0x3002;
    case 0xFF64: /* ､ */
        return 0x3001;
    default:
        return 0;
    }
}

static bool is_chinese(uint32_t c)
{
    return utf8_is_han(c) || (c >= 0x3001 && c <= 0x3011) || c == 0xFF0C || c == 0xFF09 ||
           c == 0xFF01 || c == 0xFF1F || c == 0xFF1A || c == 0xFF1B;
}

/* A half mark is Chinese when a Han character stands before it, and none of Latin text behind. */
static uint32_t chinese(uint32_t before, uint32_t c, uint32_t next)
{
    uint32_t wide = wide_of(c);
    if (!wide)
        return c;
    if (c == '(')
        return is_chinese(next) ? wide : c;
    if (!is_chinese(before))
        return c;
    bool latin = text_class(next) == TEXT_LETTER || text_class(next) == TEXT_DIGIT;
    return c == '.' && (latin || next == '.') ? c : wide;
}

static bool repeats(uint32_t c)
{
    return c == 0xFF0C || c == 0x3002 || c == 0x3001 || c == 0xFF01 || c == 0xFF1F || c == 0xFF1A ||
           c == 0xFF1B || c == '!' || c == '?' || c == ',' || c == ';';
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct text_edit edit;
    size_t run = 0, most = (size_t)call->args[REPEATS].number;
    uint32_t before = 0;
    text_edit_init(&edit, in, call->arena);
    for (size_t i = 0; i < in.len;) {
        size_t at, peek;
        while (i < in.len && text_leads_three(in.ptr[i])) { /* stays, where it does not repeat */
            uint32_t c = text_next(in, &i);
            if (c == before || (c >= 0xFF0E && wide_of(c))) {
                i -= 3;
                break;
            }
            before = c;
            run = 1;
        }
        if (i == in.len)
            break;
        at = i;
        uint32_t c = text_next(in, &i), next = 0, to = c;
        if (wide_of(c)) {
            peek = i;
            next = peek < in.len ? text_next(in, &peek) : 0;
            to = chinese(before, c, next);
        }
        run = to == before && repeats(to) ? run + 1 : 1;
        bool drop = run > most && repeats(to);
        before = to;
        if (to == c && !drop)
            continue;
        char put[UTF8_MAX_BYTES];
        text_edit_part(&edit, at, i);
        if (!drop)
            buf_add(&edit.buf, (struct str){put, utf8_put(put, to)});
    }
    return text_edit_end(&edit, out, why);
}

const struct data_op data_op_punctuation = {
    .name = "punctuation",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Write punctuation behind Chinese words in full width, and cut repeated marks",
    .summary_zh = "汉字后的半角标点改为全角，连续重复的标点合并",
    .source = "GB/T 15834-2011 as commonly described; the rules on neighbours are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
