#include "engine/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/confine.h"

/*
 * Two processes: the keeper, which does nothing but fork the worker and say how it ended, and the
 * worker. Both hold one end of a socket; on it go a head and its bytes, in turn.
 */
#define MAGIC        0x47554152u
#define CPU_MS       2000
#define MEMORY       ((size_t)512 << 20)
#define LIBRARIES    ((uint64_t)256 << 20)
#define MOST_MESSAGE ((size_t)64 << 20)
#define SILENCE_MS   60000 /* of wall time: the machine is stuck, not the template */

enum task { TASK_OPEN = 1, TASK_RENDER, TASK_SCHEMA, TASK_GRAMMAR };

struct head {
    uint32_t magic, serial;
    uint32_t what; /* a task; in an answer the enum err */
    uint32_t len;
};

struct guard {
    pthread_mutex_t lock;
    struct guard_limits limits;
    pid_t keeper;
    int fd;
    uint32_t serial;
    struct str
        source; /* the template as it goes over the wire, malloc'd; what a new worker needs */
    bool open;  /* the worker that lives has it */
};

/* ---- the wire ---- */

static bool send_all(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool take_all(int fd, void *bytes, size_t len, int wait_ms)
{
    char *at = bytes;
    while (len) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, wait_ms);
        ssize_t n = ready > 0 ? recv(fd, at, len, 0) : ready;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool send_message(int fd, uint32_t serial, uint32_t what, struct str body)
{
    struct head head = {MAGIC, serial, what, (uint32_t)body.len};
    return send_all(fd, &head, sizeof head) && send_all(fd, body.ptr, body.len);
}

/* Four texts, each behind its length. */
static void put_text(struct buf *out, struct str s)
{
    uint32_t len = (uint32_t)s.len;
    buf_add(out, (struct str){(const char *)&len, sizeof len});
    buf_add(out, s);
}

static struct str take_text(struct str *rest)
{
    uint32_t len = 0;
    if (rest->len < sizeof len)
        return STR("");
    memcpy(&len, rest->ptr, sizeof len);
    struct str text = str_slice(*rest, sizeof len, sizeof len + len);
    *rest = str_from(*rest, sizeof len + len);
    return text;
}

/* ---- the worker ---- */

/* Counts this process's own time, not the clock's: a loaded machine harms nobody. */
static void count_time(int64_t ms)
{
    struct itimerval timer = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
    (void)setitimer(ITIMER_PROF, &timer, NULL);
}

static enum err work(uint32_t what, struct str body, struct chat **chat, struct buf *out,
                     struct why *why)
{
    switch (what) {
    case TASK_OPEN: {
        struct str rest = body;
        struct chat_source source = {.template_text = take_text(&rest)};
        source.tool_template = take_text(&rest);
        source.bos = take_text(&rest);
        source.eos = take_text(&rest);
        chat_close(*chat);
        *chat = NULL;
        return chat_open(&source, chat, why);
    }
    case TASK_RENDER:
        return *chat ? chat_render(*chat, body, out, why)
                     : err_set(why, ERR_INVALID, "there is no chat template");
    case TASK_SCHEMA:
        return chat_schema(body, out, why);
    case TASK_GRAMMAR:
        return chat_grammar(body, why);
    default:
        return err_set(why, ERR_INVALID, "there is no task %u", what);
    }
}

static void serve_one(int fd, const struct head *head, struct str body,
                      const struct guard_limits *limits, struct chat **chat)
{
    struct arena *arena = arena_new(MOST_MESSAGE);
    struct why why = {0};
    struct buf out;
    buf_init(&out, arena);
    count_time(limits->cpu_ms);
    enum err err = arena ? work(head->what, body, chat, &out, &why) : ERR_NO_MEMORY;
    count_time(0);
    struct str answer = err ? str_c(why_text(&why, err)) : buf_str(&out);
    if (!send_message(fd, head->serial, (uint32_t)err, answer))
        _exit(0);
    arena_free(arena);
}

static _Noreturn void run_worker(int fd, const struct guard_limits *limits)
{
    struct chat *chat = NULL;
    struct head head;
    confine_memory(limits->memory + LIBRARIES);
    while (take_all(fd, &head, sizeof head, -1) && head.magic == MAGIC) {
        char *body = malloc(head.len + 1u);
        if (!body || !take_all(fd, body, head.len, -1))
            break;
        body[head.len] = '\0';
        serve_one(fd, &head, (struct str){body, head.len}, limits, &chat);
        free(body);
    }
    _exit(0);
}

/* ---- the keeper ---- */

static enum err explain(int status, const struct guard_limits *limits, struct why *why)
{
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (signal == SIGPROF)
        return err_set(why, ERR_TIMEOUT, "it took more than %lld ms", (long long)limits->cpu_ms);
    return err_set(why, ERR_TOO_LARGE, "it is nested too deeply or needs too much memory");
}

/* Serial 0 stands for "whatever was asked": the asker waits for one answer only. */
static _Noreturn void run_keeper(int fd, const struct guard_limits *limits)
{
    for (;;) {
        pid_t worker = fork();
        int status = 0;
        struct why why = {0};
        if (worker == 0)
            run_worker(fd, limits);
        while (worker > 0 && waitpid(worker, &status, 0) < 0 && errno == EINTR)
            ;
        if (worker < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0))
            _exit(0);
        enum err err = explain(status, limits, &why);
        if (!send_message(fd, 0, (uint32_t)err, str_c(why.text)))
            _exit(0);
    }
}

