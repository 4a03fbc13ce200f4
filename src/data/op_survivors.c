/* survivors: of clusters that were marked (near.h, mode "mark"), those stay that somebody chose. */
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/map.h"
#include "data/field.h"
#include "data/op.h"
#include "data/put.h"

enum { FIELD, CHOSEN, KEEP_MARK };
static const struct data_param params[] = {
    [FIELD] = {"field", DATA_STRING, 0, 200, 0, "duplicates", "", "Where the mark stands",
               "标记所在字段"},
    [CHOSEN] = {"chosen", DATA_STRINGS, 0, 10000, 0, "", "",
                "Each \"cluster=>id\": of that cluster this record stays; \"cluster=>\": all stay. "
                "Of the others, who was marked to stay",
                "每项为“簇=>记录编号”，该簇改留这条；“簇=>”为该簇全部保留；其余的簇按标记保留"},
    [KEEP_MARK] = {"keep_mark", DATA_FLAG, 0, 0, 0, NULL, "", "The mark stays in the record",
                   "保留标记字段"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct data_arg *chosen = &p->args[CHOSEN];
    struct map *map = arena_one(p->arena, struct map);
    enum err err = put_check(p->args[FIELD].text, why);
    if (!err && !map)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the choices");
    if (!err)
        map_init(map, p->arena);
    for (size_t i = 0; !err && i < chosen->n; i++) {
        size_t at = str_find(chosen->list[i], STR("=>"));
        bool fresh = true;
        if (at == STR_NPOS || at == 0)
            return err_set(why, ERR_INVALID, "\"chosen\" %zu is not \"cluster=>id\"", i + 1);
        struct map_entry *entry = map_put(map, str_slice(chosen->list[i], 0, at), &fresh);
        if (!entry)
            err = err_set(why, ERR_NO_MEMORY, "could not hold the choices");
        else if (!fresh)
            err = err_set(why, ERR_INVALID, "\"chosen\" %zu is about a cluster that was named",
                          i + 1);
        else
            entry->value.u = i;
    }
    *made = map;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    const struct data_arg *args = call->args;
    const struct json *mark;
    struct str raw = field_raw(record, args[FIELD].text);
    if (!raw.len)
        return ERR_OK; /* alike to none */
    enum err err = json_parse(raw, record->arena, &mark, why);
    if (err)
        return err;
    struct str cluster = json_get_str(mark, "cluster", STR(""));
    if (!cluster.len)
        return err_set(why, ERR_INVALID, "\"%.*s\" holds no mark of a cluster",
                       STR_FMT(args[FIELD].text));
    const struct map_entry *choice = map_find(call->made, cluster);
    bool stays = json_get_bool(mark, "keep", false);
    struct str id = cluster; /* of who stays */
    if (choice) {
        struct str words = args[CHOSEN].list[choice->value.u];
        id = str_from(words, str_find(words, STR("=>")) + 2);
        stays = !id.len || str_eq(id, record->id);
    }
    if (!stays) {
        data_drop(out, "like %.*s, which stays", STR_FMT(id));
        return ERR_OK;
    }
    return args[KEEP_MARK].number > 0 ? ERR_OK : put_raw(record, args[FIELD].text, STR_NONE, why);
}

const struct data_op data_op_survivors = {
    .name = "survivors",
    .version = 1,
    .group = DATA_DEDUP,
    .summary = "Of clusters that were marked as near duplicates, keep the record that was chosen",
    .summary_zh = "对已标记的近似重复簇，只保留人工选定的一条，未选的按标记保留",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
