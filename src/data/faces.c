/*
 * faces: a picture goes through MobileNet; six maps of falling size each say for every cell and
 * every anchor (a box of a usual size and shape) how much it is a face and how the box must be
 * moved.
 */
#include "data/faces.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/json.h"
#include "data/faces_bytes.h"
#include "data/image.h"
#include "data/net.h"

#define PAIRS         13 /* of a depthwise and a pointwise layer */
#define MORE          8  /* layers that make the map ever smaller */
#define LEVELS        6
#define MOST_ANCHORS  6
#define PART          1024 /* points of a part's side */
#define OVERLAP       128
#define MOST_ENLARGED 1024
#define CELL          64 /* a picture is filled up to a multiple of so many points */
#define FIRST_STRIDE  16 /* points from cell to cell of the first level; each level doubles it */
#define ROOM          ((size_t)160 << 20) /* for a part: 96 bytes a point, the input, the rows */
#define SHIPPED_ROOM  ((size_t)64 << 20)
#define PICTURE_ROOM  ((size_t)64 << 20)
#define MOST_BOXES    20000 /* that may be above `least` before those of one face are one */
#define NUDGE         10.0f
#define STRETCH       5.0f

struct anchors {
    int n;
    float height[MOST_ANCHORS], width[MOST_ANCHORS]; /* points */
};
struct faces {
    struct net_conv first;
    struct net_depthwise thin[PAIRS];
    struct net_conv wide[PAIRS], more[MORE], box[LEVELS], sure[LEVELS];
    struct anchors anchors[LEVELS];
};

static const int level_anchors[LEVELS] = {3, 6, 6, 6, 6, 6};
/* The anchors of the file are those of a square picture of so many points. */
static const int level_cells[LEVELS] = {32, 16, 8, 4, 2, 1};
#define FILE_SIDE 512

/* ---- the file ---- */

struct weights {
    const struct json
        *list; /* {name, shape, quantization: {scale, min}}, in the order of the bytes */
    struct str bytes;
    struct arena *arena;
    struct why *why;
};

/* Numbers of one name, eight bits each or, without a quantization, floats. */
static enum err numbers(const struct weights *w, const char *name, size_t n, float **out)
{
    size_t at = 0;
    for (size_t i = 0; i < json_len(w->list); i++) {
        const struct json *one = json_at(w->list, i), *shape = json_get(one, "shape"),
                          *quantum = json_get(one, "quantization");
        size_t count = 1;
        for (size_t k = 0; k < json_len(shape); k++) {
            int64_t side = json_int(json_at(shape, k), 0);
            if (side < 1 || side > 100000 || count > ((size_t)1 << 26) / (size_t)side)
                return err_set(w->why, ERR_INVALID, "the network is damaged: a shape is too large");
            count *= (size_t)side;
        }
        size_t size = count * (quantum ? 1 : sizeof(float));
        if (size > w->bytes.len - at)
            return err_set(w->why, ERR_INVALID, "the network is damaged: it is cut off");
        if (!str_eq(json_get_str(one, "name", STR("")), str_c(name))) {
            at += size;
            continue;
        }
        if (count != n)
            break;
        float *made = arena_array(w->arena, float, n);
        if (!made)
            return err_set(w->why, ERR_NO_MEMORY, "could not hold a network");
        double scale = json_get_f64(quantum, "scale", 0), least = json_get_f64(quantum, "min", 0);
        bool finite = true;
        if (!quantum)
            memcpy(made, w->bytes.ptr + at, size);
        for (size_t k = 0; k < n; k++) {
            if (quantum)
                made[k] = (float)((uint8_t)w->bytes.ptr[at + k] * scale + least);
            finite = finite && fabsf(made[k]) < 1e6f;
        }
        if (!finite)
            return err_set(w->why, ERR_INVALID, "the network is damaged: no numbers in %s", name);
        *out = made;
        return ERR_OK;
    }
    return err_set(w->why, ERR_INVALID, "the network has no %s of %zu numbers", name, n);
}

static enum err read_conv(const struct weights *w, const char *weights, const char *offsets,
                          struct net_conv shape, struct net_conv *out)
{
    float *values = NULL, *start = NULL;
    enum err err = numbers(
        w, weights, (size_t)shape.side * (size_t)shape.side * (size_t)shape.in * (size_t)shape.out,
        &values);
    if (!err)
        err = numbers(w, offsets, (size_t)shape.out, &start);
    *out = shape;
    return err ? err : net_conv_pack(out, values, start, w->arena, w->why);
}

