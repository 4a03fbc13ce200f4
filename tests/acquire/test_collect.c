/* Collectors against real servers: the promises of acquire.h on either engine of the store. */
#include "room.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "core/time.h"
#include "http/http.h"
#include "support/pg_cluster.h"

#define FRESH(r)                                                                                   \
    struct room r;                                                                                 \
    FRESH_STORE(store, 4);                                                                         \
    if (!collectors_fresh(&(r), store))                                                            \
    SKIP("no room")

#define DONE(r)                                                                                    \
    do {                                                                                           \
        room_done(&(r));                                                                           \
        test_store_done(store);                                                                    \
    } while (0)

#define PAPERS "'collection':{'licence':'政务数据授权','authority':'数据局'}"

static const struct json *create(struct room *r, const char *form, const char *what)
{
    const struct json *made = NULL;
    const struct json *body = room_json(r, form, what);
    ASK(*r, made, acquire_create(r->acquire, &r->who, body, r->arena, out, &ask_why));
    return made;
}

/* What it is refused with. */
static struct why refused(struct room *r, const char *form, const char *what, enum err err)
{
    struct buf buf;
    struct json_out out;
    struct why why = {0};
    buf_init(&buf, r->arena);
    json_out_init(&out, &buf);
    CHECK_EQ(acquire_create(r->acquire, &r->who, room_json(r, form, what), r->arena, &out, &why),
             err);
    return why;
}

static int64_t number(const struct json *result, const char *name)
{
    return json_get_int(result, name, -1);
}

/* ---- a server with a site and an API, with their whims ---- */

static struct {
    struct http_server *server;
    atomic_int hits, fails, slow, pages_304;
    atomic_bool changed, closed, gone;
    atomic_int kill_at; /* the hit at which the collector's process is killed */
    char url[64];
} site;

static void html(struct http_response *res, const char *text)
{
    http_send(res, "text/html; charset=utf-8", str_c(text));
}

static enum err robots(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    if (site.closed)
        http_status(res, 503);
    http_send(res, "text/plain",
              STR("User-agent: *\nDisallow: /private\nCrawl-delay: 0.01\nSitemap: /map.xml\n"));
    return ERR_OK;
}

static enum err sitemap(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_send(res, "application/xml",
              STR("<urlset><url><loc>/only-in-map</loc></url><url><loc>http://elsewhere.cn/</loc>"
                  "</url></urlset>"));
    return ERR_OK;
}

/* /site/{name}: pages with links, traps, redirects, errors. */
static enum err page(struct http_request *req, struct http_response *res, struct why *why)
{
    struct str name = http_param(req, "name");
    char text[1000];
    site.hits++;
    (void)why;
    if (str_eq_c(name, "start")) {
        html(res, "<h1>首页</h1><p>欢迎办事。</p><a href=a>a</a><a href='b?utm_source=x'>b</a>"
                  "<a href=/private/x>p</a><a href='http://10.0.0.1/'>i</a><a href=to>r</a>"
                  "<a href=loop?n=1>l</a><a href=away>w</a><a href=broken>x</a><a href=gone>g</a>"
                  "<a href=noindex>n</a>");
    } else if (str_eq_c(name, "a")) {
        if (str_eq_c(http_header(req, "If-None-Match"), "\"a1\"") && !site.changed) {
            site.pages_304++;
            http_status(res, 304);
            return ERR_OK;
        }
        http_set_header(res, "ETag", site.changed ? "\"a2\"" : "\"a1\"");
        html(res, site.changed ? "<p>甲页，新的。</p>" : "<p>甲页。</p><a href=deep>d</a>");
    } else if (str_eq_c(name, "b")) {
        html(res, "<p>乙页。</p><a href=start>s</a>");
    } else if (str_eq_c(name, "to")) {
        http_status(res, 302);
        http_set_header(res, "Location", "/site/target");
    } else if (str_eq_c(name, "away")) {
        http_status(res, 302);
        http_set_header(res, "Location", "http://169.254.169.254/secret");
    } else if (str_eq_c(name, "loop")) {
        int64_t n = http_param_int(req, "n", 0);
        (void)snprintf(text, sizeof text, "<p>第%lld页的日历</p><a href='loop?n=%lld'>next</a>",
                       (long long)n, (long long)n + 1);
        http_send(res, "text/html", str_copy(http_arena(req), str_c(text)));
    } else if (str_eq_c(name, "broken")) {
        http_status(res, site.fails++ < 1 ? 503 : 404);
    } else if (str_eq_c(name, "gone")) {
        http_status(res, site.gone ? 410 : 200);
        html(res, "<p>快要没有了。</p>");
    } else if (str_eq_c(name, "noindex")) {
        html(res, "<meta name=robots content=noindex><p>不收。</p><a href=behind>b</a>");
    } else {
        (void)snprintf(text, sizeof text, "<p>页面 %.*s。</p>", STR_FMT(name));
        http_send(res, "text/html", str_copy(http_arena(req), str_c(text)));
    }
    return ERR_OK;
}

static enum err root(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    html(res, "<p>页面 map。</p>");
    return ERR_OK;
}

