/* acquire/collector - definitions: read, checked, sealed, changed, shown. */
#include <stdio.h>
#include <string.h>

#include "acquire/acquire_in.h"
#include "acquire/schedule.h"
#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"

#define COLUMNS                                                                                    \
    "id, tenant, name, title, kind, dataset, dataset_title, record_kind, access, settings, map, "  \
    "collection, schedule, enabled, owner, why, state, sealed, secret_names, revision, "           \
    "created_ms, changed_ms, next_ms"

static const char *const classes[] = {"public", "staff", "department", "restricted"};

static void of_row(const struct store_rows *r, size_t i, struct collector *out)
{
    *out = (struct collector){.id = store_str(r, i, 0),
                              .tenant = store_str(r, i, 1),
                              .name = store_str(r, i, 2),
                              .title = store_str(r, i, 3),
                              .kind_name = store_str(r, i, 4),
                              .dataset = store_str(r, i, 5),
                              .dataset_title = store_str(r, i, 6),
                              .record_kind = store_str(r, i, 7),
                              .access = (enum ops_class)store_int(r, i, 8),
                              .settings = store_str(r, i, 9),
                              .map = store_str(r, i, 10),
                              .collection = store_str(r, i, 11),
                              .schedule = store_str(r, i, 12),
                              .enabled = store_int(r, i, 13) != 0,
                              .owner = store_str(r, i, 14),
                              .why = store_str(r, i, 15),
                              .state = store_str(r, i, 16),
                              .sealed = store_str(r, i, 17),
                              .secret_names = store_str(r, i, 18),
                              .revision = store_int(r, i, 19),
                              .created_ms = store_int(r, i, 20),
                              .changed_ms = store_int(r, i, 21),
                              .next_ms = store_int(r, i, 22)};
    out->kind = acquire_kind_find(out->kind_name);
}

enum err collector_find(struct acquire *a, const struct ops_identity *who, struct str name,
                        struct arena *arena, struct collector *out, struct why *why)
{
    struct store_rows rows = {0};
    enum err err = ops_need(who, "data.read", why);
    if (!err && utf8_invalid(name) == STR_NPOS)
        err = store_ask(
            a->opts.store,
            "SELECT " COLUMNS " FROM acquire_collectors WHERE tenant = ? AND (id = ? OR "
            "name = ?)",
            STORE_ARGS(SV_STR(who->tenant), SV_STR(name), SV_STR(name)), arena, &rows, why);
    if (err)
        return err;
    if (!rows.n_rows)
        return err_set(why, ERR_NOT_FOUND, "there is no collector \"%.*s\"", SHOW(name));
    of_row(&rows, 0, out);
    return out->kind ? ERR_OK
                     : err_set(why, ERR_UNSUPPORTED, "this program has no collectors of kind %.*s",
                               SHOW(out->kind_name));
}

/* ---- reading a body ---- */

static enum err read_name(struct str name, struct why *why)
{
    bool good = name.len > 0 && utf8_invalid(name) == STR_NPOS && utf8_count(name) <= 60;
    for (size_t at = 0; good && at < name.len;) {
        uint32_t c = utf8_next(name, &at);
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.' || utf8_is_han(c);
    }
    if (good && !uuid_valid(name))
        return ERR_OK;
    enum err err =
        err_set(why, ERR_INVALID, "\"%.*s\" cannot be the name of a collector", SHOW(name));
    err_hint(why, "1 to 60 lower-case letters, digits, '_', '-', '.' or Chinese characters");
    return err;
}

static enum err read_access(struct str given, enum ops_class *out, struct why *why)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (str_eq_c(given, classes[i])) {
            *out = (enum ops_class)i;
            return ERR_OK;
        }
    return err_set(why, ERR_INVALID, "\"access\" is public, staff, department or restricted");
}

static enum err read_object(const char *name, const struct json *value, size_t most,
                            struct arena *arena, struct str *out, struct why *why)
{
    if (json_kind(value) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "\"%s\" is a JSON object", name);
    enum err err = json_dump(value, arena, out, why);
    if (!err && out->len > most)
        err = err_set(why, ERR_TOO_LARGE, "\"%s\" has more than %zu bytes", name, most);
    return err;
}

