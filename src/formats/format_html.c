/*
 * html: the text of a page without what surrounds it.
 *
 * Scripts, styles, navigation, headers and footers of the page, forms and what is hidden are
 * dropped; when nothing is left after that, the page is read again with all but scripts and styles.
 * A table that holds another table or headings is layout and is read as running text.
 */
#include "formats/html.h"

#include <string.h>
#include <strings.h>

#include "core/arena.h"
#include "formats/markup.h"
#include "formats/reader.h"

#define MOST_SPAN  1000
#define MOST_CELLS 4000000

struct html {
    struct format_out *out;
    struct arena *scratch;
    struct buf para; /* the running text that is open */
    bool everything; /* boilerplate too */
    int list_level;
    bool numbered;
    size_t number; /* of the open ordered list's next item */
    bool in_item;
    bool pre;
};

static bool one_of(struct str name, const char *names)
{
    return format_has_suffix(names, name);
}

static int detect(struct str text, struct str suffix)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<head", "<body"};
    text = str_slice(str_trim_space(text), 0, 1 << 16);
    while (str_starts(text, STR("<!--")) || str_starts(text, STR("<?xml"))) {
        size_t end = str_find_char(text, '>');
        if (end == STR_NPOS)
            break;
        text = str_trim_space(str_from(text, end + 1));
    }
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        size_t n = strlen(starts[i]);
        if (text.len > n && strncasecmp(text.ptr, starts[i], n) == 0)
            return 90;
    }
    if (format_has_suffix(" html htm xhtml shtml ", suffix) && str_find_char(text, '<') != STR_NPOS)
        return 60;
    return 0;
}

/* ---- what is left out ---- */

static bool is_dropped(const struct html *h, const struct markup_node *node)
{
    static const char never[] = " script style noscript template iframe object svg canvas head "
                                "select option textarea button input ";
    static const char around[] = " nav footer aside form header menu ";
    struct str name = node->name, role = markup_get(node, "role");
    if (one_of(name, never))
        return true;
    if (h->everything)
        return false;
    if (str_find(markup_get(node, "style"), STR("display:none")) != STR_NPOS ||
        str_find(markup_get(node, "style"), STR("display: none")) != STR_NPOS ||
        str_eq_c(markup_get(node, "aria-hidden"), "true"))
        return true;
    for (size_t i = 0; i < node->n_attrs; i++) {
        if (str_eq_c(node->attrs[i].name, "hidden"))
            return true;
    }
    if (one_of(name, " header ") && markup_child(node, "h1"))
        return false; /* of the article rather than of the page */
    return one_of(name, around) || one_of(role, " navigation banner contentinfo search ");
}

static bool is_block(struct str name)
{
    return one_of(name, " p div section article main header blockquote figure figcaption address "
                        "dl dt dd fieldset center details summary body html tr td th tbody thead "
                        "tfoot caption footer nav aside form ");
}

static int heading_level(struct str name)
{
    bool is = name.len == 2 && name.ptr[0] == 'h' && name.ptr[1] >= '1' && name.ptr[1] <= '6';
    return is ? name.ptr[1] - '0' : 0;
}

/* ---- running text ---- */

static void flush(struct html *h)
{
    struct str text = str_trim_space(buf_str(&h->para));
    if (!h->para.failed && !text.len) {
        buf_clear(&h->para);
        return;
    }
    text = str_copy(h->out->arena, text);
    if (h->para.failed || !text.ptr) {
        (void)format_fail(h->out, ERR_NO_MEMORY, "the page needs more memory than the limit");
        return;
    }
    buf_clear(&h->para);
    if (!h->pre)
        text = format_squeeze(h->out, text);
    text = str_trim_space(text);
    if (!text.len)
        return;
    if (h->in_item) {
        if (h->numbered)
            text = str_printf(h->out->arena, "%zu. %.*s", h->number++, STR_FMT(text));
        format_item(h->out, h->list_level, h->numbered, text);
        h->in_item = false;
    } else {
        format_paragraph(h->out, text);
    }
}

/* The text below a node as one line, without what is dropped. */
static struct str line_of(struct html *h, const struct markup_node *top)
{
    struct buf buf;
    buf_init(&buf, h->out->arena);
    for (const struct markup_node *n = top; n;) {
        if (n != top && is_dropped(h, n)) {
            struct markup_node skip = *n;
            skip.first = NULL;
            n = markup_next(top, &skip);
            continue;
        }
        if (n->name.len && (is_block(n->name) || one_of(n->name, " br li ")))
            buf_char(&buf, FORMAT_SPACE);
        buf_add(&buf, n->text);
        n = markup_next(top, n);
    }
    return format_squeeze(h->out, buf_str(&buf));
}

