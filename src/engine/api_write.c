/* Answers in OpenAI's shapes. */
#include <string.h>

#include "core/json.h"
#include "core/utf8.h"
#include "engine/api.h"

/* ---- usage ---- */

void api_write_usage(const struct api_answer *answer, struct json_out *out)
{
    const struct run_usage *u = &answer->usage;
    json_key(out, "usage");
    json_begin_object(out);
    json_kv_int(out, "prompt_tokens", (int64_t)u->prompt);
    json_kv_int(out, "completion_tokens", (int64_t)u->completion);
    json_kv_int(out, "total_tokens", (int64_t)(u->prompt + u->completion));
    json_key(out, "prompt_tokens_details");
    json_begin_object(out);
    json_kv_int(out, "cached_tokens", (int64_t)u->cached);
    json_end_object(out);
    json_end_object(out);
    json_key(out, "timings"); /* of ours */
    json_begin_object(out);
    json_kv_real(out, "queue_ms", answer->timing.queue_ms);
    json_kv_real(out, "prompt_ms", answer->timing.prompt_ms);
    json_kv_real(out, "write_ms", answer->timing.write_ms);
    json_end_object(out);
}

/* ---- logprobs ---- */

static void put_bytes(struct json_out *out, struct str bytes)
{
    json_key(out, "bytes");
    json_begin_array(out);
    for (size_t i = 0; i < bytes.len; i++)
        json_put_int(out, (unsigned char)bytes.ptr[i]);
    json_end_array(out);
}

/* JSON has no minus infinity; OpenAI's own floor stands for it. */
static double floored(float logprob)
{
    return logprob > -9999 ? (double)logprob : -9999;
}

void api_write_chat_logprobs(const struct api_choice *choice, size_t first, struct json_out *out)
{
    json_key(out, "logprobs");
    json_begin_object(out);
    json_key(out, "content");
    json_begin_array(out);
    for (size_t i = first; i < choice->n_logprobs; i++) {
        const struct api_logprob *p = &choice->logprobs[i];
        json_begin_object(out);
        json_kv_str(out, "token", p->bytes);
        json_kv_real(out, "logprob", floored(p->logprob));
        put_bytes(out, p->bytes);
        json_key(out, "top_logprobs");
        json_begin_array(out);
        for (size_t k = 0; k < p->n_tops; k++) {
            json_begin_object(out);
            json_kv_str(out, "token", p->tops[k].bytes);
            json_kv_real(out, "logprob", floored(p->tops[k].logprob));
            put_bytes(out, p->tops[k].bytes);
            json_end_object(out);
        }
        json_end_array(out);
        json_end_object(out);
    }
    json_end_array(out);
    json_kv_c(out, "refusal", NULL);
    json_end_object(out);
}

/* Two tokens may have the same text once their bytes became characters: the first one stays. */
static void put_old_tops(const struct api_logprob *p, struct json_out *out)
{
    json_begin_object(out);
    for (size_t k = 0; k < p->n_tops; k++) {
        bool seen = false;
        for (size_t j = 0; j < k && !seen; j++)
            seen = str_eq(p->tops[j].bytes, p->tops[k].bytes);
        char name[128];
        size_t len = p->tops[k].bytes.len < sizeof name ? p->tops[k].bytes.len : sizeof name - 1;
        if (seen || utf8_invalid(p->tops[k].bytes) != STR_NPOS)
            continue;
        if (len)
            memcpy(name, p->tops[k].bytes.ptr, len);
        name[utf8_floor((struct str){name, len}, len)] = '\0';
        json_key(out, name);
        json_put_real(out, floored(p->tops[k].logprob));
    }
    json_end_object(out);
}

void api_write_old_logprobs(const struct api_choice *choice, size_t first, struct json_out *out)
{
    json_key(out, "logprobs");
    json_begin_object(out);
    json_key(out, "tokens");
    json_begin_array(out);
    for (size_t i = first; i < choice->n_logprobs; i++)
        json_put_str(out, choice->logprobs[i].bytes);
    json_end_array(out);
    json_key(out, "token_logprobs");
    json_begin_array(out);
    for (size_t i = first; i < choice->n_logprobs; i++)
        json_put_real(out, floored(choice->logprobs[i].logprob));
    json_end_array(out);
    json_key(out, "top_logprobs");
    json_begin_array(out);
    for (size_t i = first; i < choice->n_logprobs; i++)
        put_old_tops(&choice->logprobs[i], out);
    json_end_array(out);
    json_key(out, "text_offset");
    json_begin_array(out);
    for (size_t i = first; i < choice->n_logprobs; i++)
        json_put_int(out, (int64_t)choice->logprobs[i].start);
    json_end_array(out);
    json_end_object(out);
}

