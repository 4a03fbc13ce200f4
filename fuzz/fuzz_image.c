/* data/image, data/faces, data/plates: pictures and networks are bytes from outside. */
#include <assert.h>
#include <stdint.h>

#include "core/arena.h"
#include "data/faces.h"
#include "data/image.h"
#include "data/plates.h"

#define WIDE 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes as the points of a picture. */
static void find(const uint8_t *data, size_t size, struct arena *arena)
{
    struct picture picture = {WIDE, (int)(size / 3 / WIDE), PICTURE_PNG, NULL};
    struct image_boxes boxes;
    if (!picture.height || picture.height > 400)
        return;
    picture.rgb = (uint8_t *)arena_copy(arena, (const char *)data, size);
    if (!picture.rgb || plates_find(&picture, 0.1, 512, arena, &boxes, NULL))
        return;
    for (size_t i = 0; i < boxes.n; i++)
        assert(boxes.items[i].sure >= 0.1 && boxes.items[i].sure <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size}, out;
    struct arena *arena = arena_new((size_t)64 << 20);
    const struct faces *faces;
    if (!arena)
        return 0;
    for (int turn = 0; turn < 2; turn++)
        if (image_strip(bytes, turn, arena, &out, NULL) == ERR_OK)
            assert(out.len <= size + 36);
    assert(image_turn(bytes) >= 1 && image_turn(bytes) <= 8);
    /* The list of a network is the text up to the first zero, its weights what follows. */
    size_t list = str_find_char(bytes, '\0');
    if (list != STR_NPOS)
        (void)!faces_read(str_slice(bytes, 0, list), str_from(bytes, list + 1), arena, &faces,
                          NULL);
    find(data, size, arena);
    arena_free(arena);
    return 0;
}
