/*
 * compute/compute_in - what the files of this room share; nobody else includes it.
 */
#ifndef COMPUTE_COMPUTE_IN_H
#define COMPUTE_COMPUTE_IN_H

#include <pthread.h>
#include <sys/types.h>

#include "compute/compute.h"
#include "core/arena.h"

#define JOB_PATH     4096
#define JOB_PHASE    160        /* bytes of a phase with '\0' */
#define JOB_MOST_WHY 512        /* bytes of words kept */
#define JOB_SPEC     (1u << 20) /* most bytes of a spec or a result */
#define JOB_LOCK_ENV "YICHENG_JOB_LOCK"
#define JOB_LOCK_FD  3

struct bound_kind {
    const struct job_kind *kind;
    void *ctx;
};

struct executor;

struct compute {
    struct store *store;
    struct ops *ops;
    struct arena *arena;
    char dir[JOB_PATH / 2]; /* jobs/ */
    char place[JOB_PATH];   /* "<host>:<dir>": whose locks this machine can see */
    const char *program;
    const char *const *program_args;
    struct bound_kind kinds[COMPUTE_MOST_KINDS];
    size_t n_kinds;
    int64_t slots, memory, time_ms, attempts, backoff_ms, grace_ms, keep_ms, log_bytes, nice;
    struct executor *executor; /* NULL when it does not run here */
};

/* ---- compute.c ---- */
const struct bound_kind *compute_kind(const struct compute *compute, struct str name);
/* Tells the kind (of any name, bound or not) that its job moved. */
ERR_MUST_USE enum err job_tell(const struct compute *compute, struct store_tx *tx, struct str kind,
                               const struct job_move *move, struct why *why);
/* jobs/<id>/<name>, or jobs/<id> for ""; false when it is too long or `id` is no UUID. */
bool compute_path(const struct compute *compute, struct str id, const char *name,
                  char out[JOB_PATH]);
#define JOB_COLUMNS                                                                                \
    "id, kind, title, tenant, actor, state, spec, result, why, done, total, phase, attempt,"       \
    " max_attempts, created_ms, started_ms, ended_ms, cancel, starts"
void job_info_fill(const struct store_rows *rows, size_t row, struct job_info *out);
/* The actor as an identity for the ledger, also when the account is gone. */
struct ops_identity job_identity(struct str actor, struct str tenant);

/* ---- executor.c ---- */
/* Something was queued or cancelled, by a transaction that will commit in a moment: look soon, and
 * often for a while. Without an executor here: nothing. */
void executor_wake(struct compute *compute);

/* ---- progress.c: a mapped file that survives the process ---- */
struct progress {
    int64_t done, total;
    char phase[JOB_PHASE];
};
struct progress_file;
enum err progress_open(const char *path, struct progress_file **out, struct why *why);
void progress_close(struct progress_file *file);
void progress_put(struct progress_file *file, int64_t done, int64_t total, const char *phase);
/* false when there is none, or it was being written just now. */
bool progress_read(const char *path, struct progress *out);

/* ---- log.c ---- */
/* Cuts the middle out of a log that is longer than `most`. Others may append meanwhile. */
void job_log_trim(int fd, int64_t most);

/* ---- end.c: how an attempt ends; the only writers of `state` behind 'running' ---- */
enum end_kind {
    END_DONE,      /* run() said ok */
    END_FAILED,    /* for good */
    END_CANCELLED, /* as asked */
    END_DIED,      /* crashed, or said something passing: again, if there are attempts left */
    END_STOPPED    /* not its fault (the centre stops): again, without counting */
};
struct job_end {
    enum end_kind kind;
    int64_t starts;    /* which start ends: an end that comes late does not touch the next one */
    struct str result; /* JSON or empty */
    const char *why;   /* words, or "" */
    struct progress progress;
};
/* One transaction with its entry in the ledger. Does nothing when that start is not running. */
enum err job_end(struct compute *compute, const char *id, const struct job_end *end,
                 struct why *why);

/* ---- proc.c: what /proc says ---- */
/* Start time of the process in clock ticks since boot: with the pid it names a process for good.
 * 0 when there is no such process (or it is a zombie). */
int64_t proc_start(pid_t pid);
/* Resident bytes of all processes of the group; 0 when there are none. */
int64_t proc_group_rss(pid_t group);

#endif
