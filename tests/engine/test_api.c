/* The promises of engine/api.h: what is read, what is refused and by which name, what is written.
 */
#include "tap.h"

#include "core/arena.h"
#include "core/json.h"
#include "engine/api.h"

#define ROOM ((size_t)16 << 20)
#define HI   "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

typedef enum err reader(const struct json *, struct arena *, struct api_ask *, struct api_fault *,
                        struct why *);

static const struct json *parse(const char *text, struct arena *arena)
{
    const struct json *root = NULL;
    struct why why = {0};
    CHECK_OK(json_parse(str_c(text), arena, &root, &why), &why);
    return root;
}

TEST(refuses_by_name_what_cannot_be)
{
    static const struct {
        reader *read;
        const char *body, *param;
    } cases[] = {
        {api_read_chat, "[]", ""},
        {api_read_chat, "{}", "messages"},
        {api_read_chat, "{\"messages\":[]}", "messages"},
        {api_read_chat, "{\"messages\":[7]}", "messages.0.role"},
        {api_read_chat, "{\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}",
         "messages.0.role"},
        {api_read_chat, "{\"messages\":[{\"role\":\"user\"}]}", "messages.0.content"},
        {api_read_chat,
         "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
         "\"url\":\"x\"}}]}]}",
         "messages.0.content"},
        {api_read_chat,
         "{\"messages\":[{\"role\":\"assistant\",\"tool_calls\":[{\"type\":\"function\"}]}]}",
         "messages.0.tool_calls"},
        {api_read_chat, "{" HI ",\"temperature\":3}", "temperature"},
        {api_read_chat, "{" HI ",\"temperature\":\"hot\"}", "temperature"},
        {api_read_chat, "{" HI ",\"top_p\":-0.1}", "top_p"},
        {api_read_chat, "{" HI ",\"n\":0}", "n"},
        {api_read_chat, "{" HI ",\"n\":17}", "n"},
        {api_read_chat, "{" HI ",\"max_tokens\":0}", "max_tokens"},
        {api_read_chat, "{" HI ",\"max_tokens\":1.5}", "max_tokens"},
        {api_read_chat, "{" HI ",\"max_completion_tokens\":-1}", "max_completion_tokens"},
        {api_read_chat, "{" HI ",\"stop\":[\"\"]}", "stop"},
        {api_read_chat, "{" HI ",\"stop\":5}", "stop"},
        {api_read_chat, "{" HI ",\"logit_bias\":{\"x\":1}}", "logit_bias"},
        {api_read_chat, "{" HI ",\"logit_bias\":{\"1\":101}}", "logit_bias"},
        {api_read_chat, "{" HI ",\"top_logprobs\":2}", "top_logprobs"},
        {api_read_chat, "{" HI ",\"logprobs\":true,\"top_logprobs\":21}", "top_logprobs"},
        {api_read_chat, "{" HI ",\"stream\":1}", "stream"},
        {api_read_chat, "{" HI ",\"stream_options\":{}}", "stream_options"},
        {api_read_chat, "{" HI ",\"tools\":{}}", "tools"},
        {api_read_chat, "{" HI ",\"tools\":[{\"type\":\"retrieval\"}]}", "tools.0"},
        {api_read_chat,
         "{" HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]}", "tools.0"},
        {api_read_chat, "{" HI ",\"tool_choice\":\"required\"}", "tool_choice"},
        {api_read_chat,
         "{" HI
         ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}}],\"tool_choice\":"
         "{\"type\":\"function\",\"function\":{\"name\":\"b\"}}}",
         "tool_choice"},
        {api_read_chat, "{" HI ",\"response_format\":{\"type\":\"xml\"}}", "response_format"},
        {api_read_chat, "{" HI ",\"response_format\":{\"type\":\"json_schema\"}}",
         "response_format"},
        {api_read_chat, "{" HI ",\"functions\":[]}", "functions"},
        {api_read_chat, "{" HI ",\"modalities\":[\"audio\"]}", "modalities"},
        {api_read_chat, "{" HI ",\"model\":5}", "model"},
        {api_read_chat, "{" HI ",\"lora\":[{\"scale\":1}]}", "lora"},
        {api_read_chat,
         "{" HI ",\"grammar\":\"root ::= x\",\"tools\":[{\"type\":\"function\",\"function\":{"
         "\"name\":\"a\"}}]}",
         "grammar"},
        {api_read_completion, "{}", "prompt"},
        {api_read_completion, "{\"prompt\":[]}", "prompt"},
        {api_read_completion, "{\"prompt\":[-1]}", "prompt"},
        {api_read_completion, "{\"prompt\":[[1,\"x\"]]}", "prompt"},
        {api_read_completion, "{\"prompt\":\"x\",\"suffix\":\"y\"}", "suffix"},
        {api_read_completion, "{\"prompt\":\"x\",\"best_of\":3}", "best_of"},
        {api_read_completion, "{\"prompt\":\"x\",\"logprobs\":6}", "logprobs"},
        {api_read_completion, "{\"prompt\":\"x\",\"logprobs\":1,\"echo\":true}", "echo"},
        {api_read_completion, "{\"prompt\":\"x\",\"json_schema\":1}", "json_schema"},
        {api_read_responses, "{}", "input"},
        {api_read_responses, "{\"input\":\"x\",\"previous_response_id\":\"resp_1\"}",
         "previous_response_id"},
        {api_read_responses, "{\"input\":\"x\",\"background\":true}", "background"},
        {api_read_responses, "{\"input\":[{\"type\":\"computer_call\"}]}", "input.0"},
        {api_read_responses, "{\"input\":[{\"type\":\"reasoning\"}]}", "input"},
        {api_read_responses, "{\"input\":\"x\",\"tools\":[{\"type\":\"web_search\"}]}", "tools.0"},
        {api_read_responses, "{\"input\":\"x\",\"text\":{\"format\":{\"type\":\"x\"}}}",
         "text.format"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct api_ask out = {.n_prompts = 99};
        struct api_fault fault = {0};
        struct why why = {0};
        const struct json *body = parse(cases[i].body, arena);
        enum err err = cases[i].read(body, arena, &out, &fault, &why);
        if (err != ERR_INVALID || strcmp(fault.param, cases[i].param) != 0)
            printf("# %s\n", cases[i].body);
        CHECK_EQ(err, ERR_INVALID);
        CHECK_STR(str_c(fault.param), cases[i].param);
        CHECK(why.text[0] != '\0');
        CHECK_EQ(out.n_prompts, 99);
        arena_free(arena);
    }
}

