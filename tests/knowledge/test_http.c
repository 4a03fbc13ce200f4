#include "tap.h"

#include <sys/stat.h>

#include "compute/compute.h"
#include "core/time.h"
#include "http/http.h"
#include "knowledge/catalog.h"
#include "knowledge/room.h"
#include "kb.h"

/* Stands for ops: the header X-Who says who calls. */
static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    (void)ctx;
    struct str who = http_header(req, "X-Who");
    struct ops_identity *identity = arena_one(http_arena(req), struct ops_identity);
    if (!who.len)
        return route->access == HTTP_PUBLIC ? ERR_OK
                                            : err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    *identity = ops_system();
    if (str_eq_c(who, "reader")) {
        *identity = ops_public(OPS_HOME);
        identity->permissions = ops_permission_bit(STR("knowledge.read"));
    }
    http_set_identity(req, identity);
    return route->permission ? ops_need(identity, route->permission, why) : ERR_OK;
}

struct served {
    struct kb kb;
    struct compute *compute;
    struct http_server *server;
    struct http_answer answer;
    const struct json *json;
};

static const char *const rule =
    "# "
    "云汀市加装电梯办法\n\n发文字号：云汀政办发〔2024〕30号\n施行日期：2024年9月10日\n有效期：三十"
    "年\n\n"
    "第一条 每台补贴😀二十万元。\n\n第二条 本办法自2024年9月10日起施行。\n";
static const char *const internal =
    "# 派单规则（内部）\n\n公开属性：不予公开\n\n第一条 首办负责。\n\n第二条 限时办结。\n";

static bool serve(struct served *s)
{
    *s = (struct served){.server = NULL};
    if (!kb_fresh(&s->kb))
        return false;
    struct kb *kb = &s->kb;
    static const char *const no_args[] = {NULL};
    const struct conf *conf = NULL;
    const struct conf_table tables[] = {http_conf, compute_conf};
    const char *sets[] = {"http.port=0", "http.access_log=false"};
    CHECK_OK(conf_load(tables, 2, NULL, sets, 2, kb->arena, &conf, &kb->why), &kb->why);
    struct compute_opts compute = {.store = kb->store,
                                   .conf = conf,
                                   .data_dir = kb->dir,
                                   .program = "/bin/false",
                                   .program_args = no_args};
    CHECK_OK(compute_open(&compute, &s->compute, &kb->why), &kb->why);
    compute_bind(s->compute, &knowledge_import_job, kb->knowledge);
    kb->knowledge->opts.compute = s->compute;
    kb_put(kb, "a/lift.md", rule);
    kb_put(kb, "a/staff.md", internal);
    CHECK_EQ(kb_import(kb, "a", false).n_versions, 2);
    struct http_opts opts = {.conf = conf,
                             .tables = knowledge_routes(kb->knowledge),
                             .n_tables = 1,
                             .authorize = authorize};
    CHECK_OK(http_start(&opts, &s->server, &kb->why), &kb->why);
    return s->server != NULL;
}

static void served_done(struct served *s)
{
    http_stop(s->server, 1000);
    compute_close(s->compute);
    kb_done(&s->kb);
}

/* Calls and parses the answer; returns the status. */
static int call(struct served *s, const char *method, const char *path, const char *who,
                const char *extra, struct str body)
{
    char url[700], header[64];
    const char *headers[4] = {"Content-Type: application/json"};
    size_t n = 1;
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d%s", http_port(s->server), path);
    (void)snprintf(header, sizeof header, "X-Who: %s", who ? who : "");
    if (who)
        headers[n++] = header;
    if (extra)
        headers[n++] = extra;
    struct http_call request = {.method = method,
                                .url = url,
                                .headers = headers,
                                .n_headers = n,
                                .body = body,
                                .connect_ms = 2000,
                                .total_ms = 20000,
                                .most = 4u << 20};
    struct why why = {0};
    s->json = NULL;
    CHECK_OK(http_fetch(&request, s->kb.arena, &s->answer, &why), &why);
    if (s->answer.body.len && s->answer.body.ptr[0] == '{')
        CHECK_OK(json_parse(s->answer.body, s->kb.arena, &s->json, &why), &why);
    return s->answer.status;
}

static struct str member(const struct served *s, const char *key)
{
    return json_get_str(s->json, key, STR(""));
}

static const struct json *items(const struct served *s)
{
    return json_get(s->json, "items");
}

