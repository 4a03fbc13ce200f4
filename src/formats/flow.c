/* formats/reader, the helpers for running text and for rows. */
#include "formats/reader.h"

#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"

#define WIDEST 140 /* a line wider than this was not wrapped by a program */
#define RAGGED 10  /* how far before the margin a wrapped line may end */
#define SAMPLE 3000

size_t format_width(struct str s)
{
    size_t width = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        width += c < 0x80 || (c >= 0xC0 && c < 0xE0) ? 1 : c >= 0xE0 ? 2 : 0;
    }
    return width;
}

static bool blank(struct str line)
{
    return str_trim_space(line).len == 0;
}

static bool is_number_sign(uint32_t c)
{
    static const struct str signs = STR_INIT("一二三四五六七八九十百千零〇两");
    char put[UTF8_MAX_BYTES] = {0};
    if (c >= '0' && c <= '9')
        return true;
    size_t len = utf8_put(put, c);
    return str_find(signs, (struct str){put, len}) != STR_NPOS;
}

/* Bytes of the number at the start of s: digits or Chinese numerals. */
static size_t number_len(struct str s)
{
    size_t at = 0;
    while (at < s.len) {
        size_t next = at;
        if (!is_number_sign(utf8_next(s, &next)))
            break;
        at = next;
    }
    return at;
}

static bool starts_any(struct str s, const char *const *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_starts(s, str_c(marks[i])))
            return true;
    }
    return false;
}

size_t format_ordinal_len(struct str line)
{
    static const char *const units[] = {"编", "章", "节", "条", "款", "项"};
    size_t n = str_starts(line, STR("第")) ? number_len(str_from(line, 3)) : 0;
    return n && starts_any(str_from(line, 3 + n), units, sizeof units / sizeof units[0]) ? 3 + n + 3
                                                                                         : 0;
}

bool format_begins_paragraph(struct str line)
{
    static const char *const indents[] = {"　", "  ", "\t", "- ", "* ", "+ ",
                                          "•",  "●",  "■",  "◆",  "·"};
    static const char *const after_number[] = {"、", ". ", "．", ") ", "）"};
    if (starts_any(line, indents, sizeof indents / sizeof indents[0]))
        return true;
    line = str_trim_space(line);
    if (str_starts(line, STR("（")) || str_starts(line, STR("("))) {
        struct str in = str_from(line, line.ptr[0] == '(' ? 1 : 3);
        size_t n = number_len(in);
        struct str end = str_from(in, n);
        return n > 0 && (str_starts(end, STR("）")) || str_starts(end, STR(")")));
    }
    if (format_ordinal_len(line))
        return true;
    size_t n = number_len(line);
    return n > 0 && starts_any(str_from(line, n), after_number,
                               sizeof after_number / sizeof after_number[0]);
}

size_t format_wrap_width(struct str text)
{
    size_t n_of_width[WIDEST + 2] = {0}, n_lines = 0, n_continued = 0;
    struct str rest = text, line, last = STR_NONE;
    for (size_t i = 0; i < SAMPLE && str_next_line(&rest, &line); i++) {
        if (line.len == 0 || line.ptr[0] == '|' || line.ptr[0] == '#')
            line = STR_NONE;
        if (last.len && line.len && !blank(line)) {
            size_t width = format_width(last);
            n_of_width[width > WIDEST ? WIDEST + 1 : width]++;
            n_continued++;
        }
        n_lines += !blank(line);
        last = blank(line) ? STR_NONE : line;
    }
    if (n_continued < 8 || n_continued * 3 < n_lines)
        return 0;
    /* The margin: 98 of 100 lines end at it or before. */
    size_t margin = 0;
    for (size_t seen = 0; margin <= WIDEST + 1; margin++) {
        seen += n_of_width[margin];
        if (seen * 100 >= n_continued * 98)
            break;
    }
    if (margin > WIDEST || margin < 30)
        return 0;
    size_t n_full = 0;
    for (size_t w = margin - RAGGED; w <= margin; w++)
        n_full += n_of_width[w];
    return n_full * 10 >= n_continued * 6 ? margin : 0;
}

bool format_continues(size_t wrap, struct str line, struct str next)
{
    return format_width(line) + RAGGED >= wrap && !blank(next) && !format_begins_paragraph(next);
}

/* Characters of scripts written without spaces, and their signs. */
static bool is_wide(uint32_t c)
{
    return utf8_is_han(c) || (c >= 0x3000 && c <= 0x30FF) || (c >= 0xFF00 && c <= 0xFFEF) ||
           (c >= 0x2014 && c <= 0x2026);
}

void format_join(struct buf *buf, struct str next)
{
    struct str held = buf_str(buf);
    next = str_trim_space(next);
    if (held.len && next.len) {
        size_t last = utf8_prev(held, held.len), first = 0;
        if (!is_wide(utf8_next(held, &last)) && !is_wide(utf8_next(next, &first)))
            buf_char(buf, ' ');
    }
    buf_add(buf, next);
}

