/* Label Studio's formats in the variations that real projects have. */
#include <math.h>

#include "annotate/studio.h"
#include "annotate/xml.h"
#include "core/arena.h"
#include "core/file.h"
#include "tap.h"

struct reading {
    struct arena *arena;
    struct labels labels;
    struct studio_notes notes;
    struct why why;
};

static struct str file(struct reading *r, const char *name)
{
    struct str text = STR_NONE;
    char *path = str_z(
        r->arena, str_printf(r->arena, "%s/tests/annotate/studio/%s", YICHENG_SOURCE_ROOT, name));
    CHECK_OK(file_read(path, 1 << 20, r->arena, &text, &r->why), &r->why);
    return text;
}

static struct reading begin(const char *config)
{
    struct reading r = {.arena = arena_new((size_t)64 << 20)};
    studio_notes_init(&r.notes, r.arena);
    if (config)
        CHECK_OK(studio_config_read(file(&r, config), r.arena, &r.labels, &r.notes, &r.why),
                 &r.why);
    return r;
}

static int64_t noted(const struct reading *r, const char *what)
{
    struct map_entry *e = map_find(&r->notes.counts, str_c(what));
    return e ? e->value.i : 0;
}

/* Reads every task of a file; how many there were. */
static size_t tasks(struct reading *r, const char *name, struct studio_task *out, size_t most)
{
    struct studio_scan scan = {.text = file(r, name)};
    struct str text;
    size_t n = 0;
    for (;;) {
        const struct json *json = NULL;
        CHECK_OK(studio_next(&scan, &text, &r->why), &r->why);
        if (!text.ptr || n == most)
            return n;
        CHECK_OK(json_parse(text, r->arena, &json, &r->why), &r->why);
        CHECK_OK(studio_task_read(json, &r->labels, r->arena, &r->notes, &out[n], &r->why),
                 &r->why);
        n++;
    }
}

static void guess(struct reading *r, const char *name)
{
    struct studio_scan scan = {.text = file(r, name)};
    struct studio_guess *g = studio_guess_new(r->arena);
    struct str text;
    for (;;) {
        const struct json *json = NULL;
        CHECK_OK(studio_next(&scan, &text, &r->why), &r->why);
        if (!text.ptr)
            break;
        CHECK_OK(json_parse(text, r->arena, &json, &r->why), &r->why);
        CHECK_OK(studio_guess_see(g, json, &r->why), &r->why);
    }
    CHECK_OK(studio_guess_labels(g, &r->labels, &r->why), &r->why);
}

TEST(a_configuration_becomes_a_label_set)
{
    struct reading r = begin("sentiment.xml");
    const struct field *kind = labels_field(&r.labels, STR("kind"));
    CHECK_EQ(r.labels.n_fields, 7);
    CHECK(kind && kind->multiple && kind->required && kind->n_labels == 3);
    CHECK_STR(kind->labels[2].value, "suggestion");
    CHECK_STR(kind->labels[2].title, "Suggestion <new>");
    CHECK_STR(kind->labels[0].color, "#b02a37");
    CHECK_STR(kind->labels[0].key, "a");
    const struct field *area = labels_field(&r.labels, STR("area"));
    CHECK(area && area->kind == FIELD_CHOICES && area->multiple && area->n_labels == 4);
    CHECK_STR(area->labels[1].value, "环保/噪声");
    CHECK_EQ(labels_field(&r.labels, STR("urgency"))->max, 4);
    CHECK(!labels_field(&r.labels, STR("mood"))->multiple);
    CHECK_EQ(noted(&r, "<Choices perRegion>"), 1);
    CHECK_EQ(noted(&r, "<PolygonLabels>"), 1);
    CHECK_EQ(noted(&r, "<Relations>"), 1);
    arena_free(r.arena);
}

TEST(a_label_set_written_as_xml_reads_the_same)
{
    struct reading r = begin("sentiment.xml");
    struct buf xml, a, b;
    struct json_out out;
    struct labels again;
    buf_init(&xml, r.arena);
    studio_config_write(&r.labels, &xml);
    CHECK_OK(studio_config_read(buf_str(&xml), r.arena, &again, &r.notes, &r.why), &r.why);
    for (size_t i = 0; i < again.n_fields; i++)
        again.fields[i].required = r.labels.fields[i].required;
    buf_init(&a, r.arena);
    json_out_init(&out, &a);
    labels_write(&r.labels, &out);
    buf_init(&b, r.arena);
    json_out_init(&out, &b);
    labels_write(&again, &out);
    CHECK(str_eq(buf_str(&a), buf_str(&b)));
    if (!str_eq(buf_str(&a), buf_str(&b)))
        printf("# %.*s\n# %.*s\n", STR_FMT(buf_str(&a)), STR_FMT(buf_str(&b)));
    arena_free(r.arena);
}

