/* data/data_http - the routes of data sets, pipelines, operators, sources and lineage. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/pipeline.h"
#include "data/room.h"
#include "http/http.h"

#define BODY   ((size_t)1 << 20)
#define UPLOAD ((size_t)2 << 30)
#define EXPORT ((int64_t)2 << 30)

static struct data *room(struct http_request *req)
{
    return http_ctx(req);
}

static enum err list_sets(struct http_request *req, struct http_response *res, struct why *why)
{
    struct data_sets_ask ask = {http_param(req, "find"), http_param(req, "kind"),
                                http_param(req, "state"), http_param(req, "after"),
                                http_param_limit(req, 100, 1000)};
    return data_sets_json(room(req), http_identity(req), &ask, http_arena(req), http_json(res),
                          why);
}

/* With the ETag that a change is made against. */
static enum err show_set(struct http_request *req, struct http_response *res, struct why *why)
{
    struct dataset set;
    char tag[40];
    enum err err = dataset_find(room(req), http_identity(req), http_param(req, "name"),
                                http_arena(req), &set, why);
    if (err)
        return err;
    (void)snprintf(tag, sizeof tag, "\"%lld\"", (long long)set.revision);
    http_set_header(res, "ETag", tag);
    return data_set_json(room(req), http_identity(req), set.name, http_arena(req), http_json(res),
                         why);
}

/* -1 without If-Match. */
static enum err read_tag(struct http_request *req, int64_t *revision, struct why *why)
{
    struct str tag = str_trim(http_header(req, "If-Match"));
    *revision = -1;
    if (tag.len > 2 && tag.ptr[0] == '"' && !str_to_i64(str_slice(tag, 1, tag.len - 1), revision))
        return err_set(why, ERR_PRECONDITION, "If-Match does not hold an ETag of what is changed");
    return ERR_OK;
}

static enum err patch_set(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    int64_t revision;
    enum err err = read_tag(req, &revision, why);
    if (!err)
        err = http_body_json(req, &body, why);
    if (!err)
        err = data_set_change(room(req), http_identity(req), http_param(req, "name"), body,
                              revision, why);
    return err ? err : show_set(req, res, why);
}

static enum err show_version(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_version_json(room(req), http_identity(req), http_param(req, "name"),
                             http_param_int(req, "number", 0), http_arena(req), http_json(res),
                             why);
}

static enum err list_records(struct http_request *req, struct http_response *res, struct why *why)
{
    struct data_look look = {.version = http_param_int(req, "version", 0),
                             .from = http_param_int(req, "from", 0),
                             .n = http_param_limit(req, 20, 1000),
                             .spread = http_param_bool(req, "spread", false),
                             .find = http_param(req, "find")};
    return data_records_json(room(req), http_identity(req), http_param(req, "name"), &look,
                             http_arena(req), http_json(res), why);
}

static enum err show_record(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_record_json(room(req), http_identity(req), http_param(req, "name"),
                            http_param_int(req, "version", 0), http_param(req, "id"),
                            http_arena(req), http_json(res), why);
}

static enum err show_diff(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_diff_json(room(req), http_identity(req), http_param(req, "name"),
                          http_param_int(req, "a", 0), http_param_int(req, "b", 0), http_arena(req),
                          http_json(res), why);
}

static enum err show_clusters(struct http_request *req, struct http_response *res, struct why *why)
{
    struct str field = http_param(req, "field");
    const struct data_clusters_ask ask = {.field = field.len ? field : STR("duplicates"),
                                          .from = (size_t)http_param_int(req, "from", 0),
                                          .limit = (size_t)http_param_int(req, "limit", 20),
                                          .cluster = http_param(req, "cluster")};
    return data_clusters_json(room(req), http_identity(req), http_param(req, "name"),
                              http_param_int(req, "number", 0), &ask, http_arena(req),
                              http_json(res), why);
}

static enum err show_profile(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_profile_json(room(req), http_identity(req), http_param(req, "name"),
                             http_param_int(req, "number", 0), http_arena(req), http_json(res),
                             why);
}

static enum err show_replay(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_replay_json(room(req), http_identity(req), http_param(req, "name"),
                            http_param_int(req, "version", 0), http_param(req, "id"),
                            http_arena(req), http_json(res), why);
}

