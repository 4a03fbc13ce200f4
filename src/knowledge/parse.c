/* knowledge/parse - from a read file to documents with metadata and passages. */
#include "knowledge/parse.h"

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "knowledge/chunk.h"
#include "knowledge/meta_in.h"
#include "knowledge/parse_in.h"

#include <string.h>

#define MOST_HEAD 60  /* lines under a title that are looked at */
#define MOST_TAIL 400 /* lines about effect and repeal that are kept */

/* ---- what the files of the parser share ---- */

struct str parser_line(const struct parser *p, size_t i)
{
    return str_slice(p->text, p->lines[i].start, p->lines[i].end);
}

void parser_no_memory(struct parser *p)
{
    if (!p->err)
        p->err = err_set(p->why, ERR_NO_MEMORY, "could not hold the passages of a document");
}

void parser_add(struct parser *p, struct passage passage)
{
    if (p->err || !passage.len)
        return;
    if (p->n_passages == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 32;
        struct passage *grown =
            arena_grow(p->arena, p->passages, p->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            parser_no_memory(p);
            return;
        }
        p->passages = grown;
        p->cap = cap;
    }
    p->passages[p->n_passages++] = passage;
}

void parser_add_cut(struct parser *p, struct passage passage, size_t most)
{
    if (passage.len <= most) {
        parser_add(p, passage);
        return;
    }
    struct chunks chunks;
    struct str range = str_slice(p->text, passage.start, passage.start + passage.len);
    enum err err =
        chunk_text(range, &(struct chunk_opts){PARSE_PASSAGE_BYTES, 0}, p->arena, &chunks, p->why);
    if (err) {
        p->err = err;
        return;
    }
    for (size_t i = 0; i < chunks.n; i++) {
        struct str piece =
            str_slice(range, chunks.items[i].start, chunks.items[i].start + chunks.items[i].len);
        struct str tidy = str_trim_space(piece);
        struct passage one = passage;
        one.start = passage.start + (size_t)(tidy.ptr - range.ptr);
        one.len = tidy.len;
        one.body = i == 0 && passage.body <= tidy.len ? passage.body : 0;
        if (tidy.len)
            parser_add(p, one);
    }
}

bool parser_article(struct str line, struct numeral_article *out)
{
    if (!numeral_article(line, out))
        return false;
    struct str rest = str_from(line, out->len);
    if (!rest.len)
        return true;
    size_t at = 0;
    uint32_t c = utf8_next(rest, &at);
    /* 第三条 第三条【…】 第三条（…）; 第三条规定的…, 第三条、第四条… are references. */
    return utf8_is_space(c) || c == 0x3010 || c == 0xFF1A || c == ':' ||
           ((c == 0xFF08 || c == '(') && rest.len < 200 && str_find(rest, STR("）")) != STR_NPOS);
}

/* 第一编, 第二分编, 第三章, 第四节 at the start: rank 1 to 4 and the bytes of the label. */
static int division(struct str line, size_t *len)
{
    static const struct {
        const char *word;
        int rank;
    } words[] = {{"编", 1}, {"篇", 1}, {"分编", 2}, {"部分", 2}, {"章", 3}, {"节", 4}};
    uint32_t n = 0;
    size_t used = 0, at = strlen("第");
    if (!str_starts(line, STR("第")))
        return 0;
    while (at < line.len && line.ptr[at] == ' ')
        at++;
    if (!numeral_read(str_from(line, at), &n, &used))
        return 0;
    at += used;
    while (at < line.len && line.ptr[at] == ' ')
        at++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_starts(str_from(line, at), str_c(words[i].word))) {
            *len = at + strlen(words[i].word);
            return words[i].rank;
        }
    return 0;
}

