/*
 * tests/support/small_disk - a file system of a few kilobytes, for what a full disk does.
 *
 * It is mounted in a name space that only the process sees which asked for it, and is gone with it:
 * small_disk_in_child() runs a part of a test so. Needs root; where nothing can be mounted the
 * functions say so and the test prints that it was not tried.
 */
#ifndef TESTS_SUPPORT_SMALL_DISK_H
#define TESTS_SUPPORT_SMALL_DISK_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_DISK_NONE 77 /* what a child ends with that could mount none */

/* Mounts it over the folder; false when that is not allowed. */
static inline bool small_disk_mount(const char *dir, size_t n_bytes)
{
    char opts[64];
    (void)snprintf(opts, sizeof opts, "size=%zu", n_bytes);
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", dir, "tmpfs", 0, opts) == 0;
}

/* Gives the mounted one another size. */
static inline bool small_disk_resize(const char *dir, size_t n_bytes)
{
    char opts[64];
    (void)snprintf(opts, sizeof opts, "size=%zu", n_bytes);
    return mount("tmpfs", dir, "tmpfs", MS_REMOUNT, opts) == 0;
}

/* Runs `part` in a child and gives what it returned, -1 when the child died. */
static inline int small_disk_in_child(int (*part)(void *ctx), void *ctx)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int code = part(ctx);
        (void)fflush(stdout);
        _exit(code);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
                                                                           : -1;
}

/* For a test: its part went well, or nothing could be mounted. */
#define CHECK_SMALL_DISK(part, ctx)                                                                \
    do {                                                                                           \
        int small_disk_code = small_disk_in_child((part), (ctx));                                  \
        if (small_disk_code == SMALL_DISK_NONE)                                                    \
            printf("# no file system could be mounted here: not tried\n");                         \
        else                                                                                       \
            CHECK_EQ(small_disk_code, 0);                                                          \
    } while (0)

#endif
