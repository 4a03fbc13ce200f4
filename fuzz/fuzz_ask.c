/* Bodies of the API, and answers of upstreams: what is read is JSON, what goes on is JSON with the
 * model renamed. The first byte says which door. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "gateway/ask.h"
#include "gateway/reply.h"
#include "gateway/responses.h"
#include "gateway/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_turned(const struct ask *ask, struct str text, struct arena *arena);

static void as_request(const struct ask_door *door, struct str text, struct arena *arena)
{
    struct ask ask;
    struct str body;
    struct buf words;
    char param[ASK_PARAM];
    uint8_t digest[HASH_BYTES];
    buf_init(&words, arena);
    if (ask_read(door, text, arena, &ask, param, NULL))
        return;
    if (!scan_valid(text) || ask.model.len == 0)
        abort();
    if (door->id == ASK_RESPONSES)
        as_turned(&ask, text, arena);
    ask_prompt_text(&ask, &words);
    ask_digest(&ask, STR("t"), digest);
    if (ask_body(&ask, STR("far \"model\""), arena, &body, NULL))
        return; /* no memory */
    struct str model = scan_str(scan_get(body, "model"), arena);
    if (!scan_valid(body) || !str_eq_c(model, "far \"model\""))
        abort();
    if (ask.stream && door->usage &&
        !scan_is_true(scan_get(scan_get(body, "stream_options"), "include_usage")))
        abort();
}

/* ---- /v1/responses over chat ---- */

static enum err check_event(void *ctx, struct str name, struct str data, struct why *why)
{
    (void)ctx, (void)why;
    if (!str_starts(name, STR("response.")) || !scan_valid(data))
        abort();
    return ERR_OK;
}

static void as_turned(const struct ask *ask, struct str text, struct arena *arena)
{
    struct reply_usage usage = {.known = true, .prompt = 2, .completion = 1};
    struct str body, whole;
    char param[ASK_PARAM];
    enum err err = responses_ask(ask, STR("far \"model\""), arena, &body, param, NULL);
    if (err == ERR_INVALID && !param[0])
        abort();
    if (!err && !scan_valid(body))
        abort();
    struct responses *r = responses_new(ask, STR("city"), STR("1"), 1, arena);
    struct responses *s = responses_new(ask, STR("city"), STR("2"), 1, arena);
    if (!r || !s || !scan_valid(text))
        return;
    if (!responses_whole(r, text, &usage, &whole, NULL) && !scan_valid(whole))
        abort();
    if (responses_event(s, text, check_event, NULL, NULL) ||
        responses_event(s, text, check_event, NULL, NULL))
        return; /* no memory */
    (void)!responses_end(s, &usage, check_event, NULL, NULL);
}

static void as_answer(const struct ask_door *door, struct str text, bool event, struct arena *arena)
{
    struct reply reply;
    struct buf words, out;
    buf_init(&words, arena);
    buf_init(&out, arena);
    reply_read(door, text, event, &words, &reply);
    if (!reply.valid)
        return;
    reply_put(text, &reply, STR("city"), &out);
    if (!out.failed && !scan_valid(buf_str(&out)))
        abort();
    if (reply.usage.known && (reply.usage.prompt < 0 || reply.usage.completion < 0 ||
                              reply.usage.cached > reply.usage.prompt))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)16 << 20);
    if (size > 1 && size < 65536) {
        const struct ask_door *door = ask_door(data[0] % ASK_N_DOORS);
        struct str text = {(const char *)data + 1, size - 1};
        as_request(door, text, arena);
        as_answer(door, text, data[0] & 64, arena);
    }
    arena_free(arena);
    return 0;
}
