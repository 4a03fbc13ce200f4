#include "data/plates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "data/image.h"

#define ROOM       ((size_t)400 << 20)
#define SMALLEST   128 /* points of length of the last look */
#define AROUND     9   /* points to each side whose mean decides what is dark */
#define STEP       9   /* gray levels that a stroke differs from that mean */
#define MOST_PARTS 20000
#define MOST_FOUND 8000
#define MOST_ROWS  64
#define LEAST      0.05 /* what is less sure counts for nothing */

/* ---- connected parts of a mask ---- */

struct part {
    int x0, y0, x1, y1; /* x1, y1 behind the last point */
    int area;
    bool taken; /* stands in a row already */
};
struct parts {
    struct part *items;
    size_t n;
};
struct looks {
    int width, height;
    const uint8_t *rgb;
    uint8_t *gray, *mask;
    uint32_t *sums;   /* (height + 1, width + 1) */
    uint32_t *labels; /* (height, width) */
    uint32_t *parents;
    struct parts parts;
    struct part *chars;
    double scale; /* points of this look a point of the picture */
    struct image_boxes *found;
};

static uint32_t root_of(uint32_t *parents, uint32_t i)
{
    while (parents[i] != i)
        i = parents[i] = parents[parents[i]];
    return i;
}

static void join(uint32_t *parents, uint32_t a, uint32_t b)
{
    a = root_of(parents, a);
    b = root_of(parents, b);
    if (a < b)
        parents[b] = a;
    else
        parents[a] = b;
}

/* A label for every point of the mask; labels of points that touch are joined. How many there are.
 */
static uint32_t label(struct looks *l)
{
    size_t w = (size_t)l->width;
    uint32_t n = 0;
    for (size_t y = 0; y < (size_t)l->height; y++)
        for (size_t x = 0; x < w; x++) {
            size_t at = y * w + x;
            l->labels[at] = 0;
            if (!l->mask[at])
                continue;
            uint32_t near[4] = {x ? l->labels[at - 1] : 0, y && x ? l->labels[at - w - 1] : 0,
                                y ? l->labels[at - w] : 0,
                                y && x + 1 < w ? l->labels[at - w + 1] : 0};
            for (int i = 0; i < 4; i++)
                if (near[i] && l->labels[at])
                    join(l->parents, near[i], l->labels[at]);
                else if (near[i])
                    l->labels[at] = near[i];
            if (!l->labels[at]) {
                l->labels[at] = ++n;
                l->parents[n] = n;
            }
        }
    return n;
}

/* Parts that touch by a side or a corner. A root is its part's smallest label, so it is numbered
 * before the others; beyond MOST_PARTS they are left out. */
static void find_parts(struct looks *l)
{
    uint32_t n = label(l), *numbers = l->sums; /* free by now */
    l->parts.n = 0;
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t root = root_of(l->parents, i);
        numbers[i] = root != i                 ? numbers[root]
                     : l->parts.n < MOST_PARTS ? (uint32_t)l->parts.n++
                                               : MOST_PARTS;
    }
    for (size_t i = 0; i < l->parts.n; i++)
        l->parts.items[i] = (struct part){l->width, l->height, 0, 0, 0, false};
    for (int y = 0; y < l->height; y++)
        for (int x = 0; x < l->width; x++) {
            uint32_t own = l->labels[(size_t)y * (size_t)l->width + (size_t)x];
            if (!own || numbers[own] == MOST_PARTS)
                continue;
            struct part *p = &l->parts.items[numbers[own]];
            p->x0 = x < p->x0 ? x : p->x0;
            p->y0 = y < p->y0 ? y : p->y0;
            p->x1 = x >= p->x1 ? x + 1 : p->x1;
            p->y1 = y >= p->y1 ? y + 1 : p->y1;
            p->area++;
        }
}

/* ---- colours ---- */

enum ground { OTHER, BLUE, YELLOW, GREEN };

/* The colours of plates by hue (b, r or g the most, how much of the rest) and saturation, in whole
 * numbers; the green is pale. */
