/*
 * docx: the final text of a Word document: insertions in, deletions out.
 *
 * Headings by outline level or by the name of their style; the numbers that Word computes are
 * computed here too, since "第三条" is often one of them. Text boxes follow the paragraph that
 * holds them, footnotes stand at the end, tables of contents, headers and footers are left out.
 */
#include "formats/reader.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/arena.h"
#include "core/map.h"
#include "formats/markup.h"
#include "formats/number.h"
#include "formats/office.h"
#include "formats/pack.h"

#define LEVELS     9
#define MOST_BASE  20 /* styles that rest on styles */
#define MOST_CELLS 4000000
#define MOST_SPAN  500
#define HEAD_BYTES 600 /* a longer paragraph is no heading whatever its style says */
#define BULLET     "bullet"

struct style {
    int outline; /* 0 .. 8, -1 for none */
    int64_t num; /* -1 none */
    int num_level;
    bool title, contents;
};

struct level {
    struct str format, text;
    int64_t start;
    bool spaced;
};

struct list {
    struct level levels[LEVELS];
    int64_t counters[LEVELS]; /* 0: not begun */
};

struct docx {
    struct office office;
    struct format_out *out;
    struct map styles;  /* id -> struct style * */
    struct map lists;   /* abstract id -> struct list * */
    struct map numbers; /* num id -> struct list *, its own where it overrides */
    struct str notes_part;
    int box_depth;
};

/* A paragraph being gathered, and the text boxes met in it. */
struct para {
    struct buf text;
    struct markup_node *boxes[8];
    size_t n_boxes;
};

static int detect(struct str bytes, struct str suffix)
{
    (void)suffix;
    return office_is(bytes, "word/") ? 90 : 0;
}

static int64_t number_at(const struct markup_node *node, int64_t fallback)
{
    int64_t n = fallback;
    return node && str_to_i64(str_trim(markup_get(node, "val")), &n) ? n : fallback;
}

/* An element that is a switch is on unless its val says otherwise. */
static bool is_on(const struct markup_node *node)
{
    struct str val = markup_get(node, "val");
    return node && !str_eq_c(val, "0") && !str_eq_c(val, "false") && !str_eq_c(val, "off");
}

/* ---- styles ---- */

static bool starts_fold(struct str s, const char *prefix)
{
    return s.len >= strlen(prefix) && strncasecmp(s.ptr, prefix, strlen(prefix)) == 0;
}

static int outline_of_name(struct str name)
{
    static const char *const prefixes[] = {"heading ", "标题 ", "标题", "heading"};
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        struct str rest = str_from(name, strlen(prefixes[i]));
        if (starts_fold(name, prefixes[i]) && rest.len == 1 && rest.ptr[0] >= '1' &&
            rest.ptr[0] <= '9')
            return rest.ptr[0] - '1';
    }
    return -1;
}

static void style_from(const struct markup_node *node, struct style *style)
{
    struct markup_node *ppr = markup_child(node, "pPr"), *num = markup_child(ppr, "numPr");
    struct str name = markup_get(markup_child(node, "name"), "val");
    int outline = outline_of_name(name);
    int64_t level = number_at(markup_child(ppr, "outlineLvl"), outline);
    if (level >= 0)
        style->outline = level < LEVELS ? (int)level : -1;
    if (num) {
        style->num = number_at(markup_child(num, "numId"), style->num);
        style->num_level = (int)number_at(markup_child(num, "ilvl"), style->num_level);
    }
    style->title = style->title || starts_fold(name, "title");
    style->contents =
        style->contents || starts_fold(name, "toc ") || starts_fold(name, "toc heading");
}

static struct markup_node *find_style(struct markup_node *styles, struct str id)
{
    for (struct markup_node *n = styles->first; n; n = n->next) {
        if (str_eq_c(n->name, "style") && str_eq(markup_get(n, "styleId"), id))
            return n;
    }
    return NULL;
}