/* ---- tables ---- */

static bool is_layout(const struct markup_node *table)
{
    for (const struct markup_node *n = table; (n = markup_next(table, n)) != NULL;) {
        if (str_eq_c(n->name, "table") || heading_level(n->name))
            return true;
    }
    return false;
}

static size_t span_of(const struct markup_node *cell, const char *name)
{
    int64_t n;
    if (!str_to_i64(str_trim(markup_get(cell, name)), &n) || n < 1)
        return 1;
    return n > MOST_SPAN ? MOST_SPAN : (size_t)n;
}

static bool is_cell(const struct markup_node *n)
{
    return str_eq_c(n->name, "td") || str_eq_c(n->name, "th");
}

/* Next row of the table after `row` (NULL: the first), whatever sections lie between. */
static const struct markup_node *next_row(const struct markup_node *table,
                                          const struct markup_node *row)
{
    const struct markup_node *n = row ? row : table;
    while ((n = markup_next(table, n)) != NULL) {
        if (str_eq_c(n->name, "tr"))
            return n;
    }
    return NULL;
}

static void measure(const struct markup_node *table, size_t *n_rows, size_t *n_cols)
{
    *n_rows = *n_cols = 0;
    size_t carried = 0; /* columns that spans of rows above may push aside */
    for (const struct markup_node *row = NULL; (row = next_row(table, row)) != NULL;) {
        size_t width = 0, tall = 0;
        for (const struct markup_node *c = row->first; c; c = c->next) {
            width += is_cell(c) ? span_of(c, "colspan") : 0;
            tall += is_cell(c) && span_of(c, "rowspan") > 1 ? span_of(c, "colspan") : 0;
        }
        if (width > *n_cols)
            *n_cols = width;
        carried = carried + tall > MOST_SPAN ? MOST_SPAN : carried + tall;
        ++*n_rows;
    }
    /* Rows pushed aside by spans above may be wider than the widest alone; unused columns go. */
    *n_cols += carried < *n_cols ? carried : *n_cols;
}

/* Puts the text into the grid from (r, *c) on, over free places; a merged cell repeats it. */
static void place(struct str *cells, size_t n_rows, size_t n_cols, size_t r, size_t *c,
                  const struct markup_node *cell, struct str text)
{
    size_t rows = span_of(cell, "rowspan"), cols = span_of(cell, "colspan");
    while (*c < n_cols && cells[r * n_cols + *c].ptr)
        ++*c;
    for (size_t i = r; i < r + rows && i < n_rows; i++) {
        for (size_t j = *c; j < *c + cols && j < n_cols; j++)
            cells[i * n_cols + j] = text;
    }
    *c += cols;
}

static size_t used_columns(const struct str *cells, size_t n_rows, size_t n_cols)
{
    size_t used = 0;
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = n_cols; c > used; c--) {
            if (cells[r * n_cols + c - 1].ptr)
                used = c;
        }
    }
    return used;
}

static bool first_row_is_header(const struct markup_node *table)
{
    const struct markup_node *row = next_row(table, NULL);
    if (!row)
        return false;
    if (str_eq_c(row->parent->name, "thead"))
        return true;
    for (const struct markup_node *c = row->first; c; c = c->next) {
        if (str_eq_c(c->name, "td"))
            return false;
    }
    return markup_child(row, "th") != NULL;
}

static void read_table(struct html *h, const struct markup_node *table)
{
    struct format_out *out = h->out;
    size_t n_rows, n_cols, r = 0;
    measure(table, &n_rows, &n_cols);
    if (n_rows == 0 || n_cols == 0)
        return;
    if (n_rows > MOST_CELLS / n_cols) {
        (void)format_fail(out, ERR_TOO_LARGE, "a table has more than %d cells", MOST_CELLS);
        return;
    }
    struct str *cells = arena_array(out->arena, struct str, n_rows * n_cols);
    if (!cells) {
        (void)format_fail(out, ERR_NO_MEMORY, "a table needs more memory than the limit");
        return;
    }
    for (const struct markup_node *row = NULL; (row = next_row(table, row)) != NULL; r++) {
        size_t c = 0;
        for (const struct markup_node *cell = row->first; cell && format_go_on(out);
             cell = cell->next) {
            if (is_cell(cell)) {
                struct str text = line_of(h, cell);
                place(cells, n_rows, n_cols, r, &c, cell, text.ptr ? text : STR(""));
            }
        }
    }
    size_t used = used_columns(cells, n_rows, n_cols);
    for (size_t i = 0; used < n_cols && i < n_rows; i++)
        memmove(cells + i * used, cells + i * n_cols, used * sizeof *cells);
    if (used == 1) {
        for (size_t i = 0; i < n_rows; i++)
            format_paragraph(out, cells[i]);
        return;
    }
    format_table(out, cells, n_rows, used,
                 first_row_is_header(table) || format_looks_like_header(cells, n_rows, used));
}

