/* What retrieve.h and knowledge_search promise, over bases that are imported. */
#include "tap.h"

#include <math.h>

#include "kb.h"
#include "knowledge/retrieve.h"

static const char *const law =
    "# 中华人民共和国劳动合同法\n\n2012年12月28日 修正\n\n<!-- INFO END -->\n\n## 第一章 总则\n\n"
    "第一条 为了完善劳动合同制度，制定本法。\n\n## 第四章 劳动合同的解除和终止\n\n"
    "第三十七条 劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。"
    "劳动者在试用期内提前三日通知用人单位，可以解除劳动合同。\n\n"
    "第三十八条 用人单位未及时足额支付劳动报酬的，劳动者可以解除劳动合同。\n";
static const char *const local =
    "# 云汀市劳动合同条例\n\n发文机关：云汀市人民政府\n\n## 第一章 总则\n\n"
    "第一条 为了规范本市劳动合同，制定本条例。\n\n"
    "第二条 劳动者提前三十日以书面形式通知用人单位，可以解除劳动合同。"
    "劳动者在试用期内提前三日通知用人单位，可以解除劳动合同。\n\n"
    "第三条 本市实行《中华人民共和国劳动合同法》。\n";
static const char *const parking_2020 =
    "# 云汀市停车管理办法\n\n发文字号：云汀政办发〔2020〕1号\n施行日期：2020年1月1日\n\n"
    "第一条 停车每小时收费三元。\n\n第二条 本办法自2020年1月1日起施行。\n";
static const char *const parking_2024 =
    "# 云汀市停车管理办法\n\n发文字号：云汀政办发〔2024〕9号\n施行日期：2024年1月1日\n\n"
    "第一条 停车每小时收费五元。\n\n第二条 本办法自2024年1月1日起施行。\n";
static const char *const staff =
    "# 云汀市派单规则（内部）\n\n公开属性：不予公开\n\n## 一、原则\n\n派单由班长审核，首办负责。\n";

static void fill(struct kb *kb)
{
    CHECK(kb_fresh(kb));
    kb_put(kb, "law.md", law);
    kb_put(kb, "local.md", local);
    kb_put(kb, "parking-2020.md", parking_2020);
    kb_put(kb, "parking-2024.md", parking_2024);
    kb_put(kb, "staff.md", staff);
    CHECK_EQ(kb_import(kb, "", false).n_failed, 0);
}

static struct knowledge_query ask(const char *text)
{
    return (struct knowledge_query){
        .kb = "test", .text = str_c(text), .as_of = DAY_NONE, .limit = 10};
}

static size_t search(struct kb *kb, const struct knowledge_query *query,
                     const struct ops_identity *who, struct knowledge_hit **hits)
{
    size_t n = 0;
    *hits = NULL;
    CHECK_OK(knowledge_search(kb->knowledge, who, query, kb->arena, hits, &n, &kb->why), &kb->why);
    return n;
}

static bool has_text(const struct knowledge_hit *hits, size_t n, const char *part)
{
    for (size_t i = 0; i < n; i++)
        if (str_find(hits[i].text, str_c(part)) != STR_NPOS)
            return true;
    return false;
}

TEST(finds_what_laymen_ask_for)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("老板拖欠工资怎么办");
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(n > 0);
    if (n)
        CHECK_STR(hits[0].article, "第三十八条");
    for (size_t i = 0; i < n; i++) {
        CHECK(!i || hits[i].score <= hits[i - 1].score);
        CHECK(hits[i].confidence >= 0 && hits[i].confidence <= 1);
        CHECK(hits[i].text.len == hits[i].len);
        CHECK_STR(hits[i].kb, "test");
    }
    kb_done(&kb);
}

