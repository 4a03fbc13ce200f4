#include "tap.h"

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/chunk.h"

#define ROOM (4u << 20)

TEST(cuts_at_sentences_and_loses_nothing)
{
    struct arena *arena = arena_new(ROOM);
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 200; i++)
        buf_printf(&buf, "第%d句说明办理条件和所需材料。%s", i, i % 7 == 0 ? "\n" : "");
    struct str text = buf_str(&buf);
    struct chunks out = {0};
    struct why why = {0};
    CHECK_OK(chunk_text(text, &(struct chunk_opts){300, 60}, arena, &out, &why), &why);
    CHECK(out.n > 10);
    size_t covered = 0;
    for (size_t i = 0; i < out.n; i++) {
        struct str piece =
            str_slice(text, out.items[i].start, out.items[i].start + out.items[i].len);
        CHECK(out.items[i].len >= 1 && out.items[i].len <= 300);
        CHECK(out.items[i].start <= covered);
        CHECK_EQ(utf8_invalid(piece), STR_NPOS);
        CHECK(i == 0 || out.items[i].start > out.items[i - 1].start);
        struct str tail = str_trim(piece);
        CHECK(str_ends(tail, STR("。")));
        covered = out.items[i].start + out.items[i].len;
    }
    CHECK_EQ(covered, text.len);
    arena_free(arena);
}

TEST(cuts_text_without_sentences_at_characters)
{
    struct arena *arena = arena_new(ROOM);
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 1000; i++)
        buf_add_c(&buf, "汉");
    struct chunks out = {0};
    struct why why = {0};
    CHECK_OK(chunk_text(buf_str(&buf), &(struct chunk_opts){64, 16}, arena, &out, &why), &why);
    for (size_t i = 0; i < out.n; i++)
        CHECK_EQ(out.items[i].start % 3, 0);
    CHECK_EQ(out.items[out.n - 1].start + out.items[out.n - 1].len, 3000);
    CHECK_OK(chunk_text(STR(""), &(struct chunk_opts){64, 0}, arena, &out, &why), &why);
    CHECK_EQ(out.n, 0);
    arena_free(arena);
}

TEST(refuses_what_it_cannot_cut)
{
    static const struct {
        struct str text;
        struct chunk_opts opts;
    } cases[] = {
        {STR_INIT("abc"), {CHUNK_MIN_BYTES - 1, 0}},
        {STR_INIT("abc"), {64, 17}},       /* more than a quarter */
        {STR_INIT("ab\xE4\xB8"), {64, 0}}, /* character cut off */
        {STR_INIT("\xC0\xAF"), {64, 0}},   /* overlong slash */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct chunks out = {.n = 99};
        struct why why = {0};
        CHECK_EQ(chunk_text(cases[i].text, &cases[i].opts, arena, &out, &why), ERR_INVALID);
        CHECK_EQ(out.n, 99);
        CHECK(why.text[0] != '\0');
        arena_free(arena);
    }
}

/* Every allocation fails once in turn; each time: the right error, nothing written. */
TEST(says_so_when_memory_runs_out)
{
    char text[1000];
    memset(text, 'x', sizeof text);
    struct str all = {text, sizeof text};
    size_t limit = 0;
    for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY; limit += 64) {
        struct arena *arena = arena_new(limit);
        struct chunks out = {.n = 99};
        err = chunk_text(all, &(struct chunk_opts){64, 16}, arena, &out, NULL);
        CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && out.n == 99));
        arena_free(arena);
    }
    CHECK(limit > 64);
}

TESTS_MAIN()
