#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"

#define PATH_MOST 4096

static enum err read_all(int fd, char *buf, size_t len, size_t *got)
{
    size_t at = 0;
    while (at < len) {
        ssize_t n = read(fd, buf + at, len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            break;
        at += (size_t)n;
    }
    *got = at;
    return ERR_OK;
}

enum err file_read(const char *path, size_t most, struct arena *arena, struct str *out,
                   struct why *why)
{
    enum err err = ERR_OK;
    struct stat st;
    char *buf;
    size_t len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(why, "could not open file \"%s\"", path);
    if (fstat(fd, &st) != 0) {
        err = err_errno(why, "could not look at file \"%s\"", path);
        goto done;
    }
    if (!S_ISREG(st.st_mode)) {
        err = err_set(why, ERR_INVALID, "\"%s\" is not a regular file", path);
        goto done;
    }
    if ((uint64_t)st.st_size > most) {
        err = err_set(why, ERR_TOO_LARGE, "file \"%s\" has %lld bytes, more than the limit of %zu",
                      path, (long long)st.st_size, most);
        goto done;
    }
    buf = arena_bytes(arena, (size_t)st.st_size + 1);
    if (!buf) {
        err = err_set(why, ERR_NO_MEMORY, "could not hold file \"%s\"", path);
        goto done;
    }
    err = read_all(fd, buf, (size_t)st.st_size, &len);
    if (err) {
        err = err_errno(why, "could not read file \"%s\"", path);
        goto done;
    }
    buf[len] = '\0';
    *out = (struct str){buf, len};
done:
    (void)close(fd);
    return err;
}

enum err file_write_fd(int fd, struct str data, struct why *why)
{
    size_t at = 0;
    while (at < data.len) {
        ssize_t n = write(fd, data.ptr + at, data.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(why, "could not write %zu bytes", data.len - at);
        at += (size_t)n;
    }
    return ERR_OK;
}

/* The folder of `path` into out; "." when it names none. */
static bool dir_of(const char *path, char out[PATH_MOST])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 1;
    if (len >= PATH_MOST)
        return false;
    memcpy(out, slash ? path : ".", len);
    if (slash == path)
        out[len++] = '/';
    out[len] = '\0';
    return true;
}

enum err file_sync_dir(const char *path, struct why *why)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open folder \"%s\"", path);
    enum err err = fsync(fd) == 0 ? ERR_OK : err_errno(why, "could not sync folder \"%s\"", path);
    (void)close(fd);
    return err;
}

static enum err sync_parent(const char *path, struct why *why)
{
    char dir[PATH_MOST];
    if (!dir_of(path, dir))
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    return file_sync_dir(dir, why);
}

enum err file_write(const char *path, struct str data, mode_t mode, struct why *why)
{
    char temp[PATH_MOST];
    if (snprintf(temp, sizeof temp, "%s.XXXXXX", path) >= (int)sizeof temp)
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    int fd = mkostemp(temp, O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not make a file beside \"%s\"", path);
    enum err err = file_write_fd(fd, data, why);
    if (!err && (fchmod(fd, mode) != 0 || fsync(fd) != 0))
        err = err_errno(why, "could not write file \"%s\"", path);
    if (close(fd) != 0 && !err)
        err = err_errno(why, "could not write file \"%s\"", path);
    if (!err && rename(temp, path) != 0)
        err = err_errno(why, "could not put file \"%s\" in place", path);
    if (err)
        (void)unlink(temp);
    return err ? err : sync_parent(path, why);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum err file_size(const char *path, uint64_t *bytes, struct why *why)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_errno(why, "could not look at file \"%s\"", path);
    *bytes = (uint64_t)st.st_size;
    return ERR_OK;
}

enum err file_make_dirs(const char *path, struct why *why)
{
    char part[PATH_MOST];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0750) != 0 && errno != EEXIST)
            return err_errno(why, "could not make folder \"%s\"", part);
    }
    if (!file_is_dir(path))
        return err_set(why, ERR_CONFLICT, "\"%s\" is not a folder", path);
    return ERR_OK;
}

static enum err remove_at(int dir_fd, const char *name, int depth, struct why *why)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return ERR_OK;
    if (errno != EISDIR && errno != EPERM)
        return err_errno(why, "could not remove \"%s\"", name);
    if (depth > 256)
        return err_set(why, ERR_INVALID, "folders nest too deeply at \"%s\"", name);
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        enum err err = err_errno(why, "could not open folder \"%s\"", name);
        if (fd >= 0)
            (void)close(fd);
        return err;
    }
    enum err err = ERR_OK;
    for (struct dirent *e = readdir(dir); e && !err; e = readdir(dir))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            err = remove_at(fd, e->d_name, depth + 1, why);
    (void)closedir(dir);
    if (!err && unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
        err = err_errno(why, "could not remove folder \"%s\"", name);
    return err;
}

