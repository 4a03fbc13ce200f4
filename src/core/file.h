/*
 * core/file - files and folders: whole reads, atomic writes, walks, maps, locks.
 *
 * Paths are bytes with '\0'. What is said to be durable was fsynced together with its folder.
 */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include <sys/types.h>

#include "core/str.h"

struct arena;

/* The whole file, at most `most` bytes (ERR_TOO_LARGE), in `arena`, followed by '\0'. Only regular
 * files; ERR_NOT_FOUND when there is none. */
ERR_MUST_USE enum err file_read(const char *path, size_t most, struct arena *arena, struct str *out,
                                struct why *why);

/* Replaces the file in one step: after a crash there is the old one or the new one, whole. Durable.
 */
ERR_MUST_USE enum err file_write(const char *path, struct str data, mode_t mode, struct why *why);

/* Writes all of data to fd, through interruptions. */
ERR_MUST_USE enum err file_write_fd(int fd, struct str data, struct why *why);

bool file_exists(const char *path);
bool file_is_dir(const char *path);
ERR_MUST_USE enum err file_size(const char *path, uint64_t *bytes, struct why *why);

/* Makes the folder and those above it, mode 0750. Fine when it is there. */
ERR_MUST_USE enum err file_make_dirs(const char *path, struct why *why);
/* fsync of a folder, so that a rename or a new name in it is durable. */
ERR_MUST_USE enum err file_sync_dir(const char *path, struct why *why);
/* Removes a file or a whole folder; fine when there is none. Follows no symbolic link. */
ERR_MUST_USE enum err file_remove(const char *path, struct why *why);
ERR_MUST_USE enum err file_rename(const char *from, const char *to, struct why *why); /* durable */

/* "dir/name" in the arena; NULL without memory. */
char *file_join(struct arena *arena, const char *dir, const char *name);
/* The part behind the last '/', and the suffix without the dot ("" when none). Borrowed. */
struct str file_name(struct str path);
struct str file_suffix(struct str path);

/*
 * Calls `each` for every regular file below `path` (or for `path` itself when it is one), in
 * bytewise order of names, without following symbolic links, at most `max_depth` folders deep.
 * `relative` is the path below `path` ("" is never passed: a single file gives its name).
 * An error from `each` ends the walk and is returned.
 */
typedef enum err file_each_fn(void *ctx, const char *path, struct str relative, struct why *why);
ERR_MUST_USE enum err file_walk(const char *path, int max_depth, file_each_fn *each, void *ctx,
                                struct why *why);

/* A file mapped for reading. An empty file gives len 0. */
struct file_map {
    const uint8_t *ptr;
    size_t len;
};
ERR_MUST_USE enum err file_map(const char *path, struct file_map *out, struct why *why);
void file_unmap(struct file_map *map);

/* Takes the lock file (made when missing) for this process; the kernel drops it when the process
 * ends, however. ERR_BUSY when another process holds it. *fd is given to file_unlock. */
ERR_MUST_USE enum err file_lock(const char *path, int *fd, struct why *why);
void file_unlock(int fd);

#endif
