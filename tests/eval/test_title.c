#include "eval/eval.h"
#include "tap.h"

TEST(titles_match_without_state_brackets_and_version)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"劳动合同法", "中华人民共和国劳动合同法", true},
        {"《中华人民共和国民法典》", "民法典(2020-05-28)", true},
        {"工伤保险条例", "工伤保险条例（2010修订）", true},
        {"广东省实施《中华人民共和国价格法》办法", "广东省实施价格法办法", true},
        {"最高人民法院关于适用《民法典》婚姻家庭编的解释（一）",
         "最高人民法院关于适用民法典婚姻家庭编的解释(一)", true},
        {"最高人民法院关于适用《民法典》婚姻家庭编的解释（一）",
         "最高人民法院关于适用民法典婚姻家庭编的解释(二)", false},
        {"劳动法", "劳动合同法", false},
        {"刑法", "刑法修正案", false},
        {" 养犬 管理条例", "养犬管理条例", true},
        {"", "", true},
        {"x", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(eval_same_title(str_c(cases[i].a), str_c(cases[i].b)), cases[i].same);
}

TESTS_MAIN()
