/*
 * classify_train: the weights by AdaGrad, averaged over all steps; then the temperature.
 *
 * The average is kept as Collins does for the perceptron: u sums t * change, and the mean over T
 * steps is w - u / T, so that a step costs what it changes and not the size of the table.
 */
#include "learn/classify_in.h"

#include "core/arena.h"
#include "core/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MOST ((size_t)1 << 26) /* weights: 768 MB while training */
#define FEWEST     10                /* examples to learn from */
#define FIT_ROUNDS 300
#define FIT_RATE   0.2

const struct learn_options learn_options_default = {
    .bits = 18,
    .grams_least = 1,
    .grams_most = 4,
    .epochs = 10,
    .rate = 0.3,
    .l2 = 1e-5,
    .seed = 1,
};

struct place_list {
    size_t start, n; /* in work.places */
};

struct work {
    const struct learn_example *examples;
    const struct learn_options *options;
    size_t n, n_labels, columns, n_kept, n_steps;
    struct learn_shape shape;
    uint32_t *places;
    size_t n_places, cap_places;
    struct place_list *lists; /* of each example */
    uint32_t *order;          /* of those that are learnt from: n_kept */
    bool *held;
    double weight_of[LEARN_LABELS_MOST];
    float *w, *squares, *u; /* (2^bits, columns) */
    float b[LEARN_LABELS_MOST], b_squares[LEARN_LABELS_MOST], b_u[LEARN_LABELS_MOST];
};

static void work_release(struct work *work)
{
    free(work->places);
    free(work->lists);
    free(work->order);
    free(work->held);
    free(work->w);
    free(work->squares);
    free(work->u);
}

/* ---- before ---- */

static enum err check_options(const struct learn_options *o, size_t n_labels, struct why *why)
{
    if (n_labels < 2 || n_labels > LEARN_LABELS_MOST)
        return err_set(why, ERR_INVALID, "%zu labels are not 2 to %d", n_labels, LEARN_LABELS_MOST);
    if (o->bits < 10 || o->bits > LEARN_BITS_MOST)
        return err_set(why, ERR_INVALID, "bits %u are not 10 to %d", o->bits, LEARN_BITS_MOST);
    if (o->grams_least < 1 || o->grams_least > o->grams_most || o->grams_most > LEARN_GRAMS_MOST)
        return err_set(why, ERR_INVALID, "runs of %u to %u characters are not within 1 to %d",
                       o->grams_least, o->grams_most, LEARN_GRAMS_MOST);
    if (o->epochs < 1 || o->epochs > 100)
        return err_set(why, ERR_INVALID, "epochs %u are not 1 to 100", o->epochs);
    if (!(o->rate > 0 && o->rate <= 100) || !(o->l2 >= 0 && o->l2 <= 1))
        return err_set(why, ERR_INVALID, "rate %g is not 0 to 100 or l2 %g not 0 to 1", o->rate,
                       o->l2);
    if (o->note.len > LEARN_NOTE_BYTES || utf8_invalid(o->note) != STR_NPOS)
        return err_set(why, ERR_INVALID, "the note is no text of at most %d bytes",
                       LEARN_NOTE_BYTES);
    if (learn_columns(n_labels) << o->bits > TABLE_MOST)
        return err_set(why, ERR_INVALID, "%zu labels in 2^%u places are too many weights", n_labels,
                       o->bits);
    return ERR_OK;
}

static enum err check_labels(const struct str *labels, size_t n, struct why *why)
{
    for (size_t i = 0; i < n; i++) {
        if (labels[i].len < 1 || labels[i].len > LEARN_LABEL_BYTES ||
            utf8_invalid(labels[i]) != STR_NPOS)
            return err_set(why, ERR_INVALID, "label %zu is no text of 1 to %d bytes", i + 1,
                           LEARN_LABEL_BYTES);
        for (size_t j = 0; j < i; j++)
            if (str_eq(labels[i], labels[j]))
                return err_set(why, ERR_INVALID, "label \"%.*s\" stands twice", STR_FMT(labels[i]));
    }
    return ERR_OK;
}

