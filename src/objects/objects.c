#include "objects/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"

#define PATH_MOST     4096
#define CHUNK         ((size_t)64 << 10)
#define NAME_LEN      (HASH_TEXT - 1)
#define FORGOTTEN_SEC 86400 /* a file in tmp/ this old was left by a process that died */

struct objects {
    char *dir;
    size_t dir_len;
    atomic_bool durable[256]; /* the folder dir/ab is known to be durable in dir */
};

/* ---- names and paths ---- */

static bool is_name(const char *name)
{
    size_t len = name ? strspn(name, "0123456789abcdef") : 0;
    return len == NAME_LEN && name[len] == '\0';
}

static enum err check_name(const char *name, struct why *why)
{
    if (is_name(name))
        return ERR_OK;
    return err_set(why, ERR_INVALID, "\"%.80s\" is not the name of an object", name ? name : "");
}

static char *add(char *at, const char *bytes, size_t n)
{
    memcpy(at, bytes, n);
    return at + n;
}

/* dir/ab/cdef..., or dir/ab when `folder`. Fits: objects_open() saw to the length of dir. */
static void path_of(const struct objects *objects, const char *name, bool folder,
                    char out[PATH_MOST])
{
    char *at = add(out, objects->dir, objects->dir_len);
    at = add(at, "/", 1);
    at = add(at, name, 2);
    if (!folder) {
        at = add(at, "/", 1);
        at = add(at, name + 2, NAME_LEN - 2);
    }
    *at = '\0';
}

static void temp_path(const struct objects *objects, const char id[UUID_TEXT], char out[PATH_MOST])
{
    char *at = add(out, objects->dir, objects->dir_len);
    at = add(at, "/tmp/", 5);
    (void)add(at, id, UUID_TEXT);
}

/* A name in tmp/ that nobody else uses. */
static void new_temp_path(const struct objects *objects, char out[PATH_MOST])
{
    char id[UUID_TEXT];
    temp_path(objects, uuid7(id), out);
}

/* ---- opening ---- */

static enum err sweep(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct stat st;
    (void)relative, (void)why;
    if (stat(path, &st) == 0 && st.st_mtime < *(time_t *)ctx)
        (void)unlink(path);
    return ERR_OK;
}

enum err objects_open(const char *dir, struct objects **out, struct why *why)
{
    char tmp[PATH_MOST];
    size_t len = strlen(dir);
    if (len == 0 || len + NAME_LEN + 8 >= PATH_MOST)
        return err_set(why, ERR_INVALID, "the path \"%.60s\" cannot be a folder for objects", dir);
    (void)add(add(tmp, dir, len), "/tmp", 5);
    enum err err = file_make_dirs(tmp, why);
    if (!err)
        err = file_sync_dir(dir, why);
    time_t before = time_now_ms() / 1000 - FORGOTTEN_SEC;
    if (!err)
        err = file_walk(tmp, 0, sweep, &before, why);
    if (err)
        return err;
    struct objects *objects = calloc(1, sizeof *objects);
    char *copy = strdup(dir);
    if (!objects || !copy) {
        free(objects);
        free(copy);
        return err_set(why, ERR_NO_MEMORY, "could not open the objects in \"%s\"", dir);
    }
    objects->dir = copy;
    objects->dir_len = len;
    *out = objects;
    return ERR_OK;
}

void objects_close(struct objects *objects)
{
    if (!objects)
        return;
    free(objects->dir);
    free(objects);
}

/* ---- reading ---- */

/* Reads fd to its end, at most `most` bytes, gives the name of what stood there and, when `to` is
 * not -1, copies it there. */
static enum err digest_fd(int fd, int to, uint64_t most, char name[HASH_TEXT], uint64_t *bytes,
                          struct why *why)
{
    enum err err = ERR_OK;
    uint64_t n = 0;
    uint8_t digest[HASH_BYTES];
    struct hash *hash = hash_new(HASH_SHA256);
    char *chunk = malloc(CHUNK);
    if (!hash || !chunk) {
        err = err_set(why, ERR_NO_MEMORY, "could not hold a part of the file");
        goto done;
    }
    for (;;) {
        ssize_t got = read(fd, chunk, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            err = err_errno(why, "could not read");
        else if ((n += (uint64_t)got) > most)
            err = err_set(why, ERR_TOO_LARGE, "more than the limit of %llu bytes",
                          (unsigned long long)most);
        if (got <= 0 || err)
            break;
        hash_add(hash, chunk, (size_t)got);
        if (to >= 0 && (err = file_write_fd(to, (struct str){chunk, (size_t)got}, why)) != ERR_OK)
            break;
    }
    if (!err) {
        hash_end(hash, digest);
        (void)hex_put(digest, sizeof digest, name);
        *bytes = n;
    }
done:
    free(chunk);
    hash_free(hash);
    return err;
}

static enum err digest_file(const char *path, char name[HASH_TEXT], uint64_t *bytes,
                            struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open \"%s\"", path);
    enum err err = digest_fd(fd, -1, UINT64_MAX, name, bytes, why);
    (void)close(fd);
    return err;
}

