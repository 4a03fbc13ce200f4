#include "tap.h"

#include "core/arena.h"
#include "core/file.h"
#include "core/utf8.h"
#include "knowledge/numeral.h"
#include "knowledge/parse.h"

#define ROOM ((size_t)256 << 20)

struct read {
    struct arena *arena;
    struct str text;
    struct parsed_file file;
    enum err err;
    struct why why;
};

static struct read read_bytes(struct str bytes, const char *name)
{
    struct read r = {.arena = arena_new(ROOM)};
    struct format_document doc;
    size_t *offsets = NULL;
    r.err = format_read(bytes, str_c(name), &format_limits_default, r.arena, &doc, &r.why);
    if (!r.err) {
        doc.path = str_c(name);
        offsets = arena_array(r.arena, size_t, doc.n_blocks + 1);
        r.err = format_text(&doc, r.arena, &r.text, offsets, &r.why);
    }
    if (!r.err)
        r.err = parse_document(&doc, r.text, offsets, r.arena, &r.file, &r.why);
    return r;
}

static struct str range(const struct read *r, const struct passage *p)
{
    return str_slice(r->text, p->start, p->start + p->len);
}

/* What parse.h promises of every passage. */
static void check_shape(const struct read *r)
{
    for (size_t i = 0; i < r->file.n; i++) {
        const struct parsed *d = &r->file.items[i];
        CHECK(d->start + d->len <= r->text.len);
        for (size_t j = 0; j < d->n_passages; j++) {
            const struct passage *p = &d->passages[j];
            CHECK(p->len > 0 && p->start + p->len <= r->text.len && p->body <= p->len);
            CHECK(utf8_floor(r->text, p->start) == p->start);
            CHECK_EQ(utf8_invalid(range(r, p)), STR_NPOS);
            CHECK(j == 0 || p->start >= d->passages[j - 1].start);
            CHECK(p->label.ptr && p->path.ptr && p->field.ptr);
        }
    }
}

static const struct passage *find(const struct read *r, enum passage_kind kind, const char *label)
{
    for (size_t i = 0; i < r->file.n; i++)
        for (size_t j = 0; j < r->file.items[i].n_passages; j++) {
            const struct passage *p = &r->file.items[i].passages[j];
            if (p->kind == kind && str_eq_c(p->label, label))
                return p;
        }
    static const struct passage none = {0};
    printf("# no passage \"%s\"\n", label);
    tap_failed++;
    return &none;
}

static const char *const law =
    "# 云汀市养犬管理办法\n\n"
    "发文字号：云汀市人民政府令第27号\n\n"
    "## 第一章 总则\n\n"
    "第一条 为了规范养犬行为，制定本办法。\n\n"
    "第二条 本办法适用于下列活动：\n\n（一）饲养；\n\n（二）经营。\n\n"
    "前款规定的活动，由公安机关负责管理。\n\n"
    "## 第二章 登记\n\n### 第一节 一般规定\n\n"
    "第三条之一　收费标准如下：\n\n| 犬种 | 费用（元） |\n|---|---|\n| 小型犬 | 100 |\n\n"
    "第三条规定的费用由市财政局核定。\n\n"
    "第四条 本办法自2023年6月1日起施行。\n\n"
    "附件：登记表\n\n填写说明见背面。\n";

TEST(takes_a_rule_apart_by_articles)
{
    struct read r = read_bytes(str_c(law), "dogs.md");
    CHECK_OK(r.err, &r.why);
    check_shape(&r);
    CHECK_EQ(r.file.n, 1);
    const struct parsed *d = &r.file.items[0];
    CHECK_EQ(d->found.meta.kind, KNOWLEDGE_LAW);
    CHECK_STR(d->found.meta.title, "云汀市养犬管理办法");
    CHECK_STR(d->found.meta.number, "云汀市人民政府令第27号");

    const struct passage *p = find(&r, PASSAGE_ARTICLE, "第二条");
    CHECK_EQ(p->number, 2);
    CHECK_STR(p->path, "第一章 总则");
    CHECK(str_ends(range(&r, p), STR("由公安机关负责管理。")));
    CHECK(str_starts(str_from(range(&r, p), p->body), STR("本办法适用于")));

    p = find(&r, PASSAGE_ARTICLE, "第三条之一");
    CHECK_EQ(p->number, 3);
    CHECK_EQ(p->sub, 1);
    CHECK_STR(p->path, "第二章 登记 > 第一节 一般规定");
    CHECK(str_find(range(&r, p), STR("小型犬 | 100")) != STR_NPOS);
    /* "第三条规定的…" is a sentence of the article above, no article. */
    CHECK(str_ends(range(&r, p), STR("由市财政局核定。")));

    p = find(&r, PASSAGE_ARTICLE, "第四条");
    CHECK(str_ends(range(&r, p), STR("起施行。")));
    CHECK_STR(find(&r, PASSAGE_HEAD, "题注")->label, "题注");
    arena_free(r.arena);
}

