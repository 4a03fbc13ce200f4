/* What store.h promises, for either engine. */
#include <pthread.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "support/test_store.h"
#include "tap.h"

static const struct store_migration suite_steps[] = {
    {"one", 1,
     "CREATE TABLE one_items (id TEXT NOT NULL PRIMARY KEY, n INTEGER, x REAL, b BLOB,"
     " CHECK (n IS NULL OR n < 1000000));"
     "CREATE TABLE one_parts (id INTEGER NOT NULL PRIMARY KEY,"
     " item TEXT NOT NULL REFERENCES one_items (id), note TEXT NOT NULL DEFAULT 'a ? ; REAL');",
     NULL},
    {"two", 1, "CREATE TABLE two_counts (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL)",
     NULL},
    {"one", 2, "CREATE INDEX one_parts_item ON one_parts (item); -- REAL and BLOB; no statement\n",
     NULL},
};
#define SUITE_N_STEPS (sizeof suite_steps / sizeof suite_steps[0])

static void make_tables(struct store *store)
{
    struct why why = {0};
    CHECK_OK(store_migrate(store, suite_steps, SUITE_N_STEPS, false, NULL, &why), &why);
}

static enum err put(struct store *store, const char *id, int64_t n, struct why *why)
{
    return store_run(store, "INSERT INTO one_items (id, n) VALUES (?, ?)",
                     STORE_ARGS(SV_C(id), SV_INT(n)), NULL, why);
}

static int64_t count(struct store *store, const char *table)
{
    struct arena *arena = arena_new(1 << 16);
    struct store_rows rows = {0};
    struct why why = {0};
    CHECK_OK(store_ask(store, str_printf(arena, "SELECT count(*) FROM %s", table).ptr,
                       STORE_NO_ARGS, arena, &rows, &why),
             &why);
    int64_t n = rows.n_rows ? store_int(&rows, 0, 0) : -1;
    arena_free(arena);
    return n;
}

TEST(migrates_once_and_refuses_what_it_does_not_know)
{
    FRESH_STORE(store, 4);
    struct why why = {0};
    size_t pending = 99;
    CHECK_OK(store_migrate(store, suite_steps, SUITE_N_STEPS, true, &pending, &why), &why);
    CHECK_EQ(pending, 3);
    CHECK_OK(store_migrate(store, suite_steps, 2, false, &pending, &why), &why);
    CHECK_EQ(pending, 2);
    CHECK_OK(store_migrate(store, suite_steps, SUITE_N_STEPS, false, &pending, &why), &why);
    CHECK_EQ(pending, 1);
    CHECK_OK(store_migrate(store, suite_steps, SUITE_N_STEPS, false, &pending, &why), &why);
    CHECK_EQ(pending, 0);
    CHECK_EQ(count(store, "store_migrations"), 3);

    /* An older program, then one whose step has another text. */
    CHECK_EQ(store_migrate(store, suite_steps, 2, false, NULL, &why), ERR_CONFLICT);
    CHECK(strstr(why.text, "one 2") != NULL);
    struct store_migration changed[SUITE_N_STEPS];
    memcpy(changed, suite_steps, sizeof changed);
    changed[1].sql = "CREATE TABLE two_counts (id INTEGER)";
    memset(&why, 0, sizeof why);
    CHECK_EQ(store_migrate(store, changed, SUITE_N_STEPS, false, NULL, &why), ERR_CONFLICT);
    CHECK(strstr(why.text, "two 1") != NULL);
    CHECK_EQ(store_migrate(store, suite_steps + 2, 1, false, NULL, NULL), ERR_INVALID);
    test_store_done(store);
}

TEST(a_migration_that_fails_leaves_nothing)
{
    FRESH_STORE(store, 4);
    static const struct store_migration bad[] = {
        {"bad", 1, "CREATE TABLE bad_one (id TEXT); INSERT INTO nowhere VALUES (1)", NULL}};
    struct why why = {0};
    make_tables(store);
    struct store_migration all[SUITE_N_STEPS + 1];
    memcpy(all, suite_steps, sizeof suite_steps);
    all[SUITE_N_STEPS] = bad[0];
    CHECK(store_migrate(store, all, SUITE_N_STEPS + 1, false, NULL, &why) != ERR_OK);
    CHECK(strstr(why.text, "bad 1") != NULL);
    CHECK_EQ(count(store, "store_migrations"), 3);
    all[SUITE_N_STEPS].sql = "CREATE TABLE bad_one (id TEXT)"; /* is not there from before */
    memset(&why, 0, sizeof why);
    CHECK_OK(store_migrate(store, all, SUITE_N_STEPS + 1, false, NULL, &why), &why);
    test_store_done(store);
}

