/*
 * xlsx: the rows of each visible sheet as records under their header, else as a table.
 *
 * Sheets are streamed and only filled cells are kept, so that tens of thousands of formatted but
 * empty rows cost their parsing and nothing more. Merged cells repeat their text; rows above the
 * header (a title, a unit) become paragraphs; a header of two merged rows becomes "upper.lower".
 */
#include "formats/reader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "formats/markup.h"
#include "formats/office.h"

#define MOST_CELLS  ((size_t)8 << 20)
#define MOST_ROWS   1048576
#define MOST_COLS   16384
#define MOST_STYLES 65536
#define MOST_MERGES 100000
#define HEAD_ROWS   10 /* the header is looked for in so many rows */

enum number_kind { PLAIN, DATE, TIME, DATE_TIME, PERCENT };

struct cell {
    uint32_t row, col;
    struct str text;
};

struct range {
    uint32_t row1, col1, row2, col2;
};

struct xlsx {
    struct office office;
    struct format_out *out;
    struct str *strings; /* shared */
    size_t n_strings, cap_strings;
    unsigned char *kinds; /* of number, by cell style */
    size_t n_kinds;
    bool from_1904;
};

/* A sheet being streamed. */
struct sheet {
    struct xlsx *x;
    struct cell *cells;
    size_t n_cells, cap_cells;
    struct range *merges;
    size_t n_merges, cap_merges;
    uint32_t row, col; /* 0-based, of the cell being read */
    char type;         /* 's' shared, 'i' inline, 't' text, 'b', 'e', 'n' number */
    size_t style;
    bool in_value, in_phonetic;
    struct buf value;
};

static int detect(struct str bytes, struct str suffix)
{
    (void)suffix;
    return office_is(bytes, "xl/worksheets/") ? 90 : 0;
}

static void no_memory(struct format_out *out)
{
    (void)format_fail(out, ERR_NO_MEMORY, "the workbook needs more memory than the limit");
}

/* Room for one more item of `size` in a growing array. */
static bool grow(struct xlsx *x, void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t cap2 = *cap ? *cap * 2 : 256;
    void *grown = arena_grow(x->office.scratch, *items, *cap * size, cap2 * size);
    if (!grown) {
        no_memory(x->out);
        return false;
    }
    *items = grown;
    *cap = cap2;
    return true;
}

/* ---- shared strings ---- */

struct strings {
    struct xlsx *x;
    struct buf text;
    bool in_text, in_phonetic;
};

static bool strings_start(void *ctx, struct str name, const struct markup_attr *attrs, size_t n)
{
    struct strings *s = ctx;
    (void)attrs, (void)n;
    if (str_eq_c(name, "si"))
        buf_clear(&s->text);
    else if (str_eq_c(name, "rPh"))
        s->in_phonetic = true;
    else if (str_eq_c(name, "t"))
        s->in_text = !s->in_phonetic;
    return true;
}

static bool strings_text(void *ctx, struct str text)
{
    struct strings *s = ctx;
    if (s->in_text)
        buf_add(&s->text, text);
    return true;
}

static bool strings_end(void *ctx, struct str name)
{
    struct strings *s = ctx;
    struct xlsx *x = s->x;
    if (str_eq_c(name, "rPh"))
        s->in_phonetic = false;
    else if (str_eq_c(name, "t"))
        s->in_text = false;
    if (!str_eq_c(name, "si"))
        return true;
    if (!grow(x, (void **)&x->strings, x->n_strings, &x->cap_strings, sizeof *x->strings))
        return false;
    struct str copy = str_copy(x->office.scratch, buf_str(&s->text));
    if (!copy.ptr || s->text.failed)
        no_memory(x->out);
    x->strings[x->n_strings++] = copy;
    return copy.ptr != NULL;
}

