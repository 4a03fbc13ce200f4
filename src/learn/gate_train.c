/* Training a gate: two logistic regressions, rounded, then the limits by what was kept back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/hash.h"
#include "core/utf8.h"
#include "learn/gate_in.h"

#define LEAST_SEEN 8    /* a character seen less often is not known by itself */
#define LARGEST    6.0F /* weights are kept within, before rounding */
#define STEP       0.2F
#define DECAY      1e-6F

const struct gate_options gate_options_default = {.epochs = 4, .first = 0.998, .both = 0.995};

/* All samples as one row of characters, GATE_END between them. */
struct gate_trainer {
    struct arena *arena;
    const struct gate_options *options;
    uint16_t *chars;
    uint8_t *marks;  /* BEGINS, HELD, PAD; n of both */
    uint32_t *owner; /* which sample */
    size_t n;
    uint16_t *ids; /* of 65536 characters: 0 not known */
    uint16_t known[GATE_CHARS + 1];
    size_t n_known;
    float *ones, *ones_sums; /* (n_known, GATE_ROLES) */
    float *grams, *grams_sums;
    struct gate gate;
};
enum { BEGINS = 1, HELD = 2, PAD = 4 };

static bool usable(const struct gate_options *o)
{
    return o->epochs >= 1 && o->epochs <= 100 && o->first > 0 && o->first <= 1 && o->both > 0 &&
           o->both <= 1;
}

/* ---- the samples ---- */

static void put_char(struct gate_trainer *t, uint16_t c, uint8_t marks, size_t sample)
{
    t->chars[t->n] = c;
    t->marks[t->n] = marks;
    t->owner[t->n++] = (uint32_t)sample;
}

static void put_sample(struct gate_trainer *t, const struct gate_sample *s, size_t number)
{
    uint8_t held = s->held ? HELD : 0;
    size_t next = 0;
    for (size_t at = 0; at < s->text.len;) {
        while (next < s->n && s->starts[next] < at)
            next++;
        bool begins = next < s->n && s->starts[next] == at;
        put_char(t, gate_char(s->text, &at), (uint8_t)(held | (begins ? BEGINS : 0)), number);
    }
    for (int k = 0; k < GATE_AHEAD; k++)
        put_char(t, GATE_END, PAD, number);
}

static enum err read_samples(struct gate_trainer *t, const struct gate_sample *samples, size_t n,
                             struct why *why)
{
    size_t most = 4;
    for (size_t i = 0; i < n; i++)
        most += samples[i].text.len + GATE_AHEAD;
    t->chars = arena_array(t->arena, uint16_t, most);
    t->marks = arena_array(t->arena, uint8_t, most);
    t->owner = arena_array(t->arena, uint32_t, most);
    if (!t->chars || !t->marks || !t->owner)
        return err_set(why, ERR_NO_MEMORY, "could not hold the samples");
    put_char(t, GATE_END, PAD, 0);
    put_char(t, GATE_END, PAD, 0);
    for (size_t i = 0; i < n; i++)
        put_sample(t, &samples[i], i);
    return ERR_OK;
}

static enum err number_chars(struct gate_trainer *t, struct why *why)
{
    uint32_t *counts = arena_array(t->arena, uint32_t, 65536);
    t->ids = arena_array(t->arena, uint16_t, 65536);
    if (!counts || !t->ids)
        return err_set(why, ERR_NO_MEMORY, "could not count the characters");
    for (size_t i = 0; i < t->n; i++)
        counts[t->chars[i]]++;
    for (size_t at = 0; at < t->options->watch.len;)
        counts[gate_char(t->options->watch, &at)] += LEAST_SEEN;
    t->n_known = 1;
    for (size_t c = 0; c < 65536; c++)
        if (counts[c] >= LEAST_SEEN && t->n_known <= GATE_CHARS) {
            t->known[t->n_known] = (uint16_t)c;
            t->ids[c] = (uint16_t)t->n_known++;
        }
    t->ones = arena_array(t->arena, float, t->n_known *GATE_ROLES);
    t->ones_sums = arena_array(t->arena, float, t->n_known *GATE_ROLES);
    t->grams = arena_array(t->arena, float, (size_t)1 << GATE_BITS);
    t->grams_sums = arena_array(t->arena, float, (size_t)1 << GATE_BITS);
    return t->ones && t->ones_sums && t->grams && t->grams_sums
               ? ERR_OK
               : err_set(why, ERR_NO_MEMORY, "could not hold the weights");
}

/* ---- regression ---- */

static float chance(float sum)
{
    return 1.0F / (1.0F + expf(-sum));
}

