/* Any bytes as a question and as a passage: whole characters, spans in bounds and apart. */
#include <stdlib.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(16 << 20);
    size_t cut = size ? data[0] % size : 0;
    struct str asked = {(const char *)data, cut}, text = {(const char *)data + cut, size - cut};
    struct question q;
    struct quote_span *spans = NULL;
    size_t n = 0;
    if (question_read(asked, arena, &q, NULL) == ERR_OK) {
        if (utf8_invalid(q.text) != STR_NPOS || utf8_invalid(q.content) != STR_NPOS ||
            utf8_invalid(q.law) != STR_NPOS)
            abort();
        if (quote_best(&q, text, 3, arena, &spans, &n, NULL) == ERR_OK)
            for (size_t i = 0; i < n; i++)
                if (spans[i].len == 0 || spans[i].start + spans[i].len > text.len)
                    abort();
    }
    arena_free(arena);
    return 0;
}