/* The document or version with that title, as the catalog has it. */
static void id_of(struct served *s, const char *title, char document[UUID_TEXT],
                  char version[UUID_TEXT])
{
    const struct catalog *c = NULL;
    CHECK_OK(catalog_of(s->kb.knowledge, &s->kb.system, STR("test"), &c, &s->kb.why), &s->kb.why);
    for (uint32_t i = 0; i < c->n_versions; i++)
        if (str_eq_c(c->versions[i].meta.title, title)) {
            memcpy(version, c->versions[i].id, UUID_TEXT);
            memcpy(document, c->documents[c->versions[i].document].id, UUID_TEXT);
        }
    catalog_release(c);
}

TEST(lists_and_opens_documents)
{
    struct served s;
    char document[UUID_TEXT] = "", version[UUID_TEXT] = "", path[200];
    CHECK(serve(&s));
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases", NULL, NULL, STR_NONE), 401);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases", "steward", NULL, STR_NONE), 200);
    CHECK_EQ(json_len(items(&s)), 1);
    CHECK_EQ(json_get_int(json_at(items(&s), 0), "n_documents", 0), 2);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases", "reader", NULL, STR_NONE), 200);
    CHECK_EQ(json_get_int(json_at(items(&s), 0), "n_documents", 0), 1);

    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/test/documents", "steward", NULL, STR_NONE),
             200);
    CHECK_EQ(json_len(items(&s)), 2);
    CHECK_EQ(
        call(&s, "GET", "/api/knowledge_bases/test/documents?limit=1", "steward", NULL, STR_NONE),
        200);
    CHECK_EQ(json_len(items(&s)), 1);
    struct str next = member(&s, "next");
    (void)snprintf(path, sizeof path, "/api/knowledge_bases/test/documents?limit=1&after=%.*s",
                   STR_FMT(next));
    CHECK_EQ(call(&s, "GET", path, "steward", NULL, STR_NONE), 200);
    CHECK_EQ(json_len(items(&s)), 1);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/test/documents?status=expired", "steward", NULL,
                  STR_NONE),
             200);
    CHECK_EQ(json_len(items(&s)), 0);
    /* A reader without the class sees one of the two, and cannot open the other. */
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/test/documents", "reader", NULL, STR_NONE), 200);
    CHECK_EQ(json_len(items(&s)), 1);
    id_of(&s, "派单规则（内部）", document, version);
    (void)snprintf(path, sizeof path, "/api/documents/%s", document);
    CHECK_EQ(call(&s, "GET", path, "reader", NULL, STR_NONE), 404);
    CHECK_EQ(call(&s, "GET", path, "steward", NULL, STR_NONE), 200);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/none/documents", "steward", NULL, STR_NONE),
             404);

    id_of(&s, "云汀市加装电梯办法", document, version);
    (void)snprintf(path, sizeof path, "/api/documents/%s", document);
    CHECK_EQ(call(&s, "GET", path, "steward", NULL, STR_NONE), 200);
    CHECK_STR(member(&s, "status"), "in_force");
    CHECK_STR(member(&s, "expires"), "2054-09-10");
    CHECK_EQ(json_len(json_get(s.json, "versions")), 1);
    served_done(&s);
}

TEST(counts_documents_by_validity_for_who_asks)
{
    struct served s;
    static const char *const repealed =
        "# 云汀市旧办法\n\n发文字号：云汀政发〔2015〕3号\n施行日期：2015年4月1日\n有效期：五年\n\n"
        "第一条 暂行。\n\n第二条 本办法自2015年4月1日起施行，有效期五年。\n";
    CHECK(serve(&s));
    kb_put(&s.kb, "b/old.md", repealed);
    CHECK_EQ(kb_import(&s.kb, "b", false).n_versions, 1);
    CHECK_EQ(call(&s, "GET", "/api/overview", "steward", NULL, STR_NONE), 200);
    const struct json *counts = json_get(s.json, "documents");
    CHECK_EQ(json_get_int(counts, "in_force", -1), 2);
    CHECK_EQ(json_get_int(counts, "expired", -1), 1);
    CHECK_EQ(json_get_int(counts, "not_yet", -1), 0);
    CHECK_EQ(json_get_int(counts, "superseded", -1), 0);
    CHECK_EQ(call(&s, "GET", "/api/overview", "reader", NULL, STR_NONE), 200);
    CHECK_EQ(json_get_int(json_get(s.json, "documents"), "in_force", -1), 1);
    served_done(&s);
}

