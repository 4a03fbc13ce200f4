#include "http/inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"

/* Scripts only from ourselves; styles may stand inline, for charts set them on elements. */
static const char page_policy[] =
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";
/* For files that people uploaded: whatever is in them, it runs nothing and sees nothing. */
static const char file_policy[] = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
                                  "frame-ancestors 'self'; sandbox";

void response_init(struct http_response *res, struct http_request *req)
{
    *res = (struct http_response){.req = req, .status = 200, .fd = -1};
}

/* ---- headers ---- */

static bool named(const struct http_header *h, struct str name)
{
    return h->name.len == name.len && strncasecmp(h->name.ptr, name.ptr, name.len) == 0;
}

const struct http_header *response_header(const struct http_response *res, const char *name)
{
    for (const struct http_header *h = res->headers; h; h = h->next)
        if (named(h, str_c(name)))
            return h;
    return NULL;
}

static bool header_ok(const char *name, const char *value)
{
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == ':' || (unsigned char)*p >= 0x7F)
            return false;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7F)
            return false;
    return name[0] != '\0';
}

static void add_header(struct http_response *res, const char *name, const char *value)
{
    struct arena *arena = res->req->arena;
    struct http_header *h = arena_one(arena, struct http_header);
    if (!h || !(h->name = str_copy(arena, str_c(name))).ptr ||
        !(h->value = str_copy(arena, str_c(value))).ptr)
        return; /* what is missing is seen by response_finish, which then says "no memory" */
    h->next = res->headers;
    res->headers = h;
}

static void drop_header(struct http_response *res, const char *name)
{
    for (struct http_header **at = &res->headers; *at;) {
        if (named(*at, str_c(name)))
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
}

void http_set_header(struct http_response *res, const char *name, const char *value)
{
    if (!header_ok(name, value)) {
        LOG_WARN("header dropped", LOG_S("name", name), LOG_S("trace", res->req->trace_id));
        return;
    }
    if (strcasecmp(name, "Set-Cookie") != 0)
        drop_header(res, name);
    add_header(res, name, value);
}

void http_set_number(struct http_response *res, const char *name, int64_t value)
{
    struct arena *arena = res->req->arena;
    struct http_header *h = arena_one(arena, struct http_header);
    char room[STR_I64];
    drop_header(res, name);
    if (!h || !(h->value = str_copy(arena, str_of_i64(value, room))).ptr)
        return; /* as in add_header() */
    h->name = str_c(name);
    h->next = res->headers;
    res->headers = h;
}

void http_retry_after(struct http_request *req, int64_t seconds)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)(seconds < 1 ? 1 : seconds));
    http_set_header(&req->res, "Retry-After", text);
}

/* Name and value live as long as the request at least. */
static void set_default(struct http_response *res, const char *name, const char *value)
{
    struct http_header *h;
    if (response_header(res, name) || !(h = arena_one(res->req->arena, struct http_header)))
        return;
    *h = (struct http_header){res->headers, str_c(name), str_c(value)};
    res->headers = h;
}

void http_set_cookie(struct http_response *res, const char *name, const char *value,
                     int64_t max_age_s, bool secure)
{
    struct buf buf;
    buf_init(&buf, res->req->arena);
    buf_printf(&buf, "%s=%s; Path=/; HttpOnly; SameSite=Strict", name, value);
    if (max_age_s >= 0)
        buf_printf(&buf, "; Max-Age=%lld", (long long)max_age_s);
    if (secure)
        buf_add_c(&buf, "; Secure");
    if (!buf.failed && !strpbrk(value, ";, \t\r\n"))
        http_set_header(res, "Set-Cookie", buf.ptr);
}

/* ---- bodies ---- */

void http_status(struct http_response *res, int status)
{
    res->status = status;
}

/* What was there before is dropped. */
static void set_kind(struct http_response *res, enum send_kind kind, const char *content_type)
{
    if (res->kind == SEND_FILE && res->fd >= 0)
        (void)close(res->fd);
    res->fd = -1;
    res->kind = kind;
    res->json = false;
    res->body = STR_NONE;
    res->content_type = content_type ? str_z(res->req->arena, str_c(content_type)) : NULL;
}

