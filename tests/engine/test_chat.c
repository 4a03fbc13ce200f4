/* The promises of engine/chat.h, with the templates that models are published with. */
#include "tap.h"

#include <dirent.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "engine/chat.h"

#define ROOM ((size_t)64 << 20)

#define TALK                                                                                         \
    "{\"role\":\"user\",\"content\":\"你好\"},{\"role\":\"assistant\",\"content\":\"您好。\"}," \
    "{\"role\":\"user\",\"content\":\"天气？\"}"
#define WITH_SYSTEM "{\"messages\":[{\"role\":\"system\",\"content\":\"你是助手。\"}," TALK "]"
#define TOOL                                                                                       \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":"    \
    "\"weather of a city\",\"parameters\":{\"type\":\"object\",\"properties\":{\"city\":{"         \
    "\"type\":\"string\"}},\"required\":[\"city\"]}}}]"
#define TOOL_TALK                                                                                  \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"北京天气\"},{\"role\":\"assistant\","     \
    "\"content\":null,\"tool_calls\":[{\"id\":\"abcdefgh1\",\"type\":\"function\",\"function\":{"  \
    "\"name\":\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"北京\\\"}\"}}]},"                \
    "{\"role\":\"tool\",\"tool_call_id\":\"abcdefgh1\",\"content\":\"晴\"}]," TOOL

/* Where templates come from: the data set, or llama.cpp's own collection for newer families. */
static bool template_path(const char *name, char *path, size_t most)
{
    const char *set = tap_dataset("gguf-vocab/models/templates");
    (void)snprintf(path, most, "%s/%s", set ? set : "", name);
    if (set && file_exists(path))
        return true;
    (void)snprintf(path, most, "%s/%s", LLAMA_TEMPLATES, name);
    return LLAMA_TEMPLATES[0] && file_exists(path);
}

static struct chat *open_file(const char *path, struct arena *arena)
{
    struct chat_source source = {.bos = STR("<BOS>"), .eos = STR("<EOS>")};
    struct chat *chat = NULL;
    struct why why = {0};
    CHECK_OK(file_read(path, (size_t)1 << 20, arena, &source.template_text, &why), &why);
    CHECK_OK(chat_open(&source, &chat, &why), &why);
    return chat;
}

static struct str render(struct chat *chat, const char *request, struct arena *arena)
{
    struct why why = {0};
    struct buf out;
    buf_init(&out, arena);
    CHECK_OK(chat_render(chat, str_c(request), &out, &why), &why);
    return buf_str(&out);
}

static struct str prompt_of(struct str rendered, struct arena *arena)
{
    const struct json *root = NULL;
    if (!rendered.len || json_parse(rendered, arena, &root, NULL))
        return STR("");
    return json_get_str(root, "prompt", STR(""));
}

