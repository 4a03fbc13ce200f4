/* What the table models_replicas says of the engines. */
#include <stdio.h>

#include "core/log.h"
#include "models/supervise_in.h"

const char *engine_log_path(const struct models *m, struct str deployment, char out[MODELS_PATH])
{
    (void)snprintf(out, MODELS_PATH, "%s/engines/%.*s.log", m->data_dir, STR_FMT(deployment));
    return out;
}

void replica_token_path(const struct supervisor *x, const struct engine *e, char out[MODELS_PATH])
{
    (void)snprintf(out, MODELS_PATH, "%s/%s.token", x->dir, e->id);
}

enum err replica_write(struct supervisor *x, const struct engine *e, struct why *why)
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
    err = models_commit(x->models, tx, err, true, why);
    arena_free(arena);
    return err;
}

void replica_erase(struct supervisor *x, const char *id)
{
    struct store_tx *tx = NULL;
    struct why why = {0};
    enum err err = store_begin(x->models->store, STORE_WRITE, &tx, &why);
    if (!err)
        err = store_exec(tx, "DELETE FROM models_replicas WHERE id = ?", STORE_ARGS(SV_C(id)), NULL,
                         &why);
    err = models_commit(x->models, tx, err, true, &why);
    if (err) /* left over until the next start of a supervisor here; its port answers nobody */
        LOG_WARN("could not remove a replica", LOG_S("replica", id), LOG_WHY(&why));
}

void replica_tell(struct supervisor *x, const struct engine *e)
{
    struct why why = {0};
    if (replica_write(x, e, &why) != ERR_OK)
        LOG_WARN("could not write what a replica does", LOG_S("replica", e->id), LOG_WHY(&why));
}
