/*
 * engine/serve - what the files of the engine's server share: the engine, and an answer under way.
 *
 * A request is read and its prompt made on a worker of http (engine_http.c); then it is held and
 * costs no thread. The decode loop tells its sink (live.c), which only copies and queues. Whoever
 * reads the queue makes the answer: the stream's thread (live_stream.c), or for a request without a
 * stream the one finisher thread (live.c).
 */
#ifndef ENGINE_SERVE_H
#define ENGINE_SERVE_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/json.h"
#include "engine/api.h"
#include "engine/chat.h"
#include "engine/guard.h"
#include "http/http.h"

struct queue;
struct dialect_response;

struct engine {
    struct arena *arena; /* what opts points to */
    struct run *run;
    struct guard *guard;
    struct http_server *server;
    struct http_table table;
    struct queue *finished; /* of struct live, for the finisher */
    pthread_t finisher;
    bool finishing;
    atomic_bool draining;
    atomic_uint_fast64_t requests; /* taken since the start */
    atomic_size_t n_live;          /* answers under way */
    struct str alias, bos;
    struct str controls; /* the texts of all control tokens, '\0' behind each */
    bool control_begins[256];
    const char *token;      /* NULL: none is asked for */
    const char *chat_words; /* why there is no chat; NULL: there is */
    int64_t started;
};

/* ---- an answer under way ---- */

struct live;

/* An event of the loop, copied: one allocation. */
struct live_piece {
    struct live_piece *next;
    enum run_event_kind kind;
    uint32_t choice; /* of the whole answer */
    enum run_finish finish;
    struct str text;
    struct api_logprob *tokens;
    size_t n_tokens;
    float *vector;
    size_t n_vector;
};

struct live_part { /* one run_call: a prompt with its choices */
    struct live *live;
    uint32_t first; /* its choice 0 in the whole answer */
    struct run_call *call;
    bool done;
};

enum live_kind { LIVE_TEXT, LIVE_EMBED, LIVE_RERANK };

struct live {
    struct engine *engine;
    struct http_request *req;
    struct http_response *res;
    struct arena *arena; /* the request's */
    enum live_kind kind;

    /* Set before it is submitted. */
    struct api_ask ask;
    struct api_answer answer;
    struct chat_reader **readers; /* of each choice; NULL: the text is the content */
    struct api_embed embed;
    struct api_rerank rerank;
    float **vectors; /* of each input */
    size_t *n_vectors;

    /* Under the lock. */
    pthread_mutex_t lock;
    struct live_piece *first, **last;
    struct live_part *parts;
    size_t n_parts, n_done;
    bool submitted, answering, gone;
    enum err err;
    struct why why;

    /* Of whoever reads the queue. */
    bool *begun;         /* of each choice: its first chunk was sent */
    size_t *offsets;     /* of each choice: bytes of content so far */
    bool opened, closed; /* the stream's first and last words were said */
    struct dialect_response *responses;
};

/* A live in the request's arena, nothing submitted. NULL without memory. */
struct live *live_new(struct engine *engine, struct http_request *req, struct http_response *res);

/*
 * Submits one run_request for each part and holds the request; what comes then is the live's own.
 * On an error nothing is under way any more and the caller answers.
 */
ERR_MUST_USE enum err live_submit(struct live *live, const struct run_request *requests,
                                  size_t n_parts, struct why *why);

/* The queue's first piece, or NULL; *over: there will be no more. live_drop gives it back. */
struct live_piece *live_take(struct live *live, bool *over);
void live_drop(struct live_piece *piece);

/* Adds a piece to its choice (whole answers): deltas, logprobs, vectors, the end. */
ERR_MUST_USE enum err live_collect(struct live *live, const struct live_piece *piece,
                                   struct why *why);
ERR_MUST_USE enum err live_add_logprobs(struct live *live, const struct live_piece *piece,
                                        struct why *why);
ERR_MUST_USE enum err live_add_delta(struct live *live, uint32_t choice,
                                     const struct chat_delta *delta, struct why *why);
bool live_ignores(const struct live *live, const struct chat_delta *delta);
/* "stop", "length" or "tool_calls". */
const char *live_finish(const struct live *live, const struct live_piece *piece);

/* The whole answer of what was collected. */
ERR_MUST_USE enum err live_write(struct live *live, struct json_out *out, struct why *why);

/* The stream's `next` and `done`; ctx is the live. */
http_next_fn live_next;
void live_done(void *live);

/* The finisher's thread; ctx is the engine. */
void *live_finisher(void *engine);

/* The Responses API. */
ERR_MUST_USE enum err responses_write(struct live *live, struct json_out *out, struct why *why);
ERR_MUST_USE enum err responses_open(struct live *live, struct buf *out, struct why *why);
ERR_MUST_USE enum err responses_delta(struct live *live, const struct chat_delta *delta,
                                      struct buf *out, struct why *why);
ERR_MUST_USE enum err responses_close(struct live *live, struct buf *out, struct why *why);

/* ---- the server ---- */

/* Fills table and controls; needs run and guard. */
ERR_MUST_USE enum err engine_routes(struct engine *engine, struct why *why);
enum err engine_authorize(void *engine, struct http_request *req, const struct http_route *route,
                          struct why *why);

#endif
