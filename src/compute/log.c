/* The log of a job: appended by the child and by what it starts, bounded in size. */
#include <fcntl.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/compute_in.h"
#include "core/file.h"

/* The first quarter and the last quarter stay: how it began and what happened last. In place, since
 * others have the file open for appending. */
void job_log_trim(int fd, int64_t most)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= most)
        return;
    off_t quarter = most / 4;
    char *tail = malloc((size_t)quarter + 1), note[96];
    if (!tail)
        return;
    ssize_t n = pread(fd, tail, (size_t)quarter, st.st_size - quarter);
    (void)snprintf(note, sizeof note, "\n[... %lld bytes left out ...]\n",
                   (long long)(st.st_size - 2 * quarter));
    if (n > 0 && ftruncate(fd, quarter) == 0) {
        enum err err = file_write_fd(fd, str_c(note), NULL);
        if (!err)
            err = file_write_fd(fd, (struct str){tail, (size_t)n}, NULL);
        (void)err; /* a log is not worth failing a job for */
    }
    free(tail);
}

enum err job_log_read(struct compute *compute, const char *id, int64_t from, size_t most,
                      struct arena *arena, struct str *out, int64_t *next, struct why *why)
{
    char path[JOB_PATH];
    struct stat st;
    *out = STR("");
    if (next)
        *next = 0;
    if (!compute_path(compute, str_c(id), "log", path))
        return err_set(why, ERR_NOT_FOUND, "there is no such job");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ERR_OK; /* nothing was logged yet */
    enum err err = fstat(fd, &st) == 0 ? ERR_OK : err_errno(why, "could not read the log");
    if (from < 0 || from > st.st_size)
        from = 0;
    size_t len = !err ? (size_t)(st.st_size - from) : 0;
    len = len < most ? len : most;
    char *bytes = err ? NULL : arena_bytes(arena, len + 1);
    if (!err && !bytes)
        err = err_set(why, ERR_NO_MEMORY, "could not hold %zu bytes of the log", len);
    ssize_t n = err ? 0 : pread(fd, bytes, len, from);
    if (!err && n < 0)
        err = err_errno(why, "could not read the log");
    (void)close(fd);
    if (err)
        return err;
    *out = (struct str){bytes, (size_t)n};
    if (next)
        *next = from + n;
    return ERR_OK;
}
