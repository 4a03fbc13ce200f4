/*
 * models/supervise_in - what the files of the supervisor share; nobody else includes it.
 *
 *   supervise          the thread: start, look, stop        supervise_read   the deployments' rows
 *   supervise_wish     what each wants, engine by engine    supervise_tell   how each is, in words
 *   supervise_life     an engine's phases                   supervise_start  threads, process
 *   supervise_room     threads and memory                   supervise_probe  the second thread
 *   supervise_replica  the table of the engines             wake             calls to who sleeps
 *
 * Everything but the prober's waiting and wake's asking happens under supervisor.lock.
 */
#ifndef MODELS_SUPERVISE_IN_H
#define MODELS_SUPERVISE_IN_H

#include "models/child.h"
#include "models/models_in.h"

#define MOST_ENGINES     256
#define MOST_DEPLOYMENTS 256
#define GRACE_MS         5000  /* between SIGTERM with nothing to finish and SIGKILL */
#define DEAD_MS          20000 /* a place that was silent so long has no supervisor */

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

/* ---- supervise ---- */
struct deployment *deployment_of(struct supervisor *x, const char *id); /* NULL: none */
bool belongs(const struct engine *e, const struct deployment *d);

/* ---- supervise_replica ---- */
void replica_token_path(const struct supervisor *x, const struct engine *e, char out[MODELS_PATH]);
ERR_MUST_USE enum err replica_write(struct supervisor *x, const struct engine *e, struct why *why);
void replica_erase(struct supervisor *x, const char *id);
void replica_tell(struct supervisor *x,
                  const struct engine *e); /* a failure is a line in the log */

/* ---- supervise_life ---- */
void life_forget(struct supervisor *x, struct engine *e);
/* It is dead and was not asked to: again, later each time. */
void life_again(struct supervisor *x, struct engine *e, const char *words);
/* The right way out for whatever it is doing. */
void life_retire(struct supervisor *x, struct engine *e, bool patient);
/* What it does by itself. */
void life_watch(struct supervisor *x, struct engine *e);

/* ---- supervise_room ---- */
int64_t room_threads_taken(const struct supervisor *x);
int64_t room_share(const struct supervisor *x); /* threads of each replica that shall run */
bool room_memory_allows(struct supervisor *x, struct deployment *d, int64_t bytes);
/* Asks somebody to end who can be spared; true when threads come free. */
bool room_make(struct supervisor *x, const struct deployment *d);
const char *room_who_takes(const struct supervisor *x, char out[160]); /* "a" 2, "b" 1 */

/* ---- supervise_start ---- */
/* A place for one more engine of the deployment, waiting; NULL when there is none. */
struct engine *start_new(struct supervisor *x, const struct deployment *d);
/* Gives it its threads and starts it, or says in d->trouble why not yet. */
bool start_try(struct supervisor *x, struct deployment *d, struct engine *e);

/* ---- supervise_wish ---- */
struct tally {
    int64_t now, old, ready_now, ready_old, moving; /* moving: draining or ending */
};
struct tally wish_count(struct supervisor *x, const struct deployment *d);
void wish_reconcile(struct supervisor *x, struct deployment *d);

/* ---- supervise_tell ---- */
void tell_deployment(struct supervisor *x, struct deployment *d); /* when it is another than told */

/* ---- supervise_read ---- */
/* Takes the deployments that nobody has: their place is empty, or silent for long. */
ERR_MUST_USE enum err wanted_claim(struct supervisor *x, struct why *why);
/* Nothing to do unless the generation has moved. */
ERR_MUST_USE enum err wanted_read(struct supervisor *x, struct arena *arena, struct why *why);
void wanted_drop_gone(struct supervisor *x); /* that are gone from the table and have no engine */

/* ---- supervise_probe ---- */
void *probe_run(void *supervisor);

#endif
