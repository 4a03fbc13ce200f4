/*
 * gateway - the OpenAI-shaped door: /v1/models and /v1/chat/completions.
 *
 * Its first part serves the knowledge bases as models `kb:<name>`; routes to language models,
 * quotas and metering join with the model centre.
 *
 * Threads: any. The handlers keep no state but the request's.
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "core/err.h"

struct gateway;
struct http_table;
struct knowledge;
struct ops;
struct store;

struct gateway_opts {
    struct store *store;
    struct ops *ops;
    struct knowledge *knowledge;
};

ERR_MUST_USE enum err gateway_open(const struct gateway_opts *opts, struct gateway **out,
                                   struct why *why);
void gateway_close(struct gateway *gateway); /* NULL is fine */

/* Lives as long as the gateway. */
const struct http_table *gateway_routes(struct gateway *gateway);

#endif
