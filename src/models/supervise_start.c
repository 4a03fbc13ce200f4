/* Starting an engine: its threads, its command line, its process. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/metric.h"
#include "core/time.h"
#include "models/supervise_in.h"

#define AUTO_CONTEXT       8192
#define MOST_REMEMBERED_MB 512 /* what the engine takes without a word */

static struct metric engines_started =
    METRIC_INIT(METRIC_COUNTER, "yicheng_engines_started_total", "Engines started", NULL);

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
    replica_token_path(x, e, token);
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
    replica_tell(x, e);
    return ERR_OK;
}

static bool has_old(const struct supervisor *x, const struct deployment *d)
{
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (belongs(&x->engines[i], d) && x->engines[i].spec != d->spec)
            return true;
    return false;
}

/* Gives the engine its threads and starts it, or says in d->trouble why not yet. */
bool start_try(struct supervisor *x, struct deployment *d, struct engine *e)
{
    uint64_t bytes = 0;
    struct why why = {0};
    char who[160];
    int64_t spare = x->budget - room_threads_taken(x),
            want = d->threads ? d->threads : room_share(x);
    if (file_size(d->path, &bytes, &why) != ERR_OK) {
        (void)snprintf(d->trouble, sizeof d->trouble, "%s", why.text);
        d->failed_spec = d->spec;
        return false;
    }
    if (spare < 1) {
        (void)snprintf(d->trouble, sizeof d->trouble,
                       "no thread is free: of %lld, %s are taken; it starts when some end",
                       (long long)x->budget, room_who_takes(x, who));
        if (!has_old(x, d)) /* else one of those goes */
            (void)room_make(x, d);
        return false;
    }
    if (!room_memory_allows(x, d, (int64_t)bytes))
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
                       room_who_takes(x, who));
    if (launch(x, d, e, &why) != ERR_OK) {
        (void)snprintf(d->trouble, sizeof d->trouble, "%s", why.text);
        life_again(x, e, why.text);
        return false;
    }
    return true;
}

struct engine *start_new(struct supervisor *x, const struct deployment *d)
{
    struct engine *e = NULL;
    int64_t number = 1;
    for (size_t i = 0; i < MOST_ENGINES && !e; i++)
        if (!x->engines[i].used)
            e = &x->engines[i];
    for (bool taken = true; taken; number += taken) {
        taken = false;
        for (size_t i = 0; i < MOST_ENGINES; i++)
            taken = taken || (belongs(&x->engines[i], d) && x->engines[i].number == number);
    }
    if (!e)
        return NULL;
    *e = (struct engine){.used = true, .phase = WAITING, .number = number, .spec = d->spec};
    e->child.ready_fd = -1;
    (void)uuid7(e->id);
    (void)snprintf(e->deployment, sizeof e->deployment, "%s", d->id);
    return e;
}
