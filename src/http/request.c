#include "http/inside.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/time.h"

#define MOST_FORWARDS 16

/* ---- life ---- */

struct http_request *request_new(struct core *core, struct str raw_target)
{
    struct arena *arena = arena_new(core->limits.request_bytes);
    struct http_request *req = arena ? arena_one(arena, struct http_request) : NULL;
    if (!req || !(req->raw_target = str_copy(arena, raw_target)).ptr) {
        arena_free(arena);
        return NULL;
    }
    req->arena = arena;
    req->core = core;
    req->declared = -1;
    req->body_fd = -1;
    req->start_ns = time_mono_ns();
    response_init(&req->res, req);
    return req;
}

void request_free(struct http_request *req)
{
    if (!req)
        return;
    if (req->body_fd >= 0)
        (void)close(req->body_fd);
    if (req->body_path)
        (void)unlink(req->body_path); /* gone already when the handler renamed it */
    if (req->res.kind == SEND_FILE && req->res.fd >= 0)
        (void)close(req->res.fd);
    atomic_fetch_sub(&req->core->body_bytes, (int64_t)req->body_cap);
    free(req->body);
    arena_free(req->arena);
}

/* ---- framing: what smugglers bend is refused before anything else looks at it ---- */

struct framing {
    unsigned lengths, encodings, hosts;
    struct str length, encoding;
};

static void look_at_headers(struct http_request *req, struct framing *f)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        const struct http_pair *h = &req->headers[i];
        if (message_same_name(h->name, "Content-Length")) {
            f->lengths++;
            f->length = h->value;
        } else if (message_same_name(h->name, "Transfer-Encoding")) {
            f->encodings++;
            f->encoding = h->value;
        } else if (message_same_name(h->name, "Host")) {
            f->hosts++;
        } else if (message_same_name(h->name, "Expect")) {
            req->expects_continue = message_same_name(str_trim(h->value), "100-continue");
        }
    }
}

static enum err check_framing(struct http_request *req, struct why *why)
{
    struct framing f = {0};
    bool old = str_eq_c(req->version, "HTTP/1.0");
    look_at_headers(req, &f);
    if (!old && !str_eq_c(req->version, "HTTP/1.1"))
        return err_set(why, ERR_INVALID, "the version of HTTP is neither 1.1 nor 1.0");
    if (f.hosts > 1 || (!old && f.hosts == 0))
        return err_set(why, ERR_INVALID, "the request has %u Host headers", f.hosts);
    if (f.lengths > 1)
        return err_set(why, ERR_INVALID, "the request has %u Content-Length headers", f.lengths);
    if (f.encodings > 0 && (f.lengths > 0 || f.encodings > 1 || old))
        return err_set(why, ERR_INVALID, "the request declares its length in two ways");
    if (f.encodings > 0 && !message_same_name(f.encoding, "chunked"))
        return err_set(why, ERR_INVALID, "the transfer encoding is not \"chunked\"");
    if (f.lengths > 0) {
        uint64_t length;
        if (!message_length(f.length, &length))
            return err_set(why, ERR_INVALID, "Content-Length is not a number");
        req->declared = (int64_t)length;
    }
    req->chunked = f.encodings > 0;
    req->has_body = req->chunked || req->declared > 0;
    return ERR_OK;
}

/* ---- who and which: trace, address ---- */

