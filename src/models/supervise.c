/*
 * The supervisor: one thread that makes what runs like what the deployments say, and one that asks
 * the engines how they are. There is one supervisor for a data directory (a lock file); with
 * several centres on one database each takes deployments that no living one has.
 *
 * The life of an engine: WAITING (for its time) -> STARTING (loads) -> READY (in the routes) ->
 * DRAINING (out of the routes, finishes) -> ENDING (SIGTERM, then SIGKILL) -> gone. One that dies
 * by itself is WAITING again, longer each time. What the table models_replicas says follows this
 * and never leads it: who reads the table sees what was true a moment ago.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/pool.h"
#include "core/time.h"
#include "http/http.h"
#include "models/child.h"
#include "models/models_in.h"
#include "objects/objects.h"

#define MOST_ENGINES       256
#define MOST_DEPLOYMENTS   256
#define LOOK_MS            250
#define WATCH_MS           50   /* while engines run: a dead one is seen so soon */
#define SOON_MS            20   /* while something starts or ends */
#define GRACE_MS           5000 /* between SIGTERM with nothing to finish and SIGKILL */
#define ALIVE_MS           5000
#define DEAD_MS            20000 /* a place that was silent so long has no supervisor */
#define FIRST_BACK_MS      200
#define MOST_BACK_MS       60000
#define MOST_REMEMBERED_MB 512   /* what the engine takes without a word */
#define CALM_MS            60000 /* ready so long: what went wrong before is forgotten */
#define HOPELESS           5     /* restarts in a row after which "failed" is said */
#define AUTO_CONTEXT       8192
#define MISSES             3
#define LOOK_MEMORY        (8u << 20)

enum phase { WAITING, STARTING, READY, DRAINING, ENDING };

struct engine {
    bool used;
    enum phase phase;
    char id[UUID_TEXT], deployment[UUID_TEXT], version[UUID_TEXT];
    int64_t number, spec;
    bool auto_threads;
    struct child child;
    int port;
    int64_t threads, context, slots, queue, memory_bytes, file_bytes;
    int64_t start_at_ms, started_ms, ready_ms, until_ms;
    int64_t restarts; /* in a row */
    /* by the prober */
    int64_t asked_ms, misses, busy, requests, active_ms;
    bool asking;
    char why[320];
};

struct deployment {
    char id[UUID_TEXT], name[MODELS_MOST_NAME + 1], version[UUID_TEXT];
    char path[MODELS_PATH]; /* of the model's file */
    char modality[16], kv_type[16];
    char loras[CHILD_MOST_LORAS][MODELS_PATH];
    size_t n_loras;
    int64_t replicas, threads, memory_bytes, context, slots, queue, idle_ms, spec, wake_ms,
        trained_context;
    bool on_demand, running, patient; /* patient: draining has no limit */
    bool seen, mine;
    bool awake;
    int64_t failed_spec; /* the spec that cannot be started, 0: none */
    char trouble[320];   /* why nothing or less runs */
    char told_state[16], told_why[320];
};

struct supervisor {
    struct models *models;
    pthread_t thread, prober;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t wake, changed;
    bool stop, poked, probing_ends;
    int64_t stop_until_ms, began_ms;
    int lock_fd;
    char dir[MODELS_PATH / 2];
    int64_t budget; /* threads */
    int64_t memory, start_timeout_ms, health_ms, drain_ms;
    struct engine engines[MOST_ENGINES];
    struct deployment deployments[MOST_DEPLOYMENTS];
    size_t n_deployments;
    int64_t looked_ms, alive_ms, swept_ms, generation;
    bool dirty; /* deployments have to be read anew */
};

static struct metric engines_ready =
    METRIC_INIT(METRIC_GAUGE, "yicheng_engines_ready", "Engines that serve", NULL);
static struct metric engines_died =
    METRIC_INIT(METRIC_COUNTER, "yicheng_engines_died_total", "Engines that ended unasked", NULL);
static struct metric engines_started =
    METRIC_INIT(METRIC_COUNTER, "yicheng_engines_started_total", "Engines started", NULL);

const char *engine_log_path(const struct models *m, struct str deployment, char out[MODELS_PATH])
{
    (void)snprintf(out, MODELS_PATH, "%s/engines/%.*s.log", m->data_dir, STR_FMT(deployment));
    return out;
}

static void token_path(const struct supervisor *x, const struct engine *e, char out[MODELS_PATH])
{
    (void)snprintf(out, MODELS_PATH, "%s/%s.token", x->dir, e->id);
}

static struct deployment *deployment_of(struct supervisor *x, const char *id)
{
    for (size_t i = 0; i < x->n_deployments; i++)
        if (strcmp(x->deployments[i].id, id) == 0)
            return &x->deployments[i];
    return NULL;
}

static bool of(const struct engine *e, const struct deployment *d)
{
    return e->used && strcmp(e->deployment, d->id) == 0;
}

/* ---- what the table says of the engines ---- */

