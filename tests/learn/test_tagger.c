/* The tagger: learns what is there, says the same after reading, and trusts no file. */
#include "tap.h"

#include "core/arena.h"
#include "core/hash.h"
#include "learn/learn.h"

#define ROOM ((size_t)512 << 20)

static const char *const kinds[] = {"name", "place"};
static const char *const names[] = {"王小明", "李建国", "赵敏", "张伟", "刘洋", "陈静"};
static const char *const places[] = {"北京", "上海", "幸福路", "朝阳区"};
static const char *const frames[] = {"昨天@去了#。", "@住在#，很好", "据#消息，@已到", "@说"};

/* "@" is a name, "#" a place. */
static struct tagger_sample sample_of(struct arena *arena, size_t i)
{
    struct tagger_span *spans = arena_array(arena, struct tagger_span, 2);
    struct buf text;
    size_t n = 0;
    buf_init(&text, arena);
    for (const char *p = frames[i % 4]; *p; p++) {
        const char *word = *p == '@' ? names[i / 4 % 6] : *p == '#' ? places[i / 24 % 4] : NULL;
        if (!word) {
            buf_char(&text, *p);
            continue;
        }
        spans[n].start = text.len;
        buf_add_c(&text, word);
        spans[n].end = text.len;
        spans[n++].kind = *p == '#';
    }
    return (struct tagger_sample){buf_str(&text), spans, n, i % 5 == 4};
}

static struct str train(struct arena *arena)
{
    struct tagger_sample samples[192];
    struct tagger_options options = tagger_options_default;
    struct str bytes = STR("");
    struct why why = {0};
    options.marks = STR("王李赵张刘陈");
    for (size_t i = 0; i < 192; i++)
        samples[i] = sample_of(arena, i % 96);
    CHECK_OK(tagger_train(samples, 192, kinds, 2, &options, arena, &bytes, &why), &why);
    return bytes;
}

TEST(learns_and_finds)
{
    struct arena *arena = arena_new(ROOM);
    struct tagger *tagger = NULL;
    struct why why = {0};
    size_t right = 0, there = 0;
    CHECK_OK(tagger_read(train(arena), &tagger, &why), &why);
    CHECK_EQ(tagger_n_kinds(tagger), 2);
    CHECK_STR(str_c(tagger_kind(tagger, 1)), "place");
    for (size_t i = 0; i < 96; i++) {
        struct tagger_sample sample = sample_of(arena, i);
        struct tagger_span *found = NULL;
        size_t n = 0;
        CHECK_OK(tagger_find(tagger, sample.text, arena, &found, &n, &why), &why);
        for (size_t k = 0; k < sample.n && k < n; k++)
            right += found[k].start == sample.spans[k].start &&
                     found[k].end == sample.spans[k].end && found[k].kind == sample.spans[k].kind;
        there += sample.n;
    }
    CHECK(right * 100 >= there * 98);
    tagger_free(tagger);
    arena_free(arena);
}

/* A part gives what the whole gives there, when what stands in it is whole. */
TEST(a_part_gives_what_the_whole_gives)
{
    struct arena *arena = arena_new(ROOM);
    struct tagger *tagger = NULL;
    struct why why = {0};
    struct str text = STR("很好。昨天王小明去了北京。据上海消息，赵敏已到");
    struct tagger_span *all = NULL, *part = NULL;
    size_t n_all = 0, n = 0;
    CHECK_OK(tagger_read(train(arena), &tagger, &why), &why);
    CHECK_OK(tagger_find(tagger, text, arena, &all, &n_all, &why), &why);
    CHECK_EQ(n_all, 4);
    for (size_t k = 0; k < n_all; k++) {
        CHECK_OK(
            tagger_find_part(tagger, text, all[k].start - 3, all[k].end, arena, &part, &n, &why),
            &why);
        CHECK(n == 1 && part[0].start == all[k].start && part[0].end == all[k].end &&
              part[0].kind == all[k].kind);
    }
    CHECK_OK(tagger_find_part(tagger, text, 5, 5, arena, &part, &n, &why), &why);
    CHECK_EQ(n, 0);
    tagger_free(tagger);
    arena_free(arena);
}

