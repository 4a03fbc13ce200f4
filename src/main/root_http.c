#include "main/root_http.h"

#include <stdio.h>
#include <string.h>

#include "core/metric.h"
#include "main/assets.h"

/* ---- health ---- */

static enum err health(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_send(res, "application/json",
              STR("{\"status\":\"ok\",\"version\":\"" YICHENG_VERSION "\"}"));
    return ERR_OK;
}

/* Ready means that the database answers: a balancer sends no requests here while it does not. */
static enum err ready(struct http_request *req, struct http_response *res, struct why *why)
{
    struct center *c = http_ctx(req);
    struct store_rows rows;
    enum err err = store_ask(c->store, "SELECT 1", STORE_NO_ARGS, http_arena(req), &rows, why);
    if (err)
        return err_set(why, ERR_UNAVAILABLE, "the database does not answer");
    http_send(res, "application/json", STR("{\"status\":\"ready\"}"));
    return ERR_OK;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static enum err metrics(struct http_request *req, struct http_response *res, struct why *why)
{
    const struct ops_identity *who = http_identity(req);
    if (!is_loopback(http_address(req)) && (!who || !ops_may(who, "ops.metrics")))
        return err_set(why, ERR_FORBIDDEN,
                       "metrics are for this machine, or for a key with \"ops.metrics\"");
    struct buf out;
    buf_init(&out, http_arena(req));
    metric_write(&out);
    enum err err = buf_err(&out, why);
    if (!err)
        http_send(res, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out));
    return err;
}

static const struct http_route routes[] = {
    {.method = "GET",
     .path = "/health",
     .access = HTTP_PUBLIC,
     .summary = "Whether the process lives",
     .handle = health,
     .quick = true},
    {.method = "GET",
     .path = "/ready",
     .access = HTTP_PUBLIC,
     .summary = "Whether requests can be served",
     .handle = ready},
    {.method = "GET",
     .path = "/metrics",
     .access = HTTP_PUBLIC,
     .summary = "Prometheus metrics, for this machine or a key with ops.metrics",
     .handle = metrics},
};

const struct http_table *root_routes(struct center *center)
{
    static struct http_table table = {
        .room = "main", .routes = routes, .n = sizeof routes / sizeof routes[0]};
    table.ctx = center;
    return &table;
}

/* ---- files ---- */

static const char no_console[] =
    "<!doctype html><html lang=\"zh-CN\"><meta charset=\"utf-8\"><title>一城</title>"
    "<h1>一城 Yicheng</h1><p>服务已启动，但本程序构建时未包含网页界面。请安装 Node.js 后执行 "
    "<code>make console</code> 并重新构建；接口与命令行可照常使用。</p>"
    "<p>The centre runs, but was built without its pages. Install Node.js, run <code>make "
    "console</code> and "
    "build again; the API and the commands work as they are.</p></html>";

/* Which page serves a path of the browser's own making. */
static const char *page_of(const char *path)
{
    if (strcmp(path, "/") == 0)
        return "/index.html";
    if (strcmp(path, "/console") == 0 || strncmp(path, "/console/", 9) == 0)
        return "/console.html";
    return strncmp(path, "/doc/", 5) == 0 ? "/doc.html" : path;
}

bool root_asset(const char *path, struct http_asset *out)
{
    const char *page = page_of(path);
    const struct asset *asset = asset_find(str_c(path));
    if (!asset)
        asset = asset_find(str_c(page));
    if (asset) {
        *out = (struct http_asset){asset->bytes, asset->gzip, asset->content_type, asset->etag,
                                   asset->immutable};
        return true;
    }
    if (n_assets > 0 || page == path)
        return false;
    *out = (struct http_asset){.bytes = {no_console, sizeof no_console - 1},
                               .content_type = "text/html; charset=utf-8"};
    return true;
}