static enum err list_ended(struct http_request *req, struct http_response *res, struct why *why)
{
    struct data_ended look = {.what = http_param(req, "what"),
                              .step = http_param_int(req, "step", -2),
                              .from = http_param_int(req, "from", 0),
                              .n = http_param_limit(req, 20, 1000)};
    return data_ended_json(room(req), http_identity(req), http_param(req, "name"),
                           http_param_int(req, "number", 0), &look, http_arena(req), http_json(res),
                           why);
}

static enum err show_image(struct http_request *req, struct http_response *res, struct why *why)
{
    const char *path, *type;
    enum err err = data_image(room(req), http_identity(req), http_param(req, "name"),
                              http_param_int(req, "version", 0), http_param(req, "id"),
                              http_arena(req), &path, &type, why);
    return err ? err : http_send_file(res, path, type, NULL, why);
}

/* ---- taking out ---- */

static enum err note_export(struct data *data, const struct ops_identity *who,
                            const struct dataset_version *v, struct arena *arena, struct why *why)
{
    struct store_tx *tx = NULL;
    char *id = str_z(arena, v->id);
    struct str detail = str_printf(arena, "{\"number\":%lld,\"n_records\":%lld}",
                                   (long long)v->number, (long long)v->n_records);
    enum err err = id ? store_begin(data->opts.store, STORE_WRITE, &tx, why)
                      : err_set(why, ERR_NO_MEMORY, "could not export");
    if (err)
        return err;
    err = ops_audit(tx, who, "data.set.export", id, "ok", detail, why);
    if (err) {
        store_rollback(tx);
        return err;
    }
    return store_commit(tx, why);
}

/* The file is gone from its folder before it is sent; its descriptor keeps it until then. */
static enum err send_lines(struct http_request *req, struct http_response *res,
                           const struct dataset_version *v, struct why *why)
{
    struct data *data = room(req);
    struct arena *arena = http_arena(req);
    char *path = str_z(arena, str_printf(arena, "%s/export-XXXXXX", data->opts.data_dir));
    char *name = str_z(
        arena, str_printf(arena, "%.*s-%lld.jsonl", STR_FMT(v->set_name), (long long)v->number));
    if (!path || !name)
        return err_set(why, ERR_NO_MEMORY, "could not export");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_errno(why, "could not make a file in \"%s\"", data->opts.data_dir);
    enum err err = data_export(data, http_identity(req), v->set_name, v->number, fd, why);
    (void)close(fd);
    if (!err)
        err = http_send_file(res, path, "application/jsonl", name, why);
    enum err gone = file_remove(path, err ? NULL : why);
    return err ? err : gone;
}

static enum err export_version(struct http_request *req, struct http_response *res, struct why *why)
{
    struct dataset set;
    struct dataset_version v;
    struct arena *arena = http_arena(req);
    enum err err =
        dataset_find(room(req), http_identity(req), http_param(req, "name"), arena, &set, why);
    if (!err)
        err =
            dataset_version_find(room(req), &set, http_param_int(req, "number", 0), arena, &v, why);
    if (!err && v.n_bytes > EXPORT) {
        err_hint(why, "use the command: yicheng data export");
        err = err_set(why, ERR_TOO_LARGE, "a version of more than 2 GiB is not exported here");
    }
    if (!err)
        err = note_export(room(req), http_identity(req), &v, arena, why);
    return err ? err : send_lines(req, res, &v, why);
}

/* ---- jobs ---- */

static enum err import(struct http_request *req, struct http_response *res, struct why *why)
{
    char id[UUID_TEXT];
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    if (!err && json_get(body, "upload"))
        err = err_set(why, ERR_INVALID, "an import has no member \"upload\"");
    if (!err)
        err = data_import(room(req), http_identity(req), http_body(req), id, why);
    if (!err)
        job_accepted(res, NULL, id, "data.import");
    return err;
}

/* A name without folders and control characters: its suffix is a hint, and it becomes an address.
 */
static struct str safe_name(struct str name, struct arena *arena)
{
    struct str last = name;
    for (size_t i = name.len; i > 0 && last.len == name.len; i--)
        if (name.ptr[i - 1] == '/' || name.ptr[i - 1] == '\\')
            last = str_from(name, i);
    struct str copy = str_copy(arena, str_trim_space(last));
    for (size_t i = 0; i < copy.len; i++)
        if ((unsigned char)copy.ptr[i] < 0x20)
            ((char *)copy.ptr)[i] = ' ';
    return copy;
}

