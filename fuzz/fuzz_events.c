/* Server-sent events of an upstream, cut anywhere: the same events as in one piece. The first byte
 * says how the rest is cut. */
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "gateway/events.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err note(void *ctx, struct str name, struct str data, struct why *why)
{
    struct buf *out = ctx;
    (void)why;
    buf_add(out, name);
    buf_char(out, '\1');
    buf_add(out, data);
    buf_char(out, '\2');
    return ERR_OK;
}

static enum err feed(struct str text, size_t step, struct arena *arena, struct buf *out)
{
    struct events events;
    enum err err = ERR_OK;
    struct str name, last;
    events_init(&events, arena, 4096);
    buf_init(out, arena);
    for (size_t at = 0; at < text.len && !err; at += step)
        err = events_feed(&events, str_slice(text, at, at + step), note, out, NULL);
    if (!err && events_last(&events, &name, &last))
        (void)note(out, name, last, NULL);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new((size_t)16 << 20);
    struct buf whole, cut;
    if (size > 1 && size < 65536) {
        struct str text = {(const char *)data + 1, size - 1};
        enum err a = feed(text, text.len, arena, &whole);
        enum err b = feed(text, (size_t)(data[0] & 63) + 1, arena, &cut);
        if (a != b || !str_eq(buf_str(&whole), buf_str(&cut)))
            abort();
    }
    arena_free(arena);
    return 0;
}
