/*
 * The local executor: one thread that looks at the table four times a second, starts children, and
 * watches those that run in this place, also those that another process of this centre started.
 *
 * The life of a start: lock taken -> row claimed ('running', starts + 1) -> fork, the lock goes
 * down as an open file -> the child writes its end, or dies and the executor does -> lock free.
 * At every moment of this a kill -9 of either leaves a lock that is free and a row that says
 * 'running', which is how the next look finds it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compute/compute_in.h"
#include "core/file.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/time.h"

#define MOST_WATCHES 1024
#define LOOK_MS      250
#define IDLE_MS      500
#define SOON_MS      20 /* between looks for a while after a wake */
#define SOON_FOR_MS  600
#define SWEEP_MS     600000
#define CANDIDATES   16
#define LOOK_MEMORY  (4u << 20)

enum asked { ASKED_NOT, ASKED_CANCEL, ASKED_TIME, ASKED_MEMORY, ASKED_STOP };

struct watch {
    char id[UUID_TEXT];
    pid_t pid;
    int64_t pid_start, starts, started_ms, memory_bytes;
    bool own;   /* our child: to be waited for */
    bool noted; /* the row knows the pid */
    bool dead;  /* gone; its end is to be written */
    bool seen;  /* the row was there at this look */
    int status; /* of an own child */
    enum asked asked;
    int64_t kill_at_ms;
    struct progress told; /* what the row says */
};

struct executor {
    struct compute *compute;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, kill;
    int64_t soon_until_ms;
    char runner[UUID_TEXT];
    int runner_lock;
    struct watch watches[MOST_WATCHES];
    size_t n;
    int64_t swept_ms;
};

static struct metric running =
    METRIC_INIT(METRIC_GAUGE, "yicheng_jobs_running", "Jobs that run in this place", NULL);
static struct metric started =
    METRIC_INIT(METRIC_COUNTER, "yicheng_jobs_started_total", "Children started for jobs", NULL);
static struct metric died = METRIC_INIT(METRIC_COUNTER, "yicheng_jobs_died_total",
                                        "Children that ended without writing their end", NULL);

static void runner_path(const struct compute *compute, const char *runner, char out[JOB_PATH])
{
    (void)snprintf(out, JOB_PATH, "%s/.runner-%s", compute->dir, runner);
}

static bool is_free(const char *path)
{
    int fd;
    if (!file_exists(path) || file_lock(path, &fd, NULL) != ERR_OK)
        return !file_exists(path);
    file_unlock(fd);
    return true;
}

static bool runner_alive(const struct compute *compute, struct str runner)
{
    char path[JOB_PATH], name[UUID_TEXT];
    (void)snprintf(name, sizeof name, "%.*s", STR_FMT(runner));
    runner_path(compute, name, path);
    return !is_free(path);
}

/* ---- ends ---- */

static void describe_death(const struct watch *w, char *out, size_t size)
{
    if (!w->own)
        (void)snprintf(out, size, "the process vanished without a word");
    else if (WIFSIGNALED(w->status))
        (void)snprintf(out, size, "the process was killed by signal %d (%s)", WTERMSIG(w->status),
                       strsignal(WTERMSIG(w->status)));
    else
        (void)snprintf(out, size, "the process ended with code %d without a word",
                       WEXITSTATUS(w->status));
}

static enum err settle(struct executor *x, const struct watch *w, struct why *why)
{
    char words[JOB_MOST_WHY], path[JOB_PATH];
    struct job_end end = {.kind = END_DIED, .starts = w->starts, .why = words};
    (void)compute_path(x->compute, str_c(w->id), "progress", path);
    if (!progress_read(path, &end.progress))
        end.progress = w->told;
    describe_death(w, words, sizeof words);
    switch (w->asked) {
    case ASKED_NOT:
        break;
    case ASKED_CANCEL:
        end.kind = END_CANCELLED;
        (void)snprintf(words, sizeof words, "cancelled");
        break;
    case ASKED_TIME:
        end.kind = END_FAILED;
        (void)snprintf(words, sizeof words, "it took longer than the limit of %lld s (jobs.time)",
                       (long long)(x->compute->time_ms + 999) / 1000);
        break;
    case ASKED_MEMORY:
        (void)snprintf(words, sizeof words, "it used more than the limit of %lld MB of memory",
                       (long long)(w->memory_bytes >> 20));
        break;
    case ASKED_STOP:
        end.kind = END_STOPPED;
        (void)snprintf(words, sizeof words, "interrupted by the end of the centre");
        break;
    }
    return job_end(x->compute, w->id, &end, why);
}

