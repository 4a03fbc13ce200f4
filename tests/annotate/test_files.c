/* In and out: results as versions, Label Studio's files, restarts. */
#include "annotate/studio.h"
#include "desk.h"

/* A version's records as JSON, in order. */
static const struct json *records(struct desk *d, const char *dataset)
{
    struct buf buf;
    struct json_out out;
    const struct json *json = NULL;
    struct data_look look = {.n = 100};
    struct ops_identity who = ops_system();
    who.tenant = STR(OPS_HOME);
    buf_init(&buf, d->r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_records_json(d->r.data, &who, str_c(dataset), &look, d->r.arena, &out, &d->why),
             &d->why);
    CHECK_EQ(json_parse(buf_str(&buf), d->r.arena, &json, NULL), ERR_OK);
    return json_get(json, "items");
}

static const struct json *run_result(struct desk *d, const char *dataset)
{
    struct desk_call c;
    char *body = str_z(d->r.arena, str_printf(d->r.arena, "{\"dataset\":\"%s\"}", dataset));
    CHECK_OK(desk_took(d, &c,
                       annotate_result(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project),
                                       desk_json(d, body), &d->why)),
             &d->why);
    return room_job(&d->r, str_z(d->r.arena, json_get_str(d->json, "job", STR(""))));
}

TEST(what_is_final_becomes_a_version_with_papers)
{
    DESK(d);
    desk_dataset(&d, "letters", 4);
    desk_project(&d, "letters", "\"overlap\":2");
    desk_places(&d);
    struct desk_call c;
    CHECK_EQ(annotate_result(d.annotate, desk_ask(&d, &c, &d.manager), str_c(d.project),
                             desk_json(&d, "{\"dataset\":\"out\"}"), &d.why),
             ERR_CONFLICT); /* nothing yet */
    for (int who = 0; who < 2; who++) {
        CHECK_EQ(desk_work(&d, who, 3), 3);
        struct str items[3] = {desk_item(&d, 0), desk_item(&d, 1), desk_item(&d, 2)};
        for (int i = 0; i < 3; i++)
            CHECK_OK(desk_submit(&d, who, items[i],
                                 "{\"kind\":[\"建议\"],\"ner\":[{\"start\":4,\"end\":8,\"label\":"
                                 "\"地点\"}]}"),
                     &d.why);
    }
    const struct json *result = run_result(&d, "out");
    CHECK_EQ(json_get_int(result, "n_records", 0), 3);
    CHECK_STR(json_get_str(result, "kind", STR("")), "classification");
    const struct json *items = records(&d, "out"), *first = json_at(items, 0);
    CHECK_EQ(json_len(items), 3);
    CHECK_STR(json_get_str(first, "label", STR("")), "建议");
    CHECK_STR(
        json_get_str(json_at(json_get(json_get(first, "annotations"), "ner"), 0), "label", STR("")),
        "地点");
    CHECK_STR(json_get_str(json_get(first, "annotation"), "how", STR("")), "agreed");
    CHECK(str_eq(json_get_str(first, "id", STR("")),
                 json_get_str(json_at(records(&d, "letters"), 0), "id", STR("x"))));
    /* The card says who, and how far they agreed; the version descends from the other. */
    struct ops_identity who = ops_system();
    struct buf buf;
    struct json_out out;
    buf_init(&buf, d.r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_version_json(d.r.data, &who, STR("out"), 0, d.r.arena, &out, &d.why), &d.why);
    CHECK(str_find(buf_str(&buf), STR("\"labelled\":3")) != STR_NPOS);
    CHECK(str_find(buf_str(&buf), STR("\"agreement\":[{\"field\":\"kind\"")) != STR_NPOS);
    buf_init(&buf, d.r.arena);
    json_out_init(&out, &buf);
    CHECK_OK(data_lineage_json(d.r.data, &who, STR("version"),
                               json_get_str(result, "version", STR("")), DATA_BACKWARDS, d.r.arena,
                               &out, &d.why),
             &d.why);
    CHECK(str_find(buf_str(&buf), STR("letters")) != STR_NPOS);
    /* The same once more makes nothing new. */
    const struct json *again = run_result(&d, "out");
    CHECK_EQ(json_get_int(again, "number", 0), 1);
    CHECK(
        str_eq(json_get_str(again, "sha256", STR("a")), json_get_str(result, "sha256", STR("b"))));
    DESK_DONE(d);
}

