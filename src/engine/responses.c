/* Answers of the Responses API: an object of items, or the events that build it. */
#include "engine/serve.h"

#define NONE ((size_t)-1)

struct responses {
    int64_t sequence;
    size_t n_items;               /* output items begun */
    size_t reasoning, message;    /* their places in the output, or NONE */
    size_t calls[API_MOST_TOOLS]; /* the places of tool calls */
    size_t n_calls;
};

/* ---- items ---- */

static struct str item_id(const struct live *live, const char *kind, size_t place)
{
    struct str tail = str_from(live->answer.id, 5); /* behind "resp_" */
    return str_printf(live->arena, "%s_%.*s%zu", kind, STR_FMT(tail), place);
}

static void put_text_part(struct str text, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "type", "output_text");
    json_kv_str(out, "text", text);
    json_key(out, "annotations");
    json_begin_array(out);
    json_end_array(out);
    json_key(out, "logprobs");
    json_begin_array(out);
    json_end_array(out);
    json_end_object(out);
}

/* An item as it is when it begins (`done` false: empty) or when it is whole. */
static void put_message(const struct live *live, size_t place, bool done, struct json_out *out)
{
    const struct api_choice *c = &live->answer.choices[0];
    json_begin_object(out);
    json_kv_str(out, "id", item_id(live, "msg", place));
    json_kv_c(out, "type", "message");
    json_kv_c(out, "status", done ? "completed" : "in_progress");
    json_kv_c(out, "role", "assistant");
    json_key(out, "content");
    json_begin_array(out);
    if (done)
        put_text_part(buf_str(&c->content), out);
    json_end_array(out);
    json_end_object(out);
}