/* GET /items?page=&size=&since=: 10 items, with failures and slowness on the way. */
static enum err items(struct http_request *req, struct http_response *res, struct why *why)
{
    int64_t page_no = http_param_int(req, "page", 1);
    struct str since = http_param(req, "since");
    int hit = ++site.hits;
    (void)why;
    if (!str_eq_c(http_header(req, "X-Token"), "hunter2")) {
        http_status(res, 401);
        return ERR_OK;
    }
    if (site.fails > 0 && page_no == 2) {
        site.fails--;
        http_status(res, 503);
        http_set_header(res, "Retry-After", "1");
        return ERR_OK;
    }
    if (site.slow > 0 && page_no == 3) {
        site.slow--;
        time_sleep_ms(2500);
    }
    if (hit == site.kill_at)
        time_sleep_ms(1500); /* the collector is killed while it waits */
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_key(out, "data");
    json_begin_object(out);
    json_key(out, "list");
    json_begin_array(out);
    int64_t place = 0;
    for (int64_t i = 0; i < (site.changed ? 11 : 10); i++) {
        char at[40], words[60];
        int64_t day = site.changed && i == 4 ? 20 : i + 1;
        (void)snprintf(at, sizeof at, "2026-01-%02lld", (long long)day);
        (void)snprintf(words, sizeof words, "第%lld件%s", (long long)i, day == 20 ? "改" : "");
        if (since.len && str_cmp(str_c(at), since) < 0)
            continue;
        if (place++ / 3 != page_no - 1)
            continue;
        json_begin_object(out);
        json_kv_int(out, "id", 100 + i);
        json_kv_c(out, "content", words);
        json_kv_c(out, "updated", at);
        json_key(out, "dept");
        json_begin_object(out);
        json_kv_c(out, "name", "教育局");
        json_end_object(out);
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/robots.txt",
     .access = HTTP_PUBLIC,
     .summary = "x",
     .handle = robots},
    {.method = "GET", .path = "/map.xml", .access = HTTP_PUBLIC, .summary = "x", .handle = sitemap},
    {.method = "GET",
     .path = "/only-in-map",
     .access = HTTP_PUBLIC,
     .summary = "x",
     .handle = root},
    {.method = "GET",
     .path = "/site/{name}",
     .access = HTTP_PUBLIC,
     .summary = "x",
     .handle = page},
    {.method = "GET", .path = "/items", .access = HTTP_PUBLIC, .summary = "x", .handle = items},
};

static enum err let_in(void *ctx, struct http_request *req, const struct http_route *route,
                       struct why *why)
{
    (void)ctx, (void)req, (void)route, (void)why;
    return ERR_OK;
}

static bool serve(struct room *r)
{
    static struct http_table table = {
        .room = "site", .routes = routes, .n = sizeof routes / sizeof routes[0]};
    const struct conf *conf = NULL;
    const char *sets[] = {"http.port=0", "http.access_log=false"};
    struct why why = {0};
    site.hits = site.fails = site.slow = site.pages_304 = site.kill_at = 0;
    site.changed = site.closed = site.gone = false;
    CHECK_OK(conf_load(&http_conf, 1, NULL, sets, 2, r->arena, &conf, &why), &why);
    struct http_opts opts = {.conf = conf,
                             .tables = &table,
                             .n_tables = 1,
                             .authorize = let_in,
                             .temp_dir = file_join(r->arena, r->dir, "http")};
    CHECK_OK(http_start(&opts, &site.server, &why), &why);
    (void)snprintf(site.url, sizeof site.url, "http://127.0.0.1:%d",
                   site.server ? http_port(site.server) : 0);
    return site.server != NULL;
}

/* ---- an API ---- */

#define API                                                                                        \
    "{'name':'诉求','kind':'http_json','dataset':'诉求','record_kind':'text','map':{'text':"   \
    "'content','department':'dept.name'}," PAPERS ",'settings':{'url':'@/items','headers':{"       \
    "'X-Token':'hunter2'},'items':'data.list','paging':'page','param':'page','size':3,"            \
    "'since_param':'since','since_path':'updated','pause_ms':0,'timeout_ms':2000}}"