static const struct json *run_import_of(struct desk *d, const char *path, const char *dataset,
                                        const char *more)
{
    struct desk_call c;
    char *body = str_z(d->r.arena, str_printf(d->r.arena,
                                              "{\"path\":\"%s\",\"title\":\"t\",\"dataset\":"
                                              "\"%s\"%s}",
                                              path, dataset, more));
    CHECK_OK(desk_took(d, &c,
                       annotate_import(d->annotate, desk_ask(d, &c, &d->manager),
                                       desk_json(d, body), &d->why)),
             &d->why);
    const struct json *result =
        room_job(&d->r, str_z(d->r.arena, json_get_str(d->json, "job", STR(""))));
    (void)snprintf(d->project, sizeof d->project, "%.*s",
                   STR_FMT(json_get_str(result, "project", STR(""))));
    return result;
}

static const struct json *run_import(struct desk *d, const char *file, const char *dataset,
                                     const char *more)
{
    char *path = str_z(d->r.arena, str_printf(d->r.arena, "%s/tests/annotate/studio/%s",
                                              YICHENG_SOURCE_ROOT, file));
    return run_import_of(d, path, dataset, more);
}

static struct str export_of(struct desk *d, bool config)
{
    struct desk_call c;
    struct str text = STR_NONE;
    char *path = file_join(d->r.arena, d->r.dir, "export");
    FILE *f = fopen(path, "we");
    CHECK(f != NULL);
    CHECK_OK(annotate_export(d->annotate, desk_ask(d, &c, &d->manager), str_c(d->project), config,
                             fileno(f), &d->why),
             &d->why);
    (void)fclose(f);
    CHECK_OK(file_read(path, 1 << 20, d->r.arena, &text, &d->why), &d->why);
    return text;
}

TEST(an_export_of_label_studio_comes_in_and_goes_out_again)
{
    DESK(d);
    const struct json *result = run_import(&d, "current.json", "studio", "");
    CHECK_EQ(json_get_int(result, "n_tasks", 0), 1);
    CHECK_EQ(json_get_int(result, "n_annotations", 0), 2);
    CHECK_EQ(json_get_int(result, "n_predictions", 0), 1);
    CHECK_EQ(json_get_int(json_get(result, "notes"), "relation", 0), 1);
    const struct json *p = desk_show(&d);
    CHECK_STR(json_get_str(p, "state", STR("")), "open");
    CHECK_EQ(json_get_int(p, "n_items", 0), 1);
    CHECK_EQ(json_get_int(p, "n_final", 0), 1); /* ground truth */
    CHECK_STR(json_get_str(json_at(records(&d, "studio"), 0), "source", STR("")), "12345");
    const struct json *tasks = NULL;
    struct str text = export_of(&d, false);
    CHECK_EQ(json_parse(text, d.r.arena, &tasks, NULL), ERR_OK);
    const struct json *task = json_at(tasks, 0), *annotations = json_get(task, "annotations");
    CHECK_EQ(json_len(annotations), 3); /* both, and the truth */
    CHECK(json_get_bool(json_at(annotations, 2), "ground_truth", false));
    CHECK_STR(json_get_str(json_get(json_at(annotations, 0), "completed_by"), "email", STR("")),
              "lin@yunting.example");
    CHECK(
        str_find(text, STR("\"start\":3,\"end\":7,\"text\":\"紫藤路口\",\"labels\":[\"地点\"]")) !=
        STR_NPOS);
    CHECK(str_find(export_of(&d, true), STR("<Taxonomy name=\"area\"")) != STR_NPOS);
    /* What went out comes in again and says the same. */
    struct labels labels;
    struct studio_notes notes;
    struct studio_task back;
    studio_notes_init(&notes, d.r.arena);
    CHECK_OK(studio_config_read(export_of(&d, true), d.r.arena, &labels, &notes, &d.why), &d.why);
    CHECK_OK(studio_task_read(task, &labels, d.r.arena, &notes, &back, &d.why), &d.why);
    CHECK_STR(back.annotations[0].answer,
              "{\"kind\":[\"投诉\",\"suggestion\"],\"ner\":[{\"start\":2,\"end\":6,\"label\":"
              "\"地点\"}],\"area\":[\"环保/噪声\",\"交通\"],\"note\":\"夜里施工\\n已来电三次\","
              "\"urgency\":4,\"days\":2.5}");
    DESK_DONE(d);
}