static enum err write_replica(struct supervisor *x, const struct engine *e, struct why *why)
{
    struct store_tx *tx = NULL;
    struct str sealed = STR(""), about;
    struct arena *arena = arena_new(64u << 10);
    static const char *const names[] = {"waiting", "starting", "ready", "draining", "draining"};
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not write a replica");
    if (!err) {
        about = str_printf(arena, "replica:%s", e->id);
        err = secret_seal(&x->models->key, str_c(e->child.token), about, arena, &sealed, why);
    }
    if (!err)
        err = store_begin(x->models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(
            tx,
            "INSERT INTO models_replicas (id, deployment, number, spec, version, place, pid, port,"
            " token_sealed, threads, context, slots, queue, state, why, restarts, started_ms,"
            " ready_ms, rss_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET"
            " pid = excluded.pid, port = excluded.port, token_sealed = excluded.token_sealed,"
            " threads = excluded.threads, context = excluded.context, slots = excluded.slots,"
            " state = excluded.state, why = excluded.why, restarts = excluded.restarts,"
            " started_ms = excluded.started_ms, ready_ms = excluded.ready_ms,"
            " rss_bytes = excluded.rss_bytes",
            STORE_ARGS(SV_C(e->id), SV_C(e->deployment), SV_INT(e->number), SV_INT(e->spec),
                       SV_C(e->version), SV_C(x->models->place), SV_INT(e->child.pid),
                       SV_INT(e->port), SV_BLOB(sealed), SV_INT(e->threads), SV_INT(e->context),
                       SV_INT(e->slots), SV_INT(e->queue), SV_C(names[e->phase]), SV_C(e->why),
                       SV_INT(e->restarts), SV_INT(e->started_ms), SV_INT(e->ready_ms),
                       SV_INT(child_rss(&e->child))),
            NULL, why);
    if (!err)
        err = models_generation_raise(tx, why);
    if (!err)
        err = store_commit(tx, why);
    else
        store_rollback(tx);
    arena_free(arena);
    if (!err)
        snapshot_wake(x->models);
    return err;
}

static void erase_replica(struct supervisor *x, const char *id)
{
    struct store_tx *tx = NULL;
    struct why why = {0};
    enum err err = store_begin(x->models->store, STORE_WRITE, &tx, &why);
    if (!err)
        err = store_exec(tx, "DELETE FROM models_replicas WHERE id = ?", STORE_ARGS(SV_C(id)), NULL,
                         &why);
    if (!err)
        err = models_generation_raise(tx, &why);
    if (!err)
        err = store_commit(tx, &why);
    else
        store_rollback(tx);
    if (err) /* left over until the next start of a supervisor here; its port answers nobody */
        LOG_WARN("could not remove a replica", LOG_S("replica", id), LOG_WHY(&why));
    else
        snapshot_wake(x->models);
}

static void tell_replica(struct supervisor *x, const struct engine *e)
{
    struct why why = {0};
    if (write_replica(x, e, &why) != ERR_OK)
        LOG_WARN("could not write what a replica does", LOG_S("replica", e->id), LOG_WHY(&why));
}

/* ---- the life of an engine ---- */

static void forget(struct supervisor *x, struct engine *e)
{
    char path[MODELS_PATH];
    token_path(x, e, path);
    (void)unlink(path);
    if (e->phase != WAITING)
        erase_replica(x, e->id);
    *e = (struct engine){0};
    (void)pthread_cond_broadcast(&x->changed);
}

/* It is dead and was not asked to: again, later each time. */
static void again(struct supervisor *x, struct engine *e, const char *words)
{
    char path[MODELS_PATH];
    int64_t now = time_now_ms();
    token_path(x, e, path);
    (void)unlink(path);
    erase_replica(x, e->id);
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
    tell_replica(x, e);
}

static void end(struct supervisor *x, struct engine *e)
{
    if (e->phase == WAITING) {
        forget(x, e);
        return;
    }
    /* It finishes by itself what other processes asked of it. */
    int64_t now = time_now_ms(), more = e->phase == DRAINING && now < e->until_ms ? x->drain_ms : 0;
    e->phase = ENDING;
    e->until_ms = now + GRACE_MS + more;
    child_ask_to_end(&e->child);
}

/* The right way out for whatever it is doing. */
static void retire(struct supervisor *x, struct engine *e, bool patient)
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
    if (write_replica(x, e, &why) !=
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
static void watch_engine(struct supervisor *x, struct engine *e)
{
    char words[320];
    int64_t now = time_now_ms();
    if (e->phase == STARTING) /* first what it said, then whether it is dead */
        watch_start_of(x, e);
    bool ended = e->phase != WAITING && child_ended(&e->child, words, sizeof words);
    if (ended && (e->phase == DRAINING || e->phase == ENDING)) {
        forget(x, e);
        return;
    }
    if (ended) {
        again(x, e, e->why[0] ? e->why : words);
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

/* ---- threads and memory ---- */

static int64_t threads_taken(const struct supervisor *x)
{
    int64_t n = 0;
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used && x->engines[i].child.pid > 0)
            n += x->engines[i].threads;
    return n;
}

/* An even share for each replica that shall run. */
static int64_t share(const struct supervisor *x)
{
    int64_t n = 0;
    for (size_t i = 0; i < x->n_deployments; i++) {
        const struct deployment *d = &x->deployments[i];
        if (d->mine && d->running && (!d->on_demand || d->awake) && d->failed_spec != d->spec)
            n += d->replicas;
    }
    return n > 0 && x->budget / n > 1 ? x->budget / n : 1;
}

static int64_t memory_free(void)
{
    char line[128];
    long long kb = -1;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %lld kB", &kb) == 1)
            break;
    if (f)
        (void)fclose(f);
    return kb < 0 ? INT64_MAX : kb * 1024;
}

static bool memory_allows(struct supervisor *x, struct deployment *d, int64_t bytes)
{
    int64_t used = 0, spare = memory_free();
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used && x->engines[i].child.pid > 0)
            used += x->engines[i].file_bytes;
    if (x->memory && used + bytes > x->memory) {
        (void)snprintf(d->trouble, sizeof d->trouble,
                       "the file has %lld MB, and of models.memory %lld MB are taken of %lld MB",
                       (long long)bytes >> 20, (long long)used >> 20, (long long)x->memory >> 20);
        return false;
    }
    if (bytes > spare) {
        (void)snprintf(d->trouble, sizeof d->trouble,
                       "the file has %lld MB, the machine has %lld MB of memory free",
                       (long long)bytes >> 20, (long long)spare >> 20);
        return false;
    }
    return true;
}

/* Somebody who may make room for an engine that has no thread: one that sleeps well, or one that
 * took all it could get while it was alone. */
static bool make_room(struct supervisor *x, const struct deployment *d)
{
    int64_t now = time_now_ms(), fair = share(x);
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used &&
            (x->engines[i].phase == DRAINING || x->engines[i].phase == ENDING))
            return true; /* some are coming free */
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        struct deployment *other = e->used ? deployment_of(x, e->deployment) : NULL;
        if (!other || other == d || e->phase != READY)
            continue;
        int64_t last = state_last_call(x->models, e->id);
        last = last > e->active_ms ? last : e->active_ms;
        if (other->on_demand && e->busy == 0 && state_busy(x->models, e->id) == 0 &&
            now - last > 1000) {
            LOG_INFO("an idle engine makes room", LOG_S("deployment", other->name));
            other->awake = false;
            return true;
        }
    }
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (e->used && e->phase == READY && e->auto_threads && e->threads > fair &&
            strcmp(e->deployment, d->id) != 0) {
            e->spec = 0; /* replaced by one with its share */
            return true;
        }
    }
    return false;
}

