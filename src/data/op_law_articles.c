/* law_articles: a law as a record for each article, with where it stands. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/put.h"
#include "data/text.h"

enum { LEAST, HEADING };
static const struct data_param params[] = {
    [LEAST] = {"least", DATA_INTEGER, 1, 1000, 3, NULL, "articles",
               "Texts with fewer articles are no laws: they stay as they are",
               "条数少于此值的文本不视为法规，保持不变"},
    [HEADING] = {"heading", DATA_FLAG, 0, 0, 0, NULL, "",
                 "Write title and chapter in front of the article's text",
                 "在条文前写上法规名称和章节"},
};

/* 第...条 at the beginning of a line, also 第...条之一; its end, or 0. `unit` is 编章节条. */
static size_t mark_of(struct str line, const char *unit)
{
    static const char digits[] = "零〇一二三四五六七八九十百千两0123456789";
    size_t i = 3, n = 0;
    if (!str_starts(line, STR("第")))
        return 0;
    while (i < line.len && n < 10) {
        size_t at = i;
        (void)text_next(line, &i);
        struct str c = str_slice(line, at, i);
        if (str_eq_c(c, unit))
            break;
        if (str_find(str_c(digits), c) == STR_NPOS)
            return 0;
        n++;
    }
    if (!n || n == 10 || !str_starts(str_from(line, i - 3), str_c(unit)))
        return 0;
    struct str rest = str_from(line, i);
    if (str_starts(rest, STR("之"))) {
        size_t k = 3, next = 3;
        while (next < rest.len) {
            size_t at = next;
            (void)text_next(rest, &next);
            if (str_find(str_c(digits), str_slice(rest, at, next)) == STR_NPOS)
                break;
            k = next;
        }
        i += k > 3 ? k : 0;
    }
    /* "第三条规定的" within a broken line is no beginning: a space, or the line's end. */
    rest = str_from(line, i);
    size_t at = 0;
    return !rest.len || utf8_is_space(utf8_next(rest, &at)) ? i : 0;
}

static struct str bare(struct str line)
{
    line = str_trim_space(line);
    while (line.len && (line.ptr[0] == '#' || line.ptr[0] == ' ' || line.ptr[0] == '*'))
        line = str_from(line, 1);
    return str_trim_space(line);
}

struct law {
    struct str title, chapter, section, article;
    struct buf text;
    size_t n;
};

static size_t count_articles(struct str text)
{
    struct str line;
    size_t n = 0;
    while (str_next(&text, '\n', &line))
        n += mark_of(bare(line), "条") > 0;
    return n;
}

static enum err flush(const struct data_call *call, struct record *record, struct law *law,
                      struct data_out *out, struct why *why)
{
    struct record part;
    struct str text = str_trim_space(buf_str(&law->text)), meta = record_raw(record, "meta");
    if (!law->article.len || !text.len)
        return ERR_OK;
    text = call->args[HEADING].number > 0
               ? str_printf(record->arena, "%.*s%s%.*s%s%.*s", STR_FMT(law->title),
                            law->title.len ? "\n" : "", STR_FMT(law->chapter),
                            law->chapter.len ? "\n" : "", STR_FMT(text))
               : str_copy(record->arena, text);
    enum err err = text.ptr ? record_part(record, ++law->n, &part, why)
                            : err_set(why, ERR_NO_MEMORY, "could not cut a law");
    if (!err)
        err = record_set_str(&part, "text", text, why);
    if (!err && law->title.len)
        err = record_set_str(&part, "title", law->title, why);
    if (!err && meta.ptr)
        err = record_set_raw(&part, "meta", meta, why);
    if (!err)
        err = put_str(&part, STR("meta.article"), law->article, why);
    if (!err && law->chapter.len)
        err = put_str(&part, STR("meta.chapter"), law->chapter, why);
    if (!err && law->section.len)
        err = put_str(&part, STR("meta.section"), law->section, why);
    return err ? err : data_emit(out, &part, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str rest = record_str(record, "text"), line;
    struct law law = {.title = record_str(record, "title")};
    enum err err = rest.ptr ? ERR_OK : err_set(why, ERR_INVALID, "the record has no text");
    bool first = true;
    if (err || (double)count_articles(rest) < call->args[LEAST].number)
        return err;
    buf_init(&law.text, call->arena);
    while (!err && str_next(&rest, '\n', &line)) {
        struct str s = bare(line);
        size_t article = mark_of(s, "条"), chapter = mark_of(s, "章"), section = mark_of(s, "节");
        if (!law.title.len && s.len && !article && !chapter)
            law.title = s;
        if (article || chapter || section) {
            err = flush(call, record, &law, out, why);
            buf_clear(&law.text);
            first = true;
            law.article = article ? str_slice(s, 0, article) : STR("");
        }
        if (chapter) {
            law.chapter = s;
            law.section = STR("");
        } else if (section) {
            law.section = s;
        } else if (law.article.len && s.len) {
            text_add_line(&law.text, s, &first);
        }
    }
    if (!err)
        err = flush(call, record, &law, out, why);
    data_drop(out, "cut into %zu articles", law.n);
    return err;
}

const struct data_op data_op_law_articles = {
    .name = "law_articles",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Cut laws and regulations into their articles, with title, chapter and number",
    .summary_zh = "将法规按条拆分，记下法规名称、章节和条号",
    .source = "the structure of laws in 立法技术规范（试行）(一), as commonly described",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_TEXT),
    .gives = DATA_SAME_KIND,
    .record = record,
};
