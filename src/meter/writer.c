/* The thread that moves ended calls into the store, and keeps sums, limits and prices fresh. */
#include <stdlib.h>
#include <time.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/time.h"
#include "meter/meter_in.h"

#define RETRY_MS   200     /* least wait after a failure, whoever kicks */
#define RECOVER_MS 10000   /* between looks for flight files of dead processes */
#define SWEEP_MS   3600000 /* between sweeps of memory and of old lines */
#define SWEEP_MOST 2000    /* batches removed in one sweep */
#define MOST_RUN   32      /* calls let go under one lock */

static struct metric lines =
    METRIC_INIT(METRIC_COUNTER, "yicheng_meter_lines_total", "Lines written", NULL);
static struct metric failures = METRIC_INIT(METRIC_COUNTER, "yicheng_meter_write_failures_total",
                                            "Batches that could not be written", NULL);
static struct metric waiting = METRIC_INIT(METRIC_GAUGE, "yicheng_meter_unwritten_calls",
                                           "Calls that ended and are not written yet", NULL);

/* ---- one attempt ---- */

/* The list of the ended is newest first. */
static void take_ended(struct meter *m)
{
    struct meter_call *list = atomic_exchange_explicit(&m->ended, NULL, memory_order_acquire);
    struct meter_call *oldest = NULL, *last = list;
    while (list) {
        struct meter_call *next = list->next;
        list->next = oldest;
        oldest = list;
        list = next;
    }
    if (!oldest)
        return;
    *m->backlog_end = oldest;
    m->backlog_end = &last->next;
}

/* The ended call's charge becomes a committed one in the scopes. Its stripe is locked. */
static void forget_held(struct meter_call *call, int32_t day, int month)
{
    for (int i = 0; i < METER_N_LEVELS; i++) {
        struct meter_scope *s = call->scopes[i];
        if (!s)
            continue;
        s->held--;
        s->held_tokens -= call->tokens;
        s->held_money -= call->money;
        if (s->day == day) {
            s->day_tokens += call->tokens;
            s->day_money += call->money;
        }
        if (s->month == month) {
            s->month_tokens += call->tokens;
            s->month_money += call->money;
        }
    }
}

/* Calls of one tenant come in runs, most often of one day: a lock and a date for each run, which is
 * short so that nobody who begins a call waits for long. */
static void calls_written(struct meter *m, size_t n)
{
    struct meter_stripe *stripe = NULL;
    int32_t day = INT32_MIN;
    int month = 0;
    for (size_t i = 0; i < n; i++) {
        struct meter_call *call = m->backlog;
        struct flight_slot *slot = call->slot;
        struct meter_stripe *its = stripe_of(m, FLIGHT_GET(slot->open.tenant));
        int32_t its_day = day_of(slot->end.ended_ms);
        if (stripe && (its != stripe || i % MOST_RUN == 0))
            (void)pthread_mutex_unlock(&stripe->lock);
        if (its != stripe || i % MOST_RUN == 0)
            (void)pthread_mutex_lock(&its->lock);
        stripe = its;
        if (its_day != day)
            month = month_of(its_day);
        day = its_day;
        m->backlog = call->next;
        forget_held(call, day, month);
        atomic_store_explicit(&slot->state, FLIGHT_FREE, memory_order_release);
        call_free(m, call);
    }
    if (stripe)
        (void)pthread_mutex_unlock(&stripe->lock);
    if (!m->backlog)
        m->backlog_end = &m->backlog;
}

/* A first part of the backlog. After a failure its lines may be there all the same: the outcome of
 * a commit can be unknown, so the calls are looked for first. */
static enum err write_some(struct meter *m, bool look_first, struct why *why)
{
    struct flight_slot *slots[METER_BATCH] = {NULL};
    size_t n = 0;
    for (struct meter_call *c = m->backlog; c && n < METER_BATCH; c = c->next)
        slots[n++] = c->slot;
    enum err err = batch_write(m, slots, n, look_first, why);
    if (err)
        return err;
    calls_written(m, n);
    metric_add(&lines, (int64_t)n);
    (void)atomic_fetch_add(&m->n_written, (int64_t)n);
    (void)pthread_mutex_lock(&m->writer_lock);
    (void)pthread_cond_broadcast(&m->done); /* who waits for room need not wait for the rest */
    (void)pthread_mutex_unlock(&m->writer_lock);
    return ERR_OK;
}

static void note_outcome(struct meter *m, enum err err, const struct why *why)
{
    (void)pthread_mutex_lock(&m->writer_lock);
    if (err && !m->write_err)
        LOG_ERROR("calls cannot be metered for the moment", LOG_WHY(why));
    else if (!err && m->write_err)
        LOG_INFO("calls are metered again",
                 LOG_I("unwritten", atomic_load(&m->n_ended) - atomic_load(&m->n_written)));
    m->write_err = err;
    m->write_why = *why;
    m->n_attempts++;
    (void)pthread_cond_broadcast(&m->done);
    (void)pthread_mutex_unlock(&m->writer_lock);
    metric_add(&failures, err != ERR_OK);
}

static enum err write_backlog(struct meter *m)
{
    struct why why = {0};
    enum err err = ERR_OK;
    bool look_first = m->write_err != ERR_OK;
    take_ended(m);
    do {
        if (m->backlog)
            err = write_some(m, look_first, &why);
        take_ended(m);
    } while (!err && m->backlog);
    metric_set(&waiting, atomic_load(&m->n_ended) - atomic_load(&m->n_written));
    note_outcome(m, err, &why);
    return err;
}

