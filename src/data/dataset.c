#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "core/utf8.h"
#include "data/lineage.h"
#include "data/room.h"

#define MOST_MANIFEST ((size_t)512 << 20)
#define MOST_CARD     ((size_t)64 << 10)

#define SET_COLUMNS   "id, tenant, name, title, kind, latest, revision, card, access, created_ms"

static void set_of_row(const struct store_rows *rows, size_t i, struct dataset *out)
{
    *out = (struct dataset){.id = store_str(rows, i, 0),
                            .tenant = store_str(rows, i, 1),
                            .name = store_str(rows, i, 2),
                            .title = store_str(rows, i, 3),
                            .latest = store_int(rows, i, 5),
                            .revision = store_int(rows, i, 6),
                            .card = store_str(rows, i, 7),
                            .access = (enum ops_class)store_int(rows, i, 8),
                            .created_ms = store_int(rows, i, 9)};
    if (!record_kind_parse(store_str(rows, i, 4), &out->kind))
        out->kind = RECORD_TEXT;
}

static bool may_see(const struct ops_identity *who, const struct dataset *set)
{
    return (unsigned)set->access < 64 && (who->classes >> set->access & 1);
}

static enum err no_set(struct str name, struct why *why)
{
    return err_set(why, ERR_NOT_FOUND, "there is no data set \"%.*s\"", SHOW(name));
}

enum err dataset_find(struct data *data, const struct ops_identity *who, struct str name,
                      struct arena *arena, struct dataset *out, struct why *why)
{
    struct store_rows rows;
    struct dataset set;
    if (utf8_invalid(name) != STR_NPOS)
        return no_set(STR("?"), why);
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(data->opts.store,
                        "SELECT " SET_COLUMNS " FROM data_sets WHERE tenant = ? AND name = ?",
                        STORE_ARGS(SV_STR(who->tenant), SV_STR(name)), arena, &rows, why);
    if (err)
        return err;
    if (!rows.n_rows)
        return no_set(name, why);
    set_of_row(&rows, 0, &set);
    if (!may_see(who, &set))
        return no_set(name, why);
    *out = set;
    return ERR_OK;
}

/* With what is asked for and may be seen: the arguments are those of fits_args(). */
#define FITS                                                                                       \
    " FROM data_sets LEFT JOIN (SELECT set_id AS of_set, number AS of_number, n_records, n_bytes," \
    " state FROM data_versions) v ON v.of_set = data_sets.id AND v.of_number = latest"             \
    " WHERE tenant = ? AND access IN (?, ?, ?, ?) AND (? = '' OR kind = ?)"                        \
    " AND (? = '' OR COALESCE(v.state, 'empty') = ?)"                                              \
    " AND (? = '' OR LOWER(name) LIKE LOWER(?) OR LOWER(title) LIKE LOWER(?)"                      \
    " OR LOWER(card) LIKE LOWER(?))"
#define N_FITS 13

static void fits_args(const struct ops_identity *who, const struct data_sets_ask *ask,
                      struct str like, struct store_value out[N_FITS])
{
    const struct store_value args[N_FITS] = {SV_STR(who->tenant),
                                             SV_INT(who->classes & 1 ? 0 : -1),
                                             SV_INT(who->classes & 2 ? 1 : -1),
                                             SV_INT(who->classes & 4 ? 2 : -1),
                                             SV_INT(who->classes & 8 ? 3 : -1),
                                             SV_STR(ask->kind),
                                             SV_STR(ask->kind),
                                             SV_STR(ask->state),
                                             SV_STR(ask->state),
                                             SV_STR(ask->find),
                                             SV_STR(like),
                                             SV_STR(like),
                                             SV_STR(like)};
    memcpy(out, args, sizeof args);
}