/* Dead or alive; an own child is waited for only after its group was killed, so that the group's
 * number cannot belong to somebody else by then. */
static void look_for_death(struct watch *w)
{
    if (!w->own) {
        w->dead = proc_start(w->pid) != w->pid_start;
        return;
    }
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)w->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
        return;
    (void)kill(-w->pid, SIGKILL);
    (void)waitpid(w->pid, &w->status, 0);
    w->dead = true;
}

static void ask_to_stop(struct executor *x, struct watch *w, enum asked why, int64_t now)
{
    if (w->asked)
        return;
    w->asked = why;
    w->kill_at_ms = now + (why == ASKED_MEMORY ? 0 : x->compute->grace_ms);
    (void)kill(w->pid, SIGTERM);
    LOG_INFO("job asked to stop", LOG_S("job", w->id), LOG_I("reason", why));
}

static void look_at_limits(struct executor *x, struct watch *w, bool cancel, int64_t now)
{
    if (cancel)
        ask_to_stop(x, w, ASKED_CANCEL, now);
    else if (now - w->started_ms > x->compute->time_ms)
        ask_to_stop(x, w, ASKED_TIME, now);
    else if (!w->asked && w->memory_bytes > 0 && proc_group_rss(w->pid) > w->memory_bytes)
        ask_to_stop(x, w, ASKED_MEMORY, now);
    if (w->asked && now >= w->kill_at_ms)
        (void)kill(-w->pid, SIGKILL);
}

static void tell_progress(struct executor *x, struct watch *w)
{
    char path[JOB_PATH];
    struct progress p;
    (void)compute_path(x->compute, str_c(w->id), "progress", path);
    bool moved = progress_read(path, &p) && (p.done != w->told.done || p.total != w->told.total ||
                                             strcmp(p.phase, w->told.phase) != 0);
    if (!moved && w->noted)
        return;
    if (!moved)
        p = w->told;
    enum err err =
        store_run(x->compute->store,
                  "UPDATE compute_jobs SET done = ?, total = ?, phase = ?, pid = ?, pid_start = ?"
                  " WHERE id = ? AND state = 'running' AND starts = ?",
                  STORE_ARGS(SV_INT(p.done), SV_INT(p.total), SV_C(p.phase), SV_INT(w->pid),
                             SV_INT(w->pid_start), SV_C(w->id), SV_INT(w->starts)),
                  NULL, NULL);
    if (err) /* busy: at the next look */
        return;
    w->told = p;
    w->noted = true;
}

/* ---- start ---- */

struct launch {
    struct executor *x;
    struct watch watch;
    struct str spec;
    char **argv, **envp;
    int null, log, lock;
};

static char **child_argv(const struct compute *compute, const char *id, struct arena *arena)
{
    size_t n = 0;
    while (compute->program_args && compute->program_args[n])
        n++;
    char **argv = arena_array(arena, char *, n + 4);
    if (!argv)
        return NULL;
    argv[0] = (char *)compute->program;
    for (size_t i = 0; i < n; i++)
        argv[i + 1] = (char *)compute->program_args[i];
    argv[n + 1] = (char *)"job";
    argv[n + 2] = (char *)id;
    return argv;
}

static char **child_env(struct arena *arena)
{
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **envp = arena_array(arena, char *, n + 2);
    if (!envp)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], JOB_LOCK_ENV "=", sizeof JOB_LOCK_ENV) != 0)
            envp[kept++] = environ[i];
    _Static_assert(JOB_LOCK_FD == 3, "the text below");
    envp[kept] = (char *)JOB_LOCK_ENV "=3";
    return envp;
}

/* Open files at numbers that the ones they are put on cannot reach. */
static int raised(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    (void)close(fd);
    return high;
}

