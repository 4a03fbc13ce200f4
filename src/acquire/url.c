#include "acquire/url.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_plain(char c) /* "unreserved" of RFC 3986 */
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static int hex_of(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_hex(struct buf *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    buf_char(out, '%');
    buf_char(out, digits[c >> 4]);
    buf_char(out, digits[c & 15]);
}

/* A path or query with percent signs where they must be, and only there. */
static struct str normal(struct str s, bool query, struct arena *arena)
{
    static const char fine[] = "!$&'()*+,;=:@/";
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        int high = c == '%' && i + 2 < s.len ? hex_of(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_of(s.ptr[i + 2]) : -1;
        if (low >= 0) {
            char is = (char)(high << 4 | low);
            if (is_plain(is))
                buf_char(&out, is);
            else
                put_hex(&out, (unsigned char)is);
            i += 2;
        } else if (is_plain(c) || strchr(fine, c) || (query && c == '?')) {
            buf_char(&out, c);
        } else {
            put_hex(&out, (unsigned char)c);
        }
    }
    return out.failed ? STR_NONE : out.ptr ? buf_str(&out) : STR("");
}

/* RFC 3986 sec. 5.2.4, over a path that begins with '/'. */
static struct str no_dots(struct str path, struct arena *arena)
{
    char *out = arena_bytes(arena, path.len + 2);
    size_t n = 0;
    if (!out)
        return STR_NONE;
    struct str rest = str_from(path, 1), part;
    if (!rest.len) {
        out[0] = '/';
        return (struct str){out, 1};
    }
    bool slash = false; /* the path ends in one */
    while (str_next(&rest, '/', &part)) {
        slash = false;
        if (str_eq_c(part, ".") || str_eq_c(part, "..")) {
            while (str_eq_c(part, "..") && n > 0 && out[--n] != '/')
                ;
            slash = true;
            continue;
        }
        out[n++] = '/';
        memcpy(out + n, part.ptr, part.len);
        n += part.len;
    }
    if (slash || n == 0)
        out[n++] = '/';
    return (struct str){out, n};
}

static bool host_fine(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        unsigned char c = (unsigned char)host.ptr[i];
        if (!is_plain((char)c) && c < 0x80)
            return false;
    }
    return host.len > 0 && host.len <= 253;
}

/* "host", "host:80", "[::1]:80" */
static enum err parse_authority(struct str text, struct arena *arena, struct url *out,
                                struct why *why)
{
    struct str host = text, port = STR("");
    int64_t number = str_eq_c(out->scheme, "https") ? 443 : 80;
    bool bracket = str_starts(text, STR("["));
    if (str_find_char(text, '@') != STR_NPOS)
        return err_set(why, ERR_INVALID, "an address may not hold a user name or a password");
    size_t end = bracket ? str_find_char(text, ']') : str_find_char(text, ':');
    if (bracket && end == STR_NPOS)
        return err_set(why, ERR_INVALID, "the host of the address is not whole");
    if (end != STR_NPOS) {
        host = str_slice(text, bracket, end);
        port = str_from(text, end + bracket);
        if (port.len && port.ptr[0] != ':')
            return err_set(why, ERR_INVALID, "the host of the address cannot be read");
        port = str_from(port, 1);
    }
    if (port.len && (!str_to_i64(port, &number) || number < 1 || number > 65535))
        return err_set(why, ERR_INVALID, "\"%.*s\" is no port",
                       (int)(port.len > 20 ? 20 : port.len), port.ptr);
    bool v6 = bracket;
    for (size_t i = 0; v6 && i < host.len; i++)
        v6 = hex_of(host.ptr[i]) >= 0 || host.ptr[i] == ':' || host.ptr[i] == '.';
    if (bracket ? !v6 || !host.len : !host_fine(host))
        return err_set(why, ERR_INVALID, "the host of the address cannot be read");
    if (!bracket && host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    out->host = str_lower_ascii(arena, host);
    out->port = (int)number;
    return out->host.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold an address");
}

enum err url_parse(struct str text, struct arena *arena, struct url *out, struct why *why)
{
    struct url url = {.scheme = STR("http")};
    text = str_trim_space(text);
    if (text.len > URL_MOST)
        return err_set(why, ERR_INVALID, "an address has at most %d bytes", URL_MOST);
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] <= 0x20 || text.ptr[i] == 0x7f || text.ptr[i] == '\\')
            return err_set(why, ERR_INVALID, "an address may not hold spaces or '\\'");
    size_t colon = str_find(text, STR("://"));
    struct str scheme =
        colon == STR_NPOS ? STR("") : str_lower_ascii(arena, str_slice(text, 0, colon));
    if (str_eq_c(scheme, "https"))
        url.scheme = STR("https");
    else if (!str_eq_c(scheme, "http"))
        return err_set(why, ERR_INVALID, "an address begins with http:// or https://");
    struct str rest = str_from(text, colon + 3);
    size_t end = 0;
    while (end < rest.len && !strchr("/?#", rest.ptr[end]))
        end++;
    enum err err = parse_authority(str_slice(rest, 0, end), arena, &url, why);
    if (err)
        return err;
    rest = str_from(rest, end);
    size_t hash = str_find_char(rest, '#');
    if (hash != STR_NPOS)
        rest.len = hash;
    size_t mark = str_find_char(rest, '?');
    struct str path = str_slice(rest, 0, mark == STR_NPOS ? rest.len : mark);
    struct str clean = normal(path.len ? path : STR("/"), false, arena);
    url.path = clean.ptr ? no_dots(clean, arena) : STR_NONE;
    if (mark != STR_NPOS)
        url.query = normal(str_from(rest, mark + 1), true, arena);
    if (!url.path.ptr || (mark != STR_NPOS && !url.query.ptr))
        return err_set(why, ERR_NO_MEMORY, "could not hold an address");
    *out = url;
    return ERR_OK;
}

