/*
 * retrieve_first: one accumulator a passage, then the few hundred best.
 *
 * Term-at-a-time over whole postings is the simple way, and at 100,000 passages it is also quick:
 * a question has some 40 terms, and what is common enough to be slow says little and is left out.
 */
#include "knowledge/retrieve_in.h"

#include "knowledge/dense.h"

#include "core/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Set on training questions: the share of passages above which a term is left out, and what is
 * added to the share of the best BM25. */
#define COMMON           0.2f
#define SMALL_BASE       1000 /* passages: below, no term is slow and every one may matter */
#define MEANING_WEIGHT   0.8f
#define STANDING_WEIGHT  0.15f
#define LAY_WEIGHT       0.4f /* of another word for what the question says, see lay.def */
#define DENSE_CANDIDATES 100  /* by a configured model's vectors */
#define HEAD_STANDING    0.5f /* of the lines under a title: dates and names, seldom an answer */

/* What every passage of a version is asked; small, so that all of them stay in cache. */
struct stand {
    float standing, standing_log;
    bool law, allowed; /* law: of a collection that the trees know */
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the search");
}

/* ---- who may see what, and when ---- */

static const char *const kind_names[] = {"law",    "policy", "guide", "faq",
                                         "notice", "text",   "table"};

static enum err check_query(const struct knowledge_query *q, int *kind, struct why *why)
{
    *kind = -1;
    if (q->limit < 1 || q->limit > 100)
        return err_set(why, ERR_INVALID, "limit %zu is not from 1 to 100", q->limit);
    for (int i = 0; i < (int)(sizeof kind_names / sizeof kind_names[0]); i++)
        if (str_eq_c(q->kind, kind_names[i]))
            *kind = i;
    if (q->kind.len && *kind < 0)
        return err_set(why, ERR_INVALID, "kind \"%.*s\" does not exist", STR_FMT(q->kind));
    return ERR_OK;
}

/* For every version: rights, filters and the day, before anything is ranked. */
static struct stand *allow(const struct retrieve *r, const struct knowledge_query *q, int kind,
                           const struct ops_identity *who, struct arena *arena)
{
    struct stand *stands = arena_array(arena, struct stand, r->n_versions + 1);
    int32_t day = q->as_of == DAY_NONE ? day_today() : q->as_of;
    for (size_t i = 0; stands && i < r->n_versions; i++) {
        const struct version *v = &r->versions[i];
        if (!v->row)
            continue;
        const struct knowledge_meta *m = &v->row->meta;
        stands[i] = (struct stand){v->standing, v->standing_log, v->law, false};
        stands[i].allowed =
            catalog_may_read(v->row, who) && (kind < 0 || (int)m->kind == kind) &&
            (q->all_versions || catalog_status(v->row, day) == KNOWLEDGE_IN_FORCE) &&
            m->level >= q->level_least && (!q->region.len || str_eq(q->region, m->region)) &&
            (!q->department.len || str_eq(q->department, m->department)) &&
            (!q->document.len || str_eq_c(q->document, v->catalog->documents[v->row->document].id));
    }
    return stands;
}
/* ---- step 1 ---- */

float retrieve_weight_of(void *ctx, uint64_t term)
{
    const struct retrieve *r = ctx;
    struct index_postings postings;
    double n = 0, all = (double)r->n_passages;
    for (size_t s = 0; s < r->n_segments; s++)
        n += index_find(r->segments[s].index, term, &postings);
    return (float)log(1 + (all - n + 0.5) / (n + 0.5));
}

static void add_term(const struct retrieve *r, uint64_t term, float weight, float *scores)
{
    for (size_t s = 0; s < r->n_segments; s++) {
        struct index_postings postings;
        uint32_t passage, times;
        if (!index_find(r->segments[s].index, term, &postings))
            continue;
        float *own = scores + r->segments[s].first_passage;
        const float *slow = r->slow + r->segments[s].first_passage;
        const float *once = r->once + r->segments[s].first_passage;
        while (index_next(&postings, &passage, &times)) {
            if (times == 1) /* nine in ten: no division */
                own[passage] += weight * once[passage];
            else
                own[passage] += weight * (float)times / ((float)times + slow[passage]);
        }
    }
}

