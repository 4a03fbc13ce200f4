#include "tap.h"

#include "core/arena.h"
#include "knowledge/meta.h"

#define ROOM (4u << 20)
#define MOST 8

static int32_t day(const char *text)
{
    int32_t d = DAY_NONE;
    return text && day_parse(str_c(text), &d) ? d : DAY_NONE;
}

struct text {
    const char *path, *title;
    const char *head[MOST], *tail[MOST];
    size_t n_articles;
    const char *published, *effective, *expires; /* NULL: not known */
    const char *issuer, *number, *region;
    int level;
};

static const struct text texts[] = {
    {"laws/社会法/劳动合同法(2012-12-28).md",
     "中华人民共和国劳动合同法",
     {"2007年6月29日 第十届全国人民代表大会常务委员会第二十八次会议通过",
      "2012年12月28日 "
      "第十一届全国人民代表大会常务委员会第三十次会议《关于修改〈中华人民共和国劳动合同法"
      "〉的决定》修正"},
     {"第九十八条 本法自2008年1月1日起施行。"},
     98,
     "2012-12-28",
     "2012-12-28",
     NULL,
     "全国人民代表大会常务委员会",
     "",
     "",
     8},
    {"laws/行政法规/长城保护条例(2006-10-11).md",
     "长城保护条例",
     {"2006年10月11日 中华人民共和国国务院令第476号公布"},
     {"第三十一条 本条例自2006年12月1日起施行。"},
     31,
     "2006-10-11",
     "2006-12-01",
     NULL,
     "国务院",
     "中华人民共和国国务院令第476号",
     "",
     7},
    {"DLC/浙江地方法规/地方性法规/浙江/杭州市燃气管理条例(2020-10-27).md",
     "杭州市燃气管理条例",
     {"2020年8月27日 杭州市第十三届人民代表大会常务委员会第二十九次会议通过",
      "2020年9月24日 浙江省第十三届人民代表大会常务委员会第二十四次会议批准"},
     {"第五十条 本条例自公布之日起施行。"},
     50,
     "2020-10-27",
     "2020-10-27",
     NULL,
     "杭州市人民代表大会常务委员会",
     "",
     "浙江杭州",
     4},
    {"司法解释/批复.md",
     "最高人民法院关于知识产权侵权诉讼中被告以原告滥用权利为由请求赔偿合理开支问题的批复",
     {"法释〔2021〕11号", "2021年5月31日 最高人民法院审判委员会第1840次会议通过",
      "2021年6月3日 施行"},
     {NULL},
     0,
     "2021-05-31",
     "2021-06-03",
     NULL,
     "最高人民法院",
     "法释〔2021〕11号",
     "",
     6},
    {"policy/gjj.md",
     "云汀市住房公积金提取管理办法",
     {"索引号：YT0121-2025-00009", "发文机关：云汀市住房公积金管理委员会",
      "发文字号：云汀公积金委〔2025〕2号", "成文日期：2025年6月12日", "发布日期：2025年6月16日",
      "施行日期：2025年7月1日", "有效期：五年"},
     {"第十七条 本办法自2025年7月1日起施行，有效期五年。"},
     17,
     "2025-06-16",
     "2025-07-01",
     "2030-07-01",
     "云汀市住房公积金管理委员会",
     "云汀公积金委〔2025〕2号",
     "云汀",
     2},
    {"policy/text.txt",
     "云汀市教育局关于做好招生入学工作的通知",
     {"云汀教基〔2026〕14号"},
     {"本通知自2026年1月1日起执行，至2026年12月31日止。", "云汀市教育局", "2025年12月20日"},
     0,
     "2025-12-20",
     "2026-01-01",
     "2027-01-01",
     "云汀市教育局",
     "云汀教基〔2026〕14号",
     "云汀",
     2},
    {"policy/order.md",
     "云汀市生活垃圾分类管理办法",
     {"发文机关：云汀市人民政府", "发文字号：云汀市人民政府令第21号", "发布日期：2021年7月2日"},
     {"第三十条 居住证有效期五年。", "第四十条 本办法自发布之日起三十日后施行。"},
     40,
     "2021-07-02",
     "2021-08-01",
     NULL,
     "云汀市人民政府",
     "云汀市人民政府令第21号",
     "云汀",
     3},
    {"notes.txt", "城市更新随笔", {NULL}, {NULL}, 0, NULL, NULL, NULL, "", "", "", 0},
};

static void read_text(const struct text *t, struct arena *arena, struct meta_found *out)
{
    struct str head[MOST], tail[MOST];
    size_t n_head = 0, n_tail = 0;
    struct why why = {0};
    while (n_head < MOST && t->head[n_head]) {
        head[n_head] = str_c(t->head[n_head]);
        n_head++;
    }
    while (n_tail < MOST && t->tail[n_tail]) {
        tail[n_tail] = str_c(t->tail[n_tail]);
        n_tail++;
    }
    struct meta_source source = {.path = str_c(t->path),
                                 .title = str_c(t->title),
                                 .head = head,
                                 .n_head = n_head,
                                 .tail = tail,
                                 .n_tail = n_tail,
                                 .n_articles = t->n_articles};
    CHECK_OK(meta_read(&source, arena, out, &why), &why);
}

