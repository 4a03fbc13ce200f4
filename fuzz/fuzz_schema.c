/* Any bytes as a JSON schema and as a grammar: an error or a grammar that llama.cpp takes. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "engine/chat.h"

#define MOST 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Large counts make large grammars, whose cost is engine/guard's to bound. */
static bool counts_far(struct str text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        digits = isdigit((unsigned char)text.ptr[i]) ? digits + 1 : 0;
        if (digits > 2)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > MOST)
        return 0;
    struct arena *arena = arena_new((size_t)64 << 20);
    struct str text = {(const char *)data + 1, size - 1};
    struct why why = {0};
    struct buf gbnf;
    buf_init(&gbnf, arena);
    if (counts_far(text)) {
        arena_free(arena);
        return 0;
    }
    if (data[0] % 2 == 0) {
        if (chat_grammar(text, &why) != ERR_OK && !why.text[0])
            abort();
    } else if (chat_schema(text, &gbnf, &why) != ERR_OK) {
        if (!why.text[0] || strchr(why.text, '\n') || gbnf.len)
            abort();
    }
    arena_free(arena);
    return 0;
}
