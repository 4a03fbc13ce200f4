/*
 * retrieve: one accumulator a passage, then the few hundred best.
 *
 * Term-at-a-time over whole postings is the simple way, and at 100,000 passages it is also quick:
 * a question has some 40 terms, and what is common enough to be slow says little and is left out.
 */
#include "knowledge/retrieve.h"

#include "knowledge/dense.h"
#include "knowledge/rank_features.h"
#include "knowledge/tokens.h"

#include "core/arena.h"
#include "core/hash.h"
#include "core/json.h"
#include "core/log.h"
#include "core/map.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Set on training questions, see the room's README: BM25 (k1, b), the share of passages above which
 * a term is left out, and what the first step adds to the share of the best BM25. */
#define K1               1.0f
#define LENGTH_SHARE     0.6f
#define COMMON           0.2f
#define SMALL_BASE       1000 /* passages: below, no term is slow and every one may matter */
#define MEANING_WEIGHT   0.8f
#define STANDING_WEIGHT  0.15f
#define CITED_WEIGHT     0.06f
#define LAY_WEIGHT       0.4f  /* of another word for what the question says, see lay.def */
#define OTHER_STANDING   1.1f  /* of policies, guides, questions and answers */
#define NATIONAL         6     /* level from which a law binds everywhere */
#define LOOSE_STANDING   0.8f  /* of texts of no known kind: somebody's notes beside the rules */
#define HEADS_MOST       4     /* a version, that are marked down */
#define DENSE_CANDIDATES 100   /* by a configured model's vectors */
#define FUSED            60.0f /* of reciprocal rank fusion (Cormack, Clarke, Buettcher 2009) */
#define HEAD_STANDING    0.5f  /* of the lines under a title: dates and names, seldom an answer */

/* How much a source of each level weighs: what binds everywhere before what binds in one place. */
static const float level_standing[10] = {0.6f, 0.6f, 0.6f, 0.65f, 0.7f, 0.7f, 0.95f, 0.85f, 1, 1};

/* What every passage of a version is asked in step 1; small, so that all of them stay in cache. */
struct stand {
    float standing, standing_log;
    bool law, allowed; /* law: of a collection that the trees know */
};

struct version {
    const struct catalog *catalog;
    const struct catalog_version *row; /* NULL: dead, another segment serves it or none */
    uint64_t title;                    /* tokens_title_hash */
    float standing, standing_log, cited;
    bool law;
};

/* Neighbouring passages of one version. */
struct run {
    uint32_t begin, end, version;
};

struct segment {
    struct index *index;
    const int8_t *vectors; /* borrowed from the index, or own */
    const float *scales;
    int8_t *own_vectors;
    float *own_scales;
    uint32_t first_passage, first_version; /* counted over all segments */
    size_t catalog;
};

/* The vectors of a configured model for one base. */
struct dense_base {
    struct dense *dense; /* NULL: no model, or nothing embedded yet */
    struct str model;    /* borrowed from the catalog */
};

struct retrieve {
    const struct rank_model *model;
    size_t n_segments, n_passages, n_versions;
    struct segment *segments;
    struct version *versions;
    uint32_t *version_of; /* n_passages */
    struct run *runs;     /* n_runs: every passage is in one, in order */
    size_t n_runs;
    uint32_t *segment_of; /* n_versions */
    uint32_t *heads;      /* n_heads passages that are PASSAGE_HEAD */
    size_t n_heads;
    struct dense_base *dense; /* n_catalogs */
    size_t n_catalogs;
    int32_t *dense_row; /* n_passages: -1 for none; NULL: no base has any */
    float *slow;        /* n_passages: k1 of BM25 for the passage's length */
    float *once;        /* n_passages: 1 / (1 + slow) */
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the search");
}

/* ---- the view ---- */

