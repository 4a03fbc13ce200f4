/* The routes of the room through a real server. */
#include "meter/meter.h"
#include "ops/door.h"

struct room {
    struct centre c;
    struct door d;
    struct meter *meter;
    struct visitor admin, tenant_admin, developer, reader;
};

static struct visitor enter(struct room *r, const char *name, const char *role)
{
    struct visitor v = {.door = &r->d, .arena = r->c.arena};
    struct ops_session s;
    struct why why = {0};
    char *id = str_z(r->c.arena, centre_make(&r->c, NULL, name, role));
    CHECK_OK(store_run(r->c.store, "UPDATE ops_users SET must_change = 0 WHERE id = ?",
                       STORE_ARGS(SV_C(id)), NULL, NULL),
             NULL);
    CHECK_OK(ops_sign_in(r->c.ops, str_c(name), STR(PASSWORD), STR("::1"), STR(""), STR(""),
                         r->c.arena, &s, &why),
             &why);
    (void)snprintf(v.cookie, sizeof v.cookie, "yicheng_session=%s", s.token);
    memcpy(v.csrf, s.csrf, sizeof s.csrf);
    return v;
}

static bool room_open(struct room *r)
{
    static const struct conf_table *tables[] = {&ops_conf, &http_conf, &meter_conf};
    static const char *const sets[] = {"http.port=0", "http.access_log=false", "meter.commit=10ms"};
    struct conf_table all[3];
    struct why why = {0};
    for (size_t i = 0; i < 3; i++)
        all[i] = *tables[i];
    *r = (struct room){0};
    centre_more = meter_migrations;
    centre_n_more = meter_n_migrations;
    if (!centre_open_with(&r->c, all, 3, sets, 3))
        return false;
    struct meter_opts opts = {
        .store = r->c.store, .ops = r->c.ops, .conf = r->c.conf, .data_dir = test_store_dir()};
    CHECK_OK(meter_open(&opts, &r->meter, &why), &why);
    r->d = door_open(&r->c, meter_routes(r->meter), 1);
    r->admin = enter(r, "zhao", "system_admin");
    r->tenant_admin = enter(r, "qian", "tenant_admin");
    r->developer = enter(r, "sun", "developer");
    r->reader = enter(r, "li", "reader");
    return true;
}

static void room_close(struct room *r)
{
    door_close(&r->d);
    meter_close(r->meter);
    centre_close(&r->c);
}

#define ROOM(r)                                                                                    \
    struct room r;                                                                                 \
    if (!room_open(&r))                                                                            \
    SKIP(test_store_skip())

static struct meter_charge call_for(struct room *r, const char *tenant, const char *model,
                                    char id[UUID_TEXT])
{
    struct ops_identity who = {.kind = STR("key"), .id = STR("key-1"), .tenant = str_c(tenant)};
    struct meter_ask ask = {.who = &who,
                            .kind = METER_CHAT,
                            .model = str_c(model),
                            .prompt_tokens = 1000,
                            .max_completion_tokens = 1000};
    struct meter_call *call = NULL;
    struct meter_charge charge = {0};
    struct why why = {0};
    CHECK_OK(meter_begin(r->meter, &ask, &call, NULL, &why), &why);
    if (!call)
        return charge;
    memcpy(id, meter_call_id(call), UUID_TEXT);
    meter_deliver(call, 1);
    meter_end(call,
              &(struct meter_usage){.prompt = 1000,
                                    .cached = 200,
                                    .completion = 500,
                                    .outcome = METER_OK,
                                    .queue_ms = 4,
                                    .first_ms = 80},
              &charge);
    CHECK_OK(meter_flush(r->meter, 30000, &why), &why);
    return charge;
}

#define PRICE                                                                                      \
    "{\"price_key\":\"qwen\",\"prompt_micro_per_million\":800000,"                                 \
    "\"cached_micro_per_million\":200000,\"completion_micro_per_million\":2000000}"