static enum err open_ends(struct launch *l, struct why *why)
{
    char path[JOB_PATH];
    (void)compute_path(l->x->compute, str_c(l->watch.id), "log", path);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (null < 0 || log < 0) {
        enum err err = err_errno(why, "could not open \"%s\"", path);
        if (null >= 0)
            (void)close(null);
        if (log >= 0)
            (void)close(log);
        return err;
    }
    l->null = raised(null);
    l->log = raised(log);
    l->lock = raised(l->lock);
    if (l->null < 0 || l->log < 0 || l->lock < 0)
        return err_errno(why, "could not open the files of the job");
    return ERR_OK;
}

/* Between fork and exec only calls that a signal handler may make: other threads hold locks that
 * nobody will ever open in this copy. */
static _Noreturn void become(const struct launch *l)
{
    static const struct rlimit no_core = {0, 0};
    sigset_t none;
    (void)setpgid(0, 0);
    (void)setpriority(PRIO_PROCESS, 0, (int)l->x->compute->nice);
    (void)syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 7); /* best effort, last */
    (void)setrlimit(RLIMIT_CORE, &no_core);
    int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (oom >= 0 && write(oom, "500", 3) == 3) /* before the centre itself */
        (void)close(oom);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(l->null, 0) < 0 || dup2(l->log, 1) < 0 || dup2(l->log, 2) < 0 ||
        dup2(l->lock, JOB_LOCK_FD) < 0)
        _exit(126);
    (void)syscall(SYS_close_range, JOB_LOCK_FD + 1, ~0U, 0);
    (void)execve(l->argv[0], l->argv, l->envp);
    _exit(127);
}

static enum err fork_child(struct launch *l, struct why *why)
{
    pid_t pid = fork();
    if (pid == 0)
        become(l);
    if (pid < 0)
        return err_errno(why, "could not start a process");
    (void)setpgid(pid, pid);
    l->watch.pid = pid;
    l->watch.pid_start = proc_start(pid);
    l->watch.own = true;
    return ERR_OK;
}

