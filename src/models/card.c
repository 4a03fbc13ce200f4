/* Models and their versions: the cards. */
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"
#include "models/models_in.h"

#define MODALITIES "chat|completion|embedding|rerank|vision|speech"

static const struct field card_fields[] = {
    {"title", FIELD_TEXT, 0, 200, NULL, "", "What people call it", false},
    {"kind", FIELD_CHOICE, 0, 0, "base|industry|scene", "base", "Base, industry or scene model",
     false},
    {"modality", FIELD_CHOICE, 0, 0, MODALITIES, "chat", "What it does", false},
    {"industry", FIELD_TEXT, 0, 100, NULL, "", "The industry or scene it is for", false},
    {"licence", FIELD_TEXT, 0, 200, NULL, "", "Under which licence it may be used", false},
    {"source", FIELD_TEXT, 0, 500, NULL, "", "Where it comes from", false},
    {"filing", FIELD_TEXT, 0, 200, NULL, "", "Filing number of the generative service", false},
    {"description", FIELD_TEXT, 0, 4000, NULL, "", "What it is good for, and its limits", false},
    {"grants", FIELD_JSON, 0, 16384, NULL, "[]", "Tenants that may use it; empty: all", false},
    {"price_key", FIELD_TEXT, 0, MODELS_MOST_NAME, NULL, "", "Price to meter by; empty: its name",
     false},
};
enum { TITLE, KIND, MODALITY, INDUSTRY, LICENCE, SOURCE, FILING, DESCRIPTION, GRANTS, PRICE_KEY };
#define N_CARD (sizeof card_fields / sizeof card_fields[0])
static const struct row_kind cards = {"model", "models_cards", card_fields, N_CARD};

static const struct field version_fields[] = {
    {"tokenizer", FIELD_TEXT, 0, 2 * MODELS_MOST_NAME + 1, NULL, "",
     "Version whose vocabulary counts its tokens; empty: its own", false},
    {"evaluations", FIELD_JSON, 0, 65536, NULL, "[]",
     "Results: {suite, metric, value, at, note} each", false},
    {"lineage", FIELD_JSON, 0, 16384, NULL, "{}",
     "Where it comes from: data_releases, training_runs, base", false},
    {"notes", FIELD_TEXT, 0, 4000, NULL, "", "Notes", false},
    {"context", FIELD_INT, 0, 100000000, NULL, "0", "Tokens it was trained for", false},
};
enum { TOKENIZER, EVALUATIONS, LINEAGE, NOTES, CONTEXT };
#define N_VERSION (sizeof version_fields / sizeof version_fields[0])
/* Versions have no changed_ms: they are saved by a statement of their own. */

#define VERSION_COLUMNS                                                                            \
    "v.id, v.label, v.number, v.storage, v.object, v.path, v.bytes, v.sha256, v.sm3,"              \
    " v.architecture, v.parameters, v.context, v.embedding, v.quantisation, v.vocabulary,"         \
    " v.template, v.header, v.tokenizer, v.evaluations, v.lineage, v.notes, v.state, v.why,"       \
    " v.verified_ms, v.created_ms, v.revision"

/* ---- answers ---- */

static void put_version(struct json_out *out, const struct store_rows *r, size_t i,
                        struct str model)
{
    struct str path = store_str(r, i, 5);
    json_begin_object(out);
    json_kv_str(out, "id", store_str(r, i, 0));
    json_kv_str(out, "model", model);
    json_kv_str(out, "label", store_str(r, i, 1));
    json_kv_int(out, "number", store_int(r, i, 2));
    json_kv_str(out, "storage", store_str(r, i, 3));
    json_kv_str(out, "file", file_name(path));
    json_kv_int(out, "bytes", store_int(r, i, 6));
    json_kv_str(out, "sha256", store_str(r, i, 7));
    json_kv_str(out, "sm3", store_str(r, i, 8));
    json_kv_str(out, "architecture", store_str(r, i, 9));
    json_kv_int(out, "parameters", store_int(r, i, 10));
    json_kv_int(out, "context", store_int(r, i, 11));
    json_kv_int(out, "embedding", store_int(r, i, 12));
    json_kv_str(out, "quantisation", store_str(r, i, 13));
    json_kv_bool(out, "vocabulary", store_int(r, i, 14) != 0);
    json_kv_bool(out, "chat_template", store_int(r, i, 15) != 0);
    models_put_stored(out, "header", store_str(r, i, 16), "{}");
    json_kv_str(out, "tokenizer", store_str(r, i, 17));
    models_put_stored(out, "evaluations", store_str(r, i, 18), "[]");
    models_put_stored(out, "lineage", store_str(r, i, 19), "{}");
    json_kv_str(out, "notes", store_str(r, i, 20));
    json_kv_str(out, "state", store_str(r, i, 21));
    json_kv_said(out, "why", store_str(r, i, 22));
    json_kv_time(out, "verified_at", store_int(r, i, 23));
    json_kv_time(out, "created_at", store_int(r, i, 24));
    json_kv_int(out, "revision", store_int(r, i, 25));
    json_end_object(out);
}

