/*
 * gateway/chat - the OpenAI shapes of a chat: reading requests, writing completions and errors.
 *
 * Place in the room: gateway_http -> [chat] -> knowledge. Pure: JSON in, JSON out, nothing else.
 * Shapes as https://platform.openai.com/docs/api-reference/chat describes them, tested with the
 * client that OpenAI publishes.
 */
#ifndef GATEWAY_CHAT_H
#define GATEWAY_CHAT_H

#include "knowledge/knowledge.h"

struct arena;
struct buf;
struct json;
struct json_out;

#define CHAT_PARAM       64   /* bytes for the name of the parameter that is wrong */
#define CHAT_MOST_TURNS  40   /* earlier turns that are taken, the latest */
#define CHAT_MOST_MEMBER 2000 /* messages in a request */

struct chat_request {
    struct str model; /* "kb:laws" */
    const char *base; /* "laws" */
    struct str question;
    struct knowledge_turn *turns; /* n_turns earlier ones of user and assistant, oldest first */
    size_t n_turns;
    size_t n_prompt; /* characters of all messages */
    bool stream, include_usage;
    int32_t as_of; /* of ours: "as_of": the day whose law is asked for; DAY_NONE: today */
};

/*
 * Reads the body of a request. Fields that are not known are accepted and have no effect, as
 * clients send many; content is a string, a list of text parts, or null for an assistant.
 *
 *   Owner   strings are borrowed from `body` or live in `arena`
 *   Errors  ERR_INVALID    not the shape; param names the field, "messages.2.content"
 *           ERR_NOT_FOUND  the model is none of a knowledge base; param "model"
 *           ERR_NO_MEMORY
 */
ERR_MUST_USE enum err chat_read(const struct json *body, struct arena *arena,
                                struct chat_request *out, char param[CHAT_PARAM], struct why *why);

struct chat_note {     /* a citation: a url_citation annotation */
    size_t start, end; /* characters (Unicode scalar values) of the content */
    struct str title, url;
};

struct chat_reply {
    struct str id, model, content;
    int64_t created; /* seconds since 1970 */
    struct chat_note *notes;
    size_t n_notes;
    size_t n_prompt, n_completion; /* characters: no tokenizer is at work here */
};

/* The reply to an answer; every quote is a note that points to its place in the content. `origin`
 * ("https://host") stands before the links. ERR_NO_MEMORY. */
ERR_MUST_USE enum err chat_reply_of(const struct knowledge_answer *answer,
                                    const struct chat_request *request, struct str origin,
                                    struct arena *arena, struct chat_reply *out, struct why *why);

void chat_completion(const struct chat_reply *reply, struct json_out *out);
/* The same as a stream of events: role, pieces of the content, annotations, the end, the usage when
 * asked for, and [DONE]. */
ERR_MUST_USE enum err chat_events(const struct chat_reply *reply, bool include_usage,
                                  struct buf *out, struct why *why);

#endif
