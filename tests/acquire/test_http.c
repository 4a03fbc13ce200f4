/* The routes of collectors over a real server: shapes, rights, secrets, a whole way through. */
#include "room.h"

#include "http/http.h"

/* Stands for ops: the header X-Who says who calls. */
static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    (void)ctx;
    struct str who = http_header(req, "X-Who");
    struct ops_identity *identity = arena_one(http_arena(req), struct ops_identity);
    if (route->access == HTTP_PUBLIC)
        return err_set(why, ERR_INTERNAL, "a route of collectors is open to everybody");
    if (!who.len)
        return err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    *identity = ops_system();
    if (str_eq_c(who, "reader")) {
        identity->kind = STR("user");
        identity->permissions = ops_permission_bit(STR("data.read"));
    }
    http_set_identity(req, identity);
    return route->permission ? ops_need(identity, route->permission, why) : ERR_OK;
}

struct served {
    struct room room;
    struct http_server *server;
    const struct json *json; /* of the last answer */
    struct http_answer answer;
};

static bool serve(struct served *s, struct store *store)
{
    *s = (struct served){.server = NULL};
    if (!collectors_fresh(&s->room, store))
        return false;
    const struct conf *conf = NULL;
    const char *sets[] = {"http.port=0", "http.access_log=false"};
    struct why why = {0};
    CHECK_OK(conf_load(&http_conf, 1, NULL, sets, 2, s->room.arena, &conf, &why), &why);
    struct http_opts opts = {.conf = conf,
                             .tables = acquire_routes(s->room.acquire),
                             .n_tables = 1,
                             .authorize = authorize,
                             .temp_dir = file_join(s->room.arena, s->room.dir, "tmp")};
    CHECK_OK(http_start(&opts, &s->server, &why), &why);
    return s->server != NULL;
}

/* ' for " in the body. */
static int ask_as(struct served *s, const char *who, const char *method, const char *path,
                  const char *body, const char *header)
{
    struct arena *arena = s->room.arena;
    struct why why = {0};
    struct buf buf;
    const char *headers[] = {"Content-Type: application/json",
                             str_z(arena, str_printf(arena, "X-Who: %s", who)), header};
    buf_init(&buf, arena);
    for (const char *at = body ? body : ""; *at; at++)
        buf_char(&buf, *at == '\'' ? '"' : *at);
    struct http_call call = {
        .method = method,
        .url = str_z(arena, str_printf(arena, "http://127.0.0.1:%d%s", http_port(s->server), path)),
        .headers = headers,
        .n_headers = header ? 3 : 2,
        .body = buf.ptr ? buf_str(&buf) : STR(""),
        .connect_ms = 5000,
        .total_ms = 60000,
        .most = (size_t)16 << 20};
    s->json = NULL;
    s->answer = (struct http_answer){0};
    CHECK_OK(http_fetch(&call, arena, &s->answer, &why), &why);
    if (s->answer.body.len)
        (void)!json_parse(s->answer.body, arena, &s->json, NULL);
    return s->answer.status;
}

static int ask(struct served *s, const char *method, const char *path, const char *body)
{
    return ask_as(s, "steward", method, path, body, NULL);
}

#define COLLECTOR                                                                                  \
    "{'name':'api','kind':'http_json','dataset':'api','collection':{'licence':'x'},'settings':{"   \
    "'url':'http://127.0.0.1:1/x','headers':{'X-Token':'hunter2'},'attempts':1}}"

TEST(collectors_are_made_changed_run_and_removed)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no room");
    CHECK_EQ(ask_as(&s, "", "GET", "/api/collectors", NULL, NULL), 401);
    CHECK_EQ(ask_as(&s, "reader", "POST", "/api/collectors", COLLECTOR, NULL), 403);
    CHECK_EQ(ask(&s, "POST", "/api/collectors", COLLECTOR), 201);
    CHECK(str_find(s.answer.body, STR("hunter2")) == STR_NPOS);
    CHECK_EQ(ask(&s, "POST", "/api/collectors", COLLECTOR), 409);
    CHECK_EQ(ask(&s, "POST", "/api/collectors", "{'name':'b'}"), 400);
    CHECK_EQ(ask_as(&s, "reader", "GET", "/api/collectors/api", NULL, NULL), 200);
    CHECK_STR(http_answer_header(&s.answer, "ETag"), "\"1\"");
    CHECK(str_find(s.answer.body, STR("hunter2")) == STR_NPOS);
    CHECK_EQ(ask_as(&s, "steward", "PATCH", "/api/collectors/api", "{'title':'接口'}",
                    "If-Match: \"7\""),
             412);
    CHECK_EQ(ask_as(&s, "steward", "PATCH", "/api/collectors/api", "{'title':'接口'}",
                    "If-Match: \"1\""),
             200);
    CHECK_STR(json_get_str(s.json, "title", STR("")), "接口");
    CHECK_EQ(json_get_int(s.json, "revision", 0), 2);
    CHECK_EQ(ask_as(&s, "reader", "POST", "/api/collectors/api/run", "{}", NULL), 403);
    CHECK_EQ(ask(&s, "POST", "/api/collectors/api/run", "{}"), 202);
    struct str job = json_get_str(json_get(s.json, "job"), "id", STR(""));
    char *id = str_z(s.room.arena, job);
    struct why why = {0};
    CHECK_EQ(job_run(s.room.compute, id, &why), ERR_UNAVAILABLE); /* nobody answers there */
    CHECK(strstr(why.text, "hunter2") == NULL);
    CHECK_EQ(ask(&s, "GET", "/api/collectors/api/runs", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 1);
    CHECK_EQ(ask(&s, "POST", "/api/collectors/try", COLLECTOR), 202);
    CHECK_EQ(ask(&s, "POST", "/api/collectors/api/reset", "{}"), 200);
    CHECK_EQ(ask(&s, "GET", "/api/collectors", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 1);
    CHECK_EQ(ask(&s, "GET", "/api/collector_kinds", NULL), 200);
    const struct json *kinds = json_get(s.json, "items");
    CHECK_EQ(json_len(kinds), 8);
    for (size_t i = 0; i < json_len(kinds); i++)
        CHECK(json_get_str(json_at(kinds, i), "summary_zh", STR("")).len > 0);
    CHECK_EQ(ask_as(&s, "reader", "DELETE", "/api/collectors/api", NULL, NULL), 403);
    CHECK_EQ(ask(&s, "DELETE", "/api/collectors/api", NULL), 204);
    CHECK_EQ(ask(&s, "GET", "/api/collectors/api", NULL), 404);
    http_stop(s.server, 1000);
    room_done(&s.room);
    test_store_done(store);
}

TESTS_MAIN()