static const char *who_takes_threads(const struct supervisor *x, char out[160])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < x->n_deployments; i++) {
        int64_t n = 0;
        for (size_t k = 0; k < MOST_ENGINES; k++)
            if (of(&x->engines[k], &x->deployments[i]) && x->engines[k].child.pid > 0)
                n += x->engines[k].threads;
        if (n && used + 20 < 160)
            used += (size_t)snprintf(out + used, 160 - used, "%s\"%.60s\" %lld", used ? ", " : "",
                                     x->deployments[i].name, (long long)n);
        used = used < 159 ? used : 159;
    }
    return out;
}

/* ---- start ---- */

/* What an engine may keep beside its cache: an eighth of its limit where it has one. */
static int64_t remember_mb(int64_t memory_bytes)
{
    int64_t share = memory_bytes >> 23;
    return memory_bytes && share < MOST_REMEMBERED_MB ? share : -1;
}

static enum err launch(struct supervisor *x, struct deployment *d, struct engine *e,
                       struct why *why)
{
    char token[MODELS_PATH], log[MODELS_PATH];
    struct child_opts o = {.program = x->models->program,
                           .model = d->path,
                           .alias = d->name,
                           .kv_type = d->kv_type,
                           .modality = d->modality,
                           .threads = e->threads,
                           .context = d->context,
                           .slots = d->slots,
                           .queue = d->queue,
                           .drain_s = (x->drain_ms + 999) / 1000,
                           .remember_mb = remember_mb(d->memory_bytes),
                           .token_path = token,
                           .log_path = engine_log_path(x->models, str_c(d->id), log)};
    if (!o.context) {
        int64_t c = d->trained_context > 0 ? d->trained_context : AUTO_CONTEXT;
        o.context = c < AUTO_CONTEXT ? c : AUTO_CONTEXT;
    }
    for (; o.n_loras < d->n_loras; o.n_loras++)
        o.loras[o.n_loras] = d->loras[o.n_loras];
    token_path(x, e, token);
    memcpy(e->version, d->version, sizeof e->version);
    e->port = 0;
    e->context = o.context;
    e->slots = d->slots;
    e->queue = d->queue;
    e->memory_bytes = d->memory_bytes;
    e->why[0] = '\0';
    e->busy = e->requests = e->misses = 0;
    e->started_ms = time_now_ms();
    enum err err = child_start(&o, &e->child, why);
    if (err)
        return err;
    e->phase = STARTING;
    metric_add(&engines_started, 1);
    tell_replica(x, e);
    return ERR_OK;
}

static bool has_old(const struct supervisor *x, const struct deployment *d)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (of(&x->engines[i], d) && x->engines[i].spec != d->spec)
            return true;
    return false;
}

/* Gives the engine its threads and starts it, or says in d->trouble why not yet. */
static bool try_start(struct supervisor *x, struct deployment *d, struct engine *e)
{
    uint64_t bytes = 0;
    struct why why = {0};
    char who[160];
    int64_t spare = x->budget - threads_taken(x), want = d->threads ? d->threads : share(x);
    if (file_size(d->path, &bytes, &why) != ERR_OK) {
        (void)snprintf(d->trouble, sizeof d->trouble, "%s", why.text);
        d->failed_spec = d->spec;
        return false;
    }
    if (spare < 1) {
        (void)snprintf(d->trouble, sizeof d->trouble,
                       "no thread is free: of %lld, %s are taken; it starts when some end",
                       (long long)x->budget, who_takes_threads(x, who));
        if (!has_old(x, d)) /* else one of those goes */
            (void)make_room(x, d);
        return false;
    }
    if (!memory_allows(x, d, (int64_t)bytes))
        return false;
    e->threads = want < spare ? want : spare;
    e->auto_threads = d->threads == 0;
    e->spec = d->spec;
    e->file_bytes = (int64_t)bytes;
    d->trouble[0] = '\0';
    if (e->threads < d->threads)
        (void)snprintf(d->trouble, sizeof d->trouble,
                       "asked for %lld threads and got %lld: there are %lld, taken by %s",
                       (long long)d->threads, (long long)e->threads, (long long)x->budget,
                       who_takes_threads(x, who));
    if (launch(x, d, e, &why) != ERR_OK) {
        (void)snprintf(d->trouble, sizeof d->trouble, "%s", why.text);
        again(x, e, why.text);
        return false;
    }
    return true;
}

