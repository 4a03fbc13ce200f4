/*
 * formats/ocr - text from pictures; the only file that sees tesseract and leptonica.
 *
 * One reader at a time belongs to one thread. Loading the language data takes a quarter of a
 * second, so one reader serves all pages of a document.
 */
#ifndef FORMATS_OCR_H
#define FORMATS_OCR_H

#include "core/str.h"

struct format_out;
struct ocr;
struct pdf_page;

#define OCR_PAGE_MS 20000 /* for one page; the document's deadline is moved on page by page */

/* NULL when the language data is not installed: *out gets a note that says what to install. The
 * reader ends with out->arena. */
struct ocr *ocr_open(struct format_out *out);

/* Recognises 32-bit pixels (0xXXRRGGBB, `stride` bytes a row, `scale` of them a point) into the
 * lines of a page, in out->arena. A page on which nothing is recognised has none. */
void ocr_pixels(struct ocr *ocr, const unsigned char *pixels, int width, int height, int stride,
                double scale, struct pdf_page *page);

/* The size and number of pages of an encoded picture (png, jpg, tiff, bmp); false when it is
 * broken.
 */
bool ocr_measure(struct str bytes, int page, int *width, int *height);
/* Decodes page `index` (0 ..) of a picture and recognises it; false when it cannot be decoded. */
bool ocr_picture(struct ocr *ocr, struct str bytes, int index, struct pdf_page *page);

#endif
