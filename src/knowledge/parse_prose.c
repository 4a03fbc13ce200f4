/* knowledge/parse_prose - laws, policies, guides in prose and texts: by articles and headings. */
#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/meta_in.h"
#include "knowledge/parse_in.h"

#include <string.h>

struct walk {
    struct parser *p;
    struct path path;
    struct passage open; /* the passage being built; len 0: none */
    size_t end;          /* of the open passage */
    bool is_open;
    bool rules; /* the text is made of articles: 一、 and （一） are items of them */
    bool guide;
    const struct field_kind *field; /* of the heading above, in a guide */
};

static void close_open(struct walk *w)
{
    if (!w->is_open)
        return;
    w->open.len = w->end - w->open.start;
    size_t most = w->open.kind == PASSAGE_ARTICLE || w->open.kind == PASSAGE_FIELD
                      ? PARSE_ARTICLE_BYTES
                      : PARSE_PASSAGE_BYTES;
    if (w->open.kind == PASSAGE_SECTION && w->open.words.len)
        most = PARSE_TABLE_BYTES;
    w->open.words = STR_NONE;
    parser_add_cut(w->p, w->open, most);
    w->is_open = false;
}

static void open_at(struct walk *w, enum passage_kind kind, const struct line *line)
{
    close_open(w);
    w->open = (struct passage){.kind = kind,
                               .start = line->start,
                               .label = STR(""),
                               .path = path_join(&w->path, w->p),
                               .field = STR("")};
    w->end = line->end;
    w->is_open = true;
}

static void on_heading(struct walk *w, const struct line *line, struct str text, int rank)
{
    bool real = line->kind == LINE_HEADING;
    close_open(w);
    /* A heading's level first, then 编 before 章 before 节; lines that only look like headings
     * stand as level 2, 一、 and （一） below all. */
    int level = real ? line->level : 2;
    path_push(&w->path, rank >= 60 && !real ? rank : level * 8 + (rank < 60 ? rank : 0), text);
    w->field = w->guide ? field_find(parser_unnumbered(text), STR("")) : NULL;
}

static void on_article(struct walk *w, const struct line *line, struct str text,
                       const struct numeral_article *article)
{
    open_at(w, PASSAGE_ARTICLE, line);
    struct str rest = str_from(text, article->len);
    struct str body = str_trim_space(rest);
    w->open.body = body.len ? (size_t)(body.ptr - text.ptr) : text.len;
    w->open.number = article->number;
    w->open.sub = article->sub;
    char label[2 * NUMERAL_TEXT];
    w->open.label = str_slice(text, 0, article->len);
    if (memchr(w->open.label.ptr, ' ', w->open.label.len) ||
        (text.len > 3 && text.ptr[3] >= '0' && text.ptr[3] <= '9'))
        w->open.label = str_copy(
            w->p->arena, str_c(numeral_article_write(article->number, article->sub, label)));
    if (!w->open.label.ptr)
        parser_no_memory(w->p);
}

/* "办理地点：…" in a guide: a passage of its own. */
static bool on_field(struct walk *w, const struct line *line, struct str text)
{
    size_t at = str_find(text, STR("：")), sep = strlen("：");
    size_t plain = str_find_char(text, ':');
    if (plain < at) {
        at = plain;
        sep = 1;
    }
    if (!w->guide || at == STR_NPOS || at > 45)
        return false;
    struct str value = str_trim_space(str_from(text, at + sep));
    const struct field_kind *kind = field_find(parser_unnumbered(str_slice(text, 0, at)), value);
    if (!kind)
        return false;
    open_at(w, PASSAGE_FIELD, line);
    w->open.body = value.len ? (size_t)(value.ptr - text.ptr) : text.len;
    w->open.label = str_c(kind->label);
    w->open.field = str_c(kind->name);
    return true;
}

