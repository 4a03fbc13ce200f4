/* pii_filter: records with much personal data are dropped. */
#include "data/pii.h"

static const struct data_param params[] = {
    DATA_BOUNDS(0, 1e6, 0, 0, "findings"),
    PII_PARAM_ROWS(DATA_OWN),
};

static enum err prepare(const struct data_prepare *p, const void **made, struct why *why)
{
    const struct pii *pii;
    enum err err = pii_prepare(p, DATA_OWN, false, &pii, why);
    *made = pii;
    return err;
}

static enum err measure(const struct data_call *call, struct str in, double *out, struct why *why)
{
    struct privacy_findings found;
    enum err err = pii_scan(call, in, STR(""), &found, why);
    *out = err ? 0 : (double)found.n;
    return err;
}

const struct data_op data_op_pii_filter = {
    .name = "pii_filter",
    .version = 1,
    .group = DATA_PRIVACY,
    .summary = "Drop records with personal data, or with more than so many findings",
    .summary_zh = "丢弃含个人信息（或超过指定处数）的记录",
    .source = "room privacy; as the PII filters of Dolma, arXiv:2402.00159 sec. 4",
    .params = params,
    .n_params = DATA_N_PARAMS(params),
    .effect = DATA_MEASURE,
    .gives = DATA_SAME_KIND,
    .prepare = prepare,
    .measure = measure,
};
