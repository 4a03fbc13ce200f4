#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "support/test_store.h"
#include "tap.h"

static const struct store_migration steps[] = {
    {"one", 1,
     "CREATE TABLE one_zoo (id INTEGER NOT NULL PRIMARY KEY, s TEXT, x REAL, b BLOB);"
     "CREATE TABLE one_child (id INTEGER NOT NULL PRIMARY KEY,"
     " parent INTEGER NOT NULL REFERENCES one_zoo (id),"
     " same INTEGER REFERENCES one_child (id));"
     "INSERT INTO one_zoo (id, s) VALUES (1000, 'put here by the migration')",
     NULL},
    /* Its name comes first and its foreign key needs the others: the order must be found. */
    {"a", 1,
     "CREATE TABLE a_pair (id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL,"
     " zoo INTEGER REFERENCES one_zoo (id), child INTEGER REFERENCES one_child (id),"
     " text TEXT)",
     NULL},
};
#define N_STEPS (sizeof steps / sizeof steps[0])

static const char *at(const char *name)
{
    static char path[2][160];
    static int turn;
    turn ^= 1;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", test_store_dir(), name);
    return path[turn];
}

static void run(struct store *store, const char *sql, struct store_args args)
{
    struct why why = {0};
    CHECK_OK(store_run(store, sql, args, NULL, &why), &why);
}

static void fill(struct store *store)
{
    struct why why = {0};
    CHECK_OK(store_migrate(store, steps, N_STEPS, false, NULL, &why), &why);
    static const char *const texts[] = {"", "\t\n\r\\", "\\N", "\\.", "一城\nsecond", "a\tb'\"$1?"};
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)(255 - i);
    run(store, "DELETE FROM one_zoo WHERE id = 1000", STORE_NO_ARGS);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        run(store, "INSERT INTO one_zoo (id, s, x, b) VALUES (?, ?, ?, ?)",
            STORE_ARGS(SV_INT((int64_t)i), SV_C(texts[i]), SV_REAL(0.1 * (double)i),
                       SV_BLOB(((struct str){bytes, i * 51}))));
    run(store, "INSERT INTO one_zoo (id) VALUES (99)", STORE_NO_ARGS);
    run(store, "INSERT INTO one_child (id, parent, same) VALUES (2, 99, 2)", STORE_NO_ARGS);
    for (int id = 1; id <= 2; id++)
        run(store, "INSERT INTO a_pair (id, n, zoo, child) VALUES (?, 0, 99, 2)",
            STORE_ARGS(SV_INT(id)));
}

/* All that fill() and the writers made, as one text. */
static struct str all(struct store *store, struct arena *arena)
{
    static const char *const queries[] = {
        "SELECT id, s, x, b, s IS NULL, x IS NULL, b IS NULL FROM one_zoo ORDER BY id",
        "SELECT id, parent, same, '', '', '', '' FROM one_child ORDER BY id",
        "SELECT id, zoo, child, text, '', '', '' FROM a_pair ORDER BY id",
        ("SELECT number, room, checksum, ran_ms, sql, '', '' FROM store_migrations"
         " ORDER BY position"),
    };
    struct buf out;
    buf_init(&out, arena);
    for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
        struct store_rows rows = {0};
        struct why why = {0};
        CHECK_OK(store_ask(store, queries[q], STORE_NO_ARGS, arena, &rows, &why), &why);
        for (size_t i = 0; i < rows.n_rows * rows.n_cols; i++) {
            const struct store_value *v = &rows.values[i];
            if (v->kind == STORE_INT)
                buf_printf(&out, "%lld|", (long long)v->i);
            else if (v->kind == STORE_REAL)
                buf_printf(&out, "%.17g|", v->r);
            else
                buf_printf(&out, "%zu:", v->s.len), buf_add(&out, v->s);
        }
    }
    CHECK(!out.failed);
    return buf_str(&out);
}

TEST(a_restored_database_holds_what_was_backed_up)
{
    FRESH_STORE(store, 4);
    struct arena *arena = arena_new(1 << 22);
    struct why why = {0};
    size_t pending = 9;
    fill(store);
    CHECK_OK(store_check(store, &why), &why);
    CHECK_OK(store_backup(store, at("backup"), &why), &why);
    CHECK(!file_exists(at("backup.part")));
    CHECK_OK(store_backup(store, at("backup"), &why), &why); /* over the one before */
    struct store *other = test_store_empty(TEST_ENGINE, 2, TEST_BUSY_MS);
    CHECK_OK(store_restore(other, at("backup"), steps, N_STEPS, &why), &why);
    struct str before = all(store, arena), after = all(other, arena);
    CHECK(before.len > 500 && str_eq(before, after));
    CHECK_OK(store_migrate(other, steps, N_STEPS, true, &pending, &why), &why);
    CHECK_EQ(pending, 0);
    CHECK_OK(store_check(other, &why), &why);
    run(other, "INSERT INTO one_zoo (id) VALUES (7777)", STORE_NO_ARGS);
    CHECK_EQ(store_run(other, "INSERT INTO one_child (id, parent) VALUES (5, 12345)", STORE_NO_ARGS,
                       NULL, NULL),
             ERR_CONFLICT); /* the constraints are back, too */
    /* What is not empty is not restored over. */
    CHECK_EQ(store_restore(other, at("backup"), steps, N_STEPS, &why), ERR_CONFLICT);
    CHECK(strstr(why.text, "not empty") != NULL);
    store_close(other);
    arena_free(arena);
    test_store_done(store);
}

