#include <pthread.h>
#include <stdatomic.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/pool.h"
#include "tap.h"

static enum err mark(void *ctx, size_t i, struct why *why)
{
    atomic_int *seen = ctx;
    if (i == 5000)
        return err_set(why, ERR_INVALID, "item 5000");
    atomic_fetch_add(&seen[i], 1);
    return ERR_OK;
}

TEST(runs_every_item_once)
{
    static atomic_int seen[1000];
    CHECK_OK(pool_each(4, 1000, mark, seen, NULL), NULL);
    for (int i = 0; i < 1000; i++)
        if (seen[i] != 1)
            CHECK_EQ(seen[i], 1);
    CHECK_OK(pool_each(0, 0, mark, seen, NULL), NULL);
}

TEST(the_first_error_stops_and_is_returned)
{
    static atomic_int seen[200000];
    struct why why = {0};
    CHECK_EQ(pool_each(2, 200000, mark, seen, &why), ERR_INVALID);
    CHECK_STR(str_c(why.text), "item 5000");
    CHECK_EQ(seen[199999], 0);
}

static void *produce(void *arg)
{
    for (intptr_t i = 1; i <= 1000; i++)
        if (queue_push(arg, (void *)i, -1))
            abort();
    queue_close(arg);
    return NULL;
}

TEST(the_queue_keeps_order_and_ends_when_closed)
{
    struct queue *queue = queue_new(8);
    pthread_t id;
    void *item = NULL;
    intptr_t want = 1;
    CHECK_EQ(queue_pop(queue, &item, 1), ERR_TIMEOUT);
    CHECK_EQ(pthread_create(&id, NULL, produce, queue), 0);
    while (queue_pop(queue, &item, -1) == ERR_OK)
        if ((intptr_t)item != want++)
            CHECK_EQ((intptr_t)item, want);
    CHECK_EQ(want, 1001);
    pthread_join(id, NULL);
    CHECK_EQ(queue_push(queue, NULL, 0), ERR_CANCELLED);
    queue_free(queue);
}

static struct queue *shared;
static atomic_llong total_in, total_out;

/* Even threads push, odd ones pop, some with short waits, so that signals meet time-outs. */
static enum err trade(void *ctx, size_t i, struct why *why)
{
    (void)ctx, (void)why;
    for (intptr_t k = 1; k <= 4000; k++) {
        void *item = (void *)k;
        int64_t wait_ms = k % 3 ? -1 : 1;
        enum err err = ERR_BUSY;
        while (i % 2 == 0 && err == ERR_BUSY)
            err = queue_push(shared, item, wait_ms);
        for (err = i % 2 ? ERR_TIMEOUT : err; err == ERR_TIMEOUT;)
            err = queue_pop(shared, &item, wait_ms);
        if (err)
            return err;
        atomic_fetch_add(i % 2 ? &total_out : &total_in, (intptr_t)item);
    }
    return ERR_OK;
}

TEST(many_threads_trade_without_loss)
{
    shared = queue_new(4);
    CHECK_OK(pool_each(8, 8, trade, NULL, NULL), NULL);
    CHECK_EQ(total_in, 4LL * 4000 * 4001 / 2);
    CHECK_EQ(total_out, total_in);
    CHECK_EQ(queue_len(shared), 0);
    queue_free(shared);
}

TEST(a_map_finds_what_was_put)
{
    struct arena *arena = arena_new(8 << 20);
    struct map map;
    bool made;
    map_init(&map, arena);
    for (uint64_t i = 0; i < 20000; i++)
        map_put(&map, str_printf(arena, "key %llu", (unsigned long long)i), NULL)->value.u = i;
    for (uint64_t i = 0; i < 20000; i += 17) {
        char key[32];
        (void)snprintf(key, sizeof key, "key %llu", (unsigned long long)i);
        struct map_entry *e = map_find(&map, str_c(key));
        if (!e || e->value.u != i)
            CHECK(!"a key was lost");
    }
    CHECK(map_put(&map, STR("key 5"), &made) && !made);
    CHECK(map_find(&map, STR("nothing")) == NULL);
    CHECK_EQ(map.n, 20000);
    arena_free(arena);
    arena = arena_new(2000);
    map_init(&map, arena);
    size_t n = 0;
    while (n < 1000 && map_put(&map, str_printf(arena, "%zu", n), NULL))
        n++;
    CHECK(n < 1000);
    arena_free(arena);
}

TESTS_MAIN()
