/* The routes /api/jobs through a real server. */
#include "compute/kinds.h"
#include "ops/door.h"

struct room {
    struct centre c;
    struct door d;
    struct compute *compute;
    struct ops_identity steward;
    struct visitor v;
    char id[UUID_TEXT];
    char path[96];
};

static char *ready(struct centre *c, const char *tenant, const char *name, const char *role)
{
    char *id = str_z(c->arena, centre_make(c, tenant, name, role));
    CHECK_OK(store_run(c->store, "UPDATE ops_users SET must_change = 0 WHERE id = ?",
                       STORE_ARGS(SV_C(id)), NULL, NULL),
             NULL);
    return id;
}

static bool room_open(struct room *r)
{
    static const struct conf_table *tables[] = {&ops_conf, &http_conf, &compute_conf};
    static const char *const sets[] = {"http.port=0", "http.access_log=false"};
    static const char *args[4];
    struct conf_table all[3];
    struct why why = {0};
    for (size_t i = 0; i < 3; i++)
        all[i] = *tables[i];
    *r = (struct room){0};
    centre_more = compute_migrations;
    centre_n_more = compute_n_migrations;
    if (!centre_open_with(&r->c, all, 3, sets, 2))
        return false;
    args[0] = test_store_url();
    args[1] = test_store_dir();
    struct compute_opts opts = {.store = r->c.store,
                                .ops = r->c.ops,
                                .conf = r->c.conf,
                                .data_dir = test_store_dir(),
                                .program = YICHENG_BUILD_ROOT "/tests/compute/job_child",
                                .program_args = args};
    CHECK_OK(compute_open(&opts, &r->compute, &why), &why);
    bind_test_kinds(r->compute);
    r->d = door_open(&r->c, compute_routes(r->compute), 1);
    (void)ready(&r->c, NULL, "zhou", "steward");
    r->steward = centre_user(&r->c, "zhou");
    return true;
}

/* The routes of ops are not served here: the visitor gets his session from the room itself. */
static struct visitor enter(struct room *r, const char *name)
{
    struct visitor v = {.door = &r->d, .arena = r->c.arena};
    struct ops_session s;
    struct why why = {0};
    CHECK_OK(ops_sign_in(r->c.ops, str_c(name), STR(PASSWORD), STR("::1"), STR(""), STR(""),
                         r->c.arena, &s, &why),
             &why);
    (void)snprintf(v.cookie, sizeof v.cookie, "yicheng_session=%s", s.token);
    memcpy(v.csrf, s.csrf, sizeof s.csrf);
    return v;
}

static void submit(struct room *r, const struct ops_identity *who, const char *kind,
                   const char *spec)
{
    struct store_tx *tx = NULL;
    struct why why = {0};
    CHECK_OK(store_begin(r->c.store, STORE_WRITE, &tx, &why), &why);
    CHECK_OK(job_submit(tx, r->compute, who, kind, "导入 <政策>", str_c(spec), "", r->id, &why),
             &why);
    CHECK_OK(store_commit(tx, &why), &why);
    (void)snprintf(r->path, sizeof r->path, "/api/jobs/%s", r->id);
}

static struct answer at(struct room *r, struct visitor *v, const char *method, const char *rest)
{
    return visit(v, method, str_printf(r->c.arena, "%s%s", r->path, rest).ptr,
                 strcmp(method, "POST") == 0 ? "{}" : "");
}

static void room_close(struct room *r)
{
    compute_stop(r->compute, true);
    door_close(&r->d);
    compute_close(r->compute);
    centre_close(&r->c);
}

#define ROOM(r)                                                                                    \
    struct room r;                                                                                 \
    if (!room_open(&r))                                                                            \
    SKIP(test_store_skip())

