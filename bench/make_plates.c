/* Photographs with Chinese licence plates that nobody owns, for eval_image where real ones are not
 * to be had: make_plates FOLDER N SEED PHOTO... draws N plates (blue, yellow, green of both kinds,
 * white) by the measures of GA 36, puts each with a piece of a car round it, in perspective,
 * shaded, blurred and with noise, into one of the photographs, and writes FOLDER/plate_0001.jpg ...
 * and FOLDER/boxes.txt for eval_image. Same seed, same pictures. The characters are Noto Sans
 * CJK's, which are near those of plates but not the same. */
#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/file.h"
#include "data/image.h"
#include "formats/formats.h"

#define ROOM ((size_t)1 << 30)
#define DOTS 2  /* of the drawing, a millimetre */
#define BODY 80 /* millimetres of car round the plate */
#define TALL 140
#define MOST 1600 /* points of a photograph's longer side */
#define FINE 4    /* samples across a point */

static uint64_t state;

static double random_of(double least, double most)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return least + (most - least) * (double)(state >> 33) / 2147483648.0;
}

static int random_int(int n)
{
    return (int)random_of(0, n - 1e-6);
}

struct colour {
    double r, g, b;
};
struct kind {
    const char *name;
    int width, n;
    struct colour top, bottom, text;
};
static const struct kind kinds[] = {
    {"blue", 440, 7, {0.05, 0.22, 0.66}, {0.05, 0.22, 0.66}, {0.97, 0.97, 0.97}},
    {"blue", 440, 7, {0.08, 0.30, 0.78}, {0.06, 0.24, 0.70}, {0.95, 0.95, 0.95}},
    {"green", 480, 8, {0.86, 0.95, 0.90}, {0.30, 0.76, 0.47}, {0.05, 0.05, 0.05}},
    {"green", 480, 8, {0.78, 0.93, 0.84}, {0.24, 0.70, 0.42}, {0.06, 0.06, 0.06}},
    {"yellow", 440, 7, {0.96, 0.74, 0.10}, {0.95, 0.72, 0.08}, {0.05, 0.05, 0.05}},
    {"white", 440, 7, {0.94, 0.94, 0.94}, {0.90, 0.90, 0.90}, {0.05, 0.05, 0.05}},
};

