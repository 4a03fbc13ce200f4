#include "ops/centre.h"

#include <pthread.h>

#include "core/utf8.h"

static enum err set_roles(struct centre *c, const struct ops_identity *who, struct str id,
                          const char *a, const char *b, struct why *why)
{
    struct str roles[2] = {str_c(a), str_c(b)};
    struct ops_user_change change = {
        .roles = roles, .n_roles = (a[0] != 0) + (b[0] != 0), .set_roles = true};
    return ops_user_change(c->ops, who, str_z(c->arena, id), &change, why);
}

static enum err set_disabled(struct centre *c, const struct ops_identity *who, struct str id,
                             bool disabled, struct why *why)
{
    struct ops_user_change change = {.disabled = &disabled};
    return ops_user_change(c->ops, who, str_z(c->arena, id), &change, why);
}

static enum err create(struct centre *c, const struct ops_identity *who, const char *tenant,
                       struct str name, struct str *id, struct why *why)
{
    return ops_user_create(c->ops, who, &(struct ops_user_form){.tenant = tenant, .name = name},
                           c->arena, id, NULL, why);
}

TEST(the_first_start_makes_three_administrators_once)
{
    struct centre c;
    struct str again;
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    CHECK(str_find(c.first, STR("sysadmin")) != STR_NPOS);
    CHECK(str_find(c.first, STR("secadmin")) != STR_NPOS);
    CHECK(str_find(c.first, STR("auditor")) != STR_NPOS);
    CHECK_OK(ops_bootstrap(c.ops, c.arena, &again, NULL), NULL);
    CHECK_EQ(again.len, 0);
    CHECK_EQ(centre_acts(&c, "ops.centre.create", "ok"), 1);
    CHECK(ops_may(&c.sysadmin, "ops.user.manage") && !ops_may(&c.sysadmin, "ops.audit.read") &&
          !ops_may(&c.sysadmin, "ops.role.grant"));
    CHECK(ops_may(&c.secadmin, "ops.role.grant") && !ops_may(&c.secadmin, "ops.audit.read") &&
          !ops_may(&c.secadmin, "ops.user.manage"));
    CHECK(ops_may(&c.auditor, "ops.audit.read") && !ops_may(&c.auditor, "ops.user.manage") &&
          !ops_may(&c.auditor, "ops.role.grant") && !ops_may(&c.auditor, "knowledge.read"));
    centre_close(&c);
}

TEST(the_auditor_alone_reads_the_ledger_and_nothing_else)
{
    uint64_t audit = ops_permission_bit(STR("ops.audit.read"));
    uint64_t every = ops_permission_bit(STR("ops.every_tenant"));
    for (size_t i = 0; ops_role(i); i++) {
        const struct ops_role *role = ops_role(i);
        CHECK_EQ((role->permissions & audit) != 0, strcmp(role->name, "auditor") == 0);
        if (strcmp(role->name, "auditor") == 0)
            CHECK_EQ(role->permissions, audit | every);
    }
}

TEST(nobody_holds_two_of_the_three)
{
    static const char *const three[] = {"system_admin", "security_admin", "auditor"};
    struct centre c;
    struct why why = {0};
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    struct str id = centre_make(&c, NULL, "zhou", "");
    for (int a = 0; a < 3; a++) {
        for (int b = 0; b < 3; b++) {
            why = (struct why){0};
            if (a != b)
                CHECK_EQ(set_roles(&c, &c.secadmin, id, three[a], three[b], &why), ERR_CONFLICT);
        }
        why = (struct why){0};
        CHECK_EQ(set_roles(&c, &c.secadmin, id, three[a], "reader", &why), ERR_CONFLICT);
        CHECK_EQ(set_roles(&c, &c.secadmin, id, "reader", three[a], &why), ERR_CONFLICT);
        CHECK(why.text[0] != '\0');
    }
    /* Nor in a form, nor one added to the one that is held. */
    struct ops_identity system = ops_system();
    struct str both[2] = {STR("system_admin"), STR("auditor")};
    CHECK_EQ(
        ops_user_create(c.ops, &system,
                        &(struct ops_user_form){.name = STR("wu"), .roles = both, .n_roles = 2},
                        c.arena, &id, NULL, NULL),
        ERR_CONFLICT);
    CHECK_OK(set_roles(&c, &c.secadmin, centre_user(&c, "zhou").id, "reader", "handler", NULL),
             NULL);
    CHECK_EQ(set_roles(&c, &c.secadmin, centre_user(&c, "zhou").id, "reader", "reader", NULL),
             ERR_INVALID);
    CHECK_EQ(set_roles(&c, &c.secadmin, centre_user(&c, "zhou").id, "emperor", "", NULL),
             ERR_INVALID);
    centre_close(&c);
}

