/* The child's side: one job in this process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/compute_in.h"
#include "core/file.h"
#include "core/log.h"
#include "core/time.h"
#include "core/utf8.h"

#define ASK_MS     1000 /* how often the table is asked whether to stop, in the foreground */
#define MOST_LINE  2000
#define SAVED_MOST (64u << 20)

struct job {
    struct compute *compute;
    struct arena *arena;
    struct job_info info;
    const struct bound_kind *kind;
    const struct json *spec;
    struct ops_identity actor;
    char dir[JOB_PATH];
    int lock, log;
    bool child; /* of the executor: it sends SIGTERM */
    struct progress_file *progress;
    pthread_mutex_t log_lock;
    _Atomic int64_t asked_ms; /* when the table was last asked */
    atomic_bool cancel;
    char *result;
};

static volatile sig_atomic_t told_to_stop;

static void on_stop(int signal)
{
    (void)signal;
    told_to_stop = 1;
}

/* ---- what run() calls ---- */

struct str job_id(struct job *job)
{
    return job->info.id;
}

const struct json *job_spec(struct job *job)
{
    return job->spec;
}

struct ops_identity job_actor(struct job *job)
{
    return job->actor;
}

const char *job_dir(struct job *job)
{
    return job->dir;
}

struct arena *job_arena(struct job *job)
{
    return job->arena;
}

/* Without the executor nobody sends a signal when the job is cancelled: the table is asked, by
 * reading, which never waits for a writer (this job may be one just now). */
static void ask_table(struct job *job)
{
    struct store_rows rows;
    int64_t now = time_now_ms(), last = atomic_load(&job->asked_ms);
    if (now - last < ASK_MS || !atomic_compare_exchange_strong(&job->asked_ms, &last, now))
        return;
    struct arena *arena = arena_new(64 << 10);
    char id[UUID_TEXT];
    (void)snprintf(id, sizeof id, "%.*s", STR_FMT(job->info.id));
    if (arena && store_ask(job->compute->store, "SELECT cancel FROM compute_jobs WHERE id = ?",
                           STORE_ARGS(SV_C(id)), arena, &rows, NULL) == ERR_OK)
        atomic_store(&job->cancel, store_int(&rows, 0, 0) != 0);
    arena_free(arena);
}

bool job_cancelled(struct job *job)
{
    if (told_to_stop)
        return true;
    if (!job->child)
        ask_table(job);
    return atomic_load(&job->cancel);
}

void job_progress(struct job *job, int64_t done, int64_t total, const char *phase)
{
    progress_put(job->progress, done, total, phase);
}

void job_log(struct job *job, const char *fmt, ...)
{
    char line[MOST_LINE + TIME_TEXT + 4], when[TIME_TEXT];
    va_list args;
    int at = snprintf(line, sizeof line, "%s ", time_format(time_now_ms(), when));
    va_start(args, fmt);
    int n = vsnprintf(line + at, MOST_LINE, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    size_t len = (size_t)at + (size_t)(n < MOST_LINE ? n : MOST_LINE - 1);
    line[len++] = '\n';
    (void)pthread_mutex_lock(&job->log_lock);
    if (file_write_fd(job->log, (struct str){line, len}, NULL) == ERR_OK)
        job_log_trim(job->log, job->compute->log_bytes);
    (void)pthread_mutex_unlock(&job->log_lock);
}

enum err job_save(struct job *job, struct str json, struct why *why)
{
    char path[JOB_PATH];
    if (!compute_path(job->compute, job->info.id, "state.json", path))
        return err_set(why, ERR_INTERNAL, "the job's folder has no path");
    return file_write(path, json, 0640, why);
}

enum err job_saved(struct job *job, struct arena *arena, const struct json **out, struct why *why)
{
    char path[JOB_PATH];
    struct str text;
    struct why none = {0};
    *out = NULL;
    if (!compute_path(job->compute, job->info.id, "state.json", path))
        return err_set(why, ERR_INTERNAL, "the job's folder has no path");
    enum err err = file_read(path, SAVED_MOST, arena, &text, &none);
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err)
        return err_set(why, err, "%s", none.text);
    err = json_parse(text, arena, out, why);
    if (err)
        err_prefix(why, "what the job had saved");
    return err ? ERR_CORRUPT : ERR_OK;
}

void job_result(struct job *job, struct str json)
{
    char *copy = json.len <= JOB_SPEC ? malloc(json.len + 1) : NULL;
    if (!copy) {
        job_log(job, "the result of %zu bytes was not kept", json.len);
        return;
    }
    memcpy(copy, json.ptr ? json.ptr : "", json.len);
    copy[json.len] = '\0';
    free(job->result);
    job->result = copy;
}

