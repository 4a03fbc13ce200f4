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
        identity->classes &= ~((uint64_t)1 << OPS_CLASS_RESTRICTED);
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
    /* What the source says is on the card, and goes on with what is made of it. */
    CHECK_STR(json_get_str(json_get(s.json, "card"), "licence", STR("")), "CC0");
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
    /* A card that people wrote stays when a new version comes. */
    CHECK_EQ(
        ask(&s, "POST", "/api/datasets/a/uploads?filename=y.jsonl&licence=z", "{\"text\":\"乙\"}"),
        202);
    (void)ran(&s);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/a", NULL), 200);
    CHECK_EQ(json_get_int(s.json, "latest", 0), 2);
    CHECK_STR(json_get_str(json_get(s.json, "card"), "licence", STR("")), "x");
    CHECK_EQ(ask(&s, "GET", "/api/datasets/a/diff?a=1&b=1", NULL), 200);
    CHECK_EQ(json_get_int(s.json, "n_same", 0), 1);
    done(&s);
    test_store_done(store);
}

/* A path with what json names in its middle. */
static const char *path_of(struct served *s, const char *before, struct str id, const char *after)
{
    return str_z(s->room.arena, str_printf(s->room.arena, "%s%.*s%s", before, STR_FMT(id), after));
}

#define KEPT(name, least)                                                                          \
    "{\"name\":\"" name                                                                            \
    "\",\"spec\":{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"b\"},"                   \
    "\"steps\":[{\"op\":\"length\",\"least\":" least "}]}}"

TEST(pipelines_are_kept_changed_and_removed)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask(&s, "POST", "/api/pipelines", KEPT("清洗", "2")), 201);
    CHECK_STR(http_answer_header(&s.answer, "ETag"), "\"1\"");
    struct str id = json_get_str(s.json, "id", STR(""));
    const char *path = path_of(&s, "/api/pipelines/", id, "");
    CHECK_EQ(ask(&s, "POST", "/api/pipelines", KEPT("清洗", "3")), 409);
    CHECK_EQ(ask(&s, "POST", "/api/pipelines", "{\"name\":\" \",\"spec\":{}}"), 400);
    CHECK_EQ(ask(&s, "POST", "/api/pipelines", "{\"name\":\"x\",\"spec\":7}"), 400);
    CHECK_EQ(ask(&s, "PUT", path, KEPT("清洗二", "5")), 200);
    CHECK_EQ(json_get_int(s.json, "revision", 0), 2);
    CHECK_EQ(ask(&s, "GET", "/api/pipelines", NULL), 200);
    const struct json *first = json_at(json_get(s.json, "items"), 0);
    CHECK_STR(json_get_str(first, "name", STR("")), "清洗二");
    CHECK_STR(json_get_str(first, "output", STR("")), "b");
    CHECK_STR(json_str(json_at(json_get(first, "inputs"), 0), STR("")), "a");
    CHECK_EQ(json_get_int(first, "n_steps", 0), 1);
    CHECK_EQ(ask(&s, "GET", path, NULL), 200);
    const struct json *steps = json_get(json_get(s.json, "spec"), "steps");
    CHECK_EQ(json_get_int(json_at(steps, 0), "least", 0), 5);
    CHECK_EQ(ask(&s, "POST", "/api/pipelines/parse",
                 "{\"spec\":\"input: {dataset: a}\\nsteps:\\n  - op: trim\\n\"}"),
             200);
    steps = json_get(json_get(s.json, "spec"), "steps");
    CHECK_STR(json_get_str(json_at(steps, 0), "op", STR("")), "trim");
    CHECK_EQ(ask(&s, "POST", "/api/pipelines/parse", "{\"spec\":\"steps: [\"}"), 400);
    CHECK_EQ(ask_as(&s, "reader", "GET", path, NULL), 200);
    CHECK_EQ(ask_as(&s, "reader", "PUT", path, KEPT("清洗", "5")), 403);
    CHECK_EQ(ask_as(&s, "reader", "DELETE", path, NULL), 403);
    CHECK_EQ(ask(&s, "DELETE", path, NULL), 204);
    CHECK_EQ(ask(&s, "GET", path, NULL), 404);
    CHECK_EQ(ask(&s, "DELETE", path, NULL), 404);
    done(&s);
    test_store_done(store);
}

