/* A response of items, or the events that build it. */
#include "dialect/dialect.h"

#include <stdio.h>

#include "core/arena.h"

#define NONE     SIZE_MAX
#define ID_BYTES ((size_t)40) /* of the response's id in its items' */

struct call {
    struct str id, name;
    struct buf arguments;
    size_t place;
};

struct dialect_response {
    struct dialect_response_opts opts;
    struct arena *arena;
    int64_t sequence;
    struct buf text, thought, scratch;
    struct call calls[DIALECT_MOST_CALLS];
    size_t n_calls, n_items, message, thinking; /* places in the output, or NONE */
    bool opened, cut;
};

/* One call's way out: what the sink said first is what the call returns. */
struct out {
    struct dialect_response *r;
    const struct dialect_sink *sink;
    struct why *why;
    enum err err;
    struct json_out json;
};

struct dialect_response *dialect_response_new(const struct dialect_response_opts *opts,
                                              struct arena *arena)
{
    struct dialect_response *r = arena_one(arena, struct dialect_response);
    if (!r)
        return NULL;
    *r =
        (struct dialect_response){.opts = *opts, .arena = arena, .message = NONE, .thinking = NONE};
    buf_init(&r->text, arena);
    buf_init(&r->thought, arena);
    buf_init(&r->scratch, arena);
    return r;
}

void dialect_response_cut(struct dialect_response *r)
{
    r->cut = true;
}

/* ---- items ---- */

