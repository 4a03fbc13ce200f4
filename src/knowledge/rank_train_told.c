/*
 * rank_train_told: the table of known questions.
 *
 * A known question is the sum of three vectors of length 1: of its terms, half of its keywords',
 * and of the terms of the answer that was given; what is compared with it is a cosine's numerator.
 */
#include "knowledge/rank_train_in.h"

#include "knowledge/rank_features.h"
#include "knowledge/tokens.h"

#include "core/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYWORDS_WEIGHT 0.5f
#define REPLY_WEIGHT    1.0f
#define TEXT_TERMS      RANK_QUESTION_TERMS

struct entry {
    uint64_t term;
    uint32_t question;
    float weight; /* 0: the term is too common, which is all that is kept of it */
};

struct maker {
    const struct rank_told_from *from;
    struct arena *arena;
    struct entry *entries;
    size_t n_entries;
    struct rank_told_article *answers; /* of all questions, one after the other */
    uint32_t *answers_first;
    size_t n_answers, n;
    int8_t *vectors;
};

static enum err no_memory(struct why *why)
{
    return err_set(why, ERR_NO_MEMORY, "could not hold the known questions");
}

static bool too_common(const struct rank_told_from *from, uint64_t term)
{
    struct index_postings postings;
    double n = 0;
    for (size_t s = 0; s < retrieve_n_segments(from->view); s++)
        n += index_find(retrieve_segment(from->view, s), term, &postings);
    return n > from->most_share * (double)retrieve_n_passages(from->view);
}

static enum err add_text(struct maker *m, struct str text, float by, struct arena *work,
                         struct why *why)
{
    struct rank_question q;
    double square = 0;
    size_t begin = m->n_entries;
    arena_reset(work);
    enum err err = rank_question_init(&q, text, work, why);
    for (size_t i = 0; !err && i < q.n; i++) {
        if (!q.times[i] || !rank_told_takes(q.terms[i]))
            continue;
        float weight =
            too_common(m->from, q.terms[i]) ? 0 : rank_term_weight(m->from->words, q.terms[i]);
        m->entries[m->n_entries++] = (struct entry){q.terms[i], (uint32_t)m->n, weight};
        square += (double)weight * (double)weight;
    }
    for (size_t i = begin; i < m->n_entries && square > 0; i++)
        m->entries[i].weight *= by / (float)sqrt(square);
    return err;
}

static void add_vector(struct maker *m, const float *from)
{
    size_t dim = m->from->dim;
    float square = 0;
    for (size_t k = 0; k < dim; k++)
        square += from[k] * from[k];
    for (size_t k = 0; k < dim && square > 0; k++)
        m->vectors[m->n * dim + k] = (int8_t)lrintf(127 * from[k] / sqrtf(square));
}

static int by_article(const void *a, const void *b)
{
    const struct rank_told_article *x = a, *y = b;
    if (x->title != y->title)
        return x->title < y->title ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static size_t distinct(struct rank_told_article *x, size_t n)
{
    size_t kept = 0;
    qsort(x, n, sizeof *x, by_article);
    for (size_t i = 0; i < n; i++)
        if (!kept || by_article(&x[i], &x[kept - 1]) != 0)
            x[kept++] = x[i];
    return kept;
}

/* The article of a passage, counted over all segments; number 0 when it is none. */
static struct rank_told_article article_of(const struct rank_told_from *from, uint32_t passage)
{
    size_t s = 0;
    for (; passage >= index_n_passages(retrieve_segment(from->view, s)); s++)
        passage -= index_n_passages(retrieve_segment(from->view, s));
    const struct index *index = retrieve_segment(from->view, s);
    struct index_facts facts;
    index_facts(index, passage, &facts);
    const struct catalog_version *version = NULL;
    for (size_t c = 0; c < from->n_catalogs && !version; c++)
        version = catalog_version(from->catalogs[c], index_version_id(index, facts.version));
    return version ? (struct rank_told_article){tokens_title_hash(version->meta.title),
                                                facts.article, 0}
                   : (struct rank_told_article){0};
}

static enum err add_question(struct maker *m, size_t i, struct arena *work, struct why *why)
{
    const struct rank_train_question *q = &m->from->questions[i];
    size_t n = 0;
    struct rank_told_article *own = m->answers + m->n_answers;
    for (size_t k = 0; k < q->n_gold; k++) {
        own[n] = article_of(m->from, q->gold[k]);
        n += own[n].number != 0;
    }
    if (!n)
        return ERR_OK;
    enum err err = add_text(m, q->text, 1, work, why);
    if (!err)
        err = add_text(m, q->keywords, KEYWORDS_WEIGHT, work, why);
    if (!err)
        err = add_text(m, q->reply, REPLY_WEIGHT, work, why);
    add_vector(m, m->from->vectors + i * m->from->dim);
    m->answers_first[m->n++] = (uint32_t)m->n_answers;
    m->n_answers += distinct(own, n);
    m->answers_first[m->n] = (uint32_t)m->n_answers;
    return err;
}

static int by_term(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->term != y->term)
        return x->term < y->term ? -1 : 1;
    if (x->question != y->question)
        return x->question < y->question ? -1 : 1;
    return x->weight < y->weight ? -1 : x->weight > y->weight;
}

