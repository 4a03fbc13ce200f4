/*
 * tests/annotate/desk - an annotate room on a data room, with a clock that the test turns and the
 * people of a project.
 */
#ifndef TESTS_ANNOTATE_DESK_H
#define TESTS_ANNOTATE_DESK_H

#include "annotate/annotate.h"
#define ROOM_MEMBERS
#include "../data/room.h"

#define MINUTE 60000LL

static struct room_above room_above(struct room *r)
{
    (void)r;
    return (struct room_above){.steps = {{annotate_migrations, annotate_n_migrations}}};
}

struct desk {
    struct room r;
    struct annotate *annotate;
    int64_t now_ms;
    struct ops_identity manager, people[6]; /* 0 .. 3 annotators, 4 and 5 reviewers */
    char project[UUID_TEXT];
    const struct json *json; /* of the last answer */
    struct why why;
};

__attribute__((unused)) static int64_t desk_clock(void *ctx)
{
    return ((struct desk *)ctx)->now_ms;
}

__attribute__((unused)) static struct ops_identity
desk_user(struct desk *d, const char *name, const char *const *permissions, size_t n)
{
    struct ops_identity who = {.kind = STR("user"), .name = str_c(name), .tenant = STR(OPS_HOME)};
    struct ops_identity system = ops_system();
    struct str roles[] = {n == 1 && strcmp(permissions[0], "annotate.work") == 0 ? STR("annotator")
                                                                                 : STR("steward")};
    struct ops_user_form form = {
        .tenant = OPS_HOME, .name = who.name, .roles = roles, .n_roles = 1};
    struct str first;
    CHECK_OK(ops_user_create(d->r.ops, &system, &form, d->r.arena, &who.id, &first, &d->why),
             &d->why);
    who.user = who.id;
    for (size_t i = 0; i < n; i++)
        who.permissions |= ops_permission_bit(str_c(permissions[i]));
    who.permissions |= ops_permission_bit(STR("data.read"));
    who.classes = 15;
    return who;
}

__attribute__((unused)) static bool desk_open(struct desk *d, struct store *store)
{
    static const char *const names[] = {"anna", "boris", "chen", "dora", "rita", "rolf"};
    static const char *const work[] = {"annotate.work"}, *const review[] = {"annotate.review"},
                             *const manage[] = {"annotate.manage", "data.write", "data.manage",
                                                "annotate.review"};
    struct str text = STR_NONE;
    *d = (struct desk){.now_ms = 1793592000000LL};
    if (!room_fresh(&d->r, store))
        return false;
    CHECK_OK(ops_bootstrap(d->r.ops, d->r.arena, &text, &d->why), &d->why);
    struct annotate_opts opts = {.store = store,
                                 .objects = d->r.objects,
                                 .ops = d->r.ops,
                                 .compute = d->r.compute,
                                 .data = d->r.data,
                                 .data_dir = d->r.dir,
                                 .clock = desk_clock,
                                 .clock_ctx = d};
    CHECK_OK(annotate_open(&opts, &d->annotate, &d->why), &d->why);
    compute_bind(d->r.compute, &annotate_prepare_job, d->annotate);
    compute_bind(d->r.compute, &annotate_prelabel_job, d->annotate);
    compute_bind(d->r.compute, &annotate_import_job, d->annotate);
    compute_bind(d->r.compute, &annotate_result_job, d->annotate);
    for (size_t i = 0; i < 6; i++)
        d->people[i] = desk_user(d, names[i], i < 4 ? work : review, 1);
    d->manager = desk_user(d, "maria", manage, 4);
    return true;
}

__attribute__((unused)) static void desk_close(struct desk *d)
{
    annotate_close(d->annotate);
    room_done(&d->r);
}

#define DESK(var)                                                                                  \
    FRESH_STORE(store, 8);                                                                         \
    struct desk var;                                                                               \
    if (!desk_open(&var, store)) {                                                                 \
        CHECK(!"the desk could not be opened");                                                    \
        return;                                                                                    \
    }

#define DESK_DONE(var)                                                                             \
    do {                                                                                           \
        desk_close(&(var));                                                                        \
        test_store_done(store);                                                                    \
    } while (0)

/* A call's answer as JSON in d->json. */
struct desk_call {
    struct annotate_ask ask;
    struct buf buf;
    struct json_out out;
};
__attribute__((unused)) static struct annotate_ask *desk_ask(struct desk *d, struct desk_call *c,
                                                             const struct ops_identity *who)
{
    d->why = (struct why){0};
    buf_init(&c->buf, d->r.arena);
    json_out_init(&c->out, &c->buf);
    c->ask = (struct annotate_ask){.who = who, .arena = d->r.arena, .out = &c->out, .if_match = -1};
    return &c->ask;
}

__attribute__((unused)) static enum err desk_took(struct desk *d, struct desk_call *c, enum err err)
{
    d->json = NULL;
    if (!err && c->buf.len)
        CHECK_EQ(json_parse(buf_str(&c->buf), d->r.arena, &d->json, NULL), ERR_OK);
    return err;
}

__attribute__((unused)) static const struct json *desk_json(struct desk *d, const char *text)
{
    const struct json *json = NULL;
    CHECK_EQ(json_parse(str_copy(d->r.arena, str_c(text)), d->r.arena, &json, NULL), ERR_OK);
    return json;
}

