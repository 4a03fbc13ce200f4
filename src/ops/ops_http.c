/* The routes of the room, and the authorizer in front of every route of every room. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/time.h"
#include "http/http.h"
#include "ledger/ledger.h"
#include "ops/ops_in.h"

#define COOKIE "yicheng_session"

/* ---- the authorizer ---- */

static bool changes_state(struct http_request *req)
{
    struct str method = http_method(req);
    return !str_eq_c(method, "GET") && !str_eq_c(method, "HEAD") && !str_eq_c(method, "OPTIONS");
}

/* Takes a token of the limit, or says in words which limit it was and when there will be one. */
static enum err take(struct ops *ops, struct http_request *req, const char *kind, struct str key,
                     int64_t per_minute, const char *words, struct why *why)
{
    int64_t wait = limiter_take(ops->limiter, kind, key, per_minute, per_minute, 1, time_now_ms());
    if (wait == 0)
        return ERR_OK;
    http_retry_after(req, (wait + 999) / 1000);
    err_hint(why, "try again in %lld s", (long long)(wait + 999) / 1000);
    return err_set(why, ERR_RATE_LIMITED, "%s: more than %lld requests a minute", words,
                   (long long)per_minute);
}

static enum err limit_address(struct ops *ops, struct http_request *req, struct why *why)
{
    return take(ops, req, "address", str_c(http_address(req)), ops->address_per_minute,
                "the limit of this address without account was reached", why);
}

static bool bearer(struct http_request *req, struct str *key)
{
    struct str header = http_header(req, "Authorization");
    if (header.len < 7 ||
        !str_eq_c(str_lower_ascii(http_arena(req), str_slice(header, 0, 7)), "bearer "))
        return false;
    *key = str_trim(str_from(header, 7));
    return true;
}

static enum err by_key(struct ops *ops, struct http_request *req, struct str key,
                       struct ops_identity *who, struct why *why)
{
    int64_t per_minute;
    enum err err = ops_key_of(ops, key, http_arena(req), who, &per_minute, why);
    if (err == ERR_UNAUTHENTICATED) {
        struct why flood = {0};
        if (limit_address(ops, req, &flood) != ERR_OK) {
            *why = flood;
            return ERR_RATE_LIMITED;
        }
    }
    return err ? err
               : take(ops, req, "key", who->id, per_minute, "the limit of this API key was reached",
                      why);
}

/* Nothing here waits: what is known of the key is in memory, as is the limit. */
bool ops_authorize_here(void *ctx, struct http_request *req, const struct http_route *route,
                        enum err *err, struct why *why)
{
    struct ops *ops = ctx;
    struct str key;
    int64_t per_minute;
    struct ops_identity *who = arena_one(http_arena(req), struct ops_identity);
    if (!who || !bearer(req, &key) || !ops_key_known(ops, key, http_arena(req), who, &per_minute) ||
        (route->permission && !ops_may(who, route->permission))) /* a refusal goes to the ledger */
        return false;
    who->address = str_c(http_address(req));
    who->trace = str_c(http_trace_id(req));
    *err = take(ops, req, "key", who->id, per_minute, "the limit of this API key was reached", why);
    if (!*err)
        http_set_identity(req, who);
    return true;
}

/* While the first password stands nothing opens but the session itself and its change. */
static bool open_before_change(struct http_request *req)
{
    struct str path = http_path(req);
    return str_eq_c(path, "/api/session") || str_eq_c(path, "/api/session/password");
}

/* On a public route a cookie that is not good, or comes without its token, makes a resident. */
static enum err by_cookie(struct ops *ops, struct http_request *req, const struct http_route *route,
                          struct str token, struct ops_identity *who, struct why *why)
{
    struct ops_session session;
    struct why ended = {0};
    bool public = route->access == HTTP_PUBLIC;
    enum err err = ops_session_of(ops, token, http_arena(req), &session, &ended);
    if (err == ERR_UNAUTHENTICATED && public)
        return ERR_OK;
    if (err)
        return err_set(why, err, "%s", why_text(&ended, err));
    bool good =
        !changes_state(req) || secret_equal(http_header(req, "X-CSRF-Token"), str_c(session.csrf));
    if ((!good || session.must_change) && public)
        return ERR_OK;
    if (!good) {
        err_hint(why, "send the csrf_token of GET /api/session as X-CSRF-Token");
        return err_set(why, ERR_FORBIDDEN, "the request does not carry the session's token");
    }
    if (session.must_change && !open_before_change(req)) {
        err_hint(why, "POST /api/session/password");
        return err_set(why, ERR_FORBIDDEN, "the first password must be changed first");
    }
    *who = session.who;
    return take(ops, req, "user", who->id, ops->user_per_minute,
                "the limit of this user was reached", why);
}