TEST(an_api_is_read_page_by_page_through_errors_and_slowness)
{
    FRESH(r);
    if (!serve(&r))
        return;
    site.fails = 1;
    site.slow = 1;
    const struct json *made = create(&r, API, site.url);
    CHECK_STR(json_get_str(json_at(json_get(made, "secrets"), 0), "x", STR("")), "");
    CHECK_STR(json_str(json_at(json_get(made, "secrets"), 0), STR("")), "headers.X-Token");
    struct str shown;
    CHECK_EQ(json_dump(made, r.arena, &shown, NULL), ERR_OK);
    CHECK(str_find(shown, STR("hunter2")) == STR_NPOS);
    const struct json *got = room_run(&r, "诉求");
    CHECK(json_get_bool(got, "made", false));
    CHECK_EQ(number(got, "n_new"), 10);
    CHECK_EQ(number(got, "number"), 1);
    CHECK(str_starts(room_values(&r, "诉求", "text", NULL), STR("第0件|第1件|")));
    CHECK(str_starts(room_values(&r, "诉求", "department", NULL), STR("教育局|教育局")));
    /* Only what changed since is asked for and counts; nothing new makes no version. */
    got = room_run(&r, "诉求");
    CHECK(!json_get_bool(got, "made", true));
    CHECK_EQ(number(got, "n_same"), 1);
    site.changed = true;
    int before = site.hits;
    got = room_run(&r, "诉求");
    CHECK_EQ(number(got, "number"), 2);
    CHECK_EQ(number(got, "n_new"), 1);
    CHECK_EQ(number(got, "n_changed"), 1);
    CHECK_EQ(number(got, "n_records"), 11);
    CHECK(site.hits - before <= 5);
    /* The runs tell it, and the state is shown. */
    const struct json *runs = NULL;
    ASK(r, runs, acquire_runs_json(r.acquire, &r.who, STR("诉求"), 10, r.arena, out, &ask_why));
    CHECK_EQ(json_len(json_get(runs, "items")), 3);
    CHECK_EQ(number(json_at(json_get(runs, "items"), 0), "version_number"), 2);
    CHECK_STR(json_get_str(json_at(json_get(runs, "items"), 0), "state", STR("")), "done");
    /* Its papers are with the source. */
    const struct json *sources = NULL;
    ASK(r, sources,
        data_sources_json(r.data, &r.who, STR(""), STR(""), 10, r.arena, out, &ask_why));
    const struct json *papers = json_get(json_at(json_get(sources, "items"), 0), "collection");
    CHECK_STR(json_get_str(papers, "collector", STR("")), "诉求");
    CHECK_STR(json_get_str(papers, "authority", STR("")), "数据局");
    CHECK(json_get_str(papers, "first_collected_at", STR("")).len > 0);
    CHECK(json_get_str(papers, "collected_at", STR("")).len > 0);
    http_stop(site.server, 1000);
    DONE(r);
}

TEST(inner_addresses_are_refused_also_behind_redirects)
{
    FRESH(r);
    room_close(&r);
    r.networks = NULL; /* not even the local machine */
    CHECK_OK(room_open(&r, store), &r.why);
    if (!serve(&r))
        return;
    char id[UUID_TEXT];
    struct why why = {0};
    enum err failed = ERR_OK;
    (void)create(&r, API, site.url);
    CHECK_OK(acquire_run(r.acquire, &r.who, STR("诉求"), id, &why), &why);
    (void)room_job(&r, id, &failed, &why);
    CHECK_EQ(failed, ERR_FORBIDDEN);
    CHECK(strstr(why.text, "may not be used") != NULL);
    CHECK_EQ(site.hits, 0);
    http_stop(site.server, 1000);
    DONE(r);
}

TEST(a_trial_shows_records_and_keeps_nothing)
{
    FRESH(r);
    if (!serve(&r))
        return;
    char id[UUID_TEXT];
    struct why why = {0};
    enum err failed;
    const struct json *body = room_json(&r, API, site.url);
    CHECK_OK(acquire_try(r.acquire, &r.who, body, id, &why), &why);
    struct job_info info;
    CHECK_EQ(job_find(r.compute, id, r.arena, &info, NULL), ERR_OK);
    CHECK(str_find(info.spec, STR("hunter2")) == STR_NPOS); /* sealed in the spec, too */
    const struct json *got = room_job(&r, id, &failed, &why);
    CHECK_OK(failed, &why);
    CHECK_EQ(json_len(json_get(got, "records")), 10);
    CHECK_STR(json_get_str(json_at(json_get(got, "records"), 0), "text", STR("")), "第0件");
    CHECK_EQ(json_len(json_get(got, "sources")), 1);
    const struct json *sets = NULL;
    ASK(r, sets,
        data_sets_json(r.data, &r.who, &(struct data_sets_ask){.limit = 100}, r.arena, out,
                       &ask_why));
    CHECK_EQ(json_len(json_get(sets, "items")), 0);
    http_stop(site.server, 1000);
    DONE(r);
}

/* ---- a site ---- */

#define SITE                                                                                       \
    "{'name':'site','kind':'site','dataset':'site'," PAPERS ",'settings':{'start':['@/site/start'" \
    "],'pause_ms':0,'depth':4,'pages':60,'timeout_ms':3000}}"

TEST(a_site_is_crawled_as_it_asks)
{
    FRESH(r);
    if (!serve(&r))
        return;
    (void)create(&r, SITE, site.url);
    const struct json *got = room_run(&r, "site");
    struct str texts = room_values(&r, "site", "text", NULL);
    CHECK(str_find(texts, STR("欢迎办事")) != STR_NPOS);
    CHECK(str_find(texts, STR("页面 deep。")) != STR_NPOS);
    CHECK(str_find(texts, STR("页面 target。")) != STR_NPOS);
    CHECK(str_find(texts, STR("页面 map。")) != STR_NPOS);
    CHECK(str_find(texts, STR("页面 behind。")) != STR_NPOS);
    CHECK(str_find(texts, STR("不收")) == STR_NPOS);
    CHECK(str_find(texts, STR("第4页的日历")) != STR_NPOS);
    CHECK(str_find(texts, STR("第5页的日历")) == STR_NPOS); /* too far */
    int64_t n = number(got, "n_records");
    CHECK_EQ(number(got, "n_bad"), 0);
    /* Nothing changed: asked with the ETag, no version. */
    got = room_run(&r, "site");
    CHECK(!json_get_bool(got, "made", true));
    CHECK_EQ(site.pages_304, 1);
    /* One page changed, one is gone; a page that is linked no more stays. */
    site.changed = true;
    site.gone = true;
    got = room_run(&r, "site");
    CHECK_EQ(number(got, "number"), 2);
    CHECK_EQ(number(got, "n_changed"), 1);
    CHECK_EQ(number(got, "n_new"), 0);
    CHECK_EQ(number(got, "n_records"), n - 1);
    texts = room_values(&r, "site", "text", NULL);
    CHECK(str_find(texts, STR("甲页，新的。")) != STR_NPOS);
    CHECK(str_find(texts, STR("快要没有了")) == STR_NPOS);
    /* No robots.txt to be had: nothing is fetched. */
    char id[UUID_TEXT];
    struct why why = {0};
    enum err failed;
    site.closed = true;
    CHECK_OK(acquire_run(r.acquire, &r.who, STR("site"), id, &why), &why);
    int before = site.hits;
    (void)room_job(&r, id, &failed, &why);
    CHECK_EQ(failed, ERR_FORBIDDEN);
    CHECK_EQ(site.hits, before);
    http_stop(site.server, 1000);
    DONE(r);
}