/* The style with what it inherits: from the base up. */
static struct style *resolve_style(struct docx *d, struct markup_node *styles,
                                   struct markup_node *node)
{
    struct markup_node *chain[MOST_BASE];
    size_t n = 0;
    struct style *style = arena_one(d->office.scratch, struct style);
    for (; node && n < MOST_BASE; n++) {
        chain[n] = node;
        struct markup_node *base = markup_child(node, "basedOn");
        node = base ? find_style(styles, markup_get(base, "val")) : NULL;
    }
    if (!style)
        return NULL;
    *style = (struct style){.outline = -1, .num = -1};
    while (n > 0)
        style_from(chain[--n], style);
    return style;
}

static void read_styles(struct docx *d)
{
    struct markup_node *styles = markup_child(office_tree(&d->office, "word/styles.xml"), "styles");
    for (struct markup_node *n = styles ? styles->first : NULL; n && format_go_on(d->out);
         n = n->next) {
        struct str id = markup_get(n, "styleId");
        if (!str_eq_c(n->name, "style") || !id.len || d->styles.n >= 5000)
            continue;
        struct map_entry *entry = map_put(&d->styles, id, NULL);
        if (entry)
            entry->value.p = resolve_style(d, styles, n);
    }
}

static const struct style *style_of(const struct docx *d, const struct markup_node *ppr)
{
    static const struct style none = {.outline = -1, .num = -1};
    struct map_entry *entry = map_find(&d->styles, markup_get(markup_child(ppr, "pStyle"), "val"));
    return entry && entry->value.p ? entry->value.p : &none;
}

/* ---- numbering ---- */

static void level_from(const struct markup_node *node, struct list *list)
{
    int64_t i = 0;
    if (!str_to_i64(markup_get(node, "ilvl"), &i) || i < 0 || i >= LEVELS)
        return;
    struct level *level = &list->levels[i];
    level->format = markup_get(markup_child(node, "numFmt"), "val");
    level->text = markup_get(markup_child(node, "lvlText"), "val");
    level->start = number_at(markup_child(node, "start"), 1);
    level->spaced = !str_eq_c(markup_get(markup_child(node, "suff"), "val"), "nothing");
    struct markup_node *choice = markup_child(markup_child(node, "AlternateContent"), "Choice");
    if (!level->format.len && choice)
        level->format = markup_get(markup_child(choice, "numFmt"), "val");
}

static void read_abstract(struct docx *d, struct markup_node *node)
{
    struct list *list = arena_one(d->office.scratch, struct list);
    struct map_entry *entry =
        list ? map_put(&d->lists, markup_get(node, "abstractNumId"), NULL) : NULL;
    for (struct markup_node *n = entry ? node->first : NULL; n; n = n->next) {
        if (str_eq_c(n->name, "lvl"))
            level_from(n, list);
    }
    if (entry)
        entry->value.p = list;
}

/* A num shares the counters of its abstract list unless it overrides a level. */
static void read_num(struct docx *d, struct markup_node *node)
{
    struct map_entry *base =
        map_find(&d->lists, markup_get(markup_child(node, "abstractNumId"), "val"));
    struct map_entry *entry = base ? map_put(&d->numbers, markup_get(node, "numId"), NULL) : NULL;
    if (!entry)
        return;
    struct list *list = base->value.p;
    if (markup_child(node, "lvlOverride")) {
        struct list *own = arena_one(d->office.scratch, struct list);
        if (!own)
            return;
        *own = *list;
        list = own;
    }
    for (struct markup_node *n = node->first; n; n = n->next) {
        int64_t i = 0;
        if (!str_eq_c(n->name, "lvlOverride") || !str_to_i64(markup_get(n, "ilvl"), &i) || i < 0 ||
            i >= LEVELS)
            continue;
        if (markup_child(n, "lvl"))
            level_from(markup_child(n, "lvl"), list);
        list->levels[i].start = number_at(markup_child(n, "startOverride"), list->levels[i].start);
    }
    entry->value.p = list;
}