/* n records of text "第 i 条..."; the members label tell every third as b. */
__attribute__((unused)) static void desk_dataset(struct desk *d, const char *name, int n)
{
    struct buf lines;
    buf_init(&lines, d->r.arena);
    for (int i = 0; i < n; i++)
        buf_printf(&lines,
                   "{\"text\":\"第%d条：紫藤路口😀夜里施工吵人，城管局没人管\",\"label\":\"%s\"}\n",
                   i, i % 3 ? "投诉" : "咨询");
    char *file = str_z(d->r.arena, str_printf(d->r.arena, "%s.jsonl", name));
    const char *path = room_file(&d->r, file, str_z(d->r.arena, buf_str(&lines)));
    (void)room_import(
        &d->r, str_z(d->r.arena, str_printf(d->r.arena,
                                            "{\"dataset\":\"%s\",\"kind\":\"text\",\"paths\":["
                                            "\"%s\"],\"collection\":{\"licence\":\"own\"}}",
                                            name, path)));
}

#define DESK_LABELS                                                                                  \
    "\"labels\":{\"show\":[{\"name\":\"text\",\"path\":\"text\"}],\"fields\":[{\"name\":\"kind\","   \
    "\"kind\":\"choices\",\"to\":\"text\",\"labels\":[\"投诉\",\"咨询\",\"建议\"]},{\"name\":" \
    "\"ner\",\"kind\":\"spans\",\"to\":\"text\",\"labels\":[\"地点\",\"单位\"]}]}"

/* Makes a project and runs the job that makes its items. `more`: members after the label set. */
__attribute__((unused)) static void desk_project(struct desk *d, const char *dataset,
                                                 const char *more)
{
    struct desk_call c;
    char *body = str_z(d->r.arena,
                       str_printf(d->r.arena,
                                  "{\"title\":\"留言分类\",\"dataset\":\"%s\"," DESK_LABELS "%s%s}",
                                  dataset, more[0] ? "," : "", more));
    CHECK_OK(desk_took(d, &c,
                       annotate_create(d->annotate, desk_ask(d, &c, &d->manager),
                                       desk_json(d, body), &d->why)),
             &d->why);
    struct str id = json_get_str(d->json, "id", STR("")),
               job = json_get_str(d->json, "job", STR(""));
    (void)snprintf(d->project, sizeof d->project, "%.*s", STR_FMT(id));
    (void)room_job(&d->r, str_z(d->r.arena, job));
}

__attribute__((unused)) static enum err desk_place(struct desk *d, int who, const char *body)
{
    struct desk_call c;
    return desk_took(d, &c,
                     annotate_member(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project),
                                     d->people[who].id, desk_json(d, body), &d->why));
}

__attribute__((unused)) static void desk_places(struct desk *d)
{
    for (int i = 0; i < 6; i++)
        CHECK_OK(desk_place(d, i, i < 4 ? "{\"work\":true}" : "{\"review\":true}"), &d->why);
}

/* The ids of the items that a person has now; how many. */
__attribute__((unused)) static size_t desk_work(struct desk *d, int who, size_t n)
{
    struct desk_call c;
    enum err err = desk_took(d, &c,
                             annotate_work(d->annotate, desk_ask(d, &c, &d->people[who]),
                                           str_c(d->project), n, &d->why));
    return err ? 0 : json_len(json_get(d->json, "items"));
}

__attribute__((unused)) static struct str desk_item(struct desk *d, size_t i)
{
    return json_get_str(json_at(json_get(d->json, "items"), i), "id", STR(""));
}

__attribute__((unused)) static enum err desk_submit(struct desk *d, int who, struct str item,
                                                    const char *answer)
{
    struct desk_call c;
    char *body =
        str_z(d->r.arena, str_printf(d->r.arena, "{\"answer\":%s,\"spent_ms\":4000}", answer));
    return desk_took(d, &c,
                     annotate_submit(d->annotate, desk_ask(d, &c, &d->people[who]), item,
                                     desk_json(d, body), &d->why));
}

__attribute__((unused)) static const struct json *desk_show(struct desk *d)
{
    struct desk_call c;
    CHECK_OK(desk_took(d, &c,
                       annotate_show(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project),
                                     &d->why)),
             &d->why);
    return d->json;
}

__attribute__((unused)) static int64_t desk_count(struct desk *d, const char *name)
{
    return json_get_int(desk_show(d), name, -1);
}

/* The state of an item, as the manager sees it. */
__attribute__((unused)) static const struct json *desk_look(struct desk *d, struct str item)
{
    struct desk_call c;
    CHECK_OK(
        desk_took(d, &c, annotate_item(d->annotate, desk_ask(d, &c, &d->manager), item, &d->why)),
        &d->why);
    return d->json;
}

__attribute__((unused)) static struct str desk_state(struct desk *d, struct str item)
{
    return json_get_str(desk_look(d, item), "state", STR(""));
}

#define A "{\"kind\":[\"投诉\"],\"ner\":[]}"
#define B "{\"kind\":[\"咨询\"],\"ner\":[]}"

#endif
