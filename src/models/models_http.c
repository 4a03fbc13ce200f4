/* The routes of the registry: models, versions, aliases, endpoints, deployments, edges. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/compute.h"
#include "core/arena.h"
#include "core/file.h"
#include "http/http.h"
#include "models/models_in.h"

#define BODY       (128u << 10)
#define SMALL      4096
#define UPLOAD     ((size_t)64 << 30)
#define MOST_LOG   ((size_t)256 << 10)
#define MOST_FILES 500

static struct models *room(struct http_request *req)
{
    return http_ctx(req);
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
    return err_set(why, ERR_PRECONDITION, "If-Match does not hold an ETag of this thing");
}

/* Everything an ask needs: who, If-Match, where the answer goes. The answer is written beside the
 * response and sent only when all went well. */
struct door_ask {
    struct models_ask ask;
    struct buf buf;
    struct json_out out;
    int64_t revision;
    struct str id;
    const struct json *body;
};

static enum err begin(struct http_request *req, struct door_ask *d, bool body, struct why *why)
{
    *d = (struct door_ask){.revision = -1, .id = http_param(req, "id")};
    buf_init(&d->buf, http_arena(req));
    json_out_init(&d->out, &d->buf);
    d->ask = (struct models_ask){.who = http_identity(req),
                                 .arena = http_arena(req),
                                 .out = &d->out,
                                 .revision = &d->revision};
    enum err err = if_match(req, &d->ask.if_match, why);
    if (!err && body)
        err = http_body_json(req, &d->body, why);
    return err;
}

static enum err finish(struct http_response *res, struct door_ask *d, enum err err, int status,
                       struct why *why)
{
    char tag[40];
    if (!err)
        err = buf_err(&d->buf, why);
    if (err)
        return err;
    if (d->revision >= 0) {
        (void)snprintf(tag, sizeof tag, "\"%lld\"", (long long)d->revision);
        http_set_header(res, "ETag", tag);
    }
    http_status(res, status);
    if (d->buf.len)
        http_send(res, "application/json", buf_str(&d->buf));
    return ERR_OK;
}

/* ---- the five that every noun has ---- */

static enum err items(struct http_request *req, struct http_response *res, enum models_noun noun,
                      struct why *why)
{
    struct door_ask d;
    const struct json *filter = NULL;
    enum err err = begin(req, &d, false, why);
    if (!err && noun == MODELS_MODEL) {
        struct buf buf;
        struct json_out out;
        buf_init(&buf, http_arena(req));
        json_out_init(&out, &buf);
        json_begin_object(&out);
        json_kv_str(&out, "modality", http_param(req, "modality"));
        json_kv_str(&out, "kind", http_param(req, "kind"));
        json_kv_bool(&out, "retired", http_param_bool(req, "retired", false));
        json_kv_str(&out, "find", http_param(req, "find"));
        json_kv_str(&out, "after", http_param(req, "after"));
        json_kv_int(&out, "limit", (int64_t)http_param_limit(req, 100, 1000));
        json_end_object(&out);
        err = buf_err(&buf, why);
        if (!err)
            err = json_parse(buf_str(&buf), http_arena(req), &filter, why);
    }
    if (!err)
        err = models_items(room(req), &d.ask, noun, filter, why);
    return finish(res, &d, err, 200, why);
}

static enum err show(struct http_request *req, struct http_response *res, enum models_noun noun,
                     struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = models_show(room(req), &d.ask, noun, d.id, why);
    return finish(res, &d, err, 200, why);
}

static enum err make(struct http_request *req, struct http_response *res, enum models_noun noun,
                     struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, true, why);
    if (!err)
        err = models_make(room(req), &d.ask, noun, d.body, why);
    return finish(res, &d, err, 201, why);
}

static enum err change(struct http_request *req, struct http_response *res, enum models_noun noun,
                       struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, true, why);
    if (!err)
        err = models_change(room(req), &d.ask, noun, d.id, d.body, why);
    return finish(res, &d, err, 200, why);
}

