/* Endpoints: servers elsewhere that speak the OpenAI API, each serving one version. */
#include <ctype.h>
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"
#include "http/http.h"
#include "models/models_in.h"

#define MOST_HEADERS 16
#define MOST_MS      3600000

static const struct field fields[] = {
    {"provider", FIELD_CHOICE, 0, 0, "openai|vllm|mindie|llama-server|ollama|other", "openai",
     "What runs there", false},
    {"base_url", FIELD_TEXT, 8, 500, NULL, NULL, "Address up to and without /v1", false},
    {"upstream_model", FIELD_TEXT, 0, 200, NULL, "",
     "What the model is called there; empty: as here", false},
    {"weight", FIELD_INT, 1, 1000, NULL, "100", "Weight among the places that serve the version",
     false},
    {"max_busy", FIELD_INT, 0, 100000, NULL, "0", "Calls at once; 0: no bound", false},
    {"connect_ms", FIELD_INT, 0, MOST_MS, NULL, "5000", "Time to connect; 0: the gateway's own",
     false},
    {"first_ms", FIELD_INT, 0, MOST_MS, NULL, "60000", "Time until the first byte", false},
    {"between_ms", FIELD_INT, 0, MOST_MS, NULL, "60000", "Time between two parts", false},
    {"total_ms", FIELD_INT, 0, MOST_MS, NULL, "600000", "Time in all", false},
    {"disabled", FIELD_BOOL, 0, 0, NULL, "false", "Takes no calls", false},
    {"model", FIELD_SECRET, 1, 2 * MODELS_MOST_NAME + 1, NULL, NULL,
     "The model or model:version it serves; made when it is not there", true},
    {"api_key", FIELD_SECRET, 0, 4096, NULL, "", "Sent as bearer; kept sealed, never shown", false},
    {"headers", FIELD_JSON, 0, 8192, NULL, "{}", "More headers to send; kept sealed", false},
    {"card", FIELD_JSON, 0, 16384, NULL, "{}", "The card of a model that is new", true},
};
enum {
    PROVIDER,
    BASE_URL,
    UPSTREAM_MODEL,
    WEIGHT,
    MAX_BUSY,
    CONNECT,
    FIRST,
    BETWEEN,
    TOTAL,
    DISABLED,
    MODEL,
    API_KEY,
    HEADERS,
    CARD
};
#define N_FIELDS  (sizeof fields / sizeof fields[0])
#define N_COLUMNS ((size_t)MODEL) /* those behind are no columns of their own */

#define COLUMNS                                                                                    \
    "e.id, e.name, e.provider, e.base_url, e.upstream_model, e.weight, e.max_busy, e.connect_ms,"  \
    " e.first_ms, e.between_ms, e.total_ms, e.disabled, e.key_hint, e.header_names, e.tested_ms,"  \
    " e.tested, e.created_ms, e.changed_ms, e.revision, c.name, v.label, e.version"
#define FROM                                                                                       \
    " FROM models_endpoints e JOIN models_versions v ON v.id = e.version"                          \
    " JOIN models_cards c ON c.id = v.card"

static void put_health(struct models *models, struct json_out *out, struct str id)
{
    char text[UUID_TEXT];
    struct models_health h;
    (void)snprintf(text, sizeof text, "%.*s", STR_FMT(id));
    json_key(out, "health");
    if (!state_health(models, text, &h)) {
        json_put_null(out);
        return;
    }
    json_begin_object(out);
    json_kv_int(out, "busy", h.busy);
    json_kv_int(out, "calls", h.calls);
    json_kv_int(out, "failures", h.failures);
    json_kv_int(out, "failures_in_row", h.failures_in_row);
    json_kv_int(out, "first_ms", h.first_ms);
    json_kv_time(out, "last_call_at", h.last_call_ms);
    json_kv_time(out, "last_failure_at", h.last_failure_ms);
    json_end_object(out);
}

