/* Poisoned inputs: records that are hostile, and a model that answers rubbish. A run ends, says
 * what it refused, and makes the same again. */
#include "room.h"

static void put_many(struct buf *out, const char *piece, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_add_c(out, piece);
}

/* Texts that are records, and lines that are none; ' stands for ". */
static const char *poison(struct room *r)
{
    struct buf buf;
    buf_init(&buf, r->arena);
    buf_add_c(&buf, LAWS);
    buf_add_c(&buf,
              "{'title':'\\u0000\\u001b[2J','text':'第一条 \\u0000公园免费开放。\\u0000\\n第二条 "
              "\\ud800\\udc00不得损坏\\udfff设施和植物。'}\n");
    buf_add_c(&buf, "{'title':'长','text':'");
    put_many(&buf, "一二三四", ((size_t)3 << 20) / 12); /* no end of a sentence */
    buf_add_c(&buf, "'}\n{'title':'号','text':'");
    put_many(&buf, "第一条 ：：：。\\n", 20000);
    buf_add_c(&buf, "'}\n{'title':'");
    put_many(&buf, "《", 20000);
    buf_add_c(&buf, "','text':'第一条 标题很长的办法自公布之日起施行。'}\n{'title':'格','text':'");
    put_many(&buf, "：\\t\\u3000\\u00a0\\ufeff\\u200b\\u202e", 5000);
    buf_add_c(
        &buf,
        "'}\n{'text':'','title':''}\n{'text':'？？？？？？？？？？？？'}\n{'text':'甲','meta':");
    put_many(&buf, "[", 50);
    put_many(&buf, "]", 50);
    buf_add_c(&buf,
              "}\n{'text':'\xC0\xAF\xFF'}\n{'text':'cut\n[]\n'x'\nnull\n{}\n{'text':'深','x':");
    put_many(&buf, "[", 100000);
    buf_add_c(&buf, "\n{'text':7}\n");
    return buf.ptr;
}

static const char *spec_of(struct room *r, const char *method, const char *in, const char *out,
                           const char *more)
{
    return str_printf(r->arena,
                      "{'input':{'dataset':'%s'},'output':{'dataset':'%s'},'method':'%s'%s}", in,
                      out, method, more)
        .ptr;
}

/* Every record is one that room data reads, and says that it is synthetic. */
static void check_records(struct room *r, const char *set, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const struct json *record = record_of(r, set, i);
        CHECK(json_get_bool(json_get(record, "meta"), "synthetic", false));
    }
}

TEST(hostile_records_are_made_of_alike_and_end_no_run)
{
    static const char *const methods[] = {"questions", "instructions", "dialogues", "negatives",
                                          "errors"};
    FRESH(r);
    import(&r, "poison", poison(&r));
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char a[40], b[40];
        (void)snprintf(a, sizeof a, "a-%s", methods[i]);
        (void)snprintf(b, sizeof b, "b-%s", methods[i]);
        const struct json *one = start(&r, spec_of(&r, methods[i], "poison", a, ""));
        const struct json *two = start(&r, spec_of(&r, methods[i], "poison", b, ""));
        int64_t n = json_get_int(one, "n_records", 0);
        CHECK(n >= 2);
        CHECK(str_eq(json_get_str(one, "manifest", STR("1")),
                     json_get_str(two, "manifest", STR("2"))));
        check_records(&r, a, n < 50 ? n : 50);
    }
    const struct json *more = start(&r, spec_of(&r, "paraphrases", "a-questions", "more", ""));
    CHECK(json_get_int(more, "n_records", 0) > 0);
    DONE(r);
}

/* ---- a model that answers rubbish ---- */

#define CONTENT(words) "{\"choices\":[{\"message\":{\"content\":" words "}}]}"
/* Each is the whole reply of the server; "@" stands for a hundred thousand brackets, "#" for a
 * megabyte of words. */
