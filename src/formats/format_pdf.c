/*
 * pdf: the text that is in it, in reading order; pages that are pictures are recognised.
 *
 * The only file that sees poppler and cairo. A page is a picture when it has next to no text, or
 * text that cannot be text (letters of a font without names), and an image covers most of it.
 */
#include "formats/reader.h"

#include <cairo.h>
#include <math.h>
#include <poppler.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "formats/ocr.h"
#include "formats/pdf_cells.h"
#include "formats/pdf_lines.h"
#include "formats/pdf_rules.h"

#define DPI        300.0
#define MOST_SIDE  5000.0 /* pixels of a rendered page */
#define FEW_CHARS  16     /* a page with fewer is a picture if it holds one */
#define RULES_DPI  100.0  /* of the picture that rules are looked for in */
#define MOST_GRIDS 16
#define MOST_OCR   300               /* pages recognised in one document */
#define MOST_RUNES ((size_t)4 << 20) /* characters of one page */

struct pdf {
    struct format_out *out;
    struct arena *scratch;
    PopplerDocument *doc;
    struct pdf_pages pages;
    struct ocr *ocr;
    bool no_ocr; /* it could not be opened */
    size_t n_recognised, n_left_out;
};

static int detect(struct str bytes, struct str suffix)
{
    (void)suffix;
    return str_find(str_slice(bytes, 0, 1024), STR("%PDF-")) != STR_NPOS ? 95 : 0;
}

/* ---- a page's text ---- */

/* The text of a page with the places of its characters, and the tables they may lie in. */
struct runes {
    const PopplerRectangle *places;
    size_t n, at;
    struct pdf_cells *cells;      /* NULL when there are no ruled tables */
    struct format_table **tables; /* by grid; NULL until its first character is met */
};

static void widen(struct pdf_line *line, const PopplerRectangle *r)
{
    line->x1 = r->x1 < line->x1 ? r->x1 : line->x1;
    line->y1 = r->y1 < line->y1 ? r->y1 : line->y1;
    line->x2 = r->x2 > line->x2 ? r->x2 : line->x2;
    line->y2 = r->y2 > line->y2 ? r->y2 : line->y2;
}

/* A character that lies in a table; the table takes its place in the page at its first one. */
static bool in_table(struct pdf *pdf, struct runes *runes, struct pdf_page *page, struct str text,
                     const PopplerRectangle *r)
{
    size_t grid;
    struct pdf_rune rune = {text, r->x1, r->y1, r->x2, r->y2};
    if (!pdf_cells_take(runes->cells, &rune, &grid))
        return false;
    if (!runes->tables[grid]) {
        struct format_table *table = arena_one(pdf->scratch, struct format_table);
        if (!table)
            return false;
        runes->tables[grid] = table;
        page->lines[page->n_lines++] = (struct pdf_line){.table = table};
    }
    return true;
}

/* Measures one line of text; `runes` moves behind it and its line end. What lies in tables is left
 * out of it. */
static bool measure(struct pdf *pdf, struct runes *runes, struct pdf_page *page, struct str text,
                    struct pdf_line *line)
{
    double heights = 0;
    size_t n = 0;
    struct buf kept;
    buf_init(&kept, pdf->scratch);
    *line = (struct pdf_line){.x1 = 1e9, .y1 = 1e9};
    for (size_t at = 0; at < text.len && runes->at < runes->n; runes->at++) {
        const PopplerRectangle *r = &runes->places[runes->at];
        size_t start = at;
        bool space = utf8_is_space(utf8_next(text, &at));
        if (runes->cells && in_table(pdf, runes, page, str_slice(text, start, at), r))
            continue;
        if (runes->cells)
            buf_add(&kept, str_slice(text, start, at));
        if (space)
            continue;
        widen(line, r);
        heights += r->y2 - r->y1;
        n++;
    }
    runes->at++; /* the line end has a place too */
    line->text = str_trim_space(runes->cells ? buf_str(&kept) : text);
    line->size = n ? heights / (double)n : 0;
    return n > 0 && line->text.len > 0;
}

/* Poppler parts a line at a wide space ("第一条　为了"): both halves are one line again. */
static bool join_row(struct pdf *pdf, struct pdf_line *line, const struct pdf_line *next)
{
    double em = line->size, gap = next->x1 - line->x2;
    if (line->table || fabs(next->y1 - line->y1) > em * 0.4 || fabs(next->size - em) > em * 0.2 ||
        gap < -em * 0.2 || gap > em * 1.6)
        return false;
    line->text = str_printf(pdf->scratch, "%.*s %.*s", STR_FMT(line->text), STR_FMT(next->text));
    line->x2 = next->x2;
    line->y2 = next->y2 > line->y2 ? next->y2 : line->y2;
    return true;
}

static size_t count_lines(struct str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == '\n';
    return n;
}

