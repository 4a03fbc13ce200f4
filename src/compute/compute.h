/*
 * compute - heavy work as jobs: a spec, progress, a log, cancel, resume, retries, limits.
 *
 * A job is one row of compute_jobs and one folder jobs/<id>/ (spec.json, log, progress, state.json,
 * work files). The local executor runs it as a child process `yicheng job <id>` with limits on
 * memory and time. The job's lock file is held from before the child is started until it is dead,
 * however it ends, so that a job never runs twice at once and a dead one is seen at once; it is run
 * again with what it had saved, up to max_attempts starts without any progress between them. Kinds
 * are bound by main.
 *
 * Threads: a `struct compute` serves any thread; a `struct job` belongs to the thread that runs it,
 * except job_cancelled(), job_progress() and job_log(), which any thread of run() may call.
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
struct http_response;
struct http_table;
struct job;

extern const struct store_migration compute_migrations[];
extern const size_t compute_n_migrations;
extern const struct conf_table compute_conf; /* jobs.slots, jobs.memory, jobs.time ... */

struct job_move;

/* A kind of job. `run` is called in the child process. It may be called again after a crash, with
 * the same spec: it must find out from its saved state (job_saved) what is already done.
 * ERR_CANCELLED is for "I was asked to stop"; an error that err_again() calls passing is tried
 * again later; any other ends the job as failed. */
struct job_kind {
    const char *name;       /* "knowledge.import" */
    const char *summary;    /* one line */
    const char *permission; /* to start one through the API */
    int64_t
        memory_bytes; /* default limit (RLIMIT_AS is not used: resident, watched); 0: jobs.memory */
    int max_attempts; /* 0: jobs.attempts */
    enum err (*run)(void *ctx, struct job *job, struct why *why);
    /*
     * NULL, or for a room that keeps a row beside the job: the job ended as failed or cancelled
     * (words say why), or was queued again by somebody (words are empty). Called inside the
     * transaction that writes this, in whichever process does, so that the row never says
     * "running" for a job that nobody runs. An error undoes the change: for a store that fails,
     * and for a job that may not be run again.
     */
    enum err (*moved)(void *ctx, struct store_tx *tx, const struct job_move *move, struct why *why);
};

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job_move {
    struct str id, tenant;
    enum job_state to; /* JOB_FAILED, JOB_CANCELLED, or JOB_QUEUED: run again by hand */
    struct str words;  /* why it failed */
    struct arena *arena;
};

struct job_info {
    struct str id, kind, title, tenant, actor;
    enum job_state state;
    struct str spec;     /* JSON */
    struct str result;   /* JSON, when done */
    struct str why;      /* when failed; while queued again: of the attempt before */
    int64_t done, total; /* progress; total 0: not known yet */
    struct str phase;    /* what it is doing, for people */
    int attempt;         /* starts since it last made progress, this one counted */
    int max_attempts;
    int64_t starts; /* how often it was started in all */
    int64_t created_ms, started_ms, ended_ms;
    bool cancelling; /* asked to stop, and still running */
};
const char *job_state_name(enum job_state state); /* "queued", "running", ... */

struct compute_opts {
    struct store *store;
    struct ops *ops;
    const struct conf *conf;
    const char *data_dir;
    const char *program;             /* path of the binary, for children */
    const char *const *program_args; /* put before "job <id>": --data DIR ...; NULL-terminated */
};
ERR_MUST_USE enum err compute_open(const struct compute_opts *opts, struct compute **out,
                                   struct why *why);
void compute_close(struct compute *compute); /* stops the executor, leaves children running */

/* Makes a kind known, with what is given to its run(). Rooms above open with the `struct compute`
 * and are bound afterwards; at most COMPUTE_MOST_KINDS, before compute_start and job_run.
 * Submitting a kind that is not bound is ERR_INVALID. */
#define COMPUTE_MOST_KINDS 64
void compute_bind(struct compute *compute, const struct job_kind *kind, void *ctx);

/* Starts the executor's thread (in `serve`): picks queued jobs, one tenant after the other, runs
 * children with low priority (nice), adopts what an earlier process left running, finds what died
 * while nobody looked. compute_stop leaves children running unless `kill` (then they are asked to
 * stop, killed after jobs.grace, and their jobs queued again). */