/* Who said what about a task, without ids. */
static struct str said(struct desk *d, const struct json *task)
{
    static const char *const lists[] = {"annotations", "predictions"};
    struct buf buf;
    buf_init(&buf, d->r.arena);
    for (size_t l = 0; l < 2; l++) {
        const struct json *list = json_get(task, lists[l]);
        for (size_t i = 0; i < json_len(list); i++) {
            const struct json *one = json_at(list, i), *who = json_get(one, "completed_by");
            struct str result = STR(""), name = json_get_str(who, "email", STR(""));
            if (!name.len) /* a person of ours */
                name = json_get_str(who, "first_name", STR(""));
            CHECK_EQ(json_dump(json_get(one, "result"), d->r.arena, &result, NULL), ERR_OK);
            buf_printf(&buf, "%s %.*s %d: %.*s\n", lists[l], STR_FMT(name),
                       json_get_bool(one, "was_cancelled", false), STR_FMT(result));
        }
    }
    return buf.len ? buf_str(&buf) : STR("");
}

/* What was written, read again and written again, says the same of every task. */
static void check_round(struct desk *d, struct str written, const char *name)
{
    const struct json *before = NULL, *after = NULL;
    struct buf more;
    char *path = file_join(d->r.arena, d->r.dir, "round.json");
    buf_init(&more, d->r.arena);
    buf_add_c(&more, ",\"config\":");
    json_quote(&more, export_of(d, true));
    CHECK_OK(file_write(path, written, 0640, &d->why), &d->why);
    char *set = str_z(d->r.arena, str_printf(d->r.arena, "%s-round", name));
    const struct json *result = run_import_of(d, path, set, str_z(d->r.arena, buf_str(&more)));
    CHECK_EQ(json_get_int(result, "n_bad", 9), 0);
    CHECK_EQ(json_len(json_get(result, "notes")), 0);
    CHECK_EQ(json_parse(written, d->r.arena, &before, NULL), ERR_OK);
    CHECK_EQ(json_parse(export_of(d, false), d->r.arena, &after, NULL), ERR_OK);
    CHECK_EQ(json_len(after), json_len(before));
    for (size_t i = 0; i < json_len(before); i++)
        CHECK_STR(said(d, json_at(after, i)), str_z(d->r.arena, said(d, json_at(before, i))));
}

TEST(every_variation_of_an_export_comes_in)
{
    static const struct {
        const char *file, *config;
        int64_t tasks, annotations;
    } cases[] = {{"older.json", "sentiment.xml", 3, 4},
                 {"boxes.json", NULL, 1, 1},
                 {"min.json", "sentiment.xml", 1, 1},
                 {"table.csv", "sentiment.xml", 2, 2},
                 {"table.tsv", "sentiment.xml", 1, 1},
                 {"all.json", "sentiment.xml", 1, 2},
                 {"pair.json", NULL, 1, 1},
                 {"storage.json", NULL, 2, 2},
                 {"carried.json", NULL, 1, 3},
                 {"polygons_min.json", "ocr.xml", 1, 1}};
    DESK(d);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf more;
        struct str xml = STR("");
        char *name = str_z(d.r.arena, str_printf(d.r.arena, "set%zu", i));
        buf_init(&more, d.r.arena);
        if (cases[i].config) {
            char *path = str_z(d.r.arena, str_printf(d.r.arena, "%s/tests/annotate/studio/%s",
                                                     YICHENG_SOURCE_ROOT, cases[i].config));
            CHECK_OK(file_read(path, 1 << 20, d.r.arena, &xml, &d.why), &d.why);
            buf_add_c(&more, ",\"config\":");
            json_quote(&more, xml);
        }
        const struct json *result =
            run_import(&d, cases[i].file, name, str_z(d.r.arena, buf_str(&more)));
        CHECK_EQ(json_get_int(result, "n_tasks", 0), cases[i].tasks);
        CHECK_EQ(json_get_int(result, "n_annotations", 0), cases[i].annotations);
        CHECK_EQ(json_get_int(result, "n_bad", 9), 0);
        CHECK_EQ(desk_count(&d, "n_items"), cases[i].tasks);
        const struct json *out = NULL;
        struct str written = export_of(&d, false);
        CHECK_EQ(json_parse(written, d.r.arena, &out, NULL), ERR_OK);
        CHECK_EQ(json_len(out), cases[i].tasks);
        check_round(&d, written, name);
    }
    DESK_DONE(d);
}