void http_send(struct http_response *res, const char *content_type, struct str body)
{
    set_kind(res, SEND_BYTES, content_type);
    res->body = body;
}

struct json_out *http_json(struct http_response *res)
{
    set_kind(res, SEND_BYTES, "application/json; charset=utf-8");
    res->json = true;
    buf_init(&res->body_buf, res->req->arena);
    json_out_init(&res->out, &res->body_buf);
    http_say(&res->out, http_words_language(res->req));
    return &res->out;
}

void http_created(struct http_response *res, struct str id)
{
    http_status(res, 201);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "id", id);
    json_end_object(out);
}

void http_stream(struct http_response *res, http_next_fn *next, void (*done)(void *ctx), void *ctx)
{
    struct http_stream *stream = arena_one(res->req->arena, struct http_stream);
    set_kind(res, SEND_STREAM, "text/event-stream; charset=utf-8");
    if (!stream) { /* response_finish says "no memory" */
        if (done)
            done(ctx);
        return;
    }
    *stream = (struct http_stream){.req = res->req, .next = next, .done = done, .ctx = ctx};
    res->stream = res->req->stream = stream;
}

void http_stream_here(struct http_response *res)
{
    if (res->stream)
        res->stream->here = true;
}

/* ---- files ---- */

bool etag_matches(struct str list, const char *etag)
{
    struct str part;
    while (str_next(&list, ',', &part)) {
        part = str_trim(part);
        if (str_starts(part, STR("W/")))
            part = str_from(part, 2);
        if (str_eq_c(part, "*") || str_eq_c(part, etag))
            return true;
    }
    return false;
}

int range_parse(struct str text, uint64_t size, uint64_t *start, uint64_t *len)
{
    int64_t first, last;
    if (!str_starts(text, STR("bytes=")) || str_find_char(text, ',') != STR_NPOS)
        return 0; /* several ranges: we may send the whole */
    text = str_trim(str_from(text, 6));
    size_t dash = str_find_char(text, '-');
    struct str a = str_slice(text, 0, dash), b = str_from(text, dash == STR_NPOS ? 0 : dash + 1);
    if (dash == STR_NPOS || (a.len == 0 && b.len == 0))
        return 0;
    if (a.len > 0 && (a.ptr[0] < '0' || a.ptr[0] > '9' || !str_to_i64(a, &first)))
        return 0;
    if (b.len > 0 && (b.ptr[0] < '0' || b.ptr[0] > '9' || !str_to_i64(b, &last)))
        return 0;
    if (a.len == 0) { /* the last so many */
        if (last == 0 || size == 0)
            return -1;
        *len = (uint64_t)last < size ? (uint64_t)last : size;
        *start = size - *len;
        return 1;
    }
    if (b.len > 0 && last < first)
        return 0;
    if ((uint64_t)first >= size)
        return -1;
    *start = (uint64_t)first;
    *len = size - *start;
    if (b.len > 0 && (uint64_t)(last - first) + 1 < *len)
        *len = (uint64_t)(last - first) + 1;
    return 1;
}

/* RFC 6266 and 8187: an ASCII name for all, the real one in UTF-8. */
static void name_download(struct http_response *res, const char *name)
{
    struct buf buf;
    buf_init(&buf, res->req->arena);
    buf_add_c(&buf, "attachment; filename=\"");
    for (const char *p = name; *p; p++)
        buf_char(&buf, (unsigned char)*p < 0x20 || (unsigned char)*p >= 0x7F || strchr("\"\\/%", *p)
                           ? '_'
                           : *p);
    buf_add_c(&buf, "\"; filename*=UTF-8''");
    for (const char *p = name; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
                     (*p >= 'A' && *p <= 'Z') || *p == '.' || *p == '-' || *p == '_';
        if (plain)
            buf_char(&buf, *p);
        else
            buf_printf(&buf, "%%%02X", (unsigned char)*p);
    }
    if (!buf.failed)
        http_set_header(res, "Content-Disposition", buf.ptr);
}

