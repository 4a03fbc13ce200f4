/* Handing out, submitting, reviewing, deciding: who gets what, and what becomes of it. */
#include <pthread.h>

#include "desk.h"

TEST(a_project_has_an_item_for_each_record)
{
    DESK(d);
    desk_dataset(&d, "letters", 30);
    desk_project(&d, "letters", "\"limit\":10,\"spread\":true");
    const struct json *p = desk_show(&d);
    CHECK_STR(json_get_str(p, "state", STR("")), "open");
    CHECK_EQ(json_get_int(p, "n_items", 0), 10);
    struct desk_call c;
    CHECK_OK(desk_took(&d, &c,
                       annotate_items(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                                      STR("open"), 0, 3, &d.why)),
             &d.why);
    CHECK_EQ(json_len(json_get(d.json, "items")), 3);
    CHECK_STR(json_get_str(d.json, "next", STR("")), "3");
    struct str text = json_get_str(json_at(json_get(d.json, "items"), 1), "text", STR(""));
    CHECK(str_starts(text, STR("第3条")));
    /* Whoever has no place sees nothing of it. */
    CHECK_EQ(annotate_show(d.annotate, desk_ask(&d, &c, &d.people[0]), str_c(d.project), &d.why),
             ERR_NOT_FOUND);
    CHECK_EQ(
        annotate_create(d.annotate, desk_ask(&d, &c, &d.people[0]), desk_json(&d, "{}"), &d.why),
        ERR_FORBIDDEN);
    struct ops_identity other = d.manager;
    other.tenant = STR("elsewhere");
    CHECK_EQ(annotate_show(d.annotate, desk_ask(&d, &c, &other), str_c(d.project), &d.why),
             ERR_NOT_FOUND);
    CHECK_OK(
        desk_took(&d, &c, annotate_list(d.annotate, desk_ask(&d, &c, &other), STR(""), 10, &d.why)),
        &d.why);
    CHECK_EQ(json_len(json_get(d.json, "items")), 0);
    DESK_DONE(d);
}

TEST(an_item_is_handed_to_one_person_for_a_time)
{
    DESK(d);
    desk_dataset(&d, "letters", 3);
    desk_project(&d, "letters", "\"lease_minutes\":10");
    desk_places(&d);
    CHECK_EQ(desk_work(&d, 0, 2), 2);
    struct str first = desk_item(&d, 0), second = desk_item(&d, 1);
    CHECK_EQ(desk_work(&d, 0, 2), 2); /* the same again */
    CHECK(str_eq(first, desk_item(&d, 0)));
    CHECK_EQ(desk_work(&d, 1, 2), 1); /* one is left */
    CHECK(!str_eq(first, desk_item(&d, 0)) && !str_eq(second, desk_item(&d, 0)));
    CHECK_EQ(desk_work(&d, 2, 2), 0);
    /* A draft keeps the item; the other one lapses and goes to somebody else. */
    struct desk_call c;
    d.now_ms += 8 * MINUTE;
    CHECK_OK(annotate_draft(d.annotate, desk_ask(&d, &c, &d.people[0]), first,
                            desk_json(&d, "{\"kind\":[\"投诉\"]}"), &d.why),
             &d.why);
    d.now_ms += 3 * MINUTE;
    CHECK_EQ(desk_work(&d, 2, 1), 1);
    CHECK(str_eq(desk_item(&d, 0), second));
    CHECK_EQ(desk_submit(&d, 0, second, A), ERR_CONFLICT);
    CHECK_EQ(desk_work(&d, 0, 1), 1);
    CHECK(str_eq(desk_item(&d, 0), first));
    CHECK_STR(
        json_str(
            json_at(json_get(json_get(json_at(json_get(d.json, "items"), 0), "answer"), "kind"), 0),
            STR("")),
        "投诉");
    CHECK_OK(desk_submit(&d, 0, first, A), &d.why);
    CHECK_OK(desk_submit(&d, 0, first, A), &d.why); /* the reply was lost */
    CHECK_EQ(desk_submit(&d, 0, first, B), ERR_CONFLICT);
    CHECK_EQ(desk_count(&d, "n_labels"), 1);
    CHECK_EQ(desk_count(&d, "n_final"), 1);
    CHECK_EQ(desk_submit(&d, 3, first, A), ERR_NOT_FOUND); /* never handed to her */
    DESK_DONE(d);
}

