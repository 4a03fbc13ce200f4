/* top: the records with the greatest or the smallest numbers in a field. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/field.h"
#include "data/op.h"
#include "data/pick.h"

enum { PATH, COUNT, SHARE, ORDER };
static const struct data_param params[] = {
    [PATH] = {"path", DATA_STRING, 1, 200, 0, NULL, "", "Path of the number: meta.quality",
              "数值所在字段，如 meta.quality"},
    [COUNT] = {"count", DATA_INTEGER, 0, 1e12, 0, NULL, "records", "So many; 0: by the share",
               "保留条数；0 表示按比例"},
    [SHARE] = {"share", DATA_NUMBER, 0, 1, 0.5, NULL, "", "This part of all, rounded", "保留比例"},
    [ORDER] = {"order", DATA_CHOICE, 0, 0, 0, "greatest|smallest", "",
               "Which stay; records without a number stay last",
               "保留数值最大或最小的；无数值的排在最后"},
};

struct one {
    uint64_t key;    /* smaller is better */
    uint64_t number; /* by chance, for equals */
};

/* The order of doubles as that of unsigned integers. */
static uint64_t ordered(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct str value = field_text(record, call->args[PATH].text);
    struct one one = {UINT64_MAX, pick_number(call, record->id, 11)};
    double x;
    (void)why;
    if (value.ptr && str_to_f64(str_trim(value), &x) && isfinite(x))
        one.key = ordered((call->args[ORDER].number > 0 ? x : -x) + 0.0); /* -0 is 0 */
    buf_add(note, (struct str){(const char *)&one, sizeof one});
    return ERR_OK;
}

static int compare(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    size_t n = (size_t)whole->n;
    double want =
        args[COUNT].number > 0 ? args[COUNT].number : args[SHARE].number * (double)n + 0.5;
    size_t k = want < (double)n ? (size_t)want : n;
    struct one *all = n * sizeof *all <= whole->memory ? malloc((n + 1) * sizeof *all) : NULL;
    enum err err = ERR_OK;
    (void)made;
    if (!all)
        return err_set(why, ERR_NO_MEMORY, "%zu records are too many to choose from", n);
    for (size_t i = 0; i < n; i++)
        memcpy(&all[i], data_note(whole, i).ptr, sizeof *all);
    if (n)
        qsort(all, n, sizeof *all, compare);
    struct one bound = k ? all[k - 1] : (struct one){0, 0};
    free(all);
    for (size_t i = 0; !err && i < n; i++) {
        struct one one;
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        err = data_verdict(whole, k && compare(&one, &bound) <= 0 ? STR("") : STR("d"), why);
    }
    return err;
}

const struct data_op data_op_top = {
    .name = "top",
    .version = 1,
    .group = DATA_SELECT,
    .summary = "Keep the records with the greatest or smallest numbers in a field",
    .summary_zh = "保留某数值字段最大或最小的若干条记录",
    .source = "topk_specified_field_selector of Data-Juicer, arXiv:2309.02033",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_WHOLE,
    .gives = DATA_SAME_KIND,
    .note_bytes = sizeof(struct one),
    .note = note,
    .decide = decide,
    .drops = "others are before it",
};
