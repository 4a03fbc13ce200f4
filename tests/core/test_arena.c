#include "core/arena.h"
#include "tap.h"

TEST(stops_at_its_limit)
{
    struct arena *arena = arena_new(10000);
    size_t n = 0;
    while (arena_alloc(arena, 100))
        n++;
    CHECK(n >= 80 && n <= 100);
    CHECK(arena_used(arena) <= 10000);
    CHECK(arena_alloc(arena, SIZE_MAX) == NULL);
    CHECK(arena_calloc(arena, SIZE_MAX / 2, 4) == NULL);
    arena_free(arena);
    arena_free(NULL);
}

static int freed[4], n_freed;
static void note(void *thing)
{
    freed[n_freed++] = *(int *)thing;
}

TEST(runs_deferred_calls_last_first)
{
    static int one = 1, two = 2;
    struct arena *arena = arena_new(1 << 16);
    n_freed = 0;
    CHECK_EQ(arena_defer(arena, note, &one), 0);
    CHECK_EQ(arena_defer(arena, note, &two), 0);
    arena_reset(arena);
    CHECK_EQ(n_freed, 2);
    CHECK_EQ(freed[0], 2);
    CHECK_EQ(freed[1], 1);
    char *again = arena_alloc(arena, 16);
    CHECK(again && again[0] == 0);
    arena_free(arena);
    CHECK_EQ(n_freed, 2);
}

TEST(grows_in_place_or_copies)
{
    struct arena *arena = arena_new(1 << 20);
    char *a = arena_bytes(arena, 4);
    memcpy(a, "abc", 4);
    char *b = arena_grow(arena, a, 4, 8);
    CHECK(a == b);
    (void)arena_alloc(arena, 1);
    char *c = arena_grow(arena, b, 8, 100000);
    CHECK(c && c != b && strcmp(c, "abc") == 0);
    arena_free(arena);
}

TESTS_MAIN()
