/* annotate/annotate_http - the routes of annotation projects and items. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "annotate/room.h"
#include "core/file.h"
#include "core/hash.h"
#include "http/http.h"

#define BODY   ((size_t)2 << 20)
#define UPLOAD ((size_t)1 << 30)

struct call {
    struct annotate *annotate;
    struct annotate_ask ask;
    int64_t revision;
    const struct json *body;
};

static void begin(struct call *c, struct http_request *req, struct http_response *res)
{
    *c = (struct call){.annotate = http_ctx(req), .revision = -1};
    c->ask = (struct annotate_ask){.who = http_identity(req),
                                   .arena = http_arena(req),
                                   .out = res ? http_json(res) : NULL,
                                   .if_match = -1,
                                   .revision = &c->revision};
}

static enum err begin_body(struct call *c, struct http_request *req, struct http_response *res,
                           struct why *why)
{
    begin(c, req, res);
    return http_body_json(req, &c->body, why);
}

static struct str id_of(struct http_request *req)
{
    return http_param(req, "id");
}

static void put_etag(const struct call *c, struct http_response *res)
{
    char tag[40];
    (void)snprintf(tag, sizeof tag, "\"%lld\"", (long long)c->revision);
    if (c->revision >= 0)
        http_set_header(res, "ETag", tag);
}

static enum err read_if_match(struct http_request *req, struct call *c, struct why *why)
{
    struct str tag = str_trim(http_header(req, "If-Match"));
    if (tag.len > 2 && tag.ptr[0] == '"' &&
        !str_to_i64(str_slice(tag, 1, tag.len - 1), &c->ask.if_match))
        return err_set(why, ERR_PRECONDITION, "If-Match does not hold an ETag of this project");
    return ERR_OK;
}

/* ---- projects ---- */

static enum err list_projects(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    return annotate_list(c.annotate, &c.ask, http_param(req, "after"),
                         http_param_limit(req, 50, 200), why);
}

static enum err create_project(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    if (!err)
        err = annotate_create(c.annotate, &c.ask, c.body, why);
    if (!err)
        http_status(res, 201);
    return err;
}

static enum err show_project(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    enum err err = annotate_show(c.annotate, &c.ask, id_of(req), why);
    put_etag(&c, res);
    return err;
}

static enum err change_project(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    if (!err)
        err = read_if_match(req, &c, why);
    if (!err)
        err = annotate_change(c.annotate, &c.ask, id_of(req), c.body, why);
    put_etag(&c, res);
    return err;
}

static enum err list_people(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    return annotate_people(c.annotate, &c.ask, why);
}

static enum err put_member(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err
               : annotate_member(c.annotate, &c.ask, id_of(req), http_param(req, "user"), c.body,
                                 why);
}

static enum err handover(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err
               : annotate_handover(c.annotate, &c.ask, id_of(req),
                                   json_get_str(c.body, "from", STR("")),
                                   json_get_str(c.body, "to", STR("")), why);
}

static enum err statistics(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    return annotate_statistics(c.annotate, &c.ask, id_of(req), why);
}

static enum err list_items(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    return annotate_items(c.annotate, &c.ask, id_of(req), http_param(req, "state"),
                          http_param_int(req, "after", 0), http_param_limit(req, 20, 200), why);
}

static enum err prelabel(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    if (!err)
        err = annotate_prelabel(c.annotate, &c.ask, id_of(req), c.body, why);
    if (!err)
        http_status(res, 202);
    return err;
}

static enum err finish(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    if (!err)
        err = annotate_result(c.annotate, &c.ask, id_of(req), c.body, why);
    if (!err)
        http_status(res, 202);
    return err;
}

/* ---- work ---- */

static enum err work(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    int64_t n = json_get_int(c.body, "n", 1);
    return err ? err : annotate_work(c.annotate, &c.ask, id_of(req), n > 0 ? (size_t)n : 1, why);
}

static enum err undo(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    return annotate_undo(c.annotate, &c.ask, id_of(req), why);
}

static enum err draft(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err
               : annotate_draft(c.annotate, &c.ask, id_of(req), json_get(c.body, "answer"), why);
}

static enum err submit(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err : annotate_submit(c.annotate, &c.ask, id_of(req), c.body, why);
}

