/*
 * rank_train_words: truncated SVD of the weighted term matrix, without ever holding the matrix.
 *
 * The matrix M (passages, terms) is the postings; a product with it is one pass over them. Rows are
 * scaled to length 1. Subspace iteration: Y = M Z, orthonormal; Z = M' Y, orthonormal; and again.
 */
#include "knowledge/rank_train_in.h"

#include "knowledge/tokens.h"

#include "core/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXTRA      16 /* columns beyond those kept: the kept ones converge sooner */
#define ITERATIONS 4
#define K1         1.0f
#define SHARE      0.6f

struct matrix {
    const struct retrieve *view;
    size_t n_rows, n_cols, k; /* passages, terms; columns of the thin matrices */
    const uint64_t *words;
    const float *weights;
    float *slow;     /* n_rows: k1 of BM25 */
    float *scale;    /* n_rows: 1 / length */
    uint32_t *first; /* of each segment */
};

RANK_FAST static void add_times(float *to, const float *from, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += by * from[i];
}

/* out (rows, k) += M z when `transposed` is false, else out (cols, k) += M' y. */
static void multiply(const struct matrix *m, const float *in, float *out, bool transposed)
{
    for (size_t c = 0; c < m->n_cols; c++)
        for (size_t s = 0; s < retrieve_n_segments(m->view); s++) {
            struct index_postings p;
            uint32_t passage, times;
            if (!index_find(retrieve_segment(m->view, s), m->words[c], &p))
                continue;
            while (index_next(&p, &passage, &times)) {
                size_t row = m->first[s] + passage;
                float n = (float)times;
                float value = m->scale[row] * m->weights[c] * n / (n + m->slow[row]);
                if (transposed)
                    add_times(out + c * m->k, in + row * m->k, value, m->k);
                else
                    add_times(out + row * m->k, in + c * m->k, value, m->k);
            }
        }
}

static void set_scales(struct matrix *m)
{
    memset(m->scale, 0, m->n_rows * sizeof *m->scale);
    for (size_t c = 0; c < m->n_cols; c++)
        for (size_t s = 0; s < retrieve_n_segments(m->view); s++) {
            struct index_postings p;
            uint32_t passage, times;
            if (!index_find(retrieve_segment(m->view, s), m->words[c], &p))
                continue;
            while (index_next(&p, &passage, &times)) {
                size_t row = m->first[s] + passage;
                float value = m->weights[c] * (float)times / ((float)times + m->slow[row]);
                m->scale[row] += value * value;
            }
        }
    for (size_t i = 0; i < m->n_rows; i++)
        m->scale[i] = m->scale[i] > 0 ? 1 / sqrtf(m->scale[i]) : 0;
}

/* g (k, k) = x' x for x (n, k). */
static void gram(const float *x, size_t n, size_t k, double *g)
{
    float part[(RANK_DIM_MOST) * (RANK_DIM_MOST)]; /* 64 KiB: sums of 256 rows stay exact enough */
    memset(g, 0, k * k * sizeof *g);
    for (size_t i = 0; i < n; i += 256) {
        memset(part, 0, k * k * sizeof *part);
        for (size_t r = i; r < n && r < i + 256; r++)
            for (size_t a = 0; a < k; a++)
                add_times(part + a * k, x + r * k, x[r * k + a], a + 1);
        for (size_t a = 0; a < k; a++)
            for (size_t b = 0; b <= a; b++)
                g[a * k + b] += (double)part[a * k + b];
    }
    for (size_t a = 0; a < k; a++)
        for (size_t b = 0; b < a; b++)
            g[b * k + a] = g[a * k + b];
}

/* Orthonormal columns of the same span: x R^-1 with x'x = R'R (Cholesky), done twice by the caller
 * for exactness. */
static void orthonormal(float *x, size_t n, size_t k, double *g)
{
    gram(x, n, k, g);
    for (size_t j = 0; j < k; j++) { /* g becomes the lower triangle L */
        for (size_t p = 0; p < j; p++)
            for (size_t i = j; i < k; i++)
                g[i * k + j] -= g[i * k + p] * g[j * k + p];
        double d = g[j * k + j] > 1e-12 ? sqrt(g[j * k + j]) : 1e-6;
        for (size_t i = j; i < k; i++)
            g[i * k + j] /= d;
    }
    for (size_t r = 0; r < n; r++) { /* solve L y = row */
        float *row = x + r * k;
        for (size_t j = 0; j < k; j++) {
            double v = (double)row[j];
            for (size_t p = 0; p < j; p++)
                v -= g[j * k + p] * (double)row[p];
            row[j] = (float)(v / g[j * k + j]);
        }
    }
}

