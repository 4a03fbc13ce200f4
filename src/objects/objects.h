/*
 * objects - files named by the SHA-256 of their content, written once, verified when read.
 *
 * dir/ab/cdef... ; a name is 64 lower-case hex digits. A file is written in dir/tmp, made durable
 * and then renamed, so that what stands under a name is whole. Names are checked before they
 * become a path (ERR_INVALID). Threads and processes: any number; two writers of the same content
 * are fine.
 */
#ifndef OBJECTS_OBJECTS_H
#define OBJECTS_OBJECTS_H

#include "core/hash.h"
#include "core/str.h"

struct arena;
struct objects;

/* Makes the folder when it is missing, and sweeps out what processes that died left in dir/tmp more
 * than a day ago. */
ERR_MUST_USE enum err objects_open(const char *dir, struct objects **out, struct why *why);
void objects_close(struct objects *objects); /* NULL is fine */

/*
 * Stores `data` and gives its name; durable when it returns ERR_OK, and `name` untouched when it
 * does not. Content that is there already is read and not written again, unless it is damaged.
 *
 *   Errors  ERR_NO_SPACE  the disk is full; nothing is left behind
 *   Cost    one hash of the data, one write, fsync of the file and of its folder: some
 *           milliseconds on a disk, whatever the size. For many at once see struct objects_batch.
 */
ERR_MUST_USE enum err objects_put(struct objects *objects, struct str data, char name[HASH_TEXT],
                                  struct why *why);
/* The same for a regular file of at most `most` bytes (ERR_TOO_LARGE), 64 KiB of it in memory at a
 * time. *bytes (may be NULL) gets its size. */
ERR_MUST_USE enum err objects_put_file(struct objects *objects, const char *path, uint64_t most,
                                       char name[HASH_TEXT], uint64_t *bytes, struct why *why);
/* The content; ERR_NOT_FOUND, ERR_TOO_LARGE, or ERR_CORRUPT when it does not have its hash. */
ERR_MUST_USE enum err objects_get(struct objects *objects, const char *name, size_t most,
                                  struct arena *arena, struct str *out, struct why *why);
/* The path of the object's file, for a reader that wants a file; in `arena`. The content is not
 * verified. */
ERR_MUST_USE enum err objects_path(struct objects *objects, const char *name, struct arena *arena,
                                   const char **out, struct why *why);

/*
 * Many objects that become durable together: the disk is waited for a few times and not twice for
 * each. One thread at a time.
 *
 *     objects_batch_new, objects_batch_put ..., objects_batch_commit, objects_batch_free
 *
 * Nothing is there before the commit, and all of it is, durably, when that returns ERR_OK; the
 * batch is then empty and can be filled again. After an error some of it may be there, whole. Cost
 * of a commit: two syncfs() of the file system that holds the folder.
 */
struct objects_batch;
struct objects_batch *objects_batch_new(struct objects *objects); /* NULL without memory */
ERR_MUST_USE enum err objects_batch_put(struct objects_batch *batch, struct str data,
                                        char name[HASH_TEXT], struct why *why);
/* The same for a file, as objects_put_file(). */
ERR_MUST_USE enum err objects_batch_put_file(struct objects_batch *batch, const char *path,
                                             uint64_t most, char name[HASH_TEXT], uint64_t *bytes,
                                             struct why *why);
ERR_MUST_USE enum err objects_batch_commit(struct objects_batch *batch, struct why *why);
void objects_batch_free(
    struct objects_batch *batch); /* drops what was not committed; NULL is fine */

bool objects_has(struct objects *objects, const char *name); /* false for what is no name, too */
/* Whatever its age is and whoever names it: a collector takes objects_collect(). */
ERR_MUST_USE enum err objects_remove(struct objects *objects, const char *name, struct why *why);

/* ---- collecting what nothing refers to (main/collect.h says what is referred to) ----
 *
 * An object is stored before the row that names it, so a crash in between leaves one too many, and
 * so does a row that is removed. Who stores content that is there already makes it young again:
 * therefore what is old and named nowhere is meant by nobody. Looking at an object's age and
 * removing it is one step for every writer (a lock on the folder, across processes).
 */

struct objects_info {
    char name[HASH_TEXT];
    uint64_t bytes;
    int64_t written_ms; /* when it was stored, or stored once more */
    const char *path;   /* borrowed for the call */
};
/* Every object, in the order of names; an error from `each` ends it. */
typedef enum err objects_each_fn(void *ctx, const struct objects_info *info, struct why *why);
ERR_MUST_USE enum err objects_each(struct objects *objects, objects_each_fn *each, void *ctx,
                                   struct why *why);

/* Removes an object that was last stored before `before_ms`; *removed: it did. One that is gone or
 * was stored again stays as it is, which is no error. */
ERR_MUST_USE enum err objects_collect(struct objects *objects, const char *name, int64_t before_ms,
                                      bool *removed, struct why *why);

/* Keeps collectors away while somebody reads what an older state of the tables names (a backup), or
 * with `alone` collects and keeps away both. ERR_BUSY: the other kind is there. It ends with
 * objects_release() or with the process. */
struct objects_hold;
ERR_MUST_USE enum err objects_hold(struct objects *objects, bool alone, struct objects_hold **out,
                                   struct why *why);
void objects_release(struct objects_hold *hold); /* NULL is fine */

/* Re-reads every object and calls `bad` for each that does not have its hash, cannot be read, or is
 * no object at all (then `name` is its path). *n (may be NULL) gets how many objects were read. */
typedef void objects_bad_fn(void *ctx, const char *name, const char *words);
ERR_MUST_USE enum err objects_check(struct objects *objects, objects_bad_fn *bad, void *ctx,
                                    size_t *n, struct why *why);

#endif
