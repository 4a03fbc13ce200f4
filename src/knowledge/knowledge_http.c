/* knowledge/knowledge_http - the routes of bases, documents, versions, uploads and search. */
#include "compute/compute.h"
#include "core/arena.h"
#include "core/file.h"
#include "core/json.h"
#include "http/http.h"
#include "knowledge/answer_http.h"
#include "knowledge/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY   (64u << 10)
#define UPLOAD ((size_t)1 << 30)

static struct knowledge *room(struct http_request *req)
{
    return http_ctx(req);
}

static enum err path_id(struct http_request *req, const char *name, char **out, struct why *why)
{
    *out = str_z(http_arena(req), http_param(req, name));
    return *out ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the address");
}

static void put_etag(struct http_response *res, int64_t revision)
{
    char tag[40];
    (void)snprintf(tag, sizeof tag, "\"%lld\"", (long long)revision);
    http_set_header(res, "ETag", tag);
}

/* The revision in If-Match, -1 when there is none or "*". */
static enum err if_match(struct http_request *req, int64_t *out, struct why *why)
{
    struct str tag = str_trim(http_header(req, "If-Match"));
    *out = -1;
    if (!tag.len || str_eq_c(tag, "*"))
        return ERR_OK;
    if (str_starts(tag, STR("W/")))
        tag = str_from(tag, 2);
    if (tag.len > 2 && tag.ptr[0] == '"' && str_to_i64(str_slice(tag, 1, tag.len - 1), out) &&
        *out >= 0)
        return ERR_OK;
    return err_set(why, ERR_PRECONDITION, "If-Match does not hold an ETag of this document");
}

/* ---- bases ---- */

static enum err list_bases(struct http_request *req, struct http_response *res, struct why *why)
{
    return knowledge_bases_json(room(req), http_identity(req), http_arena(req), http_json(res),
                                why);
}

static enum err put_base(struct http_request *req, struct http_response *res, struct str name,
                         struct why *why)
{
    struct buf buf;
    struct json_out out;
    const struct json *list = NULL;
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    enum err err = knowledge_bases_json(room(req), http_identity(req), http_arena(req), &out, why);
    if (!err)
        err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), http_arena(req), &list, why);
    const struct json *items = err ? NULL : json_get(list, "items");
    for (size_t i = 0; i < json_len(items); i++)
        if (str_eq(json_get_str(json_at(items, i), "name", STR("")), name)) {
            json_put_value(http_json(res), json_at(items, i));
            return ERR_OK;
        }
    return err ? err
               : err_set(why, ERR_NOT_FOUND, "there is no knowledge base \"%.*s\"", STR_FMT(name));
}

static enum err make_base(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char id[UUID_TEXT];
    enum ops_class access = OPS_CLASS_STAFF;
    enum err err = http_body_json(req, &body, why);
    if (err)
        return err;
    struct arena *arena = http_arena(req);
    char *name = str_z(arena, json_get_str(body, "name", STR("")));
    char *title = str_z(arena, json_get_str(body, "title", STR("")));
    if (!access_parse(json_get_str(body, "access", STR("staff")), &access))
        return err_set(why, ERR_INVALID, "\"access\" is public, staff, department or restricted");
    if (!name || !title)
        return err_set(why, ERR_NO_MEMORY, "could not make a knowledge base");
    struct base base = {.id = ""};
    if (base_find(room(req), http_identity(req), str_c(name), arena, &base, NULL) == ERR_OK)
        return err_set(why, ERR_CONFLICT, "there is a knowledge base \"%s\" already", name);
    err = knowledge_create(room(req), http_identity(req), name, title, access, id, why);
    if (!err) {
        http_status(res, 201);
        err = put_base(req, res, str_c(name), why);
    }
    return err;
}

static enum err show_base(struct http_request *req, struct http_response *res, struct why *why)
{
    return put_base(req, res, http_param(req, "name"), why);
}

/* ---- vectors ---- */

/* The spec of a job about the base that the address names: the caller adds what it has more, and
 * ends the object. */
static void begin_spec(struct http_request *req, struct buf *spec, struct json_out *out)
{
    buf_init(spec, http_arena(req));
    json_out_init(out, spec);
    json_begin_object(out);
    json_kv_str(out, "kb", http_param(req, "name"));
}

/* `key`: a job of this kind with the same key that waits or runs is the one meant; NULL: the title
 * is; "": no other job is. */
