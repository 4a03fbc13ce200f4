#include "data/put.h"

#include <math.h>
#include <string.h>

#include "core/arena.h"
#include "data/scan.h"

enum err put_check(struct str path, struct why *why)
{
    size_t dot = str_find_char(path, '.');
    struct str last = dot == STR_NPOS ? path : str_from(path, dot + 1);
    if (!last.len || dot == 0 || str_eq_c(path, "id") || str_find_char(last, '.') != STR_NPOS ||
        str_find_char(path, '[') != STR_NPOS || str_find_char(path, '*') != STR_NPOS)
        return err_set(why, ERR_INVALID, "\"%.*s\" is no path of a value: name or object.name",
                       STR_FMT(str_slice(path, 0, 100)));
    return ERR_OK;
}

/* The object with this member replaced in its place, added at the end, or left out. */
static struct str with_member(struct str object, struct str name, struct str raw,
                              struct arena *arena)
{
    struct buf buf;
    struct str key;
    size_t next = 0, start, end;
    bool done = false, any = false;
    buf_init(&buf, arena);
    buf_char(&buf, '{');
    while (object.len && scan_each(object, 0, &next, &key, &start, &end)) {
        struct str decoded = scan_decode(key, arena), value = str_slice(object, start, end);
        if (decoded.ptr && str_eq(decoded, name)) {
            done = true;
            value = raw;
        }
        if (!value.ptr)
            continue;
        if (any)
            buf_char(&buf, ',');
        any = true;
        buf_add(&buf, key);
        buf_char(&buf, ':');
        buf_add(&buf, value);
    }
    if (!done && raw.ptr) {
        if (any)
            buf_char(&buf, ',');
        scan_quote(&buf, name);
        buf_char(&buf, ':');
        buf_add(&buf, raw);
    }
    buf_char(&buf, '}');
    return buf.failed ? STR_NONE : buf_str(&buf);
}

enum err put_raw(struct record *record, struct str path, struct str raw, struct why *why)
{
    size_t dot = str_find_char(path, '.');
    char *name = str_z(record->arena, dot == STR_NPOS ? path : str_slice(path, 0, dot));
    if (!name)
        return err_set(why, ERR_NO_MEMORY, "could not set a member");
    if (dot == STR_NPOS && raw.ptr)
        return record_set_raw(record, name, raw, why);
    if (dot == STR_NPOS) {
        record_remove(record, name);
        return ERR_OK;
    }
    struct str object = record_raw(record, name);
    if (object.len && object.ptr[0] != '{' && !str_eq_c(object, "null"))
        return err_set(why, ERR_INVALID, "\"%s\" is no object", name);
    if (!object.len && !raw.ptr)
        return ERR_OK;
    if (object.len && object.ptr[0] != '{')
        object = STR_NONE;
    struct str whole = with_member(object, str_from(path, dot + 1), raw, record->arena);
    if (!whole.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not set a member");
    return record_set_raw(record, name, whole, why);
}

enum err put_str(struct record *record, struct str path, struct str value, struct why *why)
{
    struct buf buf;
    buf_init(&buf, record->arena);
    scan_quote(&buf, value);
    enum err err = buf_err(&buf, why);
    return err ? err : put_raw(record, path, buf_str(&buf), why);
}

enum err put_number(struct record *record, struct str path, double value, int decimals,
                    struct why *why)
{
    if (!isfinite(value))
        return put_raw(record, path, STR("null"), why);
    struct str text = str_printf(record->arena, "%.*f", decimals, value);
    if (!text.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not set a member");
    if (memchr(text.ptr, '.', text.len)) {
        while (text.ptr[text.len - 1] == '0')
            text.len--;
        if (text.ptr[text.len - 1] == '.')
            text.len--;
    }
    return put_raw(record, path, str_eq_c(text, "-0") ? STR("0") : text, why);
}
