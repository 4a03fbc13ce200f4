/* The server alone, for bench/http.sh: /health answered on the event thread, /work by a worker,
 * /file from the disk, /static as an asset. Prints its port and runs until its input ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/arena.h"
#include "core/conf.h"
#include "core/log.h"
#include "http/http.h"

static enum err health(struct http_request *req, struct http_response *res, struct why *why)
{
    (void)req, (void)why;
    http_send(res, "application/json", STR("{\"status\":\"ok\"}"));
    return ERR_OK;
}

static const struct http_route routes[] = {
    {.method = "GET", .path = "/health", .quick = true, .handle = health},
    {.method = "GET", .path = "/work", .handle = health},
};
static const struct http_table table = {.room = "bench", .routes = routes, .n = 2};

static char page[16384];

static bool asset(const char *path, struct http_asset *out)
{
    (void)path;
    *out = (struct http_asset){
        .bytes = {page, sizeof page}, .content_type = "text/plain", .etag = "fixed"};
    return true;
}

int main(int argc, char **argv)
{
    const char *sets[16] = {"http.port=0", "http.access_log=false",
                            "http.connections_per_address=100000"};
    size_t n = 3;
    struct http_opts opts = {.tables = &table, .n_tables = 1, .asset = asset};
    struct http_server *server;
    struct why why = {0};
    struct arena *arena = arena_new(1 << 20);
    char c;
    for (int i = 1; i < argc && n < 16; i++)
        sets[n++] = argv[i];
    memset(page, 'p', sizeof page);
    enum err err = conf_load(&http_conf, 1, NULL, sets, n, arena, &opts.conf, &why);
    if (!err)
        err = http_start(&opts, &server, &why);
    if (err) {
        (void)fprintf(stderr, "serve_http: %s\n", why.text);
        return 1;
    }
    printf("%d\n", http_port(server));
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        ;
    http_stop(server, 1000);
    arena_free(arena);
    return 0;
}