static void read_numbering(struct docx *d)
{
    struct markup_node *root =
        markup_child(office_tree(&d->office, "word/numbering.xml"), "numbering");
    for (int pass = 0; pass < 2; pass++) {
        for (struct markup_node *n = root ? root->first : NULL; n && format_go_on(d->out);
             n = n->next) {
            if (pass == 0 && str_eq_c(n->name, "abstractNum"))
                read_abstract(d, n);
            else if (pass == 1 && str_eq_c(n->name, "num"))
                read_num(d, n);
        }
    }
}

/* Counts on and writes the number of a paragraph: "%1.%2" with each level in its own format. */
static void put_number(struct list *list, int at, struct buf *buf)
{
    struct level *level = &list->levels[at];
    list->counters[at] = list->counters[at] ? list->counters[at] + 1 : level->start;
    for (int i = at + 1; i < LEVELS; i++)
        list->counters[i] = 0;
    for (size_t i = 0; i < level->text.len; i++) {
        char c = level->text.ptr[i], d = i + 1 < level->text.len ? level->text.ptr[i + 1] : 0;
        if (c != '%' || d < '1' || d > '9') {
            buf_char(buf, c);
            continue;
        }
        int of = d - '1';
        int64_t n = list->counters[of] ? list->counters[of] : list->levels[of].start;
        format_number(buf, list->levels[of].format, n);
        i++;
    }
}

static struct list *list_of(struct docx *d, const struct markup_node *ppr,
                            const struct style *style, int *level)
{
    struct markup_node *own = markup_child(ppr, "numPr");
    int64_t num = number_at(markup_child(own, "numId"), style->num), at;
    char id[24];
    at = number_at(markup_child(own, "ilvl"), style->num_level);
    if (num <= 0 || at < 0 || at >= LEVELS)
        return NULL;
    (void)snprintf(id, sizeof id, "%lld", (long long)num);
    struct map_entry *entry = map_find(&d->numbers, str_c(id));
    *level = (int)at;
    return entry ? entry->value.p : NULL;
}

/* ---- text ---- */

static bool is_removed(const struct markup_node *node)
{
    return format_has_suffix(
        " del moveFrom delText instrText pPr sectPr tblPr delInstrText Fallback ", node->name);
}

static bool is_hidden(const struct markup_node *run)
{
    return is_on(markup_child(markup_child(run, "rPr"), "vanish"));
}

static void put_symbol(struct buf *buf, struct str code)
{
    /* Private characters of symbol fonts: boxes and ticks of forms. */
    if (str_ends(code, STR("FE")) || str_ends(code, STR("52")))
        buf_add(buf, STR("☑"));
    else if (str_ends(code, STR("A8")) || str_ends(code, STR("A3")))
        buf_add(buf, STR("□"));
}

static void gather(struct docx *d, const struct markup_node *node, struct para *para);

static void gather_children(struct docx *d, const struct markup_node *node, struct para *para)
{
    for (const struct markup_node *n = node->first; n && format_go_on(d->out); n = n->next)
        gather(d, n, para);
}

/* Recursion is bounded by the depth that markup allows. */
static void gather(struct docx *d, const struct markup_node *node, struct para *para)
{
    struct str name = node->name;
    struct buf *buf = &para->text;
    if (!name.len || is_removed(node) || (str_eq_c(name, "r") && is_hidden(node)))
        return;
    if (str_eq_c(name, "t")) {
        for (const struct markup_node *n = node->first; n; n = n->next)
            buf_add(buf, n->text);
    } else if (str_eq_c(name, "tab") || str_eq_c(name, "ptab")) {
        buf_char(buf, ' ');
    } else if (str_eq_c(name, "br") || str_eq_c(name, "cr")) {
        buf_char(buf, str_eq_c(markup_get(node, "type"), "page") ? ' ' : '\n');
    } else if (str_eq_c(name, "noBreakHyphen")) {
        buf_char(buf, '-');
    } else if (str_eq_c(name, "sym")) {
        put_symbol(buf, markup_get(node, "char"));
    } else if (str_eq_c(name, "footnoteReference") || str_eq_c(name, "endnoteReference")) {
        buf_printf(buf, "[%s%.*s]", name.ptr[0] == 'e' ? "*" : "", STR_FMT(markup_get(node, "id")));
    } else if (str_eq_c(name, "txbxContent")) {
        if (para->n_boxes < 8)
            para->boxes[para->n_boxes++] = (struct markup_node *)node;
    } else {
        gather_children(d, node, para);
    }
}

