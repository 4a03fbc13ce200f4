/* What stands in the place of what was found. */
#include "tap.h"

#include "core/arena.h"
#include "privacy/cases.h"

#define ROOM ((size_t)64 << 20)

static struct privacy_keys *keys_of(unsigned char seed)
{
    uint8_t secret[PRIVACY_SECRET_BYTES];
    struct privacy_keys *keys = NULL;
    memset(secret, seed, sizeof secret);
    CHECK_OK(privacy_keys_make(secret, 1, &keys, NULL), NULL);
    return keys;
}

static struct str mask(const char *text, enum privacy_mode mode, const struct privacy_keys *keys,
                       struct arena *arena)
{
    struct privacy_scanner *scanner = NULL;
    struct privacy_findings found = {0};
    struct buf out;
    struct why why = {0};
    buf_init(&out, arena);
    CHECK_OK(privacy_scanner_new(NULL, &scanner, &why), &why);
    CHECK_OK(privacy_scan(scanner, str_c(text), STR(""), arena, &found, &why), &why);
    CHECK_OK(privacy_mask(str_c(text), &found, mode, keys, &out, &why), &why);
    privacy_scanner_free(scanner);
    return buf_str(&out);
}

TEST(partial_masks_show_which_one_is_meant)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"手机13812345678。", "手机138****5678。"},
        {"手机一三八一二三四五六七八", "手机138****5678"},
        {"身份证11010519491231002X", "身份证110***********002X"},
        {"卡号6222021234567890128", "卡号6222***********0128"},
        {"家庭电话020-34121084", "家庭电话020****1084"},
        {"车牌粤B·D12345", "车牌粤B****45"},
        {"发到zhang@163.com", "发到z***@163.com"},
        {"来自61.135.169.125", "来自61.135.*.*"},
        {"MAC aa:bb:cc:dd:ee:ff", "MAC aa:bb:**:**:**:**"},
        {"生日1985年3月2日", "生日1985-**-**"},
        {"QQ号12345678", "QQ号12******"},
        {"姓名：王小明", "姓名：王**"},
        {"家住广州市天河区幸福路12号3栋401室", "家住广州市天河区****"},
        {"没有什么", "没有什么"},
    };
    struct arena *arena = arena_new(ROOM);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_STR(mask(cases[i].in, PRIVACY_MODE_PARTIAL, NULL, arena), cases[i].out);
    CHECK_STR(mask("电话13812345678。", PRIVACY_MODE_REMOVE, NULL, arena), "电话。");
    arena_free(arena);
}

TEST(modes_with_a_key_ask_for_one)
{
    struct arena *arena = arena_new(ROOM);
    struct privacy_findings none = {0};
    struct buf out;
    struct why why = {0};
    buf_init(&out, arena);
    CHECK_EQ(privacy_mask(STR("x"), &none, PRIVACY_MODE_VAULT, NULL, &out, &why), ERR_INVALID);
    CHECK(why.text[0]);
    CHECK_EQ(privacy_mask(STR("x"), &none, PRIVACY_MODE_PSEUDONYM, NULL, &out, NULL), ERR_INVALID);
    CHECK_EQ(privacy_mask(STR("x"), &none, PRIVACY_MODES, NULL, &out, NULL), ERR_INVALID);
    arena_free(arena);
}

/* The same value, however it is written, gets the same pseudonym; another key gives another; and
 * the scanner, which asks whether a number can be somebody's, finds no identifier in it. */
TEST(pseudonyms_are_consistent_and_nobodys)
{
    struct cases cases = {.set = CASES_TUNE, .state = 5};
    struct privacy_keys *one = keys_of(1), *two = keys_of(2);
    struct privacy_scan_opts opts = {
        .kinds = PRIVACY_NUMBERS & ~PRIVACY_BIT(PRIVACY_BIRTH_DATE) & ~PRIVACY_BIT(PRIVACY_EMAIL) &
                 ~PRIVACY_BIT(PRIVACY_IPV6) & ~PRIVACY_BIT(PRIVACY_MAC) &
                 ~PRIVACY_BIT(PRIVACY_ACCOUNT) & ~PRIVACY_BIT(PRIVACY_TAIWAN_PERMIT) &
                 ~PRIVACY_BIT(PRIVACY_OFFICER_CARD)};
    struct privacy_scanner *scanner = NULL;
    struct arena *arena = arena_new(ROOM);
    size_t seen = 0;
    CHECK_OK(privacy_scanner_new(&opts, &scanner, NULL), NULL);
    for (int i = 0; i < 4000; i++) {
        struct buf text, a, b, other;
        struct cases_one c;
        struct privacy_findings found = {0};
        arena_reset(arena);
        buf_init(&text, arena);
        buf_init(&a, arena);
        buf_init(&b, arena);
        buf_init(&other, arena);
        cases_next(&cases, &text, &c);
        CHECK_OK(privacy_scan(scanner, buf_str(&text), STR(""), arena, &found, NULL), NULL);
        if (!found.n)
            continue;
        CHECK_OK(privacy_mask(buf_str(&text), &found, PRIVACY_MODE_PSEUDONYM, one, &a, NULL), NULL);
        CHECK_OK(privacy_mask(buf_str(&text), &found, PRIVACY_MODE_PSEUDONYM, one, &b, NULL), NULL);
        CHECK_OK(privacy_mask(buf_str(&text), &found, PRIVACY_MODE_PSEUDONYM, two, &other, NULL),
                 NULL);
        CHECK(str_eq(buf_str(&a), buf_str(&b)) && !str_eq(buf_str(&a), buf_str(&other)));
        CHECK_OK(privacy_scan(scanner, buf_str(&a), STR(""), arena, &found, NULL), NULL);
        CHECK_EQ(found.n, 0);
        if (found.n && seen++ < 10)
            printf("# %s: %.*s", privacy_kind_name(found.items[0].kind), STR_FMT(buf_str(&a)));
    }
    struct str plain = mask("手机13812345678", PRIVACY_MODE_PSEUDONYM, one, arena);
    CHECK_STR(mask("手机１３８-1234-5678", PRIVACY_MODE_PSEUDONYM, one, arena), plain.ptr);
    privacy_scanner_free(scanner);
    privacy_keys_free(one);
    privacy_keys_free(two);
    arena_free(arena);
}

TESTS_MAIN()