TEST(a_job_is_shown_cancelled_and_queued_again)
{
    ROOM(r);
    struct visitor v = enter(&r, "zhou");
    submit(&r, &r.steward, "test.count", "{\"secret\":\"in the spec\"}");
    struct answer a = at(&r, &v, "GET", "");
    CHECK_EQ(a.status, 200);
    CHECK_STR(json_get_str(a.json, "id", STR("")), r.id);
    CHECK_STR(json_get_str(a.json, "state", STR("")), "queued");
    CHECK_STR(json_get_str(a.json, "title", STR("")), "导入 <政策>");
    CHECK_STR(json_get_str(a.json, "actor_name", STR("")), "zhou");
    CHECK(json_get(a.json, "started_at") &&
          json_kind(json_get(a.json, "started_at")) == JSON_KIND_NULL);
    CHECK(str_find(a.body, STR("in the spec")) == STR_NPOS);
    a = at(&r, &v, "POST", "/retry");
    CHECK_EQ(a.status, 409);
    a = at(&r, &v, "POST", "/cancel");
    CHECK_EQ(a.status, 200);
    CHECK_STR(json_get_str(a.json, "state", STR("")), "cancelled");
    CHECK_EQ(at(&r, &v, "POST", "/cancel").status, 409);
    a = at(&r, &v, "POST", "/retry");
    CHECK_STR(json_get_str(a.json, "state", STR("")), "queued");
    CHECK_EQ(visit(&v, "GET", "/api/jobs/no-id", "").status, 400);
    CHECK_EQ(visit(&v, "GET", "/api/jobs?state=asleep", "").status, 400);
    a = visit(&v, "GET", "/api/jobs?state=queued&limit=5", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 1);
    CHECK(json_kind(json_get(a.json, "next")) == JSON_KIND_NULL);
    for (int i = 0; i < 3; i++)
        submit(&r, &r.steward, "test.count", "{}");
    a = visit(&v, "GET", "/api/jobs?limit=3", "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 3);
    CHECK_STR(json_get_str(json_at(json_get(a.json, "items"), 0), "id", STR("")), r.id);
    a = visit(&v, "GET",
              str_printf(r.c.arena, "/api/jobs?limit=3&after=%.*s",
                         STR_FMT(json_get_str(a.json, "next", STR(""))))
                  .ptr,
              "");
    CHECK_EQ(json_len(json_get(a.json, "items")), 1);
    room_close(&r);
}

TEST(the_log_is_read_on_and_events_end_with_the_job)
{
    ROOM(r);
    struct visitor v = enter(&r, "zhou");
    struct why why = {0};
    CHECK_OK(compute_start(r.compute, &why), &why);
    submit(&r, &r.steward, "test.count", "{\"n\":700,\"us\":1000}");
    struct answer a = at(&r, &v, "GET", "/events"); /* returns when the stream ends */
    CHECK_EQ(a.status, 200);
    CHECK(str_find(answer_header(&a, "Content-Type"), STR("text/event-stream")) != STR_NPOS);
    CHECK(str_find(a.body, STR("event: state")) != STR_NPOS);
    CHECK(str_find(a.body, STR("event: progress")) != STR_NPOS);
    CHECK(str_find(a.body, STR("\"state\":\"done\"")) != STR_NPOS);
    size_t n = 0;
    for (size_t i = str_find(a.body, STR("event: progress")); i != STR_NPOS;
         i = str_find_from(a.body, STR("event: progress"), i + 1))
        n++;
    CHECK(n >= 1 && n <= 40); /* 700 steps, but four times a second */
    a = at(&r, &v, "GET", "/log");
    CHECK_EQ(a.status, 200);
    CHECK(str_find(a.body, STR("begins at 0")) != STR_NPOS);
    struct str next = answer_header(&a, "X-Log-Next");
    CHECK(next.len > 0);
    a = at(&r, &v, "GET", str_printf(r.c.arena, "/log?from=%.*s", STR_FMT(next)).ptr);
    CHECK_EQ(a.body.len, 0);
    a = at(&r, &v, "GET", "");
    CHECK_EQ(json_get_int(json_get(a.json, "result"), "n", 0), 700);
    CHECK_EQ(json_get_int(a.json, "done", 0), 700);
    room_close(&r);
}

/* In the language that the caller names; who names none reads what the programs keep. */
TEST(why_a_job_failed_and_its_log_are_told_in_the_callers_language)
{
    ROOM(r);
    struct visitor v = enter(&r, "zhou");
    struct why why = {0};
    CHECK_OK(compute_start(r.compute, &why), &why);
    submit(&r, &r.steward, "test.fail", "{\"missing\":true}");
    (void)at(&r, &v, "GET", "/events");
    CHECK_STR(json_get_str(at(&r, &v, "GET", "").json, "why", STR("")), "there is no user \"x\"");
    CHECK(str_find(at(&r, &v, "GET", "/log").body, STR(" not_found: there is no user \"x\"\n")) !=
          STR_NPOS);
    CHECK(str_find(at(&r, &v, "GET", "/events?language=zh").body, STR("没有用户")) != STR_NPOS);
    v.language = "zh-CN,zh;q=0.9";
    CHECK_STR(json_get_str(at(&r, &v, "GET", "").json, "why", STR("")), "没有用户“x”");
    CHECK(str_find(at(&r, &v, "GET", "/log").body, STR(" 没有找到：没有用户“x”\n")) != STR_NPOS);
    CHECK(str_find(at(&r, &v, "GET", "/events").body, STR("没有用户")) != STR_NPOS);
    CHECK(str_find(at(&r, &v, "GET", "/events?language=en").body, STR("there is no user")) !=
          STR_NPOS);
    v.language = "en";
    CHECK_STR(json_get_str(at(&r, &v, "GET", "").json, "why", STR("")), "there is no user \"x\"");
    room_close(&r);
}

TEST(each_role_passes_the_doors_it_should_and_no_other)
{
    static const struct {
        const char *role;
        bool reads, manages;
    } cases[] = {
        {"system_admin", true, true}, {"security_admin", false, false}, {"auditor", false, false},
        {"tenant_admin", true, true}, {"developer", true, false},       {"agent", false, false},
        {"handler", false, false},    {"steward", true, true},          {"annotator", false, false},
        {"reader", false, false},
    };
    static const char *const reads[] = {"", "/log", "/events"};
    ROOM(r);
    struct visitor nobody = {.door = &r.d, .arena = r.c.arena};
    submit(&r, &r.steward, "test.count", "{}");
    CHECK_OK(job_cancel(r.compute, &r.steward, r.id, NULL), NULL);
    for (size_t k = 0; k < 3; k++)
        CHECK_EQ(at(&r, &nobody, "GET", reads[k]).status, 401);
    CHECK_EQ(at(&r, &nobody, "POST", "/cancel").status, 401);
    CHECK_EQ(visit(&nobody, "GET", "/api/jobs", "").status, 401);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name = str_printf(r.c.arena, "m-%s", cases[i].role).ptr;
        (void)ready(&r.c, NULL, name, cases[i].role);
        struct visitor v = enter(&r, name);
        CHECK_EQ(visit(&v, "GET", "/api/jobs", "").status, cases[i].reads ? 200 : 403);
        for (size_t k = 0; k < 3; k++)
            CHECK_EQ(at(&r, &v, "GET", reads[k]).status, cases[i].reads ? 200 : 403);
        CHECK_EQ(at(&r, &v, "POST", "/retry").status, cases[i].manages ? 200 : 403);
        CHECK_EQ(at(&r, &v, "POST", "/cancel").status, cases[i].manages ? 200 : 403);
    }
    /* Every route of the table was asked for. */
    CHECK_EQ(compute_routes(r.compute)->n, 6);
    room_close(&r);
}