/* Each line trimmed, empty ones dropped; '\n' is a break that the writer set. */
static struct str tidy_lines(struct docx *d, struct str s)
{
    struct buf buf;
    struct str line;
    if (str_find_char(s, '\n') == STR_NPOS)
        return format_squeeze(d->out, s);
    buf_init(&buf, d->out->arena);
    while (str_next_line(&s, &line)) {
        line = format_squeeze(d->out, line);
        if (buf.len && line.len)
            buf_char(&buf, '\n');
        buf_add(&buf, line);
    }
    return buf_str(&buf);
}

static void read_blocks(struct docx *d, const struct markup_node *node);

/* "1." and "（一）" stand with or without a space as their last character wants it. */
static bool wants_space(struct str number)
{
    size_t last = number.len ? number.len : 0;
    return last && (unsigned char)number.ptr[last - 1] < 0x80;
}

static bool is_bullet(const struct level *level)
{
    return str_eq_c(level->format, BULLET) || !level->text.len || !level->format.len;
}

static void put_paragraph(struct docx *d, const struct markup_node *ppr, struct str text)
{
    const struct style *style = style_of(d, ppr);
    int level = 0;
    struct list *list = list_of(d, ppr, style, &level);
    int64_t outline = number_at(markup_child(ppr, "outlineLvl"), style->outline);
    struct buf number;
    buf_init(&number, d->out->arena);
    bool bullet = list && is_bullet(&list->levels[level]);
    if (list && !bullet) {
        put_number(list, level, &number);
        bool ordinal = str_starts(buf_str(&number), STR("第"));
        if (list->levels[level].spaced && (wants_space(buf_str(&number)) || ordinal))
            buf_char(&number, ' ');
    }
    bool numbered = str_trim(buf_str(&number)).len > 0;
    buf_add(&number, text);
    text = buf_str(&number);
    bool heading = (outline >= 0 && outline < LEVELS) || style->title;
    if (heading && text.len <= HEAD_BYTES) {
        if (style->title)
            format_title(d->out, text);
        format_heading(d->out, style->title ? 1 : (int)outline + 1, text);
    } else if (list && (bullet || numbered)) {
        format_item(d->out, level + 1, numbered, text);
    } else {
        format_paragraph(d->out, text);
    }
}

static void read_paragraph(struct docx *d, const struct markup_node *node)
{
    const struct markup_node *ppr = markup_child(node, "pPr");
    struct para para = {.n_boxes = 0};
    buf_init(&para.text, d->office.scratch);
    if (style_of(d, ppr)->contents)
        return;
    gather_children(d, node, &para);
    struct str text = tidy_lines(d, buf_str(&para.text));
    text = str_copy(d->out->arena, text);
    if (para.text.failed || !text.ptr) {
        (void)format_fail(d->out, ERR_NO_MEMORY, "the document needs more memory than the limit");
        return;
    }
    if (text.len)
        put_paragraph(d, ppr, text);
    for (size_t i = 0; i < para.n_boxes && d->box_depth < 3; i++) {
        d->box_depth++;
        read_blocks(d, para.boxes[i]);
        d->box_depth--;
    }
}

/* ---- tables ---- */