enum err objects_get(struct objects *objects, const char *name, size_t most, struct arena *arena,
                     struct str *out, struct why *why)
{
    char path[PATH_MOST], real[HASH_TEXT];
    uint8_t digest[HASH_BYTES];
    struct str data;
    enum err err = check_name(name, why);
    if (err)
        return err;
    path_of(objects, name, false, path);
    if (!file_exists(path))
        return err_set(why, ERR_NOT_FOUND, "there is no object %s", name);
    err = file_read(path, most, arena, &data, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, data, digest);
    if (strcmp(hex_put(digest, sizeof digest, real), name) != 0)
        return err_set(why, ERR_CORRUPT, "object %s is damaged: its content is %s", name, real);
    *out = data;
    return ERR_OK;
}

enum err objects_path(struct objects *objects, const char *name, struct arena *arena,
                      const char **out, struct why *why)
{
    char path[PATH_MOST];
    enum err err = check_name(name, why);
    if (err)
        return err;
    path_of(objects, name, false, path);
    if (!file_exists(path))
        return err_set(why, ERR_NOT_FOUND, "there is no object %s", name);
    const char *copy = arena_copy(arena, path, strlen(path));
    if (!copy)
        return err_set(why, ERR_NO_MEMORY, "could not hold a path");
    *out = copy;
    return ERR_OK;
}

bool objects_has(struct objects *objects, const char *name)
{
    char path[PATH_MOST];
    if (!is_name(name))
        return false;
    path_of(objects, name, false, path);
    return file_exists(path);
}

/* ---- writing ---- */

static enum err make_temp(const char *temp, int *fd, struct why *why)
{
    *fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0440);
    return *fd >= 0 ? ERR_OK : err_errno(why, "could not make file \"%s\"", temp);
}

/* Sees to it that the name of the object's folder is durable, once for each folder: another process
 * may have made it a moment ago. */
static enum err sync_top(struct objects *objects, const char *name, struct why *why)
{
    uint8_t at = 0;
    if (!hex_get((struct str){name, 2}, &at, 1))
        return err_set(why, ERR_INVALID, "\"%.2s\" is no folder of objects", name);
    if (atomic_load(&objects->durable[at]))
        return ERR_OK;
    enum err err = file_sync_dir(objects->dir, why);
    if (!err)
        atomic_store(&objects->durable[at], true);
    return err;
}

static enum err make_folder(struct objects *objects, const char *name, struct why *why)
{
    char folder[PATH_MOST];
    path_of(objects, name, true, folder);
    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return err_errno(why, "could not make folder \"%s\"", folder);
    return sync_top(objects, name, why);
}

/* A lock on the folder: shared while an object is put in place or made young, alone while one is
 * removed. */
