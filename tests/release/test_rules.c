/* The figures that a gate turns on, at their very edges; samples: the promises of release/rules.h.
 */
#include "core/arena.h"
#include "release/rules.h"
#include "tap.h"

TEST(ninety_six_of_a_hundred_is_enough_and_less_is_not)
{
    static const struct {
        int64_t n, n_bad;
        int rate;
        bool holds;
    } cases[] = {
        {4000, 160, 96, true},  {4000, 161, 96, false}, {4001, 160, 96, true},
        {4001, 161, 96, false}, {1, 0, 96, true},       {1, 1, 96, false},
        {25, 1, 96, true},      {24, 1, 96, false},     {0, 0, 96, false},
        {1000, 20, 98, true},   {1000, 21, 98, false},  {50, 1, 98, true},
        {49, 1, 98, false},     {3, 0, 98, true},       {999999950, 19999999, 98, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(rules_good_enough(cases[i].n, cases[i].n_bad, cases[i].rate), cases[i].holds);
}

TEST(five_of_a_hundred_is_borne_and_more_is_not)
{
    CHECK(!rules_too_bad(100, 5, RULES_SOURCE_HARM));
    CHECK(rules_too_bad(100, 6, RULES_SOURCE_HARM));
    CHECK(!rules_too_bad(20, 1, RULES_SOURCE_HARM));
    CHECK(rules_too_bad(19, 1, RULES_SOURCE_HARM));
    CHECK(!rules_too_bad(4000, 200, RULES_SOURCE_HARM));
    CHECK(rules_too_bad(4000, 201, RULES_SOURCE_HARM));
    CHECK(!rules_too_bad(0, 0, RULES_SOURCE_HARM));
    CHECK(rules_too_bad(1, 1, RULES_SOURCE_HARM));
}

TEST(four_thousand_or_all)
{
    CHECK_EQ(rules_manual(10000, 0), 4000);
    CHECK_EQ(rules_manual(10000, 100), 4000); /* nobody may ask for fewer */
    CHECK_EQ(rules_manual(10000, 4000), 4000);
    CHECK_EQ(rules_manual(10000, 4001), 4001);
    CHECK_EQ(rules_manual(4000, 0), 4000);
    CHECK_EQ(rules_manual(3999, 0), 3999);
    CHECK_EQ(rules_manual(4001, 0), 4000);
    CHECK_EQ(rules_manual(7, 5000), 7);
    CHECK_EQ(rules_manual(0, 0), 0);
}

TEST(the_automatic_sample_is_never_less_than_a_tenth)
{
    CHECK_EQ(rules_automatic(10, 0.1), 1);
    CHECK_EQ(rules_automatic(11, 0.1), 2);
    CHECK_EQ(rules_automatic(1, 0.1), 1);
    CHECK_EQ(rules_automatic(1000, 0.01), 100);
    CHECK_EQ(rules_automatic(1000, 1), 1000);
    CHECK_EQ(rules_automatic(1000, 7), 1000);
    for (int64_t n = 1; n < 3000; n++)
        CHECK(rules_automatic(n, 0.1) * 10 >= n);
}

TEST(there_are_31_risks_in_five_groups)
{
    size_t n[6] = {0}, harmful = 0;
    CHECK_EQ(rules_n_risks(), 31);
    for (size_t i = 0; i < rules_n_risks(); i++) {
        const struct risk *r = rules_risk(i);
        n[r->group[1] - '0']++;
        harmful += r->harmful;
        CHECK(rules_risk_find(str_c(r->code)) == r);
        CHECK(rules_group_title(str_c(r->group), false)[0] != '\0');
    }
    CHECK_EQ(n[1], 8);
    CHECK_EQ(n[2], 9);
    CHECK_EQ(n[3], 5);
    CHECK_EQ(n[4], 7);
    CHECK_EQ(n[5], 2);
    CHECK_EQ(harmful, 29);
    CHECK(!rules_risk_find(STR("A6a")) && !rules_risk_find(STR("")) && !rules_risk(31));
}

#define MOST 64
static int64_t share(const int64_t *sizes, size_t n, int64_t most, uint64_t seed, struct stratum *s)
{
    static char names[MOST][24];
    int64_t sum = 0;
    struct why why = {0};
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(names[i], sizeof names[i], "s%zu", i);
        s[i] = (struct stratum){str_c(names[i]), sizes[i], -1};
    }
    CHECK_OK(rules_share_out(s, n, most, seed, &why), &why);
    for (size_t i = 0; i < n; i++) {
        CHECK(s[i].draws >= 0 && s[i].draws <= sizes[i]);
        sum += s[i].draws;
    }
    return sum;
}

TEST(every_source_has_its_share_of_the_sample)
{
    struct stratum s[MOST];
    static const int64_t sizes[] = {90000, 9000, 900, 90, 9, 1, 0};
    CHECK_EQ(share(sizes, 7, 4000, 1, s), 4000);
    for (size_t i = 0; i < 6; i++)
        CHECK(s[i].draws >= 1);
    CHECK_EQ(s[6].draws, 0);
    CHECK(s[0].draws > 3550 && s[0].draws < 3650);
    CHECK(s[1].draws > 350 && s[1].draws < 370);
    CHECK_EQ(share(sizes, 7, 1000000, 1, s), 100000); /* all of them */
    for (size_t i = 0; i < 7; i++)
        CHECK_EQ(s[i].draws, sizes[i]);
    /* More sources than draws: as many sources as there are draws, the same for the same seed. */
    int64_t ones[MOST];
    struct stratum again[MOST], other[MOST];
    for (size_t i = 0; i < MOST; i++)
        ones[i] = 10;
    CHECK_EQ(share(ones, MOST, 20, 7, s), 20);
    CHECK_EQ(share(ones, MOST, 20, 7, again), 20);
    CHECK_EQ(share(ones, MOST, 20, 8, other), 20);
    bool same = true;
    for (size_t i = 0; i < MOST; i++) {
        CHECK_EQ(s[i].draws, again[i].draws);
        CHECK(s[i].draws <= 1);
        same &= s[i].draws == other[i].draws;
    }
    CHECK(!same);
    CHECK_EQ(share(ones, 0, 20, 7, s), 0);
}

TEST(a_picker_takes_exactly_so_many_with_equal_chance)
{
    int hits[100] = {0};
    for (uint64_t seed = 0; seed < 4000; seed++) {
        struct picker p;
        int64_t n = 0;
        picker_init(&p, 100, 10, seed * 7919 + 1);
        for (int i = 0; i < 100; i++) {
            bool take = picker_take(&p);
            hits[i] += take;
            n += take;
        }
        CHECK_EQ(n, 10);
        CHECK(!picker_take(&p));
    }
    for (int i = 0; i < 100; i++)
        CHECK(hits[i] > 400 - 100 && hits[i] < 400 + 100); /* five sigma */
}

TESTS_MAIN()
