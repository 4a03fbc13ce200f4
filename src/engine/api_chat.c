/* Conversations: messages, tools and formats, checked and written out for the template. */
#include <stdio.h>
#include <string.h>

#include "core/utf8.h"
#include "engine/api_in.h"

/* Known fields that ask for what no engine of texts can do. */
static const struct {
    const char *name, *words;
} impossible[] = {
    {"audio", "this engine does not speak"},
    {"functions", "functions was replaced by tools"},
    {"function_call", "function_call was replaced by tool_choice"},
    {"web_search_options", "this engine does not search the web"},
};

static enum err refuse_impossible(const struct api_reader *r)
{
    const struct json *modalities = json_get(r->body, "modalities");
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++)
        if (json_kind(json_get(r->body, impossible[i].name)) != JSON_KIND_NULL)
            return api_refuse(r, impossible[i].name, "%s", impossible[i].words);
    for (size_t i = 0; i < json_len(modalities); i++)
        if (!str_eq_c(json_str(json_at(modalities, i), STR("")), "text"))
            return api_refuse(r, "modalities", "only the modality \"text\" is offered");
    return ERR_OK;
}

/* ---- messages ---- */

enum err api_put_content(const struct api_reader *r, const struct json *content, const char *param,
                         struct json_out *out)
{
    if (json_kind(content) == JSON_KIND_STRING) {
        json_put_str(out, json_str(content, STR("")));
        return ERR_OK;
    }
    if (json_kind(content) != JSON_KIND_ARRAY)
        return api_refuse(r, param, "content must be a string or a list of parts");
    json_begin_array(out);
    for (size_t i = 0; i < json_len(content); i++) {
        const struct json *part = json_at(content, i), *text = json_get(part, "text");
        struct str type = json_get_str(part, "type", STR(""));
        bool refusal = str_eq_c(type, "refusal");
        if (refusal)
            text = json_get(part, "refusal");
        if ((!refusal && !str_eq_c(type, "text") && !str_eq_c(type, "input_text") &&
             !str_eq_c(type, "output_text")) ||
            json_kind(text) != JSON_KIND_STRING)
            return api_refuse(r, param,
                              "this model reads text: parts of type \"%.*s\" are not "
                              "offered",
                              STR_FMT(utf8_prefix(type, 40)));
        json_begin_object(out);
        json_kv_c(out, "type", "text");
        json_kv_str(out, "text", json_str(text, STR("")));
        json_end_object(out);
    }
    json_end_array(out);
    return ERR_OK;
}

static enum err put_call(const struct api_reader *r, const struct json *call, const char *param,
                         struct json_out *out)
{
    const struct json *function = json_get(call, "function");
    const struct json *arguments = json_get(function, "arguments");
    struct str name = json_get_str(function, "name", STR(""));
    if (!str_eq_c(json_get_str(call, "type", STR("function")), "function") || !name.len)
        return api_refuse(r, param, "a tool call has the type \"function\" and a name");
    if (json_kind(arguments) != JSON_KIND_STRING && json_kind(arguments) != JSON_KIND_OBJECT)
        return api_refuse(r, param, "the arguments of a tool call are a string");
    json_begin_object(out);
    json_kv_c(out, "type", "function");
    if (json_kind(json_get(call, "id")) == JSON_KIND_STRING)
        json_kv_str(out, "id", json_get_str(call, "id", STR("")));
    json_key(out, "function");
    json_begin_object(out);
    json_kv_str(out, "name", name);
    json_key(out, "arguments");
    /* An empty string is what models write for no arguments; templates want an object. */
    if (json_kind(arguments) == JSON_KIND_STRING && !json_str(arguments, STR("")).len)
        json_put_c(out, "{}");
    else
        json_put_value(out, arguments);
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

static enum err put_calls(const struct api_reader *r, const struct json *calls, size_t i,
                          struct json_out *out)
{
    char param[API_PARAM];
    (void)snprintf(param, sizeof param, "messages.%zu.tool_calls", i);
    if (json_kind(calls) != JSON_KIND_ARRAY || json_len(calls) > API_MOST_TOOLS)
        return api_refuse(r, param, "tool_calls must be a list of at most %d", API_MOST_TOOLS);
    json_key(out, "tool_calls");
    json_begin_array(out);
    for (size_t k = 0; k < json_len(calls); k++) {
        enum err err = put_call(r, json_at(calls, k), param, out);
        if (err)
            return err;
    }
    json_end_array(out);
    return ERR_OK;
}

static bool is_role(struct str role)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (str_eq_c(role, roles[i]))
            return true;
    return false;
}

