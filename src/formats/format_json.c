/*
 * json: an array as one record an item, parsed item by item so that memory is bounded by the
 * largest one; an object as a record, with a heading and records for each list of objects in it.
 */
#include "formats/reader.h"

#include "core/arena.h"
#include "core/json.h"
#include "formats/json_record.h"

#define LEAST_LIST 2 /* a list of so many objects is a table rather than a part of its record */

static int detect(struct str text, struct str suffix)
{
    text = str_trim(text);
    if (!text.len || (text.ptr[0] != '{' && text.ptr[0] != '['))
        return 0;
    if (format_has_suffix(" json geojson ", suffix))
        return 60;
    char last = text.ptr[text.len - 1];
    struct str inner = str_trim(str_slice(text, 1, 4096));
    bool object = text.ptr[0] == '{' && last == '}' && str_starts(inner, STR("\""));
    bool array = text.ptr[0] == '[' && last == ']' && str_starts(inner, STR("{"));
    return object || array ? 30 : 0;
}

/* End of the value that begins at `at`: the offset of the ',' or ']' behind it. Quoted text is
 * skipped; whether the value is well formed is for the parser to say. */
static size_t item_end(struct str s, size_t at)
{
    size_t depth = 0;
    for (bool quoted = false; at < s.len; at++) {
        char c = s.ptr[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        } else if (depth == 0 && (c == ',' || c == ']')) {
            return at;
        }
    }
    return s.len;
}

/* Offset behind the object or list that s begins with. */
static size_t value_end(struct str s)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t at = 0; at < s.len; at++) {
        char c = s.ptr[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if ((c == ']' || c == '}') && (depth == 0 || --depth == 0)) {
            return at + 1;
        }
    }
    return s.len;
}

static enum err read_array(struct str s, struct json_record *record, struct arena *scratch,
                           struct format_out *out)
{
    size_t at = 1;
    if (str_trim(str_from(s, 1)).len && str_trim(str_from(s, 1)).ptr[0] == ']')
        return out->err;
    for (size_t i = 1; format_go_on(out); i++) {
        const struct json *value;
        size_t end = item_end(s, at);
        arena_reset(scratch);
        enum err err =
            json_record_parse(str_trim(str_slice(s, at, end)), scratch, &value, out->why);
        if (err) {
            err_prefix(out->why, "item %zu", i);
            return out->err = err;
        }
        json_record_add(record, value, scratch);
        if (end >= s.len)
            return format_fail(out, ERR_INVALID, "the JSON array is cut off after item %zu", i);
        at = end + 1;
        if (s.ptr[end] == ']')
            break;
    }
    if (!out->err && str_trim(str_from(s, at)).len)
        format_note(out, "there is more text behind the JSON array");
    return out->err;
}

/* Values one after another, without a list around them; each must be sound. */
static enum err read_sequence(struct str s, struct json_record *record, struct arena *scratch,
                              struct format_out *out)
{
    for (size_t i = 1; s.len && format_go_on(out); i++) {
        const struct json *value;
        size_t end = value_end(s);
        arena_reset(scratch);
        enum err err = json_record_parse(str_slice(s, 0, end), scratch, &value, out->why);
        if (err) {
            err_prefix(out->why, "value %zu", i);
            return out->err = err;
        }
        json_record_add(record, value, scratch);
        s = str_trim(str_from(s, end));
    }
    return out->err;
}

static bool is_list_of_objects(const struct json *value)
{
    if (json_kind(value) != JSON_KIND_ARRAY || json_len(value) < LEAST_LIST)
        return false;
    for (size_t i = 0; i < json_len(value); i++) {
        if (json_kind(json_at(value, i)) != JSON_KIND_OBJECT)
            return false;
    }
    return true;
}

static void read_list(const struct json *list, struct json_record *record, struct arena *work,
                      struct format_out *out)
{
    for (size_t i = 0; i < json_len(list) && format_go_on(out); i++) {
        arena_reset(work);
        json_record_add(record, json_at(list, i), work);
    }
}

/* Beside lists of objects the plain members describe the whole: they are its metadata. */
static void read_object(const struct json *object, struct json_record *record, struct arena *work,
                        struct format_out *out)
{
    bool has_list = false;
    void *iter = NULL;
    struct str key;
    const struct json *value;
    while (json_each(object, &iter, &key, &value))
        has_list = has_list || is_list_of_objects(value);
    if (!has_list) {
        json_record_add(record, object, work);
        return;
    }
    for (iter = NULL; format_go_on(out) && json_each(object, &iter, &key, &value);) {
        key = str_copy(out->arena, key);
        if (json_kind(value) == JSON_KIND_STRING) {
            format_meta(out, key, str_copy(out->arena, json_str(value, STR_NONE)));
            continue;
        }
        format_heading(out, 1, key);
        if (is_list_of_objects(value))
            read_list(value, record, work, out);
        else
            json_record_add(record, value, work);
    }
}

static enum err read_json(struct str text, struct format_out *out)
{
    struct json_record *record = json_record_new(out);
    struct arena *scratch = json_record_scratch(out), *work = json_record_scratch(out);
    const struct json *value;
    if (!record || !scratch || !work)
        return format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    text = str_trim(text);
    if (text.ptr[0] == '[')
        return read_array(text, record, scratch, out);
    if (text.len > out->limits->text_bytes)
        return format_fail(out, ERR_TOO_LARGE,
                           "a JSON object of %zu MB is more than the limit of %zu", text.len >> 20,
                           out->limits->text_bytes >> 20);
    size_t end = value_end(text);
    if (end < text.len && str_starts(str_trim(str_from(text, end)), STR("{")))
        return read_sequence(text, record, scratch, out);
    enum err err = json_record_parse(text, scratch, &value, out->why);
    if (err)
        return out->err = err;
    read_object(value, record, work, out);
    return out->err;
}

const struct format_reader format_reader_json = {
    .name = "json",
    .suffixes = " json geojson ",
    .text = true,
    .detect = detect,
    .read = read_json,
};
