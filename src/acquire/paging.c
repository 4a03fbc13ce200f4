#include "acquire/paging.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "acquire/acquire_in.h"
#include "core/arena.h"

static const char *const names[] = {"none", "page", "offset", "cursor", "next", "link"};

bool paging_by_parse(struct str name, enum paging_by *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_eq_c(name, names[i])) {
            *out = (enum paging_by)i;
            return true;
        }
    return false;
}

void paging_begin(const struct paging *p, struct paging_place *out)
{
    *out = (struct paging_place){.page = p->first, .cursor = STR(""), .url = STR("")};
}

/* ---- a request ---- */

static void put_query(struct buf *out, struct str s)
{
    static const char fine[] = "-._~";
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c && strchr(fine, c));
        if (plain)
            buf_char(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
    }
}

static void put_json_text(struct buf *out, struct str s)
{
    size_t before = out->len;
    json_quote(out, s);
    if (!out->failed && out->len >= before + 2) { /* without its quotes: they stand in the body */
        memmove(out->ptr + before, out->ptr + before + 1, out->len - before - 2);
        buf_cut(out, out->len - 2);
    }
}

/* The text with {page}, {offset} ... replaced. */
static struct str fill(const struct paging *p, const struct paging_place *at, struct str text,
                       bool query, struct arena *arena)
{
    char page[24], offset[24], size[24];
    (void)snprintf(page, sizeof page, "%lld", (long long)at->page);
    (void)snprintf(offset, sizeof offset, "%lld", (long long)at->offset);
    (void)snprintf(size, sizeof size, "%lld", (long long)p->size);
    const struct {
        const char *name;
        struct str value;
    } known[] = {{"{page}", str_c(page)},
                 {"{offset}", str_c(offset)},
                 {"{size}", str_c(size)},
                 {"{cursor}", at->cursor},
                 {"{since}", p->since}};
    struct buf out;
    buf_init(&out, arena);
    for (size_t i = 0; i < text.len;) {
        size_t k = 0, n = sizeof known / sizeof known[0];
        while (k < n && !str_starts(str_from(text, i), str_c(known[k].name)))
            k++;
        if (k == n) {
            buf_char(&out, text.ptr[i++]);
            continue;
        }
        if (query)
            put_query(&out, known[k].value);
        else
            put_json_text(&out, known[k].value);
        i += strlen(known[k].name);
    }
    return out.failed ? STR_NONE : out.ptr ? buf_str(&out) : STR("");
}

static void put_param(struct buf *out, struct str name, struct str value)
{
    if (!name.len)
        return;
    bool any = str_find_char(buf_str(out), '?') != STR_NPOS;
    buf_char(out, any ? '&' : '?');
    put_query(out, name);
    buf_char(out, '=');
    put_query(out, value);
}

static void put_place(const struct paging *p, const struct paging_place *at, struct buf *out)
{
    char number[24];
    if (p->by == PAGING_PAGE || p->by == PAGING_OFFSET) {
        (void)snprintf(number, sizeof number, "%lld",
                       (long long)(p->by == PAGING_PAGE ? at->page : at->offset));
        put_param(out, p->param, str_c(number));
    } else if (p->by == PAGING_CURSOR && at->cursor.len) {
        put_param(out, p->param, at->cursor);
    }
    (void)snprintf(number, sizeof number, "%lld", (long long)p->size);
    put_param(out, p->size_param, str_c(number));
    if (p->since.len)
        put_param(out, p->since_param, p->since);
}