/* What a layer was trained with beside its weights, worked into them. */
static enum err read_thin(const struct weights *w, int layer, struct net_depthwise *out)
{
    static const char *const parts[] = {"gamma", "beta", "moving_mean", "moving_variance"};
    char name[96];
    float *v[4] = {NULL};
    size_t depth = (size_t)out->depth;
    (void)snprintf(name, sizeof name, "MobilenetV1/Conv2d_%d_depthwise/depthwise_weights", layer);
    enum err err = numbers(w, name, 9 * depth, &out->weights);
    for (int i = 0; !err && i < 4; i++) {
        (void)snprintf(name, sizeof name, "MobilenetV1/Conv2d_%d_depthwise/BatchNorm/%s", layer,
                       parts[i]);
        err = numbers(w, name, depth, &v[i]);
    }
    for (size_t c = 0; !err && c < depth; c++) {
        float factor = v[0][c] / sqrtf(fmaxf(v[3][c], 0) + 0.001f);
        for (size_t tap = 0; tap < 9; tap++)
            out->weights[tap * depth + c] *= factor;
        v[1][c] -= v[2][c] * factor;
    }
    out->offsets = v[1];
    return err;
}

static enum err read_pairs(const struct weights *w, struct faces *f)
{
    static const int depths[PAIRS + 1] = {32,  64,  128, 128, 256, 256,  512,
                                          512, 512, 512, 512, 512, 1024, 1024};
    enum err err = read_conv(w, "MobilenetV1/Conv2d_0_pointwise/weights",
                             "MobilenetV1/Conv2d_0_pointwise/convolution_bn_offset",
                             (struct net_conv){3, 2, 3, 32, true, NULL, NULL}, &f->first);
    for (int i = 0; !err && i < PAIRS; i++) {
        char weights[96], offsets[96];
        int layer = i + 1, stride = layer == 2 || layer == 4 || layer == 6 || layer == 12 ? 2 : 1;
        f->thin[i] = (struct net_depthwise){stride, depths[i], NULL, NULL};
        err = read_thin(w, layer, &f->thin[i]);
        (void)snprintf(weights, sizeof weights, "MobilenetV1/Conv2d_%d_pointwise/weights", layer);
        (void)snprintf(offsets, sizeof offsets,
                       "MobilenetV1/Conv2d_%d_pointwise/convolution_bn_offset", layer);
        if (!err)
            err = read_conv(w, weights, offsets,
                            (struct net_conv){1, 1, depths[i], depths[i + 1], true, NULL, NULL},
                            &f->wide[i]);
    }
    return err;
}

static enum err read_levels(const struct weights *w, struct faces *f)
{
    static const int more[MORE + 1] = {1024, 256, 512, 128, 256, 128, 256, 64, 128};
    static const int depths[LEVELS] = {512, 1024, 512, 256, 256, 128};
    char weights[96], offsets[96];
    enum err err = ERR_OK;
    for (int i = 0; !err && i < MORE; i++) {
        int side = i % 2 ? 3 : 1, stride = i % 2 ? 2 : 1;
        (void)snprintf(weights, sizeof weights, "Prediction/Conv2d_%d_pointwise/weights", i);
        (void)snprintf(offsets, sizeof offsets,
                       "Prediction/Conv2d_%d_pointwise/convolution_bn_offset", i);
        err = read_conv(w, weights, offsets,
                        (struct net_conv){side, stride, more[i], more[i + 1], true, NULL, NULL},
                        &f->more[i]);
    }
    for (int i = 0; !err && i < LEVELS; i++) {
        static const char *const kinds[] = {"BoxEncodingPredictor", "ClassPredictor"};
        for (int k = 0; !err && k < 2; k++) {
            (void)snprintf(weights, sizeof weights, "Prediction/BoxPredictor_%d/%s/weights", i,
                           kinds[k]);
            (void)snprintf(offsets, sizeof offsets, "Prediction/BoxPredictor_%d/%s/biases", i,
                           kinds[k]);
            struct net_conv shape = {1,     1,    depths[i], level_anchors[i] * (k ? 3 : 4),
                                     false, NULL, NULL};
            err = read_conv(w, weights, offsets, shape, k ? &f->sure[i] : &f->box[i]);
        }
    }
    return err;
}