TEST(nobody_grants_roles_to_himself_and_the_separation_holds)
{
    struct centre c;
    struct why why = {0};
    struct str id, ids[1] = {STR("reader")};
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    CHECK_EQ(set_roles(&c, &c.secadmin, c.secadmin.id, "auditor", "", &why), ERR_FORBIDDEN);
    CHECK_STR(str_c(why.text), "nobody grants roles to himself");
    /* The system administrator makes users, but without roles. */
    CHECK_OK(create(&c, &c.sysadmin, NULL, STR("liang"), &id, NULL), NULL);
    CHECK_EQ(
        ops_user_create(c.ops, &c.sysadmin,
                        &(struct ops_user_form){.name = STR("other"), .roles = ids, .n_roles = 1},
                        c.arena, &id, NULL, NULL),
        ERR_FORBIDDEN);
    id = centre_user(&c, "liang").id;
    CHECK_EQ(set_roles(&c, &c.sysadmin, id, "reader", "", NULL), ERR_FORBIDDEN);
    CHECK_EQ(create(&c, &c.secadmin, NULL, STR("another"), &id, NULL), ERR_FORBIDDEN);
    id = centre_user(&c, "liang").id;
    CHECK_OK(set_roles(&c, &c.secadmin, id, "reader", "", NULL), NULL);
    CHECK_EQ(set_disabled(&c, &c.secadmin, id, true, NULL), ERR_FORBIDDEN);
    CHECK_EQ(set_roles(&c, &c.auditor, id, "steward", "", NULL), ERR_FORBIDDEN);
    CHECK_EQ(set_disabled(&c, &c.auditor, id, true, NULL), ERR_FORBIDDEN);
    CHECK_EQ(set_disabled(&c, &c.sysadmin, c.sysadmin.id, true, NULL), ERR_FORBIDDEN);
    /* Refusals are in the ledger. */
    CHECK(centre_acts(&c, "ops.user.grant", "forbidden") >= 3);
    CHECK(centre_acts(&c, "ops.user.create", "forbidden") >= 2);
    CHECK_EQ(centre_acts(&c, "ops.user.grant", "ok"), 1);
    centre_close(&c);
}

TEST(of_each_administrator_the_last_active_one_stays)
{
    struct centre c;
    struct why why = {0};
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    struct ops_identity system = ops_system();
    CHECK_EQ(set_disabled(&c, &c.sysadmin, c.secadmin.id, true, &why), ERR_CONFLICT);
    CHECK(strstr(why.text, "last active") != NULL);
    CHECK_EQ(set_disabled(&c, &c.sysadmin, c.auditor.id, true, NULL), ERR_CONFLICT);
    CHECK_EQ(set_disabled(&c, &system, c.sysadmin.id, true, NULL), ERR_CONFLICT);
    CHECK_EQ(set_roles(&c, &c.secadmin, c.auditor.id, "reader", "", NULL), ERR_CONFLICT);
    CHECK_EQ(set_roles(&c, &system, c.secadmin.id, "", "", NULL), ERR_CONFLICT);
    struct str second = centre_make(&c, NULL, "second", "security_admin");
    CHECK_OK(set_disabled(&c, &c.sysadmin, second, true, NULL), NULL);
    CHECK_EQ(set_disabled(&c, &c.sysadmin, c.secadmin.id, true, NULL), ERR_CONFLICT);
    CHECK_OK(set_disabled(&c, &c.sysadmin, second, false, NULL), NULL);
    CHECK_OK(set_disabled(&c, &c.sysadmin, c.secadmin.id, true, NULL), NULL);
    CHECK_EQ(set_disabled(&c, &c.sysadmin, second, true, NULL), ERR_CONFLICT);
    centre_close(&c);
}

