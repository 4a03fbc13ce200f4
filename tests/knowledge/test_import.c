#include "tap.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "knowledge/catalog.h"
#include "knowledge/passage.h"
#include "knowledge/room.h"
#include "kb.h"

static int32_t day(const char *text)
{
    int32_t d = DAY_NONE;
    CHECK(day_parse(str_c(text), &d));
    return d;
}

static const struct catalog *catalog(struct kb *kb)
{
    const struct catalog *c = NULL;
    CHECK_OK(catalog_of(kb->knowledge, &kb->system, STR("test"), &c, &kb->why), &kb->why);
    return c;
}

static const struct catalog_version *version_by_number(const struct catalog *c, const char *number)
{
    for (uint32_t i = 0; i < c->n_versions; i++)
        if (str_eq_c(c->versions[i].meta.number, number))
            return &c->versions[i];
    printf("# no version %s\n", number);
    tap_failed++;
    return &c->versions[0];
}

static const char *const lift_2020 =
    "# 云汀市既有住宅加装电梯实施办法\n\n发文机关：云汀市人民政府办公室\n"
    "发文字号：云汀政办发〔2020〕18号\n发布日期：2020年4月17日\n施行日期：2020年5月20日\n\n"
    "第一条 每台补贴十万元。\n\n第二条 本办法自2020年5月20日起施行。\n";
static const char *const lift_2024 =
    "# 云汀市既有住宅加装电梯实施办法\n\n发文机关：云汀市人民政府办公室\n"
    "发文字号：云汀政办发〔2024〕30号\n发布日期：2024年8月8日\n施行日期：2024年9月10日\n有效期：三"
    "年\n\n"
    "第一条 每台补贴二十万元。\n\n第二条 本办法自2024年9月10日起施行，有效期三年。\n";
static const char *const dogs_2016 =
    "# 云汀市养犬管理规定\n\n发文字号：云汀政发〔2016〕8号\n施行日期：2016年4月1日\n\n"
    "第一条 每户可以饲养两只。\n\n第二条 本规定自2016年4月1日起施行。\n";
static const char *const dogs_2023 =
    "# 云汀市养犬管理办法\n\n发文字号：云汀市人民政府令第27号\n发布日期：2023年4月17日\n\n"
    "第一条 每户可以饲养一只。\n\n"
    "第二条 本办法自2023年6月1日起施行。《云汀市养犬管理规定》（云汀政发〔2016〕8号）同时废止。\n";
static const char *const staff =
    "# 派单规则（内部）\n\n公开属性：不予公开\n\n## 一、原则\n\n首办负责。\n";

TEST(joins_versions_and_knows_which_is_in_force)
{
    FRESH_KB(kb);
    kb_put(&kb, "a/lift-2020.md", lift_2020);
    kb_put(&kb, "a/lift-2024.md", lift_2024);
    kb_put(&kb, "a/dogs-2016.md", dogs_2016);
    kb_put(&kb, "a/dogs-2023.md", dogs_2023);
    struct knowledge_report r = kb_import(&kb, "a", false);
    CHECK_EQ(r.n_documents, 3);
    CHECK_EQ(r.n_versions, 4);
    CHECK_EQ(r.n_failed, 0);
    const struct catalog *c = catalog(&kb);
    const struct catalog_version *old = version_by_number(c, "云汀政办发〔2020〕18号");
    const struct catalog_version *new = version_by_number(c, "云汀政办发〔2024〕30号");
    CHECK_EQ(old->document, new->document);
    static const struct {
        const char *day;
        enum knowledge_status old, new;
    } days[] = {
        {"2020-05-19", KNOWLEDGE_NOT_YET, KNOWLEDGE_NOT_YET},
        {"2020-05-20", KNOWLEDGE_IN_FORCE, KNOWLEDGE_NOT_YET},
        {"2024-09-09", KNOWLEDGE_IN_FORCE, KNOWLEDGE_NOT_YET},
        {"2024-09-10", KNOWLEDGE_SUPERSEDED, KNOWLEDGE_IN_FORCE},
        {"2027-09-09", KNOWLEDGE_SUPERSEDED, KNOWLEDGE_IN_FORCE},
        {"2027-09-10", KNOWLEDGE_SUPERSEDED, KNOWLEDGE_EXPIRED},
    };
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        CHECK_EQ(catalog_status(old, day(days[i].day)), days[i].old);
        CHECK_EQ(catalog_status(new, day(days[i].day)), days[i].new);
    }
    CHECK(catalog_shown(c, &c->documents[old->document], day("2022-01-01")) == old);
    CHECK(catalog_shown(c, &c->documents[old->document], day("2025-01-01")) == new);
    /* A text of another title ends it. */
    const struct catalog_version *dogs = version_by_number(c, "云汀政发〔2016〕8号");
    CHECK_EQ(catalog_status(dogs, day("2023-05-31")), KNOWLEDGE_IN_FORCE);
    CHECK_EQ(catalog_status(dogs, day("2023-06-01")), KNOWLEDGE_SUPERSEDED);
    CHECK_STR(dogs->meta.replaced_by, "云汀市养犬管理办法");
    catalog_release(c);
    CHECK_EQ(kb_check(&kb, false), 0);
    kb_done(&kb);
}

