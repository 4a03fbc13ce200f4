/*
 * objects - files named by the SHA-256 of their content, written once, verified when read.
 *
 * dir/ab/cdef... ; a name is 64 lower-case hex digits. An object that is acknowledged is durable.
 * Threads: any. Two writers of the same content are fine.
 */
#ifndef OBJECTS_OBJECTS_H
#define OBJECTS_OBJECTS_H

#include "core/hash.h"
#include "core/str.h"

struct arena;
struct objects;

ERR_MUST_USE enum err objects_open(const char *dir, struct objects **out, struct why *why);
void objects_close(struct objects *objects);

/* Stores `data`, durably, and gives its name. */
ERR_MUST_USE enum err objects_put(struct objects *objects, struct str data, char name[HASH_TEXT],
                                  struct why *why);
/* Stores a file of at most `most` bytes without holding it in memory. */
ERR_MUST_USE enum err objects_put_file(struct objects *objects, const char *path, uint64_t most,
                                       char name[HASH_TEXT], uint64_t *bytes, struct why *why);
/* The content; ERR_NOT_FOUND, ERR_TOO_LARGE, or ERR_CORRUPT when it does not have its hash. */
ERR_MUST_USE enum err objects_get(struct objects *objects, const char *name, size_t most,
                                  struct arena *arena, struct str *out, struct why *why);
/* The path of the object's file, for a reader that wants a file; in `arena`. */
ERR_MUST_USE enum err objects_path(struct objects *objects, const char *name, struct arena *arena,
                                   const char **out, struct why *why);
bool objects_has(struct objects *objects, const char *name);
/* For the collector only: after no record names it any more. */
ERR_MUST_USE enum err objects_remove(struct objects *objects, const char *name, struct why *why);

/* Re-reads every object and calls `bad` for each that does not have its hash or is no object at
 * all. *n gets how many were read. */
typedef void objects_bad_fn(void *ctx, const char *name, const char *words);
ERR_MUST_USE enum err objects_check(struct objects *objects, objects_bad_fn *bad, void *ctx,
                                    size_t *n, struct why *why);

#endif
