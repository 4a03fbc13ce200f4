/* pdf and pictures, drawn by the tests with cairo. */
#include "formats/reads.h"

#include <cairo-pdf.h>
#include <unistd.h>

#include "core/file.h"
#include "core/time.h"

#define FONT      "Noto Serif CJK SC"
#define FONT_FILE "/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc"

/* What the drawing side keeps for the life of the process. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\nleak:libcairo\n";
}

struct drawing {
    cairo_surface_t *surface;
    cairo_t *cairo;
    struct buf buf;
};

static cairo_status_t keep(void *ctx, const unsigned char *data, unsigned len)
{
    buf_add(ctx, (struct str){(const char *)data, len});
    return CAIRO_STATUS_SUCCESS;
}

static void begin_pdf(struct drawing *d, struct arena *arena)
{
    buf_init(&d->buf, arena);
    d->surface = cairo_pdf_surface_create_for_stream(keep, &d->buf, 595, 842);
    d->cairo = cairo_create(d->surface);
    cairo_select_font_face(d->cairo, FONT, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
}

static void line(struct drawing *d, double x, double y, double size, const char *text)
{
    cairo_set_font_size(d->cairo, size);
    cairo_move_to(d->cairo, x, y);
    cairo_show_text(d->cairo, text);
}

static struct str end_pdf(struct drawing *d)
{
    cairo_destroy(d->cairo);
    cairo_surface_finish(d->surface);
    cairo_surface_destroy(d->surface);
    return buf_str(&d->buf);
}

/* 30 characters of 14 points fill the width from 80 to 500. */
static struct str three_pages(struct arena *arena)
{
    struct drawing d;
    begin_pdf(&d, arena);
    for (int page = 1; page <= 3; page++) {
        char foot[32];
        line(&d, 200, 40, 10, "云汀市人民政府公报");
        if (page == 1) {
            line(&d, 180, 120, 24, "停车收费管理办法");
            line(&d, 108, 180, 14, "第一条　为了规范机动车停放服务收费行为，保护消费者和经营者");
            line(&d, 80, 204, 14, "合法权益，制定本办法。");
            line(&d, 108, 228, 14, "第二条　本市行政区域内的机动车停放服务收费，适用本办法，但");
        } else if (page == 2) {
            line(&d, 80, 120, 14, "是法律另有规定的除外。");
            line(&d, 80, 160, 18, "附则");
        } else {
            line(&d, 108, 120, 14, "第三条　本办法自发布之日起施行。");
        }
        (void)snprintf(foot, sizeof foot, "- %d -", page);
        line(&d, 290, 815, 10, foot);
        cairo_show_page(d.cairo);
    }
    return end_pdf(&d);
}

TEST(pdf_gives_paragraphs_headings_and_pages)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    if (!file_exists(FONT_FILE))
        SKIP("no font " FONT_FILE);
    CHECK_STR(text_of(arena, three_pages(arena), "a.pdf", &doc),
              "# "
              "停车收费管理办法\n\n第一条 为了规范机动车停放服务收费行为，保护消费者和经营者合法权"
              "益，制定本办法。\n\n"
              "第二条 本市行政区域内的机动车停放服务收费，适用本办法，但是法律另有规定的除外。\n\n"
              "## 附则\n\n第三条 本办法自发布之日起施行。\n");
    CHECK_STR(doc.title, "停车收费管理办法");
    CHECK_STR(str_c(doc.format), "pdf");
    int page = 0;
    for (size_t i = 0; i < doc.n_blocks; i++) {
        if (doc.blocks[i].kind == FORMAT_PAGE)
            CHECK_EQ(doc.blocks[i].page, ++page);
    }
    CHECK_EQ(page, 3);
    CHECK_EQ(doc.blocks[doc.n_blocks - 1].page, 3);
    CHECK(!doc.ocr);
    arena_free(arena);
}

static void rule(struct drawing *d, double x1, double y1, double x2, double y2)
{
    cairo_move_to(d->cairo, x1, y1);
    cairo_line_to(d->cairo, x2, y2);
    cairo_stroke(d->cairo);
}

/* Three columns and rows with hair lines; the second and third heading cells are one, as are the
 * first cells of the last rows; the header is shaded. */
