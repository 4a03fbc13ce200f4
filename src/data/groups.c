#include "data/groups.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"
#include "data/field.h"
#include "data/pick.h"

void groups_note(const struct data_call *call, const struct record *record, struct str path,
                 uint64_t salt, struct buf *note)
{
    struct str value = field_text(record, path);
    struct groups_note one = {hash64(value.ptr, value.len, value.ptr ? 1 : 2),
                              pick_number(call, record->id, salt)};
    buf_add(note, (struct str){(const char *)&one, sizeof one});
}

static int compare(const void *a, const void *b)
{
    const struct groups_note *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

enum err groups_read(const struct data_whole *whole, struct groups *out, struct why *why)
{
    size_t n = (size_t)whole->n, size = sizeof *out->all;
    struct groups_note *all = n * size <= whole->memory ? malloc((n + 1) * size) : NULL;
    if (!all)
        return err_set(why, ERR_NO_MEMORY, "%zu records are too many to group", n);
    for (size_t i = 0; i < n; i++)
        memcpy(&all[i], data_note(whole, i).ptr, size);
    if (n)
        qsort(all, n, size, compare);
    *out = (struct groups){all, n};
    return ERR_OK;
}

void groups_release(struct groups *groups)
{
    free(groups->all);
}

size_t groups_end(const struct groups *groups, size_t from)
{
    size_t i = from;
    while (i < groups->n && groups->all[i].group == groups->all[from].group)
        i++;
    return i;
}

size_t groups_find(const struct groups *groups, uint64_t group)
{
    size_t low = 0, high = groups->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (groups->all[mid].group < group)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

enum err groups_keep(const struct data_whole *whole, struct groups *groups, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < groups->n; i++) {
        struct groups_note one;
        memcpy(&one, data_note(whole, i).ptr, sizeof one);
        bool stays = one.number <= groups->all[groups_find(groups, one.group)].number;
        err = data_verdict(whole, stays ? STR("") : STR("d"), why);
    }
    groups_release(groups);
    return err;
}
