/*
 * rank_train_asked: what words are worth in questions.
 *
 * For a question with terms x (length 1), u = (x A) W is compared with the vectors D of all
 * passages; the score of passage p is BM25_SHARPNESS * share(p) + SHARPNESS * u D_p + STANDING *
 * log standing(p), and the loss is -log softmax of the right ones. A begins as the latent vectors,
 * W as the identity; gradients go to both (Adagrad a term, Adam for W). BM25 in the sum means that
 * only what it misses is learned.
 */
#include "knowledge/rank_train_in.h"

#include "knowledge/rank_features.h"

#include "core/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BM25_SHARPNESS 12.0f
#define SHARPNESS      10.0f
#define STANDING       2.0f
#define BATCH          128
#define TERM_STEP      0.03f
#define MATRIX_STEP    0.0009f
#define PULL           0.001f /* of a term's vector back to where it began, a step */
#define NEGLIGIBLE     1e-5f  /* probabilities below are left out of the gradient */

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the questions' training");
}

enum err rank_sparse_init(struct str text, const struct rank_words *words, struct arena *arena,
                          struct rank_sparse *out, struct why *why)
{
    struct rank_question q;
    enum err err = rank_question_init(&q, text, arena, why);
    if (err)
        return err;
    struct rank_sparse s = {.at = arena_array(arena, uint32_t, q.n + 1),
                            .weight = arena_array(arena, float, q.n + 1)};
    if (!s.at || !s.weight)
        return no_memory(why);
    double total = 0;
    for (size_t i = 0, w = 0; i < q.n; i++) { /* both ascend */
        while (w < words->n && words->words[w] < q.terms[i])
            w++;
        if (w == words->n || words->words[w] != q.terms[i] || !q.times[i])
            continue;
        float weight = words->weights[w] * (float)q.times[i];
        s.at[s.n] = (uint32_t)w;
        s.weight[s.n++] = weight;
        total += (double)weight * (double)weight;
    }
    for (size_t i = 0; i < s.n; i++)
        s.weight[i] /= (float)sqrt(total);
    *out = s;
    return ERR_OK;
}

struct learner {
    const struct retrieve *view;
    const struct rank_sparse *sparse;
    const struct rank_train_question *questions;
    size_t dim, n_words, n_rows;
    const float *start; /* (n_words, dim): the latent vectors, scaled */
    float *terms;       /* (n_words, dim): A */
    float *term_sums;   /* n_words: of squared gradients */
    float *matrix, *matrix_mean, *matrix_square;
    float *term_gradient, *matrix_gradient;
    uint8_t *touched;         /* n_words: has a gradient in this batch */
    float *shares, *standing; /* n_rows */
    float step;
    int n_steps;
};

RANK_FAST static float product(const int8_t *row, const float *u, size_t dim)
{
    float sum = 0;
    for (size_t k = 0; k < dim; k++)
        sum += (float)row[k] * u[k];
    return sum;
}

RANK_FAST static void add_row(float *to, const int8_t *row, float by, size_t dim)
{
    for (size_t k = 0; k < dim; k++)
        to[k] += by * (float)row[k];
}

/* hidden = x A; u = hidden W */
static void forward(const struct learner *l, const struct rank_sparse *x, float *hidden, float *u)
{
    memset(hidden, 0, l->dim * sizeof *hidden);
    memset(u, 0, l->dim * sizeof *u);
    for (size_t i = 0; i < x->n; i++)
        for (size_t k = 0; k < l->dim; k++)
            hidden[k] += x->weight[i] * l->terms[x->at[i] * l->dim + k];
    for (size_t i = 0; i < l->dim; i++)
        for (size_t k = 0; k < l->dim; k++)
            u[k] += hidden[i] * l->matrix[i * l->dim + k];
}

