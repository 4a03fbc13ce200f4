#include <string.h>

#include "core/arena.h"
#include "dialect/dialect.h"
#include "tap.h"

/* ---- errors ---- */

TEST(errors_have_their_types)
{
    static const struct {
        enum err err;
        const char *param, *want;
    } cases[] = {
        {ERR_UNAUTHENTICATED, NULL,
         "{\"error\":{\"message\":\"words\",\"type\":\"invalid_request_error\",\"param\":null,"
         "\"code\":\"invalid_api_key\"}}"},
        {ERR_NOT_FOUND, "model",
         "{\"error\":{\"message\":\"words\",\"type\":\"invalid_request_error\",\"param\":\"model\","
         "\"code\":\"model_not_found\"}}"},
        {ERR_RATE_LIMITED, NULL,
         "{\"error\":{\"message\":\"words\",\"type\":\"rate_limit_error\",\"param\":null,"
         "\"code\":\"rate_limit_exceeded\"}}"},
        {ERR_BUSY, NULL,
         "{\"error\":{\"message\":\"words\",\"type\":\"server_error\",\"param\":null,"
         "\"code\":\"busy\"}}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 16);
        struct why why = {.text = "words"};
        struct json_out out;
        struct buf buf;
        buf_init(&buf, arena);
        json_out_init(&out, &buf);
        dialect_error(&out, cases[i].err, &why, cases[i].param, NULL);
        CHECK_STR(buf_str(&buf), cases[i].want);
        arena_free(arena);
    }
}

TEST(a_code_of_its_own_stands_before_the_errors)
{
    struct arena *arena = arena_new(1 << 16);
    struct why why = {.text = "words"};
    struct json_out out;
    struct buf buf;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    dialect_error(&out, ERR_INVALID, &why, "messages", "context_length_exceeded");
    CHECK_STR(buf_str(&buf), "{\"error\":{\"message\":\"words\",\"type\":\"invalid_request_error\","
                             "\"param\":\"messages\",\"code\":\"context_length_exceeded\"}}");
    arena_free(arena);
}

/* ---- responses ---- */

static void put_asked(void *ctx, struct json_out *out)
{
    json_kv_c(out, "user", ctx);
}

struct made {
    struct arena *arena;
    struct dialect_response *r;
    struct buf names, deltas, thoughts, last; /* names of the events; the last one's data */
    size_t n_items;
    enum err refuse;
};

static enum err on_event(void *ctx, struct str name, struct str data, struct why *why)
{
    struct made *m = ctx;
    const struct json *event;
    enum err err = json_parse(data, m->arena, &event, why);
    if (err)
        return err;
    CHECK(str_eq(json_get_str(event, "type", STR("")), name));
    buf_add(&m->names, str_from(name, strlen("response.")));
    buf_add_c(&m->names, " ");
    if (str_eq_c(name, "response.output_text.delta"))
        buf_add(&m->deltas, json_get_str(event, "delta", STR("")));
    if (str_eq_c(name, "response.reasoning_text.delta"))
        buf_add(&m->thoughts, json_get_str(event, "delta", STR("")));
    if (str_eq_c(name, "response.output_item.done"))
        m->n_items++;
    buf_clear(&m->last);
    buf_add(&m->last, data);
    return m->refuse ? err_set(why, m->refuse, "the client has gone") : ERR_OK;
}

static void made_new(struct made *m)
{
    static char who[] = "zhou";
    struct arena *arena = arena_new(1 << 20);
    struct dialect_response_opts opts = {
        .id = STR("7f"), .model = STR("city"), .created = 5, .put_asked = put_asked, .ctx = who};
    *m = (struct made){.arena = arena, .r = dialect_response_new(&opts, arena)};
    buf_init(&m->names, arena);
    buf_init(&m->deltas, arena);
    buf_init(&m->thoughts, arena);
    buf_init(&m->last, arena);
}

/* The same words whether they stream or not. */
static void say(struct made *m, const struct dialect_sink *sink)
{
    struct why why = {0};
    CHECK_OK(dialect_response_thought(m->r, sink, STR("先看"), &why), &why);
    CHECK_OK(dialect_response_thought(m->r, sink, STR("规定。"), &why), &why);
    CHECK_OK(dialect_response_text(m->r, sink, STR(""), &why), &why);
    CHECK_OK(dialect_response_text(m->r, sink, STR("可以"), &why), &why);
    CHECK_OK(dialect_response_text(m->r, sink, STR("办理。"), &why), &why);
    CHECK_OK(dialect_response_call(m->r, sink, 0, STR("c1"), STR("find"), STR("{\"q\":"), &why),
             &why);
    CHECK_OK(dialect_response_call(m->r, sink, 0, STR(""), STR(""), STR("1}"), &why), &why);
}

static const struct dialect_usage usage = {
    .prompt = 4, .completion = 9, .cached = 2, .known = true};

#define WHOLE                                                                                      \
    "{\"id\":\"resp_7f\",\"object\":\"response\",\"created_at\":5,\"status\":\"completed\","       \
    "\"error\":null,\"incomplete_details\":null,\"model\":\"city\",\"output\":["                   \
    "{\"id\":\"rs_7f00\",\"type\":\"reasoning\",\"summary\":[],\"content\":[{\"type\":"            \
    "\"reasoning_text\",\"text\":\"先看规定。\"}]},"                                          \
    "{\"id\":\"msg_7f01\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\","   \
    "\"content\":[{\"type\":\"output_text\",\"text\":\"可以办理。\",\"annotations\":[],"      \
    "\"logprobs\":[]}]},"                                                                          \
    "{\"id\":\"fc_7f02\",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":\"c1\","  \
    "\"name\":\"find\",\"arguments\":\"{\\\"q\\\":1}\"}],\"user\":\"zhou\","                       \
    "\"previous_response_id\":null,\"store\":false,\"usage\":{\"input_tokens\":4,"                 \
    "\"input_tokens_details\":{\"cached_tokens\":2},\"output_tokens\":9,"                          \
    "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":13}}"

