/* What a body may hold, as a table: one reader for every noun. */
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "models/models_in.h"

/* Text for people: UTF-8 without control characters other than line breaks and tabs. */
static enum err check_text(const struct field *f, struct str s, struct why *why)
{
    if (utf8_invalid(s) != STR_NPOS)
        return err_set(why, ERR_INVALID, "\"%s\" is not UTF-8", f->name);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 && s.ptr[i] != '\n' && s.ptr[i] != '\t')
            return err_set(why, ERR_INVALID, "\"%s\" holds a control character", f->name);
    if ((int64_t)s.len < f->least || (int64_t)s.len > f->most)
        return err_set(why, ERR_INVALID, "\"%s\" has %zu bytes, not %lld to %lld", f->name, s.len,
                       (long long)f->least, (long long)f->most);
    return ERR_OK;
}

static enum err check_choice(const struct field *f, struct str s, struct why *why)
{
    struct str rest = str_c(f->choices), part;
    while (str_next(&rest, '|', &part))
        if (str_eq(part, s))
            return ERR_OK;
    return err_set(why, ERR_INVALID, "\"%s\" is one of %s, not \"%.*s\"", f->name, f->choices,
                   STR_FMT(utf8_prefix(s, 40)));
}

static enum err read_one(const struct json *value, const struct field *f, struct arena *arena,
                         struct field_value *out, struct why *why)
{
    enum json_kind kind = json_kind(value);
    switch (f->kind) {
    case FIELD_TEXT:
    case FIELD_SECRET:
    case FIELD_CHOICE:
        if (kind != JSON_KIND_STRING)
            return err_set(why, ERR_INVALID, "\"%s\" must be a string", f->name);
        out->s = json_str(value, STR(""));
        return f->kind == FIELD_CHOICE ? check_choice(f, out->s, why) : check_text(f, out->s, why);
    case FIELD_INT:
        if (kind != JSON_KIND_INT)
            return err_set(why, ERR_INVALID, "\"%s\" must be a whole number", f->name);
        out->i = json_int(value, 0);
        if (out->i < f->least || out->i > f->most)
            return err_set(why, ERR_INVALID, "\"%s\" is from %lld to %lld, not %lld", f->name,
                           (long long)f->least, (long long)f->most, (long long)out->i);
        return ERR_OK;
    case FIELD_BOOL:
        if (kind != JSON_KIND_BOOL)
            return err_set(why, ERR_INVALID, "\"%s\" must be true or false", f->name);
        out->i = json_bool(value, false);
        return ERR_OK;
    case FIELD_JSON:
        if (kind != JSON_KIND_ARRAY && kind != JSON_KIND_OBJECT)
            return err_set(why, ERR_INVALID, "\"%s\" must be a list or an object", f->name);
        if ((f->fallback && f->fallback[0] == '[') != (kind == JSON_KIND_ARRAY))
            return err_set(why, ERR_INVALID, "\"%s\" must be %s", f->name,
                           kind == JSON_KIND_ARRAY ? "an object" : "a list");
        enum err err = json_dump(value, arena, &out->s, why);
        if (!err && (int64_t)out->s.len > f->most)
            err = err_set(why, ERR_INVALID, "\"%s\" is longer than %lld bytes", f->name,
                          (long long)f->most);
        return err;
    }
    return ERR_OK;
}

static void fall_back(const struct field *f, struct field_value *out)
{
    *out = (struct field_value){.s = str_c(f->fallback)};
    if (f->kind == FIELD_INT && !str_to_i64(out->s, &out->i))
        out->i = 0;
    if (f->kind == FIELD_BOOL)
        out->i = str_eq_c(out->s, "true");
}

static enum err unknown(struct str key, const struct field *fields, size_t n, struct why *why)
{
    struct why list = {0};
    size_t used = 0;
    for (size_t i = 0; i < n && used + 40 < sizeof list.hint; i++)
        used += (size_t)snprintf(list.hint + used, sizeof list.hint - used, "%s%s",
                                 i ? ", " : "known are ", fields[i].name);
    err_hint(why, "%s", list.hint);
    return err_set(why, ERR_INVALID, "there is no member \"%.*s\" here",
                   STR_FMT(utf8_prefix(key, 40)));
}

enum err models_fields_read(const struct json *body, const struct field *fields, size_t n,
                            bool fresh, struct arena *arena, struct field_value *values,
                            struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body must be a JSON object");
    for (size_t i = 0; fresh && i < n; i++)
        if (fields[i].fallback)
            fall_back(&fields[i], &values[i]);
    while (json_each(body, &iter, &key, &value)) {
        size_t i = 0;
        while (i < n && !str_eq_c(key, fields[i].name))
            i++;
        if (i == n)
            return unknown(key, fields, n, why);
        if (fields[i].fixed && !fresh)
            return err_set(why, ERR_INVALID, "\"%s\" cannot be changed", fields[i].name);
        enum err err = read_one(value, &fields[i], arena, &values[i], why);
        if (err)
            return err;
        values[i].set = true;
    }
    for (size_t i = 0; fresh && i < n; i++)
        if (!fields[i].fallback && !values[i].set)
            return err_set(why, ERR_INVALID, "\"%s\" is missing", fields[i].name);
    return ERR_OK;
}

static const char *schema_type(const struct field *f)
{
    if (f->kind == FIELD_JSON)
        return f->fallback && f->fallback[0] == '[' ? "array" : "object";
    return f->kind == FIELD_INT ? "integer" : f->kind == FIELD_BOOL ? "boolean" : "string";
}

void models_fields_schema(struct json_out *out, const struct field *fields, size_t n)
{
    json_begin_object(out);
    json_kv_c(out, "type", "object");
    json_key(out, "properties");
    json_begin_object(out);
    for (size_t i = 0; i < n; i++) {
        const struct field *f = &fields[i];
        json_key(out, f->name);
        json_begin_object(out);
        json_kv_c(out, "type", schema_type(f));
        json_kv_c(out, "description", f->summary);
        if (f->kind == FIELD_INT) {
            json_kv_int(out, "minimum", f->least);
            json_kv_int(out, "maximum", f->most);
        }
        if (f->kind == FIELD_CHOICE) {
            struct str rest = str_c(f->choices), part;
            json_key(out, "enum");
            json_begin_array(out);
            while (str_next(&rest, '|', &part))
                json_put_str(out, part);
            json_end_array(out);
        }
        json_end_object(out);
    }
    json_end_object(out);
    json_end_object(out);
}