static enum ground ground_of(int r, int g, int b)
{
    int most = r > g ? (r > b ? r : b) : (g > b ? g : b),
        least = r < g ? (r < b ? r : b) : (g < b ? g : b), range = most - least;
    if (most < 40)
        return OTHER;
    if (b == most && 10 * range > 4 * most && 2 * (g - least) < 3 * range && b > r + 30 &&
        3 * (r - least) < range)
        return BLUE;
    if (b == least && 20 * range > 9 * most && r >= g - 8 && 10 * (g - b) > 4 * range &&
        10 * (r - g) < 6 * range)
        return YELLOW;
    if (g == most && 10 * range > most && 4 * (r - least) < range && 10 * (b - least) < 9 * range)
        return GREEN;
    return OTHER;
}

/* ---- what is found ---- */

static void add(struct looks *l, double x0, double y0, double x1, double y1, double sure)
{
    if (sure < LEAST || l->found->n == MOST_FOUND)
        return;
    l->found->items[l->found->n++] =
        (struct image_box){(int)(x0 / l->scale), (int)(y0 / l->scale), (int)((x1 - x0) / l->scale),
                           (int)((y1 - y0) / l->scale), sure};
}

/* ---- rows of characters ---- */

/* What is lighter (or darker) than the mean of what lies around. */
static void strokes(struct looks *l, bool light)
{
    size_t w = (size_t)l->width, stride = w + 1;
    for (int y = 0; y < l->height; y++) {
        int top = y > AROUND ? y - AROUND : 0,
            low = y + AROUND + 1 < l->height ? y + AROUND + 1 : l->height;
        for (int x = 0; x < l->width; x++) {
            int left = x > AROUND ? x - AROUND : 0,
                right = x + AROUND + 1 < l->width ? x + AROUND + 1 : l->width;
            uint32_t sum = l->sums[(size_t)low * stride + (size_t)right] -
                           l->sums[(size_t)top * stride + (size_t)right] -
                           l->sums[(size_t)low * stride + (size_t)left] +
                           l->sums[(size_t)top * stride + (size_t)left];
            int mean = (int)(sum / (uint32_t)((low - top) * (right - left))),
                level = l->gray[(size_t)y * w + (size_t)x];
            l->mask[(size_t)y * w + (size_t)x] = light ? level > mean + STEP : level < mean - STEP;
        }
    }
}

static void integrate(struct looks *l)
{
    size_t stride = (size_t)l->width + 1;
    memset(l->sums, 0, stride * sizeof *l->sums);
    for (size_t y = 0; y < (size_t)l->height; y++) {
        uint32_t row = 0;
        l->sums[(y + 1) * stride] = 0;
        for (size_t x = 0; x < (size_t)l->width; x++) {
            row += l->gray[y * (size_t)l->width + x];
            l->sums[(y + 1) * stride + x + 1] = l->sums[y * stride + x + 1] + row;
        }
    }
}

static int by_left(const void *a, const void *b)
{
    const struct part *p = a, *q = b;
    return p->x0 + p->x1 != q->x0 + q->x1 ? (p->x0 + p->x1 > q->x0 + q->x1) * 2 - 1
                                          : (p->y0 > q->y0) - (p->y0 < q->y0);
}

struct row {
    struct part *chars[12];
    int n;
    double height, pitch, slope;
};

static double middle_x(const struct part *p)
{
    return (p->x0 + p->x1) / 2.0;
}
static double middle_y(const struct part *p)
{
    return (p->y0 + p->y1) / 2.0;
}

/* The next character of a row behind `from`: the nearest of the same height on the same line. */
static struct part *next_of(struct part *chars, size_t n, struct part *from, const struct row *row)
{
    double height = from->y1 - from->y0;
    struct part *best = NULL;
    double nearest = 1.6 * height; /* the gap with the dot is 0.9; other countries' are wider */
    for (struct part *p = from + 1; p < chars + n; p++) {
        double dx = middle_x(p) - middle_x(from), dy = middle_y(p) - middle_y(from);
        if (dx > nearest)
            break;
        double differ = fabs((p->y1 - p->y0) - height);
        if (dx < 0.28 * height || differ > 0.2 * height + 1 || fabs(dy) > 0.35 * dx + 1)
            continue;
        if (row->n > 1 && fabs(dy - row->slope * dx) > 0.13 * height + 0.7)
            continue;
        best = p;
        nearest = dx;
    }
    return best;
}

