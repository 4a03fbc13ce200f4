/* The routes of personal data over a real server: trying the scanner, keys, revealing. */
#include "ops/centre.h"

#include "privacy/privacy.h"
#include "support/test_door.h"

struct room {
    struct centre c;
    struct privacy *privacy;
    struct test_door door;
};

static bool who_is(void *ctx, struct str name, struct ops_identity *out)
{
    (void)ctx;
    *out =
        (struct ops_identity){.kind = STR("user"),
                              .id = name,
                              .user = name,
                              .name = name,
                              .tenant = str_eq_c(name, "stranger") ? STR("another") : STR(OPS_HOME),
                              .address = STR("10.0.0.1")};
    if (str_eq_c(name, "reader"))
        out->permissions = ops_permission_bit(STR("data.read"));
    else if (!str_eq_c(name, "nobody"))
        out->permissions = ops_permission_bit(STR("data.read")) |
                           ops_permission_bit(STR("privacy.manage")) |
                           ops_permission_bit(STR("privacy.reveal"));
    return true;
}

static bool room_open(struct room *r)
{
    struct why why = {0};
    *r = (struct room){0};
    centre_more = privacy_migrations;
    centre_n_more = privacy_n_migrations;
    if (!centre_open(&r->c, NULL, 0))
        return false;
    struct privacy_opts opts = {r->c.store, r->c.ops, test_store_dir()};
    CHECK_OK(privacy_open(&opts, &r->privacy, &why), &why);
    return door_open(&r->door, r->c.arena, privacy_routes(r->privacy), test_store_dir(), who_is,
                     NULL);
}

static void room_close(struct room *r)
{
    door_close(&r->door);
    privacy_close(r->privacy);
    centre_close(&r->c);
}

#define ROOM(r)                                                                                    \
    struct room r;                                                                                 \
    if (!room_open(&r))                                                                            \
    SKIP(test_store_skip())

#define LETTER "我叫王小明，身份证11010519491231002X，电话13800138000，单位电话010-12345。"

TEST(every_route_refuses_whom_it_should)
{
    static const char *const open[] = {"/api/privacy/kinds", NULL};
    ROOM(r);
    door_stands(&r.door, "steward", "nobody", open);
    room_close(&r);
}

TEST(a_text_is_scanned_and_masked_and_not_kept)
{
    static const char *const modes[] = {"remove", "partial", "pseudonym", "vault"};
    ROOM(r);
    struct test_door *d = &r.door;
    CHECK_EQ(door_ask(d, "nobody", NULL, "GET /api/privacy/kinds"), 200);
    CHECK(json_len(json_get(d->json, "kinds")) == PRIVACY_KINDS);
    CHECK_EQ(door_ask(d, "reader", "{'text':'" LETTER "'}", "POST /api/privacy/scan"), 200);
    CHECK_EQ(json_len(json_get(d->json, "findings")), 3);
    const struct json *first = json_at(json_get(d->json, "findings"), 0);
    CHECK_STR(json_get_str(first, "kind", STR("")), "name");
    CHECK_EQ(json_get_int(first, "start", -1), 2); /* characters */
    CHECK_EQ(json_get_int(first, "end", -1), 5);
    CHECK_EQ(json_get_int(json_get(d->json, "counts"), "mobile", 0), 1);
    CHECK(json_kind(json_get(d->json, "masked")) == JSON_KIND_NULL);
    for (size_t i = 0; i < 4; i++) {
        char body[400];
        (void)snprintf(body, sizeof body, "{'text':'" LETTER "','mode':'%s'}", modes[i]);
        CHECK_EQ(door_ask(d, "steward", body, "POST /api/privacy/scan"), 200);
        struct str masked = json_get_str(d->json, "masked", STR(""));
        CHECK(masked.len > 0 && str_find(masked, STR("13800138000")) == STR_NPOS);
        CHECK(str_find(masked, STR("010-12345")) != STR_NPOS);
    }
    CHECK_EQ(
        door_ask(d, "reader", "{'text':'" LETTER "','kinds':['mobile']}", "POST /api/privacy/scan"),
        200);
    CHECK_EQ(json_len(json_get(d->json, "findings")), 1);
    room_close(&r);
}

