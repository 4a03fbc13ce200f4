#include "data/merge.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"

#define NAME 4096

bool merge_waits(int64_t n_bytes)
{
    return n_bytes < (int64_t)(DATASET_SHARD_BYTES / 2);
}

static enum err append(const struct merge *m, size_t shard, const char *suffix, int fd,
                       struct why *why)
{
    char name[NAME];
    struct file_map map = {0};
    (void)snprintf(name, sizeof name, "%s/s%zu-%zu.%s", m->dir, m->stage, shard, suffix);
    enum err err = file_map(name, &map, why);
    if (!err)
        err = file_write_fd(fd, (struct str){(const char *)map.ptr, map.len}, why);
    file_unmap(&map);
    return err;
}

/* The files of shards from .. to - 1 as one object; none when they are empty. */
static enum err put(const struct merge *m, size_t from, size_t to, const char *suffix,
                    struct arena *arena, struct str *out, struct why *why)
{
    char path[NAME], object[HASH_TEXT] = "";
    uint64_t bytes = 0;
    (void)snprintf(path, sizeof path, "%s/merged.%s", m->dir, suffix);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_errno(why, "could not make the work file \"%s\"", path);
    enum err err = ERR_OK;
    for (size_t i = from; i < to && !err; i++)
        if (m->waits[i])
            err = append(m, i, suffix, fd, why);
    if (close(fd) != 0 && !err)
        err = err_errno(why, "could not write \"%s\"", path);
    if (!err)
        err = file_size(path, &bytes, why);
    if (!err && bytes)
        err = objects_put_file(m->objects, path, UINT64_MAX, object, NULL, why);
    if (err)
        return err;
    *out = str_copy(arena, str_c(object));
    return out->ptr ? file_remove(path, why)
                    : err_set(why, ERR_NO_MEMORY, "could not hold the shards");
}

static enum err merge_range(const struct merge *m, size_t from, size_t to, struct arena *arena,
                            struct why *why)
{
    struct shard_info sum = {.object = STR(""), .trail = STR("")};
    enum err err = put(m, from, to, "out", arena, &sum.object, why);
    if (!err)
        err = put(m, from, to, "trails", arena, &sum.trail, why);
    for (size_t i = from; i < to && !err; i++) {
        sum.n_records += m->shards[i].n_records;
        sum.n_bytes += m->shards[i].n_bytes;
        m->shards[i] = (struct shard_info){.object = STR(""), .trail = STR("")};
    }
    if (!err)
        m->shards[from] = sum;
    return err;
}

enum err merge_small(const struct merge *m, struct arena *arena, struct why *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0, end; i < m->n && !err; i = end) {
        int64_t bytes = 0;
        end = i + 1;
        if (!m->waits[i])
            continue;
        bytes = m->shards[i].n_bytes;
        while (end < m->n && m->waits[end] &&
               bytes + m->shards[end].n_bytes <= (int64_t)DATASET_SHARD_BYTES)
            bytes += m->shards[end++].n_bytes;
        err = merge_range(m, i, end, arena, why);
    }
    return err;
}
