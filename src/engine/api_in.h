/*
 * engine/api_in - what the readers of OpenAI bodies share.
 */
#ifndef ENGINE_API_IN_H
#define ENGINE_API_IN_H

#include "core/arena.h"
#include "core/json.h"
#include "engine/api.h"

struct api_reader {
    const struct json *body;
    struct arena *arena;
    struct api_fault *fault;
    struct why *why;
};

/* ERR_INVALID with the field's name. */
enum err api_refuse(const struct api_reader *r, const char *param, const char *fmt, ...)
    ERR_PRINTF(3, 4);
enum err api_no_memory(const struct api_reader *r);

/* Each leaves *out alone when the field is missing or null. */
ERR_MUST_USE enum err api_int(const struct api_reader *r, const char *name, int64_t least,
                              int64_t most, int64_t *out);
ERR_MUST_USE enum err api_bool(const struct api_reader *r, const char *name, bool *out);
ERR_MUST_USE enum err api_str(const struct api_reader *r, const char *name, struct str *out);

/* What chat, completions and responses share: model, stream, sampling, stop, limits, lora. */
ERR_MUST_USE enum err api_read_common(const struct api_reader *r, struct api_ask *out);

/* A value that holds no more than text: a string, or parts whose type is `type_a` or `type_b`. */
ERR_MUST_USE enum err api_put_content(const struct api_reader *r, const struct json *content,
                                      const char *param, struct json_out *out);
/* "tools", "tool_choice", "parallel_tool_calls"; `flat`: the shape of the Responses API. */
ERR_MUST_USE enum err api_put_tools(const struct api_reader *r, bool flat, struct api_ask *ask,
                                    struct json_out *out);
/* A format {"type": ...} with its schema behind `schema_of`. */
ERR_MUST_USE enum err api_put_format(const struct api_reader *r, const struct json *format,
                                     const char *param, bool flat, struct json_out *out);
ERR_MUST_USE enum err api_put_thinking(const struct api_reader *r, struct str effort,
                                       struct json_out *out);

#endif
