#include "core/arena.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer the unused rest of a block is poisoned, so overruns show. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, size)   ASAN_POISON_MEMORY_REGION(ptr, size)
#define UNPOISON(ptr, size) ASAN_UNPOISON_MEMORY_REGION(ptr, size)
#else
#define POISON(ptr, size)   ((void)(ptr), (void)(size))
#define UNPOISON(ptr, size) ((void)(ptr), (void)(size))
#endif

#define ALIGN       _Alignof(max_align_t)
#define FIRST_BLOCK 4096u
#define MOST_BLOCK  (1u << 20)
#define KEPT_SIZES  2  /* of FIRST_BLOCK and the one after it */
#define MOST_KEPT   32 /* blocks of each size and thread */

struct block {
    struct block *next;
    size_t size; /* of data */
    size_t used;
    _Alignas(max_align_t) char data[];
};

struct defer {
    struct defer *next;
    void (*free_fn)(void *);
    void *thing;
};

struct arena {
    struct block *blocks; /* newest first */
    struct defer *defers;
    size_t limit;
    size_t taken;
    size_t next_block;
};

/* ---- blocks that a thread keeps for its next arenas ---- */

/* A request takes three arenas and gives them back on one thread; their blocks are larger than what
 * malloc() keeps at hand for a thread. Under AddressSanitizer every block is a new one. */
struct kept {
    struct block *blocks[KEPT_SIZES];
    size_t n[KEPT_SIZES];
    bool over; /* the thread ends */
};

static _Thread_local struct kept kept;
static pthread_key_t kept_key;
static bool have_key;

static void free_kept(void *arg)
{
    struct kept *k = arg;
    k->over = true;
    for (size_t i = 0; i < KEPT_SIZES; i++)
        for (struct block *b = k->blocks[i], *next; b; b = next) {
            next = b->next;
            free(b);
        }
    *k = (struct kept){.over = true};
}

static void make_key(void)
{
    have_key = pthread_key_create(&kept_key, free_kept) == 0;
}

/* Whether the thread's end will find what it keeps. */
static bool may_keep(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static _Thread_local bool told;
#ifdef ARENA_ASAN
    return false;
#endif
    if (told)
        return !kept.over;
    (void)pthread_once(&once, make_key);
    told = have_key && pthread_setspecific(kept_key, &kept) == 0;
    return told && !kept.over;
}

static size_t place_of(size_t size)
{
    return size == FIRST_BLOCK ? 0 : size == 2 * FIRST_BLOCK ? 1 : KEPT_SIZES;
}

static struct block *take_block(size_t size)
{
    size_t i = place_of(size);
    struct block *block = i < KEPT_SIZES ? kept.blocks[i] : NULL;
    if (!block)
        return malloc(sizeof *block + size);
    kept.blocks[i] = block->next;
    kept.n[i]--;
    return block;
}

static void give_block(struct block *block)
{
    size_t i = place_of(block->size);
    if (i == KEPT_SIZES || kept.n[i] == MOST_KEPT || !may_keep()) {
        free(block);
        return;
    }
    block->next = kept.blocks[i];
    kept.blocks[i] = block;
    kept.n[i]++;
}

/* ---- */

struct arena *arena_new(size_t limit)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->limit = limit;
    arena->next_block = FIRST_BLOCK;
    return arena;
}

static void run_defers(struct arena *arena)
{
    while (arena->defers) {
        struct defer *d = arena->defers;
        arena->defers = d->next;
        d->free_fn(d->thing);
    }
}

static void free_blocks(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        UNPOISON(block->data, block->size);
        give_block(block);
        block = next;
    }
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    run_defers(arena);
    free_blocks(arena->blocks);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    run_defers(arena);
    struct block *keep = arena->blocks;
    if (!keep)
        return;
    free_blocks(keep->next);
    keep->next = NULL;
    keep->used = 0;
    POISON(keep->data, keep->size);
    arena->taken = sizeof *keep + keep->size;
}

static struct block *block_new(struct arena *arena, size_t least)
{
    size_t left = arena->limit - arena->taken;
    if (arena->taken > arena->limit || left < sizeof(struct block) ||
        least > left - sizeof(struct block))
        return NULL;
    size_t size = arena->next_block > least ? arena->next_block : least;
    if (size > left - sizeof(struct block))
        size = left - sizeof(struct block);
    struct block *block = take_block(size);
    if (!block)
        return NULL;
    block->size = size;
    block->used = 0;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->taken += sizeof *block + size;
    if (arena->next_block < MOST_BLOCK)
        arena->next_block *= 2;
    POISON(block->data, size);
    return block;
}

static char *take(struct arena *arena, size_t size, size_t align)
{
    struct block *block = arena->blocks;
    size_t at = block ? (block->used + align - 1) & ~(align - 1) : 0;
    if (!block || at > block->size || size > block->size - at) {
        block = block_new(arena, size);
        if (!block)
            return NULL;
        at = 0;
    }
    block->used = at + size;
    UNPOISON(block->data + at, size);
    return block->data + at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    char *ptr = take(arena, size ? size : 1, ALIGN);
    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

char *arena_bytes(struct arena *arena, size_t size)
{
    return take(arena, size ? size : 1, 1);
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t new_size)
{
    struct block *block = arena->blocks;
    if (old && block && (char *)old + old_size == block->data + block->used &&
        new_size <= block->size - (size_t)((char *)old - block->data)) {
        block->used = (size_t)((char *)old - block->data) + new_size;
        if (new_size > old_size)
            UNPOISON((char *)old + old_size, new_size - old_size);
        return old;
    }
    char *fresh = take(arena, new_size ? new_size : 1, ALIGN);
    if (fresh && old)
        memcpy(fresh, old, old_size < new_size ? old_size : new_size);
    return fresh;
}

void *arena_calloc(struct arena *arena, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    return arena_alloc(arena, bytes);
}

char *arena_copy(struct arena *arena, const char *ptr, size_t len)
{
    char *copy = len == SIZE_MAX ? NULL : arena_bytes(arena, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, ptr, len);
    copy[len] = '\0';
    return copy;
}

int arena_defer(struct arena *arena, void (*free_fn)(void *), void *thing)
{
    struct defer *d = arena_alloc(arena, sizeof *d);
    if (!d)
        return -1;
    *d = (struct defer){arena->defers, free_fn, thing};
    arena->defers = d;
    return 0;
}

size_t arena_used(const struct arena *arena)
{
    return arena->taken;
}

size_t arena_limit(const struct arena *arena)
{
    return arena->limit;
}