/* "一、" is 60, "（一）" is 61; *len gets the bytes of the mark. */
static int enumeration(struct str line, size_t *len)
{
    uint32_t n = 0;
    size_t used = 0;
    bool open = str_starts(line, STR("（")) || str_starts(line, STR("("));
    size_t at = !open ? 0 : str_starts(line, STR("(")) ? 1 : strlen("（");
    struct str rest = str_from(line, at);
    if (rest.len && rest.ptr[0] >= '0' && rest.ptr[0] <= '9')
        return 0;
    if (!numeral_read(rest, &n, &used) || n > 99)
        return 0;
    rest = str_from(rest, used);
    if (open && (str_starts(rest, STR("）")) || str_starts(rest, STR(")")))) {
        *len = at + used + (str_starts(rest, STR(")")) ? 1 : strlen("）"));
        return 61;
    }
    if (!open && str_starts(rest, STR("、"))) {
        *len = used + strlen("、");
        return 60;
    }
    return 0;
}

static bool ends_sentence(struct str line)
{
    static const char *const ends[] = {"。", "；", "：", "，", "、", ";",
                                       ":",  ".",  "！", "”",  NULL};
    for (size_t i = 0; ends[i]; i++)
        if (str_ends(line, str_c(ends[i])))
            return true;
    return false;
}

int parser_rank(struct str line, bool is_heading)
{
    size_t len = 0;
    int rank = division(line, &len);
    if (rank)
        return is_heading || (line.len <= 120 && !meta_has(line, "。") && !meta_has(line, "，"))
                   ? rank
                   : 0;
    rank = enumeration(line, &len);
    if (rank && (is_heading || (line.len <= 100 && !ends_sentence(line) && !meta_has(line, "。"))))
        return rank;
    return 0;
}

struct str parser_unnumbered(struct str line)
{
    size_t len = 0;
    if (!division(line, &len) && !enumeration(line, &len)) {
        uint32_t n = 0;
        if (!line.len || line.ptr[0] < '0' || line.ptr[0] > '9' || !numeral_read(line, &n, &len))
            return line;
        struct str rest = str_from(line, len);
        if (str_starts(rest, STR("．")) || str_starts(rest, STR("、")))
            len += 3;
        else if (rest.len && (rest.ptr[0] == '.' || rest.ptr[0] == ')'))
            len++;
        else
            return line;
    }
    return str_trim_space(str_from(line, len));
}

void path_push(struct path *path, int rank, struct str text)
{
    while (path->n && path->steps[path->n - 1].rank >= rank)
        path->n--;
    if (path->n == PATH_MOST)
        path->n--;
    path->steps[path->n].rank = rank;
    path->steps[path->n].text = text;
    path->n++;
    path->fresh = false;
}

struct str path_join(struct path *path, struct parser *p)
{
    if (path->fresh)
        return path->joined;
    struct buf buf;
    buf_init(&buf, p->arena);
    for (size_t i = 0; i < path->n; i++) {
        if (i)
            buf_add_c(&buf, " > ");
        buf_add(&buf, utf8_prefix(path->steps[i].text, 60));
    }
    if (buf.failed)
        parser_no_memory(p);
    path->joined = buf.len ? buf_str(&buf) : STR("");
    path->fresh = true;
    return path->joined;
}

/* ---- lines ---- */

static size_t trim_start(struct str text, size_t start, size_t end)
{
    struct str tidy = str_trim_space(str_slice(text, start, end));
    return tidy.len ? (size_t)(tidy.ptr - text.ptr) : end;
}

static void add_line(struct parser *p, enum line_kind kind, int level, size_t start, size_t end,
                     size_t block)
{
    size_t from = trim_start(p->text, start, end);
    struct str tidy = str_trim_space(str_slice(p->text, from, end));
    if (tidy.len)
        p->lines[p->n_lines++] = (struct line){kind, level, from, from + tidy.len, block};
}

static size_t count_lines(struct str text)
{
    size_t n = 1;
    for (size_t at = 0; (at = str_find_from(text, STR("\n"), at)) != STR_NPOS; at++)
        n++;
    return n;
}