TEST(what_is_wrong_with_a_trial_is_said)
{
    static const struct {
        const char *body, *words;
    } cases[] = {
        {"{}", "text"},
        {"{'text':7}", "text"},
        {"{'text':'x','mode':'shred'}", "mode"},
        {"{'text':'x','kinds':['shoes']}", "shoes"},
        {"{'text':'x','least':7}", "0 to 1"},
        {"[]", ""},
    };
    ROOM(r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_EQ(door_ask(&r.door, "reader", cases[i].body, "POST /api/privacy/scan"), 400);
        struct str words = door_words(&r.door);
        if (str_find(words, str_c(cases[i].words)) == STR_NPOS)
            printf("# said: %.*s\n", STR_FMT(words));
        CHECK(str_find(words, str_c(cases[i].words)) != STR_NPOS);
    }
    struct buf big;
    buf_init(&big, r.c.arena);
    buf_add_c(&big, "{'text':'");
    for (int i = 0; i < 300 << 10; i++)
        buf_char(&big, 'x');
    buf_add_c(&big, "'}");
    CHECK_EQ(door_ask(&r.door, "reader", str_z(r.c.arena, buf_str(&big)), "POST /api/privacy/scan"),
             400);
    room_close(&r);
}

/* The token of the only finding of a vaulted text, as JSON with ' for ". */
static const char *reveal_body(struct room *r, const char *who, const char *reason)
{
    CHECK_EQ(door_ask(&r->door, who, "{'text':'电话13800138000。','mode':'vault'}",
                      "POST /api/privacy/scan"),
             200);
    struct str masked = json_get_str(r->door.json, "masked", STR(""));
    return str_z(r->c.arena,
                 str_printf(r->c.arena, "{'text':'%.*s','reason':'%s'}", STR_FMT(masked), reason));
}

TEST(a_token_is_revealed_to_its_own_tenant_with_a_reason)
{
    ROOM(r);
    struct test_door *d = &r.door;
    const char *body = reveal_body(&r, "steward", "核实诉求人");
    CHECK_EQ(door_ask(d, "steward", body, "POST /api/privacy/reveal"), 200);
    CHECK_STR(json_get_str(d->json, "text", STR("")), "电话13800138000。");
    CHECK_EQ(json_get_int(d->json, "n", 0), 1);
    CHECK_EQ(centre_acts(&r.c, "privacy.token.reveal", "ok"), 1);
    CHECK_EQ(door_ask(d, "reader", body, "POST /api/privacy/reveal"), 403);
    /* Another tenant has keys of its own by now, and cannot open this one's. */
    (void)reveal_body(&r, "stranger", "x");
    CHECK_EQ(door_ask(d, "stranger", body, "POST /api/privacy/reveal"), 404);
    CHECK(str_find(d->answer.body, STR("13800138000")) == STR_NPOS);
    CHECK_EQ(door_ask(d, "steward", reveal_body(&r, "steward", ""), "POST /api/privacy/reveal"),
             400);
    CHECK_EQ(door_ask(d, "steward", "{'text':'没有令牌','reason':'核实诉求人'}",
                      "POST /api/privacy/reveal"),
             400);
    CHECK_EQ(centre_acts(&r.c, "privacy.token.reveal", "ok"), 1);
    room_close(&r);
}

TEST(keys_are_listed_made_and_destroyed)
{
    ROOM(r);
    struct test_door *d = &r.door;
    const char *old = reveal_body(&r, "steward", "核实诉求人");
    CHECK_EQ(door_ask(d, "steward", NULL, "POST /api/privacy/keys"), 201);
    CHECK_EQ(json_get_int(d->json, "number", 0), 2);
    CHECK_EQ(door_ask(d, "steward", NULL, "GET /api/privacy/keys"), 200);
    CHECK_EQ(json_len(json_get(d->json, "items")), 2);
    CHECK_EQ(door_ask(d, "stranger", NULL, "GET /api/privacy/keys"), 200);
    CHECK_EQ(json_len(json_get(d->json, "items")), 0);
    CHECK_EQ(door_ask(d, "steward", old, "POST /api/privacy/reveal"), 200);
    CHECK_EQ(door_ask(d, "steward", "{}", "POST /api/privacy/keys/1/destroy"), 400);
    CHECK_EQ(door_ask(d, "steward", "{'reason':'到期销毁'}", "POST /api/privacy/keys/one/destroy"),
             400);
    CHECK_EQ(door_ask(d, "stranger", "{'reason':'到期销毁'}", "POST /api/privacy/keys/1/destroy"),
             404);
    CHECK_EQ(door_ask(d, "steward", "{'reason':'到期销毁'}", "POST /api/privacy/keys/2/destroy"),
             409); /* the newest */
    CHECK_EQ(door_ask(d, "steward", "{'reason':'到期销毁'}", "POST /api/privacy/keys/1/destroy"),
             204);
    CHECK_EQ(door_ask(d, "steward", old, "POST /api/privacy/reveal"), 404);
    CHECK_EQ(centre_acts(&r.c, "privacy.key.destroy", "ok"), 1);
    room_close(&r);
}

TESTS_MAIN()
