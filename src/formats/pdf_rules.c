#include "formats/pdf_rules.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

#define LEAST_DARK  80  /* of 510 */
#define REACH       3   /* pixels to what a rule is compared with */
#define MEET        3   /* pixels within which a rule ends at another */
#define LEAST_RUN   24  /* pixels; at 100 dpi a sixth of a column of figures */
#define LEAST_WIDTH 120 /* of a table; the strokes of a large letter make smaller grids */
#define GAP         2   /* pixels missing in a rule */
#define THICK       6   /* a thicker band is a filled area: its edges are the rules */
#define NEAR        5   /* pixels within which rules touch */
#define MOST_BANDS  800
#define MOST_EDGES  128

struct band {
    int at;       /* across: the middle of its thickness */
    int from, to; /* along */
    int first, last;
};

struct bands {
    struct band items[MOST_BANDS];
    size_t n;
    bool full;
};

/* ---- pixels to bands ---- */

static void add_run(struct bands *b, int across, int from, int to)
{
    for (size_t i = b->n; i-- > 0;) {
        struct band *band = &b->items[i];
        int shared = (to < band->to ? to : band->to) - (from > band->from ? from : band->from);
        int shorter = to - from < band->to - band->from ? to - from : band->to - band->from;
        if (band->last < across - 1 || shared * 10 < shorter * 7)
            continue;
        band->last = across;
        band->from = from < band->from ? from : band->from;
        band->to = to > band->to ? to : band->to;
        return;
    }
    if (b->n == MOST_BANDS) {
        b->full = true;
        return;
    }
    b->items[b->n++] = (struct band){.from = from, .to = to, .first = across, .last = across};
}

/* Runs along lines of `along` bytes, `across` lines of them. */
static void find_bands(const unsigned char *dark, int across, int along, struct bands *b)
{
    b->n = 0;
    b->full = false;
    for (int a = 0; a < across && !b->full; a++) {
        const unsigned char *line = dark + (size_t)a * (size_t)along;
        for (int i = 0; i < along;) {
            const unsigned char *hit = memchr(line + i, 1, (size_t)(along - i));
            if (!hit)
                break;
            int from = (int)(hit - line), to = from;
            for (i = from + 1; i < along && i - to <= GAP + 1; i++)
                to = line[i] ? i : to;
            if (to - from >= LEAST_RUN)
                add_run(b, a, from, to);
        }
    }
}

/* Thick bands become two rules, one at each edge. */
static void place_bands(struct bands *b)
{
    size_t n = b->n;
    for (size_t i = 0; i < n; i++) {
        struct band *band = &b->items[i];
        if (band->last - band->first <= THICK) {
            band->at = (band->first + band->last) / 2;
            continue;
        }
        band->at = band->first;
        if (b->n < MOST_BANDS) {
            b->items[b->n] = *band;
            b->items[b->n++].at = band->last;
        }
    }
}

/* ---- bands to grids ---- */

struct rules {
    struct bands h, v;
    uint16_t group[MOST_BANDS * 2]; /* of h, then of v */
};

static uint16_t find(struct rules *r, uint16_t i)
{
    while (r->group[i] != i) {
        r->group[i] = r->group[r->group[i]];
        i = r->group[i];
    }
    return i;
}

static bool touch(const struct band *h, const struct band *v)
{
    return v->at >= h->from - NEAR && v->at <= h->to + NEAR && h->at >= v->from - NEAR &&
           h->at <= v->to + NEAR;
}

static void group_rules(struct rules *r)
{
    for (size_t i = 0; i < MOST_BANDS * 2; i++)
        r->group[i] = (uint16_t)i;
    for (size_t i = 0; i < r->h.n; i++) {
        for (size_t j = 0; j < r->v.n; j++) {
            if (touch(&r->h.items[i], &r->v.items[j]))
                r->group[find(r, (uint16_t)i)] = find(r, (uint16_t)(MOST_BANDS + j));
        }
    }
}

struct edges {
    int at[MOST_EDGES];
    size_t n;
};

static void add_edge(struct edges *e, int at)
{
    size_t i = 0;
    while (i < e->n && e->at[i] < at - NEAR)
        i++;
    if ((i < e->n && abs(e->at[i] - at) <= NEAR) || e->n == MOST_EDGES)
        return;
    memmove(e->at + i + 1, e->at + i, (e->n - i) * sizeof *e->at);
    e->at[i] = at;
    e->n++;
}

