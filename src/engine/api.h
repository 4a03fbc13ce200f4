/*
 * engine/api - the bodies of OpenAI's API: reading requests, writing answers and errors.
 *
 * Place in the room: engine_http -> [api] -> guard, run. Pure: JSON in, JSON out. Fields that are
 * not known are ignored, as clients send many; fields that are known and cannot be honoured are
 * refused with their name. Shapes as https://platform.openai.com/docs/api-reference has them
 * (rerank: as Jina and Cohere have it), tested with the client that OpenAI publishes.
 */
#ifndef ENGINE_API_H
#define ENGINE_API_H

#include "engine/run.h"

struct json;
struct json_out;

#define API_PARAM         64 /* bytes for the name of the parameter that is wrong */
#define API_MOST_MESSAGES 4096
#define API_MOST_TOOLS    128
#define API_MOST_PROMPTS  32   /* of one completion */
#define API_MOST_INPUTS   2048 /* of one embedding or rerank */

/* What is wrong, and with which field. */
struct api_fault {
    char param[API_PARAM]; /* "messages.2.content"; empty when it is none's */
    const char *code;      /* another code than the error's own; NULL: its own */
};

enum api_kind { API_CHAT, API_COMPLETION, API_RESPONSES };

struct api_text { /* text, or tokens when `tokens` is not NULL */
    struct str text;
    int32_t *tokens;
    size_t n_tokens;
};

struct api_ask {
    enum api_kind kind;
    struct str model; /* empty when the body names none */
    bool stream, include_usage;
    /* Chat and responses: what guard_render takes; `user_texts` are the strings in it that users
     * and tools wrote. */
    struct str chat;
    bool tools; /* the answer may have tool calls */
    bool parallel;
    /* Completions. */
    struct api_text *prompts; /* n_prompts of them, at least one */
    size_t n_prompts;
    bool echo;
    struct str schema; /* JSON schema of the answer (completions only; a chat's is in `chat`) */
    /* Sampling and limits; inputs and grammar tokens are not set. grammar.gbnf is the caller's own.
     */
    struct run_request run;
    struct str instructions; /* responses: told back */
};

/* A reader's promises: strings borrowed from `body` or in `arena`; ERR_INVALID with the field in
 * `fault`, ERR_NO_MEMORY; `out` is written on success only. */
ERR_MUST_USE enum err api_read_chat(const struct json *body, struct arena *arena,
                                    struct api_ask *out, struct api_fault *fault, struct why *why);
ERR_MUST_USE enum err api_read_completion(const struct json *body, struct arena *arena,
                                          struct api_ask *out, struct api_fault *fault,
                                          struct why *why);
ERR_MUST_USE enum err api_read_responses(const struct json *body, struct arena *arena,
                                         struct api_ask *out, struct api_fault *fault,
                                         struct why *why);

struct api_embed {
    struct str model, user;
    struct api_text *inputs;
    size_t n_inputs;
    bool base64;
    int64_t dimensions; /* 0: the model's own */
};
ERR_MUST_USE enum err api_read_embed(const struct json *body, struct arena *arena,
                                     struct api_embed *out, struct api_fault *fault,
                                     struct why *why);

struct api_rerank {
    struct str model, user, query;
    struct str *documents;
    size_t n_documents, top_n;
    bool return_documents;
};
ERR_MUST_USE enum err api_read_rerank(const struct json *body, struct arena *arena,
                                      struct api_rerank *out, struct api_fault *fault,
                                      struct why *why);

struct api_tokens { /* /tokenize and /detokenize */
    struct str text;
    bool add_special, parse_special, with_pieces;
    int32_t *tokens;
    size_t n_tokens;
};
ERR_MUST_USE enum err api_read_tokenize(const struct json *body, struct arena *arena,
                                        struct api_tokens *out, struct api_fault *fault,
                                        struct why *why);
ERR_MUST_USE enum err api_read_detokenize(const struct json *body, struct arena *arena,
                                          struct api_tokens *out, struct api_fault *fault,
                                          struct why *why);

/* ---- answers ---- */

struct api_call { /* a tool call, whole */
    struct str id, name;
    struct buf arguments;
};

struct api_logprob { /* of one token; copied */
    float logprob;
    size_t start; /* bytes of the answer before it */
    struct str bytes;
    struct run_top *tops;
    size_t n_tops;
};

struct api_choice {
    uint32_t index;
    struct buf content, reasoning;
    struct api_call *calls;
    size_t n_calls, cap_calls;
    struct api_logprob *logprobs;
    size_t n_logprobs, cap_logprobs;
    const char *finish; /* "stop", "length", "tool_calls"; NULL: not yet */
};

struct api_answer {
    struct str id, model;
    int64_t created; /* seconds since 1970 */
    struct api_choice *choices;
    size_t n_choices;
    bool logprobs;
    struct run_usage usage;
    struct run_timing timing;
};

void api_write_chat(const struct api_answer *answer, struct json_out *out);
void api_write_completion(const struct api_answer *answer, struct json_out *out);
void api_write_usage(const struct api_answer *answer, struct json_out *out);

/* Token by token, as the two kinds of requests have them; from number `first` on. */
void api_write_chat_logprobs(const struct api_choice *choice, size_t first, struct json_out *out);
void api_write_old_logprobs(const struct api_choice *choice, size_t first, struct json_out *out);

void api_write_embedding(const float *vector, size_t n, bool base64, struct arena *arena,
                         struct json_out *out);

#endif
