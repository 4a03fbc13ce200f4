/* chunk: any text with any options is cut within its promises, or refused. */
#include <stdint.h>
#include <stdlib.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "knowledge/chunk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct chunk_opts opts = {(size_t)data[0] | (size_t)data[1] << 8,
                              (size_t)data[2] | (size_t)data[3] << 8};
    struct str text = {(const char *)data + 4, size - 4};
    struct arena *arena = arena_new(16u << 20);
    struct chunks out = {0};
    if (chunk_text(text, &opts, arena, &out, NULL) == ERR_OK) {
        size_t covered = 0;
        for (size_t i = 0; i < out.n; i++) {
            struct chunk c = out.items[i];
            if (c.len < 1 || c.len > opts.max_bytes || c.start > covered ||
                c.start + c.len <= covered || utf8_floor(text, c.start) != c.start)
                abort();
            covered = c.start + c.len;
        }
        if (covered != text.len)
            abort();
    }
    arena_free(arena);
    return 0;
}