/* BM25 of every passage; also sets the question's weights. */
static float *score_words(const struct retrieve *r, struct rank_question *q, struct arena *arena)
{
    float *scores = arena_array(arena, float, r->n_passages + 1);
    float common = r->n_passages < SMALL_BASE ? 0 : logf(1 + (1 - COMMON) / COMMON);
    for (size_t i = 0; scores && i < q->n; i++) {
        q->weights[i] = retrieve_weight_of((void *)(uintptr_t)r, q->terms[i]);
        if (q->weights[i] > common)
            add_term(r, q->terms[i],
                     q->weights[i] * (RETRIEVE_K1 + 1) *
                         (q->times[i] ? (float)q->times[i] : LAY_WEIGHT),
                     scores);
    }
    for (size_t i = 0; scores && i < r->n_heads; i++)
        scores[r->heads[i]] *= HEAD_STANDING;
    return scores;
}

static inline __attribute__((always_inline)) int32_t dot(const int8_t *row, const int16_t *q,
                                                         size_t dim)
{
    int32_t sum = 0;
    for (size_t k = 0; k < dim; k++)
        sum += (int32_t)row[k] * q[k];
    return sum;
}

static inline __attribute__((always_inline)) void dots_of(const int8_t *rows, const float *scales,
                                                          size_t n, size_t dim, const int16_t *q,
                                                          float scale, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)dot(rows + i * dim, q, dim) * scale * scales[i];
}

#if defined(__x86_64__)
#ifndef __clang__
__attribute__((optimize("O3")))
#endif
__attribute__((target("avx2"))) static void
dots_avx2(const int8_t *rows, const float *scales, size_t n, size_t dim, const int16_t *q,
          float scale, float *out)
{
    dots_of(rows, scales, n, dim, q, scale, out);
}
#endif

#ifndef __clang__
__attribute__((optimize("O3")))
#endif
static void
dots_plain(const int8_t *rows, const float *scales, size_t n, size_t dim, const int16_t *q,
           float scale, float *out)
{
    dots_of(rows, scales, n, dim, q, scale, out);
}

static void dots(const int8_t *rows, const float *scales, size_t n, size_t dim, const int16_t *q,
                 float scale, float *out)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        dots_avx2(rows, scales, n, dim, q, scale, out);
        return;
    }
#endif
    dots_plain(rows, scales, n, dim, q, scale, out);
}

/* Rounds the question's vector so that whole numbers can be added up: dim * 127 * 2000 fits. */
static float round_vector(const float *from, int16_t *to, size_t dim)
{
    float most = 0;
    for (size_t k = 0; k < dim; k++)
        most = fmaxf(most, fabsf(from[k]));
    for (size_t k = 0; k < dim; k++)
        to[k] = most > 0 ? (int16_t)lrintf(from[k] / most * 2000) : 0;
    return most / 2000;
}

/* Likeness of meaning of every passage with the vector. */
static float *score_meaning(const struct retrieve *r, const float *asked, struct arena *arena)
{
    float *out = arena_array(arena, float, r->n_passages + 1);
    size_t dim = rank_model_dim(r->model);
    int16_t q[RANK_DIM_MOST];
    float scale = round_vector(asked, q, dim);
    for (size_t s = 0; out && s < r->n_segments; s++) {
        const struct segment *segment = &r->segments[s];
        dots(segment->vectors, segment->scales, index_n_passages(segment->index), dim, q, scale,
             out + segment->first_passage);
    }
    return out;
}

static bool worse(struct found a, struct found b)
{
    return a.first != b.first ? a.first < b.first : a.g > b.g;
}