static struct engine *new_engine(struct supervisor *x, const struct deployment *d)
{
    struct engine *e = NULL;
    int64_t number = 1;
    for (size_t i = 0; i < MOST_ENGINES && !e; i++)
        if (!x->engines[i].used)
            e = &x->engines[i];
    for (bool taken = true; taken; number += taken) {
        taken = false;
        for (size_t i = 0; i < MOST_ENGINES; i++)
            taken = taken || (of(&x->engines[i], d) && x->engines[i].number == number);
    }
    if (!e)
        return NULL;
    *e = (struct engine){.used = true, .phase = WAITING, .number = number, .spec = d->spec};
    e->child.ready_fd = -1;
    (void)uuid7(e->id);
    (void)snprintf(e->deployment, sizeof e->deployment, "%s", d->id);
    return e;
}

/* ---- what a deployment wants ---- */

struct tally {
    int64_t now, old, ready_now, ready_old, moving; /* moving: draining or ending */
};

static struct tally count(struct supervisor *x, const struct deployment *d)
{
    struct tally t = {0};
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        const struct engine *e = &x->engines[i];
        if (!of(e, d))
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
        if (!of(e, d) || (e->spec != d->spec) != old || e->phase == DRAINING || e->phase == ENDING)
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
        if (of(&x->engines[i], d))
            retire(x, &x->engines[i], d->patient);
}

/* Old ones go as new ones come: one more than wanted at a time, and when there is no thread for one
 * more, one less. */
static void replace(struct supervisor *x, struct deployment *d, struct tally t)
{
    struct engine *e = least(x, d, true);
    if (!e)
        return;
    if (e->phase != READY) {
        retire(x, e, false);
        return;
    }
    if (t.ready_now + t.ready_old > d->replicas || d->failed_spec == d->spec) {
        if (d->failed_spec != d->spec) /* the old ones stay while the new cannot be started */
            retire(x, e, false);
        return;
    }
    if (t.moving == 0 && x->budget - threads_taken(x) < 1)
        retire(x, e, false);
}