TEST(gives_texts_and_files_to_whom_they_are_for)
{
    struct served s;
    char document[UUID_TEXT] = "", version[UUID_TEXT] = "", path[200];
    CHECK(serve(&s));
    id_of(&s, "云汀市加装电梯办法", document, version);
    (void)snprintf(path, sizeof path, "/api/versions/%s/text", version);
    CHECK_EQ(call(&s, "GET", path, NULL, NULL, STR_NONE), 200);
    struct str text = member(&s, "text");
    const struct json *passages = json_get(s.json, "passages");
    CHECK_EQ(json_len(passages), 3);
    for (size_t i = 0; i < json_len(passages); i++) {
        const struct json *p = json_at(passages, i);
        size_t start = (size_t)json_get_int(p, "start", -1),
               len = (size_t)json_get_int(p, "len", -1);
        struct str piece = str_slice(text, start, start + len);
        CHECK_EQ(piece.len, len);
        CHECK(!str_starts(json_get_str(p, "article", STR("")), STR("第")) ||
              str_starts(piece, json_get_str(p, "article", STR("x"))));
        /* 😀 is two units of UTF-16, the article's text is 15 of them. */
        if (str_eq_c(json_get_str(p, "article", STR("")), "第一条"))
            CHECK_EQ(json_get_int(p, "len_char", 0), 15);
    }
    (void)snprintf(path, sizeof path, "/api/versions/%s/file", version);
    CHECK_EQ(call(&s, "GET", path, NULL, NULL, STR_NONE), 200);
    CHECK_STR(s.answer.body, rule);
    id_of(&s, "派单规则（内部）", document, version);
    (void)snprintf(path, sizeof path, "/api/versions/%s/text", version);
    CHECK_EQ(call(&s, "GET", path, NULL, NULL, STR_NONE), 404);
    (void)snprintf(path, sizeof path, "/api/versions/%s/file", version);
    CHECK_EQ(call(&s, "GET", path, NULL, NULL, STR_NONE), 404);
    CHECK_EQ(call(&s, "GET", path, "steward", NULL, STR_NONE), 200);
    CHECK_EQ(call(&s, "GET", "/api/versions/nonsense/text", NULL, NULL, STR_NONE), 400);
    served_done(&s);
}

TEST(changes_metadata_by_hand_and_notices_others)
{
    struct served s;
    char document[UUID_TEXT] = "", version[UUID_TEXT] = "", path[200], match[80];
    CHECK(serve(&s));
    id_of(&s, "云汀市加装电梯办法", document, version);
    (void)snprintf(path, sizeof path, "/api/documents/%s", document);
    CHECK_EQ(call(&s, "GET", path, "steward", NULL, STR_NONE), 200);
    int64_t revision = json_get_int(s.json, "revision", -1);
    (void)snprintf(match, sizeof match, "If-Match: \"%lld\"", (long long)revision);
    struct str change = STR("{\"department\":\"市住建局\",\"expires\":\"2026-12-31\"}");
    CHECK_EQ(call(&s, "PATCH", path, "reader", match, change), 403);
    CHECK_EQ(call(&s, "PATCH", path, "steward", match, change), 200);
    CHECK_STR(member(&s, "department"), "市住建局");
    CHECK_STR(member(&s, "expires"), "2026-12-31");
    CHECK_EQ(call(&s, "PATCH", path, "steward", match, change), 412);
    CHECK_EQ(call(&s, "PATCH", path, "steward", NULL, STR("{\"level\":\"high\"}")), 400);
    CHECK_EQ(call(&s, "PATCH", path, "steward", NULL, STR("{\"access\":\"staff\"}")), 200);
    char text[200];
    (void)snprintf(text, sizeof text, "/api/versions/%s/text", version);
    CHECK_EQ(call(&s, "GET", text, NULL, NULL, STR_NONE), 404); /* closed at once */
    (void)snprintf(text, sizeof text, "/api/versions/%s", version);
    CHECK_EQ(call(&s, "PATCH", text, "steward", NULL, STR("{\"number\":\"云汀政规〔2024〕9号\"}")),
             200);
    CHECK_STR(member(&s, "number"), "云汀政规〔2024〕9号");

    CHECK_EQ(call(&s, "DELETE", path, "steward", match, STR_NONE), 412);
    CHECK_EQ(call(&s, "DELETE", path, "steward", NULL, STR_NONE), 204);
    CHECK_EQ(call(&s, "GET", path, "steward", NULL, STR_NONE), 404);
    CHECK_EQ(kb_check(&s.kb, false), 0);
    /* The file is the same, but its document was removed: given again, it is read again. */
    CHECK_EQ(kb_import(&s.kb, "a", false).n_versions, 1);
    served_done(&s);
}