TEST(passages_are_ranges_of_the_stored_text)
{
    FRESH_KB(kb);
    kb_put(&kb, "g.jsonl",
           "{\"事项编码\":\"X1\",\"事项名称\":\"公租房申请\",\"实施主体\":\"市住建局\","
           "\"办理地点\":\"二楼\",\"咨询电话\":\"0617-1\"}\n"
           "{\"事项编码\":\"X2\",\"事项名称\":\"户口迁移\",\"实施主体\":\"市公安局\",\"办理地点\":"
           "\"三楼\",\"咨询电话\":\"0617-2\"}\n");
    struct knowledge_report r = kb_import(&kb, "g.jsonl", false);
    CHECK_EQ(r.n_versions, 2);
    const struct catalog *c = catalog(&kb);
    for (uint32_t i = 0; i < c->n_versions; i++) {
        const struct catalog_version *v = &c->versions[i];
        bool second = str_eq_c(v->meta.title, "户口迁移");
        struct passage *passages = NULL;
        size_t n = 0, found = 0;
        CHECK_OK(catalog_passages(kb.knowledge, v, kb.arena, &passages, &n, &kb.why), &kb.why);
        CHECK_EQ(n, v->n_passages);
        for (size_t k = 0; k < n; k++) {
            struct str text = STR_NONE;
            CHECK_OK(catalog_text(kb.knowledge, v, passages[k].start, passages[k].len, kb.arena,
                                  &text, &kb.why),
                     &kb.why);
            if (str_eq_c(passages[k].field, "phone")) {
                found++;
                CHECK_STR(str_from(text, passages[k].body), second ? "0617-2" : "0617-1");
            }
        }
        CHECK_EQ(found, 1);
        struct str beyond = STR_NONE;
        CHECK_EQ(catalog_text(kb.knowledge, v, v->text_len, 1, kb.arena, &beyond, NULL),
                 ERR_CORRUPT);
    }
    catalog_release(c);
    kb_done(&kb);
}

TEST(reads_only_what_changed)
{
    FRESH_KB(kb);
    kb_put(&kb, "a/lift.md", lift_2020);
    kb_put(&kb, "a/dogs.md", dogs_2016);
    CHECK_EQ(kb_import(&kb, "a", false).n_versions, 2);
    struct knowledge_report r = kb_import(&kb, "a", false);
    CHECK_EQ(r.n_versions, 0);
    CHECK_EQ(r.n_unchanged, 2);

    /* Corrected: the same number and days. The file's text is replaced. */
    char text[2000];
    (void)snprintf(text, sizeof text, "%s\n第三条 补正。\n", lift_2020);
    kb_put(&kb, "a/lift.md", text);
    r = kb_import(&kb, "a", false);
    CHECK_EQ(r.n_versions, 1);
    CHECK_EQ(r.n_unchanged, 1);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"), 2);

    /* Issued anew under the same file name: the older text stays as an older version. */
    kb_put(&kb, "a/lift.md", lift_2024);
    r = kb_import(&kb, "a", false);
    CHECK_EQ(r.n_versions, 1);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"), 3);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_documents"), 2);

    /* The same text from elsewhere is not doubled. */
    kb_put(&kb, "b/moved.md", dogs_2016);
    r = kb_import(&kb, "b", false);
    CHECK_EQ(r.n_versions, 0);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"), 3);
    CHECK_EQ(kb_check(&kb, false), 0);
    kb_done(&kb);
}