/* One character in its field of 45 by 90 millimetres. */
static void draw_character(cairo_t *cr, const char *text, double left, double width)
{
    cairo_text_extents_t e;
    cairo_select_font_face(cr, "Noto Sans CJK SC", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
    cairo_set_font_size(cr, 100);
    cairo_text_extents(cr, text, &e);
    double wide = text[0] == '1' && !text[1] ? 18 : width;
    cairo_save(cr);
    cairo_translate(cr, left + (width - wide) / 2, (TALL - 90) / 2.0);
    cairo_scale(cr, wide / e.width, 90 / e.height);
    cairo_move_to(cr, -e.x_bearing, -e.y_bearing);
    cairo_show_text(cr, text);
    cairo_restore(cr);
}

static void draw_plate(cairo_t *cr, const struct kind *k)
{
    static const char *const provinces[] = {"京", "沪", "粤", "苏", "浙", "川", "鲁", "鄂", "湘",
                                            "闽", "渝", "津", "皖", "豫", "冀", "陕", "辽", "黑"};
    static const char letters[] = "ABCDEFGHJKLMNPQRSTUVWXYZ",
                      all[] = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
    cairo_pattern_t *fill = cairo_pattern_create_linear(0, 0, 0, TALL);
    cairo_pattern_add_color_stop_rgb(fill, 0, k->top.r, k->top.g, k->top.b);
    cairo_pattern_add_color_stop_rgb(fill, 1, k->bottom.r, k->bottom.g, k->bottom.b);
    cairo_set_source(cr, fill);
    cairo_rectangle(cr, 0, 0, k->width, TALL);
    cairo_fill(cr);
    cairo_pattern_destroy(fill);
    cairo_set_source_rgb(cr, k->text.r, k->text.g, k->text.b);
    cairo_set_line_width(cr, 2.5);
    cairo_rectangle(cr, 4, 4, k->width - 8, TALL - 8);
    cairo_stroke(cr);
    for (int i = 0; i < k->n; i++) {
        char text[2] = {i == 1 ? letters[random_int(24)] : all[random_int(i < 5 ? 34 : 10)], '\0'};
        double left = k->n == 7 ? (i < 2 ? 15.5 + 57 * i : 151.5 + 57 * (i - 2))
                                : (i < 2 ? 15.5 + 54 * i : 161.5 + 52 * (i - 2));
        draw_character(cr, i ? text : provinces[random_int(18)], left, k->n == 7 || !i ? 45 : 43);
    }
    cairo_arc(cr, k->n == 7 ? 134.5 : 137, TALL / 2.0, 5, 0, 2 * acos(-1.0));
    cairo_fill(cr);
}

/* The plate and the car round it; the caller destroys it. */
static cairo_surface_t *draw_car(const struct kind *k)
{
    static const struct colour paints[] = {
        {0.92, 0.92, 0.92}, {0.06, 0.06, 0.07}, {0.6, 0.62, 0.64}, {0.3, 0.31, 0.33},
        {0.6, 0.08, 0.08},  {0.1, 0.2, 0.5},    {0.7, 0.6, 0.45},  {0.1, 0.35, 0.2}};
    int width = (k->width + 2 * BODY) * DOTS, height = (TALL + 2 * BODY) * DOTS;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cr = cairo_create(surface);
    struct colour p = paints[random_int(8)];
    cairo_pattern_t *fill = cairo_pattern_create_linear(0, 0, 0, TALL + 2 * BODY);
    double low = random_of(0.5, 1);
    cairo_scale(cr, DOTS, DOTS);
    cairo_pattern_add_color_stop_rgb(fill, 0, p.r, p.g, p.b);
    cairo_pattern_add_color_stop_rgb(fill, 1, p.r * low, p.g * low, p.b * low);
    cairo_set_source(cr, fill);
    cairo_paint(cr);
    cairo_pattern_destroy(fill);
    if (random_int(2)) { /* a grille */
        cairo_set_source_rgb(cr, 0.05, 0.05, 0.05);
        cairo_rectangle(cr, 30, TALL + BODY + random_of(15, 30), k->width + 2 * BODY - 60, 120);
        cairo_fill(cr);
        cairo_set_source_rgb(cr, 0.5, 0.5, 0.5);
        for (int y = 0; y < 4; y++) {
            cairo_rectangle(cr, 40, TALL + BODY + 35 + 14 * y, k->width + 2 * BODY - 80, 7);
            cairo_fill(cr);
        }
    }
    cairo_translate(cr, BODY, BODY);
    if (random_int(3)) { /* a frame */
        double grey = random_int(2) ? 0.08 : 0.75;
        cairo_set_source_rgb(cr, grey, grey, grey);
        cairo_rectangle(cr, -12, -12, k->width + 24, TALL + 24);
        cairo_fill(cr);
    }
    draw_plate(cr, k);
    cairo_destroy(cr);
    cairo_surface_flush(surface);
    return surface;
}

/* How a point of the photograph is reached from millimetres of the car, and back. */
struct view {
    double to[9], from[9];
};

static void apply(const double m[9], double x, double y, double *u, double *v)
{
    double w = m[6] * x + m[7] * y + m[8];
    *u = (m[0] * x + m[1] * y + m[2]) / w;
    *v = (m[3] * x + m[4] * y + m[5]) / w;
}

static void invert(const double m[9], double out[9])
{
    out[0] = m[4] * m[8] - m[5] * m[7], out[1] = m[2] * m[7] - m[1] * m[8];
    out[2] = m[1] * m[5] - m[2] * m[4], out[3] = m[5] * m[6] - m[3] * m[8];
    out[4] = m[0] * m[8] - m[2] * m[6], out[5] = m[2] * m[3] - m[0] * m[5];
    out[6] = m[3] * m[7] - m[4] * m[6], out[7] = m[1] * m[6] - m[0] * m[7];
    out[8] = m[0] * m[4] - m[1] * m[3];
}

/* A camera 4 metres away that sees the plate turned; `scale` points a millimetre. */
static struct view view_of(double scale, double x, double y)
{
    double yaw = random_of(-0.75, 0.75), pitch = random_of(-0.1, 0.35),
           roll = random_of(-0.18, 0.18), far = 4000;
    double c = cos(yaw), s = sin(yaw), cp = cos(pitch), sp = sin(pitch), cr = cos(roll),
           sr = sin(roll);
    /* Columns of the rotation for the plane's two directions. */
    double ax = c, ay = sp * s, az = -cp * s, bx = 0, by = cp, bz = sp;
    double px = cr * ax - sr * ay, py = sr * ax + cr * ay, qx = cr * bx - sr * by,
           qy = sr * bx + cr * by;
    struct view v;
    double f = far * scale;
    double m[9] = {f * px + x * az,
                   f * qx + x * bz,
                   x * far,
                   f * py + y * az,
                   f * qy + y * bz,
                   y * far,
                   az,
                   bz,
                   far};
    memcpy(v.to, m, sizeof m);
    invert(m, v.from);
    return v;
}

static double gauss(void)
{
    return sqrt(-2 * log(random_of(1e-9, 1))) * cos(6.283185307 * random_of(0, 1));
}

struct scene {
    const struct view *view;
    cairo_surface_t *car;
    const struct kind *kind;
    double light, tint[3], noise;
};

/* Covers the part of the photograph that shows the car. */
static void paste(struct picture *p, const struct scene *s)
{
    const uint8_t *dots = cairo_image_surface_get_data(s->car);
    int stride = cairo_image_surface_get_stride(s->car),
        width = cairo_image_surface_get_width(s->car),
        height = cairo_image_surface_get_height(s->car);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++) {
            double sum[3] = {0}, u, v;
            int n = 0;
            for (int k = 0; k < FINE * FINE; k++) {
                int fine_y = k / FINE, fine_x = k % FINE;
                apply(s->view->from, x + (fine_x + 0.5) / FINE, y + (fine_y + 0.5) / FINE, &u, &v);
                int dx = (int)((u + s->kind->width / 2.0 + BODY) * DOTS),
                    dy = (int)((v + TALL / 2.0 + BODY) * DOTS);
                if (dx < 0 || dy < 0 || dx >= width || dy >= height)
                    continue;
                const uint8_t *at = dots + (size_t)dy * (size_t)stride + (size_t)dx * 4;
                for (int c = 0; c < 3; c++)
                    sum[c] += at[2 - c];
                n++;
            }
            uint8_t *to = p->rgb + ((size_t)y * (size_t)p->width + (size_t)x) * 3;
            for (int c = 0; n && c < 3; c++) {
                double value = sum[c] / n * s->light * s->tint[c] + gauss() * s->noise;
                value = (value * n + to[c] * (FINE * FINE - n)) / (FINE * FINE);
                to[c] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
            }
        }
}

