/* Flagged words by the ten thousand, in every dress that the operator says it knows. */
#include "golden.h"

#include <stdlib.h>

#include "core/utf8.h"

#define ROOM  ((size_t)512 << 20)
#define HAN   8000
#define LATIN 4000

/* Characters with a traditional form of their own: the words are made of the simplified ones. */
static const char *const pairs[][2] = {
    {"门", "門"}, {"马", "馬"}, {"车", "車"}, {"东", "東"}, {"书", "書"}, {"长", "長"},
    {"见", "見"}, {"贝", "貝"}, {"页", "頁"}, {"风", "風"}, {"鸟", "鳥"}, {"鱼", "魚"},
    {"语", "語"}, {"说", "說"}, {"钱", "錢"}, {"银", "銀"}, {"药", "藥"}, {"赌", "賭"},
    {"龙", "龍"}, {"铁", "鐵"}, {"报", "報"}, {"华", "華"}, {"带", "帶"}, {"张", "張"},
    {"电", "電"}, {"话", "話"}, {"质", "質"}, {"约", "約"}};
#define PAIRS (sizeof pairs / sizeof pairs[0])

enum dress { PLAIN, WIDE, UPPER, SPACED, MARKED, INVISIBLE, TRADITIONAL, NEAR_MISS, DRESSES };

/* A word by its number, always the same; no word holds another: Han words have four characters,
 * the others eight letters. */
static void put_word(struct buf *out, size_t i, enum dress dress)
{
    static const char *const between[] = {
        [SPACED] = " ", [MARKED] = "*", [INVISIBLE] = "\u200B", [DRESSES] = ""};
    size_t n = i < HAN ? 4 : 8, value = i < HAN ? i : i - HAN;
    for (size_t k = 0; k < n; k++) {
        bool missed = dress == NEAR_MISS && k == n - 2;
        if (i < HAN) { /* the number, in the base of the pairs */
            size_t c = (value + 7 * k) % PAIRS;
            value /= PAIRS;
            buf_add_c(out, missed ? "〇" : pairs[c][dress == TRADITIONAL]);
        } else {
            char letter = missed ? 'z' : (char)('a' + (value + 3 * k) % 20);
            char wide[UTF8_MAX_BYTES];
            value /= 20;
            if (dress == WIDE)
                buf_add(out, (struct str){wide, utf8_put(wide, (uint32_t)letter + 0xFEE0)});
            else
                buf_char(out, dress == UPPER ? (char)(letter - 32) : letter);
        }
        if (k + 1 < n && (dress == SPACED || dress == MARKED || dress == INVISIBLE))
            buf_add_c(out, between[dress]);
    }
}

/* The lines that stay when lines of each word in this dress go through the list. */
static size_t staying(enum dress dress, const char *dir, struct arena *arena)
{
    struct buf lines;
    struct pipeline p;
    struct work_result result;
    struct str out = STR(""), line;
    struct why why = {0};
    const struct json *spec = NULL;
    size_t n = 0;
    buf_init(&lines, arena);
    for (size_t i = 0; i < HAN + LATIN; i++) {
        buf_printf(&lines, "{\"id\":\"t-%zu\",\"text\":\"他们在这里看见了\u201C", i);
        put_word(&lines, i, dress);
        buf_add_c(&lines, "\u201D以后就走\"}\n");
    }
    CHECK_OK(
        json_parse(STR("{\"input\":{\"dataset\":\"a\"},\"output\":{\"dataset\":\"b\"},\"steps\":["
                       "{\"op\":\"traditional\"},{\"op\":\"flagged_words\",\"file\":\"list\"}]}"),
                   arena, &spec, &why),
        &why);
    CHECK_OK(pipeline_read(spec, RECORD_TEXT, dir, arena, &p, &why), &why);
    struct try_input input = {buf_str(&lines), 0};
    struct try_form form = {.pipeline = &p, .inputs = &input, .n_inputs = 1, .temp = golden_temp()};
    CHECK_OK(try_run(&form, arena, &result, &out, NULL, &why), &why);
    while (str_next_line(&out, &line))
        n += line.len > 0;
    return n;
}

TEST(twelve_thousand_words_are_found_in_every_dress)
{
    char dir[64];
    struct arena *arena = arena_new(ROOM);
    struct buf list;
    (void)snprintf(dir, sizeof dir, "%s/yicheng-words-XXXXXX", golden_temp());
    CHECK(mkdtemp(dir) != NULL);
    buf_init(&list, arena);
    for (size_t i = 0; i < HAN + LATIN; i++) {
        put_word(&list, i, PLAIN);
        buf_char(&list, '\n');
    }
    CHECK_OK(file_write(file_join(arena, dir, "list"), buf_str(&list), 0640, NULL), NULL);
    for (enum dress dress = PLAIN; dress < NEAR_MISS; dress++)
        CHECK_EQ(staying(dress, dir, arena), 0);
    CHECK_EQ(staying(NEAR_MISS, dir, arena), HAN + LATIN);
    CHECK_EQ(file_remove(dir, NULL), ERR_OK);
    arena_free(arena);
}

TESTS_MAIN()
