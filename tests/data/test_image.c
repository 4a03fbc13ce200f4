/* What data/image.h, data/haar.h and formats/picture.h promise. */
#include "tap.h"

#include <math.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/haar.h"
#include "data/image.h"

#define ROOM    ((size_t)512 << 20)
#define FRONTAL "/usr/share/opencv4/haarcascades/haarcascade_frontalface_alt2.xml"
#define PLATES  "/usr/share/opencv4/haarcascades/haarcascade_russian_plate_number.xml"

static struct str read_image(const char *name, struct arena *arena)
{
    char path[1024];
    struct str bytes = STR("");
    struct why why = {0};
    (void)snprintf(path, sizeof path, "%s/tests/data/images/%s", YICHENG_SOURCE_ROOT, name);
    CHECK_OK(file_read(path, 1 << 20, arena, &bytes, &why), &why);
    return bytes;
}

static bool same_pixels(struct str a, struct str b, struct arena *arena)
{
    struct picture p, q;
    return picture_decode(a, 1 << 20, arena, &p, NULL) == ERR_OK &&
           picture_decode(b, 1 << 20, arena, &q, NULL) == ERR_OK && p.width == q.width &&
           p.height == q.height &&
           memcmp(p.rgb, q.rgb, (size_t)p.width * (size_t)p.height * 3) == 0;
}

TEST(strip_takes_everything_but_the_picture_and_its_turn)
{
    struct arena *arena = arena_new(ROOM);
    struct str exif = read_image("exif.jpg", arena), plain = read_image("fields.jpg", arena), out,
               again;
    struct why why = {0};
    CHECK_OK(image_strip(exif, false, arena, &out, &why), &why);
    CHECK(str_eq(out, plain));
    CHECK_OK(image_strip(exif, true, arena, &out, &why), &why);
    CHECK(str_find(out, STR("GPS")) == STR_NPOS && str_find(out, STR("secret")) == STR_NPOS);
    CHECK(str_find(out, STR("behind")) == STR_NPOS);
    CHECK_EQ(out.len, plain.len + 36); /* the orientation alone */
    CHECK(same_pixels(out, plain, arena));
    CHECK_OK(image_strip(out, true, arena, &again, &why), &why);
    CHECK(str_eq(out, again));
    CHECK_OK(image_strip(plain, true, arena, &out, &why), &why);
    CHECK(out.ptr == plain.ptr); /* nothing to take: nothing made */
    arena_free(arena);
}

TEST(strip_takes_the_texts_of_png_and_webp)
{
    static const char text[] = "\0\0\0\x0btEXtGPS\0here 31.\0\0\0\0";
    static const char webp[] = "RIFF\x34\0\0\0WEBPVP8X\x0a\0\0\0\x0c\0\0\0\0\0\0\0\0\0"
                               "EXIF\x05\0\0\0GPS31\0"
                               "VP8 \x04\0\0\0abcd";
    struct arena *arena = arena_new(ROOM);
    struct str png = read_image("flat.png", arena), out;
    struct buf buf;
    struct why why = {0};
    buf_init(&buf, arena);
    buf_add(&buf, str_slice(png, 0, 33)); /* signature and IHDR */
    buf_add(&buf, (struct str){text, 23});
    buf_add(&buf, str_from(png, 33));
    CHECK_OK(image_strip(buf_str(&buf), true, arena, &out, &why), &why);
    CHECK(str_eq(out, png));
    struct str riff = {webp, 12 + 18 + 14 + 12};
    char *whole = arena_copy(arena, riff.ptr, riff.len);
    whole[4] = (char)(riff.len - 8);
    CHECK_OK(image_strip((struct str){whole, riff.len}, true, arena, &out, &why), &why);
    CHECK_EQ(out.len, riff.len - 14);
    CHECK_EQ(out.ptr[4], out.len - 8);
    CHECK_EQ(out.ptr[20], 0); /* the flags of what went */
    CHECK(str_find(out, STR("GPS")) == STR_NPOS);
    CHECK_EQ(image_strip(STR("GIF89a and no more"), true, arena, &out, NULL), ERR_UNSUPPORTED);
    arena_free(arena);
}