static enum err read_map(const struct json *value, struct arena *arena, struct str *out,
                         struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *path;
    enum err err = read_object("map", value, 8192, arena, out, why);
    while (!err && json_each(value, &iter, &key, &path))
        if (!key.len || str_eq_c(key, "id") || !json_str(path, STR("")).len)
            err = err_set(why, ERR_INVALID,
                          "\"map\" names a member of the record and where it is in the item");
    return err;
}

static enum err read_short(const char *name, const struct json *value, struct str *out,
                           struct why *why)
{
    struct str s = json_str(value, STR(""));
    if (json_kind(value) != JSON_KIND_STRING || utf8_count(s) > 200)
        return err_set(why, ERR_INVALID, "\"%s\" is a text of at most 200 characters", name);
    *out = s;
    return ERR_OK;
}

static enum err read_record_kind(const struct collector *c, struct why *why)
{
    struct str rest = str_c(c->kind->records), part;
    while (str_next(&rest, '|', &part))
        if (str_eq(part, c->record_kind))
            return ERR_OK;
    return err_set(why, ERR_INVALID, "a collector of kind %s gives records of %s, not \"%.*s\"",
                   c->kind->name, c->kind->records, SHOW(c->record_kind));
}

/* Plain members of the body; settings and kind come before. */
static enum err read_member(struct str key, const struct json *value, struct arena *arena,
                            struct collector *c, struct why *why)
{
    if (str_eq_c(key, "kind") || str_eq_c(key, "settings"))
        return ERR_OK;
    if (str_eq_c(key, "name")) {
        c->name = json_str(value, STR(""));
        return read_name(c->name, why);
    }
    if (str_eq_c(key, "title"))
        return read_short("title", value, &c->title, why);
    if (str_eq_c(key, "dataset"))
        return read_short("dataset", value, &c->dataset, why);
    if (str_eq_c(key, "dataset_title"))
        return read_short("dataset_title", value, &c->dataset_title, why);
    if (str_eq_c(key, "record_kind"))
        return read_short("record_kind", value, &c->record_kind, why);
    if (str_eq_c(key, "schedule"))
        return read_short("schedule", value, &c->schedule, why);
    if (str_eq_c(key, "access"))
        return read_access(json_str(value, STR("")), &c->access, why);
    if (str_eq_c(key, "map"))
        return read_map(value, arena, &c->map, why);
    if (str_eq_c(key, "collection"))
        return read_object("collection", value, 16384, arena, &c->collection, why);
    if (str_eq_c(key, "enabled")) {
        c->enabled = json_bool(value, true);
        return ERR_OK;
    }
    return err_set(why, ERR_INVALID, "a collector has no member \"%.*s\"", SHOW(key));
}