TEST(another_tenants_jobs_are_not_there)
{
    static const char *const reads[] = {"", "/log", "/events"};
    ROOM(r);
    struct ops_identity system = ops_system();
    struct str tenant;
    CHECK_OK(ops_tenant_create(r.c.ops, &system, STR("water"), STR("W"), r.c.arena, &tenant, NULL),
             NULL);
    (void)ready(&r.c, str_z(r.c.arena, tenant), "li", "steward");
    struct visitor li = enter(&r, "li@water"), zhou = enter(&r, "zhou");
    submit(&r, &r.steward, "test.count", "{}");
    for (size_t k = 0; k < 3; k++)
        CHECK_EQ(at(&r, &li, "GET", reads[k]).status, 404);
    CHECK_EQ(at(&r, &li, "POST", "/cancel").status, 404);
    CHECK_EQ(at(&r, &li, "POST", "/retry").status, 404);
    CHECK_EQ(json_len(json_get(visit(&li, "GET", "/api/jobs", "").json, "items")), 0);
    zhou.no_csrf = true;
    CHECK_EQ(at(&r, &zhou, "POST", "/cancel").status, 403);
    zhou.no_csrf = false;
    CHECK_STR(json_get_str(at(&r, &zhou, "GET", "").json, "state", STR("")), "queued");
    room_close(&r);
}

TESTS_MAIN()
