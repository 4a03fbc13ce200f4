/* Which target takes a call, and who waits for one: arms, weights, stickiness, breakers, fair
 * queues, and the keeper who looks after those that wait. */
#include "gateway/gateway_in.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/time.h"

#define MOST_TARGETS 64 /* of a route that are looked at */
#define TICK_MS      100

/* ---- choosing ---- */

/* Rendezvous hashing with weights: the target with the least score is the same for the same choice
 * as long as it is there, and the others share what it leaves. Schindelhauer and Schomaker 2005,
 * "Weighted Distributed Hash Tables". */
static double score(const struct models_target *target, uint64_t choice)
{
    uint64_t hash = hash64(target->id.ptr, target->id.len, choice);
    double u =
        ((double)(hash >> 11) + 0.5) / 9007199254740992.0; /* 2^53: strictly between 0 and 1 */
    return -log(u) / (double)(target->weight > 0 ? target->weight : 1);
}

size_t arm_of(const struct models_route *route, uint64_t choice)
{
    int64_t at = (int64_t)(hash64(&choice, sizeof choice, 7) % 100);
    for (size_t i = 0; i < route->n_arms; i++) {
        if (at < route->arms[i].share)
            return i;
        at -= route->arms[i].share;
    }
    return 0;
}

static bool tried(const struct exchange *x, const struct models_target *target)
{
    for (size_t i = 0; i < x->n_tried; i++)
        if (str_eq(x->tried[i], target->id))
            return true;
    return false;
}

/* The best of those not looked at yet: of the exchange's arm first, then of the others. */
static size_t next_best(const struct exchange *x, size_t n, size_t arm, uint64_t looked)
{
    size_t best = n;
    double least = 0;
    for (size_t i = 0; i < n; i++) {
        const struct models_target *target = &x->route->targets[i];
        if (looked >> i & 1 || tried(x, target))
            continue;
        double s = score(target, x->choice) + (target->arm == arm ? 0 : 1e9);
        if (best == n || s < least) {
            best = i;
            least = s;
        }
    }
    return best;
}

/* Takes the first that may and can. Without locks of its own: the caller holds the exchange's or,
 * for one that waits, its line's. */
static enum placed choose(struct exchange *x)
{
    struct gateway *gateway = x->gateway;
    const struct models_route *route = x->route;
    size_t n = route->n_targets < MOST_TARGETS ? route->n_targets : MOST_TARGETS;
    size_t arm = arm_of(route, x->choice), i;
    enum placed found = PLACED_NOWHERE;
    int64_t now_ms = time_mono_ns() / 1000000;
    for (uint64_t looked = 0; (i = next_best(x, n, arm, looked)) < n; looked |= (uint64_t)1 << i) {
        const struct models_target *target = &route->targets[i];
        if (target->cold) {
            found = PLACED_LATER;
            continue;
        }
        enum err err = models_busy(target, 1, NULL);
        if (err == ERR_BUSY)
            found = PLACED_LATER;
        if (err)
            continue;
        if (breaker_allows(gateway->breakers, target->id, now_ms)) {
            x->target = target;
            return PLACED;
        }
        (void)models_busy(target, -1, NULL);
    }
    return found;
}

/* ---- lines ---- */

static struct line *line_of(struct gateway *gateway, struct str model)
{
    struct line *line = atomic_load(&gateway->lines);
    for (; line; line = line->next)
        if (str_eq(line->model, model))
            return line;
    pthread_mutex_lock(&gateway->lock);
    for (line = atomic_load(&gateway->lines); line && !str_eq(line->model, model);)
        line = line->next;
    if (!line && (line = arena_one(gateway->arena, struct line))) {
        line->model = str_copy(gateway->arena, model);
        line->fair = line->model.ptr ? fair_new() : NULL;
        pthread_mutex_init(&line->lock, NULL);
        line->next = atomic_load(&gateway->lines);
        if (line->fair)
            atomic_store(&gateway->lines, line);
        else
            line = NULL;
    }
    pthread_mutex_unlock(&gateway->lock);
    return line;
}

static int64_t cost_of(const struct exchange *x)
{
    int64_t most = x->ask.max_tokens;
    return x->ask.prompt_tokens + (most < 0 || most > 1024 ? 1024 : most) + 1;
}