static void take_lines(struct pdf *pdf, struct pdf_page *page, struct str text, struct runes *runes)
{
    struct str line;
    page->lines = arena_array(pdf->scratch, struct pdf_line, count_lines(text) + MOST_GRIDS);
    if (!page->lines) {
        (void)format_fail(pdf->out, ERR_NO_MEMORY, "the document needs more memory than the limit");
        return;
    }
    while (str_next_line(&text, &line) && format_go_on(pdf->out)) {
        struct pdf_line next;
        if (!measure(pdf, runes, page, line, &next))
            continue;
        if (page->n_lines == 0 || !join_row(pdf, &page->lines[page->n_lines - 1], &next))
            page->lines[page->n_lines++] = next;
    }
    for (size_t i = 0; i < MOST_GRIDS && runes->cells; i++) {
        if (runes->tables[i])
            pdf_cells_table(runes->cells, i, pdf->out, runes->tables[i]);
    }
}

/* ---- ruled tables ---- */

/* Whether pieces of text stand side by side with a gap between them: without that there is no table
 * and no need to look for its rules. */
static bool has_columns(const PopplerRectangle *places, size_t n)
{
    bool found = false;
    const PopplerRectangle *a = NULL; /* the last one that has a height: line ends have none */
    for (size_t i = 0; i < n && !found; i++) {
        const PopplerRectangle *b = &places[i];
        double em = a ? a->y2 - a->y1 : 0;
        if (b->y2 - b->y1 < 1)
            continue;
        if (a) {
            bool beside = b->y1 < a->y2 && b->y2 > a->y1;
            bool above = b->y2 < a->y1 - em; /* the next column, read from its top */
            found = above || (beside && fabs(b->x1 - a->x2) > em * 0.8);
        }
        a = b;
    }
    return found;
}

static cairo_surface_t *render(PopplerPage *page, int width, int height, double scale)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cairo = cairo_create(surface);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_scale(cairo, scale, scale);
    poppler_page_render(page, cairo);
    cairo_destroy(cairo);
    cairo_surface_flush(surface);
    return surface;
}

/* The grids of the page, as cells to be filled; NULL when it has none. */
static struct pdf_cells *find_tables(struct pdf *pdf, PopplerPage *page,
                                     const struct pdf_page *size)
{
    double scale = RULES_DPI / 72;
    int width = (int)(size->width * scale), height = (int)(size->height * scale);
    struct pdf_grid *grids = NULL;
    size_t n = 0;
    if (width < 100 || height < 100 || width > MOST_SIDE || height > MOST_SIDE)
        return NULL;
    cairo_surface_t *surface = render(page, width, height, scale);
    if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS)
        pdf_rules_find(cairo_image_surface_get_data(surface), width, height,
                       cairo_image_surface_get_stride(surface), scale, pdf->scratch, &grids, &n);
    cairo_surface_destroy(surface);
    return pdf_cells_new(pdf->scratch, grids, n < MOST_GRIDS ? n : MOST_GRIDS);
}

/* Private characters and U+FFFD: the letters of fonts that do not say what they are. */
static bool is_gibberish(struct str text)
{
    size_t bad = 0, n = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t c = utf8_next(text, &at);
        n += !utf8_is_space(c);
        bad += c == UTF8_BAD || (c >= 0xE000 && c <= 0xF8FF) || (c < 0x20 && c != '\n');
    }
    return n > 0 && bad * 3 > n;
}

static bool has_picture(PopplerPage *page, double area)
{
    bool found = false;
    GList *list = poppler_page_get_image_mapping(page);
    for (GList *l = list; l; l = l->next) {
        const PopplerRectangle *r = &((PopplerImageMapping *)l->data)->area;
        found = found || fabs((r->x2 - r->x1) * (r->y2 - r->y1)) > area * 0.3;
    }
    poppler_page_free_image_mapping(list);
    return found;
}

/* ---- a page that is a picture ---- */

static void recognise(struct pdf *pdf, PopplerPage *page, struct pdf_page *size)
{
    double longer = size->width > size->height ? size->width : size->height;
    double scale = longer * DPI / 72 > MOST_SIDE ? MOST_SIDE / longer : DPI / 72;
    int width = (int)(size->width * scale), height = (int)(size->height * scale);
    if (width < 8 || height < 8)
        return;
    format_extend(pdf->out, OCR_PAGE_MS);
    cairo_surface_t *surface = render(page, width, height, scale);
    if (cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS)
        ocr_pixels(pdf->ocr, cairo_image_surface_get_data(surface), width, height,
                   cairo_image_surface_get_stride(surface), scale, size);
    cairo_surface_destroy(surface);
}

static void take_picture(struct pdf *pdf, PopplerPage *page, struct pdf_page *into)
{
    if (pdf->out->limits->ocr && !pdf->ocr && !pdf->no_ocr) {
        pdf->ocr = ocr_open(pdf->out);
        pdf->no_ocr = !pdf->ocr;
    }
    if (!pdf->ocr || pdf->n_recognised >= MOST_OCR) {
        pdf->n_left_out++;
        return;
    }
    pdf->n_recognised++;
    recognise(pdf, page, into);
}

