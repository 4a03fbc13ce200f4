/* The routes of data sets over a real server: shapes, permissions, a whole way through. */
#include "room.h"

#include "http/http.h"

/* Stands for ops: the header X-Who says who calls. */
static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    (void)ctx;
    struct str who = http_header(req, "X-Who");
    struct ops_identity *identity = arena_one(http_arena(req), struct ops_identity);
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
    if (!room_fresh(&s->room, store))
        return false;
    const struct conf *conf = NULL;
    const char *sets[] = {"http.port=0", "http.access_log=false"};
    struct why why = {0};
    CHECK_OK(conf_load(&http_conf, 1, NULL, sets, 2, s->room.arena, &conf, &why), &why);
    struct http_table table = *data_routes(s->room.data);
    struct http_opts opts = {.conf = conf,
                             .tables = &table,
                             .n_tables = 1,
                             .authorize = authorize,
                             .temp_dir = file_join(s->room.arena, s->room.dir, "tmp")};
    CHECK_OK(http_start(&opts, &s->server, &why), &why);
    return s->server != NULL;
}

static int ask_as(struct served *s, const char *who, const char *method, const char *path,
                  const char *body)
{
    struct arena *arena = s->room.arena;
    struct why why = {0};
    const char *headers[] = {"Content-Type: application/json",
                             str_z(arena, str_printf(arena, "X-Who: %s", who))};
    struct http_call call = {
        .method = method,
        .url = str_z(arena, str_printf(arena, "http://127.0.0.1:%d%s", http_port(s->server), path)),
        .headers = headers,
        .n_headers = 2,
        .body = str_c(body ? body : ""),
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
    return ask_as(s, "steward", method, path, body);
}

/* Runs the job of the last answer. */
static const struct json *ran(struct served *s)
{
    struct str id = json_get_str(json_get(s->json, "job"), "id", STR(""));
    CHECK_EQ(s->answer.status, 202);
    return room_job(&s->room, str_z(s->room.arena, id));
}

static void done(struct served *s)
{
    http_stop(s->server, 2000);
    room_done(&s->room);
}

#define SPEC                                                                                       \
    "{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"b\",\"title\":\"乙\"},\"steps\":["  \
    "{\"op\":\"trim\"},{\"op\":\"length\",\"least\":2}]}"

TEST(from_an_upload_to_a_withdrawn_source)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask(&s, "POST", "/api/datasets/a/uploads?filename=x.jsonl&licence=CC0",
                 "{\"text\":\" 第一条 \"}\n{\"text\":\"短\"}\n{\"text\":\"第三条\"}\n"),
             202);
    CHECK_EQ(json_get_int(ran(&s), "n_records", 0), 3);
    CHECK_EQ(ask(&s, "POST", "/api/pipelines/check", "{\"spec\":" SPEC "}"), 200);
    CHECK_STR(json_get_str(s.json, "gives", STR("")), "text");
    CHECK_EQ(ask(&s, "POST", "/api/pipelines/dry_run", "{\"spec\":" SPEC ",\"sample\":10}"), 200);
    CHECK_EQ(json_get_int(s.json, "n_records", 0), 2);
    CHECK_EQ(ask(&s, "POST", "/api/pipelines/run", "{\"spec\":" SPEC "}"), 202);
    CHECK_EQ(json_get_int(ran(&s), "n_records", 0), 2);
    CHECK_EQ(ask(&s, "GET", "/api/datasets", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 2);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b", NULL), 200);
    CHECK_STR(json_get_str(s.json, "title", STR("")), "乙");
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/0", NULL), 200);
    CHECK_STR(json_get_str(s.json, "made_by", STR("")), "pipeline");
    struct str version = json_get_str(s.json, "id", STR(""));
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/records?limit=1", NULL), 200);
    CHECK_EQ(json_get_int(s.json, "next", 0), 1);
    struct str id = json_get_str(json_at(json_get(s.json, "items"), 0), "id", STR(""));
    struct arena *arena = s.room.arena;
    CHECK_EQ(ask(&s, "GET",
                 str_z(arena, str_printf(arena, "/api/datasets/b/records/%.*s", STR_FMT(id))),
                 NULL),
             200);
    CHECK_STR(json_get_str(json_get(s.json, "source"), "uri", STR("")), "upload:x.jsonl");
    CHECK_EQ(json_len(json_get(s.json, "history")), 2);
    CHECK_EQ(ask(&s, "GET",
                 str_z(arena, str_printf(arena, "/api/data_lineage?kind=version&id=%.*s",
                                         STR_FMT(version))),
                 NULL),
             200);
    CHECK_EQ(json_len(json_get(s.json, "nodes")), 5);
    CHECK_EQ(ask(&s, "GET", "/api/data_sources?limit=10", NULL), 200);
    struct str source = json_get_str(json_at(json_get(s.json, "items"), 0), "id", STR(""));
    char *path =
        str_z(arena, str_printf(arena, "/api/data_sources/%.*s/withdraw", STR_FMT(source)));
    CHECK_EQ(ask(&s, "POST", path, "{}"), 400);
    CHECK_EQ(ask(&s, "POST", path, "{\"reason\":\"授权到期\"}"), 200);
    CHECK_EQ(json_len(json_get(s.json, "versions")), 2);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b", NULL), 200);
    CHECK_STR(json_get_str(s.json, "state", STR("")), "withdrawn");
    done(&s);
    test_store_done(store);
}

