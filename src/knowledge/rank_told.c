/* rank_told: nearest known questions by the terms they share and by their learned vectors. */
#include "knowledge/rank_told.h"

#include "knowledge/tokens.h"

#include "core/arena.h"

#include <math.h>
#include <string.h>

#define MEANING 0.6f /* weight of the vectors' likeness beside that of the terms */
#define FAR     32   /* article numbers apart: no neighbour any more */
#define NEAR    4.0f /* so many apart halve a neighbour's vote */

bool rank_told_takes(uint64_t term)
{
    return tokens_kind(term) == TOKENS_PAIR || tokens_kind(term) == TOKENS_WORD;
}

static bool ascending(const uint32_t *x, size_t n, uint32_t last)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] > x[i + 1])
            return false;
    return x[0] == 0 && x[n] == last;
}

static bool before(const struct rank_told_article *a, uint64_t title, uint32_t number)
{
    return a->title != title ? a->title < title : a->number < number;
}

bool rank_told_check(const struct rank_told *t)
{
    if (!t->n)
        return !t->n_terms && !t->n_postings && !t->n_articles && !t->n_answers;
    if (t->n > RANK_TOLD_MOST)
        return false;
    if (!ascending(t->first, t->n_terms, t->n_postings) ||
        !ascending(t->answers_first, t->n, t->n_answers))
        return false;
    for (uint32_t i = 1; i < t->n_terms; i++)
        if (t->terms[i] <= t->terms[i - 1])
            return false;
    for (uint32_t i = 0; i < t->n_postings; i++)
        if (t->postings[i] >> 16 >= t->n)
            return false;
    for (uint32_t i = 1; i < t->n_articles; i++)
        if (!before(&t->articles[i - 1], t->articles[i].title, t->articles[i].number))
            return false;
    for (uint32_t i = 0; i < t->n_answers; i++)
        if (t->answers[i] >= t->n_articles)
            return false;
    return true;
}

