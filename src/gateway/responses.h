/*
 * gateway/responses - /v1/responses over a server that knows chat completions alone.
 *
 * Place in the room: upstream -> [responses]. Pure. A request becomes one for chat/completions, an
 * answer or the chunks of a stream become a response or its events. Nothing is stored between
 * calls, so what refers to an earlier response is refused; so are tools that the server would have
 * to run itself.
 */
#ifndef GATEWAY_RESPONSES_H
#define GATEWAY_RESPONSES_H

#include "dialect/dialect.h"
#include "gateway/ask.h"
#include "gateway/reply.h"

/*
 * The body for chat/completions that calls the model `name`.
 *   Owner   *out lives in `arena`
 *   Errors  ERR_INVALID (param names the member that chat has no place for), ERR_NO_MEMORY
 */
ERR_MUST_USE enum err responses_ask(const struct ask *ask, struct str name, struct arena *arena,
                                    struct str *out, char param[ASK_PARAM], struct why *why);

struct responses;
/* The answer to `ask`, by the name and id that the client shall see; all are borrowed. NULL without
 * memory. `created` in seconds. */
struct responses *responses_new(const struct ask *ask, struct str name, struct str id,
                                int64_t created, struct arena *arena);

/* A chunk of the stream: none to many events. */
ERR_MUST_USE enum err responses_event(struct responses *r, struct str chunk, dialect_emit *emit,
                                      void *ctx, struct why *why);
/* The stream has ended as it should: what was begun is closed, then the response with its usage. */
ERR_MUST_USE enum err responses_end(struct responses *r, const struct reply_usage *usage,
                                    dialect_emit *emit, void *ctx, struct why *why);

/* A whole chat completion as a response. ERR_CORRUPT: it has no choice with a message. */
ERR_MUST_USE enum err responses_whole(struct responses *r, struct str text,
                                      const struct reply_usage *usage, struct str *out,
                                      struct why *why);

#endif
