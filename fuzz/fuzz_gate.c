/* A gate's file of any bytes before the table of n-grams, which is made of them, with the checksum
 * put right: refused, or harmless to ask. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "learn/learn.h"

#define GRAMS ((size_t)1 << 17)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gate *gate = NULL;
    struct arena *arena = arena_new((size_t)64 << 20);
    size_t len = 8 + size + GRAMS;
    char *bytes = arena_bytes(arena, len + 8);
    memcpy(bytes, "YCGATE1\n", 8);
    memcpy(bytes + 8, data, size);
    for (size_t i = 0; i < GRAMS; i++)
        bytes[8 + size + i] = (char)(size ? data[i % size] * 31u + i : 0);
    uint64_t sum = hash64(bytes, len, 1);
    memcpy(bytes + len, &sum, 8);
    if (gate_read((struct str){bytes, len + 8}, &gate, NULL) == ERR_OK) {
        struct gate_pass pass;
        struct gate_hit hit;
        struct str text = STR("王小明住3号。\xFF\xE7 ABC 12\n");
        size_t last = 0;
        gate_begin(&pass, gate, text);
        while (gate_next(&pass, &hit)) {
            if (hit.at >= text.len || hit.at < last || !(hit.begins || hit.watched))
                abort();
            last = hit.at;
        }
    }
    gate_free(gate);
    arena_free(arena);
    return 0;
}
