/* What a deployment wants and what it gets: more, fewer, newer engines, or none for now. */
#include "core/log.h"
#include "core/time.h"
#include "models/supervise_in.h"

struct tally wish_count(struct supervisor *x, const struct deployment *d)
{
    struct tally t = {0};
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        const struct engine *e = &x->engines[i];
        if (!belongs(e, d))
            continue;
        bool going = e->phase == DRAINING || e->phase == ENDING, old = e->spec != d->spec;
        t.moving += going;
        t.now += !going && !old;
        t.old += !going && old;
        t.ready_now += e->phase == READY && !old;
        t.ready_old += e->phase == READY && old;
    }
    return t;
}

/* The one to go first: not yet ready before ready, the highest number first. */
static struct engine *least(struct supervisor *x, const struct deployment *d, bool old)
{
    struct engine *found = NULL;
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (!belongs(e, d) || (e->spec != d->spec) != old || e->phase == DRAINING ||
            e->phase == ENDING)
            continue;
        if (!found || e->phase < found->phase ||
            (e->phase == found->phase && e->number > found->number))
            found = e;
    }
    return found;
}

static void retire_all(struct supervisor *x, struct deployment *d)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (belongs(&x->engines[i], d))
            life_retire(x, &x->engines[i], d->patient);
}

/* Old ones go as new ones come: one more than wanted at a time, and when there is no thread for one
 * more, one less. */
static void replace(struct supervisor *x, struct deployment *d, struct tally t)
{
    struct engine *e = least(x, d, true);
    if (!e)
        return;
    if (e->phase != READY) {
        life_retire(x, e, false);
        return;
    }
    if (t.ready_now + t.ready_old > d->replicas || d->failed_spec == d->spec) {
        if (d->failed_spec != d->spec) /* the old ones stay while the new cannot be started */
            life_retire(x, e, false);
        return;
    }
    if (t.moving == 0 && x->budget - room_threads_taken(x) < 1)
        life_retire(x, e, false);
}

static void start_due(struct supervisor *x, struct deployment *d)
{
    int64_t now = time_now_ms();
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (belongs(e, d) && e->phase == WAITING && e->spec == d->spec && now >= e->start_at_ms &&
            d->failed_spec != d->spec && !start_try(x, d, e))
            break;
    }
}

static void look_idle(struct supervisor *x, struct deployment *d)
{
    int64_t now = time_now_ms(), last = 0;
    bool busy = false, up = false;
    if (!d->on_demand || !d->awake || d->idle_ms == 0)
        return;
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (!belongs(e, d))
            continue;
        int64_t call = state_last_call(x->models, e->id);
        busy = busy || e->phase != READY || e->busy > 0 || state_busy(x->models, e->id) > 0;
        up = true;
        last = e->active_ms > last ? e->active_ms : last;
        last = call > last ? call : last;
    }
    if (up && !busy && now - last > d->idle_ms) {
        LOG_INFO("a deployment on demand sleeps again", LOG_S("deployment", d->name));
        d->awake = false;
    }
}

void wish_reconcile(struct supervisor *x, struct deployment *d)
{
    look_idle(x, d);
    if (!d->running || (d->on_demand && !d->awake)) {
        retire_all(x, d);
    } else {
        struct tally t = wish_count(x, d);
        for (; t.now > d->replicas; t.now--)
            life_retire(x, least(x, d, false), false);
        /* One more than wanted while old ones are replaced. */
        while (d->failed_spec != d->spec && t.now < d->replicas && t.now + t.old <= d->replicas) {
            if (!start_new(x, d))
                break;
            t.now++;
        }
        start_due(x, d);
        if (t.old > 0)
            replace(x, d, wish_count(x, d));
    }
    tell_deployment(x, d);
}
