/* What gateway/scan.h and gateway/events.h promise. */
#include "gateway/scan.h"

#include "core/arena.h"
#include "gateway/events.h"
#include "tap.h"

/* ---- scan ---- */

TEST(members_are_found_where_they_stand)
{
    struct str text =
        STR(" {\"a\": 1.50 ,\"b\":{\"a\":[1,{\"c\":2}]}, \"model\" : \"x\\u0041\" ,\"n\":null}\n");
    struct scan scan;
    struct str key, value;
    static const char *const keys[] = {"a", "b", "model", "n"};
    static const char *const values[] = {"1.50", "{\"a\":[1,{\"c\":2}]}", "\"x\\u0041\"", "null"};
    size_t n = 0;
    CHECK(scan_object(&scan, text));
    while (scan_next(&scan, &key, &value)) {
        CHECK_STR(key, keys[n]);
        CHECK_STR(value, values[n]);
        n++;
    }
    CHECK_EQ(n, 4);
    CHECK(!scan.bad);
    CHECK(scan_valid(text));
    CHECK_STR(scan_get(scan_get(text, "b"), "a"), "[1,{\"c\":2}]");
    CHECK(scan_get(text, "zz").ptr == NULL);
    CHECK(scan_is_null(scan_get(text, "n")) && scan_is_null(scan_get(text, "zz")));
}

TEST(what_is_not_json_is_bad)
{
    static const char *const cases[] = {
        "",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1}x",
        "[1,]",
        "[1 2]",
        "{a:1}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":-}",
        "{\"a\":1e}",
        "{\"a\":tru}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":\"b}",
        "{\"a\":[}]}",
        "nul",
        "{\"a\":1 \"b\":2}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scan scan;
        struct str key, value, text = str_c(cases[i]);
        bool bad = !scan_object(&scan, text) && !scan_array(&scan, text);
        while (!bad && scan_next(&scan, &key, &value))
            ;
        if (scan_valid(text) || !scan.bad)
            printf("# %s\n", cases[i]);
        CHECK(!scan_valid(text));
        CHECK(scan.bad);
    }
    char deep[2 * SCAN_DEPTH + 8];
    memset(deep, '[', sizeof deep);
    CHECK(!scan_valid((struct str){deep, sizeof deep}));
}

/* Strings are stepped over in words: what ends or spoils one is seen wherever it stands in one. */
TEST(strings_end_where_they_end)
{
    for (size_t len = 0; len < 36; len++)
        for (size_t at = 0; at <= len; at++) {
            char text[64], c[] = {'x', '\0'};
            memset(text, 0xE4, sizeof text); /* above 0x7F, as in Chinese */
            text[0] = '"';
            text[len + 2] = '"';
            for (int i = 1; i < 256; i++) {
                c[0] = (char)i;
                text[at + 1] = c[0];
                bool whole = i != '"' && i != '\\' && i >= 0x20;
                bool early = i == '"' && at == len; /* and a second one behind it: no value */
                CHECK_EQ(scan_valid((struct str){text, len + 3}), whole && !early);
            }
            text[at + 1] = '\\'; /* takes what follows with it */
            text[at + 2] = at == len ? '"' : 'n';
            CHECK_EQ(scan_valid((struct str){text, len + 3}), at < len);
        }
}

TEST(strings_and_numbers_are_read)
{
    struct arena *arena = arena_new(1 << 16);
    CHECK_STR(scan_str(STR("\"plain\""), arena), "plain");
    CHECK_STR(scan_str(STR("\"a\\n\\\"\\u4e2d\\ud83d\\udc15\\/\""), arena), "a\n\"中🐕/");
    CHECK_STR(scan_str(STR("\"\\ud83dx\""), arena), "\xEF\xBF\xBDx");
    CHECK_STR(scan_str(STR("\"\""), arena), "");
    CHECK(scan_str(STR("\"\""), arena).ptr != NULL);
    CHECK(scan_str(STR("12"), arena).ptr == NULL);
    CHECK_EQ(scan_int(STR("12"), 7), 12);
    CHECK_EQ(scan_int(STR("12.0"), 7), 12);
    CHECK_EQ(scan_int(STR("1e3"), 7), 1000);
    CHECK_EQ(scan_int(STR("1.5"), 7), 7);
    CHECK_EQ(scan_int(STR("\"12\""), 7), 7);
    CHECK_EQ(scan_int(STR("1e300"), 7), 7);
    arena_free(arena);
}