static enum err refuse(struct ops *ops, const struct http_route *route,
                       const struct ops_identity *who, struct http_request *req, struct why *why)
{
    enum err err = ops_need(who, route->permission, why);
    char action[64];
    (void)snprintf(action, sizeof action, "http.%s", route->permission);
    ops_audit_refusal(ops, who, action, str_z(http_arena(req), str_slice(http_path(req), 0, 200)),
                      err);
    return err;
}

enum err ops_authorize(void *ctx, struct http_request *req, const struct http_route *route,
                       struct why *why)
{
    struct ops *ops = ctx;
    struct str key, token = http_cookie(req, COOKIE);
    struct ops_identity *who = arena_one(http_arena(req), struct ops_identity);
    enum err err = ERR_OK;
    if (!who)
        return err_set(why, ERR_NO_MEMORY, "could not hold who calls");
    *who = ops_public(OPS_HOME);
    if (bearer(req, &key))
        err = by_key(ops, req, key, who, why);
    else if (token.len)
        err = by_cookie(ops, req, route, token, who, why);
    who->address = str_c(http_address(req));
    who->trace = str_c(http_trace_id(req));
    bool nobody = str_eq_c(who->kind, "public");
    if (!err && nobody)
        err = limit_address(ops, req, why);
    if (!err && nobody && route->access != HTTP_PUBLIC)
        err = err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    if (err)
        return err;
    http_set_identity(req, who);
    if (route->access != HTTP_PUBLIC && route->permission && !ops_may(who, route->permission))
        return refuse(ops, route, who, req, why);
    return ERR_OK;
}

/* ---- common parts of the answers ---- */

static const struct ops_identity *caller(struct http_request *req)
{
    return http_identity(req);
}

static void put_permissions(struct json_out *out, uint64_t bits)
{
    json_key(out, "permissions");
    json_begin_array(out);
    for (size_t i = 0; i < ops_n_permissions(); i++)
        if (bits >> i & 1)
            json_put_c(out, ops_permission(i)->name);
    json_end_array(out);
}

/* "a b" as ["a","b"]. */
static void put_words(struct json_out *out, const char *key, struct str words)
{
    struct str part;
    json_key(out, key);
    json_begin_array(out);
    while (str_next(&words, ' ', &part))
        if (part.len)
            json_put_str(out, part);
    json_end_array(out);
}

/* A member that must be a string when it is there; *out NULL when it is not. */
static enum err text_member(const struct json *body, const char *key, struct arena *arena,
                            const struct str **out, struct why *why)
{
    const struct json *value = json_get(body, key);
    *out = NULL;
    if (!value || json_kind(value) == JSON_KIND_NULL)
        return ERR_OK;
    if (json_kind(value) != JSON_KIND_STRING)
        return err_set(why, ERR_INVALID, "\"%s\" must be a text", key);
    struct str *text = arena_one(arena, struct str);
    if (!text)
        return err_set(why, ERR_NO_MEMORY, "could not read \"%s\"", key);
    *text = json_str(value, STR(""));
    *out = text;
    return ERR_OK;
}

static enum err bool_member(const struct json *body, const char *key, struct arena *arena,
                            const bool **out, struct why *why)
{
    const struct json *value = json_get(body, key);
    *out = NULL;
    if (!value || json_kind(value) == JSON_KIND_NULL)
        return ERR_OK;
    if (json_kind(value) != JSON_KIND_BOOL)
        return err_set(why, ERR_INVALID, "\"%s\" must be true or false", key);
    bool *yes = arena_one(arena, bool);
    if (!yes)
        return err_set(why, ERR_NO_MEMORY, "could not read \"%s\"", key);
    *yes = json_bool(value, false);
    *out = yes;
    return ERR_OK;
}

/* A list of texts; *n 0 when it is missing, *there says whether it stood there. */
static enum err texts_member(const struct json *body, const char *key, size_t most,
                             struct arena *arena, struct str **out, size_t *n, bool *there,
                             struct why *why)
{
    const struct json *value = json_get(body, key);
    *n = 0;
    *out = NULL;
    *there = value && json_kind(value) != JSON_KIND_NULL;
    if (!*there)
        return ERR_OK;
    if (json_kind(value) != JSON_KIND_ARRAY || json_len(value) > most)
        return err_set(why, ERR_INVALID, "\"%s\" must be a list of at most %zu texts", key, most);
    *out = arena_array(arena, struct str, json_len(value));
    if (!*out)
        return err_set(why, ERR_NO_MEMORY, "could not read \"%s\"", key);
    for (size_t i = 0; i < json_len(value); i++) {
        if (json_kind(json_at(value, i)) != JSON_KIND_STRING)
            return err_set(why, ERR_INVALID, "\"%s\" must be a list of texts", key);
        (*out)[(*n)++] = json_str(json_at(value, i), STR(""));
    }
    return ERR_OK;
}