/* ---- the walk ---- */

static void walk(struct html *h, const struct markup_node *node);

static void walk_children(struct html *h, const struct markup_node *node)
{
    for (const struct markup_node *n = node->first; n && format_go_on(h->out); n = n->next)
        walk(h, n);
}

static void walk_list(struct html *h, const struct markup_node *node)
{
    flush(h);
    bool numbered = h->numbered;
    size_t number = h->number;
    h->list_level++;
    h->numbered = str_eq_c(node->name, "ol");
    h->number = 1;
    walk_children(h, node);
    flush(h);
    h->list_level--;
    h->numbered = numbered;
    h->number = number;
    h->in_item = false;
}

static void walk_item(struct html *h, const struct markup_node *node)
{
    flush(h);
    h->in_item = true; /* of level 0 when there is no list around it: format_item makes it 1 */
    walk_children(h, node);
    flush(h);
    h->in_item = false;
}

/* Recursion is bounded by the depth that markup allows. */
static void walk(struct html *h, const struct markup_node *node)
{
    struct str name = node->name;
    int level = heading_level(name);
    if (!name.len) {
        buf_add(&h->para, node->text);
    } else if (is_dropped(h, node)) {
        return;
    } else if (level) {
        flush(h);
        format_heading(h->out, level, line_of(h, node));
    } else if (str_eq_c(name, "table") && !is_layout(node)) {
        flush(h);
        read_table(h, node);
    } else if (one_of(name, " ul ol ")) {
        walk_list(h, node);
    } else if (str_eq_c(name, "li")) {
        walk_item(h, node);
    } else if (one_of(name, " br hr ")) {
        if (h->pre || h->in_item)
            buf_char(&h->para, '\n');
        else
            flush(h); /* Chinese pages part their paragraphs with <br> */
    } else if (str_eq_c(name, "pre")) {
        flush(h);
        h->pre = true;
        walk_children(h, node);
        flush(h);
        h->pre = false;
    } else if (is_block(name) && !h->in_item) {
        flush(h);
        walk_children(h, node);
        flush(h);
    } else {
        if (is_block(name))
            buf_char(&h->para, '\n');
        walk_children(h, node);
    }
}

static void walk_all(struct html *h, const struct markup_node *root, bool everything)
{
    h->everything = everything;
    walk_children(h, root);
    flush(h);
}

/* ---- title and meta ---- */

static void read_head(struct html *h, const struct markup_node *root)
{
    for (const struct markup_node *n = root; n; n = markup_next(root, n)) {
        if (str_eq_c(n->name, "meta")) {
            struct str name = markup_get(n, "name");
            if (!name.len)
                name = markup_get(n, "property");
            format_meta(h->out, str_copy(h->out->arena, name),
                        format_squeeze(h->out, str_copy(h->out->arena, markup_get(n, "content"))));
        } else if (str_eq_c(n->name, "title")) {
            format_title(h->out, line_of(&(struct html){.out = h->out, .everything = true}, n));
        }
    }
}

static void free_arena(void *arena)
{
    arena_free(arena);
}

static bool begin(struct html *h, struct format_out *out)
{
    *h = (struct html){.out = out, .scratch = arena_new(arena_limit(out->arena))};
    if (!h->scratch || arena_defer(out->arena, free_arena, h->scratch) != 0) {
        arena_free(h->scratch);
        (void)format_fail(out, ERR_NO_MEMORY, "the page needs more memory than the limit");
        return false;
    }
    buf_init(&h->para, h->scratch);
    return true;
}

enum err format_html_blocks(struct format_out *out, struct str html)
{
    struct html h;
    struct markup_node *root =
        begin(&h, out) ? markup_tree(out, MARKUP_HTML, html, h.scratch) : NULL;
    out->clean = false; /* character references can write any character */
    if (root)
        walk_all(&h, root, true);
    return out->err;
}

static enum err read_html(struct str text, struct format_out *out)
{
    struct html h;
    struct markup_node *root =
        begin(&h, out) ? markup_tree(out, MARKUP_HTML, text, h.scratch) : NULL;
    if (!root)
        return out->err;
    out->clean = false; /* character references can write any character */
    read_head(&h, root);
    walk_all(&h, root, false);
    if (!out->err && out->doc->n_blocks == 0)
        walk_all(&h, root, true);
    return out->err;
}

const struct format_reader format_reader_html = {
    .name = "html",
    .suffixes = " html htm xhtml shtml ",
    .text = true,
    .detect = detect,
    .read = read_html,
};
