#include "gateway/reply.h"

#include "core/arena.h"
#include "core/json.h"
#include "core/utf8.h"
#include "gateway/scan.h"

#define MOST_DEPTH 8

static int64_t tokens(struct str value)
{
    int64_t n = scan_int(value, -1);
    return n < 0 ? -1 : n > METER_MOST_TOKENS ? METER_MOST_TOKENS : n;
}

/* What a usage may hold, in one pass: of a name that stands twice the first counts. */
enum field { PROMPT, INPUT, COMPLETION, OUTPUT, TOTAL, PROMPT_DETAILS, INPUT_DETAILS, N_FIELDS };
static const struct str fields[N_FIELDS] = {
    [PROMPT] = STR_INIT("prompt_tokens"),
    [INPUT] = STR_INIT("input_tokens"),
    [COMPLETION] = STR_INIT("completion_tokens"),
    [OUTPUT] = STR_INIT("output_tokens"),
    [TOTAL] = STR_INIT("total_tokens"),
    [PROMPT_DETAILS] = STR_INIT("prompt_tokens_details"),
    [INPUT_DETAILS] = STR_INIT("input_tokens_details"),
};

static void read_fields(struct str raw, struct str out[N_FIELDS])
{
    struct scan scan;
    struct str key, value;
    if (!scan_object(&scan, raw))
        return;
    while (scan_next(&scan, &key, &value))
        for (size_t i = 0; i < N_FIELDS; i++)
            if (!out[i].ptr && str_eq(key, fields[i]))
                out[i] = value;
}

static int64_t first_of(struct str a, struct str b)
{
    int64_t n = tokens(a);
    return n >= 0 ? n : tokens(b);
}

static void read_usage(struct str raw, struct reply_usage *out)
{
    struct str values[N_FIELDS] = {{NULL, 0}};
    if (raw.len == 0 || raw.ptr[0] != '{')
        return;
    read_fields(raw, values);
    int64_t prompt = first_of(values[PROMPT], values[INPUT]);
    int64_t completion = first_of(values[COMPLETION], values[OUTPUT]);
    int64_t total = tokens(values[TOTAL]);
    bool plain = scan_is_null(values[PROMPT_DETAILS]);
    struct str details = plain ? values[INPUT_DETAILS] : values[PROMPT_DETAILS];
    if (prompt < 0 && total < 0)
        return;
    if (prompt < 0)
        prompt = completion > 0 && completion <= total ? total - completion : total;
    if (completion < 0)
        completion = total > prompt ? total - prompt : 0;
    int64_t cached = details.len ? tokens(scan_get(details, "cached_tokens")) : -1;
    *out = (struct reply_usage){.known = true,
                                .prompt = prompt,
                                .completion = completion,
                                .cached = cached < 0        ? 0
                                          : cached > prompt ? prompt
                                                            : cached};
}

/* ---- words ---- */

static bool is_words(struct str key)
{
    static const struct str keys[] = {STR_INIT("content"),   STR_INIT("text"),
                                      STR_INIT("arguments"), STR_INIT("reasoning_content"),
                                      STR_INIT("name"),      STR_INIT("refusal"),
                                      STR_INIT("reasoning")};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (str_eq(key, keys[i]))
            return true;
    return false;
}

static void put_words(struct str value, unsigned depth, struct buf *out)
{
    struct scan scan;
    struct str key, item;
    if (depth > MOST_DEPTH || !(scan_object(&scan, value) || scan_array(&scan, value)))
        return;
    while (scan_next(&scan, &key, &item)) {
        if (item.ptr[0] == '"' && is_words(key))
            scan_put(item, out);
        else if ((item.ptr[0] == '{' || item.ptr[0] == '[') && !str_eq_c(key, "logprobs") &&
                 !str_eq_c(key, "annotations"))
            put_words(item, depth + 1, out);
    }
}

/* ---- reading ---- */