TEST(an_empty_database_can_be_backed_up)
{
    FRESH_STORE(store, 2);
    struct why why = {0};
    CHECK_OK(store_backup(store, at("backup"), &why), &why);
    struct store *other = test_store_empty(TEST_ENGINE, 2, TEST_BUSY_MS);
    CHECK_OK(store_restore(other, at("backup"), steps, N_STEPS, &why), &why);
    CHECK_OK(store_migrate(other, steps, N_STEPS, false, NULL, &why), &why);
    store_close(other);
    test_store_done(store);
}

TEST(a_backup_that_cannot_be_written_leaves_the_old_one)
{
    FRESH_STORE(store, 2);
    struct arena *arena = arena_new(1 << 22);
    struct why why = {0};
    struct str text;
    fill(store);
    CHECK(store_backup(store, at("no/such/folder/backup"), &why) != ERR_OK);
    CHECK(why.text[0] != '\0');
    CHECK_EQ(store_restore(store, at("backup"), steps, N_STEPS, NULL), ERR_CONFLICT);
    CHECK_OK(file_write(at("backup"), STR("old"), 0600, NULL), NULL);
    CHECK_OK(file_make_dirs(at("backup.part/x"), NULL), NULL);
    CHECK_OK(file_write(at("backup.part/x/y"), STR("in the way"), 0600, NULL), NULL);
    memset(&why, 0, sizeof why);
    enum err err = store_backup(store, at("backup"), &why);
    CHECK_OK(file_read(at("backup"), 1 << 20, arena, &text, NULL), NULL);
    CHECK(err == ERR_OK ? text.len > 3 : str_eq_c(text, "old"));
    arena_free(arena);
    test_store_done(store);
}

TEST(a_centre_grows_from_sqlite_to_postgresql)
{
    if (strcmp(TEST_ENGINE, "sqlite") != 0)
        SKIP("asked of SQLite");
    FRESH_STORE(store, 2);
    struct arena *arena = arena_new(1 << 22);
    struct why why = {0};
    size_t pending = 9;
    if (!test_store_cluster()) {
        test_store_done(store);
        SKIP(test_store_skip());
    }
    fill(store);
    CHECK_OK(store_backup(store, at("backup"), &why), &why);
    struct store *other = test_store_empty("postgresql", 2, TEST_BUSY_MS);

    /* By an older program, and by one whose step has another text: nothing is there afterwards. */
    struct store_migration changed[N_STEPS];
    memcpy(changed, steps, sizeof changed);
    changed[1].sql = "CREATE TABLE a_pair (id INTEGER)";
    CHECK_EQ(store_restore(other, at("backup"), steps, 1, NULL), ERR_CONFLICT);
    CHECK_EQ(store_restore(other, at("backup"), changed, N_STEPS, NULL), ERR_CONFLICT);
    CHECK_OK(store_restore(other, at("backup"), steps, N_STEPS, &why), &why);
    CHECK_STR(str_c(store_engine(other)), "postgresql");
    struct str before = all(store, arena), after = all(other, arena);
    CHECK(before.len > 500 && str_eq(before, after));
    CHECK_OK(store_migrate(other, steps, N_STEPS, true, &pending, &why), &why);
    CHECK_EQ(pending, 0);
    CHECK_EQ(store_restore(other, at("backup"), steps, N_STEPS, NULL), ERR_CONFLICT);

    /* The other way is refused in words, and so is a table that no migration made. */
    CHECK_OK(store_backup(other, at("dump"), &why), &why);
    store_close(other);
    other = test_store_empty("sqlite", 2, TEST_BUSY_MS);
    CHECK_EQ(store_restore(other, at("dump"), steps, N_STEPS, &why), ERR_UNSUPPORTED);
    CHECK(strstr(why.text, "PostgreSQL") != NULL);
    store_close(other);
    memset(&why, 0, sizeof why);
    run(store, "CREATE TABLE stray (id TEXT)", STORE_NO_ARGS);
    CHECK_OK(store_backup(store, at("backup"), &why), &why);
    other = test_store_empty("postgresql", 2, TEST_BUSY_MS);
    CHECK_EQ(store_restore(other, at("backup"), steps, N_STEPS, &why), ERR_UNSUPPORTED);
    CHECK(strstr(why.text, "stray") != NULL);
    store_close(other);
    arena_free(arena);
    test_store_done(store);
}