/* A trace's id need not be secret, only new: random bytes are fetched for many at once. */
static void new_trace(uint8_t out[16])
{
    static _Thread_local uint8_t pool[1024];
    static _Thread_local size_t left;
    if (left == 0) {
        random_bytes(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= 16;
    memcpy(out, pool + left, 16);
}

static void trace(struct http_request *req)
{
    struct str parent = http_header(req, "traceparent");
    struct str id = str_slice(parent, 3, 35);
    uint8_t bytes[16];
    bool zero = true;
    bool ok = parent.len >= 55 && str_starts(parent, STR("00-")) && parent.ptr[35] == '-' &&
              hex_get(id, bytes, sizeof bytes);
    for (size_t i = 0; ok && i < sizeof bytes; i++)
        zero &= bytes[i] == 0;
    if (!ok || zero)
        new_trace(bytes);
    (void)hex_put(bytes, sizeof bytes, req->trace_id);

    struct str given = http_header(req, "X-Request-Id");
    bool fits = given.len > 0 && given.len < sizeof req->request_id;
    for (size_t i = 0; fits && i < given.len; i++) {
        char c = given.ptr[i];
        fits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.';
    }
    if (!fits)
        given = str_c(req->trace_id);
    memcpy(req->request_id, given.ptr, given.len);
    req->request_id[given.len] = '\0';
}

static bool read_address(struct str text, struct in6_addr *out)
{
    char z[INET6_ADDRSTRLEN];
    struct in_addr v4;
    text = str_trim(text);
    if (text.len == 0 || text.len >= sizeof z)
        return false;
    memcpy(z, text.ptr, text.len);
    z[text.len] = '\0';
    if (inet_pton(AF_INET, z, &v4) != 1)
        return inet_pton(AF_INET6, z, out) == 1;
    memset(out, 0, sizeof *out);
    out->s6_addr[10] = out->s6_addr[11] = 0xFF;
    memcpy(&out->s6_addr[12], &v4, 4);
    return true;
}

struct in6_addr address_of(const struct sockaddr *peer)
{
    struct in6_addr out = {0};
    if (peer && peer->sa_family == AF_INET6) {
        out = ((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
    } else if (peer && peer->sa_family == AF_INET) {
        out.s6_addr[10] = out.s6_addr[11] = 0xFF;
        memcpy(&out.s6_addr[12], &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
    }
    return out;
}

static void write_address(const struct in6_addr *address, char out[INET6_ADDRSTRLEN])
{
    char room[STR_I64];
    char *at = out;
    if (!IN6_IS_ADDR_V4MAPPED(address)) {
        if (!inet_ntop(AF_INET6, address, out, INET6_ADDRSTRLEN))
            out[0] = '\0';
        return;
    }
    for (size_t i = 12; i < 16; i++) {
        struct str digits = str_of_i64(address->s6_addr[i], room);
        memcpy(at, digits.ptr, digits.len);
        at += digits.len;
        *at++ = i < 15 ? '.' : '\0';
    }
}

static enum err parse_net(struct str part, struct net *net, struct why *why)
{
    size_t slash = str_find_char(part, '/');
    struct str base = str_slice(part, 0, slash);
    int64_t bits;
    if (!read_address(base, &net->base))
        return err_set(why, ERR_INVALID, "\"%.*s\" is not an address", STR_FMT(part));
    bool v4 = IN6_IS_ADDR_V4MAPPED(&net->base) && !memchr(base.ptr, ':', base.len);
    if (slash == STR_NPOS)
        bits = v4 ? 32 : 128;
    else if (!str_to_i64(str_from(part, slash + 1), &bits) || bits < 0 || bits > (v4 ? 32 : 128))
        return err_set(why, ERR_INVALID, "\"%.*s\" is not a block of addresses", STR_FMT(part));
    net->bits = (unsigned)bits + (v4 ? 96 : 0);
    return ERR_OK;
}

enum err nets_parse(struct str list, struct arena *arena, struct net **out, size_t *n,
                    struct why *why)
{
    struct str rest = list, part;
    size_t most = 1;
    for (size_t i = 0; i < list.len; i++)
        most += list.ptr[i] == ',';
    *n = 0;
    *out = arena_array(arena, struct net, most);
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not hold the list of addresses");
    while (str_next(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.len == 0)
            continue;
        enum err err = parse_net(part, &(*out)[(*n)++], why);
        if (err)
            return err;
    }
    return ERR_OK;
}

static bool net_holds(const struct net *net, const struct in6_addr *address)
{
    unsigned bytes = net->bits / 8, bits = net->bits % 8;
    if (memcmp(net->base.s6_addr, address->s6_addr, bytes) != 0)
        return false;
    return bits == 0 ||
           ((net->base.s6_addr[bytes] ^ address->s6_addr[bytes]) >> (8 - bits) & 0xFF) == 0;
}

bool nets_hold(const struct net *nets, size_t n, const struct in6_addr *address)
{
    for (size_t i = 0; i < n; i++)
        if (net_holds(&nets[i], address))
            return true;
    return false;
}

/* From the right: each proxy we trust vouches for the address before its own. */
static void find_address(struct http_request *req, struct in6_addr peer)
{
    const struct core *core = req->core;
    req->secure = core->tls != NULL;
    if (nets_hold(core->proxies, core->n_proxies, &peer)) {
        struct str rest = http_header(req, "X-Forwarded-For");
        struct str proto = http_header(req, "X-Forwarded-Proto");
        if (proto.ptr)
            req->secure = message_same_name(str_trim(proto), "https");
        for (int i = 0; i < MOST_FORWARDS && rest.len > 0; i++) {
            size_t comma = rest.len;
            struct in6_addr before;
            while (comma > 0 && rest.ptr[comma - 1] != ',')
                comma--;
            if (!read_address(str_from(rest, comma), &before))
                break;
            peer = before;
            if (comma == 0 || !nets_hold(core->proxies, core->n_proxies, &peer))
                break;
            rest = str_slice(rest, 0, comma - 1);
        }
    }
    write_address(&peer, req->address);
}

enum err request_begin(struct http_request *req, const struct in6_addr *peer, bool *close_it,
                       struct why *why)
{
    const struct limits *limits = &req->core->limits;
    trace(req);
    find_address(req, *peer);
    req->head_only = str_eq_c(req->method, "HEAD");
    enum err err = check_framing(req, why);
    *close_it = err != ERR_OK;
    if (err)
        return err;
    for (size_t i = 0; i < req->n_headers; i++)
        req->header_bytes += req->headers[i].name.len + req->headers[i].value.len + 4;
    if (req->header_bytes > limits->header_bytes)
        return err_set(why, ERR_HEADER_TOO_LARGE, "the headers are larger than %zu bytes",
                       limits->header_bytes);
    if (req->raw_target.len > limits->target_bytes)
        return err_set(why, ERR_HEADER_TOO_LARGE, "the address is longer than %zu bytes",
                       limits->target_bytes);
    err = target_parse(req->raw_target, req->arena, &req->target, why);
    if (err)
        return err;
    router_find(req->core->router, req->method, &req->target, &req->match);
    const struct http_route *route = req->match.route ? req->match.route->route : NULL;
    if (route && req->has_body && route->body_limit == 0)
        return err_set(why, ERR_TOO_LARGE, "this address takes no body");
    if (route && req->declared > 0 && (uint64_t)req->declared > route->body_limit)
        return err_set(why, ERR_TOO_LARGE, "the body is larger than %zu bytes", route->body_limit);
    return ERR_OK;
}

/* ---- the body ---- */

bool request_to_file(const struct http_request *req)
{
    return req->match.route && req->match.route->route->body_to_file;
}

static enum err grow(struct http_request *req, size_t need, struct why *why)
{
    size_t cap = req->body_cap ? req->body_cap : 4096;
    while (cap < need)
        cap *= 2;
    int64_t more = (int64_t)(cap - req->body_cap);
    if (atomic_fetch_add(&req->core->body_bytes, more) + more > req->core->limits.body_memory) {
        atomic_fetch_sub(&req->core->body_bytes, more);
        return err_set(why, ERR_BUSY, "too many request bodies are being received");
    }
    char *body = realloc(req->body, cap);
    if (!body) {
        atomic_fetch_sub(&req->core->body_bytes, more);
        return err_set(why, ERR_NO_MEMORY, "could not hold the request's body");
    }
    req->body = body;
    req->body_cap = cap;
    return ERR_OK;
}

enum err request_body_add(struct http_request *req, struct str data, struct why *why)
{
    size_t limit = req->match.route->route->body_limit;
    if (data.len > limit - req->body_total)
        return err_set(why, ERR_TOO_LARGE, "the body is larger than %zu bytes", limit);
    size_t need = req->body_len + data.len + 1;
    enum err err = need > req->body_cap ? grow(req, need, why) : ERR_OK;
    if (err)
        return err;
    memcpy(req->body + req->body_len, data.ptr, data.len);
    req->body_len += data.len;
    req->body[req->body_len] = '\0';
    req->body_total += data.len;
    return ERR_OK;
}

enum err request_body_flush(struct http_request *req, struct why *why)
{
    if (req->body_fd < 0) {
        char *path = file_join(req->arena, req->core->temp_dir, BODY_PREFIX "XXXXXX");
        if (!path)
            return err_set(why, ERR_NO_MEMORY, "could not hold a path");
        req->body_fd = mkostemp(path, O_CLOEXEC);
        if (req->body_fd < 0)
            return err_errno(why, "could not make a file for the request's body");
        req->body_path = path;
    }
    enum err err = file_write_fd(req->body_fd, (struct str){req->body, req->body_len}, why);
    req->body_len = 0;
    return err;
}

/* ---- what a handler asks ---- */

struct arena *http_arena(struct http_request *req)
{
    return req->arena;
}

void *http_ctx(struct http_request *req)
{
    return req->match.route ? req->match.route->table->ctx : NULL;
}

struct str http_method(struct http_request *req)
{
    return req->method;
}

struct str http_path(struct http_request *req)
{
    return req->target.path;
}

static struct str path_param(const struct http_request *req, const char *name)
{
    const struct router_route *r = req->match.route;
    for (size_t i = 0; r && i < r->n_segments; i++) {
        struct str s = r->segments[i];
        if (s.len > 2 && s.ptr[0] == '{' && str_eq_c(str_slice(s, 1, s.len - 1), name))
            return req->target.segments[i];
    }
    return STR_NONE;
}

struct str http_param(struct http_request *req, const char *name)
{
    struct str found = path_param(req, name);
    for (size_t i = 0; !found.ptr && i < req->target.n_query; i++)
        if (str_eq_c(req->target.query[i].name, name))
            found = req->target.query[i].value;
    return found;
}

int64_t http_param_int(struct http_request *req, const char *name, int64_t fallback)
{
    int64_t value;
    return str_to_i64(http_param(req, name), &value) ? value : fallback;
}

static bool read_bool(struct str text, bool *out)
{
    *out = str_eq_c(text, "true") || str_eq_c(text, "1");
    return *out || str_eq_c(text, "false") || str_eq_c(text, "0");
}

bool http_param_bool(struct http_request *req, const char *name, bool fallback)
{
    bool value;
    return read_bool(http_param(req, name), &value) ? value : fallback;
}

int32_t http_param_day(struct http_request *req, const char *name)
{
    int32_t day;
    return day_parse(http_param(req, name), &day) ? day : DAY_NONE;
}

size_t http_param_limit(struct http_request *req, size_t fallback, size_t most)
{
    int64_t n = http_param_int(req, "limit", (int64_t)fallback);
    return n < 1 ? 1 : n > (int64_t)most ? most : (size_t)n;
}

static bool has_kind(struct str value, const char *kind)
{
    int64_t number;
    int32_t day;
    bool yes;
    if (strcmp(kind, "integer") == 0)
        return str_to_i64(value, &number);
    if (strcmp(kind, "boolean") == 0)
        return read_bool(value, &yes);
    if (strcmp(kind, "date") == 0)
        return day_parse(value, &day);
    if (strcmp(kind, "uuid") == 0)
        return uuid_valid(value);
    return true;
}

enum err request_check_params(struct http_request *req, struct why *why)
{
    const struct http_route *route = req->match.route->route;
    for (size_t i = 0; i < route->n_params; i++) {
        const struct http_param *p = &route->params[i];
        struct str value = http_param(req, p->name);
        if (value.len == 0) {
            if (p->required)
                return err_set(why, ERR_INVALID, "parameter \"%s\" is missing", p->name);
            continue;
        }
        if (!has_kind(value, p->kind))
            return err_set(why, ERR_INVALID, "parameter \"%s\" is no %s: \"%.*s\"", p->name,
                           p->kind, STR_FMT(str_slice(value, 0, 60)));
    }
    return ERR_OK;
}

struct str http_header(struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++)
        if (message_same_name(req->headers[i].name, name))
            return req->headers[i].value;
    return STR_NONE;
}

struct str http_cookie(struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->n_headers; i++) {
        struct str rest = req->headers[i].value, part;
        if (!message_same_name(req->headers[i].name, "Cookie"))
            continue;
        while (str_next(&rest, ';', &part)) {
            part = str_trim(part);
            size_t eq = str_find_char(part, '=');
            if (eq != STR_NPOS && str_eq_c(str_slice(part, 0, eq), name))
                return str_from(part, eq + 1);
        }
    }
    return STR_NONE;
}

struct str http_body(struct http_request *req)
{
    return request_to_file(req) ? STR_NONE : (struct str){req->body, req->body_len};
}

const char *http_body_path(struct http_request *req)
{
    return req->body_path;
}

uint64_t http_body_size(struct http_request *req)
{
    return req->body_total;
}

/* "application/json", "application/problem+json; charset=utf-8" */
static bool is_json(struct str type)
{
    type = str_trim(str_slice(type, 0, str_find_char(type, ';')));
    return message_same_name(type, "application/json") ||
           (type.len > 17 && strncasecmp(type.ptr, "application/", 12) == 0 &&
            strncasecmp(type.ptr + type.len - 5, "+json", 5) == 0);
}

enum err http_body_json(struct http_request *req, const struct json **out, struct why *why)
{
    struct str body = http_body(req);
    if (body.len == 0)
        return err_set(why, ERR_INVALID, "the request has no body, JSON was expected");
    if (!is_json(http_header(req, "Content-Type"))) {
        err_hint(why, "send the header Content-Type: application/json");
        return err_set(why, ERR_UNSUPPORTED, "the body is not declared as JSON");
    }
    enum err err = json_parse(body, req->arena, out, why);
    if (err == ERR_INVALID)
        err_prefix(why, "the body is not JSON: ");
    return err;
}

const char *http_trace_id(struct http_request *req)
{
    return req->trace_id;
}

const char *http_address(struct http_request *req)
{
    return req->address;
}

/* "en-GB,en;q=0.9,zh;q=0.8": the better liked of our two; Chinese when neither is named. */
const char *http_language(struct http_request *req)
{
    struct str rest = http_header(req, "Accept-Language"), part;
    double best = 0;
    const char *language = "zh";
    while (str_next(&rest, ',', &part)) {
        size_t semi = str_find_char(part, ';');
        struct str tag = str_trim(str_slice(part, 0, semi));
        struct str q = semi == STR_NPOS ? STR_NONE : str_trim(str_from(part, semi + 1));
        double weight = 1;
        if (str_starts(q, STR("q=")) && !str_to_f64(str_from(q, 2), &weight))
            weight = 0;
        bool zh = tag.len >= 2 && strncasecmp(tag.ptr, "zh", 2) == 0;
        bool en = tag.len >= 2 && strncasecmp(tag.ptr, "en", 2) == 0;
        if ((zh || en) && weight > best) {
            best = weight;
            language = zh ? "zh" : "en";
        }
    }
    return language;
}

const char *http_words_language(struct http_request *req)
{
    return http_header(req, "Accept-Language").len ? http_language(req) : "en";
}

bool http_secure(struct http_request *req)
{
    return req->secure;
}

void *http_identity(struct http_request *req)
{
    return req->identity;
}

void http_set_identity(struct http_request *req, void *identity)
{
    req->identity = identity;
}