static enum err put_message(const struct api_reader *r, const struct json *message, size_t i,
                            struct json_out *out)
{
    static const char *const kept[] = {"name", "tool_call_id", "reasoning_content"};
    struct str role = json_get_str(message, "role", STR(""));
    const struct json *content = json_get(message, "content");
    const struct json *calls = json_get(message, "tool_calls");
    bool assistant = str_eq_c(role, "assistant"), called = json_len(calls) > 0;
    char param[API_PARAM];
    (void)snprintf(param, sizeof param, "messages.%zu.role", i);
    if (!is_role(role))
        return api_refuse(r, param, "the role must be system, developer, user, assistant or tool");
    (void)snprintf(param, sizeof param, "messages.%zu.content", i);
    json_begin_object(out);
    json_kv_str(out, "role", role);
    json_key(out, "content");
    enum err err = ERR_OK;
    if (json_kind(content) == JSON_KIND_NULL && assistant)
        called ? json_put_null(out) : json_put_c(out, "");
    else
        err = api_put_content(r, content, param, out);
    for (size_t k = 0; !err && k < sizeof kept / sizeof kept[0]; k++)
        if (json_kind(json_get(message, kept[k])) == JSON_KIND_STRING)
            json_kv_str(out, kept[k], json_get_str(message, kept[k], STR("")));
    if (!err && assistant && called)
        err = put_calls(r, calls, i, out);
    if (!err)
        json_end_object(out);
    return err;
}

static enum err put_messages(const struct api_reader *r, struct json_out *out)
{
    const struct json *messages = json_get(r->body, "messages");
    size_t n = json_len(messages);
    if (json_kind(messages) != JSON_KIND_ARRAY || n == 0 || n > API_MOST_MESSAGES)
        return api_refuse(r, "messages", "messages must be a list of 1 to %d", API_MOST_MESSAGES);
    json_key(out, "messages");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        enum err err = put_message(r, json_at(messages, i), i, out);
        if (err)
            return err;
    }
    json_end_array(out);
    return ERR_OK;
}

/* ---- tools ---- */

static bool is_tool_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return name.len > 0 && name.len <= 64;
}

static enum err put_tool(const struct api_reader *r, const struct json *tool, bool flat,
                         const char *param, struct json_out *out)
{
    const struct json *function = flat ? tool : json_get(tool, "function");
    const struct json *parameters = json_get(function, "parameters");
    if (!str_eq_c(json_get_str(tool, "type", STR("")), "function"))
        return api_refuse(r, param, "only tools of type \"function\" are offered");
    if (!is_tool_name(json_get_str(function, "name", STR(""))))
        return api_refuse(r, param, "a tool's name has 1 to 64 letters, digits, \"_\", \"-\"");
    if (json_kind(parameters) != JSON_KIND_NULL && json_kind(parameters) != JSON_KIND_OBJECT)
        return api_refuse(r, param, "a tool's parameters are a JSON schema");
    json_begin_object(out);
    json_kv_c(out, "type", "function");
    json_key(out, "function");
    json_begin_object(out);
    json_kv_str(out, "name", json_get_str(function, "name", STR("")));
    json_kv_str(out, "description", json_get_str(function, "description", STR("")));
    json_key(out, "parameters");
    if (json_len(parameters))
        json_put_value(out, parameters);
    else
        json_put_raw(out, STR("{\"type\":\"object\",\"properties\":{}}"));
    json_end_object(out);
    json_end_object(out);
    return ERR_OK;
}