TEST(a_current_export_is_read_whole)
{
    struct reading r = begin("sentiment.xml");
    struct studio_task t[2];
    CHECK_EQ(tasks(&r, "current.json", t, 2), 1);
    CHECK_STR(t[0].id, "11");
    CHECK_EQ(t[0].n_annotations, 2);
    CHECK_EQ(t[0].n_predictions, 1);
    /* The emoji is two units there and one character here. */
    CHECK_STR(t[0].annotations[0].answer,
              "{\"kind\":[\"投诉\",\"suggestion\"],\"ner\":[{\"start\":2,\"end\":6,\"label\":"
              "\"地点\"}],\"area\":[\"环保/噪声\",\"交通\"],\"note\":\"夜里施工\\n已来电三次\","
              "\"urgency\":4,\"days\":2.5}");
    CHECK_STR(t[0].annotations[0].who, "lin@yunting.example");
    CHECK(t[0].annotations[0].gold && !t[0].annotations[0].skipped);
    CHECK_EQ(t[0].annotations[0].spent_ms, 7662);
    CHECK(t[0].annotations[0].created_ms > 0);
    CHECK_STR(t[0].annotations[1].who, "4");
    CHECK(t[0].annotations[1].skipped);
    CHECK_STR(t[0].predictions[0].who, "rules-2");
    CHECK(fabs(t[0].predictions[0].score - 0.72) < 1e-9);
    CHECK_EQ(noted(&r, "relation"), 1);
    CHECK_EQ(noted(&r, "a span whose offsets were counted otherwise, and put right"), 0);
    arena_free(r.arena);
}

TEST(older_exports_are_read_and_put_right)
{
    struct reading r = begin("sentiment.xml");
    struct studio_task t[4];
    CHECK_EQ(tasks(&r, "older.json", t, 4), 3);
    /* "end" was the last unit there, not the one behind. */
    CHECK_STR(t[0].annotations[0].answer, "{\"ner\":[{\"start\":2,\"end\":5,\"label\":\"单位\"}]}");
    CHECK_STR(t[0].annotations[0].who, "wang@example.com");
    CHECK_EQ(t[1].n_annotations, 2);
    CHECK(t[1].annotations[1].skipped);
    CHECK_EQ(t[1].n_predictions, 0);
    /* A pair and a selector before the place: 4 units are 3 characters. */
    CHECK_STR(t[2].annotations[0].answer, "{\"ner\":[{\"start\":3,\"end\":5,\"label\":\"地点\"}]}");
    CHECK_EQ(noted(&r, "a span whose offsets do not fit its text"), 1);
    CHECK_EQ(noted(&r, "a label that the label set does not have: 从未有过"), 1);
    arena_free(r.arena);
}

TEST(the_short_export_is_read)
{
    struct reading r = begin("sentiment.xml");
    struct studio_task t[1];
    CHECK_EQ(tasks(&r, "min.json", t, 1), 1);
    CHECK_EQ(t[0].n_annotations, 1);
    CHECK_STR(t[0].annotations[0].answer,
              "{\"kind\":[\"投诉\",\"咨询\"],\"mood\":[\"negative\"],\"ner\":[{\"start\":0,\"end\":"
              "2,\"label\":\"单位\"}],\"area\":[\"交通\"],\"note\":\"记一笔\",\"urgency\":2}");
    CHECK_STR(t[0].annotations[0].who, "1");
    arena_free(r.arena);
}