TEST(searches_what_the_caller_may_read)
{
    struct served s;
    CHECK(serve(&s));
    struct str question = STR("{\"kb\":\"test\",\"text\":\"首办负责 限时办结\"}");
    CHECK_EQ(call(&s, "POST", "/api/search", NULL, NULL, question), 401);
    CHECK_EQ(call(&s, "POST", "/api/search", "steward", NULL, question), 200);
    CHECK(json_len(items(&s)) > 0);
    CHECK_STR(json_get_str(json_at(items(&s), 0), "title", STR("")), "派单规则（内部）");
    CHECK_EQ(call(&s, "POST", "/api/search", "reader", NULL, question), 200);
    for (size_t i = 0; i < json_len(items(&s)); i++)
        CHECK(!str_eq_c(json_get_str(json_at(items(&s), i), "title", STR("")), "派单规则（内部）"));
    CHECK_EQ(call(&s, "POST", "/api/search", "steward", NULL, STR("{\"text\":\"\"}")), 400);
    CHECK_EQ(call(&s, "POST", "/api/search", "steward", NULL, STR("{\"text\":\"x\",\"limit\":0}")),
             400);
    CHECK_EQ(call(&s, "POST", "/api/search", "steward", NULL,
                  STR("{\"text\":\"x\",\"as_of\":\"soon\"}")),
             400);
    served_done(&s);
}

TEST(makes_changes_and_removes_bases)
{
    struct served s;
    CHECK(serve(&s));
    struct str made = STR("{\"name\":\"faq\",\"title\":\"问答\",\"access\":\"public\"}");
    CHECK_EQ(call(&s, "POST", "/api/knowledge_bases", "reader", NULL, made), 403);
    CHECK_EQ(call(&s, "POST", "/api/knowledge_bases", "steward", NULL, made), 201);
    CHECK_STR(member(&s, "title"), "问答");
    CHECK_EQ(call(&s, "POST", "/api/knowledge_bases", "steward", NULL, made), 409);
    CHECK_EQ(call(&s, "POST", "/api/knowledge_bases", "steward", NULL, STR("{\"name\":\"A b\"}")),
             400);
    CHECK_EQ(call(&s, "PATCH", "/api/knowledge_bases/faq", "steward", NULL,
                  STR("{\"access\":\"staff\"}")),
             200);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/faq", "reader", NULL, STR_NONE), 404);
    CHECK_EQ(call(&s, "DELETE", "/api/knowledge_bases/faq", "steward", NULL, STR_NONE), 204);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/faq", "steward", NULL, STR_NONE), 404);
    CHECK_EQ(call(&s, "GET", "/api/expiring?days=20000", "steward", NULL, STR_NONE), 400);
    CHECK_EQ(call(&s, "GET", "/api/expiring?days=60", "steward", NULL, STR_NONE), 200);
    CHECK_EQ(json_len(items(&s)), 0);
    served_done(&s);
}

TEST(takes_uploads_in_by_a_job)
{
    struct served s;
    CHECK(serve(&s));
    struct str file =
        STR("# 云汀市供水办法\n\n第一条 阶梯水价。\n\n第二条 自2024年1月1日起施行。\n");
    CHECK_EQ(
        call(&s, "POST", "/api/knowledge_bases/none/uploads?filename=w.md", "steward", NULL, file),
        404);
    CHECK_EQ(call(&s, "POST", "/api/knowledge_bases/test/uploads?filename=../../w.md", "steward",
                  NULL, file),
             202);
    char *id = str_z(s.kb.arena, json_get_str(json_get(s.json, "job"), "id", STR("")));
    CHECK_OK(job_run(s.compute, id, &s.kb.why), &s.kb.why);
    struct job_info info = {0};
    CHECK_OK(job_find(s.compute, id, s.kb.arena, &info, &s.kb.why), &s.kb.why);
    CHECK_EQ(info.state, JOB_DONE);
    CHECK(str_find(info.result, STR("\"n_versions\":1")) != STR_NPOS);
    CHECK_EQ(call(&s, "GET", "/api/knowledge_bases/test/documents?q=%E4%BE%9B%E6%B0%B4", "steward",
                  NULL, STR_NONE),
             200);
    CHECK_EQ(json_len(items(&s)), 1);
    CHECK_EQ(kb_check(&s.kb, false), 0);
    served_done(&s);
}

TESTS_MAIN()