/* Events of /v1/responses: words come as deltas, usage and model stand in "response". */
static void read_response_event(struct str text, struct buf *words, struct reply *out)
{
    struct str type = scan_get(text, "type"), response = scan_get(text, "response");
    if (words && str_ends(type, STR(".delta\"")))
        scan_put(scan_get(text, "delta"), words);
    out->model_raw = scan_get(response, "model");
    read_usage(scan_get(response, "usage"), &out->usage);
    out->error = str_eq_c(type, "\"error\"") || str_eq_c(type, "\"response.failed\"");
}

void reply_read(const struct ask_door *door, struct str text, bool event, struct buf *words,
                struct reply *out)
{
    struct scan scan;
    struct str key, value, choices = STR_NONE;
    *out = (struct reply){.valid = scan_object(&scan, text)};
    if (!out->valid)
        return;
    while (scan_next(&scan, &key, &value)) {
        if (str_eq_c(key, "model") && !out->model_raw.ptr)
            out->model_raw = value;
        else if (str_eq_c(key, "usage") && !scan_is_null(value))
            out->usage_raw = value;
        else if (str_eq_c(key, "choices") || str_eq_c(key, "output"))
            choices = value;
        else if (str_eq_c(key, "error") && !scan_is_null(value))
            out->error = true;
    }
    out->valid = !scan.bad;
    if (!out->valid)
        return;
    if (event && door->id == ASK_RESPONSES) {
        read_response_event(text, words, out);
        return;
    }
    read_usage(out->usage_raw, &out->usage);
    if (door->id == ASK_EMBEDDINGS || door->id == ASK_RERANK)
        out->usage.completion = 0;
    out->only_usage = out->usage.known && choices.len > 1 && choices.ptr[0] == '[' &&
                      str_trim(str_slice(choices, 1, choices.len - 1)).len == 0;
    if (words)
        put_words(choices, 0, words);
}

/* ---- writing ---- */

void reply_put(struct str text, const struct reply *reply, struct str name, struct buf *out)
{
    if (reply->model_raw.len == 0 || reply->model_raw.ptr[0] != '"') {
        buf_add(out, text);
        return;
    }
    size_t at = (size_t)(reply->model_raw.ptr - text.ptr);
    buf_add(out, str_slice(text, 0, at));
    json_quote(out, name);
    buf_add(out, str_from(text, at + reply->model_raw.len));
}

void reply_put_usage(const struct ask_door *door, struct str id, struct str name, int64_t created,
                     const struct reply_usage *usage, struct buf *out)
{
    struct json_out json;
    json_out_init(&json, out);
    json_begin_object(&json);
    json_kv_str(&json, "id", id);
    json_kv_c(&json, "object", door->id == ASK_CHAT ? "chat.completion.chunk" : "text_completion");
    json_kv_int(&json, "created", created);
    json_kv_str(&json, "model", name);
    json_key(&json, "choices");
    json_begin_array(&json);
    json_end_array(&json);
    json_key(&json, "usage");
    json_begin_object(&json);
    json_kv_int(&json, "prompt_tokens", usage->prompt);
    json_kv_int(&json, "completion_tokens", usage->completion);
    json_kv_int(&json, "total_tokens", usage->prompt + usage->completion);
    json_key(&json, "prompt_tokens_details");
    json_begin_object(&json);
    json_kv_int(&json, "cached_tokens", usage->cached);
    json_end_object(&json);
    json_end_object(&json);
    json_end_object(&json);
}

int64_t reply_estimate(struct str words)
{
    int64_t ascii, others;
    utf8_kinds(words, &ascii, &others);
    return (ascii + 3) / 4 + others;
}

int64_t reply_event_tokens(struct str words)
{
    int64_t ascii, others;
    utf8_kinds(words, &ascii, &others);
    return ascii / 4 + others > 1 ? ascii / 4 + others : 1;
}