static enum err body_of(struct http_request *req, const struct json **body, struct why *why)
{
    enum err err = http_body_json(req, body, why);
    if (!err && json_kind(*body) != JSON_KIND_OBJECT)
        err = err_set(why, ERR_INVALID, "the body must be a JSON object");
    return err;
}

/* The id in the path as a C string. */
static char *path_id(struct http_request *req)
{
    char *id = str_z(http_arena(req), http_param(req, "id"));
    return id ? id : (char *)"";
}

static enum err no_content(struct http_response *res, enum err err)
{
    if (!err)
        http_status(res, 204);
    return err;
}

/* ---- session ---- */

static enum err put_session(struct ops *ops, struct http_request *req, struct http_response *res,
                            const struct ops_session *session, struct why *why)
{
    struct ops_user user;
    char *id = str_z(http_arena(req), session->who.id);
    enum err err = id ? ops_user_find(ops, &session->who, id, http_arena(req), &user, why)
                      : err_set(why, ERR_NO_MEMORY, "could not read the user");
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_key(out, "user");
    json_begin_object(out);
    json_kv_str(out, "id", user.id);
    json_kv_str(out, "name", user.sign_in_name);
    json_kv_str(out, "display_name", user.display_name);
    json_kv_str(out, "tenant", user.tenant);
    json_kv_str(out, "department", user.department_name);
    json_kv_str(out, "department_id", user.department);
    json_key(out, "roles");
    json_begin_array(out);
    for (size_t i = 0; i < user.n_roles; i++)
        json_put_str(out, user.roles[i]);
    json_end_array(out);
    put_permissions(out, session->who.permissions);
    json_kv_bool(out, "must_change_password", session->must_change);
    json_end_object(out);
    json_kv_c(out, "csrf_token", session->csrf);
    json_kv_time(out, "expires_at", session->expires_ms);
    json_end_object(out);
    return ERR_OK;
}

static void put_cookie(struct ops *ops, struct http_request *req, struct http_response *res,
                       const char *token)
{
    http_set_cookie(res, COOKIE, token, token[0] ? ops->session_life_ms / 1000 : 0,
                    http_secure(req));
}

static enum err sign_in(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops *ops = http_ctx(req);
    const struct json *body;
    struct ops_session session = {0};
    struct str old = http_cookie(req, COOKIE);
    enum err err = body_of(req, &body, why);
    if (!err)
        err = ops_sign_in(ops, json_get_str(body, "name", STR("")),
                          json_get_str(body, "password", STR("")), str_c(http_address(req)),
                          str_c(http_trace_id(req)), old, http_arena(req), &session, why);
    if (err == ERR_RATE_LIMITED)
        http_retry_after(req, (session.retry_ms + 999) / 1000);
    if (err)
        return err;
    put_cookie(ops, req, res, session.token);
    return put_session(ops, req, res, &session, why);
}

/* The session itself: a key has none. */
static enum err own_session(struct http_request *req, struct ops_session *out, struct why *why)
{
    if (!str_eq_c(caller(req)->kind, "user"))
        return err_set(why, ERR_UNAUTHENTICATED, "this is for signed-in users");
    enum err err =
        ops_session_of(http_ctx(req), http_cookie(req, COOKIE), http_arena(req), out, why);
    if (!err) {
        out->who.address = caller(req)->address;
        out->who.trace = caller(req)->trace;
    }
    return err;
}

static enum err show_session(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_session session;
    enum err err = own_session(req, &session, why);
    return err ? err : put_session(http_ctx(req), req, res, &session, why);
}

static enum err sign_out(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_session session;
    enum err err = own_session(req, &session, why);
    if (!err)
        err = ops_sign_out(http_ctx(req), &session, why);
    if (!err)
        put_cookie(http_ctx(req), req, res, "");
    return no_content(res, err);
}

static enum err change_password(struct http_request *req, struct http_response *res,
                                struct why *why)
{
    struct ops_session session;
    const struct json *body;
    enum err err = own_session(req, &session, why);
    if (!err)
        err = body_of(req, &body, why);
    if (!err)
        err = ops_password_change(http_ctx(req), &session.who, json_get_str(body, "old", STR("")),
                                  json_get_str(body, "new", STR("")), why);
    if (err == ERR_RATE_LIMITED)
        http_retry_after(req, 60); /* the rate of tries is 5 a minute */
    if (!err)
        put_cookie(http_ctx(req), req, res, "");
    return no_content(res, err);
}

