/*
 * md: CommonMark as far as it carries meaning: front matter, headings, lists, tables, code, quotes.
 *
 * Marks of emphasis, links and images are reduced to their text, HTML comments are dropped, HTML
 * tables are read as html. Unlike CommonMark a line is a paragraph of its own, as Chinese texts are
 * written, unless the lines were wrapped by a program (see format_wrap_width).
 */
#include "formats/reader.h"

#include <string.h>
#include <strings.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "formats/html.h"

#define MOST_COLUMNS 256
#define COMMENT_END  "-->"

struct md {
    struct format_out *out;
    struct str all, rest;
    size_t wrap;     /* see format_wrap_width */
    struct buf para; /* the paragraph or item being joined, when wrapped */
    struct str last; /* its last line; empty: none is open */
    struct str text; /* when not wrapped: a paragraph or item that awaits its next line */
    int item_level;  /* 0: a paragraph */
    bool numbered;
    bool in_item;      /* the last block was an item: indented lines go on with it */
    bool open_comment; /* a comment or table that never ends was met: look for no more */
    bool open_table;
};

static int detect(struct str text, struct str suffix)
{
    if (format_has_suffix(" md markdown mdown mkd ", suffix))
        return 50;
    bool heading = str_starts(text, STR("# ")) || str_find(text, STR("\n## ")) < 4096;
    return suffix.len == 0 && heading ? 10 : 0;
}

/* ---- inside a line ---- */

static bool is_special(char c)
{
    switch (c) {
    case '*':
    case '_':
    case '[':
    case '!':
    case '<':
    case '`':
    case '\\':
    case '&':
    case '~':
        return true;
    default:
        return false;
    }
}

static bool has_special(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (is_special(s.ptr[i]))
            return true;
    }
    return false;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (unsigned char)c >= 0x80;
}

struct entity {
    const char *name, *text;
};

static size_t put_entity(struct buf *buf, struct str s)
{
    static const struct entity entities[] = {
        {"&nbsp;", " "},  {"&lt;", "<"},    {"&gt;", ">"},    {"&amp;", "&"},
        {"&quot;", "\""}, {"&#39;", "'"},   {"&ensp;", " "},  {"&emsp;", "　"},
        {"&ldquo;", "“"}, {"&rdquo;", "”"}, {"&mdash;", "—"}, {"&middot;", "·"},
    };
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        struct str name = str_c(entities[i].name);
        if (str_starts(s, name)) {
            buf_add_c(buf, entities[i].text);
            return name.len;
        }
    }
    buf_char(buf, '&');
    return 1;
}

/* Length of an HTML tag at the start of s, or 0: "<br>", "</u>", "<span style=...>". */
static size_t tag_len(struct str s)
{
    static const char *const names[] = {"br",   "u",   "b",   "i",      "p",     "div", "span",
                                        "font", "sup", "sub", "center", "em",    "s",   "strong",
                                        "del",  "a",   "img", "hr",     "small", "mark"};
    size_t end = str_find_char(str_slice(s, 0, 1024), '>'), from = 1;
    if (end == STR_NPOS || end < 2)
        return 0;
    if (s.ptr[1] == '/')
        from = 2;
    size_t to = from;
    while (to < end && is_word(s.ptr[to]))
        to++;
    struct str name = str_slice(s, from, to);
    if (s.ptr[to] != '>' && s.ptr[to] != ' ' && s.ptr[to] != '/')
        return 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (name.len == strlen(names[i]) && strncasecmp(name.ptr, names[i], name.len) == 0)
            return end + 1;
    }
    return 0;
}