TEST(takes_a_policy_apart_by_headings)
{
    struct read r = read_bytes(STR("云汀市教育局关于做好招生工作的通知\n云汀教基〔2026〕14号\n\n"
                                   "各县（区）教育局：\n现将有关事项通知如下。\n\n"
                                   "一、基本原则\n坚持免试就近入学。\n\n"
                                   "二、报名办法\n（一）报名时间。2026年5月6日至20日。\n"
                                   "（二）报名方式。通过云汀通报名。\n\n"
                                   "云汀市教育局\n2026年4月20日\n"),
                               "jyj.txt");
    CHECK_OK(r.err, &r.why);
    check_shape(&r);
    CHECK_EQ(r.file.items[0].found.meta.kind, KNOWLEDGE_POLICY);
    bool found = false;
    for (size_t i = 0; i < r.file.items[0].n_passages; i++) {
        const struct passage *p = &r.file.items[0].passages[i];
        found = found || (str_eq_c(p->path, "二、报名办法") &&
                          str_find(range(&r, p), STR("2026年5月6日至20日")) != STR_NPOS);
    }
    CHECK(found);
    arena_free(r.arena);
}

TEST(takes_a_guide_apart_by_fields)
{
    struct read r = read_bytes(
        STR("{\"TASK_CODE\":\"X1\",\"TASK_NAME\":\"取水许可变更\",\"DEPT_NAME\":\"广东省水利厅\","
            "\"AREA_CODE_TEXT\":\"广东省\",\"handle_location\":\"办理地点：天寿路101号\","
            "\"handle_time\":\"20(工作日)\",\"handle_time_limit\":\"7(工作日)\",\"consult_phone\":"
            "\"020-38356454\","
            "\"complain_phone\":\"无\",\"material_intro\":[\"申请书\",\"身份证\"],\"ORGCODE\":"
            "\"006\"}\n"
            "{\"事项编码\":\"X2\",\"事项名称\":\"公租房申请\",\"实施主体\":\"云汀市住建局\","
            "\"办理地点\":\"二楼\","
            "\"办理时间\":\"周一至周五 "
            "9:00—12:00\",\"咨询电话\":\"0617-82169020\",\"更新日期\":\"2026-09-15\"}\n"),
        "guides.jsonl");
    CHECK_OK(r.err, &r.why);
    check_shape(&r);
    CHECK_EQ(r.file.n, 2);
    static const struct {
        size_t item;
        const char *field, *label, *value;
    } want[] = {
        {0, "where", "办理地点", "办理地点：天寿路101号"},
        {0, "how_long_statutory", "法定办结时限", "20(工作日)"},
        {0, "how_long", "承诺办结时限", "7(工作日)"},
        {0, "phone", "咨询电话", "020-38356454"},
        {0, "materials", "申请材料", "申请书；身份证"},
        {0, "who", "实施主体", "广东省水利厅"},
        {1, "when", "办理时间", "周一至周五 9:00—12:00"},
        {1, "phone", "咨询电话", "0617-82169020"},
    };
    for (size_t i = 0; i < sizeof want / sizeof want[0] && r.file.n == 2; i++) {
        const struct parsed *d = &r.file.items[want[i].item];
        bool found = false;
        for (size_t j = 0; j < d->n_passages; j++) {
            const struct passage *p = &d->passages[j];
            if (!str_eq_c(p->field, want[i].field))
                continue;
            found = true;
            CHECK_EQ(p->kind, PASSAGE_FIELD);
            CHECK_STR(p->label, want[i].label);
            CHECK_STR(str_from(range(&r, p), p->body), want[i].value);
        }
        CHECK(found);
    }
    if (r.file.n == 2) {
        const struct knowledge_meta *meta = &r.file.items[0].found.meta;
        CHECK_EQ(meta->kind, KNOWLEDGE_GUIDE);
        CHECK_STR(meta->title, "取水许可变更");
        CHECK_STR(meta->region, "广东");
        CHECK_STR(meta->key, "item:X1");
        for (size_t j = 0; j < r.file.items[0].n_passages; j++) {
            CHECK(!str_eq_c(r.file.items[0].passages[j].field, "complaint")); /* 无 */
            CHECK(!str_starts(range(&r, &r.file.items[0].passages[j]), STR("ORGCODE")));
        }
    }
    arena_free(r.arena);
}

