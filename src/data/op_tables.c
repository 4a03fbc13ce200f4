/* tables: Markdown tables as sentences, a row each: "column: value; ...". */
#include "core/arena.h"
#include "data/op.h"
#include "data/text.h"

enum { BETWEEN, PARTS, END };
static const struct data_param params[] = {
    [BETWEEN] = {"between", DATA_STRING, 0, 20, 0, "：", "", "Between column and value",
                 "列名与值之间的文字"},
    [PARTS] = {"parts", DATA_STRING, 0, 20, 0, "；", "", "Between two columns", "两列之间的文字"},
    [END] = {"end", DATA_STRING, 0, 20, 0, "。", "", "Behind a row", "行末的文字"},
};

#define MOST_COLUMNS 256

static size_t cells_of(struct str line, struct str *cells)
{
    struct str s = str_trim(line);
    size_t n = 0, from = 0;
    if (!s.len || str_find_char(s, '|') == STR_NPOS)
        return 0;
    if (s.ptr[0] == '|')
        from = 1;
    if (s.len > from && s.ptr[s.len - 1] == '|' && (s.len < 2 || s.ptr[s.len - 2] != '\\'))
        s.len--;
    for (size_t i = from; i <= s.len && n < MOST_COLUMNS; i++)
        if (i == s.len || (s.ptr[i] == '|' && (i == 0 || s.ptr[i - 1] != '\\'))) {
            cells[n++] = str_trim_space(str_slice(s, from, i));
            from = i + 1;
        }
    return n;
}

/* |---|:--:| */
static bool is_ruler(struct str line)
{
    struct str s = str_trim(line);
    bool dash = false, bar = false;
    for (size_t i = 0; i < s.len; i++) {
        dash |= s.ptr[i] == '-';
        bar |= s.ptr[i] == '|';
        if (s.ptr[i] != '-' && s.ptr[i] != '|' && s.ptr[i] != ':' && s.ptr[i] != ' ')
            return false;
    }
    return dash && bar;
}

static void add_row(struct buf *out, const struct data_arg *args, const struct str *heads,
                    size_t n_heads, const struct str *cells, size_t n, bool *first)
{
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!cells[i].len)
            continue;
        if (!any && !*first)
            buf_char(out, '\n');
        if (any)
            buf_add(out, args[PARTS].text);
        if (i < n_heads && heads[i].len) {
            buf_add(out, heads[i]);
            buf_add(out, args[BETWEEN].text);
        }
        buf_add(out, cells[i]);
        any = true;
    }
    if (any) {
        buf_add(out, args[END].text);
        *first = false;
    }
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct str heads[MOST_COLUMNS], cells[MOST_COLUMNS], rest = in, line, after, next;
    struct buf buf;
    size_t n_heads = 0;
    bool first = true, any = false;
    buf_init(&buf, call->arena);
    while (str_next(&rest, '\n', &line)) {
        size_t n = cells_of(line, cells);
        after = rest;
        if (n && !n_heads && str_next(&after, '\n', &next) && is_ruler(next)) {
            n_heads = cells_of(line, heads);
            rest = after;
            any = true;
        } else if (n && n_heads) {
            add_row(&buf, call->args, heads, n_heads, cells, n, &first);
        } else {
            n_heads = 0;
            text_add_line(&buf, line, &first);
        }
    }
    *out = !any ? in : buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_tables = {
    .name = "tables",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Write the rows of Markdown tables as sentences that repeat the columns' names",
    .summary_zh = "将 Markdown 表格逐行写成带列名的句子",
    .source = "row serialization as surveyed by Fang et al. 2024, arXiv:2402.17944 sec. 3.1",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
