#include <string.h>

#include "core/arena.h"
#include "core/str.h"
#include "tap.h"

TEST(edits_are_counted)
{
    CHECK_EQ(str_edits(STR("http.port"), STR("http.port")), 0);
    CHECK_EQ(str_edits(STR("http.prot"), STR("http.port")), 2);
    CHECK_EQ(str_edits(STR("htp.port"), STR("http.port")), 1);
    CHECK_EQ(str_edits(STR(""), STR("abc")), 3);
    CHECK_EQ(str_edits(STR("kitten"), STR("sitting")), 3);
    char longer[65] = {0};
    memset(longer, 'a', sizeof longer);
    CHECK(str_edits((struct str){longer, 65}, STR("a")) == STR_NPOS);
}

TEST(finds_and_slices_within_bounds)
{
    struct str s = STR("hello, world");
    CHECK_EQ(str_find(s, STR("world")), 7);
    CHECK_EQ(str_find(s, STR("word")), STR_NPOS);
    CHECK_EQ(str_find_from(s, STR("o"), 5), 8);
    CHECK_EQ(str_find(s, STR("")), 0);
    CHECK_EQ(str_find_from(s, STR("x"), 99), STR_NPOS);
    CHECK_STR(str_slice(s, 7, 99), "world");
    CHECK_STR(str_slice(s, 9, 3), "");
    CHECK_STR(str_from(s, 50), "");
}

TEST(trims_chinese_white_space)
{
    CHECK_STR(str_trim_space(STR("\xEF\xBB\xBF　 第一条\xC2\xA0\n")), "第一条");
    CHECK_STR(str_trim(STR(" \t a b \r\n")), "a b");
    CHECK_STR(str_trim_space(STR("　")), "");
}

TEST(splits_lines_and_parts)
{
    struct str rest = STR("a\r\n\nb"), line;
    CHECK(str_next_line(&rest, &line));
    CHECK_STR(line, "a");
    CHECK(str_next_line(&rest, &line));
    CHECK_STR(line, "");
    CHECK(str_next_line(&rest, &line));
    CHECK_STR(line, "b");
    CHECK(!str_next_line(&rest, &line));
    rest = STR("x||y");
    int n = 0;
    while (str_next(&rest, '|', &line))
        n++;
    CHECK_EQ(n, 3);
}

TEST(reads_whole_numbers_only)
{
    int64_t n = 7;
    double r = 0;
    char room[STR_I64];
    CHECK_STR(str_of_i64(0, room), "0");
    CHECK_STR(str_of_i64(-42, room), "-42");
    CHECK_STR(str_of_i64(INT64_MAX, room), "9223372036854775807");
    CHECK_STR(str_of_i64(INT64_MIN, room), "-9223372036854775808");
    CHECK(str_to_i64(STR("-42"), &n));
    CHECK_EQ(n, -42);
    CHECK(!str_to_i64(STR("42x"), &n));
    CHECK(!str_to_i64(STR(" 42"), &n));
    CHECK(!str_to_i64(STR(""), &n));
    CHECK(!str_to_i64(STR("99999999999999999999"), &n));
    CHECK_EQ(n, -42);
    CHECK(str_to_f64(STR("0.25"), &r) && r == 0.25);
    CHECK(!str_to_f64(STR("abc"), &r));
}

TEST(builder_grows_and_fails_once_past_the_limit)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 1000; i++)
        buf_printf(&buf, "%d,", i);
    CHECK_OK(buf_err(&buf, NULL), NULL);
    CHECK(str_ends(buf_str(&buf), STR("998,999,")));
    CHECK_EQ(buf.ptr[buf.len], 0);
    arena_free(arena);

    arena = arena_new(1000);
    buf_init(&buf, arena);
    for (int i = 0; i < 1000; i++)
        buf_add(&buf, STR("0123456789"));
    struct why why = {0};
    CHECK_EQ(buf_err(&buf, &why), ERR_NO_MEMORY);
    CHECK(why.text[0] != '\0');
    CHECK(buf.len <= 1000);
    arena_free(arena);
}

TESTS_MAIN()
