/* What only the engine SQLite promises. */
#include <sys/stat.h>

#include "core/file.h"
#include "support/test_store.h"
#include "tap.h"

TEST(is_sqlite_and_nobody_elses_to_read)
{
    FRESH_STORE(store, 4);
    struct stat st;
    CHECK_STR(str_c(store_engine(store)), "sqlite");
    CHECK_EQ(stat(test_store_url(), &st), 0);
    CHECK_EQ(st.st_mode & 07, 0);
    test_store_done(store);
}

TEST(refuses_what_is_no_database)
{
    struct store *store = NULL;
    struct why why = {0};
    FRESH_STORE(empty, 1);
    char path[128];
    (void)snprintf(path, sizeof path, "%s/text", test_store_dir());
    CHECK_OK(file_write(path, STR("this is a letter and not a database, however long it may be"),
                        0600, NULL),
             NULL);
    CHECK_EQ(store_open(&(struct store_opts){path, 10, 1}, &store, &why), ERR_CORRUPT);
    CHECK(strstr(why.text, path) != NULL);
    CHECK(store_open(&(struct store_opts){test_store_dir(), 10, 1}, &store, NULL) != ERR_OK);
    CHECK_EQ(store_open(&(struct store_opts){"", 10, 1}, &store, NULL), ERR_INVALID);
    CHECK_EQ(store_open(&(struct store_opts){path, 10, 0}, &store, NULL), ERR_INVALID);
    CHECK_EQ(store_open(&(struct store_opts){path, -1, 1}, &store, NULL), ERR_INVALID);
    CHECK(store == NULL);
    char turn[160]; /* nothing is left beside it */
    (void)snprintf(turn, sizeof turn, "%s-turn", path);
    CHECK(!file_exists(turn));
    test_store_done(empty);
}

TESTS_MAIN()
