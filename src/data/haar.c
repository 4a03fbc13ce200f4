/*
 * haar: a cascade is stages of small trees over sums of rectangles. A window that fails a stage is
 * none; nearly all fail the first. Sums come from an integral image, each in four reads, and are
 * held against thresholds in units of the window's standard deviation.
 */
#include "data/haar.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

#define MOST_SIDE  128 /* of a window */
#define MOST_NODES 20000
#define MOST_FOUND 20000 /* windows of a picture that may be said to hold something */
#define GROWTH     1.1
#define NEAR       0.2   /* boxes whose edges differ by less than this share are one */
#define EPSILON    1e-5f /* OpenCV takes so much off a stage's threshold */

struct rect {
    int x, y, width, height;
    float weight;
};
struct feature {
    struct rect rects[3];
    int n;
    bool tilted; /* rectangles stand on a corner: (x, y) is the top one */
};
struct node {
    int left, right; /* > 0: a node of the tree; <= 0: leaf number -value */
    int feature;
    float threshold;
};
struct tree {
    int first_node, first_leaf, n_nodes;
};
struct stage {
    int first_tree, n_trees;
    float threshold;
};
struct haar {
    int width, height;
    struct stage *stages;
    struct tree *trees;
    struct node *nodes;
    float *leaves;
    struct feature *features;
    int n_stages, n_trees, n_nodes, n_leaves, n_features;
    bool tilted; /* some feature is */
};

/* ---- the file ---- */

struct reading {
    struct str xml;
    size_t at;
    struct haar *haar;
    struct why *why;
};

static enum err bad(struct reading *r, const char *what)
{
    return err_set(r->why, ERR_INVALID, "the cascade is damaged: %s", what);
}

/* The next of these tags from here on, which becomes the place behind it; -1: none. */
static int next_tag(struct reading *r, const char *const *tags, int n)
{
    while (r->at < r->xml.len) {
        const char *open = memchr(r->xml.ptr + r->at, '<', r->xml.len - r->at);
        if (!open)
            break;
        r->at = (size_t)(open - r->xml.ptr);
        struct str rest = str_from(r->xml, r->at);
        for (int i = 0; i < n; i++)
            if (str_starts(rest, str_c(tags[i]))) {
                r->at += strlen(tags[i]);
                return i;
            }
        r->at++;
    }
    return -1;
}

/* The next number before a '<', or false. */
static bool next_number(struct reading *r, double *out)
{
    size_t from = r->at;
    while (from < r->xml.len && strchr(" \t\r\n", r->xml.ptr[from]))
        from++;
    size_t end = from;
    while (end < r->xml.len && end - from < 40 && !strchr(" \t\r\n<", r->xml.ptr[end]))
        end++;
    struct str text = str_slice(r->xml, from, end);
    if (text.len && text.ptr[text.len - 1] == '.')
        text.len--; /* "-1." */
    if (!text.len || !str_to_f64(text, out) || !isfinite(*out) || fabs(*out) > 1e9)
        return false;
    r->at = end;
    return true;
}

static enum err read_tree(struct reading *r)
{
    struct haar *h = r->haar;
    double v[4];
    struct tree *tree = &h->trees[h->n_trees];
    *tree = (struct tree){h->n_nodes, h->n_leaves, 0};
    while (next_number(r, &v[0])) {
        if (!next_number(r, &v[1]) || !next_number(r, &v[2]) || !next_number(r, &v[3]) ||
            h->n_nodes == MOST_NODES)
            return bad(r, "a node is not whole");
        h->nodes[h->n_nodes++] = (struct node){(int)v[0], (int)v[1], (int)v[2], (float)v[3]};
        tree->n_nodes++;
    }
    static const char *const leaf[] = {"<leafValues>"};
    if (!tree->n_nodes || next_tag(r, leaf, 1) != 0)
        return bad(r, "a tree has no leaves");
    while (next_number(r, &v[0])) {
        if (h->n_leaves == 2 * MOST_NODES)
            return bad(r, "too many leaves");
        h->leaves[h->n_leaves++] = (float)v[0];
    }
    /* Children stand behind their parent, so that every walk ends, and leaves are there. */
    int n_leaves = h->n_leaves - tree->first_leaf;
    for (int i = 0; i < tree->n_nodes; i++) {
        const struct node *n = &h->nodes[tree->first_node + i];
        const int to[] = {n->left, n->right};
        for (int k = 0; k < 2; k++)
            if (to[k] > 0 ? to[k] <= i || to[k] >= tree->n_nodes : -to[k] >= n_leaves)
                return bad(r, "a branch leads astray");
    }
    h->n_trees++;
    return ERR_OK;
}