/* Keeps the best `most` in a heap whose root is the worst. */
static void offer(struct found *heap, size_t *n, size_t most, struct found new)
{
    size_t i;
    if (*n < most) {
        for (i = (*n)++; i && worse(new, heap[(i - 1) / 2]); i = (i - 1) / 2)
            heap[i] = heap[(i - 1) / 2];
        heap[i] = new;
        return;
    }
    if (!worse(heap[0], new))
        return;
    for (i = 0;;) {
        size_t child = 2 * i + 1;
        if (child >= *n)
            break;
        if (child + 1 < *n && worse(heap[child + 1], heap[child]))
            child++;
        if (!worse(heap[child], new))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = new;
}

static int best_first(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return worse(*x, *y) ? 1 : worse(*y, *x) ? -1 : 0;
}

/* fmaxf() without its care for what is no number: it is called for every passage. */
static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

/* Four passages at a time. */
typedef float lanes __attribute__((vector_size(16)));
typedef int32_t lane_mask __attribute__((vector_size(16)));

static inline lanes load(const float *from)
{
    lanes x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline lanes keep(lanes x, lane_mask where)
{
    return (lanes)((lane_mask)x & where);
}

static inline lanes larger_lanes(lanes a, lanes b)
{
    lane_mask first = a > b;
    return (lanes)(((lane_mask)a & first) | ((lane_mask)b & ~first));
}

static inline float largest(lanes x)
{
    return larger(larger(x[0], x[1]), larger(x[2], x[3]));
}

/* Of n passages that share a word with the question the most of words * a + meaning * b + c, or 0.
 */
static float most_of(const float *words, const float *meaning, size_t n, float a, float b, float c)
{
    lanes most = {0};
    float rest = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        lanes w = load(words + i);
        most = larger_lanes(keep(w * a + load(meaning + i) * b + c, w > 0), most);
    }
    for (; i < n; i++)
        if (words[i] > 0)
            rest = larger(rest, words[i] * a + meaning[i] * b + c);
    return larger(rest, largest(most));
}

static void find_bests(const struct retrieve *r, const struct stand *stands, struct scores *s)
{
    for (size_t i = 0; i < r->n_runs; i++) {
        const struct run *run = &r->runs[i];
        const struct stand *v = &stands[run->version];
        const float *words = s->words + run->begin, *meaning = s->meaning + run->begin;
        size_t n = run->end - run->begin;
        float most = v->allowed ? most_of(words, meaning, n, 1, 0, 0) : 0;
        if (most <= 0)
            continue;
        s->best_plain = larger(s->best_plain, most);
        s->best_words = larger(s->best_words, most * v->standing);
        if (v->law) {
            s->best_meaning = larger(s->best_meaning, most_of(words, meaning, n, 0, 1, 0));
            s->best_standing = larger(s->best_standing, v->standing_log);
        }
    }
}

/* The first step's score of a passage: words * words_in + meaning * meaning_in + always. */
struct weights {
    float words_in, meaning_in, always;
};

/*
 * What was learned was learned on laws; a passage of another kind gets what the best law would get
 * for it, in the measure of its words, so that it neither gains nor loses.
 */
static struct weights weights_of(const struct scores *s, const struct stand *v)
{
    float share = v->standing / s->best_words;
    if (v->law)
        return (struct weights){share, MEANING_WEIGHT, STANDING_WEIGHT * v->standing_log};
    return (struct weights){
        share * (1 + MEANING_WEIGHT * s->best_meaning + STANDING_WEIGHT * s->best_standing), 0, 0};
}

static inline float first_score(const struct scores *s, const struct weights *w, size_t g)
{
    return s->words[g] * w->words_in + s->meaning[g] * w->meaning_in + w->always;
}

static struct found *choose(const struct retrieve *r, const struct stand *stands,
                            const struct scores *s, struct arena *arena, size_t *n)
{
    struct found *heap = arena_array(arena, struct found, RETRIEVE_CANDIDATES + DENSE_CANDIDATES);
    *n = 0;
    for (size_t i = 0; heap && i < r->n_runs; i++) {
        const struct run *run = &r->runs[i];
        const struct stand *v = &stands[run->version];
        struct weights w = weights_of(s, v);
        /* Most texts have nothing that comes near: seen for all of their passages at once. */
        if (!v->allowed ||
            (*n == RETRIEVE_CANDIDATES &&
             most_of(s->words + run->begin, s->meaning + run->begin, run->end - run->begin,
                     w.words_in, w.meaning_in, w.always) < heap[0].first))
            continue;
        for (size_t g = run->begin; g < run->end; g++) {
            float first = first_score(s, &w, g);
            if (s->words[g] > 0 && (*n < RETRIEVE_CANDIDATES || first >= heap[0].first))
                offer(heap, n, RETRIEVE_CANDIDATES, (struct found){(uint32_t)g, first});
        }
    }
    if (heap)
        qsort(heap, *n, sizeof *heap, best_first);
    return heap;
}

/* ---- what is alike by a configured model's vectors ---- */

/* Of every passage that `who` may see and that has a vector, the best ones; best first. */
static struct found *choose_dense(const struct retrieve *r, const struct stand *stands,
                                  const float *const *asked, struct arena *arena, size_t *n)
{
    struct found *heap = arena_array(arena, struct found, DENSE_CANDIDATES);
    *n = 0;
    for (size_t s = 0; heap && s < r->n_segments; s++) {
        const struct segment *segment = &r->segments[s];
        const float *vector = asked[segment->catalog];
        size_t end = segment->first_passage + index_n_passages(segment->index);
        for (size_t g = segment->first_passage; vector && g < end; g++) {
            if (r->dense_row[g] < 0 || !stands[r->version_of[g]].allowed)
                continue;
            float like = dense_like(r->dense[segment->catalog].dense, r->dense_row[g], vector);
            if (*n < DENSE_CANDIDATES || like >= heap[0].first)
                offer(heap, n, DENSE_CANDIDATES, (struct found){(uint32_t)g, like});
        }
    }
    if (heap)
        qsort(heap, *n, sizeof *heap, best_first);
    return heap;
}

/* Adds those that the words did not find; ranks[i] is the place (from 1) of found[i] among the
 * alike, 0 for none. `found` and `ranks` have room for RETRIEVE_CANDIDATES + DENSE_CANDIDATES. */
static void join_dense(const struct found *alike, size_t n_alike, const struct retrieve *r,
                       const struct stand *stands, const struct scores *s, struct found *found,
                       uint32_t *ranks, size_t *n)
{
    for (size_t i = 0; i < n_alike; i++) {
        size_t at = 0;
        while (at < *n && found[at].g != alike[i].g)
            at++;
        if (at == *n) {
            struct weights w = weights_of(s, &stands[r->version_of[alike[i].g]]);
            found[(*n)++] = (struct found){alike[i].g, first_score(s, &w, alike[i].g)};
        }
        ranks[at] = (uint32_t)i + 1;
    }
}
/* ---- all ---- */

static enum err add_alike(const struct retrieve *r, const struct stand *stands,
                          const float *const *dense, struct arena *arena, struct retrieve_first *f,
                          struct why *why)
{
    size_t n_alike;
    struct found *alike = choose_dense(r, stands, dense, arena, &n_alike);
    f->alike = arena_array(arena, uint32_t, RETRIEVE_CANDIDATES + DENSE_CANDIDATES);
    if (!alike || !f->alike)
        return no_memory(why);
    f->scores.best_words =
        larger(f->scores.best_words, 1e-6f); /* no word may have found anything */
    f->scores.best_plain = larger(f->scores.best_plain, 1e-6f);
    join_dense(alike, n_alike, r, stands, &f->scores, f->found, f->alike, &f->n);
    return ERR_OK;
}

enum err retrieve_first(const struct retrieve *r, const struct knowledge_query *query,
                        const struct ops_identity *who, struct rank_question *question,
                        const float *asked, const float *const *dense, struct arena *arena,
                        struct retrieve_first *out, struct why *why)
{
    int kind;
    struct retrieve_first f = {.alike = NULL};
    enum err err = check_query(query, &kind, why);
    if (err)
        return err;
    struct stand *stands = allow(r, query, kind, who, arena);
    f.scores.words = score_words(r, question, arena);
    f.scores.meaning = score_meaning(r, asked, arena);
    if (!stands || !f.scores.words || !f.scores.meaning)
        return no_memory(why);
    find_bests(r, stands, &f.scores);
    f.found = choose(r, stands, &f.scores, arena, &f.n);
    if (!f.found)
        return no_memory(why);
    if (dense && r->dense_row)
        err = add_alike(r, stands, dense, arena, &f, why);
    if (!err)
        *out = f;
    return err;
}

enum err retrieve_shares(const struct retrieve *r, struct str question, struct arena *arena,
                         float *out, float *standing, struct why *why)
{
    struct rank_question q;
    enum err err = rank_question_init(&q, question, arena, why);
    if (err)
        return err;
    struct scores s = {.words = score_words(r, &q, arena)};
    if (!s.words)
        return no_memory(why);
    for (size_t g = 0; g < r->n_passages; g++) {
        const struct version *v = &r->versions[r->version_of[g]];
        out[g] = s.words[g] * v->standing;
        s.best_words = fmaxf(s.best_words, out[g]);
        standing[g] = v->standing_log;
    }
    for (size_t g = 0; g < r->n_passages && s.best_words > 0; g++)
        out[g] /= s.best_words;
    return ERR_OK;
}