/* With the lock in hand: makes the row ours, if it is still queued. */
static enum err claim(struct launch *l, struct arena *arena, bool *got, struct why *why)
{
    struct compute *c = l->x->compute;
    struct store_tx *tx = NULL;
    struct store_rows rows;
    int64_t now = time_now_ms();
    enum err err = store_begin(c->store, STORE_WRITE, &tx, why);
    if (!err)
        err = store_query(
            tx,
            "UPDATE compute_jobs SET state = 'running', attempt = attempt + 1,"
            " starts = starts + 1, started_ms = ?, place = ?, runner = ?, pid = 0,"
            " pid_start = 0 WHERE id = ? AND state = 'queued'"
            " RETURNING starts, memory_bytes, spec, done, total",
            STORE_ARGS(SV_INT(now), SV_C(c->place), SV_C(l->x->runner), SV_C(l->watch.id)), arena,
            &rows, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    *got = rows.n_rows > 0;
    l->watch.started_ms = now;
    l->watch.starts = store_int(&rows, 0, 0);
    l->watch.memory_bytes = store_int(&rows, 0, 1);
    l->watch.told.done = store_int(&rows, 0, 3);
    l->watch.told.total = store_int(&rows, 0, 4);
    l->spec = store_str(&rows, 0, 2);
    return store_commit(tx, why);
}

static enum err prepare_files(struct launch *l, struct arena *arena, struct why *why)
{
    char path[JOB_PATH];
    (void)compute_path(l->x->compute, str_c(l->watch.id), "spec.json", path);
    enum err err = file_write(path, l->spec, 0640, why);
    if (!err)
        err = open_ends(l, why);
    l->argv = child_argv(l->x->compute, l->watch.id, arena);
    l->envp = child_env(arena);
    if (!err && (!l->argv || !l->envp))
        err = err_set(why, ERR_NO_MEMORY, "could not start a process");
    return err;
}

/* The row is claimed: whatever fails from here on is written into it as a death. */
static void start_claimed(struct launch *l, struct arena *arena)
{
    struct why why = {0};
    enum err err = prepare_files(l, arena, &why);
    if (!err)
        err = fork_child(l, &why);
    if (l->null >= 0)
        (void)close(l->null);
    if (l->log >= 0)
        (void)close(l->log);
    if (!err) {
        metric_add(&started, 1);
        l->x->watches[l->x->n++] = l->watch;
        tell_progress(l->x, &l->x->watches[l->x->n - 1]); /* the pid, for who may adopt it */
        return;
    }
    struct job_end end = {.kind = END_DIED,
                          .starts = l->watch.starts,
                          .why = why_text(&why, err),
                          .progress = l->watch.told};
    LOG_ERROR("could not start a job", LOG_S("job", l->watch.id), LOG_WHY(&why));
    if (job_end(l->x->compute, l->watch.id, &end, NULL) != ERR_OK)
        LOG_ERROR("could not write the end of a job", LOG_S("job", l->watch.id));
}

/* false when the job was not to be had. */
static bool start(struct executor *x, struct str id, struct arena *arena)
{
    char path[JOB_PATH];
    struct launch l = {.x = x, .null = -1, .log = -1, .lock = -1};
    struct why why = {0};
    bool got = false;
    (void)snprintf(l.watch.id, sizeof l.watch.id, "%.*s", STR_FMT(id));
    if (!compute_path(x->compute, id, "", path) || file_make_dirs(path, &why) != ERR_OK ||
        !compute_path(x->compute, id, "lock", path) || file_lock(path, &l.lock, &why) != ERR_OK)
        return false;
    if (claim(&l, arena, &got, &why) == ERR_OK && got)
        start_claimed(&l, arena);
    file_unlock(l.lock); /* the child has its own hold on it */
    return got;
}

/* The tenant with the fewest running jobs first, then the one that waited longest for a start. */
static void start_some(struct executor *x, struct arena *arena)
{
    struct store_rows rows;
    bool any = true;
    while (any && (int64_t)x->n < x->compute->slots && x->n < MOST_WATCHES) {
        any = false;
        enum err err =
            store_ask(x->compute->store,
                      "SELECT q.first_id FROM (SELECT tenant, MIN(id) AS first_id FROM compute_jobs"
                      " WHERE state = 'queued' AND not_before_ms <= ? GROUP BY tenant) q"
                      " ORDER BY (SELECT COUNT(*) FROM compute_jobs r WHERE r.state = 'running'"
                      " AND r.tenant = q.tenant), (SELECT MAX(s.started_ms) FROM compute_jobs s"
                      " WHERE s.tenant = q.tenant), q.first_id LIMIT ?",
                      STORE_ARGS(SV_INT(time_now_ms()), SV_INT(CANDIDATES)), arena, &rows, NULL);
        for (size_t i = 0; !err && i < rows.n_rows && !any; i++)
            any = start(x, store_str(&rows, i, 0), arena);
    }
}

/* ---- look ---- */

static struct watch *find_watch(struct executor *x, struct str id)
{
    for (size_t i = 0; i < x->n; i++)
        if (str_eq_c(id, x->watches[i].id))
            return &x->watches[i];
    return NULL;
}

/* A row that says 'running' and is not ours: its lock is free, so it died while nobody looked, or
 * its executor is gone, so we watch it from now on, or it is somebody else's affair. */
static void consider(struct executor *x, const struct store_rows *rows, size_t i)
{
    char path[JOB_PATH];
    struct watch w = {.pid = (pid_t)store_int(rows, i, 3),
                      .pid_start = store_int(rows, i, 4),
                      .starts = store_int(rows, i, 5),
                      .started_ms = store_int(rows, i, 6),
                      .memory_bytes = store_int(rows, i, 7),
                      .noted = true};
    struct str runner = store_str(rows, i, 2);
    int fd = -1;
    (void)snprintf(w.id, sizeof w.id, "%.*s", STR_FMT(store_str(rows, i, 0)));
    if (!compute_path(x->compute, str_c(w.id), "lock", path))
        return;
    enum err held = file_exists(path) ? file_lock(path, &fd, NULL) : ERR_OK;
    if (held == ERR_OK) {
        struct why why = {0};
        metric_add(&died, 1);
        LOG_WARN("a job died while nobody looked", LOG_S("job", w.id));
        if (settle(x, &w, &why) != ERR_OK)
            LOG_WARN("could not write the end of a job yet", LOG_S("job", w.id), LOG_WHY(&why));
        file_unlock(fd);
        return;
    }
    if (runner.len == 0 || w.pid == 0 || w.pid_start == 0 || runner_alive(x->compute, runner) ||
        x->n >= MOST_WATCHES)
        return;
    int64_t n = 0;
    enum err err = store_run(
        x->compute->store,
        "UPDATE compute_jobs SET runner = ? WHERE id = ? AND runner = ?"
        " AND starts = ?",
        STORE_ARGS(SV_C(x->runner), SV_C(w.id), SV_STR(runner), SV_INT(w.starts)), &n, NULL);
    if (!err && n > 0) {
        LOG_INFO("job adopted", LOG_S("job", w.id), LOG_I("pid", w.pid));
        x->watches[x->n++] = w;
    }
}

static void look(struct executor *x, struct arena *arena)
{
    struct store_rows rows;
    int64_t now = time_now_ms();
    for (size_t i = 0; i < x->n; i++) {
        x->watches[i].seen = false;
        if (!x->watches[i].dead)
            look_for_death(&x->watches[i]);
    }
    enum err err = store_ask(x->compute->store,
                             "SELECT id, cancel, runner, pid, pid_start, starts, started_ms,"
                             " memory_bytes FROM compute_jobs WHERE state = 'running'"
                             " AND place = ?",
                             STORE_ARGS(SV_C(x->compute->place)), arena, &rows, NULL);
    for (size_t i = 0; err && i < x->n;
         i++) { /* the database is away: the limits hold all the same */
        x->watches[i].seen = true;
        if (!x->watches[i].dead)
            look_at_limits(x, &x->watches[i], false, now);
    }
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        struct watch *w = find_watch(x, store_str(&rows, i, 0));
        if (!w) {
            consider(x, &rows, i);
            continue;
        }
        w->seen = true;
        if (!w->dead) {
            tell_progress(x, w);
            look_at_limits(x, w, store_int(&rows, i, 1) != 0, now);
        }
    }
}

