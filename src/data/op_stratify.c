/* stratify: a sample in which every group has its share. */
#include <math.h>

#include "data/groups.h"

enum { BY, COUNT, SHARE, LEAST };
static const struct data_param params[] = {
    [BY] = {"by", DATA_STRING, 1, 200, 0, "label", "", "Path of the value that makes the groups",
            "分层依据的字段"},
    [COUNT] = {"count", DATA_INTEGER, 0, 1e12, 0, NULL, "records",
               "So many in all; 0: by the share", "抽取总条数；0 表示按比例"},
    [SHARE] = {"share", DATA_NUMBER, 0, 1, 0.1, NULL, "", "This part of every group",
               "各层抽取比例"},
    [LEAST] = {"least", DATA_INTEGER, 0, 1e9, 1, NULL, "records",
               "So many of every group at least, while it has them", "每层至少抽取的条数"},
};

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    (void)why;
    groups_note(call, record, call->args[BY].text, 17, note);
    return ERR_OK;
}

/* Places are given by running sums, so that the
 * whole is as large as asked and no group is off by one. */
static void bound_groups(struct groups *groups, double share, size_t least)
{
    double before = 0;
    for (size_t i = 0, end; i < groups->n; i = end) {
        end = groups_end(groups, i);
        double after = before + share * (double)(end - i);
        size_t k = (size_t)(floor(after + 0.5) - floor(before + 0.5));
        before = after;
        k = k < least ? least : k;
        k = k < end - i ? k : end - i;
        groups->all[i].number = k == end - i ? UINT64_MAX : k ? groups->all[i + k - 1].number : 0;
    }
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct groups groups;
    enum err err = groups_read(whole, &groups, why);
    (void)made;
    if (err)
        return err;
    double share = args[COUNT].number > 0 ? args[COUNT].number / (double)(groups.n ? groups.n : 1)
                                          : args[SHARE].number;
    bound_groups(&groups, share < 1 ? share : 1, (size_t)args[LEAST].number);
    return groups_keep(whole, &groups, why);
}

const struct data_op data_op_stratify = {
    .name = "stratify",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Sample so that every group (label, source, year) keeps its share",
    .summary_zh = "分层抽样，各层（标签、来源、年份）保持原有比例",
    .source =
        "proportional stratified sampling, Neyman 1934, doi:10.2307/2342192; places by running "
        "sums are ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .note_bytes = sizeof(struct groups_note),
    .note = note,
    .decide = decide,
    .drops = "not in the sample of its group",
};
