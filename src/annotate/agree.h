/*
 * annotate/agree - how far people agree beyond chance: Cohen, Fleiss, Krippendorff; spans and
 * boxes.
 *
 * Pure. The sums are fed unit by unit and asked at the end, so that any number of units fits. A
 * code is a small number that stands for a label (or a set of labels); who calls keeps the list. A
 * value that is not defined (nothing to compare, or no variation at all) is NAN.
 *
 * Source  Cohen 1960, "A coefficient of agreement for nominal scales"; Fleiss 1971, "Measuring
 *         nominal scale agreement among many raters"; Krippendorff 2011, "Computing Krippendorff's
 *         alpha-reliability"; spans over characters after Krippendorff's unitizing, with every
 *         character a unit; boxes by intersection over union as in PASCAL VOC, Everingham et al.
 * 2010.
 */
#ifndef ANNOTATE_AGREE_H
#define ANNOTATE_AGREE_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct arena;

struct agree_counts {
    struct arena *arena;
    double *n; /* by code */
    size_t cap;
};

/* Krippendorff's alpha, nominal, with any number of raters a unit, and missing values. */
struct agree_alpha {
    struct agree_counts codes; /* n_c: values of units with at least two */
    double n, same;            /* values in all; pairs within units that are the same, o_cc */
    double n_units;
};
void agree_alpha_init(struct agree_alpha *sums, struct arena *arena);
/* The m values that one unit got. `weight`: so many units alike (characters of one stretch). */
ERR_MUST_USE enum err agree_alpha_add(struct agree_alpha *sums, const uint32_t *codes, size_t m,
                                      double weight, struct why *why);
double agree_alpha_value(const struct agree_alpha *sums);

/* The same for measured values (ratings): the squared difference counts. */
struct agree_interval {
    double n, sum, squares; /* of all values of units with at least two */
    double within;          /* sum of squared differences within units, each over m - 1 */
    double n_units;
};
void agree_interval_add(struct agree_interval *sums, const double *values, size_t m);
double agree_interval_value(const struct agree_interval *sums);

/* Fleiss' kappa: every unit has the same number of ratings, that of the first one. */
struct agree_fleiss {
    struct agree_counts codes;
    size_t m; /* ratings a unit */
    double n_units, sum;
};
void agree_fleiss_init(struct agree_fleiss *sums, struct arena *arena);
/* A unit with another number of ratings is left out. */
ERR_MUST_USE enum err agree_fleiss_add(struct agree_fleiss *sums, const uint32_t *codes, size_t m,
                                       struct why *why);
double agree_fleiss_value(const struct agree_fleiss *sums);

/* Cohen's kappa of two people over the units that both have. */
struct agree_cohen {
    struct agree_counts a, b;
    double n, same;
};
void agree_cohen_init(struct agree_cohen *sums, struct arena *arena);
ERR_MUST_USE enum err agree_cohen_add(struct agree_cohen *sums, uint32_t a, uint32_t b,
                                      struct why *why);
double agree_cohen_value(const struct agree_cohen *sums);
double agree_cohen_observed(const struct agree_cohen *sums);

/* ---- spans and boxes: 0 .. 1, and 1 when both have none ---- */

struct agree_span {
    size_t start, end; /* characters, end behind the last */
    uint32_t code;
};
/* At most AGREE_MOST_SPANS of each count. F1 of spans that are the same in place and label. */
#define AGREE_MOST_SPANS 512
double agree_spans_exact(const struct agree_span *a, size_t n_a, const struct agree_span *b,
                         size_t n_b);
/* F1 of characters: those that both put under the same label. */
double agree_spans_partial(const struct agree_span *a, size_t n_a, const struct agree_span *b,
                           size_t n_b);

struct agree_box {
    double x, y, width, height; /* any unit, the same for both */
    uint32_t code;
};
double agree_iou(const struct agree_box *a, const struct agree_box *b);
/* F1 of boxes of one label that meet with at least `least` of intersection over union, the best
 * pairs first. *mean (may be NULL) gets the mean of the pairs' intersection over union, NAN without
 * any. At most AGREE_MOST_BOXES of each count. */
#define AGREE_MOST_BOXES 512
double agree_boxes(const struct agree_box *a, size_t n_a, const struct agree_box *b, size_t n_b,
                   double least, double *mean);

#endif
