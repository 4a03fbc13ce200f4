/* acquire/kinds - the table of kinds, and settings checked against their descriptors. */
#include <string.h>

#include "acquire/acquire_in.h"
#include "core/arena.h"
#include "core/utf8.h"

#define ACQUIRE_KIND(name) extern const struct acquire_kind acquire_kind_##name;
#include "acquire/kinds.def"
#undef ACQUIRE_KIND

static const struct acquire_kind *const kinds[] = {
#define ACQUIRE_KIND(name) &acquire_kind_##name,
#include "acquire/kinds.def"
#undef ACQUIRE_KIND
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static const char *const param_kinds[] = {"text", "integer", "flag",   "choice",
                                          "list", "object",  "secret", "secrets"};

const struct acquire_kind *acquire_kind_find(struct str name)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (str_eq_c(name, kinds[i]->name))
            return kinds[i];
    return NULL;
}

static void put_words(struct json_out *out, const char *key, const char *words)
{
    struct str rest = str_c(words), part;
    json_key(out, key);
    json_begin_array(out);
    while (str_next(&rest, '|', &part))
        json_put_str(out, part);
    json_end_array(out);
}

static void put_param(const struct acquire_param *p, struct json_out *out)
{
    json_begin_object(out);
    json_kv_c(out, "name", p->name);
    json_kv_c(out, "kind", param_kinds[p->kind]);
    json_kv_bool(out, "required", p->required);
    if (p->kind == PARAM_INTEGER) {
        json_kv_int(out, "least", p->least);
        json_kv_int(out, "most", p->most);
    }
    if (p->fallback && p->fallback[0])
        json_kv_c(out, "default", p->fallback);
    if (p->choices)
        put_words(out, "choices", p->choices);
    json_kv_c(out, "unit", p->unit ? p->unit : "");
    json_kv_c(out, "summary", p->summary);
    json_kv_c(out, "summary_zh", p->summary_zh);
    json_end_object(out);
}