static void answer_ranges(struct http_response *res, uint64_t size, const char *etag)
{
    struct http_request *req = res->req;
    struct str range = http_header(req, "Range"), if_range = http_header(req, "If-Range");
    char text[80];
    res->file_start = 0;
    res->file_len = size;
    set_default(res, "Accept-Ranges", "bytes");
    if (etag_matches(http_header(req, "If-None-Match"), etag)) {
        res->status = 304;
        return;
    }
    if (!range.ptr || (if_range.ptr && !str_eq_c(if_range, etag)))
        return;
    int kind = range_parse(range, size, &res->file_start, &res->file_len);
    if (kind > 0) {
        res->status = 206;
        (void)snprintf(
            text, sizeof text, "bytes %llu-%llu/%llu", (unsigned long long)res->file_start,
            (unsigned long long)(res->file_start + res->file_len - 1), (unsigned long long)size);
        http_set_header(res, "Content-Range", text);
    } else if (kind < 0) {
        res->status = 416;
        res->file_len = 0;
        (void)snprintf(text, sizeof text, "bytes */%llu", (unsigned long long)size);
        http_set_header(res, "Content-Range", text);
    }
}

enum err http_send_file(struct http_response *res, const char *path, const char *content_type,
                        const char *download_name, struct why *why)
{
    struct stat st;
    char etag[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_errno(why, "could not open the file");
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return err_set(why, ERR_IO, "could not read the file: it is not a regular file");
    }
    set_kind(res, SEND_FILE, content_type);
    res->fd = fd;
    (void)snprintf(etag, sizeof etag, "\"%llx-%llx-%llx\"", (unsigned long long)st.st_size,
                   (unsigned long long)st.st_mtim.tv_sec, (unsigned long long)st.st_mtim.tv_nsec);
    http_set_header(res, "ETag", etag);
    if (download_name)
        name_download(res, download_name);
    set_default(res, "Content-Security-Policy", file_policy);
    answer_ranges(res, (uint64_t)st.st_size, etag);
    return ERR_OK;
}

/* "gzip", "gzip;q=0.5", "*"; not "gzip;q=0". */
static bool accepts_gzip(struct str list)
{
    struct str part;
    while (str_next(&list, ',', &part)) {
        size_t semi = str_find_char(part, ';');
        struct str name = str_trim(str_slice(part, 0, semi));
        struct str q = semi == STR_NPOS ? STR_NONE : str_trim(str_from(part, semi + 1));
        double weight = 1;
        if (!str_eq_c(name, "gzip") && !str_eq_c(name, "*"))
            continue;
        if (str_starts(q, STR("q=")) && !str_to_f64(str_from(q, 2), &weight))
            weight = 0;
        return weight > 0;
    }
    return false;
}

