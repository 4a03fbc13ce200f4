#include "acquire/page.h"

#include <string.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/utf8.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool same_word(struct str s, const char *word)
{
    size_t n = strlen(word);
    bool same = s.len == n;
    for (size_t i = 0; same && i < n; i++)
        same = lower(s.ptr[i]) == word[i];
    return same;
}

static bool holds_word(struct str s, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= s.len; i++)
        if (same_word(str_slice(s, i, i + n), word))
            return true;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* The few entities that stand in addresses. */
static struct str decode(struct str s, struct arena *arena)
{
    static const struct {
        const char *name, *is;
    } known[] = {{"&amp;", "&"}, {"&lt;", "<"},   {"&gt;", ">"},  {"&quot;", "\""},
                 {"&#38;", "&"}, {"&apos;", "'"}, {"&#39;", "'"}, {"&#x26;", "&"},
                 {"&#47;", "/"}, {"&#x2f;", "/"}};
    struct buf out;
    if (str_find_char(s, '&') == STR_NPOS)
        return s;
    buf_init(&out, arena);
    for (size_t i = 0; i < s.len;) {
        size_t k = 0, n = sizeof known / sizeof known[0];
        for (; k < n; k++)
            if (same_word(str_slice(s, i, i + strlen(known[k].name)), known[k].name))
                break;
        if (k < n) {
            buf_add_c(&out, known[k].is);
            i += strlen(known[k].name);
        } else {
            buf_char(&out, s.ptr[i++]);
        }
    }
    return out.failed ? STR_NONE : buf_str(&out);
}

/* ---- tags ---- */

struct tag {
    struct str name;
    struct str rest; /* its attributes */
};

/* Where `what` stands from `at` on, in any case; the end of the text when it does not. */
static size_t find_word(struct str s, const char *what, size_t at)
{
    size_t n = strlen(what);
    for (; at + n <= s.len; at++) {
        const char *hit = memchr(s.ptr + at, what[0], s.len - at);
        if (!hit)
            return s.len;
        at = (size_t)(hit - s.ptr);
        if (same_word(str_slice(s, at, at + n), what))
            return at;
    }
    return s.len;
}

/* The next tag from *at on; what comments and scripts hold is passed over. */
static bool next_tag(struct str html, size_t *at, struct tag *out)
{
    while (*at < html.len) {
        const char *open = memchr(html.ptr + *at, '<', html.len - *at);
        if (!open)
            return false;
        size_t i = (size_t)(open - html.ptr) + 1;
        if (str_starts(str_from(html, i), STR("!--"))) {
            size_t end = str_find_from(html, STR("-->"), i);
            *at = end == STR_NPOS ? html.len : end + 3;
            continue;
        }
        size_t name = i;
        while (i < html.len && ((lower(html.ptr[i]) >= 'a' && lower(html.ptr[i]) <= 'z')))
            i++;
        out->name = str_slice(html, name, i);
        char quote = 0;
        size_t from = i;
        while (i < html.len && (quote || html.ptr[i] != '>')) {
            char c = html.ptr[i++];
            if (quote ? c == quote : c == '"' || c == '\'')
                quote = quote ? 0 : c;
        }
        out->rest = str_slice(html, from, i);
        *at = i < html.len ? i + 1 : i;
        if (same_word(out->name, "script"))
            *at = find_word(html, "</script", *at);
        else if (same_word(out->name, "style"))
            *at = find_word(html, "</style", *at);
        else if (out->name.len)
            return true;
    }
    return false;
}

/* The value of an attribute; ptr NULL when it is not there. */
static struct str attribute(struct str rest, const char *wanted)
{
    size_t i = 0;
    while (i < rest.len) {
        while (i < rest.len && (is_space(rest.ptr[i]) || rest.ptr[i] == '/'))
            i++;
        size_t from = i;
        while (i < rest.len && !is_space(rest.ptr[i]) && rest.ptr[i] != '=' && rest.ptr[i] != '/')
            i++;
        struct str name = str_slice(rest, from, i), value = STR("");
        while (i < rest.len && is_space(rest.ptr[i]))
            i++;
        if (i < rest.len && rest.ptr[i] == '=') {
            i++;
            while (i < rest.len && is_space(rest.ptr[i]))
                i++;
            char quote =
                i < rest.len && (rest.ptr[i] == '"' || rest.ptr[i] == '\'') ? rest.ptr[i++] : 0;
            from = i;
            while (i < rest.len && (quote ? rest.ptr[i] != quote : !is_space(rest.ptr[i])))
                i++;
            value = str_slice(rest, from, i);
            i += quote && i < rest.len;
        } else if (!name.len) {
            i++;
        }
        if (same_word(name, wanted))
            return value.ptr ? value : STR("");
    }
    return STR_NONE;
}