/* ---- the lock ---- */

/* The executor took the lock and handed it down as an open file: nobody can have come between. */
static bool inherited_lock(const char *path, int *fd)
{
    const char *text = getenv(JOB_LOCK_ENV);
    struct stat a, b;
    int64_t n;
    if (!text || !str_to_i64(str_c(text), &n) || n < 3 || n > 1024)
        return false;
    if (fstat((int)n, &a) != 0 || stat(path, &b) != 0 || a.st_dev != b.st_dev ||
        a.st_ino != b.st_ino)
        return false;
    (void)fcntl((int)n, F_SETFD, FD_CLOEXEC); /* what the job starts must not keep it */
    (void)unsetenv(JOB_LOCK_ENV);
    *fd = (int)n;
    return true;
}

static enum err take_lock(struct job *job, struct why *why)
{
    char path[JOB_PATH];
    struct why held = {0};
    if (!compute_path(job->compute, job->info.id, "", job->dir) ||
        !compute_path(job->compute, job->info.id, "lock", path))
        return err_set(why, ERR_NOT_FOUND, "there is no such job");
    enum err err = file_make_dirs(job->dir, why);
    if (err)
        return err;
    job->child = inherited_lock(path, &job->lock);
    if (job->child)
        return ERR_OK;
    err = file_lock(path, &job->lock, &held);
    if (err == ERR_BUSY)
        return err_set(why, err, "another process runs this job");
    return err ? err_set(why, err, "%s", held.text) : ERR_OK;
}

/* ---- begin ---- */

/* A child says who it is, in case the executor dies before it can. */
static enum err claim_child(struct job *job, const char *id, struct why *why)
{
    if (job->info.state != JOB_RUNNING)
        return err_set(why, ERR_CONFLICT, "the job is not to be run: it is %s",
                       job_state_name(job->info.state));
    return store_run(job->compute->store,
                     "UPDATE compute_jobs SET pid = ?, pid_start = ? WHERE id = ? AND starts = ?",
                     STORE_ARGS(SV_INT(getpid()), SV_INT(proc_start(getpid())), SV_C(id),
                                SV_INT(job->info.starts)),
                     NULL, why);
}

/* In the foreground this process is the one that claims; a row that is 'running' while its lock was
 * free belongs to a process that died. */
static enum err claim_foreground(struct job *job, const char *id, struct why *why)
{
    int64_t n = 0;
    struct job_info now;
    enum err err = store_run(
        job->compute->store,
        "UPDATE compute_jobs SET state = 'running', cancel = 0, attempt = attempt + 1,"
        " starts = starts + 1, started_ms = ?, place = ?, runner = '', pid = ?, pid_start = ?"
        " WHERE id = ? AND state IN ('queued', 'running')",
        STORE_ARGS(SV_INT(time_now_ms()), SV_C(job->compute->place), SV_INT(getpid()),
                   SV_INT(proc_start(getpid())), SV_C(id)),
        &n, why);
    if (!err && n == 0)
        err = err_set(why, ERR_CONFLICT, "the job has ended already: %s",
                      job_state_name(job->info.state));
    if (!err)
        err = job_find(job->compute, id, job->arena, &now, why);
    if (!err)
        job->info = now;
    return err;
}

static enum err open_files(struct job *job, struct why *why)
{
    char path[JOB_PATH];
    (void)compute_path(job->compute, job->info.id, "log", path);
    job->log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (job->log < 0)
        return err_errno(why, "could not open \"%s\"", path);
    (void)compute_path(job->compute, job->info.id, "progress", path);
    return progress_open(path, &job->progress, why);
}

/* The start of an attempt is where the last one had got to, so that a crash before the first
 * report is not taken for going back. */
static void first_progress(struct job *job)
{
    char path[JOB_PATH];
    struct progress p = {.done = job->info.done, .total = job->info.total};
    (void)compute_path(job->compute, job->info.id, "progress", path);
    if (progress_read(path, &p))
        return;
    progress_put(job->progress, job->info.done, job->info.total, "");
}

