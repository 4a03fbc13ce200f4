/* pii_spans: personal data as spans, for people to look at and for training taggers. */
#include "core/json.h"
#include "core/utf8.h"
#include "data/pii.h"

static const struct data_param params[] = {
    PII_PARAM_ROWS(0),
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct pii *pii;
    enum err err = pii_prepare(p, 0, false, &pii, why);
    *made = pii;
    return err;
}

/* Places in characters, as records count them. */
static void put_spans(struct str text, const struct privacy_findings *found, struct json_out *out)
{
    size_t chars = 0, at = 0;
    json_begin_array(out);
    for (size_t i = 0; i < found->n; i++) {
        const struct privacy_finding *f = &found->items[i];
        chars += utf8_count(str_slice(text, at, f->start));
        at = f->start;
        json_begin_object(out);
        json_kv_int(out, "start", (int64_t)chars);
        json_kv_int(out, "end", (int64_t)(chars + utf8_count(str_slice(text, f->start, f->end))));
        json_kv_c(out, "label", privacy_kind_name(f->kind));
        json_end_object(out);
    }
    json_end_array(out);
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct privacy_findings found = {0};
    struct str text = record_str(record, "text");
    struct buf buf;
    struct json_out json;
    (void)out;
    if (!text.ptr)
        return err_set(why, ERR_INVALID, "the record has no \"text\"");
    enum err err = pii_scan(call, text, STR(""), &found, why);
    if (err)
        return err;
    buf_init(&buf, call->arena);
    json_out_init(&json, &buf);
    put_spans(text, &found, &json);
    err = buf_err(&buf, why);
    return err ? err : record_set_raw(record, "spans", buf_str(&buf), why);
}

const struct data_op data_op_pii_spans = {
    .name = "pii_spans",
    .version = 1,
    .group = DATA_PRIVACY,
    .summary = "Mark personal data in texts as spans, in place of the spans that were there",
    .summary_zh = "把文本中的个人信息标成片段，供人工复核和训练",
    .source = "room privacy",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_KIND(RECORD_TEXT) | DATA_KIND(RECORD_SPANS),
    .gives = RECORD_SPANS,
    .prepare = prepare,
    .record = record,
};