/* Turns shares into the softmax of the scores. */
RANK_FAST static void softmax(struct learner *l, const float *u)
{
    float most = -1e30f;
    double total = 0;
    for (size_t s = 0, g = 0; s < retrieve_n_segments(l->view); s++) {
        const float *scales;
        const int8_t *rows = retrieve_vectors(l->view, s, &scales);
        uint32_t n = index_n_passages(retrieve_segment(l->view, s));
        for (uint32_t i = 0; i < n; i++, g++) {
            float meaning = product(rows + i * l->dim, u, l->dim) * scales[i];
            l->shares[g] =
                BM25_SHARPNESS * l->shares[g] + SHARPNESS * meaning + STANDING * l->standing[g];
            most = l->shares[g] > most ? l->shares[g] : most;
        }
    }
    for (size_t g = 0; g < l->n_rows; g++) {
        l->shares[g] = expf(l->shares[g] - most);
        total += (double)l->shares[g];
    }
    for (size_t g = 0; g < l->n_rows; g++)
        l->shares[g] = (float)((double)l->shares[g] / total);
}

/* du = SHARPNESS * sum of (probability - wanted) D_p */
static void row_gradient(struct learner *l, const struct rank_train_question *q, float *du)
{
    memset(du, 0, l->dim * sizeof *du);
    for (size_t i = 0; i < q->n_gold; i++)
        l->shares[q->gold[i]] -= 1 / (float)q->n_gold;
    for (size_t s = 0, g = 0; s < retrieve_n_segments(l->view); s++) {
        const float *scales;
        const int8_t *rows = retrieve_vectors(l->view, s, &scales);
        uint32_t n = index_n_passages(retrieve_segment(l->view, s));
        for (uint32_t i = 0; i < n; i++, g++)
            if (fabsf(l->shares[g]) > NEGLIGIBLE)
                add_row(du, rows + i * l->dim, SHARPNESS * l->shares[g] * scales[i], l->dim);
    }
}

static enum err learn_from(struct learner *l, size_t question, size_t batch, struct arena *arena,
                           struct why *why)
{
    const struct rank_sparse *x = &l->sparse[question];
    const struct rank_train_question *q = &l->questions[question];
    float hidden[RANK_DIM_MOST], u[RANK_DIM_MOST], du[RANK_DIM_MOST], dh[RANK_DIM_MOST];
    arena_reset(arena);
    enum err err = retrieve_shares(l->view, q->text, arena, l->shares, l->standing, why);
    if (err)
        return err;
    forward(l, x, hidden, u);
    softmax(l, u);
    row_gradient(l, q, du);
    for (size_t i = 0; i < l->dim; i++) {
        dh[i] = 0;
        for (size_t k = 0; k < l->dim; k++) {
            dh[i] += du[k] * l->matrix[i * l->dim + k];
            l->matrix_gradient[i * l->dim + k] += hidden[i] * du[k] / (float)batch;
        }
    }
    for (size_t i = 0; i < x->n; i++) {
        l->touched[x->at[i]] = 1;
        for (size_t k = 0; k < l->dim; k++)
            l->term_gradient[x->at[i] * l->dim + k] += x->weight[i] * dh[k] / (float)batch;
    }
    return ERR_OK;
}

static void step_matrix(struct learner *l)
{
    float mean_part = 1 - powf(0.9f, (float)l->n_steps);
    float square_part = 1 - powf(0.99f, (float)l->n_steps);
    for (size_t i = 0; i < l->dim * l->dim; i++) {
        float g = l->matrix_gradient[i];
        l->matrix_mean[i] = 0.9f * l->matrix_mean[i] + 0.1f * g;
        l->matrix_square[i] = 0.99f * l->matrix_square[i] + 0.01f * g * g;
        l->matrix[i] -= l->step * MATRIX_STEP * (l->matrix_mean[i] / mean_part) /
                        (sqrtf(l->matrix_square[i] / square_part) + 1e-8f);
        l->matrix_gradient[i] = 0;
    }
}

static void step_terms(struct learner *l)
{
    for (size_t t = 0; t < l->n_words; t++) {
        if (!l->touched[t])
            continue;
        float *g = l->term_gradient + t * l->dim, *a = l->terms + t * l->dim, sum = 0;
        for (size_t k = 0; k < l->dim; k++)
            sum += g[k] * g[k];
        l->term_sums[t] += sum / (float)l->dim;
        float by = l->step * TERM_STEP / (sqrtf(l->term_sums[t]) + 1e-6f);
        for (size_t k = 0; k < l->dim; k++) {
            a[k] -= by * g[k];
            a[k] -= PULL * (a[k] - l->start[t * l->dim + k]);
            g[k] = 0;
        }
        l->touched[t] = 0;
    }
}

