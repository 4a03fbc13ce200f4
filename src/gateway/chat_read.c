#include <stdio.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "gateway/chat.h"

static enum err fault(char param[CHAT_PARAM], const char *name, struct why *why, const char *words)
{
    (void)snprintf(param, CHAT_PARAM, "%s", name);
    return err_set(why, ERR_INVALID, "%s", words);
}

/* ["text", ...] joined: clients that can send pictures send text as parts too. */
static enum err join_parts(const struct json *parts, const char *name, struct arena *arena,
                           struct str *out, char param[CHAT_PARAM], struct why *why)
{
    struct buf buf;
    buf_init(&buf, arena);
    for (size_t i = 0; i < json_len(parts); i++) {
        const struct json *part = json_at(parts, i), *text = json_get(part, "text");
        struct str type = json_get_str(part, "type", STR(""));
        if (!str_eq_c(type, "text") || json_kind(text) != JSON_KIND_STRING)
            return fault(param, name, why, "only parts of type \"text\" are understood");
        if (buf.len)
            buf_char(&buf, '\n');
        buf_add(&buf, json_str(text, STR("")));
    }
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err read_content(const struct json *message, struct str role, size_t i,
                             struct arena *arena, struct str *out, char param[CHAT_PARAM],
                             struct why *why)
{
    const struct json *content = json_get(message, "content");
    char name[CHAT_PARAM];
    (void)snprintf(name, sizeof name, "messages.%zu.content", i);
    *out = STR("");
    switch (json_kind(content)) {
    case JSON_KIND_STRING:
        *out = json_str(content, STR(""));
        return ERR_OK;
    case JSON_KIND_ARRAY:
        return join_parts(content, name, arena, out, param, why);
    case JSON_KIND_NULL:
        if (str_eq_c(role, "assistant"))
            return ERR_OK;
        return fault(param, name, why, "the content of a message is missing");
    default:
        return fault(param, name, why, "the content of a message is neither text nor parts");
    }
}

static bool known_role(struct str role)
{
    static const char *const roles[] = {"system",    "developer", "user",
                                        "assistant", "tool",      "function"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (str_eq_c(role, roles[i]))
            return true;
    return false;
}

/* A knowledge base answers from its sources: what a system message demands has no say in it. */
static bool is_turn(struct str role)
{
    return str_eq_c(role, "user") || str_eq_c(role, "assistant");
}

static enum err read_messages(const struct json *list, struct arena *arena,
                              struct chat_request *out, char param[CHAT_PARAM], struct why *why)
{
    size_t n = json_len(list);
    struct str role = STR("");
    if (json_kind(list) != JSON_KIND_ARRAY || n == 0 || n > CHAT_MOST_MEMBER)
        return fault(param, "messages", why, "\"messages\" is no list of messages");
    struct knowledge_turn *turns = arena_array(arena, struct knowledge_turn, n);
    if (!turns)
        return err_set(why, ERR_NO_MEMORY, "could not hold the messages");
    for (size_t i = 0; i < n; i++) {
        struct str text;
        char name[CHAT_PARAM];
        role = json_get_str(json_at(list, i), "role", STR(""));
        (void)snprintf(name, sizeof name, "messages.%zu.role", i);
        if (!known_role(role))
            return fault(param, name, why, "the role of a message is not known");
        enum err err = read_content(json_at(list, i), role, i, arena, &text, param, why);
        if (err)
            return err;
        out->n_prompt += utf8_count(text);
        if (is_turn(role))
            turns[out->n_turns++] = (struct knowledge_turn){role, text};
    }
    if (!str_eq_c(role, "user"))
        return fault(param, "messages", why, "the last message is not from the user");
    out->question = str_trim_space(turns[--out->n_turns].text);
    if (out->question.len == 0)
        return fault(param, "messages", why, "the last message holds no question");
    size_t skip = out->n_turns > CHAT_MOST_TURNS ? out->n_turns - CHAT_MOST_TURNS : 0;
    out->turns = turns + skip;
    out->n_turns -= skip;
    return ERR_OK;
}

static enum err read_model(const struct json *body, struct arena *arena, struct chat_request *out,
                           char param[CHAT_PARAM], struct why *why)
{
    const struct json *model = json_get(body, "model");
    if (json_kind(model) != JSON_KIND_STRING)
        return fault(param, "model", why, "\"model\" is missing");
    out->model = json_str(model, STR(""));
    if (!str_starts(out->model, STR("kb:")) || out->model.len == 3) {
        (void)snprintf(param, CHAT_PARAM, "model");
        err_hint(why, "the models are named kb:<knowledge base>; GET /v1/models lists them");
        return err_set(why, ERR_NOT_FOUND, "the model \"%.*s\" does not exist",
                       STR_FMT(utf8_prefix(out->model, 60)));
    }
    out->base = str_z(arena, str_from(out->model, 3));
    return out->base ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold the model's name");
}

static enum err read_options(const struct json *body, struct chat_request *out,
                             char param[CHAT_PARAM], struct why *why)
{
    struct str day = json_get_str(body, "as_of", STR(""));
    out->stream = json_get_bool(body, "stream", false);
    out->include_usage = json_get_bool(json_get(body, "stream_options"), "include_usage", false);
    if (json_get_int(body, "n", 1) != 1)
        return fault(param, "n", why, "one answer is given to a question: \"n\" must be 1");
    if (day.len && !day_parse(day, &out->as_of))
        return fault(param, "as_of", why, "\"as_of\" is no date");
    return ERR_OK;
}

enum err chat_read(const struct json *body, struct arena *arena, struct chat_request *out,
                   char param[CHAT_PARAM], struct why *why)
{
    struct chat_request request = {.as_of = DAY_NONE};
    param[0] = '\0';
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body is no JSON object");
    enum err err = read_model(body, arena, &request, param, why);
    if (!err)
        err = read_messages(json_get(body, "messages"), arena, &request, param, why);
    if (!err)
        err = read_options(body, &request, param, why);
    if (!err)
        *out = request;
    return err;
}
