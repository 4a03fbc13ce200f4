#include "support/test_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/file.h"

static char dir[64], url[256], skip[400];

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
    if (err)
        (void)snprintf(skip, sizeof skip, "no store: %s", why_text(&why, err));
    return store;
}

struct store *test_store_fresh(const char *engine, int n_connections, int64_t busy_ms)
{
    (void)engine;
    (void)snprintf(dir, sizeof dir, "/tmp/yicheng-test-XXXXXX");
    if (!mkdtemp(dir)) {
        (void)snprintf(skip, sizeof skip, "no temporary folder");
        return NULL;
    }
    (void)snprintf(url, sizeof url, "%s/yicheng.db", dir);
    return test_store_again(n_connections, busy_ms);
}

void test_store_done(struct store *store)
{
    struct why why = {0};
    store_close(store);
    if (file_remove(dir, &why))
        printf("# %s\n", why.text);
}