/* All text of a cell as one line, nested tables too. */
static struct str cell_text(struct docx *d, const struct markup_node *cell)
{
    struct para para = {.n_boxes = 0};
    buf_init(&para.text, d->office.scratch);
    for (const struct markup_node *n = cell; (n = markup_next(cell, n)) != NULL;) {
        if (!str_eq_c(n->name, "p"))
            continue;
        const struct style *style = style_of(d, markup_child(n, "pPr"));
        int level;
        struct list *list = list_of(d, markup_child(n, "pPr"), style, &level);
        if (para.text.len)
            buf_char(&para.text, FORMAT_SPACE);
        if (list && !is_bullet(&list->levels[level]))
            put_number(list, level, &para.text);
        gather_children(d, n, &para);
    }
    struct str text = format_squeeze(d->out, buf_str(&para.text));
    return str_copy(d->out->arena, text);
}

static size_t span_of(const struct markup_node *cell)
{
    int64_t n = number_at(markup_child(markup_child(cell, "tcPr"), "gridSpan"), 1);
    return n < 1 ? 1 : n > MOST_SPAN ? MOST_SPAN : (size_t)n;
}

static size_t skipped_columns(const struct markup_node *row)
{
    int64_t n = number_at(markup_child(markup_child(row, "trPr"), "gridBefore"), 0);
    return n < 0 ? 0 : n > MOST_SPAN ? MOST_SPAN : (size_t)n;
}

static bool is_deleted_row(const struct markup_node *row)
{
    return markup_child(markup_child(row, "trPr"), "del") != NULL;
}

/* Next node with that name among the children, also inside content controls. */
static const struct markup_node *next_of(const struct markup_node *top, const struct markup_node *n,
                                         const char *name)
{
    const struct markup_node *at = n ? n : top;
    for (;;) {
        /* do not go into a row or cell that was given: its own tables are its own affair */
        if (at != top &&
            (str_eq_c(at->name, "tr") || str_eq_c(at->name, "tc") || str_eq_c(at->name, "tbl"))) {
            struct markup_node skip = *at;
            skip.first = NULL;
            at = markup_next(top, &skip);
        } else {
            at = markup_next(top, at);
        }
        if (!at || str_eq_c(at->name, name))
            return at;
    }
}

static void fill_row(struct docx *d, const struct markup_node *row, struct str *cells, size_t r,
                     size_t n_cols)
{
    size_t c = skipped_columns(row);
    for (const struct markup_node *cell = NULL;
         (cell = next_of(row, cell, "tc")) && format_go_on(d->out);) {
        struct markup_node *merge = markup_child(markup_child(cell, "tcPr"), "vMerge");
        bool goes_on = merge && !str_eq_c(markup_get(merge, "val"), "restart") && r > 0;
        struct str text = goes_on ? STR_NONE : cell_text(d, cell);
        for (size_t i = 0; i < span_of(cell) && c < n_cols; i++, c++)
            cells[r * n_cols + c] = goes_on ? cells[(r - 1) * n_cols + c] : text;
    }
}

static void read_table(struct docx *d, const struct markup_node *table)
{
    size_t n_rows = 0, n_cols = 0, r = 0;
    const struct markup_node *row = NULL, *first = NULL;
    while ((row = next_of(table, row, "tr")) != NULL) {
        size_t width = skipped_columns(row);
        for (const struct markup_node *cell = NULL; (cell = next_of(row, cell, "tc")) != NULL;)
            width += span_of(cell);
        n_cols = width > n_cols ? width : n_cols;
        first = first ? first : row;
        n_rows += !is_deleted_row(row);
    }
    if (n_rows == 0 || n_cols == 0)
        return;
    if (n_rows == 1 && n_cols == 1) { /* a frame around text */
        const struct markup_node *cell = next_of(first, NULL, "tc");
        if (cell)
            read_blocks(d, cell);
        return;
    }
    struct str *cells = n_rows <= MOST_CELLS / n_cols
                            ? arena_array(d->out->arena, struct str, n_rows * n_cols)
                            : NULL;
    if (!cells) {
        (void)format_fail(d->out, ERR_TOO_LARGE, "a table of %zu rows and %zu columns is too large",
                          n_rows, n_cols);
        return;
    }
    for (row = NULL; (row = next_of(table, row, "tr")) && r < n_rows && format_go_on(d->out);) {
        if (!is_deleted_row(row))
            fill_row(d, row, cells, r++, n_cols);
    }
    bool header = is_on(markup_child(markup_child(first, "trPr"), "tblHeader"));
    format_table(d->out, cells, n_rows, n_cols,
                 header || format_looks_like_header(cells, n_rows, n_cols));
}