/* With the line's lock. */
static enum placed wait_in(struct exchange *x, struct line *line)
{
    struct gateway *gateway = x->gateway;
    if (fair_len(line->fair) >= gateway->limits.most_waiting) {
        fault_set(&x->fault, 503, "queue_full", "too many calls wait for the model \"%.*s\"",
                  STR_FMT(x->route->name));
        x->fault.retry_after_s = 5;
        return PLACED_NOWHERE;
    }
    if (!fair_put(line->fair, x->who.tenant, x->ask.priority, cost_of(x), &x->item))
        return PLACED_NOWHERE;
    exchange_ref(x);
    x->line = line;
    x->stage = STAGE_WAITING;
    x->waiting_ns = time_mono_ns();
    atomic_fetch_add(&gateway->n_waiting, 1);
    stats_queue(stats_of(x->route->name), 1, 0);
    return PLACED_LATER;
}

enum placed place_find(struct exchange *x)
{
    struct line *line = line_of(x->gateway, x->route->model);
    if (!line)
        return PLACED_NOWHERE;
    pthread_mutex_lock(&line->lock);
    bool others = fair_len(line->fair) > 0;
    enum placed placed = choose(x);
    if (placed == PLACED && others) { /* they came before */
        breaker_forget(x->gateway->breakers, x->target->id);
        (void)models_busy(x->target, -1, NULL);
        x->target = NULL;
        placed = PLACED_LATER;
    }
    if (placed == PLACED)
        fair_note(line->fair, x->who.tenant, x->ask.priority, cost_of(x));
    else if (placed == PLACED_LATER)
        placed = wait_in(x, line);
    pthread_mutex_unlock(&line->lock);
    if (placed == PLACED_LATER) /* the keeper wakes what is cold, and sees to it that time passes */
        (void)pthread_cond_signal(&x->gateway->changed);
    return placed;
}

void place_leave(struct exchange *x)
{
    if (x->target)
        (void)models_busy(x->target, -1, NULL);
    x->target = NULL;
}

static void left_line(struct exchange *x)
{
    int64_t waited_ns = time_mono_ns() - x->waiting_ns;
    atomic_fetch_sub(&x->gateway->n_waiting, 1);
    x->queue_ms += waited_ns / 1000000;
    stats_queue(stats_of(x->route->name), -1, waited_ns / 1000);
}

bool place_drop(struct exchange *x)
{
    struct line *line = x->line;
    pthread_mutex_lock(&line->lock);
    bool was_in = x->item.lane != NULL;
    fair_drop(line->fair, &x->item);
    pthread_mutex_unlock(&line->lock);
    if (was_in)
        left_line(x);
    return was_in;
}

/* ---- those who wait ---- */

/* What changed in the registry since it began to wait; with the line's lock. */
static void refresh(struct exchange *x)
{
    struct models *models = x->gateway->opts.models;
    const struct models_route *fresh;
    if (x->generation == models_generation(models))
        return;
    x->generation = models_generation(models);
    if (x->route != x->root || models_resolve(models, x->who.tenant, x->turn.model, &fresh, NULL))
        return;
    models_route_free(x->root);
    x->root = x->route = fresh;
}

static void launch(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    left_line(x);
    x->stage = STAGE_CALLING;
    if (x->gone) {
        breaker_forget(x->gateway->breakers, x->target->id);
        place_leave(x);
        settle(x, METER_CANCELLED);
    } else {
        upstream_call(x);
    }
    pthread_mutex_unlock(&x->lock);
    exchange_unref(x);
}

static void give_up(struct exchange *x)
{
    pthread_mutex_lock(&x->lock);
    left_line(x);
    x->stage = STAGE_NEW;
    exchange_advance(x);
    pthread_mutex_unlock(&x->lock);
    exchange_unref(x);
}

/* Launches the first of a line; false when nobody can go. */
static bool kick_one(struct line *line)
{
    enum placed placed = PLACED_LATER;
    struct exchange *x = NULL;
    pthread_mutex_lock(&line->lock);
    struct fair_item *item = fair_first(line->fair);
    if (item) {
        x = (struct exchange *)(void *)((char *)item - offsetof(struct exchange, item));
        refresh(x);
        placed = choose(x);
        if (placed == PLACED)
            fair_serve(line->fair, item);
        else if (placed == PLACED_NOWHERE)
            fair_drop(line->fair, item);
    }
    pthread_mutex_unlock(&line->lock);
    if (placed == PLACED)
        launch(x);
    else if (placed == PLACED_NOWHERE)
        give_up(x);
    return placed != PLACED_LATER;
}

