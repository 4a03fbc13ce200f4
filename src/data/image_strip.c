/*
 * image_strip: what a camera wrote beside the picture is cut out; the picture's own bytes are
 * copied.
 *
 * JPEG (ITU-T T.81): segments up to the scan; APP0 (JFIF), APP2 (colour profile) and APP14 (Adobe's
 * colours) stay, all other APPn and comments go. PNG (ISO/IEC 15948): chunks eXIf, tEXt, zTXt, iTXt
 * and tIME go. WebP (RFC 9649): chunks EXIF and XMP go, with their flags.
 */
#include <string.h>

#include "core/arena.h"
#include "data/image.h"

static unsigned u16(const uint8_t *p, bool little)
{
    return little ? p[0] | (unsigned)p[1] << 8 : (unsigned)p[0] << 8 | p[1];
}

static uint32_t u32(const uint8_t *p, bool little)
{
    return little ? u16(p, true) | (uint32_t)u16(p + 2, true) << 16
                  : (uint32_t)u16(p, false) << 16 | u16(p + 2, false);
}

static enum err broken(struct why *why)
{
    return err_set(why, ERR_INVALID, "the picture's parts do not fit together");
}

/* Orientation in an Exif segment's body: 1 .. 8, 1 when there is none. */
static unsigned turn_of(const uint8_t *p, size_t n)
{
    if (n < 14 || memcmp(p, "Exif\0\0", 6) != 0)
        return 1;
    const uint8_t *tiff = p + 6;
    size_t len = n - 6;
    bool little = tiff[0] == 'I';
    uint32_t at = u32(tiff + 4, little);
    if (at > len || len - at < 2)
        return 1;
    unsigned count = u16(tiff + at, little);
    for (unsigned i = 0; i < count; i++) {
        size_t entry = (size_t)at + 2 + (size_t)i * 12;
        if (entry + 12 > len)
            return 1;
        if (u16(tiff + entry, little) == 0x0112) {
            unsigned turn = u16(tiff + entry + 8, little);
            return turn >= 1 && turn <= 8 ? turn : 1;
        }
    }
    return 1;
}

/* An Exif segment that holds the orientation alone. */
static void add_turn(struct buf *out, unsigned turn)
{
    const uint8_t segment[] = {
        0xFF, 0xE1, 0,    34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M',           0, 42, 0, 0, 0, 8,
        0,    1,    0x01, 0x12, 0,   3,   0,   0,   0, 1, 0,   (uint8_t)turn, 0, 0,  0, 0, 0, 0};
    buf_add(out, (struct str){(const char *)segment, sizeof segment});
}

/* The end of coded data that begins at `at`: the next marker that is no restart. */
static size_t scan_end(const uint8_t *p, size_t len, size_t at)
{
    while (at + 1 < len) {
        const uint8_t *ff = memchr(p + at, 0xFF, len - at - 1);
        if (!ff)
            return len;
        at = (size_t)(ff - p);
        if (p[at + 1] != 0 && p[at + 1] != 0xFF && !(p[at + 1] >= 0xD0 && p[at + 1] <= 0xD7))
            return at;
        at += p[at + 1] == 0xFF ? 1 : 2;
    }
    return len;
}

static bool stays(unsigned marker, const uint8_t *body, size_t n)
{
    if (marker == 0xE2) /* a colour profile, but no second picture (MPF) */
        return n >= 12 && memcmp(body, "ICC_PROFILE", 12) == 0;
    bool app = marker >= 0xE0 && marker <= 0xEF;
    return (!app && marker != 0xFE) || marker == 0xE0 || marker == 0xEE;
}

static enum err strip_jpeg(struct str in, bool keep_turn, struct buf *out, bool *any,
                           struct why *why)
{
    const uint8_t *p = (const uint8_t *)in.ptr;
    size_t at = 2, turn_at = 2;
    unsigned turn = 1, marker = 0;
    buf_add(out, str_slice(in, 0, 2));
    while (marker != 0xD9) {
        while (at + 1 < in.len && p[at] == 0xFF && p[at + 1] == 0xFF)
            at++; /* fill bytes */
        if (at + 2 > in.len || p[at] != 0xFF || p[at + 1] < 0xC0)
            return broken(why);
        marker = p[at + 1];
        size_t size = marker == 0xD9 ? 0 : at + 4 <= in.len ? u16(p + at + 2, false) : 1;
        if (size == 1 || size > in.len - at - 2 || (size == 0 && marker != 0xD9))
            return broken(why);
        size_t end = at + 2 + size;
        if (marker == 0xE1 && turn == 1)
            turn = turn_of(p + at + 4, size - 2);
        if (marker == 0xDA)
            end = scan_end(p, in.len, end);
        if (stays(marker, p + at + 4, size >= 2 ? size - 2 : 0)) {
            buf_add(out, str_slice(in, at, end));
            if (marker == 0xE0)
                turn_at = out->len;
        } else {
            *any = true;
        }
        at = end;
    }
    *any |= at < in.len; /* what hides behind the end */
    if (!keep_turn || turn == 1 || out->failed)
        return ERR_OK;
    struct buf turned;
    buf_init(&turned, out->arena);
    buf_add(&turned, str_slice(buf_str(out), 0, turn_at));
    add_turn(&turned, turn);
    buf_add(&turned, str_from(buf_str(out), turn_at));
    *out = turned;
    return ERR_OK;
}