/* A link or image at the start of s, "[text](where)": its text in *text; 0 when it is none. */
static size_t link_len(struct str s, struct str *text)
{
    size_t from = s.ptr[0] == '!' ? 2 : 1;
    struct str near = str_slice(s, 0, 4096);
    size_t inner = str_find_from(near, STR("["), from);
    size_t middle = str_find_from(str_slice(near, 0, inner), STR("]("), from);
    if (middle == STR_NPOS)
        return 0;
    size_t end = str_find_from(near, STR(")"), middle + 2);
    if (end == STR_NPOS)
        return 0;
    *text = str_slice(s, from, middle);
    return end + 1;
}

/* Length of the run of `c` at the start of s. */
static size_t run_len(struct str s, char c)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] == c)
        n++;
    return n;
}

/* Whether a run of * or _ of that length at `at` marks emphasis: it touches a word on one side and
 * its partner is in the same line. A lone "*" in a formula or a note stays. */
static bool is_emphasis(struct str s, size_t at, size_t n)
{
    char c = s.ptr[at];
    bool after = at + n < s.len && s.ptr[at + n] != ' ', before = at > 0 && s.ptr[at - 1] != ' ';
    if (n > 3 || (!after && !before) || (n == 1 && c == '~'))
        return false;
    if (c == '_' && after && before && is_word(s.ptr[at - 1]) && is_word(s.ptr[at + n]))
        return false;
    struct str mark = str_slice(s, at, at + n);
    if (str_find_from(str_slice(s, 0, at + 8192), mark, at + n) != STR_NPOS)
        return true;
    size_t from = at > 8192 ? at - 8192 : 0;
    return str_find(str_slice(s, from, at), mark) != STR_NPOS;
}

/* One special character and what it governs; returns how many bytes were taken. */
static size_t put_special(struct buf *buf, struct str s, size_t at)
{
    struct str here = str_from(s, at), text;
    size_t n;
    switch (here.ptr[0]) {
    case '\\':
        if (here.len > 1 && strchr("\\`*_{}[]()#+-.!|<>~&", here.ptr[1])) {
            buf_char(buf, here.ptr[1]);
            return 2;
        }
        break;
    case '&':
        return put_entity(buf, here);
    case '<':
        n = tag_len(here);
        if (n)
            return n;
        break;
    case '!':
    case '[':
        if (here.ptr[0] == '!' && (here.len < 2 || here.ptr[1] != '['))
            break;
        n = link_len(here, &text);
        if (n) {
            buf_add(buf, text);
            return n;
        }
        break;
    case '`':
        return run_len(here, '`');
    default:
        n = run_len(here, here.ptr[0]);
        if (!is_emphasis(s, at, n))
            buf_add(buf, str_slice(here, 0, n));
        return n;
    }
    buf_char(buf, here.ptr[0]);
    return 1;
}

static struct str plain(struct md *md, struct str s)
{
    s = str_trim_space(s);
    if (!has_special(s))
        return s;
    struct buf buf;
    buf_init(&buf, md->out->arena);
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        while (at < s.len && !is_special(s.ptr[at]))
            at++;
        buf_add(&buf, str_slice(s, start, at));
        if (at < s.len)
            at += put_special(&buf, s, at);
    }
    if (buf.failed)
        (void)format_fail(md->out, ERR_NO_MEMORY, "the text needs more memory than the limit");
    return buf_str(&buf);
}

/* ---- lines to blocks ---- */

/* Ends the paragraph or item that is open. */
static void flush(struct md *md)
{
    if (!md->last.len)
        return;
    struct str text = md->text;
    if (md->para.len) {
        text = str_copy(md->out->arena, buf_str(&md->para));
        if (md->para.failed || !text.ptr)
            (void)format_fail(md->out, ERR_NO_MEMORY, "the text needs more memory than the limit");
        buf_clear(&md->para);
    }
    text = plain(md, text);
    if (md->item_level)
        format_item(md->out, md->item_level, md->numbered, text);
    else
        format_paragraph(md->out, text);
    md->last = md->text = STR_NONE;
}