TEST(a_price_is_set_used_and_billed)
{
    char id[UUID_TEXT];
    ROOM(r);
    CHECK_EQ(visit(&r.reader, "GET", "/api/prices", "").status, 403);
    CHECK_EQ(visit(&r.tenant_admin, "POST", "/api/prices", PRICE).status, 403);
    CHECK_EQ(visit(&r.admin, "POST", "/api/prices", PRICE).status, 201);
    CHECK_EQ(visit(&r.admin, "POST", "/api/prices", "{\"price_key\":\"\"}").status, 400);
    /* A name that is mistyped is no price of zero. */
    CHECK_EQ(
        visit(&r.admin, "POST", "/api/prices", "{\"price_key\":\"q\",\"prompt_micro\":9}").status,
        400);
    CHECK_EQ(
        visit(&r.admin, "POST", "/api/prices", "{\"price_key\":\"q\",\"request_micro\":-1}").status,
        400);
    CHECK_EQ(visit(&r.admin, "POST", "/api/prices",
                   "{\"price_key\":\"q\",\"from_at\":\"2020-01-01T00:00:00+08:00\"}")
                 .status,
             400);
    struct answer a = visit(&r.admin, "POST", "/api/prices",
                            "{\"price_key\":\"qwen\",\"from_at\":\"2099-01-01T00:00:00+08:00\","
                            "\"request_micro\":5}");
    CHECK_EQ(a.status, 201);
    char path[128];
    (void)snprintf(path, sizeof path, "/api/prices/%.*s",
                   STR_FMT(json_get_str(a.json, "id", STR(""))));
    a = visit(&r.developer, "GET", "/api/prices?price_key=qwen", "");
    CHECK_EQ(a.status, 200);
    CHECK_EQ(json_len(json_get(a.json, "items")), 2);
    CHECK_EQ(json_get_int(json_at(json_get(a.json, "items"), 1), "prompt_micro_per_million", 0),
             800000);
    CHECK_EQ(visit(&r.admin, "DELETE", path, "").status, 204);
    CHECK_EQ(visit(&r.admin, "DELETE", path, "").status, 404);

    /* 800 * 0.8 + 200 * 0.2 + 500 * 2 */
    CHECK_EQ(call_for(&r, OPS_HOME, "qwen", id).money, 1680);
    a = visit(&r.developer, "GET", "/api/usage?by=model,application&step=day", "");
    CHECK_EQ(a.status, 200);
    const struct json *row = json_at(json_get(a.json, "items"), 0);
    CHECK_STR(json_get_str(row, "model", STR("")), "qwen");
    CHECK_EQ(json_get_int(row, "money_micro", 0), 1680);
    CHECK_EQ((int)json_get_f64(row, "mean_first_ms", 0), 80);
    CHECK_EQ(json_get_int(json_get(a.json, "total"), "calls", 0), 1);
    CHECK_EQ(visit(&r.developer, "GET", "/api/usage?step=week", "").status, 400);
    CHECK_EQ(visit(&r.developer, "GET", "/api/usage?by=colour", "").status, 400);
    CHECK_EQ(visit(&r.developer, "GET", "/api/usage?from=2026-13-01", "").status, 400);

    a = visit(&r.developer, "GET", "/api/bills", "");
    CHECK_EQ(json_get_int(json_at(json_get(a.json, "items"), 0), "money_micro", 0), 1680);
    struct str month = json_get_str(json_at(json_get(a.json, "items"), 0), "month", STR(""));
    (void)snprintf(path, sizeof path, "/api/bills/%.*s", STR_FMT(month));
    a = visit(&r.developer, "GET", path, "");
    CHECK_EQ(json_get_int(a.json, "money_micro", 0), 1680);
    CHECK(!json_get_bool(a.json, "closed", true));
    CHECK_EQ(visit(&r.developer, "GET", "/api/bills/2026-13", "").status, 400);
    CHECK_EQ(visit(&r.developer, "GET", "/api/bills/2099-01", "").status, 404);
    strcat(path, "/csv");
    a = visit(&r.developer, "GET", path, "");
    CHECK_EQ(a.status, 200);
    CHECK(str_find(a.body, STR("0.001680")) != STR_NPOS);
    CHECK(str_find(a.head, STR("attachment")) != STR_NPOS);
    path[strlen(path) - 4] = '\0';
    strcat(path, "/close");
    CHECK_EQ(visit(&r.developer, "POST", path, "{}").status, 403);
    CHECK_EQ(visit(&r.admin, "POST", path, "{}").status, 409); /* it is not over */

    (void)snprintf(path, sizeof path, "/api/metered_calls/%s", id);
    a = visit(&r.developer, "GET", path, "");
    CHECK_EQ(a.status, 200);
    CHECK_EQ(json_get_int(a.json, "money_micro", 0), 1680);
    CHECK_STR(json_get_str(a.json, "outcome", STR("")), "ok");
    uint8_t digest[HASH_BYTES];
    char hex[HASH_TEXT];
    hash_of(HASH_SHA256, json_get_str(a.json, "canonical", STR("")), digest);
    CHECK_STR(json_get_str(a.json, "sha256", STR("")), hex_put(digest, sizeof digest, hex));
    /* The only line of its batch: the batch's digest is that of the line's digest. */
    hash_of(HASH_SHA256, (struct str){(const char *)digest, sizeof digest}, digest);
    CHECK_STR(json_get_str(a.json, "batch_sha256", STR("")), hex_put(digest, sizeof digest, hex));
    CHECK_EQ(
        visit(&r.developer, "GET", "/api/metered_calls/0198c0de-0000-7000-8000-000000000001", "")
            .status,
        404);
    room_close(&r);
}

