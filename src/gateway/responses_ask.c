/* The request: input items become messages, tools and formats take chat's shapes. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "gateway/responses.h"
#include "gateway/scan.h"

struct work {
    struct json_out out;
    struct arena *arena;
    char *param;
    struct why *why;
    bool in_calls; /* a message with tool calls is open */
};

static enum err refuse(struct work *w, struct str param, struct str what)
{
    (void)snprintf(w->param, ASK_PARAM, "%.*s", STR_FMT(param));
    return err_set(w->why, ERR_INVALID, "the server of this model does not take \"%.*s\"",
                   STR_FMT(str_slice(what, 0, 60)));
}

/* A raw string without its quotes, for words to people and comparisons. */
static struct str bare(struct str raw)
{
    bool quoted = raw.len >= 2 && raw.ptr[0] == '"';
    return quoted ? str_slice(raw, 1, raw.len - 1) : raw;
}

static bool is_text(struct str type)
{
    return str_eq_c(type, "\"input_text\"") || str_eq_c(type, "\"output_text\"") ||
           str_eq_c(type, "\"text\"") || str_eq_c(type, "\"refusal\"");
}

static struct str text_of(struct str part)
{
    struct str text = scan_get(part, "text");
    return text.ptr ? text : scan_get(part, "refusal");
}

/* ---- contents ---- */

static enum err put_picture(struct work *w, struct str part)
{
    struct str url = scan_get(part, "image_url"), detail = scan_get(part, "detail");
    if (scan_is_null(url))
        return refuse(w, STR("input"), STR("file_id"));
    json_begin_object(&w->out);
    json_kv_c(&w->out, "type", "image_url");
    json_key(&w->out, "image_url");
    json_begin_object(&w->out);
    json_kv_raw(&w->out, "url", url);
    if (!scan_is_null(detail))
        json_kv_raw(&w->out, "detail", detail);
    json_end_object(&w->out);
    json_end_object(&w->out);
    return ERR_OK;
}

static enum err put_parts(struct work *w, struct str parts)
{
    struct scan scan;
    struct str key, part;
    enum err err = ERR_OK;
    json_begin_array(&w->out);
    for (bool any = scan_array(&scan, parts); any && !err && scan_next(&scan, &key, &part);) {
        struct str type = scan_get(part, "type");
        if (is_text(type)) {
            json_begin_object(&w->out);
            json_kv_c(&w->out, "type", "text");
            json_kv_raw(&w->out, "text", text_of(part));
            json_end_object(&w->out);
        } else if (str_eq_c(type, "\"input_image\"")) {
            err = put_picture(w, part);
        } else {
            err = refuse(w, STR("input"), bare(type));
        }
    }
    json_end_array(&w->out);
    return err;
}

/* Texts alone are one text: many servers take nothing else. */
static enum err put_content(struct work *w, struct str content)
{
    struct scan scan;
    struct str key, part;
    struct buf text;
    bool plain = true;
    if (scan_is_null(content) || content.ptr[0] == '"') {
        json_put_raw(&w->out, scan_is_null(content) ? STR("\"\"") : content);
        return ERR_OK;
    }
    buf_init(&text, w->arena);
    for (bool any = scan_array(&scan, content); any && scan_next(&scan, &key, &part);) {
        plain &= is_text(scan_get(part, "type"));
        scan_put(text_of(part), &text);
    }
    if (!plain)
        return put_parts(w, content);
    json_put_str(&w->out, buf_str(&text));
    return buf_err(&text, w->why);
}

/* ---- items ---- */

static void end_calls(struct work *w)
{
    if (!w->in_calls)
        return;
    json_end_array(&w->out);
    json_end_object(&w->out);
    w->in_calls = false;
}

/* Calls that stand in a row are those of one answer. */
static void put_call(struct work *w, struct str item)
{
    if (!w->in_calls) {
        json_begin_object(&w->out);
        json_kv_c(&w->out, "role", "assistant");
        json_kv_c(&w->out, "content", NULL);
        json_key(&w->out, "tool_calls");
        json_begin_array(&w->out);
        w->in_calls = true;
    }
    json_begin_object(&w->out);
    json_kv_raw(&w->out, "id", scan_get(item, "call_id"));
    json_kv_c(&w->out, "type", "function");
    json_key(&w->out, "function");
    json_begin_object(&w->out);
    json_kv_raw(&w->out, "name", scan_get(item, "name"));
    json_kv_raw(&w->out, "arguments", scan_get(item, "arguments"));
    json_end_object(&w->out);
    json_end_object(&w->out);
}