TEST(retires_what_is_gone_when_told_to_update)
{
    FRESH_KB(kb);
    kb_put(&kb, "a/lift.md", lift_2020);
    kb_put(&kb, "a/dogs.md", dogs_2016);
    kb_put(&kb, "b/staff.md", staff);
    (void)kb_import(&kb, "a", false);
    (void)kb_import(&kb, "b", false);
    char path[200];
    (void)snprintf(path, sizeof path, "%s/files/a/dogs.md", kb.dir);
    CHECK_EQ(unlink(path), 0);
    (void)kb_import(&kb, "a", false);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_documents"), 3);
    (void)kb_import(&kb, "a", true);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_documents"), 2);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions WHERE title LIKE '%派单%'"), 1);
    CHECK_EQ(kb_check(&kb, false), 0);
    kb_done(&kb);
}

TEST(keeps_what_was_set_by_hand)
{
    FRESH_KB(kb);
    const struct json *change = NULL;
    kb_put(&kb, "a/lift.md", lift_2020);
    (void)kb_import(&kb, "a", false);
    const struct catalog *c = catalog(&kb);
    char id[UUID_TEXT];
    memcpy(id, c->documents[0].id, sizeof id);
    int64_t revision = c->documents[0].revision;
    catalog_release(c);
    CHECK_OK(json_parse(STR("{\"issuer\":\"市政府办\",\"expires\":\"2025-01-01\",\"level\":3}"),
                        kb.arena, &change, &kb.why),
             &kb.why);
    CHECK_EQ(document_change(kb.knowledge, &kb.system, id, revision + 7, change, kb.arena, NULL),
             ERR_PRECONDITION);
    CHECK_OK(document_change(kb.knowledge, &kb.system, id, revision, change, kb.arena, &kb.why),
             &kb.why);
    char text[2000];
    (void)snprintf(text, sizeof text, "%s\n第三条 补正。\n", lift_2020);
    kb_put(&kb, "a/lift.md", text);
    CHECK_EQ(kb_import(&kb, "a", false).n_versions, 1);
    c = catalog(&kb);
    CHECK_STR(c->versions[0].meta.issuer, "市政府办");
    CHECK_EQ(c->versions[0].meta.level, 3);
    CHECK_EQ(c->versions[0].meta.expires, day("2025-01-01"));
    CHECK_EQ(catalog_status(&c->versions[0], day("2025-01-01")), KNOWLEDGE_EXPIRED);
    catalog_release(c);
    static const char *const bad[] = {"{\"level\":10}", "{\"kind\":\"novel\"}",
                                      "{\"colour\":\"red\"}", "{\"expires\":\"2025-02-30\"}",
                                      "[1]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_OK(json_parse(str_c(bad[i]), kb.arena, &change, &kb.why), &kb.why);
        CHECK_EQ(document_change(kb.knowledge, &kb.system, id, -1, change, kb.arena, NULL),
                 ERR_INVALID);
    }
    kb_done(&kb);
}

