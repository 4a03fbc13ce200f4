/* The routes of the registry through a real server. */
#include "core/file.h"
#include "engine/engine.h"
#include "models/registry.h"
#include "ops/door.h"

#define FAKE YICHENG_BUILD_ROOT "/tests/models/fake_engine"
#define SOON 20000

struct scene {
    struct registry r;
    struct door d;
    struct visitor v; /* the system administrator */
    struct http_table tables[2];
};

static bool scene_open(struct scene *s, const char *const *sets, size_t n_sets)
{
    if (!registry_open_with(&s->r, FAKE, sets, n_sets))
        return false;
    compute_bind(s->r.compute, &models_import_job, s->r.models);
    compute_bind(s->r.compute, &models_verify_job, s->r.models);
    s->tables[0] = *models_routes(s->r.models);
    s->tables[1] = *ops_routes(s->r.c.ops);
    s->d = door_open(&s->r.c, s->tables, 2);
    (void)centre_make(&s->r.c, NULL, "sys", "system_admin");
    CHECK_OK(
        store_run(s->r.c.store, "UPDATE ops_users SET must_change = 0", STORE_NO_ARGS, NULL, NULL),
        NULL);
    s->v = visitor_of(&s->d, &s->r.c, "sys");
    return true;
}
#define SCENE(s, ...)                                                                              \
    static const char *const sets_[] = {__VA_ARGS__};                                              \
    struct scene s;                                                                                \
    if (!scene_open(&s, sets_, sizeof sets_ / sizeof sets_[0]))                                    \
    SKIP(test_store_skip())

static void scene_close(struct scene *s)
{
    door_close(&s->d);
    registry_close(&s->r);
}

static struct answer at(struct scene *s, int status, const char *method, const char *path,
                        const char *body)
{
    struct answer a = visit(&s->v, method, path, body);
    CHECK_EQ(a.status, status);
    if (a.status != status)
        printf("# %s %s: %.*s\n", method, path, STR_FMT(a.body));
    return a;
}

TEST(each_role_passes_the_doors_it_should_and_no_other)
{
    static const char reads[] = "STDW", manages[] = "S";
    static struct matrix_line lines[64];
    SCENE(s, "models.threads=1");
    const struct http_table *table = &s.tables[0];
    for (size_t i = 0; i < table->n; i++) {
        const struct http_route *route = &table->routes[i];
        bool public = route->access == HTTP_PUBLIC;
        bool get = strcmp(route->method, "GET") == 0 && !strstr(route->path, "model_files");
        lines[i] = (struct matrix_line){route->method, route->path,
                                        public ? "*"
                                        : get  ? reads
                                               : manages};
        CHECK(!public || strstr(route->path, "/api/edges/"));
    }
    /* Who has no account comes past the door of the three public ones, and is told there that his
     * token opens nothing: the same status, so they are looked at apart. */
    struct http_table closed = *table;
    struct http_route kept[64];
    closed.n = 0;
    for (size_t i = 0; i < table->n; i++)
        if (table->routes[i].access != HTTP_PUBLIC)
            kept[closed.n++] = table->routes[i];
    closed.routes = kept;
    check_matrix(&s.d, &s.r.c, &closed, lines, table->n);
    struct visitor nobody = {.door = &s.d, .arena = s.r.arena};
    CHECK_EQ(visit(&nobody, "POST", "/api/edges/heartbeat", "{}").status, 401);
    CHECK_EQ(visit(&nobody, "POST", "/api/edges/leave", "{}").status, 401);
    CHECK_EQ(visit(&nobody, "POST", "/api/edges/register", "{}").status, 401);
    scene_close(&s);
}

static struct answer patch_if(struct scene *s, const char *path, const char *tag, const char *body)
{
    struct visitor v = s->v;
    (void)snprintf(v.cookie, sizeof v.cookie, "%.90s\r\nIf-Match: %.10s", s->v.cookie, tag);
    return visit(&v, "PATCH", path, body);
}