/* The caption of a table: the short line above it, else the article or heading it stands in. */
static struct str caption_of(struct walk *w, const struct line *line)
{
    struct parser *p = w->p;
    size_t i = (size_t)(line - p->lines);
    if (i > p->first) {
        struct str above = parser_line(p, i - 1);
        if (p->lines[i - 1].kind == LINE_TEXT && above.len <= 150 && !str_ends(above, STR("。")))
            return above;
    }
    if (w->is_open && w->open.label.len)
        return w->open.label;
    return w->path.n ? w->path.steps[w->path.n - 1].text : p->title;
}

static void on_table(struct walk *w, const struct line *line)
{
    bool fits = w->is_open && line->end - w->open.start <= PARSE_TABLE_BYTES;
    if (fits && !w->guide) {
        w->end = line->end;
        w->open.words = STR("t"); /* only a mark: a table is inside, cut later */
        return;
    }
    struct str caption = caption_of(w, line), path = path_join(&w->path, w->p);
    uint32_t number = w->is_open ? w->open.number : 0, sub = w->is_open ? w->open.sub : 0;
    close_open(w);
    size_t before = w->p->n_passages;
    parse_table(w->p, line, caption, path, w->guide);
    for (size_t i = before; i < w->p->n_passages; i++) {
        w->p->passages[i].number = number;
        w->p->passages[i].sub = sub;
    }
}

static void on_text(struct walk *w, const struct line *line, struct str text)
{
    if (on_field(w, line, text))
        return;
    bool whole = w->is_open && (w->open.kind == PASSAGE_ARTICLE || w->open.kind == PASSAGE_FIELD);
    size_t so_far = w->is_open ? w->end - w->open.start : 0;
    bool full = w->is_open && !whole && line->end - w->open.start > PARSE_PASSAGE_BYTES;
    /* A long numbered part of a decision or policy begins a passage of its own. */
    size_t mark = text.len;
    bool numbered = !w->rules && so_far > 200 && parser_unnumbered(text).len < mark;
    if (w->is_open && !full && !(numbered && !whole)) {
        w->end = line->end;
        return;
    }
    open_at(w, w->field ? PASSAGE_FIELD : PASSAGE_SECTION, line);
    if (w->field) {
        w->open.label = str_c(w->field->label);
        w->open.field = str_c(w->field->name);
    }
}

/* What follows the last article and belongs to none. */
static bool ends_articles(struct str text)
{
    static const char *const marks[] = {"附件", "附：", "附:", "附表", "附录", "附图", NULL};
    if (text.len > 120)
        return false;
    for (size_t i = 0; marks[i]; i++)
        if (str_starts(text, str_c(marks[i])))
            return true;
    return false;
}

void parse_prose(struct parser *p, bool guide)
{
    struct walk w = {.p = p, .rules = p->n_articles >= 2, .guide = guide};
    w.path.joined = STR("");
    if (p->part.len)
        path_push(&w.path, 1, p->part);
    for (size_t i = p->first; i < p->n_lines && !p->err; i++) {
        const struct line *line = &p->lines[i];
        struct str text = parser_line(p, i);
        struct numeral_article article;
        bool heading = line->kind == LINE_HEADING;
        if (line->kind == LINE_TABLE || line->kind == LINE_RECORD) {
            on_table(&w, line);
            continue;
        }
        if (parser_article(text, &article)) {
            on_article(&w, line, text, &article);
            continue;
        }
        int rank = parser_rank(text, heading);
        if (rank == 61 && !heading) {
            /* （一） in a row are items of a list; a heading has something else behind it. */
            struct str next = i + 1 < p->n_lines ? parser_line(p, i + 1) : STR_NONE;
            rank = !next.len || parser_unnumbered(next).len < next.len ? 0 : rank;
        }
        if (heading || (rank && rank < 60) || (rank && !w.rules) || ends_articles(text))
            on_heading(&w, line, text, rank);
        else
            on_text(&w, line, text);
    }
    close_open(&w);
}
