#include "support/test_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "support/pg_cluster.h"
#include "support/small_disk.h"

static char dir[64], url[256], skip[400];
static struct pg_cluster *cluster;
static bool small;      /* dir is a small disk */
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

static struct store *open_at(const char *at, int n_connections, int64_t busy_ms)
{
    struct store *store = NULL;
    struct why why = {0};
    enum err err = store_open(&(struct store_opts){at, busy_ms, n_connections}, &store, &why);
    if (!err)
        return store;
    /* An engine that is there and does not open is a failure, not something to skip. */
    printf("Bail out! no store: %s\n", why_text(&why, err));
    exit(1);
}

struct store *test_store_again(int n_connections, int64_t busy_ms)
{
    return open_at(url, n_connections, busy_ms);
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

/* The address of a new empty database; false when the engine is not there. */
static bool make_database(const char *engine, char *at, size_t n_at)
{
    static int n;
    char name[32];
    n++;
    if (strcmp(engine, "postgresql") != 0) {
        (void)snprintf(at, n_at, "%s/yicheng-%d.db", dir, n);
        return true;
    }
    (void)snprintf(name, sizeof name, "test_%d", n);
    if (!test_store_cluster())
        return false;
    if (small ? pg_cluster_database_in(cluster, name, dir, at, n_at)
              : pg_cluster_database(cluster, name, at, n_at))
        return true;
    printf("Bail out! could not make a database\n");
    exit(1);
}

static bool make_folder(void)
{
    if (small)
        return true;
    (void)snprintf(dir, sizeof dir, "/tmp/yicheng-test-XXXXXX");
    if (mkdtemp(dir))
        return true;
    (void)snprintf(skip, sizeof skip, "no temporary folder");
    return false;
}

struct store *test_store_fresh(const char *engine, int n_connections, int64_t busy_ms)
{
    if (!make_folder())
        return NULL;
    if (make_database(engine, url, sizeof url))
        return test_store_again(n_connections, busy_ms);
    (void)rmdir(dir);
    return NULL;
}

struct store *test_store_empty(const char *engine, int n_connections, int64_t busy_ms)
{
    char at[256];
    return make_database(engine, at, sizeof at) ? open_at(at, n_connections, busy_ms) : NULL;
}

static void end_disk(void)
{
    if (getpid() == owner) {
        (void)umount2(dir, MNT_DETACH);
        (void)rmdir(dir);
    }
}

bool test_store_small_disk(const char *engine, size_t n)
{
    owner = getpid();
    (void)snprintf(dir, sizeof dir, "/tmp/yicheng-disk-XXXXXX");
    (void)snprintf(skip, sizeof skip, "a small disk can only be mounted by root");
    if (!mkdtemp(dir))
        return false;
    /* In a namespace of its own, so that the disk is gone when the program is. */
    if (!small_disk_mount(dir, n)) {
        (void)rmdir(dir);
        return false;
    }
    small = true;
    (void)atexit(end_disk); /* after the cluster, which is started later */
    return strcmp(engine, "postgresql") != 0 || test_store_cluster() != NULL;
}

void test_store_done(struct store *store)
{
    struct why why = {0};
    store_close(store);
    if (!small && file_remove(dir, &why))
        printf("# %s\n", why.text);
}