TEST(an_article_that_is_named_comes_first)
{
    static const char *const questions[] = {"劳动合同法第三十八条", "劳动合同法第38条说什么"};
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    for (size_t i = 0; i < 2; i++) {
        struct knowledge_query q = ask(questions[i]);
        size_t n = search(&kb, &q, &kb.system, &hits);
        CHECK(n > 0);
        if (n) {
            CHECK_STR(hits[0].article, "第三十八条");
            CHECK(hits[0].confidence > 0.9);
        }
    }
    kb_done(&kb);
}

TEST(folds_copies_under_the_stronger_source)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("试用期内提前几日通知用人单位解除劳动合同");
    size_t n = search(&kb, &q, &kb.system, &hits), copies = 0;
    for (size_t i = 0; i < n; i++)
        copies += str_find(hits[i].text, STR("试用期内提前三日")) != STR_NPOS;
    CHECK_EQ(copies, 1);
    CHECK(n > 0);
    if (n) {
        CHECK_STR(hits[0].article, "第三十七条");
        CHECK_EQ(hits[0].n_folded, 1);
    }
    kb_done(&kb);
}

TEST(the_version_in_force_on_the_day_answers)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("停车每小时收费多少");
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(has_text(hits, n, "五元") && !has_text(hits, n, "三元"));
    q.as_of = day_from_ymd(2021, 6, 1);
    n = search(&kb, &q, &kb.system, &hits);
    CHECK(has_text(hits, n, "三元") && !has_text(hits, n, "五元"));
    q.as_of = DAY_NONE;
    q.all_versions = true;
    n = search(&kb, &q, &kb.system, &hits);
    CHECK(has_text(hits, n, "三元") && has_text(hits, n, "五元"));
    for (size_t i = 0; i < n; i++)
        if (str_find(hits[i].text, STR("三元")) != STR_NPOS)
            CHECK_EQ(hits[i].status, KNOWLEDGE_SUPERSEDED);
    kb_done(&kb);
}

TEST(what_one_may_not_read_is_not_found)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct ops_identity resident = kb.system;
    resident.classes = 1 << OPS_CLASS_PUBLIC;
    struct knowledge_query q = ask("派单由谁审核，首办负责");
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(has_text(hits, n, "首办负责"));
    n = search(&kb, &q, &resident, &hits);
    CHECK(!has_text(hits, n, "首办负责"));
    kb_done(&kb);
}

/* One file into a base of its own. */
static void put_into(struct kb *kb, const char *base, const char *name, const char *text)
{
    char path[300], id[UUID_TEXT];
    const char *paths[] = {path};
    struct knowledge_report report = {0};
    kb_put(kb, name, text);
    (void)snprintf(path, sizeof path, "%s/files/%s", kb->dir, name);
    struct knowledge_import import = {.kb = base, .paths = paths, .n_paths = 1};
    CHECK_OK(
        knowledge_create(kb->knowledge, &kb->system, base, base, OPS_CLASS_PUBLIC, id, &kb->why),
        &kb->why);
    CHECK_OK(knowledge_import(kb->knowledge, &kb->system, &import, NULL, NULL, kb->arena, &report,
                              &kb->why),
             &kb->why);
    CHECK_EQ(report.n_failed, 0);
}

TEST(several_bases_are_weighed_by_one_scale)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    put_into(&kb, "dogs", "dogs/dogs.md",
             "# 云汀市养犬管理办法\n\n发文机关：云汀市人民政府\n\n"
             "第一条 每户限养一只犬，应当自取得免疫证明之日起十五日内办理养犬登记。\n\n"
             "第二条 养犬登记不收取费用。\n");
    struct knowledge_query q = ask("养犬登记收费吗");
    q.kb = NULL;
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(n > 2);
    if (n) {
        CHECK_STR(hits[0].kb, "dogs");
        CHECK_STR(hits[0].article, "第二条");
    }
    CHECK(has_text(hits, n, "第三十七条") || n < q.limit); /* the other base takes part */
    for (size_t i = 1; i < n; i++)
        CHECK(hits[i].score <= hits[i - 1].score && hits[i].confidence <= hits[i - 1].confidence);
    double first = n ? hits[0].confidence : 0;
    q.limit = 1;
    CHECK_EQ(search(&kb, &q, &kb.system, &hits), 1u);
    CHECK(fabs(hits[0].confidence - first) < 1e-9);
    q.text = STR("37"); /* no question, yet a search */
    q.limit = 10;
    (void)search(&kb, &q, &kb.system, &hits);
    q.limit = 101;
    CHECK_EQ(knowledge_search(kb.knowledge, &kb.system, &q, kb.arena, &hits, &n, &kb.why),
             ERR_INVALID);
    kb_done(&kb);
}