/* Logistic regressions, fitted on rendered plates in photographs and on photographs without plates;
 * docs/decisions/0023-faces-and-plates.md says which. */
#define ROW_SIGNS   10
#define PATCH_SIGNS 14
static const double row_weights[ROW_SIGNS] = {7.326, 0.287,   -2.056, 7.125,   6.747,
                                              1.082, -47.006, -1.031, -41.910, -17.459};
static const double patch_weights[PATCH_SIGNS] = {-21.268, 0.876,   0.816, 2.493,  -6.895,
                                                  6.080,   5.911,   1.901, -7.533, -6.887,
                                                  19.186,  -11.301, 1.867, -2.596};

static double weigh(const double *signs, const double *weights, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += signs[i] * weights[i];
    return 1 / (1 + exp(-sum));
}

/* What lies between the upper and the lower edge of a row, by the mask. */
struct ground_sums {
    double ground, squares, stroke;
    int n_ground, n_stroke, colours[4];
};

static void add_row(const struct looks *l, const struct row *row, double heights,
                    struct ground_sums *s)
{
    const struct part *first = row->chars[0];
    for (int x = first->x0; x < row->chars[row->n - 1]->x1; x++) {
        double line = middle_y(first) + row->slope * (x - middle_x(first));
        int y = (int)(line - heights / 2), bottom = (int)(line + heights / 2);
        for (y = y < 0 ? 0 : y; y < bottom && y < l->height; y++) {
            size_t at = (size_t)y * (size_t)l->width + (size_t)x;
            double level = l->gray[at];
            if (l->mask[at]) {
                s->stroke += level;
                s->n_stroke++;
                continue;
            }
            s->colours[ground_of(l->rgb[at * 3], l->rgb[at * 3 + 1], l->rgb[at * 3 + 2])]++;
            s->ground += level;
            s->squares += level * level;
            s->n_ground++;
        }
    }
}

/* How much a row is like a plate's: 0 .. 1. */
static double judge_row(const struct looks *l, const struct row *row)
{
    double pitch = (middle_x(row->chars[row->n - 1]) - middle_x(row->chars[0])) / (row->n - 1);
    double heights = 0, odd = 0, tall = 0;
    for (int i = 0; i < row->n; i++)
        heights += (row->chars[i]->y1 - row->chars[i]->y0) / (double)row->n;
    for (int i = 0; i < row->n; i++)
        tall += fabs(row->chars[i]->y1 - row->chars[i]->y0 - heights) / heights / row->n;
    for (int i = 1; i < row->n; i++) {
        double step = middle_x(row->chars[i]) - middle_x(row->chars[i - 1]);
        odd += fmin(fabs(step - pitch) / pitch, 1) / (row->n - 1);
    }
    struct ground_sums s = {0};
    add_row(l, row, heights, &s);
    if (!s.n_ground || !s.n_stroke)
        return 0;
    double ground = s.ground / s.n_ground, contrast = fabs(s.stroke / s.n_stroke - ground),
           rough = sqrt(fmax(s.squares / s.n_ground - ground * ground, 0)),
           share = s.n_stroke / (double)(s.n_stroke + s.n_ground);
    int most = s.colours[BLUE] > s.colours[YELLOW] ? s.colours[BLUE] : s.colours[YELLOW];
    most = s.colours[GREEN] > most ? s.colours[GREEN] : most;
    if (contrast < 25 || rough > 0.6 * contrast || share < 0.15 || share > 0.7 ||
        pitch > 1.05 * heights)
        return 0;
    const double signs[ROW_SIGNS] = {1,
                                     fmin(row->n, 8),
                                     fmax(row->n - 8, 0),
                                     most / (double)s.n_ground,
                                     fmin(contrast, 100) / 100,
                                     fmin(odd, 0.4),
                                     fmin(tall, 0.2),
                                     fmin(rough / contrast, 0.6),
                                     fabs(share - 0.4),
                                     pitch / heights};
    return weigh(signs, row_weights, ROW_SIGNS);
}