static enum err lock(const struct objects *objects, int how, int *fd, struct why *why)
{
    *fd = open(objects->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return err_errno(why, "could not open folder \"%s\"", objects->dir);
    while (flock(*fd, how) != 0)
        if (errno != EINTR) {
            enum err err = err_errno(why, "could not lock folder \"%s\"", objects->dir);
            (void)close(*fd);
            return err;
        }
    return ERR_OK;
}

/* ERR_OK when the object is there whole and durably, ERR_NOT_FOUND (without words) when it has to
 * be written, for the first time or because it is damaged. */
static enum err keep_whole(struct objects *objects, const char *name, struct why *why)
{
    char path[PATH_MOST], real[HASH_TEXT];
    uint64_t bytes;
    int fd;
    path_of(objects, name, false, path);
    if (digest_file(path, real, &bytes, NULL) != ERR_OK || strcmp(real, name) != 0)
        return ERR_NOT_FOUND;
    /* Young again, so that no collector takes it before a row names it; unless one just did. */
    enum err err = lock(objects, LOCK_SH, &fd, why);
    if (err)
        return err;
    bool there = utimensat(AT_FDCWD, path, NULL, 0) == 0;
    (void)close(fd);
    if (!there)
        return ERR_NOT_FOUND; /* gone, or another user's: written anew it is young */
    /* Another writer may have put it there a moment ago, with its folders not yet synced. */
    err = sync_top(objects, name, why);
    path_of(objects, name, true, path);
    return err ? err : file_sync_dir(path, why);
}

/* Puts the finished temporary file in place. */
static enum err settle(struct objects *objects, int fd, const char *temp, const char *name,
                       struct why *why)
{
    char path[PATH_MOST];
    path_of(objects, name, false, path);
    if (fsync(fd) != 0)
        return err_errno(why, "could not write object %s", name);
    int held;
    enum err err = make_folder(objects, name, why);
    if (!err)
        err = lock(objects, LOCK_SH, &held, why);
    if (err)
        return err;
    err = file_rename(temp, path, why);
    (void)close(held);
    return err;
}

static enum err write_new(struct objects *objects, struct str data, const char *name,
                          struct why *why)
{
    char temp[PATH_MOST];
    int fd;
    new_temp_path(objects, temp);
    enum err err = make_temp(temp, &fd, why);
    if (err)
        return err;
    err = file_write_fd(fd, data, why);
    if (!err)
        err = settle(objects, fd, temp, name, why);
    (void)close(fd);
    if (err)
        (void)unlink(temp);
    return err;
}

enum err objects_put(struct objects *objects, struct str data, char name[HASH_TEXT],
                     struct why *why)
{
    char real[HASH_TEXT];
    uint8_t digest[HASH_BYTES];
    hash_of(HASH_SHA256, data, digest);
    (void)hex_put(digest, sizeof digest, real);
    enum err err = keep_whole(objects, real, why);
    if (err == ERR_NOT_FOUND)
        err = write_new(objects, data, real, why);
    if (err) {
        err_prefix(why, "could not store %zu bytes", data.len);
        return err;
    }
    memcpy(name, real, sizeof real);
    return ERR_OK;
}

static enum err open_source(const char *path, int *out, struct why *why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_errno(why, "could not open file \"%s\"", path);
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(why, ERR_INVALID, "\"%s\" is not a regular file", path);
    }
    *out = fd;
    return ERR_OK;
}

enum err objects_put_file(struct objects *objects, const char *path, uint64_t most,
                          char name[HASH_TEXT], uint64_t *bytes, struct why *why)
{
    char temp[PATH_MOST], real[HASH_TEXT];
    uint64_t n = 0;
    int from = -1, fd = -1;
    enum err err = open_source(path, &from, why);
    if (err)
        return err;
    new_temp_path(objects, temp);
    err = make_temp(temp, &fd, why);
    if (err) {
        (void)close(from);
        return err;
    }
    err = digest_fd(from, fd, most, real, &n, why);
    bool there = false;
    if (!err) {
        err = keep_whole(objects, real, why);
        there = err == ERR_OK;
        if (err == ERR_NOT_FOUND)
            err = settle(objects, fd, temp, real, why);
    }
    (void)close(fd);
    (void)close(from);
    if (err || there)
        (void)unlink(temp);
    if (err) {
        err_prefix(why, "could not store file \"%s\"", path);
        return err;
    }
    memcpy(name, real, sizeof real);
    if (bytes)
        *bytes = n;
    return ERR_OK;
}

/* ---- many at once ---- */

#define BATCH_MOST 4096 /* objects that wait for their commit; one more commits those before */

struct waiting {
    char temp[UUID_TEXT]; /* in tmp/ */
    char name[HASH_TEXT];
};

struct objects_batch {
    struct objects *objects;
    size_t n;
    struct waiting items[BATCH_MOST];
};

struct objects_batch *objects_batch_new(struct objects *objects)
{
    struct objects_batch *batch = calloc(1, sizeof *batch);
    if (batch)
        batch->objects = objects;
    return batch;
}

void objects_batch_free(struct objects_batch *batch)
{
    char temp[PATH_MOST];
    if (!batch)
        return;
    for (size_t i = 0; i < batch->n; i++) {
        temp_path(batch->objects, batch->items[i].temp, temp);
        (void)unlink(temp);
    }
    free(batch);
}

/* A new file for the next object; a full batch is committed first. */
static enum err begin_item(struct objects_batch *batch, char temp[PATH_MOST], int *fd,
                           struct why *why)
{
    enum err err = batch->n < BATCH_MOST ? ERR_OK : objects_batch_commit(batch, why);
    if (err)
        return err;
    struct waiting *item = &batch->items[batch->n];
    (void)uuid7(item->temp);
    temp_path(batch->objects, item->temp, temp);
    return make_temp(temp, fd, why);
}

