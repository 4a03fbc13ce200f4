/*
 * formats/decode - bytes of unknown encoding to UTF-8.
 *
 * What is valid UTF-8 is UTF-8: no Chinese text of some length in GB18030 or Big5 happens to be.
 * What is mostly valid is UTF-8 with damage. Then UTF-16 without its mark, by the ranges that
 * Chinese and Latin text fill. GB18030 and Big5 share their lead bytes; they are told apart by how
 * many pairs fall into the first level of each (the frequent characters), which for real text is
 * over nine in ten for the right one and about half for the wrong one. ICU names the rest.
 */
#include "formats/formats.h"

#include <string.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>

#include "core/arena.h"
#include "core/utf8.h"

#define SAMPLE 65536

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F;
}

/* Controls that no text has: all but white space, form feed and escape. */
static size_t count_binary(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        n += is_control(c) && c != '\r' && c != '\f' && c != '\v' && c != 0x1B && c != 0x1A;
    }
    return n;
}

static bool plausible_unit(unsigned u)
{
    return (u >= 0x20 && u < 0x7F) || u == '\n' || u == '\r' || u == '\t' ||
           (u >= 0x3000 && u <= 0x303F) || (u >= 0x4E00 && u <= 0x9FFF) ||
           (u >= 0xFF01 && u <= 0xFF5E) || (u >= 0x2010 && u <= 0x2026);
}

/* 0, or 'l' or 'b' for UTF-16 of that byte order. */
static char utf16_order(struct str s)
{
    size_t n = s.len < SAMPLE ? s.len & ~(size_t)1 : SAMPLE;
    size_t good[2] = {0, 0};
    if (s.len < 4 || s.len % 2)
        return 0;
    for (size_t i = 0; i < n; i += 2) {
        unsigned a = (unsigned char)s.ptr[i], b = (unsigned char)s.ptr[i + 1];
        good[0] += plausible_unit(b << 8 | a);
        good[1] += plausible_unit(a << 8 | b);
    }
    size_t best = good[0] >= good[1] ? 0 : 1;
    if (good[best] * 100 < n / 2 * 95 || good[best] < good[1 - best] + n / 16)
        return 0;
    return best == 0 ? 'l' : 'b';
}

struct pairs {
    size_t n, common, bad;
};

static bool in(unsigned c, unsigned least, unsigned most)
{
    return c >= least && c <= most;
}

static struct pairs count_gb(struct str s)
{
    struct pairs p = {0};
    for (size_t i = 0; i + 1 < s.len; i++) {
        unsigned a = (unsigned char)s.ptr[i], b = (unsigned char)s.ptr[i + 1];
        if (a < 0x80)
            continue;
        p.n++;
        if (in(a, 0x81, 0xFE) && in(b, 0x30, 0x39) && i + 3 < s.len) {
            i += 3;
            continue;
        }
        if (!in(a, 0x81, 0xFE) || !in(b, 0x40, 0xFE) || b == 0x7F) {
            p.bad++;
            continue;
        }
        p.common += b >= 0xA1 && (in(a, 0xB0, 0xD7) || in(a, 0xA1, 0xA3));
        i++;
    }
    return p;
}

static struct pairs count_big5(struct str s)
{
    struct pairs p = {0};
    for (size_t i = 0; i + 1 < s.len; i++) {
        unsigned a = (unsigned char)s.ptr[i], b = (unsigned char)s.ptr[i + 1];
        if (a < 0x80)
            continue;
        p.n++;
        if (!in(a, 0x81, 0xFE) || !(in(b, 0x40, 0x7E) || in(b, 0xA1, 0xFE))) {
            p.bad++;
            continue;
        }
        p.common += in(a, 0xA4, 0xC6) || a == 0xA1;
        i++;
    }
    return p;
}

static double score(struct pairs p)
{
    return p.n ? ((double)p.common - 4 * (double)p.bad) / (double)p.n : 0;
}

/* Moves behind the other bytes of a character that is cut off, so that it counts once. */
static size_t skip_cut_off(struct str s, size_t bad, size_t at)
{
    bool lead = (unsigned char)s.ptr[bad] >= 0xC0;
    for (int i = 0; i < 2 && lead && at < s.len && ((unsigned char)s.ptr[at] & 0xC0) == 0x80; i++)
        at++;
    return at;
}

