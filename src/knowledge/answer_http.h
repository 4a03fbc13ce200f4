/*
 * knowledge/answer_http - the routes of asking and learning; their ctx is the struct knowledge.
 */
#ifndef KNOWLEDGE_ANSWER_HTTP_H
#define KNOWLEDGE_ANSWER_HTTP_H

#include "http/http.h"

extern const struct http_route answer_routes[];
extern const size_t answer_n_routes;

#endif