/* ---- poisoned files ---- */

static const char *import_text(struct desk *d, struct str text)
{
    char *path = file_join(d->r.arena, d->r.dir, "poison.json");
    CHECK_OK(file_write(path, text, 0640, &d->why), &d->why);
    return path;
}

/* A task that cannot be read is left out, counted and named; the others come in. */
TEST(poisoned_tasks_do_not_end_an_import)
{
    DESK(d);
    struct buf text;
    buf_init(&text, d.r.arena);
    buf_add_c(
        &text,
        "[{\"data\":{\"text\":\"路灯坏了\"},\"annotations\":[{\"result\":[{\"from_name\":\"k\","
        "\"to_name\":\"text\",\"type\":\"choices\",\"value\":{\"choices\":[\"报修\"]}}]}]},");
    buf_add_c(&text,
              "{\"data\":{\"text\":\"half \\ud800\"}},{\"data\":1,\"data\":2},{\"data\":{\"text\":"
              "\"\\u0000\\u001b[2J\"}},{\"data\":{\"text\":\"深\",\"x\":");
    for (int i = 0; i < 3000; i++)
        buf_add_c(&text, "[");
    for (int i = 0; i < 3000; i++)
        buf_add_c(&text, "]");
    buf_add_c(&text, "}},{\"data\":{\"text\":\"多\"},\"annotations\":[");
    for (int i = 0; i < STUDIO_MOST_PEOPLE + 5; i++)
        buf_printf(&text, "%s{\"result\":[]}", i ? "," : "");
    buf_add_c(&text, "]},{},{\"data\":{}},{\"data\":{\"text\":7}},{\"data\":{\"text\":\"长");
    for (int i = 0; i < 300000; i++)
        buf_add_c(&text, "一");
    buf_add_c(&text, "\"},\"annotations\":\"no list\",\"predictions\":{\"a\":[]}}]");
    const struct json *result = run_import_of(&d, import_text(&d, buf_str(&text)), "poison", "");
    const struct json *notes = json_get(result, "notes");
    CHECK_EQ(json_get_int(notes, "unreadable task", 0), 3);
    CHECK_EQ(json_get_int(notes, "unreadable annotations", 0), 1);
    CHECK(json_get_int(result, "n_bad", 0) >= 4);
    CHECK_EQ(json_get_int(result, "n_annotations", 0), 1);
    CHECK(desk_count(&d, "n_items") >= 3);
    CHECK_STR(json_get_str(desk_show(&d), "state", STR("")), "open");
    struct str written = export_of(&d, false);
    const struct json *out = NULL;
    CHECK_OK(json_parse(written, d.r.arena, &out, &d.why), &d.why);
    DESK_DONE(d);
}

/* Hostile records and answers: what is no answer is refused and changes nothing, what is one comes
 * out as a record that reads. */