static enum err put(struct models *models, struct store_tx *tx, const struct models_ask *ask,
                    const struct store_rows *r, size_t i, struct str once, struct why *why)
{
    struct json_out *out = ask->out;
    (void)tx, (void)once, (void)why;
    struct str names = store_str(r, i, 13), part, upstream = store_str(r, i, 4);
    json_begin_object(out);
    json_kv_str(out, "id", store_str(r, i, 0));
    json_kv_str(out, "name", store_str(r, i, 1));
    json_kv_str(out, "model", store_str(r, i, 19));
    json_kv_str(out, "version", store_str(r, i, 20));
    json_kv_str(out, "provider", store_str(r, i, 2));
    json_kv_str(out, "base_url", store_str(r, i, 3));
    json_kv_str(out, "upstream_model", upstream);
    for (size_t k = WEIGHT; k <= TOTAL; k++)
        json_kv_int(out, fields[k].name, store_int(r, i, 2 + k));
    json_kv_bool(out, "disabled", store_int(r, i, 11) != 0);
    json_kv_str(out, "api_key_hint", store_str(r, i, 12));
    json_key(out, "header_names");
    json_begin_array(out);
    while (str_next(&names, ' ', &part))
        if (part.len)
            json_put_str(out, part);
    json_end_array(out);
    json_kv_time(out, "tested_at", store_int(r, i, 14));
    models_put_stored(out, "tested", store_str(r, i, 15), "null");
    put_health(models, out, store_str(r, i, 0));
    json_kv_time(out, "created_at", store_int(r, i, 16));
    json_kv_time(out, "changed_at", store_int(r, i, 17));
    json_kv_int(out, "revision", store_int(r, i, 18));
    json_end_object(out);
    return ERR_OK;
}

static const struct row_kind kind = {"endpoint", "models_endpoints",     fields, N_COLUMNS,
                                     N_FIELDS,   "SELECT " COLUMNS FROM, "e",    18,
                                     put};

/* ---- checks ---- */

/* "http://host[:port][/path]" without credentials, query or fragment; a last "/" or "/v1" goes. */
enum err models_base_url_check(struct str *url, struct why *why)
{
    struct str s = str_trim(*url);
    size_t skip = str_starts(s, STR("http://")) ? 7 : str_starts(s, STR("https://")) ? 8 : 0;
    if (!skip || s.len == skip || s.ptr[skip] == '/' || s.ptr[skip] == ':')
        return err_set(why, ERR_INVALID, "\"base_url\" begins with http:// or https:// and a host");
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] <= ' ' || (unsigned char)s.ptr[i] >= 0x7f ||
            strchr("@?#\\\"<>{}|^`", s.ptr[i])) {
            err_hint(why, "keys go into \"api_key\" or \"headers\"");
            return err_set(why, ERR_INVALID, "\"base_url\" holds '%c', which has no place there",
                           isgraph((unsigned char)s.ptr[i]) ? s.ptr[i] : '?');
        }
    while (s.len > skip && s.ptr[s.len - 1] == '/')
        s.len--;
    if (str_ends(s, STR("/v1")))
        s.len -= 3;
    *url = s;
    return ERR_OK;
}

static bool header_name(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!isalnum((unsigned char)s.ptr[i]) && !strchr("-_", s.ptr[i]))
            return false;
    return s.len > 0 && s.len <= 100;
}

/* {"Name": "value"}: the names for people, the lines "Name: value" to be sealed. */
static enum err read_headers(struct str text, struct arena *arena, struct str *lines,
                             struct str *names, struct why *why)
{
    const struct json *object, *value;
    struct buf all, list;
    struct str key;
    enum err err = json_parse(text, arena, &object, why);
    buf_init(&all, arena);
    buf_init(&list, arena);
    if (!err && json_len(object) > MOST_HEADERS)
        err = err_set(why, ERR_INVALID, "\"headers\" holds more than %d", MOST_HEADERS);
    for (void *iter = NULL; !err && json_each(object, &iter, &key, &value);) {
        struct str v = json_str(value, STR_NONE);
        bool good = json_kind(value) == JSON_KIND_STRING && header_name(key) && v.len <= 4096;
        for (size_t i = 0; good && i < v.len; i++)
            good = (unsigned char)v.ptr[i] >= 0x20 && (unsigned char)v.ptr[i] != 0x7f;
        if (!good)
            err = err_set(why, ERR_INVALID, "\"headers\": \"%.*s\" is no header",
                          STR_FMT(utf8_prefix(key, 40)));
        buf_printf(&all, "%.*s: %.*s\n", STR_FMT(key), STR_FMT(v));
        buf_printf(&list, "%s%.*s", list.len ? " " : "", STR_FMT(key));
    }
    *lines = buf_str(&all);
    *names = buf_str(&list);
    if (!err)
        err = buf_err(&all, why);
    return err ? err : buf_err(&list, why);
}