static void put_reasoning(const struct live *live, size_t place, bool done, struct json_out *out)
{
    const struct api_choice *c = &live->answer.choices[0];
    json_begin_object(out);
    json_kv_str(out, "id", item_id(live, "rs", place));
    json_kv_c(out, "type", "reasoning");
    json_key(out, "summary");
    json_begin_array(out);
    json_end_array(out);
    json_key(out, "content");
    json_begin_array(out);
    if (done) {
        json_begin_object(out);
        json_kv_c(out, "type", "reasoning_text");
        json_kv_str(out, "text", buf_str(&c->reasoning));
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
}

static void put_call(const struct live *live, size_t k, size_t place, bool done,
                     struct json_out *out)
{
    const struct api_call *call = &live->answer.choices[0].calls[k];
    json_begin_object(out);
    json_kv_str(out, "id", item_id(live, "fc", place));
    json_kv_c(out, "type", "function_call");
    json_kv_c(out, "status", done ? "completed" : "in_progress");
    json_kv_str(out, "call_id", call->id);
    json_kv_str(out, "name", call->name);
    json_kv_str(out, "arguments", done ? buf_str(&call->arguments) : STR(""));
    json_end_object(out);
}

/* ---- the response ---- */

static void put_usage(const struct live *live, struct json_out *out)
{
    const struct run_usage *u = &live->answer.usage;
    json_begin_object(out);
    json_kv_int(out, "input_tokens", (int64_t)u->prompt);
    json_key(out, "input_tokens_details");
    json_begin_object(out);
    json_kv_int(out, "cached_tokens", (int64_t)u->cached);
    json_end_object(out);
    json_kv_int(out, "output_tokens", (int64_t)u->completion);
    json_key(out, "output_tokens_details");
    json_begin_object(out);
    json_kv_int(out, "reasoning_tokens", 0); /* not told apart by the tokenizer */
    json_end_object(out);
    json_kv_int(out, "total_tokens", (int64_t)(u->prompt + u->completion));
    json_end_object(out);
}

static void put_output(const struct live *live, struct json_out *out)
{
    const struct api_choice *c = &live->answer.choices[0];
    size_t place = 0;
    if (c->reasoning.len)
        put_reasoning(live, place++, true, out);
    if (c->content.len || !c->n_calls)
        put_message(live, place++, true, out);
    for (size_t k = 0; k < c->n_calls; k++)
        put_call(live, k, place++, true, out);
}

static void put_response(const struct live *live, bool done, struct json_out *out)
{
    const struct api_choice *c = &live->answer.choices[0];
    bool cut = done && c->finish && str_eq_c(str_c(c->finish), "length");
    json_begin_object(out);
    json_kv_str(out, "id", live->answer.id);
    json_kv_c(out, "object", "response");
    json_kv_int(out, "created_at", live->answer.created);
    json_kv_c(out, "status", !done ? "in_progress" : cut ? "incomplete" : "completed");
    json_kv_c(out, "error", NULL);
    json_key(out, "incomplete_details");
    json_put_raw(out, cut ? STR("{\"reason\":\"max_output_tokens\"}") : STR("null"));
    json_key(out, "instructions");
    if (live->ask.instructions.len)
        json_put_str(out, live->ask.instructions);
    else
        json_put_null(out);
    json_kv_str(out, "model", live->answer.model);
    json_key(out, "output");
    json_begin_array(out);
    if (done)
        put_output(live, out);
    json_end_array(out);
    json_kv_bool(out, "parallel_tool_calls", live->ask.parallel);
    json_kv_c(out, "previous_response_id", NULL);
    json_kv_bool(out, "store", false);
    json_kv_real(out, "temperature", (double)live->ask.run.sampling.temperature);
    json_kv_real(out, "top_p", (double)live->ask.run.sampling.top_p);
    json_kv_c(out, "tool_choice", "auto");
    json_key(out, "tools");
    json_put_raw(out, STR("[]"));
    json_key(out, "metadata");
    json_put_raw(out, STR("{}"));
    json_key(out, "usage");
    if (done)
        put_usage(live, out);
    else
        json_put_null(out);
    json_end_object(out);
}

void responses_write(const struct live *live, struct json_out *out)
{
    put_response(live, true, out);
}

/* ---- events ---- */

struct event {
    struct buf text;
    struct json_out json;
    const char *type;
};

static struct json_out *begin(struct live *live, struct event *e, struct buf *out, const char *type)
{
    buf_init(&e->text, out->arena);
    json_out_init(&e->json, &e->text);
    e->type = type;
    json_begin_object(&e->json);
    json_kv_c(&e->json, "type", type);
    json_kv_int(&e->json, "sequence_number", live->responses->sequence++);
    return &e->json;
}

static void end(struct event *e, struct buf *out)
{
    json_end_object(&e->json);
    if (e->text.failed)
        out->failed = true;
    http_event(out, e->type, buf_str(&e->text));
}

static void say_response(struct live *live, const char *type, bool done, struct buf *out)
{
    struct event e;
    struct json_out *j = begin(live, &e, out, type);
    json_key(j, "response");
    put_response(live, done, j);
    end(&e, out);
}

/* What belongs to a part of an item. */
static struct json_out *begin_part(struct live *live, struct event *e, struct buf *out,
                                   const char *type, const char *kind, size_t place)
{
    struct json_out *j = begin(live, e, out, type);
    json_kv_str(j, "item_id", item_id(live, kind, place));
    json_kv_int(j, "output_index", (int64_t)place);
    return j;
}

static void say_item(struct live *live, const char *type, const char *kind, size_t place, size_t k,
                     bool done, struct buf *out)
{
    struct event e;
    struct json_out *j = begin(live, &e, out, type);
    json_kv_int(j, "output_index", (int64_t)place);
    json_key(j, "item");
    if (kind[0] == 'm')
        put_message(live, place, done, j);
    else if (kind[0] == 'r')
        put_reasoning(live, place, done, j);
    else
        put_call(live, k, place, done, j);
    end(&e, out);
}

static void say_part(struct live *live, const char *type, size_t place, struct str text,
                     struct buf *out)
{
    struct event e;
    struct json_out *j = begin_part(live, &e, out, type, "msg", place);
    json_kv_int(j, "content_index", 0);
    json_key(j, "part");
    put_text_part(text, j);
    end(&e, out);
}

static void say_text(struct live *live, const char *type, const char *kind, size_t place,
                     const char *name, struct str text, struct buf *out)
{
    struct event e;
    struct json_out *j = begin_part(live, &e, out, type, kind, place);
    if (kind[0] != 'f')
        json_kv_int(j, "content_index", 0);
    json_kv_str(j, name, text);
    if (kind[0] == 'm') {
        json_key(j, "logprobs");
        json_put_raw(j, STR("[]"));
    }
    end(&e, out);
}

enum err responses_open(struct live *live, struct buf *out, struct why *why)
{
    live->responses = arena_one(live->arena, struct responses);
    if (!live->responses)
        return err_set(why, ERR_NO_MEMORY, "could not hold the response");
    live->responses->reasoning = live->responses->message = NONE;
    say_response(live, "response.created", false, out);
    say_response(live, "response.in_progress", false, out);
    return buf_err(out, why);
}

static void begin_message(struct live *live, struct buf *out)
{
    struct responses *r = live->responses;
    if (r->message != NONE)
        return;
    r->message = r->n_items++;
    say_item(live, "response.output_item.added", "msg", r->message, 0, false, out);
    say_part(live, "response.content_part.added", r->message, STR(""), out);
}

enum err responses_delta(struct live *live, const struct chat_delta *d, struct buf *out,
                         struct why *why)
{
    struct responses *r = live->responses;
    enum err err = live_add_delta(live, 0, d, why);
    if (err)
        return err;
    if (d->kind == CHAT_CONTENT) {
        begin_message(live, out);
        say_text(live, "response.output_text.delta", "msg", r->message, "delta", d->text, out);
    } else if (d->kind == CHAT_REASONING) {
        if (r->reasoning == NONE) {
            r->reasoning = r->n_items++;
            say_item(live, "response.output_item.added", "rs", r->reasoning, 0, false, out);
        }
        say_text(live, "response.reasoning_text.delta", "rs", r->reasoning, "delta", d->text, out);
    } else {
        while (r->n_calls <= d->tool) {
            r->calls[r->n_calls] = r->n_items++;
            say_item(live, "response.output_item.added", "fc", r->calls[r->n_calls], r->n_calls,
                     false, out);
            r->n_calls++;
        }
        if (d->text.len)
            say_text(live, "response.function_call_arguments.delta", "fc", r->calls[d->tool],
                     "delta", d->text, out);
    }
    return buf_err(out, why);
}

enum err responses_close(struct live *live, struct buf *out, struct why *why)
{
    const struct api_choice *c = &live->answer.choices[0];
    struct responses *r = live->responses;
    if (!r->n_calls)
        begin_message(live, out); /* an answer has at least a message */
    if (r->reasoning != NONE) {
        say_text(live, "response.reasoning_text.done", "rs", r->reasoning, "text",
                 buf_str(&c->reasoning), out);
        say_item(live, "response.output_item.done", "rs", r->reasoning, 0, true, out);
    }
    if (r->message != NONE) {
        struct str text = buf_str(&c->content);
        say_text(live, "response.output_text.done", "msg", r->message, "text", text, out);
        say_part(live, "response.content_part.done", r->message, text, out);
        say_item(live, "response.output_item.done", "msg", r->message, 0, true, out);
    }
    for (size_t k = 0; k < r->n_calls; k++) {
        say_text(live, "response.function_call_arguments.done", "fc", r->calls[k], "arguments",
                 buf_str(&c->calls[k].arguments), out);
        say_item(live, "response.output_item.done", "fc", r->calls[k], k, true, out);
    }
    bool cut = c->finish && str_eq_c(str_c(c->finish), "length");
    say_response(live, cut ? "response.incomplete" : "response.completed", true, out);
    return buf_err(out, why);
}
