#include "core/arena.h"
#include "knowledge/answer.h"
#include "knowledge/knowledge.h"
#include "knowledge/question.h"
#include "tap.h"

static struct question read_one(struct arena *arena, const char *text)
{
    struct question q = {0};
    struct why why = {0};
    CHECK_OK(question_read(str_c(text), arena, &q, &why), &why);
    return q;
}

TEST(tells_which_field_is_asked_for)
{
    static const struct {
        const char *text, *field;
    } cases[] = {
        {"办营业执照要去哪儿？", "where"},
        {"护照几天能办下来", "how_long"},
        {"对窗口人员的态度不满意找谁投诉", "complaint"},
        {"公租房要带什么材料", "materials"},
        {"这个业务归哪个部门管", "who"},
        {"大厅周末上班吗", "when"},
        {"办证要多少钱", "fee"},
        {"想咨询一下，打什么电话", "phone"},
        {"网上能办吗", "online"},
        {"低保要符合什么条件", "conditions"},
        {"办结以后能快递到家吗", "courier"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct question q = read_one(arena, cases[i].text);
        CHECK(q.n_fields > 0);
        if (q.n_fields)
            CHECK_STR(str_c(q.fields[0]), cases[i].field);
        arena_free(arena);
    }
}

TEST(finds_an_article_with_the_law_before_it)
{
    static const struct {
        const char *text, *law;
        unsigned number, sub;
    } cases[] = {
        {"《劳动合同法》第三十七条是什么", "劳动合同法", 37, 0},
        {"请问民法典第1087条怎么规定的", "民法典", 1087, 0},
        {"刑法第一百三十三条之一", "刑法", 133, 1},
        {"第五条的内容", "", 5, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct question q = read_one(arena, cases[i].text);
        CHECK(q.names_article);
        CHECK_EQ(q.article, cases[i].number);
        CHECK_EQ(q.sub, cases[i].sub);
        CHECK_STR(q.law, cases[i].law);
        arena_free(arena);
    }
}

TEST(leans_on_the_question_before_when_it_must)
{
    struct arena *arena = arena_new(1 << 20);
    const struct knowledge_turn turns[] = {
        {STR("user"), STR("申请公共租赁住房需要什么条件？")},
        {STR("assistant"), STR("……")},
        {STR("user"), STR("那要带什么材料")},
    };
    struct question q = read_one(arena, "几天能办好？"), before = {0};
    struct str text;
    bool found;
    CHECK(q.leans && q.may_lean);
    CHECK_OK(question_before(turns, 3, arena, &before, &found, NULL), NULL);
    CHECK(found);
    CHECK_OK(question_behind(&before, &q, arena, &text, NULL), NULL);
    CHECK(str_find(text, STR("公共租赁住房")) != STR_NPOS &&
          str_find(text, STR("几天能办好")) != STR_NPOS);
    struct question own = read_one(arena, "新生儿落户需要带哪些材料");
    CHECK(!own.leans && !own.may_lean);
    CHECK_OK(question_before(NULL, 0, arena, &before, &found, NULL), NULL);
    CHECK(!found);
    arena_free(arena);
}

/* 低保怎么申请 is so short that it would lean on something, but it is what the talk began with. */
TEST(what_a_conversation_began_with_stands_on_its_own)
{
    struct arena *arena = arena_new(1 << 20);
    const struct knowledge_turn turns[] = {
        {STR("user"), STR("低保怎么申请")},
        {STR("assistant"), STR("……")},
        {STR("user"), STR("多久能批？")},
    };
    struct question before = {0};
    bool found;
    CHECK(read_one(arena, "低保怎么申请").leans);
    CHECK_OK(question_before(turns, 3, arena, &before, &found, NULL), NULL);
    CHECK(found);
    CHECK_STR(before.text, "低保怎么申请");
    /* short, and not clearly about something else */
    CHECK(!read_one(arena, "租金怎么算的？").leans);
    CHECK(read_one(arena, "租金怎么算的？").may_lean);
    arena_free(arena);
}

TEST(refuses_what_asks_nothing)
{
    static const char *const bad[] = {"", "   ", "？？？", "123", "\xE4\xB8"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct question q = {0};
        struct why why = {0};
        CHECK_EQ(question_read(str_c(bad[i]), arena, &q, &why), ERR_INVALID);
        CHECK(why.text[0] != '\0');
        arena_free(arena);
    }
    struct arena *arena = arena_new(1 << 20);
    char *book = arena_bytes(arena, 300001);
    for (size_t i = 0; i < 300000; i += 3)
        memcpy(book + i, "问", 3);
    struct question q = {0};
    CHECK_OK(question_read((struct str){book, 300000}, arena, &q, NULL), NULL);
    CHECK(q.text.len <= QUESTION_MOST_BYTES);
    arena_free(arena);
}

TEST(says_so_when_memory_runs_out)
{
    size_t limit = 0;
    enum err err = ERR_NO_MEMORY;
    for (; err == ERR_NO_MEMORY; limit += 64) {
        struct arena *arena = arena_new(limit);
        struct question q = {.article = 99};
        err = question_read(STR("申请公共租赁住房需要什么条件？"), arena, &q, NULL);
        CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && q.article == 99));
        arena_free(arena);
    }
    CHECK_EQ(err, ERR_OK);
}

TEST(compares_short_texts)
{
    CHECK(answer_alike(STR("怎么办居住证"), STR("怎么办居住证？")) > 0.99);
    CHECK(answer_alike(STR("怎么办居住证"), STR("今天天气如何")) < 0.01);
    CHECK(answer_covered(STR("公共租赁住房申请"), STR("公共租赁住房申请要带什么")) > 0.99);
    CHECK(answer_covered(STR(""), STR("任何")) == 0);
    CHECK(answer_alike(STR("ABC"), STR("ａｂｃ")) > 0.99);
}

TESTS_MAIN()
