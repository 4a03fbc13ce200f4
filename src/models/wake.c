/* Waking a deployment that is started on demand, from any process. */
#include "core/time.h"
#include "models/supervise_in.h"

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
