/* The routes of releases over a real server: a whole way through by two tenants, who is refused,
 * what is not there for others; and what becomes of rows whose jobs fail. */
#include <stdarg.h>

#include "room.h"

#include "support/test_door.h"

#define PAPERS "{'licence':'CC BY 4.0','authority':'市数据局'}"

struct served {
    struct room r;
    struct test_door door;
};

/* "steward" of the city, "water" of another tenant; "reader" and "judge" of the city. */
static bool who_is(void *ctx, struct str name, struct ops_identity *out)
{
    struct served *s = ctx;
    *out = str_eq_c(name, "water") ? s->r.water : s->r.who;
    if (str_eq_c(name, "reader") || str_eq_c(name, "nobody") || str_eq_c(name, "judge")) {
        out->kind = STR("user");
        out->id = out->user = out->name = name;
        out->permissions = str_eq_c(name, "reader")  ? ops_permission_bit(STR("data.read"))
                           : str_eq_c(name, "judge") ? ops_permission_bit(STR("annotate.review"))
                                                     : 0;
    }
    return true;
}

static bool served_open(struct served *s, struct store *store)
{
    return releases_fresh(&s->r, store) &&
           door_open(&s->door, s->r.arena, release_routes(s->r.release),
                     file_join(s->r.arena, s->r.dir, "tmp"), who_is, s);
}

#define SERVED(s)                                                                                  \
    struct served s = {.door = {.arena = NULL}};                                                   \
    FRESH_STORE(store, 6);                                                                         \
    if (!served_open(&s, store))                                                                   \
    SKIP("no room")

#define SERVED_DONE(s)                                                                             \
    do {                                                                                           \
        door_close(&(s).door);                                                                     \
        room_done(&(s).r);                                                                         \
        test_store_done(store);                                                                    \
    } while (0)

static const char *text_of_json(struct served *s, const char *key)
{
    return str_z(s->r.arena, json_get_str(s->door.json, key, STR("")));
}

/* Runs the job of the last answer, which was 202. */
static enum err ran(struct served *s, struct why *why)
{
    CHECK_EQ(s->door.answer.status, 202);
    struct str id = json_get_str(json_get(s->door.json, "job"), "id", STR(""));
    return room_run(&s->r, str_z(s->r.arena, id), why);
}

static void ran_well(struct served *s)
{
    struct why why = {0};
    CHECK_OK(ran(s, &why), &why);
}

static void make_set(struct served *s, const char *name)
{
    struct buf buf;
    buf_init(&buf, s->r.arena);
    for (int i = 0; i < 12; i++)
        buf_printf(&buf, "{\"text\":\"第%d条 本市行政区域内的供水用水活动，适用本办法第%d项。\"}\n",
                   i, i * 7919 % 1000);
    room_set(&s->r, name, buf_str(&buf), "text", PAPERS);
}

#define DOOR (&s.door)

TEST(every_route_refuses_whom_it_should)
{
    static const char *const open[] = {"/api/risks",     "/api/release_keys",  "/api/capsules",
                                       "/api/catalogue", "/api/subscriptions", NULL};
    SERVED(s);
    door_stands(DOOR, "steward", "nobody", open);
    SERVED_DONE(s);
}

/* A gate that is judged and passed, by the routes. */
static const char *gate_passed(struct served *s, const char *set)
{
    char body[100];
    (void)snprintf(body, sizeof body, "{'dataset':'%s','purpose':'sharing','seed':1}", set);
    CHECK_EQ(door_ask(&s->door, "steward", body, "POST /api/gates"), 202);
    const char *gate = text_of_json(s, "id");
    ran_well(s);
    (void)snprintf(body, sizeof body, "{'gate':'%s','kind':'manual','n':50}", gate);
    CHECK_EQ(door_ask(&s->door, "judge", body, "POST /api/gate_samples/claims"), 200);
    const struct json *items = json_get(s->door.json, "items");
    CHECK_EQ(json_len(items), 12);
    CHECK_EQ(door_ask(&s->door, "steward", NULL, "POST /api/gates/%s/decision", gate), 409);
    for (size_t i = 0; i < json_len(items); i++)
        CHECK_EQ(door_ask(&s->door, "judge", "{'verdict':'ok'}", "PUT /api/gate_samples/%s",
                          str_z(s->r.arena, json_get_str(json_at(items, i), "id", STR("")))),
                 204);
    CHECK_EQ(door_ask(&s->door, "steward", NULL, "POST /api/gates/%s/decision", gate), 200);
    CHECK_STR(json_get_str(s->door.json, "state", STR("")), "passed");
    return gate;
}