static enum err list_page(struct data *data, const struct ops_identity *who,
                          const struct data_sets_ask *ask, struct arena *arena,
                          struct store_rows *rows, struct store_rows *sums, struct why *why)
{
    struct store_value args[N_FITS + 3];
    struct str like = str_printf(arena, "%%%.*s%%", STR_FMT(ask->find));
    if (!like.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not list the data sets");
    fits_args(who, ask, like, args);
    args[N_FITS] = args[N_FITS + 1] = SV_STR(ask->after);
    args[N_FITS + 2] = SV_INT((int64_t)ask->limit);
    enum err err = store_ask(data->opts.store,
                             "SELECT " SET_COLUMNS ", COALESCE(v.n_records, 0),"
                             " COALESCE(v.n_bytes, 0), COALESCE(v.state, 'empty')" FITS
                             " AND (? = '' OR id < ?) ORDER BY id DESC LIMIT ?",
                             (struct store_args){args, N_FITS + 3}, arena, rows, why);
    return err ? err
               : store_ask(data->opts.store,
                           "SELECT COUNT(*), CAST(COALESCE(SUM(v.n_records), 0) AS BIGINT),"
                           " CAST(COALESCE(SUM(CASE WHEN v.state = 'withdrawn' THEN 1 ELSE 0 END),"
                           " 0) AS BIGINT)" FITS,
                           (struct store_args){args, N_FITS}, arena, sums, why);
}

enum err dataset_list(struct data *data, const struct ops_identity *who,
                      const struct data_sets_ask *ask, struct arena *arena,
                      struct dataset_listed **out, size_t *n, struct dataset_sums *sums,
                      struct why *why)
{
    struct store_rows rows, totals;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = list_page(data, who, ask, arena, &rows, &totals, why);
    if (err)
        return err;
    struct dataset_listed *list = arena_array(arena, struct dataset_listed, rows.n_rows + 1);
    if (!list)
        return err_set(why, ERR_NO_MEMORY, "could not list the data sets");
    for (size_t i = 0; i < rows.n_rows; i++) {
        set_of_row(&rows, i, &list[i].set);
        list[i].n_records = store_int(&rows, i, 10);
        list[i].n_bytes = store_int(&rows, i, 11);
        list[i].state = store_str(&rows, i, 12);
    }
    *out = list;
    *n = rows.n_rows;
    *sums = (struct dataset_sums){store_int(&totals, 0, 0), store_int(&totals, 0, 1),
                                  store_int(&totals, 0, 2)};
    return ERR_OK;
}

enum err dataset_name_check(struct str name, struct why *why)
{
    bool good = name.len > 0 && utf8_invalid(name) == STR_NPOS && utf8_count(name) <= 60;
    for (size_t at = 0; good && at < name.len;) {
        uint32_t c = utf8_next(name, &at);
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '.' || utf8_is_han(c);
    }
    if (good)
        return ERR_OK;
    enum err err =
        err_set(why, ERR_INVALID, "\"%.*s\" cannot be the name of a data set", SHOW(name));
    err_hint(why, "1 to 60 lower-case letters, digits, '_', '-', '.' or Chinese characters");
    return err;
}

enum err dataset_make(struct store_tx *tx, const struct ops_identity *who, struct str name,
                      struct str title, enum record_kind kind, struct arena *arena,
                      struct dataset *out, struct why *why)
{
    struct store_rows rows;
    char *id = arena_bytes(arena, UUID_TEXT);
    enum err err = id ? dataset_name_check(name, why)
                      : err_set(why, ERR_NO_MEMORY, "could not make a data set");
    if (!err)
        err = store_query(tx, "SELECT " SET_COLUMNS " FROM data_sets WHERE tenant = ? AND name = ?",
                          STORE_ARGS(SV_STR(who->tenant), SV_STR(name)), arena, &rows, why);
    if (err)
        return err;
    if (rows.n_rows) {
        set_of_row(&rows, 0, out);
        if (!may_see(who, out))
            return err_set(why, ERR_FORBIDDEN, "there is a data set \"%.*s\" that is not yours",
                           SHOW(name));
        if (out->kind == kind)
            return ERR_OK;
        return err_set(why, ERR_CONFLICT, "the data set \"%.*s\" holds records of kind %s, not %s",
                       SHOW(name), record_kind_name(out->kind), record_kind_name(kind));
    }
    int64_t now = time_now_ms();
    *out = (struct dataset){.id = str_c(uuid7(id)),
                            .tenant = who->tenant,
                            .name = name,
                            .title = title.len ? title : name,
                            .kind = kind,
                            .revision = 1,
                            .card = STR("{}"),
                            .access = OPS_CLASS_STAFF,
                            .created_ms = now};
    err = store_exec(tx,
                     "INSERT INTO data_sets (id, tenant, name, title, kind, access, card, latest, "
                     "revision, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 1, ?, ?)",
                     STORE_ARGS(SV_STR(out->id), SV_STR(who->tenant), SV_STR(name),
                                SV_STR(out->title), SV_C(record_kind_name(kind)),
                                SV_INT(out->access), SV_STR(out->card), SV_INT(now), SV_INT(now)),
                     NULL, why);
    return err ? err : ops_audit(tx, who, "data.set.create", id, "ok", STR_NONE, why);
}

/* ---- versions ---- */

#define VERSION_COLUMNS                                                                            \
    "v.id, v.set_id, v.number, v.kind, v.manifest, v.state, v.run, v.n_records, v.n_bytes, "       \
    "v.created_ms, v.card, v.actor, s.name"

static void version_of_row(const struct store_rows *rows, size_t i, struct dataset_version *out)
{
    *out = (struct dataset_version){.id = store_str(rows, i, 0),
                                    .set = store_str(rows, i, 1),
                                    .number = store_int(rows, i, 2),
                                    .manifest = store_str(rows, i, 4),
                                    .state = store_str(rows, i, 5),
                                    .run = store_str(rows, i, 6),
                                    .n_records = store_int(rows, i, 7),
                                    .n_bytes = store_int(rows, i, 8),
                                    .created_ms = store_int(rows, i, 9),
                                    .card = store_str(rows, i, 10),
                                    .actor = store_str(rows, i, 11),
                                    .set_name = store_str(rows, i, 12)};
    if (!record_kind_parse(store_str(rows, i, 3), &out->kind))
        out->kind = RECORD_TEXT;
}

enum err dataset_version_find(struct data *data, const struct dataset *set, int64_t number,
                              struct arena *arena, struct dataset_version *out, struct why *why)
{
    struct store_rows rows;
    if (number == 0)
        number = set->latest;
    enum err err = store_ask(data->opts.store,
                             "SELECT " VERSION_COLUMNS " FROM data_versions v JOIN data_sets s ON "
                             "s.id = v.set_id WHERE v.set_id = ? AND v.number = ?",
                             STORE_ARGS(SV_STR(set->id), SV_INT(number)), arena, &rows, why);
    if (err)
        return err;
    if (!rows.n_rows && !set->latest)
        return err_set(why, ERR_NOT_FOUND, "the data set \"%.*s\" has no version yet",
                       SHOW(set->name));
    if (!rows.n_rows)
        return err_set(why, ERR_NOT_FOUND,
                       "the data set \"%.*s\" has no version %lld; the newest "
                       "is %lld",
                       SHOW(set->name), (long long)number, (long long)set->latest);
    version_of_row(&rows, 0, out);
    return ERR_OK;
}

enum err dataset_versions(struct data *data, const struct dataset *set, struct arena *arena,
                          struct dataset_version **out, size_t *n, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(data->opts.store,
                             "SELECT " VERSION_COLUMNS " FROM data_versions v JOIN data_sets s ON "
                             "s.id = v.set_id WHERE v.set_id = ? ORDER BY v.number DESC LIMIT 1000",
                             STORE_ARGS(SV_STR(set->id)), arena, &rows, why);
    if (err)
        return err;
    *out = arena_array(arena, struct dataset_version, rows.n_rows + 1);
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not list the versions");
    for (*n = 0; *n < rows.n_rows; (*n)++)
        version_of_row(&rows, *n, &(*out)[*n]);
    return ERR_OK;
}

enum err dataset_version_by_id(struct data *data, struct str id, struct arena *arena,
                               struct dataset_version *out, struct why *why)
{
    struct store_rows rows;
    enum err err = store_ask(data->opts.store,
                             "SELECT " VERSION_COLUMNS " FROM data_versions v JOIN data_sets s ON "
                             "s.id = v.set_id WHERE v.id = ?",
                             STORE_ARGS(SV_STR(id)), arena, &rows, why);
    if (err)
        return err;
    if (!rows.n_rows)
        return err_set(why, ERR_NOT_FOUND, "there is no version \"%.*s\"", SHOW(id));
    version_of_row(&rows, 0, out);
    return ERR_OK;
}

/* ---- manifests ---- */

enum err dataset_manifest(enum record_kind kind, const struct shard_info *shards, size_t n,
                          const struct shard_stats *sums, struct arena *arena, struct str *out,
                          struct why *why)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_int(&json, "format", 1);
    json_kv_c(&json, "kind", record_kind_name(kind));
    enum err err = shard_stats_json(sums, &json, why);
    json_key(&json, "shards");
    json_begin_array(&json);
    for (size_t i = 0; i < n; i++) {
        if (!shards[i].object.len && !shards[i].trail.len)
            continue;
        json_begin_object(&json);
        json_kv_str(&json, "object", shards[i].object);
        json_kv_int(&json, "n_records", shards[i].n_records);
        json_kv_int(&json, "n_bytes", shards[i].n_bytes);
        json_kv_str(&json, "trail", shards[i].trail);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    *out = buf_str(&buf);
    return err ? err : buf_err(&buf, why);
}

enum err dataset_manifest_read(struct data *data, const struct dataset_version *version,
                               struct arena *arena, const struct json **out, struct why *why)
{
    struct str text;
    char *name = str_z(arena, version->manifest);
    enum err err = name ? objects_get(data->opts.objects, name, MOST_MANIFEST, arena, &text, why)
                        : err_set(why, ERR_NO_MEMORY, "could not read a manifest");
    if (!err)
        err = json_parse(text, arena, out, why);
    if (!err && json_get_int(*out, "format", 0) != 1)
        err = err_set(why, ERR_CORRUPT, "the manifest of version %lld is of another format",
                      (long long)version->number);
    return err;
}

enum err dataset_shards(struct data *data, struct dataset_version *version, struct arena *arena,
                        struct why *why)
{
    const struct json *manifest;
    enum err err = dataset_manifest_read(data, version, arena, &manifest, why);
    const struct json *list = err ? NULL : json_get(manifest, "shards");
    size_t n = json_len(list);
    struct shard_info *shards = arena_array(arena, struct shard_info, n + 1);
    if (err)
        return err;
    if (!shards)
        return err_set(why, ERR_NO_MEMORY, "could not hold the shards");
    for (size_t i = 0; i < n; i++) {
        const struct json *s = json_at(list, i);
        shards[i] = (struct shard_info){.object = json_get_str(s, "object", STR("")),
                                        .trail = json_get_str(s, "trail", STR("")),
                                        .n_records = json_get_int(s, "n_records", 0),
                                        .n_bytes = json_get_int(s, "n_bytes", 0)};
    }
    version->shards = shards;
    version->n_shards = n;
    return ERR_OK;
}

enum err dataset_map(struct data *data, struct str object, struct arena *arena,
                     struct file_map *out, struct why *why)
{
    const char *path;
    char *name = str_z(arena, object);
    *out = (struct file_map){0};
    if (!object.len)
        return ERR_OK;
    enum err err = name ? objects_path(data->opts.objects, name, arena, &path, why)
                        : err_set(why, ERR_NO_MEMORY, "could not open a shard");
    return err ? err : file_map(path, out, why);
}

/* ---- a new version ---- */

/* Refuses what a withdrawn source is in. */
static enum err check_sources(struct store_tx *tx, const struct shard_stats *stats,
                              struct arena *arena, struct why *why)
{
    size_t at = 0;
    struct store_rows rows;
    enum err err = store_query(tx, "SELECT id, uri FROM data_sources WHERE state = 'withdrawn'",
                               STORE_NO_ARGS, arena, &rows, why);
    for (struct map_entry *e; !err && rows.n_rows && (e = map_each(&stats->sources, &at));)
        for (size_t i = 0; !err && i < rows.n_rows; i++)
            if (e->value.i && str_eq(e->key, store_str(&rows, i, 0))) {
                err = err_set(why, ERR_CONFLICT,
                              "the version would hold %lld records of the withdrawn source %.*s",
                              (long long)e->value.i, SHOW(store_str(&rows, i, 1)));
                err_hint(why, "begin the pipeline with drop_sources and its key %.*s",
                         STR_FMT(e->key));
            }
    return err;
}

static enum err put_contents(struct store_tx *tx, struct str version,
                             const struct shard_stats *stats, struct why *why)
{
    size_t at = 0;
    enum err err = ERR_OK;
    for (struct map_entry *e; !err && (e = map_each(&stats->sources, &at));)
        if (e->value.i)
            err = store_exec(
                tx, "INSERT INTO data_contents (version, source, n_records) VALUES (?, ?, ?)",
                STORE_ARGS(SV_STR(version), SV_STR(e->key), SV_INT(e->value.i)), NULL, why);
    return err;
}

static enum err put_run(struct store_tx *tx, const struct ops_identity *who,
                        const struct run_form *run, struct str version, struct arena *arena,
                        struct why *why)
{
    enum err err = store_exec(
        tx,
        "INSERT INTO data_runs (id, tenant, kind, spec, counts, actor, ended_ms) VALUES "
        "(?, ?, ?, ?, ?, ?, ?)",
        STORE_ARGS(SV_STR(run->id), SV_STR(who->tenant), SV_C(run->kind), SV_STR(run->spec),
                   SV_STR(run->counts), SV_STR(ops_actor(who, arena)), SV_INT(time_now_ms())),
        NULL, why);
    for (size_t i = 0; !err && i < run->n_inputs; i++)
        err = data_edge(tx, who->tenant, "version", run->inputs[i].id, "run", run->id, why);
    return err ? err : data_edge(tx, who->tenant, "run", run->id, "version", version, why);
}

static enum err audit(struct store_tx *tx, const struct ops_identity *who,
                      const struct dataset *set, const struct dataset_version *v,
                      const struct run_form *run, struct arena *arena, struct why *why)
{
    struct buf buf;
    struct json_out out;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "dataset", set->name);
    json_kv_int(&out, "number", v->number);
    json_kv_str(&out, "manifest", v->manifest);
    json_kv_int(&out, "n_records", v->n_records);
    json_kv_c(&out, "made_by", run->kind);
    json_kv_str(&out, "run", run->id);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    char *id = str_z(arena, v->id);
    return err ? err : ops_audit(tx, who, "data.version.create", id, "ok", buf_str(&buf), why);
}