TEST(a_table_is_the_short_export)
{
    static const char *const broken[] = {"id,text\n1,\"open\n", "id,text\n1\n", "id,text\n1,a,b\n"};
    struct reading r = begin("sentiment.xml");
    struct studio_task t[2];
    struct why why = {0};
    struct str lines = STR("");
    struct studio_scan scan = {.at = 0};
    struct str text = file(&r, "table.csv"), one = STR_NONE;
    CHECK(studio_is_table(text));
    CHECK(!studio_is_table(file(&r, "min.json")));
    CHECK_OK(studio_table(text, &r.labels, r.arena, &lines, &why), &why);
    scan.text = lines;
    for (size_t i = 0; i < 2; i++) {
        const struct json *json = NULL;
        CHECK_OK(studio_next(&scan, &one, &why), &why);
        CHECK_OK(json_parse(one, r.arena, &json, &why), &why);
        CHECK_OK(studio_task_read(json, &r.labels, r.arena, &r.notes, &t[i], &why), &why);
    }
    CHECK_STR(t[0].annotations[0].answer,
              "{\"kind\":[\"投诉\",\"咨询\"],\"mood\":[\"negative\"],\"ner\":[{\"start\":0,\"end\":"
              "2,\"label\":\"单位\"}],\"area\":[\"交通\"],\"note\":\"记一笔，有\\\"引号\\\"\","
              "\"urgency\":2,"
              "\"days\":2.5}");
    CHECK_STR(t[0].annotations[0].who, "lin@yunting.example");
    CHECK_EQ(t[0].annotations[0].spent_ms, 3250);
    CHECK_STR(t[1].annotations[0].answer,
              "{\"kind\":[\"投诉\"],\"ner\":[],\"note\":\"两\\n行\",\"urgency\":3}");
    CHECK_STR(json_get_str(t[1].data, "text", STR("")), "12345"); /* words, though digits */
    CHECK_EQ(studio_table(STR("id,text,id\n1,a,2\n"), &r.labels, r.arena, &lines, &why),
             ERR_INVALID);
    CHECK(strstr(why.text, "two columns") != NULL);
    for (size_t i = 0; i < 3; i++) {
        why = (struct why){0};
        CHECK_EQ(studio_table(str_c(broken[i]), &r.labels, r.arena, &lines, &why), ERR_INVALID);
        CHECK(strstr(why.text, "row 1") != NULL);
    }
    arena_free(r.arena);
}

/* Every type that the documentation of the format lists: taken, or counted by its name. */
TEST(nothing_of_an_export_is_lost_without_a_word)
{
    struct reading r = begin("sentiment.xml");
    struct studio_task t[1];
    CHECK_EQ(tasks(&r, "all.json", t, 1), 1);
    CHECK_EQ(t[0].n_annotations, 2);
    CHECK_STR(
        t[0].annotations[0].answer,
        "{\"kind\":[\"投诉\"],\"ner\":[{\"start\":0,\"end\":4,\"label\":\"地点\"},{\"start\":6,"
        "\"end\":8,\"label\":\"单位\"}],\"area\":[\"环保/噪声\",\"交通\"],\"note\":\"夜里\","
        "\"urgency\":4}");
    CHECK_STR(t[0].annotations[0].who, "lin@yunting.example");
    CHECK(t[0].annotations[1].skipped);
    CHECK_EQ(t[0].n_predictions, 1);
    CHECK_EQ(noted(&r, "relation"), 1);
    CHECK_EQ(noted(&r, "polygonlabels"), 1);
    CHECK_EQ(noted(&r, "keypointlabels"), 1);
    CHECK_EQ(noted(&r, "brushlabels"), 1);
    arena_free(r.arena);
}

/* Shapes of exports that lie in public repositories; what is in the files is ours. */

/* One file an annotation, with its task inside: what a target storage (local files, S3) gets, one
 * after the other. As in bluephysi01/labelstudio-duckdb-dbt-test, data/export. */
TEST(annotations_of_a_target_storage_are_read)
{
    struct reading r = begin(NULL);
    struct studio_task t[3];
    guess(&r, "storage.json");
    CHECK_EQ(tasks(&r, "storage.json", t, 3), 2);
    CHECK_STR(t[0].id, "195");
    CHECK_STR(json_get_str(t[0].data, "image", STR("")), "/data/local-files/?d=streets/1.jpg");
    CHECK_EQ(t[0].n_annotations, 1);
    CHECK_STR(t[0].annotations[0].who, "lin@yunting.example");
    CHECK_EQ(t[0].annotations[0].spent_ms, 6227);
    CHECK_STR(t[0].annotations[0].answer,
              "{\"label\":[{\"x\":10,\"y\":20,\"width\":30,\"height\":40,\"label\":\"井盖\"}]}");
    CHECK_STR(t[1].annotations[0].who, "wu@yunting.example");
    CHECK_EQ(noted(&r, "score of a single result"), 1);
    arena_free(r.arena);
}

/* Predictions by number, the one that was begun with within the annotation, once for all of them;
 * reviews, drafts, scores and words on results. As in smakam/labelstudio-examples (images-qc,
 * bengali-audio-ml-integ), ChristophAlt/labelstudio_converter and label-studio-converter. */