TEST(an_alias_lives_over_the_door)
{
    SCENE(s, "models.threads=1");
    (void)at(&s, 201, "POST", "/api/endpoints",
             "{\"name\":\"a\",\"model\":\"m\",\"base_url\":\"http://a.example\",\"api_key\":"
             "\"sk-very-secret-0001\"}");
    struct answer a = at(&s, 201, "POST", "/api/aliases",
                         "{\"name\":\"city-chat\",\"targets\":[{\"model\":\"m\"}]}");
    CHECK_STR(answer_header(&a, "ETag"), "\"1\"");
    a = patch_if(&s, "/api/aliases/city-chat", "\"1\"", "{\"title\":\"助手\"}");
    CHECK_EQ(a.status, 200);
    CHECK_STR(answer_header(&a, "ETag"), "\"2\"");
    a = patch_if(&s, "/api/aliases/city-chat", "\"1\"", "{\"title\":\"x\"}");
    CHECK_EQ(a.status, 412);
    a = at(&s, 200, "POST", "/api/aliases/city-chat/rollback", "{}");
    CHECK(json_get(json_get(a.json, "policy"), "title") == NULL);
    a = at(&s, 200, "GET", "/api/aliases/city-chat/history", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 3);
    CHECK_STR(text_at(json_at(json_get(a.json, "items"), 0), "actor_name"), "sys");
    a = at(&s, 200, "GET", "/api/model_routes", "");
    CHECK_STR(text_at(json_at(json_get(a.json, "items"), 0), "name"), "city-chat");
    CHECK(str_find(a.body, STR("secret")) == STR_NPOS);
    a = at(&s, 200, "GET", "/api/endpoints/a", "");
    CHECK(str_find(a.body, STR("very")) == STR_NPOS);
    a = at(&s, 409, "POST", "/api/models/m/retire", "{}");
    CHECK(str_find(detail_of(&a), STR("city-chat")) != STR_NPOS);
    (void)at(&s, 204, "DELETE", "/api/aliases/city-chat", "");
    (void)at(&s, 204, "DELETE", "/api/endpoints/a", "");
    (void)at(&s, 200, "POST", "/api/models/m/retire", "{}");
    a = at(&s, 200, "GET", "/api/models", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 0);
    a = at(&s, 200, "GET", "/api/models?retired=true", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 1);
    scene_close(&s);
}

static void run_job(struct scene *s, const struct answer *a, enum err expected)
{
    struct why why = {0};
    char *id = str_z(s->r.arena, text_at(json_get(a->json, "job"), "id"));
    enum err err = job_run(s->r.compute, id, &why);
    CHECK_EQ(err, expected);
    if (err != expected)
        printf("# %s\n", why.text);
}

TEST(files_come_from_one_folder_or_over_the_wire)
{
    SCENE(s, "models.threads=1");
    struct why why = {0};
    struct str bytes;
    char *folder = file_join(s.r.arena, s.r.dir, "models");
    char *path = file_join(s.r.arena, folder, "t.gguf");
    CHECK_OK(file_make_dirs(folder, &why), &why);
    CHECK_OK(engine_make_random(
                 &(struct engine_random){.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = 1}, path,
                 &why),
             &why);
    struct answer a = at(&s, 200, "GET", "/api/model_files", "");
    CHECK_STR(text_at(json_at(json_get(a.json, "items"), 0), "path"), "t.gguf");
    (void)at(&s, 403, "POST", "/api/model_files/import",
             "{\"path\":\"../models.key\",\"model\":\"m\"}");
    (void)at(&s, 404, "POST", "/api/model_files/import", "{\"path\":\"no.gguf\",\"model\":\"m\"}");
    (void)at(&s, 400, "POST", "/api/model_files/import", "{\"path\":\"t.gguf\"}");
    a = at(&s, 202, "POST", "/api/model_files/import",
           "{\"path\":\"t.gguf\",\"model\":\"m\",\"card\":{\"title\":\"小\"}}");
    run_job(&s, &a, ERR_OK);
    a = at(&s, 200, "GET", "/api/models/m", "");
    CHECK_STR(text_at(a.json, "title"), "小");
    struct str id = text_at(json_at(json_get(a.json, "versions"), 0), "id");
    char *at_version = (char *)str_printf(s.r.arena, "/api/model_versions/%.*s", STR_FMT(id)).ptr;
    (void)at(&s, 200, "GET", at_version, "");
    (void)at(&s, 200, "PATCH", at_version, "{\"notes\":\"已测\"}");
    a = at(&s, 202, "POST", str_printf(s.r.arena, "%s/verify", at_version).ptr, "{}");
    run_job(&s, &a, ERR_OK);
    CHECK_OK(file_read(path, 8 << 20, s.r.arena, &bytes, &why), &why);
    a = visit_as(&s.v, "POST", "/api/model_files/upload?filename=t.gguf&model=m&version=up", bytes,
                 "application/octet-stream");
    CHECK_EQ(a.status, 202);
    run_job(&s, &a, ERR_OK);
    a = at(&s, 200, "GET", "/api/models/m", "");
    CHECK_EQ(json_len(json_get(a.json, "versions")), 2);
    a = visit_as(&s.v, "POST", "/api/model_files/upload?filename=x&model=m", STR("no model"),
                 "application/octet-stream");
    run_job(&s, &a, ERR_INVALID);
    scene_close(&s);
}

