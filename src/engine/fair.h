/*
 * engine/fair - who is next: a counter of tokens served for each key that has requests inside.
 *
 * The virtual token counter of Sheng et al. 2024, "Fairness in Serving Large Language Models",
 * arXiv:2401.00588: the key with the smallest counter is served; one that comes back after an
 * absence is lifted to the smallest counter of those inside, so that idleness earns no credit. Not
 * for use by two threads at once.
 */
#ifndef ENGINE_FAIR_H
#define ENGINE_FAIR_H

#include "core/str.h"

#define FAIR_WRITTEN 2 /* a written token counts twice a read one, as in the paper */

struct fair_key {
    uint64_t hash;
    uint64_t served; /* tokens, weighted */
    uint32_t inside; /* requests waiting or running */
};

struct fair {
    struct fair_key *keys; /* cap of them; those with inside == 0 may be given away */
    size_t n, cap;
};

/* Room for as many keys as there can be requests inside. */
ERR_MUST_USE enum err fair_init(struct fair *fair, size_t cap, struct why *why);
void fair_release(struct fair *fair);

/* A request of `key` comes in; the place that the other calls take. There is always one while no
 * more than `cap` requests are inside. */
size_t fair_enter(struct fair *fair, struct str key);
void fair_leave(struct fair *fair, size_t place);
void fair_charge(struct fair *fair, size_t place, uint64_t tokens);
uint64_t fair_served(const struct fair *fair, size_t place);

#endif
