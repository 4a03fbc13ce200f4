/* data/saved - pipelines kept under a name, to be opened, changed and run again. */
#include <string.h>

#include "core/arena.h"
#include "core/time.h"
#include "core/utf8.h"
#include "data/pipeline.h"
#include "data/room.h"

#define MOST_SPEC  ((size_t)256 << 10)
#define MOST_SAVED 1000 /* of a tenant */

struct saved {
    struct str id, name, note, spec;
};

static enum err read_spec(const struct json *given, struct arena *arena, struct str *out,
                          struct why *why)
{
    const struct json *spec = given;
    enum err err = ERR_OK;
    if (json_kind(given) == JSON_KIND_STRING)
        err = pipeline_text(json_str(given, STR("")), arena, &spec, why);
    if (!err && json_kind(spec) != JSON_KIND_OBJECT)
        err = err_set(why, ERR_INVALID, "\"spec\" is a pipeline, as JSON or as text");
    if (!err)
        err = json_dump(spec, arena, out, why);
    if (!err && out->len > MOST_SPEC)
        err = err_set(why, ERR_TOO_LARGE, "a pipeline has at most %zu KiB", MOST_SPEC >> 10);
    return err;
}

static enum err read_saved(const struct json *body, struct arena *arena, struct saved *out,
                           struct why *why)
{
    out->name = str_trim_space(json_get_str(body, "name", STR("")));
    out->note = json_get_str(body, "note", STR(""));
    if (!out->name.len || utf8_count(out->name) > 100)
        return err_set(why, ERR_INVALID, "\"name\" has 1 to 100 characters");
    if (out->note.len > 4000)
        return err_set(why, ERR_INVALID, "\"note\" has at most 4000 bytes");
    return read_spec(json_get(body, "spec"), arena, &out->spec, why);
}