/* ---- links ---- */

struct gathering {
    struct page_links *out;
    struct map seen;
    struct url base;
    struct arena *arena;
};

static void add_link(struct gathering *g, struct str reference)
{
    bool made = false;
    if (g->out->n == PAGE_MOST_LINKS || utf8_invalid(reference) != STR_NPOS)
        return;
    struct str url = url_resolve(&g->base, decode(reference, g->arena), g->arena);
    if (url.ptr && map_put(&g->seen, url, &made) && made)
        g->out->items[g->out->n++] = url;
}

static void take_tag(struct gathering *g, const struct tag *tag)
{
    struct str href = attribute(tag->rest, "href"), rel = attribute(tag->rest, "rel");
    if (same_word(tag->name, "base") && href.ptr) {
        struct str url = url_resolve(&g->base, decode(href, g->arena), g->arena);
        if (url.ptr)
            (void)!url_parse(url, g->arena, &g->base, NULL);
    } else if (same_word(tag->name, "link") && href.ptr && same_word(rel, "canonical")) {
        struct str url = url_resolve(&g->base, decode(href, g->arena), g->arena);
        if (url.ptr)
            g->out->canonical = url;
    } else if (same_word(tag->name, "meta") && same_word(attribute(tag->rest, "name"), "robots")) {
        struct str content = attribute(tag->rest, "content");
        bool none = holds_word(content, "none");
        g->out->no_index |= none || holds_word(content, "noindex");
        g->out->no_follow |= none || holds_word(content, "nofollow");
    } else if ((same_word(tag->name, "a") || same_word(tag->name, "area")) && href.ptr &&
               !holds_word(rel, "nofollow")) {
        add_link(g, href);
    }
}

enum err page_links(struct str html, const struct url *base, struct arena *arena,
                    struct page_links *out, struct why *why)
{
    struct page_links links = {.canonical = STR("")};
    struct gathering g = {.out = &links, .base = *base, .arena = arena};
    struct tag tag;
    size_t at = 0;
    links.items = arena_array(arena, struct str, PAGE_MOST_LINKS);
    if (!links.items)
        return err_set(why, ERR_NO_MEMORY, "could not read the links of a page");
    map_init(&g.seen, arena);
    while (next_tag(html, &at, &tag))
        take_tag(&g, &tag);
    if (links.no_follow)
        links.n = 0;
    *out = links;
    return ERR_OK;
}

/* ---- sitemaps ---- */

static bool add_loc(struct str text, const struct url *base, struct arena *arena, struct str *items,
                    size_t *n)
{
    if (utf8_invalid(text) != STR_NPOS)
        return false;
    struct str raw = str_trim(text);
    if (str_starts(raw, STR("<![CDATA[")) && str_ends(raw, STR("]]>")))
        raw = str_slice(raw, 9, raw.len - 3);
    struct str url = url_resolve(base, decode(raw, arena), arena);
    if (url.ptr)
        items[(*n)++] = url;
    return url.ptr != NULL;
}

enum err page_sitemap(struct str text, const struct url *base, size_t most, struct arena *arena,
                      struct str **out, size_t *n, bool *is_index, struct why *why)
{
    struct str line, body = str_trim_space(text);
    size_t at = 0, found = 0;
    struct str *items = arena_array(arena, struct str, most + 1);
    if (!items)
        return err_set(why, ERR_NO_MEMORY, "could not read a sitemap");
    *is_index = find_word(text, "<sitemapindex", 0) < text.len;
    if (!str_starts(body, STR("<"))) {
        while (found < most && str_next_line(&body, &line))
            (void)add_loc(line, base, arena, items, &found);
    } else {
        while (found < most && (at = find_word(text, "<loc>", at)) < text.len) {
            size_t end = find_word(text, "</loc", at);
            (void)add_loc(str_slice(text, at + 5, end), base, arena, items, &found);
            at = end;
        }
    }
    *out = items;
    *n = found;
    return ERR_OK;
}
