/* fields: members renamed and removed. */
#include "core/arena.h"
#include "data/op.h"

enum { RENAME, REMOVE, ONLY };
static const struct data_param params[] = {
    [RENAME] = {"rename", DATA_STRINGS, 0, 200, 0, "", "", "Each \"old=>new\"",
                "每项为“旧名=>新名”"},
    [REMOVE] = {"remove", DATA_STRINGS, 0, 200, 0, "", "", "Members to remove", "去掉的字段"},
    [ONLY] = {"only", DATA_STRINGS, 0, 200, 0, "", "", "Members to keep; empty: all",
              "只保留的字段；为空则全部保留"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    *made = NULL;
    for (size_t i = 0; i < p->args[RENAME].n; i++) {
        struct str one = p->args[RENAME].list[i];
        size_t at = str_find(one, STR("=>"));
        if (at == STR_NPOS || !at || at + 2 == one.len || str_eq_c(str_slice(one, 0, at), "id") ||
            str_eq_c(str_from(one, at + 2), "id"))
            return err_set(why, ERR_INVALID, "\"rename\" %zu is not \"old=>new\"", i + 1);
    }
    return ERR_OK;
}

static bool in(const struct data_arg *list, struct str name)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(list->list[i], name))
            return true;
    return false;
}

static enum err rename_one(struct record *record, struct str one, struct why *why)
{
    size_t at = str_find(one, STR("=>"));
    char *old = str_z(record->arena, str_slice(one, 0, at)),
         *fresh = str_z(record->arena, str_from(one, at + 2));
    if (!old || !fresh)
        return err_set(why, ERR_NO_MEMORY, "could not rename a member");
    struct str raw = record_raw(record, old);
    if (!raw.ptr)
        return ERR_OK;
    if (record_raw(record, fresh).ptr)
        return err_set(why, ERR_INVALID, "the record has \"%s\" already", fresh);
    for (size_t i = 0; i < record->n; i++) /* in its place, so that the order stays */
        if (record->members[i].raw.ptr && str_eq_c(record->members[i].key, old))
            record->members[i].key = str_c(fresh);
    record->changed = true;
    return ERR_OK;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    enum err err = ERR_OK;
    (void)out;
    for (size_t i = 0; !err && i < call->args[RENAME].n; i++)
        err = rename_one(record, call->args[RENAME].list[i], why);
    for (size_t i = 0; !err && i < record->n; i++) {
        struct record_member *m = &record->members[i];
        bool gone = in(&call->args[REMOVE], m->key) ||
                    (call->args[ONLY].n && !in(&call->args[ONLY], m->key));
        if (!m->raw.ptr || !gone || str_eq_c(m->key, "id"))
            continue;
        m->raw = STR_NONE;
        record->changed = true;
    }
    return err ? err : record_check(record, call->kind, why);
}

const struct data_op data_op_fields = {
    .name = "fields",
    .version = 1,
    .group = DATA_SHAPE,
    .summary = "Rename, remove or keep members of records; the id always stays",
    .summary_zh = "重命名、去掉或只保留部分字段，id 始终保留",
    .source = "ours",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