#define CARD_COLUMNS                                                                               \
    "id, name, title, kind, modality, industry, licence, source, filing, description, grants,"     \
    " price_key, retired_ms, retired_why, created_ms, changed_ms, revision"

static enum err put_card(struct store_tx *tx, const struct models_ask *ask,
                         const struct store_rows *r, size_t i, struct why *why)
{
    struct store_rows v;
    struct json_out *out = ask->out;
    struct str name = store_str(r, i, 1);
    enum err err = store_query(tx,
                               "SELECT " VERSION_COLUMNS
                               " FROM models_versions v WHERE v.card = ? ORDER BY v.number DESC",
                               STORE_ARGS(SV_STR(store_str(r, i, 0))), ask->arena, &v, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_str(out, "id", store_str(r, i, 0));
    json_kv_str(out, "name", name);
    for (size_t k = 0; k < N_CARD; k++)
        if (k == GRANTS)
            models_put_stored(out, "grants", store_str(r, i, 2 + k), "[]");
        else
            json_kv_str(out, card_fields[k].name, store_str(r, i, 2 + k));
    json_kv_time(out, "retired_at", store_int(r, i, 12));
    json_kv_str(out, "retired_why", store_str(r, i, 13));
    json_kv_time(out, "created_at", store_int(r, i, 14));
    json_kv_time(out, "changed_at", store_int(r, i, 15));
    json_kv_int(out, "revision", store_int(r, i, 16));
    json_key(out, "versions");
    json_begin_array(out);
    for (size_t k = 0; k < v.n_rows; k++)
        put_version(out, &v, k, name);
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

/* Their cards, without versions. `limit` 0: all. */
static enum err card_rows(struct store_tx *tx, const struct json *filter, int64_t limit,
                          struct arena *arena, struct store_rows *rows, struct why *why)
{
    struct str modality = json_get_str(filter, "modality", STR("")),
               kind = json_get_str(filter, "kind", STR("")),
               find = json_get_str(filter, "find", STR("")),
               after = json_get_str(filter, "after", STR("")),
               like = str_printf(arena, "%%%.*s%%", STR_FMT(find));
    if (!like.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not list the models");
    return store_query(tx,
                       "SELECT " CARD_COLUMNS " FROM models_cards WHERE (? = 1 OR retired_ms = 0)"
                       " AND (? = '' OR modality = ?) AND (? = '' OR kind = ?) AND (? = '' OR"
                       " LOWER(name) LIKE LOWER(?) OR LOWER(title) LIKE LOWER(?)) AND (? = '' OR"
                       " name > ?) ORDER BY name LIMIT ?",
                       STORE_ARGS(SV_INT(json_get_bool(filter, "retired", false)), SV_STR(modality),
                                  SV_STR(modality), SV_STR(kind), SV_STR(kind), SV_STR(find),
                                  SV_STR(like), SV_STR(like), SV_STR(after), SV_STR(after),
                                  SV_INT(limit > 0 ? limit : INT64_MAX)),
                       arena, rows, why);
}

static enum err model_items(struct models *models, const struct models_ask *ask,
                            const struct json *filter, struct why *why)
{
    struct store_tx *tx = NULL;
    struct store_rows r = {0};
    int64_t limit = json_get_int(filter, "limit", 0);
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = card_rows(tx, filter, limit, ask->arena, &r, why);
    if (!err) {
        bool full = limit > 0 && r.n_rows == (size_t)limit;
        json_begin_items(ask->out);
        for (size_t i = 0; !err && i < r.n_rows; i++)
            err = put_card(tx, ask, &r, i, why);
        json_end_items(ask->out, full ? store_str(&r, r.n_rows - 1, 1) : STR(""));
    }
    store_rollback(tx);
    return err;
}

static enum err show_card(struct store_tx *tx, const struct models_ask *ask, struct str id,
                          struct why *why)
{
    struct store_rows r;
    enum err err = store_query(tx, "SELECT " CARD_COLUMNS " FROM models_cards WHERE id = ?",
                               STORE_ARGS(SV_STR(id)), ask->arena, &r, why);
    if (!err && r.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no such model");
    if (!err && ask->revision)
        *ask->revision = store_int(&r, 0, 16);
    if (!err && ask->out)
        err = put_card(tx, ask, &r, 0, why);
    return err;
}

static enum err show_version(struct store_tx *tx, const struct models_ask *ask, struct str name,
                             struct why *why)
{
    struct store_rows r;
    struct version_ref ref;
    enum err err = model_version_find(tx, name, ask->arena, &ref, why);
    if (!err)
        err = store_query(tx, "SELECT " VERSION_COLUMNS " FROM models_versions v WHERE v.id = ?",
                          STORE_ARGS(SV_STR(ref.id)), ask->arena, &r, why);
    if (!err && ask->revision)
        *ask->revision = store_int(&r, 0, 25);
    if (!err && ask->out)
        put_version(ask->out, &r, 0, ref.model);
    return err;
}

static enum err model_show(struct models *models, const struct models_ask *ask, struct str name,
                           struct why *why)
{
    struct store_tx *tx = NULL;
    struct str id;
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err && str_find_char(name, ':') != STR_NPOS)
        err = show_version(tx, ask, name, why);
    else if (!err) {
        err = models_row_find(tx, &cards, name, ask->arena, &id, NULL, why);
        if (!err)
            err = show_card(tx, ask, id, why);
    }
    store_rollback(tx);
    return err;
}

enum err models_version_show(struct models *models, const struct models_ask *ask, struct str id,
                             struct why *why)
{
    struct store_tx *tx = NULL;
    enum err err = models_need_read(ask, why);
    if (!err)
        err = store_begin(models->store, STORE_READ, &tx, why);
    if (!err)
        err = show_version(tx, ask, id, why);
    store_rollback(tx);
    return err;
}

/* ---- finding versions ---- */

static void fill_ref(const struct store_rows *r, size_t i, struct version_ref *out)
{
    *out = (struct version_ref){store_str(r, i, 0), store_str(r, i, 1), store_str(r, i, 2),
                                store_str(r, i, 3), store_str(r, i, 4), store_str(r, i, 5)};
}

enum err model_version_find(struct store_tx *tx, struct str name, struct arena *arena,
                            struct version_ref *out, struct why *why)
{
#define FIND                                                                                       \
    "SELECT v.id, v.card, c.name, v.label, v.storage, v.state FROM models_versions v"              \
    " JOIN models_cards c ON c.id = v.card"
    struct store_rows r;
    size_t colon = str_find_char(name, ':');
    if (name.len > 2 * MODELS_MOST_NAME + 1 || utf8_invalid(name) != STR_NPOS ||
        memchr(name.ptr ? name.ptr : "", 0, name.len))
        return err_set(why, ERR_NOT_FOUND, "there is no such version");
    enum err err = ERR_OK;
    if (colon != STR_NPOS)
        err = store_query(
            tx, FIND " WHERE c.name = ? AND v.label = ?",
            STORE_ARGS(SV_STR(str_slice(name, 0, colon)), SV_STR(str_from(name, colon + 1))), arena,
            &r, why);
    else
        err = store_query(tx,
                          FIND " WHERE v.id = ? OR (c.name = ? AND v.state <> 'retired')"
                               " ORDER BY v.number DESC LIMIT 1",
                          STORE_ARGS(SV_STR(name), SV_STR(name)), arena, &r, why);
    if (!err && r.n_rows == 0)
        err = err_set(why, ERR_NOT_FOUND, "there is no model or version \"%.*s\"", STR_FMT(name));
    if (!err)
        fill_ref(&r, 0, out);
    return err;
}

/* ---- tenants ---- */

/* ["name or id", ...] as ids. Only the centre asks: it sees every tenant. */
enum err models_grants_resolve(struct models *models, struct str json, struct arena *arena,
                               struct str *out, struct why *why)
{
    const struct json *list;
    struct ops_identity system = ops_system();
    struct ops_tenant *tenants = NULL;
    size_t n = 0;
    struct buf buf;
    struct json_out ids;
    enum err err = json_parse(json, arena, &list, why);
    if (err || json_len(list) == 0) {
        *out = STR("[]");
        return err;
    }
    err = ops_tenant_list(models->ops, &system, arena, &tenants, &n, why);
    buf_init(&buf, arena);
    json_out_init(&ids, &buf);
    json_begin_array(&ids);
    for (size_t i = 0; !err && i < json_len(list); i++) {
        struct str name = json_str(json_at(list, i), STR(""));
        size_t k = 0;
        while (k < n && !str_eq(tenants[k].id, name) && !str_eq(tenants[k].name, name))
            k++;
        if (k == n)
            err = err_set(why, ERR_INVALID, "\"grants\" names a tenant that is not there: \"%.*s\"",
                          STR_FMT(utf8_prefix(name, 60)));
        else
            json_put_str(&ids, tenants[k].id);
    }
    if (err)
        return err;
    json_end_array(&ids);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

/* ---- making and changing ---- */

enum err model_name_free(struct store_tx *tx, struct str name, struct arena *arena, struct why *why)
{
    static const struct row_kind aliases = {.word = "name of an alias", .table = "models_aliases"};
    enum err err = models_name_free(tx, &cards, name, arena, why);
    return err ? err : models_name_free(tx, &aliases, name, arena, why);
}

static enum err insert_card(struct act *act, struct str name, struct field_value *v, struct str *id,
                            struct why *why)
{
    char text[UUID_TEXT];
    int64_t now = time_now_ms();
    enum err err = models_name_check("model", name, why);
    if (!err)
        err = model_name_free(act->tx, name, act->arena, why);
    if (!err)
        err = models_grants_resolve(act->models, v[GRANTS].s, act->arena, &v[GRANTS].s, why);
    *id = str_copy(act->arena, str_c(uuid7(text)));
    if (!err && !id->ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not make a model");
    return err ? err
               : store_exec(act->tx,
                            "INSERT INTO models_cards (" CARD_COLUMNS
                            ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?, ?, 1)",
                            STORE_ARGS(SV_STR(*id), SV_STR(name), SV_STR(v[TITLE].s),
                                       SV_STR(v[KIND].s), SV_STR(v[MODALITY].s),
                                       SV_STR(v[INDUSTRY].s), SV_STR(v[LICENCE].s),
                                       SV_STR(v[SOURCE].s), SV_STR(v[FILING].s),
                                       SV_STR(v[DESCRIPTION].s), SV_STR(v[GRANTS].s),
                                       SV_STR(v[PRICE_KEY].s), SV_INT(now), SV_INT(now)),
                            NULL, why);
}

/* The body without its "name". */
static enum err without_name(const struct json *body, struct arena *arena, const struct json **out,
                             struct why *why)
{
    struct buf buf;
    struct json_out json;
    struct str key;
    const struct json *value;
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "the body must be a JSON object");
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (void *iter = NULL; json_each(body, &iter, &key, &value);) {
        char *name = str_z(arena, key);
        if (!name)
            return err_set(why, ERR_NO_MEMORY, "could not read the body");
        if (str_eq_c(key, "name"))
            continue;
        json_key(&json, name);
        json_put_value(&json, value);
    }
    json_end_object(&json);
    enum err err = buf_err(&buf, why);
    return err ? err : json_parse(buf_str(&buf), arena, out, why);
}

enum err models_body_name(const struct json *body, const char *what, struct arena *arena,
                          struct str *name, const struct json **rest, struct why *why)
{
    enum err err = without_name(body, arena, rest, why);
    *name = json_get_str(body, "name", STR(""));
    return err ? err : models_name_check(what, *name, why);
}

static enum err model_make(struct models *models, const struct models_ask *ask,
                           const struct json *body, struct why *why)
{
    struct act act;
    struct field_value v[N_CARD] = {0};
    struct str name = STR(""), id = STR("");
    const struct json *rest = NULL;
    enum err err = models_act_begin(&act, models, ask, "models.model.create", true, why);
    if (!err)
        err = models_body_name(body, "model", ask->arena, &name, &rest, why);
    if (!err)
        err = models_fields_read(rest, card_fields, N_CARD, true, ask->arena, v, why);
    if (!err)
        err = insert_card(&act, name, v, &id, why);
    if (!err)
        err = show_card(act.tx, ask, id, why);
    return models_act_end(&act, err, id, models_act_detail(ask->arena, "name", name, ACT_END), why);
}

static enum err model_change(struct models *models, const struct models_ask *ask, struct str name,
                             const struct json *body, struct why *why)
{
    struct act act;
    struct field_value v[N_CARD] = {{0}};
    struct str id = STR("");
    int64_t revision = 0;
    enum err err = models_act_begin(&act, models, ask, "models.model.change", true, why);
    if (!err)
        err = models_row_find(act.tx, &cards, name, ask->arena, &id, &revision, why);
    if (!err)
        err = models_revision_check(ask, revision, "model", why);
    if (!err)
        err = models_row_load(act.tx, &cards, id, ask->arena, v, why);
    if (!err)
        err = models_fields_read(body, card_fields, N_CARD, false, ask->arena, v, why);
    if (!err)
        err = models_grants_resolve(models, v[GRANTS].s, ask->arena, &v[GRANTS].s, why);
    if (!err)
        err = models_row_save(act.tx, &cards, id, ask->arena, v, why);
    if (!err)
        err = show_card(act.tx, ask, id, why);
    return models_act_end(&act, err, id, models_act_detail(ask->arena, "name", name, ACT_END), why);
}

static enum err model_remove(struct models *models, const struct models_ask *ask, struct str name,
                             struct why *why)
{
    (void)models, (void)ask;
    err_hint(why, "retire it");
    return err_set(why, ERR_CONFLICT, "the model \"%.*s\" is not removed: answers were given by it",
                   STR_FMT(utf8_prefix(name, 60)));
}

const struct noun noun_model = {"model",      NULL,         model_items, model_show, model_make,
                                model_change, model_remove, card_fields, N_CARD};

enum err models_version_change(struct models *models, const struct models_ask *ask, struct str name,
                               const struct json *body, struct why *why)
{
    struct act act;
    struct version_ref ref = {.id = STR("")}, other;
    struct store_rows r;
    struct field_value v[N_VERSION] = {{0}};
    enum err err = models_act_begin(&act, models, ask, "models.version.change", true, why);
    if (!err)
        err = model_version_find(act.tx, name, ask->arena, &ref, why);
    if (!err)
        err = store_query(act.tx,
                          "SELECT tokenizer, evaluations, lineage, notes, context, revision FROM"
                          " models_versions WHERE id = ?",
                          STORE_ARGS(SV_STR(ref.id)), ask->arena, &r, why);
    if (!err)
        err = models_revision_check(ask, store_int(&r, 0, 5), "version", why);
    for (size_t i = 0; !err && i < N_VERSION; i++)
        v[i] = (struct field_value){.s = store_str(&r, 0, i), .i = store_int(&r, 0, i)};
    if (!err)
        err = models_fields_read(body, version_fields, N_VERSION, false, ask->arena, v, why);
    if (!err && v[TOKENIZER].set && v[TOKENIZER].s.len) {
        err = model_version_find(act.tx, v[TOKENIZER].s, ask->arena, &other, why);
        if (!err && !str_eq_c(other.storage, "object") && !str_eq_c(other.storage, "file"))
            err = err_set(why, ERR_INVALID, "\"%.*s\" has no file with a vocabulary",
                          STR_FMT(v[TOKENIZER].s));
        if (!err)
            v[TOKENIZER].s = other.id;
    }
    if (!err)
        err = store_exec(act.tx,
                         "UPDATE models_versions SET tokenizer = ?, evaluations = ?, lineage = ?,"
                         " notes = ?, context = ?, revision = revision + 1 WHERE id = ?",
                         STORE_ARGS(SV_STR(v[TOKENIZER].s), SV_STR(v[EVALUATIONS].s),
                                    SV_STR(v[LINEAGE].s), SV_STR(v[NOTES].s), SV_INT(v[CONTEXT].i),
                                    SV_STR(ref.id)),
                         NULL, why);
    if (!err)
        err = show_version(act.tx, ask, ref.id, why);
    return models_act_end(&act, err, ref.id, models_act_detail(ask->arena, "name", name, ACT_END),
                          why);
}

/* ---- for imports, endpoints and edges ---- */

enum err card_take(struct act *act, struct str name, const struct json *body, struct str *id,
                   struct why *why)
{
    struct why none = {0};
    struct field_value v[N_CARD] = {0};
    enum err err = models_row_find(act->tx, &cards, name, act->arena, id, NULL, &none);
    if (err != ERR_NOT_FOUND) {
        if (!err && json_len(body)) {
            err_hint(why, "change the card itself");
            err = err_set(why, ERR_CONFLICT,
                          "the model \"%.*s\" is there already: its card is not made anew",
                          STR_FMT(name));
        }
        return err ? err_set(why, err, "%s", why_text(&none, err)) : ERR_OK;
    }
    const struct json *empty = NULL;
    if (!body) {
        err = json_parse(STR("{}"), act->arena, &empty, why);
        if (err)
            return err;
    }
    err = models_fields_read(body ? body : empty, card_fields, N_CARD, true, act->arena, v, why);
    return err ? err : insert_card(act, name, v, id, why);
}

enum err version_insert(struct act *act, struct str card, const struct version_facts *f,
                        struct str *id, struct str *label, struct why *why)
{
    struct store_rows r;
    char text[UUID_TEXT];
    enum err err = store_query(act->tx,
                               "SELECT COALESCE(MAX(number), 0) + 1 FROM models_versions"
                               " WHERE card = ?",
                               STORE_ARGS(SV_STR(card)), act->arena, &r, why);
    if (err)
        return err;
    int64_t number = store_int(&r, 0, 0), now = time_now_ms();
    *label = f->label.len ? f->label : str_printf(act->arena, "%lld", (long long)number);
    *id = str_copy(act->arena, str_c(uuid7(text)));
    if (!label->ptr || !id->ptr)
        return err_set(why, ERR_NO_MEMORY, "could not make a version");
    err = models_name_check("version", *label, why);
    if (!err)
        err = store_query(act->tx, "SELECT id FROM models_versions WHERE card = ? AND label = ?",
                          STORE_ARGS(SV_STR(card), SV_STR(*label)), act->arena, &r, why);
    if (!err && r.n_rows)
        err = err_set(why, ERR_CONFLICT, "there is a version \"%.*s\" already", STR_FMT(*label));
    if (err)
        return err;
    bool file = !str_eq_c(str_c(f->storage), "endpoint");
    return store_exec(
        act->tx,
        "INSERT INTO models_versions (id, card, number, label, storage, object, path, bytes,"
        " sha256, sm3, architecture, parameters, context, embedding, quantisation, vocabulary,"
        " template, header, tokenizer, evaluations, lineage, notes, state, why, verified_ms,"
        " created_ms, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '',"
        " '[]', ?, ?, 'ready', '', ?, ?, 1)",
        STORE_ARGS(SV_STR(*id), SV_STR(card), SV_INT(number), SV_STR(*label), SV_C(f->storage),
                   SV_STR(f->object), SV_STR(f->path), SV_INT(f->bytes), SV_STR(f->sha256),
                   SV_STR(f->sm3), SV_STR(f->architecture), SV_INT(f->parameters),
                   SV_INT(f->context), SV_INT(f->embedding), SV_STR(f->quantisation),
                   SV_INT(f->vocabulary), SV_INT(f->template),
                   SV_STR(f->header.len ? f->header : STR("{}")),
                   SV_STR(f->lineage.len ? f->lineage : STR("{}")), SV_STR(f->notes),
                   SV_INT(file ? now : 0), SV_INT(now)),
        NULL, why);
}

enum err version_take(struct act *act, struct str name, const struct json *card, struct str *id,
                      struct why *why)
{
    size_t colon = str_find_char(name, ':');
    struct str model = str_slice(name, 0, colon == STR_NPOS ? name.len : colon), card_id, label;
    struct version_ref ref;
    struct why none = {0};
    enum err err = model_version_find(act->tx, name, act->arena, &ref, &none);
    if (!err && json_len(card) == 0) {
        *id = ref.id;
        return str_eq_c(ref.state, "retired")
                   ? err_set(why, ERR_CONFLICT, "\"%.*s\" has been retired", STR_FMT(name))
                   : ERR_OK;
    }
    if (err && err != ERR_NOT_FOUND)
        return err_set(why, err, "%s", why_text(&none, err));
    struct version_facts facts = {.storage = "endpoint",
                                  .label = colon == STR_NPOS ? STR("") : str_from(name, colon + 1)};
    err = card_take(act, model, json_len(card) ? card : NULL, &card_id, why);
    return err ? err : version_insert(act, card_id, &facts, id, &label, why);
}

/* ---- retirement ---- */

/* Whether a reference of a policy means that version: "model:label", or "model" while the version
 * is the newest. */
static bool policy_means(const struct policy *p, struct str exact, struct str model, bool newest)
{
    for (size_t a = 0; a < p->n_arms; a++)
        for (size_t t = 0; t < p->arms[a].n; t++)
            if (str_eq(p->arms[a].targets[t].model, exact) ||
                (newest && str_eq(p->arms[a].targets[t].model, model)))
                return true;
    for (size_t i = 0; i < p->n_fallbacks; i++)
        if (str_eq(p->fallbacks[i], exact) || (newest && str_eq(p->fallbacks[i], model)))
            return true;
    return str_eq(p->tokenizer, exact);
}

static enum err uses_by_alias(struct store_tx *tx, const struct version_ref *ref,
                              struct arena *arena, struct buf *words, struct why *why)
{
    struct store_rows r;
    struct version_ref newest = {.id = STR("")};
    struct str exact = str_printf(arena, "%.*s:%.*s", STR_FMT(ref->model), STR_FMT(ref->label));
    bool is_newest = model_version_find(tx, ref->model, arena, &newest, NULL) == ERR_OK &&
                     str_eq(newest.id, ref->id);
    enum err err = store_query(tx, "SELECT name, policy FROM models_aliases ORDER BY name",
                               STORE_NO_ARGS, arena, &r, why);
    for (size_t i = 0; !err && i < r.n_rows; i++) {
        const struct json *json;
        struct policy p = {.n_arms = 0};
        err = json_parse(store_str(&r, i, 1), arena, &json, why);
        if (!err)
            err = policy_read(json, arena, &p, why);
        if (!err && policy_means(&p, exact, ref->model, is_newest))
            buf_printf(words, "%salias \"%.*s\"", words->len ? ", " : "",
                       STR_FMT(store_str(&r, i, 0)));
    }
    return err;
}

enum err version_uses(struct store_tx *tx, struct str id, struct arena *arena, struct str *words,
                      struct why *why)
{
    static const char *const tables[][2] = {{"deployment", "models_deployments"},
                                            {"endpoint", "models_endpoints"},
                                            {"edge", "models_edges"}};
    struct buf buf;
    struct version_ref ref;
    struct store_rows r;
    buf_init(&buf, arena);
    enum err err = model_version_find(tx, id, arena, &ref, why);
    if (!err)
        err = uses_by_alias(tx, &ref, arena, &buf, why);
    for (size_t t = 0; !err && t < 3; t++) {
        struct str sql =
            str_printf(arena, "SELECT name FROM %s WHERE version = ? ORDER BY name", tables[t][1]);
        err = sql.ptr ? store_query(tx, sql.ptr, STORE_ARGS(SV_STR(id)), arena, &r, why)
                      : ERR_NO_MEMORY;
        for (size_t i = 0; !err && i < r.n_rows; i++)
            buf_printf(&buf, "%s%s \"%.*s\"", buf.len ? ", " : "", tables[t][0],
                       STR_FMT(store_str(&r, i, 0)));
    }
    *words = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

static enum err retire_version(struct act *act, struct str id, struct str name, bool force,
                               struct str reason, struct why *why)
{
    struct str uses = STR("");
    enum err err = version_uses(act->tx, id, act->arena, &uses, why);
    if (!err && uses.len && !force) {
        err_hint(why, "point them elsewhere first, or force it with a reason");
        err = err_set(why, ERR_CONFLICT, "\"%.*s\" is still used by %.*s", STR_FMT(name),
                      STR_FMT(utf8_prefix(uses, 160)));
    }
    if (!err)
        err = store_exec(act->tx,
                         "UPDATE models_versions SET state = 'retired', why = ?,"
                         " revision = revision + 1 WHERE id = ? AND state <> 'retired'",
                         STORE_ARGS(SV_STR(reason), SV_STR(id)), NULL, why);
    if (!err)
        err = store_exec(act->tx,
                         "UPDATE models_deployments SET wanted = 'stopped', revision = revision + 1"
                         " WHERE version = ?",
                         STORE_ARGS(SV_STR(id)), NULL, why);
    return err;
}

enum err models_retire(struct models *models, const struct models_ask *ask, struct str name,
                       bool force, struct str reason, struct why *why)
{
    struct act act;
    struct version_ref ref;
    struct store_rows r;
    struct str id = STR("");
    bool one = str_find_char(name, ':') != STR_NPOS;
    enum err err = models_act_begin(&act, models, ask, "models.model.retire", true, why);
    if (!err && force && str_trim_space(reason).len == 0)
        err = err_set(why, ERR_INVALID, "to force it, give a reason");
    if (!err && reason.len > 400)
        err = err_set(why, ERR_INVALID, "the reason has at most 400 bytes");
    if (!err && one) {
        err = model_version_find(act.tx, name, ask->arena, &ref, why);
        id = err ? id : ref.id;
        if (!err)
            err = retire_version(&act, id, name, force, reason, why);
    } else if (!err) {
        err = models_row_find(act.tx, &cards, name, ask->arena, &id, NULL, why);
        if (!err)
            err = store_query(act.tx,
                              "SELECT id, label FROM models_versions WHERE card = ? AND"
                              " state <> 'retired'",
                              STORE_ARGS(SV_STR(id)), ask->arena, &r, why);
        for (size_t i = 0; !err && i < r.n_rows; i++) {
            struct str full =
                str_printf(ask->arena, "%.*s:%.*s", STR_FMT(name), STR_FMT(store_str(&r, i, 1)));
            err = retire_version(&act, store_str(&r, i, 0), full, force, reason, why);
        }
        if (!err)
            err = store_exec(act.tx,
                             "UPDATE models_cards SET retired_ms = ?, retired_why = ?,"
                             " revision = revision + 1 WHERE id = ? AND retired_ms = 0",
                             STORE_ARGS(SV_INT(time_now_ms()), SV_STR(reason), SV_STR(id)), NULL,
                             why);
    }
    if (!err)
        err = one ? show_version(act.tx, ask, id, why) : show_card(act.tx, ask, id, why);
    return models_act_end(&act, err, id,
                          models_act_detail(ask->arena, "name", name, "reason", reason, "forced",
                                            force ? STR("yes") : STR("no"), ACT_END),
                          why);
}

/* ---- what versions were made of ---- */

enum err models_origins(struct models *models, struct store_tx *tx, struct arena *arena,
                        struct models_origin **out, size_t *n, struct why *why)
{
    static const char sql[] =
        "SELECT c.name, v.label, v.lineage FROM models_versions v JOIN models_cards c ON c.id = "
        "v.card WHERE v.lineage NOT IN ('', '{}') ORDER BY v.id LIMIT 10000";
    struct store_rows rows;
    enum err err = tx ? store_query(tx, sql, STORE_NO_ARGS, arena, &rows, why)
                      : store_ask(models->store, sql, STORE_NO_ARGS, arena, &rows, why);
    *n = err ? 0 : rows.n_rows;
    *out = err ? NULL : arena_array(arena, struct models_origin, rows.n_rows + 1);
    if (!err && !*out)
        err = err_set(why, ERR_NO_MEMORY, "could not hold what models were made of");
    for (size_t i = 0; !err && i < rows.n_rows; i++)
        (*out)[i] =
            (struct models_origin){str_printf(arena, "%.*s:%.*s", STR_FMT(store_str(&rows, i, 0)),
                                              STR_FMT(store_str(&rows, i, 1))),
                                   store_str(&rows, i, 2)};
    return err;
}
