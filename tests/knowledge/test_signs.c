/* knowledge/signs: what the form of a question says. */
#include "knowledge/signs.h"

#include "../tap.h"

static unsigned against(const char *question, const char *title, const char *text)
{
    struct signs signs;
    signs_read(str_c(question), &signs);
    return signs_against(&signs, str_c(title), str_c(text));
}

TEST(says_what_no_text_of_an_office_answers)
{
    static const struct {
        const char *question;
        enum sign_kind kind;
    } cases[] = {
        {"帮我写一份租房合同", SIGN_task}, {"查一下我的公积金还有多少", SIGN_mine},
        {"昨天接了几个电话", SIGN_event},  {"明天会下雨吗", SIGN_now},
        {"哪家烤鸭最好吃", SIGN_opinion},  {"校长姓什么", SIGN_person},
        {"水管用什么牌子", SIGN_trade},    {"头疼吃什么药", SIGN_body},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(against(cases[i].question, "养犬管理办法", "养犬应当登记。") >> cases[i].kind & 1);
    CHECK_EQ(against("办狗证要带什么材料", "养犬管理办法", "养犬应当登记。"), 0u);
    CHECK_EQ(against("公租房的收入线是多少", "", ""), 0u);
}

TEST(a_passage_takes_back_what_it_has_the_words_for)
{
    CHECK(against("设备型号要登记吗", "", "应当登记设备。") >> SIGN_trade & 1);
    CHECK_EQ(against("设备型号要登记吗", "", "应当登记设备型号。"), 0u);
    /* what happened is in no rule, whatever its words */
    CHECK(against("昨天登记了几条狗", "", "昨天") >> SIGN_event & 1);
}

TEST(knows_places_that_the_passage_does_not)
{
    struct signs signs;
    signs_read(STR("芜湖的低保标准是多少"), &signs);
    CHECK_EQ(signs.n_places, 1u);
    CHECK(signs_elsewhere(&signs, STR("云汀市低保办法"), STR("标准为每月"), STR("云汀")));
    CHECK(!signs_elsewhere(&signs, STR("芜湖市低保办法"), STR("标准为每月"), STR("")));
    CHECK(!signs_elsewhere(&signs, STR("低保办法"), STR("标准为每月"), STR("安徽芜湖")));
    signs_read(STR("今天水费多少，医保定点医院有哪些"), &signs);
    CHECK_EQ(signs.n_places, 0u); /* 天水, 保定 */
}

TEST(finds_numbers_before_the_unit_that_is_asked_for)
{
    struct signs signs;
    signs_read(STR("遛狗的绳子最长多少米"), &signs);
    CHECK(signs.units != NULL);
    CHECK(signs_has_unit(signs.units, STR("使用长度不超过1.5米的牵引带")));
    CHECK(!signs_has_unit(signs.units, STR("处200元罚款，米面除外")));
    signs_read(STR("几天能办好"), &signs);
    CHECK(signs_has_unit(signs.units, STR("自受理之日起五日内")));
    CHECK(!signs_has_unit(signs.units, STR("自受理之日起")));
    signs_read(STR("养狗要办证吗"), &signs);
    CHECK(signs.units == NULL);
}

TEST(takes_the_thing_that_is_asked_for)
{
    struct signs signs;
    signs_read(STR("登记证的封面是什么颜色"), &signs);
    CHECK(str_eq_c(signs.thing, "颜色"));
    signs_read(STR("要带什么材料"), &signs);
    CHECK_EQ(signs.thing.len, 0u);
    signs_read(STR("这是什么"), &signs);
    CHECK_EQ(signs.thing.len, 0u);
}

TESTS_MAIN()