/* The edges that the rules of one group give, and those that its crossing rules end at: a table
 * without outer rules is open at its sides. */
static void find_edges(struct rules *r, uint16_t group, struct edges *xs, struct edges *ys)
{
    int left = INT32_MAX, right = -1, top = INT32_MAX, bottom = -1;
    xs->n = ys->n = 0;
    for (size_t i = 0; i < r->h.n; i++) {
        const struct band *h = &r->h.items[i];
        if (find(r, (uint16_t)i) != group)
            continue;
        add_edge(ys, h->at);
        left = h->from < left ? h->from : left;
        right = h->to > right ? h->to : right;
    }
    for (size_t j = 0; j < r->v.n; j++) {
        const struct band *v = &r->v.items[j];
        if (find(r, (uint16_t)(MOST_BANDS + j)) != group)
            continue;
        add_edge(xs, v->at);
        top = v->from < top ? v->from : top;
        bottom = v->to > bottom ? v->to : bottom;
    }
    if (xs->n == 0 || ys->n == 0)
        return;
    if (left < xs->at[0] - NEAR * 3)
        add_edge(xs, left);
    if (right > xs->at[xs->n - 1] + NEAR * 3)
        add_edge(xs, right);
    if (top < ys->at[0] - NEAR * 3)
        add_edge(ys, top);
    if (bottom > ys->at[ys->n - 1] + NEAR * 3)
        add_edge(ys, bottom);
}

/* Whether a rule of the group stands at `at` and passes `through`. */
static bool is_ruled(const struct bands *b, int at, int through)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct band *band = &b->items[i];
        if (abs(band->at - at) <= NEAR && band->from <= through && band->to >= through)
            return true;
    }
    return false;
}

static size_t first_of(const struct pdf_grid *g, size_t cell)
{
    while (g->merged[cell] != cell)
        cell = g->merged[cell];
    return cell;
}

static void merge(struct pdf_grid *g, size_t a, size_t b)
{
    a = first_of(g, a);
    b = first_of(g, b);
    g->merged[a > b ? a : b] = a > b ? b : a;
}

static void merge_cells(const struct rules *r, const struct edges *xs, const struct edges *ys,
                        struct pdf_grid *g)
{
    for (size_t i = 0; i < g->n_rows * g->n_cols; i++)
        g->merged[i] = i;
    for (size_t row = 0; row < g->n_rows; row++) {
        for (size_t col = 0; col < g->n_cols; col++) {
            int mid_x = (xs->at[col] + xs->at[col + 1]) / 2,
                mid_y = (ys->at[row] + ys->at[row + 1]) / 2;
            size_t cell = row * g->n_cols + col;
            if (col + 1 < g->n_cols && !is_ruled(&r->v, xs->at[col + 1], mid_y))
                merge(g, cell, cell + 1);
            if (row + 1 < g->n_rows && !is_ruled(&r->h, ys->at[row + 1], mid_x))
                merge(g, cell, cell + g->n_cols);
        }
    }
    for (size_t i = 0; i < g->n_rows * g->n_cols; i++)
        g->merged[i] = first_of(g, i);
}

static bool make_grid(const struct rules *r, const struct edges *xs, const struct edges *ys,
                      double scale, struct arena *arena, struct pdf_grid *g)
{
    *g = (struct pdf_grid){.n_rows = ys->n - 1, .n_cols = xs->n - 1};
    g->xs = arena_array(arena, double, xs->n);
    g->ys = arena_array(arena, double, ys->n);
    g->merged = arena_array(arena, size_t, g->n_rows * g->n_cols);
    if (!g->xs || !g->ys || !g->merged)
        return false;
    for (size_t i = 0; i < xs->n; i++)
        g->xs[i] = xs->at[i] / scale;
    for (size_t i = 0; i < ys->n; i++)
        g->ys[i] = ys->at[i] / scale;
    merge_cells(r, xs, ys, g);
    return true;
}

static int darkness(const unsigned char *pixel)
{
    uint32_t p;
    memcpy(&p, pixel, sizeof p);
    return 255 - (int)(((p >> 16 & 0xFF) * 77 + (p >> 8 & 0xFF) * 151 + (p & 0xFF) * 28) >> 8);
}

/*
 * Writes 1 where a rule along the lines of `grey` may pass: where a pixel and its neighbour across
 * are together darker than what lies a few pixels away on the lighter side. A hair line that falls
 * between two pixels counts so, and the shade of a cell does not.
 */