static void put_id(const struct dialect_response *r, const char *key, const char *kind,
                   size_t place, struct json_out *out)
{
    char text[ID_BYTES + 40];
    struct str own = str_slice(r->opts.id, 0, ID_BYTES);
    (void)snprintf(text, sizeof text, "%s_%.*s%02zu", kind, STR_FMT(own), place);
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

/* An item as it is when it begins (`done` false: empty) or when it is whole. */
static void put_message(const struct dialect_response *r, size_t place, bool done,
                        struct json_out *out)
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

static void put_thought(const struct dialect_response *r, size_t place, bool done,
                        struct json_out *out)
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

static void put_call(const struct dialect_response *r, const struct call *call, bool done,
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

static const struct call *call_at(const struct dialect_response *r, size_t place)
{
    for (size_t i = 0; i < r->n_calls; i++)
        if (r->calls[i].place == place)
            return &r->calls[i];
    return NULL;
}

/* The item that stands at a place of the output. */
static void put_item(const struct dialect_response *r, size_t place, bool done,
                     struct json_out *out)
{
    const struct call *call = call_at(r, place);
    if (call)
        put_call(r, call, done, out);
    else if (place == r->message)
        put_message(r, place, done, out);
    else
        put_thought(r, place, done, out);
}

/* ---- the response ---- */

static void put_usage(const struct dialect_usage *usage, struct json_out *out)
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
    /* Reasoning is not told apart by the tokenizer. */
    json_kv_raw(out, "output_tokens_details", STR("{\"reasoning_tokens\":0}"));
    json_kv_int(out, "total_tokens", usage->prompt + usage->completion);
    json_end_object(out);
}

static void put_response(const struct dialect_response *r, bool done,
                         const struct dialect_usage *usage, struct json_out *out)
{
    bool cut = done && r->cut;
    json_begin_object(out);
    json_kv_str(out, "id", str_printf(r->arena, "resp_%.*s", STR_FMT(r->opts.id)));
    json_kv_c(out, "object", "response");
    json_kv_int(out, "created_at", r->opts.created);
    json_kv_c(out, "status", !done ? "in_progress" : cut ? "incomplete" : "completed");
    json_kv_c(out, "error", NULL);
    json_kv_raw(out, "incomplete_details",
                cut ? STR("{\"reason\":\"max_output_tokens\"}") : STR(""));
    json_kv_str(out, "model", r->opts.model);
    json_key(out, "output");
    json_begin_array(out);
    for (size_t place = 0; done && place < r->n_items; place++)
        put_item(r, place, true, out);
    json_end_array(out);
    r->opts.put_asked(r->opts.ctx, out);
    json_kv_c(out, "previous_response_id", NULL);
    json_kv_bool(out, "store", false);
    put_usage(done ? usage : NULL, out);
    json_end_object(out);
}

/* ---- events ---- */

static struct json_out *begin(struct out *o, const char *type)
{
    buf_clear(&o->r->scratch);
    json_out_init(&o->json, &o->r->scratch);
    json_begin_object(&o->json);
    json_kv_c(&o->json, "type", type);
    json_kv_int(&o->json, "sequence_number", o->r->sequence++);
    return &o->json;
}

static void end(struct out *o, const char *type)
{
    json_end_object(&o->json);
    if (!o->err)
        o->err = buf_err(&o->r->scratch, o->why);
    if (!o->err)
        o->err = o->sink->emit(o->sink->ctx, str_c(type), buf_str(&o->r->scratch), o->why);
}

static void say_response(struct out *o, const char *type, bool done,
                         const struct dialect_usage *usage)
{
    struct json_out *json = begin(o, type);
    json_key(json, "response");
    put_response(o->r, done, usage, json);
    end(o, type);
}

static void say_item(struct out *o, const char *type, size_t place, bool done)
{
    struct json_out *json = begin(o, type);
    json_kv_int(json, "output_index", (int64_t)place);
    json_key(json, "item");
    put_item(o->r, place, done, json);
    end(o, type);
}

/* `kind`: "msg", "rs" or "fc"; key NULL: the text as a part of the message. */
static void say_text(struct out *o, const char *type, const char *kind, size_t place,
                     const char *key, struct str text)
{
    struct json_out *json = begin(o, type);
    put_id(o->r, "item_id", kind, place, json);
    json_kv_int(json, "output_index", (int64_t)place);
    if (kind[0] != 'f')
        json_kv_int(json, "content_index", 0);
    if (key) {
        json_kv_str(json, key, text);
    } else {
        json_key(json, "part");
        put_text_part(text, json);
    }
    if (key && kind[0] == 'm')
        json_kv_raw(json, "logprobs", STR("[]"));
    end(o, type);
}

static struct out way_out(struct dialect_response *r, const struct dialect_sink *sink,
                          struct why *why)
{
    struct out o = {.r = r, .sink = sink, .why = why};
    if (sink && !r->opened) {
        r->opened = true;
        say_response(&o, "response.created", false, NULL);
        say_response(&o, "response.in_progress", false, NULL);
    }
    return o;
}

/* ---- what comes ---- */

enum err dialect_response_open(struct dialect_response *r, const struct dialect_sink *sink,
                               struct why *why)
{
    return way_out(r, sink, why).err;
}

static void begin_message(struct out *o)
{
    struct dialect_response *r = o->r;
    if (r->message != NONE)
        return;
    r->message = r->n_items++;
    if (o->sink) {
        say_item(o, "response.output_item.added", r->message, false);
        say_text(o, "response.content_part.added", "msg", r->message, NULL, STR(""));
    }
}

enum err dialect_response_text(struct dialect_response *r, const struct dialect_sink *sink,
                               struct str piece, struct why *why)
{
    struct out o = way_out(r, sink, why);
    if (piece.len == 0)
        return o.err;
    begin_message(&o);
    buf_add(&r->text, piece);
    if (sink)
        say_text(&o, "response.output_text.delta", "msg", r->message, "delta", piece);
    return o.err ? o.err : buf_err(&r->text, why);
}

enum err dialect_response_thought(struct dialect_response *r, const struct dialect_sink *sink,
                                  struct str piece, struct why *why)
{
    struct out o = way_out(r, sink, why);
    if (piece.len == 0)
        return o.err;
    if (r->thinking == NONE) {
        r->thinking = r->n_items++;
        if (sink)
            say_item(&o, "response.output_item.added", r->thinking, false);
    }
    buf_add(&r->thought, piece);
    if (sink)
        say_text(&o, "response.reasoning_text.delta", "rs", r->thinking, "delta", piece);
    return o.err ? o.err : buf_err(&r->thought, why);
}

static void begin_call(struct out *o, struct str id, struct str name)
{
    struct dialect_response *r = o->r;
    struct call *call = &r->calls[r->n_calls];
    call->id = id.len ? str_copy(r->arena, id)
                      : str_printf(r->arena, "call_%.*s%02zu", STR_FMT(r->opts.id), r->n_calls);
    call->name = str_copy(r->arena, name);
    call->place = r->n_items++;
    buf_init(&call->arguments, r->arena);
    r->n_calls++;
    if (o->sink)
        say_item(o, "response.output_item.added", call->place, false);
}

enum err dialect_response_call(struct dialect_response *r, const struct dialect_sink *sink,
                               size_t index, struct str id, struct str name, struct str piece,
                               struct why *why)
{
    struct out o = way_out(r, sink, why);
    if (index >= DIALECT_MOST_CALLS)
        return err_set(why, ERR_TOO_LARGE, "the model made more than %d tool calls",
                       DIALECT_MOST_CALLS);
    while (r->n_calls <= index) /* one that was passed over has no name */
        begin_call(&o, r->n_calls == index ? id : STR(""), r->n_calls == index ? name : STR(""));
    struct call *call = &r->calls[index];
    buf_add(&call->arguments, piece);
    if (sink && piece.len)
        say_text(&o, "response.function_call_arguments.delta", "fc", call->place, "delta", piece);
    return o.err ? o.err : buf_err(&call->arguments, why);
}

/* ---- its end ---- */

static void close_item(struct out *o, size_t place)
{
    struct dialect_response *r = o->r;
    const struct call *call = call_at(r, place);
    if (call) {
        say_text(o, "response.function_call_arguments.done", "fc", place, "arguments",
                 buf_str(&call->arguments));
    } else if (place == r->message) {
        struct str text = buf_str(&r->text);
        say_text(o, "response.output_text.done", "msg", place, "text", text);
        say_text(o, "response.content_part.done", "msg", place, NULL, text);
    } else {
        say_text(o, "response.reasoning_text.done", "rs", place, "text", buf_str(&r->thought));
    }
    say_item(o, "response.output_item.done", place, true);
}

enum err dialect_response_end(struct dialect_response *r, const struct dialect_sink *sink,
                              const struct dialect_usage *usage, struct why *why)
{
    struct out o = way_out(r, sink, why);
    if (!r->n_calls)
        begin_message(&o);
    for (size_t place = 0; place < r->n_items; place++)
        close_item(&o, place);
    say_response(&o, r->cut ? "response.incomplete" : "response.completed", true, usage);
    return o.err;
}

enum err dialect_response_put(struct dialect_response *r, const struct dialect_usage *usage,
                              struct json_out *out, struct why *why)
{
    struct out o = way_out(r, NULL, why);
    if (!r->n_calls)
        begin_message(&o);
    put_response(r, true, usage, out);
    enum err err = buf_err(&r->text, why);
    return err ? err : buf_err(out->buf, why);
}