static enum err take_away(struct http_request *req, struct http_response *res,
                          enum models_noun noun, struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, false, why);
    d.ask.out = NULL;
    if (!err)
        err = models_remove(room(req), &d.ask, noun, d.id, why);
    return finish(res, &d, err, 204, why);
}

#define HANDLER(verb, word, noun)                                                                  \
    static enum err verb##_##word(struct http_request *req, struct http_response *res,             \
                                  struct why *why)                                                 \
    {                                                                                              \
        return verb(req, res, noun, why);                                                          \
    }
#define HANDLERS(word, noun)                                                                       \
    HANDLER(items, word, noun)                                                                     \
    HANDLER(show, word, noun) HANDLER(make, word, noun) HANDLER(change, word, noun)
HANDLERS(model, MODELS_MODEL)
HANDLERS(alias, MODELS_ALIAS)
HANDLERS(endpoint, MODELS_ENDPOINT)
HANDLERS(deployment, MODELS_DEPLOYMENT)
HANDLERS(edge, MODELS_EDGE)
HANDLER(take_away, alias, MODELS_ALIAS)
HANDLER(take_away, endpoint, MODELS_ENDPOINT)
HANDLER(take_away, deployment, MODELS_DEPLOYMENT)
HANDLER(take_away, edge, MODELS_EDGE)

/* ---- models and versions ---- */

static enum err retire(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, true, why);
    if (!err)
        err = models_retire(room(req), &d.ask, d.id, json_get_bool(d.body, "force", false),
                            json_get_str(d.body, "reason", STR("")), why);
    return finish(res, &d, err, 200, why);
}

/* A version by its id; by "model:label" too. */
static enum err version_name(struct http_request *req, struct door_ask *d, struct str *name,
                             struct why *why)
{
    struct store_tx *tx = NULL;
    struct version_ref ref;
    enum err err = store_begin(room(req)->store, STORE_READ, &tx, why);
    if (!err)
        err = model_version_find(tx, d->id, http_arena(req), &ref, why);
    store_rollback(tx);
    if (err)
        return err;
    *name = str_printf(http_arena(req), "%.*s:%.*s", STR_FMT(ref.model), STR_FMT(ref.label));
    return name->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not read the address");
}

static enum err show_version(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    struct str name = STR("");
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = version_name(req, &d, &name, why);
    if (!err)
        err = models_show(room(req), &d.ask, MODELS_MODEL, name, why);
    return finish(res, &d, err, 200, why);
}

static enum err change_version(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    struct str name = STR("");
    enum err err = begin(req, &d, true, why);
    if (!err)
        err = version_name(req, &d, &name, why);
    if (!err)
        err = models_version_change(room(req), &d.ask, name, d.body, why);
    return finish(res, &d, err, 200, why);
}

static enum err retire_version(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    struct str name = STR("");
    enum err err = begin(req, &d, true, why);
    if (!err)
        err = version_name(req, &d, &name, why);
    if (!err)
        err = models_retire(room(req), &d.ask, name, json_get_bool(d.body, "force", false),
                            json_get_str(d.body, "reason", STR("")), why);
    return finish(res, &d, err, 200, why);
}

/* ---- jobs ---- */

static enum err submit(struct http_request *req, struct http_response *res, const char *kind,
                       struct str title, struct str spec, const char *key, struct why *why)
{
    struct models *m = room(req);
    char id[UUID_TEXT];
    char *name = str_z(http_arena(req), title);
    if (!m->compute)
        return err_set(why, ERR_UNAVAILABLE, "jobs are not running here");
    if (!name)
        return err_set(why, ERR_NO_MEMORY, "could not begin the job");
    enum err err = job_submit_alone(m->compute, http_identity(req), kind, name, spec, key, id, why);
    if (!err)
        job_accepted(res, NULL, id, kind);
    return err;
}

