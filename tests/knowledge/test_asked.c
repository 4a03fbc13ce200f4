/* knowledge/asked: what the wording of a question alone says. */
#include "knowledge/asked.h"

#include "learn/learn.h"

#include "../tap.h"

TEST(tells_what_is_asked_of_an_office_from_what_is_not)
{
    static const char *const answered[] = {"公租房申请要准备哪些材料", "补办身份证多少天能拿到",
                                           "劳动合同到期不续签有没有补偿"};
    static const char *const other[] = {"红烧排骨怎么做才好吃", "帮我写一首关于春天的诗",
                                        "你喜欢哪个歌手"};
    for (size_t i = 0; i < 3; i++) {
        CHECK(asked_answered(str_c(answered[i])) > 0);
        CHECK(asked_answered(str_c(other[i])) < 0);
    }
}

TEST(stays_within_its_bounds_for_any_text)
{
    static const char *const texts[] = {"", "?", "\xff\xfe", "一",
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double odds = asked_answered(str_c(texts[i]));
        CHECK(odds >= -ASKED_MOST && odds <= ASKED_MOST);
    }
}

TEST(says_nothing_by_a_model_of_other_labels)
{
    struct learn_example examples[40];
    for (size_t i = 0; i < 40; i++)
        examples[i] = i % 2 ? (struct learn_example){.text = STR("今天下雨了"), .label = 1}
                            : (struct learn_example){.text = STR("今天天晴了"), .label = 0};
    const struct str labels[] = {STR("sun"), STR("rain")};
    struct learn_model *model = NULL;
    struct why why = {0};
    CHECK_OK(learn_train(examples, 40, labels, 2, &learn_options_default, &model, &why), &why);
    CHECK(model && asked_answered_by(model, STR("下雨")) == 0);
    learn_free(model);
}

TESTS_MAIN()
