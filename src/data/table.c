#include "data/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME 4096

static enum err open_file(struct data_table *table, const char *dir, struct why *why)
{
    char path[NAME];
    (void)snprintf(path, sizeof path, "%s/table-XXXXXX", dir);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not make a work file in \"%s\"", dir);
    (void)unlink(path); /* it ends with us */
    enum err err = ERR_OK;
    errno = posix_fallocate(fd, 0, (off_t)table->bytes);
    if (errno)
        err = err_errno(why, "could not take %zu bytes in \"%s\"", table->bytes, dir);
    void *ptr =
        err ? MAP_FAILED : mmap(NULL, table->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!err && ptr == MAP_FAILED)
        err = err_errno(why, "could not map %zu bytes", table->bytes);
    if (!err)
        table->ptr = ptr;
    (void)close(fd);
    return err;
}

enum err data_table_open(struct data_table *table, const char *dir, size_t bytes, size_t most,
                         struct why *why)
{
    *table = (struct data_table){.bytes = bytes ? bytes : 1, .is_mapped = bytes > most};
    if (table->is_mapped)
        return open_file(table, dir, why);
    table->ptr = calloc(1, table->bytes);
    return table->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not take %zu bytes", bytes);
}

void data_table_close(struct data_table *table)
{
    if (table->ptr && table->is_mapped)
        (void)munmap(table->ptr, table->bytes);
    else if (table->ptr)
        free(table->ptr);
    table->ptr = NULL;
}