static void put_spec(struct http_request *req, struct str name, const char *path,
                     struct json_out *out)
{
    static const char *const about[] = {"licence", "authority", "owner", "industry", "grade"};
    struct str kind = http_param(req, "kind"), map = http_param(req, "map"),
               title = http_param(req, "title");
    json_begin_object(out);
    json_kv_str(out, "dataset", http_param(req, "name"));
    if (title.len)
        json_kv_str(out, "title", title);
    if (kind.len)
        json_kv_str(out, "kind", kind);
    if (map.len) {
        json_key(out, "map");
        json_put_raw(out, map);
    }
    json_key(out, "paths");
    json_begin_array(out);
    json_put_c(out, path);
    json_end_array(out);
    json_key(out, "names");
    json_begin_array(out);
    json_put_str(out, name);
    json_end_array(out);
    json_kv_bool(out, "upload", true);
    json_kv_bool(out, "append", http_param_bool(req, "append", false));
    json_key(out, "collection");
    json_begin_object(out);
    for (size_t i = 0; i < sizeof about / sizeof about[0]; i++)
        json_kv_str(out, about[i], http_param(req, about[i]));
    json_end_object(out);
    json_end_object(out);
}

static enum err check_map(struct http_request *req, struct why *why)
{
    const struct json *map = NULL;
    struct str text = http_param(req, "map");
    if (!text.len)
        return ERR_OK;
    enum err err = json_parse(text, http_arena(req), &map, why);
    if (!err && json_kind(map) != JSON_KIND_OBJECT)
        err = err_set(why, ERR_INVALID, "\"map\" is a JSON object: member -> column");
    return err;
}

static enum err upload(struct http_request *req, struct http_response *res, struct why *why)
{
    struct arena *arena = http_arena(req);
    char id[UUID_TEXT];
    struct buf spec;
    struct json_out out;
    struct str name = safe_name(http_param(req, "filename"), arena);
    const char *body = http_body_path(req);
    if (!name.len || name.len > 255)
        return err_set(why, ERR_INVALID, "\"filename\" has 1 to 255 bytes");
    if (!body)
        return err_set(why, ERR_INVALID, "the request has no file");
    enum err err = check_map(req, why);
    if (!err)
        err = dataset_name_check(http_param(req, "name"), why);
    if (err)
        return err;
    /* Its suffix tells how it is read. */
    struct str suffix = file_suffix(name);
    char *dir = str_z(arena, str_printf(arena, "%s/uploads", room(req)->opts.data_dir));
    char *file = str_z(arena, str_printf(arena, "%s.%.*s", uuid7(id), STR_FMT(suffix)));
    char *path = dir && file ? file_join(arena, dir, file) : NULL;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not keep the upload");
    buf_init(&spec, arena);
    json_out_init(&out, &spec);
    put_spec(req, name, path, &out);
    err = buf_err(&spec, why);
    if (!err)
        err = file_make_dirs(dir, why);
    if (!err)
        err = file_rename(body, path, why);
    if (!err)
        err = data_import(room(req), http_identity(req), buf_str(&spec), id, why);
    if (!err)
        job_accepted(res, NULL, id, "data.import");
    return err;
}

/* {"spec": a JSON object, or a text of JSON or YAML} */
static enum err body_spec(struct http_request *req, const struct json **body, struct str *out,
                          struct why *why)
{
    enum err err = http_body_json(req, body, why);
    const struct json *spec = err ? NULL : json_get(*body, "spec");
    if (err)
        return err;
    if (json_kind(spec) == JSON_KIND_STRING) {
        *out = json_str(spec, STR(""));
        return ERR_OK;
    }
    if (json_kind(spec) != JSON_KIND_OBJECT)
        return err_set(why, ERR_INVALID, "\"spec\" is a pipeline, as JSON or as text");
    return json_dump(spec, http_arena(req), out, why);
}

static enum err check_pipeline(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct str spec;
    enum err err = body_spec(req, &body, &spec, why);
    return err ? err
               : data_check_spec_json(room(req), http_identity(req), spec, http_arena(req),
                                      http_json(res), why);
}

static enum err dry_run(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct str spec;
    enum err err = body_spec(req, &body, &spec, why);
    int64_t sample = json_get_int(body, "sample", 200);
    return err ? err
               : data_dry_run_json(room(req), http_identity(req), spec,
                                   sample > 0 ? (size_t)sample : 0, http_arena(req), http_json(res),
                                   why);
}

