/*
 * core/arena - memory with one owner, one thread, one end and a limit.
 *
 * Whoever passes an arena owns the result that was made in it. Past the limit every allocation
 * gives NULL, and the caller says ERR_NO_MEMORY: one tenant's file ends that request, not the
 * process. Not for use by two threads at once.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* A new arena that will hold at most `limit` bytes in all (the small bookkeeping counts). NULL
 * when the system has no memory. The first block is taken at the first allocation. */
struct arena *arena_new(size_t limit);

/* Runs the deferred calls, last first, and frees everything. NULL is fine. */
void arena_free(struct arena *arena);

/* As if freed and made anew; keeps one block to save the system a call. */
void arena_reset(struct arena *arena);

/* `size` bytes, zeroed, aligned for any type; NULL past the limit. Size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, not zeroed and aligned to 1: for bytes of text. */
char *arena_bytes(struct arena *arena, size_t size);

/* Grows an allocation in place when it is the last one, else copies. `old` may be NULL. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size);

/* n items of a type; NULL past the limit or when n * size overflows. */
void *arena_calloc(struct arena *arena, size_t n, size_t size);
#define arena_array(arena, type, n) ((type *)arena_calloc((arena), (n), sizeof(type)))
#define arena_one(arena, type)      ((type *)arena_alloc((arena), sizeof(type)))

/* Copies `len` bytes and adds a '\0' (not counted); NULL past the limit. */
char *arena_copy(struct arena *arena, const char *ptr, size_t len);

/* Calls free_fn(thing) when the arena ends. 0, or -1 past the limit (then nothing is deferred and
 * the caller still owns the thing). */
int arena_defer(struct arena *arena, void (*free_fn)(void *), void *thing);

/* Bytes taken from the system so far, and the limit. */
size_t arena_used(const struct arena *arena);
size_t arena_limit(const struct arena *arena);

#endif