static void start_due(struct supervisor *x, struct deployment *d)
{
    int64_t now = time_now_ms();
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (of(e, d) && e->phase == WAITING && e->spec == d->spec && now >= e->start_at_ms &&
            d->failed_spec != d->spec && !try_start(x, d, e))
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
        if (!of(e, d))
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

/* A deployment that has failed is no target any more, so that its coming and going changes routes.
 */
static enum err write_state(struct supervisor *x, const struct deployment *d, const char *state,
                            const char *words, struct why *why)
{
    struct store_tx *tx = NULL;
    bool routes = (strcmp(state, "failed") == 0) != (strcmp(d->told_state, "failed") == 0);
    enum err err = store_begin(x->models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx, "UPDATE models_deployments SET state = ?, why = ? WHERE id = ?",
                         STORE_ARGS(SV_C(state), SV_C(words), SV_C(d->id)), NULL, why);
    if (!err && routes)
        err = models_generation_raise(tx, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    err = store_commit(tx, why);
    if (!err && routes)
        snapshot_wake(x->models);
    return err;
}

static void tell_deployment(struct supervisor *x, struct deployment *d)
{
    struct tally t = count(x, d);
    char why[320] = "";
    const char *state = "starting";
    int64_t restarts = 0;
    const char *last = "";
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (of(&x->engines[i], d) && x->engines[i].phase == WAITING &&
            x->engines[i].restarts > restarts) {
            restarts = x->engines[i].restarts;
            last = x->engines[i].why;
        }
    bool wanted = d->running && (!d->on_demand || d->awake);
    if (!wanted) {
        state = t.moving + t.now + t.old > 0 ? "draining" : "stopped";
        if (d->running)
            (void)snprintf(why, sizeof why, "on demand: it starts with the first call");
    } else if (t.ready_now + t.ready_old > 0) {
        state = "ready";
        if (t.old > 0)
            (void)snprintf(why, sizeof why, "being replaced: %lld of %lld are new%s%.240s",
                           (long long)t.ready_now, (long long)d->replicas,
                           d->trouble[0] ? ": " : "", d->trouble);
        else if (d->trouble[0] || t.ready_now < d->replicas)
            (void)snprintf(why, sizeof why, "%lld of %lld replicas serve%s%.260s",
                           (long long)t.ready_now, (long long)d->replicas,
                           d->trouble[0] || restarts ? ": " : "",
                           d->trouble[0] ? d->trouble : last);
    } else if (d->failed_spec == d->spec) {
        state = "failed";
        (void)snprintf(why, sizeof why, "%s", d->trouble);
    } else {
        state = restarts >= HOPELESS ? "failed" : "starting";
        (void)snprintf(why, sizeof why, "%s", d->trouble[0] ? d->trouble : last);
    }
    if (strcmp(state, d->told_state) == 0 && strcmp(why, d->told_why) == 0)
        return;
    struct why said = {0};
    if (write_state(x, d, state, why, &said) != ERR_OK) {
        LOG_WARN("could not write how a deployment is", LOG_S("deployment", d->name),
                 LOG_WHY(&said));
        return;
    }
    if (strcmp(state, d->told_state) != 0)
        LOG_INFO("deployment", LOG_S("name", d->name), LOG_S("state", state), LOG_S("why", why));
    (void)snprintf(d->told_state, sizeof d->told_state, "%s", state);
    (void)snprintf(d->told_why, sizeof d->told_why, "%s", why);
    (void)pthread_cond_broadcast(&x->changed);
}

static void reconcile(struct supervisor *x, struct deployment *d)
{
    look_idle(x, d);
    if (!d->running || (d->on_demand && !d->awake)) {
        retire_all(x, d);
    } else {
        struct tally t = count(x, d);
        for (; t.now > d->replicas; t.now--)
            retire(x, least(x, d, false), false);
        /* One more than wanted while old ones are replaced. */
        while (d->failed_spec != d->spec && t.now < d->replicas && t.now + t.old <= d->replicas) {
            if (!new_engine(x, d))
                break;
            t.now++;
        }
        start_due(x, d);
        if (t.old > 0)
            replace(x, d, count(x, d));
    }
    tell_deployment(x, d);
}

/* ---- reading the deployments ---- */

static void copy_text(char *out, size_t size, struct str s)
{
    (void)snprintf(out, size, "%.*s", STR_FMT(s));
}

static enum err file_of(struct models *m, struct str storage, struct str object, struct str path,
                        struct arena *arena, char *out, struct why *why)
{
    const char *found = NULL;
    out[0] = '\0';
    if (str_eq_c(storage, "file")) {
        copy_text(out, MODELS_PATH, path);
        return ERR_OK;
    }
    if (!m->objects)
        return err_set(why, ERR_UNAVAILABLE, "there is no object store here");
    char *name = str_z(arena, object);
    enum err err = name ? objects_path(m->objects, name, arena, &found, why) : ERR_NO_MEMORY;
    if (!err)
        copy_text(out, MODELS_PATH, str_c(found));
    return err;
}

static enum err read_loras(struct models *m, struct store_tx *tx, struct deployment *d,
                           struct str json, struct arena *arena, struct why *why)
{
    const struct json *list;
    struct store_rows r;
    enum err err = json_parse(json, arena, &list, why);
    d->n_loras = 0;
    for (size_t i = 0; !err && i < json_len(list) && i < CHILD_MOST_LORAS; i++) {
        struct version_ref ref;
        char path[MODELS_PATH];
        err = model_version_find(tx, json_str(json_at(list, i), STR("")), arena, &ref, why);
        if (!err)
            err = store_query(tx, "SELECT storage, object, path FROM models_versions WHERE id = ?",
                              STORE_ARGS(SV_STR(ref.id)), arena, &r, why);
        if (!err)
            err = file_of(m, store_str(&r, 0, 0), store_str(&r, 0, 1), store_str(&r, 0, 2), arena,
                          path, why);
        if (!err)
            (void)snprintf(d->loras[d->n_loras++], MODELS_PATH, "%.*s=%.3900s", STR_FMT(ref.model),
                           path);
    }
    return err;
}

static void read_deployment(struct supervisor *x, struct store_tx *tx, const struct store_rows *r,
                            size_t i, struct arena *arena)
{
    char id[UUID_TEXT];
    struct why why = {0};
    copy_text(id, sizeof id, store_str(r, i, 0));
    struct deployment *d = deployment_of(x, id);
    int64_t wake_ms = store_int(r, i, 14);
    if (!d) {
        if (x->n_deployments == MOST_DEPLOYMENTS)
            return;
        d = &x->deployments[x->n_deployments++];
        *d = (struct deployment){.wake_ms = x->began_ms}; /* who was called before sleeps on */
        memcpy(d->id, id, sizeof id);
    }
    if (wake_ms > d->wake_ms)
        d->awake = true;
    if (store_int(r, i, 12) != d->spec) {
        d->failed_spec = 0;
        d->trouble[0] = '\0';
    }
    d->wake_ms = wake_ms;
    d->seen = d->mine = true;
    copy_text(d->name, sizeof d->name, store_str(r, i, 1));
    copy_text(d->version, sizeof d->version, store_str(r, i, 23));
    d->replicas = store_int(r, i, 2);
    d->threads = store_int(r, i, 3);
    d->memory_bytes = store_int(r, i, 4);
    d->context = store_int(r, i, 5);
    d->slots = store_int(r, i, 6);
    copy_text(d->kv_type, sizeof d->kv_type, store_str(r, i, 7));
    d->queue = store_int(r, i, 9);
    d->on_demand = store_int(r, i, 10) != 0;
    d->idle_ms = store_int(r, i, 11);
    d->spec = store_int(r, i, 12);
    struct str wanted = store_str(r, i, 13), state = store_str(r, i, 15);
    d->running = str_eq_c(wanted, "running") && str_eq_c(state, "ready");
    d->patient = str_eq_c(wanted, "drained");
    copy_text(d->modality, sizeof d->modality, store_str(r, i, 19));
    d->trained_context = store_int(r, i, 20);
    copy_text(d->told_state, sizeof d->told_state, store_str(r, i, 21));
    copy_text(d->told_why, sizeof d->told_why, store_str(r, i, 22));
    if (!d->running)
        d->awake = false;
    enum err err = file_of(x->models, store_str(r, i, 16), store_str(r, i, 17), store_str(r, i, 18),
                           arena, d->path, &why);
    if (!err)
        err = read_loras(x->models, tx, d, store_str(r, i, 8), arena, &why);
    if (err) {
        d->failed_spec = d->spec;
        (void)snprintf(d->trouble, sizeof d->trouble, "%s", why_text(&why, err));
    }
}

/* Takes what nobody has: its place is empty, or silent for long. */
static enum err claim(struct supervisor *x, struct why *why)
{
    return store_run(
        x->models->store,
        "UPDATE models_deployments SET place = ? WHERE place <> ? AND (place = '' OR"
        " NOT EXISTS (SELECT 1 FROM models_places p WHERE p.place ="
        " models_deployments.place AND p.alive_ms > ?))",
        STORE_ARGS(SV_C(x->models->place), SV_C(x->models->place), SV_INT(time_now_ms() - DEAD_MS)),
        NULL, why);
}

static enum err read_deployments(struct supervisor *x, struct arena *arena, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows r, g;
    enum err err = store_ask(x->models->store,
                             "SELECT number, (SELECT COUNT(*) FROM models_deployments WHERE"
                             " place = '') FROM models_generation WHERE id = 1",
                             STORE_NO_ARGS, arena, &g, why);
    if (!err && store_int(&g, 0, 0) == x->generation)
        return ERR_OK;
    if (!err && store_int(&g, 0, 1) > 0) /* a new one */
        err = claim(x, why);
    if (!err)
        err = store_begin(x->models->store, STORE_READ, &tx, why);
    if (!err)
        err = store_query(tx,
                          "SELECT d.id, d.name, d.replicas, d.threads, d.memory_bytes, d.context,"
                          " d.slots, d.kv_type, d.loras, d.queue, d.on_demand, d.idle_ms, d.spec,"
                          " d.wanted, d.wake_ms, v.state, v.storage, v.object, v.path, c.modality,"
                          " v.context, d.state, d.why, d.version FROM models_deployments d"
                          " JOIN models_versions v ON v.id = d.version"
                          " JOIN models_cards c ON c.id = v.card WHERE d.place = ? ORDER BY d.name",
                          STORE_ARGS(SV_C(x->models->place)), arena, &r, why);
    for (size_t i = 0; !err && i < x->n_deployments; i++)
        x->deployments[i].seen = false;
    for (size_t i = 0; !err && i < r.n_rows; i++)
        read_deployment(x, tx, &r, i, arena);
    store_rollback(tx);
    if (err)
        return err;
    x->generation = store_int(&g, 0, 0);
    for (size_t i = 0; i < x->n_deployments; i++)
        if (!x->deployments[i].seen) /* removed, or another place took it */
            x->deployments[i].running = x->deployments[i].mine = false;
    return ERR_OK;
}

/* Those that are gone from the table and have no engine left. */
static void drop_gone(struct supervisor *x)
{
    for (size_t i = 0; i < x->n_deployments;) {
        bool used = x->deployments[i].seen;
        for (size_t k = 0; k < MOST_ENGINES && !used; k++)
            used = of(&x->engines[k], &x->deployments[i]);
        if (used)
            i++;
        else
            x->deployments[i] = x->deployments[--x->n_deployments];
    }
}

/* ---- how they are: the prober ---- */

static bool probe(const struct supervisor *x, int port, int64_t *busy, int64_t *requests)
{
    char url[64];
    (void)x;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/health", port);
    struct arena *arena = arena_new(256u << 10);
    const struct json *json = NULL;
    struct http_answer a = {0};
    struct http_call call = {
        .method = "GET", .url = url, .connect_ms = 1000, .total_ms = 3000, .most = 64u << 10};
    bool ok = arena && http_fetch(&call, arena, &a, NULL) == ERR_OK && a.status > 0;
    if (ok && json_parse(a.body, arena, &json, NULL) == ERR_OK) {
        *busy = json_get_int(json, "busy", 0) + json_get_int(json, "queued", 0);
        *requests = json_get_int(json, "requests", 0);
    }
    arena_free(arena);
    return ok;
}

static struct engine *due(struct supervisor *x)
{
    int64_t now = time_now_ms();
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        struct engine *e = &x->engines[i];
        if (!e->used || (e->phase != READY && e->phase != DRAINING) || !e->port)
            continue;
        int64_t every = e->phase == DRAINING || e->misses ? 100 : x->health_ms;
        if (now - e->asked_ms >= every || (e->phase == READY && state_look(x->models, e->id)))
            return e;
    }
    return NULL;
}

static void *run_prober(void *arg)
{
    struct supervisor *x = arg;
    (void)pthread_mutex_lock(&x->lock);
    while (!x->probing_ends) {
        struct engine *e = due(x);
        if (!e) {
            (void)pthread_mutex_unlock(&x->lock);
            time_sleep_ms(50);
            (void)pthread_mutex_lock(&x->lock);
            continue;
        }
        char id[UUID_TEXT];
        int port = e->port;
        int64_t busy = 0, requests = 0;
        memcpy(id, e->id, sizeof id);
        (void)pthread_mutex_unlock(&x->lock);
        bool ok = probe(x, port, &busy, &requests);
        (void)pthread_mutex_lock(&x->lock);
        for (size_t i = 0; i < MOST_ENGINES; i++) {
            e = &x->engines[i];
            if (!e->used || strcmp(e->id, id) != 0)
                continue;
            e->asked_ms = time_now_ms();
            e->misses = ok ? 0 : e->misses + 1;
            if (!ok)
                continue;
            if (busy > 0 || requests != e->requests)
                e->active_ms = e->asked_ms;
            e->busy = busy;
            e->requests = requests;
        }
    }
    (void)pthread_mutex_unlock(&x->lock);
    return NULL;
}

/* ---- the thread ---- */

static void regular(struct supervisor *x, struct why *why)
{
    int64_t now = time_now_ms();
    enum err err = ERR_OK;
    if (now - x->alive_ms >= ALIVE_MS) {
        x->alive_ms = now;
        err = store_run(x->models->store,
                        "INSERT INTO models_places (place, threads, alive_ms) VALUES (?, ?, ?)"
                        " ON CONFLICT (place) DO UPDATE SET threads = excluded.threads,"
                        " alive_ms = excluded.alive_ms",
                        STORE_ARGS(SV_C(x->models->place), SV_INT(x->budget), SV_INT(now)), NULL,
                        why);
        if (!err)
            err = claim(x, why);
        if (!err)
            x->generation = 0; /* look at what was taken */
    }
    if (!err && now - x->swept_ms >= 1000) {
        x->swept_ms = now;
        err = edges_sweep(x->models, why);
    }
    if (err)
        LOG_WARN("the supervisor could not write", LOG_WHY(why));
}

static bool any(const struct supervisor *x)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used)
            return true;
    return false;
}