TEST(hostile_records_and_answers_make_a_result_that_reads)
{
    static const char *const bad[] = {
        "7",
        "[]",
        "{\"kind\":[\"\\u0000\"]}",
        "{\"kind\":[\"投诉\"],\"ner\":[{\"start\":0,\"end\":99999999,\"label\":\"地点\"}]}",
        "{\"kind\":[\"投诉\"],\"ner\":[{\"start\":1e300,\"end\":2,\"label\":\"地点\"}]}",
        "{\"kind\":[\"投诉\"],\"ner\":[[[[[[[[]]]]]]]]}"};
    DESK(d);
    struct buf lines;
    buf_init(&lines, d.r.arena);
    buf_add_c(&lines,
              "{\"text\":\"\\u0000\\u001b[2J\\\"}],\\\"x\\\":[{\"}\n{\"text\":\"半 \\ud83d 个\"}\n"
              "{\"text\":\"两行\\r\\n\\u2028末\"}\n{\"text\":\"长");
    for (int i = 0; i < 300000; i++)
        buf_add_c(&lines, "一");
    buf_add_c(&lines, "\"}\n{\"text\":\"\xC0\xAF\"}\n{\"text\":\"深\",\"m\":");
    for (int i = 0; i < 50; i++)
        buf_add_c(&lines, "[");
    for (int i = 0; i < 50; i++)
        buf_add_c(&lines, "]");
    buf_add_c(&lines, "}\n");
    const char *path = room_file(&d.r, "poison.jsonl", lines.ptr);
    (void)room_import(&d.r, str_z(d.r.arena, str_printf(d.r.arena,
                                                        "{\"dataset\":\"poison\",\"kind\":\"text\","
                                                        "\"paths\":[\"%s\"]}",
                                                        path)));
    desk_project(&d, "poison", "");
    desk_places(&d);
    CHECK_EQ(desk_count(&d, "n_items"), 5); /* one is in quarantine */
    CHECK_EQ(desk_work(&d, 0, 5), 5);
    struct str items[5];
    for (size_t i = 0; i < 5; i++)
        items[i] = desk_item(&d, i);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(desk_submit(&d, 0, items[0], bad[i]), ERR_INVALID);
        CHECK(d.why.text[0] != '\0');
    }
    CHECK_EQ(desk_count(&d, "n_final"), 0);
    for (size_t i = 0; i < 5; i++)
        CHECK_OK(desk_submit(
                     &d, 0, items[i],
                     "{\"kind\":[\"投诉\"],\"ner\":[{\"start\":0,\"end\":1,\"label\":\"地点\"}]}"),
                 &d.why);
    const struct json *result = run_result(&d, "out");
    CHECK_EQ(json_get_int(result, "n_records", 0), 5);
    CHECK_EQ(json_len(records(&d, "out")), 5); /* each of them parses, in one page */
    struct str again = json_get_str(run_result(&d, "twice"), "sha256", STR("x"));
    CHECK(str_eq(again, json_get_str(result, "sha256", STR("y"))));
    check_round(&d, export_of(&d, false), "poison-out");
    DESK_DONE(d);
}

/* Two annotations of one task in a target storage: two items, and it is said. */
TEST(a_task_that_comes_twice_from_a_storage_is_told)
{
    DESK(d);
    static const char one[] = "{\"id\":%d,\"result\":[{\"from_name\":\"k\",\"to_name\":\"text\","
                              "\"type\":\"choices\",\"value\":"
                              "{\"choices\":[\"报修\"]}}],\"completed_by\":%d,\"task\":{\"id\":%d,"
                              "\"data\":{\"text\":\"路灯坏了\"}}}\n";
    struct buf text;
    buf_init(&text, d.r.arena);
    buf_printf(&text, one, 1, 1, 9);
    buf_printf(&text, one, 2, 2, 9);
    buf_printf(&text, one, 3, 1, 10);
    const struct json *result = run_import_of(&d, import_text(&d, buf_str(&text)), "storage", "");
    CHECK_EQ(json_get_int(result, "n_annotations", 0), 3);
    CHECK_EQ(json_get_int(json_get(result, "notes"),
                          "another annotation of a task, as an item of its own", 0),
             1);
    CHECK_EQ(desk_count(&d, "n_items"), 3);
    DESK_DONE(d);
}