static void mark_rules(const unsigned char *grey, int across, int along, unsigned char *marks)
{
    for (int a = 0; a < across; a++) {
        const unsigned char *line = grey + (size_t)a * (size_t)along;
        const unsigned char *next = a + 1 < across ? line + along : line;
        const unsigned char *back = a >= REACH ? line - (size_t)REACH * (size_t)along : line;
        const unsigned char *ahead =
            a + REACH + 1 < across ? line + (size_t)(REACH + 1) * (size_t)along : line;
        for (int i = 0; i < along; i++) {
            int around = back[i] < ahead[i] ? back[i] : ahead[i];
            marks[(size_t)a * (size_t)along + (size_t)i] =
                line[i] + next[i] - 2 * around >= LEAST_DARK;
        }
    }
}

/* Rules by rows and by columns of the picture. */
static bool find_rules(const unsigned char *pixels, int width, int height, int stride,
                       struct rules *r)
{
    size_t area = (size_t)width * (size_t)height;
    unsigned char *rows = malloc(area * 3);
    if (!rows)
        return false;
    unsigned char *cols = rows + area, *marks = cols + area;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            unsigned char dark =
                (unsigned char)darkness(pixels + (size_t)y * (size_t)stride + (size_t)x * 4);
            rows[(size_t)y * (size_t)width + (size_t)x] = dark;
            cols[(size_t)x * (size_t)height + (size_t)y] = dark;
        }
    }
    mark_rules(rows, height, width, marks);
    find_bands(marks, height, width, &r->h);
    mark_rules(cols, width, height, marks);
    find_bands(marks, width, height, &r->v);
    free(rows);
    return !r->h.full && !r->v.full;
}

/* How many of the crossing bands a band meets. */
static size_t crossings(const struct band *band, const struct bands *others)
{
    size_t n = 0;
    for (size_t i = 0; i < others->n; i++) {
        const struct band *o = &others->items[i];
        n += o->at >= band->from - MEET && o->at <= band->to + MEET && band->at >= o->from - MEET &&
             band->at <= o->to + MEET;
    }
    return n;
}

/* A rule ends at rules; the strokes of letters do not, however close to a rule they stand. */
static void drop_strokes(struct bands *b, const struct bands *others)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        size_t met = crossings(&b->items[i], others);
        if (met >= 2 || (met == 1 && b->items[i].to - b->items[i].from >= LEAST_WIDTH))
            b->items[n++] = b->items[i];
    }
    b->n = n;
}

void pdf_rules_find(const unsigned char *pixels, int width, int height, int stride, double scale,
                    struct arena *arena, struct pdf_grid **grids, size_t *n_grids)
{
    size_t n = 0;
    struct rules *r = malloc(sizeof *r);
    *n_grids = 0;
    *grids = arena_array(arena, struct pdf_grid, 16);
    if (!r || !*grids || !find_rules(pixels, width, height, stride, r))
        goto done;
    place_bands(&r->h);
    place_bands(&r->v);
    drop_strokes(&r->v, &r->h);
    drop_strokes(&r->h, &r->v);
    drop_strokes(&r->v, &r->h);
    group_rules(r);
    for (size_t j = 0; j < r->v.n && n < 16; j++) {
        struct edges xs, ys;
        if (find(r, (uint16_t)(MOST_BANDS + j)) != MOST_BANDS + j)
            continue; /* each group once, by its root, which is a vertical rule */
        find_edges(r, (uint16_t)(MOST_BANDS + j), &xs, &ys);
        bool large = xs.n && ys.n && xs.at[xs.n - 1] - xs.at[0] >= LEAST_WIDTH &&
                     ys.at[ys.n - 1] - ys.at[0] >= LEAST_RUN;
        if (large && xs.n >= 3 && ys.n >= 2 && make_grid(r, &xs, &ys, scale, arena, &(*grids)[n]))
            n++;
    }
    *n_grids = n;
done:
    free(r);
}

static size_t slot(const double *edges, size_t n, double at)
{
    size_t i = 0;
    while (i < n && edges[i] <= at)
        i++;
    return i; /* 0: before the first */
}

bool pdf_grid_at(const struct pdf_grid *grid, double x, double y, size_t *cell)
{
    size_t col = slot(grid->xs, grid->n_cols + 1, x), row = slot(grid->ys, grid->n_rows + 1, y);
    if (col == 0 || row == 0 || col > grid->n_cols || row > grid->n_rows)
        return false;
    *cell = grid->merged[(row - 1) * grid->n_cols + col - 1];
    return true;
}