static void adjust(float *w, float *sum, float slope)
{
    *sum += slope * slope;
    *w -= STEP * slope / sqrtf(*sum + 1e-4F) + DECAY * *w;
}

static float weight_of(const struct gate_sample *samples, const struct gate_trainer *t, size_t i)
{
    return t->marks[i] & BEGINS ? samples[t->owner[i]].weight : 1.0F;
}

static void learn_ones(struct gate_trainer *t, const struct gate_sample *samples)
{
    float bias = -3, bias_sum = 1;
    for (unsigned epoch = 0; epoch < t->options->epochs; epoch++)
        for (size_t i = 2; i + GATE_AHEAD < t->n; i++) {
            if (t->marks[i] & (HELD | PAD))
                continue;
            size_t at[GATE_ROLES];
            float sum = bias;
            for (size_t k = 0; k < GATE_ROLES; k++) {
                at[k] = t->ids[t->chars[i + k - 2]] * (size_t)GATE_ROLES + k;
                sum += t->ones[at[k]];
            }
            float slope =
                (chance(sum) - (t->marks[i] & BEGINS ? 1.0F : 0.0F)) * weight_of(samples, t, i);
            for (size_t k = 0; k < GATE_ROLES; k++)
                adjust(&t->ones[at[k]], &t->ones_sums[at[k]], slope);
            adjust(&bias, &bias_sum, slope);
        }
}

/* The first model's sum of place i, as the pass will see it. */
static uint32_t first_sum(const struct gate_trainer *t, size_t i)
{
    uint64_t sums = 0;
    for (size_t k = i - 2; k <= i + 2; k++)
        sums = gate_add(sums, gate_word(&t->gate, t->chars[k]));
    return gate_sum(sums);
}

static float sum_grams(const struct gate_trainer *t, size_t i, uint32_t grams[GATE_GRAMS])
{
    float sum = 0;
    gate_grams(t->chars + i, grams);
    for (size_t k = 0; k < GATE_GRAMS; k++)
        sum += t->grams[grams[k]];
    return sum - 2; /* a place begins something in one of ten */
}

/* Only where the first model lets something through. */
static void learn_grams(struct gate_trainer *t, const struct gate_sample *samples)
{
    for (unsigned epoch = 0; epoch < t->options->epochs; epoch++)
        for (size_t i = 2; i + GATE_AHEAD < t->n; i++) {
            uint32_t grams[GATE_GRAMS];
            if (t->marks[i] & (HELD | PAD) || first_sum(t, i) < t->gate.first)
                continue;
            float sum = sum_grams(t, i, grams);
            float slope =
                (chance(sum) - (t->marks[i] & BEGINS ? 1.0F : 0.0F)) * weight_of(samples, t, i);
            for (size_t k = 0; k < GATE_GRAMS; k++)
                adjust(&t->grams[grams[k]], &t->grams_sums[grams[k]], slope);
        }
}

/* ---- rounding, and the limits ---- */

static float limited(float w)
{
    return w > LARGEST ? LARGEST : w < -LARGEST ? -LARGEST : w;
}

static enum err round_ones(struct gate_trainer *t, uint16_t **weights, struct why *why)
{
    uint16_t *out = arena_array(t->arena, uint16_t, t->n_known * GATE_ROLES);
    if (!out)
        return err_set(why, ERR_NO_MEMORY, "could not hold the gate");
    for (size_t i = 0; i < t->n_known * GATE_ROLES; i++)
        out[i] = (uint16_t)lrintf((limited(t->ones[i]) + LARGEST) * (GATE_MOST / (2 * LARGEST)));
    *weights = out;
    if (!gate_words(&t->gate, t->known, out, t->n_known))
        return err_set(why, ERR_NO_MEMORY, "could not hold the gate");
    return ERR_OK;
}

static enum err round_grams(struct gate_trainer *t, struct why *why)
{
    size_t n = (size_t)1 << GATE_BITS;
    t->gate.grams = malloc(n);
    if (!t->gate.grams)
        return err_set(why, ERR_NO_MEMORY, "could not hold the gate");
    for (size_t i = 0; i < n; i++)
        t->gate.grams[i] = (int8_t)lrintf(limited(t->grams[i]) * (127 / LARGEST));
    return ERR_OK;
}

static int32_t second_sum(const struct gate_trainer *t, size_t i)
{
    uint32_t grams[GATE_GRAMS];
    int32_t sum = 0;
    gate_grams(t->chars + i, grams);
    for (size_t k = 0; k < GATE_GRAMS; k++)
        sum += t->gate.grams[grams[k]];
    return sum;
}

