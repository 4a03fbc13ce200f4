/*
 * compute - heavy work as jobs: a spec, progress, a log, cancel, resume, retries, limits.
 *
 * A job is one row of compute_jobs and one folder jobs/<id>/ (spec.json, log, work files). The
 * local executor runs it as a child process `yicheng job <id>` with limits on memory and time; the
 * child takes the job's lock file, so that a job never runs twice at once, and reports progress
 * into the table. A child that dies (kill -9, out of memory) is seen at once and run again with
 * what it had saved, up to max_attempts. Kinds are handed in as a table by main.
 */
#ifndef COMPUTE_COMPUTE_H
#define COMPUTE_COMPUTE_H

#include "core/hash.h"
#include "core/json.h"
#include "core/str.h"
#include "ops/ops.h"
#include "store/store.h"

struct arena;
struct compute;
struct conf_table;
struct http_table;
struct job;

extern const struct store_migration compute_migrations[];
extern const size_t compute_n_migrations;
extern const struct conf_table compute_conf; /* jobs.slots, jobs.memory, jobs.time ... */

/* A kind of job. `run` is called in the child process. It may be called again after a crash, with
 * the same spec: it must find out from its saved state (job_state) what is already done. */
struct job_kind {
    const char *name;       /* "knowledge.import" */
    const char *summary;    /* one line */
    const char *permission; /* to start one through the API */
    int64_t
        memory_bytes; /* default limit (RLIMIT_AS is not used: resident, watched); 0: jobs.memory */
    int max_attempts;
    enum err (*run)(void *ctx, struct job *job, struct why *why);
};

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job_info {
    struct str id, kind, title, tenant, actor;
    enum job_state state;
    struct str spec;     /* JSON */
    struct str result;   /* JSON, when done */
    struct str why;      /* when failed */
    int64_t done, total; /* progress; total 0: not known yet */
    struct str phase;    /* what it is doing, for people */
    int attempt, max_attempts;
    int64_t created_ms, started_ms, ended_ms;
};

struct compute_opts {
    struct store *store;
    const struct conf *conf;
    const char *data_dir;
    const char *program;             /* path of the binary, for children */
    const char *const *program_args; /* put before "job <id>": --data DIR ...; NULL-terminated */
};
ERR_MUST_USE enum err compute_open(const struct compute_opts *opts, struct compute **out,
                                   struct why *why);
void compute_close(struct compute *compute);

/* Makes a kind known, with what is given to its run(). Rooms above open with the `struct compute`
 * and are bound afterwards; at most COMPUTE_MOST_KINDS, before compute_start and job_run.
 * Submitting a kind that is not bound is ERR_INVALID. */
#define COMPUTE_MOST_KINDS 64
void compute_bind(struct compute *compute, const struct job_kind *kind, void *ctx);

/* Starts the executor's thread (in `serve`): picks queued jobs, runs children with low priority
 * (nice), adopts what an earlier process left. compute_stop leaves children running unless `kill`.
 */
ERR_MUST_USE enum err compute_start(struct compute *compute, struct why *why);
void compute_stop(struct compute *compute, bool kill);

/* Queues a job in the caller's transaction. dedup_key (may be ""): a queued or running job of the
 * same kind and key is returned instead of a second one. */
ERR_MUST_USE enum err job_submit(struct store_tx *tx, struct compute *compute,
                                 const struct ops_identity *who, const char *kind,
                                 const char *title, struct str spec, const char *dedup_key,
                                 char id[UUID_TEXT], struct why *why);
ERR_MUST_USE enum err job_cancel(struct compute *compute, const struct ops_identity *who,
                                 const char *id, struct why *why);
ERR_MUST_USE enum err job_retry(struct compute *compute, const struct ops_identity *who,
                                const char *id, struct why *why);
ERR_MUST_USE enum err job_find(struct compute *compute, const char *id, struct arena *arena,
                               struct job_info *out, struct why *why);
ERR_MUST_USE enum err job_list(struct compute *compute, const char *tenant, const char *state,
                               int limit, const char *before, struct arena *arena,
                               struct job_info **out, size_t *n, struct why *why);

/* The child's side: `yicheng job ID`. ERR_BUSY when another process runs it. Also how a command
 * runs a job in the foreground. */
ERR_MUST_USE enum err job_run(struct compute *compute, const char *id, struct why *why);

/* ---- for run() ---- */
struct str job_id(struct job *job);
const struct json *job_spec(struct job *job);
struct ops_identity job_actor(struct job *job);
const char *job_dir(struct job *job); /* jobs/<id>, for work files */
struct arena *job_arena(struct job *job);
bool job_cancelled(struct job *job); /* ask often; then return ERR_CANCELLED */
void job_progress(struct job *job, int64_t done, int64_t total,
                  const char *phase); /* cheap; written at most 4 times a second */
void job_log(struct job *job, const char *fmt, ...) ERR_PRINTF(2, 3);
/* State that survives a crash: one JSON document, replaced atomically (file state.json). */
ERR_MUST_USE enum err job_save(struct job *job, struct str json, struct why *why);
ERR_MUST_USE enum err job_saved(struct job *job, struct arena *arena, const struct json **out,
                                struct why *why); /* *out NULL when nothing was saved */
void job_result(struct job *job, struct str json);

const struct http_table *
compute_routes(struct compute *compute); /* /api/jobs ... with log and events */

#endif