TEST(two_people_do_not_overwrite_a_pipeline)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask(&s, "POST", "/api/pipelines", KEPT("清洗", "2")), 201);
    struct str id = json_get_str(s.json, "id", STR("")), saved;
    struct arena *arena = s.room.arena;
    struct why why = {0};
    const struct json *body = NULL;
    CHECK_OK(json_parse(STR(KEPT("清洗", "9")), arena, &body, &why), &why);
    CHECK_OK(data_pipeline_save(s.room.data, &s.room.who, id, body, 1, arena, &saved, &why), &why);
    CHECK_EQ(data_pipeline_save(s.room.data, &s.room.who, id, body, 1, arena, &saved, &why),
             ERR_PRECONDITION);
    CHECK_EQ(data_pipeline_remove(s.room.data, &s.room.who, id, 1, arena, &why), ERR_PRECONDITION);
    CHECK_OK(data_pipeline_remove(s.room.data, &s.room.who, id, 2, arena, &why), &why);
    done(&s);
    test_store_done(store);
}

#define UPLOAD_A                                                                                   \
    "{\"text\":\" 第一条记录 "                                                                \
    "\"}\n{\"text\":\"短\"}\n{\"text\":\"第三条记录\"}\n{\"text\":\" 第三条记录\"}"     \
    "\nnot json\n"

TEST(a_profile_says_what_the_records_are_like)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask(&s, "POST", "/api/datasets/a/uploads?filename=x.jsonl&licence=CC0&industry=gov",
                 UPLOAD_A),
             202);
    (void)ran(&s);
    for (int i = 0; i < 2; i++) { /* made, then kept */
        CHECK_EQ(ask(&s, "GET", "/api/datasets/a/versions/0/profile", NULL), 200);
        CHECK_EQ(json_get_int(s.json, "n_records", 0), 4);
        CHECK_EQ(json_get_int(s.json, "n_sampled", 0), 4);
        CHECK(json_get_bool(s.json, "whole", false));
        CHECK_EQ(json_get_int(s.json, "n_characters", 0), 7 + 1 + 5 + 6);
        CHECK_EQ(json_get_int(json_get(s.json, "characters"), "most", 0), 7);
        CHECK_EQ(json_get_int(json_get(s.json, "licences"), "CC0", 0), 4);
        CHECK_EQ(json_get_int(json_get(s.json, "industries"), "gov", 0), 4);
        CHECK_EQ(json_get_int(json_get(s.json, "languages"), "zh", 0), 4);
        CHECK_EQ(json_get_int(json_at(json_get(s.json, "lengths"), 0), "n", 0), 4);
        CHECK_EQ(json_get_int(s.json, "n_sources", 0), 1);
        CHECK_STR(json_get_str(json_at(json_get(s.json, "sources"), 0), "uri", STR("")),
                  "upload:x.jsonl");
    }
    CHECK_EQ(ask(&s, "GET", "/api/datasets/a/versions/9/profile", NULL), 404);
    CHECK_EQ(ask_as(&s, "", "GET", "/api/datasets/a/versions/0/profile", NULL), 401);
    done(&s);
    test_store_done(store);
}

/* More than is read whole: 30 MB in two lengths of records. */
TEST(a_large_version_is_sampled)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    struct arena *arena = s.room.arena;
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 60000; i++)
        buf_printf(&buf, "{\"text\":\"%0*d\"}\n", i % 2 ? 100 : 900, i);
    CHECK_OK(buf_err(&buf, NULL), NULL);
    const char *file = room_file(&s.room, "big.jsonl", str_z(arena, buf_str(&buf)));
    CHECK_EQ(
        json_get_int(
            room_import(
                &s.room,
                str_z(arena, str_printf(arena, "{\"dataset\":\"big\",\"paths\":[\"%s\"]}", file))),
            "n_records", 0),
        60000);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/big/versions/0/profile", NULL), 200);
    CHECK(!json_get_bool(s.json, "whole", true));
    CHECK(json_get_int(s.json, "n_sampled", 0) > 2000);
    /* 500 characters a record on average: within a twentieth. */
    int64_t n = json_get_int(s.json, "n_characters", 0);
    CHECK(n > 28500000 && n < 31500000);
    done(&s);
    test_store_done(store);
}