TEST(values_come_back_as_they_went_in)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    struct store_rows rows = {0};
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    const struct store_value row[4] = {SV_C("一城 'quoted' \\ ?"), SV_INT(-7), SV_REAL(0.1),
                                       SV_BLOB(((struct str){bytes, 256}))};
    CHECK_OK(store_run(store, "INSERT INTO one_items (id, n, x, b) VALUES (?, ?, ?, ?)",
                       (struct store_args){row, 4}, NULL, &why),
             &why);
    CHECK_OK(store_run(store, "INSERT INTO one_items (id, n, x, b) VALUES (?, ?, ?, ?)",
                       STORE_ARGS(SV_STR(STR_NONE), SV_NULL, SV_NULL, SV_BLOB(STR_NONE)), NULL,
                       &why),
             &why);
    CHECK_OK(store_ask(store, "SELECT id, n, x, b, '?' FROM one_items ORDER BY id DESC",
                       STORE_NO_ARGS, arena, &rows, &why),
             &why);
    CHECK_EQ(rows.n_rows, 2);
    CHECK_EQ(rows.n_cols, 5);
    CHECK_STR(store_str(&rows, 0, 0), "一城 'quoted' \\ ?");
    CHECK_EQ(store_int(&rows, 0, 1), -7);
    CHECK(store_real(&rows, 0, 2) == 0.1);
    CHECK_EQ(store_str(&rows, 0, 3).len, 256);
    CHECK(memcmp(store_str(&rows, 0, 3).ptr, bytes, 256) == 0);
    CHECK_STR(store_str(&rows, 0, 4), "?");
    CHECK_EQ(rows.values[3].kind, STORE_BLOB);
    CHECK(!store_is_null(&rows, 1, 0) && store_str(&rows, 1, 0).len == 0);
    CHECK(store_is_null(&rows, 1, 1) && store_is_null(&rows, 1, 2));
    CHECK(!store_is_null(&rows, 1, 3) && store_str(&rows, 1, 3).len == 0);
    CHECK(store_is_null(&rows, 7, 7) && store_int(&rows, 7, 0) == 0);
    arena_free(arena);
    test_store_done(store);
}

TEST(sums_counts_and_ends_of_the_range_are_integers)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    struct store_rows rows = {0};
    for (int i = 1; i <= 3; i++)
        CHECK_OK(store_run(store, "INSERT INTO two_counts (id, n) VALUES (?, ?)",
                           STORE_ARGS(SV_INT(i == 1   ? INT64_MIN
                                             : i == 2 ? INT64_MAX
                                                      : 0),
                                      SV_INT(i)),
                           NULL, &why),
                 &why);
    CHECK_OK(store_ask(store,
                       "SELECT sum(n), count(*), min(id), max(id), avg(n), max(id) > 5 FROM "
                       "two_counts",
                       STORE_NO_ARGS, arena, &rows, &why),
             &why);
    CHECK_EQ(store_int(&rows, 0, 0), 6);
    CHECK_EQ(rows.values[0].kind, STORE_INT);
    CHECK_EQ(store_int(&rows, 0, 1), 3);
    CHECK(store_int(&rows, 0, 2) == INT64_MIN);
    CHECK(store_int(&rows, 0, 3) == INT64_MAX);
    CHECK(store_real(&rows, 0, 4) == 2.0);
    CHECK_EQ(store_int(&rows, 0, 5), 1);
    arena_free(arena);
    test_store_done(store);
}

