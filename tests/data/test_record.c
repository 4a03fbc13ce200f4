/* The promises of data/record.h. */
#include "tap.h"

#include "core/arena.h"
#include "core/json.h"
#include "data/record.h"
#include "data/scan.h"

#define ROOM ((size_t)8 << 20)

static struct str written(const struct record *record, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena);
    record_write(record, &buf);
    CHECK(buf.len > 0 && buf.ptr[buf.len - 1] == '\n');
    return str_slice(buf_str(&buf), 0, buf.len - 1);
}

TEST(an_untouched_line_comes_back_byte_for_byte)
{
    static const struct str lines[] = {
        STR_INIT("{}"),
        STR_INIT("{\"id\":\"a-1\",\"text\":\"第一条\"}"),
        STR_INIT(" { \"id\" : \"a-1\" , \"n\" : -0.5e+10 , \"x\" : [ 1 , { \"y\" : null } ] } "),
        STR_INIT("{\"text\":\"\\u4e00\\ud83d\\ude00\\\"\",\"b\":[true,false]}"),
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct record record;
        struct why why = {0};
        CHECK_OK(record_read(lines[i], arena, &record, &why), &why);
        CHECK(str_eq(written(&record, arena), lines[i]));
        arena_free(arena);
    }
}

TEST(refuses_what_is_no_json_object_in_utf8)
{
    static const struct str lines[] = {
        STR_INIT(""),
        STR_INIT("[]"),
        STR_INIT("{"),
        STR_INIT("{\"a\":1,}"),
        STR_INIT("{\"a\" 1}"),
        STR_INIT("{\"a\":01}"),
        STR_INIT("{\"a\":1.}"),
        STR_INIT("{\"a\":-}"),
        STR_INIT("{\"a\":tru}"),
        STR_INIT("{\"a\":\"\\x\"}"),
        STR_INIT("{\"a\":\"\\u12g4\"}"),
        STR_INIT("{\"a\":\"b}"),
        STR_INIT("{\"a\":\"\x01\"}"),
        STR_INIT("{\"a\":\"\xE4\xB8\"}"),
        STR_INIT("{\"a\":\"\xC0\xAF\"}"),
        STR_INIT("{\"a\":\"\xED\xA0\x80\"}"),
        STR_INIT("{\"a\":\"\xF5\x80\x80\x80\"}"),
        STR_INIT("{\"a\":1} x"),
        STR_INIT("{\"a\":1}{}"),
        STR_INIT("{\"a\":1,\"a\":2}"),
        STR_INIT("{\"a\":[1 2]}"),
        STR_INIT("{\"a\":[1}"),
        STR_INIT("{a:1}"),
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct record record = {.n = 99};
        struct why why = {0};
        enum err err = record_read(lines[i], arena, &record, &why);
        if (err != ERR_INVALID || !why.text[0])
            printf("# line %zu\n", i);
        CHECK_EQ(err, ERR_INVALID);
        CHECK(why.text[0] != '\0');
        CHECK_EQ(record.n, 99);
        arena_free(arena);
    }
}

TEST(agrees_with_the_json_reader_on_what_is_json)
{
    /* Every single byte of a line replaced by each of a few: both must say the same. */
    static const char line[] = "{\"a\":\"b\\n\xE4\xB8\x80\",\"c\":[1.5e3,{\"d\":null}],\"e\":true}";
    static const char with[] = "\"\\{}[],:0-e.tn \x01\x80\xE4";
    char text[sizeof line];
    for (size_t i = 0; i + 1 < sizeof line; i++)
        for (size_t k = 0; k + 1 < sizeof with; k++) {
            memcpy(text, line, sizeof line);
            text[i] = with[k];
            struct arena *arena = arena_new(ROOM);
            struct record record;
            const struct json *json = NULL;
            struct str s = {text, sizeof line - 1};
            bool ours = record_read(s, arena, &record, NULL) == ERR_OK;
            bool theirs =
                json_parse(s, arena, &json, NULL) == ERR_OK && json_kind(json) == JSON_KIND_OBJECT;
            if (ours != theirs)
                printf("# %d not %d: %s\n", ours, theirs, text);
            CHECK_EQ(ours, theirs);
            arena_free(arena);
        }
}

