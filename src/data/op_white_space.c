/* white_space: runs of spaces and empty lines. */
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { EMPTY, BETWEEN_HAN };
static const struct data_param params[] = {
    [EMPTY] = {"empty_lines", DATA_INTEGER, 0, 10, 1, NULL, "lines", "Most empty lines in a row",
               "连续空行的最大数目"},
    [BETWEEN_HAN] = {"between_han", DATA_FLAG, 0, 0, 0, NULL, "",
                     "Also remove spaces between two Han characters", "同时去掉汉字之间的空格"},
};

static bool is_gap(uint32_t c)
{
    return c != '\n' && (c < 0x3001 || c == 0xFEFF) && utf8_is_space(c);
}

/* Whether a block may hold a gap, by the bytes of gaps; quotes and dashes, E2 80 9x, are none. */
static bool may_hold(const unsigned char *p)
{
    unsigned char any = 0;
    for (int k = 0; k < TEXT_BLOCK; k++) {
        unsigned char a = p[k], b = p[k + 1], c = p[k + 2];
        any |=
            (unsigned char)((a <= 0x20) | (a == 0xC2) | (a == 0xE1) | ((a == 0xEF) & (b == 0xBB)));
        any |= (unsigned char)((a == 0xE3) & (b == 0x80) & (c == 0x80));
        any |= (unsigned char)((a == 0xE2) &
                               ((b == 0x81) | ((b == 0x80) & ((c < 0x90) | (c >= 0xA8)))));
    }
    return any;
}

/* One line without its ends: gaps become one space, or none between Han. */
static void add_line(struct buf *out, struct str line, bool tight)
{
    size_t from = 0, looked = 0;
    for (size_t i = 0; i < line.len;) {
        size_t at = i;
        if (i >= looked && i + TEXT_BLOCK + TEXT_PEEK <= line.len) {
            if (!may_hold((const unsigned char *)line.ptr + i)) {
                i = text_behind_block(line, i);
                continue;
            }
            looked = i + TEXT_BLOCK;
        }
        uint32_t c = text_next(line, &i), before = 0;
        if (!is_gap(c))
            continue;
        for (size_t k = at ? utf8_prev(line, at) : 0; k < at;)
            before = text_next(line, &k);
        size_t behind = i;
        uint32_t next = 0;
        while (behind < line.len) {
            size_t k = behind;
            next = text_next(line, &k);
            if (!is_gap(next))
                break;
            behind = k;
        }
        buf_add(out, str_slice(line, from, at));
        if (!(tight && utf8_is_han(before) && utf8_is_han(next)))
            buf_char(out, ' ');
        from = i = behind;
    }
    buf_add(out, str_from(line, from));
}

static struct str trimmed(struct str s)
{
    while (s.len) {
        size_t i = 0;
        if (!utf8_is_space(text_next(s, &i)))
            break;
        s = str_from(s, i);
    }
    while (s.len) {
        size_t at = utf8_prev(s, s.len), i = at;
        if (!utf8_is_space(text_next(s, &i)))
            break;
        s.len = at;
    }
    return s;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    struct str rest = in, line;
    size_t most = (size_t)call->args[EMPTY].number, empty = 0;
    bool first = true;
    buf_init(&buf, call->arena);
    (void)buf_room(&buf, in.len + 1);
    while (str_next_line(&rest, &line)) {
        line = trimmed(line);
        if (!line.len) {
            empty++;
            continue;
        }
        for (size_t i = 0; !first && i < empty && i < most; i++)
            buf_char(&buf, '\n');
        empty = 0;
        if (!first)
            buf_char(&buf, '\n');
        first = false;
        add_line(&buf, line, call->args[BETWEEN_HAN].number > 0);
    }
    *out = buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_white_space = {
    .name = "white_space",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Collapse runs of white space and empty lines, and trim every line",
    .summary_zh = "合并连续空白和空行，去掉行首行尾空白",
    .source = "whitespace_normalization_mapper of Data-Juicer, Chen et al. 2024, arXiv:2309.02033; "
              "the rule between Han is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