static enum err submit(struct http_request *req, const char *kind, struct str title,
                       const struct buf *spec, const char *key, char id[UUID_TEXT], struct why *why)
{
    char *words = str_z(http_arena(req), title);
    enum err err =
        words ? buf_err(spec, why) : err_set(why, ERR_NO_MEMORY, "could not begin the job");
    return err ? err
               : job_submit_alone(room(req)->opts.compute, http_identity(req), kind, words,
                                  buf_str(spec), key ? key : words, id, why);
}

static enum err submit_embed(struct http_request *req, char id[UUID_TEXT], struct why *why)
{
    struct buf spec;
    struct json_out out;
    begin_spec(req, &spec, &out);
    json_end_object(&out);
    return submit(req, "knowledge.embed", http_param(req, "name"), &spec, NULL, id, why);
}

static enum err embed(struct http_request *req, struct http_response *res, struct why *why)
{
    char id[UUID_TEXT];
    struct base base = {.id = ""};
    enum err err = base_find(room(req), http_identity(req), http_param(req, "name"),
                             http_arena(req), &base, why);
    if (!err && base.embedder.len == 0)
        err = err_set(why, ERR_CONFLICT, "this base names no model that embeds");
    if (!err)
        err = submit_embed(req, id, why);
    if (!err)
        job_accepted(res, NULL, id, "knowledge.embed");
    return err;
}

/* A base that was given another embedder gets its vectors without being asked again. */
static enum err patch_base(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    struct base base = {.id = ""};
    char id[UUID_TEXT];
    struct str name = http_param(req, "name");
    enum err err = http_body_json(req, &body, why);
    if (!err)
        err = base_find(room(req), http_identity(req), name, http_arena(req), &base, why);
    if (!err)
        err = base_change(room(req), http_identity(req), name, body, http_arena(req), why);
    struct str embedder = json_get_str(body, "embedder", base.embedder);
    if (!err && embedder.len && !str_eq(embedder, base.embedder))
        err = submit_embed(req, id, why);
    return err ? err : put_base(req, res, name, why);
}

static enum err delete_base(struct http_request *req, struct http_response *res, struct why *why)
{
    enum err err =
        base_remove(room(req), http_identity(req), http_param(req, "name"), http_arena(req), why);
    if (!err)
        http_status(res, 204);
    return err;
}

/* ---- uploads ---- */

/* A name without folders and control characters: it is shown and its suffix is a hint. */
static struct str safe_name(struct str name, struct arena *arena)
{
    struct str last = name;
    for (size_t i = name.len; i > 0; i--)
        if (name.ptr[i - 1] == '/' || name.ptr[i - 1] == '\\') {
            last = str_from(name, i);
            break;
        }
    struct str copy = str_copy(arena, str_trim_space(last));
    for (size_t i = 0; i < copy.len; i++)
        if ((unsigned char)copy.ptr[i] < 0x20)
            ((char *)copy.ptr)[i] = ' ';
    return copy;
}

static enum err submit_import(struct http_request *req, struct http_response *res, struct str name,
                              const char *path, struct why *why)
{
    struct buf spec;
    struct json_out out;
    char id[UUID_TEXT];
    begin_spec(req, &spec, &out);
    json_kv_str(&out, "name", name);
    json_key(&out, "paths");
    json_begin_array(&out);
    json_put_c(&out, path);
    json_end_array(&out);
    json_kv_bool(&out, "upload", true);
    json_end_object(&out);
    enum err err = submit(req, "knowledge.import", name, &spec, "", id, why);
    if (!err)
        job_accepted(res, NULL, id, "knowledge.import");
    return err;
}

static enum err upload(struct http_request *req, struct http_response *res, struct why *why)
{
    struct knowledge *k = room(req);
    struct arena *arena = http_arena(req);
    struct base base = {.id = ""};
    char id[UUID_TEXT];
    struct str name = safe_name(http_param(req, "filename"), arena);
    const char *body = http_body_path(req);
    if (!k->opts.compute)
        return err_set(why, ERR_UNAVAILABLE, "jobs are not running here");
    if (!name.len || name.len > 255)
        return err_set(why, ERR_INVALID, "\"filename\" has 1 to 255 bytes");
    if (!body)
        return err_set(why, ERR_INVALID, "the request has no file");
    enum err err = base_find(k, http_identity(req), http_param(req, "name"), arena, &base, why);
    char *dir = (char *)str_printf(arena, "%s/uploads", k->opts.data_dir).ptr;
    char *path = dir ? file_join(arena, dir, uuid7(id)) : NULL;
    if (!err && !path)
        err = err_set(why, ERR_NO_MEMORY, "could not keep the upload");
    if (!err)
        err = file_make_dirs(dir, why);
    if (!err)
        err = file_rename(body, path, why);
    if (!err)
        err = submit_import(req, res, name, path, why);
    return err;
}

