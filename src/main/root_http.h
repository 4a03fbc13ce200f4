/*
 * main/root_http - the routes of no room (health, readiness, metrics) and the embedded files.
 */
#ifndef MAIN_ROOT_HTTP_H
#define MAIN_ROOT_HTTP_H

#include "http/http.h"
#include "main/center.h"

/* One table for the process. */
const struct http_table *root_routes(struct center *center);

/* For http_opts.asset: the console, the residents' pages and what they load. */
bool root_asset(const char *path, struct http_asset *out);

#endif
