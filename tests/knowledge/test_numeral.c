#include "tap.h"

#include "knowledge/numeral.h"

TEST(reads_numbers_of_every_writing)
{
    static const struct {
        const char *text;
        uint32_t n;
        size_t used;
    } cases[] = {
        {"一", 1, 3},
        {"十", 10, 3},
        {"十二", 12, 6},
        {"二十", 20, 6},
        {"三十七条", 37, 9},
        {"一百零三", 103, 12},
        {"一百一十", 110, 12},
        {"一百十二", 112, 12},
        {"一千二百六十", 1260, 18},
        {"一千零一", 1001, 12},
        {"二〇二五年", 2025, 12},
        {"一万零五十", 10050, 15},
        {"两千", 2000, 6},
        {"37条", 37, 2},
        {"３７", 37, 6},
        {"二○○一", 2001, 12},
        {"零", 0, 3},
        {"123456789", 123456789, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t n = 99;
        size_t used = 99;
        CHECK(numeral_read(str_c(cases[i].text), &n, &used));
        CHECK_EQ(n, cases[i].n);
        CHECK_EQ(used, cases[i].used);
    }
    uint32_t n = 0;
    size_t used = 0;
    CHECK(!numeral_read(STR(""), &n, &used));
    CHECK(!numeral_read(STR("条"), &n, &used));
    CHECK(!numeral_read(STR("99999999999999999999"), &n, &used));
    CHECK(!numeral_read(STR("九万九万九万九万"), &n, &used));
}

TEST(writes_what_it_reads_up_to_article_1260_and_beyond)
{
    for (uint32_t i = 1; i < 30000; i++) {
        char text[NUMERAL_TEXT];
        uint32_t n = 0;
        size_t used = 0;
        struct str s = str_c(numeral_write(i, text));
        CHECK(numeral_read(s, &n, &used) && n == i && used == s.len);
    }
    char text[2 * NUMERAL_TEXT];
    CHECK_STR(str_c(numeral_article_write(1260, 0, text)), "第一千二百六十条");
    CHECK_STR(str_c(numeral_article_write(103, 1, text)), "第一百零三条之一");
    CHECK_STR(str_c(numeral_article_write(10, 0, text)), "第十条");
    CHECK_STR(str_c(numeral_article_write(112, 0, text)), "第一百一十二条");
    CHECK_STR(str_c(numeral_article_write(99999999, 0, text)),
              "第九千九百九十九万九千九百九十九条");
}

TEST(reads_article_numbers)
{
    static const struct {
        const char *text;
        bool is;
        uint32_t number, sub;
        size_t len;
    } cases[] = {
        {"第三十七条 劳动者提前三十日", true, 37, 0, 15},
        {"第一百零三条之一　", true, 103, 1, 24},
        {"第一千二百六十条", true, 1260, 0, 24},
        {"第37条规定", true, 37, 0, 8},
        {"第三十七章", false, 0, 0, 0},
        {"三十七条", false, 0, 0, 0},
        {"第条", false, 0, 0, 0},
        {"", false, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct numeral_article a = {0};
        CHECK_EQ(numeral_article(str_c(cases[i].text), &a), cases[i].is);
        CHECK_EQ(a.number, cases[i].number);
        CHECK_EQ(a.sub, cases[i].sub);
        CHECK_EQ(a.len, cases[i].len);
    }
}

TEST(finds_dates_of_every_writing)
{
    static const struct {
        const char *text, *day; /* NULL: none */
    } cases[] = {
        {"自2025年7月1日起施行", "2025-07-01"},
        {"２０１８年１１月２５日", "2018-11-25"},
        {"自一九九四年一月一日起", "1994-01-01"},
        {"二〇二五年六月三十日", "2025-06-30"},
        {"劳动合同法(2012-12-28).md", "2012-12-28"},
        {"2025/6/3", "2025-06-03"},
        {"2025.6.3发布", "2025-06-03"},
        {"2025 年 6 月 3 日", "2025-06-03"},
        {"电话0617-82169020", NULL},
        {"2023年2月29日", NULL},
        {"1985年度起施行", NULL},
        {"2025年7月", NULL},
        {"第三十七条第二款", NULL},
        {"3—2025-06-03", "2025-06-03"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct numeral_date date = {0};
        size_t at = 0;
        char day[TIME_TEXT];
        bool found = numeral_date_next(str_c(cases[i].text), &at, &date);
        CHECK_EQ(found, cases[i].day != NULL);
        if (found && cases[i].day)
            CHECK_STR(str_c(day_format(date.day, day)), cases[i].day);
    }
    struct str two = STR("2008年1月1日至2009年2月3日");
    struct numeral_date date;
    size_t at = 0, n = 0;
    while (numeral_date_next(two, &at, &date))
        n++;
    CHECK_EQ(n, 2);
    CHECK_EQ(at, two.len);
}

TESTS_MAIN()
