/* frequency: records whose value of a field is neither too rare nor too common. */
#include <string.h>

#include "data/groups.h"

enum { BY, LEAST, MOST };
static const struct data_param params[] = {
    [BY] = {"by", DATA_STRING, 1, 200, 0, "label", "", "Path of the value", "统计的字段"},
    [LEAST] = {"least", DATA_INTEGER, 1, 1e12, 1, NULL, "records", "Drop rarer values",
               "出现次数少于此值则丢弃"},
    [MOST] = {"most", DATA_INTEGER, 1, 1e12, 1e12, NULL, "records", "Drop more common values",
              "出现次数多于此值则丢弃"},
};

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    (void)why;
    groups_note(call, record, call->args[BY].text, 13, note);
    return ERR_OK;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    struct groups groups;
    enum err err = groups_read(whole, &groups, why);
    (void)made;
    if (err)
        return err;
    for (size_t i = 0, end; i < groups.n; i = end) { /* each group's first gets its size */
        end = groups_end(&groups, i);
        groups.all[i].number = end - i;
    }
    for (size_t i = 0; !err && i < groups.n; i++) {
        struct groups_note one;
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        double n = (double)groups.all[groups_find(&groups, one.group)].number;
        bool stays = n >= args[LEAST].number && n <= args[MOST].number;
        err = data_verdict(whole, stays ? STR("") : STR("d"), why);
    }
    groups_release(&groups);
    return err;
}

const struct data_op data_op_frequency = {
    .name = "frequency",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Keep records whose value of a field occurs so often: no label with three examples",
    .summary_zh = "按字段取值的出现次数过滤，如去掉样本太少的标签",
    .source = "frequency_specified_field_selector of Data-Juicer, arXiv:2309.02033",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .note_bytes = sizeof(struct groups_note),
    .note = note,
    .decide = decide,
    .drops = "its value is too rare or too common",
};
