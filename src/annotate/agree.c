#include "annotate/agree.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

#define MOST_CODE 1000000u

static enum err count(struct agree_counts *counts, uint32_t code, double n, struct why *why)
{
    if (code >= counts->cap) {
        if (code >= MOST_CODE)
            return err_set(why, ERR_TOO_LARGE, "more than %u different answers", MOST_CODE);
        size_t cap = counts->cap ? counts->cap * 2 : 16;
        while (cap <= code)
            cap *= 2;
        double *fresh = arena_array(counts->arena, double, cap);
        if (!fresh)
            return err_set(why, ERR_NO_MEMORY, "could not count the answers");
        if (counts->n)
            memcpy(fresh, counts->n, counts->cap * sizeof *fresh);
        counts->n = fresh;
        counts->cap = cap;
    }
    counts->n[code] += n;
    return ERR_OK;
}

/* ---- Krippendorff ---- */

void agree_alpha_init(struct agree_alpha *sums, struct arena *arena)
{
    *sums = (struct agree_alpha){.codes = {.arena = arena}};
}

enum err agree_alpha_add(struct agree_alpha *sums, const uint32_t *codes, size_t m, double weight,
                         struct why *why)
{
    enum err err = ERR_OK;
    double pairs = 0;
    if (m < 2) /* a value that stands alone can be paired with none */
        return ERR_OK;
    for (size_t i = 0; !err && i < m; i++) {
        err = count(&sums->codes, codes[i], weight, why);
        for (size_t k = 0; k < m; k++)
            pairs += k != i && codes[k] == codes[i];
    }
    if (err)
        return err;
    sums->n += weight * (double)m;
    sums->same += weight * pairs / (double)(m - 1);
    sums->n_units += weight;
    return ERR_OK;
}

double agree_alpha_value(const struct agree_alpha *sums)
{
    double n = sums->n, chance = 0;
    for (size_t c = 0; c < sums->codes.cap; c++)
        chance += sums->codes.n[c] * (sums->codes.n[c] - 1);
    double room = n * (n - 1) - chance;
    return n < 2 || room <= 0 ? (double)NAN : ((n - 1) * sums->same - chance) / room;
}

void agree_interval_add(struct agree_interval *sums, const double *values, size_t m)
{
    double within = 0;
    if (m < 2)
        return;
    for (size_t i = 0; i < m; i++) {
        sums->sum += values[i];
        sums->squares += values[i] * values[i];
        for (size_t k = 0; k < m; k++)
            within += (values[i] - values[k]) * (values[i] - values[k]);
    }
    sums->n += (double)m;
    sums->within += within / (double)(m - 1);
    sums->n_units++;
}

double agree_interval_value(const struct agree_interval *sums)
{
    double n = sums->n;
    /* The sum of (v_i - v_k)^2 over all pairs is 2 (n sum v^2 - (sum v)^2). */
    double all = n < 2 ? 0 : 2 * (n * sums->squares - sums->sum * sums->sum) / (n * (n - 1));
    return all <= 0 ? (double)NAN : 1 - sums->within / n / all;
}

/* ---- Fleiss ---- */

void agree_fleiss_init(struct agree_fleiss *sums, struct arena *arena)
{
    *sums = (struct agree_fleiss){.codes = {.arena = arena}};
}

enum err agree_fleiss_add(struct agree_fleiss *sums, const uint32_t *codes, size_t m,
                          struct why *why)
{
    enum err err = ERR_OK;
    double pairs = 0;
    if (m < 2 || (sums->m && m != sums->m))
        return ERR_OK;
    for (size_t i = 0; !err && i < m; i++) {
        err = count(&sums->codes, codes[i], 1, why);
        for (size_t k = 0; k < m; k++)
            pairs += k != i && codes[k] == codes[i];
    }
    if (err)
        return err;
    sums->m = m;
    sums->sum += pairs / (double)(m * (m - 1));
    sums->n_units++;
    return ERR_OK;
}

double agree_fleiss_value(const struct agree_fleiss *sums)
{
    double all = sums->n_units * (double)sums->m, chance = 0;
    for (size_t c = 0; all > 0 && c < sums->codes.cap; c++)
        chance += sums->codes.n[c] / all * (sums->codes.n[c] / all);
    return all <= 0 || chance >= 1 ? (double)NAN
                                   : (sums->sum / sums->n_units - chance) / (1 - chance);
}

/* ---- Cohen ---- */

void agree_cohen_init(struct agree_cohen *sums, struct arena *arena)
{
    *sums = (struct agree_cohen){.a = {.arena = arena}, .b = {.arena = arena}};
}

enum err agree_cohen_add(struct agree_cohen *sums, uint32_t a, uint32_t b, struct why *why)
{
    enum err err = count(&sums->a, a, 1, why);
    if (!err)
        err = count(&sums->b, b, 1, why);
    if (err)
        return err;
    sums->n++;
    sums->same += a == b;
    return ERR_OK;
}