enum err file_remove(const char *path, struct why *why)
{
    return remove_at(AT_FDCWD, path, 0, why);
}

enum err file_rename(const char *from, const char *to, struct why *why)
{
    if (rename(from, to) != 0)
        return err_errno(why, "could not rename \"%s\" to \"%s\"", from, to);
    return sync_parent(to, why);
}

char *file_join(struct arena *arena, const char *dir, const char *name)
{
    size_t len = strlen(dir);
    const char *sep = len && dir[len - 1] == '/' ? "" : "/";
    return (char *)str_printf(arena, "%s%s%s", dir, sep, name).ptr;
}

struct str file_name(struct str path)
{
    for (size_t i = path.len; i-- > 0;)
        if (path.ptr[i] == '/')
            return str_from(path, i + 1);
    return path;
}

struct str file_suffix(struct str path)
{
    struct str name = file_name(path);
    for (size_t i = name.len; i-- > 1;)
        if (name.ptr[i] == '.')
            return str_from(name, i + 1);
    return STR("");
}

struct walk {
    const char *root;
    size_t root_len; /* with the '/' behind it */
    int max_depth;
    file_each_fn *each;
    void *ctx;
};

static enum err walk_dir(const struct walk *walk, char *path, size_t len, int depth,
                         struct why *why);

static enum err walk_entry(const struct walk *walk, char *path, size_t len, int depth,
                           const char *name, struct why *why)
{
    size_t more = strlen(name);
    if (len + 1 + more >= PATH_MOST)
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    path[len] = '/';
    memcpy(path + len + 1, name, more + 1);
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? ERR_OK : err_errno(why, "could not look at \"%s\"", path);
    if (S_ISREG(st.st_mode))
        return walk->each(walk->ctx, path, str_c(path + walk->root_len), why);
    return S_ISDIR(st.st_mode) ? walk_dir(walk, path, len + 1 + more, depth + 1, why) : ERR_OK;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static enum err walk_dir(const struct walk *walk, char *path, size_t len, int depth,
                         struct why *why)
{
    if (depth > walk->max_depth)
        return err_set(why, ERR_INVALID, "folders nest deeper than %d at \"%s\"", walk->max_depth,
                       path);
    struct dirent **names;
    int n = scandir(path, &names, NULL, by_bytes);
    if (n < 0)
        return err_errno(why, "could not list folder \"%s\"", path);
    enum err err = ERR_OK;
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;
        if (!err && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            err = walk_entry(walk, path, len, depth, name, why);
        free(names[i]);
    }
    free(names);
    path[len] = '\0';
    return err;
}

enum err file_walk(const char *path, int max_depth, file_each_fn *each, void *ctx, struct why *why)
{
    char buf[PATH_MOST];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len >= sizeof buf)
        return err_set(why, ERR_INVALID, "the path \"%.60s...\" is too long", path);
    memcpy(buf, path, len);
    buf[len] = '\0';
    struct stat st;
    if (stat(buf, &st) != 0)
        return err_errno(why, "could not look at \"%s\"", buf);
    if (S_ISREG(st.st_mode))
        return each(ctx, buf, file_name(str_c(buf)), why);
    struct walk walk = {buf, len + 1, max_depth, each, ctx};
    return walk_dir(&walk, buf, len, 0, why);
}

enum err file_map(const char *path, struct file_map *out, struct why *why)
{
    enum err err = ERR_OK;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open file \"%s\"", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        err = err_set(why, ERR_IO, "\"%s\" is not a regular file", path);
    } else if (st.st_size == 0) {
        *out = (struct file_map){NULL, 0};
    } else {
        void *ptr = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
        if (ptr == MAP_FAILED)
            err = err_errno(why, "could not map file \"%s\"", path);
        else
            *out = (struct file_map){ptr, (size_t)st.st_size};
    }
    (void)close(fd);
    return err;
}

void file_unmap(struct file_map *map)
{
    if (map->ptr)
        (void)munmap((void *)map->ptr, map->len);
    *map = (struct file_map){NULL, 0};
}

enum err file_lock(const char *path, int *fd, struct why *why)
{
    int got = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (got < 0)
        return err_errno(why, "could not open lock \"%s\"", path);
    if (flock(got, LOCK_EX | LOCK_NB) != 0) {
        enum err err = errno == EWOULDBLOCK
                           ? err_set(why, ERR_BUSY, "another process holds \"%s\"", path)
                           : err_errno(why, "could not lock \"%s\"", path);
        (void)close(got);
        return err;
    }
    *fd = got;
    return ERR_OK;
}

void file_unlock(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}
