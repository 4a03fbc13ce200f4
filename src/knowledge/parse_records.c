/* knowledge/parse_records - records and tables: guides, FAQ rows, texts with titles, plain rows. */
#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/meta_in.h"
#include "knowledge/parse_in.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define MANY_ROWS 20000 /* more are grouped into passages of several */

/* ---- names ---- */

static const char *const question_names[] = {"问题",     "问",       "question", "q",        "提问",
                                             "常见问题", "问题描述", "标准问题", "问题标题", NULL};
static const char *const answer_names[] = {"答案", "答",   "answer",   "a",        "回答", "答复",
                                           "回复", "解答", "标准答案", "答复内容", NULL};
static const char *const title_names[] = {"title", "标题", "题目", "name", "名称", NULL};
static const char *const content_names[] = {"content",      "text",    "正文",    "内容",
                                            "body",         "context", "passage", "paragraph",
                                            "context_text", "article", NULL};
static const char *const id_names[] = {"id",         "_id",    "编号",     "序号", "context_id",
                                       "passage_id", "doc_id", "_id.$oid", NULL};
static const char *const group_names[] = {"分类", "类别", "主题", "category", "栏目", "领域", NULL};

static bool is_named(struct str name, const char *const *names)
{
    name = str_trim_space(name);
    for (size_t i = 0; names[i]; i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.ptr, names[i], name.len) == 0)
            return true;
    return false;
}

static const struct format_field *field_of(const struct format_block *block,
                                           const char *const *names)
{
    for (size_t n = 0; names[n]; n++) { /* names in the order of preference */
        const char *const one[] = {names[n], NULL};
        for (size_t i = 0; i < block->n_fields; i++)
            if (is_named(block->fields[i].name, one) && !field_is_empty(block->fields[i].value))
                return &block->fields[i];
    }
    return NULL;
}

/* ---- what the records are ---- */

static bool is_guide(const struct format_block *block)
{
    size_t known = 0, telling = 0;
    bool title = false;
    for (size_t i = 0; i < block->n_fields; i++) {
        const struct field_kind *kind = field_find(block->fields[i].name, block->fields[i].value);
        known += kind != NULL;
        telling += kind && kind->telling;
        title = title || (kind && strcmp(kind->name, "title") == 0 &&
                          !field_is_empty(block->fields[i].value));
    }
    return title && known >= 4 && telling >= 2;
}

enum record_kind parse_records_kind(const struct parser *p)
{
    size_t n = 0, guides = 0, pairs = 0, texts = 0;
    for (size_t i = 0; i < p->n_lines && n < 200; i++) {
        const struct format_block *block = &p->doc->blocks[p->lines[i].block];
        if (p->lines[i].kind != LINE_RECORD)
            continue;
        n++;
        const struct format_field *content = field_of(block, content_names);
        pairs += field_of(block, question_names) && field_of(block, answer_names);
        guides += is_guide(block);
        texts += content && content->value.len > 100;
    }
    if (!n || n * 2 < (p->n_lines < 200 ? p->n_lines : 200))
        return RECORDS_NONE;
    if (pairs * 2 > n)
        return RECORDS_FAQ;
    if (guides * 2 > n)
        return RECORDS_GUIDES;
    return texts * 2 > n ? RECORDS_TEXTS : RECORDS_ROWS;
}

/* ---- where a field stands ---- */

struct place {
    size_t start, value, end; /* of the line(s) "name：value" */
};

/* Follows format_text(): fields with values, each as name, ：, value, line end. */
static bool field_place(const struct parser *p, const struct line *line, size_t which,
                        struct place *out)
{
    const struct format_block *block = &p->doc->blocks[line->block];
    size_t at = line->start;
    for (size_t i = 0; i <= which; i++) {
        const struct format_field *field = &block->fields[i];
        if (!field->value.len)
            continue;
        size_t value = at + field->name.len + strlen("：");
        size_t end = value + field->value.len;
        if (end > p->text.len || !str_eq(str_slice(p->text, value, end), field->value))
            return false;
        *out = (struct place){at, value, end};
        at = end + 1;
    }
    return block->fields[which].value.len > 0;
}

static struct str value_named(const struct format_block *block, const char *canonical)
{
    for (size_t i = 0; i < block->n_fields; i++) {
        const struct field_kind *kind = field_find(block->fields[i].name, block->fields[i].value);
        if (kind && strcmp(kind->name, canonical) == 0 && !field_is_empty(block->fields[i].value))
            return str_trim_space(block->fields[i].value);
    }
    return STR("");
}

/* ---- guides ---- */

static bool has_han(struct str s)
{
    for (size_t at = 0; at < s.len;)
        if (utf8_is_han(utf8_next(s, &at)))
            return true;
    return false;
}

