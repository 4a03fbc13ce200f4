/* From a row of logits to a token. */
#include "engine/sample.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t splitmix(uint64_t *x)
{
    uint64_t z = *x += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void sample_seed(struct sample_rng *rng, uint64_t seed)
{
    rng->state[0] = splitmix(&seed);
    rng->state[1] = splitmix(&seed) | 1; /* never all zero */
}

static uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

double sample_uniform(struct sample_rng *rng)
{
    uint64_t a = rng->state[0], b = rng->state[1], sum = a + b;
    b ^= a;
    rng->state[0] = rotate(a, 24) ^ b ^ (b << 16);
    rng->state[1] = rotate(b, 37);
    return (double)(sum >> 11) * 0x1p-53;
}

enum err sample_check(const struct sample_opts *o, struct why *why)
{
    const struct {
        const char *name;
        double value, least, most;
    } ranges[] = {
        {"temperature", (double)o->temperature, 0, 5},
        {"top_k", (double)o->top_k, 0, 1000000},
        {"top_p", (double)o->top_p, 0, 1},
        {"min_p", (double)o->min_p, 0, 1},
        {"typical_p", (double)o->typical, 0, 1},
        {"presence_penalty", (double)o->presence, -2, 2},
        {"frequency_penalty", (double)o->frequency, -2, 2},
        {"repeat_penalty", (double)o->repeat, 0, 10},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!(ranges[i].value >= ranges[i].least && ranges[i].value <= ranges[i].most))
            return err_set(why, ERR_INVALID, "%s is %g, it goes from %g to %g", ranges[i].name,
                           ranges[i].value, ranges[i].least, ranges[i].most);
    return ERR_OK;
}

enum err sample_scratch_init(struct sample_scratch *s, size_t n_vocab, struct why *why)
{
    *s = (struct sample_scratch){.n_vocab = n_vocab};
    s->candidates = calloc(n_vocab ? n_vocab : 1, sizeof *s->candidates);
    s->counts = calloc(n_vocab ? n_vocab : 1, sizeof *s->counts);
    if (s->candidates && s->counts)
        return ERR_OK;
    sample_scratch_release(s);
    return err_set(why, ERR_NO_MEMORY, "could not make room to sample from %zu tokens", n_vocab);
}

void sample_scratch_release(struct sample_scratch *s)
{
    free(s->candidates);
    free(s->counts);
    *s = (struct sample_scratch){0};
}

static void count(struct sample_scratch *s, const int32_t *tokens, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->counts[tokens[i]]++;
}

void sample_penalize(const struct sample_opts *o, const int32_t *history, size_t n, size_t n_prompt,
                     float *logits, struct sample_scratch *s)
{
    size_t start = n > o->window ? n - o->window : 0;
    if (o->repeat > 0 && o->repeat != 1.0f) {
        count(s, history + start, n - start);
        for (size_t i = start; i < n; i++) {
            float *logit = &logits[history[i]];
            if (s->counts[history[i]])
                *logit = *logit > 0 ? *logit / o->repeat : *logit * o->repeat;
            s->counts[history[i]] = 0;
        }
    }
    start = start > n_prompt ? start : n_prompt;
    if ((o->presence != 0 || o->frequency != 0) && start < n) {
        count(s, history + start, n - start);
        for (size_t i = start; i < n; i++) {
            uint32_t times = s->counts[history[i]];
            if (times)
                logits[history[i]] -= o->presence + (float)times * o->frequency;
            s->counts[history[i]] = 0;
        }
    }
}

/* The greatest value first, in eight lanes that do not wait for one another, then its place. */
static int32_t greatest(const float *logits, size_t n)
{
    float lane[8], most = -INFINITY;
    for (size_t j = 0; j < 8; j++)
        lane[j] = -INFINITY;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            lane[j] = logits[i + j] > lane[j] ? logits[i + j] : lane[j];
    for (; i < n; i++)
        lane[0] = logits[i] > lane[0] ? logits[i] : lane[0];
    for (size_t j = 0; j < 8; j++)
        most = lane[j] > most ? lane[j] : most;
    for (i = 0; most > -INFINITY && i < n; i++)
        if (logits[i] == most)
            return (int32_t)i;
    return -1;
}

/* Likelier first; the id decides ties, so that the order never depends on the sort. */
static int by_logit(const void *a, const void *b)
{
    const struct sample_candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* For typical sampling `p` holds the distance of a candidate's surprise from the entropy. */
static int by_distance(const void *a, const void *b)
{
    const struct sample_candidate *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return by_logit(a, b);
}

static bool before(const struct sample_candidate *a, const struct sample_candidate *b)
{
    return by_logit(a, b) < 0;
}

/* Moves the k likeliest of n to the front, in no order (Hoare's selection, middle of three). */
static void select_top(struct sample_candidate *c, size_t n, size_t k)
{
    size_t low = 0, high = n; /* the k-th place is in [low, high) */
    while (high - low > 1) {
        struct sample_candidate a = c[low], b = c[low + (high - low) / 2], d = c[high - 1];
        struct sample_candidate pivot = before(&a, &b) ? (before(&b, &d)   ? b
                                                          : before(&a, &d) ? d
                                                                           : a)
                                                       : (before(&a, &d)   ? a
                                                          : before(&b, &d) ? d
                                                                           : b);
        size_t i = low, j = high - 1;
        for (;; i++, j--) {
            while (before(&c[i], &pivot))
                i++;
            while (before(&pivot, &c[j]))
                j--;
            if (i >= j)
                break;
            struct sample_candidate swap = c[i];
            c[i] = c[j];
            c[j] = swap;
        }
        /* [low, j] is not behind the pivot, (j, high) not before it; all differ, so both shrink. */
        size_t cut = j + 1 < high ? j + 1 : high - 1;
        if (k < cut)
            high = cut;
        else if (k > cut)
            low = cut;
        else
            return;
    }
}

/* p from logit; returns the sum. */
static double weigh(struct sample_candidate *c, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)(c[i].p = expf(c[i].logit));
    return sum;
}

/* Keeps the candidates whose surprise is nearest to the entropy until `mass` of the probability. */
static size_t cut_typical(struct sample_candidate *c, size_t n, double mass)
{
    double sum = weigh(c, n), entropy = 0, log_sum = log(sum), kept = 0;
    for (size_t i = 0; i < n; i++)
        entropy += (double)c[i].p / sum * (log_sum - (double)c[i].logit);
    for (size_t i = 0; i < n; i++)
        c[i].p = (float)fabs(log_sum - (double)c[i].logit - entropy);
    qsort(c, n, sizeof *c, by_distance);
    for (size_t i = 0; i < n; i++) {
        kept += exp((double)c[i].logit) / sum;
        if (kept >= mass)
            return i + 1;
    }
    return n;
}

/* Sorts and keeps the fewest candidates that hold `mass` of the probability, at least one. To sort
 * 150,000 for the sake of ten would cost more than the draw: ever larger fronts are tried. */
static size_t cut_nucleus(struct sample_candidate *c, size_t n, double mass)
{
    double sum = weigh(c, n), kept = 0;
    for (size_t done = 0, front = 256; done < n; front *= 8) {
        size_t end = front < n ? front : n;
        if (end < n)
            select_top(c + done, n - done, end - done);
        qsort(c + done, end - done, sizeof *c, by_logit);
        for (; done < end; done++) {
            kept += (double)c[done].p;
            if (kept >= mass * sum)
                return done + 1;
        }
    }
    return n;
}

static size_t cut_min(struct sample_candidate *c, size_t n, float min_p)
{
    /* The greatest logit is 0, its weight 1. */
    float least = logf(min_p);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (c[i].logit >= least)
            c[kept++] = c[i];
    return kept;
}

static size_t gather(const float *logits, size_t n_vocab, float most, float least,
                     float temperature, struct sample_candidate *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_vocab; i++)
        if (logits[i] >= least)
            out[n++] = (struct sample_candidate){(int32_t)i, (logits[i] - most) / temperature, 0};
    return n;
}

