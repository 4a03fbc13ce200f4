#include "tap.h"

#include "core/arena.h"
#include "knowledge/passage.h"

#define ROOM (8u << 20)

static const struct passage some[] = {
    {PASSAGE_HEAD, 30, 60, 0, 0, 0, STR_INIT("题注"), STR_INIT(""), STR_INIT(""), STR_INIT("")},
    {PASSAGE_ARTICLE, 100, 200, 16, 37, 1, STR_INIT("第三十七条之一"), STR_INIT("第二章 > 第一节"),
     STR_INIT(""), STR_INIT("")},
    {PASSAGE_FIELD, 20, 45, 15, 0, 0, STR_INIT("咨询电话"), STR_INIT("第二章 > 第一节"),
     STR_INIT("phone"), STR_INIT("")},
};
#define N_SOME (sizeof some / sizeof some[0])

TEST(packs_and_unpacks)
{
    struct arena *arena = arena_new(ROOM);
    struct why why = {0};
    struct str packed = STR_NONE;
    struct passage *items = NULL;
    size_t n = 0;
    CHECK_OK(passages_pack(some, N_SOME, arena, &packed, &why), &why);
    CHECK_OK(passages_unpack(packed, arena, &items, &n, &why), &why);
    CHECK_EQ(n, N_SOME);
    for (size_t i = 0; i < n; i++) {
        CHECK_EQ(items[i].kind, some[i].kind);
        CHECK_EQ(items[i].start, some[i].start);
        CHECK_EQ(items[i].len, some[i].len);
        CHECK_EQ(items[i].body, some[i].body);
        CHECK_EQ(items[i].number, some[i].number);
        CHECK_EQ(items[i].sub, some[i].sub);
        CHECK(str_eq(items[i].label, some[i].label));
        CHECK(str_eq(items[i].path, some[i].path));
        CHECK(str_eq(items[i].field, some[i].field));
    }
    CHECK_OK(passages_pack(NULL, 0, arena, &packed, &why), &why);
    CHECK_OK(passages_unpack(packed, arena, &items, &n, &why), &why);
    CHECK_EQ(n, 0);
    arena_free(arena);
}

TEST(unpacks_no_damaged_bytes)
{
    struct arena *arena = arena_new(ROOM);
    struct why why = {0};
    struct str packed = STR_NONE;
    struct passage *items = NULL;
    size_t n = 77;
    CHECK_OK(passages_pack(some, N_SOME, arena, &packed, &why), &why);
    for (size_t len = 0; len < packed.len; len++)
        CHECK_EQ(passages_unpack(str_slice(packed, 0, len), arena, &items, &n, NULL), ERR_CORRUPT);
    CHECK_EQ(n, 77);
    /* A changed byte is refused or gives passages that are still in order of the type. */
    for (size_t at = 0; at < packed.len; at++) {
        struct str copy = str_copy(arena, packed);
        ((char *)copy.ptr)[at] = (char)0xFF;
        enum err err = passages_unpack(copy, arena, &items, &n, NULL);
        CHECK(err == ERR_OK || err == ERR_CORRUPT || err == ERR_NO_MEMORY);
        for (size_t i = 0; err == ERR_OK && i < n; i++)
            CHECK(items[i].kind <= PASSAGE_HEAD && items[i].body <= items[i].len);
    }
    arena_free(arena);
}

TEST(tells_paragraphs_from_items)
{
    struct str article =
        STR("第三条 申请人应当符合下列条件：\n\n（一）年满十八周岁；\n\n（二）有住所。\n\n"
            "前款第二项所称住所，包括租住的房屋。\n");
    struct passage_clause clauses[8];
    size_t n = passage_clauses(article, clauses, 8);
    static const struct {
        uint32_t clause, item;
        const char *begins;
    } want[] = {{1, 0, "第三条"}, {1, 1, "（一）"}, {1, 2, "（二）"}, {2, 0, "前款"}};
    CHECK_EQ(n, 4);
    for (size_t i = 0; i < n && i < 4; i++) {
        struct str part = str_slice(article, clauses[i].start, clauses[i].start + clauses[i].len);
        CHECK_EQ(clauses[i].clause, want[i].clause);
        CHECK_EQ(clauses[i].item, want[i].item);
        CHECK(str_starts(part, str_c(want[i].begins)));
        CHECK(!str_ends(part, STR("\n")));
    }
    CHECK_EQ(passage_clauses(article, clauses, 2), 2);
    CHECK_EQ(passage_clauses(STR(""), clauses, 8), 0);
}

TEST(names_passages_by_version_and_number)
{
    char id[PASSAGE_ID_TEXT], version[UUID_TEXT];
    uint32_t n = 0;
    const char *uuid = "019aa1b2-0000-7000-8000-0123456789ab";
    CHECK(passage_id_parse(str_c(passage_id(uuid, 4294967295u, id)), version, &n));
    CHECK_EQ(n, 4294967295u);
    CHECK_STR(str_c(version), uuid);
    static const char *const bad[] = {"",
                                      "x:1",
                                      "019aa1b2-0000-7000-8000-0123456789ab",
                                      "019aa1b2-0000-7000-8000-0123456789ab:",
                                      "019aa1b2-0000-7000-8000-0123456789ab:-1",
                                      "019aa1b2-0000-7000-8000-0123456789ab:4294967296",
                                      "019aa1b2-0000-7000-8000-0123456789ab:1x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!passage_id_parse(str_c(bad[i]), version, &n));
}

TESTS_MAIN()