TEST(reads_where_a_text_comes_from_and_when_it_holds)
{
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const struct text *t = &texts[i];
        struct arena *arena = arena_new(ROOM);
        struct meta_found found = {0};
        read_text(t, arena, &found);
        CHECK_EQ(found.meta.published, day(t->published));
        CHECK_EQ(found.meta.effective, day(t->effective));
        CHECK_EQ(found.meta.expires, day(t->expires));
        CHECK_STR(found.meta.issuer, t->issuer);
        CHECK_STR(found.meta.number, t->number);
        CHECK_STR(found.meta.region, t->region);
        CHECK_EQ(found.meta.level, t->level);
        arena_free(arena);
    }
}

TEST(finds_what_a_text_ends)
{
    struct arena *arena = arena_new(ROOM);
    struct meta_found found = {0};
    struct text t = {
        "p.md",
        "云汀市养犬管理办法",
        {NULL},
        {"第二十五条 "
         "本办法自2023年6月1日起施行。2016年2月26日发布的《云汀市养犬管理规定》（云汀政发"
         "〔2016〕8号）同时废止。",
         "《甲通知》自2027年1月1日起停止执行。", "《乙办法》第三条同时废止。",
         "违反《丙条例》的，依照其规定处罚。"},
        25,
        NULL,
        NULL,
        NULL,
        "",
        "",
        "",
        0};
    read_text(&t, arena, &found);
    CHECK_EQ(found.n_repeals, 2);
    if (found.n_repeals == 2) {
        CHECK_STR(found.repeals[0].title, "云汀市养犬管理规定");
        CHECK_STR(found.repeals[0].number, "云汀政发〔2016〕8号");
        CHECK_EQ(found.repeals[0].from, DAY_NONE);
        CHECK_STR(found.repeals[1].title, "甲通知");
        CHECK_EQ(found.repeals[1].from, day("2027-01-01"));
    }
    struct text over = {"p.md",
                        "云汀市养犬管理规定",
                        {"状态：已废止（2023年6月1日起由《云汀市养犬管理办法》取代）"},
                        {NULL},
                        0,
                        NULL,
                        NULL,
                        NULL,
                        "",
                        "",
                        "",
                        0};
    read_text(&over, arena, &found);
    CHECK(found.meta.repealed);
    CHECK_STR(found.meta.replaced_by, "云汀市养犬管理办法");
    CHECK_EQ(found.meta.expires, day("2023-06-01"));
    arena_free(arena);
}

TEST(reads_grades)
{
    static const struct {
        const char *line;
        bool said, secret;
        enum ops_class access;
    } cases[] = {
        {"密级：秘密", true, true, OPS_CLASS_RESTRICTED},
        {"机密★1年", true, true, OPS_CLASS_RESTRICTED},
        {"内部资料 注意保存", true, false, OPS_CLASS_STAFF},
        {"公开属性：依申请公开", true, false, OPS_CLASS_STAFF},
        {"公开属性：主动公开", true, false, OPS_CLASS_PUBLIC},
        {"发布日期：2025-01-01", false, false, OPS_CLASS_PUBLIC},
        {"秘密工作的开展情况，见附件。", false, false, OPS_CLASS_PUBLIC},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct meta_found found = {0};
        struct text t = {"a.md", "规程", {cases[i].line}, {NULL}, 0, NULL, NULL, NULL, "", "",
                         "",     0};
        read_text(&t, arena, &found);
        CHECK_EQ(found.access_said, cases[i].said);
        CHECK_EQ(found.secret, cases[i].secret);
        CHECK_EQ(found.meta.access, cases[i].access);
        arena_free(arena);
    }
}

TEST(joins_versions_by_title)
{
    static const struct {
        const char *title, *key;
    } cases[] = {
        {"中华人民共和国劳动合同法", "劳动合同法"},
        {"中华人民共和国劳动合同法（2012年修正）", "劳动合同法"},
        {"劳动合同法(2012-12-28)", "劳动合同法"},
        {"人民检察院刑事诉讼规则（试行）", "人民检察院刑事诉讼规则"},
        {"最高人民法院关于适用《中华人民共和国民法典》婚姻家庭编的解释（一）",
         "最高人民法院关于适用民法典婚姻家庭编的解释一"},
        {"中华人民共和国宪法修正案（1988年）", "宪法修正案1988年"},
        {"云汀市 “一件事” 办法", "云汀市一件事办法"},
        {"ＡＢＣ １２", "abc12"},
        {"中华人民共和国", "中华人民共和国"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str key = STR_NONE;
        struct why why = {0};
        CHECK_OK(meta_key(str_c(cases[i].title), arena, &key, &why), &why);
        CHECK_STR(key, cases[i].key);
        arena_free(arena);
    }
}

TEST(finds_document_numbers)
{
    static const char *const cases[][2] = {
        {"云汀政办发〔2025〕12号", "云汀政办发〔2025〕12号"},
        {"（云汀政规[2019]3号）", "云汀政规[2019]3号"},
        {"中华人民共和国国务院令第656号公布", "中华人民共和国国务院令第656号"},
        {"法释〔2021〕11号", "法释〔2021〕11号"},
        {"我院以法发〔1993〕15号通知印发", "法发〔1993〕15号"},
        {"2025年第12号", ""},
        {"〔2025〕12号", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STR(meta_number(str_c(cases[i][0])), cases[i][1]);
}

TESTS_MAIN()