TEST(text_sorts_bytewise_and_like_minds_the_case)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    struct store_rows rows = {0};
    static const char *const ids[] = {"b", "一", "B", "a_c", "abc", "é"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        CHECK_OK(put(store, ids[i], 1, &why), &why);
    CHECK_OK(
        store_ask(store, "SELECT id FROM one_items ORDER BY id", STORE_NO_ARGS, arena, &rows, &why),
        &why);
    static const char *const order[] = {"B", "a_c", "abc", "b", "é", "一"};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        CHECK_STR(store_str(&rows, i, 0), order[i]);
    CHECK_OK(store_ask(store, "SELECT id FROM one_items WHERE id LIKE ? ESCAPE '!'",
                       STORE_ARGS(SV_C("a!_%")), arena, &rows, &why),
             &why);
    CHECK_EQ(rows.n_rows, 1);
    CHECK_OK(store_ask(store, "SELECT id FROM one_items WHERE id LIKE ?", STORE_ARGS(SV_C("A%")),
                       arena, &rows, &why),
             &why);
    CHECK_EQ(rows.n_rows, 0);
    arena_free(arena);
    test_store_done(store);
}

TEST(names_what_went_wrong)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    CHECK_OK(put(store, "a", 1, &why), &why);
    static const struct {
        const char *sql;
        enum err err;
    } cases[] = {
        {"INSERT INTO one_items (id) VALUES ('a')", ERR_CONFLICT},
        {"INSERT INTO one_parts (id, item) VALUES (1, 'nobody')", ERR_CONFLICT},
        {"DELETE FROM one_items WHERE id = 'b' AND nonsense", ERR_INTERNAL},
        {"INSERT INTO one_items (id) VALUES (NULL)", ERR_INVALID},
        {"INSERT INTO one_items (id, n) VALUES ('z', 1000000)", ERR_INVALID},
        {"INSERT INTO one_items (id) VALUES (?)", ERR_INTERNAL}, /* no argument given */
        {"SELECT 1; SELECT 2", ERR_INTERNAL},
        {"", ERR_INTERNAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memset(&why, 0, sizeof why);
        CHECK_EQ(store_run(store, cases[i].sql, STORE_NO_ARGS, NULL, &why), cases[i].err);
        CHECK(why.text[0] != '\0');
    }
    CHECK_EQ(put(store, "\xC0\xAF", 1, NULL), ERR_INVALID);
    CHECK_EQ(store_run(store, "DELETE FROM one_items WHERE id = ?",
                       STORE_ARGS(SV_STR(((struct str){"a\0b", 3}))), NULL, NULL),
             ERR_INVALID);
    CHECK_EQ(count(store, "one_items"), 1);
    test_store_done(store);
}

TEST(counts_the_rows_that_changed)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    int64_t n = 99;
    CHECK_OK(put(store, "a", 1, &why), &why);
    CHECK_OK(put(store, "b", 1, &why), &why);
    CHECK_OK(store_run(store, "UPDATE one_items SET n = n + 1", STORE_NO_ARGS, &n, &why), &why);
    CHECK_EQ(n, 2);
    CHECK_OK(store_run(store, "INSERT INTO one_items (id) VALUES ('a') ON CONFLICT DO NOTHING",
                       STORE_NO_ARGS, &n, &why),
             &why);
    CHECK_EQ(n, 0);
    CHECK_OK(store_run(store,
                       "INSERT INTO one_items (id, n) VALUES ('a', 9)"
                       " ON CONFLICT (id) DO UPDATE SET n = excluded.n",
                       STORE_NO_ARGS, &n, &why),
             &why);
    CHECK_EQ(n, 1);
    CHECK_OK(
        store_run(store, "DELETE FROM one_items WHERE id = ?", STORE_ARGS(SV_C("x")), &n, &why),
        &why);
    CHECK_EQ(n, 0);
    CHECK_OK(store_run(store, "CREATE TABLE one_more (id TEXT)", STORE_NO_ARGS, &n, &why), &why);
    CHECK_EQ(n, 0);
    struct store_tx *tx;
    struct arena *arena = arena_new(1 << 16);
    struct store_rows rows = {0};
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(store_query(tx, "UPDATE one_items SET n = 5 WHERE id = 'a' RETURNING n, id",
                         STORE_NO_ARGS, arena, &rows, &why),
             &why);
    CHECK_EQ(store_int(&rows, 0, 0), 5);
    CHECK_OK(store_commit(tx, &why), &why);
    arena_free(arena);
    test_store_done(store);
}

