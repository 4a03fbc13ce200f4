/* core/confine: each limit is tried in a child. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/confine.h"
#include "tap.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED 1
#else
#define SHADOWED 0
#endif

static int ended(void (*run)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        run();
        _exit(0);
    }
    while (waitpid(child, &status, 0) < 0)
        ;
    return status;
}

static void take_memory(void)
{
    confine_memory(64u << 20);
    char *small = malloc(16u << 20), *large = malloc(512u << 20);
    _exit(small && !large ? 7 : 8);
}

static void take_time(void)
{
    confine_orphan();
    confine_time(1);
    for (volatile unsigned n = 0;; n++)
        ;
}

static void speak(void)
{
    int pipe_ends[2];
    if (pipe(pipe_ends) || dup2(pipe_ends[1], STDERR_FILENO) < 0)
        _exit(1);
    (void)fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    confine_quiet(true);
    char c;
    bool heard = write(STDERR_FILENO, "!", 1) != 1 || read(pipe_ends[0], &c, 1) == 1;
    _exit(heard || read(STDIN_FILENO, &c, 1) != 0 ? 8 : 7);
}

static void leave_core(void)
{
    struct rlimit core;
    confine_orphan();
    _exit(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 ? 7 : 8);
}

TEST(memory_beyond_the_limit_is_refused)
{
    if (SHADOWED)
        SKIP("the sanitizer maps terabytes");
    int status = ended(take_memory);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(time_beyond_the_limit_ends_the_process)
{
    int status = ended(take_time);
    CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL));
}

TEST(what_is_said_goes_nowhere)
{
    int status = ended(speak);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TEST(no_core_file_is_left)
{
    int status = ended(leave_core);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

TESTS_MAIN()