TEST(pairs_questions_with_answers)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"faq.csv",
         "问题,答案,分类\n公积金怎么提取？,登录云汀通办理。,公积金\n在哪领证？,二楼窗口。,民政\n"},
        {"faq.md",
         "# 常见问题\n\n## 公积金怎么提取？\n\n登录云汀通办理。\n\n## 在哪领证？\n\n二楼窗口。\n"},
        {"faq.txt", "常见问题\n\n问：公积金怎么提取？\n答：登录云汀通办理。\n\n问：在哪领证？\n答："
                    "二楼窗口。\n"},
        {"faq.html",
         "<html><body><h1>常见问题</h1><h3>1. 公积金怎么提取？</h3><p>登录云汀通办理。</p>"
         "<h3>2. 在哪领证？</h3><p>二楼窗口。</p></body></html>"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read r = read_bytes(str_c(cases[i].text), cases[i].name);
        CHECK_OK(r.err, &r.why);
        check_shape(&r);
        CHECK_EQ(r.file.n, 1);
        CHECK_EQ(r.file.items[0].found.meta.kind, KNOWLEDGE_FAQ);
        const struct passage *p = find(&r, PASSAGE_FAQ, "公积金怎么提取？");
        /* the answer alone: what stands behind it in a row (分类) is none of it */
        CHECK_STR(str_trim_space(str_from(range(&r, p), p->body)), "登录云汀通办理。");
        p = find(&r, PASSAGE_FAQ, "在哪领证？");
        CHECK_STR(str_trim_space(str_from(range(&r, p), p->body)), "二楼窗口。");
        arena_free(r.arena);
    }
}

TEST(takes_the_day_of_another_text_for_no_day_of_its_own)
{
    struct read r = read_bytes(STR("电动自行车充电五不要\n\n不要飞线充电。\n\n"
                                   "《云汀市电动自行车管理规定》自2027年1月1日起施行。\n"),
                               "poster.txt");
    CHECK_OK(r.err, &r.why);
    CHECK_EQ(r.file.items[0].found.meta.kind, KNOWLEDGE_TEXT);
    CHECK_EQ(r.file.items[0].found.meta.effective, DAY_NONE);
    arena_free(r.arena);
}

TEST(joins_by_title_only_what_a_title_names)
{
    static const struct {
        const char *a, *a_text, *b, *b_text;
        bool same;
    } cases[] = {
        {"x/1.md", "# 甲市供水办法\n\n第一条 一。\n\n第二条 二。\n", "y/2.md",
         "# 甲市供水办法（2025年修订）\n\n第一条 三。\n\n第二条 四。\n", true},
        {"rsj.md", "# 常见问题\n\n问：一？\n\n答：一。\n", "gjj.md",
         "# 常见问题\n\n问：二？\n\n答：二。\n", false},
        {"a.txt", "说明\n\n这是第一份说明文字。\n", "b.txt", "说明\n\n这是第二份说明文字。\n",
         false},
        {"a/n.md", "# 放假公告\n\n发文机关：甲局\n\n放假三天。\n", "b/n.md",
         "# 放假公告\n\n发文机关：乙局\n\n放假两天。\n", false},
        {"浙江/m.md", "# 关于议案的规定\n\n第一条 一。\n\n第二条 二。\n", "北京/m.md",
         "# 关于议案的规定\n\n第一条 一。\n\n第二条 二。\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct read a = read_bytes(str_c(cases[i].a_text), cases[i].a);
        struct read b = read_bytes(str_c(cases[i].b_text), cases[i].b);
        CHECK_OK(a.err, &a.why);
        CHECK_OK(b.err, &b.why);
        bool same = str_eq(a.file.items[0].found.meta.key, b.file.items[0].found.meta.key);
        CHECK_EQ(same, cases[i].same);
        arena_free(a.arena);
        arena_free(b.arena);
    }
}

TEST(keeps_tables_with_their_header)
{
    struct buf buf;
    struct arena *arena = arena_new(ROOM);
    buf_init(&buf, arena);
    buf_add_c(&buf, "# 水价公告\n\n各类用水价格表\n\n| 类别 | 单价 |\n|---|---|\n");
    for (int i = 0; i < 300; i++)
        buf_printf(&buf, "| 第%d类用水 | %d.5元 |\n", i, i);
    struct read r = read_bytes(buf_str(&buf), "price.md");
    CHECK_OK(r.err, &r.why);
    check_shape(&r);
    size_t tables = 0, rows = 0;
    for (size_t i = 0; i < r.file.items[0].n_passages; i++) {
        const struct passage *p = &r.file.items[0].passages[i];
        if (p->kind != PASSAGE_TABLE)
            continue;
        tables++;
        CHECK(p->len <= PARSE_TABLE_BYTES);
        CHECK_STR(p->label, "各类用水价格表");
        CHECK(str_find(passage_words(p, r.text), STR("单价：")) != STR_NPOS);
        struct str words = range(&r, p), line;
        while (str_next_line(&words, &line))
            rows += str_starts(line, STR("第"));
    }
    CHECK(tables > 3);
    CHECK_EQ(rows, 300);
    arena_free(r.arena);
    arena_free(arena);
}

TEST(gives_texts_with_titles_one_document_each)
{
    struct buf buf;
    struct arena *arena = arena_new(ROOM);
    buf_init(&buf, arena);
    for (int i = 0; i < 3; i++) {
        buf_printf(&buf, "{\"id\":\"T%d\",\"title\":\"范廷颂\",\"text\":\"", i);
        for (int k = 0; k < 40; k++)
            buf_printf(&buf, "第%d句话讲他的生平。", k);
        buf_add_c(&buf, "\"}\n");
    }
    struct read r = read_bytes(buf_str(&buf), "passages.jsonl");
    CHECK_OK(r.err, &r.why);
    check_shape(&r);
    CHECK_EQ(r.file.n, 3);
    CHECK_STR(r.file.items[1].found.meta.title, "范廷颂");
    CHECK(!str_eq(r.file.items[0].found.meta.key, r.file.items[1].found.meta.key));
    CHECK(str_starts(range(&r, &r.file.items[2].passages[0]), STR("第0句话")));
    arena_free(r.arena);
    arena_free(arena);
}

TEST(refuses_files_without_text_and_survives_hostile_ones)
{
    struct read r = read_bytes(STR("---\ntitle: x\n---\n"), "_index.md");
    CHECK(r.err != ERR_OK);
    CHECK(r.why.text[0] != '\0');
    arena_free(r.arena);
    static const char *const texts[] = {
        "第一条",
        "第一条\n第一条\n第一条",
        "# \n##\n",
        "一、\n（一）\n1.",
        "问：\n答：",
        "《",
        "自起施行",
        "| a |\n|---|\n",
        "# 第一章\n# 第二章",
        "：：：",
        "有效期",
        "第条 第 条\n第〇条 x",
        "《《《》",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        r = read_bytes(str_c(texts[i]), "x.md");
        if (!r.err)
            check_shape(&r);
        arena_free(r.arena);
    }
}

TEST(says_so_when_memory_runs_out)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc;
    struct str text = STR_NONE;
    struct why why = {0};
    CHECK_OK(format_read(str_c(law), STR("dogs.md"), &format_limits_default, arena, &doc, &why),
             &why);
    size_t *offsets = arena_array(arena, size_t, doc.n_blocks);
    CHECK_OK(format_text(&doc, arena, &text, offsets, &why), &why);
    enum err err = ERR_NO_MEMORY;
    for (size_t limit = 0; err == ERR_NO_MEMORY && limit < ROOM; limit += 512) {
        struct arena *small = arena_new(limit);
        struct parsed_file out = {.n = 99};
        err = parse_document(&doc, text, offsets, small, &out, NULL);
        CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && out.n == 99));
        arena_free(small);
    }
    CHECK_EQ(err, ERR_OK);
    arena_free(arena);
}

