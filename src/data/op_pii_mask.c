/* pii_mask: personal data out of every text, something else in its place. */
#include "core/arena.h"
#include "data/pii.h"

enum { MODE = PII_PARAMS };
static const struct data_param params[] = {
    PII_PARAM_ROWS(0),
    [MODE] = {"mode", DATA_CHOICE, 0, 0, PRIVACY_MODE_PARTIAL, "remove|partial|pseudonym|vault", "",
              "What stands in its place: nothing; a part of it (138****5678); another value that "
              "is nobody's, the same for the same; a token that can be revealed with papers",
              "替换方式：删除；部分遮盖（138****5678）；一致化名（同值同名，不对应任何真人）；"
              "保险库令牌（经授权并留痕可还原）"},
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct pii *pii;
    enum privacy_mode mode = (enum privacy_mode)p->args[MODE].number;
    bool keys = mode == PRIVACY_MODE_PSEUDONYM || mode == PRIVACY_MODE_VAULT;
    enum err err = pii_prepare(p, 0, keys, &pii, why);
    *made = pii;
    return err;
}

static enum err mask_one(const struct data_call *call, const struct record *record,
                         struct record_text *text, struct why *why)
{
    const struct pii *pii = call->made;
    struct privacy_findings found;
    struct buf out;
    enum err err = pii_scan(call, text->value, pii_context(record, text), &found, why);
    if (err || !found.n)
        return err;
    buf_init(&out, call->arena);
    err = privacy_mask(text->value, &found, (enum privacy_mode)call->args[MODE].number, pii->keys,
                       &out, why);
    if (err)
        return err;
    text->value = buf_str(&out);
    text->changed = true;
    return ERR_OK;
}

static enum err record(const struct data_call *call, struct record *record, struct data_out *out,
                       struct why *why)
{
    struct record_text *texts;
    size_t n;
    bool changed = false;
    (void)out;
    enum err err = record_texts(record, call->paths, call->n_paths, &texts, &n, why);
    for (size_t i = 0; !err && i < n; i++) {
        err = mask_one(call, record, &texts[i], why);
        changed = changed || texts[i].changed;
    }
    return err || !changed ? err : record_put_texts(record, texts, n, why);
}

const struct data_op data_op_pii_mask = {
    .name = "pii_mask",
    .version = 1,
    .group = DATA_PRIVACY,
    .summary = "Mask personal data: identity numbers, telephones, names and more, in any dress",
    .summary_zh = "个人信息脱敏：身份证号、电话、姓名等，能识别全角、间隔、汉字数字等写法",
    .source = "numbers by GB 11643, GB 32100, GB/T 2260, ISO/IEC 7812 and others; room privacy",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_RECORD,
    .takes = DATA_ANY_KIND & ~DATA_KIND(RECORD_SPANS), /* it moves what spans point to */
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .record = record,
};