static enum err insert_version(struct store_tx *tx, const struct ops_identity *who,
                               struct dataset *set, struct dataset_version *v, struct arena *arena,
                               struct why *why)
{
    enum err err = store_exec(
        tx,
        "INSERT INTO data_versions (id, set_id, number, kind, manifest, state, run, n_records, "
        "n_bytes, card, actor, created_ms) VALUES (?, ?, ?, ?, ?, 'ready', ?, ?, ?, ?, ?, ?)",
        STORE_ARGS(SV_STR(v->id), SV_STR(set->id), SV_INT(v->number),
                   SV_C(record_kind_name(v->kind)), SV_STR(v->manifest), SV_STR(v->run),
                   SV_INT(v->n_records), SV_INT(v->n_bytes), SV_STR(v->card),
                   SV_STR(ops_actor(who, arena)), SV_INT(v->created_ms)),
        NULL, why);
    return err ? err
               : store_exec(tx,
                            "UPDATE data_sets SET latest = ?, updated_ms = ?, card = ?, revision = "
                            "revision + 1 WHERE id = ?",
                            STORE_ARGS(SV_INT(v->number), SV_INT(v->created_ms), SV_STR(v->card),
                                       SV_STR(set->id)),
                            NULL, why);
}

struct publish {
    struct data *data;
    const struct ops_identity *who;
    struct str name, title, card, manifest;
    enum record_kind kind;
    const struct shard_stats *stats;
    const struct run_form *run;
    enum err (*before)(struct store_tx *tx, void *ctx, struct why *why);
    void *ctx;
    struct arena *arena;
};