TEST(what_was_let_go_is_listed_and_replayed)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    CHECK_EQ(ask(&s, "POST", "/api/datasets/a/uploads?filename=x.jsonl", UPLOAD_A), 202);
    (void)ran(&s);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/a/versions/1/ended", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 1);
    const struct json *one = json_at(json_get(s.json, "items"), 0);
    CHECK_STR(json_get_str(one, "what", STR("")), "failed");
    CHECK_EQ(json_get_int(one, "step", 0), -1);
    CHECK_EQ(
        ask(&s, "POST", "/api/pipelines/run",
            "{\"spec\":{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"b\"},\"steps\":"
            "[{\"op\":\"trim\"},{\"op\":\"exact_dedup\"},{\"op\":\"length\",\"least\":2}]}}"),
        202);
    CHECK_EQ(json_get_int(ran(&s), "n_records", 0), 2);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/ended?limit=1", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 1);
    CHECK_EQ(json_get_int(s.json, "next", 0), 1);
    CHECK_EQ(json_len(json_get(s.json, "reasons")), 2);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/ended?limit=1&from=1", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 1);
    CHECK(json_get_int(s.json, "next", -1) == -1);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/ended?step=2", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 1);
    struct str gone = json_get_str(json_at(json_get(s.json, "items"), 0), "id", STR(""));
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/ended?what=failed", NULL), 200);
    CHECK_EQ(json_len(json_get(s.json, "items")), 0);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/ended?what=lost", NULL), 400);

    CHECK_EQ(ask(&s, "GET", path_of(&s, "/api/datasets/b/records/", gone, "/replay"), NULL), 200);
    const struct json *last = json_at(json_get(s.json, "steps"), 0);
    CHECK_EQ(json_len(json_get(s.json, "steps")), 1);
    CHECK_EQ(json_get_int(last, "step", 0), 2);
    CHECK_STR(json_get_str(last, "what", STR("")), "dropped");
    CHECK_EQ(json_int(json_at(json_get(s.json, "whole"), 0), 0), 1);

    /* Changed in one stage and dropped in the next: both are told. */
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/ended?step=1", NULL), 200);
    gone = json_get_str(json_at(json_get(s.json, "items"), 0), "id", STR(""));
    CHECK_EQ(ask(&s, "GET", path_of(&s, "/api/datasets/b/records/", gone, ""), NULL), 200);
    CHECK_EQ(json_get_int(json_get(s.json, "ended"), "dropped", 0), 1);
    CHECK_EQ(json_len(json_get(json_at(json_get(s.json, "history"), 0), "changed_by")), 1);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/records?limit=1", NULL), 200);
    struct str kept = json_get_str(json_at(json_get(s.json, "items"), 0), "id", STR(""));
    CHECK_EQ(ask(&s, "GET", path_of(&s, "/api/datasets/b/records/", kept, "/replay"), NULL), 200);
    const struct json *trim = json_at(json_get(s.json, "steps"), 0);
    CHECK_STR(json_get_str(trim, "op", STR("")), "trim");
    CHECK(str_find(json_get_str(trim, "before", STR("")), STR("\" 第一条记录 \"")) != STR_NPOS);
    CHECK(str_find(json_get_str(trim, "after", STR("")), STR("\"第一条记录\"")) != STR_NPOS);
    CHECK_STR(json_get_str(json_get(s.json, "input"), "dataset", STR("")), "a");
    /* An import has no steps. */
    CHECK_EQ(ask(&s, "GET", path_of(&s, "/api/datasets/a/records/", kept, "/replay"), NULL), 415);
    /* What went in is of a class that the reader may not see. */
    CHECK_EQ(ask(&s, "PATCH", "/api/datasets/a", "{\"access\":\"restricted\"}"), 200);
    CHECK_EQ(
        ask_as(&s, "reader", "GET", path_of(&s, "/api/datasets/b/records/", kept, "/replay"), NULL),
        404);
    CHECK_EQ(ask(&s, "GET", "/api/datasets/b/versions/1/export", NULL), 200);
    CHECK(str_find(http_answer_header(&s.answer, "Content-Disposition"), STR("b-1.jsonl")) !=
          STR_NPOS);
    struct str rest = s.answer.body, line;
    size_t n = 0;
    while (str_next_line(&rest, &line))
        n += line.len > 0;
    CHECK_EQ(n, 2);
    CHECK_EQ(ask(&s, "GET", path_of(&s, "/api/datasets/b/records/", kept, "/image"), NULL), 404);
    done(&s);
    test_store_done(store);
}