void response_asset(struct http_response *res, const struct http_asset *asset)
{
    struct http_request *req = res->req;
    bool gzip = asset->gzip.len > 0 && accepts_gzip(http_header(req, "Accept-Encoding"));
    char etag[96];
    if (asset->etag)
        (void)snprintf(etag, sizeof etag, "\"%.80s%s\"", asset->etag, gzip ? "-gz" : "");
    else
        (void)snprintf(etag, sizeof etag, "\"%016llx%s\"",
                       (unsigned long long)hash64(asset->bytes.ptr, asset->bytes.len, 1),
                       gzip ? "-gz" : "");
    http_send(res, asset->content_type, gzip ? asset->gzip : asset->bytes);
    http_set_header(res, "ETag", etag);
    http_set_header(res, "Cache-Control",
                    asset->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (asset->gzip.len > 0)
        http_set_header(res, "Vary", "Accept-Encoding");
    if (gzip)
        http_set_header(res, "Content-Encoding", "gzip");
    if (etag_matches(http_header(req, "If-None-Match"), etag)) {
        res->status = 304;
        res->body = STR_NONE;
    }
}

/* ---- errors ---- */

static const char *const error_headers[] = {"Content-Range",    "ETag", "Content-Disposition",
                                            "Content-Encoding", "Vary", "Cache-Control"};

void response_problem_status(struct http_response *res, enum err err, int status,
                             const struct why *why)
{
    struct http_request *req = res->req;
    const struct http_table *table = req->match.table;
    struct http_problem problem = {err, status, why, req->trace_id};
    for (size_t i = 0; i < sizeof error_headers / sizeof error_headers[0]; i++)
        drop_header(res, error_headers[i]);
    struct json_out *out = http_json(res);
    res->status = status;
    if (table && table->problem) {
        table->problem(out, &problem);
    } else {
        res->content_type = "application/problem+json; charset=utf-8";
        problem_write(out, &problem, http_language(req),
                      http_header(req, "Accept-Language").len > 0);
    }
    if (err == ERR_BUSY || err == ERR_RATE_LIMITED || err == ERR_UNAVAILABLE)
        set_default(res, "Retry-After", "1");
    if (err == ERR_UNAUTHENTICATED)
        set_default(res, "WWW-Authenticate", "Bearer");
}

void response_problem(struct http_response *res, enum err err, const struct why *why)
{
    response_problem_status(res, err, err_http(err), why);
}

/* ---- the last touch ---- */

static const char no_memory[] =
    "{\"type\":\"urn:yicheng:error:no_memory\",\"title\":\"the memory limit was reached\","
    "\"status\":503,\"code\":\"no_memory\",\"detail\":\"could not hold the answer\"}";

static void close_json(struct http_response *res)
{
    if (!res->json)
        return;
    res->body = buf_str(&res->body_buf);
    if (res->body_buf.failed) {
        LOG_ERROR("no memory for an answer", LOG_STR("path", res->req->target.path),
                  LOG_S("trace", res->req->trace_id));
        res->status = 503;
        res->body = str_c(no_memory);
        res->content_type = "application/problem+json; charset=utf-8";
    }
}

/* What every answer says unless its handler said otherwise, in the order in which they stand. */
static const struct http_header defaults[] = {
    {NULL, STR_INIT("Referrer-Policy"), STR_INIT("same-origin")},
    {NULL, STR_INIT("X-Frame-Options"), STR_INIT("DENY")},
    {NULL, STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff")},
    {NULL, STR_INIT("Content-Security-Policy"), {page_policy, sizeof page_policy - 1}},
    {NULL, STR_INIT("Cache-Control"), STR_INIT("no-store")},
};
#define N_DEFAULTS (sizeof defaults / sizeof defaults[0])

/* Compared with those of the handler alone, for the defaults are named apart. */
static void add_defaults(struct http_response *res)
{
    struct http_header *own = res->headers, *added = NULL;
    struct http_header *room = arena_array(res->req->arena, struct http_header, N_DEFAULTS);
    for (size_t i = 0; room && i < N_DEFAULTS; i++) {
        const struct http_header *h = own;
        while (h && !named(h, defaults[i].name))
            h = h->next;
        if (h)
            continue;
        room[i] = defaults[i];
        room[i].next = added ? added : own;
        added = &room[i];
    }
    if (added)
        res->headers = added;
}

void response_finish(struct http_response *res)
{
    struct http_request *req = res->req;
    close_json(res);
    if (res->kind == SEND_STREAM && !res->stream) {
        http_send(res, "application/problem+json; charset=utf-8", str_c(no_memory));
        res->status = 503;
    }
    add_defaults(res);
    if (res->content_type && res->status != 304 && res->status != 204)
        set_default(res, "Content-Type", res->content_type);
    set_default(res, "X-Request-Id", req->request_id);
    if (req->secure && req->core->limits.hsts[0])
        set_default(res, "Strict-Transport-Security", req->core->limits.hsts);
    if (res->kind == SEND_STREAM)
        set_default(res, "X-Accel-Buffering", "no"); /* nginx in front passes it on at once */
    if (atomic_load(&req->core->draining))
        set_default(res, "Connection", "close");
}