/* Closes it, and keeps it or, after an error, drops it. */
static enum err end_item(struct objects_batch *batch, const char *temp, int fd, enum err err,
                         char name[HASH_TEXT], struct why *why)
{
    if (close(fd) != 0 && !err)
        err = err_errno(why, "could not write");
    if (err)
        (void)unlink(temp);
    else
        memcpy(name, batch->items[batch->n++].name, HASH_TEXT);
    return err;
}

enum err objects_batch_put(struct objects_batch *batch, struct str data, char name[HASH_TEXT],
                           struct why *why)
{
    char temp[PATH_MOST];
    uint8_t digest[HASH_BYTES];
    int fd;
    enum err err = begin_item(batch, temp, &fd, why);
    if (err)
        return err;
    hash_of(HASH_SHA256, data, digest);
    (void)hex_put(digest, sizeof digest, batch->items[batch->n].name);
    err = end_item(batch, temp, fd, file_write_fd(fd, data, why), name, why);
    if (err)
        err_prefix(why, "could not store %zu bytes", data.len);
    return err;
}

enum err objects_batch_put_file(struct objects_batch *batch, const char *path, uint64_t most,
                                char name[HASH_TEXT], uint64_t *bytes, struct why *why)
{
    char temp[PATH_MOST];
    uint64_t n = 0;
    int from = -1, fd;
    enum err err = open_source(path, &from, why);
    if (err)
        return err;
    err = begin_item(batch, temp, &fd, why);
    if (!err) {
        err = digest_fd(from, fd, most, batch->items[batch->n].name, &n, why);
        err = end_item(batch, temp, fd, err, name, why);
    }
    (void)close(from);
    if (err)
        err_prefix(why, "could not store file \"%s\"", path);
    else if (bytes)
        *bytes = n;
    return err;
}

static enum err sync_all(const struct objects *objects, struct why *why)
{
    int fd = open(objects->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0) {
        enum err err = err_errno(why, "could not sync folder \"%s\"", objects->dir);
        if (fd >= 0)
            (void)close(fd);
        return err;
    }
    (void)close(fd);
    return ERR_OK;
}

/* Whether the file's bytes were written: syncfs() tells of failed writes from Linux 5.8 on only,
 * and an fsync() would flush the disk's cache for each file. */
static enum err ask_written(const char *path, struct why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not open \"%s\"", path);
    enum err err = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0
                       ? ERR_OK
                       : err_errno(why, "could not write \"%s\"", path);
    (void)close(fd);
    return err;
}

static enum err place(struct objects_batch *batch, size_t i, struct why *why)
{
    char temp[PATH_MOST], path[PATH_MOST], folder[PATH_MOST];
    const char *name = batch->items[i].name;
    temp_path(batch->objects, batch->items[i].temp, temp);
    path_of(batch->objects, name, false, path);
    path_of(batch->objects, name, true, folder);
    enum err err = ask_written(temp, why);
    if (err)
        return err;
    if (mkdir(folder, 0750) != 0 && errno != EEXIST)
        return err_errno(why, "could not make folder \"%s\"", folder);
    return rename(temp, path) == 0 ? ERR_OK : err_errno(why, "could not store object %s", name);
}

/* Puts them in place, in their order; *n gets how many. */
static enum err place_all(struct objects_batch *batch, size_t *n, struct why *why)
{
    int fd;
    enum err err = lock(batch->objects, LOCK_SH, &fd, why);
    if (err)
        return err;
    while (!err && *n < batch->n) {
        err = place(batch, *n, why);
        *n += !err;
    }
    (void)close(fd);
    return err;
}

enum err objects_batch_commit(struct objects_batch *batch, struct why *why)
{
    size_t n = 0;
    enum err err = batch->n ? sync_all(batch->objects, why) : ERR_OK;
    if (!err && batch->n)
        err = place_all(batch, &n, why);
    if (!err && n > 0)
        err = sync_all(batch->objects, why);
    /* What was not placed waits on: to be tried again, or to be dropped. */
    memmove(batch->items, batch->items + n, (batch->n - n) * sizeof batch->items[0]);
    batch->n -= n;
    return err;
}