TEST(two_labels_that_agree_are_final_and_others_are_decided)
{
    DESK(d);
    desk_dataset(&d, "letters", 2);
    desk_project(&d, "letters", "\"overlap\":2");
    desk_places(&d);
    CHECK_EQ(desk_work(&d, 0, 2), 2);
    struct str one = desk_item(&d, 0), two = desk_item(&d, 1);
    CHECK_OK(desk_submit(&d, 0, one, A), &d.why);
    CHECK_OK(desk_submit(&d, 0, two, A), &d.why);
    CHECK_EQ(desk_work(&d, 0, 1), 0); /* nobody labels an item twice */
    CHECK_STR(desk_state(&d, one), "open");
    CHECK_EQ(desk_work(&d, 1, 2), 2);
    CHECK_OK(desk_submit(&d, 1, one, A), &d.why);
    CHECK_OK(desk_submit(&d, 1, two, B), &d.why);
    CHECK_STR(desk_state(&d, one), "final");
    CHECK_STR(json_get_str(d.json, "final_how", STR("")), "agreed");
    CHECK_STR(desk_state(&d, two), "disputed");
    CHECK_EQ(desk_count(&d, "n_disputed"), 1);
    struct desk_call c;
    CHECK_OK(desk_took(&d, &c,
                       annotate_next_review(d.annotate, desk_ask(&d, &c, &d.people[4]),
                                            str_c(d.project), true, &d.why)),
             &d.why);
    const struct json *item = json_get(d.json, "item"), *labels = json_get(item, "labels");
    CHECK_EQ(json_len(labels), 2);
    CHECK_STR(json_get_str(json_at(labels, 0), "who", STR("")), "#1"); /* no names here */
    CHECK(json_get(json_at(labels, 0), "user") == NULL);
    /* Held: the other reviewer gets nothing. */
    CHECK_OK(desk_took(&d, &c,
                       annotate_next_review(d.annotate, desk_ask(&d, &c, &d.people[5]),
                                            str_c(d.project), true, &d.why)),
             &d.why);
    CHECK_EQ(json_kind(json_get(d.json, "item")), JSON_KIND_NULL);
    char *body =
        str_z(d.r.arena, str_printf(d.r.arena, "{\"label\":\"%.*s\",\"comment\":\"x\"}",
                                    STR_FMT(json_get_str(json_at(labels, 1), "id", STR("")))));
    CHECK_EQ(annotate_adjudicate(d.annotate, desk_ask(&d, &c, &d.people[5]), two,
                                 desk_json(&d, body), &d.why),
             ERR_CONFLICT);
    CHECK_OK(annotate_adjudicate(d.annotate, desk_ask(&d, &c, &d.people[4]), two,
                                 desk_json(&d, body), &d.why),
             &d.why);
    CHECK_STR(desk_state(&d, two), "final");
    CHECK_EQ(desk_count(&d, "n_final"), 2);
    CHECK_EQ(desk_count(&d, "n_disputed"), 0);
    /* Accuracy: both right in the first, one in the second (half of its fields is the same). */
    CHECK_OK(desk_took(&d, &c,
                       annotate_statistics(d.annotate, desk_ask(&d, &c, &d.manager),
                                           str_c(d.project), &d.why)),
             &d.why);
    const struct json *people = json_get(d.json, "people");
    for (size_t i = 0; i < json_len(people); i++) {
        const struct json *p = json_at(people, i);
        if (str_eq(json_get_str(p, "id", STR("")), d.people[0].id))
            CHECK_EQ((int)(json_get_f64(p, "accuracy", 0) * 100 + 0.5), 75);
        if (str_eq(json_get_str(p, "id", STR("")), d.people[1].id))
            CHECK_EQ((int)(json_get_f64(p, "accuracy", 0) * 100 + 0.5), 100);
    }
    const struct json *field = json_at(json_get(json_get(d.json, "agreement"), "fields"), 0);
    CHECK_EQ(json_get_int(json_get(d.json, "agreement"), "n_units", 0), 2);
    /* A A, A B: alpha is 0 by hand (observed .5, expected .5). */
    CHECK_EQ((int)(json_get_f64(field, "alpha", 9) * 1000), 0);
    CHECK_EQ((int)(json_get_f64(field, "exact", 9) * 10), 5);
    DESK_DONE(d);
}

