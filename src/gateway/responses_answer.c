/* The answer: a chat completion, or its chunks, as a response or its events. */
#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "gateway/responses.h"
#include "gateway/scan.h"

#define MOST_CALLS 64
#define NONE       SIZE_MAX

struct call {
    struct buf arguments;
    struct str id, name;
    size_t place;
};

struct responses {
    struct arena *arena;
    const struct ask *ask;
    struct str name, id;
    int64_t created, sequence;
    struct buf text, thought, scratch;
    struct call calls[MOST_CALLS];
    size_t n_calls, n_items, message, thinking; /* places in the output, or NONE */
    bool opened, cut;                           /* cut: the most tokens were reached */
};

/* Who gets events; NULL while a whole answer is read. */
struct sink {
    responses_emit *emit;
    void *ctx;
    struct why *why;
    enum err err;
};

struct responses *responses_new(const struct ask *ask, struct str name, struct str id,
                                int64_t created, struct arena *arena)
{
    struct responses *r = arena_one(arena, struct responses);
    if (!r)
        return NULL;
    *r = (struct responses){.arena = arena,
                            .ask = ask,
                            .name = name,
                            .id = id,
                            .created = created,
                            .message = NONE,
                            .thinking = NONE};
    buf_init(&r->text, arena);
    buf_init(&r->thought, arena);
    buf_init(&r->scratch, arena);
    return r;
}

/* ---- what it is made of ---- */

static void put_id(const struct responses *r, const char *key, const char *kind, size_t place,
                   struct json_out *out)
{
    char text[80];
    (void)snprintf(text, sizeof text, "%s_%.*s%02zu", kind, STR_FMT(str_slice(r->id, 0, 40)),
                   place);
    json_kv_c(out, key, text);
}

static void put_text_part(struct str text, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "type", "output_text");
    json_kv_str(out, "text", text);
    json_kv_raw(out, "annotations", STR("[]"));
    json_kv_raw(out, "logprobs", STR("[]"));
    json_end_object(out);
}

static void put_message(const struct responses *r, size_t place, bool done, struct json_out *out)
{
    json_begin_object(out);
    put_id(r, "id", "msg", place, out);
    json_kv_c(out, "type", "message");
    json_kv_c(out, "status", !done ? "in_progress" : r->cut ? "incomplete" : "completed");
    json_kv_c(out, "role", "assistant");
    json_key(out, "content");
    json_begin_array(out);
    if (done)
        put_text_part(buf_str(&r->text), out);
    json_end_array(out);
    json_end_object(out);
}