static void begin(struct md *md, struct str line, struct str text, int item_level, bool numbered)
{
    flush(md);
    md->last = line;
    md->text = text;
    md->item_level = item_level;
    md->numbered = numbered;
    md->in_item = item_level > 0;
}

/* Goes on with the open paragraph or item. */
static void extend(struct md *md, struct str line)
{
    if (!md->para.len)
        buf_add(&md->para, str_trim_space(md->text));
    format_join(&md->para, line);
    md->last = line;
}

/* Level of "## text", 0 for other lines. Chinese writers leave the space out: "##总则". */
static int heading_level(struct str line)
{
    size_t n = run_len(line, '#');
    if (n == 0 || n > 6 || n == line.len)
        return 0;
    bool spaced = line.ptr[n] == ' ' || line.ptr[n] == '\t';
    bool wide = (unsigned char)line.ptr[n] >= 0x80 && line.ptr[line.len - 1] != '#';
    return spaced || wide ? (int)n : 0;
}

static struct str heading_text(struct str line, int level)
{
    struct str text = str_trim_space(str_from(line, (size_t)level));
    size_t end = text.len;
    while (end > 0 && text.ptr[end - 1] == '#')
        end--;
    return end == 0 || text.ptr[end - 1] == ' ' ? str_slice(text, 0, end) : text;
}

static bool is_rule(struct str s, const char *of)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ' ')
            continue;
        if (!strchr(of, s.ptr[i]) || s.ptr[i] != s.ptr[0])
            return false;
        n++;
    }
    return n >= 3;
}

static size_t indent_of(struct str line)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'); i++)
        n += line.ptr[i] == '\t' ? 4 : 1;
    return n;
}

/* Bytes of a list mark with its space: "- ", "12. "; 0 for none. */
static size_t mark_len(struct str s, bool *numbered)
{
    size_t n = 0;
    *numbered = false;
    if (s.len > 1 && strchr("-*+", s.ptr[0]) && s.ptr[1] == ' ')
        return 2;
    while (n < s.len && n < 9 && s.ptr[n] >= '0' && s.ptr[n] <= '9')
        n++;
    if (n == 0 || n + 1 >= s.len || !strchr(".)", s.ptr[n]) || s.ptr[n + 1] != ' ')
        return 0;
    *numbered = true;
    return n + 2;
}

static bool is_table_rule(struct str line)
{
    bool dash = false, bar = false;
    line = str_trim(line);
    for (size_t i = 0; i < line.len; i++) {
        if (!strchr("-|: ", line.ptr[i]))
            return false;
        dash = dash || line.ptr[i] == '-';
        bar = bar || line.ptr[i] == '|';
    }
    return dash && bar;
}

/* Cells of "| a | b |" into `cells` (MOST_COLUMNS); returns how many. */
static size_t split_row(struct str line, struct str *cells)
{
    size_t n = 0, start = 0;
    line = str_trim(line);
    if (str_starts(line, STR("|")))
        line = str_from(line, 1);
    if (str_ends(line, STR("|")) && !str_ends(line, STR("\\|")))
        line.len--;
    for (size_t i = 0; i <= line.len && n < MOST_COLUMNS; i++) {
        if (i < line.len && line.ptr[i] == '\\') {
            i++;
            continue;
        }
        if (i == line.len || line.ptr[i] == '|') {
            cells[n++] = str_slice(line, start, i);
            start = i + 1;
        }
    }
    return n;
}

