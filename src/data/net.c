#include "data/net.h"

#include <string.h>

#include "core/arena.h"

#define TALL 4 /* points that share one reading of the weights */

typedef float lanes __attribute__((vector_size(32)));
typedef float loose_lanes __attribute__((vector_size(32), aligned(4)));

enum err net_conv_pack(struct net_conv *conv, const float *weights, const float *offsets,
                       struct arena *arena, struct why *why)
{
    size_t n_in = (size_t)conv->side * (size_t)conv->side * (size_t)conv->in,
           out = (size_t)conv->out, panels = (out + NET_LANES - 1) / NET_LANES;
    conv->panels = arena_array(arena, float, panels *n_in *NET_LANES);
    conv->offsets = arena_array(arena, float, panels *NET_LANES);
    if (!conv->panels || !conv->offsets)
        return err_set(why, ERR_NO_MEMORY, "could not hold a network");
    for (size_t k = 0; k < n_in; k++)
        for (size_t o = 0; o < out; o++)
            conv->panels[(o / NET_LANES * n_in + k) * NET_LANES + o % NET_LANES] =
                weights[k * out + o];
    memcpy(conv->offsets, offsets, out * sizeof *offsets);
    return ERR_OK;
}

/* TALL points of `n_in` numbers each, `step` apart, times one panel. */
static inline __attribute__((always_inline)) void multiply(const float *from, size_t step,
                                                           size_t n_in, const float *panel,
                                                           const float *offsets,
                                                           float sums[TALL][NET_LANES])
{
    lanes acc[TALL][2];
    for (int p = 0; p < TALL; p++) {
        acc[p][0] = *(const loose_lanes *)offsets;
        acc[p][1] = *(const loose_lanes *)(offsets + 8);
    }
    for (size_t k = 0; k < n_in; k++) {
        lanes a = *(const loose_lanes *)(panel + k * NET_LANES),
              b = *(const loose_lanes *)(panel + k * NET_LANES + 8);
        for (int p = 0; p < TALL; p++) {
            acc[p][0] += from[(size_t)p * step + k] * a;
            acc[p][1] += from[(size_t)p * step + k] * b;
        }
    }
    memcpy(sums, acc, sizeof acc);
}

/* `n` points of a row, a multiple of TALL of which may be read, into (n, conv->out). */
static inline __attribute__((always_inline)) void row_of(const struct net_conv *conv,
                                                         const float *from, size_t n, float *to)
{
    size_t n_in = (size_t)conv->side * (size_t)conv->side * (size_t)conv->in,
           out = (size_t)conv->out;
    for (size_t first = 0; first < out; first += NET_LANES) {
        const float *panel = conv->panels + first * n_in;
        size_t wide = out - first < NET_LANES ? out - first : NET_LANES;
        for (size_t at = 0; at < n; at += TALL) {
            float sums[TALL][NET_LANES];
            multiply(from + at * n_in, n_in, n_in, panel, conv->offsets + first, sums);
            for (size_t p = 0; p < TALL && at + p < n; p++) {
                if (conv->clip)
                    for (size_t o = 0; o < NET_LANES; o++) {
                        float v = sums[p][o] > 0 ? sums[p][o] : 0;
                        sums[p][o] = v < 6 ? v : 6;
                    }
                memcpy(to + (at + p) * out + first, sums[p], wide * sizeof(float));
            }
        }
    }
}

/* How far the first window reaches over the edge. */
static int before(int n, int side, int stride)
{
    int total = ((n + stride - 1) / stride - 1) * stride + side - n;
    return total > 0 ? total / 2 : 0;
}

