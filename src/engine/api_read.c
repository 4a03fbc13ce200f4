/* What the requests share (model, sampling, limits), and all but the conversations. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "engine/api_in.h"

#define MOST_BIASES 1024

enum err api_refuse(const struct api_reader *r, const char *param, const char *fmt, ...)
{
    char words[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    if (!r->fault->param[0])
        (void)snprintf(r->fault->param, sizeof r->fault->param, "%s", param);
    return err_set(r->why, ERR_INVALID, "%s", words);
}

enum err api_no_memory(const struct api_reader *r)
{
    return err_set(r->why, ERR_NO_MEMORY, "the request is too large to be worked on");
}

/* ---- single fields ---- */

static const struct json *given(const struct api_reader *r, const char *name)
{
    const struct json *value = json_get(r->body, name);
    return json_kind(value) == JSON_KIND_NULL ? NULL : value;
}

enum err api_int(const struct api_reader *r, const char *name, int64_t least, int64_t most,
                 int64_t *out)
{
    const struct json *value = given(r, name);
    if (!value)
        return ERR_OK;
    double real = json_f64(value, NAN);
    if (json_kind(value) != JSON_KIND_INT && !(isfinite(real) && real == floor(real)))
        return api_refuse(r, name, "%s must be a whole number", name);
    int64_t got = json_int(value, INT64_MIN);
    if (got < least || got > most)
        return api_refuse(r, name, "%s must be from %lld to %lld", name, (long long)least,
                          (long long)most);
    *out = got;
    return ERR_OK;
}

enum err api_bool(const struct api_reader *r, const char *name, bool *out)
{
    const struct json *value = given(r, name);
    if (value && json_kind(value) != JSON_KIND_BOOL)
        return api_refuse(r, name, "%s must be true or false", name);
    *out = json_bool(value, *out);
    return ERR_OK;
}

enum err api_str(const struct api_reader *r, const char *name, struct str *out)
{
    const struct json *value = given(r, name);
    if (value && json_kind(value) != JSON_KIND_STRING)
        return api_refuse(r, name, "%s must be a string", name);
    if (value)
        *out = json_str(value, STR(""));
    return ERR_OK;
}

/* ---- sampling ---- */

static const struct {
    const char *name;
    size_t at;
    float least, most;
} reals[] = {
#define FIELD(member) offsetof(struct run_sampling, member)
    {"temperature", FIELD(temperature), 0, 2},
    {"top_p", FIELD(top_p), 0, 1},
    {"min_p", FIELD(min_p), 0, 1},
    {"typical_p", FIELD(typical), 0, 1},
    {"presence_penalty", FIELD(presence), -2, 2},
    {"frequency_penalty", FIELD(frequency), -2, 2},
    {"repeat_penalty", FIELD(repeat), 0, 10},
    {"repetition_penalty", FIELD(repeat), 0, 10},
#undef FIELD
};

static enum err read_reals(const struct api_reader *r, struct run_sampling *out)
{
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        const struct json *value = given(r, reals[i].name);
        if (!value)
            continue;
        double real = json_f64(value, NAN);
        if (!isfinite(real))
            return api_refuse(r, reals[i].name, "%s must be a number", reals[i].name);
        if (real < (double)reals[i].least || real > (double)reals[i].most)
            return api_refuse(r, reals[i].name, "%s must be from %g to %g", reals[i].name,
                              (double)reals[i].least, (double)reals[i].most);
        *(float *)(void *)((char *)out + reals[i].at) = (float)real;
    }
    return ERR_OK;
}

static enum err read_biases(const struct api_reader *r, struct run_sampling *out)
{
    const struct json *map = given(r, "logit_bias"), *value;
    struct str key;
    void *iter = NULL;
    size_t n = 0;
    if (!map)
        return ERR_OK;
    if (json_kind(map) != JSON_KIND_OBJECT || json_len(map) > MOST_BIASES)
        return api_refuse(r, "logit_bias", "logit_bias must be an object of at most %d tokens",
                          MOST_BIASES);
    struct run_bias *biases = arena_array(r->arena, struct run_bias, json_len(map) + 1);
    if (!biases)
        return api_no_memory(r);
    while (json_each(map, &iter, &key, &value)) {
        int64_t token = -1;
        double bias = json_f64(value, NAN);
        if (!str_to_i64(key, &token) || token < 0 || token > INT32_MAX)
            return api_refuse(r, "logit_bias", "logit_bias: \"%.*s\" is no token",
                              STR_FMT(utf8_prefix(key, 40)));
        if (!(bias >= -100 && bias <= 100))
            return api_refuse(r, "logit_bias", "logit_bias: a bias must be from -100 to 100");
        biases[n++] = (struct run_bias){(int32_t)token, (float)bias};
    }
    out->bias = biases;
    out->n_bias = n;
    return ERR_OK;
}

