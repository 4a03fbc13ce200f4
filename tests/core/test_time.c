#include "core/time.h"
#include "tap.h"

TEST(counts_days_of_the_calendar)
{
    CHECK_EQ(day_from_ymd(1970, 1, 1), 0);
    CHECK_EQ(day_from_ymd(2000, 3, 1), 11017);
    CHECK_EQ(day_from_ymd(2023, 2, 29), DAY_NONE);
    CHECK(day_from_ymd(2024, 2, 29) != DAY_NONE);
    CHECK_EQ(day_from_ymd(2024, 13, 1), DAY_NONE);
    for (int32_t day = -100000; day < 100000; day += 13) {
        int y, m, d;
        day_to_ymd(day, &y, &m, &d);
        if (day_from_ymd(y, m, d) != day)
            CHECK_EQ(day_from_ymd(y, m, d), day);
    }
}

TEST(writes_and_reads_rfc_3339)
{
    char out[TIME_TEXT];
    int64_t ms = 0;
    time_set_zone(480);
    CHECK_STR(str_c(time_format(0, out)), "1970-01-01T08:00:00.000+08:00");
    CHECK(time_parse(STR("2026-11-21T22:00:00.5+08:00"), &ms));
    CHECK_STR(str_c(time_format(ms, out)), "2026-11-21T22:00:00.500+08:00");
    CHECK(time_parse(STR("2026-11-21T14:00:00Z"), &ms));
    CHECK_STR(str_c(time_format(ms, out)), "2026-11-21T22:00:00.000+08:00");
    CHECK(!time_parse(STR("2026-11-21T14:00:00"), &ms));
    CHECK(!time_parse(STR("2026-02-30T14:00:00Z"), &ms));
    CHECK(!time_parse(STR("2026-11-21T24:00:00Z"), &ms));
}

TEST(reads_dates_as_they_are_written)
{
    static const struct str forms[] = {STR_INIT("2026-03-01"), STR_INIT("2026/3/1"),
                                       STR_INIT("2026.3.1"), STR_INIT(" 2026年3月1日　")};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        int32_t day = 0;
        CHECK(day_parse(forms[i], &day));
        CHECK_EQ(day, day_from_ymd(2026, 3, 1));
    }
    int32_t day = 5;
    CHECK(!day_parse(STR("2026-3"), &day));
    CHECK(!day_parse(STR("2026年13月1日"), &day));
    CHECK_EQ(day, 5);
    char out[TIME_TEXT];
    CHECK_STR(str_c(day_format(DAY_NONE, out)), "");
    CHECK_STR(str_c(day_format(0, out)), "1970-01-01");
    CHECK_EQ(day_of(day_start_ms(20000)), 20000);
    CHECK_EQ(day_of(day_start_ms(20000) - 1), 19999);
}

TESTS_MAIN()
