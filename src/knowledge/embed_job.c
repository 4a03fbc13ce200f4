/*
 * embed_job: gives every passage of a base a vector of the base's embedder. What has one keeps it,
 * so the job may be stopped, killed and run again at any time, and after an import it embeds what
 * is new.
 */
#include "compute/compute.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/log.h"
#include "core/map.h"
#include "knowledge/dense.h"
#include "knowledge/room.h"

#include <stdio.h>
#include <string.h>

#define BATCH        32
#define BATCH_MEMORY ((size_t)64 << 20)

struct embedding {
    struct knowledge *k;
    const struct ops_identity *who;
    const struct catalog *catalog;
    char *path;
    struct dense *dense; /* what was there at the start */
    struct arena *arena; /* of the run */
    struct arena *batch; /* of a batch */
    struct map added;    /* keys of this run */
    struct str texts[BATCH];
    uint64_t keys[BATCH];
    size_t n;
    int64_t done, total, n_new;
    knowledge_progress_fn *progress;
    void *ctx;
};

static enum err flush(struct embedding *e, struct why *why)
{
    float *vectors = NULL;
    size_t dim = 0;
    if (e->n == 0)
        return ERR_OK;
    enum err err = dense_ask(e->k, e->who, e->catalog->embedder, e->texts, e->n, e->batch, &vectors,
                             &dim, why);
    if (!err)
        err = dense_add(e->path, e->keys, vectors, e->n, dim, why);
    e->n_new += err ? 0 : (int64_t)e->n;
    e->n = 0;
    arena_reset(e->batch);
    if (!err && e->progress && !e->progress(e->ctx, e->done, e->total, "making vectors"))
        err = err_set(why, ERR_CANCELLED, "the embedding was stopped");
    return err;
}

static enum err take(struct embedding *e, const struct index_passage *passage, struct why *why)
{
    uint64_t *key = arena_one(e->arena, uint64_t);
    bool made = false;
    if (!key)
        return err_set(why, ERR_NO_MEMORY, "could not embed a base");
    *key = dense_key(passage);
    e->done++;
    if (dense_find(e->dense, *key) >= 0)
        return ERR_OK;
    if (!map_put(&e->added, (struct str){(const char *)key, sizeof *key}, &made))
        return err_set(why, ERR_NO_MEMORY, "could not embed a base");
    if (!made) /* the same words twice */
        return ERR_OK;
    e->keys[e->n] = *key;
    e->texts[e->n] = dense_words(passage, e->batch);
    if (!e->texts[e->n].ptr)
        return err_set(why, ERR_NO_MEMORY, "could not embed a base");
    return ++e->n == BATCH ? flush(e, why) : ERR_OK;
}

static enum err embed_segment(struct embedding *e, const char *path, struct why *why)
{
    struct index *index = NULL;
    enum err err = index_open(path, &index, why);
    for (uint32_t i = 0; !err && i < index_n_passages(index); i++) {
        struct index_passage passage;
        index_get(index, i, &passage);
        err = take(e, &passage, why);
    }
    index_close(index);
    return err;
}

/* The views of before know nothing of the new rows: a new revision makes new ones. */
static enum err tell(struct embedding *e, struct why *why)
{
    struct store_tx *tx = NULL;
    char detail[96];
    (void)snprintf(detail, sizeof detail, "{\"vectors\":%lld}", (long long)e->n_new);
    enum err err = store_begin(e->k->opts.store, STORE_WRITE, &tx, why);
    if (!err)
        err = base_touch(tx, e->catalog->kb_id, why);
    if (!err)
        err = ops_audit(tx, e->who, "knowledge.base.embed", e->catalog->kb_id, "ok", str_c(detail),
                        why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

static enum err run_locked(struct embedding *e, struct why *why)
{
    enum err err = dense_open(e->path, &e->dense, why);
    if (err == ERR_CORRUPT) { /* never the only copy: made anew */
        *why = (struct why){{0}};
        err = file_remove(e->path, why);
        if (!err)
            err = dense_open(e->path, &e->dense, why);
    }
    for (uint32_t s = 0; !err && s < e->catalog->n_segments; s++)
        err = embed_segment(e, e->catalog->segments[s].path.ptr, why);
    if (!err)
        err = flush(e, why);
    return err || e->n_new == 0 ? err : tell(e, why);
}

enum err knowledge_embed(struct knowledge *k, const struct ops_identity *who, const char *kb,
                         knowledge_progress_fn *progress, void *ctx, int64_t *n_new,
                         struct why *why)
{
    struct embedding e = {.k = k, .who = who, .progress = progress, .ctx = ctx};
    char lock[4096];
    int fd = -1;
    e.arena = arena_new((size_t)1 << 30);
    e.batch = arena_new(BATCH_MEMORY);
    enum err err = e.arena && e.batch ? catalog_of(k, who, str_c(kb), &e.catalog, why)
                                      : err_set(why, ERR_NO_MEMORY, "could not embed a base");
    if (!err && e.catalog->embedder.len == 0)
        err = err_set(why, ERR_CONFLICT, "the base \"%s\" names no model that embeds", kb);
    if (!err) {
        map_init(&e.added, e.arena);
        e.path = dense_path(e.catalog->dir.ptr, e.catalog->embedder, e.arena);
        if (!e.path || snprintf(lock, sizeof lock, "%s.lock", e.path) >= (int)sizeof lock)
            err = err_set(why, ERR_NO_MEMORY, "could not embed a base");
    }
    for (uint32_t v = 0; !err && v < e.catalog->n_versions; v++)
        e.total += e.catalog->versions[v].n_passages;
    if (!err)
        err = file_lock(lock, &fd, why);
    if (!err)
        err = run_locked(&e, why);
    if (fd >= 0)
        file_unlock(fd);
    if (n_new)
        *n_new = e.n_new;
    dense_close(e.dense);
    catalog_release(e.catalog);
    arena_free(e.batch);
    arena_free(e.arena);
    return err;
}

/* ---- the job ---- */

static bool on_progress(void *ctx, int64_t done, int64_t total, const char *phase)
{
    job_progress(ctx, done, total, phase);
    return !job_cancelled(ctx);
}

static enum err run(void *ctx, struct job *job, struct why *why)
{
    struct ops_identity who = job_actor(job);
    char *kb = str_z(job_arena(job), json_get_str(job_spec(job), "kb", STR("")));
    int64_t n_new = 0;
    if (!kb)
        return err_set(why, ERR_NO_MEMORY, "could not begin");
    enum err err = knowledge_embed(ctx, &who, kb, on_progress, job, &n_new, why);
    struct str result = str_printf(job_arena(job), "{\"vectors\":%lld}", (long long)n_new);
    if (!err && result.ptr)
        job_result(job, result);
    return err;
}

const struct job_kind knowledge_embed_job = {
    .name = "knowledge.embed",
    .summary = "Give the passages of a knowledge base vectors of its model",
    .permission = "knowledge.write",
    .memory_bytes = (int64_t)2 << 30,
    .max_attempts = 10,
    .run = run,
};