/* Adds up over all segments how often each title is cited. */
static enum err count_cited(const struct retrieve *r, struct map *cited, struct arena *arena,
                            struct why *why)
{
    map_init(cited, arena);
    for (size_t s = 0; s < r->n_segments; s++) {
        size_t n = index_n_cited(r->segments[s].index);
        uint64_t *keys = arena_array(arena, uint64_t, n + 1);
        if (!keys)
            return no_memory(why);
        for (size_t i = 0; i < n; i++) {
            uint32_t times;
            index_cited_at(r->segments[s].index, i, &keys[i], &times);
            struct map_entry *e =
                map_put(cited, (struct str){(char *)&keys[i], sizeof keys[i]}, NULL);
            if (!e)
                return no_memory(why);
            e->value.u += times;
        }
    }
    return ERR_OK;
}

/* Whether the base is a collection of national law: what the trees were learned on. A city's own
 * rules are laws too, but among themselves the trees only disturb them. */
static bool holds_national(const struct catalog *catalog)
{
    size_t national = 0;
    for (size_t i = 0; i < catalog->n_versions; i++)
        national += catalog->versions[i].meta.kind == KNOWLEDGE_LAW &&
                    catalog->versions[i].meta.level >= NATIONAL;
    return 10 * national > catalog->n_versions;
}

/* What the catalog says of a version in segment `s` of it, and its standing. */
static void set_version(const struct catalog *catalog, bool has_law, uint32_t s, struct str id,
                        const struct map *cited, struct version *v)
{
    const struct catalog_version *row = catalog_version(catalog, id);
    *v = (struct version){.catalog = catalog, .row = row && row->segment == s ? row : NULL};
    if (!v->row)
        return;
    v->title = tokens_title_hash(row->meta.title);
    v->law = row->meta.kind == KNOWLEDGE_LAW && has_law;
    const struct map_entry *e = map_find(cited, (struct str){(char *)&v->title, sizeof v->title});
    v->cited = logf(1 + (e ? (float)e->value.u : 0));
    int level = row->meta.level < 0 ? 0 : row->meta.level > 9 ? 9 : row->meta.level;
    v->standing = row->meta.kind == KNOWLEDGE_LAW
                      ? level_standing[level] * (1 + CITED_WEIGHT * v->cited)
                      : OTHER_STANDING;
    v->standing_log = logf(v->standing);
}

static enum err open_segments(struct retrieve *r, const struct catalog *const *catalogs, size_t n,
                              struct why *why)
{
    size_t total = 0;
    for (size_t c = 0; c < n; c++)
        total += catalogs[c]->n_segments;
    r->segments = calloc(total + 1, sizeof *r->segments);
    if (!r->segments)
        return no_memory(why);
    for (size_t c = 0; c < n; c++)
        for (uint32_t i = 0; i < catalogs[c]->n_segments; i++) {
            struct segment *s = &r->segments[r->n_segments];
            enum err err = index_open(catalogs[c]->segments[i].path.ptr, &s->index, why);
            if (err)
                return err;
            r->n_segments++;
            s->catalog = c;
            s->first_passage = (uint32_t)r->n_passages;
            s->first_version = (uint32_t)r->n_versions;
            r->n_passages += index_n_passages(s->index);
            r->n_versions += index_n_versions(s->index);
            if (r->n_passages > UINT32_MAX / 4)
                return err_set(why, ERR_TOO_LARGE, "too many passages for one search");
        }
    return ERR_OK;
}

static void set_passages(struct retrieve *r)
{
    uint64_t tokens = 0;
    for (size_t s = 0; s < r->n_segments; s++)
        tokens += index_n_tokens(r->segments[s].index);
    float mean = r->n_passages ? fmaxf(1, (float)tokens / (float)r->n_passages) : 1;
    for (size_t s = 0, g = 0; s < r->n_segments; s++) {
        const struct segment *segment = &r->segments[s];
        for (uint32_t i = 0; i < index_n_passages(segment->index); i++, g++) {
            struct index_facts facts;
            index_facts(segment->index, i, &facts);
            r->version_of[g] = segment->first_version + facts.version;
            if (facts.kind == PASSAGE_HEAD && r->n_heads < r->n_versions * HEADS_MOST)
                r->heads[r->n_heads++] = (uint32_t)g;
            r->slow[g] = K1 * (1 - LENGTH_SHARE + LENGTH_SHARE * (float)facts.n_tokens / mean);
            r->once[g] = 1 / (1 + r->slow[g]);
        }
        for (uint32_t v = 0; v < index_n_versions(segment->index); v++)
            r->segment_of[segment->first_version + v] = (uint32_t)s;
    }
}

