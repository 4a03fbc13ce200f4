/*
 * tests/privacy/cases - generated sentences with identifiers in adversarial spellings, and with
 * what merely looks like them.
 *
 * Numbers are made by the standards' own arithmetic, not by the scanner's. There are sets of
 * spellings and of sentences: CASES_TUNE is what the scanner was written against, CASES_HELD was
 * kept back and scored once; what it showed was mended, and CASES_LAST scored then, once.
 */
#ifndef TESTS_PRIVACY_CASES_H
#define TESTS_PRIVACY_CASES_H

#include "privacy/privacy.h"

enum cases_set { CASES_TUNE, CASES_HELD, CASES_LAST };

struct cases {
    uint64_t state; /* of the random numbers; the seed */
    enum cases_set set;
    bool misses; /* make what looks like an identifier and is none */
};

struct cases_one {
    enum privacy_kind kind; /* of the identifier, or what the near miss imitates */
    bool miss;              /* nothing of that kind is to be found */
    size_t start, end;      /* bytes of the text */
    char value[64];         /* normalised */
    const char *spelling;   /* what dress it wears, for the report */
};

/* Appends one sentence with "\n" and says what is in it. */
void cases_next(struct cases *cases, struct buf *text, struct cases_one *one);

#endif
