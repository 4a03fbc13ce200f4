/* knowledge/support: what stands, and what is struck out. */
#include "core/arena.h"
#include "knowledge/support.h"
#include "tap.h"

static const struct support_source sources[] = {
    {STR_INIT("云汀市养犬管理条例"), STR_INIT("第十二条"),
     STR_INIT(
         "第十二条 养犬人应当在犬只出生满三个月之日起三十日内，持免疫证明到公安机关办理养犬登记。"
         "养犬登记有效期为一年，不收取费用。禁止饲养烈性犬。")},
    {STR_INIT("云汀市住房公积金管理办法"), STR_INIT("第八条"),
     STR_INIT(
         "第八条 职工购买自住住房的，可以提取本人住房公积金账户内的存储余额，提取额度不得超过购房"
         "总价。管理中心应当自受理之日起3个工作日内作出是否准予提取的决定。骗取提取的，由市管理中心"
         "处以罚款1.5万元。")},
};

static struct support judged(struct arena *arena, const char *sentence)
{
    struct support s = {.verdict = SUPPORT_EMPTY};
    CHECK_OK(support_of(str_c(sentence), sources, 2, arena, &s, NULL), NULL);
    return s;
}

TEST(what_the_passage_says_stands_whatever_the_order_and_the_writing_of_numbers)
{
    static const struct {
        const char *sentence;
        size_t source;
        const char *place;
    } cases[] = {
        {"养犬登记有效期为一年，不收取费用。", 0, "养犬登记有效期为一年，不收取费用。"},
        {"办理养犬登记应当持免疫证明到公安机关，期限是犬只出生满3个月之日起30日内。", 0,
         "养犬登记"},
        {"管理中心应当在三个工作日内作出是否准予提取的决定。", 1, "3个工作日内"},
        {"购买自住住房的职工，可以提取本人账户内的存储余额。", 1, "可以提取"},
        {"根据《云汀市养犬管理条例》第十二条，禁止饲养烈性犬。", 0, "禁止饲养烈性犬"},
        {"骗取提取的，由管理中心罚款15000元。", 1, "1.5万元"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 22);
        struct support s = judged(arena, cases[i].sentence);
        if (s.verdict != SUPPORT_STANDS)
            printf("# %s: %s (%.*s) %.2f\n", cases[i].sentence, support_verdict_name(s.verdict),
                   STR_FMT(s.what), s.share);
        CHECK_EQ(s.verdict, SUPPORT_STANDS);
        CHECK_EQ(s.source, cases[i].source);
        struct str place = str_slice(sources[s.source].text, s.start, s.start + s.len);
        CHECK(str_find(place, str_c(cases[i].place)) != STR_NPOS);
        arena_free(arena);
    }
}

TEST(what_it_does_not_say_is_struck_out_with_the_reason)
{
    static const struct {
        const char *sentence;
        enum support_verdict verdict;
        const char *what;
    } cases[] = {
        {"养犬登记有效期为两年，不收取费用。", SUPPORT_NUMBER, "两"},
        {"管理中心应当在5个工作日内作出是否准予提取的决定。", SUPPORT_NUMBER, "5"},
        {"根据《云汀市养犬管理条例》第十三条，禁止饲养烈性犬。", SUPPORT_NUMBER, "十三"},
        {"根据《云汀市犬类管理规定》，禁止饲养烈性犬。", SUPPORT_TITLE, "云汀市犬类管理规定"},
        {"可以饲养烈性犬。", SUPPORT_REVERSED, "饲养"},
        {"养犬登记有效期为一年，收取费用。", SUPPORT_REVERSED, "收取"},
        {"职工购买自住住房的，不得提取本人住房公积金账户内的存储余额。", SUPPORT_REVERSED, ""},
        {"养犬人可以在犬只出生满三个月之日起三十日内办理养犬登记。", SUPPORT_REVERSED, ""},
        {"犬只的主人每年春季要带它到动物医院体检一次。", SUPPORT_THIN, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 22);
        struct support s = judged(arena, cases[i].sentence);
        if (s.verdict != cases[i].verdict)
            printf("# %s: %s (%.*s) %.2f\n", cases[i].sentence, support_verdict_name(s.verdict),
                   STR_FMT(s.what), s.share);
        CHECK_EQ(s.verdict, cases[i].verdict);
        if (cases[i].what[0])
            CHECK_STR(s.what, cases[i].what);
        arena_free(arena);
    }
}

TEST(a_sentence_without_a_claim_is_empty_and_any_bytes_are_judged)
{
    static const char *const empty[] = {"", "您好。", "。。。", "\xFF\xFE\x80", "：", "好的！"};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct arena *arena = arena_new(1 << 22);
        CHECK_EQ(judged(arena, empty[i]).verdict, SUPPORT_EMPTY);
        arena_free(arena);
    }
    static const char *const odd[] = {
        "《《《养犬登记有效期为一年", "《养犬登记》》有效期为一年 \xE5\x85",
        "第第第十二条一一一百百百分之分之养犬登记", "不不不得不得可以不"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct arena *arena = arena_new(1 << 22);
        struct support s = judged(arena, odd[i]);
        CHECK(s.share >= 0 && s.share <= 1);
        CHECK(s.start + s.len <= sources[s.source].text.len);
        arena_free(arena);
    }
}

TEST(a_sentence_longer_than_the_limit_does_not_stand_and_memory_is_reported)
{
    struct arena *arena = arena_new(1 << 22);
    struct buf buf;
    buf_init(&buf, arena);
    while (buf.len < 4 * SUPPORT_MOST_CHARS)
        buf_add_c(&buf, "养犬登记有效期为一年，");
    struct support s;
    CHECK_OK(support_of(buf_str(&buf), sources, 2, arena, &s, NULL), NULL);
    CHECK_EQ(s.verdict, SUPPORT_THIN);
    struct arena *small = arena_new(600);
    struct why why = {0};
    CHECK_EQ(support_of(STR("养犬登记有效期为一年，不收取费用。"), sources, 2, small, &s, &why),
             ERR_NO_MEMORY);
    CHECK_OK(support_of(STR("养犬登记有效期为一年"), NULL, 0, arena, &s, NULL), NULL);
    CHECK_EQ(s.verdict, SUPPORT_THIN);
    arena_free(small);
    arena_free(arena);
}

TESTS_MAIN()