/* ---- databases ---- */

static void sql(struct store *db, const char *text)
{
    struct why why = {0};
    CHECK_OK(store_run(db, text, STORE_NO_ARGS, NULL, &why), &why);
}

#define TABLE                                                                                      \
    "CREATE TABLE cases (id INTEGER PRIMARY KEY, title TEXT, amount REAL, done INTEGER, updated "  \
    "TEXT)"

TEST(a_sqlite_table_is_read_by_its_cursor)
{
    FRESH(r);
    struct store *db = NULL;
    const char *path = file_join(r.arena, r.dir, "cases.db");
    struct store_opts opts = {.url = path, .busy_timeout_ms = 2000, .n_connections = 2};
    CHECK_EQ(store_open(&opts, &db, NULL), ERR_OK);
    sql(db, TABLE);
    sql(db, "INSERT INTO cases VALUES (1, '甲', 1.5, 0, '2026-01-01'), (2, '乙', NULL, 1, "
            "'2026-01-02'), (3, '丙', 3, 0, NULL)");
    (void)create(&r,
                 "{'name':'cases','kind':'sqlite','dataset':'cases'," PAPERS ",'settings':{'path':"
                 "'@','table':'cases','key':['id'],'cursor':'updated'}}",
                 path);
    const struct json *got = room_run(&r, "cases");
    CHECK_EQ(number(got, "n_new"), 3);
    CHECK_STR(room_values(&r, "cases", "row", "title"), "甲|乙|丙");
    CHECK_STR(room_values(&r, "cases", "row", "amount"), "1.5|null|3");
    CHECK_STR(room_values(&r, "cases", "row", "done"), "0|1|0");
    sql(db, "UPDATE cases SET title = '乙乙', updated = '2026-01-03' WHERE id = 2");
    sql(db, "INSERT INTO cases VALUES (4, '丁', 4, 0, '2026-01-04')");
    got = room_run(&r, "cases");
    CHECK_EQ(number(got, "n_new"), 1);
    CHECK_EQ(number(got, "n_changed"), 1);
    CHECK_STR(room_values(&r, "cases", "row", "title"), "甲|丙|乙乙|丁");
    CHECK(!json_get_bool(room_run(&r, "cases"), "made", true));
    /* A snapshot is the table as it is. */
    (void)create(&r,
                 "{'name':'all','kind':'sqlite','dataset':'all','record_kind':'text','map':{'text':"
                 "'title'}," PAPERS
                 ",'settings':{'path':'@','query':'SELECT title FROM cases WHERE "
                 "done = 0 ORDER BY id','mode':'snapshot'}}",
                 path);
    CHECK_EQ(number(room_run(&r, "all"), "n_records"), 3);
    sql(db, "DELETE FROM cases WHERE id = 1");
    CHECK_EQ(number(room_run(&r, "all"), "n_records"), 2);
    CHECK_STR(room_values(&r, "all", "text", NULL), "丙|丁");
    store_close(db);
    DONE(r);
}

