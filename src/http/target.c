#include "core/utf8.h"
#include "http/inside.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Undoes percent signs (and '+' when `plus`). What comes out is UTF-8 without control characters.
 */
static enum err decode(struct str raw, bool plus, struct arena *arena, struct str *out,
                       struct why *why)
{
    char *to = arena_bytes(arena, raw.len + 1);
    size_t n = 0;
    if (!to)
        return err_set(why, ERR_NO_MEMORY, "could not hold the request target");
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.ptr[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < raw.len ? hex_value(raw.ptr[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_value(raw.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_set(why, ERR_INVALID, "a '%%' is not followed by two hex digits");
            c = (char)(high << 4 | low);
            i += 2;
        }
        /* Line breaks and tabs may stand in a query's value, nowhere else; '\0' never. */
        if (c == '\0' || (!plus && ((unsigned char)c < 0x20 || c == 0x7F)))
            return err_set(why, ERR_INVALID, "the address holds a control character");
        to[n++] = c;
    }
    to[n] = '\0';
    *out = (struct str){to, n};
    if (utf8_invalid(*out) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the address is not UTF-8");
    return ERR_OK;
}

/* "." and ".." as a whole or between slashes of either kind. */
static bool climbs(struct str segment)
{
    for (size_t i = 0; i <= segment.len;) {
        size_t end = i;
        while (end < segment.len && segment.ptr[end] != '/' && segment.ptr[end] != '\\')
            end++;
        struct str part = str_slice(segment, i, end);
        if (str_eq_c(part, ".") || str_eq_c(part, ".."))
            return true;
        i = end + 1;
    }
    return false;
}

static enum err parse_path(struct str raw, struct arena *arena, struct target *out, struct why *why)
{
    struct buf path;
    struct str rest = str_from(raw, 1), part;
    buf_init(&path, arena);
    if (rest.len == 0) {
        buf_char(&path, '/');
        rest = STR_NONE;
    }
    while (str_next(&rest, '/', &part)) {
        struct str segment = STR_NONE;
        if (out->n_segments == TARGET_MOST_SEGMENTS)
            return err_set(why, ERR_NOT_FOUND, "the address has too many parts");
        enum err err = decode(part, false, arena, &segment, why);
        if (err)
            return err;
        if (climbs(segment))
            return err_set(why, ERR_INVALID, "the address holds \"..\" or \".\"");
        if (memchr(segment.ptr, '/', segment.len) || memchr(segment.ptr, '\\', segment.len))
            out->slashes = true;
        buf_char(&path, '/');
        buf_add(&path, segment);
        out->segments[out->n_segments++] = segment;
    }
    out->path = buf_str(&path);
    return buf_err(&path, why);
}

static enum err parse_query(struct str raw, struct arena *arena, struct target *out,
                            struct why *why)
{
    struct str part;
    out->query = arena_array(arena, struct http_pair, TARGET_MOST_QUERY);
    if (!out->query)
        return err_set(why, ERR_NO_MEMORY, "could not hold the query");
    while (str_next(&raw, '&', &part)) {
        if (part.len == 0)
            continue;
        if (out->n_query == TARGET_MOST_QUERY)
            return err_set(why, ERR_INVALID, "more than %d query parameters", TARGET_MOST_QUERY);
        struct http_pair *pair = &out->query[out->n_query++];
        size_t eq = str_find_char(part, '=');
        enum err err = decode(str_slice(part, 0, eq), true, arena, &pair->name, why);
        if (!err)
            err = decode(eq == STR_NPOS ? STR("") : str_from(part, eq + 1), true, arena,
                         &pair->value, why);
        if (err)
            return err;
    }
    return ERR_OK;
}

/* What follows the authority of "http://host:port/path". */
static struct str origin_form(struct str raw)
{
    size_t scheme = str_find(raw, STR("://"));
    if (raw.len == 0 || raw.ptr[0] == '/' || scheme == STR_NPOS || scheme > 5)
        return raw;
    size_t at = str_find_from(raw, STR("/"), scheme + 3);
    return at == STR_NPOS ? STR("/") : str_from(raw, at);
}

enum err target_parse(struct str raw, struct arena *arena, struct target *out, struct why *why)
{
    raw = origin_form(raw);
    if (raw.len == 0 || raw.ptr[0] != '/')
        return err_set(why, ERR_INVALID, "the address does not begin with '/'");
    struct str fragment = str_slice(raw, 0, str_find_char(raw, '#'));
    size_t mark = str_find_char(fragment, '?');
    enum err err = parse_path(str_slice(fragment, 0, mark), arena, out, why);
    if (!err && mark != STR_NPOS)
        err = parse_query(str_from(fragment, mark + 1), arena, out, why);
    return err;
}
