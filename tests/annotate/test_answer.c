/* Label sets and answers: what is taken, what is refused, what is the same. */
#include "annotate/answer.h"
#include "core/arena.h"
#include "tap.h"

#define SET                                                                                        \
    "{\"show\":[{\"name\":\"text\",\"path\":\"text\"},{\"name\":\"pic\",\"kind\":\"image\","       \
    "\"path\":\"image\"}],\"fields\":["                                                            \
    "{\"name\":\"kind\",\"kind\":\"choices\",\"multiple\":true,\"labels\":[{\"value\":\"a\","      \
    "\"children\":[\"x\",{\"value\":\"y\",\"key\":\"q\"}]},\"b\"]},"                               \
    "{\"name\":\"ner\",\"kind\":\"spans\",\"to\":\"text\",\"labels\":[\"LOC\",\"ORG\"]},"          \
    "{\"name\":\"box\",\"kind\":\"boxes\",\"to\":\"pic\",\"labels\":[\"car\"]},"                   \
    "{\"name\":\"note\",\"kind\":\"text\",\"required\":false},"                                    \
    "{\"name\":\"stars\",\"kind\":\"rating\",\"max\":4,\"required\":false},"                       \
    "{\"name\":\"pref\",\"kind\":\"preference\",\"required\":false}]}"

struct set {
    struct arena *arena;
    struct labels labels;
    struct answer_about about;
};

static enum err read_set(struct arena *arena, const char *text, struct labels *out, struct why *why)
{
    const struct json *json = NULL;
    CHECK_EQ(json_parse(str_c(text), arena, &json, NULL), ERR_OK);
    return labels_read(json, arena, out, why);
}

static struct set make_set(void)
{
    struct set s = {.arena = arena_new((size_t)8 << 20), .about = answer_about_anything};
    struct why why = {0};
    s.about.chars[0] = 10;
    CHECK_OK(read_set(s.arena, SET, &s.labels, &why), &why);
    return s;
}

TEST(a_label_set_is_read_and_written_alike)
{
    struct set s = make_set();
    struct buf once, twice;
    struct json_out out;
    struct labels again;
    const struct json *json = NULL;
    const struct field *kind = labels_field(&s.labels, STR("kind"));
    CHECK(kind && kind->n_labels == 4 && kind->multiple);
    CHECK_STR(kind->labels[2].value, "a/y");
    CHECK_STR(kind->labels[2].key, "q");
    CHECK_STR(kind->labels[0].key, "1");
    CHECK_EQ(kind->labels[2].parent, 0);
    CHECK_EQ(field_label_loose(kind, STR("x")), 1);
    CHECK_EQ(field_label_loose(kind, STR("nothing")), -1);
    buf_init(&once, s.arena);
    json_out_init(&out, &once);
    labels_write(&s.labels, &out);
    CHECK_EQ(json_parse(buf_str(&once), s.arena, &json, NULL), ERR_OK);
    CHECK_EQ(labels_read(json, s.arena, &again, NULL), ERR_OK);
    buf_init(&twice, s.arena);
    json_out_init(&out, &twice);
    labels_write(&again, &out);
    CHECK(str_eq(buf_str(&once), buf_str(&twice)));
    arena_free(s.arena);
}

TEST(a_label_set_that_asks_nothing_is_refused)
{
    static const char *const bad[] = {
        "{}",
        "{\"show\":[],\"fields\":[]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"guess\"}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"choices\"}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"choices\",\"labels\":[\"a\",\"a\"]}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"spans\",\"labels\":[\"a\"]}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"boxes\",\"to\":\"t\",\"labels\":[\"a\"]}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"text\"},{\"name\":\"k\",\"kind\":\"text\"}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\",\"kind\":\"film\"}],\"fields\":[{\"name\":"
        "\"k\",\"kind\":\"text\"}]}",
        "{\"show\":[{\"name\":\"t\",\"path\":\"text\"}],\"fields\":[{\"name\":\"k\",\"kind\":"
        "\"rating\",\"max\":1}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *arena = arena_new((size_t)8 << 20);
        struct labels labels;
        struct why why = {0};
        CHECK_EQ(read_set(arena, bad[i], &labels, &why), ERR_INVALID);
        CHECK(why.text[0] != '\0');
        arena_free(arena);
    }
}

