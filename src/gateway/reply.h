/*
 * gateway/reply - what the gateway must know of an answer, and the answer as the client gets it.
 *
 * Place in the room: exchange -> [reply]. Pure. An answer is one JSON text, or the data of one
 * event of a stream; it stays the text that came, only the model's name is replaced.
 */
#ifndef GATEWAY_REPLY_H
#define GATEWAY_REPLY_H

#include "gateway/ask.h"

struct reply_usage {
    bool known;
    int64_t prompt, cached,
        completion; /* tokens, 0 .. METER_MOST_TOKENS; completion of embeddings 0 */
};

struct reply {
    bool valid;           /* it is a JSON object */
    struct str model_raw; /* its member "model" (of "response" in events of /v1/responses) */
    struct str usage_raw; /* the member with the usage; len 0: none */
    struct reply_usage usage;
    bool only_usage; /* an event that says nothing else: "choices" is empty */
    bool error;      /* it has a member "error" that is not null */
};

/* Reads `text`; appends the words that were generated (content, reasoning, arguments of tools) to
 * `words`, which may be NULL. */
void reply_read(const struct ask_door *door, struct str text, bool event, struct buf *words,
                struct reply *out);

/* Appends the text with the model called `name`. */
void reply_put(struct str text, const struct reply *reply, struct str name, struct buf *out);

/* The event that tells usage, after the shape of chat and text completions. */
void reply_put_usage(const struct ask_door *door, struct str id, struct str name, int64_t created,
                     const struct reply_usage *usage, struct buf *out);

/* Tokens of words without a vocabulary: one for each 4 bytes of ASCII, one for each other
 * character, rounded up. */
int64_t reply_estimate(struct str words);
/* The same for the words of one event, rounded down but at least one: most events are a token, and
 * what is counted while a stream runs shall not exceed what it is worth. */
int64_t reply_event_tokens(struct str words);

#endif