static bool moving(const struct supervisor *x)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used && x->engines[i].phase != READY)
            return true;
    return false;
}

static void look(struct supervisor *x, struct arena *arena)
{
    struct why why = {0};
    int64_t now = time_now_ms(), ready = 0;
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used)
            watch_engine(x, &x->engines[i]);
    if (x->poked || now - x->looked_ms >= LOOK_MS) {
        x->poked = false;
        x->looked_ms = now;
        regular(x, &why);
        if (read_deployments(x, arena, &why) != ERR_OK)
            LOG_WARN("the deployments could not be read: they stay as they are", LOG_WHY(&why));
        arena_reset(arena);
    }
    for (size_t i = 0; i < x->n_deployments; i++)
        reconcile(x, &x->deployments[i]);
    drop_gone(x);
    for (size_t i = 0; i < MOST_ENGINES; i++)
        ready += x->engines[i].used && x->engines[i].phase == READY;
    metric_set(&engines_ready, ready);
}

static void wait_some(struct supervisor *x)
{
    struct timespec until;
    int64_t ms = moving(x) ? SOON_MS : any(x) ? WATCH_MS : LOOK_MS;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!x->stop && !x->poked)
        (void)pthread_cond_timedwait(&x->wake, &x->lock, &until);
}

/* All engines out of the routes, then ended: what they answer may take until stop_until_ms. */
static void wind_up(struct supervisor *x)
{
    bool left = true;
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used)
            retire(x, &x->engines[i], false);
    while (left) {
        left = false;
        for (size_t i = 0; i < MOST_ENGINES; i++) {
            struct engine *e = &x->engines[i];
            if (!e->used)
                continue;
            if (e->phase == WAITING) { /* died in the meantime */
                forget(x, e);
                continue;
            }
            if (e->until_ms > x->stop_until_ms)
                e->until_ms = x->stop_until_ms;
            watch_engine(x, e);
            if (e->used && time_now_ms() > x->stop_until_ms + GRACE_MS)
                child_kill(&e->child);
            left = left || e->used;
        }
        (void)pthread_mutex_unlock(&x->lock);
        time_sleep_ms(SOON_MS);
        (void)pthread_mutex_lock(&x->lock);
    }
}

