/* knowledge/papers and the whole way of an answer, over a small base. */
#ifndef TEST_ENGINE
#define TEST_ENGINE "sqlite"
#endif
#include "tap.h"

#include "kb.h"
#include "knowledge/papers.h"
#include "knowledge/question.h"

static const char rules[] =
    "# 云汀市共享单车停放管理办法\n\n2024年3月1日公布 自2024年5月1日起施行\n\n"
    "第一条 为了规范共享单车停放，维护道路交通秩序，制定本办法。\n\n"
    "第二条 本市行政区域内共享单车的投放、停放和管理，适用本办法。\n\n"
    "第三条 "
    "共享单车应当停放在划定的停放区内，不得占用盲道。违反规定的，运营企业应当在四十八小时内清理。\n"
    "\n"
    "第四条 市城市管理部门负责共享单车停放的监督管理工作。\n";

static struct knowledge_answer ask_as(struct kb *kb, const struct ops_identity *who,
                                      const char *question, bool record)
{
    struct knowledge_answer answer = {0};
    struct knowledge_ask ask = {
        .query = {.kb = "test", .text = str_c(question), .as_of = DAY_NONE, .limit = 10},
        .record = record};
    struct why why = {0};
    CHECK_OK(knowledge_ask(kb->knowledge, who, &ask, kb->arena, &answer, &why), &why);
    return answer;
}

TEST(an_article_by_name_and_number_is_the_whole_article)
{
    struct kb kb;
    if (!kb_fresh(&kb))
        SKIP(test_store_skip());
    kb_put(&kb, "bike.md", rules);
    kb_import(&kb, "bike.md", false);
    static const char *const asked[] = {"共享单车停放管理办法第四条",
                                        "《云汀市共享单车停放管理办法》第4条",
                                        "请问共享单车停放管理办法第四条讲的是什么？"};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct knowledge_answer answer = ask_as(&kb, &kb.system, asked[i], false);
        CHECK(!answer.refused && strcmp(answer.method, "article") == 0);
        CHECK(str_find(answer.text, STR("市城市管理部门负责")) != STR_NPOS);
        CHECK_EQ(answer.n_quotes, 1);
    }
    struct knowledge_answer none = ask_as(&kb, &kb.system, "月球上有没有外星人", false);
    CHECK(none.refused && str_find(none.text, STR("12345")) != STR_NPOS);
    CHECK_EQ(none.n_quotes, 0);
    kb_done(&kb);
}

TEST(a_quote_is_the_passage_byte_for_byte)
{
    struct kb kb;
    if (!kb_fresh(&kb))
        SKIP(test_store_skip());
    kb_put(&kb, "bike.md", rules);
    kb_import(&kb, "bike.md", false);
    struct knowledge_answer answer = ask_as(
        &kb, &kb.system, "共享单车违反停放规定占用盲道，运营企业要在多少小时内清理？", false);
    CHECK(!answer.refused && answer.n_quotes > 0);
    CHECK(str_find(answer.text, STR("四十八小时内清理")) != STR_NPOS);
    for (size_t i = 0; i < answer.n_quotes; i++) {
        const struct knowledge_quote *q = &answer.quotes[i];
        const struct knowledge_hit *hit = &answer.hits[q->hit];
        CHECK(q->start >= hit->start && q->start + q->len <= hit->start + hit->len);
        CHECK(str_eq(q->text,
                     str_slice(hit->text, q->start - hit->start, q->start - hit->start + q->len)));
    }
    kb_done(&kb);
}

TEST(words_of_residents_meet_those_of_offices)
{
    static const char dogs[] = "# 云汀市养犬管理条例\n\n2024年3月1日公布 自2024年5月1日起施行\n\n"
                               "第一条 为了规范养犬行为，保障公民人身安全，制定本条例。\n\n"
                               "第二条 携带犬只外出应当为其束犬链，由成年人牵引。\n\n"
                               "第三条 养犬登记由公安机关办理，有效期一年。\n\n"
                               "第四条 市公安机关负责养犬管理工作。\n";
    struct kb kb;
    if (!kb_fresh(&kb))
        SKIP(test_store_skip());
    kb_put(&kb, "bike.md", rules);
    kb_import(&kb, "bike.md", false);
    kb_put(&kb, "dogs.md", dogs);
    kb_import(&kb, "dogs.md", false);
    struct knowledge_answer answer = ask_as(&kb, &kb.system, "狗证管几年", false);
    CHECK(!answer.refused);
    CHECK(str_find(answer.text, STR("有效期一年")) != STR_NPOS);
    kb_done(&kb);
}

TEST(masks_numbers_of_people_in_many_writings)
{
    static const char *const secrets[] = {"13812345678",
                                          "138 1234 5678",
                                          "138-1234-5678",
                                          "110101199003071234",
                                          "11010119900307123X",
                                          "１３８１２３４５６７８",
                                          "6222 0212 3456 7890 123"};
    struct arena *arena = arena_new(1 << 20);
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        struct str masked;
        struct str text = str_printf(arena, "我的号码是%s，请回电", secrets[i]);
        CHECK_OK(papers_mask(text, arena, &masked, NULL), NULL);
        CHECK(str_find(masked, str_c(secrets[i])) == STR_NPOS);
        CHECK(str_find(masked, STR("***")) != STR_NPOS);
        CHECK(str_starts(masked, STR("我的号码是")) && str_ends(masked, STR("，请回电")));
    }
    struct str kept;
    CHECK_OK(papers_mask(STR("第37条罚款5000元，打12345"), arena, &kept, NULL), NULL);
    CHECK_STR(kept, "第37条罚款5000元，打12345");
    arena_free(arena);
}

