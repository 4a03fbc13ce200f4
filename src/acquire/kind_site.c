/*
 * acquire/kind_site - the pages of a web site, politely.
 *
 * One request at a time with a pause between them, as robots.txt says or longer; addresses of the
 * hosts of the first pages alone. What is to be fetched stands in acquire_pages: a page is written
 * and marked first and ticked off there afterwards, so a kill between the two fetches one page
 * again, which changes nothing. Later runs ask with the ETag and date of the run before and follow
 * the links that a page had then.
 */
#include <stdio.h>
#include <string.h>

#include "acquire/acquire_in.h"
#include "acquire/page.h"
#include "acquire/robots.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/map.h"
#include "core/utf8.h"
#include "formats/formats.h"

#define MOST_PAGE       ((size_t)24 << 20)
#define MOST_ORIGINS    20
#define MOST_PER_PATH   200 /* addresses that differ in their query alone */
#define MOST_SAME_PART  3   /* /a/a/a/a is a trap */
#define MOST_SITEMAPS   50
#define MOST_FROM_MAP   50000
#define READ_MEMORY     ((size_t)256 << 20)
#define PAGE_MOST_ETAGS 512

static const struct acquire_param params[] = {
    {"start", PARAM_LIST, true, 0, 0, NULL, NULL, "", "Addresses of the first pages",
     "起始网页地址"},
    {"sitemap", PARAM_FLAG, false, 0, 0, "true", NULL, "", "Also read the site's sitemaps",
     "同时读取站点地图"},
    {"depth", PARAM_INTEGER, false, 0, 50, "5", NULL, "links", "How far from the first pages",
     "从起始页起最多跟随几层链接"},
    {"pages", PARAM_INTEGER, false, 1, 200000, "1000", NULL, "pages", "Most pages of a run",
     "一次最多抓取的网页数"},
    {"pause_ms", PARAM_INTEGER, false, 0, 600000, "2000", NULL, "ms",
     "Pause between two requests; robots.txt may ask for more",
     "两次请求的间隔，robots.txt 要求更长时从其规定"},
    {"include", PARAM_LIST, false, 0, 0, NULL, NULL, "", "Only paths that begin so",
     "只抓取以这些路径开头的网页"},
    {"exclude", PARAM_LIST, false, 0, 0, NULL, NULL, "", "No paths that begin so",
     "不抓取以这些路径开头的网页"},
    {"timeout_ms", PARAM_INTEGER, false, 1000, 600000, "30000", NULL, "ms",
     "Longest wait for a page", "单页最长等待"},
    {"attempts", PARAM_INTEGER, false, 1, 10, "3", NULL, "", "Attempts for a page", "每页尝试次数"},
};

struct origin {
    struct str text;
    struct robots robots;
    bool closed; /* its robots.txt could not be had: nothing may be fetched */
};

struct crawl {
    struct collect *c;
    struct fetcher fetcher;
    struct origin origins[MOST_ORIGINS];
    size_t n_origins;
    struct map paths;    /* path -> how many addresses */
    struct map contents; /* SHA-256 of what was read in this run */
    struct map queued;   /* a trial's list is kept here, not in the table */
    struct str run;
    int64_t n_queued, seq, n_done, n_refused;
    struct str *list; /* a trial's */
    int64_t *depths;
    size_t list_cap;
};

/* ---- which addresses ---- */

static struct origin *origin_of(struct crawl *w, const struct url *url)
{
    struct arena *arena = arena_new(8192);
    struct str origin = arena ? url_origin(url, arena) : STR_NONE;
    struct origin *found = NULL;
    for (size_t i = 0; origin.ptr && i < w->n_origins && !found; i++)
        if (str_eq(w->origins[i].text, origin))
            found = &w->origins[i];
    arena_free(arena);
    return found;
}

static bool listed(const struct json *prefixes, struct str path)
{
    for (size_t i = 0; i < json_len(prefixes); i++) {
        struct str prefix = json_str(json_at(prefixes, i), STR(""));
        if (prefix.len && str_starts(path, prefix))
            return true;
    }
    return false;
}

