#include "data/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "objects/objects.h"

#define PRINT_SIDE 32

enum err image_get(const struct data_call *call, const struct record *record, struct str *bytes,
                   struct why *why)
{
    struct str name = record_str(record, "image");
    char hex[HASH_TEXT];
    if (!call->objects)
        return err_set(why, ERR_UNAVAILABLE, "there are no objects to read pictures from");
    if (name.len + 1 != sizeof hex)
        return err_set(why, ERR_INVALID, "\"image\" is no name of an object");
    memcpy(hex, name.ptr, name.len);
    hex[name.len] = '\0';
    enum err err = objects_get(call->objects, hex, IMAGE_MOST_BYTES, call->arena, bytes, why);
    /* A damaged disk is not this record's fault, a missing picture is. */
    return err == ERR_NOT_FOUND ? ERR_INVALID : err;
}

enum err image_put(const struct data_call *call, struct record *record, struct str bytes,
                   struct why *why)
{
    char name[HASH_TEXT];
    enum err err = objects_put(call->objects, bytes, name, why);
    struct str copy = err ? STR_NONE : str_copy(call->arena, str_c(name));
    if (!err && !copy.ptr)
        err = err_set(why, ERR_NO_MEMORY, "could not name a picture");
    return err ? err : record_set_str(record, "image", copy, why);
}

/* ---- pixels ---- */

static void add_row(const struct picture *p, int y, uint32_t *sums, uint32_t *counts, int width)
{
    const uint8_t *from = p->rgb + (size_t)y * (size_t)p->width * 3;
    for (int x = 0; x < p->width; x++, from += 3) {
        size_t to = (size_t)((int64_t)x * width / p->width);
        sums[to * 3] += from[0];
        sums[to * 3 + 1] += from[1];
        sums[to * 3 + 2] += from[2];
        counts[to]++;
    }
}

enum err image_resize(const struct picture *p, int width, int height, struct arena *arena,
                      struct picture *out, struct why *why)
{
    struct picture made = {.width = width < p->width ? width : p->width,
                           .height = height < p->height ? height : p->height,
                           .kind = p->kind};
    size_t n = (size_t)made.width * (size_t)made.height * 3;
    uint32_t *sums = arena_array(arena, uint32_t, (size_t)made.width * 3),
             *counts = arena_array(arena, uint32_t, (size_t)made.width);
    made.rgb = (uint8_t *)arena_bytes(arena, n);
    if (!sums || !counts || !made.rgb)
        return err_set(why, ERR_NO_MEMORY, "could not resize a picture");
    int y = 0;
    for (int to = 0; to < made.height; to++) {
        memset(sums, 0, (size_t)made.width * 3 * sizeof *sums);
        memset(counts, 0, (size_t)made.width * sizeof *counts);
        int end = (int)((int64_t)(to + 1) * p->height / made.height);
        for (; y < end; y++)
            add_row(p, y, sums, counts, made.width);
        uint8_t *row = made.rgb + (size_t)to * (size_t)made.width * 3;
        for (size_t i = 0; i < (size_t)made.width * 3; i++)
            row[i] = (uint8_t)((sums[i] + counts[i / 3] / 2) / counts[i / 3]);
    }
    *out = made;
    return ERR_OK;
}

