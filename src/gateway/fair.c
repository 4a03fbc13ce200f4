#include "gateway/fair.h"

#include <stdlib.h>
#include <string.h>

#include "core/hash.h"

#define N_BUCKETS  256
#define MOST_LANES 4096 /* beyond, lanes whose tenants are silent go */

struct fair_lane {
    struct fair_lane *next; /* in its bucket */
    unsigned priority;
    int64_t clock; /* cost served, on the class's common scale */
    struct fair_item *first, *last;
    struct fair_lane *before, *after; /* of those with items */
    size_t tenant_len;
    char tenant[];
};

struct class
{
    int64_t clock; /* of what was served last */
    struct fair_lane *waiting;
};

struct fair {
    struct fair_lane *buckets[N_BUCKETS];
    struct class classes[FAIR_PRIORITIES];
    size_t n_lanes, n_items;
};

struct fair *fair_new(void)
{
    return calloc(1, sizeof(struct fair));
}

void fair_free(struct fair *fair)
{
    for (size_t i = 0; fair && i < N_BUCKETS; i++)
        for (struct fair_lane *lane = fair->buckets[i], *next; lane; lane = next) {
            next = lane->next;
            free(lane);
        }
    free(fair);
}

/* Lanes that wait for nothing and have no lead to work off say nothing that a new one would not. */
static void sweep(struct fair *fair)
{
    for (size_t i = 0; i < N_BUCKETS; i++)
        for (struct fair_lane **at = &fair->buckets[i]; *at;) {
            struct fair_lane *lane = *at;
            if (!lane->first && lane->clock <= fair->classes[lane->priority].clock) {
                *at = lane->next;
                free(lane);
                fair->n_lanes--;
            } else {
                at = &lane->next;
            }
        }
}

static struct fair_lane *lane_of(struct fair *fair, struct str tenant, unsigned priority)
{
    uint64_t hash = hash64(tenant.ptr, tenant.len, priority);
    struct fair_lane **at = &fair->buckets[hash % N_BUCKETS];
    for (; *at; at = &(*at)->next)
        if ((*at)->priority == priority && (*at)->tenant_len == tenant.len &&
            memcmp((*at)->tenant, tenant.ptr, tenant.len) == 0)
            return *at;
    if (fair->n_lanes >= MOST_LANES) {
        sweep(fair);
        at = &fair->buckets[hash % N_BUCKETS];
    }
    struct fair_lane *lane = calloc(1, sizeof *lane + tenant.len + 1);
    if (!lane)
        return NULL;
    lane->priority = priority;
    lane->clock = fair->classes[priority].clock;
    lane->tenant_len = tenant.len;
    if (tenant.len)
        memcpy(lane->tenant, tenant.ptr, tenant.len);
    lane->next = *at;
    *at = lane;
    fair->n_lanes++;
    return lane;
}

static void catch_up(struct fair *fair, struct fair_lane *lane)
{
    int64_t now = fair->classes[lane->priority].clock;
    if (lane->clock < now)
        lane->clock = now;
}

static void charge(struct fair *fair, struct fair_lane *lane, int64_t cost)
{
    fair->classes[lane->priority].clock = lane->clock;
    lane->clock += cost > 0 ? cost : 1;
}

bool fair_put(struct fair *fair, struct str tenant, unsigned priority, int64_t cost,
              struct fair_item *item)
{
    struct fair_lane *lane = lane_of(fair, tenant, priority);
    if (!lane)
        return false;
    if (!lane->first) {
        struct class *class = &fair->classes[priority];
        catch_up(fair, lane);
        lane->before = NULL;
        lane->after = class->waiting;
        if (class->waiting)
            class->waiting->before = lane;
        class->waiting = lane;
    }
    *item = (struct fair_item){.lane = lane, .cost = cost, .before = lane->last};
    if (lane->last)
        lane->last->after = item;
    else
        lane->first = item;
    lane->last = item;
    fair->n_items++;
    return true;
}

struct fair_item *fair_first(struct fair *fair)
{
    for (size_t i = 0; i < FAIR_PRIORITIES; i++) {
        struct fair_lane *best = fair->classes[i].waiting;
        for (struct fair_lane *lane = best; lane; lane = lane->after)
            if (lane->clock < best->clock)
                best = lane;
        if (best)
            return best->first;
    }
    return NULL;
}

void fair_drop(struct fair *fair, struct fair_item *item)
{
    struct fair_lane *lane = item->lane;
    if (!lane)
        return;
    *(item->before ? &item->before->after : &lane->first) = item->after;
    *(item->after ? &item->after->before : &lane->last) = item->before;
    item->lane = NULL;
    fair->n_items--;
    if (lane->first)
        return;
    *(lane->before ? &lane->before->after : &fair->classes[lane->priority].waiting) = lane->after;
    if (lane->after)
        lane->after->before = lane->before;
}

void fair_serve(struct fair *fair, struct fair_item *item)
{
    struct fair_lane *lane = item->lane;
    charge(fair, lane, item->cost);
    fair_drop(fair, item);
}

void fair_note(struct fair *fair, struct str tenant, unsigned priority, int64_t cost)
{
    struct fair_lane *lane = lane_of(fair, tenant, priority);
    if (!lane)
        return;
    if (!lane->first)
        catch_up(fair, lane);
    charge(fair, lane, cost);
}

size_t fair_len(const struct fair *fair)
{
    return fair->n_items;
}

void fair_each(struct fair *fair, void (*each)(void *ctx, struct fair_item *item), void *ctx)
{
    for (size_t i = 0; i < FAIR_PRIORITIES; i++)
        for (struct fair_lane *lane = fair->classes[i].waiting, *after; lane; lane = after) {
            after = lane->after;
            for (struct fair_item *item = lane->first, *next; item; item = next) {
                next = item->after;
                each(ctx, item);
            }
        }
}