static void read_strings(struct xlsx *x, struct str workbook)
{
    static const struct markup_events events = {strings_start, strings_end, strings_text};
    struct str path = office_related(&x->office, workbook, STR_NONE, "/sharedStrings");
    struct str bytes = office_bytes(&x->office, path.len ? path.ptr : "xl/sharedStrings.xml");
    struct arena *work = arena_new(arena_limit(x->out->arena));
    struct strings s = {.x = x};
    if (!work) {
        no_memory(x->out);
        return;
    }
    buf_init(&s.text, work);
    (void)markup_stream(x->out, MARKUP_XML, bytes, &events, &s);
    arena_free(work);
}

/* ---- number formats ---- */

/* The letters of a format outside quotes, brackets and escapes say what it shows. */
static enum number_kind kind_of_code(struct str code)
{
    bool date = false, time = false, percent = false;
    for (size_t i = 0; i < code.len && code.ptr[i] != ';'; i++) {
        switch (code.ptr[i]) {
        case '\\':
        case '_':
            i++;
            break;
        case '"':
            for (i++; i < code.len && code.ptr[i] != '"'; i++)
                ;
            break;
        case '[':
            for (i++; i < code.len && code.ptr[i] != ']'; i++)
                time = time || code.ptr[i] == 'h';
            break;
        case 'y':
        case 'Y':
        case 'd':
        case 'D':
            date = true;
            break;
        case 'h':
        case 'H':
        case 's':
            time = true;
            break;
        case '%':
            percent = true;
            break;
        default:
            break;
        }
    }
    return date && time ? DATE_TIME : date ? DATE : time ? TIME : percent ? PERCENT : PLAIN;
}

static enum number_kind kind_of_id(int64_t id, const struct markup_node *formats)
{
    for (const struct markup_node *n = formats ? formats->first : NULL; n; n = n->next) {
        int64_t own;
        if (str_to_i64(markup_get(n, "numFmtId"), &own) && own == id)
            return kind_of_code(markup_get(n, "formatCode"));
    }
    if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || id == 36 || (id >= 50 && id <= 54) ||
        id == 57 || id == 58)
        return DATE;
    if ((id >= 18 && id <= 21) || (id >= 32 && id <= 35) || (id >= 45 && id <= 47) || id == 55 ||
        id == 56)
        return TIME;
    return id == 22 ? DATE_TIME : id == 9 || id == 10 ? PERCENT : PLAIN;
}

static void read_styles(struct xlsx *x, struct str workbook)
{
    struct str path = office_related(&x->office, workbook, STR_NONE, "/styles");
    struct markup_node *root =
        markup_child(office_tree(&x->office, path.len ? path.ptr : "xl/styles.xml"), "styleSheet");
    struct markup_node *formats = markup_child(root, "numFmts"),
                       *xfs = markup_child(root, "cellXfs");
    x->kinds = arena_alloc(x->office.scratch, MOST_STYLES);
    for (struct markup_node *n = xfs ? xfs->first : NULL; n && x->kinds && format_go_on(x->out);
         n = n->next) {
        int64_t id = 0;
        if (!str_eq_c(n->name, "xf") || x->n_kinds >= MOST_STYLES)
            continue;
        (void)!str_to_i64(markup_get(n, "numFmtId"), &id);
        x->kinds[x->n_kinds++] = (unsigned char)kind_of_id(id, formats);
    }
}

/* ---- cells ---- */

/* "BC12" to 0-based column and row; false when it is no reference. */
static bool parse_ref(struct str ref, uint32_t *row, uint32_t *col)
{
    uint64_t c = 0, r = 0;
    size_t i = 0;
    for (; i < ref.len && ref.ptr[i] >= 'A' && ref.ptr[i] <= 'Z' && c <= MOST_COLS; i++)
        c = c * 26 + (uint64_t)(ref.ptr[i] - 'A' + 1);
    size_t letters = i;
    for (; i < ref.len && ref.ptr[i] >= '0' && ref.ptr[i] <= '9' && r <= MOST_ROWS; i++)
        r = r * 10 + (uint64_t)(ref.ptr[i] - '0');
    if (letters == 0 || i == letters || i < ref.len || c > MOST_COLS || r == 0 || r > MOST_ROWS)
        return false;
    *col = (uint32_t)(c - 1);
    *row = (uint32_t)(r - 1);
    return true;
}