/* The table whose header is `line`; md->rest stands at its rule. */
static void read_table(struct md *md, struct str line)
{
    struct format_out *out = md->out;
    struct str row[MOST_COLUMNS], *cells = NULL;
    size_t n_cols = split_row(line, row), n_rows = 0, cap = 0, n = n_cols;
    bool more = true;
    flush(md);
    (void)format_line(out, &md->rest, &line);
    do {
        if (n_rows == cap) {
            size_t cap2 = cap ? cap * 2 : 8;
            struct str *grown = arena_grow(out->arena, cells, cap * n_cols * sizeof *cells,
                                           cap2 * n_cols * sizeof *cells);
            if (!grown) {
                (void)format_fail(out, ERR_NO_MEMORY, "a table needs more memory than the limit");
                return;
            }
            cells = grown;
            cap = cap2;
        }
        for (size_t c = 0; c < n_cols; c++)
            cells[n_rows * n_cols + c] = c < n ? plain(md, row[c]) : STR_NONE;
        n_rows++;
        struct str ahead = md->rest;
        more = format_line(out, &ahead, &line) && str_find_char(line, '|') != STR_NPOS;
        if (more) {
            md->rest = ahead;
            n = split_row(line, row);
        }
    } while (more);
    format_table(out, cells, n_rows, n_cols, true);
}

/* Lines up to the closing fence, as they stand. */
static void read_code(struct md *md, struct str fence)
{
    struct str line, start = md->rest, end = md->rest;
    size_t n = run_len(fence, fence.ptr[0]);
    flush(md);
    while (format_line(md->out, &md->rest, &line)) {
        struct str s = str_trim(line);
        if (s.len >= n && run_len(s, fence.ptr[0]) == s.len)
            break;
        end = md->rest;
    }
    format_paragraph(md->out, str_slice(start, 0, start.len - end.len));
}

/* Drops HTML comments, also over several lines. One that never ends stays as it stands. */
static struct str drop_comments(struct md *md, struct str line)
{
    size_t at = md->open_comment ? STR_NPOS : str_find(line, STR("<!--"));
    if (at == STR_NPOS)
        return line;
    struct buf buf;
    buf_init(&buf, md->out->arena);
    while (at != STR_NPOS) {
        size_t end = str_find_from(line, STR(COMMENT_END), at + 4);
        buf_add(&buf, str_slice(line, 0, at));
        if (end != STR_NPOS) {
            line = str_from(line, end + 3);
        } else {
            end = str_find(md->rest, STR(COMMENT_END));
            if (end == STR_NPOS) {
                md->open_comment = true;
                break;
            }
            md->rest = str_from(md->rest, end + 3);
            struct str tail = md->rest;
            if (!str_next_line(&md->rest, &line))
                line = str_slice(tail, 0, 0);
        }
        at = str_find(line, STR("<!--"));
    }
    buf_add(&buf, line);
    return buf_str(&buf);
}

/* An HTML table in the text, from "<table" to "</table>"; false when it is not closed. */
static bool read_html_table(struct md *md, struct str line)
{
    bool inside = line.ptr >= md->all.ptr && line.ptr < md->all.ptr + md->all.len;
    if (!inside || md->open_table || line.len < 6 || strncasecmp(line.ptr, "<table", 6) != 0)
        return false;
    struct str whole = str_from(md->all, (size_t)(line.ptr - md->all.ptr));
    size_t end = str_find(whole, STR("</table>"));
    if (end == STR_NPOS) {
        md->open_table = true;
        return false;
    }
    flush(md);
    (void)format_html_blocks(md->out, str_slice(whole, 0, end + 8));
    md->rest = str_from(whole, end + 8);
    return true;
}

/* Whether the line goes on with what is open: an item by its indent, a paragraph when wrapped. */
static bool goes_on(const struct md *md, struct str line)
{
    if (!md->last.len)
        return false;
    if (md->in_item)
        return indent_of(line) >= 2;
    return md->wrap && format_continues(md->wrap, md->last, line);
}

static void read_text(struct md *md, struct str line, struct str s)
{
    bool numbered;
    size_t mark = mark_len(s, &numbered), indent = indent_of(line);
    int level = 1 + (int)(indent / 2 < 8 ? indent / 2 : 8);
    if (mark)
        begin(md, line, numbered ? s : str_from(s, mark), level, numbered);
    else if (goes_on(md, line))
        extend(md, s);
    else
        begin(md, line, s, 0, false);
}

