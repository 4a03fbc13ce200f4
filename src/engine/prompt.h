/*
 * engine/prompt - from a request that was read to what the decode loop takes.
 *
 * The conversation is written out by the template (in the guard), the text becomes tokens, the
 * grammar is made and checked, triggers and special tokens are found in the vocabulary.
 */
#ifndef ENGINE_PROMPT_H
#define ENGINE_PROMPT_H

#include "engine/serve.h"

/* Finds the control tokens' texts. */
ERR_MUST_USE enum err prompt_controls(struct engine *engine, struct why *why);

/*
 * Fills one run_request for a chat or a response; `rendered` is what chat_reader_open wants.
 * Errors: those of guard_render with the field in `fault`; ERR_UNSUPPORTED when the model has no
 * chat template.
 */
ERR_MUST_USE enum err prompt_chat(struct engine *engine, struct api_ask *ask, struct arena *arena,
                                  struct run_request *out, struct str *rendered,
                                  struct api_fault *fault, struct why *why);
/* One run_request for each of ask->n_prompts. */
ERR_MUST_USE enum err prompt_completion(struct engine *engine, struct api_ask *ask,
                                        struct arena *arena, struct run_request *out,
                                        struct api_fault *fault, struct why *why);
/* The text of a conversation: "prompt" of what guard_render says. */
ERR_MUST_USE enum err prompt_render(struct engine *engine, const struct api_ask *ask,
                                    struct arena *arena, struct str *rendered,
                                    const struct json **parsed, struct api_fault *fault,
                                    struct why *why);
/* The tokens of a text or those given; ERR_INVALID when one is not in the vocabulary. */
ERR_MUST_USE enum err prompt_tokens(struct engine *engine, const struct api_text *text,
                                    struct arena *arena, struct run_input *out, struct why *why);

#endif
