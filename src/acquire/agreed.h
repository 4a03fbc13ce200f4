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

/* What both collectors hold while they read. */
struct agreed {
    struct collect *c;
    struct privacy_scanner *scanner;
    char key[DATA_SOURCE_KEY];
    char last[UUID_TEXT]; /* the item read last: where the next run goes on */
};

/* ERR_INVALID unless the collection record says "consent": true, beside the flag of each item.
 * Reads what came after the last run: begins the source `uri`, lets `each` read, keeps where it
 * stopped. `each` ends with ERR_CANCELLED when collect_enough(). */
typedef enum err agreed_each(struct agreed *r, struct str after, struct why *why);
ERR_MUST_USE enum err agreed_collect(struct collect *c, struct str uri, agreed_each *each,
                                     struct why *why);

ERR_MUST_USE enum err agreed_mask(struct collect *c, const struct privacy_scanner *scanner,
                                  struct str text, struct arena *arena, struct str *out,
                                  struct why *why);

#endif
