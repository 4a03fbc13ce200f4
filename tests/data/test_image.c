/* What data/image.h, faces.h, net.h, plates.h and formats/picture.h promise. */
#include "golden.h"

#include <math.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/faces.h"
#include "data/image.h"
#include "data/net.h"
#include "data/plates.h"

#define ROOM ((size_t)512 << 20)

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

static void decode(const char *name, struct arena *arena, struct picture *out)
{
    struct why why = {0};
    CHECK_OK(picture_decode(read_image(name, arena), IMAGE_MOST_PIXELS, arena, out, &why), &why);
}

TEST(a_turned_picture_is_put_upright)
{
    /* What a camera stores for each orientation when the scene is "abc" over "def". */
    static const struct {
        unsigned turn;
        int width;
        const char *stored;
    } cases[] = {{1, 3, "abcdef"}, {2, 3, "cbafed"}, {3, 3, "fedcba"}, {4, 3, "defabc"},
                 {5, 2, "adbecf"}, {6, 2, "cfbead"}, {7, 2, "fcebda"}, {8, 2, "daebfc"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 16);
        uint8_t rgb[18];
        struct picture p = {cases[i].width, 6 / cases[i].width, PICTURE_JPEG, rgb};
        for (size_t k = 0; k < 18; k++)
            rgb[k] = (uint8_t)cases[i].stored[k / 3];
        CHECK_OK(image_upright(&p, cases[i].turn, arena, NULL), NULL);
        CHECK(p.width == 3 && p.height == 2);
        for (size_t k = 0; k < 18; k++)
            CHECK_EQ(p.rgb[k], "abcdef"[k / 3]);
        arena_free(arena);
    }
    struct arena *arena = arena_new(ROOM);
    struct str exif = read_image("exif.jpg", arena);
    CHECK_EQ(image_turn(exif), 6);
    CHECK_EQ(image_turn(read_image("fields.jpg", arena)), 1);
    CHECK_EQ(image_turn(read_image("flat.png", arena)), 1);
    for (size_t i = 0; i < exif.len; i++) /* cut anywhere */
        CHECK(image_turn((struct str){exif.ptr, i}) <= 8);
    arena_free(arena);
}

/* ---- plates ---- */

