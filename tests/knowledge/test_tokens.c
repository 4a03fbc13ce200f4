/* What tokens.h promises. */
#include "tap.h"

#include "core/arena.h"
#include "core/hash.h"
#include "knowledge/tokens.h"

static size_t terms_of(const char *text, bool question, uint64_t *out, size_t most)
{
    struct tokens tokens;
    size_t n = 0;
    tokens_init(&tokens, str_c(text), question);
    while (n < most && tokens_next(&tokens, &out[n]))
        n++;
    return n;
}

static bool same_terms(const char *a, const char *b)
{
    uint64_t x[256], y[256];
    size_t n = terms_of(a, false, x, 256);
    return n == terms_of(b, false, y, 256) && memcmp(x, y, n * sizeof *x) == 0;
}

TEST(gives_characters_and_the_pairs_they_end)
{
    uint64_t t[8];
    CHECK_EQ(terms_of("劳动法", false, t, 8), 5);
    CHECK_EQ(tokens_kind(t[0]), TOKENS_CHAR);
    CHECK_EQ(tokens_kind(t[1]), TOKENS_CHAR);
    CHECK_EQ(tokens_kind(t[2]), TOKENS_PAIR);
    CHECK_EQ(tokens_kind(t[3]), TOKENS_CHAR);
    CHECK_EQ(tokens_kind(t[4]), TOKENS_PAIR);
    CHECK(t[2] != t[4]);
}

TEST(a_pair_never_reaches_over_a_break)
{
    uint64_t t[8];
    CHECK_EQ(terms_of("劳，动", false, t, 8), 2);
    CHECK_EQ(terms_of("劳 动", false, t, 8), 2);
    CHECK_EQ(terms_of("劳a动", false, t, 8), 3);
}

TEST(keeps_words_and_numbers_whole)
{
    uint64_t t[8];
    CHECK_EQ(terms_of("GB45438 3.5 020-34121084", false, t, 8), 4);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(tokens_kind(t[i]), TOKENS_WORD);
    CHECK_EQ(terms_of("end. Next", false, t, 8), 2);
    CHECK(same_terms("end.", "end"));
}

TEST(full_width_and_capitals_are_the_same)
{
    CHECK(same_terms("ＧＢ４５４３８", "gb45438"));
    CHECK(same_terms("ＡｂＣ", "abc"));
    CHECK(!same_terms("gb45438", "gb45439"));
}

TEST(article_numbers_are_one_term_in_both_writings)
{
    static const struct {
        const char *text;
        uint32_t number, sub;
    } cases[] = {{"第三十七条", 37, 0},
                 {"第37条", 37, 0},
                 {"第３７条", 37, 0},
                 {"第十条", 10, 0},
                 {"第一百零一条", 101, 0},
                 {"第二百一十条", 210, 0},
                 {"第一千二百六十条", 1260, 0},
                 {"第二百八十七条之二", 287, 2},
                 {"第十七条之一规定", 17, 1},
                 {"第三章", 0, 0},
                 {"第条", 0, 0},
                 {"三十七条", 0, 0},
                 {"第", 0, 0},
                 {"", 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = 0;
        CHECK_EQ(tokens_article(str_c(cases[i].text), &len), cases[i].number << 8 | cases[i].sub);
    }
    uint64_t a[64], b[64];
    size_t n = terms_of("依照第三十七条", false, a, 64), m = terms_of("依照第37条", false, b, 64);
    bool found = false;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++)
            found = found || (tokens_kind(a[i]) == TOKENS_ARTICLE && a[i] == b[j]);
    CHECK(found);
}

TEST(a_huge_article_number_is_clamped)
{
    size_t len;
    uint32_t n = tokens_article(str_c("第999999999999999999999条"), &len);
    CHECK_EQ(n >> 8, 65535);
}

TEST(question_words_are_breaks_in_questions_only)
{
    uint64_t t[64];
    CHECK_EQ(terms_of("怎么离婚吗", true, t, 64), 3);
    CHECK_EQ(terms_of("怎么离婚吗", false, t, 64), 9);
    CHECK_EQ(terms_of("是否", true, t, 64), 0);
}

TEST(bytes_that_are_no_text_are_breaks)
{
    struct tokens tokens;
    uint64_t term;
    size_t n = 0;
    static const char bad[] = "劳\xFF动\xE5\x8A";
    tokens_init(&tokens, (struct str){bad, sizeof bad - 1}, true);
    while (tokens_next(&tokens, &term))
        n++;
    CHECK_EQ(n, 2);
    uint8_t noise[4096];
    random_bytes(noise, sizeof noise);
    tokens_init(&tokens, (struct str){(char *)noise, sizeof noise}, true);
    for (n = 0; tokens_next(&tokens, &term); n++) {
    }
    CHECK(n <= 2 * sizeof noise);
}

TEST(titles_are_compared_without_country_brackets_and_space)
{
    struct arena *arena = arena_new(1 << 16);
    CHECK_STR(tokens_title(arena, STR("中华人民共和国劳动合同法")), "劳动合同法");
    CHECK_STR(
        tokens_title(arena, STR("最高人民法院关于适用《中华人民共和国民法典》继承编的解释（一）")),
        "最高人民法院关于适用民法典继承编的解释一");
    CHECK_STR(tokens_title(arena, STR(" 《劳动 法》\xE3\x80\x80")), "劳动法");
    CHECK(tokens_title_hash(STR("《民法典》")) == tokens_title_hash(STR("中华人民共和国民法典")));
    CHECK(tokens_title_hash(STR("民法典")) != tokens_title_hash(STR("民法")));
    CHECK_EQ(tokens_title_hash(STR("《》")), 0);
    arena_free(arena);
    arena = arena_new(0);
    CHECK(!tokens_title(arena, STR("劳动法")).ptr);
    arena_free(arena);
}

TESTS_MAIN()