static enum err read_stages(struct reading *r)
{
    static const char *const tags[] = {"<stageThreshold>", "<internalNodes>", "<features>"};
    struct haar *h = r->haar;
    double value;
    for (;;) {
        int tag = next_tag(r, tags, 3);
        enum err err = ERR_OK;
        if (tag == 0) {
            if (!next_number(r, &value) || h->n_stages == 200)
                return bad(r, "a stage has no threshold");
            h->stages[h->n_stages++] = (struct stage){h->n_trees, 0, (float)value - EPSILON};
        } else if (tag == 1) {
            if (!h->n_stages || h->n_trees == MOST_NODES)
                return bad(r, "a tree has no stage");
            err = read_tree(r);
            h->stages[h->n_stages - 1].n_trees++;
        } else {
            return tag == 2 && h->n_stages ? ERR_OK : bad(r, "it has no stages or features");
        }
        if (err)
            return err;
    }
}

static enum err read_rect(struct reading *r, struct feature *f)
{
    double v[5];
    for (int i = 0; i < 5; i++)
        if (!next_number(r, &v[i]) || fabs(v[i]) > 1000)
            return bad(r, "a rectangle is not whole");
    if (f->n == 3)
        return bad(r, "a feature has more than three rectangles");
    f->rects[f->n++] = (struct rect){(int)v[0], (int)v[1], (int)v[2], (int)v[3], (float)v[4]};
    return ERR_OK;
}

static bool within(const struct haar *h, const struct feature *f)
{
    for (int i = 0; i < f->n; i++) {
        const struct rect *r = &f->rects[i];
        int left = f->tilted ? r->x - r->height : r->x,
            low = r->y + r->height + (f->tilted ? r->width : 0);
        if (left < 0 || r->y < 0 || r->width < 1 || r->height < 1 || r->x + r->width > h->width ||
            low > h->height)
            return false;
    }
    return f->n > 0;
}

static enum err read_features(struct reading *r)
{
    static const char *const tags[] = {"<rects>", "<_>", "<tilted>1", "</features>"};
    struct haar *h = r->haar;
    bool inside = false;
    for (;;) {
        struct str rest = str_from(r->xml, r->at);
        size_t close = str_find(rest, STR("</rects>")), open = str_find(rest, STR("<_>"));
        if (inside && close < open)
            inside = false; /* the next <_> is a feature and no rectangle */
        int tag = next_tag(r, tags, 4);
        if (tag == 0) {
            if (h->n_features == MOST_NODES)
                return bad(r, "too many features");
            h->features[h->n_features++] = (struct feature){.n = 0};
            inside = true;
        } else if (tag == 1 && inside) {
            enum err err = read_rect(r, &h->features[h->n_features - 1]);
            if (err)
                return err;
        } else if (tag == 2) {
            if (!h->n_features)
                return bad(r, "no feature is tilted");
            h->features[h->n_features - 1].tilted = h->tilted = true;
        } else if (tag == 3 || tag < 0) {
            break;
        }
    }
    for (int i = 0; i < h->n_nodes; i++)
        if (h->nodes[i].feature < 0 || h->nodes[i].feature >= h->n_features ||
            !within(h, &h->features[h->nodes[i].feature]))
            return bad(r, "a node asks for a feature that is not there or lies outside the window");
    return ERR_OK;
}