/* ---- the thread ---- */

static void wait_for_work(struct meter *m, int64_t most_ms, bool failed)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (most_ms % 1000) * 1000000;
    until.tv_sec += most_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&m->writer_lock);
    while (!m->stop && (failed || !m->kicked))
        if (pthread_cond_timedwait(&m->wake, &m->writer_lock, &until) != 0)
            break;
    m->kicked = false;
    (void)pthread_mutex_unlock(&m->writer_lock);
}

struct due {
    int64_t refresh_ns, recover_ns, sweep_ns;
};

static bool is_due(int64_t *at_ns, int64_t every_ms)
{
    int64_t now = time_mono_ns();
    if (now < *at_ns)
        return false;
    *at_ns = now + every_ms * 1000000;
    return true;
}

static void keep_house(struct meter *m, struct due *due)
{
    struct why why = {0};
    size_t n;
    if (is_due(&due->refresh_ns, m->refresh_ms) && meter_refresh(m, &why))
        LOG_WARN("limits and sums could not be read", LOG_WHY(&why));
    why = (struct why){0};
    if (is_due(&due->recover_ns, RECOVER_MS) && meter_recover(m, NULL, &why))
        LOG_WARN("calls of a dead process could not be settled yet", LOG_WHY(&why));
    if (!is_due(&due->sweep_ns, SWEEP_MS))
        return;
    why = (struct why){0};
    scopes_sweep(m);
    if (meter_bill_close_due(m, &n, &why))
        LOG_WARN("the bills of a month could not be closed", LOG_WHY(&why));
    why = (struct why){0};
    if (meter_expire(m, SWEEP_MOST, &n, &why))
        LOG_WARN("old lines could not be removed", LOG_WHY(&why));
}

static void *write_loop(void *arg)
{
    struct meter *m = arg;
    struct due due = {.recover_ns = time_mono_ns() + RECOVER_MS * 1000000LL,
                      .sweep_ns = time_mono_ns() + 60 * 1000000000LL};
    int64_t pause = m->commit_ms < m->refresh_ms ? m->commit_ms : m->refresh_ms;
    enum err err = ERR_OK;
    for (;;) {
        wait_for_work(m, err && pause < RETRY_MS ? RETRY_MS : pause, err != ERR_OK);
        bool stop = __atomic_load_n(&m->stop, __ATOMIC_ACQUIRE);
        err = write_backlog(m);
        if (stop)
            return NULL;
        keep_house(m, &due);
    }
}

void writer_kick(struct meter *m)
{
    (void)pthread_mutex_lock(&m->writer_lock);
    if (!m->kicked) {
        m->kicked = true;
        (void)pthread_cond_signal(&m->wake);
    }
    (void)pthread_mutex_unlock(&m->writer_lock);
}

enum err writer_start(struct meter *m, struct why *why)
{
    m->stop = false;
    m->backlog_end = &m->backlog;
    if (pthread_create(&m->writer, NULL, write_loop, m) != 0)
        return err_set(why, ERR_UNAVAILABLE, "could not start the thread that writes lines");
    m->running = true;
    return ERR_OK;
}

void writer_stop(struct meter *m)
{
    if (!m->running)
        return;
    (void)pthread_mutex_lock(&m->writer_lock);
    __atomic_store_n(&m->stop, true, __ATOMIC_RELEASE);
    (void)pthread_cond_signal(&m->wake);
    (void)pthread_mutex_unlock(&m->writer_lock);
    (void)pthread_join(m->writer, NULL);
    m->running = false;
}

bool meter_room(struct meter *m)
{
    return !atomic_load_explicit(&m->started, memory_order_acquire) ||
           atomic_load_explicit(&m->n_free, memory_order_relaxed) > (int64_t)m->n_slots / 32;
}

void meter_wait(struct meter *m, int64_t wait_ms)
{
    struct timespec until;
    if (meter_room(m))
        return;
    writer_kick(m);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&m->writer_lock);
    while (!m->write_err && !meter_room(m) && atomic_load(&m->n_ended) > atomic_load(&m->n_written))
        if (pthread_cond_timedwait(&m->done, &m->writer_lock, &until) != 0)
            break;
    (void)pthread_mutex_unlock(&m->writer_lock);
}

enum err meter_flush(struct meter *m, int64_t wait_ms, struct why *why)
{
    int64_t goal = atomic_load(&m->n_ended), start = time_mono_ns();
    enum err err = ERR_OK;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (wait_ms % 1000) * 1000000;
    until.tv_sec += wait_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    writer_kick(m);
    (void)pthread_mutex_lock(&m->writer_lock);
    uint64_t first = m->n_attempts;
    while (atomic_load(&m->n_written) < goal && !err) {
        /* An attempt that began before this call may have failed for a reason that has passed. */
        if (m->write_err && m->n_attempts > first + 1)
            err = err_set(why, m->write_err, "%s", why_text(&m->write_why, m->write_err));
        else if (pthread_cond_timedwait(&m->done, &m->writer_lock, &until) != 0)
            err = m->write_err
                      ? err_set(why, m->write_err, "%s", why_text(&m->write_why, m->write_err))
                      : err_set(why, ERR_TIMEOUT, "%lld calls were not written in %lld ms",
                                (long long)(goal - atomic_load(&m->n_written)),
                                (long long)((time_mono_ns() - start) / 1000000));
    }
    (void)pthread_mutex_unlock(&m->writer_lock);
    return err;
}