/* Where a secret would be sent: when that changes it must be given again. */
static bool same_place(const struct json *before, const struct json *now)
{
    static const char *const names[] = {"url", "host", "user", "database"};
    bool same = json_get_int(before, "port", 0) == json_get_int(now, "port", 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        same &=
            str_eq(json_get_str(before, names[i], STR("")), json_get_str(now, names[i], STR("")));
    return same;
}

/* Secrets that are not named stay. */
static enum err merge_secrets(const struct json *before, struct str now_text, struct arena *arena,
                              struct str *out, struct why *why)
{
    const struct json *now, *value;
    void *iter = NULL;
    struct str key;
    struct buf buf;
    struct json_out json;
    enum err err = json_parse(now_text, arena, &now, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    for (int pass = 0; pass < 2; pass++) {
        iter = NULL;
        while (json_each(pass ? before : now, &iter, &key, &value)) {
            char *name = str_z(arena, key);
            bool nothing = !json_str(value, STR("")).len && json_kind(value) != JSON_KIND_OBJECT;
            if (!name || (pass && json_get(now, name)) || nothing)
                continue;
            json_key(&json, name);
            json_put_value(&json, value);
        }
    }
    json_end_object(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err read_settings(struct acquire *a, const struct json *body,
                              const struct collector *base, struct arena *arena,
                              struct collector *c, struct str *secret, struct why *why)
{
    const struct json *given = json_get(body, "settings"), *before = NULL, *now, *old;
    struct str fresh;
    if (base && !given) {
        *secret = STR_NONE; /* as they are */
        return ERR_OK;
    }
    enum err err = acquire_settings(c->kind, given, arena, &c->settings, &fresh, why);
    if (err || !base) {
        *secret = fresh;
        return err;
    }
    err = collector_secrets(a, base, arena, &before, why);
    if (!err)
        err = json_parse(c->settings, arena, &now, why);
    if (!err)
        err = json_parse(base->settings, arena, &old, why);
    if (!err && json_len(before) && fresh.len <= 2 && !same_place(old, now))
        err = err_set(why, ERR_INVALID,
                      "with another address the passwords and headers must be given again");
    return err ? err : merge_secrets(before, fresh, arena, secret, why);
}

static enum err check(struct acquire *a, struct collector *c, struct arena *arena, struct why *why)
{
    struct schedule schedule;
    const struct json *settings, *papers;
    enum err err = read_name(c->name, why);
    if (!err)
        err = read_record_kind(c, why);
    if (!err)
        err = schedule_parse(c->schedule, &schedule, why);
    if (!err && schedule.every_ms && schedule.every_ms < SCHEDULE_LEAST_MS)
        err = err_set(why, ERR_INVALID, "a collector runs once a minute at most");
    if (!err)
        err = json_parse(c->settings, arena, &settings, why);
    if (!err)
        err = json_parse(c->collection, arena, &papers, why);
    if (!err && !json_get_str(papers, "licence", STR("")).len &&
        !json_get_str(papers, "authority", STR("")).len)
        err = err_set(why, ERR_INVALID,
                      "\"collection\" names the licence or the authority by which it is collected");
    if (!err && !c->dataset.len)
        err = err_set(why, ERR_INVALID, "\"dataset\" is missing");
    if (!err && c->kind->check)
        err = c->kind->check(a, settings, c->record_kind, why);
    int64_t next = err || !c->schedule.len ? 0 : schedule_next(&schedule, time_now_ms());
    c->next_ms = next > 0 ? next : 0;
    return err;
}

enum err collector_read(struct acquire *a, const struct ops_identity *who, const struct json *body,
                        const struct collector *base, struct arena *arena, struct collector *out,
                        struct str *secret, struct why *why)
{
    struct collector c = {.settings = STR("{}"),
                          .map = STR("{}"),
                          .collection = STR("{}"),
                          .access = OPS_CLASS_STAFF,
                          .enabled = true,
                          .state = STR(""),
                          .why = STR(""),
                          .tenant = who->tenant};
    void *iter = NULL;
    struct str key;
    const struct json *value;
    if (json_kind(body) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "a collector is a JSON object");
    if (base)
        c = *base;
    struct str kind = json_get_str(body, "kind", base ? base->kind_name : STR(""));
    c.kind = acquire_kind_find(kind);
    if (!c.kind || (base && c.kind != base->kind))
        return err_set(why, ERR_INVALID,
                       base ? "the kind of a collector stays what it is, not \"%.*s\""
                            : "there are no collectors of kind \"%.*s\"",
                       SHOW(kind));
    c.kind_name = str_c(c.kind->name);
    if (!base) {
        struct str usual = str_c(c.kind->records);
        (void)str_next(&usual, '|', &c.record_kind);
    }
    enum err err = read_settings(a, body, base, arena, &c, secret, why);
    while (!err && json_each(body, &iter, &key, &value))
        err = read_member(key, value, arena, &c, why);
    if (!c.title.len)
        c.title = c.name;
    if (!err)
        err = check(a, &c, arena, why);
    if (!err)
        *out = c;
    return err;
}

/* ---- secrets ---- */

enum err collector_secrets(struct acquire *a, const struct collector *c, struct arena *arena,
                           const struct json **out, struct why *why)
{
    struct str text, about = str_printf(arena, "collector:%.*s", STR_FMT(c->id));
    if (!c->sealed.len)
        return json_parse(STR("{}"), arena, out, why);
    enum err err = about.ptr ? secret_open(&a->key, c->sealed, about, arena, &text, why)
                             : err_set(why, ERR_NO_MEMORY, "could not open the secrets");
    return err ? err : json_parse(text, arena, out, why);
}

/* Names of what is set: ["password", "headers.Authorization"]. */
static enum err names_of(const struct json *secrets, struct arena *arena, struct str *out,
                         struct why *why)
{
    struct buf buf;
    struct json_out json;
    void *iter = NULL, *inner;
    struct str key, name;
    const struct json *value, *member;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_array(&json);
    while (json_each(secrets, &iter, &key, &value)) {
        inner = NULL;
        if (json_kind(value) != JSON_KIND_OBJECT)
            json_put_str(&json, key);
        while (json_each(value, &inner, &name, &member))
            json_put_str(&json, str_printf(arena, "%.*s.%.*s", STR_FMT(key), STR_FMT(name)));
    }
    json_end_array(&json);
    *out = buf_str(&buf);
    return buf_err(&buf, why);
}

static enum err seal(struct acquire *a, struct collector *c, struct str secret, struct arena *arena,
                     struct why *why)
{
    const struct json *json;
    struct str about = str_printf(arena, "collector:%.*s", STR_FMT(c->id));
    enum err err = about.ptr ? json_parse(secret, arena, &json, why)
                             : err_set(why, ERR_NO_MEMORY, "could not seal the secrets");
    if (!err)
        err = names_of(json, arena, &c->secret_names, why);
    c->sealed = STR_NONE;
    if (!err && json_len(json))
        err = secret_seal(&a->key, secret, about, arena, &c->sealed, why);
    return err;
}

/* ---- showing ---- */

static void put_raw(struct json_out *out, const char *key, struct str json)
{
    json_key(out, key);
    if (json.len)
        json_put_raw(out, json);
    else
        json_put_null(out);
}

void collector_json(struct acquire *a, const struct collector *c, struct arena *arena,
                    struct json_out *out)
{
    struct why none = {0};
    struct buf last;
    struct json_out last_json;
    json_begin_object(out);
    json_kv_str(out, "id", c->id);
    json_kv_str(out, "name", c->name);
    json_kv_str(out, "title", c->title);
    json_kv_str(out, "kind", c->kind_name);
    json_kv_str(out, "dataset", c->dataset);
    json_kv_str(out, "dataset_title", c->dataset_title);
    json_kv_str(out, "record_kind", c->record_kind);
    json_kv_c(out, "access", classes[c->access & 3]);
    put_raw(out, "settings", c->settings);
    put_raw(out, "secrets", c->secret_names);
    put_raw(out, "map", c->map);
    put_raw(out, "collection", c->collection);
    json_kv_str(out, "schedule", c->schedule);
    json_kv_bool(out, "enabled", c->enabled);
    json_kv_str(out, "owner", c->owner);
    json_kv_str(out, "owner_name", ops_actor_name(a->opts.ops, c->owner, arena));
    json_kv_time(out, "next_at", c->enabled ? c->next_ms : 0);
    json_kv_said(out, "why", c->why);
    put_raw(out, "state", c->state);
    json_kv_int(out, "revision", c->revision);
    json_kv_time(out, "created_at", c->created_ms);
    json_kv_time(out, "changed_at", c->changed_ms);
    buf_init(&last, arena);
    json_out_init(&last_json, &last);
    json_begin_array(&last_json);
    enum err err = collector_runs(a, c->id, 1, arena, &last_json, &none);
    json_end_array(&last_json);
    struct str text = buf_str(&last);
    put_raw(out, "last", !err && text.len > 2 ? str_slice(text, 1, text.len - 1) : STR(""));
    json_end_object(out);
}

enum err acquire_list_json(struct acquire *a, const struct ops_identity *who, struct arena *arena,
                           struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(a->opts.store,
                        "SELECT " COLUMNS " FROM acquire_collectors WHERE tenant = ? ORDER BY name",
                        STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; i < rows.n_rows; i++) {
        struct collector c;
        of_row(&rows, i, &c);
        collector_json(a, &c, arena, out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

enum err acquire_show_json(struct acquire *a, const struct ops_identity *who, struct str name,
                           int64_t *revision, struct arena *arena, struct json_out *out,
                           struct why *why)
{
    struct collector c;
    enum err err = collector_find(a, who, name, arena, &c, why);
    if (err)
        return err;
    if (revision)
        *revision = c.revision;
    collector_json(a, &c, arena, out);
    return ERR_OK;
}

/* ---- changing ---- */

/* What the ledger holds of a definition: everything but the secrets. */
static struct str detail_of(const struct collector *c, struct arena *arena)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_str(&json, "name", c->name);
    json_kv_str(&json, "kind", c->kind_name);
    json_kv_str(&json, "dataset", c->dataset);
    json_kv_str(&json, "schedule", c->schedule);
    if (c->settings.len < 4000)
        put_raw(&json, "settings", c->settings);
    if (c->collection.len < 4000)
        put_raw(&json, "collection", c->collection);
    json_end_object(&json);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

static enum err insert(struct store_tx *tx, const struct collector *c, struct why *why)
{
    int64_t n = 0;
    enum err err = store_exec(
        tx,
        "INSERT INTO acquire_collectors (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
        "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        STORE_ARGS(SV_STR(c->id), SV_STR(c->tenant), SV_STR(c->name), SV_STR(c->title),
                   SV_STR(c->kind_name), SV_STR(c->dataset), SV_STR(c->dataset_title),
                   SV_STR(c->record_kind), SV_INT(c->access), SV_STR(c->settings), SV_STR(c->map),
                   SV_STR(c->collection), SV_STR(c->schedule), SV_INT(c->enabled), SV_STR(c->owner),
                   SV_STR(c->why), SV_STR(c->state), c->sealed.len ? SV_BLOB(c->sealed) : SV_NULL,
                   SV_STR(c->secret_names), SV_INT(1), SV_INT(c->created_ms), SV_INT(c->created_ms),
                   SV_INT(c->next_ms)),
        &n, why);
    if (!err && !n)
        err = err_set(why, ERR_CONFLICT, "there is a collector \"%.*s\" already", SHOW(c->name));
    return err;
}

static enum err update(struct store_tx *tx, const struct collector *c, int64_t revision,
                       struct why *why)
{
    int64_t n = 0;
    enum err err = store_exec(
        tx,
        "UPDATE acquire_collectors SET name = ?, title = ?, dataset = ?, dataset_title = ?, "
        "record_kind = ?, access = ?, settings = ?, map = ?, collection = ?, schedule = ?, enabled "
        "= ?, owner = ?, why = '', state = ?, sealed = ?, secret_names = ?, revision = revision + "
        "1, changed_ms = ?, next_ms = ? WHERE id = ? AND (? < 0 OR revision = ?)",
        STORE_ARGS(SV_STR(c->name), SV_STR(c->title), SV_STR(c->dataset), SV_STR(c->dataset_title),
                   SV_STR(c->record_kind), SV_INT(c->access), SV_STR(c->settings), SV_STR(c->map),
                   SV_STR(c->collection), SV_STR(c->schedule), SV_INT(c->enabled), SV_STR(c->owner),
                   SV_STR(c->state), c->sealed.len ? SV_BLOB(c->sealed) : SV_NULL,
                   SV_STR(c->secret_names), SV_INT(time_now_ms()), SV_INT(c->next_ms),
                   SV_STR(c->id), SV_INT(revision), SV_INT(revision)),
        &n, why);
    if (!err && !n)
        err = err_set(why, ERR_PRECONDITION, "somebody else changed the collector meanwhile");
    return err;
}

/* One write with its entry in the ledger. */
static enum err write_it(struct acquire *a, const struct ops_identity *who, const char *act,
                         const struct collector *c, int64_t revision, struct arena *arena,
                         struct why *why)
{
    struct store_tx *tx = NULL;
    char *id = str_z(arena, c->id);
    enum err err = store_begin(a->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    if (!strcmp(act, "acquire.create")) {
        err = insert(tx, c, why);
    } else if (!strcmp(act, "acquire.remove")) {
        err = store_exec(tx, "DELETE FROM acquire_collectors WHERE id = ?",
                         STORE_ARGS(SV_STR(c->id)), NULL, why);
        if (!err)
            err = store_exec(tx, "DELETE FROM acquire_pages WHERE collector = ?",
                             STORE_ARGS(SV_STR(c->id)), NULL, why);
    } else {
        err = update(tx, c, revision, why);
        if (!err && !strcmp(act, "acquire.reset"))
            err = store_exec(tx, "DELETE FROM acquire_pages WHERE collector = ?",
                             STORE_ARGS(SV_STR(c->id)), NULL, why);
    }
    if (!err)
        err = ops_audit(tx, who, act, id, "ok", detail_of(c, arena), why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

enum err acquire_create(struct acquire *a, const struct ops_identity *who, const struct json *body,
                        struct arena *arena, struct json_out *out, struct why *why)
{
    struct collector c;
    struct str secret = STR_NONE;
    char *id = arena_bytes(arena, UUID_TEXT);
    enum err err = ops_need(who, "data.write", why);
    if (!err && !id)
        err = err_set(why, ERR_NO_MEMORY, "could not make a collector");
    if (!err)
        err = collector_read(a, who, body, NULL, arena, &c, &secret, why);
    if (err)
        return err;
    c.id = str_c(uuid7(id));
    c.owner = ops_actor(who, arena);
    c.created_ms = c.changed_ms = time_now_ms();
    c.revision = 1;
    err = seal(a, &c, secret, arena, why);
    if (!err)
        err = write_it(a, who, "acquire.create", &c, -1, arena, why);
    if (!err)
        collector_json(a, &c, arena, out);
    return err;
}

enum err acquire_change(struct acquire *a, const struct ops_identity *who, struct str name,
                        const struct json *body, int64_t revision, struct arena *arena,
                        struct json_out *out, struct why *why)
{
    struct collector base, c;
    struct str secret = STR_NONE;
    enum err err = ops_need(who, "data.write", why);
    if (!err)
        err = collector_find(a, who, name, arena, &base, why);
    if (!err)
        err = collector_read(a, who, body, &base, arena, &c, &secret, why);
    if (err)
        return err;
    c.owner = ops_actor(who, arena);
    if (!str_eq(c.dataset, base.dataset)) /* another set has nothing of what was read */
        c.state = STR("");
    if (secret.ptr)
        err = seal(a, &c, secret, arena, why);
    if (!err)
        err = write_it(a, who, "acquire.change", &c, revision, arena, why);
    return err ? err : acquire_show_json(a, who, c.id, NULL, arena, out, why);
}

enum err acquire_remove(struct acquire *a, const struct ops_identity *who, struct str name,
                        struct why *why)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    struct collector c;
    enum err err = arena ? ops_need(who, "data.write", why)
                         : err_set(why, ERR_NO_MEMORY, "could not remove the collector");
    if (!err)
        err = collector_find(a, who, name, arena, &c, why);
    if (!err)
        err = write_it(a, who, "acquire.remove", &c, -1, arena, why);
    arena_free(arena);
    return err;
}

enum err acquire_reset(struct acquire *a, const struct ops_identity *who, struct str name,
                       struct arena *arena, struct json_out *out, struct why *why)
{
    struct collector c;
    enum err err = ops_need(who, "data.write", why);
    if (!err)
        err = collector_find(a, who, name, arena, &c, why);
    if (err)
        return err;
    c.state = STR("");
    err = write_it(a, who, "acquire.reset", &c, -1, arena, why);
    return err ? err : acquire_show_json(a, who, c.id, NULL, arena, out, why);
}
