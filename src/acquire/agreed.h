/*
 * acquire/agreed - what people said and agreed to be used: needs the consent that the collector's
 * papers name, and is masked before it becomes a record.
 */
#ifndef ACQUIRE_AGREED_H
#define ACQUIRE_AGREED_H

#include "acquire/acquire_in.h"

struct privacy_scanner;

#define AGREED_PARAMS                                                                              \
    {                                                                                              \
        "mask", PARAM_CHOICE, false, 0, 0, "partial", "partial|remove", "",                        \
            "How personal data is masked", "个人信息的脱敏方式"                           \
    }

/* ERR_INVALID unless the collection record says "consent": true, beside the flag of each item. */
ERR_MUST_USE enum err agreed_begin(struct collect *c, struct privacy_scanner **out,
                                   struct why *why);
ERR_MUST_USE enum err agreed_mask(struct collect *c, const struct privacy_scanner *scanner,
                                  struct str text, struct arena *arena, struct str *out,
                                  struct why *why);

#endif