static const char *released(struct served *s, const char *set)
{
    char body[200];
    make_set(s, set);
    const char *gate = gate_passed(s, set);
    (void)snprintf(body, sizeof body, "{'gate':'%s','name':'%s','title':'供水法规'}", gate, set);
    CHECK_EQ(door_ask(&s->door, "steward", body, "POST /api/releases"), 202);
    const char *id = text_of_json(s, "id");
    ran_well(s);
    return id;
}

TEST(reports_and_gates_are_made_shown_and_kept_from_others)
{
    SERVED(s);
    make_set(&s, "a");
    CHECK_EQ(door_ask(DOOR, "reader", "{'dataset':'a'}", "POST /api/quality_reports"), 403);
    CHECK_EQ(door_ask(DOOR, "steward", "{'dataset':'b'}", "POST /api/quality_reports"), 404);
    CHECK_EQ(door_ask(DOOR, "steward", "{'dataset':'a','sample':7}", "POST /api/quality_reports"),
             400);
    CHECK_EQ(door_ask(DOOR, "steward", "{'dataset':'a'}", "POST /api/quality_reports"), 202);
    const char *report = text_of_json(&s, "id");
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/quality_reports/%s", report), 200);
    CHECK_STR(json_get_str(s.door.json, "state", STR("")), "queued");
    CHECK_EQ(door_ask(DOOR, "steward", "{'dataset':'a'}", "POST /api/quality_reports"), 202);
    CHECK_STR(json_get_str(s.door.json, "id", STR("")), report); /* the one under way */
    ran_well(&s);
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/quality_reports/%s", report), 200);
    CHECK_STR(json_get_str(s.door.json, "state", STR("")), "ready");
    CHECK_EQ(json_len(json_get(json_get(s.door.json, "report"), "dimensions")), 6);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/quality_reports/%s", report), 404);
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/quality_reports?dataset=a"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 1);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/quality_reports"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 0);

    static const char *const wrong[] = {"{'dataset':'a'}", "{'dataset':'a','purpose':'fun'}",
                                        "{'dataset':'a','purpose':'sharing','sample':3999}",
                                        "{'dataset':'a','purpose':'sharing','share':2}",
                                        "{'dataset':'a','purpose':'sharing','seed':-1}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_EQ(door_ask(DOOR, "steward", wrong[i], "POST /api/gates"), 400);
        CHECK(door_words(DOOR).len > 0);
    }
    CHECK_EQ(door_ask(DOOR, "reader", "{'dataset':'a','purpose':'sharing'}", "POST /api/gates"),
             403);
    const char *gate = gate_passed(&s, "a");
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/gates?state=passed&dataset=a"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 1);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/gates"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 0);
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/gates/%s", gate), 200);
    CHECK(json_len(json_get(s.door.json, "rules")) >= 6);
    static const char *const hidden[] = {"GET /api/gates/%s", "POST /api/gates/%s/decision",
                                         "POST /api/gates/%s/cancellation",
                                         "GET /api/gate_samples?gate=%s"};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        char line[200];
        (void)snprintf(line, sizeof line, hidden[i], gate);
        CHECK_EQ(door_ask(DOOR, "water", NULL, "%s", line), 404);
    }
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "POST /api/gates/%s/decision", gate), 403);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "POST /api/gates/%s/cancellation", gate), 409);
    CHECK_EQ(
        door_ask(DOOR, "judge", NULL, "GET /api/gate_samples?gate=%s&verdict=ok&limit=5", gate),
        200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 5);
    CHECK_EQ(door_ask(DOOR, "judge", "{'verdict':'Z9'}", "PUT /api/gate_samples/%s-m1", gate), 400);
    CHECK_EQ(door_ask(DOOR, "water", "{'verdict':'ok'}", "PUT /api/gate_samples/%s-m1", gate), 404);
    SERVED_DONE(s);
}