static const struct models_route *running(struct scene *s)
{
    const struct models_route *route = NULL;
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(20)) {
        route = route_of(&s->r, "m");
        if (route->n_targets && !route->targets[0].cold)
            return route;
        models_route_free(route);
    }
    return NULL;
}

TEST(a_deployment_runs_over_the_door_and_an_endpoint_is_really_asked)
{
    SCENE(s, "models.threads=2", "models.health_every=100ms");
    struct why why = {0};
    char *folder = file_join(s.r.arena, s.r.dir, "models");
    CHECK_OK(file_make_dirs(folder, &why), &why);
    CHECK_OK(engine_make_random(
                 &(struct engine_random){.shape = "tiny", .kind = GGUF_TENSOR_F16, .seed = 1},
                 file_join(s.r.arena, folder, "t.gguf"), &why),
             &why);
    CHECK_OK(models_start(s.r.models, &why), &why);
    struct answer a =
        at(&s, 202, "POST", "/api/model_files/import", "{\"path\":\"t.gguf\",\"model\":\"m\"}");
    run_job(&s, &a, ERR_OK);
    (void)at(&s, 201, "POST", "/api/deployments",
             "{\"name\":\"d\",\"version\":\"m:1\",\"threads\":1}");
    (void)at(&s, 200, "POST", "/api/deployments/d/start", "{}");
    const struct models_route *route = running(&s);
    CHECK(route != NULL);
    if (!route) {
        scene_close(&s);
        return;
    }
    char *body =
        (char *)str_printf(s.r.arena,
                           "{\"name\":\"e\",\"model\":\"far\",\"base_url\":\"%.*s\","
                           "\"api_key\":\"%.*s\"}",
                           STR_FMT(route->targets[0].base_url), STR_FMT(route->targets[0].api_key))
            .ptr;
    (void)at(&s, 201, "POST", "/api/endpoints", body);
    a = at(&s, 200, "POST", "/api/endpoints/e/test", "{}");
    CHECK(json_get_bool(a.json, "ok", false) && !json_get_bool(a.json, "found", true));
    CHECK(str_find(text_at(a.json, "words"), STR("does not list")) != STR_NPOS);
    a = at(&s, 200, "POST", "/api/endpoints/e/test", "{\"call\":true}");
    CHECK(json_get_bool(a.json, "ok", false) && json_get_bool(a.json, "called", false));
    (void)at(&s, 200, "PATCH", "/api/endpoints/e", "{\"api_key\":\"wrong\"}");
    a = at(&s, 200, "POST", "/api/endpoints/e/test", "{\"call\":true}");
    CHECK(!json_get_bool(a.json, "ok", true));
    CHECK_EQ(json_get_int(a.json, "status", 0), 401);
    a = at(&s, 200, "GET", "/api/endpoints/e", "");
    CHECK_EQ(json_get_int(json_get(a.json, "tested"), "status", 0), 401);
    a = at(&s, 200, "GET", "/api/deployments/d/log", "");
    CHECK(str_find(a.body, STR("fake engine d begins")) != STR_NPOS);
    models_route_free(route);
    (void)at(&s, 200, "PATCH", "/api/deployments/d", "{\"replicas\":2}");
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(20)) {
        a = at(&s, 200, "GET", "/api/deployments/d", "");
        if (json_len(json_get(a.json, "replicas_now")) == 2)
            break;
    }
    CHECK_EQ(json_len(json_get(a.json, "replicas_now")), 2);
    (void)at(&s, 200, "POST", "/api/deployments/d/drain", "{}");
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(20)) {
        a = at(&s, 200, "GET", "/api/deployments/d", "");
        if (str_eq_c(text_at(a.json, "state"), "stopped"))
            break;
    }
    CHECK_STR(text_at(a.json, "state"), "stopped");
    (void)at(&s, 204, "DELETE", "/api/deployments/d", "");
    scene_close(&s);
}

