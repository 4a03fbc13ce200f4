/* image_cover: what image_faces and image_plates share: making places unrecognisable. */
#include "data/image.h"

#include "core/arena.h"
#include "data/put.h"

#define GRAINS  6 /* fields across a covered part */
#define QUALITY 92

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
static void cover_box(struct picture *p, const struct image_box *box)
{
    int x0 = (int)(box->x - box->width * 0.1), y0 = (int)(box->y - box->height * 0.1);
    int x1 = (int)(box->x + box->width * 1.1 + 1), y1 = (int)(box->y + box->height * 1.1 + 1);
    cover(p, clamp(x0, 0, p->width), clamp(y0, 0, p->height), clamp(x1, 0, p->width),
          clamp(y1, 0, p->height));
}

enum err image_cover(const struct data_call *call, struct record *record,
                     const struct image_finder *finder, struct why *why)
{
    struct str bytes, made;
    struct picture picture;
    struct image_boxes found = {0};
    enum err err = image_get(call, record, &bytes, why);
    if (!err)
        err = picture_decode(bytes, IMAGE_MOST_PIXELS, call->arena, &picture, why);
    if (!err)
        err = image_upright(&picture, image_turn(bytes), call->arena, why);
    if (!err)
        err = finder->find(call, &picture, &found, why);
    for (size_t i = 0; !err && i < found.n; i++)
        cover_box(&picture, &found.items[i]);
    if (err || !found.n)
        return err;
    err = picture_encode(&picture, picture.kind == PICTURE_JPEG ? PICTURE_JPEG : PICTURE_PNG,
                         QUALITY, call->arena, &made, why);
    if (!err)
        err = image_put(call, record, made, why);
    return err ? err : put_number(record, str_c(finder->count_path), (double)found.n, 0, why);
}