unsigned image_turn(struct str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    size_t at = 2;
    if (bytes.len < 4 || p[0] != 0xFF || p[1] != 0xD8)
        return 1;
    while (at + 4 <= bytes.len && p[at] == 0xFF && p[at + 1] != 0xDA) {
        if (p[at + 1] == 0xFF) {
            at++; /* a fill byte */
            continue;
        }
        size_t size = u16(p + at + 2, false);
        if (size < 2 || size > bytes.len - at - 2)
            return 1;
        unsigned turn = p[at + 1] == 0xE1 ? turn_of(p + at + 4, size - 2) : 1;
        if (turn > 1)
            return turn;
        at += 2 + size;
    }
    return 1;
}

static bool one_of(const uint8_t *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(name, names[i], 4) == 0)
            return true;
    return false;
}

static enum err strip_png(struct str in, struct buf *out, bool *any, struct why *why)
{
    static const char *const gone[] = {"eXIf", "tEXt", "zTXt", "iTXt", "tIME"};
    const uint8_t *p = (const uint8_t *)in.ptr;
    buf_add(out, str_slice(in, 0, 8));
    for (size_t at = 8; at < in.len;) {
        if (in.len - at < 12)
            return broken(why);
        size_t size = u32(p + at, false);
        if (size > in.len - at - 12)
            return broken(why);
        bool end = memcmp(p + at + 4, "IEND", 4) == 0;
        if (one_of(p + at + 4, gone, sizeof gone / sizeof gone[0]))
            *any = true;
        else
            buf_add(out, str_slice(in, at, at + 12 + size));
        at += 12 + size;
        if (end) {
            *any |= at < in.len; /* what hides behind the end */
            return ERR_OK;
        }
    }
    return broken(why);
}

static enum err strip_webp(struct str in, struct buf *out, bool *any, struct why *why)
{
    static const char *const gone[] = {"EXIF", "XMP "};
    const uint8_t *p = (const uint8_t *)in.ptr;
    size_t riff = u32(p + 4, true), flags = STR_NPOS;
    if (riff < 4 || riff > in.len - 8)
        return broken(why);
    size_t end = 8 + riff;
    *any |= end < in.len;
    buf_add(out, str_slice(in, 0, 12));
    for (size_t at = 12; at < end;) {
        if (end - at < 8)
            return broken(why);
        size_t size = u32(p + at + 4, true), whole = 8 + size + (size & 1);
        if (size > end - at - 8)
            return broken(why);
        whole = whole > end - at ? end - at : whole; /* the last may lack its padding */
        if (one_of(p + at, gone, sizeof gone / sizeof gone[0])) {
            *any = true;
        } else {
            if (memcmp(p + at, "VP8X", 4) == 0 && size >= 10)
                flags = out->len + 8;
            buf_add(out, str_slice(in, at, at + whole));
        }
        at += whole;
    }
    if (out->failed)
        return ERR_OK;
    if (flags != STR_NPOS)
        out->ptr[flags] = (char)(out->ptr[flags] & ~0x0C); /* Exif, XMP */
    size_t left = out->len - 8;
    for (int i = 0; i < 4; i++)
        out->ptr[4 + i] = (char)(left >> (8 * i));
    return ERR_OK;
}

enum err image_strip(struct str bytes, bool keep_turn, struct arena *arena, struct str *out,
                     struct why *why)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    struct buf buf;
    bool any = false;
    enum err err;
    buf_init(&buf, arena);
    if (bytes.len >= 4 && p[0] == 0xFF && p[1] == 0xD8)
        err = strip_jpeg(bytes, keep_turn, &buf, &any, why);
    else if (bytes.len >= 8 && memcmp(p, "\x89PNG\r\n\x1a\n", 8) == 0)
        err = strip_png(bytes, &buf, &any, why);
    else if (bytes.len >= 12 && memcmp(p, "RIFF", 4) == 0 && memcmp(p + 8, "WEBP", 4) == 0)
        err = strip_webp(bytes, &buf, &any, why);
    else
        err = err_set(why, ERR_UNSUPPORTED, "it is no JPEG, PNG or WebP");
    if (!err)
        err = buf_err(&buf, why);
    if (!err)
        *out = any ? buf_str(&buf) : bytes;
    return err;
}