/* Cut anywhere and with any byte changed: refused, or bytes no longer than with the orientation. */
TEST(strip_bears_any_bytes)
{
    static const char *const names[] = {"exif.jpg", "flat.png"};
    for (size_t k = 0; k < 2; k++) {
        struct arena *arena = arena_new(ROOM);
        struct str bytes = read_image(names[k], arena), out;
        for (size_t i = 0; i < bytes.len; i++) {
            struct arena *own = arena_new(1 << 20);
            enum err err = image_strip((struct str){bytes.ptr, i}, true, own, &out, NULL);
            CHECK(err || out.len <= i + 36);
            char *copy = arena_copy(own, bytes.ptr, bytes.len);
            copy[i] = (char)(copy[i] ^ 0xFF);
            err = image_strip((struct str){copy, bytes.len}, true, own, &out, NULL);
            CHECK(err || out.len <= bytes.len + 36);
            arena_free(own);
        }
        arena_free(arena);
    }
}

TEST(a_picture_that_promises_too_much_is_not_decoded)
{
    struct arena *arena = arena_new(ROOM);
    struct str png = read_image("flat.png", arena);
    struct picture p = {.width = 99};
    struct why why = {0};
    char *copy = arena_copy(arena, png.ptr, png.len);
    CHECK_EQ(picture_decode(png, 1599, arena, &p, &why), ERR_TOO_LARGE);
    CHECK_EQ(p.width, 99);
    memcpy(copy + 16, "\0\0\xff\0\0\0\xff\0", 8); /* 65280 by 65280 */
    CHECK(picture_decode((struct str){copy, png.len}, IMAGE_MOST_PIXELS, arena, &p, NULL) !=
          ERR_OK);
    CHECK_EQ(picture_measure(STR("no picture at all"), &p, NULL), ERR_INVALID);
    for (size_t i = 0; i < png.len; i += 7) /* cut anywhere: no crash */
        (void)!picture_decode((struct str){png.ptr, i}, IMAGE_MOST_PIXELS, arena, &p, NULL);
    arena_free(arena);
}

TEST(prints_stay_when_a_picture_is_scaled_or_compressed)
{
    struct arena *arena = arena_new(ROOM);
    struct picture p, q, small;
    struct image_gray a, b;
    struct str bytes;
    struct why why = {0};
    CHECK_OK(picture_decode(read_image("fields.png", arena), 1 << 20, arena, &p, &why), &why);
    CHECK_OK(image_gray(&p, 512, arena, &a, &why), &why);
    CHECK_OK(image_resize(&p, 60, 40, arena, &small, &why), &why);
    CHECK_OK(picture_encode(&small, PICTURE_JPEG, 50, arena, &bytes, &why), &why);
    CHECK_OK(picture_decode(bytes, 1 << 20, arena, &q, &why), &why);
    CHECK_OK(image_gray(&q, 512, arena, &b, &why), &why);
    CHECK(__builtin_popcountll(image_print(&a) ^ image_print(&b)) <= 6);
    for (int y = 0; y < p.height; y++) /* another picture: turned over */
        for (int x = 0; x < p.width / 2; x++)
            for (int c = 0; c < 3; c++) {
                uint8_t *l = &p.rgb[(y * p.width + x) * 3 + c],
                        *r = &p.rgb[(y * p.width + p.width - 1 - x) * 3 + c], kept = *l;
                *l = *r;
                *r = kept;
            }
    CHECK_OK(image_gray(&p, 512, arena, &b, &why), &why);
    CHECK(__builtin_popcountll(image_print(&a) ^ image_print(&b)) > 12);
    arena_free(arena);
}

TEST(what_is_blurred_is_less_sharp)
{
    struct arena *arena = arena_new(ROOM);
    struct picture p, small;
    struct image_gray a, b;
    CHECK_OK(picture_decode(read_image("fields.png", arena), 1 << 20, arena, &p, NULL), NULL);
    CHECK_OK(image_gray(&p, 0, arena, &a, NULL), NULL);
    double sharp = image_sharpness(&a);
    for (int pass = 0; pass < 60; pass++) /* the mean of neighbours, over and over */
        for (size_t i = 0; i + 1 < (size_t)a.width * (size_t)a.height; i++)
            a.levels[i] = (uint8_t)((a.levels[i] + a.levels[i + 1]) / 2);
    CHECK(image_sharpness(&a) < sharp / 2);
    CHECK_OK(image_resize(&p, 1, 1, arena, &small, NULL), NULL);
    CHECK_OK(image_gray(&small, 0, arena, &b, NULL), NULL);
    CHECK(image_sharpness(&b) == 0); /* nothing within it */
    arena_free(arena);
}

