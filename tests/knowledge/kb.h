/*
 * tests/knowledge/kb - a knowledge room over an empty data directory.
 */
#ifndef TESTS_KNOWLEDGE_KB_H
#define TESTS_KNOWLEDGE_KB_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "knowledge/knowledge.h"
#include "ledger/ledger.h"
#include "objects/objects.h"
#include "support/test_store.h"

struct kb {
    char dir[64];
    char url[300]; /* of the database, when it is not a file in dir */
    struct arena *arena;
    const struct conf *conf;
    struct store *store, *made;
    struct objects *objects;
    struct knowledge *knowledge;
    struct ops_identity system;
    struct why why;
};

/* Opens what is in kb->dir, as a program that starts does. */
__attribute__((unused)) static enum err kb_open(struct kb *kb)
{
    kb->arena = arena_new((size_t)1 << 30);
    kb->system = ops_system();
    const struct conf_table tables[] = {knowledge_conf};
    const char *db = kb->url[0] ? kb->url : file_join(kb->arena, kb->dir, "yicheng.db");
    const char *objects = file_join(kb->arena, kb->dir, "objects");
    struct store_opts store = {.url = db, .busy_timeout_ms = 20000, .n_connections = 4};
    enum err err = conf_load(tables, 1, NULL, NULL, 0, kb->arena, &kb->conf, &kb->why);
    if (!err)
        err = store_open(&store, &kb->store, &kb->why);
    struct store_migration steps[64];
    size_t n = 0, pending = 0;
    for (size_t i = 0; i < ledger_n_migrations; i++)
        steps[n++] = ledger_migrations[i];
    for (size_t i = 0; i < compute_n_migrations; i++)
        steps[n++] = compute_migrations[i];
    for (size_t i = 0; i < knowledge_n_migrations; i++)
        steps[n++] = knowledge_migrations[i];
    if (!err)
        err = store_migrate(kb->store, steps, n, false, &pending, &kb->why);
    if (!err)
        err = objects_open(objects, &kb->objects, &kb->why);
    struct knowledge_opts opts = {
        .store = kb->store, .objects = kb->objects, .conf = kb->conf, .data_dir = kb->dir};
    return err ? err : knowledge_open(&opts, &kb->knowledge, &kb->why);
}

__attribute__((unused)) static void kb_close(struct kb *kb)
{
    knowledge_close(kb->knowledge);
    objects_close(kb->objects);
    store_close(kb->store);
    arena_free(kb->arena);
}

/* What another process opens to see the same base: directory and database, nothing open. */
__attribute__((unused)) static struct kb kb_same(const struct kb *kb)
{
    struct kb same = {.dir = ""};
    memcpy(same.dir, kb->dir, sizeof same.dir);
    memcpy(same.url, kb->url, sizeof same.url);
    return same;
}

/* False when the engine cannot be had here: SKIP(test_store_skip()). */
__attribute__((unused)) static bool kb_fresh(struct kb *kb)
{
    *kb = (struct kb){.dir = "/tmp/yicheng-kb-XXXXXX"};
    if (!mkdtemp(kb->dir))
        return false;
    if (strcmp(TEST_ENGINE, "sqlite") != 0) {
        /* Kept open beside our own connections: its end removes the database. */
        kb->made = test_store_fresh(TEST_ENGINE, 2, 20000);
        if (!kb->made)
            return false;
        (void)snprintf(kb->url, sizeof kb->url, "%s", test_store_url());
    }
    CHECK_OK(kb_open(kb), &kb->why);
    return kb->knowledge != NULL;
}

__attribute__((unused)) static void kb_done(struct kb *kb)
{
    struct why none = {0};
    kb_close(kb);
    if (kb->made)
        test_store_done(kb->made);
    CHECK_OK(file_remove(kb->dir, &none), &none);
}

__attribute__((unused)) static void kb_put(struct kb *kb, const char *name, const char *text)
{
    char path[300], *slash;
    (void)snprintf(path, sizeof path, "%s/files/%s", kb->dir, name);
    slash = strrchr(path, '/');
    *slash = '\0';
    CHECK_OK(file_make_dirs(path, &kb->why), &kb->why);
    *slash = '/';
    CHECK_OK(file_write(path, str_c(text), 0640, &kb->why), &kb->why);
}

/* Reads a file or folder below kb->dir/files (or any path beginning with '/') into "test". */
__attribute__((unused)) static struct knowledge_report kb_import(struct kb *kb, const char *name,
                                                                 bool update)
{
    char path[300], id[UUID_TEXT];
    const char *paths[] = {path};
    struct knowledge_report report = {0};
    if (name[0] == '/')
        (void)snprintf(path, sizeof path, "%s", name);
    else
        (void)snprintf(path, sizeof path, "%s/files/%s", kb->dir, name);
    struct knowledge_import import = {.kb = "test", .paths = paths, .n_paths = 1, .update = update};
    CHECK_OK(knowledge_create(kb->knowledge, &kb->system, "test", "测试", OPS_CLASS_PUBLIC, id,
                              &kb->why),
             &kb->why);
    CHECK_OK(knowledge_import(kb->knowledge, &kb->system, &import, NULL, NULL, kb->arena, &report,
                              &kb->why),
             &kb->why);
    return report;
}

static int kb_faults;
static bool kb_quiet; /* faults are expected: not told */

static void kb_bad(void *ctx, const char *words)
{
    (void)ctx;
    kb_faults++;
    if (!kb_quiet)
        printf("# %s\n", words);
}

/* Faults that the check finds. */
__attribute__((unused)) static int kb_check(struct kb *kb, bool repair)
{
    kb_faults = 0;
    CHECK_OK(knowledge_check(kb->knowledge, repair, kb_bad, NULL, &kb->why), &kb->why);
    return kb_faults;
}

__attribute__((unused)) static int64_t kb_count(struct kb *kb, const char *sql)
{
    struct store_rows rows = {0};
    CHECK_OK(store_ask(kb->store, sql, STORE_NO_ARGS, kb->arena, &rows, &kb->why), &kb->why);
    return store_int(&rows, 0, 0);
}

#define FRESH_KB(var)                                                                              \
    struct kb var;                                                                                 \
    if (!kb_fresh(&(var)))                                                                         \
    SKIP(test_store_skip())

#endif
