#include "data/record.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "data/scan.h"

static const char *const kind_names[RECORD_KINDS] = {
    "text", "chat", "preference", "classification", "spans", "qa", "caption", "row",
};

const char *record_kind_name(enum record_kind kind)
{
    return kind < RECORD_KINDS ? kind_names[kind] : "any";
}

bool record_kind_parse(struct str name, enum record_kind *out)
{
    for (size_t i = 0; i < RECORD_KINDS; i++)
        if (str_eq_c(name, kind_names[i])) {
            *out = (enum record_kind)i;
            return true;
        }
    return false;
}

enum record_kind record_kind_guess(const struct record *record)
{
    static const struct {
        const char *with, *also;
        enum record_kind kind;
    } rules[] = {
        {"messages", NULL, RECORD_CHAT},
        {"chosen", "rejected", RECORD_PREFERENCE},
        {"question", "answer", RECORD_QA},
        {"image", "caption", RECORD_CAPTION},
        {"row", NULL, RECORD_ROW},
        {"text", "spans", RECORD_SPANS},
        {"text", "label", RECORD_CLASSIFICATION},
        {"text", NULL, RECORD_TEXT},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (record_raw(record, rules[i].with).ptr &&
            (!rules[i].also || record_raw(record, rules[i].also).ptr))
            return rules[i].kind;
    return RECORD_KINDS;
}

enum err record_check(const struct record *record, enum record_kind kind, struct why *why)
{
    static const struct {
        const char *name;
        const char *begins; /* the first characters that its value may have */
    } needs[RECORD_KINDS][2] = {
        [RECORD_TEXT] = {{"text", "\""}},
        [RECORD_CHAT] = {{"messages", "["}},
        [RECORD_PREFERENCE] = {{"chosen", "\"{"}, {"rejected", "\"{"}},
        [RECORD_CLASSIFICATION] = {{"text", "\""}, {"label", "\"-0123456789tf"}},
        [RECORD_SPANS] = {{"text", "\""}, {"spans", "["}},
        [RECORD_QA] = {{"question", "\""}, {"answer", "\""}},
        [RECORD_CAPTION] = {{"image", "\""}, {"caption", "\""}},
        [RECORD_ROW] = {{"row", "{"}},
    };
    for (int i = 0; i < 2; i++) {
        const char *name = needs[kind][i].name;
        struct str raw = name ? record_raw(record, name) : STR_NONE;
        if (name && (!raw.ptr || !strchr(needs[kind][i].begins, raw.ptr[0])))
            return err_set(why, ERR_INVALID, "a record of kind %s must have \"%s\"%s",
                           record_kind_name(kind), name, raw.ptr ? " of another type" : "");
    }
    return ERR_OK;
}

static struct record_member *find(const struct record *record, struct str key)
{
    for (size_t i = 0; i < record->n; i++)
        if (record->members[i].raw.ptr && str_eq(record->members[i].key, key))
            return &record->members[i];
    return NULL;
}

static enum err add(struct record *record, struct str key, struct str raw, struct why *why)
{
    if (record->n == record->cap) {
        size_t cap = record->cap ? record->cap * 2 : 8, size = sizeof *record->members;
        struct record_member *more =
            arena_grow(record->arena, record->members, record->cap * size, cap * size);
        if (!more)
            return err_set(why, ERR_NO_MEMORY, "could not hold a record's members");
        record->members = more;
        record->cap = cap;
    }
    record->members[record->n++] = (struct record_member){key, raw};
    return ERR_OK;
}

static enum err bad_line(size_t at, struct str line, struct why *why)
{
    if (at >= line.len)
        return err_set(why, ERR_INVALID, "the record ends too early, after %zu bytes", line.len);
    return err_set(why, ERR_INVALID, "the record is no JSON in UTF-8 at byte %zu", at);
}

/* The member that begins at *at, which moves behind it. */
static enum err read_member(struct record *record, struct str line, size_t *at, struct why *why)
{
    size_t bad = *at, behind = STR_NPOS;
    if (*at < line.len && line.ptr[*at] == '"')
        behind = scan_value(line, *at, 0, &bad);
    if (behind == STR_NPOS)
        return bad_line(bad, line, why);
    struct str key = scan_decode(str_slice(line, *at, behind), record->arena);
    if (!key.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold a record's members");
    size_t colon = scan_space(line, behind);
    if (colon >= line.len || line.ptr[colon] != ':')
        return bad_line(colon, line, why);
    size_t start = scan_space(line, colon + 1), end = scan_value(line, start, RECORD_DEPTH, &bad);
    if (end == STR_NPOS)
        return bad_line(bad, line, why);
    if (find(record, key))
        return err_set(why, ERR_INVALID, "the record has \"%.*s\" twice",
                       (int)(key.len < 60 ? key.len : 60), key.ptr);
    if (record->n == RECORD_MOST_MEMBERS)
        return err_set(why, ERR_TOO_LARGE, "the record has more than %d members",
                       RECORD_MOST_MEMBERS);
    *at = scan_space(line, end);
    return add(record, key, str_slice(line, start, end), why);
}

static enum err read_members(struct record *record, struct str line, size_t at, struct why *why)
{
    while (true) {
        enum err err = read_member(record, line, &at, why);
        if (err)
            return err;
        if (at < line.len && line.ptr[at] == ',') {
            at = scan_space(line, at + 1);
            continue;
        }
        if (at >= line.len || line.ptr[at] != '}')
            return bad_line(at, line, why);
        at = scan_space(line, at + 1);
        return at == line.len ? ERR_OK : bad_line(at, line, why);
    }
}

enum err record_read(struct str line, struct arena *arena, struct record *out, struct why *why)
{
    struct record record = {.arena = arena, .line = line};
    if (line.len > RECORD_MOST_BYTES)
        return err_set(why, ERR_TOO_LARGE, "a record of %zu bytes; at most %zu", line.len,
                       RECORD_MOST_BYTES);
    size_t at = scan_space(line, 0);
    if (at >= line.len || line.ptr[at] != '{')
        return err_set(why, ERR_INVALID, "the record is no JSON object");
    at = scan_space(line, at + 1);
    enum err err = ERR_OK;
    if (at < line.len && line.ptr[at] == '}')
        err = scan_space(line, at + 1) == line.len ? ERR_OK : bad_line(at + 1, line, why);
    else
        err = read_members(&record, line, at, why);
    if (err)
        return err;
    record.id = record_str(&record, "id");
    if (!record.id.ptr || record.id.len > RECORD_MOST_ID)
        record.id = STR("");
    *out = record;
    return ERR_OK;
}

enum err record_new(struct str id, struct arena *arena, struct record *out, struct why *why)
{
    struct record record = {.arena = arena, .changed = true};
    enum err err = record_set_id(&record, id, why);
    if (!err)
        *out = record;
    return err;
}

enum err record_part(const struct record *parent, size_t n, struct record *out, struct why *why)
{
    struct str id = str_printf(parent->arena, "%.*s.%zu", STR_FMT(parent->id), n);
    if (!id.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not make a record");
    return record_new(id, parent->arena, out, why);
}

struct str record_source(struct str id)
{
    size_t dash = str_find_char(id, '-');
    return dash == STR_NPOS ? STR("") : str_slice(id, 0, dash);
}

struct str record_raw(const struct record *record, const char *key)
{
    const struct record_member *m = find(record, str_c(key));
    return m ? m->raw : STR_NONE;
}

struct str record_decode(struct str raw, struct arena *arena)
{
    return scan_decode(raw, arena);
}

struct str record_str(const struct record *record, const char *key)
{
    return scan_decode(record_raw(record, key), record->arena);
}

enum err record_set_raw(struct record *record, const char *key, struct str raw, struct why *why)
{
    struct record_member *m = find(record, str_c(key));
    record->changed = true;
    if (!m)
        return add(record, str_c(key), raw, why);
    m->raw = raw;
    return ERR_OK;
}

enum err record_set_str(struct record *record, const char *key, struct str value, struct why *why)
{
    struct buf buf;
    buf_init(&buf, record->arena);
    scan_quote(&buf, value);
    enum err err = buf_err(&buf, why);
    return err ? err : record_set_raw(record, key, buf_str(&buf), why);
}

enum err record_set_id(struct record *record, struct str id, struct why *why)
{
    if (!id.len || id.len > RECORD_MOST_ID)
        return err_set(why, ERR_INVALID, "an id has 1 to %d bytes, not %zu", RECORD_MOST_ID,
                       id.len);
    enum err err = record_set_str(record, "id", id, why);
    if (!err)
        record->id = id;
    return err;
}

void record_remove(struct record *record, const char *key)
{
    struct record_member *m = find(record, str_c(key));
    if (!m)
        return;
    m->raw = STR_NONE;
    record->changed = true;
}

struct str record_line_id(struct str line, struct arena *arena)
{
    static const char begin[] = "{\"id\":\"";
    struct record record;
    if (str_starts(line, str_c(begin))) { /* as record_write() lays it out */
        struct str rest = str_from(line, sizeof begin - 1);
        size_t end = str_find_char(rest, '"');
        struct str id = str_slice(rest, 0, end == STR_NPOS ? 0 : end);
        if (id.len && str_find_char(id, '\\') == STR_NPOS)
            return id;
    }
    return record_read(line, arena, &record, NULL) == ERR_OK ? record.id : STR("");
}

void record_write(const struct record *record, struct buf *out)
{
    if (!record->changed && record->line.ptr) {
        buf_add(out, record->line);
        buf_char(out, '\n');
        return;
    }
    char before = '{';
    for (size_t i = 0; i < record->n; i++) {
        const struct record_member *m = &record->members[i];
        if (!m->raw.ptr)
            continue;
        buf_char(out, before);
        scan_quote(out, m->key);
        buf_char(out, ':');
        buf_add(out, m->raw);
        before = ',';
    }
    buf_add_c(out, before == '{' ? "{}\n" : "}\n");
}
