#include "engine/prompt.h"

#include <stdio.h>
#include <string.h>

#include "core/utf8.h"

#define MOST_CONTROLS ((size_t)1 << 20) /* bytes of their texts */

/* ---- control tokens that users write ---- */

/*
 * A control token is one whose text appears only when it is asked for. What users and tools write
 * is text: "<|im_end|>" in it must not end their turn and begin another's.
 */
enum err prompt_controls(struct engine *engine, struct why *why)
{
    const struct run_info *info = run_info(engine->run);
    struct arena *scratch = arena_new((size_t)1 << 20);
    struct buf texts;
    buf_init(&texts, engine->arena);
    enum err err = scratch ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the vocabulary");
    for (uint32_t id = 0; !err && id < info->n_vocab && texts.len < MOST_CONTROLS; id++) {
        struct str plain = STR(""), special = STR("");
        arena_reset(scratch);
        err = run_piece(engine->run, (int32_t)id, false, scratch, &plain, why);
        if (!err && plain.len == 0)
            err = run_piece(engine->run, (int32_t)id, true, scratch, &special, why);
        if (err || special.len < 2 || memchr(special.ptr, '\0', special.len))
            continue;
        buf_add(&texts, special);
        buf_char(&texts, '\0');
        engine->control_begins[(unsigned char)special.ptr[0]] = true;
    }
    arena_free(scratch);
    engine->controls = buf_str(&texts);
    return err ? err : buf_err(&texts, why);
}

/* The control token's text that begins here, or empty. */
static struct str control_at(const struct engine *engine, struct str text, size_t at)
{
    struct str rest = engine->controls, one;
    if (!engine->control_begins[(unsigned char)text.ptr[at]])
        return STR("");
    while (str_next(&rest, '\0', &one))
        if (one.len && str_starts(str_from(text, at), one))
            return one;
    return STR("");
}

/* A word joiner (U+2060) behind its first character makes it plain text that looks the same. */
static struct str defuse(const struct engine *engine, struct str text, struct arena *arena)
{
    struct buf out;
    size_t from = 0;
    buf_init(&out, arena);
    for (size_t at = 0; at < text.len; at++) {
        if (!control_at(engine, text, at).len)
            continue;
        size_t behind = at;
        (void)utf8_next(text, &behind);
        buf_add(&out, str_slice(text, from, behind));
        buf_add_c(&out, "\xE2\x81\xA0");
        from = behind;
        at = behind - 1;
    }
    if (!from)
        return text;
    buf_add(&out, str_from(text, from));
    return out.failed ? STR_NONE : buf_str(&out);
}

static void put_defused(const struct engine *engine, const struct json *content,
                        struct arena *arena, struct json_out *out)
{
    if (json_kind(content) != JSON_KIND_ARRAY) {
        if (json_kind(content) == JSON_KIND_STRING)
            json_put_str(out, defuse(engine, json_str(content, STR("")), arena));
        else
            json_put_value(out, content);
        return;
    }
    json_begin_array(out);
    for (size_t i = 0; i < json_len(content); i++) {
        json_begin_object(out);
        json_kv_c(out, "type", "text");
        json_kv_str(out, "text",
                    defuse(engine, json_get_str(json_at(content, i), "text", STR("")), arena));
        json_end_object(out);
    }
    json_end_array(out);
}

static void put_message(const struct engine *engine, const struct json *message,
                        struct arena *arena, struct json_out *out)
{
    struct str role = json_get_str(message, "role", STR("")), key;
    bool foreign = str_eq_c(role, "user") || str_eq_c(role, "tool");
    const struct json *value;
    void *iter = NULL;
    json_begin_object(out);
    while (json_each(message, &iter, &key, &value)) {
        json_key(out, key.ptr); /* names of ours, see api_chat.c */
        if (foreign && str_eq_c(key, "content"))
            put_defused(engine, value, arena, out);
        else
            json_put_value(out, value);
    }
    json_end_object(out);
}

