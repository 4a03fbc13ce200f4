/*
 * data/image - pictures of caption records: fetched by their name, measured, changed, stored anew.
 *
 * "image" of a record is the name of an object. A changed picture is stored as an object of its own
 * and the record gets its name: the same bytes have the same name, so a run that is repeated after
 * a crash stores nothing twice and gives the same records. The picture before stays as long as a
 * version names it; which step made the new one stands in the trail.
 */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include "data/op.h"
#include "formats/formats.h"

#define IMAGE_MOST_BYTES  ((size_t)32 << 20)
#define IMAGE_MOST_PIXELS ((size_t)24 << 20) /* decoded 72 MB: a record has 192 */

/* The bytes of the record's picture. ERR_INVALID: it names none; ERR_UNAVAILABLE: the run has no
 * objects (fatal); else as objects_get(), where a missing object concerns this record alone. */
ERR_MUST_USE enum err image_get(const struct data_call *call, const struct record *record,
                                struct str *bytes, struct why *why);
/* Stores bytes and sets the record's "image". */
ERR_MUST_USE enum err image_put(const struct data_call *call, struct record *record,
                                struct str bytes, struct why *why);

/* Gray levels, (height, width), at most `longest` points on the longer side (0: as it is). */
struct image_gray {
    uint8_t *levels;
    int width, height;
};
ERR_MUST_USE enum err image_gray(const struct picture *picture, int longest, struct arena *arena,
                                 struct image_gray *out, struct why *why);
/* The picture at a smaller size, each point the mean of those it covers. */
ERR_MUST_USE enum err image_resize(const struct picture *picture, int width, int height,
                                   struct arena *arena, struct picture *out, struct why *why);
/* At a larger size, each point between its neighbours. */
ERR_MUST_USE enum err image_enlarge(const struct picture *picture, int width, int height,
                                    struct arena *arena, struct picture *out, struct why *why);

/* Variance of the Laplacian: small when nothing is sharp. */
double image_sharpness(const struct image_gray *gray);
/* 64 bits that stay when a picture is scaled, compressed, slightly lightened (DCT). */
uint64_t image_print(const struct image_gray *gray);

/* JPEG, PNG or WebP without Exif, GPS, XMP, IPTC and comments, picture data untouched; *out is
 * `bytes` when there is nothing to take. With keep_turn a turned JPEG keeps its orientation alone.
 * ERR_UNSUPPORTED: another kind; ERR_INVALID: broken. */
ERR_MUST_USE enum err image_strip(struct str bytes, bool keep_turn, struct arena *arena,
                                  struct str *out, struct why *why);

/* How a JPEG's Exif says it is to be turned, 1 (not at all) .. 8. */
unsigned image_turn(struct str bytes);
ERR_MUST_USE enum err image_upright(struct picture *picture, unsigned turn, struct arena *arena,
                                    struct why *why);

struct image_box {
    int x, y, width, height; /* may reach over the edge */
    double sure;             /* 0 .. 1 */
};
struct image_boxes {
    struct image_box *items;
    size_t n;
};
/* What two boxes share, as a part of both together, and of the smaller. */
double image_overlap(const struct image_box *a, const struct image_box *b, double *of_smaller);
/* Drops what is less sure than `least`; of those that overlap by much the surest stays. Surest
 * first. */
void image_thin_out(struct image_boxes *boxes, double least);

/* Finds places in an upright picture and makes them unrecognisable: what op_image_faces and
 * op_image_plates do. `find` gets what prepare() made and the arguments from `call`. How many
 * places there are goes to `count_path`; a picture with none stays as it is. One that a camera
 * marked as turned is stored upright. */
struct image_finder {
    enum err (*find)(const struct data_call *call, const struct picture *picture,
                     struct image_boxes *out, struct why *why);
    const char *count_path;
};
ERR_MUST_USE enum err image_cover(const struct data_call *call, struct record *record,
                                  const struct image_finder *finder, struct why *why);

#endif