static enum err read_sampling(const struct api_reader *r, struct run_sampling *out)
{
    int64_t top_k = 0, last = 0, seed = -1;
    out->temperature = 1; /* OpenAI's defaults */
    out->top_p = 1;
    enum err err = read_reals(r, out);
    if (!err)
        err = api_int(r, "top_k", -1, INT32_MAX, &top_k);
    if (!err)
        err = api_int(r, "repeat_last_n", -1, INT32_MAX, &last);
    if (!err)
        err = api_int(r, "seed", INT64_MIN + 1, INT64_MAX, &seed);
    if (!err)
        err = api_bool(r, "ignore_eos", &out->ignore_eos);
    if (!err)
        err = read_biases(r, out);
    out->top_k = top_k > 0 ? (int32_t)top_k : 0;
    out->repeat_last = (int32_t)last;
    out->seeded = given(r, "seed") != NULL && seed != -1;
    out->seed = (uint32_t)((uint64_t)seed ^ (uint64_t)seed >> 32);
    return err;
}

/* ---- stops, adapters ---- */

static enum err read_stops(const struct api_reader *r, struct run_request *out)
{
    const struct json *stop = given(r, "stop");
    bool one = json_kind(stop) == JSON_KIND_STRING;
    size_t n = one ? 1 : json_len(stop);
    if (!stop)
        return ERR_OK;
    if ((!one && json_kind(stop) != JSON_KIND_ARRAY) || n > RUN_MAX_STOPS)
        return api_refuse(r, "stop", "stop must be a string or at most %d strings", RUN_MAX_STOPS);
    struct str *stops = arena_array(r->arena, struct str, n + 1);
    if (!stops)
        return api_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const struct json *item = one ? stop : json_at(stop, i);
        stops[i] = json_str(item, STR(""));
        if (json_kind(item) != JSON_KIND_STRING || stops[i].len == 0 || stops[i].len > 1024)
            return api_refuse(r, "stop", "a stop must be a text of 1 to 1024 bytes");
    }
    out->stops = stops;
    out->n_stops = n;
    return ERR_OK;
}

static enum err read_loras(const struct api_reader *r, struct run_request *out)
{
    const struct json *list = given(r, "lora");
    size_t n = json_len(list);
    if (!list)
        return ERR_OK;
    if (json_kind(list) != JSON_KIND_ARRAY || n > RUN_MAX_ADAPTERS)
        return api_refuse(r, "lora", "lora must be a list of at most %d adapters",
                          RUN_MAX_ADAPTERS);
    struct run_lora *loras = arena_array(r->arena, struct run_lora, n + 1);
    for (size_t i = 0; loras && i < n; i++) {
        struct str name = json_get_str(json_at(list, i), "name", STR(""));
        double scale = json_get_f64(json_at(list, i), "scale", 1);
        if (!name.len || !(scale >= -100 && scale <= 100))
            return api_refuse(r, "lora", "an adapter has a name and a scale from -100 to 100");
        loras[i] = (struct run_lora){str_z(r->arena, name), (float)scale};
        if (!loras[i].name)
            return api_no_memory(r);
    }
    out->loras = loras;
    out->n_loras = n;
    return loras ? ERR_OK : api_no_memory(r);
}

/* ---- what chat, completions and responses share ---- */

static enum err read_limits(const struct api_reader *r, struct api_ask *out)
{
    int64_t most = 0, n = 1, best = 0;
    enum err err = api_int(r, "max_tokens", 1, INT32_MAX, &most);
    if (!err)
        err = api_int(r, "max_completion_tokens", 1, INT32_MAX, &most);
    if (!err)
        err = api_int(r, "max_output_tokens", 1, INT32_MAX, &most);
    if (!err)
        err = api_int(r, "n", 1, RUN_MAX_CHOICES, &n);
    if (!err)
        err = api_int(r, "best_of", 1, INT32_MAX, &best);
    if (!err && best > n)
        err = api_refuse(r, "best_of", "best_of is not offered: ask for n answers instead");
    out->run.max_tokens = (uint32_t)most;
    out->run.choices = (uint32_t)n;
    return err;
}

static enum err read_stream(const struct api_reader *r, struct api_ask *out)
{
    const struct json *options = given(r, "stream_options");
    enum err err = api_bool(r, "stream", &out->stream);
    if (err || !options)
        return err;
    if (json_kind(options) != JSON_KIND_OBJECT)
        return api_refuse(r, "stream_options", "stream_options must be an object");
    if (!out->stream)
        return api_refuse(r, "stream_options", "stream_options need stream: true");
    out->include_usage = json_get_bool(options, "include_usage", false);
    return ERR_OK;
}