/* ---- the real laws ---- */

struct count {
    size_t n_files, n_articles, n_lines, n_sections;
};

static bool is_article_line(struct str line)
{
    struct numeral_article article;
    return numeral_article(line, &article) && line.len > article.len &&
           (line.ptr[article.len] == ' ' || str_starts(str_from(line, article.len), STR("　")));
}

static enum err count_file(void *ctx, const char *path, struct str relative, struct why *why)
{
    struct count *count = ctx;
    struct arena *arena = arena_new(ROOM);
    struct str bytes, rest, line;
    if (!str_ends(relative, STR(".md")) || str_ends(relative, STR("_index.md"))) {
        arena_free(arena);
        return ERR_OK;
    }
    enum err err = file_read(path, 100u << 20, arena, &bytes, why);
    rest = err ? STR_NONE : bytes;
    while (str_next_line(&rest, &line))
        count->n_lines += is_article_line(str_trim_space(line));
    struct read r = read_bytes(err ? STR("") : bytes, str_z(arena, relative));
    CHECK_OK(r.err, &r.why);
    check_shape(&r);
    for (size_t i = 0; i < r.file.n; i++)
        for (size_t j = 0; j < r.file.items[i].n_passages; j++)
            count->n_articles += r.file.items[i].passages[j].kind == PASSAGE_ARTICLE &&
                                 r.file.items[i].passages[j].body > 0;
    count->n_files++;
    arena_free(r.arena);
    arena_free(arena);
    return err;
}

TEST(finds_every_article_of_the_real_laws)
{
    const char *path = tap_dataset("laws");
    if (!path)
        SKIP("the data set laws is not here");
    struct count count = {0};
    struct why why = {0};
    CHECK_OK(file_walk(path, 16, count_file, &count, &why), &why);
    printf("# %zu files, %zu articles\n", count.n_files, count.n_articles);
    CHECK(count.n_files > 2500);
    CHECK_EQ(count.n_articles, count.n_lines);
}

TESTS_MAIN()