/* What people wrote stays. */
static struct str card_of(const struct dataset *set, const struct run_form *run)
{
    return run->card.len && str_eq_c(set->card, "{}") ? run->card : set->card;
}

static enum err publish_in(struct store_tx *tx, struct publish *p, struct dataset_version *out,
                           struct why *why)
{
    struct store_rows rows;
    struct dataset set;
    enum err err = store_query(tx,
                               "SELECT " VERSION_COLUMNS " FROM data_versions v JOIN data_sets s "
                               "ON s.id = v.set_id WHERE v.run = ?",
                               STORE_ARGS(SV_STR(p->run->id)), p->arena, &rows, why);
    if (!err && rows.n_rows) { /* committed, and then killed before it could say so */
        version_of_row(&rows, 0, out);
        return ERR_OK;
    }
    if (!err)
        err = dataset_make(tx, p->who, p->name, p->title, p->kind, p->arena, &set, why);
    if (!err && p->before)
        err = p->before(tx, p->ctx, why);
    if (!err)
        err = check_sources(tx, p->stats, p->arena, why);
    char *id = arena_bytes(p->arena, UUID_TEXT);
    if (!err && !id)
        err = err_set(why, ERR_NO_MEMORY, "could not make a version");
    if (err)
        return err;
    *out = (struct dataset_version){.id = str_c(uuid7(id)),
                                    .set = set.id,
                                    .set_name = set.name,
                                    .number = set.latest + 1,
                                    .kind = p->kind,
                                    .manifest = p->manifest,
                                    .state = STR("ready"),
                                    .run = p->run->id,
                                    .card = p->card.len ? p->card : card_of(&set, p->run),
                                    .n_records = p->stats->n_records,
                                    .n_bytes = p->stats->n_bytes,
                                    .created_ms = time_now_ms()};
    err = insert_version(tx, p->who, &set, out, p->arena, why);
    if (!err)
        err = put_contents(tx, out->id, p->stats, why);
    if (!err)
        err = put_run(tx, p->who, p->run, out->id, p->arena, why);
    return err ? err : audit(tx, p->who, &set, out, p->run, p->arena, why);
}

enum err dataset_publish(struct data *data, const struct ops_identity *who, struct str name,
                         struct str title, enum record_kind kind, struct str card,
                         const struct shard_info *shards, size_t n_shards,
                         const struct shard_stats *stats, const struct run_form *run,
                         enum err (*before)(struct store_tx *tx, void *ctx, struct why *why),
                         void *ctx, struct arena *arena, struct dataset_version *out,
                         struct why *why)
{
    char *object = arena_bytes(arena, HASH_TEXT);
    struct publish p = {data, who,   name, title,  card, STR_NONE,
                        kind, stats, run,  before, ctx,  arena};
    struct store_tx *tx = NULL;
    struct str text;
    enum err err = object ? dataset_manifest(kind, shards, n_shards, stats, arena, &text, why)
                          : err_set(why, ERR_NO_MEMORY, "could not write the manifest");
    if (!err && card.len > MOST_CARD)
        err = err_set(why, ERR_TOO_LARGE, "a card of %zu bytes; at most %zu", card.len, MOST_CARD);
    if (!err)
        err = objects_put(data->opts.objects, text, object, why);
    p.manifest = str_c(object);
    if (!err)
        err = store_begin(data->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = publish_in(tx, &p, out, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}