/* A short line above "===" or "---" is a heading. */
static bool is_underline(const struct md *md, struct str s)
{
    return md->last.len && !md->in_item && !md->para.len && utf8_count(md->last) <= 60 &&
           is_rule(s, "=-");
}

static void read_line(struct md *md, struct str line)
{
    struct str s = str_trim_space(line), ahead = md->rest, next;
    while (str_starts(s, STR(">")))
        s = str_trim_space(str_from(s, 1));
    int level = heading_level(s);
    if (is_underline(md, s)) {
        struct str text = md->text;
        md->last = md->text = STR_NONE;
        format_heading(md->out, s.ptr[0] == '=' ? 1 : 2, plain(md, text));
    } else if (!s.len || is_rule(s, "-*_")) {
        flush(md);
    } else if (level) {
        flush(md);
        md->in_item = false;
        format_heading(md->out, level, plain(md, heading_text(s, level)));
    } else if (str_starts(s, STR("```")) || str_starts(s, STR("~~~"))) {
        read_code(md, s);
    } else if (str_find_char(s, '|') != STR_NPOS && str_next_line(&ahead, &next) &&
               is_table_rule(next)) {
        read_table(md, s);
    } else if (s.ptr[0] != '<' || !read_html_table(md, s)) {
        read_text(md, line, s);
    }
}

/* ---- front matter ---- */

static bool is_fence(struct str line)
{
    line = str_trim(line);
    return (line.len >= 3 && run_len(line, '-') == line.len) || str_eq(line, STR("..."));
}

static struct str unquote(struct str s)
{
    s = str_trim_space(s);
    if (s.len >= 2 && (s.ptr[0] == '"' || s.ptr[0] == '\'') && s.ptr[s.len - 1] == s.ptr[0])
        return str_slice(s, 1, s.len - 1);
    return s;
}

static bool is_key(struct str key)
{
    return key.len > 0 && key.len <= 100 && str_find_char(key, ' ') == STR_NPOS &&
           str_find_char(key, '#') == STR_NPOS;
}

/* "key: value" lines between "---" lines. Anything else in there: it was no front matter. */
static void read_front_matter(struct md *md)
{
    struct str rest = md->rest, line, probe;
    if (!str_next_line(&rest, &line) || !str_eq(str_trim(line), STR("---")))
        return;
    probe = rest;
    for (size_t n = 0;; n++) {
        if (n > 200 || !str_next_line(&probe, &line))
            return;
        if (is_fence(line))
            break;
        size_t colon = str_find_char(line, ':');
        bool listed = line.len && strchr(" \t-#", line.ptr[0]);
        if (str_trim(line).len && !listed &&
            (colon == STR_NPOS || !is_key(str_slice(line, 0, colon))))
            return;
    }
    while (str_next_line(&rest, &line) && !is_fence(line)) {
        size_t colon = str_find_char(line, ':');
        if (colon == STR_NPOS || strchr(" \t-#", line.ptr[0]))
            continue;
        struct str key = str_trim(str_slice(line, 0, colon)),
                   value = unquote(str_from(line, colon + 1));
        format_meta(md->out, key, value);
        if (str_eq(key, STR("title")) || str_eq(key, STR("标题")))
            format_title(md->out, value);
    }
    md->rest = rest;
}

static enum err read_md(struct str text, struct format_out *out)
{
    struct md md = {.out = out, .all = text, .rest = text};
    struct str line;
    buf_init(&md.para, out->arena);
    read_front_matter(&md);
    md.wrap = format_wrap_width(md.rest);
    while (format_line(out, &md.rest, &line))
        read_line(&md, drop_comments(&md, line));
    flush(&md);
    return out->err;
}

const struct format_reader format_reader_md = {
    .name = "md",
    .suffixes = " md markdown mdown mkd ",
    .text = true,
    .detect = detect,
    .read = read_md,
};