/* Parameters that name the visit and not the page. */
static bool is_noise(struct str part)
{
    static const char *const names[] = {"utm_source",  "utm_medium", "utm_campaign", "utm_term",
                                        "utm_content", "spm",        "fbclid",       "gclid",
                                        "jsessionid",  "phpsessid",  "sid",          "sessionid"};
    size_t equal = str_find_char(part, '=');
    struct str name = str_slice(part, 0, equal == STR_NPOS ? part.len : equal);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t n = strlen(names[i]);
        bool same = name.len == n;
        for (size_t k = 0; same && k < n; k++)
            same = (name.ptr[k] | 0x20) == (names[i][k] | 0x20);
        if (same)
            return true;
    }
    return part.len == 0;
}

static struct str without_session(struct str path)
{
    size_t at = str_find(path, STR(";jsessionid="));
    return at == STR_NPOS ? path : str_slice(path, 0, at);
}

static void put_origin(const struct url *url, struct buf *out)
{
    bool v6 = str_find_char(url->host, ':') != STR_NPOS;
    buf_add(out, url->scheme);
    buf_add_c(out, v6 ? "://[" : "://");
    buf_add(out, url->host);
    buf_add_c(out, v6 ? "]" : "");
    if (url->port != (str_eq_c(url->scheme, "https") ? 443 : 80))
        buf_printf(out, ":%d", url->port);
}

struct str url_origin(const struct url *url, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    put_origin(url, &out);
    return out.failed ? STR_NONE : buf_str(&out);
}

struct str url_text(const struct url *url, struct arena *arena)
{
    struct buf out;
    struct str rest = url->query, part;
    char between = '?';
    buf_init(&out, arena);
    put_origin(url, &out);
    buf_add(&out, without_session(url->path));
    while (rest.ptr && str_next(&rest, '&', &part)) {
        if (is_noise(part))
            continue;
        buf_char(&out, between);
        buf_add(&out, part);
        between = '&';
    }
    return out.failed ? STR_NONE : buf_str(&out);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return str_eq(a->scheme, b->scheme) && str_eq(a->host, b->host) && a->port == b->port;
}

/* Whether it names a scheme of its own: letters before the first ':' that stands before any '/'. */
static bool has_scheme(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == ':')
            return i > 0 && is_alpha(s.ptr[0]);
        if (!is_plain(s.ptr[i]) && s.ptr[i] != '+')
            return false;
    }
    return false;
}

/* Line breaks and tabs are left out, spaces within become %20, as browsers do. */
static struct str tidy(struct str s, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena);
    s = str_trim_space(s);
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c == '\n' || c == '\r' || c == '\t')
            continue;
        if (c == ' ')
            buf_add_c(&out, "%20");
        else
            buf_char(&out, c == '\\' ? '/' : c);
    }
    return out.failed ? STR_NONE : out.ptr ? buf_str(&out) : STR("");
}

struct str url_resolve(const struct url *base, struct str reference, struct arena *arena)
{
    struct url url;
    struct buf out;
    struct str ref = reference.len > 2 * URL_MOST ? STR_NONE : tidy(reference, arena);
    if (!ref.ptr || !ref.len || ref.ptr[0] == '#')
        return STR_NONE;
    buf_init(&out, arena);
    if (str_starts(ref, STR("//"))) {
        buf_add(&out, base->scheme);
        buf_char(&out, ':');
    } else if (!has_scheme(ref)) {
        put_origin(base, &out);
        if (ref.ptr[0] == '?') {
            buf_add(&out, base->path);
        } else if (ref.ptr[0] != '/') {
            size_t slash = base->path.len;
            while (slash > 0 && base->path.ptr[slash - 1] != '/')
                slash--;
            buf_add(&out, str_slice(base->path, 0, slash));
        }
    }
    buf_add(&out, ref);
    if (out.failed || url_parse(buf_str(&out), arena, &url, NULL))
        return STR_NONE;
    return url_text(&url, arena);
}
