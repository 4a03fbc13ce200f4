/* engine/spell: tokens of any bytes and stop strings. What is given out is whole UTF-8, has nothing
 * of a stop string, and is the text as far as it goes. Input: stop strings, '\0', then tokens cut
 * by their lengths. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "engine/spell.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_part(const struct spell_part *part, const struct str *stops, size_t n_stops,
                       struct buf *all, int32_t *next)
{
    assert(utf8_invalid(part->text) == STR_NPOS);
    buf_add(all, part->text);
    for (size_t i = 0; i < part->n_tokens; i++)
        assert(part->tokens[i].id == (*next)++);
    for (size_t i = 0; i < n_stops; i++)
        assert(utf8_invalid(stops[i]) != STR_NPOS || str_find(buf_str(all), stops[i]) == STR_NPOS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, head, stop, stops[4];
    size_t n_stops = 0;
    int32_t id = 0, next = 0;
    if (size > 4096 || !str_next(&rest, '\0', &head))
        return 0;
    while (n_stops < 4 && str_next(&head, '|', &stop))
        /* A byte that is no character becomes U+FFFD, which nobody stops at. */
        if (stop.len && stop.len < 64 && str_find(stop, STR("\xEF\xBF\xBD")) == STR_NPOS)
            stops[n_stops++] = stop;
    struct arena *arena = arena_new(8 << 20);
    struct spell spell;
    struct spell_part part = {0};
    struct buf all;
    buf_init(&all, arena);
    spell_init(&spell, stops, n_stops, arena);
    bool stopped = false;
    for (size_t at = 0; rest.ptr && at < rest.len && !stopped;) {
        size_t len = (unsigned char)rest.ptr[at] % 7;
        struct str bytes = str_slice(rest, at + 1, at + 1 + len);
        if (spell_add(&spell, id++, bytes, NULL, &part, NULL))
            abort();
        check_part(&part, stops, n_stops, &all, &next);
        stopped = part.stop != NULL;
        at += 1 + len;
    }
    if (!stopped) {
        if (spell_end(&spell, &part, NULL))
            abort();
        check_part(&part, stops, n_stops, &all, &next);
        assert(next == id);
    }
    arena_free(arena);
    return 0;
}