/* The one tool that must be called, or empty. */
struct choice {
    struct str mode, only;
};

static enum err read_choice(const struct api_reader *r, bool flat, struct choice *out)
{
    const struct json *choice = json_get(r->body, "tool_choice");
    *out = (struct choice){STR("auto"), STR("")};
    if (json_kind(choice) == JSON_KIND_STRING) {
        out->mode = json_str(choice, STR(""));
        if (str_eq_c(out->mode, "auto") || str_eq_c(out->mode, "none") ||
            str_eq_c(out->mode, "required"))
            return ERR_OK;
        return api_refuse(r, "tool_choice", "tool_choice must be auto, none, required or a tool");
    }
    if (json_kind(choice) == JSON_KIND_NULL)
        return ERR_OK;
    const struct json *named = flat ? choice : json_get(choice, "function");
    out->mode = STR("required");
    out->only = json_get_str(named, "name", STR(""));
    if (!str_eq_c(json_get_str(choice, "type", STR("")), "function") || !out->only.len)
        return api_refuse(r, "tool_choice", "a tool_choice names a tool of type \"function\"");
    return ERR_OK;
}

static enum err put_tool_list(const struct api_reader *r, bool flat, const struct choice *choice,
                              struct json_out *out, size_t *n_put)
{
    const struct json *tools = json_get(r->body, "tools");
    *n_put = 0;
    json_key(out, "tools");
    json_begin_array(out);
    for (size_t i = 0; i < json_len(tools); i++) {
        const struct json *tool = json_at(tools, i);
        char param[API_PARAM];
        (void)snprintf(param, sizeof param, "tools.%zu", i);
        struct str name = json_get_str(flat ? tool : json_get(tool, "function"), "name", STR(""));
        if (choice->only.len && !str_eq(choice->only, name))
            continue;
        enum err err = put_tool(r, tool, flat, param, out);
        if (err)
            return err;
        ++*n_put;
    }
    json_end_array(out);
    return ERR_OK;
}

enum err api_put_tools(const struct api_reader *r, bool flat, struct api_ask *ask,
                       struct json_out *out)
{
    const struct json *tools = json_get(r->body, "tools");
    struct choice choice;
    size_t n = 0;
    ask->parallel = true;
    enum err err = read_choice(r, flat, &choice);
    if (!err)
        err = api_bool(r, "parallel_tool_calls", &ask->parallel);
    if (err)
        return err;
    if (json_kind(tools) != JSON_KIND_NULL &&
        (json_kind(tools) != JSON_KIND_ARRAY || json_len(tools) > API_MOST_TOOLS))
        return api_refuse(r, "tools", "tools must be a list of at most %d", API_MOST_TOOLS);
    if (json_len(tools) == 0)
        return str_eq_c(choice.mode, "required")
                   ? api_refuse(r, "tool_choice", "tool_choice asks for a tool, but there is none")
                   : ERR_OK;
    err = put_tool_list(r, flat, &choice, out, &n);
    if (!err && n == 0)
        err = api_refuse(r, "tool_choice", "there is no tool \"%.*s\"",
                         STR_FMT(utf8_prefix(choice.only, 64)));
    if (err)
        return err;
    json_kv_str(out, "tool_choice", choice.mode);
    json_kv_bool(out, "parallel_tool_calls", ask->parallel);
    ask->tools = !str_eq_c(choice.mode, "none");
    return ERR_OK;
}

/* ---- formats, thinking ---- */

enum err api_put_format(const struct api_reader *r, const struct json *format, const char *param,
                        bool flat, struct json_out *out)
{
    struct str type = json_get_str(format, "type", STR(""));
    const struct json *schema = json_get(flat ? format : json_get(format, "json_schema"), "schema");
    if (json_kind(format) == JSON_KIND_NULL || str_eq_c(type, "text"))
        return ERR_OK;
    if (str_eq_c(type, "json_object"))
        schema = json_get(format, "schema"); /* llama.cpp's and others' extension */
    else if (!str_eq_c(type, "json_schema"))
        return api_refuse(r, param, "the format must be text, json_object or json_schema");
    else if (json_kind(schema) != JSON_KIND_OBJECT)
        return api_refuse(r, param, "the format json_schema needs a schema");
    json_key(out, "schema");
    if (json_len(schema))
        json_put_value(out, schema);
    else
        json_put_raw(out, STR("{\"type\":\"object\"}"));
    return ERR_OK;
}