/* Row y of what a depthwise layer makes: (width, depth). */
static inline __attribute__((always_inline)) void
thin_row(const struct net_depthwise *d, const struct net_map *in, int y, int width, float *to)
{
    size_t depth = (size_t)d->depth;
    int top = y * d->stride - before(in->height, 3, d->stride),
        edge = before(in->width, 3, d->stride);
    for (int x = 0; x < width; x++, to += depth) {
        memcpy(to, d->offsets, depth * sizeof *to);
        for (int tap = 0; tap < 9; tap++) {
            int from_y = top + tap / 3, from_x = x * d->stride - edge + tap % 3;
            if (from_y < 0 || from_y >= in->height || from_x < 0 || from_x >= in->width)
                continue;
            const float *from =
                in->at + ((size_t)from_y * (size_t)in->width + (size_t)from_x) * depth;
            const float *weights = d->weights + (size_t)tap * depth;
            for (size_t c = 0; c < depth; c++)
                to[c] += from[c] * weights[c];
        }
        for (size_t c = 0; c < depth; c++) {
            float v = to[c] > 0 ? to[c] : 0;
            to[c] = v < 6 ? v : 6;
        }
    }
}

/* The windows of row y one after another: (width, side * side * depth), zeros over the edge. */
static void windows(const struct net_conv *conv, const struct net_map *in, int y, int width,
                    float *to)
{
    size_t depth = (size_t)conv->in;
    int side = conv->side, top = y * conv->stride - before(in->height, side, conv->stride),
        edge = before(in->width, side, conv->stride);
    for (int x = 0; x < width; x++)
        for (int tap = 0; tap < side * side; tap++, to += depth) {
            int from_y = top + tap / side, from_x = x * conv->stride - edge + tap % side;
            if (from_y < 0 || from_y >= in->height || from_x < 0 || from_x >= in->width)
                memset(to, 0, depth * sizeof *to);
            else
                memcpy(to, in->at + ((size_t)from_y * (size_t)in->width + (size_t)from_x) * depth,
                       depth * sizeof *to);
        }
}

struct work {
    const struct net_depthwise *thin; /* NULL: `conv` reads the map itself */
    const struct net_conv *conv;
    const struct net_map *in;
    float *row; /* what conv multiplies: (width + TALL, side * side * in) */
    struct net_map *out;
};

static inline __attribute__((always_inline)) void rows(const struct work *w)
{
    for (int y = 0; y < w->out->height; y++) {
        if (w->thin)
            thin_row(w->thin, w->in, y, w->out->width, w->row);
        else
            windows(w->conv, w->in, y, w->out->width, w->row);
        row_of(w->conv, w->row, (size_t)w->out->width,
               w->out->at + (size_t)y * (size_t)w->out->width * (size_t)w->out->depth);
    }
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void rows_avx2(const struct work *w)
{
    rows(w);
}
#endif

static enum err run(struct work *w, int stride, float *to, struct arena *arena, struct net_map *out,
                    struct why *why)
{
    const struct net_conv *conv = w->conv;
    struct net_map made = {(w->in->height + stride - 1) / stride,
                           (w->in->width + stride - 1) / stride, conv->out, to};
    size_t n_in = (size_t)conv->side * (size_t)conv->side * (size_t)conv->in;
    if (!to)
        made.at =
            arena_array(arena, float, (size_t)made.height *(size_t)made.width *(size_t)made.depth);
    w->row = arena_array(arena, float, ((size_t)made.width + TALL) * n_in);
    if (!made.at || !w->row)
        return err_set(why, ERR_NO_MEMORY, "could not look at a picture of this size");
    w->out = &made;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        rows_avx2(w);
    else
#endif
        rows(w);
    w->out = NULL;
    *out = made;
    return ERR_OK;
}

enum err net_conv(const struct net_conv *conv, const struct net_map *in, float *to,
                  struct arena *arena, struct net_map *out, struct why *why)
{
    struct work w = {NULL, conv, in, NULL, NULL};
    return run(&w, conv->stride, to, arena, out, why);
}

enum err net_pair(const struct net_depthwise *first, const struct net_conv *then,
                  const struct net_map *in, float *to, struct arena *arena, struct net_map *out,
                  struct why *why)
{
    struct work w = {first, then, in, NULL, NULL};
    return run(&w, first->stride, to, arena, out, why);
}
