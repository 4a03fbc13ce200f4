/* Passages, questions, slips and quality: golden cases of the rules. */
#include "core/arena.h"
#include "core/utf8.h"
#include "synth/synth_in.h"
#include "tap.h"

static const char law[] =
    "# 某市公园管理条例\n\n第一章 总则\n\n"
    "第一条 为了加强公园管理，制定本条例。\n\n"
    "第二条 本条例所称公园，是指向公众开放、以游憩为主要功能的绿地。\n\n"
    "第三条 公园管理机构应当自接到投诉之日起十五日内予以答复。\n\n"
    "第四条 有下列情形之一的，公园应当暂停开放：\n（一）恶劣天气；\n（二）设施维修。\n\n"
    "## 第二章 罚则\n\n"
    "第五条 违反本条例规定，在公园内烧烤的，由城市管理部门责令改正，处二百元罚款。\n\n"
    "第六条 游客不得损坏公园的设施和植物。\n\n"
    "第七条 本条例自2026年1月1日起施行。\n";

TEST(a_law_is_cut_into_its_articles)
{
    struct arena *arena = arena_new(8 << 20);
    struct passage *p = NULL;
    size_t n = 0;
    CHECK_EQ(passages_cut(STR("某市公园管理条例"), str_c(law), arena, &p, &n, NULL), ERR_OK);
    CHECK_EQ(n, 7);
    for (size_t i = 0; i < n; i++)
        CHECK_EQ(p[i].kind, PASSAGE_ARTICLE);
    CHECK_STR(p[1].name, "第二条");
    CHECK_STR(p[0].body, "为了加强公园管理，制定本条例。");
    CHECK(str_ends(p[3].text, STR("（二）设施维修。"))); /* not the heading behind it */
    arena_free(arena);
}

