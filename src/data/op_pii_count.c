/* pii_count: how much personal data of which kind a record holds, as a member of its own. */
#include "core/json.h"
#include "data/pii.h"

enum { MEMBER = PII_PARAMS };
static const struct data_param params[] = {
    PII_PARAM_ROWS(0),
    [MEMBER] = {"member", DATA_STRING, 0, 60, 0, "pii", "", "Where the counts go", "写入的字段名"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct pii *pii;
    struct str member = p->args[MEMBER].text;
    if (!member.len || str_eq_c(member, "id"))
        return err_set(why, ERR_INVALID, "\"member\" is the name of a member, and not \"id\"");
    enum err err = pii_prepare(p, 0, false, &pii, why);
    *made = pii;
    return err;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct record_text *texts;
    size_t n, counts[PRIVACY_KINDS] = {0};
    struct buf buf;
    struct json_out json;
    (void)out;
    enum err err = record_texts(record, call->paths, call->n_paths, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        struct privacy_findings found = {0};
        err = pii_scan(call, texts[i].value, pii_context(record, &texts[i]), &found, why);
        for (size_t k = 0; !err && k < found.n; k++)
            counts[found.items[k].kind]++;
    }
    if (err)
        return err;
    buf_init(&buf, call->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (int k = 0; k < PRIVACY_KINDS; k++)
        if (counts[k])
            json_kv_int(&json, privacy_kind_name((enum privacy_kind)k), (int64_t)counts[k]);
    json_end_object(&json);
    char *member = str_z(call->arena, call->args[MEMBER].text);
    err = buf_err(&buf, why);
    if (!err && !member)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the counts");
    return err ? err : record_set_raw(record, member, buf_str(&buf), why);
}

const struct data_op data_op_pii_count = {
    .name = "pii_count",
    .version = 1,
    .group = DATA_PRIVACY,
    .summary = "Write how much personal data of each kind a record holds",
    .summary_zh = "统计每条记录各类个人信息的数量并写入字段",
    .source = "room privacy",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