/* ---- documents ---- */

static enum err list_documents(struct http_request *req, struct http_response *res, struct why *why)
{
    struct document_filter filter = {.kb = http_param(req, "name"),
                                     .text = http_param(req, "q"),
                                     .status = http_param(req, "status"),
                                     .kind = http_param(req, "kind"),
                                     .after = http_param(req, "after"),
                                     .limit = (size_t)http_param_int(req, "limit", 50)};
    return documents_json(room(req), http_identity(req), &filter, http_arena(req), http_json(res),
                          why);
}

static enum err show_document(struct http_request *req, struct http_response *res, struct why *why)
{
    char *id = NULL;
    int64_t revision = 0;
    enum err err = path_id(req, "id", &id, why);
    if (!err)
        err = document_json(room(req), http_identity(req), id, http_arena(req), http_json(res),
                            &revision, why);
    if (!err)
        put_etag(res, revision);
    return err;
}

static enum err patch_document(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    char *id = NULL;
    int64_t revision = -1;
    enum err err = path_id(req, "id", &id, why);
    if (!err)
        err = if_match(req, &revision, why);
    if (!err)
        err = http_body_json(req, &body, why);
    if (!err)
        err = document_change(room(req), http_identity(req), id, revision, body, http_arena(req),
                              why);
    return err ? err : show_document(req, res, why);
}

static enum err delete_document(struct http_request *req, struct http_response *res,
                                struct why *why)
{
    char *id = NULL;
    int64_t revision = -1;
    enum err err = path_id(req, "id", &id, why);
    if (!err)
        err = if_match(req, &revision, why);
    if (!err)
        err = document_remove(room(req), http_identity(req), id, revision, http_arena(req), why);
    if (!err)
        http_status(res, 204);
    return err;
}

static enum err expiring(struct http_request *req, struct http_response *res, struct why *why)
{
    int64_t days = http_param_int(req, "days", 60), limit = http_param_int(req, "limit", 100);
    if (days < 0 || days > 3660 || limit < 1 || limit > 1000)
        return err_set(why, ERR_INVALID, "\"days\" is 0 to 3660 and \"limit\" 1 to 1000");
    return expiring_json(room(req), http_identity(req), (int)days, (size_t)limit, http_arena(req),
                         http_json(res), why);
}

/* ---- versions ---- */

static enum err patch_version(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL;
    const struct catalog *catalog = NULL;
    const struct catalog_version *version = NULL;
    char *id = NULL;
    int64_t revision = -1;
    enum err err = path_id(req, "id", &id, why);
    if (!err)
        err = if_match(req, &revision, why);
    if (!err)
        err = http_body_json(req, &body, why);
    if (!err)
        err =
            version_change(room(req), http_identity(req), id, revision, body, http_arena(req), why);
    if (!err)
        err = version_find(room(req), http_identity(req), str_c(id), &catalog, &version, why);
    if (err)
        return err;
    put_etag(res, version->revision);
    err = document_json(room(req), http_identity(req), catalog->documents[version->document].id,
                        http_arena(req), http_json(res), &revision, why);
    catalog_release(catalog);
    return err;
}

static enum err version_text(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_identity resident;
    char *id = NULL;
    enum err err = path_id(req, "id", &id, why);
    return err ? err
               : version_text_json(room(req), knowledge_asker(req, &resident), id, http_arena(req),
                                   http_json(res), why);
}

static enum err version_file(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_identity resident;
    const struct catalog *catalog = NULL;
    const struct catalog_version *version = NULL;
    const char *path = NULL;
    struct arena *arena = http_arena(req);
    enum err err = version_find(room(req), knowledge_asker(req, &resident), http_param(req, "id"),
                                &catalog, &version, why);
    if (err)
        return err;
    char *object = str_z(arena, version->object), *name = str_z(arena, file_name(version->name));
    if (!object || !name)
        err = err_set(why, ERR_NO_MEMORY, "could not send the file");
    if (!err)
        err = objects_path(room(req)->opts.objects, object, arena, &path, why);
    if (!err)
        err = http_send_file(res, path, "application/octet-stream", name, why);
    catalog_release(catalog);
    return err;
}

/* ---- search ---- */

