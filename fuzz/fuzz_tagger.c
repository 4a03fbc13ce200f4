/* A tagger's file of any bytes, with the checksum put right: refused, or harmless to ask. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "learn/learn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tagger *tagger = NULL;
    struct arena *arena = arena_new((size_t)64 << 20);
    char *bytes = arena_bytes(arena, size + 16);
    memcpy(bytes, "YCTAG2\n", 8);
    memcpy(bytes + 8, data, size);
    uint64_t sum = hash64(bytes, size + 8, 1);
    memcpy(bytes + 8 + size, &sum, 8);
    if (tagger_read((struct str){bytes, size + 16}, &tagger, NULL) == ERR_OK) {
        struct tagger_span *found;
        size_t n;
        struct str text = STR("王小明住在北京市朝阳区。\xFF\xE7 ABC 12\n");
        if (tagger_find(tagger, text, arena, &found, &n, NULL) == ERR_OK)
            for (size_t i = 0; i < n; i++)
                if (found[i].end <= found[i].start || found[i].end > text.len ||
                    found[i].kind >= tagger_n_kinds(tagger))
                    abort();
        if (tagger_find_part(tagger, text, 3, 15, arena, &found, &n, NULL) == ERR_OK)
            for (size_t i = 0; i < n; i++)
                if (found[i].start < 3 || found[i].end <= found[i].start || found[i].end > 15)
                    abort();
    }
    tagger_free(tagger);
    arena_free(arena);
    return 0;
}
