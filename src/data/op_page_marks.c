/* page_marks: what a printed page has at its head and foot. */
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/text.h"

enum { HEADERS, TIMES };
static const struct data_param params[] = {
    [HEADERS] = {"headers", DATA_FLAG, 0, 0, 1, NULL, "",
                 "Also remove short lines that come again and again beside page numbers",
                 "同时去掉在页码旁反复出现的短行（页眉页脚）"},
    [TIMES] = {"times", DATA_INTEGER, 2, 1000, 3, NULL, "times", "So often a header must come",
               "页眉至少出现的次数"},
};

#define MOST_HEADER 120 /* bytes of a line that may be a header */

static struct str without(struct str s, const char *head, const char *foot)
{
    struct str h = str_c(head), f = str_c(foot);
    if (s.len > h.len + f.len && str_starts(s, h) && str_ends(s, f))
        return str_trim_space(str_slice(s, h.len, s.len - f.len));
    return STR("");
}

static bool is_number(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return s.len > 0 && s.len <= 4;
}

/* "3/10", "3 / 10" */
static bool is_of(struct str s)
{
    size_t slash = str_find_char(s, '/');
    return slash != STR_NPOS && is_number(str_trim_space(str_slice(s, 0, slash))) &&
           is_number(str_trim_space(str_from(s, slash + 1)));
}

/* 第3页, 第 3 页 共 10 页, 第3页/共10页 */
static bool is_chinese_page(struct str s)
{
    struct str page = STR("页"), first = STR("第");
    size_t at = str_find(s, page);
    if (!str_starts(s, first) || at == STR_NPOS ||
        !is_number(str_trim_space(str_slice(s, first.len, at))))
        return false;
    struct str rest = str_trim_space(str_from(s, at + page.len));
    while (rest.len && (rest.ptr[0] == '/' || rest.ptr[0] == ','))
        rest = str_trim_space(str_from(rest, 1));
    if (str_starts(rest, STR("，")) || str_starts(rest, STR("／")))
        rest = str_trim_space(str_from(rest, 3));
    return !rest.len || is_number(without(rest, "共", "页")) ||
           is_number(without(rest, "总", "页"));
}

static bool is_mark(struct str line)
{
    static const char *const ends[][2] = {{"-", "-"},   {"—", "—"}, {"－", "－"}, {"－", "-"},
                                          {"–", "–"},   {"·", "·"}, {"[", "]"},   {"Page", ""},
                                          {"page", ""}, {"P.", ""}, {"- ", " -"}};
    struct str s = str_trim_space(line);
    if (!s.len || s.len > 40)
        return false;
    if (is_of(s) || is_chinese_page(s))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct str inner = without(s, ends[i][0], ends[i][1]);
        if (is_number(inner) || is_of(inner))
            return true;
    }
    return false;
}

static struct str *lines_of(struct str in, struct arena *arena, size_t *n)
{
    struct str rest = in, line;
    size_t count = 1;
    for (size_t i = 0; i < in.len; i++)
        count += in.ptr[i] == '\n';
    struct str *lines = arena_array(arena, struct str, count);
    *n = 0;
    while (lines && str_next(&rest, '\n', &line))
        lines[(*n)++] = line;
    return lines;
}

/* Short lines within two lines of a page's mark, counted. */
static bool count_headers(const struct str *lines, const bool *marks, size_t n, struct map *headers)
{
    for (size_t i = 0; i < n; i++) {
        bool near = false;
        for (size_t k = i >= 2 ? i - 2 : 0; k <= i + 2 && k < n; k++)
            near |= marks[k];
        struct str s = str_trim_space(lines[i]);
        if (!near || marks[i] || !s.len || s.len > MOST_HEADER || text_ends_sentence(s))
            continue;
        struct map_entry *e = map_put(headers, s, NULL);
        if (!e)
            return false;
        e->value.u++;
    }
    return true;
}

static enum err text(const struct data_call *call, struct str in, struct str *out, struct why *why)
{
    struct map headers;
    struct buf buf;
    size_t n, n_marks = 0;
    bool first = true;
    struct str *lines = lines_of(in, call->arena, &n);
    bool *marks = lines ? arena_array(call->arena, bool, n + 1) : NULL;
    if (!marks)
        return err_set(why, ERR_NO_MEMORY, "could not hold the lines of a text");
    for (size_t i = 0; i < n; i++)
        n_marks += marks[i] = is_mark(lines[i]);
    *out = in;
    if (!n_marks)
        return ERR_OK;
    map_init(&headers, call->arena);
    if (call->args[HEADERS].number > 0 && !count_headers(lines, marks, n, &headers))
        return err_set(why, ERR_NO_MEMORY, "could not count the lines of a text");
    buf_init(&buf, call->arena);
    for (size_t i = 0; i < n; i++) {
        const struct map_entry *e = map_find(&headers, str_trim_space(lines[i]));
        if (!marks[i] && !(e && (double)e->value.u >= call->args[TIMES].number))
            text_add_line(&buf, lines[i], &first);
    }
    *out = buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

const struct data_op data_op_page_marks = {
    .name = "page_marks",
    .version = 1,
    .group = DATA_CLEAN,
    .summary = "Remove page numbers and the headers and footers that repeat beside them",
    .summary_zh = "去掉页码以及在页码旁反复出现的页眉页脚",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_TEXT,
    .gives = DATA_SAME_KIND,
    .text = text,
};