static void lines_of_block(struct parser *p, size_t i, size_t start, size_t end)
{
    const struct format_block *block = &p->doc->blocks[i];
    if (block->kind == FORMAT_TABLE || block->kind == FORMAT_RECORD) {
        /* From its very first byte: the places of cells and fields are counted from there. */
        struct str tidy = str_trim_space(str_slice(p->text, start, end));
        enum line_kind kind = block->kind == FORMAT_TABLE ? LINE_TABLE : LINE_RECORD;
        if (tidy.len)
            p->lines[p->n_lines++] =
                (struct line){kind, 0, start, (size_t)(tidy.ptr - p->text.ptr) + tidy.len, i};
        return;
    }
    size_t mark = start;
    while (block->kind == FORMAT_HEADING && mark < end && p->text.ptr[mark] == '#')
        mark++;
    while (block->kind == FORMAT_LIST_ITEM && mark < end && p->text.ptr[mark] == ' ')
        mark++;
    if (block->kind == FORMAT_LIST_ITEM && str_starts(str_from(p->text, mark), STR("- ")))
        mark += 2;
    if (block->kind == FORMAT_HEADING) {
        add_line(p, LINE_HEADING, block->level, mark, end, i);
        return;
    }
    while (mark < end) {
        size_t stop = str_find_from(p->text, STR("\n"), mark);
        if (stop == STR_NPOS || stop > end)
            stop = end;
        add_line(p, LINE_TEXT, 0, mark, stop, i);
        mark = stop + 1;
    }
}

static enum err make_lines(struct parser *p, const size_t *offsets)
{
    size_t most = count_lines(p->text) + p->doc->n_blocks;
    p->lines = arena_array(p->arena, struct line, most);
    if (!p->lines)
        return err_set(p->why, ERR_NO_MEMORY, "could not hold %zu lines", most);
    for (size_t i = 0; i < p->doc->n_blocks; i++) {
        size_t end = i + 1 < p->doc->n_blocks ? offsets[i + 1] : p->text.len;
        if (p->doc->blocks[i].kind != FORMAT_PAGE && offsets[i] < end && end <= p->text.len)
            lines_of_block(p, i, offsets[i], end);
    }
    if (!p->n_lines)
        return err_set(p->why, ERR_INVALID, "the file holds no text");
    return ERR_OK;
}

/* ---- title and head ---- */

static bool is_title_end(struct str s)
{
    static const char *const ends[] = {
        "法",   "法典", "条例", "规定", "办法", "细则", "通知", "意见",   "方案",
        "公告", "通告", "决定", "批复", "解释", "指南", "规则", "标准",   "制度",
        "函",   "报告", "纲要", "规划", "预案", "答复", "须知", "手册",   "问答",
        "目录", "公示", "规程", "章程", "清单", "安排", "决议", "修正案", NULL};
    size_t close = str_ends(s, STR("）")) ? str_find(s, STR("（")) : STR_NPOS;
    if (close != STR_NPOS && close > 0)
        s = str_slice(s, 0, close);
    for (size_t i = 0; ends[i]; i++)
        if (str_ends(s, str_c(ends[i])))
            return true;
    return false;
}

/* Lines that stand above a title: the red head, the number, the grade, a label and its value. */
static bool stands_above_title(struct str line)
{
    return meta_is_head_line(line) || str_ends(line, STR("文件")) || meta_has(line, "★") ||
           str_eq_c(line, "内部资料") || str_eq_c(line, "秘密") || str_eq_c(line, "机密") ||
           line.len < 6;
}

/* The box above or under a title: 发文机关 | 云汀市人民政府 | 发布日期 | 2022年3月30日. */
static bool is_head_table(const struct parser *p, const struct line *line)
{
    const struct format_table *table = &p->doc->blocks[line->block].table;
    size_t labels = 0;
    if (line->kind != LINE_TABLE || table->n_rows > 20)
        return false;
    for (size_t i = 0; i + 1 < table->n_rows * table->n_cols; i++)
        labels += meta_is_label(table->cells[i]);
    return labels >= 2;
}