enum err image_enlarge(const struct picture *from, int width, int height, struct arena *arena,
                       struct picture *out, struct why *why)
{
    struct picture to = {width, height, from->kind,
                         (uint8_t *)arena_bytes(arena, (size_t)width * (size_t)height * 3)};
    if (!to.rgb)
        return err_set(why, ERR_NO_MEMORY, "could not enlarge a picture");
    uint8_t *at = to.rgb;
    for (int y = 0; y < height; y++) {
        float fy = fmaxf(((float)y + 0.5f) * (float)from->height / (float)height - 0.5f, 0);
        int y0 = (int)fy, y1 = y0 + 1 < from->height ? y0 + 1 : y0;
        const uint8_t *a = from->rgb + (size_t)y0 * (size_t)from->width * 3,
                      *b = from->rgb + (size_t)y1 * (size_t)from->width * 3;
        for (int x = 0; x < width; x++) {
            float fx = fmaxf(((float)x + 0.5f) * (float)from->width / (float)width - 0.5f, 0);
            int x0 = (int)fx, x1 = x0 + 1 < from->width ? x0 + 1 : x0;
            float right = fx - (float)x0, low = fy - (float)y0;
            for (int c = 0; c < 3; c++) {
                float top = (float)a[x0 * 3 + c] * (1 - right) + (float)a[x1 * 3 + c] * right,
                      bottom = (float)b[x0 * 3 + c] * (1 - right) + (float)b[x1 * 3 + c] * right;
                *at++ = (uint8_t)(top * (1 - low) + bottom * low + 0.5f);
            }
        }
    }
    *out = to;
    return ERR_OK;
}

/* Where the point (x, y) of an upright picture lies in one that is turned. */
static size_t turned_from(const struct picture *p, unsigned turn, int x, int y)
{
    int right = p->width - 1, low = p->height - 1;
    int from_x[] = {x, right - x, right - x, x, y, y, right - y, right - y};
    int from_y[] = {y, y, low - y, low - y, x, low - x, low - x, x};
    return (size_t)from_y[turn - 1] * (size_t)p->width + (size_t)from_x[turn - 1];
}

enum err image_upright(struct picture *p, unsigned turn, struct arena *arena, struct why *why)
{
    struct picture made = *p;
    if (turn < 2 || turn > 8)
        return ERR_OK;
    if (turn >= 5) {
        made.width = p->height;
        made.height = p->width;
    }
    made.rgb = (uint8_t *)arena_bytes(arena, (size_t)p->width * (size_t)p->height * 3);
    if (!made.rgb)
        return err_set(why, ERR_NO_MEMORY, "could not turn a picture");
    uint8_t *to = made.rgb;
    for (int y = 0; y < made.height; y++)
        for (int x = 0; x < made.width; x++, to += 3)
            memcpy(to, p->rgb + turned_from(p, turn, x, y) * 3, 3);
    *p = made;
    return ERR_OK;
}

enum err image_gray(const struct picture *p, int longest, struct arena *arena,
                    struct image_gray *out, struct why *why)
{
    struct picture small = *p;
    int side = p->width > p->height ? p->width : p->height;
    enum err err = ERR_OK;
    if (longest && side > longest) {
        int width = (int)((int64_t)p->width * longest / side),
            height = (int)((int64_t)p->height * longest / side);
        err = image_resize(p, width ? width : 1, height ? height : 1, arena, &small, why);
    }
    if (err)
        return err;
    size_t n = (size_t)small.width * (size_t)small.height;
    uint8_t *levels = (uint8_t *)arena_bytes(arena, n);
    if (!levels)
        return err_set(why, ERR_NO_MEMORY, "could not hold a picture");
    for (size_t i = 0; i < n; i++)
        levels[i] = (uint8_t)((small.rgb[3 * i] * 299u + small.rgb[3 * i + 1] * 587u +
                               small.rgb[3 * i + 2] * 114u + 500u) /
                              1000u);
    *out = (struct image_gray){levels, small.width, small.height};
    return ERR_OK;
}

double image_sharpness(const struct image_gray *g)
{
    double sum = 0, squares = 0;
    size_t n = 0, w = (size_t)g->width;
    for (size_t y = 1; y + 1 < (size_t)g->height; y++)
        for (size_t x = 1; x + 1 < w; x++) {
            const uint8_t *p = g->levels + y * w + x;
            int v = p[-1] + p[1] + *(p - w) + p[w] - 4 * p[0];
            sum += v;
            squares += (double)v * v;
            n++;
        }
    return n ? squares / (double)n - sum / (double)n * (sum / (double)n) : 0;
}