TEST(predictions_that_annotations_carry_are_taken_once)
{
    struct reading r = begin(NULL);
    struct studio_task t[1];
    guess(&r, "carried.json");
    CHECK_EQ(tasks(&r, "carried.json", t, 1), 1);
    CHECK_EQ(t[0].n_annotations, 3);
    CHECK_EQ(t[0].n_predictions, 1);
    CHECK_STR(t[0].predictions[0].who, "ner-v1");
    CHECK_STR(t[0].predictions[0].answer, "{\"ner\":[{\"start\":0,\"end\":4,\"label\":\"地点\"}]}");
    CHECK(t[0].predictions[0].score > 0.74 && t[0].predictions[0].score < 0.76);
    CHECK_EQ(noted(&r, "prediction given by its number only"), 1);
    CHECK_EQ(noted(&r, "score of a single result"), 1);
    CHECK_EQ(noted(&r, "words on a single result (meta)"), 1);
    CHECK_EQ(noted(&r, "review of an annotation"), 1);
    CHECK_EQ(noted(&r, "relation"), 1);
    CHECK_EQ(noted(&r, "draft"), 1);
    arena_free(r.arena);
}

/* Parts that repeat over a list in the data: refused, by name. As in
 * HumanSignal/label-studio-converter, tests/data/test_export_json_min/data_repeater.json. */
TEST(repeated_parts_are_refused_by_name)
{
    struct reading r = begin(NULL);
    struct studio_scan scan = {.text = file(&r, "repeater.json")};
    struct studio_guess *g = studio_guess_new(r.arena);
    const struct json *json = NULL;
    struct str text;
    CHECK_OK(studio_next(&scan, &text, &r.why), &r.why);
    CHECK_OK(json_parse(text, r.arena, &json, &r.why), &r.why);
    CHECK_OK(studio_guess_see(g, json, &r.why), &r.why);
    CHECK_EQ(studio_guess_labels(g, &r.labels, &r.why), ERR_INVALID);
    CHECK(strstr(r.why.text, "\"page_0\"") && strstr(r.why.text, "\"images\""));
    arena_free(r.arena);
}

/* The short export of text in pictures: boxes come in, polygons and words of regions are counted.
 * As in DuckyMomo20012/label-studio-converter, test/fixtures/label_studio_min_all.json. */
TEST(polygons_of_a_short_export_are_counted)
{
    struct reading r = begin("ocr.xml");
    struct studio_task t[1];
    CHECK_EQ(tasks(&r, "polygons_min.json", t, 1), 1);
    CHECK_STR(t[0].annotations[0].answer,
              "{\"label\":[{\"x\":27,\"y\":58,\"width\":42,\"height\":5,\"label\":\"印刷\"}]}");
    CHECK_EQ(noted(&r, "a polygon"), 1);
    CHECK_EQ(noted(&r, "<Polygon>"), 1);
    CHECK_EQ(noted(&r, "<TextArea perRegion>"), 1);
    arena_free(r.arena);
}

TEST(without_a_configuration_the_results_tell_it)
{
    struct reading r = begin(NULL);
    struct studio_task t[1];
    guess(&r, "boxes.json");
    CHECK_EQ(r.labels.n_fields, 1);
    CHECK_EQ(r.labels.fields[0].kind, FIELD_BOXES);
    CHECK_STR(r.labels.shows[0].path, "photo");
    CHECK_STR(r.labels.shows[0].kind, "image");
    CHECK_EQ(r.labels.fields[0].n_labels, 2);
    CHECK_EQ(tasks(&r, "boxes.json", t, 1), 1);
    /* What was drawn over the edge is cut there. */
    CHECK_STR(t[0].annotations[0].answer,
              "{\"label\":[{\"x\":1,\"y\":2,\"width\":3,\"height\":4,\"label\":\"井盖\"},{"
              "\"x\":4.857,\"y\":11.691,\"width\":92.51,\"height\":88.309,\"label\":"
              "\"占道经营\"}]}");
    CHECK_EQ(noted(&r, "polygonlabels"), 1);
    arena_free(r.arena);
    r = begin(NULL);
    guess(&r, "pair.json");
    CHECK_EQ(tasks(&r, "pair.json", t, 1), 1);
    CHECK_STR(t[0].annotations[0].answer, "{\"pw\":\"a\",\"rank\":[\"d2\",\"d1\"]}");
    CHECK_STR(t[0].annotations[0].who, "w1");
    arena_free(r.arena);
    r = begin(NULL);
    guess(&r, "current.json");
    const struct field *area = labels_field(&r.labels, STR("area"));
    CHECK(area && area->n_labels == 3);
    CHECK_STR(area->labels[1].value, "环保/噪声");
    CHECK_EQ(area->labels[1].parent, 0);
    arena_free(r.arena);
}