/* The real path of a file inside the folder that the API may import from. */
static enum err inside(struct models *m, struct str name, struct arena *arena, struct str *out,
                       struct why *why)
{
    char folder[PATH_MAX], real[PATH_MAX];
    struct str joined = str_printf(arena, "%s/%.*s", m->folder, STR_FMT(name));
    if (!joined.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not find the file");
    if (!realpath(m->folder, folder))
        return err_set(why, ERR_NOT_FOUND, "there is no folder of model files (models.folder)");
    if (name.len == 0 || memchr(name.ptr, 0, name.len) || !realpath(joined.ptr, real))
        return err_set(why, ERR_NOT_FOUND, "there is no file \"%.*s\" in the folder of models",
                       (int)(name.len < 200 ? name.len : 200), name.ptr ? name.ptr : "");
    size_t n = strlen(folder);
    if (strncmp(real, folder, n) != 0 || real[n] != '/')
        return err_set(why, ERR_FORBIDDEN, "the file is not in the folder of models");
    *out = str_copy(arena, str_c(real));
    return out->ptr ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not find the file");
}

static enum err import_file(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body = NULL, *over = NULL;
    struct arena *arena = http_arena(req);
    struct str path, spec;
    struct buf buf;
    struct json_out out;
    enum err err = http_body_json(req, &body, why);
    if (!err && json_get(body, "upload"))
        err = err_set(why, ERR_INVALID, "there is no member \"upload\" here");
    if (!err)
        err = inside(room(req), json_get_str(body, "path", STR("")), arena, &path, why);
    if (err)
        return err;
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "path", path);
    json_end_object(&out);
    err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), arena, &over, why);
    if (!err)
        err = policy_merge(body, over, arena, &spec, why);
    if (!err)
        err = models_import_check(room(req), body, arena, why);
    return err ? err : submit(req, res, "models.import", file_name(path), spec, "", why);
}

static enum err upload(struct http_request *req, struct http_response *res, struct why *why)
{
    struct models *m = room(req);
    struct arena *arena = http_arena(req);
    struct buf buf;
    struct json_out out;
    char id[UUID_TEXT];
    const struct json *body = NULL;
    const char *from = http_body_path(req);
    if (!from)
        return err_set(why, ERR_INVALID, "the request has no file");
    char *dir = file_join(arena, m->data_dir, "uploads");
    char *path = dir ? file_join(arena, dir, uuid7(id)) : NULL;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not keep the upload");
    buf_init(&buf, arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_c(&out, "path", path);
    json_kv_str(&out, "model", http_param(req, "model"));
    json_kv_str(&out, "version", http_param(req, "version"));
    json_kv_str(&out, "notes", http_param(req, "notes"));
    json_kv_bool(&out, "upload", true);
    json_end_object(&out);
    enum err err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), arena, &body, why);
    if (!err)
        err = models_import_check(m, body, arena, why);
    if (!err)
        err = file_make_dirs(dir, why);
    if (!err)
        err = file_rename(from, path, why);
    return err ? err
               : submit(req, res, "models.import", http_param(req, "filename"), buf_str(&buf), "",
                        why);
}

static enum err verify(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    struct buf buf;
    struct json_out out;
    struct str name = STR("");
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = version_name(req, &d, &name, why);
    buf_init(&buf, http_arena(req));
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "version", name);
    json_end_object(&out);
    if (!err)
        err = buf_err(&buf, why);
    char *key = err ? NULL : str_z(http_arena(req), name);
    return err ? err : submit(req, res, "models.verify", name, buf_str(&buf), key ? key : "", why);
}

static enum err list_files(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)why;
    struct models *m = room(req);
    struct json_out *out = http_json(res);
    DIR *dir = opendir(m->folder);
    size_t n = 0;
    json_begin_object(out);
    json_kv_c(out, "folder", m->folder);
    json_key(out, "items");
    json_begin_array(out);
    for (struct dirent *e = dir ? readdir(dir) : NULL; e && n < MOST_FILES; e = readdir(dir)) {
        struct stat st;
        if (!str_ends(str_c(e->d_name), STR(".gguf")) ||
            fstatat(dirfd(dir), e->d_name, &st, 0) != 0 || !S_ISREG(st.st_mode))
            continue;
        json_begin_object(out);
        json_kv_c(out, "path", e->d_name);
        json_kv_int(out, "bytes", st.st_size);
        json_kv_time(out, "changed_at", (int64_t)st.st_mtim.tv_sec * 1000);
        json_end_object(out);
        n++;
    }
    if (dir)
        (void)closedir(dir);
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

