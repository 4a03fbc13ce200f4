/* The life of an engine, from its start to its end or its next try. */
#include <stdio.h>
#include <unistd.h>

#include "core/log.h"
#include "core/metric.h"
#include "core/time.h"
#include "models/supervise_in.h"

#define FIRST_BACK_MS 200
#define MOST_BACK_MS  60000
#define CALM_MS       60000 /* ready so long: what went wrong before is forgotten */
#define MISSES        3

static struct metric engines_died =
    METRIC_INIT(METRIC_COUNTER, "yicheng_engines_died_total", "Engines that ended unasked", NULL);

void life_forget(struct supervisor *x, struct engine *e)
{
    char path[MODELS_PATH];
    replica_token_path(x, e, path);
    (void)unlink(path);
    if (e->phase != WAITING)
        replica_erase(x, e->id);
    *e = (struct engine){0};
    (void)pthread_cond_broadcast(&x->changed);
}

/* It is dead and was not asked to: again, later each time. */
void life_again(struct supervisor *x, struct engine *e, const char *words)
{
    char path[MODELS_PATH];
    int64_t now = time_now_ms();
    replica_token_path(x, e, path);
    (void)unlink(path);
    replica_erase(x, e->id);
    if (e->ready_ms && now - e->ready_ms > CALM_MS)
        e->restarts = 0;
    int64_t wait = FIRST_BACK_MS;
    for (int64_t i = 0; i < e->restarts && wait < MOST_BACK_MS; i++)
        wait *= 2;
    e->restarts++;
    e->phase = WAITING;
    e->child = (struct child){.ready_fd = -1};
    e->start_at_ms = now + (wait < MOST_BACK_MS ? wait : MOST_BACK_MS);
    e->ready_ms = e->misses = 0;
    if (words != e->why)
        (void)snprintf(e->why, sizeof e->why, "%s", words);
    metric_add(&engines_died, 1);
    struct deployment *d = deployment_of(x, e->deployment);
    LOG_WARN("an engine ended unasked", LOG_S("deployment", d ? d->name : e->deployment),
             LOG_I("replica", e->number), LOG_S("why", words), LOG_I("again_in_ms", wait));
    (void)uuid7(e->id);
    (void)pthread_cond_broadcast(&x->changed);
}

static void drain(struct supervisor *x, struct engine *e, bool patient)
{
    e->phase = DRAINING;
    e->until_ms = patient ? INT64_MAX : time_now_ms() + x->drain_ms;
    state_drain(x->models, e->id, true);
    replica_tell(x, e);
}

static void end(struct supervisor *x, struct engine *e)
{
    if (e->phase == WAITING) {
        life_forget(x, e);
        return;
    }
    /* It finishes by itself what other processes asked of it. */
    int64_t now = time_now_ms(), more = e->phase == DRAINING && now < e->until_ms ? x->drain_ms : 0;
    e->phase = ENDING;
    e->until_ms = now + GRACE_MS + more;
    child_ask_to_end(&e->child);
}

/* The right way out for whatever it is doing. */
void life_retire(struct supervisor *x, struct engine *e, bool patient)
{
    if (e->phase == READY)
        drain(x, e, patient);
    else if (e->phase == WAITING || e->phase == STARTING)
        end(x, e);
}

static void came_up(struct supervisor *x, struct engine *e, const struct child_ready *ready)
{
    e->phase = READY;
    e->port = ready->port;
    if (ready->context)
        e->context = ready->context;
    if (ready->slots)
        e->slots = ready->slots;
    e->ready_ms = e->active_ms = e->asked_ms = time_now_ms();
    e->misses = 0;
    struct why why = {0};
    if (replica_write(x, e, &why) !=
        ERR_OK) { /* unseen it is of no use: once more at the next look */
        LOG_WARN("could not say that an engine is ready", LOG_S("replica", e->id), LOG_WHY(&why));
        e->phase = STARTING;
        return;
    }
    struct deployment *d = deployment_of(x, e->deployment);
    LOG_INFO("engine ready", LOG_S("deployment", d ? d->name : ""), LOG_I("replica", e->number),
             LOG_I("port", e->port), LOG_I("threads", e->threads),
             LOG_I("ms", e->ready_ms - e->started_ms));
    (void)pthread_cond_broadcast(&x->changed);
}

static void watch_start_of(struct supervisor *x, struct engine *e)
{
    struct child_ready said;
    if (e->port && !e->ready_ms) /* it is up and the table did not take it */
        return;
    enum child_word word = child_listen(&e->child, &said);
    if (word == CHILD_READY) {
        came_up(x, e, &said);
        return;
    }
    if (word == CHILD_REFUSED || word == CHILD_MUTE) {
        struct deployment *d = deployment_of(x, e->deployment);
        (void)snprintf(e->why, sizeof e->why, "%s", said.words);
        bool hopeless = word == CHILD_REFUSED && !err_again(said.err) && said.err != ERR_INTERNAL;
        if (hopeless && d) {
            d->failed_spec = d->spec;
            (void)snprintf(d->trouble, sizeof d->trouble, "%s", said.words);
        }
        return; /* its end comes in a moment */
    }
    if (time_now_ms() - e->started_ms > x->start_timeout_ms) {
        (void)snprintf(e->why, sizeof e->why, "it was not ready after %lld s",
                       (long long)x->start_timeout_ms / 1000);
        child_kill(&e->child);
    }
}

static void watch_ready(struct engine *e)
{
    int64_t rss = e->memory_bytes ? child_rss(&e->child) : 0;
    if (e->memory_bytes && rss > e->memory_bytes) {
        (void)snprintf(e->why, sizeof e->why, "it held %lld MB of memory, more than its %lld MB",
                       (long long)rss >> 20, (long long)e->memory_bytes >> 20);
        child_kill(&e->child);
    } else if (e->misses >= MISSES) {
        (void)snprintf(e->why, sizeof e->why, "it did not answer %d times in a row", MISSES);
        child_kill(&e->child);
    }
}

/* What an engine does by itself. */
void life_watch(struct supervisor *x, struct engine *e)
{
    char words[320];
    int64_t now = time_now_ms();
    if (e->phase == STARTING) /* first what it said, then whether it is dead */
        watch_start_of(x, e);
    bool ended = e->phase != WAITING && child_ended(&e->child, words, sizeof words);
    if (ended && (e->phase == DRAINING || e->phase == ENDING)) {
        life_forget(x, e);
        return;
    }
    if (ended) {
        life_again(x, e, e->why[0] ? e->why : words);
        return;
    }
    if (e->phase == READY)
        watch_ready(e);
    if (e->phase == DRAINING &&
        ((state_busy(x->models, e->id) == 0 && e->busy == 0) || now > e->until_ms))
        end(x, e);
    if (e->phase == ENDING && now > e->until_ms)
        child_kill(&e->child);
}
