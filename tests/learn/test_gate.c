/* The gate: lets through where something begins, little else, and trusts no file. */
#include "tap.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "learn/learn.h"

#define ROOM    ((size_t)256 << 20)
#define SAMPLES 400

static const char *const names[] = {"王小明", "李建国", "赵敏", "张伟", "刘洋", "陈静"};
static const char *const frames[] = {"昨天@去了公园。", "据说@住在这里，很好", "请@马上来", "@说",
                                     "天气很好，没有人出门。"};

/* "@" is where a name stands. */
static struct gate_sample sample_of(struct arena *arena, size_t i)
{
    size_t *starts = arena_array(arena, size_t, 1), n = 0;
    struct buf text;
    buf_init(&text, arena);
    for (const char *p = frames[i % 5]; *p; p++) {
        if (*p != '@') {
            buf_char(&text, *p);
            continue;
        }
        starts[n++] = text.len;
        buf_add_c(&text, names[i / 5 % 6]);
    }
    return (struct gate_sample){buf_str(&text), starts, n, 1, i % 7 == 6};
}

static struct str train(struct arena *arena, const char *watch)
{
    static struct gate_sample samples[SAMPLES];
    struct gate_options options = gate_options_default;
    struct str bytes = STR("");
    struct why why = {0};
    options.watch = str_c(watch);
    for (size_t i = 0; i < SAMPLES; i++)
        samples[i] = sample_of(arena, i);
    CHECK_OK(gate_train(samples, SAMPLES, &options, arena, &bytes, &why), &why);
    return bytes;
}

static struct gate *gate_of(struct arena *arena, const char *watch)
{
    struct gate *gate = NULL;
    struct why why = {0};
    CHECK_OK(gate_read(train(arena, watch), &gate, &why), &why);
    return gate;
}

TEST(lets_through_where_something_begins)
{
    struct arena *arena = arena_new(ROOM);
    struct gate *gate = gate_of(arena, "");
    size_t there = 0, kept = 0, passed = 0, chars = 0;
    for (size_t i = 0; i < 30; i++) {
        struct gate_sample sample = sample_of(arena, i);
        struct gate_pass pass;
        struct gate_hit hit;
        there += sample.n;
        chars += utf8_count(sample.text);
        gate_begin(&pass, gate, sample.text);
        while (gate_next(&pass, &hit)) {
            CHECK(hit.begins && !hit.watched);
            kept += sample.n && hit.at == sample.starts[0];
            passed++;
        }
    }
    CHECK_EQ(kept, there);
    CHECK(passed * 4 < chars);
    gate_free(gate);
    arena_free(arena);
}

/* A long text gives what its sentences give, wherever the blocks are cut. */
TEST(blocks_do_not_show)
{
    struct arena *arena = arena_new(ROOM);
    struct gate *gate = gate_of(arena, "");
    struct gate_sample sample = sample_of(arena, 1);
    for (size_t before = 0; before < 8; before++) {
        struct gate_pass pass;
        struct gate_hit hit;
        struct buf text;
        size_t n = 0, last = 0, wanted = 0;
        buf_init(&text, arena);
        for (size_t i = 0; i < before; i++)
            buf_add_c(&text, "。");
        for (size_t i = 0; i < 200; i++)
            buf_add(&text, sample.text);
        gate_begin(&pass, gate, buf_str(&text));
        while (gate_next(&pass, &hit)) {
            CHECK(!n || hit.at > last);
            last = hit.at;
            wanted += (hit.at - before * 3) % sample.text.len == sample.starts[0];
            n++;
        }
        CHECK_EQ(wanted, 200);
    }
    gate_free(gate);
    arena_free(arena);
}

TEST(watched_characters_pass_and_say_so)
{
    struct arena *arena = arena_new(ROOM);
    struct gate *gate = gate_of(arena, "号:");
    struct str text = STR("门牌是３号：5号");
    struct gate_pass pass;
    struct gate_hit hit;
    size_t n = 0;
    static const size_t at[] = {12, 15, 19};
    gate_begin(&pass, gate, text);
    while (gate_next(&pass, &hit))
        if (hit.watched) {
            CHECK(n < 3 && hit.at == at[n]);
            n++;
        }
    CHECK_EQ(n, 3);
    gate_free(gate);
    arena_free(arena);
}

TEST(the_same_samples_give_the_same_bytes)
{
    struct arena *arena = arena_new(ROOM);
    struct str a = train(arena, "号"), b = train(arena, "号");
    CHECK(a.len > 1000 && str_eq(a, b));
    arena_free(arena);
}

TEST(refuses_samples_that_are_wrong)
{
    static const size_t first = 0;
    struct gate_sample none = {STR("没有人"), NULL, 0, 1, false};
    struct gate_sample weightless = {STR("王小明"), &first, 1, 0, false};
    struct gate_sample some = {STR("王小明"), &first, 1, 1, true};
    struct gate_options wrong = gate_options_default;
    struct arena *arena = arena_new(ROOM);
    struct str bytes;
    struct why why = {0};
    CHECK_EQ(gate_train(&none, 1, &gate_options_default, arena, &bytes, &why), ERR_INVALID);
    CHECK_EQ(gate_train(&weightless, 1, &gate_options_default, arena, &bytes, NULL), ERR_INVALID);
    CHECK_EQ(gate_train(NULL, 0, &gate_options_default, arena, &bytes, NULL), ERR_INVALID);
    wrong.both = 1.5;
    CHECK_EQ(gate_train(&some, 1, &wrong, arena, &bytes, NULL), ERR_INVALID);
    CHECK(why.text[0]);
    arena_free(arena);
}

/* Every cut and many changed bytes, with the checksum put right so that the rest is looked at. */
TEST(a_hostile_file_is_refused_or_harmless)
{
    struct arena *arena = arena_new(ROOM);
    struct str bytes = train(arena, "号");
    uint64_t state = 5;
    for (size_t len = 0; len < bytes.len; len += 1 + bytes.len / 200) {
        struct gate *gate = NULL;
        CHECK_EQ(gate_read(str_slice(bytes, 0, len), &gate, NULL), ERR_CORRUPT);
    }
    for (int round = 0; round < 400; round++) {
        struct gate *gate = NULL;
        char *copy = arena_copy(arena, bytes.ptr, bytes.len);
        for (int k = 0; k < 3; k++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            copy[8 + (state >> 33) % (round % 2 ? 400 : bytes.len - 16)] = (char)(state >> 24);
        }
        uint64_t sum = hash64(copy, bytes.len - 8, 1);
        memcpy(copy + bytes.len - 8, &sum, 8);
        enum err err = gate_read((struct str){copy, bytes.len}, &gate, NULL);
        CHECK(err == ERR_OK || err == ERR_CORRUPT);
        struct gate_pass pass;
        struct gate_hit hit;
        if (!err)
            for (gate_begin(&pass, gate, STR("王小明3号\xFF。\xE7\xF0\x9F\x98\x80"));
                 gate_next(&pass, &hit);)
                CHECK(hit.at < 23);
        gate_free(gate);
    }
    arena_free(arena);
}

TESTS_MAIN()