static bool title_by_heading(struct parser *p, size_t *at)
{
    for (size_t i = 0; i < p->n_lines && i < 20; i++) {
        const struct line *line = &p->lines[i];
        struct str s = parser_line(p, i);
        struct numeral_article article;
        size_t len = 0;
        if (line->kind == LINE_HEADING && !division(s, &len) &&
            (line->level == 1 || i == 0 || is_title_end(s))) {
            *at = i;
            return true;
        }
        if (line->kind == LINE_RECORD || (line->kind == LINE_TABLE && !is_head_table(p, line)) ||
            parser_article(s, &article))
            return false;
    }
    return false;
}

/* A title that is only a line, perhaps printed on two or three. */
static bool title_by_look(struct parser *p, size_t *at, size_t *end)
{
    for (size_t i = 0; i < p->n_lines && i < 10; i++) {
        struct str s = parser_line(p, i);
        struct numeral_article article;
        size_t len = 0;
        if (p->lines[i].kind == LINE_TABLE || p->lines[i].kind == LINE_RECORD)
            return false;
        if (stands_above_title(s))
            continue;
        if (s.len > 180 || ends_sentence(s) || parser_article(s, &article) || division(s, &len))
            return false;
        *at = i;
        *end = i + 1;
        struct str whole = s;
        while (!is_title_end(whole) && *end < p->n_lines && *end - i < 3 &&
               p->lines[*end].kind == LINE_TEXT) {
            struct str next = parser_line(p, *end);
            struct str both = str_printf(p->arena, "%.*s%.*s", STR_FMT(whole), STR_FMT(next));
            if (next.len > 120 || meta_is_head_line(next) || !is_title_end(both))
                break;
            whole = both;
            (*end)++;
        }
        return true;
    }
    return false;
}

static struct str stem_of_path(struct str path)
{
    struct str name = file_name(path), suffix = file_suffix(name);
    if (suffix.len && suffix.len + 1 < name.len)
        name = str_slice(name, 0, name.len - suffix.len - 1);
    size_t date = str_find_char(name, '(');
    struct numeral_date found;
    size_t at = 0;
    if (date != STR_NPOS && date > 0 && numeral_date_next(str_from(name, date), &at, &found))
        name = str_slice(name, 0, date);
    return str_trim_space(name);
}

/* "云汀市城市供水用水管理办法-云汀市水务局": the name of the site behind a page's title. */
static struct str without_site(struct str title)
{
    static const char *const seps[] = {"_", "-", "|", "－", "—"};
    for (size_t i = 0; i < sizeof seps / sizeof seps[0]; i++) {
        size_t at = str_find(title, str_c(seps[i]));
        if (at != STR_NPOS && is_title_end(str_trim_space(str_slice(title, 0, at))))
            return str_trim_space(str_slice(title, 0, at));
    }
    return title;
}

static struct str join_lines(struct parser *p, size_t from, size_t end)
{
    struct buf buf;
    buf_init(&buf, p->arena);
    for (size_t i = from; i < end; i++)
        buf_add(&buf, parser_line(p, i));
    if (buf.failed)
        parser_no_memory(p);
    return buf.len ? buf_str(&buf) : STR("");
}

static void find_title(struct parser *p)
{
    size_t at = 0, end = 0;
    p->head_first = p->first = 0;
    if (title_by_heading(p, &at)) {
        p->title = parser_line(p, at);
        p->first = at + 1;
    } else if (title_by_look(p, &at, &end)) {
        p->title = end == at + 1 ? parser_line(p, at) : join_lines(p, at, end);
        p->first = end;
    } else {
        p->title = p->doc->title.len ? without_site(p->doc->title) : stem_of_path(p->doc->path);
    }
    if (!p->title.len)
        p->title = STR("无标题");
    p->title = utf8_prefix(p->title, 200);
}

/* The lines of the head: from the first line to where the text begins. */
static void find_head(struct parser *p)
{
    size_t i = p->first;
    if (i < p->n_lines && p->lines[i].kind == LINE_HEADING && p->lines[i].level == 1 &&
        p->first > 0 && parser_line(p, i).len <= 60)
        p->part = parser_line(p, i++);
    for (; i < p->n_lines && i - p->first < MOST_HEAD; i++) {
        struct str line = parser_line(p, i);
        if (is_head_table(p, &p->lines[i]))
            continue;
        if (p->lines[i].kind != LINE_TEXT)
            break;
        if (!meta_is_head_line(line) && !meta_has(line, "★") && !str_eq_c(line, "内部资料"))
            break;
    }
    p->head_end = i;
    p->first = i;
}