TEST(a_rollback_leaves_nothing_and_an_error_voids_the_rest)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    struct store_tx *tx;
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(store_exec(tx, "INSERT INTO one_items (id) VALUES ('a')", STORE_NO_ARGS, NULL, &why),
             &why);
    store_rollback(tx);
    store_rollback(NULL);
    CHECK_EQ(count(store, "one_items"), 0);

    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(store_exec(tx, "INSERT INTO one_items (id) VALUES ('a')", STORE_NO_ARGS, NULL, &why),
             &why);
    CHECK_EQ(store_exec(tx, "INSERT INTO one_items (id) VALUES ('a')", STORE_NO_ARGS, NULL, NULL),
             ERR_CONFLICT);
    CHECK_EQ(store_exec(tx, "INSERT INTO one_items (id) VALUES ('b')", STORE_NO_ARGS, NULL, NULL),
             ERR_CONFLICT);
    CHECK_EQ(store_commit(tx, NULL), ERR_CONFLICT);
    CHECK_EQ(count(store, "one_items"), 0);
    test_store_done(store);
}

TEST(a_read_sees_one_state_and_may_not_write)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct arena *arena = arena_new(1 << 16);
    struct why why = {0};
    struct store_tx *tx;
    struct store_rows rows = {0};
    const char *sql = "SELECT count(*) FROM one_items";
    CHECK_OK(put(store, "a", 1, &why), &why);
    CHECK_OK(store_begin(store, STORE_READ, &tx, &why), &why);
    CHECK_OK(store_query(tx, sql, STORE_NO_ARGS, arena, &rows, &why), &why);
    CHECK_EQ(store_int(&rows, 0, 0), 1);
    CHECK_OK(put(store, "b", 1, &why), &why);
    CHECK_OK(store_query(tx, sql, STORE_NO_ARGS, arena, &rows, &why), &why);
    CHECK_EQ(store_int(&rows, 0, 0), 1);
    CHECK_EQ(store_exec(tx, "DELETE FROM one_items", STORE_NO_ARGS, NULL, NULL), ERR_INTERNAL);
    store_rollback(tx);
    CHECK_EQ(
        store_ask(store, "DELETE FROM one_items RETURNING id", STORE_NO_ARGS, arena, &rows, NULL),
        ERR_INTERNAL);
    CHECK_EQ(count(store, "one_items"), 2);
    arena_free(arena);
    test_store_done(store);
}

static enum err stop_at_third(void *ctx, const struct store_rows *row, struct why *why)
{
    int *n = ctx;
    CHECK_EQ(row->n_rows, 1);
    CHECK_EQ(store_int(row, 0, 0), *n);
    return ++*n == 3 ? err_set(why, ERR_CANCELLED, "enough") : ERR_OK;
}

TEST(rows_one_by_one_can_be_stopped)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    struct store_tx *tx;
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    for (int i = 0; i < 1000; i++)
        CHECK_OK(store_exec(tx, "INSERT INTO two_counts (id, n) VALUES (?, 0)",
                            STORE_ARGS(SV_INT(i)), NULL, &why),
                 &why);
    int n = 0;
    CHECK_EQ(store_each(tx, "SELECT id FROM two_counts ORDER BY id", STORE_NO_ARGS, stop_at_third,
                        &n, &why),
             ERR_CANCELLED);
    CHECK_EQ(n, 3);
    CHECK_STR(str_c(why.text), "enough");
    memset(&why, 0, sizeof why);
    CHECK_OK(store_exec(tx, "DELETE FROM two_counts WHERE id = 5", STORE_NO_ARGS, NULL, &why),
             &why);
    CHECK_OK(store_commit(tx, &why), &why);
    CHECK_EQ(count(store, "two_counts"), 999);
    test_store_done(store);
}

/* Every allocation fails once in turn: the right error, nothing written to `out`. */
TEST(says_so_when_a_result_is_larger_than_its_arena)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    struct store_tx *tx;
    for (int i = 0; i < 40; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "item %d", i);
        CHECK_OK(put(store, id, i, &why), &why);
    }
    CHECK_OK(store_begin(store, STORE_READ, &tx, &why), &why);
    size_t limit = 0;
    for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY; limit += 256) {
        struct arena *arena = arena_new(limit);
        struct store_rows rows = {.n_rows = 99};
        err = store_query(tx, "SELECT id, n FROM one_items", STORE_NO_ARGS, arena, &rows, NULL);
        CHECK(err == ERR_OK ? rows.n_rows == 40 : err == ERR_NO_MEMORY && rows.n_rows == 99);
        arena_free(arena);
    }
    CHECK(limit > 1024);
    store_rollback(tx);
    test_store_done(store);
}

