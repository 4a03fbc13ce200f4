/*
 * engine/sample - from a row of logits to a token: bias, penalties, truncation, one draw.
 *
 * Pure: no llama.cpp, no clock, no lock. The same logits, options, history and random state give
 * the same token and the same next state, whatever happens elsewhere.
 *
 * Order: bias, repeat penalty, presence and frequency, [grammar], temperature, top-k, typical,
 * top-p, min-p, draw. Temperature comes before the cuts, as OpenAI, vLLM and Transformers have it.
 */
#ifndef ENGINE_SAMPLE_H
#define ENGINE_SAMPLE_H

#include "core/str.h"

struct sample_rng {
    uint64_t state[2]; /* xoroshiro128+; never both 0 */
};

void sample_seed(struct sample_rng *rng, uint64_t seed);
/* Uniform in [0, 1), 53 bits. */
double sample_uniform(struct sample_rng *rng);

struct sample_opts {
    float temperature;                 /* 0: greedy, the lowest id wins a tie */
    int32_t top_k;                     /* 0: off */
    float top_p;                       /* 0 or 1: off */
    float min_p;                       /* 0: off */
    float typical;                     /* 0 or 1: off */
    float presence, frequency, repeat; /* 0, 0 and 0 or 1: off */
    size_t window;                     /* tokens of the history that the penalties look at */
};

/* ERR_INVALID names the option, its value and its range. */
ERR_MUST_USE enum err sample_check(const struct sample_opts *opts, struct why *why);

struct sample_candidate {
    int32_t id;
    float logit; /* times 1 / temperature, less the greatest: <= 0 */
    float p;
};

/* Room for one draw, made once for a vocabulary; for one thread. */
struct sample_scratch {
    struct sample_candidate *candidates; /* n_vocab */
    uint32_t *counts;                    /* n_vocab, all 0 between calls */
    size_t n_vocab;
};
ERR_MUST_USE enum err sample_scratch_init(struct sample_scratch *scratch, size_t n_vocab,
                                          struct why *why);
void sample_scratch_release(struct sample_scratch *scratch);

/*
 * Applies the penalties to `logits` in place. The repeat penalty (Keskar et al. 2019,
 * arXiv:1909.05858, with the usual correction for negative logits) looks at all of
 * history[0..n), prompt included; presence and frequency only at what was written, from `n_prompt`
 * on, as OpenAI defines them.
 */
void sample_penalize(const struct sample_opts *opts, const int32_t *history, size_t n,
                     size_t n_prompt, float *logits, struct sample_scratch *scratch);

/*
 * Draws one token, or -1 when every logit is minus infinity (or none is a number). Greedy takes no
 * random number, everything else exactly one.
 *
 *   logits  (n_vocab), read only
 *   Cost    one pass for the maximum, one to gather what is within 30 temperatures of it (what is
 *           left out has less than 2e-8 of the mass in a vocabulary of 200,000), sorting of what
 *           the cuts need
 *   Source  top-p: Holtzman et al. 2020, arXiv:1904.09751; typical: Meister et al. 2023,
 *           arXiv:2202.00666; min-p: Nguyen et al. 2024, arXiv:2407.01082
 */
int32_t sample_draw(const struct sample_opts *opts, const float *logits,
                    struct sample_scratch *scratch, struct sample_rng *rng);

/* The log of the sum of exp over the row: logit - this is a log probability. */
double sample_log_sum(const float *logits, size_t n);

/* The ids of the k greatest logits, greatest first, ties by id; returns how many (k or n). */
size_t sample_tops(const float *logits, size_t n, size_t k, int32_t *ids);

#endif