TEST(a_mixture_is_shown_before_the_run_as_it_will_be)
{
    struct served s;
    FRESH_STORE(store, 4);
    if (!serve(&s, store))
        SKIP("no server");
    struct arena *arena = s.room.arena;
    for (int k = 0; k < 2; k++) {
        struct buf buf;
        buf_init(&buf, arena);
        for (int i = 0; i < (k ? 400 : 1000); i++)
            buf_printf(&buf, "{\"text\":\"%s%04d\"}\n", k ? "甲" : "words ", i);
        CHECK_EQ(ask(&s, "POST",
                     k ? "/api/datasets/few/uploads?filename=b.jsonl&licence=L2&industry=x"
                       : "/api/datasets/many/uploads?filename=a.jsonl&licence=L1",
                     str_z(arena, buf_str(&buf))),
                 202);
        (void)ran(&s);
    }
    CHECK_EQ(ask(&s, "PATCH", "/api/datasets/many", "{\"card\":{\"industry\":\"y\"}}"), 200);
#define INPUTS                                                                                     \
    "\"inputs\":[{\"dataset\":\"many\",\"weight\":25},{\"dataset\":\"few\",\"weight\":75}]"
    CHECK_EQ(
        ask(&s, "POST", "/api/mix_previews", "{" INPUTS ",\"by\":\"records\",\"most_repeats\":1}"),
        200);
    /* All 400 of "few" are three quarters. */
    CHECK_EQ(json_get_int(s.json, "total", 0), 533);
    CHECK_STR(json_get_str(s.json, "limited_by", STR("")), "few");
    CHECK(!json_get_bool(s.json, "estimated", true));
    CHECK_EQ(json_get_int(json_get(s.json, "licences"), "L2", 0), 400 * 5);
    CHECK_EQ(json_get_int(json_get(s.json, "industries"), "x", 0), 400 * 5);
    int64_t y = json_get_int(json_get(s.json, "industries"), "y", 0);
    CHECK(y >= 1323 && y <= 1333); /* a third of 4,000 characters: 133 records of 10 */
    int64_t shown = json_get_int(s.json, "n_records", 0);
    CHECK_EQ(
        ask(&s, "POST", "/api/pipelines/run",
            "{\"spec\":{\"inputs\":[{\"dataset\":\"many\"},{\"dataset\":\"few\"}],\"output\":{"
            "\"dataset\":\"m\"},\"steps\":[{\"op\":\"mix\",\"ratios\":[\"many=25\",\"few=75\"],"
            "\"by\":\"records\"}]}}"),
        202);
    int64_t made = json_get_int(ran(&s), "n_records", 0);
    CHECK(made > shown - 40 && made < shown + 40); /* by chance: some sigma of 133 */
    CHECK_EQ(ask(&s, "POST", "/api/mix_previews",
                 "{" INPUTS ",\"by\":\"records\",\"most_repeats\":2,\"total\":100}"),
             200);
    CHECK_EQ(json_get_int(s.json, "total", 0), 100);
    CHECK(json_kind(json_get(s.json, "limited_by")) == JSON_KIND_NULL);
    CHECK_EQ(ask(&s, "POST", "/api/mix_previews", "{\"inputs\":[]}"), 400);
    CHECK_EQ(ask(&s, "POST", "/api/mix_previews", "{" INPUTS ",\"by\":\"tons\"}"), 400);
    CHECK_EQ(ask(&s, "POST", "/api/mix_previews", "{" INPUTS ",\"most_repeats\":0}"), 400);
    CHECK_EQ(
        ask(&s, "POST", "/api/mix_previews", "{\"inputs\":[{\"dataset\":\"many\",\"weight\":0}]}"),
        400);
    CHECK_EQ(ask(&s, "POST", "/api/mix_previews", "{\"inputs\":[{\"dataset\":\"none\"}]}"), 404);
    done(&s);
    test_store_done(store);
}

TESTS_MAIN()
