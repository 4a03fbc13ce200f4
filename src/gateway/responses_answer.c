/* The answer: what a chat completion, or its chunks, say, in the dialect's items. */
#include "core/arena.h"
#include "core/json.h"
#include "dialect/dialect.h"
#include "gateway/responses.h"
#include "gateway/scan.h"

struct responses {
    struct arena *arena;
    const struct ask *ask;
    struct dialect_response *made;
    struct buf words; /* a piece without JSON's quotes */
    size_t n_calls;
};

/* What was asked stands in the answer too, or what counts when it was not said. */
static void put_asked(void *ctx, struct json_out *out)
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
    const struct responses *r = ctx;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct str value = scan_get(r->ask->body, members[i].name);
        json_kv_raw(out, members[i].name, scan_is_null(value) ? members[i].otherwise : value);
    }
    json_kv_c(out, "truncation", "disabled");
}

struct responses *responses_new(const struct ask *ask, struct str name, struct str id,
                                int64_t created, struct arena *arena)
{
    struct responses *r = arena_one(arena, struct responses);
    if (!r)
        return NULL;
    *r = (struct responses){.arena = arena, .ask = ask};
    struct dialect_response_opts opts = {
        .id = id, .model = name, .created = created, .put_asked = put_asked, .ctx = r};
    r->made = dialect_response_new(&opts, arena);
    buf_init(&r->words, arena);
    return r->made ? r : NULL;
}

/* ---- what comes ---- */

static struct dialect_usage usage_of(const struct reply_usage *usage)
{
    return (struct dialect_usage){.prompt = usage->prompt,
                                  .completion = usage->completion,
                                  .cached = usage->cached,
                                  .known = usage->known};
}

/* A string of JSON as its words; they stand until the next call. */
static struct str words_of(struct responses *r, struct str raw)
{
    buf_clear(&r->words);
    scan_put(raw, &r->words);
    return buf_str(&r->words);
}

/* One call, or a piece of one; `at`: which, when it does not say. What is out of line is dropped.
 */
static enum err take_call(struct responses *r, const struct dialect_sink *sink, struct str raw,
                          size_t at, struct why *why)
{
    struct str function = scan_get(raw, "function"), id = STR(""), name = STR("");
    int64_t index = scan_int(scan_get(raw, "index"), (int64_t)at);
    if (index < 0 || index > (int64_t)r->n_calls || index >= DIALECT_MOST_CALLS)
        return ERR_OK;
    if (index == (int64_t)r->n_calls) {
        r->n_calls++;
        id = str_copy(r->arena, scan_str(scan_get(raw, "id"), r->arena));
        name = str_copy(r->arena, scan_str(scan_get(function, "name"), r->arena));
    }
    return dialect_response_call(r->made, sink, (size_t)index, id, name,
                                 words_of(r, scan_get(function, "arguments")), why);
}

/* A message or a delta of one. */
static enum err take_message(struct responses *r, const struct dialect_sink *sink,
                             struct str message, struct why *why)
{
    struct scan scan, calls;
    struct str key, value, none, item;
    enum err err = ERR_OK;
    for (bool any = scan_object(&scan, message); any && !err && scan_next(&scan, &key, &value);) {
        size_t at = 0;
        if (str_eq_c(key, "content") || str_eq_c(key, "refusal"))
            err = dialect_response_text(r->made, sink, words_of(r, value), why);
        else if (str_eq_c(key, "reasoning_content") || str_eq_c(key, "reasoning"))
            err = dialect_response_thought(r->made, sink, words_of(r, value), why);
        else if (str_eq_c(key, "tool_calls") && scan_array(&calls, value))
            while (!err && scan_next(&calls, &none, &item))
                err = take_call(r, sink, item, at++, why);
    }
    return err ? err : buf_err(&r->words, why);
}

/* The first choice; false when there is none. */
static bool first_choice(struct str text, struct str *choice)
{
    struct scan scan;
    struct str key;
    return scan_array(&scan, scan_get(text, "choices")) && scan_next(&scan, &key, choice);
}

static void see_end(struct responses *r, struct str choice)
{
    if (str_eq_c(scan_get(choice, "finish_reason"), "\"length\""))
        dialect_response_cut(r->made);
}

enum err responses_event(struct responses *r, struct str chunk, dialect_emit *emit, void *ctx,
                         struct why *why)
{
    const struct dialect_sink sink = {emit, ctx};
    struct str choice;
    enum err err = dialect_response_open(r->made, &sink, why);
    if (err || !first_choice(chunk, &choice))
        return err;
    see_end(r, choice);
    return take_message(r, &sink, scan_get(choice, "delta"), why);
}

enum err responses_end(struct responses *r, const struct reply_usage *usage, dialect_emit *emit,
                       void *ctx, struct why *why)
{
    struct dialect_usage counted = usage_of(usage);
    return dialect_response_end(r->made, &(struct dialect_sink){emit, ctx}, &counted, why);
}

enum err responses_whole(struct responses *r, struct str text, const struct reply_usage *usage,
                         struct str *out, struct why *why)
{
    struct dialect_usage counted = usage_of(usage);
    struct str choice;
    struct json_out json;
    struct buf whole;
    if (!first_choice(text, &choice))
        return err_set(why, ERR_CORRUPT, "the model's server answered without a choice");
    see_end(r, choice);
    enum err err = take_message(r, NULL, scan_get(choice, "message"), why);
    buf_init(&whole, r->arena);
    json_out_init(&json, &whole);
    if (!err)
        err = dialect_response_put(r->made, &counted, &json, why);
    *out = buf_str(&whole);
    return err;
}