TEST(review_accepts_fixes_and_returns)
{
    DESK(d);
    desk_dataset(&d, "letters", 3);
    desk_project(&d, "letters", "\"review\":100");
    desk_places(&d);
    CHECK_EQ(desk_work(&d, 0, 3), 3);
    struct str items[3] = {desk_item(&d, 0), desk_item(&d, 1), desk_item(&d, 2)};
    for (int i = 0; i < 3; i++)
        CHECK_OK(desk_submit(&d, 0, items[i], A), &d.why);
    CHECK_EQ(desk_count(&d, "n_review"), 3);
    struct desk_call c;
    const char *bodies[] = {"{\"action\":\"accept\"}", "{\"action\":\"fix\",\"answer\":" B "}",
                            "{\"action\":\"return\",\"comment\":\"请再看一遍\"}"};
    CHECK_EQ(annotate_verdict(d.annotate, desk_ask(&d, &c, &d.people[4]), items[2],
                              desk_json(&d, "{\"action\":\"return\"}"), &d.why),
             ERR_INVALID); /* without a word */
    for (int i = 0; i < 3; i++)
        CHECK_OK(annotate_verdict(d.annotate, desk_ask(&d, &c, &d.people[4]), items[i],
                                  desk_json(&d, bodies[i]), &d.why),
                 &d.why);
    CHECK_STR(desk_state(&d, items[0]), "final");
    CHECK_STR(desk_state(&d, items[1]), "final");
    CHECK_STR(json_str(json_at(json_get(json_get(d.json, "final"), "kind"), 0), STR("")), "咨询");
    CHECK_STR(desk_state(&d, items[2]), "open");
    CHECK_EQ(desk_count(&d, "n_labels"), 2);
    /* Back with who made it, and with nobody else. */
    CHECK_EQ(desk_work(&d, 1, 1), 0);
    CHECK_EQ(desk_work(&d, 0, 1), 1);
    CHECK(str_eq(desk_item(&d, 0), items[2]));
    CHECK_STR(json_get_str(json_at(json_get(d.json, "items"), 0), "returned", STR("")),
              "请再看一遍");
    CHECK_OK(desk_submit(&d, 0, items[2], B), &d.why);
    CHECK_EQ(desk_count(&d, "n_review"), 1);
    /* What a reviewer decided cannot be taken back by who made it. */
    CHECK_OK(annotate_verdict(d.annotate, desk_ask(&d, &c, &d.people[4]), items[2],
                              desk_json(&d, bodies[0]), &d.why),
             &d.why);
    CHECK_EQ(annotate_undo(d.annotate, desk_ask(&d, &c, &d.people[0]), str_c(d.project), &d.why),
             ERR_CONFLICT);
    CHECK_EQ(annotate_verdict(d.annotate, desk_ask(&d, &c, &d.people[4]), items[2],
                              desk_json(&d, bodies[0]), &d.why),
             ERR_CONFLICT);
    DESK_DONE(d);
}

TEST(nobody_reviews_his_own_work)
{
    DESK(d);
    desk_dataset(&d, "letters", 2);
    desk_project(&d, "letters", "\"review\":100");
    CHECK_EQ(desk_place(&d, 0, "{\"work\":true,\"review\":true}"), ERR_INVALID);
    CHECK_EQ(desk_place(&d, 4, "{\"work\":true,\"review\":true}"), ERR_INVALID);
    desk_places(&d);
    /* Also where both roles are allowed: maria works, then may not review that item. */
    struct desk_call c;
    CHECK_OK(desk_took(&d, &c,
                       annotate_change(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                                       desk_json(&d, "{\"separate\":false}"), &d.why)),
             &d.why);
    struct store_args args = STORE_ARGS(SV_INT(3), SV_STR(d.people[4].id));
    CHECK_OK(store_run(d.r.store, "UPDATE annotate_members SET roles = ? WHERE user_id = ?", args,
                       NULL, &d.why),
             &d.why);
    d.people[4].permissions |= ops_permission_bit(STR("annotate.work"));
    CHECK_EQ(desk_work(&d, 4, 1), 1);
    struct str item = desk_item(&d, 0);
    CHECK_OK(desk_submit(&d, 4, item, A), &d.why);
    CHECK_EQ(annotate_verdict(d.annotate, desk_ask(&d, &c, &d.people[4]), item,
                              desk_json(&d, "{\"action\":\"accept\"}"), &d.why),
             ERR_FORBIDDEN);
    CHECK_OK(desk_took(&d, &c,
                       annotate_next_review(d.annotate, desk_ask(&d, &c, &d.people[4]),
                                            str_c(d.project), false, &d.why)),
             &d.why);
    CHECK_EQ(json_kind(json_get(d.json, "item")), JSON_KIND_NULL);
    /* And an annotator may not review at all. */
    CHECK_EQ(annotate_verdict(d.annotate, desk_ask(&d, &c, &d.people[0]), item,
                              desk_json(&d, "{\"action\":\"accept\"}"), &d.why),
             ERR_FORBIDDEN);
    DESK_DONE(d);
}

