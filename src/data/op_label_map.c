/* label_map: labels merged, renamed, or dropped when they are not wanted. */
#include "core/arena.h"
#include "data/field.h"
#include "data/put.h"
#include "data/op.h"

enum { PATH, MAP, OTHERS };
static const struct data_param params[] = {
    [PATH] = {"path", DATA_STRING, 0, 200, 0, "label", "", "Path of the label", "标签所在字段"},
    [MAP] = {"map", DATA_STRINGS, 0, 10000, 0, NULL, "",
             "Each \"old=>new\"; \"old\" alone keeps it; \"old=>\" drops the record",
             "每项为“旧标签=>新标签”，只写“旧标签”为保留，“旧标签=>”为丢弃该记录"},
    [OTHERS] = {"others", DATA_CHOICE, 0, 0, 0, "keep|drop|fail", "",
                "What becomes of records with labels that are not in the list",
                "标签不在列表中的记录的处理"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct data_arg *map = &p->args[MAP];
    *made = NULL;
    enum err err = put_check(p->args[PATH].text, why);
    for (size_t i = 0; !err && i < map->n; i++) {
        size_t at = str_find(map->list[i], STR("=>"));
        if (!map->list[i].len || at == 0)
            err = err_set(why, ERR_INVALID, "\"map\" %zu names no label", i + 1);
        for (size_t k = 0; !err && k < i; k++)
            if (str_eq(str_slice(map->list[k], 0, str_find(map->list[k], STR("=>"))),
                       str_slice(map->list[i], 0, at)))
                err = err_set(why, ERR_INVALID, "\"map\" %zu and %zu are about the same label",
                              k + 1, i + 1);
    }
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct data_arg *map = &call->args[MAP];
    struct str path = call->args[PATH].text, label = field_text(record, path);
    if (!label.ptr)
        return err_set(why, ERR_INVALID, "the record has no label at \"%.*s\"", STR_FMT(path));
    for (size_t i = 0; i < map->n; i++) {
        size_t at = str_find(map->list[i], STR("=>"));
        if (!str_eq(str_slice(map->list[i], 0, at), label))
            continue;
        struct str to = at == STR_NPOS ? label : str_from(map->list[i], at + 2);
        if (!to.len)
            data_drop(out, "its label is %.*s", STR_FMT(label));
        return to.len && !str_eq(to, label) ? put_str(record, path, to, why) : ERR_OK;
    }
    if (call->args[OTHERS].number == 1)
        data_drop(out, "its label is %.*s", STR_FMT(label));
    return call->args[OTHERS].number == 2
               ? err_set(why, ERR_INVALID, "the label \"%.*s\" is not in the list", STR_FMT(label))
               : ERR_OK;
}

const struct data_op data_op_label_map = {
    .name = "label_map",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Rename and merge labels, and drop or refuse those that are not wanted",
    .summary_zh = "标签改名、合并，丢弃或拒绝不需要的标签",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
