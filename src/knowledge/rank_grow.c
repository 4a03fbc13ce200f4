/*
 * rank_grow: LambdaMART (Burges 2010), histograms over 64 bins a figure, trees grown leaf by leaf.
 *
 * The gradient of a pair (one that answers, one that does not) is the logistic loss of their
 * scores, times what their places would change in NDCG; pairs that are both far down are left out.
 */
#include "knowledge/rank_train_in.h"

#include "core/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS        64
#define LEAVES_MOST 32
#define NODES_MOST  (2 * LEAVES_MOST)
#define RIDGE       0.5 /* added to a leaf's second derivative */
#define LEAF_LEAST  30  /* rows */
#define FEATURES_IN 0.5 /* share of the figures a tree may use */
#define QUERIES_IN  0.8 /* share of the questions a tree sees */
#define TOP         30  /* places that matter */
#define SAMPLES     40000

#define F           RANK_N_FEATURES

struct rank_train_opts rank_train_defaults(void)
{
    return (struct rank_train_opts){.dim = 96,
                                    .least_passages = 50,
                                    .most_share = 0.3,
                                    .folds = 5,
                                    .epochs = 5,
                                    .trees = 250,
                                    .leaves = 16,
                                    .tree_step = 0.06,
                                    .asked_weight = 1,
                                    .seed = 1};
}

struct grower {
    const float *rows;
    const uint8_t *right;
    const uint32_t *first;
    size_t n_queries, n;
    float edges[F][BINS]; /* a row is in bin b when b edges are not above it */
    int n_edges[F];
    uint8_t *bins;                /* (F, n): a figure's bins stand together */
    float *score, *slope, *curve; /* n: sum of trees, first and second derivative */
    uint32_t *rows_in, *spill, *order;
    bool usable[F];
    uint64_t state;
};

struct part {
    uint32_t begin, end; /* of rows_in */
    double slope, curve;
    double gain; /* of its best split; 0: none */
    int feature, bin;
};

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static bool make_bins(struct grower *g, struct arena *arena)
{
    size_t step = g->n / SAMPLES + 1, most = g->n / step + 1;
    float *sample = arena_array(arena, float, most);
    g->bins = arena_array(arena, uint8_t, g->n * F + 1);
    if (!sample || !g->bins)
        return false;
    for (size_t f = 0; f < F; f++) {
        size_t m = 0;
        for (size_t i = 0; i < g->n; i += step)
            sample[m++] = g->rows[i * F + f];
        qsort(sample, m, sizeof *sample, by_value);
        int k = 0;
        for (size_t b = 1; b < BINS; b++) {
            float edge = sample[m * b / BINS];
            if (edge > (k ? g->edges[f][k - 1] : sample[0]))
                g->edges[f][k++] = edge;
        }
        g->n_edges[f] = k;
        for (size_t i = 0; i < g->n; i++) {
            int low = 0, high = k;
            while (low < high) {
                int middle = (low + high) / 2;
                if (g->rows[i * F + f] >= g->edges[f][middle])
                    low = middle + 1;
                else
                    high = middle;
            }
            g->bins[f * g->n + i] = (uint8_t)low;
        }
    }
    return true;
}

struct ranked {
    float score;
    uint32_t row;
};

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

static double discount(size_t place)
{
    return 1 / log2((double)place + 2);
}

static void pair_slopes(struct grower *g, const struct ranked *ranked, size_t m, size_t i,
                        double ideal)
{
    uint32_t good = ranked[i].row;
    for (size_t j = 0; j < m; j++) {
        uint32_t bad = ranked[j].row;
        if (g->right[bad] || (i >= TOP && j >= TOP))
            continue;
        double change = fabs(discount(i) - discount(j)) / ideal;
        double p = 1 / (1 + exp((double)g->score[good] - (double)g->score[bad]));
        float slope = (float)(change * p), curve = (float)(change * p * (1 - p));
        g->slope[good] += slope;
        g->slope[bad] -= slope;
        g->curve[good] += curve;
        g->curve[bad] += curve;
    }
}