TEST(a_writer_waits_for_another_and_not_for_ever)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    struct store_tx *tx, *second;
    CHECK_OK(store_begin(store, STORE_WRITE, &tx, &why), &why);
    int64_t start = time_mono_ns();
    CHECK_EQ(store_begin(store, STORE_WRITE, &second, &why), ERR_BUSY);
    int64_t ms = (time_mono_ns() - start) / 1000000;
    CHECK(ms >= TEST_BUSY_MS - 20 && ms < TEST_BUSY_MS * 10);
    /* A writer of another process, as it were: a store of its own. */
    struct store *other = test_store_again(1, TEST_BUSY_MS);
    CHECK(other != NULL);
    CHECK_EQ(store_begin(other, STORE_WRITE, &second, &why), ERR_BUSY);
    CHECK_OK(store_begin(other, STORE_READ, &second, &why), &why);
    store_rollback(second);
    store_rollback(tx);
    CHECK_OK(store_begin(other, STORE_WRITE, &second, &why), &why);
    store_rollback(second);
    store_close(other);
    test_store_done(store);
}

TEST(readers_wait_for_a_free_connection)
{
    FRESH_STORE(store, 2);
    struct why why = {0};
    struct store_tx *a, *b, *c;
    CHECK_OK(store_begin(store, STORE_READ, &a, &why), &why);
    CHECK_OK(store_begin(store, STORE_READ, &b, &why), &why);
    CHECK_EQ(store_begin(store, STORE_READ, &c, &why), ERR_BUSY);
    CHECK(strstr(why.text, "free connection") != NULL);
    store_rollback(a);
    memset(&why, 0, sizeof why);
    CHECK_OK(store_begin(store, STORE_READ, &c, &why), &why);
    store_rollback(b);
    store_rollback(c);
    test_store_done(store);
}

/* ---- many threads ---- */

#define N_THREADS 6
#define N_EACH    25

struct crowd {
    struct store *store;
    int failed;
    int odd; /* reads that saw half a transaction */
    pthread_mutex_t lock;
};

static enum err add_two(struct store *store, struct why *why)
{
    struct store_tx *tx;
    enum err err = store_begin(store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    /* Read, then write what was read: lost when two writers run at once. */
    struct arena *arena = arena_new(1 << 14);
    struct store_rows rows = {0};
    err =
        store_query(tx, "SELECT n FROM two_counts WHERE id = 1", STORE_NO_ARGS, arena, &rows, why);
    int64_t n = store_int(&rows, 0, 0);
    for (int id = 1; !err && id <= 2; id++)
        err = store_exec(tx, "UPDATE two_counts SET n = ? WHERE id = ?",
                         STORE_ARGS(SV_INT(n + 1), SV_INT(id)), NULL, why);
    arena_free(arena);
    if (!err)
        return store_commit(tx, why);
    store_rollback(tx);
    return err;
}

static void *write_much(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < N_EACH; i++) {
        struct why why = {0};
        enum err err = ERR_BUSY;
        for (int tries = 0; err == ERR_BUSY && tries < 100; tries++)
            err = add_two(crowd->store, &why);
        if (err) {
            pthread_mutex_lock(&crowd->lock);
            crowd->failed++;
            printf("# write: %s\n", why_text(&why, err));
            pthread_mutex_unlock(&crowd->lock);
        }
    }
    return NULL;
}

static void *read_much(void *arg)
{
    struct crowd *crowd = arg;
    for (int i = 0; i < N_EACH * 4; i++) {
        struct arena *arena = arena_new(1 << 14);
        struct store_rows rows = {0};
        struct why why = {0};
        enum err err = store_ask(crowd->store, "SELECT min(n), max(n) FROM two_counts",
                                 STORE_NO_ARGS, arena, &rows, &why);
        pthread_mutex_lock(&crowd->lock);
        crowd->failed += err && err != ERR_BUSY;
        crowd->odd += !err && store_int(&rows, 0, 0) != store_int(&rows, 0, 1);
        pthread_mutex_unlock(&crowd->lock);
        arena_free(arena);
    }
    return NULL;
}