TEST(rested_files_are_fetched_again)
{
    struct kb kb;
    fill(&kb);
    const struct catalog *catalog = NULL;
    struct retrieve *retrieve = NULL;
    struct knowledge_hit *before, *after;
    size_t n = 0, m = 0;
    struct knowledge_query q = ask("老板拖欠工资怎么办");
    CHECK_OK(catalog_of(kb.knowledge, &kb.system, STR("test"), &catalog, &kb.why), &kb.why);
    CHECK_OK(retrieve_new(&catalog, 1, NULL, &retrieve, &kb.why), &kb.why);
    CHECK_OK(retrieve_search(retrieve, &q, &kb.system, NULL, kb.arena, &before, &n, &kb.why),
             &kb.why);
    retrieve_rest(retrieve);
    CHECK_OK(retrieve_search(retrieve, &q, &kb.system, NULL, kb.arena, &after, &m, &kb.why),
             &kb.why);
    CHECK(n > 0 && n == m);
    for (size_t i = 0; i < n && i < m; i++)
        CHECK(str_eq(before[i].text, after[i].text) && before[i].score == after[i].score);
    retrieve_free(retrieve);
    catalog_release(catalog);
    kb_done(&kb);
}

TEST(filters_are_kept)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("解除劳动合同");
    q.level_least = 8;
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++)
        CHECK(hits[i].meta.level >= 8);
    q = ask("解除劳动合同");
    q.kind = STR("guide");
    CHECK_EQ(search(&kb, &q, &kb.system, &hits), 0);
    q = ask("解除劳动合同");
    n = search(&kb, &q, &kb.system, &hits);
    q.document = n ? hits[0].document_id : STR("none");
    n = search(&kb, &q, &kb.system, &hits);
    CHECK(n > 0);
    for (size_t i = 0; i < n; i++)
        CHECK(str_eq(hits[i].document_id, q.document));
    kb_done(&kb);
}

TEST(refuses_what_is_not_well_formed)
{
    struct kb kb;
    struct knowledge_hit *hits;
    size_t n = 7;
    fill(&kb);
    struct knowledge_query q = ask("停车");
    q.limit = 0;
    CHECK_EQ(knowledge_search(kb.knowledge, &kb.system, &q, kb.arena, &hits, &n, NULL),
             ERR_INVALID);
    q.limit = 101;
    CHECK_EQ(knowledge_search(kb.knowledge, &kb.system, &q, kb.arena, &hits, &n, NULL),
             ERR_INVALID);
    q.limit = 5;
    q.kind = STR("novel");
    CHECK_EQ(knowledge_search(kb.knowledge, &kb.system, &q, kb.arena, &hits, &n, NULL),
             ERR_INVALID);
    q = ask("停车");
    q.kb = "nowhere";
    CHECK_EQ(knowledge_search(kb.knowledge, &kb.system, &q, kb.arena, &hits, &n, NULL),
             ERR_NOT_FOUND);
    CHECK_EQ(n, 7);
    kb_done(&kb);
}

TEST(a_question_without_words_finds_nothing)
{
    static const char *const questions[] = {"", "？？", "吗", "\xFF\xFE", "的"};
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    for (size_t i = 0; i < 4; i++) {
        struct knowledge_query q = ask(questions[i]);
        CHECK_EQ(search(&kb, &q, &kb.system, &hits), 0);
    }
    kb_done(&kb);
}

