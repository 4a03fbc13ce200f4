/*
 * data/field - the value at a dotted path of a record, as text: for conditions, groups, templates.
 */
#ifndef DATA_FIELD_H
#define DATA_FIELD_H

#include "data/record.h"

/* "label", "meta.category", "row.所属部门": a text decoded, a number or truth as it is written. ptr
 * NULL when there is none, or it is null, a list or an object. "source" is the key of the source.
 */
struct str field_text(const struct record *record, struct str path);

/* The JSON text of the value at the path; ptr NULL when there is none. */
struct str field_raw(const struct record *record, struct str path);

#endif
