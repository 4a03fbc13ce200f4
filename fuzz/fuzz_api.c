/* Any bytes as the body of each request: read or refused, and what is read is in bounds. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "engine/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a template gets is JSON of ours, with messages; numbers are within what run.h takes. */
static void check_ask(const struct api_ask *ask, struct arena *arena)
{
    const struct json *chat = NULL;
    if (ask->run.n_stops > RUN_MAX_STOPS || ask->run.choices > RUN_MAX_CHOICES ||
        ask->run.n_tops > RUN_MAX_TOPS || ask->run.n_loras > RUN_MAX_ADAPTERS)
        abort();
    if (!(ask->run.sampling.temperature >= 0 && ask->run.sampling.temperature <= 2))
        abort();
    if (ask->kind != API_COMPLETION && (json_parse(ask->chat, arena, &chat, NULL) == ERR_INVALID ||
                                        (chat && json_len(json_get(chat, "messages")) == 0)))
        abort();
    for (size_t i = 0; i < ask->n_prompts; i++)
        for (size_t k = 0; k < ask->prompts[i].n_tokens; k++)
            if (ask->prompts[i].tokens[k] < 0)
                abort();
}

static void read_texts(const struct json *body, struct arena *arena)
{
    struct api_fault fault = {0};
    struct api_ask ask;
    if (api_read_chat(body, arena, &ask, &fault, NULL) == ERR_OK)
        check_ask(&ask, arena);
    fault = (struct api_fault){0};
    if (api_read_completion(body, arena, &ask, &fault, NULL) == ERR_OK)
        check_ask(&ask, arena);
    fault = (struct api_fault){0};
    if (api_read_responses(body, arena, &ask, &fault, NULL) == ERR_OK)
        check_ask(&ask, arena);
    if (strlen(fault.param) >= sizeof fault.param)
        abort();
}

static void read_vectors(const struct json *body, struct arena *arena)
{
    struct api_fault fault = {0};
    struct api_embed embed;
    struct api_rerank rerank;
    struct api_tokens tokens;
    if (api_read_embed(body, arena, &embed, &fault, NULL) == ERR_OK && embed.n_inputs == 0)
        abort();
    if (api_read_rerank(body, arena, &rerank, &fault, NULL) == ERR_OK &&
        (rerank.n_documents == 0 || rerank.top_n > rerank.n_documents))
        abort();
    (void)!api_read_tokenize(body, arena, &tokens, &fault, NULL);
    (void)!api_read_detokenize(body, arena, &tokens, &fault, NULL);
}

/* The first byte sets how much memory there is, so that every allocation fails some time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct json *body = NULL;
    if (size < 1)
        return 0;
    struct arena *tree = arena_new(16 << 20);
    struct arena *arena = arena_new(data[0] < 128 ? (size_t)data[0] * 128 : (size_t)16 << 20);
    struct str text = {(const char *)data + 1, size - 1};
    if (json_parse(text, tree, &body, NULL) == ERR_OK) {
        read_texts(body, arena);
        read_vectors(body, arena);
    }
    arena_free(arena);
    arena_free(tree);
    return 0;
}
