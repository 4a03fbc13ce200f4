/* data/dataset_json - data sets and versions as the routes and the command show them. */
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"
#include "data/room.h"

static const char *const classes[] = {"public", "staff", "department", "restricted"};

static void put_set(const struct dataset *set, int64_t n_records, int64_t n_bytes, struct str state,
                    struct json_out *out)
{
    json_kv_str(out, "id", set->id);
    json_kv_str(out, "name", set->name);
    json_kv_str(out, "title", set->title);
    json_kv_c(out, "kind", record_kind_name(set->kind));
    json_kv_c(out, "access", classes[set->access & 3]);
    json_kv_int(out, "latest", set->latest);
    json_kv_int(out, "revision", set->revision);
    json_kv_int(out, "n_records", n_records);
    json_kv_int(out, "n_bytes", n_bytes);
    json_kv_str(out, "state", state);
    json_kv_time(out, "created_at", set->created_ms);
    json_kv_raw(out, "card", set->card);
}

static void put_version(const struct dataset_version *v, struct json_out *out)
{
    json_kv_str(out, "id", v->id);
    json_kv_str(out, "dataset", v->set_name);
    json_kv_int(out, "number", v->number);
    json_kv_c(out, "kind", record_kind_name(v->kind));
    json_kv_str(out, "state", v->state);
    json_kv_str(out, "manifest", v->manifest);
    json_kv_str(out, "run", v->run);
    json_kv_int(out, "n_records", v->n_records);
    json_kv_int(out, "n_bytes", v->n_bytes);
    json_kv_str(out, "actor", v->actor);
    json_kv_time(out, "created_at", v->created_ms);
}

enum err data_sets_json(struct data *data, const struct ops_identity *who,
                        const struct data_sets_ask *ask, struct arena *arena, struct json_out *out,
                        struct why *why)
{
    struct dataset_listed *sets;
    struct dataset_sums sums;
    size_t n;
    enum err err = dataset_list(data, who, ask, arena, &sets, &n, &sums, why);
    if (err)
        return err;
    json_begin_object(out);
    json_kv_int(out, "n", sums.n);
    json_kv_int(out, "n_records", sums.n_records);
    json_kv_int(out, "n_withdrawn", sums.n_withdrawn);
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        put_set(&sets[i].set, sets[i].n_records, sets[i].n_bytes, sets[i].state, out);
        json_end_object(out);
    }
    json_end_items(out, n == ask->limit && n ? sets[n - 1].set.id : STR(""));
    return ERR_OK;
}

enum err data_set_json(struct data *data, const struct ops_identity *who, struct str name,
                       struct arena *arena, struct json_out *out, struct why *why)
{
    struct dataset set;
    struct dataset_version *versions = NULL;
    size_t n = 0;
    enum err err = dataset_find(data, who, name, arena, &set, why);
    if (!err)
        err = dataset_versions(data, &set, arena, &versions, &n, why);
    if (err)
        return err;
    json_begin_object(out);
    put_set(&set, n ? versions[0].n_records : 0, n ? versions[0].n_bytes : 0,
            n ? versions[0].state : STR("empty"), out);
    json_key(out, "versions");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        put_version(&versions[i], out);
        json_end_object(out);
    }
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

/* The run that made it: its kind, its spec and what it counted. */
static enum err put_run(struct data *data, const struct dataset_version *v, struct arena *arena,
                        struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_ask(data->opts.store, "SELECT kind, spec, counts FROM data_runs WHERE id = ?",
                  STORE_ARGS(SV_STR(v->run)), arena, &rows, why);
    if (err || !rows.n_rows)
        return err;
    json_kv_str(out, "made_by", store_str(&rows, 0, 0));
    json_kv_raw(out, "spec", store_str(&rows, 0, 1));
    json_kv_raw(out, "counts", store_str(&rows, 0, 2));
    return ERR_OK;
}