static bool any_control(const struct engine *engine, struct str text)
{
    for (size_t at = 0; at < text.len; at++)
        if (control_at(engine, text, at).len)
            return true;
    return false;
}

/* The request with its foreign texts defused; as it is when there is nothing to do (JSON writes no
 * byte of a control token otherwise than the text has it, but for quotes). */
static enum err defuse_request(const struct engine *engine, struct str chat, struct arena *arena,
                               struct str *out, struct why *why)
{
    const struct json *root = NULL, *value;
    struct json_out j;
    struct buf text;
    struct str key;
    void *iter = NULL;
    *out = chat;
    if (!any_control(engine, chat))
        return ERR_OK;
    enum err err = json_parse(chat, arena, &root, why);
    if (err)
        return err;
    buf_init(&text, arena);
    json_out_init(&j, &text);
    json_begin_object(&j);
    while (json_each(root, &iter, &key, &value)) {
        json_key(&j, key.ptr);
        if (!str_eq_c(key, "messages")) {
            json_put_value(&j, value);
            continue;
        }
        json_begin_array(&j);
        for (size_t i = 0; i < json_len(value); i++)
            put_message(engine, json_at(value, i), arena, &j);
        json_end_array(&j);
    }
    json_end_object(&j);
    *out = buf_str(&text);
    return buf_err(&text, why);
}

/* ---- the pieces of a request ---- */

enum err prompt_tokens(struct engine *engine, const struct api_text *text, struct arena *arena,
                       struct run_input *out, struct why *why)
{
    const struct run_info *info = run_info(engine->run);
    int32_t *tokens = text->tokens;
    size_t n = text->n_tokens;
    if (!tokens) {
        enum err err = run_tokenize(engine->run, text->text, true, true, arena, &tokens, &n, why);
        if (err)
            return err;
    }
    for (size_t i = 0; i < n; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= info->n_vocab)
            return err_set(why, ERR_INVALID, "there is no token %d: the vocabulary has %u",
                           (int)tokens[i], info->n_vocab);
    *out = (struct run_input){tokens, n};
    return ERR_OK;
}

/* The id when the text is one token, else -1. */
static int32_t one_token(struct engine *engine, struct str text, struct arena *arena)
{
    int32_t *tokens = NULL;
    size_t n = 0;
    enum err err = run_tokenize(engine->run, text, false, true, arena, &tokens, &n, NULL);
    return !err && n == 1 ? tokens[0] : -1;
}

static struct str escape_regex(struct str text, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(".^$|()*+?[]{}\\", text.ptr[i]) && text.ptr[i])
            buf_char(&out, '\\');
        buf_char(&out, text.ptr[i]);
    }
    return buf_str(&out);
}

/* A word that is one token is waited for as a token, which may be a control token. */
static enum err set_triggers(struct engine *engine, const struct json *list, struct arena *arena,
                             struct run_grammar *out, struct why *why)
{
    size_t n = json_len(list);
    struct str *patterns = arena_array(arena, struct str, n + 1);
    int32_t *tokens = arena_array(arena, int32_t, n + 1);
    if (!patterns || !tokens)
        return err_set(why, ERR_NO_MEMORY, "could not hold the triggers");
    for (size_t i = 0; i < n; i++) {
        struct str value = json_get_str(json_at(list, i), "value", STR(""));
        bool word = str_eq_c(json_get_str(json_at(list, i), "kind", STR("")), "word");
        int32_t id = word ? one_token(engine, value, arena) : -1;
        if (id >= 0)
            tokens[out->n_trigger_tokens++] = id;
        else
            patterns[out->n_patterns++] = word ? escape_regex(value, arena) : value;
    }
    out->patterns = patterns;
    out->trigger_tokens = tokens;
    return ERR_OK;
}

