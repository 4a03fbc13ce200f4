/* sample: so many records by chance. */
#include <stdlib.h>
#include <string.h>

#include "data/op.h"
#include "data/pick.h"

enum { COUNT, SHARE };
static const struct data_param params[] = {
    [COUNT] = {"count", DATA_INTEGER, 0, 1e12, 0, NULL, "records", "So many; 0: by the share",
               "抽取条数；0 表示按比例"},
    [SHARE] = {"share", DATA_NUMBER, 0, 1, 0.1, NULL, "", "This part of all, rounded",
               "抽取比例，四舍五入"},
};

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    uint64_t number = pick_number(call, record->id, 1);
    (void)why;
    buf_add(note, (struct str){(const char *)&number, sizeof number});
    return ERR_OK;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    double want =
        args[COUNT].number > 0 ? args[COUNT].number : args[SHARE].number * (double)whole->n + 0.5;
    size_t k = want < (double)whole->n ? (size_t)want : (size_t)whole->n;
    uint64_t *numbers = malloc((size_t)(whole->n + 1) * sizeof *numbers);
    enum err err = ERR_OK;
    (void)made;
    if (!numbers || whole->n * sizeof *numbers > whole->memory) {
        free(numbers);
        return err_set(why, ERR_NO_MEMORY, "%llu records are too many to sample from",
                       (unsigned long long)whole->n);
    }
    for (uint64_t i = 0; i < whole->n; i++)
        memcpy(&numbers[i], data_note(whole, i).ptr, sizeof *numbers);
    uint64_t bound = pick_bound(numbers, (size_t)whole->n, k);
    free(numbers);
    for (uint64_t i = 0; !err && i < whole->n; i++) {
        uint64_t number;
        memcpy(&number, data_note(whole, i).ptr, sizeof number);
        err = data_verdict(whole, number <= bound ? STR("") : STR("d"), why);
    }
    return err;
}

const struct data_op data_op_sample = {
    .name = "sample",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Keep a number or a share of the records, chosen by chance with the pipeline's seed",
    .summary_zh = "按条数或比例随机抽样，种子取自流水线",
    .source = "bottom-k sampling by hashed ids, Cohen and Kaplan 2007, doi:10.1145/1281100.1281133",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .note_bytes = 8,
    .note = note,
    .decide = decide,
    .drops = "not in the sample",
};