/* Writes the ends of the dead and forgets them. One whose row is not running any more but whose
 * process lives has written its end and is about to exit; when it does not, it is killed. */
static void bury(struct executor *x)
{
    int64_t now = time_now_ms();
    for (size_t i = 0; i < x->n;) {
        struct watch *w = &x->watches[i];
        if (!w->dead) {
            if (!w->seen && !w->kill_at_ms)
                w->kill_at_ms = now + x->compute->grace_ms;
            else if (!w->seen && now >= w->kill_at_ms)
                (void)kill(-w->pid, SIGKILL);
            i++;
            continue;
        }
        struct why why = {0};
        if (settle(x, w, &why) != ERR_OK) {
            LOG_WARN("could not write the end of a job yet", LOG_S("job", w->id), LOG_WHY(&why));
            i++;
            continue;
        }
        if (w->seen && !w->asked)
            metric_add(&died, 1);
        *w = x->watches[--x->n];
    }
}

/* ---- retention ---- */

static void trim_log(struct executor *x, const char *id)
{
    char path[JOB_PATH];
    (void)compute_path(x->compute, str_c(id), "log", path);
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return;
    job_log_trim(fd, 2 * x->compute->log_bytes); /* job_log() itself keeps to the limit */
    (void)close(fd);
}

static void sweep(struct executor *x, struct arena *arena)
{
    struct store_rows rows;
    int64_t now = time_now_ms();
    for (size_t i = 0; i < x->n; i++)
        trim_log(x, x->watches[i].id);
    if (now - x->swept_ms < SWEEP_MS && now - x->swept_ms < x->compute->keep_ms)
        return;
    x->swept_ms = now;
    enum err err = store_ask(x->compute->store,
                             "SELECT id FROM compute_jobs WHERE state IN ('done', 'failed',"
                             " 'cancelled') AND ended_ms < ? ORDER BY id LIMIT 500",
                             STORE_ARGS(SV_INT(now - x->compute->keep_ms)), arena, &rows, NULL);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        char path[JOB_PATH];
        struct why why = {0};
        if (compute_path(x->compute, store_str(&rows, i, 0), "", path))
            err = file_remove(path, &why);
        if (!err) /* retried jobs are queued again and stay */
            err = store_run(x->compute->store,
                            "DELETE FROM compute_jobs WHERE id = ? AND state IN ('done', 'failed',"
                            " 'cancelled')",
                            STORE_ARGS(SV_STR(store_str(&rows, i, 0))), NULL, &why);
        if (err)
            LOG_WARN("could not remove an old job", LOG_WHY(&why));
    }
}

