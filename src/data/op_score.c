/* score: what another operator measures, written into the record and not yet filtered by. */
#include <math.h>

#include "core/arena.h"
#include "data/op.h"
#include "data/put.h"
#include "data/spec.h"

enum { MEASURE, INTO };
static const struct data_param params[] = {
    [MEASURE] = {"measure", DATA_STRING, 1, 60, 0, NULL, "",
                 "An operator that measures: quality, perplexity, length ...; with its defaults",
                 "度量类算子名，如 quality、perplexity、length，用其默认参数"},
    [INTO] = {"into", DATA_STRING, 0, 60, 0, "", "",
              "The number goes to meta.<this>; empty: the operator's name",
              "写入 meta.<此名>；为空则用算子名"},
};

struct made {
    const struct data_op *op;
    struct data_arg *args;
    const void *made;
    struct str path;
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    struct made *m = arena_one(p->arena, struct made);
    const struct json *empty = NULL;
    struct str name = p->args[MEASURE].text, into = p->args[INTO].text;
    if (!m)
        return err_set(why, ERR_NO_MEMORY, "could not prepare a measure");
    m->op = data_op_find(name);
    if (!m->op || m->op->effect != DATA_MEASURE)
        return err_set(why, ERR_INVALID, "\"%.*s\" is no operator that measures", STR_FMT(name));
    m->path = str_printf(p->arena, "meta.%.*s", STR_FMT(into.len ? into : name));
    enum err err = put_check(m->path, why);
    if (!err)
        err = json_parse(STR("{}"), p->arena, &empty, why);
    if (!err)
        err = spec_args(m->op, empty, p->arena, &m->args, why);
    struct data_prepare own = {m->args, p->arena, p->models};
    if (!err && m->op->prepare)
        err = m->op->prepare(&own, &m->made, why);
    *made = m;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct made *m = call->made;
    struct data_call own = *call;
    double value = NAN;
    (void)out;
    struct str text = data_all_texts(call, record);
    own.args = m->args;
    own.made = m->made;
    enum err err = text.ptr ? m->op->measure(&own, text, &value, why)
                            : err_set(why, ERR_NO_MEMORY, "could not read the texts of a record");
    return err ? err : put_number(record, m->path, value, 4, why);
}

const struct data_op data_op_score = {
    .name = "score",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Write what an operator measures into meta, for top, where and reports",
    .summary_zh = "将度量类算子的数值写入 meta，供排序、条件筛选和报告使用",
    .source = "the stats of Data-Juicer, arXiv:2309.02033 sec. 4.1",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