/* ---- events ---- */

struct seen {
    char text[4096];
    size_t n;
};

static enum err note(void *ctx, struct str name, struct str data, struct why *why)
{
    struct seen *seen = ctx;
    (void)why;
    int n = snprintf(seen->text + seen->n, sizeof seen->text - seen->n, "[%.*s|%.*s]",
                     STR_FMT(name), STR_FMT(data));
    seen->n += n > 0 ? (size_t)n : 0;
    return ERR_OK;
}

static const char stream[] = "\xEF\xBB\xBF: hello\n\ndata: one\n\ndata:two\r\ndata:  2\r\n\r\n"
                             "event: named\rdata: three\r\rid: 7\nretry: 5\n\nevent: lost\n\n"
                             "data\n\ndata:\n\nfoo: bar\ndata: {\"a\":\"\xE4\xB8\xAD\"}\n\n"
                             "data: half";
static const char all[] = "[|one][|two\n 2][named|three][|][|][|{\"a\":\"\xE4\xB8\xAD\"}]";

TEST(events_are_the_same_however_the_parts_are_cut)
{
    size_t len = sizeof stream - 1;
    for (size_t size = 1; size <= len; size++) {
        struct arena *arena = arena_new(1 << 16);
        struct events events;
        struct seen seen = {.n = 0};
        struct str name, data;
        events_init(&events, arena, 1000);
        for (size_t at = 0; at < len; at += size)
            CHECK_EQ(events_feed(&events, str_slice((struct str){stream, len}, at, at + size), note,
                                 &seen, NULL),
                     ERR_OK);
        CHECK_STR(str_c(seen.text), all);
        CHECK(events_half(&events));
        CHECK(!events_last(&events, &name, &data)); /* its line has no end */
        CHECK_EQ(events_feed(&events, STR("\n"), note, &seen, NULL), ERR_OK);
        CHECK(events_last(&events, &name, &data));
        CHECK_STR(data, "half");
        arena_free(arena);
    }
}

TEST(a_beginning_that_looks_like_a_mark_is_text)
{
    struct arena *arena = arena_new(1 << 16);
    struct events events;
    struct seen seen = {.n = 0};
    events_init(&events, arena, 1000);
    CHECK_EQ(events_feed(&events, STR("\xEF"), note, &seen, NULL), ERR_OK);
    CHECK_EQ(events_feed(&events, STR("data: lost\ndata: kept\n\n"), note, &seen, NULL), ERR_OK);
    CHECK_STR(str_c(seen.text), "[|kept]");
    arena_free(arena);
}

TEST(lines_and_events_have_a_limit)
{
    char block[600];
    memset(block, 'x', sizeof block);
    for (int cut = 0; cut < 2; cut++) {
        struct arena *arena = arena_new(1 << 16);
        struct events events;
        struct seen seen = {.n = 0};
        enum err err = ERR_OK;
        events_init(&events, arena, 1000);
        for (int i = 0; i < 3 && !err; i++) {
            err = events_feed(&events, STR("data: "), note, &seen, NULL);
            if (!err)
                err = events_feed(&events, (struct str){block, sizeof block}, note, &seen, NULL);
            if (!err && cut)
                err = events_feed(&events, STR("\n"), note, &seen, NULL);
        }
        CHECK_EQ(err, ERR_TOO_LARGE);
        arena_free(arena);
    }
}

TESTS_MAIN()
