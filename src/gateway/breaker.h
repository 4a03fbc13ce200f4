/*
 * gateway/breaker - upstreams that fail are left alone for a while.
 *
 * Place in the room: exchange -> [breaker]. One breaker a target id. Closed: calls pass. After
 * BREAKER_FAILURES in a row, or half of the last BREAKER_WINDOW, it opens for BREAKER_FIRST_MS,
 * doubled each time up to BREAKER_MOST_MS. Then it is half open: one call at a time probes; its
 * success closes, its failure opens again. From any thread.
 *
 *   Source  Nygard 2018, Release It!, ch. 5; the numbers are ours
 */
#ifndef GATEWAY_BREAKER_H
#define GATEWAY_BREAKER_H

#include "core/str.h"

#define BREAKER_FAILURES 5
#define BREAKER_WINDOW   20
#define BREAKER_FIRST_MS 2000
#define BREAKER_MOST_MS  60000

struct breakers;

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breakers *breakers_new(void); /* NULL without memory */
void breakers_free(struct breakers *breakers);

/* Whether a call may go there now. True in the half open state claims the probe: breaker_tell() or
 * breaker_forget() must follow. */
bool breaker_allows(struct breakers *breakers, struct str id, int64_t now_ms);
void breaker_tell(struct breakers *breakers, struct str id, bool ok, int64_t now_ms);
/* The call that was allowed says nothing of the target (it was cancelled, or never made). */
void breaker_forget(struct breakers *breakers, struct str id);
/* When it may be tried again, in milliseconds from now; 0: now. */
int64_t breaker_wait_ms(struct breakers *breakers, struct str id, int64_t now_ms);
enum breaker_state breaker_state(struct breakers *breakers, struct str id, int64_t now_ms);

#endif
