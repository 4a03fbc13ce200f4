/*
 * tests/support/test_store - an open store on an empty database, of either engine.
 *
 * A test that says so to Meson is built twice, with TEST_ENGINE "sqlite" and "postgresql"; the
 * latter runs on a cluster of its own (pg_cluster.h) that ends with the program.
 *
 * With tap.h:
 *     TEST(keeps_rows)
 *     {
 *         FRESH_STORE(store, 4);
 *         ...
 *         test_store_done(store);
 *     }
 */
#ifndef TESTS_SUPPORT_TEST_STORE_H
#define TESTS_SUPPORT_TEST_STORE_H

#include "store/store.h"

#ifndef TEST_ENGINE
#define TEST_ENGINE "sqlite"
#endif

#define TEST_BUSY_MS 300 /* busy_timeout_ms of the stores */

/* NULL when the engine cannot be had here; then test_store_skip() says why. One at a time. */
struct store *test_store_fresh(const char *engine, int n_connections, int64_t busy_ms);
/* Another store on the same database, as another process would have. Closed by store_close(). Ends
 * the program when that cannot be opened. */
struct store *test_store_again(int n_connections, int64_t busy_ms);
void test_store_done(struct store *store); /* closes it and removes the database */
const char *test_store_skip(void);
const char *test_store_url(void); /* of the database that was made last */
const char *test_store_dir(void); /* a folder that ends with test_store_done() */
/* A store on another empty database of the same engine, closed by store_close(). */
struct store *test_store_empty(const char *engine, int n_connections, int64_t busy_ms);
/* Puts the database of the next test_store_fresh() on a disk of n bytes. False when that cannot be
 * done here. Not undone: for a program of its own, before anything else. */
bool test_store_small_disk(const char *engine, size_t n);
/* The cluster that the PostgreSQL stores of this program are on, started when it is not; NULL as
 * above. */
struct pg_cluster *test_store_cluster(void);

#define FRESH_STORE(var, n_connections)                                                            \
    struct store *var = test_store_fresh(TEST_ENGINE, (n_connections), TEST_BUSY_MS);              \
    if (!var)                                                                                      \
    SKIP(test_store_skip())

#endif
