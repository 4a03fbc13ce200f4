/* balance: no group larger than it should be. */
#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "data/field.h"
#include "data/op.h"
#include "data/pick.h"

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

struct one {
    uint64_t group, number;
};

static enum err note(const struct data_call *call, struct record *record, struct buf *note,
                     struct why *why)
{
    struct str value = field_text(record, call->args[BY].text);
    struct one one = {hash64(value.ptr, value.len, value.ptr ? 1 : 2),
                      pick_number(call, record->id, 3)};
    (void)why;
    buf_add(note, (struct str){(const char *)&one, sizeof one});
    return ERR_OK;
}

static int by_group(const void *a, const void *b)
{
    const struct one *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* The end of the group that begins at i. */
static size_t group_end(const struct one *all, size_t n, size_t i)
{
    size_t k = i;
    while (k < n && all[k].group == all[i].group)
        k++;
    return k;
}

/* Leaves in each group's first place the bound of its numbers. */
static void bound_groups(struct one *all, size_t n, const struct data_arg *args)
{
    size_t least = n, most = (size_t)args[MOST].number;
    for (size_t i = 0, end; i < n; i = end) {
        end = group_end(all, n, i);
        least = end - i < least ? end - i : least;
    }
    if (!most)
        most = (size_t)((double)least * args[TIMES].number);
    for (size_t i = 0, end; i < n; i = end) {
        end = group_end(all, n, i);
        all[i].number = end - i <= most ? UINT64_MAX : all[i + most - 1].number;
    }
}

/* The first of the group in the sorted list. */
static const struct one *find(const struct one *all, size_t n, uint64_t group)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (all[mid].group < group)
            low = mid + 1;
        else
            high = mid;
    }
    return &all[low];
}

static enum err decide(const struct data_whole *whole, const struct data_arg *args,
                       const void *made, struct why *why)
{
    size_t n = (size_t)whole->n;
    struct one *all = malloc((n + 1) * sizeof *all);
    enum err err = ERR_OK;
    (void)made;
    if (!all || n * sizeof *all > whole->memory) {
        free(all);
        return err_set(why, ERR_NO_MEMORY, "%zu records are too many to balance", n);
    }
    for (size_t i = 0; i < n; i++)
        memcpy(&all[i], data_note(whole, i).ptr, sizeof *all);
    qsort(all, n, sizeof *all, by_group);
    bound_groups(all, n, args);
    for (size_t i = 0; !err && i < n; i++) {
        struct one one;
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        bool stays = one.number <= find(all, n, one.group)->number;
        err = data_verdict(whole, stays ? STR("") : STR("d"), why);
    }
    free(all);
    return err;
}

static enum err apply(const struct data_call *call, struct record *record, struct str verdict,
                      struct data_out *out, struct why *why)
{
    (void)call, (void)record, (void)verdict, (void)why;
    data_drop(out, "its group has enough");
    return ERR_OK;
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
    .note_bytes = sizeof(struct one),
    .note = note,
    .decide = decide,
    .apply = apply,
};
