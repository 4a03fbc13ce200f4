#include "formats/ocr.h"

#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

#include "core/arena.h"
#include "core/utf8.h"
#include "formats/pdf_lines.h"
#include "formats/reader.h"

#define LANGUAGE   "chi_sim"
#define SMALL      1500 /* a picture less wide is enlarged: the model wants letters of 30 pixels */
#define WIDE       0x2E80 /* where the characters of Chinese begin */
#define LEAST_SURE 40     /* percent; a line below it is noise rather than text */

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

/* The character at or before `at` in the given direction that is no space; 0 at the end. */
static uint32_t neighbour(struct str s, size_t at, bool forward)
{
    while (forward ? at < s.len : at > 0) {
        size_t start = forward ? at : utf8_prev(s, at), next = start;
        uint32_t c = utf8_next(s, &next);
        if (c != ' ')
            return c;
        at = forward ? next : start;
    }
    return 0;
}

/* Signs of a Chinese sentence, which the model writes as their ASCII likes. */
static uint32_t full_width(uint32_t c)
{
    return c < 0x80 && strchr(":;,()?!", (int)c) ? c + 0xFEE0 : c;
}

/* A line as Chinese is written: no spaces between Han characters, full-width signs beside them, and
 * a space behind "第三条", which the wide one of the print was. */
static struct str tidy(struct ocr *ocr, struct str s)
{
    struct buf text;
    size_t ordinal = 0;
    buf_init(&text, ocr->out->arena);
    s = str_trim_space(s);
    for (size_t at = 0; at < s.len;) {
        char put[UTF8_MAX_BYTES];
        size_t start = at;
        uint32_t c = utf8_next(s, &at);
        uint32_t before = neighbour(s, start, false), after = neighbour(s, at, true);
        if (c == ' ' && before >= WIDE && after >= WIDE)
            continue;
        if (c != 0 && (before >= WIDE || after >= WIDE))
            c = full_width(c);
        bool beside_sign = c == ' ' && (full_width(before) >= WIDE || full_width(after) >= WIDE);
        if (!beside_sign)
            buf_add(&text, (struct str){put, utf8_put(put, c)});
    }
    s = buf_str(&text);
    ordinal = format_ordinal_len(s);
    if (!ordinal || ordinal == s.len || s.ptr[ordinal] == ' ')
        return s;
    return str_printf(ocr->out->arena, "%.*s %.*s", STR_FMT(str_slice(s, 0, ordinal)),
                      STR_FMT(str_from(s, ordinal)));
}

static int by_number(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The height of a line's box depends on its letters; lines of about the same height are set alike.
 */
static void even_sizes(struct arena *arena, struct pdf_page *page)
{
    double *sizes = arena_array(arena, double, page->n_lines);
    if (!sizes || page->n_lines == 0)
        return;
    for (size_t i = 0; i < page->n_lines; i++)
        sizes[i] = page->lines[i].size;
    qsort(sizes, page->n_lines, sizeof *sizes, by_number);
    double middle = sizes[page->n_lines / 2];
    for (size_t i = 0; i < page->n_lines; i++) {
        double *size = &page->lines[i].size;
        if (*size > middle * 0.6 && *size < middle * 1.4)
            *size = middle;
    }
}

static void take_line(struct ocr *ocr, TessResultIterator *it, double scale, struct pdf_page *page)
{
    int x1, y1, x2, y2;
    char *raw = TessResultIteratorGetUTF8Text(it, RIL_TEXTLINE);
    bool sure = raw && TessResultIteratorConfidence(it, RIL_TEXTLINE) >= LEAST_SURE;
    if (sure && TessPageIteratorBoundingBox(TessResultIteratorGetPageIterator(it), RIL_TEXTLINE,
                                            &x1, &y1, &x2, &y2)) {
        struct pdf_line line = {.text = tidy(ocr, str_c(raw)),
                                .x1 = x1 / scale,
                                .y1 = y1 / scale,
                                .x2 = x2 / scale,
                                .y2 = y2 / scale,
                                .size = (y2 - y1) / scale};
        if (line.text.len)
            page->lines[page->n_lines++] = line;
    }
    TessDeleteText(raw);
}

static size_t count_lines(TessResultIterator *it)
{
    size_t n = 1;
    while (TessResultIteratorNext(it, RIL_TEXTLINE))
        n++;
    return n;
}

static void recognise(struct ocr *ocr, double scale, struct pdf_page *page)
{
    struct format_out *out = ocr->out;
    ETEXT_DESC *monitor = TessMonitorCreate();
    TessMonitorSetDeadlineMSecs(monitor, OCR_PAGE_MS);
    format_extend(out, OCR_PAGE_MS);
    out->doc->ocr = true;
    bool done = TessBaseAPIRecognize(ocr->api, monitor) == 0;
    TessMonitorDelete(monitor);
    TessResultIterator *it = done ? TessBaseAPIGetIterator(ocr->api) : NULL;
    if (!it)
        return;
    TessResultIterator *counter = TessResultIteratorCopy(it);
    page->lines = arena_array(out->arena, struct pdf_line, count_lines(counter));
    TessResultIteratorDelete(counter);
    if (page->lines) {
        do {
            take_line(ocr, it, scale, page);
        } while (format_go_on(out) && TessResultIteratorNext(it, RIL_TEXTLINE));
        even_sizes(out->arena, page);
    }
    TessResultIteratorDelete(it);
}

void ocr_pixels(struct ocr *ocr, const unsigned char *pixels, int width, int height, int stride,
                double scale, struct pdf_page *page)
{
    /* Cairo's pixels are words of 0xXXRRGGBB; tesseract reads bytes: one grey byte serves both. */
    unsigned char *grey = malloc((size_t)width * (size_t)height);
    if (!grey)
        return;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint32_t p;
            memcpy(&p, pixels + (size_t)y * (size_t)stride + (size_t)x * 4, sizeof p);
            unsigned sum = (p >> 16 & 0xFF) * 77 + (p >> 8 & 0xFF) * 151 + (p & 0xFF) * 28;
            grey[(size_t)y * (size_t)width + (size_t)x] = (unsigned char)(sum >> 8);
        }
    }
    TessBaseAPISetImage(ocr->api, grey, width, height, 1, width);
    TessBaseAPISetSourceResolution(ocr->api, (int)(scale * 72));
    recognise(ocr, scale, page);
    TessBaseAPIClear(ocr->api);
    free(grey);
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

bool ocr_picture(struct ocr *ocr, struct str bytes, int index, struct pdf_page *page)
{
    const l_uint8 *data = (const l_uint8 *)bytes.ptr;
    PIX *pix =
        is_tiff(bytes) ? pixReadMemTiff(data, bytes.len, index) : pixReadMem(data, bytes.len);
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
    page->width = pixGetWidth(flat);
    page->height = pixGetHeight(flat);
    recognise(ocr, 1, page);
    TessBaseAPIClear(ocr->api);
    pixDestroy(&flat);
    return true;
}
