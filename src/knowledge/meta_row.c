/* knowledge/meta_row - metadata in rows of kb_versions, and as JSON when a person set them. */
#include "core/arena.h"
#include "core/json.h"
#include "knowledge/room.h"

#include <string.h>

/* ---- names of enums ---- */

static const char *const accesses[] = {"public", "staff", "department", "restricted"};
static const char *const kinds[] = {"law", "policy", "guide", "faq", "notice", "text", "table"};
static const char *const statuses[] = {"in_force", "not_yet", "expired", "superseded"};

#define N(array) (sizeof(array) / sizeof(array)[0])

static bool name_find(const char *const *names, size_t n, struct str name, size_t *out)
{
    for (size_t i = 0; i < n; i++)
        if (str_eq_c(name, names[i])) {
            *out = i;
            return true;
        }
    return false;
}

const char *access_name(enum ops_class access)
{
    return (size_t)access < N(accesses) ? accesses[access] : accesses[OPS_CLASS_RESTRICTED];
}

bool access_parse(struct str name, enum ops_class *out)
{
    size_t i = 0;
    bool found = name_find(accesses, N(accesses), name, &i);
    if (found)
        *out = (enum ops_class)i;
    return found;
}

const char *kind_name(enum knowledge_kind kind)
{
    return (size_t)kind < N(kinds) ? kinds[kind] : "text";
}

bool kind_parse(struct str name, enum knowledge_kind *out)
{
    size_t i = 0;
    bool found = name_find(kinds, N(kinds), name, &i);
    if (found)
        *out = (enum knowledge_kind)i;
    return found;
}

const char *status_name(enum knowledge_status status)
{
    return (size_t)status < N(statuses) ? statuses[status] : "expired";
}

struct knowledge_meta knowledge_meta_unset(void)
{
    return (struct knowledge_meta){.kind = (enum knowledge_kind) - 1,
                                   .level = -1,
                                   .access = OPS_CLASS_PUBLIC,
                                   .published = DAY_NONE,
                                   .effective = DAY_NONE,
                                   .expires = DAY_NONE};
}

/* ---- rows ---- */

static struct store_value day_value(int32_t day)
{
    return day == DAY_NONE ? SV_NULL : SV_INT(day);
}

static struct store_value text_value(struct str s)
{
    return SV_STR(s.ptr ? s : STR(""));
}

void meta_to_values(const struct knowledge_meta *meta, bool access_said, struct str label,
                    struct store_value out[META_N])
{
    const struct store_value values[META_N] = {
        SV_INT(meta->kind),         text_value(meta->title),
        text_value(meta->part),     text_value(meta->key),
        text_value(meta->issuer),   text_value(meta->number),
        text_value(meta->region),   text_value(meta->department),
        SV_INT(meta->level),        SV_INT(meta->access),
        SV_INT(access_said),        day_value(meta->published),
        day_value(meta->effective), day_value(meta->expires),
        SV_INT(meta->repealed),     text_value(meta->replaced_by),
        text_value(label)};
    memcpy(out, values, sizeof values);
}

static int32_t day_at(const struct store_rows *rows, size_t row, size_t col)
{
    return store_is_null(rows, row, col) ? DAY_NONE : (int32_t)store_int(rows, row, col);
}

void meta_from_row(const struct store_rows *rows, size_t row, size_t col,
                   struct knowledge_meta *meta, bool *access_said, struct str *label)
{
    *meta = (struct knowledge_meta){
        .kind = (enum knowledge_kind)store_int(rows, row, col),
        .title = store_str(rows, row, col + 1),
        .part = store_str(rows, row, col + 2),
        .key = store_str(rows, row, col + 3),
        .issuer = store_str(rows, row, col + 4),
        .number = store_str(rows, row, col + 5),
        .region = store_str(rows, row, col + 6),
        .department = store_str(rows, row, col + 7),
        .level = (int)store_int(rows, row, col + 8),
        .access = (enum ops_class)store_int(rows, row, col + 9),
        .published = day_at(rows, row, col + 11),
        .effective = day_at(rows, row, col + 12),
        .expires = day_at(rows, row, col + 13),
        .repealed = store_int(rows, row, col + 14) != 0,
        .replaced_by = store_str(rows, row, col + 15),
    };
    *access_said = store_int(rows, row, col + 10) != 0;
    *label = store_str(rows, row, col + 16);
}

/* ---- what was set by hand ---- */

enum member_kind { MEMBER_TEXT, MEMBER_DAY, MEMBER_KIND, MEMBER_LEVEL, MEMBER_ACCESS, MEMBER_BOOL };

static const struct member {
    const char *name;
    enum member_kind kind;
    size_t offset; /* in struct knowledge_meta */
    bool of_version;
} members[] = {
    {"title", MEMBER_TEXT, offsetof(struct knowledge_meta, title), false},
    {"kind", MEMBER_KIND, offsetof(struct knowledge_meta, kind), false},
    {"issuer", MEMBER_TEXT, offsetof(struct knowledge_meta, issuer), false},
    {"region", MEMBER_TEXT, offsetof(struct knowledge_meta, region), false},
    {"department", MEMBER_TEXT, offsetof(struct knowledge_meta, department), false},
    {"level", MEMBER_LEVEL, offsetof(struct knowledge_meta, level), false},
    {"access", MEMBER_ACCESS, offsetof(struct knowledge_meta, access), false},
    {"number", MEMBER_TEXT, offsetof(struct knowledge_meta, number), true},
    {"published", MEMBER_DAY, offsetof(struct knowledge_meta, published), true},
    {"effective", MEMBER_DAY, offsetof(struct knowledge_meta, effective), true},
    {"expires", MEMBER_DAY, offsetof(struct knowledge_meta, expires), true},
    {"repealed", MEMBER_BOOL, offsetof(struct knowledge_meta, repealed), true},
    {"replaced_by", MEMBER_TEXT, offsetof(struct knowledge_meta, replaced_by), true},
};