static enum err learner_init(struct learner *l, const struct rank_words *words, float scale,
                             struct arena *arena, struct why *why)
{
    size_t all = l->n_words * l->dim, square = l->dim * l->dim;
    float *start = arena_array(arena, float, all + 1);
    l->terms = arena_array(arena, float, all + 1);
    l->term_gradient = arena_array(arena, float, all + 1);
    l->term_sums = arena_array(arena, float, l->n_words + 1);
    l->touched = arena_array(arena, uint8_t, l->n_words + 1);
    l->matrix = arena_array(arena, float, square);
    l->matrix_mean = arena_array(arena, float, square);
    l->matrix_square = arena_array(arena, float, square);
    l->matrix_gradient = arena_array(arena, float, square);
    l->shares = arena_array(arena, float, l->n_rows + 1);
    l->standing = arena_array(arena, float, l->n_rows + 1);
    if (!start || !l->terms || !l->term_gradient || !l->term_sums || !l->touched || !l->matrix ||
        !l->matrix_mean || !l->matrix_square || !l->matrix_gradient || !l->shares || !l->standing)
        return no_memory(why);
    for (size_t i = 0; i < all; i++)
        start[i] = l->terms[i] = words->vectors[i] * scale;
    for (size_t i = 0; i < l->dim; i++)
        l->matrix[i * l->dim + i] = 1;
    l->start = start;
    return ERR_OK;
}

/* The terms that moved, and by how much. */
static enum err take_result(const struct learner *l, struct arena *arena, struct rank_asked *out,
                            struct why *why)
{
    size_t n = 0, dim = l->dim;
    for (size_t t = 0; t < l->n_words; t++)
        n += l->term_sums[t] > 0;
    *out = (struct rank_asked){.asked = arena_array(arena, uint32_t, n + 1),
                               .corrections = arena_array(arena, float, n *dim + 1),
                               .matrix = l->matrix};
    if (!out->asked || !out->corrections)
        return no_memory(why);
    for (size_t t = 0; t < l->n_words; t++) {
        if (l->term_sums[t] <= 0)
            continue;
        out->asked[out->n] = (uint32_t)t;
        for (size_t k = 0; k < dim; k++)
            out->corrections[out->n * dim + k] = l->terms[t * dim + k] - l->start[t * dim + k];
        out->n++;
    }
    return ERR_OK;
}

enum err rank_learn_asked(const struct retrieve *view, const struct rank_words *words,
                          const struct rank_sparse *sparse,
                          const struct rank_train_question *questions, const bool *use, size_t n,
                          float scale, const struct rank_train_opts *opts, struct arena *arena,
                          struct rank_asked *out, struct why *why)
{
    struct learner l = {.view = view,
                        .sparse = sparse,
                        .questions = questions,
                        .dim = opts->dim,
                        .n_words = words->n,
                        .n_rows = retrieve_n_passages(view),
                        .step = (float)opts->asked_weight};
    enum err err = learner_init(&l, words, scale, arena, why);
    uint32_t *order = arena_array(arena, uint32_t, n + 1);
    struct arena *work = arena_new((size_t)256 << 20);
    if (!err && (!order || !work))
        err = no_memory(why);
    size_t n_used = 0;
    uint64_t state = opts->seed * 2 + 1;
    for (size_t i = 0; !err && i < n; i++)
        if (use[i] && questions[i].n_gold && sparse[i].n)
            order[n_used++] = (uint32_t)i;
    for (size_t e = 0; !err && e < opts->epochs; e++) {
        for (size_t i = n_used; i > 1; i--) {
            size_t j = (size_t)(rank_uniform(&state) * (double)i);
            uint32_t swap = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swap;
        }
        for (size_t b = 0; !err && b < n_used; b += BATCH) {
            size_t end = b + BATCH < n_used ? b + BATCH : n_used;
            for (size_t i = b; !err && i < end; i++)
                err = learn_from(&l, order[i], end - b, work, why);
            l.n_steps++;
            step_matrix(&l);
            step_terms(&l);
        }
    }
    arena_free(work);
    return err ? err : take_result(&l, arena, out, why);
}