enum err haar_read(struct str xml, struct arena *arena, const struct haar **out, struct why *why)
{
    static const char *const tags[] = {"<height>", "<width>", "<stages>"};
    struct haar *h = arena_one(arena, struct haar);
    struct reading r = {xml, 0, h, why};
    double width = 0, height = 0;
    if (!h || !(h->stages = arena_array(arena, struct stage, 200)) ||
        !(h->trees = arena_array(arena, struct tree, MOST_NODES)) ||
        !(h->nodes = arena_array(arena, struct node, MOST_NODES)) ||
        !(h->leaves = arena_array(arena, float, 2 * MOST_NODES)) ||
        !(h->features = arena_array(arena, struct feature, MOST_NODES)))
        return err_set(why, ERR_NO_MEMORY, "could not hold a cascade");
    if (str_find(xml, STR("<cascade")) == STR_NPOS ||
        str_find(xml, STR("<featureType>HAAR</featureType>")) == STR_NPOS)
        return err_set(why, ERR_INVALID, "it is no cascade of Haar features");
    if (next_tag(&r, tags, 1) != 0 || !next_number(&r, &height) || next_tag(&r, tags + 1, 1) != 0 ||
        !next_number(&r, &width) || width < 8 || height < 8 || width > MOST_SIDE ||
        height > MOST_SIDE || next_tag(&r, tags + 2, 1) != 0)
        return bad(&r, "it says no size");
    h->width = (int)width;
    h->height = (int)height;
    enum err err = read_stages(&r);
    if (!err)
        err = read_features(&r);
    if (!err)
        *out = h;
    return err;
}

/* ---- looking ---- */

struct level { /* the picture at one size */
    int width, height;
    uint8_t *gray;
    uint32_t *sum; /* (height + 1, width + 1) */
    uint64_t *square;
    uint32_t *tilted;       /* the same shape; NULL: no feature asks for it */
    uint32_t *left, *right; /* diagonals that end in a row; two rows of width + 2 each */
};

static void shrink(const struct haar_picture *from, struct level *to)
{
    double sx = (double)from->width / to->width, sy = (double)from->height / to->height;
    for (int y = 0; y < to->height; y++) {
        double fy = (y + 0.5) * sy - 0.5;
        int y0 = fy < 0 ? 0 : (int)fy, y1 = y0 + 1 < from->height ? y0 + 1 : y0;
        double wy = fy < 0 ? 0 : fy - y0;
        for (int x = 0; x < to->width; x++) {
            double fx = (x + 0.5) * sx - 0.5;
            int x0 = fx < 0 ? 0 : (int)fx, x1 = x0 + 1 < from->width ? x0 + 1 : x0;
            double wx = fx < 0 ? 0 : fx - x0;
            const uint8_t *a = from->gray + (size_t)y0 * (size_t)from->width;
            const uint8_t *b = from->gray + (size_t)y1 * (size_t)from->width;
            double top = a[x0] * (1 - wx) + a[x1] * wx, low = b[x0] * (1 - wx) + b[x1] * wx;
            to->gray[(size_t)y * (size_t)to->width + (size_t)x] =
                (uint8_t)(top * (1 - wy) + low * wy + 0.5);
        }
    }
}

static void integrate(struct level *l)
{
    size_t stride = (size_t)l->width + 1;
    memset(l->sum, 0, stride * sizeof *l->sum);
    memset(l->square, 0, stride * sizeof *l->square);
    for (int y = 0; y < l->height; y++) {
        uint32_t row = 0;
        uint64_t squares = 0;
        size_t at = (size_t)(y + 1) * stride;
        l->sum[at] = 0;
        l->square[at] = 0;
        for (int x = 0; x < l->width; x++) {
            uint32_t v = l->gray[(size_t)y * (size_t)l->width + (size_t)x];
            row += v;
            squares += v * v;
            l->sum[at + (size_t)x + 1] = l->sum[at + (size_t)x + 1 - stride] + row;
            l->square[at + (size_t)x + 1] = l->square[at + (size_t)x + 1 - stride] + squares;
        }
    }
}

/* tilted[Y][X] is the sum of the points above (X - 1, Y) within 45 degrees of it (Lienhart): each
 * row adds to the one before the two diagonals that end in its points. */
