/* join_lines: lines that were broken by the width of a page become one again. */
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { LEAST };
static const struct data_param params[] = {
    [LEAST] = {"least", DATA_INTEGER, 1, 1000, 15, NULL, "characters",
               "Shorter lines were not broken by the width: they stay",
               "短于此长度的行不视为被折断"},
};

static uint32_t last_of(struct str line)
{
    size_t at = utf8_prev(line, line.len);
    return text_next(line, &at);
}

/* A line that goes on in the next: long, and it ends in a word or a comma. */
static bool goes_on(struct str line, size_t least)
{
    if (!line.len || text_length(line) < least)
        return false;
    uint32_t c = last_of(line);
    if (c == 0xFF0C || c == 0x3001 || c == ',' || c == '-')
        return true;
    enum text_class class = text_class(c);
    return class == TEXT_HAN || class == TEXT_LETTER || class == TEXT_DIGIT;
}

/* A line that begins something: an item, a heading, an article, an indent. */
static bool begins(struct str line)
{
    static const char *const heads[] = {"第", "（", "(", "#", "-",  "*",
                                        "·",  "●",  "○", "|", "　", "  "};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (str_starts(line, str_c(heads[i])))
            return true;
    /* "一、", "12." */
    size_t i = 0, n = 0;
    while (i < line.len && n < 4) {
        size_t at = i;
        uint32_t c = text_next(line, &i);
        if (n && (c == 0x3001 || c == '.' || c == 0xFF0E || c == ')' || c == 0xFF09))
            return true;
        static const char digits[] = "一二三四五六七八九十";
        bool number = c >= '0' && c <= '9';
        for (size_t k = 0; !number && k + 3 < sizeof digits; k += 3)
            number = str_eq(str_slice(line, at, i), (struct str){digits + k, 3});
        if (!number)
            return false;
        n++;
    }
    return false;
}

/* Words of Latin script are parted; a hyphen at the break goes. */
static void join(struct buf *out, struct str next)
{
    struct str before = buf_str(out);
    size_t i = 0;
    uint32_t c = text_next(next, &i), last = last_of(before);
    bool latin = text_class(c) == TEXT_LETTER || text_class(c) == TEXT_DIGIT;
    if (last == '-' && text_class(c) == TEXT_LETTER)
        buf_cut(out, out->len - 1);
    else if (latin && last < 0x250)
        buf_char(out, ' ');
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    struct str rest = in, line;
    bool first = true, open = false, any = false;
    buf_init(&buf, call->arena);
    while (str_next(&rest, '\n', &line)) {
        struct str s = str_trim_space(line);
        if (open && s.len && !begins(line)) {
            join(&buf, s);
            buf_add(&buf, s);
            any = true;
        } else {
            if (!first)
                buf_char(&buf, '\n');
            buf_add(&buf, open || goes_on(s, (size_t)call->args[LEAST].number)
                              ? str_trim_space(line)
                              : line);
        }
        first = false;
        open = goes_on(s, (size_t)call->args[LEAST].number);
    }
    *out = any ? buf_str(&buf) : in;
    return buf_err(&buf, why);
}

const struct data_op data_op_join_lines = {
    .name = "join_lines",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Join lines that were broken by the width of a page, as in scans and PDF files",
    .summary_zh = "将因版面宽度折断的行重新连成一行（扫描件、PDF 常见）",
    .source = "ours, after the paragraph rules of PDF text extractors",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