double agree_cohen_observed(const struct agree_cohen *sums)
{
    return sums->n > 0 ? sums->same / sums->n : (double)NAN;
}

double agree_cohen_value(const struct agree_cohen *sums)
{
    double chance = 0, n = sums->n;
    for (size_t c = 0; n > 0 && c < sums->a.cap && c < sums->b.cap; c++)
        chance += sums->a.n[c] / n * (sums->b.n[c] / n);
    return n <= 0 || chance >= 1 ? (double)NAN : (sums->same / n - chance) / (1 - chance);
}

/* ---- spans ---- */

static double f1(double both, double a, double b)
{
    return a + b > 0 ? 2 * both / (a + b) : 1;
}

double agree_spans_exact(const struct agree_span *a, size_t n_a, const struct agree_span *b,
                         size_t n_b)
{
    double both = 0;
    for (size_t i = 0; i < n_a; i++)
        for (size_t k = 0; k < n_b; k++)
            if (a[i].start == b[k].start && a[i].end == b[k].end && a[i].code == b[k].code) {
                both++;
                break;
            }
    return f1(both, (double)n_a, (double)n_b);
}

/* By label, then by place; stretches of one label that touch become one. */
static int by_place(const void *a, const void *b)
{
    const struct agree_span *x = a, *y = b;
    if (x->code != y->code)
        return x->code < y->code ? -1 : 1;
    return x->start != y->start ? (x->start < y->start ? -1 : 1) : 0;
}

static size_t merged(const struct agree_span *spans, size_t n, struct agree_span *out)
{
    size_t kept = 0;
    n = n < AGREE_MOST_SPANS ? n : AGREE_MOST_SPANS;
    struct agree_span sorted[AGREE_MOST_SPANS];
    if (n == 0)
        return 0;
    memcpy(sorted, spans, n * sizeof *spans);
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0; i < n; i++) {
        struct agree_span *last = kept ? &out[kept - 1] : NULL;
        if (last && last->code == sorted[i].code && sorted[i].start <= last->end)
            last->end = sorted[i].end > last->end ? sorted[i].end : last->end;
        else
            out[kept++] = sorted[i];
    }
    return kept;
}

static double length(const struct agree_span *spans, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)(spans[i].end - spans[i].start);
    return sum;
}

double agree_spans_partial(const struct agree_span *a, size_t n_a, const struct agree_span *b,
                           size_t n_b)
{
    struct agree_span x[AGREE_MOST_SPANS], y[AGREE_MOST_SPANS];
    double both = 0;
    n_a = merged(a, n_a, x);
    n_b = merged(b, n_b, y);
    for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
        if (x[i].code == y[k].code) {
            size_t from = x[i].start > y[k].start ? x[i].start : y[k].start;
            size_t to = x[i].end < y[k].end ? x[i].end : y[k].end;
            both += from < to ? (double)(to - from) : 0;
        }
        bool first = x[i].code != y[k].code ? x[i].code < y[k].code : x[i].end < y[k].end;
        i += first;
        k += !first;
    }
    return f1(both, length(x, n_a), length(y, n_b));
}

/* ---- boxes ---- */

double agree_iou(const struct agree_box *a, const struct agree_box *b)
{
    double w = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
    double h = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
    if (w <= 0 || h <= 0)
        return 0;
    double all = a->width * a->height + b->width * b->height - w * h;
    return all > 0 ? w * h / all : 0;
}

double agree_boxes(const struct agree_box *a, size_t n_a, const struct agree_box *b, size_t n_b,
                   double least, double *mean)
{
    bool a_taken[AGREE_MOST_BOXES] = {false}, b_taken[AGREE_MOST_BOXES] = {false};
    double both = 0, sum = 0;
    n_a = n_a < AGREE_MOST_BOXES ? n_a : AGREE_MOST_BOXES;
    n_b = n_b < AGREE_MOST_BOXES ? n_b : AGREE_MOST_BOXES;
    for (;;) { /* the best pair that is left */
        double best = least;
        size_t at_a = n_a, at_b = n_b;
        for (size_t i = 0; i < n_a; i++)
            for (size_t k = 0; !a_taken[i] && k < n_b; k++) {
                double iou = b_taken[k] || a[i].code != b[k].code ? -1 : agree_iou(&a[i], &b[k]);
                if (iou >= best && (iou > best || at_a == n_a)) {
                    best = iou;
                    at_a = i;
                    at_b = k;
                }
            }
        if (at_a == n_a)
            break;
        a_taken[at_a] = b_taken[at_b] = true;
        both++;
        sum += best;
    }
    if (mean)
        *mean = both > 0 ? sum / both : (double)NAN;
    return f1(both, (double)n_a, (double)n_b);
}
