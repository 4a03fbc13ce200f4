/*
 * data/pii - what the operators over personal data share: their parameters, a scanner, keys.
 *
 * Finding and masking are room privacy's; here texts of records are handed to it one by one, with
 * the name of the member or column as what stands before them.
 */
#ifndef DATA_PII_H
#define DATA_PII_H

#include "data/op.h"
#include "privacy/privacy.h"

/* Three parameters, from index `at` on. */
enum { PII_KINDS, PII_LEAST, PII_PUBLIC, PII_PARAMS };
#define PII_PARAM_ROWS(at)                                                                         \
    [(at) + PII_KINDS] = {"kinds",                                                                 \
                          DATA_STRINGS,                                                            \
                          0,                                                                       \
                          40,                                                                      \
                          0,                                                                       \
                          "all",                                                                   \
                          "",                                                                      \
                          "Kinds to look for: mobile, id_number ...; all; numbers (no names and "  \
                          "addresses, at fifty times the speed)",                                  \
                          "要查找的类别，如 mobile、id_number；all 为全部；numbers " \
                          "为除姓名住址外的全部，速度快约五十倍"},                                 \
            [(at) + PII_LEAST] = {"least_confidence",                                              \
                                  DATA_NUMBER,                                                     \
                                  0.01,                                                            \
                                  1,                                                               \
                                  0.6,                                                             \
                                  NULL,                                                            \
                                  "",                                                              \
                                  "Findings below it do not count",                                \
                                  "低于此置信度的结果不计"},                                       \
            [(at) + PII_PUBLIC] = {"public_too",                                                   \
                                   DATA_FLAG,                                                      \
                                   0,                                                              \
                                   1,                                                              \
                                   0,                                                              \
                                   NULL,                                                           \
                                   "",                                                             \
                                   "Also telephones of offices and what else is public",           \
                                   "办公电话等公开信息也算在内"}

struct pii {
    struct privacy_scanner *scanner;
    const struct privacy_keys *keys; /* NULL unless asked for */
};

/* For prepare(). `first` is the index of the first of the three. */
ERR_MUST_USE enum err pii_prepare(const struct data_prepare *p, size_t first, bool keys,
                                  const struct pii **out, struct why *why);
/* What is found in one text of a record; `context` may be empty. */
ERR_MUST_USE enum err pii_scan(const struct data_call *call, struct str text, struct str context,
                               struct privacy_findings *out, struct why *why);
/* The name that a text goes by in its record: the nearest key before it. */
struct str pii_context(const struct record *record, const struct record_text *text);

#endif