static void integrate_tilted(struct level *l)
{
    size_t stride = (size_t)l->width + 1, n = (size_t)l->width + 2;
    memset(l->tilted, 0, stride * sizeof *l->tilted);
    memset(l->left, 0, 2 * n * sizeof *l->left);
    memset(l->right, 0, 2 * n * sizeof *l->right);
    for (int y = 0; y < l->height; y++) {
        uint32_t *left = l->left + (y & 1 ? n : 0), *right = l->right + (y & 1 ? n : 0);
        const uint32_t *left_before = l->left + (y & 1 ? 0 : n),
                       *right_before = l->right + (y & 1 ? 0 : n);
        const uint8_t *gray = l->gray + (size_t)y * (size_t)l->width;
        /* Place i of a row of diagonals is the point i - 1; 0 and width + 1 lie outside. */
        left[0] = left[n - 1] = 0;
        right[0] = right_before[1];
        right[n - 1] = 0;
        for (size_t i = 1; i + 1 < n; i++) {
            left[i] = gray[i - 1] + left_before[i - 1];
            right[i] = gray[i - 1] + right_before[i + 1];
        }
        uint32_t *to = l->tilted + (size_t)(y + 1) * stride;
        for (size_t x = 0; x < stride; x++)
            to[x] = to[x - stride] + left[x] + right[x] - (x ? gray[x - 1] : 0);
    }
}

static uint32_t tilted_sum(const struct level *l, int x, int y, int width, int height)
{
    const uint32_t *t = l->tilted;
    size_t stride = (size_t)l->width + 1;
    assert(t); /* made where the cascade has a tilted feature */
#define AT(X, Y) t[(size_t)(Y)*stride + (size_t)(X)]
    return AT(x, y) - AT(x - height, y + height) - AT(x + width, y + width) +
           AT(x + width - height, y + width + height);
#undef AT
}

static uint32_t rect_sum(const struct level *l, int x, int y, int width, int height)
{
    size_t stride = (size_t)l->width + 1;
    const uint32_t *a = l->sum + (size_t)y * stride + (size_t)x, *b = a + (size_t)height * stride;
    return b[width] - b[0] - a[width] + a[0];
}

static uint64_t rect_square(const struct level *l, int x, int y, int width, int height)
{
    size_t stride = (size_t)l->width + 1;
    const uint64_t *a = l->square + (size_t)y * stride + (size_t)x,
                   *b = a + (size_t)height * stride;
    return b[width] - b[0] - a[width] + a[0];
}

static float feature_of(const struct haar *h, const struct level *l, int index, int x, int y)
{
    const struct feature *f = &h->features[index];
    float sum = 0;
    for (int i = 0; i < f->n; i++) {
        const struct rect *r = &f->rects[i];
        uint32_t part = f->tilted ? tilted_sum(l, x + r->x, y + r->y, r->width, r->height)
                                  : rect_sum(l, x + r->x, y + r->y, r->width, r->height);
        sum += r->weight * (float)part;
    }
    return sum;
}

/* Whether the window at (x, y) passes all stages. */
static bool holds(const struct haar *h, const struct level *l, int x, int y)
{
    double area = (double)(h->width - 2) * (h->height - 2);
    double sum = rect_sum(l, x + 1, y + 1, h->width - 2, h->height - 2);
    double square = (double)rect_square(l, x + 1, y + 1, h->width - 2, h->height - 2);
    double spread = area * square - sum * sum;
    float unit = spread > 0 ? (float)(1 / sqrt(spread)) : 1;
    for (int s = 0; s < h->n_stages; s++) {
        const struct stage *stage = &h->stages[s];
        float total = 0;
        for (int t = 0; t < stage->n_trees; t++) {
            const struct tree *tree = &h->trees[stage->first_tree + t];
            int at = 0;
            do {
                const struct node *n = &h->nodes[tree->first_node + at];
                at = feature_of(h, l, n->feature, x, y) * unit < n->threshold ? n->left : n->right;
            } while (at > 0);
            total += h->leaves[tree->first_leaf - at];
        }
        if (total < stage->threshold)
            return false;
    }
    return true;
}

struct found {
    struct haar_box *items;
    size_t n;
};