/* ---- aliases, endpoints, deployments ---- */

static enum err rollback(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = models_alias_rollback(room(req), &d.ask, d.id, why);
    return finish(res, &d, err, 200, why);
}

static enum err history(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = models_alias_history(room(req), &d.ask, d.id, why);
    return finish(res, &d, err, 200, why);
}

static enum err test_endpoint(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, http_body_size(req) > 0, why);
    if (!err)
        err = models_endpoint_test(room(req), &d.ask, d.id, d.body, why);
    return finish(res, &d, err, 200, why);
}

static enum err verb_of(struct http_request *req, struct http_response *res, enum models_verb verb,
                        struct why *why)
{
    struct door_ask d;
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = models_deployment_do(room(req), &d.ask, d.id, verb, why);
    return finish(res, &d, err, 200, why);
}
HANDLER(verb_of, start, MODELS_START)
HANDLER(verb_of, stop, MODELS_STOP)
HANDLER(verb_of, drain, MODELS_DRAIN)
HANDLER(verb_of, restart, MODELS_RESTART)

static enum err show_log(struct http_request *req, struct http_response *res, struct why *why)
{
    struct door_ask d;
    struct str text = STR("");
    enum err err = begin(req, &d, false, why);
    if (!err)
        err = models_deployment_log(room(req), &d.ask, d.id, MOST_LOG, &text, why);
    if (!err)
        http_send(res, "text/plain; charset=utf-8", text);
    return err;
}

/* ---- edges: the engine's side, by its token ---- */

static enum err said_by_edge(struct http_request *req, struct http_response *res, int what,
                             struct why *why)
{
    struct door_ask d;
    struct str token = str_trim(http_header(req, "X-Yicheng-Edge"));
    enum err err = begin(req, &d, what == 0, why);
    if (!err && what == 0)
        err = edge_register(room(req), &d.ask, token, d.body, why);
    else if (!err && what == 1)
        err = edge_heartbeat(room(req), &d.ask, token, why);
    else if (!err)
        err = edge_leave(room(req), &d.ask, token, why);
    return finish(res, &d, err, 200, why);
}
HANDLER(said_by_edge, register, 0)
HANDLER(said_by_edge, heartbeat, 1)
HANDLER(said_by_edge, leave, 2)

/* ---- what the routes are now ---- */

static void put_target(struct json_out *out, const struct models_route *route,
                       const struct models_target *t)
{
    struct models_health h;
    models_health_of(t, &h);
    json_begin_object(out);
    json_kv_str(out, "id", t->id);
    json_kv_str(out, "name", t->name);
    json_kv_c(out, "kind", t->kind == MODELS_ENGINE ? "engine" : "openai");
    json_kv_str(out, "model", t->model);
    json_kv_str(out, "version", t->version);
    json_kv_str(out, "arm", route->arms[t->arm].name);
    json_kv_int(out, "weight", t->weight);
    json_kv_bool(out, "cold", t->cold);
    json_kv_int(out, "max_context", t->max_context);
    json_kv_int(out, "max_busy", t->max_busy);
    json_kv_int(out, "busy", h.busy);
    json_kv_int(out, "calls", h.calls);
    json_kv_int(out, "failures", h.failures);
    json_kv_int(out, "failures_in_row", h.failures_in_row);
    json_kv_int(out, "first_ms", h.first_ms);
    json_kv_time(out, "last_call_at", h.last_call_ms);
    json_kv_time(out, "last_failure_at", h.last_failure_ms);
    json_end_object(out);
}