TEST(what_is_written_is_read_again)
{
    struct reading r = begin("sentiment.xml");
    struct studio_task t[1], back;
    CHECK_EQ(tasks(&r, "current.json", t, 1), 1);
    struct str texts[LABELS_MOST_SHOWS] = {json_get_str(t[0].data, "text", STR(""))};
    struct answer answer;
    struct buf buf;
    struct json_out out;
    const struct json *json = NULL;
    CHECK_EQ(answer_parse(t[0].annotations[0].answer, &r.labels, &answer_about_anything, true,
                          r.arena, &answer, NULL),
             ERR_OK);
    buf_init(&buf, r.arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, "data");
    json_put_value(&out, t[0].data);
    json_key(&out, "annotations");
    json_begin_array(&out);
    json_begin_object(&out);
    json_key(&out, "result");
    studio_result_write(&answer, &r.labels, texts, "manual", &out);
    json_end_object(&out);
    json_end_array(&out);
    json_end_object(&out);
    CHECK(str_find(buf_str(&buf), STR("\"start\":3,\"end\":7,\"text\":\"紫藤路口\"")) != STR_NPOS);
    CHECK_EQ(json_parse(buf_str(&buf), r.arena, &json, NULL), ERR_OK);
    CHECK_OK(studio_task_read(json, &r.labels, r.arena, &r.notes, &back, &r.why), &r.why);
    CHECK(str_eq(back.annotations[0].answer, t[0].annotations[0].answer));
    arena_free(r.arena);
}

TEST(offsets_count_units_there_and_characters_here)
{
    struct str text = STR("a😀中𠮷b");
    CHECK_EQ(studio_to_utf16(text, 0), 0);
    CHECK_EQ(studio_to_utf16(text, 2), 3);
    CHECK_EQ(studio_to_utf16(text, 5), 7);
    CHECK_EQ(studio_to_utf16(text, 6), STR_NPOS);
    CHECK_EQ(studio_from_utf16(text, 3), 2);
    CHECK_EQ(studio_from_utf16(text, 2), STR_NPOS); /* within the pair */
    CHECK_EQ(studio_from_utf16(text, 7), 5);
    CHECK_EQ(studio_from_utf16(text, 8), STR_NPOS);
}

TEST(hostile_xml_is_refused)
{
    static const char *const bad[] = {
        "",
        "words",
        "<View>",
        "<View></Wiew>",
        "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><View/>",
        "<View a=\"&a;\"/>",
        "<View a=\"&#x110000;\"/>",
        "<View a=\"&#0;\"/>",
        "<View a=b/>",
        "<View a=\"<\"/>",
        "<View a=\"1",
        "<!-- <View/>",
        "<View/\xFF>",
        "</View>",
        "<View a='\x01'/>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct xml_node *root = NULL;
        struct why why = {0};
        CHECK_EQ(xml_read(str_c(bad[i]), arena, &root, &why), ERR_INVALID);
        CHECK(root == NULL && why.text[0] != '\0');
        arena_free(arena);
    }
    struct arena *arena = arena_new((size_t)64 << 20);
    struct buf deep;
    struct xml_node *root = NULL;
    buf_init(&deep, arena);
    for (int i = 0; i < 100; i++)
        buf_add_c(&deep, "<View>");
    CHECK_EQ(xml_read(buf_str(&deep), arena, &root, NULL), ERR_TOO_LARGE);
    CHECK_EQ(xml_read((struct str){deep.ptr, XML_MOST_BYTES + 1}, arena, &root, NULL),
             ERR_TOO_LARGE);
    CHECK_EQ(xml_read(STR("<v a='&#20013;&lt;&#x4e2d;' b=\"2\"><!-- c --><w/>t</v >"), arena, &root,
                      NULL),
             ERR_OK);
    CHECK_STR(xml_get(root, "a"), "中<中");
    CHECK_STR(root->first->name, "w");
    arena_free(arena);
}

TEST(hostile_tasks_are_refused)
{
    static const char *const bad[] = {"[",        "[{}", "[{} 1]", "[{}] x",
                                      "{\"a\":1", "7",   "[1]",    "{\"a\":\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct studio_scan scan = {.text = str_c(bad[i])};
        struct why why = {0};
        struct str task = STR("x");
        enum err err = ERR_OK;
        for (int k = 0; k < 5 && !err && task.ptr; k++)
            err = studio_next(&scan, &task, &why);
        CHECK_EQ(err, ERR_INVALID);
        CHECK(why.text[0] != '\0');
    }
    struct studio_scan none = {.text = STR(" [ ] ")};
    struct str task = STR("x");
    CHECK_EQ(studio_next(&none, &task, NULL), ERR_OK);
    CHECK(task.ptr == NULL);
}

TESTS_MAIN()