/* A serial number of days as a date: Excel counts from 1899-12-30, since it believes in the 29th of
 * February 1900. */
static struct str date_text(struct xlsx *x, double serial, enum number_kind kind)
{
    double days = floor(serial);
    int seconds = (int)lround((serial - days) * 86400);
    char day[TIME_TEXT];
    if (seconds == 86400) {
        seconds = 0;
        days += 1;
    }
    bool midnight = seconds == 0;
    int base = x->from_1904 ? -24107 : days < 60 ? -25568 : -25569; /* days before 1970-01-01 */
    (void)day_format((int32_t)days + base, day);
    int h = seconds / 3600, m = seconds / 60 % 60, s = seconds % 60;
    if (kind == TIME && days == 0)
        return str_printf(x->office.scratch, s ? "%02d:%02d:%02d" : "%02d:%02d", h, m, s);
    if (kind == DATE || midnight)
        return str_printf(x->office.scratch, "%s", day);
    return str_printf(x->office.scratch, "%s %02d:%02d:%02d", day, h, m, s);
}

static struct str number_text(struct xlsx *x, struct str raw, size_t style)
{
    enum number_kind kind = style < x->n_kinds ? x->kinds[style] : PLAIN;
    double value;
    if (!str_to_f64(raw, &value) || !isfinite(value))
        return str_copy(x->office.scratch, raw);
    if (kind == PERCENT)
        return str_printf(x->office.scratch, "%.10g%%", value * 100);
    if (kind != PLAIN && value >= 0 && value < 2958466) /* the year 10000 */
        return date_text(x, value, kind);
    bool plain = raw.len <= 15 && str_find_char(raw, 'E') == STR_NPOS;
    return plain ? str_copy(x->office.scratch, raw) : str_printf(x->office.scratch, "%.15g", value);
}

static struct str cell_text(struct sheet *s)
{
    struct xlsx *x = s->x;
    struct str raw = buf_str(&s->value);
    int64_t i;
    switch (s->type) {
    case 's':
        return str_to_i64(str_trim(raw), &i) && i >= 0 && (uint64_t)i < x->n_strings ? x->strings[i]
                                                                                     : STR_NONE;
    case 'b':
        return str_eq_c(str_trim(raw), "1") ? STR("TRUE") : STR("FALSE");
    case 'e':
        return STR_NONE;
    case 'n':
        return number_text(x, str_trim(raw), s->style);
    default:
        return str_copy(x->office.scratch, raw);
    }
}

static void keep_cell(struct sheet *s)
{
    struct xlsx *x = s->x;
    if (!s->value.len)
        return;
    struct str text = cell_text(s);
    text = str_trim_space(text);
    if (!text.len)
        return;
    if (s->n_cells >= MOST_CELLS) {
        (void)format_fail(x->out, ERR_TOO_LARGE, "a sheet has more than %zu filled cells",
                          MOST_CELLS);
        return;
    }
    if (grow(x, (void **)&s->cells, s->n_cells, &s->cap_cells, sizeof *s->cells))
        s->cells[s->n_cells++] = (struct cell){s->row, s->col, text};
}

static char type_of(struct str t)
{
    if (str_eq_c(t, "s"))
        return 's';
    if (str_eq_c(t, "inlineStr"))
        return 'i';
    if (str_eq_c(t, "str") || str_eq_c(t, "d"))
        return 't';
    return str_eq_c(t, "b") ? 'b' : str_eq_c(t, "e") ? 'e' : 'n';
}

static void start_cell(struct sheet *s, const struct markup_attr *attrs, size_t n)
{
    struct str ref = markup_attr(attrs, n, "r");
    uint32_t row, col;
    int64_t style = 0;
    if (ref.len && parse_ref(ref, &row, &col)) {
        s->row = row;
        s->col = col;
    } else {
        s->col++; /* begins before the first */
    }
    (void)!str_to_i64(markup_attr(attrs, n, "s"), &style);
    s->style = style < 0 ? 0 : (size_t)style;
    s->type = type_of(markup_attr(attrs, n, "t"));
    buf_clear(&s->value);
}