/* From the first to the last character, with room for what of a plate is no single part (the
 * province's character often is not) and for its edges. */
static void add_plate(struct looks *l, const struct row *row, double sure)
{
    const struct part *first = row->chars[0], *last = row->chars[row->n - 1];
    double height = (first->y1 - first->y0 + last->y1 - last->y0) / 2.0,
           pitch = (middle_x(last) - middle_x(first)) / (row->n - 1);
    double left = first->x0 - (row->n < 7 ? fmin(7 - row->n, 2) : 0) * pitch - 0.25 * pitch,
           right = last->x1 + (row->n < 6 ? pitch : 0) + 0.25 * pitch;
    add(l, left, fmin(first->y0, last->y0) - 0.3 * height, right,
        fmax(first->y1, last->y1) + 0.3 * height, sure);
}

static void look_for_rows(struct looks *l, bool light)
{
    size_t n = 0;
    integrate(l);
    strokes(l, light);
    find_parts(l);
    for (size_t i = 0; i < l->parts.n; i++) {
        const struct part *p = &l->parts.items[i];
        int width = p->x1 - p->x0, height = p->y1 - p->y0;
        if (height >= 8 && height <= 30 && width <= 1.1 * height && width * 8 >= height &&
            p->area * 5 >= width * height)
            l->chars[n++] = *p;
    }
    if (n > 1)
        qsort(l->chars, n, sizeof *l->chars, by_left);
    for (size_t i = 0; i < n; i++) {
        struct row row = {.n = 1, .chars = {&l->chars[i]}};
        struct part *p = &l->chars[i];
        if (p->taken)
            continue;
        while (row.n < 12 && (p = next_of(l->chars, n, p, &row))) {
            row.chars[row.n++] = p;
            row.slope =
                (middle_y(p) - middle_y(row.chars[0])) / (middle_x(p) - middle_x(row.chars[0]));
        }
        double sure = row.n < 4 || row.n > 10 ? 0 : judge_row(l, &row);
        if (sure < LEAST)
            continue;
        for (int k = 0; k < row.n; k++)
            row.chars[k]->taken = true;
        add_plate(l, &row, sure);
    }
}

/* ---- patches of colour ---- */

/* What a patch looks like in the middle half of its height, where the characters of a plate are. */
struct inside {
    int top, bottom;
    double ground, stroke; /* gray of what has the colour and of what has not, the means */
    double contrast;       /* by how much strokes are lighter (darker) than the ground */
    double parted;         /* of the variance of gray what lies between ground and stroke, 0 .. 1 */
    double smooth;         /* deviation of the ground's gray, of the contrast */
    double wide;           /* of the width, what the colour spans in a row */
    double even;           /* strokes in the poorest sixth of the width, of the mean sixth */
    double turned;         /* of what has not the colour, what is as light (dark) as strokes */
    double changes;        /* between ground and stroke along a row, the median */
    double steady;         /* rows with at least half and at most twice as many */
};

struct sums {
    double ground, squares, stroke, all_squares, n_ground, n_stroke, spans, sixths[6];
};

static void add_up(const struct looks *l, const struct part *p, const struct inside *in,
                   struct sums *sums)
{
    for (int y = in->top; y < in->bottom; y++) {
        int first = p->x1, last = p->x0;
        for (int x = p->x0; x < p->x1; x++) {
            size_t at = (size_t)y * (size_t)l->width + (size_t)x;
            double level = l->gray[at];
            sums->all_squares += level * level;
            if (!l->mask[at]) {
                sums->stroke += level;
                sums->n_stroke++;
                sums->sixths[(x - p->x0) * 6 / (p->x1 - p->x0)]++;
                continue;
            }
            sums->ground += level;
            sums->squares += level * level;
            sums->n_ground++;
            first = x < first ? x : first;
            last = x;
        }
        sums->spans += last > first ? last - first + 1 : 0;
    }
}