/* The sample's manifest, for one, names the department of each file; a steward may know better. */
TEST(lets_a_person_overrule_what_an_import_said)
{
    FRESH_KB(kb);
    const struct json *change = NULL;
    char path[300], id[UUID_TEXT];
    const char *paths[] = {path};
    struct knowledge_meta said = knowledge_meta_unset();
    struct knowledge_report report;
    kb_put(&kb, "a/lift.md", lift_2020);
    (void)snprintf(path, sizeof path, "%s/files/a/lift.md", kb.dir);
    said.department = STR("市城管局");
    said.expires = day("2030-01-01");
    CHECK_OK(
        knowledge_create(kb.knowledge, &kb.system, "test", "测试", OPS_CLASS_PUBLIC, id, &kb.why),
        &kb.why);
    CHECK_OK(knowledge_import(kb.knowledge, &kb.system,
                              &(struct knowledge_import){
                                  .kb = "test", .paths = paths, .n_paths = 1, .overrides = &said},
                              NULL, NULL, kb.arena, &report, &kb.why),
             &kb.why);
    const struct catalog *c = catalog(&kb);
    memcpy(id, c->documents[0].id, sizeof id);
    CHECK_STR(c->versions[0].meta.department, "市城管局");
    catalog_release(c);
    CHECK_OK(json_parse(STR("{\"department\":\"市住建局\",\"expires\":\"2031-01-01\"}"), kb.arena,
                        &change, &kb.why),
             &kb.why);
    CHECK_OK(document_change(kb.knowledge, &kb.system, id, -1, change, kb.arena, &kb.why), &kb.why);
    c = catalog(&kb);
    CHECK_STR(c->versions[0].meta.department, "市住建局");
    CHECK_EQ(c->versions[0].meta.expires, day("2031-01-01"));
    catalog_release(c);
    kb_done(&kb);
}

TEST(keeps_texts_for_staff_from_residents)
{
    FRESH_KB(kb);
    kb_put(&kb, "a/staff.md", staff);
    kb_put(&kb, "a/lift.md", lift_2020);
    kb_put(&kb, "a/secret.md", "# 某方案\n\n密级：秘密\n\n第一条 内容。\n\n第二条 内容。\n");
    struct knowledge_report r = kb_import(&kb, "a", false);
    CHECK_EQ(r.n_versions, 2);
    CHECK_EQ(r.n_failed, 1); /* marked 秘密: refused, with words */
    CHECK(str_find(r.failures, STR("forbidden")) != STR_NPOS);
    struct ops_identity resident = ops_public(OPS_HOME);
    const struct catalog *c = catalog(&kb);
    size_t n = 0;
    for (uint32_t i = 0; i < c->n_versions; i++)
        n += catalog_may_read(&c->versions[i], &resident);
    CHECK_EQ(n, 1);
    catalog_release(c);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, kb.arena);
    json_out_init(&out, &buf);
    struct document_filter filter = {.kb = STR("test"), .limit = 10};
    CHECK_OK(documents_json(kb.knowledge, &resident, &filter, kb.arena, &out, &kb.why), &kb.why);
    CHECK(str_find(buf_str(&buf), STR("电梯")) != STR_NPOS);
    CHECK(str_find(buf_str(&buf), STR("派单")) == STR_NPOS);
    kb_done(&kb);
}

TEST(reports_what_it_cannot_read_and_goes_on)
{
    FRESH_KB(kb);
    kb_put(&kb, "a/broken.docx", "PK\x03\x04 this is no archive");
    kb_put(&kb, "a/empty.md", "");
    kb_put(&kb, "a/good.md", lift_2024);
    kb_put(&kb, "a/.hidden.md", dogs_2016);
    struct knowledge_report r = kb_import(&kb, "a", false);
    CHECK_EQ(r.n_files, 3);
    CHECK_EQ(r.n_versions, 1);
    CHECK_EQ(r.n_failed, 2);
    const struct json *list = NULL;
    CHECK_OK(json_parse(r.failures, kb.arena, &list, &kb.why), &kb.why);
    CHECK_EQ(json_len(list), 2);
    for (size_t i = 0; i < json_len(list); i++) {
        CHECK(json_get_str(json_at(list, i), "why", STR("")).len > 0);
        CHECK(json_get_str(json_at(list, i), "code", STR("")).len > 0);
    }
    kb_done(&kb);
}

