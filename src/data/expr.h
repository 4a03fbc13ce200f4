/*
 * data/expr - a condition over the fields of a record.
 *
 *     condition = term { "or" term }
 *     term      = factor { "and" factor }
 *     factor    = "not" factor | "(" condition ")" | value [ relation value ]
 *     relation  = == != < <= > >= contains starts ends
 *     value     = number | 'text' | "text" | true | false | path | length(path) | exists(path)
 *
 * A path is as in field.h. Two values are compared as numbers when both read as numbers, else as
 * texts bytewise; with a field that is missing only != holds. A value alone holds when it is there
 * and is neither false, 0 nor empty.
 */
#ifndef DATA_EXPR_H
#define DATA_EXPR_H

#include "data/record.h"

struct expr;

/* ERR_INVALID says at which byte and what was expected; at most 200 parts, 32 deep. */
ERR_MUST_USE enum err expr_read(struct str text, struct arena *arena, const struct expr **out,
                                struct why *why);
bool expr_holds(const struct expr *expr, const struct record *record);

#endif
