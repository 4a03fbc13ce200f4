/*
 * tests/models/registry - an open registry over a store of either engine, and ways to ask it with
 * JSON texts, as the API and the command line do.
 */
#ifndef TESTS_MODELS_REGISTRY_H
#define TESTS_MODELS_REGISTRY_H

#include "compute/compute.h"
#include "core/log.h"
#include "http/http.h"
#include "models/models.h"
#include "objects/objects.h"
#include "ops/centre.h"

#define UNUSED_HERE __attribute__((unused))

struct registry {
    struct centre c;
    struct models *models;
    struct objects *objects;
    struct compute *compute;
    struct ops_identity system;
    const char *dir;
    const char *program;
    struct arena *arena;
    enum err err; /* of the last ask */
    struct why why;
    int64_t revision, if_match;
};

UNUSED_HERE static struct models *registry_again(struct registry *r, struct store *store)
{
    struct models *m = NULL;
    struct why why = {0};
    struct models_opts opts = {.store = store,
                               .objects = r->objects,
                               .ops = r->c.ops,
                               .compute = r->compute,
                               .conf = r->c.conf,
                               .data_dir = r->dir,
                               .program = r->program};
    CHECK_OK(models_open(&opts, &m, &why), &why);
    return m;
}

UNUSED_HERE static bool registry_open_with(struct registry *r, const char *program,
                                           const char *const *sets, size_t n_sets)
{
    const struct conf_table tables[] = {ops_conf, http_conf, compute_conf, models_conf};
    static struct store_migration steps[8];
    const char *all[16] = {"http.port=0", "http.access_log=false"};
    char objects[4200];
    struct why why = {0};
    *r = (struct registry){.if_match = -1, .system = ops_system(), .program = program};
    centre_n_more = 0;
    for (size_t i = 0; i < compute_n_migrations; i++)
        steps[centre_n_more++] = compute_migrations[i];
    for (size_t i = 0; i < models_n_migrations; i++)
        steps[centre_n_more++] = models_migrations[i];
    centre_more = steps;
    for (size_t i = 0; i < n_sets; i++)
        all[2 + i] = sets[i];
    if (log_open(NULL, LOG_LEVEL_ERROR, true, NULL) != ERR_OK)
        abort();
    if (!centre_open_with(&r->c, tables, 4, all, 2 + n_sets))
        return false;
    r->arena = r->c.arena;
    r->dir = test_store_dir();
    (void)snprintf(objects, sizeof objects, "%s/objects", r->dir);
    CHECK_OK(objects_open(objects, &r->objects, &why), &why);
    struct compute_opts jobs = {.store = r->c.store,
                                .ops = r->c.ops,
                                .conf = r->c.conf,
                                .data_dir = r->dir,
                                .program = "/bin/false"};
    CHECK_OK(compute_open(&jobs, &r->compute, &why), &why);
    r->models = registry_again(r, r->c.store);
    return r->models != NULL;
}

UNUSED_HERE static void registry_close(struct registry *r)
{
    models_close(r->models);
    compute_close(r->compute);
    objects_close(r->objects);
    centre_close(&r->c);
}

#define REGISTRY(r)                                                                                \
    struct registry r;                                                                             \
    if (!registry_open_with(&r, "/bin/true", NULL, 0))                                             \
    SKIP(test_store_skip())

UNUSED_HERE static const struct json *parse(struct registry *r, const char *text)
{
    const struct json *json = NULL;
    struct why why = {0};
    CHECK_OK(json_parse(str_c(text), r->arena, &json, &why), &why);
    return json;
}

enum how { ITEMS, SHOW, MAKE, CHANGE, REMOVE, RETIRE, FORCE, ROLLBACK, HISTORY, VERSION, DO };

/* Asks, and gives the answer; NULL when it was refused: then r->err and r->why say how. `text` is a
 * body, or for FORCE the reason. */
UNUSED_HERE static const struct json *ask_as(struct registry *r, const struct ops_identity *who,
                                             enum how how, int noun, const char *name,
                                             const char *text)
{
    struct buf buf;
    struct json_out out;
    struct models *m = r->models;
    struct models_ask ask = {.who = who,
                             .arena = r->arena,
                             .if_match = r->if_match,
                             .out = &out,
                             .revision = &r->revision};
    buf_init(&buf, r->arena);
    json_out_init(&out, &buf);
    struct str n = str_c(name);
    struct why *why = &r->why;
    enum models_noun k = (enum models_noun)noun;
    bool reads = how == MAKE || how == CHANGE || how == VERSION;
    const struct json *body = reads ? parse(r, text) : NULL;
    *why = (struct why){0};
    r->err = how == ITEMS      ? models_items(m, &ask, k, NULL, why)
             : how == SHOW     ? models_show(m, &ask, k, n, why)
             : how == MAKE     ? models_make(m, &ask, k, body, why)
             : how == CHANGE   ? models_change(m, &ask, k, n, body, why)
             : how == REMOVE   ? models_remove(m, &ask, k, n, why)
             : how == RETIRE   ? models_retire(m, &ask, n, false, STR(""), why)
             : how == FORCE    ? models_retire(m, &ask, n, true, str_c(text), why)
             : how == ROLLBACK ? models_alias_rollback(m, &ask, n, why)
             : how == HISTORY  ? models_alias_history(m, &ask, n, why)
             : how == VERSION  ? models_version_change(m, &ask, n, body, why)
                               : models_deployment_do(m, &ask, n, (enum models_verb)noun, why);
    if (r->err && !r->why.text[0])
        printf("# refused without words\n"), tap_failed++;
    return r->err || buf.len == 0 ? NULL : parse(r, str_z(r->arena, buf_str(&buf)));
}

UNUSED_HERE static const struct json *ask(struct registry *r, enum how how, int noun,
                                          const char *name, const char *text)
{
    return ask_as(r, &r->system, how, noun, name, text);
}

/* Must work. */
UNUSED_HERE static const struct json *must(struct registry *r, enum how how, int noun,
                                           const char *name, const char *text)
{
    const struct json *json = ask(r, how, noun, name, text);
    CHECK_EQ(r->err, ERR_OK);
    if (r->err)
        printf("# %s %s: %s\n", name, text, r->why.text);
    return json;
}

UNUSED_HERE static const struct models_route *route_of(struct registry *r, const char *name)
{
    const struct models_route *route = NULL;
    struct why why = {0};
    CHECK_OK(models_resolve(r->models, STR(OPS_HOME), str_c(name), &route, &why), &why);
    return route;
}

UNUSED_HERE static struct str text_at(const struct json *json, const char *key)
{
    return json_get_str(json, key, STR("<none>"));
}

#endif
