#include "formats/ocr.h"

#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "formats/reader.h"

#define LANGUAGE   "chi_sim"
#define SMALL      1500 /* a picture less wide is enlarged: the model wants letters of 30 pixels */
#define LEAST_SURE 40   /* percent; a paragraph below it is noise rather than text */

struct ocr {
    struct format_out *out;
    TessBaseAPI *api;
};

static void close_ocr(void *ptr)
{
    struct ocr *ocr = ptr;
    TessBaseAPIEnd(ocr->api);
    TessBaseAPIDelete(ocr->api);
}

struct ocr *ocr_open(struct format_out *out)
{
    struct ocr *ocr = arena_one(out->arena, struct ocr);
    TessBaseAPI *api = ocr ? TessBaseAPICreate() : NULL;
    if (!api)
        return NULL;
    setMsgSeverity(L_SEVERITY_NONE);
    if (TessBaseAPIInit3(api, NULL, LANGUAGE) != 0) {
        format_note(out,
                    "pictures were not recognised: the language data %s is not installed "
                    "(package tesseract-ocr-chi-sim)",
                    LANGUAGE);
        TessBaseAPIDelete(api);
        return NULL;
    }
    (void)TessBaseAPISetVariable(api, "debug_file", "/dev/null");
    (void)TessBaseAPISetVariable(api, "preserve_interword_spaces", "1");
    TessBaseAPISetPageSegMode(api, PSM_AUTO);
    *ocr = (struct ocr){out, api};
    if (arena_defer(out->arena, close_ocr, ocr) != 0) {
        close_ocr(ocr);
        return NULL;
    }
    return ocr;
}

/* The lines of a paragraph joined, without the spaces that the model puts between Han characters.
 */
static struct str tidy(struct ocr *ocr, struct str raw)
{
    struct buf joined, text;
    struct str line, last = STR_NONE;
    buf_init(&joined, ocr->out->arena);
    buf_init(&text, ocr->out->arena);
    while (str_next_line(&raw, &line)) {
        line = str_trim_space(line);
        if (last.len && format_begins_paragraph(line))
            buf_char(&joined, '\n');
        format_join(&joined, line);
        last = line;
    }
    struct str s = buf_str(&joined);
    for (size_t at = 0, before = 0; at < s.len;) {
        size_t start = at, ahead;
        uint32_t c = utf8_next(s, &at);
        ahead = at;
        bool between = c == ' ' && at < s.len && before >= 0x2E80 && utf8_next(s, &ahead) >= 0x2E80;
        if (!between)
            buf_add(&text, str_slice(s, start, at));
        if (c != ' ')
            before = c;
    }
    return buf_str(&text);
}

static void add_paragraphs(struct ocr *ocr, struct str text)
{
    struct str line;
    while (str_next_line(&text, &line))
        format_paragraph(ocr->out, line);
}

static bool recognise(struct ocr *ocr)
{
    struct format_out *out = ocr->out;
    size_t n_before = out->doc->n_blocks;
    ETEXT_DESC *monitor = TessMonitorCreate();
    TessMonitorSetDeadlineMSecs(monitor, OCR_PAGE_MS);
    format_extend(out, OCR_PAGE_MS);
    bool done = TessBaseAPIRecognize(ocr->api, monitor) == 0;
    TessMonitorDelete(monitor);
    TessResultIterator *it = done ? TessBaseAPIGetIterator(ocr->api) : NULL;
    out->doc->ocr = true;
    if (!it)
        return false;
    do {
        char *raw = TessResultIteratorGetUTF8Text(it, RIL_PARA);
        if (raw && TessResultIteratorConfidence(it, RIL_PARA) >= LEAST_SURE)
            add_paragraphs(ocr, tidy(ocr, str_c(raw)));
        TessDeleteText(raw);
    } while (format_go_on(out) && TessResultIteratorNext(it, RIL_PARA));
    TessResultIteratorDelete(it);
    return out->doc->n_blocks > n_before;
}

bool ocr_pixels(struct ocr *ocr, const unsigned char *pixels, int width, int height, int stride,
                int dpi)
{
    /* Cairo's pixels are words of 0xXXRRGGBB; tesseract reads bytes: one grey byte serves both. */
    unsigned char *grey = malloc((size_t)width * (size_t)height);
    if (!grey)
        return false;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t p;
            memcpy(&p, pixels + (size_t)y * (size_t)stride + (size_t)x * 4, sizeof p);
            unsigned sum = (p >> 16 & 0xFF) * 77 + (p >> 8 & 0xFF) * 151 + (p & 0xFF) * 28;
            grey[(size_t)y * (size_t)width + (size_t)x] = (unsigned char)(sum >> 8);
        }
    }
    TessBaseAPISetImage(ocr->api, grey, width, height, 1, width);
    TessBaseAPISetSourceResolution(ocr->api, dpi);
    bool any = recognise(ocr);
    TessBaseAPIClear(ocr->api);
    free(grey);
    return any;
}

static bool is_tiff(struct str bytes)
{
    return str_starts(bytes, STR("II*\0")) || str_starts(bytes, STR("MM\0*"));
}

bool ocr_measure(struct str bytes, int page, int *width, int *height)
{
    const l_uint8 *data = (const l_uint8 *)bytes.ptr;
    l_int32 w = 0, h = 0, depth, samples, mapped, format, res;
    setMsgSeverity(L_SEVERITY_NONE);
    int bad = is_tiff(bytes) ? readHeaderMemTiff(data, bytes.len, page, &w, &h, &depth, &samples,
                                                 &res, &mapped, &format)
                             : page > 0 || pixReadHeaderMem(data, bytes.len, &format, &w, &h,
                                                            &depth, &samples, &mapped);
    *width = w;
    *height = h;
    return !bad && w > 0 && h > 0;
}

bool ocr_picture(struct ocr *ocr, struct str bytes, int page)
{
    const l_uint8 *data = (const l_uint8 *)bytes.ptr;
    PIX *pix = is_tiff(bytes) ? pixReadMemTiff(data, bytes.len, page) : pixReadMem(data, bytes.len);
    if (!pix)
        return false;
    PIX *flat = pixRemoveAlpha(pix); /* on white rather than on black */
    pixDestroy(&pix);
    if (flat && pixGetWidth(flat) < SMALL) {
        PIX *larger = pixScale(flat, 2.0F, 2.0F);
        if (larger) {
            pixDestroy(&flat);
            flat = larger;
        }
    }
    if (!flat)
        return false;
    int dpi = pixGetXRes(flat);
    TessBaseAPISetImage2(ocr->api, flat);
    TessBaseAPISetSourceResolution(ocr->api, dpi >= 100 && dpi <= 1200 ? dpi : 200);
    (void)recognise(ocr);
    TessBaseAPIClear(ocr->api);
    pixDestroy(&flat);
    return true;
}