TEST(a_whole_response_has_its_items_in_the_order_they_came)
{
    struct made m;
    struct json_out out;
    struct buf buf;
    struct why why = {0};
    made_new(&m);
    say(&m, NULL);
    buf_init(&buf, m.arena);
    json_out_init(&out, &buf);
    CHECK_OK(dialect_response_put(m.r, &usage, &out, &why), &why);
    CHECK_STR(buf_str(&buf), WHOLE);
    arena_free(m.arena);
}

TEST(a_streams_events_add_up_to_the_whole_response)
{
    struct made m;
    struct why why = {0};
    made_new(&m);
    const struct dialect_sink sink = {on_event, &m};
    say(&m, &sink);
    CHECK_OK(dialect_response_end(m.r, &sink, &usage, &why), &why);
    CHECK_STR(buf_str(&m.names),
              "created in_progress output_item.added reasoning_text.delta reasoning_text.delta "
              "output_item.added content_part.added output_text.delta output_text.delta "
              "output_item.added function_call_arguments.delta function_call_arguments.delta "
              "reasoning_text.done output_item.done output_text.done content_part.done "
              "output_item.done function_call_arguments.done output_item.done completed ");
    CHECK_STR(buf_str(&m.thoughts), "先看规定。");
    CHECK_STR(buf_str(&m.deltas), "可以办理。");
    CHECK_EQ(m.n_items, 3);
    CHECK_STR(buf_str(&m.last),
              "{\"type\":\"response.completed\",\"sequence_number\":19,\"response\":" WHOLE "}");
    arena_free(m.arena);
}

TEST(an_answer_of_nothing_has_an_empty_message)
{
    struct made m;
    struct why why = {0};
    made_new(&m);
    const struct dialect_sink sink = {on_event, &m};
    CHECK_OK(dialect_response_open(m.r, &sink, &why), &why);
    dialect_response_cut(m.r);
    CHECK_OK(dialect_response_end(m.r, &sink, NULL, &why), &why);
    CHECK_EQ(m.n_items, 1);
    CHECK(str_find(buf_str(&m.names), STR("incomplete")) != STR_NPOS);
    CHECK(str_find(buf_str(&m.last), STR("\"reason\":\"max_output_tokens\"")) != STR_NPOS);
    CHECK(str_find(buf_str(&m.last), STR("\"usage\":null")) != STR_NPOS);
    arena_free(m.arena);
}

TEST(a_call_without_an_id_gets_one_and_too_many_are_refused)
{
    struct made m;
    struct why why = {0};
    struct json_out out;
    struct buf buf;
    made_new(&m);
    CHECK_OK(dialect_response_call(m.r, NULL, 0, STR(""), STR("a"), STR("{}"), &why), &why);
    CHECK_EQ(dialect_response_call(m.r, NULL, DIALECT_MOST_CALLS, STR(""), STR("a"), STR(""), &why),
             ERR_TOO_LARGE);
    buf_init(&buf, m.arena);
    json_out_init(&out, &buf);
    CHECK_OK(dialect_response_put(m.r, NULL, &out, &why), &why);
    CHECK(str_find(buf_str(&buf), STR("\"call_id\":\"call_7f00\"")) != STR_NPOS);
    arena_free(m.arena);
}

TEST(what_the_sink_refuses_ends_the_stream)
{
    struct made m;
    struct why why = {0};
    made_new(&m);
    const struct dialect_sink sink = {on_event, &m};
    m.refuse = ERR_IO;
    CHECK_EQ(dialect_response_text(m.r, &sink, STR("a"), &why), ERR_IO);
    CHECK_STR(buf_str(&m.names), "created ");
    arena_free(m.arena);
}

TESTS_MAIN()