TEST(merges_segments_when_there_are_many)
{
    FRESH_KB(kb);
    char name[40], text[400];
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "n%d.md", i);
        (void)snprintf(text, sizeof text, "# 第%d号公告\n\n关于第%d期安排的内容说明。\n", i, i);
        kb_put(&kb, name, text);
        CHECK_EQ(kb_import(&kb, name, false).n_versions, 1);
    }
    CHECK(kb_count(&kb, "SELECT COUNT(*) FROM kb_segments") <= 9);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"), 30);
    CHECK_EQ(kb_check(&kb, false), 0);
    struct knowledge_hit *hits = NULL;
    size_t n = 0;
    struct knowledge_query query = {
        .kb = "test", .text = STR("第17期安排"), .as_of = DAY_NONE, .limit = 3};
    CHECK_OK(knowledge_search(kb.knowledge, &kb.system, &query, kb.arena, &hits, &n, &kb.why),
             &kb.why);
    CHECK(n > 0 && str_eq_c(hits[0].title, "第17号公告"));
    kb_done(&kb);
}

static enum err first_segment(void *ctx, const char *path, struct str relative, struct why *why)
{
    (void)why;
    if (str_ends(relative, STR(".seg")))
        (void)snprintf(ctx, 300, "%s", path);
    return ERR_OK;
}

/* Changes one byte in the middle of a file. */
static void plant(const char *path)
{
    FILE *f = fopen(path, "r+b");
    CHECK(f != NULL);
    if (!f)
        return;
    (void)fseek(f, 0, SEEK_END);
    long middle = ftell(f) / 2;
    (void)fseek(f, middle, SEEK_SET);
    int c = fgetc(f);
    (void)fseek(f, middle, SEEK_SET);
    (void)fputc(c ^ 0x41, f);
    (void)fclose(f);
}

TEST(finds_planted_changes_and_rebuilds_the_index)
{
    FRESH_KB(kb);
    char path[300] = "", index[200];
    kb_put(&kb, "a/lift.md", lift_2024);
    kb_put(&kb, "a/dogs.md", dogs_2023);
    (void)kb_import(&kb, "a", false);
    CHECK_EQ(kb_check(&kb, false), 0);
    kb_quiet = true;

    (void)snprintf(index, sizeof index, "%s/index", kb.dir);
    CHECK_OK(file_walk(index, 3, first_segment, path, &kb.why), &kb.why);
    plant(path);
    CHECK(kb_check(&kb, false) > 0);
    CHECK(kb_check(&kb, true) > 0);
    CHECK_EQ(kb_check(&kb, false), 0);

    CHECK_OK(file_walk(index, 3, first_segment, path, &kb.why), &kb.why);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_segments"), 1);
    CHECK_OK(file_remove(index, &kb.why), &kb.why); /* as after a restore */
    CHECK(kb_check(&kb, true) > 0);
    CHECK_EQ(kb_check(&kb, false), 0);
    struct knowledge_hit *hits = NULL;
    size_t n = 0;
    struct knowledge_query query = {
        .kb = "test", .text = STR("养犬每户几只"), .as_of = DAY_NONE, .limit = 3};
    CHECK_OK(knowledge_search(kb.knowledge, &kb.system, &query, kb.arena, &hits, &n, &kb.why),
             &kb.why);
    CHECK(n > 0 && str_eq_c(hits[0].title, "云汀市养犬管理办法"));

    CHECK_OK(store_run(kb.store, "UPDATE kb_versions SET n_passages = n_passages + 1",
                       STORE_NO_ARGS, NULL, &kb.why),
             &kb.why);
    CHECK(kb_check(&kb, false) > 0);
    kb_quiet = false;
    kb_done(&kb);
}

/* ---- kill -9 ---- */

#define N_LAWS 60

static void write_laws(struct kb *kb)
{
    char name[60];
    struct buf buf;
    for (int i = 0; i < N_LAWS; i++) {
        buf_init(&buf, kb->arena);
        buf_printf(&buf, "# 云汀市第%d项管理办法\n\n发文字号：云汀政规〔2024〕%d号\n\n", i, i);
        for (int k = 1; k <= 40; k++)
            buf_printf(&buf, "第%d条 第%d项事务的第%d条规定，由主管部门负责办理，期限为%d日。\n\n",
                       k, i, k, i + k);
        (void)snprintf(name, sizeof name, "laws/%d.md", i);
        kb_put(kb, name, buf_str(&buf).ptr);
    }
}

