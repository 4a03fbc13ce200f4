/* rank_train: the four steps in order, with the folds that keep the last one honest. */
#include "knowledge/rank_train_in.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/pool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct training {
    const struct catalog *const *catalogs;
    size_t n_catalogs;
    const struct ops_identity *who;
    const struct rank_train_question *questions;
    size_t n;
    const struct rank_train_opts *opts;
    struct arena *arena;

    struct rank_words words;
    float scale;                /* makes latent question vectors about 1 long */
    struct rank_model *latent;  /* only words */
    struct retrieve *view;      /* with the latent model */
    struct rank_sparse *sparse; /* n */
    size_t *fold;               /* n */
    struct rank_asked *asked;   /* folds + 1: without each fold, and on all */
    struct rank_told *told;     /* folds + 1: the same */
    struct arena **arenas;      /* folds + 1 */
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the training");
}

static void say(const struct training *t, const char *words)
{
    if (t->opts->progress)
        t->opts->progress(words);
}

static struct rank_parts parts_of(const struct training *t)
{
    return (struct rank_parts){.dim = (uint32_t)t->opts->dim,
                               .n_words = (uint32_t)t->words.n,
                               .mean_tokens = t->words.mean_tokens,
                               .question_scale = t->scale,
                               .words = t->words.words,
                               .weights = t->words.weights,
                               .vectors = t->words.vectors};
}

/* ---- step 1 ---- */

static enum err set_scale(struct training *t, struct why *why)
{
    double sum = 0;
    size_t n = 0, dim = t->opts->dim;
    for (size_t i = 0; i < t->n; i++) {
        enum err err =
            rank_sparse_init(t->questions[i].text, &t->words, t->arena, &t->sparse[i], why);
        if (err)
            return err;
        float v[RANK_DIM_MOST] = {0}, square = 0;
        for (size_t j = 0; j < t->sparse[i].n; j++)
            for (size_t k = 0; k < dim; k++)
                v[k] += t->sparse[i].weight[j] * t->words.vectors[t->sparse[i].at[j] * dim + k];
        for (size_t k = 0; k < dim; k++)
            square += v[k] * v[k];
        sum += sqrt((double)square);
        n += t->sparse[i].n > 0;
    }
    t->scale = n && sum > 0 ? (float)((double)n / sum) : 1;
    return ERR_OK;
}

static enum err learn_words(struct training *t, struct why *why)
{
    struct retrieve *plain = NULL;
    struct arena *work = arena_new((size_t)1 << 30);
    enum err err = work ? ERR_OK : no_memory(why);
    if (!err)
        err = retrieve_new(t->catalogs, t->n_catalogs, NULL, &plain, why);
    if (!err)
        err = rank_learn_words(plain, t->opts, t->arena, &t->words, why);
    retrieve_free(plain);
    if (!err)
        err = set_scale(t, why);
    struct str bytes = STR_NONE;
    struct rank_parts parts = parts_of(t);
    if (!err)
        err = rank_model_write(&parts, work, &bytes, why);
    if (!err)
        err = rank_model_parse(bytes, &t->latent, why);
    if (!err)
        err = retrieve_new(t->catalogs, t->n_catalogs, t->latent, &t->view, why);
    arena_free(work);
    return err;
}

/* ---- steps 2 and 3, once without each fold and once on all ---- */

static void asked_vector(const struct training *t, const struct rank_asked *a,
                         const struct rank_sparse *x, float *out)
{
    size_t dim = t->opts->dim;
    float hidden[RANK_DIM_MOST] = {0};
    memset(out, 0, dim * sizeof *out);
    for (size_t i = 0; i < x->n; i++) {
        const float *v = t->words.vectors + x->at[i] * dim;
        size_t low = 0, high = a->n;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (a->asked[middle] < x->at[i])
                low = middle + 1;
            else
                high = middle;
        }
        const float *c =
            low < a->n && a->asked[low] == x->at[i] ? a->corrections + low * dim : NULL;
        for (size_t k = 0; k < dim; k++)
            hidden[k] += x->weight[i] * (v[k] * t->scale + (c ? c[k] : 0));
    }
    for (size_t i = 0; i < dim; i++)
        for (size_t k = 0; k < dim; k++)
            out[k] += hidden[i] * a->matrix[i * dim + k];
}