static enum err insert(struct store_tx *tx, const struct ops_identity *who,
                       const struct saved *saved, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    int64_t now = time_now_ms(), made = 0;
    enum err err = store_query(tx, "SELECT COUNT(*) FROM data_pipelines WHERE tenant = ?",
                               STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    if (!err && store_int(&rows, 0, 0) >= MOST_SAVED)
        return err_set(why, ERR_TOO_LARGE, "at most %d pipelines are kept", MOST_SAVED);
    if (!err)
        err = store_exec(tx,
                         "INSERT INTO data_pipelines (id, tenant, name, note, spec, revision, "
                         "actor, created_ms, updated_ms) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) ON "
                         "CONFLICT (tenant, name) DO NOTHING",
                         STORE_ARGS(SV_STR(saved->id), SV_STR(who->tenant), SV_STR(saved->name),
                                    SV_STR(saved->note), SV_STR(saved->spec),
                                    SV_STR(ops_actor(who, arena)), SV_INT(now), SV_INT(now)),
                         &made, why);
    if (!err && !made)
        err = err_set(why, ERR_CONFLICT, "there is a pipeline \"%.*s\" already", SHOW(saved->name));
    return err;
}

static enum err is_there(struct store_tx *tx, const struct ops_identity *who, struct str id,
                         int64_t revision, struct arena *arena, struct why *why)
{
    struct store_rows rows;
    enum err err =
        store_query(tx, "SELECT revision FROM data_pipelines WHERE id = ? AND tenant = ?",
                    STORE_ARGS(SV_STR(id), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && !rows.n_rows)
        return err_set(why, ERR_NOT_FOUND, "there is no pipeline \"%.*s\"", SHOW(id));
    if (!err && revision >= 0 && store_int(&rows, 0, 0) != revision)
        err = err_set(why, ERR_PRECONDITION, "somebody else changed the pipeline in the meantime");
    return err;
}

static enum err update(struct store_tx *tx, const struct ops_identity *who,
                       const struct saved *saved, int64_t revision, struct arena *arena,
                       struct why *why)
{
    struct store_rows rows;
    enum err err = is_there(tx, who, saved->id, revision, arena, why);
    if (!err)
        err = store_query(tx,
                          "SELECT id FROM data_pipelines WHERE tenant = ? AND name = ? AND id <> ?",
                          STORE_ARGS(SV_STR(who->tenant), SV_STR(saved->name), SV_STR(saved->id)),
                          arena, &rows, why);
    if (!err && rows.n_rows)
        err = err_set(why, ERR_CONFLICT, "there is a pipeline \"%.*s\" already", SHOW(saved->name));
    if (!err)
        err = store_exec(tx,
                         "UPDATE data_pipelines SET name = ?, note = ?, spec = ?, revision = "
                         "revision + 1, actor = ?, updated_ms = ? WHERE id = ?",
                         STORE_ARGS(SV_STR(saved->name), SV_STR(saved->note), SV_STR(saved->spec),
                                    SV_STR(ops_actor(who, arena)), SV_INT(time_now_ms()),
                                    SV_STR(saved->id)),
                         NULL, why);
    return err;
}

enum err data_pipeline_save(struct data *data, const struct ops_identity *who, struct str id,
                            const struct json *body, int64_t revision, struct arena *arena,
                            struct str *out, struct why *why)
{
    struct saved saved = {.id = id};
    struct store_tx *tx = NULL;
    char fresh[UUID_TEXT];
    enum err err = ops_need(who, "data.write", why);
    if (!err)
        err = read_saved(body, arena, &saved, why);
    if (!id.len)
        saved.id = str_copy(arena, str_c(uuid7(fresh)));
    char *object = str_z(arena, saved.id);
    if (!err && (!saved.id.ptr || !object))
        err = err_set(why, ERR_NO_MEMORY, "could not keep the pipeline");
    if (!err)
        err = store_begin(data->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = id.len ? update(tx, who, &saved, revision, arena, why)
                 : insert(tx, who, &saved, arena, why);
    if (!err)
        err = ops_audit(tx, who, id.len ? "data.pipeline.change" : "data.pipeline.make", object,
                        "ok", saved.spec.len < 8000 ? saved.spec : STR_NONE, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    *out = saved.id;
    return store_commit(tx, why);
}

enum err data_pipeline_remove(struct data *data, const struct ops_identity *who, struct str id,
                              int64_t revision, struct arena *arena, struct why *why)
{
    struct store_tx *tx = NULL;
    char *object = str_z(arena, id);
    enum err err = object ? ops_need(who, "data.write", why)
                          : err_set(why, ERR_NO_MEMORY, "could not remove the pipeline");
    if (!err)
        err = store_begin(data->opts.store, STORE_WRITE, &tx, why);
    if (err)
        return err;
    err = is_there(tx, who, id, revision, arena, why);
    if (!err)
        err = store_exec(tx, "DELETE FROM data_pipelines WHERE id = ?", STORE_ARGS(SV_STR(id)),
                         NULL, why);
    if (!err)
        err = ops_audit(tx, who, "data.pipeline.remove", object, "ok", STR_NONE, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

/* ---- showing ---- */

#define COLUMNS "id, name, note, revision, actor, created_ms, updated_ms, spec"

/* The members of the object that is open; the names of inputs and output in place of the spec. */
static void put_saved(struct data *data, const struct store_rows *rows, size_t i,
                      const struct json *spec, struct arena *arena, struct json_out *out)
{
    const struct json *inputs = json_get(spec, "inputs"), *input = json_get(spec, "input");
    json_kv_str(out, "id", store_str(rows, i, 0));
    json_kv_str(out, "name", store_str(rows, i, 1));
    json_kv_str(out, "note", store_str(rows, i, 2));
    json_kv_int(out, "revision", store_int(rows, i, 3));
    json_kv_str(out, "actor", store_str(rows, i, 4));
    json_kv_str(out, "actor_name", ops_actor_name(data->opts.ops, store_str(rows, i, 4), arena));
    json_kv_time(out, "created_at", store_int(rows, i, 5));
    json_kv_time(out, "updated_at", store_int(rows, i, 6));
    json_kv_int(out, "n_steps", (int64_t)json_len(json_get(spec, "steps")));
    json_kv_str(out, "output", json_get_str(json_get(spec, "output"), "dataset", STR("")));
    json_key(out, "inputs");
    json_begin_array(out);
    if (input)
        json_put_str(out, json_get_str(input, "dataset", STR("")));
    for (size_t k = 0; k < json_len(inputs); k++)
        json_put_str(out, json_get_str(json_at(inputs, k), "dataset", STR("")));
    json_end_array(out);
}

enum err data_pipelines_json(struct data *data, const struct ops_identity *who, struct arena *arena,
                             struct json_out *out, struct why *why)
{
    struct store_rows rows;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(data->opts.store,
                        "SELECT " COLUMNS " FROM data_pipelines WHERE tenant = ? ORDER BY "
                        "updated_ms DESC, id",
                        STORE_ARGS(SV_STR(who->tenant)), arena, &rows, why);
    if (err)
        return err;
    json_begin_items(out);
    for (size_t i = 0; !err && i < rows.n_rows; i++) {
        const struct json *spec = NULL;
        err = json_parse(store_str(&rows, i, 7), arena, &spec, why);
        json_begin_object(out);
        put_saved(data, &rows, i, spec, arena, out);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return err;
}

enum err data_pipeline_json(struct data *data, const struct ops_identity *who, struct str id,
                            struct arena *arena, struct json_out *out, int64_t *revision,
                            struct why *why)
{
    struct store_rows rows;
    const struct json *spec = NULL;
    enum err err = ops_need(who, "data.read", why);
    if (!err)
        err = store_ask(data->opts.store,
                        "SELECT " COLUMNS " FROM data_pipelines WHERE id = ? AND tenant = ?",
                        STORE_ARGS(SV_STR(id), SV_STR(who->tenant)), arena, &rows, why);
    if (!err && !rows.n_rows)
        err = err_set(why, ERR_NOT_FOUND, "there is no pipeline \"%.*s\"", SHOW(id));
    if (!err)
        err = json_parse(store_str(&rows, 0, 7), arena, &spec, why);
    if (err)
        return err;
    *revision = store_int(&rows, 0, 3);
    json_begin_object(out);
    put_saved(data, &rows, 0, spec, arena, out);
    json_key(out, "spec");
    json_put_value(out, spec);
    json_end_object(out);
    return ERR_OK;
}