enum err data_version_json(struct data *data, const struct ops_identity *who, struct str name,
                           int64_t number, struct arena *arena, struct json_out *out,
                           struct why *why)
{
    struct dataset set;
    struct dataset_version v;
    const struct json *manifest = NULL;
    enum err err = dataset_find(data, who, name, arena, &set, why);
    if (!err)
        err = dataset_version_find(data, &set, number, arena, &v, why);
    if (!err)
        err = dataset_manifest_read(data, &v, arena, &manifest, why);
    if (err)
        return err;
    json_begin_object(out);
    put_version(&v, out);
    json_key(out, "schema");
    json_put_value(out, json_get(manifest, "schema"));
    json_key(out, "splits");
    json_put_value(out, json_get(manifest, "splits"));
    json_kv_int(out, "n_sources", (int64_t)json_len(json_get(manifest, "sources")));
    json_key(out, "shards");
    json_put_value(out, json_get(manifest, "shards"));
    json_kv_raw(out, "card", v.card);
    err = put_run(data, &v, arena, out, why);
    json_end_object(out);
    return err;
}

/* ---- changing ---- */

static enum err read_access(const struct json *change, enum ops_class *out, struct why *why)
{
    struct str given = json_get_str(change, "access", STR(""));
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (str_eq_c(given, classes[i])) {
            *out = (enum ops_class)i;
            return ERR_OK;
        }
    return err_set(why, ERR_INVALID, "\"access\" is public, staff, department or restricted");
}

static enum err read_change(const struct json *change, struct dataset *set, struct arena *arena,
                            struct why *why)
{
    void *iter = NULL;
    struct str key;
    const struct json *value;
    enum err err = json_kind(change) == JSON_KIND_OBJECT
                       ? ERR_OK
                       : err_set(why, ERR_INVALID, "a change is a JSON object");
    while (!err && json_each(change, &iter, &key, &value)) {
        if (str_eq_c(key, "title")) {
            set->title = json_str(value, STR(""));
            if (!set->title.len || utf8_count(set->title) > 200)
                err = err_set(why, ERR_INVALID, "\"title\" has 1 to 200 characters");
        } else if (str_eq_c(key, "access")) {
            err = read_access(change, &set->access, why);
        } else if (str_eq_c(key, "card")) {
            err = json_kind(value) == JSON_KIND_OBJECT
                      ? json_dump(value, arena, &set->card, why)
                      : err_set(why, ERR_INVALID, "\"card\" is a JSON object");
            if (!err && set->card.len > (64u << 10))
                err = err_set(why, ERR_TOO_LARGE, "a card has at most 64 KiB");
        } else {
            err =
                err_set(why, ERR_INVALID, "a data set has no member \"%.*s\" to change", SHOW(key));
        }
    }
    return err;
}

static enum err write_change(struct store_tx *tx, const struct ops_identity *who,
                             const struct dataset *set, int64_t revision, struct arena *arena,
                             struct why *why)
{
    int64_t changed = 0;
    enum err err = store_exec(
        tx,
        "UPDATE data_sets SET title = ?, access = ?, card = ?, revision = revision + 1, "
        "updated_ms = ? WHERE id = ? AND (? < 0 OR revision = ?)",
        STORE_ARGS(SV_STR(set->title), SV_INT(set->access), SV_STR(set->card),
                   SV_INT(time_now_ms()), SV_STR(set->id), SV_INT(revision), SV_INT(revision)),
        &changed, why);
    if (!err && !changed)
        err = err_set(why, ERR_PRECONDITION, "somebody else changed the data set in the meantime");
    struct str detail =
        str_printf(arena, "{\"access\":\"%s\",\"card\":%.*s}", classes[set->access & 3],
                   (int)(set->card.len < 8000 ? set->card.len : 0), set->card.ptr);
    if (set->card.len >= 8000)
        detail = STR_NONE;
    char *id = str_z(arena, set->id);
    return err ? err : ops_audit(tx, who, "data.set.change", id, "ok", detail, why);
}

enum err data_set_change(struct data *data, const struct ops_identity *who, struct str name,
                         const struct json *change, int64_t revision, struct why *why)
{
    struct arena *arena = arena_new((size_t)4 << 20);
    struct dataset set;
    struct store_tx *tx = NULL;
    enum err err = arena ? ops_need(who, "data.manage", why)
                         : err_set(why, ERR_NO_MEMORY, "could not change the data set");
    if (!err)
        err = dataset_find(data, who, name, arena, &set, why);
    if (!err)
        err = read_change(change, &set, arena, why);
    if (!err)
        err = store_begin(data->opts.store, STORE_WRITE, &tx, why);
    if (!err) {
        err = write_change(tx, who, &set, revision, arena, why);
        if (err)
            store_rollback(tx);
        else
            err = store_commit(tx, why);
    }
    arena_free(arena);
    return err;
}