/* ---- what it is ---- */

static bool line_field_of(struct str line, const struct field_kind **kind)
{
    size_t at = str_find(line, STR("："));
    size_t plain = str_find_char(line, ':');
    if (plain < at)
        at = plain;
    if (at == STR_NPOS || at > 45)
        return false;
    *kind = field_find(parser_unnumbered(str_slice(line, 0, at)), str_from(line, at));
    return *kind != NULL;
}

static void count_telling(struct parser *p, const struct field_kind *kind, uint64_t *seen)
{
    size_t n = 0;
    const struct field_kind *all = field_all(&n);
    size_t bit = kind ? (size_t)(kind - all) : 64;
    if (bit < 64 && kind->telling && !(*seen >> bit & 1)) {
        *seen |= (uint64_t)1 << bit;
        p->n_telling++;
    }
}

static void take_stock(struct parser *p)
{
    uint64_t seen = 0;
    size_t questions = 0, answers = 0, question_headings = 0;
    for (size_t i = p->first; i < p->n_lines; i++) {
        const struct line *line = &p->lines[i];
        struct str s = parser_line(p, i), question;
        struct numeral_article article;
        const struct field_kind *kind = NULL;
        size_t skip = 0;
        if (line->kind == LINE_TABLE) {
            const struct format_table *table = &p->doc->blocks[line->block].table;
            for (size_t r = 0; r < table->n_rows && table->n_cols >= 2; r++)
                count_telling(p, field_find(table->cells[r * table->n_cols], STR("")), &seen);
            continue;
        }
        if (line->kind == LINE_HEADING) {
            p->n_headings++;
            count_telling(p, field_find(parser_unnumbered(s), STR("")), &seen);
        } else if (line_field_of(s, &kind)) {
            count_telling(p, kind, &seen);
        }
        p->n_articles += parser_article(s, &article);
        if (faq_question(s, line->kind == LINE_HEADING, &question)) {
            if (line->kind == LINE_HEADING)
                question_headings++;
            else
                questions++;
        }
        answers += faq_answer(s, &skip);
    }
    if ((questions && answers >= questions) || (question_headings && answers))
        p->n_pairs = questions + question_headings;
    else if (question_headings >= 2 && question_headings * 10 >= p->n_headings * 6)
        p->n_pairs = question_headings;
}

static enum knowledge_kind kind_of(const struct parser *p, const struct meta_found *found)
{
    static const char *const rules[] = {"法", "条例", "规定", "办法", "细则", "规则", "解释", NULL};
    static const char *const notices[] = {"公告",   "通告", "公示", "启事",
                                          "告知书", "通知", "提示", NULL};
    struct str title = found->meta.title;
    bool rule = p->n_articles >= 2 || found->meta.level >= 3;
    for (size_t i = 0; rules[i] && p->n_articles == 1; i++)
        rule = rule || str_ends(title, str_c(rules[i]));
    if (rule)
        return KNOWLEDGE_LAW;
    for (size_t i = 0; notices[i]; i++) {
        bool weak =
            strcmp(notices[i], "通知") == 0; /* a 通知 with a number and parts is a policy */
        if (str_ends(title, str_c(notices[i])) && found->meta.level != 1 &&
            !(weak && found->meta.number.len))
            return KNOWLEDGE_NOTICE;
    }
    if (found->meta.level == 2)
        return KNOWLEDGE_POLICY;
    return KNOWLEDGE_TEXT;
}

/* ---- metadata ---- */

static bool tells_days(struct str line)
{
    return meta_has(line, "施行") || meta_has(line, "废止") || meta_has(line, "执行") ||
           meta_has(line, "实施") || meta_has(line, "生效") || meta_has(line, "有效期");
}