/* Which are held back, how often each label is learnt from, and what an example of it weighs. */
static enum err count_labels(struct work *work, const struct str *labels, struct why *why)
{
    size_t counts[LEARN_LABELS_MOST] = {0}, seen = 0;
    bool any = false;
    for (size_t i = 0; i < work->n; i++) {
        if (work->examples[i].label >= work->n_labels)
            return err_set(why, ERR_INVALID, "example %zu has label %u of %zu", i + 1,
                           work->examples[i].label, work->n_labels);
        any |= work->examples[i].held;
    }
    for (size_t i = 0; i < work->n; i++) {
        uint64_t number = i;
        work->held[i] = any ? work->examples[i].held
                            : hash64(&number, sizeof number, work->options->seed) % 10 == 0;
        if (work->held[i])
            continue;
        counts[work->examples[i].label]++;
        work->order[work->n_kept++] = (uint32_t)i;
    }
    if (work->n_kept < FEWEST)
        return err_set(why, ERR_INVALID, "%zu examples are too few to learn from", work->n_kept);
    for (size_t k = 0; k < work->n_labels; k++)
        seen += counts[k] > 0;
    for (size_t k = 0; k < work->n_labels; k++) {
        if (!counts[k])
            return err_set(why, ERR_INVALID, "label \"%.*s\" has no example to learn from",
                           STR_FMT(labels[k]));
        work->weight_of[k] =
            work->options->balance ? (double)work->n_kept / (double)(seen * counts[k]) : 1;
    }
    return ERR_OK;
}

static bool add_places(struct work *work, const uint32_t *places, size_t n)
{
    if (work->n_places + n > work->cap_places) {
        size_t cap = work->cap_places ? work->cap_places * 2 : 1u << 16;
        uint32_t *grown = realloc(work->places, cap * sizeof *grown);
        if (!grown)
            return false;
        work->places = grown;
        work->cap_places = cap;
    }
    memcpy(work->places + work->n_places, places, n * sizeof *places);
    work->n_places += n;
    return true;
}

static enum err find_places(struct work *work, struct why *why)
{
    for (size_t i = 0; i < work->n; i++) {
        struct learn_walk walk;
        uint32_t places[LEARN_GRAMS_MOST];
        size_t n;
        if (work->held[i])
            continue;
        work->lists[i].start = work->n_places;
        learn_walk_init(&walk, &work->shape, work->examples[i].text);
        while ((n = learn_walk_next(&walk, places)) != 0)
            if (n != LEARN_WALK_NONE && !add_places(work, places, n))
                return err_set(why, ERR_NO_MEMORY, "could not hold the places of %zu texts",
                               work->n);
        work->lists[i].n = work->n_places - work->lists[i].start;
    }
    return ERR_OK;
}

static enum err work_init(struct work *work, struct why *why)
{
    size_t table = work->columns << work->shape.bits;
    work->lists = calloc(work->n + 1, sizeof *work->lists);
    work->order = calloc(work->n + 1, sizeof *work->order);
    work->held = calloc(work->n + 1, sizeof *work->held);
    work->w = calloc(table, sizeof *work->w);
    work->squares = calloc(table, sizeof *work->squares);
    work->u = calloc(table, sizeof *work->u);
    if (!work->lists || !work->order || !work->held || !work->w || !work->squares || !work->u)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu weights", table);
    return ERR_OK;
}

/* ---- the weights ---- */

static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void shuffle(uint32_t *order, size_t n, uint64_t *state)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)(random_next(state) % i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[j];
        order[j] = kept;
    }
}

static void move_weight(struct work *work, float *w, float *square, float *u, float slope)
{
    *square += slope * slope;
    float change = -(float)work->options->rate * slope / sqrtf(*square + 1e-8f);
    *w += change;
    *u += (float)work->n_steps * change;
}