struct race {
    struct centre *c;
    struct str target;
    enum err err;
};

static void *disable_thread(void *arg)
{
    struct race *race = arg;
    struct ops_identity system = ops_system();
    bool yes = true;
    char id[UUID_TEXT];
    (void)snprintf(id, sizeof id, "%.*s", STR_FMT(race->target));
    race->err = ops_user_change(race->c->ops, &system, id,
                                &(struct ops_user_change){.disabled = &yes}, NULL);
    return NULL;
}

TEST(two_at_once_do_not_disable_the_last_two)
{
    struct centre c;
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    struct str second = centre_make(&c, NULL, "second", "security_admin");
    struct race races[2] = {{&c, c.secadmin.id, 0}, {&c, second, 0}};
    pthread_t ids[2];
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&ids[i], NULL, disable_thread, &races[i]), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(ids[i], NULL);
    CHECK_EQ((races[0].err == ERR_OK) + (races[1].err == ERR_OK), 1);
    centre_close(&c);
}

TEST(an_administrators_password_is_reset_on_the_machine_only)
{
    struct centre c;
    struct str password;
    struct why why = {0};
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    struct ops_identity system = ops_system();
    char *secadmin = str_z(c.arena, c.secadmin.id);
    CHECK_EQ(ops_user_reset(c.ops, &c.sysadmin, secadmin, c.arena, &password, &why), ERR_FORBIDDEN);
    CHECK(strstr(why.hint, "command") || strstr(why.hint, "machine"));
    CHECK_EQ(ops_user_reset(c.ops, &c.secadmin, secadmin, c.arena, &password, NULL), ERR_FORBIDDEN);
    CHECK_OK(ops_user_reset(c.ops, &system, secadmin, c.arena, &password, NULL), NULL);
    CHECK_EQ(password.len, 20);
    struct str id = centre_make(&c, NULL, "liang", "reader");
    CHECK_OK(ops_user_reset(c.ops, &c.sysadmin, str_z(c.arena, id), c.arena, &password, &why),
             &why);
    struct ops_session session;
    CHECK_EQ(ops_sign_in(c.ops, STR("liang"), STR(PASSWORD), STR("::1"), STR(""), STR(""), c.arena,
                         &session, NULL),
             ERR_UNAUTHENTICATED);
    CHECK_OK(ops_sign_in(c.ops, STR("liang"), password, STR("::1"), STR(""), STR(""), c.arena,
                         &session, &why),
             &why);
    CHECK(session.must_change);
    centre_close(&c);
}

