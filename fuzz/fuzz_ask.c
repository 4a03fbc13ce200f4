/* Bodies of the API, and answers of upstreams: what is read is JSON, what goes on is JSON with the
 * model renamed. The first byte says which door. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "gateway/ask.h"
#include "gateway/reply.h"
#include "gateway/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