/* What a person gets who reads the template and writes the conversation out by hand. */
TEST(writes_conversations_as_the_templates_say)
{
    static const struct {
        const char *file, *request, *prompt;
    } cases[] = {
        {"Qwen-Qwen2.5-7B-Instruct.jinja", WITH_SYSTEM "}",
         "<|im_start|>system\n你是助手。<|im_end|>\n<|im_start|>user\n你好<|im_end|>\n"
         "<|im_start|>assistant\n您好。<|im_end|>\n<|im_start|>user\n天气？<|im_end|>\n"
         "<|im_start|>assistant\n"},
        {"Qwen-Qwen2.5-7B-Instruct.jinja", TOOL_TALK "}",
         "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."
         "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
         "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
         "{\"type\": \"function\", \"function\": {\"name\": \"get_weather\", \"description\": "
         "\"weather of a city\", \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": "
         "{\"type\": \"string\"}}, \"required\": [\"city\"]}}}\n</tools>\n\nFor each function "
         "call, "
         "return a json object with function name and arguments within <tool_call></tool_call> XML "
         "tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n"
         "</tool_call><|im_end|>\n<|im_start|>user\n北京天气<|im_end|>\n<|im_start|>assistant\n"
         "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"北京\"}}\n"
         "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n晴\n</tool_response>"
         "<|im_end|>\n<|im_start|>assistant\n"},
        {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja", WITH_SYSTEM "}",
         "<BOS>你是助手。<｜User｜>你好<｜Assistant｜>您好。<｜end▁of▁sentence｜><｜User｜>天气？"
         "<｜Assistant｜><think>\n"},
        {"meta-llama-Llama-3.1-8B-Instruct.jinja",
         WITH_SYSTEM ",\"template_kwargs\":{\"date_string\":\"26 Jul 2024\"}}",
         "<BOS><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December "
         "2023\n"
         "Today Date: 26 Jul 2024\n\n你是助手。<|eot_id|><|start_header_id|>user<|end_header_id|>"
         "\n\n你好<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n您好。<|eot_id|>"
         "<|start_header_id|>user<|end_header_id|>\n\n天气？<|eot_id|>"
         "<|start_header_id|>assistant<|end_header_id|>\n\n"},
        {"mistralai-Mistral-Nemo-Instruct-2407.jinja", WITH_SYSTEM "}",
         "<BOS>[INST]你好[/INST]您好。<EOS>[INST]你是助手。\n\n天气？[/INST]"},
        {"google-gemma-2-2b-it.jinja", "{\"messages\":[" TALK "]}",
         "<BOS><start_of_turn>user\n你好<end_of_turn>\n<start_of_turn>model\n您好。<end_of_turn>\n"
         "<start_of_turn>user\n天气？<end_of_turn>\n<start_of_turn>model\n"},
        {"GLM-4.6.jinja", WITH_SYSTEM "}",
         "[gMASK]<sop><|system|>\n你是助手。<|user|>\n你好<|assistant|>\n<think></think>\n您好。"
         "<|user|>\n天气？<|assistant|>"},
        {"microsoft-Phi-3.5-mini-instruct.jinja", WITH_SYSTEM "}",
         "<|system|>\n你是助手。<|end|>\n<|user|>\n你好<|end|>\n<|assistant|>\n您好。<|end|>\n"
         "<|user|>\n天气？<|end|>\n<|assistant|>\n"},
    };
    if (!LLAMA_TEMPLATES[0])
        SKIP("built without llama.cpp");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        char path[4096];
        if (!template_path(cases[i].file, path, sizeof path)) {
            printf("# no %s on this machine\n", cases[i].file);
            continue;
        }
        struct chat *chat = open_file(path, arena);
        struct str got = prompt_of(render(chat, cases[i].request, arena), arena);
        if (!str_eq_c(got, cases[i].prompt))
            printf("# %s\n", cases[i].file);
        CHECK_STR(got, cases[i].prompt);
        chat_close(chat);
        arena_free(arena);
    }
}

/* These describe no tools, or in words that the analysis does not understand. */
static bool knows_tools(const char *path)
{
    static const char *none[] = {"gemma-2", "R1-Distill", "deepseek-r1", "Phi-3.5", "firefunction"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        if (strstr(path, none[i]))
            return false;
    return true;
}

/* Every published template: text in order, the prompt ends as it says, grammars that hold. */
static void check_template(const char *path, struct arena *arena)
{
    static const char tool_talk[] = "{\"messages\":[{\"role\":\"user\",\"content\":\"北京天气\"}],"
                                    "\"tool_choice\":\"required\"," TOOL "}";
    struct chat *chat = open_file(path, arena);
    struct str p = prompt_of(render(chat, "{\"messages\":[" TALK "]}", arena), arena);
    size_t hello = str_find(p, STR("你好")), answer = str_find(p, STR("您好。")),
           ask = str_find(p, STR("天气？"));
    const struct json *root = NULL;
    struct why why = {0};
    CHECK(hello < answer && answer < ask && ask != STR_NPOS);
    CHECK_EQ(str_find_from(p, STR("天气？"), ask + 1), STR_NPOS);
    struct buf out;
    buf_init(&out, arena);
    enum err err = chat_render(chat, str_c(tool_talk), &out, &why);
    CHECK((err == ERR_OK) == knows_tools(path));
    if (err) {
        chat_close(chat);
        return;
    }
    CHECK_OK(json_parse(buf_str(&out), arena, &root, &why), &why);
    p = json_get_str(root, "prompt", STR(""));
    CHECK(str_find(p, STR("北京天气")) != STR_NPOS);
    CHECK(str_ends(p, json_get_str(root, "generation_prompt", STR("?"))));
    struct str grammar = json_get_str(root, "grammar", STR(""));
    CHECK(str_find(grammar, STR("get_weather")) != STR_NPOS);
    CHECK(!json_get_bool(root, "grammar_lazy", true));
    CHECK_OK(chat_grammar(grammar, &why), &why);
    chat_close(chat);
}

TEST(takes_every_published_template)
{
    const char *folder = tap_dataset("gguf-vocab/models/templates");
    int n = 0;
    if (!LLAMA_TEMPLATES[0])
        SKIP("built without llama.cpp");
    if (!folder)
        SKIP("no data set gguf-vocab");
    DIR *dir = opendir(folder);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e; e = readdir(dir)) {
        char path[4096];
        struct arena *arena = arena_new(ROOM);
        int before = tap_failed;
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (str_ends(str_c(e->d_name), STR(".jinja"))) {
            check_template(path, arena);
            n++;
        }
        if (tap_failed > before)
            printf("# in %s\n", e->d_name);
        arena_free(arena);
    }
    if (dir)
        (void)closedir(dir);
    CHECK(n >= 15);
}