TEST(reads_a_chat_with_all_that_it_may_have)
{
    struct arena *arena = arena_new(ROOM);
    struct api_ask ask;
    struct api_fault fault = {0};
    struct why why = {0};
    const struct json *body = parse(
        "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"n\":2,"
        "\"max_tokens\":5,\"max_completion_tokens\":7,\"temperature\":0.5,\"top_p\":0.9,\"top_k\":"
        "40,"
        "\"presence_penalty\":-1,\"seed\":42,\"stop\":[\"a\",\"b\"],\"logit_bias\":{\"17\":-100},"
        "\"logprobs\":true,\"top_logprobs\":3,\"user\":\"u\",\"never_heard_of\":{\"x\":1},"
        "\"lora\":[{\"name\":\"law\",\"scale\":0.5}],\"tool_choice\":{\"type\":\"function\","
        "\"function\":{\"name\":\"b\"}},\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
        "\"a\"}},{\"type\":\"function\",\"function\":{\"name\":\"b\",\"parameters\":{\"type\":"
        "\"object\"}}}],\"chat_template_kwargs\":{\"enable_thinking\":false,\"x\":1},"
        "\"messages\":[{\"role\":\"developer\",\"content\":\"be kind\"},{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},{\"role\":\"assistant\",\"content\":"
        "null,"
        "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"b\","
        "\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"}]}",
        arena);
    CHECK_OK(api_read_chat(body, arena, &ask, &fault, &why), &why);
    CHECK_STR(ask.model, "m");
    CHECK(ask.stream && ask.include_usage && ask.tools && ask.parallel);
    CHECK_EQ(ask.run.choices, 2);
    CHECK_EQ(ask.run.max_tokens, 7); /* the newer name counts */
    CHECK(ask.run.sampling.temperature == 0.5f && ask.run.sampling.top_p == 0.9f);
    CHECK(ask.run.sampling.presence == -1 && ask.run.sampling.top_k == 40);
    CHECK(ask.run.sampling.seeded && ask.run.sampling.seed == 42);
    CHECK_EQ(ask.run.n_stops, 2);
    CHECK_STR(ask.run.stops[1], "b");
    CHECK(ask.run.sampling.n_bias == 1 && ask.run.sampling.bias[0].token == 17);
    CHECK(ask.run.logprobs && ask.run.n_tops == 3);
    CHECK_STR(ask.run.key, "u");
    CHECK(ask.run.n_loras == 1 && ask.run.loras[0].scale == 0.5f);
    CHECK_STR(
        ask.chat,
        "{\"messages\":[{\"role\":\"developer\",\"content\":\"be kind\"},{\"role\":\"user\","
        "\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]},{\"role\":\"assistant\",\"content\":"
        "null,\"tool_calls\":[{\"type\":\"function\",\"id\":\"c1\",\"function\":{\"name\":\"b\","
        "\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"content\":\"42\",\"tool_call_id\":\"c1\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"b\",\"description\":\"\","
        "\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":\"required\","
        "\"parallel_tool_calls\":true,\"thinking\":false,\"template_kwargs\":{"
        "\"enable_thinking\":false,\"x\":1}}");
    arena_free(arena);
}

