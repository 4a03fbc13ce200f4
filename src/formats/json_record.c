#include "formats/json_record.h"

#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "formats/reader.h"

#define MOST_FIELDS 20000
#define SCRATCH     ((size_t)64 << 20)

struct json_record {
    struct format_out *out;
    const struct format_field *last; /* of the record before, for its names */
    size_t n_last;
};

/* One flattening in progress. */
struct flat {
    struct json_record *record;
    struct arena *scratch;
    struct format_field *fields; /* in scratch, names too; values in the document's arena */
    size_t n, cap;
    struct buf name;
};

struct json_record *json_record_new(struct format_out *out)
{
    struct json_record *record = arena_one(out->arena, struct json_record);
    if (record)
        record->out = out;
    return record;
}

static void free_arena(void *arena)
{
    arena_free(arena);
}

struct arena *json_record_scratch(struct format_out *out)
{
    struct arena *scratch = arena_new(SCRATCH);
    if (!scratch || arena_defer(out->arena, free_arena, scratch) != 0) {
        arena_free(scratch);
        (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
        return NULL;
    }
    return scratch;
}

/* The text with null in place of NaN, Infinity and -Infinity outside strings; unchanged when there
 * are none. */
static struct str without_nan(struct str text, struct arena *scratch)
{
    static const struct str names[] = {STR_INIT("NaN"), STR_INIT("-Infinity"),
                                       STR_INIT("Infinity")};
    struct buf buf;
    size_t from = 0;
    bool quoted = false;
    buf_init(&buf, scratch);
    for (size_t at = 0; at < text.len; at++) {
        char c = text.ptr[at];
        if (quoted) {
            at += c == '\\';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        for (size_t i = 0; (c == 'N' || c == 'I' || c == '-') && i < 3; i++) {
            if (!str_starts(str_from(text, at), names[i]))
                continue;
            buf_add(&buf, str_slice(text, from, at));
            buf_add(&buf, STR("null"));
            from = at + names[i].len;
            at = from - 1;
            break;
        }
    }
    if (from == 0)
        return text;
    buf_add(&buf, str_from(text, from));
    return buf.failed ? text : buf_str(&buf);
}

enum err json_record_parse(struct str text, struct arena *scratch, const struct json **value,
                           struct why *why)
{
    struct why first = {0};
    enum err err = json_parse(text, scratch, value, &first);
    struct str mended = err ? without_nan(text, scratch) : text;
    if (mended.ptr != text.ptr && json_parse(mended, scratch, value, NULL) == ERR_OK)
        return ERR_OK;
    return err ? err_set(why, err, "%s", first.text) : ERR_OK;
}

static bool is_plain(const struct json *value)
{
    return json_kind(value) != JSON_KIND_ARRAY && json_kind(value) != JSON_KIND_OBJECT;
}

static void put_plain(struct buf *buf, const struct json *value)
{
    switch (json_kind(value)) {
    case JSON_KIND_STRING:
        buf_add(buf, json_str(value, STR_NONE));
        break;
    case JSON_KIND_INT:
        buf_printf(buf, "%lld", (long long)json_int(value, 0));
        break;
    case JSON_KIND_REAL:
        buf_printf(buf, "%.15g", json_f64(value, 0));
        break;
    case JSON_KIND_BOOL:
        buf_add_c(buf, json_bool(value, false) ? "true" : "false");
        break;
    default:
        break;
    }
}

/* Strings of JSON may hold '\r' and controls behind their escapes. */
static struct str tidy(struct format_out *out, struct str s)
{
    bool plain = true;
    for (size_t i = 0; i < s.len && plain; i++)
        plain = (unsigned char)s.ptr[i] >= 0x20 || s.ptr[i] == '\n';
    struct str copy = str_copy(out->arena, s);
    if (!copy.ptr)
        (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
    if (plain || !copy.ptr)
        return copy;
    char *to = (char *)copy.ptr;
    size_t n = 0;
    for (size_t i = 0; i < copy.len; i++) {
        char c = copy.ptr[i];
        if (c == '\r' && i + 1 < copy.len && copy.ptr[i + 1] == '\n')
            continue;
        to[n++] = c == '\r' ? '\n' : (unsigned char)c < 0x20 && c != '\n' ? ' ' : c;
    }
    return (struct str){copy.ptr, n};
}

static struct str plain_text(struct flat *flat, const struct json *value)
{
    struct format_out *out = flat->record->out;
    if (json_kind(value) == JSON_KIND_STRING)
        return tidy(out, json_str(value, STR_NONE));
    struct buf buf;
    buf_init(&buf, flat->scratch);
    put_plain(&buf, value);
    return tidy(out, buf_str(&buf));
}

static struct str joined(struct flat *flat, const struct json *list)
{
    struct buf buf;
    buf_init(&buf, flat->scratch);
    for (size_t i = 0; i < json_len(list); i++) {
        if (i)
            buf_add(&buf, STR("；"));
        put_plain(&buf, json_at(list, i));
    }
    return tidy(flat->record->out, buf_str(&buf));
}

static void add_field(struct flat *flat, struct str value)
{
    if (flat->n == flat->cap) {
        size_t cap = flat->cap ? flat->cap * 2 : 64;
        struct format_field *grown =
            cap > MOST_FIELDS * 2 ? NULL
                                  : arena_grow(flat->scratch, flat->fields,
                                               flat->cap * sizeof *grown, cap * sizeof *grown);
        if (!grown) {
            (void)format_fail(flat->record->out, ERR_TOO_LARGE, "a record has more than %d fields",
                              MOST_FIELDS);
            return;
        }
        flat->fields = grown;
        flat->cap = cap;
    }
    struct str name = str_copy(flat->scratch, buf_str(&flat->name));
    if (!name.ptr)
        (void)format_fail(flat->record->out, ERR_NO_MEMORY, "a record is too large to be held");
    flat->fields[flat->n++] = (struct format_field){name, value};
}

static bool all_plain(const struct json *list)
{
    for (size_t i = 0; i < json_len(list); i++) {
        if (!is_plain(json_at(list, i)))
            return false;
    }
    return true;
}

/* Recursion is bounded by json_parse, which refuses more than 512 levels. */
static void flatten(struct flat *flat, const struct json *value)
{
    size_t len = flat->name.len;
    void *iter = NULL;
    struct str key;
    const struct json *item;
    if (!format_go_on(flat->record->out))
        return;
    if (is_plain(value)) {
        add_field(flat, plain_text(flat, value));
        return;
    }
    if (json_kind(value) == JSON_KIND_ARRAY && all_plain(value)) {
        add_field(flat, joined(flat, value));
        return;
    }
    for (size_t i = 0; json_kind(value) == JSON_KIND_ARRAY && i < json_len(value); i++) {
        buf_printf(&flat->name, "%s%zu", len ? "." : "", i + 1);
        flatten(flat, json_at(value, i));
        buf_cut(&flat->name, len);
    }
    while (json_each(value, &iter, &key, &item)) {
        if (len)
            buf_char(&flat->name, '.');
        buf_add(&flat->name, str_trim(key));
        flatten(flat, item);
        buf_cut(&flat->name, len);
    }
}

/* The names move to the document's arena, or are those of the record before. */
static void keep(struct flat *flat)
{
    struct json_record *record = flat->record;
    struct format_out *out = record->out;
    struct format_field *fields = arena_array(out->arena, struct format_field, flat->n);
    for (size_t i = 0; i < flat->n && fields && !out->err; i++) {
        struct str name = flat->fields[i].name;
        bool same = i < record->n_last && str_eq(name, record->last[i].name);
        fields[i] = flat->fields[i];
        fields[i].name = same ? record->last[i].name : tidy(out, name);
    }
    if (!fields) {
        (void)format_fail(out, ERR_NO_MEMORY, "the document needs more memory than the limit");
        return;
    }
    record->last = fields;
    record->n_last = flat->n;
    format_record(out, fields, flat->n);
}

void json_record_add(struct json_record *record, const struct json *value, struct arena *scratch)
{
    struct flat flat = {.record = record, .scratch = scratch};
    buf_init(&flat.name, scratch);
    if (is_plain(value)) {
        format_paragraph(record->out, plain_text(&flat, value));
        return;
    }
    if (json_kind(value) == JSON_KIND_ARRAY && all_plain(value)) {
        format_paragraph(record->out, joined(&flat, value));
        return;
    }
    flatten(&flat, value);
    if (!record->out->err && flat.n)
        keep(&flat);
}
