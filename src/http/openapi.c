#include "http/inside.h"

#include <stdio.h>
#include <string.h>

#define PROBLEM_SCHEMA                                                                             \
    "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"code\",\"detail\","        \
    "\"trace_id\"],\"properties\":{\"type\":{\"type\":\"string\"},\"title\":{\"type\":"            \
    "\"string\"},\"status\":{\"type\":\"integer\"},\"code\":{\"type\":\"string\"},\"detail\":"     \
    "{\"type\":\"string\"},\"hint\":{\"type\":\"string\"},\"trace_id\":{\"type\":\"string\"}}}"

/* "GET /api/jobs/{id}/log" -> "get_api_jobs_by_id_log" */
static void put_operation_id(struct json_out *out, const struct http_route *route,
                             struct arena *arena)
{
    struct buf id;
    buf_init(&id, arena);
    for (const char *p = route->method; *p; p++)
        buf_char(&id, (char)(*p | 0x20));
    for (const char *p = route->path; *p; p++) {
        bool plain =
            (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        if (*p == '{')
            buf_add_c(&id, "by_");
        else if (*p != '}')
            buf_char(&id, plain ? *p : '_');
    }
    json_kv_str(out, "operationId", buf_str(&id));
}

static void put_kind(struct json_out *out, const char *kind)
{
    bool format = strcmp(kind, "date") == 0 || strcmp(kind, "uuid") == 0;
    json_key(out, "schema");
    json_begin_object(out);
    json_kv_c(out, "type", format ? "string" : kind);
    if (format)
        json_kv_c(out, "format", kind);
    json_end_object(out);
}

static void put_param(struct json_out *out, struct str name, const struct http_param *param,
                      bool in_path)
{
    json_begin_object(out);
    json_kv_str(out, "name", name);
    json_kv_c(out, "in", in_path ? "path" : "query");
    json_kv_bool(out, "required", in_path || (param && param->required));
    if (param && param->summary)
        json_kv_said(out, "description", str_c(param->summary));
    put_kind(out, param && param->kind ? param->kind : "string");
    json_end_object(out);
}

static const struct http_param *find_param(const struct http_route *route, struct str name)
{
    for (size_t i = 0; i < route->n_params; i++)
        if (str_eq_c(name, route->params[i].name))
            return &route->params[i];
    return NULL;
}

static bool in_path(const char *path, const char *name)
{
    const char *at = path;
    size_t len = strlen(name);
    while ((at = strchr(at, '{')))
        if (strncmp(++at, name, len) == 0 && at[len] == '}')
            return true;
    return false;
}

/* Those of the path in their order, declared or not; then those of the query. */
static void put_params(struct json_out *out, const struct http_route *route)
{
    json_key(out, "parameters");
    json_begin_array(out);
    for (const char *open = strchr(route->path, '{'); open; open = strchr(open + 1, '{')) {
        struct str name = {open + 1, strcspn(open + 1, "}")};
        put_param(out, name, find_param(route, name), true);
    }
    for (size_t i = 0; i < route->n_params; i++)
        if (!in_path(route->path, route->params[i].name))
            put_param(out, str_c(route->params[i].name), &route->params[i], false);
    json_end_array(out);
}

static void put_content(struct json_out *out, const char *type, const char *schema)
{
    json_key(out, "content");
    json_begin_object(out);
    json_key(out, type);
    json_begin_object(out);
    json_key(out, "schema");
    json_put_raw(out, str_c(schema));
    json_end_object(out);
    json_end_object(out);
}

static void put_body(struct json_out *out, const struct http_route *route)
{
    char words[64];
    if (route->body_limit == 0)
        return;
    (void)snprintf(words, sizeof words, "At most %zu bytes", route->body_limit);
    json_key(out, "requestBody");
    json_begin_object(out);
    json_kv_c(out, "description", words);
    if (route->body_to_file)
        put_content(out, "application/octet-stream", "{\"type\":\"string\",\"format\":\"binary\"}");
    else
        put_content(out, "application/json",
                    route->request_schema ? route->request_schema : "{\"type\":\"object\"}");
    json_end_object(out);
}

static void put_responses(struct json_out *out, const struct http_table *table,
                          const struct http_route *route)
{
    json_key(out, "responses");
    json_begin_object(out);
    json_key(out, "2XX");
    json_begin_object(out);
    json_kv_c(out, "description", "Done");
    if (route->response_schema)
        put_content(out, "application/json", route->response_schema);
    json_end_object(out);
    json_key(out, "default");
    json_begin_object(out);
    if (table->problem) {
        json_kv_c(out, "description", "An error");
        put_content(out, "application/json", "{\"type\":\"object\"}");
    } else {
        json_kv_c(out, "$ref", "#/components/responses/Problem");
    }
    json_end_object(out);
    json_end_object(out);
}

/* A session cookie or a key; on public addresses also nobody. */
static void put_security(struct json_out *out, const struct http_route *route)
{
    json_key(out, "security");
    json_put_raw(out, route->quick                   ? STR("[]")
                      : route->access == HTTP_PUBLIC ? STR("[{},{\"session\":[]},{\"key\":[]}]")
                                                     : STR("[{\"session\":[]},{\"key\":[]}]"));
    if (route->permission)
        json_kv_c(out, "x-permission", route->permission);
}

static enum err check_schema(const char *schema, const struct http_route *route,
                             struct arena *arena, struct why *why)
{
    const struct json *value;
    if (!schema)
        return ERR_OK;
    enum err err = json_parse(str_c(schema), arena, &value, why);
    if (err)
        err_prefix(why, "schema of %s %s: ", route->method, route->path);
    return err;
}

static enum err put_operation(struct json_out *out, const struct http_table *table,
                              const struct http_route *route, struct arena *arena, struct why *why)
{
    char method[16] = "";
    enum err err = check_schema(route->request_schema, route, arena, why);
    if (!err)
        err = check_schema(route->response_schema, route, arena, why);
    if (err)
        return err;
    for (size_t i = 0; i < sizeof method - 1 && route->method[i]; i++)
        method[i] = (char)(route->method[i] | 0x20);
    json_key(out, method);
    json_begin_object(out);
    put_operation_id(out, route, arena);
    json_kv_said(out, "summary", str_c(route->summary ? route->summary : ""));
    json_key(out, "tags");
    json_begin_array(out);
    json_put_c(out, table->room);
    json_end_array(out);
    put_params(out, route);
    put_body(out, route);
    put_responses(out, table, route);
    put_security(out, route);
    json_end_object(out);
    return ERR_OK;
}

/* Routes of one path stand together behind the first of them. */
static enum err put_path(struct json_out *out, const struct http_table *tables, size_t n,
                         const char *path, struct arena *arena, struct why *why)
{
    json_key(out, path);
    json_begin_object(out);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < tables[t].n; i++) {
            const struct http_route *route = &tables[t].routes[i];
            enum err err = ERR_OK;
            if (strcmp(route->path, path) == 0)
                err = put_operation(out, &tables[t], route, arena, why);
            if (err)
                return err;
        }
    json_end_object(out);
    return ERR_OK;
}