/* Enough to tell keys apart, nothing to guess one with: the last four of at least 16. */
static struct str hint_of(struct str key, struct arena *arena)
{
    if (key.len == 0)
        return STR("");
    return key.len < 16 ? STR("****")
                        : str_printf(arena, "****%.*s", STR_FMT(str_from(key, key.len - 4)));
}

static enum err save_secrets(struct act *act, struct str id, const struct field_value *v,
                             bool fresh, struct why *why)
{
    struct models *m = act->models;
    struct str about = str_printf(act->arena, "endpoint:%.*s", STR_FMT(id)), sealed, lines, names;
    enum err err = about.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not seal the key");
    if (!err && (fresh || v[API_KEY].set)) {
        err = secret_seal(&m->key, v[API_KEY].s, about, act->arena, &sealed, why);
        if (!err)
            err = store_exec(
                act->tx, "UPDATE models_endpoints SET key_sealed = ?, key_hint = ? WHERE id = ?",
                STORE_ARGS(v[API_KEY].s.len ? SV_BLOB(sealed) : SV_NULL,
                           SV_STR(hint_of(v[API_KEY].s, act->arena)), SV_STR(id)),
                NULL, why);
    }
    if (!err && (fresh || v[HEADERS].set)) {
        err = read_headers(v[HEADERS].s, act->arena, &lines, &names, why);
        if (!err)
            err = secret_seal(&m->key, lines, about, act->arena, &sealed, why);
        if (!err)
            err = store_exec(
                act->tx,
                "UPDATE models_endpoints SET headers_sealed = ?, header_names = ?"
                " WHERE id = ?",
                STORE_ARGS(lines.len ? SV_BLOB(sealed) : SV_NULL, SV_STR(names), SV_STR(id)), NULL,
                why);
    }
    return err;
}

static enum err make(struct models *models, const struct models_ask *ask, const struct json *body,
                     struct why *why)
{
    struct act act;
    struct field_value v[N_FIELDS] = {0};
    struct str id, name, version;
    const struct json *card = NULL;
    int64_t now = time_now_ms();
    enum err err = models_row_new(&act, models, &kind, ask, body, v, &id, &name, why);
    if (!err)
        err = models_base_url_check(&v[BASE_URL].s, why);
    if (!err)
        err = json_parse(v[CARD].s, ask->arena, &card, why);
    if (!err)
        err = version_take(&act, v[MODEL].s, card, &version, why);
    if (!err)
        err = store_exec(
            act.tx,
            "INSERT INTO models_endpoints (id, name, version, provider, base_url,"
            " key_sealed, key_hint, headers_sealed, header_names, upstream_model,"
            " weight, max_busy, connect_ms, first_ms, between_ms, total_ms, disabled,"
            " tested_ms, tested, created_ms, changed_ms, revision) VALUES"
            " (?, ?, ?, '', '', NULL, '', NULL, '', '', 1, 0, 0, 0, 0, 0, 0, 0, '', ?,"
            " ?, 0)",
            STORE_ARGS(SV_STR(id), SV_STR(name), SV_STR(version), SV_INT(now), SV_INT(now)), NULL,
            why);
    if (!err)
        err = models_row_save(act.tx, &kind, id, ask->arena, v, why);
    if (!err)
        err = save_secrets(&act, id, v, true, why);
    if (!err)
        err = models_row_answer(&act, &kind, id, STR(""), why);
    return models_act_end(
        &act, err, id,
        models_act_detail(ask->arena, "name", name, "base_url", v[BASE_URL].s, ACT_END), why);
}