/* One example; gives its loss before the step. */
static double step(struct work *work, size_t example)
{
    struct place_list list = work->lists[example];
    const uint32_t *places = work->places + list.start;
    float sums[LEARN_LABELS_MOST], p[LEARN_LABELS_MOST], slopes[LEARN_LABELS_MOST];
    size_t columns = work->columns, label = work->examples[example].label;
    float scale = list.n ? 1 / sqrtf((float)list.n) : 0, l2 = (float)work->options->l2;
    memset(sums, 0, columns * sizeof *sums);
    for (size_t i = 0; i < list.n; i++)
        for (size_t k = 0; k < columns; k++)
            sums[k] += work->w[places[i] * columns + k];
    for (size_t k = 0; k < columns; k++)
        sums[k] = sums[k] * scale + work->b[k];
    (void)learn_odds_to_p(sums, work->n_labels, p);
    work->n_steps++;
    float weight = (float)work->weight_of[label];
    for (size_t k = 0; k < columns; k++) {
        size_t of = columns == 1 ? 1 : k;
        slopes[k] = weight * (p[of] - (float)(label == of));
        move_weight(work, &work->b[k], &work->b_squares[k], &work->b_u[k], slopes[k]);
        slopes[k] *= scale;
    }
    for (size_t i = 0; i < list.n; i++)
        for (size_t k = 0; k < columns; k++) {
            size_t at = places[i] * columns + k;
            move_weight(work, &work->w[at], &work->squares[at], &work->u[at],
                        slopes[k] + l2 * work->w[at]);
        }
    return -log(fmax(p[label], 1e-12));
}

static enum err learn(struct work *work, struct why *why)
{
    const struct learn_options *o = work->options;
    uint64_t state = o->seed;
    for (unsigned epoch = 0; epoch < o->epochs; epoch++) {
        double loss = 0;
        shuffle(work->order, work->n_kept, &state);
        for (size_t i = 0; i < work->n_kept; i++)
            loss += step(work, work->order[i]);
        if (o->progress && o->progress(o->ctx, epoch + 1, loss / (double)work->n_kept))
            return err_set(why, ERR_CANCELLED, "the training was cancelled");
    }
    return ERR_OK;
}

/* The averages, rounded to signed bytes with a scale a column. */
static void round_weights(struct work *work, struct learn_model *model)
{
    size_t columns = work->columns, rows = (size_t)1 << work->shape.bits;
    for (size_t k = 0; k < columns; k++) {
        float most = 0, steps = (float)(work->n_steps + 1);
        for (size_t i = 0; i < rows; i++) {
            float *w = &work->w[i * columns + k];
            *w -= work->u[i * columns + k] / steps;
            most = fmaxf(most, fabsf(*w));
        }
        model->scales[k] = most > 0 ? most / 127 : 1;
        for (size_t i = 0; i < rows; i++)
            model->weights[i * columns + k] =
                (int8_t)lrintf(work->w[i * columns + k] / model->scales[k]);
        model->biases[k] = work->b[k] - work->b_u[k] / steps;
    }
}

/* ---- the temperature ---- */

/* Of the held examples: what the model says, as logarithms (columns each). Down the slope of their
 * loss in the inverse temperature and the biases, which is convex. */
struct fit {
    float *sums; /* (n, columns) */
    uint32_t *labels;
    size_t n, n_labels, columns;
    double inverse, shifts[LEARN_LABELS_MOST];
};