/* Changes along a row; how many of its strokes are as light (dark) as they should be goes to
 * *right. */
static int walk(const struct looks *l, const struct part *p, const struct inside *in, int y,
                double sign, double *right)
{
    double middle = (in->ground + in->stroke) / 2, margin = fabs(in->stroke - in->ground) * 0.15;
    bool stroke = false;
    int changes = 0;
    for (int x = p->x0; x < p->x1; x++) {
        size_t at = (size_t)y * (size_t)l->width + (size_t)x;
        double over = sign * (l->gray[at] - middle);
        *right += !l->mask[at] && over > 0;
        if (stroke ? over < -margin : over > margin) {
            stroke = !stroke;
            changes++;
        }
    }
    return changes;
}

static int by_number(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void walk_rows(const struct looks *l, const struct part *p, double sign, double n_stroke,
                      struct inside *in)
{
    int rows[MOST_ROWS], n = 0, step = (in->bottom - in->top) / MOST_ROWS + 1;
    double right = 0;
    for (int y = in->top; y < in->bottom; y += step)
        rows[n++] = walk(l, p, in, y, sign, &right);
    if (!n)
        return;
    qsort(rows, (size_t)n, sizeof *rows, by_number);
    in->turned = right * step / n_stroke;
    int median = rows[n / 2];
    in->changes = median;
    for (int i = 0; i < n; i++)
        in->steady += (2 * rows[i] >= median && rows[i] <= 2 * median) / (double)n;
}

static void inside_of(const struct looks *l, const struct part *p, bool light, struct inside *in)
{
    int height = p->y1 - p->y0;
    double sign = light ? 1 : -1;
    struct sums s = {0};
    *in = (struct inside){.top = p->y0 + height / 4, .bottom = p->y1 - height / 4};
    add_up(l, p, in, &s);
    if (s.n_ground < 1 || s.n_stroke < 1)
        return;
    double n = s.n_ground + s.n_stroke, mean = (s.ground + s.stroke) / n,
           variance = s.all_squares / n - mean * mean;
    in->ground = s.ground / s.n_ground;
    in->stroke = s.stroke / s.n_stroke;
    double differ = in->stroke - in->ground;
    in->contrast = sign * differ;
    if (variance > 1)
        in->parted = s.n_ground * s.n_stroke / n / n * differ * differ / variance;
    in->smooth =
        sqrt(fmax(s.squares / s.n_ground - in->ground * in->ground, 0)) / fmax(fabs(differ), 1);
    in->wide = s.spans / (in->bottom - in->top) / (p->x1 - p->x0);
    double poorest = s.n_stroke;
    for (int i = 0; i < 6; i++)
        poorest = fmin(poorest, s.sixths[i]);
    in->even = poorest * 6 / s.n_stroke;
    walk_rows(l, p, sign, s.n_stroke, in);
}

static void look_for_patches(struct looks *l, enum ground ground)
{
    for (size_t i = 0; i < (size_t)l->width * (size_t)l->height; i++)
        l->mask[i] = ground_of(l->rgb[i * 3], l->rgb[i * 3 + 1], l->rgb[i * 3 + 2]) == ground;
    find_parts(l);
    for (size_t i = 0; i < l->parts.n; i++) {
        const struct part *p = &l->parts.items[i];
        int width = p->x1 - p->x0, height = p->y1 - p->y0;
        double ratio = width / (double)height, fill = p->area / ((double)width * height);
        /* Narrower than made: seen from the side; flatter: cut by a frame. */
        if (width < 28 || width > 160 || height < 9 || ratio < 1.5 || ratio > 5.5 || fill < 0.3 ||
            fill > 0.95)
            continue;
        struct inside in;
        inside_of(l, p, ground == BLUE, &in);
        if (in.changes < 6 || in.changes > 32 || in.contrast < 15)
            continue;
        const double signs[PATCH_SIGNS] = {1,
                                           fmin(in.changes, 14),
                                           fmax(in.changes - 22, 0),
                                           in.steady,
                                           in.parted,
                                           in.turned,
                                           fmin(in.wide, 0.95),
                                           fmin(in.even, 0.5),
                                           fmin(in.smooth, 1),
                                           fmin(in.contrast, 80) / 100,
                                           fmin(fill, 0.6),
                                           fmax(ratio - 3.3, 0),
                                           ground == GREEN,
                                           ground == YELLOW};
        /* The pale upper part of a green plate is hardly green. */
        double more = ground == GREEN ? 0.35 * height : 0;
        add(l, p->x0, p->y0 - more, p->x1, p->y1, weigh(signs, patch_weights, PATCH_SIGNS));
    }
}

static enum err look(const struct picture *picture, double scale, struct image_boxes *found,
                     struct arena *arena, struct why *why)
{
    struct picture p = *picture;
    struct image_gray gray;
    enum err err = ERR_OK;
    if (scale < 1) {
        int width = (int)(p.width * scale), height = (int)(p.height * scale);
        err = image_resize(picture, width > 0 ? width : 1, height > 0 ? height : 1, arena, &p, why);
    }
    if (!err)
        err = image_gray(&p, 0, arena, &gray, why);
    if (err)
        return err;
    size_t n = (size_t)p.width * (size_t)p.height;
    struct looks l = {p.width,
                      p.height,
                      p.rgb,
                      gray.levels,
                      (uint8_t *)arena_bytes(arena, n),
                      arena_array(arena, uint32_t, ((size_t)p.width + 1) * ((size_t)p.height + 1)),
                      arena_array(arena, uint32_t, n),
                      arena_array(arena, uint32_t, n + 1),
                      {arena_array(arena, struct part, MOST_PARTS), 0},
                      arena_array(arena, struct part, MOST_PARTS),
                      (double)p.width / picture->width,
                      found};
    if (!l.mask || !l.sums || !l.labels || !l.parents || !l.parts.items || !l.chars)
        return err_set(why, ERR_NO_MEMORY, "could not look at a picture of %d by %d points",
                       p.width, p.height);
    look_for_rows(&l, true);
    look_for_rows(&l, false);
    look_for_patches(&l, BLUE);
    look_for_patches(&l, YELLOW);
    look_for_patches(&l, GREEN);
    return ERR_OK;
}

/* What is found in several ways or sizes is surer: each adds its share of what was doubted. */
static void agree(struct image_boxes *found, double *doubts)
{
    for (size_t i = 0; i < found->n; i++) {
        doubts[i] = 1;
        for (size_t k = 0; k < found->n; k++) {
            double of_smaller,
                shared = image_overlap(&found->items[i], &found->items[k], &of_smaller);
            if (shared > 0.4 || i == k)
                doubts[i] *= 1 - found->items[k].sure;
        }
    }
    for (size_t i = 0; i < found->n; i++)
        found->items[i].sure = 1 - doubts[i];
}

enum err plates_find(const struct picture *picture, double least, int longest, struct arena *arena,
                     struct image_boxes *out, struct why *why)
{
    struct image_boxes found = {arena_array(arena, struct image_box, MOST_FOUND), 0};
    int longer = picture->width > picture->height ? picture->width : picture->height;
    double *doubts = arena_array(arena, double, MOST_FOUND);
    enum err err =
        found.items && doubts ? ERR_OK : err_set(why, ERR_NO_MEMORY, "could not hold plates");
    double scale = longer > longest ? (double)longest / longer : 1;
    for (; !err && scale * longer >= SMALLEST; scale /= 2) {
        struct arena *own = arena_new(ROOM);
        err = own ? look(picture, scale, &found, own, why)
                  : err_set(why, ERR_NO_MEMORY, "could not look at a picture");
        arena_free(own);
    }
    if (err)
        return err;
    agree(&found, doubts);
    image_thin_out(&found, least);
    *out = found;
    return ERR_OK;
}