static void start_row(struct sheet *s, struct str r)
{
    int64_t row;
    s->row = str_to_i64(r, &row) && row >= 1 && row <= MOST_ROWS ? (uint32_t)row - 1 : s->row + 1;
    s->col = UINT32_MAX;
}

static void keep_merge(struct sheet *s, struct str ref)
{
    struct range m;
    size_t colon = str_find_char(ref, ':');
    if (colon == STR_NPOS || s->n_merges >= MOST_MERGES ||
        !parse_ref(str_slice(ref, 0, colon), &m.row1, &m.col1) ||
        !parse_ref(str_from(ref, colon + 1), &m.row2, &m.col2) || m.row2 < m.row1 ||
        m.col2 < m.col1)
        return;
    if (grow(s->x, (void **)&s->merges, s->n_merges, &s->cap_merges, sizeof *s->merges))
        s->merges[s->n_merges++] = m;
}

static bool sheet_start(void *ctx, struct str name, const struct markup_attr *attrs, size_t n)
{
    struct sheet *s = ctx;
    if (str_eq_c(name, "c"))
        start_cell(s, attrs, n);
    else if (str_eq_c(name, "row"))
        start_row(s, markup_attr(attrs, n, "r"));
    else if (str_eq_c(name, "v") || (str_eq_c(name, "t") && !s->in_phonetic))
        s->in_value = true;
    else if (str_eq_c(name, "rPh"))
        s->in_phonetic = true;
    else if (str_eq_c(name, "mergeCell"))
        keep_merge(s, markup_attr(attrs, n, "ref"));
    return !s->x->out->err;
}

static bool sheet_end(void *ctx, struct str name)
{
    struct sheet *s = ctx;
    if (str_eq_c(name, "v") || str_eq_c(name, "t"))
        s->in_value = false;
    else if (str_eq_c(name, "rPh"))
        s->in_phonetic = false;
    else if (str_eq_c(name, "c"))
        keep_cell(s);
    return !s->x->out->err;
}

static bool sheet_text(void *ctx, struct str text)
{
    struct sheet *s = ctx;
    if (s->in_value)
        buf_add(&s->value, text);
    return true;
}

/* ---- cells to rows ---- */

struct grid {
    struct str *cells; /* (n_rows, n_cols) of the rows and columns that hold something */
    size_t n_rows, n_cols;
    uint32_t *rows, *cols; /* their numbers in the sheet */
};

static int by_place(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return x->col < y->col ? -1 : x->col > y->col;
}