TEST(tenants_do_not_see_each_other)
{
    struct centre c;
    struct str tenant, other, id, password;
    struct ops_user user, *users;
    struct ops_department *departments;
    struct ops_tenant *tenants;
    size_t n;
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    CHECK_OK(ops_tenant_create(c.ops, &c.sysadmin, STR("water"), STR("水务集团"), c.arena, &tenant,
                               NULL),
             NULL);
    CHECK_OK(
        ops_tenant_create(c.ops, &c.sysadmin, STR("bus"), STR("公交集团"), c.arena, &other, NULL),
        NULL);
    char *water = str_z(c.arena, tenant), *bus = str_z(c.arena, other);
    CHECK_EQ(ops_tenant_create(c.ops, &c.secadmin, STR("x1"), STR("X"), c.arena, &id, NULL),
             ERR_FORBIDDEN);
    CHECK_EQ(ops_tenant_create(c.ops, &c.sysadmin, STR("bus"), STR("X"), c.arena, &id, NULL),
             ERR_CONFLICT);
    (void)centre_make(&c, water, "admin", "tenant_admin");
    struct str theirs = centre_make(&c, bus, "admin", "tenant_admin"); /* one name, two tenants */
    struct ops_identity admin = centre_user(&c, "admin@water");
    CHECK_STR(admin.tenant, water);
    char *them = str_z(c.arena, theirs);
    bool yes = true;
    /* Not "forbidden": there is no such thing as far as this tenant can tell. */
    CHECK_EQ(ops_user_find(c.ops, &admin, them, c.arena, &user, NULL), ERR_NOT_FOUND);
    CHECK_EQ(
        ops_user_change(c.ops, &admin, them, &(struct ops_user_change){.disabled = &yes}, NULL),
        ERR_NOT_FOUND);
    CHECK_EQ(set_roles(&c, &admin, theirs, "reader", "", NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_user_reset(c.ops, &admin, them, c.arena, &password, NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_user_unlock(c.ops, &admin, them, NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_user_named(c.ops, &admin, STR("admin@bus"), c.arena, &user, NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_user_list(c.ops, &admin, bus, "", 10, c.arena, &users, &n, NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_user_list(c.ops, &admin, OPS_HOME, "", 10, c.arena, &users, &n, NULL),
             ERR_NOT_FOUND);
    CHECK_EQ(create(&c, &admin, bus, STR("spy"), &id, NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_tenant_change(c.ops, &admin, bus, NULL, &yes, NULL), ERR_FORBIDDEN);
    CHECK_OK(ops_user_list(c.ops, &admin, NULL, "", 10, c.arena, &users, &n, NULL), NULL);
    CHECK_EQ(n, 1);
    CHECK_OK(ops_tenant_list(c.ops, &admin, c.arena, &tenants, &n, NULL), NULL);
    CHECK_EQ(n, 1);
    /* Departments: another tenant's neither shows nor can be used or changed. */
    struct ops_department d = {.code = STR("hq"), .name = STR("总部")};
    CHECK_OK(ops_department_put(c.ops, &c.sysadmin, &d, c.arena, &id, NULL), NULL);
    CHECK_OK(ops_department_list(c.ops, &admin, c.arena, &departments, &n, NULL), NULL);
    CHECK_EQ(n, 0);
    d = (struct ops_department){.id = id, .name = STR("偷改")};
    struct str out;
    CHECK_EQ(ops_department_put(c.ops, &admin, &d, c.arena, &out, NULL), ERR_NOT_FOUND);
    CHECK_EQ(ops_user_change(c.ops, &admin, str_z(c.arena, admin.id),
                             &(struct ops_user_change){.department = &id}, NULL),
             ERR_INVALID);
    /* In his own tenant he does his work, but makes no second of his kind and no administrator. */
    CHECK_OK(create(&c, &admin, NULL, STR("clerk"), &id, NULL), NULL);
    CHECK_OK(set_roles(&c, &admin, id, "steward", "reader", NULL), NULL);
    CHECK_EQ(set_roles(&c, &admin, id, "tenant_admin", "", NULL), ERR_FORBIDDEN);
    CHECK_EQ(set_roles(&c, &admin, id, "auditor", "", NULL), ERR_CONFLICT); /* home tenant only */
    CHECK_OK(set_disabled(&c, &admin, id, true, NULL), NULL);
    centre_close(&c);
}

TEST(a_tenants_administrator_at_home_does_not_touch_the_three)
{
    struct centre c;
    struct str password;
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    (void)centre_make(&c, NULL, "bureau", "tenant_admin");
    struct ops_identity admin = centre_user(&c, "bureau");
    char *secadmin = str_z(c.arena, c.secadmin.id);
    CHECK_EQ(set_disabled(&c, &admin, c.secadmin.id, true, NULL), ERR_FORBIDDEN);
    CHECK_EQ(ops_user_reset(c.ops, &admin, secadmin, c.arena, &password, NULL), ERR_FORBIDDEN);
    CHECK_EQ(ops_user_unlock(c.ops, &admin, secadmin, NULL), ERR_FORBIDDEN);
    CHECK_EQ(set_roles(&c, &admin, c.auditor.id, "reader", "", NULL), ERR_FORBIDDEN);
    CHECK_EQ(set_roles(&c, &admin, admin.id, "steward", "", NULL), ERR_FORBIDDEN);
    centre_close(&c);
}

TEST(hostile_names_are_text_or_refused)
{
    struct centre c;
    struct why why = {0};
    struct str id;
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    char *big = malloc(1 << 20);
    memset(big, 'a', 1 << 20);
    const struct str names[] = {STR("a'; DROP TABLE ops_users; --"),
                                STR("a\" OR 1=1"),
                                STR("x"),
                                STR(""),
                                STR("a b"),
                                STR("a@city"),
                                STR("\xff\xfe"),
                                STR("ab\0cd"),
                                STR("ab\ncd"),
                                STR("-ab"),
                                STR("UPPER"),
                                STR("\xe2\x80\xae"
                                    "abc"), /* right-to-left override */
                                (struct str){big, 1 << 20}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        why = (struct why){0};
        CHECK_EQ(create(&c, &c.sysadmin, NULL, names[i], &id, &why), ERR_INVALID);
        CHECK(why.text[0] != '\0' && utf8_invalid(str_c(why.text)) == STR_NPOS);
    }
    const struct str displays[] = {STR("\xff"), STR("a\nb"), (struct str){big, 1 << 20}};
    for (size_t i = 0; i < sizeof displays / sizeof displays[0]; i++)
        CHECK_EQ(ops_user_create(
                     c.ops, &c.sysadmin,
                     &(struct ops_user_form){.name = STR("okay"), .display_name = displays[i]},
                     c.arena, &id, NULL, NULL),
                 ERR_INVALID);
    struct str nasty = STR("Robert'); DROP TABLE ops_users;-- %s \\ \"");
    CHECK_OK(ops_user_create(c.ops, &c.sysadmin,
                             &(struct ops_user_form){.name = STR("王小明"), .display_name = nasty},
                             c.arena, &id, NULL, &why),
             &why);
    struct ops_user user;
    CHECK_OK(ops_user_find(c.ops, &c.sysadmin, str_z(c.arena, id), c.arena, &user, NULL), NULL);
    CHECK_STR(user.display_name, nasty.ptr);
    CHECK_STR(user.name, "王小明");
    CHECK_EQ(ops_user_find(c.ops, &c.sysadmin, "' OR '1'='1", c.arena, &user, NULL), ERR_NOT_FOUND);
    CHECK_EQ(create(&c, &c.sysadmin, NULL, STR("王小明"), &id, NULL), ERR_CONFLICT);
    free(big);
    struct ledger_report report;
    CHECK_OK(ledger_check(c.store, NULL, &report, &why), &why);
    CHECK_EQ(report.first_bad, 0);
    centre_close(&c);
}

TEST(lists_go_on_behind_a_cursor)
{
    struct centre c;
    struct ops_user *users;
    size_t n, seen = 0;
    char after[UUID_TEXT] = "";
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    (void)centre_make(&c, NULL, "one", "reader");
    (void)centre_make(&c, NULL, "two", "reader");
    do {
        CHECK_OK(ops_user_list(c.ops, &c.sysadmin, NULL, after, 2, c.arena, &users, &n, NULL),
                 NULL);
        seen += n;
        if (n)
            (void)snprintf(after, sizeof after, "%.*s", STR_FMT(users[n - 1].id));
    } while (n);
    CHECK_EQ(seen, 5);
    CHECK_EQ(ops_user_list(c.ops, &c.sysadmin, NULL, "", 0, c.arena, &users, &n, NULL),
             ERR_INVALID);
    CHECK_EQ(ops_user_list(c.ops, &c.sysadmin, NULL, "", 1001, c.arena, &users, &n, NULL),
             ERR_INVALID);
    centre_close(&c);
}

TEST(a_flood_of_refusals_is_counted_and_not_written)
{
    struct centre c;
    if (!centre_open(&c, NULL, 0))
        SKIP(test_store_skip());
    for (int i = 0; i < 500; i++)
        ops_audit_refusal(c.ops, &c.auditor, "ops.user.create", "", ERR_FORBIDDEN);
    CHECK_EQ(centre_acts(&c, "ops.user.create", "forbidden"), 3);
    for (int i = 0; i < 500; i++) { /* from ever new addresses */
        struct ops_identity who = ops_public(OPS_HOME);
        who.address = str_printf(c.arena, "10.0.%d.%d", i / 250, i % 250);
        ops_audit_refusal(c.ops, &who, "knowledge.read", "", ERR_FORBIDDEN);
    }
    CHECK(centre_acts(&c, "knowledge.read", "forbidden") <= 120);
    centre_close(&c);
}

TEST(the_city_is_loaded_once_and_demo_users_only_on_demand)
{
    static const char *const demo[] = {"ops.demo=true"};
    struct why why = {0};
    for (int with = 0; with < 2; with++) {
        struct centre c;
        struct str text, said, json, id;
        struct ops_user *users;
        struct ops_department *departments;
        size_t n, n_departments;
        if (!centre_open(&c, demo, (size_t)with))
            SKIP(test_store_skip());
        CHECK_OK(file_read(YICHENG_SOURCE_ROOT "/sample/city.json", 1 << 20, c.arena, &text, &why),
                 &why);
        for (int twice = 0; twice < 2; twice++)
            CHECK_OK(ops_load_city(c.ops, text, c.arena, &said, &why), &why);
        CHECK_OK(
            ops_department_list(c.ops, &c.sysadmin, c.arena, &departments, &n_departments, NULL),
            NULL);
        CHECK(n_departments >= 25);
        CHECK_OK(ops_user_list(c.ops, &c.sysadmin, NULL, "", 100, c.arena, &users, &n, NULL), NULL);
        CHECK_EQ(n > 3, with);
        CHECK_EQ(said.len > 0, with);
        CHECK_OK(ops_city(c.ops, c.arena, &json, &why), &why);
        CHECK(str_find(json, STR("云汀市")) != STR_NPOS);
        CHECK(str_find(json, STR("zhoumin")) == STR_NPOS);
        CHECK_OK(ops_department_find(c.ops, OPS_HOME, STR("市民政局"), c.arena, &id, &why), &why);
        struct ops_session session;
        if (with) {
            CHECK_OK(ops_sign_in(c.ops, STR("zhoumin"), STR("Kan-Yun-Ting-2026"), STR("::1"),
                                 STR(""), STR(""), c.arena, &session, &why),
                     &why);
            CHECK(ops_may(&session.who, "knowledge.write") && !session.must_change);
            /* The same data without ops.demo: nobody signs in with a documented password. */
            ops_close(c.ops);
            CHECK_OK(conf_load(&ops_conf, 1, NULL, NULL, 0, c.arena, &c.conf, NULL), NULL);
            CHECK_OK(ops_open(c.store, c.conf, &c.ops, NULL), NULL);
            CHECK_EQ(ops_session_of(c.ops, str_c(session.token), c.arena, &session, NULL),
                     ERR_UNAUTHENTICATED);
            CHECK_EQ(ops_sign_in(c.ops, STR("zhoumin"), STR("Kan-Yun-Ting-2026"), STR("::1"),
                                 STR(""), STR(""), c.arena, &session, NULL),
                     ERR_UNAUTHENTICATED);
        }
        centre_close(&c);
    }
}

TEST(the_matrix_lists_every_role_and_permission)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    struct why why = {0};
    buf_init(&buf, arena);
    CHECK_OK(ops_matrix(&buf, &why), &why);
    for (size_t i = 0; ops_role(i); i++)
        CHECK(str_find(buf_str(&buf), str_c(ops_role(i)->name)) != STR_NPOS);
    for (size_t i = 0; ops_permission(i); i++) {
        CHECK(str_find(buf_str(&buf), str_c(ops_permission(i)->name)) != STR_NPOS);
        CHECK_EQ(ops_permission_bit(str_c(ops_permission(i)->name)), (uint64_t)1 << i);
    }
    struct str docs;
    CHECK_OK(file_read(YICHENG_SOURCE_ROOT "/docs/permissions.md", 1 << 20, arena, &docs, &why),
             &why);
    CHECK(str_eq(str_trim(docs), str_trim(buf_str(&buf))));
    arena_free(arena);
}

TESTS_MAIN()