static enum err change(struct models *models, const struct models_ask *ask, struct str name,
                       const struct json *body, struct why *why)
{
    struct act act;
    struct field_value v[N_FIELDS] = {0};
    struct str id;
    enum err err = models_row_begin(&act, models, &kind, ask, "change", name, &id, why);
    if (!err)
        err = models_row_load(act.tx, &kind, id, ask->arena, v, why);
    struct str before = v[BASE_URL].s;
    if (!err)
        err = models_fields_read(body, fields, N_FIELDS, false, ask->arena, v, why);
    if (!err)
        err = models_base_url_check(&v[BASE_URL].s, why);
    /* Who may change the address must not get the key sent there that somebody else entered. */
    if (!err && !str_eq(before, v[BASE_URL].s) && (!v[API_KEY].set || !v[HEADERS].set)) {
        err_hint(why, "send \"api_key\" and \"headers\" with it, empty when there are none");
        err = err_set(why, ERR_INVALID,
                      "with a new \"base_url\" the key and headers have to be entered again");
    }
    if (!err)
        err = models_row_save(act.tx, &kind, id, ask->arena, v, why);
    if (!err)
        err = save_secrets(&act, id, v, false, why);
    if (!err)
        err = models_row_answer(&act, &kind, id, STR(""), why);
    return models_act_end(&act, err, id,
                          models_act_detail(ask->arena, "name", name, "base_url", v[BASE_URL].s,
                                            "key_changed", v[API_KEY].set ? STR("yes") : STR("no"),
                                            ACT_END),
                          why);
}

static enum err remove_endpoint(struct models *models, const struct models_ask *ask,
                                struct str name, struct why *why)
{
    return models_row_remove(models, &kind, ask, name, why);
}

const struct noun noun_endpoint = {
    .word = "endpoint",
    .row = &kind,
    .make = make,
    .change = change,
    .remove = remove_endpoint,
    .fields = fields,
    .n_fields = N_FIELDS,
};

/* ---- the probe ---- */

struct probe {
    struct str id, base_url, upstream, modality;
    const char *headers[MOST_HEADERS + 3];
    size_t n_headers;
    int64_t connect_ms;
};

static enum err load_probe(struct models *m, struct str name, struct arena *arena, struct probe *p,
                           struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows r;
    struct str key = STR(""), lines = STR(""), line;
    enum err err = store_begin(m->store, STORE_READ, &tx, why);
    if (!err)
        err = models_row_find(tx, &kind, name, arena, &p->id, NULL, why);
    if (!err)
        err = store_query(tx,
                          "SELECT e.base_url, e.upstream_model, c.name, c.modality, e.connect_ms,"
                          " e.key_sealed, e.headers_sealed" FROM " WHERE e.id = ?",
                          STORE_ARGS(SV_STR(p->id)), arena, &r, why);
    store_rollback(tx);
    if (err)
        return err;
    p->base_url = store_str(&r, 0, 0);
    p->upstream = store_str(&r, 0, store_str(&r, 0, 1).len ? 1 : 2);
    p->modality = store_str(&r, 0, 3);
    p->connect_ms = store_int(&r, 0, 4);
    err = endpoint_secrets(m, p->id, store_str(&r, 0, 5), store_str(&r, 0, 6), arena, &key, &lines,
                           why);
    p->headers[p->n_headers++] = "Content-Type: application/json";
    if (!err && key.len)
        p->headers[p->n_headers++] =
            str_printf(arena, "Authorization: Bearer %.*s", STR_FMT(key)).ptr;
    while (!err && p->n_headers < MOST_HEADERS + 2 && str_next_line(&lines, &line))
        if (line.len)
            p->headers[p->n_headers++] = str_z(arena, line);
    for (size_t i = 0; !err && i < p->n_headers; i++)
        if (!p->headers[i])
            err = err_set(why, ERR_NO_MEMORY, "could not hold the headers");
    return err;
}

enum err endpoint_secrets(struct models *models, struct str id, struct str key_sealed,
                          struct str headers_sealed, struct arena *arena, struct str *key,
                          struct str *lines, struct why *why)
{
    struct str about = str_printf(arena, "endpoint:%.*s", STR_FMT(id));
    enum err err = about.ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not open the key");
    *key = *lines = STR("");
    if (!err && key_sealed.len)
        err = secret_open(&models->key, key_sealed, about, arena, key, why);
    if (!err && headers_sealed.len)
        err = secret_open(&models->key, headers_sealed, about, arena, lines, why);
    return err;
}