static enum err put_output(struct work *w, struct str item)
{
    json_begin_object(&w->out);
    json_kv_c(&w->out, "role", "tool");
    json_kv_raw(&w->out, "tool_call_id", scan_get(item, "call_id"));
    json_key(&w->out, "content");
    enum err err = put_content(w, scan_get(item, "output"));
    json_end_object(&w->out);
    return err;
}

static enum err put_message(struct work *w, struct str item)
{
    struct str role = scan_get(item, "role");
    if (role.len == 0 || role.ptr[0] != '"')
        return refuse(w, STR("input"), STR("role"));
    json_begin_object(&w->out);
    json_kv_raw(&w->out, "role", str_eq_c(role, "\"developer\"") ? STR("\"system\"") : role);
    json_key(&w->out, "content");
    enum err err = put_content(w, scan_get(item, "content"));
    json_end_object(&w->out);
    return err;
}

static enum err put_item(struct work *w, struct str item)
{
    struct str type = scan_get(item, "type");
    if (str_eq_c(type, "\"function_call\"")) {
        put_call(w, item);
        return ERR_OK;
    }
    end_calls(w);
    if (str_eq_c(type, "\"function_call_output\""))
        return put_output(w, item);
    if (str_eq_c(type, "\"reasoning\"")) /* of an earlier answer: chat does not take it back */
        return ERR_OK;
    if (scan_is_null(type) || str_eq_c(type, "\"message\""))
        return put_message(w, item);
    return refuse(w, STR("input"), bare(type));
}

static enum err put_messages(struct work *w, struct str instructions, struct str input)
{
    struct scan scan;
    struct str key, item;
    enum err err = ERR_OK;
    json_key(&w->out, "messages");
    json_begin_array(&w->out);
    if (!scan_is_null(instructions)) {
        json_begin_object(&w->out);
        json_kv_c(&w->out, "role", "system");
        json_key(&w->out, "content");
        err = put_content(w, instructions);
        json_end_object(&w->out);
    }
    if (!err && input.ptr[0] == '"') {
        json_begin_object(&w->out);
        json_kv_c(&w->out, "role", "user");
        json_kv_raw(&w->out, "content", input);
        json_end_object(&w->out);
    } else if (!err && scan_array(&scan, input)) {
        while (!err && scan_next(&scan, &key, &item))
            err = put_item(w, item);
        end_calls(w);
    } else if (!err) {
        err = refuse(w, STR("input"), str_slice(input, 0, 60));
    }
    json_end_array(&w->out);
    return err;
}

/* ---- tools and formats ---- */

/* {"type":"function","name":...} -> {"type":"function","function":{"name":...}} */
static void put_function(struct work *w, struct str tool)
{
    struct scan scan;
    struct str key, value;
    json_begin_object(&w->out);
    json_kv_c(&w->out, "type", "function");
    json_key(&w->out, "function");
    json_begin_object(&w->out);
    for (bool any = scan_object(&scan, tool); any && scan_next(&scan, &key, &value);)
        if (str_eq_c(key, "name") || str_eq_c(key, "description") || str_eq_c(key, "parameters") ||
            str_eq_c(key, "strict"))
            if (!scan_is_null(value)) {
                const char *name = str_z(w->arena, key);
                json_kv_raw(&w->out, name ? name : "name", value);
            }
    json_end_object(&w->out);
    json_end_object(&w->out);
}

static enum err put_tools(struct work *w, struct str tools)
{
    struct scan scan;
    struct str key, tool;
    enum err err = ERR_OK;
    json_key(&w->out, "tools");
    json_begin_array(&w->out);
    for (bool any = scan_array(&scan, tools); any && !err && scan_next(&scan, &key, &tool);) {
        struct str type = scan_get(tool, "type");
        if (str_eq_c(type, "\"function\""))
            put_function(w, tool);
        else
            err = refuse(w, STR("tools"), bare(type));
    }
    json_end_array(&w->out);
    return err;
}