/* ---- the body ---- */

static bool is_contents(const struct markup_node *sdt)
{
    const struct markup_node *pr = markup_child(sdt, "sdtPr");
    struct str gallery =
        markup_get(markup_child(markup_child(pr, "docPartObj"), "docPartGallery"), "val");
    return str_eq_c(gallery, "Table of Contents");
}

static void read_blocks(struct docx *d, const struct markup_node *node)
{
    for (const struct markup_node *n = node->first; n && format_go_on(d->out); n = n->next) {
        if (str_eq_c(n->name, "p"))
            read_paragraph(d, n);
        else if (str_eq_c(n->name, "tbl"))
            read_table(d, n);
        else if (str_eq_c(n->name, "sdt")
                     ? !is_contents(n)
                     : format_has_suffix(" sdtContent customXml ins moveTo smartTag ", n->name))
            read_blocks(d, n);
    }
}

static void read_notes(struct docx *d, const char *part, const char *list, const char *item)
{
    struct markup_node *root = markup_child(office_tree(&d->office, part), list);
    for (struct markup_node *n = root ? root->first : NULL; n && format_go_on(d->out);
         n = n->next) {
        struct str type = markup_get(n, "type");
        if (!str_eq_c(n->name, item) || (type.len && !str_eq_c(type, "normal")))
            continue;
        struct str text = cell_text(d, n);
        if (text.len)
            format_paragraph(d->out,
                             str_printf(d->out->arena, "[%s%.*s] %.*s", item[0] == 'e' ? "*" : "",
                                        STR_FMT(markup_get(n, "id")), STR_FMT(text)));
    }
}

static enum err read_docx(struct str bytes, struct format_out *out)
{
    struct docx d = {.out = out};
    enum err err = office_open(&d.office, out, bytes);
    if (err)
        return err;
    map_init(&d.styles, d.office.scratch);
    map_init(&d.lists, d.office.scratch);
    map_init(&d.numbers, d.office.scratch);
    office_properties(&d.office);
    read_styles(&d);
    read_numbering(&d);
    struct str main = office_related(&d.office, STR(""), STR_NONE, "/officeDocument");
    struct markup_node *tree = office_tree(&d.office, main.len ? main.ptr : "word/document.xml");
    struct markup_node *body = markup_child(markup_child(tree, "document"), "body");
    if (!body)
        return format_fail(out, ERR_INVALID, "the document has no main part");
    read_blocks(&d, body);
    read_notes(&d, "word/footnotes.xml", "footnotes", "footnote");
    read_notes(&d, "word/endnotes.xml", "endnotes", "endnote");
    bool headed = false; /* what Word keeps as the title is often that of a template */
    for (size_t i = 0; i < out->doc->n_blocks; i++)
        headed = headed || out->doc->blocks[i].kind == FORMAT_HEADING;
    for (size_t i = 0; i < out->doc->n_meta && !headed; i++) {
        if (str_eq_c(out->doc->meta[i].name, "title"))
            format_title(out, out->doc->meta[i].value);
    }
    return out->err;
}

const struct format_reader format_reader_docx = {
    .name = "docx",
    .suffixes = " docx docm dotx ",
    .risky = true,
    .detect = detect,
    .read = read_docx,
};