enum err objects_remove(struct objects *objects, const char *name, struct why *why)
{
    char path[PATH_MOST];
    enum err err = check_name(name, why);
    if (err)
        return err;
    path_of(objects, name, false, path);
    if (unlink(path) == 0)
        return ERR_OK;
    return errno == ENOENT ? err_set(why, ERR_NOT_FOUND, "there is no object %s", name)
                           : err_errno(why, "could not remove object %s", name);
}

/* ---- looking at all ---- */

/* "ab/cdef..." as a name, or false. */
static bool name_of(struct str relative, char name[HASH_TEXT])
{
    if (relative.len != NAME_LEN + 1 || relative.ptr[2] != '/')
        return false;
    name[0] = relative.ptr[0];
    name[1] = relative.ptr[1];
    memcpy(name + 2, relative.ptr + 3, NAME_LEN - 2);
    name[NAME_LEN] = '\0';
    return is_name(name);
}

struct looking {
    objects_each_fn *each;
    void *ctx;
};

static enum err look_at(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct looking *looking = ctx;
    struct objects_info info = {.path = path};
    struct stat st;
    if (!name_of(relative, info.name) || stat(path, &st) != 0)
        return ERR_OK; /* no object, or gone meanwhile */
    info.bytes = (uint64_t)st.st_size;
    info.written_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return looking->each(looking->ctx, &info, why);
}

enum err objects_each(struct objects *objects, objects_each_fn *each, void *ctx, struct why *why)
{
    struct looking looking = {each, ctx};
    return file_walk(objects->dir, 8, look_at, &looking, why);
}

/* ---- collecting ---- */

enum err objects_collect(struct objects *objects, const char *name, int64_t before_ms,
                         bool *removed, struct why *why)
{
    char path[PATH_MOST];
    struct stat st;
    int fd;
    *removed = false;
    enum err err = check_name(name, why);
    if (!err)
        err = lock(objects, LOCK_EX, &fd, why);
    if (err)
        return err;
    path_of(objects, name, false, path);
    if (stat(path, &st) == 0 &&
        (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000 < before_ms) {
        *removed = unlink(path) == 0;
        if (!*removed && errno != ENOENT)
            err = err_errno(why, "could not remove object %s", name);
    }
    (void)close(fd);
    return err;
}

struct objects_hold {
    int fd;
};

/* On tmp/, for the folder itself is locked for moments only. */
enum err objects_hold(struct objects *objects, bool alone, struct objects_hold **out,
                      struct why *why)
{
    char path[PATH_MOST];
    struct objects_hold *hold = malloc(sizeof *hold);
    if (!hold)
        return err_set(why, ERR_NO_MEMORY, "could not hold the objects");
    (void)add(add(path, objects->dir, objects->dir_len), "/tmp", 5);
    hold->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = hold->fd < 0 ? err_errno(why, "could not open folder \"%s\"", path) : ERR_OK;
    if (!err && flock(hold->fd, (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0)
        err = errno == EWOULDBLOCK
                  ? err_set(why, ERR_BUSY,
                            alone ? "a backup or another collection of objects is running"
                                  : "objects that nothing refers to are being removed")
                  : err_errno(why, "could not lock folder \"%s\"", path);
    if (err) {
        objects_release(hold);
        return err;
    }
    *out = hold;
    return ERR_OK;
}

void objects_release(struct objects_hold *hold)
{
    if (!hold)
        return;
    if (hold->fd >= 0)
        (void)close(hold->fd);
    free(hold);
}

/* ---- checking ---- */

struct checking {
    objects_bad_fn *bad;
    void *ctx;
    size_t n;
};

static enum err check_one(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct checking *checking = ctx;
    char name[HASH_TEXT], real[HASH_TEXT];
    uint64_t bytes;
    struct why words = {0};
    (void)why;
    if (str_starts(relative, STR("tmp/")))
        return ERR_OK; /* being written just now, or left by a process that died */
    if (!name_of(relative, name)) {
        checking->bad(checking->ctx, path, "is no object");
        return ERR_OK;
    }
    checking->n++;
    enum err err = digest_file(path, real, &bytes, &words);
    if (err && err != ERR_NOT_FOUND)
        checking->bad(checking->ctx, name, why_text(&words, err));
    else if (!err && strcmp(real, name) != 0)
        checking->bad(checking->ctx, name, "its content has another hash");
    return ERR_OK;
}

enum err objects_check(struct objects *objects, objects_bad_fn *bad, void *ctx, size_t *n,
                       struct why *why)
{
    struct checking checking = {bad, ctx, 0};
    enum err err = file_walk(objects->dir, 8, check_one, &checking, why);
    if (!err && n)
        *n = checking.n;
    return err;
}