static enum err put_choice(struct work *w, struct str choice)
{
    struct str type = scan_get(choice, "type");
    bool name = choice.ptr[0] == '"';
    if (!name && !str_eq_c(type, "\"function\""))
        return refuse(w, STR("tool_choice"), bare(type));
    json_key(&w->out, "tool_choice");
    if (name)
        json_put_raw(&w->out, choice);
    else
        put_function(w, choice);
    return ERR_OK;
}

static enum err put_format(struct work *w, struct str text)
{
    struct str format = scan_get(text, "format"), type = scan_get(format, "type"), key, value;
    struct scan scan;
    if (scan_is_null(format) || str_eq_c(type, "\"text\""))
        return ERR_OK;
    if (str_eq_c(type, "\"json_object\"")) {
        json_kv_raw(&w->out, "response_format", STR("{\"type\":\"json_object\"}"));
        return ERR_OK;
    }
    if (!str_eq_c(type, "\"json_schema\""))
        return refuse(w, STR("text.format"), bare(type));
    json_key(&w->out, "response_format");
    json_begin_object(&w->out);
    json_kv_c(&w->out, "type", "json_schema");
    json_key(&w->out, "json_schema");
    json_begin_object(&w->out);
    for (bool any = scan_object(&scan, format); any && scan_next(&scan, &key, &value);) {
        const char *name = str_z(w->arena, key);
        if (name && !str_eq_c(key, "type") && !scan_is_null(value))
            json_kv_raw(&w->out, name, value);
    }
    json_end_object(&w->out);
    json_end_object(&w->out);
    return ERR_OK;
}

/* ---- the members ---- */

/* What chat knows by the same name. */
static bool passes(struct str key)
{
    static const struct str same[] = {STR_INIT("temperature"),
                                      STR_INIT("top_p"),
                                      STR_INIT("presence_penalty"),
                                      STR_INIT("frequency_penalty"),
                                      STR_INIT("seed"),
                                      STR_INIT("stop"),
                                      STR_INIT("user"),
                                      STR_INIT("parallel_tool_calls"),
                                      STR_INIT("service_tier"),
                                      STR_INIT("metadata"),
                                      STR_INIT("safety_identifier"),
                                      STR_INIT("chat_template_kwargs")};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        if (str_eq(key, same[i]))
            return true;
    return false;
}

static enum err put_member(struct work *w, struct str key, struct str value)
{
    if (scan_is_null(value))
        return ERR_OK;
    if (passes(key)) {
        const char *name = str_z(w->arena, key);
        json_kv_raw(&w->out, name ? name : "user", value);
    } else if (str_eq_c(key, "max_output_tokens")) {
        json_kv_raw(&w->out, "max_tokens", value);
    } else if (str_eq_c(key, "tools")) {
        return put_tools(w, value);
    } else if (str_eq_c(key, "tool_choice")) {
        return put_choice(w, value);
    } else if (str_eq_c(key, "text")) {
        return put_format(w, value);
    } else if (str_eq_c(key, "reasoning")) {
        struct str effort = scan_get(value, "effort");
        if (!scan_is_null(effort))
            json_kv_raw(&w->out, "reasoning_effort", effort);
    } else if (str_eq_c(key, "previous_response_id") || str_eq_c(key, "conversation") ||
               str_eq_c(key, "prompt") || (str_eq_c(key, "background") && scan_is_true(value))) {
        return refuse(w, key, key);
    }
    return ERR_OK; /* "store", "include", "truncation": nothing to be done */
}

enum err responses_ask(const struct ask *ask, struct str name, struct arena *arena, struct str *out,
                       char param[ASK_PARAM], struct why *why)
{
    struct work w = {.arena = arena, .param = param, .why = why};
    struct scan scan;
    struct str key, value;
    struct buf buf;
    param[0] = '\0';
    buf_init(&buf, arena);
    json_out_init(&w.out, &buf);
    json_begin_object(&w.out);
    json_kv_str(&w.out, "model", name);
    enum err err = put_messages(&w, scan_get(ask->body, "instructions"), ask->prompt_raw);
    for (bool any = scan_object(&scan, ask->body); any && !err && scan_next(&scan, &key, &value);)
        err = put_member(&w, key, value);
    if (err)
        return err;
    if (ask->stream) {
        json_kv_bool(&w.out, "stream", true);
        json_kv_raw(&w.out, "stream_options", STR("{\"include_usage\":true}"));
    }
    json_end_object(&w.out);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}