/* What makes the job impossible: ends it as failed. */
static enum err prepare(struct job *job, struct why *why)
{
    char *actor = str_z(job->arena, job->info.actor);
    job->kind = compute_kind(job->compute, job->info.kind);
    if (!job->kind)
        return err_set(why, ERR_INVALID, "this program has no kind of job \"%.*s\"",
                       STR_FMT(job->info.kind));
    enum err err = json_parse(job->info.spec, job->arena, &job->spec, why);
    if (!err)
        err = actor ? ops_identity_of(job->compute->ops, actor, job->arena, &job->actor, why)
                    : err_set(why, ERR_NO_MEMORY, "could not hold the job");
    if (err)
        err_prefix(why, "the job cannot begin");
    /* A job of the centre or of a resident works in the tenant that it was queued for. */
    if (!err && job->actor.id.len == 0)
        job->actor.tenant = job->info.tenant;
    return err;
}

/* ---- end ---- */

static enum end_kind kind_of(struct job *job, enum err err)
{
    if (err == ERR_OK)
        return END_DONE;
    if (err == ERR_CANCELLED) {
        atomic_store(&job->asked_ms, 0);
        atomic_store(&job->cancel, false);
        ask_table(job);
        return atomic_load(&job->cancel) ? END_CANCELLED : END_STOPPED;
    }
    return err_again(err) ? END_DIED : END_FAILED;
}

/* The outcome is known and must not be lost to a busy database: it is tried for a while. */
static enum err write_end(struct job *job, const char *id, enum err outcome,
                          const struct why *words, struct why *why)
{
    char path[JOB_PATH];
    struct job_end end = {.starts = job->info.starts,
                          .result = outcome ? STR("") : str_c(job->result ? job->result : "{}"),
                          .why = outcome ? why_text(words, outcome) : ""};
    (void)compute_path(job->compute, job->info.id, "progress", path);
    (void)progress_read(path, &end.progress);
    end.kind = kind_of(job, outcome);
    /* A child told to stop that was not cancelled (time, memory, the centre stops): whoever told
     * it knows why and writes the end. */
    if (job->child && end.kind == END_STOPPED)
        return ERR_OK;
    enum err err = ERR_OK;
    for (int tries = 0; tries < 30; tries++) {
        struct why again = {0};
        err = job_end(job->compute, id, &end, &again);
        if (!err)
            return ERR_OK;
        if (!err_again(err))
            return err_set(why, err, "%s", why_text(&again, err));
        time_sleep_ms(200);
    }
    return err_set(why, err, "could not write the end of job %s", id);
}

static void job_release(struct job *job)
{
    progress_close(job->progress);
    if (job->log >= 0)
        (void)close(job->log);
    file_unlock(job->lock);
    (void)pthread_mutex_destroy(&job->log_lock);
    free(job->result);
    arena_free(job->arena);
}

/* SIGTERM (and Ctrl-C in the foreground) ask run() to stop; what was set before comes back. */
static void listen_for_stop(const struct job *job, struct sigaction was[2])
{
    struct sigaction stop = {.sa_handler = on_stop, .sa_flags = SA_RESTART};
    sigset_t set;
    told_to_stop = 0;
    (void)sigemptyset(&stop.sa_mask);
    (void)sigaction(SIGTERM, &stop, &was[0]);
    (void)sigaction(SIGINT, job->child ? NULL : &stop, &was[1]);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static enum err run_locked(struct job *job, const char *id, struct why *why)
{
    struct sigaction was[2];
    struct why words = {0};
    /* Read again: until the lock was ours another process may have ended it. */
    enum err err = job_find(job->compute, id, job->arena, &job->info, why);
    if (!err)
        err = job->child ? claim_child(job, id, why) : claim_foreground(job, id, why);
    if (!err)
        err = open_files(job, why);
    if (err)
        return err;
    first_progress(job);
    listen_for_stop(job, was);
    enum err outcome = prepare(job, &words);
    if (!outcome)
        outcome = job->kind->kind->run(job->kind->ctx, job, &words);
    if (outcome)
        job_log(job, "%s: %s", err_code(outcome), why_text(&words, outcome));
    err = write_end(job, id, outcome, &words, why);
    (void)sigaction(SIGTERM, &was[0], NULL);
    (void)sigaction(SIGINT, &was[1], NULL);
    if (err)
        return err;
    return outcome ? err_set(why, outcome, "%s", why_text(&words, outcome)) : ERR_OK;
}

enum err job_run(struct compute *compute, const char *id, struct why *why)
{
    struct job job = {.compute = compute, .lock = -1, .log = -1};
    (void)pthread_mutex_init(&job.log_lock, NULL);
    job.arena = arena_new((size_t)compute->memory);
    enum err err = job.arena ? job_find(compute, id, job.arena, &job.info, why)
                             : err_set(why, ERR_NO_MEMORY, "could not hold the job");
    if (!err)
        err = take_lock(&job, why);
    if (!err)
        err = run_locked(&job, id, why);
    job_release(&job);
    return err;
}
