/*
 * data/plates - finding licence plates in pictures by how they are made.
 *
 * Two ways, and what either finds: a row of five and more characters of one height at even
 * distances on a ground of another lightness (any plate that can be read), and a patch of the blue,
 * yellow or green of Chinese plates, of their shape, with strokes in it (also where characters run
 * together). Pure.
 *
 *   Source  ours; the measures are those of GA 36: 440 by 140 mm and seven characters, new-energy
 *           480 by 140 and eight, characters of 45 by 90
 */
#ifndef DATA_PLATES_H
#define DATA_PLATES_H

#include "formats/formats.h"

struct image_boxes;

#define PLATES_LEAST_LONGEST 512
#define PLATES_MOST_LONGEST  4096

/*
 * Plates from about 40 points of width on, in points of the picture, surest first, upright boxes
 * round them; of those that overlap the surest alone. The picture is looked at in `longest` points
 * of length at most, and in halves of that down to 256.
 *
 *   Errors  ERR_NO_MEMORY
 *   Memory  30 bytes a point of the largest look, freed before it returns; the boxes in `arena`
 *   Cost    see the README
 */
ERR_MUST_USE enum err plates_find(const struct picture *picture, double least, int longest,
                                  struct arena *arena, struct image_boxes *out, struct why *why);

#endif