static enum err fetch(const struct probe *p, const char *method, const char *path, struct str body,
                      struct arena *arena, struct http_answer *out, struct why *why)
{
    struct str url = str_printf(arena, "%.*s/v1/%s", STR_FMT(p->base_url), path);
    if (!url.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not hold the address");
    struct http_call call = {.method = method,
                             .url = url.ptr,
                             .headers = p->headers,
                             .n_headers = p->n_headers,
                             .body = body,
                             .connect_ms = p->connect_ms ? p->connect_ms : 5000,
                             .total_ms = 30000,
                             .most = 4u << 20};
    return http_fetch(&call, arena, out, why);
}

/* Writes the ids of the answer and says whether ours is among them. */
static bool put_list(struct json_out *out, struct str body, struct str ours, struct arena *arena)
{
    const struct json *json = NULL, *data;
    bool found = false;
    json_key(out, "models");
    json_begin_array(out);
    if (json_parse(body, arena, &json, NULL) == ERR_OK) {
        data = json_get(json, "data");
        for (size_t i = 0; i < json_len(data) && i < 200; i++) {
            struct str id = json_get_str(json_at(data, i), "id", STR(""));
            found = found || str_eq(id, ours);
            json_put_str(out, id);
        }
    }
    json_end_array(out);
    return found;
}

static enum err call_model(const struct probe *p, struct arena *arena, struct http_answer *out,
                           struct why *why)
{
    struct buf buf;
    struct json_out j;
    bool embeds = str_eq_c(p->modality, "embedding"), ranks = str_eq_c(p->modality, "rerank");
    bool completes = str_eq_c(p->modality, "completion");
    buf_init(&buf, arena);
    json_out_init(&j, &buf);
    json_begin_object(&j);
    json_kv_str(&j, "model", p->upstream);
    if (embeds) {
        json_kv_c(&j, "input", "你好");
    } else if (ranks) {
        json_kv_c(&j, "query", "你好");
        json_key(&j, "documents");
        json_begin_array(&j);
        json_put_c(&j, "你好");
        json_end_array(&j);
    } else {
        json_kv_int(&j, "max_tokens", 1);
        if (completes) {
            json_kv_c(&j, "prompt", "你好");
        } else {
            json_key(&j, "messages");
            json_put_raw(&j, STR("[{\"role\":\"user\",\"content\":\"你好\"}]"));
        }
    }
    json_end_object(&j);
    enum err err = buf_err(&buf, why);
    return err ? err
               : fetch(p, "POST",
                       embeds      ? "embeddings"
                       : ranks     ? "rerank"
                       : completes ? "completions"
                                   : "chat/completions",
                       buf_str(&buf), arena, out, why);
}

enum err models_endpoint_test(struct models *models, const struct models_ask *ask, struct str name,
                              const struct json *body, struct why *why)
{
    struct probe p = {.n_headers = 0};
    struct http_answer list = {0}, reply = {0};
    struct why said = {0};
    struct buf buf;
    struct json_out out;
    bool call = json_get_bool(body, "call", false), found = false;
    enum err err = ops_need(ask->who, "model.manage", why);
    if (!err)
        err = load_probe(models, name, ask->arena, &p, why);
    if (err)
        return err;
    int64_t begun = time_mono_ns();
    enum err went = fetch(&p, "GET", "models", STR(""), ask->arena, &list, &said);
    bool ok = !went && list.status == 200;
    buf_init(&buf, ask->arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    found = put_list(&out, ok ? list.body : STR("{}"), p.upstream, ask->arena);
    json_kv_bool(&out, "found", found);
    int status = list.status;
    if (call && !went) {
        went = call_model(&p, ask->arena, &reply, &said);
        ok = !went && reply.status == 200;
        status = reply.status;
    }
    json_kv_bool(&out, "called", call);
    json_kv_bool(&out, "ok", ok);
    json_kv_int(&out, "status", status);
    json_kv_int(&out, "ms", (time_mono_ns() - begun) / 1000000);
    if (went)
        json_kv_c(&out, "words", why_text(&said, went));
    else if (!ok)
        json_kv_str(&out, "words",
                    str_printf(ask->arena, "the server answered with status %d", status));
    else if (!found && !call)
        json_kv_str(&out, "words",
                    str_printf(ask->arena, "the server does not list a model \"%.*s\"",
                               STR_FMT(p.upstream)));
    else
        json_kv_c(&out, "words", "");
    json_end_object(&out);
    err = buf_err(&buf, why);
    if (!err)
        err = store_run(
            models->store, "UPDATE models_endpoints SET tested_ms = ?, tested = ? WHERE id = ?",
            STORE_ARGS(SV_INT(time_now_ms()), SV_STR(buf_str(&buf)), SV_STR(p.id)), NULL, why);
    if (!err && ask->out)
        json_put_raw(ask->out, buf_str(&buf));
    return err;
}