/* The lines that tell of effect and repeal, and the last ones (signature and date). */
static enum err collect_tail(struct parser *p, struct str **out, size_t *n)
{
    struct str *tail = arena_array(p->arena, struct str, MOST_TAIL + 8);
    if (!tail)
        return err_set(p->why, ERR_NO_MEMORY, "could not hold the last lines of a text");
    size_t last = p->n_lines > p->first + 4 ? p->n_lines - 4 : p->first;
    size_t kept = 0;
    for (size_t i = p->n_lines; i > p->first && kept < MOST_TAIL; i--) {
        struct str line = parser_line(p, i - 1);
        bool closing = i - 1 >= last;
        if (p->lines[i - 1].kind != LINE_TEXT || (!closing && !tells_days(line)))
            continue;
        if (line.len <= 1500)
            tail[kept++] = line;
    }
    for (size_t i = 0; i < kept / 2; i++) { /* back into the order of the text */
        struct str swap = tail[i];
        tail[i] = tail[kept - 1 - i];
        tail[kept - 1 - i] = swap;
    }
    *out = tail;
    *n = kept;
    return ERR_OK;
}

/* The pairs of a box as lines "label：value"; returns how many. */
static size_t head_of_table(struct parser *p, const struct line *line, struct str *out, size_t most)
{
    const struct format_table *table = &p->doc->blocks[line->block].table;
    size_t n = 0;
    for (size_t r = 0; r < table->n_rows; r++) {
        const struct str *row = &table->cells[r * table->n_cols];
        for (size_t c = 0; c + 1 < table->n_cols && n < most; c++) {
            if (!meta_is_label(row[c]))
                continue;
            out[n] = str_printf(p->arena, "%.*s：%.*s", STR_FMT(row[c]), STR_FMT(row[c + 1]));
            if (!out[n].ptr)
                parser_no_memory(p);
            n++;
            c++;
        }
    }
    return n;
}

static enum err read_meta(struct parser *p, struct meta_found *out)
{
    size_t n_tail = 0, n_head = 0, most = p->head_end + MOST_HEAD;
    struct str *tail = NULL, *head = arena_array(p->arena, struct str, most);
    if (!head)
        return err_set(p->why, ERR_NO_MEMORY, "could not hold the head of a text");
    for (size_t i = 0; i < p->head_end && n_head < most; i++) {
        if (p->lines[i].kind == LINE_TEXT)
            head[n_head++] = parser_line(p, i);
        else if (is_head_table(p, &p->lines[i]))
            n_head += head_of_table(p, &p->lines[i], head + n_head, most - n_head);
    }
    enum err err = p->err ? p->err : collect_tail(p, &tail, &n_tail);
    if (err)
        return err;
    struct meta_source source = {.path = p->doc->path,
                                 .title = p->title,
                                 .part = p->part,
                                 .head = head,
                                 .n_head = n_head,
                                 .tail = tail,
                                 .n_tail = n_tail,
                                 .props = p->doc->meta,
                                 .n_props = p->doc->n_meta,
                                 .n_articles = p->n_articles};
    return meta_read(&source, p->arena, out, p->why);
}

/*
 * Rules of one title are versions of each other. Of other texts a title says less: every bureau has
 * its 常见问题, every year its 公告; they are told apart by who issued them or by the file's name.
 */
static enum err settle_key(struct parser *p, struct knowledge_meta *meta)
{
    struct str more = STR("");
    switch (meta->kind) {
    case KNOWLEDGE_LAW:
    case KNOWLEDGE_POLICY:
        if (str_find(meta->key, meta->region) == STR_NPOS &&
            str_find(meta->title, STR("中华人民共和国")) == STR_NPOS)
            more = meta->region;
        break;
    case KNOWLEDGE_NOTICE:
        more = str_find(meta->title, meta->issuer) == STR_NPOS ? meta->issuer : STR("");
        break;
    case KNOWLEDGE_GUIDE:
    case KNOWLEDGE_FAQ:
    case KNOWLEDGE_TEXT:
    case KNOWLEDGE_TABLE:
        more = stem_of_path(p->doc->path);
        break;
    }
    if (!more.len || str_eq(more, meta->title))
        return ERR_OK;
    meta->key = str_printf(p->arena, "%.*s@%.*s", STR_FMT(meta->key), STR_FMT(more));
    return meta->key.ptr ? ERR_OK : err_set(p->why, ERR_NO_MEMORY, "could not hold a title");
}

