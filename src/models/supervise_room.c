/* Threads and memory: who has them, who gets some, who makes room. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/time.h"
#include "models/supervise_in.h"

int64_t room_threads_taken(const struct supervisor *x)
{
    int64_t n = 0;
    for (size_t i = 0; i < MOST_ENGINES; i++)
        if (x->engines[i].used && x->engines[i].child.pid > 0)
            n += x->engines[i].threads;
    return n;
}

/* An even share for each replica that shall run. */
int64_t room_share(const struct supervisor *x)
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

bool room_memory_allows(struct supervisor *x, struct deployment *d, int64_t bytes)
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
bool room_make(struct supervisor *x, const struct deployment *d)
{
    int64_t now = time_now_ms(), fair = room_share(x);
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

const char *room_who_takes(const struct supervisor *x, char out[160])
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < x->n_deployments; i++) {
        int64_t n = 0;
        for (size_t k = 0; k < MOST_ENGINES; k++)
            if (belongs(&x->engines[k], &x->deployments[i]) && x->engines[k].child.pid > 0)
                n += x->engines[k].threads;
        if (n && used + 20 < 160)
            used += (size_t)snprintf(out + used, 160 - used, "%s\"%.60s\" %lld", used ? ", " : "",
                                     x->deployments[i].name, (long long)n);
        used = used < 159 ? used : 159;
    }
    return out;
}