TEST(who_reads_does_not_write)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask_as(&s, "reader", "GET", "/api/datasets", NULL), 200);
    CHECK_EQ(ask_as(&s, "reader", "GET", "/api/data_operators", NULL), 200);
    CHECK(json_len(json_get(s.json, "items")) >= 40);
    CHECK_EQ(ask_as(&s, "reader", "POST", "/api/datasets/a/uploads?filename=x.jsonl", "{}"), 403);
    CHECK_EQ(ask_as(&s, "reader", "POST", "/api/pipelines/run", "{\"spec\":" SPEC "}"), 403);
    CHECK_EQ(ask_as(&s, "reader", "POST", "/api/data_sources/x/withdraw", "{}"), 403);
    CHECK_EQ(ask_as(&s, "", "GET", "/api/datasets", NULL), 401);
    done(&s);
    test_store_done(store);
}

TEST(what_is_wrong_is_said)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask(&s, "GET", "/api/datasets/none", NULL), 404);
    CHECK_EQ(ask(&s, "POST", "/api/pipelines/check", "{\"spec\":5}"), 400);
    CHECK_EQ(
        ask(&s, "POST", "/api/pipelines/check", "{\"spec\":\"input: {dataset: a}\\nsteps: [\"}"),
        400);
    CHECK_EQ(ask(&s, "POST", "/api/datasets/A%20b/uploads?filename=x.jsonl", "{}"), 400);
    CHECK_EQ(ask(&s, "POST", "/api/datasets/a/uploads?filename=x.jsonl&map=5", "{}"), 400);
    CHECK_EQ(ask(&s, "POST", "/api/data_imports",
                 "{\"dataset\":\"a\",\"paths\":[\"/etc\"],\"upload\":true}"),
             400);
    CHECK_EQ(ask(&s, "GET", "/api/data_lineage?kind=thing&id=x", NULL), 400);
    CHECK_EQ(ask(&s, "GET", "/api/data_lineage?kind=version&id=x&way=up", NULL), 400);
    CHECK_EQ(ask(&s, "POST", "/api/datasets/a/uploads?filename=x.jsonl", "{\"text\":\"甲\"}"), 202);
    (void)ran(&s);
    CHECK_EQ(ask(&s, "PATCH", "/api/datasets/a", "{\"access\":\"all\"}"), 400);
    CHECK_EQ(ask(&s, "PATCH", "/api/datasets/a", "{\"title\":\"甲\",\"card\":{\"licence\":\"x\"}}"),
             200);
    CHECK_STR(json_get_str(json_get(s.json, "card"), "licence", STR("")), "x");
    CHECK(http_answer_header(&s.answer, "ETag").ptr != NULL);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/a/diff?a=1&b=1", NULL), 200);
    CHECK_EQ(json_get_int(s.json, "n_same", 0), 1);
    done(&s);
    test_store_done(store);
}

TESTS_MAIN()