TEST(undo_gives_back_what_nobody_built_on)
{
    DESK(d);
    desk_dataset(&d, "letters", 2);
    desk_project(&d, "letters", "\"overlap\":2");
    desk_places(&d);
    struct desk_call c;
    CHECK_EQ(annotate_undo(d.annotate, desk_ask(&d, &c, &d.people[0]), str_c(d.project), &d.why),
             ERR_NOT_FOUND);
    CHECK_EQ(desk_work(&d, 0, 1), 1);
    struct str item = desk_item(&d, 0);
    CHECK_OK(desk_submit(&d, 0, item, A), &d.why);
    CHECK_EQ(desk_work(&d, 1, 1), 1);
    CHECK(str_eq(desk_item(&d, 0), item));
    CHECK_OK(desk_submit(&d, 1, item, B), &d.why);
    CHECK_STR(desk_state(&d, item), "disputed");
    CHECK_OK(desk_took(&d, &c,
                       annotate_undo(d.annotate, desk_ask(&d, &c, &d.people[1]), str_c(d.project),
                                     &d.why)),
             &d.why);
    CHECK(str_eq(json_get_str(d.json, "id", STR("")), item));
    CHECK_STR(desk_state(&d, item), "open");
    CHECK_EQ(desk_count(&d, "n_disputed"), 0);
    CHECK_EQ(desk_count(&d, "n_labels"), 1);
    CHECK_OK(desk_submit(&d, 1, item, A), &d.why);
    CHECK_STR(desk_state(&d, item), "final");
    CHECK_OK(annotate_undo(d.annotate, desk_ask(&d, &c, &d.people[1]), str_c(d.project), &d.why),
             &d.why);
    CHECK_EQ(desk_count(&d, "n_final"), 0);
    CHECK_OK(annotate_skip(d.annotate, desk_ask(&d, &c, &d.people[1]), item, STR("看不懂"), &d.why),
             &d.why);
    CHECK_STR(desk_state(&d, item), "disputed");
    CHECK_OK(annotate_undo(d.annotate, desk_ask(&d, &c, &d.people[1]), str_c(d.project), &d.why),
             &d.why);
    CHECK_EQ(desk_count(&d, "n_skipped"), 0);
    DESK_DONE(d);
}

TEST(an_exam_decides_who_may_begin)
{
    DESK(d);
    desk_dataset(&d, "letters", 12);
    desk_project(&d, "letters",
                 "\"pass_mark\":80,\"gold_every\":2,\"gold\":{\"field\":\"label\",\"n\":4,"
                 "\"exam\":2}");
    desk_places(&d);
    CHECK_EQ(desk_count(&d, "n_exam"), 2);
    CHECK_EQ(desk_count(&d, "n_gold"), 2);
    CHECK_EQ(desk_count(&d, "n_items"), 8);
    for (int who = 0; who < 2; who++) {
        CHECK_EQ(desk_work(&d, who, 5), 2); /* the exam and nothing else */
        struct str items[2] = {desk_item(&d, 0), desk_item(&d, 1)};
        for (int i = 0; i < 2; i++) {
            struct str text = json_get_str(desk_look(&d, items[i]), "id", STR(""));
            const struct json *gold = json_get(d.json, "gold");
            bool a = str_eq_c(json_str(json_at(json_get(gold, "kind"), 0), STR("")), "投诉");
            CHECK(text.len > 0);
            /* The first one is right, the second wrong. */
            CHECK_OK(desk_submit(&d, who, items[i], a == (who == 0) ? A : B), &d.why);
            const struct json *exam = json_get(d.json, "exam");
            CHECK(json_get(exam, "right") != NULL);
            if (i == 1)
                CHECK_STR(json_get_str(exam, "state", STR("")), who == 0 ? "passed" : "failed");
        }
    }
    struct desk_call c;
    CHECK_EQ(annotate_work(d.annotate, desk_ask(&d, &c, &d.people[1]), str_c(d.project), 1, &d.why),
             ERR_FORBIDDEN);
    CHECK_OK(desk_place(&d, 1, "{\"exam\":\"again\"}"), &d.why);
    CHECK_EQ(desk_work(&d, 1, 5), 2);
    /* Gold comes after every second item, unseen, and counts for the person only. */
    size_t n_gold = 0;
    for (int i = 0; i < 10 && desk_work(&d, 0, 1) == 1; i++) {
        struct str item = desk_item(&d, 0);
        CHECK(!json_get(json_at(json_get(d.json, "items"), 0), "gold"));
        CHECK_OK(desk_submit(&d, 0, item, A), &d.why);
        n_gold += str_eq_c(json_get_str(desk_look(&d, item), "purpose", STR("")), "gold");
    }
    CHECK_EQ(n_gold, 2);
    CHECK_EQ(desk_count(&d, "n_final"), 8);
    DESK_DONE(d);
}