TEST(an_answer_becomes_canonical)
{
    struct set s = make_set();
    struct answer answer;
    struct str text;
    struct why why = {0};
    CHECK_OK(answer_parse(STR("{\"note\":\" hm \",\"ner\":[{\"start\":5,\"end\":10,\"label\":"
                              "\"ORG\"},{\"start\":0,\"end\":2,\"label\":\"LOC\"},{\"start\":0,"
                              "\"end\":2,\"label\":\"LOC\"}],\"kind\":[\"b\",\"a/x\",\"b\"],"
                              "\"stars\":4}"),
                          &s.labels, &s.about, false, s.arena, &answer, &why),
             &why);
    CHECK_OK(answer_text(&answer, &s.labels, s.arena, &text, &why), &why);
    CHECK_STR(text, "{\"kind\":[\"a/x\",\"b\"],\"ner\":[{\"start\":0,\"end\":2,\"label\":\"LOC\"},{"
                    "\"start\":5,\"end\":10,\"label\":\"ORG\"}],\"box\":[],\"note\":\"hm\","
                    "\"stars\":4}");
    arena_free(s.arena);
}

TEST(what_is_no_answer_is_refused)
{
    static const char *const bad[] = {
        "[]",
        "{\"kind\":[\"c\"]}",
        "{\"kind\":[]}",
        "{\"kind\":[\"b\"],\"more\":1}",
        "{\"kind\":[\"b\"],\"ner\":[{\"start\":5,\"end\":11,\"label\":\"ORG\"}]}",
        "{\"kind\":[\"b\"],\"ner\":[{\"start\":5,\"end\":5,\"label\":\"ORG\"}]}",
        "{\"kind\":[\"b\"],\"ner\":[{\"start\":-1,\"end\":5,\"label\":\"ORG\"}]}",
        "{\"kind\":[\"b\"],\"ner\":{}}",
        "{\"kind\":[\"b\"],\"box\":[{\"x\":90,\"y\":0,\"width\":20,\"height\":5,\"label\":"
        "\"car\"}]}",
        "{\"kind\":[\"b\"],\"box\":[{\"x\":1e999,\"y\":0,\"width\":2,\"height\":5,\"label\":"
        "\"car\"}]}",
        "{\"kind\":[\"b\"],\"stars\":5}",
        "{\"kind\":[\"b\"],\"stars\":1.5}",
        "{\"kind\":[\"b\"],\"stars\":\"many\"}",
        "{\"kind\":[\"b\"],\"pref\":\"c\"}",
    };
    struct set s = make_set();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct answer answer = {0};
        struct why why = {0};
        enum err err =
            answer_parse(str_c(bad[i]), &s.labels, &s.about, false, s.arena, &answer, &why);
        CHECK_EQ(err, ERR_INVALID);
        CHECK(why.text[0] != '\0' && answer.values == NULL);
        if (err != ERR_INVALID)
            printf("# %s\n", bad[i]);
    }
    struct answer draft;
    CHECK_EQ(answer_parse(STR("{}"), &s.labels, &s.about, true, s.arena, &draft, NULL), ERR_OK);
    arena_free(s.arena);
}

static double score(struct set *s, const char *a, const char *b, bool *same)
{
    struct answer x, y;
    struct why why = {0};
    CHECK_OK(answer_parse(str_c(a), &s->labels, &s->about, true, s->arena, &x, &why), &why);
    CHECK_OK(answer_parse(str_c(b), &s->labels, &s->about, true, s->arena, &y, &why), &why);
    return answer_score(&s->labels, &x, &y, same);
}

TEST(answers_are_compared_field_by_field)
{
    struct set s = make_set();
    bool same = false;
    CHECK(score(&s, "{\"kind\":[\"b\"]}", "{\"kind\":[\"b\"],\"note\":\"words do not count\"}",
                &same) == 1 &&
          same);
    CHECK(score(&s, "{\"kind\":[\"b\"]}", "{\"kind\":[\"b\",\"a\"]}", &same) < 1 && !same);
    CHECK(score(&s, "{\"kind\":[\"b\"],\"stars\":3}", "{\"kind\":[\"b\"],\"stars\":4}", &same) < 1);
    CHECK(!same);
    CHECK(score(&s, "{\"kind\":[\"b\"],\"pref\":\"a\"}", "{\"kind\":[\"b\"]}", &same) < 1 && !same);
    arena_free(s.arena);
}

TESTS_MAIN()