TEST(explains_with_every_figure)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("停车收费");
    q.explain = true;
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(n > 0);
    const struct json *json = NULL;
    if (n)
        CHECK_OK(json_parse(hits[0].explain, kb.arena, &json, &kb.why), &kb.why);
    for (int f = 0; f < RANK_N_FEATURES; f++)
        CHECK(json_get(json, rank_feature_name((enum rank_feature)f)) != NULL);
    kb_done(&kb);
}

static double figure(struct kb *kb, const struct knowledge_hit *hit, enum rank_feature feature)
{
    const struct json *json = NULL;
    CHECK_OK(json_parse(hit->explain, kb->arena, &json, &kb->why), &kb->why);
    return json_get_f64(json, rank_feature_name(feature), -1);
}

/* 收停车费 has no pair with 停车每小时收费 but one, and all of its characters. */
TEST(characters_count_without_their_neighbours)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("收停车费");
    q.explain = true;
    size_t n = search(&kb, &q, &kb.system, &hits), n_seen = 0;
    for (size_t i = 0; i < n; i++) {
        if (!str_eq_c(hits[i].title, "云汀市停车管理办法"))
            continue;
        bool first = str_eq_c(hits[i].article, "第一条");
        double all = figure(&kb, &hits[i], RANK_chars),
               text = figure(&kb, &hits[i], RANK_chars_text),
               sentence = figure(&kb, &hits[i], RANK_chars_sentence);
        CHECK(sentence <= text + 1e-6 && text <= all + 1e-6);
        if (first) /* 停车每小时收费五元 */
            CHECK(fabs(all - 1) < 1e-6 && fabs(text - 1) < 1e-6 && fabs(sentence - 1) < 1e-6);
        else /* the title has two of them, the text none */
            CHECK(all > 0 && all < 1 && text == 0 && sentence == 0);
        n_seen++;
    }
    CHECK(n_seen > 0);
    kb_done(&kb);
}

TEST(sees_an_import_at_once)
{
    struct kb kb;
    struct knowledge_hit *hits;
    fill(&kb);
    struct knowledge_query q = ask("风筝放飞区域");
    CHECK(!has_text(hits, search(&kb, &q, &kb.system, &hits), "风筝"));
    kb_put(&kb, "kite.md", "# 云汀市风筝管理通告\n\n第一条 风筝放飞区域为滨河公园。\n");
    (void)kb_import(&kb, "kite.md", false);
    size_t n = search(&kb, &q, &kb.system, &hits);
    CHECK(has_text(hits, n, "滨河公园"));
    kb_done(&kb);
}

/* Every limit of memory up to what is needed: the right error, nothing written. */
TEST(says_so_when_memory_runs_out)
{
    struct kb kb;
    fill(&kb);
    const struct catalog *catalog = NULL;
    struct retrieve *retrieve = NULL;
    CHECK_OK(catalog_of(kb.knowledge, &kb.system, STR("test"), &catalog, &kb.why), &kb.why);
    CHECK_OK(retrieve_new(&catalog, 1, NULL, &retrieve, &kb.why), &kb.why);
    struct knowledge_query q = ask("停车收费");
    size_t limit = 0;
    for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY; limit += 8192) {
        struct arena *arena = arena_new(limit);
        struct knowledge_hit *hits = NULL;
        size_t n = 99;
        err = retrieve_search(retrieve, &q, &kb.system, NULL, arena, &hits, &n, NULL);
        CHECK((err == ERR_OK && n > 0) || (err == ERR_NO_MEMORY && n == 99));
        arena_free(arena);
    }
    CHECK(limit > 8192);
    retrieve_free(retrieve);
    catalog_release(catalog);
    kb_done(&kb);
}

TESTS_MAIN()
