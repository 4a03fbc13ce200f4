/* spans_check: spans that lie in the text, in order, with labels that are known. */
#include "core/arena.h"
#include "data/op.h"
#include "data/spans.h"
#include "data/text.h"

enum { LABELS, OVERLAPS, EMPTY };
static const struct data_param params[] = {
    [LABELS] = {"labels", DATA_STRINGS, 0, 1000, 0, "", "",
                "The labels there are; spans of others go; empty: any",
                "允许的标签，其余标签的标注去掉；为空则不限"},
    [OVERLAPS] =
        {"overlaps", DATA_CHOICE, 0, 0, 0, "longest|keep|drop_record", "",
         "longest: of spans that overlap the first and longest stays",
         "重叠标注的处理：longest 保留先出现且最长者，keep 保留，drop_record 丢弃整条记录"},
    [EMPTY] = {"without", DATA_CHOICE, 0, 0, 0, "keep|drop", "",
               "What becomes of records without spans", "没有标注的记录的处理"},
};

static bool known(const struct data_arg *labels, struct str label)
{
    bool any = labels->n == 0;
    for (size_t i = 0; !any && i < labels->n; i++)
        any = str_eq(labels->list[i], label);
    return any;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct spans spans;
    struct buf buf;
    size_t kept = 0, end = 0, length = text_length(record_str(record, "text"));
    int overlaps = (int)call->args[OVERLAPS].number;
    enum err err = spans_read(record, &spans, why);
    if (err)
        return err;
    spans_sort(&spans);
    for (size_t i = 0; i < spans.n; i++) {
        struct span s = spans.items[i];
        if (s.start >= s.end || s.end > length)
            return err_set(why, ERR_INVALID, "a span from %zu to %zu lies outside a text of %zu",
                           s.start, s.end, length);
        if (!known(&call->args[LABELS], s.label))
            continue;
        if (s.start < end && overlaps == 2)
            data_drop(out, "spans overlap at character %zu", s.start);
        if (s.start < end && overlaps == 0)
            continue;
        spans.items[kept++] = s;
        end = s.end > end ? s.end : end;
    }
    spans.n = kept;
    if (!kept && call->args[EMPTY].number > 0)
        data_drop(out, "it has no spans");
    buf_init(&buf, call->arena);
    spans_write(&spans, &buf);
    err = buf_err(&buf, why);
    return err ? err : record_set_raw(record, "spans", buf_str(&buf), why);
}

const struct data_op data_op_spans_check = {
    .name = "spans_check",
    .version = 1,
    .group = DATA_FILTER,
    .summary = "Check that spans lie in the text, put them in order, resolve overlaps",
    .summary_zh = "检查标注位置，按序排列并处理重叠",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_SPANS),
    .gives = DATA_SAME_KIND,
    .record = record,
};
