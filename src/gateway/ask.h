/*
 * gateway/ask - what the gateway must know of a request, and the request as an upstream gets it.
 *
 * Place in the room: gateway_http -> [ask] -> exchange. Pure. The body stays the text that came;
 * only the model's name is replaced, and the wish for usage added to a stream.
 */
#ifndef GATEWAY_ASK_H
#define GATEWAY_ASK_H

#include "core/str.h"
#include "meter/meter.h"

struct arena;

#define ASK_PARAM 64 /* bytes for the name of the parameter that is wrong */

/* The doors to models. One line: id, address below /v1/, what the meter calls it, the member with
 * the prompt, whether it may stream and whether usage can be asked for in a stream. */
#define ASK_DOOR_MAP(X)                                                                            \
    X(CHAT, "chat/completions", METER_CHAT, "messages", true, true)                                \
    X(COMPLETIONS, "completions", METER_CHAT, "prompt", true, true)                                \
    X(RESPONSES, "responses", METER_CHAT, "input", true, false)                                    \
    X(EMBEDDINGS, "embeddings", METER_EMBEDDINGS, "input", false, false)                           \
    X(RERANK, "rerank", METER_RERANK, "documents", false, false)                                   \
    X(TOKENIZE, "tokenize", METER_N_KINDS, "", false, false)                                       \
    X(DETOKENIZE, "detokenize", METER_N_KINDS, "", false, false)

enum ask_door_id {
#define ASK_DOOR(id, path, kind, prompt, streams, usage) ASK_##id,
    ASK_DOOR_MAP(ASK_DOOR)
#undef ASK_DOOR
        ASK_N_DOORS
};
struct ask_door {
    enum ask_door_id id;
    const char *path;
    enum meter_kind kind; /* METER_N_KINDS: not metered, it makes no tokens */
    const char *prompt;   /* required member; "": none */
    bool streams, usage;
};
const struct ask_door *ask_door(size_t i);              /* NULL behind the last */
const struct ask_door *ask_door_named(struct str path); /* "chat/completions"; NULL: none such */

/* OpenAI's "service_tier": "priority" goes first and needs a permission, "flex" goes last. */
enum ask_priority { ASK_FIRST, ASK_NORMAL, ASK_BATCH, ASK_N_PRIORITIES };

struct ask {
    const struct ask_door *door;
    struct str body;
    struct str model;                  /* its value */
    struct str model_raw, options_raw; /* members of the body; options: "stream_options" */
    struct str prompt_raw;             /* the member with the prompt */
    struct str user;                   /* "user" or "safety_identifier"; may be empty */
    bool stream, include_usage;        /* as the client asks */
    int64_t max_tokens;                /* that may come, of all answers; -1: not said */
    int64_t prompt_tokens;             /* estimated: a token for 4 bytes of ASCII or a character */
    enum ask_priority priority;
};

/*
 *   Owner   everything is borrowed from `body` or lives in `arena`
 *   Errors  ERR_INVALID    not JSON, a member is missing, twice or of the wrong kind; param names
 * it ERR_NO_MEMORY Cost    two passes over the body
 */
ERR_MUST_USE enum err ask_read(const struct ask_door *door, struct str body, struct arena *arena,
                               struct ask *out, char param[ASK_PARAM], struct why *why);

/* A hash of the leading messages, alike for the turns of one conversation. */
uint64_t ask_prefix(const struct ask *ask);

/* The body for an upstream that calls the model `name`. */
ERR_MUST_USE enum err ask_body(const struct ask *ask, struct str name, struct arena *arena,
                               struct str *out, struct why *why);

/* The text of the prompt, for counting: every string in it but roles and types. */
void ask_prompt_text(const struct ask *ask, struct buf *out);

/* SHA-256 of what decides an answer: every member but those that only say by whom it is asked, and
 * `scope`. A stream is another answer than the whole. */
void ask_digest(const struct ask *ask, struct str scope, uint8_t out[HASH_BYTES]);

#endif
