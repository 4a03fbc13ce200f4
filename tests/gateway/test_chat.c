/* The OpenAI shapes: what is read, what is refused and with which param, what is written. */
#include "gateway/chat.h"

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "tap.h"

static enum err read_text(const char *text, struct arena *arena, struct chat_request *out,
                          char param[CHAT_PARAM], struct why *why)
{
    const struct json *body = NULL;
    CHECK_EQ(json_parse(str_c(text), arena, &body, why), ERR_OK);
    return chat_read(body, arena, out, param, why);
}

TEST(a_conversation_is_read)
{
    struct arena *arena = arena_new(1 << 20);
    struct chat_request r;
    struct why why = {0};
    char param[CHAT_PARAM];
    CHECK_OK(read_text("{\"model\":\"kb:法规\",\"temperature\":0.2,\"tools\":[],\"made_up\":{},"
                       "\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                       "\"as_of\":\"2020-05-01\",\"messages\":["
                       "{\"role\":\"system\",\"content\":\"be brief\"},"
                       "{\"role\":\"user\",\"content\":\"养犬\"},"
                       "{\"role\":\"assistant\",\"content\":null},"
                       "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"怎么\"},"
                       "{\"type\":\"text\",\"text\":\"登记\"}]}]}",
                       arena, &r, param, &why),
             &why);
    CHECK_STR(r.model, "kb:法规");
    CHECK_STR(str_c(r.base), "法规");
    CHECK_STR(r.question, "怎么\n登记");
    CHECK_EQ(r.n_turns, 2);
    CHECK_STR(r.turns[0].text, "养犬");
    CHECK_STR(r.turns[1].role, "assistant");
    CHECK(r.stream && r.include_usage);
    CHECK_EQ(r.as_of, day_from_ymd(2020, 5, 1));
    CHECK_EQ(r.n_prompt, 8 + 2 + 0 + 5);
    arena_free(arena);
}

#define ASK(messages) "{\"model\":\"kb:a\",\"messages\":" messages "}"