/* Index of `value` in the sorted `list`, or where it would stand. */
static size_t lower(const uint32_t *list, size_t n, uint32_t value)
{
    size_t a = 0;
    while (n > 0) {
        size_t half = n / 2;
        if (list[a + half] < value) {
            a += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return a;
}

static bool number_columns(struct sheet *s, struct grid *g)
{
    unsigned char *used = arena_alloc(s->x->office.scratch, MOST_COLS);
    g->cols = arena_array(s->x->office.scratch, uint32_t, MOST_COLS);
    g->rows = arena_array(s->x->office.scratch, uint32_t, s->n_cells + 1);
    if (!used || !g->cols || !g->rows)
        return false;
    for (size_t i = 0; i < s->n_cells; i++) {
        if (s->cells[i].col < MOST_COLS)
            used[s->cells[i].col] = 1;
        if (g->n_rows == 0 || g->rows[g->n_rows - 1] != s->cells[i].row)
            g->rows[g->n_rows++] = s->cells[i].row;
    }
    for (uint32_t c = 0; c < MOST_COLS; c++) {
        if (used[c])
            g->cols[g->n_cols++] = c;
    }
    return true;
}

/* The merged cells that cross rows and columns in use. */
static void fill_merges(const struct sheet *s, struct grid *g)
{
    for (size_t i = 0; i < s->n_merges && format_go_on(s->x->out); i++) {
        const struct range *m = &s->merges[i];
        size_t r1 = lower(g->rows, g->n_rows, m->row1), c1 = lower(g->cols, g->n_cols, m->col1);
        if (r1 >= g->n_rows || g->rows[r1] != m->row1 || c1 >= g->n_cols || g->cols[c1] != m->col1)
            continue; /* empty */
        struct str text = g->cells[r1 * g->n_cols + c1];
        for (size_t r = r1; r < g->n_rows && g->rows[r] <= m->row2; r++) {
            for (size_t c = c1; c < g->n_cols && g->cols[c] <= m->col2; c++)
                g->cells[r * g->n_cols + c] = text;
        }
    }
}

static bool build_grid(struct sheet *s, struct grid *g)
{
    struct format_out *out = s->x->out;
    bool sorted = true;
    for (size_t i = 1; i < s->n_cells && sorted; i++)
        sorted = by_place(&s->cells[i - 1], &s->cells[i]) <= 0;
    if (!sorted)
        qsort(s->cells, s->n_cells, sizeof *s->cells, by_place);
    if (!number_columns(s, g)) {
        no_memory(out);
        return false;
    }
    if (g->n_cols && g->n_rows > MOST_CELLS / g->n_cols) {
        (void)format_fail(out, ERR_TOO_LARGE, "a sheet of %zu rows and %zu columns is too large",
                          g->n_rows, g->n_cols);
        return false;
    }
    g->cells = arena_array(out->arena, struct str, g->n_rows * g->n_cols + 1);
    if (!g->cells) {
        no_memory(out);
        return false;
    }
    for (size_t i = 0, r = 0; i < s->n_cells; i++) {
        while (g->rows[r] != s->cells[i].row)
            r++;
        size_t c = lower(g->cols, g->n_cols, s->cells[i].col);
        if (c < g->n_cols)
            g->cells[r * g->n_cols + c] = s->cells[i].text;
    }
    fill_merges(s, g);
    return !out->err;
}

/* ---- rows to blocks ---- */

/* Whether row r is a title over the table: one text, alone or merged across. */
static bool is_title_row(const struct grid *g, size_t r)
{
    const struct str *row = g->cells + r * g->n_cols;
    struct str first = STR_NONE;
    for (size_t c = 0; c < g->n_cols; c++) {
        if (row[c].len && !first.len)
            first = row[c];
        else if (row[c].len && !str_eq(row[c], first))
            return false;
    }
    return true;
}

static void put_title_row(struct format_out *out, const struct grid *g, size_t r)
{
    for (size_t c = 0; c < g->n_cols; c++) {
        if (g->cells[r * g->n_cols + c].len) {
            format_paragraph(out, g->cells[r * g->n_cols + c]);
            return;
        }
    }
}

/* Rows r and r + 1 as one header, "upper.lower", in a copy of row r + 1; NULL without memory. */
static struct str *two_row_header(struct xlsx *x, const struct grid *g, size_t r)
{
    const struct str *up = g->cells + r * g->n_cols, *low = up + g->n_cols;
    struct str *names = arena_array(x->out->arena, struct str, g->n_cols);
    for (size_t c = 0; c < g->n_cols && names; c++) {
        if (str_eq(up[c], low[c]) || !low[c].len)
            names[c] = up[c];
        else if (!up[c].len)
            names[c] = low[c];
        else
            names[c] = str_printf(x->out->arena, "%.*s.%.*s", STR_FMT(up[c]), STR_FMT(low[c]));
    }
    return names;
}

static bool has_twins(const struct str *row, size_t n_cols)
{
    for (size_t c = 1; c < n_cols; c++) {
        if (row[c].len && str_eq(row[c], row[c - 1]))
            return true;
    }
    return false;
}

/* The rows from r on; `r` is the first that is no title. */
static void put_rows(struct xlsx *x, struct grid *g, size_t r)
{
    struct str *rows = g->cells + r * g->n_cols;
    size_t n_rows = g->n_rows - r;
    if (n_rows > 2 && has_twins(rows, g->n_cols)) {
        struct str *names = two_row_header(x, g, r);
        if (!names) {
            no_memory(x->out);
            return;
        }
        struct str *kept = arena_array(x->out->arena, struct str, g->n_cols);
        if (!kept) {
            no_memory(x->out);
            return;
        }
        memcpy(kept, rows + g->n_cols, g->n_cols * sizeof *rows);
        memcpy(rows + g->n_cols, names, g->n_cols * sizeof *rows);
        if (format_looks_like_header(rows + g->n_cols, n_rows - 1, g->n_cols)) {
            format_rows(x->out, rows + g->n_cols, n_rows - 1, g->n_cols);
            return;
        }
        memcpy(rows + g->n_cols, kept, g->n_cols * sizeof *rows);
    }
    format_rows(x->out, rows, n_rows, g->n_cols);
}

static void read_sheet(struct xlsx *x, struct str path, struct str title)
{
    static const struct markup_events events = {sheet_start, sheet_end, sheet_text};
    struct arena *work = arena_new(arena_limit(x->out->arena));
    struct sheet s = {.x = x, .row = UINT32_MAX, .col = UINT32_MAX};
    struct grid g = {0};
    size_t r = 0;
    if (!work) {
        no_memory(x->out);
        return;
    }
    buf_init(&s.value, work);
    struct str bytes = office_bytes(&x->office, path.ptr);
    enum err err = markup_stream(x->out, MARKUP_XML, bytes, &events, &s);
    if (s.value.failed)
        no_memory(x->out);
    arena_free(work);
    if (err || x->out->err || s.n_cells == 0 || !build_grid(&s, &g))
        return;
    if (title.len)
        format_heading(x->out, 1, title);
    for (; g.n_cols > 1 && r < g.n_rows && r < HEAD_ROWS && is_title_row(&g, r); r++)
        put_title_row(x->out, &g, r);
    if (r < g.n_rows)
        put_rows(x, &g, r);
}

/* ---- the workbook ---- */

static enum err read_xlsx(struct str bytes, struct format_out *out)
{
    struct xlsx x = {.out = out};
    enum err err = office_open(&x.office, out, bytes);
    if (err)
        return err;
    office_properties(&x.office);
    struct str path = office_related(&x.office, STR(""), STR_NONE, "/officeDocument");
    if (!path.len)
        path = STR("xl/workbook.xml");
    struct markup_node *book = markup_child(office_tree(&x.office, path.ptr), "workbook");
    struct markup_node *sheets = markup_child(book, "sheets");
    if (!sheets)
        return format_fail(out, ERR_INVALID, "the workbook has no sheets");
    struct str epoch = markup_get(markup_child(book, "workbookPr"), "date1904");
    x.from_1904 = str_eq_c(epoch, "1") || str_eq_c(epoch, "true");
    read_strings(&x, path);
    read_styles(&x, path);
    size_t n_visible = 0, n_hidden = 0;
    for (struct markup_node *n = sheets->first; n; n = n->next) {
        struct str state = markup_get(n, "state");
        bool hidden = state.len && !str_eq_c(state, "visible");
        n_visible += str_eq_c(n->name, "sheet") && !hidden;
        n_hidden += str_eq_c(n->name, "sheet") && hidden;
    }
    for (struct markup_node *n = sheets->first; n && format_go_on(out); n = n->next) {
        struct str state = markup_get(n, "state");
        if (!str_eq_c(n->name, "sheet") || (state.len && !str_eq_c(state, "visible")))
            continue;
        struct str part = office_related(&x.office, path, markup_get(n, "id"), NULL);
        if (part.len)
            read_sheet(&x, part, n_visible > 1 ? markup_get(n, "name") : STR_NONE);
    }
    if (n_hidden)
        format_note(out, "%zu hidden sheets were left out", n_hidden);
    return out->err;
}

const struct format_reader format_reader_xlsx = {
    .name = "xlsx",
    .suffixes = " xlsx xlsm xltx ",
    .risky = true,
    .detect = detect,
    .read = read_xlsx,
};