/* The same told by an earlier column: parentCatalogName and subCatalogName are often one. */
static bool is_repeated(const struct format_block *block, size_t which,
                        const struct field_kind *kind)
{
    for (size_t i = 0; i < which && kind; i++) {
        const struct format_field *before = &block->fields[i];
        if (str_eq(before->value, block->fields[which].value)) {
            const struct field_kind *other = field_find(before->name, before->value);
            if (other == kind || (other && strcmp(kind->name, "title_other") == 0 &&
                                  strcmp(other->name, "title") == 0))
                return true;
        }
    }
    return false;
}

static void add_field_passage(struct parser *p, const struct line *line, size_t which)
{
    const struct format_field *field = &p->doc->blocks[line->block].fields[which];
    const struct field_kind *kind = field_find(field->name, field->value);
    struct place place;
    /* Columns of the database itself (ORGCODE) say nothing to anybody. */
    if (field_is_empty(field->value) || (!kind && !has_han(field->name)) ||
        is_repeated(&p->doc->blocks[line->block], which, kind))
        return;
    if (!field_place(p, line, which, &place)) {
        place.start = line->start;
        place.value = line->start;
        place.end = line->end;
    }
    struct str label = kind ? str_c(kind->label) : utf8_prefix(str_trim_space(field->name), 40);
    struct passage passage = {.kind = PASSAGE_FIELD,
                              .start = place.start,
                              .len = place.end - place.start,
                              .body = place.value - place.start,
                              .label = label,
                              .path = STR(""),
                              .field = str_c(kind ? kind->name : "")};
    if (!has_han(field->name)) {
        passage.words = str_printf(p->arena, "%.*s：%.*s", STR_FMT(label), STR_FMT(field->value));
        if (!passage.words.ptr)
            parser_no_memory(p);
    }
    parser_add_cut(p, passage, PARSE_ARTICLE_BYTES);
}

static int32_t day_in(struct str s)
{
    struct numeral_date date;
    size_t at = 0;
    return numeral_date_next(s, &at, &date) ? date.day : DAY_NONE;
}

static void guide_meta(struct parser *p, const struct format_block *block, struct parsed *item)
{
    struct knowledge_meta *meta = &item->found.meta;
    struct str code = value_named(block, "code"), key = STR("");
    meta->kind = KNOWLEDGE_GUIDE;
    meta->title = utf8_prefix(value_named(block, "title"), 200);
    meta->issuer = meta->department = value_named(block, "who");
    meta->published = day_in(value_named(block, "updated"));
    meta->effective = meta->expires = DAY_NONE;
    struct meta_source source = {.path = STR(""), .title = value_named(block, "region")};
    if (meta_region(&source, meta->department, p->arena, &meta->region, p->why) ||
        meta_key(meta->title, p->arena, &key, p->why)) {
        parser_no_memory(p);
        return;
    }
    meta->key = code.len
                    ? str_printf(p->arena, "item:%.*s", STR_FMT(code))
                    : str_printf(p->arena, "%.*s@%.*s", STR_FMT(key), STR_FMT(meta->department));
    item->item = code.len ? code : meta->key;
    item->found.label = STR("");
    if (!meta->key.ptr)
        parser_no_memory(p);
}

/* ---- texts with titles ---- */

static void text_meta(struct parser *p, const struct format_block *block, size_t row,
                      struct parsed *item)
{
    struct knowledge_meta *meta = &item->found.meta;
    const struct format_field *title = field_of(block, title_names),
                              *id = field_of(block, id_names);
    struct str name = id ? id->value : str_printf(p->arena, "%zu", row + 1), key = STR("");
    meta->kind = KNOWLEDGE_TEXT;
    meta->published = meta->effective = meta->expires = DAY_NONE;
    meta->title = title ? utf8_prefix(title->value, 200) : name;
    meta->issuer = meta->region = meta->department = STR("");
    if (!name.ptr || meta_key(meta->title, p->arena, &key, p->why)) {
        parser_no_memory(p);
        return;
    }
    /* Texts of one file are never versions of each other, even under one title. */
    meta->key = str_printf(p->arena, "%.*s#%.*s", STR_FMT(key), STR_FMT(utf8_prefix(name, 80)));
    item->item = name;
    item->found.label = STR("");
    if (!meta->key.ptr)
        parser_no_memory(p);
}

static void text_passages(struct parser *p, const struct line *line)
{
    const struct format_block *block = &p->doc->blocks[line->block];
    const struct format_field *content = field_of(block, content_names);
    struct place place = {line->start, line->start, line->end};
    if (content && !field_place(p, line, (size_t)(content - block->fields), &place))
        place = (struct place){line->start, line->start, line->end};
    parser_add_cut(p,
                   (struct passage){.kind = PASSAGE_SECTION,
                                    .start = place.value,
                                    .len = place.end - place.value,
                                    .label = STR(""),
                                    .path = STR(""),
                                    .field = STR("")},
                   2 * PARSE_PASSAGE_BYTES);
}