/*
 * A bound that at least k logits reach, and not many more: a histogram of what lies below the
 * greatest. To select among a whole vocabulary would take ten times as long.
 */
static float bound_of_top(const float *logits, size_t n_vocab, float most, float reach, size_t k)
{
    enum { STEPS = 1024 };
    uint32_t counts[STEPS] = {0};
    const float scale = (float)STEPS / reach;
    size_t n = 0;
    for (size_t i = 0; i < n_vocab; i++) {
        float below = (most - logits[i]) * scale;
        if (below < (float)STEPS)
            counts[(size_t)below]++;
    }
    for (size_t step = 0; step < STEPS; step++)
        if ((n += counts[step]) >= k)
            return most - (float)(step + 2) / scale; /* one step more than needed, for rounding */
    return most - reach;
}

int32_t sample_draw(const struct sample_opts *o, const float *logits, struct sample_scratch *s,
                    struct sample_rng *rng)
{
    int32_t best = greatest(logits, s->n_vocab);
    if (best < 0 || !(o->temperature > 0))
        return best;
    double u = sample_uniform(rng);
    if (isinf(logits[best]))
        return best;
    struct sample_candidate *c = s->candidates;
    const float most = logits[best], reach = 30.0f * o->temperature;
    float least = most - reach;
    if (o->top_k > 0 && (size_t)o->top_k < s->n_vocab / 8)
        least = bound_of_top(logits, s->n_vocab, most, reach, (size_t)o->top_k);
    size_t n = gather(logits, s->n_vocab, most, least, o->temperature, c);
    if (o->top_k > 0 && (size_t)o->top_k < n) {
        select_top(c, n, (size_t)o->top_k);
        n = (size_t)o->top_k;
    }
    if (o->typical > 0 && o->typical < 1)
        n = cut_typical(c, n, (double)o->typical);
    if (o->top_p > 0 && o->top_p < 1)
        n = cut_nucleus(c, n, (double)o->top_p);
    if (o->min_p > 0)
        n = cut_min(c, n, o->min_p);
    if (n == 0)
        return best; /* typical sampling may have dropped the likeliest, which min_p measures by */
    double rest = u * weigh(c, n);
    /* The order of the candidates decides which one a number falls on: make it one of ours, not of
     * the selection's. After the nucleus they are sorted, after gather in order of ids. */
    if (o->top_k > 0 && !(o->top_p > 0 && o->top_p < 1))
        qsort(c, n, sizeof *c, by_logit);
    for (size_t i = 0; i < n; i++) {
        rest -= (double)c[i].p;
        if (rest < 0)
            return c[i].id;
    }
    return c[n - 1].id;
}

double sample_log_sum(const float *logits, size_t n)
{
    int32_t best = greatest(logits, n);
    if (best < 0)
        return -INFINITY;
    double sum = 1; /* the greatest itself */
    for (size_t i = 0; i < n; i++)
        if ((int32_t)i != best)
            sum += (double)expf(logits[i] - logits[best]);
    return (double)logits[best] + log(sum);
}

size_t sample_tops(const float *logits, size_t n, size_t k, int32_t *ids)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == k && (k == 0 || !(logits[i] > logits[ids[k - 1]])))
            continue;
        size_t at = kept < k ? kept++ : k - 1;
        for (; at > 0 && logits[i] > logits[ids[at - 1]]; at--)
            ids[at] = ids[at - 1];
        ids[at] = (int32_t)i;
    }
    return kept;
}