/* Valid characters of several bytes outnumber the damage. */
static bool mostly_utf8(struct str s)
{
    size_t good = 0, bad = 0;
    for (size_t at = 0; at < s.len;) {
        size_t start = at;
        uint32_t c = utf8_next(s, &at);
        good += at - start > 1;
        if (c == UTF8_BAD && at - start == 1) {
            bad++;
            at = skip_cut_off(s, start, at);
        }
    }
    return good > bad * 2;
}

/* What ICU makes of it, as a static name; NULL when it has no idea either. */
static const char *ask_icu(struct str s)
{
    static const char *const known[] = {"Shift_JIS",    "EUC-JP",       "EUC-KR",
                                        "windows-1251", "windows-1252", "ISO-8859-1",
                                        "ISO-8859-2",   "KOI8-R",       "windows-1256"};
    UErrorCode code = U_ZERO_ERROR;
    const char *found = NULL;
    UCharsetDetector *detector = ucsdet_open(&code);
    if (U_FAILURE(code))
        return NULL;
    ucsdet_setText(detector, s.ptr, (int32_t)s.len, &code);
    const UCharsetMatch *match = ucsdet_detect(detector, &code);
    const char *name = match && U_SUCCESS(code) && ucsdet_getConfidence(match, &code) >= 10
                           ? ucsdet_getName(match, &code)
                           : NULL;
    for (size_t i = 0; name && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i]) == 0)
            found = known[i];
    }
    ucsdet_close(detector);
    return found;
}

static const char *guess(struct str s)
{
    bool valid = utf8_invalid(s) == STR_NPOS;
    /* ASCII letters in pairs look like Han characters of UTF-16, so what is UTF-8 is asked first;
     * but ASCII in UTF-16 is valid UTF-8 too, with a NUL beside every letter. */
    if (valid && str_find_char(s, '\0') == STR_NPOS)
        return "utf-8";
    char order = utf16_order(s);
    if (order)
        return order == 'l' ? "utf-16le" : "utf-16be";
    if (valid || mostly_utf8(str_slice(s, 0, SAMPLE * 16)))
        return "utf-8";
    struct str sample = str_slice(s, 0, SAMPLE);
    double gb = score(count_gb(sample)), big5 = score(count_big5(sample));
    if (gb >= 0.4 && gb >= big5)
        return "gb18030";
    if (big5 >= 0.6)
        return "big5";
    const char *other = ask_icu(sample);
    return other ? other : "gb18030";
}

struct bom {
    const char *encoding;
    struct str mark;
};

/* UTF-32's mark begins with UTF-16's, so it stands first. */
static const struct bom boms[] = {
    {"utf-8", STR_INIT("\xEF\xBB\xBF")},    {"utf-32le", STR_INIT("\xFF\xFE\0\0")},
    {"utf-32be", STR_INIT("\0\0\xFE\xFF")}, {"utf-16le", STR_INIT("\xFF\xFE")},
    {"utf-16be", STR_INIT("\xFE\xFF")},     {"gb18030", STR_INIT("\x84\x31\x95\x33")},
};

/* One character to the text: line ends made one, controls dropped, damage counted. */
static void put_char(struct buf *buf, uint32_t c, uint32_t *last, size_t *n_replaced)
{
    char put[UTF8_MAX_BYTES];
    uint32_t before = *last;
    *last = c;
    if (c == '\r' || c == '\f' || c == '\v' || c == 0x2028 || c == 0x2029)
        c = '\n';
    else if (c == '\n' && before == '\r')
        return;
    if ((c < 0x80 && is_control((unsigned char)c)) || c == 0xFEFF || (c >= 0x80 && c < 0xA0))
        return;
    *n_replaced += c == UTF8_BAD;
    buf_add(buf, (struct str){put, utf8_put(put, c)});
}