static void *run(void *arg)
{
    struct supervisor *x = arg;
    struct arena *arena = arena_new(LOOK_MEMORY);
    (void)pthread_mutex_lock(&x->lock);
    while (arena && !x->stop) {
        look(x, arena);
        wait_some(x);
    }
    wind_up(x);
    (void)pthread_mutex_unlock(&x->lock);
    arena_free(arena);
    return NULL;
}

/* What a supervisor before this one left in the tables; its engines died with it. */
static enum err clean(struct supervisor *x, struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = store_begin(x->models->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx, "DELETE FROM models_replicas WHERE place = ?",
                         STORE_ARGS(SV_C(x->models->place)), NULL, why);
    if (!err)
        err = models_generation_raise(tx, why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

static enum err start_threads(struct supervisor *x, struct why *why)
{
    if (pthread_create(&x->thread, NULL, run, x) != 0)
        return err_set(why, ERR_UNAVAILABLE, "could not start the supervisor's thread");
    if (pthread_create(&x->prober, NULL, run_prober, x) == 0)
        return ERR_OK;
    (void)pthread_mutex_lock(&x->lock);
    x->stop = true;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->thread, NULL);
    return err_set(why, ERR_UNAVAILABLE, "could not start the supervisor's thread");
}

enum err supervisor_start(struct models *m, struct why *why)
{
    char path[MODELS_PATH];
    struct why said = {0};
    struct supervisor *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(why, ERR_NO_MEMORY, "could not hold the supervisor");
    x->models = m;
    x->began_ms = time_now_ms();
    x->budget = conf_int(m->conf, "models.threads");
    if (x->budget == 0)
        x->budget = (int64_t)pool_cores();
    x->memory = conf_int(m->conf, "models.memory");
    x->start_timeout_ms = conf_int(m->conf, "models.start_timeout");
    x->health_ms = conf_int(m->conf, "models.health_every");
    x->drain_ms = conf_int(m->conf, "models.drain");
    (void)snprintf(x->dir, sizeof x->dir, "%s/engines", m->data_dir);
    (void)snprintf(path, sizeof path, "%s/engines/.lock", m->data_dir);
    enum err err = file_make_dirs(x->dir, why);
    if (!err)
        err = file_lock(path, &x->lock_fd, &said);
    if (err == ERR_BUSY) { /* another process of this data directory does it, until it ends */
        free(x);
        return ERR_OK;
    }
    if (err) {
        free(x);
        return err_set(why, err, "%s", why_text(&said, err));
    }
    (void)pthread_mutex_init(&x->lock, NULL);
    (void)pthread_cond_init(&x->wake, NULL);
    (void)pthread_cond_init(&x->changed, NULL);
    err = clean(x, why);
    if (!err)
        err = start_threads(x, why);
    if (err) {
        file_unlock(x->lock_fd);
        free(x);
        return err;
    }
    m->supervisor = x;
    return ERR_OK;
}

void supervisor_take_over(struct models *m)
{
    struct why why = {0};
    if (m->supervisor)
        return;
    if (supervisor_start(m, &why) != ERR_OK)
        LOG_WARN("the engines could not be taken over", LOG_WHY(&why));
    else if (m->supervisor)
        LOG_INFO("this process supervises the engines now", LOG_S("data", m->data_dir));
}

void supervisor_stop(struct models *m, int64_t wait_ms)
{
    struct supervisor *x = m->supervisor;
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->stop = true;
    x->stop_until_ms = time_now_ms() + wait_ms;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->thread, NULL);
    (void)pthread_mutex_lock(&x->lock);
    x->probing_ends = true;
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->prober, NULL);
    struct why why = {0};
    if (store_run(m->store, "DELETE FROM models_places WHERE place = ?", STORE_ARGS(SV_C(m->place)),
                  NULL, &why) != ERR_OK)
        LOG_WARN("could not say that nobody supervises here any more", LOG_WHY(&why));
    m->supervisor = NULL;
    file_unlock(x->lock_fd);
    (void)pthread_cond_destroy(&x->changed);
    (void)pthread_cond_destroy(&x->wake);
    (void)pthread_mutex_destroy(&x->lock);
    free(x);
}

