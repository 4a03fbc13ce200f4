#include "formats/reads.h"

#include "core/utf8.h"

static const char chinese[] =
    "第一条 为了规范政务服务，方便群众办事，制定本办法。\n申请人应当提交身份证明和申请书。\n";

TEST(finds_the_encoding_of_chinese_text)
{
    static const struct {
        struct str bytes;
        const char *encoding, *text;
    } cases[] = {
        {STR_INIT("\xEF\xBB\xBF"
                  "政务"),
         "utf-8", "政务"},
        {STR_INIT("\xFF\xFE\x3F\x65\xA1\x52"), "utf-16le", "政务"},
        {STR_INIT("\xFE\xFF\x65\x3F\x52\xA1"), "utf-16be", "政务"},
        {STR_INIT("\xD5\xFE\xCE\xF1\xB7\xFE\xCE\xF1\xD6\xD0\xD0\xC4"), "gb18030", "政务服务中心"},
        {STR_INIT("\xC4\xE3\xBA\xC3\x81\x39\xEE\x39"), "gb18030",
         "你好㐀"}, /* a character of four bytes */
        {STR_INIT("\xA7\xDA\xAD\xCC\xB3\xA3\xACO\xA5x\xC6W\xAA\xBA\xA4H\xA1"
                  "A"),
         "big5", "我們都是台灣的人，"},
        {STR_INIT("plain"), "utf-8", "plain"},
        {STR_INIT("abcdef"), "utf-8", "abcdef"}, /* in pairs these are Han characters of UTF-16 */
        {STR_INIT("a\0b\0c\0d\0"), "utf-16le", "abcd"},
        {STR_INIT("na\xEFve caf\xE9 au lait, d\xE9j\xE0 vu"), NULL, "naïve café au lait, déjà vu"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str text;
        const char *encoding = "";
        size_t n = 99;
        CHECK_OK(format_decode(cases[i].bytes, arena, &text, &encoding, &n, NULL), NULL);
        CHECK_STR(text, cases[i].text);
        CHECK_EQ(n, 0);
        if (cases[i].encoding)
            CHECK_STR(str_c(encoding), cases[i].encoding);
        arena_free(arena);
    }
}

/* UTF-16 without its mark, of text with hardly any ASCII. */
TEST(knows_utf16_without_its_mark)
{
    char bytes[2][400];
    size_t n = 0;
    for (size_t at = 0; at < sizeof chinese - 1; n += 2) {
        uint32_t c = utf8_next(str_c(chinese), &at);
        bytes[0][n] = bytes[1][n + 1] = (char)(c & 0xFF);
        bytes[0][n + 1] = bytes[1][n] = (char)(c >> 8);
    }
    for (int i = 0; i < 2; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str text;
        const char *encoding;
        size_t replaced;
        CHECK_OK(format_decode((struct str){bytes[i], n}, arena, &text, &encoding, &replaced, NULL),
                 NULL);
        CHECK_STR(str_c(encoding), i ? "utf-16be" : "utf-16le");
        CHECK_STR(text, chinese);
        arena_free(arena);
    }
}

TEST(replaces_and_counts_what_is_broken)
{
    static const struct {
        struct str bytes;
        const char *text;
        size_t n;
    } cases[] = {
        {STR_INIT("政务\xE6\x94服务"), "政务\xEF\xBF\xBD服务", 1},     /* cut off inside */
        {STR_INIT("政务服务中心\xE5"), "政务服务中心\xEF\xBF\xBD", 1}, /* cut off at the end */
        {STR_INIT("政\xFF务\xFE服务中心"), "政\xEF\xBF\xBD务\xEF\xBF\xBD服务中心", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str text;
        const char *encoding;
        size_t n;
        CHECK_OK(format_decode(cases[i].bytes, arena, &text, &encoding, &n, NULL), NULL);
        CHECK_STR(str_c(encoding), "utf-8");
        CHECK_STR(text, cases[i].text);
        CHECK_EQ(n, cases[i].n);
        arena_free(arena);
    }
}

TEST(gives_one_kind_of_line_end_and_no_controls)
{
    struct arena *arena = arena_new(ROOM);
    struct str text;
    const char *encoding;
    size_t n;
    static const char page[] =
        "a\r\nb\rc\nd\x01\x7F"
        "e\tf\fg\xC2\x85h\xE2\x80\xA8i and much more text so that two controls are few "
        "enough to be taken for damage rather than for the sign of a file that is no text at all, "
        "which begins at one byte in a hundred; so this goes on for a while, and a little more";
    CHECK_OK(format_decode(str_c(page), arena, &text, &encoding, &n, NULL), NULL);
    CHECK(str_starts(text, STR("a\nb\nc\nde\tf\ngh\ni and")));
    CHECK_OK(format_decode(STR("as it is\n"), arena, &text, &encoding, &n, NULL), NULL);
    CHECK_STR(text, "as it is\n");
    arena_free(arena);
}

TEST(refuses_what_is_no_text)
{
    char bytes[4096];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (char)(x >> 24);
    }
    struct arena *arena = arena_new(ROOM);
    struct str text = STR("untouched");
    const char *encoding;
    size_t n;
    struct why why = {0};
    CHECK_EQ(format_decode((struct str){bytes, sizeof bytes}, arena, &text, &encoding, &n, &why),
             ERR_UNSUPPORTED);
    CHECK_STR(text, "untouched");
    CHECK(why.text[0] != '\0');
    arena_free(arena);
}

TESTS_MAIN()