/* ---- the thread ---- */

static void stop_children(struct executor *x)
{
    int64_t now = time_now_ms();
    for (size_t i = 0; i < x->n; i++)
        if (!x->watches[i].dead)
            ask_to_stop(x, &x->watches[i], ASKED_STOP, now);
}

/* Waits for a wake or the next look; false when it is time to end. */
static bool wait_for_look(struct executor *x)
{
    struct timespec until;
    (void)pthread_mutex_lock(&x->lock);
    int64_t ms = time_now_ms() < x->soon_until_ms ? SOON_MS : x->n ? LOOK_MS : IDLE_MS;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    if (!x->stop)
        (void)pthread_cond_timedwait(&x->wake, &x->lock, &until);
    bool on = !x->stop;
    (void)pthread_mutex_unlock(&x->lock);
    return on;
}

static void look_once(struct executor *x, struct arena *arena, bool may_start)
{
    look(x, arena);
    bury(x);
    if (may_start)
        start_some(x, arena);
    sweep(x, arena);
    metric_set(&running, (int64_t)x->n);
    arena_reset(arena);
}

static void *run(void *arg)
{
    struct executor *x = arg;
    struct arena *arena = arena_new(LOOK_MEMORY);
    if (!arena) {
        LOG_ERROR("the executor could not begin", LOG_S("reason", "no memory"));
        return NULL;
    }
    do
        look_once(x, arena, true);
    while (wait_for_look(x));
    while (x->kill && x->n > 0) {
        stop_children(x);
        look_once(x, arena, false);
        time_sleep_ms(50);
    }
    arena_free(arena);
    return NULL;
}

/* Lock files of executors that are gone. */
static void clean_runners(const struct compute *compute)
{
    DIR *dir = opendir(compute->dir);
    if (!dir)
        return;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        char path[JOB_PATH];
        if (strncmp(e->d_name, ".runner-", 8) != 0 || strlen(e->d_name) != 8 + UUID_TEXT - 1)
            continue;
        runner_path(compute, e->d_name + 8, path);
        if (is_free(path))
            (void)unlink(path);
    }
    (void)closedir(dir);
}

void executor_wake(struct compute *compute)
{
    struct executor *x = compute->executor;
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->soon_until_ms = time_now_ms() + SOON_FOR_MS;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
}

enum err compute_start(struct compute *compute, struct why *why)
{
    char path[JOB_PATH];
    if (compute->executor)
        return err_set(why, ERR_CONFLICT, "the executor runs already");
    struct executor *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(why, ERR_NO_MEMORY, "could not hold the executor");
    x->compute = compute;
    clean_runners(compute);
    runner_path(compute, uuid7(x->runner), path);
    enum err err = file_lock(path, &x->runner_lock, why);
    if (err) {
        free(x);
        return err;
    }
    (void)pthread_mutex_init(&x->lock, NULL);
    (void)pthread_cond_init(&x->wake, NULL);
    if (pthread_create(&x->thread, NULL, run, x) != 0) {
        file_unlock(x->runner_lock);
        (void)unlink(path);
        free(x);
        return err_set(why, ERR_UNAVAILABLE, "could not start the executor's thread");
    }
    compute->executor = x;
    return ERR_OK;
}

void compute_stop(struct compute *compute, bool kill)
{
    char path[JOB_PATH];
    struct executor *x = compute->executor;
    if (!x)
        return;
    (void)pthread_mutex_lock(&x->lock);
    x->stop = true;
    x->kill = kill;
    (void)pthread_cond_signal(&x->wake);
    (void)pthread_mutex_unlock(&x->lock);
    (void)pthread_join(x->thread, NULL);
    runner_path(compute, x->runner, path);
    (void)unlink(path); /* before the lock goes: nobody takes a file that is being removed */
    file_unlock(x->runner_lock);
    (void)pthread_cond_destroy(&x->wake);
    (void)pthread_mutex_destroy(&x->lock);
    free(x);
    compute->executor = NULL;
}
