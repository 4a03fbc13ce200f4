/* spans_to_tags: a tag for every character, as sequence taggers are trained on. */
#include "core/arena.h"
#include "core/utf8.h"
#include "data/op.h"
#include "data/scan.h"
#include "data/spans.h"
#include "data/text.h"

enum { SCHEME };
static const struct data_param params[] = {
    [SCHEME] = {"scheme", DATA_CHOICE, 0, 0, 0, "bio|bioes", "",
                "bioes also marks ends and single characters", "bioes 另标出末字和单字"},
};

#define MOST_CHARACTERS 100000

static void put_tag(struct buf *out, const struct span *s, size_t at, bool bioes)
{
    const char *place = at == s->start ? "B" : "I";
    if (!s->label.len) {
        buf_add_c(out, "\"O\"");
        return;
    }
    if (bioes && s->end == s->start + 1)
        place = "S";
    else if (bioes && at + 1 == s->end)
        place = "E";
    scan_quote(out, str_printf(out->arena, "%s-%.*s", place, STR_FMT(s->label)));
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    static const struct span none = {0};
    struct spans spans;
    struct buf buf;
    struct str text = record_str(record, "text");
    size_t n = text_length(text), k = 0;
    enum err err = spans_read(record, &spans, why);
    (void)out;
    if (!err && n > MOST_CHARACTERS)
        err = err_set(why, ERR_TOO_LARGE, "a text of %zu characters is too long for tags", n);
    if (err)
        return err;
    spans_sort(&spans);
    for (size_t i = 0; i < spans.n; i++) {
        const struct span *s = &spans.items[i];
        if (s->start >= s->end || s->end > n || (i && s->start < spans.items[i - 1].end))
            return err_set(why, ERR_INVALID, "span %zu overlaps or lies outside the text", i + 1);
    }
    buf_init(&buf, call->arena);
    buf_add_c(&buf, "{\"tokens\":[");
    for (size_t i = 0, at; i < text.len;) {
        buf_add_c(&buf, i ? "," : "");
        at = i;
        (void)text_next(text, &i);
        scan_quote(&buf, str_slice(text, at, i));
    }
    buf_add_c(&buf, "],\"tags\":[");
    for (size_t at = 0; at < n; at++) {
        while (k < spans.n && spans.items[k].end <= at)
            k++;
        bool in = k < spans.n && spans.items[k].start <= at;
        buf_add_c(&buf, at ? "," : "");
        put_tag(&buf, in ? &spans.items[k] : &none, at, call->args[SCHEME].number > 0);
    }
    buf_add_c(&buf, "]}");
    record_remove(record, "text");
    record_remove(record, "spans");
    err = buf_err(&buf, why);
    return err ? err : record_set_raw(record, "row", buf_str(&buf), why);
}

const struct data_op data_op_spans_to_tags = {
    .name = "spans_to_tags",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Write spans as one tag for every character: BIO or BIOES",
    .summary_zh = "将标注转为逐字标签（BIO 或 BIOES），供序列标注训练",
    .source = "Ramshaw and Marcus 1995, arXiv:cmp-lg/9505040; the form of CoNLL data",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_SPANS),
    .gives = RECORD_ROW,
    .record = record,
};