/* The file has every anchor of every cell; those of a level's first cell say their sizes. */
static enum err read_anchors(const struct weights *w, struct faces *f)
{
    size_t n = 0, at = 0;
    float *all = NULL;
    for (int i = 0; i < LEVELS; i++)
        n += (size_t)(level_cells[i] * level_cells[i] * level_anchors[i]);
    enum err err = numbers(w, "Output/extra_dim", n * 4, &all);
    for (int i = 0; !err && i < LEVELS; i++) {
        f->anchors[i].n = level_anchors[i];
        for (int k = 0; k < level_anchors[i]; k++) {
            const float *edges = all + at + (size_t)k * 4; /* top, left, bottom, right */
            f->anchors[i].height[k] = (edges[2] - edges[0]) * FILE_SIDE;
            f->anchors[i].width[k] = (edges[3] - edges[1]) * FILE_SIDE;
        }
        at += (size_t)(level_cells[i] * level_cells[i] * level_anchors[i]) * 4;
    }
    return err;
}

enum err faces_read(struct str list, struct str bytes, struct arena *arena,
                    const struct faces **out, struct why *why)
{
    struct faces *f = arena_one(arena, struct faces);
    const struct json *json;
    if (!f)
        return err_set(why, ERR_NO_MEMORY, "could not hold a network");
    enum err err = json_parse(list, arena, &json, why);
    struct weights w = {err ? NULL : json_get(json_at(json, 0), "weights"), bytes, arena, why};
    if (!err)
        err = read_pairs(&w, f);
    if (!err)
        err = read_levels(&w, f);
    if (!err)
        err = read_anchors(&w, f);
    if (!err)
        *out = f;
    return err;
}

/* ---- the network of the binary ---- */

#if HAVE_FACES
static struct arena
    *volatile shipped_arena; /* kept for good: nobody reads it, leak checkers look */
static const struct faces *shipped;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static struct str between(const unsigned char *begin, const unsigned char *end)
{
    return (struct str){(const char *)begin, (size_t)(end - begin)};
}

static void read_shipped(void)
{
    struct str list = between(faces_list_begin, faces_list_end),
               bytes = between(faces_bytes_begin, faces_bytes_end);
    struct arena *arena = shipped_arena = arena_new(SHIPPED_ROOM);
    if (!arena || faces_read(list, bytes, arena, &shipped, NULL))
        shipped = NULL;
}

enum err faces_shipped(const struct faces **out, struct why *why)
{
    (void)pthread_once(&once, read_shipped);
    if (!shipped)
        return err_set(why, ERR_NO_MEMORY, "could not hold a network");
    *out = shipped;
    return ERR_OK;
}
#else
enum err faces_shipped(const struct faces **out, struct why *why)
{
    (void)out;
    return err_set(why, ERR_UNAVAILABLE,
                   "this program was built without the network that finds faces");
}
#endif

/* ---- looking ---- */

struct found {
    struct image_boxes boxes;
    double least;
};

/* A part of a picture that already has the size to be looked at, colours as -1 .. 1; the rest, up
 * to whole cells, is black. */
struct part {
    const struct picture *picture;
    int x, y, width, height;
    double scale; /* of the picture that was asked about */
};

static enum err input_of(const struct part *part, struct arena *arena, struct net_map *out,
                         struct why *why)
{
    const struct picture *p = part->picture;
    struct net_map in = {(part->height + CELL - 1) / CELL * CELL,
                         (part->width + CELL - 1) / CELL * CELL, 3, NULL};
    size_t n = (size_t)in.height * (size_t)in.width * 3;
    in.at = arena_array(arena, float, n);
    if (!in.at)
        return err_set(why, ERR_NO_MEMORY, "could not look at a picture");
    for (size_t i = 0; i < n; i++)
        in.at[i] = -1;
    for (int y = 0; y < part->height; y++) {
        const uint8_t *from =
            p->rgb + ((size_t)(part->y + y) * (size_t)p->width + (size_t)part->x) * 3;
        float *to = in.at + (size_t)y * (size_t)in.width * 3;
        for (size_t i = 0; i < (size_t)part->width * 3; i++)
            to[i] = (float)from[i] / 127.5f - 1;
    }
    *out = in;
    return ERR_OK;
}

static void collect(const struct faces *f, int level, const struct net_map *boxes,
                    const struct net_map *sures, const struct part *part, struct found *found)
{
    const struct anchors *a = &f->anchors[level];
    double stride = FIRST_STRIDE << level;
    for (int y = 0; y < boxes->height; y++)
        for (int x = 0; x < boxes->width; x++)
            for (int k = 0; k < a->n; k++) {
                size_t cell = (size_t)y * (size_t)boxes->width + (size_t)x;
                const float *move = boxes->at + cell * (size_t)boxes->depth + k * 4;
                float logit = sures->at[cell * (size_t)sures->depth + (size_t)k * 3 + 1];
                double sure = 1 / (1 + exp(-(double)logit));
                if (!(sure >= found->least) || found->boxes.n == MOST_BOXES)
                    continue;
                double cy = part->y + (y + 0.5) * stride + move[0] / NUDGE * a->height[k],
                       cx = part->x + (x + 0.5) * stride + move[1] / NUDGE * a->width[k];
                double height = exp(fmin(move[2] / STRETCH, 3)) * a->height[k],
                       width = exp(fmin(move[3] / STRETCH, 3)) * a->width[k];
                found->boxes.items[found->boxes.n++] = (struct image_box){
                    (int)((cx - width / 2) / part->scale), (int)((cy - height / 2) / part->scale),
                    (int)(width / part->scale), (int)(height / part->scale), sure};
            }
}

