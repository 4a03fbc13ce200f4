/*
 * dialect - the shapes of the OpenAI API that more than one room writes.
 *
 * Place in the layers: above core; the engine (one model) and the gateway (many) answer in them.
 * Pure.
 *
 * A response of the Responses API is made of what comes: text, reasoning and calls, in any order
 * and in pieces of any size. With a sink each piece becomes events at once; without one, what came
 * is kept and written as one object. Both go through the same items.
 *
 * Source: the OpenAI API reference (Responses, streaming events; error codes), and what the
 * client from npm ("openai", version 6) reads, which tests/clients holds it against.
 */
#ifndef DIALECT_DIALECT_H
#define DIALECT_DIALECT_H

#include "core/json.h"
#include "core/str.h"

/*
 * {"error": {...}} with the types and codes that OpenAI's clients know.
 *   param  the member that is wrong, or NULL
 *   code   says more than the error's own, or NULL
 */
void dialect_error(struct json_out *out, enum err err, const struct why *why, const char *param,
                   const char *code);

/* ---- a response ---- */

struct dialect_usage { /* tokens; `known` false: written as null */
    int64_t prompt, completion, cached;
    bool known;
};

/* Gets one event; an error ends the stream and is returned by whoever said it. */
typedef enum err dialect_emit(void *ctx, struct str name, struct str data, struct why *why);
struct dialect_sink {
    dialect_emit *emit;
    void *ctx;
};

struct dialect_response_opts {
    struct str id;    /* without "resp_"; the items' ids are made of its first 40 bytes */
    struct str model; /* as the client shall see it */
    int64_t created;  /* seconds */
    /* Writes the members that tell back what was asked ("tools", "temperature" ...). */
    void (*put_asked)(void *ctx, struct json_out *out);
    void *ctx;
};

struct dialect_response;

/* `opts` is copied, what it points to is borrowed. NULL without memory. */
struct dialect_response *dialect_response_new(const struct dialect_response_opts *opts,
                                              struct arena *arena);

#define DIALECT_MOST_CALLS 128 /* of one response */

/*
 * What comes. `sink` NULL: kept only; else the same kind of sink at every call for one response.
 *   open      the stream's first events, once; the others do it when it was not called
 *   text      a piece of the message; empty: nothing
 *   thought   a piece of the reasoning; empty: nothing
 *   call      a piece of the arguments of call `index`; the first for an index begins the call
 *             with its id (empty: one is made) and name, which are copied
 *   Errors    ERR_NO_MEMORY, ERR_TOO_LARGE (index), what the sink returned
 */
ERR_MUST_USE enum err dialect_response_open(struct dialect_response *r,
                                            const struct dialect_sink *sink, struct why *why);
ERR_MUST_USE enum err dialect_response_text(struct dialect_response *r,
                                            const struct dialect_sink *sink, struct str piece,
                                            struct why *why);
ERR_MUST_USE enum err dialect_response_thought(struct dialect_response *r,
                                               const struct dialect_sink *sink, struct str piece,
                                               struct why *why);
ERR_MUST_USE enum err dialect_response_call(struct dialect_response *r,
                                            const struct dialect_sink *sink, size_t index,
                                            struct str id, struct str name, struct str piece,
                                            struct why *why);
/* The most tokens were reached: the response will be "incomplete". */
void dialect_response_cut(struct dialect_response *r);

/* The stream has ended as it should: what was begun is closed, then the response with its usage. */
ERR_MUST_USE enum err dialect_response_end(struct dialect_response *r,
                                           const struct dialect_sink *sink,
                                           const struct dialect_usage *usage, struct why *why);

/* The whole response. An answer of nothing, or of reasoning alone, has an empty message. */
ERR_MUST_USE enum err dialect_response_put(struct dialect_response *r,
                                           const struct dialect_usage *usage, struct json_out *out,
                                           struct why *why);

#endif
