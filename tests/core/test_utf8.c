#include "core/utf8.h"
#include "tap.h"

#include <string.h>

TEST(refuses_what_rfc_3629_refuses)
{
    static const struct str bad[] = {
        STR_INIT("\xC0\xAF"),     STR_INIT("\xE0\x80\xAF"),
        STR_INIT("\xED\xA0\x80"), STR_INIT("\xF4\x90\x80\x80"),
        STR_INIT("\xE4\xB8"),     STR_INIT("\x80"),
        STR_INIT("\xFF"),         STR_INIT("\xF0\x8F\xBF\xBF"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(utf8_invalid(bad[i]), 0);
    CHECK_EQ(utf8_invalid(STR("中a\xC3")), 4);
    CHECK_EQ(utf8_invalid(STR("第三十七条 €𝄞")), STR_NPOS);
}

/* Runs are read in words: what is wrong is found wherever it stands in one, and counted. */
TEST(long_runs_are_read_as_carefully_as_short_ones)
{
    for (size_t len = 1; len < 40; len++)
        for (size_t at = 0; at < len; at++) {
            char text[40];
            int64_t ascii, others;
            memset(text, 'a', sizeof text);
            text[at] = '\xFF';
            CHECK_EQ(utf8_invalid((struct str){text, len}), at);
            utf8_kinds((struct str){text, len}, &ascii, &others);
            CHECK_EQ(ascii, len - 1);
            CHECK_EQ(others, 1);
            text[at] = '\x80'; /* no first byte of any character */
            CHECK_EQ(utf8_invalid((struct str){text, len}), at);
            utf8_kinds((struct str){text, len}, &ascii, &others);
            CHECK_EQ(ascii, len - 1);
            CHECK_EQ(others, 0);
            text[at] = '\x7F';
            CHECK_EQ(utf8_invalid((struct str){text, len}), STR_NPOS);
        }
}

TEST(steps_forward_and_back_over_every_character)
{
    struct str s = STR("a中\x80𝄞é");
    size_t starts[8], n = 0;
    for (size_t at = 0; at < s.len; n++) {
        starts[n] = at;
        (void)utf8_next(s, &at);
    }
    CHECK_EQ(n, 5);
    size_t at = s.len;
    while (n-- > 0) {
        at = utf8_prev(s, at);
        CHECK_EQ(at, starts[n]);
    }
    CHECK_EQ(utf8_floor(s, 2), 1);
    CHECK_EQ(utf8_floor(s, s.len), s.len);
}

TEST(encodes_what_it_decodes)
{
    for (uint32_t c = 0; c < 0x110000; c += 7) {
        char out[UTF8_MAX_BYTES];
        size_t at = 0, len = utf8_put(out, c);
        uint32_t back = utf8_next((struct str){out, len}, &at);
        uint32_t want = c >= 0xD800 && c <= 0xDFFF ? UTF8_BAD : c;
        if (back != want || at != len)
            CHECK_EQ(back, want);
    }
    CHECK_EQ(utf8_count(STR("一城one")), 5);
    CHECK_STR(utf8_prefix(STR("一城one"), 2), "一城");
}

TEST(folds_full_width)
{
    CHECK_EQ(utf8_halfwidth(0xFF11), '1');
    CHECK_EQ(utf8_halfwidth(0x3000), ' ');
    CHECK_EQ(utf8_halfwidth(0x4E00), 0x4E00);
    CHECK(utf8_is_han(0x4E00) && utf8_is_han(0x20000) && !utf8_is_han('a') && utf8_is_han(0x3007));
}

TESTS_MAIN()
