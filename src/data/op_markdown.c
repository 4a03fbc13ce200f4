/* markdown: the text of a Markdown page without its marks. */
#include <string.h>

#include "core/arena.h"
#include "data/op.h"
#include "data/text.h"

enum { CODE };
static const struct data_param params[] = {
    [CODE] = {"code", DATA_CHOICE, 0, 0, 0, "keep|drop", "", "What becomes of fenced code",
              "围栏代码块的处理"},
};

#define MOST_LINK 1024 /* bytes of a link's address, and of its text */

static bool is_mark(char c)
{
    return c == '*' || c == '_' || c == '`' || c == '~';
}

/* The end of "[text](address)" at `at` with its text; `at` when it is none. */
static size_t read_link(struct str line, size_t at, struct str *text)
{
    size_t close = at + 1, depth = 1;
    while (close < line.len && depth && close - at < MOST_LINK) {
        depth += line.ptr[close] == '[';
        depth -= line.ptr[close] == ']';
        close++;
    }
    if (depth || close >= line.len || (line.ptr[close] != '(' && line.ptr[close] != '['))
        return at;
    char end = line.ptr[close] == '(' ? ')' : ']';
    for (size_t i = close + 1; i < line.len && i - close < MOST_LINK; i++)
        if (line.ptr[i] == end) {
            *text = str_slice(line, at + 1, close - 1);
            return i + 1;
        }
    return at;
}

/* A letter or digit of ASCII: a mark between two of them belongs to a name or a sum. */
static bool is_word(struct str line, size_t at)
{
    char c = at < line.len ? line.ptr[at] : ' ';
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static bool is_gap(struct str line, size_t at)
{
    return at >= line.len || line.ptr[at] == ' ' || line.ptr[at] == '\t';
}

/* How many marks of emphasis stand at `at`; 0: they are none. A single one needs a second in the
 * line (`pair`), and neither may stand within a word nor between spaces. */
static size_t emphasis(struct str line, size_t at, bool pair)
{
    size_t n = 1;
    char c = line.ptr[at];
    while (at + n < line.len && line.ptr[at + n] == c)
        n++;
    if (c == '`' || (n >= 2 && c != '_'))
        return n;
    bool words = at > 0 && is_word(line, at - 1) && is_word(line, at + n);
    bool gaps = (at == 0 || is_gap(line, at - 1)) && is_gap(line, at + n);
    return c == '~' || !pair || words || gaps ? 0 : n;
}

static size_t count_of(struct str line, char c)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++)
        n += line.ptr[i] == c;
    return n;
}

static void add_inline(struct buf *out, struct str line)
{
    bool stars = count_of(line, '*') >= 2, bars = count_of(line, '_') >= 2;
    for (size_t i = 0; i < line.len;) {
        char c = line.ptr[i];
        struct str text = STR_NONE;
        size_t end = i;
        if (c == '\\' && i + 1 < line.len && strchr("\\`*_{}[]()#+-.!|~>", line.ptr[i + 1])) {
            buf_char(out, line.ptr[i + 1]);
            i += 2;
            continue;
        }
        if (c == '!' && i + 1 < line.len && line.ptr[i + 1] == '[') {
            end = read_link(line, i + 1, &text);
            end = end == i + 1 ? i : end;
        } else if (c == '[') {
            end = read_link(line, i, &text);
        } else if (is_mark(c)) {
            size_t n = emphasis(line, i, c == '*' ? stars : bars);
            if (n) {
                i += n;
                continue;
            }
        }
        if (end > i) {
            buf_add(out, text);
            i = end;
            continue;
        }
        buf_char(out, c);
        i++;
    }
}

/* Without the marks at its beginning: quotes, headings, list items. */
static struct str behind_marks(struct str line)
{
    struct str s = str_trim(line);
    while (s.len && s.ptr[0] == '>')
        s = str_trim(str_from(s, 1));
    size_t n = 0;
    while (n < s.len && s.ptr[n] == '#')
        n++;
    if (n && n <= 6 && (n == s.len || s.ptr[n] == ' ')) {
        s = str_trim(str_from(s, n));
        while (s.len && s.ptr[s.len - 1] == '#')
            s.len--;
        return str_trim(s);
    }
    if (s.len > 1 && (s.ptr[0] == '-' || s.ptr[0] == '*' || s.ptr[0] == '+') && s.ptr[1] == ' ')
        return str_trim(str_from(s, 2));
    return s;
}

/* ---, ***, ___, and the line under a heading. */
static bool is_rule(struct str line)
{
    struct str s = str_trim(line);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == s.ptr[0];
    return s.len >= 3 && n == s.len && strchr("-*_=", s.ptr[0]);
}

static bool is_fence(struct str line)
{
    struct str s = str_trim(line);
    return str_starts(s, STR("```")) || str_starts(s, STR("~~~"));
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct buf buf;
    struct str rest = in, line;
    bool code = false, first = true, keep = call->args[CODE].number == 0;
    buf_init(&buf, call->arena);
    while (str_next(&rest, '\n', &line)) {
        if (is_fence(line)) {
            code = !code;
            continue;
        }
        if ((code && !keep) || (!code && is_rule(line)))
            continue;
        if (!first)
            buf_char(&buf, '\n');
        first = false;
        if (code)
            buf_add(&buf, line);
        else
            add_inline(&buf, behind_marks(line));
    }
    *out = buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_markdown = {
    .name = "markdown",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Take the marks of Markdown away: headings, emphasis, links, quotes, lists, fences",
    .summary_zh = "去掉 Markdown 标记：标题、强调、链接、引用、列表、围栏",
    .source = "CommonMark 0.31 for the marks; the rules for words are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
