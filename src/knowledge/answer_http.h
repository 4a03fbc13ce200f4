/*
 * knowledge/answer_http - the routes of asking and learning, and who asks; their ctx is the struct
 * knowledge.
 */
#ifndef KNOWLEDGE_ANSWER_HTTP_H
#define KNOWLEDGE_ANSWER_HTTP_H

#include "http/http.h"
#include "knowledge/knowledge.h"

extern const struct http_route answer_routes[];
extern const size_t answer_n_routes;

/* Who asks: the one who is signed in, else a resident, who reads what is public in the home tenant
 * and for whom *resident is filled. */
const struct ops_identity *knowledge_asker(struct http_request *req, struct ops_identity *resident);

#endif
