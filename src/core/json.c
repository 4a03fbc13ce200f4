#include "core/json.h"

#include <jansson.h>
#include <math.h>

#include "core/arena.h"

#define MOST_LEVELS 512

static void decref(void *value)
{
    json_decref(value);
}

/* jansson's own limit (2048 levels) is a build constant of the library; ours is checked before, on
 * the text, so that a hostile document costs one pass and no memory. */
static bool too_deep(struct str text)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if ((c == '[' || c == '{') && ++depth > MOST_LEVELS) {
            return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return false;
}

enum err json_parse(struct str text, struct arena *arena, const struct json **out, struct why *why)
{
    json_error_t error;
    if (too_deep(text))
        return err_set(why, ERR_INVALID, "the JSON nests deeper than %d levels", MOST_LEVELS);
    json_t *root = json_loadb(text.ptr ? text.ptr : "", text.len,
                              JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!root)
        return err_set(why, ERR_INVALID, "not valid JSON at line %d, column %d: %s", error.line,
                       error.column, error.text);
    if (arena_defer(arena, decref, root) != 0) {
        json_decref(root);
        return err_set(why, ERR_NO_MEMORY, "could not hold the JSON document");
    }
    *out = (const struct json *)root;
    return ERR_OK;
}

static const json_t *of(const struct json *value)
{
    return (const json_t *)value;
}

enum json_kind json_kind(const struct json *value)
{
    static const enum json_kind kinds[] = {
        [JSON_OBJECT] = JSON_KIND_OBJECT, [JSON_ARRAY] = JSON_KIND_ARRAY,
        [JSON_STRING] = JSON_KIND_STRING, [JSON_INTEGER] = JSON_KIND_INT,
        [JSON_REAL] = JSON_KIND_REAL,     [JSON_TRUE] = JSON_KIND_BOOL,
        [JSON_FALSE] = JSON_KIND_BOOL,    [JSON_NULL] = JSON_KIND_NULL,
    };
    return value ? kinds[json_typeof(of(value))] : JSON_KIND_NULL;
}

size_t json_len(const struct json *value)
{
    if (json_is_array(of(value)))
        return json_array_size(of(value));
    return json_is_object(of(value)) ? json_object_size(of(value)) : 0;
}

const struct json *json_at(const struct json *array, size_t i)
{
    return (const struct json *)json_array_get(of(array), i);
}

const struct json *json_get(const struct json *object, const char *key)
{
    return (const struct json *)json_object_get(of(object), key);
}

struct str json_str(const struct json *value, struct str fallback)
{
    if (!json_is_string(of(value)))
        return fallback;
    return (struct str){json_string_value(of(value)), json_string_length(of(value))};
}

int64_t json_int(const struct json *value, int64_t fallback)
{
    if (json_is_integer(of(value)))
        return json_integer_value(of(value));
    double real = json_is_real(of(value)) ? json_real_value(of(value)) : NAN;
    return real == floor(real) && fabs(real) < 9007199254740992.0 ? (int64_t)real : fallback;
}

double json_f64(const struct json *value, double fallback)
{
    return json_is_number(of(value)) ? json_number_value(of(value)) : fallback;
}

bool json_bool(const struct json *value, bool fallback)
{
    return json_is_boolean(of(value)) ? json_boolean_value(of(value)) : fallback;
}

struct str json_get_str(const struct json *object, const char *key, struct str fallback)
{
    return json_str(json_get(object, key), fallback);
}

int64_t json_get_int(const struct json *object, const char *key, int64_t fallback)
{
    return json_int(json_get(object, key), fallback);
}

double json_get_f64(const struct json *object, const char *key, double fallback)
{
    return json_f64(json_get(object, key), fallback);
}

bool json_get_bool(const struct json *object, const char *key, bool fallback)
{
    return json_bool(json_get(object, key), fallback);
}

bool json_each(const struct json *object, void **iter, struct str *key, const struct json **value)
{
    json_t *o = (json_t *)object; /* jansson's iterators take no const; they change nothing */
    if (!json_is_object(o))
        return false;
    *iter = *iter ? json_object_iter_next(o, *iter) : json_object_iter(o);
    if (!*iter)
        return false;
    *key = str_c(json_object_iter_key(*iter));
    *value = (const struct json *)json_object_iter_value(*iter);
    return true;
}

bool json_unknown(const struct json *object, const char *names, struct str *key)
{
    void *iter = NULL;
    const struct json *value;
    while (json_each(object, &iter, key, &value)) {
        struct str rest = str_c(names), name;
        bool known = false;
        while (!known && str_next(&rest, ' ', &name))
            known = str_eq(*key, name);
        if (!known)
            return true;
    }
    return false;
}

static int dump_part(const char *ptr, size_t len, void *ctx)
{
    struct buf *buf = ctx;
    buf_add(buf, (struct str){ptr, len});
    return buf->failed ? -1 : 0;
}

enum err json_dump(const struct json *value, struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    buf_init(&buf, arena);
    if (json_dump_callback(of(value), dump_part, &buf, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        return err_set(why, ERR_NO_MEMORY, "could not write the JSON text");
    *out = buf_str(&buf);
    return ERR_OK;
}

void json_put_value(struct json_out *out, const struct json *value)
{
    struct str text;
    if (!value) {
        json_put_null(out);
    } else if (json_dump(value, out->buf->arena, &text, NULL) == ERR_OK) {
        json_put_raw(out, text);
    } else {
        json_put_null(out); /* the writer's state stays whole */
        out->buf->failed = true;
    }
}
