/* What is counted of a target while snapshots come and go. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "models/models_in.h"

static struct models_state *find(struct models *models, const char *id)
{
    for (struct models_state *s = models->states; s; s = s->next)
        if (strcmp(s->id, id) == 0)
            return s;
    return NULL;
}

struct models_state *state_take(struct models *models, struct str id)
{
    char text[UUID_TEXT];
    (void)snprintf(text, sizeof text, "%.*s", STR_FMT(id));
    struct models_state *s = find(models, text);
    if (!s) {
        s = calloc(1, sizeof *s);
        if (!s)
            return NULL;
        memcpy(s->id, text, sizeof text);
        atomic_init(&s->first_us, -1);
        s->next = models->states;
        models->states = s;
    }
    s->refs++;
    return s;
}

void state_drop(struct models *models, struct models_state *state)
{
    if (--state->refs > 0)
        return;
    struct models_state **at = &models->states;
    while (*at != state)
        at = &(*at)->next;
    *at = state->next;
    free(state);
}

int64_t state_busy(struct models *models, const char *id)
{
    (void)pthread_mutex_lock(&models->lock);
    struct models_state *s = find(models, id);
    int64_t n = s ? atomic_load(&s->busy) : 0;
    (void)pthread_mutex_unlock(&models->lock);
    return n;
}

void state_drain(struct models *models, const char *id, bool draining)
{
    (void)pthread_mutex_lock(&models->lock);
    struct models_state *s = find(models, id);
    if (s)
        atomic_store(&s->draining, draining);
    (void)pthread_mutex_unlock(&models->lock);
}

bool state_look(struct models *models, const char *id)
{
    (void)pthread_mutex_lock(&models->lock);
    struct models_state *s = find(models, id);
    bool look = s && atomic_exchange(&s->look, false);
    (void)pthread_mutex_unlock(&models->lock);
    return look;
}

int64_t state_last_call(struct models *models, const char *id)
{
    (void)pthread_mutex_lock(&models->lock);
    struct models_state *s = find(models, id);
    int64_t ms = s ? atomic_load(&s->last_call_ms) : 0;
    (void)pthread_mutex_unlock(&models->lock);
    return ms;
}

static void fill(struct models_state *s, struct models_health *out)
{
    long long us = atomic_load(&s->first_us);
    *out = (struct models_health){.busy = atomic_load(&s->busy),
                                  .calls = atomic_load(&s->calls),
                                  .failures = atomic_load(&s->failures),
                                  .failures_in_row = atomic_load(&s->failures_in_row),
                                  .first_ms = us < 0 ? -1 : us / 1000,
                                  .last_call_ms = atomic_load(&s->last_call_ms),
                                  .last_failure_ms = atomic_load(&s->last_failure_ms)};
}

bool state_health(struct models *models, const char *id, struct models_health *out)
{
    (void)pthread_mutex_lock(&models->lock);
    struct models_state *s = find(models, id);
    if (s)
        fill(s, out);
    (void)pthread_mutex_unlock(&models->lock);
    return s != NULL;
}

/* The count goes up first and is looked at then: two that come at once for the last place may both
 * be refused, never both be let in; and who drains sees either the count or nobody. */
enum err models_busy(const struct models_target *target, int delta, struct why *why)
{
    struct models_state *s = target->state;
    long long now = atomic_fetch_add(&s->busy, delta) + delta;
    if (delta <= 0)
        return ERR_OK;
    if (atomic_load(&s->draining)) {
        atomic_fetch_sub(&s->busy, delta);
        return err_set(why, ERR_UNAVAILABLE, "\"%.*s\" is being stopped", STR_FMT(target->name));
    }
    if (target->max_busy && now > target->max_busy) {
        atomic_fetch_sub(&s->busy, delta);
        return err_set(why, ERR_BUSY, "\"%.*s\" has %lld calls already", STR_FMT(target->name),
                       (long long)target->max_busy);
    }
    atomic_store(&s->last_call_ms, time_now_ms());
    return ERR_OK;
}

void models_report(const struct models_target *target, bool ok, int64_t first_ms)
{
    struct models_state *s = target->state;
    int64_t now = time_now_ms();
    atomic_fetch_add(&s->calls, 1);
    atomic_store(&s->last_call_ms, now);
    if (ok) {
        atomic_store(&s->failures_in_row, 0);
    } else {
        atomic_fetch_add(&s->failures, 1);
        atomic_fetch_add(&s->failures_in_row, 1);
        atomic_store(&s->last_failure_ms, now);
        atomic_store(&s->look, true);
    }
    if (first_ms < 0)
        return;
    long long old = atomic_load(&s->first_us), us = first_ms * 1000, next;
    do
        next = old < 0 ? us : old + (us - old) / 8;
    while (!atomic_compare_exchange_weak(&s->first_us, &old, next));
}

void models_health_of(const struct models_target *target, struct models_health *out)
{
    fill(target->state, out);
}