/* Eigenvalues (diagonal of g) and vectors (columns of e) of a symmetric g by Jacobi rotations. */
static void jacobi(double *g, double *e, size_t k)
{
    memset(e, 0, k * k * sizeof *e);
    for (size_t i = 0; i < k; i++)
        e[i * k + i] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (size_t p = 0; p + 1 < k; p++)
            for (size_t q = p + 1; q < k; q++) {
                double off = g[p * k + q];
                if (fabs(off) < 1e-14)
                    continue;
                double theta = (g[q * k + q] - g[p * k + p]) / (2 * off);
                double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1));
                double c = 1 / sqrt(t * t + 1), s = t * c;
                for (size_t i = 0; i < k; i++) {
                    double a = g[i * k + p], b = g[i * k + q];
                    g[i * k + p] = c * a - s * b;
                    g[i * k + q] = s * a + c * b;
                }
                for (size_t i = 0; i < k; i++) {
                    double a = g[p * k + i], b = g[q * k + i];
                    g[p * k + i] = c * a - s * b;
                    g[q * k + i] = s * a + c * b;
                }
                for (size_t i = 0; i < k; i++) {
                    double a = e[i * k + p], b = e[i * k + q];
                    e[i * k + p] = c * a - s * b;
                    e[i * k + q] = s * a + c * b;
                }
            }
}

/* Collects the terms frequent enough to have a vector, over all segments, with their idf. */
static enum err choose_words(const struct retrieve *view, const struct rank_train_opts *opts,
                             struct arena *arena, struct rank_words *out, struct why *why)
{
    size_t most = 0, n = 0;
    for (size_t s = 0; s < retrieve_n_segments(view); s++)
        most += index_n_terms(retrieve_segment(view, s));
    out->words = arena_array(arena, uint64_t, most + 1);
    out->weights = arena_array(arena, float, most + 1);
    if (!out->words || !out->weights)
        return err_set(why, ERR_NO_MEMORY, "could not hold the collection's terms");
    double all = (double)retrieve_n_passages(view);
    for (size_t s = 0; s < retrieve_n_segments(view); s++)
        for (uint32_t i = 0; i < index_n_terms(retrieve_segment(view, s)); i++) {
            uint64_t term = index_term(retrieve_segment(view, s), i);
            struct index_postings p;
            double in = 0;
            bool before = false; /* an earlier segment has it: counted there */
            for (size_t t = 0; t < retrieve_n_segments(view); t++) {
                uint32_t found = index_find(retrieve_segment(view, t), term, &p);
                before = before || (t < s && found);
                in += found;
            }
            if (before || in < opts->least_passages || in > opts->most_share * all ||
                tokens_kind(term) == TOKENS_ARTICLE)
                continue;
            out->words[n] = term;
            out->weights[n++] = (float)log(1 + (all - in + 0.5) / (in + 0.5));
        }
    out->n = n;
    return ERR_OK;
}

struct pair {
    uint64_t word;
    float weight;
};

static int by_word(const void *a, const void *b)
{
    uint64_t x = ((const struct pair *)a)->word, y = ((const struct pair *)b)->word;
    return x < y ? -1 : x > y;
}

static enum err sort_words(struct rank_words *w, struct arena *arena, struct why *why)
{
    struct pair *pairs = arena_array(arena, struct pair, w->n + 1);
    if (!pairs)
        return err_set(why, ERR_NO_MEMORY, "could not hold the collection's terms");
    for (size_t i = 0; i < w->n; i++)
        pairs[i] = (struct pair){w->words[i], w->weights[i]};
    qsort(pairs, w->n, sizeof *pairs, by_word);
    for (size_t i = 0; i < w->n; i++) {
        w->words[i] = pairs[i].word;
        w->weights[i] = pairs[i].weight;
    }
    return ERR_OK;
}

