/* A real disk without room: a small one mounted by root, else skipped. */
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/hash.h"
#include "support/test_store.h"
#include "tap.h"

static const struct store_migration steps[] = {
    {"full", 1, "CREATE TABLE full_rows (id INTEGER NOT NULL PRIMARY KEY, filler BLOB NOT NULL)",
     NULL}};

/* Bytes that do not compress: PostgreSQL would make little of equal ones. */
static struct str filler(void)
{
    static char bytes[30000];
    random_bytes(bytes, sizeof bytes);
    return (struct str){bytes, sizeof bytes};
}

static enum err add(struct store *store, int64_t id, struct why *why)
{
    return store_run(store, "INSERT INTO full_rows (id, filler) VALUES (?, ?)",
                     STORE_ARGS(SV_INT(id), SV_BLOB(filler())), NULL, why);
}

static int64_t count(struct store *store)
{
    struct arena *arena = arena_new(1 << 14);
    struct store_rows rows = {0};
    struct why why = {0};
    CHECK_OK(store_ask(store, "SELECT count(*) FROM full_rows", STORE_NO_ARGS, arena, &rows, &why),
             &why);
    int64_t n = store_int(&rows, 0, 0);
    arena_free(arena);
    return n;
}

TEST(a_full_disk_loses_nothing_acknowledged_and_heals_when_there_is_room)
{
    if (!test_store_small_disk(TEST_ENGINE, (size_t)24 << 20))
        SKIP(test_store_skip());
    char ballast[128];
    static char bytes[2 << 20];
    (void)snprintf(ballast, sizeof ballast, "%s/ballast", test_store_dir());
    FRESH_STORE(store, 2);
    struct why why = {0};
    CHECK_OK(store_migrate(store, steps, 1, false, NULL, &why), &why);
    CHECK_OK(file_write(ballast, (struct str){bytes, sizeof bytes}, 0600, &why), &why);
    int64_t n = 0;
    enum err err;
    while ((err = add(store, n, &why)) == ERR_OK && n < 10000)
        n++;
    CHECK_EQ(err, ERR_NO_SPACE);
    printf("# %lld rows: %s\n", (long long)n, why.text);
    CHECK(n > 50);
    CHECK_EQ(count(store), n);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(add(store, n, NULL), ERR_NO_SPACE);
    CHECK_EQ(count(store), n);
    CHECK_OK(file_remove(ballast, NULL), NULL);
    memset(&why, 0, sizeof why);
    CHECK_OK(add(store, n, &why), &why);
    CHECK_EQ(count(store), n + 1);
    CHECK_OK(store_check(store, &why), &why);
    test_store_done(store);
}

TESTS_MAIN()
