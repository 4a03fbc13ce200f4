/*
 * data/put - writing a value at a path of a record: "label", "meta.year", "row.金额". Two levels at
 * most; the object is made when it is missing.
 */
#ifndef DATA_PUT_H
#define DATA_PUT_H

#include "data/record.h"

/* "name" or "object.name", not "id", no lists. ERR_INVALID. */
ERR_MUST_USE enum err put_check(struct str path, struct why *why);
/* `raw` is JSON; ptr NULL removes the member. ERR_INVALID when what should be an object is none. */
ERR_MUST_USE enum err put_raw(struct record *record, struct str path, struct str raw,
                              struct why *why);
ERR_MUST_USE enum err put_str(struct record *record, struct str path, struct str value,
                              struct why *why);
/* With up to `decimals` digits behind the point; what is not finite is null. */
ERR_MUST_USE enum err put_number(struct record *record, struct str path, double value, int decimals,
                                 struct why *why);

#endif