TEST(pdf_tables_are_found_by_their_rules)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    struct drawing d;
    if (!file_exists(FONT_FILE))
        SKIP("no font " FONT_FILE);
    begin_pdf(&d, arena);
    line(&d, 108, 90, 12, "第五条　收费标准如下：");
    cairo_set_source_rgb(d.cairo, 0.7, 0.78, 0.9);
    cairo_rectangle(d.cairo, 80.3, 110.2, 360, 30);
    cairo_fill(d.cairo);
    cairo_set_source_rgb(d.cairo, 0, 0, 0);
    cairo_set_line_width(d.cairo, 0.4);
    for (int i = 0; i < 4; i++)
        rule(&d, i == 2 ? 200.3 : 80.3, 110.2 + i * 30, 440.3, 110.2 + i * 30);
    rule(&d, 80.3, 110.2, 80.3, 200.2);
    rule(&d, 200.3, 110.2, 200.3, 200.2);
    rule(&d, 320.3, 140.2, 320.3, 200.2);
    rule(&d, 440.3, 110.2, 440.3, 200.2);
    line(&d, 90, 130, 12, "区域");
    line(&d, 300, 130, 12, "收费");
    line(&d, 90, 170, 12, "汀南区");
    line(&d, 210, 155, 9, "白天每半");
    line(&d, 210, 167, 9, "小时");
    line(&d, 330, 160, 12, "5元");
    line(&d, 210, 190, 12, "夜间");
    line(&d, 330, 190, 12, "3元");
    line(&d, 108, 230, 12, "第六条　略。");
    cairo_show_page(d.cairo);
    CHECK_STR(text_of(arena, end_pdf(&d), "a.pdf", &doc),
              "第五条 收费标准如下：\n\n区域 | 收费 | 收费\n汀南区 | 白天每半小时 | 5元\n汀南区 | "
              "夜间 | 3元\n\n"
              "第六条 略。\n");
    arena_free(arena);
}

/* Two rows of two columns at the top or the foot of a page. */
static void two_rows(struct drawing *d, double y, const char *const cells[4])
{
    cairo_set_line_width(d->cairo, 0.5);
    for (int i = 0; i < 3; i++) {
        rule(d, 80, y + i * 30, 400, y + i * 30);
        rule(d, 80 + i * 160, y, 80 + i * 160, y + 60);
    }
    for (int i = 0; i < 4; i++)
        line(d, 90 + i % 2 * 160, y + 20 + i / 2 * 30, 12, cells[i]);
}

TEST(pdf_tables_go_on_over_the_end_of_a_page)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    struct drawing d;
    if (!file_exists(FONT_FILE))
        SKIP("no font " FONT_FILE);
    begin_pdf(&d, arena);
    two_rows(&d, 700, (const char *const[4]){"事项", "时限", "甲证", "即时"});
    cairo_show_page(d.cairo);
    two_rows(&d, 60, (const char *const[4]){"事项", "时限", "乙证", "三日"});
    line(&d, 80, 200, 12, "文字");
    two_rows(&d, 300, (const char *const[4]){"区域", "收费", "汀南", "五元"});
    cairo_show_page(d.cairo);
    CHECK_STR(text_of(arena, end_pdf(&d), "a.pdf", &doc),
              "事项 | 时限\n甲证 | 即时\n乙证 | 三日\n\n文字\n\n区域 | 收费\n汀南 | 五元\n");
    CHECK_EQ(doc.blocks[1].page, 1);
    CHECK_EQ(doc.blocks[doc.n_blocks - 1].page, 2);
    arena_free(arena);
}

static bool has_language(void)
{
    return file_exists("/usr/share/tesseract-ocr/5/tessdata/chi_sim.traineddata") ||
           getenv("TESSDATA_PREFIX");
}