static enum err learn_told(struct training *t, size_t fold, const bool *use, struct why *why)
{
    size_t dim = t->opts->dim;
    float *vectors = arena_array(t->arenas[fold], float, t->n *dim + 1);
    if (!vectors)
        return no_memory(why);
    for (size_t i = 0; i < t->n; i++)
        asked_vector(t, &t->asked[fold], &t->sparse[i], vectors + i * dim);
    const struct rank_told_from from = {.view = t->view,
                                        .catalogs = t->catalogs,
                                        .n_catalogs = t->n_catalogs,
                                        .dim = dim,
                                        .words = t->latent,
                                        .most_share = t->opts->most_share,
                                        .questions = t->questions,
                                        .vectors = vectors};
    return rank_learn_told(&from, use, t->n, t->arenas[fold], &t->told[fold], why);
}

static enum err learn_fold(void *ctx, size_t fold, struct why *why)
{
    struct training *t = ctx;
    bool *use = arena_array(t->arenas[fold], bool, t->n + 1);
    if (!use)
        return no_memory(why);
    for (size_t i = 0; i < t->n; i++)
        use[i] = t->fold[i] != fold;
    enum err err = rank_learn_asked(t->view, &t->words, t->sparse, t->questions, use, t->n,
                                    t->scale, t->opts, t->arenas[fold], &t->asked[fold], why);
    return err ? err : learn_told(t, fold, use, why);
}

static enum err learn_asked(struct training *t, struct why *why)
{
    for (size_t f = 0; f <= t->opts->folds; f++) {
        t->arenas[f] = arena_new((size_t)512 << 20);
        if (!t->arenas[f])
            return no_memory(why);
    }
    return pool_each(0, t->opts->folds + 1, learn_fold, t, why);
}

/* ---- step 4 ---- */

struct rows {
    float *x;        /* (n, RANK_N_FEATURES) */
    uint8_t *right;  /* n */
    uint32_t *first; /* questions + 1 */
};

static bool is_gold(const struct training *t, const struct rank_train_question *q,
                    const struct retrieve_candidate *c)
{
    uint32_t at = c->passage;
    for (size_t s = 0; s < c->segment; s++)
        at += index_n_passages(retrieve_segment(t->view, s));
    for (size_t i = 0; i < q->n_gold; i++)
        if (q->gold[i] == at)
            return true;
    return false;
}

static enum err add_rows(struct training *t, size_t i, struct rows *rows, struct arena *work,
                         struct why *why)
{
    const struct rank_train_question *q = &t->questions[i];
    struct knowledge_query query = {.text = q->text, .as_of = DAY_NONE, .limit = 1};
    struct retrieve_candidate *c;
    float asked[RANK_DIM_MOST];
    size_t n;
    arena_reset(work);
    asked_vector(t, &t->asked[t->fold[i]], &t->sparse[i], asked);
    const struct retrieve_learned learned = {asked, &t->told[t->fold[i]]};
    enum err err = retrieve_candidates(t->view, &query, t->who, &learned, work, &c, &n, why);
    uint32_t at = rows->first[i];
    for (size_t k = 0; !err && k < n; k++) {
        if (!c[k].law)
            continue;
        memcpy(rows->x + (size_t)at * RANK_N_FEATURES, c[k].features, sizeof c[k].features);
        rows->right[at++] = is_gold(t, q, &c[k]);
    }
    rows->first[i + 1] = at;
    return err;
}

