/*
 * release/rules - the figures that a gate turns on, and the risks that a person may name. Pure.
 *
 *   Source  TC260-003 (2024-02): 5.1 a, c (sources), 5.2 c (personal information), 9.2 (samples),
 *           appendix A (risks); GB/T 45654-2025 keeps the figures. See
 * docs/decisions/0016-release-gate.md.
 */
#ifndef RELEASE_RULES_H
#define RELEASE_RULES_H

#include "core/str.h"

#define RULES_MANUAL_LEAST 4000 /* records */
#define RULES_MANUAL_RATE  96   /* of 100 must be acceptable */
#define RULES_AUTO_SHARE   0.10 /* of all records, at least */
#define RULES_AUTO_RATE    98   /* of 100 */
#define RULES_SOURCE_HARM  5    /* of 100 at most */

/* Whether n_bad of n leave at least `rate` of 100 good. Exactly `rate` holds; nothing of nothing
 * does not. No rounding. */
bool rules_good_enough(int64_t n, int64_t n_bad, int rate);
/* Whether more than `most` of 100 are bad. Exactly `most` is not more. */
bool rules_too_bad(int64_t n, int64_t n_bad, int most);
/* How many records people judge: what was asked for, at least RULES_MANUAL_LEAST, at most all. */
int64_t rules_manual(int64_t n_records, int64_t asked);
/* How many the automatic sample has: ceil(share * n), share at least RULES_AUTO_SHARE. */
int64_t rules_automatic(int64_t n_records, double share);

struct risk {
    const char *code, *group;
    bool harmful;
    const char *title, *title_en;
};
size_t rules_n_risks(void);
const struct risk *rules_risk(size_t i);             /* NULL behind the last */
const struct risk *rules_risk_find(struct str code); /* NULL when there is none */
const char *rules_group_title(struct str group, bool english);

/* ---- drawing, reproducibly ---- */

/*
 * Shares `most` draws out over strata of these sizes: by size (largest remainder), but at least one
 * from each while there are enough; when there are more strata than draws, those come first that a
 * hash of seed and name puts first. draws[i] <= sizes[i], and their sum is min(most, all).
 */
struct stratum {
    struct str name;
    int64_t size;
    int64_t draws; /* out */
};
ERR_MUST_USE enum err rules_share_out(struct stratum *strata, size_t n, int64_t most, uint64_t seed,
                                      struct why *why);

/* Takes exactly `draws` of `size` items that come one by one, each with the same chance (Knuth, The
 * Art of Computer Programming 2, 3.4.2, algorithm S); the same for the same seed. */
struct picker {
    uint64_t state;
    int64_t left, draws;
};
void picker_init(struct picker *picker, int64_t size, int64_t draws, uint64_t seed);
bool picker_take(struct picker *picker); /* once for each item */

#endif
