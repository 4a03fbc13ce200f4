#include "models/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"

#define READY_FD  3
#define MOST_ARGS 96
#define MOST_LOG  (8 << 20)

struct launch {
    char *argv[MOST_ARGS];
    size_t argc;
    char numbers[7][24];
    int null, log, ready;
    pid_t parent;
};

static void arg(struct launch *l, const char *text)
{
    if (l->argc + 1 < MOST_ARGS)
        l->argv[l->argc++] = (char *)text;
}

static void number(struct launch *l, size_t slot, const char *name, int64_t value)
{
    (void)snprintf(l->numbers[slot], sizeof l->numbers[slot], "%lld", (long long)value);
    arg(l, name);
    arg(l, l->numbers[slot]);
}

static void make_args(struct launch *l, const struct child_opts *o)
{
    arg(l, o->program);
    arg(l, "engine");
    arg(l, "--model");
    arg(l, o->model);
    arg(l, "--alias");
    arg(l, o->alias);
    arg(l, "--listen");
    arg(l, "127.0.0.1");
    arg(l, "--port");
    arg(l, "0");
    arg(l, "--ready-fd");
    arg(l, "3");
    _Static_assert(READY_FD == 3, "the text above");
    arg(l, "--with-parent");
    arg(l, "--token-file");
    arg(l, o->token_path);
    number(l, 0, "--threads", o->threads);
    number(l, 1, "--slots", o->slots);
    number(l, 2, "--queue", o->queue);
    number(l, 3, "--drain", o->drain_s);
    if (o->context)
        number(l, 4, "--context", o->context);
    if (o->remember_mb >= 0)
        number(l, 5, "--remember", o->remember_mb);
    if (o->kv_type && o->kv_type[0]) {
        arg(l, "--kv-type");
        arg(l, o->kv_type);
    }
    for (size_t i = 0; i < o->n_loras; i++) {
        arg(l, "--lora");
        arg(l, o->loras[i]);
    }
    if (strcmp(o->modality, "embedding") == 0)
        arg(l, "--embedding");
    if (strcmp(o->modality, "rerank") == 0)
        arg(l, "--rerank");
}

/* Between fork and exec only calls that a signal handler may make. */
static _Noreturn void become(const struct launch *l)
{
    static const struct rlimit no_core = {0, 0};
    sigset_t none;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != l->parent) /* it died before the line above */
        _exit(125);
    (void)setpgid(0, 0);
    (void)setrlimit(RLIMIT_CORE, &no_core);
    int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (oom >= 0 && write(oom, "300", 3) == 3) /* before the centre itself */
        (void)close(oom);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(l->null, 0) < 0 || dup2(l->log, 1) < 0 || dup2(l->log, 2) < 0 ||
        dup2(l->ready, READY_FD) < 0)
        _exit(126);
    (void)syscall(SYS_close_range, READY_FD + 1, ~0U, 0);
    (void)execv(l->argv[0], l->argv);
    _exit(127);
}

/* A number that the ones it is put on cannot reach. */
static int raised(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (fd >= 0)
        (void)close(fd);
    return high;
}

