/* The routes over a real server: shapes, permissions, a file in and out. */
#include "desk.h"
#include "http/http.h"

/* Stands for ops: the header X-Who says who calls. */
static struct desk *served;

static enum err authorize(void *ctx, struct http_request *req, const struct http_route *route,
                          struct why *why)
{
    (void)ctx;
    struct str who = http_header(req, "X-Who");
    struct ops_identity *identity = arena_one(http_arena(req), struct ops_identity);
    if (!who.len || !identity)
        return err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    *identity = str_eq_c(who, "maria")  ? served->manager
                : str_eq_c(who, "anna") ? served->people[0]
                                        : served->people[4];
    if (str_eq_c(who, "stranger"))
        identity->tenant = STR("elsewhere");
    http_set_identity(req, identity);
    return route->permission ? ops_need(identity, route->permission, why) : ERR_OK;
}

static struct http_server *server;

static int ask(const char *who, const char *method, const char *path, const char *body)
{
    struct arena *arena = served->r.arena;
    struct http_answer answer = {0};
    struct why why = {0};
    const char *headers[] = {"Content-Type: application/json",
                             str_z(arena, str_printf(arena, "X-Who: %s", who))};
    struct http_call call = {
        .method = method,
        .url = str_z(arena, str_printf(arena, "http://127.0.0.1:%d%s", http_port(server), path)),
        .headers = headers,
        .n_headers = 2,
        .body = str_c(body ? body : ""),
        .connect_ms = 5000,
        .total_ms = 60000,
        .most = (size_t)16 << 20};
    served->json = NULL;
    CHECK_OK(http_fetch(&call, arena, &answer, &why), &why);
    if (answer.body.len)
        (void)!json_parse(answer.body, arena, &served->json, NULL);
    return answer.status;
}

static const char *at(const char *rest)
{
    return str_z(served->r.arena, str_printf(served->r.arena, "/api/annotation_projects/%s%s",
                                             served->project, rest));
}

