/*
 * knowledge/fields - the fields of a service guide under one set of names.
 *
 * Records come with Chinese labels, with the column names of provincial databases or with snake
 * case; what they hold is the same. fields.def lists the canonical names and, for each, the names
 * it goes by. Pure.
 */
#ifndef KNOWLEDGE_FIELDS_H
#define KNOWLEDGE_FIELDS_H

#include "core/str.h"

struct field_kind {
    const char *name;  /* "phone": stored in passages, stable */
    const char *label; /* "咨询电话" */
    bool telling;      /* residents ask for it; two of these make a record a service guide */
};

/* The kind of a field by its name and (for names that mean two things) its value; NULL when the
 * name is not known. */
const struct field_kind *field_find(struct str name, struct str value);

/* By canonical name; NULL when there is none. */
const struct field_kind *field_named(const char *name);

/* All kinds, in the order of fields.def. */
const struct field_kind *field_all(size_t *n);

/* Whether the value says nothing: empty, 无, null, -, 暂无, 详见... */
bool field_is_empty(struct str value);

#endif
