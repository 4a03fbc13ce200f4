/* to_spans: rows of labelled entities in the forms that corpora use, as spans. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/scan.h"
#include "data/spans.h"
#include "data/talk.h"
#include "data/text.h"

enum { TEXT, MARKS };
static const struct data_param params[] = {
    [TEXT] = {"text", DATA_STRING, 1, 60, 0, "text", "", "Column of the text", "文本所在列"},
    [MARKS] =
        {"marks", DATA_STRING, 1, 60, 0, "label", "",
         "Column of {\"label\": {\"words\": [[first, last], ...]}} as in CLUENER, of "
         "[{start, end, label}, ...], or of tags beside a column \"tokens\"",
         "标注所在列：CLUENER 式对象、[{start,end,label}] 列表，或与 tokens 列对应的逐字标签"},
};

#define MOST 65536 /* spans of a row */

static enum err add(struct spans *spans, size_t start, size_t end, struct str label,
                    struct why *why)
{
    if (spans->n == MOST || start >= end || !label.len)
        return err_set(why, ERR_INVALID, "mark %zu is none, or there are more than %d",
                       spans->n + 1, MOST);
    spans->items[spans->n++] = (struct span){start, end, label};
    return ERR_OK;
}

static bool number_at(struct str list, size_t which, size_t *out)
{
    struct str key;
    size_t next = 0, start, end;
    int64_t value = -1;
    for (size_t i = 0;
         list.len && list.ptr[0] == '[' && scan_each(list, 0, &next, &key, &start, &end); i++)
        if (i == which)
            return str_to_i64(str_slice(list, start, end), &value) && value >= 0 &&
                   value < INT32_MAX && ((*out = (size_t)value), true);
    return false;
}

/* {"name": {"叶老桂": [[9, 11]]}}: the last character counts in. */
static enum err from_cluener(struct str marks, struct arena *arena, struct spans *spans,
                             struct why *why)
{
    struct str label, word, none;
    size_t a = 0, b, c, s1, e1, s2, e2, s3, e3, first, last;
    enum err err = ERR_OK;
    while (!err && scan_each(marks, 0, &a, &label, &s1, &e1)) {
        struct str words = str_slice(marks, s1, e1), name = scan_decode(label, arena);
        for (b = 0; !err && words.len && words.ptr[0] == '{' &&
                    scan_each(words, 0, &b, &word, &s2, &e2);) {
            struct str places = str_slice(words, s2, e2);
            for (c = 0; !err && places.len && places.ptr[0] == '[' &&
                        scan_each(places, 0, &c, &none, &s3, &e3);) {
                struct str pair = str_slice(places, s3, e3);
                if (!number_at(pair, 0, &first) || !number_at(pair, 1, &last))
                    err = err_set(why, ERR_INVALID, "a mark of \"%.*s\" has no two numbers",
                                  STR_FMT(name));
                else
                    err = add(spans, first, last + 1, name, why);
            }
        }
    }
    return err;
}

/* ["O", "B-name", "I-name"] beside tokens, each any characters long. */
static enum err from_tags(struct str tokens, struct str tags, struct arena *arena,
                          struct spans *spans, struct buf *text, struct why *why)
{
    struct str key, label = STR("");
    size_t a = 0, b = 0, s1, e1, s2, e2, at = 0, start = 0;
    enum err err = ERR_OK;
    while (!err && scan_each(tokens, 0, &a, &key, &s1, &e1)) {
        struct str token = scan_decode(str_slice(tokens, s1, e1), arena), tag = STR_NONE;
        if (scan_each(tags, 0, &b, &key, &s2, &e2))
            tag = scan_decode(str_slice(tags, s2, e2), arena);
        if (!token.ptr || !tag.ptr)
            return err_set(why, ERR_INVALID, "token %zu has no text or no tag", at + 1);
        bool inside = tag.len > 2 &&
                      (tag.ptr[0] == 'I' || tag.ptr[0] == 'E' || tag.ptr[0] == 'M') &&
                      str_eq(str_from(tag, 2), label);
        if (label.len && !inside) {
            err = add(spans, start, at, label, why);
            label = STR("");
        }
        if (!inside && tag.len > 2) {
            label = str_from(tag, 2);
            start = at;
        }
        buf_add(text, token);
        at += text_length(token);
    }
    if (!err && label.len)
        err = add(spans, start, at, label, why);
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str row = record_raw(record, "row"), list = STR_NONE;
    char *name = str_z(call->arena, call->args[MARKS].text),
         *column = str_z(call->arena, call->args[TEXT].text);
    struct spans spans = {arena_array(call->arena, struct span, MOST), 0};
    struct buf buf, all;
    (void)out;
    if (!name || !column || !spans.items)
        return err_set(why, ERR_NO_MEMORY, "could not hold the marks of a row");
    struct str text = talk_member(row, column, call->arena),
               marks = talk_member_raw(row, name, call->arena),
               tokens = talk_member_raw(row, "tokens", call->arena);
    enum err err = ERR_OK;
    buf_init(&all, call->arena);
    buf_init(&buf, call->arena);
    if (marks.len && marks.ptr[0] == '{') {
        err = from_cluener(marks, call->arena, &spans, why);
    } else if (marks.len && marks.ptr[0] == '[' && tokens.len && tokens.ptr[0] == '[') {
        err = from_tags(tokens, marks, call->arena, &spans, &all, why);
        text = buf_str(&all);
    } else if (marks.len && marks.ptr[0] == '[') {
        list = marks;
    }
    if (!err && (!text.ptr || (!marks.len && !spans.n)))
        err = err_set(why, ERR_INVALID, "the row has no column \"%s\" or \"%s\"", column, name);
    if (err)
        return err;
    spans_sort(&spans);
    spans_write(&spans, &buf);
    record_remove(record, "row");
    err = buf_err(&buf, why);
    if (!err)
        err = buf_err(&all, why);
    if (!err)
        err = record_set_str(record, "text", text, why);
    if (!err)
        err = record_set_raw(record, "spans", list.ptr ? list : buf_str(&buf), why);
    if (!err && list.ptr)
        err = spans_read(record, &spans, why);
    return err;
}

const struct data_op data_op_to_spans = {
    .name = "to_spans",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Make span records of rows in CLUENER form, lists of spans or tagged tokens",
    .summary_zh = "将 CLUENER、标注列表或逐字标签的行转为标注记录",
    .source = "the form of CLUENER2020, Xu et al. 2020, arXiv:2001.04351, and of CoNLL data",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_ROW),
    .gives = RECORD_SPANS,
    .record = record,
};