static cairo_surface_t *page_of_pixels(int width, int height)
{
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    struct drawing d = {.surface = image, .cairo = cairo_create(image)};
    cairo_set_source_rgb(d.cairo, 1, 1, 1);
    cairo_paint(d.cairo);
    cairo_set_source_rgb(d.cairo, 0, 0, 0);
    cairo_select_font_face(d.cairo, FONT, CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    line(&d, 120, 200, 44, "为了规范机动车停放服务收费行为，");
    line(&d, 120, 270, 44, "保护消费者和经营者合法权益，制定本办法。");
    cairo_destroy(d.cairo);
    return image;
}

TEST(pictures_are_recognised)
{
    struct arena *arena = arena_new(ROOM);
    struct format_document doc = {.format = ""};
    struct buf png;
    if (!file_exists(FONT_FILE) || !has_language())
        SKIP("no font or no language data");
    buf_init(&png, arena);
    cairo_surface_t *image = page_of_pixels(1240, 600);
    CHECK_EQ(cairo_surface_write_to_png_stream(image, keep, &png), CAIRO_STATUS_SUCCESS);
    struct str text = text_of(arena, buf_str(&png), "a.png", &doc);
    CHECK(doc.ocr);
    CHECK_STR(str_c(doc.format), "image");
    if (str_find(text, STR("机动车停放服务收费")) == STR_NPOS)
        printf("# %.*s\n", STR_FMT(text));
    CHECK(str_find(text, STR("机动车停放服务收费")) != STR_NPOS);
    /* the same picture as the page of a pdf */
    struct drawing d;
    begin_pdf(&d, arena);
    cairo_scale(d.cairo, 595.0 / 1240, 595.0 / 1240);
    cairo_set_source_surface(d.cairo, image, 0, 0);
    cairo_paint(d.cairo);
    cairo_show_page(d.cairo);
    text = text_of(arena, end_pdf(&d), "scan.pdf", &doc);
    CHECK(doc.ocr);
    if (str_find(text, STR("制定本办法")) == STR_NPOS)
        printf("# %.*s\n", STR_FMT(text));
    CHECK(str_find(text, STR("制定本办法")) != STR_NPOS);
    cairo_surface_destroy(image);
    arena_free(arena);
}

TEST(pictures_without_recognition_say_so)
{
    struct arena *arena = arena_new(ROOM);
    struct buf png;
    struct format_limits limits = format_limits_default;
    buf_init(&png, arena);
    cairo_surface_t *image = page_of_pixels(400, 300);
    CHECK_EQ(cairo_surface_write_to_png_stream(image, keep, &png), CAIRO_STATUS_SUCCESS);
    cairo_surface_destroy(image);
    limits.ocr = false;
    check_refused(buf_str(&png), "a.png", &limits, ERR_UNSUPPORTED, "switched off");
    check_refused(str_slice(buf_str(&png), 0, 20), "a.png", NULL, ERR_INVALID, "broken");
    arena_free(arena);
}

/* The size stands in the first bytes; nothing is unpacked. */
TEST(pictures_of_monstrous_size_are_refused)
{
    unsigned char png[64] = "\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\xC3\x50\0\0\xC3\x50\x08\2";
    unsigned char bmp[64] =
        "BM\x40\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x50\xC3\0\0\x50\xC3\0\0\1\0\x18";
    check_refused((struct str){(char *)png, sizeof png}, "a.png", NULL, ERR_TOO_LARGE,
                  "50000 x 50000");
    check_refused((struct str){(char *)bmp, sizeof bmp}, "a.bmp", NULL, ERR_INVALID, "broken");
}

TEST(pdf_with_too_many_pages_or_broken_is_refused)
{
    struct arena *arena = arena_new(ROOM);
    struct buf buf;
    struct str whole = three_pages(arena);
    struct format_limits limits = format_limits_default;
    limits.pages = 2;
    check_refused(whole, "a.pdf", &limits, ERR_TOO_LARGE, "3 pages");
    check_refused(str_slice(whole, 0, 100), "a.pdf", NULL, ERR_INVALID, "broken");
    /* a tree that says it has 100,000 pages */
    buf_init(&buf, arena);
    buf_add(&buf, STR("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
                      "2 0 obj<</Type/Pages/Count 100000/Kids["));
    for (int i = 3; i < 100003; i++)
        buf_printf(&buf, "%d 0 R ", i);
    buf_add(&buf, STR("]>>endobj\n"));
    for (int i = 3; i < 100003; i++)
        buf_printf(&buf, "%d 0 obj<</Type/Page/Parent 2 0 R>>endobj\n", i);
    buf_add(&buf, STR("trailer<</Root 1 0 R/Size 100003>>\n"));
    check_refused(buf_str(&buf), "a.pdf", NULL, ERR_TOO_LARGE, "100000 pages");
    arena_free(arena);
}

/* A page that paints itself for ever is stopped from outside. */
struct told {
    size_t n_docs;
    enum err err;
};

static enum err tell(void *ctx, const struct format_document *doc, struct str raw, struct why *why)
{
    (void)doc, (void)raw, (void)why;
    ((struct told *)ctx)->n_docs++;
    return ERR_OK;
}

static void tell_failed(void *ctx, struct str path, enum err err, const struct why *why)
{
    (void)path;
    ((struct told *)ctx)->err = err;
    CHECK(why->text[0] != '\0');
}

TEST(pdf_that_takes_for_ever_is_stopped)
{
    struct arena *arena = arena_new(ROOM);
    struct buf content, buf;
    char path[] = "/tmp/yicheng-formats-XXXXXX";
    struct told told = {0};
    struct why why = {0};
    int fd = mkstemp(path);
    buf_init(&content, arena);
    for (int i = 0; i < 3000000; i++)
        buf_add(&content, STR("0 0 m 9 9 l S (a) Tj\n"));
    buf_init(&buf, arena);
    buf_add(&buf, STR("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 "
                      "obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n"
                      "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 "
                      "R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
                      "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"));
    buf_printf(&buf, "4 0 obj<</Length %zu>>stream\nBT /F 9 Tf\n", content.len + 14);
    buf_add(&buf, buf_str(&content));
    buf_add(&buf, STR("ET\nendstream endobj\ntrailer<</Root 1 0 R>>\n"));
    struct format_limits limits = format_limits_default;
    limits.time_ms = 300;
    CHECK_OK(file_write_fd(fd, buf_str(&buf), &why), &why);
    int64_t start = time_mono_ns();
    CHECK_OK(format_read_file(path, STR("slow.pdf"), &limits, ROOM, tell, tell_failed, &told, &why),
             &why);
    CHECK_EQ(told.n_docs, 0);
    CHECK(told.err == ERR_TIMEOUT || told.err == ERR_NO_MEMORY);
    CHECK(time_mono_ns() - start < 20000000000LL);
    (void)close(fd);
    (void)unlink(path);
    arena_free(arena);
}

TESTS_MAIN()