/* The same part again and again: a link that is read relative to itself. */
static bool is_trap(struct str path)
{
    struct str rest = path, part, other;
    while (str_next(&rest, '/', &part)) {
        struct str again = path;
        int n = 0;
        while (part.len && str_next(&again, '/', &other))
            n += str_eq(part, other);
        if (n > MOST_SAME_PART)
            return true;
    }
    return false;
}

/* Whether the crawler goes there. */
static bool wanted(struct crawl *w, const struct url *url, struct arena *arena)
{
    const struct json *include = json_get(w->c->settings, "include");
    const struct json *exclude = json_get(w->c->settings, "exclude");
    struct origin *origin = origin_of(w, url);
    if (!origin || origin->closed || is_trap(url->path))
        return false;
    if ((json_len(include) && !listed(include, url->path)) || listed(exclude, url->path))
        return false;
    struct str path = url->query.ptr
                          ? str_printf(arena, "%.*s?%.*s", STR_FMT(url->path), STR_FMT(url->query))
                          : url->path;
    if (!path.ptr || !robots_allows(&origin->robots, path)) {
        w->n_refused++;
        return false;
    }
    const struct map_entry *e = url->query.ptr ? map_find(&w->paths, url->path) : NULL;
    return !e || e->value.i < MOST_PER_PATH;
}

/* Counts an address that is on the list now. */
static void count_path(struct crawl *w, struct str address)
{
    size_t mark = str_find_char(address, '?'), from = str_find(address, STR("://"));
    size_t slash = from == STR_NPOS ? STR_NPOS : str_find_from(address, STR("/"), from + 3);
    if (mark == STR_NPOS || slash == STR_NPOS || slash > mark)
        return;
    struct str path = str_slice(address, slash, mark);
    struct map_entry *e = map_find(&w->paths, path);
    if (!e) {
        struct str copy = str_copy(w->c->arena, path);
        e = copy.ptr ? map_put(&w->paths, copy, NULL) : NULL;
    }
    if (e)
        e->value.i++;
}

/* ---- the list of pages ---- */

static enum err queue_shown(struct crawl *w, struct str url, int64_t depth, struct why *why)
{
    bool made = false;
    struct str copy = str_copy(w->c->arena, url);
    if (!copy.ptr || !map_put(&w->queued, copy, &made))
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of pages");
    if (!made || (size_t)w->n_queued >= w->list_cap)
        return ERR_OK;
    count_path(w, url);
    w->depths[w->n_queued] = depth;
    w->list[w->n_queued++] = copy;
    return ERR_OK;
}

/* Puts an address on the list of this run, unless it was on it. */
static enum err queue(struct crawl *w, struct store_tx *tx, struct str url, int64_t depth,
                      struct why *why)
{
    int64_t changed = 0;
    if (w->n_queued >= collect_int(w->c, "pages") || depth > collect_int(w->c, "depth"))
        return ERR_OK;
    if (!tx)
        return queue_shown(w, url, depth, why);
    enum err err = store_exec(
        tx,
        "INSERT INTO acquire_pages (collector, url, etag, modified, sha256, links, run, depth, "
        "seq, "
        "state) VALUES (?, ?, '', '', '', '', ?, ?, ?, 'queued') ON CONFLICT (collector, url) DO "
        "UPDATE SET run = excluded.run, depth = excluded.depth, seq = excluded.seq, state = "
        "'queued' WHERE acquire_pages.run <> excluded.run",
        STORE_ARGS(SV_STR(w->c->def.id), SV_STR(url), SV_STR(w->run), SV_INT(depth),
                   SV_INT(w->seq)),
        &changed, why);
    if (changed)
        count_path(w, url);
    w->seq += changed;
    w->n_queued += changed;
    return err;
}

static enum err queue_if_wanted(struct crawl *w, struct store_tx *tx, struct str address,
                                int64_t depth, struct arena *arena, struct why *why)
{
    struct url url;
    if (url_parse(address, arena, &url, NULL) || !wanted(w, &url, arena))
        return ERR_OK;
    return queue(w, tx, address, depth, why);
}

static enum err begin_tx(struct crawl *w, struct store_tx **tx, struct why *why)
{
    *tx = NULL;
    return w->c->writer ? store_begin(w->c->acquire->opts.store, STORE_WRITE, tx, why) : ERR_OK;
}