static bool query_slopes(struct grower *g, size_t q, struct ranked *ranked)
{
    uint32_t begin = g->first[q], end = g->first[q + 1];
    size_t n_right = 0, m = end - begin;
    double ideal = 0;
    for (uint32_t i = begin; i < end; i++) {
        ranked[i - begin] = (struct ranked){g->score[i], i};
        n_right += g->right[i];
    }
    if (!n_right || n_right == m)
        return false;
    qsort(ranked, m, sizeof *ranked, by_score);
    for (size_t i = 0; i < n_right; i++)
        ideal += discount(i);
    for (size_t i = 0; i < m; i++)
        if (g->right[ranked[i].row])
            pair_slopes(g, ranked, m, i, ideal);
    return true;
}

struct histogram {
    double slope[BINS], curve[BINS];
    uint32_t n[BINS];
};

static void split_at(const struct grower *g, int f, const struct histogram *h, struct part *p)
{
    double slope = 0, curve = 0, whole = p->slope * p->slope / (p->curve + RIDGE);
    uint32_t n = 0, all = p->end - p->begin;
    for (int b = 0; b < g->n_edges[f]; b++) {
        slope += h->slope[b];
        curve += h->curve[b];
        n += h->n[b];
        if (n < LEAF_LEAST || all - n < LEAF_LEAST)
            continue;
        double other = p->slope - slope;
        double gain =
            slope * slope / (curve + RIDGE) + other * other / (p->curve - curve + RIDGE) - whole;
        if (gain > p->gain) {
            p->gain = gain;
            p->feature = f;
            p->bin = b;
        }
    }
}

static void find_split(const struct grower *g, struct part *p)
{
    p->slope = p->curve = p->gain = 0;
    for (uint32_t i = p->begin; i < p->end; i++) {
        p->slope += (double)g->slope[g->rows_in[i]];
        p->curve += (double)g->curve[g->rows_in[i]];
    }
    for (int f = 0; f < (int)F; f++) {
        if (!g->usable[f])
            continue;
        struct histogram h = {0};
        const uint8_t *bins = g->bins + (size_t)f * g->n;
        for (uint32_t i = p->begin; i < p->end; i++) {
            uint32_t row = g->rows_in[i];
            h.slope[bins[row]] += (double)g->slope[row];
            h.curve[bins[row]] += (double)g->curve[row];
            h.n[bins[row]]++;
        }
        split_at(g, f, &h, p);
    }
}

/* Rows that go left stay in front; returns where the right ones begin. */
static uint32_t divide(struct grower *g, const struct part *p)
{
    const uint8_t *bins = g->bins + (size_t)p->feature * g->n;
    uint32_t left = p->begin, n_spill = 0;
    for (uint32_t i = p->begin; i < p->end; i++) {
        uint32_t row = g->rows_in[i];
        if (bins[row] <= p->bin)
            g->rows_in[left++] = row;
        else
            g->spill[n_spill++] = row;
    }
    memcpy(g->rows_in + left, g->spill, n_spill * sizeof *g->spill);
    return left;
}

/* Grows one tree over the rows in rows_in; nodes and parts run in step. Returns how many nodes. */
static uint32_t grow(struct grower *g, uint32_t n_in, const struct rank_train_opts *opts,
                     struct rank_tree_node *nodes, uint8_t split_bins[NODES_MOST])
{
    struct part parts[NODES_MOST];
    uint32_t n = 1;
    for (size_t f = 0; f < F; f++)
        g->usable[f] = rank_uniform(&g->state) < FEATURES_IN;
    parts[0] = (struct part){.begin = 0, .end = n_in};
    nodes[0] = (struct rank_tree_node){.feature = -1};
    find_split(g, &parts[0]);
    for (size_t leaves = 1; leaves < opts->leaves; leaves++) {
        uint32_t best = n;
        for (uint32_t i = 0; i < n; i++)
            if (nodes[i].feature < 0 && parts[i].gain > (best < n ? parts[best].gain : 1e-9))
                best = i;
        if (best == n)
            break;
        struct part *p = &parts[best];
        uint32_t middle = divide(g, p);
        nodes[best] = (struct rank_tree_node){.feature = (int16_t)p->feature,
                                              .left = (uint16_t)n,
                                              .right = (uint16_t)(n + 1),
                                              .value = g->edges[p->feature][p->bin]};
        split_bins[best] = (uint8_t)p->bin;
        parts[n] = (struct part){.begin = p->begin, .end = middle};
        parts[n + 1] = (struct part){.begin = middle, .end = p->end};
        nodes[n] = nodes[n + 1] = (struct rank_tree_node){.feature = -1};
        find_split(g, &parts[n]);
        find_split(g, &parts[n + 1]);
        n += 2;
    }
    for (uint32_t i = 0; i < n; i++)
        if (nodes[i].feature < 0)
            nodes[i].value = (float)(opts->tree_step * parts[i].slope / (parts[i].curve + RIDGE));
    return n;
}

