/*
 * tests/meter/truth - what really went to the clients, as the killed program noted it itself.
 *
 * One file a run, mapped: its pages outlive a kill, like those of the flight file.
 */
#ifndef TESTS_METER_TRUTH_H
#define TESTS_METER_TRUTH_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRUTH_MOST 4000 /* calls of a run */

struct truth {
    _Atomic int64_t begun;   /* 1: the id is there */
    _Atomic int64_t intent;  /* completion tokens about to be said, + 1 */
    _Atomic int64_t done;    /* said: then the bytes went out, + 1 */
    _Atomic int64_t outcome; /* enum meter_outcome + 1, before meter_end */
    _Atomic int64_t ended;   /* 1: meter_end came back */
    int64_t prompt;
    char id[40];
};

static inline struct truth *truth_map(const char *path, int create)
{
    size_t len = sizeof(struct truth) * TRUTH_MOST;
    int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_EXCL : 0), 0600);
    if (fd < 0 || (create && ftruncate(fd, (off_t)len) != 0))
        return NULL;
    if (lseek(fd, 0, SEEK_END) != (off_t)len) { /* it is just being made */
        (void)close(fd);
        return NULL;
    }
    void *map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return map == MAP_FAILED ? NULL : map;
}

static inline void truth_unmap(struct truth *t)
{
    (void)munmap(t, sizeof(struct truth) * TRUTH_MOST);
}

#endif
