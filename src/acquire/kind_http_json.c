/* acquire/kind_http_json - items of an HTTP API that answers in JSON, page by page. */
#include <stdio.h>
#include <string.h>

#include "acquire/acquire_in.h"
#include "acquire/paging.h"
#include "core/arena.h"

#define MOST_ANSWER  ((size_t)32 << 20)
#define MOST_HEADERS 20

static const struct acquire_param params[] = {
    {"url", PARAM_TEXT, true, 1, URL_MOST, NULL, NULL, "",
     "Address of the first page; may hold {page} {offset} {cursor} {since} {size}",
     "第一页的地址，可含 {page} {offset} {cursor} {since} {size}"},
    {"method", PARAM_CHOICE, false, 0, 0, "GET", "GET|POST", "", "Method", "请求方法"},
    {"body", PARAM_TEXT, false, 0, 65536, "", NULL, "", "JSON body of a POST, with the same marks",
     "POST 请求体（JSON），可含同样的占位符"},
    {"headers", PARAM_SECRETS, false, 0, 0, NULL, NULL, "", "Headers to send, kept sealed",
     "请求头，加密保存"},
    {"items", PARAM_TEXT, false, 0, 200, "", NULL, "",
     "Where the list of items stands in the answer (data.items); empty: the answer is the list",
     "数据列表在应答中的位置，如 data.items；空表示应答本身就是列表"},
    {"id", PARAM_TEXT, false, 0, 200, "id", NULL, "", "Where an item's own id stands",
     "每条数据的编号所在位置"},
    {"paging", PARAM_CHOICE, false, 0, 0, "none", "none|page|offset|cursor|next|link", "",
     "How the next page is asked for", "翻页方式"},
    {"param", PARAM_TEXT, false, 0, 100, "", NULL, "",
     "Name of the parameter for page, offset or cursor", "页码、偏移或游标的参数名"},
    {"first_page", PARAM_INTEGER, false, 0, 1000000, "1", NULL, "", "Number of the first page",
     "首页页码"},
    {"size_param", PARAM_TEXT, false, 0, 100, "", NULL, "", "Name of the parameter for the size",
     "每页条数的参数名"},
    {"size", PARAM_INTEGER, false, 1, 10000, "100", NULL, "items", "Items a page", "每页条数"},
    {"path", PARAM_TEXT, false, 0, 200, "", NULL, "",
     "Where the cursor or the next address stands in the answer", "游标或下一页地址在应答中的位置"},
    {"since_param", PARAM_TEXT, false, 0, 100, "", NULL, "",
     "Name of the parameter that asks for what changed since", "增量参数名（只取其后变动的数据）"},
    {"since_path", PARAM_TEXT, false, 0, 200, "", NULL, "",
     "Where an item says when it changed; the largest is asked for next time",
     "数据的变更时间所在位置，下次从最大值开始"},
    {"pause_ms", PARAM_INTEGER, false, 0, 600000, "500", NULL, "ms", "Pause between two requests",
     "两次请求的间隔"},
    {"timeout_ms", PARAM_INTEGER, false, 1000, 600000, "60000", NULL, "ms",
     "Longest wait for a page", "单页最长等待"},
    {"attempts", PARAM_INTEGER, false, 1, 10, "5", NULL, "", "Attempts for a page", "每页尝试次数"},
    {"most_pages", PARAM_INTEGER, false, 1, 1000000, "10000", NULL, "pages", "Most pages of a run",
     "一次最多读取的页数"},
};

static enum err check(struct acquire *acquire, const struct json *settings, struct str record_kind,
                      struct why *why)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    struct url url;
    enum paging_by by;
    struct str paging = json_get_str(settings, "paging", STR(""));
    struct str param = json_get_str(settings, "param", STR(""));
    struct str address = json_get_str(settings, "url", STR(""));
    struct str body = json_get_str(settings, "body", STR(""));
    (void)acquire, (void)record_kind;
    enum err err = arena ? url_parse(address, arena, &url, why)
                         : err_set(why, ERR_NO_MEMORY, "could not read the settings");
    bool known = paging_by_parse(paging, &by);
    bool marked = str_find_char(address, '{') != STR_NPOS || str_find_char(body, '{') != STR_NPOS;
    if (!err && known && (by == PAGING_PAGE || by == PAGING_OFFSET || by == PAGING_CURSOR) &&
        !param.len && !marked)
        err = err_set(why, ERR_INVALID, "\"param\" names the parameter for the %.*s",
                      STR_FMT(paging));
    if (!err && known && (by == PAGING_CURSOR || by == PAGING_NEXT) &&
        !json_get_str(settings, "path", STR("")).len)
        err = err_set(why, ERR_INVALID, "\"path\" says where the next page is told in the answer");
    arena_free(arena);
    return err;
}