static void take_page(struct pdf *pdf, PopplerPage *page, struct pdf_page *into)
{
    PopplerRectangle *places = NULL;
    guint n = 0;
    poppler_page_get_size(page, &into->width, &into->height);
    char *raw = poppler_page_get_text(page);
    struct str text = raw ? str_copy(pdf->scratch, str_c(raw)) : STR("");
    g_free(raw);
    if (!text.ptr || text.len > MOST_RUNES) {
        (void)format_fail(pdf->out, ERR_TOO_LARGE, "a page has more text than %zu MB",
                          MOST_RUNES >> 20);
        return;
    }
    bool few = utf8_count(str_trim_space(text)) < FEW_CHARS, bad = is_gibberish(text);
    if (bad || (few && has_picture(page, into->width * into->height))) {
        take_picture(pdf, page, into);
        return;
    }
    if (!poppler_page_get_text_layout(page, &places, &n))
        return;
    struct format_table *tables[MOST_GRIDS] = {NULL};
    struct runes runes = {places, n, 0, NULL, tables};
    if (has_columns(places, n))
        runes.cells = find_tables(pdf, page, into);
    take_lines(pdf, into, text, &runes);
    g_free(places);
}

/* ---- the document ---- */

static void take_meta(struct pdf *pdf)
{
    static const struct {
        const char *name;
        char *(*get)(PopplerDocument *);
    } wanted[] = {
        {"title", poppler_document_get_title},
        {"author", poppler_document_get_author},
        {"subject", poppler_document_get_subject},
        {"keywords", poppler_document_get_keywords},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char *value = wanted[i].get(pdf->doc);
        format_meta(pdf->out, str_c(wanted[i].name), str_copy(pdf->out->arena, str_c(value)));
        g_free(value);
    }
}

/* What writers put there by themselves is no title: "Microsoft Word - 文件.doc". */
static void take_title(struct format_out *out)
{
    for (size_t i = 0; i < out->doc->n_blocks; i++) {
        if (out->doc->blocks[i].kind == FORMAT_HEADING)
            return;
    }
    for (size_t i = 0; i < out->doc->n_meta; i++) {
        struct str value = out->doc->meta[i].value;
        if (str_eq_c(out->doc->meta[i].name, "title") &&
            str_find(value, STR("Microsoft")) == STR_NPOS && str_find(value, STR(".")) == STR_NPOS)
            format_title(out, value);
    }
}

static void read_pages(struct pdf *pdf)
{
    struct format_out *out = pdf->out;
    int n = poppler_document_get_n_pages(pdf->doc);
    if (n > out->limits->pages) {
        (void)format_fail(out, ERR_TOO_LARGE, "it has %d pages, more than the limit of %d", n,
                          out->limits->pages);
        return;
    }
    pdf->pages.pages = arena_array(pdf->scratch, struct pdf_page, n > 0 ? (size_t)n : 1);
    for (int i = 0; i < n && pdf->pages.pages && format_go_on(out); i++) {
        PopplerPage *page = poppler_document_get_page(pdf->doc, i);
        if (!page)
            continue;
        take_page(pdf, page, &pdf->pages.pages[i]);
        g_object_unref(page);
        out->ticks = 0; /* a page is slow enough to look at the clock each time */
    }
    pdf->pages.n_pages = n > 0 ? (size_t)n : 0;
    if (!pdf->pages.pages)
        (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    if (!out->err)
        pdf_lines_write(out, &pdf->pages);
    if (pdf->n_left_out)
        format_note(out, "%zu scanned pages were not recognised", pdf->n_left_out);
}

static enum err explain(struct format_out *out, const GError *error)
{
    if (error && error->domain == POPPLER_ERROR && error->code == POPPLER_ERROR_ENCRYPTED) {
        (void)format_fail(out, ERR_UNSUPPORTED, "it is protected by a password");
        err_hint(out->why, "remove the password and upload it again");
        return out->err;
    }
    return format_fail(out, ERR_INVALID, "the pdf is broken: %s",
                       error ? error->message : "it cannot be opened");
}

static enum err read_pdf(struct str bytes, struct format_out *out)
{
    GError *error = NULL;
    struct pdf pdf = {.out = out, .scratch = arena_new(arena_limit(out->arena))};
    if (!pdf.scratch)
        return format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    GBytes *data = g_bytes_new_static(bytes.ptr, bytes.len);
    pdf.doc = poppler_document_new_from_bytes(data, NULL, &error);
    if (pdf.doc) {
        take_meta(&pdf);
        read_pages(&pdf);
        take_title(out);
        g_object_unref(pdf.doc);
    } else {
        (void)explain(out, error);
        g_clear_error(&error);
    }
    g_bytes_unref(data);
    arena_free(pdf.scratch);
    return out->err;
}

const struct format_reader format_reader_pdf = {
    .name = "pdf",
    .suffixes = " pdf ",
    .risky = true,
    .detect = detect,
    .read = read_pdf,
};