static enum err skip(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err
               : annotate_skip(c.annotate, &c.ask, id_of(req),
                               json_get_str(c.body, "reason", STR("")), why);
}

/* ---- review ---- */

static enum err next_review(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err
               : annotate_next_review(c.annotate, &c.ask, id_of(req),
                                      json_get_bool(c.body, "disputed", false), why);
}

static enum err show_item(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    begin(&c, req, res);
    return annotate_item(c.annotate, &c.ask, id_of(req), why);
}

static enum err verdict(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err : annotate_verdict(c.annotate, &c.ask, id_of(req), c.body, why);
}

static enum err adjudicate(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err : annotate_adjudicate(c.annotate, &c.ask, id_of(req), c.body, why);
}

static enum err gold(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    enum err err = begin_body(&c, req, res, why);
    return err ? err : annotate_gold(c.annotate, &c.ask, id_of(req), c.body, why);
}

static enum err image(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    struct str bytes;
    const char *type;
    begin(&c, req, NULL);
    enum err err =
        annotate_image(c.annotate, &c.ask, id_of(req), http_param(req, "show"), &bytes, &type, why);
    if (!err)
        http_send(res, type, bytes);
    return err;
}

/* ---- files ---- */

static enum err temp_file(struct call *c, char **path, int *fd, struct why *why)
{
    char id[UUID_TEXT];
    char *dir =
        str_z(c->ask.arena, str_printf(c->ask.arena, "%s/uploads", c->annotate->opts.data_dir));
    *path = dir ? str_z(c->ask.arena, str_printf(c->ask.arena, "%s/annotate-%s", dir, uuid7(id)))
                : NULL;
    if (!*path)
        return err_set(why, ERR_NO_MEMORY, "could not make a file");
    enum err err = file_make_dirs(dir, why);
    if (err)
        return err;
    *fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return *fd < 0 ? err_errno(why, "could not make file \"%s\"", *path) : ERR_OK;
}

/* Written to a file whose name goes as soon as the answer has it open. */
static enum err export_file(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    char *path = NULL;
    int fd = -1;
    struct str format = http_param(req, "format");
    bool config = str_eq_c(format, "config");
    if (format.len && !config && !str_eq_c(format, "label_studio"))
        return err_set(why, ERR_INVALID, "\"format\" is label_studio or config");
    begin(&c, req, NULL);
    enum err err = temp_file(&c, &path, &fd, why);
    if (err)
        return err;
    err = annotate_export(c.annotate, &c.ask, id_of(req), config, fd, why);
    (void)close(fd);
    if (!err)
        err = http_send_file(res, path, config ? "application/xml" : "application/json",
                             config ? "label-studio.xml" : "label-studio.json", why);
    (void)unlink(path);
    return err;
}

static enum err upload(struct http_request *req, struct http_response *res, struct why *why)
{
    struct call c;
    char id[UUID_TEXT];
    const char *body = http_body_path(req);
    begin(&c, req, res);
    enum err err = ops_need(c.ask.who, "annotate.manage", why);
    if (!err && !body)
        err = err_set(why, ERR_INVALID, "the request has no file");
    (void)uuid7(id);
    char *dir =
        str_z(c.ask.arena, str_printf(c.ask.arena, "%s/uploads", c.annotate->opts.data_dir));
    char *path =
        dir ? str_z(c.ask.arena, str_printf(c.ask.arena, "%s/annotate-%s.json", dir, id)) : NULL;
    if (!err && !path)
        err = err_set(why, ERR_NO_MEMORY, "could not keep the upload");
    if (!err)
        err = file_make_dirs(dir, why);
    if (!err)
        err = file_rename(body, path, why);
    if (err)
        return err;
    json_begin_object(c.ask.out);
    json_kv_c(c.ask.out, "upload", id);
    json_end_object(c.ask.out);
    return ERR_OK;
}