static enum err make_rows(struct training *t, struct rows *rows, struct why *why)
{
    size_t most = t->n * RETRIEVE_CANDIDATES;
    struct arena *work = arena_new((size_t)256 << 20);
    *rows = (struct rows){arena_array(t->arena, float, most *RANK_N_FEATURES + 1),
                          arena_array(t->arena, uint8_t, most + 1),
                          arena_array(t->arena, uint32_t, t->n + 1)};
    enum err err = rows->x && rows->right && rows->first && work ? ERR_OK : no_memory(why);
    for (size_t i = 0; !err && i < t->n; i++)
        err = add_rows(t, i, rows, work, why);
    arena_free(work);
    return err;
}

/* ---- all ---- */

static enum err prepare(struct training *t, struct why *why)
{
    const struct rank_train_opts *o = t->opts;
    if (!t->n || !o->dim || o->dim > RANK_DIM_MOST - 16 || o->folds < 2 || o->folds > 20)
        return err_set(why, ERR_INVALID, "%zu questions, %zu dimensions, %zu folds: out of range",
                       t->n, o->dim, o->folds);
    t->sparse = arena_array(t->arena, struct rank_sparse, t->n);
    t->fold = arena_array(t->arena, size_t, t->n);
    t->asked = arena_array(t->arena, struct rank_asked, o->folds + 1);
    t->told = arena_array(t->arena, struct rank_told, o->folds + 1);
    t->arenas = arena_array(t->arena, struct arena *, o->folds + 1);
    if (!t->sparse || !t->fold || !t->asked || !t->told || !t->arenas)
        return no_memory(why);
    for (size_t i = 0; i < t->n; i++)
        t->fold[i] = hash64(t->questions[i].text.ptr, t->questions[i].text.len, o->seed) % o->folds;
    return ERR_OK;
}

static enum err write_model(struct training *t, const struct rank_grown *trees, struct str note,
                            struct arena *arena, struct str *out, struct why *why)
{
    const struct rank_asked *all = &t->asked[t->opts->folds];
    struct rank_parts parts = parts_of(t);
    parts.note = note;
    parts.n_asked = (uint32_t)all->n;
    parts.asked = all->asked;
    parts.corrections = all->corrections;
    parts.matrix = all->matrix;
    parts.n_trees = trees->n_trees;
    parts.n_nodes = trees->n_nodes;
    parts.roots = trees->roots;
    parts.nodes = trees->nodes;
    parts.told = &t->told[t->opts->folds];
    return rank_model_write(&parts, arena, out, why);
}

enum err rank_train(const struct catalog *const *catalogs, size_t n_catalogs,
                    const struct ops_identity *who, const struct rank_train_question *questions,
                    size_t n, const struct rank_train_opts *opts, struct str note,
                    struct arena *arena, struct str *out, struct why *why)
{
    struct training t = {.catalogs = catalogs,
                         .n_catalogs = n_catalogs,
                         .who = who,
                         .questions = questions,
                         .n = n,
                         .opts = opts,
                         .arena = arena_new((size_t)2 << 30)};
    struct rows rows;
    struct rank_grown trees;
    enum err err = t.arena ? prepare(&t, why) : no_memory(why);
    if (!err) {
        say(&t, "learning words");
        err = learn_words(&t, why);
    }
    if (!err) {
        say(&t, "learning what words are worth in questions");
        err = learn_asked(&t, why);
    }
    if (!err) {
        say(&t, "looking at candidates");
        err = make_rows(&t, &rows, why);
    }
    if (!err) {
        say(&t, "growing trees");
        err = rank_grow_trees(rows.x, rows.right, rows.first, n, opts, t.arena, &trees, why);
    }
    if (!err)
        err = write_model(&t, &trees, note, arena, out, why);
    retrieve_free(t.view);
    rank_model_free(t.latent);
    for (size_t f = 0; t.arenas && f <= opts->folds; f++)
        arena_free(t.arenas[f]);
    arena_free(t.arena);
    return err;
}
