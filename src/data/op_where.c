/* where: records that a condition holds for. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "data/expr.h"
#include "data/op.h"

enum { CONDITION, KEEP };
static const struct data_param params[] = {
    [CONDITION] =
        {"condition", DATA_STRING, 1, 2000, 0, NULL, "",
         "meta.year >= 2018 and not (label == '其他' or text contains '废止'); compared are "
         "numbers with numbers, else texts",
         "条件表达式，如 meta.year >= 2018 and label != '其他'；可用 and or not、== != < <= > >=、"
         "contains、starts、ends、exists、length(字段)"},
    [KEEP] = {"then", DATA_CHOICE, 0, 0, 0, "keep|drop", "", "What becomes of such records",
              "对符合条件的记录"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct expr *expr = NULL;
    enum err err = expr_read(p->args[CONDITION].text, p->arena, &expr, why);
    *made = expr;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    (void)why;
    if (expr_holds(call->made, record) != (call->args[KEEP].number == 0))
        data_drop(out, "the condition %s",
                  call->args[KEEP].number == 0 ? "does not hold" : "holds");
    return ERR_OK;
}

const struct data_op data_op_where = {
    .name = "where",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Keep or drop records by a condition over their fields",
    .summary_zh = "按字段条件表达式保留或丢弃记录",
    .source = "selection of relational algebra, Codd 1970, doi:10.1145/362384.362685",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
