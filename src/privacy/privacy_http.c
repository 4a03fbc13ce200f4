/* The routes /api/privacy/...: try the scanner, the keys of a tenant, revealing. */
#include <stdlib.h>

#include "core/arena.h"
#include "core/json.h"
#include "core/time.h"
#include "core/utf8.h"
#include "http/http.h"
#include "privacy/privacy_in.h"

#define MOST_BODY ((size_t)2 << 20)
#define MOST_TEXT ((size_t)256 << 10)

static const struct ops_identity *caller(struct http_request *req)
{
    return http_identity(req);
}

static enum err show_kinds(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_key(out, "kinds");
    json_begin_array(out);
    for (int k = 0; k < PRIVACY_KINDS; k++) {
        enum privacy_kind kind = (enum privacy_kind)k;
        json_begin_object(out);
        json_kv_c(out, "name", privacy_kind_name(kind));
        json_kv_c(out, "title", privacy_kind_title(kind, false));
        json_kv_c(out, "title_en", privacy_kind_title(kind, true));
        json_kv_c(out, "group", PRIVACY_NUMBERS & PRIVACY_BIT(kind) ? "number" : "text");
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "modes");
    json_begin_array(out);
    for (int m = 0; m < PRIVACY_MODES; m++) {
        json_begin_object(out);
        json_kv_c(out, "name", privacy_mode_name((enum privacy_mode)m));
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

/* ---- trying the scanner ---- */

struct trial {
    struct str text, context;
    struct privacy_scan_opts opts;
    enum privacy_mode mode; /* PRIVACY_MODES: nothing is masked */
};

static enum err read_trial(const struct json *body, struct trial *t, struct why *why)
{
    const struct json *kinds = json_get(body, "kinds");
    struct str mode = json_get_str(body, "mode", STR(""));
    *t = (struct trial){.text = json_get_str(body, "text", STR_NONE),
                        .context = json_get_str(body, "context", STR("")),
                        .mode = privacy_mode_find(mode)};
    if (!t->text.ptr || t->text.len > MOST_TEXT)
        return err_set(why, ERR_INVALID, "\"text\" must be a text of at most %zu bytes", MOST_TEXT);
    if (mode.len && t->mode == PRIVACY_MODES)
        return err_set(why, ERR_INVALID, "\"mode\" must be remove, partial, pseudonym or vault");
    t->opts.least = (float)json_get_f64(body, "least", 0);
    t->opts.public_too = json_get_bool(body, "public_too", false);
    for (size_t i = 0; i < json_len(kinds); i++) {
        unsigned set = 0;
        enum err err = privacy_kinds_parse(json_str(json_at(kinds, i), STR("?")), &set, why);
        if (err)
            return err;
        t->opts.kinds |= set;
    }
    return ERR_OK;
}

/* The usual scanner is made once: it holds the tagger. */
static enum err scanner_for(struct privacy *p, const struct trial *t, struct privacy_scanner **own,
                            const struct privacy_scanner **out, struct why *why)
{
    enum err err = ERR_OK;
    if (t->opts.kinds || t->opts.least > 0 || t->opts.public_too || t->opts.least < 0) {
        err = privacy_scanner_new(&t->opts, own, why);
        *out = *own;
        return err;
    }
    (void)pthread_mutex_lock(&p->lock);
    if (!p->scanner)
        err = privacy_scanner_new(NULL, &p->scanner, why);
    *out = p->scanner;
    (void)pthread_mutex_unlock(&p->lock);
    return err;
}

static void put_findings(struct json_out *out, struct str text,
                         const struct privacy_findings *found)
{
    size_t counts[PRIVACY_KINDS] = {0}, chars = 0, at = 0;
    json_key(out, "findings");
    json_begin_array(out);
    for (size_t i = 0; i < found->n; i++) {
        const struct privacy_finding *f = &found->items[i];
        chars += utf8_count(str_slice(text, at, f->start));
        at = f->start;
        counts[f->kind]++;
        json_begin_object(out);
        json_kv_c(out, "kind", privacy_kind_name(f->kind));
        json_kv_int(out, "start", (int64_t)chars);
        json_kv_int(out, "end", (int64_t)(chars + utf8_count(str_slice(text, f->start, f->end))));
        json_kv_str(out, "text", str_slice(text, f->start, f->end));
        json_kv_str(out, "value", f->value);
        json_kv_real(out, "confidence", (double)(int)(f->confidence * 100 + 0.5F) / 100);
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "counts");
    json_begin_object(out);
    for (int k = 0; k < PRIVACY_KINDS; k++)
        if (counts[k])
            json_kv_int(out, privacy_kind_name((enum privacy_kind)k), (int64_t)counts[k]);
    json_end_object(out);
}

static enum err mask_trial(struct http_request *req, const struct trial *t,
                           const struct privacy_findings *found, struct buf *masked,
                           struct why *why)
{
    struct privacy_keys *keys = NULL;
    enum err err = ERR_OK;
    if (t->mode == PRIVACY_MODES)
        return ERR_OK;
    if (t->mode == PRIVACY_MODE_PSEUDONYM || t->mode == PRIVACY_MODE_VAULT)
        err = privacy_keys_of(http_ctx(req), caller(req)->tenant, 0, &keys, why);
    if (!err)
        err = privacy_mask(t->text, found, t->mode, keys, masked, why);
    privacy_keys_free(keys);
    return err;
}

static enum err scan(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    const struct privacy_scanner *scanner;
    struct privacy_scanner *own = NULL;
    struct privacy_findings found = {0};
    struct trial t = {0};
    struct buf masked;
    buf_init(&masked, http_arena(req));
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = read_trial(body, &t, why);
    if (!err)
        err = scanner_for(http_ctx(req), &t, &own, &scanner, why);
    int64_t begin = time_mono_ns();
    if (!err)
        err = privacy_scan(scanner, t.text, t.context, http_arena(req), &found, why);
    int64_t ns = time_mono_ns() - begin;
    if (!err)
        err = mask_trial(req, &t, &found, &masked, why);
    privacy_scanner_free(own);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    put_findings(out, t.text, &found);
    json_key(out, "masked");
    if (t.mode == PRIVACY_MODES)
        json_put_null(out);
    else
        json_put_str(out, buf_str(&masked));
    json_kv_real(out, "ms", (double)ns / 1e6);
    json_end_object(out);
    return ERR_OK;
}

/* ---- keys and revealing ---- */

static enum err list_keys(struct http_request *req, struct http_response *res, struct why *why)
{
    return privacy_keys_json(http_ctx(req), caller(req), http_arena(req), http_json(res), why);
}

static enum err rotate(struct http_request *req, struct http_response *res, struct why *why)
{
    int64_t number = 0;
    enum err err = privacy_rotate(http_ctx(req), caller(req), &number, why);
    if (err)
        return err;
    http_status(res, 201);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_int(out, "number", number);
    json_end_object(out);
    return ERR_OK;
}

static enum err destroy(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    int64_t number = 0;
    enum err err = http_body_json(req, &body, why);
    if (!err && !str_to_i64(http_param(req, "number"), &number))
        err = err_set(why, ERR_INVALID, "the number of a key is a whole number");
    if (!err)
        err = privacy_destroy(http_ctx(req), caller(req), number,
                              json_get_str(body, "reason", STR("")), why);
    if (!err)
        http_status(res, 204);
    return err;
}

static enum err reveal(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct str text = STR_NONE;
    size_t n = 0;
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err =
            privacy_reveal(http_ctx(req), caller(req), json_get_str(body, "text", STR("")),
                           json_get_str(body, "reason", STR("")), http_arena(req), &text, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "text", text);
    json_kv_int(out, "n", (int64_t)n);
    json_end_object(out);
    return ERR_OK;
}

/* ---- the table ---- */

static const struct http_param by_number[] = {
    {"number", "integer", "Number of the key", true, true},
};

#define SCAN_BODY                                                                                  \
    "{\"type\":\"object\",\"required\":[\"text\"],\"properties\":{\"text\":{\"type\":"             \
    "\"string\"},\"context\":{\"type\":\"string\"},\"kinds\":{\"type\":\"array\",\"items\":"       \
    "{\"type\":\"string\"}},\"least\":{\"type\":\"number\"},\"public_too\":{\"type\":"             \
    "\"boolean\"},\"mode\":{\"type\":\"string\",\"enum\":[\"remove\",\"partial\",\"pseudonym\","   \
    "\"vault\"]}}}"
#define REASON_BODY                                                                                \
    "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":{\"reason\":{\"type\":"         \
    "\"string\"}}}"
#define REVEAL_BODY                                                                                \
    "{\"type\":\"object\",\"required\":[\"text\",\"reason\"],\"properties\":{\"text\":{\"type\":"  \
    "\"string\"},\"reason\":{\"type\":\"string\"}}}"

static const struct http_route routes[] = {
    {"GET", "/api/privacy/kinds", HTTP_SESSION, NULL, 0,
     "Kinds of personal data, ways to mask them", NULL, NULL, NULL, 0, show_kinds},
    {"POST", "/api/privacy/scan", HTTP_SESSION, "data.read", MOST_BODY,
     "Find personal data in a text and mask it; the text is not kept", SCAN_BODY, NULL, NULL, 0,
     scan},
    {"GET", "/api/privacy/keys", HTTP_SESSION, "privacy.manage", 0,
     "The keys of the tenant, newest first", NULL, NULL, NULL, 0, list_keys},
    {"POST", "/api/privacy/keys", HTTP_SESSION, "privacy.manage", 4096,
     "A new key; tokens of older ones can still be revealed", NULL, NULL, NULL, 0, rotate},
    {"POST", "/api/privacy/keys/{number}/destroy", HTTP_SESSION, "privacy.manage", 4096,
     "Destroy an older key: its tokens can never be revealed again", REASON_BODY, NULL, by_number,
     1, destroy},
    {"POST", "/api/privacy/reveal", HTTP_SESSION, "privacy.reveal", MOST_BODY,
     "Turn tokens of the vault back, with a reason; in the ledger", REVEAL_BODY, NULL, NULL, 0,
     reveal},
};

const struct http_table *privacy_routes(struct privacy *privacy)
{
    static const struct http_table none = {.room = "privacy"};
    if (!privacy->table)
        privacy->table = calloc(1, sizeof *privacy->table);
    if (!privacy->table)
        return &none;
    *privacy->table = (struct http_table){
        .room = "privacy", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = privacy};
    return privacy->table;
}