/* "none" ends thinking; other efforts are the template's to understand. */
enum err api_put_thinking(const struct api_reader *r, struct str effort, struct json_out *out)
{
    const struct json *kwargs = json_get(r->body, "chat_template_kwargs"), *value;
    bool thinking = !str_eq_c(effort, "none");
    struct str key;
    void *iter = NULL;
    if (json_kind(kwargs) != JSON_KIND_NULL && json_kind(kwargs) != JSON_KIND_OBJECT)
        return api_refuse(r, "chat_template_kwargs", "chat_template_kwargs must be an object");
    thinking = json_get_bool(kwargs, "enable_thinking", thinking);
    json_kv_bool(out, "thinking", thinking);
    json_key(out, "template_kwargs");
    json_begin_object(out);
    if (effort.len && thinking)
        json_kv_str(out, "reasoning_effort", effort);
    while (json_each(kwargs, &iter, &key, &value)) {
        char *name = str_z(r->arena, key);
        if (!name)
            return api_no_memory(r);
        if (strcmp(name, "reasoning_effort") == 0 && effort.len)
            continue;
        json_key(out, name);
        json_put_value(out, value);
    }
    json_end_object(out);
    return ERR_OK;
}

/* ---- a chat ---- */

static enum err read_logprobs(const struct api_reader *r, struct run_request *out)
{
    int64_t tops = 0;
    enum err err = api_bool(r, "logprobs", &out->logprobs);
    if (!err)
        err = api_int(r, "top_logprobs", 0, RUN_MAX_TOPS, &tops);
    if (!err && tops && !out->logprobs)
        err = api_refuse(r, "top_logprobs", "top_logprobs need logprobs: true");
    out->n_tops = (uint32_t)tops;
    return err;
}

static enum err put_chat(const struct api_reader *r, struct api_ask *ask, struct json_out *out)
{
    const struct json *schema = json_get(r->body, "json_schema");
    struct str effort = STR("");
    json_begin_object(out);
    enum err err = put_messages(r, out);
    if (!err)
        err = api_put_tools(r, false, ask, out);
    if (!err)
        err =
            api_put_format(r, json_get(r->body, "response_format"), "response_format", false, out);
    if (!err && json_kind(schema) == JSON_KIND_OBJECT &&
        json_kind(json_get(r->body, "response_format")) == JSON_KIND_NULL) {
        json_key(out, "schema");
        json_put_value(out, schema);
    }
    if (!err)
        err = api_str(r, "reasoning_effort", &effort);
    if (!err)
        err = api_put_thinking(r, effort, out);
    if (!err && ask->run.grammar.gbnf.len)
        json_kv_str(out, "grammar", ask->run.grammar.gbnf);
    if (!err)
        json_end_object(out);
    return err;
}

enum err api_read_chat(const struct json *body, struct arena *arena, struct api_ask *out,
                       struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    struct api_ask ask = {.kind = API_CHAT};
    struct json_out json;
    struct buf text;
    buf_init(&text, arena);
    json_out_init(&json, &text);
    enum err err = api_read_common(&r, &ask);
    if (!err)
        err = refuse_impossible(&r);
    if (!err)
        err = read_logprobs(&r, &ask.run);
    if (!err)
        err = put_chat(&r, &ask, &json);
    if (!err && ask.tools && ask.run.grammar.gbnf.len)
        err = api_refuse(&r, "grammar", "grammar and tools exclude each other");
    if (!err)
        err = buf_err(&text, why);
    ask.chat = buf_str(&text);
    if (!err)
        *out = ask;
    return err;
}
