#include "formats/pdf_lines.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"
#include "formats/reader.h"

#define MARGIN     0.11 /* of the page's height: where running heads and feet stand */
#define LARGER     1.12 /* a heading's letters against the body's */
#define SIZES      400  /* of letters, in steps of half a point */
#define HEAD_CHARS 60
#define MOST_LEVEL 4

struct layout {
    struct format_out *out;
    const struct pdf_pages *doc;
    struct arena *scratch;
    struct map repeated;      /* text of a margin line without digits -> number of pages */
    double body;              /* size of the letters of most text */
    double sizes[MOST_LEVEL]; /* of headings, largest first; 0 none */
    struct buf para;
    struct pdf_line last; /* last line of the open paragraph */
    bool open;
    double left, right; /* margins of the text on the page of the last line */
    int page;           /* pages begun and not yet announced: after the paragraph */
    int announced;
    int level;                /* of the open heading, 0 for a paragraph */
    struct format_table held; /* a table that may go on on the next page; n_rows 0: none */
    int held_page;            /* where its last rows stand */
};

/* ---- running heads, feet, page numbers ---- */

static bool in_margin(const struct pdf_page *page, const struct pdf_line *line)
{
    return !line->table &&
           (line->y2 < page->height * MARGIN || line->y1 > page->height * (1 - MARGIN));
}

/* "- 3 -", "3", "第 3 页 共 9 页", "3/9", "— 3 —" */
static bool is_page_number(struct str text)
{
    static const struct str words[] = {STR_INIT("第"), STR_INIT("页"),   STR_INIT("共"),
                                       STR_INIT("—"),  STR_INIT("－"),   STR_INIT("·"),
                                       STR_INIT("–"),  STR_INIT("Page"), STR_INIT("of")};
    size_t digits = 0;
    for (size_t at = 0; at < text.len;) {
        struct str rest = str_from(text, at);
        size_t i = 0, n = sizeof words / sizeof words[0];
        while (i < n && !str_starts(rest, words[i]))
            i++;
        if (i < n) {
            at += words[i].len;
        } else if (text.ptr[at] >= '0' && text.ptr[at] <= '9') {
            digits++;
            at++;
        } else if (strchr(" -/.", text.ptr[at])) {
            at++;
        } else {
            return false;
        }
    }
    return digits > 0 && digits <= 8;
}

/* The text without digits and spaces: running heads differ in their numbers only. */
static struct str essence(struct layout *l, struct str text)
{
    struct buf buf;
    buf_init(&buf, l->scratch);
    for (size_t i = 0; i < text.len; i++) {
        if (!(text.ptr[i] >= '0' && text.ptr[i] <= '9') && text.ptr[i] != ' ')
            buf_char(&buf, text.ptr[i]);
    }
    return buf_str(&buf);
}

static void count_margins(struct layout *l)
{
    for (size_t p = 0; p < l->doc->n_pages; p++) {
        const struct pdf_page *page = &l->doc->pages[p];
        for (size_t i = 0; i < page->n_lines && format_go_on(l->out); i++) {
            if (!in_margin(page, &page->lines[i]))
                continue;
            struct map_entry *entry = map_put(&l->repeated, essence(l, page->lines[i].text), NULL);
            if (entry)
                entry->value.u++;
        }
    }
}

static bool is_running(struct layout *l, const struct pdf_page *page, const struct pdf_line *line)
{
    if (!in_margin(page, line))
        return false;
    if (is_page_number(line->text))
        return true;
    const struct map_entry *entry = map_find(&l->repeated, essence(l, line->text));
    return entry && entry->value.u >= 3 && entry->value.u * 3 >= l->doc->n_pages;
}

/* ---- sizes ---- */

static size_t size_step(double size)
{
    double step = round(size * 2);
    return step < 0 || !isfinite(step) ? 0 : step >= SIZES ? SIZES - 1 : (size_t)step;
}

/* The body's size is that of most characters; heading sizes are the larger ones, largest first. */
static void find_sizes(struct layout *l)
{
    size_t chars[SIZES] = {0}, best = 0, n = 0;
    for (size_t p = 0; p < l->doc->n_pages; p++) {
        for (size_t i = 0; i < l->doc->pages[p].n_lines; i++) {
            const struct pdf_line *line = &l->doc->pages[p].lines[i];
            chars[size_step(line->size)] += utf8_count(line->text);
        }
    }
    for (size_t s = 1; s < SIZES; s++) {
        if (chars[s] > chars[best])
            best = s;
    }
    l->body = (double)best / 2;
    for (size_t s = SIZES; s-- > 0 && n < MOST_LEVEL;) {
        bool apart = n == 0 || (double)s / 2 < l->sizes[n - 1] - 0.6;
        if (chars[s] && (double)s / 2 > l->body * LARGER && apart)
            l->sizes[n++] = (double)s / 2;
    }
}

static int level_of(const struct layout *l, const struct pdf_line *line)
{
    if (line->size <= l->body * LARGER || utf8_count(line->text) > HEAD_CHARS)
        return 0;
    for (int i = 0; i < MOST_LEVEL && l->sizes[i] > 0; i++) {
        if (line->size >= l->sizes[i] - 0.6)
            return i + 1;
    }
    return 0;
}

/* ---- paragraphs ---- */

static void announce(struct layout *l)
{
    while (l->announced < l->page && format_go_on(l->out))
        format_page(l->out, ++l->announced);
}