enum err parse_records_each(struct parser *p, enum record_kind kind, struct parsed_file *out)
{
    struct parsed *items = arena_array(p->arena, struct parsed, p->n_lines);
    size_t n = 0;
    if (!items)
        return err_set(p->why, ERR_NO_MEMORY, "could not hold %zu records", p->n_lines);
    for (size_t i = 0; i < p->n_lines && !p->err; i++) {
        const struct line *line = &p->lines[i];
        const struct format_block *block = &p->doc->blocks[line->block];
        if (line->kind != LINE_RECORD || (kind == RECORDS_GUIDES && !is_guide(block)))
            continue;
        p->passages = NULL;
        p->n_passages = p->cap = 0;
        struct parsed *item = &items[n];
        item->start = line->start;
        item->len = line->end - line->start;
        if (kind == RECORDS_GUIDES) {
            guide_meta(p, block, item);
            for (size_t f = 0; f < block->n_fields; f++)
                add_field_passage(p, line, f);
        } else {
            text_meta(p, block, i, item);
            text_passages(p, line);
        }
        item->found.meta.part = item->found.meta.number = item->found.meta.replaced_by = STR("");
        item->passages = p->passages;
        item->n_passages = p->n_passages;
        n += p->n_passages > 0;
    }
    *out = (struct parsed_file){items, n};
    return p->err;
}

/* ---- FAQ rows and plain rows: one document ---- */

static void add_pair(struct parser *p, const struct line *line)
{
    const struct format_block *block = &p->doc->blocks[line->block];
    const struct format_field *question = field_of(block, question_names),
                              *answer = field_of(block, answer_names),
                              *group = field_of(block, group_names);
    struct place place, asked;
    if (!question || !answer || !field_place(p, line, (size_t)(answer - block->fields), &place))
        return;
    /* Who keeps the pair, since when and after what rule (部门, 更新日期, 来源) is no part of the
     * answer. */
    size_t end = line->end;
    if (field_place(p, line, (size_t)(question - block->fields), &asked) && asked.end < place.value)
        end = place.end;
    parser_add(p, (struct passage){.kind = PASSAGE_FAQ,
                                   .start = line->start,
                                   .len = end - line->start,
                                   .body = place.value - line->start,
                                   .label = utf8_prefix(str_trim_space(question->value), 200),
                                   .path = group ? utf8_prefix(group->value, 60) : STR(""),
                                   .field = STR("")});
}

static struct str first_value(const struct format_block *block)
{
    for (size_t i = 0; i < block->n_fields; i++)
        if (has_han(block->fields[i].value))
            return utf8_prefix(str_trim_space(block->fields[i].value), 60);
    return STR("");
}

void parse_records_rows(struct parser *p, enum record_kind kind)
{
    struct path path = {.n = 0};
    bool group = p->n_lines > MANY_ROWS;
    struct passage open = {.len = 0};
    for (size_t i = 0; i < p->n_lines && !p->err; i++) {
        const struct line *line = &p->lines[i];
        if (line->kind == LINE_HEADING)
            path_push(&path, line->level, parser_line(p, i));
        if (line->kind == LINE_RECORD && kind == RECORDS_FAQ) {
            add_pair(p, line);
            continue;
        }
        if (group && open.len && line->end - open.start <= PARSE_PASSAGE_BYTES) {
            open.len = line->end - open.start;
            continue;
        }
        parser_add(p, open);
        bool row = line->kind == LINE_RECORD;
        open = (struct passage){.kind = row ? PASSAGE_ROW : PASSAGE_SECTION,
                                .start = line->start,
                                .len = line->end - line->start,
                                .label = row ? first_value(&p->doc->blocks[line->block]) : STR(""),
                                .path = path_join(&path, p),
                                .field = STR("")};
        if (line->kind == LINE_HEADING)
            open.len = 0;
        if (!group || open.len > PARSE_TABLE_BYTES) {
            parser_add_cut(p, open, PARSE_TABLE_BYTES);
            open.len = 0;
        }
    }
    parser_add(p, open);
}

/* ---- tables ---- */

