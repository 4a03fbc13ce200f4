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
