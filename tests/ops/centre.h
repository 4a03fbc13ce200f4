/*
 * tests/ops/centre - a centre with its accounts for a test: a store of either engine, migrated,
 * bootstrapped.
 */
#ifndef TESTS_OPS_CENTRE_H
#define TESTS_OPS_CENTRE_H

#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/file.h"
#include "core/json.h"
#include "core/time.h"
#include "ledger/ledger.h"
#include "ops/ops.h"
#include "support/test_store.h"
#include "tap.h"

#define PASSWORD "Kestrel-Lantern-58"

struct centre {
    struct arena *arena;
    struct store *store;
    const struct conf *conf;
    struct ops *ops;
    struct str first; /* what bootstrap says */
    struct ops_identity sysadmin, secadmin, auditor;
};

/* The steps of a room above, set before the centre is opened. */
__attribute__((unused)) static const struct store_migration *centre_more;
__attribute__((unused)) static size_t centre_n_more;

/* sets: "ops.lockout=3", ... of the tables given. */
__attribute__((unused)) static bool centre_open_with(struct centre *c,
                                                     const struct conf_table *tables,
                                                     size_t n_tables, const char *const *sets,
                                                     size_t n_sets)
{
    struct why why = {0};
    *c = (struct centre){.store = test_store_fresh(TEST_ENGINE, 6, 20000)};
    if (!c->store)
        return false;
    c->arena = arena_new(64 << 20);
    CHECK_OK(conf_load(tables, n_tables, NULL, sets, n_sets, c->arena, &c->conf, &why), &why);
    struct store_migration steps[16];
    size_t n = 0;
    for (size_t i = 0; i < ledger_n_migrations; i++)
        steps[n++] = ledger_migrations[i];
    for (size_t i = 0; i < ops_n_migrations; i++)
        steps[n++] = ops_migrations[i];
    for (size_t i = 0; i < centre_n_more; i++)
        steps[n++] = centre_more[i];
    CHECK_OK(store_migrate(c->store, steps, n, false, NULL, &why), &why);
    CHECK_OK(ops_open(c->store, c->conf, &c->ops, &why), &why);
    CHECK_OK(ops_bootstrap(c->ops, c->arena, &c->first, &why), &why);
    return c->ops != NULL;
}

__attribute__((unused)) static struct ops_identity centre_user(struct centre *c, const char *name)
{
    struct ops_identity who = {0}, system = ops_system();
    struct ops_user user;
    struct why why = {0};
    CHECK_OK(ops_user_named(c->ops, &system, str_c(name), c->arena, &user, &why), &why);
    struct str actor = str_printf(c->arena, "user:%.*s", STR_FMT(user.id));
    CHECK_OK(ops_identity_of(c->ops, actor.ptr, c->arena, &who, &why), &why);
    return who;
}

__attribute__((unused)) static bool centre_open(struct centre *c, const char *const *sets,
                                                size_t n_sets)
{
    if (!centre_open_with(c, &ops_conf, 1, sets, n_sets))
        return false;
    c->sysadmin = centre_user(c, "sysadmin");
    c->secadmin = centre_user(c, "secadmin");
    c->auditor = centre_user(c, "auditor");
    return true;
}

__attribute__((unused)) static void centre_close(struct centre *c)
{
    ops_close(c->ops);
    test_store_done(c->store);
    arena_free(c->arena);
}

/* A user of `tenant` (NULL: home) with at most one role, made by the centre itself. */
__attribute__((unused)) static struct str centre_make(struct centre *c, const char *tenant,
                                                      const char *name, const char *role)
{
    struct ops_identity system = ops_system();
    struct str roles[1] = {str_c(role)}, id = STR_NONE;
    struct why why = {0};
    CHECK_OK(ops_user_create(c->ops, &system,
                             &(struct ops_user_form){.tenant = tenant ? tenant : OPS_HOME,
                                                     .name = str_c(name),
                                                     .password = STR(PASSWORD),
                                                     .roles = roles,
                                                     .n_roles = role[0] != '\0'},
                             c->arena, &id, NULL, &why),
             &why);
    return id;
}

/* Entries of the ledger with that action and result ("" : any). */
__attribute__((unused)) static size_t centre_acts(struct centre *c, const char *action,
                                                  const char *result)
{
    struct ledger_entry *items = NULL;
    size_t n = 0, hits = 0;
    struct why why = {0};
    CHECK_OK(ledger_list(c->store, &(struct ledger_filter){.action = action, .limit = 1000},
                         c->arena, &items, &n, &why),
             &why);
    for (size_t i = 0; i < n; i++)
        hits += !result[0] || str_eq_c(items[i].result, result);
    return hits;
}

#endif
