/* classify_measure: how often a classifier is right, and the threshold that suits best. */
#include "learn/classify_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS 10

struct bins {
    size_t n[BINS], right[BINS];
    double p[BINS];
};

static size_t decide(const struct learn_model *model, size_t best, const float *p)
{
    return model->n_labels == 2 ? p[1] >= model->thresholds[1] : best;
}

static double share(size_t part, size_t all)
{
    return all ? (double)part / (double)all : 0;
}

static void add_one(const struct learn_model *model, const struct learn_example *example,
                    struct learn_score *out, struct bins *bins)
{
    float p[LEARN_LABELS_MOST];
    size_t best = learn_say(model, example->text, p), said = decide(model, best, p);
    /* Of two labels it is the second that a probability is said of. */
    size_t about = model->n_labels == 2 ? 1 : best;
    size_t bin = (size_t)(p[about] * BINS);
    bin = bin < BINS ? bin : BINS - 1;
    bins->n[bin]++;
    bins->p[bin] += p[about];
    bins->right[bin] += example->label == about;
    out->n++;
    out->right += said == example->label;
    out->log_loss -= log(fmax(p[example->label], 1e-12));
    out->labels[example->label].gold++;
    out->labels[said].said++;
    out->labels[said].right += said == example->label;
}

void learn_measure(const struct learn_model *model, const struct learn_example *examples, size_t n,
                   struct learn_score *out)
{
    struct bins bins = {0};
    size_t with_gold = 0;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++)
        if (examples[i].label < model->n_labels)
            add_one(model, &examples[i], out, &bins);
    if (!out->n)
        return;
    out->accuracy = share(out->right, out->n);
    out->log_loss /= (double)out->n;
    for (size_t b = 0; b < BINS; b++)
        out->calibration_error += fabs(bins.p[b] - (double)bins.right[b]) / (double)out->n;
    for (size_t k = 0; k < model->n_labels; k++) {
        struct learn_label_score *s = &out->labels[k];
        s->precision = share(s->right, s->said);
        s->recall = share(s->right, s->gold);
        s->f1 = s->right ? 2 * s->precision * s->recall / (s->precision + s->recall) : 0;
        out->macro_f1 += s->gold ? s->f1 : 0;
        with_gold += s->gold > 0;
    }
    out->macro_f1 /= (double)with_gold;
}

struct said {
    float p;
    bool gold;
};

static int compare(const void *a, const void *b)
{
    const struct said *x = a, *y = b;
    return (x->p < y->p) - (x->p > y->p);
}

enum err learn_fit_threshold(struct learn_model *model, const struct learn_example *examples,
                             size_t n, size_t label, struct why *why)
{
    size_t gold = 0, right = 0;
    double best = -1;
    if (label >= model->n_labels)
        return err_set(why, ERR_INVALID, "there is no label %zu", label);
    struct said *said = calloc(n + 1, sizeof *said);
    if (!said)
        return err_set(why, ERR_NO_MEMORY, "could not hold %zu examples", n);
    for (size_t i = 0; i < n; i++) {
        float p[LEARN_LABELS_MOST];
        (void)learn_say(model, examples[i].text, p);
        said[i] = (struct said){p[label], examples[i].label == label};
        gold += said[i].gold;
    }
    if (!gold || gold == n) {
        free(said);
        return err_set(why, ERR_INVALID, "of %zu examples %zu have the label: no threshold", n,
                       gold);
    }
    qsort(said, n, sizeof *said, compare);
    for (size_t i = 0; i < n; i++) {
        right += said[i].gold;
        double f1 = 2.0 * (double)right / (double)(i + 1 + gold);
        /* Between this one and the next, and only where they differ. */
        if (f1 > best && (i + 1 == n || said[i + 1].p < said[i].p)) {
            best = f1;
            model->thresholds[label] = i + 1 < n ? (said[i].p + said[i + 1].p) / 2 : said[i].p;
        }
    }
    free(said);
    return ERR_OK;
}