/* ---- whole answers ---- */

static void put_head(const struct api_answer *answer, const char *object, struct json_out *out)
{
    json_kv_str(out, "id", answer->id);
    json_kv_c(out, "object", object);
    json_kv_int(out, "created", answer->created);
    json_kv_str(out, "model", answer->model);
}

static void put_message(const struct api_choice *c, struct json_out *out)
{
    json_key(out, "message");
    json_begin_object(out);
    json_kv_c(out, "role", "assistant");
    json_key(out, "content");
    if (c->n_calls && !c->content.len)
        json_put_null(out);
    else
        json_put_str(out, buf_str(&c->content));
    if (c->reasoning.len)
        json_kv_str(out, "reasoning_content", buf_str(&c->reasoning));
    json_kv_c(out, "refusal", NULL);
    if (c->n_calls) {
        json_key(out, "tool_calls");
        json_begin_array(out);
    }
    for (size_t i = 0; i < c->n_calls; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", c->calls[i].id);
        json_kv_c(out, "type", "function");
        json_key(out, "function");
        json_begin_object(out);
        json_kv_str(out, "name", c->calls[i].name);
        json_kv_str(out, "arguments", buf_str(&c->calls[i].arguments));
        json_end_object(out);
        json_end_object(out);
    }
    if (c->n_calls)
        json_end_array(out);
    json_end_object(out);
}

void api_write_chat(const struct api_answer *answer, struct json_out *out)
{
    json_begin_object(out);
    put_head(answer, "chat.completion", out);
    json_key(out, "choices");
    json_begin_array(out);
    for (size_t i = 0; i < answer->n_choices; i++) {
        const struct api_choice *c = &answer->choices[i];
        json_begin_object(out);
        json_kv_int(out, "index", c->index);
        put_message(c, out);
        if (answer->logprobs)
            api_write_chat_logprobs(c, 0, out);
        else
            json_kv_c(out, "logprobs", NULL);
        json_kv_c(out, "finish_reason", c->finish);
        json_end_object(out);
    }
    json_end_array(out);
    api_write_usage(answer, out);
    json_end_object(out);
}

void api_write_completion(const struct api_answer *answer, struct json_out *out)
{
    json_begin_object(out);
    put_head(answer, "text_completion", out);
    json_key(out, "choices");
    json_begin_array(out);
    for (size_t i = 0; i < answer->n_choices; i++) {
        const struct api_choice *c = &answer->choices[i];
        json_begin_object(out);
        json_kv_int(out, "index", c->index);
        json_kv_str(out, "text", buf_str(&c->content));
        if (answer->logprobs)
            api_write_old_logprobs(c, 0, out);
        else
            json_kv_c(out, "logprobs", NULL);
        json_kv_c(out, "finish_reason", c->finish);
        json_end_object(out);
    }
    json_end_array(out);
    api_write_usage(answer, out);
    json_end_object(out);
}

/* ---- embeddings ---- */

static void put_base64(struct buf *out, const unsigned char *in, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < n ? (uint32_t)in[i + 1] << 8 : 0) |
                     (i + 2 < n ? in[i + 2] : 0);
        char four[4] = {letters[v >> 18], letters[v >> 12 & 63],
                        i + 1 < n ? letters[v >> 6 & 63] : '=', i + 2 < n ? letters[v & 63] : '='};
        buf_add(out, (struct str){four, 4});
    }
}

/* Floats as OpenAI sends them: little-endian, four bytes each. */
void api_write_embedding(const float *vector, size_t n, bool base64, struct arena *arena,
                         struct json_out *out)
{
    json_key(out, "embedding");
    if (base64) {
        struct buf text;
        buf_init(&text, arena);
        put_base64(&text, (const unsigned char *)(const void *)vector, n * sizeof *vector);
        if (text.failed)
            out->buf->failed = true;
        json_put_str(out, buf_str(&text));
        return;
    }
    json_begin_array(out);
    for (size_t i = 0; i < n; i++)
        json_put_real(out, (double)vector[i]);
    json_end_array(out);
}