TEST(a_release_is_made_exported_and_hidden_from_others)
{
    SERVED(s);
    char body[200], path[200];
    const char *id = released(&s, "a");
    static const char *const parts[] = {"", "/manifest", "/signature"};
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/releases/%s%s", id, parts[i]), 200);
        CHECK(s.door.json != NULL);
        CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/releases/%s%s", id, parts[i]), 404);
        CHECK_EQ(door_ask(DOOR, "nobody", NULL, "GET /api/releases/%s%s", id, parts[i]), 403);
    }
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "GET /api/releases"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 1);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/releases"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 0);
    CHECK_EQ(door_ask(DOOR, "steward", "{'gate':'x','name':'b'}", "POST /api/releases"), 400);
    (void)snprintf(body, sizeof body, "{'gate':'%s','name':'B b'}", DOOR_NO_ID);
    CHECK_EQ(door_ask(DOOR, "steward", body, "POST /api/releases"), 400);
    (void)snprintf(body, sizeof body, "{'gate':'%s','name':'b'}", DOOR_NO_ID);
    CHECK_EQ(door_ask(DOOR, "steward", body, "POST /api/releases"), 404);
    CHECK_EQ(door_ask(DOOR, "reader", body, "POST /api/releases"), 403);
    /* Exports. */
    (void)snprintf(path, sizeof path, "POST /api/releases/%s/exports", id);
    CHECK_EQ(door_ask(DOOR, "reader", "{'form':'jsonl'}", "%s", path), 403);
    CHECK_EQ(door_ask(DOOR, "water", "{'form':'jsonl'}", "%s", path), 404);
    CHECK_EQ(door_ask(DOOR, "steward", "{'form':'parquet'}", "%s", path), 400);
    CHECK_EQ(door_ask(DOOR, "steward", "{'form':'jsonl','purpose':'训练'}", "%s", path), 202);
    const char *job = str_z(s.r.arena, json_get_str(json_get(s.door.json, "job"), "id", STR("")));
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/release_exports/%s", job), 409);
    s.door.answer.status = 202;
    CHECK_EQ(room_run(&s.r, job, NULL), ERR_OK);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/release_exports/%s", job), 200);
    CHECK(str_find(s.door.answer.body, STR("供水用水活动")) != STR_NPOS);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/release_exports/%s", job), 404);
    /* Keys. */
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/release_keys"), 200);
    size_t n = json_len(json_get(s.door.json, "items"));
    CHECK(n >= 2);
    CHECK_EQ(door_ask(DOOR, "reader", NULL, "POST /api/release_keys"), 403);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "POST /api/release_keys"), 204);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/release_keys"), 200);
    CHECK(json_len(json_get(s.door.json, "items")) > n);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/risks"), 200);
    CHECK(json_len(json_get(s.door.json, "items")) > 20);
    SERVED_DONE(s);
}

