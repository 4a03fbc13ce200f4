/* acquire/shape - items of databases and APIs in the shape of records. */
#include <string.h>

#include "acquire/acquire_in.h"
#include "core/arena.h"

const struct json *shape_at(const struct json *value, struct str path)
{
    struct str part;
    char name[256];
    while (value && str_next(&path, '.', &part)) {
        int64_t number;
        if (json_kind(value) == JSON_KIND_ARRAY) {
            value =
                str_to_i64(part, &number) && number >= 0 ? json_at(value, (size_t)number) : NULL;
            continue;
        }
        if (part.len >= sizeof name)
            return NULL;
        memcpy(name, part.ptr, part.len);
        name[part.len] = '\0';
        value = json_get(value, name);
    }
    return value;
}

enum err shape_text(const struct json *value, struct arena *arena, struct str *out, struct why *why)
{
    *out = STR("");
    if (json_kind(value) == JSON_KIND_STRING)
        *out = json_str(value, STR(""));
    else if (json_kind(value) != JSON_KIND_NULL)
        return json_dump(value, arena, out, why);
    return ERR_OK;
}

/* Members whose values are lists or objects by themselves: taken as they are. */
static bool is_structure(struct str member)
{
    static const char *const names[] = {"messages", "spans",  "meta",
                                        "prompt",   "chosen", "rejected"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_c(member, names[i]))
            return true;
    return false;
}

static enum err put_member(const struct json *value, struct str member, struct str path,
                           struct arena *arena, struct json_out *out, struct why *why)
{
    const struct json *found = shape_at(value, path);
    char *name = str_z(arena, member);
    struct str text;
    if (!name)
        return err_set(why, ERR_NO_MEMORY, "could not hold an item");
    if (!found)
        return err_set(why, ERR_INVALID, "the item has no \"%.*s\"", SHOW(path));
    if (is_structure(member) &&
        (json_kind(found) == JSON_KIND_ARRAY || json_kind(found) == JSON_KIND_OBJECT)) {
        json_key(out, name);
        json_put_value(out, found);
        return ERR_OK;
    }
    enum err err = shape_text(found, arena, &text, why);
    json_kv_str(out, name, text);
    return err;
}

/* Top-level scalars that the map does not name. */
static void put_rest(const struct json *value, const struct json *map, struct arena *arena,
                     struct json_out *out)
{
    void *iter = NULL, *named;
    struct str key, member;
    const struct json *is, *path;
    bool begun = false;
    while (json_each(value, &iter, &key, &is)) {
        bool taken = json_kind(is) == JSON_KIND_ARRAY || json_kind(is) == JSON_KIND_OBJECT ||
                     json_kind(is) == JSON_KIND_NULL;
        named = NULL;
        while (!taken && json_each(map, &named, &member, &path))
            taken = str_eq(json_str(path, STR("")), key);
        char *name = taken ? NULL : str_z(arena, key);
        if (!name)
            continue;
        if (!begun) {
            json_key(out, "meta");
            json_begin_object(out);
            begun = true;
        }
        json_key(out, name);
        json_put_value(out, is);
    }
    if (begun)
        json_end_object(out);
}

enum err shape_record(const struct json *value, struct str record_kind, const struct json *map,
                      struct arena *arena, struct str *out, struct why *why)
{
    struct buf buf;
    struct json_out json;
    void *iter = NULL;
    struct str member;
    const struct json *path;
    enum err err = ERR_OK;
    bool row = str_eq_c(record_kind, "row") && !json_len(map);
    if (!row && !json_len(map)) /* it is a record already */
        return json_dump(value, arena, out, why);
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    if (row) {
        json_key(&json, "row");
        json_put_value(&json, value);
    }
    while (!err && !row && json_each(map, &iter, &member, &path))
        err = put_member(value, member, json_str(path, STR("")), arena, &json, why);
    if (!err && !row && !json_get(map, "meta"))
        put_rest(value, map, arena, &json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}