static enum err run_pipeline(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct str spec;
    char id[UUID_TEXT];
    enum err err = body_spec(req, &body, &spec, why);
    if (!err)
        err = data_run(room(req), http_identity(req), spec, id, why);
    if (!err)
        job_accepted(res, NULL, id, "data.run");
    return err;
}

/* YAML or JSON as text -> JSON, without looking at operators and inputs. */
static enum err parse_pipeline(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL, *spec = NULL;
    struct str text;
    struct json_out *out;
    enum err err = body_spec(req, &body, &text, why);
    if (!err)
        err = pipeline_text(text, http_arena(req), &spec, why);
    if (err)
        return err;
    out = http_json(res);
    json_begin_object(out);
    json_key(out, "spec");
    json_put_value(out, spec);
    json_end_object(out);
    return ERR_OK;
}

static enum err preview_mix(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    return err ? err
               : data_mix_preview_json(room(req), http_identity(req), body, http_arena(req),
                                       http_json(res), why);
}

/* ---- pipelines kept under a name ---- */

static enum err list_pipelines(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_pipelines_json(room(req), http_identity(req), http_arena(req), http_json(res), why);
}

static enum err put_pipeline(struct http_request *req, struct http_response *res, struct str id,
                             struct why *why)
{
    char tag[40];
    int64_t revision = 0;
    enum err err = data_pipeline_json(room(req), http_identity(req), id, http_arena(req),
                                      http_json(res), &revision, why);
    (void)snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);
    if (!err)
        http_set_header(res, "ETag", tag);
    return err;
}

static enum err show_pipeline(struct http_request *req, struct http_response *res, struct why *why)
{
    return put_pipeline(req, res, http_param(req, "id"), why);
}

static enum err save_pipeline(struct http_request *req, struct http_response *res, struct str id,
                              struct why *why)
{
    const struct json *body = NULL;
    int64_t revision;
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = read_tag(req, &revision, why);
    if (!err)
        err = data_pipeline_save(room(req), http_identity(req), id, body, revision, http_arena(req),
                                 &id, why);
    return err ? err : put_pipeline(req, res, id, why);
}

static enum err make_pipeline(struct http_request *req, struct http_response *res, struct why *why)
{
    http_status(res, 201);
    return save_pipeline(req, res, STR(""), why);
}

static enum err change_pipeline(struct http_request *req, struct http_response *res,
                                struct why *why)
{
    return save_pipeline(req, res, http_param(req, "id"), why);
}

static enum err remove_pipeline(struct http_request *req, struct http_response *res,
                                struct why *why)
{
    int64_t revision;
    enum err err = read_tag(req, &revision, why);
    if (!err)
        err = data_pipeline_remove(room(req), http_identity(req), http_param(req, "id"), revision,
                                   http_arena(req), why);
    if (!err)
        http_status(res, 204);
    return err;
}

/* ---- operators, sources, lineage ---- */

static enum err list_ops(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    data_ops_json(http_json(res));
    return ERR_OK;
}

static enum err list_sources(struct http_request *req, struct http_response *res, struct why *why)
{
    return data_sources_json(room(req), http_identity(req), http_param(req, "find"),
                             http_param(req, "after"), http_param_limit(req, 50, 1000),
                             http_arena(req), http_json(res), why);
}

static enum err withdraw(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    return err ? err
               : data_withdraw(room(req), http_identity(req), http_param(req, "id"),
                               json_get_str(body, "reason", STR("")),
                               json_get_bool(body, "dry", false), http_arena(req), http_json(res),
                               why);
}

static enum err lineage(struct http_request *req, struct http_response *res, struct why *why)
{
    struct str way = http_param(req, "way");
    enum data_way which = str_eq_c(way, "backwards")  ? DATA_BACKWARDS
                          : str_eq_c(way, "forwards") ? DATA_FORWARDS
                                                      : DATA_BOTH_WAYS;
    if (way.len && which == DATA_BOTH_WAYS && !str_eq_c(way, "both"))
        return err_set(why, ERR_INVALID, "\"way\" is backwards, forwards or both");
    return data_lineage_json(room(req), http_identity(req), http_param(req, "kind"),
                             http_param(req, "id"), which, http_arena(req), http_json(res), why);
}

/* ---- the table ---- */