/* ---- users ---- */

static void put_user(struct json_out *out, const struct ops_user *u)
{
    uint64_t permissions = 0;
    json_begin_object(out);
    json_kv_str(out, "id", u->id);
    json_kv_str(out, "name", u->name);
    json_kv_str(out, "sign_in_name", u->sign_in_name);
    json_kv_str(out, "display_name", u->display_name);
    json_kv_str(out, "tenant", u->tenant);
    json_kv_str(out, "department", u->department_name);
    json_kv_str(out, "department_id", u->department);
    json_key(out, "roles");
    json_begin_array(out);
    for (size_t i = 0; i < u->n_roles; i++) {
        const struct ops_role *role = ops_role_find(u->roles[i]);
        permissions |= role ? role->permissions : 0;
        json_put_str(out, u->roles[i]);
    }
    json_end_array(out);
    put_permissions(out, permissions);
    json_kv_bool(out, "must_change_password", u->must_change);
    json_kv_bool(out, "disabled", u->disabled);
    json_kv_bool(out, "locked", u->locked_until_ms > 0);
    json_kv_time(out, "locked_until", u->locked_until_ms);
    json_kv_time(out, "last_sign_in", u->seen_ms);
    json_kv_time(out, "created_at", u->created_ms);
    json_end_object(out);
}

static enum err list_users(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_user *users;
    size_t n, limit = http_param_limit(req, 50, 1000);
    struct str tenant = http_param(req, "tenant");
    char *after = str_z(http_arena(req), http_param(req, "after"));
    enum err err = ops_user_list(http_ctx(req), caller(req),
                                 tenant.len ? str_z(http_arena(req), tenant) : NULL,
                                 after ? after : "", (int)limit, http_arena(req), &users, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++)
        put_user(out, &users[i]);
    json_end_items(out, n == limit ? users[n - 1].id : STR(""));
    return ERR_OK;
}

static enum err create_user(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct str *roles, id, first;
    struct str tenant, none = STR("");
    bool there;
    struct ops_user_form form = {0};
    struct ops_user user;
    enum err err = body_of(req, &body, why);
    if (!err)
        err = texts_member(body, "roles", OPS_MOST_ROLES, http_arena(req), &roles, &form.n_roles,
                           &there, why);
    if (err)
        return err;
    tenant = json_get_str(body, "tenant", none);
    form.tenant = tenant.len ? str_z(http_arena(req), tenant) : NULL;
    form.name = json_get_str(body, "name", none);
    form.display_name = json_get_str(body, "display_name", none);
    form.department = json_get_str(body, "department_id", none);
    form.password = json_get_str(body, "password", none);
    form.roles = roles;
    err = ops_user_create(http_ctx(req), caller(req), &form, http_arena(req), &id, &first, why);
    if (err)
        return err;
    struct ops_identity system = ops_system(); /* who may make one need not see others */
    err = ops_user_find(http_ctx(req), &system, str_z(http_arena(req), id), http_arena(req), &user,
                        why);
    if (err)
        return err;
    http_status(res, 201);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "id", id);
    json_key(out, "user");
    put_user(out, &user);
    if (first.len)
        json_kv_str(out, "password", first);
    json_end_object(out);
    return ERR_OK;
}

static enum err change_user(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct ops_user_change change = {0};
    struct str *roles;
    struct arena *arena = http_arena(req);
    enum err err = body_of(req, &body, why);
    if (!err)
        err = text_member(body, "display_name", arena, &change.display_name, why);
    if (!err)
        err = text_member(body, "department_id", arena, &change.department, why);
    if (!err)
        err = bool_member(body, "disabled", arena, &change.disabled, why);
    if (!err)
        err = texts_member(body, "roles", OPS_MOST_ROLES, arena, &roles, &change.n_roles,
                           &change.set_roles, why);
    if (err)
        return err;
    change.roles = roles;
    return no_content(res, ops_user_change(http_ctx(req), caller(req), path_id(req), &change, why));
}

static enum err reset_password(struct http_request *req, struct http_response *res, struct why *why)
{
    struct str password;
    enum err err =
        ops_user_reset(http_ctx(req), caller(req), path_id(req), http_arena(req), &password, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "password", password);
    json_end_object(out);
    return ERR_OK;
}