enum err api_read_common(const struct api_reader *r, struct api_ask *out)
{
    bool cache = true;
    if (json_kind(r->body) != JSON_KIND_OBJECT)
        return err_set(r->why, ERR_INVALID, "the body must be a JSON object");
    enum err err = api_str(r, "model", &out->model);
    if (!err)
        err = read_stream(r, out);
    if (!err)
        err = read_limits(r, out);
    if (!err)
        err = read_sampling(r, &out->run.sampling);
    if (!err)
        err = read_stops(r, &out->run);
    if (!err)
        err = read_loras(r, &out->run);
    if (!err)
        err = api_bool(r, "cache_prompt", &cache);
    if (!err)
        err = api_str(r, "user", &out->run.key);
    if (!err)
        err = api_str(r, "grammar", &out->run.grammar.gbnf);
    out->run.no_cache = !cache;
    return err;
}

/* ---- texts and tokens ---- */

static enum err read_tokens(const struct api_reader *r, const struct json *list, const char *param,
                            struct api_text *out)
{
    size_t n = json_len(list);
    out->tokens = arena_array(r->arena, int32_t, n + 1);
    if (!out->tokens)
        return api_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        int64_t token = json_int(json_at(list, i), -1);
        if (token < 0 || token > INT32_MAX)
            return api_refuse(r, param, "%s: a token is a whole number from 0", param);
        out->tokens[i] = (int32_t)token;
    }
    out->n_tokens = n;
    return ERR_OK;
}

/* "text", ["text", ...], [token, ...] or [[token, ...], ...] */
static enum err read_texts(const struct api_reader *r, const char *param, size_t most,
                           struct api_text **out, size_t *n_out)
{
    const struct json *value = given(r, param);
    bool list = json_kind(value) == JSON_KIND_ARRAY;
    bool one = !list || json_kind(json_at(value, 0)) == JSON_KIND_INT;
    size_t n = one ? 1 : json_len(value);
    if (!value)
        return api_refuse(r, param, "%s is missing", param);
    if (n == 0 || n > most)
        return api_refuse(r, param, "%s must have 1 to %zu items", param, most);
    struct api_text *texts = arena_array(r->arena, struct api_text, n);
    if (!texts)
        return api_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const struct json *item = list && !one ? json_at(value, i) : value;
        enum err err = ERR_OK;
        if (json_kind(item) == JSON_KIND_STRING)
            texts[i].text = json_str(item, STR(""));
        else if (json_kind(item) == JSON_KIND_ARRAY && json_len(item) > 0)
            err = read_tokens(r, item, param, &texts[i]);
        else
            err = api_refuse(r, param, "%s must be text or tokens, or a list of them", param);
        if (err)
            return err;
    }
    *out = texts;
    *n_out = n;
    return ERR_OK;
}

/* ---- completions ---- */

static enum err read_old_logprobs(const struct api_reader *r, struct run_request *out)
{
    int64_t tops = -1;
    enum err err = api_int(r, "logprobs", 0, 5, &tops);
    out->logprobs = tops >= 0;
    out->n_tops = tops > 0 ? (uint32_t)tops : 0;
    return err;
}

static enum err read_schema(const struct api_reader *r, struct api_ask *out)
{
    const struct json *schema = given(r, "json_schema");
    if (!schema)
        return ERR_OK;
    if (json_kind(schema) != JSON_KIND_OBJECT)
        return api_refuse(r, "json_schema", "json_schema must be an object");
    if (out->run.grammar.gbnf.len)
        return api_refuse(r, "grammar", "grammar and json_schema exclude each other");
    return json_dump(schema, r->arena, &out->schema, r->why);
}

enum err api_read_completion(const struct json *body, struct arena *arena, struct api_ask *out,
                             struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    struct api_ask ask = {.kind = API_COMPLETION};
    struct str suffix = STR("");
    enum err err = api_read_common(&r, &ask);
    if (!err && !given(&r, "max_tokens"))
        ask.run.max_tokens = 16; /* OpenAI's default here */
    if (!err)
        err = api_str(&r, "suffix", &suffix);
    if (!err && suffix.len)
        err = api_refuse(&r, "suffix", "suffix is not offered: this engine only continues text");
    if (!err)
        err = api_bool(&r, "echo", &ask.echo);
    if (!err)
        err = read_old_logprobs(&r, &ask.run);
    if (!err && ask.echo && ask.run.logprobs)
        err = api_refuse(&r, "echo", "echo with logprobs is not offered");
    if (!err)
        err = read_schema(&r, &ask);
    if (!err)
        err = read_texts(&r, "prompt", API_MOST_PROMPTS, &ask.prompts, &ask.n_prompts);
    if (!err)
        *out = ask;
    return err;
}