TEST(work_goes_from_one_person_to_another)
{
    DESK(d);
    desk_dataset(&d, "letters", 4);
    desk_project(&d, "letters", "");
    desk_places(&d);
    CHECK_EQ(desk_work(&d, 0, 3), 3);
    struct desk_call c;
    CHECK_OK(desk_took(&d, &c,
                       annotate_handover(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                                         d.people[0].id, d.people[1].id, &d.why)),
             &d.why);
    CHECK_EQ(json_get_int(d.json, "n", 0), 3);
    CHECK_EQ(desk_work(&d, 1, 5), 4);
    CHECK_EQ(desk_work(&d, 0, 5), 0);
    CHECK_EQ(annotate_handover(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                               d.people[1].id, d.people[4].id, &d.why),
             ERR_INVALID);
    /* Who is suspended gets nothing, and his items are free at once. */
    CHECK_OK(desk_place(&d, 1, "{\"suspended\":true}"), &d.why);
    CHECK_EQ(desk_work(&d, 1, 1), 0);
    CHECK_EQ(desk_work(&d, 2, 5), 4);
    DESK_DONE(d);
}

TEST(pre_labels_are_marked_and_their_fate_is_kept)
{
    DESK(d);
    desk_dataset(&d, "letters", 4);
    desk_project(&d, "letters",
                 "\"prelabel\":{\"from\":\"patterns\",\"to\":\"ner\",\"patterns\":[{\"pattern\":"
                 "\"[东西南北紫]藤路口\",\"label\":\"地点\"},{\"pattern\":\"城.局\",\"label\":"
                 "\"单位\"}]}");
    desk_places(&d);
    CHECK_EQ(desk_work(&d, 0, 2), 2);
    const struct json *item = json_at(json_get(d.json, "items"), 0);
    const struct json *spans = json_get(json_get(item, "pre"), "ner");
    CHECK_STR(json_get_str(item, "pre_by", STR("")), "rule:patterns");
    CHECK_EQ(json_len(spans), 2);
    CHECK_EQ(json_get_int(json_at(spans, 0), "start", 0), 4); /* characters of 第0条：紫藤路口 */
    CHECK_EQ(json_get_int(json_at(spans, 0), "end", 0), 8);
    CHECK_EQ(json_get_int(json_at(spans, 1), "start", 0), 16); /* behind the emoji: one character */
    struct str first = desk_item(&d, 0), second = desk_item(&d, 1);
    CHECK_OK(desk_submit(&d, 0, first,
                         "{\"kind\":[\"投诉\"],\"ner\":[{\"start\":4,\"end\":8,\"label\":\"地点\"},"
                         "{\"start\":16,\"end\":19,\"label\":\"单位\"}]}"),
             &d.why);
    CHECK_OK(desk_submit(&d, 0, second, A), &d.why);
    CHECK_STR(json_get_str(json_at(json_get(desk_look(&d, second), "labels"), 0), "pre", STR("")),
              "changed");
    static const char *const bad[] = {
        "{\"from\":\"patterns\",\"to\":\"ner\",\"patterns\":[{\"pattern\":\"(\",\"label\":\"地点\"}"
        "]}",
        "{\"from\":\"patterns\",\"to\":\"ner\",\"patterns\":[{\"pattern\":\"(a)\\\\1\",\"label\":"
        "\"地点\"}]}",
        "{\"from\":\"patterns\",\"to\":\"ner\",\"patterns\":[{\"pattern\":\"(a{1,9999}){9}\","
        "\"label\":\"地点\"}]}",
        "{\"from\":\"patterns\",\"to\":\"ner\",\"patterns\":[{\"pattern\":\"a\",\"label\":\"?\"}]}",
        "{\"from\":\"stars\"}",
    };
    struct desk_call c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(annotate_prelabel(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                                   desk_json(&d, bad[i]), &d.why),
                 ERR_INVALID);
    DESK_DONE(d);
}