TEST(depth_length_and_members_have_limits)
{
    struct arena *arena = arena_new((size_t)64 << 20);
    struct record record;
    struct buf deep, many;
    buf_init(&deep, arena);
    buf_init(&many, arena);
    buf_add_c(&deep, "{\"a\":");
    for (int i = 0; i < 100000; i++)
        buf_char(&deep, '[');
    CHECK_EQ(record_read(buf_str(&deep), arena, &record, NULL), ERR_INVALID);
    buf_char(&many, '{');
    for (int i = 0; i <= RECORD_MOST_MEMBERS; i++)
        buf_printf(&many, "%s\"k%d\":1", i ? "," : "", i);
    buf_char(&many, '}');
    CHECK_EQ(record_read(buf_str(&many), arena, &record, NULL), ERR_TOO_LARGE);
    struct str large = {arena_bytes(arena, RECORD_MOST_BYTES + 1), RECORD_MOST_BYTES + 1};
    CHECK_EQ(record_read(large, arena, &record, NULL), ERR_TOO_LARGE);
    arena_free(arena);
}

TEST(finds_texts_by_paths)
{
    static const struct {
        const char *line, *path, *want; /* joined by "|" */
    } cases[] = {
        {"{\"text\":\"a\"}", "text", "a"},
        {"{\"text\":5}", "text", ""},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"content\":\"a\\n\"},{\"x\":1}]}",
         "messages[].content", "q|a\n"},
        {"{\"row\":{\"a\":\"1\",\"b\":2,\"c\":\"3\"}}", "row.*", "1|3"},
        {"{\"m\":[\"x\",[\"y\"],\"z\"]}", "m[]", "x|z"},
        {"{\"a\":{\"b\":{\"c\":\"d\"}}}", "a.b.c", "d"},
        {"{\"a\":{\"b\":\"}\\\"]\",\"c\":\"e\"}}", "a.c", "e"},
        {"{\"id\":\"a-1\",\"x\":\"y\"}", "*", "y"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct record record;
        struct record_text *texts;
        struct str path = str_c(cases[i].path);
        size_t n;
        struct buf got;
        struct why why = {0};
        buf_init(&got, arena);
        CHECK_OK(record_path_check(path, &why), &why);
        CHECK_OK(record_read(str_c(cases[i].line), arena, &record, &why), &why);
        CHECK_OK(record_texts(&record, &path, 1, &texts, &n, &why), &why);
        for (size_t k = 0; k < n; k++) {
            if (k)
                buf_char(&got, '|');
            buf_add(&got, texts[k].value);
        }
        CHECK_STR(buf_str(&got), cases[i].want);
        arena_free(arena);
    }
    CHECK_EQ(record_path_check(STR(""), NULL), ERR_INVALID);
    CHECK_EQ(record_path_check(STR("id"), NULL), ERR_INVALID);
    CHECK_EQ(record_path_check(STR("a..b"), NULL), ERR_INVALID);
    CHECK_EQ(record_path_check(STR("a."), NULL), ERR_INVALID);
    CHECK_EQ(record_path_check(STR("a[0].b"), NULL), ERR_INVALID);
}

TEST(changed_texts_go_back_to_their_places)
{
    struct arena *arena = arena_new(ROOM);
    struct record record;
    struct record_text *texts;
    struct str paths[] = {STR("messages[].content"), STR("title"), STR("title")};
    size_t n;
    struct why why = {0};
    CHECK_OK(record_read(STR("{\"id\":\"s-1\",\"messages\": [ {\"content\":\"a\",\"n\":1}, "
                             "{\"content\":\"b\"} ],\"title\":\"t\",\"k\":[1, 2]}"),
                         arena, &record, &why),
             &why);
    CHECK_OK(record_texts(&record, paths, 3, &texts, &n, &why), &why);
    CHECK_EQ(n, 3);
    texts[1].value = STR("一\"\\\n\x02");
    texts[1].changed = true;
    CHECK_OK(record_put_texts(&record, texts, n, &why), &why);
    CHECK_STR(written(&record, arena),
              "{\"id\":\"s-1\",\"messages\":[ {\"content\":\"a\",\"n\":1}, "
              "{\"content\":\"一\\\"\\\\\\n\\u0002\"} ],\"title\":\"t\",\"k\":[1, 2]}");
    arena_free(arena);
}