/* ---- reading answers ---- */

struct said {
    struct buf content, reasoning, arguments[3];
    struct str names[3], ids[3];
    size_t n_tools;
    struct arena *arena;
};

static enum err hear(void *ctx, const struct chat_delta *d, struct why *why)
{
    struct said *said = ctx;
    (void)why;
    if (d->kind == CHAT_TOOL && d->tool < 3) {
        if (d->name.len) {
            CHECK(said->names[d->tool].len == 0); /* told once */
            said->names[d->tool] = str_copy(said->arena, d->name);
            said->ids[d->tool] = str_copy(said->arena, d->id);
            said->n_tools++;
        }
        buf_add(&said->arguments[d->tool], d->text);
    } else {
        buf_add(d->kind == CHAT_REASONING ? &said->reasoning : &said->content, d->text);
    }
    return ERR_OK;
}

static struct said read_answer(struct str rendered, const char *answer, size_t step, bool tools,
                               struct arena *arena)
{
    struct said said = {.arena = arena};
    struct chat_reader *reader = NULL;
    struct why why = {0};
    struct str text = str_c(answer);
    buf_init(&said.content, arena);
    buf_init(&said.reasoning, arena);
    for (int i = 0; i < 3; i++)
        buf_init(&said.arguments[i], arena);
    CHECK_OK(chat_reader_open(rendered, tools, &reader, &why), &why);
    for (size_t at = 0; reader && at < text.len; at += step)
        CHECK_OK(chat_reader_feed(reader, str_slice(text, at, at + step), at + step >= text.len,
                                  hear, &said, &why),
                 &why);
    chat_reader_close(reader);
    return said;
}

static const char qwen_answer[] =
    "我来查。\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"北京\"}}\n"
    "</tool_call>\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"a}{\"}}\n"
    "</tool_call>";

TEST(finds_tool_calls_however_the_text_is_cut)
{
    char path[4096];
    if (!LLAMA_TEMPLATES[0] || !template_path("Qwen-Qwen2.5-7B-Instruct.jinja", path, sizeof path))
        SKIP("no template of Qwen 2.5, or built without llama.cpp");
    for (size_t step = 1; step < sizeof qwen_answer; step = step * 2 + 1) {
        struct arena *arena = arena_new(ROOM);
        struct chat *chat = open_file(path, arena);
        struct str rendered =
            render(chat, "{\"messages\":[" TALK "],\"parallel_tool_calls\":true," TOOL "}", arena);
        struct said said = read_answer(rendered, qwen_answer, step, true, arena);
        CHECK_STR(str_trim(buf_str(&said.content)), "我来查。");
        CHECK_EQ(said.n_tools, 2);
        CHECK_STR(said.names[0], "get_weather");
        CHECK_STR(buf_str(&said.arguments[0]), "{\"city\": \"北京\"}");
        CHECK_STR(buf_str(&said.arguments[1]), "{\"city\": \"a}{\"}");
        CHECK(said.ids[0].len > 5 && !str_eq(said.ids[0], said.ids[1]));
        chat_close(chat);
        arena_free(arena);
    }
}

TEST(parts_reasoning_from_the_answer)
{
    char path[4096];
    if (!LLAMA_TEMPLATES[0] ||
        !template_path("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B.jinja", path, sizeof path))
        SKIP("no template of DeepSeek R1, or built without llama.cpp");
    struct arena *arena = arena_new(ROOM);
    struct chat *chat = open_file(path, arena);
    struct str rendered = render(chat, "{\"messages\":[" TALK "]}", arena);
    /* The prompt ends in "<think>\n": the answer begins inside. */
    struct said said = read_answer(rendered, "想一想。</think>\n\n晴天。", 3, false, arena);
    CHECK_STR(str_trim(buf_str(&said.reasoning)), "想一想。");
    CHECK_STR(str_trim(buf_str(&said.content)), "晴天。");
    chat_close(chat);
    arena_free(arena);
}

/* A model writes what it likes: it arrives, whole, as content. */
TEST(loses_nothing_of_what_has_no_form)
{
    static const char *answers[] = {"plain words", "<tool_cal", "<tool_call",
                                    "{\"name\":", "<tool_call>\n{\"name\": \"get_wea"};
    char path[4096];
    if (!LLAMA_TEMPLATES[0] || !template_path("Qwen-Qwen2.5-7B-Instruct.jinja", path, sizeof path))
        SKIP("no template of Qwen 2.5, or built without llama.cpp");
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct chat *chat = open_file(path, arena);
        struct str rendered = render(chat, "{\"messages\":[" TALK "]," TOOL "}", arena);
        struct said said = read_answer(rendered, answers[i], 4, true, arena);
        CHECK_STR(buf_str(&said.content), answers[i]);
        CHECK_EQ(said.n_tools, 0);
        chat_close(chat);
        arena_free(arena);
    }
}