static struct str first_review(struct kb *kb)
{
    struct buf buf;
    struct json_out out;
    const struct json *doc = NULL;
    buf_init(&buf, kb->arena);
    json_out_init(&out, &buf);
    CHECK_OK(
        papers_reviews_json(kb->knowledge, &kb->system, "open", "", 10, kb->arena, &out, &kb->why),
        &kb->why);
    CHECK_OK(json_parse(buf_str(&buf), kb->arena, &doc, &kb->why), &kb->why);
    return json_get_str(json_at(json_get(doc, "items"), 0), "id", STR_NONE);
}

TEST(feedback_goes_to_the_queue_of_its_tenant_alone)
{
    struct kb kb;
    if (!kb_fresh(&kb))
        SKIP(test_store_skip());
    kb_put(&kb, "bike.md", rules);
    kb_import(&kb, "bike.md", false);
    struct knowledge_answer answer = ask_as(&kb, &kb.system, "共享单车押金怎么退", true);
    struct why why = {0};
    CHECK_EQ(papers_feedback(kb.knowledge, &kb.system, "no-such-answer", PAPERS_WRONG, STR(""),
                             STR(""), false, &why),
             ERR_NOT_FOUND);
    struct ops_identity other = kb.system;
    other.tenant = STR("another");
    CHECK_EQ(papers_feedback(kb.knowledge, &other, answer.id, PAPERS_WRONG, STR(""), STR(""), false,
                             NULL),
             ERR_NOT_FOUND);
    CHECK(!first_review(&kb).ptr);
    why = (struct why){0};
    CHECK_OK(papers_feedback(kb.knowledge, &kb.system, answer.id, PAPERS_MISSING,
                             STR("请打13812345678"), STR("押金三日内退"), true, &why),
             &why);
    CHECK(first_review(&kb).ptr != NULL);
    enum papers_verdict verdict;
    CHECK_EQ(papers_verdict_parse(STR("maybe"), &verdict, NULL), ERR_INVALID);
    kb_done(&kb);
}

/* The groups that are left, and the id of the first one's answer. */
static size_t unanswered(struct kb *kb, struct str *answer)
{
    struct buf buf;
    struct json_out out;
    const struct json *doc = NULL;
    buf_init(&buf, kb->arena);
    json_out_init(&out, &buf);
    CHECK_OK(papers_unanswered_json(kb->knowledge, &kb->system, 30, kb->arena, &out, &kb->why),
             &kb->why);
    CHECK_OK(json_parse(buf_str(&buf), kb->arena, &doc, &kb->why), &kb->why);
    const struct json *items = json_get(doc, "items");
    *answer = json_get_str(json_at(items, 0), "answer", STR_NONE);
    return json_len(items);
}

TEST(an_unanswered_question_is_settled_by_a_pair_or_set_aside_until_asked_again)
{
    struct kb kb;
    if (!kb_fresh(&kb))
        SKIP(test_store_skip());
    kb_put(&kb, "bike.md", rules);
    kb_import(&kb, "bike.md", false);
    static const char *const questions[] = {"明天会下雨吗", "图书馆周末几点关门"};
    for (size_t i = 0; i < 2; i++)
        CHECK(ask_as(&kb, &kb.system, questions[i], true).refused);
    struct str answer;
    struct why why = {0};
    CHECK_EQ(unanswered(&kb, &answer), 2);
    struct papers_decision decision = {.action = STR("make_faq"), .kb = STR("test")};
    struct ops_identity other = kb.system;
    other.tenant = STR("another");
    char *id = str_z(kb.arena, answer);
    CHECK_EQ(papers_settle(kb.knowledge, &kb.system, id, &decision, kb.arena, NULL), ERR_INVALID);
    decision.answer = STR("图书馆周末晚上九点关门。");
    CHECK_EQ(papers_settle(kb.knowledge, &other, id, &decision, kb.arena, NULL), ERR_NOT_FOUND);
    CHECK_EQ(papers_settle(kb.knowledge, &kb.system, "none", &decision, kb.arena, NULL),
             ERR_NOT_FOUND);
    CHECK_EQ(unanswered(&kb, &answer), 2); /* nothing of that counted */
    CHECK_OK(papers_settle(kb.knowledge, &kb.system, id, &decision, kb.arena, &why), &why);
    CHECK(!ask_as(&kb, &kb.system, questions[1], false).refused);
    CHECK_EQ(unanswered(&kb, &answer), 1);
    struct papers_decision aside = {.action = STR("dismiss")};
    CHECK_OK(
        papers_settle(kb.knowledge, &kb.system, str_z(kb.arena, answer), &aside, kb.arena, &why),
        &why);
    CHECK_EQ(unanswered(&kb, &answer), 0);
    usleep(2000);
    CHECK(ask_as(&kb, &kb.system, questions[0], true).refused);
    CHECK_EQ(unanswered(&kb, &answer), 1);
    kb_done(&kb);
}

TEST(fields_are_asked_for_beside_the_name)
{
    struct arena *arena = arena_new(1 << 20);
    struct str rest;
    CHECK_OK(question_without(STR("农机质量投诉受理在哪儿弄"), STR("农机质量投诉受理"), arena,
                              &rest, NULL),
             NULL);
    CHECK_STR(rest, "在哪儿弄");
    CHECK_OK(question_without(STR("办狗证要几天"), STR("养犬登记"), arena, &rest, NULL), NULL);
    CHECK_STR(rest, "办狗证要几天");
    arena_free(arena);
}

TESTS_MAIN()