TEST(limits_are_set_shown_and_removed)
{
    ROOM(r);
    static const char body[] = "{\"level\":\"key\",\"name\":\"key-1\",\"models\":[\"qwen*\"],"
                               "\"networks\":[\"10.0.0.0/8\"],\"requests_per_minute\":60,"
                               "\"money_micro_per_month\":5000000,\"application\":\"hotline\"}";
    CHECK_EQ(visit(&r.developer, "PUT", "/api/limits", body).status, 403);
    CHECK_EQ(visit(&r.tenant_admin, "PUT", "/api/limits", body).status, 204);
    CHECK_EQ(visit(&r.tenant_admin, "PUT", "/api/limits", "{\"level\":\"city\"}").status, 400);
    CHECK_EQ(visit(&r.tenant_admin, "PUT", "/api/limits",
                   "{\"level\":\"key\",\"name\":\"k\",\"concurrent\":\"many\"}")
                 .status,
             400);
    CHECK_EQ(visit(&r.tenant_admin, "PUT", "/api/limits",
                   "{\"level\":\"key\",\"name\":\"k\",\"networks\":[\"home\"]}")
                 .status,
             400);
    /* A tenant does not set its own limits, nor those of others. */
    CHECK_EQ(visit(&r.tenant_admin, "PUT", "/api/limits", "{\"level\":\"tenant\"}").status, 403);
    CHECK_EQ(visit(&r.tenant_admin, "PUT", "/api/limits",
                   "{\"tenant\":\"other\",\"level\":\"key\",\"name\":\"k\"}")
                 .status,
             404);
    CHECK_EQ(
        visit(&r.admin, "PUT", "/api/limits", "{\"level\":\"tenant\",\"concurrent\":9}").status,
        204);
    struct answer a = visit(&r.developer, "GET", "/api/limits", "");
    CHECK_EQ(a.status, 200);
    CHECK_EQ(json_len(json_get(a.json, "items")), 2);
    const struct json *key = json_at(json_get(a.json, "items"), 1);
    CHECK_STR(json_get_str(key, "level", STR("")), "key");
    CHECK_EQ(json_get_int(key, "requests_per_minute", 0), 60);
    CHECK(json_kind(json_get(key, "tokens_per_day")) == JSON_KIND_NULL);
    CHECK_STR(json_str(json_at(json_get(key, "models"), 0), STR("")), "qwen*");
    CHECK_EQ(json_get_int(json_get(key, "used"), "requests_per_minute", -1), 0);
    CHECK_EQ(visit(&r.tenant_admin, "DELETE", "/api/limits?level=key&name=key-1", "").status, 204);
    CHECK_EQ(visit(&r.tenant_admin, "DELETE", "/api/limits?level=key&name=key-1", "").status, 404);
    CHECK_EQ(visit(&r.tenant_admin, "DELETE", "/api/limits?level=tenant", "").status, 403);
    room_close(&r);
}

TEST(a_tenant_sees_nothing_of_another)
{
    char id[UUID_TEXT], path[128];
    ROOM(r);
    CHECK_EQ(visit(&r.admin, "POST", "/api/prices",
                   "{\"tenant\":\"other\",\"price_key\":\"qwen\",\"request_micro\":7}")
                 .status,
             201);
    CHECK_EQ(visit(&r.admin, "PUT", "/api/limits",
                   "{\"tenant\":\"other\",\"level\":\"tenant\",\"concurrent\":9}")
                 .status,
             204);
    CHECK_EQ(call_for(&r, "other", "qwen", id).money, 7);
    struct visitor *v = &r.tenant_admin;
    CHECK_EQ(json_len(json_get(visit(v, "GET", "/api/prices", "").json, "items")), 0);
    CHECK_EQ(json_len(json_get(visit(v, "GET", "/api/limits", "").json, "items")), 0);
    CHECK_EQ(json_len(json_get(visit(v, "GET", "/api/usage?by=tenant", "").json, "items")), 0);
    CHECK_EQ(json_len(json_get(visit(v, "GET", "/api/bills", "").json, "items")), 0);
    CHECK_EQ(visit(v, "GET", "/api/limits?tenant=other", "").status, 404);
    CHECK_EQ(visit(v, "GET", "/api/usage?tenant=other", "").status, 404);
    CHECK_EQ(visit(v, "GET", "/api/bills?tenant=other", "").status, 404);
    CHECK_EQ(visit(v, "GET", "/api/bills/2026-11?tenant=other", "").status, 404);
    (void)snprintf(path, sizeof path, "/api/metered_calls/%s", id);
    CHECK_EQ(visit(v, "GET", path, "").status, 404);
    CHECK_EQ(visit(&r.admin, "GET", path, "").status, 200);
    CHECK_EQ(json_len(json_get(visit(&r.admin, "GET", "/api/usage?by=tenant", "").json, "items")),
             1);
    room_close(&r);
}

TESTS_MAIN()
