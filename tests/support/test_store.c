#include "support/test_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "support/pg_cluster.h"

static char dir[64], url[256], skip[400];
static struct pg_cluster *cluster;
static bool no_cluster; /* it was tried, and skip says why */

const char *test_store_skip(void)
{
    return skip;
}

const char *test_store_url(void)
{
    return url;
}

const char *test_store_dir(void)
{
    return dir;
}

struct store *test_store_again(int n_connections, int64_t busy_ms)
{
    struct store *store = NULL;
    struct why why = {0};
    enum err err = store_open(&(struct store_opts){url, busy_ms, n_connections}, &store, &why);
    if (!err)
        return store;
    /* An engine that is there and does not open is a failure, not something to skip. */
    printf("Bail out! no store: %s\n", why_text(&why, err));
    exit(1);
}

static pid_t owner;

static void end_cluster(void)
{
    if (getpid() == owner) /* and not a child that exits */
        pg_cluster_free(cluster);
}

struct pg_cluster *test_store_cluster(void)
{
    if (!cluster && !no_cluster) {
        cluster = pg_cluster_new(skip, sizeof skip);
        no_cluster = !cluster;
        owner = getpid();
        (void)atexit(end_cluster);
    }
    return cluster;
}

static bool make_database(const char *engine)
{
    static int n;
    char name[32];
    if (strcmp(engine, "postgresql") != 0) {
        (void)snprintf(url, sizeof url, "%s/yicheng.db", dir);
        return true;
    }
    (void)snprintf(name, sizeof name, "test_%d", ++n);
    if (!test_store_cluster())
        return false;
    if (pg_cluster_database(cluster, name, url, sizeof url))
        return true;
    printf("Bail out! could not make a database\n");
    exit(1);
}

struct store *test_store_fresh(const char *engine, int n_connections, int64_t busy_ms)
{
    (void)snprintf(dir, sizeof dir, "/tmp/yicheng-test-XXXXXX");
    if (!mkdtemp(dir)) {
        (void)snprintf(skip, sizeof skip, "no temporary folder");
        return NULL;
    }
    if (make_database(engine))
        return test_store_again(n_connections, busy_ms);
    (void)rmdir(dir);
    return NULL;
}

void test_store_done(struct store *store)
{
    struct why why = {0};
    store_close(store);
    if (file_remove(dir, &why))
        printf("# %s\n", why.text);
}