static enum err read_query(struct http_request *req, struct knowledge_query *query, struct why *why)
{
    const struct json *body = NULL;
    enum err err = http_body_json(req, &body, why);
    if (err)
        return err;
    struct str day = json_get_str(body, "as_of", STR(""));
    int64_t limit = json_get_int(body, "limit", 10);
    *query = (struct knowledge_query){
        .kb = str_z(http_arena(req), json_get_str(body, "kb", STR(""))),
        .text = json_get_str(body, "text", STR("")),
        .as_of = DAY_NONE,
        .all_versions = json_get_bool(body, "all_versions", false),
        .kind = json_get_str(body, "kind", STR("")),
        .region = json_get_str(body, "region", STR("")),
        .department = json_get_str(body, "department", STR("")),
        .document = json_get_str(body, "document", STR("")),
        .level_least = (int)json_get_int(body, "level_least", 0),
        .limit = (size_t)limit,
        .explain = json_get_bool(body, "explain", false),
    };
    if (!query->kb)
        return err_set(why, ERR_NO_MEMORY, "could not read the search");
    if (day.len && !day_parse(day, &query->as_of))
        return err_set(why, ERR_INVALID, "\"as_of\" is no date: \"%.*s\"", STR_FMT(day));
    if (!query->text.len || query->text.len > 4000)
        return err_set(why, ERR_INVALID, "\"text\" has 1 to 4000 bytes");
    if (limit < 1 || limit > 100)
        return err_set(why, ERR_INVALID, "\"limit\" is 1 to 100");
    return ERR_OK;
}

static enum err search(struct http_request *req, struct http_response *res, struct why *why)
{
    struct knowledge_query query;
    struct knowledge_hit *hits = NULL;
    size_t n = 0;
    int64_t start = time_mono_ns();
    enum err err = read_query(req, &query, why);
    if (!err)
        err = knowledge_search(room(req), http_identity(req), &query, http_arena(req), &hits, &n,
                               why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++)
        knowledge_hit_json(&hits[i], out);
    json_end_array(out);
    json_kv_int(out, "took_us", (time_mono_ns() - start) / 1000);
    json_end_object(out);
    return ERR_OK;
}

/* ---- the table ---- */

#define PATCH_SCHEMA                                                                               \
    "{\"type\":\"object\",\"properties\":{\"title\":{\"type\":\"string\"},\"kind\":{\"enum\":["    \
    "\"law\",\"policy\",\"guide\",\"faq\",\"notice\",\"text\",\"table\"]},\"number\":{\"type\":"   \
    "\"string\"},\"issuer\":{\"type\":\"string\"},\"region\":{\"type\":\"string\"},"               \
    "\"department\":{\"type\":\"string\"},\"level\":{\"type\":\"integer\",\"minimum\":0,"          \
    "\"maximum\":9},\"access\":{\"enum\":[\"public\",\"staff\",\"department\",\"restricted\"]},"   \
    "\"published\":{\"type\":[\"string\",\"null\"],\"format\":\"date\"},\"effective\":{\"type\":"  \
    "[\"string\",\"null\"],\"format\":\"date\"},\"expires\":{\"type\":[\"string\",\"null\"],"      \
    "\"format\":\"date\"},\"repealed\":{\"type\":\"boolean\"},\"replaced_by\":{\"type\":"          \
    "\"string\"}}}"
#define BASE_SCHEMA                                                                                \
    "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"title\":{\"type\":"     \
    "\"string\"},\"access\":{\"enum\":[\"public\",\"staff\",\"department\",\"restricted\"]},"      \
    "\"writer\":{\"type\":\"string\"},\"embedder\":{\"type\":\"string\"},\"reranker\":{\"type\":"  \
    "\"string\"}}}"
#define SEARCH_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"text\"],\"properties\":{\"kb\":{\"type\":\"string\"},"   \
    "\"text\":{\"type\":\"string\"},\"as_of\":{\"type\":\"string\",\"format\":\"date\"},"          \
    "\"all_versions\":{\"type\":\"boolean\"},\"kind\":{\"type\":\"string\"},\"region\":{\"type\":" \
    "\"string\"},\"department\":{\"type\":\"string\"},\"limit\":{\"type\":\"integer\"},"           \
    "\"explain\":{\"type\":\"boolean\"}}}"