static int edge_says(struct scene *s, const char *what, const char *token, const char *body)
{
    struct visitor v = {.door = &s->d, .arena = s->r.arena};
    (void)snprintf(v.cookie, sizeof v.cookie, "a=1\r\nX-Yicheng-Edge: %s", token);
    return visit(&v, "POST", str_printf(s->r.arena, "/api/edges/%s", what).ptr, body).status;
}

static bool edge_is(struct scene *s, const char *state)
{
    for (int64_t end = time_now_ms() + SOON; time_now_ms() < end; time_sleep_ms(20)) {
        struct answer a = visit(&s->v, "GET", "/api/edges/box", "");
        if (str_eq_c(text_at(a.json, "state"), state))
            return true;
    }
    return false;
}

TEST(an_engine_elsewhere_registers_beats_is_lost_and_leaves)
{
    SCENE(s, "models.threads=1", "models.edge_heartbeat=300ms");
    struct why why = {0};
    CHECK_OK(models_start(s.r.models, &why), &why);
    struct answer a = at(&s, 201, "POST", "/api/edges", "{\"name\":\"box\",\"model\":\"small\"}");
    char *token = str_z(s.r.arena, text_at(a.json, "token"));
    CHECK(strncmp(token, "ye_", 3) == 0 && strlen(token) == 46);
    a = at(&s, 200, "GET", "/api/edges/box", "");
    CHECK(json_get(a.json, "token") == NULL);
    CHECK_STR(text_at(a.json, "state"), "new");
    static const char hello[] = "{\"base_url\":\"http://10.1.2.3:8090\",\"model\":\"small-q4\","
                                "\"pid\":7,\"of_a_later_version\":{},\"token\":\"engine-secret\","
                                "\"context\":4096,\"slots\":2}";
    CHECK_EQ(edge_says(&s, "register", "ye_wrong", hello), 401);
    CHECK_EQ(edge_says(&s, "register", token, "{\"base_url\":\"gopher://x\"}"), 400);
    CHECK_EQ(edge_says(&s, "heartbeat", token, "{}"), 409);
    CHECK_EQ(edge_says(&s, "register", token, hello), 200);
    const struct models_route *route = route_of(&s.r, "small");
    CHECK_EQ(route->n_targets, 1);
    if (route->n_targets) {
        CHECK_STR(route->targets[0].base_url, "http://10.1.2.3:8090");
        CHECK_STR(route->targets[0].api_key, "engine-secret");
        CHECK_STR(route->targets[0].upstream_model, "small-q4");
        CHECK_EQ(route->targets[0].max_context, 4096);
    }
    models_route_free(route);
    a = at(&s, 200, "GET", "/api/edges/box", "");
    CHECK(str_find(a.body, STR("engine-secret")) == STR_NPOS);
    CHECK(edge_is(&s, "lost"));
    CHECK_EQ(edge_says(&s, "heartbeat", token, "{}"), 200);
    CHECK(edge_is(&s, "active") || edge_is(&s, "lost"));
    CHECK_EQ(edge_says(&s, "leave", token, "{}"), 200);
    CHECK(edge_is(&s, "left"));
    (void)at(&s, 200, "PATCH", "/api/edges/box", "{\"disabled\":true}");
    CHECK_EQ(edge_says(&s, "register", token, hello), 401);
    CHECK_EQ(centre_acts(&s.r.c, "models.edge.register", "ok"), 1);
    (void)at(&s, 204, "DELETE", "/api/edges/box", "");
    scene_close(&s);
}

TESTS_MAIN()