/* One file after the other, each acknowledged on its own, so that kills fall between and into
 * acknowledgements. Says how many were acknowledged by a byte each in `acknowledged`. */
static void child(const struct kb *parent, int acknowledged)
{
    struct kb kb = kb_same(parent);
    char name[60];
    if (kb_open(&kb))
        _exit(2);
    for (int i = 0; i < N_LAWS; i++) {
        (void)snprintf(name, sizeof name, "laws/%d.md", i);
        (void)kb_import(&kb, name, false);
        (void)!write(acknowledged, "x", 1);
    }
    _exit(0);
}

TEST(loses_and_doubles_nothing_when_killed_at_any_moment)
{
    FRESH_KB(kb);
    write_laws(&kb);
    kb_close(&kb);
    struct store *made = kb.made;
    unsigned seed = 12345;
    int killed = 0;
    for (int round = 0; round < 20; round++) {
        int pipes[2];
        CHECK_EQ(pipe(pipes), 0);
        (void)fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            (void)close(pipes[0]);
            child(&kb, pipes[1]);
        }
        (void)close(pipes[1]);
        (void)usleep(3000 + rand_r(&seed) % 60000);
        killed += kill(pid, SIGKILL) == 0;
        int status = 0;
        (void)waitpid(pid, &status, 0);
        char bytes[N_LAWS + 1];
        ssize_t n = 0, got;
        while ((got = read(pipes[0], bytes, sizeof bytes)) > 0)
            n += got;
        (void)close(pipes[0]);

        kb = kb_same(&kb);
        CHECK_OK(kb_open(&kb), &kb.why);
        CHECK(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions") >= n); /* what was acknowledged */
        CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"),
                 kb_count(&kb, "SELECT COUNT(DISTINCT number) FROM kb_versions"));
        CHECK_EQ(kb_check(&kb, false), 0);
        kb_close(&kb);
    }
    CHECK_EQ(killed, 20);
    kb = kb_same(&kb);
    CHECK_OK(kb_open(&kb), &kb.why);
    kb.made = made;
    (void)kb_import(&kb, "laws", false);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"), N_LAWS);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_documents"), N_LAWS);
    CHECK_EQ(kb_count(&kb, "SELECT SUM(n_passages) FROM kb_versions"), N_LAWS * 41);
    CHECK_EQ(kb_check(&kb, false), 0);
    kb_done(&kb);
}

static bool until_some(void *ctx, int64_t done, int64_t total, const char *phase)
{
    (void)ctx, (void)total, (void)phase;
    return done == 0;
}

TEST(stops_between_batches_when_it_is_cancelled)
{
    FRESH_KB(kb);
    enum { N = 900 };
    char name[40], text[200], path[300], id[UUID_TEXT];
    for (int i = 0; i < N; i++) {
        (void)snprintf(name, sizeof name, "many/n%d.md", i);
        (void)snprintf(text, sizeof text, "# 第%d号公告\n\n关于第%d期安排的内容说明。\n", i, i);
        kb_put(&kb, name, text);
    }
    (void)snprintf(path, sizeof path, "%s/files/many", kb.dir);
    const char *paths[] = {path};
    struct knowledge_report report = {0};
    struct why why = {0};
    struct knowledge_import import = {.kb = "test", .paths = paths, .n_paths = 1};
    CHECK_OK(
        knowledge_create(kb.knowledge, &kb.system, "test", "测试", OPS_CLASS_PUBLIC, id, &kb.why),
        &kb.why);
    CHECK_EQ(knowledge_import(kb.knowledge, &kb.system, &import, until_some, NULL, kb.arena,
                              &report, &why),
             ERR_CANCELLED);
    CHECK(why.text[0] != '\0');
    int64_t kept = kb_count(&kb, "SELECT COUNT(*) FROM kb_versions");
    CHECK(kept > 0 && kept < N);
    CHECK_EQ(kb_check(&kb, false), 0);
    CHECK_EQ(kb_import(&kb, "many", false).n_versions, N - kept);
    CHECK_EQ(kb_count(&kb, "SELECT COUNT(*) FROM kb_versions"), N);
    kb_done(&kb);
}

TESTS_MAIN()