TEST(a_query_may_only_read)
{
    FRESH(r);
    static const char *const wrong[] = {
        "DELETE FROM cases", "SELECT * FROM cases) q; DROP TABLE cases --", "ATTACH 'x' AS y",
        "SELECT load_extension('x')", "PRAGMA journal_mode = DELETE"};
    const char *path = file_join(r.arena, r.dir, "cases.db");
    struct store *db = NULL;
    struct store_opts opts = {.url = path, .busy_timeout_ms = 2000, .n_connections = 1};
    CHECK_EQ(store_open(&opts, &db, NULL), ERR_OK);
    sql(db, TABLE);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf buf;
        struct json_out out;
        char id[UUID_TEXT];
        struct why why = {0};
        enum err failed = ERR_OK;
        buf_init(&buf, r.arena);
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_c(&out, "path", path);
        json_kv_c(&out, "query", wrong[i]);
        json_kv_c(&out, "mode", "snapshot");
        json_end_object(&out);
        struct str body = str_printf(
            r.arena,
            "{\"name\":\"q\",\"kind\":\"sqlite\",\"dataset\":\"q\",\"collection\":{\"licence\":"
            "\"x\"},\"settings\":%.*s}",
            STR_FMT(buf_str(&buf)));
        const struct json *json;
        CHECK_EQ(json_parse(body, r.arena, &json, NULL), ERR_OK);
        enum err err = acquire_try(r.acquire, &r.who, json, id, &why);
        if (!err)
            (void)room_job(&r, id, &failed, &why);
        CHECK_EQ(err ? err : failed, ERR_INVALID);
    }
    sql(db, "INSERT INTO cases VALUES (1, '甲', 1.5, 0, '2026-01-01')"); /* it is still there */
    store_close(db);
    /* A file that is no database, or a damaged one. */
    CHECK_EQ(
        file_write(path, STR("SQLite format 3\0 and then nothing that makes sense"), 0640, NULL),
        ERR_OK);
    char id[UUID_TEXT];
    struct why why = {0};
    enum err failed = ERR_OK;
    CHECK_OK(acquire_try(r.acquire, &r.who,
                         room_json(&r,
                                   "{'name':'q','kind':'sqlite','dataset':'q'," PAPERS
                                   ",'settings':{'path':'@','table':'t','mode':'snapshot'}}",
                                   path),
                         id, &why),
             &why);
    (void)room_job(&r, id, &failed, &why);
    CHECK_EQ(failed, ERR_INVALID);
    DONE(r);
}

TEST(a_postgresql_table_keeps_its_types)
{
    char words[200], url[300], host[200], settings[600];
    struct pg_cluster *cluster = pg_cluster_new(words, sizeof words);
    if (!cluster)
        SKIP("PostgreSQL's server is not installed");
    CHECK(pg_cluster_database(cluster, "city", url, sizeof url));
    FRESH(r);
    struct store *db = NULL;
    struct store_opts opts = {.url = url, .busy_timeout_ms = 5000, .n_connections = 2};
    CHECK_EQ(store_open(&opts, &db, NULL), ERR_OK);
    sql(db, "CREATE TABLE t (a BIGINT, b TEXT, n NUMERIC(20,4), ok BOOLEAN, j JSONB, at "
            "TIMESTAMPTZ, tags TEXT[], PRIMARY KEY (a, b))");
    sql(db, "INSERT INTO t SELECT g, 'x' || g, g + 0.25, g % 2 = 0, '{\"k\": [1, null]}', "
            "timestamptz '2026-01-01 00:00:00+08' + g * interval '1 hour', ARRAY['甲', 'b'] FROM "
            "generate_series(1, 2500) g");
    /* "postgresql:///city?host=...": what the cluster gives for a socket. */
    const char *at = strstr(url, "host="), *end = at ? strpbrk(at, "&") : NULL;
    (void)snprintf(host, sizeof host, "%.*s", at ? (int)(end ? end - at : (long)strlen(at)) - 5 : 0,
                   at ? at + 5 : "");
    for (char *p; (p = strstr(host, "%2F")) != NULL;) {
        *p = '/';
        memmove(p + 1, p + 3, strlen(p + 3) + 1);
    }
    (void)snprintf(settings, sizeof settings,
                   "\"host\":\"%s\",\"user\":\"yicheng\",\"database\":\"city\",\"password\":"
                   "\"none\"",
                   host);
    (void)create(&r,
                 "{'name':'t','kind':'postgresql','dataset':'t'," PAPERS ",'settings':{@,'table':"
                 "'public.t','key':['a','b'],'cursor':'at'}}",
                 settings);
    const struct json *got = room_run(&r, "t");
    CHECK_EQ(number(got, "n_new"), 2500);
    struct data_reader *reader = NULL;
    struct data_record record = {.line = STR("")};
    CHECK_EQ(data_reader_open(r.data, &r.who, STR("t"), 0, &reader, NULL), ERR_OK);
    CHECK_EQ(data_reader_at(reader, 1, r.arena, &record, NULL), ERR_OK);
    data_reader_close(reader);
    static const char *const parts[] = {"\"a\":2,",
                                        "\"b\":\"x2\"",
                                        "\"n\":2.2500",
                                        "\"ok\":true",
                                        "\"j\":{\"k\": [1, null]}",
                                        "\"tags\":[\"甲\",\"b\"]",
                                        "\"at\":\"2025-12-31T18:00:00+00:00\""};
    for (size_t i = 0; i + 1 < sizeof parts / sizeof parts[0]; i++) /* the zone is the server's */
        CHECK(str_find(record.line, str_c(parts[i])) != STR_NPOS);
    sql(db, "UPDATE t SET ok = NULL, at = at + interval '1 year' WHERE a = 7");
    got = room_run(&r, "t");
    CHECK_EQ(number(got, "n_changed"), 1);
    CHECK_EQ(number(got, "n_records"), 2500);
    /* What would write is refused by the transaction; a wrong word is told in words. */
    static const char *const wrong[] = {"SELECT nextval", "SELECT pg_sleep(30)",
                                        "SELECT * FROM nowhere"};
    sql(db, "CREATE SEQUENCE s");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char form[800], id[UUID_TEXT];
        struct why why = {0};
        enum err failed = ERR_OK;
        int64_t start = time_mono_ns();
        (void)snprintf(form, sizeof form, "%s,\"timeout_s\":1,\"query\":\"%s\"", settings,
                       i == 0 ? "SELECT nextval($$s$$)" : wrong[i]);
        CHECK_OK(acquire_try(r.acquire, &r.who,
                             room_json(&r,
                                       "{'name':'q','kind':'postgresql','dataset':'q'," PAPERS
                                       ",'settings':{@,'mode':'snapshot'}}",
                                       form),
                             id, &why),
                 &why);
        (void)room_job(&r, id, &failed, &why);
        CHECK_EQ(failed, i == 1 ? ERR_TIMEOUT : ERR_INVALID);
        CHECK(time_mono_ns() - start < 5000000000);
    }
    store_close(db);
    DONE(r);
    pg_cluster_free(cluster);
}

