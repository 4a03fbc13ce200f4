/* retrieve: the few hundred best of step 1 (retrieve_first.c) put in order, and told as hits. */
#include "knowledge/retrieve_in.h"

#include "knowledge/rank_told.h"
#include "knowledge/tokens.h"

#include "core/arena.h"
#include "core/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FUSED 60.0f /* of reciprocal rank fusion (Cormack, Clarke, Buettcher 2009) */

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the search");
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

/* What the known questions say of the question, to all items. Where none of these is of a law that
 * answered one, as in a city's own rules, all figures are 0 and nobody need be asked. */
static enum err ask_told(const struct rank_model *model, const struct rank_told *told,
                         const float *asked, struct search *s, struct arena *arena, struct why *why)
{
    const struct rank_question *q = &s->question;
    uint64_t *terms = arena_array(arena, uint64_t, q->n + 1);
    float *weights = arena_array(arena, float, q->n + 1);
    struct rank_votes votes;
    size_t n = 0;
    bool known = false;
    for (size_t i = 0; i < s->n && !known; i++)
        known = rank_told_knows(told, s->items[i].source);
    if (!known)
        return ERR_OK;
    if (!terms || !weights)
        return no_memory(why);
    for (size_t i = 0; i < q->n; i++)
        if (rank_told_takes(q->terms[i]) && q->times[i]) {
            terms[n] = q->terms[i];
            weights[n++] = rank_term_weight(model, q->terms[i]);
        }
    enum err err =
        rank_told_ask(told, terms, weights, n, asked, rank_model_dim(model), arena, &votes, why);
    for (size_t i = 0; !err && i < s->n; i++)
        rank_told_figures(&votes, s->items[i].source, s->items[i].facts.article, s->items[i].x);
    return err;
}

static enum err find(const struct retrieve *r, const struct knowledge_query *query,
                     const struct ops_identity *who, const struct retrieve_learned *learned,
                     const float *const *dense, struct arena *arena, struct search *out,
                     struct why *why)
{
    struct retrieve_first f;
    float own[RANK_DIM_MOST], latent[RANK_DIM_MOST];
    enum err err = rank_question_init(&out->question, query->text, arena, why);
    if (err)
        return err;
    rank_question_vectors(r->model, out->question.terms, out->question.times, out->question.n, own,
                          latent);
    const float *asked = learned ? learned->asked : own;
    err = retrieve_first(r, query, who, &out->question, asked, dense, arena, &f, why);
    if (err)
        return err;
    out->n = f.n;
    out->alike = f.alike;
    out->items = arena_array(arena, struct rank_item, f.n + 1);
    out->first = arena_array(arena, float, f.n + 1);
    out->versions = arena_array(arena, uint32_t, f.n + 1);
    if (!out->items || !out->first || !out->versions)
        return no_memory(why);
    for (size_t i = 0; i < f.n; i++) {
        set_item(r, &f.scores, &f.found[i], f.found[0].first, latent, &out->items[i]);
        out->first[i] = f.found[i].first;
        out->versions[i] = r->version_of[f.found[i].g];
    }
    err = rank_features(&out->question, out->items, out->n, retrieve_weight_of,
                        (void *)(uintptr_t)r, arena, why);
    return err ? err
               : ask_told(r->model, learned ? learned->told : rank_model_told(r->model), asked, out,
                          arena, why);
}

enum err retrieve_candidates(const struct retrieve *r, const struct knowledge_query *query,
                             const struct ops_identity *who, const struct retrieve_learned *learned,
                             struct arena *arena, struct retrieve_candidate **out, size_t *n,
                             struct why *why)
{
    struct search s = {.alike = NULL};
    enum err err = find(r, query, who, learned, NULL, arena, &s, why);
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
        size_t of;
        err =
            retrieve_copy_of(&s.items[order[i].item], kept, n_hits, arena, &of, &kept[n_hits], why);
        if (!err && of < n_hits)
            hits[of].n_folded++;
        else if (!err)
            err = fill_hit(r, &s, &order[i], query, arena, &hits[n_hits++], why);
        if (err)
            return err;
    }
    *out = hits;
    *n = n_hits;
    return ERR_OK;
}
