/* What the scanner finds, and what it leaves alone. */
#include "tap.h"

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "core/utf8.h"
#include "privacy/cases.h"

#define ROOM ((size_t)64 << 20)

static struct privacy_scanner *scanner_of(unsigned kinds)
{
    struct privacy_scan_opts opts = {.kinds = kinds};
    struct privacy_scanner *scanner = NULL;
    struct why why = {0};
    CHECK_OK(privacy_scanner_new(&opts, &scanner, &why), &why);
    return scanner;
}

TEST(finds_identifiers_in_every_dress)
{
    static const struct {
        const char *text;
        enum privacy_kind kind;
        const char *written, *value;
    } cases[] = {
        {"身份证号11010519491231002X。", PRIVACY_ID_NUMBER, "11010519491231002X",
         "11010519491231002X"},
        {"身份证：１１０１０５１９４９１２３１００２Ｘ", PRIVACY_ID_NUMBER,
         "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002X"},
        {"llO1O5 1949l231 002x", PRIVACY_ID_NUMBER, "llO1O5 1949l231 002x", "11010519491231002X"},
        {"身份证130503670401001", PRIVACY_ID_NUMBER, "130503670401001", "130503670401001"},
        {"手机一三八零零一三八零零零", PRIVACY_MOBILE, "一三八零零一三八零零零", "13800138000"},
        {"电话13800138000一直打不通", PRIVACY_MOBILE, "13800138000", "13800138000"},
        {"tel:+86 138-0013-8000", PRIVACY_MOBILE, "138-0013-8000", "13800138000"},
        {"8613800138000", PRIVACY_MOBILE, "13800138000", "13800138000"},
        {"1\u200B38\u200B0013\u200B8000", PRIVACY_MOBILE, "1\u200B38\u200B0013\u200B8000",
         "13800138000"},
        {"138001\n  38000", PRIVACY_MOBILE, "138001\n  38000", "13800138000"},
        {"家里电话（0755）8812 7587", PRIVACY_LANDLINE, "（0755）8812 7587", "075588127587"},
        {"公司 91350100M000100Y43 的", PRIVACY_CREDIT_CODE, "91350100M000100Y43",
         "91350100M000100Y43"},
        {"卡6222 0212 3456 7890 128", PRIVACY_BANK_CARD, "6222 0212 3456 7890 128",
         "6222021234567890128"},
        {"护照E12345678到期", PRIVACY_PASSPORT, "E12345678", "E12345678"},
        {"军官证南字第1234567号", PRIVACY_OFFICER_CARD, "南字第1234567号", "南字第1234567号"},
        {"回乡证H12345678", PRIVACY_HK_MACAU_PERMIT, "H12345678", "H12345678"},
        {"台胞证12345678", PRIVACY_TAIWAN_PERMIT, "12345678", "12345678"},
        {"车辆粤B·D12345违停", PRIVACY_PLATE, "粤B·D12345", "粤BD12345"},
        {"京A1234警", PRIVACY_PLATE, "京A1234警", "京A1234警"},
        {"沪ａ８８８８８", PRIVACY_PLATE, "沪ａ８８８８８", "沪A88888"},
        {"发到zhang8515(at)126.com谢谢", PRIVACY_EMAIL, "zhang8515(at)126.com",
         "zhang8515@126.com"},
        {"护照E  A608  9738", PRIVACY_PASSPORT, "E  A608  9738", "EA6089738"},
        {"邮箱Zhang.San＠163。com谢谢", PRIVACY_EMAIL, "Zhang.San＠163。com", "zhang.san@163.com"},
        {"来自61.135.169.125的访问", PRIVACY_IPV4, "61.135.169.125", "61.135.169.125"},
        {"地址2409:8a00::1c", PRIVACY_IPV6, "2409:8a00::1c", "2409:8a00::1c"},
        {"MAC 00-1A-2B-3C-4D-5E", PRIVACY_MAC, "00-1A-2B-3C-4D-5E", "00:1a:2b:3c:4d:5e"},
        {"网卡aa:bb:cc:dd:ee:ff", PRIVACY_MAC, "aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"},
        {"加我微信：lily_2020", PRIVACY_ACCOUNT, "lily_2020", "lily_2020"},
        {"QQ号12345678", PRIVACY_ACCOUNT, "12345678", "12345678"},
        {"生于一九八五年三月二十一日", PRIVACY_BIRTH_DATE, "一九八五年三月二十一日", "1985-03-21"},
        {"1985.3.2出生", PRIVACY_BIRTH_DATE, "1985.3.2", "1985-03-02"},
    };
    struct privacy_scanner *scanner = scanner_of(PRIVACY_NUMBERS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str text = str_c(cases[i].text);
        struct privacy_findings found = {0};
        struct why why = {0};
        CHECK_OK(privacy_scan(scanner, text, STR(""), arena, &found, &why), &why);
        CHECK_EQ(found.n, 1);
        if (found.n == 1) {
            CHECK_STR(str_slice(text, found.items[0].start, found.items[0].end), cases[i].written);
            CHECK_STR(found.items[0].value, cases[i].value);
            CHECK_EQ(found.items[0].kind, cases[i].kind);
        } else {
            printf("# %zu in %s\n", found.n, cases[i].text);
        }
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
}

/* Names and addresses, the tagger asked only where the gate or a word lets it. */
TEST(finds_names_and_addresses)
{
    static const struct {
        const char *text;
        enum privacy_kind kind;
        const char *written;
    } cases[] = {
        {"申请人：王建国，男", PRIVACY_NAME, "王建国"},
        {"市民李小明来电反映路灯不亮。", PRIVACY_NAME, "李小明"},
        {"记者张伟报道。其他没有。", PRIVACY_NAME, "张伟"},
        {"我家住在广州市天河区幸福路12号3栋401室，一直没有热水", PRIVACY_ADDRESS,
         "广州市天河区幸福路12号3栋401室"},
    };
    struct privacy_scanner *scanner = scanner_of(PRIVACY_ALL & ~PRIVACY_NUMBERS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str text = str_c(cases[i].text);
        struct privacy_findings found = {0};
        struct why why = {0};
        CHECK_OK(privacy_scan(scanner, text, STR(""), arena, &found, &why), &why);
        CHECK_EQ(found.n, 1);
        if (found.n == 1) {
            CHECK_EQ(found.items[0].kind, cases[i].kind);
            CHECK_STR(str_slice(text, found.items[0].start, found.items[0].end), cases[i].written);
        } else {
            printf("# %zu in %s\n", found.n, cases[i].text);
        }
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
}

/* Words of laws and the signs of halls and documents are neither names nor where somebody lives. */
TEST(takes_no_law_for_a_person)
{
    static const char *const texts[] = {
        "为加强养犬管理，保障公民健康和人身安全，维护社会公共秩序，制定本条例。",
        "卫生健康、生态环境、绿化市容等部门应当及时采取措施。",
        "常委会组成人员要认真学习马列主义、毛泽东思想。",
        "农作物、林木的栽培种、野生种和濒危稀有种应当加强保护管理。",
        "任何单位和个人不得铺张浪费，严格依法办事。",
        "牛、羊、鸡、鸭定点屠宰厂（场）应当具备下列条件：",
        "国务院令第541号，〔2012〕5号，第三十二条",
        "办理地点：广州市越秀区府前路1号市政府大院3号楼",
        "黄鹤楼和三层以上的建筑物",
    };
    struct privacy_scanner *scanner = scanner_of(PRIVACY_ALL & ~PRIVACY_NUMBERS);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct privacy_findings found = {0};
        struct why why = {0};
        CHECK_OK(privacy_scan(scanner, str_c(texts[i]), STR(""), arena, &found, &why), &why);
        CHECK_EQ(found.n, 0);
        if (found.n)
            printf("# \"%.*s\" in %s\n", STR_FMT(found.items[0].value), texts[i]);
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
}

TEST(leaves_alone_what_is_public_or_only_looks_like_it)
{
    static const char *const texts[] = {
        "市住建局咨询电话：020-83133586、020-85257006",
        "{\"consult_phone\":\"020-34121084\",\"complain_phone\":\"020-83134173\"}",
        "办事大厅联系电话（0662）3681111",
        "请拨打12345、110或400-810-8888",
        "国发〔2020〕3号，（2021）粤01民终12345号，第一百二十三条",
        "订单号：622202123456789012，运单号13800138000",
        "身份证号110105194912310021", /* wrong check digit */
        "金额13,800,138,000元",
        "版本号 10.2.3.4，12:30:45，http://210.76.74.100/a",
        "0.13800138000",
        "138001380001",
        "微信公众号：gdsifaxingzheng",
        "施行日期：2020年1月1日",
        "一、二、三、四、五、六、七、八、九、十、十一",
        "a1b2c313800138000ff",
    };
    struct privacy_scanner *scanner = scanner_of(PRIVACY_NUMBERS);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct privacy_findings found = {0};
        struct why why = {0};
        CHECK_OK(privacy_scan(scanner, str_c(texts[i]), STR(""), arena, &found, &why), &why);
        CHECK_EQ(found.n, 0);
        for (size_t k = 0; k < found.n; k++)
            printf("# %s: %.*s in %s\n", privacy_kind_name(found.items[k].kind),
                   STR_FMT(found.items[k].value), texts[i]);
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
}

TEST(the_context_counts_as_standing_before_the_text)
{
    struct privacy_scanner *scanner = scanner_of(0);
    struct arena *arena = arena_new(ROOM);
    struct privacy_findings found = {0};
    struct str text = STR("020-34121084");
    CHECK_OK(privacy_scan(scanner, text, STR("consult_phone"), arena, &found, NULL), NULL);
    CHECK_EQ(found.n, 0);
    CHECK_OK(privacy_scan(scanner, text, STR("家庭电话"), arena, &found, NULL), NULL);
    CHECK_EQ(found.n, 1);
    CHECK_OK(privacy_scan(scanner, STR("12345678"), STR("台胞证号"), arena, &found, NULL), NULL);
    CHECK_EQ(found.n, 1);
    arena_free(arena);
    privacy_scanner_free(scanner);
}

TEST(public_too_gives_offices_telephones)
{
    struct privacy_scan_opts opts = {.public_too = true};
    struct privacy_scanner *scanner = NULL;
    struct arena *arena = arena_new(ROOM);
    struct privacy_findings found = {0};
    CHECK_OK(privacy_scanner_new(&opts, &scanner, NULL), NULL);
    CHECK_OK(privacy_scan(scanner, STR("咨询电话：020-83133586"), STR(""), arena, &found, NULL),
             NULL);
    CHECK_EQ(found.n, 1);
    arena_free(arena);
    privacy_scanner_free(scanner);
}

/* Bytes that are no text, cut anywhere: findings stay inside, in order, at borders of characters.
 */
TEST(any_bytes_are_scanned)
{
    static const char seed[] = "\xE5张三\xF0\x9D\x9F\x8E身份证11010519491231002X\xFF@a.cn１３８０"
                               "０１３８０００ aa:bb:cc:dd:ee:ff 粤B12345 微信：a\xC2\xAD";
    struct privacy_scanner *scanner = scanner_of(0);
    uint64_t state = 7;
    for (size_t round = 0; round < 3000; round++) {
        struct arena *arena = arena_new(ROOM);
        struct privacy_findings found = {0};
        char bytes[sizeof seed];
        size_t last = 0;
        memcpy(bytes, seed, sizeof seed);
        for (int k = 0; k < 6; k++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            bytes[(state >> 33) % (sizeof seed - 1)] = (char)(state >> 24);
        }
        struct str text = {bytes + round % 17, sizeof seed - 1 - round % 17 - round % 13};
        CHECK_OK(privacy_scan(scanner, text, STR(""), arena, &found, NULL), NULL);
        for (size_t i = 0; i < found.n; i++) {
            CHECK(found.items[i].start >= last && found.items[i].end > found.items[i].start);
            CHECK(found.items[i].end <= text.len);
            last = found.items[i].end;
        }
        arena_free(arena);
    }
    privacy_scanner_free(scanner);
}

TEST(says_so_when_memory_runs_out)
{
    struct privacy_scanner *scanner = scanner_of(0);
    struct str text = STR("13800138000 13800138001 13800138002 a@b.cn c@d.cn 13800138003");
    size_t limit = 0;
    for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY; limit += 64) {
        struct arena *arena = arena_new(limit);
        struct privacy_findings found = {.n = 99};
        err = privacy_scan(scanner, text, STR(""), arena, &found, NULL);
        CHECK(err == ERR_NO_MEMORY ? found.n == 99 : found.n == 6);
        arena_free(arena);
    }
    CHECK(limit > 64);
    privacy_scanner_free(scanner);
}

/* ---- the figures of the README ---- */

static bool hits(const struct privacy_finding *f, const struct cases_one *one)
{
    size_t from = f->start > one->start ? f->start : one->start;
    size_t to = f->end < one->end ? f->end : one->end;
    size_t first = f->start < one->start ? f->start : one->start;
    size_t last = f->end > one->end ? f->end : one->end;
    return f->kind == one->kind && to > from && 5 * (to - from) >= 4 * (last - first);
}

static void score(enum cases_set set, uint64_t seed)
{
    struct cases cases = {.set = set, .state = seed};
    struct privacy_scanner *scanner = scanner_of(PRIVACY_NUMBERS);
    struct arena *arena = arena_new(ROOM);
    size_t right = 0, wrong = 0, n = 0;
    for (size_t i = 0; i < 20000; i++) {
        struct buf text;
        struct cases_one one;
        struct privacy_findings found = {0};
        buf_init(&text, arena);
        cases.misses = i % 2;
        cases_next(&cases, &text, &one);
        CHECK_OK(privacy_scan(scanner, buf_str(&text), STR(""), arena, &found, NULL), NULL);
        n += !one.miss;
        for (size_t k = 0; k < found.n; k++)
            if (!one.miss && hits(&found.items[k], &one))
                right++;
            else
                wrong++;
        arena_reset(arena);
    }
    double precision = (double)right / (double)(right + wrong), recall = (double)right / (double)n;
    printf("# precision %.4f recall %.4f\n", precision, recall);
    CHECK(precision >= 0.99);
    CHECK(recall >= 0.99);
    privacy_scanner_free(scanner);
    arena_free(arena);
}

TEST(generated_identifiers_are_found_and_near_misses_are_not)
{
    score(CASES_TUNE, 20261122);
    score(CASES_HELD, 20261122);
    score(CASES_LAST, 20261122);
}

/* Each record as a page of the service shows it; a telephone of seven digits and more counts. */
TEST(telephones_of_offices_stay)
{
    static const char *const fields[] = {"consult_phone", "complain_phone"};
    const char *path = tap_dataset("service-guides/data/policy.json");
    if (!path)
        SKIP("no service guides");
    struct privacy_scanner *scanner = scanner_of(PRIVACY_NUMBERS);
    struct arena *arena = arena_new((size_t)256 << 20), *one = arena_new(ROOM);
    struct str text, line;
    size_t n = 0, masked = 0;
    CHECK_OK(file_read(path, (size_t)64 << 20, arena, &text, NULL), NULL);
    while (str_next_line(&text, &line)) {
        const struct json *record;
        arena_reset(one);
        if (json_parse(line, one, &record, NULL))
            continue;
        for (size_t f = 0; f < 2; f++) {
            static const char *const labels[] = {"咨询电话：", "投诉电话："};
            struct privacy_findings found[3] = {0};
            struct str phone = json_get_str(record, fields[f], STR(""));
            struct str page = str_printf(one, "%.*s\n实施主体：%.*s\n%s%.*s\n",
                                         STR_FMT(json_get_str(record, "TASK_NAME", STR(""))),
                                         STR_FMT(json_get_str(record, "DEPT_NAME", STR(""))),
                                         labels[f], STR_FMT(phone));
            if (phone.len < 7)
                continue;
            n++;
            CHECK_OK(privacy_scan(scanner, page, STR(""), one, &found[0], NULL), NULL);
            CHECK_OK(privacy_scan(scanner, line, STR(""), one, &found[1], NULL), NULL);
            CHECK_OK(privacy_scan(scanner, phone, str_c(fields[f]), one, &found[2], NULL), NULL);
            bool bad = false;
            for (size_t i = 0; i < 3; i++)
                for (size_t k = 0; k < found[i].n; k++)
                    bad = bad || found[i].items[k].kind == PRIVACY_LANDLINE ||
                          found[i].items[k].kind == PRIVACY_MOBILE;
            masked += bad;
        }
    }
    printf("# %zu of %zu telephones masked\n", masked, n);
    CHECK(n > 4000 && masked * 100 < n);
    arena_free(one);
    arena_free(arena);
    privacy_scanner_free(scanner);
}

TESTS_MAIN()
