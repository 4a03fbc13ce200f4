/* The routes through a real server. */
#include "ops/door.h"

static bool hall_open(struct centre *c, struct door *d, const char *const *sets, size_t n)
{
    const struct conf_table tables[] = {ops_conf, http_conf};
    const char *all[16] = {"http.port=0", "http.access_log=false", "ops.signin_rate=100000"};
    for (size_t i = 0; i < n; i++)
        all[3 + i] = sets[i];
    if (!centre_open_with(c, tables, 2, all, 3 + n))
        return false;
    *d = door_open(c, ops_routes(c->ops), 1);
    return true;
}

#define HALL(c, d, ...)                                                                            \
    struct centre c;                                                                               \
    struct door d;                                                                                 \
    static const char *const c##_sets[] = {"ops.key_days=365", ##__VA_ARGS__};                     \
    if (!hall_open(&c, &d, c##_sets, sizeof c##_sets / sizeof c##_sets[0]))                        \
    SKIP(test_store_skip())

static void hall_close(struct centre *c, struct door *d)
{
    door_close(d);
    centre_close(c);
}

/* A user who need not change the password first. */
static char *ready(struct centre *c, const char *tenant, const char *name, const char *role)
{
    char *id = str_z(c->arena, centre_make(c, tenant, name, role));
    CHECK_OK(store_run(c->store, "UPDATE ops_users SET must_change = 0 WHERE id = ?",
                       STORE_ARGS(SV_C(id)), NULL, NULL),
             NULL);
    return id;
}

TEST(a_session_begins_carries_its_token_and_ends)
{
    HALL(c, d);
    (void)ready(&c, NULL, "liang", "reader");
    struct visitor v = visitor_of(&d, &c, NULL);
    CHECK_EQ(visit(&v, "GET", "/api/session", "").status, 401);
    struct answer a = sign_in_as(&v, "liang", STR("Wrong-Password-1"));
    CHECK_EQ(a.status, 401);
    CHECK(answer_header(&a, "Set-Cookie").ptr == NULL);
    a = sign_in_as(&v, "liang", STR(PASSWORD));
    CHECK_EQ(a.status, 200);
    struct str cookie = answer_header(&a, "Set-Cookie");
    CHECK(str_find(cookie, STR("HttpOnly")) != STR_NPOS);
    CHECK(str_find(cookie, STR("SameSite=Strict")) != STR_NPOS);
    const struct json *user = json_get(a.json, "user");
    CHECK_STR(json_get_str(user, "name", STR("")), "liang");
    CHECK_STR(json_str(json_at(json_get(user, "roles"), 0), STR("")), "reader");
    CHECK_EQ(json_len(json_get(user, "permissions")), 3);
    a = visit(&v, "GET", "/api/session", "");
    CHECK_EQ(a.status, 200);
    CHECK_STR(json_get_str(a.json, "csrf_token", STR("")), v.csrf);
    /* Without the token, or with another session's, nothing that changes state is done. */
    v.no_csrf = true;
    a = visit(&v, "DELETE", "/api/session", "");
    CHECK_EQ(a.status, 403);
    CHECK(str_find(detail_of(&a), STR("token")) != STR_NPOS);
    v.no_csrf = false;
    struct visitor other = visitor_of(&d, &c, "liang");
    char right[80];
    memcpy(right, v.csrf, sizeof right);
    memcpy(v.csrf, other.csrf, sizeof right);
    CHECK_EQ(visit(&v, "DELETE", "/api/session", "").status, 403);
    memcpy(v.csrf, right, sizeof right);
    a = visit(&v, "DELETE", "/api/session", "");
    CHECK_EQ(a.status, 204);
    CHECK(str_find(answer_header(&a, "Set-Cookie"), STR("Max-Age=0")) != STR_NPOS);
    CHECK_EQ(visit(&v, "GET", "/api/session", "").status, 401);
    CHECK_EQ(visit(&other, "GET", "/api/session", "").status, 200);
    hall_close(&c, &d);
}

TEST(a_first_password_opens_nothing_but_its_change)
{
    HALL(c, d);
    (void)centre_make(&c, NULL, "new", "system_admin");
    struct visitor v = visitor_of(&d, &c, "new"), second = visitor_of(&d, &c, "new");
    struct answer a = visit(&v, "GET", "/api/users", "");
    CHECK_EQ(a.status, 403);
    CHECK(str_find(detail_of(&a), STR("first password")) != STR_NPOS);
    CHECK_EQ(visit(&v, "GET", "/api/session", "").status, 200);
    CHECK_EQ(visit(&v, "GET", "/api/city", "").status, 200);
    CHECK_EQ(visit(&v, "POST", "/api/session/password",
                   "{\"old\":\"" PASSWORD "\",\"new\":\"password123\"}")
                 .status,
             400);
    CHECK_EQ(visit(&v, "POST", "/api/session/password",
                   "{\"old\":\"not this one\",\"new\":\"Copper-Harbour-31\"}")
                 .status,
             400);
    a = visit(&v, "POST", "/api/session/password",
              "{\"old\":\"" PASSWORD "\",\"new\":\"Copper-Harbour-31\"}");
    CHECK_EQ(a.status, 204);
    CHECK_EQ(visit(&v, "GET", "/api/session", "").status, 401);
    CHECK_EQ(visit(&second, "GET", "/api/session", "").status, 401);
    CHECK_EQ(sign_in_as(&v, "new", STR("Copper-Harbour-31")).status, 200);
    CHECK_EQ(visit(&v, "GET", "/api/users", "").status, 200);
    hall_close(&c, &d);
}

TEST(each_role_passes_the_doors_it_should_and_no_other)
{
    static const struct matrix_line lines[] = {
        {"POST", "/api/session", "*"},
        {"GET", "/api/session", EVERYBODY},
        {"DELETE", "/api/session", EVERYBODY},
        {"POST", "/api/session/password", EVERYBODY},
        {"GET", "/api/users", "SsT"},
        {"POST", "/api/users", "ST"},
        {"PATCH", "/api/users/{id}", "SsT"},
        {"POST", "/api/users/{id}/password_reset", "ST"},
        {"POST", "/api/users/{id}/unlock", "ST"},
        {"GET", "/api/roles", EVERYBODY},
        {"GET", "/api/departments", EVERYBODY},
        {"POST", "/api/departments", "ST"},
        {"PATCH", "/api/departments/{id}", "ST"},
        {"GET", "/api/tenants", EVERYBODY},
        {"POST", "/api/tenants", "S"},
        {"PATCH", "/api/tenants/{id}", "S"},
        {"GET", "/api/keys", "sTD"},
        {"POST", "/api/keys", "sTD"},
        {"DELETE", "/api/keys/{id}", "sTD"},
        {"GET", "/api/audit", "A"},
        {"GET", "/api/audit/check", "A"},
        {"GET", "/api/city", "*"},
    };
    HALL(c, d);
    check_matrix(&d, &c, ops_routes(c.ops), lines, sizeof lines / sizeof lines[0]);
    CHECK(centre_acts(&c, "http.ops.audit.read", "forbidden") >= 9);
    hall_close(&c, &d);
}

TEST(no_route_shows_or_changes_another_tenants_things)
{
    HALL(c, d);
    struct ops_identity system = ops_system();
    struct str tenant, department, out;
    struct ops_key key;
    CHECK_OK(ops_tenant_create(c.ops, &system, STR("water"), STR("水务"), c.arena, &tenant, NULL),
             NULL);
    char *victim = ready(&c, NULL, "victim", "developer");
    CHECK_OK(ops_department_put(c.ops, &system,
                                &(struct ops_department){.code = STR("hq"), .name = STR("总部")},
                                c.arena, &department, NULL),
             NULL);
    struct ops_identity dev = centre_user(&c, "victim");
    CHECK_OK(
        ops_key_create(c.ops, &dev,
                       &(struct ops_key_form){.name = STR("k"), .permissions = STR("eval.run")},
                       c.arena, &key, &out, NULL),
        NULL);
    (void)ready(&c, str_z(c.arena, tenant), "boss", "tenant_admin");
    struct visitor v = visitor_of(&d, &c, "boss@water");
    const struct {
        const char *method, *path, *body;
    } cases[] = {
        {"PATCH", str_printf(c.arena, "/api/users/%s", victim).ptr, "{\"disabled\":true}"},
        {"PATCH", str_printf(c.arena, "/api/users/%s", victim).ptr, "{\"roles\":[]}"},
        {"POST", str_printf(c.arena, "/api/users/%s/password_reset", victim).ptr, "{}"},
        {"POST", str_printf(c.arena, "/api/users/%s/unlock", victim).ptr, "{}"},
        {"PATCH", str_printf(c.arena, "/api/departments/%.*s", STR_FMT(department)).ptr,
         "{\"name\":\"x\"}"},
        {"DELETE", str_printf(c.arena, "/api/keys/%.*s", STR_FMT(key.id)).ptr, ""},
        {"GET", "/api/users?tenant=city", ""},
        {"POST", "/api/users", "{\"name\":\"spy\",\"tenant\":\"city\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int status = visit(&v, cases[i].method, cases[i].path, cases[i].body).status;
        CHECK_EQ(status, 404);
        if (status != 404)
            printf("# %s %s\n", cases[i].method, cases[i].path);
    }
    static const char *const lists[] = {"/api/users", "/api/departments", "/api/keys",
                                        "/api/tenants"};
    for (size_t i = 0; i < 4; i++) {
        struct answer a = visit(&v, "GET", lists[i], "");
        CHECK_EQ(a.status, 200);
        CHECK(str_find(a.body, str_c(victim)) == STR_NPOS);
        CHECK(str_find(a.body, department) == STR_NPOS);
        CHECK(str_find(a.body, key.id) == STR_NPOS);
        CHECK(str_find(a.body, STR("\"city\"")) == STR_NPOS);
    }
    hall_close(&c, &d);
}

TEST(users_are_made_granted_and_disabled_over_the_door)
{
    HALL(c, d);
    (void)ready(&c, NULL, "sys", "system_admin");
    (void)ready(&c, NULL, "sec", "security_admin");
    struct visitor sys = visitor_of(&d, &c, "sys"), sec = visitor_of(&d, &c, "sec");
    struct answer a =
        visit(&sys, "POST", "/api/users", "{\"name\":\"wang\",\"display_name\":\"王芳\"}");
    CHECK_EQ(a.status, 201);
    struct str password = json_get_str(a.json, "password", STR(""));
    CHECK_EQ(password.len, 20);
    char *path =
        (char *)str_printf(c.arena, "/api/users/%.*s", STR_FMT(json_get_str(a.json, "id", STR(""))))
            .ptr;
    CHECK_EQ(visit(&sys, "POST", "/api/users", "{\"name\":\"wang\"}").status, 409);
    CHECK_EQ(visit(&sys, "PATCH", path, "{\"roles\":[\"reader\"]}").status, 403);
    CHECK_EQ(visit(&sec, "PATCH", path, "{\"disabled\":true}").status, 403);
    CHECK_EQ(visit(&sec, "PATCH", path, "{\"roles\":[\"system_admin\",\"auditor\"]}").status, 409);
    CHECK_EQ(visit(&sec, "PATCH", path, "{\"roles\":[\"reader\",\"handler\"]}").status, 204);
    struct visitor wang = visitor_of(&d, &c, NULL);
    a = sign_in_as(&wang, "wang", password);
    CHECK_EQ(a.status, 200);
    CHECK(json_get_bool(json_get(a.json, "user"), "must_change_password", false));
    CHECK_EQ(visit(&sys, "PATCH", path, "{\"disabled\":true}").status, 204);
    CHECK_EQ(visit(&wang, "GET", "/api/session", "").status, 401);
    CHECK_EQ(sign_in_as(&wang, "wang", password).status, 401);
    a = visit(&sys, "GET", "/api/users?limit=1", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 1);
    a = visit(&sys, "GET",
              str_printf(c.arena, "/api/users?limit=100&after=%.*s",
                         STR_FMT(json_get_str(a.json, "next", STR(""))))
                  .ptr,
              "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 5);
    CHECK(json_get_str(a.json, "next", STR_NONE).ptr == NULL);
    hall_close(&c, &d);
}

TEST(keys_have_their_scope_and_their_limit)
{
    HALL(c, d);
    (void)ready(&c, NULL, "dev", "developer");
    struct visitor v = visitor_of(&d, &c, "dev");
    CHECK_EQ(
        visit(&v, "POST", "/api/keys", "{\"name\":\"k\",\"permissions\":[\"knowledge.write\"]}")
            .status,
        403);
    CHECK_EQ(visit(&v, "POST", "/api/keys",
                   "{\"name\":\"k\",\"permissions\":[\"eval.run\"],\"expires_at\":\"soon\"}")
                 .status,
             400);
    CHECK_EQ(visit(&v, "POST", "/api/keys",
                   "{\"name\":\"k\",\"permissions\":[\"eval.run\"],\"knowledge_bases\":[\"a b\"]}")
                 .status,
             400);
    struct answer a = visit(&v, "POST", "/api/keys",
                            "{\"name\":\"k\",\"permissions\":[\"eval.run\"],"
                            "\"knowledge_bases\":[\"policy\"],\"requests_per_minute\":6}");
    CHECK_EQ(a.status, 201);
    struct visitor k = {.door = &d, .arena = c.arena};
    (void)snprintf(k.key, sizeof k.key, "%.*s", STR_FMT(json_get_str(a.json, "key", STR(""))));
    struct str id = json_get_str(a.json, "id", STR(""));
    a = visit(&v, "GET", "/api/keys", "");
    CHECK(str_find(a.body, str_c(k.key)) == STR_NPOS); /* never again */
    CHECK(str_find(a.body, id) != STR_NPOS);
    CHECK_EQ(visit(&k, "GET", "/api/departments", "").status, 200);
    CHECK_EQ(visit(&k, "GET", "/api/keys", "").status, 403);
    CHECK_EQ(visit(&k, "POST", "/api/keys", "{}").status, 403);
    CHECK_EQ(visit(&k, "GET", "/api/session", "").status, 401);
    CHECK_EQ(visit(&k, "GET", "/api/roles", "").status, 200);
    CHECK_EQ(visit(&k, "GET", "/api/roles", "").status, 200);
    a = visit(&k, "GET", "/api/roles", "");
    CHECK_EQ(a.status, 429);
    int64_t seconds = 0;
    CHECK(str_to_i64(answer_header(&a, "Retry-After"), &seconds) && seconds >= 1 && seconds <= 60);
    CHECK(str_find(detail_of(&a), STR("API key")) != STR_NPOS);
    CHECK_STR(json_get_str(a.json, "code", STR("")), "rate_limited");
    CHECK_EQ(visit(&v, "DELETE", str_printf(c.arena, "/api/keys/%.*s", STR_FMT(id)).ptr, "").status,
             204);
    CHECK_EQ(visit(&k, "GET", "/api/roles", "").status, 401);
    (void)snprintf(k.key, sizeof k.key, "yc_aaaaaaaa_%043d", 7);
    CHECK_EQ(visit(&k, "GET", "/api/city", "").status, 401); /* a bad key is told so everywhere */
    hall_close(&c, &d);
}

TEST(users_and_addresses_have_limits_of_their_own)
{
    HALL(c, d, "ops.rate_user=5", "ops.rate_address=8");
    (void)ready(&c, NULL, "liang", "reader");
    (void)ready(&c, NULL, "zhou", "reader");
    struct visitor v = visitor_of(&d, &c, "liang"), other = visitor_of(&d, &c, "zhou");
    struct answer a = {0};
    for (int i = 0; i < 5; i++)
        CHECK_EQ(visit(&v, "GET", "/api/roles", "").status, 200);
    a = visit(&v, "GET", "/api/roles", "");
    CHECK_EQ(a.status, 429);
    CHECK(str_find(detail_of(&a), STR("this user")) != STR_NPOS);
    CHECK_EQ(visit(&other, "GET", "/api/roles", "").status, 200);
    struct visitor nobody = visitor_of(&d, &c, NULL);
    int passed = 0;
    for (int i = 0; i < 12; i++) {
        a = visit(&nobody, "GET", "/api/city", "");
        passed += a.status == 200;
    }
    CHECK_EQ(a.status, 429);
    CHECK(passed >= 6 && passed <= 8); /* two went into the sign-ins; one comes back in 7 s */
    CHECK(str_find(detail_of(&a), STR("address")) != STR_NPOS);
    CHECK(answer_header(&a, "Retry-After").len > 0);
    hall_close(&c, &d);
}

TEST(a_lock_says_how_long)
{
    HALL(c, d, "ops.lockout=2", "ops.lockout_time=90s");
    (void)ready(&c, NULL, "liang", "reader");
    struct visitor v = visitor_of(&d, &c, NULL);
    CHECK_EQ(sign_in_as(&v, "liang", STR("Wrong-Password-1")).status, 401);
    CHECK_EQ(sign_in_as(&v, "liang", STR("Wrong-Password-1")).status, 401);
    struct answer a = sign_in_as(&v, "liang", STR(PASSWORD));
    int64_t seconds = 0;
    CHECK_EQ(a.status, 429);
    CHECK(str_to_i64(answer_header(&a, "Retry-After"), &seconds) && seconds > 80 && seconds <= 90);
    hall_close(&c, &d);
}

TEST(hostile_bodies_and_headers_are_refused_in_words)
{
    HALL(c, d);
    (void)ready(&c, NULL, "sys", "system_admin");
    struct visitor v = visitor_of(&d, &c, "sys");
    char *big = malloc(1 << 20);
    memset(big, 'a', 1 << 20);
    struct str huge = str_printf(c.arena, "{\"name\":\"%.*s\"}", 1000000, big);
    const struct {
        struct str body;
        const char *type;
        int status;
    } cases[] = {
        {STR("{\"name\":"), NULL, 400},
        {STR("[]"), NULL, 400},
        {STR("\"wang\""), NULL, 400},
        {STR("{\"name\":5}"), NULL, 400},
        {STR("{\"name\":\"wang\",\"roles\":\"reader\"}"), NULL, 400},
        {STR("{\"name\":\"wang\",\"roles\":[5]}"), NULL, 400},
        {STR("{\"name\":\"a'; DROP TABLE ops_users; --\"}"), NULL, 400},
        {STR("{\"name\":\"\xff\xfe\"}"), NULL, 400},
        {STR("{\"name\":\"wang\\u0000x\"}"), NULL, 400},
        {STR("{\"name\":\"wang\",\"department_id\":\"' OR 1=1\"}"), NULL, 400},
        {STR("{\"name\":\"wang\"}"), "text/plain", 415},
        {huge, NULL, 413},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answer a = visit_as(&v, "POST", "/api/users", cases[i].body, cases[i].type);
        CHECK_EQ(a.status, cases[i].status);
        if (a.status != cases[i].status)
            printf("# case %zu: %.*s\n", i, STR_FMT(str_slice(a.body, 0, 300)));
        CHECK(detail_of(&a).len > 0);
    }
    struct answer a = visit(&v, "PATCH", "/api/users/%27%20OR%20%271%27=%271", "{}");
    CHECK_EQ(a.status, 404);
    a = visit(&v, "POST", "/api/users",
              "{\"name\":\"wang\",\"display_name\":\"'); DROP TABLE x;--\"}");
    CHECK_EQ(a.status, 201);
    struct visitor bad = {.door = &d, .arena = c.arena};
    (void)snprintf(bad.cookie, sizeof bad.cookie, "yicheng_session=%.43s", big);
    CHECK_EQ(visit(&bad, "GET", "/api/session", "").status, 401);
    CHECK_EQ(visit(&bad, "GET", "/api/city", "").status, 200);
    (void)snprintf(bad.cookie, sizeof bad.cookie, "yicheng_session=' OR 1=1");
    CHECK_EQ(visit(&bad, "GET", "/api/session", "").status, 401);
    a = visit(&bad, "POST", "/api/session",
              "{\"name\":\"' OR '1'='1\",\"password\":\"' OR '1'='1\"}");
    CHECK_EQ(a.status, 401);
    CHECK_EQ(visit(&v, "GET", "/api/users", "").status, 200); /* the table is still there */
    free(big);
    hall_close(&c, &d);
}

TEST(the_auditor_reads_what_was_done_by_name_and_day)
{
    HALL(c, d);
    (void)ready(&c, NULL, "aud", "auditor");
    (void)ready(&c, NULL, "sys", "system_admin");
    struct visitor sys = visitor_of(&d, &c, "sys"), aud = visitor_of(&d, &c, "aud");
    CHECK_EQ(visit(&sys, "POST", "/api/users", "{\"name\":\"wang\"}").status, 201);
    struct answer a = visit(&aud, "GET", "/api/audit?actor=sys&action=ops.user.*", "");
    CHECK_EQ(a.status, 200);
    const struct json *entry = json_at(json_get(a.json, "items"), 0);
    CHECK_EQ(json_len(json_get(a.json, "items")), 1);
    CHECK_STR(json_get_str(entry, "action", STR("")), "ops.user.create");
    CHECK_STR(json_get_str(entry, "actor_name", STR("")), "sys");
    CHECK_STR(json_get_str(entry, "result", STR("")), "ok");
    CHECK_STR(json_get_str(json_get(entry, "detail"), "name", STR("")), "wang");
    CHECK(json_get_str(entry, "address", STR("")).len > 0);
    CHECK_EQ(json_get_str(entry, "trace", STR("")).len, 32);
    CHECK_EQ(json_len(json_get(visit(&aud, "GET", "/api/audit?to=2020-01-01", "").json, "items")),
             0);
    CHECK_EQ(visit(&aud, "GET", "/api/audit?from=yesterday", "").status, 400);
    a = visit(&aud, "GET", "/api/audit?limit=2", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 2);
    CHECK(json_get_str(a.json, "next", STR("")).len > 0);
    a = visit(&aud, "GET", "/api/audit/check", "");
    CHECK_EQ(json_get_int(a.json, "first_bad", -1), 0);
    CHECK(json_get_int(a.json, "n_entries", 0) > 5);
    CHECK_EQ(json_get_str(a.json, "head_sha256", STR("")).len, 64);
    hall_close(&c, &d);
}

TESTS_MAIN()