static const char *const replies[] = {
    "",
    "null",
    "[]",
    "{}",
    "<html><body>502 Bad Gateway</body></html>",
    "{\"choices\":[]}",
    "{\"choices\":{}}",
    "{\"choices\":[null]}",
    "{\"choices\":[{\"message\":null}]}",
    "{\"choices\":[{\"message\":{\"content\":null}}],\"usage\":null}",
    "{\"choices\":[{\"message\":{\"content\":7}}],\"usage\":{\"prompt_tokens\":-5,"
    "\"completion_tokens\":\"many\"}}",
    "{\"choices\":[{\"message\":{\"content\":\"\"}}],\"usage\":{\"prompt_tokens\":1e300}}",
    CONTENT("\"[\""),
    CONTENT("\"@\""),
    CONTENT("\"{\\\"items\\\":@\""),
    CONTENT("\"#\""),
    CONTENT("\"{\\\"items\\\":[null,1,\\\"\\\",[],{},{\\\"question\\\":7,\\\"answer\\\":[]}]}\""),
    CONTENT("\"[{\\\"question\\\":\\\"\\\\u0000\\\\ud800\\\",\\\"answer\\\":\\\"\\\\udfff\\\"}]\""),
    CONTENT("\"[{\\\"question\\\":\\\"公园收费吗\\\",\\\"answer\\\":\\\"\xC0\xAF\\\"}]\""),
    CONTENT("\"[{\\\"question\\\":\\\"#\\\",\\\"answer\\\":\\\"#\\\"}]\""),
    CONTENT("\"```json\\n[{\\\"question\\\":\\\"公园收费吗\\\"\""),
    CONTENT("\"[[{\\\"role\\\":\\\"user\\\",\\\"content\\\":null},{\\\"role\\\":7}]]\""),
    CONTENT("\"\\u0000[]\\u0000\""),
    "{\"choices\":[{\"message\":{\"content\":\"cut",
};
#define N_REPLIES (sizeof replies / sizeof replies[0])
/* What is right stands between the rubbish, and must be kept. */
static const char right[] =
    CONTENT("\"[{\\\"question\\\":\\\"公园收费吗\\\",\\\"answer\\\":\\\"公园免费开放\\\"}]\"");

static enum err rubbish(void *ctx, const struct ops_identity *who, const char *path,
                        struct str body, struct arena *arena, struct str *reply, struct why *why)
{
    struct room *r = ctx;
    struct buf buf;
    (void)who, (void)path, (void)body;
    size_t i = (size_t)r->n_calls++;
    const char *text = i % 2 ? right : replies[i / 2 % N_REPLIES];
    buf_init(&buf, arena);
    for (; *text; text++)
        if (*text == '@')
            put_many(&buf, "[", 100000);
        else if (*text == '#')
            put_many(&buf, "公园免费开放", ((size_t)1 << 20) / 18);
        else
            buf_char(&buf, *text);
    *reply = buf.len ? buf_str(&buf) : STR("");
    return buf_err(&buf, why);
}

TEST(a_model_that_answers_rubbish_is_counted_and_what_is_right_is_kept)
{
    static const char *const methods[] = {"questions", "instructions", "dialogues", "negatives"};
    FRESH(r);
    struct buf lines;
    struct models_door door = {&r, rubbish};
    models_set_door(r.models, &door);
    buf_init(&lines, r.arena);
    for (size_t i = 0; i < 2 * N_REPLIES; i++)
        buf_printf(&lines, "{'title':'条例%zu','text':'第一条 公园免费开放，第%zu号。'}\n", i, i);
    import(&r, "laws", lines.ptr);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char out[40];
        (void)snprintf(out, sizeof out, "m-%s", methods[i]);
        r.n_calls = 0;
        const struct json *got =
            start(&r, spec_of(&r, methods[i], "laws", out, ",'model':'m','budget':{'calls':400}"));
        const struct json *rejected = json_get(got, "rejected");
        CHECK(json_get_int(got, "n_calls", 0) >= (int64_t)(2 * N_REPLIES));
        CHECK(json_get_int(rejected, "malformed", 0) >= (int64_t)N_REPLIES / 2);
        CHECK(json_get_int(got, "prompt_tokens", -1) >= 0);
        if (i == 0)
            CHECK_EQ(json_get_int(got, "n_records", 0), 1); /* the others ask the same */
        check_records(&r, out, json_get_int(got, "n_records", 0));
    }
    import(&r, "qa", "{'question':'公园周末收费吗？','answer':'公园免费开放'}\n");
    r.n_calls = 0;
    (void)start(&r, spec_of(&r, "paraphrases", "qa", "m-more", ",'model':'m'"));
    DONE(r);
}

TESTS_MAIN()