TEST(takes_openai_defaults)
{
    struct arena *arena = arena_new(ROOM);
    struct api_ask ask;
    struct api_fault fault = {0};
    struct why why = {0};
    CHECK_OK(api_read_chat(parse("{" HI ",\"seed\":null,\"stop\":null,\"tools\":null}", arena),
                           arena, &ask, &fault, &why),
             &why);
    CHECK(ask.run.sampling.temperature == 1 && ask.run.sampling.top_p == 1);
    CHECK(!ask.run.sampling.seeded && ask.run.max_tokens == 0 && ask.run.choices == 1);
    CHECK(!ask.tools && !ask.stream && !ask.run.no_cache);
    CHECK_OK(
        api_read_completion(parse("{\"prompt\":[[1,2],[3]]}", arena), arena, &ask, &fault, &why),
        &why);
    CHECK_EQ(ask.run.max_tokens, 16);
    CHECK_EQ(ask.n_prompts, 2);
    CHECK(ask.prompts[0].n_tokens == 2 && ask.prompts[1].tokens[0] == 3);
    arena_free(arena);
}

TEST(reads_what_the_responses_api_says)
{
    struct arena *arena = arena_new(ROOM);
    struct api_ask ask;
    struct api_fault fault = {0};
    struct why why = {0};
    const struct json *body = parse(
        "{\"model\":\"m\",\"instructions\":\"be brief\",\"max_output_tokens\":9,\"reasoning\":{"
        "\"effort\":\"none\"},\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":{"
        "\"type\":\"object\",\"properties\":{}}}],\"tool_choice\":\"auto\",\"input\":[{\"role\":"
        "\"user\",\"content\":\"hi\"},{\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":"
        "\"f\","
        "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c1\",\"output\":"
        "\"42\"},{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_"
        "text\","
        "\"text\":\"it is\"}]},{\"type\":\"reasoning\",\"summary\":[]},{\"type\":\"message\","
        "\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"what?\"}]}]}",
        arena);
    CHECK_OK(api_read_responses(body, arena, &ask, &fault, &why), &why);
    CHECK(ask.kind == API_RESPONSES && ask.tools);
    CHECK_EQ(ask.run.max_tokens, 9);
    CHECK_STR(ask.instructions, "be brief");
    CHECK_STR(
        ask.chat,
        "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\","
        "\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"type\":"
        "\"function\",\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"42\"},{\"role\":\"assistant\","
        "\"content\":[{\"type\":\"text\",\"text\":\"it is\"}]},{\"role\":\"user\",\"content\":[{"
        "\"type\":\"text\",\"text\":\"what?\"}]}],\"tools\":[{\"type\":\"function\","
        "\"function\":{\"name\":\"f\",\"description\":\"\",\"parameters\":{\"type\":\"object\","
        "\"properties\":{}}}}],\"tool_choice\":\"auto\",\"parallel_tool_calls\":true,"
        "\"thinking\":false,\"template_kwargs\":{}}");
    arena_free(arena);
}

TEST(reads_embeddings_reranks_and_tokens)
{
    struct arena *arena = arena_new(ROOM);
    struct api_fault fault = {0};
    struct why why = {0};
    struct api_embed embed;
    struct api_rerank rerank;
    struct api_tokens tokens;
    CHECK_OK(
        api_read_embed(parse("{\"input\":[\"a\",\"b\"],\"encoding_format\":\"base64\"}", arena),
                       arena, &embed, &fault, &why),
        &why);
    CHECK(embed.n_inputs == 2 && embed.base64);
    CHECK_OK(api_read_embed(parse("{\"input\":[5,6,7]}", arena), arena, &embed, &fault, &why),
             &why);
    CHECK(embed.n_inputs == 1 && embed.inputs[0].n_tokens == 3 && !embed.base64);
    CHECK_OK(api_read_rerank(parse("{\"query\":\"q\",\"documents\":[\"a\",{\"text\":\"b\"}],"
                                   "\"top_n\":9}",
                                   arena),
                             arena, &rerank, &fault, &why),
             &why);
    CHECK(rerank.n_documents == 2 && rerank.top_n == 2 && str_eq_c(rerank.documents[1], "b"));
    CHECK_EQ(api_read_rerank(parse("{\"query\":\"q\",\"documents\":[\"a\",5]}", arena), arena,
                             &rerank, &fault, &why),
             ERR_INVALID);
    CHECK_STR(str_c(fault.param), "documents.1");
    CHECK_OK(api_read_tokenize(parse("{\"content\":\"x\",\"with_pieces\":true}", arena), arena,
                               &tokens, &fault, &why),
             &why);
    CHECK(tokens.with_pieces && str_eq_c(tokens.text, "x"));
    CHECK_EQ(api_read_detokenize(parse("{\"tokens\":[1.5]}", arena), arena, &tokens, &fault, &why),
             ERR_INVALID);
    arena_free(arena);
}

TEST(writes_vectors_in_both_forms)
{
    static const float vector[] = {1, -0.5f};
    struct arena *arena = arena_new(ROOM);
    struct json_out out;
    struct buf text;
    for (int base64 = 0; base64 < 2; base64++) {
        buf_init(&text, arena);
        json_out_init(&out, &text);
        json_begin_object(&out);
        api_write_embedding(vector, 2, base64, arena, &out);
        json_end_object(&out);
        /* 00 00 80 3f 00 00 00 bf */
        CHECK_STR(buf_str(&text),
                  base64 ? "{\"embedding\":\"AACAPwAAAL8=\"}" : "{\"embedding\":[1,-0.5]}");
    }
    arena_free(arena);
}

/* Every reader stops cleanly wherever memory ends. */
TEST(says_so_when_memory_runs_out)
{
    struct arena *bodies = arena_new(ROOM);
    const struct json *chat = parse("{" HI ",\"stop\":[\"a\"],\"logit_bias\":{\"1\":1}}", bodies);
    const struct json *prompt = parse("{\"prompt\":[[1,2,3]],\"json_schema\":{\"a\":1}}", bodies);
    for (int k = 0; k < 2; k++) {
        size_t limit = 0;
        for (enum err err = ERR_NO_MEMORY; err == ERR_NO_MEMORY && limit < 100000; limit += 32) {
            struct arena *arena = arena_new(limit);
            struct api_ask out = {.n_prompts = 99};
            struct api_fault fault = {0};
            err = k ? api_read_completion(prompt, arena, &out, &fault, NULL)
                    : api_read_chat(chat, arena, &out, &fault, NULL);
            CHECK(err == ERR_OK || (err == ERR_NO_MEMORY && out.n_prompts == 99));
            arena_free(arena);
        }
        CHECK(limit > 32);
    }
    arena_free(bodies);
}

TESTS_MAIN()