TEST(a_capsule_goes_to_its_tenant_alone_and_can_be_revoked)
{
    SERVED(s);
    const char *id = released(&s, "a");
    CHECK_EQ(door_ask(DOOR, "steward", "{'form':'capsule','to':'water','uses':2}",
                      "POST /api/releases/%s/exports", id),
             202);
    ran_well(&s);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/capsules"), 200);
    const char *capsule =
        str_z(s.r.arena, json_get_str(json_at(json_get(s.door.json, "items"), 0), "id", STR("")));
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/capsules/%s/file", capsule), 200);
    CHECK(str_find(s.door.answer.body, STR("用水活动")) == STR_NPOS); /* sealed */
    CHECK_EQ(door_ask(DOOR, "water", "{}", "POST /api/capsules/%s/openings", capsule), 400);
    CHECK_EQ(
        door_ask(DOOR, "steward", "{'purpose':'训练'}", "POST /api/capsules/%s/openings", capsule),
        403); /* whose it is not, even who made it */
    CHECK_EQ(
        door_ask(DOOR, "reader", "{'purpose':'训练'}", "POST /api/capsules/%s/openings", capsule),
        403);
    CHECK_EQ(
        door_ask(DOOR, "water", "{'purpose':'训练'}", "POST /api/capsules/%s/openings", capsule),
        200);
    CHECK(str_find(s.door.answer.body, STR("供水用水活动")) != STR_NPOS);
    CHECK_EQ(
        door_ask(DOOR, "reader", "{'reason':'误发'}", "POST /api/capsules/%s/revocation", capsule),
        403);
    CHECK_EQ(door_ask(DOOR, "steward", "{}", "POST /api/capsules/%s/revocation", capsule), 400);
    CHECK_EQ(
        door_ask(DOOR, "steward", "{'reason':'误发'}", "POST /api/capsules/%s/revocation", capsule),
        204);
    CHECK_EQ(
        door_ask(DOOR, "water", "{'purpose':'训练'}", "POST /api/capsules/%s/openings", capsule),
        403);
    SERVED_DONE(s);
}

TEST(an_offer_is_found_subscribed_used_and_ended)
{
    SERVED(s);
    char body[300];
    const char *id = released(&s, "a");
    static const char offer[] =
        "{'title':'供水法规语料','summary':'条文','industry':'水务','tenants':['water']}";
    CHECK_EQ(door_ask(DOOR, "reader", offer, "PUT /api/catalogue/%s", id), 403);
    CHECK_EQ(door_ask(DOOR, "water", offer, "PUT /api/catalogue/%s", id), 404);
    CHECK_EQ(door_ask(DOOR, "steward", "{'title':''}", "PUT /api/catalogue/%s", id), 400);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/catalogue/%s", id), 404);
    CHECK_EQ(door_ask(DOOR, "steward", offer, "PUT /api/catalogue/%s", id), 200);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/catalogue/%s", id), 200);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/catalogue?industry=%%E6%%B0%%B4%%E5%%8A%%A1"),
             200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 1);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/catalogue?grade=none"), 400);
    (void)snprintf(body, sizeof body, "{'release':'%s','purpose':'训练客服模型'}", id);
    CHECK_EQ(door_ask(DOOR, "reader", body, "POST /api/subscriptions"), 403);
    CHECK_EQ(door_ask(DOOR, "water", "{'release':'x'}", "POST /api/subscriptions"), 400);
    CHECK_EQ(door_ask(DOOR, "water", body, "POST /api/subscriptions"), 201);
    const char *sub = text_of_json(&s, "id");
    CHECK_EQ(door_ask(DOOR, "water", "{'uses':1}", "POST /api/subscriptions/%s/approval", sub),
             403);
    CHECK_EQ(door_ask(DOOR, "reader", "{'uses':1}", "POST /api/subscriptions/%s/approval", sub),
             403);
    CHECK_EQ(door_ask(DOOR, "steward", "{'uses':-1}", "POST /api/subscriptions/%s/approval", sub),
             400);
    CHECK_EQ(door_ask(DOOR, "steward", "{'uses':1}", "POST /api/subscriptions/%s/approval", sub),
             200);
    CHECK_STR(json_get_str(s.door.json, "state", STR("")), "approved");
    CHECK_EQ(door_ask(DOOR, "steward", "{}", "POST /api/subscriptions/%s/refusal", sub), 409);
    CHECK_EQ(door_ask(DOOR, "water", "{'form':'jsonl'}", "POST /api/subscriptions/%s/uses", sub),
             400); /* no purpose */
    CHECK_EQ(door_ask(DOOR, "water", "{'form':'jsonl','purpose':'训练'}",
                      "POST /api/subscriptions/%s/uses", sub),
             202);
    const char *job = str_z(s.r.arena, json_get_str(json_get(s.door.json, "job"), "id", STR("")));
    ran_well(&s);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/release_exports/%s", job), 200);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/release_exports/%s", job), 404);
    CHECK_EQ(door_ask(DOOR, "water", "{'form':'jsonl','purpose':'训练'}",
                      "POST /api/subscriptions/%s/uses", sub),
             403); /* used up */
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/subscriptions?side=theirs"), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "items")), 1);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/subscriptions/%s", sub), 200);
    CHECK_EQ(json_len(json_get(s.door.json, "uses_list")), 1);
    CHECK_EQ(door_ask(DOOR, "steward", "{'note':'违反用途'}",
                      "POST /api/subscriptions/%s/revocation", sub),
             200);
    CHECK_EQ(door_ask(DOOR, "water", "{}", "POST /api/subscriptions/%s/end", sub), 409);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "DELETE /api/catalogue/%s", id), 404);
    CHECK_EQ(door_ask(DOOR, "steward", NULL, "DELETE /api/catalogue/%s", id), 204);
    CHECK_EQ(door_ask(DOOR, "water", NULL, "GET /api/catalogue/%s", id), 404);
    SERVED_DONE(s);
}