/* The first article that is not before it. */
static uint32_t find_article(const struct rank_told *t, uint64_t title, uint32_t number)
{
    uint32_t low = 0, high = t->n_articles;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (before(&t->articles[middle], title, number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool rank_told_knows(const struct rank_told *t, uint64_t title)
{
    uint32_t at = find_article(t, title, 0);
    return at < t->n_articles && t->articles[at].title == title;
}

static int64_t find_term(const struct rank_told *t, uint64_t term)
{
    uint32_t low = 0, high = t->n_terms;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->terms[middle] < term)
            low = middle + 1;
        else
            high = middle;
    }
    return low < t->n_terms && t->terms[low] == term ? (int64_t)low : -1;
}

/* Whether a term says so little that no posting was made of it. */
static bool too_common(const struct rank_told *t, int64_t at)
{
    return at >= 0 && t->first[at] == t->first[at + 1];
}

/* Adds the likeness by shared terms: a cosine, for a known question's weights have been scaled. */
static void add_terms(const struct rank_told *t, const uint64_t *terms, const float *weights,
                      size_t n, float *like)
{
    float square = 0;
    for (size_t i = 0; i < n; i++)
        if (!too_common(t, find_term(t, terms[i])))
            square += weights[i] * weights[i];
    float scale = square > 0 ? 1 / (sqrtf(square) * RANK_TOLD_WEIGHT) : 0;
    for (size_t i = 0; i < n; i++) {
        int64_t at = find_term(t, terms[i]);
        if (at < 0)
            continue;
        for (uint32_t p = t->first[at]; p < t->first[at + 1]; p++)
            like[t->postings[p] >> 16] += weights[i] * scale * (float)(t->postings[p] & 0xFFFF);
    }
}

static void add_meaning(const struct rank_told *t, const float *asked, size_t dim, float *like)
{
    float square = 0;
    for (size_t k = 0; k < dim; k++)
        square += asked[k] * asked[k];
    float scale = square > 0 ? MEANING / (127 * sqrtf(square)) : 0;
    for (size_t i = 0; i < t->n; i++) {
        const int8_t *row = t->vectors + i * dim;
        float sum = 0;
        for (size_t k = 0; k < dim; k++)
            sum += asked[k] * (float)row[k];
        like[i] += fmaxf(0, sum * scale);
    }
}

/* One question's vote for its articles, and once for each of their titles. */
static void vote(const struct rank_told *t, size_t question, float like, struct rank_votes *out)
{
    float cube = like * like * like;
    uint64_t title = 0;
    for (uint32_t i = t->answers_first[question]; i < t->answers_first[question + 1]; i++) {
        uint32_t at = t->answers[i];
        struct rank_vote *v = &out->of[at];
        v->best = fmaxf(v->best, like);
        v->sum += cube;
        v->times++;
        if (i > t->answers_first[question] && t->articles[at].title == title)
            continue;
        title = t->articles[at].title;
        v = &out->of[find_article(t, title, 0)]; /* the title's first one keeps its sums */
        v->source_best = fmaxf(v->source_best, like);
        v->source_sum += cube;
        out->all += cube;
    }
}

enum err rank_told_ask(const struct rank_told *t, const uint64_t *terms, const float *weights,
                       size_t n, const float *asked, size_t dim, struct arena *arena,
                       struct rank_votes *out, struct why *why)
{
    float *like = arena_array(arena, float, t->n + 1);
    struct rank_votes votes = {.told = t,
                               .of = arena_array(arena, struct rank_vote, t->n_articles + 1)};
    if (!like || !votes.of)
        return err_set(why, ERR_NO_MEMORY, "could not hold the votes of known questions");
    add_terms(t, terms, weights, n, like);
    add_meaning(t, asked, dim, like);
    for (size_t i = 0; i < t->n; i++)
        vote(t, i, like[i], &votes);
    for (uint32_t i = 1; i < t->n_articles; i++)
        if (t->articles[i].title == t->articles[i - 1].title) {
            votes.of[i].source_best = votes.of[i - 1].source_best;
            votes.of[i].source_sum = votes.of[i - 1].source_sum;
        }
    *out = votes;
    return ERR_OK;
}

/* What the article `at` says of one that is `number`, when it is a neighbour of it. */
static float neighbour(const struct rank_votes *votes, uint32_t at, uint32_t number)
{
    int32_t apart = (int32_t)(votes->told->articles[at].number >> 8) - (int32_t)(number >> 8);
    float far = fabsf((float)apart);
    return far > FAR ? -1 : votes->of[at].best / (1 + fmaxf(1, far) / NEAR);
}

void rank_told_figures(const struct rank_votes *votes, uint64_t title, uint32_t number,
                       float x[RANK_N_FEATURES])
{
    const struct rank_told *t = votes->told;
    uint32_t at = find_article(t, title, number), after = at;
    const struct rank_vote *source = NULL;
    x[RANK_told] = x[RANK_told_sum] = x[RANK_told_near] = x[RANK_told_source] = 0;
    x[RANK_told_share] = x[RANK_told_times] = 0;
    if (at < t->n_articles && t->articles[at].title == title) {
        source = &votes->of[at];
        if (t->articles[at].number == number) {
            x[RANK_told] = source->best;
            x[RANK_told_sum] = source->sum;
            x[RANK_told_times] = (float)source->times;
            after++;
        }
    }
    if (at > 0 && t->articles[at - 1].title == title)
        source = &votes->of[at - 1];
    if (!source)
        return;
    x[RANK_told_source] = source->source_best;
    x[RANK_told_share] = votes->all > 0 ? source->source_sum / votes->all : 0;
    for (float v; number && after < t->n_articles && t->articles[after].title == title &&
                  (v = neighbour(votes, after, number)) >= 0;
         after++)
        x[RANK_told_near] = fmaxf(x[RANK_told_near], v);
    for (float v; number && at > 0 && t->articles[at - 1].title == title &&
                  (v = neighbour(votes, at - 1, number)) >= 0;
         at--)
        x[RANK_told_near] = fmaxf(x[RANK_told_near], v);
}