enum err paging_request(const struct paging *p, const struct paging_place *at, struct arena *arena,
                        struct str *url, struct str *body, struct why *why)
{
    struct buf out;
    struct url parsed;
    *body = p->body.len ? fill(p, at, p->body, false, arena) : STR("");
    buf_init(&out, arena);
    if (at->url.len) {
        buf_add(&out, at->url);
    } else {
        struct str filled = fill(p, at, p->url, true, arena);
        if (!filled.ptr)
            out.failed = true;
        buf_add(&out, filled);
        if (!p->body.len)
            put_place(p, at, &out);
    }
    enum err err = buf_err(&out, why);
    if (!err && !body->ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not hold a request");
    if (!err)
        err = url_parse(buf_str(&out), arena, &parsed, why);
    *url = buf_str(&out);
    return err;
}

/* ---- the next page ---- */

static char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* rel=next, rel="prev next" */
static bool rel_is_next(struct str params)
{
    struct str part;
    while (str_next(&params, ';', &part)) {
        part = str_trim(part);
        size_t equal = str_find_char(part, '=');
        if (equal == STR_NPOS || str_trim(str_slice(part, 0, equal)).len != 3 ||
            strncasecmp(part.ptr, "rel", 3) != 0)
            continue;
        struct str value = str_trim(str_from(part, equal + 1)), word;
        if (value.len >= 2 && value.ptr[0] == '"')
            value = str_slice(value, 1, value.len - 1);
        while (str_next(&value, ' ', &word))
            if (word.len == 4 && low(word.ptr[0]) == 'n' && low(word.ptr[1]) == 'e' &&
                low(word.ptr[2]) == 'x' && low(word.ptr[3]) == 't')
                return true;
    }
    return false;
}

struct str paging_link(struct str header)
{
    size_t at = 0;
    while ((at = str_find_from(header, STR("<"), at)) != STR_NPOS) {
        size_t end = str_find_from(header, STR(">"), at);
        if (end == STR_NPOS)
            break;
        size_t stop = end; /* the ',' before the next link, outside of quotes */
        bool quoted = false;
        while (++stop < header.len && (quoted || header.ptr[stop] != ','))
            quoted ^= header.ptr[stop] == '"';
        if (rel_is_next(str_slice(header, end + 1, stop)))
            return str_slice(header, at + 1, end);
        at = stop;
    }
    return STR_NONE;
}

/* False when it was met before. */
static enum err is_new(struct map *seen, struct str what, bool *fresh, struct why *why)
{
    struct str copy = str_copy(seen->arena, what);
    bool made = false;
    if (!copy.ptr || !map_put(seen, copy, &made))
        return err_set(why, ERR_NO_MEMORY, "could not remember the pages");
    *fresh = made;
    return ERR_OK;
}

static enum err to_url(const struct paging *p, struct str said, struct map *seen,
                       struct paging_place *at, bool *more, struct why *why)
{
    struct url base;
    *more = false;
    if (!said.len)
        return ERR_OK;
    enum err err = url_parse(at->url.len ? at->url : p->url, seen->arena, &base, why);
    if (err)
        return err;
    struct str next = url_resolve(&base, said, seen->arena);
    if (!next.ptr)
        return err_set(why, ERR_INVALID, "the next page is at \"%.*s\", which is no address",
                       SHOW(said));
    at->url = next;
    return is_new(seen, next, more, why);
}

static enum err to_cursor(const struct paging *p, const struct json *answer, struct map *seen,
                          struct paging_place *at, bool *more, struct why *why)
{
    struct str text;
    *more = false;
    enum err err = shape_text(shape_at(answer, p->path), seen->arena, &text, why);
    if (err || !text.len || str_eq_c(text, "false"))
        return err;
    at->cursor = str_copy(seen->arena, text);
    return is_new(seen, text, more, why);
}

enum err paging_next(const struct paging *p, const struct json *answer, struct str answer_text,
                     struct str link, size_t n_items, struct map *seen, struct paging_place *at,
                     bool *more, struct why *why)
{
    uint64_t hash = hash64(answer_text.ptr, answer_text.len, 3);
    bool same = at->n_pages && hash == at->last;
    at->last = hash;
    at->n_pages++;
    at->page++;
    at->offset += (int64_t)n_items;
    *more = false;
    switch (p->by) {
    case PAGING_NONE:
        return ERR_OK;
    case PAGING_PAGE:
    case PAGING_OFFSET:
        *more = n_items > 0 && !same;
        return ERR_OK;
    case PAGING_CURSOR:
        return to_cursor(p, answer, seen, at, more, why);
    case PAGING_NEXT:
        return to_url(p, json_str(shape_at(answer, p->path), STR("")), seen, at, more, why);
    case PAGING_LINK:
        return to_url(p, paging_link(link), seen, at, more, why);
    }
    return ERR_OK;
}

/* ---- marks ---- */

void paging_place_json(const struct paging_place *at, struct json_out *out)
{
    json_begin_object(out);
    json_kv_int(out, "page", at->page);
    json_kv_int(out, "offset", at->offset);
    json_kv_str(out, "cursor", at->cursor);
    json_kv_str(out, "url", at->url);
    json_kv_int(out, "n_pages", at->n_pages);
    json_kv_int(out, "last", (int64_t)at->last);
    json_end_object(out);
}

void paging_place_read(const struct json *json, struct paging_place *out)
{
    *out = (struct paging_place){.page = json_get_int(json, "page", 0),
                                 .offset = json_get_int(json, "offset", 0),
                                 .cursor = json_get_str(json, "cursor", STR("")),
                                 .url = json_get_str(json, "url", STR("")),
                                 .n_pages = json_get_int(json, "n_pages", 0),
                                 .last = (uint64_t)json_get_int(json, "last", 0)};
}