TEST(a_project_goes_its_way_over_http)
{
    DESK(d);
    const struct conf *conf = NULL;
    const char *sets[] = {"http.port=0", "http.access_log=false"};
    served = &d;
    CHECK_OK(conf_load(&http_conf, 1, NULL, sets, 2, d.r.arena, &conf, &d.why), &d.why);
    struct http_table table = *annotate_routes(d.annotate);
    struct http_opts opts = {.conf = conf,
                             .tables = &table,
                             .n_tables = 1,
                             .authorize = authorize,
                             .temp_dir = file_join(d.r.arena, d.r.dir, "tmp")};
    CHECK_OK(http_start(&opts, &server, &d.why), &d.why);
    desk_dataset(&d, "letters", 3);
    CHECK_EQ(ask("anna", "POST", "/api/annotation_projects", "{}"), 403);
    CHECK_EQ(ask("maria", "POST", "/api/annotation_projects", "{\"title\":\"x\"}"), 400);
    CHECK_EQ(ask("maria", "POST", "/api/annotation_projects",
                 "{\"title\":\"t\",\"dataset\":\"none\"," DESK_LABELS "}"),
             404);
    CHECK_EQ(ask("maria", "POST", "/api/annotation_projects",
                 "{\"title\":\"t\",\"dataset\":\"letters\",\"review\":100," DESK_LABELS "}"),
             201);
    (void)snprintf(d.project, sizeof d.project, "%.*s",
                   STR_FMT(json_get_str(d.json, "id", STR(""))));
    (void)room_job(&d.r, str_z(d.r.arena, json_get_str(d.json, "job", STR(""))));
    CHECK_EQ(ask("anna", "GET", at(""), NULL), 404);
    CHECK_EQ(ask("anna", "POST", at("/work"), "{\"n\":1}"), 403);
    CHECK_EQ(ask("maria", "PUT", at("/members/anna"), "{\"work\":true}"), 200);
    CHECK_EQ(ask("maria", "PUT", at("/members/rita"), "{\"review\":true}"), 200);
    CHECK_EQ(ask("maria", "PUT", at("/members/nobody"), "{\"work\":true}"), 404);
    CHECK_EQ(ask("anna", "GET", at(""), NULL), 200);
    CHECK(json_get(d.json, "people") == NULL); /* of the manager only */
    CHECK_EQ(ask("stranger", "GET", at(""), NULL), 404);
    CHECK_EQ(ask("stranger", "GET", "/api/annotation_projects", NULL), 200);
    CHECK_EQ(json_len(json_get(d.json, "items")), 0);
    CHECK_EQ(ask("anna", "POST", at("/work"), "{\"n\":2}"), 200);
    CHECK_EQ(json_len(json_get(d.json, "items")), 2);
    struct str item = desk_item(&d, 0);
    char *base =
        str_z(d.r.arena, str_printf(d.r.arena, "/api/annotation_items/%.*s", STR_FMT(item)));
    char *to_submit = str_z(d.r.arena, str_printf(d.r.arena, "%s/submit", base));
    char *to_verdict = str_z(d.r.arena, str_printf(d.r.arena, "%s/verdict", base));
    CHECK_EQ(ask("anna", "POST", to_submit, "{\"answer\":{\"kind\":[\"?\"]}}"), 400);
    CHECK_EQ(ask("anna", "POST", to_submit, "{\"answer\":" A ",\"spent_ms\":10}"), 200);
    CHECK_EQ(ask("anna", "GET", base, NULL), 403); /* what others said is for reviewers */
    CHECK_EQ(ask("anna", "POST", to_verdict, "{\"action\":\"accept\"}"), 403);
    CHECK_EQ(ask("rita", "POST", at("/review"), "{}"), 200);
    CHECK_EQ(ask("rita", "POST", to_verdict, "{\"action\":\"accept\"}"), 200);
    CHECK_STR(json_get_str(d.json, "state", STR("")), "final");
    CHECK_EQ(ask("rita", "GET", at("/statistics"), NULL), 200);
    CHECK_EQ(ask("anna", "GET", at("/statistics"), NULL), 403);
    CHECK_EQ(ask("maria", "GET", at("/items?state=final&limit=5"), NULL), 200);
    CHECK_EQ(json_len(json_get(d.json, "items")), 1);
    CHECK_EQ(ask("maria", "GET", at("/items?state=lost"), NULL), 400);
    CHECK_EQ(ask("maria", "GET", at("/export?format=label_studio"), NULL), 200);
    CHECK_EQ(json_len(d.json), 3);
    CHECK_EQ(ask("maria", "GET", at("/export?format=pdf"), NULL), 400);
    CHECK_EQ(ask("rita", "GET", at("/export"), NULL), 403);
    CHECK_EQ(ask("maria", "GET", "/api/annotation_items/x.1", NULL), 404);
    /* A file of tasks, and the import that takes it. */
    CHECK_EQ(ask("maria", "POST", "/api/annotation_uploads",
                 "[{\"data\":{\"text\":\"好\"},\"annotations\":[{\"result\":[{\"from_name\":\"k\","
                 "\"to_name\":\"text\",\"type\":\"choices\",\"value\":{\"choices\":[\"a\"]}}]}]}]"),
             200);
    struct str upload = json_get_str(d.json, "upload", STR(""));
    CHECK_EQ(ask("maria", "POST", "/api/annotation_imports",
                 "{\"upload\":\"../../etc/passwd\",\"dataset\":\"x\"}"),
             400);
    char *import =
        str_z(d.r.arena,
              str_printf(d.r.arena, "{\"upload\":\"%.*s\",\"dataset\":\"in\"}", STR_FMT(upload)));
    CHECK_EQ(ask("maria", "POST", "/api/annotation_imports", import), 202);
    const struct json *done =
        room_job(&d.r, str_z(d.r.arena, json_get_str(d.json, "job", STR(""))));
    CHECK_EQ(json_get_int(done, "n_annotations", 0), 1);
    http_stop(server, 1000);
    DESK_DONE(d);
}

TESTS_MAIN()