static enum err make_postings(struct maker *m, struct rank_told *out, struct why *why)
{
    uint64_t *terms = arena_array(m->arena, uint64_t, m->n_entries + 1);
    uint32_t *first = arena_array(m->arena, uint32_t, m->n_entries + 2);
    uint32_t *postings = arena_array(m->arena, uint32_t, m->n_entries + 1);
    if (!terms || !first || !postings)
        return no_memory(why);
    qsort(m->entries, m->n_entries, sizeof *m->entries, by_term);
    for (size_t i = 0, j; i < m->n_entries; i = j) {
        const struct entry *e = &m->entries[i];
        float weight = 0;
        for (j = i; j < m->n_entries && m->entries[j].term == e->term &&
                    m->entries[j].question == e->question;
             j++)
            weight += m->entries[j].weight;
        if (!i || m->entries[i - 1].term != e->term) {
            terms[out->n_terms] = e->term;
            first[out->n_terms++] = out->n_postings;
        }
        if (weight > 0)
            postings[out->n_postings++] =
                e->question << 16 | (uint32_t)lrintf(weight * RANK_TOLD_WEIGHT);
    }
    first[out->n_terms] = out->n_postings;
    out->terms = terms;
    out->first = first;
    out->postings = postings;
    return ERR_OK;
}

static enum err make_answers(struct maker *m, struct rank_told *out, struct why *why)
{
    struct rank_told_article *all =
        arena_array(m->arena, struct rank_told_article, m->n_answers + 1);
    uint32_t *answers = arena_array(m->arena, uint32_t, m->n_answers + 1);
    if (!all || !answers)
        return no_memory(why);
    memcpy(all, m->answers, m->n_answers * sizeof *all);
    size_t n = distinct(all, m->n_answers);
    for (size_t i = 0; i < m->n_answers; i++) {
        const struct rank_told_article *at =
            bsearch(&m->answers[i], all, n, sizeof *all, by_article);
        answers[i] = (uint32_t)(at - all);
    }
    out->articles = all;
    out->n_articles = (uint32_t)n;
    out->answers = answers;
    out->n_answers = (uint32_t)m->n_answers;
    out->answers_first = m->answers_first;
    return ERR_OK;
}

enum err rank_learn_told(const struct rank_told_from *from, const bool *use, size_t n,
                         struct arena *arena, struct rank_told *out, struct why *why)
{
    struct arena *work = arena_new((size_t)16 << 20);
    size_t most_answers = 0;
    for (size_t i = 0; i < n; i++)
        most_answers += use[i] ? from->questions[i].n_gold : 0;
    struct maker m = {
        .from = from,
        .arena = arena,
        .entries = arena_array(arena, struct entry, n * 3 * TEXT_TERMS + 1),
        .answers = arena_array(arena, struct rank_told_article, most_answers + 1),
        .answers_first = arena_array(arena, uint32_t, n + 1),
        .vectors = arena_array(arena, int8_t, n * from->dim + 1),
    };
    enum err err =
        work && m.entries && m.answers && m.answers_first && m.vectors ? ERR_OK : no_memory(why);
    for (size_t i = 0; !err && i < n && m.n < RANK_TOLD_MOST; i++)
        if (use[i])
            err = add_question(&m, i, work, why);
    struct rank_told told = {.n = (uint32_t)m.n, .vectors = m.vectors};
    if (!err && m.n)
        err = make_postings(&m, &told, why);
    if (!err && m.n)
        err = make_answers(&m, &told, why);
    arena_free(work);
    if (!err)
        *out = told;
    return err;
}