/* ---- what the centre has itself ---- */

TEST(documents_of_a_base_become_texts)
{
    FRESH(r);
    char id[UUID_TEXT];
    struct why why = {0};
    const char *path = file_join(r.arena, r.dir, "rule.md");
    CHECK_OK(knowledge_create(r.knowledge, &r.who, "rules", "规定", OPS_CLASS_PUBLIC, id, &why),
             &why);
    CHECK_EQ(file_write(path, STR("# 某市公园管理办法\n\n第一条 公园免费开放。\n"), 0640, NULL),
             ERR_OK);
    struct knowledge_import import = {.kb = "rules", .paths = &path, .n_paths = 1};
    struct knowledge_report report;
    CHECK_OK(knowledge_import(r.knowledge, &r.who, &import, NULL, NULL, r.arena, &report, &why),
             &why);
    (void)create(&r,
                 "{'name':'rules','kind':'knowledge','dataset':'rules'," PAPERS
                 ",'settings':{'base':'rules'}}",
                 "");
    CHECK_EQ(number(room_run(&r, "rules"), "n_new"), 1);
    CHECK(str_find(room_values(&r, "rules", "text", NULL), STR("公园免费开放")) != STR_NPOS);
    CHECK_STR(room_values(&r, "rules", "title", NULL), "某市公园管理办法");
    CHECK(!json_get_bool(room_run(&r, "rules"), "made", true));
    DONE(r);
}

#define CALL(id, consent, text)                                                                    \
    "INSERT INTO gateway_requests (id, at_ms, tenant_id, actor, name, application, address, "      \
    "trace, door, model, version, target, status, code, stream, cached, attempts, prompt_tokens, " \
    "cached_tokens, completion_tokens, source, money, ms, first_ms, queue_ms, request, reply, "    \
    "consent) VALUES ('" id "', 1, 'city', '', '', 'app', '', '', 'chat/completions', 'm', '', "   \
    "'', 200, '', 0, 0, 1, 1, 0, 1, '', 0, 1, 1, 0, '{\"messages\":[{\"role\":\"user\","           \
    "\"content\":\"" text                                                                          \
    "\"}]}', '{\"choices\":[{\"message\":{\"content\":\"请带证件\"}}]}', " consent ")"

TEST(calls_become_chats_only_with_consent_and_masked)
{
    FRESH(r);
    r.who.tenant = STR("city");
    sql(r.store, CALL("1", "1", "我的手机是13812345678，怎么办证？"));
    sql(r.store, CALL("2", "0", "我没有同意"));
    (void)create(&r,
                 "{'name':'calls','kind':'gateway_log','dataset':'calls','collection':{'authority':"
                 "'用户同意','consent':true},'settings':{}}",
                 "");
    (void)create(&r, "{'name':'no','kind':'gateway_log','dataset':'no'," PAPERS ",'settings':{}}",
                 "");
    CHECK_EQ(number(room_run(&r, "calls"), "n_new"), 1);
    struct str said = room_values(&r, "calls", "messages", NULL);
    CHECK(str_find(said, STR("怎么办证")) != STR_NPOS);
    CHECK(str_find(said, STR("请带证件")) != STR_NPOS);
    CHECK(str_find(said, STR("13812345678")) == STR_NPOS);
    CHECK(str_find(said, STR("没有同意")) == STR_NPOS);
    sql(r.store, CALL("3", "1", "第二次"));
    CHECK_EQ(number(room_run(&r, "calls"), "n_records"), 2);
    char id[UUID_TEXT];
    struct why why = {0};
    enum err failed;
    CHECK_OK(acquire_run(r.acquire, &r.who, STR("no"), id, &why), &why);
    (void)room_job(&r, id, &failed, &why);
    CHECK_EQ(failed, ERR_INVALID);
    CHECK(strstr(why.text, "consent") != NULL);
    /* Feedback: the same, as questions with their corrections. */
    sql(r.store, "INSERT INTO kb_feedback (id, tenant, answer, kb, question, answer_text, verdict, "
                 "comment, correction, state, result, created_ms, ended_ms, ended_by, consent) "
                 "VALUES ('f1', 'city', 'a', 'k', '几点开门', '八点', 'wrong', '', '九点', 'open', "
                 "'', 1, 0, '', 1), ('f2', 'city', 'a', 'k', '不给用', 'x', 'wrong', '', 'y', "
                 "'open', '', 1, 0, '', 0)");
    (void)create(&r,
                 "{'name':'said','kind':'feedback','dataset':'said','record_kind':'preference',"
                 "'collection':{'authority':'用户同意','consent':true}}",
                 "");
    CHECK_EQ(number(room_run(&r, "said"), "n_new"), 1);
    CHECK_STR(room_values(&r, "said", "chosen", NULL), "九点");
    CHECK_STR(room_values(&r, "said", "rejected", NULL), "八点");
    DONE(r);
}