void place_kick(struct gateway *gateway)
{
    if (atomic_load(&gateway->n_waiting) == 0)
        return;
    for (struct line *line = atomic_load(&gateway->lines); line; line = line->next)
        while (kick_one(line))
            ;
}

/* ---- the keeper ---- */

struct overdue {
    struct line *line;
    struct exchange *list;
    int64_t before_ns;          /* who waits since then waits too long */
    char tenant[64], name[128]; /* of one that waits on */
};

static void look(void *ctx, struct fair_item *item)
{
    struct overdue *overdue = ctx;
    struct exchange *x =
        (struct exchange *)(void *)((char *)item - offsetof(struct exchange, item));
    if (x->waiting_ns <= overdue->before_ns) {
        fair_drop(overdue->line->fair, item);
        x->next = overdue->list;
        overdue->list = x;
    } else if (!overdue->name[0]) {
        (void)snprintf(overdue->tenant, sizeof overdue->tenant, "%.*s", STR_FMT(x->who.tenant));
        (void)snprintf(overdue->name, sizeof overdue->name, "%.*s", STR_FMT(x->route->name));
    }
}

static void fail_late(struct exchange *x, bool closing)
{
    pthread_mutex_lock(&x->lock);
    left_line(x);
    if (closing)
        fault_set(&x->fault, 503, "unavailable", "the centre is stopping");
    else
        fault_set(&x->fault, 503, "queue_timeout", "waited %lld ms for the model \"%.*s\"",
                  (long long)x->gateway->limits.queue_ms, STR_FMT(x->route->name));
    x->fault.retry_after_s = 5;
    settle(x, x->gone ? METER_CANCELLED : METER_TIMED_OUT);
    pthread_mutex_unlock(&x->lock);
    exchange_unref(x);
}

/* Asks for the cold targets of somebody who waits. models_wake() may take the store: not on an
 * event thread, and under no lock. */
static void wake_cold(struct models *models, const struct overdue *overdue)
{
    const struct models_route *route;
    struct why why = {0};
    if (models_resolve(models, str_c(overdue->tenant), str_c(overdue->name), &route, NULL))
        return;
    for (size_t i = 0; i < route->n_targets; i++)
        if (route->targets[i].cold) {
            enum err err = models_wake(models, &route->targets[i], 0, &why);
            if (err && err != ERR_TIMEOUT)
                LOG_WARN("a model does not start", LOG_STR("model", route->name), LOG_WHY(&why));
        }
    models_route_free(route);
}

static void keep_line(struct gateway *gateway, struct line *line, bool closing)
{
    int64_t now = time_mono_ns();
    struct overdue overdue = {
        .line = line, .before_ns = closing ? INT64_MAX : now - gateway->limits.queue_ms * 1000000};
    pthread_mutex_lock(&line->lock);
    fair_each(line->fair, look, &overdue);
    pthread_mutex_unlock(&line->lock);
    for (struct exchange *x = overdue.list, *next; x; x = next) {
        next = x->next;
        fail_late(x, closing);
    }
    if (overdue.name[0])
        wake_cold(gateway->opts.models, &overdue);
}

void place_fail_all(struct gateway *gateway)
{
    for (struct line *line = atomic_load(&gateway->lines); line; line = line->next)
        keep_line(gateway, line, true);
}

void *place_keeper(void *arg)
{
    struct gateway *gateway = arg;
    pthread_mutex_lock(&gateway->lock);
    while (!gateway->closing) {
        if (atomic_load(&gateway->n_waiting) == 0) {
            int64_t due = time_mono_ns() + 1000000000;
            struct timespec ts = {.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
            (void)pthread_cond_timedwait(&gateway->changed, &gateway->lock, &ts);
            continue;
        }
        pthread_mutex_unlock(&gateway->lock);
        for (struct line *line = atomic_load(&gateway->lines); line; line = line->next)
            keep_line(gateway, line, false);
        place_kick(gateway);
        time_sleep_ms(TICK_MS);
        pthread_mutex_lock(&gateway->lock);
    }
    pthread_mutex_unlock(&gateway->lock);
    return NULL;
}
