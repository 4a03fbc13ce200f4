/* yicheng openapi: the description of the API, and the permission matrix. */
#include <stdio.h>

#include "core/arena.h"
#include "main/command.h"
#include "main/root_http.h"

static enum err write_out(struct center *c, bool matrix, const char *language, struct why *why)
{
    struct http_table tables[CENTER_MOST_TABLES];
    struct buf out;
    buf_init(&out, c->arena);
    size_t n = center_routes(c, tables);
    tables[n] = *root_routes(c);
    n++;
    enum err err = matrix ? ops_matrix(&out, why) : http_openapi(tables, n, language, &out, why);
    if (!err)
        printf("%.*s\n", STR_FMT(buf_str(&out)));
    return err;
}

static int run(const struct center_opts *opts, int argc, char **argv)
{
    struct why why = {0};
    struct center center;
    bool matrix = command_flag(&argc, argv, "--permissions");
    const char *language = command_option(&argc, argv, "--language");
    if (command_rest(argc, argv, 0, 0, &why))
        return command_usage(&command_openapi);
    enum err err = center_open(opts, CENTER_ALL, &center, &why);
    if (!err) {
        err = write_out(&center, matrix, language ? language : "en", &why);
        center_close(&center);
    }
    return err ? command_fail("openapi", err, &why) : 0;
}

const struct command command_openapi = {
    .name = "openapi",
    .usage = "[--language zh|en] [--permissions]",
    .summary = "Print the OpenAPI description of the API, or the permission matrix of the roles",
    .run = run,
};