TEST(files_are_read_by_the_import)
{
    FRESH(r);
    const char *dir = file_join(r.arena, r.dir, "in"), *path = file_join(r.arena, dir, "a.jsonl");
    CHECK_EQ(file_make_dirs(dir, NULL), ERR_OK);
    CHECK_EQ(file_write(path, STR("{\"text\":\"甲\"}\n"), 0640, NULL), ERR_OK);
    (void)create(&r,
                 "{'name':'files','kind':'files','dataset':'files'," PAPERS
                 ",'settings':{'paths':['@']}}",
                 dir);
    CHECK_EQ(number(room_run(&r, "files"), "n_records"), 1);
    CHECK(!json_get_bool(room_run(&r, "files"), "made", true));
    DONE(r);
}

/* ---- definitions and schedules ---- */

TEST(definitions_are_checked_in_words)
{
    static const struct {
        const char *form, *words;
    } cases[] = {
        {"{'name':'x','kind':'ftp','dataset':'x'," PAPERS "}", "no collectors of kind"},
        {"{'name':'X y','kind':'knowledge','dataset':'x'," PAPERS ",'settings':{'base':'b'}}",
         "cannot be the name"},
        {"{'name':'x','kind':'knowledge','dataset':'x','settings':{'base':'b'}}",
         "licence or the authority"},
        {"{'name':'x','kind':'knowledge','dataset':'x'," PAPERS "}", "\"base\" is missing"},
        {"{'name':'x','kind':'knowledge','dataset':'x'," PAPERS ",'settings':{'base':'b','z':1}}",
         "no setting \"z\""},
        {"{'name':'x','kind':'knowledge','dataset':'x'," PAPERS
         ",'settings':{'base':'b'},'schedule':'often'}",
         "is no schedule"},
        {"{'name':'x','kind':'knowledge','dataset':'x','record_kind':'qa'," PAPERS
         ",'settings':{'base':'b'}}",
         "gives records of"},
        {"{'name':'x','kind':'http_json','dataset':'x'," PAPERS
         ",'settings':{'url':'file:///etc'}}",
         "http://"},
        {"{'name':'x','kind':'http_json','dataset':'x'," PAPERS
         ",'settings':{'url':'http://a.cn/','paging':'page'}}",
         "\"param\""},
        {"{'name':'x','kind':'sqlite','dataset':'x'," PAPERS
         ",'settings':{'path':'/x','table':'t'}}",
         "\"key\""},
        {"{'name':'x','kind':'sqlite','dataset':'x'," PAPERS
         ",'settings':{'path':'/x','table':'t','query':'q','key':['k']}}",
         "either"},
        {"{'name':'x','kind':'site','dataset':'x'," PAPERS ",'settings':{'start':[]}}",
         "\"start\""},
    };
    FRESH(r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct why why = refused(&r, cases[i].form, "", ERR_INVALID);
        if (!strstr(why.text, cases[i].words))
            printf("# said: %s\n", why.text);
        CHECK(strstr(why.text, cases[i].words) != NULL);
    }
    DONE(r);
}

TEST(changes_keep_secrets_and_need_them_for_other_addresses)
{
    FRESH(r);
    const struct json *made = create(&r, API, "http://a.cn"), *now = NULL;
    struct why why = {0};
    struct buf buf;
    struct json_out out2;
    buf_init(&buf, r.arena);
    json_out_init(&out2, &buf);
    (void)refused(&r, API, "http://a.cn", ERR_CONFLICT);
    ASK(r, now,
        acquire_change(r.acquire, &r.who, STR("诉求"),
                       room_json(&r, "{'schedule':'6h','enabled':false}", ""), 1, r.arena, out,
                       &ask_why));
    CHECK_EQ(number(now, "revision"), 2);
    CHECK_EQ(json_len(json_get(now, "secrets")), 1);
    CHECK_EQ(acquire_change(r.acquire, &r.who, STR("诉求"), room_json(&r, "{'title':'x'}", ""), 1,
                            r.arena, &out2, NULL),
             ERR_PRECONDITION);
    CHECK_EQ(acquire_change(r.acquire, &r.who, STR("诉求"),
                            room_json(&r, "{'settings':{'url':'http://evil.cn/x'}}", ""), -1,
                            r.arena, &out2, &why),
             ERR_INVALID);
    CHECK(strstr(why.text, "given again") != NULL);
    CHECK_EQ(acquire_change(r.acquire, &r.who, STR("诉求"), room_json(&r, "{'kind':'site'}", ""),
                            -1, r.arena, &out2, NULL),
             ERR_INVALID);
    /* Another tenant knows nothing of it; a reader may not change it. */
    struct ops_identity other = r.who;
    other.tenant = STR("elsewhere");
    CHECK_EQ(acquire_remove(r.acquire, &other, json_get_str(made, "id", STR("")), NULL),
             ERR_NOT_FOUND);
    other = r.who;
    other.kind = STR("user");
    other.permissions = ops_permission_bit(STR("data.read"));
    CHECK_EQ(acquire_remove(r.acquire, &other, STR("诉求"), NULL), ERR_FORBIDDEN);
    CHECK_EQ(acquire_run(r.acquire, &other, STR("诉求"), (char[UUID_TEXT]){0}, NULL),
             ERR_FORBIDDEN);
    CHECK_OK(acquire_remove(r.acquire, &r.who, STR("诉求"), &why), &why);
    CHECK_EQ(acquire_remove(r.acquire, &r.who, STR("诉求"), NULL), ERR_NOT_FOUND);
    DONE(r);
}