static void fit_round(struct fit *fit, double *squares)
{
    double slope_inverse = 0, slopes[LEARN_LABELS_MOST] = {0};
    for (size_t i = 0; i < fit->n; i++) {
        const float *own = fit->sums + i * fit->columns;
        float sums[LEARN_LABELS_MOST], p[LEARN_LABELS_MOST];
        for (size_t k = 0; k < fit->columns; k++)
            sums[k] = (float)(own[k] * fit->inverse + fit->shifts[k]);
        (void)learn_odds_to_p(sums, fit->n_labels, p);
        for (size_t k = 0; k < fit->columns; k++) {
            size_t of = fit->columns == 1 ? 1 : k;
            double off = (double)p[of] - (double)(fit->labels[i] == of);
            slope_inverse += off * own[k];
            slopes[k] += off;
        }
    }
    slope_inverse /= (double)fit->n;
    squares[0] += slope_inverse * slope_inverse;
    fit->inverse -= FIT_RATE * slope_inverse / sqrt(squares[0] + 1e-12);
    fit->inverse = fmin(fmax(fit->inverse, 0.01), 100);
    for (size_t k = 0; k < fit->columns; k++) {
        double slope = slopes[k] / (double)fit->n;
        squares[1 + k] += slope * slope;
        fit->shifts[k] -= FIT_RATE * slope / sqrt(squares[1 + k] + 1e-12);
    }
}

static void fit_said(struct fit *fit, const struct work *work, const struct learn_model *model)
{
    for (size_t i = 0; i < work->n; i++) {
        if (!work->held[i])
            continue;
        float p[LEARN_LABELS_MOST], *sums = fit->sums + fit->n * fit->columns;
        (void)learn_say(model, work->examples[i].text, p);
        for (size_t k = 0; k < fit->columns; k++)
            sums[k] = fit->columns == 1 ? logf(fmaxf(p[1], 1e-12f) / fmaxf(p[0], 1e-12f))
                                        : logf(fmaxf(p[k], 1e-12f));
        fit->labels[fit->n++] = work->examples[i].label;
    }
}

static enum err fit_temperature(const struct work *work, struct learn_model *model, struct why *why)
{
    size_t held = work->n - work->n_kept;
    struct fit fit = {.n_labels = work->n_labels, .columns = work->columns, .inverse = 1};
    double squares[LEARN_LABELS_MOST + 1] = {0};
    fit.sums = calloc(held * work->columns + 1, sizeof *fit.sums);
    fit.labels = calloc(held + 1, sizeof *fit.labels);
    if (!fit.sums || !fit.labels) {
        free(fit.sums);
        free(fit.labels);
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu examples", held);
    }
    fit_said(&fit, work, model);
    for (size_t round = 0; fit.n && round < FIT_ROUNDS; round++)
        fit_round(&fit, squares);
    model->temperature = (float)(1 / fit.inverse);
    for (size_t k = 0; k < work->columns; k++)
        model->biases[k] += (float)(fit.shifts[k] / fit.inverse);
    free(fit.sums);
    free(fit.labels);
    return ERR_OK;
}

enum err learn_train(const struct learn_example *examples, size_t n, const struct str *labels,
                     size_t n_labels, const struct learn_options *options, struct learn_model **out,
                     struct why *why)
{
    struct learn_model *model = NULL;
    enum err err = check_options(options, n_labels, why);
    if (!err)
        err = check_labels(labels, n_labels, why);
    if (err)
        return err;
    struct work work = {.examples = examples,
                        .options = options,
                        .n = n,
                        .n_labels = n_labels,
                        .columns = learn_columns(n_labels),
                        .shape = {options->bits, options->grams_least, options->grams_most,
                                  options->most_characters}};
    err = work_init(&work, why);
    if (!err)
        err = count_labels(&work, labels, why);
    if (!err)
        err = find_places(&work, why);
    if (!err)
        err = learn(&work, why);
    if (!err)
        err = learn_model_new(n_labels, &work.shape, &model, why);
    if (!err)
        err = learn_model_name(model, labels, options->note, why);
    if (!err) {
        round_weights(&work, model);
        err = fit_temperature(&work, model, why);
    }
    work_release(&work);
    if (err) {
        learn_free(model);
        return err;
    }
    *out = model;
    return ERR_OK;
}
