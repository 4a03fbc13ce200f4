#include "core/confine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOWED 1
#endif
#endif
#ifndef SHADOWED
#define SHADOWED 0
#endif

static void set_limit(int what, uint64_t most)
{
    struct rlimit limit = {(rlim_t)most, (rlim_t)most};
    (void)setrlimit(what, &limit);
}

/* Bytes of address space that this process has mapped already. */
static uint64_t mapped(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%llu", &pages) != 1)
        pages = 0;
    if (f)
        (void)fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void confine_orphan(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    set_limit(RLIMIT_CORE, 0);
}

void confine_memory(uint64_t more)
{
    if (!SHADOWED)
        set_limit(RLIMIT_AS, mapped() + more);
}

void confine_time(uint64_t seconds)
{
    set_limit(RLIMIT_CPU, seconds);
}

void confine_quiet(bool input)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = input ? STDIN_FILENO : STDOUT_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
        (void)dup2(null, fd);
    if (null > STDERR_FILENO)
        (void)close(null);
}