static bool seen(const struct http_table *tables, size_t t, size_t i)
{
    const char *path = tables[t].routes[i].path;
    for (size_t a = 0; a <= t; a++)
        for (size_t b = 0; b < (a == t ? i : tables[a].n); b++)
            if (strcmp(tables[a].routes[b].path, path) == 0)
                return true;
    return false;
}

static enum err put_paths(struct json_out *out, const struct http_table *tables, size_t n,
                          struct arena *arena, struct why *why)
{
    json_key(out, "paths");
    json_begin_object(out);
    for (size_t t = 0; t < n; t++)
        for (size_t i = 0; i < tables[t].n; i++) {
            if (seen(tables, t, i))
                continue;
            enum err err = put_path(out, tables, n, tables[t].routes[i].path, arena, why);
            if (err)
                return err;
        }
    json_end_object(out);
    return ERR_OK;
}

static void put_components(struct json_out *out)
{
    json_key(out, "components");
    json_put_raw(
        out,
        STR("{\"securitySchemes\":{\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":"
            "\"yicheng_session\",\"description\":\"State-changing calls also send X-CSRF-Token\"},"
            "\"key\":{\"type\":\"http\",\"scheme\":\"bearer\"}},\"schemas\":{"
            "\"Problem\":" PROBLEM_SCHEMA
            "},\"responses\":{\"Problem\":{\"description\":\"An error (RFC 9457)\","
            "\"content\":{\"application/problem+json\":{\"schema\":{\"$ref\":"
            "\"#/components/schemas/Problem\"}}}}}}"));
}

/* The summaries of routes and parameters in Chinese: whole lines, so that no error looks like one.
 */
static const struct {
    struct str said, zh;
} summaries[] = {
#define WORDS(said, zh) {STR_INIT(said), STR_INIT(zh)},
#include "http/words_zh_api.def"
#undef WORDS
};

static bool say_in_chinese(struct str words, struct buf *said)
{
    for (size_t i = 0; i < sizeof summaries / sizeof summaries[0]; i++)
        if (str_eq(words, summaries[i].said)) {
            buf_add(said, summaries[i].zh);
            return true;
        }
    return false;
}

enum err http_openapi(const struct http_table *tables, size_t n, const char *language,
                      struct buf *out, struct why *why)
{
    struct json_out json;
    struct arena *arena = arena_new((size_t)64 << 20);
    if (!arena)
        return err_set(why, ERR_NO_MEMORY, "could not hold the description of the API");
    json_out_init(&json, out);
    json.say = strcmp(language, "zh") == 0 ? say_in_chinese : NULL;
    json_begin_object(&json);
    json_kv_c(&json, "openapi", "3.1.0");
    json_key(&json, "info");
    json_begin_object(&json);
    json_kv_c(&json, "title", "Yicheng (一城)");
    json_kv_c(&json, "version", YICHENG_VERSION);
    json_end_object(&json);
    enum err err = put_paths(&json, tables, n, arena, why);
    arena_free(arena);
    if (err)
        return err;
    put_components(&json);
    json_end_object(&json);
    return buf_err(out, why);
}