TEST(plates_are_found_where_they_are)
{
    static const struct {
        const char *name;
        struct image_box box;
    } cases[] = {{"plate_blue.jpg", {193, 123, 161, 57, 1}},
                 {"plate_green.jpg", {220, 89, 138, 98, 1}},
                 {"plate_yellow.jpg", {54, 103, 132, 59, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct picture p;
        struct image_boxes found = {0};
        struct why why = {0};
        double of_smaller;
        decode(cases[i].name, arena, &p);
        CHECK_OK(plates_find(&p, 0.7, 2048, arena, &found, &why), &why);
        CHECK_EQ(found.n, 1);
        if (found.n == 1) {
            CHECK(image_overlap(&found.items[0], &cases[i].box, &of_smaller) > 0.6);
            CHECK(found.items[0].sure >= 0.7 && found.items[0].sure <= 1);
        }
        CHECK_OK(plates_find(&p, 0.7, 512, arena, &found, &why), &why);
        CHECK_EQ(found.n, 1);
        arena_free(arena);
    }
}

TEST(where_no_plate_is_none_is_found)
{
    static const char *const names[] = {"fields.png", "flat.png", "exif.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        struct picture p;
        struct image_boxes found = {.n = 99};
        decode(names[i], arena, &p);
        CHECK_OK(plates_find(&p, 0.7, 2048, arena, &found, NULL), NULL);
        CHECK_EQ(found.n, 0);
        arena_free(arena);
    }
}

/* What image_plates makes of a picture: an object of its own, in which no plate can be found. */
TEST(a_covered_plate_is_none)
{
    struct arena *arena = arena_new(ROOM);
    struct objects *objects = golden_objects();
    struct data_arg args[] = {{.number = 0.7}, {.number = 2048}};
    struct data_call call = {.args = args, .arena = arena, .objects = objects};
    struct picture before, after;
    struct image_boxes found = {.n = 99};
    struct record record;
    struct why why = {0};
    struct str bytes = STR_NONE;
    char name[HASH_TEXT];
    struct image_box plate = {193, 123, 161, 57, 1};
    decode("plate_blue.jpg", arena, &before);
    CHECK_OK(objects_put(objects, read_image("plate_blue.jpg", arena), name, &why), &why);
    struct str line = str_printf(arena, "{\"id\":\"a\",\"image\":\"%s\",\"caption\":\"c\"}", name);
    CHECK_OK(record_read(line, arena, &record, &why), &why);
    CHECK_OK(data_op_image_plates.record(&call, &record, NULL, &why), &why);
    CHECK(str_eq(record_raw(&record, "meta"), STR("{\"covered_plates\":1}")));
    CHECK(!str_eq_c(record_str(&record, "image"), name));
    CHECK_OK(image_get(&call, &record, &bytes, &why), &why);
    CHECK_OK(picture_decode(bytes, IMAGE_MOST_PIXELS, arena, &after, &why), &why);
    CHECK_OK(plates_find(&after, 0.3, 2048, arena, &found, &why), &why);
    CHECK_EQ(found.n, 0);
    /* Far from the plate nothing changed but by the new compression. */
    int worst = 0;
    for (int y = 0; y < after.height; y++)
        for (int x = 0; x < after.width; x++)
            for (int c = 0; c < 3; c++)
                if (x < plate.x - 40 || x > plate.x + plate.width + 40 || y < plate.y - 30 ||
                    y > plate.y + plate.height + 30) {
                    int at = (y * after.width + x) * 3 + c;
                    int differ = abs(after.rgb[at] - before.rgb[at]);
                    worst = differ > worst ? differ : worst;
                }
    CHECK(worst < 40);
    arena_free(arena);
}

TEST(boxes_of_one_place_become_the_surest)
{
    struct image_box items[] = {{10, 10, 40, 20, 0.6},
                                {12, 11, 40, 20, 0.9},
                                {100, 10, 40, 20, 0.7},
                                {15, 12, 10, 5, 0.8},
                                {200, 10, 40, 20, 0.3}};
    struct image_boxes boxes = {items, 5};
    double of_smaller;
    image_thin_out(&boxes, 0.5);
    CHECK_EQ(boxes.n, 2);
    CHECK(boxes.items[0].x == 12 && boxes.items[1].x == 100);
    CHECK(image_overlap(&boxes.items[0], &boxes.items[1], &of_smaller) == 0 && of_smaller == 0);
    struct image_box half = {12, 11, 20, 20, 1};
    CHECK(fabs(image_overlap(&boxes.items[0], &half, &of_smaller) - 0.5) < 1e-9);
    CHECK(fabs(of_smaller - 1) < 1e-9);
}

/* ---- the network ---- */

static uint32_t state = 1;

static float number(void)
{
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) / 8388608.0f - 1;
}

static float *numbers(size_t n, struct arena *arena)
{
    float *out = arena_array(arena, float, n);
    for (size_t i = 0; out && i < n; i++)
        out[i] = number();
    return out;
}

static float at(const struct net_map *m, int y, int x, int c)
{
    bool outside = y < 0 || x < 0 || y >= m->height || x >= m->width;
    return outside
               ? 0
               : m->at[((size_t)y * (size_t)m->width + (size_t)x) * (size_t)m->depth + (size_t)c];
}

static int edge(int n, int side, int stride)
{
    int total = ((n + stride - 1) / stride - 1) * stride + side - n;
    return total > 0 ? total / 2 : 0;
}

static float clipped(float v, bool clip)
{
    return !clip ? v : v < 0 ? 0 : v > 6 ? 6 : v;
}

/* A layer as its definition says, a point at a time. */
static float plain(const struct net_conv *c, const float *weights, const float *offsets,
                   const struct net_map *in, int y, int x, int o)
{
    float sum = offsets[o];
    int top = y * c->stride - edge(in->height, c->side, c->stride),
        left = x * c->stride - edge(in->width, c->side, c->stride);
    for (int k = 0; k < c->side * c->side; k++)
        for (int i = 0; i < c->in; i++)
            sum += at(in, top + k / c->side, left + k % c->side, i) *
                   weights[(k * c->in + i) * c->out + o];
    return clipped(sum, c->clip);
}

TEST(layers_compute_what_they_are)
{
    static const struct {
        int height, width, side, stride, in, out;
        bool clip;
    } cases[] = {{5, 7, 1, 1, 3, 9, false},
                 {6, 5, 3, 1, 2, 16, true},
                 {9, 9, 3, 2, 4, 33, true},
                 {8, 10, 3, 2, 3, 5, true},
                 {1, 1, 3, 2, 7, 18, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        struct net_conv c = {
            cases[i].side, cases[i].stride, cases[i].in, cases[i].out, cases[i].clip, NULL, NULL};
        struct net_map in = {cases[i].height, cases[i].width, c.in, NULL}, mid, out;
        in.at = numbers((size_t)(in.height * in.width * in.depth), arena);
        float *weights = numbers((size_t)(c.side * c.side * c.in * c.out), arena),
              *offsets = numbers((size_t)c.out, arena);
        CHECK_OK(net_conv_pack(&c, weights, offsets, arena, NULL), NULL);
        CHECK_OK(net_conv(&c, &in, NULL, arena, &out, NULL), NULL);
        CHECK_EQ(out.height, (in.height + c.stride - 1) / c.stride);
        CHECK_EQ(out.width, (in.width + c.stride - 1) / c.stride);
        for (int y = 0; y < out.height; y++)
            for (int x = 0; x < out.width; x++)
                for (int o = 0; o < c.out; o++)
                    CHECK(fabsf(at(&out, y, x, o) - plain(&c, weights, offsets, &in, y, x, o)) <
                          1e-4f);
        /* A pair is its two layers one after the other. */
        struct net_depthwise thin = {c.stride, c.in, numbers((size_t)(9 * c.in), arena),
                                     numbers((size_t)c.in, arena)};
        struct net_conv wide = {1, 1, c.in, c.out, true, NULL, NULL};
        CHECK_OK(net_conv_pack(&wide, weights, offsets, arena, NULL), NULL);
        CHECK_OK(net_pair(&thin, &wide, &in, NULL, arena, &out, NULL), NULL);
        mid = (struct net_map){out.height, out.width, c.in, NULL};
        mid.at = numbers((size_t)(mid.height * mid.width * mid.depth), arena);
        for (int y = 0; y < mid.height; y++)
            for (int x = 0; x < mid.width; x++)
                for (int k = 0; k < c.in; k++) {
                    float sum = thin.offsets[k];
                    for (int tap = 0; tap < 9; tap++)
                        sum += at(&in, y * c.stride - edge(in.height, 3, c.stride) + tap / 3,
                                  x * c.stride - edge(in.width, 3, c.stride) + tap % 3, k) *
                               thin.weights[tap * c.in + k];
                    mid.at[(y * mid.width + x) * c.in + k] = clipped(sum, true);
                }
        for (int y = 0; y < out.height; y++)
            for (int x = 0; x < out.width; x++)
                for (int o = 0; o < c.out; o++)
                    CHECK(fabsf(at(&out, y, x, o) - plain(&wide, weights, offsets, &mid, y, x, o)) <
                          1e-4f);
        arena_free(arena);
    }
}

TEST(a_network_that_is_none_is_refused)
{
    static const char *const lists[] = {
        "",
        "[]",
        "{}",
        "[{\"weights\":[]}]",
        "[{\"weights\":[{\"name\":\"MobilenetV1/Conv2d_0_pointwise/"
        "weights\",\"shape\":[3,3,3,32]}]}]",
        "[{\"weights\":[{\"name\":\"MobilenetV1/Conv2d_0_pointwise/weights\",\"shape\":[1]}]}]",
        "[{\"weights\":[{\"name\":\"a\",\"shape\":[99999,99999,99999]}]}]",
        "[{\"weights\":[{\"name\":\"a\",\"shape\":[-1]}]}]",
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct arena *arena = arena_new(1 << 20);
        const struct faces *faces = NULL;
        struct why why = {0};
        CHECK_EQ(faces_read(str_c(lists[i]), STR("12345678"), arena, &faces, &why), ERR_INVALID);
        CHECK(!faces && why.text[0]);
        arena_free(arena);
    }
}

/* Real photographs: groups of people whose faces were counted by eye. */
TEST(faces_are_found_in_photographs)
{
    static const struct {
        const char *name;
        size_t n;
    } cases[] = {{"3.jpg", 5}, {"6.jpg", 14}, {"9.jpg", 8}, {"10.jpg", 19}};
    const char *dir = tap_dataset("tiny-models/UltraFace/imgs");
    const struct faces *faces = NULL;
    struct faces_opts opts = {0.5, 1024};
    if (!dir || faces_shipped(&faces, NULL))
        SKIP("no photographs, or built without the network");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(ROOM), *little = arena_new(1 << 12);
        char path[4200];
        struct str bytes;
        struct picture p;
        struct image_boxes boxes = {.n = 99};
        struct why why = {0};
        (void)snprintf(path, sizeof path, "%s/%s", dir, cases[i].name);
        CHECK_OK(file_read(path, 1 << 24, arena, &bytes, &why), &why);
        CHECK_OK(picture_decode(bytes, IMAGE_MOST_PIXELS, arena, &p, &why), &why);
        CHECK_EQ(faces_find(faces, &p, &opts, little, &boxes, NULL), ERR_NO_MEMORY);
        CHECK_EQ(plates_find(&p, 0.7, 1024, little, &boxes, NULL), ERR_NO_MEMORY);
        CHECK_EQ(boxes.n, 99);
        CHECK_OK(faces_find(faces, &p, &opts, arena, &boxes, &why), &why);
        if (boxes.n != cases[i].n)
            printf("# %s: %zu faces\n", cases[i].name, boxes.n);
        CHECK_EQ(boxes.n, cases[i].n);
        for (size_t k = 0; k < boxes.n; k++) {
            const struct image_box *b = &boxes.items[k];
            CHECK(b->sure >= 0.5 && b->sure <= 1 && b->width > 0 && b->height > 0);
            CHECK(b->x + b->width > 0 && b->x < p.width && b->y + b->height > 0 && b->y < p.height);
        }
        arena_free(little);
        arena_free(arena);
    }
}

TEST(pictures_of_any_size_are_looked_at)
{
    static const int sizes[][2] = {{1, 1}, {1, 300}, {300, 1}, {3, 2}, {129, 65}};
    const struct faces *faces = NULL;
    bool have = faces_shipped(&faces, NULL) == ERR_OK;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arena *arena = arena_new(ROOM);
        size_t n = (size_t)sizes[i][0] * (size_t)sizes[i][1] * 3;
        struct picture p = {sizes[i][0], sizes[i][1], PICTURE_PNG, arena_array(arena, uint8_t, n)};
        struct image_boxes boxes;
        for (size_t k = 0; k < n; k++)
            p.rgb[k] = (uint8_t)(k * 2654435761u >> 24);
        CHECK_OK(plates_find(&p, 0.1, 512, arena, &boxes, NULL), NULL);
        if (have)
            CHECK_OK(faces_find(faces, &p, &(struct faces_opts){0.5, 512}, arena, &boxes, NULL),
                     NULL);
        arena_free(arena);
    }
}

TESTS_MAIN()