/* ---- a file ---- */

static void add_head_passage(struct parser *p)
{
    size_t from = p->head_first;
    for (size_t i = 0; i < p->head_end; i++)
        if (p->lines[i].kind == LINE_HEADING || str_eq(parser_line(p, i), p->title))
            from = i + 1;
    if (from >= p->head_end)
        return;
    size_t start = p->lines[from].start, end = p->lines[p->head_end - 1].end;
    parser_add_cut(p,
                   (struct passage){.kind = PASSAGE_HEAD,
                                    .start = start,
                                    .len = end - start,
                                    .label = STR("题注"),
                                    .path = STR(""),
                                    .field = STR("")},
                   PARSE_TABLE_BYTES);
}

static enum err parse_one(struct parser *p, enum record_kind records, struct parsed_file *out)
{
    struct meta_found found = {.n_repeals = 0};
    if (records == RECORDS_NONE) {
        find_title(p);
        find_head(p);
    } else {
        p->title = p->doc->title.len ? p->doc->title : stem_of_path(p->doc->path);
    }
    take_stock(p);
    enum err err = read_meta(p, &found);
    if (err)
        return err;
    bool guide = p->n_telling >= 3 && p->n_articles == 0 && !p->n_pairs;
    found.meta.kind = records == RECORDS_FAQ || (records == RECORDS_NONE && p->n_pairs)
                          ? KNOWLEDGE_FAQ
                      : records == RECORDS_ROWS ? KNOWLEDGE_TABLE
                      : guide                   ? KNOWLEDGE_GUIDE
                                                : kind_of(p, &found);
    err = settle_key(p, &found.meta);
    if (err)
        return err;
    /* A poster or an FAQ that tells when a rule takes effect is no rule and holds already. */
    if (found.from_text && found.meta.kind != KNOWLEDGE_LAW &&
        found.meta.kind != KNOWLEDGE_POLICY) {
        found.meta.effective = found.meta.expires = DAY_NONE;
        found.label = STR("");
    }
    if (records != RECORDS_NONE) {
        parse_records_rows(p, records);
    } else {
        add_head_passage(p);
        if (found.meta.kind == KNOWLEDGE_FAQ)
            parse_faq(p);
        else
            parse_prose(p, guide);
    }
    struct parsed *item = arena_one(p->arena, struct parsed);
    if (p->err || !item)
        return p->err ? p->err : err_set(p->why, ERR_NO_MEMORY, "could not hold a document");
    if (!p->n_passages) /* nothing but a title: the title is what can be found */
        parser_add(p, (struct passage){.kind = PASSAGE_SECTION,
                                       .start = p->lines[0].start,
                                       .len = p->lines[p->n_lines - 1].end - p->lines[0].start,
                                       .label = STR(""),
                                       .path = STR(""),
                                       .field = STR("")});
    *item = (struct parsed){found, STR(""), 0, p->text.len, p->passages, p->n_passages};
    *out = (struct parsed_file){item, 1};
    return p->err;
}

enum err parse_document(const struct format_document *doc, struct str text, const size_t *offsets,
                        struct arena *arena, struct parsed_file *out, struct why *why)
{
    struct parser p = {
        .doc = doc, .text = text, .arena = arena, .why = why, .title = STR(""), .part = STR("")};
    enum err err = make_lines(&p, offsets);
    if (err)
        return err;
    enum record_kind records = parse_records_kind(&p);
    if (records == RECORDS_GUIDES || records == RECORDS_TEXTS)
        return parse_records_each(&p, records, out);
    return parse_one(&p, records, out);
}