/* The part of the answer that the prompt holds already. Vocabularies that put a space before the
 * first word begin with one that is not in the text. */
static enum err set_prefix(struct engine *engine, struct str begun, struct arena *arena,
                           struct run_grammar *out, struct why *why)
{
    int32_t *tokens = NULL;
    size_t n = 0;
    struct str piece = STR("");
    enum err err = run_tokenize(engine->run, begun, false, true, arena, &tokens, &n, why);
    if (!err && n)
        err = run_piece(engine->run, tokens[0], true, arena, &piece, why);
    bool space = piece.len && piece.ptr[0] == ' ' && begun.len && begun.ptr[0] != ' ';
    out->prefix = tokens + (space ? 1 : 0);
    out->n_prefix = n - (space ? 1 : 0);
    return err;
}

static enum err set_grammar(struct engine *engine, const struct json *r, const struct api_ask *ask,
                            struct arena *arena, struct run_grammar *out, struct api_fault *fault,
                            struct why *why)
{
    bool own = ask->run.grammar.gbnf.len > 0;
    out->gbnf = json_get_str(r, "grammar", STR(""));
    if (!out->gbnf.len)
        return ERR_OK;
    enum err err = guard_grammar(engine->guard, out->gbnf, arena, why);
    if (err) {
        (void)snprintf(fault->param, sizeof fault->param, "%s",
                       own          ? "grammar"
                       : ask->tools ? "tools"
                                    : "response_format");
        return err;
    }
    out->lazy = json_get_bool(r, "grammar_lazy", false);
    if (out->lazy)
        return set_triggers(engine, json_get(r, "triggers"), arena, out, why);
    if (own || !json_get_bool(r, "grammar_begun", false))
        return ERR_OK;
    return set_prefix(engine, json_get_str(r, "generation_prompt", STR("")), arena, out, why);
}

static enum err set_preserved(struct engine *engine, const struct json *list, struct arena *arena,
                              struct run_request *out, struct why *why)
{
    int32_t *ids = arena_array(arena, int32_t, json_len(list) + 1);
    size_t n = 0;
    if (!ids)
        return err_set(why, ERR_NO_MEMORY, "could not hold the special tokens");
    for (size_t i = 0; i < json_len(list); i++) {
        int32_t id = one_token(engine, json_str(json_at(list, i), STR("")), arena);
        if (id >= 0)
            ids[n++] = id;
    }
    out->preserved = ids;
    out->n_preserved = n;
    return ERR_OK;
}

/* The template's own stops, as far as there is room behind the caller's. */
static enum err add_stops(const struct json *list, struct arena *arena, struct run_request *out,
                          struct why *why)
{
    struct str *stops = arena_array(arena, struct str, RUN_MAX_STOPS);
    size_t n = out->n_stops;
    if (!stops)
        return err_set(why, ERR_NO_MEMORY, "could not hold the stops");
    for (size_t i = 0; i < n; i++)
        stops[i] = out->stops[i];
    for (size_t i = 0; i < json_len(list) && n < RUN_MAX_STOPS; i++) {
        stops[n] = json_str(json_at(list, i), STR(""));
        n += stops[n].len > 0;
    }
    out->stops = stops;
    out->n_stops = n;
    return ERR_OK;
}

/* ---- conversations ---- */

/* The template works on all at once; its words say what it stumbled over. */
static void name_fault(const struct api_ask *ask, const char *words, struct api_fault *fault)
{
    const char *param = "messages";
    if (ask->tools && (strstr(words, "tool") || strstr(words, "JSON schema")))
        param = "tools";
    else if (strstr(words, "JSON schema"))
        param = ask->kind == API_RESPONSES ? "text.format" : "response_format";
    (void)snprintf(fault->param, sizeof fault->param, "%s", param);
}

