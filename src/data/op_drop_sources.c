/* drop_sources: records of withdrawn sources. */
#include "data/op.h"

enum { SOURCES };
static const struct data_param params[] = {
    [SOURCES] = {"sources", DATA_STRINGS, 0, 100000, 0, NULL, "", "Keys of the sources",
                 "来源的标识"},
};

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct str source = record_source(record->id);
    (void)why;
    for (size_t i = 0; i < call->args[SOURCES].n; i++)
        if (str_eq(source, call->args[SOURCES].list[i])) {
            data_drop(out, "of a source that is left out");
            break;
        }
    return ERR_OK;
}

const struct data_op data_op_drop_sources = {
    .name = "drop_sources",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Leave out the records of some sources, such as withdrawn ones",
    .summary_zh = "去掉指定来源（如已撤回来源）的记录",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .record = record,
};