TEST(what_is_wrong_is_named)
{
    static const struct {
        const char *text;
        enum err err;
        const char *param;
    } cases[] = {
        {"[]", ERR_INVALID, ""},
        {"{\"messages\":[]}", ERR_INVALID, "model"},
        {"{\"model\":5}", ERR_INVALID, "model"},
        {"{\"model\":\"gpt-4o\"}", ERR_NOT_FOUND, "model"},
        {"{\"model\":\"kb:\"}", ERR_NOT_FOUND, "model"},
        {ASK("[]"), ERR_INVALID, "messages"},
        {ASK("\"hello\""), ERR_INVALID, "messages"},
        {ASK("[{\"role\":\"king\",\"content\":\"x\"}]"), ERR_INVALID, "messages.0.role"},
        {ASK("[\"x\"]"), ERR_INVALID, "messages.0.role"},
        {ASK("[{\"role\":\"user\"}]"), ERR_INVALID, "messages.0.content"},
        {ASK("[{\"role\":\"user\",\"content\":7}]"), ERR_INVALID, "messages.0.content"},
        {ASK("[{\"role\":\"user\",\"content\":\" \\u3000\"}]"), ERR_INVALID, "messages"},
        {ASK("[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"assistant\",\"content\":\"y\"}]"),
         ERR_INVALID, "messages"},
        {ASK("[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}]"),
         ERR_INVALID, "messages.0.content"},
        {"{\"model\":\"kb:a\",\"n\":2,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
         ERR_INVALID, "n"},
        {"{\"model\":\"kb:a\",\"as_of\":\"soon\",\"messages\":[{\"role\":\"user\",\"content\":"
         "\"x\"}]}",
         ERR_INVALID, "as_of"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct chat_request r = {.n_turns = 99};
        struct why why = {0};
        char param[CHAT_PARAM];
        CHECK_EQ(read_text(cases[i].text, arena, &r, param, &why), cases[i].err);
        CHECK_STR(str_c(param), cases[i].param);
        CHECK(why.text[0] != '\0' && r.n_turns == 99);
        arena_free(arena);
    }
}

TEST(long_conversations_keep_their_latest_turns)
{
    struct arena *arena = arena_new(8 << 20);
    struct chat_request r;
    struct why why = {0};
    struct buf buf;
    char param[CHAT_PARAM];
    buf_init(&buf, arena);
    buf_add_c(&buf, "{\"model\":\"kb:a\",\"messages\":[");
    for (int i = 0; i < 101; i++)
        buf_printf(&buf, "%s{\"role\":\"user\",\"content\":\"number %d\"}", i ? "," : "", i);
    buf_add_c(&buf, "]}");
    CHECK_OK(read_text(buf.ptr, arena, &r, param, &why), &why);
    CHECK_EQ(r.n_turns, CHAT_MOST_TURNS);
    CHECK_STR(r.turns[0].text, "number 60");
    CHECK_STR(r.turns[CHAT_MOST_TURNS - 1].text, "number 99");
    CHECK_STR(r.question, "number 100");
    arena_free(arena);
}

/* ---- writing ---- */

static struct knowledge_hit hits[] = {
    {.title = STR_INIT("云汀市养犬管理办法"),
     .article = STR_INIT("第八条"),
     .version_id = STR_INIT("v1"),
     .passage_id = STR_INIT("p1")},
    {.title = STR_INIT("办事指南"), .version_id = STR_INIT("v2"), .passage_id = STR_INIT("p2")},
};
static struct knowledge_quote quotes[] = {
    {.hit = 0, .start = 30, .len = 27, .text = STR_INIT("应当办理登记")},
    {.hit = 1, .start = 5, .len = 9, .text = STR_INIT("免费😀")},
    {.hit = 1, .start = 0, .len = 3, .text = STR_INIT("不在其中")},
};
static const struct knowledge_answer an_answer = {
    .text = STR_INIT("养犬人应当办理登记。\n费用：免费😀。"),
    .method = "extract",
    .quotes = quotes,
    .n_quotes = 3,
    .hits = hits,
    .n_hits = 2,
    .notice = STR_INIT("该文件已于2024年失效"),
    .id = "0190a1b2-0000-7000-8000-000000000000",
};

static struct chat_reply reply_to(const struct knowledge_answer *answer, struct arena *arena)
{
    static const struct chat_request request = {.model = STR_INIT("kb:a"), .n_prompt = 7};
    struct chat_reply reply = {0};
    struct why why = {0};
    CHECK_OK(chat_reply_of(answer, &request, STR("http://h:1"), arena, &reply, &why), &why);
    return reply;
}

/* The characters [start, end) of a text. */
static struct str characters(struct str s, int64_t start, int64_t end)
{
    return str_slice(s, utf8_offset(s, (size_t)start), utf8_offset(s, (size_t)end));
}

TEST(citations_point_to_the_quoted_characters)
{
    struct arena *arena = arena_new(1 << 20);
    struct chat_reply reply = reply_to(&an_answer, arena);
    const struct json *root = NULL;
    struct json_out out;
    struct buf buf;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    chat_completion(&reply, &out);
    CHECK_EQ(json_parse(buf_str(&buf), arena, &root, NULL), ERR_OK);
    CHECK_STR(json_get_str(root, "object", STR("")), "chat.completion");
    CHECK_STR(json_get_str(root, "id", STR("")), "chatcmpl-0190a1b2-0000-7000-8000-000000000000");
    const struct json *choice = json_at(json_get(root, "choices"), 0);
    const struct json *message = json_get(choice, "message");
    struct str content = json_get_str(message, "content", STR(""));
    CHECK(str_ends(content, STR("\n\n该文件已于2024年失效")));
    CHECK_STR(json_get_str(choice, "finish_reason", STR("")), "stop");
    const struct json *notes = json_get(message, "annotations");
    CHECK_EQ(json_len(notes), 3);
    for (size_t i = 0; i < 2; i++) {
        const struct json *c = json_get(json_at(notes, i), "url_citation");
        struct str words = characters(content, json_get_int(c, "start_index", -1),
                                      json_get_int(c, "end_index", -1));
        CHECK(str_eq(words, quotes[i].text));
    }
    const struct json *first = json_get(json_at(notes, 0), "url_citation");
    CHECK_STR(json_get_str(first, "title", STR("")), "云汀市养犬管理办法 第八条");
    CHECK_STR(json_get_str(first, "url", STR("")), "http://h:1/doc/v1?passage=p1&start=30&len=27");
    const struct json *last = json_get(json_at(notes, 2), "url_citation");
    CHECK_EQ(json_get_int(last, "end_index", -1), (int64_t)utf8_count(content));
    const struct json *usage = json_get(root, "usage");
    CHECK_EQ(json_get_int(usage, "total_tokens", 0), 7 + (int64_t)utf8_count(content));
    arena_free(arena);
}

TEST(a_refusal_cites_nothing)
{
    struct arena *arena = arena_new(1 << 20);
    struct knowledge_answer refusal = an_answer;
    refusal.refused = true;
    refusal.text = STR("知识库里没有找到依据。");
    refusal.notice = STR("");
    struct chat_reply reply = reply_to(&refusal, arena);
    CHECK_EQ(reply.n_notes, 0);
    CHECK_STR(reply.content, "知识库里没有找到依据。");
    arena_free(arena);
}

TEST(a_stream_adds_up_to_the_completion)
{
    struct arena *arena = arena_new(1 << 20);
    struct chat_reply reply = reply_to(&an_answer, arena);
    struct buf stream, whole;
    struct why why = {0};
    struct str rest, line;
    size_t n_usage = 0, n_done = 0, n_finish = 0, n_notes = 0;
    buf_init(&stream, arena);
    buf_init(&whole, arena);
    CHECK_OK(chat_events(&reply, true, &stream, &why), &why);
    rest = buf_str(&stream);
    while (str_next_line(&rest, &line)) {
        const struct json *chunk = NULL;
        if (line.len == 0)
            continue;
        CHECK(str_starts(line, STR("data: ")) && n_done == 0);
        if (str_eq_c(line, "data: [DONE]")) {
            n_done++;
            continue;
        }
        CHECK_EQ(json_parse(str_from(line, 6), arena, &chunk, NULL), ERR_OK);
        CHECK_STR(json_get_str(chunk, "object", STR("")), "chat.completion.chunk");
        const struct json *choice = json_at(json_get(chunk, "choices"), 0);
        const struct json *delta = json_get(choice, "delta");
        buf_add(&whole, json_get_str(delta, "content", STR("")));
        n_usage += json_kind(json_get(chunk, "usage")) == JSON_KIND_OBJECT;
        n_finish += json_get_str(choice, "finish_reason", STR("")).len > 0;
        n_notes += json_len(json_get(delta, "annotations"));
    }
    CHECK(str_eq(buf_str(&whole), reply.content));
    CHECK(n_usage == 1 && n_done == 1 && n_finish == 1 && n_notes == 3);
    arena_free(arena);
}

TEST(the_shapes_say_so_when_memory_runs_out)
{
    static const struct chat_request request = {.model = STR_INIT("kb:a"), .n_prompt = 7};
    enum err err = ERR_NO_MEMORY;
    size_t limit = 0;
    for (; err == ERR_NO_MEMORY && limit < 1 << 16; limit += 64) {
        struct arena *arena = arena_new(limit);
        struct chat_reply reply = {.n_notes = 99};
        struct buf buf;
        buf_init(&buf, arena);
        err = chat_reply_of(&an_answer, &request, STR("http://h"), arena, &reply, NULL);
        CHECK(err == ERR_OK || reply.n_notes == 99);
        if (!err)
            err = chat_events(&reply, true, &buf, NULL);
        arena_free(arena);
    }
    CHECK_EQ(err, ERR_OK);
    CHECK(limit > 64);
}

TEST(a_written_answer_is_annotated_at_the_numbers_of_its_quotes)
{
    struct arena *arena = arena_new(1 << 20);
    struct knowledge_hit hit = {
        .title = STR("养犬管理条例"), .version_id = STR("v"), .passage_id = STR("p")};
    struct knowledge_quote cited[] = {{0, 0, 3, STR("一"), STR("")}, {0, 9, 3, STR("四"), STR("")}};
    struct knowledge_answer answer = {.method = "model",
                                      .text = STR("要登记。[1]不收费。[2]"),
                                      .quotes = cited,
                                      .n_quotes = 2,
                                      .hits = &hit,
                                      .n_hits = 1};
    struct chat_request request = {.model = STR("kb:rules")};
    struct chat_reply reply;
    CHECK_OK(chat_reply_of(&answer, &request, STR("http://h"), arena, &reply, NULL), NULL);
    CHECK_EQ(reply.n_notes, 2);
    CHECK_EQ(reply.notes[0].start, 4);
    CHECK_EQ(reply.notes[0].end, 7);
    CHECK_EQ(reply.notes[1].start, 11);
    CHECK_EQ(reply.notes[1].end, 14);
    arena_free(arena);
}

TESTS_MAIN()