static bool is_white(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == FORMAT_SPACE;
}

static bool needs_squeeze(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n' || c == '\r' || c == '\t' || c == FORMAT_SPACE ||
            (c == ' ' && i + 1 < s.len && s.ptr[i + 1] == ' ') ||
            (c == '\xC2' && i + 1 < s.len && s.ptr[i + 1] == '\xA0'))
            return true;
    }
    return false;
}

/* Writes the white space between `before` and the character at `at`. */
static void put_space(struct buf *buf, struct str s, size_t at, bool broken)
{
    struct str held = buf_str(buf);
    if (!held.len || at >= s.len)
        return;
    size_t last = utf8_prev(held, held.len);
    bool wide = is_wide(utf8_next(held, &last)) || is_wide(utf8_next(s, &at));
    if (!broken || !wide)
        buf_char(buf, ' ');
}

struct str format_squeeze(struct format_out *out, struct str s)
{
    s = str_trim_space(s);
    if (!needs_squeeze(s))
        return s;
    struct buf buf;
    buf_init(&buf, out->arena);
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        bool broken = false, hard = false;
        while (at < s.len &&
               (is_white(s.ptr[at]) || str_starts(str_from(s, at), STR("\xC2\xA0")))) {
            broken = broken || s.ptr[at] == '\n';
            hard = hard || s.ptr[at] == FORMAT_SPACE;
            at += s.ptr[at] == '\xC2' ? 2 : 1;
        }
        if (at > start)
            put_space(&buf, s, at, broken && !hard);
        start = at;
        while (at < s.len && !is_white(s.ptr[at]) &&
               !(s.ptr[at] == '\xC2' && at + 1 < s.len && s.ptr[at + 1] == '\xA0'))
            at++;
        buf_add(&buf, str_slice(s, start, at));
    }
    if (buf.failed)
        (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    return buf_str(&buf);
}

struct str format_column_name(struct arena *arena, size_t i)
{
    char name[8];
    size_t at = sizeof name;
    for (size_t rest = i + 1; rest > 0 && at > 0; rest = (rest - 1) / 26)
        name[--at] = (char)('A' + (rest - 1) % 26);
    return str_copy(arena, (struct str){name + at, sizeof name - at});
}

/* Numbers, dates, telephone numbers: signs of data rather than of a name. */
static bool is_data(struct str s)
{
    size_t digits = 0;
    for (size_t i = 0; i < s.len; i++)
        digits += s.ptr[i] >= '0' && s.ptr[i] <= '9';
    return digits * 2 > utf8_count(s);
}

static bool row_names_columns(const struct str *row, size_t n_cols)
{
    size_t filled = 0;
    for (size_t c = 0; c < n_cols; c++) {
        struct str name = str_trim_space(row[c]);
        if (!name.len)
            continue;
        filled++;
        if (is_data(name) || utf8_count(name) > 40)
            return false;
        for (size_t d = c > 64 ? c - 64 : 0; d < c; d++) {
            if (str_eq(name, str_trim_space(row[d])))
                return false;
        }
    }
    /* One column may go unnamed (the row number). */
    return filled > 0 && filled + 1 >= n_cols;
}

bool format_looks_like_header(const struct str *cells, size_t n_rows, size_t n_cols)
{
    if (n_rows < 2 || n_cols < 2 || !row_names_columns(cells, n_cols))
        return false;
    /* A name that stands again below it is a value. */
    for (size_t r = 1; r < n_rows && r < 50; r++) {
        for (size_t c = 0; c < n_cols; c++) {
            if (cells[c].len && str_eq(cells[c], cells[r * n_cols + c]))
                return false;
        }
    }
    return true;
}

void format_rows(struct format_out *out, struct str *cells, size_t n_rows, size_t n_cols)
{
    if (!format_looks_like_header(cells, n_rows, n_cols)) {
        format_table(out, cells, n_rows, n_cols, false);
        return;
    }
    struct str *names = arena_array(out->arena, struct str, n_cols);
    for (size_t c = 0; c < n_cols && names; c++) {
        struct str name = format_squeeze(out, cells[c]);
        names[c] = name.len ? name : format_column_name(out->arena, c);
    }
    for (size_t r = 1; r < n_rows && names && format_go_on(out); r++) {
        struct format_field *fields = arena_array(out->arena, struct format_field, n_cols);
        if (!fields)
            break;
        for (size_t c = 0; c < n_cols; c++)
            fields[c] = (struct format_field){names[c], cells[r * n_cols + c]};
        format_record(out, fields, n_cols);
        if (r + 1 == n_rows)
            return;
    }
    (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
}
