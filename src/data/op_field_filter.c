/* field_filter: by what stands in a field. */
#include "data/field.h"
#include "data/op.h"

enum { PATH, IS, HAS, KEEP };
static const struct data_param params[] = {
    [PATH] = {"path", DATA_STRING, 0, 200, 0, NULL, "", "Path of the value: label, meta.year",
              "字段路径，如 label、meta.year"},
    [IS] = {"is", DATA_STRINGS, 0, 100000, 0, "", "", "It is one of these", "等于其一"},
    [HAS] = {"has", DATA_STRINGS, 0, 1000, 0, "", "", "Or it holds one of these", "或包含其一"},
    [KEEP] = {"then", DATA_CHOICE, 0, 0, 0, "keep|drop", "", "What becomes of such records",
              "对符合条件的记录"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct data_arg *is = &call->args[IS], *has = &call->args[HAS];
    struct str value = field_text(record, call->args[PATH].text);
    bool hit = false;
    (void)why;
    for (size_t i = 0; value.ptr && !hit && i < is->n; i++)
        hit = str_eq(value, is->list[i]);
    for (size_t i = 0; value.ptr && !hit && i < has->n; i++)
        hit = has->list[i].len && str_find(value, has->list[i]) != STR_NPOS;
    if (hit != (call->args[KEEP].number == 0))
        data_drop(out, "%.*s is %.*s", STR_FMT(call->args[PATH].text),
                  (int)(value.len < 60 ? value.len : 60), value.ptr ? value.ptr : "missing");
    return ERR_OK;
}

const struct data_op data_op_field_filter = {
    .name = "field_filter",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Keep or drop records by the value of a field",
    .summary_zh = "按字段取值保留或丢弃记录",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .record = record,
};