/* {"upload", "title", "dataset", "config"?, "overlap"?, "review"?, "collection"?} */
static enum err import(struct http_request *req, struct http_response *res, struct why *why)
{
    static const char *const members[] = {"title",   "dataset", "config",
                                          "overlap", "review",  "collection"};
    struct call c;
    struct buf buf;
    struct json_out out;
    const struct json *spec = NULL;
    enum err err = begin_body(&c, req, res, why);
    struct str upload = json_get_str(c.body, "upload", STR(""));
    if (!err && !uuid_valid(upload))
        err = err_set(why, ERR_INVALID, "\"upload\" is what /api/annotation_uploads answered");
    if (err)
        return err;
    buf_init(&buf, c.ask.arena);
    json_out_init(&out, &buf);
    json_begin_object(&out);
    json_kv_str(&out, "path",
                str_printf(c.ask.arena, "%s/uploads/annotate-%.*s.json", c.annotate->opts.data_dir,
                           STR_FMT(upload)));
    json_kv_bool(&out, "upload", true);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_get(c.body, members[i])) {
            json_key(&out, members[i]);
            json_put_value(&out, json_get(c.body, members[i]));
        }
    json_end_object(&out);
    err = buf_err(&buf, why);
    if (!err)
        err = json_parse(buf_str(&buf), c.ask.arena, &spec, why);
    if (!err)
        err = annotate_import(c.annotate, &c.ask, spec, why);
    if (!err)
        http_status(res, 202);
    return err;
}

/* ---- the table ---- */

#define OBJECT "{\"type\":\"object\"}"
#define CREATE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"title\",\"dataset\"],\"properties\":{\"title\":{"        \
    "\"type\":\"string\"},\"dataset\":{\"type\":\"string\"},\"version\":{\"type\":\"integer\"},"   \
    "\"labels\":{\"type\":\"object\"},\"studio_config\":{\"type\":\"string\"},\"guidelines\":{"    \
    "\"type\":\"string\"},\"overlap\":{\"type\":\"integer\"},\"review\":{\"type\":\"integer\"},"   \
    "\"lease_minutes\":{\"type\":\"integer\"},\"gold_every\":{\"type\":\"integer\"},"              \
    "\"pass_mark\":{\"type\":\"integer\"},\"separate\":{\"type\":\"boolean\"},\"limit\":{"         \
    "\"type\":\"integer\"},\"spread\":{\"type\":\"boolean\"},\"filter\":{\"type\":\"string\"},"    \
    "\"gold\":{\"type\":\"object\"},\"prelabel\":{\"type\":\"object\"}}}"
#define MEMBER_SCHEMA                                                                              \
    "{\"type\":\"object\",\"properties\":{\"work\":{\"type\":\"boolean\"},\"review\":{\"type\":"   \
    "\"boolean\"},\"suspended\":{\"type\":\"boolean\"},\"exam\":{\"enum\":[\"again\",\"pass\"]}}}"
#define HANDOVER_SCHEMA                                                                            \
    "{\"type\":\"object\",\"required\":[\"from\",\"to\"],\"properties\":{\"from\":{\"type\":"      \
    "\"string\"},\"to\":{\"type\":\"string\"}}}"
#define WORK_SCHEMA "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}"
#define ANSWER_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"answer\"],\"properties\":{\"answer\":{\"type\":"         \
    "\"object\"},\"spent_ms\":{\"type\":\"integer\"},\"comment\":{\"type\":\"string\"}}}"
#define SKIP_SCHEMA                                                                                \
    "{\"type\":\"object\",\"required\":[\"reason\"],\"properties\":{\"reason\":{\"type\":"         \
    "\"string\"}}}"
#define VERDICT_SCHEMA                                                                             \
    "{\"type\":\"object\",\"required\":[\"action\"],\"properties\":{\"action\":{\"enum\":["        \
    "\"accept\",\"fix\",\"return\"]},\"label\":{\"type\":\"string\"},\"answer\":{\"type\":"        \
    "\"object\"},\"comment\":{\"type\":\"string\"}}}"
#define DECIDE_SCHEMA                                                                              \
    "{\"type\":\"object\",\"properties\":{\"label\":{\"type\":\"string\"},\"answer\":{\"type\":"   \
    "\"object\"},\"unusable\":{\"type\":\"boolean\"},\"comment\":{\"type\":\"string\"}}}"
#define REVIEW_SCHEMA "{\"type\":\"object\",\"properties\":{\"disputed\":{\"type\":\"boolean\"}}}"
#define RESULT_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"dataset\"],\"properties\":{\"dataset\":{\"type\":"       \
    "\"string\"},\"title\":{\"type\":\"string\"}}}"
