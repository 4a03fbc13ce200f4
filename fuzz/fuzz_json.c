/* Any bytes: json_parse() gives a document or a reason, and what it gives can be written and read
 * again. */
#include "core/arena.h"
#include "core/json.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(64 << 20);
    const struct json *doc = NULL, *again = NULL;
    struct why why = {0};
    struct str text;
    enum err err = json_parse((struct str){(const char *)data, size}, arena, &doc, &why);
    if (err && !why.text[0])
        abort();
    if (!err) {
        if (json_dump(doc, arena, &text, &why) || json_parse(text, arena, &again, &why))
            abort();
    }
    struct buf buf;
    buf_init(&buf, arena);
    json_quote(&buf,
               (struct str){(const char *)data, size}); /* any bytes make a valid JSON string */
    if (!buf.failed && json_parse(buf_str(&buf), arena, &again, NULL))
        abort();
    arena_free(arena);
    return 0;
}
