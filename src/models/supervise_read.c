/* Reading the deployments that are this place's to run. */
#include <stdio.h>
#include <string.h>

#include "core/time.h"
#include "models/supervise_in.h"
#include "objects/objects.h"

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
enum err wanted_claim(struct supervisor *x, struct why *why)
{
    return store_run(
        x->models->store,
        "UPDATE models_deployments SET place = ? WHERE place <> ? AND (place = '' OR"
        " NOT EXISTS (SELECT 1 FROM models_places p WHERE p.place ="
        " models_deployments.place AND p.alive_ms > ?))",
        STORE_ARGS(SV_C(x->models->place), SV_C(x->models->place), SV_INT(time_now_ms() - DEAD_MS)),
        NULL, why);
}

enum err wanted_read(struct supervisor *x, struct arena *arena, struct why *why)
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
        err = wanted_claim(x, why);
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
void wanted_drop_gone(struct supervisor *x)
{
    for (size_t i = 0; i < x->n_deployments;) {
        bool used = x->deployments[i].seen;
        for (size_t k = 0; k < MOST_ENGINES && !used; k++)
            used = belongs(&x->engines[k], &x->deployments[i]);
        if (used)
            i++;
        else
            x->deployments[i] = x->deployments[--x->n_deployments];
    }
}