/* Two places serve the maps in turn; the largest come to the first of them. */
static enum err look_at_part(const struct faces *f, const struct part *part, struct found *found,
                             struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct net_map map = {0}, levels[LEVELS] = {0};
    float *places[2] = {NULL};
    enum err err = arena ? input_of(part, arena, &map, why) : ERR_NO_MEMORY;
    if (!err) {
        size_t points = (size_t)map.height * (size_t)map.width;
        places[0] = arena_array(arena, float, points * 16);
        places[1] = arena_array(arena, float, points * 8);
        if (!places[0] || !places[1])
            err = err_set(why, ERR_NO_MEMORY, "could not look at a picture of this size");
    }
    int n = 0;
    if (!err)
        err = net_conv(&f->first, &map, places[1], arena, &map, why);
    for (int i = 0; !err && i < PAIRS; i++) {
        bool kept = i == 10 || i == 12;
        err =
            net_pair(&f->thin[i], &f->wide[i], &map, kept ? NULL : places[i % 2], arena, &map, why);
        if (kept)
            levels[n++] = map;
    }
    for (int i = 0; !err && i < MORE; i++) {
        err = net_conv(&f->more[i], &map, NULL, arena, &map, why);
        if (i % 2)
            levels[n++] = map;
    }
    for (int i = 0; !err && i < LEVELS; i++) {
        struct net_map boxes, sures;
        err = net_conv(&f->box[i], &levels[i], NULL, arena, &boxes, why);
        if (!err)
            err = net_conv(&f->sure[i], &levels[i], NULL, arena, &sures, why);
        if (!err)
            collect(f, i, &boxes, &sures, part, found);
    }
    arena_free(arena);
    return err;
}

/* The picture at one size, in parts that overlap: a face on an edge of one is whole in the next. */
static enum err look(const struct faces *f, const struct picture *picture, double scale,
                     struct found *found, struct why *why)
{
    struct arena *arena = arena_new(PICTURE_ROOM);
    struct picture p = *picture;
    int width = (int)(p.width * scale + 0.5), height = (int)(p.height * scale + 0.5);
    width = width < 1 ? 1 : width;
    height = height < 1 ? 1 : height;
    enum err err = arena ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not look at a picture");
    if (!err && scale > 1)
        err = image_enlarge(picture, width, height, arena, &p, why);
    else if (!err && scale < 1)
        err = image_resize(picture, width, height, arena, &p, why);
    for (int y = 0; !err && y < p.height; y += PART - OVERLAP) {
        for (int x = 0; !err && x < p.width; x += PART - OVERLAP) {
            struct part part = {&p,
                                x,
                                y,
                                p.width - x < PART ? p.width - x : PART,
                                p.height - y < PART ? p.height - y : PART,
                                scale};
            if (found->boxes.n > MOST_BOXES / 2) /* a crowd: make room */
                image_thin_out(&found->boxes, found->least);
            err = look_at_part(f, &part, found, why);
            if (x + PART >= p.width)
                break;
        }
        if (y + PART >= p.height)
            break;
    }
    arena_free(arena);
    return err;
}

enum err faces_find(const struct faces *f, const struct picture *picture,
                    const struct faces_opts *opts, struct arena *arena, struct image_boxes *out,
                    struct why *why)
{
    struct found found = {{arena_array(arena, struct image_box, MOST_BOXES), 0}, opts->least};
    int longer = picture->width > picture->height ? picture->width : picture->height;
    enum err err = found.boxes.items ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold faces");
    for (int side = FACES_FIRST_SIDE; !err && side <= opts->longest; side *= 2) {
        double scale = (double)side / longer, most = side > MOST_ENLARGED ? 1 : 2;
        err = look(f, picture, fmin(scale, most), &found, why);
        if (scale >= most)
            break; /* nothing more to be seen */
    }
    if (err)
        return err;
    image_thin_out(&found.boxes, opts->least);
    *out = found.boxes;
    return ERR_OK;
}
