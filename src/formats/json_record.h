/*
 * formats/json_record - one JSON value as one record; what json and jsonl share.
 *
 * Nested objects become dotted names, lists of plain values are joined with "；", lists of objects
 * get the position in the name ("materials.2.name"). null becomes an empty value.
 */
#ifndef FORMATS_JSON_RECORD_H
#define FORMATS_JSON_RECORD_H

#include "core/str.h"

struct arena;
struct format_out;
struct json;
struct json_record; /* keeps the names of the last record, so that equal names are stored once */

struct json_record *json_record_new(struct format_out *out); /* NULL without memory */

/* json_parse, and once more with null for the NaN and Infinity that some programs write. */
ERR_MUST_USE enum err json_record_parse(struct str text, struct arena *scratch,
                                        const struct json **value, struct why *why);

/* Adds the value to the document: an object as a record, a list as one too, any other value as a
 * paragraph. `scratch` is for what is needed meanwhile. */
void json_record_add(struct json_record *record, const struct json *value, struct arena *scratch);

/* An arena for trees of `text_bytes` of JSON, freed with out->arena. NULL without memory. */
struct arena *json_record_scratch(struct format_out *out);

#endif
