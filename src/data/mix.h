/*
 * data/mix - how often each input comes in a mixture, and what a mixture would be made of.
 *
 * The arithmetic is the operator's own (op_mix.c), so that what is shown before a run is what the
 * run does. Pure, but for data_mix_preview_json() (data.h), which asks the profiles of versions.
 */
#ifndef DATA_MIX_H
#define DATA_MIX_H

#include <stddef.h>

#define MIX_MOST 64 /* inputs */

/*
 * How often all records of each of n inputs come: whole times, and a share once more. weights are
 * above 0; an input of size 0 comes never. With total 0, or more than can be had, the whole is as
 * large as the inputs and `most_repeats` allow. Gives that size; *scarce (may be NULL) is the input
 * that limits it, n when `total` does.
 */
double mix_times(const double *weights, const double *sizes, size_t n, double most_repeats,
                 double total, double *times, size_t *scarce);

#endif
