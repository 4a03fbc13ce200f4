/* sections: a document as a record for each part below a heading, with the headings above it. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/put.h"
#include "data/text.h"

enum { LEVEL, LEAST, CHINESE };
static const struct data_param params[] = {
    [LEVEL] = {"level", DATA_INTEGER, 1, 6, 3, NULL, "", "Headings of deeper levels do not part",
               "更深层的标题不拆分"},
    [LEAST] = {"least", DATA_INTEGER, 0, 1e6, 20, NULL, "characters",
               "Shorter sections go with the one behind them", "短于此字数的部分并入下一部分"},
    [CHINESE] = {"numbered", DATA_FLAG, 0, 0, 1, NULL, "",
                 "一、 （一） at the beginning of short lines are headings, too",
                 "行首“一、”“（一）”的短行也视为标题"},
};

#define MOST_HEADING 40 /* characters of a numbered heading */

static size_t numeral_end(struct str s)
{
    static const char digits[] = "一二三四五六七八九十";
    size_t i = 0, end = 0;
    while (i < s.len) {
        size_t at = i;
        (void)text_next(s, &i);
        if (i - at != 3 || str_find(str_c(digits), str_slice(s, at, i)) == STR_NPOS)
            break;
        end = i;
    }
    return end;
}

/* 1 .. 6, and the heading without its mark; 0: a line of text. */
static int heading_of(struct str line, bool numbered, struct str *title)
{
    size_t n = 0;
    struct str s = str_trim_space(line);
    while (n < s.len && s.ptr[n] == '#')
        n++;
    if (n >= 1 && n <= 6 && n < s.len && s.ptr[n] == ' ') {
        *title = str_trim_space(str_from(s, n));
        return title->len ? (int)n : 0;
    }
    if (!numbered || !s.len || text_ends_sentence(s) || utf8_count(s) > MOST_HEADING)
        return 0;
    *title = s;
    size_t end = numeral_end(s);
    if (end && str_starts(str_from(s, end), STR("、")))
        return 2;
    if (str_starts(s, STR("（"))) {
        end = numeral_end(str_from(s, 3));
        return end && str_starts(str_from(s, 3 + end), STR("）")) ? 3 : 0;
    }
    return 0;
}

struct walk {
    struct str path[7]; /* headings by level */
    struct buf text;
    size_t n;
};

static struct str path_text(const struct walk *w, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 1; i <= 6; i++) {
        if (!w->path[i].len)
            continue;
        buf_add(&buf, buf.len ? STR(" > ") : STR(""));
        buf_add(&buf, w->path[i]);
    }
    return buf.len ? buf_str(&buf) : STR("");
}

static enum err flush(const struct data_call *call, struct record *record, struct walk *w,
                      bool last, struct data_out *out, struct why *why)
{
    struct record part;
    struct str text = str_trim_space(buf_str(&w->text)), path = path_text(w, record->arena),
               meta = record_raw(record, "meta"), title = record_raw(record, "title");
    if (!text.len || (!last && (double)utf8_count(text) < call->args[LEAST].number))
        return ERR_OK;
    text = str_copy(record->arena, text);
    buf_clear(&w->text);
    enum err err = text.ptr ? record_part(record, ++w->n, &part, why)
                            : err_set(why, ERR_NO_MEMORY, "could not cut a document");
    if (!err)
        err = record_set_str(&part, "text", text, why);
    if (!err && title.ptr)
        err = record_set_raw(&part, "title", title, why);
    if (!err && meta.ptr)
        err = record_set_raw(&part, "meta", meta, why);
    if (!err && path.len)
        err = put_str(&part, STR("meta.section"), path, why);
    return err ? err : data_emit(out, &part, why);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str rest = record_str(record, "text"), line, title = STR("");
    struct walk w = {.n = 0};
    bool any = false, code = false;
    enum err err = rest.ptr ? ERR_OK : err_set(why, ERR_INVALID, "the record has no text");
    buf_init(&w.text, call->arena);
    while (!err && str_next(&rest, '\n', &line)) {
        code ^= str_starts(str_trim(line), STR("```"));
        int level = code ? 0 : heading_of(line, call->args[CHINESE].number > 0, &title);
        if (level && level <= (int)call->args[LEVEL].number) {
            err = flush(call, record, &w, false, out, why);
            for (int i = level; i <= 6; i++)
                w.path[i] = STR("");
            w.path[level] = title;
            any = true;
        } else if (w.text.len || str_trim_space(line).len) {
            buf_add(&w.text, line);
            buf_char(&w.text, '\n');
        }
    }
    if (err || !any)
        return err;
    err = flush(call, record, &w, true, out, why);
    data_drop(out, "cut into %zu sections", w.n);
    return err;
}

const struct data_op data_op_sections = {
    .name = "sections",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Cut documents at their headings, each part with the headings that it stands under",
    .summary_zh = "按标题拆分文档，记下每部分所属的各级标题",
    .source = "headings of CommonMark 0.31; numbering of GB/T 9704-2012 as commonly described",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_TEXT),
    .gives = DATA_SAME_KIND,
    .record = record,
};