static const struct haar *cascade(const char *path, struct arena *arena)
{
    struct str xml;
    const struct haar *haar = NULL;
    struct why why = {0};
    if (file_read(path, (size_t)16 << 20, arena, &xml, &why) == ERR_OK)
        CHECK_OK(haar_read(xml, arena, &haar, &why), &why);
    return haar;
}

/* Real photographs: groups of people whose faces were counted by eye. */
TEST(faces_are_found_in_photographs)
{
    static const struct {
        const char *name;
        size_t least, most;
    } cases[] = {{"3.jpg", 5, 8}, {"6.jpg", 11, 16}, {"10.jpg", 18, 26}};
    const char *dir = tap_dataset("tiny-models/UltraFace/imgs");
    struct arena *all = arena_new(ROOM);
    const struct haar *haar = cascade(FRONTAL, all);
    if (!dir || !haar) {
        arena_free(all);
        SKIP("no photographs or no opencv-data");
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        char path[4200];
        struct str bytes;
        struct picture p;
        struct image_gray g;
        struct haar_boxes boxes = {0};
        struct why why = {0};
        (void)snprintf(path, sizeof path, "%s/%s", dir, cases[i].name);
        CHECK_OK(file_read(path, 1 << 24, arena, &bytes, &why), &why);
        CHECK_OK(picture_decode(bytes, IMAGE_MOST_PIXELS, arena, &p, &why), &why);
        CHECK_OK(image_gray(&p, 1024, arena, &g, &why), &why);
        struct haar_picture look = {g.levels, g.width, g.height};
        CHECK_OK(haar_find(haar, &look, 3, arena, &boxes, &why), &why);
        if (boxes.n < cases[i].least || boxes.n > cases[i].most)
            printf("# %s: %zu faces\n", cases[i].name, boxes.n);
        CHECK(boxes.n >= cases[i].least && boxes.n <= cases[i].most);
        /* However many cascades see a face, it is one. */
        const struct haar *twice[] = {haar, haar};
        struct haar_boxes places = {0};
        CHECK_OK(image_places(&p, twice, 2, 3, arena, &places, &why), &why);
        CHECK_EQ(places.n, boxes.n);
        for (size_t k = 0; k < boxes.n; k++)
            CHECK(boxes.items[k].x >= 0 && boxes.items[k].x + boxes.items[k].width <= g.width &&
                  boxes.items[k].y >= 0 && boxes.items[k].y + boxes.items[k].height <= g.height);
        arena_free(arena);
    }
    arena_free(all);
}

/* Every cascade of the package is read or refused; any byte changed: never read outside a window.
 */
TEST(cascades_are_not_trusted)
{
    struct arena *arena = arena_new(ROOM);
    struct str xml;
    if (file_read(PLATES, (size_t)16 << 20, arena, &xml, NULL)) {
        arena_free(arena);
        SKIP("no opencv-data");
    }
    static uint8_t gray[80 * 60];
    for (size_t i = 0; i < sizeof gray; i++)
        gray[i] = (uint8_t)(i * 2654435761u >> 24);
    struct haar_picture look = {gray, 80, 60};
    for (size_t i = 0; i < xml.len; i += 997) {
        struct arena *own = arena_new((size_t)64 << 20);
        const struct haar *haar = NULL;
        struct haar_boxes boxes;
        char *copy = arena_copy(own, xml.ptr, xml.len);
        copy[i] = copy[i] == '9' ? '-' : '9';
        if (haar_read((struct str){copy, xml.len}, own, &haar, NULL) == ERR_OK)
            CHECK_OK(haar_find(haar, &look, 1, own, &boxes, NULL), NULL);
        CHECK_EQ(haar_read((struct str){xml.ptr, i}, own, &haar, NULL), ERR_INVALID);
        arena_free(own);
    }
    arena_free(arena);
}

TESTS_MAIN()