/* What is asked of which article, by which form: question "" when nothing of the form may come. */
TEST(laws_are_asked_by_their_subject_and_condition)
{
    static const struct {
        const char *form, *question, *answer;
    } cases[] = {
        {"definition", "根据《某市公园管理条例》，什么是公园？",
         "本条例所称公园，是指向公众开放、以游憩为主要功能的绿地。"},
        {"time_limit",
         "根据《某市公园管理条例》，公园管理机构应当自接到投诉之日起多长时间内予以答复？",
         "公园管理机构应当自接到投诉之日起十五日内予以答复。"},
        {"cases", "根据《某市公园管理条例》，在哪些情形下公园应当暂停开放？",
         "有下列情形之一的，公园应当暂停开放：\n（一）恶劣天气；\n（二）设施维修。"},
        {"penalty", "根据《某市公园管理条例》，在公园内烧烤的，会受到什么处罚？",
         "违反本条例规定，在公园内烧烤的，由城市管理部门责令改正，处二百元罚款。"},
        {"ban", "根据《某市公园管理条例》，游客不得有哪些行为？", "游客不得损坏公园的设施和植物。"},
        {"in_force", "《某市公园管理条例》从什么时候开始施行？", "本条例自2026年1月1日起施行。"},
        {"article", "《某市公园管理条例》第一条是怎么规定的？", "为了加强公园管理，制定本条例。"},
    };
    struct arena *arena = arena_new(8 << 20);
    struct passage *p = NULL;
    struct pairs pairs = {.arena = arena};
    size_t n = 0;
    CHECK_EQ(passages_cut(STR("某市公园管理条例"), str_c(law), arena, &p, &n, NULL), ERR_OK);
    CHECK_EQ(ask_rules(p, n, 3, &pairs, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool found = false;
        for (size_t k = 0; k < pairs.n && !found; k++)
            found = !strcmp(pairs.items[k].form, cases[i].form) &&
                    str_eq_c(pairs.items[k].question, cases[i].question) &&
                    str_eq_c(pairs.items[k].answer, cases[i].answer);
        if (!found)
            for (size_t k = 0; k < pairs.n; k++)
                printf("# %s: %.*s\n", pairs.items[k].form, STR_FMT(pairs.items[k].question));
        CHECK(found);
    }
    for (size_t k = 0; k < pairs.n; k++) /* every answer stands in its passage */
        CHECK(str_find(p[pairs.items[k].passage].text, pairs.items[k].answer) != STR_NPOS);
    arena_free(arena);
}

TEST(guides_and_faqs_are_asked_by_their_fields)
{
    static const char guide[] = "matter_name：残疾人证办理\nhandle_location：政务大厅三楼\n"
                                "material_intro：身份证；照片\nconsult_phone：020-12345\n"
                                "handle_time_limit：7(工作日)\nonline_book_addr：无\n";
    static const char faq[] =
        "常见问题\n问：几点开门？\n答：早上九点。\n问题2：周末开吗？\n答：开。\n";
    struct arena *arena = arena_new(8 << 20);
    struct passage *p = NULL;
    struct pairs pairs = {.arena = arena};
    size_t n = 0;
    CHECK_EQ(passages_cut(STR(""), str_c(guide), arena, &p, &n, NULL), ERR_OK);
    CHECK_EQ(n, 1);
    CHECK_EQ(p[0].kind, PASSAGE_GUIDE);
    CHECK_EQ(ask_rules(p, n, 3, &pairs, NULL), ERR_OK);
    CHECK_EQ(pairs.n, 4);
    CHECK_STR(pairs.items[0].question, "“残疾人证办理”在哪里办理？");
    CHECK_STR(pairs.items[0].answer, "政务大厅三楼");
    CHECK_STR(pairs.items[1].question, "“残疾人证办理”需要提交哪些材料？");
    CHECK_STR(pairs.items[3].question, "“残疾人证办理”承诺多久办结？");
    pairs = (struct pairs){.arena = arena};
    CHECK_EQ(passages_cut(STR(""), str_c(faq), arena, &p, &n, NULL), ERR_OK);
    CHECK_EQ(n, 2);
    CHECK_EQ(ask_rules(p, n, 3, &pairs, NULL), ERR_OK);
    CHECK_EQ(pairs.n, 2);
    CHECK_STR(pairs.items[0].question, "几点开门？");
    CHECK_STR(pairs.items[1].answer, "开。");
    struct str *others = NULL;
    CHECK_EQ(ask_otherwise(STR("“残疾人证办理”在哪里办理？"), 3, arena, &others, &n, NULL), ERR_OK);
    CHECK_EQ(n, 3);
    CHECK_STR(others[0], "“残疾人证办理”去哪儿办？");
    arena_free(arena);
}

TEST(sounds_come_from_icu)
{
    struct pinyin *pinyin = NULL;
    struct why why = {0};
    CHECK_OK(pinyin_open(&pinyin, &why), &why);
    size_t n = 0;
    const uint32_t *alike = pinyin_alike(pinyin, 0x5728, &n); /* 在 */
    bool again = false, strange = false;
    for (size_t i = 0; i < n; i++) {
        again |= alike[i] == 0x518D;   /* 再 */
        strange |= alike[i] == 0x4EBA; /* 人 */
    }
    CHECK(again && !strange);
    CHECK(pinyin_alike(pinyin, 'a', &n) == NULL && n == 0);
    pinyin_close(pinyin);
}

TEST(slips_are_errors_that_can_be_undone)
{
    static const char *const right[] = {
        "公民、法人或者其他组织认为行政机关的具体行政行为侵犯其合法权益的，可以向人民法院提起诉讼"
        "。",
        "申请人应当自收到受理通知书之日起十五个工作日内提交有关材料，逾期不提交的，视为放弃申请。",
        "市民可以在政务服务大厅办理，也可以在网上办理，电话 020-12345。",
        "看看天天向上，人人有责。",
        "一二三四五六七八九十",
    };
    struct pinyin *pinyin = NULL;
    struct arena *arena = arena_new(64 << 20);
    int kinds[SLIP_KINDS] = {0}, n_wrong = 0, n_all = 0;
    CHECK_EQ(pinyin_open(&pinyin, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            struct str wrong, again;
            struct slip slips[SLIPS_MOST], more[SLIPS_MOST];
            size_t n = 0, m = 0;
            CHECK_EQ(
                slips_make(pinyin, str_c(right[i]), 15, 4, seed, arena, &wrong, slips, &n, NULL),
                ERR_OK);
            CHECK_EQ(
                slips_make(pinyin, str_c(right[i]), 15, 4, seed, arena, &again, more, &m, NULL),
                ERR_OK);
            CHECK(str_eq(wrong, again) && n == m);
            CHECK(utf8_invalid(wrong) == STR_NPOS);
            CHECK_STR(slips_undo(wrong, slips, n, arena), right[i]);
            n_all++;
            n_wrong += n > 0 && !str_eq_c(wrong, right[i]);
            for (size_t k = 0; k < n; k++) {
                kinds[slips[k].kind]++;
                CHECK(!str_eq(slips[k].wrong, slips[k].right));
                CHECK(k == 0 || slips[k].start > slips[k - 1].end);
                struct str there = str_slice(wrong, utf8_offset(wrong, slips[k].start),
                                             utf8_offset(wrong, slips[k].end));
                CHECK(str_eq(there, slips[k].wrong));
            }
        }
    CHECK_EQ(n_wrong, n_all); /* every text got at least one error */
    for (int k = 0; k < SLIP_KINDS; k++)
        CHECK(kinds[k] > 20);
    printf("# slips: sound %d, shape %d, drop %d, double %d, swap %d\n", kinds[0], kinds[1],
           kinds[2], kinds[3], kinds[4]);
    pinyin_close(pinyin);
    arena_free(arena);
}

TEST(what_the_passage_does_not_say_is_refused)
{
    static const struct {
        const char *question, *answer;
        enum reject is;
    } cases[] = {
        {"什么时候开门？", "每天9点开门", REJECT_NONE},
        {"什么时候开门？", "每天10点开门", REJECT_UNSUPPORTED}, /* another number */
        {"谁可以进来？", "只有本市户籍的退休人员", REJECT_UNSUPPORTED},
        {"何时", "每天9点开门", REJECT_SHORT},
        {"每天9点开门", "每天9点开门。", REJECT_MALFORMED},
        {"什么时候开门？", "", REJECT_SHORT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(quality_pair(str_c(cases[i].question), str_c(cases[i].answer),
                              STR("公园免费开放，每天9点开门，21点关门。")),
                 cases[i].is);
    CHECK(quality_key(STR("几点 开门？")) == quality_key(STR("几点开门")));
    CHECK(quality_alike(STR("几点开门"), STR("几点开门？")) > 0.99);
    CHECK(quality_alike(STR("几点开门"), STR("电话多少")) < 0.01);
}

TESTS_MAIN()
