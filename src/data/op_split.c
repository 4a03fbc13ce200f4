/* split: into parts for training and testing, without a group in two of them. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "data/field.h"
#include "data/op.h"
#include "data/pick.h"

enum { VALID, TEST, BY };
static const struct data_param params[] = {
    [VALID] = {"valid", DATA_NUMBER, 0, 0.9, 0.05, NULL, "", "Share of records for validation",
               "验证集比例"},
    [TEST] = {"test", DATA_NUMBER, 0, 0.9, 0.05, NULL, "", "Share of records for testing",
              "测试集比例"},
    [BY] = {"by", DATA_STRING, 0, 200, 0, "source", "",
            "Records with the same value at this path stay together; empty: each for itself",
            "此字段相同的记录分在同一部分；为空则逐条划分"},
};

struct one {
    uint64_t group; /* a random number of the group, the same for all of it */
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    *made = NULL;
    if (p->args[VALID].number + p->args[TEST].number < 1)
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"valid\" and \"test\" leave nothing for training");
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct str path = call->args[BY].text;
    struct str value = path.len ? field_text(record, path) : record->id;
    struct one one = {pick_number(call, value.ptr ? value : record->id, 5)};
    (void)why;
    buf_add(note, (struct str){(const char *)&one, sizeof one});
    return ERR_OK;
}

static int by_group(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    return x->group < y->group ? -1 : x->group > y->group;
}

/* Groups in random order: the first that fill the test set, then the validation set. *test and
 * *valid get the last group of each; a group that would overfill by more than half of itself goes
 * on to the next part. */
static void fill(const struct one *all, size_t n, const struct data_arg *args, uint64_t *test,
                 uint64_t *valid)
{
    double want_test = args[TEST].number * (double)n,
           want_valid = want_test + args[VALID].number * (double)n;
    *test = *valid = 0;
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && all[end].group == all[i].group; end++)
            ;
        double middle = (double)(i + end) / 2;
        if (middle <= want_test)
            *test = all[i].group;
        if (middle <= want_valid)
            *valid = all[i].group;
    }
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    size_t n = (size_t)whole->n;
    struct one *all = malloc((n + 1) * sizeof *all);
    uint64_t test, valid;
    enum err err = ERR_OK;
    (void)made;
    if (!all || n * sizeof *all > whole->memory) {
        free(all);
        return err_set(why, ERR_NO_MEMORY, "%zu records are too many to split", n);
    }
    for (size_t i = 0; i < n; i++)
        memcpy(&all[i], data_note(whole, i).ptr, sizeof *all);
    qsort(all, n, sizeof *all, by_group);
    fill(all, n, args, &test, &valid);
    free(all);
    for (size_t i = 0; !err && i < n; i++) {
        struct one one;
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        err = data_verdict(whole,
                           one.group <= test    ? STR("test")
                           : one.group <= valid ? STR("valid")
                                                : STR("train"),
                           why);
    }
    return err;
}

static enum err apply(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why)
{
    (void)call, (void)out;
    struct str before = record_str(record, "split");
    if (before.ptr && str_eq(before, verdict))
        return ERR_OK;
    return record_set_str(record, "split", verdict, why);
}

const struct data_op data_op_split = {
    .name = "split",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Write \"split\": train, valid or test into every record, a group never into two",
    .summary_zh = "划分训练、验证、测试集，同一组记录不跨集合",
    .source = "group-wise splitting as GroupShuffleSplit of scikit-learn, Pedregosa et al. 2011; "
              "whole groups by size is ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .note_bytes = sizeof(struct one),
    .note = note,
    .decide = decide,
    .apply = apply,
};