static void put_route(struct json_out *out, const struct models_route *route)
{
    json_begin_object(out);
    json_kv_str(out, "name", route->name);
    json_kv_bool(out, "is_alias", route->alias.len > 0);
    json_kv_str(out, "title", route->title);
    json_kv_str(out, "model", route->model);
    json_kv_str(out, "version", route->version);
    json_kv_c(out, "modality", models_modality_name(route->modality));
    json_kv_bool(out, "maintenance", route->maintenance);
    json_kv_int(out, "max_context", route->max_context);
    json_kv_str(out, "price_key", route->price_key);
    json_key(out, "arms");
    json_begin_array(out);
    for (size_t i = 0; i < route->n_arms; i++) {
        json_begin_object(out);
        json_kv_str(out, "name", route->arms[i].name);
        json_kv_int(out, "share", route->arms[i].share);
        json_end_object(out);
    }
    json_end_array(out);
    json_key(out, "targets");
    json_begin_array(out);
    for (size_t i = 0; i < route->n_targets; i++)
        put_target(out, route, &route->targets[i]);
    json_end_array(out);
    json_key(out, "fallbacks");
    json_begin_array(out);
    for (size_t i = 0; i < route->n_fallbacks; i++)
        json_put_str(out, route->fallbacks[i]->name);
    json_end_array(out);
    json_end_object(out);
}