static enum err unlock_user(struct http_request *req, struct http_response *res, struct why *why)
{
    return no_content(res, ops_user_unlock(http_ctx(req), caller(req), path_id(req), why));
}

static enum err list_roles(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; ops_role(i); i++) {
        const struct ops_role *role = ops_role(i);
        json_begin_object(out);
        json_kv_c(out, "name", role->name);
        json_kv_c(out, "title", role->title);
        json_kv_c(out, "title_en", role->title_en);
        put_permissions(out, role->permissions);
        json_kv_c(out, "exclusive_group", role->group[0] ? role->group : NULL);
        json_kv_bool(out, "by_tenant", role->by_tenant);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

/* ---- departments, tenants ---- */

static enum err list_departments(struct http_request *req, struct http_response *res,
                                 struct why *why)
{
    struct ops_department *items;
    size_t n;
    enum err err =
        ops_department_list(http_ctx(req), caller(req), http_arena(req), &items, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++) {
        const struct json *info = NULL;
        if (json_parse(items[i].info, http_arena(req), &info, NULL) != ERR_OK)
            info = NULL;
        json_begin_object(out);
        json_kv_str(out, "id", items[i].id);
        json_kv_str(out, "code", items[i].code);
        json_kv_str(out, "name", items[i].name);
        json_kv_str(out, "short_name", items[i].short_name);
        json_kv_str(out, "kind", items[i].kind);
        json_kv_str(out, "phone", json_get_str(info, "phone", STR("")));
        json_kv_int(out, "n_users", items[i].n_users);
        json_key(out, "info");
        json_put_value(out, info);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

static enum err put_department(struct http_request *req, struct http_response *res, struct str id,
                               struct why *why)
{
    const struct json *body;
    struct str none = STR(""), made;
    struct ops_department d = {.id = id};
    enum err err = body_of(req, &body, why);
    if (err)
        return err;
    d.code = json_get_str(body, "code", none);
    d.name = json_get_str(body, "name", none);
    d.short_name = json_get_str(body, "short_name", none);
    d.kind = json_get_str(body, "kind", none);
    if (json_get(body, "info"))
        err = json_dump(json_get(body, "info"), http_arena(req), &d.info, why);
    if (!err)
        err = ops_department_put(http_ctx(req), caller(req), &d, http_arena(req), &made, why);
    if (err)
        return err;
    http_status(res, id.len ? 200 : 201);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_str(out, "id", made);
    json_end_object(out);
    return ERR_OK;
}

static enum err create_department(struct http_request *req, struct http_response *res,
                                  struct why *why)
{
    return put_department(req, res, STR(""), why);
}

static enum err change_department(struct http_request *req, struct http_response *res,
                                  struct why *why)
{
    return put_department(req, res, http_param(req, "id"), why);
}

static enum err list_tenants(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_tenant *items;
    size_t n;
    enum err err = ops_tenant_list(http_ctx(req), caller(req), http_arena(req), &items, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        json_kv_str(out, "id", items[i].id);
        json_kv_str(out, "name", items[i].name);
        json_kv_str(out, "title", items[i].title);
        json_kv_bool(out, "disabled", items[i].disabled);
        json_kv_time(out, "created_at", items[i].created_ms);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

static enum err create_tenant(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct str id;
    enum err err = body_of(req, &body, why);
    if (!err)
        err = ops_tenant_create(http_ctx(req), caller(req), json_get_str(body, "name", STR("")),
                                json_get_str(body, "title", STR("")), http_arena(req), &id, why);
    if (err)
        return err;
    http_created(res, id);
    return ERR_OK;
}

static enum err change_tenant(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    const struct str *title;
    const bool *disabled;
    enum err err = body_of(req, &body, why);
    if (!err)
        err = text_member(body, "title", http_arena(req), &title, why);
    if (!err)
        err = bool_member(body, "disabled", http_arena(req), &disabled, why);
    if (!err)
        err = ops_tenant_change(http_ctx(req), caller(req), path_id(req), title, disabled, why);
    return no_content(res, err);
}

/* ---- keys ---- */

static void put_key(struct json_out *out, const struct ops_key *k)
{
    json_kv_str(out, "id", k->id);
    json_kv_str(out, "name", k->name);
    json_kv_str(out, "prefix", k->prefix);
    json_kv_str(out, "user", k->user);
    put_words(out, "permissions", k->permissions);
    put_words(out, "knowledge_bases", k->bases);
    json_kv_int(out, "requests_per_minute", k->requests_per_minute);
    json_kv_time(out, "created_at", k->created_ms);
    json_kv_time(out, "expires_at", k->expires_ms);
    json_kv_time(out, "revoked_at", k->revoked_ms);
    json_kv_bool(out, "revoked", k->revoked_ms > 0);
}

static enum err list_keys(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops_key *items;
    size_t n;
    enum err err = ops_key_list(http_ctx(req), caller(req), http_arena(req), &items, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(out);
        put_key(out, &items[i]);
        json_end_object(out);
    }
    json_end_items(out, STR(""));
    return ERR_OK;
}

/* ["a","b"] as "a b"; a name with a space in it would become two. */
static enum err joined(const struct json *body, const char *key, struct arena *arena,
                       struct str *out, struct why *why)
{
    struct str *texts;
    size_t n;
    bool there;
    struct buf buf;
    enum err err = texts_member(body, key, 100, arena, &texts, &n, &there, why);
    buf_init(&buf, arena);
    for (size_t i = 0; i < n && !err; i++) {
        if (str_find_char(texts[i], ' ') != STR_NPOS)
            err = err_set(why, ERR_INVALID, "a name in \"%s\" has a space in it", key);
        if (i)
            buf_char(&buf, ' ');
        buf_add(&buf, texts[i]);
    }
    if (!err)
        err = buf_err(&buf, why);
    if (!err)
        *out = n ? buf_str(&buf) : STR("");
    return err;
}

static enum err create_key(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct json *body;
    struct ops_key_form form = {0};
    struct ops_key made;
    struct str key, expires;
    enum err err = body_of(req, &body, why);
    if (!err)
        err = joined(body, "permissions", http_arena(req), &form.permissions, why);
    if (!err)
        err = joined(body, "knowledge_bases", http_arena(req), &form.bases, why);
    if (err)
        return err;
    expires = json_get_str(body, "expires_at", STR(""));
    if (expires.len && !time_parse(expires, &form.expires_ms))
        return err_set(why, ERR_INVALID,
                       "\"expires_at\" must be a time such as "
                       "2027-01-31T00:00:00+08:00");
    form.name = json_get_str(body, "name", STR(""));
    form.requests_per_minute = json_get_int(body, "requests_per_minute", 0);
    err = ops_key_create(http_ctx(req), caller(req), &form, http_arena(req), &made, &key, why);
    if (err)
        return err;
    http_status(res, 201);
    struct json_out *out = http_json(res);
    json_begin_object(out);
    put_key(out, &made);
    json_kv_str(out, "key", key);
    json_end_object(out);
    return ERR_OK;
}

static enum err revoke_key(struct http_request *req, struct http_response *res, struct why *why)
{
    return no_content(res, ops_key_revoke(http_ctx(req), caller(req), path_id(req), why));
}

/* ---- audit, city ---- */

/* A time, or a day: its beginning, or its end. */
static enum err time_param(struct http_request *req, const char *name, bool end, int64_t *out,
                           struct why *why)
{
    struct str text = http_param(req, name);
    int32_t day;
    *out = 0;
    if (text.len == 0 || time_parse(text, out))
        return ERR_OK;
    if (!day_parse(text, &day))
        return err_set(why, ERR_INVALID, "\"%s\" must be a day or a time", name);
    *out = end ? day_start_ms(day + 1) - 1 : day_start_ms(day);
    return ERR_OK;
}

static enum err actor_param(struct http_request *req, const char **out, struct why *why)
{
    struct ops_identity system = ops_system();
    struct ops_user user;
    struct why none = {0};
    struct str text = http_param(req, "actor");
    *out = text.len ? str_z(http_arena(req), text) : NULL;
    if (text.len && !*out)
        return err_set(why, ERR_NO_MEMORY, "could not read the filter");
    /* What people type is a name. */
    if (text.len && str_find_char(text, ':') == STR_NPOS &&
        ops_user_named(http_ctx(req), &system, text, http_arena(req), &user, &none) == ERR_OK)
        *out = str_printf(http_arena(req), "user:%.*s", STR_FMT(user.id)).ptr;
    return ERR_OK;
}

static const char *text_param(struct http_request *req, const char *name)
{
    struct str text = http_param(req, name);
    return text.len ? str_z(http_arena(req), text) : NULL;
}

static void put_entry(struct json_out *out, struct ops *ops, const struct ledger_entry *e,
                      struct arena *arena)
{
    json_begin_object(out);
    json_kv_int(out, "number", e->number);
    json_kv_time(out, "time", e->time_ms);
    json_kv_str(out, "tenant", e->tenant);
    json_kv_str(out, "actor", e->actor);
    json_kv_str(out, "actor_name", ops_actor_name(ops, e->actor, arena));
    json_kv_str(out, "address", e->address);
    json_kv_str(out, "action", e->action);
    json_kv_str(out, "object", e->object);
    json_kv_str(out, "result", e->result);
    json_kv_str(out, "trace", e->trace);
    json_key(out, "detail");
    json_put_raw(out, e->detail.len ? e->detail : STR("{}"));
    json_kv_str(out, "sha256", e->sha256);
    json_end_object(out);
}

static enum err list_audit(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops *ops = http_ctx(req);
    struct ledger_entry *items;
    size_t n;
    struct ledger_filter filter = {.tenant = ops_every_tenant(caller(req))
                                                 ? NULL
                                                 : str_z(http_arena(req), caller(req)->tenant),
                                   .action = text_param(req, "action"),
                                   .object = text_param(req, "object"),
                                   .before = http_param_int(req, "before", 0),
                                   .limit = (int)http_param_limit(req, 50, 500)};
    enum err err = actor_param(req, &filter.actor, why);
    if (!err)
        err = time_param(req, "from", false, &filter.from_ms, why);
    if (!err)
        err = time_param(req, "to", true, &filter.to_ms, why);
    if (!err)
        err = ledger_list(ops->store, &filter, http_arena(req), &items, &n, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_items(out);
    for (size_t i = 0; i < n; i++)
        put_entry(out, ops, &items[i], http_arena(req));
    bool more = n == (size_t)filter.limit && items[n - 1].number > 1;
    json_end_items(out, more ? str_printf(http_arena(req), "%lld", (long long)items[n - 1].number)
                             : STR(""));
    return ERR_OK;
}

static enum err check_audit(struct http_request *req, struct http_response *res, struct why *why)
{
    struct ops *ops = http_ctx(req);
    struct ledger_report report;
    enum err err = ledger_check(ops->store, text_param(req, "head"), &report, why);
    if (err)
        return err;
    struct json_out *out = http_json(res);
    json_begin_object(out);
    json_kv_int(out, "n_entries", report.n_entries);
    json_kv_int(out, "first_bad", report.first_bad);
    json_kv_c(out, "words", report.words);
    json_kv_c(out, "head_sha256", report.head_sha256);
    json_kv_c(out, "head_sm3", report.head_sm3);
    json_end_object(out);
    return ERR_OK;
}

static enum err show_city(struct http_request *req, struct http_response *res, struct why *why)
{
    struct str json;
    enum err err = ops_city(http_ctx(req), http_arena(req), &json, why);
    if (!err)
        http_send(res, "application/json; charset=utf-8", json);
    return err;
}

/* ---- the table ---- */

#define TEXT(name)  "\"" name "\":{\"type\":\"string\"}"
#define TEXTS(name) "\"" name "\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}"
#define BOOL(name)  "\"" name "\":{\"type\":\"boolean\"}"
#define OBJECT(members, required)                                                                  \
    "{\"type\":\"object\",\"properties\":{" members "},\"required\":[" required "]}"

#define SMALL 65536

static const struct http_param by_id[] = {{"id", "string", "Identifier", true, true}};
static const struct http_param user_list[] = {
    {"tenant", "string", "Another tenant, for the centre's administrators", false, false},
    {"after", "string", "Cursor: the next of the page before", false, false},
    {"limit", "integer", "Most items", false, false}};
static const struct http_param audit_list[] = {
    {"actor", "string", "Actor (user:<id>) or a user's name", false, false},
    {"action", "string", "Action; may end in *", false, false},
    {"object", "string", "Object", false, false},
    {"from", "string", "Day or time", false, false},
    {"to", "string", "Day or time", false, false},
    {"before", "integer", "Entries with a smaller number", false, false},
    {"limit", "integer", "Most items", false, false}};
static const struct http_param audit_check[] = {
    {"head", "string", "SHA-256 of a head noted earlier, which must be in the chain", false,
     false}};

#define N(array) (array), sizeof(array) / sizeof((array)[0])
#define OPEN     HTTP_PUBLIC, NULL
#define ANYBODY  HTTP_SESSION, NULL
#define ONLY(p)  HTTP_SESSION, p

static const struct http_route routes[] = {
    {"POST", "/api/session", OPEN, SMALL, "Sign in; sets the session cookie",
     OBJECT(TEXT("name") "," TEXT("password"), "\"name\",\"password\""), NULL, NULL, 0, sign_in},
    {"GET", "/api/session", ANYBODY, 0, "Who is signed in, and the CSRF token", NULL, NULL, NULL, 0,
     show_session},
    {"DELETE", "/api/session", ANYBODY, SMALL, "Sign out", NULL, NULL, NULL, 0, sign_out},
    {"POST", "/api/session/password", ANYBODY, SMALL,
     "Change the own password; ends every session of the user",
     OBJECT(TEXT("old") "," TEXT("new"), "\"old\",\"new\""), NULL, NULL, 0, change_password},
    {"GET", "/api/users", ONLY("ops.user.read"), 0, "Users of the tenant", NULL, NULL, N(user_list),
     list_users},
    {"POST", "/api/users", ONLY("ops.user.manage"), SMALL,
     "Make a user; the first password is in the answer, once",
     OBJECT(TEXT("name") "," TEXT("display_name") "," TEXT("department_id") "," TEXT(
                "password") "," TEXT("tenant") "," TEXTS("roles"),
            "\"name\""),
     NULL, NULL, 0, create_user},
    {"PATCH", "/api/users/{id}", ONLY("ops.user.read"), SMALL,
     "Change a user (ops.user.manage) or what roles he holds (ops.role.grant)",
     OBJECT(TEXT("display_name") "," TEXT("department_id") "," TEXTS("roles") "," BOOL("disabled"),
            ""),
     NULL, N(by_id), change_user},
    {"POST", "/api/users/{id}/password_reset", ONLY("ops.user.manage"), SMALL,
     "A new first password, shown once", NULL, NULL, N(by_id), reset_password},
    {"POST", "/api/users/{id}/unlock", ONLY("ops.user.manage"), SMALL,
     "End the lock after failed sign-ins", NULL, NULL, N(by_id), unlock_user},
    {"GET", "/api/roles", ANYBODY, 0, "Roles and their permissions", NULL, NULL, NULL, 0,
     list_roles},
    {"GET", "/api/departments", ANYBODY, 0, "Departments of the tenant", NULL, NULL, NULL, 0,
     list_departments},
    {"POST", "/api/departments", ONLY("ops.user.manage"), SMALL, "Make a department",
     OBJECT(TEXT("code") "," TEXT("name") "," TEXT("short_name") "," TEXT("kind"),
            "\"code\",\"name\""),
     NULL, NULL, 0, create_department},
    {"PATCH", "/api/departments/{id}", ONLY("ops.user.manage"), SMALL, "Change a department",
     OBJECT(TEXT("code") "," TEXT("name") "," TEXT("short_name") "," TEXT("kind"), ""), NULL,
     N(by_id), change_department},
    {"GET", "/api/tenants", ANYBODY, 0, "Tenants: all for who manages them, else the own", NULL,
     NULL, NULL, 0, list_tenants},
    {"POST", "/api/tenants", ONLY("ops.tenant.manage"), SMALL, "Make a tenant",
     OBJECT(TEXT("name") "," TEXT("title"), "\"name\",\"title\""), NULL, NULL, 0, create_tenant},
    {"PATCH", "/api/tenants/{id}", ONLY("ops.tenant.manage"), SMALL, "Change or disable a tenant",
     OBJECT(TEXT("title") "," BOOL("disabled"), ""), NULL, N(by_id), change_tenant},
    {"GET", "/api/keys", ONLY("ops.key.manage"), 0,
     "API keys: the own ones, all of the tenant for who grants roles", NULL, NULL, NULL, 0,
     list_keys},
    {"POST", "/api/keys", ONLY("ops.key.manage"), SMALL, "Make an API key, shown once",
     OBJECT(TEXT("name") "," TEXTS("permissions") "," TEXTS("knowledge_bases") "," TEXT(
                "expires_at") ",\"requests_per_minute\":{\"type\":\"integer\"}",
            "\"name\",\"permissions\""),
     NULL, NULL, 0, create_key},
    {"DELETE", "/api/keys/{id}", ONLY("ops.key.manage"), SMALL, "Revoke an API key", NULL, NULL,
     N(by_id), revoke_key},
    {"GET", "/api/audit", ONLY("ops.audit.read"), 0, "The ledger, newest first", NULL, NULL,
     N(audit_list), list_audit},
    {"GET", "/api/audit/check", ONLY("ops.audit.read"), 0, "Recompute the whole chain", NULL, NULL,
     N(audit_check), check_audit},
    {"GET", "/api/city", OPEN, 0, "What the pages show of the city", NULL, NULL, NULL, 0,
     show_city},
};

const struct http_table *ops_routes(struct ops *ops)
{
    struct http_table *table = arena_one(ops->arena, struct http_table);
    static const struct http_table none = {.room = "ops"};
    if (!table) /* 64 KiB for some hundred bytes: only when called without end */
        return &none;
    *table = (struct http_table){
        .room = "ops", .routes = routes, .n = sizeof routes / sizeof routes[0], .ctx = ops};
    return table;
}
