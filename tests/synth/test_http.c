/* The routes of synthesis over a real server. */
#include "room.h"

#include "support/test_door.h"

static bool who_is(void *ctx, struct str name, struct ops_identity *out)
{
    struct room *r = ctx;
    *out = r->who;
    if (str_eq_c(name, "steward"))
        return true;
    out->kind = STR("user");
    out->id = out->user = out->name = name;
    out->permissions = 0;
    if (str_eq_c(name, "reader"))
        out->permissions = ops_permission_bit(STR("data.read"));
    if (str_eq_c(name, "writer"))
        out->permissions =
            ops_permission_bit(STR("data.read")) | ops_permission_bit(STR("data.write"));
    if (str_eq_c(name, "stranger")) {
        *out = r->who;
        out->tenant = STR("another");
    }
    return true;
}

#define SERVED(r, d)                                                                               \
    struct test_door d;                                                                            \
    FRESH(r);                                                                                      \
    if (!door_open(&d, r.arena, synth_routes(r.synth), file_join(r.arena, r.dir, "tmp"), who_is,   \
                   &r))                                                                            \
    SKIP("no server")

#define SERVED_DONE(r, d)                                                                          \
    do {                                                                                           \
        door_close(&(d));                                                                          \
        DONE(r);                                                                                   \
    } while (0)

#define SPEC "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':'questions'}"
#define WITH_MODEL                                                                                 \
    "{'input':{'dataset':'laws'},'output':{'dataset':'qa'},'method':'questions','model':'m'}"

TEST(every_route_refuses_whom_it_should)
{
    static const char *const open[] = {NULL};
    SERVED(r, d);
    door_stands(&d, "steward", "nobody", open);
    SERVED_DONE(r, d);
}

TEST(methods_are_listed_in_both_languages)
{
    SERVED(r, d);
    CHECK_EQ(door_ask(&d, "reader", NULL, "GET /api/synthesis_methods"), 200);
    const struct json *items = json_get(d.json, "items");
    CHECK_EQ(json_len(items), 6);
    for (size_t i = 0; i < json_len(items); i++) {
        CHECK(json_get_str(json_at(items, i), "summary", STR("")).len > 0);
        CHECK(json_get_str(json_at(items, i), "summary_zh", STR("")).len > 0);
        CHECK(json_len(json_get(json_at(items, i), "takes")) > 0);
    }
    SERVED_DONE(r, d);
}

TEST(a_synthesis_is_estimated_started_and_ends)
{
    SERVED(r, d);
    import(&r, "laws", LAWS);
    CHECK_EQ(door_ask(&d, "reader", SPEC, "POST /api/syntheses/estimate"), 200);
    CHECK_EQ(json_get_int(d.json, "n_records", 0), 2);
    CHECK_EQ(json_get_int(d.json, "cost_micro", -1), 0);
    CHECK_EQ(door_ask(&d, "steward", WITH_MODEL, "POST /api/syntheses/estimate"), 200);
    CHECK(json_get_int(d.json, "cost_micro", 0) > 5000);
    CHECK_STR(json_get_str(d.json, "currency", STR("")), "CNY");
    CHECK_EQ(door_ask(&d, "reader", SPEC, "POST /api/syntheses"), 403);
    CHECK_EQ(door_ask(&d, "writer", WITH_MODEL, "POST /api/syntheses"), 403); /* model.use */
    CHECK_EQ(door_ask(&d, "steward", SPEC, "POST /api/syntheses"), 202);
    char *id = str_z(r.arena, json_get_str(json_get(d.json, "job"), "id", STR("")));
    /* The same spec, while it is not done, is the same job. */
    CHECK_EQ(door_ask(&d, "steward", SPEC, "POST /api/syntheses"), 202);
    CHECK_STR(json_get_str(json_get(d.json, "job"), "id", STR("")), id);
    CHECK(json_get_int(job(&r, id, ERR_OK), "n_records", 0) > 0);
    CHECK_EQ(r.n_calls, 0);
    SERVED_DONE(r, d);
}

TEST(another_tenants_data_is_not_there_and_wrong_specs_are_told)
{
    static const struct {
        const char *body, *words;
        int status;
    } cases[] = {
        {"{}", "", 400},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'poems'}", "poems", 400},
        {"{'input':{'dataset':'none'},'output':{'dataset':'x'},'method':'questions'}", "none", 404},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'errors','per_passage':0}",
         "1 to 20", 400},
        {"{'input':{'dataset':'laws'},'output':{'dataset':'x'},'method':'errors','seeds':1}",
         "seeds", 400},
    };
    SERVED(r, d);
    import(&r, "laws", LAWS);
    for (int k = 0; k < 2; k++) {
        const char *path = k ? "POST /api/syntheses" : "POST /api/syntheses/estimate";
        CHECK_EQ(door_ask(&d, "stranger", SPEC, "%s", path), 404);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            CHECK_EQ(door_ask(&d, "steward", cases[i].body, "%s", path), cases[i].status);
            if (str_find(door_words(&d), str_c(cases[i].words)) == STR_NPOS)
                printf("# said: %.*s\n", STR_FMT(door_words(&d)));
            CHECK(str_find(door_words(&d), str_c(cases[i].words)) != STR_NPOS);
        }
    }
    SERVED_DONE(r, d);
}

TESTS_MAIN()
