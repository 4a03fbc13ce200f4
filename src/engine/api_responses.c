/* The Responses API: its items become the messages of a chat. */
#include <stdio.h>

#include "core/utf8.h"
#include "engine/api_in.h"

/* Fields that ask for a memory or for machinery that an engine has not. */
static enum err refuse_impossible(const struct api_reader *r)
{
    static const char *const stateful[] = {"previous_response_id", "conversation", "prompt"};
    bool background = false;
    for (size_t i = 0; i < sizeof stateful / sizeof stateful[0]; i++)
        if (json_kind(json_get(r->body, stateful[i])) != JSON_KIND_NULL)
            return api_refuse(r, stateful[i], "%s is not offered: this engine keeps nothing",
                              stateful[i]);
    enum err err = api_bool(r, "background", &background);
    if (!err && background)
        err = api_refuse(r, "background", "background is not offered: the answer is waited for");
    return err;
}

static void put_text_message(const char *role, struct str text, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "role", role);
    json_kv_str(out, "content", text);
    json_end_object(out);
}

static enum err put_message(const struct api_reader *r, const struct json *item, const char *param,
                            struct json_out *out)
{
    struct str role = json_get_str(item, "role", STR(""));
    if (!str_eq_c(role, "user") && !str_eq_c(role, "assistant") && !str_eq_c(role, "system") &&
        !str_eq_c(role, "developer"))
        return api_refuse(r, param, "the role must be system, developer, user or assistant");
    json_begin_object(out);
    json_kv_str(out, "role", role);
    json_key(out, "content");
    enum err err = api_put_content(r, json_get(item, "content"), param, out);
    if (!err)
        json_end_object(out);
    return err;
}

static enum err put_call(const struct api_reader *r, const struct json *item, const char *param,
                         struct json_out *out)
{
    struct str name = json_get_str(item, "name", STR(""));
    struct str arguments = json_get_str(item, "arguments", STR(""));
    if (!name.len)
        return api_refuse(r, param, "a function_call has a name");
    json_begin_object(out);
    json_kv_c(out, "type", "function");
    json_kv_str(out, "id", json_get_str(item, "call_id", STR("")));
    json_key(out, "function");
    json_begin_object(out);
    json_kv_str(out, "name", name);
    json_kv_str(out, "arguments", arguments.len ? arguments : STR("{}"));
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

static enum err put_output(const struct api_reader *r, const struct json *item, const char *param,
                           struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "role", "tool");
    json_kv_str(out, "tool_call_id", json_get_str(item, "call_id", STR("")));
    json_key(out, "content");
    enum err err = api_put_content(r, json_get(item, "output"), param, out);
    if (!err)
        json_end_object(out);
    return err;
}

static bool is_type(const struct json *item, const char *type)
{
    return str_eq_c(json_get_str(item, "type", STR("message")), type);
}

/* Calls that follow each other are one message of the assistant. */
static enum err put_calls(const struct api_reader *r, const struct json *items, size_t *i,
                          struct json_out *out)
{
    char param[API_PARAM];
    json_begin_object(out);
    json_kv_c(out, "role", "assistant");
    json_key(out, "content");
    json_put_null(out);
    json_key(out, "tool_calls");
    json_begin_array(out);
    for (; *i < json_len(items) && is_type(json_at(items, *i), "function_call"); ++*i) {
        (void)snprintf(param, sizeof param, "input.%zu", *i);
        enum err err = put_call(r, json_at(items, *i), param, out);
        if (err)
            return err;
    }
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

static enum err put_items(const struct api_reader *r, const struct json *items,
                          struct json_out *out)
{
    enum err err = ERR_OK;
    for (size_t i = 0; !err && i < json_len(items);) {
        const struct json *item = json_at(items, i);
        char param[API_PARAM];
        (void)snprintf(param, sizeof param, "input.%zu", i);
        if (is_type(item, "function_call")) {
            err = put_calls(r, items, &i, out);
            continue;
        }
        if (is_type(item, "message"))
            err = put_message(r, item, param, out);
        else if (is_type(item, "function_call_output"))
            err = put_output(r, item, param, out);
        else if (!is_type(item, "reasoning")) /* what was thought before is not read again */
            err = api_refuse(r, param, "items of type \"%.*s\" are not offered",
                             STR_FMT(utf8_prefix(json_get_str(item, "type", STR("")), 40)));
        i++;
    }
    return err;
}

static enum err put_input(const struct api_reader *r, struct api_ask *ask, struct json_out *out)
{
    const struct json *input = json_get(r->body, "input");
    bool list = json_kind(input) == JSON_KIND_ARRAY;
    if (!list && json_kind(input) != JSON_KIND_STRING)
        return api_refuse(r, "input", "input must be a text or a list of items");
    if (list && (json_len(input) == 0 || json_len(input) > API_MOST_MESSAGES))
        return api_refuse(r, "input", "input must have 1 to %d items", API_MOST_MESSAGES);
    size_t n_thoughts = 0;
    while (list && n_thoughts < json_len(input) && is_type(json_at(input, n_thoughts), "reasoning"))
        n_thoughts++;
    if (list && n_thoughts == json_len(input))
        return api_refuse(r, "input",
                          "input has nothing but reasoning: there is nothing to answer");
    enum err err = api_str(r, "instructions", &ask->instructions);
    if (err)
        return err;
    json_key(out, "messages");
    json_begin_array(out);
    if (ask->instructions.len)
        put_text_message("system", ask->instructions, out);
    if (!list)
        put_text_message("user", json_str(input, STR("")), out);
    else
        err = put_items(r, input, out);
    if (!err)
        json_end_array(out);
    return err;
}

enum err api_read_responses(const struct json *body, struct arena *arena, struct api_ask *out,
                            struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    struct api_ask ask = {.kind = API_RESPONSES};
    struct json_out json;
    struct buf text;
    buf_init(&text, arena);
    json_out_init(&json, &text);
    enum err err = api_read_common(&r, &ask);
    if (!err)
        err = refuse_impossible(&r);
    json_begin_object(&json);
    if (!err)
        err = put_input(&r, &ask, &json);
    if (!err)
        err = api_put_tools(&r, true, &ask, &json);
    if (!err)
        err = api_put_format(&r, json_get(json_get(body, "text"), "format"), "text.format", true,
                             &json);
    if (!err)
        err = api_put_thinking(&r, json_get_str(json_get(body, "reasoning"), "effort", STR("")),
                               &json);
    if (!err)
        json_end_object(&json);
    if (!err)
        err = buf_err(&text, why);
    ask.chat = buf_str(&text);
    ask.run.choices = 1;
    if (!err)
        *out = ask;
    return err;
}