#define IMPORT_SCHEMA                                                                              \
    "{\"type\":\"object\",\"required\":[\"upload\",\"dataset\"],\"properties\":{\"upload\":{"      \
    "\"type\":\"string\"},\"title\":{\"type\":\"string\"},\"dataset\":{\"type\":\"string\"},"      \
    "\"config\":{\"type\":\"string\"},\"overlap\":{\"type\":\"integer\"},\"review\":{\"type\":"    \
    "\"integer\"},\"collection\":{\"type\":\"object\"}}}"

static const struct http_param list_params[] = {
    {"limit", "integer", "At most so many, 50 unless told", false, false},
    {"after", "string", "The cursor \"next\" of the page before", false, false},
};
static const struct http_param project_param[] = {
    {"id", "uuid", "The project", true, true},
};
static const struct http_param member_params[] = {
    {"id", "uuid", "The project", true, true},
    {"user", "string", "Id of the user, or the name to sign in with", true, true},
};
static const struct http_param items_params[] = {
    {"id", "uuid", "The project", true, true},
    {"state", "string", "open, review, disputed, final, unusable, gold or exam", false, false},
    {"limit", "integer", "At most so many, 20 unless told", false, false},
    {"after", "integer", "The cursor \"next\" of the page before", false, false},
};
static const struct http_param export_params[] = {
    {"id", "uuid", "The project", true, true},
    {"format", "string", "label_studio (tasks as JSON) or config (XML)", false, false},
};
static const struct http_param item_param[] = {
    {"id", "string", "The item: <project>.<number>", true, true},
};
static const struct http_param image_params[] = {
    {"id", "string", "The item: <project>.<number>", true, true},
    {"show", "string", "Name of the member that is shown", false, true},
};
static const struct http_param upload_params[] = {
    {"filename", "string", "What the file is called", false, false},
};

#define WITH(permit) .access = HTTP_SESSION, .permission = (permit)
#define PROJECTS     "/api/annotation_projects"
#define ITEMS        "/api/annotation_items/{id}"