ERR_MUST_USE enum err compute_start(struct compute *compute, struct why *why);
void compute_stop(struct compute *compute, bool kill);

/* Queues a job in the caller's transaction. dedup_key (may be ""): a queued or running job of the
 * same tenant, kind and key is returned instead of a second one; NULL: the spec's hash is the key.
 * `spec` is a JSON object of at most 1 MiB. The caller has checked that `who` may. */
ERR_MUST_USE enum err job_submit(struct store_tx *tx, struct compute *compute,
                                 const struct ops_identity *who, const char *kind,
                                 const char *title, struct str spec, const char *dedup_key,
                                 char id[UUID_TEXT], struct why *why);
/* The same in a transaction of its own. */
ERR_MUST_USE enum err job_submit_alone(struct compute *compute, const struct ops_identity *who,
                                       const char *kind, const char *title, struct str spec,
                                       const char *dedup_key, char id[UUID_TEXT], struct why *why);
/* The answer to who asked for a job: 202 and {"id": thing, "job": {"id", "kind", "state"}}; thing
 * NULL: without. For handlers of rooms above. */
void job_accepted(struct http_response *res, const char *thing, const char *id, const char *kind);
/* For who started it, and for jobs.manage. A queued job ends at once; a running one is asked to
 * stop (SIGTERM) and killed after jobs.grace. ERR_CONFLICT when it has ended already. */
ERR_MUST_USE enum err job_cancel(struct compute *compute, const struct ops_identity *who,
                                 const char *id, struct why *why);
/* Queues a failed or cancelled job again; what it had saved is kept, so it goes on from there. */
ERR_MUST_USE enum err job_retry(struct compute *compute, const struct ops_identity *who,
                                const char *id, struct why *why);
/* Of any tenant: the caller compares out->tenant. */
ERR_MUST_USE enum err job_find(struct compute *compute, const char *id, struct arena *arena,
                               struct job_info *out, struct why *why);
/* Newest first. tenant NULL: of all; state NULL or "": any; before (id, NULL or "": from the
 * newest) is where the page before ended; limit 1 .. 1000. */
ERR_MUST_USE enum err job_list(struct compute *compute, const char *tenant, const char *state,
                               int limit, const char *before, struct arena *arena,
                               struct job_info **out, size_t *n, struct why *why);
/* The end of the job's log from byte `from` on, at most `most` bytes; empty when there is none.
 * *next (may be NULL) is the `from` for what will come. A log that outgrew jobs.log loses its
 * middle; a `from` behind its end then starts anew. */
ERR_MUST_USE enum err job_log_read(struct compute *compute, const char *id, int64_t from,
                                   size_t most, struct arena *arena, struct str *out, int64_t *next,
                                   struct why *why);

/* The child's side: `yicheng job ID`. Also how a command runs a queued job in the foreground.
 * ERR_BUSY when another process runs it, ERR_CONFLICT when it has ended; else what run() gave. */
ERR_MUST_USE enum err job_run(struct compute *compute, const char *id, struct why *why);

/* ---- for run() ---- */
struct str job_id(struct job *job);
const struct json *job_spec(struct job *job);
struct ops_identity job_actor(struct job *job);
const char *job_dir(struct job *job);     /* jobs/<id>, for work files */
struct arena *job_arena(struct job *job); /* of the whole run, limited by the job's memory */
bool job_cancelled(struct job *job);      /* cheap, ask often; then return ERR_CANCELLED */
/* Cheap (no system call): stored in a mapped file, and from there at most 4 times a second in the
 * table. done going up is what counts as progress between attempts. */
void job_progress(struct job *job, int64_t done, int64_t total, const char *phase);
void job_log(struct job *job, const char *fmt, ...) ERR_PRINTF(2, 3);
/* State that survives a crash: one JSON document, replaced atomically and durably. */
ERR_MUST_USE enum err job_save(struct job *job, struct str json, struct why *why);
ERR_MUST_USE enum err job_saved(struct job *job, struct arena *arena, const struct json **out,
                                struct why *why);  /* *out NULL when nothing was saved */
void job_result(struct job *job, struct str json); /* copied; the last one counts */

const struct http_table *
compute_routes(struct compute *compute); /* /api/jobs ... with log and events */

#endif