static enum err list_routes(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    const struct models_route **routes = NULL;
    size_t n = 0;
    enum err err = models_list(room(req), who->tenant, http_arena(req), &routes, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_int(out, "generation", n ? routes[0]->generation : models_generation(room(req)));
    json_key(out, "items");
    json_begin_array(out);
    for (size_t i = 0; i < n; i++) {
        put_route(out, routes[i]);
        models_route_free(routes[i]);
    }
    json_end_array(out);
    json_end_object(out);
    return ERR_OK;
}

/* ---- the table ---- */

static const struct http_param by_id[] = {{"id", "string", "Id or name", true, true}};
static const struct http_param by_models[] = {
    {"modality", "string", "chat, completion, embedding, rerank, vision or speech", false, false},
    {"kind", "string", "base, industry or scene", false, false},
    {"retired", "boolean", "With those that are retired", false, false},
    {"find", "string", "In name or title", false, false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
    {"limit", "integer", "At most so many, 1 to 1000", false, false}};
static const struct http_param by_upload[] = {
    {"filename", "string", "Name of the file", false, true},
    {"model", "string", "The model it is a version of", false, true},
    {"version", "string", "Label; the next number when missing", false, false},
    {"notes", "string", "Notes", false, false}};

#define N(array) (array), sizeof(array) / sizeof((array)[0])
#define READ     HTTP_SESSION, "model.read"
#define MANAGE   HTTP_SESSION, "model.manage"
#define NONE     NULL, 0
/* List, make, show, change of one noun at /api/<path>. */
#define NOUN(word, path, the)                                                                      \
    {"POST", "/api/" path, MANAGE, BODY, "Make " the, NULL, NULL, NONE, make_##word},              \
        {"GET", "/api/" path "/{id}", READ, 0, "Show " the, NULL, NULL, N(by_id), show_##word},    \
    {                                                                                              \
        "PATCH", "/api/" path "/{id}", MANAGE, BODY, "Change " the, NULL, NULL, N(by_id),          \
            change_##word                                                                          \
    }
#define GONE(word, path, the)                                                                      \
    {                                                                                              \
        "DELETE", "/api/" path "/{id}", MANAGE, 0, "Remove " the, NULL, NULL, N(by_id),            \
            take_away_##word                                                                       \
    }

static const struct http_route routes[] = {
    {"GET", "/api/models", READ, 0, "The models with their versions", NULL, NULL, N(by_models),
     items_model},
    NOUN(model, "models", "a model's card"),
    {"POST", "/api/models/{id}/retire", MANAGE, SMALL,
     "Retire a model; {force, reason} while it is used", NULL, NULL, N(by_id), retire},
    {"GET", "/api/model_files", MANAGE, 0, "GGUF files that can be imported", NULL, NULL, NONE,
     list_files},
    {"POST", "/api/model_files/import", MANAGE, BODY,
     "Import a file of that folder as a job: {path, model, version, store, card ...}", NULL, NULL,
     NONE, import_file},
    {"POST", "/api/model_files/upload", MANAGE, UPLOAD, "Send a file and import it as a job", NULL,
     NULL, N(by_upload), upload, .body_to_file = true},
    {"GET", "/api/model_versions/{id}", READ, 0, "Show a version", NULL, NULL, N(by_id),
     show_version},
    {"PATCH", "/api/model_versions/{id}", MANAGE, BODY,
     "Change a version's tokenizer, evaluations, lineage, notes, context", NULL, NULL, N(by_id),
     change_version},
    {"POST", "/api/model_versions/{id}/verify", MANAGE, SMALL, "Hash the file again, as a job",
     NULL, NULL, N(by_id), verify},
    {"POST", "/api/model_versions/{id}/retire", MANAGE, SMALL,
     "Retire a version; {force, reason} while it is used", NULL, NULL, N(by_id), retire_version},
    {"GET", "/api/aliases", READ, 0, "The aliases", NULL, NULL, NONE, items_alias},
    NOUN(alias, "aliases", "an alias"),
    GONE(alias, "aliases", "an alias"),
    {"POST", "/api/aliases/{id}/rollback", MANAGE, SMALL, "Back to what it was before", NULL, NULL,
     N(by_id), rollback},
    {"GET", "/api/aliases/{id}/history", READ, 0, "All it ever was", NULL, NULL, N(by_id), history},
    {"GET", "/api/endpoints", READ, 0, "The endpoints", NULL, NULL, NONE, items_endpoint},
    NOUN(endpoint, "endpoints", "an endpoint"),
    GONE(endpoint, "endpoints", "an endpoint"),
    {"POST", "/api/endpoints/{id}/test", MANAGE, SMALL,
     "Really ask it; {call: true} calls the model too", NULL, NULL, N(by_id), test_endpoint},
    {"GET", "/api/deployments", READ, 0, "The deployments with their replicas", NULL, NULL, NONE,
     items_deployment},
    NOUN(deployment, "deployments", "a deployment"),
    GONE(deployment, "deployments", "a deployment"),
    {"POST", "/api/deployments/{id}/start", MANAGE, SMALL, "Start it", NULL, NULL, N(by_id),
     verb_of_start},
    {"POST", "/api/deployments/{id}/stop", MANAGE, SMALL,
     "Stop it; what it answers has models.drain to end", NULL, NULL, N(by_id), verb_of_stop},
    {"POST", "/api/deployments/{id}/drain", MANAGE, SMALL,
     "Stop it when all that it answers has ended", NULL, NULL, N(by_id), verb_of_drain},
    {"POST", "/api/deployments/{id}/restart", MANAGE, SMALL, "Replace its engines one by one", NULL,
     NULL, N(by_id), verb_of_restart},
    {"GET", "/api/deployments/{id}/log", READ, 0, "The end of what its engines wrote", NULL, NULL,
     N(by_id), show_log},
    {"GET", "/api/edges", READ, 0, "The engines elsewhere", NULL, NULL, NONE, items_edge},
    NOUN(edge, "edges", "an edge; its token is shown once"),
    GONE(edge, "edges", "an edge"),
    {"POST", "/api/edges/register", HTTP_PUBLIC, NULL, BODY,
     "An engine says where it is, with its token in X-Yicheng-Edge", NULL, NULL, NONE,
     said_by_edge_register},
    {"POST", "/api/edges/heartbeat", HTTP_PUBLIC, NULL, SMALL, "An engine is still there", NULL,
     NULL, NONE, said_by_edge_heartbeat},
    {"POST", "/api/edges/leave", HTTP_PUBLIC, NULL, SMALL, "An engine goes", NULL, NULL, NONE,
     said_by_edge_leave},
    {"GET", "/api/model_routes", READ, 0,
     "What each name means now, where it goes, and how that place is", NULL, NULL, NONE,
     list_routes},
};

const struct http_table *models_routes(struct models *models)
{
    static const struct http_table none = {.room = "models"};
    struct http_table *table = arena_one(models->arena, struct http_table);
    if (!table)
        return &none;
    *table = (struct http_table){
        .room = "models", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = models};
    return table;
}
