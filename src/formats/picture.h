/*
 * formats/picture - a picture's size, its pixels, and bytes of pixels, by leptonica.
 *
 * The size is read from the header alone; nothing is decoded that is larger than the caller allows.
 * Pixels are (height, width, 3) bytes of red, green, blue, row by row. From any thread.
 */
#ifndef FORMATS_PICTURE_H
#define FORMATS_PICTURE_H

#include "core/str.h"

struct arena;

enum picture_kind { PICTURE_JPEG, PICTURE_PNG, PICTURE_OTHER };

struct picture {
    int width, height;
    enum picture_kind kind; /* that it was read from */
    uint8_t *rgb;           /* (height, width, 3), in the arena; NULL after picture_measure() */
};

/* ERR_INVALID: it is no picture, or a broken one. */
ERR_MUST_USE enum err picture_measure(struct str bytes, struct picture *out, struct why *why);
/* ERR_TOO_LARGE: more than `most_pixels`; ERR_NO_MEMORY past the arena's limit. What is transparent
 * becomes white. */
ERR_MUST_USE enum err picture_decode(struct str bytes, size_t most_pixels, struct arena *arena,
                                     struct picture *out, struct why *why);
/* As JPEG of a quality (1 .. 100), or PNG (other kinds, too). Bytes in `arena`. */
ERR_MUST_USE enum err picture_encode(const struct picture *picture, enum picture_kind kind,
                                     int quality, struct arena *arena, struct str *out,
                                     struct why *why);

#endif