struct racer {
    struct desk *d;
    int who;
    int n;
    bool bad;
};

static void *race(void *ctx)
{
    struct racer *r = ctx;
    for (int i = 0; i < 200; i++) {
        struct arena *arena = arena_new((size_t)64 << 20);
        struct buf buf;
        struct json_out out;
        struct why why = {0};
        const struct json *json = NULL, *answer = NULL;
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        struct annotate_ask ask = {.who = &r->d->people[r->who], .arena = arena, .out = &out};
        enum err err = annotate_work(r->d->annotate, &ask, str_c(r->d->project), 2, &why);
        if (!err)
            err = json_parse(buf_str(&buf), arena, &json, &why);
        struct str id = json_get_str(json_at(json_get(json, "items"), 0), "id", STR(""));
        if (!err && !id.len) {
            arena_free(arena);
            break;
        }
        ask.out = NULL;
        if (!err)
            err = json_parse(STR("{\"answer\":" A "}"), arena, &answer, &why);
        if (!err)
            err = annotate_submit(r->d->annotate, &ask, id, answer, &why);
        r->n += !err;
        r->bad = r->bad || (err && err != ERR_BUSY);
        if (err)
            printf("# %s\n", why_text(&why, err));
        arena_free(arena);
    }
    return NULL;
}

TEST(no_two_people_get_one_item_by_a_race)
{
    DESK(d);
    desk_dataset(&d, "letters", 60);
    desk_project(&d, "letters", "");
    desk_places(&d);
    struct racer racers[4];
    pthread_t threads[4];
    int n = 0;
    for (int i = 0; i < 4; i++) {
        racers[i] = (struct racer){&d, i, 0, false};
        CHECK_EQ(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK(!racers[i].bad);
        n += racers[i].n;
    }
    CHECK_EQ(n, 60);
    CHECK_EQ(desk_count(&d, "n_final"), 60);
    struct store_rows rows = {0};
    CHECK_OK(store_ask(d.r.store, "SELECT COUNT(*) FROM annotate_labels", STORE_NO_ARGS, d.r.arena,
                       &rows, &d.why),
             &d.why);
    CHECK_EQ(store_int(&rows, 0, 0), 60);
    DESK_DONE(d);
}

TEST(what_is_in_use_cannot_be_taken_away)
{
    DESK(d);
    desk_dataset(&d, "letters", 3);
    desk_project(&d, "letters", "");
    desk_places(&d);
    CHECK_EQ(desk_work(&d, 0, 1), 1);
    CHECK_OK(desk_submit(&d, 0, desk_item(&d, 0), A), &d.why);
    struct desk_call c;
    const char *fewer = "{\"labels\":{\"show\":[{\"name\":\"text\",\"path\":\"text\"}],\"fields\":["
                        "{\"name\":\"kind\",\"kind\":\"choices\",\"labels\":[\"投诉\"]}]}}";
    CHECK_EQ(annotate_change(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                             desk_json(&d, fewer), &d.why),
             ERR_CONFLICT);
    struct annotate_ask *ask = desk_ask(&d, &c, &d.manager);
    ask->if_match = 77;
    CHECK_EQ(annotate_change(d.annotate, ask, str_c(d.project), desk_json(&d, "{\"overlap\":2}"),
                             &d.why),
             ERR_PRECONDITION);
    CHECK_OK(annotate_change(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                             desk_json(&d, "{\"overlap\":2,\"state\":\"paused\"}"), &d.why),
             &d.why);
    CHECK_EQ(desk_work(&d, 1, 1), 0); /* paused */
    CHECK_OK(annotate_change(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                             desk_json(&d, "{\"state\":\"open\"}"), &d.why),
             &d.why);
    CHECK_EQ(desk_work(&d, 1, 5), 2); /* the one that is final stays so */
    DESK_DONE(d);
}

TESTS_MAIN()