/* Where a kind is known not to occur, what was taken for it is unlearnt. */
TEST(learns_from_where_a_kind_never_is)
{
    struct arena *arena = arena_new(ROOM);
    struct tagger_sample samples[240];
    struct tagger_options options = tagger_options_default;
    struct tagger *tagger = NULL;
    struct tagger_span *found = NULL;
    struct str bytes = STR(""), text = STR("昨天王法规去了北京。");
    struct why why = {0};
    size_t n = 0, named = 0;
    options.marks = STR("王李赵张刘陈");
    for (size_t i = 0; i < 192; i++)
        samples[i] = sample_of(arena, i % 96);
    for (size_t i = 192; i < 240; i++)
        samples[i] = (struct tagger_sample){.text = text, .never = 1u << 0, .held = i % 5 == 4};
    CHECK_OK(tagger_train(samples, 240, kinds, 2, &options, arena, &bytes, &why), &why);
    CHECK_OK(tagger_read(bytes, &tagger, &why), &why);
    CHECK_OK(tagger_find(tagger, text, arena, &found, &n, &why), &why);
    for (size_t k = 0; k < n; k++)
        named += found[k].kind == 0;
    CHECK_EQ(named, 0);
    /* The place is still found: of places nothing was told. */
    CHECK(n && found[n - 1].kind == 1 && found[n - 1].start == 21);
    CHECK_OK(tagger_find(tagger, STR("昨天王小明去了北京。"), arena, &found, &n, &why), &why);
    CHECK_EQ(n, 2);
    tagger_free(tagger);
    arena_free(arena);
}

TEST(the_same_samples_give_the_same_bytes)
{
    struct arena *arena = arena_new(ROOM);
    struct str a = train(arena), b = train(arena);
    CHECK(a.len > 100 && str_eq(a, b));
    arena_free(arena);
}

TEST(refuses_samples_that_are_wrong)
{
    static const struct tagger_span over[] = {{0, 3, 0, 0}, {0, 3, 1, 0}};
    static const struct tagger_span outside[] = {{0, 30, 0, 0}};
    static const struct tagger_span no_kind[] = {{0, 3, 7, 0}};
    const struct tagger_sample bad[] = {{STR_INIT("王"), over, 2, false},
                                        {STR_INIT("王"), outside, 1, false},
                                        {STR_INIT("王"), no_kind, 1, false}};
    for (size_t i = 0; i < 3; i++) {
        struct arena *arena = arena_new(ROOM);
        struct str bytes = STR("");
        struct why why = {0};
        CHECK_EQ(tagger_train(&bad[i], 1, kinds, 2, &tagger_options_default, arena, &bytes, &why),
                 ERR_INVALID);
        CHECK(why.text[0]);
        arena_free(arena);
    }
}

/* Every cut and many changed bytes, with the checksum put right so that the rest is looked at. */
TEST(a_hostile_file_is_refused_or_harmless)
{
    struct arena *arena = arena_new(ROOM);
    struct str bytes = train(arena);
    uint64_t state = 3;
    for (size_t len = 0; len < bytes.len; len += 1 + bytes.len / 300) {
        struct tagger *tagger = NULL;
        CHECK_EQ(tagger_read(str_slice(bytes, 0, len), &tagger, NULL), ERR_CORRUPT);
    }
    for (int round = 0; round < 400; round++) {
        struct tagger *tagger = NULL;
        struct tagger_span *found;
        size_t n;
        char *copy = arena_copy(arena, bytes.ptr, bytes.len);
        for (int k = 0; k < 3; k++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            copy[8 + (state >> 33) % (round % 2 ? 2000 : bytes.len - 16)] = (char)(state >> 24);
        }
        uint64_t sum = hash64(copy, bytes.len - 8, 1);
        memcpy(copy + bytes.len - 8, &sum, 8);
        enum err err = tagger_read((struct str){copy, bytes.len}, &tagger, NULL);
        CHECK(err == ERR_OK || err == ERR_CORRUPT);
        if (!err)
            CHECK_OK(tagger_find(tagger, STR("王小明住在北京\xFF。\xE7"), arena, &found, &n, NULL),
                     NULL);
        tagger_free(tagger);
    }
    arena_free(arena);
}

TESTS_MAIN()
