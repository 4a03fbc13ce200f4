/* data/image and data/haar: pictures and cascades are bytes from outside. */
#include <assert.h>
#include <stdint.h>

#include "core/arena.h"
#include "data/haar.h"
#include "data/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(struct str xml, struct arena *arena)
{
    static uint8_t gray[64 * 48];
    const struct haar *haar = NULL;
    struct haar_boxes boxes;
    for (size_t i = 0; i < sizeof gray; i++)
        gray[i] = (uint8_t)(i * 2654435761u >> 24);
    struct haar_picture look = {gray, 64, 48};
    if (haar_read(xml, arena, &haar, NULL) == ERR_OK &&
        haar_find(haar, &look, 1, arena, &boxes, NULL) == ERR_OK)
        for (size_t i = 0; i < boxes.n; i++)
            assert(boxes.items[i].hits >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size}, out;
    struct arena *arena = arena_new((size_t)64 << 20);
    if (!arena)
        return 0;
    for (int turn = 0; turn < 2; turn++)
        if (image_strip(bytes, turn, arena, &out, NULL) == ERR_OK)
            assert(out.len <= size + 36);
    find(bytes, arena);
    arena_free(arena);
    return 0;
}