TEST(threads_lose_no_update_and_see_no_half_transaction)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct why why = {0};
    for (int id = 1; id <= 2; id++)
        CHECK_OK(store_run(store, "INSERT INTO two_counts (id, n) VALUES (?, 0)",
                           STORE_ARGS(SV_INT(id)), NULL, &why),
                 &why);
    /* Half of the threads use a second store, as another process would. */
    struct store *other = test_store_again(4, TEST_BUSY_MS);
    struct crowd crowds[2] = {{.store = store}, {.store = other}};
    pthread_t ids[N_THREADS * 2];
    for (int i = 0; i < 2; i++)
        pthread_mutex_init(&crowds[i].lock, NULL);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_create(&ids[i], NULL, write_much, &crowds[i % 2]);
        pthread_create(&ids[N_THREADS + i], NULL, read_much, &crowds[i % 2]);
    }
    for (int i = 0; i < N_THREADS * 2; i++)
        pthread_join(ids[i], NULL);
    CHECK_EQ(crowds[0].failed + crowds[1].failed, 0);
    CHECK_EQ(crowds[0].odd + crowds[1].odd, 0);
    struct arena *arena = arena_new(1 << 14);
    struct store_rows rows = {0};
    CHECK_OK(
        store_ask(store, "SELECT n FROM two_counts ORDER BY id", STORE_NO_ARGS, arena, &rows, &why),
        &why);
    CHECK_EQ(store_int(&rows, 0, 0), N_THREADS * N_EACH);
    CHECK_EQ(store_int(&rows, 1, 0), N_THREADS * N_EACH);
    arena_free(arena);
    store_close(other);
    test_store_done(store);
}

TEST(keeps_more_statements_than_it_has_places_for)
{
    FRESH_STORE(store, 4);
    make_tables(store);
    struct arena *arena = arena_new(1 << 20);
    struct why why = {0};
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 300; i++) {
            struct store_rows rows = {0};
            const char *sql = str_printf(arena, "SELECT count(*) + %d FROM two_counts", i).ptr;
            CHECK_OK(store_ask(store, sql, STORE_NO_ARGS, arena, &rows, &why), &why);
            CHECK_EQ(store_int(&rows, 0, 0), i);
        }
    arena_free(arena);
    test_store_done(store);
}

struct told {
    int n;
    char words[256];
};

static enum err note_text(void *ctx, struct str table, struct str text, struct why *why)
{
    struct told *told = ctx;
    size_t at = strlen(told->words);
    (void)snprintf(told->words + at, sizeof told->words - at, "%.*s:%.*s ", STR_FMT(table),
                   STR_FMT(text));
    return ++told->n < 10 ? ERR_OK : err_set(why, ERR_TOO_LARGE, "enough");
}

/* Texts alone, of every table, long enough; characters and not bytes. */
TEST(tells_every_long_text_of_every_table)
{
    FRESH_STORE(store, 2);
    struct why why = {0};
    struct told told = {0};
    make_tables(store);
    CHECK_OK(put(store, "a long enough id", 7, &why), &why);
    CHECK_OK(put(store, "short", 1234567 / 10, &why), &why);
    CHECK_OK(store_run(store, "INSERT INTO one_parts (id, item, note) VALUES (1, ?, ?)",
                       STORE_ARGS(SV_C("short"), SV_C("停放管理办法停放管理办法")), NULL, &why),
             &why);
    CHECK_OK(store_texts(store, 12, note_text, &told, &why), &why);
    CHECK(strstr(told.words, "one_items:a long enough id ") != NULL);
    CHECK(strstr(told.words, "one_parts:停放管理办法停放管理办法 ") != NULL);
    CHECK(strstr(told.words, "short") == NULL);
    told = (struct told){.n = 9};
    CHECK_EQ(store_texts(store, 12, note_text, &told, &why), ERR_TOO_LARGE);
    test_store_done(store);
}

TESTS_MAIN()
