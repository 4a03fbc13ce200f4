/* How a deployment is, in words and in the table models_deployments. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "models/supervise_in.h"

#define HOPELESS 5 /* restarts in a row after which "failed" is said */

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
    return models_commit(x->models, tx, err, routes, why);
}

/* What went wrong with the replica that was started most often in vain. */
static const char *last_trouble(const struct supervisor *x, const struct deployment *d,
                                int64_t *restarts)
{
    const char *last = "";
    *restarts = 0;
    for (size_t i = 0; i < MOST_ENGINES; i++) {
        const struct engine *e = &x->engines[i];
        if (belongs(e, d) && e->phase == WAITING && e->restarts > *restarts) {
            *restarts = e->restarts;
            last = e->why;
        }
    }
    return last;
}

/* The state, and in `why` what a person should know about it. */
static const char *describe(struct supervisor *x, const struct deployment *d, char why[320])
{
    struct tally t = wish_count(x, d);
    int64_t restarts = 0;
    const char *last = last_trouble(x, d, &restarts), *words = d->trouble[0] ? d->trouble : last;
    why[0] = '\0';
    if (!d->running || (d->on_demand && !d->awake)) {
        if (d->running)
            (void)snprintf(why, 320, "on demand: it starts with the first call");
        return t.moving + t.now + t.old > 0 ? "draining" : "stopped";
    }
    if (t.ready_now + t.ready_old == 0) {
        bool failed = d->failed_spec == d->spec;
        (void)snprintf(why, 320, "%s", failed ? d->trouble : words);
        return failed || restarts >= HOPELESS ? "failed" : "starting";
    }
    if (t.old > 0)
        (void)snprintf(why, 320, "being replaced: %lld of %lld are new%s%.240s",
                       (long long)t.ready_now, (long long)d->replicas, d->trouble[0] ? ": " : "",
                       d->trouble);
    else if (d->trouble[0] || t.ready_now < d->replicas)
        (void)snprintf(why, 320, "%lld of %lld replicas serve%s%.260s", (long long)t.ready_now,
                       (long long)d->replicas, d->trouble[0] || restarts ? ": " : "", words);
    return "ready";
}

void tell_deployment(struct supervisor *x, struct deployment *d)
{
    char why[320];
    struct why said = {0};
    const char *state = describe(x, d, why);
    if (strcmp(state, d->told_state) == 0 && strcmp(why, d->told_why) == 0)
        return;
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
