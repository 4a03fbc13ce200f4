/*
 * gateway/fair - who is served next: fair between tenants, with priorities.
 *
 * Place in the room: exchange -> [fair]. Start-time fair queuing over tenants: each tenant has a
 * clock that runs on by the cost of what it was served; the tenant whose clock is behind goes
 * next, in the order it asked. A tenant that was silent starts at the clock of what is served now,
 * so that silence earns no credit. A lower priority waits until no higher one does. No locks.
 *
 *   Source  Goyal, Vin, Cheng 1996, "Start-time Fair Queuing"; costs are tokens, as Sheng et al.
 *           2024, arXiv:2401.00588 count service
 */
#ifndef GATEWAY_FAIR_H
#define GATEWAY_FAIR_H

#include "core/str.h"

#define FAIR_PRIORITIES 3

struct fair;
struct fair_lane;

struct fair_item {          /* lives in what waits; zeroed before the first use */
    struct fair_lane *lane; /* NULL: not waiting */
    int64_t cost;
    struct fair_item *before, *after;
};

struct fair *fair_new(void); /* NULL without memory */
void fair_free(struct fair *fair);

/* Puts `item` behind those of its tenant. priority: 0 first. False without memory. */
bool fair_put(struct fair *fair, struct str tenant, unsigned priority, int64_t cost,
              struct fair_item *item);
/* The next to be served, or NULL. Stays where it is. */
struct fair_item *fair_first(struct fair *fair);
void fair_serve(struct fair *fair,
                struct fair_item *item);                   /* takes it out and charges its tenant */
void fair_drop(struct fair *fair, struct fair_item *item); /* takes it out; fine when not waiting */
/* Charges a tenant that was served without waiting. */
void fair_note(struct fair *fair, struct str tenant, unsigned priority, int64_t cost);
size_t fair_len(const struct fair *fair);
/* Calls each(ctx, item) for every item that waits; it may drop that item. */
void fair_each(struct fair *fair, void (*each)(void *ctx, struct fair_item *item), void *ctx);

#endif