static enum err matrix_init(struct matrix *m, const struct retrieve *view,
                            const struct rank_words *w, size_t k, struct arena *arena,
                            float *mean_tokens, struct why *why)
{
    size_t n_segments = retrieve_n_segments(view), at = 0;
    uint64_t tokens = 0;
    *m = (struct matrix){.view = view,
                         .n_rows = retrieve_n_passages(view),
                         .n_cols = w->n,
                         .k = k,
                         .words = w->words,
                         .weights = w->weights};
    m->slow = arena_array(arena, float, m->n_rows + 1);
    m->scale = arena_array(arena, float, m->n_rows + 1);
    m->first = arena_array(arena, uint32_t, n_segments + 1);
    if (!m->slow || !m->scale || !m->first)
        return err_set(why, ERR_NO_MEMORY, "could not hold the collection's rows");
    for (size_t s = 0; s < n_segments; s++)
        tokens += index_n_tokens(retrieve_segment(view, s));
    *mean_tokens = m->n_rows ? fmaxf(1, (float)tokens / (float)m->n_rows) : 1;
    for (size_t s = 0; s < n_segments; s++) {
        const struct index *index = retrieve_segment(view, s);
        m->first[s] = (uint32_t)at;
        for (uint32_t i = 0; i < index_n_passages(index); i++, at++) {
            struct index_facts facts;
            index_facts(index, i, &facts);
            m->slow[at] = K1 * (1 - SHARE + SHARE * (float)facts.n_tokens / *mean_tokens);
        }
    }
    set_scales(m);
    return ERR_OK;
}

static void iterate(const struct matrix *m, float *y, float *z, double *g)
{
    size_t rows = m->n_rows * m->k, cols = m->n_cols * m->k;
    for (int i = 0; i < ITERATIONS; i++) {
        memset(y, 0, rows * sizeof *y);
        multiply(m, z, y, false);
        orthonormal(y, m->n_rows, m->k, g);
        orthonormal(y, m->n_rows, m->k, g);
        memset(z, 0, cols * sizeof *z);
        multiply(m, y, z, true);
        if (i + 1 < ITERATIONS)
            orthonormal(z, m->n_cols, m->k, g);
    }
}

struct axis {
    double value;
    size_t at;
};

static int strongest(const void *a, const void *b)
{
    double x = ((const struct axis *)a)->value, y = ((const struct axis *)b)->value;
    return x > y ? -1 : x < y;
}

/* z = M' y with orthonormal y: the right singular vectors are z E / s, with z'z = E s^2 E'. Kept
 * are V / sqrt(s), so that sums of them weigh an axis by the square root of its strength. */
static void rotate(const float *z, size_t n, size_t k, size_t dim, double *g, double *e,
                   float *vectors)
{
    struct axis axes[RANK_DIM_MOST + EXTRA] = {0};
    gram(z, n, k, g);
    jacobi(g, e, k);
    for (size_t i = 0; i < k; i++)
        axes[i] = (struct axis){g[i * k + i], i};
    qsort(axes, k, sizeof *axes, strongest);
    for (size_t t = 0; t < n; t++)
        for (size_t d = 0; d < dim; d++) {
            double sum = 0, s = sqrt(fmax(axes[d].value, 1e-12));
            for (size_t i = 0; i < k; i++)
                sum += (double)z[t * k + i] * e[i * k + axes[d].at];
            vectors[t * dim + d] = (float)(sum / (s * sqrt(s)));
        }
}

enum err rank_learn_words(const struct retrieve *view, const struct rank_train_opts *opts,
                          struct arena *arena, struct rank_words *out, struct why *why)
{
    struct rank_words w;
    struct matrix m;
    size_t k = opts->dim + EXTRA;
    enum err err = choose_words(view, opts, arena, &w, why);
    if (!err)
        err = sort_words(&w, arena, why);
    if (!err)
        err = matrix_init(&m, view, &w, k, arena, &w.mean_tokens, why);
    if (err)
        return err;
    float *y = arena_array(arena, float, m.n_rows *k + 1);
    float *z = arena_array(arena, float, m.n_cols *k + 1);
    double *g = arena_array(arena, double, k *k), *e = arena_array(arena, double, k *k);
    w.vectors = arena_array(arena, float, w.n * opts->dim + 1);
    if (!y || !z || !g || !e || !w.vectors)
        return err_set(why, ERR_NO_MEMORY, "could not hold the vectors of %zu terms", w.n);
    uint64_t state = opts->seed * 2 + 1;
    for (size_t i = 0; i < m.n_cols * k; i++)
        z[i] = (float)(rank_uniform(&state) - 0.5);
    iterate(&m, y, z, g);
    rotate(z, w.n, k, opts->dim, g, e, w.vectors);
    *out = w;
    return ERR_OK;
}