static void look(const struct haar *h, const struct level *l, double factor, struct found *found)
{
    int step = factor > 2 ? 1 : 2;
    for (int y = 0; y + h->height <= l->height; y += step)
        for (int x = 0; x + h->width <= l->width; x += step)
            if (holds(h, l, x, y) && found->n < MOST_FOUND)
                found->items[found->n++] =
                    (struct haar_box){(int)(x * factor), (int)(y * factor),
                                      (int)(h->width * factor), (int)(h->height * factor), 1};
}

static bool alike(const struct haar_box *a, const struct haar_box *b)
{
    int width = a->width < b->width ? a->width : b->width,
        height = a->height < b->height ? a->height : b->height;
    double most = NEAR * (width + height) * 0.5;
    return abs(a->x - b->x) <= most && abs(a->y - b->y) <= most &&
           abs(a->x + a->width - b->x - b->width) <= most &&
           abs(a->y + a->height - b->y - b->height) <= most;
}

static size_t root_of(uint32_t *parents, size_t i)
{
    while (parents[i] != i)
        i = parents[i] = parents[parents[i]];
    return i;
}

static int by_place(const void *a, const void *b)
{
    const struct haar_box *p = a, *q = b;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->y > q->y) - (p->y < q->y);
}

/* Windows that nearly coincide become their mean. */
static enum err group(struct found *found, int least, struct arena *arena, struct haar_boxes *out,
                      struct why *why)
{
    uint32_t *parents = arena_array(arena, uint32_t, found->n + 1);
    struct haar_box *sums = arena_array(arena, struct haar_box, found->n + 1);
    if (!parents || !sums)
        return err_set(why, ERR_NO_MEMORY, "could not group %zu windows", found->n);
    for (size_t i = 0; i < found->n; i++) {
        parents[i] = (uint32_t)i;
        for (size_t k = 0; k < i; k++)
            if (alike(&found->items[i], &found->items[k]))
                parents[root_of(parents, i)] = (uint32_t)root_of(parents, k);
    }
    for (size_t i = 0; i < found->n; i++) {
        struct haar_box *s = &sums[root_of(parents, i)];
        s->x += found->items[i].x;
        s->y += found->items[i].y;
        s->width += found->items[i].width;
        s->height += found->items[i].height;
        s->hits++;
    }
    size_t n = 0;
    for (size_t i = 0; i < found->n; i++) {
        struct haar_box s = sums[i];
        if (s.hits >= least && s.hits > 0)
            sums[n++] = (struct haar_box){s.x / s.hits, s.y / s.hits, s.width / s.hits,
                                          s.height / s.hits, s.hits};
    }
    if (n > 1)
        qsort(sums, n, sizeof *sums, by_place);
    *out = (struct haar_boxes){sums, n};
    return ERR_OK;
}

enum err haar_find(const struct haar *h, const struct haar_picture *picture, int least_hits,
                   struct arena *arena, struct haar_boxes *out, struct why *why)
{
    size_t points = (size_t)picture->width * (size_t)picture->height;
    size_t cells = ((size_t)picture->width + 1) * ((size_t)picture->height + 1);
    struct level level = {.gray = (uint8_t *)arena_bytes(arena, points + 1),
                          .sum = arena_array(arena, uint32_t, cells),
                          .square = arena_array(arena, uint64_t, cells)};
    struct found found = {arena_array(arena, struct haar_box, MOST_FOUND), 0};
    size_t diagonal = 2 * ((size_t)picture->width + 2);
    if (h->tilted) {
        level.tilted = arena_array(arena, uint32_t, cells);
        level.left = arena_array(arena, uint32_t, diagonal);
        level.right = arena_array(arena, uint32_t, diagonal);
    }
    if (!level.gray || !level.sum || !level.square || !found.items ||
        (h->tilted && (!level.tilted || !level.left || !level.right)))
        return err_set(why, ERR_NO_MEMORY, "could not look at a picture of %d by %d points",
                       picture->width, picture->height);
    for (double factor = 1;; factor *= GROWTH) {
        level.width = (int)(picture->width / factor + 0.5);
        level.height = (int)(picture->height / factor + 0.5);
        if (level.width < h->width || level.height < h->height)
            break;
        shrink(picture, &level);
        integrate(&level);
        if (h->tilted)
            integrate_tilted(&level);
        look(h, &level, factor, &found);
    }
    return group(&found, least_hits, arena, out, why);
}
