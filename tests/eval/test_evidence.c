#include "core/arena.h"
#include "eval/eval.h"
#include "tap.h"

TEST(overlap_is_the_longest_run_over_both)
{
    struct arena *arena = arena_new(1 << 20);
    CHECK(eval_overlap(STR("甲乙丙丁"), STR("甲乙丙丁"), arena) > 0.999);
    CHECK(eval_overlap(STR("甲，乙。丙丁"), STR("甲乙丙丁"), arena) >
          0.999); /* marks do not count */
    double half = eval_overlap(STR("甲乙"), STR("甲乙丙丁"), arena);
    CHECK(half > 0.66 && half < 0.67);
    CHECK(eval_overlap(STR("戊己"), STR("甲乙丙丁"), arena) == 0);
    CHECK(eval_overlap(STR(""), STR(""), arena) == 0);
    arena_free(arena);
}

TEST(counts_questions_and_names_the_bad_line)
{
    struct eval_evidence report = {.n = 99};
    struct why why = {0};
    struct str good =
        STR("{\"context\":\"试用期内辞职提前三日通知。其他时候提前三十日。\",\"question\":"
            "\"试用期辞职提前几天\","
            "\"evidences\":[\"试用期内辞职提前三日通知。\"],\"answers\":[\"三日\"]}\n\n");
    CHECK_OK(eval_evidence(good, &report, &why), &why);
    CHECK_EQ(report.n, 1);
    CHECK_EQ(report.answers_held, 1);
    CHECK(report.f1 > 0.999);
    static const char *const bad[] = {"", "{}", "{\"context\":\"甲。\",\"question\":\"乙\"}", "[",
                                      "{\"context\":\"甲。\",\"evidences\":[\"甲\"]}"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why = (struct why){0};
        CHECK_EQ(eval_evidence(str_c(bad[i]), &report, &why), ERR_INVALID);
        CHECK(why.text[0] != '\0');
        CHECK_EQ(report.n, 1);
    }
}

TESTS_MAIN()
