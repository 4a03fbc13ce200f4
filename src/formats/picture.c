#include "formats/picture.h"

#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

#define MOST_SIDE 65500

static enum picture_kind kind_of(l_int32 format)
{
    bool jpeg = format == IFF_JFIF_JPEG;
    return jpeg ? PICTURE_JPEG : format == IFF_PNG ? PICTURE_PNG : PICTURE_OTHER;
}

enum err picture_measure(struct str bytes, struct picture *out, struct why *why)
{
    l_int32 format = 0, width = 0, height = 0;
    (void)setMsgSeverity(L_SEVERITY_NONE);
    if (bytes.len < 12 || pixReadHeaderMem((const l_uint8 *)bytes.ptr, bytes.len, &format, &width,
                                           &height, NULL, NULL, NULL) != 0)
        return err_set(why, ERR_INVALID, "it is no picture of a kind that is known");
    if (width < 1 || height < 1 || width > MOST_SIDE || height > MOST_SIDE)
        return err_set(why, ERR_INVALID, "a picture of %d by %d points", width, height);
    *out = (struct picture){.width = width, .height = height, .kind = kind_of(format)};
    return ERR_OK;
}

enum err picture_decode(struct str bytes, size_t most_pixels, struct arena *arena,
                        struct picture *out, struct why *why)
{
    struct picture p;
    enum err err = picture_measure(bytes, &p, why);
    if (err)
        return err;
    if ((size_t)p.width * (size_t)p.height > most_pixels)
        return err_set(why, ERR_TOO_LARGE, "a picture of %d by %d points is too large", p.width,
                       p.height);
    PIX *read = pixReadMem((const l_uint8 *)bytes.ptr, bytes.len), *flat = NULL, *rgb = NULL;
    if (read)
        flat = pixGetSpp(read) == 4 ? pixAlphaBlendUniform(read, 0xFFFFFF00) : pixClone(read);
    if (flat)
        rgb = pixConvertTo32(flat);
    /* The header may have promised something else than came. */
    bool good = rgb && pixGetWidth(rgb) == p.width && pixGetHeight(rgb) == p.height;
    p.rgb = good ? (uint8_t *)arena_bytes(arena, (size_t)p.width * (size_t)p.height * 3) : NULL;
    for (int y = 0; p.rgb && y < p.height; y++) {
        const l_uint32 *line = pixGetData(rgb) + (size_t)y * (size_t)pixGetWpl(rgb);
        uint8_t *to = p.rgb + (size_t)y * (size_t)p.width * 3;
        for (int x = 0; x < p.width; x++, to += 3) {
            to[0] = (uint8_t)(line[x] >> L_RED_SHIFT);
            to[1] = (uint8_t)(line[x] >> L_GREEN_SHIFT);
            to[2] = (uint8_t)(line[x] >> L_BLUE_SHIFT);
        }
    }
    pixDestroy(&read);
    pixDestroy(&flat);
    pixDestroy(&rgb);
    if (!good)
        return err_set(why, ERR_INVALID, "the picture is broken");
    if (!p.rgb)
        return err_set(why, ERR_NO_MEMORY, "could not hold a picture of %d by %d points", p.width,
                       p.height);
    *out = p;
    return ERR_OK;
}

enum err picture_encode(const struct picture *p, enum picture_kind kind, int quality,
                        struct arena *arena, struct str *out, struct why *why)
{
    l_uint8 *bytes = NULL;
    size_t size = 0;
    PIX *pix = pixCreate(p->width, p->height, 32);
    for (int y = 0; pix && y < p->height; y++) {
        l_uint32 *line = pixGetData(pix) + (size_t)y * (size_t)pixGetWpl(pix);
        const uint8_t *from = p->rgb + (size_t)y * (size_t)p->width * 3;
        for (int x = 0; x < p->width; x++, from += 3)
            line[x] = (l_uint32)from[0] << L_RED_SHIFT | (l_uint32)from[1] << L_GREEN_SHIFT |
                      (l_uint32)from[2] << L_BLUE_SHIFT;
    }
    if (pix)
        (void)pixSetSpp(pix, 3);
    bool bad = !pix || (kind == PICTURE_JPEG ? pixWriteMemJpeg(&bytes, &size, pix, quality, 0)
                                             : pixWriteMemPng(&bytes, &size, pix, 0)) != 0;
    pixDestroy(&pix);
    struct str made = bad ? STR_NONE : str_copy(arena, (struct str){(const char *)bytes, size});
    free(bytes);
    if (bad || !made.ptr)
        return err_set(why, ERR_NO_MEMORY, "could not write a picture of %d by %d points", p->width,
                       p->height);
    *out = made;
    return ERR_OK;
}