/* A blur of `radius` points, by passes of neighbours, in the part where the car is. */
static void soften(struct picture *p, const int box[4], double radius)
{
    int passes = (int)(radius * radius * 2 + 0.5);
    uint8_t *copy = malloc((size_t)p->width * (size_t)p->height * 3);
    for (int pass = 0; copy && pass < passes; pass++) {
        memcpy(copy, p->rgb, (size_t)p->width * (size_t)p->height * 3);
        for (int y = box[1] < 1 ? 1 : box[1]; y < box[3] && y + 1 < p->height; y++)
            for (int x = box[0] < 1 ? 1 : box[0]; x < box[2] && x + 1 < p->width; x++)
                for (int c = 0; c < 3; c++) {
                    size_t at = ((size_t)y * (size_t)p->width + (size_t)x) * 3 + (size_t)c,
                           row = (size_t)p->width * 3;
                    p->rgb[at] = (uint8_t)((4 * copy[at] + copy[at - 3] + copy[at + 3] +
                                            copy[at - row] + copy[at + row] + 4) /
                                           8);
                }
    }
    free(copy);
}

static void bounds(const struct view *v, double half_width, double half_height, int box[4])
{
    double least_x = 1e9, most_x = -1e9, least_y = 1e9, most_y = -1e9;
    for (int i = 0; i < 4; i++) {
        double x, y;
        apply(v->to, i & 1 ? half_width : -half_width, i & 2 ? half_height : -half_height, &x, &y);
        least_x = fmin(least_x, x), most_x = fmax(most_x, x);
        least_y = fmin(least_y, y), most_y = fmax(most_y, y);
    }
    box[0] = (int)floor(least_x), box[1] = (int)floor(least_y);
    box[2] = (int)ceil(most_x), box[3] = (int)ceil(most_y);
}