/* ---- while others write ---- */

struct writer {
    struct store *store;
    atomic_bool stop;
    int n, failed;
};

static void *write_pairs(void *arg)
{
    struct writer *writer = arg;
    while (!writer->stop) {
        struct store_tx *tx;
        enum err err = store_begin(writer->store, STORE_WRITE, &tx, NULL);
        for (int id = 1; !err && id <= 2; id++)
            err = store_exec(tx, "UPDATE a_pair SET n = n + 1 WHERE id = ?", STORE_ARGS(SV_INT(id)),
                             NULL, NULL);
        if (!err)
            err = store_exec(tx, "INSERT INTO one_zoo (id, s) VALUES (?, 'grows')",
                             STORE_ARGS(SV_INT(10000 + writer->n)), NULL, NULL);
        if (!err)
            err = store_commit(tx, NULL);
        writer->failed += err != ERR_OK;
        writer->n++;
    }
    return NULL;
}

TEST(a_backup_is_one_state_while_others_write)
{
    FRESH_STORE(store, 4);
    struct arena *arena = arena_new(1 << 22);
    struct why why = {0};
    fill(store);
    struct writer writer = {.store = store};
    pthread_t id;
    pthread_create(&id, NULL, write_pairs, &writer);
    for (int i = 0; i < 4; i++) {
        struct store_rows rows = {0};
        CHECK_OK(store_backup(store, at("backup"), &why), &why);
        struct store *other = test_store_empty(TEST_ENGINE, 2, 5000);
        CHECK_OK(store_restore(other, at("backup"), steps, N_STEPS, &why), &why);
        CHECK_OK(store_ask(other,
                           "SELECT min(n), max(n),"
                           " (SELECT count(*) FROM one_zoo WHERE s = 'grows') FROM a_pair",
                           STORE_NO_ARGS, arena, &rows, &why),
                 &why);
        CHECK_EQ(store_int(&rows, 0, 0), store_int(&rows, 0, 1));
        CHECK_EQ(store_int(&rows, 0, 0), store_int(&rows, 0, 2));
        store_close(other);
    }
    writer.stop = true;
    pthread_join(id, NULL);
    CHECK_EQ(writer.failed, 0);
    CHECK(writer.n > 4);
    arena_free(arena);
    test_store_done(store);
}

/* ---- damaged files ---- */

TEST(a_damaged_backup_is_refused_and_nothing_is_restored)
{
    FRESH_STORE(store, 2);
    struct arena *arena = arena_new(1 << 24);
    struct why why = {0};
    struct str good;
    fill(store);
    CHECK_OK(store_backup(store, at("backup"), &why), &why);
    CHECK_OK(file_read(at("backup"), 1 << 22, arena, &good, NULL), NULL);
    struct store *other = test_store_empty(TEST_ENGINE, 1, TEST_BUSY_MS);
    CHECK_EQ(store_restore(other, at("none"), steps, N_STEPS, &why), ERR_NOT_FOUND);
    /* SQLite keeps no digest of a whole file: only what breaks its structure shows there. */
    bool digest = strcmp(store_engine(store), "postgresql") == 0;
    for (int i = 0; i < 24; i++) {
        char *bytes = arena_copy(arena, good.ptr, good.len);
        size_t len = good.len;
        if (i < 8)
            len = good.len * (size_t)i / 8;
        else if (i < 12 || !digest)
            memset(bytes + (size_t)(i - 8) * 4, 0xFF, 4);
        else
            bytes[good.len * (size_t)i / 24] ^= 1;
        if (!digest && i >= 12)
            break;
        CHECK_OK(file_write(at("bad"), (struct str){bytes, len}, 0600, NULL), NULL);
        memset(&why, 0, sizeof why);
        if (len == 0 && !digest)
            continue; /* to SQLite an empty file is an empty database */
        CHECK_EQ(store_restore(other, at("bad"), steps, N_STEPS, &why), ERR_CORRUPT);
        CHECK(strstr(why.text, "bad") != NULL);
    }
    memset(&why, 0, sizeof why);
    CHECK_OK(store_restore(other, at("backup"), steps, N_STEPS, &why), &why);
    CHECK(str_eq(all(store, arena), all(other, arena)));
    store_close(other);
    arena_free(arena);
    test_store_done(store);
}

TESTS_MAIN()