/* ---- embeddings, rerank ---- */

enum err api_read_embed(const struct json *body, struct arena *arena, struct api_embed *out,
                        struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    struct api_embed ask = {0};
    struct str format = STR("float");
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body must be a JSON object");
    enum err err = api_str(&r, "model", &ask.model);
    if (!err)
        err = api_str(&r, "user", &ask.user);
    if (!err)
        err = api_str(&r, "encoding_format", &format);
    if (!err && !str_eq_c(format, "float") && !str_eq_c(format, "base64"))
        err = api_refuse(&r, "encoding_format", "encoding_format must be \"float\" or \"base64\"");
    if (!err)
        err = api_int(&r, "dimensions", 1, INT32_MAX, &ask.dimensions);
    if (!err)
        err = read_texts(&r, "input", API_MOST_INPUTS, &ask.inputs, &ask.n_inputs);
    ask.base64 = str_eq_c(format, "base64");
    if (!err)
        *out = ask;
    return err;
}

/* A document is a text, or an object whose "text" it is. */
static enum err read_documents(const struct api_reader *r, struct api_rerank *out)
{
    const struct json *list = given(r, "documents");
    size_t n = json_len(list);
    if (json_kind(list) != JSON_KIND_ARRAY || n == 0 || n > API_MOST_INPUTS)
        return api_refuse(r, "documents", "documents must be a list of 1 to %d texts",
                          API_MOST_INPUTS);
    out->documents = arena_array(r->arena, struct str, n);
    if (!out->documents)
        return api_no_memory(r);
    for (size_t i = 0; i < n; i++) {
        const struct json *item = json_at(list, i);
        if (json_kind(item) == JSON_KIND_OBJECT)
            item = json_get(item, "text");
        if (json_kind(item) != JSON_KIND_STRING) {
            char param[API_PARAM];
            (void)snprintf(param, sizeof param, "documents.%zu", i);
            return api_refuse(r, param, "a document must be a text");
        }
        out->documents[i] = json_str(item, STR(""));
    }
    out->n_documents = n;
    return ERR_OK;
}

enum err api_read_rerank(const struct json *body, struct arena *arena, struct api_rerank *out,
                         struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    struct api_rerank ask = {0};
    int64_t top_n = 0;
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body must be a JSON object");
    enum err err = api_str(&r, "model", &ask.model);
    if (!err)
        err = api_str(&r, "user", &ask.user);
    if (!err)
        err = api_str(&r, "query", &ask.query);
    if (!err && !ask.query.len)
        err = api_refuse(&r, "query", "query is missing");
    if (!err)
        err = api_int(&r, "top_n", 1, INT32_MAX, &top_n);
    if (!err)
        err = api_bool(&r, "return_documents", &ask.return_documents);
    if (!err)
        err = read_documents(&r, &ask);
    ask.top_n = top_n && (size_t)top_n < ask.n_documents ? (size_t)top_n : ask.n_documents;
    if (!err)
        *out = ask;
    return err;
}

/* ---- tokenize, detokenize ---- */

enum err api_read_tokenize(const struct json *body, struct arena *arena, struct api_tokens *out,
                           struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    struct api_tokens ask = {.parse_special = true};
    if (json_kind(json_get(body, "content")) != JSON_KIND_STRING &&
        json_kind(json_get(body, "prompt")) != JSON_KIND_STRING)
        return api_refuse(&r, "content", "content must be a string");
    enum err err = api_str(&r, "prompt", &ask.text); /* vLLM's name for it */
    if (!err)
        err = api_str(&r, "content", &ask.text);
    if (!err)
        err = api_bool(&r, "add_special", &ask.add_special);
    if (!err)
        err = api_bool(&r, "add_special_tokens", &ask.add_special);
    if (!err)
        err = api_bool(&r, "parse_special", &ask.parse_special);
    if (!err)
        err = api_bool(&r, "with_pieces", &ask.with_pieces);
    if (!err)
        *out = ask;
    return err;
}

enum err api_read_detokenize(const struct json *body, struct arena *arena, struct api_tokens *out,
                             struct api_fault *fault, struct why *why)
{
    const struct api_reader r = {body, arena, fault, why};
    const struct json *list = given(&r, "tokens");
    struct api_text text = {0};
    if (json_kind(list) != JSON_KIND_ARRAY)
        return api_refuse(&r, "tokens", "tokens must be a list of whole numbers");
    enum err err = read_tokens(&r, list, "tokens", &text);
    if (!err)
        *out = (struct api_tokens){.tokens = text.tokens, .n_tokens = text.n_tokens};
    return err;
}