void acquire_kinds_json(struct json_out *out)
{
    json_begin_items(out);
    for (size_t i = 0; i < N_KINDS; i++) {
        const struct acquire_kind *k = kinds[i];
        json_begin_object(out);
        json_kv_c(out, "name", k->name);
        json_kv_c(out, "title", k->title);
        json_kv_c(out, "title_zh", k->title_zh);
        json_kv_c(out, "summary", k->summary);
        json_kv_c(out, "summary_zh", k->summary_zh);
        put_words(out, "records", k->records);
        json_key(out, "params");
        json_begin_array(out);
        for (size_t p = 0; p < k->n_params; p++)
            put_param(&k->params[p], out);
        json_end_array(out);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
}

/* ---- settings ---- */

static enum err check_text(const struct acquire_param *p, struct str s, struct why *why)
{
    size_t most = p->most ? (size_t)p->most : 8192;
    if (utf8_invalid(s) != STR_NPOS || memchr(s.ptr ? s.ptr : "", '\0', s.len))
        return err_set(why, ERR_INVALID, "\"%s\" is no text in UTF-8", p->name);
    if (s.len > most)
        return err_set(why, ERR_INVALID, "\"%s\" has %zu bytes; at most %zu", p->name, s.len, most);
    if (p->required && !str_trim(s).len)
        return err_set(why, ERR_INVALID, "\"%s\" is empty", p->name);
    return ERR_OK;
}

static enum err check_choice(const struct acquire_param *p, struct str s, struct why *why)
{
    struct str rest = str_c(p->choices), part;
    while (str_next(&rest, '|', &part))
        if (str_eq(part, s))
            return ERR_OK;
    return err_set(why, ERR_INVALID, "\"%s\" is one of %s, not \"%.*s\"", p->name, p->choices,
                   SHOW(s));
}

static enum err check_list(const struct acquire_param *p, const struct json *value, struct why *why)
{
    if (json_kind(value) != JSON_KIND_ARRAY || (p->required && !json_len(value)))
        return err_set(why, ERR_INVALID, "\"%s\" is a list of texts%s", p->name,
                       p->required ? ", not an empty one" : "");
    for (size_t i = 0; i < json_len(value); i++)
        if (json_kind(json_at(value, i)) != JSON_KIND_STRING)
            return err_set(why, ERR_INVALID, "\"%s\" is a list of texts", p->name);
    return json_len(value) <= 1000 ? ERR_OK
                                   : err_set(why, ERR_INVALID, "\"%s\" is too long", p->name);
}

static enum err check_object(const struct acquire_param *p, const struct json *value,
                             struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *member;
    if (json_kind(value) != JSON_KIND_OBJECT || json_len(value) > 100)
        return err_set(why, ERR_INVALID, "\"%s\" is an object of at most 100 texts", p->name);
    while (json_each(value, &iter, &key, &member))
        if (json_kind(member) != JSON_KIND_STRING || !key.len)
            return err_set(why, ERR_INVALID, "\"%s\" holds texts only", p->name);
    return ERR_OK;
}

static enum err check_value(const struct acquire_param *p, const struct json *value,
                            struct why *why)
{
    enum json_kind kind = json_kind(value);
    switch (p->kind) {
    case PARAM_TEXT:
    case PARAM_SECRET:
    case PARAM_CHOICE:
        if (kind != JSON_KIND_STRING)
            return err_set(why, ERR_INVALID, "\"%s\" is a text", p->name);
        return p->kind == PARAM_CHOICE ? check_choice(p, json_str(value, STR("")), why)
                                       : check_text(p, json_str(value, STR("")), why);
    case PARAM_INTEGER:
        if (kind != JSON_KIND_INT || json_int(value, 0) < p->least || json_int(value, 0) > p->most)
            return err_set(why, ERR_INVALID, "\"%s\" is a whole number from %lld to %lld", p->name,
                           (long long)p->least, (long long)p->most);
        return ERR_OK;
    case PARAM_FLAG:
        return kind == JSON_KIND_BOOL
                   ? ERR_OK
                   : err_set(why, ERR_INVALID, "\"%s\" is true or false", p->name);
    case PARAM_LIST:
        return check_list(p, value, why);
    case PARAM_OBJECT:
    case PARAM_SECRETS:
        return check_object(p, value, why);
    }
    return ERR_OK;
}

static void put_fallback(const struct acquire_param *p, struct json_out *out)
{
    const char *is = p->fallback ? p->fallback : "";
    int64_t number = 0;
    json_key(out, p->name);
    switch (p->kind) {
    case PARAM_INTEGER:
        (void)!str_to_i64(str_c(is), &number);
        json_put_int(out, number);
        return;
    case PARAM_FLAG:
        json_put_bool(out, !strcmp(is, "true"));
        return;
    case PARAM_LIST:
        json_put_raw(out, STR("[]"));
        return;
    case PARAM_OBJECT:
        json_put_raw(out, STR("{}"));
        return;
    default:
        json_put_c(out, is);
    }
}

static bool is_secret(const struct acquire_param *p)
{
    return p->kind == PARAM_SECRET || p->kind == PARAM_SECRETS;
}

static enum err put_settings(const struct acquire_kind *kind, const struct json *given, bool secret,
                             struct json_out *out, struct why *why)
{
    enum err err = ERR_OK;
    json_begin_object(out);
    for (size_t i = 0; !err && i < kind->n_params; i++) {
        const struct acquire_param *p = &kind->params[i];
        const struct json *value = json_get(given, p->name);
        if (is_secret(p) != secret)
            continue;
        if (value && json_kind(value) != JSON_KIND_NULL) {
            err = check_value(p, value, why);
            json_key(out, p->name);
            json_put_value(out, value);
        } else if (p->required && !secret) {
            err = err_set(why, ERR_INVALID, "\"%s\" is missing", p->name);
        } else if (!secret) {
            put_fallback(p, out);
        }
    }
    json_end_object(out);
    return err;
}

enum err acquire_settings(const struct acquire_kind *kind, const struct json *given,
                          struct arena *arena, struct str *plain, struct str *secret,
                          struct why *why)
{
    struct buf open, hidden;
    struct json_out open_json, hidden_json;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    if (given && json_kind(given) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "\"settings\" is a JSON object");
    while (json_each(given, &iter, &key, &value)) {
        bool known = false;
        for (size_t i = 0; i < kind->n_params; i++)
            known |= str_eq_c(key, kind->params[i].name);
        if (!known)
            return err_set(why, ERR_INVALID, "a collector of kind %s has no setting \"%.*s\"",
                           kind->name, SHOW(key));
    }
    buf_init(&open, arena);
    buf_init(&hidden, arena);
    json_out_init(&open_json, &open);
    json_out_init(&hidden_json, &hidden);
    enum err err = put_settings(kind, given, false, &open_json, why);
    if (!err)
        err = put_settings(kind, given, true, &hidden_json, why);
    if (!err)
        err = buf_err(&open, why);
    if (!err)
        err = buf_err(&hidden, why);
    *plain = buf_str(&open);
    *secret = buf_str(&hidden);
    return err;
}