static void copy_utf8(struct str s, struct buf *buf, size_t *n_replaced)
{
    uint32_t last = 0;
    for (size_t at = 0; at < s.len && !buf->failed;) {
        /* runs of printable ASCII and valid characters are copied at once */
        size_t start = at;
        uint32_t c = 0;
        size_t before = at;
        while (at < s.len) {
            before = at;
            c = utf8_next(s, &at);
            if (c == UTF8_BAD || c == 0xFEFF || c == 0x2028 || c == 0x2029 ||
                (c < 0xA0 && c >= 0x7F) || (c < 0x20 && c != '\n' && c != '\t') ||
                (c == '\n' && last == '\r'))
                break;
            last = c;
            before = at;
        }
        buf_add(buf, str_slice(s, start, before));
        if (before == at)
            break;
        if (c == UTF8_BAD && at - before == 1)
            at = skip_cut_off(s, before, at);
        put_char(buf, c, &last, n_replaced);
    }
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (is_control(c) || c == 0xC2 || c == 0xE2 || c == 0xEF) {
            struct str at = str_from(s, i);
            if (is_control(c) || (c == 0xC2 && s.len - i > 1 && (unsigned char)at.ptr[1] < 0xA0) ||
                str_starts(at, STR("\xEF\xBB\xBF")) || str_starts(at, STR("\xEF\xBF\xBD")) ||
                str_starts(at, STR("\xE2\x80\xA8")) || str_starts(at, STR("\xE2\x80\xA9")))
                return false;
        }
    }
    return true;
}

static enum err convert(struct str s, const char *encoding, struct buf *buf, size_t *n_replaced,
                        struct why *why)
{
    UErrorCode code = U_ZERO_ERROR;
    UConverter *converter = ucnv_open(encoding, &code);
    if (U_FAILURE(code))
        return err_set(why, ERR_UNSUPPORTED, "text in the encoding \"%s\" cannot be read here",
                       encoding);
    const char *at = s.ptr, *end = s.ptr + s.len;
    uint32_t last = 0, high = 0;
    do {
        UChar units[4096];
        UChar *to = units;
        code = U_ZERO_ERROR;
        ucnv_toUnicode(converter, &to, units + 4096, &at, end, NULL, true, &code);
        for (UChar *u = units; u < to; u++) {
            uint32_t c = *u;
            if (c >= 0xD800 && c < 0xDC00) {
                high = c;
                continue;
            }
            if (c >= 0xDC00 && c < 0xE000)
                c = high ? 0x10000 + ((high - 0xD800) << 10) + (c - 0xDC00) : UTF8_BAD;
            high = 0;
            put_char(buf, c, &last, n_replaced);
        }
    } while (code == U_BUFFER_OVERFLOW_ERROR && !buf->failed);
    ucnv_close(converter);
    return buf_err(buf, why);
}

enum err format_decode(struct str bytes, struct arena *arena, struct str *text,
                       const char **encoding, size_t *n_replaced, struct why *why)
{
    const char *name = NULL;
    struct str s = bytes;
    for (size_t i = 0; i < sizeof boms / sizeof boms[0] && !name; i++) {
        if (str_starts(bytes, boms[i].mark)) {
            name = boms[i].encoding;
            s = str_from(bytes, boms[i].mark.len);
        }
    }
    if (!name)
        name = guess(s);
    struct str sample = str_slice(s, 0, SAMPLE);
    if (strncmp(name, "utf-16", 6) != 0 && strncmp(name, "utf-32", 6) != 0 &&
        count_binary(sample) * 100 > sample.len)
        return err_set(why, ERR_UNSUPPORTED, "it is not text and no format that is known here");
    size_t replaced = 0;
    struct buf buf;
    buf_init(&buf, arena);
    if (strcmp(name, "utf-8") != 0) {
        enum err err = convert(s, name, &buf, &replaced, why);
        if (err)
            return err;
        s = buf_str(&buf);
    } else if (!is_plain(s) || utf8_invalid(s) != STR_NPOS) {
        (void)buf_room(&buf, s.len + s.len / 64 + 16); /* one copy in the common case */
        copy_utf8(s, &buf, &replaced);
        if (buf.failed)
            return buf_err(&buf, why);
        s = buf_str(&buf);
    }
    *text = s;
    *encoding = name;
    *n_replaced = replaced;
    return ERR_OK;
}