static enum err make(const char *photo, const char *folder, int number, struct buf *list,
                     struct why *why)
{
    struct arena *arena = arena_new(ROOM);
    struct picture p, small;
    struct str bytes, made;
    enum err err = arena ? file_read(photo, (size_t)64 << 20, arena, &bytes, why) : ERR_NO_MEMORY;
    if (!err)
        err = picture_decode(bytes, (size_t)100 << 20, arena, &p, why);
    int longer = err ? 1 : p.width > p.height ? p.width : p.height;
    if (!err && longer > MOST) {
        err =
            image_resize(&p, p.width * MOST / longer, p.height * MOST / longer, arena, &small, why);
        if (!err)
            p = small;
    }
    if (!err) {
        const struct kind *k = &kinds[random_int(sizeof kinds / sizeof kinds[0])];
        double wide = exp(random_of(log(44.0), log(260.0)));
        wide = fmin(wide, p.width * 0.35);
        struct view view =
            view_of(wide / k->width, random_of(0.2, 0.8) * p.width, random_of(0.3, 0.8) * p.height);
        struct scene scene = {&view,     draw_car(k),    k, random_of(0.45, 1.1),
                              {1, 1, 1}, random_of(0, 8)};
        int box[4], car[4];
        scene.tint[0] = random_of(0.88, 1.1), scene.tint[2] = random_of(0.88, 1.1);
        paste(&p, &scene);
        cairo_surface_destroy(scene.car);
        bounds(&view, k->width / 2.0 + BODY, TALL / 2.0 + BODY, car);
        soften(&p, car, random_of(0, 1.1) * fmin(1, wide / 100 + 0.3));
        bounds(&view, k->width / 2.0, TALL / 2.0, box);
        buf_printf(list, "plate_%04d.jpg plate %d %d %d %d %s\n", number, box[0], box[1],
                   box[2] - box[0], box[3] - box[1], k->name);
        err = picture_encode(&p, PICTURE_JPEG, (int)random_of(60, 93), arena, &made, why);
    }
    char *path = err ? NULL : str_z(arena, str_printf(arena, "%s/plate_%04d.jpg", folder, number));
    if (!err)
        err = path ? file_write(path, made, 0640, why) : ERR_NO_MEMORY;
    arena_free(arena);
    return err;
}

int main(int argc, char **argv)
{
    struct why why = {0};
    struct arena *arena = arena_new(ROOM);
    struct buf list;
    if (argc < 5 || !arena)
        return 2;
    state = strtoull(argv[3], NULL, 10);
    buf_init(&list, arena);
    enum err err = file_make_dirs(argv[1], &why);
    for (int i = 0; !err && i < atoi(argv[2]); i++)
        err = make(argv[4 + random_int(argc - 4)], argv[1], i + 1, &list, &why);
    char *path = err ? NULL : file_join(arena, argv[1], "boxes.txt");
    if (!err)
        err = path ? file_write(path, buf_str(&list), 0640, &why) : ERR_NO_MEMORY;
    arena_free(arena);
    if (err)
        (void)fprintf(stderr, "make_plates: %s\n", why_text(&why, err));
    return err != ERR_OK;
}