#define SECOND_LOW (-127 * GATE_GRAMS)
#define SUMS       (127 * GATE_GRAMS * 2 + GATE_WATCHED + 1)

/* The largest limit that so much of what begins in what is kept back still reaches. */
static enum err limit_of(const struct gate_trainer *t, const struct gate_sample *samples,
                         bool second, double share, int32_t *out, struct why *why)
{
    double *by_sum = arena_array(t->arena, double, SUMS), all = 0, lost = 0;
    if (!by_sum)
        return err_set(why, ERR_NO_MEMORY, "could not set the limits");
    for (size_t i = 2; i + GATE_AHEAD < t->n; i++) {
        if ((t->marks[i] & (HELD | BEGINS)) != (HELD | BEGINS))
            continue;
        uint32_t first = first_sum(t, i);
        int32_t sum = !second                  ? (int32_t)first
                      : first >= t->gate.first ? second_sum(t, i) - SECOND_LOW + 1
                                               : 0;
        by_sum[sum] += (double)samples[t->owner[i]].weight;
        all += (double)samples[t->owner[i]].weight;
    }
    if (!(all > 0))
        return err_set(why, ERR_INVALID, "nothing begins in the samples that are kept back");
    int32_t at = 0;
    while (at + 1 < SUMS && lost + by_sum[at] <= all * (1 - share))
        lost += by_sum[at++];
    *out = second ? at - 1 + SECOND_LOW : at;
    return ERR_OK;
}

/* ---- writing ---- */

static void put(struct buf *out, uint32_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_char(out, (char)(value >> (8 * i) & 0xFF));
}

static enum err write_gate(const struct gate_trainer *t, const uint16_t *weights, struct str *bytes,
                           struct why *why)
{
    struct buf out;
    struct str watch = t->options->watch;
    buf_init(&out, t->arena);
    buf_add(&out, (struct str){"YCGATE1\n", 8});
    put(&out, t->gate.first, 4);
    put(&out, (uint32_t)t->gate.second, 4);
    put(&out, (uint32_t)t->n_known, 4);
    put(&out, (uint32_t)utf8_count(watch), 4);
    for (size_t i = 0; i < t->n_known; i++) {
        put(&out, t->known[i], 2);
        for (size_t k = 0; k < GATE_ROLES; k++)
            put(&out, weights[i * GATE_ROLES + k], 2);
    }
    for (size_t at = 0; at < watch.len;)
        put(&out, gate_char(watch, &at), 2);
    buf_add(&out, (struct str){(const char *)t->gate.grams, (size_t)1 << GATE_BITS});
    if (!out.failed) {
        uint64_t sum = hash64(out.ptr, out.len, 1);
        buf_add(&out, (struct str){(const char *)&sum, sizeof sum});
    }
    *bytes = buf_str(&out);
    return buf_err(&out, why);
}

static enum err train(struct gate_trainer *t, const struct gate_sample *samples, size_t n,
                      struct str *bytes, struct why *why)
{
    uint16_t *weights = NULL;
    int32_t limit = 0;
    enum err err = read_samples(t, samples, n, why);
    if (!err)
        err = number_chars(t, why);
    if (err)
        return err;
    learn_ones(t, samples);
    err = round_ones(t, &weights, why);
    if (!err)
        err = limit_of(t, samples, false, t->options->first, &limit, why);
    if (err)
        return err;
    t->gate.first = limit > 1 ? (uint32_t)limit : 1;
    learn_grams(t, samples);
    err = round_grams(t, why);
    if (!err)
        err = limit_of(t, samples, true, t->options->both, &t->gate.second, why);
    return err ? err : write_gate(t, weights, bytes, why);
}

enum err gate_train(const struct gate_sample *samples, size_t n, const struct gate_options *options,
                    struct arena *arena, struct str *bytes, struct why *why)
{
    struct gate_trainer *t = arena_calloc(arena, 1, sizeof *t);
    if (!usable(options) || utf8_count(options->watch) > GATE_WATCH)
        return err_set(why, ERR_INVALID, "an option of the training is out of range");
    for (size_t i = 0; i < n; i++)
        if (!(samples[i].weight > 0))
            return err_set(why, ERR_INVALID, "sample %zu has no weight", i + 1);
    if (!t)
        return err_set(why, ERR_NO_MEMORY, "could not hold the samples");
    t->arena = arena;
    t->options = options;
    enum err err = train(t, samples, n, bytes, why);
    free(t->gate.words);
    free(t->gate.grams);
    return err;
}
