/*
 * gateway/answers - how many answers each version of a model gave, by tenant: the last edge of the
 * lineage, which must outlive the request log and count what the log leaves out.
 *
 * Place in the room: settle.c adds, the thread of record.c writes every few seconds, data's lineage
 * asks by gateway_answered() (gateway.h). A crash loses what came since the last writing, 5 s at
 * most; what was billed stands in the meter.
 */
#ifndef GATEWAY_ANSWERS_H
#define GATEWAY_ANSWERS_H

#include "core/err.h"
#include "core/str.h"

struct answers;
struct store;

struct answers *answers_new(struct store *store); /* `store` outlives it; NULL without memory */
void answers_free(struct answers *answers);       /* what was not written is lost; NULL is fine */

/* One answer of "model:version". Any thread; lock-free once the two were seen. No memory: not
 * counted. */
void answers_add(struct answers *answers, struct str tenant, struct str model, int64_t now_ms);
/* Adds what came since to gateway_answers. One thread at a time. On an error nothing is forgotten.
 */
ERR_MUST_USE enum err answers_write(struct answers *answers, struct why *why);

#endif
