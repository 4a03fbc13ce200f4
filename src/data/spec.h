/*
 * data/spec - the arguments of one operator from a step's JSON object, checked.
 */
#ifndef DATA_SPEC_H
#define DATA_SPEC_H

#include "core/json.h"
#include "data/op.h"

/* The values of op->params in their order, defaults filled in, in `arena`. Members "op" and "on"
 * are passed over; any other that is no parameter is refused with the nearest that is.
 *   Errors  ERR_INVALID names the parameter, the value and what it may be; ERR_NO_MEMORY */
ERR_MUST_USE enum err spec_args(const struct data_op *op, const struct json *step,
                                struct arena *arena, struct data_arg **out, struct why *why);

/* "did you mean": adds the nearest of the names as advice when one is near enough. */
void spec_hint_op(struct why *why, struct str name);

#endif
