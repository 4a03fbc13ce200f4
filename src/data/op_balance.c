/* balance: no group larger than it should be. */
#include "data/groups.h"

enum { BY, MOST, TIMES };
static const struct data_param params[] = {
    [BY] = {"by", DATA_STRING, 0, 200, 0, "label", "",
            "Path of the value that makes the groups; \"source\" is the source",
            "分组依据的字段路径，source 表示来源"},
    [MOST] = {"most", DATA_INTEGER, 0, 1e12, 0, NULL, "records",
              "So many of each group; 0: see times", "每组最多条数；0 表示按倍数"},
    [TIMES] = {"times", DATA_NUMBER, 1, 1e6, 1, NULL, "", "So many times the smallest group",
               "最多为最小组的多少倍"},
};

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    (void)why;
    groups_note(call, record, call->args[BY].text, 3, note);
    return ERR_OK;
}

static void bound_groups(struct groups *groups, const struct data_arg *args)
{
    size_t least = groups->n, most = (size_t)args[MOST].number;
    for (size_t i = 0, end; i < groups->n; i = end) {
        end = groups_end(groups, i);
        least = end - i < least ? end - i : least;
    }
    if (!most)
        most = (size_t)((double)least * args[TIMES].number);
    for (size_t i = 0, end; i < groups->n; i = end) {
        end = groups_end(groups, i);
        groups->all[i].number = end - i <= most ? UINT64_MAX : groups->all[i + most - 1].number;
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
    bound_groups(&groups, args);
    return groups_keep(whole, &groups, why);
}

const struct data_op data_op_balance = {
    .name = "balance",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Cut groups (labels, sources, years) down to a size, chosen by chance",
    .summary_zh = "按标签、来源等分组，限制每组条数使之均衡",
    .source = "random undersampling, He and Garcia 2009, doi:10.1109/TKDE.2008.239",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .note_bytes = sizeof(struct groups_note),
    .note = note,
    .decide = decide,
    .drops = "its group has enough",
};