TEST(refuses_an_answer_that_nests_without_end)
{
    char path[4096], deep[4096];
    if (!LLAMA_TEMPLATES[0] || !template_path("Qwen-Qwen2.5-7B-Instruct.jinja", path, sizeof path))
        SKIP("no template of Qwen 2.5, or built without llama.cpp");
    struct arena *arena = arena_new(ROOM);
    struct chat *chat = open_file(path, arena);
    struct chat_reader *reader = NULL;
    struct why why = {0};
    struct said said = {.arena = arena};
    memset(deep, '[', sizeof deep);
    CHECK_OK(chat_reader_open(render(chat, "{\"messages\":[" TALK "]," TOOL "}", arena), true,
                              &reader, &why),
             &why);
    CHECK_EQ(chat_reader_feed(reader, (struct str){deep, sizeof deep}, false, hear, &said, &why),
             ERR_TOO_LARGE);
    chat_reader_close(reader);
    chat_close(chat);
    arena_free(arena);
}

/* ---- refusals and grammars ---- */

TEST(says_why_a_template_or_a_request_will_not_do)
{
    static const struct {
        const char *text, *request, *words;
    } cases[] = {
        {"{% for m in messages %}", "{\"messages\":[" TALK "]}", NULL},
        {"{{ raise_exception('No talk today') }}", "{\"messages\":[" TALK "]}", "No talk today"},
        {"{{ messages }}", "{\"messages\":3}", "messages"},
        {"{{ messages }}", "{\"messages\":[{\"role\":\"user\"}]}", "content"},
    };
    if (!LLAMA_TEMPLATES[0])
        SKIP("built without llama.cpp");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct chat_source source = {.template_text = str_c(cases[i].text)};
        struct chat *chat = NULL;
        struct why why = {0};
        struct buf out;
        buf_init(&out, arena);
        enum err err = chat_open(&source, &chat, &why);
        if (!err)
            err = chat_render(chat, str_c(cases[i].request), &out, &why);
        CHECK_EQ(err, ERR_INVALID);
        CHECK(why.text[0] != '\0' && !strchr(why.text, '\n'));
        if (cases[i].words && !strstr(why.text, cases[i].words))
            printf("# %s\n", why.text);
        CHECK(!cases[i].words || strstr(why.text, cases[i].words));
        CHECK_EQ(out.len, 0);
        chat_close(chat);
        arena_free(arena);
    }
}

TEST(makes_grammars_of_schemas_and_refuses_others)
{
    static const struct {
        const char *schema;
        enum err err;
    } cases[] = {
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"}}}", ERR_OK},
        {"{\"type\":\"string\",\"pattern\":\"^[0-9]{3}$\"}", ERR_OK},
        {"{\"type\":\"string\",\"pattern\":\"^([0-9]{3}$\"}", ERR_INVALID},
        {"{\"$ref\":\"#/nowhere\"}", ERR_INVALID},
        {"{\"type\":\"no such type\"}", ERR_INVALID},
        {"not JSON", ERR_INVALID},
    };
    if (!LLAMA_TEMPLATES[0])
        SKIP("built without llama.cpp");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct why why = {0};
        struct buf out;
        buf_init(&out, arena);
        CHECK_EQ(chat_schema(str_c(cases[i].schema), &out, &why), cases[i].err);
        if (!cases[i].err)
            CHECK_OK(chat_grammar(buf_str(&out), &why), &why);
        arena_free(arena);
    }
    CHECK_EQ(chat_grammar(STR("root ::= root \"a\""), NULL), ERR_INVALID);
    CHECK_EQ(chat_grammar(STR("other ::= \"a\""), NULL), ERR_INVALID);
    CHECK_EQ(chat_grammar(STR("root ::= nowhere"), NULL), ERR_INVALID);
    CHECK_EQ(chat_grammar(STR("root ::= \"a"), NULL), ERR_INVALID);
    CHECK_EQ(chat_grammar(STR("root ::= \"a\" { 5, 3 }"), NULL), ERR_INVALID);
    CHECK_EQ(chat_grammar(STR("root ::= \"\\\"{5,3}\" [{\\]5,3] # {5,3}"), NULL), ERR_OK);
}

TESTS_MAIN()
