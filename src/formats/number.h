/* formats/number - the numbers that word processors write before list items. Pure. */
#ifndef FORMATS_NUMBER_H
#define FORMATS_NUMBER_H

#include "core/str.h"

/* Appends n (1 ..) in an OOXML number format: "decimal", "chineseCounting", "lowerLetter", ... An
 * unknown format is written in decimal. */
void format_number(struct buf *buf, struct str number_format, int64_t n);

#endif