static enum err set_runs(struct retrieve *r, struct why *why)
{
    size_t n = r->n_passages > 0;
    for (size_t g = 1; g < r->n_passages; g++)
        n += r->version_of[g] != r->version_of[g - 1];
    r->runs = calloc(n + 1, sizeof *r->runs);
    if (!r->runs)
        return no_memory(why);
    for (size_t g = 0; g < r->n_passages; g++) {
        if (!g || r->version_of[g] != r->version_of[g - 1])
            r->runs[r->n_runs++] = (struct run){(uint32_t)g, (uint32_t)g, r->version_of[g]};
        r->runs[r->n_runs - 1].end = (uint32_t)g + 1;
    }
    return ERR_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The vector of a passage from what was indexed of it. */
static bool make_vector(const struct rank_model *model, const struct index *index, uint32_t passage,
                        struct arena *arena, int8_t *row, float *scale)
{
    struct index_passage p;
    index_get(index, passage, &p);
    const struct str texts[] = {p.title, p.path, p.label, p.text};
    size_t most = 2 * (p.title.len + p.path.len + p.label.len + p.text.len), n = 0;
    uint64_t *terms = arena_calloc(arena, most + 1, sizeof *terms);
    for (size_t i = 0; terms && i < 4; i++) {
        struct tokens tokens;
        tokens_init(&tokens, texts[i], false);
        while (n < most && tokens_next(&tokens, &terms[n]))
            n++;
    }
    if (!terms)
        return false;
    qsort(terms, n, sizeof *terms, by_number);
    rank_passage_vector(model, terms, n, row, scale);
    return true;
}

/* The segment's own vectors, or new ones when another model made them. */
static enum err set_vectors(struct retrieve *r, struct segment *s, struct arena *arena,
                            struct why *why)
{
    size_t dim = rank_model_dim(r->model), n = index_n_passages(s->index);
    s->vectors = index_vectors(s->index, r->model, &s->scales);
    if (s->vectors)
        return ERR_OK;
    s->own_vectors = calloc(n + 1, dim);
    s->own_scales = calloc(n + 1, sizeof *s->own_scales);
    if (!s->own_vectors || !s->own_scales)
        return no_memory(why);
    for (uint32_t i = 0; i < n; i++) {
        arena_reset(arena);
        if (!make_vector(r->model, s->index, i, arena, s->own_vectors + i * dim, &s->own_scales[i]))
            return no_memory(why);
    }
    s->vectors = s->own_vectors;
    s->scales = s->own_scales;
    return ERR_OK;
}

static enum err set_versions(struct retrieve *r, const struct catalog *const *catalogs, size_t n,
                             struct arena *arena, struct why *why)
{
    struct map cited;
    enum err err = count_cited(r, &cited, arena, why);
    if (err)
        return err;
    size_t s = 0;
    for (size_t c = 0; c < n; c++) {
        bool has_law = holds_national(catalogs[c]);
        for (uint32_t i = 0; i < catalogs[c]->n_segments; i++, s++)
            for (uint32_t v = 0; v < index_n_versions(r->segments[s].index); v++)
                set_version(catalogs[c], has_law, i, index_version_id(r->segments[s].index, v),
                            &cited, &r->versions[r->segments[s].first_version + v]);
    }
    return ERR_OK;
}

/* Which row is whose; a damaged file is told and left alone, for the words still find. */
static enum err set_dense(struct retrieve *r, const struct catalog *const *catalogs, size_t n,
                          struct arena *arena, struct why *why)
{
    size_t any = 0;
    r->dense = calloc(n + 1, sizeof *r->dense);
    if (!r->dense)
        return no_memory(why);
    r->n_catalogs = n;
    for (size_t c = 0; c < n; c++) {
        struct why bad = {0};
        if (catalogs[c]->embedder.len == 0)
            continue;
        char *path = dense_path(catalogs[c]->dir.ptr, catalogs[c]->embedder, arena);
        if (!path)
            return no_memory(why);
        r->dense[c].model = catalogs[c]->embedder;
        if (dense_open(path, &r->dense[c].dense, &bad) != ERR_OK)
            LOG_WARN("vectors of a base are not used", LOG_STR("base", catalogs[c]->kb_name),
                     LOG_WHY(&bad));
        else
            any += dense_n(r->dense[c].dense);
    }
    if (!any)
        return ERR_OK;
    r->dense_row = calloc(r->n_passages + 1, sizeof *r->dense_row);
    if (!r->dense_row)
        return no_memory(why);
    for (size_t s = 0; s < r->n_segments; s++) {
        const struct dense *dense = r->dense[r->segments[s].catalog].dense;
        for (uint32_t i = 0; i < index_n_passages(r->segments[s].index); i++) {
            struct index_passage passage;
            index_get(r->segments[s].index, i, &passage);
            r->dense_row[r->segments[s].first_passage + i] =
                dense ? (int32_t)dense_find(dense, dense_key(&passage)) : -1;
        }
    }
    return ERR_OK;
}

struct str retrieve_embedder(const struct retrieve *r, size_t catalog, size_t *dim)
{
    if (catalog >= r->n_catalogs || !r->dense_row || !r->dense[catalog].dense)
        return STR_NONE;
    *dim = dense_dim(r->dense[catalog].dense);
    return *dim ? r->dense[catalog].model : STR_NONE;
}

size_t retrieve_n_catalogs(const struct retrieve *r)
{
    return r->n_catalogs;
}

enum err retrieve_new(const struct catalog *const *catalogs, size_t n,
                      const struct rank_model *model, struct retrieve **out, struct why *why)
{
    struct arena *arena = arena_new((size_t)1 << 30);
    struct retrieve *r = calloc(1, sizeof *r);
    enum err err = arena && r ? ERR_OK : no_memory(why);
    if (err)
        goto done;
    r->model = model ? model : rank_model_shipped();
    err = open_segments(r, catalogs, n, why);
    if (err)
        goto done;
    r->versions = calloc(r->n_versions + 1, sizeof *r->versions);
    r->segment_of = calloc(r->n_versions + 1, sizeof *r->segment_of);
    r->version_of = calloc(r->n_passages + 1, sizeof *r->version_of);
    r->slow = calloc(r->n_passages + 1, sizeof *r->slow);
    r->once = calloc(r->n_passages + 1, sizeof *r->once);
    r->heads = calloc(r->n_versions * HEADS_MOST + 1, sizeof *r->heads);
    if (!r->versions || !r->segment_of || !r->version_of || !r->slow || !r->once || !r->heads) {
        err = no_memory(why);
        goto done;
    }
    set_passages(r);
    err = set_runs(r, why);
    if (err)
        goto done;
    err = set_versions(r, catalogs, n, arena, why);
    for (size_t s = 0; !err && s < r->n_segments; s++)
        err = set_vectors(r, &r->segments[s], arena, why);
    if (!err)
        err = set_dense(r, catalogs, n, arena, why);
    if (!err)
        retrieve_rest(r);
done:
    arena_free(arena);
    if (err)
        retrieve_free(r);
    else
        *out = r;
    return err;
}

void retrieve_rest(const struct retrieve *r)
{
    for (size_t s = 0; s < r->n_segments; s++)
        index_rest(r->segments[s].index);
}

void retrieve_free(struct retrieve *r)
{
    if (!r)
        return;
    for (size_t s = 0; s < r->n_segments; s++) {
        index_close(r->segments[s].index);
        free(r->segments[s].own_vectors);
        free(r->segments[s].own_scales);
    }
    free(r->segments);
    free(r->versions);
    free(r->segment_of);
    free(r->version_of);
    free(r->runs);
    free(r->slow);
    free(r->once);
    free(r->heads);
    for (size_t c = 0; c < r->n_catalogs; c++)
        dense_close(r->dense[c].dense);
    free(r->dense);
    free(r->dense_row);
    free(r);
}

size_t retrieve_n_passages(const struct retrieve *r)
{
    return r->n_passages;
}

size_t retrieve_n_segments(const struct retrieve *r)
{
    return r->n_segments;
}

const struct index *retrieve_segment(const struct retrieve *r, size_t i)
{
    return r->segments[i].index;
}

const int8_t *retrieve_vectors(const struct retrieve *r, size_t segment, const float **scales)
{
    *scales = r->segments[segment].scales;
    return r->segments[segment].vectors;
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

static float weight_of(void *ctx, uint64_t term)
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
        q->weights[i] = weight_of((void *)(uintptr_t)r, q->terms[i]);
        if (q->weights[i] > common)
            add_term(r, q->terms[i],
                     q->weights[i] * (K1 + 1) * (q->times[i] ? (float)q->times[i] : LAY_WEIGHT),
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

struct found {
    uint32_t g; /* passage, counted over all sources */
    float first;
};

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

struct scores {
    float *words, *meaning;            /* n_passages each */
    float best_words, best_plain;      /* with standing, and without */
    float best_meaning, best_standing; /* of laws with some word of the question */
};

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

/* ---- step 2 ---- */

static float plain_share(const struct retrieve *r, const struct scores *s, size_t g, int step)
{
    size_t other = g + (size_t)step;
    if (other >= r->n_passages || r->version_of[other] != r->version_of[g])
        return 0;
    return s->words[other] / s->best_plain;
}

static void set_item(const struct retrieve *r, const struct scores *s, const struct found *f,
                     float first_best, const float *latent, struct rank_item *item)
{
    uint32_t version = r->version_of[f->g];
    const struct version *v = &r->versions[version];
    const struct segment *segment = &r->segments[r->segment_of[version]];
    *item = (struct rank_item){
        .index = segment->index, .passage = f->g - segment->first_passage, .source = v->title};
    index_facts(item->index, item->passage, &item->facts);
    item->section = item->source ^ (uint64_t)item->facts.section * 0x9E3779B97F4A7C15u;
    float *x = item->x, near[4];
    for (int i = 0; i < 4; i++)
        near[i] = plain_share(r, s, f->g, i < 2 ? i - 2 : i - 1);
    x[RANK_first] = f->first - first_best;
    x[RANK_words] = s->words[f->g] * v->standing / s->best_words;
    x[RANK_plain] = s->words[f->g] / s->best_plain;
    x[RANK_meaning] = s->meaning[f->g];
    x[RANK_meaning_share] = s->meaning[f->g] - s->best_meaning;
    x[RANK_cited] = v->cited;
    x[RANK_level] = (float)v->row->meta.level;
    x[RANK_beside_best] = fmaxf(near[1], near[2]);
    x[RANK_beside_sum] = near[0] + near[1] + near[2] + near[3];
    x[RANK_best_words] = s->best_words;
    size_t dim = rank_model_dim(r->model);
    const int8_t *row = segment->vectors + item->passage * dim;
    for (size_t k = 0; k < dim; k++)
        x[RANK_latent] += latent[k] * (float)row[k] * segment->scales[item->passage];
}

struct search {
    struct rank_question question;
    struct rank_item *items; /* n, in the order of step 1 */
    float *first;            /* n */
    uint32_t *versions;      /* n: in retrieve->versions */
    uint32_t *alike;         /* n: places by a configured model's vectors; NULL: none was asked */
    size_t n;
};

static enum err find(const struct retrieve *r, const struct knowledge_query *query,
                     const struct ops_identity *who, const float *asked, const float *const *dense,
                     struct arena *arena, struct search *out, struct why *why)
{
    int kind;
    enum err err = check_query(query, &kind, why);
    if (!err)
        err = rank_question_init(&out->question, query->text, arena, why);
    if (err)
        return err;
    float own[RANK_DIM_MOST], latent[RANK_DIM_MOST];
    rank_question_vectors(r->model, out->question.terms, out->question.times, out->question.n, own,
                          latent);
    struct scores s = {0};
    struct stand *stands = allow(r, query, kind, who, arena);
    s.words = score_words(r, &out->question, arena);
    s.meaning = score_meaning(r, asked ? asked : own, arena);
    if (!stands || !s.words || !s.meaning)
        return no_memory(why);
    find_bests(r, stands, &s);
    struct found *found = choose(r, stands, &s, arena, &out->n);
    if (found && dense && r->dense_row) {
        size_t n_alike;
        struct found *alike = choose_dense(r, stands, dense, arena, &n_alike);
        out->alike = arena_array(arena, uint32_t, RETRIEVE_CANDIDATES + DENSE_CANDIDATES);
        if (!alike || !out->alike)
            return no_memory(why);
        s.best_words = larger(s.best_words, 1e-6f); /* no word may have found anything */
        s.best_plain = larger(s.best_plain, 1e-6f);
        join_dense(alike, n_alike, r, stands, &s, found, out->alike, &out->n);
    }
    out->items = arena_array(arena, struct rank_item, out->n + 1);
    out->first = arena_array(arena, float, out->n + 1);
    out->versions = arena_array(arena, uint32_t, out->n + 1);
    if (!found || !out->items || !out->first || !out->versions)
        return no_memory(why);
    for (size_t i = 0; i < out->n; i++) {
        set_item(r, &s, &found[i], found[0].first, latent, &out->items[i]);
        out->first[i] = found[i].first;
        out->versions[i] = r->version_of[found[i].g];
    }
    return rank_features(&out->question, out->items, out->n, weight_of, (void *)(uintptr_t)r, arena,
                         why);
}

enum err retrieve_candidates(const struct retrieve *r, const struct knowledge_query *query,
                             const struct ops_identity *who, const float *asked,
                             struct arena *arena, struct retrieve_candidate **out, size_t *n,
                             struct why *why)
{
    struct search s = {.alike = NULL};
    enum err err = find(r, query, who, asked, NULL, arena, &s, why);
    if (err)
        return err;
    struct retrieve_candidate *c = arena_array(arena, struct retrieve_candidate, s.n + 1);
    if (!c)
        return no_memory(why);
    for (size_t i = 0; i < s.n; i++) {
        const struct version *v = &r->versions[s.versions[i]];
        c[i] = (struct retrieve_candidate){
            r->segment_of[s.versions[i]], s.items[i].passage, v->row, s.first[i], v->law, {0}};
        memcpy(c[i].features, s.items[i].x, sizeof c[i].features);
    }
    *out = c;
    *n = s.n;
    return ERR_OK;
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

void retrieve_question_vectors(const struct retrieve *r, struct str question, float *asked,
                               float *latent)
{
    struct arena *arena = arena_new((size_t)1 << 20);
    struct rank_question q = {0};
    if (arena && !rank_question_init(&q, question, arena, NULL))
        rank_question_vectors(r->model, q.terms, q.times, q.n, asked, latent);
    arena_free(arena);
}

/* ---- step 3 ---- */

struct place {
    float score;
    uint32_t item;
};

static int by_score(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* Joins the order of the words with that of the vectors by rank; what is named stays above. Scores
 * keep their scale: the best place has the best score. False without memory. */
static bool fuse(const struct search *s, struct place *all, struct arena *arena)
{
    struct place *fused = arena_array(arena, struct place, s->n + 1);
    if (!fused)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t item = all[i].item, alike = s->alike[item];
        float score = 1 / (FUSED + (float)i + 1) + (alike ? 1 / (FUSED + (float)alike) : 0);
        fused[i] = (struct place){score + (s->items[item].named ? 100 : 0), item};
    }
    qsort(fused, s->n, sizeof *fused, by_score);
    for (size_t i = 0; i < s->n; i++)
        all[i].item = fused[i].item;
    return true;
}

/* Laws among themselves by the trees, in the places that laws hold; what is named goes first. */
static struct place *put_in_order(const struct retrieve *r, const struct search *s,
                                  struct arena *arena)
{
    struct place *laws = arena_array(arena, struct place, s->n + 1);
    struct place *all = arena_array(arena, struct place, s->n + 1);
    if (!laws || !all)
        return NULL;
    const float **rows = arena_array(arena, const float *, s->n + 1);
    float *scores = arena_array(arena, float, s->n + 1);
    if (!rows || !scores)
        return NULL;
    size_t n = 0, next = 0;
    for (size_t i = 0; i < s->n; i++)
        if (r->versions[s->versions[i]].law) {
            laws[n].item = (uint32_t)i;
            rows[n++] = s->items[i].x;
        }
    rank_scores(r->model, rows, n, scores);
    for (size_t i = 0; i < n; i++)
        laws[i].score = scores[i];
    qsort(laws, n, sizeof *laws, by_score);
    for (size_t i = 0; i < s->n; i++) {
        uint32_t item = r->versions[s->versions[i]].law ? laws[next++].item : (uint32_t)i;
        /* Falls by place, and keeps the first step's scale; what is named is above all. */
        all[i] = (struct place){
            s->first[i] + (s->items[item].named ? 100 : 0) + (float)s->items[item].named, item};
    }
    qsort(all, s->n, sizeof *all, by_score);
    return s->alike && !fuse(s, all, arena) ? NULL : all;
}

#define SHINGLES 512

/* The distinct pairs of the text, ascending; texts that are longer are compared by their start. */
static size_t shingle(struct str text, uint64_t out[SHINGLES])
{
    struct tokens tokens;
    tokens_init(&tokens, text, false);
    uint64_t term;
    size_t n = 0, distinct = 0;
    while (n < SHINGLES && tokens_next(&tokens, &term))
        if (tokens_kind(term) == TOKENS_PAIR || tokens_kind(term) == TOKENS_WORD)
            out[n++] = term;
    for (size_t i = 1; i < n; i++) { /* short and often half sorted: no library call needed */
        uint64_t x = out[i];
        size_t j = i;
        for (; j && out[j - 1] > x; j--)
            out[j] = out[j - 1];
        out[j] = x;
    }
    for (size_t i = 0; i < n; i++)
        if (!distinct || out[distinct - 1] != out[i])
            out[distinct++] = out[i];
    return distinct;
}

/* Nine of ten pairs in common (Broder 1997), and none too short to say. */
static bool near_copy(const uint64_t *a, size_t n, const uint64_t *b, size_t m)
{
    size_t common = 0;
    if (n < 8 || m < 8 || n * 10 < m * 9 || m * 10 < n * 9)
        return false;
    for (size_t i = 0, j = 0; i < n && j < m;) {
        if (a[i] == b[j])
            common++, i++, j++;
        else if (a[i] < b[j])
            i++;
        else
            j++;
    }
    return common * 10 >= (n + m - common) * 9;
}

struct kept {
    uint64_t copy;
    size_t n;
    uint64_t *shingles;
};

/* The kept passage of which this one is a copy, or NULL. */
static struct knowledge_hit *copy_of(const struct rank_item *item, const struct kept *kept,
                                     struct knowledge_hit *hits, size_t n, const uint64_t *shingles,
                                     size_t n_shingles)
{
    for (size_t i = 0; i < n; i++)
        if (kept[i].copy == item->facts.copy ||
            near_copy(kept[i].shingles, kept[i].n, shingles, n_shingles))
            return &hits[i];
    return NULL;
}

static struct str explain(const struct rank_item *item, float first, struct arena *arena)
{
    struct buf buf;
    struct json_out json;
    buf_init(&buf, arena);
    json_out_init(&json, &buf);
    json_begin_object(&json);
    json_kv_real(&json, "first_step", (double)first);
    for (int f = 0; f < RANK_N_FEATURES; f++)
        json_kv_real(&json, rank_feature_name((enum rank_feature)f), (double)item->x[f]);
    json_end_object(&json);
    return buf.failed ? STR_NONE : buf_str(&buf);
}

/*
 * The probability that the passage answers: a logistic model, fitted on what `train_rank ... -`
 * prints for questions with and without an answer in a city's base, in laws, in both, in guides and
 * in prose, so that 0.5 tells them apart; see the room's README.
 */
static double confidence(const struct rank_item *item)
{
    const float *x = item->x;
    if (item->named)
        return 0.99;
    double z = -11.941 + 3.111 * (double)x[RANK_covered] + 1.159 * (double)x[RANK_covered_text] +
               1.488 * (double)x[RANK_in_title] + 4.849 * (double)x[RANK_in_path] +
               2.148 * log1p((double)x[RANK_best_words]) -
               0.743 * log1p((double)x[RANK_question_weight]) + 0.841 * (double)x[RANK_latent] +
               0.244 * fmin(3, (double)x[RANK_section_votes]) +
               1.9 * log1p((double)x[RANK_question_chars]);
    return 1 / (1 + exp(-z));
}

/* Copies the strings: catalogs and segments may be gone before the hits are. */
static struct knowledge_meta copy_meta(struct knowledge_meta m, struct arena *arena, bool *ok)
{
    struct str *texts[] = {&m.title,  &m.part,   &m.key,        &m.issuer,
                           &m.number, &m.region, &m.department, &m.replaced_by};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = str_copy(arena, *texts[i]);
        *ok = *ok && texts[i]->ptr;
    }
    return m;
}

static enum err fill_hit(const struct retrieve *r, const struct search *s, const struct place *p,
                         const struct knowledge_query *query, struct arena *arena,
                         struct knowledge_hit *hit, struct why *why)
{
    const struct rank_item *item = &s->items[p->item];
    const struct version *v = &r->versions[s->versions[p->item]];
    struct index_passage passage;
    index_get(item->index, item->passage, &passage);
    int32_t day = query->as_of == DAY_NONE ? day_today() : query->as_of;
    bool ok = true;
    char id[PASSAGE_ID_TEXT];
    *hit = (struct knowledge_hit){
        .kb = str_copy(arena, v->catalog->kb_name),
        .passage_id = str_copy(arena, str_c(passage_id(v->row->id, passage.number, id))),
        .document_id = str_copy(arena, str_c(v->catalog->documents[v->row->document].id)),
        .version_id = str_copy(arena, str_c(v->row->id)),
        .article = str_copy(arena, passage.label),
        .path = str_copy(arena, passage.path),
        .text = str_copy(arena, passage.text),
        .start = passage.start,
        .len = passage.len,
        .meta = copy_meta(v->row->meta, arena, &ok),
        .status = catalog_status(v->row, day),
        .score = (double)p->score,
        .confidence = confidence(item),
        .meaning = (double)item->x[RANK_meaning],
        .latent = (double)item->x[RANK_latent],
        .explain = query->explain ? explain(item, s->first[p->item], arena) : STR_NONE,
    };
    hit->title = hit->meta.title;
    if (!ok || !hit->kb.ptr || !hit->passage_id.ptr || !hit->document_id.ptr ||
        !hit->version_id.ptr || !hit->article.ptr || !hit->path.ptr || !hit->text.ptr ||
        (query->explain && !hit->explain.ptr))
        return no_memory(why);
    return ERR_OK;
}

enum err retrieve_search(const struct retrieve *r, const struct knowledge_query *query,
                         const struct ops_identity *who, const float *const *dense,
                         struct arena *arena, struct knowledge_hit **out, size_t *n,
                         struct why *why)
{
    struct search s = {.alike = NULL};
    enum err err = find(r, query, who, NULL, dense, arena, &s, why);
    if (err)
        return err;
    struct place *order = put_in_order(r, &s, arena);
    struct knowledge_hit *hits = arena_array(arena, struct knowledge_hit, query->limit);
    struct kept *kept = arena_array(arena, struct kept, query->limit);
    if (!order || !hits || !kept)
        return no_memory(why);
    size_t n_hits = 0;
    for (size_t i = 0; i < s.n && n_hits < query->limit; i++) {
        const struct rank_item *item = &s.items[order[i].item];
        struct index_passage passage;
        uint64_t shingles[SHINGLES];
        index_get(item->index, item->passage, &passage);
        struct str words =
            passage.body < passage.text.len ? str_from(passage.text, passage.body) : passage.text;
        size_t n_shingles = shingle(words, shingles);
        struct knowledge_hit *copy = copy_of(item, kept, hits, n_hits, shingles, n_shingles);
        if (copy) {
            copy->n_folded++;
            continue;
        }
        kept[n_hits] =
            (struct kept){item->facts.copy, n_shingles, arena_array(arena, uint64_t, n_shingles)};
        if (!kept[n_hits].shingles)
            return no_memory(why);
        memcpy(kept[n_hits].shingles, shingles, n_shingles * sizeof *shingles);
        err = fill_hit(r, &s, &order[i], query, arena, &hits[n_hits], why);
        if (err)
            return err;
        n_hits++;
    }
    *out = hits;
    *n = n_hits;
    return ERR_OK;
}
