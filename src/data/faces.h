/*
 * data/faces - finding faces in pictures with a small network.
 *
 * The network is the SSD on MobileNet V1 of face-api.js, trained on WIDER FACE, 5.6 MB of eight-bit
 * weights; it is in the binary where tools/faces had fetched it when the binary was built. A
 * network is read-only: from any thread.
 *
 *   Source  Liu et al. 2016, SSD, arXiv:1512.02325; Howard et al. 2017, MobileNets,
 *           arXiv:1704.04861; Yang et al. 2016, WIDER FACE, arXiv:1511.06523; weights and the
 *           names of the layers: npm package @vladmandic/face-api (MIT)
 */
#ifndef DATA_FACES_H
#define DATA_FACES_H

#include "formats/formats.h"

struct faces;
struct image_boxes;

/* From the package's list of weights (JSON) and its bytes, in `arena` (24 MB). ERR_INVALID when
 * a layer is missing, has another shape, or is not finite. */
ERR_MUST_USE enum err faces_read(struct str list, struct str bytes, struct arena *arena,
                                 const struct faces **out, struct why *why);

/* The network of the binary, read once, from any thread. ERR_UNAVAILABLE: built without one. */
ERR_MUST_USE enum err faces_shipped(const struct faces **out, struct why *why);

#define FACES_FIRST_SIDE 512
#define FACES_MOST_SIDE  4096

struct faces_opts {
    double least; /* so sure must the network be, 0 .. 1 */
    int longest;  /* points of length of the largest look, FACES_FIRST_SIDE .. FACES_MOST_SIDE */
};

/*
 * Faces, in points of the picture, surest first; of those that overlap the surest alone. The
 * picture is looked at in 512 points of length, in 1024, and so on up to `longest`, the larger ones
 * for small faces; it is not enlarged beyond twice its size and 1024 points.
 *
 *   Memory  up to 160 MB while it runs, freed before it returns; the boxes in `arena`
 *   Cost    0.1 s of processor at 512 by 384 points, four times as much at twice the length
 */
ERR_MUST_USE enum err faces_find(const struct faces *faces, const struct picture *picture,
                                 const struct faces_opts *opts, struct arena *arena,
                                 struct image_boxes *out, struct why *why);

#endif
