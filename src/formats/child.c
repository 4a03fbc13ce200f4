/*
 * formats/child - one document parsed in a process of its own.
 *
 * The parsers of complex formats are large libraries that read hostile bytes: a crash, a hang or a
 * leak in one must cost that document and no more. The child is a fork (the bytes are there
 * already), bounded by RLIMIT_AS and RLIMIT_CPU and by a deadline that the parent watches; it
 * writes the document into a memory file, which the parent reads with every length checked.
 */
#include "formats/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/confine.h"
#include "core/time.h"
#include "formats/markup.h"
#include "formats/wire.h"

#define LIBRARIES ((uint64_t)768 << 20) /* what the parsers' libraries and data map besides */
#define GRACE_MS  2000                  /* for the child to say itself that its time is up */

static void confine(const struct format_limits *limits, size_t memory, bool slow)
{
    int64_t seconds = limits->time_ms / 1000 + 10;
    confine_orphan();
    /* Recognition extends its deadline page by page; then the parent's watch is the bound. */
    if (!slow)
        confine_time((uint64_t)seconds);
    confine_memory((uint64_t)memory * 3 + LIBRARIES);
    confine_quiet(false);
    (void)setenv("OMP_THREAD_LIMIT", "1", 1);
    (void)setpriority(PRIO_PROCESS, 0, 5);
}

struct task {
    const struct format_reader *reader;
    struct str bytes, name;
    const struct format_limits *limits;
    size_t memory;
    int64_t *watch;
    int result, alive; /* memory file; the write end of a pipe that closes with the child */
};

static _Noreturn void run_child(const struct task *t)
{
    struct arena *arena = arena_new(t->memory);
    struct format_document doc = {0};
    struct why why = {0};
    confine(t->limits, t->memory, t->limits->ocr);
    enum err err = arena ? format_read_with(t->reader, t->bytes, t->name, t->limits, arena,
                                            t->watch, &doc, &why)
                         : ERR_NO_MEMORY;
    if (err && !why.text[0])
        (void)err_set(&why, err, "%s", err_words(err));
    _exit(wire_write(t->result, err, &doc, &why) ? 0 : 3);
}

/* Waits for the pipe to close. False when the deadline passed first. */
static bool wait_end(int fd, const int64_t *watch)
{
    for (;;) {
        int64_t left =
            (__atomic_load_n(watch, __ATOMIC_RELAXED) - time_mono_ns()) / 1000000 + GRACE_MS;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return false;
        int n = poll(&p, 1, left > 1000 ? 1000 : (int)left);
        if (n > 0 || (n < 0 && errno != EINTR))
            return true;
    }
}

static enum err explain(const struct task *t, int status, bool in_time, struct why *why)
{
    const char *name = t->reader->name;
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (!in_time || sig == SIGXCPU)
        return err_set(why, ERR_TIMEOUT, "reading took longer than %lld s and was stopped",
                       (long long)(t->limits->time_ms / 1000));
    if (sig == SIGABRT || sig == SIGKILL)
        return err_set(
            why, ERR_NO_MEMORY,
            "the %s reader ended early: it needs more than %zu MB, or the file is broken", name,
            t->memory >> 20);
    return err_set(why, ERR_INVALID,
                   "the %s reader crashed on it (%s %d); the file is probably broken", name,
                   sig ? "signal" : "status", sig ? sig : WEXITSTATUS(status));
}

static enum err take_result(const struct task *t, struct arena *arena, struct format_document *doc,
                            struct why *why)
{
    struct stat st;
    size_t at = 0;
    if (fstat(t->result, &st) != 0)
        return err_errno(why, "could not look at what the %s reader gave back", t->reader->name);
    size_t len = (size_t)st.st_size;
    char *ptr = arena_bytes(arena, len);
    if (!ptr)
        return err_set(why, ERR_NO_MEMORY,
                       "the document needs more memory than the limit of %zu MB", t->memory >> 20);
    while (at < len) {
        ssize_t n = pread(t->result, ptr + at, len - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(why, "could not read what the %s reader gave back", t->reader->name);
        at += (size_t)n;
    }
    return wire_read((struct str){ptr, len}, arena, doc, why);
}

/* Forks, watches, reaps. The pipe tells the end sooner than polling for it would. */
static enum err run(struct task *t, struct arena *arena, struct format_document *doc,
                    struct why *why)
{
    int pipes[2], status = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0)
        return err_errno(why, "could not make a pipe");
    t->alive = pipes[1];
    markup_before_fork();
    pid_t pid = fork();
    markup_after_fork(pid == 0);
    if (pid == 0)
        run_child(t);
    (void)close(pipes[1]);
    if (pid < 0) {
        (void)close(pipes[0]);
        return err_errno(why, "could not start a process");
    }
    bool in_time = wait_end(pipes[0], t->watch);
    if (!in_time)
        (void)kill(pid, SIGKILL);
    (void)close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in_time || status != 0)
        return explain(t, status, in_time, why);
    return take_result(t, arena, doc, why);
}

enum err format_read_child(const struct format_reader *reader, struct str bytes, struct str name,
                           const struct format_limits *limits, size_t memory, struct arena *arena,
                           struct format_document *out, struct why *why)
{
    enum err err = ERR_OK;
    struct format_document doc = {.path = name, .format = reader->name, .encoding = ""};
    struct task t = {.reader = reader,
                     .bytes = bytes,
                     .name = name,
                     .limits = limits,
                     .memory = memory,
                     .result = -1};
    void *shared =
        mmap(NULL, sizeof *t.watch, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return err_errno(why, "could not map memory");
    t.watch = shared;
    *t.watch = time_mono_ns() + limits->time_ms * 1000000;
    t.result = memfd_create("document", MFD_CLOEXEC);
    if (t.result < 0) {
        err = err_errno(why, "could not make a memory file");
        goto done;
    }
    err = run(&t, arena, &doc, why);
    if (!err)
        *out = doc;
done:
    if (t.result >= 0)
        (void)close(t.result);
    (void)munmap(shared, sizeof *t.watch);
    return err;
}