static void put_thought(const struct responses *r, size_t place, bool done, struct json_out *out)
{
    json_begin_object(out);
    put_id(r, "id", "rs", place, out);
    json_kv_c(out, "type", "reasoning");
    json_kv_raw(out, "summary", STR("[]"));
    json_key(out, "content");
    json_begin_array(out);
    if (done) {
        json_begin_object(out);
        json_kv_c(out, "type", "reasoning_text");
        json_kv_str(out, "text", buf_str(&r->thought));
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
}

static void put_call(const struct responses *r, const struct call *call, bool done,
                     struct json_out *out)
{
    json_begin_object(out);
    put_id(r, "id", "fc", call->place, out);
    json_kv_c(out, "type", "function_call");
    json_kv_c(out, "status", done ? "completed" : "in_progress");
    json_kv_str(out, "call_id", call->id);
    json_kv_str(out, "name", call->name);
    json_kv_str(out, "arguments", done ? buf_str(&call->arguments) : STR(""));
    json_end_object(out);
}

/* The item that stands at a place of the output. */
static void put_item(const struct responses *r, size_t place, bool done, struct json_out *out)
{
    if (place == r->message)
        put_message(r, place, done, out);
    else if (place == r->thinking)
        put_thought(r, place, done, out);
    for (size_t i = 0; i < r->n_calls; i++)
        if (r->calls[i].place == place)
            put_call(r, &r->calls[i], done, out);
}

static void put_usage(const struct reply_usage *usage, struct json_out *out)
{
    json_key(out, "usage");
    if (!usage || !usage->known) {
        json_put_null(out);
        return;
    }
    json_begin_object(out);
    json_kv_int(out, "input_tokens", usage->prompt);
    json_key(out, "input_tokens_details");
    json_begin_object(out);
    json_kv_int(out, "cached_tokens", usage->cached);
    json_end_object(out);
    json_kv_int(out, "output_tokens", usage->completion);
    json_kv_raw(out, "output_tokens_details", STR("{\"reasoning_tokens\":0}"));
    json_kv_int(out, "total_tokens", usage->prompt + usage->completion);
    json_end_object(out);
}

/* What was asked stands in the answer too, or what counts when it was not said. */
static void put_asked(const struct responses *r, struct json_out *out)
{
    static const struct {
        const char *name;
        struct str otherwise;
    } members[] = {
        {"instructions", STR_INIT("null")},
        {"max_output_tokens", STR_INIT("null")},
        {"temperature", STR_INIT("null")},
        {"top_p", STR_INIT("null")},
        {"user", STR_INIT("null")},
        {"metadata", STR_INIT("{}")},
        {"parallel_tool_calls", STR_INIT("true")},
        {"tool_choice", STR_INIT("\"auto\"")},
        {"tools", STR_INIT("[]")},
        {"text", STR_INIT("{\"format\":{\"type\":\"text\"}}")},
        {"reasoning", STR_INIT("{\"effort\":null,\"summary\":null}")},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str value = scan_get(r->ask->body, members[i].name);
        json_kv_raw(out, members[i].name, scan_is_null(value) ? members[i].otherwise : value);
    }
    json_kv_c(out, "previous_response_id", NULL);
    json_kv_bool(out, "store", false);
    json_kv_c(out, "truncation", "disabled");
}

static void put_response(const struct responses *r, bool done, const struct reply_usage *usage,
                         struct json_out *out)
{
    bool cut = done && r->cut;
    json_begin_object(out);
    json_kv_str(out, "id", str_printf(r->arena, "resp_%.*s", STR_FMT(r->id)));
    json_kv_c(out, "object", "response");
    json_kv_int(out, "created_at", r->created);
    json_kv_c(out, "status", !done ? "in_progress" : cut ? "incomplete" : "completed");
    json_kv_c(out, "error", NULL);
    json_kv_raw(out, "incomplete_details",
                cut ? STR("{\"reason\":\"max_output_tokens\"}") : STR("null"));
    json_kv_str(out, "model", r->name);
    json_key(out, "output");
    json_begin_array(out);
    for (size_t place = 0; done && place < r->n_items; place++)
        put_item(r, place, true, out);
    json_end_array(out);
    put_asked(r, out);
    put_usage(done ? usage : NULL, out);
    json_end_object(out);
}

/* ---- events ---- */

static struct json_out *begin(struct responses *r, struct json_out *out, const char *type)
{
    buf_clear(&r->scratch);
    json_out_init(out, &r->scratch);
    json_begin_object(out);
    json_kv_c(out, "type", type);
    json_kv_int(out, "sequence_number", r->sequence++);
    return out;
}

static void end(struct responses *r, struct sink *sink, struct json_out *out, const char *type)
{
    json_end_object(out);
    if (!sink->err)
        sink->err = buf_err(&r->scratch, sink->why);
    if (!sink->err)
        sink->err = sink->emit(sink->ctx, str_c(type), buf_str(&r->scratch), sink->why);
}

static void say_response(struct responses *r, struct sink *sink, const char *type, bool done,
                         const struct reply_usage *usage)
{
    struct json_out out;
    json_key(begin(r, &out, type), "response");
    put_response(r, done, usage, &out);
    end(r, sink, &out, type);
}

static void say_item(struct responses *r, struct sink *sink, const char *type, size_t place,
                     bool done)
{
    struct json_out out;
    json_kv_int(begin(r, &out, type), "output_index", (int64_t)place);
    json_key(&out, "item");
    put_item(r, place, done, &out);
    end(r, sink, &out, type);
}

/* `kind`: "msg", "rs" or "fc"; key NULL: the text as a part of the message. */
static void say_text(struct responses *r, struct sink *sink, const char *type, const char *kind,
                     size_t place, const char *key, struct str text)
{
    struct json_out out;
    put_id(r, "item_id", kind, place, begin(r, &out, type));
    json_kv_int(&out, "output_index", (int64_t)place);
    if (kind[0] != 'f')
        json_kv_int(&out, "content_index", 0);
    if (key) {
        json_kv_str(&out, key, text);
    } else {
        json_key(&out, "part");
        put_text_part(text, &out);
    }
    if (key && kind[0] == 'm')
        json_kv_raw(&out, "logprobs", STR("[]"));
    end(r, sink, &out, type);
}

static void open_stream(struct responses *r, struct sink *sink)
{
    if (!sink || r->opened)
        return;
    r->opened = true;
    say_response(r, sink, "response.created", false, NULL);
    say_response(r, sink, "response.in_progress", false, NULL);
}

/* ---- what comes ---- */

static void take_text(struct responses *r, struct sink *sink, struct str raw)
{
    size_t before = r->text.len;
    scan_put(raw, &r->text);
    struct str text = str_from(buf_str(&r->text), before);
    if (text.len == 0)
        return;
    if (r->message == NONE) {
        r->message = r->n_items++;
        if (sink) {
            say_item(r, sink, "response.output_item.added", r->message, false);
            say_text(r, sink, "response.content_part.added", "msg", r->message, NULL, STR(""));
        }
    }
    if (sink)
        say_text(r, sink, "response.output_text.delta", "msg", r->message, "delta", text);
}

static void take_thought(struct responses *r, struct sink *sink, struct str raw)
{
    size_t before = r->thought.len;
    scan_put(raw, &r->thought);
    struct str text = str_from(buf_str(&r->thought), before);
    if (text.len == 0)
        return;
    if (r->thinking == NONE) {
        r->thinking = r->n_items++;
        if (sink)
            say_item(r, sink, "response.output_item.added", r->thinking, false);
    }
    if (sink)
        say_text(r, sink, "response.reasoning_text.delta", "rs", r->thinking, "delta", text);
}

static struct str own(struct responses *r, struct str raw, struct str otherwise)
{
    struct str text = str_copy(r->arena, scan_str(raw, r->arena));
    return text.len ? text : otherwise;
}

/* One call, or a piece of one; `at`: which, when it does not say. */
static void take_call(struct responses *r, struct sink *sink, struct str raw, size_t at)
{
    struct str function = scan_get(raw, "function");
    int64_t index = scan_int(scan_get(raw, "index"), (int64_t)at);
    if (index < 0 || index > (int64_t)r->n_calls || index >= MOST_CALLS)
        return;
    struct call *call = &r->calls[index];
    if (index == (int64_t)r->n_calls) {
        r->n_calls++;
        call->id = own(r, scan_get(raw, "id"),
                       str_printf(r->arena, "call_%.*s%02d", STR_FMT(r->id), (int)index));
        call->name = own(r, scan_get(function, "name"), STR(""));
        call->place = r->n_items++;
        buf_init(&call->arguments, r->arena);
        if (sink)
            say_item(r, sink, "response.output_item.added", call->place, false);
    }
    size_t before = call->arguments.len;
    scan_put(scan_get(function, "arguments"), &call->arguments);
    struct str text = str_from(buf_str(&call->arguments), before);
    if (sink && text.len)
        say_text(r, sink, "response.function_call_arguments.delta", "fc", call->place, "delta",
                 text);
}

/* A message or a delta of one. */
static void take_message(struct responses *r, struct sink *sink, struct str message)
{
    struct scan scan, calls;
    struct str key, value, none, item;
    for (bool any = scan_object(&scan, message); any && scan_next(&scan, &key, &value);) {
        size_t at = 0;
        if (str_eq_c(key, "content") || str_eq_c(key, "refusal"))
            take_text(r, sink, value);
        else if (str_eq_c(key, "reasoning_content") || str_eq_c(key, "reasoning"))
            take_thought(r, sink, value);
        else if (str_eq_c(key, "tool_calls") && scan_array(&calls, value))
            while (scan_next(&calls, &none, &item))
                take_call(r, sink, item, at++);
    }
}

/* The first choice; false when there is none. */
static bool first_choice(struct str text, struct str *choice)
{
    struct scan scan;
    struct str key;
    return scan_array(&scan, scan_get(text, "choices")) && scan_next(&scan, &key, choice);
}

static bool is_cut(struct str choice)
{
    return str_eq_c(scan_get(choice, "finish_reason"), "\"length\"");
}

static enum err held(const struct responses *r, struct why *why)
{
    enum err err = buf_err(&r->text, why);
    if (!err)
        err = buf_err(&r->thought, why);
    for (size_t i = 0; i < r->n_calls && !err; i++)
        err = buf_err(&r->calls[i].arguments, why);
    return err;
}

enum err responses_event(struct responses *r, struct str chunk, responses_emit *emit, void *ctx,
                         struct why *why)
{
    struct sink sink = {.emit = emit, .ctx = ctx, .why = why};
    struct str choice;
    open_stream(r, &sink);
    if (first_choice(chunk, &choice)) {
        take_message(r, &sink, scan_get(choice, "delta"));
        r->cut |= is_cut(choice);
    }
    return sink.err ? sink.err : held(r, why);
}

static void close_item(struct responses *r, struct sink *sink, size_t place)
{
    if (place == r->message) {
        struct str text = buf_str(&r->text);
        say_text(r, sink, "response.output_text.done", "msg", place, "text", text);
        say_text(r, sink, "response.content_part.done", "msg", place, NULL, text);
    } else if (place == r->thinking) {
        say_text(r, sink, "response.reasoning_text.done", "rs", place, "text",
                 buf_str(&r->thought));
    }
    for (size_t i = 0; i < r->n_calls; i++)
        if (r->calls[i].place == place)
            say_text(r, sink, "response.function_call_arguments.done", "fc", place, "arguments",
                     buf_str(&r->calls[i].arguments));
    say_item(r, sink, "response.output_item.done", place, true);
}

enum err responses_end(struct responses *r, const struct reply_usage *usage, responses_emit *emit,
                       void *ctx, struct why *why)
{
    struct sink sink = {.emit = emit, .ctx = ctx, .why = why};
    open_stream(r, &sink);
    for (size_t place = 0; place < r->n_items; place++)
        close_item(r, &sink, place);
    say_response(r, &sink, r->cut ? "response.incomplete" : "response.completed", true, usage);
    return sink.err;
}

enum err responses_whole(struct responses *r, struct str text, const struct reply_usage *usage,
                         struct str *out, struct why *why)
{
    struct str choice;
    struct json_out json;
    if (!first_choice(text, &choice))
        return err_set(why, ERR_CORRUPT, "the model's server answered without a choice");
    take_message(r, NULL, scan_get(choice, "message"));
    r->cut = is_cut(choice);
    buf_clear(&r->scratch);
    json_out_init(&json, &r->scratch);
    put_response(r, true, usage, &json);
    enum err err = held(r, why);
    if (!err)
        err = buf_err(&r->scratch, why);
    *out = buf_str(&r->scratch);
    return err;
}
