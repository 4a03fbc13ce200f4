/*
 * data/haar - finding faces and plates with the cascades of OpenCV's data, without OpenCV.
 *
 * Reads the files of its package opencv-data (type "opencv-cascade-classifier", features HAAR,
 * upright and tilted) and runs them over a pyramid of the picture. A detector is read-only: from
 * any thread.
 *
 *   Source  Viola and Jones 2001, doi:10.1109/CVPR.2001.990517; Lienhart and Maydt 2002,
 *           doi:10.1109/ICIP.2002.1038171; the files: haarcascade_*.xml of OpenCV
 */
#ifndef DATA_HAAR_H
#define DATA_HAAR_H

#include "core/str.h"

struct arena;
struct haar;

/* In `arena`. ERR_INVALID for anything that is no such cascade: every number is checked, so that a
 * detector never reads outside its window. */
ERR_MUST_USE enum err haar_read(struct str xml, struct arena *arena, const struct haar **out,
                                struct why *why);

struct haar_box {
    int x, y, width, height;
    int hits; /* windows that said so */
};
struct haar_boxes {
    struct haar_box *items; /* by x, then y */
    size_t n;
};

struct haar_picture {
    const uint8_t *gray; /* (height, width) */
    int width, height;
};

/* Windows from the detector's own size up to the picture's, each 1.1 times the one before; those
 * that nearly coincide are one box, and a box needs `least_hits`. Cost  about 0.2 s for 1024 by 768
 * points and a face cascade */
ERR_MUST_USE enum err haar_find(const struct haar *haar, const struct haar_picture *picture,
                                int least_hits, struct arena *arena, struct haar_boxes *out,
                                struct why *why);

#endif
