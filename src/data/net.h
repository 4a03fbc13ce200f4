/*
 * data/net - the layers of small convolutional networks, for finding things in pictures.
 *
 * Maps are float, (height, width, depth), row-major. A layer is a convolution with an offset and a
 * clip to 0 .. 6 or none; edges are padded as TensorFlow's "same" does, so that a map of n points
 * becomes one of ceil(n / stride). Pure; the same numbers whatever vector the processor has: sums
 * run over the inputs in order, and lanes are outputs.
 */
#ifndef DATA_NET_H
#define DATA_NET_H

#include "core/str.h"

struct arena;

struct net_map {
    int height, width, depth;
    float *at;
};

struct net_conv {
    int side;       /* 1 or 3 */
    int stride;     /* 1 or 2 */
    int in, out;    /* depths */
    bool clip;      /* to 0 .. 6 */
    float *panels;  /* weights, packed: (ceil(out / NET_LANES), side * side * in, NET_LANES) */
    float *offsets; /* (out) rounded up to whole panels */
};

/* One filter for every depth of the map, 3 by 3, always clipped. */
struct net_depthwise {
    int stride, depth;
    float *weights; /* (9, depth) */
    float *offsets; /* (depth) */
};

#define NET_LANES 16

/* Packs `weights` (side * side * in, out) and `offsets` (out). ERR_NO_MEMORY. */
ERR_MUST_USE enum err net_conv_pack(struct net_conv *conv, const float *weights,
                                    const float *offsets, struct arena *arena, struct why *why);

/* The map behind it, at `to` (not where `in` is; NULL: in `arena`). ERR_NO_MEMORY past the arena's
 * limit. Cost  side^2 * in * out multiplications a point */
ERR_MUST_USE enum err net_conv(const struct net_conv *conv, const struct net_map *in, float *to,
                               struct arena *arena, struct net_map *out, struct why *why);
/* A depthwise layer and the one of side 1 that follows it, without the map between them. */
ERR_MUST_USE enum err net_pair(const struct net_depthwise *first, const struct net_conv *then,
                               const struct net_map *in, float *to, struct arena *arena,
                               struct net_map *out, struct why *why);

#endif
