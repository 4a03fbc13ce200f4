#include <math.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "tap.h"

TEST(reads_what_rfc_8259_allows_and_refuses_the_rest)
{
    struct arena *arena = arena_new(1 << 20);
    const struct json *doc = NULL;
    struct why why = {0};
    CHECK_OK(
        json_parse(STR("{\"a\":[1,2.5,\"中\\u0000x\"],\"b\":null,\"c\":true}"), arena, &doc, &why),
        &why);
    CHECK_EQ(json_len(json_get(doc, "a")), 3);
    CHECK_EQ(json_int(json_at(json_get(doc, "a"), 0), 9), 1);
    CHECK(json_f64(json_at(json_get(doc, "a"), 1), 0) == 2.5);
    CHECK_EQ(json_str(json_at(json_get(doc, "a"), 2), STR("")).len, 5);
    CHECK_EQ(json_kind(json_get(doc, "b")), JSON_KIND_NULL);
    CHECK(json_get_bool(doc, "c", false));
    CHECK_EQ(json_get_int(doc, "missing", 7), 7);
    static const struct str bad[] = {STR_INIT(""),
                                     STR_INIT("{"),
                                     STR_INIT("{\"a\":1,\"a\":2}"),
                                     STR_INIT("[1,]"),
                                     STR_INIT("\"\xC0\xAF\""),
                                     STR_INIT("01"),
                                     STR_INIT("nul")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        why = (struct why){0};
        CHECK_EQ(json_parse(bad[i], arena, &doc, &why), ERR_INVALID);
        CHECK(why.text[0] != '\0');
    }
    arena_free(arena);
}

TEST(refuses_deep_nesting_before_it_costs_anything)
{
    static char deep[2000];
    memset(deep, '[', sizeof deep);
    struct arena *arena = arena_new(1 << 16);
    const struct json *doc = NULL;
    CHECK_EQ(json_parse((struct str){deep, sizeof deep}, arena, &doc, NULL), ERR_INVALID);
    CHECK(doc == NULL);
    arena_free(arena);
}

TEST(instants_days_and_texts_that_are_missing_are_null)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_time(&out, "at", 1767225600000);
    json_kv_time(&out, "never", 0);
    json_kv_day(&out, "on", day_from_ymd(2026, 3, 1));
    json_kv_day(&out, "open", DAY_NONE);
    json_kv_raw(&out, "raw", STR("[1]"));
    json_kv_raw(&out, "none", STR(""));
    json_end_object(&out);
    CHECK_STR(buf_str(&buf), "{\"at\":\"2026-01-01T08:00:00.000+08:00\",\"never\":null,"
                             "\"on\":\"2026-03-01\",\"open\":null,\"raw\":[1],\"none\":null}");
    arena_free(arena);
}

TEST(the_first_member_that_is_not_known_is_told)
{
    struct arena *arena = arena_new(1 << 16);
    const struct json *doc = NULL;
    struct str key = STR("");
    CHECK_OK(json_parse(STR("{\"a\":1,\"bc\":2,\"a b\":3,\"b\":4}"), arena, &doc, NULL), NULL);
    CHECK(json_unknown(doc, "a bc", &key));
    CHECK_STR(key, "a b"); /* a name, and not two */
    CHECK_OK(json_parse(STR("{\"bc\":1,\"a\":2}"), arena, &doc, NULL), NULL);
    CHECK(!json_unknown(doc, "a bc", &key));
    CHECK(!json_unknown(NULL, "a", &key));
    arena_free(arena);
}

TEST(a_page_of_a_list_ends_with_its_cursor_or_null)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    json_begin_items(&out);
    json_put_int(&out, 7);
    json_end_items(&out, STR("7"));
    json_begin_items(&out);
    json_end_items(&out, STR(""));
    json_end_array(&out);
    CHECK_STR(buf_str(&buf), "[{\"items\":[7],\"next\":\"7\"},{\"items\":[],\"next\":null}]");
    arena_free(arena);
}

TEST(writes_what_it_reads)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "t", STR("a\"\\\n\x01中\xFF"));
    json_kv_int(&out, "n", -5);
    json_kv_real(&out, "r", NAN);
    json_key(&out, "list");
    json_begin_array(&out);
    json_put_bool(&out, true);
    json_begin_object(&out);
    json_end_object(&out);
    json_put_null(&out);
    json_end_array(&out);
    json_end_object(&out);
    CHECK_STR(buf_str(&buf), "{\"t\":\"a\\\"\\\\\\n\\u0001中\xEF\xBF\xBD\",\"n\":-5,\"r\":null,"
                             "\"list\":[true,{},null]}");
    const struct json *doc = NULL;
    CHECK_OK(json_parse(buf_str(&buf), arena, &doc, NULL), NULL);
    struct str dump;
    CHECK_OK(json_dump(doc, arena, &dump, NULL), NULL);
    void *iter = NULL;
    struct str key;
    const struct json *value;
    int n = 0;
    while (json_each(doc, &iter, &key, &value))
        n++;
    CHECK_EQ(n, 4);
    arena_free(arena);
}

static bool shout(struct str words, struct buf *said)
{
    if (str_eq(words, STR("quiet")))
        return false;
    buf_printf(said, "%.*s!", STR_FMT(words));
    return true;
}

/* Only what is put as said goes through the translator, and stays when that knows no words. */
TEST(says_words_by_the_translator_that_it_was_given)
{
    struct arena *arena = arena_new(1 << 20);
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_array(&out);
    json_put_said(&out, STR("hey"));
    out.say = shout;
    json_put_said(&out, STR("hey"));
    json_put_said(&out, STR("quiet"));
    json_put_said(&out, STR(""));
    json_put_str(&out, STR("hey"));
    json_begin_object(&out);
    json_kv_said(&out, "why", STR("he\"y"));
    json_end_object(&out);
    json_end_array(&out);
    CHECK_STR(buf_str(&buf), "[\"hey\",\"hey!\",\"quiet\",\"\",\"hey\",{\"why\":\"he\\\"y!\"}]");
    arena_free(arena);
}

/* A value that memory is too small for leaves a writer that can be ended, and a buf that failed. */
TEST(stays_whole_when_a_value_does_not_fit)
{
    char text[4096];
    struct arena *big = arena_new((size_t)1 << 20), *small = arena_new(2048);
    const struct json *doc = NULL;
    struct json_out out;
    struct buf buf;
    memset(text, 'x', sizeof text);
    text[0] = text[sizeof text - 1] = '"';
    CHECK_OK(json_parse((struct str){text, sizeof text}, big, &doc, NULL), NULL);
    buf_init(&buf, small);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_key(&out, "v");
    json_put_value(&out, doc);
    json_end_object(&out);
    CHECK_EQ(buf_err(&buf, NULL), ERR_NO_MEMORY);
    arena_free(small);
    arena_free(big);
}

TESTS_MAIN()