static enum err open_files(struct launch *l, const struct child_opts *o, int *ready,
                           struct why *why)
{
    int ends[2];
    uint64_t bytes = 0;
    if (file_size(o->log_path, &bytes, NULL) == ERR_OK && bytes > MOST_LOG) {
        char old[CHILD_PATH];
        (void)snprintf(old, sizeof old, "%s.1", o->log_path);
        (void)rename(o->log_path, old);
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_errno(why, "could not make a pipe for the engine");
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *ready = ends[0];
    l->ready = raised(ends[1]);
    l->null = raised(open("/dev/null", O_RDONLY | O_CLOEXEC));
    l->log = raised(open(o->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (l->ready < 0 || l->null < 0 || l->log < 0)
        return err_errno(why, "could not open the files of the engine");
    return ERR_OK;
}

static void close_files(const struct launch *l)
{
    const int fds[] = {l->ready, l->null, l->log};
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

enum err child_start(const struct child_opts *o, struct child *out, struct why *why)
{
    struct launch l = {.null = -1, .log = -1, .ready = -1, .parent = getpid()};
    *out = (struct child){.ready_fd = -1};
    make_args(&l, o);
    if (access(o->program, X_OK) != 0)
        return err_errno(why, "could not find the program \"%s\"", o->program);
    enum err err = file_write(o->token_path, str_c(secret_token(out->token)), 0600, why);
    if (!err)
        err = open_files(&l, o, &out->ready_fd, why);
    if (!err) {
        pid_t pid = fork();
        if (pid == 0)
            become(&l);
        if (pid < 0)
            err = err_errno(why, "could not start a process for the engine");
        else
            out->pid = pid;
        if (pid > 0)
            (void)setpgid(pid, pid);
    }
    close_files(&l);
    if (err && out->ready_fd >= 0) {
        (void)close(out->ready_fd);
        out->ready_fd = -1;
    }
    return err;
}

enum child_word child_read_line(struct str line, struct child_ready *out)
{
    const struct json *json = NULL;
    struct arena *arena = arena_new(64u << 10);
    enum child_word word = CHILD_MUTE;
    *out = (struct child_ready){.err = ERR_INTERNAL};
    (void)snprintf(out->words, sizeof out->words, "it said something else than that it is ready");
    if (arena && json_parse(line, arena, &json, NULL) == ERR_OK) {
        struct str error = json_get_str(json, "error", STR("")),
                   code = json_get_str(json, "code", STR(""));
        int64_t port = json_get_int(json, "port", 0);
        if (error.len) {
            word = CHILD_REFUSED;
            (void)snprintf(out->words, sizeof out->words, "%.*s",
                           (int)(error.len < 280 ? error.len : 280), error.ptr);
            for (int e = 1; e < ERR_COUNT; e++)
                if (str_eq_c(code, err_code((enum err)e)))
                    out->err = (enum err)e;
        } else if (port > 0 && port < 65536) {
            word = CHILD_READY;
            *out = (struct child_ready){.port = (int)port,
                                        .context = json_get_int(json, "context", 0),
                                        .slots = json_get_int(json, "slots", 0)};
        }
    }
    arena_free(arena);
    return word;
}

enum child_word child_listen(struct child *c, struct child_ready *out)
{
    if (c->ready_fd < 0)
        return CHILD_SILENT;
    ssize_t n;
    do {
        n = read(c->ready_fd, c->line + c->line_len, sizeof c->line - c->line_len);
        if (n > 0)
            c->line_len += (size_t)n;
    } while (n > 0 && c->line_len < sizeof c->line);
    const char *end = memchr(c->line, '\n', c->line_len);
    bool over = n == 0 || c->line_len == sizeof c->line;
    if (!end && !over)
        return CHILD_SILENT;
    (void)close(c->ready_fd);
    c->ready_fd = -1;
    size_t len = end ? (size_t)(end - c->line) : c->line_len;
    if (len == 0) {
        *out = (struct child_ready){.err = ERR_INTERNAL};
        (void)snprintf(out->words, sizeof out->words, "it ended before it was ready");
        return CHILD_MUTE;
    }
    return child_read_line((struct str){c->line, len}, out);
}

bool child_ended(struct child *c, char *words, size_t size)
{
    siginfo_t info = {0};
    int status = 0;
    /* Buried only after its group was killed: until then its number belongs to nobody else. */
    if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0)
        return false;
    (void)kill(-c->pid, SIGKILL);
    if (waitpid(c->pid, &status, 0) != c->pid)
        (void)snprintf(words, size, "the process vanished");
    else if (WIFSIGNALED(status))
        (void)snprintf(words, size, "the engine was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == 127)
        (void)snprintf(words, size, "the program could not be started");
    else
        (void)snprintf(words, size, "the engine ended with code %d", WEXITSTATUS(status));
    if (c->ready_fd >= 0)
        (void)close(c->ready_fd);
    *c = (struct child){.ready_fd = -1};
    return true;
}

void child_ask_to_end(const struct child *c)
{
    if (c->pid > 0)
        (void)kill(c->pid, SIGTERM);
}

void child_kill(const struct child *c)
{
    if (c->pid > 0)
        (void)kill(-c->pid, SIGKILL);
}

int64_t child_rss(const struct child *c)
{
    char path[64];
    long long pages = 0;
    (void)snprintf(path, sizeof path, "/proc/%ld/statm", (long)c->pid);
    FILE *f = c->pid > 0 ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    if (fscanf(f, "%*s %lld", &pages) != 1)
        pages = 0;
    (void)fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}