static enum err end_tx(struct store_tx *tx, enum err err, struct why *why)
{
    if (!tx)
        return err;
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

/* ---- robots.txt and sitemaps ---- */

/* RFC 9309 sec. 2.3.1: 4xx allows everything, an unreachable file nothing. */
static enum err read_robots(struct crawl *w, struct origin *origin, struct why *why)
{
    struct http_answer answer;
    struct why own = {0};
    struct arena *arena = w->c->arena;
    struct str url = str_printf(arena, "%.*s/robots.txt", STR_FMT(origin->text));
    origin->robots = (struct robots){.delay_ms = -1};
    if (!url.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not read robots.txt");
    enum err err = fetch_url(&w->fetcher, url, &(struct fetch_opts){.accept = "text/plain"}, arena,
                             &answer, &own);
    if (err == ERR_CANCELLED || err == ERR_FORBIDDEN || err == ERR_NO_MEMORY)
        return err_set(why, err, "%s", why_text(&own, err));
    origin->closed = err != ERR_OK && err != ERR_TOO_LARGE;
    if (origin->closed)
        job_log(w->c->job, "%.*s: robots.txt could not be had (%s), nothing is fetched there",
                STR_FMT(origin->text), why_text(&own, err));
    if (err || answer.status != 200)
        return ERR_OK;
    return robots_parse(answer.body, FETCH_TOKEN, arena, &origin->robots, why);
}

static enum err read_sitemap(struct crawl *w, struct str address, struct str *more, size_t *n_more,
                             struct why *why)
{
    struct arena *arena = arena_new(ACQUIRE_ITEM_MEM);
    struct http_answer answer;
    struct store_tx *tx = NULL;
    struct str *urls = NULL;
    size_t n = 0;
    bool is_index = false;
    struct url base;
    struct why own = {0};
    enum err err = arena ? url_parse(address, arena, &base, &own)
                         : err_set(&own, ERR_NO_MEMORY, "could not read a sitemap");
    if (!err && !origin_of(w, &base))
        err = err_set(&own, ERR_INVALID, "it is on another host");
    if (!err)
        err = fetch_url(&w->fetcher, address, &(struct fetch_opts){.accept = "application/xml"},
                        arena, &answer, &own);
    if (!err && answer.status == 200)
        err = page_sitemap(answer.body, &base, MOST_FROM_MAP, arena, &urls, &n, &is_index, &own);
    if (!err)
        err = begin_tx(w, &tx, &own);
    for (size_t i = 0; !err && i < n && (!is_index || *n_more < MOST_SITEMAPS); i++) {
        if (!is_index)
            err = queue_if_wanted(w, tx, urls[i], 1, arena, &own);
        else if ((more[*n_more] = str_copy(w->c->arena, urls[i])).ptr)
            ++*n_more;
    }
    err = end_tx(tx, err, &own);
    arena_free(arena);
    if (err == ERR_CANCELLED || err == ERR_NO_MEMORY)
        return err_set(why, err, "%s", why_text(&own, err));
    if (err)
        job_log(w->c->job, "sitemap %.*s: %s", SHOW(address), why_text(&own, err));
    return ERR_OK;
}

static enum err read_sitemaps(struct crawl *w, struct why *why)
{
    struct str list[MOST_SITEMAPS + ROBOTS_MOST_SITEMAPS];
    size_t n = 0;
    enum err err = ERR_OK;
    for (size_t i = 0; i < w->n_origins; i++) {
        const struct origin *o = &w->origins[i];
        struct url base;
        bool known = !url_parse(o->text, w->c->arena, &base, NULL);
        for (size_t k = 0; known && k < o->robots.n_sitemaps && n < MOST_SITEMAPS; k++) {
            list[n] = url_resolve(&base, o->robots.sitemaps[k], w->c->arena);
            n += list[n].ptr != NULL;
        }
        if (!o->robots.n_sitemaps && n < MOST_SITEMAPS) {
            list[n] = str_printf(w->c->arena, "%.*s/sitemap.xml", STR_FMT(o->text));
            n += list[n].ptr != NULL;
        }
    }
    for (size_t i = 0; !err && i < n && !collect_enough(w->c); i++)
        err = read_sitemap(w, list[i], list, &n, why);
    return err;
}

/* ---- a page ---- */

struct page {
    struct str url, etag, modified, sha256, links; /* as of the run before */
    int64_t depth;
};

static enum err next_page(struct crawl *w, struct arena *arena, struct page *out, bool *any,
                          struct why *why)
{
    struct store_rows rows;
    *any = false;
    *out = (struct page){.etag = STR(""), .modified = STR(""), .links = STR("")};
    if (!w->c->writer) {
        *any = w->n_done < w->n_queued;
        if (*any) {
            out->url = w->list[w->n_done];
            out->depth = w->depths[w->n_done];
        }
        return ERR_OK;
    }
    enum err err = store_ask(
        w->c->acquire->opts.store,
        "SELECT url, etag, modified, sha256, links, depth FROM acquire_pages WHERE collector = ? "
        "AND run = ? AND state = 'queued' ORDER BY seq LIMIT 1",
        STORE_ARGS(SV_STR(w->c->def.id), SV_STR(w->run)), arena, &rows, why);
    if (err || !rows.n_rows)
        return err;
    *any = true;
    *out = (struct page){store_str(&rows, 0, 0), store_str(&rows, 0, 1), store_str(&rows, 0, 2),
                         store_str(&rows, 0, 3), store_str(&rows, 0, 4), store_int(&rows, 0, 5)};
    return ERR_OK;
}

struct reading {
    struct crawl *w;
    struct str url, sha256, etag, modified;
    const char *key;
    size_t n;
};

static enum err take_document(void *ctx, const struct format_document *doc, struct str raw,
                              struct why *why)
{
    struct reading *r = ctx;
    struct arena *arena = arena_new(READ_MEMORY);
    struct buf buf;
    struct json_out json;
    struct str text;
    char item[24];
    (void)raw;
    enum err err = arena ? format_text(doc, arena, &text, NULL, why)
                         : err_set(why, ERR_UNAVAILABLE, "could not hold a page");
    if (!err) {
        buf_init(&buf, arena);
        json_out_init(&json, &buf);
        json_begin_object(&json);
        json_kv_str(&json, "text", str_trim(text));
        if (doc->title.len)
            json_kv_str(&json, "title", doc->title);
        json_key(&json, "meta");
        json_begin_object(&json);
        json_kv_str(&json, "url", r->url);
        json_kv_c(&json, "format", doc->format);
        json_end_object(&json);
        json_end_object(&json);
        err = buf_err(&buf, why);
    }
    (void)snprintf(item, sizeof item, "%zu", r->n++);
    if (!err)
        err = collect_record(r->w->c, r->key, str_c(item), buf_str(&buf), why);
    arena_free(arena);
    return err;
}

static void failed_document(void *ctx, struct str path, enum err err, const struct why *why)
{
    struct reading *r = ctx;
    struct why own = {0};
    char item[24];
    (void)path;
    (void)snprintf(item, sizeof item, "%zu", r->n++);
    if (collect_bad(r->w->c, r->key, str_c(item), why_text(why, err), &own))
        job_log(r->w->c->job, "%.*s: %s", SHOW(r->url), why_text(&own, ERR_IO));
}

/* What the file is called, for its suffix: by the content type, else by the address. */
static struct str name_of(const struct http_answer *answer, const struct url *url)
{
    static const struct {
        const char *type, *name;
    } types[] = {{"text/html", "page.html"},        {"application/xhtml", "page.html"},
                 {"text/plain", "page.txt"},        {"application/pdf", "page.pdf"},
                 {"application/json", "page.json"}, {"text/csv", "page.csv"}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (str_starts(answer->content_type, str_c(types[i].type)))
            return str_c(types[i].name);
    struct str name = file_name(url->path);
    return name.len && str_find_char(name, '.') != STR_NPOS ? name : STR("page.html");
}

static enum err read_body(struct reading *r, const struct http_answer *answer,
                          const struct url *url, struct why *why)
{
    char *path = file_join(r->w->c->item, r->w->c->dir, "page");
    enum err err = path ? file_write(path, answer->body, 0640, why)
                        : err_set(why, ERR_NO_MEMORY, "could not hold a page");
    if (!err)
        err = format_read_file(path, name_of(answer, url), &format_limits_default, READ_MEMORY,
                               take_document, failed_document, r, why);
    return err;
}

static bool is_html(const struct http_answer *answer)
{
    return str_starts(answer->content_type, STR("text/html")) ||
           str_starts(answer->content_type, STR("application/xhtml")) || !answer->content_type.len;
}

/* Ticks the page off, with what the next run asks with, and puts its links on the list. */
static enum err tick_off(struct crawl *w, const struct page *page, const struct reading *r,
                         const struct page_links *links, struct why *why)
{
    struct store_tx *tx;
    struct arena *arena = arena_new((size_t)64 << 20);
    struct buf kept;
    struct str rest, line;
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold a page");
    buf_init(&kept, arena);
    if (links)
        for (size_t i = 0; i < links->n; i++)
            buf_printf(&kept, "%.*s\n", STR_FMT(links->items[i]));
    struct str list = links ? buf_str(&kept) : page->links;
    enum err err = links ? buf_err(&kept, why) : ERR_OK;
    if (!err)
        err = begin_tx(w, &tx, why);
    if (err) {
        arena_free(arena);
        return err;
    }
    if (tx)
        err = store_exec(tx,
                         "UPDATE acquire_pages SET state = 'done', etag = ?, modified = ?, sha256 "
                         "= ?, links = ? "
                         "WHERE collector = ? AND url = ?",
                         STORE_ARGS(SV_STR(r->etag), SV_STR(r->modified), SV_STR(r->sha256),
                                    SV_STR(list), SV_STR(w->c->def.id), SV_STR(page->url)),
                         NULL, why);
    rest = list;
    while (!err && page->depth < collect_int(w->c, "depth") && str_next(&rest, '\n', &line))
        if (line.len)
            err = queue_if_wanted(w, tx, line, page->depth + 1, arena, why);
    err = end_tx(tx, err, why);
    arena_free(arena);
    return err;
}

static struct str header_of(const struct http_answer *answer, const char *name)
{
    struct str value = http_answer_header(answer, name);
    bool good = value.len <= PAGE_MOST_ETAGS && utf8_invalid(value) == STR_NPOS;
    return good ? value : STR("");
}

/* Whether this content was read in this run already, under another address. */
static enum err seen_before(struct crawl *w, struct str sha256, bool *seen, struct why *why)
{
    bool made = false;
    struct str copy = str_copy(w->c->arena, sha256);
    if (!copy.ptr || !map_put(&w->contents, copy, &made))
        return err_set(why, ERR_NO_MEMORY, "could not remember the pages");
    *seen = !made;
    return ERR_OK;
}

static enum err forget(struct crawl *w, struct str url, struct why *why)
{
    char key[DATA_SOURCE_KEY];
    enum err err = collect_source(w->c, url, STR(""), 0, key, why);
    return err ? err : collect_drop(w->c, key, STR("0"), why);
}

static enum err keep_page(struct crawl *w, struct reading *r, const struct http_answer *answer,
                          const struct url *url, struct why *why)
{
    char key[DATA_SOURCE_KEY];
    bool seen;
    struct why own = {0};
    enum err err = seen_before(w, r->sha256, &seen, why);
    if (err || seen)
        return err;
    err = collect_source(w->c, r->url, r->sha256, (int64_t)answer->body.len, key, &own);
    if (err == ERR_CONFLICT) { /* this page was withdrawn: the others go on */
        job_log(w->c->job, "%s", own.text);
        return ERR_OK;
    }
    if (err)
        return err_set(why, err, "%s", why_text(&own, err));
    r->key = key;
    err = read_body(r, answer, url, why);
    r->key = NULL; /* it stood on this stack */
    return err;
}

static enum err take_page(struct crawl *w, const struct page *page,
                          const struct http_answer *answer, struct why *why)
{
    struct reading r = {.w = w,
                        .url = w->fetcher.url,
                        .etag = header_of(answer, "ETag"),
                        .modified = header_of(answer, "Last-Modified")};
    struct page_links links = {.canonical = STR("")};
    struct url url;
    struct arena *arena = w->c->item;
    char hex[HASH_TEXT];
    uint8_t digest[HASH_BYTES];
    enum err err = url_parse(w->fetcher.url, arena, &url, why);
    hash_of(HASH_SHA256, answer->body, digest);
    r.sha256 = str_c(hex_put(digest, sizeof digest, hex));
    if (!err && !origin_of(w, &url)) /* led away from the site */
        return tick_off(w, page, &r, &links, why);
    if (!err && is_html(answer)) {
        struct str html;
        const char *encoding;
        size_t n_replaced;
        if (format_decode(answer->body, arena, &html, &encoding, &n_replaced, NULL) == ERR_OK)
            err = page_links(html, &url, arena, &links, why);
    }
    bool elsewhere = links.canonical.len && !str_eq(links.canonical, r.url);
    if (!err && elsewhere && links.n < PAGE_MOST_LINKS) {
        struct url canonical; /* what it calls its own address, when that is on the site */
        elsewhere = !url_parse(links.canonical, arena, &canonical, NULL) &&
                    origin_of(w, &canonical) != NULL;
        if (elsewhere && links.items)
            links.items[links.n++] = links.canonical;
    }
    if (!err && !links.no_index && !elsewhere)
        err = keep_page(w, &r, answer, &url, why);
    if (!err)
        err = collect_mark(w->c, STR("crawling"), why);
    return err ? err : tick_off(w, page, &r, &links, why);
}

static enum err one_page(struct crawl *w, const struct page *page, struct why *why)
{
    struct http_answer answer;
    struct why own = {0};
    struct reading same = {.etag = page->etag, .modified = page->modified, .sha256 = page->sha256};
    struct fetch_opts opts = {.etag = page->etag,
                              .modified = page->modified,
                              .accept = "text/html,application/xhtml+xml,application/pdf;q=0.9,"
                                        "text/plain;q=0.8,*/*;q=0.5"};
    enum err err = fetch_url(&w->fetcher, page->url, &opts, w->c->item, &answer, &own);
    if (err == ERR_CANCELLED || err == ERR_NO_MEMORY)
        return err_set(why, err, "%s", why_text(&own, err));
    if (!err && answer.status == 200)
        return take_page(w, page, &answer, why);
    if (!err && answer.status == 304) /* as it was */
        return tick_off(w, page, &same, NULL, why);
    struct page_links none = {.canonical = STR("")};
    if (!err && (answer.status == 404 || answer.status == 410) && page->sha256.len) {
        err = forget(w, page->url, why);
        if (err == ERR_CONFLICT)
            err = ERR_OK;
        if (!err)
            err = collect_mark(w->c, STR("crawling"), why);
        if (err)
            return err;
    } else if (err) {
        job_log(w->c->job, "%.*s: %s", SHOW(page->url), why_text(&own, err));
    } else {
        job_log(w->c->job, "%.*s: status %d", SHOW(page->url), answer.status);
    }
    return tick_off(w, page, &(struct reading){.sha256 = STR("")}, &none, why);
}

/* ---- the run ---- */

static enum err add_origin(struct crawl *w, struct str address, struct why *why)
{
    struct url url;
    enum err err = url_parse(address, w->c->arena, &url, why);
    if (err || origin_of(w, &url))
        return err;
    if (w->n_origins == MOST_ORIGINS)
        return err_set(why, ERR_INVALID, "the first pages are on more than %d hosts", MOST_ORIGINS);
    struct origin *origin = &w->origins[w->n_origins];
    origin->text = url_origin(&url, w->c->arena);
    if (!origin->text.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not begin to crawl");
    w->n_origins++;
    err = read_robots(w, origin, why);
    int64_t delay = origin->robots.delay_ms;
    if (delay > w->fetcher.pause_ms)
        w->fetcher.pause_ms = delay;
    return err;
}

static enum err queue_starts(struct crawl *w, struct why *why)
{
    const struct json *start = json_get(w->c->settings, "start");
    struct store_tx *tx;
    enum err err = begin_tx(w, &tx, why);
    for (size_t i = 0; !err && i < json_len(start); i++) {
        struct url url;
        err = url_parse(json_str(json_at(start, i), STR("")), w->c->arena, &url, why);
        struct str text = err ? STR("") : url_text(&url, w->c->arena);
        if (!err && !text.ptr)
            err = err_set(why, ERR_NO_MEMORY, "could not begin to crawl");
        if (!err)
            err = queue_if_wanted(w, tx, text, 0, w->c->arena, why);
    }
    return end_tx(tx, err, why);
}

/* What this run has on its list and has read already: it was killed and goes on. */
static enum err recall(struct crawl *w, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_ask(w->c->acquire->opts.store,
                  "SELECT url, sha256, state FROM acquire_pages WHERE collector = ? AND run = ?",
                  STORE_ARGS(SV_STR(w->c->def.id), SV_STR(w->run)), w->c->arena, &rows, why);
    if (err)
        return err;
    w->n_queued = w->seq = (int64_t)rows.n_rows;
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        bool seen;
        count_path(w, store_str(&rows, i, 0));
        if (str_eq_c(store_str(&rows, i, 2), "done") && store_str(&rows, i, 1).len)
            err = seen_before(w, store_str(&rows, i, 1), &seen, why);
    }
    return err;
}

static enum err begin(struct crawl *w, struct collect *c, struct why *why)
{
    const struct json *start = json_get(c->settings, "start");
    *w = (struct crawl){.c = c, .run = job_id(c->job), .list_cap = 2000};
    w->fetcher = (struct fetcher){.c = c,
                                  .pause_ms = collect_int(c, "pause_ms"),
                                  .total_ms = collect_int(c, "timeout_ms"),
                                  .most = MOST_PAGE,
                                  .attempts = (int)collect_int(c, "attempts"),
                                  .home = STR("")};
    map_init(&w->paths, c->arena);
    map_init(&w->contents, c->arena);
    map_init(&w->queued, c->arena);
    w->list = arena_array(c->arena, struct str, w->list_cap);
    w->depths = arena_array(c->arena, int64_t, w->list_cap);
    enum err err =
        w->list && w->depths ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not begin to crawl");
    for (size_t i = 0; !err && i < json_len(start); i++)
        err = add_origin(w, json_str(json_at(start, i), STR("")), why);
    if (!err && c->writer)
        err = recall(w, why);
    if (!err && !w->n_queued)
        err = queue_starts(w, why);
    if (!err && w->n_queued <= (int64_t)json_len(start) && collect_flag(c, "sitemap"))
        err = read_sitemaps(w, why);
    return err;
}

static enum err collect(struct collect *c, struct why *why)
{
    struct crawl *w = arena_one(c->arena, struct crawl);
    struct page page;
    bool any = true;
    enum err err = w ? begin(w, c, why) : err_set(why, ERR_NO_MEMORY, "could not begin to crawl");
    while (!err && any && !collect_enough(c)) {
        arena_reset(c->item);
        err = next_page(w, c->item, &page, &any, why);
        if (!err && any)
            err = one_page(w, &page, why);
        w->n_done += any;
        collect_progress(c, w->n_queued, "reading pages");
    }
    arena_reset(c->item);
    if (w && w->n_refused)
        job_log(c->job, "%lld addresses were left out as robots.txt asks", (long long)w->n_refused);
    if (!err && w->n_queued == 0 && !collect_enough(c))
        err = err_set(why, ERR_FORBIDDEN, "robots.txt allows none of the first pages");
    return err;
}

static enum err check(struct acquire *acquire, const struct json *settings, struct str record_kind,
                      struct why *why)
{
    const struct json *start = json_get(settings, "start");
    struct arena *arena = arena_new((size_t)8 << 20);
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the settings");
    struct url url;
    (void)acquire, (void)record_kind;
    for (size_t i = 0; !err && i < json_len(start); i++)
        err = url_parse(json_str(json_at(start, i), STR("")), arena, &url, why);
    arena_free(arena);
    return err;
}

const struct acquire_kind acquire_kind_site = {
    .name = "site",
    .title = "Web site",
    .title_zh = "网站",
    .summary = "The pages of a site as texts, as robots.txt allows; later runs fetch what changed",
    .summary_zh = "按 robots.txt 的规定抓取网站网页，之后每次只取有变动的网页",
    .records = "text",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .check = check,
    .collect = collect,
};
