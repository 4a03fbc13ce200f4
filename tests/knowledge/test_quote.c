#include "core/arena.h"
#include "knowledge/quote.h"
#include "tap.h"

static struct str best(struct arena *arena, const char *question, struct str text)
{
    struct question q;
    struct quote_span *spans = NULL;
    size_t n = 0;
    CHECK_OK(question_read(str_c(question), arena, &q, NULL), NULL);
    CHECK_OK(quote_best(&q, text, 1, arena, &spans, &n, NULL), NULL);
    CHECK_EQ(n, 1);
    return n ? str_slice(text, spans[0].start, spans[0].start + spans[0].len) : STR_NONE;
}

TEST(cuts_at_sentence_ends_and_keeps_closing_marks)
{
    struct str text = STR("第一句。他说：“第二句！”第三句；\n\n（一）第四；没有句号的");
    struct quote_span spans[16];
    size_t n = quote_sentences(text, spans, 16);
    CHECK_EQ(n, 5);
    CHECK_STR(str_slice(text, spans[1].start, spans[1].start + spans[1].len), "他说：“第二句！”");
    CHECK_STR(str_slice(text, spans[4].start, spans[4].start + spans[4].len), "没有句号的");
    CHECK_EQ(quote_sentences(STR("  \n\n　"), spans, 16), 0);
    CHECK_EQ(quote_sentences(text, spans, 2), 2);
}

TEST(quotes_the_sentence_that_answers)
{
    struct arena *arena = arena_new(1 << 20);
    struct str text =
        STR("劳动者应当遵守劳动纪律。劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。"
            "劳动者在试用期内提前三日通知用人单位，可以解除劳动合同。");
    CHECK_STR(best(arena, "试用期辞职要提前几天通知？", text),
              "劳动者在试用期内提前三日通知用人单位，可以解除劳动合同。");
    arena_free(arena);
}

TEST(a_list_comes_with_its_opening_line)
{
    struct arena *arena = arena_new(1 << 20);
    struct str text = STR("申请人应当提交下列材料：\n（一）申请表；\n（二）身份证明；\n（三）收入证"
                          "明。\n其他事项另行规定。");
    struct str quote = best(arena, "申请要提交哪些材料", text);
    CHECK(str_starts(quote, STR("申请人应当提交下列材料")) && str_ends(quote, STR("收入证明。")));
    quote = best(arena, "收入证明要不要", text);
    CHECK(str_starts(quote, STR("申请人应当提交下列材料")));
    arena_free(arena);
}

TEST(spans_are_whole_characters_in_order_and_apart)
{
    static const char *const texts[] = {"", "。。。", "a;b;c", "\xFF\xFE坏字节。好的句子",
                                        "（一）（二）（三）：：："};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct question q;
        struct quote_span *s = NULL;
        size_t n = 0;
        CHECK_OK(question_read(STR("好的句子在哪里"), arena, &q, NULL), NULL);
        CHECK_OK(quote_best(&q, str_c(texts[i]), 4, arena, &s, &n, NULL), NULL);
        for (size_t k = 0; k < n; k++) {
            CHECK(s[k].len > 0 && s[k].start + s[k].len <= strlen(texts[i]));
            for (size_t j = 0; j < k; j++)
                CHECK(s[j].start + s[j].len <= s[k].start || s[k].start + s[k].len <= s[j].start);
        }
        arena_free(arena);
    }
}

TESTS_MAIN()
