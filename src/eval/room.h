/*
 * eval/room - what eval.c and eval_http.c share; not for other rooms.
 */
#ifndef EVAL_ROOM_H
#define EVAL_ROOM_H

#include "core/hash.h"
#include "eval/eval.h"

struct eval {
    struct eval_room_opts opts;
    struct http_table *table; /* made by eval_routes, freed by eval_close */
};

/* ERR_INVALID names the first line that is not a question; *n counts them. */
ERR_MUST_USE enum err eval_check_questions(struct str text, size_t *n, struct why *why);

/* Whether a line is a question or a conversation; *n questions of it. */
ERR_MUST_USE enum err eval_check_line(const struct json *line, size_t *n, struct why *why);

/* Keeps the questions and queues the job, in one transaction. */
ERR_MUST_USE enum err eval_start(struct eval *eval, const struct ops_identity *who, struct str kb,
                                 struct str name, struct str questions, struct arena *arena,
                                 char id[UUID_TEXT], char job[UUID_TEXT], struct why *why);

#endif