/* What the child inherits and must not hold: a port, a pipe that somebody waits on, the terminal.
 */
static void let_go(int keep)
{
    sigset_t none;
    confine_quiet(true);
    for (int fd = 3; fd < 1024; fd++)
        if (fd != keep)
            (void)close(fd);
    confine_orphan();
    (void)signal(SIGPROF, SIG_DFL);
    (void)signal(SIGSEGV, SIG_DFL);
    (void)signal(SIGABRT, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

enum err guard_start(const struct guard_limits *limits, struct guard **out, struct why *why)
{
    int ends[2];
    struct guard *guard = calloc(1, sizeof *guard);
    if (!guard)
        return err_set(why, ERR_NO_MEMORY, "could not hold the chat process");
    guard->limits.cpu_ms = limits && limits->cpu_ms ? limits->cpu_ms : CPU_MS;
    guard->limits.memory = limits && limits->memory ? limits->memory : MEMORY;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        free(guard);
        return err_errno(why, "could not make a socket for the chat process");
    }
    pid_t self = getpid();
    guard->keeper = fork();
    if (guard->keeper == 0) {
        (void)setpgid(0, 0);
        let_go(ends[1]);
        if (getppid() != self)
            _exit(0);
        run_keeper(ends[1], &guard->limits);
    }
    (void)close(ends[1]);
    guard->fd = ends[0];
    (void)pthread_mutex_init(&guard->lock, NULL);
    if (guard->keeper < 0) {
        enum err err = err_errno(why, "could not start the chat process");
        guard_stop(guard);
        return err;
    }
    *out = guard;
    return ERR_OK;
}

void guard_stop(struct guard *guard)
{
    if (!guard)
        return;
    (void)close(guard->fd); /* the worker ends, then the keeper */
    if (guard->keeper > 0) {
        (void)kill(-guard->keeper, SIGKILL);
        (void)kill(guard->keeper, SIGKILL);
        while (waitpid(guard->keeper, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    (void)pthread_mutex_destroy(&guard->lock);
    free((char *)(uintptr_t)guard->source.ptr);
    free(guard);
}

/* ---- asking ---- */

static enum err broken(struct guard *guard, struct why *why)
{
    if (guard->fd >= 0)
        (void)shutdown(guard->fd, SHUT_RDWR);
    return err_set(why, ERR_UNAVAILABLE, "the chat process does not answer");
}

/* One question, one answer; with the lock. Serial 0 in the answer: the worker died over it. */
static enum err ask(struct guard *guard, uint32_t task, struct str body, struct arena *arena,
                    struct str *out, struct why *why)
{
    struct head head;
    uint32_t serial = ++guard->serial ? guard->serial : ++guard->serial;
    if (body.len > MOST_MESSAGE)
        return err_set(why, ERR_TOO_LARGE, "%zu bytes are more than a chat may have", body.len);
    if (!send_message(guard->fd, serial, task, body) ||
        !take_all(guard->fd, &head, sizeof head, SILENCE_MS) || head.magic != MAGIC ||
        (head.serial && head.serial != serial) || head.len > MOST_MESSAGE + (1u << 20))
        return broken(guard, why);
    char *bytes = arena_bytes(arena, head.len + 1u);
    if (!bytes) {
        (void)broken(guard, NULL);
        return err_set(why, ERR_NO_MEMORY, "could not hold %u bytes of a chat", head.len);
    }
    if (!take_all(guard->fd, bytes, head.len, SILENCE_MS))
        return broken(guard, why);
    bytes[head.len] = '\0';
    if (!head.serial)
        guard->open = false;
    if (head.what != ERR_OK)
        return err_set(why, head.what < ERR_COUNT ? (enum err)head.what : ERR_INTERNAL, "%s",
                       bytes);
    *out = (struct str){bytes, head.len};
    return ERR_OK;
}

static enum err ask_in_turn(struct guard *guard, uint32_t task, struct str body,
                            struct arena *arena, struct str *out, struct why *why)
{
    enum err err = ERR_OK;
    struct str ignored;
    pthread_mutex_lock(&guard->lock);
    if (task == TASK_RENDER && !guard->open && guard->source.ptr) { /* a new worker */
        err = ask(guard, TASK_OPEN, guard->source, arena, &ignored, why);
        guard->open = !err;
    }
    if (!err)
        err = ask(guard, task, body, arena, out, why);
    pthread_mutex_unlock(&guard->lock);
    return err;
}

enum err guard_open(struct guard *guard, const struct chat_source *source, struct why *why)
{
    struct arena *arena = arena_new(MOST_MESSAGE * 2);
    struct str answer;
    struct buf wire;
    buf_init(&wire, arena);
    put_text(&wire, source->template_text);
    put_text(&wire, source->tool_template);
    put_text(&wire, source->bos);
    put_text(&wire, source->eos);
    enum err err = buf_err(&wire, why);
    char *copy = err ? NULL : malloc(wire.len);
    if (!err && !copy)
        err = err_set(why, ERR_NO_MEMORY, "could not hold the chat template");
    if (!err) {
        memcpy(copy, wire.ptr, wire.len);
        err = ask_in_turn(guard, TASK_OPEN, buf_str(&wire), arena, &answer, why);
        if (err)
            err_prefix(why, "the chat template: ");
    }
    pthread_mutex_lock(&guard->lock);
    if (!err) {
        free((char *)(uintptr_t)guard->source.ptr);
        guard->source = (struct str){copy, wire.len};
        guard->open = true;
    } else {
        free(copy);
    }
    pthread_mutex_unlock(&guard->lock);
    arena_free(arena);
    return err;
}

enum err guard_render(struct guard *guard, struct str request, struct arena *arena, struct str *out,
                      struct why *why)
{
    return ask_in_turn(guard, TASK_RENDER, request, arena, out, why);
}

enum err guard_schema(struct guard *guard, struct str schema, struct arena *arena, struct str *gbnf,
                      struct why *why)
{
    return ask_in_turn(guard, TASK_SCHEMA, schema, arena, gbnf, why);
}

enum err guard_grammar(struct guard *guard, struct str gbnf, struct arena *arena, struct why *why)
{
    struct str nothing;
    return ask_in_turn(guard, TASK_GRAMMAR, gbnf, arena, &nothing, why);
}
