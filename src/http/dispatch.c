#include "http/inside.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/log.h"
#include "core/time.h"

static void fail(struct http_request *req, enum err err, const struct why *why)
{
    if (err_http(err) >= 500)
        LOG_AT(err_again(err) ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR, "request failed",
               LOG_STR("method", req->method), LOG_STR("path", req->target.path),
               LOG_S("code", err_code(err)), LOG_S("why", why_text(why, err)),
               LOG_S("trace", req->trace_id));
    response_problem(&req->res, err, why);
}

/* Behind the authorizer. */
static enum err handle(struct http_request *req, struct why *why)
{
    enum err err = request_check_params(req, why);
    if (!err && request_to_file(req))
        err = request_body_flush(req, why);
    return err ? err : req->match.route->route->handle(req, &req->res, why);
}

static enum err run(struct http_request *req, struct why *why)
{
    const struct core *core = req->core;
    const struct http_route *route = req->match.route->route;
    enum err err = ERR_OK;
    if (!route->quick && core->authorize)
        err = core->authorize(core->authorize_ctx, req, route, why);
    else if (route->access != HTTP_PUBLIC)
        err = err_set(why, ERR_UNAUTHENTICATED, "sign in first");
    return err ? err : handle(req, why);
}

void request_answer(struct http_request *req, enum err err, const struct why *why)
{
    if (err)
        fail(req, err, why);
    response_finish(&req->res);
}

/* Whether the answer is there; else whoever holds the request has it. */
static bool conclude(struct http_request *req, enum err err, const struct why *why)
{
    int left = HOLD_ASKED;
    if (err || atomic_load(&req->hold) == HOLD_NONE) {
        held_void(req);
        request_answer(req, err, why);
        return true;
    }
    return !atomic_compare_exchange_strong(&req->hold, &left, HOLD_LEFT);
}

bool request_dispatch(struct http_request *req)
{
    struct why why = {0};
    int64_t waited_ms = (time_mono_ns() - req->queued_ns) / 1000000;
    enum err err;
    if (atomic_load(&req->core->cutting))
        err = err_set(&why, ERR_UNAVAILABLE, "the centre is stopping");
    else if (req->queued_ns && waited_ms > req->core->limits.waiting_ms)
        err = err_set(&why, ERR_BUSY, "waited %lld ms for a worker", (long long)waited_ms);
    else
        err = run(req, &why);
    return conclude(req, err, &why);
}

bool request_dispatch_here(struct http_request *req, bool *ready)
{
    const struct core *core = req->core;
    const struct http_route *route = req->match.route->route;
    struct why why = {0};
    enum err err = ERR_OK;
    if (!route->here || !core->authorize_here || request_to_file(req) ||
        atomic_load(&core->cutting) || !route->here(req) ||
        !core->authorize_here(core->authorize_ctx, req, route, &err, &why))
        return false;
    *ready = conclude(req, err ? err : handle(req, &why), &why);
    return true;
}

/* Static files are for whoever asks; an address with slashes in disguise names none. */
static bool send_asset(struct http_request *req)
{
    struct http_asset asset = {0};
    if (!req->core->asset || req->target.slashes ||
        !(str_eq_c(req->method, "GET") || req->head_only))
        return false;
    if (!req->core->asset(req->target.path.ptr, &asset))
        return false;
    response_asset(&req->res, &asset);
    return true;
}

static void send_options(struct http_request *req, const char *allow)
{
    char text[96];
    (void)snprintf(text, sizeof text, "%s%sOPTIONS", allow, allow[0] ? ", " : "");
    http_set_header(&req->res, "Allow", text);
    http_status(&req->res, 204);
}

bool request_dispatch_quick(struct http_request *req)
{
    struct why why = {0};
    const struct router_match *match = &req->match;
    if (match->route) {
        if (!match->route->route->quick)
            return false;
        return request_dispatch(req);
    }
    if (match->allow[0] && str_eq_c(req->method, "OPTIONS")) {
        send_options(req, match->allow);
    } else if (match->allow[0]) {
        http_set_header(&req->res, "Allow", match->allow);
        fail(req, err_set(&why, ERR_METHOD, "this address takes %s", match->allow), &why);
    } else if (!send_asset(req)) {
        fail(req, err_set(&why, ERR_NOT_FOUND, "there is nothing at this address"), &why);
    }
    response_finish(&req->res);
    return true;
}