enum err prompt_render(struct engine *engine, const struct api_ask *ask, struct arena *arena,
                       struct str *rendered, const struct json **parsed, struct api_fault *fault,
                       struct why *why)
{
    struct str request;
    if (engine->chat_words)
        return err_set(why, ERR_UNSUPPORTED, "%s", engine->chat_words);
    enum err err = defuse_request(engine, ask->chat, arena, &request, why);
    if (!err)
        err = guard_render(engine->guard, request, arena, rendered, why);
    if (err && (err == ERR_TIMEOUT || err == ERR_TOO_LARGE)) /* the request's fault, not ours */
        err = ERR_INVALID;
    if (err)
        name_fault(ask, why ? why->text : "", fault);
    return err ? err : json_parse(*rendered, arena, parsed, why);
}

/* A template writes the begin token itself; the vocabulary would write it once more. */
static enum err tokenize_prompt(struct engine *engine, struct str prompt, struct arena *arena,
                                struct run_input *out, struct why *why)
{
    bool begun = engine->bos.len && str_starts(prompt, engine->bos);
    int32_t *tokens = NULL;
    enum err err = run_tokenize(engine->run, prompt, !begun, true, arena, &tokens, &out->n, why);
    out->tokens = tokens;
    return err;
}

enum err prompt_chat(struct engine *engine, struct api_ask *ask, struct arena *arena,
                     struct run_request *out, struct str *rendered, struct api_fault *fault,
                     struct why *why)
{
    const struct json *r = NULL;
    struct run_input *input = arena_one(arena, struct run_input);
    if (!input)
        return err_set(why, ERR_NO_MEMORY, "could not hold the prompt");
    *out = ask->run;
    out->grammar = (struct run_grammar){0};
    out->inputs = input;
    out->n_inputs = 1;
    enum err err = prompt_render(engine, ask, arena, rendered, &r, fault, why);
    if (!err)
        err = tokenize_prompt(engine, json_get_str(r, "prompt", STR("")), arena, input, why);
    if (!err)
        err = set_grammar(engine, r, ask, arena, &out->grammar, fault, why);
    if (!err)
        err = set_preserved(engine, json_get(r, "preserved"), arena, out, why);
    if (!err)
        err = add_stops(json_get(r, "stops"), arena, out, why);
    return err;
}

/* ---- completions ---- */

static enum err completion_grammar(struct engine *engine, const struct api_ask *ask,
                                   struct arena *arena, struct str *gbnf, struct api_fault *fault,
                                   struct why *why)
{
    enum err err = ERR_OK;
    *gbnf = ask->run.grammar.gbnf;
    if (ask->schema.len)
        err = guard_schema(engine->guard, ask->schema, arena, gbnf, why);
    if (!err && gbnf->len)
        err = guard_grammar(engine->guard, *gbnf, arena, why);
    if (err)
        (void)snprintf(fault->param, sizeof fault->param, "%s",
                       ask->schema.len ? "json_schema" : "grammar");
    return err == ERR_TIMEOUT || err == ERR_TOO_LARGE ? ERR_INVALID : err;
}

enum err prompt_completion(struct engine *engine, struct api_ask *ask, struct arena *arena,
                           struct run_request *out, struct api_fault *fault, struct why *why)
{
    struct run_input *inputs = arena_array(arena, struct run_input, ask->n_prompts);
    struct str gbnf = STR("");
    if (!inputs)
        return err_set(why, ERR_NO_MEMORY, "could not hold the prompts");
    enum err err = completion_grammar(engine, ask, arena, &gbnf, fault, why);
    for (size_t i = 0; !err && i < ask->n_prompts; i++) {
        out[i] = ask->run;
        out[i].grammar.gbnf = gbnf;
        out[i].inputs = &inputs[i];
        out[i].n_inputs = 1;
        err = prompt_tokens(engine, &ask->prompts[i], arena, &inputs[i], why);
        if (err)
            (void)snprintf(fault->param, sizeof fault->param, "prompt");
    }
    return err;
}