#define SPEC_SCHEMA                                                                                \
    "{\"type\":\"object\",\"required\":[\"spec\"],\"properties\":{\"spec\":{\"type\":["            \
    "\"object\",\"string\"]},\"sample\":{\"type\":\"integer\"}}}"
#define IMPORT_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"dataset\",\"paths\"],\"properties\":{\"dataset\":{"      \
    "\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"kind\":{\"type\":\"string\"},"         \
    "\"paths\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"append\":{\"type\":"         \
    "\"boolean\"},\"map\":{\"type\":\"object\"},\"collection\":{\"type\":\"object\"},\"card\":{"   \
    "\"type\":\"object\"}}}"
#define SET_SCHEMA                                                                                 \
    "{\"type\":\"object\",\"properties\":{\"title\":{\"type\":\"string\"},\"access\":{\"enum\":["  \
    "\"public\",\"staff\",\"department\",\"restricted\"]},\"card\":{\"type\":\"object\"}}}"
#define PIPELINE_SCHEMA                                                                            \
    "{\"type\":\"object\",\"required\":[\"name\",\"spec\"],\"properties\":{\"name\":{"             \
    "\"type\":\"string\"},\"note\":{\"type\":\"string\"},\"spec\":{\"type\":[\"object\","          \
    "\"string\"]}}}"
#define MIX_SCHEMA                                                                                 \
    "{\"type\":\"object\",\"required\":[\"inputs\"],\"properties\":{\"inputs\":{\"type\":"         \
    "\"array\",\"items\":{\"type\":\"object\",\"required\":[\"dataset\"],\"properties\":{"         \
    "\"dataset\":{\"type\":\"string\"},\"version\":{\"type\":\"integer\"},\"weight\":{\"type\":"   \
    "\"number\"}}}},\"by\":{\"enum\":[\"characters\",\"records\",\"bytes\"]},\"most_repeats\":{"   \
    "\"type\":\"number\"},\"total\":{\"type\":\"number\"}}}"
#define WITHDRAW_SCHEMA                                                                            \
    "{\"type\":\"object\",\"properties\":{\"reason\":{\"type\":\"string\"},\"dry\":{\"type\":"     \
    "\"boolean\"}}}"