TEST(what_is_due_is_started_once)
{
    FRESH(r);
    char id[UUID_TEXT];
    struct why why = {0};
    size_t n = 9;
    CHECK_OK(knowledge_create(r.knowledge, &r.who, "rules", "规定", OPS_CLASS_PUBLIC, id, &why),
             &why);
    (void)create(&r,
                 "{'name':'rules','kind':'knowledge','dataset':'rules','schedule':'1h'," PAPERS
                 ",'settings':{'base':'rules'}}",
                 "");
    int64_t now = time_now_ms(), hour = 3600000;
    CHECK_OK(acquire_tick(r.acquire, now, &n, &why), &why);
    CHECK_EQ(n, 0);
    CHECK_OK(acquire_tick(r.acquire, now + hour + 1000, &n, &why), &why);
    CHECK_EQ(n, 1);
    CHECK_OK(acquire_tick(r.acquire, now + hour + 2000, &n, &why), &why);
    CHECK_EQ(n, 0);
    const struct json *runs = NULL;
    ASK(r, runs, acquire_runs_json(r.acquire, &r.who, STR("rules"), 10, r.arena, out, &ask_why));
    CHECK_EQ(json_len(json_get(runs, "items")), 1);
    CHECK_STR(json_get_str(json_at(json_get(runs, "items"), 0), "by", STR("")), "schedule");
    /* While it waits, running it by hand gives the same job. */
    CHECK_OK(acquire_run(r.acquire, &r.who, STR("rules"), id, &why), &why);
    CHECK_STR(json_get_str(json_at(json_get(runs, "items"), 0), "job", STR("")), id);
    DONE(r);
}

/* ---- deaths ---- */

static struct store *open_store(const char *dir)
{
    static char path[128];
    struct store *store = NULL;
    (void)snprintf(path, sizeof path, "%s/yicheng.db", dir);
    struct store_opts opts = {.url = path, .busy_timeout_ms = 20000, .n_connections = 4};
    CHECK_EQ(store_open(&opts, &store, NULL), ERR_OK);
    return store;
}

/* Another process runs the job and is killed after `us`. */
static bool killed(const struct room *r, const char *id, useconds_t us)
{
    int status = 0;
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct room own = {.own_store = true, .networks = r->networks};
        memcpy(own.dir, r->dir, sizeof own.dir);
        if (room_open(&own, open_store(own.dir)) != ERR_OK)
            _exit(2);
        _exit(job_run(own.compute, id, NULL) != ERR_OK);
    }
    (void)usleep(us);
    (void)kill(pid, SIGKILL);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status);
}

static struct str through_deaths(struct room *r, const char *name, int *kills)
{
    char id[UUID_TEXT];
    struct why why = {0};
    struct job_info info = {.state = JOB_QUEUED};
    CHECK_OK(acquire_run(r->acquire, &r->who, str_c(name), id, &why), &why);
    for (useconds_t us = 30000; kills && us < 600000; us = us * 4 / 3) {
        *kills += killed(r, id, us);
        CHECK_EQ(job_find(r->compute, id, r->arena, &info, NULL), ERR_OK);
        if (info.state == JOB_DONE)
            break;
    }
    const struct json *result = NULL;
    enum err failed = ERR_OK;
    if (info.state == JOB_DONE) {
        CHECK_EQ(json_parse(info.result, r->arena, &result, NULL), ERR_OK);
    } else {
        result = room_job(r, id, &failed, &why);
        CHECK_OK(failed, &why);
    }
    return json_get_str(result, "manifest", STR("none"));
}

TEST(killed_collectors_lose_and_double_nothing)
{
    struct room calm = {.dir = "/tmp/yicheng-acquire-XXXXXX",
                        .own_store = true,
                        .networks = "127.0.0.1"},
                rough = calm;
    int kills = 0;
    CHECK(mkdtemp(calm.dir) != NULL && mkdtemp(rough.dir) != NULL);
    CHECK_OK(room_open(&calm, open_store(calm.dir)), &calm.why);
    if (!serve(&calm))
        return;
    CHECK_OK(room_open(&rough, open_store(rough.dir)), &rough.why);
    static const char *const forms[] = {SITE, API};
    static const char *const names[] = {"site", "诉求"};
    for (int i = 0; i < 2; i++) {
        (void)create(&calm, forms[i], site.url);
        (void)create(&rough, forms[i], site.url);
        struct str a = through_deaths(&calm, names[i], NULL);
        struct str b = through_deaths(&rough, names[i], &kills);
        CHECK(a.len == 64 && str_eq(a, b));
    }
    CHECK(kills >= 3);
    http_stop(site.server, 1000);
    room_done(&calm);
    room_done(&rough);
}

TESTS_MAIN()