static const struct http_route routes[] = {
    {.method = "GET",
     .path = PROJECTS,
     WITH(NULL),
     .summary = "Annotation projects: all for who manages them, else those one has a place in",
     HTTP_PARAMS(list_params),
     .handle = list_projects},
    {.method = "POST",
     .path = PROJECTS,
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Make a project over a version of a data set; a job makes its items",
     .request_schema = CREATE_SCHEMA,
     .handle = create_project},
    {.method = "GET",
     .path = PROJECTS "/{id}",
     WITH(NULL),
     .summary = "A project with its label set, guidelines, counts and people",
     HTTP_PARAMS(project_param),
     .handle = show_project},
    {.method = "PATCH",
     .path = PROJECTS "/{id}",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Change settings, guidelines, labels or state",
     .request_schema = OBJECT,
     HTTP_PARAMS(project_param),
     .handle = change_project},
    {.method = "GET",
     .path = "/api/annotation_people",
     WITH("annotate.manage"),
     .summary = "Who may annotate or review in this tenant",
     .handle = list_people},
    {.method = "PUT",
     .path = PROJECTS "/{id}/members/{user}",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Give or take a place in a project; another try at its exam",
     .request_schema = MEMBER_SCHEMA,
     HTTP_PARAMS(member_params),
     .handle = put_member},
    {.method = "POST",
     .path = PROJECTS "/{id}/handover",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "What lies with one person goes to another",
     .request_schema = HANDOVER_SCHEMA,
     HTTP_PARAMS(project_param),
     .handle = handover},
    {.method = "GET",
     .path = PROJECTS "/{id}/statistics",
     WITH(NULL),
     .summary = "People, their speed and accuracy, and how far they agree",
     HTTP_PARAMS(project_param),
     .handle = statistics},
    {.method = "GET",
     .path = PROJECTS "/{id}/items",
     WITH(NULL),
     .summary = "Items of a project by state",
     HTTP_PARAMS(items_params),
     .handle = list_items},
    {.method = "POST",
     .path = PROJECTS "/{id}/prelabels",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Suggest answers by a member, terms, patterns or a model; a job",
     .request_schema = OBJECT,
     HTTP_PARAMS(project_param),
     .handle = prelabel},
    {.method = "POST",
     .path = PROJECTS "/{id}/results",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Make a data-set version of what is final; a job",
     .request_schema = RESULT_SCHEMA,
     HTTP_PARAMS(project_param),
     .handle = finish},
    {.method = "GET",
     .path = PROJECTS "/{id}/export",
     WITH("annotate.manage"),
     .summary = "The project as Label Studio's tasks, or its configuration",
     HTTP_PARAMS(export_params),
     .handle = export_file},
    {.method = "POST",
     .path = PROJECTS "/{id}/work",
     WITH("annotate.work"),
     .body_limit = BODY,
     .summary = "The next items for the caller, handed to nobody else meanwhile",
     .request_schema = WORK_SCHEMA,
     HTTP_PARAMS(project_param),
     .handle = work},
    {.method = "POST",
     .path = PROJECTS "/{id}/undo",
     WITH("annotate.work"),
     .body_limit = BODY,
     .summary = "Take the caller's last submission back",
     .request_schema = OBJECT,
     HTTP_PARAMS(project_param),
     .handle = undo},
    {.method = "POST",
     .path = PROJECTS "/{id}/review",
     WITH("annotate.review"),
     .body_limit = BODY,
     .summary = "The next item to review, or with disputed the next to decide",
     .request_schema = REVIEW_SCHEMA,
     HTTP_PARAMS(project_param),
     .handle = next_review},
    {.method = "GET",
     .path = ITEMS,
     WITH(NULL),
     .summary = "An item with all that people said about it",
     HTTP_PARAMS(item_param),
     .handle = show_item},
    {.method = "GET",
     .path = ITEMS "/image",
     WITH(NULL),
     .summary = "The picture of an item",
     HTTP_PARAMS(image_params),
     .handle = image},
    {.method = "PUT",
     .path = ITEMS "/draft",
     WITH("annotate.work"),
     .body_limit = BODY,
     .summary = "Keep a draft and the item for longer",
     .request_schema = ANSWER_SCHEMA,
     HTTP_PARAMS(item_param),
     .handle = draft},
    {.method = "POST",
     .path = ITEMS "/submit",
     WITH("annotate.work"),
     .body_limit = BODY,
     .summary = "Submit an answer",
     .request_schema = ANSWER_SCHEMA,
     HTTP_PARAMS(item_param),
     .handle = submit},
    {.method = "POST",
     .path = ITEMS "/skip",
     WITH("annotate.work"),
     .body_limit = BODY,
     .summary = "Say why this item cannot be answered",
     .request_schema = SKIP_SCHEMA,
     HTTP_PARAMS(item_param),
     .handle = skip},
    {.method = "POST",
     .path = ITEMS "/verdict",
     WITH("annotate.review"),
     .body_limit = BODY,
     .summary = "Accept, fix or return what was submitted",
     .request_schema = VERDICT_SCHEMA,
     HTTP_PARAMS(item_param),
     .handle = verdict},
    {.method = "POST",
     .path = ITEMS "/adjudicate",
     WITH("annotate.review"),
     .body_limit = BODY,
     .summary = "Decide a disagreement",
     .request_schema = DECIDE_SCHEMA,
     HTTP_PARAMS(item_param),
     .handle = adjudicate},
    {.method = "PUT",
     .path = ITEMS "/gold",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Make an item gold, a part of the exam, or ordinary again",
     .request_schema = OBJECT,
     HTTP_PARAMS(item_param),
     .handle = gold},
    {.method = "POST",
     .path = "/api/annotation_uploads",
     WITH("annotate.manage"),
     .body_limit = UPLOAD,
     .body_to_file = true,
     .summary = "Give a file of Label Studio's tasks",
     HTTP_PARAMS(upload_params),
     .handle = upload},
    {.method = "POST",
     .path = "/api/annotation_imports",
     WITH("annotate.manage"),
     .body_limit = BODY,
     .summary = "Make a data set and a project of an uploaded file; a job",
     .request_schema = IMPORT_SCHEMA,
     .handle = import},
};

const struct http_table *annotate_routes(struct annotate *annotate)
{
    struct http_table *table = annotate->table ? annotate->table : calloc(1, sizeof *table);
    static const struct http_table none = {.room = "annotate"};
    if (!table)
        return &none;
    *table = (struct http_table){.room = "annotate",
                                 .routes = routes,
                                 .n = sizeof routes / sizeof routes[0],
                                 .ctx = annotate};
    annotate->table = table;
    return table;
}