static const struct http_param name_param[] = {
    {"name", "string", "The data set", true, true},
};
static const struct http_param version_params[] = {
    {"name", "string", "The data set", true, true},
    {"number", "integer", "The version; 0 is the newest", true, true},
};
static const struct http_param records_params[] = {
    {"name", "string", "The data set", true, true},
    {"version", "integer", "Its number; 0 or missing: the newest", false, false},
    {"from", "integer", "Number of the first record", false, false},
    {"limit", "integer", "At most so many, 20 unless told", false, false},
    {"spread", "boolean", "Spread evenly over all records", false, false},
    {"find", "string", "Only records that hold this", false, false},
};
static const struct http_param record_params[] = {
    {"name", "string", "The data set", true, true},
    {"id", "string", "The record", true, true},
    {"version", "integer", "Its number; 0 or missing: the newest", false, false},
};
static const struct http_param cluster_params[] = {
    {"name", "string", "The data set", true, true},
    {"number", "integer", "The version; 0 or missing: the newest", false, false},
    {"field", "string", "Where the mark stands; duplicates when missing", false, false},
    {"from", "integer", "Leave out so many of the largest, at most 1000", false, false},
    {"limit", "integer", "So many of the largest, 1 to 100; 20 when missing", false, false},
    {"cluster", "string", "The records of this cluster instead; from and limit count them", false,
     false},
};
static const struct http_param diff_params[] = {
    {"name", "string", "The data set", true, true},
    {"a", "integer", "One version", false, true},
    {"b", "integer", "The other", false, true},
};
static const struct http_param upload_params[] = {
    {"name", "string", "The data set", true, true},
    {"filename", "string", "What the file is called", false, true},
    {"title", "string", "Title of a new data set", false, false},
    {"kind", "string", "Kind of records; found out when missing", false, false},
    {"map", "string", "JSON object: member -> column", false, false},
    {"append", "boolean", "Behind what the newest version holds", false, false},
    {"licence", "string", "Licence of the source", false, false},
    {"authority", "string", "By which authority it was collected", false, false},
    {"owner", "string", "Who owns it", false, false},
    {"industry", "string", "Industry", false, false},
    {"grade", "string", "Security grade", false, false},
};
static const struct http_param source_params[] = {
    {"find", "string", "Only addresses that hold this", false, false},
    {"limit", "integer", "At most so many, 50 unless told", false, false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
};
static const struct http_param id_param[] = {
    {"id", "string", "The source", true, true},
};
static const struct http_param ended_params[] = {
    {"name", "string", "The data set", true, true},
    {"number", "integer", "The version; 0 is the newest", true, true},
    {"what", "string", "dropped or failed; missing: both", false, false},
    {"step", "integer", "Only of this step, counted from 0; -1: could not be read", false, false},
    {"from", "integer", "As \"next\" gave it", false, false},
    {"limit", "integer", "At most so many, 20 unless told", false, false},
};
static const struct http_param pipeline_param[] = {
    {"id", "uuid", "The pipeline", true, true},
};
static const struct http_param sets_params[] = {
    {"find", "string", "In name, title or card", false, false},
    {"kind", "string", "text, chat, preference, classification, spans, qa, caption or row", false,
     false},
    {"state", "string", "Of the newest version: ready, withdrawn; empty: there is none", false,
     false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
    {"limit", "integer", "At most so many, 1 to 1000", false, false},
};
static const struct http_param lineage_params[] = {
    {"kind", "string", "source, version, run, release, training, model, answers or answer", false,
     true},
    {"id", "string", "Its id; of an answer its call, its trace or the answer of a base", false,
     true},
    {"way", "string", "backwards, forwards or both", false, false},
};

#define READS   .access = HTTP_SESSION, .permission = "data.read"
#define WRITES  .access = HTTP_SESSION, .permission = "data.write"
#define MANAGES .access = HTTP_SESSION, .permission = "data.manage"

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/api/datasets",
     READS,
     .summary = "The data sets that the caller may see, the newest first",
     HTTP_PARAMS(sets_params),
     .handle = list_sets},
    {.method = "GET",
     .path = "/api/datasets/{name}",
     READS,
     .summary = "A data set with its versions",
     HTTP_PARAMS(name_param),
     .handle = show_set},
    {.method = "PATCH",
     .path = "/api/datasets/{name}",
     MANAGES,
     .body_limit = BODY,
     .summary = "Change title, access or card",
     .request_schema = SET_SCHEMA,
     HTTP_PARAMS(name_param),
     .handle = patch_set},
    {.method = "GET",
     .path = "/api/datasets/{name}/versions/{number}",
     READS,
     .summary = "A version: shards, schema, splits, the run that made it",
     HTTP_PARAMS(version_params),
     .handle = show_version},
    {.method = "GET",
     .path = "/api/datasets/{name}/versions/{number}/profile",
     READS,
     .summary = "What the records of a version are like: lengths, languages, labels, licences",
     HTTP_PARAMS(version_params),
     .handle = show_profile},
    {.method = "GET",
     .path = "/api/datasets/{name}/versions/{number}/ended",
     READS,
     .summary = "Records that the making of a version dropped or put into quarantine, and why",
     HTTP_PARAMS(ended_params),
     .handle = list_ended},
    {.method = "GET",
     .path = "/api/datasets/{name}/versions/{number}/export",
     READS,
     .summary = "A version as JSON lines, up to 2 GiB; noted in the ledger",
     HTTP_PARAMS(version_params),
     .handle = export_version},
    {.method = "GET",
     .path = "/api/datasets/{name}/records",
     READS,
     .summary = "Records of a version: a page, a sample, or those that hold a text",
     HTTP_PARAMS(records_params),
     .handle = list_records},
    {.method = "GET",
     .path = "/api/datasets/{name}/records/{id}",
     READS,
     .summary = "A record with its history back to its source",
     HTTP_PARAMS(record_params),
     .handle = show_record},
    {.method = "GET",
     .path = "/api/datasets/{name}/records/{id}/replay",
     READS,
     .summary = "The run that made a record once more, with before and after for each step",
     HTTP_PARAMS(record_params),
     .handle = show_replay},
    {.method = "GET",
     .path = "/api/datasets/{name}/records/{id}/image",
     READS,
     .summary = "The picture of a record",
     HTTP_PARAMS(record_params),
     .handle = show_image},
    {.method = "GET",
     .path = "/api/datasets/{name}/clusters",
     READS,
     .summary = "Clusters of near duplicates that a run marked: their sizes, the largest",
     HTTP_PARAMS(cluster_params),
     .handle = show_clusters},
    {.method = "GET",
     .path = "/api/datasets/{name}/diff",
     READS,
     .summary = "What was added, removed and changed between two versions",
     HTTP_PARAMS(diff_params),
     .handle = show_diff},
    {.method = "POST",
     .path = "/api/datasets/{name}/uploads",
     WRITES,
     .body_limit = UPLOAD,
     .body_to_file = true,
     .summary = "Give a file or an archive; a job makes a version of it",
     HTTP_PARAMS(upload_params),
     .handle = upload},
    {.method = "POST",
     .path = "/api/data_imports",
     WRITES,
     .body_limit = BODY,
     .summary = "Import files of the server from the folder data.import_root; a job",
     .request_schema = IMPORT_SCHEMA,
     .handle = import},
    {.method = "GET",
     .path = "/api/data_operators",
     READS,
     .summary = "The operators with their parameters",
     .handle = list_ops},
    {.method = "GET",
     .path = "/api/pipelines",
     READS,
     .summary = "The pipelines that are kept",
     .handle = list_pipelines},
    {.method = "POST",
     .path = "/api/pipelines",
     WRITES,
     .body_limit = BODY,
     .summary = "Keep a pipeline under a name; it need not be finished",
     .request_schema = PIPELINE_SCHEMA,
     .handle = make_pipeline},
    {.method = "GET",
     .path = "/api/pipelines/{id}",
     READS,
     .summary = "A kept pipeline with its steps",
     HTTP_PARAMS(pipeline_param),
     .handle = show_pipeline},
    {.method = "PUT",
     .path = "/api/pipelines/{id}",
     WRITES,
     .body_limit = BODY,
     .summary = "Change a kept pipeline",
     .request_schema = PIPELINE_SCHEMA,
     HTTP_PARAMS(pipeline_param),
     .handle = change_pipeline},
    {.method = "DELETE",
     .path = "/api/pipelines/{id}",
     WRITES,
     .summary = "Remove a kept pipeline; what it made stays",
     HTTP_PARAMS(pipeline_param),
     .handle = remove_pipeline},
    {.method = "POST",
     .path = "/api/mix_previews",
     READS,
     .body_limit = BODY,
     .summary = "What a mixture of data sets would be made of, before the run",
     .request_schema = MIX_SCHEMA,
     .handle = preview_mix},
    {.method = "POST",
     .path = "/api/pipelines/parse",
     READS,
     .body_limit = BODY,
     .summary = "A pipeline as YAML or JSON text, as JSON",
     .request_schema = SPEC_SCHEMA,
     .handle = parse_pipeline},
    {.method = "POST",
     .path = "/api/pipelines/check",
     READS,
     .body_limit = BODY,
     .summary = "Whether a pipeline is well formed, and what kind of records each step has",
     .request_schema = SPEC_SCHEMA,
     .handle = check_pipeline},
    {.method = "POST",
     .path = "/api/pipelines/dry_run",
     READS,
     .body_limit = BODY,
     .summary = "A pipeline over a sample, with before and after for each step; nothing is kept",
     .request_schema = SPEC_SCHEMA,
     .handle = dry_run},
    {.method = "POST",
     .path = "/api/pipelines/run",
     WRITES,
     .body_limit = BODY,
     .summary = "Run a pipeline; a job makes a version",
     .request_schema = SPEC_SCHEMA,
     .handle = run_pipeline},
    {.method = "GET",
     .path = "/api/data_sources",
     READS,
     .summary = "What was acquired from where",
     HTTP_PARAMS(source_params),
     .handle = list_sources},
    {.method = "POST",
     .path = "/api/data_sources/{id}/withdraw",
     MANAGES,
     .body_limit = BODY,
     .summary = "Withdraw a source: mark all that descends from it; with dry only list that",
     .request_schema = WITHDRAW_SCHEMA,
     HTTP_PARAMS(id_param),
     .handle = withdraw},
    {.method = "GET",
     .path = "/api/data_lineage",
     READS,
     .summary = "What a source, version, run or release comes from and what became of it",
     HTTP_PARAMS(lineage_params),
     .handle = lineage},
};

const struct http_table *data_routes(struct data *data)
{
    data->table = (struct http_table){
        .room = "data", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = data};
    return &data->table;
}