struct walk {
    struct collect *c;
    struct paging paging;
    struct paging_place place;
    struct fetcher fetcher;
    struct map seen;
    struct str since; /* the largest so far */
    char key[DATA_SOURCE_KEY];
    struct str items, id, since_path;
    const char *headers[MOST_HEADERS];
};

/* Times in one format and numbers compare like this. */
static bool is_later(struct str a, struct str b)
{
    double x, y;
    if (str_to_f64(a, &x) && str_to_f64(b, &y))
        return x > y;
    return str_cmp(a, b) > 0;
}

static enum err take_item(struct walk *w, const struct json *value, struct why *why)
{
    struct arena *arena = arena_new(ACQUIRE_ITEM_MEM);
    struct str id = STR(""), since = STR(""), text;
    enum err err = arena ? shape_text(shape_at(value, w->id), arena, &id, why)
                         : err_set(why, ERR_NO_MEMORY, "could not hold an item");
    if (!err && (!w->id.len || !id.len)) { /* known by its content alone */
        uint8_t digest[HASH_BYTES];
        char hex[HASH_TEXT];
        err = json_dump(value, arena, &text, why);
        if (!err) {
            hash_of(HASH_SHA256, text, digest);
            id = str_copy(arena, str_c(hex_put(digest, 16, hex)));
        }
    }
    if (!err && w->since_path.len)
        err = shape_text(shape_at(value, w->since_path), arena, &since, why);
    if (!err)
        err = collect_item(w->c, w->key, id, value, why);
    if (!err && since.len && since.len < 200 && is_later(since, w->since))
        w->since = str_copy(w->c->arena, since);
    arena_free(arena);
    return err;
}

static enum err mark(struct walk *w, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, w->c->item);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "since", w->since);
    json_key(&json, "place");
    paging_place_json(&w->place, &json);
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err : collect_mark(w->c, buf_str(&buf), why);
}

static enum err read_page(struct walk *w, bool *more, struct why *why)
{
    struct str url, body;
    struct http_answer answer;
    const struct json *json;
    struct collect *c = w->c;
    enum err err = paging_request(&w->paging, &w->place, c->item, &url, &body, why);
    bool post = str_eq_c(collect_text(c, "method"), "POST");
    struct fetch_opts opts = {
        .method = post ? "POST" : "GET", .body = body, .accept = "application/json"};
    if (!err)
        err = fetch_url(&w->fetcher, url, &opts, c->item, &answer, why);
    if (err)
        return err;
    if (answer.status != 200)
        return err_set(why, ERR_UNAVAILABLE, "page %lld is answered with status %d",
                       (long long)w->place.n_pages + 1, answer.status);
    struct why own = {0};
    if (json_parse(answer.body, c->item, &json, &own))
        return err_set(why, ERR_INVALID, "page %lld is no JSON: %s",
                       (long long)w->place.n_pages + 1, own.text);
    const struct json *items = shape_at(json, w->items);
    if (json_kind(items) == JSON_KIND_NULL && w->place.n_pages)
        items = NULL; /* an end without a list */
    else if (json_kind(items) != JSON_KIND_ARRAY)
        return err_set(why, ERR_INVALID, "there is no list of items at \"%.*s\"", SHOW(w->items));
    for (size_t i = 0; !err && i < json_len(items) && !collect_enough(c); i++)
        err = take_item(w, json_at(items, i), why);
    if (!err)
        err = paging_next(&w->paging, json, answer.body, http_answer_header(&answer, "Link"),
                          json_len(items), &w->seen, &w->place, more, why);
    return err;
}

