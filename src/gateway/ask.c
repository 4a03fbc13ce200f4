#include "gateway/ask.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/utf8.h"
#include "gateway/scan.h"

#define MOST_CHOICES 128
#define MOST_DEPTH   8 /* of texts in a prompt */

static const struct ask_door doors[] = {
#define ASK_DOOR(id, path, kind, prompt, streams, usage)                                           \
    {ASK_##id, path, kind, prompt, streams, usage},
    ASK_DOOR_MAP(ASK_DOOR)
#undef ASK_DOOR
};

const struct ask_door *ask_door(size_t i)
{
    return i < sizeof doors / sizeof doors[0] ? &doors[i] : NULL;
}

const struct ask_door *ask_door_named(struct str path)
{
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++)
        if (str_eq_c(path, doors[i].path))
            return &doors[i];
    return NULL;
}

/* ---- reading ---- */

enum member { MODEL, STREAM, OPTIONS, USER, SAFETY, TIER, MAX_OLD, MAX_NEW, MAX_OUT, N, N_MEMBERS };
static const struct str names[N_MEMBERS] = {
    [MODEL] = STR_INIT("model"),
    [STREAM] = STR_INIT("stream"),
    [OPTIONS] = STR_INIT("stream_options"),
    [USER] = STR_INIT("user"),
    [SAFETY] = STR_INIT("safety_identifier"),
    [TIER] = STR_INIT("service_tier"),
    [MAX_OLD] = STR_INIT("max_tokens"),
    [MAX_NEW] = STR_INIT("max_completion_tokens"),
    [MAX_OUT] = STR_INIT("max_output_tokens"),
    [N] = STR_INIT("n"),
};

static enum err fault(char param[ASK_PARAM], const char *name, struct why *why, const char *words)
{
    (void)snprintf(param, ASK_PARAM, "%s", name);
    return err_set(why, ERR_INVALID, "%s", words);
}

/* A member that decides something here must not be read otherwise behind us: it stands once. */
static enum err take(struct str *place, struct str value, const char *name, char param[ASK_PARAM],
                     struct why *why)
{
    if (place->ptr) {
        (void)snprintf(param, ASK_PARAM, "%s", name);
        return err_set(why, ERR_INVALID, "\"%s\" stands twice", name);
    }
    *place = value;
    return ERR_OK;
}

static enum err read_members(struct ask *ask, struct str values[N_MEMBERS], char param[ASK_PARAM],
                             struct why *why)
{
    struct scan scan;
    struct str key, value;
    if (!scan_object(&scan, ask->body))
        return err_set(why, ERR_INVALID, "the body is no JSON object");
    while (scan_next(&scan, &key, &value)) {
        enum err err = ERR_OK;
        if (key.len && memchr(key.ptr, '\\', key.len))
            return err_set(why, ERR_INVALID, "the name of a member is written with escapes");
        for (size_t i = 0; i < N_MEMBERS && !err; i++)
            if (str_eq(key, names[i]))
                err = take(&values[i], value, names[i].ptr, param, why);
        if (!err && str_eq_c(key, ask->door->prompt))
            err = take(&ask->prompt_raw, value, ask->door->prompt, param, why);
        if (err)
            return err;
    }
    return scan.bad ? err_set(why, ERR_INVALID, "the body is not valid JSON") : ERR_OK;
}

static enum err read_flags(struct ask *ask, const struct str values[N_MEMBERS],
                           char param[ASK_PARAM], struct why *why)
{
    struct str stream = values[STREAM];
    if (!scan_is_null(stream) && !str_eq_c(stream, "true") && !str_eq_c(stream, "false"))
        return fault(param, "stream", why, "\"stream\" is neither true nor false");
    ask->stream = scan_is_true(stream);
    if (ask->stream && !ask->door->streams)
        return fault(param, "stream", why, "this address gives no stream");
    if (!scan_is_null(values[OPTIONS])) {
        if (!str_starts(values[OPTIONS], STR("{")))
            return fault(param, "stream_options", why, "\"stream_options\" is no object");
        ask->options_raw = values[OPTIONS];
        ask->include_usage = scan_is_true(scan_get(values[OPTIONS], "include_usage"));
    }
    return ERR_OK;
}