/* Damages what the jobs of gates and reports read: the shard of the set. */
static void lose_shards(struct served *s)
{
    CHECK_EQ(file_remove(file_join(s->r.arena, s->r.dir, "objects"), NULL), ERR_OK);
    CHECK_EQ(file_make_dirs(file_join(s->r.arena, s->r.dir, "objects"), NULL), ERR_OK);
}

TEST(a_row_says_how_its_job_ended)
{
    SERVED(s);
    struct why why = {0};
    make_set(&s, "a");
    static const char *const paths[] = {"gates", "quality_reports"};
    static const char *const bodies[] = {"{'dataset':'a','purpose':'sharing'}", "{'dataset':'a'}"};
    const char *ids[2][2], *jobs[2][2];
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < 2; i++) {
            /* Another sample, or the second report would be the first. */
            const char *body = k == 1 && i == 1 ? "{'dataset':'a','sample':100}" : bodies[k];
            CHECK_EQ(door_ask(DOOR, "steward", body, "POST /api/%s", paths[k]), 202);
            ids[k][i] = text_of_json(&s, "id");
            jobs[k][i] =
                str_z(s.r.arena, json_get_str(json_get(s.door.json, "job"), "id", STR("")));
            if (i == 0)
                CHECK_OK(job_cancel(s.r.compute, &s.r.who, jobs[k][i], &why), &why);
        }
    lose_shards(&s);
    for (int k = 0; k < 2; k++) {
        CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/%s/%s", paths[k], ids[k][0]), 200);
        CHECK_STR(json_get_str(s.door.json, "state", STR("")), "cancelled");
        why = (struct why){0};
        CHECK(room_run(&s.r, jobs[k][1], &why) != ERR_OK);
        CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/%s/%s", paths[k], ids[k][1]), 200);
        CHECK_STR(json_get_str(s.door.json, "state", STR("")), "failed");
        CHECK(json_get_str(s.door.json, "why", STR("")).len > 0);
        CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/%s", paths[k]), 200);
        CHECK(str_find(s.door.answer.body, STR("\"running\"")) == STR_NPOS);
        /* Run again by hand, it is under way again. */
        CHECK_OK(job_retry(s.r.compute, &s.r.who, jobs[k][1], &why), &why);
        CHECK_EQ(door_ask(DOOR, "steward", NULL, "GET /api/%s/%s", paths[k], ids[k][1]), 200);
        CHECK_STR(json_get_str(s.door.json, "state", STR("")), "queued");
        CHECK_STR(json_get_str(s.door.json, "why", STR("?")), "");
    }
    SERVED_DONE(s);
}

TESTS_MAIN()
