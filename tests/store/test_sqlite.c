#include <sys/stat.h>

#include "store/suite.h"

static const char *skip = "no temporary folder";
static char dir[64], db[96];

static struct store *again(int n_connections)
{
    struct store *store = NULL;
    struct why why = {0};
    CHECK_OK(store_open(&(struct store_opts){db, BUSY_MS, n_connections}, &store, &why), &why);
    return store;
}

static struct store *fresh(int n_connections)
{
    (void)snprintf(dir, sizeof dir, "/tmp/yicheng-store-XXXXXX");
    if (!mkdtemp(dir))
        return NULL;
    (void)snprintf(db, sizeof db, "%s/yicheng.db", dir);
    return again(n_connections);
}

static void done(struct store *store)
{
    store_close(store);
    CHECK_OK(file_remove(dir, NULL), NULL);
}

TEST(is_sqlite_and_nobody_elses_to_read)
{
    FRESH(store);
    struct stat st;
    CHECK_STR(str_c(store_engine(store)), "sqlite");
    CHECK_EQ(stat(db, &st), 0);
    CHECK_EQ(st.st_mode & 07, 0);
    done(store);
}

TEST(refuses_what_is_no_database)
{
    struct store *store = NULL;
    struct why why = {0};
    store_close(fresh(1));
    char path[128];
    (void)snprintf(path, sizeof path, "%s/text", dir);
    CHECK_OK(file_write(path, STR("this is a letter and not a database, however long it may be"),
                        0600, NULL),
             NULL);
    CHECK_EQ(store_open(&(struct store_opts){path, 10, 1}, &store, &why), ERR_CORRUPT);
    CHECK(strstr(why.text, path) != NULL);
    CHECK(store_open(&(struct store_opts){dir, 10, 1}, &store, NULL) != ERR_OK);
    CHECK_EQ(store_open(&(struct store_opts){"", 10, 1}, &store, NULL), ERR_INVALID);
    CHECK_EQ(store_open(&(struct store_opts){path, 10, 0}, &store, NULL), ERR_INVALID);
    CHECK_EQ(store_open(&(struct store_opts){path, -1, 1}, &store, NULL), ERR_INVALID);
    CHECK(store == NULL);
    CHECK_OK(file_remove(dir, NULL), NULL);
}

TESTS_MAIN()