/* The words of rows [from, to): the caption, then "header：value" of every cell. */
static struct str table_words(struct parser *p, const struct format_table *table, size_t from,
                              size_t to, struct str caption)
{
    struct buf buf;
    buf_init(&buf, p->arena);
    buf_add(&buf, caption);
    for (size_t r = from; r < to; r++) {
        buf_char(&buf, '\n');
        for (size_t c = 0; c < table->n_cols; c++) {
            struct str cell = table->cells[r * table->n_cols + c];
            if (c)
                buf_add_c(&buf, "；");
            if (table->has_header && r > 0) {
                buf_add(&buf, table->cells[c]);
                buf_add_c(&buf, "：");
            }
            buf_add(&buf, cell);
        }
    }
    if (buf.failed)
        parser_no_memory(p);
    return buf.failed ? STR("") : buf_str(&buf);
}

static size_t row_bytes(const struct format_table *table, size_t r)
{
    size_t n = 1 + (table->n_cols ? (table->n_cols - 1) * 3 : 0);
    for (size_t c = 0; c < table->n_cols; c++)
        n += table->cells[r * table->n_cols + c].len;
    return n;
}

/* A label and its value in neighbouring cells, as printed guides have them. */
static bool guide_row(struct parser *p, const struct format_table *table, size_t r, size_t start)
{
    bool any = false;
    size_t at = start;
    for (size_t c = 0; c + 1 < table->n_cols; c++) {
        const struct str *cell = &table->cells[r * table->n_cols + c];
        const struct field_kind *kind = field_find(cell[0], cell[1]);
        size_t value = at + cell[0].len + 3, end = value + cell[1].len;
        if (kind && !field_is_empty(cell[1]) && end <= p->text.len) {
            parser_add_cut(p,
                           (struct passage){.kind = PASSAGE_FIELD,
                                            .start = at,
                                            .len = end - at,
                                            .body = value - at,
                                            .label = str_c(kind->label),
                                            .path = STR(""),
                                            .field = str_c(kind->name)},
                           PARSE_ARTICLE_BYTES);
            any = true;
            at = value;
            c++;
            at += cell[1].len + 3;
            continue;
        }
        at += cell[0].len + 3;
    }
    return any;
}

/* A table whose header says 问题 and 答案. */
static bool faq_columns(const struct format_table *table, size_t *question, size_t *answer)
{
    *question = *answer = table->n_cols;
    for (size_t c = 0; c < table->n_cols && table->has_header; c++) {
        if (is_named(table->cells[c], question_names))
            *question = c;
        if (is_named(table->cells[c], answer_names))
            *answer = c;
    }
    return *question < *answer && *answer < table->n_cols;
}

static void faq_row(struct parser *p, const struct format_table *table, size_t r, size_t start,
                    size_t question, size_t answer)
{
    size_t at = start;
    for (size_t c = 0; c < answer; c++)
        at += table->cells[r * table->n_cols + c].len + 3;
    struct str words = table->cells[r * table->n_cols + question];
    parser_add(p, (struct passage){.kind = PASSAGE_FAQ,
                                   .start = start,
                                   .len = at - start + table->cells[r * table->n_cols + answer].len,
                                   .body = at - start,
                                   .label = utf8_prefix(words, 200),
                                   .path = STR(""),
                                   .field = STR("")});
}

void parse_table(struct parser *p, const struct line *line, struct str caption, struct str path,
                 bool guide)
{
    const struct format_table *table = &p->doc->blocks[line->block].table;
    size_t whole = 0, question = 0, answer = 0;
    for (size_t r = 0; r < table->n_rows; r++)
        whole += row_bytes(table, r);
    bool exact =
        line->kind == LINE_TABLE && table->n_rows && line->start + whole <= p->text.len + 1;
    bool faq = exact && faq_columns(table, &question, &answer);
    struct passage open = {.kind = PASSAGE_TABLE,
                           .start = line->start,
                           .label = utf8_prefix(caption, 80),
                           .path = path,
                           .field = STR("")};
    if (!exact) {
        open.len = line->end - line->start;
        parser_add_cut(p, open, PARSE_TABLE_BYTES);
        return;
    }
    size_t most = whole <= PARSE_TABLE_BYTES ? PARSE_TABLE_BYTES : PARSE_PASSAGE_BYTES;
    size_t at = line->start, from = 0;
    for (size_t r = 0; r <= table->n_rows && !p->err; r++) {
        size_t bytes = r < table->n_rows ? row_bytes(table, r) : 0;
        bool own = r < table->n_rows && ((faq && r > 0) || (guide && guide_row(p, table, r, at)));
        if (own && faq)
            faq_row(p, table, r, at, question, answer);
        if (own || r == table->n_rows || at + bytes - open.start > most) {
            if (at > open.start && !(table->has_header && from == 0 && r == 1)) {
                open.len = at - 1 - open.start;
                open.words = table_words(p, table, from, r, caption);
                parser_add(p, open);
            }
            open.start = own ? at + bytes : at;
            from = own ? r + 1 : r;
        }
        at += bytes;
    }
}
