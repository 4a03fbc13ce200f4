/*
 * Progress in a mapped file: reporting it costs no system call, never waits for the database, and
 * what was reported is there after a kill -9. One writer behind a mutex, readers with a sequence
 * number that is odd while it writes.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compute/compute_in.h"
#include "core/file.h"

#define MAGIC 0x31676a79u /* "yjg1" */

struct shared {
    uint32_t magic;
    _Atomic uint32_t turn;
    struct progress progress;
};

struct progress_file {
    struct shared *shared;
    pthread_mutex_t lock;
};

enum err progress_open(const char *path, struct progress_file **out, struct why *why)
{
    struct progress_file *file = calloc(1, sizeof *file);
    if (!file)
        return err_set(why, ERR_NO_MEMORY, "could not hold the progress");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0 || ftruncate(fd, sizeof *file->shared) != 0) {
        enum err err = err_errno(why, "could not make \"%s\"", path);
        if (fd >= 0)
            (void)close(fd);
        free(file);
        return err;
    }
    file->shared = mmap(NULL, sizeof *file->shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (file->shared == MAP_FAILED) {
        free(file);
        return err_errno(why, "could not map \"%s\"", path);
    }
    (void)pthread_mutex_init(&file->lock, NULL);
    if (file->shared->magic != MAGIC) {
        file->shared->magic = MAGIC;
        atomic_store(&file->shared->turn, 0);
    }
    if (atomic_load(&file->shared->turn) & 1) /* the process before died while it wrote */
        atomic_fetch_add(&file->shared->turn, 1);
    *out = file;
    return ERR_OK;
}

void progress_close(struct progress_file *file)
{
    if (!file)
        return;
    (void)munmap(file->shared, sizeof *file->shared);
    (void)pthread_mutex_destroy(&file->lock);
    free(file);
}

void progress_put(struct progress_file *file, int64_t done, int64_t total, const char *phase)
{
    struct progress *p = &file->shared->progress;
    (void)pthread_mutex_lock(&file->lock);
    atomic_fetch_add(&file->shared->turn, 1);
    p->done = done;
    p->total = total;
    if (phase) {
        size_t len = strnlen(phase, JOB_PHASE - 1);
        while (phase[len] && len > 0 && (phase[len] & 0xC0) == 0x80)
            len--; /* not in the middle of a character */
        memcpy(p->phase, phase, len);
        p->phase[len] = '\0';
    }
    atomic_fetch_add(&file->shared->turn, 1);
    (void)pthread_mutex_unlock(&file->lock);
}

bool progress_read(const char *path, struct progress *out)
{
    struct shared a, b;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool same = false;
    for (int tries = 0; tries < 8 && !same; tries++)
        same = pread(fd, &a, sizeof a, 0) == (ssize_t)sizeof a &&
               pread(fd, &b, sizeof b, 0) == (ssize_t)sizeof b && a.magic == MAGIC &&
               memcmp(&a.progress, &b.progress, sizeof a.progress) == 0;
    (void)close(fd);
    if (!same)
        return false;
    *out = a.progress;
    out->phase[JOB_PHASE - 1] = '\0';
    return true;
}