/* The means of 32 by 32 fields. */
static void fields_of(const struct image_gray *g, double out[PRINT_SIDE][PRINT_SIDE])
{
    for (int fy = 0; fy < PRINT_SIDE; fy++)
        for (int fx = 0; fx < PRINT_SIDE; fx++) {
            int y0 = fy * g->height / PRINT_SIDE, y1 = (fy + 1) * g->height / PRINT_SIDE;
            int x0 = fx * g->width / PRINT_SIDE, x1 = (fx + 1) * g->width / PRINT_SIDE;
            uint64_t sum = 0;
            y1 = y1 > y0 ? y1 : y0 + 1;
            x1 = x1 > x0 ? x1 : x0 + 1;
            for (int y = y0; y < y1; y++)
                for (int x = x0; x < x1; x++)
                    sum += g->levels[(size_t)y * (size_t)g->width + (size_t)x];
            out[fy][fx] = (double)sum / ((y1 - y0) * (double)(x1 - x0));
        }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

uint64_t image_print(const struct image_gray *g)
{
    double fields[PRINT_SIDE][PRINT_SIDE], cosines[8][PRINT_SIDE], half[PRINT_SIDE][8], all[64],
        order[64];
    uint64_t bits = 0;
    fields_of(g, fields);
    for (int k = 0; k < 8; k++) /* frequencies 1 .. 8: the mean and the slowest are left out */
        for (int i = 0; i < PRINT_SIDE; i++)
            cosines[k][i] = cos(acos(-1.0) * (k + 1) * (2 * i + 1) / (2.0 * PRINT_SIDE));
    for (int y = 0; y < PRINT_SIDE; y++)
        for (int k = 0; k < 8; k++) {
            half[y][k] = 0;
            for (int x = 0; x < PRINT_SIDE; x++)
                half[y][k] += fields[y][x] * cosines[k][x];
        }
    for (int j = 0; j < 8; j++)
        for (int k = 0; k < 8; k++) {
            double v = 0;
            for (int y = 0; y < PRINT_SIDE; y++)
                v += half[y][k] * cosines[j][y];
            all[j * 8 + k] = order[j * 8 + k] = v;
        }
    qsort(order, 64, sizeof *order, by_size);
    double middle = (order[31] + order[32]) / 2;
    for (int i = 0; i < 64; i++)
        bits |= (uint64_t)(all[i] > middle) << i;
    return bits;
}

/* ---- boxes ---- */

static int by_sure(const void *a, const void *b)
{
    const struct image_box *p = a, *q = b;
    if (p->sure != q->sure)
        return p->sure < q->sure ? 1 : -1;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->y > q->y) - (p->y < q->y);
}

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

static int most_of(int a, int b)
{
    return a > b ? a : b;
}

double image_overlap(const struct image_box *a, const struct image_box *b, double *of_smaller)
{
    double width = least_of(a->x + a->width, b->x + b->width) - most_of(a->x, b->x),
           height = least_of(a->y + a->height, b->y + b->height) - most_of(a->y, b->y);
    double first = (double)a->width * a->height, second = (double)b->width * b->height;
    double shared = width > 0 && height > 0 ? width * height : 0;
    *of_smaller = shared > 0 ? shared / fmin(first, second) : 0;
    return shared > 0 ? shared / (first + second - shared) : 0;
}

void image_thin_out(struct image_boxes *boxes, double least)
{
    size_t n = 0;
    if (boxes->n > 1)
        qsort(boxes->items, boxes->n, sizeof *boxes->items, by_sure);
    for (size_t i = 0; i < boxes->n && boxes->items[i].sure >= least; i++) {
        bool seen = false;
        for (size_t k = 0; k < n && !seen; k++) {
            double of_smaller;
            seen = image_overlap(&boxes->items[k], &boxes->items[i], &of_smaller) > 0.4 ||
                   of_smaller > 0.7;
        }
        if (!seen)
            boxes->items[n++] = boxes->items[i];
    }
    boxes->n = n;
}