static enum err read_numbers(struct ask *ask, const struct str values[N_MEMBERS],
                             char param[ASK_PARAM], struct why *why)
{
    static const enum member members[] = {MAX_NEW, MAX_OUT, MAX_OLD};
    int64_t n = scan_is_null(values[N]) ? 1 : scan_int(values[N], -1);
    if (n < 1 || n > MOST_CHOICES)
        return fault(param, "n", why, "\"n\" is no number from 1 to 128");
    for (size_t i = 0; i < 3 && ask->max_tokens < 0; i++) {
        struct str value = values[members[i]];
        if (scan_is_null(value))
            continue;
        ask->max_tokens = scan_int(value, -1);
        if (ask->max_tokens < 0 || ask->max_tokens > METER_MOST_TOKENS)
            return fault(param, names[members[i]].ptr, why, "the most tokens are no whole number");
    }
    if (ask->max_tokens > 0)
        ask->max_tokens *= n;
    return ERR_OK;
}

static void read_priority(struct ask *ask, struct str tier)
{
    ask->priority = str_eq_c(tier, "\"priority\"") ? ASK_FIRST
                    : str_eq_c(tier, "\"flex\"")   ? ASK_BATCH
                                                   : ASK_NORMAL;
}

/* Rough, for reservations: settled by what the upstream or a vocabulary counted. */
static int64_t estimate(struct str text)
{
    int64_t ascii, others;
    utf8_kinds(text, &ascii, &others);
    return (ascii + 3) / 4 + others;
}

/* System messages and the first of the user are alike in every turn of a conversation. */
uint64_t ask_prefix(const struct ask *ask)
{
    struct scan scan;
    struct str key, item, first = str_slice(ask->prompt_raw, 0, 1024);
    if (ask->door->id != ASK_CHAT || !scan_array(&scan, ask->prompt_raw))
        return hash64(first.ptr, first.len, ask->door->id);
    uint64_t hash = ask->door->id;
    while (scan_next(&scan, &key, &item)) {
        hash = hash64(item.ptr, item.len, hash);
        if (str_eq_c(scan_get(item, "role"), "\"user\""))
            break;
    }
    return hash;
}