void supervisor_poke(struct models *m)
{
    struct supervisor *x = m->supervisor;
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->poked = true;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
}

/* ---- waking ---- */

/* How the deployment is, from the table: "ready" only when a replica is. */
static enum err how_is(struct models *m, const char *id, bool *ready, struct str *state,
                       struct str *words, struct arena *arena, struct why *why)
{
    struct store_rows r;
    enum err err = store_ask(m->store,
                             "SELECT state, why, (SELECT COUNT(*) FROM models_replicas r WHERE"
                             " r.deployment = d.id AND r.state = 'ready'), wanted, place,"
                             " (SELECT COUNT(*) FROM models_places p WHERE p.place = d.place AND"
                             " p.alive_ms > ?) FROM models_deployments d WHERE id = ?",
                             STORE_ARGS(SV_INT(time_now_ms() - DEAD_MS), SV_C(id)), arena, &r, why);
    if (err)
        return err;
    if (r.n_rows == 0 || !str_eq_c(store_str(&r, 0, 3), "running"))
        return err_set(why, ERR_UNAVAILABLE, "the deployment has been stopped");
    *state = store_str(&r, 0, 0);
    *words = store_str(&r, 0, 1);
    *ready = store_int(&r, 0, 2) > 0;
    if (!m->supervisor && store_int(&r, 0, 5) == 0)
        return err_set(why, ERR_UNAVAILABLE, "nobody starts engines here: the centre does not run");
    return ERR_OK;
}

static enum err ask_to_wake(struct models *m, const char *id, struct why *why)
{
    struct store_tx *tx = NULL;
    struct supervisor *x = m->supervisor;
    if (x) {
        (void)pthread_mutex_lock(&x->lock);
        struct deployment *d = deployment_of(x, id);
        if (d) {
            d->awake = true;
            x->poked = true;
            (void)pthread_cond_signal(&x->wake);
        }
        (void)pthread_mutex_unlock(&x->lock);
        if (d)
            return ERR_OK;
    }
    enum err err = store_begin(m->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_exec(tx, "UPDATE models_deployments SET wake_ms = ? WHERE id = ?",
                         STORE_ARGS(SV_INT(time_now_ms()), SV_C(id)), NULL, why);
    if (!err)
        err = models_generation_raise(tx, why);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

enum err models_wake(struct models *m, const struct models_target *target, int64_t wait_ms,
                     struct why *why)
{
    int64_t until = time_now_ms() + wait_ms;
    if (!target->cold)
        return ERR_OK;
    enum err err = ask_to_wake(m, target->state->id, why);
    while (!err) {
        struct arena *arena = arena_new(64u << 10);
        struct str state = STR(""), words = STR("");
        bool ready = false;
        if (!arena)
            return err_set(why, ERR_NO_MEMORY, "could not wake the deployment");
        err = how_is(m, target->state->id, &ready, &state, &words, arena, why);
        if (!err && ready) {
            arena_free(arena);
            snapshot_wake(m);
            return ERR_OK;
        }
        if (!err && str_eq_c(state, "failed"))
            err = err_set(why, ERR_UNAVAILABLE, "\"%.*s\" could not be started: %.*s",
                          STR_FMT(target->name), STR_FMT(words));
        if (!err && time_now_ms() >= until)
            err = err_set(why, ERR_TIMEOUT, "\"%.*s\" is still starting%s%.*s",
                          STR_FMT(target->name), words.len ? ": " : "", STR_FMT(words));
        arena_free(arena);
        if (err)
            break;
        time_sleep_ms(50);
    }
    return err;
}
