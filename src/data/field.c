#include "data/field.h"

#include "core/arena.h"
#include "data/scan.h"

static struct str member_of(struct str raw, struct str name, struct arena *arena)
{
    struct str key;
    size_t next = 0, start, end;
    if (!raw.len || raw.ptr[0] != '{')
        return STR_NONE;
    while (scan_each(raw, 0, &next, &key, &start, &end)) {
        struct str decoded = scan_decode(key, arena);
        if (decoded.ptr && str_eq(decoded, name))
            return str_slice(raw, start, end);
    }
    return STR_NONE;
}

struct str field_raw(const struct record *record, struct str path)
{
    struct str rest = path, part;
    if (!str_next(&rest, '.', &part))
        return STR_NONE;
    char *name = str_z(record->arena, part);
    struct str raw = name ? record_raw(record, name) : STR_NONE;
    while (raw.ptr && str_next(&rest, '.', &part))
        raw = member_of(raw, part, record->arena);
    return raw;
}

struct str field_text(const struct record *record, struct str path)
{
    if (str_eq_c(path, "source"))
        return record_source(record->id);
    struct str raw = field_raw(record, path);
    if (!raw.len || raw.ptr[0] == '{' || raw.ptr[0] == '[' || raw.ptr[0] == 'n')
        return STR_NONE;
    return raw.ptr[0] == '"' ? scan_decode(raw, record->arena) : raw;
}