enum err ask_read(const struct ask_door *door, struct str body, struct arena *arena,
                  struct ask *out, char param[ASK_PARAM], struct why *why)
{
    struct ask ask = {.door = door, .body = body, .max_tokens = -1};
    struct str values[N_MEMBERS] = {{NULL, 0}};
    param[0] = '\0';
    if (utf8_invalid(body) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the body is not UTF-8");
    enum err err = read_members(&ask, values, param, why);
    if (err)
        return err;
    ask.model_raw = values[MODEL];
    ask.model = scan_str(ask.model_raw, arena);
    if (ask.model.len == 0)
        return fault(param, "model", why, "\"model\" is missing");
    if (door->prompt[0] && scan_is_null(ask.prompt_raw)) {
        (void)snprintf(param, ASK_PARAM, "%s", door->prompt);
        return err_set(why, ERR_INVALID, "\"%s\" is missing", door->prompt);
    }
    err = read_flags(&ask, values, param, why);
    if (!err)
        err = read_numbers(&ask, values, param, why);
    if (err)
        return err;
    ask.user = scan_str(values[values[SAFETY].ptr ? SAFETY : USER], arena);
    read_priority(&ask, values[TIER]);
    ask.prompt_tokens = estimate(ask.prompt_raw);
    *out = ask;
    return ERR_OK;
}

/* ---- the body for an upstream ---- */

static void put_options(const struct ask *ask, struct buf *out)
{
    struct str old = scan_get(ask->options_raw, "include_usage");
    struct str all = ask->options_raw;
    if (!old.ptr) {
        bool empty = str_trim(str_slice(all, 1, all.len - 1)).len == 0;
        buf_add_c(out, empty ? "{\"include_usage\":true" : "{\"include_usage\":true,");
        buf_add(out, str_from(all, 1));
        return;
    }
    size_t at = (size_t)(old.ptr - all.ptr);
    buf_add(out, str_slice(all, 0, at));
    buf_add_c(out, "true");
    buf_add(out, str_from(all, at + old.len));
}

static void put_model(struct str name, bool add_options, struct buf *out)
{
    json_quote(out, name);
    if (add_options)
        buf_add_c(out, ",\"stream_options\":{\"include_usage\":true}");
}

enum err ask_body(const struct ask *ask, struct str name, struct arena *arena, struct str *out,
                  struct why *why)
{
    struct buf buf;
    bool count = ask->stream && ask->door->usage && !ask->include_usage;
    bool replace = count && ask->options_raw.ptr;
    size_t model = (size_t)(ask->model_raw.ptr - ask->body.ptr);
    size_t options = replace ? (size_t)(ask->options_raw.ptr - ask->body.ptr) : ask->body.len;
    size_t done = 0;
    buf_init(&buf, arena);
    (void)buf_room(&buf, ask->body.len + name.len + 64);
    for (int i = 0; i < 2; i++) {
        if ((i == 0) == (model < options)) {
            buf_add(&buf, str_slice(ask->body, done, model));
            put_model(name, count && !replace, &buf);
            done = model + ask->model_raw.len;
        } else if (replace) {
            buf_add(&buf, str_slice(ask->body, done, options));
            put_options(ask, &buf);
            done = options + ask->options_raw.len;
        }
    }
    buf_add(&buf, str_from(ask->body, done));
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- texts and digests ---- */

static void put_texts(struct str value, unsigned depth, struct buf *out)
{
    struct scan scan;
    struct str key, item;
    if (value.len == 0 || depth > MOST_DEPTH)
        return;
    if (value.ptr[0] == '"') {
        scan_put(value, out);
        buf_char(out, '\n');
    } else if (scan_array(&scan, value) || scan_object(&scan, value)) {
        while (scan_next(&scan, &key, &item))
            if (!str_eq_c(key, "role") && !str_eq_c(key, "type") && !str_eq_c(key, "image_url"))
                put_texts(item, depth + 1, out);
    }
}

void ask_prompt_text(const struct ask *ask, struct buf *out)
{
    if (ask->door->id == ASK_RERANK)
        put_texts(scan_get(ask->body, "query"), 0, out);
    put_texts(ask->prompt_raw, 0, out);
}

void ask_digest(const struct ask *ask, struct str scope, uint8_t out[HASH_BYTES])
{
    static const enum member skipped[] = {MODEL, USER, SAFETY, TIER, STREAM, OPTIONS};
    size_t n = sizeof skipped / sizeof skipped[0] - (ask->stream ? 2 : 0);
    struct hash *hash = hash_new(HASH_SHA256);
    struct scan scan;
    struct str key, value;
    memset(out, 0, HASH_BYTES);
    if (!hash)
        return;
    hash_add(hash, scope.ptr, scope.len);
    hash_add(hash, ask->door->path, strlen(ask->door->path) + 1);
    bool any = scan_object(&scan, ask->body);
    while (any && scan_next(&scan, &key, &value)) {
        bool skip = false;
        for (size_t i = 0; i < n; i++)
            skip |= str_eq(key, names[skipped[i]]);
        if (skip)
            continue;
        hash_add(hash, key.ptr, key.len);
        hash_add(hash, ":", 1);
        hash_add(hash, value.ptr, value.len);
        hash_add(hash, ",", 1);
    }
    hash_end(hash, out);
    hash_free(hash);
}