static void add_tree(struct grower *g, const struct rank_tree_node *nodes,
                     const uint8_t split_bins[NODES_MOST])
{
    for (size_t i = 0; i < g->n; i++) {
        uint32_t k = 0;
        while (nodes[k].feature >= 0)
            k = g->bins[(size_t)nodes[k].feature * g->n + i] <= split_bins[k] ? nodes[k].left
                                                                              : nodes[k].right;
        g->score[i] += nodes[k].value;
    }
}

/* Slopes of all questions; the rows of the sampled ones that can teach something. */
static uint32_t set_slopes(struct grower *g, struct ranked *ranked)
{
    uint32_t n_in = 0;
    memset(g->slope, 0, g->n * sizeof *g->slope);
    memset(g->curve, 0, g->n * sizeof *g->curve);
    for (size_t q = 0; q < g->n_queries; q++) {
        bool in = rank_uniform(&g->state) < QUERIES_IN;
        if (!in || !query_slopes(g, q, ranked))
            continue;
        for (uint32_t i = g->first[q]; i < g->first[q + 1]; i++)
            g->rows_in[n_in++] = i;
    }
    return n_in;
}

enum err rank_grow_trees(const float *rows, const uint8_t *right, const uint32_t *first,
                         size_t n_queries, const struct rank_train_opts *opts, struct arena *arena,
                         struct rank_grown *out, struct why *why)
{
    struct grower *g = arena_one(arena, struct grower);
    size_t n = first[n_queries], longest = 0;
    if (opts->leaves < 2 || opts->leaves > LEAVES_MOST || opts->trees > RANK_TREES_MOST)
        return err_set(why, ERR_INVALID, "%zu trees of %zu leaves are out of range", opts->trees,
                       opts->leaves);
    for (size_t q = 0; q < n_queries; q++)
        longest = first[q + 1] - first[q] > longest ? first[q + 1] - first[q] : longest;
    struct ranked *ranked = arena_array(arena, struct ranked, longest + 1);
    struct rank_grown grown = {
        arena_array(arena, struct rank_tree_node, opts->trees * (2 * opts->leaves) + 1),
        arena_array(arena, uint32_t, opts->trees + 1), 0, 0};
    if (!g || !ranked || !grown.nodes || !grown.roots)
        return err_set(why, ERR_NO_MEMORY, "could not hold the trees");
    *g = (struct grower){.rows = rows,
                         .right = right,
                         .first = first,
                         .n_queries = n_queries,
                         .n = n,
                         .state = opts->seed * 2 + 1};
    g->score = arena_array(arena, float, n + 1);
    g->slope = arena_array(arena, float, n + 1);
    g->curve = arena_array(arena, float, n + 1);
    g->rows_in = arena_array(arena, uint32_t, n + 1);
    g->spill = arena_array(arena, uint32_t, n + 1);
    if (!g->score || !g->slope || !g->curve || !g->rows_in || !g->spill || !n ||
        !make_bins(g, arena))
        return n ? err_set(why, ERR_NO_MEMORY, "could not hold %zu candidates", n)
                 : err_set(why, ERR_INVALID, "there are no candidates to learn from");
    for (size_t t = 0; t < opts->trees; t++) {
        uint8_t split_bins[NODES_MOST] = {0};
        uint32_t n_in = set_slopes(g, ranked);
        uint32_t n_nodes = grow(g, n_in, opts, grown.nodes + grown.n_nodes, split_bins);
        add_tree(g, grown.nodes + grown.n_nodes, split_bins);
        grown.roots[grown.n_trees++] = grown.n_nodes;
        grown.n_nodes += n_nodes;
    }
    *out = grown;
    return ERR_OK;
}
