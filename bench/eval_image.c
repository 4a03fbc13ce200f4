/* What the cascades find in pictures, for looking at:
 *     eval_image FOLDER HITS CASCADE[,CASCADE...] PICTURE...
 * writes each picture with frames round what the operators image_faces and image_plates would
 * cover into FOLDER, and says how many there are. Who counts which are right is a person. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "core/time.h"
#include "data/haar.h"
#include "data/image.h"
#include "formats/formats.h"

#define ROOM     ((size_t)1 << 30)
#define CASCADES "/usr/share/opencv4/haarcascades"

static void dot(struct picture *p, int x, int y)
{
    if (x < 0 || y < 0 || x >= p->width || y >= p->height)
        return;
    uint8_t *at = p->rgb + ((size_t)y * (size_t)p->width + (size_t)x) * 3;
    at[0] = 255;
    at[1] = at[2] = 0;
}

static void frame(struct picture *p, const struct haar_box *b)
{
    for (int w = 0; w < 3; w++) {
        for (int x = b->x; x <= b->x + b->width; x++) {
            dot(p, x, b->y + w);
            dot(p, x, b->y + b->height - w);
        }
        for (int y = b->y; y <= b->y + b->height; y++) {
            dot(p, b->x + w, y);
            dot(p, b->x + b->width - w, y);
        }
    }
}

static enum err look(const char *path, const char *folder, const struct haar *const *haars,
                     size_t n, int hits, struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct picture picture;
    struct haar_boxes found = {0};
    struct str bytes, made;
    enum err err = arena ? file_read(path, (size_t)64 << 20, arena, &bytes, why) : ERR_NO_MEMORY;
    if (!err)
        err = picture_decode(bytes, (size_t)100 << 20, arena, &picture, why);
    int64_t begin = time_mono_ns();
    if (!err)
        err = image_places(&picture, haars, n, hits, arena, &found, why);
    int64_t ns = time_mono_ns() - begin;
    for (size_t i = 0; !err && i < found.n; i++)
        frame(&picture, &found.items[i]);
    if (!err)
        err = picture_encode(&picture, PICTURE_JPEG, 85, arena, &made, why);
    const char *name = strrchr(path, '/');
    char *to =
        err ? NULL : str_z(arena, str_printf(arena, "%s/%s.jpg", folder, name ? name + 1 : path));
    if (!err)
        err = to ? file_write(to, made, 0640, why) : ERR_NO_MEMORY;
    if (!err)
        printf("%s %d x %d: %zu, %.2f s\n", name ? name + 1 : path, picture.width, picture.height,
               found.n, (double)ns / 1e9);
    arena_free(arena);
    return err;
}

int main(int argc, char **argv)
{
    struct why why = {0};
    struct arena *arena = arena_new(ROOM);
    const struct haar *haars[4] = {NULL};
    size_t n = 0;
    if (argc < 5 || !arena)
        return 2;
    struct str rest = str_c(argv[3]), name;
    enum err err = file_make_dirs(argv[1], &why);
    while (!err && n < 4 && rest.len && str_next(&rest, ',', &name)) {
        struct str xml;
        char *path =
            str_z(arena, str_printf(arena, CASCADES "/haarcascade_%.*s.xml", STR_FMT(name)));
        err = path ? file_read(path, (size_t)16 << 20, arena, &xml, &why) : ERR_NO_MEMORY;
        if (!err)
            err = haar_read(xml, arena, &haars[n++], &why);
    }
    for (int i = 4; !err && i < argc; i++) {
        err = look(argv[i], argv[1], haars, n, atoi(argv[2]), &why);
        if (err) {
            printf("%s: %s\n", argv[i], why_text(&why, err));
            why = (struct why){0};
            err = ERR_OK;
        }
    }
    arena_free(arena);
    if (err)
        (void)fprintf(stderr, "eval_image: %s\n", why_text(&why, err));
    return err != ERR_OK;
}
