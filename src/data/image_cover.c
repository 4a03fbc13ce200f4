/* image_cover: what image_faces and image_plates share: cascades, and making a part unrecognisable.
 */
#include <stdlib.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/haar.h"
#include "data/image.h"
#include "data/put.h"

#define CASCADES     "/usr/share/opencv4/haarcascades"
#define MOST_CASCADE ((size_t)16 << 20)
#define MOST_SIDE    1024 /* longer pictures are looked at in this size */
#define GRAINS       6    /* fields across a covered part */
#define QUALITY      92

enum err image_cascade(const struct data_prepare *p, const char *file, const struct haar **out,
                       struct why *why)
{
    char *own = p->models[0] ? file_join(p->arena, p->models, file) : NULL;
    char *path = own && file_exists(own) ? own : file_join(p->arena, CASCADES, file);
    struct str xml;
    if (!path)
        return err_set(why, ERR_NO_MEMORY, "could not read a cascade");
    enum err err = file_read(path, MOST_CASCADE, p->arena, &xml, why);
    if (err == ERR_NOT_FOUND) {
        err_hint(why, "install opencv-data, or put %s into the folder of data.models", file);
        return ERR_UNAVAILABLE;
    }
    return err ? err : haar_read(xml, p->arena, out, why);
}

static int clamp(int v, int least, int most)
{
    return v < least ? least : v > most ? most : v;
}

/* Fields of one colour, the mean of what was there, then nothing finer can be got back. */
static void cover(struct picture *p, int x0, int y0, int x1, int y1)
{
    int step_x = (x1 - x0 + GRAINS - 1) / GRAINS, step_y = (y1 - y0 + GRAINS - 1) / GRAINS;
    step_x = step_x < 1 ? 1 : step_x;
    step_y = step_y < 1 ? 1 : step_y;
    for (int top = y0; top < y1; top += step_y)
        for (int left = x0; left < x1; left += step_x) {
            uint64_t sums[3] = {0};
            int bottom = clamp(top + step_y, 0, y1), right = clamp(left + step_x, 0, x1);
            size_t n = (size_t)(bottom - top) * (size_t)(right - left);
            for (int pass = 0; pass < 2; pass++)
                for (int y = top; y < bottom; y++) {
                    uint8_t *at = p->rgb + ((size_t)y * (size_t)p->width + (size_t)left) * 3;
                    for (int x = left; x < right; x++)
                        for (int c = 0; c < 3; c++, at++) {
                            if (pass)
                                *at = (uint8_t)(sums[c] / n);
                            else
                                sums[c] += *at;
                        }
                }
        }
}

/* A tenth more on every side: hair, chins and frames. */
static void cover_box(struct picture *p, const struct haar_box *box)
{
    int x0 = (int)(box->x - box->width * 0.1), y0 = (int)(box->y - box->height * 0.1);
    int x1 = (int)(box->x + box->width * 1.1 + 1), y1 = (int)(box->y + box->height * 1.1 + 1);
    cover(p, clamp(x0, 0, p->width), clamp(y0, 0, p->height), clamp(x1, 0, p->width),
          clamp(y1, 0, p->height));
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static int most(int a, int b)
{
    return a > b ? a : b;
}

/* Two cascades that saw the same: more than half of the smaller box lies in the other, and one is
 * at most four times as large. A face in a large box that is none stays a place of its own. */
static bool same_place(const struct haar_box *a, const struct haar_box *b)
{
    int64_t first = (int64_t)a->width * a->height, second = (int64_t)b->width * b->height;
    int64_t small = first < second ? first : second, large = first < second ? second : first;
    int width = least(a->x + a->width, b->x + b->width) - most(a->x, b->x);
    int height = least(a->y + a->height, b->y + b->height) - most(a->y, b->y);
    return width > 0 && height > 0 && 2 * (int64_t)width * height > small && large <= 4 * small;
}

/* What several cascades found as one list: boxes of one place become the box round them. */
static void merge(struct haar_boxes *all, const struct haar_boxes *more)
{
    for (size_t i = 0; i < more->n; i++) {
        struct haar_box *b = &more->items[i], *a = NULL;
        for (size_t k = 0; k < all->n && !a; k++)
            if (same_place(&all->items[k], b))
                a = &all->items[k];
        if (!a) {
            all->items[all->n++] = *b;
            continue;
        }
        int right = most(a->x + a->width, b->x + b->width),
            bottom = most(a->y + a->height, b->y + b->height);
        a->x = least(a->x, b->x);
        a->y = least(a->y, b->y);
        a->width = right - a->x;
        a->height = bottom - a->y;
        a->hits += b->hits;
    }
}

enum err image_places(const struct picture *picture, const struct haar *const *haars, size_t n,
                      int least_hits, struct arena *arena, struct haar_boxes *out, struct why *why)
{
    struct image_gray gray;
    struct haar_boxes all = {0};
    enum err err = image_gray(picture, MOST_SIDE, arena, &gray, why);
    for (size_t i = 0; !err && i < n; i++) {
        struct haar_picture look = {gray.levels, gray.width, gray.height};
        struct haar_boxes boxes;
        err = haar_find(haars[i], &look, least_hits, arena, &boxes, why);
        if (err)
            break;
        all.items = arena_grow(arena, all.items, all.n * sizeof *all.items,
                               (all.n + boxes.n + 1) * sizeof *all.items);
        if (!all.items)
            return err_set(why, ERR_NO_MEMORY, "could not hold what was found");
        merge(&all, &boxes);
    }
    double scale = err ? 1 : (double)picture->width / gray.width;
    for (size_t i = 0; !err && i < all.n; i++) {
        struct haar_box *b = &all.items[i];
        *b = (struct haar_box){(int)(b->x * scale), (int)(b->y * scale), (int)(b->width * scale),
                               (int)(b->height * scale), b->hits};
    }
    if (!err)
        *out = all;
    return err;
}

enum err image_cover(const struct data_call *call, struct record *record,
                     const struct haar *const *haars, size_t n, int least_hits,
                     const char *count_path, struct data_out *out, struct why *why)
{
    struct str bytes, made;
    struct picture picture;
    struct haar_boxes found = {0};
    (void)out;
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = picture_decode(bytes, IMAGE_MOST_PIXELS, call->arena, &picture, why);
    if (!err)
        err = image_places(&picture, haars, n, least_hits, call->arena, &found, why);
    for (size_t i = 0; !err && i < found.n; i++)
        cover_box(&picture, &found.items[i]);
    if (err || !found.n)
        return err;
    err = picture_encode(&picture, picture.kind == PICTURE_JPEG ? PICTURE_JPEG : PICTURE_PNG,
                         QUALITY, call->arena, &made, why);
    if (!err)
        err = image_put(call, record, made, why);
    return err ? err : put_number(record, str_c(count_path), (double)found.n, 0, why);
}