TEST(members_are_set_and_removed)
{
    struct arena *arena = arena_new(ROOM);
    struct record record, part;
    struct why why = {0};
    CHECK_OK(record_read(STR("{\"id\":\"0f-7\",\"a\":1,\"b\":\"x\"}"), arena, &record, &why), &why);
    CHECK_STR(record_source(record.id), "0f");
    CHECK_OK(record_set_str(&record, "b", STR("y"), &why), &why);
    CHECK_OK(record_set_raw(&record, "c", STR("[1]"), &why), &why);
    record_remove(&record, "a");
    CHECK(record_raw(&record, "a").ptr == NULL);
    CHECK_STR(record_str(&record, "b"), "y");
    CHECK_STR(written(&record, arena), "{\"id\":\"0f-7\",\"b\":\"y\",\"c\":[1]}");
    CHECK_OK(record_part(&record, 3, &part, &why), &why);
    CHECK_STR(written(&part, arena), "{\"id\":\"0f-7.3\"}");
    arena_free(arena);
}

TEST(an_id_that_is_no_text_counts_as_missing)
{
    struct arena *arena = arena_new(ROOM);
    struct record record;
    CHECK_EQ(record_read(STR("{\"id\":5}"), arena, &record, NULL), ERR_OK);
    CHECK_EQ(record.id.len, 0);
    CHECK_EQ(record_read(STR("{\"x\":5}"), arena, &record, NULL), ERR_OK);
    CHECK_EQ(record.id.len, 0);
    arena_free(arena);
}

TEST(half_a_pair_is_mended_where_it_stands)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"{\"a\":\"\\ud800x\\udc00\"}", "{\"a\":\"\\ufffdx\\ufffd\"}"},
        {"{\"\\uDBFF\":\"\\ud83d\\ude00\\ud83d\"}", "{\"\\ufffd\":\"\\ud83d\\ude00\\ufffd\"}"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\"\\ufffd\\ud83d\\ude00\""},
        {"\"\\\\ud800 \\\"\\u0041\\n\"", "\"\\\\ud800 \\\"\\u0041\\n\""}, /* no escapes of halves */
        {"\"\\uffff\\ue000\"", "\"\\uffff\\ue000\""},
        {"[]", "[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[100];
        (void)snprintf(text, sizeof text, "%s", cases[i].in);
        scan_mend(text, strlen(text));
        CHECK_STR(str_c(text), cases[i].out);
    }
}

TEST(a_lone_surrogate_becomes_the_replacement_character)
{
    struct arena *arena = arena_new(ROOM);
    CHECK_STR(record_decode(STR("\"\\ud800x\\udc00\""), arena), "\xEF\xBF\xBDx\xEF\xBF\xBD");
    CHECK_STR(record_decode(STR("\"\\ud83d\\ude00\""), arena), "\xF0\x9F\x98\x80");
    arena_free(arena);
}

TEST(says_so_when_memory_runs_out)
{
    static const char line[] = "{\"id\":\"a-1\",\"messages\":[{\"content\":\"x\\ny\"},{\"content\":"
                               "\"z\"}],\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7}";
    struct str path = STR("messages[].content");
    enum err err = ERR_NO_MEMORY;
    size_t limit = 0;
    for (; err == ERR_NO_MEMORY && limit < 1 << 20; limit += 64) {
        struct arena *arena = arena_new(limit);
        struct record record;
        struct record_text *texts;
        size_t n;
        if (!arena)
            continue;
        err = record_read(str_c(line), arena, &record, NULL);
        if (!err)
            err = record_texts(&record, &path, 1, &texts, &n, NULL);
        if (!err) {
            texts[0].changed = texts[1].changed = true;
            err = record_put_texts(&record, texts, n, NULL);
        }
        CHECK(err == ERR_OK || err == ERR_NO_MEMORY);
        arena_free(arena);
    }
    CHECK_EQ(err, ERR_OK);
    CHECK(limit > 64);
}

TESTS_MAIN()