static void flush(struct layout *l)
{
    struct str text = str_copy(l->out->arena, buf_str(&l->para));
    if (l->open && (l->para.failed || !text.ptr))
        (void)format_fail(l->out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    else if (l->open && l->level)
        format_heading(l->out, l->level, format_squeeze(l->out, text));
    else if (l->open)
        format_paragraph(l->out, format_squeeze(l->out, text));
    buf_clear(&l->para);
    l->open = false;
    if (l->held.n_rows)
        format_table(l->out, l->held.cells, l->held.n_rows, l->held.n_cols, l->held.has_header);
    l->held.n_rows = 0;
    announce(l);
}

/* The margins within which the text of a page is set: most lines begin and end there. */
static void find_margins(struct layout *l, const struct pdf_page *page)
{
    l->left = page->width;
    l->right = 0;
    for (size_t i = 0; i < page->n_lines; i++) {
        const struct pdf_line *line = &page->lines[i];
        if (line->table || is_running(l, page, line))
            continue;
        l->left = line->x1 < l->left ? line->x1 : l->left;
        l->right = line->x2 > l->right ? line->x2 : l->right;
    }
}

static bool ends_sentence(struct str text)
{
    static const struct str ends[] = {STR_INIT("。"), STR_INIT("！"), STR_INIT("？"),
                                      STR_INIT("：")};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (str_ends(text, ends[i]))
            return true;
    }
    return false;
}

/* Whether the line goes on with the open paragraph: the last line filled its width, this one is not
 * indented, looks alike, and follows closely (or begins the next page). */
static bool goes_on(const struct layout *l, const struct pdf_line *line, int level, bool new_page,
                    double right)
{
    const struct pdf_line *last = &l->last;
    double em = last->size > 0 ? last->size : 10;
    if (!l->open || level != l->level || fabs(line->size - last->size) > 0.15 * em + 0.5)
        return false;
    if (level) /* a heading of two lines: close, and centred or set alike */
        return !new_page && line->y1 - last->y2 < em * 0.8 && line->y1 > last->y1 &&
               buf_str(&l->para).len < HEAD_CHARS * 3;
    if (format_begins_paragraph(line->text) || line->x1 > l->left + em * 1.2)
        return false;
    if (last->x2 < right - em * (ends_sentence(last->text) ? 0.6 : 1.6))
        return false;
    bool same_column = line->y1 > last->y1 && line->y1 - last->y2 < em * 1.6;
    return new_page || same_column || line->y1 < last->y1; /* the next column */
}

static void write_line(struct layout *l, const struct pdf_line *line, bool new_page, double right)
{
    int level = level_of(l, line);
    if (!goes_on(l, line, level, new_page, right)) {
        flush(l);
        l->level = level;
    }
    format_join(&l->para, line->text);
    l->open = true;
    l->last = *line;
}

static bool same_row(const struct str *a, const struct str *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!str_eq(a[i], b[i]))
            return false;
    }
    return true;
}

/* Appends the rows of the next page, less a header that is repeated there. */
static void extend_table(struct layout *l, const struct format_table *table)
{
    struct format_table *held = &l->held;
    size_t n_cols = held->n_cols;
    size_t skip = same_row(held->cells, table->cells, n_cols) ? 1 : 0,
           n = held->n_rows + table->n_rows - skip;
    struct str *cells = arena_array(l->out->arena, struct str, n * n_cols);
    if (!cells) {
        (void)format_fail(l->out, ERR_NO_MEMORY, "a table needs more memory than the limit");
        return;
    }
    memcpy(cells, held->cells, held->n_rows * n_cols * sizeof *cells);
    memcpy(cells + held->n_rows * n_cols, table->cells + skip * n_cols,
           (table->n_rows - skip) * n_cols * sizeof *cells);
    held->cells = cells;
    held->n_rows = n;
}

static void write_table(struct layout *l, const struct format_table *table)
{
    bool continued = !l->open && l->held.n_rows && l->held.n_cols == table->n_cols &&
                     l->held_page + 1 == l->page;
    if (continued && table->n_rows) {
        extend_table(l, table);
    } else {
        flush(l);
        l->held = *table;
    }
    l->held_page = l->page;
}

static void write_page(struct layout *l, size_t p)
{
    const struct pdf_page *page = &l->doc->pages[p];
    double right = l->right;
    bool first = true;
    l->page = (int)p + 1;
    find_margins(l, page);
    for (size_t i = 0; i < page->n_lines && format_go_on(l->out); i++) {
        if (page->lines[i].table) {
            write_table(l, page->lines[i].table);
            continue;
        }
        if (is_running(l, page, &page->lines[i]))
            continue;
        /* the line before was measured against the margins of its own page */
        write_line(l, &page->lines[i], first && l->open, first ? right : l->right);
        first = false;
    }
}

void pdf_lines_write(struct format_out *out, const struct pdf_pages *pages)
{
    struct layout l = {.out = out, .doc = pages, .scratch = arena_new(arena_limit(out->arena))};
    if (!l.scratch) {
        (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
        return;
    }
    map_init(&l.repeated, l.scratch);
    buf_init(&l.para, l.scratch);
    count_margins(&l);
    find_sizes(&l);
    for (size_t p = 0; p < pages->n_pages && format_go_on(out); p++)
        write_page(&l, p);
    flush(&l);
    arena_free(l.scratch);
}