/* What is no list of tasks at all is refused with words, and leaves neither set nor project. */
TEST(files_that_hold_no_tasks_are_refused_with_words)
{
    static const struct str bad[] = {STR_INIT(""),
                                     STR_INIT("[]"),
                                     STR_INIT("[{\"data\":{\"text\":\"\xC0\xAF\"}}]"),
                                     STR_INIT("[{\"data\":{\"text\":\"a\"}}"),
                                     STR_INIT("[{\"data\":{\"text\":\"\\ud800\"}}]"),
                                     STR_INIT("<html></html>"),
                                     STR_INIT("\0\0\0\0"),
                                     STR_INIT("PK\3\4\x14\0\0\0"),
                                     STR_INIT("{\"images\":[],\"categories\":[]}")};
    DESK(d);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct desk_call c;
        struct store_rows rows;
        char *body =
            str_z(d.r.arena, str_printf(d.r.arena, "{\"path\":\"%s\",\"dataset\":\"none\"}",
                                        import_text(&d, bad[i])));
        CHECK_OK(desk_took(&d, &c,
                           annotate_import(d.annotate, desk_ask(&d, &c, &d.manager),
                                           desk_json(&d, body), &d.why)),
                 &d.why);
        struct why why = {0};
        enum err err =
            job_run(d.r.compute, str_z(d.r.arena, json_get_str(d.json, "job", STR(""))), &why);
        CHECK_EQ(err, ERR_INVALID);
        CHECK(why.text[0] != '\0');
        CHECK_OK(store_ask(d.r.store,
                           "SELECT (SELECT COUNT(*) FROM annotate_projects), (SELECT COUNT(*) FROM "
                           "data_sets)",
                           STORE_NO_ARGS, d.r.arena, &rows, &d.why),
                 &d.why);
        CHECK_EQ(store_int(&rows, 0, 0) + store_int(&rows, 0, 1), 0);
    }
    DESK_DONE(d);
}

TEST(a_prepare_job_that_died_goes_on)
{
    DESK(d);
    struct desk_call c;
    desk_dataset(&d, "letters", 40);
    CHECK_OK(desk_took(&d, &c,
                       annotate_create(d.annotate, desk_ask(&d, &c, &d.manager),
                                       desk_json(&d, "{\"title\":\"t\",\"dataset\":\"letters\","
                                                     "\"gold\":{\"field\":\"label\",\"n\":6,"
                                                     "\"exam\":2}," DESK_LABELS "}"),
                                       &d.why)),
             &d.why);
    struct str id = json_get_str(d.json, "id", STR("")), job = json_get_str(d.json, "job", STR(""));
    (void)snprintf(d.project, sizeof d.project, "%.*s", STR_FMT(id));
    /* As if it had died behind the third item: one of them gold already. */
    for (int i = 0; i < 3; i++)
        CHECK_OK(store_run(d.r.store,
                           "INSERT INTO annotate_items (project, seq, rec, record, purpose, state,"
                           " wanted, n_out, n_done, n_skip, open, front, gold, pre, pre_by, final,"
                           " final_how, final_by, held_by, held_until, changed_ms) VALUES (?, ?, ?,"
                           " 'r', ?, 0, 1, 0, 0, 0, ?, 0, ?, '', '', '', '', '', '', 0, 0)",
                           STORE_ARGS(SV_STR(id), SV_INT(i + 1), SV_INT(i), SV_INT(i == 0 ? 2 : 0),
                                      SV_INT(i > 0), SV_C(i == 0 ? B : "")),
                           NULL, &d.why),
                 &d.why);
    CHECK_OK(store_run(d.r.store,
                       "UPDATE annotate_projects SET n_items = 2, n_exam = 1 WHERE id = ?",
                       STORE_ARGS(SV_STR(id)), NULL, &d.why),
             &d.why);
    (void)room_job(&d.r, str_z(d.r.arena, job));
    CHECK_EQ(desk_count(&d, "n_items"), 34);
    CHECK_EQ(desk_count(&d, "n_exam"), 2);
    CHECK_EQ(desk_count(&d, "n_gold"), 4);
    struct store_rows rows = {0};
    CHECK_OK(store_ask(d.r.store,
                       "SELECT COUNT(*), COUNT(DISTINCT rec), MAX(seq) FROM annotate_items",
                       STORE_NO_ARGS, d.r.arena, &rows, &d.why),
             &d.why);
    CHECK_EQ(store_int(&rows, 0, 0), 40);
    CHECK_EQ(store_int(&rows, 0, 1), 40);
    CHECK_EQ(store_int(&rows, 0, 2), 40);
    DESK_DONE(d);
}

TESTS_MAIN()
