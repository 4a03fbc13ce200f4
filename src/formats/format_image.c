/* image: png, jpg, tiff (its pages) and bmp, recognised by OCR. The size is looked at before the
 * pixels are unpacked. */
#include "formats/reader.h"

#include "core/arena.h"
#include "formats/ocr.h"
#include "formats/pdf_lines.h"

#define MOST_SIDE   20000
#define MOST_PIXELS 100000000LL
#define MOST_PAGES  200

static int detect(struct str bytes, struct str suffix)
{
    static const struct str magics[] = {STR_INIT("\x89PNG\r\n\x1A\n"), STR_INIT("\xFF\xD8\xFF"),
                                        STR_INIT("II*\0"), STR_INIT("MM\0*")};
    (void)suffix;
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        if (str_starts(bytes, magics[i]))
            return 100;
    }
    /* "BM", the size of the file, zeros, and where the pixels begin */
    return str_starts(bytes, STR("BM")) && bytes.len > 54 &&
                   str_eq(str_slice(bytes, 6, 10), STR("\0\0\0\0"))
               ? 90
               : 0;
}

static enum err check(struct format_out *out, int width, int height)
{
    if (width <= MOST_SIDE && height <= MOST_SIDE && (long long)width * height <= MOST_PIXELS)
        return ERR_OK;
    return format_fail(out, ERR_TOO_LARGE,
                       "the picture has %d x %d pixels, more than the limit of %lld million", width,
                       height, MOST_PIXELS / 1000000);
}

static enum err read_image(struct str bytes, struct format_out *out)
{
    int width, height;
    struct ocr *ocr = NULL;
    if (!ocr_measure(bytes, 0, &width, &height))
        return format_fail(out, ERR_INVALID, "the picture is broken");
    if (check(out, width, height))
        return out->err;
    if (!out->limits->ocr)
        return format_fail(out, ERR_UNSUPPORTED, "recognition of pictures is switched off");
    ocr = ocr_open(out);
    if (!ocr)
        return format_fail(out, ERR_UNSUPPORTED, "%.*s", STR_FMT(out->doc->note));
    struct pdf_pages pages = {.pages = arena_array(out->arena, struct pdf_page, MOST_PAGES)};
    for (int i = 0; pages.pages && i < MOST_PAGES && ocr_measure(bytes, i, &width, &height); i++) {
        if (check(out, width, height))
            break;
        if (!ocr_picture(ocr, bytes, i, &pages.pages[pages.n_pages++]))
            return format_fail(out, ERR_INVALID, "the picture is broken");
    }
    pdf_lines_write(out, &pages);
    return out->err;
}

const struct format_reader format_reader_image = {
    .name = "image",
    .suffixes = " png jpg jpeg tif tiff bmp ",
    .risky = true,
    .detect = detect,
    .read = read_image,
};