static const struct http_param name_param[] = {
    {"name", "string", "The base", true, true},
};
static const struct http_param upload_params[] = {
    {"name", "string", "The base", true, true},
    {"filename", "string", "What the file is called", false, true},
};
static const struct http_param documents_params[] = {
    {"name", "string", "The base", true, true},
    {"q", "string", "Words in the title, the number or the file's name", false, false},
    {"status", "string", "in_force, not_yet, expired or superseded", false, false},
    {"kind", "string", "law, policy, guide, faq, notice, text or table", false, false},
    {"limit", "integer", "At most so many", false, false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
};
static const struct http_param id_param[] = {
    {"id", "uuid", "The document or version", true, true},
};
static const struct http_param expiring_params[] = {
    {"days", "integer", "Within how many days, 60 unless told", false, false},
    {"limit", "integer", "At most so many", false, false},
};

static const struct http_route own[] = {
    {.method = "GET",
     .path = "/api/knowledge_bases",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .summary = "The bases that the caller may read",
     .handle = list_bases},
    {.method = "POST",
     .path = "/api/knowledge_bases",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .body_limit = BODY,
     .summary = "Make a base",
     .request_schema = BASE_SCHEMA,
     .handle = make_base},
    {.method = "GET",
     .path = "/api/knowledge_bases/{name}",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .summary = "A base",
     HTTP_PARAMS(name_param),
     .handle = show_base},
    {.method = "PATCH",
     .path = "/api/knowledge_bases/{name}",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .body_limit = BODY,
     .summary = "Change a base's title, who may read it, or the models that help with it",
     .request_schema = BASE_SCHEMA,
     HTTP_PARAMS(name_param),
     .handle = patch_base},
    {.method = "DELETE",
     .path = "/api/knowledge_bases/{name}",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .summary = "Remove a base with its documents",
     HTTP_PARAMS(name_param),
     .handle = delete_base},
    {.method = "POST",
     .path = "/api/knowledge_bases/{name}/embed",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .summary = "Give the passages that have none a vector of the base's model; a job",
     HTTP_PARAMS(name_param),
     .handle = embed},
    {.method = "POST",
     .path = "/api/knowledge_bases/{name}/uploads",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .body_limit = UPLOAD,
     .body_to_file = true,
     .summary = "Give a file or an archive; a job reads it in",
     HTTP_PARAMS(upload_params),
     .handle = upload},
    {.method = "GET",
     .path = "/api/knowledge_bases/{name}/documents",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .summary = "The documents of a base",
     HTTP_PARAMS(documents_params),
     .handle = list_documents},
    {.method = "GET",
     .path = "/api/documents/{id}",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .summary = "A document with its versions",
     HTTP_PARAMS(id_param),
     .handle = show_document},
    {.method = "PATCH",
     .path = "/api/documents/{id}",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .body_limit = BODY,
     .summary = "Set metadata by hand; the days and the number are those of the version shown",
     .request_schema = PATCH_SCHEMA,
     HTTP_PARAMS(id_param),
     .handle = patch_document},
    {.method = "DELETE",
     .path = "/api/documents/{id}",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .summary = "Remove a document with its versions",
     HTTP_PARAMS(id_param),
     .handle = delete_document},
    {.method = "PATCH",
     .path = "/api/versions/{id}",
     .access = HTTP_SESSION,
     .permission = "knowledge.write",
     .body_limit = BODY,
     .summary = "Set metadata of one version by hand",
     .request_schema = PATCH_SCHEMA,
     HTTP_PARAMS(id_param),
     .handle = patch_version},
    {.method = "GET",
     .path = "/api/versions/{id}/text",
     .access = HTTP_PUBLIC,
     .summary = "A version's text with the places of its passages; public when the document is",
     HTTP_PARAMS(id_param),
     .handle = version_text},
    {.method = "GET",
     .path = "/api/versions/{id}/file",
     .access = HTTP_PUBLIC,
     .summary = "The file that a version came from; public when the document is",
     HTTP_PARAMS(id_param),
     .handle = version_file},
    {.method = "POST",
     .path = "/api/search",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .body_limit = BODY,
     .summary = "The passages for some words, best first",
     .request_schema = SEARCH_SCHEMA,
     .handle = search},
    {.method = "GET",
     .path = "/api/expiring",
     .access = HTTP_SESSION,
     .permission = "knowledge.read",
     .summary = "What ends or begins within some days",
     HTTP_PARAMS(expiring_params),
     .handle = expiring},
};

#define N_OWN (sizeof own / sizeof own[0])

const struct http_table *knowledge_routes(struct knowledge *k)
{
    static const struct http_table none = {"knowledge", own, 0, NULL};
    if (k->table)
        return k->table;
    k->table = calloc(1, sizeof *k->table);
    k->routes = calloc(N_OWN + answer_n_routes, sizeof *k->routes);
    if (!k->table || !k->routes)
        return &none;
    memcpy(k->routes, own, sizeof own);
    memcpy(k->routes + N_OWN, answer_routes, answer_n_routes * sizeof *k->routes);
    *k->table = (struct http_table){"knowledge", k->routes, N_OWN + answer_n_routes, k};
    return k->table;
}