static enum err read_headers(struct walk *w, struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    w->fetcher.headers = w->headers;
    while (json_each(json_get(w->c->secrets, "headers"), &iter, &key, &value)) {
        struct str line =
            str_printf(w->c->arena, "%.*s: %.*s", STR_FMT(key), STR_FMT(json_str(value, STR(""))));
        if (!line.ptr || w->fetcher.n_headers == MOST_HEADERS)
            return err_set(why, ERR_INVALID, "at most %d headers are sent", MOST_HEADERS);
        for (size_t i = 0; i < line.len; i++)
            if ((unsigned char)line.ptr[i] < 0x20)
                return err_set(why, ERR_INVALID, "the header \"%.*s\" holds a line break",
                               SHOW(key));
        w->headers[w->fetcher.n_headers++] = line.ptr;
    }
    return ERR_OK;
}

static enum err begin(struct walk *w, struct collect *c, struct why *why)
{
    struct url url;
    *w = (struct walk){.c = c,
                       .items = collect_text(c, "items"),
                       .id = collect_text(c, "id"),
                       .since_path = collect_text(c, "since_path"),
                       .since = json_get_str(c->state, "since", STR(""))};
    w->paging = (struct paging){.url = collect_text(c, "url"),
                                .body = collect_text(c, "body"),
                                .param = collect_text(c, "param"),
                                .size_param = collect_text(c, "size_param"),
                                .since_param = collect_text(c, "since_param"),
                                .since = w->since,
                                .path = collect_text(c, "path"),
                                .first = collect_int(c, "first_page"),
                                .size = collect_int(c, "size")};
    w->fetcher = (struct fetcher){.c = c,
                                  .pause_ms = collect_int(c, "pause_ms"),
                                  .total_ms = collect_int(c, "timeout_ms"),
                                  .most = MOST_ANSWER,
                                  .attempts = (int)collect_int(c, "attempts")};
    map_init(&w->seen, c->arena);
    if (!paging_by_parse(collect_text(c, "paging"), &w->paging.by))
        return err_set(why, ERR_INVALID, "there is no such paging");
    enum err err = url_parse(w->paging.url, c->arena, &url, why);
    if (err)
        return err;
    w->fetcher.home = url_origin(&url, c->arena);
    paging_begin(&w->paging, &w->place);
    return read_headers(w, why);
}

/* From the mark on, after a kill. */
static enum err go_on(struct walk *w, struct why *why)
{
    const struct json *cursor;
    struct str text = collect_cursor(w->c);
    if (!text.len)
        return ERR_OK;
    enum err err = json_parse(text, w->c->arena, &cursor, why);
    if (err)
        return err;
    w->since = json_get_str(cursor, "since", w->since);
    paging_place_read(json_get(cursor, "place"), &w->place);
    return ERR_OK;
}

static enum err keep(struct walk *w, struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, w->c->arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "since", w->since);
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err : collect_keep(w->c, buf_str(&buf), why);
}

static enum err collect(struct collect *c, struct why *why)
{
    struct walk w;
    enum err err = begin(&w, c, why);
    int64_t most = collect_int(c, "most_pages");
    if (!err)
        err = go_on(&w, why);
    if (!err)
        err = collect_source(c, collect_text(c, "url"), STR(""), 0, w.key, why);
    for (bool more = true; !err && more && w.place.n_pages < most && !collect_enough(c);) {
        err = read_page(&w, &more, why);
        if (!err && more) {
            arena_reset(c->item);
            err = mark(&w, why);
        }
        arena_reset(c->item);
        collect_progress(c, 0, "reading pages");
    }
    return err || collect_enough(c) ? err : keep(&w, why);
}

const struct acquire_kind acquire_kind_http_json = {
    .name = "http_json",
    .title = "HTTP API",
    .title_zh = "HTTP 接口",
    .summary =
        "The items of an API that answers in JSON, page by page, only what changed since the "
        "last time when the API can say so",
    .summary_zh = "逐页读取 JSON 接口的数据，接口支持时只取上次之后变动的部分",
    .records = "row|text|qa|classification|chat|preference",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
    .check = check,
    .collect = collect,
};