#define FIELD(meta, member, type) (*(type *)((char *)(meta) + (member)->offset))

/* The value into the meta; false when it is not of its kind. */
static bool member_set(const struct member *m, const struct json *value,
                       struct knowledge_meta *meta)
{
    struct str text = json_str(value, STR_NONE);
    bool is_text = json_kind(value) == JSON_KIND_STRING;
    int64_t level = json_int(value, -1);
    switch (m->kind) {
    case MEMBER_TEXT:
        FIELD(meta, m, struct str) = text;
        return is_text && text.len <= 600;
    case MEMBER_DAY:
        if (json_kind(value) == JSON_KIND_NULL) {
            FIELD(meta, m, int32_t) = DAY_NONE;
            return true;
        }
        return is_text && day_parse(text, &FIELD(meta, m, int32_t));
    case MEMBER_KIND:
        return is_text && kind_parse(text, &FIELD(meta, m, enum knowledge_kind));
    case MEMBER_LEVEL:
        FIELD(meta, m, int) = (int)level;
        return level >= 0 && level <= 9;
    case MEMBER_ACCESS:
        return is_text && access_parse(text, &FIELD(meta, m, enum ops_class));
    case MEMBER_BOOL:
        FIELD(meta, m, bool) = json_bool(value, false);
        return json_kind(value) == JSON_KIND_BOOL;
    }
    return false;
}

enum err overrides_apply(struct str json, struct arena *arena, struct knowledge_meta *meta,
                         bool *access_set, struct why *why)
{
    const struct json *doc = NULL;
    if (!json.len)
        return ERR_OK;
    enum err err = json_parse(json, arena, &doc, why);
    for (size_t i = 0; !err && i < N(members); i++) {
        const struct json *value = json_get(doc, members[i].name);
        if (!value)
            continue;
        if (!member_set(&members[i], value, meta))
            return err_set(why, ERR_CORRUPT, "what was set by hand for \"%s\" is damaged",
                           members[i].name);
        if (members[i].kind == MEMBER_ACCESS)
            *access_set = true;
    }
    return err;
}

static void put_member(const struct member *m, const struct knowledge_meta *meta,
                       struct json_out *out)
{
    char day[TIME_TEXT];
    switch (m->kind) {
    case MEMBER_TEXT:
        if (FIELD(meta, m, const struct str).len)
            json_kv_str(out, m->name, FIELD(meta, m, const struct str));
        break;
    case MEMBER_DAY:
        if (FIELD(meta, m, const int32_t) != DAY_NONE)
            json_kv_c(out, m->name, day_format(FIELD(meta, m, const int32_t), day));
        break;
    case MEMBER_KIND:
        if ((int)FIELD(meta, m, const enum knowledge_kind) >= 0)
            json_kv_c(out, m->name, kind_name(FIELD(meta, m, const enum knowledge_kind)));
        break;
    case MEMBER_LEVEL:
        if (FIELD(meta, m, const int) >= 0)
            json_kv_int(out, m->name, FIELD(meta, m, const int));
        break;
    case MEMBER_ACCESS:
        if (FIELD(meta, m, const enum ops_class) != OPS_CLASS_PUBLIC)
            json_kv_c(out, m->name, access_name(FIELD(meta, m, const enum ops_class)));
        break;
    case MEMBER_BOOL:
        if (FIELD(meta, m, const bool))
            json_kv_bool(out, m->name, true);
        break;
    }
}

enum err overrides_of(const struct knowledge_meta *meta, struct arena *arena, struct str *out,
                      struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (size_t i = 0; i < N(members); i++)
        put_member(&members[i], meta, &json);
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    if (!err)
        *out = buf.len > 2 ? buf_str(&buf) : STR("");
    return err;
}

static const struct member *member_named(struct str name)
{
    for (size_t i = 0; i < N(members); i++)
        if (str_eq_c(name, members[i].name))
            return &members[i];
    return NULL;
}

static enum err check_change(const struct json *change, struct why *why)
{
    struct knowledge_meta scratch = knowledge_meta_unset();
    void *iter = NULL;
    struct str name;
    const struct json *value;
    if (json_kind(change) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body is not a JSON object");
    while (json_each(change, &iter, &name, &value)) {
        const struct member *m = member_named(name);
        if (!m)
            return err_set(why, ERR_INVALID, "\"%.*s\" cannot be set", STR_FMT(name));
        if (!member_set(m, value, &scratch))
            return err_set(why, ERR_INVALID, "the value of \"%s\" will not do", m->name);
    }
    return ERR_OK;
}

enum err overrides_merge(struct str old, const struct json *change, bool of_version,
                         struct arena *arena, struct str *out, bool *any, struct why *why)
{
    const struct json *before = NULL;
    struct buf buf;
    struct json_out json;
    enum err err = check_change(change, why);
    if (!err && old.len)
        err = json_parse(old, arena, &before, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    *any = false;
    for (size_t i = 0; i < N(members); i++) {
        const struct json *now =
            members[i].of_version == of_version ? json_get(change, members[i].name) : NULL;
        const struct json *value = now ? now : json_get(before, members[i].name);
        *any = *any || now;
        if (!value)
            continue;
        json_key(&json, members[i].name);
        json_put_value(&json, value);
    }
    json_end_object(&json);
    err = buf_err(&buf, why);
    if (!err)
        *out = buf.len > 2 ? buf_str(&buf) : STR("");
    return err;
}
